/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading a trace: a table of all blocks by stream, then a merge of the
 * streams by sequence number.
 *
 * Sequence numbers have no holes, so the next record is known by its number.
 * A hole means that records are missing: because of damage, because the writer
 * died between taking a number and publishing the record, or, while the trace
 * is being written, because another thread is not that far yet.
 *
 * Blocks are read with pread(2), never mapped: the file may shrink.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "block.h"
#include "crc.h"
#include "reader.h"

/* Bytes that mismatch may be being written: look again. */
#define TRIES 4

/*
 * How far to look past slots that are not begun while the trace grows: more
 * than there are threads that have claimed a block and not begun it.
 */
#define LOOK_AHEAD (32u * TD_BLOCK_SIZE)

/* ---- Damage ---- */

static int tell_damage(struct td_reader *r, const struct td_damage *damage)
{
    if (td_need_one_more(&r->damages, r->n_damages, sizeof(*damage)) < 0) {
        return td_fail_memory(r);
    }
    r->damages[r->n_damages++] = *damage;
    return 0;
}

/* Tell of the first region between two offsets, or else of a missing block. */
static int tell_missing(struct td_reader *r, uint64_t from, uint64_t to, uint64_t first,
                        uint64_t last, const char *otherwise)
{
    struct td_damage damage = {
        .missing_first = first, .missing_last = last, .reason = otherwise,
    };

    for (size_t i = 0; i < r->n_regions; i++) {
        struct region *region = &r->regions[i];

        if (region->offset >= from && region->offset < to) {
            damage.offset = region->offset;
            damage.bytes = region->bytes;
            damage.reason = region->reason;
            memmove(region, region + 1, (--r->n_regions - i) * sizeof(*region));
            break;
        }
    }
    return tell_damage(r, &damage);
}

/* ---- Blocks ---- */

static int need_buffers(struct td_reader *r, struct stream *s, size_t size)
{
    if (!s->delta) {
        s->delta = malloc(sizeof(*s->delta));
    }
    if (s->buf_size < size) {
        free(s->buf);
        s->buf = malloc(size);
        s->buf_size = s->buf ? size : 0;
    }
    if (r->text_size < size) {
        free(r->decoder.text);
        r->decoder.text = malloc(size);
        r->text_size = r->decoder.text ? size : 0;
    }
    return s->delta && s->buf && r->decoder.text ? 0 : td_fail_memory(r);
}

static int64_t inflate_image(struct td_reader *r, struct stream *s, const struct td_block *b,
                             uint32_t len, const char **reason)
{
    uint8_t *image = s->buf;
    uLongf raw_len = b->raw_len;
    int ret;

    s->buf = NULL;
    s->buf_size = 0;
    ret = need_buffers(r, s, raw_len + 1);
    if (ret == 0 && uncompress(s->buf, &raw_len, image + b->header_len, len) != Z_OK) {
        *reason = "a compressed block does not inflate";
        ret = -EBADMSG;
    }
    free(image);
    return ret < 0 ? ret : (int64_t)raw_len;
}

/* Read a block into the stream's buffer: 0, -EBADMSG with *reason, or failure. */
static int load_block(struct td_reader *r, struct stream *s, const struct td_block *b,
                      const char **reason)
{
    const uint8_t *records;
    int64_t len;

    if (need_buffers(r, s, b->capacity) < 0) {
        return -ENOMEM;
    }
    len = td_read_image(r->fd, b, s->buf, &s->crc, reason);
    if (len == -ENODATA) {
        r->cut_told = true;
        len = -EBADMSG;
    }
    records = s->buf + b->header_len;
    if (len >= 0 && b->codec == TD_CODEC_ZLIB) {
        len = inflate_image(r, s, b, (uint32_t)len, reason);
        records = s->buf;
    } else if (len >= 0 && b->codec != TD_CODEC_NONE) {
        *reason = "a block's compression is not known";
        len = -EBADMSG;
    }
    if (len == -EBADMSG) {
        return -EBADMSG;
    }
    if (len < 0) {
        return r->failed ? (int)len : td_fail_read(r, len, b->offset);
    }
    s->cursor = (struct td_cursor){ records, records + len, false };
    td_delta_reset(s->delta);
    s->delta->seq = b->first_seq - 1;
    s->delta->time_ns = b->first_time;
    r->done += b->capacity;
    r->loaded++;
    return 0;
}

