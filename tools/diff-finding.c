/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tracedisk diff: what its differences are called, and how each is put into words. */
#include <string.h>

#include "diff.h"
#include "output.h"

const char *const diff_level_names[DIFF_LEVELS] = {
    "data", "order", "shape", "geometry", "outcome", "time",
};

static const struct {
    const char *id;
    enum diff_level level;
    const char *one, *many; /* behind their number */
} kinds[DIFF_KINDS] = {
    [DIFF_WRITE_PAYLOAD] = { "write-payload", DIFF_DATA, "write carries other bytes",
                             "writes carry other bytes" },
    [DIFF_READ_PAYLOAD] = { "read-payload", DIFF_DATA,
                            "read returned other bytes after the same writes",
                            "reads returned other bytes after the same writes" },
    [DIFF_FINAL_CONTENT] = { "final-content", DIFF_DATA, "extent ends with other content",
                             "extents end with other content" },
    [DIFF_WRITTEN_IN_A] = { "written-only-in-a", DIFF_DATA, "extent was written in A only",
                            "extents were written in A only" },
    [DIFF_WRITTEN_IN_B] = { "written-only-in-b", DIFF_DATA, "extent was written in B only",
                            "extents were written in B only" },
    [DIFF_FLUSH_LOST] = { "flush-lost", DIFF_ORDER, "flush less", "flushes less" },
    [DIFF_FLUSH_ADDED] = { "flush-added", DIFF_ORDER, "flush more", "flushes more" },
    [DIFF_FUA_LOST] = { "fua-lost", DIFF_ORDER, "write lost its FUA", "writes lost their FUA" },
    [DIFF_FUA_ADDED] = { "fua-added", DIFF_ORDER, "write got FUA", "writes got FUA" },
    [DIFF_WRITE_MOVED] = { "write-moved", DIFF_ORDER, "write moved over a barrier",
                           "writes moved over a barrier" },
    [DIFF_SPLIT] = { "split", DIFF_SHAPE, "split", "splits" },
    [DIFF_MERGED] = { "merged", DIFF_SHAPE, "merge", "merges" },
    [DIFF_RECUT] = { "recut", DIFF_SHAPE, "extent cut otherwise", "extents cut otherwise" },
    [DIFF_REORDERED] = { "reordered", DIFF_SHAPE, "command re-ordered", "commands re-ordered" },
    [DIFF_RETRIED_IN_A] = { "retried-in-a", DIFF_SHAPE, "retry in A only", "retries in A only" },
    [DIFF_RETRIED_IN_B] = { "retried-in-b", DIFF_SHAPE, "retry in B only", "retries in B only" },
    [DIFF_COMMAND_LOST] = { "command-lost", DIFF_SHAPE, "command in A only", "commands in A only" },
    [DIFF_COMMAND_ADDED] = { "command-added", DIFF_SHAPE, "command in B only",
                             "commands in B only" },
    [DIFF_COMMAND_CHOICE] = { "command-choice", DIFF_SHAPE, "command by another name",
                              "commands by another name" },
    [DIFF_QUEUE_DEPTH] = { "queue-depth", DIFF_SHAPE, "other queue depth", "other queue depths" },
    [DIFF_ELEMENT_COUNT] = { "element-count", DIFF_GEOMETRY, "command has more or fewer elements",
                             "commands have more or fewer elements" },
    [DIFF_ELEMENT_SIZES] = { "element-sizes", DIFF_GEOMETRY, "command has elements of other sizes",
                             "commands have elements of other sizes" },
    [DIFF_ELEMENT_OFFSETS] = { "element-offsets", DIFF_GEOMETRY,
                               "command has elements at other page offsets",
                               "commands have elements at other page offsets" },
    [DIFF_ELEMENT_CONTIGUITY] = { "element-contiguity", DIFF_GEOMETRY,
                                  "command's elements adjoin otherwise",
                                  "commands' elements adjoin otherwise" },
    [DIFF_STATUS] = { "status", DIFF_OUTCOME, "command ended otherwise",
                      "commands ended otherwise" },
    [DIFF_RESIDUAL] = { "residual", DIFF_OUTCOME, "other residual", "other residuals" },
    [DIFF_EVENTS] = { "events", DIFF_OUTCOME, "kind of event more or less often",
                      "kinds of events more or less often" },
    [DIFF_LINT_NEW] = { "lint-new", DIFF_OUTCOME, "new lint finding", "new lint findings" },
    [DIFF_LINT_GONE] = { "lint-gone", DIFF_OUTCOME, "lint finding gone", "lint findings gone" },
    [DIFF_LATENCY] = { "latency", DIFF_TIME, "operation's latency changed",
                       "operations' latencies changed" },
    [DIFF_PACE] = { "pace", DIFF_TIME, "change of pace", "changes of pace" },
};

const char *diff_kind_name(enum diff_kind kind)
{
    return kinds[kind].id;
}

bool diff_kind_find(const char *name, enum diff_kind *kind)
{
    for (int i = 0; i < DIFF_KINDS; i++) {
        *kind = (enum diff_kind)i;
        if (strcmp(name, kinds[i].id) == 0)
            return true;
    }
    return false;
}

enum diff_level diff_kind_level(enum diff_kind kind)
{
    return kinds[kind].level;
}

const char *diff_kind_words(enum diff_kind kind, uint64_t n)
{
    return n == 1 ? kinds[kind].one : kinds[kind].many;
}

void diff_report(struct diff *d, enum diff_kind kind, const struct diff_finding *f)
{
    struct diff_finding finding = *f;

    if (!diff_wants(d, kinds[kind].level) || d->ignored & UINT64_C(1) << kind)
        return;
    finding.kind = kind;
    g_array_append_val(d->findings, finding);
}

