/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tracedisk diff: reads a trace into compact arrays, one a device. */
#include <string.h>

#include "diff.h"
#include "record.h"
#include "sort.h"
#include "tool.h"

#define RECENT_BITS 8

/* A device while its trace is read. */
struct loading {
    struct diff_side *side;
    uint32_t id;
    uint32_t room;        /* for so many of its commands, as they complete */
    GArray *begun, *done; /* barriers by the numbers of their records: struct sort_key */
    struct diff_traits_table *traits;
    struct {
        struct diff_traits traits;
        uint32_t number; /* of them plus one; 0: none yet */
    } recent[1 << RECENT_BITS]; /* by their hash */
};

static struct loading *find_loading(GPtrArray *all, struct diff_trace *trace,
                                    const struct input *in, uint32_t id)
{
    struct loading *l;
    char name[DEVICE_NAME_MAX];

    for (guint i = 0; i < all->len; i++) {
        l = all->pdata[i];
        if (l->id == id)
            return l;
    }
    l = g_new0(struct loading, 1);
    l->id = id;
    l->begun = g_array_new(FALSE, FALSE, sizeof(struct sort_key));
    l->done = g_array_new(FALSE, FALSE, sizeof(struct sort_key));
    l->traits = diff_traits_table_new();
    l->side = g_new0(struct diff_side, 1);
    l->side->path = trace->path;
    l->side->device = g_strdup(input_device_name(in, id, name));
    l->side->block_size = input_block_size(in, id);
    l->side->times = diff_times_new();
    g_ptr_array_add(all, l);
    g_ptr_array_add(trace->sides, l->side);
    return l;
}

static uint64_t fold_digest(const struct td_digest *digest)
{
    uint64_t half[2] = { 0 };

    if (digest->kind == TD_HASH_NONE)
        return 0;
    memcpy(half, digest->bytes, td_digest_size(digest->kind));
    return diff_mix(diff_mix(digest->kind, half[0]), half[1]) | 1;
}

/*
 * Addresses differ from run to run; sizes, page offsets and contiguity are the
 * driver's doing. What is hashed is where they change.
 */
static void note_geometry(struct diff_traits *t, const struct td_command *c)
{
    uint64_t sizes = 0, offsets = 0, contiguity = 0, end = 0, offset = 0;
    uint32_t n = element_count(c), len = GUEST_PAGE;

    for (uint32_t i = 0; i < n; i++) {
        const struct td_element *e = &c->submit.elements[i];

        if (e->len != len)
            sizes = diff_mix(sizes, (uint64_t)i << 32 | (len = e->len));
        if (e->addr % GUEST_PAGE != offset)
            offsets = diff_mix(offsets, (uint64_t)i << 32 | (offset = e->addr % GUEST_PAGE));
        if (e->addr == end && i > 0)
            contiguity = diff_mix(contiguity, i);
        end = e->addr + e->len;
    }
    t->n_elements = n;
    t->sizes = (uint32_t)(sizes >> 32);
    t->offsets = (uint32_t)(offsets >> 32);
    t->contiguity = (uint32_t)(contiguity >> 32);
}

static uint32_t error_code(const struct td_complete *complete)
{
    struct sense_code sense;

    if (sense_decode(complete, &sense))
        return 1u << 24 | (uint32_t)sense.key << 16 | (uint32_t)sense.asc << 8 | sense.ascq;
    if (complete->has_ata)
        return 2u << 24 | (uint32_t)complete->ata_status << 8 | complete->ata_error;
    return complete->scsi_status;
}

/* What a command without blocks asks for: its CDB, or the FIS but for slots and ports. */
static uint64_t fold_request(const struct td_command *c)
{
    bool ata = c->submit.protocol == TD_ATA;
    uint32_t first = ata ? 2 : 0, end = c->submit.raw_len;
    uint64_t hash = 0;

    if (ata)
        end = MIN(end, c->decoded.flags & TD_QUEUED ? 4u : 14u); /* COUNT has the tag */
    for (uint32_t i = first; i < end; i++)
        hash = diff_mix(hash, c->submit.raw[i]);
    return hash | 1;
}

static void note_times(struct diff_times *times, const struct td_command *c)
{
    if (c->complete.status == TD_GOOD && c->complete_ns >= c->submit_ns)
        diff_times_add(times, c->decoded.op, c->complete_ns - c->submit_ns);
    diff_times_complete(times, c->complete_ns);
}

