/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The link is lost, and comes back.
 *
 * Clauses in brackets are of AHCI 1.3.1.
 */
#include "suite.h"

/* PhyRdy is lost and the disk exchanged, as it looks [3.3.5, 3.3.12]. */
static void test_link_reset(void)
{
    uint32_t derived = AHCI_PX_IS_PCS | AHCI_PX_IS_PRCS;
    const TdTraced *t;
    TdAhci *hba = start("[link]\ntag=2\nnth=1\nlink=reset\n");
    uint64_t addr = ahci_alloc(hba->ahci, 4 * BYTES);

    fill_queued(hba, 1, addr);
    fill_queued(hba, 2, addr + BYTES);
    td_ahci_ring_queued(hba, 6);
    for (unsigned i = 0; !(td_px_read(hba, AHCI_PX_IS) & AHCI_PX_IS_PRCS);
         i++) {
        td_expect_uint(i, <, 100000);
        g_usleep(100);
    }
    td_expect_hex(td_px_read(hba, AHCI_PX_IS) & derived, ==, derived);
    td_expect_hex(td_px_read(hba, AHCI_PX_SERR), ==, 1 << 26 | 1 << 16);
    td_expect_hex(td_px_read(hba, AHCI_PX_SACT) & 4, ==, 4);
    td_expect_hex(td_px_read(hba, AHCI_PX_TFD) & 0x89, ==, 0);
    /* Nothing runs until ST was cleared. */
    td_ahci_ring_queued(hba, 8);
    td_expect_hex(td_px_read(hba, AHCI_PX_SACT) & 8, ==, 8);
    td_ahci_recover(hba);
    td_expect_hex(td_px_read(hba, AHCI_PX_IS) & derived, ==, 0);
    td_ahci_check_alive(hba);
    if (td_ahci_stop(hba)) {
        t = td_traced(hba->traced, NULL, 0)->tag == 2 ?
                td_traced(hba->traced, NULL, 0) :
                td_traced(hba->traced, NULL, 1);
        td_expect_uint(t->status, ==, TD_ABORTED);
        check_fault(hba, 0, "[link] link=reset", t);
        td_expect_uint(
            td_traced_events(hba->traced, TD_EVENT_PORT, "link-down"), ==, 1);
        td_expect_uint(td_traced_events(hba->traced, TD_EVENT_PORT, "link-up"),
                       ==, 1);
    }
    td_ahci_free(hba);
}

static const TdCase cases[] = {
    {
        .name = "reset",
        .title = "PhyRdy is lost and the disk exchanged; nothing runs "
                 "until PxCMD.ST was cleared",
        .clause = "AHCI 1.3.1 3.3.5, 3.3.12",
        .good = "fault:link",
        .ours = OURS_FAULTS,
        .run = test_link_reset,
    },
};

const TdTopic topic_link = TD_TOPIC("link", cases);
