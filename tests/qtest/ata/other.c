/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NOP 7.17, EXECUTE DEVICE DIAGNOSTIC 7.9, READ NATIVE MAX ADDRESS (ATA8-ACS)
 */
#include "suite.h"

static void test_nop(void)
{
    TdAhci *hba = td_ahci_start("");

    run_aborted(hba, td_fis_plain(0x00, 0x00, 0), 0);
    td_ahci_check_alive(hba);
    if (td_ahci_stop(hba)) {
        expect_traced_error(hba, "NOP", ERROR_ABRT);
    }
    td_ahci_free(hba);
}

/* Whatever the subcommand, and without touching a list */
static void test_nop_list(void)
{
    TdAhci *hba = td_ahci_start("");
    uint8_t memory[512];

    td_pattern(memory, sizeof(memory), 1);
    qtest_memwrite(hba->qts, BUFFER, memory, sizeof(memory));
    run_aborted(hba, td_fis_plain(0x00, 0x01, 1), 512);
    run_aborted(hba, td_fis_plain(0x00, 0xff, 1), 512);
    td_expect_memory(hba, BUFFER, memory, sizeof(memory));
    finish(hba);
}

/* Code 01h, device 0 passed, and the signature of a disk */
static void check_diagnostic(RegH2DFIS fis, uint32_t bytes)
{
    TdAhci *hba = td_ahci_start("");
    uint8_t d2h[20];

    fis.command = CMD_DIAGNOSTIC;
    td_expect_done(td_ahci_io1(hba, fis, BUFFER, bytes));
    td_ahci_received(hba, TD_FB_D2H, d2h, sizeof(d2h));
    td_expect_hex(d2h[0], ==, REG_D2H_FIS);
    td_expect_hex(d2h[3], ==, 0x01);
    td_expect_hex(received_lba(hba), ==, 0x000001);
    td_expect_hex(received_count(hba) & 0xff, ==, 0x01);
    finish(hba);
}

static void test_diagnostic(void)
{
    check_diagnostic(td_fis_plain(CMD_DIAGNOSTIC, 0, 0), 0);
}

/* No field is an input of it, nor is a list. */
static void test_diagnostic_fields(void)
{
    RegH2DFIS fis = td_fis_lba48(CMD_DIAGNOSTIC, 0xfedcba987654, 0xffff);

    fis.feature_low = 0xff;
    check_diagnostic(fis, 512);
}

/* The last block: LBA 27:24 are in DEVICE. */
static void test_native_max(void)
{
    TdAhci *hba = td_ahci_start("");
    RegH2DFIS fis = td_fis_plain(CMD_READ_MAX, 0, 0);
    uint8_t d2h[20];

    fis.device = ATA_DEVICE_LBA;
    run_good(hba, fis);
    td_ahci_received(hba, TD_FB_D2H, d2h, sizeof(d2h));
    td_expect_uint((received_lba(hba) & 0xffffff) | (d2h[7] & 0xf) << 24, ==,
                   TD_BLOCKS - 1);
    finish(hba);
}

static void test_native_max_ext(void)
{
    TdAhci *hba = td_ahci_start("");
    RegH2DFIS fis = td_fis_plain(CMD_READ_MAX_EXT, 0, 0);

    fis.device = ATA_DEVICE_LBA;
    run_good(hba, fis);
    td_expect_uint(received_lba(hba), ==, TD_BLOCKS - 1);
    finish(hba);
}

static const TdCase cases[] = {
    {
        .name = "nop/plain",
        .title = "NOP always ends in ABRT",
        .clause = "ACS-3 7.17",
        .good = "command:0x00",
        .run = test_nop,
    },
    {
        .name = "nop/list",
        .title = "NOP ends so with any subcommand, and a list is not touched",
        .clause = "ACS-3 7.17",
        .bad = "command:0x00",
        .run = test_nop_list,
    },
    {
        .name = "diagnostic/plain",
        .title = "EXECUTE DEVICE DIAGNOSTIC passes, and gives a disk's "
                 "signature",
        .clause = "ACS-3 7.9",
        .good = "command:0x90",
        .run = test_diagnostic,
    },
    {
        .name = "diagnostic/fields",
        .title = "EXECUTE DEVICE DIAGNOSTIC does so whatever the fields say",
        .clause = "ACS-3 7.9",
        .bad = "command:0x90",
        .run = test_diagnostic_fields,
    },
    {
        .name = "native-max/28",
        .title = "READ NATIVE MAX ADDRESS gives the last block",
        .clause = "ATA8-ACS 7.32",
        .good = "command:0xf8",
        .run = test_native_max,
    },
    {
        .name = "native-max/48",
        .title = "READ NATIVE MAX ADDRESS EXT gives the last block",
        .clause = "ATA8-ACS 7.33",
        .good = "command:0x27",
        .run = test_native_max_ext,
    },
};

const TdTopic topic_other = TD_TOPIC("other", cases);
