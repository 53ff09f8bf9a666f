/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk-scsi: the data phase of a request
 *
 * With a scatter-gather list data moves between the drive and guest memory;
 * without, the HBA takes or fills a buffer of ours, a piece at a time.
 */
#include "qemu/osdep.h"
#include "compat.h"
#include "scsi.h"

static void give_turn_to_hba(void *opaque)
{
    ScsiRequest *c = opaque;

    if (c->hba_has_turn) {
        c->first_turn_over = true;
        td_transfer_pause(&c->transfer);
        scsi_req_data(&c->req, c->piece);
    }
    scsi_req_unref(&c->req);
}

/*
 * Have the HBA take the piece in buf, or fill it. It calls back when it has,
 * which may be long after; a drain waits until it was told, since it may move
 * the data at once, and no longer.
 */
static bool coroutine_fn hba_turn(ScsiRequest *c, uint32_t bytes)
{
    TdScsi *s = scsi_disk(c);

    if (c->turn_over) {
        return true;            /* before a migration */
    }
    c->piece = bytes;
    c->hba_has_turn = true;
    if (!qatomic_read(&c->transfer.starting) || c->first_turn_over) {
        scsi_req_ref(&c->req);
        aio_bh_schedule_oneshot(qemu_get_current_aio_context(),
                                give_turn_to_hba, c);
    }
    qemu_coroutine_yield();
    td_transfer_pause(&c->transfer);
    c->turn_over = true;
    if (td_transfer_co_start(&c->transfer) < 0) {
        return false;
    }
    if (s->observer) {
        td_observer_match(s->observer, c->observed_since, c->transfer.dir,
                          c->buf, bytes, &c->transfer);
    }
    return true;
}

static void piece_over(ScsiRequest *c, uint32_t bytes)
{
    c->over += bytes;
    c->turn_over = false;
}

/* Zeroed, as far as used: an HBA may leave parts of it as they are. */
static void need_piece_buffer(ScsiRequest *c, uint32_t bytes)
{
    if (!c->buf) {
        c->buf = blk_blockalign(scsi_disk(c)->disk.blk, SCSI_PIECE_BYTES);
        if (c->req.cmd.mode == SCSI_XFER_TO_DEV) {
            memset(c->buf, 0, bytes);
        }
    }
}

bool coroutine_fn scsi_co_send(ScsiRequest *c, const void *buf, uint32_t bytes)
{
    if (c->req.cmd.mode != SCSI_XFER_FROM_DEV || !bytes) {
        return true;
    }
    if (c->req.sg) {
        td_transfer_to_guest(&c->transfer, buf, bytes);
        return true;
    }
    assert(buf == c->buf);
    bytes = td_transfer_limit(&c->transfer, bytes, 1);
    td_transfer_flip(&c->transfer, c->buf, 0, bytes);
    td_transfer_add_piece(&c->transfer, buf, bytes);
    return hba_turn(c, bytes);
}

bool coroutine_fn scsi_co_receive(ScsiRequest *c, void *buf, uint32_t bytes)
{
    if (c->req.sg) {
        if (td_transfer_from_guest(&c->transfer, buf, bytes) < bytes) {
            scsi_fail(c, SENSE_CODE(INVALID_PARAM_LEN));
            return false;
        }
        return true;
    }
    assert(buf == c->buf);
    if (!hba_turn(c, bytes)) {
        return false;
    }
    td_transfer_add_piece(&c->transfer, buf, bytes);
    td_transfer_flip(&c->transfer, buf, 0, bytes);
    return true;
}

uint8_t *coroutine_fn scsi_co_receive_all(ScsiRequest *c)
{
    uint32_t bytes = c->req.cmd.xfer;

    if (!c->buf) {
        c->buf = blk_try_blockalign(scsi_disk(c)->disk.blk, MAX(bytes, 512));
    }
    if (!c->buf) {
        scsi_fail(c, SENSE_CODE(TARGET_FAILURE));
        return NULL;
    }
    if (!c->req.sg && !c->turn_over) {
        memset(c->buf, 0, bytes);
    }
    return bytes == 0 || scsi_co_receive(c, c->buf, bytes) ? c->buf : NULL;
}

bool coroutine_fn scsi_co_read(ScsiRequest *c, uint64_t lba, uint64_t blocks)
{
    TdScsi *s = scsi_disk(c);
    TdTransfer *t = &c->transfer;
    int64_t offset = lba * s->disk.block_size;
    uint64_t bytes = blocks * s->disk.block_size;
    int ret = 0;

    t->media_offset = offset;
    if (c->req.sg) {
        ret = td_transfer_co_read(t, offset, bytes);
    } else {
        bytes = td_transfer_limit(t, bytes, 1);
    }
    while (!c->req.sg && c->over < bytes) {
        uint32_t n = MIN(bytes - c->over, SCSI_PIECE_BYTES);

        need_piece_buffer(c, n);
        ret = td_transfer_co_read_piece(t, offset + c->over, c->buf, n);
        if (ret < 0 || !hba_turn(c, n)) {
            break;
        }
        piece_over(c, n);
    }
    if (ret < 0) {
        scsi_fail_io(c, ret, true);
    }
    return ret >= 0 && !t->cancelled;
}

bool coroutine_fn scsi_co_write(ScsiRequest *c, uint64_t lba, uint64_t blocks,
                                BdrvRequestFlags flags)
{
    TdScsi *s = scsi_disk(c);
    TdTransfer *t = &c->transfer;
    int64_t offset = lba * s->disk.block_size;
    uint64_t bytes = blocks * s->disk.block_size;
    int ret = 0;

    t->media_offset = offset;
    if (c->req.sg) {
        /* Only whole blocks can be written. */
        bytes = MIN(bytes, QEMU_ALIGN_DOWN(t->list_bytes, s->disk.block_size));
        ret = td_transfer_co_write(t, offset, bytes, flags);
    } else {
        bytes = td_transfer_limit(t, bytes, s->disk.block_size);
    }
    while (!c->req.sg && c->over < bytes) {
        uint32_t n = MIN(bytes - c->over, SCSI_PIECE_BYTES);

        need_piece_buffer(c, n);
        if (!hba_turn(c, n)) {
            break;
        }
        ret = td_transfer_co_write_piece(t, offset + c->over, c->buf, n,
                                         flags);
        if (ret < 0) {
            break;
        }
        piece_over(c, n);
    }
    if (ret < 0) {
        scsi_fail_io(c, ret, false);
    }
    return ret >= 0 && !t->cancelled;
}

bool coroutine_fn scsi_co_store(ScsiRequest *c, int64_t offset,
                                const uint8_t *data, uint64_t bytes,
                                BdrvRequestFlags flags)
{
    int ret = td_transfer_co_store(&c->transfer, offset, data, bytes, flags);

    if (ret < 0) {
        scsi_fail_io(c, ret, false);
    }
    return ret >= 0;
}
