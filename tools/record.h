/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What text and JSON output both need to know about commands and records. */
#ifndef TOOLS_RECORD_H
#define TOOLS_RECORD_H

#include <glib.h>

#include "libtracedisk/tracedisk.h"

#define GUEST_PAGE 4096u

/* SPC-4 4.5: what went wrong, out of fixed or descriptor format. */
struct sense_code {
    uint8_t key, asc, ascq;
};

/* False when there is no sense, or it is too short to tell. */
bool sense_decode(const struct td_complete *complete, struct sense_code *code);

#define SENSE_TEXT_MAX 9

/* "05/21/00"; NULL when there is no sense. */
const char *sense_text(const struct td_complete *complete, char buf[SENSE_TEXT_MAX]);

/*
 * The words for all flags of a command, in a fixed order: "fua", "dpo",
 * "buffer-changed", "list-short", "list-long", "outside-ram",
 * "submit-missing", "list-damaged". Returns how many were stored.
 */
#define COMMAND_FLAGS_MAX 8
size_t command_flags(const struct td_command *c, const char *words[COMMAND_FLAGS_MAX]);

/* The elements that can be looked at: none when the list is damaged. */
static inline uint32_t element_count(const struct td_command *c)
{
    return c->submit_known && c->submit.elements ? c->submit.n_elements : 0;
}

/* Which way a command moves its payload. */
enum direction {
    DIRECTION_UNKNOWN, /* not told by what is recorded */
    TO_MEMORY,
    FROM_MEMORY,
};

enum direction command_direction(const struct td_command *c);
const char *direction_name(enum direction direction);

/*
 * The device's id, and the time a line about the command carries: that of its
 * completion, or of its submission while it is pending.
 */
uint32_t command_device(const struct td_command *c);
uint64_t command_time(const struct td_command *c);

/* Of `len` bytes at `offset` in the payload, how many the command moved. */
uint32_t moved_bytes(const struct td_command *c, uint64_t offset, uint32_t len);

/* WRITE SAME: its payload is one block, written to all its blocks. */
bool is_write_same(const struct td_command *c);

/* Memory that a command's elements name, cut at page borders. */
struct page_piece {
    uint64_t page;   /* guest-physical address of the page */
    uint32_t offset; /* of the piece in the page */
    uint32_t len;
};

/*
 * The first piece of addr + len. Walk an element with
 *     for (; len; addr += piece.len, len -= piece.len)
 *         piece = first_page_piece(addr, len);
 */
static inline struct page_piece first_page_piece(uint64_t addr, uint32_t len)
{
    uint32_t offset = (uint32_t)(addr % GUEST_PAGE);

    return (struct page_piece){ addr - offset, offset, MIN(len, GUEST_PAGE - offset) };
}

#endif
