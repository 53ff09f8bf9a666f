/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk diff, level order: aligns the barriers of both sides, and finds
 * what moved over one.
 *
 * Epochs are aligned by their content: the chain of epoch pairs, rising on
 * both sides, that has the most commands in common. Between two of the chain,
 * barriers are paired at the least cost: a write that would have moved over
 * the barrier costs 1, a barrier without partner LONELY_COST.
 */
#include <string.h>

#include "diff.h"
#include "sort.h"

#define LONELY_COST 2
#define NEVER (UINT32_MAX / 2)

/* A gap with more work than this has nothing in common: its barriers stay alone. */
#define MAX_GAP_WORK UINT64_C(50000000)

/* ---- The chain ---- */

struct epoch_pair {
    uint32_t a, b;
    uint32_t weight;
    uint32_t before; /* index of the one before it in the best chain */
    uint64_t best;
};

/* Commands next to each other mostly share their epochs: count these runs. */
static GArray *epoch_runs(const struct diff *d, GArray *weights)
{
    GArray *keys = g_array_new(FALSE, FALSE, sizeof(struct sort_key));
    struct sort_key k = { 0, 0 };

    for (uint32_t i = 0; i < d->sides[0].n; i++) {
        const struct diff_command *a = &d->sides[0].commands[i], *b = diff_partner(d, 0, a);
        uint64_t key;

        if (!b || !a->blocks)
            continue;
        /* Of equal a the largest b first: a chain takes one b of each a. */
        key = (uint64_t)diff_last_epoch(&d->sides[0], a) << 32 |
              (UINT32_MAX - diff_last_epoch(&d->sides[1], b));
        if (keys->len == 0 || key != k.key) {
            static const uint32_t none = 0;

            k = (struct sort_key){ key, keys->len };
            g_array_append_val(keys, k);
            g_array_append_val(weights, none);
        }
        g_array_index(weights, uint32_t, k.value)++;
    }
    sort_keys((void *)keys->data, keys->len);
    return keys;
}

static GArray *common_epochs(const struct diff *d)
{
    GArray *pairs = g_array_new(FALSE, FALSE, sizeof(struct epoch_pair));
    g_autoptr(GArray) weights = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    g_autoptr(GArray) runs = epoch_runs(d, weights);
    const struct sort_key *keys = (const void *)runs->data;
    size_t n = runs->len, end;

    for (size_t i = 0; i < n; i = end) {
        struct epoch_pair p = { .before = DIFF_NONE };

        for (end = i; end < n && keys[end].key == keys[i].key; end++)
            p.weight += g_array_index(weights, uint32_t, keys[end].value);
        p.a = (uint32_t)(keys[i].key >> 32);
        p.b = UINT32_MAX - (uint32_t)keys[i].key;
        g_array_append_val(pairs, p);
    }
    return pairs;
}

/* The heaviest rising chain; a Fenwick tree over b keeps the best chain's end below each. */
static GArray *heaviest_chain(const struct diff *d, GArray *pairs)
{
    struct epoch_pair *all = (void *)pairs->data;
    uint32_t size = d->sides[1].n_barriers + 1;
    g_autofree uint32_t *tree = g_new(uint32_t, size + 1u);
    GArray *chain = g_array_new(FALSE, FALSE, sizeof(struct epoch_pair));
    uint32_t end = DIFF_NONE;

    memset(tree, 0xff, (size + 1u) * sizeof(*tree));
    for (uint32_t i = 0; i < pairs->len; i++) {
        struct epoch_pair *p = &all[i];

        for (uint32_t at = p->b; at > 0; at -= at & -at) {
            if (tree[at] != DIFF_NONE &&
                (p->before == DIFF_NONE || all[tree[at]].best > all[p->before].best))
                p->before = tree[at];
        }
        p->best = p->weight + (p->before == DIFF_NONE ? 0 : all[p->before].best);
        for (uint32_t at = p->b + 1; at <= size; at += at & -at) {
            if (tree[at] == DIFF_NONE || p->best > all[tree[at]].best)
                tree[at] = i;
        }
        if (end == DIFF_NONE || p->best > all[end].best)
            end = i;
    }
    for (; end != DIFF_NONE; end = all[end].before)
        g_array_append_val(chain, all[end]);
    return chain; /* its end first */
}

/* ---- Between two epochs of the chain ---- */

/* Barriers [a0, a1) of A and [b0, b1) of B. */
struct gap {
    uint32_t a0, a1, b0, b1;
};

