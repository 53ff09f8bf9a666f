/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk: a disk and the life of its commands
 *
 * From begin to release: waiting for a drained section to end, for the VM to
 * go on after an error, for nothing any more after a reset. What moves data is
 * in transfer.c.
 */
#include "qemu/osdep.h"
#include "compat.h"
#include "disk-internal.h"

/* ---- The life of a transfer -------------------------------------------- */

void td_transfer_init(TdTransfer *t, TdDisk *disk, AddressSpace *as)
{
    *t = (TdTransfer) {
        .disk = disk, .as = as,
        .elements = t->few_elements, .capacity = TD_FEW,
        .iov = t->few_iov, .iov_capacity = TD_FEW,
    };
}

void td_transfer_destroy(TdTransfer *t)
{
    if (t->elements != t->few_elements) {
        g_free(t->elements);
    }
    if (t->iov != t->few_iov) {
        g_free(t->iov);
    }
    g_free(t->origin);
    g_free(t->old);
    td_hasher_free(t->hasher);
    td_sectors_free(t->sectors);
    td_transfer_release_keeper(t);
}

void td_transfer_restart(TdTransfer *t)
{
    td_hasher_free(t->hasher);
    t->hasher = NULL;
    t->cancelled = false;
    td_transfer_begin_payload(t);
    memset(&t->result, 0, sizeof(t->result));
}

void td_transfer_reset(TdTransfer *t)
{
    t->n_elements = 0;
    t->list_bytes = 0;
    t->seq = 0;
    t->fault.what = 0;
    td_transfer_restart(t);
}

/* ---- Waiting, cancelling, errors --------------------------------------- */

static void coroutine_fn wait_among(TdDisk *disk, TdWaiters *waiters)
{
    waiters->count++;
    qemu_co_queue_wait(&waiters->queue, &disk->lock);
    waiters->count--;
}

/*
 * Let each look again, once: one that must wait on joins the end of the queue,
 * where qemu_co_enter_all() would find it for ever. With disk->lock held.
 */
static void wake_each(TdDisk *disk, TdWaiters *waiters)
{
    for (unsigned n = waiters->count; n; n--) {
        qemu_co_enter_next(&waiters->queue, &disk->lock);
    }
}

static bool must_wait(const TdTransfer *t)
{
    return unlikely(qatomic_read(&t->disk->quiesced) ||
                    qatomic_read(&t->disk->vm_stopped)) && !t->cancelled;
}

