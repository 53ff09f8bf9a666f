/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tracedisk diff: keeps what the levels report, and prints it. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "diff.h"
#include "json.h"
#include "output.h"

const char *const diff_level_names[DIFF_LEVELS] = {
    "data", "order", "shape", "geometry", "outcome", "time",
};

static const struct {
    const char *id;
    enum diff_level level;
    const char *one, *many; /* "%" PRIu64 of these */
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
    [DIFF_COMMAND_LOST] = { "command-lost", DIFF_SHAPE, "command in A only",
                            "commands in A only" },
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
    [DIFF_LATENCY] = { "latency", DIFF_TIME, "operation's latency changed",
                       "operations' latencies changed" },
    [DIFF_PACE] = { "pace", DIFF_TIME, "change of pace", "changes of pace" },
};

void diff_report(struct diff *d, enum diff_kind kind, const struct diff_command *a,
                 const struct diff_command *b, char *text)
{
    struct diff_finding f = { kind, a, b, text };

    if (!diff_wants(d, kinds[kind].level)) {
        g_free(text);
        return;
    }
    d->counts[kind]++;
    if (d->kept[kind] >= d->limit) {
        g_free(text);
        return;
    }
    d->kept[kind]++;
    g_array_append_val(d->findings, f);
}

bool diff_level_differs(const struct diff *d, enum diff_level level)
{
    for (int kind = 0; kind < DIFF_KINDS; kind++) {
        if (kinds[kind].level == level && d->counts[kind])
            return true;
    }
    return false;
}

/* ---- Text ---- */

static char *counts_text(const struct diff *d, enum diff_level level)
{
    GString *text = g_string_new(NULL);

    for (int kind = 0; kind < DIFF_KINDS; kind++) {
        uint64_t n = d->counts[kind];

        if (kinds[kind].level == level && n)
            g_string_append_printf(text, "%s%" PRIu64 " %s", text->len ? ", " : "", n,
                                   n == 1 ? kinds[kind].one : kinds[kind].many);
    }
    return g_string_free(text, FALSE);
}

static void print_not_comparable(const struct diff *d)
{
    if (!d->compare_digests)
        printf("  Payloads cannot be compared: %s.\n",
               d->sides[0].hash == d->sides[1].hash ? "the traces have no hashes" :
                                                      "the traces' hashes are of different kinds");
    else if (d->blocks_cut_otherwise)
        printf("  %" PRIu64 " blocks not comparable without sectors=on: their last writes are "
               "cut otherwise, or were in flight together.\n",
               d->blocks_cut_otherwise);
    if (d->blocks_after_error)
        printf("  %" PRIu64 " blocks not comparable: their last write failed.\n",
               d->blocks_after_error);
    if (d->reads_unattributed)
        printf("  %" PRIu64 " reads returned other bytes, but not after the same writes.\n",
               d->reads_unattributed);
}

static void print_blocks(const struct diff *d)
{
    if (d->blocks_different)
        printf("  %" PRIu64 " blocks end with other content.\n", d->blocks_different);
    if (d->blocks_written_in_a)
        printf("  %" PRIu64 " blocks lack a write of A.\n", d->blocks_written_in_a);
    if (d->blocks_written_in_b)
        printf("  %" PRIu64 " blocks have a write more in B.\n", d->blocks_written_in_b);
}

static void print_data(const struct diff *d, const char *counts)
{
    const char *mostly = d->blocks_cut_otherwise || d->blocks_after_error || !d->compare_digests ?
                             " where comparable" : "";

    if (*counts)
        printf("%sData differs%s: %s.\n", colour(COLOUR_RED), colour(COLOUR_NONE), counts);
    else
        printf("Same data%s.\n", mostly);
    print_blocks(d);
    print_not_comparable(d);
}

static void print_change(const char *what, const uint64_t bytes[2])
{
    char from[HUMAN_MAX], to[HUMAN_MAX];

    if (bytes[0])
        printf("  Largest %s: %s -> %s.\n", what, human_bytes((double)bytes[0], from),
               human_bytes((double)bytes[1], to));
}

