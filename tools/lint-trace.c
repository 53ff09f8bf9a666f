/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk lint: follows the records of a trace, keeps the commands in
 * flight, and shows every rule every moment.
 */
#include "lint.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct lint {
    struct lint_options options;
    GHashTable *devices;   /* id -> struct lint_device */
    GHashTable *by_seq;    /* sequence number -> struct lint_command */
    GPtrArray *in_flight;  /* struct lint_command */
    void **states;         /* of each rule */
    GPtrArray **findings;  /* of each rule */
    uint64_t *counts;      /* of each rule */
    size_t rule;           /* the one that is looking */
    GArray *elements;
    uint64_t commands;
    uint64_t now_ns;
    bool saw_registers, saw_shutdown, saw_gap;
};

/* ---- Findings ---- */

static void finding_free(void *data)
{
    struct lint_finding *f = data;

    g_free(f->device);
    g_free(f->command);
    g_free(f->text);
    g_free(f);
}

static char *command_text(const struct lint_command *c)
{
    if (c->decoded.flags & TD_HAS_LBA)
        return g_strdup_printf("%s %" PRIu64 "+%" PRIu64 " tag %" PRIu64, c->decoded.name,
                               c->decoded.lba, c->decoded.blocks, c->submit.tag);
    return g_strdup_printf("%s tag %" PRIu64, c->decoded.name, c->submit.tag);
}

/* NULL when there are enough of this rule already. */
static struct lint_finding *add_finding(struct lint *l, uint64_t seq,
                                        const struct lint_device *device)
{
    struct lint_finding *f;

    if (l->options.filter && !filter_has(l->options.filter, device->name, seq))
        return NULL;
    if (l->options.found) {
        l->options.found(l->options.data, l->rule, device, seq);
        return NULL;
    }
    if (l->counts[l->rule]++ >= l->options.limit && l->options.limit)
        return NULL;
    f = g_new0(struct lint_finding, 1);
    f->rule = (uint32_t)l->rule;
    f->ns = l->now_ns;
    f->seq = seq;
    f->device = g_strdup(device->name);
    g_ptr_array_add(l->findings[l->rule], f);
    return f;
}

void lint_report(struct lint *l, const struct lint_command *c, const struct lint_command *other,
                 const char *format, ...)
{
    struct lint_finding *f = add_finding(l, c->seq, c->device);
    va_list ap;

    if (!f)
        return;
    f->other_seq = other ? other->seq : 0;
    f->command = command_text(c);
    va_start(ap, format);
    f->text = g_strdup_vprintf(format, ap);
    va_end(ap);
}

void lint_report_device(struct lint *l, const struct lint_device *device, uint64_t seq,
                        const char *format, ...)
{
    struct lint_finding *f = add_finding(l, seq, device);
    va_list ap;

    if (!f)
        return;
    va_start(ap, format);
    f->text = g_strdup_vprintf(format, ap);
    va_end(ap);
}

/* ---- Rules ---- */

static bool is_checked(const struct lint *l, const struct lint_rule *rule)
{
    return !rule->needs_blank || (l->options.blank && !l->saw_gap);
}

#define for_each_rule(l, r)                                                                        \
    for ((l)->rule = 0; (l)->rule < lint_n_rules; (l)->rule++)                                     \
        for (const struct lint_rule *r = lint_rules[(l)->rule]; r; r = NULL)

static void show_submit(struct lint *l, const struct lint_command *c)
{
    for_each_rule(l, rule) {
        if (rule->submit && is_checked(l, rule))
            rule->submit(l, l->states[l->rule], c);
    }
}

static void show_complete(struct lint *l, const struct lint_command *c,
                          const struct lint_complete *complete)
{
    for_each_rule(l, rule) {
        if (rule->complete && is_checked(l, rule))
            rule->complete(l, l->states[l->rule], c, complete);
    }
}

static void show_event(struct lint *l, const struct lint_event *e)
{
    for_each_rule(l, rule) {
        if (rule->event)
            rule->event(l, l->states[l->rule], e);
    }
}

static void clear_states(struct lint *l)
{
    for (size_t i = 0; i < lint_n_rules; i++) {
        if (lint_rules[i]->clear)
            lint_rules[i]->clear(l->states[i]);
        if (lint_rules[i]->state_size)
            memset(l->states[i], 0, lint_rules[i]->state_size);
    }
}

const struct lint_command *lint_in_flight(const struct lint *l, uint32_t i)
{
    return i < l->in_flight->len ? g_ptr_array_index(l->in_flight, i) : NULL;
}

uint64_t lint_timeout_ns(const struct lint *l)
{
    return l->options.timeout_ns;
}

bool lint_saw_shutdown(const struct lint *l)
{
    return l->saw_shutdown;
}

/* ---- Devices ---- */

