/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tracedisk diff: what differs in meaning between two runs of the same job. */
#include <stdio.h>
#include <string.h>

#include "diff.h"
#include "options.h"
#include "output.h"
#include "tool.h"

#define MARK_SEPARATOR "\n"
#define ALL_LEVELS ((1u << DIFF_LEVELS) - 1)

struct diff_options {
    uint32_t levels, fail_on; /* bits 1 << enum diff_level; 0: not given */
    char *from, *to, *device;
    gboolean as_json, stat;
    gint64 details;
};

static gboolean parse_levels(const char *option, const char *value, gpointer data, GError **error)
{
    struct diff_options *o = data;
    uint32_t *levels = strcmp(option, "--fail-on") == 0 ? &o->fail_on : &o->levels;
    g_auto(GStrv) words = g_strsplit(*value ? value : ",", ",", -1);

    for (char **word = words; *word; word++) {
        int level = 0;

        while (level < DIFF_LEVELS && strcmp(*word, diff_level_names[level]) != 0)
            level++;
        if (level == DIFF_LEVELS) {
            g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                        "%s: '%s' is not a level; there are data, order, shape, geometry, "
                        "outcome, time", option, *word);
            return FALSE;
        }
        *levels |= 1u << level;
    }
    return TRUE;
}

static gboolean parse_between(const char *option, const char *value, gpointer data, GError **error)
{
    struct diff_options *o = data;
    char **marks = g_strsplit(value, MARK_SEPARATOR, 2);

    if (g_strv_length(marks) != 2) {
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                    "%s: two marks are needed, as in %s MARK MARK", option, option);
        g_strfreev(marks);
        return FALSE;
    }
    g_free(o->from);
    g_free(o->to);
    o->from = g_strdup(marks[0]);
    o->to = g_strdup(marks[1]);
    g_strfreev(marks);
    return TRUE;
}

/* GOption knows no options with two words: make them one. */
static void join_between(int *argc, char **argv)
{
    for (int i = 1; i + 2 < *argc; i++) {
        g_autofree char *marks = NULL;

        if (strcmp(argv[i], "--between") != 0)
            continue;
        marks = g_strjoin(MARK_SEPARATOR, argv[i + 1], argv[i + 2], NULL);
        argv[i + 1] = (char *)g_intern_string(marks);
        memmove(&argv[i + 2], &argv[i + 3], (size_t)(*argc - i - 2) * sizeof(*argv));
        *argc -= 1;
        i++;
    }
}

/* ---- One device of both traces ---- */

static void compare_device(const struct diff_options *o, struct diff *d)
{
    static void (*const levels[DIFF_LEVELS])(struct diff *) = {
        diff_data, diff_order, diff_shape, diff_geometry, diff_outcome, diff_time,
    };

    d->levels = o->levels;
    d->limit = (uint64_t)o->details;
    d->compare_digests = d->sides[0].hash == d->sides[1].hash && d->sides[0].hash;
    for (unsigned s = 0; s < 2 && !d->compare_digests; s++) {
        for (uint32_t i = 0; i < d->sides[s].n; i++)
            d->sides[s].commands[i].digest *= !d->sides[s].commands[i].blocks;
    }
    diff_match(d);
    for (int level = 0; level < DIFF_LEVELS; level++) {
        if (diff_wants(d, (enum diff_level)level))
            levels[level](d);
    }
}

static void clear_finding(gpointer finding)
{
    g_free(((struct diff_finding *)finding)->text);
}

static uint32_t diff_device(const struct diff_options *o, const struct diff_side *a,
                            const struct diff_side *b)
{
    struct diff d = { .sides = { *a, *b } };
    uint32_t differing = 0;

    d.groups = g_array_new(FALSE, FALSE, sizeof(struct diff_group));
    d.members = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    d.findings = g_array_new(FALSE, FALSE, sizeof(struct diff_finding));
    g_array_set_clear_func(d.findings, clear_finding);
    d.timings = g_array_new(FALSE, FALSE, sizeof(struct diff_timing));
    d.choices = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    compare_device(o, &d);
    if (o->as_json)
        diff_print_json(&d);
    else
        diff_print_text(&d, o->stat);
    for (int level = 0; level < DIFF_LEVELS; level++)
        differing |= diff_level_differs(&d, (enum diff_level)level) ? 1u << level : 0;
    g_array_unref(d.groups);
    g_array_unref(d.members);
    g_array_unref(d.findings);
    g_array_unref(d.timings);
    g_hash_table_unref(d.choices);
    return differing;
}

/* ---- Two traces ---- */

static const struct diff_side *find_side(const struct diff_trace *trace, const char *device)
{
    for (guint i = 0; i < trace->sides->len; i++) {
        const struct diff_side *side = trace->sides->pdata[i];

        if (strcmp(side->device, device) == 0)
            return side;
    }
    return NULL;
}