static void print_shape(const struct diff *d, const char *counts)
{
    GHashTableIter iter;
    gpointer name, count;

    if (*counts)
        printf("%" PRIu32 " -> %" PRIu32 " commands: %s.\n", d->sides[0].n, d->sides[1].n, counts);
    else
        printf("Same %" PRIu32 " commands.\n", d->sides[0].n);
    print_change("merge", d->largest_merge);
    print_change("split", d->largest_split);
    g_hash_table_iter_init(&iter, d->choices);
    while (g_hash_table_iter_next(&iter, &name, &count))
        printf("  %u x %s.\n", GPOINTER_TO_UINT(count), (const char *)name);
    if (d->counts[DIFF_QUEUE_DEPTH])
        printf("  Queue depth at most %u -> %u.\n", d->depth_max[0], d->depth_max[1]);
}

static double change_percent(const uint64_t x[2])
{
    return x[0] ? 100.0 * ((double)x[1] - (double)x[0]) / (double)x[0] : 0;
}

static void print_time(const struct diff *d)
{
    for (guint i = 0; i < d->timings->len; i++) {
        const struct diff_timing *t = &g_array_index(d->timings, struct diff_timing, i);
        char from[HUMAN_MAX], to[HUMAN_MAX], p99[HUMAN_MAX];

        printf("Time, %s: median %s -> %s (%+.0f %%), p99 -> %s (%+.0f %%), %s (p %s %.2g, "
               "n = %" PRIu64 ", %" PRIu64 ").\n",
               t->what, human_time(t->p50[0], from), human_time(t->p50[1], to),
               change_percent(t->p50), human_time(t->p99[1], p99), change_percent(t->p99),
               t->significant ? "significant" : "not significant", t->p < 1e-6 ? "<" : "=",
               MAX(t->p, 1e-6), t->n[0], t->n[1]);
    }
}

static void print_level(const struct diff *d, enum diff_level level)
{
    static const char *const same[DIFF_LEVELS] = {
        [DIFF_ORDER] = "Same order across flushes",
        [DIFF_GEOMETRY] = "Same elements",
        [DIFF_OUTCOME] = "Same outcome",
    };
    static const char *const differs[DIFF_LEVELS] = {
        [DIFF_ORDER] = "Order differs",
        [DIFF_GEOMETRY] = "Elements",
        [DIFF_OUTCOME] = "Outcome differs",
    };
    g_autofree char *counts = counts_text(d, level);

    if (level == DIFF_DATA)
        print_data(d, counts);
    else if (level == DIFF_SHAPE)
        print_shape(d, counts);
    else if (level == DIFF_TIME)
        print_time(d);
    else if (*counts)
        printf("%s: %s.\n", differs[level], counts);
    else
        printf("%s.\n", same[level]);
}

static void print_command(const char *side, const struct diff_command *c)
{
    if (!c)
        return;
    printf("  %s #%" PRIu64 " %s", side, c->seq, c->name);
    if (c->blocks)
        printf(" %" PRIu64 "+%" PRIu32, c->lba, c->blocks);
}

static void print_details(const struct diff *d)
{
    for (guint i = 0; i < d->findings->len; i++) {
        const struct diff_finding *f = &g_array_index(d->findings, struct diff_finding, i);

        printf("%-8s  %-18s", diff_level_names[kinds[f->kind].level], kinds[f->kind].id);
        print_command("A", f->a);
        print_command("B", f->b);
        printf("%s%s\n", f->text ? "  " : "", f->text ? f->text : "");
    }
}

static void print_numbers(const struct diff *d)
{
    for (int kind = 0; kind < DIFF_KINDS; kind++) {
        if (d->counts[kind])
            printf("%-8s  %-18s  %10" PRIu64 "\n", diff_level_names[kinds[kind].level],
                   kinds[kind].id, d->counts[kind]);
    }
}

