/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Queued commands: what NCQ adds, 4.14
 */
#include "suite.h"

/* Each of 32 tags, all at once; each in its own memory */
static void test_tags(void)
{
    TdAhci *hba = td_ahci_start("");
    g_autofree uint8_t *data = g_malloc(TD_AHCI_SLOTS * 512);
    TdOutcome o;

    td_pattern(data, TD_AHCI_SLOTS * 512, 5);
    td_disk_write(hba, 0, data, TD_AHCI_SLOTS * 512);
    for (unsigned tag = 0; tag < TD_AHCI_SLOTS; tag++) {
        RegH2DFIS fis = td_fis_ncq(READ_FPDMA_QUEUED, tag, 1, tag);
        TdPrd list = { BUFFER + tag * 512, 512 };

        td_ahci_fill(hba, tag, &fis, &list, 1);
    }
    td_ahci_ring_queued(hba, ~0u);
    o = td_ahci_wait(hba);
    td_expect_done(o);
    td_expect_hex(td_px_read(hba, AHCI_PX_SACT), ==, 0);
    td_expect_memory(hba, BUFFER, data, TD_AHCI_SLOTS * 512);
    finish(hba);
}

/* PRIO, in COUNT 15:14, is a hint. */
static void test_priority(void)
{
    TdAhci *hba = td_ahci_start("");
    RegH2DFIS fis = td_fis_ncq(READ_FPDMA_QUEUED, 0, 1, 3);

    fis.count |= cpu_to_le16(2 << 14);
    td_ahci_fill(hba, 3, &fis, &(TdPrd) { BUFFER, 512 }, 1);
    td_ahci_ring_queued(hba, 1 << 3);
    td_expect_done(td_ahci_wait(hba));
    finish(hba);
}

/* After an error all others end with it, until log 10h is read [4.14.2]. */
static void test_error_ends_all(void)
{
    TdAhci *hba = td_ahci_start("");
    RegH2DFIS log = td_fis_plain(CMD_READ_LOG_EXT, 0, 1);
    uint8_t page[512];

    log.lba_lo[0] = 0x10;
    td_expect_failed(hba, td_ahci_io1(hba, td_fis_ncq(READ_FPDMA_QUEUED,
                                                      TD_BLOCKS, 1, 4),
                                      BUFFER, 512), ERROR_NO_BLOCK);
    td_expect_failed(hba, td_ahci_io1(hba, td_fis_ncq(READ_FPDMA_QUEUED, 0, 1,
                                                      7), BUFFER, 512),
                     ERROR_ABRT);
    read_pages(hba, log, page, 1);
    td_expect_uint(page[0], ==, 4);
    td_expect_done(td_ahci_io1(hba, td_fis_ncq(READ_FPDMA_QUEUED, 0, 1, 7),
                               BUFFER, 512));
    finish(hba);
}

/* NCQ QUEUE MANAGEMENT, SEND and RECEIVE FPDMA QUEUED: not in word 76, 77 */
static void test_others(void)
{
    static const uint8_t commands[] = { 0x63, 0x64, 0x65 };
    TdAhci *hba = td_ahci_start("");

    for (unsigned i = 0; i < ARRAY_SIZE(commands); i++) {
        RegH2DFIS fis = td_fis_ncq(commands[i], 0, 1, 2);

        td_ahci_fill(hba, 2, &fis, NULL, 0);
        td_ahci_ring_queued(hba, 1 << 2);
        td_expect_error(hba, td_ahci_wait(hba), ERROR_ABRT);
    }
    finish(hba);
}

static const TdCase cases[] = {
    {
        .name = "tags",
        .title = "32 commands at once are told apart by their tags",
        .clause = "ACS-3 4.14.1",
        .good = "command:0x60",
        .run = test_tags,
    },
    {
        .name = "priority",
        .title = "A queued command may have a priority",
        .clause = "ACS-3 7.23",
        .good = "command:0x60",
        .run = test_priority,
    },
    {
        .name = "error-ends-all",
        .title = "After an error queued commands are aborted until log 10h is "
                 "read",
        .clause = "ACS-3 4.14.2",
        .bad = "command:0x60",
        .run = test_error_ends_all,
    },
    {
        .name = "others",
        .title = "Queued commands that IDENTIFY DEVICE does not have are "
                 "aborted",
        .clause = "ACS-3 6.3",
        .run = test_others,
    },
};

const TdTopic topic_queued = TD_TOPIC("queued", cases);