/* A trace's only device is compared with the other's only one, whatever their names. */
static const struct diff_side *counterpart(const struct diff_trace *own,
                                           const struct diff_trace *other, guint i)
{
    if (own->sides->len == 1 && other->sides->len == 1)
        return other->sides->pdata[0];
    return find_side(other, ((const struct diff_side *)own->sides->pdata[i])->device);
}

/* Returns the levels that differ; a device that one trace lacks is of no level: *unknown. */
static uint32_t diff_traces(const struct diff_options *o, const struct diff_trace traces[2],
                            bool *unknown)
{
    uint32_t differing = 0;

    for (guint i = 0; i < traces[0].sides->len; i++) {
        const struct diff_side *a = traces[0].sides->pdata[i];
        const struct diff_side *b = counterpart(&traces[0], &traces[1], i);

        if (!b)
            continue; /* said below */
        if (traces[0].sides->len > 1 && !o->as_json)
            printf("%s%s%s\n", colour(COLOUR_BOLD), a->device, colour(COLOUR_NONE));
        differing |= diff_device(o, a, b);
    }
    for (unsigned s = 0; s < 2; s++) {
        for (guint i = 0; i < traces[s].sides->len; i++) {
            const struct diff_side *side = traces[s].sides->pdata[i];

            if (!counterpart(&traces[s], &traces[!s], i)) {
                say("%s has no device '%s', which %s has; choose one with --device",
                    traces[!s].path, side->device, side->path);
                *unknown = true;
            }
        }
    }
    return differing;
}

static int load(const struct diff_options *o, struct diff_trace *trace)
{
    struct filter filter;
    int status;

    filter_init(&filter);
    filter.from = g_strdup(o->from);
    filter.to = g_strdup(o->to);
    filter.device = g_strdup(o->device);
    status = diff_trace_load(trace, &filter);
    filter_clear(&filter);
    return status;
}

static int diff_paths(const struct diff_options *o, char **paths)
{
    struct diff_trace traces[2];
    bool unknown = false;
    int status = EXIT_FINE;

    diff_trace_init(&traces[0], paths[0]);
    diff_trace_init(&traces[1], paths[1]);
    for (unsigned s = 0; s < 2 && status != EXIT_TROUBLE; s++) {
        int loaded = load(o, &traces[s]);

        status = MAX(status, loaded);
    }
    if (status != EXIT_TROUBLE) {
        output_open();
        if (diff_traces(o, traces, &unknown) & o->fail_on)
            status = EXIT_FINDINGS;
        if (unknown)
            status = EXIT_TROUBLE;
        output_flush();
        status = output_close(status);
    }
    diff_trace_clear(&traces[0]);
    diff_trace_clear(&traces[1]);
    return status;
}

int diff_main(int argc, char **argv)
{
    struct diff_options o = { 0 };
    const GOptionEntry entries[] = {
        { "level", 0, 0, G_OPTION_ARG_CALLBACK, parse_levels,
          "compare only these: data, order, shape, geometry, outcome, time", "LEVEL[,LEVEL...]" },
        { "between", 0, 0, G_OPTION_ARG_CALLBACK, parse_between,
          "only what lies between these marks, in both traces", "MARK MARK" },
        { "device", 0, 0, G_OPTION_ARG_STRING, &o.device, "only this device", "NAME" },
        { "details", 0, 0, G_OPTION_ARG_INT64, &o.details,
          "also list up to N differences of each kind, with their commands", "N" },
        { "stat", 0, 0, G_OPTION_ARG_NONE, &o.stat,
          "print only how many differences of each kind there are", NULL },
        { "json", 0, 0, G_OPTION_ARG_NONE, &o.as_json, "print one JSON object for each device",
          NULL },
        { "fail-on", 0, 0, G_OPTION_ARG_CALLBACK, parse_levels,
          "differences of these levels make the exit status 1; default: data,order",
          "LEVEL[,LEVEL...]" },
        G_OPTION_ENTRY_NULL,
    };
    const struct command_line line = {
        .arguments = "A B",
        .summary = "Tell what differs in meaning between two runs of the same job.",
        .description = "Exit status: 0 no difference of a level in --fail-on, 1 differences, or "
                       "something of a trace is missing, 2 trouble.",
        .entries = entries,
        .data = &o,
        .operands = 2,
    };
    int status = EXIT_TROUBLE;

    join_between(&argc, argv);
    if (command_line_parse(&line, &argc, &argv)) {
        if (o.details < 0) {
            say("--details: %" G_GINT64_FORMAT " is not a number of differences", o.details);
        } else {
            o.levels = o.levels ? o.levels : ALL_LEVELS;
            o.fail_on = o.fail_on ? o.fail_on : 1u << DIFF_DATA | 1u << DIFF_ORDER;
            status = diff_paths(&o, argv + 1);
        }
    }
    g_free(o.from);
    g_free(o.to);
    g_free(o.device);
    return status;
}
