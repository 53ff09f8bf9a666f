/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk diff: what many commands have in common is kept once, so that ten
 * million of them fit into memory, and is the same if its number is the same.
 *
 * As traces are read at the same time, each side has a table of its own: only
 * what is new to it is looked for in the one of all sides, which stays.
 */
#include <string.h>

#include "diff.h"

struct diff_traits *diff_traits_chunks[DIFF_TRAITS_CHUNKS];

/* A hash table with linear probing. */
struct diff_traits_table {
    uint32_t *slots; /* numbers of traits plus one; 0: free */
    uint32_t size, used;
};

static struct diff_traits_table *of_all; /* under the lock */
static GMutex lock;

struct diff_traits_table *diff_traits_table_new(void)
{
    struct diff_traits_table *t = g_new0(struct diff_traits_table, 1);

    t->size = 1024;
    t->slots = g_new0(uint32_t, t->size);
    return t;
}

void diff_traits_table_free(struct diff_traits_table *t)
{
    g_free(t->slots);
    g_free(t);
}

static uint64_t hash(const struct diff_traits *traits)
{
    uint64_t words[sizeof(*traits) / sizeof(uint64_t)], all = 0;

    G_STATIC_ASSERT(sizeof(words) == sizeof(*traits));
    memcpy(words, traits, sizeof(words));
    for (size_t i = 0; i < G_N_ELEMENTS(words); i++)
        all = (all + words[i]) * UINT64_C(0x9e3779b97f4a7c15);
    return all;
}

static const struct diff_traits *traits_of(uint32_t number)
{
    return &diff_traits_chunks[number / DIFF_TRAITS_IN_CHUNK][number % DIFF_TRAITS_IN_CHUNK];
}

/* The slot that holds these, or where they belong. */
static uint32_t *find_slot(const struct diff_traits_table *t, const struct diff_traits *traits)
{
    uint32_t at = (uint32_t)(hash(traits) >> 32) & (t->size - 1);

    while (t->slots[at] && memcmp(traits_of(t->slots[at] - 1), traits, sizeof(*traits)) != 0)
        at = (at + 1) & (t->size - 1);
    return &t->slots[at];
}

static void grow(struct diff_traits_table *t)
{
    g_autofree uint32_t *old = t->slots;
    uint32_t n = t->size;

    t->size *= 2;
    t->slots = g_new0(uint32_t, t->size);
    for (uint32_t i = 0; i < n; i++) {
        if (old[i])
            *find_slot(t, traits_of(old[i] - 1)) = old[i];
    }
}

static void note(struct diff_traits_table *t, uint32_t *slot, uint32_t number)
{
    *slot = number + 1;
    if (++t->used > t->size / 2)
        grow(t);
}

/* Their number among those of all sides; DIFF_TRAITS_MAX: there are too many. */
static uint32_t number_of(const struct diff_traits *traits)
{
    uint32_t *slot, number;

    of_all = of_all ? of_all : diff_traits_table_new();
    slot = find_slot(of_all, traits);
    if (*slot)
        return *slot - 1;
    number = of_all->used;
    if (number == DIFF_TRAITS_MAX)
        return number;
    if (number % DIFF_TRAITS_IN_CHUNK == 0)
        diff_traits_chunks[number / DIFF_TRAITS_IN_CHUNK] =
            g_new(struct diff_traits, DIFF_TRAITS_IN_CHUNK);
    diff_traits_chunks[number / DIFF_TRAITS_IN_CHUNK][number % DIFF_TRAITS_IN_CHUNK] = *traits;
    note(of_all, slot, number);
    return number;
}

bool diff_traits_intern(struct diff_traits_table *t, const struct diff_traits *traits,
                        uint32_t *number)
{
    uint32_t *slot = find_slot(t, traits);

    if (*slot) {
        *number = *slot - 1;
        return true;
    }
    g_mutex_lock(&lock);
    *number = number_of(traits);
    g_mutex_unlock(&lock);
    if (*number == DIFF_TRAITS_MAX)
        return false;
    note(t, slot, *number);
    return true;
}
