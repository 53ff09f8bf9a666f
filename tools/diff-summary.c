/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tracedisk diff: its answer in sentences, some for each level. */
#include <inttypes.h>
#include <string.h>

#include "diff.h"
#include "output.h"

static const char *arrow(void)
{
    return output_is_utf8() ? "→" : "->";
}

/* ---- Where a difference is ---- */

static void append_command(GString *text, const struct diff_command *c)
{
    g_string_append(text, diff_traits(c)->name);
    if (c->blocks)
        g_string_append_printf(text, " %" PRIu64 "+%" PRIu32, c->lba, c->blocks);
    g_string_append_printf(text, " #%" PRIu32, c->seq);
}

/* A flush has no blocks: the next command that has some tells where it was. */
static void append_flush(GString *text, const struct diff *d, const struct diff_finding *f)
{
    const struct diff_side *side = &d->sides[f->b != NULL];
    const struct diff_command *flush = f->b ? f->b : f->a, *end = side->commands + side->n;
    const struct diff_command *next = flush + 1;

    while (next < end && !next->blocks)
        next++;
    g_string_append_printf(text, "#%" PRIu32, flush->seq);
    if (next < end) {
        g_string_append(text, " before ");
        append_command(text, next);
    } else {
        g_string_append(text, " at the end");
    }
}

static void append_place(GString *text, const struct diff *d, const struct diff_finding *f)
{
    g_autofree char *more = diff_finding_text(d, f, arrow());

    if (f->kind == DIFF_FLUSH_LOST || f->kind == DIFF_FLUSH_ADDED) {
        append_flush(text, d, f);
        return;
    }
    if (diff_kind_level(f->kind) != DIFF_DATA || !more) {
        append_command(text, f->b ? f->b : f->a);
        g_string_append(text, more ? ": " : "");
    }
    g_string_append(text, more ? more : "");
}

/* ---- Kinds ---- */

static void append_blocks(GString *text, const struct diff *d, const struct diff_finding *first,
                          uint64_t n, uint64_t blocks)
{
    if (n > 1)
        g_string_append_printf(text, "%" PRIu64 " blocks, the first: ", blocks);
    append_place(text, d, first);
}

static void append_largest(GString *text, const uint64_t bytes[2])
{
    char from[HUMAN_MAX], to[HUMAN_MAX];

    g_string_append_printf(text, "largest %s %s %s", human_bytes((double)bytes[0], from), arrow(),
                           human_bytes((double)bytes[1], to));
}

static void append_choices(GString *text, const struct diff_sums *sums)
{
    bool several = g_hash_table_size(sums->choices) > 1, first = true;
    GHashTableIter iter;
    gpointer name, count;

    g_hash_table_iter_init(&iter, sums->choices);
    while (g_hash_table_iter_next(&iter, &name, &count)) {
        g_string_append(text, first ? "" : ", ");
        if (several)
            g_string_append_printf(text, "%u x ", GPOINTER_TO_UINT(count));
        g_string_append(text, name);
        first = false;
    }
}

/* What is told of all findings of a kind beside their number: "largest 64 → 640 KiB". */
static char *kind_text(const struct diff *d, const struct diff_sums *sums, enum diff_kind kind)
{
    const struct diff_finding *first = sums->first[kind];
    GString *text = g_string_new(NULL);

    switch (kind) {
    case DIFF_FINAL_CONTENT:
        append_blocks(text, d, first, sums->counts[kind], sums->blocks_different);
        break;
    case DIFF_WRITTEN_IN_A:
        append_blocks(text, d, first, sums->counts[kind], sums->blocks_written_in_a);
        break;
    case DIFF_WRITTEN_IN_B:
        append_blocks(text, d, first, sums->counts[kind], sums->blocks_written_in_b);
        break;
    case DIFF_SPLIT:
        append_largest(text, sums->largest_split);
        break;
    case DIFF_MERGED:
        append_largest(text, sums->largest_merge);
        break;
    case DIFF_COMMAND_CHOICE:
        append_choices(text, sums);
        break;
    default:
        if ((first->a || first->b) &&
            (diff_kind_level(kind) == DIFF_DATA || diff_kind_level(kind) == DIFF_ORDER ||
             diff_kind_level(kind) == DIFF_OUTCOME)) {
            g_string_append(text, sums->counts[kind] > 1 ? "the first: " : "");
            append_place(text, d, first);
        }
        break;
    }
    return g_string_free(text, FALSE);
}

static void append_kind(GString *text, const struct diff *d, const struct diff_sums *sums,
                        enum diff_kind kind)
{
    g_autofree char *more = kind_text(d, sums, kind);

