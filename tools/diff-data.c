/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk diff, level data: what both disks hold at the end, and whether
 * reads at the same point of their blocks' history returned the same.
 *
 * A digest covers all bytes of its command. So two contents are held against
 * each other only where commands of the same blocks brought them: writes, or
 * else reads since; or where both traces have the blocks' own hashes. All else
 * is counted as not comparable, never guessed.
 *
 * The blocks are cut at every border of any command of either side; such a
 * piece is never written in part.
 */
#include <string.h>

#include "diff.h"
#include "sort.h"

/*
 * What one side's disk holds, piece by piece: commands, by their place in the
 * order of completion while they are replayed, by their index after that;
 * DIFF_NONE for none.
 */
struct held {
    uint32_t writer;
    uint32_t reader : 31; /* the last one since the write; NO_READER */
    uint32_t racy : 1;    /* written by commands in flight together: either may be last */
};

#define NO_READER (UINT32_MAX >> 1)

struct content {
    struct held *held;  /* of each piece */
    uint8_t *read_racy; /* of each command, a bit */
    GHashTable *states; /* index of a read plus one -> place in state */
    GArray *state;      /* uint64_t: what the read's blocks held; see hash_state() */
    struct diff_sectors *sectors; /* blocks' own hashes, where these are needed */
    uint32_t visible;   /* a write none of whose pieces is overwritten; DIFF_NONE: not known */
};

#define INDEX_BITS 17 /* stays in the cache */

struct pieces {
    uint64_t *border; /* piece i is [border[i], border[i + 1]) */
    uint32_t n;       /* borders */
    uint32_t *index;  /* of 2^INDEX_BITS parts of the disk, the first border */
    unsigned shift;   /* such a part's size */
    struct content contents[2];
};

static bool has_payload(const struct diff_command *c)
{
    return diff_is_write(c) || (c->blocks && diff_traits(c)->op == TD_OP_READ);
}

/* ---- Pieces ---- */

/* Borders that are sorted at a time. */
#define SOME_BORDERS (1u << 20)

/* Add borders, in any order, to those that there are. */
static void add_borders(struct pieces *p, struct sort_key *keys, uint32_t n)
{
    uint64_t *all = g_new(uint64_t, (size_t)p->n + n + 1);
    uint32_t i = 0, k = 0, to = 0;

    sort_keys(keys, n);
    while (i < p->n || k < n) {
        uint64_t next =
            k == n || (i < p->n && p->border[i] <= keys[k].key) ? p->border[i] : keys[k].key;

        i += i < p->n && p->border[i] == next;
        while (k < n && keys[k].key == next)
            k++;
        all[to++] = next;
    }
    g_free(p->border);
    p->border = g_renew(uint64_t, all, to + 1u);
    p->n = to;
}

static void index_borders(struct pieces *p)
{
    uint32_t at = 0;

    p->index = g_new(uint32_t, (1u << INDEX_BITS) + 1u);
    while (p->n && p->border[p->n - 1] >> p->shift >> INDEX_BITS)
        p->shift++;
    for (uint32_t part = 0; part <= 1u << INDEX_BITS; part++) {
        while (at < p->n && p->border[at] >> p->shift < part)
            at++;
        p->index[part] = at;
    }
}

static void cut_pieces(const struct diff *d, struct pieces *p)
{
    g_autofree struct sort_key *keys = g_new(struct sort_key, SOME_BORDERS);
    uint32_t n = 0;

    for (unsigned s = 0; s < 2; s++) {
        for (uint32_t i = 0; i < d->sides[s].n; i++) {
            const struct diff_command *c = &d->sides[s].commands[i];

            if (!has_payload(c))
                continue;
            keys[n++].key = c->lba;
            keys[n++].key = c->lba + c->blocks;
            if (n == SOME_BORDERS) {
                add_borders(p, keys, n);
                n = 0;
            }
        }
    }
    add_borders(p, keys, n);
    index_borders(p);
}

