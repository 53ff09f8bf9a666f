/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Blocks that are unmapped, and many that are written alike: UNMAP, SBC-3 5.28;
 * WRITE SAME, 5.43, 5.44; GET LBA STATUS, 5.4.
 */
#include "suite.h"

#define LBA 16
#define BLOCKS 8
#define HEADER 8
#define DESCRIPTOR 16

/* Blocks LBA to LBA + BLOCKS - 1 and one at each side are not zero. */
static void fill_medium(TdScsi *hba, uint8_t byte)
{
    uint8_t data[(BLOCKS + 2) * 4096];

    memset(data, byte, sizeof(data));
    td_scsi_write(hba, LBA - 1, data,
                  (BLOCKS + 2) * td_scsi_block_size(hba));
}

static void put_descriptor(uint8_t *list, unsigned n, uint64_t lba,
                           uint32_t blocks)
{
    stw_be_p(list, HEADER - 2 + (n + 1) * DESCRIPTOR);
    stw_be_p(list + 2, (n + 1) * DESCRIPTOR);
    stq_be_p(list + HEADER + n * DESCRIPTOR, lba);
    stl_be_p(list + HEADER + n * DESCRIPTOR + 8, blocks);
}

static TdScsiOutcome unmap(TdScsi *hba, const uint8_t *list, uint32_t bytes)
{
    TdCdb cdb = td_cdb(0x42);

    td_cdb_set_length(&cdb, bytes);
    return td_scsi_out(hba, cdb, list, bytes);
}

/* Does what is unmapped read as zeros? LBPRZ says so. */
static bool reads_zeros(TdScsi *hba)
{
    uint8_t p[ANSWER_BYTES];

    ask(hba, td_cdb_action(0x9e, 0x10), p);
    return p[14] & 0x40;
}

static void expect_unmapped(TdScsi *hba, uint64_t lba, unsigned blocks)
{
    if (reads_zeros(hba)) {
        expect_medium(hba, lba, blocks, 0);
    }
}

static void check_unmap(TdScsi *hba)
{
    uint8_t list[HEADER + 3 * DESCRIPTOR] = { 0 };

    fill_medium(hba, 0x77);
    put_descriptor(list, 0, LBA, BLOCKS / 2);
    put_descriptor(list, 1, LBA, 0);
    put_descriptor(list, 2, LBA + BLOCKS / 2, BLOCKS / 2);
    td_scsi_expect_good(unmap(hba, list, sizeof(list)), 0);
    expect_unmapped(hba, LBA, BLOCKS);
    expect_medium(hba, LBA - 1, 1, 0x77);
    expect_medium(hba, LBA + BLOCKS, 1, 0x77);
}

/* By the length of the descriptors the last one is not whole. */
static void check_unmap_truncated(TdScsi *hba)
{
    uint8_t list[HEADER + 2 * DESCRIPTOR] = { 0 };

    fill_medium(hba, 0x77);
    put_descriptor(list, 0, LBA, 1);
    put_descriptor(list, 1, LBA + 1, 1);
    stw_be_p(list + 2, 2 * DESCRIPTOR - 1);
    td_scsi_expect_good(unmap(hba, list, sizeof(list)), 0);
    expect_unmapped(hba, LBA, 1);
    expect_medium(hba, LBA + 1, 1, 0x77);
}

static void check_unmap_bad(TdScsi *hba)
{
    uint8_t list[HEADER + 2 * DESCRIPTOR] = { 0 };
    uint64_t end = td_scsi_blocks(hba);

    fill_medium(hba, 0x77);
    put_descriptor(list, 0, LBA, 1);
    put_descriptor(list, 1, end, 1);
    td_scsi_expect_sense(unmap(hba, list, sizeof(list)),
                         TD_SENSE_LBA_OUT_OF_RANGE);
    put_descriptor(list, 1, end - 1, 2);
    td_scsi_expect_sense(unmap(hba, list, sizeof(list)),
                         TD_SENSE_LBA_OUT_OF_RANGE);
    put_descriptor(list, 1, UINT64_MAX, 2);
    td_scsi_expect_sense(unmap(hba, list, sizeof(list)),
                         TD_SENSE_LBA_OUT_OF_RANGE);
    td_scsi_expect_sense(unmap(hba, list, HEADER - 1),
                         TD_SENSE_PARAMETER_LENGTH);
    if (td_system() != TD_PEER) {
        /* Not even what the first one names: no clause wants it. */
        expect_medium(hba, LBA, BLOCKS, 0x77);
    }
}

