/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk-scsi: WRITE SAME, UNMAP, GET LBA STATUS
 *
 * SBC-3 clause 5, section numbers in brackets. What is unmapped reads as zeros
 * (LBPRZ), so it is written as zeros that the host may deallocate.
 */
#include "qemu/osdep.h"
#include "compat.h"
#include "scsi.h"

static bool is_thin(const ScsiRequest *c)
{
    return scsi_disk(c)->parent_obj.conf.discard_granularity;
}

static bool coroutine_fn zero(ScsiRequest *c, uint64_t lba, uint64_t blocks,
                              BdrvRequestFlags flags)
{
    TdScsi *s = scsi_disk(c);
    int ret = blocks ? td_transfer_co_zero(&c->transfer,
                                           lba * s->disk.block_size,
                                           blocks * s->disk.block_size,
                                           flags) : 0;

    if (ret < 0) {
        scsi_fail_io(c, ret, false);
    }
    return ret >= 0;
}

/* ---- WRITE SAME(10), (16) [5.43, 5.44] --------------------------------- */

enum { NDOB = 1 << 0, UNMAP_BIT = 1 << 3, ANCHOR = 1 << 4 };

bool scsi_prepare_write_same(ScsiRequest *c)
{
    uint8_t bits = scsi_cdb(c)[1];

    if (bits & ANCHOR) {
        return scsi_fail_field(c, 1, 4);
    }
    if (bits & UNMAP_BIT && !is_thin(c)) {
        return scsi_fail_field(c, 1, 3);
    }
    if (bits & NDOB && scsi_cdb(c)[0] == WRITE_SAME_10) {
        return scsi_fail_field(c, 1, 0);
    }
    /* WSNZ, and MAXIMUM WRITE SAME LENGTH */
    if (!c->decoded.blocks ||
        c->decoded.blocks > SCSI_MAX_SAME_BLOCKS) {
        return scsi_fail_field(c, c->req.cmd.len == 10 ? 7 : 10, -1);
    }
    return scsi_prepare_blocks(c);
}

/* Write @block to every one of the blocks. */
static void coroutine_fn write_pattern(ScsiRequest *c, const uint8_t *block)
{
    TdScsi *s = scsi_disk(c);
    uint32_t size = s->disk.block_size;
    uint64_t offset = c->decoded.lba * size;
    uint64_t left = c->decoded.blocks * size;
    uint64_t many = MIN(left, SCSI_PIECE_BYTES);
    uint8_t *buf = blk_blockalign(s->disk.blk, many);

    for (uint64_t at = 0; at < many; at += size) {
        memcpy(buf + at, block, size);
    }
    while (left && scsi_co_store(c, offset, buf, MIN(left, many), 0)) {
        offset += many;
        left -= MIN(left, many);
    }
    qemu_vfree(buf);
}

void coroutine_fn scsi_run_write_same(ScsiRequest *c)
{
    uint32_t size = scsi_disk(c)->disk.block_size;
    uint8_t bits = scsi_cdb(c)[1];
    BdrvRequestFlags flags = bits & UNMAP_BIT ? BDRV_REQ_MAY_UNMAP : 0;
    const uint8_t *block = NULL;

    if (!(bits & NDOB)) {
        block = scsi_co_receive_all(c);
        if (!block) {
            return;
        }
    }
    if (!block || buffer_is_zero(block, size)) {
        zero(c, c->decoded.lba, c->decoded.blocks, flags);
    } else {
        write_pattern(c, block);
    }
}

/* ---- UNMAP [5.28] ------------------------------------------------------ */

#define UNMAP_HEADER 8
#define UNMAP_DESCRIPTOR 16

bool scsi_prepare_unmap(ScsiRequest *c)
{
    if (!is_thin(c)) {
        return scsi_fail(c, SENSE_CODE(INVALID_OPCODE));
    }
    if (scsi_cdb(c)[1] & 1) {
        return scsi_fail_field(c, 1, 0);        /* ANCHOR */
    }
    return true;
}

