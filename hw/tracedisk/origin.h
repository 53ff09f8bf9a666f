/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk: who asked
 *
 * With origin=on, the vCPU that is writing a doorbell is looked at: its
 * program counter, its return addresses by frame pointers, and the top of its
 * stack for guests that have none. Everything is read through interfaces that
 * QEMU's gdbstub uses too, and nothing of the guest changes.
 */
#ifndef HW_TRACEDISK_ORIGIN_H
#define HW_TRACEDISK_ORIGIN_H

#include "recorder.h"

/* What one disk remembers of origins: the stacks in its trace. */
typedef struct TdOrigins TdOrigins;

typedef struct TdOrigin {
    struct td_origin told;      /* told.chain is set by td_origin_told() */
    uint64_t chain[TD_MAX_CHAIN];
} TdOrigin;

TdOrigins *td_origins_new(TdRecorder *recorder);
void td_origins_free(TdOrigins *o);

/*
 * Note what the vCPU in whose register access we are was doing; in another
 * thread, that it cannot be seen. Records the stack. Under the big lock, but
 * where there is no vCPU.
 */
void td_origin_note(TdOrigins *o, TdOrigin *origin);

static inline const struct td_origin *td_origin_told(TdOrigin *origin)
{
    origin->told.chain = origin->chain;
    return &origin->told;
}

/* Add the member "origin" to what is told of a DMA watch's hit. */
void td_origin_add_to(const TdOrigin *origin, QDict *dict);

/*
 * The stack that an origin refers to, if it is still remembered: its bytes in
 * hexadecimal, or NULL. Under the big lock.
 */
char *td_origins_stack(const TdOrigins *o, const TdOrigin *origin);

#endif
