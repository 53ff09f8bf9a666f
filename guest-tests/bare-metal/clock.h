/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Time: the TSC, calibrated once against the PIT. */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdint.h>

void clock_init(void);

/* Nanoseconds since clock_init(). */
uint64_t clock_ns(void);

#endif
