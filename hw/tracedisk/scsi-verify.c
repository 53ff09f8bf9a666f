/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk-scsi: commands that compare the medium with what the guest sends
 *
 * SBC-3 clause 5, section numbers in brackets.
 */
#include "qemu/osdep.h"
#include "compat.h"
#include "scsi.h"

/* ---- VERIFY(10), (12), (16) [5.29-5.31] -------------------------------- */

enum { BYTCHK_NONE, BYTCHK_ALL, BYTCHK_RESERVED, BYTCHK_ONE };

/* All of the payload is needed at once. */
static bool check_buffered(ScsiRequest *c)
{
    if (c->req.cmd.xfer > SCSI_MAX_BUFFERED) {
        return scsi_fail_field(c, c->req.cmd.len == 10 ? 7 :
                               c->req.cmd.len == 12 ? 6 : 10, -1);
    }
    return true;
}

static unsigned bytchk(const ScsiRequest *c)
{
    return extract32(scsi_cdb(c)[1], 1, 2);
}

bool scsi_prepare_verify(ScsiRequest *c)
{
    if (bytchk(c) == BYTCHK_RESERVED) {
        return scsi_fail_field(c, 1, 2);
    }
    return check_buffered(c) && scsi_prepare_blocks(c);
}

static uint64_t first_difference(const uint8_t *a, const uint8_t *b,
                                 uint64_t bytes)
{
    uint64_t at = 0;

    while (at < bytes && a[at] == b[at]) {
        at++;
    }
    return at;
}

/* Is what the medium holds the same as @data, or as @data again and again? */
static bool coroutine_fn compare_medium(ScsiRequest *c, uint64_t offset,
                                        const uint8_t *data, uint64_t bytes,
                                        uint64_t data_bytes)
{
    TdScsi *s = scsi_disk(c);
    uint64_t step = data_bytes < bytes ? data_bytes : SCSI_PIECE_BYTES;
    uint8_t *medium = blk_blockalign(s->disk.blk, MAX(step, 512));
    bool same = true;

    for (uint64_t done = 0; done < bytes && same; done += step) {
        uint64_t n = MIN(bytes - done, step);
        const uint8_t *expected = data_bytes < bytes ? data : data + done;
        int ret = td_transfer_co_fetch(&c->transfer, offset + done, medium, n);

        if (ret < 0) {
            scsi_fail_io(c, ret, true);
            same = false;
        } else if (memcmp(medium, expected, n)) {
            /* MISCOMPARE DURING VERIFY OPERATION */
            same = scsi_fail_at(c, (SCSISense) { MISCOMPARE, 0x1d, 0x00 },
                                done + first_difference(medium, expected, n));
        }
    }
    qemu_vfree(medium);
    return same;
}

void coroutine_fn scsi_run_verify(ScsiRequest *c)
{
    uint32_t block = scsi_disk(c)->disk.block_size;
    uint64_t offset = c->decoded.lba * block;
    uint64_t bytes = c->decoded.blocks * block;
    const uint8_t *data;
    int ret;

    if (bytchk(c) == BYTCHK_NONE || !bytes) {
        ret = td_transfer_co_verify(&c->transfer, offset, bytes);
        if (ret < 0) {
            scsi_fail_io(c, ret, true);
        }
        return;
    }
    data = scsi_co_receive_all(c);
    if (data) {
        compare_medium(c, offset, data, bytes, c->req.cmd.xfer);
    }
}

/* ---- WRITE AND VERIFY(10), (12), (16) [5.37-5.39] ---------------------- */

/* Write through to the medium, then see what is there. */
void coroutine_fn scsi_run_write_verify(ScsiRequest *c)
{
    TdScsi *s = scsi_disk(c);
    uint64_t offset = c->decoded.lba * s->disk.block_size;
    uint64_t bytes = c->req.cmd.xfer;
    const uint8_t *data;

    if (c->req.cmd.mode == SCSI_XFER_NONE) {
        return;
    }
    data = scsi_co_receive_all(c);
    if (data && scsi_co_store(c, offset, data, bytes, BDRV_REQ_FUA)) {
        compare_medium(c, offset, data, bytes, bytes);
    }
}

/* Wait for others that are atomic; a drain does not wait meanwhile. */
static bool coroutine_fn lock_atomic(ScsiRequest *c)
{
    TdScsi *s = scsi_disk(c);

    td_transfer_pause(&c->transfer);
    qemu_co_mutex_lock(&s->atomic);
    if (td_transfer_co_start(&c->transfer) < 0) {
        qemu_co_mutex_unlock(&s->atomic);
        return false;
    }
    return true;
}

/* ---- COMPARE AND WRITE [5.2] ------------------------------------------- */

bool scsi_prepare_compare_and_write(ScsiRequest *c)
{
    /*
     * No blocks is no error; but with data for them it was meant to be more
     * than the length field holds.
     */
    if (!c->decoded.blocks && c->req.sg && c->transfer.list_bytes) {
        return scsi_fail_field(c, c->req.cmd.buf[0] == COMPARE_AND_WRITE ? 13 :
                               10, -1);
    }
    return check_buffered(c) && scsi_prepare_blocks(c);
}

void coroutine_fn scsi_run_compare_and_write(ScsiRequest *c)
{
    TdScsi *s = scsi_disk(c);
    uint64_t offset = c->decoded.lba * s->disk.block_size;
    uint64_t bytes = c->req.cmd.xfer / 2;
    const uint8_t *data;

    if (!bytes) {
        return;
    }
    data = scsi_co_receive_all(c);
    if (!data) {
        return;
    }
    if (!lock_atomic(c)) {
        return;
    }
    if (compare_medium(c, offset, data, bytes, bytes)) {
        scsi_co_store(c, offset, data + bytes, bytes, scsi_write_flags(c));
    }
    qemu_co_mutex_unlock(&s->atomic);
}

/* ---- ORWRITE(16) [5.5] ------------------------------------------------- */

void coroutine_fn scsi_run_orwrite(ScsiRequest *c)
{
    TdScsi *s = scsi_disk(c);
    uint64_t offset = c->decoded.lba * s->disk.block_size;
    uint64_t bytes = c->req.cmd.xfer;
    uint8_t *medium, *data;
    int ret;

    if (c->req.cmd.mode == SCSI_XFER_NONE) {
        return;
    }
    data = scsi_co_receive_all(c);
    if (!data) {
        return;
    }
    if (!lock_atomic(c)) {
        return;
    }
    medium = blk_blockalign(s->disk.blk, bytes);
    ret = td_transfer_co_fetch(&c->transfer, offset, medium, bytes);
    if (ret < 0) {
        scsi_fail_io(c, ret, true);
    } else {
        for (uint64_t i = 0; i < bytes; i++) {
            medium[i] |= data[i];
        }
        scsi_co_store(c, offset, medium, bytes, scsi_write_flags(c));
    }
    qemu_co_mutex_unlock(&s->atomic);
    qemu_vfree(medium);
}
