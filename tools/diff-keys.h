/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tracedisk diff: choosing commands, and finding those of both sides that have the same key. */
#ifndef TOOLS_DIFF_KEYS_H
#define TOOLS_DIFF_KEYS_H

#include "diff.h"
#include "sort.h"

typedef uint64_t diff_key(const struct diff_command *c);
typedef bool diff_filter(const struct diff *d, unsigned side, const struct diff_command *c);

/* Flushes that worked cannot: diff_align() matches them. */
static inline bool diff_can_be_chosen(const struct diff_command *c)
{
    const struct diff_traits *t = diff_traits(c);

    return !(t->op == TD_OP_FLUSH && t->barrier);
}

/* Those of a choice that the filter lets through. */
struct diff_choice diff_choose(const struct diff *d, const struct diff_choice *from,
                               diff_filter *wanted);
extern const struct diff_choice diff_everything;

/* All commands whose key some of a choice have as well, and maybe a few more. */
struct diff_choice diff_choose_like(const struct diff *d, const struct diff_choice *some,
                                    diff_key *key);

static inline void diff_pair(struct diff *d, uint32_t a, uint32_t b)
{
    d->sides[0].commands[a].partner = b;
    d->sides[1].commands[b].partner = a;
}

/* Commands of one key, which both sides have: their indices are the values. */
struct diff_same {
    const struct sort_key *a, *b;
    uint32_t n_a, n_b;
};

/* Call it for each key of those chosen that both sides have. */
void diff_for_same(struct diff *d, const struct diff_choice *choice, diff_key *key,
                   void (*match)(struct diff *d, const struct diff_same *same));

/* How many of n keys, at least one, are equal to the first; they are sorted. */
uint32_t diff_count_equal(const struct sort_key *keys, uint32_t n);

/* ---- diff-step.c ---- */

/* Pair commands of the same key that both sides have one after the other; choose the others. */
struct diff_choice diff_pair_in_step(struct diff *d);

#endif
