/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk diff: compares two runs, and of several runs tells what differs
 * between the sides from what varies within one.
 *
 * What counts are the differences between the first runs of both sides, if
 *
 *   - every other pair of runs, one of each side, has them, too
 *   - no two runs of one side have such a difference in the same place
 *
 * The same place is, at level data, a range of blocks; at levels order and
 * outcome the same command, found by its partner in the side's first run; else
 * a command that does the same. What only one side has in every run cannot vary within one.
 */
#include "diff.h"

/* ---- One pair ---- */

static void compare_pair(struct diff *d)
{
    static void (*const levels[DIFF_LEVELS])(struct diff *) = {
        diff_data, diff_order, diff_shape, diff_geometry, diff_outcome, diff_time,
    };

    d->groups = g_array_new(FALSE, FALSE, sizeof(struct diff_group));
    d->members = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    d->findings = g_array_new(FALSE, FALSE, sizeof(struct diff_finding));
    d->timings = g_array_new(FALSE, FALSE, sizeof(struct diff_timing));
    diff_match(d);
    for (int level = 0; level < DIFF_LEVELS; level++) {
        if (diff_wants(d, (enum diff_level)level))
            levels[level](d);
    }
    g_array_unref(d->groups);
    g_array_unref(d->members);
    g_array_unref(d->changed);
    diff_choice_clear(&d->lonely);
}

void diff_clear(struct diff *d)
{
    g_array_unref(d->findings);
    g_array_unref(d->timings);
}

/* ---- Several runs ---- */

struct several {
    struct diff *d; /* the first pair, whose findings are sifted */
    const struct diff_runs *runs;
    uint32_t **to_first[2]; /* of each run, its commands' partners in the first run */
};

static struct diff_side *run_of(const struct several *all, unsigned side, guint run)
{
    return all->runs->of[side]->pdata[run];
}

static void forget_partners(struct diff_side *side)
{
    for (uint32_t i = 0; i < side->n; i++) {
        side->commands[i].partner = DIFF_NONE;
        side->commands[i].uneven = 0;
    }
}

static struct diff start_pair(const struct several *all, struct diff_side *a, struct diff_side *b)
{
    forget_partners(a);
    forget_partners(b);
    return (struct diff){
        .sides = { *a, *b }, .times = { a->times, b->times }, .levels = all->d->levels,
        .ignored = all->d->ignored, .compare_digests = all->d->compare_digests,
    };
}

static bool is_extent(const struct diff_finding *f)
{
    return f->kind == DIFF_FINAL_CONTENT || f->kind == DIFF_WRITTEN_IN_A ||
           f->kind == DIFF_WRITTEN_IN_B;
}

/* What only one side has. */
static bool is_presence(enum diff_kind kind)
{
    return kind == DIFF_FLUSH_LOST || kind == DIFF_FLUSH_ADDED || kind == DIFF_COMMAND_LOST ||
           kind == DIFF_COMMAND_ADDED || kind == DIFF_RETRIED_IN_A || kind == DIFF_RETRIED_IN_B;
}

/* Seen from the other side, the same. */
static enum diff_kind undirected(enum diff_kind kind)
{
    switch (kind) {
    case DIFF_FUA_ADDED:
        return DIFF_FUA_LOST;
    case DIFF_LINT_GONE:
        return DIFF_LINT_NEW;
    case DIFF_MERGED:
    case DIFF_RECUT:
        return DIFF_SPLIT;
    default:
        return kind;
    }
}

/* The index of a run's command in the first run of its side. */
static uint64_t instance(const struct several *all, unsigned side, guint run,
                         const struct diff_command *c)
{
    uint32_t index;

    if (!c)
        return DIFF_NONE;
    index = (uint32_t)(c - run_of(all, side, run)->commands);
    return run ? all->to_first[side][run][index] : index;
}

/* Where a finding is: of a command of run `run` of a side, its a or its b. */
static uint64_t place(const struct several *all, const struct diff_finding *f, unsigned side,
                      guint run, const struct diff_command *c, bool exactly)
{
    if (exactly && (f->a || f->b))
        return diff_mix(side, instance(all, side, run, c));
    return c ? diff_request_key(c) : f->what;
}

/* ---- In every pair ---- */

static void count_up(GHashTable *counts, uint64_t key)
{
    gpointer count = g_hash_table_lookup(counts, &key);

    g_hash_table_replace(counts, g_memdup2(&key, sizeof(key)), (char *)count + 1);
}

static bool count_down(GHashTable *counts, uint64_t key)
{
    gpointer count = g_hash_table_lookup(counts, &key);

    if (!count)
        return false;
    g_hash_table_replace(counts, g_memdup2(&key, sizeof(key)), (char *)count - 1);
    return true;
}

