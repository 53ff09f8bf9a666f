/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tracedisk lint: what a driver did that it should not. */
#include "lint.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "input.h"
#include "lint-print.h"
#include "options.h"
#include "output.h"
#include "tool.h"

#define DEFAULT_LIMIT 10

struct settings {
    struct lint_options lint;
    enum lint_severity error_on;
    gboolean json, sarif;
};

static const struct lint_rule *find_rule(const char *id)
{
    for (size_t i = 0; i < lint_n_rules; i++) {
        if (strcmp(lint_rules[i]->id, id) == 0)
            return lint_rules[i];
    }
    return NULL;
}

static int explain(const char *id)
{
    const struct lint_rule *rule = find_rule(id);
    bool all = strcmp(id, "all") == 0;

    if (!rule && !all) {
        g_autoptr(GString) ids = g_string_new(NULL);

        for (size_t i = 0; i < lint_n_rules; i++)
            g_string_append_printf(ids, " %s", lint_rules[i]->id);
        say("there is no rule '%s'; use 'all' or one of:%s", id, ids->str);
        return EXIT_TROUBLE;
    }
    output_open();
    for (size_t i = 0; all && i < lint_n_rules; i++) {
        if (i)
            putchar('\n');
        lint_explain(lint_rules[i]);
    }
    if (rule)
        lint_explain(rule);
    return output_close(EXIT_FINE);
}

/* ---- Options ---- */

static gboolean option_error_on(const gchar *name, const gchar *value, gpointer data,
                                GError **error)
{
    struct settings *s = data;

    (void)name;
    for (int i = 0; i < LINT_SEVERITIES; i++) {
        if (strcmp(value, lint_severity_name((enum lint_severity)i)) == 0) {
            s->error_on = (enum lint_severity)i;
            return TRUE;
        }
    }
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                "--error-on %s: use error, warning or info", value);
    return FALSE;
}

static gboolean option_timeout(const gchar *name, const gchar *value, gpointer data,
                               GError **error)
{
    struct settings *s = data;

    (void)name;
    if (parse_time(value, &s->lint.timeout_ns) && s->lint.timeout_ns)
        return TRUE;
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                "--timeout %s: a time is needed, as 1s or 500ms", value);
    return FALSE;
}

static gboolean option_limit(const gchar *name, const gchar *value, gpointer data, GError **error)
{
    struct settings *s = data;

    (void)name;
    if (parse_number(value, &s->lint.limit))
        return TRUE;
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                "--limit %s: a number is needed, 0 for all", value);
    return FALSE;
}

/* Like --help: whatever else is on the command line. */
static gboolean option_explain(const gchar *name, const gchar *value, gpointer data,
                               GError **error)
{
    (void)name;
    (void)data;
    (void)error;
    exit(explain(value));
}

/* ---- Work ---- */

static bool has_findings(const struct lint *l, enum lint_severity at_least)
{
    for (size_t i = 0; i < lint_n_rules; i++) {
        if (lint_rules[i]->severity >= at_least && lint_count(l, i))
            return true;
    }
    return false;
}

static int lint_trace(const struct settings *s, const char *path)
{
    struct lint *l;
    struct input in;
    struct td_record record;
    int status, reading;

    if (!input_open(&in, path))
        return EXIT_TROUBLE;
    output_open();
    l = lint_new(&s->lint);
    while (input_next_record(&in, &record))
        lint_record(l, &record);
    lint_end(l);
    if (s->sarif)
        lint_print_sarif(l, path);
    else if (s->json)
        lint_print_json(l);
    else
        lint_print_text(l);
    status = has_findings(l, s->error_on) ? EXIT_FINDINGS : EXIT_FINE;
    lint_free(l);
    output_flush();
    reading = input_close(&in);
    return output_close(MAX(status, reading));
}

int lint_main(int argc, char **argv)
{
    struct settings s = {
        .lint = { .timeout_ns = LINT_TIMEOUT_NS, .limit = DEFAULT_LIMIT }, .error_on = LINT_ERROR,
    };
    gboolean blank = FALSE;
    const GOptionEntry options[] = {
        { "json", 0, 0, G_OPTION_ARG_NONE, &s.json,
          "print one JSON object a line: the findings, then a summary", NULL },
        { "sarif", 0, 0, G_OPTION_ARG_NONE, &s.sarif, "print a SARIF 2.1.0 document", NULL },
        { "error-on", 0, 0, G_OPTION_ARG_CALLBACK, option_error_on,
          "exit with 1 from this severity on: error (the default), warning or info", "LEVEL" },
        { "explain", 0, 0, G_OPTION_ARG_CALLBACK, option_explain,
          "say what a rule (or 'all') looks for, why it matters, and exit", "RULE" },
        { "blank", 0, 0, G_OPTION_ARG_NONE, &blank,
          "the disk was blank when the trace began: reads of unwritten blocks are findings", NULL },
        { "timeout", 0, 0, G_OPTION_ARG_CALLBACK, option_timeout,
          "a command in flight for so long may be given up (1s)", "TIME" },
        { "limit", 0, 0, G_OPTION_ARG_CALLBACK, option_limit,
          "findings shown of each rule (10; 0: all)", "N" },
        G_OPTION_ENTRY_NULL,
    };
    const struct command_line line = {
        .arguments = "TRACE",
        .summary = "Look for what a driver should not do: rules with severity, clause, and the "
                   "commands involved.",
        .description = "Exit status: 0 fine, 1 findings (see --error-on) or something of the "
                       "trace is missing, 2 trouble.",
        .entries = options,
        .data = &s,
        .operands = 1,
    };

    if (!command_line_parse(&line, &argc, &argv))
        return EXIT_TROUBLE;
    s.lint.blank = blank;
    return lint_trace(&s, argv[1]);
}
