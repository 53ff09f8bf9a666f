/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Write a trace of any length without a guest: commands of a mixed job with
 * hashes, 32 in flight.
 *
 *   bench-gen-trace TRACE COMMANDS [sectors|small]
 *
 * sectors: commands of 4 KiB in sequence, with a hash of each block.
 * small: of a disk of 64 MiB, so that few blocks are touched often.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "job.h"

int main(int argc, char **argv)
{
    struct td_writer *writer;
    struct td_stream *stream;
    bool sectors = argc == 4 && strcmp(argv[3], "sectors") == 0;
    bool small = argc == 4 && strcmp(argv[3], "small") == 0;
    struct job job = { .mixed = !sectors, .digests = true, .sectors = sectors };
    int error;

    if (argc != 3 && !sectors && !small) {
        fprintf(stderr, "usage: bench-gen-trace TRACE COMMANDS [sectors|small]\n");
        return 2;
    }
    if (small) {
        job.blocks = (64u << 20) / 512;
    }
    uint64_t rounds = strtoull(argv[2], NULL, 10) / JOB_DEPTH;

    error = td_writer_create(argv[1], NULL, &writer);
    if (!error) {
        error = td_stream_open(writer, &stream);
    }
    if (error || !rounds) {
        fprintf(stderr, "bench-gen-trace: %s: %s\n", argv[1], strerror(error ? -error : EINVAL));
        return 2;
    }
    job_begin(&job, stream);
    for (uint64_t i = 0; i < rounds; i++) {
        job_round(&job);
    }
    td_writer_close(writer);
    if (job.failures) {
        fprintf(stderr, "bench-gen-trace: %s: %u records were not written\n", argv[1],
                job.failures);
        return 2;
    }
    return 0;
}
