/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A smaller copy of a trace: its blocks one by one, deflated, without the
 * space that was allocated ahead. Their headers stay what they were, so that
 * the copy's records are the same, in the same streams. What is damaged is
 * copied as it is. The index, which is of the records, follows in a block of a
 * stream of its own.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include "block.h"
#include "crc.h"
#include "index.h"
#include "scan.h"
#include "tracedisk.h"

#define LEVEL 6 /* zlib's default: 9 takes twice as long for one percent */

struct packer {
    int from, to;
    uint8_t *image; /* the block at hand; grows */
    size_t image_size;
    uint8_t *small;
    size_t small_size;
    bool unused; /* there was space that was not written to */
    uint32_t streams; /* one more than the last one's number */
    struct td_index index;
    uint64_t end; /* the sequence number behind the last record */
    uint64_t written;
};

static int grow(uint8_t **buf, size_t *size, size_t wanted)
{
    uint8_t *more;

    if (wanted <= *size) {
        return 0;
    }
    more = realloc(*buf, wanted);
    if (!more) {
        return -ENOMEM;
    }
    *buf = more;
    *size = wanted;
    return 0;
}

static int put(struct packer *p, const void *data, size_t len)
{
    const uint8_t *at = data;

    p->written += len;
    while (len) {
        ssize_t n = write(p->to, at, len);

        if (n < 0 && errno != EINTR) {
            return -errno;
        }
        if (n > 0) {
            at += n;
            len -= (size_t)n;
        }
    }
    return 0;
}

/* The bytes as they are. */
static int copy(struct packer *p, uint64_t offset, uint64_t end)
{
    while (offset < end) {
        size_t n = end - offset < TD_BLOCK_SIZE ? (size_t)(end - offset) : TD_BLOCK_SIZE;
        int ret = grow(&p->image, &p->image_size, n);
        int64_t got = ret ? ret : td_pread(p->from, p->image, n, offset);

        if (got <= 0) {
            return (int)got;
        }
        ret = put(p, p->image, (size_t)got);
        if (ret) {
            return ret;
        }
        offset += (uint64_t)got;
    }
    return 0;
}

/* Is what the block's published word tells of all there? */
static bool is_sound(const struct td_block *b, const uint8_t *image, uint32_t *len)
{
    uint64_t published = td_get64(image + TD_AT_PUBLISHED);

    *len = (uint32_t)published;
    return *len <= b->capacity - b->header_len &&
           td_crc32(0, image + b->header_len, *len) == published >> 32;
}

/* Make the block in p->image one that holds n bytes of data, of this codec. */
static int put_block(struct packer *p, const struct td_block *b, enum td_codec codec,
                     const uint8_t *data, uint32_t n, uint32_t raw_len)
{
    static const uint8_t padding[1];
    uint8_t *h = p->image;
    uint32_t pad = n == 0; /* a block is more than its header */
    int ret;

    h[TD_AT_CODEC] = (uint8_t)codec;
    td_set32(h + TD_AT_CAPACITY, b->header_len + n + pad);
    td_set32(h + TD_AT_RAW_LEN, raw_len);
    td_set32(h + TD_AT_HEADER_CRC, td_crc32(0, h, TD_AT_HEADER_CRC));
    td_set64(h + TD_AT_PUBLISHED, n | (uint64_t)td_crc32(0, data, n) << 32);
    ret = put(p, h, b->header_len);
    if (!ret) {
        ret = put(p, data, n);
    }
    return ret ? ret : put(p, padding, pad);
}

/* The records, of which len bytes are in p->image, behind the header. */
static int put_records(struct packer *p, const struct td_block *b, uint32_t len)
{
    uLongf small = compressBound(len);
    int ret = grow(&p->small, &p->small_size, small);

    if (ret) {
        return ret;
    }
    if (len && compress2(p->small, &small, p->image + b->header_len, len, LEVEL) == Z_OK &&
        small < len) {
        return put_block(p, b, TD_CODEC_ZLIB, p->small, (uint32_t)small, len);
    }
    return put_block(p, b, TD_CODEC_NONE, p->image + b->header_len, len, 0);
}

