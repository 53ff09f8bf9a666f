/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk diff, level data: what both disks hold at the end, and whether
 * reads at the same point of their blocks' history returned the same.
 *
 * A digest covers all bytes of its command. So two contents are held against
 * each other only where commands of the same blocks brought them: writes, or
 * else reads since. All else is counted as not comparable, never guessed.
 *
 * The blocks are cut at every border of any command of either side; such a
 * piece is never written in part.
 */
#include "diff.h"
#include "sort.h"

/* What one side's disk holds, piece by piece: indices of commands, or DIFF_NONE. */
struct content {
    uint32_t *writer;
    uint32_t *reader;       /* the last one since the write */
    bool *racy;             /* written by commands in flight together: either may be last */
    uint32_t *first, *end;  /* of each command, its pieces */
    uint64_t *read_state;   /* of each read, what its blocks held; see hash_state() */
    bool *read_racy;
    uint32_t *visible;      /* of each write, its pieces that nobody has overwritten */
};

struct pieces {
    uint64_t *border; /* piece i is [border[i], border[i + 1]) */
    uint32_t n;       /* borders */
    struct content contents[2];
};

static bool has_payload(const struct diff_command *c)
{
    return diff_is_write(c) || (c->blocks && c->op == TD_OP_READ);
}

static void cut_pieces(const struct diff *d, struct pieces *p)
{
    size_t total = (size_t)d->sides[0].n + d->sides[1].n, n = 0;
    g_autofree struct sort_key *keys = g_new(struct sort_key, 2 * total + 1);

    for (uint32_t i = 0; i < total; i++) {
        bool s = i >= d->sides[0].n;
        const struct diff_command *c = &d->sides[s].commands[s ? i - d->sides[0].n : i];

        if (has_payload(c)) {
            keys[n++] = (struct sort_key){ c->lba, 2 * i };
            keys[n++] = (struct sort_key){ c->lba + c->blocks, 2 * i + 1 };
        }
    }
    sort_keys(keys, n);
    p->border = g_new(uint64_t, n + 1);
    for (size_t i = 0; i < n; i++) {
        uint32_t command = keys[i].value / 2;
        bool s = command >= d->sides[0].n;
        struct content *content = &p->contents[s];

        if (p->n == 0 || p->border[p->n - 1] != keys[i].key)
            p->border[p->n++] = keys[i].key;
        command -= s ? d->sides[0].n : 0;
        (keys[i].value & 1 ? content->end : content->first)[command] = p->n - 1;
    }
}

static bool same_blocks(const struct diff_command *a, const struct diff_command *b)
{
    return a->lba == b->lba && a->blocks == b->blocks && a->write_same == b->write_same &&
           a->op == b->op;
}

static bool same_payload(const struct diff_command *a, const struct diff_command *b)
{
    return a->digest == b->digest && a->bytes == b->bytes && a->status == b->status;
}

static uint64_t hash_state(uint64_t hash, const struct diff_command *write)
{
    if (!write)
        return diff_mix(hash, 0);
    hash = diff_mix(diff_mix(hash, write->lba), write->blocks);
    hash = diff_mix(hash, (uint64_t)write->op << 16 | write->status << 8 | write->write_same);
    return diff_mix(diff_mix(hash, write->digest), write->bytes);
}

static void replay_write(const struct diff_side *side, struct content *t, uint32_t index)
{
    const struct diff_command *c = &side->commands[index];

    for (uint32_t i = t->first[index]; i < t->end[index]; i++) {
        uint32_t before = t->writer[i], read = t->reader[i];

        t->racy[i] = false;
        if (before != DIFF_NONE) {
            t->visible[before]--;
            t->racy[i] = side->commands[before].complete_seq > c->seq;
        }
        if (read != DIFF_NONE && side->commands[read].complete_seq > c->seq)
            t->read_racy[read] = true;
        t->writer[i] = index;
        t->reader[i] = DIFF_NONE;
    }
    t->visible[index] = t->end[index] - t->first[index];
}

