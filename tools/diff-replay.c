/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk diff: replays the commands of a side, in the order of their
 * completion, piece by piece.
 *
 * Meanwhile writers and readers are the places of commands in that order, from
 * 1 on; 0 for none. So it is their numbers that tell who was in flight together.
 */
#include "diff-replay.h"

#include "sort.h"

struct replay {
    const struct diff_side *side;
    const struct diff_pieces *p;
    struct diff_content *t;
    uint32_t *completed; /* indices, in the order of their completion; pending ones last */
};

static void set_bit(uint8_t *bits, uint32_t i)
{
    bits[i / 8] |= (uint8_t)(1u << i % 8);
}

static bool has_bit(const uint8_t *bits, uint32_t i)
{
    return bits[i / 8] >> i % 8 & 1;
}

/* ---- The order of completion ---- */

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

static const struct diff_command *command_at(const struct replay *r, uint32_t place)
{
    return &r->side->commands[r->completed[place - 1]];
}

/* Had the one at `earlier` not completed when c, at `place`, was submitted? */
static bool is_beside(const struct replay *r, const struct diff_command *c, uint32_t place,
                      uint32_t earlier)
{
    /* While it was in flight no more can have completed than there are numbers. */
    if (c->complete_seq && place - earlier > c->complete_seq - c->seq)
        return false;
    return completion(r->side, r->completed[earlier - 1]) > c->seq;
}

/* ---- Commands ---- */

static uint64_t hash_state(uint64_t hash, const struct diff_command *write)
{
    if (!write)
        return diff_mix(hash, 0);
    hash = diff_mix(diff_mix(hash, write->lba), write->blocks);
    hash = diff_mix(hash, (uint64_t)diff_traits(write)->op << 16 | diff_traits(write)->status << 8 |
                              diff_traits(write)->write_same);
    return diff_mix(diff_mix(hash, write->digest), diff_traits(write)->bytes);
}

static void replay_write(const struct replay *r, uint32_t place, struct diff_span span)
{
    const struct diff_command *c = command_at(r, place);

    for (uint32_t i = span.first; i < span.end; i++) {
        struct diff_held *held = &r->t->held[i];
        bool racy = held->writer && is_beside(r, c, place, held->writer);

        if (held->reader && is_beside(r, c, place, held->reader))
            set_bit(r->t->racy, r->completed[held->reader - 1]);
        *held = (struct diff_held){ place, 0, racy };
    }
}

static void note_state(const struct replay *r, uint32_t read, struct diff_span span)
{
    const struct diff_content *t = r->t;
    gpointer number = g_hash_table_lookup(t->states, GUINT_TO_POINTER(read));
    uint64_t state = 0;

    for (uint32_t i = span.first; i < span.end; i++)
        state = hash_state(state, t->held[i].writer ? command_at(r, t->held[i].writer) : NULL);
    g_array_index(t->state, uint64_t, GPOINTER_TO_UINT(number)) = state;
}

static void replay_read(const struct replay *r, uint32_t place, struct diff_span span)
{
    uint32_t index = r->completed[place - 1];
    const struct diff_command *c = &r->side->commands[index];
    bool racy = false;

    for (uint32_t i = span.first; i < span.end; i++) {
        struct diff_held *held = &r->t->held[i];

        racy |= held->writer && is_beside(r, c, place, held->writer);
        held->reader = place & DIFF_NO_READER;
    }
    if (racy)
        set_bit(r->t->racy, index);
    if (has_bit(r->t->wanted, index))
        note_state(r, index, span);
}

/* A write that failed, or never completed, may have changed its blocks. */
static void replay_command(const struct replay *r, uint32_t place, struct diff_span span)
{
    const struct diff_command *c = command_at(r, place);

    if (diff_is_write(c))
        replay_write(r, place, span);
    else if (diff_has_payload(c) && diff_traits(c)->status == TD_GOOD)
        replay_read(r, place, span);
}

/* Commands go anywhere on the disk: ask early for what they find there. */
#define FETCH_AHEAD 16

static struct diff_span fetch(const struct replay *r, uint32_t place)
{
    const struct diff_command *c = command_at(r, place);
    struct diff_span span = { 0, 0 };

    if (place + FETCH_AHEAD <= r->side->n)
        diff_span_fetch(r->p, command_at(r, place + FETCH_AHEAD));
    if (diff_has_payload(c)) {
        span = diff_span_of(r->p, c);
        __builtin_prefetch(&r->t->held[span.first]);
        __builtin_prefetch(&r->t->held[span.end]);
    }
    return span;
}

void diff_replay(struct diff_content *t, const struct diff_side *side, const struct diff_pieces *p)
{
    struct replay r = { side, p, t, order_of_completion(side) };
    struct diff_span spans[FETCH_AHEAD];

    t->held = g_new0(struct diff_held, p->n + 1u);
    for (uint32_t place = 1; place <= side->n + FETCH_AHEAD; place++) {
        struct diff_span *span = &spans[place % FETCH_AHEAD];

        if (place > FETCH_AHEAD)
            replay_command(&r, place - FETCH_AHEAD, *span);
        if (place <= side->n)
            *span = fetch(&r, place);
    }
    for (uint32_t i = 0; i < p->n; i++) {
        struct diff_held *held = &t->held[i];

        held->writer = held->writer ? r.completed[held->writer - 1] : DIFF_NONE;
        held->reader = (held->reader ? r.completed[held->reader - 1] : DIFF_NONE) & DIFF_NO_READER;
    }
    g_free(r.completed);
}

/* ---- What is known of a side ---- */

void diff_content_init(struct diff_content *t, const struct diff_side *side)
{
    *t = (struct diff_content){
        .racy = g_new0(uint8_t, side->n / 8 + 1u),
        .wanted = g_new0(uint8_t, side->n / 8 + 1u),
        .states = g_hash_table_new(NULL, NULL),
        .state = g_array_new(FALSE, FALSE, sizeof(uint64_t)),
    };
}

void diff_content_clear(struct diff_content *t)
{
    g_free(t->held);
    g_free(t->racy);
    g_free(t->wanted);
    g_hash_table_unref(t->states);
    g_array_unref(t->state);
}

void diff_content_want(struct diff_content *t, uint32_t read)
{
    static const uint64_t none = 0;

    set_bit(t->wanted, read);
    g_hash_table_insert(t->states, GUINT_TO_POINTER(read), GUINT_TO_POINTER(t->state->len));
    g_array_append_val(t->state, none);
}

bool diff_is_racy_read(const struct diff_content *t, uint32_t read)
{
    return has_bit(t->racy, read);
}

uint64_t diff_state_of(const struct diff_content *t, uint32_t read)
{
    gpointer number = g_hash_table_lookup(t->states, GUINT_TO_POINTER(read));

    return g_array_index(t->state, uint64_t, GPOINTER_TO_UINT(number));
}
