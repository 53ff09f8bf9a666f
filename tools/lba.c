/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tracedisk lba: every command that covered one block, and its memory. */
#include <inttypes.h>
#include <stdio.h>

#include "filter.h"
#include "input.h"
#include "json.h"
#include "options.h"
#include "origin.h"
#include "output.h"
#include "record-text.h"
#include "record.h"
#include "tool.h"

struct history {
    struct filter filter;
    struct input in;
    struct origin_options origin;
    struct json *json; /* NULL: text */
    uint64_t lba;
    uint64_t commands;
};

/* The block's bytes in guest memory: pieces of elements, in order. */
struct place {
    uint64_t addr;
    uint32_t len;
};

/* True when the command moved all bytes of the block. */
static bool find_places(const struct history *h, const struct td_command *c, GArray *places)
{
    uint32_t block_size = input_block_size(&h->in, c->submit.device);
    uint64_t index = is_write_same(c) ? 0 : h->lba - c->decoded.lba;
    uint64_t first = index * block_size; /* in the payload */
    uint64_t end = first + block_size;
    uint64_t at = 0;

    g_array_set_size(places, 0);
    for (uint32_t i = 0; i < element_count(c) && at < end; i++) {
        const struct td_element *element = &c->submit.elements[i];
        uint64_t from = MAX(first, at);
        uint64_t to = MIN(end, at + element->len);

        if (from < to) {
            struct place place = { element->addr + (from - at), (uint32_t)(to - from) };

            g_array_append_val(places, place);
        }
        at += element->len;
    }
    return places->len && at >= end && moved_bytes(c, first, block_size) == block_size;
}

/* What the command did to the block, as far as the status tells. */
static const char *block_was(const struct td_command *c)
{
    if (c->complete.status == TD_PENDING)
        return "in flight";
    switch (c->decoded.op) {
    case TD_OP_READ:
        return "read";
    case TD_OP_WRITE:
        return "written";
    case TD_OP_FLUSH:
        return "flushed";
    case TD_OP_TRIM:
        return "trimmed";
    case TD_OP_ZERO:
        return "zeroed";
    case TD_OP_VERIFY:
        return "verified";
    default:
        return "named";
    }
}

static bool moves_blocks(const struct td_command *c)
{
    return c->decoded.op == TD_OP_READ || c->decoded.op == TD_OP_WRITE;
}

static void print_text(const struct history *h, const struct td_command *c, const GArray *places,
                       bool moved)
{
    char name[DEVICE_NAME_MAX], blocks[48];

    g_snprintf(blocks, sizeof(blocks), "%" PRIu64 "+%" PRIu64, c->decoded.lba, c->decoded.blocks);
    line_start_print_text(command_time(c), input_device_name(&h->in, command_device(c), name),
                          c->seq);
    printf("%-9s  %-20s %-18s %s%-7s%s", block_was(c), c->decoded.name, blocks,
           colour(c->complete.status == TD_GOOD ? COLOUR_NONE : COLOUR_RED),
           td_status_name(c->complete.status), colour(COLOUR_NONE));
    for (guint i = 0; i < places->len; i++) {
        const struct place *place = &g_array_index(places, struct place, i);

        printf("  0x%" PRIx64 "+%" PRIu32, place->addr, place->len);
    }
    if (c->complete.status != TD_PENDING) {
        if (moves_blocks(c) && !moved)
            printf("  not moved");
        digest_print_text(&c->complete.digest, false);
    }
    putchar('\n');
    origin_print_text(&h->origin, c, ELEMENT_INDENT);
}

static void print_json(const struct history *h, const struct td_command *c, const GArray *places,
                       bool moved)
{
    struct json *j = h->json;
    bool pending = c->complete.status == TD_PENDING;
    char name[DEVICE_NAME_MAX], hash[40];

    json_begin_object(j);
    json_key_string(j, "type", "touch");
    json_key_uint(j, "lba", h->lba);
    json_key_uint(j, "seq", c->seq);
    json_key_string(j, "device", input_device_name(&h->in, command_device(c), name));
    json_key_string(j, "name", c->decoded.name);
    json_key_string(j, "op", td_op_name(c->decoded.op));
    json_key_uint(j, "command_lba", c->decoded.lba);
    json_key_uint(j, "command_blocks", c->decoded.blocks);
    json_key_uint(j, "submit_ns", c->submit_ns);
    if (!pending)
        json_key_uint(j, "complete_ns", c->complete_ns);
    json_key_string(j, "status", td_status_name(c->complete.status));
    if (moves_blocks(c) && !pending) {
        json_key(j, "moved");
        json_bool(j, moved);
    }
    json_key(j, "memory");
    json_begin_array(j);
    for (guint i = 0; i < places->len; i++) {
        const struct place *place = &g_array_index(places, struct place, i);

        json_begin_object(j);
        json_key_uint(j, "addr", place->addr);
        json_key_uint(j, "len", place->len);
        json_end_object(j);
    }
    json_end_array(j);
    if (!pending && c->complete.digest.kind != TD_HASH_NONE)
        json_key_string(j, "hash", td_digest_text(&c->complete.digest, hash));
    origin_print_json(j, &h->origin, c);
    json_end_object(j);
    json_end_document(j);
}