/* Take over what was published since the stream's last block was read. */
static int grow_block(struct td_reader *r, struct stream *s, bool *news)
{
    const struct td_block *b = &s->blocks[s->at - 1];

    for (int i = 0; i < TRIES; i++) {
        uint32_t have = (uint32_t)(s->cursor.end - s->buf) - b->header_len;
        uint64_t from = b->offset + b->header_len + have;
        uint8_t word[8];
        uint32_t len, crc;
        int64_t got = td_pread(r->fd, word, sizeof(word), b->offset + TD_AT_PUBLISHED);

        len = td_get32(word);
        if (got != sizeof(word) || len <= have || len > b->capacity - b->header_len) {
            return got < 0 ? td_fail_read(r, got, b->offset) : 0;
        }
        got = td_pread(r->fd, s->buf + b->header_len + have, len - have, from);
        if (got < 0) {
            return td_fail_read(r, got, from);
        }
        crc = td_crc32(s->crc, s->buf + b->header_len + have, len - have);
        if (got == len - have && crc == td_get32(word + 4)) {
            s->crc = crc;
            s->cursor.end += len - have;
            *news = true;
            return 0;
        }
    }
    return 0;
}

/* ---- Streams ---- */

static bool has_record(const struct stream *s)
{
    return s->open && s->cursor.p < s->cursor.end;
}

static void peek(struct stream *s)
{
    if (has_record(s)) {
        s->next_seq = td_peek_seq(s->delta, &s->cursor);
    } else if (s->at < s->n_blocks) {
        s->next_seq = s->blocks[s->at].first_seq;
    } else {
        s->next_seq = TD_NO_SEQ;
    }
}

/* Numbers up to `last` may have been in blocks that are lost. */
static void set_lost(struct stream *s, uint64_t first, uint64_t last)
{
    /* Several lost blocks in a row are one range. */
    if (!s->lost_first || first > s->lost_last + 1) {
        s->lost_first = first;
    }
    s->lost_last = last;
}

/* A block that is in the index could not be used. */
static int lose_block(struct td_reader *r, struct stream *s, const char *reason)
{
    const struct td_block *b = &s->blocks[s->at - 1];
    bool last = s->at == s->n_blocks;
    struct td_damage damage = {
        .offset = b->offset,
        .bytes = b->capacity,
        .missing_first = b->first_seq,
        .missing_last = last ? 0 : b[1].first_seq - 1,
        .reason = reason,
    };

    s->open = false;
    set_lost(s, b->first_seq, last ? TD_NO_SEQ - 1 : damage.missing_last);
    r->done += b->capacity;
    return tell_damage(r, &damage);
}

/* Open the stream's next block; damage is told, and the block skipped. */
static int next_block(struct td_reader *r, struct stream *s)
{
    const struct td_block *b = &s->blocks[s->at], *before = s->at ? b - 1 : NULL;
    const char *reason = NULL;
    int ret;

    if (b->index != (before ? before->index + 1 : 0)) {
        uint64_t first = before ? s->last_seq + 1 : r->expected;

        set_lost(s, first, b->first_seq - 1);
        ret = tell_missing(r, before ? before->offset : 0, b->offset, first, b->first_seq - 1,
                           "a block is missing");
        if (ret < 0) {
            return ret;
        }
    }
    ret = load_block(r, s, b, &reason);
    s->at++;
    if (ret == -EBADMSG) {
        return lose_block(r, s, reason);
    }
    s->open = ret == 0;
    s->may_grow = s->at == s->n_blocks && b->codec == TD_CODEC_NONE;
    return ret;
}

