/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk: the data phase that every front end shares
 *
 * The block layer reads into guest memory, or writes from it, directly where
 * that can be mapped; else through a bounce buffer, piece by piece. Either way
 * the hash is of the bytes that moved, whatever the memory behind them does.
 */
#include "qemu/osdep.h"
#include "compat.h"
#include "disk-internal.h"

#define BOUNCE_BYTES (256 * KiB)

/* ---- Large transfers --------------------------------------------------- */

/*
 * Hashing is as fast as memory gives the bytes. Of 32 MiB in flight they have
 * left the CPU's caches when the hash comes to them, so large transfers are
 * given to the block layer a few at a time: enough to keep any storage busy,
 * and twice the hashing speed. Without a hash there is no limit.
 */
#define LARGE_BYTES             (256 * KiB)
#define LARGE_BYTES_IN_FLIGHT   (8 * MiB)

static bool takes_turns(const TdTransfer *t, uint64_t bytes)
{
    return bytes >= LARGE_BYTES && t->disk->hash != TD_HASH_NONE;
}

static void coroutine_fn begin_turn(TdTransfer *t, uint64_t bytes)
{
    TdDisk *disk = t->disk;

    if (!takes_turns(t, bytes)) {
        return;
    }
    qemu_mutex_lock(&disk->lock);
    while (disk->large_in_flight &&
           disk->large_in_flight + bytes > LARGE_BYTES_IN_FLIGHT) {
        qemu_co_queue_wait(&disk->turn, &disk->lock);
    }
    disk->large_in_flight += bytes;
    qemu_mutex_unlock(&disk->lock);
}

static void coroutine_fn end_turn(TdTransfer *t, uint64_t bytes)
{
    TdDisk *disk = t->disk;

    if (takes_turns(t, bytes)) {
        QEMU_LOCK_GUARD(&disk->lock);
        disk->large_in_flight -= bytes;
        qemu_co_enter_next(&disk->turn, &disk->lock);
    }
}

/* ---- More than a hash -------------------------------------------------- */

void td_transfer_begin_payload(TdTransfer *t)
{
    if (t->sectors) {
        td_sectors_begin(t->sectors);
    }
    if (unlikely(t->disk->keeps)) {
        td_transfer_begin_keeping(t);
    }
}

static void add_sectors(TdTransfer *t, const void *buf, size_t bytes)
{
    if (!t->sectors) {
        t->sectors = td_sectors_new(t->disk->block_size);
    }
    if (t->sectors) {
        td_sectors_add(t->sectors, buf, bytes);
    }
}

/* The next bytes of the payload: what there is to note of them but a hash. */
static void note_payload(TdTransfer *t, const void *buf, size_t bytes)
{
    if (unlikely(t->disk->sectors)) {
        add_sectors(t, buf, bytes);
    }
    if (unlikely(t->disk->keeps)) {
        td_transfer_keep(t, buf, bytes);
    }
}

/* ---- The data phase ---------------------------------------------------- */

static int coroutine_fn bounced_io(TdTransfer *t, int64_t offset,
                                   uint64_t bytes, DMADirection dir,
                                   BdrvRequestFlags flags)
{
    BlockBackend *blk = t->disk->blk;
    size_t size = MIN(bytes, BOUNCE_BYTES);
    uint8_t *buf = blk_blockalign(blk, size);
    struct td_hasher *hasher = td_hasher_new(t->disk->hash);
    TdListCursor at = { 0 };
    uint64_t done = 0;
    int ret = 0;

    td_hasher_begin(hasher);
    td_transfer_begin_payload(t);
    while (done < bytes && ret >= 0) {
        size_t n = MIN(bytes - done, size);
        QEMUIOVector qiov = QEMU_IOVEC_INIT_BUF(qiov, buf, n);

        if (dir == DMA_DIRECTION_FROM_DEVICE) {
            ret = blk_co_preadv(blk, offset + done, n, &qiov, flags);
            if (ret >= 0) {
                td_transfer_flip(t, buf, done, n);
                td_list_copy(t, &at, buf, n, dir);
            }
        } else {
            td_list_copy(t, &at, buf, n, dir);
            td_transfer_flip(t, buf, done, n);
            ret = blk_co_pwritev(blk, offset + done, n, &qiov, flags);
            td_transfer_flip(t, buf, done, n);
        }
        if (ret >= 0) {
            td_hasher_add(hasher, buf, n);
            note_payload(t, buf, n);
            done += n;
        }
    }
    td_hasher_end(hasher, &t->result.digest);
    td_hasher_free(hasher);
    qemu_vfree(buf);
    t->result.bytes = done;
    return ret;
}

