/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Distributions of numbers, counted in constant memory. */
#ifndef TOOLS_HISTOGRAM_H
#define TOOLS_HISTOGRAM_H

#include <stdint.h>

/*
 * Buckets of 1/64 of a power of two: any uint64_t, and percentiles that are
 * at most 1.6 % too high.
 */
#define HISTOGRAM_FINE_BITS 6
#define HISTOGRAM_BUCKETS ((65 - HISTOGRAM_FINE_BITS) << HISTOGRAM_FINE_BITS)

struct histogram {
    uint64_t count, min, max;
    double sum;
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

static inline unsigned histogram_bucket(uint64_t value)
{
    unsigned shift;

    if (value >> HISTOGRAM_FINE_BITS == 0)
        return (unsigned)value;
    shift = 63 - (unsigned)__builtin_clzll(value) - HISTOGRAM_FINE_BITS;
    return (shift << HISTOGRAM_FINE_BITS) + (unsigned)(value >> shift);
}

static inline void histogram_add(struct histogram *h, uint64_t value)
{
    if (h->count == 0 || value < h->min)
        h->min = value;
    if (value > h->max)
        h->max = value;
    h->count++;
    h->sum += (double)value;
    h->buckets[histogram_bucket(value)]++;
}

double histogram_mean(const struct histogram *h);

/* The value that percent % of all are not above; 0 when there are none. */
uint64_t histogram_percentile(const struct histogram *h, double percent);

/* How many values have this power of two as their highest bit; bit -1: zeros. */
uint64_t histogram_octave(const struct histogram *h, int bit);

#endif
