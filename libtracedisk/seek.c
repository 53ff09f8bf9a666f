/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading from a checkpoint on. What is before it is left out, and nothing else
 * differs: so the blocks that are passed over must be sound, for damage would
 * have to be told, and might be of what stands at the checkpoint.
 */
#include <errno.h>
#include <stdlib.h>

#include "block.h"
#include "reader.h"

/* NULL: there is none, or it cannot be used, which reading it as a block will tell. */
static const struct td_index *get_index(struct td_reader *r)
{
    const uint8_t *records;
    uint8_t *image = NULL;
    int64_t len;

    if (r->index || !r->index_block.capacity) {
        return r->index;
    }
    len = td_read_records(r->fd, &r->index_block, &image, &records);
    r->index = len < 0 ? NULL : calloc(1, sizeof(*r->index));
    if (r->index && td_index_decode(records, (size_t)len, r->index) < 0) {
        free(r->index);
        r->index = NULL;
    }
    free(image);
    return r->index;
}

/* Is no block missing of those that begin at or before seq, and is each sound? */
static int64_t check_stream(struct td_reader *r, const struct stream *s, uint64_t seq)
{
    uint8_t *image = NULL;
    size_t size = 0;
    int64_t ret = 0;

    for (uint32_t i = 0; i < s->n_blocks && s->blocks[i].first_seq <= seq && ret >= 0; i++) {
        const struct td_block *b = &s->blocks[i];
        const char *reason;
        uint32_t crc;

        if (b->index != i) {
            ret = -EBADMSG;
        } else if (b->capacity > size) {
            free(image);
            image = malloc(b->capacity);
            size = b->capacity;
            ret = image ? 0 : -ENOMEM;
        }
        ret = ret < 0 ? ret : td_read_image(r->fd, b, image, &crc, &reason);
    }
    free(image);
    return ret;
}

/* 1: yes, 0: no, or failure. */
static int all_is_sound_before(struct td_reader *r, uint64_t seq)
{
    if (r->n_regions || r->n_holes || r->newer) {
        return 0;
    }
    for (uint32_t i = 0; i < r->n_streams; i++) {
        int64_t ret = r->streams[i] ? check_stream(r, r->streams[i], seq) : 0;

        if (ret == -EBADMSG || ret == -ENODATA) {
            return 0;
        }
        if (ret < 0) {
            return ret == -ENOMEM ? td_fail_memory(r) : td_fail_read(r, ret, 0);
        }
    }
    return 1;
}

int td_reader_seek(struct td_reader *r, uint64_t seq)
{
    const struct td_index *index = get_index(r);
    const struct td_checkpoint *at = index ? td_index_find(index, seq) : NULL;
    int ret;

    if (r->expected != 1 || r->place) {
        return -EINVAL;
    }
    ret = at ? all_is_sound_before(r, at->seq) : 0;
    if (ret <= 0) {
        return ret;
    }
    r->standing = malloc((index->n_standing + 1) * sizeof(*r->standing));
    if (!r->standing) {
        return td_fail_memory(r);
    }
    r->n_standing = td_index_standing(index, at, r->standing);
    r->place = at->seq;
    return 1;
}

uint64_t td_reader_find_time(struct td_reader *r, uint64_t time_ns)
{
    const struct td_index *index = get_index(r);
    size_t n = index ? index->n_checkpoints : 0;

    while (n && index->checkpoints[n - 1].latest_ns >= time_ns) {
        n--;
    }
    return n ? index->checkpoints[n - 1].seq : 0;
}

uint64_t td_reader_find_mark(struct td_reader *r, const char *name)
{
    const struct td_index *index = get_index(r);

    for (size_t i = 0; index && i < index->n_marks; i++) {
        if (strcmp(index->marks[i].name, name) == 0) {
            return index->marks[i].seq;
        }
    }
    return 0;
}

/* ---- While reading ---- */

/* The first of the standing records at or behind seq; UINT64_MAX: none. */
static uint64_t next_standing(const struct td_reader *r, uint64_t seq)
{
    size_t low = 0, high = r->n_standing;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (r->standing[middle] < seq) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < r->n_standing ? r->standing[low] : UINT64_MAX;
}

bool td_stands(const struct td_reader *r, uint64_t seq)
{
    return next_standing(r, seq) == seq;
}

void td_pass_over_blocks(struct td_reader *r, struct stream *s)
{
    while (s->at + 1 < s->n_blocks && s->blocks[s->at + 1].first_seq <= r->place &&
           next_standing(r, s->blocks[s->at].first_seq) >= s->blocks[s->at + 1].first_seq) {
        r->done += s->blocks[s->at].capacity;
        s->open = false;
        s->at++;
    }
}
