/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk diff, level time: latencies of each operation, and the times
 * between completions (the pace), by the Mann-Whitney test.
 *
 * Times are counted in buckets of 1/1024 of a power of two as they are read:
 * that takes no memory for each command, and runs can be pooled. Those of a
 * bucket are alike to the test.
 *
 * With many commands any difference is significant; it is one here only when
 * it is also large enough to be seen.
 */
#include <math.h>

#include "diff.h"

#define SIGNIFICANT_P 0.001
#define SEEN 0.1 /* from an even likelihood */

#define FINE_BITS 10
#define BUCKETS ((65u - FINE_BITS) << FINE_BITS)

#define OPS (TD_OP_IDENTIFY + 1)
#define PACE OPS
#define KINDS (OPS + 1)

struct diff_times {
    uint32_t *counts[KINDS]; /* BUCKETS each; NULL: none yet */
    uint64_t n[KINDS];
    bool completed;
    uint64_t last_ns;
};

struct diff_times *diff_times_new(void)
{
    return g_new0(struct diff_times, 1);
}

void diff_times_free(struct diff_times *t)
{
    for (int kind = 0; t && kind < KINDS; kind++)
        g_free(t->counts[kind]);
    g_free(t);
}

static uint32_t *counts_of(struct diff_times *t, int kind)
{
    if (!t->counts[kind])
        t->counts[kind] = g_new0(uint32_t, BUCKETS);
    return t->counts[kind];
}

static unsigned bucket_of(uint64_t ns)
{
    unsigned shift;

    if (ns >> FINE_BITS == 0)
        return (unsigned)ns;
    shift = 63 - (unsigned)__builtin_clzll(ns) - FINE_BITS;
    return (shift << FINE_BITS) + (unsigned)(ns >> shift);
}

/* The least time of a bucket. */
static uint64_t time_of(unsigned bucket)
{
    unsigned shift = bucket >> FINE_BITS;

    if (shift == 0)
        return bucket;
    return (bucket - ((uint64_t)(shift - 1) << FINE_BITS)) << (shift - 1);
}

static void count(struct diff_times *t, int kind, uint64_t ns)
{
    counts_of(t, kind)[bucket_of(ns)]++;
    t->n[kind]++;
}

void diff_times_add(struct diff_times *t, enum td_op op, uint64_t latency_ns)
{
    count(t, (int)op, latency_ns);
}

void diff_times_complete(struct diff_times *t, uint64_t ns)
{
    if (t->completed && ns >= t->last_ns)
        count(t, PACE, ns - t->last_ns);
    t->completed = true;
    t->last_ns = ns;
}

void diff_times_pool(struct diff_times *t, const struct diff_times *more)
{
    for (int kind = 0; kind < KINDS; kind++) {
        if (!more->counts[kind])
            continue;
        for (unsigned i = 0; i < BUCKETS; i++)
            counts_of(t, kind)[i] += more->counts[kind][i];
        t->n[kind] += more->n[kind];
    }
}

static void test(struct diff_timing *t, const uint32_t *counts[2])
{
    double rank_sum_b = 0, ties = 0, ranked = 0, a, b, u, variance;

    for (unsigned i = 0; i < BUCKETS; i++) {
        double equal = (double)counts[0][i] + (double)counts[1][i];

        rank_sum_b += (double)counts[1][i] * (ranked + (equal + 1) / 2);
        ties += equal * equal * equal - equal;
        ranked += equal;
    }
    a = (double)t->n[0];
    b = (double)t->n[1];
    u = rank_sum_b - b * (b + 1) / 2;
    variance = a * b / 12 * (a + b + 1 - ties / ((a + b) * (a + b - 1)));
    t->likelihood = u / (a * b);
    t->p = variance > 0 ? erfc(fmax(fabs(u - a * b / 2) - 0.5, 0) / sqrt(variance) / sqrt(2)) : 1;
    t->significant = t->p < SIGNIFICANT_P && fabs(t->likelihood - 0.5) >= SEEN;
}

/* The time that `share` of a hundred of them are not above. */
static uint64_t percentile(const uint32_t *counts, uint64_t n, unsigned share)
{
    uint64_t wanted = (n - 1) * share / 100, seen = 0;
    unsigned i = 0;

    while (seen + counts[i] <= wanted)
        seen += counts[i++];
    return time_of(i);
}

static void compare(struct diff *d, int kind)
{
    struct diff_timing t = {
        .kind = (uint32_t)kind,
        .what = kind == PACE ? "between completions" : td_op_name((enum td_op)kind),
    };
    enum diff_kind finding = kind == PACE ? DIFF_PACE : DIFF_LATENCY;
    const uint32_t *counts[2];

    if (d->ignored & UINT64_C(1) << finding)
        return;
    for (unsigned s = 0; s < 2; s++) {
        counts[s] = d->times[s]->counts[kind];
        t.n[s] = d->times[s]->n[kind];
        if (!t.n[s])
            return;
        t.p50[s] = percentile(counts[s], t.n[s], 50);
        t.p99[s] = percentile(counts[s], t.n[s], 99);
    }
    test(&t, counts);
    g_array_append_val(d->timings, t);
    if (t.significant)
        diff_report(d, finding, &(struct diff_finding){ .what = (uint32_t)kind });
}

static const struct diff_timing *find_timing(const struct diff *d, uint32_t kind)
{
    for (guint i = 0; i < d->timings->len; i++) {
        const struct diff_timing *t = &g_array_index(d->timings, struct diff_timing, i);

        if (t->kind == kind)
            return t;
    }
    return NULL;
}

/* Few times of one pair need not be significant: it is the pool of all that is. */
bool diff_time_is_alike(const struct diff *pair, const struct diff *pool, uint32_t kind)
{
    const struct diff_timing *one = find_timing(pair, kind), *all = find_timing(pool, kind);

    return one && fabs(one->likelihood - 0.5) >= SEEN &&
           (one->likelihood > 0.5) == (all->likelihood > 0.5);
}

/* A side whose own runs differ by half as much or more tells nothing. */
bool diff_time_varies(const struct diff *pair, const struct diff *pool, uint32_t kind)
{
    const struct diff_timing *one = find_timing(pair, kind), *all = find_timing(pool, kind);

    return one && 2 * fabs(one->likelihood - 0.5) >= fabs(all->likelihood - 0.5);
}

void diff_time(struct diff *d)
{
    for (int kind = 0; kind < KINDS; kind++)
        compare(d, kind);
}
