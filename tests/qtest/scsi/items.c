/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What there is to cover: what the disk itself says that it has.
 */
#include "suite.h"

static const char *title_of(uint8_t opcode, uint8_t action)
{
    for (unsigned i = 0; i < N_SCSI_COMMANDS; i++) {
        if (scsi_commands[i].opcode == opcode &&
            scsi_commands[i].action == action) {
            return scsi_commands[i].row.title;
        }
    }
    return "not in the table of commands";
}

/* REPORT SUPPORTED OPERATION CODES, SPC-4 6.35.2 */
static void list_commands(TdScsi *hba)
{
    uint8_t answer[ANSWER_BYTES];
    unsigned bytes = ask(hba, td_cdb_action(0xa3, 0x0c), answer);

    for (unsigned at = 4; at + 8 <= bytes; at += 8) {
        uint8_t action = answer[at + 5] & 0x01 ? answer[at + 3] : NO_ACTION;
        g_autofree char *item = command_item(answer[at], action);

        td_item(item, title_of(answer[at], action));
    }
}

static void list(const char *kind, const uint8_t *codes, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        g_autofree char *item = g_strdup_printf("%s:%02x", kind, codes[i]);

        td_item(item, NULL);
    }
}

/* VPD page 00h, SPC-4 7.8.14; log page 00h, SPC-4 7.3.19 */
static void list_pages(TdScsi *hba)
{
    uint8_t answer[ANSWER_BYTES];
    TdCdb log_sense = td_cdb_action(0x4d, 0);

    ask_vpd(hba, 0x00, answer);
    list("vpd", answer + 4, answer[3]);
    log_sense.b[2] = 0x40;
    ask(hba, log_sense, answer);
    list("log-page", answer + 4, answer[3]);
}

/* All mode pages, SPC-4 6.14 */
static void list_mode_pages(TdScsi *hba)
{
    uint8_t answer[ANSWER_BYTES];
    unsigned bytes = ask_mode(hba, 0x3f, 0, answer);

    for (unsigned at = 8; at + 2 <= bytes; at += 2 + answer[at + 1]) {
        list("mode-page", (uint8_t[]) { answer[at] & 0x3f }, 1);
    }
}

static const char *const others[] = {
    "tmf:abort-task", "tmf:abort-task-set", "tmf:clear-aca",
    "tmf:clear-task-set", "tmf:i-t-nexus-reset", "tmf:logical-unit-reset",
    "tmf:query-task", "tmf:query-task-set",
    "condition:unit-attention", "condition:stopped",
    "condition:write-protected", "sense:fixed", "sense:descriptor",
};

void scsi_items(void)
{
    TdScsi *hba = td_scsi_start("");

    list_commands(hba);
    list_pages(hba);
    list_mode_pages(hba);
    td_scsi_free(hba);
    for (unsigned i = 0; i < ARRAY_SIZE(others); i++) {
        td_item(others[i], NULL);
    }
}
