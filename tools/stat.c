/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tracedisk stat: counts, sizes, queue depth, latency, alignment. */
#include "stat.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "filter.h"
#include "options.h"
#include "output.h"
#include "record.h"
#include "tool.h"

const enum td_status stat_statuses[STAT_STATUSES] = { TD_GOOD, TD_ERROR, TD_ABORTED, TD_PENDING };

#define FIRST_BUCKET_NS 1000000

/* Few different keys: a search beats a hash table. The last one found is first. */
static void count_key(GArray *counts, const char *key)
{
    struct stat_count *all = (struct stat_count *)(void *)counts->data;
    struct stat_count found = { key, 1 };

    for (guint i = 0; i < counts->len; i++) {
        if (all[i].key == key) {
            all[i].count++;
            if (i > 0) {
                found = all[i];
                all[i] = all[i - 1];
                all[i - 1] = found;
            }
            return;
        }
    }
    g_array_append_val(counts, found);
}

static void count_error(struct statistics *s, const struct td_command *c)
{
    const struct td_complete *complete = &c->complete;
    g_autoptr(GString) text = g_string_new(td_status_name(complete->status));
    char sense[SENSE_TEXT_MAX];

    if (sense_text(complete, sense))
        g_string_append_printf(text, ", sense %s", sense);
    else if (complete->scsi_status)
        g_string_append_printf(text, ", SCSI status 0x%02x", complete->scsi_status);
    if (complete->has_ata)
        g_string_append_printf(text, ", ATA status 0x%02x error 0x%02x", complete->ata_status,
                               complete->ata_error);
    count_key(s->errors, g_intern_string(text->str));
}

static void count_elements(struct stat_elements *e, const struct td_command *c)
{
    uint32_t n = element_count(c);
    uint64_t end = 0;

    if (!n)
        return;
    histogram_add(&e->per_command, n);
    for (uint32_t i = 0; i < n; i++) {
        const struct td_element *element = &c->submit.elements[i];
        uint64_t bits = element->addr | element->len;

        histogram_add(&e->len, element->len);
        e->unaligned_4096 += (bits & 4095) != 0;
        e->unaligned_512 += (bits & 511) != 0;
        e->odd += bits & 1;
        e->contiguous += i > 0 && element->addr == end;
        e->observed += (element->flags & TD_ELEMENT_OBSERVED) != 0;
        end = element->addr + element->len;
    }
}

static void widen(struct stat_throughput *t)
{
    for (unsigned i = 0; i < STAT_TIME_BUCKETS / 2; i++) {
        t->commands[i] = t->commands[2 * i] + t->commands[2 * i + 1];
        t->bytes[i] = t->bytes[2 * i] + t->bytes[2 * i + 1];
    }
    memset(&t->commands[STAT_TIME_BUCKETS / 2], 0, sizeof(t->commands) / 2);
    memset(&t->bytes[STAT_TIME_BUCKETS / 2], 0, sizeof(t->bytes) / 2);
    t->bucket_ns *= 2;
}

static void count_throughput(struct stat_throughput *t, uint64_t ns, uint64_t bytes)
{
    uint64_t bucket;

    if (t->bucket_ns == 0) {
        t->bucket_ns = FIRST_BUCKET_NS;
        t->start_ns = ns;
    }
    if (ns < t->start_ns) /* loadvm sets the virtual clock back */
        ns = t->start_ns;
    while ((bucket = (ns - t->start_ns) / t->bucket_ns) >= STAT_TIME_BUCKETS)
        widen(t);
    t->commands[bucket]++;
    t->bytes[bucket] += bytes;
}

static void see_time(struct statistics *s, uint64_t ns)
{
    if (!s->has_time || ns < s->first_ns)
        s->first_ns = ns;
    s->last_ns = MAX(s->last_ns, ns);
    s->has_time = true;
}

static void count_lba(struct statistics *s, const struct td_command *c)
{
    uint64_t *next;

    if (!(c->decoded.flags & TD_HAS_LBA) || c->submit.device > UINT16_MAX)
        return;
    if (c->submit.device >= s->next_lba->len)
        g_array_set_size(s->next_lba, c->submit.device + 1);
    next = &g_array_index(s->next_lba, uint64_t, c->submit.device);
    s->with_lba++;
    s->sequential += *next == c->decoded.lba + 1;
    *next = c->decoded.lba + c->decoded.blocks + 1;
}

static void count_submit(struct statistics *s, const struct td_command *c)
{
    see_time(s, c->submit_ns);
    if (c->in_flight)
        histogram_add(&s->depth, c->in_flight);
    count_key(s->names, c->decoded.name);
    count_elements(&s->elements, c);
    count_lba(s, c);
}

