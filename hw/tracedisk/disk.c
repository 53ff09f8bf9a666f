/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk: the data phase that every front end shares
 *
 * Guest memory is mapped and the block layer reads into it, or writes from it,
 * directly. That path wants plain RAM, no two elements on the same bytes, and
 * at most IOV_MAX pieces. Everything else (a list that points at a hole, ROM,
 * a device, or twice at one page) goes the slow way through a bounce buffer,
 * piece by piece, so that the hash is of the bytes that moved whatever the
 * memory behind them does.
 */
#include "qemu/osdep.h"
#include "compat.h"
#include "disk.h"

#define BOUNCE_BYTES (256 * KiB)

/*
 * A transfer that writes to a device's registers may come back into our own.
 * QEMU's guard stops that only while an MMIO access is being served, but our
 * transfers also run from the main loop: front ends ask here.
 */
static __thread unsigned device_dma_depth;

bool td_disk_in_device_dma(void)
{
    return device_dma_depth > 0;
}

/* ---- The list ---------------------------------------------------------- */

void td_transfer_init(TdTransfer *t, TdDisk *disk, AddressSpace *as)
{
    *t = (TdTransfer) { .disk = disk, .as = as };
}

void td_transfer_destroy(TdTransfer *t)
{
    g_free(t->elements);
    g_free(t->iov);
    td_hasher_free(t->hasher);
    t->elements = NULL;
    t->iov = NULL;
    t->hasher = NULL;
    t->capacity = t->iov_capacity = 0;
}

void td_transfer_restart(TdTransfer *t)
{
    td_hasher_free(t->hasher);
    t->hasher = NULL;
    t->cancelled = false;
    memset(&t->result, 0, sizeof(t->result));
}

void td_transfer_reset(TdTransfer *t)
{
    t->n_elements = 0;
    t->list_bytes = 0;
    t->seq = 0;
    td_transfer_restart(t);
}

void td_transfer_add_element(TdTransfer *t, uint64_t addr, uint32_t len)
{
    if (t->n_elements == t->capacity) {
        t->capacity = MAX(16, t->capacity * 2);
        t->elements = g_renew(struct td_element, t->elements, t->capacity);
    }
    t->elements[t->n_elements++] = (struct td_element) {
        .addr = addr, .len = len,
    };
    t->list_bytes += len;
}

