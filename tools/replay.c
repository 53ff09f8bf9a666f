/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tracedisk replay: give the commands of a trace to another disk, and compare. */
#include "replay.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "options.h"
#include "output.h"
#include "tool.h"

#define DEFAULT_LIMIT 10

struct printer {
    struct json *json; /* NULL: text */
    uint64_t limit;    /* differences to print; 0: all */
    uint64_t printed;
};

static const char *const what_differs[] = {
    [REPLAY_STATUS_DIFFERS] = "status",
    [REPLAY_DATA_DIFFER] = "data",
};

/* ---- Differences ---- */

static void print_text(const struct replay_job *job, const struct replay_difference *d)
{
    const struct td_command *c = &job->command;

    printf("#%-8" PRIu64 " %s", c->seq, c->decoded.name);
    if (c->decoded.flags & TD_HAS_LBA)
        printf(" %" PRIu64 "+%" PRIu64, c->decoded.lba, c->decoded.blocks);
    printf(": %s", d->verdict == REPLAY_DATA_DIFFER ? "other bytes" : "another status");
    if (d->has_block)
        printf(", first in block %" PRIu64, d->block);
    printf("\n          recorded %s\n          now      %s\n", d->recorded, d->now);
}

static void print_json(struct json *j, const struct replay_job *job,
                       const struct replay_difference *d)
{
    const struct td_command *c = &job->command;

    json_begin_object(j);
    json_key_string(j, "type", "difference");
    json_key_string(j, "what", what_differs[d->verdict]);
    json_key_uint(j, "seq", c->seq);
    json_key_string(j, "name", c->decoded.name);
    if (c->decoded.flags & TD_HAS_LBA) {
        json_key_uint(j, "lba", c->decoded.lba);
        json_key_uint(j, "blocks", c->decoded.blocks);
    }
    if (d->has_block)
        json_key_uint(j, "first_block", d->block);
    json_key_string(j, "recorded", d->recorded);
    json_key_string(j, "now", d->now);
    json_end_object(j);
    json_end_document(j);
}

static void print_difference(const struct replay_job *job, const struct replay_difference *d,
                             void *data)
{
    struct printer *printer = data;

    if (printer->limit && printer->printed == printer->limit)
        return;
    printer->printed++;
    if (printer->json)
        print_json(printer->json, job, d);
    else
        print_text(job, d);
}

/* ---- The summary ---- */

static uint64_t compared(const struct replay *r)
{
    return r->counts.same + r->counts.status_differs + r->counts.data_differ;
}

/* "name\twhy" -> its two words; in order. */
static GList *sorted_reasons(const struct replay *r)
{
    return g_list_sort(g_hash_table_get_keys(r->reasons), (GCompareFunc)strcmp);
}

static void print_reasons(const struct replay *r)
{
    GList *reasons = sorted_reasons(r);

    if (reasons)
        printf("not done again: %" PRIu64 " commands\n", r->counts.skipped);
    for (GList *at = reasons; at; at = at->next) {
        g_auto(GStrv) words = g_strsplit(at->data, "\t", 2);

        printf("%8" PRIu64 "  %s: %s\n", *(uint64_t *)g_hash_table_lookup(r->reasons, at->data),
               words[0], words[1]);
    }
    g_list_free(reasons);
}

static void print_summary(const struct replay *r, const struct printer *printer)
{
    uint64_t differ = r->counts.status_differs + r->counts.data_differ;
    char read[HUMAN_MAX], written[HUMAN_MAX];

    if (differ > printer->printed)
        printf("… and %" PRIu64 " more (--limit)\n", differ - printer->printed);
    printf("%" PRIu64 " commands in %.2f s (recorded: %.2f s), %s read, %s written\n", compared(r),
           r->seconds, r->recorded_seconds, human_bytes((double)r->bytes_read, read),
           human_bytes((double)r->bytes_written, written));
    printf("%" PRIu64 " the same, %" PRIu64 " with another status, %" PRIu64 " with other bytes\n",
           r->counts.same, r->counts.status_differs, r->counts.data_differ);
    if (r->counts.unchecked)
        printf("of %" PRIu64 " reads the bytes could not be compared\n", r->counts.unchecked);
    print_reasons(r);
}

static void print_json_summary(const struct replay *r, struct json *j)
{
    GList *reasons = sorted_reasons(r);

    json_begin_object(j);
    json_key_string(j, "type", "summary");
    json_key_uint(j, "commands", compared(r));
    json_key_uint(j, "same", r->counts.same);
    json_key_uint(j, "status_differs", r->counts.status_differs);
    json_key_uint(j, "data_differ", r->counts.data_differ);
    json_key_uint(j, "data_unchecked", r->counts.unchecked);
    json_key_uint(j, "bytes_read", r->bytes_read);
    json_key_uint(j, "bytes_written", r->bytes_written);
    json_key_double(j, "seconds", r->seconds);
    json_key_double(j, "recorded_seconds", r->recorded_seconds);
    json_key(j, "not_replayed");
    json_begin_array(j);
    for (GList *at = reasons; at; at = at->next) {
        g_auto(GStrv) words = g_strsplit(at->data, "\t", 2);

        json_begin_object(j);
        json_key_string(j, "name", words[0]);
        json_key_string(j, "why", words[1]);
        json_key_uint(j, "commands", *(uint64_t *)g_hash_table_lookup(r->reasons, at->data));
        json_end_object(j);
    }
    json_end_array(j);
    json_end_object(j);
    json_end_document(j);
    g_list_free(reasons);
}

