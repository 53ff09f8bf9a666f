/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tracedisk diff: cuts the blocks into pieces. */
#include "diff-pieces.h"

#include "sort.h"

static void grow(struct diff_pieces *p)
{
    g_autofree struct diff_border_word *old = p->words;
    uint64_t n = UINT64_C(1) << p->size++;

    p->words = g_new0(struct diff_border_word, UINT64_C(1) << p->size);
    for (uint64_t i = 0; i < n; i++) {
        if (old[i].borders)
            *diff_border_word(p, old[i].number) = old[i];
    }
}

static void add_border(struct diff_pieces *p, uint64_t border)
{
    uint64_t bit = border >> p->unit;
    struct diff_border_word *word = diff_border_word(p, bit / 64);

    if (!word->borders) {
        if (++p->n_words > 1u << p->size >> 1) {
            grow(p);
            word = diff_border_word(p, bit / 64);
        }
        word->number = bit / 64;
    }
    word->borders |= UINT64_C(1) << bit % 64;
}

/* A command's partner has the same borders. */
static void add_borders(struct diff_pieces *p, const struct diff *d)
{
    for (unsigned s = 0; s < 2; s++) {
        for (uint32_t i = 0; i < d->sides[s].n; i++) {
            const struct diff_command *c = &d->sides[s].commands[i];

            if (!diff_has_payload(c) || (s && c->partner < DIFF_GROUPED))
                continue;
            add_border(p, c->lba);
            add_border(p, c->lba + c->blocks);
        }
    }
}

/* All words, by their numbers: their slots are the values. */
static struct sort_key *sort_words(const struct diff_pieces *p)
{
    struct sort_key *keys = g_new(struct sort_key, p->n_words + 1u);
    uint32_t n = 0;

    for (uint32_t slot = 0; n < p->n_words; slot++) {
        if (p->words[slot].borders)
            keys[n++] = (struct sort_key){ p->words[slot].number, slot };
    }
    sort_keys(keys, n);
    return keys;
}

static void number_pieces(struct diff_pieces *p)
{
    g_autofree struct sort_key *keys = sort_words(p);
    uint32_t at = 0;

    for (uint32_t i = 0; i < p->n_words; i++) {
        struct diff_border_word *word = &p->words[keys[i].value];

        word->first = p->n;
        p->n += (uint32_t)__builtin_popcountll(word->borders);
    }
    p->border = g_new(uint64_t, p->n + 1u);
    for (uint32_t i = 0; i < p->n_words; i++) {
        const struct diff_border_word *word = &p->words[keys[i].value];

        for (uint64_t left = word->borders; left; left &= left - 1)
            p->border[at++] = (word->number * 64 + (unsigned)__builtin_ctzll(left)) << p->unit;
    }
}

void diff_pieces_cut(struct diff_pieces *p, const struct diff *d)
{
    uint64_t borders = d->sides[0].borders | d->sides[1].borders;

    *p = (struct diff_pieces){ .size = 10 };
    p->unit = borders ? (unsigned)__builtin_ctzll(borders) : 0;
    p->words = g_new0(struct diff_border_word, UINT64_C(1) << p->size);
    add_borders(p, d);
    number_pieces(p);
}

void diff_pieces_clear(struct diff_pieces *p)
{
    g_free(p->border);
    g_free(p->words);
}
