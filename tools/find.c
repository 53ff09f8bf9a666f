/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tracedisk find: where the bytes of a buffer came from. */
#include "find.h"

#include <inttypes.h>
#include <stdio.h>

#include "filter.h"
#include "input.h"
#include "json.h"
#include "options.h"
#include "output.h"
#include "record-text.h"
#include "tool.h"

struct find {
    struct filter filter;
    struct input in;
    struct find_file file;
    uint64_t other_sizes; /* commands of disks with another block size */
    uint64_t bytes[PIECE_REST + 1];
    struct td_sectors *hasher; /* of kept bytes */
    uint32_t hasher_block_size;
};

static const char *const piece_names[] = {
    [PIECE_SEEN] = "seen",
    [PIECE_UNSEEN] = "never seen",
    [PIECE_ZEROS] = "zeros",
    [PIECE_REST] = "less than a block",
};

/* ---- The trace ---- */

/* Walks a command's memory together with its payload. */
struct memory {
    const struct td_command *command;
    uint32_t element;
    uint64_t begin; /* of the element, in the payload */
};

/* Where a byte of the payload lies; false when the trace does not tell. */
static bool memory_at(struct memory *m, uint64_t offset, uint64_t *addr)
{
    const struct td_element *elements = m->command->submit.elements;

    while (m->element < element_count(m->command)) {
        if (offset - m->begin < elements[m->element].len) {
            *addr = elements[m->element].addr + (offset - m->begin);
            return true;
        }
        m->begin += elements[m->element++].len;
    }
    return false;
}

static void see_sector(const struct td_command *c, struct memory *memory, uint32_t i,
                       uint32_t block_size, struct sector *sector)
{
    struct carrier *carrier = &sector->carrier;
    uint64_t times = carrier->times + 1;

    *carrier = (struct carrier){
        .seq = c->seq,
        .ns = c->complete_ns,
        .device = command_device(c),
        .direction = command_direction(c),
        .command = c->decoded.name,
        .times = times,
        /* COMPARE AND WRITE has its blocks twice. */
        .lba = c->decoded.lba + i % MAX(c->decoded.blocks, 1),
    };
    carrier->has_addr = memory_at(memory, (uint64_t)i * block_size, &carrier->addr);
}

/* The hashes of a command's blocks, recorded or of the bytes that are kept; NULL: none. */
static const uint8_t *block_hashes(struct find *f, const struct td_command *c, uint32_t block_size,
                                   uint32_t *n)
{
    uint8_t chunk[TD_PIECE];
    uint64_t done = 0;
    int64_t got;

    *n = c->complete.n_sectors;
    if (c->complete.sectors || !c->complete.n_parts)
        return c->complete.sectors;
    if (f->hasher_block_size != block_size) {
        td_sectors_free(f->hasher);
        f->hasher = td_sectors_new(block_size);
        f->hasher_block_size = block_size;
    }
    td_sectors_begin(f->hasher);
    while ((got = td_reader_payload(f->in.reader, &c->complete, done, chunk, sizeof(chunk))) > 0) {
        td_sectors_add(f->hasher, chunk, (size_t)got);
        done += (uint64_t)got;
    }
    return td_sectors_end(f->hasher, n);
}

static void see_command(struct find *f, const struct td_command *c)
{
    struct memory memory = { .command = c };
    const uint8_t *hashes;
    uint32_t block_size, n;

    if (c->complete.status == TD_PENDING || !(c->complete.n_sectors || c->complete.n_parts) ||
        !c->submit_known || !(c->decoded.flags & TD_HAS_LBA))
        return;
    block_size = input_block_size(&f->in, command_device(c));
    if (!f->file.block_size)
        find_file_cut(&f->file, block_size);
    if (f->file.block_size != block_size) {
        f->other_sizes++;
        return;
    }
    hashes = block_hashes(f, c, block_size, &n);
    for (uint32_t i = 0; i < n; i++) {
        struct sector *sector = find_file_sector(&f->file, hashes + (size_t)i * TD_SECTOR_HASH);

        if (sector)
            see_sector(c, &memory, i, block_size, sector);
    }
}

/* ---- Output ---- */

static void print_text(const struct find *f, const struct piece *p)
{
    const struct carrier *c = &p->carrier;
    char name[DEVICE_NAME_MAX], time[TIME_TEXT_MAX];

    printf("%#10" PRIx64 " %8" PRIu64 "  ", p->offset, p->len);
    if (p->kind != PIECE_SEEN) {
        printf("%s%s%s\n", colour(p->kind == PIECE_UNSEEN ? COLOUR_RED : COLOUR_DIM),
               piece_names[p->kind], colour(COLOUR_NONE));
        return;
    }
    printf("%15s  %-4s #%-8" PRIu64 " %-20s %10" PRIu64 "+%-6" PRIu64, time_text(c->ns, time),
           input_device_name(&f->in, c->device, name), c->seq, c->command, c->lba,
           p->len / f->file.block_size);
    if (c->has_addr)
        printf(" %s 0x%" PRIx64 "%s", c->direction == TO_MEMORY ? "to" : "from", c->addr,
               p->scattered ? " ..." : "");
    if (c->times > 1)
        printf("  (the last of %" PRIu64 ")", c->times);
    putchar('\n');
}