/* ---- Sums ---- */

static void sum_largest(uint64_t largest[2], const struct diff_finding *f, unsigned side)
{
    if (f->value[side] <= largest[side])
        return;
    largest[0] = f->value[0];
    largest[1] = f->value[1];
}

static void sum_finding(struct diff_sums *sums, const struct diff *d, const struct diff_finding *f)
{
    char *choice;

    if (!sums->counts[f->kind]++)
        sums->first[f->kind] = f;
    switch (f->kind) {
    case DIFF_FINAL_CONTENT:
        sums->blocks_different += f->value[1];
        break;
    case DIFF_WRITTEN_IN_A:
        sums->blocks_written_in_a += f->value[1];
        break;
    case DIFF_WRITTEN_IN_B:
        sums->blocks_written_in_b += f->value[1];
        break;
    case DIFF_MERGED:
        sum_largest(sums->largest_merge, f, 1);
        break;
    case DIFF_SPLIT:
        sum_largest(sums->largest_split, f, 0);
        break;
    case DIFF_COMMAND_CHOICE:
        choice = diff_finding_text(d, f, output_is_utf8() ? "→" : "->");
        g_hash_table_insert(sums->choices, choice,
                            (char *)g_hash_table_lookup(sums->choices, choice) + 1);
        break;
    default:
        break;
    }
}

void diff_sum(struct diff_sums *sums, const struct diff *d)
{
    *sums = (struct diff_sums){ 0 };
    sums->choices = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (guint i = 0; i < d->findings->len; i++)
        sum_finding(sums, d, &g_array_index(d->findings, struct diff_finding, i));
}

void diff_sums_clear(struct diff_sums *sums)
{
    g_hash_table_unref(sums->choices);
}

bool diff_level_differs(const struct diff_sums *sums, enum diff_level level)
{
    for (int kind = 0; kind < DIFF_KINDS; kind++) {
        if (kinds[kind].level == level && sums->counts[kind])
            return true;
    }
    return false;
}

/* ---- Words ---- */

static char *moved_text(const struct diff *d, const struct diff_finding *f)
{
    const struct diff_command *barrier = &d->sides[1].commands[d->sides[1].barriers[f->value[0]]];

    return g_strdup_printf("now %s %s #%" G_GUINT32_FORMAT, f->value[1] ? "behind" : "before",
                           diff_traits(barrier)->name, barrier->seq);
}

static char *outcome_text(const struct diff_command *c)
{
    const char *status = td_status_name((enum td_status)diff_traits(c)->status);

    if (diff_traits(c)->error >> 24 == 1)
        return g_strdup_printf("%s %02x/%02x/%02x", status, diff_traits(c)->error >> 16 & 0xff,
                               diff_traits(c)->error >> 8 & 0xff, diff_traits(c)->error & 0xff);
    if (diff_traits(c)->error >> 24 == 2)
        return g_strdup_printf("%s, ATA status 0x%02x error 0x%02x", status,
                               diff_traits(c)->error >> 8 & 0xff, diff_traits(c)->error & 0xff);
    return g_strdup(status);
}

static char *status_text(const struct diff_finding *f, const char *arrow)
{
    g_autofree char *from = f->a ? outcome_text(f->a) : NULL;
    g_autofree char *to = f->b ? outcome_text(f->b) : NULL;

    return from && to ? g_strdup_printf("%s %s %s", from, arrow, to) : g_strdup(from ? from : to);
}

static char *change_text(const char *what, uint64_t from, const char *arrow, uint64_t to,
                         const char *unit)
{
    return g_strdup_printf("%s%" G_GUINT64_FORMAT " %s %" G_GUINT64_FORMAT "%s", what, from, arrow,
                           to, unit);
}

char *diff_finding_text(const struct diff *d, const struct diff_finding *f, const char *arrow)
{
    g_autofree char *what = NULL;

    switch (f->kind) {
    case DIFF_FINAL_CONTENT:
    case DIFF_WRITTEN_IN_A:
    case DIFF_WRITTEN_IN_B:
        return g_strdup_printf("blocks %" G_GUINT64_FORMAT "+%" G_GUINT64_FORMAT, f->value[0],
                               f->value[1]);
    case DIFF_WRITE_MOVED:
        return moved_text(d, f);
    case DIFF_SPLIT:
    case DIFF_MERGED:
    case DIFF_RECUT:
        return change_text("", f->n[0], arrow, f->n[1], " commands");
    case DIFF_COMMAND_CHOICE:
        return g_strdup_printf("%s %s %s", diff_traits(f->a)->name, arrow, diff_traits(f->b)->name);
    case DIFF_QUEUE_DEPTH:
        return change_text("queue depth at most ", f->value[0], arrow, f->value[1], "");
    case DIFF_ELEMENT_COUNT:
        return change_text("", diff_traits(f->a)->n_elements, arrow, diff_traits(f->b)->n_elements,
                           " elements");
    case DIFF_STATUS:
        return status_text(f, arrow);
    case DIFF_RESIDUAL:
        return change_text("", diff_traits(f->a)->residual, arrow, diff_traits(f->b)->residual,
                           " bytes");
    case DIFF_EVENTS:
        what = g_strconcat(td_event_name((enum td_event_type)f->what), "s: ", NULL);
        return change_text(what, f->value[0], arrow, f->value[1], "");
    case DIFF_LINT_NEW:
    case DIFF_LINT_GONE:
        return diff_lint_text(d, f);
    case DIFF_LATENCY:
        return g_strdup(td_op_name((enum td_op)f->what));
    default:
        return NULL;
    }
}