    g_string_append_printf(text, "%s%" PRIu64 " %s", text->len ? ", " : "", sums->counts[kind],
                           diff_kind_words(kind, sums->counts[kind]));
    if (*more)
        g_string_append_printf(text, " (%s)", more);
}

/* Those few that are no matter of numbers: each of them. */
static void append_each(GString *text, const struct diff *d, enum diff_kind kind, const char *joint)
{
    for (guint i = 0; i < d->findings->len; i++) {
        const struct diff_finding *f = &g_array_index(d->findings, struct diff_finding, i);
        g_autofree char *more = NULL;

        if (f->kind != kind)
            continue;
        more = diff_finding_text(d, f, arrow());
        g_string_append_printf(text, "%s%s", text->len ? joint : "", more);
    }
}

static char *level_text(const struct diff *d, const struct diff_sums *sums, enum diff_level level)
{
    GString *text = g_string_new(NULL);

    for (int i = 0; i < DIFF_KINDS; i++) {
        enum diff_kind kind = (enum diff_kind)i;

        if (diff_kind_level(kind) != level || !sums->counts[kind])
            continue;
        if (kind == DIFF_LINT_NEW || kind == DIFF_LINT_GONE)
            continue; /* in a sentence of its own */
        if (kind == DIFF_QUEUE_DEPTH || kind == DIFF_EVENTS)
            append_each(text, d, kind, ", ");
        else
            append_kind(text, d, sums, kind);
    }
    return g_string_free(text, FALSE);
}

/* ---- Levels ---- */

static void put_not_comparable(GString *out, const struct diff *d)
{
    bool has_sectors = d->sides[0].has_sectors && d->sides[1].has_sectors;

    if (!d->compare_digests)
        g_string_append_printf(out, "  Payloads cannot be compared: %s.\n",
                               d->sides[0].hash == d->sides[1].hash ?
                                   "the traces have no hashes" :
                                   "the traces' hashes are of different kinds");
    else if (d->blocks_cut_otherwise)
        g_string_append_printf(out, "  %" PRIu64 " blocks not comparable%s: their last writes %s.\n",
                               d->blocks_cut_otherwise, has_sectors ? "" : " without sectors=on",
                               has_sectors ? "were in flight together" :
                                             "are cut otherwise, or were in flight together");
    if (d->blocks_after_error)
        g_string_append_printf(out,
                               "  %" PRIu64 " blocks not comparable: their last write failed.\n",
                               d->blocks_after_error);
    if (d->reads_unattributed)
        g_string_append_printf(
            out, "  %" PRIu64 " reads returned other bytes, but not after the same writes.\n",
            d->reads_unattributed);
}

static void put_data(GString *out, const struct diff *d, const char *differences)
{
    const char *mostly = d->blocks_cut_otherwise || d->blocks_after_error || !d->compare_digests ?
                             " where comparable" :
                             "";

    if (*differences)
        g_string_append_printf(out, "%sData differs%s: %s.\n", colour(COLOUR_RED),
                               colour(COLOUR_NONE), differences);
    else
        g_string_append_printf(out, "Same data%s.\n", mostly);
    put_not_comparable(out, d);
}

static void put_order(GString *out, const char *differences)
{
    if (*differences)
        g_string_append_printf(out, "%sOrder differs%s: %s.\n", colour(COLOUR_RED),
                               colour(COLOUR_NONE), differences);
    else
        g_string_append_printf(out, "Same order across flushes.\n");
}

/* "58", or of several runs "58 to 61". */
static char *commands_text(const struct diff *d, unsigned side)
{
    if (d->fewest[side] == d->most[side])
        return g_strdup_printf("%" PRIu32, d->most[side]);
    return g_strdup_printf("%" PRIu32 " to %" PRIu32, d->fewest[side], d->most[side]);
}

static void put_shape(GString *out, const struct diff *d, const char *differences)
{
    g_autofree char *a = commands_text(d, 0), *b = commands_text(d, 1);

    if (strcmp(a, b) == 0)
        g_string_append_printf(out, "%s%s commands%s%s.\n", *differences ? "" : "Same ", a,
                               *differences ? ": " : "", differences);
    else
        g_string_append_printf(out, "%s %s %s commands%s%s.\n", a, arrow(), b,
                               *differences ? ": " : "", differences);
}

