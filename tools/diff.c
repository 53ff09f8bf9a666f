/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tracedisk diff: what differs in meaning between two runs of the same job. */
#include <stdio.h>
#include <string.h>

#include "diff.h"
#include "options.h"
#include "output.h"
#include "tool.h"

#define MARK_SEPARATOR "\n"
#define MOST_LINTED 100000 /* commands */
#define ALL_LEVELS ((1u << DIFF_LEVELS) - 1)

struct diff_options {
    uint32_t levels, fail_on; /* bits 1 << enum diff_level; 0: not given */
    uint64_t ignored;         /* bits 1 << enum diff_kind */
    enum { LINT_FEW, LINT_ALWAYS, LINT_NEVER } lint;
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

/* The rules of each level: "  data      write-payload, read-payload" and so on. */
static char *list_rules(void)
{
    GString *list = g_string_new(NULL);

    for (int level = 0; level < DIFF_LEVELS; level++) {
        const char *joint = "";
        size_t column = 12;

        g_string_append_printf(list, "\n  %-9s ", diff_level_names[level]);
        for (int i = 0; i < DIFF_KINDS; i++) {
            const char *name = diff_kind_name((enum diff_kind)i);

            if ((int)diff_kind_level((enum diff_kind)i) != level)
                continue;
            column += strlen(name) + 2;
            if (column > 96) {
                column = 14 + strlen(name);
                joint = ",\n            ";
            }
            g_string_append_printf(list, "%s%s", joint, name);
            joint = ", ";
        }
    }
    return g_string_free(list, FALSE);
}

static gboolean parse_ignored(const char *option, const char *value, gpointer data, GError **error)
{
    struct diff_options *o = data;
    g_auto(GStrv) words = g_strsplit(*value ? value : ",", ",", -1);

    for (char **word = words; *word; word++) {
        g_autofree char *rules = NULL;
        enum diff_kind kind;

        if (diff_kind_find(*word, &kind)) {
            o->ignored |= UINT64_C(1) << kind;
            continue;
        }
        rules = list_rules();
        g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                    "%s: '%s' is not a rule; there are%s", option, *word, rules);
        return FALSE;
    }
    return TRUE;
}

static gboolean parse_lint(const char *option, const char *value, gpointer data, GError **error)
{
    static const char *const words[] = { "auto", "always", "never" };
    struct diff_options *o = data;

    for (size_t i = 0; i < G_N_ELEMENTS(words); i++) {
        o->lint = i;
        if (strcmp(value, words[i]) == 0)
            return TRUE;
    }
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                "%s: '%s' is not one of auto, always, never", option, value);
    return FALSE;
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

/* ---- One device of all traces ---- */

static uint32_t diff_device(const struct diff_options *o, const struct diff_runs *runs)
{
    struct diff d = {
        .levels = o->levels, .ignored = o->ignored, .lint_forgone = o->lint == LINT_FEW,
    };
    struct diff_sums sums;
    uint32_t differing = 0;

    diff_compare(&d, runs);
    diff_sum(&sums, &d);
    if (o->as_json)
        diff_print_json(&d, &sums, (uint64_t)o->details);
    else if (o->stat)
        diff_print_numbers(&sums);
    else
        diff_print_text(&d, &sums, (uint64_t)o->details);
    for (int level = 0; level < DIFF_LEVELS; level++)
        differing |= diff_level_differs(&sums, (enum diff_level)level) ? 1u << level : 0;
    diff_sums_clear(&sums);
    diff_clear(&d);
    return differing;
}

/* ---- All traces ---- */

struct traces {
    struct diff_trace *all; /* those of A, then those of B */
    guint n_a, n;
};

static struct diff_side *find_side(const struct diff_trace *trace, const char *device)
{
    for (guint i = 0; i < trace->sides->len; i++) {
        struct diff_side *side = trace->sides->pdata[i];

        if (strcmp(side->device, device) == 0)
            return side;
    }
    return NULL;
}

/* The only device that a trace has, or that has commands; NULL: there are several. */
static struct diff_side *only_side(const struct diff_trace *trace)
{
    struct diff_side *only = NULL;

