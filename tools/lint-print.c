/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tracedisk lint: findings as text, as JSON, as SARIF. */
#include "lint-print.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "json.h"
#include "output.h"
#include "record-text.h"

#define LINE_WIDTH 90

const char *lint_severity_name(enum lint_severity severity)
{
    static const char *const names[] = {
        [LINT_INFO] = "info", [LINT_WARNING] = "warning", [LINT_ERROR] = "error",
    };

    return names[severity];
}

/* Of all rules of a severity. */
static uint64_t count_of(const struct lint *l, enum lint_severity severity)
{
    uint64_t n = 0;

    for (size_t i = 0; i < lint_n_rules; i++)
        n += lint_rules[i]->severity == severity ? lint_count(l, i) : 0;
    return n;
}

static const char *plural(uint64_t n)
{
    return n == 1 ? "" : "s";
}

/* ---- Text ---- */

static void print_wrapped(const char *text, const char *indent)
{
    g_auto(GStrv) words = g_strsplit(text, " ", -1);
    size_t column = 0;

    for (char **word = words; *word; word++) {
        size_t n = strlen(*word);

        if (column && column + n + 1 > LINE_WIDTH) {
            putchar('\n');
            column = 0;
        }
        printf("%s%s", column ? " " : indent, *word);
        column += n + 1;
    }
    putchar('\n');
}

static void print_title(const struct lint_rule *rule)
{
    static const enum colour colours[] = {
        [LINT_INFO] = COLOUR_CYAN, [LINT_WARNING] = COLOUR_YELLOW, [LINT_ERROR] = COLOUR_RED,
    };

    printf("%s%s%s %s: %s\n", colour(colours[rule->severity]),
           lint_severity_name(rule->severity), colour(COLOUR_NONE), rule->id, rule->title);
}

static void print_finding(const struct lint_finding *f)
{
    g_autofree char *text = printable(f->text), *device = printable(f->device);

    line_start_print_text(f->ns, device, f->seq);
    if (f->command)
        printf("%s: ", f->command);
    puts(text);
}

static void print_rule(const struct lint *l, size_t i)
{
    const GPtrArray *findings = lint_findings(l, i);

    if (!lint_count(l, i))
        return;
    print_title(lint_rules[i]);
    printf("      %s%s%s\n", colour(COLOUR_DIM), lint_rules[i]->clause, colour(COLOUR_NONE));
    for (guint k = 0; k < findings->len; k++)
        print_finding(g_ptr_array_index(findings, k));
    if (lint_count(l, i) > findings->len)
        printf("      ... and %" PRIu64 " more (--limit)\n", lint_count(l, i) - findings->len);
    putchar('\n');
}

void lint_print_text(const struct lint *l)
{
    uint64_t errors = count_of(l, LINT_ERROR), warnings = count_of(l, LINT_WARNING);
    uint64_t infos = count_of(l, LINT_INFO);

    for (int severity = LINT_ERROR; severity >= LINT_INFO; severity--) {
        for (size_t i = 0; i < lint_n_rules; i++) {
            if ((int)lint_rules[i]->severity == severity)
                print_rule(l, i);
        }
    }
    printf("%" PRIu64 " commands: %" PRIu64 " error%s, %" PRIu64 " warning%s, %" PRIu64
           " info%s\n", lint_commands(l), errors, plural(errors), warnings, plural(warnings),
           infos, plural(infos));
    for (size_t i = 0; i < lint_n_rules; i++) {
        if (lint_not_checked(l, i))
            printf("not checked: %s (%s)\n", lint_rules[i]->id, lint_not_checked(l, i));
    }
    if (errors + warnings + infos)
        puts("'tracedisk lint --explain RULE' says why it matters.");
}

void lint_explain(const struct lint_rule *rule)
{
    print_title(rule);
    printf("  %s\n\n", rule->clause);
    print_wrapped(rule->why, "  ");
    if (rule->needs_registers)
        puts("\n  Needs a trace recorded with registers=on.");
    if (rule->needs_blank)
        puts("\n  Needs --blank.");
}

/* ---- JSON ---- */

static void json_finding(struct json *j, const struct lint_finding *f)
{
    const struct lint_rule *rule = lint_rules[f->rule];

    json_begin_object(j);
    json_key_string(j, "type", "finding");
    json_key_string(j, "rule", rule->id);
    json_key_string(j, "severity", lint_severity_name(rule->severity));
    json_key_string(j, "clause", rule->clause);
    json_key_string(j, "title", rule->title);
    json_key_string(j, "device", f->device);
    json_key_uint(j, "seq", f->seq);
    if (f->other_seq)
        json_key_uint(j, "other_seq", f->other_seq);
    json_key_uint(j, "time_ns", f->ns);
    if (f->command)
        json_key_string(j, "command", f->command);
    json_key_string(j, "text", f->text);
    json_end_object(j);
    json_end_document(j);
}

