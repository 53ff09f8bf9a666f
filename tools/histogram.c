/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Distributions of numbers, counted in constant memory. */
#include "histogram.h"

#include <math.h>

double histogram_mean(const struct histogram *h)
{
    return h->count ? h->sum / (double)h->count : 0;
}

/* The largest value that is counted in a bucket. */
static uint64_t bucket_last(unsigned bucket)
{
    unsigned shift = bucket >> HISTOGRAM_FINE_BITS;

    if (shift == 0)
        return bucket;
    shift--;
    return (((uint64_t)bucket - ((uint64_t)shift << HISTOGRAM_FINE_BITS) + 1) << shift) - 1;
}

uint64_t histogram_percentile(const struct histogram *h, double percent)
{
    uint64_t rank = (uint64_t)ceil((double)h->count * percent / 100);
    uint64_t seen = 0;

    for (unsigned i = 0; i < HISTOGRAM_BUCKETS && h->count; i++) {
        seen += h->buckets[i];
        if (seen >= rank && seen) {
            uint64_t value = bucket_last(i);

            return value < h->max ? value : h->max;
        }
    }
    return h->max;
}

uint64_t histogram_octave(const struct histogram *h, int bit)
{
    uint64_t count = 0;
    unsigned first, last;

    if (bit < 0)
        return h->buckets[0];
    first = histogram_bucket((uint64_t)1 << bit);
    last = histogram_bucket(((uint64_t)1 << bit << 1) - 1);
    for (unsigned i = first; i <= last; i++)
        count += h->buckets[i];
    return count;
}
