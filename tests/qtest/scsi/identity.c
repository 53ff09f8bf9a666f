/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the disk says that it is: INQUIRY, SPC-4 6.6, 7.8; SBC-3 6.6; READ
 * CAPACITY, SBC-3 5.15, 5.16.
 */
#include "suite.h"
#include "qemu/host-utils.h"

static void check_standard(TdScsi *hba)
{
    uint8_t p[ANSWER_BYTES];
    unsigned bytes = ask(hba, td_cdb(0x12), p);

    td_expect_uint(bytes, >=, 36);
    td_expect_hex(p[0], ==, 0x00);      /* connected, a block device */
    td_expect_clear(p[1], 0x80);        /* RMB */
    td_expect_uint(p[2], >=, 5);        /* SPC-3 or newer */
    td_expect_uint(p[3] & 0x0f, ==, 2); /* response data format */
    td_expect_set(p[3], 0x10);          /* HISUP */
    td_expect_clear(p[3], 0x20);        /* NORMACA */
    expect_sent(p[4] + 5, bytes);
    td_expect_set(p[7], 0x02);          /* CMDQUE */
    for (int i = 8; i < 36; i++) {
        td_expect_uint(p[i], >=, 0x20);
        td_expect_uint(p[i], <=, 0x7e);
    }
}

static void check_supported_pages(TdScsi *hba)
{
    uint8_t p[ANSWER_BYTES], page[ANSWER_BYTES];
    unsigned bytes = ask_vpd(hba, 0x00, p);
    bool has_device_identification = false;

    td_expect_hex(p[0], ==, 0x00);
    td_expect_hex(p[1], ==, 0x00);
    td_expect_hex(p[4], ==, 0x00);
    for (unsigned i = 4; i < bytes; i++) {
        if (i > 4) {
            td_expect_hex(p[i], >, p[i - 1]);
        }
        has_device_identification |= p[i] == 0x83;
        td_expect_uint(ask_vpd(hba, p[i], page), >=, 4);
        td_expect_hex(page[0], ==, 0x00);
        td_expect_hex(page[1], ==, p[i]);
    }
    td_expect(has_device_identification);
}

static void check_unsupported_pages(TdScsi *hba)
{
    uint8_t p[ANSWER_BYTES], answer[255];
    unsigned bytes = ask_vpd(hba, 0x00, p);
    TdCdb cdb = td_cdb_action(0x12, 0x01);

    cdb.b[4] = sizeof(answer);
    for (unsigned page = 0; page < 0x100; page++) {
        cdb.b[2] = page;
        if (!memchr(p + 4, page, bytes - 4)) {
            td_scsi_expect_sense(td_scsi_in(hba, cdb, answer, sizeof(answer)),
                                 TD_SENSE_INVALID_FIELD);
        }
    }
}

static void check_page_lengths(TdScsi *hba)
{
    static const struct { uint8_t page; uint16_t length; } fixed[] = {
        { 0xb0, 0x3c }, { 0xb1, 0x3c },
    };
    uint8_t p[ANSWER_BYTES], supported[ANSWER_BYTES];
    unsigned n = ask_vpd(hba, 0x00, supported) - 4;

    for (unsigned i = 0; i < n; i++) {
        td_expect_uint(ask_vpd(hba, supported[4 + i], p), >, 4);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(fixed); i++) {
        if (memchr(supported + 4, fixed[i].page, n)) {
            ask_vpd(hba, fixed[i].page, p);
            td_expect_hex(lduw_be_p(p + 2), ==, fixed[i].length);
        }
    }
}

/* Of the logical unit: one that the world does not have twice. */
static void check_designators(TdScsi *hba)
{
    uint8_t p[ANSWER_BYTES];
    unsigned bytes = ask_vpd(hba, 0x83, p), at, good = 0;

    for (at = 4; at + 4 <= bytes; at += 4 + p[at + 3]) {
        uint8_t code_set = p[at] & 0xf, type = p[at + 1] & 0xf;
        bool of_unit = (p[at + 1] & 0x30) == 0;

        td_expect_uint(p[at + 3], >, 0);
        td_expect_uint(at + 4 + p[at + 3], <=, bytes);
        td_expect_uint(code_set, >=, 1);
        td_expect_uint(code_set, <=, 3);
        /* T10 vendor identification, EUI-64, NAA, SCSI name string */
        good += of_unit && ((type >= 1 && type <= 3) || type == 8);
    }
    td_expect_uint(at, ==, bytes);
    td_expect_uint(good, >, 0);
}