static GHashTable *keys_new(void)
{
    return g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);
}

static uint64_t pair_key(const struct several *all, const struct diff_finding *f,
                         const guint runs[2])
{
    bool exactly = diff_kind_level(f->kind) == DIFF_ORDER;
    uint64_t key = diff_mix(diff_mix(0, f->kind), place(all, f, 0, runs[0], f->a, exactly));

    return diff_mix(key, place(all, f, 1, runs[1], f->b, exactly));
}

/* Extents of one pair, in order, as the level reports them. */
static GArray *extents_of(const struct diff *d)
{
    GArray *extents = g_array_new(FALSE, FALSE, sizeof(struct diff_finding));

    for (guint i = 0; i < d->findings->len; i++) {
        const struct diff_finding *f = &g_array_index(d->findings, struct diff_finding, i);

        if (is_extent(f))
            g_array_append_val(extents, *f);
    }
    return extents;
}

/* Keep of an extent what lies inside, or outside, of others, which are disjoint and in order. */
static void clip(GArray *kept, const struct diff_finding *f, const GArray *others, bool inside,
                 guint *next)
{
    struct diff_finding piece = *f;
    uint64_t at = f->value[0], end = at + f->value[1];

    for (; at < end && *next < others->len; ++*next) {
        const struct diff_finding *o = &g_array_index(others, struct diff_finding, *next);
        uint64_t first = MAX(o->value[0], at), last = MIN(o->value[0] + o->value[1], end);

        if (o->value[0] >= end)
            break;
        if (last <= at || (inside && o->kind != f->kind))
            continue;
        piece.value[0] = inside ? first : at;
        piece.value[1] = inside ? last - first : first - at;
        if (piece.value[1])
            g_array_append_val(kept, piece);
        at = last;
        if (o->value[0] + o->value[1] > end)
            break;
    }
    piece.value[0] = at;
    piece.value[1] = end - at;
    if (!inside && at < end)
        g_array_append_val(kept, piece);
}

static void keep_common(struct several *all, const struct diff *pair, const guint runs[2])
{
    static const guint first_runs[2] = { 0, 0 };
    g_autoptr(GHashTable) keys = keys_new();
    g_autoptr(GArray) extents = extents_of(pair);
    GArray *kept = g_array_new(FALSE, FALSE, sizeof(struct diff_finding));
    guint next = 0;

    for (guint i = 0; i < pair->findings->len; i++)
        count_up(keys, pair_key(all, &g_array_index(pair->findings, struct diff_finding, i), runs));
    for (guint i = 0; i < all->d->findings->len; i++) {
        const struct diff_finding *f = &g_array_index(all->d->findings, struct diff_finding, i);

        if (is_extent(f))
            clip(kept, f, extents, true, &next);
        else if (diff_kind_level(f->kind) == DIFF_TIME ?
                     diff_time_is_alike(pair, all->d, f->what) :
                     count_down(keys, pair_key(all, f, first_runs)))
            g_array_append_val(kept, *f);
    }
    g_array_unref(all->d->findings);
    all->d->findings = kept;
}

/* ---- Never within a side ---- */

static uint64_t side_key(const struct several *all, const struct diff_finding *f, unsigned side,
                         guint run, const struct diff_command *c)
{
    enum diff_level level = diff_kind_level(f->kind);
    bool exactly = level == DIFF_ORDER || level == DIFF_OUTCOME;

    return diff_mix(diff_mix(1, undirected(f->kind)), place(all, f, side, run, c, exactly));
}

static bool varies(const struct several *all, const struct diff *pair, GHashTable *keys,
                   const struct diff_finding *f, unsigned side)
{
    const struct diff_command *c = side ? f->b : f->a;
    uint64_t key = side_key(all, f, side, 0, c);

    if (is_presence(f->kind))
        return false;
    if (diff_kind_level(f->kind) == DIFF_TIME)
        return diff_time_varies(pair, all->d, f->what);
    return (c || !(f->a || f->b)) && g_hash_table_contains(keys, &key);
}

/* Of two runs of a side. */
static void drop_varying(struct several *all, const struct diff *pair, unsigned side,
                         const guint runs[2])
{
    g_autoptr(GHashTable) keys = keys_new();
    g_autoptr(GArray) extents = extents_of(pair);
    GArray *kept = g_array_new(FALSE, FALSE, sizeof(struct diff_finding));
    guint next = 0;

    for (guint i = 0; i < pair->findings->len; i++) {
        const struct diff_finding *f = &g_array_index(pair->findings, struct diff_finding, i);

        if (f->a || !f->b)
            count_up(keys, side_key(all, f, side, runs[0], f->a));
        if (f->b)
            count_up(keys, side_key(all, f, side, runs[1], f->b));
    }
    for (guint i = 0; i < all->d->findings->len; i++) {
        const struct diff_finding *f = &g_array_index(all->d->findings, struct diff_finding, i);

        if (is_extent(f))
            clip(kept, f, extents, false, &next);
        else if (!varies(all, pair, keys, f, side))
            g_array_append_val(kept, *f);
    }
    g_array_unref(all->d->findings);
    all->d->findings = kept;
}

