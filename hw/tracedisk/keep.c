/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk: payload=all, the bytes of every command kept in the trace
 *
 * They are written while the data moves, before the COMPLETE that refers to
 * them. When the disk under the trace is full, what does not fit waits in
 * memory until the command's coroutine can wait for "cont".
 */
#include "qemu/osdep.h"
#include "compat.h"
#include "disk-internal.h"

/* A keeper takes 300 KiB: they are shared by the commands of a disk. */
static bool take_keeper(TdTransfer *t)
{
    TdDisk *disk = t->disk;

    WITH_QEMU_LOCK_GUARD(&disk->lock) {
        if (disk->keepers->len) {
            t->keeper = g_ptr_array_steal_index_fast(disk->keepers, 0);
        }
    }
    if (!t->keeper) {
        t->keeper = td_recorder_new_keeper(disk->recorder);
    }
    if (!t->keeper) {
        return false;
    }
    td_keeper_begin(t->keeper);
    return true;
}

static void forget_unkept(TdTransfer *t)
{
    if (t->unkept) {
        g_byte_array_unref(t->unkept);
        t->unkept = NULL;
    }
}

void td_transfer_begin_keeping(TdTransfer *t)
{
    if (t->keeper) {
        td_keeper_begin(t->keeper);
    }
    forget_unkept(t);
    t->keeping_failed = false;
}

void td_transfer_keep(TdTransfer *t, const void *buf, uint64_t bytes)
{
    size_t done = 0;

    if (!t->seq || t->keeping_failed) {
        return;
    }
    if (!t->keeper && !take_keeper(t)) {
        t->keeping_failed = true;
        return;
    }
    if (!t->unkept) {
        switch (td_recorder_keep(t->disk->recorder, t->keeper, buf, bytes,
                                 &done)) {
        case TD_KEPT:
            return;
        case TD_KEPT_NOT:
            t->keeping_failed = true;
            return;
        case TD_KEPT_LATER:
            t->unkept = g_byte_array_new();
        }
    }
    g_byte_array_append(t->unkept, (const uint8_t *)buf + done, bytes - done);
}

/* Write what is not written yet. */
static TdKept finish_keeping(TdTransfer *t)
{
    TdRecorder *recorder = t->disk->recorder;
    TdKept kept = TD_KEPT;

    if (t->unkept) {
        size_t done;

        kept = td_recorder_keep(recorder, t->keeper, t->unkept->data,
                                t->unkept->len, &done);
        g_byte_array_remove_range(t->unkept, 0, done);
        if (kept == TD_KEPT) {
            forget_unkept(t);
        }
    }
    return kept == TD_KEPT ? td_recorder_keep_end(recorder, t->keeper) : kept;
}

int coroutine_fn td_transfer_co_keep(TdTransfer *t)
{
    int ret = 0;

    while (unlikely(t->keeper) && !t->keeping_failed && ret == 0) {
        TdKept kept = finish_keeping(t);

        if (kept == TD_KEPT) {
            break;
        }
        t->keeping_failed = kept == TD_KEPT_NOT;
        if (kept == TD_KEPT_LATER) {
            ret = td_transfer_co_wait_for_cont(t);
        }
    }
    return ret;
}

void td_transfer_end_keeping(TdTransfer *t)
{
    if (!t->keeping_failed && finish_keeping(t) == TD_KEPT_LATER) {
        /* A command that was cancelled does not wait. */
        td_recorder_lose(t->disk->recorder);
    }
    t->result.parts = td_keeper_parts(t->keeper, &t->result.n_parts);
}

void td_transfer_release_keeper(TdTransfer *t)
{
    forget_unkept(t);
    if (t->keeper) {
        QEMU_LOCK_GUARD(&t->disk->lock);
        g_ptr_array_add(t->disk->keepers, t->keeper);
        t->keeper = NULL;
    }
}
