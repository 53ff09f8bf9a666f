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

static int64_t lba_at(const TdTransfer *t, uint64_t payload_offset)
{
    return t->media_offset < 0 ? -1 :
           (t->media_offset + payload_offset) / t->disk->block_size;
}

/*
 * What memory holds in the end is the work of the last element there: name
 * that one if a driver lets several elements overlap. @done: of the payload,
 * where element @i begins.
 */
static void find_last_writer(TdTransfer *t, uint32_t i, uint64_t done,
                             uint64_t bytes, TdWatchHit *hit)
{
    for (; i < t->n_elements && done < bytes; i++) {
        uint64_t addr = t->elements[i].addr;
        uint64_t len = MIN(t->elements[i].len, bytes - done);

        if (addr <= hit->access.addr && hit->access.addr - addr < len) {
            hit->earlier_element = hit->access.element;
            hit->access.element = i;
            hit->offset = hit->access.addr - addr;
            hit->access.len = MIN(hit->access.len, len - hit->offset);
            hit->access.lba = lba_at(t, done + hit->offset);
        }
        done += len;
    }
}

/*
 * The first watched bytes among the first @bytes of the list, and who wrote
 * them. @hit's offset is in its element.
 */
static bool find_in_list(TdTransfer *t, uint64_t bytes, bool count,
                         uint64_t command, TdWatchHit *hit)
{
    TdWatchHit found;
    uint64_t done = 0;

    hit->access.len = 0;
    hit->stop = false;
    for (uint32_t i = 0; i < t->n_elements && done < bytes && !hit->stop; i++) {
        TdAccess access = {
            .addr = t->elements[i].addr,
            .len = MIN(t->elements[i].len, bytes - done),
            .direction = direction_of(t),
            .lba = lba_at(t, done),
            .block_size = t->disk->block_size,
            .element = i,
            .command = command,
        };

        if (access.len &&
            td_watches_match(t->disk->watches, &access, count, &found) &&
            (found.stop || !hit->access.len)) {
            *hit = found;
            hit->access.lba = lba_at(t, done + hit->offset);
            if (access.direction == TD_WATCH_WRITE) {
                find_last_writer(t, i + 1, done + access.len, bytes, hit);
            }
        }
        done += access.len;
    }
    return hit->access.len;
}

static bool find_in_metadata(TdTransfer *t, uint64_t command, TdWatchHit *hit)
{
    for (uint32_t i = 0; i < t->result.n_metadata; i++) {
        const struct td_metadata *m = &t->result.metadata[i];
        TdAccess access = {
            .addr = m->addr, .len = m->len, .direction = TD_WATCH_WRITE,
            .lba = -1, .block_size = t->disk->block_size, .element = -1,
            .command = command,
        };

        if (td_watches_match(t->disk->watches, &access, true, hit)) {
            pstrcpy(hit->command, sizeof(hit->command),
                    td_metadata_name(m->kind));
            return true;
        }
    }
    return false;
}

/* What memory held before the data came. */
typedef struct TdOldBytes {
    uint64_t addr;
    uint32_t len;
    uint8_t bytes[TD_WATCH_BYTES];
} TdOldBytes;

static void read_guest(TdTransfer *t, const TdWatchHit *hit, uint8_t *bytes)
{
    dma_memory_read(t->as, hit->access.addr, bytes, hit->n_bytes,
                    MEMTXATTRS_UNSPECIFIED);
}

static void keep_old_bytes(TdTransfer *t, TdWatchHit *hit)
{
    hit->n_bytes = MIN(hit->access.len, TD_WATCH_BYTES);
    t->old = t->old ?: g_new(TdOldBytes, 1);
    t->old->addr = hit->access.addr;
    t->old->len = hit->n_bytes;
    read_guest(t, hit, t->old->bytes);
}

void td_transfer_before_data(TdTransfer *t, DMADirection dir,
                             int64_t media_offset, uint64_t bytes)
{
    TdWatchHit hit;

    t->dir = dir;
    t->media_offset = media_offset;
    g_clear_pointer(&t->old, g_free);
    if (likely(!t->disk->watches || !td_watches_any(t->disk->watches)) ||
        !find_in_list(t, bytes, false, 0, &hit)) {
        return;
    }
    keep_old_bytes(t, &hit);
}

/* Nothing says where: keep what the first watch covers, often the only one. */
void td_transfer_before_observed(TdTransfer *t)
{
    TdWatchHit hit;

    if (likely(!t->disk->watches || !td_watches_any(t->disk->watches)) ||
        !td_watches_first(t->disk->watches, direction_of(t), &hit)) {
        return;
    }
    keep_old_bytes(t, &hit);
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
    uint64_t number;
    TdWatchHit hit;

    if (likely(!watches || !td_watches_any(watches))) {
        return 0;
    }
    number = td_watches_command(watches);
    if (find_in_list(t, t->result.bytes, true, number, &hit)) {
        pstrcpy(hit.command, sizeof(hit.command), command);
    } else if (!find_in_metadata(t, number, &hit)) {
        return 0;
    }
    hit.seq = t->seq;
    hit.origins = t->origin ? t->disk->origins : NULL;
    if (t->origin) {
        hit.origin = *t->origin;
    }
    hit.n_bytes = MIN(hit.access.len, TD_WATCH_BYTES);
    if (hit.access.element >= 0) {
        read_guest(t, &hit, hit.new);
        if (t->old && t->old->len >= hit.n_bytes &&
            t->old->addr == hit.access.addr) {
            hit.old_known = true;
            memcpy(hit.old, t->old->bytes, hit.n_bytes);
        }
    } else {
        hit.n_bytes = 0;        /* the FIS is written after the completion */
    }
    record_hit(t, &hit);
    td_watches_add_hit(watches, &hit);
    return hit.stop ? td_transfer_co_stop_vm(t, RUN_STATE_DEBUG) : 0;
}