static void check_unmap_too_many(TdScsi *hba)
{
    uint8_t limits[ANSWER_BYTES];
    uint32_t most, bytes;
    g_autofree uint8_t *list = NULL;

    ask_vpd(hba, 0xb0, limits);
    most = ldl_be_p(limits + 24);       /* … BLOCK DESCRIPTOR COUNT */
    if (most == UINT32_MAX) {
        return;
    }
    bytes = HEADER + (most + 1) * DESCRIPTOR;
    td_expect_uint(bytes, <=, UINT16_MAX);
    list = g_malloc0(bytes);
    for (unsigned i = 0; i <= most; i++) {
        put_descriptor(list, i, LBA, 1);
    }
    td_scsi_expect_sense(unmap(hba, list, bytes),
                         TD_SENSE_INVALID_PARAMETER);
}

/* The same blocks over and over: in all they are too many. */
static void check_unmap_too_many_blocks(TdScsi *hba)
{
    uint8_t limits[ANSWER_BYTES], list[HEADER + 255 * DESCRIPTOR] = { 0 };
    uint64_t most, blocks = td_scsi_blocks(hba);
    unsigned n;

    ask_vpd(hba, 0xb0, limits);
    most = (uint32_t)ldl_be_p(limits + 20); /* MAXIMUM UNMAP LBA COUNT */
    n = MIN(most / blocks + 1, 255);
    if (n * blocks <= most) {
        return;                         /* this disk is too small for it */
    }
    for (unsigned i = 0; i < n; i++) {
        put_descriptor(list, i, 0, blocks);
    }
    td_scsi_expect_sense(unmap(hba, list, HEADER + n * DESCRIPTOR),
                         TD_SENSE_INVALID_PARAMETER);
    put_descriptor(list, n - 2, 0, blocks);
    td_scsi_expect_good(unmap(hba, list, HEADER + (n - 1) * DESCRIPTOR), 0);
}

/* ---- WRITE SAME -------------------------------------------------------- */

static TdScsiOutcome write_same(TdScsi *hba, uint8_t opcode, uint8_t bits,
                                uint32_t blocks, const uint8_t *block)
{
    TdCdb cdb = td_cdb_blocks(opcode, LBA, blocks);

    cdb.b[1] = bits;
    return td_scsi_out(hba, cdb, block, block ? td_scsi_block_size(hba) : 0);
}

static void check_write_same(TdScsi *hba)
{
    static const uint8_t opcodes[] = { 0x41, 0x93 };
    uint8_t block[4096], zeros[4096] = { 0 };

    for (unsigned i = 0; i < ARRAY_SIZE(opcodes); i++) {
        fill_medium(hba, 0x77);
        memset(block, 0x31 + i, sizeof(block));
        td_scsi_expect_good(write_same(hba, opcodes[i], 0, BLOCKS, block), 0);
        expect_medium(hba, LBA, BLOCKS, 0x31 + i);
        td_scsi_expect_good(write_same(hba, opcodes[i], 0, BLOCKS, zeros), 0);
        expect_medium(hba, LBA, BLOCKS, 0);
        expect_medium(hba, LBA - 1, 1, 0x77);
        expect_medium(hba, LBA + BLOCKS, 1, 0x77);
    }
}

static void check_write_same_unmap(TdScsi *hba)
{
    uint8_t zeros[4096] = { 0 };

    fill_medium(hba, 0x77);
    td_scsi_expect_good(write_same(hba, 0x93, 0x08, BLOCKS, zeros), 0);
    expect_medium(hba, LBA, BLOCKS, 0);
    expect_medium(hba, LBA + BLOCKS, 1, 0x77);
    fill_medium(hba, 0x78);
    td_scsi_expect_good(write_same(hba, 0x41, 0x08, BLOCKS, zeros), 0);
    expect_medium(hba, LBA, BLOCKS, 0);
    expect_medium(hba, LBA + BLOCKS, 1, 0x78);
}

/* NDOB, which only the long one has: zeros, without sending any */
static void check_write_same_ndob(TdScsi *hba)
{
    fill_medium(hba, 0x77);
    td_scsi_expect_good(write_same(hba, 0x93, 0x01, BLOCKS, NULL), 0);
    expect_medium(hba, LBA, BLOCKS, 0);
    expect_medium(hba, LBA + BLOCKS, 1, 0x77);
}

static void check_write_same_too_many(TdScsi *hba)
{
    uint8_t limits[ANSWER_BYTES], block[4096] = { 0 };
    uint64_t most;

    ask_vpd(hba, 0xb0, limits);
    most = ldq_be_p(limits + 36);       /* MAXIMUM WRITE SAME LENGTH */
    if (most && most < UINT32_MAX) {
        TdScsiOutcome o = write_same(hba, 0x93, 0, most + 1, block);

        /* They are beyond the end as well, which may be seen first. */
        if (o.sense.code != TD_SENSE_LBA_OUT_OF_RANGE) {
            td_scsi_expect_sense(o, TD_SENSE_INVALID_FIELD);
        }
    }
}

/* ---- GET LBA STATUS ---------------------------------------------------- */

