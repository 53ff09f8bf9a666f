/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reading kept payloads.
 */
#include <errno.h>
#include <stdlib.h>
#include <zlib.h>

#include "block.h"
#include "codec.h"
#include "kept.h"

/* Commands in a row have their bytes in the same blocks. */
#define BLOCKS 16
#define PAYLOADS 64

struct block {
    uint64_t offset; /* in the file */
    uint64_t used;   /* when, in calls; 0: never */
    uint8_t *image;
    const uint8_t *records; /* in image */
    size_t len;
};

struct payload {
    uint64_t seq; /* 0: none */
    uint64_t used;
    uint32_t len;
    uint8_t bytes[TD_MAX_PAYLOAD];
};

struct td_kept {
    uint64_t calls;
    struct block blocks[BLOCKS];
    struct payload *payloads[PAYLOADS];
};

struct td_kept *td_kept_new(void)
{
    return calloc(1, sizeof(struct td_kept));
}

void td_kept_free(struct td_kept *k)
{
    if (!k) {
        return;
    }
    for (int i = 0; i < BLOCKS; i++) {
        free(k->blocks[i].image);
    }
    for (int i = 0; i < PAYLOADS; i++) {
        free(k->payloads[i]);
    }
    free(k);
}

int64_t td_kept_look_up(struct td_kept *k, uint64_t seq, const uint8_t **bytes)
{
    for (int i = 0; i < PAYLOADS && k->payloads[i]; i++) {
        struct payload *p = k->payloads[i];

        if (p->seq == seq) {
            p->used = ++k->calls;
            *bytes = p->bytes;
            return p->len;
        }
    }
    return -ENOENT;
}

/* ---- Blocks ---- */

static int64_t load_block(struct block *b, int fd, const struct td_block *from)
{
    int64_t len = td_read_records(fd, from, &b->image, &b->records);

    b->offset = from->offset;
    b->len = len < 0 ? 0 : (size_t)len;
    return len;
}

/* `anew`: also when it was read before; it may have grown since. */
static int get_block(struct td_kept *k, int fd, const struct td_block *from, bool anew,
                     struct block **block)
{
    struct block *oldest = &k->blocks[0];
    int64_t ret;

    for (int i = 0; i < BLOCKS; i++) {
        struct block *b = &k->blocks[i];

        if (b->used && b->offset == from->offset) {
            oldest = b;
            break;
        }
        oldest = b->used < oldest->used ? b : oldest;
    }
    if (anew || !oldest->used || oldest->offset != from->offset) {
        ret = load_block(oldest, fd, from);
        if (ret < 0) {
            oldest->used = 0;
            return (int)ret;
        }
    }
    oldest->used = ++k->calls;
    *block = oldest;
    return 0;
}

/* -ENOENT: it is not there; -EAGAIN: not yet. */
static int find_in_block(const struct block *b, const struct td_block *from, uint64_t seq,
                         struct td_payload *payload)
{
    struct td_cursor c = { b->records, b->records + b->len, false }, body;
    uint64_t at = from->first_seq - 1;
    enum td_kind kind;

    while (c.p < c.end) {
        if (!td_step_over(&c, &at, &kind, &body)) {
            return -EBADMSG;
        }
        if (at == seq && kind == TD_PAYLOAD) {
            return td_decode_payload(&body, payload) ? 0 : -EBADMSG;
        }
        if (at > seq) {
            return -ENOENT;
        }
    }
    return -EAGAIN;
}

/* ---- Payloads ---- */

static struct payload *free_payload(struct td_kept *k)
{
    struct payload **oldest = &k->payloads[0];

    for (int i = 0; i < PAYLOADS; i++) {
        if (!k->payloads[i]) {
            k->payloads[i] = malloc(sizeof(struct payload));
            return k->payloads[i];
        }
        if (k->payloads[i]->used < (*oldest)->used) {
            oldest = &k->payloads[i];
        }
    }
    return *oldest;
}

static int64_t take_payload(struct td_kept *k, uint64_t seq, const struct td_payload *from,
                            const uint8_t **bytes)
{
    struct payload *p = free_payload(k);
    uLongf len = from->len;

    if (!p) {
        return -ENOMEM;
    }
    p->seq = 0;
    p->used = 0;
    if (from->codec == TD_CODEC_NONE && from->data_len == from->len) {
        memcpy(p->bytes, from->data, from->len);
    } else if (from->codec != TD_CODEC_ZLIB ||
               uncompress(p->bytes, &len, from->data, from->data_len) != Z_OK || len != from->len) {
        return -EBADMSG;
    }
    p->seq = seq;
    p->len = from->len;
    p->used = ++k->calls;
    *bytes = p->bytes;
    return p->len;
}

int64_t td_kept_read(struct td_kept *k, int fd, const struct td_block *from, uint64_t seq,
                     const uint8_t **bytes)
{
    struct td_payload payload = { 0 };
    struct block *block;
    int ret = get_block(k, fd, from, false, &block);

    if (ret == 0) {
        ret = find_in_block(block, from, seq, &payload);
        if (ret == -EAGAIN) {
            ret = get_block(k, fd, from, true, &block);
            ret = ret ? ret : find_in_block(block, from, seq, &payload);
        }
    }
    ret = ret == -EAGAIN ? -ENOENT : ret;
    return ret ? ret : take_payload(k, seq, &payload, bytes);
}