/* The piece that begins at a border. */
static uint32_t piece_at(const struct pieces *p, uint64_t border)
{
    uint32_t first = p->index[border >> p->shift], n = p->index[(border >> p->shift) + 1];

    while (n > first) {
        uint32_t middle = first + (n - first) / 2;

        if (p->border[middle] < border)
            first = middle + 1;
        else
            n = middle;
    }
    return first;
}

/* All pieces of a command, one after the other. */
#define for_pieces(p, c, i)                                                                        \
    for (uint32_t i = piece_at(p, (c)->lba); (p)->border[i] < (c)->lba + (c)->blocks; i++)

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

static uint64_t hash_state(uint64_t hash, const struct diff_command *write)
{
    if (!write)
        return diff_mix(hash, 0);
    hash = diff_mix(diff_mix(hash, write->lba), write->blocks);
    hash = diff_mix(hash, (uint64_t)diff_traits(write)->op << 16 | diff_traits(write)->status << 8 |
                              diff_traits(write)->write_same);
    return diff_mix(diff_mix(hash, write->digest), diff_traits(write)->bytes);
}

/* ---- Replaying a side ---- */

struct replay {
    const struct diff_side *side;
    const struct pieces *p;
    struct content *t;
    uint32_t *completed; /* indices, in the order of their completion; pending ones last */
};

static uint64_t completion(const struct diff_side *side, uint32_t index)
{
    uint32_t seq = side->commands[index].complete_seq;

    return seq ? seq : UINT64_MAX;
}

/* Few are in flight at a time, so that each is near its place; else they are sorted. */
static uint32_t *order_of_completion(const struct diff_side *side)
{
    g_autofree struct sort_key *keys = NULL;
    uint32_t *order = g_new(uint32_t, side->n + 1u);
    uint64_t moves = 0;

    for (uint32_t i = 0; i < side->n && moves <= 64 * (uint64_t)side->n; i++) {
        uint64_t seq = completion(side, i);
        uint32_t at = i;

        for (; at > 0 && completion(side, order[at - 1]) > seq; at--)
            order[at] = order[at - 1];
        order[at] = i;
        moves += i - at;
    }
    if (moves <= 64 * (uint64_t)side->n)
        return order;
    keys = g_new(struct sort_key, side->n);
    for (uint32_t i = 0; i < side->n; i++)
        keys[i] = (struct sort_key){ completion(side, i), i };
    sort_keys(keys, side->n);
    for (uint32_t i = 0; i < side->n; i++)
        order[i] = keys[i].value;
    return order;
}

/* The first place of those that completed since the command at `place` was submitted. */
static uint32_t first_beside(const struct replay *r, uint32_t place)
{
    uint32_t seq = r->side->commands[r->completed[place]].seq;
    uint32_t first, end = place, step = 1;

    while (step <= end && completion(r->side, r->completed[end - step]) > seq) {
        end -= step;
        step *= 2;
    }
    first = step <= end ? end - step : 0;
    while (end > first) {
        uint32_t middle = first + (end - first) / 2;

        if (completion(r->side, r->completed[middle]) < seq)
            first = middle + 1;
        else
            end = middle;
    }
    return first;
}

static void note_racy_read(struct content *t, uint32_t read)
{
    t->read_racy[read / 8] |= (uint8_t)(1u << read % 8);
}

static bool is_racy_read(const struct content *t, uint32_t read)
{
    return t->read_racy[read / 8] >> read % 8 & 1;
}

static void replay_write(const struct replay *r, uint32_t place)
{
    const struct diff_command *c = &r->side->commands[r->completed[place]];
    uint32_t beside = first_beside(r, place);
    struct content *t = r->t;

    for_pieces(r->p, c, i) {
        struct held *held = &t->held[i];

        held->racy = held->writer != DIFF_NONE && held->writer >= beside;
        if (held->reader != NO_READER && held->reader >= beside)
            note_racy_read(t, r->completed[held->reader]);
        held->writer = place;
        held->reader = NO_READER;
    }
}

