/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Traces built by hand, block by block: small ones, odd ones, broken ones.
 * tracedisk-format(5) is the reference.
 */
#ifndef TESTS_UNIT_MAKER_H
#define TESTS_UNIT_MAKER_H

#include "block.h"
#include "sample.h"

struct block_maker {
    uint32_t stream, index;
    uint64_t first_seq, first_time;
    uint16_t major, minor;
    uint8_t codec;
    uint32_t padding;
    struct td_delta delta;
    GByteArray *records;
};

/* A block of format 1.0, without compression, whose next record is first_seq. */
struct block_maker *block_begin(uint32_t stream, uint32_t index, uint64_t first_seq);

/* Append a record, with bytes behind its fields; sets sample->seq. */
void block_add(struct block_maker *block, struct sample *sample, const void *more, size_t n);

/* Append bytes as they are. */
void block_add_raw(struct block_maker *block, const void *bytes, size_t n);

/* Append the block to the file, and free it. */
void block_end(struct block_maker *block, GByteArray *file);

/* The mark of a finished trace. */
void trace_end(GByteArray *file);

void write_file(const char *path, const uint8_t *bytes, size_t n);

#endif
