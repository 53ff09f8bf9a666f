/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tracedisk page: who wrote and who read one page of guest memory, in order. */
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

/* A stretch of the page that one command's elements, or one FIS, name. */
struct touch {
    const struct td_command *command; /* NULL: a FIS that belongs to none */
    const char *what;                 /* a command's or FIS's name */
    uint64_t seq, time_ns;
    uint32_t device;
    enum direction direction;
    uint32_t offset, len; /* in the page */
    uint32_t moved;       /* of len, from its start */
    bool has_lba;
    uint64_t lba;          /* the block that the first byte belongs to … */
    uint32_t lba_offset;   /* … and where in it */
    bool payload;          /* false: written by the HBA itself */
};

struct history {
    struct filter filter;
    struct input in;
    struct origin_options origin;
    struct json *json; /* NULL: text */
    uint64_t page;
    uint64_t touches;
    bool written; /* last_* tell by whom */
    uint64_t last_seq, last_ns;
    char last_what[64];
};

static const char *page_was(const struct touch *t)
{
    if (t->payload && t->moved == 0)
        return t->command->complete.status == TD_PENDING ? "in flight" : "not moved";
    switch (t->direction) {
    case TO_MEMORY:
        return "written";
    case FROM_MEMORY:
        return "read";
    default:
        return "used";
    }
}

static void print_text(const struct history *h, const struct touch *t)
{
    char name[DEVICE_NAME_MAX], block[48] = "-";

    if (t->has_lba && t->lba_offset)
        g_snprintf(block, sizeof(block), "%" PRIu64 " byte %" PRIu32, t->lba, t->lba_offset);
    else if (t->has_lba)
        g_snprintf(block, sizeof(block), "%" PRIu64, t->lba);
    line_start_print_text(t->time_ns, input_device_name(&h->in, t->device, name), t->seq);
    printf("%s%-9s%s  0x%03" PRIx32 "-0x%03" PRIx32 " %5" PRIu32 "  %-20s %-12s %-7s",
           colour(t->direction == TO_MEMORY ? COLOUR_YELLOW : COLOUR_NONE), page_was(t),
           colour(COLOUR_NONE), t->offset, t->offset + t->len - 1, t->len, t->what, block,
           t->command ? td_status_name(t->command->complete.status) : "-");
    if (t->payload && t->command->complete.status != TD_PENDING)
        digest_print_text(&t->command->complete.digest, false);
    if (t->moved && t->moved < t->len)
        printf("  only %" PRIu32 " bytes moved", t->moved);
    putchar('\n');
    if (t->payload)
        origin_print_text(&h->origin, t->command, ELEMENT_INDENT);
}

static void print_json(const struct history *h, const struct touch *t)
{
    struct json *j = h->json;
    char name[DEVICE_NAME_MAX], hash[40];

    json_begin_object(j);
    json_key_string(j, "type", "touch");
    json_key_uint(j, "page", h->page);
    json_key_uint(j, "seq", t->seq);
    json_key_string(j, "device", input_device_name(&h->in, t->device, name));
    json_key_string(j, "what", t->payload ? "payload" : t->what);
    if (t->payload) {
        json_key_string(j, "name", t->what);
        json_key_string(j, "op", td_op_name(t->command->decoded.op));
    }
    json_key_string(j, "direction", direction_name(t->direction));
    json_key_uint(j, "offset", t->offset);
    json_key_uint(j, "len", t->len);
    json_key_uint(j, "moved", t->moved);
    if (t->has_lba) {
        json_key_uint(j, "lba", t->lba);
        json_key_uint(j, "lba_offset", t->lba_offset);
    }
    if (t->command && t->command->submit_known)
        json_key_uint(j, "submit_ns", t->command->submit_ns);
    if (!t->command)
        json_key_uint(j, "time_ns", t->time_ns);
    else if (t->command->complete.status != TD_PENDING)
        json_key_uint(j, "complete_ns", t->command->complete_ns);
    if (t->command)
        json_key_string(j, "status", td_status_name(t->command->complete.status));
    if (t->payload && t->command->complete.status != TD_PENDING &&
        t->command->complete.digest.kind != TD_HASH_NONE)
        json_key_string(j, "hash", td_digest_text(&t->command->complete.digest, hash));
    if (t->payload)
        origin_print_json(j, &h->origin, t->command);
    json_end_object(j);
    json_end_document(j);
}

static void print_touch(struct history *h, const struct touch *t)
{
    h->touches++;
    if (t->direction == TO_MEMORY && t->moved) {
        h->written = true;
        h->last_seq = t->seq;
        h->last_ns = t->time_ns;
        g_strlcpy(h->last_what, t->what, sizeof(h->last_what));
    }
    if (h->json)
        print_json(h, t);
    else
        print_text(h, t);
}

/* The part of addr + len that lies in the page; false when none does. */
static bool clip(const struct history *h, uint64_t addr, uint64_t len, uint32_t *offset,
                 uint32_t *part, uint64_t *skipped)
{
    uint64_t first = MAX(addr, h->page);
    uint64_t last;

    if (len == 0 || addr > h->page + (GUEST_PAGE - 1))
        return false;
    last = len - 1 > UINT64_MAX - addr ? UINT64_MAX : addr + (len - 1);
    if (last < h->page)
        return false;
    last = MIN(last, h->page + (GUEST_PAGE - 1));
    *offset = (uint32_t)(first - h->page);
    *part = (uint32_t)(last - first + 1);
    *skipped = first - addr;
    return true;
}

static void see_fis(struct history *h, struct touch touch, uint64_t addr, uint32_t len)
{
    uint64_t skipped;

    touch.direction = TO_MEMORY;
    if (!clip(h, addr, len, &touch.offset, &touch.len, &skipped))
        return;
    touch.moved = touch.len;
    print_touch(h, &touch);
}

