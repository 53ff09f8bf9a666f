/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands without data: how they end, and a list that they do not need.
 */
#include "suite.h"

typedef struct Plain {
    TdRow row;
    uint8_t command, features, count;
} Plain;

#define PLAIN(opcode, id, title_, clause_, count_) \
    { .row = { id, title_, clause_, "command:" #opcode }, \
      .command = opcode, .count = count_ }
#define    PLAIN_SUB(opcode, sub, id, title_, clause_, count_) \
    { .row = { id, title_, "ACS-3 " clause_, "command:" #opcode "/" #sub }, \
      .command = opcode, .features = sub, .count = count_ }

static const Plain commands[] = {
    PLAIN(0x27, "read-native-max-ext", "READ NATIVE MAX ADDRESS EXT",
            "ATA8-ACS 7.33", 0),
    PLAIN(0xc6, "set-multiple-mode", "SET MULTIPLE MODE", "ACS-3 7.46", 8),
    PLAIN(0xe0, "standby-immediate", "STANDBY IMMEDIATE", "ACS-3 7.50", 0),
    PLAIN(0xe1, "idle-immediate", "IDLE IMMEDIATE", "ACS-3 7.15", 0),
    PLAIN(0xe2, "standby", "STANDBY", "ACS-3 7.49", 0),
    PLAIN(0xe3, "idle", "IDLE", "ACS-3 7.14", 0),
    PLAIN(0xe5, "check-power-mode", "CHECK POWER MODE", "ACS-3 7.3", 0),
    PLAIN(0xe6, "sleep", "SLEEP", "ACS-3 7.47", 0),
    PLAIN(0xe7, "flush-cache", "FLUSH CACHE", "ACS-3 7.10", 0),
    PLAIN(0xea, "flush-cache-ext", "FLUSH CACHE EXT", "ACS-3 7.11", 0),
    PLAIN(0xf8, "read-native-max", "READ NATIVE MAX ADDRESS",
            "ATA8-ACS 7.32", 0),
    PLAIN_SUB(0xb0, 0xd2, "smart-autosave", "SMART ATTRIBUTE AUTOSAVE",
                "7.48", 0xf1),
    PLAIN_SUB(0xb0, 0xd8, "smart-enable", "SMART ENABLE OPERATIONS",
                "7.48", 0),
    PLAIN_SUB(0xb0, 0xd9, "smart-disable", "SMART DISABLE OPERATIONS",
                "7.48", 0),
    PLAIN_SUB(0xb0, 0xda, "smart-status", "SMART RETURN STATUS",
                "7.48", 0),
    PLAIN_SUB(0xef, 0x02, "write-cache-on", "SET FEATURES, write cache on",
                "7.45", 0),
    PLAIN_SUB(0xef, 0x03, "transfer-mode", "SET FEATURES, transfer mode",
                "7.45", 0x45),
    PLAIN_SUB(0xef, 0x55, "look-ahead-off", "SET FEATURES, look-ahead off",
                "7.45", 0),
    PLAIN_SUB(0xef, 0x66, "keep-settings", "SET FEATURES, keep settings",
                "7.45", 0),
    PLAIN_SUB(0xef, 0x82, "write-cache-off", "SET FEATURES, write cache off",
                "7.45", 0),
    PLAIN_SUB(0xef, 0xaa, "look-ahead-on", "SET FEATURES, look-ahead on",
                "7.45", 0),
    PLAIN_SUB(0xef, 0xcc, "revert-settings", "SET FEATURES, revert settings",
                "7.45", 0),
};

static RegH2DFIS fis_of(const Plain *c)
{
    RegH2DFIS fis = td_fis_plain(c->command, c->features, c->count);

    if (c->command == CMD_SMART) {
        fis.lba_lo[1] = 0x4f;
        fis.lba_lo[2] = 0xc2;
    }
    fis.device = ATA_DEVICE_LBA;
    return fis;
}

/* A Register Device to Host FIS with I, and no other (SATA 3.x 11.2) */
static void test_end(void)
{
    TdAhci *hba = td_ahci_start("");
    uint8_t fis[20], marked[8];
    TdOutcome o;

    memset(marked, 0x5a, sizeof(marked));
    qtest_memset(hba->qts, hba->ahci->port[hba->port].fb, 0x5a, 256);
    o = td_ahci_io1(hba, fis_of(td_row()), 0, 0);
    td_expect_good(o, 0);
    td_expect_set(o.is, AHCI_PX_IS_DHRS);
    td_expect_clear(o.is, AHCI_PX_IS_PSS | AHCI_PX_IS_DSS | AHCI_PX_IS_SDBS);
    td_ahci_received(hba, TD_FB_D2H, fis, sizeof(fis));
    td_expect_hex(fis[0], ==, REG_D2H_FIS);
    td_expect_set(fis[1], 0x40);
    td_expect_set(fis[2], STATUS_DRDY);
    td_expect_hex(fis[3], ==, 0);
    td_ahci_received(hba, TD_FB_PIO_SETUP, fis, sizeof(marked));
    td_expect_mem(fis, marked, sizeof(marked));
    td_ahci_received(hba, TD_FB_DMA_SETUP, fis, sizeof(marked));
    td_expect_mem(fis, marked, sizeof(marked));
    finish(hba);
}

/* A list that a driver gave although nothing is to be moved */
static void test_list(void)
{
    TdAhci *hba = td_ahci_start("");
    uint8_t memory[BYTES];

    td_pattern(memory, sizeof(memory), 3);
    qtest_memwrite(hba->qts, BUFFER, memory, sizeof(memory));
    td_expect_good(td_ahci_io1(hba, fis_of(td_row()), BUFFER, BYTES), 0);
    td_expect_memory(hba, BUFFER, memory, sizeof(memory));
    finish(hba);
}

static const TdCase cases[] = {
    {
        .name = "end",
        .title = "it ends with a Register Device to Host FIS, and no other",
        .clause = "SATA 3.x 11.2",
        .good = "@",
        .run = test_end,
        TD_ROWS(commands),
    },
    {
        .name = "list",
        .title = "a list is not touched",
        .clause = "AHCI 1.3.1 4.2.2",
        .bad = "@",
        .run = test_list,
        TD_ROWS(commands),
    },
};

const TdTopic topic_no_data = TD_TOPIC("no-data", cases);
