/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SMART, 7.48
 */
#include "suite.h"

enum { READ_DATA = 0xd0, READ_THRESHOLDS = 0xd1, AUTOSAVE = 0xd2,
       READ_LOG = 0xd5, WRITE_LOG = 0xd6, ENABLE = 0xd8, DISABLE = 0xd9,
       RETURN_STATUS = 0xda };
enum { LOG_DIRECTORY = 0x00, LOG_SUMMARY = 0x01, LOG_SELF_TEST = 0x06,
       LOG_HOST = 0x80 };

typedef struct Smart {
    TdRow row;
    uint8_t what, pages;
} Smart;

#define SMART(sub, id, title_, pages_) \
    { { id, title_, "ACS-3 7.48", "command:0xb0/" #sub }, sub, pages_ }

static const Smart commands[] = {
    SMART(0xd0, "read-data", "SMART READ DATA", 1),
    SMART(0xd1, "read-thresholds", "SMART READ ATTRIBUTE THRESHOLDS", 1),
    SMART(0xd2, "autosave", "SMART ENABLE/DISABLE ATTRIBUTE AUTOSAVE", 0),
    SMART(0xd5, "read-log", "SMART READ LOG", 1),
    SMART(0xd6, "write-log", "SMART WRITE LOG", 1),
    SMART(0xd8, "enable", "SMART ENABLE OPERATIONS", 0),
    SMART(0xd9, "disable", "SMART DISABLE OPERATIONS", 0),
    SMART(0xda, "return-status", "SMART RETURN STATUS", 0),
};

static bool is_not_enable(const TdRow *row)
{
    return ((const Smart *)row)->what != ENABLE;
}

static RegH2DFIS fis_smart(uint8_t what)
{
    RegH2DFIS fis = td_fis_plain(CMD_SMART, what, 1);

    fis.lba_lo[1] = 0x4f;
    fis.lba_lo[2] = 0xc2;
    return fis;
}

static RegH2DFIS fis_log(uint8_t what, uint8_t log, uint8_t pages)
{
    RegH2DFIS fis = fis_smart(what);

    fis.lba_lo[0] = log;
    fis.count = pages;
    return fis;
}

static RegH2DFIS fis_of(const Smart *c)
{
    return c->what == READ_LOG ? fis_log(c->what, LOG_SUMMARY, 1) :
           c->what == WRITE_LOG ? fis_log(c->what, LOG_HOST, 1) :
                                  fis_smart(c->what);
}

/*
 * SMART's logs are there when word 84 bit 0 says so. Ours has some and does not
 * say it, for all that would be due with it.
 */
static bool lacks_logs(TdAhci *hba)
{
    uint16_t w[256];

    identify(hba, w);
    if (td_system() != TD_PEER || w[84] & 1) {
        return false;
    }
    g_test_skip("IDENTIFY DEVICE word 84 bit 0 is 0: no SMART logs");
    finish(hba);
    return true;
}

/* The same attributes in both pages, and none below its threshold */
static void test_attributes(void)
{
    TdAhci *hba = td_ahci_start("");
    uint8_t data[512], thresholds[512];

    read_pages(hba, fis_smart(READ_DATA), data, 1);
    expect_checksum(data);
    read_pages(hba, fis_smart(READ_THRESHOLDS), thresholds, 1);
    expect_checksum(thresholds);
    for (unsigned at = 2; at < 2 + 30 * 12; at += 12) {
        td_expect_hex(thresholds[at], ==, data[at]);
        td_expect_uint(thresholds[at + 1], <=, data[at + 3]);
    }
    finish(hba);
}

/* No threshold is exceeded: the key comes back as it was. */
static void test_status(void)
{
    TdAhci *hba = td_ahci_start("");

    run_good(hba, fis_smart(RETURN_STATUS));
    td_expect_hex(received_lba(hba) >> 8 & 0xffff, ==, 0xc24f);
    finish(hba);
}

static void test_autosave(void)
{
    TdAhci *hba = td_ahci_start("");
    RegH2DFIS fis = fis_smart(AUTOSAVE);

    fis.count = 0xf1;
    run_good(hba, fis);
    fis.count = 0;
    run_good(hba, fis);
    finish(hba);
}

/* IDENTIFY DEVICE word 85 says it. */
static void test_enable(void)
{
    TdAhci *hba = td_ahci_start("");
    uint16_t w[256];

    run_good(hba, fis_smart(DISABLE));
    identify(hba, w);
    td_expect_clear(w[85], 1);
    run_good(hba, fis_smart(ENABLE));
    identify(hba, w);
    td_expect_set(w[85], 1);
    finish(hba);
}

static void test_logs(void)
{
    TdAhci *hba = td_ahci_start("");
    uint8_t page[512];

    if (lacks_logs(hba)) {
        return;
    }
    read_pages(hba, fis_log(READ_LOG, LOG_DIRECTORY, 1), page, 1);
    td_expect_uint(lduw_le_p(page + 2 * LOG_SUMMARY), ==, 1);
    read_pages(hba, fis_log(READ_LOG, LOG_SUMMARY, 1), page, 1);
    td_expect_uint(page[0], ==, 1);
    expect_checksum(page);
    read_pages(hba, fis_log(READ_LOG, LOG_SELF_TEST, 1), page, 1);
    td_expect_uint(page[0], ==, 1);
    expect_checksum(page);
    finish(hba);
}

/* The host's logs are the same ones as those of WRITE LOG EXT. */
static void test_host_log(void)
{
    TdAhci *hba = start_if(84, 5, "");
    RegH2DFIS gpl = td_fis_plain(CMD_READ_LOG_EXT, 0, 2);
    uint8_t data[1024], found[1024];

    if (!hba) {
        return;
    }
    td_pattern(data, sizeof(data), 8);
    qtest_memwrite(hba->qts, BUFFER, data, sizeof(data));
    td_expect_good(td_ahci_io1(hba, fis_log(WRITE_LOG, LOG_HOST, 2), BUFFER,
                               1024), 1024);
    read_pages(hba, fis_log(READ_LOG, LOG_HOST, 2), found, 2);
    td_expect_mem(found, data, sizeof(data));
    gpl.lba_lo[0] = LOG_HOST;
    read_pages(hba, gpl, found, 2);
    td_expect_mem(found, data, sizeof(data));
    finish(hba);
}

/* Without the key in LBA 23:8 it is no SMART command. */
static void test_key(void)
{
    const Smart *c = td_row();
    TdAhci *hba = td_ahci_start("");
    RegH2DFIS fis = fis_of(c);

    fis.lba_lo[1] = 0;
    run_aborted(hba, fis, c->pages * 512);
    fis = fis_of(c);
    fis.lba_lo[2] = 0x2c;
    run_aborted(hba, fis, c->pages * 512);
    finish(hba);
}

static void test_disabled(void)
{
    const Smart *c = td_row();
    TdAhci *hba = td_ahci_start("");

    if ((c->what == READ_LOG || c->what == WRITE_LOG) && lacks_logs(hba)) {
        return;
    }
    run_good(hba, fis_smart(DISABLE));
    run_aborted(hba, fis_of(c), c->pages * 512);
    run_good(hba, fis_smart(ENABLE));
    td_expect_good(td_ahci_io1(hba, fis_of(c), BUFFER, c->pages * 512),
                   c->pages * 512);
    finish(hba);
}

static void test_logs_refused(void)
{
    TdAhci *hba = td_ahci_start("");

    if (lacks_logs(hba)) {
        return;
    }
    run_aborted(hba, fis_log(READ_LOG, 0x42, 1), 512);
    run_aborted(hba, fis_log(READ_LOG, LOG_SUMMARY, 2), 1024);
    run_aborted(hba, fis_log(READ_LOG, LOG_SUMMARY, 0), 512);
    run_aborted(hba, fis_log(READ_LOG, LOG_HOST, 17), 17 * 512);
    run_aborted(hba, fis_log(WRITE_LOG, LOG_SUMMARY, 1), 512);
    run_aborted(hba, fis_log(WRITE_LOG, LOG_HOST, 17), 17 * 512);
    run_aborted(hba, fis_log(WRITE_LOG, LOG_HOST, 0), 512);
    finish(hba);
}

static void test_unknown(void)
{
    TdAhci *hba = td_ahci_start("");

    run_aborted(hba, fis_smart(0xd7), 0);
    run_aborted(hba, fis_smart(0x00), 0);
    td_ahci_check_alive(hba);
    if (td_ahci_stop(hba)) {
        expect_traced_error(hba, "SMART", ERROR_ABRT);
    }
    td_ahci_free(hba);
}

static const TdCase cases[] = {
    {
        .name = "attributes",
        .title = "Values and thresholds are of the same attributes, and none "
                 "is exceeded",
        .clause = "ACS-3 7.48",
        .good = "command:0xb0 command:0xb0/0xd0 command:0xb0/0xd1",
        .run = test_attributes,
    },
    {
        .name = "status",
        .title = "SMART RETURN STATUS gives the key back when all is well",
        .clause = "ACS-3 7.48.8",
        .good = "command:0xb0/0xda",
        .run = test_status,
    },
    {
        .name = "autosave",
        .title = "Attribute autosave goes on and off",
        .clause = "ACS-3 7.48",
        .good = "command:0xb0/0xd2",
        .run = test_autosave,
    },
    {
        .name = "switch",
        .title = "IDENTIFY DEVICE tells whether SMART is on",
        .clause = "ACS-3 7.48",
        .good = "command:0xb0/0xd8 command:0xb0/0xd9",
        .run = test_enable,
    },
    {
        .name = "logs",
        .title = "The directory, the summary error and the self-test log are "
                 "there",
        .clause = "ACS-3 Annex A",
        .good = "command:0xb0/0xd5",
        .run = test_logs,
    },
    {
        .name = "host-log",
        .title = "A log of the host's own keeps what SMART WRITE LOG gives it",
        .clause = "ACS-3 Annex A",
        .good = "command:0xb0/0xd5 command:0xb0/0xd6",
        .run = test_host_log,
    },
    {
        .name = "key",
        .title = "it is aborted without the key C24Fh in LBA 23:8",
        .bad = "@",
        .run = test_key,
        TD_ROWS(commands),
    },
    {
        .name = "disabled",
        .title = "it is aborted while SMART is off, and works after",
        .bad = "@",
        .run = test_disabled,
        TD_ROWS(commands),
        .only = is_not_enable,
    },
    {
        .name = "logs-refused",
        .title = "A log that there is not, is too short, or cannot be written "
                 "ends in ABRT",
        .clause = "ACS-3 7.48",
        .bad = "command:0xb0/0xd5 command:0xb0/0xd6",
        .run = test_logs_refused,
    },
    {
        .name = "unknown",
        .title = "A SMART command that there is not ends in ABRT",
        .clause = "ACS-3 7.48",
        .bad = "command:0xb0",
        .run = test_unknown,
    },
};

const TdTopic topic_smart = TD_TOPIC("smart", cases);