static int pack_block(struct packer *p, const struct td_block *b)
{
    uint32_t len;
    int64_t got;
    int ret = grow(&p->image, &p->image_size, b->capacity);

    if (b->flags & TD_BLOCK_INDEX) {
        return 0; /* of a trace that was packed before: made anew */
    }
    p->streams = b->stream >= p->streams ? b->stream + 1 : p->streams;
    got = ret ? ret : td_pread(p->from, p->image, b->capacity, b->offset);
    if (got < 0) {
        return (int)got;
    }
    if ((uint64_t)got < b->capacity || b->codec != TD_CODEC_NONE || !is_sound(b, p->image, &len)) {
        return put(p, p->image, (size_t)got); /* cut, packed already, or damaged */
    }
    return put_records(p, b, len);
}

static void make_header(uint8_t *h, const struct td_block *b)
{
    memset(h, 0, TD_BLOCK_HEADER);
    memcpy(h, TD_BLOCK_MAGIC, TD_MAGIC_LEN);
    td_set16(h + TD_AT_MAJOR, TD_FORMAT_MAJOR);
    td_set16(h + TD_AT_MINOR, TD_FORMAT_MINOR);
    td_set16(h + TD_AT_HEADER_LEN, b->header_len);
    h[TD_AT_FLAGS] = b->flags;
    td_set32(h + TD_AT_STREAM, b->stream);
    td_set64(h + TD_AT_FIRST_SEQ, b->first_seq);
}

/* No index where there is no checkpoint, nor where it has no room in a block. */
static int put_index(struct packer *p)
{
    struct td_block b = {
        .header_len = TD_BLOCK_HEADER,
        .flags = TD_BLOCK_INDEX,
        .stream = p->streams,
        .first_seq = p->end,
    };
    uint8_t *record;
    size_t len;
    int ret;

    if (!p->index.n_checkpoints || p->streams >= TD_STREAM_MAX) {
        return 0;
    }
    record = td_index_encode(&p->index, p->end, &len);
    if (!record) {
        return -ENOMEM;
    }
    ret = len < TD_BLOCK_MAX / 2 ? grow(&p->image, &p->image_size, TD_BLOCK_HEADER + len) : 0;
    if (ret == 0 && len < TD_BLOCK_MAX / 2) {
        make_header(p->image, &b);
        memcpy(p->image + TD_BLOCK_HEADER, record, len);
        ret = put_records(p, &b, (uint32_t)len);
    }
    free(record);
    return ret;
}

/* Of a trace that was never finished some unused space tells so: a hole. */
static int put_unused(struct packer *p)
{
    p->written += TD_BLOCK_SIZE;
    return ftruncate(p->to, (off_t)p->written) < 0 ? -errno : 0;
}

static int pack_all(struct packer *p)
{
    uint64_t offset = 0, next = 0;
    const char *reason;
    struct td_block block;

    for (;; offset = next) {
        int ret = td_scan(p->from, offset, &block, &next, &reason);

        switch (ret) {
        case TD_FOUND_END:
            ret = put_index(p);
            return ret || !p->unused ? ret : put_unused(p);
        case TD_FOUND_FINISH:
            ret = put_index(p);
            return ret ? ret : put(p, TD_END_MAGIC, TD_MAGIC_LEN);
        case TD_FOUND_UNUSED:
            p->unused = true;
            ret = 0;
            break;
        case TD_FOUND_BLOCK:
            ret = pack_block(p, &block);
            break;
        case TD_FOUND_NEWER:
            ret = -ENOTSUP;
            break;
        case TD_FOUND_DAMAGE:
            ret = copy(p, offset, next);
            break;
        }
        if (ret < 0) {
            return ret;
        }
    }
}

int td_pack(const char *path, int fd, uint64_t *bytes)
{
    struct packer p = { .from = open(path, O_RDONLY | O_CLOEXEC), .to = fd };
    int ret = p.from < 0 ? -errno : td_index_make(path, &p.index, &p.end);

    ret = ret < 0 ? ret : pack_all(&p);
    *bytes = p.written;
    if (p.from >= 0) {
        close(p.from);
    }
    td_index_free(&p.index);
    free(p.image);
    free(p.small);
    return ret;
}