/* ---- All pairs ---- */

static void note_partners(struct several *all, unsigned side, guint run)
{
    const struct diff_side *s = run_of(all, side, run);
    uint32_t *partners = g_new(uint32_t, s->n + 1u);

    for (uint32_t i = 0; i < s->n; i++)
        partners[i] = s->commands[i].partner == DIFF_GROUPED ? DIFF_NONE : s->commands[i].partner;
    all->to_first[side][run] = partners;
}

static void compare_within(struct several *all, unsigned side, guint one, guint other)
{
    const guint runs[2] = { one, other };
    struct diff pair = start_pair(all, run_of(all, side, one), run_of(all, side, other));

    compare_pair(&pair);
    if (one == 0)
        note_partners(all, side, other);
    drop_varying(all, &pair, side, runs);
    diff_clear(&pair);
}

static void compare_between(struct several *all, guint a, guint b)
{
    const guint runs[2] = { a, b };
    struct diff pair = start_pair(all, run_of(all, 0, a), run_of(all, 1, b));

    compare_pair(&pair);
    keep_common(all, &pair, runs);
    diff_clear(&pair);
}

static bool is_left(const struct several *all)
{
    return all->d->findings->len > 0;
}

/*
 * Runs of one side come first, by which commands are known again. Each pair
 * costs as much as the first one, so that it ends when nothing is left. The
 * first one is looked at again, as its times are not those of the pool.
 */
static void sift(struct several *all)
{
    guint found = all->d->findings->len;

    for (unsigned s = 0; s < 2; s++) {
        for (guint one = 0; one < all->runs->of[s]->len; one++) {
            for (guint other = one + 1; other < all->runs->of[s]->len && is_left(all); other++)
                compare_within(all, s, one, other);
        }
    }
    for (guint a = 0; a < all->runs->of[0]->len; a++) {
        for (guint b = 0; b < all->runs->of[1]->len && is_left(all); b++)
            compare_between(all, a, b);
    }
    all->d->varying = found - MIN(found, all->d->findings->len);
}

static void forget_digests(struct diff_side *side)
{
    for (uint32_t i = 0; i < side->n; i++)
        side->commands[i].digest *= !side->commands[i].blocks;
}

/* Hashes of different kinds tell nothing. */
static bool have_same_hash(const struct diff_runs *runs)
{
    const struct diff_side *first = runs->of[0]->pdata[0];

    for (unsigned s = 0; s < 2; s++) {
        for (guint i = 0; i < runs->of[s]->len; i++) {
            const struct diff_side *side = runs->of[s]->pdata[i];

            if (side->hash != first->hash || side->hash == TD_HASH_NONE)
                return false;
        }
    }
    return true;
}

static struct diff_times *pool(const GPtrArray *runs)
{
    struct diff_times *times = diff_times_new();

    for (guint i = 0; i < runs->len; i++)
        diff_times_pool(times, ((const struct diff_side *)runs->pdata[i])->times);
    return times;
}

static void count_commands(struct diff *d, unsigned side, const GPtrArray *runs)
{
    d->fewest[side] = UINT32_MAX;
    for (guint i = 0; i < runs->len; i++) {
        uint32_t n = ((const struct diff_side *)runs->pdata[i])->n;

        d->fewest[side] = MIN(d->fewest[side], n);
        d->most[side] = MAX(d->most[side], n);
    }
}

void diff_compare(struct diff *d, const struct diff_runs *runs)
{
    struct several all = { d, runs, { NULL, NULL } };
    struct diff_times *times[2];

    d->compare_digests = have_same_hash(runs);
    for (unsigned s = 0; s < 2; s++) {
        d->runs[s] = runs->of[s]->len;
        d->sides[s] = *run_of(&all, s, 0);
        d->times[s] = times[s] = pool(runs->of[s]);
        all.to_first[s] = g_new0(uint32_t *, d->runs[s]);
        count_commands(d, s, runs->of[s]);
        for (guint i = 0; i < d->runs[s] && !d->compare_digests; i++)
            forget_digests(run_of(&all, s, i));
    }
    compare_pair(d);
    if (d->runs[0] > 1 || d->runs[1] > 1)
        sift(&all);
    for (unsigned s = 0; s < 2; s++) {
        for (guint i = 0; i < d->runs[s]; i++)
            g_free(all.to_first[s][i]);
        g_free(all.to_first[s]);
        diff_times_free(times[s]);
    }
}