static gint compare_elements(gconstpointer a, gconstpointer b)
{
    const struct td_element *x = a, *y = b;

    return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static bool elements_overlap(const TdTransfer *t)
{
    g_autofree struct td_element *sorted = NULL;
    uint32_t i;

    /* The usual list ascends: then a glance at the neighbours is enough. */
    for (i = 1; i < t->n_elements; i++) {
        if (t->elements[i].addr <
            t->elements[i - 1].addr + t->elements[i - 1].len) {
            break;
        }
    }
    if (i >= t->n_elements) {
        return false;
    }
    sorted = g_new(struct td_element, t->n_elements);
    memcpy(sorted, t->elements, t->n_elements * sizeof(*sorted));
    qsort(sorted, t->n_elements, sizeof(*sorted), compare_elements);
    for (i = 1; i < t->n_elements; i++) {
        if (sorted[i].addr < sorted[i - 1].addr + sorted[i - 1].len) {
            return true;
        }
    }
    return false;
}

/* ---- Guest memory, the direct way -------------------------------------- */

static void unmap(TdTransfer *t, DMADirection dir, uint64_t accessed)
{
    for (int i = 0; i < t->n_iov; i++) {
        uint64_t len = MIN(accessed, t->iov[i].iov_len);

        dma_memory_unmap(t->as, t->iov[i].iov_base, t->iov[i].iov_len, dir,
                         len);
        accessed -= len;
    }
    t->n_iov = 0;
}

static void append_iov(TdTransfer *t, void *base, size_t len)
{
    if (t->n_iov == t->iov_capacity) {
        t->iov_capacity = MAX(16, t->iov_capacity * 2);
        t->iov = g_renew(struct iovec, t->iov, t->iov_capacity);
    }
    t->iov[t->n_iov++] = (struct iovec) { .iov_base = base, .iov_len = len };
}

static bool is_plain_ram(AddressSpace *as, uint64_t addr, hwaddr *len,
                         bool is_write)
{
    hwaddr xlat;
    MemoryRegion *mr;

    RCU_READ_LOCK_GUARD();
    mr = address_space_translate(as, addr, &xlat, len, is_write,
                                 MEMTXATTRS_UNSPECIFIED);
    return td_memory_access_is_direct(mr, is_write);
}

/* Map one run of bus addresses; false when it is not all RAM, or too much. */
static bool map_run(TdTransfer *t, uint64_t addr, uint64_t bytes,
                    DMADirection dir)
{
    while (bytes) {
        dma_addr_t len = bytes;
        void *host;

        if (t->n_iov == IOV_MAX ||
            !is_plain_ram(t->as, addr, &len, dir == DMA_DIRECTION_FROM_DEVICE)) {
            return false;
        }
        host = dma_memory_map(t->as, addr, &len, dir, MEMTXATTRS_UNSPECIFIED);
        if (!host) {
            return false;
        }
        append_iov(t, host, len);
        addr += len;
        bytes -= len;
    }
    return true;
}

/* Map the first @bytes of the list; elements that touch are mapped as one. */
static bool map(TdTransfer *t, uint64_t bytes, DMADirection dir)
{
    uint32_t i = 0;

    if (elements_overlap(t)) {
        return false;
    }
    while (bytes) {
        uint64_t start = t->elements[i].addr;
        uint64_t len = t->elements[i].len;

        while (++i < t->n_elements && t->elements[i].addr == start + len) {
            len += t->elements[i].len;
        }
        len = MIN(len, bytes);
        if (!map_run(t, start, len, dir)) {
            unmap(t, dir, 0);
            return false;
        }
        bytes -= len;
    }
    return true;
}

/* ---- Guest memory, the slow way ---------------------------------------- */

/* A place in the list, for walking it in pieces. */
typedef struct ListCursor {
    uint32_t element;
    uint64_t offset;            /* in that element */
} ListCursor;

/* Copy between @buf and the next @bytes of the list. */
static void copy_list(TdTransfer *t, ListCursor *at, uint8_t *buf,
                      uint64_t bytes, DMADirection dir)
{
    bool is_write = dir == DMA_DIRECTION_FROM_DEVICE;

    while (bytes) {
        const struct td_element *e = &t->elements[at->element];
        hwaddr len = MIN(bytes, e->len - at->offset);
        uint64_t addr = e->addr + at->offset;
        bool ram;
        MemTxResult result;

        if (!len) {
            at->element++;
            at->offset = 0;
            continue;
        }
        ram = is_plain_ram(t->as, addr, &len, is_write);
        device_dma_depth += !ram;
        result = dma_memory_rw(t->as, addr, buf, len, dir,
                               MEMTXATTRS_UNSPECIFIED);
        device_dma_depth -= !ram;
        if (!ram || result != MEMTX_OK) {
            t->result.flags |= TD_OUTSIDE_RAM;
        }
        if (!is_write && result != MEMTX_OK) {
            /* What a bus without a target answers (PCI 3.0, 3.3.3.1). */
            memset(buf, 0xff, len);
        }
        buf += len;
        bytes -= len;
        at->offset += len;
    }
}

static int coroutine_fn bounced_io(TdTransfer *t, int64_t offset,
                                   uint64_t bytes, DMADirection dir,
                                   BdrvRequestFlags flags)
{
    BlockBackend *blk = t->disk->blk;
    size_t size = MIN(bytes, BOUNCE_BYTES);
    uint8_t *buf = blk_blockalign(blk, size);
    struct td_hasher *hasher = td_hasher_new(t->disk->hash);
    ListCursor at = { 0 };
    uint64_t done = 0;
    int ret = 0;

    td_hasher_begin(hasher);
    while (done < bytes && ret >= 0) {
        size_t n = MIN(bytes - done, size);
        QEMUIOVector qiov = QEMU_IOVEC_INIT_BUF(qiov, buf, n);

        if (dir == DMA_DIRECTION_FROM_DEVICE) {
            ret = blk_co_preadv(blk, offset + done, n, &qiov, flags);
            if (ret >= 0) {
                copy_list(t, &at, buf, n, dir);
            }
        } else {
            copy_list(t, &at, buf, n, dir);
            ret = blk_co_pwritev(blk, offset + done, n, &qiov, flags);
        }
        if (ret >= 0) {
            td_hasher_add(hasher, buf, n);
            done += n;
        }
    }
    td_hasher_end(hasher, &t->result.digest);
    td_hasher_free(hasher);
    qemu_vfree(buf);
    t->result.bytes = done;
    return ret;
}

/* ---- Waiting, cancelling, errors --------------------------------------- */

/* With disk->lock held. */
static int coroutine_fn wait_until_undrained(TdTransfer *t)
{
    TdDisk *disk = t->disk;

    while (disk->quiesced && !t->cancelled) {
        qemu_co_queue_wait(&disk->quiesced_queue, &disk->lock);
    }
    return t->cancelled ? -ECANCELED : 0;
}

/*
 * From here to td_transfer_release() a drain waits for the whole command,
 * however many requests it makes of the block layer.
 */
static void enter_flight(TdTransfer *t)
{
    t->in_flight = true;
    blk_inc_in_flight(t->disk->blk);
}

void td_transfer_pause(TdTransfer *t)
{
    if (t->in_flight) {
        t->in_flight = false;
        blk_dec_in_flight(t->disk->blk);
    }
}

int coroutine_fn td_transfer_co_start(TdTransfer *t)
{
    int ret = t->cancelled ? -ECANCELED : 0;

    if (unlikely(qatomic_read(&t->disk->quiesced))) {
        qemu_mutex_lock(&t->disk->lock);
        ret = wait_until_undrained(t);
        qemu_mutex_unlock(&t->disk->lock);
        td_co_move_to_aio_context_of(t->disk->blk);
    }
    enter_flight(t);
    return ret;
}

static void record_io_error(TdTransfer *t, int error, BlockErrorAction action)
{
    struct td_event event = {
        .type = TD_EVENT_IO_ERROR,
        .has = TD_HAS_REF | TD_HAS_VALUE | TD_HAS_TEXT,
        .ref = t->seq, .value = error, .text = BlockErrorAction_str(action),
    };

    td_recorder_event(t->disk->recorder, &event);
}

/* The VM is about to stop. A drain must not wait for us meanwhile. */
static int coroutine_fn wait_for_cont(TdTransfer *t)
{
    TdDisk *disk = t->disk;
    int ret;

    td_transfer_pause(t);
    qemu_mutex_lock(&disk->lock);
    for (unsigned stop = disk->resumed;
         disk->resumed == stop && !t->cancelled;) {
        qemu_co_queue_wait(&disk->parked, &disk->lock);
    }
    ret = wait_until_undrained(t);
    qemu_mutex_unlock(&disk->lock);
    enter_flight(t);
    return ret;
}

/*
 * Apply werror=/rerror= to a failed request. True: do it again (the user
 * continued a VM that the error had stopped).
 */
static bool coroutine_fn retry_after(TdTransfer *t, bool is_read, int *ret)
{
    TdDisk *disk = t->disk;
    BlockErrorAction action;

    if (*ret >= 0) {
        return false;
    }
    if (t->cancelled) {
        *ret = -ECANCELED;
        return false;
    }
    action = blk_get_error_action(disk->blk, is_read, -*ret);
    record_io_error(t, -*ret, action);
    blk_error_action(disk->blk, action, is_read, -*ret);
    if (action == BLOCK_ERROR_ACTION_IGNORE) {
        *ret = 0;
        return false;
    }
    if (action == BLOCK_ERROR_ACTION_REPORT) {
        return false;
    }
    if (t->retried_by_caller) {
        *ret = -EINPROGRESS;
        return false;
    }
    *ret = wait_for_cont(t);
    return *ret == 0;
}

int coroutine_fn td_transfer_co_stop_vm(TdTransfer *t, RunState state)
{
    qemu_system_vmstop_request_prepare();
    qemu_system_vmstop_request(state);
    return wait_for_cont(t);
}

/* Let all that wait look again; with disk->lock held. */
static void wake_waiting(TdDisk *disk)
{
    qemu_co_enter_all(&disk->parked, &disk->lock);
    qemu_co_enter_all(&disk->quiesced_queue, &disk->lock);
}

static void resume_parked(void *opaque)
{
    TdDisk *disk = opaque;

    QEMU_LOCK_GUARD(&disk->lock);
    disk->resumed++;
    wake_waiting(disk);
}

static void disk_run_state(void *opaque, bool running, RunState state)
{
    TdDisk *disk = opaque;

    if (running) {
        qemu_bh_schedule(disk->resume_bh);
    }
}

static void disk_drained_begin(void *opaque)
{
    TdDisk *disk = opaque;

    QEMU_LOCK_GUARD(&disk->lock);
    qatomic_set(&disk->quiesced, disk->quiesced + 1);
}

static void disk_drained_end(void *opaque)
{
    TdDisk *disk = opaque;

    QEMU_LOCK_GUARD(&disk->lock);
    qatomic_set(&disk->quiesced, disk->quiesced - 1);
    if (!disk->quiesced) {
        qemu_co_enter_all(&disk->quiesced_queue, &disk->lock);
    }
}

static void disk_resized(void *opaque)
{
    TdDisk *disk = opaque;

    if (disk->resized) {
        disk->resized(disk);
    }
}

static const BlockDevOps disk_block_ops = {
    .drained_begin = disk_drained_begin,
    .drained_end = disk_drained_end,
    .resize_cb = disk_resized,
};

void td_transfer_cancel(TdTransfer *t)
{
    TdDisk *disk = t->disk;

    QEMU_LOCK_GUARD(&disk->lock);
    t->cancelled = true;
    wake_waiting(disk);
}

void td_disk_cancel_all(TdDisk *disk)
{
    TdTransfer *t;

    if (!disk->blk || QTAILQ_EMPTY(&disk->active)) {
        return;
    }
    WITH_QEMU_LOCK_GUARD(&disk->lock) {
        QTAILQ_FOREACH(t, &disk->active, next) {
            t->cancelled = true;
        }
        wake_waiting(disk);
    }
    blk_drain(disk->blk);
}

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

/* ---- The data phase ---------------------------------------------------- */

static uint64_t fit_to_list(TdTransfer *t, uint64_t bytes)
{
    if (t->list_bytes < bytes) {
        t->result.flags |= TD_LIST_SHORT;
    } else if (t->list_bytes > bytes) {
        t->result.flags |= TD_LIST_LONG;
    }
    return MIN(t->list_bytes, bytes);
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

/* One attempt, with guest memory mapped; -EAGAIN when it cannot be. */
static int coroutine_fn direct_io(TdTransfer *t, int64_t offset, uint64_t bytes,
                                  DMADirection dir, BdrvRequestFlags flags)
{
    BlockBackend *blk = t->disk->blk;
    QEMUIOVector qiov;
    int ret;

    if (!map(t, bytes, dir)) {
        return -EAGAIN;
    }
    qemu_iovec_init_external(&qiov, t->iov, t->n_iov);
    if (dir == DMA_DIRECTION_FROM_DEVICE) {
        ret = blk_co_preadv(blk, offset, bytes, &qiov, flags);
        if (ret >= 0) {
            hash_mapped(t, bytes, &t->result.digest);
        }
    } else {
        hash_mapped(t, bytes, &t->result.digest);
        ret = blk_co_pwritev(blk, offset, bytes, &qiov, flags);
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
    unmap(t, dir, ret >= 0 ? bytes : 0);
    return ret;
}

static int coroutine_fn transfer_io(TdTransfer *t, int64_t offset,
                                    uint64_t bytes, DMADirection dir,
                                    BdrvRequestFlags flags)
{
    bool is_read = dir == DMA_DIRECTION_FROM_DEVICE;
    uint64_t moving = fit_to_list(t, bytes);
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
    } while (retry_after(t, is_read, &ret));

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
    } while (retry_after(t, false, &ret));
    account(t, &acct, ret);
    return ret;
}

int coroutine_fn td_transfer_co_discard(TdTransfer *t, int64_t offset,
                                        int64_t bytes)
{
    int ret;

    do {
        ret = td_blk_co_pdiscard(t->disk->blk, offset, bytes);
    } while (retry_after(t, false, &ret));
    return ret;
}

int coroutine_fn td_transfer_co_zero(TdTransfer *t, int64_t offset,
                                     int64_t bytes, BdrvRequestFlags flags)
{
    int ret;

    do {
        ret = blk_co_pwrite_zeroes(t->disk->blk, offset, bytes, flags);
    } while (retry_after(t, false, &ret));
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
        QEMUIOVector qiov = QEMU_IOVEC_INIT_BUF(qiov, buf, n);

        do {
            ret = blk_co_preadv(blk, offset, n, &qiov, 0);
        } while (retry_after(t, true, &ret));
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
    ListCursor at = { 0 };

    iov.iov_len = fit_to_list(t, bytes);
    td_transfer_before_data(t, dir, -1, iov.iov_len);
    copy_list(t, &at, buf, iov.iov_len, dir);
    td_hash_iov(t->disk->hash, &iov, 1, iov.iov_len, &t->result.digest);
    t->result.bytes = iov.iov_len;
    t->result.residual = bytes - iov.iov_len;
    return iov.iov_len;
}

uint64_t td_transfer_to_guest(TdTransfer *t, const void *buf, uint64_t bytes)
{
    /* copy_list() does not write to the buffer in this direction. */
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
    } while (retry_after(t, true, &ret));
    account(t, &acct, ret);
    if (ret >= 0) {
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
    do {
        ret = blk_co_pwritev(t->disk->blk, offset, bytes, &qiov, flags);
    } while (retry_after(t, false, &ret));
    account(t, &acct, ret);
    if (ret >= 0) {
        td_transfer_add_piece(t, buf, bytes);
    }
    return ret;
}

/* ---- Recording --------------------------------------------------------- */

void td_transfer_begin(TdTransfer *t, struct td_submit *submit)
{
    TdDisk *disk = t->disk;

    submit->elements = t->elements;
    submit->n_elements = t->n_elements;
    t->seq = td_recorder_submit(disk->recorder, submit);
    t->active = true;
    QEMU_LOCK_GUARD(&disk->lock);
    QTAILQ_INSERT_TAIL(&disk->active, t, next);
}

void td_transfer_end(TdTransfer *t, enum td_status status)
{
    if (t->hasher) {
        td_hasher_end(t->hasher, &t->result.digest);
    }
    t->result.submit_seq = t->seq;
    t->result.status = status;
    td_recorder_complete(t->disk->recorder, &t->result);
}

void td_transfer_release(TdTransfer *t)
{
    TdDisk *disk = t->disk;

    WITH_QEMU_LOCK_GUARD(&disk->lock) {
        QTAILQ_REMOVE(&disk->active, t, next);
        t->active = false;
    }
    td_transfer_pause(t);
}

/* ---- Realize ----------------------------------------------------------- */

static bool parse_overflow(const char *word, TdOverflow *overflow, Error **errp)
{
    if (!word || !strcmp(word, "block")) {
        *overflow = TD_OVERFLOW_BLOCK;
    } else if (!strcmp(word, "drop")) {
        *overflow = TD_OVERFLOW_DROP;
    } else {
        error_setg(errp, "overflow=%s: use block or drop", word);
        return false;
    }
    return true;
}

bool td_disk_realize(TdDisk *disk, BlockConf *conf, DeviceState *dev,
                     const TdDiskOptions *options,
                     const struct td_device *description, Error **errp)
{
    struct td_device described = *description;
    const char *name = blk_name(conf->blk);
    g_autofree char *default_trace = NULL;
    const char *path = options->trace;
    TdOverflow overflow;

    qemu_mutex_init(&disk->lock);
    QTAILQ_INIT(&disk->active);
    qemu_co_queue_init(&disk->parked);
    qemu_co_queue_init(&disk->quiesced_queue);
    qemu_co_queue_init(&disk->turn);
    disk->hash = TD_HASH_XXH3;
    if (options->hash && td_hash_kind_parse(options->hash, &disk->hash) < 0) {
        error_setg(errp, "hash=%s is not a hash: use xxh3, crc32 or none",
                   options->hash);
        return false;
    }
    if (!parse_overflow(options->overflow, &overflow, errp) ||
        !blkconf_blocksizes(conf, errp) ||
        !blkconf_apply_backend_options(conf, !blk_supports_write_perm(conf->blk), true,
                                       errp)) {
        return false;
    }
    disk->blk = conf->blk;
    disk->block_size = conf->logical_block_size;
    disk->blocks = MAX(0, blk_getlength(disk->blk)) / disk->block_size;

    if (!*name && blk_bs(disk->blk)) {
        name = bdrv_get_node_name(blk_bs(disk->blk));
    }
    if (!path) {
        path = default_trace = g_strdup_printf("%s.tdt", name);
    }
    described.name = name;
    described.hash = disk->hash;
    described.logical_block_size = disk->block_size;
    described.physical_block_size = conf->physical_block_size;
    described.blocks = disk->blocks;
    disk->recorder = td_recorder_new(strcmp(path, "none") ? path : NULL,
                                     overflow, &described, errp);
    if (!disk->recorder) {
        disk->blk = NULL;
        return false;
    }
    blk_set_dev_ops(disk->blk, &disk_block_ops, disk);
    /* We hold requests back ourselves, so none is stuck below a reset. */
    blk_set_disable_request_queuing(disk->blk, true);
    blk_iostatus_enable(disk->blk);
    disk->resume_bh = qemu_bh_new(resume_parked, disk);
    disk->vmstate = qdev_add_vm_change_state_handler(dev, disk_run_state, disk);
    return true;
}

void td_disk_unrealize(TdDisk *disk)
{
    if (!disk->blk) {
        return;
    }
    td_disk_cancel_all(disk);
    qemu_del_vm_change_state_handler(disk->vmstate);
    qemu_bh_delete(disk->resume_bh);
    blk_set_dev_ops(disk->blk, NULL, NULL);
    td_recorder_free(disk->recorder);
    disk->recorder = NULL;
    disk->blk = NULL;
    qemu_mutex_destroy(&disk->lock);
}
