/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Starting, stopping and setting up a port, 10.3
 */
#include "suite.h"

/* The port starts when FIS reception does [10.3.1]. */
static void test_start_without_fre(bool strict)
{
    TdAhci *hba = start(strict, "");

    td_px_write(hba, AHCI_PX_CMD, AHCI_PX_CMD_FRE);
    qtest_clock_step(hba->qts, MS);
    td_px_write(hba, AHCI_PX_CMD, 0);
    qtest_clock_step(hba->qts, MS);
    td_px_write(hba, AHCI_PX_CMD, AHCI_PX_CMD_ST);
    check_bits(hba, AHCI_PX_CMD, AHCI_PX_CMD_CR, !strict);
    td_px_write(hba, AHCI_PX_CMD, AHCI_PX_CMD_ST | AHCI_PX_CMD_FRE);
    check_bits(hba, AHCI_PX_CMD, AHCI_PX_CMD_CR, true);
    td_ahci_check_alive(hba);
    if (td_ahci_stop(hba)) {
        td_expect_guest_error(hba->traced, "PxCMD.ST set without PxCMD.FRE");
    }
    td_ahci_free(hba);
}

/* CR and FR take a little to clear [10.3.1, 10.3.2]. */
static void test_stop_takes_time(bool strict)
{
    TdAhci *hba = start(strict, "");

    td_px_write(hba, AHCI_PX_CMD, AHCI_PX_CMD_FRE);
    check_bits(hba, AHCI_PX_CMD, AHCI_PX_CMD_CR, strict);
    qtest_clock_step(hba->qts, MS);
    check_bits(hba, AHCI_PX_CMD, AHCI_PX_CMD_CR, false);
    td_px_write(hba, AHCI_PX_CMD, 0);
    check_bits(hba, AHCI_PX_CMD, AHCI_PX_CMD_FR, strict);
    qtest_clock_step(hba->qts, MS);
    check_bits(hba, AHCI_PX_CMD, AHCI_PX_CMD_FR, false);
    td_px_write(hba, AHCI_PX_CMD, AHCI_PX_CMD_FRE);
    td_ahci_recover(hba);
    td_ahci_check_alive(hba);
    finish(hba, false, NULL);
}

/* ST set before CR has cleared: the port stops first, and then starts. */
static void test_start_before_stopped(bool strict)
{
    uint32_t run = AHCI_PX_CMD_FRE | AHCI_PX_CMD_ST;
    TdAhci *hba = start(strict, "");

    td_px_write(hba, AHCI_PX_CMD, AHCI_PX_CMD_FRE);
    td_px_write(hba, AHCI_PX_CMD, run);
    check_bits(hba, AHCI_PX_CMD, AHCI_PX_CMD_CR, true);
    qtest_clock_step(hba->qts, MS);
    check_bits(hba, AHCI_PX_CMD, AHCI_PX_CMD_CR, true);
    td_ahci_check_alive(hba);
    finish(hba, strict, "PxCMD.ST set while PxCMD.CR is set");
}

/* BSY stays when ST is cleared under a command: CLO is for that [3.3.7]. */
static void test_busy_after_stop(bool strict)
{
    TdAhci *hba = start(strict, SLOW);
    RegH2DFIS fis = td_fis_lba48(CMD_READ_DMA_EXT, 0, SECTORS);
    TdPrd list = { ahci_alloc(hba->ahci, BYTES), BYTES };

    td_ahci_io(hba, &fis, &list, 1); /* the first one goes */
    td_ahci_fill(hba, 0, &fis, &list, 1);
    td_ahci_ring(hba, 1);
    check_bits(hba, AHCI_PX_TFD, STATUS_BSY, true);
    td_px_write(hba, AHCI_PX_CMD, AHCI_PX_CMD_FRE);
    qtest_clock_step(hba->qts, MS);
    check_bits(hba, AHCI_PX_TFD, STATUS_BSY, strict);
    td_px_write(hba, AHCI_PX_CMD, AHCI_PX_CMD_FRE | AHCI_PX_CMD_ST);
    check_bits(hba, AHCI_PX_CMD, AHCI_PX_CMD_CR, !strict);
    td_px_write(hba, AHCI_PX_CMD, AHCI_PX_CMD_FRE);
    qtest_clock_step(hba->qts, MS);
    td_px_write(hba, AHCI_PX_CMD, AHCI_PX_CMD_FRE | PX_CMD_CLO);
    td_px_write(hba, AHCI_PX_CMD, AHCI_PX_CMD_FRE | AHCI_PX_CMD_ST);
    check_bits(hba, AHCI_PX_CMD, AHCI_PX_CMD_CR, true);
    finish(hba, strict, "PxCMD.ST set while the disk is busy");
}

/* PxCLB and PxFB are not looked at while they are in use [3.3.1, 3.3.3]. */
static void test_pointers_in_use(bool strict)
{
    TdAhci *hba = start(strict, "");
    uint32_t clb = td_px_read(hba, AHCI_PX_CLB),
             fb = td_px_read(hba, AHCI_PX_FB);

    td_px_write(hba, AHCI_PX_CLB, 0x200000);
    td_px_write(hba, AHCI_PX_FB, 0x200400);
    td_expect_hex(td_px_read(hba, AHCI_PX_CLB), ==,
                  strict ? clb : 0x200000);
    td_expect_hex(td_px_read(hba, AHCI_PX_FB), ==,
                  strict ? fb : 0x200400);
    if (td_ahci_stop(hba)) {
        td_expect_guest_error(hba->traced,
                              "PxCLB written while the port uses it");
        td_expect_guest_error(hba->traced,
                              "PxFB written while the port uses it");
    }
    td_ahci_free(hba);
}

static const Rule rules[] = {
    STRICT("start-without-fre", "PxCMD.ST without PxCMD.FRE",
           "AHCI 1.3.1 10.3.1", test_start_without_fre),
    STRICT("stop-takes-time", "PxCMD.CR and FR",
           "AHCI 1.3.1 10.3.1", test_stop_takes_time),
    STRICT("start-before-stopped", "PxCMD.ST set while CR is",
           "AHCI 1.3.1 10.3.1", test_start_before_stopped),
    STRICT("busy-after-stop", "PxCMD.ST cleared under a command",
           "AHCI 1.3.1 3.3.7", test_busy_after_stop),
    STRICT("pointers-in-use", "PxCLB and PxFB written in use",
           "AHCI 1.3.1 3.3.1", test_pointers_in_use),
};

static const TdCase cases[] = STRICT_CASES(rules);

const TdTopic topic_port = TD_TOPIC("port", cases);
