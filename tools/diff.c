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
    char *from, *to, *device, *html;
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

/* ---- Work ---- */

static void set_filter(struct filter *filter, const struct diff_options *o)
{
    filter_init(filter);
    filter->from = g_strdup(o->from);
    filter->to = g_strdup(o->to);
    filter->device = g_strdup(o->device);
}

static void free_comparison(gpointer data)
{
    struct diff_comparison *c = data;

    diff_sums_clear(&c->sums);
    diff_clear(&c->d);
    g_free(c);
}

static struct diff_comparison *compare(const struct diff_options *o, const struct diff_runs *runs)
{
    struct diff_comparison *c = g_new0(struct diff_comparison, 1);

    c->d.levels = o->levels;
    c->d.ignored = o->ignored;
    c->d.lint_forgone = o->lint == LINT_FEW;
    diff_compare(&c->d, runs);
    diff_sum(&c->sums, &c->d);
    return c;
}

static void print(const struct diff_options *o, const struct diff_comparison *c, bool name_device)
{
    if (o->as_json) {
        diff_print_json(&c->d, &c->sums, (uint64_t)o->details);
        return;
    }
    if (name_device)
        printf("%s%s%s\n", colour(COLOUR_BOLD), c->d.sides[0].device, colour(COLOUR_NONE));
    if (o->stat)
        diff_print_numbers(&c->sums);
    else
        diff_print_text(&c->d, &c->sums, (uint64_t)o->details);
}

/* Details on the page, unless a number was asked for. */
#define HTML_DETAILS 100

static int print_page(const struct diff_options *o, const struct diff_traces *t,
                      const GPtrArray *comparisons)
{
    const char *const paths[2] = { t->all[0].path, t->all[t->n_a].path };
    struct filter filter;
    int status;

    output_flush();
    set_filter(&filter, o);
    status = diff_print_html(o->html, paths, &filter, comparisons,
                             o->details ? (uint64_t)o->details : HTML_DETAILS);
    filter_clear(&filter);
    return status;
}

/* Returns the exit code. */
static int diff_traces(const struct diff_options *o, const struct diff_traces *t)
{
    bool missing;
    g_autoptr(GPtrArray) devices = diff_find_devices(t, &missing);
    g_autoptr(GPtrArray) comparisons = g_ptr_array_new_with_free_func(free_comparison);
    int status = EXIT_FINE;

    for (guint i = 0; i < devices->len; i++) {
        struct diff_comparison *c = compare(o, devices->pdata[i]);

        g_ptr_array_add(comparisons, c);
        print(o, c, devices->len > 1);
        for (int level = 0; level < DIFF_LEVELS; level++) {
            if (o->fail_on & 1u << level && diff_level_differs(&c->sums, (enum diff_level)level))
                status = EXIT_FINDINGS;
        }
    }
    if (o->html) {
        int page = print_page(o, t, comparisons);

        status = MAX(status, page);
    }
    return missing ? EXIT_TROUBLE : status;
}

static void load(gpointer data, gpointer options)
{
    struct diff_trace *trace = data;
    struct filter filter;

    set_filter(&filter, options);
    trace->status = diff_trace_load(trace, &filter);
    filter_clear(&filter);
}

/* Two at a time: reading is most of the work. Returns the exit code. */
static int load_all(struct diff_options *o, const struct diff_traces *t)
{
    GThreadPool *pool = g_thread_pool_new(load, o, 2, FALSE, NULL);
    int status = EXIT_FINE;

    for (guint i = 0; i < t->n; i++)
        g_thread_pool_push(pool, &t->all[i], NULL);
    g_thread_pool_free(pool, FALSE, TRUE);
    for (guint i = 0; i < t->n; i++)
        status = MAX(status, t->all[i].status);
    return status;
}

/* Lint takes longer than all else: unasked it is run on short traces only. */
static bool wants_lint(const struct diff_options *o, const struct diff_traces *t)
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

static void lint(const struct diff_options *o, const struct diff_traces *t)
{
    for (guint i = 0; i < t->n; i++) {
        struct filter filter;

        set_filter(&filter, o);
        diff_lint_trace(&t->all[i], &filter);
        filter_clear(&filter);
    }
}

static bool is_safe_output(const struct diff_options *o, char **paths, guint n)
{
    for (guint i = 0; o->html && i < n; i++) {
        if (input_is_file(paths[i], o->html)) {
            say("--html: '%s' is a trace: name another file", o->html);
            return false;
        }
    }
    return true;
}

static int diff_paths(struct diff_options *o, char **paths, guint n_a, guint n)
{
    struct diff_traces t = { NULL, n_a, n };
    int status;

    if (!is_safe_output(o, paths, n))
        return EXIT_TROUBLE;
    t.all = g_new(struct diff_trace, n);
    for (guint i = 0; i < n; i++)
        diff_trace_init(&t.all[i], paths[i]);
    t.all[0].show_progress = true;
    status = load_all(o, &t);
    if (status != EXIT_TROUBLE) {
        int compared;

        if (wants_lint(o, &t))
            lint(o, &t);
        output_open();
        compared = diff_traces(o, &t);
        status = output_close(MAX(status, compared));
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
        { "html", 0, 0, G_OPTION_ARG_FILENAME, &o.html,
          "also make a page of the differences and of both traces side by side", "FILE" },
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
    g_free(o.html);
    return status;
}