void diff_print_text(const struct diff *d, bool numbers_only)
{
    if (numbers_only) {
        print_numbers(d);
        return;
    }
    for (int level = 0; level < DIFF_LEVELS; level++) {
        if (diff_wants(d, (enum diff_level)level))
            print_level(d, (enum diff_level)level);
    }
    print_details(d);
}

/* ---- JSON ---- */

static void json_command(struct json *j, const char *side, const struct diff_command *c)
{
    if (!c)
        return;
    json_key(j, side);
    json_begin_object(j);
    json_key_uint(j, "seq", c->seq);
    json_key_string(j, "name", c->name);
    if (c->blocks) {
        json_key_uint(j, "lba", c->lba);
        json_key_uint(j, "blocks", c->blocks);
    }
    json_end_object(j);
}

static void json_levels(struct json *j, const struct diff *d)
{
    json_key(j, "levels");
    json_begin_object(j);
    for (int level = 0; level < DIFF_LEVELS; level++) {
        if (!diff_wants(d, (enum diff_level)level))
            continue;
        json_key(j, diff_level_names[level]);
        json_begin_object(j);
        for (int kind = 0; kind < DIFF_KINDS; kind++) {
            if ((int)kinds[kind].level == level && d->counts[kind])
                json_key_uint(j, kinds[kind].id, d->counts[kind]);
        }
        json_end_object(j);
    }
    json_end_object(j);
}

static void json_pair(struct json *j, const char *key, const uint64_t x[2])
{
    json_key(j, key);
    json_begin_array(j);
    json_uint(j, x[0]);
    json_uint(j, x[1]);
    json_end_array(j);
}

static void json_timings(struct json *j, const struct diff *d)
{
    json_key(j, "timings");
    json_begin_array(j);
    for (guint i = 0; i < d->timings->len; i++) {
        const struct diff_timing *t = &g_array_index(d->timings, struct diff_timing, i);

        json_begin_object(j);
        json_key_string(j, "what", t->what);
        json_pair(j, "n", t->n);
        json_pair(j, "p50_ns", t->p50);
        json_pair(j, "p99_ns", t->p99);
        json_key_double(j, "p", t->p);
        json_key_double(j, "likelihood", t->likelihood);
        json_key(j, "significant");
        json_bool(j, t->significant);
        json_end_object(j);
    }
    json_end_array(j);
}

static void json_findings(struct json *j, const struct diff *d)
{
    json_key(j, "details");
    json_begin_array(j);
    for (guint i = 0; i < d->findings->len; i++) {
        const struct diff_finding *f = &g_array_index(d->findings, struct diff_finding, i);

        json_begin_object(j);
        json_key_string(j, "level", diff_level_names[kinds[f->kind].level]);
        json_key_string(j, "kind", kinds[f->kind].id);
        json_command(j, "a", f->a);
        json_command(j, "b", f->b);
        if (f->text)
            json_key_string(j, "text", f->text);
        json_end_object(j);
    }
    json_end_array(j);
}

void diff_print_json(const struct diff *d)
{
    const uint64_t commands[2] = { d->sides[0].n, d->sides[1].n };
    struct json *j = json_new(false);

    json_begin_object(j);
    json_key_string(j, "type", "diff");
    json_key_string(j, "device", d->sides[0].device);
    json_pair(j, "commands", commands);
    json_levels(j, d);
    json_key_uint(j, "blocks_different", d->blocks_different);
    json_key_uint(j, "blocks_written_only_in_a", d->blocks_written_in_a);
    json_key_uint(j, "blocks_written_only_in_b", d->blocks_written_in_b);
    json_key_uint(j, "blocks_cut_otherwise", d->blocks_cut_otherwise);
    json_key_uint(j, "blocks_after_error", d->blocks_after_error);
    json_key_uint(j, "reads_unattributed", d->reads_unattributed);
    json_timings(j, d);
    json_findings(j, d);
    json_end_object(j);
    json_end_document(j);
    json_free(j);
}
