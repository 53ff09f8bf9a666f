/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Resets with commands in flight: none of them reaches guest memory afterwards.
 */
#include "suite.h"

typedef struct Reset {
    TdRow row;
    void (*reset)(TdAhci *hba);
    const char *event;          /* that the trace has of it */
} Reset;

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

static const Reset resets[] = {
    { { "hba", "GHC.HR", "AHCI 1.3.1 10.4.3", "reset:HR" }, reset_hba, "hba" },
    { { "comreset", "COMRESET", "AHCI 1.3.1 10.4.2", "reset:COMRESET" },
      reset_port, "comreset" },
    { { "stop", "Clearing PxCMD.ST", "AHCI 1.3.1 3.3.7", "reset:stop" },
      reset_by_stop, NULL },
};

/* What was in flight does not reach memory, however long one waits. */
static void expect_nothing_comes(TdAhci *hba, uint64_t base)
{
    g_autofree uint8_t *marked = g_malloc(TD_AHCI_SLOTS * BYTES);

    memset(marked, 0x5a, TD_AHCI_SLOTS * BYTES);
    qtest_memwrite(hba->qts, base, marked, TD_AHCI_SLOTS * BYTES);
    let_time_pass();
    td_expect_memory(hba, base, marked, TD_AHCI_SLOTS * BYTES);
    td_ahci_recover(hba);
}

/* The drive is slow, the commands are there when the reset comes. */
static void check_reset(bool queued)
{
    const Reset *c = td_row();
    TdAhci *hba = td_ahci_start_with(HELD, "");
    uint64_t base = ahci_alloc(hba->ahci, TD_AHCI_SLOTS * BYTES);

    fill_all(hba, queued, base);
    td_expect_hex(td_px_read(hba, queued ? AHCI_PX_SACT : AHCI_PX_CI), !=, 0);
    c->reset(hba);
    td_expect_hex(td_px_read(hba, AHCI_PX_CI), ==, 0);
    td_expect_hex(td_px_read(hba, AHCI_PX_SACT), ==, 0);
    expect_nothing_comes(hba, base);
    if (td_ahci_stop(hba)) {
        /* The first ones get through the throttle before the reset. */
        td_expect_uint(hba->traced->commands->len, >=,
                       queued ? TD_AHCI_SLOTS : 1);
        td_expect_uint(count_status(hba, TD_ABORTED), >=,
                       queued ? TD_AHCI_SLOTS / 2 : 1);
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

static void test_queued(void)
{
    check_reset(true);
}

static void test_not_queued(void)
{
    check_reset(false);
}

/*
 * SRST comes as a pair of FISes [10.4.1]. None answers the first: with C of its
 * header PxCI is cleared upon R_OK.
 */
static void send_srst(TdAhci *hba, unsigned slot)
{
    RegH2DFIS fis = { .fis_type = REG_H2D_FIS, .control = 0x04 };

    td_ahci_fill(hba, slot, &fis, NULL, 0);
    td_ahci_flag_header(hba, slot, CMDH_RESET | CMDH_CLR_BSY);
    td_ahci_ring(hba, 1u << slot);
    fis.control = 0;
    td_ahci_fill(hba, slot, &fis, NULL, 0);
    td_ahci_ring(hba, 1u << slot);
}

static void test_reset_soft(void)
{
    TdAhci *hba = td_ahci_start_with(HELD, "");
    uint64_t base = ahci_alloc(hba->ahci, TD_AHCI_SLOTS * BYTES);
    uint32_t cmd = td_px_read(hba, AHCI_PX_CMD), tfd;

    fill_all(hba, true, base);
    td_px_write(hba, AHCI_PX_CMD, cmd & ~AHCI_PX_CMD_ST);
    td_px_write(hba, AHCI_PX_CMD, (cmd & ~AHCI_PX_CMD_ST) | AHCI_PX_CMD_CLO);
    td_px_write(hba, AHCI_PX_CMD, cmd);
    send_srst(hba, 0);
    td_expect_hex(td_px_read(hba, AHCI_PX_SIG), ==, 0x101);
    /* Diagnostics have passed; STATUS is 00h to 70h (ACS-3, signatures). */
    tfd = td_px_read(hba, AHCI_PX_TFD);
    td_expect_hex(tfd >> 8, ==, 0x01);
    td_expect_clear(tfd, STATUS_BSY | STATUS_DRQ | STATUS_ERR);
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

    for (unsigned slot = 0; slot < TD_AHCI_SLOTS - 1; slot++) {
        RegH2DFIS fis = td_fis_ncq(READ_FPDMA_QUEUED, slot, SECTORS, slot);
        TdPrd list = { base + slot * BYTES, BYTES };

        td_ahci_fill(hba, slot, &fis, &list, 1);
    }
    td_ahci_ring_queued(hba, ~0u >> 1);
    send_srst(hba, 31);
    expect_nothing_comes(hba, base);
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

static const TdCase cases[] = {
    {
        .name = "queued",
        .title = "it ends all queued commands; none reaches memory after it",
        .good = "@",
        .run = test_queued,
        TD_ROWS(resets),
    },
    {
        .name = "not-queued",
        .title = "it ends the command that runs; it does not reach memory "
                 "after it",
        .good = "@",
        .run = test_not_queued,
        TD_ROWS(resets),
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
