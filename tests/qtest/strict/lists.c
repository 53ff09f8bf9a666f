/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scatter-gather lists, 4.2.3.3, 6.1.5
 */
#include "suite.h"

/* More data than the list has room for: only COMRESET helps [6.1.5]. */
static void test_read_overflow(bool strict)
{
    TdAhci *hba = start(strict, "");
    RegH2DFIS fis = td_fis_lba48(CMD_READ_DMA_EXT, 0, SECTORS);
    TdPrd list = { ahci_alloc(hba->ahci, BYTES), 1024 };
    const TdTraced *t;

    td_ahci_fill(hba, 0, &fis, &list, 1);
    td_ahci_ring(hba, 1);
    for (unsigned i = 0; !(td_px_read(hba, AHCI_PX_IS) & AHCI_PX_IS_OFS); i++) {
        td_expect_uint(i, <, 100000);
        g_usleep(100);
    }
    td_expect_hex(td_px_read(hba, AHCI_PX_CI), ==, strict ? 1 : 0);
    check_bits(hba, AHCI_PX_IS, AHCI_PX_IS_DHRS, !strict);
    check_bits(hba, AHCI_PX_TFD, STATUS_BSY, strict);
    td_px_write(hba, AHCI_PX_CMD, AHCI_PX_CMD_FRE);
    qtest_clock_step(hba->qts, MS);
    td_px_write(hba, AHCI_PX_CMD, AHCI_PX_CMD_FRE | AHCI_PX_CMD_ST);
    check_bits(hba, AHCI_PX_CMD, AHCI_PX_CMD_CR, !strict);
    check_comreset_mends(hba);
    if (td_ahci_stop(hba)) {
        t = td_traced(hba->traced, "READ DMA EXT", 0);
        td_expect_hex(t->flags, ==, TD_LIST_SHORT);
        td_expect_uint(t->status, ==, strict ? TD_ERROR : TD_GOOD);
        td_expect_uint(t->bytes, ==, 1024);
    }
    td_ahci_free(hba);
}

/* The disk waits for data that does not come. */
static void test_write_overflow(bool strict)
{
    TdAhci *hba = start(strict, "");
    RegH2DFIS fis = td_fis_lba48(CMD_WRITE_DMA_EXT, 0, SECTORS);
    TdPrd list = { ahci_alloc(hba->ahci, BYTES), 1024 };

    td_ahci_fill(hba, 0, &fis, &list, 1);
    td_ahci_ring(hba, 1);
    if (strict) {
        qtest_clock_step(hba->qts, 30000ll * MS);
        td_expect_hex(td_px_read(hba, AHCI_PX_CI), ==, 1);
        check_bits(hba, AHCI_PX_TFD, STATUS_BSY, true);
    } else {
        td_expect_hex(td_ahci_wait(hba).error, ==, ERROR_ABRT);
    }
    check_comreset_mends(hba);
    if (td_ahci_stop(hba)) {
        td_expect_uint(td_traced(hba->traced, "WRITE DMA EXT", 0)->status, ==,
                       strict ? TD_ABORTED : TD_ERROR);
    }
    td_ahci_free(hba);
}

/* Bit 0 of DBA does not exist [4.2.3.3]. */
static void test_odd_address(bool strict)
{
    uint8_t pattern[BYTES], found[BYTES];
    TdAhci *hba = start(strict, "");
    RegH2DFIS fis = td_fis_lba48(CMD_READ_DMA_EXT, 0, SECTORS);
    uint64_t addr = ahci_alloc(hba->ahci, BYTES + 512);
    TdPrd list = { addr + 1, BYTES };

    td_pattern(pattern, BYTES, 3);
    td_disk_write(hba, 0, pattern, BYTES);
    td_ahci_io(hba, &fis, &list, 1);
    qtest_memread(hba->qts, addr + !strict, found, BYTES);
    td_expect_mem(found, pattern, BYTES);
    if (td_ahci_stop(hba)) {
        td_expect_hex(
            td_traced(hba->traced, "READ DMA EXT", 0)->elements[0].addr, ==,
            addr + !strict);
        if (strict) {
            td_expect_guest_error(hba->traced, "odd address or byte count");
        }
    }
    td_ahci_free(hba);
}

/* Bit 0 of DBC is 1: a count is even [4.2.3.3]. */
static void test_odd_count(bool strict)
{
    uint8_t pattern[BYTES], found[BYTES];
    TdAhci *hba = start(strict, "");
    RegH2DFIS fis = td_fis_lba48(CMD_READ_DMA_EXT, 0, SECTORS);
    uint64_t addr = ahci_alloc(hba->ahci, 2 * BYTES);
    TdPrd list[] = { { addr, 511 }, { addr + BYTES, BYTES - 511 } };
    size_t first = strict ? 512 : 511;

    td_pattern(pattern, BYTES, 4);
    td_disk_write(hba, 0, pattern, BYTES);
    td_ahci_io(hba, &fis, list, 2);
    qtest_memread(hba->qts, addr, found, first);
    td_expect_mem(found, pattern, first);
    qtest_memread(hba->qts, addr + BYTES, found, 100);
    td_expect_mem(found, pattern + first, 100);
    finish(hba, strict, "odd address or byte count");
}

/* PxIS.DPS tells of a PRD with the I bit that has been filled [5.4.2]. */
static void test_prd_interrupt(bool strict)
{
    TdAhci *hba = start(strict, "");
    RegH2DFIS fis = td_fis_lba48(CMD_READ_DMA_EXT, 0, SECTORS);
    uint64_t addr = ahci_alloc(hba->ahci, BYTES);
    TdPrd list[] = { { addr, 512, true }, { addr + 512, BYTES - 512 } };
    TdOutcome o = td_ahci_io(hba, &fis, list, 2);

    td_expect_good(o, BYTES);
    td_expect_hex(o.is & AHCI_PX_IS_DPS, ==, strict ? AHCI_PX_IS_DPS : 0);
    td_ahci_check_alive(hba);
    finish(hba, strict, NULL);
}

static const Rule rules[] = {
    STRICT("overflow-read", "A read with too short a list",
           "AHCI 1.3.1 6.1.5", test_read_overflow),
    STRICT("overflow-write", "A write with too short a list",
           "AHCI 1.3.1 6.1.5", test_write_overflow),
    STRICT("odd-address", "An odd DBA",
           "AHCI 1.3.1 4.2.3.3", test_odd_address),
    STRICT("odd-count", "An odd byte count",
           "AHCI 1.3.1 4.2.3.3", test_odd_count),
    STRICT("prd-interrupt", "A PRD with the I bit",
           "AHCI 1.3.1 5.4.2", test_prd_interrupt),
};

static const TdCase cases[] = STRICT_CASES(rules);

const TdTopic topic_lists = TD_TOPIC("lists", cases);
