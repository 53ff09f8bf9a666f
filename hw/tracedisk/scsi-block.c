/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk-scsi: commands that read and write blocks
 *
 * SBC-3 clause 5, section numbers in brackets. Protection information (SBC-3
 * 4.22) is not supported: RDPROTECT, WRPROTECT and VRPROTECT must be zero.
 */
#include "qemu/osdep.h"
#include "compat.h"
#include "scsi.h"

static uint64_t lba_of(const ScsiRequest *c)
{
    return c->decoded.lba;
}

/* The blocks of a media access lie on the medium, the one at its LBA too. */
static bool check_range(ScsiRequest *c)
{
    const TdScsi *s = scsi_disk(c);
    uint64_t lba = c->decoded.lba;

    if (lba >= s->disk.blocks || c->decoded.blocks > s->disk.blocks - lba) {
        return scsi_fail_at(c, SENSE_CODE(LBA_OUT_OF_RANGE),
                            MAX(lba, s->disk.blocks));
    }
    return true;
}

static bool check_protect(ScsiRequest *c)
{
    /* The 6-byte commands have bits of the LBA there. */
    if (c->req.cmd.len > 6 && scsi_cdb(c)[1] & 0xe0) {
        return scsi_fail_field(c, 1, 7);
    }
    return true;
}

bool scsi_prepare_blocks(ScsiRequest *c)
{
    return check_protect(c) && check_range(c);
}

/* READ(6), (10), (12), (16) [5.10-5.13] */
void coroutine_fn scsi_run_read(ScsiRequest *c)
{
    if (c->decoded.flags & TD_FUA) {
        /* What the medium holds, not what a cache does. */
        int ret = td_transfer_co_flush(&c->transfer);

        if (ret < 0) {
            scsi_fail_io(c, ret, true);
            return;
        }
    }
    scsi_co_read(c, lba_of(c), c->decoded.blocks);
}

static BdrvRequestFlags write_flags(const ScsiRequest *c)
{
    return c->decoded.flags & TD_FUA ? BDRV_REQ_FUA : 0;
}

/* WRITE(6), (10), (12), (16) [5.32-5.35] */
void coroutine_fn scsi_run_write(ScsiRequest *c)
{
    scsi_co_write(c, lba_of(c), c->decoded.blocks, write_flags(c));
}

/* SYNCHRONIZE CACHE(10), (16) [5.22]; IMMED is taken as 0, which is allowed. */
void coroutine_fn scsi_run_synchronize(ScsiRequest *c)
{
    int ret = td_transfer_co_flush(&c->transfer);

    if (ret < 0) {
        scsi_fail_io(c, ret, false);
    }
}

/* ---- VERIFY(10), (12), (16) [5.24-5.26] -------------------------------- */

enum { BYTCHK_NONE, BYTCHK_ALL, BYTCHK_RESERVED, BYTCHK_ONE };

static unsigned bytchk(const ScsiRequest *c)
{
    return extract32(scsi_cdb(c)[1], 1, 2);
}

bool scsi_prepare_verify(ScsiRequest *c)
{
    if (bytchk(c) == BYTCHK_RESERVED) {
        return scsi_fail_field(c, 1, 2);
    }
    if (c->req.cmd.xfer > SCSI_MAX_BUFFERED) {
        return scsi_fail_field(c, c->req.cmd.len == 10 ? 7 :
                               c->req.cmd.len == 12 ? 6 : 10, -1);
    }
    return scsi_prepare_blocks(c);
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
    uint64_t offset = lba_of(c) * block;
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
