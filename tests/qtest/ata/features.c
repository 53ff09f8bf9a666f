/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SET FEATURES, 7.45, and SET MULTIPLE MODE, 7.46
 */
#include "suite.h"

static RegH2DFIS feature(uint8_t what, uint8_t count)
{
    return td_fis_plain(CMD_SET_FEATURES, what, count);
}

static RegH2DFIS multiple(uint8_t count)
{
    return td_fis_plain(CMD_SET_MULTIPLE_MODE, 0, count);
}

/* On and off, as a bit of IDENTIFY DEVICE word 85 tells */
static void check_switch(uint8_t off, uint8_t on, unsigned bit)
{
    TdAhci *hba = start_if(82, bit, "");
    uint16_t w[256];

    if (!hba) {
        return;
    }
    run_good(hba, feature(off, 0));
    identify(hba, w);
    td_expect_clear(w[85], 1 << bit);
    td_ahci_check_alive(hba);
    run_good(hba, feature(on, 0));
    identify(hba, w);
    td_expect_set(w[85], 1 << bit);
    finish(hba);
}

static void test_write_cache(void)
{
    check_switch(0x82, 0x02, 5);
}

static void test_look_ahead(void)
{
    check_switch(0x55, 0xaa, 6);
}

static void test_settings(void)
{
    TdAhci *hba = td_ahci_start("");

    run_good(hba, feature(0x66, 0));
    run_good(hba, feature(0xcc, 0));
    finish(hba);
}

/* Every mode that IDENTIFY DEVICE has, and how it then says so */
static void test_transfer_mode(void)
{
    TdAhci *hba = td_ahci_start("");
    uint16_t w[256];

    identify(hba, w);
    run_good(hba, feature(0x03, 0x00));
    run_good(hba, feature(0x03, 0x01));
    for (unsigned mode = 0; mode < 3; mode++) {
        if (w[63] & 1 << mode) {
            run_good(hba, feature(0x03, 0x20 | mode));
            identify(hba, w);
            td_expect_hex(w[63] >> 8 & 7, ==, 1 << mode);
            td_expect_hex(w[88] >> 8 & 0x7f, ==, 0);
        }
    }
    for (unsigned mode = 0; mode < 7; mode++) {
        if (w[88] & 1 << mode) {
            run_good(hba, feature(0x03, 0x40 | mode));
            identify(hba, w);
            td_expect_hex(w[88] >> 8 & 0x7f, ==, 1 << mode);
            td_expect_hex(w[63] >> 8 & 7, ==, 0);
        }
    }
    finish(hba);
}

/* A mode that IDENTIFY DEVICE does not have; what was set stays [7.45]. */
static void test_transfer_mode_refused(void)
{
    static const uint8_t modes[] = {
        0x02,           /* PIO default, reserved */
        0x0d, 0x0f,     /* PIO with flow control 5 and 7 */
        0x10, 0x18,     /* singleword DMA, reserved */
        0x23, 0x27,     /* multiword DMA 3 and 7 */
        0x47,           /* Ultra DMA 7 */
        0x80, 0xff,
    };
    TdAhci *hba = td_ahci_start("");
    uint16_t w[256];

    run_good(hba, feature(0x03, 0x44));
    for (unsigned i = 0; i < ARRAY_SIZE(modes); i++) {
        run_aborted(hba, feature(0x03, modes[i]), 0);
    }
    identify(hba, w);
    td_expect_hex(w[88] >> 8, ==, 1 << 4);
    finish(hba);
}

/* What the cache holds cannot be written: it stays on. */
static void test_write_cache_kept(void)
{
    TdAhci *hba = td_ahci_start_failing("flush", TD_ANY_LBA);
    uint16_t w[256];

    td_ahci_check_alive(hba);   /* writes */
    td_expect_failed(hba, td_ahci_io1(hba, feature(0x82, 0), 0, 0),
                     ERROR_ABRT);
    identify(hba, w);
    td_expect_set(w[85], 1 << 5);
    finish(hba);
}