/* What the pages promise and what the commands do is the same. */
static void check_provisioning_pages(TdScsi *hba)
{
    uint8_t limits[ANSWER_BYTES], p[ANSWER_BYTES];
    TdCdb capacity = td_cdb_action(0x9e, 0x10);

    ask_vpd(hba, 0xb0, limits);
    ask_vpd(hba, 0xb2, p);
    if (p[5] & 0x80) {                  /* LBPU: UNMAP */
        td_expect_uint(ldl_be_p(limits + 20), >, 0);
        td_expect_uint(ldl_be_p(limits + 24), >, 0);
        td_expect_uint(p[6] & 7, !=, 0);
    }
    if (p[5] & 0xe0) {
        ask(hba, capacity, p);
        td_expect_set(p[14], 0x80);     /* LBPME */
    }
}

/* ---- READ CAPACITY ----------------------------------------------------- */

static void check_capacity_10(TdScsi *hba)
{
    uint8_t p[8];

    td_scsi_expect_good(td_scsi_in(hba, td_cdb(0x25), p, sizeof(p)), 0);
    td_expect_uint(ldl_be_p(p), ==, td_scsi_blocks(hba) - 1);
    td_expect_uint(ldl_be_p(p + 4), ==, td_scsi_block_size(hba));
}

static void check_capacity_16(TdScsi *hba)
{
    uint8_t p[ANSWER_BYTES];

    expect_sent(32, ask(hba, td_cdb_action(0x9e, 0x10), p));
    td_expect_uint(ldq_be_p(p), ==, td_scsi_blocks(hba) - 1);
    td_expect_uint(ldl_be_p(p + 8), ==, td_scsi_block_size(hba));
    td_expect_clear(p[12], 0x01);       /* PROT_EN */
    td_expect_uint(p[13] & 0xf, ==,
                   ctz32(4096 / td_scsi_block_size(hba)));
    td_expect_set(p[14], 0x80);         /* LBPME: discard=unmap */
}

static void resize(TdScsi *hba, uint64_t bytes)
{
    g_autofree char *device = g_strdup_printf("d%u", hba->unit);

    qtest_qmp_assert_success(hba->qts,
                             "{ 'execute': 'block_resize', 'arguments': "
                             "{ 'device': %s, 'size': %" PRIu64 " } }",
                             device, bytes);
}

static void check_capacity_changed(TdScsi *hba)
{
    uint64_t blocks = td_scsi_blocks(hba) * 2;
    uint8_t p[8], block[4096];
    TdCdb cdb = td_cdb_blocks(0x28, blocks - 1, 1);

    resize(hba, TD_SCSI_BYTES * 2);
    td_scsi_expect_sense(td_scsi_none(hba, td_cdb(0x00)),
                         TD_SENSE(6, 0x2a, 0x09));
    td_scsi_expect_good(td_scsi_in(hba, td_cdb(0x25), p, sizeof(p)), 0);
    td_expect_uint(ldl_be_p(p), ==, blocks - 1);
    td_scsi_expect_good(td_scsi_in(hba, cdb, block, td_scsi_block_size(hba)),
                        0);
    cdb = td_cdb_blocks(0x28, blocks, 1);
    td_scsi_expect_sense(td_scsi_in(hba, cdb, block, td_scsi_block_size(hba)),
                         TD_SENSE_LBA_OUT_OF_RANGE);
}

/* More blocks than 32 bits count, where they are of 512 bytes */
static void check_large(TdScsi *hba)
{
    uint64_t bytes = 3 * TiB;
    uint64_t last = bytes / td_scsi_block_size(hba) - 1;
    uint8_t p[ANSWER_BYTES], data[4096], found[2 * 4096];
    TdCdb read = td_cdb_blocks(0x88, last, 1);
    TdCdb write = td_cdb_blocks(0x8a, last, 1);
    uint32_t size = td_scsi_block_size(hba);

    resize(hba, bytes);
    td_scsi_clear_unit_attention(hba);
    td_scsi_expect_good(td_scsi_in(hba, td_cdb(0x25), p, 8), 0);
    td_expect_hex((uint32_t)ldl_be_p(p), ==, MIN(last, UINT32_MAX));
    ask(hba, td_cdb_action(0x9e, 0x10), p);
    td_expect_hex(ldq_be_p(p), ==, last);
    td_pattern(data, size, 8);
    td_scsi_expect_good(td_scsi_out(hba, write, data, size), 0);
    td_scsi_expect_good(td_scsi_in(hba, read, found, size), 0);
    td_expect_mem(found, data, size);
    if (last > UINT32_MAX) {
        /* Not where its last 32 bits are. */
        expect_medium(hba, (uint32_t)last, 1, 0);
    }
    read = td_cdb_blocks(0x88, last, 2);
    td_scsi_expect_sense(td_scsi_in(hba, read, found, 2 * size),
                         TD_SENSE_LBA_OUT_OF_RANGE);
}