/* Make sure that there is a record to read, if the index knows of any. */
static int fill(struct td_reader *r, struct stream *s)
{
    while (!has_record(s) && s->at < s->n_blocks) {
        bool news = false;
        int ret = 0;

        if (s->open && s->may_grow) {
            s->may_grow = false;
            ret = grow_block(r, s, &news);
        }
        if (ret == 0 && !news) {
            td_pass_over_blocks(r, s);
            ret = next_block(r, s);
        }
        if (ret < 0) {
            return ret;
        }
    }
    peek(s);
    return 0;
}

/* ---- Following a trace that grows ---- */

/* Whether some process has the trace open for writing. */
static bool is_being_written(struct td_reader *r)
{
    struct flock all = { .l_type = F_RDLCK, .l_whence = SEEK_SET };

    return fcntl(r->fd, F_OFD_GETLK, &all) == 0 && all.l_type != F_UNLCK;
}

/* Look for anything new. */
static int refresh(struct td_reader *r, bool *news)
{
    bool live = is_being_written(r);
    struct stat st;
    int ret;

    if (fstat(r->fd, &st) < 0) {
        return td_fail(r, -errno, "looking at the file failed: %s", strerror(errno));
    }
    r->size = (uint64_t)st.st_size;
    ret = td_look_for_blocks(r, live ? r->scanned + LOOK_AHEAD : r->size, news);
    for (uint32_t i = 0; i < r->n_streams && ret == 0; i++) {
        struct stream *s = r->streams[i];

        if (s && s->open && s->may_grow && !has_record(s)) {
            ret = grow_block(r, s, news);
        }
        if (s) {
            peek(s);
        }
    }
    r->finished = !live;
    return ret;
}

/* ---- Records ---- */

static struct stream *first_stream(const struct td_reader *r)
{
    struct stream *first = NULL;

    for (uint32_t i = 0; i < r->n_streams; i++) {
        struct stream *s = r->streams[i];

        if (s && s->next_seq != TD_NO_SEQ && (!first || s->next_seq < first->next_seq)) {
            first = s;
        }
    }
    return first;
}

/* Numbers are missing before the next record: known why? */
static bool is_explained(const struct td_reader *r, uint64_t seq)
{
    for (uint32_t i = 0; i < r->n_streams; i++) {
        const struct stream *s = r->streams[i];

        if (s && s->lost_first && seq >= s->lost_first && seq <= s->lost_last) {
            return true;
        }
    }
    return false;
}

/*
 * The next record of the trace is far ahead of the one expected. 0: go on
 * (*wait: not now), or failure.
 */
static int cross_gap(struct td_reader *r, struct stream *s, bool *wait)
{
    bool news = false;
    int ret;

    if (r->expected < r->gapless) {
        r->expected = s->next_seq < r->gapless ? s->next_seq : r->gapless;
        return 0;
    }
    if (is_explained(r, r->expected)) {
        r->expected = s->next_seq;
        return 0;
    }
    if (!r->finished) {
        ret = refresh(r, &news);
        *wait = ret == 0 && !news && !r->finished && !r->n_regions;
        if (ret < 0 || news || *wait) {
            return ret;
        }
    }
    ret = tell_missing(r, 0, UINT64_MAX, r->expected, s->next_seq - 1,
                       "records are missing: the writer died before they were published, "
                       "or their block is gone");
    r->expected = s->next_seq;
    return ret;
}

