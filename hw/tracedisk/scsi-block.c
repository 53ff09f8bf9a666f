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

/* READ(6), (10), (12), (16) [SBC-2 5.5, 5.11-5.13] */
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
    scsi_co_read(c, c->decoded.lba, c->decoded.blocks);
}

BdrvRequestFlags scsi_write_flags(const ScsiRequest *c)
{
    return c->decoded.flags & TD_FUA ? BDRV_REQ_FUA : 0;
}

/* WRITE(6), (10), (12), (16) [SBC-2 5.24, 5.33-5.35] */
void coroutine_fn scsi_run_write(ScsiRequest *c)
{
    scsi_co_write(c, c->decoded.lba, c->decoded.blocks, scsi_write_flags(c));
}

/*
 * WRITE ATOMIC(16), SBC-4 5.40: all or nothing. It goes to the block layer as
 * one request; VPD page B0h says how long it may be.
 */
bool scsi_prepare_write_atomic(ScsiRequest *c)
{
    if (lduw_be_p(scsi_cdb(c) + 10)) {
        return scsi_fail_field(c, 10, -1);      /* ATOMIC BOUNDARY */
    }
    if (c->req.cmd.xfer > SCSI_MAX_ATOMIC) {
        return scsi_fail_field(c, 12, -1);
    }
    return scsi_prepare_blocks(c);
}

/* PRE-FETCH(10), (16) [5.8, 5.9]: GOOD says that there is no cache for it. */

/* SYNCHRONIZE CACHE(10), (16) [5.26, 5.27]; IMMED may be taken as 0. */
void coroutine_fn scsi_run_synchronize(ScsiRequest *c)
{
    int ret = td_transfer_co_flush(&c->transfer);

    if (ret < 0) {
        scsi_fail_io(c, ret, false);
    }
}
