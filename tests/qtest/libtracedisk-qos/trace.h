/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a trace says of a test's commands: read whole, into arrays.
 *
 *     TdTrace *trace = td_trace_load("d0.tdt");
 *     const TdTraced *c = td_traced(trace, "READ DMA EXT", 0);
 *
 *     td_expect_uint(c->bytes, ==, 4096);
 *     td_trace_free(trace);
 *
 * Whatever the guest did, a trace is whole: td_trace_load() fails the test when
 * it is damaged, has lost records, or has a command without an end.
 */
#ifndef LIBTRACEDISK_QOS_TRACE_H
#define LIBTRACEDISK_QOS_TRACE_H

#include "case.h"
#include "tracedisk.h"

typedef struct TdTrace {
    GPtrArray *commands;        /* of TdTraced, in the order of their ends */
    GPtrArray *events;          /* of TdTracedEvent */
} TdTrace;

/* What the trace says of a command. */
typedef struct TdTraced {
    char *name;
    uint64_t seq, complete_seq, lba, tag;
    enum td_op op;
    enum td_status status;
    uint32_t flags;             /* enum td_complete_flags */
    uint64_t bytes, residual;
    uint8_t ata_status, ata_error;
    struct td_digest digest;
    uint32_t n_elements;
    struct td_element *elements;
} TdTraced;

typedef struct TdTracedEvent {
    enum td_event_type type;
    uint32_t port;
    uint64_t seq, ref;          /* ref: the command it belongs to */
    uint64_t addr, len, value;
    char *text;
} TdTracedEvent;

TdTrace *td_trace_load(const char *path);
void td_trace_free(TdTrace *trace);

/* The @n-th command with this name (NULL: with any); it must exist. */
const TdTraced *td_traced(const TdTrace *trace, const char *name, unsigned n);
unsigned td_traced_events(const TdTrace *trace, enum td_event_type type,
                          const char *text);

/* The @n-th event of this type; it must exist. */
const TdTracedEvent *td_traced_event(const TdTrace *trace,
                                     enum td_event_type type, unsigned n);

/* The driver's fault that the trace must tell of: a part of its text. */
void td_expect_guest_error(const TdTrace *trace, const char *text);

#endif
