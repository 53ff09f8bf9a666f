/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * FLUSH CACHE and FLUSH CACHE EXT: 7.10, 7.11
 */
#include "suite.h"

typedef struct Flush {
    TdRow row;
    uint8_t command;
} Flush;

static const Flush flushes[] = {
    { { "flush-cache", "FLUSH CACHE", "ACS-3 7.10", "command:0xe7" },
      CMD_FLUSH_CACHE },
    { { "flush-cache-ext", "FLUSH CACHE EXT", "ACS-3 7.11", "command:0xea" },
      CMD_FLUSH_CACHE_EXT },
};

static RegH2DFIS fis_of(const Flush *f)
{
    return td_fis_plain(f->command, 0, 0);
}

static void test_flush(void)
{
    const Flush *f = td_row();
    TdAhci *hba = td_ahci_start("");

    td_ahci_check_alive(hba);   /* writes */
    run_good(hba, fis_of(f));
    if (td_ahci_stop(hba)) {
        td_expect_uint(td_traced(hba->traced, f->row.title, 0)->op, ==,
                       TD_OP_FLUSH);
    }
    td_ahci_free(hba);
}

/* Nothing to write out, and no cache: it does no harm. */
static void test_nothing(void)
{
    TdAhci *hba = td_ahci_start("");

    run_good(hba, fis_of(td_row()));
    run_good(hba, td_fis_plain(CMD_SET_FEATURES, 0x82, 0));
    run_good(hba, fis_of(td_row()));
    finish(hba);
}

/* LBA and COUNT are no input of it. */
static void test_lba(void)
{
    TdAhci *hba = td_ahci_start("");
    RegH2DFIS fis = fis_of(td_row());

    memset(fis.lba_lo, 0xff, sizeof(fis.lba_lo));
    memset(fis.lba_hi, 0xff, sizeof(fis.lba_hi));
    fis.count = 0xffff;
    run_good(hba, fis);
    finish(hba);
}

static void test_failed(void)
{
    TdAhci *hba = td_ahci_start_failing("flush", TD_ANY_LBA);

    td_ahci_check_alive(hba);   /* writes */
    td_expect_failed(hba, td_ahci_io1(hba, fis_of(td_row()), 0, 0),
                     ERROR_ABRT);
    finish(hba);
}

static const TdCase cases[] = {
    {
        .name = "cache",
        .title = "it writes the cache out",
        .good = "@",
        .run = test_flush,
        TD_ROWS(flushes),
    },
    {
        .name = "nothing",
        .title = "it works with nothing to write, and with the cache off",
        .good = "@",
        .run = test_nothing,
        TD_ROWS(flushes),
    },
    {
        .name = "lba",
        .title = "LBA and COUNT do not matter",
        .bad = "@",
        .run = test_lba,
        TD_ROWS(flushes),
    },
    {
        .name = "failed",
        .title = "data that does not reach the medium is told, with ERR or DF",
        .clause = "6.2",
        .bad = "@",
        .run = test_failed,
        TD_ROWS(flushes),
    },
};

const TdTopic topic_flush = TD_TOPIC("flush", cases);