/* Whether a repeated HEADER or DEVICE is news, its original being lost. */
static bool is_news(struct td_reader *r, const struct td_record *record, uint64_t seq)
{
    size_t i;

    if (record->kind == TD_HEADER) {
        bool news = r->header_seq < seq;

        r->header_seq = news ? seq : r->header_seq;
        return news;
    }
    if (record->kind != TD_DEVICE) {
        return true;
    }
    for (i = 0; i < r->n_devices && r->devices[i].id != record->device.id; i++) {
    }
    if (i == r->n_devices) {
        if (td_need_one_more(&r->devices, r->n_devices, sizeof(*r->devices)) < 0) {
            return true;
        }
        r->devices[i].id = record->device.id;
        r->devices[i].seq = 0;
        r->n_devices++;
    }
    if (r->devices[i].seq >= seq) {
        return false;
    }
    r->devices[i].seq = seq;
    return true;
}

/* Decode the stream's next record: 1, 0 when it is none to give out, < 0. */
static int take_record(struct td_reader *r, struct stream *s, struct td_record *record)
{
    const struct td_block *b = &s->blocks[s->at - 1];
    uint64_t at = b->offset + (uint64_t)(s->cursor.p - s->buf), ref, before = s->delta->seq;
    const uint8_t *from = s->cursor.p;
    bool has_ref;
    int ret;

    r->decoder.delta = s->delta;
    ret = td_decode_record(&r->decoder, &s->cursor, record, &has_ref, &ref);
    s->last_seq = s->delta->seq;
    if (ret >= 0 && s->last_seq != before && s->last_seq >= r->expected) {
        r->expected = s->last_seq + 1;
    }
    if (ret == -EINVAL) {
        struct td_damage damage = {
            .offset = at,
            .bytes = (uint64_t)(s->cursor.p - from),
            .reason = "a record is malformed",
        };

        s->cursor.bad = false;
        s->last_seq = s->delta->seq > before ? s->delta->seq : before + 1;
        set_lost(s, before + 1, s->last_seq);
        return tell_damage(r, &damage);
    }
    if (ret <= 0) {
        return ret;
    }
    record->stream = b->stream;
    if (record->kind == TD_HEADER) {
        record->header.major = b->major;
        record->header.minor = b->minor;
    }
    if (record->kind == TD_HEADER || record->kind == TD_DEVICE) {
        if (!is_news(r, record, has_ref ? ref : record->seq)) {
            return 0;
        }
        record->seq = has_ref ? ref : record->seq;
    }
    return !r->wanted || td_is_wanted(r, record);
}

/* At the end: what damage no record has told of. */
static int tell_the_rest(struct td_reader *r)
{
    struct td_damage cut = {
        .offset = r->size,
        .missing_first = r->expected,
        .reason = "the file is cut: the mark of a finished trace is missing",
    };
    int ret = 0;

    if (r->finished && !r->open_end && !r->cut_told && !r->n_regions) {
        r->cut_told = true;
        ret = tell_damage(r, &cut);
    }

    while (r->n_regions && ret == 0) {
        ret = tell_missing(r, 0, UINT64_MAX, 0, 0, NULL);
    }
    return ret;
}

static bool give_damage(struct td_reader *r, struct td_record *record)
{
    if (r->first_damage == r->n_damages) {
        return false;
    }
    memset(record, 0, sizeof(*record));
    record->kind = TD_DAMAGE;
    record->damage = r->damages[r->first_damage++];
    if (r->first_damage == r->n_damages) {
        r->first_damage = r->n_damages = 0;
    }
    return true;
}

/* Nothing is left: look again, and else end with what damage is to be told. */
static int at_end(struct td_reader *r, bool *again)
{
    bool news = false;
    int ret = 0;

    if (!r->finished) {
        ret = refresh(r, &news);
    }
    if (ret == 0 && !news) {
        ret = tell_the_rest(r);
        news = r->n_damages > 0;
    }
    *again = news;
    return ret;
}