static bool check_descriptors(ScsiRequest *c, const uint8_t *list,
                              unsigned bytes)
{
    const TdScsi *s = scsi_disk(c);
    uint64_t total = 0;

    if (bytes > 255 * UNMAP_DESCRIPTOR) {
        return scsi_fail_parameter(c, 2, -1);
    }
    for (unsigned at = 0; at < bytes; at += UNMAP_DESCRIPTOR) {
        uint64_t lba = ldq_be_p(list + at);
        uint32_t blocks = ldl_be_p(list + at + 8);

        if (lba > s->disk.blocks || blocks > s->disk.blocks - lba) {
            return scsi_fail_at(c, SENSE_CODE(LBA_OUT_OF_RANGE), lba);
        }
        total += blocks;
        if (total > SCSI_MAX_UNMAP_BLOCKS) {
            return scsi_fail_parameter(c, UNMAP_HEADER + at + 8, -1);
        }
    }
    return true;
}

void coroutine_fn scsi_run_unmap(ScsiRequest *c)
{
    unsigned bytes = c->req.cmd.xfer;
    const uint8_t *list;

    if (c->req.cmd.mode == SCSI_XFER_NONE) {
        return;
    }
    if (bytes < UNMAP_HEADER) {
        scsi_fail(c, SENSE_CODE(INVALID_PARAM_LEN));
        return;
    }
    list = scsi_co_receive_all(c);
    if (!list) {
        return;
    }
    bytes = MIN(lduw_be_p(list + 2), bytes - UNMAP_HEADER);
    bytes = QEMU_ALIGN_DOWN(bytes, UNMAP_DESCRIPTOR);
    list += UNMAP_HEADER;
    if (!check_descriptors(c, list, bytes)) {
        return;
    }
    for (unsigned at = 0; at < bytes; at += UNMAP_DESCRIPTOR) {
        uint64_t lba = ldq_be_p(list + at);
        uint32_t blocks = ldl_be_p(list + at + 8);

        td_transfer_note_trim(&c->transfer, lba, blocks, true);
        if (!zero(c, lba, blocks, BDRV_REQ_MAY_UNMAP)) {
            return;
        }
    }
}

/* ---- GET LBA STATUS [5.4] ---------------------------------------------- */

enum { MAPPED = 0, DEALLOCATED = 1 };

/* Extents of the host's that are looked at for one descriptor */
#define MAX_EXTENTS 64

bool scsi_prepare_get_lba_status(ScsiRequest *c)
{
    const TdScsi *s = scsi_disk(c);
    uint64_t lba = ldq_be_p(scsi_cdb(c) + 2);

    if (lba >= s->disk.blocks) {
        return scsi_fail_at(c, SENSE_CODE(LBA_OUT_OF_RANGE), lba);
    }
    stl_be_p(scsi_reply(c, 24), 20);
    return true;
}

/*
 * Whether the host stores what lies at @offset, and how far that goes. It may
 * allocate and deallocate by itself: this is how it stands now.
 */
static uint8_t coroutine_fn host_status(ScsiRequest *c, uint64_t offset,
                                        uint64_t left, uint64_t *bytes)
{
    int64_t n = 0;
    int ret = is_thin(c) ?
              td_blk_co_block_status(scsi_disk(c)->disk.blk, offset, left, &n) :
              -ENOTSUP;

    if (ret < 0 || n <= 0) {
        *bytes = left;
        return MAPPED;
    }
    *bytes = n;
    return ret & BDRV_BLOCK_ZERO && !(ret & BDRV_BLOCK_DATA) ? DEALLOCATED :
           MAPPED;
}

/* One descriptor: the next one is told to who asks for the LBA behind. */
void coroutine_fn scsi_run_get_lba_status(ScsiRequest *c)
{
    TdScsi *s = scsi_disk(c);
    uint32_t size = s->disk.block_size;
    uint64_t lba = ldq_be_p(scsi_cdb(c) + 2);
    uint64_t left = (s->disk.blocks - lba) * size;
    uint64_t all = 0, n;
    uint8_t status = host_status(c, lba * size, left, &n);

    for (int i = 1; ; i++) {
        all += n;
        if (all == left || i == MAX_EXTENTS ||
            host_status(c, lba * size + all, left - all, &n) != status) {
            break;
        }
    }
    if (all < size) {
        /* A part of a block is stored: the block is. */
        status = MAPPED;
        all = size;
    }
    stq_be_p(c->buf + 8, lba);
    stl_be_p(c->buf + 16, MIN(all / size, UINT32_MAX));
    c->buf[20] = status;
    scsi_co_send(c, c->buf, c->reply);
}
