/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupts that are lost, or late.
 */
#include "suite.h"

static void enable_interrupts(TdAhci *hba)
{
    td_px_write(hba, AHCI_PX_IE, ~0u);
    ahci_wreg(hba->ahci, AHCI_GHC,
              ahci_rreg(hba->ahci, AHCI_GHC) | AHCI_GHC_IE);
}

static void start_read(TdAhci *hba, uint64_t addr)
{
    RegH2DFIS fis = td_fis_lba48(CMD_READ_DMA_EXT, 0, SECTORS);
    TdPrd list = { addr, BYTES };

    td_ahci_fill(hba, 0, &fis, &list, 1);
    td_ahci_ring(hba, 1);
    td_ahci_wait(hba);
}

/* PxIS says it, IS does not, and there is no interrupt: until the next one. */
static void test_interrupt_drop(void)
{
    TdAhci *hba = start("[lost]\nop=read\nnth=1\ninterrupt=drop\n");
    uint64_t addr = ahci_alloc(hba->ahci, BYTES);

    enable_interrupts(hba);
    start_read(hba, addr);
    td_expect_hex(td_px_read(hba, AHCI_PX_IS), ==, AHCI_PX_IS_DHRS);
    td_expect_hex(ahci_rreg(hba->ahci, AHCI_IS), ==, 0);
    qtest_clock_step(hba->qts, 1000 * 1000 * 1000);
    td_expect_hex(ahci_rreg(hba->ahci, AHCI_IS), ==, 0);
    start_read(hba, addr);
    td_expect_hex(ahci_rreg(hba->ahci, AHCI_IS), ==, 1);
    if (td_ahci_stop(hba)) {
        td_expect_uint(td_traced_events(hba->traced, TD_EVENT_INTERRUPT, ""),
                       ==, 1);
    }
    td_ahci_free(hba);
}

static void test_interrupt_delay(void)
{
    TdAhci *hba = start("[late]\nop=read\nnth=1\ninterrupt=5ms\n");
    uint64_t addr = ahci_alloc(hba->ahci, BYTES);

    enable_interrupts(hba);
    start_read(hba, addr);
    qtest_clock_step(hba->qts, 4 * 1000 * 1000);
    td_expect_hex(ahci_rreg(hba->ahci, AHCI_IS), ==, 0);
    qtest_clock_step(hba->qts, 1 * 1000 * 1000);
    td_expect_hex(ahci_rreg(hba->ahci, AHCI_IS), ==, 1);
    if (td_ahci_stop(hba)) {
        td_expect_uint(td_traced_events(hba->traced, TD_EVENT_INTERRUPT, ""),
                       ==, 1);
    }
    td_ahci_free(hba);
}

static const TdCase cases[] = {
    {
        .name = "drop",
        .title = "PxIS says it, but neither IS nor an interrupt does",
        .clause = "tracedisk-faults(5)",
        .good = "fault:interrupt",
        .ours = OURS_FAULTS,
        .clock = true,
        .run = test_interrupt_drop,
    },
    {
        .name = "delay",
        .title = "IS and the interrupt come later",
        .clause = "tracedisk-faults(5)",
        .good = "fault:interrupt",
        .ours = OURS_FAULTS,
        .clock = true,
        .run = test_interrupt_delay,
    },
};

const TdTopic topic_interrupts = TD_TOPIC("interrupts", cases);
