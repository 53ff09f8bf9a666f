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
    static const char pairs[] = "00010203040506070809101112131415161718192021222324"
                                "25262728293031323334353637383940414243444546474849"
                                "50515253545556575859606162636465666768697071727374"
                                "75767778798081828384858687888990919293949596979899";
    unsigned digits = 1;
    char *end;

    for (uint64_t limit = 10; digits < DECIMAL_MAX && value >= limit; limit *= 10)
        digits++;
    end = p + digits;
    for (p = end; value >= 10; value /= 100) {
        p -= 2;
        memcpy(p, &pairs[2 * (value % 100)], 2);
    }
    /* A first digit of its own; 0 is one, too. */
    if (digits & 1)
        *--p = (char)('0' + value);
    return end;
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
