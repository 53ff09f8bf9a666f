/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands that take their time.
 */
#include "suite.h"

static void test_delay(void)
{
    TdAhci *hba = start("[slow]\ntag=0\ndelay=20ms\n");
    uint64_t addr = ahci_alloc(hba->ahci, 2 * BYTES);

    fill_queued(hba, 0, addr);
    fill_queued(hba, 1, addr + BYTES);
    td_ahci_ring_queued(hba, 3);
    wait_for_sact(hba, 1); /* the other one is done */
    qtest_clock_step(hba->qts, 19 * 1000 * 1000);
    td_expect_hex(td_px_read(hba, AHCI_PX_SACT), ==, 1);
    qtest_clock_step(hba->qts, 2 * 1000 * 1000);
    wait_for_sact(hba, 0);
    if (td_ahci_stop(hba)) {
        check_fault(hba, 0, "[slow] delay=20ms",
                    td_traced(hba->traced, NULL, 1));
    }
    td_ahci_free(hba);
}

/* Several at a time, each for its own while; and the VM stops meanwhile. */
static void test_delay_several(void)
{
    TdAhci *hba = start("[a]\ntag=0\ndelay=30ms\n[b]\ntag=1\ndelay=10ms\n"
                     "[c]\ntag=2\nreorder=2\ndelay=10s\n");
    uint64_t addr = ahci_alloc(hba->ahci, 3 * BYTES);

    for (unsigned tag = 0; tag < 3; tag++) {
        fill_queued(hba, tag, addr + tag * BYTES);
    }
    td_ahci_ring_queued(hba, 7);
    td_expect_hex(td_px_read(hba, AHCI_PX_SACT), ==, 7);
    qtest_qmp_assert_success(hba->qts, "{'execute': 'stop'}");
    qtest_qmp_assert_success(hba->qts, "{'execute': 'cont'}");
    qtest_clock_step(hba->qts, 11 * 1000 * 1000);
    wait_for_sact(hba, 5);
    qtest_clock_step(hba->qts, 20 * 1000 * 1000);
    wait_for_sact(hba, 0);
    td_ahci_stop(hba);
    td_expect_uint(td_traced(hba->traced, NULL, 0)->tag, ==, 1);
    td_expect_uint(td_traced(hba->traced, NULL, 1)->tag, ==, 0);
    td_expect_uint(td_traced(hba->traced, NULL, 2)->tag, ==, 2);
    td_ahci_free(hba);
}

/* A command that is held ends, when a reset comes, as any in flight. */
static void test_delay_reset(void)
{
    TdAhci *hba = start("[slow]\nnth=1\ndelay=20s\n");
    uint64_t addr = ahci_alloc(hba->ahci, BYTES);

    fill_queued(hba, 0, addr);
    td_ahci_ring_queued(hba, 1);
    td_expect_hex(td_px_read(hba, AHCI_PX_SACT), ==, 1);
    td_ahci_recover(hba);
    td_ahci_check_alive(hba);
    if (td_ahci_stop(hba)) {
        td_expect_uint(td_traced(hba->traced, "READ FPDMA QUEUED", 0)->status,
                       ==, TD_ABORTED);
    }
    td_ahci_free(hba);
}

static void test_reorder(void)
{
    TdAhci *hba = start("[late]\ntag=0\nreorder=2\ndelay=10s\n");
    uint64_t addr = ahci_alloc(hba->ahci, 4 * BYTES);

    fill_queued(hba, 0, addr);
    fill_queued(hba, 1, addr + BYTES);
    fill_queued(hba, 2, addr + 2 * BYTES);
    td_ahci_ring_queued(hba, 3);
    wait_for_sact(hba, 1);
    td_ahci_ring_queued(hba, 4);
    wait_for_sact(hba, 0);
    if (td_ahci_stop(hba)) {
        /* Commands are listed as they end. */
        td_expect_uint(td_traced(hba->traced, NULL, 0)->tag, ==, 1);
        td_expect_uint(td_traced(hba->traced, NULL, 1)->tag, ==, 2);
        td_expect_uint(td_traced(hba->traced, NULL, 2)->tag, ==, 0);
    }
    td_ahci_free(hba);
}

/* It is not held for ever: 10 ms when the plan says nothing. */
static void test_reorder_alone(void)
{
    TdAhci *hba = start("[late]\nreorder=2\n");
    uint64_t addr = ahci_alloc(hba->ahci, BYTES);

    fill_queued(hba, 0, addr);
    td_ahci_ring_queued(hba, 1);
    qtest_clock_step(hba->qts, 9 * 1000 * 1000);
    td_expect_hex(td_px_read(hba, AHCI_PX_SACT), ==, 1);
    qtest_clock_step(hba->qts, 1 * 1000 * 1000);
    wait_for_sact(hba, 0);
    td_ahci_stop(hba);
    td_ahci_free(hba);
}

static const TdCase cases[] = {
    {
        .name = "delay/one",
        .title = "A command waits, others overtake it",
        .clause = "tracedisk-faults(5)",
        .good = "fault:delay",
        .ours = OURS_FAULTS,
        .clock = true,
        .run = test_delay,
    },
    {
        .name = "delay/several",
        .title = "Several wait each for its own while, over a stop of "
                 "the VM",
        .clause = "tracedisk-faults(5)",
        .good = "fault:delay fault:reorder",
        .ours = OURS_FAULTS,
        .clock = true,
        .run = test_delay_several,
    },
    {
        .name = "delay/reset",
        .title = "A command that waits ends with a reset as any in "
                 "flight",
        .clause = "tracedisk-faults(5)",
        .good = "fault:delay",
        .ours = OURS_FAULTS,
        .clock = true,
        .run = test_delay_reset,
    },
    {
        .name = "reorder/two",
        .title = "A command waits for two others to end",
        .clause = "tracedisk-faults(5)",
        .good = "fault:reorder",
        .ours = OURS_FAULTS,
        .clock = true,
        .run = test_reorder,
    },
    {
        .name = "reorder/alone",
        .title = "A command alone waits for 10 ms",
        .clause = "tracedisk-faults(5)",
        .good = "fault:reorder",
        .ours = OURS_FAULTS,
        .clock = true,
        .run = test_reorder_alone,
    },
};

const TdTopic topic_time = TD_TOPIC("time", cases);