static bool covers(const struct history *h, const struct td_command *c)
{
    return c->submit_known && (c->decoded.flags & TD_HAS_LBA) && h->lba >= c->decoded.lba &&
           h->lba - c->decoded.lba < c->decoded.blocks;
}

/* A TRIM or UNMAP names its blocks in its payload; an event tells. */
static bool is_trimmed(const struct history *h, const struct td_record *record)
{
    const struct td_event *e = &record->event;

    return record->kind == TD_EVENT && e->type == TD_EVENT_TRIM && h->lba >= e->addr &&
           h->lba - e->addr < e->len;
}

static void print_trim(const struct history *h, const struct td_record *record)
{
    const struct td_event *e = &record->event;
    struct json *j = h->json;
    char name[DEVICE_NAME_MAX];

    if (!j) {
        line_start_print_text(record->time_ns, input_device_name(&h->in, e->device, name), e->ref);
        printf("trimmed    %" PRIu64 "+%" PRIu64 "%s\n", e->addr, e->len,
               e->value ? "" : "  (may stay as it was)");
        return;
    }
    json_begin_object(j);
    json_key_string(j, "type", "trim");
    json_key_uint(j, "lba", h->lba);
    json_key_uint(j, "seq", e->ref);
    json_key_string(j, "device", input_device_name(&h->in, e->device, name));
    json_key_uint(j, "range_lba", e->addr);
    json_key_uint(j, "range_blocks", e->len);
    json_key_uint(j, "time_ns", record->time_ns);
    json_key(j, "zeros");
    json_bool(j, e->value);
    json_end_object(j);
    json_end_document(j);
}

static void print_titles(const struct history *h)
{
    printf("%s# block %" PRIu64 "\n# %13s  %-4s %8s  %-9s  %-20s %-18s %-7s  %s%s\n",
           colour(COLOUR_DIM), h->lba, "time", "dev", "seq", "block was", "by", "lba+blocks",
           "status", "its memory, payload", colour(COLOUR_NONE));
}

static int print_history(struct history *h, const char *path)
{
    g_autoptr(GArray) places = g_array_new(FALSE, FALSE, sizeof(struct place));
    struct td_item item;

    if (!input_open(&h->in, path))
        return EXIT_TROUBLE;
    h->in.keep_stacks = h->origin.symbols;
    output_open();
    if (!h->json)
        print_titles(h);
    while (output_alive() && filter_next_item(&h->filter, &h->in, false, &item)) {
        bool moved;

        if (item.kind == TD_ITEM_RECORD && is_trimmed(h, item.record)) {
            h->commands++;
            print_trim(h, item.record);
        }
        if (item.kind != TD_ITEM_COMMAND || !covers(h, item.command))
            continue;
        h->commands++;
        g_array_set_size(places, 0);
        moved = moves_blocks(item.command) && find_places(h, item.command, places);
        if (h->json)
            print_json(h, item.command, places, moved);
        else
            print_text(h, item.command, places, moved);
    }
    if (!h->json && !h->commands)
        printf("%s# no command in this trace covered it%s\n", colour(COLOUR_DIM),
               colour(COLOUR_NONE));
    output_flush();
    return output_close(filter_close_input(&h->filter, &h->in));
}

int lba_main(int argc, char **argv)
{
    struct history history = { 0 };
    gboolean as_json = FALSE;
    const GOptionEntry options[] = {
        { "json", 0, 0, G_OPTION_ARG_NONE, &as_json, "print one JSON object a line", NULL },
        ORIGIN_OPTION_ENTRIES(&history.origin),
        G_OPTION_ENTRY_NULL,
    };
    const struct command_line line = {
        .arguments = "LBA TRACE",
        .summary = "Print the history of one logical block: every command that covered it, and "
                   "which guest memory its bytes came from or went to.",
        .description = "Exit status: 0 fine, 1 something of the trace is missing (damaged or lost "
                       "records), 2 trouble.",
        .entries = options,
        .group = filter_options,
        .data = &history.filter,
        .operands = 2,
    };
    int status = EXIT_TROUBLE;

    filter_init(&history.filter);
    if (!command_line_parse(&line, &argc, &argv)) {
        /* said */
    } else if (!parse_number(argv[1], &history.lba)) {
        say("'%s' is not a block: a number, decimal or 0x...", argv[1]);
    } else if (origin_options_open(&history.origin)) {
        history.json = as_json ? json_new(false) : NULL;
        status = print_history(&history, argv[2]);
        json_free(history.json);
    }
    origin_options_close(&history.origin);
    filter_clear(&history.filter);
    return status;
}
