/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * COMRESET and the link, 3.3.11, 10.4.2
 */
#include "suite.h"

static void test_short_comreset(bool strict)
{
    TdAhci *hba = start(strict, "");

    td_px_write(hba, AHCI_PX_CMD, AHCI_PX_CMD_FRE);
    qtest_clock_step(hba->qts, MS);
    td_px_write(hba, AHCI_PX_SCTL, SCTL_COMRESET);
    qtest_clock_step(hba->qts, MS / 2);
    td_px_write(hba, AHCI_PX_SCTL, SCTL);
    qtest_clock_step(hba->qts, 100 * MS);
    td_expect_hex(td_px_read(hba, AHCI_PX_SSTS) & 0xf, ==,
                  strict ? 0 : 3);
    check_comreset_mends(hba);
    finish(hba, strict, "less than a millisecond");
}

/* The link takes its time; no FIS is taken until DIAG.X is cleared. */
static void test_link_takes_time(bool strict)
{
    TdAhci *hba = start(strict, "");

    td_px_write(hba, AHCI_PX_CMD, AHCI_PX_CMD_FRE);
    qtest_clock_step(hba->qts, MS);
    td_px_write(hba, AHCI_PX_SCTL, SCTL_COMRESET);
    qtest_clock_step(hba->qts, MS);
    td_px_write(hba, AHCI_PX_SCTL, SCTL);
    td_expect_hex(td_px_read(hba, AHCI_PX_SSTS) & 0xf, ==,
                  strict ? 0 : 3);
    qtest_clock_step(hba->qts, 10 * MS);
    td_expect_hex(td_px_read(hba, AHCI_PX_SSTS) & 0xf, ==, 3);
    check_bits(hba, AHCI_PX_SERR, 1 << 26, true);
    check_bits(hba, AHCI_PX_IS, AHCI_PX_IS_PCS, true);
    check_bits(hba, AHCI_PX_TFD, STATUS_BSY, strict);
    td_px_write(hba, AHCI_PX_SERR, ~0u);
    check_bits(hba, AHCI_PX_TFD, STATUS_BSY, false);
    td_ahci_recover(hba);
    td_ahci_check_alive(hba);
    finish(hba, false, NULL);
}

static const Rule rules[] = {
    STRICT("comreset-short", "COMRESET for half a millisecond",
           "AHCI 1.3.1 3.3.11", test_short_comreset),
    STRICT("comreset-link", "The link after COMRESET",
           "AHCI 1.3.1 10.4.2", test_link_takes_time),
};

static const TdCase cases[] = STRICT_CASES(rules);

const TdTopic topic_link = TD_TOPIC("link", cases);