static unsigned lba_status(TdScsi *hba, uint64_t lba, uint32_t *blocks)
{
    uint8_t p[ANSWER_BYTES];
    TdCdb cdb = td_cdb_action(0x9e, 0x12);
    unsigned bytes;

    td_cdb_set_lba(&cdb, lba);
    bytes = ask(hba, cdb, p);
    td_expect_uint(bytes, >=, 24);
    td_expect_uint(ldl_be_p(p) + 4, ==, bytes);
    td_expect_uint(ldq_be_p(p + 8), ==, lba);
    *blocks = ldl_be_p(p + 16);
    td_expect_uint(*blocks, >, 0);
    td_expect_uint(lba + *blocks, <=, td_scsi_blocks(hba));
    return p[20] & 0xf;
}

/* A disk of zeros has nothing mapped until something is written. */
static void check_lba_status(TdScsi *hba)
{
    uint32_t blocks, block = td_scsi_block_size(hba);
    uint64_t at = 1 * MiB / block;
    uint8_t data[65536];
    uint32_t n = sizeof(data) / block;

    td_expect_uint(lba_status(hba, 0, &blocks), ==, 1);
    td_expect_uint(blocks, ==, td_scsi_blocks(hba));
    memset(data, 0x55, sizeof(data));
    td_scsi_write(hba, at, data, sizeof(data));
    td_expect_uint(lba_status(hba, 0, &blocks), ==, 1);
    td_expect_uint(blocks, ==, at);
    td_expect_uint(lba_status(hba, at, &blocks), ==, 0);
    td_expect_uint(blocks, ==, n);
    td_expect_uint(lba_status(hba, at + n - 1, &blocks), ==, 0);
    td_expect_uint(blocks, ==, 1);
    td_expect_uint(lba_status(hba, at + n, &blocks), ==, 1);
    td_expect_uint(blocks, ==, td_scsi_blocks(hba) - at - n);
}

static const TdCase cases[] = {
    {
        .name = "unmap/good",
        .title = "UNMAP unmaps the blocks of its descriptors, and no other",
        .clause = "SBC-3 5.28",
        .good = "command:42",
        ON_UNITS(check_unmap, "unmap"),
    },
    {
        .name = "unmap/truncated",
        .title = "A descriptor that is not whole does not count",
        .clause = "SBC-3 5.28.2",
        .good = "command:42",
        ON_UNITS(check_unmap_truncated, "unmap"),
    },
    {
        .name = "unmap/bad-descriptor",
        .title = "UNMAP with a descriptor beyond the end is refused",
        .clause = "SBC-3 5.28.2",
        .bad = "command:42",
        ON_UNITS(check_unmap_bad, "unmap"),
    },
    {
        .name = "unmap/too-many",
        .title = "UNMAP with more descriptors than VPD page B0h allows is "
                 "refused",
        .clause = "SBC-3 5.28.2, 6.6.4",
        .bad = "command:42",
        ON_UNITS(check_unmap_too_many, "unmap"),
    },
    {
        .name = "unmap/too-many-blocks",
        .title = "UNMAP of more blocks in all than VPD page B0h allows is "
                 "refused",
        .clause = "SBC-3 5.28.2, 6.6.4",
        .bad = "command:42",
        ON_UNITS(check_unmap_too_many_blocks, "unmap"),
    },
    {
        .name = "write-same/block",
        .title = "WRITE SAME writes its block to each, and to no other",
        .clause = "SBC-3 5.43",
        .good = "command:41 command:93",
        ON_UNITS(check_write_same, "write-same-16"),
    },
    {
        .name = "write-same/unmap",
        .title = "Zeros that WRITE SAME unmaps read as zeros",
        .clause = "SBC-3 4.7.3.4.4",
        .good = "command:41 command:93",
        ON_UNITS(check_write_same_unmap, "write-same-16"),
    },
    {
        .name = "write-same/ndob",
        .title = "WRITE SAME(16) with NDOB writes zeros and takes no data",
        .clause = "SBC-3 5.44",
        .good = "command:93",
        ON_UNITS(check_write_same_ndob, "write-same-16"),
    },
    {
        .name = "write-same/too-many",
        .title = "WRITE SAME of more blocks than VPD page B0h allows is "
                 "refused",
        .clause = "SBC-3 5.43, 6.6.4",
        .bad = "command:93",
        ON_UNITS(check_write_same_too_many, "write-same-16"),
    },
    {
        .name = "lba-status",
        .title = "GET LBA STATUS tells mapped from deallocated blocks, and "
                 "how many are alike",
        .clause = "SBC-3 5.4.2",
        .good = "command:9e/12",
        ON_UNITS(check_lba_status, "get-lba-status"),
    },
};

const TdTopic topic_provisioning = TD_TOPIC("provisioning", cases);