static void replay_read(const struct diff_side *side, struct content *t, uint32_t index)
{
    const struct diff_command *c = &side->commands[index];
    uint64_t state = 0;

    for (uint32_t i = t->first[index]; i < t->end[index]; i++) {
        const struct diff_command *write =
            t->writer[i] == DIFF_NONE ? NULL : &side->commands[t->writer[i]];

        state = hash_state(state, write);
        if (write && write->complete_seq > c->seq)
            t->read_racy[index] = true;
        t->reader[i] = index;
    }
    t->read_state[index] = state;
}

/* A write that failed, or never completed, may have changed its blocks. */
static void replay(const struct diff_side *side, struct content *t)
{
    for (uint32_t i = 0; i < side->n; i++) {
        uint32_t index = side->completed[i];
        const struct diff_command *c = &side->commands[index];

        if (diff_is_write(c))
            replay_write(side, t, index);
        else if (has_payload(c) && c->status == TD_GOOD)
            replay_read(side, t, index);
    }
}

/* ---- Payloads of pairs ---- */

static void compare_payloads(struct diff *d, const struct pieces *p)
{
    for (uint32_t i = 0; i < d->sides[0].n; i++) {
        const struct diff_command *a = &d->sides[0].commands[i], *b = diff_partner(d, 0, a);

        if (!b || a->status != TD_GOOD || b->status != TD_GOOD || !a->digest || !b->digest ||
            a->bytes != b->bytes || a->digest == b->digest)
            continue;
        if (diff_is_write(a)) {
            diff_report(d, DIFF_WRITE_PAYLOAD, &(struct diff_finding){ .a = a, .b = b });
        } else if (has_payload(a)) {
            const struct content *ta = &p->contents[0], *tb = &p->contents[1];

            if (!ta->read_racy[i] && !tb->read_racy[a->partner] &&
                ta->read_state[i] == tb->read_state[a->partner])
                diff_report(d, DIFF_READ_PAYLOAD, &(struct diff_finding){ .a = a, .b = b });
            else
                d->reads_unattributed++;
        }
    }
}

/* ---- What the disks hold at the end ---- */

enum verdict { SAME, DIFFERENT, ONLY_IN_A, ONLY_IN_B, AFTER_ERROR, CUT_OTHERWISE };

/* Nothing on the other side does what this write did. */
static bool is_alone(const struct diff_command *c)
{
    return c->partner == DIFF_NONE && c->group == DIFF_NONE;
}

static const struct diff_command *command_at(const struct diff *d, unsigned s,
                                             const uint32_t *indices, uint32_t piece)
{
    return indices[piece] == DIFF_NONE ? NULL : &d->sides[s].commands[indices[piece]];
}

static enum verdict judge_reads(const struct diff *d, const struct pieces *p, uint32_t piece)
{
    const struct diff_command *a = command_at(d, 0, p->contents[0].reader, piece);
    const struct diff_command *b = command_at(d, 1, p->contents[1].reader, piece);

    if (!a || !b || !same_blocks(a, b) || !a->digest || !b->digest)
        return CUT_OTHERWISE;
    if (same_payload(a, b))
        return SAME;
    /* Of a read whose blocks do not all have one writer, any may be what differs. */
    for (unsigned s = 0; s < 2; s++) {
        const struct content *t = &p->contents[s];
        uint32_t read = t->reader[piece];

        if (t->read_racy[read])
            return CUT_OTHERWISE;
        for (uint32_t i = t->first[read]; i < t->end[read]; i++) {
            if (t->reader[i] != read)
                return CUT_OTHERWISE;
        }
    }
    return DIFFERENT;
}

static bool wholly_visible(const struct content *t, uint32_t write)
{
    return t->visible[write] == t->end[write] - t->first[write];
}