int td_reader_next(struct td_reader *r, struct td_record *record)
{
    int ret = 0;

    if (r->failed) {
        return -EIO;
    }
    while (ret == 0) {
        struct stream *s = r->current;

        if (s) {
            ret = has_record(s) ? (peek(s), 0) : fill(r, s);
        }
        if (ret < 0 || give_damage(r, record)) {
            return ret < 0 ? ret : 1;
        }
        if (!s || s->next_seq != r->expected) {
            r->current = s = first_stream(r);
        }
        if (!s) {
            bool again;

            ret = at_end(r, &again);
            if (ret == 0 && !again) {
                break;
            }
        } else if (!has_record(s)) {
            /* Its next block's first record is due: fill it, and look again. */
            ret = fill(r, s);
        } else if (s->next_seq > r->expected) {
            bool wait = false;

            ret = cross_gap(r, s, &wait);
            if (wait) {
                break;
            }
        } else {
            ret = take_record(r, s, record);
        }
    }
    r->finished = ret ? r->finished : false;
    return ret;
}

int td_record_elements(const struct td_record *record, struct td_element *elements)
{
    uint32_t n = record->kind == TD_COMPLETE ? record->complete.n_elements
                                             : record->submit.n_elements;

    return td_decode_elements(record->encoded_elements, record->encoded_len, elements, n);
}

const char *td_reader_error(const struct td_reader *r)
{
    return r->error;
}

void td_reader_progress(const struct td_reader *r, uint64_t *done, uint64_t *total)
{
    *done = r->done;
    *total = r->size;
}

/* ---- Opening ---- */

/* A trace to begin with: 0, or why not. */
static int check_trace(struct td_reader *r)
{
    uint32_t i;

    for (i = 0; i < r->n_streams && !r->streams[i]; i++) {
    }
    if (r->newer) {
        return td_fail(r, -ENOTSUP,
                       "the trace was written by a newer version of tracedisk; this one reads "
                       "formats up to %d.x: update it",
                       TD_FORMAT_MAJOR);
    }
    if (i < r->n_streams || is_being_written(r)) {
        return 0;
    }
    if (r->size == 0) {
        return td_fail(r, -EINVAL, "the file is empty: nothing was recorded");
    }
    return td_fail(r, -EINVAL, "this is not a trace: it holds no tracedisk block");
}

static int open_trace(struct td_reader *r, const char *path)
{
    bool news = false;
    struct stat st;
    int ret;

    /* Not to wait for a writer, if it is a FIFO. */
    r->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (r->fd < 0 || fstat(r->fd, &st) < 0) {
        return td_fail(r, -errno, "%s", strerror(errno));
    }
    if (!S_ISREG(st.st_mode)) {
        return td_fail(r, -EINVAL, "this is not a trace: it is not a regular file");
    }
    r->size = (uint64_t)st.st_size;
    posix_fadvise(r->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    ret = td_look_for_blocks(r, r->size, &news);
    return ret < 0 ? ret : check_trace(r);
}

int td_reader_open(const char *path, struct td_reader **reader, struct td_error *error)
{
    struct td_reader *r = calloc(1, sizeof(*r));
    int ret;

    if (!r) {
        return -ENOMEM;
    }
    r->fd = -1;
    r->expected = 1;
    ret = open_trace(r, path);
    if (ret < 0) {
        if (error) {
            snprintf(error->text, sizeof(error->text), "%.100s: %.150s", path, r->error);
        }
        td_reader_close(r);
        return ret;
    }
    *reader = r;
    return 0;
}

void td_reader_close(struct td_reader *r)
{
    if (!r) {
        return;
    }
    for (uint32_t i = 0; i < r->n_streams; i++) {
        if (r->streams[i]) {
            free(r->streams[i]->blocks);
            free(r->streams[i]->buf);
            free(r->streams[i]->delta);
            free(r->streams[i]);
        }
    }
    free(r->streams);
    free(r->holes);
    free(r->regions);
    free(r->damages);
    free(r->devices);
    free(r->decoder.text);
    free(r->decoder.parts);
    free(r->wanted);
    if (r->index) {
        td_index_free(r->index);
    }
    free(r->index);
    td_kept_free(r->kept);
    if (r->fd >= 0) {
        close(r->fd);
    }
    free(r);
}
