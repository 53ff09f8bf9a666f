/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands as an AHCI disk under load records them: what bench programs write. */
#ifndef BENCH_JOB_H
#define BENCH_JOB_H

#include <stdbool.h>
#include <stdint.h>

#include "tracedisk.h"

#define JOB_DEPTH 32
#define JOB_MAX_ELEMENTS 16

struct job {
    struct td_stream *stream;
    bool mixed; /* random LBAs and 1 to 16 elements; else 4 KiB in sequence */
    bool digests;
    bool sectors; /* a hash of each block as well */
    uint64_t blocks; /* of the disk; 0: 4 GiB */
    uint64_t time_ns;
    uint64_t lba;
    uint64_t random;
    uint64_t seq[JOB_DEPTH];
    unsigned failures; /* records that could not be written */
};

/* Write the header and the device. */
void job_begin(struct job *job, struct td_stream *stream);

/* Submit a queue of commands, then complete it. */
void job_round(struct job *job);

struct job_command {
    bool write, flush;
    bool error;
    uint64_t lba;
    uint32_t pages;   /* an element each */
    uint32_t offset;  /* of each element in its page */
    uint64_t payload; /* seed of the digest */
};

void job_submit(struct job *job, unsigned slot, const struct job_command *command);
void job_complete(struct job *job, unsigned slot, const struct job_command *command);

#endif
