/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What there is to cover of ACS-3: the commands that the device has, by its
 * own tables.
 */
#include "suite.h"
#include "hw/tracedisk/ata-commands.h"

typedef struct Entry {
    uint8_t opcode;
} Entry;

#define ENTRY(opcode, handler) { opcode },

static const Entry commands[] = { ATA_COMMANDS(ENTRY) };
static const Entry smart[] = { ATA_SMART_COMMANDS(ENTRY) };
static const Entry features[] = { ATA_FEATURES(ENTRY) };

bool has_command(uint8_t opcode)
{
    for (unsigned i = 0; i < ARRAY_SIZE(commands); i++) {
        if (commands[i].opcode == opcode) {
            return true;
        }
    }
    return false;
}

static const char *name_of(RegH2DFIS fis)
{
    struct td_decoded decoded = { 0 };

    td_decode(TD_ATA, (const uint8_t *)&fis, sizeof(fis), &decoded);
    return decoded.name;
}

static void sub_items(uint8_t command, const Entry *subs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        g_autofree char *item =
            g_strdup_printf("command:0x%02x/0x%02x", command, subs[i].opcode);

        td_item(item, name_of(td_fis_plain(command, subs[i].opcode, 0)));
    }
}

void ata_items(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(commands); i++) {
        g_autofree char *item =
            g_strdup_printf("command:0x%02x", commands[i].opcode);

        td_item(item, name_of(td_fis_plain(commands[i].opcode, 0, 0)));
    }
    sub_items(CMD_SMART, smart, ARRAY_SIZE(smart));
    sub_items(CMD_SET_FEATURES, features, ARRAY_SIZE(features));
}
