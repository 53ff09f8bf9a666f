/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Varints: seven bits a byte, least significant first, the top bit says that
 * more follow (as in protobuf and DWARF). Zigzag makes small numbers of either
 * sign short.
 */
#ifndef LIBTRACEDISK_VARINT_H
#define LIBTRACEDISK_VARINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define TD_VARINT_MAX 10

static inline uint64_t td_zigzag(uint64_t v)
{
    return v << 1 ^ (0 - (v >> 63));
}

static inline uint64_t td_unzigzag(uint64_t v)
{
    return v >> 1 ^ (0 - (v & 1));
}

static inline uint8_t *td_write_varint(uint8_t *p, uint64_t v)
{
    while (v >= 0x80) {
        *p++ = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    *p++ = (uint8_t)v;
    return p;
}

static inline uint8_t *td_write_zigzag(uint8_t *p, uint64_t v)
{
    return td_write_varint(p, td_zigzag(v));
}

static inline uint8_t *td_write_bytes(uint8_t *p, const void *bytes, size_t n)
{
    if (n) {
        memcpy(p, bytes, n);
    }
    return p + n;
}

static inline size_t td_varint_size(uint64_t v)
{
    size_t n = 1;

    while (v >= 0x80) {
        v >>= 7;
        n++;
    }
    return n;
}

/*
 * Bytes being decoded. Reading past the end sets `bad` and gives zeros, so
 * that a decoder checks once, at its end.
 */
struct td_cursor {
    const uint8_t *p, *end;
    bool bad;
};

static inline size_t td_left(const struct td_cursor *c)
{
    return (size_t)(c->end - c->p);
}

static inline uint64_t td_read_long_varint(struct td_cursor *c)
{
    uint64_t v = 0;

    for (unsigned shift = 0; shift < 70 && c->p < c->end; shift += 7) {
        uint8_t byte = *c->p++;

        if (shift == 63 && byte > 1) {
            break;
        }
        v |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            return v;
        }
    }
    c->bad = true;
    c->p = c->end;
    return 0;
}

static inline uint64_t td_read_varint(struct td_cursor *c)
{
    if (c->p < c->end && *c->p < 0x80) {
        return *c->p++;
    }
    if (td_left(c) >= 2 && c->p[1] < 0x80) {
        c->p += 2;
        return (c->p[-2] & 0x7f) | (uint64_t)c->p[-1] << 7;
    }
    return td_read_long_varint(c);
}

static inline uint32_t td_read_varint32(struct td_cursor *c)
{
    uint64_t v = td_read_varint(c);

    if (v > UINT32_MAX) {
        c->bad = true;
    }
    return (uint32_t)v;
}

static inline uint64_t td_read_zigzag(struct td_cursor *c)
{
    return td_unzigzag(td_read_varint(c));
}

static inline uint8_t td_read_byte(struct td_cursor *c)
{
    if (c->p == c->end) {
        c->bad = true;
        return 0;
    }
    return *c->p++;
}

/* NULL, and bad, when fewer than n bytes are left. */
static inline const uint8_t *td_read_bytes(struct td_cursor *c, uint64_t n)
{
    const uint8_t *p = c->p;

    if (n > td_left(c)) {
        c->bad = true;
        c->p = c->end;
        return NULL;
    }
    c->p += n;
    return p;
}

#endif
