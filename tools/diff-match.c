/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk diff: finds which commands of both sides are the same.
 *
 * First by blocks and payload, where both sides have as many of a kind: that
 * aligns the barriers. With these known, commands that occur several times are
 * told apart by where they stand; what is left by its blocks alone, and at last
 * as groups that cover the same blocks.
 *
 * Nearly all are done with when both sides have been gone along in step: each
 * search after that is for few commands, and for all that have the same key.
 */
#include "diff.h"
#include "diff-keys.h"
#include "sort.h"

uint64_t diff_request_key(const struct diff_command *c)
{
    uint64_t hash = diff_mix(diff_mix(diff_mix(0, diff_traits(c)->op), c->lba), c->blocks);

    return diff_mix(hash, c->blocks ? diff_traits(c)->write_same : c->digest);
}

static uint64_t whole_key(const struct diff_command *c)
{
    return diff_mix(diff_request_key(c), c->digest);
}

/* ---- Pairs ---- */

static void match_equal_counts(struct diff *d, const struct diff_same *same)
{
    for (uint32_t i = 0; i < same->n_a && same->n_a == same->n_b; i++)
        diff_pair(d, same->a[i].value, same->b[i].value);
}

static void part(const struct diff_side *side, const struct sort_key *keys, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        side->commands[keys[i].value].partner = DIFF_NONE;
}

static void part_all(struct diff *d, const struct diff_same *same)
{
    part(&d->sides[0], same->a, same->n_a);
    part(&d->sides[1], same->b, same->n_b);
}

/* Where a side has more of them, their place tells which is which: see match_several(). */
static void match_first(struct diff *d, const struct diff_same *same)
{
    if (same->n_a == same->n_b) {
        match_equal_counts(d, same);
        return;
    }
    part_all(d, same);
    for (uint32_t i = 0; i < same->n_a; i++)
        d->sides[0].commands[same->a[i].value].uneven = 1;
    for (uint32_t i = 0; i < same->n_b; i++)
        d->sides[1].commands[same->b[i].value].uneven = 1;
}

/* Pair those that stand between the same barriers, in order. */
static void match_in_place(struct diff *d, const struct diff_same *same)
{
    uint32_t i = 0, j = 0;

    while (i < same->n_a && j < same->n_b) {
        const struct diff_command *a = &d->sides[0].commands[same->a[i].value];
        const struct diff_command *b = &d->sides[1].commands[same->b[j].value];

        /* A failed attempt is none of those that worked. */
        if (same->n_a != same->n_b && diff_traits(a)->status != diff_traits(b)->status) {
            if (diff_traits(a)->status != TD_GOOD)
                i++;
            else
                j++;
        } else if (!diff_moved(d, a, b)) {
            diff_pair(d, same->a[i++].value, same->b[j++].value);
        } else if (diff_last_ordinal(&d->sides[0], a) < diff_first_ordinal(&d->sides[1], b)) {
            i++;
        } else {
            j++;
        }
    }
}

/* The first of them, from i on, that has no partner; n: all have. */
static uint32_t next_left(const struct diff_side *side, const struct sort_key *keys, uint32_t i,
                          uint32_t n)
{
    while (i < n && side->commands[keys[i].value].partner != DIFF_NONE)
        i++;
    return i;
}

/* Those in their place, then the others in order. */
static void match_several(struct diff *d, const struct diff_same *same)
{
    uint32_t i = 0, j = 0;

    if (same->n_a == 1 && same->n_b == 1)
        return;
    part_all(d, same);
    match_in_place(d, same);
    for (;;) {
        i = next_left(&d->sides[0], same->a, i, same->n_a);
        j = next_left(&d->sides[1], same->b, j, same->n_b);
        if (i == same->n_a || j == same->n_b)
            break;
        diff_pair(d, same->a[i].value, same->b[j].value);
    }
}

/*
 * Commands of the same blocks between the same barriers, some with another
 * payload: it is their place that tells which is which.
 */
static void match_by_place(struct diff *d, const struct diff_same *same)
{
    bool left = false;

    if (same->n_a != same->n_b)
        return;
    for (uint32_t i = 0; i < same->n_a; i++) {
        const struct diff_command *a = &d->sides[0].commands[same->a[i].value];
        const struct diff_command *b = &d->sides[1].commands[same->b[i].value];

        if (diff_traits(a)->status != diff_traits(b)->status || diff_moved(d, a, b))
            return;
        left |= a->partner == DIFF_NONE;
    }
    if (left)
        match_equal_counts(d, same);
}

/* ---- Groups ---- */

#define SIDE_B (UINT32_C(1) << 31)

/* A command of either side. */
static struct diff_command *command_of(const struct diff *d, uint32_t value)
{
    return &d->sides[value >= SIDE_B].commands[value & ~SIDE_B];
}

static void add_group(struct diff *d, const struct sort_key *keys, uint32_t n)
{
    struct diff_group group = { .start = d->members->len };

    for (unsigned s = 0; s < 2; s++) {
        for (uint32_t i = 0; i < n; i++) {
            uint32_t index = keys[i].value & ~SIDE_B;

            if ((keys[i].value >= SIDE_B) != s)
                continue;
            g_array_append_val(d->members, index);
            d->sides[s].commands[index].partner = DIFF_GROUPED;
            *(s ? &group.n_b : &group.n_a) += 1;
        }
    }
    g_array_append_val(d->groups, group);
}

