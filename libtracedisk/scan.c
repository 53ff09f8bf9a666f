/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finding the blocks of a trace. Every block says where the next one is; where
 * that chain breaks, the magic and the header's crc32 find it again.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>
#include <zlib.h>

#include "block.h"
#include "crc.h"
#include "scan.h"
#include "tracedisk.h"

/* While the trace is written, what is read may be neither old nor new: look again. */
#define TRIES 4

int64_t td_pread(int fd, void *buf, size_t n, uint64_t offset)
{
    size_t done = 0;

    while (done < n) {
        ssize_t ret = pread(fd, (char *)buf + done, n - done, (off_t)(offset + done));

        if (ret < 0 && errno != EINTR) {
            return -errno;
        }
        if (ret == 0) {
            break;
        }
        done += ret > 0 ? (size_t)ret : 0;
    }
    return (int64_t)done;
}

static bool is_zero(const uint8_t *p, size_t n)
{
    return n == 0 || (p[0] == 0 && memcmp(p, p + 1, n - 1) == 0);
}

static bool is_header(const uint8_t *h)
{
    return memcmp(h, TD_BLOCK_MAGIC, TD_MAGIC_LEN) == 0 &&
           td_crc32(0, h, TD_AT_HEADER_CRC) == td_get32(h + TD_AT_HEADER_CRC);
}

/* A sound header's content; false when it makes no sense nevertheless. */
static bool parse_header(const uint8_t *h, uint64_t offset, struct td_block *block)
{
    *block = (struct td_block){
        .offset = offset,
        .first_seq = td_get64(h + TD_AT_FIRST_SEQ),
        .first_time = td_get64(h + TD_AT_FIRST_TIME),
        .capacity = td_get32(h + TD_AT_CAPACITY),
        .stream = td_get32(h + TD_AT_STREAM),
        .index = td_get32(h + TD_AT_INDEX),
        .raw_len = td_get32(h + TD_AT_RAW_LEN),
        .header_len = td_get16(h + TD_AT_HEADER_LEN),
        .major = td_get16(h + TD_AT_MAJOR),
        .minor = td_get16(h + TD_AT_MINOR),
        .codec = h[TD_AT_CODEC],
        .flags = h[TD_AT_FLAGS],
    };
    return block->header_len >= TD_BLOCK_HEADER && block->capacity > block->header_len &&
           block->capacity <= TD_BLOCK_MAX && block->raw_len <= TD_BLOCK_MAX &&
           block->stream < TD_STREAM_MAX && block->first_seq > 0;
}

/*
 * Claimed and not begun: the magic is not there yet. Half a slot's zeros tell
 * it from a block whose magic was lost.
 */
static bool is_unused(const uint8_t *slot, size_t n)
{
    size_t half = n > TD_BLOCK_SIZE / 2 ? TD_BLOCK_SIZE / 2 : 0;

    return is_zero(slot, n < TD_MAGIC_LEN ? n : TD_MAGIC_LEN) && is_zero(slot + half, n - half);
}

/* Where a sound header begins in p[0 … n - 1]; n if there is none. */
static size_t find_in(const uint8_t *p, size_t n)
{
    for (size_t at = 0; at + TD_BLOCK_HEADER <= n; at++) {
        const uint8_t *hit = memchr(p + at, TD_BLOCK_MAGIC[0] & 0xff, n - at);

        if (!hit) {
            break;
        }
        at = (size_t)(hit - p);
        if (at + TD_BLOCK_HEADER <= n && is_header(hit)) {
            return at;
        }
    }
    return n;
}

int64_t td_find_header(int fd, uint64_t from, uint64_t to)
{
    /* A header may begin in the piece's last bytes. */
    uint8_t *piece = malloc(TD_BLOCK_SIZE + TD_BLOCK_HEADER - 1);
    int64_t ret = piece ? 0 : -ENOMEM;

    while (ret == 0 && from < to) {
        size_t n = to - from < TD_BLOCK_SIZE ? (size_t)(to - from) : TD_BLOCK_SIZE, at;
        int64_t got = td_pread(fd, piece, n + TD_BLOCK_HEADER - 1, from);

        if (got < 0) {
            ret = got;
            break;
        }
        at = find_in(piece, (size_t)got);
        if (at < n && at < (size_t)got) {
            to = from + at;
            break;
        }
        from += n;
    }
    free(piece);
    return ret < 0 ? ret : (int64_t)to;
}

enum slot {
    SLOT_UNUSED,
    SLOT_DAMAGED,
    SLOT_BEGUN_MEANWHILE,
};

/* A slot without a header: 0 … n bytes of it, or -errno. */
static int64_t look_at_slot(int fd, uint64_t offset, enum slot *state)
{
    uint8_t *slot = malloc(TD_BLOCK_SIZE);
    int64_t got = slot ? td_pread(fd, slot, TD_BLOCK_SIZE, offset) : -ENOMEM;

    if (got >= 0 && is_unused(slot, (size_t)got)) {
        *state = SLOT_UNUSED;
    } else if (got >= TD_BLOCK_HEADER && (is_header(slot) || is_zero(slot, TD_MAGIC_LEN))) {
        *state = SLOT_BEGUN_MEANWHILE; /* between two reads, or within this one */
    } else {
        *state = SLOT_DAMAGED;
    }
    free(slot);
    return got;
}

