/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk diff: what lint finds in each trace, and which rules find
 * something on one side alone.
 */
#include <string.h>

#include "diff.h"
#include "lint.h"

struct diff_lint {
    uint64_t *counts, *first_seq; /* of each rule */
    bool *checked;
};

static struct diff_lint *diff_lint_new(void)
{
    struct diff_lint *l = g_new0(struct diff_lint, 1);

    l->counts = g_new0(uint64_t, lint_n_rules);
    l->first_seq = g_new0(uint64_t, lint_n_rules);
    l->checked = g_new0(bool, lint_n_rules);
    return l;
}

void diff_lint_free(struct diff_lint *l)
{
    if (!l)
        return;
    g_free(l->counts);
    g_free(l->first_seq);
    g_free(l->checked);
    g_free(l);
}

static void found(void *data, size_t rule, const struct lint_device *device, uint64_t seq)
{
    const struct diff_trace *trace = data;

    for (guint i = 0; i < trace->sides->len; i++) {
        const struct diff_side *side = trace->sides->pdata[i];

        if (strcmp(side->device, device->name) == 0 && !side->lint->counts[rule]++)
            side->lint->first_seq[rule] = seq;
    }
}

void diff_lint_trace(struct diff_trace *trace, struct filter *filter)
{
    const struct lint_options options = {
        .timeout_ns = LINT_TIMEOUT_NS, .filter = filter, .found = found, .data = trace,
    };
    struct lint *l;

    for (guint i = 0; i < trace->sides->len; i++)
        ((struct diff_side *)trace->sides->pdata[i])->lint = diff_lint_new();
    l = lint_path(trace->path, &options);
    for (guint i = 0; i < trace->sides->len; i++) {
        for (size_t rule = 0; rule < lint_n_rules; rule++)
            ((struct diff_side *)trace->sides->pdata[i])->lint->checked[rule] =
                !lint_not_checked(l, rule);
    }
    lint_free(l);
}

/* A rule's number of findings depends on time; that it has some is the driver's. */
void diff_lint(struct diff *d)
{
    const struct diff_lint *a = d->sides[0].lint, *b = d->sides[1].lint;

    if (!a || !b)
        return;
    for (uint32_t i = 0; i < lint_n_rules; i++) {
        const struct diff_finding f = { .what = i, .value = { a->counts[i], b->counts[i] } };

        if (a->checked[i] != b->checked[i])
            d->rules_not_compared++;
        else if (!a->counts[i] != !b->counts[i])
            diff_report(d, a->counts[i] ? DIFF_LINT_GONE : DIFF_LINT_NEW, &f);
    }
}

char *diff_lint_text(const struct diff *d, const struct diff_finding *f)
{
    unsigned s = f->kind == DIFF_LINT_NEW;
    const struct lint_rule *rule = lint_rules[f->what];

    return g_strdup_printf("%s: %s, %" G_GUINT64_FORMAT " times, the first at #%" G_GUINT64_FORMAT,
                           rule->id, rule->title, f->value[s],
                           d->sides[s].lint->first_seq[f->what]);
}