static bool can_pair(const struct diff *d, uint32_t i, uint32_t j)
{
    const struct diff_command *a = &d->sides[0].commands[d->sides[0].barriers[i]];
    const struct diff_command *b = &d->sides[1].commands[d->sides[1].barriers[j]];

    return diff_traits(a)->op == diff_traits(b)->op && a->lba == b->lba && a->blocks == b->blocks;
}

static void pair_barriers(struct diff *d, uint32_t i, uint32_t j)
{
    uint32_t a = d->sides[0].barriers[i], b = d->sides[1].barriers[j];

    d->sides[0].barrier_partner[i] = j;
    d->sides[1].barrier_partner[j] = i;
    if (diff_traits(&d->sides[0].commands[a])->op == TD_OP_FLUSH) {
        d->sides[0].commands[a].partner = b;
        d->sides[1].commands[b].partner = a;
    }
}

/* The first command whose first epoch is at least this; it rises with the index. */
static uint32_t first_in_epoch(const struct diff_side *side, uint32_t epoch)
{
    uint32_t first = 0, n = side->n;

    while (n > first) {
        uint32_t middle = first + (n - first) / 2;

        if (side->commands[middle].first_epoch < epoch)
            first = middle + 1;
        else
            n = middle;
    }
    return first;
}

static void charge(const struct diff *d, const struct gap *g, uint32_t *cost,
                   const struct diff_command *a, const struct diff_command *b)
{
    uint32_t last_a = diff_last_epoch(&d->sides[0], a), last_b = diff_last_epoch(&d->sides[1], b);

    for (uint32_t i = g->a0; i < g->a1; i++) {
        for (uint32_t j = g->b0; j < g->b1; j++)
            cost[(i - g->a0) * (g->b1 - g->b0) + j - g->b0] +=
                (last_a <= i && b->first_epoch > j) || (a->first_epoch > i && last_b <= j);
    }
}

/* For each barrier of A and each of B: how many writes would have moved. */
static uint32_t *crossing_costs(const struct diff *d, const struct gap *g)
{
    const struct diff_side *sa = &d->sides[0], *sb = &d->sides[1];
    uint32_t from_a = first_in_epoch(sa, g->a0), to_a = first_in_epoch(sa, g->a1 + 1);
    uint32_t from_b = first_in_epoch(sb, g->b0), to_b = first_in_epoch(sb, g->b1 + 1);
    uint64_t cells = (uint64_t)(g->a1 - g->a0) * (g->b1 - g->b0);
    uint32_t *cost;

    if (cells * ((uint64_t)(to_a - from_a) + (to_b - from_b) + 1) > MAX_GAP_WORK)
        return NULL;
    cost = g_new0(uint32_t, cells);
    for (uint32_t i = from_a; i < to_a; i++) {
        const struct diff_command *a = &sa->commands[i], *b = diff_partner(d, 0, a);

        if (b && diff_is_write(a))
            charge(d, g, cost, a, b);
    }
    for (uint32_t j = from_b; j < to_b; j++) {
        const struct diff_command *b = &sb->commands[j];

        if (b->partner < DIFF_GROUPED && diff_is_write(b) &&
            (b->partner < from_a || b->partner >= to_a))
            charge(d, g, cost, &sa->commands[b->partner], b);
    }
    return cost;
}

/* An edit distance: table[i][j] is the least cost of the barriers behind i and j. */
static void align_gap(struct diff *d, const struct gap *g)
{
    uint32_t p = g->a1 - g->a0, q = g->b1 - g->b0;
    g_autofree uint32_t *cost = NULL, *table = NULL;

    if (!p || !q)
        return;
    if (p == 1 && q == 1) {
        if (can_pair(d, g->a0, g->b0))
            pair_barriers(d, g->a0, g->b0);
        return;
    }
    cost = crossing_costs(d, g);
    if (!cost)
        return;
    table = g_new(uint32_t, (size_t)(p + 1) * (q + 1));
    for (uint32_t i = p + 1; i-- > 0;) {
        for (uint32_t j = q + 1; j-- > 0;) {
            uint32_t least = i == p && j == q ? 0 : NEVER;

            if (i < p)
                least = MIN(least, table[(i + 1) * (q + 1) + j] + LONELY_COST);
            if (j < q)
                least = MIN(least, table[i * (q + 1) + j + 1] + LONELY_COST);
            if (i < p && j < q && can_pair(d, g->a0 + i, g->b0 + j))
                least = MIN(least, table[(i + 1) * (q + 1) + j + 1] + cost[i * q + j]);
            table[i * (q + 1) + j] = least;
        }
    }
    for (uint32_t i = 0, j = 0; i < p && j < q;) {
        uint32_t here = table[i * (q + 1) + j];

        if (can_pair(d, g->a0 + i, g->b0 + j) &&
            here == table[(i + 1) * (q + 1) + j + 1] + cost[i * q + j]) {
            pair_barriers(d, g->a0 + i, g->b0 + j);
            i++;
            j++;
        } else if (here == table[(i + 1) * (q + 1) + j] + LONELY_COST) {
            i++;
        } else {
            j++;
        }
    }
}