/* Commands whose blocks overlap, in a chain, make a group when both sides have one. */
static void group_run(struct diff *d, const struct sort_key *keys, size_t n)
{
    size_t next;

    for (size_t start = 0; start < n; start = next) {
        uint64_t end = 0;
        bool has[2] = { false, false };

        for (next = start; next < n && (next == start || keys[next].key < end); next++) {
            const struct diff_command *c = command_of(d, keys[next].value);

            end = MAX(end, c->lba + c->blocks);
            has[keys[next].value >= SIDE_B] = true;
        }
        if (has[0] && has[1])
            add_group(d, keys + start, (uint32_t)(next - start));
    }
}

/* By their blocks: what is left and worked. */
static GArray *sort_by_blocks(const struct diff *d, const struct diff_choice *left)
{
    GArray *keys = g_array_new(FALSE, FALSE, sizeof(struct sort_key));

    for (unsigned s = 0; s < 2; s++) {
        for (guint i = 0; i < left->of[s]->len; i++) {
            uint32_t index = g_array_index(left->of[s], uint32_t, i);
            const struct diff_command *c = &d->sides[s].commands[index];
            struct sort_key k = { c->lba, index | (s ? SIDE_B : 0) };

            if (c->blocks && c->partner == DIFF_NONE && diff_traits(c)->status == TD_GOOD)
                g_array_append_val(keys, k);
        }
    }
    sort_keys((void *)keys->data, keys->len);
    return keys;
}

/* What stands between the same barriers goes together, or else only what does the same. */
static void group_left(struct diff *d, const struct diff_choice *left, bool in_place)
{
    g_autoptr(GArray) all = sort_by_blocks(d, left);
    struct sort_key *keys = (void *)all->data;
    uint32_t n = all->len, end;

    for (uint32_t i = 0; i < n; i++) {
        const struct diff_command *c = command_of(d, keys[i].value);
        const struct diff_side *side = &d->sides[keys[i].value >= SIDE_B];
        uint32_t ordinal = in_place ? diff_last_ordinal(side, c) : 0;

        keys[i].key = (uint64_t)ordinal << 8 | diff_traits(c)->op;
    }
    sort_keys(keys, n); /* stable: by block among equals */
    for (uint32_t start = 0; start < n; start = end) {
        end = start + diff_count_equal(keys + start, n - start);
        for (uint32_t i = start; i < end; i++)
            keys[i].key = command_of(d, keys[i].value)->lba;
        group_run(d, keys + start, end - start);
    }
}

/* ---- One step after the other ---- */

static bool is_left(const struct diff *d, unsigned s, const struct diff_command *c)
{
    (void)d;
    (void)s;
    return c->partner == DIFF_NONE;
}

static bool is_uneven_or_moved(const struct diff *d, unsigned s, const struct diff_command *c)
{
    const struct diff_command *partner = diff_partner(d, s, c);

    return c->uneven || (partner && diff_moved(d, s ? partner : c, s ? c : partner));
}

/*
 * As many of a key on both sides make pairs in order. Those of a key that was
 * never passed by in step are such pairs already. Returns the others.
 */
static struct diff_choice match_whole(struct diff *d)
{
    struct diff_choice others = diff_pair_in_step(d);
    struct diff_choice like = diff_choose_like(d, &others, whole_key);

    diff_for_same(d, &like, whole_key, match_first);
    diff_choice_clear(&others);
    return like;
}

/* Pairs of which none has moved would only be found again. */
static void match_those_several(struct diff *d)
{
    struct diff_choice some = diff_choose(d, &diff_everything, is_uneven_or_moved);
    struct diff_choice like = diff_choose_like(d, &some, whole_key);

    diff_for_same(d, &like, whole_key, match_several);
    diff_choice_clear(&like);
    diff_choice_clear(&some);
}

static void match_those_left(struct diff *d, const struct diff_choice *open)
{
    struct diff_choice left = diff_choose(d, open, is_left);
    struct diff_choice like = diff_choose_like(d, &left, diff_request_key);

    diff_for_same(d, &like, diff_request_key, match_by_place);
    diff_choice_clear(&like);
    diff_choice_clear(&left);
    left = diff_choose(d, open, is_left);
    diff_for_same(d, &left, diff_request_key, match_in_place);
    group_left(d, &left, true);
    group_left(d, &left, false);
    diff_choice_clear(&left);
}

static GArray *find_changed(const struct diff *d)
{
    GArray *changed = g_array_new(FALSE, FALSE, sizeof(uint32_t));

    for (uint32_t i = 0; i < d->sides[0].n; i++) {
        const struct diff_command *a = &d->sides[0].commands[i], *b = diff_partner(d, 0, a);

        if (b && (a->traits != b->traits || a->digest != b->digest || diff_moved(d, a, b)))
            g_array_append_val(changed, i);
    }
    return changed;
}

void diff_match(struct diff *d)
{
    struct diff_choice open = match_whole(d);

    diff_align(d);
    match_those_several(d);
    match_those_left(d, &open);
    d->lonely = diff_choose(d, &open, is_left);
    d->changed = find_changed(d);
    diff_choice_clear(&open);
}
