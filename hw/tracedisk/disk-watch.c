/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk: DMA watches in the course of a transfer
 *
 * Before the data moves, what the watched bytes hold is kept; after it, and
 * before the command's completion reaches the guest, the hit is recorded and
 * the VM stopped. The command waits for "cont" and only then completes.
 */
#include "qemu/osdep.h"
#include "compat.h"
#include "disk.h"

static unsigned direction_of(const TdTransfer *t)
{
    return t->dir == DMA_DIRECTION_FROM_DEVICE ? TD_WATCH_WRITE : TD_WATCH_READ;
}

/*
 * The first watched bytes among the first @bytes of the list. @hit's offset
 * is in its element.
 */
static bool find_in_list(TdTransfer *t, uint64_t bytes, bool count,
                         TdWatchHit *hit)
{
    uint64_t done = 0;

    for (uint32_t i = 0; i < t->n_elements && done < bytes; i++) {
        TdAccess access = {
            .addr = t->elements[i].addr,
            .len = MIN(t->elements[i].len, bytes - done),
            .direction = direction_of(t),
            .lba = -1,
            .block_size = t->disk->block_size,
            .element = i,
        };

        if (t->media_offset >= 0) {
            access.lba = (t->media_offset + done) / t->disk->block_size;
        }
        if (td_watches_match(t->disk->watches, &access, count, hit)) {
            if (t->media_offset >= 0) {
                hit->access.lba = (t->media_offset + done + hit->offset) /
                                  t->disk->block_size;
            }
            return true;
        }
        done += access.len;
    }
    return false;
}

static bool find_in_metadata(TdTransfer *t, TdWatchHit *hit)
{
    for (uint32_t i = 0; i < t->result.n_metadata; i++) {
        const struct td_metadata *m = &t->result.metadata[i];
        TdAccess access = {
            .addr = m->addr, .len = m->len, .direction = TD_WATCH_WRITE,
            .lba = -1, .block_size = t->disk->block_size, .element = -1,
        };

        if (td_watches_match(t->disk->watches, &access, true, hit)) {
            pstrcpy(hit->command, sizeof(hit->command),
                    td_metadata_name(m->kind));
            return true;
        }
    }
    return false;
}

static void read_guest(TdTransfer *t, const TdWatchHit *hit, uint8_t *bytes)
{
    dma_memory_read(t->as, hit->access.addr, bytes, hit->n_bytes,
                    MEMTXATTRS_UNSPECIFIED);
}

void td_transfer_before_data(TdTransfer *t, DMADirection dir,
                             int64_t media_offset, uint64_t bytes)
{
    TdWatchHit hit;

    t->dir = dir;
    t->media_offset = media_offset;
    t->old_len = 0;
    if (likely(!t->disk->watches || !td_watches_any(t->disk->watches)) ||
        !find_in_list(t, bytes, false, &hit)) {
        return;
    }
    hit.n_bytes = MIN(hit.access.len, TD_WATCH_BYTES);
    t->old_addr = hit.access.addr;
    t->old_len = hit.n_bytes;
    read_guest(t, &hit, t->old_bytes);
}

static void record_hit(TdTransfer *t, const TdWatchHit *hit)
{
    struct td_event event = {
        .type = TD_EVENT_WATCH,
        .has = TD_HAS_REF | TD_HAS_ADDR | TD_HAS_LEN | TD_HAS_DATA |
               TD_HAS_TEXT | (hit->access.lba < 0 ? 0 : TD_HAS_VALUE),
        .ref = t->seq, .addr = hit->access.addr, .len = hit->access.len,
        .value = hit->access.lba, .data = hit->new, .data_len = hit->n_bytes,
        .text = hit->access.direction == TD_WATCH_WRITE ? "write" : "read",
    };

    td_recorder_event(t->disk->recorder, &event);
}

int coroutine_fn td_transfer_co_watch(TdTransfer *t, const char *command)
{
    TdWatches *watches = t->disk->watches;
    TdWatchHit hit;

    if (likely(!watches || !td_watches_any(watches))) {
        return 0;
    }
    if (find_in_list(t, t->result.bytes, true, &hit)) {
        pstrcpy(hit.command, sizeof(hit.command), command);
    } else if (!find_in_metadata(t, &hit)) {
        return 0;
    }
    hit.seq = t->seq;
    hit.n_bytes = MIN(hit.access.len, TD_WATCH_BYTES);
    if (hit.access.element >= 0) {
        read_guest(t, &hit, hit.new);
        if (t->old_len == hit.n_bytes && t->old_addr == hit.access.addr) {
            hit.old_known = true;
            memcpy(hit.old, t->old_bytes, hit.n_bytes);
        }
    } else {
        hit.n_bytes = 0;        /* the FIS is written after the completion */
    }
    record_hit(t, &hit);
    td_watches_set_last(watches, &hit);
    return hit.stop ? td_transfer_co_stop_vm(t, RUN_STATE_DEBUG) : 0;
}
