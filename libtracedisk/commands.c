/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands out of records: a SUBMIT waits in a table, keyed by its sequence
 * number, for its COMPLETE. Memory is bounded by what is in flight.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "codec.h"

struct pending {
    struct pending *next; /* of its slot in the table, or of those that are free */
    struct td_command command;
    uint8_t raw[TD_MAX_RAW];
    struct td_origin origin;
    uint64_t chain[TD_MAX_CHAIN];
    uint8_t *stack; /* TD_MAX_STACK bytes, when stacks are kept */
    uint8_t *encoded; /* element list */
    size_t encoded_len, encoded_size;
};

/* The last STACKs of a device, the oldest replaced first. */
struct kept_stack {
    uint64_t seq, addr;
    uint32_t len;
    uint8_t data[TD_MAX_STACK];
};

struct device {
    struct kept_stack *stacks[TD_STACKS];
    unsigned next_stack;
    uint32_t id;
    uint32_t in_flight;
    bool introduced;
    struct td_device info; /* texts and pairs are in `texts` */
    char *texts;
};

struct td_commands {
    struct td_reader *reader;
    bool skip_elements;
    bool keep_stacks;
    struct pending **table; /* a list in each slot; table_size is a power of two */
    size_t table_size, n_pending;
    struct pending *free;
    struct pending *given; /* the item given out last, free from now on */
    bool ended;            /* the commands without an end were collected: nothing follows them */
    struct pending **rest; /* these, in order; NULL: there is none, or no more */
    size_t n_rest, next_rest;
    struct device *devices;
    size_t n_devices, last_device;
    struct td_element *elements;
    size_t elements_size;
    struct td_record record;
    struct td_command orphan; /* a COMPLETE whose SUBMIT is lost */
};

/* ---- Devices ---- */

static struct device *find_device(const struct td_commands *c, uint32_t id)
{
    if (c->n_devices && c->devices[c->last_device].id == id) {
        return &c->devices[c->last_device];
    }
    for (size_t i = 0; i < c->n_devices; i++) {
        if (c->devices[i].id == id) {
            return &c->devices[i];
        }
    }
    return NULL;
}

static struct device *get_device(struct td_commands *c, uint32_t id)
{
    struct device *d = find_device(c, id);

    if (!d) {
        d = realloc(c->devices, (c->n_devices + 1) * sizeof(*d));
        if (!d) {
            return NULL;
        }
        c->devices = d;
        d += c->n_devices++;
        *d = (struct device){ .id = id };
    }
    c->last_device = (size_t)(d - c->devices);
    return d;
}

static char *copy_text(char **to, const char *text)
{
    char *copy = *to;
    size_t n = strlen(text) + 1;

    memcpy(copy, text, n);
    *to += n;
    return copy;
}

/* Keep a DEVICE record: pairs first, then all its texts. */
static int introduce(struct td_commands *c, const struct td_device *info)
{
    struct device *d = get_device(c, info->id);
    size_t size = info->n_pairs * sizeof(struct td_pair);
    struct td_pair *pairs;
    char *text;

    size += strlen(info->name) + strlen(info->frontend) + 2;
    for (size_t i = 0; i < info->n_pairs; i++) {
        size += strlen(info->pairs[i].key) + strlen(info->pairs[i].value) + 2;
    }
    pairs = d ? malloc(size) : NULL;
    if (!pairs) {
        return -ENOMEM;
    }
    text = (char *)(pairs + info->n_pairs);
    free(d->texts);
    d->texts = (char *)pairs;
    d->info = *info;
    d->info.name = copy_text(&text, info->name);
    d->info.frontend = copy_text(&text, info->frontend);
    for (size_t i = 0; i < info->n_pairs; i++) {
        pairs[i].key = copy_text(&text, info->pairs[i].key);
        pairs[i].value = copy_text(&text, info->pairs[i].value);
    }
    d->info.pairs = pairs;
    d->introduced = true;
    return 0;
}

