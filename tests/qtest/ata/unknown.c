/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands that a disk does not have: aborted, 6.3
 */
#include "suite.h"

/* Of an optional feature set, and the bit of IDENTIFY DEVICE that tells */
typedef struct Optional {
    TdRow row;
    uint8_t commands[6];        /* up to a 0 */
    uint8_t word, bit;
} Optional;

#define OPTIONAL(id, title_, word_, bit_, ...) \
    { .row = { id, title_, "ACS-3 6.3" }, .commands = { __VA_ARGS__ }, \
      .word = word_, .bit = bit_ }

static const Optional optional[] = {
    OPTIONAL("security", "SECURITY", 82, 1, 0xf1, 0xf2, 0xf4, 0xf5, 0xf6),
    OPTIONAL("trusted", "TRUSTED", 48, 0, 0x5b, 0x5c, 0x5d, 0x5e, 0x5f),
    OPTIONAL("sanitize", "SANITIZE DEVICE", 59, 12, 0xb4),
    OPTIONAL("download", "DOWNLOAD MICROCODE", 83, 0, 0x92, 0x93),
    OPTIONAL("overlay", "DEVICE CONFIGURATION", 83, 11, 0xb1),
    OPTIONAL("buffer", "READ and WRITE BUFFER", 82, 12, 0xe4, 0xe8),
    OPTIONAL("streaming", "Streaming", 84, 4, 0x2a, 0x2b, 0x3a, 0x3b, 0x51),
    OPTIONAL("compact-flash", "CFA", 83, 2, 0x38, 0x87, 0xc0, 0xcd),
    OPTIONAL("tagged", "Tagged Command Queuing", 83, 1, 0x26, 0x36, 0xc7, 0xcc),
    OPTIONAL("packet", "PACKET", 82, 4, 0xa0, 0xa1),
    OPTIONAL("sense-data", "REQUEST SENSE DATA EXT", 119, 6, 0x0b),
};

static void test_optional(void)
{
    const Optional *c = td_row();
    TdAhci *hba = td_ahci_start("");
    uint16_t w[256];

    identify(hba, w);
    if (!(w[c->word] & 1 << c->bit)) {
        for (unsigned i = 0; i < 6 && c->commands[i]; i++) {
            run_aborted(hba, td_fis_lba28(c->commands[i], 0, 1), 512);
        }
    }
    finish(hba);
}

/* All that the tables do not have; 08h is DEVICE RESET, which no disk has. */
static void test_all(void)
{
    TdAhci *hba = td_ahci_start("");

    for (unsigned command = 0; command < 256; command++) {
        bool queued = command >= 0x63 && command <= 0x65;

        if (!has_command(command) && !queued) {
            run_aborted(hba, td_fis_lba48(command, 0, 1), 512);
        }
    }
    finish(hba);
}

static const TdCase cases[] = {
    {
        .name = "optional",
        .title = "what IDENTIFY DEVICE does not announce is aborted",
        .run = test_optional,
        TD_ROWS(optional),
    },
    {
        .name = "all",
        .title = "Every opcode that the disk does not have is aborted",
        .clause = "ACS-3 6.3",
        .ours = OURS_DEFINED,
        .run = test_all,
    },
};

const TdTopic topic_unknown = TD_TOPIC("unknown", cases);
