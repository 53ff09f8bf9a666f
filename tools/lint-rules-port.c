/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk lint: what the HBA itself noticed. It says so in words; each
 * rule looks for its own, and lint_guest_error takes the rest.
 */
#include "lint-rules.h"

#include <string.h>

/*
 * The words, as hw/tracedisk says them; tests/lint holds them against it.
 * Several rules may know one phrase, one rule several.
 */
static const struct phrase {
    const char *words;
    const struct lint_rule *rule;
} phrases[] = {
    { "NCQ tag", &lint_tag_differs },
    { "issued again while in flight", &lint_slot_reused },
    { "queued and other commands are mixed", &lint_queue_mixed },
    { "PxCMD.ST set without PxCMD.FRE", &lint_start_early },
    { "PxCMD.ST set before PxCLB", &lint_start_early },
    { "PxCMD.ST set while the disk is busy", &lint_start_early },
    { "PxCI written while PxCMD.ST is clear", &lint_issue_stopped },
    { "PxCMD.ST cleared with commands in flight", &lint_stop_in_flight },
    { "software reset with commands in flight", &lint_stop_in_flight },
    { "PxSCTL.DET changed while PxCMD.ST is set", &lint_port_in_use },
    { "PxCMD.CLO set while PxCMD.ST is set", &lint_port_in_use },
    { "PxCMD.FRE cleared while PxCMD.ST is set", &lint_port_in_use },
    { "written while the port uses it", &lint_port_in_use },
    { "command list, table or PRDT is not in memory", &lint_list_not_memory },
    { "is not memory", &lint_list_not_memory },
    { "is not Register", &lint_bad_fis },
    { "is ignored: registers are dwords", &lint_register_width },
    { "written to the HBA's own", &lint_outside_ram },
    { "PxCMD.ST set while PxCMD.CR is set", &lint_start_early },
    { "odd address or byte count", &lint_odd_element },
};

static const struct lint_rule *rule_of(const char *text)
{
    for (size_t i = 0; i < G_N_ELEMENTS(phrases); i++) {
        if (strstr(text, phrases[i].words))
            return phrases[i].rule;
    }
    return &lint_guest_error;
}

bool lint_hba_says(const struct lint_rule *rule, const struct lint_event *e)
{
    return e->record->type == TD_EVENT_GUEST_ERROR && rule_of(e->record->text) == rule;
}

/* ---- Rules that repeat what was said ---- */

