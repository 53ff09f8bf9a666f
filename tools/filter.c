/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which commands and records a subcommand looks at: the same options for all. */
#include "filter.h"

#include <string.h>

#include "record.h"
#include "tool.h"

static const enum td_status statuses[] = { TD_GOOD, TD_ERROR, TD_ABORTED, TD_PENDING };

static gboolean bad_value(GError **error, const char *option, const char *value,
                          const char *accepted)
{
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "%s: '%s' is not %s", option,
                value, accepted);
    return FALSE;
}

static const char *op_word(size_t i)
{
    return i <= TD_OP_IDENTIFY ? td_op_name((enum td_op)i) : NULL;
}

static const char *status_word(size_t i)
{
    return i < G_N_ELEMENTS(statuses) ? td_status_name(statuses[i]) : NULL;
}

static uint32_t status_bit(enum td_status status)
{
    size_t i = 0;

    while (i + 1 < G_N_ELEMENTS(statuses) && statuses[i] != status)
        i++;
    return 1u << i;
}

/* The place of the word among name(0), name(1) …; -1 if it is none of them. */
static int find_word(const char *word, const char *(*name)(size_t i))
{
    for (int i = 0; name((size_t)i); i++) {
        if (strcmp(word, name((size_t)i)) == 0)
            return i;
    }
    return -1;
}

/* Words with commas between them; a bit is set for the place of each. */
static bool parse_words(const char *value, const char *(*name)(size_t i), uint32_t *bits)
{
    g_auto(GStrv) words = g_strsplit(*value ? value : ",", ",", -1);

    for (char **word = words; *word; word++) {
        int i = find_word(*word, name);

        if (i < 0)
            return false;
        *bits |= 1u << i;
    }
    return true;
}

static gboolean parse_op(const char *option, const char *value, gpointer data, GError **error)
{
    struct filter *f = data;

    return parse_words(value, op_word, &f->ops) ||
           bad_value(error, option, value,
                     "an operation; there are read, write, flush, trim, zero, verify, identify, "
                     "other");
}

static gboolean parse_status(const char *option, const char *value, gpointer data, GError **error)
{
    struct filter *f = data;

    return parse_words(value, status_word, &f->statuses) ||
           bad_value(error, option, value, "a status; there are good, error, aborted, pending");
}

static gboolean parse_lba(const char *option, const char *value, gpointer data, GError **error)
{
    struct filter *f = data;

    if (!parse_range(value, &f->lba))
        return bad_value(error, option, value,
                         "a block or a range of blocks: A, A-B or A+COUNT, decimal or 0x...");
    f->has_lba = true;
    return TRUE;
}

static gboolean parse_page(const char *option, const char *value, gpointer data, GError **error)
{
    struct filter *f = data;

    if (!parse_range(value, &f->page))
        return bad_value(error, option, value,
                         "a guest-physical address or a range of them: A, A-B or A+LENGTH, "
                         "decimal or 0x...");
    f->page.first -= f->page.first % GUEST_PAGE;
    f->page.last |= GUEST_PAGE - 1;
    f->has_page = true;
    return TRUE;
}

static gboolean parse_tag(const char *option, const char *value, gpointer data, GError **error)
{
    struct filter *f = data;

    if (!parse_number(value, &f->tag))
        return bad_value(error, option, value, "a tag: a number, decimal or 0x...");
    f->has_tag = true;
    return TRUE;
}

static gboolean parse_since(const char *option, const char *value, gpointer data, GError **error)
{
    struct filter *f = data;

    if (!parse_time(value, &f->since_ns))
        return bad_value(error, option, value,
                         "a time: nanoseconds, or a number with ns, us, ms or s, like 1.5s");
    f->has_since = true;
    return TRUE;
}

static gboolean parse_name(const char *option, const char *value, gpointer data, GError **error)
{
    struct filter *f = data;
    char **name = strcmp(option, "--device") == 0 ? &f->device :
                  strcmp(option, "--from") == 0   ? &f->from :
                                                    &f->to;

    (void)error;
    g_free(*name);
    *name = g_strdup(value);
    return TRUE;
}

