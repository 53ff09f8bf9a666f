/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The general purpose logs: READ LOG, WRITE LOG, Annex A
 */
#include "suite.h"

enum { LOG_DIRECTORY = 0x00, LOG_NCQ_ERROR = 0x10, LOG_HOST = 0x80,
       LOG_HOST_2 = 0x81, HOST_PAGES = 16 };

typedef struct Access {
    TdRow row;
    uint8_t command, other;     /* other: what writes, what reads it */
} Access;

static const Access reads[] = {
    { { "read-log-ext", "READ LOG EXT", "ACS-3 7.24", "command:0x2f" },
      CMD_READ_LOG_EXT, CMD_WRITE_LOG_EXT },
    { { "read-log-dma-ext", "READ LOG DMA EXT", "ACS-3 7.25", "command:0x47" },
      0x47, 0x57 },
};
static const Access writes[] = {
    { { "write-log-ext", "WRITE LOG EXT", "ACS-3 7.62", "command:0x3f" },
      CMD_WRITE_LOG_EXT, CMD_READ_LOG_EXT },
    { { "write-log-dma-ext", "WRITE LOG DMA EXT", "ACS-3 7.63",
        "command:0x57" }, 0x57, 0x47 },
};

static RegH2DFIS fis_log(uint8_t command, uint8_t log, uint16_t page,
                         uint16_t pages)
{
    RegH2DFIS fis = td_fis_plain(command, 0, pages);

    fis.lba_lo[0] = log;
    fis.lba_lo[1] = page;
    fis.lba_hi[1] = page >> 8;
    return fis;
}

/* Version 1, then the pages of each log [A.2] */
static void test_directory(void)
{
    const Access *a = td_row();
    TdAhci *hba = start_if(84, 5, "");
    uint8_t page[512];

    if (!hba) {
        return;
    }
    read_pages(hba, fis_log(a->command, LOG_DIRECTORY, 0, 1), page, 1);
    td_expect_uint(lduw_le_p(page), ==, 1);
    td_expect_uint(lduw_le_p(page + 2 * LOG_NCQ_ERROR), ==, 1);
    td_expect_uint(lduw_le_p(page + 2 * LOG_HOST), ==, HOST_PAGES);
    finish(hba);
}

/* NQ is set while no queued command has failed [A.13]. */
static void test_no_ncq_error(void)
{
    const Access *a = td_row();
    TdAhci *hba = start_if(84, 5, "");
    uint8_t page[512];

    if (!hba) {
        return;
    }
    read_pages(hba, fis_log(a->command, LOG_NCQ_ERROR, 0, 1), page, 1);
    td_expect_set(page[0], 0x80);
    expect_checksum(page);
    finish(hba);
}

/* Of a queued command that failed: tag, status, error, LBA [A.13] */
static void test_ncq_error(void)
{
    const Access *a = td_row();
    TdAhci *hba = td_ahci_start("");
    uint8_t page[512];
    TdOutcome o = td_ahci_io1(hba, td_fis_ncq(READ_FPDMA_QUEUED, TD_BLOCKS, 1,
                                              9), BUFFER, 512);

    td_expect_failed(hba, o, ERROR_NO_BLOCK);
    read_pages(hba, fis_log(a->command, LOG_NCQ_ERROR, 0, 1), page, 1);
    td_expect_clear(page[0], 0x80);
    td_expect_uint(page[0] & 0x1f, ==, 9);
    td_expect_set(page[2], STATUS_ERR);
    td_expect_hex(page[3], ==, o.error);
    td_expect_uint(page[4] | page[5] << 8 | page[6] << 16, ==, TD_BLOCKS);
    expect_checksum(page);
    /* Read once, the error is gone [4.14.2]. */
    read_pages(hba, fis_log(a->command, LOG_NCQ_ERROR, 0, 1), page, 1);
    td_expect_set(page[0], 0x80);
    finish(hba);
}

/* No such log, behind the end of one, and no page at all */
static void check_refused(const Access *a, TdAhci *hba)
{
    run_aborted(hba, fis_log(a->command, 0x42, 0, 1), 512);
    run_aborted(hba, fis_log(a->command, LOG_HOST_2, HOST_PAGES - 1, 2), 1024);
    run_aborted(hba, fis_log(a->command, LOG_HOST_2, 0xffff, 2), 1024);
    run_aborted(hba, fis_log(a->command, LOG_HOST, 0, 0), 512);
    td_ahci_check_alive(hba);
    if (td_ahci_stop(hba)) {
        expect_traced_error(hba, a->row.title, ERROR_ABRT);
    }
    td_ahci_free(hba);
}

/* Log 10h has one page. */
static void test_read_refused(void)
{
    const Access *a = td_row();
    TdAhci *hba = start_if(84, 5, "");

    if (hba) {
        run_aborted(hba, fis_log(a->command, LOG_NCQ_ERROR, 1, 1), 512);
        check_refused(a, hba);
    }
}

/* Log 10h is the disk's own. */
static void test_write_refused(void)
{
    const Access *a = td_row();
    TdAhci *hba = start_if(84, 5, "");

    if (hba) {
        run_aborted(hba, fis_log(a->command, LOG_NCQ_ERROR, 0, 1), 512);
        check_refused(a, hba);
    }
}

/* A log of the host's own keeps what it is given, page by page. */
static void test_write(void)
{
    const Access *a = td_row();
    TdAhci *hba = start_if(84, 5, "");
    uint8_t data[1024], found[4 * 512], zeroes[512] = { 0 };

    if (!hba) {
        return;
    }
    td_pattern(data, sizeof(data), 6);
    qtest_memwrite(hba->qts, BUFFER, data, sizeof(data));
    td_expect_good(td_ahci_io1(hba, fis_log(a->command, LOG_HOST_2, 13, 2),
                               BUFFER, 1024), 1024);
    read_pages(hba, fis_log(a->other, LOG_HOST_2, 12, 4), found, 4);
    td_expect_mem(found, zeroes, 512);
    td_expect_mem(found + 512, data, sizeof(data));
    td_expect_mem(found + 3 * 512, zeroes, 512);
    finish(hba);
}

static const TdCase cases[] = {
    {
        .name = "directory",
        .title = "the directory tells how many pages each log has",
        .clause = "A.2",
        .good = "@",
        .run = test_directory,
        TD_ROWS(reads),
    },
    {
        .name = "ncq-error/none",
        .title = "log 10h says when no queued command has failed",
        .clause = "A.13",
        .good = "@",
        .run = test_no_ncq_error,
        TD_ROWS(reads),
    },
    {
        .name = "ncq-error/one",
        .title = "log 10h says which queued command failed, and how",
        .clause = "A.13",
        .good = "@",
        .run = test_ncq_error,
        TD_ROWS(reads),
    },
    {
        .name = "refused",
        .title = "it is aborted for a log that there is not, behind a log's "
                 "end, and for no page",
        .bad = "@",
        .run = test_read_refused,
        TD_ROWS(reads),
    },
    {
        .name = "host",
        .title = "a log of the host's own keeps what it is given",
        .clause = "Annex A",
        .good = "@",
        .run = test_write,
        TD_ROWS(writes),
    },
    {
        .name = "refused",
        .title = "it is aborted for a log that cannot be written, behind a "
                 "log's end, and for no page",
        .bad = "@",
        .run = test_write_refused,
        TD_ROWS(writes),
    },
};

const TdTopic topic_logs = TD_TOPIC("logs", cases);