static void fill_traits(struct diff_traits *t, const struct td_command *c, bool has_blocks)
{
    bool pending = c->complete.status == TD_PENDING;

    memset(t, 0, sizeof(*t));
    t->name = c->decoded.name;
    t->op = (uint8_t)c->decoded.op;
    t->status = (uint8_t)c->complete.status;
    t->fua = (c->decoded.flags & TD_FUA) != 0;
    t->write_same = is_write_same(c);
    t->barrier = t->status == TD_GOOD && (t->op == TD_OP_FLUSH ||
                                          (t->op == TD_OP_WRITE && t->fua && has_blocks));
    note_geometry(t, c);
    if (pending)
        return;
    t->bytes = c->complete.bytes;
    t->residual = c->complete.residual;
    t->error = t->status == TD_GOOD ? 0 : error_code(&c->complete);
}

/*
 * The number of traits; false when there are too many. Most are among the recent
 * ones: that is looked up by members, which have not gone to memory yet.
 */
static bool intern(struct loading *l, const struct diff_traits *t, uint32_t *number)
{
    uint64_t hash = t->bytes ^ (uint64_t)t->contiguity << 20 ^ (uint64_t)t->op << 8 ^ t->status;
    size_t at = (hash ^ t->sizes) * UINT64_C(0x9e3779b97f4a7c15) >> (64 - RECENT_BITS);
    const struct diff_traits *r = &l->recent[at].traits;

    if (!l->recent[at].number || r->name != t->name || r->bytes != t->bytes ||
        r->residual != t->residual || r->n_elements != t->n_elements || r->sizes != t->sizes ||
        r->offsets != t->offsets || r->contiguity != t->contiguity || r->error != t->error ||
        r->op != t->op || r->status != t->status || r->fua != t->fua ||
        r->barrier != t->barrier || r->write_same != t->write_same) {
        if (!diff_traits_intern(l->traits, t, number))
            return false;
        l->recent[at].traits = *t;
        l->recent[at].number = *number + 1;
    }
    *number = l->recent[at].number - 1;
    return true;
}

static void note_barrier(struct loading *l, const struct diff_command *c)
{
    const struct sort_key begun = { c->seq, 0 }, done = { c->complete_seq, 0 };

    g_array_append_val(l->begun, begun);
    g_array_append_val(l->done, done);
}

static void add_command(struct loading *l, const struct diff_command *c)
{
    struct diff_side *side = l->side;

    if (side->n == l->room) {
        l->room = MAX(2 * l->room, 1024);
        side->commands = g_renew(struct diff_command, side->commands, l->room);
    }
    side->commands[side->n++] = *c;
}

/* False when there is more than can be compared. */
static bool load_command(struct loading *l, const struct td_command *c)
{
    const struct td_decoded *decoded = &c->decoded;
    struct diff_command d = { .seq = (uint32_t)c->seq, .partner = DIFF_NONE };
    struct diff_traits traits;
    uint32_t number;

    if (!c->submit_known) /* nothing is known of what was asked for */
        return true;
    if (decoded->flags & TD_HAS_LBA) {
        d.lba = decoded->lba;
        d.blocks = (uint32_t)MIN(decoded->blocks, UINT32_MAX);
        if (d.lba + d.blocks < d.lba)
            d.blocks = 0;
    }
    if (d.blocks)
        l->side->borders |= d.lba | (d.lba + d.blocks);
    else
        d.digest = fold_request(c);
    l->side->depth_max = MAX(l->side->depth_max, c->in_flight);
    if (c->complete.status != TD_PENDING) {
        note_times(l->side->times, c);
        d.complete_seq = (uint32_t)c->complete_seq;
        if (d.blocks)
            d.digest = fold_digest(&c->complete.digest);
        l->side->has_sectors |= c->complete.sectors != NULL;
        if (c->complete.digest.kind != TD_HASH_NONE)
            l->side->hash = c->complete.digest.kind;
    }
    fill_traits(&traits, c, d.blocks > 0);
    if (MAX(c->seq, c->complete_seq) > UINT32_MAX || l->side->n >= DIFF_MAX_COMMANDS ||
        !intern(l, &traits, &number))
        return false;
    d.traits = number & (DIFF_TRAITS_MAX - 1);
    if (traits.barrier)
        note_barrier(l, &d);
    add_command(l, &d);
    return true;
}

/*
 * A command is behind the barriers that had completed when it was submitted,
 * and before those that were submitted when it had completed. False when there
 * are too many barriers.
 */
