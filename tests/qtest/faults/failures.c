/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands that fail: status, error, log 10h, the part that was moved.
 *
 * Clauses in brackets are of AHCI 1.3.1.
 */
#include "suite.h"

static void test_error(void)
{
    TdAhci *hba = start("[bad]\nlba=100\nstatus=0x71\nerror=0x44\ncount=1\n");
    uint64_t addr = ahci_alloc(hba->ahci, BYTES);
    const TdTraced *t;
    TdOutcome o;

    o = run_at(hba, CMD_READ_DMA_EXT, 96, addr);
    td_expect(has_failed(o));
    td_expect_hex(o.status, ==, 0x71);
    td_expect_hex(o.error, ==, 0x44);
    td_expect_uint(o.prdbc, ==, 0);
    td_ahci_recover(hba);
    td_expect(!has_failed(run_at(hba, CMD_READ_DMA_EXT, 96, addr)));
    if (td_ahci_stop(hba)) {
        t = td_traced(hba->traced, "READ DMA EXT", 0);
        td_expect_uint(t->status, ==, TD_ERROR);
        td_expect_hex(t->ata_status, ==, 0x71);
        td_expect_hex(t->ata_error, ==, 0x44);
        check_fault(hba, 0, "[bad] status=0x71 error=0x44", t);
    }
    td_ahci_free(hba);
}

/* A queued command fails as any: SDB FIS, PxSACT, log 10h [6.2.2.2]. */
static void test_error_queued(void)
{
    TdAhci *hba = start("[bad]\ncommand=WRITE FPDMA QUEUED\nerror=idnf\n");
    RegH2DFIS fis = td_fis_ncq(WRITE_FPDMA_QUEUED, 0, SECTORS, 5);
    uint64_t addr = ahci_alloc(hba->ahci, BYTES);
    uint8_t log[512];
    RegH2DFIS read_log = td_fis_plain(0x2f, 0, 1); /* READ LOG EXT */
    TdPrd page = { addr, sizeof(log) };
    TdOutcome o = run(hba, &fis, addr);

    td_expect(has_failed(o));
    td_expect_hex(o.error, ==, ERROR_IDNF);
    td_expect_hex(td_px_read(hba, AHCI_PX_SACT), ==, 1 << 5);
    td_ahci_recover(hba);
    read_log.lba_lo[0] = 0x10;
    td_expect(!has_failed(td_ahci_io(hba, &read_log, &page, 1)));
    qtest_memread(hba->qts, addr, log, sizeof(log));
    td_expect_hex(log[0], ==, 5); /* ACS-3 A.13: the tag */
    td_expect_hex(log[3], ==, ERROR_IDNF);
    td_ahci_stop(hba);
    td_ahci_free(hba);
}

/* An error after a part of the data: the LBA says how far it came. */
static void test_error_after_data(void)
{
    TdAhci *hba = start("[bad]\nop=read\nnth=1\nshort=1024\nerror=unc\n");
    uint64_t addr = ahci_alloc(hba->ahci, BYTES);
    TdOutcome o = run_at(hba, CMD_READ_DMA_EXT, 64, addr);
    uint8_t fis[20];

    td_expect(has_failed(o));
    td_expect_uint(o.prdbc, ==, 1024);
    qtest_memread(hba->qts, hba->ahci->port[hba->port].fb + 0x40, fis, 20);
    td_expect_hex(fis[4], ==, 64 + 2);
    if (td_ahci_stop(hba)) {
        td_expect_uint(td_traced(hba->traced, "READ DMA EXT", 0)->bytes, ==,
                       1024);
    }
    td_ahci_free(hba);
}

static const TdCase cases[] = {
    {
        .name = "plain",
        .title = "A command fails with the STATUS and ERROR of the "
                 "plan",
        .clause = "tracedisk-faults(5)",
        .good = "fault:error fault:status",
        .ours = OURS_FAULTS,
        .run = test_error,
    },
    {
        .name = "queued",
        .title = "A queued command fails as any: in PxSACT and log 10h",
        .clause = "AHCI 1.3.1 6.2.2.2",
        .good = "fault:error",
        .ours = OURS_FAULTS,
        .run = test_error_queued,
    },
    {
        .name = "after-data",
        .title = "An error after a part of the data says how far it "
                 "came",
        .clause = "ACS-3 6.3",
        .good = "fault:error fault:short",
        .ours = OURS_FAULTS,
        .run = test_error_after_data,
    },
};

const TdTopic topic_failures = TD_TOPIC("failures", cases);
