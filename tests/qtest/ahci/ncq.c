/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NCQ error recovery: 6.2.2.2, ACS-3 4.14.2 and A.13.
 */
#include "suite.h"

static void test_ncq_error(void)
{
    uint8_t data[BYTES], log[512], sum = 0;
    TdAhci *hba = start_with_pattern("", data);
    uint64_t page = ahci_alloc(hba->ahci, 4096);
    TdPrd list = { page, BYTES }, log_list = { page, 512 };
    RegH2DFIS bad = td_fis_ncq(READ_FPDMA_QUEUED, TD_BLOCKS, SECTORS, 7);
    RegH2DFIS good = td_fis_ncq(READ_FPDMA_QUEUED, 0, SECTORS, 8);
    RegH2DFIS read_log = td_fis_plain(0x2f, 0, 1);
    uint8_t error;
    TdOutcome o;

    o = td_ahci_io(hba, &bad, &list, 1);
    td_expect_set(o.is, AHCI_PX_IS_TFES);
    error = o.error;
    td_expect_hex(error & ERROR_NO_BLOCK, !=, 0);
    td_expect_hex(td_px_read(hba, AHCI_PX_SACT), ==, 1 << 7);
    td_ahci_recover(hba);

    /* Until the log is read the disk refuses queued commands. */
    o = td_ahci_io(hba, &good, &list, 1);
    td_expect_set(o.is, AHCI_PX_IS_TFES);
    td_expect_hex(o.error, ==, ERROR_ABRT);
    td_ahci_recover(hba);

    read_log.lba_lo[0] = 0x10;
    td_expect_good(td_ahci_io(hba, &read_log, &log_list, 1), 512);
    qtest_memread(hba->qts, page, log, 512);
    td_expect_hex(log[0], ==, 7);
    td_expect_set(log[2], STATUS_ERR);
    td_expect_hex(log[3], ==, error);
    for (int i = 0; i < 512; i++) {
        sum += log[i];
    }
    td_expect_hex(sum, ==, 0);

    o = td_ahci_io(hba, &good, &list, 1);
    td_expect_clear(o.is, AHCI_PX_IS_TFES);
    td_expect_memory(hba, page, data, BYTES);
    if (td_ahci_stop(hba)) {
        td_expect_hex(td_traced(hba->traced, "READ FPDMA QUEUED", 0)->ata_error,
                      ==, ERROR_IDNF);
        td_expect_uint(td_traced(hba->traced, "READ FPDMA QUEUED", 2)->status,
                       ==, TD_GOOD);
    }
    td_ahci_free(hba);
}

/* The others in flight end without a word; they stay in PxSACT. */
static void test_ncq_error_among_others(void)
{
    TdAhci *hba = td_ahci_start_with(HELD, "");
    uint64_t base = ahci_alloc(hba->ahci, TD_AHCI_SLOTS * BYTES);
    RegH2DFIS bad = td_fis_ncq(READ_FPDMA_QUEUED, TD_BLOCKS, 1, 1);
    TdPrd list = { base, 512 };
    uint32_t sact;

    fill_all(hba, true, base);
    /* Slot 1 is the first that is served: use it again. */
    while (td_px_read(hba, AHCI_PX_SACT) & 2) {
        g_usleep(100);
    }
    td_ahci_fill(hba, 1, &bad, &list, 1);
    td_ahci_ring_queued(hba, 2);
    td_expect_set(td_ahci_wait(hba).is, AHCI_PX_IS_TFES);
    sact = td_px_read(hba, AHCI_PX_SACT);
    td_expect_uint(ctpop32(sact), >, TD_AHCI_SLOTS / 2);
    td_expect_set(sact, 2);
    let_time_pass();
    td_expect_hex(td_px_read(hba, AHCI_PX_SACT), ==, sact);
    td_ahci_recover(hba);
    if (td_ahci_stop(hba)) {
        td_expect_uint(count_status(hba, TD_ERROR), ==, 1);
        td_expect_uint(count_status(hba, TD_ABORTED), ==, ctpop32(sact) - 1);
    }
    td_ahci_free(hba);
}

static const TdCase cases[] = {
    {
        .name = "error/alone",
        .title = "After a failed queued command log 10h tells which it "
                 "was, and queued commands are aborted until it is read",
        .clause = "ACS-3 4.14.2",
        .good = "error:log-10h",
        .bad = "error:PxIS.TFES command:0x60 log:0x10",
        .run = test_ncq_error,
    },
    {
        .name = "error/among-others",
        .title = "A failed queued command stays in PxSACT, and so do "
                 "those that it ends",
        .clause = "AHCI 1.3.1 6.2.2.2",
        .bad = "error:PxIS.TFES register:PxSACT fis:set-device-bits",
        .run = test_ncq_error_among_others,
    },
};

const TdTopic topic_ncq = TD_TOPIC("ncq", cases);