static void replay_read(const struct replay *r, uint32_t place)
{
    uint32_t index = r->completed[place], beside = first_beside(r, place);
    const struct diff_command *c = &r->side->commands[index];
    struct content *t = r->t;
    gpointer wanted = g_hash_table_lookup(t->states, GUINT_TO_POINTER(index + 1));
    uint64_t state = 0;

    for_pieces(r->p, c, i) {
        uint32_t write = t->held[i].writer;

        if (write != DIFF_NONE && write >= beside)
            note_racy_read(t, index);
        if (wanted)
            state = hash_state(state,
                               write == DIFF_NONE ? NULL : &r->side->commands[r->completed[write]]);
        t->held[i].reader = place & NO_READER;
    }
    if (wanted)
        g_array_index(t->state, uint64_t, GPOINTER_TO_UINT(wanted) - 1) = state;
}

/* Commands go anywhere on the disk: waiting for memory takes the longest. */
#define FETCH_AHEAD 16

static void fetch(const struct pieces *p, const struct content *t, const struct diff_command *c)
{
    uint32_t about;

    if (!p->n || !c->blocks || c->lba >> p->shift >> INDEX_BITS)
        return;
    about = p->index[c->lba >> p->shift];
    __builtin_prefetch(&p->border[about]);
    __builtin_prefetch(&t->held[about]);
}

/* A write that failed, or never completed, may have changed its blocks. */
static void replay(const struct diff_side *side, const struct pieces *p, struct content *t)
{
    struct replay r = { side, p, t, order_of_completion(side) };

    for (uint32_t place = 0; place < side->n; place++) {
        const struct diff_command *c = &side->commands[r.completed[place]];

        if (place + FETCH_AHEAD < side->n)
            fetch(p, t, &side->commands[r.completed[place + FETCH_AHEAD]]);
        if (diff_is_write(c))
            replay_write(&r, place);
        else if (has_payload(c) && diff_traits(c)->status == TD_GOOD)
            replay_read(&r, place);
    }
    for (uint32_t i = 0; i < p->n; i++) {
        struct held *held = &t->held[i];

        if (held->writer != DIFF_NONE)
            held->writer = r.completed[held->writer];
        if (held->reader != NO_READER)
            held->reader = r.completed[held->reader] & NO_READER;
    }
    g_free(r.completed);
}

/* ---- Payloads of pairs ---- */

static bool have_other_payloads(const struct diff_command *a, const struct diff_command *b)
{
    if (a->digest == b->digest || !a->digest || !b->digest)
        return false;
    return diff_traits(a)->status == TD_GOOD && diff_traits(b)->status == TD_GOOD &&
           diff_traits(a)->bytes == diff_traits(b)->bytes && has_payload(a);
}

/* What these reads' blocks held is wanted. */
static void choose_reads(const struct diff *d, struct pieces *p)
{
    static const uint64_t none = 0;

    for (uint32_t i = 0; i < d->sides[0].n; i++) {
        const struct diff_command *a = &d->sides[0].commands[i], *b = diff_partner(d, 0, a);

        if (!b || !have_other_payloads(a, b) || diff_is_write(a))
            continue;
        for (unsigned s = 0; s < 2; s++) {
            struct content *t = &p->contents[s];

            g_array_append_val(t->state, none);
            g_hash_table_insert(t->states, GUINT_TO_POINTER((s ? a->partner : i) + 1),
                                GUINT_TO_POINTER(t->state->len));
        }
    }
}

static uint64_t state_of(const struct content *t, uint32_t read)
{
    gpointer place = g_hash_table_lookup(t->states, GUINT_TO_POINTER(read + 1));

    return g_array_index(t->state, uint64_t, GPOINTER_TO_UINT(place) - 1);
}

