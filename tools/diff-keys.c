/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tracedisk diff: commands by a key, which the sides have in common or not. */
#include "diff-keys.h"

const struct diff_choice diff_everything;

static uint32_t n_chosen(const struct diff *d, const struct diff_choice *choice, unsigned s)
{
    return choice->of[s] ? choice->of[s]->len : d->sides[s].n;
}

static uint32_t nth_chosen(const struct diff_choice *choice, unsigned s, uint32_t n)
{
    return choice->of[s] ? g_array_index(choice->of[s], uint32_t, n) : n;
}

void diff_choice_clear(struct diff_choice *choice)
{
    for (unsigned s = 0; s < 2; s++)
        g_clear_pointer(&choice->of[s], g_array_unref);
}

/* ---- Choosing ---- */

/* So many bits of the set for each key in it, as a power of 2: few others share one. */
#define BITS_OF_KEY 6

struct choosing {
    const struct diff *d;
    const struct diff_choice *from;
    diff_filter *wanted; /* NULL: those whose key is in the set */
    diff_key *key;
    uint64_t *set; /* 2^bits bits: one for the first bits of each key */
    unsigned bits;
    struct diff_choice chosen;
};

static uint32_t bit_of(const struct choosing *choosing, const struct diff_command *c)
{
    return (uint32_t)(choosing->key(c) >> (64 - choosing->bits));
}

static bool is_in_set(const struct choosing *choosing, const struct diff_command *c)
{
    uint32_t bit = bit_of(choosing, c);

    return choosing->set[bit / 64] >> bit % 64 & 1;
}

static bool is_wanted(const struct choosing *choosing, unsigned s, const struct diff_command *c)
{
    return choosing->wanted ? choosing->wanted(choosing->d, s, c) : is_in_set(choosing, c);
}

static void choose_of_side(void *data, unsigned s)
{
    struct choosing *choosing = data;
    const struct diff_side *side = &choosing->d->sides[s];
    uint32_t n = n_chosen(choosing->d, choosing->from, s);
    GArray *chosen = g_array_new(FALSE, FALSE, sizeof(uint32_t));

    for (uint32_t i = 0; i < n; i++) {
        uint32_t index = nth_chosen(choosing->from, s, i);
        const struct diff_command *c = &side->commands[index];

        if (diff_can_be_chosen(c) && is_wanted(choosing, s, c))
            g_array_append_val(chosen, index);
    }
    choosing->chosen.of[s] = chosen;
}

struct diff_choice diff_choose(const struct diff *d, const struct diff_choice *from,
                               diff_filter *wanted)
{
    struct choosing choosing = { .d = d, .from = from, .wanted = wanted };

    diff_on_both_sides(choose_of_side, &choosing);
    return choosing.chosen;
}

struct diff_choice diff_choose_like(const struct diff *d, const struct diff_choice *some,
                                    diff_key *key)
{
    struct choosing choosing = { .d = d, .from = &diff_everything, .key = key };
    uint64_t n = (uint64_t)n_chosen(d, some, 0) + n_chosen(d, some, 1);

    if (n == 0)
        return diff_choose(d, some, NULL);
    choosing.bits = MIN(64 - (unsigned)__builtin_clzll(n) + BITS_OF_KEY, 26);
    choosing.set = g_malloc0((UINT64_C(1) << choosing.bits) / 8);
    for (unsigned s = 0; s < 2; s++) {
        for (uint32_t i = 0; i < n_chosen(d, some, s); i++) {
            uint32_t bit = bit_of(&choosing, &d->sides[s].commands[nth_chosen(some, s, i)]);

            choosing.set[bit / 64] |= UINT64_C(1) << bit % 64;
        }
    }
    diff_on_both_sides(choose_of_side, &choosing);
    g_free(choosing.set);
    return choosing.chosen;
}

/* ---- The same key ---- */

/* Keys of a side that are sorted at a time: memory for so many. */
#define MOST_KEYS (UINT32_C(1) << 21)

struct sorting {
    const struct diff *d;
    const struct diff_choice *choice;
    diff_key *key;
    uint32_t part, parts; /* of all keys */
    struct sort_key *keys[2];
    uint32_t n[2];
};

static void sort_side(void *data, unsigned s)
{
    struct sorting *sorting = data;
    const struct diff_side *side = &sorting->d->sides[s];
    uint32_t n = n_chosen(sorting->d, sorting->choice, s), room = n / sorting->parts;
    GArray *keys = g_array_sized_new(FALSE, FALSE, sizeof(struct sort_key), room + room / 16);

    for (uint32_t i = 0; i < n; i++) {
        uint32_t index = nth_chosen(sorting->choice, s, i);
        const struct diff_command *c = &side->commands[index];
        struct sort_key k = { sorting->key(c), index };

        if ((k.key >> 32) * sorting->parts >> 32 == sorting->part && diff_can_be_chosen(c))
            g_array_append_val(keys, k);
    }
    sorting->n[s] = keys->len;
    sorting->keys[s] = (void *)g_array_free(keys, FALSE);
    sort_keys(sorting->keys[s], sorting->n[s]);
}

uint32_t diff_count_equal(const struct sort_key *keys, uint32_t n)
{
    uint32_t i = 1;

    while (i < n && keys[i].key == keys[0].key)
        i++;
    return i;
}

static void match_sorted(const struct sorting *sorted, struct diff *d,
                         void (*match)(struct diff *d, const struct diff_same *same))
{
    const struct sort_key *a = sorted->keys[0], *end_a = a + sorted->n[0];
    const struct sort_key *b = sorted->keys[1], *end_b = b + sorted->n[1];

    while (a < end_a && b < end_b) {
        if (a->key == b->key) {
            struct diff_same same = { a, b, diff_count_equal(a, (uint32_t)(end_a - a)),
                                      diff_count_equal(b, (uint32_t)(end_b - b)) };

            match(d, &same);
            a += same.n_a;
            b += same.n_b;
        } else if (a->key < b->key) {
            a++;
        } else {
            b++;
        }
    }
}

void diff_for_same(struct diff *d, const struct diff_choice *choice, diff_key *key,
                   void (*match)(struct diff *d, const struct diff_same *same))
{
    struct sorting sorting = { .d = d, .choice = choice, .key = key };

    sorting.parts = MAX(n_chosen(d, choice, 0), n_chosen(d, choice, 1)) / MOST_KEYS + 1;
    for (; sorting.part < sorting.parts; sorting.part++) {
        diff_on_both_sides(sort_side, &sorting);
        match_sorted(&sorting, d, match);
        g_free(sorting.keys[0]);
        g_free(sorting.keys[1]);
    }
}
