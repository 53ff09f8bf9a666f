/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text out through QEMU's debugcon, and the end through isa-debug-exit. */
#ifndef CONSOLE_H
#define CONSOLE_H

#include <stdint.h>

/* Understands %s, %u (uint32_t), %x (uint32_t), %lu and %lx (uint64_t), %%. */
void print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* QEMU exits with 2 * code + 1, so 0 is seen as 1 and 1 as 3. */
void finish(uint8_t code) __attribute__((noreturn));

/* Print what was wrong, and finish with 1. */
#define die(...)                                                               \
    do {                                                                       \
        print("error: " __VA_ARGS__);                                          \
        print("\n");                                                           \
        finish(1);                                                             \
    } while (0)

#endif