static void compare_payloads(struct diff *d, const struct pieces *p)
{
    const struct content *ta = &p->contents[0], *tb = &p->contents[1];

    for (uint32_t i = 0; i < d->sides[0].n; i++) {
        const struct diff_command *a = &d->sides[0].commands[i], *b = diff_partner(d, 0, a);
        const struct diff_finding f = { .a = a, .b = b };

        if (!b || !have_other_payloads(a, b))
            continue;
        if (diff_is_write(a))
            diff_report(d, DIFF_WRITE_PAYLOAD, &f);
        else if (!is_racy_read(ta, i) && !is_racy_read(tb, a->partner) &&
                 state_of(ta, i) == state_of(tb, a->partner))
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

static const struct diff_command *writer_of(const struct diff *d, const struct pieces *p,
                                            unsigned s, uint32_t piece)
{
    uint32_t writer = p->contents[s].held[piece].writer;

    return writer == DIFF_NONE ? NULL : &d->sides[s].commands[writer];
}

static const struct diff_command *reader_of(const struct diff *d, const struct pieces *p,
                                            unsigned s, uint32_t piece)
{
    uint32_t reader = p->contents[s].held[piece].reader;

    return reader == NO_READER ? NULL : &d->sides[s].commands[reader];
}

static enum verdict judge_reads(const struct diff *d, const struct pieces *p, uint32_t piece)
{
    const struct diff_command *a = reader_of(d, p, 0, piece);
    const struct diff_command *b = reader_of(d, p, 1, piece);

    if (!a || !b || !same_blocks(a, b) || !a->digest || !b->digest)
        return CUT_OTHERWISE;
    if (same_payload(a, b))
        return SAME;
    /* Of a read whose blocks do not all have one writer, any may be what differs. */
    for (unsigned s = 0; s < 2; s++) {
        const struct content *t = &p->contents[s];
        uint32_t read = t->held[piece].reader;

        if (is_racy_read(t, read))
            return CUT_OTHERWISE;
        for_pieces(p, s ? b : a, i) {
            if (t->held[i].reader != read)
                return CUT_OTHERWISE;
        }
    }
    return DIFFERENT;
}

/* Has nobody overwritten a part of this write? It is asked for each of its pieces, in turn. */
static bool is_wholly_visible(const struct diff_side *side, const struct pieces *p,
                              struct content *t, uint32_t write)
{
    if (t->visible == write)
        return true;
    for_pieces(p, &side->commands[write], i) {
        if (t->held[i].writer != write)
            return false;
    }
    t->visible = write;
    return true;
}

/* By the blocks' own hashes, however the writes were cut. */
static enum verdict judge_blocks(const struct pieces *p, const struct diff_command *a,
                                 const struct diff_command *b, uint32_t piece)
{
    uint64_t first = p->border[piece], blocks = p->border[piece + 1] - first;
    const uint8_t *of_a = diff_sectors_at(p->contents[0].sectors, a, first, blocks);
    const uint8_t *of_b = diff_sectors_at(p->contents[1].sectors, b, first, blocks);

    if (!of_a || !of_b)
        return CUT_OTHERWISE;
    return memcmp(of_a, of_b, blocks * TD_SECTOR_HASH) == 0 ? SAME : DIFFERENT;
}

static enum verdict judge(const struct diff *d, struct pieces *p, uint32_t piece)
{
    struct content *ta = &p->contents[0], *tb = &p->contents[1];
    const struct diff_command *a = writer_of(d, p, 0, piece);
    const struct diff_command *b = writer_of(d, p, 1, piece);
    bool racy = ta->held[piece].racy || tb->held[piece].racy;
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
    if (racy)
        return judge_reads(d, p, piece);
    if (is_alone(a))
        return ONLY_IN_A;
    if (is_alone(b))
        return ONLY_IN_B;
    if (same_blocks(a, b) && is_wholly_visible(&d->sides[0], p, ta, ta->held[piece].writer) &&
        is_wholly_visible(&d->sides[1], p, tb, tb->held[piece].writer))
        return DIFFERENT;
    verdict = judge_reads(d, p, piece);
    return verdict == CUT_OTHERWISE ? judge_blocks(p, a, b, piece) : verdict;
}

/* Read the blocks' hashes of what cannot be judged without, if both traces have some. */
static void find_sectors(const struct diff *d, struct pieces *p)
{
    if (!d->sides[0].has_sectors || !d->sides[1].has_sectors)
        return;
    for (uint32_t i = 0; i + 1 < p->n; i++) {
        const struct diff_command *a = writer_of(d, p, 0, i), *b = writer_of(d, p, 1, i);

        if (!a || !b || judge(d, p, i) != CUT_OTHERWISE)
            continue;
        diff_sectors_want(p->contents[0].sectors, a);
        diff_sectors_want(p->contents[1].sectors, b);
    }
    for (unsigned s = 0; s < 2; s++)
        diff_sectors_read(p->contents[s].sectors, d->sides[s].path);
}

static void report_run(struct diff *d, const struct pieces *p, enum verdict verdict, uint32_t first,
                       uint32_t end)
{
    static const enum diff_kind kinds[] = {
        [DIFFERENT] = DIFF_FINAL_CONTENT,
        [ONLY_IN_A] = DIFF_WRITTEN_IN_A,
        [ONLY_IN_B] = DIFF_WRITTEN_IN_B,
    };
    uint64_t blocks = p->border[end] - p->border[first];
    struct diff_finding f = {
        .a = writer_of(d, p, 0, first),
        .b = writer_of(d, p, 1, first),
        .value = { p->border[first], blocks },
    };

    if (verdict == AFTER_ERROR)
        d->blocks_after_error += blocks;
    else if (verdict == CUT_OTHERWISE)
        d->blocks_cut_otherwise += blocks;
    else if (verdict != SAME)
        diff_report(d, kinds[verdict], &f);
}

static void compare_contents(struct diff *d, struct pieces *p)
{
    const struct content *ta = &p->contents[0], *tb = &p->contents[1];
    enum verdict before = SAME;
    uint32_t first = 0;

    if (p->n == 0)
        return;
    for (uint32_t i = 0; i < p->n - 1; i++) {
        enum verdict verdict = judge(d, p, i);

        if (verdict != before || ta->held[i].writer != ta->held[first].writer ||
            tb->held[i].writer != tb->held[first].writer) {
            report_run(d, p, before, first, i);
            first = i;
            before = verdict;
        }
    }
    report_run(d, p, before, first, p->n - 1);
}

/* ---- */

static void content_init(struct content *t, uint32_t n_commands)
{
    t->read_racy = g_new0(uint8_t, n_commands / 8 + 1u);
    t->states = g_hash_table_new(NULL, NULL);
    t->state = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    t->sectors = diff_sectors_new();
    t->visible = DIFF_NONE;
}

static void content_init_pieces(struct content *t, uint32_t n_pieces)
{
    t->held = g_new(struct held, n_pieces + 1u);
    for (uint32_t i = 0; i < n_pieces; i++)
        t->held[i] = (struct held){ DIFF_NONE, NO_READER, 0 };
}

static void content_clear(struct content *t)
{
    g_free(t->held);
    g_free(t->read_racy);
    g_hash_table_unref(t->states);
    g_array_unref(t->state);
    diff_sectors_free(t->sectors);
}

void diff_data(struct diff *d)
{
    struct pieces p = { 0 };

    for (unsigned s = 0; s < 2; s++)
        content_init(&p.contents[s], d->sides[s].n);
    cut_pieces(d, &p);
    choose_reads(d, &p);
    for (unsigned s = 0; s < 2; s++) {
        content_init_pieces(&p.contents[s], p.n);
        replay(&d->sides[s], &p, &p.contents[s]);
    }
    compare_payloads(d, &p);
    find_sectors(d, &p);
    compare_contents(d, &p);
    for (unsigned s = 0; s < 2; s++)
        content_clear(&p.contents[s]);
    g_free(p.border);
    g_free(p.index);
}
