/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands at the wrong time.
 */
#include "suite.h"

/* PxCMD.FRE must be set before PxCMD.ST [10.3.1]. */
static void test_start_without_fis_receive(void)
{
    uint8_t data[BYTES];
    TdAhci *hba = start_with_pattern("", data);
    uint64_t page = ahci_alloc(hba->ahci, 4096);
    uint32_t cmd =
        td_px_read(hba, AHCI_PX_CMD) & ~(AHCI_PX_CMD_ST | AHCI_PX_CMD_FRE);
    TdPrd list = { page, BYTES };

    td_px_write(hba, AHCI_PX_CMD, cmd | AHCI_PX_CMD_FRE);
    td_px_write(hba, AHCI_PX_CMD, cmd);
    td_px_write(hba, AHCI_PX_CMD, cmd | AHCI_PX_CMD_ST);
    td_expect_good(read_to(hba, &list, 1), BYTES);
    td_expect_memory(hba, page, data, BYTES);
    if (td_ahci_stop(hba)) {
        td_expect_guest_error(hba->traced, "PxCMD.ST set without PxCMD.FRE");
    }
    td_ahci_free(hba);
}

/* PxCI may be written while PxCMD.ST is set only [3.3.14]. */
static void test_issue_while_stopped(void)
{
    uint8_t data[BYTES];
    TdAhci *hba = start_with_pattern("", data);
    uint64_t page = ahci_alloc(hba->ahci, 4096);
    RegH2DFIS fis = td_fis_lba48(CMD_READ_DMA_EXT, 0, SECTORS);
    TdPrd list = { page, BYTES };
    uint32_t cmd = td_px_read(hba, AHCI_PX_CMD);

    td_ahci_fill(hba, 0, &fis, &list, 1);
    td_px_write(hba, AHCI_PX_CMD, cmd & ~AHCI_PX_CMD_ST);
    td_ahci_ring_queued(hba, 1);
    td_expect_hex(td_px_read(hba, AHCI_PX_CI), ==, 0);
    td_expect_hex(td_px_read(hba, AHCI_PX_SACT), ==, 0);
    td_px_write(hba, AHCI_PX_CMD, cmd);
    td_ahci_check_alive(hba);
    if (td_ahci_stop(hba)) {
        td_expect_guest_error(hba->traced,
                              "PxCI written while PxCMD.ST is clear");
    }
    td_ahci_free(hba);
}

/* While COMRESET goes on there is no disk to send a command to [3.3.11]. */
static void test_issue_while_link_is_down(void)
{
    TdAhci *hba = td_ahci_start("");
    RegH2DFIS fis = td_fis_lba48(CMD_READ_DMA_EXT, 0, SECTORS);
    TdPrd list = { 64 * MiB, BYTES };

    td_ahci_fill(hba, 0, &fis, &list, 1);
    td_px_write(hba, AHCI_PX_SCTL, 0x301);
    td_expect_hex(td_px_read(hba, AHCI_PX_SSTS) & 0xf, !=, 3);
    td_ahci_ring(hba, 1);
    let_time_pass();
    td_expect_hex(td_px_read(hba, AHCI_PX_CI), ==, 1);
    td_px_write(hba, AHCI_PX_SCTL, 0x300);
    td_ahci_recover(hba);
    td_ahci_check_alive(hba);
    if (td_ahci_stop(hba)) {
        /* The two of td_ahci_check_alive(). */
        td_expect_uint(hba->traced->commands->len, ==, 2);
        td_expect_guest_error(hba->traced,
                              "PxSCTL.DET changed while PxCMD.ST is set");
    }
    td_ahci_free(hba);
}

/* Issued while the disk is busy: served one after another [5.3]. */
static void test_issue_while_busy(void)
{
    TdAhci *hba = td_ahci_start_with(VERY_SLOW, "");
    RegH2DFIS fis = td_fis_lba48(CMD_READ_DMA_EXT, 0, SECTORS);
    TdPrd list = { 64 * MiB, BYTES };

    for (int slot = 0; slot < 4; slot++) {
        td_ahci_fill(hba, slot, &fis, &list, 1);
    }
    td_ahci_ring(hba, 1);
    td_ahci_ring(hba, 2);
    td_expect_set(td_px_read(hba, AHCI_PX_TFD), AHCI_PX_TFD_STS_BSY);
    td_ahci_ring(hba, 0xc);
    td_expect_good(td_ahci_wait(hba), BYTES);
    if (td_ahci_stop(hba)) {
        td_expect_uint(hba->traced->commands->len, ==, 4);
        for (int i = 0; i < 4; i++) {
            td_expect_uint(td_traced(hba->traced, NULL, i)->tag, ==, i);
            td_expect_uint(td_traced(hba->traced, NULL, i)->status, ==,
                           TD_GOOD);
        }
    }
    td_ahci_free(hba);
}