/* What element i touches; len 0: nothing. `at`: where it begins in the payload. */
static struct touch element_touch(const struct history *h, const struct td_command *c, uint32_t i,
                                  uint64_t at)
{
    const struct td_element *element = &c->submit.elements[i];
    uint32_t block_size = input_block_size(&h->in, c->submit.device);
    struct touch touch = { .len = 0 };
    uint64_t skipped;

    if (!clip(h, element->addr, element->len, &touch.offset, &touch.len, &skipped))
        return touch;
    touch.command = c;
    touch.what = c->decoded.name;
    touch.seq = c->seq;
    touch.time_ns = command_time(c);
    touch.device = command_device(c);
    touch.direction = command_direction(c);
    touch.payload = true;
    touch.moved = moved_bytes(c, at + skipped, touch.len);
    touch.has_lba = (c->decoded.flags & TD_HAS_LBA) && c->decoded.op != TD_OP_TRIM &&
                    (at + skipped) / block_size < c->decoded.blocks;
    touch.lba = c->decoded.lba + (at + skipped) / block_size;
    touch.lba_offset = (uint32_t)((at + skipped) % block_size);
    return touch;
}

/* Elements that continue each other in memory are one touch. */
static void see_payload(struct history *h, const struct td_command *c)
{
    struct touch touch = { .len = 0 };
    uint64_t at = 0; /* in the payload */

    for (uint32_t i = 0; i < element_count(c); i++) {
        struct touch next = element_touch(h, c, i, at);

        if (touch.len && next.len && touch.offset + touch.len == next.offset) {
            touch.len += next.len;
            touch.moved += next.moved;
        } else {
            if (touch.len)
                print_touch(h, &touch);
            touch = next;
        }
        at += c->submit.elements[i].len;
    }
    if (touch.len)
        print_touch(h, &touch);
}

static void see_command(struct history *h, const struct td_command *c)
{
    see_payload(h, c);
    if (c->complete.status == TD_PENDING)
        return;
    for (uint32_t i = 0; i < c->complete.n_metadata; i++) {
        const struct td_metadata *metadata = &c->complete.metadata[i];
        const struct touch touch = {
            .command = c,
            .what = td_metadata_name(metadata->kind),
            .seq = c->seq,
            .time_ns = c->complete_ns,
            .device = command_device(c),
        };

        see_fis(h, touch, metadata->addr, metadata->len);
    }
}

static void see_record(struct history *h, const struct td_record *record)
{
    const struct td_event *event = &record->event;

    if (record->kind == TD_EVENT && event->type == TD_EVENT_FIS && (event->has & TD_HAS_ADDR))
        see_fis(h,
                (struct touch){ .what = "fis",
                                .seq = record->seq,
                                .time_ns = record->time_ns,
                                .device = event->device },
                event->addr,
                event->has & TD_HAS_LEN ? (uint32_t)event->len : event->data_len);
}

static void print_title(const struct history *h)
{
    printf("%s# page 0x%" PRIx64 " to 0x%" PRIx64 "; read and written by the device, not by the "
           "CPU\n# %13s  %-4s %8s  %-9s  %-17s  %-20s %-12s %-7s  %s%s\n",
           colour(COLOUR_DIM), h->page, h->page + (GUEST_PAGE - 1), "time", "dev", "seq",
           "page was", "  bytes", "by", "block", "status", "payload", colour(COLOUR_NONE));
}

static void print_summary(const struct history *h)
{
    char time[TIME_TEXT_MAX];

    time_text(h->last_ns, time);
    fputs(colour(COLOUR_DIM), stdout);
    if (!h->touches)
        printf("# no command or FIS in this trace touched it");
    else if (h->written)
        printf("# last written by #%" PRIu64 ", %s, at %s s", h->last_seq, h->last_what,
               g_strchug(time));
    else
        printf("# never written by the device in this trace");
    printf("%s\n", colour(COLOUR_NONE));
}

static int print_history(struct history *h, const char *path)
{
    struct td_item item;

    if (!input_open(&h->in, path))
        return EXIT_TROUBLE;
    h->in.keep_stacks = h->origin.symbols;
    output_open();
    if (!h->json)
        print_title(h);
    while (output_alive() && filter_next_item(&h->filter, &h->in, false, &item)) {
        if (item.kind == TD_ITEM_COMMAND)
            see_command(h, item.command);
        else
            see_record(h, item.record);
    }
    if (!h->json)
        print_summary(h);
    output_flush();
    return output_close(filter_close_input(&h->filter, &h->in));
}

int page_main(int argc, char **argv)
{
    struct history history = { 0 };
    gboolean as_json = FALSE;
    const GOptionEntry options[] = {
        { "json", 0, 0, G_OPTION_ARG_NONE, &as_json, "print one JSON object a line", NULL },
        ORIGIN_OPTION_ENTRIES(&history.origin),
        G_OPTION_ENTRY_NULL,
    };
    const struct command_line line = {
        .arguments = "GPA TRACE",
        .summary = "Print the history of the 4 KiB page that holds a guest-physical address: which "
                   "commands and FISes wrote it and read it, in order.",
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
    } else if (!parse_number(argv[1], &history.page)) {
        say("'%s' is not a guest-physical address: a number, decimal or 0x...", argv[1]);
    } else if (origin_options_open(&history.origin)) {
        history.page -= history.page % GUEST_PAGE;
        history.json = as_json ? json_new(false) : NULL;
        status = print_history(&history, argv[2]);
        json_free(history.json);
    }
    origin_options_close(&history.origin);
    filter_clear(&history.filter);
    return status;
}
