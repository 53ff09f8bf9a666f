/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The strict suite: what several of its topics need.
 */
#include "suite.h"

TdAhci *start(bool strict, const char *drive)
{
    return td_ahci_start_with(drive, strict ? ",strict=on" : "");
}

void check_bits(TdAhci *hba, uint32_t reg, uint32_t bits, bool set)
{
    td_expect_hex(td_px_read(hba, reg) & bits, ==, set ? bits : 0);
}

static void comreset(TdAhci *hba)
{
    td_px_write(hba, AHCI_PX_CMD,
                td_px_read(hba, AHCI_PX_CMD) & ~AHCI_PX_CMD_ST);
    qtest_clock_step(hba->qts, MS);
    td_px_write(hba, AHCI_PX_SCTL, SCTL_COMRESET);
    qtest_clock_step(hba->qts, MS);
    td_px_write(hba, AHCI_PX_SCTL, SCTL);
    qtest_clock_step(hba->qts, 10 * MS);
}

void check_comreset_mends(TdAhci *hba)
{
    comreset(hba);
    td_ahci_recover(hba);
    td_ahci_check_alive(hba);
}

void finish(TdAhci *hba, bool strict, const char *strict_error)
{
    if (td_ahci_stop(hba)) {
        if (strict && strict_error) {
            td_expect_guest_error(hba->traced, strict_error);
        }
    }
    td_ahci_free(hba);
}

void run_strict(void)
{
    const Rule *rule = td_row();

    rule->check(true);
}

void run_forgiving(void)
{
    const Rule *rule = td_row();

    rule->check(false);
}
