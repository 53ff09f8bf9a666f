/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a HBA need not have: reserved registers, and bits of PxCMD that belong
 * to features which CAP does not claim.
 */
#include "suite.h"

#define PORT (0x100 + 0x80 * hba->port)

/* Reads 0, and goes on to when written. */
static void check_reserved(TdAhci *hba, unsigned first, unsigned last)
{
    for (unsigned offset = first; offset <= last; offset += 4) {
        qpci_io_writel(hba->ahci->dev, hba->ahci->hba_bar, offset, ~0u);
        if (qpci_io_readl(hba->ahci->dev, hba->ahci->hba_bar, offset)) {
            td_fail("a reserved register reads 0", "0x%08x at 0x%x",
                    qpci_io_readl(hba->ahci->dev, hba->ahci->hba_bar, offset),
                    offset);
        }
    }
}

static void test_reserved(void)
{
    TdAhci *hba = td_ahci_start("");

    check_reserved(hba, 0x2c, 0x9c);
    check_reserved(hba, PORT + 0x1c, PORT + 0x1c);
    check_reserved(hba, PORT + 0x48, PORT + 0x6c);
    td_ahci_check_alive(hba);
    td_ahci_stop(hba);
    td_ahci_free(hba);
}

/* Whatever they are for, what a driver writes of what it read does no harm. */
static void test_vendor(void)
{
    TdAhci *hba = td_ahci_start("");
    QPCIDevice *dev = hba->ahci->dev;
    QPCIBar bar = hba->ahci->hba_bar;

    for (unsigned offset = 0xa0; offset < 0x100; offset += 4) {
        qpci_io_writel(dev, bar, offset, qpci_io_readl(dev, bar, offset));
    }
    for (unsigned offset = PORT + 0x70; offset < PORT + 0x80; offset += 4) {
        qpci_io_writel(dev, bar, offset, qpci_io_readl(dev, bar, offset));
    }
    td_ahci_check_alive(hba);
    td_ahci_stop(hba);
    td_ahci_free(hba);
}

/* A tracedisk has none: they read 0 even after all ones. */
static void test_vendor_bad(void)
{
    TdAhci *hba = td_ahci_start("");

    check_reserved(hba, 0xa0, 0xfc);
    check_reserved(hba, PORT + 0x70, PORT + 0x7c);
    td_ahci_check_alive(hba);
    td_ahci_stop(hba);
    td_ahci_free(hba);
}

/* Bits of PxCMD that nothing may set where CAP, or PxCMD itself, has none */
static void test_command_features(void)
{
    TdAhci *hba = td_ahci_start("");
    uint32_t cap = ahci_rreg(hba->ahci, AHCI_CAP);
    uint32_t cmd = td_px_read(hba, AHCI_PX_CMD);
    uint32_t none = AHCI_PX_CMD_FBSCP | AHCI_PX_CMD_CPS;

    none |= cap & AHCI_CAP_SALP ? 0 : AHCI_PX_CMD_ALPE | AHCI_PX_CMD_ASP;
    none |= cap & AHCI_CAP_SPM ? 0 : AHCI_PX_CMD_PMA;
    none |= cap & AHCI_CAP_SMPS ? 0 : AHCI_PX_CMD_MPSP | AHCI_PX_CMD_MPSS;
    none &= ~(cmd & AHCI_PX_CMD_CPD ? AHCI_PX_CMD_CPS : 0);
    td_expect_clear(cmd, none);
    td_px_write(hba, AHCI_PX_CMD, cmd | none);
    td_expect_clear(td_px_read(hba, AHCI_PX_CMD), none);
    td_px_write(hba, AHCI_PX_CMD, cmd);
    td_ahci_check_alive(hba);
    td_ahci_stop(hba);
    td_ahci_free(hba);
}

/* ICC, bits 31:28: reads 0 when the HBA has done what was asked [3.3.7]. */
static void test_interface_control(void)
{
    TdAhci *hba = td_ahci_start("");
    uint32_t cmd = td_px_read(hba, AHCI_PX_CMD);

    td_expect_clear(cmd, AHCI_PX_CMD_ICC);
    td_px_write(hba, AHCI_PX_CMD, cmd | 1u << 28);      /* Active */
    td_expect_clear(td_px_read(hba, AHCI_PX_CMD), AHCI_PX_CMD_ICC);
    td_px_write(hba, AHCI_PX_CMD, cmd | 7u << 28);      /* reserved */
    td_ahci_check_alive(hba);
    td_ahci_stop(hba);
    td_ahci_free(hba);
}

static const TdCase cases[] = {
    {
        .name = "reserved",
        .title = "Reserved registers read 0, whatever is written",
        .clause = "AHCI 1.3.1 3",
        .good = "register:reserved",
        .bad = "register:reserved",
        .run = test_reserved,
    },
    {
        .name = "vendor/same",
        .title = "Vendor-specific registers can be written back",
        .clause = "AHCI 1.3.1 3.3.18",
        .good = "register:vendor",
        .run = test_vendor,
    },
    {
        .name = "vendor/ones",
        .title = "A tracedisk's vendor-specific registers are none",
        .clause = "AHCI 1.3.1 3.3.18",
        .bad = "register:vendor",
        .ours = OURS_DEFINED,
        .run = test_vendor_bad,
    },
    {
        .name = "command-features",
        .title = "Bits of PxCMD for what the HBA does not have cannot be set",
        .clause = "AHCI 1.3.1 3.3.7",
        .bad = "register:PxCMD",
        .run = test_command_features,
    },
    {
        .name = "interface-control",
        .title = "PxCMD.ICC reads 0 when the HBA has done it",
        .clause = "AHCI 1.3.1 3.3.7",
        .good = "register:PxCMD",
        .bad = "register:PxCMD",
        .run = test_interface_control,
    },
};

const TdTopic topic_absent = TD_TOPIC("absent", cases);
