/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk diff, level data: what both disks hold at the end, and whether
 * reads at the same point of their blocks' history returned the same.
 *
 * A digest covers all bytes of its command. So two contents are held against
 * each other only where commands of the same blocks brought them: writes, or
 * else reads since; or where both traces have the blocks' own hashes. All else
 * is counted as not comparable, never guessed.
 */
#include <string.h>

#include "diff-replay.h"

/* Both sides' contents, piece by piece. */
struct contents {
    struct diff_pieces p;
    struct diff_content of[2];
    struct diff_sectors *sectors[2]; /* blocks' own hashes, where these are needed */
    uint32_t visible[2]; /* a write none of whose pieces is overwritten; DIFF_NONE: not known */
};

static bool same_blocks(const struct diff_command *a, const struct diff_command *b)
{
    return a->lba == b->lba && a->blocks == b->blocks &&
           diff_traits(a)->write_same == diff_traits(b)->write_same &&
           diff_traits(a)->op == diff_traits(b)->op;
}

static bool same_payload(const struct diff_command *a, const struct diff_command *b)
{
    return a->digest == b->digest && diff_traits(a)->bytes == diff_traits(b)->bytes &&
           diff_traits(a)->status == diff_traits(b)->status;
}

/* ---- Payloads of pairs ---- */

static bool have_other_payloads(const struct diff_command *a, const struct diff_command *b)
{
    if (a->digest == b->digest || !a->digest || !b->digest)
        return false;
    return diff_traits(a)->status == TD_GOOD && diff_traits(b)->status == TD_GOOD &&
           diff_traits(a)->bytes == diff_traits(b)->bytes && diff_has_payload(a);
}

/* What these reads' blocks held is wanted. */
static void choose_reads(const struct diff *d, struct contents *both)
{
    for (guint i = 0; i < d->changed->len; i++) {
        const struct diff_command *a = diff_changed(d, i), *b = diff_partner(d, 0, a);

        if (!have_other_payloads(a, b) || diff_is_write(a))
            continue;
        diff_content_want(&both->of[0], b->partner);
        diff_content_want(&both->of[1], a->partner);
    }
}

static void compare_payloads(struct diff *d, const struct contents *both)
{
    const struct diff_content *ta = &both->of[0], *tb = &both->of[1];

    for (guint i = 0; i < d->changed->len; i++) {
        const struct diff_command *a = diff_changed(d, i), *b = diff_partner(d, 0, a);
        const struct diff_finding f = { .a = a, .b = b };

        if (!have_other_payloads(a, b))
            continue;
        if (diff_is_write(a))
            diff_report(d, DIFF_WRITE_PAYLOAD, &f);
        else if (!diff_is_racy_read(ta, b->partner) && !diff_is_racy_read(tb, a->partner) &&
                 diff_state_of(ta, b->partner) == diff_state_of(tb, a->partner))
            diff_report(d, DIFF_READ_PAYLOAD, &f);
        else
            d->reads_unattributed++;
    }
}

/* ---- What the disks hold at the end ---- */

enum verdict { SAME, DIFFERENT, ONLY_IN_A, ONLY_IN_B, AFTER_ERROR, CUT_OTHERWISE };

/* Nothing on the other side does what this write did. */
static bool is_alone(const struct diff_command *c)
{
    return c->partner == DIFF_NONE;
}

static const struct diff_command *writer_of(const struct diff *d, const struct contents *both,
                                            unsigned s, uint32_t piece)
{
    uint32_t writer = both->of[s].held[piece].writer;

    return writer == DIFF_NONE ? NULL : &d->sides[s].commands[writer];
}

static const struct diff_command *reader_of(const struct diff *d, const struct contents *both,
                                            unsigned s, uint32_t piece)
{
    uint32_t reader = both->of[s].held[piece].reader;

    return reader == DIFF_NO_READER ? NULL : &d->sides[s].commands[reader];
}

static enum verdict judge_reads(const struct diff *d, const struct contents *both, uint32_t piece)
{
    const struct diff_command *a = reader_of(d, both, 0, piece);
    const struct diff_command *b = reader_of(d, both, 1, piece);

    if (!a || !b || !same_blocks(a, b) || !a->digest || !b->digest)
        return CUT_OTHERWISE;
    if (same_payload(a, b))
        return SAME;
    /* Of a read whose blocks do not all have one writer, any may be what differs. */
    for (unsigned s = 0; s < 2; s++) {
        const struct diff_content *t = &both->of[s];
        struct diff_span span = diff_span_of(&both->p, a);
        uint32_t read = t->held[piece].reader;

        if (diff_is_racy_read(t, read))
            return CUT_OTHERWISE;
        for (uint32_t i = span.first; i < span.end; i++) {
            if (t->held[i].reader != read)
                return CUT_OTHERWISE;
        }
    }
    return DIFFERENT;
}

/* Has nobody overwritten a part of this write? It is asked for each of its pieces, in turn. */
static bool is_wholly_visible(const struct diff *d, struct contents *both, unsigned s,
                              uint32_t write)
{
    struct diff_span span;

    if (both->visible[s] == write)
        return true;
    span = diff_span_of(&both->p, &d->sides[s].commands[write]);
    for (uint32_t i = span.first; i < span.end; i++) {
        if (both->of[s].held[i].writer != write)
            return false;
    }
    both->visible[s] = write;
    return true;
}

/* By the blocks' own hashes, however the writes were cut. */
static enum verdict judge_blocks(const struct contents *both, const struct diff_command *a,
                                 const struct diff_command *b, uint32_t piece)
{
    uint64_t first = both->p.border[piece], blocks = both->p.border[piece + 1] - first;
    const uint8_t *of_a = diff_sectors_at(both->sectors[0], a, first, blocks);
    const uint8_t *of_b = diff_sectors_at(both->sectors[1], b, first, blocks);

    if (!of_a || !of_b)
        return CUT_OTHERWISE;
    return memcmp(of_a, of_b, blocks * TD_SECTOR_HASH) == 0 ? SAME : DIFFERENT;
}