#define REPEAT(name)                                                                               \
    static void name(struct lint *l, void *state, const struct lint_event *e)                      \
    {                                                                                              \
        (void)state;                                                                               \
        if (lint_hba_says(&lint_##name, e))                                                             \
            lint_report_event(l, e, "%s", e->record->text);                                        \
    }

REPEAT(tag_differs)
REPEAT(slot_reused)
REPEAT(queue_mixed)
REPEAT(start_early)
REPEAT(issue_stopped)
REPEAT(port_in_use)
REPEAT(list_not_memory)
REPEAT(bad_fis)
REPEAT(register_width)
REPEAT(guest_error)

const struct lint_rule lint_tag_differs = {
    .id = "tag-differs",
    .severity = LINT_ERROR,
    .clause = "AHCI 1.3.1 5.5.1 (the tag is the slot's number)",
    .title = "the tag of a queued command is not its slot's number",
    .why = "The disk answers with the tag, and the HBA takes it for a slot: it looks the list up "
           "in another command's table, and data goes to that command's memory.",
    .event = tag_differs,
};

const struct lint_rule lint_slot_reused = {
    .id = "slot-reused",
    .severity = LINT_ERROR,
    .clause = "AHCI 1.3.1 5.5.1, 5.5.3 (a queued command is done when PxSACT says so)",
    .title = "a command slot is issued again before its command has completed",
    .why = "PxCI only says that the disk has accepted a queued command; PxSACT says that it is "
           "done. A driver that believes PxCI hands out data that has not come yet, and gives the "
           "disk one tag twice.",
    .event = slot_reused,
};

const struct lint_rule lint_queue_mixed = {
    .id = "queue-mixed",
    .severity = LINT_ERROR,
    .clause = "ACS-3 4.14 (NCQ)",
    .title = "queued and other commands are outstanding at one time",
    .why = "A disk that gets another command while queued ones are outstanding aborts them all. "
           "Wait until PxSACT is 0 before IDENTIFY, FLUSH CACHE, SMART and their like.",
    .event = queue_mixed,
};

const struct lint_rule lint_start_early = {
    .id = "start-early",
    .severity = LINT_ERROR,
    .clause = "AHCI 1.3.1 10.3.1",
    .title = "the port is started before it is set up, or while the disk is busy",
    .why = "Without PxCLB the HBA reads commands at address 0, without PxCMD.FRE it has nowhere to "
           "put the disk's answers, and with BSY or DRQ set it must not send commands. Set PxCLB, "
           "PxFB and PxCMD.FRE, wait for PxTFD, then set PxCMD.ST.",
    .event = start_early,
};

const struct lint_rule lint_issue_stopped = {
    .id = "issue-stopped",
    .severity = LINT_ERROR,
    .clause = "AHCI 1.3.1 3.3.14 (PxCI)",
    .title = "a command is issued while PxCMD.ST is clear",
    .why = "The HBA drops the bit, and the driver waits for a completion that never comes.",
    .event = issue_stopped,
};

const struct lint_rule lint_port_in_use = {
    .id = "port-in-use",
    .severity = LINT_ERROR,
    .clause = "AHCI 1.3.1 3.3.1, 3.3.3, 3.3.7, 3.3.11, 10.3",
    .title = "a register is changed that a running port uses",
    .why = "The HBA reads PxCLB, PxFB and PxCMD whenever it likes while it runs: FISes go to "
           "memory that has been given away, or the port hangs until it is reset. Clear PxCMD.ST, "
           "wait for CR, then clear FRE, wait for FR.",
    .event = port_in_use,
};

const struct lint_rule lint_list_not_memory = {
    .id = "list-not-memory",
    .severity = LINT_ERROR,
    .clause = "AHCI 1.3.1 3.3.1, 3.3.3, 6.1 (System Memory Errors)",
    .title = "command list, command table or FIS area is not in memory",
    .why = "The HBA stops with a host bus fatal error (PxIS.HBFS), or overwrites what is there.",
    .event = list_not_memory,
};

const struct lint_rule lint_bad_fis = {
    .id = "bad-fis",
    .severity = LINT_ERROR,
    .clause = "AHCI 1.3.1 4.2.3.1; SATA 3.x 10.5.5",
    .title = "a command FIS is not Register Host to Device",
    .why = "The disk does not understand it and the link reports a protocol error. Often the "
           "command table was not filled in, or the header points to another one.",
    .event = bad_fis,
};

const struct lint_rule lint_register_width = {
    .id = "register-width",
    .severity = LINT_WARNING,
    .clause = "AHCI 1.3.1 3 (registers are accessed as dwords)",
    .title = "a register is written with another width than 32 bits",
    .why = "HBAs may drop the write, or write the wrong bytes. Look for a structure that is not "
           "volatile, and for memcpy() on registers.",
    .event = register_width,
};

const struct lint_rule lint_guest_error = {
    .id = "guest-error",
    .severity = LINT_WARNING,
    .clause = "as the text says",
    .title = "the device noticed something else that a driver should not do",
    .why = "The device's own words; no rule of its own covers it.",
    .event = guest_error,
};

/* ---- Stopping with commands in flight ---- */

struct stop_in_flight {
    GHashTable *failed; /* ports with a failed command since the last start */
};

static void stop_in_flight_complete(struct lint *l, void *data, const struct lint_command *c,
                                    const struct lint_complete *complete)
{
    struct stop_in_flight *state = data;

    (void)l;
    if (complete->record->status != TD_ERROR)
        return;
    if (!state->failed)
        state->failed = g_hash_table_new(NULL, NULL);
    g_hash_table_add(state->failed, lint_port_key(c->device->id, c->submit.port));
}

static bool is_overdue(const struct lint *l, const struct lint_event *e)
{
    const struct lint_command *c;

    for (uint32_t i = 0; (c = lint_in_flight(l, i)); i++) {
        if (c->device == e->device && e->ns - c->submit_ns >= lint_timeout_ns(l))
            return true;
    }
    return false;
}

static void stop_in_flight(struct lint *l, void *data, const struct lint_event *e)
{
    struct stop_in_flight *state = data;
    gpointer key = lint_port_key(e->record->device, e->record->port);

    if (e->record->type == TD_EVENT_PORT && strcmp(e->record->text, "start") == 0 &&
        state->failed)
        g_hash_table_remove(state->failed, key);
    if (lint_hba_says(&lint_stop_in_flight, e) && !is_overdue(l, e) &&
        !(state->failed && g_hash_table_contains(state->failed, key)))
        lint_report_event(l, e, "%s", e->record->text);
}

static void stop_in_flight_clear(void *data)
{
    struct stop_in_flight *state = data;

    g_clear_pointer(&state->failed, g_hash_table_unref);
}

const struct lint_rule lint_stop_in_flight = {
    .id = "stop-in-flight",
    .severity = LINT_WARNING,
    .clause = "AHCI 1.3.1 3.3.7 (PxCMD.ST), 10.3.1",
    .title = "the port is stopped with commands in flight, and without need",
    .why = "The HBA forgets them; what they did to disk and memory is not known. Wait for them "
           "first. Right after an error or a timeout, which this rule allows for.",
    .state_size = sizeof(struct stop_in_flight),
    .complete = stop_in_flight_complete,
    .event = stop_in_flight,
    .clear = stop_in_flight_clear,
};