static void count_ordinals(struct diff_side *side)
{
    side->ordinal[0] = 0;
    for (uint32_t i = 0; i < side->n_barriers; i++)
        side->ordinal[i + 1] = side->ordinal[i] + (side->barrier_partner[i] != DIFF_NONE);
}

void diff_align(struct diff *d)
{
    g_autoptr(GArray) pairs = common_epochs(d);
    g_autoptr(GArray) chain = heaviest_chain(d, pairs);
    struct gap g = { 0 };

    for (unsigned s = 0; s < 2; s++)
        memset(d->sides[s].barrier_partner, 0xff, d->sides[s].n_barriers * sizeof(uint32_t));
    for (guint i = chain->len; i-- > 0;) {
        const struct epoch_pair *p = &g_array_index(chain, struct epoch_pair, i);

        g.a1 = p->a;
        g.b1 = p->b;
        align_gap(d, &g);
        g.a0 = g.a1;
        g.b0 = g.b1;
    }
    g.a1 = d->sides[0].n_barriers;
    g.b1 = d->sides[1].n_barriers;
    align_gap(d, &g);
    count_ordinals(&d->sides[0]);
    count_ordinals(&d->sides[1]);
}

/* ---- What differs ---- */

static void report_moved(struct diff *d, const struct diff_command *a, const struct diff_command *b)
{
    bool later =
        d->sides[0].ordinal[diff_last_epoch(&d->sides[0], a)] < d->sides[1].ordinal[b->first_epoch];
    uint32_t b_barrier = later ? b->first_epoch - 1u : diff_last_epoch(&d->sides[1], b);
    const struct diff_side *side = &d->sides[1];

    /* The barrier next to where it is now; with a partner, which some have that it crossed. */
    while (later && b_barrier > 0 && side->barrier_partner[b_barrier] == DIFF_NONE)
        b_barrier--;
    while (!later && side->barrier_partner[b_barrier] == DIFF_NONE)
        b_barrier++;
    diff_report(d, DIFF_WRITE_MOVED,
                &(struct diff_finding){ .a = a, .b = b, .value = { b_barrier, later } });
}

static void report_pair(struct diff *d, const struct diff_command *a, const struct diff_command *b)
{
    const struct diff_finding f = { .a = a, .b = b };

    if (!diff_is_write(a))
        return;
    if (diff_moved(d, a, b))
        report_moved(d, a, b);
    if (diff_traits(a)->fua != diff_traits(b)->fua)
        diff_report(d, diff_traits(a)->fua ? DIFF_FUA_LOST : DIFF_FUA_ADDED, &f);
}

static void report_flushes(struct diff *d, unsigned s, enum diff_kind kind)
{
    const struct diff_side *side = &d->sides[s];

    for (uint32_t i = 0; i < side->n_barriers; i++) {
        const struct diff_command *c = &side->commands[side->barriers[i]];

        if (diff_traits(c)->op == TD_OP_FLUSH && side->barrier_partner[i] == DIFF_NONE)
            diff_report(d, kind, &(struct diff_finding){ .a = s ? NULL : c, .b = s ? c : NULL });
    }
}

/* Of a group, each write of A is held against those of B that share blocks with it. */
static void report_group(struct diff *d, const struct diff_group *g)
{
    const uint32_t *members = (const void *)d->members->data;

    for (uint32_t i = 0; i < g->n_a; i++) {
        const struct diff_command *a = &d->sides[0].commands[members[g->start + i]];

        for (uint32_t j = 0; j < g->n_b; j++) {
            const struct diff_command *b = &d->sides[1].commands[members[g->start + g->n_a + j]];

            if (a->lba < b->lba + b->blocks && b->lba < a->lba + a->blocks) {
                report_pair(d, a, b);
                if (diff_moved(d, a, b))
                    break; /* its other parts moved with it */
            }
        }
    }
}

void diff_order(struct diff *d)
{
    report_flushes(d, 0, DIFF_FLUSH_LOST);
    report_flushes(d, 1, DIFF_FLUSH_ADDED);
    for (guint i = 0; i < d->changed->len; i++) {
        const struct diff_command *a = diff_changed(d, i);

        report_pair(d, a, diff_partner(d, 0, a));
    }
    for (guint i = 0; i < d->groups->len; i++)
        report_group(d, &g_array_index(d->groups, struct diff_group, i));
}