const struct td_device *td_commands_device(const struct td_commands *c, uint32_t id)
{
    const struct device *d = find_device(c, id);

    return d && d->introduced ? &d->info : NULL;
}

/* ---- The table ---- */

/* Numbers in flight are close together: they are their own best hash. */
static size_t slot_of(const struct td_commands *c, uint64_t seq)
{
    return (size_t)seq & (c->table_size - 1);
}

/* Behind one of the same number, as a damaged trace may have. */
static void insert(struct td_commands *c, struct pending *p)
{
    struct pending **at = &c->table[slot_of(c, p->command.seq)];

    while (*at) {
        at = &(*at)->next;
    }
    p->next = NULL;
    *at = p;
}

static int grow_table(struct td_commands *c)
{
    struct pending **old = c->table;
    size_t old_size = c->table_size;

    c->table = calloc(2 * old_size, sizeof(*c->table));
    if (!c->table) {
        c->table = old;
        return -ENOMEM;
    }
    c->table_size = 2 * old_size;
    for (size_t i = 0; i < old_size; i++) {
        while (old[i]) {
            struct pending *p = old[i];

            old[i] = p->next;
            insert(c, p);
        }
    }
    free(old);
    return 0;
}

/* Remove and return; NULL if there is none. */
static struct pending *take(struct td_commands *c, uint64_t seq)
{
    struct pending **at = &c->table[slot_of(c, seq)], *found;

    while (*at && (*at)->command.seq != seq) {
        at = &(*at)->next;
    }
    found = *at;
    if (found) {
        *at = found->next;
        c->n_pending--;
    }
    return found;
}

/* ---- Origins ---- */

static int keep_stack(struct td_commands *c)
{
    const struct td_stack *stack = &c->record.stack;
    struct device *d = c->keep_stacks ? get_device(c, stack->device) : NULL;
    struct kept_stack **place, *kept;

    if (!c->keep_stacks) {
        return 0;
    }
    if (!d) {
        return -ENOMEM;
    }
    place = &d->stacks[d->next_stack++ % TD_STACKS];
    kept = *place ? *place : malloc(sizeof(*kept));
    if (!kept) {
        return -ENOMEM;
    }
    kept->seq = c->record.seq;
    kept->addr = stack->addr;
    kept->len = stack->len;
    memcpy(kept->data, stack->data, stack->len);
    *place = kept;
    return 0;
}

/* The origin's stack, copied: it may have to outlive the device's. */
static int attach_stack(struct td_commands *c, struct pending *p, const struct device *d)
{
    const struct kept_stack *kept = NULL;

    p->command.stack = (struct td_stack){ .device = d->id };
    if (!c->keep_stacks || !p->origin.stack_seq) {
        return 0;
    }
    for (unsigned i = 0; i < TD_STACKS && !kept; i++) {
        if (d->stacks[i] && d->stacks[i]->seq == p->origin.stack_seq) {
            kept = d->stacks[i];
        }
    }
    if (!kept) {
        return 0; /* lost with its block */
    }
    if (!p->stack && !(p->stack = malloc(TD_MAX_STACK))) {
        return -ENOMEM;
    }
    memcpy(p->stack, kept->data, kept->len);
    p->command.stack.addr = kept->addr;
    p->command.stack.len = kept->len;
    p->command.stack.data = p->stack;
    return 0;
}

static int keep_origin(struct td_commands *c, struct pending *p, const struct device *d)
{
    const struct td_origin *origin = p->command.submit.origin;

    if (!origin) {
        p->command.stack.len = 0;
        return 0;
    }
    p->origin = *origin;
    memcpy(p->chain, origin->chain, origin->n_chain * sizeof(p->chain[0]));
    p->origin.chain = p->chain;
    p->command.submit.origin = &p->origin;
    return attach_stack(c, p, d);
}

/* ---- Joining ---- */

