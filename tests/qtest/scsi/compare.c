/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands that compare or combine what is sent with what the medium holds:
 * VERIFY, SBC-3 5.29-5.31; WRITE AND VERIFY, 5.37-5.39; COMPARE AND WRITE, 5.2;
 * ORWRITE, 5.5; WRITE ATOMIC, SBC-4.
 */
#include "suite.h"

#define LBA 16
#define BLOCKS 3

static const uint8_t verifies[] = { 0x2f, 0xaf, 0x8f };

/* Known content on the medium, and in @data, which is as long. */
static uint32_t put_pattern(TdScsi *hba, uint8_t *data, unsigned seed)
{
    uint32_t bytes = BLOCKS * td_scsi_block_size(hba);

    td_pattern(data, bytes, seed);
    td_scsi_write(hba, LBA, data, bytes);
    return bytes;
}

static void check_verify(TdScsi *hba)
{
    uint8_t data[BLOCKS * 4096];
    uint32_t bytes = put_pattern(hba, data, 1);

    for (unsigned i = 0; i < ARRAY_SIZE(verifies); i++) {
        TdCdb cdb = td_cdb_blocks(verifies[i], LBA, BLOCKS);
        TdScsiOutcome o;

        /* BYTCHK 0: the medium can be read; no data. */
        td_scsi_expect_good(td_scsi_none(hba, cdb), 0);
        cdb.b[1] = 0x02;
        td_scsi_expect_good(td_scsi_out(hba, cdb, data, bytes), 0);
        data[bytes - 2] ^= 0x10;
        o = td_scsi_out(hba, cdb, data, bytes);
        data[bytes - 2] ^= 0x10;
        td_scsi_expect_sense(o, TD_SENSE_MISCOMPARE);
    }
}

/* BYTCHK 3: one block that all are compared with */
static void check_verify_one(TdScsi *hba)
{
    uint32_t size = td_scsi_block_size(hba);
    uint8_t data[BLOCKS * 4096];

    td_pattern(data, size, 2);
    for (int i = 1; i < BLOCKS; i++) {
        memcpy(data + i * size, data, size);
    }
    td_scsi_write(hba, LBA, data, BLOCKS * size);
    for (unsigned i = 0; i < ARRAY_SIZE(verifies); i++) {
        TdCdb cdb = td_cdb_blocks(verifies[i], LBA, BLOCKS);

        cdb.b[1] = 0x06;
        td_scsi_expect_good(td_scsi_out(hba, cdb, data, size), 0);
        /* One more, which is zeros. */
        td_cdb_set_length(&cdb, BLOCKS + 1);
        td_scsi_expect_sense(td_scsi_out(hba, cdb, data, size),
                             TD_SENSE_MISCOMPARE);
    }
}

static void check_verify_reserved(TdScsi *hba)
{
    uint8_t data[BLOCKS * 4096];
    uint32_t bytes = put_pattern(hba, data, 3);

    for (unsigned i = 0; i < ARRAY_SIZE(verifies); i++) {
        TdCdb cdb = td_cdb_blocks(verifies[i], LBA, BLOCKS);

        cdb.b[1] = 0x04;                /* BYTCHK 2 */
        td_scsi_expect_sense(td_scsi_out(hba, cdb, data, bytes),
                             TD_SENSE_INVALID_FIELD);
    }
}

/* ---- COMPARE AND WRITE ------------------------------------------------- */

static TdScsiOutcome compare_and_write(TdScsi *hba, const uint8_t *data,
                                       uint32_t bytes)
{
    TdCdb cdb = td_cdb(0x89);

    td_cdb_set_lba(&cdb, LBA);
    cdb.b[13] = BLOCKS;
    return td_scsi_out(hba, cdb, data, 2 * bytes);
}

static void check_compare_and_write(TdScsi *hba)
{
    uint8_t data[2 * BLOCKS * 4096], found[BLOCKS * 4096];
    uint32_t bytes = put_pattern(hba, data, 4);
    TdScsiOutcome o;

    td_pattern(data + bytes, bytes, 5);
    td_scsi_expect_good(compare_and_write(hba, data, bytes), 0);
    td_scsi_read(hba, LBA, found, bytes);
    td_expect_mem(found, data + bytes, bytes);

    /* Now it holds something else; and INFORMATION says from where on. */
    memcpy(data, found, bytes);
    data[bytes - 5] ^= 1;
    memset(data + bytes, 0xee, bytes);
    o = compare_and_write(hba, data, bytes);
    td_scsi_expect_sense(o, TD_SENSE_MISCOMPARE);
    td_expect(o.sense.has_information);
    td_expect_uint(o.sense.information, ==, bytes - 5);
    td_scsi_read(hba, LBA, data, bytes);
    td_expect_mem(data, found, bytes);
}