static uint64_t fit_to_list(TdTransfer *t, uint64_t bytes, uint32_t unit)
{
    if (t->list_bytes < bytes) {
        t->result.flags |= TD_LIST_SHORT;
    } else if (t->list_bytes > bytes) {
        t->result.flags |= TD_LIST_LONG;
    }
    return td_transfer_limit(t, MIN(t->list_bytes, bytes), unit);
}

static void account(TdTransfer *t, BlockAcctCookie *cookie, int ret)
{
    if (ret < 0) {
        block_acct_failed(blk_get_stats(t->disk->blk), cookie);
    } else {
        block_acct_done(blk_get_stats(t->disk->blk), cookie);
    }
}

static void hash_mapped(TdTransfer *t, uint64_t bytes, struct td_digest *digest)
{
    td_hash_iov(t->disk->hash, t->iov, t->n_iov, bytes, digest);
}

/*
 * The bytes that are kept must be those that the hash is of, even if the driver
 * writes to them: both are of a copy.
 */
static void note_copy_of_mapped(TdTransfer *t, uint64_t bytes)
{
    size_t size = MIN(bytes, BOUNCE_BYTES);
    g_autofree uint8_t *buf = g_malloc(size);
    struct td_hasher *hasher = td_hasher_new(t->disk->hash);

    td_hasher_begin(hasher);
    for (uint64_t done = 0, n; done < bytes; done += n) {
        n = iov_to_buf(t->iov, t->n_iov, done, buf, MIN(bytes - done, size));
        td_hasher_add(hasher, buf, n);
        note_payload(t, buf, n);
    }
    td_hasher_end(hasher, &t->result.digest);
    td_hasher_free(hasher);
}

/* The payload lies in guest memory: hash it, and what else there is to note. */
static void note_mapped(TdTransfer *t, uint64_t bytes)
{
    td_transfer_begin_payload(t);
    if (unlikely(t->disk->keeps)) {
        note_copy_of_mapped(t, bytes);
        return;
    }
    hash_mapped(t, bytes, &t->result.digest);
    for (int i = 0; t->disk->sectors && i < t->n_iov && bytes; i++) {
        size_t n = MIN(t->iov[i].iov_len, bytes);

        add_sectors(t, t->iov[i].iov_base, n);
        bytes -= n;
    }
}

/*
 * A drive that need not wait has served the command before the HBA hands over
 * the next one of those that its driver queued. Let these start first, so that
 * the driver hears of all of them by one interrupt.
 */
static void coroutine_fn let_others_start(TdTransfer *t)
{
    if (qatomic_read(&t->starting)) {
        aio_co_schedule(qemu_get_current_aio_context(), qemu_coroutine_self());
        qemu_coroutine_yield();
    }
}

/* One attempt, with guest memory mapped; -EAGAIN when it cannot be. */
static int coroutine_fn direct_io(TdTransfer *t, int64_t offset, uint64_t bytes,
                                  DMADirection dir, BdrvRequestFlags flags)
{
    BlockBackend *blk = t->disk->blk;
    QEMUIOVector qiov;
    int ret;

    if (t->fault.what & TD_FAULT_FLIP || !td_list_map(t, bytes, dir)) {
        return -EAGAIN;
    }
    qemu_iovec_init_external(&qiov, t->iov, t->n_iov);
    if (dir == DMA_DIRECTION_FROM_DEVICE) {
        ret = blk_co_preadv(blk, offset, bytes, &qiov, flags);
        if (ret >= 0) {
            /* Now, while the CPU has in its cache what was read. */
            note_mapped(t, bytes);
        }
        let_others_start(t);
    } else {
        note_mapped(t, bytes);
        ret = blk_co_pwritev(blk, offset, bytes, &qiov, flags);
        let_others_start(t);
        if (t->disk->hash != TD_HASH_NONE) {
            /* Did the driver write while the memory was the device's? */
            hash_mapped(t, bytes, &t->result.digest_after);
            if (!td_digest_equal(&t->result.digest, &t->result.digest_after)) {
                t->result.flags |= TD_BUFFER_CHANGED;
            }
        }
    }
    if (ret >= 0) {
        t->result.bytes = bytes;
    }
    td_list_unmap(t, dir, ret >= 0 ? bytes : 0);
    return ret;
}