static bool cut_epochs(const struct loading *l)
{
    struct diff_side *side = l->side;
    struct sort_key *begun = (void *)l->begun->data, *done = (void *)l->done->data;
    uint32_t n = l->begun->len, first = 0;

    if (n >= DIFF_MAX_BARRIERS)
        return false;
    sort_keys(begun, n);
    sort_keys(done, n);
    side->barriers = g_new(uint32_t, n + 1);
    for (uint32_t i = 0; i < side->n; i++) {
        struct diff_command *c = &side->commands[i];
        uint32_t last;

        if (side->n_barriers < n && begun[side->n_barriers].key == c->seq &&
            diff_traits(c)->barrier)
            side->barriers[side->n_barriers++] = i;
        while (first < n && done[first].key < c->seq)
            first++;
        last = first;
        while (last < n && last < first + DIFF_MANY_EPOCHS &&
               (!c->complete_seq || begun[last].key < c->complete_seq))
            last++;
        c->first_epoch = first & (DIFF_MAX_BARRIERS - 1);
        c->epochs = (last - first) & DIFF_MANY_EPOCHS;
    }
    side->barrier_partner = g_new(uint32_t, n + 1);
    side->ordinal = g_new0(uint32_t, n + 1);
    return true;
}

/* False when they are too far out of order for that. */
static bool insert_in_order(struct diff_command *commands, uint32_t n)
{
    uint64_t moves = 0;

    for (uint32_t i = 1; i < n; i++) {
        struct diff_command c;
        uint32_t at = i;

        if (commands[i - 1].seq < commands[i].seq)
            continue;
        for (c = commands[i]; at > 0 && commands[at - 1].seq > c.seq; at--)
            commands[at] = commands[at - 1];
        commands[at] = c;
        moves += i - at;
        if (moves > 64 * (uint64_t)n)
            return false;
    }
    return true;
}

/*
 * By submission. As they have come by completion, and few are in flight at a
 * time, each is near its place; else it takes twice the memory.
 */
static void sort_commands(struct diff_side *side)
{
    g_autofree struct sort_key *keys = NULL;
    struct diff_command *sorted;

    if (insert_in_order(side->commands, side->n))
        return;
    keys = g_new(struct sort_key, side->n);
    for (uint32_t i = 0; i < side->n; i++)
        keys[i] = (struct sort_key){ side->commands[i].seq, i };
    sort_keys(keys, side->n);
    sorted = g_new(struct diff_command, side->n);
    for (uint32_t i = 0; i < side->n; i++)
        sorted[i] = side->commands[keys[i].value];
    g_free(side->commands);
    side->commands = sorted;
}

static bool finish_loading(struct loading *l)
{
    bool fits;

    sort_commands(l->side);
    fits = cut_epochs(l);
    g_array_unref(l->begun);
    g_array_unref(l->done);
    diff_traits_table_free(l->traits);
    g_free(l);
    return fits;
}

static void side_free(gpointer data)
{
    struct diff_side *side = data;

    g_free(side->device);
    g_free(side->commands);
    g_free(side->barriers);
    g_free(side->barrier_partner);
    g_free(side->ordinal);
    diff_times_free(side->times);
    diff_lint_free(side->lint);
    g_free(side);
}

void diff_trace_init(struct diff_trace *trace, const char *path)
{
    *trace = (struct diff_trace){ .path = path };
    trace->sides = g_ptr_array_new_with_free_func(side_free);
}

void diff_trace_clear(struct diff_trace *trace)
{
    g_ptr_array_unref(trace->sides);
}

static bool load_item(GPtrArray *loading, struct diff_trace *trace, const struct input *in,
                      const struct td_item *item)
{
    const struct td_record *record = item->record;

    if (item->kind == TD_ITEM_COMMAND)
        return load_command(find_loading(loading, trace, in, command_device(item->command)),
                            item->command);
    if (record->kind == TD_DEVICE)
        find_loading(loading, trace, in, record->device.id); /* it may do nothing */
    if (record->kind == TD_EVENT && record->event.type < DIFF_EVENT_TYPES)
        find_loading(loading, trace, in, record->event.device)->side->events[record->event.type]++;
    return true;
}

int diff_trace_load(struct diff_trace *trace, struct filter *filter)
{
    g_autoptr(GPtrArray) loading = g_ptr_array_new();
    struct input in;
    struct td_item item;
    bool fits = true;
    int status;

    if (!input_open(&in, trace->path))
        return EXIT_TROUBLE;
    in.show_progress &= trace->show_progress;
    while (fits && filter_next_item(filter, &in, false, &item))
        fits = load_item(loading, trace, &in, &item);
    for (guint i = 0; i < loading->len; i++)
        fits &= finish_loading(loading->pdata[i]);
    status = filter_close_input(filter, &in);
    if (fits)
        return status;
    say("%s is too long to be compared as a whole: choose a part of it with --between",
        trace->path);
    return EXIT_TROUBLE;
}