/* ---- Work ---- */

/* Without --device a trace of one device is needed: those it begins with count. */
static bool is_one_device(const char *trace)
{
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *list = NULL;
    struct td_reader *reader;
    struct td_record record;

    if (td_reader_open(trace, &reader, NULL) < 0)
        return true; /* told when it is opened for good */
    while (td_reader_next(reader, &record) > 0 && record.kind != TD_SUBMIT) {
        if (record.kind == TD_DEVICE &&
            !g_ptr_array_find_with_equal_func(names, record.device.name, g_str_equal, NULL))
            g_ptr_array_add(names, g_strdup(record.device.name));
    }
    td_reader_close(reader);
    if (names->len <= 1)
        return true;
    g_ptr_array_add(names, NULL);
    list = g_strjoinv(", ", (char **)names->pdata);
    say("the trace has several devices: choose one with --device: %s", list);
    return false;
}

static struct replay_target *open_target(const char *target, const char *format, bool read_only)
{
    if (!g_str_has_prefix(target, "iscsi://"))
        return replay_open_nbd(target, format, read_only);
    if (!format)
        return replay_open_iscsi(target);
    say("--image-format is for images; '%s' is a logical unit", target);
    return NULL;
}

static int finish(struct replay *r, struct printer *printer, bool good)
{
    if (good && printer->json)
        print_json_summary(r, printer->json);
    else if (good)
        print_summary(r, printer);
    output_flush();
    if (!good)
        return EXIT_TROUBLE;
    return r->counts.status_differs || r->counts.data_differ ? EXIT_FINDINGS : EXIT_FINE;
}

static int replay_trace(struct replay *r, struct printer *printer, const char *trace,
                        const char *target, const char *format)
{
    struct input in;
    int status, reading;

    if (input_is_file(trace, target)) {
        say("'%s' is the trace itself", target);
        return EXIT_TROUBLE;
    }
    if (!r->options.device && !is_one_device(trace))
        return EXIT_TROUBLE;
    if (!input_open(&in, trace))
        return EXIT_TROUBLE;
    r->target = open_target(target, format, r->options.reads_only);
    if (!r->target) {
        input_close(&in);
        return EXIT_TROUBLE;
    }
    output_open();
    status = finish(r, printer, replay_run(r, &in));
    reading = input_close(&in);
    return output_close(MAX(status, reading));
}

static gboolean option_speed(const gchar *name, const gchar *value, gpointer data, GError **error)
{
    struct replay *r = data;
    char *end;

    (void)name;
    if (strcmp(value, "max") == 0) {
        r->options.speed = 0;
        return TRUE;
    }
    r->options.speed = g_ascii_strtod(value, &end);
    if (end != value && !*end && r->options.speed > 0 && r->options.speed <= 1e6)
        return TRUE;
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                "--speed %s: 1 is as recorded, 2 twice as fast, max as fast as it goes", value);
    return FALSE;
}

int replay_main(int argc, char **argv)
{
    struct replay r = { .differs = print_difference };
    struct printer printer = { 0 };
    g_autofree char *device = NULL, *format = NULL;
    gboolean json = FALSE, reads_only = FALSE;
    gint64 limit = DEFAULT_LIMIT;
    int status;
    const GOptionEntry options[] = {
        { "device", 0, 0, G_OPTION_ARG_STRING, &device, "do the commands of this device", "NAME" },
        { "speed", 0, 0, G_OPTION_ARG_CALLBACK, option_speed,
          "1 as recorded, 2 twice as fast, …, max (the default)", "X" },
        { "reads-only", 0, 0, G_OPTION_ARG_NONE, &reads_only,
          "leave out all that changes the target", NULL },
        { "image-format", 0, 0, G_OPTION_ARG_STRING, &format,
          "the image's format, as qemu-nbd knows it (default: what it looks like)", "FORMAT" },
        { "limit", 0, 0, G_OPTION_ARG_INT64, &limit, "differences shown (10; 0: all)", "N" },
        { "json", 0, 0, G_OPTION_ARG_NONE, &json,
          "print one JSON object a line: the differences, then a summary", NULL },
        G_OPTION_ENTRY_NULL,
    };
    const struct command_line line = {
        .arguments = "TRACE TARGET",
        .summary = "Do the commands of a trace again, on an image, an NBD export or an iSCSI "
                   "logical unit, and compare\nstatus and bytes of each with what was recorded. "
                   "What the target holds is overwritten.",
        .description = "Exit status: 0 all is the same, 1 something differs or something of the "
                       "trace is missing, 2 trouble.",
        .entries = options,
        .data = &r,
        .operands = 2,
    };

    if (!command_line_parse(&line, &argc, &argv))
        return EXIT_TROUBLE;
    r.options.device = device;
    r.options.reads_only = reads_only;
    r.reasons = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    r.data = &printer;
    printer.limit = (uint64_t)MAX(0, limit);
    printer.json = json ? json_new(false) : NULL;
    status = replay_trace(&r, &printer, argv[1], argv[2], format);
    if (printer.json)
        json_free(printer.json);
    g_hash_table_unref(r.reasons);
    return status;
}
