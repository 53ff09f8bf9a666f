/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tracedisk verify: what it found, and how that is printed. */
#ifndef TOOLS_VERIFY_H
#define TOOLS_VERIFY_H

#include "oracle.h"

/*
 * Where bytes were seen: the last command before a read that moved the same
 * payload, or, where blocks have hashes, the same first block that differs.
 */
struct sighting {
    uint64_t seq; /* 0: never */
    uint64_t lba, blocks;
    const char *device; /* a printable name */
    const char *command;
};

/* The first byte that is not what it should be; from the bytes in the trace. */
struct difference {
    bool known;
    uint64_t block;
    uint32_t offset; /* in the block */
    uint8_t returned, expected;
};

struct mismatch {
    struct oracle_result read; /* its pointers: not the oracle's but our own */
    const char *device;
    uint8_t sector[TD_SECTOR_HASH]; /* what read.sector points to */
    struct sighting written, returned; /* by a write, by a read */
    GArray *differences; /* struct difference, one for each of read.legal */
};

struct verify_result {
    uint64_t counts[VERDICTS]; /* reads */
    GPtrArray *mismatches;     /* struct mismatch: as many as are to be shown */
    bool has_image;
};

uint64_t verify_reads(const struct verify_result *r);

void verify_print_text(const struct verify_result *r);
void verify_print_json(const struct verify_result *r); /* one object a line, then a summary */

#endif
