/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk lint: what its rules see, and how they report.
 *
 * Concepts
 *
 *   rule      one thing that a driver must not do: an id, a severity, the
 *             clause, why it matters, callbacks, and state of its own
 *   finding   a rule's word on one place of the trace
 *   gap       records are missing, or the state of the machine was replaced
 *
 * The records come in the order of their sequence numbers, and each callback
 * sees the moment itself: a command is submitted, a command completes. Rules
 * know nothing of each other, of options, or of how findings are printed.
 */
#ifndef TOOLS_LINT_H
#define TOOLS_LINT_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "filter.h"
#include "libtracedisk/tracedisk.h"
#include "record.h"

enum lint_severity { LINT_INFO, LINT_WARNING, LINT_ERROR, LINT_SEVERITIES };

struct lint;

/* What is known of a device, and on what its commands depend. */
struct lint_device {
    uint32_t id;
    char *name;
    uint64_t blocks;     /* 0: not known */
    uint32_t block_size;
};

/* A run of guest memory that a command may touch: [start, end). */
struct lint_span {
    uint64_t start, end;
};

/* A command from its submission to its completion. */
struct lint_command {
    uint64_t seq;
    uint64_t submit_ns;
    const struct lint_device *device;
    struct td_submit submit; /* raw is raw_copy; elements live in submit() only */
    uint8_t raw_copy[TD_MAX_RAW];
    struct td_decoded decoded;
    enum direction direction;
    uint64_t payload; /* bytes of the blocks asked for; 0: not known */
    /* Memory that the transfer can reach, in order, merged. */
    struct lint_span *spans;
    uint32_t n_spans;
    uint32_t place;      /* among those in flight */
};

struct lint_complete {
    const struct td_complete *record;
    uint64_t seq;
    uint64_t ns;
};

struct lint_event {
    const struct td_event *record;
    const struct lint_device *device;
    uint64_t seq;
    uint64_t ns;
};

struct lint_rule {
    const char *id;
    enum lint_severity severity;
    const char *clause;
    const char *title;    /* "memory of a command is given to another in flight" */
    const char *why;      /* what it does on real hardware; what to do */
    bool needs_registers; /* register accesses, recorded with registers=on */
    bool needs_blank;     /* lint --blank */
    size_t state_size;
    /* Any of these may be NULL. state is state_size bytes, at first 0. */
    void (*submit)(struct lint *l, void *state, const struct lint_command *c);
    void (*complete)(struct lint *l, void *state, const struct lint_command *c,
                     const struct lint_complete *complete);
    void (*event)(struct lint *l, void *state, const struct lint_event *e);
    void (*end)(struct lint *l, void *state);
    /* Free what the state holds: at the end, and at a gap; it is 0 after that. */
    void (*clear)(void *state);
};

extern const struct lint_rule *const lint_rules[];
extern const size_t lint_n_rules;

/* ---- For rules ---- */

/*
 * Report. The finding stands at the command, its completion being looked at or
 * not; other: a second command that took part, or NULL.
 */
void lint_report(struct lint *l, const struct lint_command *c, const struct lint_command *other,
                 const char *format, ...) G_GNUC_PRINTF(4, 5);

/* Report at an event. */
#define lint_report_event(l, e, ...) lint_report_device(l, (e)->device, (e)->seq, __VA_ARGS__)

/* Report of a device as a whole; seq: the record that it is seen by. */
void lint_report_device(struct lint *l, const struct lint_device *device, uint64_t seq,
                        const char *format, ...) G_GNUC_PRINTF(4, 5);

/* The i-th of the commands in flight; NULL behind the last. */
const struct lint_command *lint_in_flight(const struct lint *l, uint32_t i);

/* A latency that no disk has: --timeout. */
uint64_t lint_timeout_ns(const struct lint *l);

/* Was the machine's power-off recorded? */
bool lint_saw_shutdown(const struct lint *l);

/* A port's number and its device's make a key of a hash table. */
static inline gpointer lint_port_key(uint32_t device, uint32_t port)
{
    return GUINT_TO_POINTER(device * 33u + port);
}

/* ---- The linter ---- */

struct lint_finding {
    uint32_t rule; /* index in lint_rules */
    uint64_t ns;
    uint64_t seq;
    uint64_t other_seq; /* 0: none */
    char *device;
    char *command; /* "READ FPDMA QUEUED 8+8 tag 3"; NULL for events */
    char *text;
};

#define LINT_TIMEOUT_NS UINT64_C(1000000000) /* if nobody says otherwise */

struct lint_options {
    bool blank;
    uint64_t timeout_ns;
    uint64_t limit; /* findings kept of each rule; 0: all */
    struct filter *filter; /* what is not between its marks does not count; NULL: all does */
    /* Told of each finding that counts, in place of keeping it; may be NULL. */
    void (*found)(void *data, size_t rule, const struct lint_device *device, uint64_t seq);
    void *data;
};

struct lint *lint_new(const struct lint_options *options);
void lint_free(struct lint *l);

void lint_record(struct lint *l, const struct td_record *record);
/* Only what was found is kept: what the rules knew is freed. */
void lint_end(struct lint *l);

/* Of rule number i: findings in all, those kept, and why it was not checked. */
uint64_t lint_count(const struct lint *l, size_t i);
const GPtrArray *lint_findings(const struct lint *l, size_t i); /* struct lint_finding */
const char *lint_not_checked(const struct lint *l, size_t i);   /* NULL: it was */

uint64_t lint_commands(const struct lint *l);

/*
 * Lint a whole trace that has been read before, so that what is wrong with it
 * has been said. Lint wants all records as they came.
 */
struct lint *lint_path(const char *path, const struct lint_options *options);

#endif
