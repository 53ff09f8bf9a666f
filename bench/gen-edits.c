/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Write the trace of a job whose commands are the same in every run, but for
 * edits of some of them: what tracedisk diff is measured with.
 *
 *   bench-gen-edits TRACE COMMANDS PERCENT
 *
 * Reads and writes of 4 to 64 KiB anywhere on a disk of 4 GiB, 32 in flight, a
 * flush after every 1024. An edit is one of: other bytes, two requests in place
 * of one, buffers elsewhere in their pages, the command left out, an error.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "job.h"

#define FLUSH_EVERY 1024

/* SplitMix64: the same for the same number. */
static uint64_t random_of(uint64_t number)
{
    number *= 0x9e3779b97f4a7c15u;
    number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9u;
    number = (number ^ number >> 27) * 0x94d049bb133111ebu;
    return number ^ number >> 31;
}

static struct job_command command_number(uint64_t i)
{
    uint64_t r = random_of(i + 1);

    return (struct job_command){
        .write = r % 3 == 0,
        .pages = 1 + (uint32_t)(r >> 8) % JOB_MAX_ELEMENTS,
        .lba = (r >> 20) % (8u << 20) & ~7ull,
        .payload = r | 1,
    };
}

/* The commands in place of one: how many; 0 to 2. */
static unsigned edit(struct job_command commands[2], uint64_t random)
{
    struct job_command *c = commands;

    switch (random % 5) {
    case 0:
        c->payload += 2;
        return 1;
    case 1:
        if (c->pages == 1) {
            return 1;
        }
        commands[1] = *c;
        c->pages /= 2;
        commands[1].pages -= c->pages;
        commands[1].lba += c->pages * 8;
        commands[1].payload += 4;
        c->payload += 6;
        return 2;
    case 2:
        c->offset = 512;
        return 1;
    case 3:
        return 0;
    default:
        c->error = true;
        return 1;
    }
}

struct queue {
    struct job_command commands[JOB_DEPTH];
    unsigned n;
};

static void drain(struct job *job, struct queue *q)
{
    for (unsigned slot = 0; slot < q->n; slot++) {
        job_complete(job, slot, &q->commands[slot]);
    }
    q->n = 0;
}

static void run(struct job *job, struct queue *q, const struct job_command *c)
{
    if (q->n == JOB_DEPTH || c->flush) {
        drain(job, q);
    }
    q->commands[q->n] = *c;
    job_submit(job, q->n++, c);
    if (c->flush) {
        drain(job, q);
    }
}

static void run_all(struct job *job, uint64_t commands, double percent)
{
    const struct job_command flush = { .flush = true };
    struct queue q = { 0 };

    for (uint64_t i = 0; i < commands; i++) {
        struct job_command all[2] = { command_number(i) };
        uint64_t chance = random_of(~i);
        unsigned n = 1;

        if ((double)(chance >> 11) < percent / 100 * 0x1p53) {
            n = edit(all, random_of(chance));
        }
        for (unsigned k = 0; k < n; k++) {
            run(job, &q, &all[k]);
        }
        if (i % FLUSH_EVERY == FLUSH_EVERY - 1) {
            run(job, &q, &flush);
        }
    }
    drain(job, &q);
}

int main(int argc, char **argv)
{
    struct td_writer *writer;
    struct td_stream *stream;
    struct job job = { .digests = true };
    int error;

    if (argc != 4) {
        fprintf(stderr, "usage: bench-gen-edits TRACE COMMANDS PERCENT\n");
        return 2;
    }
    error = td_writer_create(argv[1], NULL, &writer);
    if (!error) {
        error = td_stream_open(writer, &stream);
    }
    if (error) {
        fprintf(stderr, "bench-gen-edits: %s: %s\n", argv[1], strerror(-error));
        return 2;
    }
    job_begin(&job, stream);
    run_all(&job, strtoull(argv[2], NULL, 10), atof(argv[3]));
    td_writer_close(writer);
    if (job.failures) {
        fprintf(stderr, "bench-gen-edits: %s: %u records were not written\n", argv[1],
                job.failures);
        return 2;
    }
    return 0;
}