/* Queued and other commands do not mix (ACS-3 4.14.1). */
static void test_mixed(void)
{
    TdAhci *hba = td_ahci_start_with(VERY_SLOW, "");
    RegH2DFIS queued = td_fis_ncq(READ_FPDMA_QUEUED, 0, SECTORS, 0);
    RegH2DFIS plain = td_fis_lba48(CMD_READ_DMA_EXT, 0, SECTORS);
    TdPrd list = { 64 * MiB, BYTES };

    for (int slot = 0; slot < 4; slot++) {
        queued.count = cpu_to_le16(slot << 3);
        td_ahci_fill(hba, slot, slot < 2 ? &queued : &plain, &list, 1);
    }
    td_ahci_ring_queued(hba, 3);
    td_ahci_ring(hba, 4);
    td_ahci_ring(hba, 8);
    td_expect_clear(td_ahci_wait(hba).is, AHCI_PX_IS_TFES);
    if (td_ahci_stop(hba)) {
        td_expect_uint(hba->traced->commands->len, ==, 4);
        td_expect_guest_error(hba->traced,
                              "queued and other commands are mixed");
    }
    td_ahci_free(hba);
}

/* The tag is the slot's number [5.6.4.1]. */
static void test_wrong_tag(void)
{
    TdAhci *hba = td_ahci_start("");
    RegH2DFIS fis = td_fis_ncq(READ_FPDMA_QUEUED, 0, SECTORS, 9);
    TdPrd list = { 64 * MiB, BYTES };

    td_ahci_fill(hba, 4, &fis, &list, 1);
    td_ahci_ring_queued(hba, 1 << 4);
    td_ahci_wait(hba);
    if (td_ahci_stop(hba)) {
        td_expect_guest_error(hba->traced, "NCQ tag 9 differs");
    }
    td_ahci_free(hba);
}

static const TdCase cases[] = {
    {
        .name = "busy",
        .title = "Commands issued while the disk is busy are served one "
                 "after another",
        .clause = "AHCI 1.3.1 5.3.10",
        .good = "register:PxCI state:issue",
        .run = test_issue_while_busy,
    },
    {
        .name = "stopped",
        .title = "PxCI and PxSACT stay clear while PxCMD.ST is clear",
        .clause = "AHCI 1.3.1 3.3.14",
        .bad = "register:PxCI register:PxSACT state:issue",
        .ours = OURS_DEFINED,
        .run = test_issue_while_stopped,
    },
    {
        .name = "link-is-down",
        .title = "While COMRESET goes on no command is sent",
        .clause = "AHCI 1.3.1 3.3.11",
        .bad = "register:PxCI register:PxSCTL state:issue",
        .ours = OURS_DEFINED,
        .run = test_issue_while_link_is_down,
    },
    {
        .name = "without-fis-receive",
        .title = "Started without PxCMD.FRE the port runs commands; the "
                 "trace tells of it",
        .clause = "AHCI 1.3.1 10.3.1",
        .bad = "register:PxCMD",
        .ours = OURS_DEFINED,
        .run = test_start_without_fis_receive,
    },
    {
        .name = "mixed",
        .title = "Queued commands and others do not run together: the "
                 "later ones wait",
        .clause = "ACS-3 4.14.1",
        .bad = "command:0x60 state:issue",
        .ours = OURS_DEFINED,
        .run = test_mixed,
    },
    {
        .name = "tag",
        .title = "A queued command whose tag is not its slot does no harm",
        .clause = "AHCI 1.3.1 5.6.4.1",
        .bad = "command:0x60 fis:register-h2d",
        .ours = OURS_DEFINED,
        .run = test_wrong_tag,
    },
};

const TdTopic topic_issue = TD_TOPIC("issue", cases);