/* "No new lint findings.", and whose are gone. */
static void put_lint(GString *out, const struct diff *d, const struct diff_sums *sums)
{
    if (!d->sides[0].lint) {
        g_string_append_printf(out, "Lint was not run%s.\n",
                               d->lint_forgone ? " on so many commands; with --lint always it is" :
                                                 "");
        return;
    }
    if (!sums->counts[DIFF_LINT_NEW])
        g_string_append_printf(out, "No new lint findings.\n");
    for (int i = DIFF_LINT_NEW; i <= DIFF_LINT_GONE; i++) {
        GString *rules = g_string_new(NULL);

        append_each(rules, d, (enum diff_kind)i, "; ");
        if (rules->len)
            g_string_append_printf(out, "%" PRIu64 " %s: %s.\n", sums->counts[i],
                                   diff_kind_words((enum diff_kind)i, sums->counts[i]), rules->str);
        g_string_free(rules, TRUE);
    }
    if (d->rules_not_compared)
        g_string_append_printf(out, "  %" PRIu32 " lint %s be checked on one side only.\n",
                               d->rules_not_compared,
                               d->rules_not_compared == 1 ? "rule can" : "rules can");
}

static double change_percent(const uint64_t x[2])
{
    return x[0] ? 100.0 * ((double)x[1] - (double)x[0]) / (double)x[0] : 0;
}

static const char *numbers_text(const uint64_t n[2], char buf[64])
{
    if (n[0] == n[1])
        g_snprintf(buf, 64, "n = %" PRIu64, n[0]);
    else
        g_snprintf(buf, 64, "n = %" PRIu64 " and %" PRIu64, n[0], n[1]);
    return buf;
}

static void put_significant(GString *out, const struct diff_timing *t)
{
    char from[HUMAN_MAX], to[HUMAN_MAX], from99[HUMAN_MAX], to99[HUMAN_MAX], n[64];

    g_string_append_printf(
        out,
        "Time, %s: median %s %s %s (%+.0f %%), p99 %s %s %s (%+.0f %%), significant "
        "(p %s %.2g, %s).\n",
        t->what, human_time(t->p50[0], from), arrow(), human_time(t->p50[1], to),
        change_percent(t->p50), human_time(t->p99[0], from99), arrow(), human_time(t->p99[1], to99),
        change_percent(t->p99), t->p < 1e-6 ? "<" : "=", MAX(t->p, 1e-6), numbers_text(t->n, n));
}

/* All that did not change share a line. */
static void put_time(GString *out, const struct diff *d)
{
    GString *rest = g_string_new(NULL);
    char n[64];

    for (guint i = 0; i < d->timings->len; i++) {
        const struct diff_timing *t = &g_array_index(d->timings, struct diff_timing, i);

        if (t->significant)
            put_significant(out, t);
        else
            g_string_append_printf(rest, "%s%s %+.0f %% (%s)", rest->len ? ", " : "", t->what,
                                   change_percent(t->p99), numbers_text(t->n, n));
    }
    if (rest->len)
        g_string_append_printf(out, "Time, not significant: p99 of %s.\n", rest->str);
    g_string_free(rest, TRUE);
}

char *diff_level_summary(const struct diff *d, const struct diff_sums *sums, enum diff_level level)
{
    g_autofree char *differences = level_text(d, sums, level);
    GString *out = g_string_new(NULL);

    switch (level) {
    case DIFF_DATA:
        put_data(out, d, differences);
        break;
    case DIFF_ORDER:
        put_order(out, differences);
        break;
    case DIFF_SHAPE:
        put_shape(out, d, differences);
        break;
    case DIFF_GEOMETRY:
        g_string_append_printf(out, "%s%s.\n", *differences ? "Elements: " : "Same elements",
                               differences);
        break;
    case DIFF_OUTCOME:
        g_string_append_printf(out, "%s%s.\n", *differences ? "Outcome differs: " : "Same outcome",
                               differences);
        put_lint(out, d, sums);
        break;
    default:
        put_time(out, d);
        break;
    }
    return g_string_free(out, FALSE);
}

/* ---- Above all levels ---- */

static void put_ignored(GString *out, const struct diff *d)
{
    const char *joint = "Ignored: ";

    for (int kind = 0; kind < DIFF_KINDS; kind++) {
        if (!(d->ignored & UINT64_C(1) << kind) ||
            !diff_wants(d, diff_kind_level((enum diff_kind)kind)))
            continue;
        g_string_append_printf(out, "%s%s", joint, diff_kind_name((enum diff_kind)kind));
        joint = ", ";
    }
    if (joint[0] == ',')
        g_string_append(out, ".\n");
}

char *diff_head(const struct diff *d)
{
    GString *out = g_string_new(NULL);

    if (d->runs[0] > 1 || d->runs[1] > 1) {
        g_string_append_printf(out, "%u %s against %u", d->runs[0],
                               d->runs[0] == 1 ? "run" : "runs", d->runs[1]);
        if (d->varying)
            g_string_append_printf(out, "; %" PRIu64 " %s within a side", d->varying,
                                   d->varying == 1 ? "difference dropped, as it varies" :
                                                     "differences dropped, as they vary");
        g_string_append(out, ".\n");
    }
    put_ignored(out, d);
    return g_string_free(out, FALSE);
}