    for (guint i = 0; i < trace->sides->len; i++) {
        struct diff_side *side = trace->sides->pdata[i];

        if (only && side->n > 0)
            return NULL;
        if (side->n > 0 || trace->sides->len == 1)
            only = side;
    }
    return only;
}

/* A trace's only device is compared with the other's only one, whatever their names. */
static struct diff_side *counterpart(const struct diff_trace *own, const struct diff_trace *other,
                                     guint i)
{
    const struct diff_side *side = own->sides->pdata[i];
    struct diff_side *same = find_side(other, side->device);

    return same || side != only_side(own) ? same : only_side(other);
}

/* False, said on stderr, when one of two traces has a device that the other lacks. */
static bool have_same_devices(const struct diff_trace *one, const struct diff_trace *other)
{
    bool same = true;

    for (guint i = 0; i < one->sides->len; i++) {
        const struct diff_side *side = one->sides->pdata[i];

        if (side->n == 0 || counterpart(one, other, i))
            continue;
        say("%s has no device '%s', which %s has; choose one with --device", other->path,
            side->device, side->path);
        same = false;
    }
    return same;
}

/* The runs of a device of the first trace; false when not all traces have it, or none uses it. */
static bool find_runs(const struct traces *t, guint device, struct diff_runs *runs)
{
    bool used = t->all[0].sides->len == 1;

    for (guint i = 0; i < t->n; i++) {
        struct diff_side *side = counterpart(&t->all[0], &t->all[i], device);

        if (!side)
            return false;
        used |= side->n > 0;
        g_ptr_array_add(runs->of[i >= t->n_a], side);
    }
    return used;
}

/* Returns the levels that differ; a device that one trace lacks is of no level: *unknown. */
static uint32_t diff_traces(const struct diff_options *o, const struct traces *t, bool *unknown)
{
    const GPtrArray *devices = t->all[0].sides;
    uint32_t differing = 0;

    for (guint i = 0; i < devices->len; i++) {
        struct diff_runs runs = { { g_ptr_array_new(), g_ptr_array_new() } };

        if (find_runs(t, i, &runs)) {
            if (devices->len > 1 && !o->as_json)
                printf("%s%s%s\n", colour(COLOUR_BOLD),
                       ((const struct diff_side *)devices->pdata[i])->device, colour(COLOUR_NONE));
            differing |= diff_device(o, &runs);
        }
        g_ptr_array_unref(runs.of[0]);
        g_ptr_array_unref(runs.of[1]);
    }
    for (guint i = 1; i < t->n; i++) {
        bool forth = have_same_devices(&t->all[0], &t->all[i]);
        bool back = have_same_devices(&t->all[i], &t->all[0]);

        *unknown |= !forth || !back;
    }
    return differing;
}

static void set_filter(struct filter *filter, const struct diff_options *o)
{
    filter_init(filter);
    filter->from = g_strdup(o->from);
    filter->to = g_strdup(o->to);
    filter->device = g_strdup(o->device);
}

static int load(const struct diff_options *o, struct diff_trace *trace)
{
    struct filter filter;
    int status;

    set_filter(&filter, o);
    status = diff_trace_load(trace, &filter);
    filter_clear(&filter);
    return status;
}

/* Lint takes longer than all else: unasked it is run on short traces only. */
static bool wants_lint(const struct diff_options *o, const struct traces *t)
{
    const uint64_t lint_rules = UINT64_C(1) << DIFF_LINT_NEW | UINT64_C(1) << DIFF_LINT_GONE;
    uint32_t most = 0;

    if (!(o->levels & 1u << DIFF_OUTCOME) || (o->ignored & lint_rules) == lint_rules)
        return false;
    for (guint i = 0; i < t->n; i++) {
        for (guint k = 0; k < t->all[i].sides->len; k++)
            most = MAX(most, ((const struct diff_side *)t->all[i].sides->pdata[k])->n);
    }
    return o->lint == LINT_ALWAYS || (o->lint == LINT_FEW && most <= MOST_LINTED);
}