static void json_summary(struct json *j, const struct lint *l)
{
    json_begin_object(j);
    json_key_string(j, "type", "summary");
    json_key_uint(j, "commands", lint_commands(l));
    json_key_uint(j, "errors", count_of(l, LINT_ERROR));
    json_key_uint(j, "warnings", count_of(l, LINT_WARNING));
    json_key_uint(j, "infos", count_of(l, LINT_INFO));
    json_key(j, "rules");
    json_begin_object(j);
    for (size_t i = 0; i < lint_n_rules; i++) {
        if (lint_count(l, i))
            json_key_uint(j, lint_rules[i]->id, lint_count(l, i));
    }
    json_end_object(j);
    json_key(j, "not_checked");
    json_begin_object(j);
    for (size_t i = 0; i < lint_n_rules; i++) {
        if (lint_not_checked(l, i))
            json_key_string(j, lint_rules[i]->id, lint_not_checked(l, i));
    }
    json_end_object(j);
    json_end_object(j);
    json_end_document(j);
}

void lint_print_json(const struct lint *l)
{
    struct json *j = json_new(false);

    for (size_t i = 0; i < lint_n_rules; i++) {
        const GPtrArray *findings = lint_findings(l, i);

        for (guint k = 0; k < findings->len; k++)
            json_finding(j, g_ptr_array_index(findings, k));
    }
    json_summary(j, l);
    json_free(j);
}

/* ---- SARIF 2.1.0 ---- */

static const char *sarif_level(enum lint_severity severity)
{
    return severity == LINT_INFO ? "note" : lint_severity_name(severity);
}

/* { key: { "text": text } } */
static void sarif_message(struct json *j, const char *key, const char *text)
{
    json_key(j, key);
    json_begin_object(j);
    json_key_string(j, "text", text);
    json_end_object(j);
}

static void sarif_rule(struct json *j, const struct lint_rule *rule)
{
    g_autofree char *full = g_strdup_printf("%s (%s)", rule->why, rule->clause);

    json_begin_object(j);
    json_key_string(j, "id", rule->id);
    sarif_message(j, "shortDescription", rule->title);
    sarif_message(j, "fullDescription", full);
    json_key(j, "defaultConfiguration");
    json_begin_object(j);
    json_key_string(j, "level", sarif_level(rule->severity));
    json_end_object(j);
    json_end_object(j);
}

static void sarif_location(struct json *j, const struct lint_finding *f, uint64_t seq,
                           const char *uri)
{
    g_autofree char *record = g_strdup_printf("#%" PRIu64, seq);
    g_autofree char *full = g_strdup_printf("%s/%s", f->device, record);

    json_begin_object(j);
    json_key(j, "physicalLocation");
    json_begin_object(j);
    json_key(j, "artifactLocation");
    json_begin_object(j);
    json_key_string(j, "uri", uri);
    json_end_object(j);
    json_end_object(j);
    json_key(j, "logicalLocations");
    json_begin_array(j);
    json_begin_object(j);
    json_key_string(j, "name", record);
    json_key_string(j, "fullyQualifiedName", full);
    json_key_string(j, "kind", "record");
    json_end_object(j);
    json_end_array(j);
    json_end_object(j);
}

static void sarif_result(struct json *j, const struct lint_finding *f, const char *uri)
{
    const struct lint_rule *rule = lint_rules[f->rule];
    g_autofree char *text =
        g_strdup_printf("%s: %s%s%s (%s)", rule->title, f->command ? f->command : "",
                        f->command ? ": " : "", f->text, rule->clause);

    json_begin_object(j);
    json_key_string(j, "ruleId", rule->id);
    json_key_uint(j, "ruleIndex", f->rule);
    json_key_string(j, "level", sarif_level(rule->severity));
    sarif_message(j, "message", text);
    json_key(j, "locations");
    json_begin_array(j);
    sarif_location(j, f, f->seq, uri);
    json_end_array(j);
    if (f->other_seq) {
        json_key(j, "relatedLocations");
        json_begin_array(j);
        sarif_location(j, f, f->other_seq, uri);
        json_end_array(j);
    }
    json_end_object(j);
}

static void sarif_tool(struct json *j)
{
    json_key(j, "tool");
    json_begin_object(j);
    json_key(j, "driver");
    json_begin_object(j);
    json_key_string(j, "name", "tracedisk lint");
    json_key_string(j, "version", TRACEDISK_VERSION);
    json_key(j, "rules");
    json_begin_array(j);
    for (size_t i = 0; i < lint_n_rules; i++)
        sarif_rule(j, lint_rules[i]);
    json_end_array(j);
    json_end_object(j);
    json_end_object(j);
}

void lint_print_sarif(const struct lint *l, const char *trace)
{
    g_autofree char *uri = g_uri_escape_string(trace, "/", FALSE);
    struct json *j = json_new(true);

    json_begin_object(j);
    json_key_string(j, "$schema", "https://json.schemastore.org/sarif-2.1.0.json");
    json_key_string(j, "version", "2.1.0");
    json_key(j, "runs");
    json_begin_array(j);
    json_begin_object(j);
    sarif_tool(j);
    json_key(j, "results");
    json_begin_array(j);
    for (size_t i = 0; i < lint_n_rules; i++) {
        const GPtrArray *findings = lint_findings(l, i);

        for (guint k = 0; k < findings->len; k++)
            sarif_result(j, g_ptr_array_index(findings, k), uri);
    }
    json_end_array(j);
    json_end_object(j);
    json_end_array(j);
    json_end_object(j);
    json_end_document(j);
    json_free(j);
}
