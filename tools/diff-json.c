/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tracedisk diff --json. */
#include "diff.h"
#include "json.h"

static void json_command(struct json *j, const char *side, const struct diff_command *c)
{
    if (!c)
        return;
    json_key(j, side);
    json_begin_object(j);
    json_key_uint(j, "seq", c->seq);
    json_key_string(j, "name", diff_traits(c)->name);
    if (c->blocks) {
        json_key_uint(j, "lba", c->lba);
        json_key_uint(j, "blocks", c->blocks);
    }
    json_end_object(j);
}

static void json_levels(struct json *j, const struct diff *d, const struct diff_sums *sums)
{
    json_key(j, "levels");
    json_begin_object(j);
    for (int level = 0; level < DIFF_LEVELS; level++) {
        if (!diff_wants(d, (enum diff_level)level))
            continue;
        json_key(j, diff_level_names[level]);
        json_begin_object(j);
        for (int kind = 0; kind < DIFF_KINDS; kind++) {
            if ((int)diff_kind_level((enum diff_kind)kind) == level && sums->counts[kind])
                json_key_uint(j, diff_kind_name((enum diff_kind)kind), sums->counts[kind]);
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

static void json_findings(struct json *j, const struct diff *d, uint64_t details)
{
    uint64_t printed[DIFF_KINDS] = { 0 };

    json_key(j, "details");
    json_begin_array(j);
    for (guint i = 0; i < d->findings->len; i++) {
        const struct diff_finding *f = &g_array_index(d->findings, struct diff_finding, i);
        g_autofree char *text = NULL;

        if (printed[f->kind]++ >= details)
            continue;
        text = diff_finding_text(d, f, "->");
        json_begin_object(j);
        json_key_string(j, "level", diff_level_names[diff_kind_level(f->kind)]);
        json_key_string(j, "kind", diff_kind_name(f->kind));
        json_command(j, "a", f->a);
        json_command(j, "b", f->b);
        if (text)
            json_key_string(j, "text", text);
        json_end_object(j);
    }
    json_end_array(j);
}

void diff_put_json(struct json *j, const struct diff *d, const struct diff_sums *sums,
                   uint64_t details)
{
    const uint64_t commands[2] = { d->sides[0].n, d->sides[1].n };
    const uint64_t runs[2] = { d->runs[0], d->runs[1] };

    json_key_string(j, "type", "diff");
    json_key_string(j, "device", d->sides[0].device);
    json_pair(j, "runs", runs);
    json_key_uint(j, "varying", d->varying);
    json_pair(j, "commands", commands);
    json_levels(j, d, sums);
    json_key_uint(j, "blocks_different", sums->blocks_different);
    json_key_uint(j, "blocks_written_only_in_a", sums->blocks_written_in_a);
    json_key_uint(j, "blocks_written_only_in_b", sums->blocks_written_in_b);
    json_key_uint(j, "blocks_cut_otherwise", d->blocks_cut_otherwise);
    json_key_uint(j, "blocks_after_error", d->blocks_after_error);
    json_key_uint(j, "reads_unattributed", d->reads_unattributed);
    json_key(j, "linted");
    json_bool(j, d->sides[0].lint != NULL);
    json_key_uint(j, "lint_rules_not_compared", d->rules_not_compared);
    json_timings(j, d);
    json_findings(j, d, details);
}

void diff_print_json(const struct diff *d, const struct diff_sums *sums, uint64_t details)
{
    struct json *j = json_new(false);

    json_begin_object(j);
    diff_put_json(j, d, sums, details);
    json_end_object(j);
    json_end_document(j);
    json_free(j);
}
