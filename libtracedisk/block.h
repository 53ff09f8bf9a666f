/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The layout of a trace's blocks; tracedisk-format(5), "Blocks".
 *
 * The header's last word is the only thing that changes once a block has been
 * begun. It holds the number of published bytes and their crc32, and is stored
 * at once, with release semantics, after the bytes themselves: a block can be
 * verified at any instant, by a live reader and after the writer's death.
 */
#ifndef LIBTRACEDISK_BLOCK_H
#define LIBTRACEDISK_BLOCK_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

/* Not text (0x89), and shows a transfer that converts line ends. */
#define TD_BLOCK_MAGIC "\x89TDT\r\n\x1a\n"

/* After the last block of a trace that was finished, and not cut since. */
#define TD_END_MAGIC "\x89TDEND\r\n"
#define TD_MAGIC_LEN 8

enum {
    TD_AT_MAGIC = 0,
    TD_AT_MAJOR = 8,
    TD_AT_MINOR = 10,
    TD_AT_HEADER_LEN = 12,
    TD_AT_CODEC = 14,
    TD_AT_FLAGS = 15,
    TD_AT_CAPACITY = 16, /* from this header to the next, bytes */
    TD_AT_STREAM = 20,
    TD_AT_INDEX = 24,    /* of the block in its stream, from 0 */
    TD_AT_RAW_LEN = 28,  /* TD_CODEC_ZLIB: length when inflated */
    TD_AT_FIRST_SEQ = 32,
    TD_AT_FIRST_TIME = 40,
    TD_AT_RESERVED = 48,
    TD_AT_HEADER_CRC = 52, /* crc32 of all the bytes before it */
    TD_AT_PUBLISHED = 56,  /* length | crc32 << 32 */
    TD_BLOCK_HEADER = 64,
};

enum td_block_flags {
    TD_BLOCK_INDEX = 1 << 0, /* its one record is an INDEX; since 1.3 */
};

/* What a reader takes for possible; the largest record needs 3.4 MiB. */
#define TD_BLOCK_MAX (64u << 20)
#define TD_STREAM_MAX (1u << 20)

static inline uint16_t td_get16(const uint8_t *p)
{
    uint16_t v;

    memcpy(&v, p, sizeof(v));
    return le16toh(v);
}

static inline uint32_t td_get32(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof(v));
    return le32toh(v);
}

static inline uint64_t td_get64(const uint8_t *p)
{
    uint64_t v;

    memcpy(&v, p, sizeof(v));
    return le64toh(v);
}

static inline void td_set16(uint8_t *p, uint16_t v)
{
    v = htole16(v);
    memcpy(p, &v, sizeof(v));
}

static inline void td_set32(uint8_t *p, uint32_t v)
{
    v = htole32(v);
    memcpy(p, &v, sizeof(v));
}

static inline void td_set64(uint8_t *p, uint64_t v)
{
    v = htole64(v);
    memcpy(p, &v, sizeof(v));
}

#endif