/* ---- ORWRITE ----------------------------------------------------------- */

static void check_orwrite(TdScsi *hba)
{
    uint8_t before[BLOCKS * 4096], data[BLOCKS * 4096], found[BLOCKS * 4096];
    uint32_t bytes = put_pattern(hba, before, 6);

    td_pattern(data, bytes, 7);
    td_scsi_expect_good(td_scsi_out(hba, td_cdb_blocks(0x8b, LBA, BLOCKS),
                                    data, bytes), 0);
    for (uint32_t i = 0; i < bytes; i++) {
        data[i] |= before[i];
    }
    td_scsi_read(hba, LBA, found, bytes);
    td_expect_mem(found, data, bytes);
}

/* ---- WRITE ATOMIC ------------------------------------------------------ */

static void check_atomic_limits(TdScsi *hba)
{
    uint8_t limits[ANSWER_BYTES], data[4096] = { 1 };
    TdCdb cdb = td_cdb_blocks(0x9c, LBA, 0);
    uint32_t most, bytes;
    g_autofree uint8_t *large = NULL;

    ask_vpd(hba, 0xb0, limits);
    most = ldl_be_p(limits + 44);       /* MAXIMUM ATOMIC TRANSFER LENGTH */
    td_expect_uint(most, >, 0);
    bytes = (most + 1) * td_scsi_block_size(hba);
    large = g_malloc0(bytes);
    stw_be_p(cdb.b + 12, most);
    td_scsi_expect_good(td_scsi_out(hba, cdb, large,
                                    bytes - td_scsi_block_size(hba)), 0);
    stw_be_p(cdb.b + 12, most + 1);
    td_scsi_expect_sense(td_scsi_out(hba, cdb, large, bytes),
                         TD_SENSE_INVALID_FIELD);
    /* MAXIMUM ATOMIC BOUNDARY SIZE is 0, so the field must be. */
    stw_be_p(cdb.b + 12, 1);
    stw_be_p(cdb.b + 10, 1);
    td_scsi_expect_sense(td_scsi_out(hba, cdb, data, td_scsi_block_size(hba)),
                         TD_SENSE_INVALID_FIELD);
}

static const TdCase cases[] = {
    {
        .name = "verify/all",
        .title = "VERIFY with BYTCHK 1 tells whether the medium holds what "
                 "is sent",
        .clause = "SBC-3 5.29",
        .good = "command:2f command:af command:8f",
        .bad = "command:2f command:af command:8f",
        ON_UNITS(check_verify),
    },
    {
        .name = "verify/one-block",
        .title = "VERIFY with BYTCHK 3 compares each block with the one "
                 "that is sent",
        .clause = "SBC-3 5.29",
        .good = "command:2f command:af command:8f",
        .bad = "command:2f command:af command:8f",
        ON_UNITS(check_verify_one),
    },
    {
        .name = "verify/reserved",
        .title = "VERIFY with BYTCHK 2, which is reserved, is refused",
        .clause = "SBC-3 5.29",
        .bad = "command:2f command:af command:8f",
        ON_UNITS(check_verify_reserved),
    },
    {
        .name = "compare-and-write",
        .title = "COMPARE AND WRITE writes if all is as expected, or nothing "
                 "and tells the offset",
        .clause = "SBC-3 5.2",
        .good = "command:89",
        .bad = "command:89",
        ON_UNITS(check_compare_and_write, "compare-and-write"),
    },
    {
        .name = "orwrite",
        .title = "ORWRITE leaves the bitwise or of old and new",
        .clause = "SBC-3 5.5",
        .good = "command:8b",
        ON_UNITS(check_orwrite, "orwrite-16"),
    },
    {
        .name = "write-atomic/limits",
        .title = "WRITE ATOMIC takes what VPD page B0h allows, and no more",
        .clause = "SBC-4",
        .good = "command:9c",
        .bad = "command:9c",
        ON_UNITS(check_atomic_limits, "write-atomic-16"),
    },
};

const TdTopic topic_compare = TD_TOPIC("compare", cases);
