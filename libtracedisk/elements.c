/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The element codec: a scatter-gather list in about three bytes an entry;
 * tracedisk-format(5), "Element lists".
 *
 * Nearly all entries are whole pages of the same length at random places, so
 * that one varint with the distance in pages holds such an entry.
 */
#include <errno.h>

#include "codec.h"

enum {
    PLAIN = 1 << 0, /* page-aligned, length and flags as before */
    HAS_OFFSET = 1 << 1,
    HAS_LEN = 1 << 2,
    HAS_FLAGS = 1 << 3,
    FORM_BITS = 4,
};

#define PAGE_BITS 12
#define PAGE_OFFSET ((1u << PAGE_BITS) - 1)

/* Lengths are mostly multiples of a sector. */
static inline uint64_t encode_len(uint32_t len)
{
    return len % 512 ? (uint64_t)len << 1 : (uint64_t)(len / 512) << 1 | 1;
}

static inline uint64_t decode_len(uint64_t v)
{
    return v & 1 ? (v >> 1) * 512 : v >> 1;
}

size_t td_encode_elements(const struct td_element *elements, uint32_t n, uint8_t *out)
{
    uint8_t *p = out;
    uint64_t page = 0;
    uint32_t len = 4096, flags = 0;

    for (const struct td_element *e = elements; e < elements + n; e++) {
        uint64_t step = td_zigzag((e->addr >> PAGE_BITS) - page);
        uint32_t offset = e->addr & PAGE_OFFSET;

        page = e->addr >> PAGE_BITS;
        if (!offset && e->len == len && e->flags == flags) {
            p = td_write_varint(p, step << 1 | PLAIN);
            continue;
        }
        p = td_write_varint(p, step << FORM_BITS | (offset ? HAS_OFFSET : 0) |
                               (e->len != len ? HAS_LEN : 0) |
                               (e->flags != flags ? HAS_FLAGS : 0));
        if (offset) {
            p = td_write_varint(p, offset);
        }
        if (e->len != len) {
            p = td_write_varint(p, encode_len(e->len));
        }
        if (e->flags != flags) {
            p = td_write_varint(p, e->flags);
        }
        len = e->len;
        flags = e->flags;
    }
    return (size_t)(p - out);
}

int td_decode_elements(const uint8_t *in, size_t in_len, struct td_element *elements, uint32_t n)
{
    struct td_cursor c = { in, in + in_len, false };
    uint64_t page = 0, len = 4096;
    uint32_t flags = 0;

    for (uint32_t i = 0; i < n; i++) {
        uint64_t form = td_read_varint(&c);
        uint64_t offset = 0;

        if (form & PLAIN) {
            page += td_unzigzag(form >> 1);
        } else {
            page += td_unzigzag(form >> FORM_BITS);
            if (form & HAS_OFFSET) {
                offset = td_read_varint(&c);
            }
            if (form & HAS_LEN) {
                len = decode_len(td_read_varint(&c));
            }
            if (form & HAS_FLAGS) {
                flags = td_read_varint32(&c);
            }
        }
        if (offset > PAGE_OFFSET || len > UINT32_MAX || c.bad) {
            return -EINVAL;
        }
        elements[i] = (struct td_element){ page << PAGE_BITS | offset, (uint32_t)len, flags };
    }
    return c.p == c.end ? 0 : -EINVAL;
}
