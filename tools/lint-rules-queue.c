/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tracedisk lint: tags, queues, interrupts, time. */
#include "lint-rules.h"

#include <inttypes.h>
#include <string.h>

/* ---- Tags ---- */

static uint64_t tag_of(const struct lint_command *c)
{
    return c->decoded.flags & TD_QUEUED ? c->decoded.queued_tag : c->submit.tag;
}

static void tag_reused(struct lint *l, void *state, const struct lint_command *c)
{
    const struct lint_command *o;

    (void)state;
    for (uint32_t i = 0; (o = lint_in_flight(l, i)); i++) {
        if (o->device == c->device && o->submit.port == c->submit.port &&
            (o->decoded.flags & TD_QUEUED) == (c->decoded.flags & TD_QUEUED) &&
            tag_of(o) == tag_of(c)) {
            lint_report(l, c, o, "tag %" PRIu64 " belongs to #%" PRIu64 ", which is in flight",
                        tag_of(c), o->seq);
            return;
        }
    }
}

const struct lint_rule lint_tag_reused = {
    .id = "tag-reused",
    .severity = LINT_ERROR,
    .clause = "ACS-3 4.14 (NCQ); SAM-5 (overlapped commands)",
    .title = "the tag of a command in flight is used again",
    .why = "A disk aborts all its commands when a tag comes twice, or answers the wrong one.",
    .submit = tag_reused,
};

/* ---- AHCI registers (recorded with registers=on) ---- */

#define AHCI_IS 0x08u
#define AHCI_PORTS 0x100u
#define AHCI_PORT_SIZE 0x80u
#define AHCI_MAX_PORTS 32u
#define PX_IS 0x10u

/* Which register of which port was accessed; false for the HBA's own. */
static bool port_register(const struct td_event *e, uint32_t *port, uint32_t *offset)
{
    if (e->addr < AHCI_PORTS || e->addr >= AHCI_PORTS + AHCI_MAX_PORTS * AHCI_PORT_SIZE)
        return false;
    *port = (uint32_t)(e->addr - AHCI_PORTS) / AHCI_PORT_SIZE;
    *offset = (uint32_t)(e->addr - AHCI_PORTS) % AHCI_PORT_SIZE;
    return true;
}

struct interrupt_order {
    GHashTable *uncleared; /* port -> bits of PxIS that were read and not cleared */
};

static void interrupt_order(struct lint *l, void *data, const struct lint_event *e)
{
    struct interrupt_order *state = data;
    const struct td_event *r = e->record;
    bool wrote = r->type == TD_EVENT_REGISTER_WRITE;
    uint32_t port, offset, bits;
    gpointer key;

    if (!wrote && r->type != TD_EVENT_REGISTER_READ)
        return;
    if (!state->uncleared)
        state->uncleared = g_hash_table_new(NULL, NULL);
    if (port_register(r, &port, &offset) && offset == PX_IS) {
        key = lint_port_key(r->device, port);
        bits = GPOINTER_TO_UINT(g_hash_table_lookup(state->uncleared, key));
        bits = wrote ? bits & ~(uint32_t)r->value : (uint32_t)r->value;
        g_hash_table_insert(state->uncleared, key, GUINT_TO_POINTER(bits));
    }
    for (port = 0; wrote && r->addr == AHCI_IS && port < AHCI_MAX_PORTS; port++) {
        bits = GPOINTER_TO_UINT(
            g_hash_table_lookup(state->uncleared, lint_port_key(r->device, port)));
        if (bits && r->value & 1u << port)
            lint_report_event(l, e, "IS.IPS of port %" PRIu32 " is cleared before the bits 0x%08"
                              PRIx32 " of its PxIS", port, bits);
    }
}

static void interrupt_order_clear(void *data)
{
    struct interrupt_order *state = data;

    g_clear_pointer(&state->uncleared, g_hash_table_unref);
}

const struct lint_rule lint_interrupt_order = {
    .id = "interrupt-order",
    .severity = LINT_WARNING,
    .clause = "AHCI 1.3.1 5.5.3, 10.7 (PxIS first, then IS)",
    .title = "IS.IPS is cleared before PxIS",
    .why = "The port still has a reason to interrupt, so IS.IPS is set again at once: a spurious "
           "interrupt each time, or, on an HBA that looks for edges, one that is lost.",
    .needs_registers = true,
    .state_size = sizeof(struct interrupt_order),
    .event = interrupt_order,
    .clear = interrupt_order_clear,
};

/* ---- Resets and time ---- */

/* Commands of a port that ended without an answer, since it was last started. */
struct ended {
    uint32_t aborted;
    bool reason; /* an error, or a command that took too long: giving up is right */
};

struct reset_in_flight {
    GHashTable *ports; /* -> struct ended */
};

static struct ended *ended_of(struct reset_in_flight *state, uint32_t device, uint32_t port)
{
    gpointer key = lint_port_key(device, port);
    struct ended *ended;

    if (!state->ports)
        state->ports = g_hash_table_new_full(NULL, NULL, NULL, g_free);
    ended = g_hash_table_lookup(state->ports, key);
    if (!ended) {
        ended = g_new0(struct ended, 1);
        g_hash_table_insert(state->ports, key, ended);
    }
    return ended;
}