static void device_free(void *data)
{
    struct lint_device *d = data;

    g_free(d->name);
    g_free(d);
}

static struct lint_device *get_device(struct lint *l, uint32_t id)
{
    struct lint_device *d = g_hash_table_lookup(l->devices, GUINT_TO_POINTER(id));

    if (!d) {
        d = g_new0(struct lint_device, 1);
        d->id = id;
        d->name = g_strdup_printf("#%" PRIu32, id);
        d->block_size = 512;
        g_hash_table_insert(l->devices, GUINT_TO_POINTER(id), d);
    }
    return d;
}

static void introduce(struct lint *l, const struct td_device *record)
{
    struct lint_device *d = get_device(l, record->id);

    if (record->name[0]) {
        g_free(d->name);
        d->name = g_strdup(record->name);
    }
    d->blocks = record->blocks;
    if (record->logical_block_size)
        d->block_size = record->logical_block_size;
}

/* ---- Commands in flight ---- */

static int compare_spans(const void *a, const void *b)
{
    const struct lint_span *x = a, *y = b;

    return (x->start > y->start) - (x->start < y->start);
}

/*
 * The memory that the transfer can reach: what is in the list beyond it is
 * never touched. Observed elements are known too late and not for sure.
 */
static void find_spans(struct lint_command *c)
{
    uint64_t left = c->payload ? c->payload : UINT64_MAX;
    uint32_t n = 0;
    bool sorted = true;

    if (!c->submit.n_elements)
        return;
    c->spans = g_new(struct lint_span, c->submit.n_elements);
    for (uint32_t i = 0; i < c->submit.n_elements && left; i++) {
        const struct td_element *e = &c->submit.elements[i];
        uint64_t len = MIN(MIN(left, e->len), UINT64_MAX - e->addr);

        left -= MIN(left, e->len);
        if (!len || e->flags)
            continue;
        sorted &= n == 0 || c->spans[n - 1].start <= e->addr;
        c->spans[n++] = (struct lint_span){ e->addr, e->addr + len };
    }
    if (!sorted)
        qsort(c->spans, n, sizeof(*c->spans), compare_spans);
    for (uint32_t i = 0; i < n; i++) {
        struct lint_span *last = c->n_spans ? &c->spans[c->n_spans - 1] : NULL;

        if (last && c->spans[i].start <= last->end)
            last->end = MAX(last->end, c->spans[i].end);
        else
            c->spans[c->n_spans++] = c->spans[i];
    }
}

static void command_free(void *data)
{
    struct lint_command *c = data;

    g_free(c->spans);
    g_free(c);
}

/* False when the list cannot be read: what it holds is not known then. */
static bool read_elements(struct lint *l, const struct td_record *record)
{
    g_array_set_size(l->elements, record->submit.n_elements);
    return !record->submit.n_elements ||
           td_record_elements(record, (struct td_element *)(void *)l->elements->data) == 0;
}

static void submitted(struct lint *l, const struct td_record *record)
{
    const struct td_submit *submit = &record->submit;
    struct lint_command *c = g_new0(struct lint_command, 1);
    struct td_command joined = { .submit_known = true };

    c->seq = record->seq;
    c->submit_ns = record->time_ns;
    c->device = get_device(l, submit->device);
    c->submit = *submit;
    c->submit.raw = memcpy(c->raw_copy, submit->raw, submit->raw_len);
    if (!read_elements(l, record))
        c->submit.n_elements = 0;
    c->submit.elements = (const struct td_element *)(const void *)l->elements->data;
    td_decode(submit->protocol, submit->raw, submit->raw_len, &c->decoded);
    joined.decoded = c->decoded;
    c->direction = command_direction(&joined);
    if (c->decoded.flags & TD_HAS_LBA &&
        (c->decoded.op == TD_OP_READ || (c->decoded.op == TD_OP_WRITE && !is_write_same(&joined))))
        c->payload = c->decoded.blocks * c->device->block_size;
    find_spans(c);
    l->commands++;
    show_submit(l, c);
    c->submit.elements = NULL;
    c->place = l->in_flight->len;
    g_ptr_array_add(l->in_flight, c);
    g_hash_table_insert(l->by_seq, &c->seq, c);
}

static void completed(struct lint *l, const struct td_record *record)
{
    const struct lint_complete complete = { &record->complete, record->seq, record->time_ns };
    struct lint_command *c = g_hash_table_lookup(l->by_seq, &record->complete.submit_seq);

    if (!c)
        return; /* its SUBMIT is lost, or older than a gap */
    g_hash_table_remove(l->by_seq, &c->seq);
    g_ptr_array_remove_index_fast(l->in_flight, c->place);
    if (c->place < l->in_flight->len)
        ((struct lint_command *)g_ptr_array_index(l->in_flight, c->place))->place = c->place;
    show_complete(l, c, &complete);
    command_free(c);
}

