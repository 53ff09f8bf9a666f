/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IDENTIFY DEVICE, 7.12
 */
#include "suite.h"

/* A string of @n words, without the spaces behind it [3.3.10] */
static char *string_at(const uint16_t *w, unsigned n)
{
    char *text = g_malloc0(2 * n + 1);

    for (unsigned i = 0; i < n; i++) {
        text[2 * i] = w[i] >> 8;
        text[2 * i + 1] = w[i];
    }
    return g_strchomp(text);
}

static void test_names(void)
{
    TdAhci *hba = td_ahci_start(",serial=hello,model=disk,ver=1.2,"
                                "wwn=0x5000c50012345678");
    g_autofree char *serial = NULL, *firmware = NULL, *model = NULL;
    uint16_t w[256];

    identify(hba, w);
    serial = string_at(w + 10, 10);
    firmware = string_at(w + 23, 4);
    model = string_at(w + 27, 20);
    td_expect_str(serial, "hello");
    td_expect_str(firmware, "1.2");
    td_expect_str(model, "disk");
    td_expect_hex((uint64_t)w[108] << 48 | (uint64_t)w[109] << 32 |
                  w[110] << 16 | w[111], ==, 0x5000c50012345678);
    finish(hba);
}

static void test_capacity(void)
{
    TdAhci *hba = td_ahci_start("");
    uint16_t w[256];

    identify(hba, w);
    td_expect_uint(w[60] | w[61] << 16, ==, TD_BLOCKS);
    td_expect_uint(w[100] | w[101] << 16, ==, TD_BLOCKS);
    td_expect_uint(w[102] | w[103] << 16, ==, 0);
    td_expect_set(w[49], 1 << 9 | 1 << 8);      /* LBA, DMA */
    finish(hba);
}

/* Words that say with bits 15:14 that they are valid, and those of a disk */
static void test_validity(void)
{
    static const uint8_t valid[] = { 83, 84, 87, 106, 119, 120 };
    bool has_119;
    TdAhci *hba = td_ahci_start("");
    uint16_t w[256];

    identify(hba, w);
    has_119 = w[86] & 1 << 15;
    td_expect_clear(w[0], 1 << 15);             /* an ATA device */
    for (unsigned i = 0; i < ARRAY_SIZE(valid); i++) {
        if (valid[i] < 119 || has_119) {
            td_expect_hex(w[valid[i]] & 0xc000, ==, 0x4000);
        }
    }
    td_expect_set(w[83], 1 << 13 | 1 << 12 | 1 << 10);
    finish(hba);
}

/* NCQ wants GPL, for log 10h (7.12.7, 4.14.1). */
static void test_ncq(void)
{
    TdAhci *hba = td_ahci_start("");
    uint16_t w[256];

    identify(hba, w);
    td_expect_set(w[76], 1 << 8);
    td_expect_uint(w[75] & 31, ==, 31);
    td_expect_set(w[84], 1 << 5);
    td_expect_set(w[87], 1 << 5);
    finish(hba);
}

/* What is enabled is supported. */
static void test_enabled(void)
{
    TdAhci *hba = td_ahci_start("");
    uint16_t w[256];

    identify(hba, w);
    td_expect_hex(w[85] & ~w[82], ==, 0);
    td_expect_hex(w[86] & ~w[83] & 0x3fff, ==, 0);
    td_expect_hex(w[87] & ~w[84] & 0x3fff, ==, 0);
    td_expect_hex(w[63] >> 8 & ~w[63] & 7, ==, 0);
    td_expect_hex(w[88] >> 8 & ~w[88] & 0x7f, ==, 0);
    finish(hba);
}

