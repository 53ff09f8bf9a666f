/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Back from what a library does with AVX.
 *
 * libxxhash's functions for it return without VZEROUPPER, as Debian builds them. With the
 * upper halves of the registers in use, each SSE instruction has to merge, and so to wait:
 * QEMU is full of them, and lost more time there than in the hash.
 */
#ifndef LIBTRACEDISK_AVX_H
#define LIBTRACEDISK_AVX_H

#ifdef __x86_64__
#include <immintrin.h>

__attribute__((target("avx"))) static void td_zero_upper_halves(void)
{
    _mm256_zeroupper();
}

static inline void td_leave_avx(void)
{
    if (__builtin_cpu_supports("avx")) {
        td_zero_upper_halves();
    }
}
#else
static inline void td_leave_avx(void)
{
}
#endif

#endif