static void forget_commands(struct lint *l)
{
    g_hash_table_remove_all(l->by_seq);
    for (guint i = 0; i < l->in_flight->len; i++)
        command_free(g_ptr_array_index(l->in_flight, i));
    g_ptr_array_set_size(l->in_flight, 0);
}

/* What came before says nothing of what comes now. */
static void gap(struct lint *l)
{
    l->saw_gap = true;
    forget_commands(l);
    clear_states(l);
}

static void happened(struct lint *l, const struct td_record *record)
{
    const struct lint_event event = {
        &record->event, get_device(l, record->event.device), record->seq, record->time_ns,
    };

    switch (record->event.type) {
    case TD_EVENT_LOADVM:
    case TD_EVENT_RECORDING:
        gap(l);
        break;
    case TD_EVENT_REGISTER_READ:
    case TD_EVENT_REGISTER_WRITE:
        l->saw_registers = true;
        break;
    case TD_EVENT_RUN_STATE:
        l->saw_shutdown |= strcmp(record->event.text, "shutdown") == 0;
        break;
    default:
        break;
    }
    show_event(l, &event);
}

void lint_record(struct lint *l, const struct td_record *record)
{
    if (l->options.filter)
        filter_see(l->options.filter, record);
    if (record->kind != TD_DAMAGE)
        l->now_ns = record->time_ns;
    switch (record->kind) {
    case TD_DEVICE:
        introduce(l, &record->device);
        break;
    case TD_SUBMIT:
        submitted(l, record);
        break;
    case TD_COMPLETE:
        completed(l, record);
        break;
    case TD_EVENT:
        happened(l, record);
        break;
    case TD_LOST:
    case TD_DAMAGE:
        gap(l);
        break;
    default:
        break;
    }
}

static gint compare_findings(gconstpointer a, gconstpointer b)
{
    const struct lint_finding *const *x = a, *const *y = b;

    return ((*x)->seq > (*y)->seq) - ((*x)->seq < (*y)->seq);
}

void lint_end(struct lint *l)
{
    for_each_rule(l, rule) {
        if (rule->end && is_checked(l, rule))
            rule->end(l, l->states[l->rule]);
        g_ptr_array_sort(l->findings[l->rule], compare_findings);
    }
    forget_commands(l);
    clear_states(l);
}

/* ---- The linter ---- */

struct lint *lint_new(const struct lint_options *options)
{
    struct lint *l = g_new0(struct lint, 1);

    l->options = *options;
    l->devices = g_hash_table_new_full(NULL, NULL, NULL, device_free);
    l->by_seq = g_hash_table_new(g_int64_hash, g_int64_equal);
    l->in_flight = g_ptr_array_new();
    l->elements = g_array_new(FALSE, FALSE, sizeof(struct td_element));
    l->states = g_new0(void *, lint_n_rules);
    l->findings = g_new0(GPtrArray *, lint_n_rules);
    l->counts = g_new0(uint64_t, lint_n_rules);
    for (size_t i = 0; i < lint_n_rules; i++) {
        l->states[i] = g_malloc0(lint_rules[i]->state_size);
        l->findings[i] = g_ptr_array_new_with_free_func(finding_free);
    }
    return l;
}

struct lint *lint_path(const char *path, const struct lint_options *options)
{
    struct lint *l = lint_new(options);
    struct td_reader *reader;
    struct td_record record;

    if (td_reader_open(path, &reader, NULL) == 0) {
        while (td_reader_next(reader, &record) > 0)
            lint_record(l, &record);
        td_reader_close(reader);
    }
    lint_end(l);
    return l;
}

void lint_free(struct lint *l)
{
    forget_commands(l);
    clear_states(l);
    for (size_t i = 0; i < lint_n_rules; i++) {
        g_free(l->states[i]);
        g_ptr_array_unref(l->findings[i]);
    }
    g_free(l->states);
    g_free(l->findings);
    g_free(l->counts);
    g_array_unref(l->elements);
    g_ptr_array_unref(l->in_flight);
    g_hash_table_unref(l->by_seq);
    g_hash_table_unref(l->devices);
    g_free(l);
}

uint64_t lint_count(const struct lint *l, size_t i)
{
    return l->counts[i];
}

const GPtrArray *lint_findings(const struct lint *l, size_t i)
{
    return l->findings[i];
}

const char *lint_not_checked(const struct lint *l, size_t i)
{
    if (lint_rules[i]->needs_registers && !l->saw_registers)
        return "needs a trace recorded with registers=on";
    if (lint_rules[i]->needs_blank && !l->options.blank)
        return "needs --blank";
    if (lint_rules[i]->needs_blank && l->saw_gap)
        return "the trace has gaps";
    return NULL;
}

uint64_t lint_commands(const struct lint *l)
{
    return l->commands;
}