static int keep_elements(struct pending *p, const struct td_record *record)
{
    size_t n = record->encoded_len;

    if (n > p->encoded_size) {
        uint8_t *encoded = realloc(p->encoded, n);

        if (!encoded) {
            return -ENOMEM;
        }
        p->encoded = encoded;
        p->encoded_size = n;
    }
    if (n) {
        memcpy(p->encoded, record->encoded_elements, n);
    }
    p->encoded_len = n;
    return 0;
}

static int submitted(struct td_commands *c)
{
    const struct td_record *record = &c->record;
    struct device *d = get_device(c, record->submit.device);
    struct pending *p = c->free;

    if (!d || (c->n_pending >= c->table_size / 2 && grow_table(c) < 0)) {
        return -ENOMEM;
    }
    if (p) {
        c->free = p->next;
    } else {
        p = calloc(1, sizeof(*p));
        if (!p) {
            return -ENOMEM;
        }
    }
    p->command.seq = record->seq;
    p->command.submit_ns = record->time_ns;
    p->command.submit_known = true;
    p->command.submit = record->submit;
    p->command.submit.raw = p->raw;
    memcpy(p->raw, record->submit.raw, record->submit.raw_len);
    if (keep_origin(c, p, d) < 0) {
        p->next = c->free;
        c->free = p;
        return -ENOMEM;
    }
    p->command.in_flight = ++d->in_flight;
    insert(c, p);
    c->n_pending++;
    return c->skip_elements ? 0 : keep_elements(p, record);
}

/* Decode what was kept encoded; a list that does not decode stays NULL. */
static int decode_elements(struct td_commands *c, struct pending *p)
{
    struct td_submit *s = &p->command.submit;

    if (c->skip_elements || !s->n_elements) {
        return 0;
    }
    if (s->n_elements > c->elements_size) {
        struct td_element *elements = realloc(c->elements, s->n_elements * sizeof(*elements));

        if (!elements) {
            return -ENOMEM;
        }
        c->elements = elements;
        c->elements_size = s->n_elements;
    }
    if (td_decode_elements(p->encoded, p->encoded_len, c->elements, s->n_elements) == 0) {
        s->elements = c->elements;
    }
    return 0;
}

static int give_command(struct td_commands *c, struct pending *p, struct td_item *item)
{
    struct td_submit *s = &p->command.submit;
    struct device *d = find_device(c, s->device);

    if (d && d->in_flight) {
        d->in_flight--;
    }
    c->given = p;
    td_decode(s->protocol, s->raw, s->raw_len, &p->command.decoded);
    *item = (struct td_item){ .kind = TD_ITEM_COMMAND, .command = &p->command };
    return decode_elements(c, p) < 0 ? -ENOMEM : 1;
}

static int completed(struct td_commands *c, struct td_item *item)
{
    const struct td_record *record = &c->record;
    struct pending *p = take(c, record->complete.submit_seq);
    struct td_command *command = p ? &p->command : &c->orphan;

    command->complete = record->complete;
    command->complete_seq = record->seq;
    command->complete_ns = record->time_ns;
    if (p) {
        if (record->complete.n_elements && !command->submit.n_elements) {
            command->submit.n_elements = record->complete.n_elements;
            if (!c->skip_elements && keep_elements(p, record) < 0) {
                return -ENOMEM;
            }
        }
        return give_command(c, p, item);
    }
    command->seq = record->complete.submit_seq;
    command->submit.device = record->complete.device;
    command->decoded.name = "UNKNOWN";
    *item = (struct td_item){ .kind = TD_ITEM_COMMAND, .command = command };
    return 1;
}

/* ---- The end of the trace ---- */

static int compare_seq(const void *a, const void *b)
{
    const struct pending *const *pa = a, *const *pb = b;

    return ((*pa)->command.seq > (*pb)->command.seq) - ((*pa)->command.seq < (*pb)->command.seq);
}