/* Words 106, 117 and 118: logical blocks of 4096 bytes */
static void test_logical(void)
{
    TdAhci *hba =
        td_ahci_start(",logical_block_size=4096,physical_block_size=4096");
    const uint64_t blocks = TD_DISK_BYTES / 4096;
    uint8_t data[8192];
    uint16_t w[256];

    identify(hba, w);
    td_expect_hex(w[106], ==, 0x5000);
    td_expect_uint(w[117] | w[118] << 16, ==, 2048);
    td_expect_uint(w[100] | w[101] << 16, ==, blocks);

    td_pattern(data, sizeof(data), 4);
    qtest_memwrite(hba->qts, BUFFER, data, sizeof(data));
    td_expect_good(td_ahci_io1(hba, td_fis_lba48(CMD_WRITE_DMA_EXT, 5, 2),
                               BUFFER, 8192), 8192);
    qtest_memset(hba->qts, BUFFER, 0, sizeof(data));
    td_expect_done(td_ahci_io1(hba, td_fis_ncq(READ_FPDMA_QUEUED, 5, 2, 3),
                               BUFFER, 8192));
    td_expect_memory(hba, BUFFER, data, sizeof(data));
    /* The last block, and the one after it. */
    td_expect_good(td_ahci_io1(hba,
                               td_fis_lba48(CMD_READ_DMA_EXT, blocks - 1, 1),
                               BUFFER, 4096), 4096);
    td_expect_failed(hba, td_ahci_io1(hba,
                                      td_fis_lba48(CMD_READ_DMA_EXT, blocks, 1),
                                      BUFFER, 4096), ERROR_NO_BLOCK);
    if (td_ahci_stop(hba)) {
        td_expect_uint(td_traced(hba->traced, "WRITE DMA EXT", 0)->bytes, ==,
                       8192);
    }
    td_ahci_free(hba);
}

/* Word 106: 2^3 logical blocks in a physical one */
static void test_physical(void)
{
    TdAhci *hba = td_ahci_start(",physical_block_size=4096");
    uint16_t w[256];

    identify(hba, w);
    td_expect_hex(w[106], ==, 0x6003);
    finish(hba);
}

/* The list has room for 100 of 512 bytes. */
static void test_short_list(void)
{
    TdAhci *hba = td_ahci_start("");
    uint8_t found[512];
    const TdTraced *t;
    TdOutcome o;

    qtest_memset(hba->qts, BUFFER, 0x5a, 512);
    o = td_ahci_io1(hba, td_fis_plain(CMD_IDENTIFY, 0, 0), BUFFER, 100);
    td_expect_set(o.is, AHCI_PX_IS_OFS);
    td_expect_uint(o.prdbc, ==, 100);
    qtest_memread(hba->qts, BUFFER, found, 512);
    td_expect_hex(found[100], ==, 0x5a);
    td_ahci_recover(hba);
    td_ahci_check_alive(hba);
    if (td_ahci_stop(hba)) {
        t = td_traced(hba->traced, "IDENTIFY DEVICE", 0);
        td_expect_hex(t->flags, ==, TD_LIST_SHORT);
        td_expect_uint(t->op, ==, TD_OP_IDENTIFY);
        td_expect_uint(t->bytes, ==, 100);
        td_expect_uint(t->residual, ==, 412);
    }
    td_ahci_free(hba);
}

static const TdCase cases[] = {
    {
        .name = "names",
        .title = "IDENTIFY DEVICE has serial number, firmware, model, WWN",
        .clause = "ACS-3 7.12.7",
        .good = "command:0xec",
        .run = test_names,
    },
    {
        .name = "capacity",
        .title = "The 28-bit and the 48-bit capacity are the drive's",
        .clause = "ACS-3 7.12.7",
        .good = "command:0xec",
        .run = test_capacity,
    },
    {
        .name = "validity",
        .title = "The words that say so are valid; flushes and 48-bit "
                 "addresses are there",
        .clause = "ACS-3 7.12.7",
        .good = "command:0xec",
        .run = test_validity,
    },
    {
        .name = "ncq",
        .title = "NCQ is there with 32 tags, and with GPL for its errors",
        .clause = "ACS-3 4.14.1",
        .good = "command:0xec",
        .run = test_ncq,
    },
    {
        .name = "enabled",
        .title = "What is enabled or selected is supported",
        .clause = "ACS-3 7.12.7",
        .good = "command:0xec",
        .run = test_enabled,
    },
    {
        .name = "logical-4096",
        .title = "Blocks of 4096 bytes are told, and are what commands count",
        .clause = "ACS-3 7.12.7.63",
        .good = "command:0xec",
        .ours = "logical_block_size=4096, which ide-hd refuses",
        .run = test_logical,
    },
    {
        .name = "physical-4096",
        .title = "Physical blocks of 4096 bytes are told",
        .clause = "ACS-3 7.12.7.63",
        .good = "command:0xec",
        .run = test_physical,
    },
    {
        .name = "short-list",
        .title = "A page that the list has no room for ends where the list "
                 "does, with PxIS.OFS",
        .clause = "AHCI 1.3.1 6.1.5",
        .bad = "command:0xec",
        .run = test_short_list,
    },
};

const TdTopic topic_identify = TD_TOPIC("identify", cases);