static enum verdict judge(const struct diff *d, const struct pieces *p, uint32_t piece)
{
    const struct content *ta = &p->contents[0], *tb = &p->contents[1];
    const struct diff_command *a = command_at(d, 0, ta->writer, piece);
    const struct diff_command *b = command_at(d, 1, tb->writer, piece);
    bool racy = ta->racy[piece] || tb->racy[piece];

    if (!a && !b)
        return SAME; /* the reads tell */
    if ((a && a->status != TD_GOOD) || (b && b->status != TD_GOOD))
        return a && b && same_blocks(a, b) && same_payload(a, b) ? SAME : AFTER_ERROR;
    if (!b)
        return ONLY_IN_A;
    if (!a)
        return ONLY_IN_B;
    if (same_blocks(a, b) && a->op == TD_OP_TRIM)
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
    if (same_blocks(a, b) && wholly_visible(ta, ta->writer[piece]) &&
        wholly_visible(tb, tb->writer[piece]))
        return DIFFERENT;
    return judge_reads(d, p, piece);
}

static void report_run(struct diff *d, const struct pieces *p, enum verdict verdict,
                       uint32_t first, uint32_t end)
{
    static const enum diff_kind kinds[] = {
        [DIFFERENT] = DIFF_FINAL_CONTENT,
        [ONLY_IN_A] = DIFF_WRITTEN_IN_A,
        [ONLY_IN_B] = DIFF_WRITTEN_IN_B,
    };
    uint64_t blocks = p->border[end] - p->border[first];
    struct diff_finding f = {
        .a = command_at(d, 0, p->contents[0].writer, first),
        .b = command_at(d, 1, p->contents[1].writer, first),
        .value = { p->border[first], blocks },
    };

    if (verdict == AFTER_ERROR)
        d->blocks_after_error += blocks;
    else if (verdict == CUT_OTHERWISE)
        d->blocks_cut_otherwise += blocks;
    else if (verdict != SAME)
        diff_report(d, kinds[verdict], &f);
}

static void compare_contents(struct diff *d, const struct pieces *p)
{
    const struct content *ta = &p->contents[0], *tb = &p->contents[1];
    enum verdict before = SAME;
    uint32_t first = 0;

    if (p->n == 0)
        return;
    for (uint32_t i = 0; i < p->n - 1; i++) {
        enum verdict verdict = judge(d, p, i);

        if (verdict != before || ta->writer[i] != ta->writer[first] ||
            tb->writer[i] != tb->writer[first]) {
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
    t->first = g_new0(uint32_t, n_commands + 1u);
    t->end = g_new0(uint32_t, n_commands + 1u);
    t->read_state = g_new0(uint64_t, n_commands + 1u);
    t->read_racy = g_new0(bool, n_commands + 1u);
    t->visible = g_new0(uint32_t, n_commands + 1u);
}

static void content_init_pieces(struct content *t, uint32_t n_pieces)
{
    t->writer = g_new(uint32_t, n_pieces + 1u);
    t->reader = g_new(uint32_t, n_pieces + 1u);
    t->racy = g_new0(bool, n_pieces + 1u);
    for (uint32_t i = 0; i < n_pieces; i++)
        t->writer[i] = t->reader[i] = DIFF_NONE;
}

static void content_clear(struct content *t)
{
    g_free(t->writer);
    g_free(t->reader);
    g_free(t->racy);
    g_free(t->first);
    g_free(t->end);
    g_free(t->read_state);
    g_free(t->read_racy);
    g_free(t->visible);
}

void diff_data(struct diff *d)
{
    struct pieces p = { 0 };

    for (unsigned s = 0; s < 2; s++)
        content_init(&p.contents[s], d->sides[s].n);
    cut_pieces(d, &p);
    for (unsigned s = 0; s < 2; s++) {
        content_init_pieces(&p.contents[s], p.n);
        replay(&d->sides[s], &p.contents[s]);
    }
    compare_payloads(d, &p);
    compare_contents(d, &p);
    for (unsigned s = 0; s < 2; s++)
        content_clear(&p.contents[s]);
    g_free(p.border);
}
