/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Resets with commands in flight: none of them reaches guest memory afterwards.
 */
#include "suite.h"

typedef struct ResetCase {
    bool queued;
    void (*reset)(TdAhci *hba);
    const char *event;
} ResetCase;

static void reset_hba(TdAhci *hba)
{
    /* A port's registers are gone, but for PxCLB and PxFB [10.4.3]. */
    ahci_wreg(hba->ahci, AHCI_GHC, AHCI_GHC_HR);
    td_expect_hex(td_px_read(hba, AHCI_PX_CMD) & AHCI_PX_CMD_ST, ==, 0);
    ahci_wreg(hba->ahci, AHCI_GHC, AHCI_GHC_AE | AHCI_GHC_IE);
    td_px_write(hba, AHCI_PX_CMD, AHCI_PX_CMD_FRE);
}

static void reset_by_stop(TdAhci *hba)
{
    td_px_write(hba, AHCI_PX_CMD,
                td_px_read(hba, AHCI_PX_CMD) & ~AHCI_PX_CMD_ST);
}

static void reset_machine(TdAhci *hba)
{
    qtest_system_reset(hba->qts);
}

/*
 * The drive is slow, the commands are there when the reset comes. After it
 * nothing of them may reach guest memory or registers.
 */
static void test_reset(void)
{
    const ResetCase *c = td_case()->data;
    TdAhci *hba = td_ahci_start_with(HELD, "");
    uint64_t base = ahci_alloc(hba->ahci, TD_AHCI_SLOTS * BYTES);
    g_autofree uint8_t *marked = g_malloc(TD_AHCI_SLOTS * BYTES);
    unsigned issued = c->queued ? TD_AHCI_SLOTS : 1;

    fill_all(hba, c->queued, base);
    td_expect_hex(td_px_read(hba, c->queued ? AHCI_PX_SACT : AHCI_PX_CI), !=,
                  0);
    c->reset(hba);
    td_expect_hex(td_px_read(hba, AHCI_PX_CI), ==, 0);
    td_expect_hex(td_px_read(hba, AHCI_PX_SACT), ==, 0);

    memset(marked, 0x5a, TD_AHCI_SLOTS * BYTES);
    qtest_memwrite(hba->qts, base, marked, TD_AHCI_SLOTS * BYTES);
    let_time_pass();
    td_expect_memory(hba, base, marked, TD_AHCI_SLOTS * BYTES);
    td_ahci_recover(hba);
    if (td_ahci_stop(hba)) {
        /* The first ones get through the throttle before the reset. */
        td_expect_uint(hba->traced->commands->len, >=, issued);
        td_expect_uint(count_status(hba, TD_ABORTED), >=,
                       c->queued ? TD_AHCI_SLOTS / 2 : 1);
        td_expect_uint(count_status(hba, TD_ERROR), ==, 0);
        if (c->event) {
            td_expect_uint(
                td_traced_events(hba->traced, TD_EVENT_RESET, c->event), >, 0);
        } else {
            td_expect_guest_error(hba->traced,
                                  "cleared with commands in flight");
        }
    }
    td_ahci_free(hba);
}

/* SRST comes as a pair of FISes through slots of their own [10.4.1]. */
static void send_srst(TdAhci *hba, unsigned slot)
{
    RegH2DFIS fis = { .fis_type = REG_H2D_FIS, .control = 0x04 };

    td_ahci_fill(hba, slot, &fis, NULL, 0);
    td_ahci_ring(hba, 1u << slot);
    fis.control = 0;
    td_ahci_fill(hba, slot, &fis, NULL, 0);
    td_ahci_ring(hba, 1u << slot);
}

static void test_reset_soft(void)
{
    TdAhci *hba = td_ahci_start_with(HELD, "");
    uint64_t base = ahci_alloc(hba->ahci, TD_AHCI_SLOTS * BYTES);
    uint32_t cmd = td_px_read(hba, AHCI_PX_CMD);

    fill_all(hba, true, base);
    td_px_write(hba, AHCI_PX_CMD, cmd & ~AHCI_PX_CMD_ST);
    td_px_write(hba, AHCI_PX_CMD, (cmd & ~AHCI_PX_CMD_ST) | AHCI_PX_CMD_CLO);
    td_px_write(hba, AHCI_PX_CMD, cmd);
    send_srst(hba, 0);
    td_expect_hex(td_px_read(hba, AHCI_PX_SIG), ==, 0x101);
    td_expect_hex(td_px_read(hba, AHCI_PX_TFD), ==, 0x150);
    td_expect_hex(td_px_read(hba, AHCI_PX_CI), ==, 0);
    if (td_ahci_stop(hba)) {
        td_expect_uint(
            td_traced_events(hba->traced, TD_EVENT_RESET, "software"), ==, 1);
    }
    td_ahci_free(hba);
}

/*
 * Without stopping the port first, which a driver must not do: the disk drops
 * what it had, and none of it reaches memory afterwards.
 */
