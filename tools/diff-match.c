/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk diff: finds which commands of both sides are the same.
 *
 * First by blocks and payload, where both sides have as many of a kind: that
 * aligns the barriers. With these known, commands that occur often are told
 * apart by where they stand; what is left by its blocks alone, and at last
 * as groups that cover the same blocks.
 */
#include <string.h>

#include "diff.h"
#include "sort.h"

#define SIDE_B (UINT32_C(1) << 31)

/* A command of either side. */
static struct diff_command *command_of(struct diff *d, uint32_t value)
{
    return &d->sides[value >= SIDE_B].commands[value & ~SIDE_B];
}

uint64_t diff_request_key(const struct diff_command *c)
{
    uint64_t hash = diff_mix(diff_mix(diff_mix(0, diff_traits(c)->op), c->lba), c->blocks);

    return diff_mix(hash, c->blocks ? diff_traits(c)->write_same : c->digest);
}

static uint64_t hash_all(const struct diff_command *c)
{
    return diff_mix(diff_request_key(c), c->digest);
}

typedef uint64_t command_key(const struct diff_command *c);
typedef bool command_filter(const struct diff *d, const struct diff_command *c);

/* Keys that are sorted at a time: memory for so many. */
#define MOST_KEYS (UINT32_C(1) << 22)

/*
 * Commands that wanted() lets through: those of A, then those of B, in order;
 * of them those whose key falls into one of so many parts.
 */
static GArray *collect(struct diff *d, command_key *key, command_filter *wanted, uint32_t part,
                       uint32_t parts)
{
    GArray *keys = g_array_new(FALSE, FALSE, sizeof(struct sort_key));

    for (unsigned s = 0; s < 2; s++) {
        for (uint32_t i = 0; i < d->sides[s].n; i++) {
            const struct diff_command *c = &d->sides[s].commands[i];
            struct sort_key k = { 0, i | (s ? SIDE_B : 0) };

            if (!wanted(d, c))
                continue;
            k.key = key(c);
            if (parts == 1 || (k.key >> 32) * parts >> 32 == part)
                g_array_append_val(keys, k);
        }
    }
    sort_keys((void *)keys->data, keys->len);
    return keys;
}

/* Flushes are matched by diff_align(). */
static bool is_matched_here(const struct diff *d, const struct diff_command *c)
{
    const struct diff_traits *t = diff_traits(c);

    (void)d;
    return !(t->op == TD_OP_FLUSH && t->barrier);
}

static bool is_often(const struct diff *d, const struct diff_command *c)
{
    (void)d;
    return c->often;
}

static bool is_left(const struct diff *d, const struct diff_command *c)
{
    return c->partner == DIFF_NONE && is_matched_here(d, c);
}

static bool is_left_with_blocks(const struct diff *d, const struct diff_command *c)
{
    return c->blocks && is_left(d, c) && diff_traits(c)->status == TD_GOOD;
}

/* ---- Which keys are left: a set that may have some too many ---- */

#define LEFT_BITS 24

static uint32_t left_bit(const struct diff_command *c)
{
    return (uint32_t)(diff_request_key(c) >> (64 - LEFT_BITS));
}

static void note_left(struct diff *d)
{
    memset(d->left_keys, 0, (1u << LEFT_BITS) / 8);
    for (unsigned s = 0; s < 2; s++) {
        for (uint32_t i = 0; i < d->sides[s].n; i++) {
            const struct diff_command *c = &d->sides[s].commands[i];

            if (is_left(d, c))
                d->left_keys[left_bit(c) / 64] |= UINT64_C(1) << left_bit(c) % 64;
        }
    }
}

static bool does_as_one_left(const struct diff *d, const struct diff_command *c)
{
    return is_matched_here(d, c) && d->left_keys[left_bit(c) / 64] >> left_bit(c) % 64 & 1;
}

/* ---- Pairs ---- */

static void pair(struct diff *d, uint32_t a, uint32_t b)
{
    command_of(d, a)->partner = b & ~SIDE_B;
    command_of(d, b)->partner = a;
}

/* Commands of one key: keys[0 … n_a - 1] of A, the rest of B. */
typedef void match_run(struct diff *d, const struct sort_key *keys, uint32_t n_a, uint32_t n_b);

static void match_equal_counts(struct diff *d, const struct sort_key *keys, uint32_t n_a,
                               uint32_t n_b)
{
    if (n_a != n_b)
        return;
    for (uint32_t i = 0; i < n_a; i++)
        pair(d, keys[i].value, keys[n_a + i].value);
}

/* That is all for those that are alone of their kind. */
static void match_first(struct diff *d, const struct sort_key *keys, uint32_t n_a, uint32_t n_b)
{
    match_equal_counts(d, keys, n_a, n_b);
    for (uint32_t i = 0; n_a + n_b > 2 && i < n_a + n_b; i++)
        command_of(d, keys[i].value)->often = 1;
}

static uint32_t first_ordinal(const struct diff *d, unsigned side, const struct diff_command *c)
{
    return d->sides[side].ordinal[c->first_epoch];
}

static uint32_t last_ordinal(const struct diff *d, unsigned side, const struct diff_command *c)
{
    return d->sides[side].ordinal[diff_last_epoch(&d->sides[side], c)];
}

