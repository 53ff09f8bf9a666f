/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a trace says of a test's commands: read whole, into arrays.
 */
#include "trace.h"

static void free_traced(gpointer data)
{
    TdTraced *t = data;

    g_free(t->name);
    g_free(t->elements);
    g_free(t);
}

static void free_event(gpointer data)
{
    TdTracedEvent *e = data;

    g_free(e->text);
    g_free(e);
}

static void add_command(TdTrace *trace, const struct td_command *c)
{
    TdTraced *t = g_new0(TdTraced, 1);

    g_assert_true(c->submit_known);
    /* The guest has what it has: a command must not stay without an end. */
    g_assert_cmpint(c->complete.status, !=, TD_PENDING);
    t->name = g_strdup(c->decoded.name);
    t->seq = c->seq;
    t->complete_seq = c->complete_seq;
    t->digest = c->complete.digest;
    t->lba = c->decoded.lba;
    t->op = c->decoded.op;
    t->tag = c->submit.tag;
    t->status = c->complete.status;
    t->flags = c->complete.flags;
    t->bytes = c->complete.bytes;
    t->residual = c->complete.residual;
    if (c->complete.has_ata) {
        t->ata_status = c->complete.ata_status;
        t->ata_error = c->complete.ata_error;
    }
    t->n_elements = c->submit.n_elements;
    t->elements = g_memdup2(c->submit.elements,
                            t->n_elements * sizeof(*t->elements));
    g_ptr_array_add(trace->commands, t);
}

static void add_event(TdTrace *trace, const struct td_record *record)
{
    const struct td_event *event = &record->event;
    TdTracedEvent *e = g_new0(TdTracedEvent, 1);

    e->type = event->type;
    e->seq = record->seq;
    e->ref = event->has & TD_HAS_REF ? event->ref : 0;
    e->port = event->port;
    e->addr = event->addr;
    e->len = event->len;
    e->value = event->value;
    e->text = g_strdup(event->has & TD_HAS_TEXT ? event->text : "");
    g_ptr_array_add(trace->events, e);
}

TdTrace *td_trace_load(const char *path)
{
    TdTrace *trace = g_new0(TdTrace, 1);
    struct td_error error = { "" };
    struct td_reader *reader = NULL;
    struct td_commands *commands = NULL;
    struct td_item item;

    trace->commands = g_ptr_array_new_with_free_func(free_traced);
    trace->events = g_ptr_array_new_with_free_func(free_event);
    if (td_reader_open(path, &reader, &error) < 0) {
        td_fail("the trace can be read", "%s", error.text);
    }
    g_assert_cmpint(td_commands_open(reader, &commands), ==, 0);
    while (td_commands_next(commands, false, &item) > 0) {
        if (item.kind == TD_ITEM_COMMAND) {
            add_command(trace, item.command);
            continue;
        }
        g_assert_cmpint(item.record->kind, !=, TD_DAMAGE);
        g_assert_cmpint(item.record->kind, !=, TD_LOST);
        if (item.record->kind == TD_EVENT) {
            add_event(trace, item.record);
        }
    }
    td_commands_close(commands);
    td_reader_close(reader);
    return trace;
}

void td_trace_free(TdTrace *trace)
{
    if (trace) {
        g_ptr_array_free(trace->commands, true);
        g_ptr_array_free(trace->events, true);
        g_free(trace);
    }
}

const TdTraced *td_traced(const TdTrace *trace, const char *name, unsigned n)
{
    unsigned found = 0;

    for (unsigned i = 0; i < trace->commands->len; i++) {
        const TdTraced *t = g_ptr_array_index(trace->commands, i);

        if ((!name || g_str_equal(t->name, name)) && found++ == n) {
            return t;
        }
    }
    td_fail("the trace has the command", "%u times %s, where %u is wanted",
            found, name ?: "any", n + 1);
}

unsigned td_traced_events(const TdTrace *trace, enum td_event_type type,
                          const char *text)
{
    unsigned count = 0;

    for (unsigned i = 0; i < trace->events->len; i++) {
        const TdTracedEvent *e = g_ptr_array_index(trace->events, i);

        count += e->type == type && strstr(e->text, text);
    }
    return count;
}

const TdTracedEvent *td_traced_event(const TdTrace *trace,
                                     enum td_event_type type, unsigned n)
{
    for (unsigned i = 0; i < trace->events->len; i++) {
        const TdTracedEvent *e = g_ptr_array_index(trace->events, i);

        if (e->type == type && n-- == 0) {
            return e;
        }
    }
    td_fail("the trace has an event", "no other '%s'", td_event_name(type));
}

void td_expect_guest_error(const TdTrace *trace, const char *text)
{
    if (!td_traced_events(trace, TD_EVENT_GUEST_ERROR, text)) {
        td_fail("the trace tells of the driver's fault", "none with '%s'",
                text);
    }
}