/* TO: what the option is called that ends with a mark. */
#define FILTER_OPTIONS(TO) \
    { "op", 0, 0, G_OPTION_ARG_CALLBACK, parse_op, \
      "commands of these operations: read, write, flush, trim, zero, verify, identify, other", \
      "OP[,OP...]" }, \
    { "lba", 0, 0, G_OPTION_ARG_CALLBACK, parse_lba, \
      "commands that cover one of these blocks", "A[-B]" }, \
    { "page", 0, 0, G_OPTION_ARG_CALLBACK, parse_page, \
      "commands whose elements, FISes or PRDBC lie in these guest pages", "GPA[-GPA]" }, \
    { "tag", 0, 0, G_OPTION_ARG_CALLBACK, parse_tag, "commands with this tag (AHCI: slot)", "N" }, \
    { "status", 0, 0, G_OPTION_ARG_CALLBACK, parse_status, \
      "commands that ended so: good, error, aborted, pending", "STATUS[,STATUS...]" }, \
    { "from", 0, 0, G_OPTION_ARG_CALLBACK, parse_name, "from this mark on", "MARK" }, \
    { TO, 0, 0, G_OPTION_ARG_CALLBACK, parse_name, "up to this mark", "MARK" }, \
    { "since", 0, 0, G_OPTION_ARG_CALLBACK, parse_since, \
      "from this time of the virtual clock on: 1.5s, 200ms, or nanoseconds", "TIME" }, \
    { "device", 0, 0, G_OPTION_ARG_CALLBACK, parse_name, "of this device", "NAME" }

const GOptionEntry filter_options[] = { FILTER_OPTIONS("to"), G_OPTION_ENTRY_NULL };
const GOptionEntry filter_options_until[] = { FILTER_OPTIONS("until"), G_OPTION_ENTRY_NULL };

void filter_init(struct filter *f)
{
    *f = (struct filter){ 0 };
    f->names = g_ptr_array_new_with_free_func(g_free);
    f->marks = g_ptr_array_new_with_free_func(g_free);
}

void filter_copy(struct filter *f, const struct filter *from)
{
    *f = *from;
    f->names = g_ptr_array_new_with_free_func(g_free);
    f->marks = g_ptr_array_new_with_free_func(g_free);
    f->device = g_strdup(from->device);
    f->from = g_strdup(from->from);
    f->to = g_strdup(from->to);
}

void filter_clear(struct filter *f)
{
    g_ptr_array_unref(f->names);
    g_ptr_array_unref(f->marks);
    g_free(f->device);
    g_free(f->from);
    g_free(f->to);
}

static void remember(GPtrArray *names, const char *name)
{
    if (!g_ptr_array_find_with_equal_func(names, name, g_str_equal, NULL))
        g_ptr_array_add(names, g_strdup(name));
}

/* A guest may name anything, also what wraps around at 2^64. */
static bool overlaps(const struct range *range, uint64_t first, uint64_t count)
{
    uint64_t last = first + (count - 1);

    return count && first <= range->last && (last >= range->first || last < first);
}

static bool command_touches(const struct td_command *c, const struct range *range)
{
    for (uint32_t i = 0; i < element_count(c); i++) {
        if (overlaps(range, c->submit.elements[i].addr, c->submit.elements[i].len))
            return true;
    }
    if (c->complete.status == TD_PENDING)
        return false;
    for (uint32_t i = 0; i < c->complete.n_metadata; i++) {
        if (overlaps(range, c->complete.metadata[i].addr, c->complete.metadata[i].len))
            return true;
    }
    return false;
}

static bool command_covers(const struct td_command *c, const struct range *blocks)
{
    return c->submit_known && (c->decoded.flags & TD_HAS_LBA) &&
           overlaps(blocks, c->decoded.lba, c->decoded.blocks);
}

static bool is_device(const struct filter *f, const struct input *in, uint32_t id)
{
    char name[DEVICE_NAME_MAX];

    return !f->device || strcmp(f->device, input_device_name(in, id, name)) == 0;
}

/* Commands belong to where they were submitted, whenever they end. */
static bool command_passes(const struct filter *f, const struct input *in,
                           const struct td_command *c)
{
    bool known = c->submit_known;

    if (f->from && (!f->from_seen || c->seq < f->from_seq))
        return false;
    if (f->to_seen && c->seq > f->to_seq)
        return false;
    if (f->has_since && (known ? c->submit_ns : c->complete_ns) < f->since_ns)
        return false;
    if (f->ops && !(known && f->ops & 1u << c->decoded.op))
        return false;
    if (f->statuses && !(f->statuses & status_bit(c->complete.status)))
        return false;
    if (f->has_tag && (!known || c->submit.tag != f->tag))
        return false;
    if (f->has_lba && !command_covers(c, &f->lba))
        return false;
    if (f->has_page && !command_touches(c, &f->page))
        return false;
    return is_device(f, in, command_device(c));
}

static bool event_touches(const struct td_event *event, const struct range *range)
{
    uint64_t len = event->has & TD_HAS_LEN ? event->len : event->data_len;

    return (event->type == TD_EVENT_FIS || event->type == TD_EVENT_WATCH) &&
           (event->has & TD_HAS_ADDR) && overlaps(range, event->addr, len);
}