static enum verdict judge(const struct diff *d, struct contents *both, uint32_t piece)
{
    const struct diff_held *of_a = &both->of[0].held[piece], *of_b = &both->of[1].held[piece];
    const struct diff_command *a = writer_of(d, both, 0, piece);
    const struct diff_command *b = writer_of(d, both, 1, piece);
    enum verdict verdict;

    if (!a && !b)
        return SAME; /* the reads tell */
    if ((a && diff_traits(a)->status != TD_GOOD) || (b && diff_traits(b)->status != TD_GOOD))
        return a && b && same_blocks(a, b) && same_payload(a, b) ? SAME : AFTER_ERROR;
    if (!b)
        return ONLY_IN_A;
    if (!a)
        return ONLY_IN_B;
    if (same_blocks(a, b) && diff_traits(a)->op == TD_OP_TRIM)
        return SAME;
    if (!d->compare_digests || !a->digest || !b->digest)
        return CUT_OTHERWISE;
    if (same_blocks(a, b) && same_payload(a, b))
        return SAME;
    if (of_a->racy || of_b->racy)
        return judge_reads(d, both, piece);
    if (is_alone(a))
        return ONLY_IN_A;
    if (is_alone(b))
        return ONLY_IN_B;
    if (same_blocks(a, b) && is_wholly_visible(d, both, 0, of_a->writer) &&
        is_wholly_visible(d, both, 1, of_b->writer))
        return DIFFERENT;
    verdict = judge_reads(d, both, piece);
    return verdict == CUT_OTHERWISE ? judge_blocks(both, a, b, piece) : verdict;
}

/* Read the blocks' hashes of what cannot be judged without, if both traces have some. */
static void find_sectors(const struct diff *d, struct contents *both)
{
    if (!d->sides[0].has_sectors || !d->sides[1].has_sectors)
        return;
    for (uint32_t i = 0; i + 1 < both->p.n; i++) {
        const struct diff_command *a = writer_of(d, both, 0, i), *b = writer_of(d, both, 1, i);

        if (!a || !b || judge(d, both, i) != CUT_OTHERWISE)
            continue;
        diff_sectors_want(both->sectors[0], a);
        diff_sectors_want(both->sectors[1], b);
    }
    for (unsigned s = 0; s < 2; s++)
        diff_sectors_read(both->sectors[s], d->sides[s].path);
}

static void report_run(struct diff *d, const struct contents *both, enum verdict verdict,
                       uint32_t first, uint32_t end)
{
    static const enum diff_kind kinds[] = {
        [DIFFERENT] = DIFF_FINAL_CONTENT,
        [ONLY_IN_A] = DIFF_WRITTEN_IN_A,
        [ONLY_IN_B] = DIFF_WRITTEN_IN_B,
    };
    uint64_t blocks = both->p.border[end] - both->p.border[first];
    struct diff_finding f = {
        .a = writer_of(d, both, 0, first),
        .b = writer_of(d, both, 1, first),
        .value = { both->p.border[first], blocks },
    };

    if (verdict == AFTER_ERROR)
        d->blocks_after_error += blocks;
    else if (verdict == CUT_OTHERWISE)
        d->blocks_cut_otherwise += blocks;
    else if (verdict != SAME)
        diff_report(d, kinds[verdict], &f);
}

/* Writers are anywhere in memory: ask for them early. */
#define FETCH_AHEAD 16

static void fetch_writers(const struct diff *d, const struct contents *both, uint32_t piece)
{
    for (unsigned s = 0; s < 2 && piece < both->p.n; s++)
        __builtin_prefetch(writer_of(d, both, s, piece));
}

static void compare_contents(struct diff *d, struct contents *both)
{
    const struct diff_held *of_a = both->of[0].held, *of_b = both->of[1].held;
    enum verdict before = SAME;
    uint32_t first = 0;

    if (both->p.n == 0)
        return;
    for (uint32_t i = 0; i < both->p.n - 1; i++) {
        enum verdict verdict;

        fetch_writers(d, both, i + FETCH_AHEAD);
        verdict = judge(d, both, i);
        if (verdict != before || of_a[i].writer != of_a[first].writer ||
            of_b[i].writer != of_b[first].writer) {
            report_run(d, both, before, first, i);
            first = i;
            before = verdict;
        }
    }
    report_run(d, both, before, first, both->p.n - 1);
}

/* ---- */

struct replaying {
    const struct diff *d;
    struct contents *both;
};

static void replay_side(void *data, unsigned s)
{
    const struct replaying *r = data;

    diff_replay(&r->both->of[s], &r->d->sides[s], &r->both->p);
}

void diff_data(struct diff *d)
{
    struct contents both = { .visible = { DIFF_NONE, DIFF_NONE } };
    struct replaying replaying = { d, &both };

    for (unsigned s = 0; s < 2; s++) {
        diff_content_init(&both.of[s], &d->sides[s]);
        both.sectors[s] = diff_sectors_new();
    }
    diff_pieces_cut(&both.p, d);
    choose_reads(d, &both);
    diff_on_both_sides(replay_side, &replaying);
    compare_payloads(d, &both);
    find_sectors(d, &both);
    compare_contents(d, &both);
    for (unsigned s = 0; s < 2; s++) {
        diff_content_clear(&both.of[s]);
        diff_sectors_free(both.sectors[s]);
    }
    diff_pieces_clear(&both.p);
}
