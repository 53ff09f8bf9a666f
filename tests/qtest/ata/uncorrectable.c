/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * WRITE UNCORRECTABLE EXT, 7.71
 */
#include "suite.h"

static TdOutcome mark(TdAhci *hba, uint8_t kind, uint64_t lba, uint16_t blocks)
{
    RegH2DFIS fis = td_fis_lba48(CMD_WRITE_UNCORRECTABLE_EXT, lba, blocks);

    fis.feature_low = kind;
    return td_ahci_io1(hba, fis, 0, 0);
}

static TdOutcome access_at(TdAhci *hba, uint8_t command, uint64_t lba,
                           uint16_t blocks)
{
    uint32_t bytes = command == CMD_READ_VERIFY_EXT ? 0 : blocks * 512;

    return td_ahci_io1(hba, td_fis_lba48(command, lba, blocks), BUFFER, bytes);
}

/* Reads and READ VERIFY fail; the error's LBA is the first bad block. */
static void test_read(void)
{
    TdAhci *hba = start_if(119, 2, "");
    TdOutcome o;

    if (!hba) {
        return;
    }
    td_expect_good(mark(hba, 0x55, 100, 4), 0);
    o = access_at(hba, CMD_READ_DMA_EXT, 96, 16);
    td_expect_uint(received_lba(hba), ==, 100);
    td_expect_error(hba, o, ERROR_UNC);
    td_expect_error(hba, access_at(hba, CMD_READ_VERIFY_EXT, 103, 1),
                    ERROR_UNC);
    td_expect_good(access_at(hba, CMD_READ_DMA_EXT, 92, 8), 8 * 512);
    td_expect_good(access_at(hba, CMD_READ_DMA_EXT, 104, 8), 8 * 512);
    if (td_ahci_stop(hba)) {
        const TdTraced *t = td_traced(hba->traced, "READ DMA EXT", 0);

        td_expect_uint(t->status, ==, TD_ERROR);
        td_expect_hex(t->ata_error, ==, ERROR_UNC);
    }
    td_ahci_free(hba);
}

/* A write makes what it covers good again, and no more. */
static void test_write(void)
{
    TdAhci *hba = start_if(119, 2, "");

    if (!hba) {
        return;
    }
    td_expect_good(mark(hba, 0x55, 100, 4), 0);
    td_expect_good(access_at(hba, CMD_WRITE_DMA_EXT, 96, 6), 6 * 512);
    td_expect_good(access_at(hba, CMD_READ_DMA_EXT, 96, 6), 6 * 512);
    td_expect_error(hba, access_at(hba, CMD_READ_DMA_EXT, 102, 1), ERROR_UNC);
    td_expect_good(access_at(hba, CMD_WRITE_DMA_EXT, 102, 2), 2 * 512);
    td_expect_good(access_at(hba, CMD_READ_DMA_EXT, 96, 16), 16 * 512);
    finish(hba);
}

/* Pseudo-uncorrectable with and without logging, flagged with and without */
static void test_kinds(void)
{
    static const uint8_t kinds[] = { 0x55, 0x5a, 0xa5, 0xaa };
    TdAhci *hba = start_if(119, 2, "");

    if (!hba) {
        return;
    }
    for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
        td_expect_good(mark(hba, kinds[i], i, 1), 0);
        td_expect_error(hba, access_at(hba, CMD_READ_DMA_EXT, i, 1),
                        ERROR_UNC);
    }
    finish(hba);
}

/* A count of 0 is 65,536 blocks. */
static void test_count_0(void)
{
    TdAhci *hba = start_if(119, 2, "");

    if (!hba) {
        return;
    }
    td_expect_good(mark(hba, 0x55, 8, 0), 0);
    td_expect_error(hba, access_at(hba, CMD_READ_DMA_EXT, 8 + 65535, 1),
                    ERROR_UNC);
    td_expect_good(access_at(hba, CMD_READ_DMA_EXT, 8 + 65536, 1), 512);
    finish(hba);
}

static void test_refused(void)
{
    TdAhci *hba = start_if(119, 2, "");

    if (!hba) {
        return;
    }
    td_expect_error(hba, mark(hba, 0x99, 100, 4), ERROR_ABRT);
    td_expect_error(hba, mark(hba, 0x00, 100, 4), ERROR_ABRT);
    td_expect_failed(hba, mark(hba, 0x55, TD_BLOCKS - 1, 2), ERROR_NO_BLOCK);
    td_expect_failed(hba, mark(hba, 0x55, TD_BLOCKS - 65535, 0),
                     ERROR_NO_BLOCK);
    td_expect_good(access_at(hba, CMD_READ_DMA_EXT, 100, 4), 4 * 512);
    td_expect_good(access_at(hba, CMD_READ_DMA_EXT, TD_BLOCKS - 1, 1), 512);
    finish(hba);
}

static const TdCase cases[] = {
    {
        .name = "read",
        .title = "Marked blocks fail with UNC, those beside them do not",
        .clause = "ACS-3 7.71",
        .good = "command:0x45",
        .run = test_read,
    },
    {
        .name = "write",
        .title = "A write makes what it covers good again, and no more",
        .clause = "ACS-3 7.71",
        .good = "command:0x45",
        .run = test_write,
    },
    {
        .name = "kinds",
        .title = "Pseudo-uncorrectable and flagged blocks fail alike",
        .clause = "ACS-3 7.71",
        .good = "command:0x45",
        .run = test_kinds,
    },
    {
        .name = "count-0",
        .title = "A count of 0 marks 65,536 blocks",
        .clause = "ACS-3 7.71",
        .good = "command:0x45",
        .run = test_count_0,
    },
    {
        .name = "refused",
        .title = "Another option, and blocks behind the last one, are refused",
        .clause = "ACS-3 7.71",
        .bad = "command:0x45",
        .run = test_refused,
    },
};

const TdTopic topic_uncorrectable = TD_TOPIC("uncorrectable", cases);
