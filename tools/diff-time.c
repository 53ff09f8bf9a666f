/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk diff, level time: latencies of each operation, and the times
 * between completions (the pace), by the Mann-Whitney test.
 *
 * With many commands any difference is significant; it is one here only when
 * it is also large enough to be seen.
 */
#include <math.h>

#include "diff.h"
#include "sort.h"

#define SIGNIFICANT_P 0.001
#define SEEN 0.1 /* from an even likelihood */

#define SIDE_B 1u

/* Times of both sides, sorted; value: the side. */
static void test(struct diff_timing *t, const struct sort_key *times, size_t n)
{
    double rank_sum_b = 0, ties = 0, a, b, u, variance;
    size_t end;

    for (size_t i = 0; i < n; i = end) {
        size_t of_b = 0;
        double equal;

        for (end = i; end < n && times[end].key == times[i].key; end++)
            of_b += times[end].value == SIDE_B;
        equal = (double)(end - i);
        rank_sum_b += (double)of_b * ((double)i + (equal + 1) / 2);
        ties += equal * equal * equal - equal;
    }
    a = (double)t->n[0];
    b = (double)t->n[1];
    u = rank_sum_b - b * (b + 1) / 2;
    variance = a * b / 12 * (a + b + 1 - ties / ((a + b) * (a + b - 1)));
    t->likelihood = u / (a * b);
    t->p = variance > 0 ? erfc(fmax(fabs(u - a * b / 2) - 0.5, 0) / sqrt(variance) / sqrt(2)) : 1;
    t->significant = t->p < SIGNIFICANT_P && fabs(t->likelihood - 0.5) >= SEEN;
}

static void find_percentiles(struct diff_timing *t, const struct sort_key *times, size_t n)
{
    for (uint32_t s = 0; s < 2; s++) {
        uint64_t at = 0, p50 = (t->n[s] - 1) / 2, p99 = (t->n[s] - 1) * 99 / 100;

        for (size_t i = 0; i < n; i++) {
            if (times[i].value != s)
                continue;
            if (at == p50)
                t->p50[s] = times[i].key;
            if (at == p99)
                t->p99[s] = times[i].key;
            at++;
        }
    }
}

static void compare(struct diff *d, enum diff_kind kind, const char *what, struct sort_key *times,
                    size_t n)
{
    struct diff_timing t = { .what = what };

    for (size_t i = 0; i < n; i++)
        t.n[times[i].value]++;
    if (!t.n[0] || !t.n[1])
        return;
    sort_keys(times, n);
    find_percentiles(&t, times, n);
    test(&t, times, n);
    g_array_append_val(d->timings, t);
    if (t.significant)
        diff_report(d, kind, NULL, NULL, g_strdup(what));
}

static void compare_latencies(struct diff *d, enum td_op op, struct sort_key *times)
{
    size_t n = 0;

    for (uint32_t s = 0; s < 2; s++) {
        for (uint32_t i = 0; i < d->sides[s].n; i++) {
            const struct diff_command *c = &d->sides[s].commands[i];

            if (c->op == op && c->status == TD_GOOD && c->complete_ns >= c->submit_ns)
                times[n++] = (struct sort_key){ c->complete_ns - c->submit_ns, s };
        }
    }
    compare(d, DIFF_LATENCY, td_op_name(op), times, n);
}

static void compare_pace(struct diff *d, struct sort_key *times)
{
    size_t n = 0;

    for (uint32_t s = 0; s < 2; s++) {
        const struct diff_side *side = &d->sides[s];
        uint64_t before = 0;

        for (uint32_t i = 0; i < side->n; i++) {
            const struct diff_command *c = &side->commands[side->completed[i]];

            if (!c->complete_seq)
                continue;
            if (before && c->complete_ns >= before)
                times[n++] = (struct sort_key){ c->complete_ns - before, s };
            before = c->complete_ns;
        }
    }
    compare(d, DIFF_PACE, "between completions", times, n);
}

void diff_time(struct diff *d)
{
    size_t total = (size_t)d->sides[0].n + d->sides[1].n;
    g_autofree struct sort_key *times = g_new(struct sort_key, total + 1);

    for (int op = TD_OP_OTHER; op <= TD_OP_IDENTIFY; op++)
        compare_latencies(d, (enum td_op)op, times);
    compare_pace(d, times);
}
