/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The blocks of a trace by stream: found when it is opened, and as it grows.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "block.h"
#include "reader.h"

/* ---- Errors ---- */

int td_fail(struct td_reader *r, int ret, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(r->error, sizeof(r->error), format, args);
    va_end(args);
    r->failed = true;
    return ret;
}

int td_fail_read(struct td_reader *r, int64_t ret, uint64_t offset)
{
    return td_fail(r, (int)ret, "reading at offset %llu failed: %s", (unsigned long long)offset,
                   strerror((int)-ret));
}

int td_fail_memory(struct td_reader *r)
{
    return td_fail(r, -ENOMEM, "out of memory");
}

int td_need_one_more(void *array, size_t n, size_t size)
{
    void *p;

    if (n & (n - 1)) {
        return 0;
    }
    p = realloc(*(void **)array, (n ? 2 * n : 1) * size);
    if (!p) {
        return -ENOMEM;
    }
    *(void **)array = p;
    return 0;
}

/* ---- Blocks ---- */

static int add_region(struct td_reader *r, uint64_t offset, uint64_t bytes, const char *reason)
{
    struct region *last = r->n_regions ? &r->regions[r->n_regions - 1] : NULL;

    if (last && last->offset + last->bytes == offset) {
        last->bytes += bytes;
        return 0;
    }
    if (td_need_one_more(&r->regions, r->n_regions, sizeof(*last)) < 0) {
        return td_fail_memory(r);
    }
    r->regions[r->n_regions++] = (struct region){ offset, bytes, reason };
    return 0;
}

static int add_block(struct td_reader *r, const struct td_block *block)
{
    struct stream *s;
    uint32_t i;

    if (block->stream >= r->n_streams) {
        uint32_t n = block->stream + 1;
        struct stream **streams = realloc(r->streams, n * sizeof(struct stream *));

        if (!streams) {
            return td_fail_memory(r);
        }
        memset(streams + r->n_streams, 0, (n - r->n_streams) * sizeof(struct stream *));
        r->streams = streams;
        r->n_streams = n;
    }
    s = r->streams[block->stream];
    if (!s) {
        s = calloc(1, sizeof(*s));
        if (!s) {
            return td_fail_memory(r);
        }
        s->next_seq = TD_NO_SEQ;
        r->streams[block->stream] = s;
    }
    if (s->n_blocks == s->room) {
        uint32_t room = s->room ? 2 * s->room : 4;
        struct td_block *blocks = realloc(s->blocks, room * sizeof(*blocks));

        if (!blocks) {
            return td_fail_memory(r);
        }
        s->blocks = blocks;
        s->room = room;
    }
    /* A stream's blocks are in order, unless somebody shuffled the file. */
    for (i = s->n_blocks; i > s->at && s->blocks[i - 1].index > block->index; i--) {
        s->blocks[i] = s->blocks[i - 1];
    }
    s->blocks[i] = *block;
    s->n_blocks++;
    if (!s->open && i == s->at) {
        s->next_seq = block->first_seq;
    }
    if (block->flags & TD_BLOCK_INDEX) {
        r->index_block = *block;
    }
    return 0;
}

/* Slots that were claimed and not begun when they were seen first. */
static int look_at_holes(struct td_reader *r, bool *news)
{
    size_t kept = 0;
    int ret = 0;

    for (size_t i = 0; i < r->n_holes && ret >= 0; i++) {
        struct td_block block;
        const char *reason;
        uint64_t next;

        ret = td_scan(r->fd, r->holes[i], &block, &next, &reason);
        if (ret == TD_FOUND_BLOCK) {
            ret = add_block(r, &block);
            *news = true;
        } else {
            r->holes[kept++] = r->holes[i];
        }
    }
    r->n_holes = kept;
    return ret < 0 ? ret : 0;
}

/*
 * The chain of blocks breaks at offset. When bytes are missing from the last
 * block, the next one begins before the offset: go back to it.
 */
static int find_next_block(struct td_reader *r, uint64_t offset, uint64_t *next)
{
    int64_t found = td_find_header(r->fd, r->inside, offset);

    if (found < 0) {
        return td_fail_read(r, found, offset);
    }
    r->inside = offset;
    if ((uint64_t)found < offset) {
        *next = (uint64_t)found;
        return 1;
    }
    return 0;
}

/* Index what is new in the file. While it grows, do not read all its tail. */
static int scan_on(struct td_reader *r, uint64_t end, bool *news)
{
    uint64_t offset = r->scanned;

    while (offset < end) {
        struct td_block block;
        const char *reason;
        uint64_t next;
        int ret = td_scan(r->fd, offset, &block, &next, &reason);

        if (ret == TD_FOUND_UNUSED) {
            r->open_end = true;
            offset = next;
            continue;
        }
        if (ret == TD_FOUND_FINISH) {
            r->open_end = true;
        }
        if (ret == TD_FOUND_END || ret == TD_FOUND_FINISH) {
            break;
        }
        r->open_end = false;
        if (ret < 0) {
            return td_fail_read(r, ret, offset);
        }
        for (; r->scanned < offset; r->scanned += TD_BLOCK_SIZE) {
            if (td_need_one_more(&r->holes, r->n_holes, sizeof(*r->holes)) < 0) {
                return td_fail_memory(r);
            }
            r->holes[r->n_holes++] = r->scanned;
        }
        if (ret == TD_FOUND_BLOCK) {
            r->inside = offset + TD_BLOCK_HEADER;
            ret = add_block(r, &block);
        } else if (ret == TD_FOUND_NEWER) {
            r->newer = true;
            ret = add_region(r, offset, next - offset, "a block of a newer format version");
        } else {
            ret = find_next_block(r, offset, &next);
            ret = ret ? ret : add_region(r, offset, next - offset, reason);
        }
        if (ret < 0) {
            return ret;
        }
        *news = true;
        r->scanned = offset = next;
    }
    return 0;
}

/*
 * The holes last: a slot may have been begun after it was passed, and before a
 * later block of its stream, which was found.
 */
int td_look_for_blocks(struct td_reader *r, uint64_t end, bool *news)
{
    int ret = scan_on(r, end, news);

    return ret < 0 ? ret : look_at_holes(r, news);
}

const struct td_block *td_block_of(const struct stream *s, uint64_t seq)
{
    uint32_t low = 0, high = s->n_blocks;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (s->blocks[middle].first_seq <= seq) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low ? &s->blocks[low - 1] : NULL;
}
