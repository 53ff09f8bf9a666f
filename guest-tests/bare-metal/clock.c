/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Time: the TSC, calibrated once against the PIT. */
#include "clock.h"

#include "io.h"

#define PIT_HZ 1193182u
#define PIT_CHANNEL_2 0x42
#define PIT_COMMAND 0x43
#define PIT_CH2_ONE_SHOT 0xb0 /* channel 2, low then high byte, mode 0 */
#define PIT_GATE 0x61
#define GATE_CH2 0x01
#define GATE_SPEAKER 0x02
#define GATE_CH2_OUT 0x20

#define CALIBRATION_TICKS (PIT_HZ / 20) /* 50 ms */

static uint64_t start_tsc, tsc_hz;

void clock_init(void)
{
    outb(PIT_GATE, (uint8_t)((inb(PIT_GATE) & ~GATE_SPEAKER) | GATE_CH2));
    outb(PIT_COMMAND, PIT_CH2_ONE_SHOT);
    outb(PIT_CHANNEL_2, CALIBRATION_TICKS & 0xff);
    outb(PIT_CHANNEL_2, CALIBRATION_TICKS >> 8);
    start_tsc = rdtsc();
    while (!(inb(PIT_GATE) & GATE_CH2_OUT)) {
    }
    tsc_hz = (rdtsc() - start_tsc) * PIT_HZ / CALIBRATION_TICKS;
}

uint64_t clock_ns(void)
{
    uint64_t ticks = rdtsc() - start_tsc;

    /* Seconds apart from the rest: the product would overflow in seconds. */
    return ticks / tsc_hz * 1000000000u + ticks % tsc_hz * 1000000000u / tsc_hz;
}