static void lint(const struct diff_options *o, const struct traces *t)
{
    for (guint i = 0; i < t->n; i++) {
        struct filter filter;

        set_filter(&filter, o);
        diff_lint_trace(&t->all[i], &filter);
        filter_clear(&filter);
    }
}

static int diff_paths(const struct diff_options *o, char **paths, guint n_a, guint n)
{
    struct traces t = { g_new(struct diff_trace, n), n_a, n };
    bool unknown = false;
    int status = EXIT_FINE;

    for (guint i = 0; i < n; i++)
        diff_trace_init(&t.all[i], paths[i]);
    for (guint i = 0; i < n && status != EXIT_TROUBLE; i++) {
        int loaded = load(o, &t.all[i]);

        status = MAX(status, loaded);
    }
    if (status != EXIT_TROUBLE) {
        if (wants_lint(o, &t))
            lint(o, &t);
        output_open();
        if (diff_traces(o, &t, &unknown) & o->fail_on)
            status = EXIT_FINDINGS;
        if (unknown)
            status = EXIT_TROUBLE;
        output_flush();
        status = output_close(status);
    }
    for (guint i = 0; i < n; i++)
        diff_trace_clear(&t.all[i]);
    g_free(t.all);
    return status;
}

/*
 * A B, or A1 A2 … -- B1 B2 …: takes the "--" out, and returns how many traces
 * are of A; 0, said on stderr, when it cannot be told.
 */
static guint split_sides(char **paths, guint *n)
{
    guint n_a = 0;

    while (n_a < *n && strcmp(paths[n_a], "--") != 0)
        n_a++;
    if (n_a == *n) {
        if (*n == 2)
            return 1;
        say("%u traces: which are of which side? Put '--' between: A1 A2 -- B1 B2", *n);
        return 0;
    }
    memmove(&paths[n_a], &paths[n_a + 1], (*n - n_a - 1) * sizeof(*paths));
    --*n;
    for (guint i = n_a; i < *n; i++) {
        if (strcmp(paths[i], "--") == 0) {
            say("there are two sides, and so one '--' between their traces");
            return 0;
        }
    }
    if (n_a == *n)
        say("there is no trace behind '--'");
    return n_a < *n ? n_a : 0;
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
        { "ignore", 0, 0, G_OPTION_ARG_CALLBACK, parse_ignored,
          "leave out these differences; the rules are listed below; may be given again",
          "RULE[,RULE...]" },
        { "lint", 0, 0, G_OPTION_ARG_CALLBACK, parse_lint,
          "whether level outcome asks lint; auto: of up to 100,000 commands: auto, always, never",
          "WHEN" },
        G_OPTION_ENTRY_NULL,
    };
    g_autofree char *rules = list_rules();
    g_autofree char *description = g_strconcat(
        "Rules, the differences of each level:", rules,
        "\n\nExit status: 0 no difference of a level in --fail-on, 1 differences, or "
        "something of a trace is missing, 2 trouble.", NULL);
    const struct command_line line = {
        .arguments = "A B | A... -- B...",
        .summary = "Tell what differs in meaning between two runs of the same job.",
        .description = description,
        .entries = entries,
        .data = &o,
        .operands = 2,
        .more_operands = -1,
        .keep_double_dash = true,
    };
    guint n, n_a = 0;
    int status = EXIT_TROUBLE;

    join_between(&argc, argv);
    if (command_line_parse(&line, &argc, &argv)) {
        n = (guint)argc - 1;
        if (o.details < 0) {
            say("--details: %" G_GINT64_FORMAT " is not a number of differences", o.details);
        } else if ((n_a = split_sides(argv + 1, &n)) > 0) {
            o.levels = o.levels ? o.levels : ALL_LEVELS;
            o.fail_on = o.fail_on ? o.fail_on : 1u << DIFF_DATA | 1u << DIFF_ORDER;
            status = diff_paths(&o, argv + 1, n_a, n);
        }
    }
    g_free(o.from);
    g_free(o.to);
    g_free(o.device);
    return status;
}