static void print_json(struct json *j, const struct find *f, const struct piece *p)
{
    static const char *const kinds[] = {
        [PIECE_SEEN] = "seen",
        [PIECE_UNSEEN] = "unseen",
        [PIECE_ZEROS] = "zeros",
        [PIECE_REST] = "rest",
    };
    const struct carrier *c = &p->carrier;
    char name[DEVICE_NAME_MAX];

    json_begin_object(j);
    json_key_string(j, "type", kinds[p->kind]);
    json_key_uint(j, "offset", p->offset);
    json_key_uint(j, "len", p->len);
    if (p->kind == PIECE_SEEN) {
        json_key_uint(j, "seq", c->seq);
        json_key_string(j, "device", input_device_name(&f->in, c->device, name));
        json_key_uint(j, "complete_ns", c->ns);
        json_key_string(j, "name", c->command);
        json_key_string(j, "direction", direction_name(c->direction));
        json_key_uint(j, "lba", c->lba);
        json_key_uint(j, "blocks", p->len / f->file.block_size);
        if (c->has_addr) {
            json_key_uint(j, "addr", c->addr);
            json_key(j, "contiguous");
            json_bool(j, !p->scattered);
        }
        json_key_uint(j, "times", c->times);
    }
    json_end_object(j);
    json_end_document(j);
}

static void print_pieces(struct find *f, bool as_json)
{
    struct json *j = as_json ? json_new(false) : NULL;
    struct piece piece;

    if (!j)
        printf("%s# %8s %8s  %15s  %-4s %-9s %-20s %17s %s%s\n", colour(COLOUR_DIM), "offset",
               "bytes", "time", "dev", "seq", "command", "lba+blocks", "memory",
               colour(COLOUR_NONE));
    for (uint64_t at = f->file.offset; output_alive() && find_file_piece(&f->file, at, &piece);
         at += piece.len) {
        if (j)
            print_json(j, f, &piece);
        else
            print_text(f, &piece);
        f->bytes[piece.kind] += piece.len;
    }
    if (!j)
        printf("%s# %" PRIu64 " bytes seen, %" PRIu64 " never, %" PRIu64 " of zeros%s\n",
               colour(COLOUR_DIM), f->bytes[PIECE_SEEN], f->bytes[PIECE_UNSEEN],
               f->bytes[PIECE_ZEROS], colour(COLOUR_NONE));
    json_free(j);
}

static int find_in_trace(struct find *f, const char *path, bool as_json)
{
    struct td_item item;
    int status = EXIT_FINE, reading;

    if (!input_open(&f->in, path))
        return EXIT_TROUBLE;
    output_open();
    while (filter_next_item(&f->filter, &f->in, false, &item)) {
        if (item.kind == TD_ITEM_COMMAND)
            see_command(f, item.command);
    }
    if (f->file.block_size) {
        print_pieces(f, as_json);
        status = f->bytes[PIECE_UNSEEN] ? EXIT_FINDINGS : EXIT_FINE;
    } else if (!f->in.failed) {
        say("%s: no command looked at has hashes of its blocks, or its bytes: record with "
            "-device tracedisk,sectors=on,... or payload=all",
            path);
        status = EXIT_TROUBLE;
    }
    output_flush();
    td_sectors_free(f->hasher);
    reading = filter_close_input(&f->filter, &f->in);
    if (f->other_sizes)
        say("%" PRIu64 " commands of disks with another block size than %" PRIu32
            " were not looked at; choose one with --device",
            f->other_sizes, f->file.block_size);
    return output_close(MAX(status, reading));
}

static gboolean option_offset(const gchar *name, const gchar *value, gpointer data, GError **error)
{
    /* The group's data is the filter, the first member. */
    struct find *f = data;

    (void)name;
    if (parse_number(value, &f->file.offset))
        return TRUE;
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, "--offset %s: a number is needed",
                value);
    return FALSE;
}

int find_main(int argc, char **argv)
{
    struct find f = { 0 };
    gboolean as_json = FALSE, unaligned = FALSE;
    const GOptionEntry options[] = {
        { "offset", 0, 0, G_OPTION_ARG_CALLBACK, option_offset, "begin at this byte of FILE (0)",
          "N" },
        { "unaligned", 0, 0, G_OPTION_ARG_NONE, &unaligned,
          "a block's bytes may begin at any byte of FILE", NULL },
        { "json", 0, 0, G_OPTION_ARG_NONE, &as_json, "print one JSON object a line", NULL },
        G_OPTION_ENTRY_NULL,
    };
    const struct command_line line = {
        .arguments = "FILE TRACE",
        .summary = "For each sector of FILE, a dump of a buffer, tell which block held it, which "
                   "command carried it last, when, and to or from which memory.",
        .description = "Needs a trace recorded with sectors=on. Exit status: 0 fine, 1 some "
                       "sectors were never seen or something of the trace is missing, 2 trouble.",
        .entries = options,
        .group = filter_options,
        .data = &f.filter,
        .operands = 2,
    };
    int status = EXIT_TROUBLE;

    filter_init(&f.filter);
    if (command_line_parse(&line, &argc, &argv)) {
        f.file.unaligned = unaligned;
        if (find_file_open(&f.file, argv[1]))
            status = find_in_trace(&f, argv[2], as_json);
    }
    find_file_close(&f.file);
    filter_clear(&f.filter);
    return status;
}
