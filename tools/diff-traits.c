/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk diff: what many commands have in common is kept once, so that ten
 * million of them fit into memory.
 *
 * All sides share an arena of chunks, of which each side takes its own: they
 * are read at the same time. What is in the arena stays there.
 */
#include <string.h>

#include "diff.h"

struct diff_traits *diff_traits_chunks[DIFF_TRAITS_CHUNKS];
static gint chunks_taken;

/* Of one side: a hash table with linear probing. */
struct diff_traits_table {
    uint32_t *slots; /* numbers of traits plus one; 0: free */
    uint32_t size, used;
    uint32_t chunk, in_chunk;
};

struct diff_traits_table *diff_traits_table_new(void)
{
    struct diff_traits_table *t = g_new0(struct diff_traits_table, 1);

    t->size = 1024;
    t->slots = g_new0(uint32_t, t->size);
    t->in_chunk = DIFF_TRAITS_IN_CHUNK; /* take one at first */
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
        all = diff_mix(all, words[i]);
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

bool diff_traits_intern(struct diff_traits_table *t, const struct diff_traits *traits,
                        uint32_t *number)
{
    uint32_t *slot = find_slot(t, traits);

    if (!*slot) {
        if (t->in_chunk == DIFF_TRAITS_IN_CHUNK) {
            gint chunk = g_atomic_int_add(&chunks_taken, 1);

            if (chunk >= DIFF_TRAITS_CHUNKS)
                return false;
            diff_traits_chunks[chunk] = g_new(struct diff_traits, DIFF_TRAITS_IN_CHUNK);
            t->chunk = (uint32_t)chunk;
            t->in_chunk = 0;
        }
        diff_traits_chunks[t->chunk][t->in_chunk] = *traits;
        *slot = t->chunk * DIFF_TRAITS_IN_CHUNK + t->in_chunk++ + 1;
        *number = *slot - 1;
        if (++t->used > t->size / 2)
            grow(t);
        return true;
    }
    *number = *slot - 1;
    return true;
}