/* ---- Units that there are not ------------------------------------------ */

static void check_no_unit(TdScsi *hba)
{
    uint8_t p[96];
    TdCdb inquiry = td_cdb(0x12);

    hba->lun = 1;
    inquiry.b[4] = sizeof(p);
    td_scsi_expect_status(td_scsi_in(hba, inquiry, p, sizeof(p)),
                          TD_SCSI_GOOD);
    td_expect_hex(p[0], ==, 0x7f);
    td_scsi_expect_sense(td_scsi_none(hba, td_cdb(0x00)),
                         TD_SENSE(5, 0x25, 0x00));
    hba->lun = 0;
}

static const TdCase cases[] = {
    {
        .name = "standard",
        .title = "Standard INQUIRY data says what the disk is",
        .clause = "SPC-4 6.6.2",
        .good = "command:12",
        ON_UNITS(check_standard),
    },
    {
        .name = "vpd/supported-pages",
        .title = "Page 00h lists the pages that there are, in order, "
                 "page 83h among them",
        .clause = "SPC-4 7.8.14",
        .good = "vpd:00 command:12",
        ON_UNITS(check_supported_pages),
    },
    {
        .name = "vpd/unsupported-pages",
        .title = "A page that page 00h does not list is refused",
        .clause = "SPC-4 6.6.1",
        .bad = "vpd:00 command:12",
        ON_UNITS(check_unsupported_pages),
    },
    {
        .name = "vpd/lengths",
        .title = "PAGE LENGTH is that of what is sent",
        .clause = "SPC-4 7.8.1; SBC-3 6.6",
        .good = "vpd:80 vpd:8f vpd:b0 vpd:b1",
        ON_UNITS(check_page_lengths),
    },
    {
        .name = "vpd/device-identification",
        .title = "The logical unit has a T10, EUI-64, NAA or name designator",
        .clause = "SPC-4 7.8.6.1",
        .good = "vpd:83",
        ON_UNITS(check_designators),
    },
    {
        .name = "vpd/provisioning",
        .title = "The pages about provisioning agree with each other and "
                 "with READ CAPACITY(16)",
        .clause = "SBC-3 6.6.4, 6.6.7, 5.16.2",
        .good = "vpd:b0 vpd:b2",
        ON_UNITS(check_provisioning_pages),
    },
    {
        .name = "capacity/10",
        .title = "READ CAPACITY(10) gives the last LBA and the block length",
        .clause = "SBC-3 5.15.2",
        .good = "command:25",
        ON_UNITS(check_capacity_10),
    },
    {
        .name = "capacity/16",
        .title = "READ CAPACITY(16) gives the last LBA, both block lengths, "
                 "and that blocks can be unmapped",
        .clause = "SBC-3 5.16.2",
        .good = "command:9e/10",
        ON_UNITS(check_capacity_16),
    },
    {
        .name = "capacity/changed",
        .title = "A new capacity is told by CAPACITY DATA HAS CHANGED, and "
                 "is there",
        .clause = "SBC-3 4.5",
        .good = "condition:unit-attention command:25",
        ON_UNITS(check_capacity_changed),
    },
    {
        .name = "capacity/large",
        .title = "A disk of 3 TiB has all its blocks, which READ "
                 "CAPACITY(10) cannot count",
        .clause = "SBC-3 5.15.2, 5.13, 5.35",
        .good = "command:25 command:9e/10 command:88 command:8a",
        .bad = "command:88",
        ON_UNITS(check_large),
    },
    {
        .name = "no-unit",
        .title = "A logical unit that there is not says so to INQUIRY, and "
                 "refuses other commands",
        .clause = "SAM-5 5.11; SPC-4 6.6.2",
        .bad = "command:12",
        ON_UNITS(check_no_unit),
    },
};

const TdTopic topic_identity = TD_TOPIC("identity", cases);
