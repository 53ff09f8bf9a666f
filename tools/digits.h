/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers as text where millions of them are printed: printf() takes most of
 * the time of an export otherwise. Each puts its digits at p, without a final
 * 0, and returns where they end.
 */
#ifndef TOOLS_DIGITS_H
#define TOOLS_DIGITS_H

#include <stdint.h>
#include <string.h>

#define DECIMAL_MAX 20
#define HEX_MAX 16

static inline char *put_decimal(char *p, uint64_t value)
{
    char text[DECIMAL_MAX];
    char *start = text + sizeof(text);
    size_t len;

    do {
        *--start = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    len = (size_t)(text + sizeof(text) - start);
    memcpy(p, start, len);
    return p + len;
}

/* Lower case, no leading zeros. */
static inline char *put_hex(char *p, uint64_t value)
{
    unsigned digits = value ? (67 - (unsigned)__builtin_clzll(value)) / 4 : 1;

    for (unsigned i = digits; i-- > 0; value >>= 4)
        p[i] = "0123456789abcdef"[value & 15];
    return p + digits;
}

/* Two digits for each byte. */
static inline char *put_hex_bytes(char *p, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        *p++ = "0123456789abcdef"[bytes[i] >> 4];
        *p++ = "0123456789abcdef"[bytes[i] & 15];
    }
    return p;
}

/* A text without its final 0. */
static inline char *put_text(char *p, const char *text)
{
    size_t len = strlen(text);

    memcpy(p, text, len);
    return p + len;
}

#endif