static bool is_trim_of(const struct td_record *record, const struct range *blocks)
{
    return record->kind == TD_EVENT && record->event.type == TD_EVENT_TRIM &&
           overlaps(blocks, record->event.addr, record->event.len);
}

static bool record_passes(const struct filter *f, const struct input *in,
                          const struct td_record *record)
{
    if (f->ops || f->statuses || f->has_tag || (f->has_lba && !is_trim_of(record, &f->lba)))
        return false;
    if (f->from && (!f->from_seen || record->seq < f->from_seq))
        return false;
    if (f->to_seen && record->seq > f->to_seq)
        return false;
    if (f->has_since && record->time_ns < f->since_ns)
        return false;
    if (record->kind == TD_EVENT)
        return is_device(f, in, record->event.device) &&
               (!f->has_page || event_touches(&record->event, &f->page));
    return !f->has_page; /* a mark names a point of the whole trace */
}

static void see_mark(struct filter *f, const struct td_record *record)
{
    const char *name = record->mark.name;

    if (f->from || f->to)
        remember(f->marks, name);
    if (f->to && !f->to_seen && (!f->from || f->from_seen) && strcmp(name, f->to) == 0) {
        f->to_seen = true;
        f->to_seq = record->seq;
    }
    if (f->from && !f->from_seen && strcmp(name, f->from) == 0) {
        f->from_seen = true;
        f->from_seq = record->seq;
    }
}

void filter_see(struct filter *f, const struct td_record *record)
{
    if (record->kind == TD_DEVICE)
        remember(f->names, record->device.name);
    else if (record->kind == TD_MARK)
        see_mark(f, record);
}

bool filter_has(const struct filter *f, const char *device, uint64_t seq)
{
    return !(f->device && strcmp(f->device, device) != 0) &&
           !(f->from && (!f->from_seen || seq < f->from_seq)) && !(f->to_seen && seq > f->to_seq);
}

/* Marks and devices change the filter's state: call for every item, in order. */
static bool passes(struct filter *f, const struct input *in, const struct td_item *item)
{
    const struct td_record *record = item->record;

    if (item->kind == TD_ITEM_COMMAND)
        return command_passes(f, in, item->command);
    filter_see(f, record);
    switch (record->kind) {
    case TD_DEVICE:
        return !f->device || strcmp(f->device, record->device.name) == 0;
    case TD_MARK:
        return record_passes(f, in, record);
    case TD_EVENT:
        return record_passes(f, in, record);
    default:
        return true;
    }
}

static bool say_missing(const struct input *in, const char *what, const char *name,
                        GPtrArray *known)
{
    g_autoptr(GString) list = g_string_new(NULL);

    for (guint i = 0; i < known->len; i++)
        g_string_append_printf(list, "%s'%s'", i ? ", " : "", (char *)known->pdata[i]);
    if (known->len)
        say("%s: there is no %s '%s'; there are %s", in->path, what, name, list->str);
    else
        say("%s: there is no %s '%s', nor any other", in->path, what, name);
    return false;
}

static bool found_all_names(const struct filter *f, const struct input *in)
{
    if (f->device &&
        !g_ptr_array_find_with_equal_func(f->names, f->device, g_str_equal, NULL))
        return say_missing(in, "device", f->device, f->names);
    if (f->from && !f->from_seen)
        return say_missing(in, "mark", f->from, f->marks);
    if (f->to && !f->to_seen)
        return say_missing(in, f->from ? "later mark" : "mark", f->to, f->marks);
    return true;
}

/* What does not pass because of where it is need not be read, if there is an index. */
static void seek(struct filter *f, struct input *in)
{
    uint64_t since = f->has_since ? td_reader_find_time(in->reader, f->since_ns) : 0;
    uint64_t from = f->from ? td_reader_find_mark(in->reader, f->from, 0) : 0;
    uint64_t to = f->to ? td_reader_find_mark(in->reader, f->to, from) : 0;

    f->sought = true;
    if (f->from && !from)
        to = 0; /* of which mark it is the next one is not known */
    if (since || from || to)
        input_seek(in, MAX(since, from), to ? MAX(to, MAX(since, from)) : UINT64_MAX);
}

bool filter_next_item(struct filter *f, struct input *in, bool follow, struct td_item *item)
{
    if (!f->sought)
        seek(f, in);
    while (input_next_item(in, follow, item)) {
        if (passes(f, in, item))
            return true;
    }
    f->at_end = !follow && !in->failed;
    return false;
}

int filter_close_input(struct filter *f, struct input *in)
{
    bool unknown = f->at_end && !found_all_names(f, in);
    int status = input_close(in);

    return unknown ? EXIT_TROUBLE : status;
}
