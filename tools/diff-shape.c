/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk diff, level shape: the same work in other commands. Split, merged,
 * re-ordered between two barriers, tried again, by another command, at another
 * queue depth.
 */
#include <string.h>

#include "diff-keys.h"

static uint64_t largest(const struct diff *d, unsigned s, const uint32_t *members, uint32_t n)
{
    uint64_t blocks = 0;

    for (uint32_t i = 0; i < n; i++)
        blocks = MAX(blocks, d->sides[s].commands[members[i]].blocks);
    return blocks * d->sides[s].block_size;
}

static uint64_t covered(const struct diff *d, unsigned s, const uint32_t *members, uint32_t n)
{
    uint64_t blocks = 0;

    for (uint32_t i = 0; i < n; i++)
        blocks += d->sides[s].commands[members[i]].blocks;
    return blocks;
}

static void report_group(struct diff *d, const struct diff_group *g)
{
    const uint32_t *members = (const uint32_t *)(const void *)d->members->data + g->start;
    const struct diff_finding f = {
        .a = &d->sides[0].commands[members[0]],
        .b = &d->sides[1].commands[members[g->n_a]],
        .n = { g->n_a, g->n_b },
        .value = { largest(d, 0, members, g->n_a), largest(d, 1, members + g->n_a, g->n_b) },
    };
    bool same = covered(d, 0, members, g->n_a) == covered(d, 1, members + g->n_a, g->n_b);

    diff_report(d,
                same && g->n_a == 1 && g->n_b > 1 ? DIFF_SPLIT :
                same && g->n_a > 1 && g->n_b == 1 ? DIFF_MERGED :
                                                    DIFF_RECUT,
                &f);
}

static uint64_t blocks_key(const struct diff_command *c)
{
    return diff_mix(diff_mix(diff_mix(0, diff_traits(c)->op), c->lba), c->blocks);
}

static bool has_failed(const struct diff *d, unsigned s, const struct diff_command *c)
{
    (void)d;
    (void)s;
    return diff_traits(c)->status != TD_GOOD;
}

/* Of commands that do the same as one that failed: the last one of a side that worked. */
static GHashTable *find_last(const struct diff_side *side, const GArray *commands)
{
    GHashTable *last = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL);

    for (guint i = 0; i < commands->len; i++) {
        struct diff_command *c = &side->commands[g_array_index(commands, uint32_t, i)];
        uint64_t key = blocks_key(c);

        if (diff_traits(c)->status == TD_GOOD)
            g_hash_table_replace(last, g_memdup2(&key, sizeof(key)), c);
    }
    return last;
}

/* A command that failed, and whose work another one of its side did later, was tried again. */
static bool was_retried(GHashTable *last_worked, const struct diff_command *c)
{
    uint64_t key = blocks_key(c);
    const struct diff_command *last = g_hash_table_lookup(last_worked, &key);

    return diff_traits(c)->status != TD_GOOD && last && last > c;
}

static void report_lonely(struct diff *d, unsigned s, const GArray *like_failed)
{
    g_autoptr(GHashTable) last_worked = find_last(&d->sides[s], like_failed);

    for (guint i = 0; i < d->lonely.of[s]->len; i++) {
        const struct diff_command *c = diff_lonely(d, s, i);
        bool retried = was_retried(last_worked, c);

        if (diff_traits(c)->op == TD_OP_FLUSH)
            continue;
        if (s)
            diff_report(d, retried ? DIFF_RETRIED_IN_B : DIFF_COMMAND_ADDED,
                        &(struct diff_finding){ .b = c });
        else
            diff_report(d, retried ? DIFF_RETRIED_IN_A : DIFF_COMMAND_LOST,
                        &(struct diff_finding){ .a = c });
    }
}

static void report_all_lonely(struct diff *d)
{
    struct diff_choice failed = diff_choose(d, &d->lonely, has_failed);
    struct diff_choice like_failed = diff_choose_like(d, &failed, blocks_key);

    report_lonely(d, 0, like_failed.of[0]);
    report_lonely(d, 1, like_failed.of[1]);
    diff_choice_clear(&failed);
    diff_choice_clear(&like_failed);
}

static bool in_flight_together(const struct diff_command *one, const struct diff_command *other)
{
    return (!one->complete_seq || other->seq < one->complete_seq) &&
           (!other->complete_seq || one->seq < other->complete_seq);
}