bool diff_moved(const struct diff *d, const struct diff_command *a, const struct diff_command *b)
{
    return last_ordinal(d, 0, a) < first_ordinal(d, 1, b) ||
           last_ordinal(d, 1, b) < first_ordinal(d, 0, a);
}

/* Pair those that stand between the same barriers, in order. */
static void match_in_place(struct diff *d, const struct sort_key *keys, uint32_t n_a, uint32_t n_b)
{
    uint32_t i = 0, j = n_a;

    while (i < n_a && j < n_a + n_b) {
        const struct diff_command *a = command_of(d, keys[i].value);
        const struct diff_command *b = command_of(d, keys[j].value);

        /* A failed attempt is none of those that worked. */
        if (n_a != n_b && diff_traits(a)->status != diff_traits(b)->status) {
            if (diff_traits(a)->status != TD_GOOD)
                i++;
            else
                j++;
        } else if (!diff_moved(d, a, b)) {
            pair(d, keys[i++].value, keys[j++].value);
        } else if (last_ordinal(d, 0, a) < first_ordinal(d, 1, b)) {
            i++;
        } else {
            j++;
        }
    }
}

static void match_often(struct diff *d, const struct sort_key *keys, uint32_t n_a, uint32_t n_b)
{
    uint32_t i = 0, j = n_a;

    for (uint32_t k = 0; k < n_a + n_b; k++)
        command_of(d, keys[k].value)->partner = DIFF_NONE;
    match_in_place(d, keys, n_a, n_b);
    for (;;) {
        while (i < n_a && command_of(d, keys[i].value)->partner != DIFF_NONE)
            i++;
        while (j < n_a + n_b && command_of(d, keys[j].value)->partner != DIFF_NONE)
            j++;
        if (i == n_a || j == n_a + n_b)
            break;
        pair(d, keys[i].value, keys[j].value);
    }
}

/*
 * Commands of the same blocks between the same barriers, some with another
 * payload: it is their place that tells which is which.
 */
static void match_by_place(struct diff *d, const struct sort_key *keys, uint32_t n_a, uint32_t n_b)
{
    bool left = false;

    if (n_a != n_b)
        return;
    for (uint32_t i = 0; i < n_a; i++) {
        const struct diff_command *a = command_of(d, keys[i].value);
        const struct diff_command *b = command_of(d, keys[n_a + i].value);

        if (diff_traits(a)->status != diff_traits(b)->status || diff_moved(d, a, b))
            return;
        left |= a->partner == DIFF_NONE;
    }
    if (left)
        match_equal_counts(d, keys, n_a, n_b);
}

static void match_part(struct diff *d, const GArray *all, match_run *match)
{
    const struct sort_key *keys = (const void *)all->data;
    size_t n = all->len, end;

    for (size_t start = 0; start < n; start = end) {
        uint32_t n_a = 0;

        for (end = start; end < n && keys[end].key == keys[start].key; end++)
            n_a += keys[end].value < SIDE_B;
        if (n_a && n_a < end - start)
            match(d, keys + start, n_a, (uint32_t)(end - start) - n_a);
    }
}

static void for_runs(struct diff *d, command_key *key, command_filter *wanted, match_run *match)
{
    uint32_t parts = (d->sides[0].n + d->sides[1].n) / MOST_KEYS + 1;

    for (uint32_t part = 0; part < parts; part++) {
        GArray *keys = collect(d, key, wanted, part, parts);

        match_part(d, keys, match);
        g_array_unref(keys);
    }
}

/* ---- Groups ---- */

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

static uint64_t lba_of(const struct diff_command *c)
{
    return c->lba;
}

/* What stands between the same barriers goes together, or else only what does the same. */
static void group_left(struct diff *d, bool in_place)
{
    g_autoptr(GArray) all = collect(d, lba_of, is_left_with_blocks, 0, 1);
    struct sort_key *keys = (void *)all->data;
    size_t n = all->len, end;

    for (size_t i = 0; i < n; i++) {
        const struct diff_command *c = command_of(d, keys[i].value);
        uint32_t ordinal = in_place ? last_ordinal(d, keys[i].value >= SIDE_B, c) : 0;

        keys[i].key = (uint64_t)ordinal << 8 | diff_traits(c)->op;
    }
    sort_keys(keys, n); /* stable: by block among equals */
    for (size_t start = 0; start < n; start = end) {
        uint64_t key = keys[start].key;

        for (end = start; end < n && keys[end].key == key; end++)
            keys[end].key = command_of(d, keys[end].value)->lba;
        group_run(d, keys + start, end - start);
    }
}

void diff_match(struct diff *d)
{
    for_runs(d, hash_all, is_matched_here, match_first);
    diff_align(d);
    for_runs(d, hash_all, is_often, match_often);
    d->left_keys = g_malloc((1u << LEFT_BITS) / 8);
    note_left(d);
    for_runs(d, diff_request_key, does_as_one_left, match_by_place);
    g_clear_pointer(&d->left_keys, g_free);
    for_runs(d, diff_request_key, is_left, match_in_place);
    group_left(d, true);
    group_left(d, false);
}