static void count_complete(struct statistics *s, struct stat_operation *op,
                           const struct td_command *c)
{
    see_time(s, c->complete_ns);
    count_throughput(&s->throughput, c->complete_ns, c->complete.bytes);
    op->total_bytes += c->complete.bytes;
    if (c->complete.bytes)
        histogram_add(&op->bytes, c->complete.bytes);
    if (c->submit_known && c->complete_ns >= c->submit_ns)
        histogram_add(&op->latency_ns, c->complete_ns - c->submit_ns);
    if (c->complete.status != TD_GOOD)
        count_error(s, c);
}

static void count_command(struct statistics *s, const struct td_command *c)
{
    enum td_op kind = c->submit_known ? c->decoded.op : TD_OP_OTHER;
    struct stat_operation *op = &s->operations[kind < STAT_OPS ? kind : TD_OP_OTHER];
    const char *words[COMMAND_FLAGS_MAX];
    size_t n_words = command_flags(c, words);

    s->commands++;
    op->commands++;
    for (size_t i = 0; i < STAT_STATUSES; i++)
        s->statuses[i] += c->complete.status == stat_statuses[i];
    for (size_t i = 0; i < n_words; i++)
        count_key(s->flags, g_intern_static_string(words[i]));
    if (c->submit_known)
        count_submit(s, c);
    if (c->complete.status != TD_PENDING)
        count_complete(s, op, c);
}

static void count_device(struct statistics *s, uint32_t id)
{
    for (guint i = 0; i < s->devices->len; i++) {
        if (g_array_index(s->devices, uint32_t, i) == id)
            return;
    }
    g_array_append_val(s->devices, id);
}

static void count_record(struct statistics *s, const struct td_record *record)
{
    if (record->kind == TD_EVENT)
        count_key(s->events, td_event_name(record->event.type));
    else if (record->kind == TD_MARK)
        s->marks++;
    else if (record->kind == TD_DEVICE)
        count_device(s, record->device.id);
}

static gint by_count(gconstpointer a, gconstpointer b)
{
    const struct stat_count *one = a, *other = b;

    if (one->count != other->count)
        return one->count < other->count ? 1 : -1;
    return strcmp(one->key, other->key);
}

void statistics_add(struct statistics *s, const struct td_item *item)
{
    if (item->kind == TD_ITEM_COMMAND)
        count_command(s, item->command);
    else
        count_record(s, item->record);
}

struct statistics *statistics_new(const char *path)
{
    struct statistics *s = g_new0(struct statistics, 1);

    s->path = path;
    s->names = g_array_new(FALSE, FALSE, sizeof(struct stat_count));
    s->flags = g_array_new(FALSE, FALSE, sizeof(struct stat_count));
    s->errors = g_array_new(FALSE, FALSE, sizeof(struct stat_count));
    s->events = g_array_new(FALSE, FALSE, sizeof(struct stat_count));
    s->devices = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    s->next_lba = g_array_new(FALSE, TRUE, sizeof(uint64_t));
    return s;
}

void statistics_free(struct statistics *s)
{
    g_array_unref(s->names);
    g_array_unref(s->flags);
    g_array_unref(s->errors);
    g_array_unref(s->events);
    g_array_unref(s->devices);
    g_array_unref(s->next_lba);
    g_free(s);
}

void statistics_finish(struct statistics *s)
{
    g_array_sort(s->names, by_count);
    g_array_sort(s->flags, by_count);
    g_array_sort(s->errors, by_count);
    g_array_sort(s->events, by_count);
}

static int stat_trace(struct statistics *s, struct filter *filter, bool as_json)
{
    struct input in;
    struct td_item item;

    if (!input_open(&in, s->path))
        return EXIT_TROUBLE;
    output_open();
    while (filter_next_item(filter, &in, false, &item))
        statistics_add(s, &item);
    statistics_finish(s);
    if (as_json)
        stat_print_json(s, &in);
    else
        stat_print_text(s, &in);
    output_flush();
    return output_close(filter_close_input(filter, &in));
}

int stat_main(int argc, char **argv)
{
    struct filter filter;
    gboolean as_json = FALSE;
    const GOptionEntry own_options[] = {
        { "json", 0, 0, G_OPTION_ARG_NONE, &as_json, "print one JSON object", NULL },
        G_OPTION_ENTRY_NULL,
    };
    const struct command_line line = {
        .arguments = "TRACE",
        .summary = "Print how many commands there are, their sizes, queue depth, latency, "
                   "alignment and elements, and throughput over time.",
        .description = "Exit status: 0 fine, 1 something of the trace is missing (damaged or lost "
                       "records), 2 trouble.",
        .entries = own_options,
        .group = filter_options,
        .data = &filter,
        .operands = 1,
    };
    int status = EXIT_TROUBLE;

    filter_init(&filter);
    if (command_line_parse(&line, &argc, &argv)) {
        struct statistics *s = statistics_new(argv[1]);

        status = stat_trace(s, &filter, as_json);
        statistics_free(s);
    }
    filter_clear(&filter);
    return status;
}
