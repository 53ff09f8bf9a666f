/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk diff: the blocks, cut at every border of any command of either side
 * that reads or changes them; such a piece is never written in part.
 *
 * Each piece has a number, in the order of blocks. Borders are bits, of as many
 * blocks as all borders are a multiple of; 64 of them make a word, and a hash
 * table has the words with any: on disks of any size it takes little memory, and
 * stays in the cache where commands lie close together.
 */
#ifndef TOOLS_DIFF_PIECES_H
#define TOOLS_DIFF_PIECES_H

#include "diff.h"

struct diff_border_word {
    uint64_t number;
    uint64_t borders; /* 0: a free slot */
    uint32_t first;   /* the number of the piece that begins at the first one */
};

struct diff_pieces {
    uint64_t *border; /* piece i is [border[i], border[i + 1]) */
    uint32_t n;       /* borders */
    unsigned unit;    /* a bit is 2^unit blocks */
    unsigned size;    /* of the table: 2^size slots */
    uint32_t n_words;
    struct diff_border_word *words;
};

/* Pieces [first, end). */
struct diff_span {
    uint32_t first, end;
};

void diff_pieces_cut(struct diff_pieces *p, const struct diff *d);
void diff_pieces_clear(struct diff_pieces *p);

/* On a small disk each word has its own; parts of a large one are laid over each other. */
static inline uint64_t diff_border_slot(const struct diff_pieces *p, uint64_t number)
{
    uint64_t part = number >> p->size;

    return (number + part * UINT64_C(0x9e3779b97f4a7c15)) & ((UINT64_C(1) << p->size) - 1);
}

/* The word's slot, or where it belongs. */
static inline struct diff_border_word *diff_border_word(const struct diff_pieces *p,
                                                        uint64_t number)
{
    uint64_t slot = diff_border_slot(p, number);
    uint64_t step = diff_mix(1, number >> p->size) | 1; /* of each part another one */

    while (p->words[slot].borders && p->words[slot].number != number)
        slot = (slot + step) & ((UINT64_C(1) << p->size) - 1);
    return &p->words[slot];
}

/* The piece that begins at a border, which is in this word. */
static inline uint32_t diff_piece_in(const struct diff_border_word *word, uint64_t bit)
{
    uint64_t below = word->borders & ((UINT64_C(1) << bit % 64) - 1);

    return word->first + (uint32_t)__builtin_popcountll(below);
}

/* The span of such a command will be asked for soon. */
static inline void diff_span_fetch(const struct diff_pieces *p, const struct diff_command *c)
{
    __builtin_prefetch(&p->words[diff_border_slot(p, (c->lba >> p->unit) / 64)]);
}

/* Of a command that reads or changes its blocks. */
static inline struct diff_span diff_span_of(const struct diff_pieces *p,
                                            const struct diff_command *c)
{
    uint64_t first = c->lba >> p->unit, end = (c->lba + c->blocks) >> p->unit;
    const struct diff_border_word *of_first = diff_border_word(p, first / 64), *of_end = of_first;

    if (end / 64 != first / 64)
        of_end = diff_border_word(p, end / 64);
    return (struct diff_span){ diff_piece_in(of_first, first), diff_piece_in(of_end, end) };
}

#endif