static int collect_rest(struct td_commands *c)
{
    c->ended = true;
    if (!c->n_pending) {
        return 0;
    }
    c->rest = malloc(c->n_pending * sizeof(*c->rest));
    if (!c->rest) {
        return -ENOMEM;
    }
    c->n_rest = c->next_rest = 0;
    for (size_t i = 0; i < c->table_size; i++) {
        for (struct pending *p = c->table[i]; p; p = p->next) {
            c->rest[c->n_rest++] = p;
        }
        c->table[i] = NULL;
    }
    c->n_pending = 0;
    qsort(c->rest, c->n_rest, sizeof(*c->rest), compare_seq);
    return 0;
}

static int give_rest(struct td_commands *c, struct td_item *item)
{
    struct pending *p = c->rest[c->next_rest++];
    struct td_command *command = &p->command;

    if (c->next_rest == c->n_rest) {
        free(c->rest);
        c->rest = NULL;
    }
    command->complete = (struct td_complete){
        .device = command->submit.device, .submit_seq = command->seq, .status = TD_PENDING,
    };
    command->complete_seq = 0;
    command->complete_ns = 0;
    return give_command(c, p, item);
}

/* ---- Items ---- */

int td_commands_next(struct td_commands *c, bool follow, struct td_item *item)
{
    int ret;

    if (c->given) {
        c->given->next = c->free;
        c->free = c->given;
        c->given = NULL;
    }
    while (!c->rest) {
        if (c->ended) {
            return 0;
        }
        ret = td_reader_next(c->reader, &c->record);
        if (ret < 0) {
            return ret;
        }
        if (ret == 0) {
            ret = follow ? 0 : collect_rest(c);
            if (ret < 0 || !c->rest) {
                return ret;
            }
            break;
        }
        if (c->record.kind == TD_COMPLETE) {
            return completed(c, item);
        }
        if (c->record.kind == TD_SUBMIT) {
            ret = submitted(c);
            if (ret < 0) {
                return ret;
            }
            continue;
        }
        if (c->record.kind == TD_PAYLOAD) {
            continue; /* td_reader_payload() finds it when asked */
        }
        if (c->record.kind == TD_STACK) {
            ret = keep_stack(c);
            if (ret < 0) {
                return ret;
            }
            continue;
        }
        if (c->record.kind == TD_DEVICE && introduce(c, &c->record.device) < 0) {
            return -ENOMEM;
        }
        *item = (struct td_item){ .kind = TD_ITEM_RECORD, .record = &c->record };
        return 1;
    }
    return give_rest(c, item);
}

void td_commands_skip_elements(struct td_commands *c)
{
    c->skip_elements = true;
}

void td_commands_keep_stacks(struct td_commands *c)
{
    c->keep_stacks = true;
}

int td_commands_open(struct td_reader *reader, struct td_commands **commands)
{
    struct td_commands *c = calloc(1, sizeof(*c));

    if (!c) {
        return -ENOMEM;
    }
    c->reader = reader;
    c->table_size = 256;
    c->table = calloc(c->table_size, sizeof(*c->table));
    if (!c->table) {
        free(c);
        return -ENOMEM;
    }
    *commands = c;
    return 0;
}

static void free_pending(struct pending *p)
{
    if (p) {
        free(p->encoded);
        free(p->stack);
        free(p);
    }
}

static void free_all(struct pending *list)
{
    while (list) {
        struct pending *next = list->next;

        free_pending(list);
        list = next;
    }
}

void td_commands_close(struct td_commands *c)
{
    if (!c) {
        return;
    }
    for (size_t i = 0; i < c->table_size; i++) {
        free_all(c->table[i]);
    }
    while (c->rest && c->next_rest < c->n_rest) {
        free_pending(c->rest[c->next_rest++]);
    }
    free_pending(c->given);
    free_all(c->free);
    for (size_t i = 0; i < c->n_devices; i++) {
        free(c->devices[i].texts);
        for (unsigned k = 0; k < TD_STACKS; k++) {
            free(c->devices[i].stacks[k]);
        }
    }
    free(c->devices);
    free(c->elements);
    free(c->rest);
    free(c->table);
    free(c);
}
