/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading from one checkpoint to another. What is before and behind is left out, and
 * nothing else differs: so the blocks that are passed over must be sound, for damage
 * would have to be told, and might be of what stands at the checkpoint.
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

/* ---- What is wanted ---- */

static void want(struct td_reader *r, uint64_t first, uint64_t end)
{
    r->wanted[r->n_wanted++] = (struct td_range){ first, end };
}

/*
 * For each record that stands somewhere: itself, if it does so where reading begins,
 * or tells of the whole trace; and of a SUBMIT that is wanted, and has no COMPLETE
 * where reading ends, the records between two checkpoints that have the latter.
 * from, until: numbers of checkpoints; n_checkpoints: none.
 */
static void want_standing(struct td_reader *r, size_t from, size_t until)
{
    const struct td_index *x = r->index;
    const struct td_checkpoint *at = x->checkpoints;
    size_t n = x->n_checkpoints, begin = 0, end;

    for (size_t i = 0; i < x->n_standing; i++) {
        uint64_t seq = x->standing[i].seq, count = x->standing[i].checkpoints;
        bool stands_on = count == TD_STANDS_ON;

        while (begin < n && at[begin].seq <= seq) {
            begin++;
        }
        end = stands_on || count > n - begin ? n : begin + (size_t)count;
        if ((begin <= from && from < end) || (seq > r->until && stands_on)) {
            want(r, seq, seq + 1);
        }
        if (seq <= r->until && begin <= until && until < end && end < n) {
            want(r, at[end - 1].seq, at[end].seq);
        }
    }
}

static int compare_ranges(const void *a, const void *b)
{
    const struct td_range *ra = a, *rb = b;

    return (ra->first > rb->first) - (ra->first < rb->first);
}

static void merge_wanted(struct td_reader *r)
{
    size_t n = 0;

    qsort(r->wanted, r->n_wanted, sizeof(*r->wanted), compare_ranges);
    for (size_t i = 0; i < r->n_wanted; i++) {
        struct td_range *last = n ? &r->wanted[n - 1] : NULL;

        if (last && r->wanted[i].first <= last->end) {
            last->end = r->wanted[i].end > last->end ? r->wanted[i].end : last->end;
        } else {
            r->wanted[n++] = r->wanted[i];
        }
    }
    r->n_wanted = n;
}

/* The last checkpoint at or before a sequence number; n_checkpoints: none. */
static size_t checkpoint_before(const struct td_index *x, uint64_t seq)
{
    size_t n = x->n_checkpoints;

    while (n && x->checkpoints[n - 1].seq > seq) {
        n--;
    }
    return n ? n - 1 : x->n_checkpoints;
}

/* The first one behind it. */
static size_t checkpoint_behind(const struct td_index *x, uint64_t seq)
{
    size_t i = 0;

    while (i < x->n_checkpoints && x->checkpoints[i].seq <= seq) {
        i++;
    }
    return i;
}

int td_reader_seek(struct td_reader *r, uint64_t from, uint64_t until)
{
    const struct td_index *x = get_index(r);
    size_t n = x ? x->n_checkpoints : 0, begin, end;
    uint64_t gapless;
    int ret;

    if (r->expected != 1 || r->wanted || until < from) {
        return -EINVAL;
    }
    begin = x ? checkpoint_before(x, from) : n;
    end = x ? checkpoint_behind(x, until) : n;
    if (begin == n && end == n) {
        return 0;
    }
    gapless = x->checkpoints[end < n ? n - 1 : begin].seq;
    ret = all_is_sound_before(r, gapless);
    if (ret <= 0) {
        return ret;
    }
    r->wanted = malloc((2 * x->n_standing + 2) * sizeof(*r->wanted));
    if (!r->wanted) {
        return td_fail_memory(r);
    }
    r->gapless = gapless;
    r->from = begin < n ? x->checkpoints[begin].seq : 0;
    r->until = end < n ? until : UINT64_MAX;
    want(r, r->from, end < n ? x->checkpoints[end].seq : UINT64_MAX);
    want(r, gapless, UINT64_MAX);
    want_standing(r, begin, end);
    merge_wanted(r);
    return 1;
}

/* ---- Places ---- */

uint64_t td_reader_find_time(struct td_reader *r, uint64_t time_ns)
{
    const struct td_index *index = get_index(r);
    size_t n = index ? index->n_checkpoints : 0;

    while (n && index->checkpoints[n - 1].latest_ns >= time_ns) {
        n--;
    }
    return n ? index->checkpoints[n - 1].seq : 0;
}

uint64_t td_reader_find_mark(struct td_reader *r, const char *name, uint64_t behind)
{
    const struct td_index *index = get_index(r);

    for (size_t i = 0; index && i < index->n_marks; i++) {
        if (index->marks[i].seq > behind && strcmp(index->marks[i].name, name) == 0) {
            return index->marks[i].seq;
        }
    }
    return 0;
}

/* ---- While reading ---- */

/* Is any of the sequence numbers from first to before end wanted? */
static bool overlaps_wanted(const struct td_reader *r, uint64_t first, uint64_t end)
{
    size_t low = 0, high = r->n_wanted;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (r->wanted[middle].end <= first) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < r->n_wanted && r->wanted[low].first < end;
}

bool td_is_wanted(const struct td_reader *r, const struct td_record *record)
{
    if (record->seq < r->from) {
        return overlaps_wanted(r, record->seq, record->seq + 1);
    }
    if (record->seq <= r->until) {
        return true;
    }
    switch (record->kind) {
    case TD_HEADER:
    case TD_DEVICE:
    case TD_MARK:
    case TD_LOST:
        return true;
    case TD_COMPLETE:
        return record->complete.submit_seq <= r->until;
    default:
        return false;
    }
}

void td_pass_over_blocks(struct td_reader *r, struct stream *s)
{
    const struct td_block *b = &s->blocks[s->at];

    if (!r->wanted) {
        return;
    }
    for (; s->at + 1 < s->n_blocks && !overlaps_wanted(r, b->first_seq, b[1].first_seq); b++) {
        r->done += b->capacity;
        s->open = false;
        s->at++;
    }
}