static void reset_in_flight_complete(struct lint *l, void *state, const struct lint_command *c,
                                     const struct lint_complete *complete)
{
    struct ended *ended;

    if (c->submit.protocol != TD_ATA || complete->record->status == TD_GOOD)
        return;
    ended = ended_of(state, c->device->id, c->submit.port);
    ended->aborted += complete->record->status == TD_ABORTED;
    ended->reason |= complete->record->status == TD_ERROR ||
                     complete->ns - c->submit_ns >= lint_timeout_ns(l);
}

static void reset_in_flight(struct lint *l, void *state, const struct lint_event *e)
{
    struct ended *ended;

    if (!(e->record->has & TD_HAS_PORT) ||
        (e->record->type != TD_EVENT_RESET && e->record->type != TD_EVENT_PORT))
        return;
    ended = ended_of(state, e->record->device, e->record->port);
    if (e->record->type == TD_EVENT_RESET && ended->aborted && !ended->reason)
        lint_report_event(l, e, "a reset (%s) ended %" PRIu32 " commands in flight",
                          e->record->text, ended->aborted);
    *ended = (struct ended){ 0 };
}

static void reset_in_flight_clear(void *data)
{
    struct reset_in_flight *state = data;

    g_clear_pointer(&state->ports, g_hash_table_unref);
}

const struct lint_rule lint_reset_in_flight = {
    .id = "reset-in-flight",
    .severity = LINT_WARNING,
    .clause = "AHCI 1.3.1 10.4 (reset)",
    .title = "a reset with commands in flight, and without need",
    .why = "What the commands did is not known after it, and their memory may be written to until "
           "the reset is through. Right after an error or a timeout, which this rule allows for.",
    .state_size = sizeof(struct reset_in_flight),
    .complete = reset_in_flight_complete,
    .event = reset_in_flight,
    .clear = reset_in_flight_clear,
};

static void timeout(struct lint *l, void *state, const struct lint_command *c,
                    const struct lint_complete *complete)
{
    uint64_t ns = complete->ns - c->submit_ns;

    (void)state;
    if (complete->record->status == TD_ABORTED && ns >= lint_timeout_ns(l))
        lint_report(l, c, NULL, "given up after %.3f s", (double)ns / 1e9);
}

const struct lint_rule lint_timeout = {
    .id = "timeout",
    .severity = LINT_WARNING,
    .clause = "AHCI 1.3.1 6.2.2 (software error recovery); SAM-5 7 (ABORT TASK)",
    .title = "a command took so long that the driver gave it up",
    .why = "Either the storage behind the disk was slow (then it is none of the driver's), or the "
           "driver missed a completion: compare with the interrupts of a registers=on trace. "
           "--timeout sets what is long.",
    .complete = timeout,
};

#define STORM 5

struct retry_storm {
    GHashTable *failures; /* "device op lba" -> times in a row */
};

static void retry_storm(struct lint *l, void *data, const struct lint_command *c,
                        const struct lint_complete *complete)
{
    struct retry_storm *state = data;
    bool failed = complete->record->status == TD_ERROR;
    g_autofree char *key = NULL;
    guint times;

    if (!state->failures)
        state->failures = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    if (!(c->decoded.flags & TD_HAS_LBA) || complete->record->status == TD_ABORTED ||
        (!failed && g_hash_table_size(state->failures) == 0))
        return;
    key = g_strdup_printf("%" PRIu32 " %d %" PRIu64, c->device->id, c->decoded.op, c->decoded.lba);
    if (!failed) {
        g_hash_table_remove(state->failures, key);
        return;
    }
    times = GPOINTER_TO_UINT(g_hash_table_lookup(state->failures, key)) + 1;
    g_hash_table_insert(state->failures, g_steal_pointer(&key), GUINT_TO_POINTER(times));
    if (times == STORM)
        lint_report(l, c, NULL, "failed %d times in a row, and may go on", STORM);
}

static void retry_storm_clear(void *data)
{
    struct retry_storm *state = data;

    g_clear_pointer(&state->failures, g_hash_table_unref);
}

const struct lint_rule lint_retry_storm = {
    .id = "retry-storm",
    .severity = LINT_WARNING,
    .clause = "ACS-3 6.3 (what the ERROR field says of a retry); SPC-4 4.5.6 (sense keys)",
    .title = "a failing command is tried again and again",
    .why = "A bad block takes a disk seconds each time. Give up after a few tries, at once on ID "
           "NOT FOUND and ABORT, and tell the caller.",
    .state_size = sizeof(struct retry_storm),
    .complete = retry_storm,
    .clear = retry_storm_clear,
};

static void never_completed(struct lint *l, void *state)
{
    const struct lint_command *c;

    (void)state;
    for (uint32_t i = 0; (c = lint_in_flight(l, i)); i++)
        lint_report(l, c, NULL, "in flight at the end of the trace");
}

const struct lint_rule lint_never_completed = {
    .id = "never-completed",
    .severity = LINT_WARNING,
    .clause = "AHCI 1.3.1 10.3.1 (stop when nothing is outstanding); SAM-5 5.5 (command lifetime)",
    .title = "a command has not completed when the trace ends",
    .why = "A driver waits for its commands before it lets the machine go. Without meaning when "
           "QEMU was killed, or the trace is of a machine that still runs.",
    .end = never_completed,
};