static void test_unknown(void)
{
    TdAhci *hba = td_ahci_start("");

    run_aborted(hba, feature(0x00, 0), 0);
    run_aborted(hba, feature(0x77, 0), 0);
    run_aborted(hba, feature(0xff, 0), 0);
    td_ahci_check_alive(hba);
    if (td_ahci_stop(hba)) {
        expect_traced_error(hba, "SET FEATURES", ERROR_ABRT);
    }
    td_ahci_free(hba);
}

/* Word 59 says it, and the last PIO Setup FIS how much was left. */
static void test_multiple(void)
{
    TdAhci *hba = td_ahci_start("");
    uint8_t fis[20];
    uint16_t w[256];

    identify(hba, w);
    for (unsigned count = 1; count <= (w[47] & 0xff); count *= 2) {
        run_good(hba, multiple(count));
        identify(hba, w);
        td_expect_hex(w[59] & 0x1ff, ==, 0x100 | count);
    }
    run_good(hba, multiple(4));
    td_expect_good(td_ahci_io1(hba, td_fis_lba28(CMD_READ_MULTIPLE, 8, 6),
                               BUFFER, 6 * 512), 6 * 512);
    td_ahci_received(hba, TD_FB_PIO_SETUP, fis, sizeof(fis));
    td_expect_hex(fis[0], ==, PIO_SETUP_FIS);
    td_expect_uint(lduw_le_p(fis + 16), ==, 2 * 512);
    run_good(hba, multiple(0));
    identify(hba, w);
    td_expect_hex(w[59] & 0x1ff, ==, 0);
    finish(hba);
}

/* No power of two, and more than word 47 allows; what was set stays. */
static void test_multiple_refused(void)
{
    TdAhci *hba = td_ahci_start("");
    uint16_t w[256];

    run_good(hba, multiple(8));
    run_aborted(hba, multiple(3), 0);
    run_aborted(hba, multiple(32), 0);
    run_aborted(hba, multiple(255), 0);
    identify(hba, w);
    td_expect_hex(w[59] & 0x1ff, ==, 0x108);
    finish(hba);
}

static const TdCase cases[] = {
    {
        .name = "write-cache",
        .title = "The write cache goes off and on, and IDENTIFY DEVICE tells",
        .clause = "ACS-3 7.45",
        .good = "command:0xef command:0xef/0x02 command:0xef/0x82",
        .run = test_write_cache,
    },
    {
        .name = "look-ahead",
        .title = "Look-ahead goes off and on, and IDENTIFY DEVICE tells",
        .clause = "ACS-3 7.45",
        .good = "command:0xef/0x55 command:0xef/0xaa",
        .run = test_look_ahead,
    },
    {
        .name = "settings",
        .title = "Settings over a soft reset can be kept, and reverted",
        .clause = "ACS-3 7.45",
        .good = "command:0xef/0x66 command:0xef/0xcc",
        .run = test_settings,
    },
    {
        .name = "transfer-mode",
        .title = "Every mode of IDENTIFY DEVICE can be set, one at a time",
        .clause = "ACS-3 7.45",
        .good = "command:0xef/0x03",
        .run = test_transfer_mode,
    },
    {
        .name = "transfer-mode-refused",
        .title = "A mode that IDENTIFY DEVICE does not have ends in ABRT",
        .clause = "ACS-3 7.45",
        .bad = "command:0xef/0x03",
        .run = test_transfer_mode_refused,
    },
    {
        .name = "write-cache-kept",
        .title = "A write cache that cannot be written out stays on",
        .clause = "ACS-3 7.45",
        .bad = "command:0xef/0x82",
        .ours = OURS_DEFINED,
        .run = test_write_cache_kept,
    },
    {
        .name = "unknown",
        .title = "A feature that there is not ends in ABRT",
        .clause = "ACS-3 7.45",
        .bad = "command:0xef",
        .run = test_unknown,
    },
    {
        .name = "multiple",
        .title = "Every count up to word 47's can be set, and is what a DRQ "
                 "block has",
        .clause = "ACS-3 7.46",
        .good = "command:0xc6",
        .run = test_multiple,
    },
    {
        .name = "multiple-refused",
        .title = "A count that is no power of two, or too large, ends in ABRT",
        .clause = "ACS-3 7.46",
        .bad = "command:0xc6",
        .run = test_multiple_refused,
    },
};

const TdTopic topic_features = TD_TOPIC("features", cases);