static int coroutine_fn transfer_io(TdTransfer *t, int64_t offset,
                                    uint64_t bytes, DMADirection dir,
                                    BdrvRequestFlags flags)
{
    bool is_read = dir == DMA_DIRECTION_FROM_DEVICE;
    uint64_t moving = fit_to_list(t, bytes, is_read ? 1 : t->disk->block_size);
    BlockAcctCookie acct;
    int ret;

    block_acct_start(blk_get_stats(t->disk->blk), &acct, moving,
                     is_read ? BLOCK_ACCT_READ : BLOCK_ACCT_WRITE);
    td_transfer_before_data(t, dir, offset, moving);
    do {
        t->result.flags &= ~(TD_OUTSIDE_RAM | TD_BUFFER_CHANGED);
        begin_turn(t, moving);
        ret = moving && !t->cancelled ?
              direct_io(t, offset, moving, dir, flags) : 0;
        if (ret == -EAGAIN) {
            ret = bounced_io(t, offset, moving, dir, flags);
        }
        end_turn(t, moving);
    } while (td_transfer_co_retry(t, is_read, &ret));

    account(t, &acct, ret);
    t->result.residual = bytes - t->result.bytes;
    return ret;
}

int coroutine_fn td_transfer_co_read(TdTransfer *t, int64_t offset,
                                     uint64_t bytes)
{
    return transfer_io(t, offset, bytes, DMA_DIRECTION_FROM_DEVICE, 0);
}

int coroutine_fn td_transfer_co_write(TdTransfer *t, int64_t offset,
                                      uint64_t bytes, BdrvRequestFlags flags)
{
    return transfer_io(t, offset, bytes, DMA_DIRECTION_TO_DEVICE, flags);
}

int coroutine_fn td_transfer_co_flush(TdTransfer *t)
{
    BlockAcctCookie acct;
    int ret;

    block_acct_start(blk_get_stats(t->disk->blk), &acct, 0, BLOCK_ACCT_FLUSH);
    do {
        ret = blk_co_flush(t->disk->blk);
    } while (td_transfer_co_retry(t, false, &ret));
    account(t, &acct, ret);
    return ret;
}

void td_transfer_note_trim(TdTransfer *t, uint64_t lba, uint64_t blocks,
                           bool zeros)
{
    struct td_event event = {
        .type = TD_EVENT_TRIM,
        .has = TD_HAS_REF | TD_HAS_ADDR | TD_HAS_LEN | TD_HAS_VALUE,
        .ref = t->seq, .addr = lba, .len = blocks, .value = zeros,
    };

    if (t->seq) {
        td_recorder_event(t->disk->recorder, &event);
    }
}

int coroutine_fn td_transfer_co_discard(TdTransfer *t, int64_t offset,
                                        int64_t bytes)
{
    int ret;

    do {
        ret = td_blk_co_pdiscard(t->disk->blk, offset, bytes);
    } while (td_transfer_co_retry(t, false, &ret));
    return ret;
}

int coroutine_fn td_transfer_co_zero(TdTransfer *t, int64_t offset,
                                     int64_t bytes, BdrvRequestFlags flags)
{
    int ret;

    do {
        ret = blk_co_pwrite_zeroes(t->disk->blk, offset, bytes, flags);
    } while (td_transfer_co_retry(t, false, &ret));
    return ret;
}

int coroutine_fn td_transfer_co_fetch(TdTransfer *t, int64_t offset, void *buf,
                                      uint64_t bytes)
{
    QEMUIOVector qiov = QEMU_IOVEC_INIT_BUF(qiov, buf, bytes);
    int ret;

    do {
        ret = blk_co_preadv(t->disk->blk, offset, bytes, &qiov, 0);
    } while (td_transfer_co_retry(t, true, &ret));
    return ret;
}

int coroutine_fn td_transfer_co_store(TdTransfer *t, int64_t offset,
                                      const void *buf, uint64_t bytes,
                                      BdrvRequestFlags flags)
{
    QEMUIOVector qiov = QEMU_IOVEC_INIT_BUF(qiov, (void *)buf, bytes);
    int ret;

    do {
        ret = blk_co_pwritev(t->disk->blk, offset, bytes, &qiov, flags);
    } while (td_transfer_co_retry(t, false, &ret));
    return ret;
}