/* Commands in flight together, in one trace at least, may be so in any order: time decides. */
static bool is_free(const struct diff *d, uint32_t one, uint32_t other)
{
    const struct diff_command *a = d->sides[0].commands;

    return in_flight_together(&a[one], &a[other]) ||
           in_flight_together(diff_partner(d, 0, &a[one]), diff_partner(d, 0, &a[other]));
}

/* Has it passed one of the chain (kept[i] is 2), the one done before the other began? */
static bool has_passed(const struct diff *d, const uint8_t *kept, uint32_t index)
{
    const struct diff_side *side = &d->sides[0];
    uint32_t partner = side->commands[index].partner;

    for (uint32_t i = index + 1; i < side->n; i++) {
        if (kept[i] != 2)
            continue;
        if (side->commands[i].partner > partner)
            break;
        if (!is_free(d, index, i))
            return true;
    }
    for (uint32_t i = index; i-- > 0;) {
        if (kept[i] != 2)
            continue;
        if (side->commands[i].partner < partner)
            break;
        if (!is_free(d, index, i))
            return true;
    }
    return false;
}

static bool is_in_place(const struct diff *d, const struct diff_command *a)
{
    const struct diff_command *b = diff_partner(d, 0, a);

    return b && !diff_moved(d, a, b);
}

/* As nearly always. */
static bool are_all_in_order(const struct diff *d)
{
    uint32_t last = 0;

    for (uint32_t i = 0; i < d->sides[0].n; i++) {
        const struct diff_command *a = &d->sides[0].commands[i];

        if (!is_in_place(d, a))
            continue;
        if (a->partner < last)
            return false;
        last = a->partner;
    }
    return true;
}

/* Pairs outside of the longest rising sequence of partners have been re-ordered. */
static void report_reordered(struct diff *d)
{
    const struct diff_side *side = &d->sides[0];
    g_autofree uint32_t *tails = g_new(uint32_t, side->n + 1u);
    g_autofree uint32_t *before = g_new(uint32_t, side->n + 1u);
    g_autofree uint8_t *kept = g_new0(uint8_t, side->n + 1u);
    uint32_t n = 0;

    for (uint32_t i = 0; i < side->n; i++) {
        const struct diff_command *a = &side->commands[i];
        uint32_t low = 0, high = n;

        before[i] = DIFF_NONE;
        if (!is_in_place(d, a)) {
            kept[i] = 1; /* not to be reported here */
            continue;
        }
        if (n && side->commands[tails[n - 1]].partner < a->partner)
            low = n; /* as nearly always */
        while (high > low) {
            uint32_t middle = low + (high - low) / 2;

            if (side->commands[tails[middle]].partner < a->partner)
                low = middle + 1;
            else
                high = middle;
        }
        before[i] = low ? tails[low - 1] : DIFF_NONE;
        tails[low] = i;
        n = MAX(n, low + 1);
    }
    for (uint32_t i = n ? tails[n - 1] : DIFF_NONE; i != DIFF_NONE; i = before[i])
        kept[i] = 2;
    for (uint32_t i = 0; i < side->n; i++) {
        const struct diff_command *a = &side->commands[i];

        if (!kept[i] && has_passed(d, kept, i))
            diff_report(d, DIFF_REORDERED,
                        &(struct diff_finding){ .a = a, .b = diff_partner(d, 0, a) });
    }
}

static void report_choices(struct diff *d)
{
    for (guint i = 0; i < d->changed->len; i++) {
        const struct diff_command *a = diff_changed(d, i), *b = diff_partner(d, 0, a);

        /* FUA lost or added is of level order, and may well change the name. */
        if (diff_traits(a)->name != diff_traits(b)->name &&
            diff_traits(a)->fua == diff_traits(b)->fua)
            diff_report(d, DIFF_COMMAND_CHOICE, &(struct diff_finding){ .a = a, .b = b });
    }
}

/* How deep a queue gets depends on time; only a depth never seen before is the driver's. */
static void report_depth(struct diff *d)
{
    uint32_t a = d->sides[0].depth_max, b = d->sides[1].depth_max;

    if (a != b && (a >= 2 * b || b >= 2 * a))
        diff_report(d, DIFF_QUEUE_DEPTH, &(struct diff_finding){ .value = { a, b } });
}

void diff_shape(struct diff *d)
{
    for (guint i = 0; i < d->groups->len; i++)
        report_group(d, &g_array_index(d->groups, struct diff_group, i));
    report_all_lonely(d);
    if (!are_all_in_order(d))
        report_reordered(d);
    report_choices(d);
    report_depth(d);
}
