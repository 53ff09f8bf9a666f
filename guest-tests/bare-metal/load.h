/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A load: which commands, how many, and what came of them. */
#ifndef LOAD_H
#define LOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "disk.h"

enum load_op {
    LOAD_READ,
    LOAD_WRITE,
    LOAD_VERIFY, /* write patterns, flush, read them back and compare */
    LOAD_MIXED,  /* reads, writes and flushes of many sizes */
};

struct load_options {
    enum load_op op;
    uint32_t size;     /* bytes a command; the most of them for LOAD_MIXED */
    uint32_t elements; /* likewise */
    uint32_t depth;    /* commands outstanding */
    bool ncq;
    bool random;      /* LBAs in random order */
    uint64_t count;   /* commands; 0: until the time is over */
    uint64_t seconds; /* 0: until the count is reached */
    uint64_t span;    /* bytes of the disk that are used; 0: all */
    uint64_t bad;     /* every bad-th command is beyond the end of the disk */
};

struct load_result {
    uint64_t commands; /* completed without an error */
    uint64_t bytes;
    uint64_t flushes;
    uint64_t expected_errors; /* commands beyond the end that failed */
    uint64_t errors;          /* everything else that went wrong */
    uint64_t polls;           /* that found completed commands */
};

/* Allocate buffers for the load. Dies when the options ask the impossible. */
void load_init(const struct load_options *options, const struct disk *disk);

/* Run it. Stops early, and says why, after an error. */
void load_run(struct load_result *result);

/* Flush what was written: not a part of the load, but of a right driver. */
void load_finish(struct load_result *result);

#endif
