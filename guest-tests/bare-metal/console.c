/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text out through QEMU's debugcon, and the end through isa-debug-exit. */
#include "console.h"

#include <stdarg.h>
#include <stdbool.h>

#include "io.h"

#define DEBUGCON_PORT 0xe9
#define DEBUG_EXIT_PORT 0x501 /* -device isa-debug-exit: its default */

static void put(char c)
{
    outb(DEBUGCON_PORT, (uint8_t)c);
}

static void put_string(const char *s)
{
    while (*s) {
        put(*s++);
    }
}

static void put_number(uint64_t value, unsigned base)
{
    char digits[20];
    int n = 0;

    do {
        digits[n++] = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    while (n) {
        put(digits[--n]);
    }
}

void print(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    for (; *format; format++) {
        if (*format != '%') {
            put(*format);
            continue;
        }
        format++;
        bool wide = *format == 'l';

        if (wide) {
            format++;
        }
        switch (*format) {
        case 's':
            put_string(va_arg(args, const char *));
            break;
        case 'u':
        case 'x':
            put_number(wide ? va_arg(args, uint64_t) : va_arg(args, uint32_t),
                       *format == 'x' ? 16 : 10);
            break;
        default:
            put(*format);
            break;
        }
    }
    va_end(args);
}

void finish(uint8_t code)
{
    outb(DEBUG_EXIT_PORT, code);
    for (;;) {
        __asm__ volatile("cli; hlt");
    }
}