static int scan_header(const uint8_t *h, uint64_t offset, struct td_block *block, uint64_t *next,
                       const char **reason)
{
    bool sane = parse_header(h, offset, block);

    *next = offset + (sane ? block->capacity : TD_BLOCK_SIZE);
    if (block->major > TD_FORMAT_MAJOR) {
        *next = offset + TD_BLOCK_SIZE;
        return TD_FOUND_NEWER;
    }
    *reason = "a block header makes no sense";
    return sane ? TD_FOUND_BLOCK : TD_FOUND_DAMAGE;
}

int td_scan(int fd, uint64_t offset, struct td_block *block, uint64_t *next, const char **reason)
{
    enum slot state = SLOT_BEGUN_MEANWHILE;
    int64_t got, found;

    for (int i = 0; i < TRIES && state == SLOT_BEGUN_MEANWHILE; i++) {
        uint8_t h[TD_BLOCK_HEADER];

        got = td_pread(fd, h, sizeof(h), offset);
        if (got <= 0) {
            return got ? (int)got : TD_FOUND_END;
        }
        if (got >= TD_MAGIC_LEN && memcmp(h, TD_END_MAGIC, TD_MAGIC_LEN) == 0) {
            return TD_FOUND_FINISH;
        }
        if (got == sizeof(h) && is_header(h)) {
            return scan_header(h, offset, block, next, reason);
        }
        got = look_at_slot(fd, offset, &state);
        if (got < 0) {
            return (int)got;
        }
        *next = offset + (uint64_t)got;
    }
    if (state == SLOT_UNUSED) {
        return TD_FOUND_UNUSED;
    }
    *reason = *next - offset < TD_BLOCK_HEADER ? "the file is cut in a block header"
                                               : "no block header is where one was expected";
    found = td_find_header(fd, offset + 1, *next);
    *next = found < 0 ? *next : (uint64_t)found;
    return found < 0 ? (int)found : TD_FOUND_DAMAGE;
}

int64_t td_read_image(int fd, const struct td_block *b, uint8_t *image, uint32_t *crc,
                      const char **reason)
{
    int ret = -EBADMSG;

    for (int i = 0; i < TRIES; i++) {
        int64_t got, head = b->capacity;
        uint32_t len;

        /* In one go first; the header before the bytes when that was a race. */
        if (i > 0) {
            head = td_pread(fd, image, b->header_len, b->offset);
            if (head < 0) {
                return head;
            }
        }
        if (i > 0 && head == b->header_len) {
            got = td_pread(fd, image + head, b->capacity - (size_t)head,
                           b->offset + (uint64_t)head);
            got = got < 0 ? got : got + head;
        } else {
            got = td_pread(fd, image, b->capacity, b->offset);
        }
        if (got < 0) {
            return got;
        }
        if (got < b->header_len) {
            *reason = "the file is cut in a block";
            ret = -ENODATA;
            continue;
        }
        len = td_get32(image + TD_AT_PUBLISHED);
        *crc = td_get32(image + TD_AT_PUBLISHED + 4);
        if (len > b->capacity - b->header_len) {
            *reason = "a block's length is larger than the block";
        } else if (b->header_len + len > got) {
            *reason = "the file is cut in a block";
            ret = -ENODATA;
        } else if (td_crc32(0, image + b->header_len, len) != *crc) {
            *reason = "a block's checksum is wrong";
        } else {
            return len;
        }
    }
    return ret;
}

static int64_t inflate_records(const struct td_block *b, uint8_t **image, const uint8_t **records,
                               uint32_t len)
{
    uLongf raw_len = b->raw_len;
    uint8_t *raw = malloc(raw_len + 1);

    if (!raw) {
        return -ENOMEM;
    }
    if (uncompress(raw, &raw_len, *records, len) != Z_OK) {
        free(raw);
        return -EBADMSG;
    }
    free(*image);
    *image = raw;
    *records = raw;
    return (int64_t)raw_len;
}

int64_t td_read_records(int fd, const struct td_block *b, uint8_t **image,
                        const uint8_t **records)
{
    const char *reason;
    uint32_t crc;
    int64_t len;

    free(*image);
    *image = malloc(b->capacity);
    if (!*image) {
        return -ENOMEM;
    }
    len = td_read_image(fd, b, *image, &crc, &reason);
    *records = *image + b->header_len;
    if (len >= 0 && b->codec == TD_CODEC_ZLIB) {
        len = inflate_records(b, image, records, (uint32_t)len);
    } else if (len >= 0 && b->codec != TD_CODEC_NONE) {
        len = -EBADMSG;
    }
    return len == -ENODATA ? -EBADMSG : len;
}
