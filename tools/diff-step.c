/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk diff: goes along both sides in step, and pairs what is the same: in
 * two runs of the same job nearly all.
 */
#include "diff-keys.h"

#define LOOK_AHEAD 8

struct walk {
    struct diff *d;
    uint32_t at[2];
    struct diff_choice left;
};

static const struct diff_command *ahead(const struct walk *w, unsigned s, uint32_t n)
{
    return &w->d->sides[s].commands[w->at[s] + n];
}

static uint32_t n_ahead(const struct walk *w, unsigned s)
{
    return w->d->sides[s].n - w->at[s];
}

/* Have they the same blocks, operation and payload: the same whole_key()? */
static bool are_same(const struct diff_command *a, const struct diff_command *b)
{
    const struct diff_traits *ta, *tb;

    if (a->digest != b->digest || a->lba != b->lba || a->blocks != b->blocks)
        return false;
    ta = diff_traits(a);
    tb = diff_traits(b);
    return ta->op == tb->op && (!a->blocks || ta->write_same == tb->write_same);
}

/* Pass by so many commands of a side, if there are as many, without a pair. */
static void leave(struct walk *w, unsigned s, uint32_t n)
{
    for (n = MIN(n, n_ahead(w, s)); n > 0; n--) {
        if (diff_can_be_chosen(ahead(w, s, 0)))
            g_array_append_val(w->left.of[s], w->at[s]);
        w->at[s]++;
    }
}

/* The least number of commands to pass by, on both sides, to where these go on alike. */
static void find_step(const struct walk *w, uint32_t step[2])
{
    for (uint32_t both = 1; both < LOOK_AHEAD; both++) {
        for (step[0] = 0; step[0] <= both; step[0]++) {
            step[1] = both - step[0];
            if (step[0] < n_ahead(w, 0) && step[1] < n_ahead(w, 1) &&
                are_same(ahead(w, 0, step[0]), ahead(w, 1, step[1])))
                return;
        }
    }
    step[0] = step[1] = LOOK_AHEAD;
}

struct diff_choice diff_pair_in_step(struct diff *d)
{
    struct walk w = { .d = d };

    for (unsigned s = 0; s < 2; s++)
        w.left.of[s] = g_array_new(FALSE, FALSE, sizeof(uint32_t));
    while (n_ahead(&w, 0) > 0 && n_ahead(&w, 1) > 0) {
        const struct diff_command *a = ahead(&w, 0, 0), *b = ahead(&w, 1, 0);
        uint32_t step[2] = { 1, 1 };

        if (!are_same(a, b)) {
            find_step(&w, step);
        } else if (diff_can_be_chosen(a) && diff_can_be_chosen(b)) {
            diff_pair(d, w.at[0]++, w.at[1]++);
            continue;
        }
        leave(&w, 0, step[0]);
        leave(&w, 1, step[1]);
    }
    leave(&w, 0, UINT32_MAX);
    leave(&w, 1, UINT32_MAX);
    return w.left;
}
