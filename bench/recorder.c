/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What recording costs: CPU time and bytes of a command of one element, without
 * its hash. Prints one JSON object.
 *
 *   bench-recorder TRACE COMMANDS
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "job.h"

static int64_t thread_cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int main(int argc, char **argv)
{
    struct td_writer *writer;
    struct td_stream *stream;
    struct job job = { 0 };
    struct stat file;
    int error;

    if (argc != 3) {
        fprintf(stderr, "usage: bench-recorder TRACE COMMANDS\n");
        return 2;
    }
    uint64_t rounds = strtoull(argv[2], NULL, 10) / JOB_DEPTH;

    error = td_writer_create(argv[1], NULL, &writer);
    if (!error) {
        error = td_stream_open(writer, &stream);
    }
    if (error || !rounds) {
        fprintf(stderr, "bench-recorder: %s: %s\n", argv[1], strerror(error ? -error : EINVAL));
        return 2;
    }
    job_begin(&job, stream);

    int64_t start = thread_cpu_ns();

    for (uint64_t i = 0; i < rounds; i++) {
        job_round(&job);
    }

    int64_t ns = thread_cpu_ns() - start;

    td_writer_close(writer);
    if (job.failures || stat(argv[1], &file)) {
        fprintf(stderr, "bench-recorder: %s: %u records were not written\n", argv[1],
                job.failures);
        return 2;
    }
    printf("{\"commands\":%" PRIu64 ",\"cpu_ns\":%" PRId64 ",\"bytes\":%jd}\n",
           rounds * JOB_DEPTH, ns, (intmax_t)file.st_size);
    return 0;
}
