/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DATA SET MANAGEMENT with TRIM, 7.5
 */
#include "suite.h"

#define ENTRIES 64              /* of a page */

static RegH2DFIS trim(uint16_t features, uint16_t pages)
{
    return td_fis_plain(CMD_DATA_SET_MANAGEMENT, features, pages);
}

static uint64_t entry(uint64_t lba, uint16_t blocks)
{
    return cpu_to_le64(lba | (uint64_t)blocks << 48);
}

/* NULL: the disk has no TRIM. */
static TdAhci *start(void)
{
    return start_if(169, 0, ",discard_granularity=512");
}

/* IDENTIFY DEVICE word 105; 0: the disk does not say. */
static unsigned most_pages(TdAhci *hba)
{
    uint16_t w[256];

    identify(hba, w);
    return w[105];
}

/* Two ranges among empty ones; what is beside them stays. */
static void test_ranges(void)
{
    TdAhci *hba = start();
    uint8_t data[BYTES], found[BYTES], zeroes[1024] = { 0 };
    uint64_t ranges[ENTRIES] = { 0 };

    if (!hba) {
        return;
    }
    td_pattern(data, BYTES, 9);
    td_disk_write(hba, 200, data, BYTES);
    ranges[3] = entry(202, 1);
    ranges[63] = entry(203, 1);
    qtest_memwrite(hba->qts, BUFFER, ranges, sizeof(ranges));
    td_expect_good(td_ahci_io1(hba, trim(1, 1), BUFFER, 512), 512);
    td_disk_read(hba, 200, found, BYTES);
    td_expect_mem(found, data, 1024);
    td_expect_mem(found + 1024, zeroes, 1024);
    td_expect_mem(found + 2048, data + 2048, BYTES - 2048);
    if (td_ahci_stop(hba)) {
        const TdTraced *c = td_traced(hba->traced, "DATA SET MANAGEMENT", 0);

        td_expect_uint(c->op, ==, TD_OP_TRIM);
        td_expect_uint(td_traced_events(hba->traced, TD_EVENT_TRIM, ""), ==,
                       2);
        for (unsigned i = 0; i < 2; i++) {
            const TdTracedEvent *e = td_traced_event(hba->traced,
                                                     TD_EVENT_TRIM, i);

            td_expect_uint(e->ref, ==, c->seq);
            td_expect_uint(e->seq, <, c->complete_seq);
            td_expect_uint(e->addr, ==, 202 + i);
            td_expect_uint(e->len, ==, 1);
            td_expect_uint(e->value, ==, 0);
        }
    }
    td_ahci_free(hba);
}

/* As many pages as word 105 says; the last range of the last one counts. */
static void test_pages(void)
{
    TdAhci *hba = start();
    uint8_t data[512], zeroes[512] = { 0 }, found[512];
    uint64_t range = entry(77, 1);
    unsigned pages;

    if (!hba) {
        return;
    }
    pages = most_pages(hba) ?: 1;
    td_pattern(data, sizeof(data), 2);
    td_disk_write(hba, 77, data, sizeof(data));
    qtest_memset(hba->qts, BUFFER, 0, pages * 512);
    qtest_memwrite(hba->qts, BUFFER + pages * 512 - 8, &range, 8);
    td_expect_good(td_ahci_io1(hba, trim(1, pages), BUFFER, pages * 512),
                   pages * 512);
    td_disk_read(hba, 77, found, sizeof(found));
    td_expect_mem(found, zeroes, sizeof(zeroes));
    finish(hba);
}

/* A range that reaches behind the last block */
static void test_end(void)
{
    TdAhci *hba = start();
    uint64_t ranges[ENTRIES] = { 0 };

    if (!hba) {
        return;
    }
    ranges[0] = entry(TD_BLOCKS - 1, 1);
    qtest_memwrite(hba->qts, BUFFER, ranges, sizeof(ranges));
    td_expect_good(td_ahci_io1(hba, trim(1, 1), BUFFER, 512), 512);
    ranges[0] = entry(TD_BLOCKS - 1, 2);
    qtest_memwrite(hba->qts, BUFFER, ranges, sizeof(ranges));
    td_expect_failed(hba, td_ahci_io1(hba, trim(1, 1), BUFFER, 512),
                     ERROR_NO_BLOCK);
    ranges[0] = entry((1ull << 48) - 1, 0xffff);
    qtest_memwrite(hba->qts, BUFFER, ranges, sizeof(ranges));
    td_expect_failed(hba, td_ahci_io1(hba, trim(1, 1), BUFFER, 512),
                     ERROR_NO_BLOCK);
    finish(hba);
}

/* More pages than word 105 has, none, and no TRIM bit */
static void test_refused(void)
{
    TdAhci *hba = start();
    unsigned pages;

    if (!hba) {
        return;
    }
    pages = most_pages(hba);
    if (pages) {
        run_aborted(hba, trim(1, pages + 1), (pages + 1) * 512);
    }
    run_aborted(hba, trim(1, 0), 512);
    run_aborted(hba, trim(0, 1), 512);
    run_aborted(hba, trim(2, 1), 512);
    td_ahci_check_alive(hba);
    if (td_ahci_stop(hba)) {
        expect_traced_error(hba, "DATA SET MANAGEMENT", ERROR_ABRT);
    }
    td_ahci_free(hba);
}

/* A disk that cannot trim says so, and aborts. */
static void test_none(void)
{
    TdAhci *hba = td_ahci_start(",discard_granularity=0");
    uint16_t w[256];

    identify(hba, w);
    td_expect_clear(w[169], 1);
    run_aborted(hba, trim(1, 1), 512);
    finish(hba);
}

static const TdCase cases[] = {
    {
        .name = "ranges",
        .title = "TRIM takes the ranges it is given, and skips empty ones",
        .clause = "ACS-3 7.5",
        .good = "command:0x06",
        .run = test_ranges,
    },
    {
        .name = "pages",
        .title = "TRIM takes as many pages as IDENTIFY DEVICE word 105 says",
        .clause = "ACS-3 7.5",
        .good = "command:0x06",
        .run = test_pages,
    },
    {
        .name = "end",
        .title = "A range that reaches behind the last block is refused",
        .clause = "ACS-3 7.5",
        .bad = "command:0x06",
        .run = test_end,
    },
    {
        .name = "refused",
        .title = "Too many pages, none, or another function than TRIM end in "
                 "ABRT",
        .clause = "ACS-3 7.5",
        .bad = "command:0x06",
        .run = test_refused,
    },
    {
        .name = "none",
        .title = "A disk without TRIM does not announce it, and aborts it",
        .clause = "ACS-3 7.5",
        .bad = "command:0x06",
        .run = test_none,
    },
};

const TdTopic topic_trim = TD_TOPIC("trim", cases);