/* With disk->lock held. */
static int coroutine_fn wait_until_undrained(TdTransfer *t)
{
    TdDisk *disk = t->disk;

    while (must_wait(t)) {
        wait_among(disk, &disk->undrained);
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
    /* In this order: a drain that begins meanwhile waits for us, or we do. */
    enter_flight(t);
    while (must_wait(t)) {
        td_transfer_pause(t);
        qemu_mutex_lock(&t->disk->lock);
        wait_until_undrained(t);
        qemu_mutex_unlock(&t->disk->lock);
        td_co_move_to_aio_context_of(t->disk->blk);
        enter_flight(t);
    }
    return t->cancelled ? -ECANCELED : 0;
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

int coroutine_fn td_transfer_co_wait_for_cont(TdTransfer *t)
{
    TdDisk *disk = t->disk;
    int ret;

    td_transfer_pause(t);
    qemu_mutex_lock(&disk->lock);
    for (unsigned stop = disk->resumed;
         disk->resumed == stop && !t->cancelled;) {
        wait_among(disk, &disk->parked);
    }
    ret = wait_until_undrained(t);
    qemu_mutex_unlock(&disk->lock);
    enter_flight(t);
    return ret;
}

bool coroutine_fn td_transfer_co_retry(TdTransfer *t, bool is_read, int *ret)
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
    *ret = td_transfer_co_wait_for_cont(t);
    return *ret == 0;
}

int coroutine_fn td_transfer_co_stop_vm(TdTransfer *t, RunState state)
{
    qemu_system_vmstop_request_prepare();
    qemu_system_vmstop_request(state);
    return td_transfer_co_wait_for_cont(t);
}

/* Let all that wait look again; with disk->lock held. */
static void wake_waiting(TdDisk *disk)
{
    wake_each(disk, &disk->parked);
    wake_each(disk, &disk->undrained);
    td_disk_wake_held(disk);
}

/*
 * No later than here, before any vCPU runs: a replayed guest must find the
 * completion at the very instruction where it was recorded.
 */
static void disk_run_state(void *opaque, bool running, RunState state)
{
    TdDisk *disk = opaque;

    if (running) {
        QEMU_LOCK_GUARD(&disk->lock);
        qatomic_set(&disk->vm_stopped, false);
        disk->resumed++;
        wake_waiting(disk);
    }
}

/*
 * The commands of a VM that stops are ended by a drain. What comes later, as
 * from an HBA that runs scripts, must leave memory and drive alone.
 */
static void disk_drained_begin(void *opaque)
{
    TdDisk *disk = opaque;

    QEMU_LOCK_GUARD(&disk->lock);
    qatomic_set(&disk->vm_stopped, !runstate_is_running());
    qatomic_set(&disk->quiesced, disk->quiesced + 1);
}

static void disk_drained_end(void *opaque)
{
    TdDisk *disk = opaque;

    QEMU_LOCK_GUARD(&disk->lock);
    qatomic_set(&disk->quiesced, disk->quiesced - 1);
    if (!disk->quiesced) {
        wake_each(disk, &disk->undrained);
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

/* ---- Who asked --------------------------------------------------------- */

void td_transfer_note_origin(TdTransfer *t)
{
    if (likely(!t->disk->origins)) {
        return;
    }
    if (!t->origin) {
        t->origin = g_new0(TdOrigin, 1);
    }
    td_origin_note(t->disk->origins, t->origin);
}

void td_transfer_same_origin(TdTransfer *t, const TdTransfer *same)
{
    if (likely(!same->origin)) {
        return;
    }
    if (!t->origin) {
        t->origin = g_new0(TdOrigin, 1);
    }
    *t->origin = *same->origin;
}

void td_transfer_forget_origin(TdTransfer *t)
{
    if (t->origin) {
        t->origin->told = (struct td_origin) { .kind = TD_ORIGIN_UNSEEN };
    }
}

/* ---- Recording --------------------------------------------------------- */

void td_transfer_begin(TdTransfer *t, struct td_submit *submit)
{
    TdDisk *disk = t->disk;

    submit->elements = t->elements;
    submit->n_elements = t->n_elements;
    submit->origin = t->origin ? td_origin_told(t->origin) : NULL;
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
    if (t->sectors) {
        t->result.sectors = td_sectors_end(t->sectors, &t->result.n_sectors);
    }
    if (unlikely(t->keeper)) {
        td_transfer_end_keeping(t);
    }
    t->result.submit_seq = t->seq;
    t->result.status = status;
    td_recorder_complete(t->disk->recorder, &t->result);
    if (unlikely(t->keeper)) {
        td_transfer_release_keeper(t);
    }
}

void td_transfer_release(TdTransfer *t)
{
    TdDisk *disk = t->disk;

    WITH_QEMU_LOCK_GUARD(&disk->lock) {
        QTAILQ_REMOVE(&disk->active, t, next);
        t->active = false;
        disk->ended++;
        td_disk_wake_held(disk);
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

static bool parse_payload(const TdDiskOptions *options, bool *keeps,
                          Error **errp)
{
    const char *word = options->payload;

    *keeps = word && !strcmp(word, "all");
    if (word && !*keeps && strcmp(word, "none")) {
        error_setg(errp, "payload=%s: use all or none", word);
        return false;
    }
    if (*keeps && options->trace && !strcmp(options->trace, "none")) {
        error_setg(errp, "payload=all keeps the bytes in the trace, and "
                   "trace=none has none: give a path");
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
    qemu_co_queue_init(&disk->parked.queue);
    qemu_co_queue_init(&disk->undrained.queue);
    qemu_co_queue_init(&disk->turn);
    QTAILQ_INIT(&disk->held);
    disk->hash = TD_HASH_XXH3;
    disk->sectors = options->sectors;
    if (options->hash && td_hash_kind_parse(options->hash, &disk->hash) < 0) {
        error_setg(errp, "hash=%s is not a hash: use xxh3, crc32 or none",
                   options->hash);
        return false;
    }
    if (!parse_overflow(options->overflow, &overflow, errp) ||
        !parse_payload(options, &disk->keeps, errp) ||
        !blkconf_blocksizes(conf, errp) ||
        !blkconf_apply_backend_options(conf,
                                       !blk_supports_write_perm(conf->blk),
                                       true, errp)) {
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
    disk->keepers = g_ptr_array_new_with_free_func(
        (GDestroyNotify)td_keeper_free);
    if (options->origin) {
        disk->origins = td_origins_new(disk->recorder);
    }
    blk_set_dev_ops(disk->blk, &disk_block_ops, disk);
    /* We hold requests back ourselves, so none is stuck below a reset. */
    blk_set_disable_request_queuing(disk->blk, true);
    blk_iostatus_enable(disk->blk);
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
    blk_set_dev_ops(disk->blk, NULL, NULL);
    td_origins_free(disk->origins);
    disk->origins = NULL;
    g_ptr_array_unref(disk->keepers);
    td_recorder_free(disk->recorder);
    disk->recorder = NULL;
    disk->blk = NULL;
    qemu_mutex_destroy(&disk->lock);
}
