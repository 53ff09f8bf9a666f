/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Power management, 4.18: what CHECK POWER MODE then says
 */
#include "suite.h"

enum { STANDBY_MODE = 0x00, IDLE_MODE = 0x80, ACTIVE_MODE = 0xff };

typedef struct Power {
    TdRow row;
    uint8_t command, mode;
} Power;

static const Power modes[] = {
    { { "standby-immediate", "STANDBY IMMEDIATE", "ACS-3 7.50",
        "command:0xe0" }, CMD_STANDBY_IMMEDIATE, STANDBY_MODE },
    { { "idle-immediate", "IDLE IMMEDIATE", "ACS-3 7.15", "command:0xe1" },
      0xe1, IDLE_MODE },
    { { "standby", "STANDBY", "ACS-3 7.49", "command:0xe2" }, 0xe2,
      STANDBY_MODE },
    { { "idle", "IDLE", "ACS-3 7.14", "command:0xe3" }, 0xe3, IDLE_MODE },
};

static uint8_t power_mode(TdAhci *hba)
{
    run_good(hba, td_fis_plain(CMD_CHECK_POWER_MODE, 0, 0));
    return received_count(hba);
}

/* A mode that the disk says to be in, and that a media access ends [4.18.4] */
static void test_mode(void)
{
    const Power *p = td_row();
    TdAhci *hba = td_ahci_start("");

    run_good(hba, td_fis_plain(p->command, 0, 0));
    td_expect_hex(power_mode(hba), ==, p->mode);
    td_ahci_check_alive(hba);
    td_expect_hex(power_mode(hba), ==, ACTIVE_MODE);
    finish(hba);
}

static void test_active(void)
{
    TdAhci *hba = td_ahci_start("");

    td_ahci_check_alive(hba);
    td_expect_uint(power_mode(hba), >=, IDLE_MODE);
    finish(hba);
}

/* COMRESET wakes a disk from Sleep, whatever it does with commands there. */
static void test_sleep(void)
{
    TdAhci *hba = td_ahci_start("");
    uint32_t cmd = td_px_read(hba, AHCI_PX_CMD);

    run_good(hba, td_fis_plain(0xe6, 0, 0));
    td_px_write(hba, AHCI_PX_CMD, cmd & ~AHCI_PX_CMD_ST);
    td_px_write(hba, AHCI_PX_SCTL, 0x301);
    g_usleep(1000);
    td_px_write(hba, AHCI_PX_SCTL, 0x300);
    td_expect_hex(td_px_read(hba, AHCI_PX_SSTS) & 0xf, ==, 3);
    td_ahci_recover(hba);
    td_px_write(hba, AHCI_PX_CMD, cmd);
    td_ahci_check_alive(hba);
    td_expect_uint(power_mode(hba), >=, IDLE_MODE);
    finish(hba);
}

/* What the cache holds is written out on the way to Standby. */
static void test_not_written(void)
{
    const Power *p = td_row();
    TdAhci *hba = td_ahci_start_failing("flush", TD_ANY_LBA);

    td_ahci_check_alive(hba);   /* writes */
    td_expect_failed(hba, td_ahci_io1(hba, td_fis_plain(p->command, 0, 0), 0,
                                      0), ERROR_ABRT);
    finish(hba);
}

static bool is_standby(const TdRow *row)
{
    return ((const Power *)row)->mode == STANDBY_MODE;
}

static const TdCase cases[] = {
    {
        .name = "mode",
        .title = "CHECK POWER MODE tells the mode, and a media access ends it",
        .clause = "4.18",
        .good = "@ command:0xe5",
        .run = test_mode,
        TD_ROWS(modes),
    },
    {
        .name = "active",
        .title = "A disk that just has read is active or idle",
        .clause = "ACS-3 7.3",
        .good = "command:0xe5",
        .run = test_active,
    },
    {
        .name = "sleep",
        .title = "A disk that sleeps is woken by COMRESET",
        .clause = "ACS-3 7.47",
        .good = "command:0xe6",
        .run = test_sleep,
    },
    {
        .name = "not-written",
        .title = "it fails when the cache cannot be written out",
        .bad = "@",
        .ours = OURS_DEFINED,
        .run = test_not_written,
        TD_ROWS(modes),
        .only = is_standby,
    },
};

const TdTopic topic_power = TD_TOPIC("power", cases);
