/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tracedisk diff: reads a trace into compact arrays, one a device. */
#include <string.h>

#include "diff.h"
#include "record.h"
#include "sort.h"
#include "tool.h"

/* A device while its trace is read. */
struct loading {
    struct diff_side *side;
    uint32_t id;
    GArray *commands; /* as they complete */
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
    l->commands = g_array_new(FALSE, FALSE, sizeof(struct diff_command));
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

/* Addresses differ from run to run; sizes, page offsets and contiguity are the driver's doing. */
static void note_geometry(struct diff_command *d, const struct td_command *c)
{
    uint64_t sizes = 0, offsets = 0, contiguity = 0, end = 0;
    uint32_t n = element_count(c);

    for (uint32_t i = 0; i < n; i++) {
        const struct td_element *e = &c->submit.elements[i];

        sizes = diff_mix(sizes, e->len);
        offsets = diff_mix(offsets, e->addr % GUEST_PAGE);
        contiguity = diff_mix(contiguity, i > 0 && e->addr == end);
        end = e->addr + e->len;
    }
    d->n_elements = n;
    d->sizes = (uint32_t)(sizes >> 32);
    d->offsets = (uint32_t)(offsets >> 32);
    d->contiguity = (uint32_t)(contiguity >> 32);
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

static void load_command(struct loading *l, const struct td_command *c)
{
    const struct td_decoded *decoded = &c->decoded;
    bool pending = c->complete.status == TD_PENDING;
    struct diff_command d = {
        .seq = c->seq, .name = decoded->name,
        .op = (uint8_t)decoded->op, .status = (uint8_t)c->complete.status,
        .fua = decoded->flags & TD_FUA, .partner = DIFF_NONE, .group = DIFF_NONE,
        .write_same = is_write_same(c),
    };

    if (!c->submit_known) /* nothing is known of what was asked for */
        return;
    if (decoded->flags & TD_HAS_LBA) {
        d.lba = decoded->lba;
        d.blocks = (uint32_t)MIN(decoded->blocks, UINT32_MAX);
        if (d.lba + d.blocks < d.lba)
            d.blocks = 0;
    }
    if (!d.blocks)
        d.digest = fold_request(c);
    note_geometry(&d, c);
    l->side->depth_max = MAX(l->side->depth_max, c->in_flight);
    if (!pending) {
        note_times(l->side->times, c);
        d.complete_seq = c->complete_seq;
        d.bytes = c->complete.bytes;
        d.residual = c->complete.residual;
        d.error = d.status == TD_GOOD ? 0 : error_code(&c->complete);
        if (d.blocks)
            d.digest = fold_digest(&c->complete.digest);
        if (c->complete.digest.kind != TD_HASH_NONE)
            l->side->hash = c->complete.digest.kind;
    }
    d.barrier = d.status == TD_GOOD &&
                (d.op == TD_OP_FLUSH || (d.op == TD_OP_WRITE && d.fua && d.blocks));
    g_array_append_val(l->commands, d);
}

/* How many of the sorted numbers are below x. */
static uint32_t count_below(const struct sort_key *numbers, uint32_t n, uint64_t x)
{
    uint32_t first = 0;

    while (n > first) {
        uint32_t middle = first + (n - first) / 2;

        if (numbers[middle].key < x)
            first = middle + 1;
        else
            n = middle;
    }
    return first;
}

/*
 * A command is behind the barriers that had completed when it was submitted,
 * and before those that were submitted when it had completed.
 */
static void cut_epochs(struct diff_side *side)
{
    g_autofree struct sort_key *begun = NULL, *done = NULL;
    uint32_t n = 0;

    side->barriers = g_new(uint32_t, side->n + 1);
    for (uint32_t i = 0; i < side->n; i++) {
        if (side->commands[i].barrier)
            side->barriers[n++] = i;
    }
    side->n_barriers = n;
    begun = g_new(struct sort_key, n + 1);
    done = g_new(struct sort_key, n + 1);
    for (uint32_t i = 0; i < n; i++) {
        begun[i].key = side->commands[side->barriers[i]].seq;
        done[i].key = side->commands[side->barriers[i]].complete_seq;
    }
    sort_keys(done, n);
    for (uint32_t i = 0; i < side->n; i++) {
        struct diff_command *c = &side->commands[i];

        c->first_epoch = count_below(done, n, c->seq);
        c->last_epoch = c->complete_seq ? count_below(begun, n, c->complete_seq) : n;
        c->last_epoch = MAX(c->first_epoch, c->last_epoch);
    }
    side->barrier_partner = g_new(uint32_t, n + 1);
    side->ordinal = g_new0(uint32_t, n + 1);
}

static void finish_loading(gpointer data)
{
    struct loading *l = data;
    struct diff_side *side = l->side;
    const struct diff_command *all = (const void *)l->commands->data;
    g_autofree struct sort_key *keys = g_new(struct sort_key, l->commands->len + 1);

    side->n = l->commands->len;
    side->commands = g_new(struct diff_command, side->n + 1);
    side->completed = g_new(uint32_t, side->n + 1);
    for (uint32_t i = 0; i < side->n; i++)
        keys[i] = (struct sort_key){ all[i].seq, i };
    sort_keys(keys, side->n);
    for (uint32_t i = 0; i < side->n; i++) {
        side->commands[i] = all[keys[i].value];
        side->completed[keys[i].value] = i;
    }
    cut_epochs(side);
    g_array_unref(l->commands);
    g_free(l);
}

static void side_free(gpointer data)
{
    struct diff_side *side = data;

    g_free(side->device);
    g_free(side->commands);
    g_free(side->completed);
    g_free(side->barriers);
    g_free(side->barrier_partner);
    g_free(side->ordinal);
    diff_times_free(side->times);
    diff_lint_free(side->lint);
    g_free(side);
}

void diff_trace_init(struct diff_trace *trace, const char *path)
{
    trace->path = path;
    trace->sides = g_ptr_array_new_with_free_func(side_free);
}

void diff_trace_clear(struct diff_trace *trace)
{
    g_ptr_array_unref(trace->sides);
}

int diff_trace_load(struct diff_trace *trace, struct filter *filter)
{
    GPtrArray *loading = g_ptr_array_new_with_free_func(finish_loading);
    struct input in;
    struct td_item item;

    if (!input_open(&in, trace->path)) {
        g_ptr_array_unref(loading);
        return EXIT_TROUBLE;
    }
    while (filter_next_item(filter, &in, false, &item)) {
        if (item.kind == TD_ITEM_COMMAND) {
            load_command(find_loading(loading, trace, &in, command_device(item.command)),
                         item.command);
        } else if (item.record->kind == TD_DEVICE) {
            find_loading(loading, trace, &in, item.record->device.id); /* it may do nothing */
        } else if (item.record->kind == TD_EVENT) {
            const struct td_event *event = &item.record->event;

            if (event->type < DIFF_EVENT_TYPES)
                find_loading(loading, trace, &in, event->device)->side->events[event->type]++;
        }
    }
    g_ptr_array_unref(loading);
    return filter_close_input(filter, &in);
}