static void test_reset_soft_running(void)
{
    TdAhci *hba = td_ahci_start_with(HELD, "");
    uint64_t base = ahci_alloc(hba->ahci, TD_AHCI_SLOTS * BYTES);
    g_autofree uint8_t *marked = g_malloc(TD_AHCI_SLOTS * BYTES);

    for (unsigned slot = 0; slot < TD_AHCI_SLOTS - 1; slot++) {
        RegH2DFIS fis = td_fis_ncq(READ_FPDMA_QUEUED, slot, SECTORS, slot);
        TdPrd list = { base + slot * BYTES, BYTES };

        td_ahci_fill(hba, slot, &fis, &list, 1);
    }
    td_ahci_ring_queued(hba, ~0u >> 1);
    send_srst(hba, 31);
    memset(marked, 0x5a, TD_AHCI_SLOTS * BYTES);
    qtest_memwrite(hba->qts, base, marked, TD_AHCI_SLOTS * BYTES);
    let_time_pass();
    td_expect_memory(hba, base, marked, TD_AHCI_SLOTS * BYTES);
    td_ahci_recover(hba);
    if (td_ahci_stop(hba)) {
        td_expect_uint(
            td_traced_events(hba->traced, TD_EVENT_RESET, "software"), ==, 1);
        td_expect_uint(count_status(hba, TD_ABORTED), >=, TD_AHCI_SLOTS / 2);
        td_expect_guest_error(hba->traced,
                              "software reset with commands in flight");
    }
    td_ahci_free(hba);
}

static void test_reset_machine(void)
{
    TdAhci *hba = td_ahci_start_with(HELD, "");
    uint64_t base = ahci_alloc(hba->ahci, TD_AHCI_SLOTS * BYTES);

    fill_all(hba, true, base);
    reset_machine(hba);
    if (td_ahci_stop(hba)) {
        td_expect_uint(count_status(hba, TD_ABORTED), >=, TD_AHCI_SLOTS / 2);
    }
    td_ahci_free(hba);
}

static const ResetCase hba_queued = { true, reset_hba, "hba" };
static const ResetCase hba_other = { false, reset_hba, "hba" };
static const ResetCase comreset_queued = { true, reset_port, "comreset" };
static const ResetCase comreset_other = { false, reset_port, "comreset" };
static const ResetCase stop_queued = { true, reset_by_stop, NULL };
static const ResetCase stop_other = { false, reset_by_stop, NULL };

static const TdCase cases[] = {
    {
        .name = "hba/queued",
        .title = "GHC.HR ends all queued commands; none reaches memory "
                 "after it",
        .clause = "AHCI 1.3.1 10.4.3",
        .good = "reset:HR register:GHC",
        .run = test_reset,
        .data = &hba_queued,
    },
    {
        .name = "hba/not-queued",
        .title = "GHC.HR ends the command that runs; it does not reach "
                 "memory after it",
        .clause = "AHCI 1.3.1 10.4.3",
        .good = "reset:HR",
        .run = test_reset,
        .data = &hba_other,
    },
    {
        .name = "comreset/queued",
        .title = "COMRESET ends all queued commands",
        .clause = "AHCI 1.3.1 10.4.2",
        .good = "reset:COMRESET register:PxSCTL",
        .run = test_reset,
        .data = &comreset_queued,
    },
    {
        .name = "comreset/not-queued",
        .title = "COMRESET ends the command that runs",
        .clause = "AHCI 1.3.1 10.4.2",
        .good = "reset:COMRESET",
        .run = test_reset,
        .data = &comreset_other,
    },
    {
        .name = "stop/queued",
        .title = "Clearing PxCMD.ST clears PxCI and PxSACT, and nothing "
                 "comes later",
        .clause = "AHCI 1.3.1 3.3.7",
        .bad = "register:PxCMD reset:stop",
        .run = test_reset,
        .data = &stop_queued,
    },
    {
        .name = "stop/not-queued",
        .title = "Clearing PxCMD.ST clears PxCI, and nothing comes later",
        .clause = "AHCI 1.3.1 3.3.7",
        .bad = "register:PxCMD reset:stop",
        .run = test_reset,
        .data = &stop_other,
    },
    {
        .name = "soft/stopped",
        .title = "SRST resets a disk that has commands, after stop and "
                 "CLO",
        .clause = "AHCI 1.3.1 10.4.1",
        .good = "reset:SRST reset:CLO fis:control-h2d",
        .run = test_reset_soft,
    },
    {
        .name = "soft/running",
        .title = "SRST without stopping the port: the disk forgets its "
                 "commands",
        .clause = "AHCI 1.3.1 10.4.1",
        .bad = "reset:SRST fis:control-h2d",
        .ours = OURS_DEFINED,
        .run = test_reset_soft_running,
    },
    {
        .name = "machine",
        .title = "A reset of the machine ends the commands",
        .clause = "AHCI 1.3.1 10.4.3",
        .good = "reset:machine",
        .run = test_reset_machine,
    },
};

const TdTopic topic_reset = TD_TOPIC("reset", cases);