int coroutine_fn td_transfer_co_verify(TdTransfer *t, int64_t offset,
                                       uint64_t bytes)
{
    BlockBackend *blk = t->disk->blk;
    uint8_t *buf = blk_blockalign(blk, BOUNCE_BYTES);
    int ret = 0;

    while (bytes && ret >= 0) {
        size_t n = MIN(bytes, BOUNCE_BYTES);

        ret = td_transfer_co_fetch(t, offset, buf, n);
        offset += n;
        bytes -= n;
    }
    qemu_vfree(buf);
    return ret;
}

static uint64_t copy_buffer(TdTransfer *t, void *buf, uint64_t bytes,
                            DMADirection dir)
{
    struct iovec iov = { .iov_base = buf };
    TdListCursor at = { 0 };

    iov.iov_len = fit_to_list(t, bytes, 1);
    td_transfer_before_data(t, dir, -1, iov.iov_len);
    if (dir == DMA_DIRECTION_FROM_DEVICE) {
        td_transfer_flip(t, buf, 0, iov.iov_len);
    }
    td_list_copy(t, &at, buf, iov.iov_len, dir);
    td_hash_iov(t->disk->hash, &iov, 1, iov.iov_len, &t->result.digest);
    td_transfer_begin_payload(t);
    note_payload(t, buf, iov.iov_len);
    /* What the device got, or what its own copy is again. */
    td_transfer_flip(t, buf, 0, iov.iov_len);
    t->result.bytes = iov.iov_len;
    t->result.residual = bytes - iov.iov_len;
    return iov.iov_len;
}

uint64_t td_transfer_to_guest(TdTransfer *t, const void *buf, uint64_t bytes)
{
    /* td_list_copy() does not write to the buffer in this direction. */
    return copy_buffer(t, (void *)buf, bytes, DMA_DIRECTION_FROM_DEVICE);
}

uint64_t td_transfer_from_guest(TdTransfer *t, void *buf, uint64_t bytes)
{
    return copy_buffer(t, buf, bytes, DMA_DIRECTION_TO_DEVICE);
}

/* ---- Data in pieces ---------------------------------------------------- */

void td_transfer_add_piece(TdTransfer *t, const void *buf, uint64_t bytes)
{
    if (!t->hasher) {
        t->hasher = td_hasher_new(t->disk->hash);
        td_hasher_begin(t->hasher);
    }
    td_hasher_add(t->hasher, buf, bytes);
    note_payload(t, buf, bytes);
    t->result.bytes += bytes;
}

int coroutine_fn td_transfer_co_read_piece(TdTransfer *t, int64_t offset,
                                           void *buf, uint64_t bytes)
{
    QEMUIOVector qiov = QEMU_IOVEC_INIT_BUF(qiov, buf, bytes);
    BlockAcctCookie acct;
    int ret;

    block_acct_start(blk_get_stats(t->disk->blk), &acct, bytes,
                     BLOCK_ACCT_READ);
    do {
        ret = blk_co_preadv(t->disk->blk, offset, bytes, &qiov, 0);
    } while (td_transfer_co_retry(t, true, &ret));
    account(t, &acct, ret);
    if (ret >= 0) {
        td_transfer_flip(t, buf, t->result.bytes, bytes);
        td_transfer_add_piece(t, buf, bytes);
    }
    return ret;
}

int coroutine_fn td_transfer_co_write_piece(TdTransfer *t, int64_t offset,
                                            const void *buf, uint64_t bytes,
                                            BdrvRequestFlags flags)
{
    QEMUIOVector qiov = QEMU_IOVEC_INIT_BUF(qiov, (void *)buf, bytes);
    BlockAcctCookie acct;
    int ret;

    block_acct_start(blk_get_stats(t->disk->blk), &acct, bytes,
                     BLOCK_ACCT_WRITE);
    td_transfer_flip(t, (void *)buf, t->result.bytes, bytes);
    do {
        ret = blk_co_pwritev(t->disk->blk, offset, bytes, &qiov, flags);
    } while (td_transfer_co_retry(t, false, &ret));
    td_transfer_flip(t, (void *)buf, t->result.bytes, bytes);
    account(t, &acct, ret);
    if (ret >= 0) {
        td_transfer_add_piece(t, buf, bytes);
    }
    return ret;
}
