/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * aioload: keep a disk's queue full with direct reads through Linux's AIO, and
 * tell how many there were in how long. The bench's load where only Linux has
 * a driver.
 *
 * usage: aioload DEVICE JOB
 *
 * JOB holds words: size=BYTES depth=N seconds=N. Prints "begin", "end", and
 * then "commands=N bytes=N ns=N", as the bare-metal load does.
 */
#define _GNU_SOURCE /* O_DIRECT */
#include <err.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <linux/fs.h>
#include <time.h>
#include <unistd.h>

#define MAX_DEPTH 256

struct job {
    unsigned long size, depth, seconds;
};

struct load {
    int fd;
    uint64_t bytes, next; /* the disk's size; where the next read begins */
    unsigned long size;
    aio_context_t context;
    struct iocb reads[MAX_DEPTH];
};

static struct job read_job(const char *path)
{
    struct job job = { .size = 4096, .depth = 32, .seconds = 1 };
    FILE *f = fopen(path, "r");
    char word[64];

    if (!f) {
        err(1, "%s", path);
    }
    while (fscanf(f, "%63s", word) == 1) {
        if (sscanf(word, "size=%lu", &job.size) != 1 &&
            sscanf(word, "depth=%lu", &job.depth) != 1 &&
            sscanf(word, "seconds=%lu", &job.seconds) != 1) {
            errx(1, "%s: '%s' is not size=, depth= or seconds=", path, word);
        }
    }
    fclose(f);
    if (!job.size || job.size % 4096 || !job.depth || job.depth > MAX_DEPTH || !job.seconds) {
        errx(1, "%s: size is a multiple of 4096, depth at most %d, seconds at least 1", path,
             MAX_DEPTH);
    }
    return job;
}

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void submit(struct load *load, struct iocb **reads, long n)
{
    for (long i = 0; i < n; i++) {
        reads[i]->aio_offset = (int64_t)load->next;
        load->next += load->size;
        if (load->next + load->size > load->bytes) {
            load->next = 0;
        }
    }
    if (syscall(SYS_io_submit, load->context, n, reads) != n) {
        err(1, "io_submit");
    }
}

/* Wait for at least @least reads; returns how many came, in @done. */
static long reap(struct load *load, long least, struct iocb **done)
{
    static struct io_event events[MAX_DEPTH];
    long n = syscall(SYS_io_getevents, load->context, least, MAX_DEPTH, events, NULL);

    if (n < least) {
        err(1, "io_getevents");
    }
    for (long i = 0; i < n; i++) {
        if (events[i].res != (int64_t)load->size) {
            errx(1, "a read returned %lld", (long long)events[i].res);
        }
        done[i] = (struct iocb *)(uintptr_t)events[i].obj;
    }
    return n;
}

static void open_disk(struct load *load, const char *path)
{
    load->fd = open(path, O_RDONLY | O_DIRECT);
    if (load->fd < 0 || ioctl(load->fd, BLKGETSIZE64, &load->bytes) < 0) {
        err(1, "%s", path);
    }
}

int main(int argc, char **argv)
{
    static struct load load;
    static struct iocb *list[MAX_DEPTH];
    uint64_t commands = 0, start, end;
    struct job job;
    char *memory;

    if (argc != 3) {
        errx(1, "usage: aioload DEVICE JOB");
    }
    job = read_job(argv[2]);
    open_disk(&load, argv[1]);
    load.size = job.size;
    memory = mmap(NULL, job.depth * job.size, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED || syscall(SYS_io_setup, job.depth, &load.context) < 0) {
        err(1, "preparing");
    }
    for (unsigned long i = 0; i < job.depth; i++) {
        load.reads[i] = (struct iocb){
            .aio_lio_opcode = IOCB_CMD_PREAD,
            .aio_fildes = (uint32_t)load.fd,
            .aio_buf = (uintptr_t)(memory + i * job.size),
            .aio_nbytes = job.size,
        };
        list[i] = &load.reads[i];
    }

    puts("begin");
    fflush(stdout);
    start = now_ns();
    submit(&load, list, (long)job.depth);
    do {
        long n = reap(&load, 1, list);

        commands += (uint64_t)n;
        end = now_ns();
        if (end - start < job.seconds * 1000000000) {
            submit(&load, list, n);
        } else if ((uint64_t)n < job.depth) {
            commands += (uint64_t)reap(&load, (long)job.depth - n, list);
            end = now_ns();
        }
    } while (end - start < job.seconds * 1000000000);
    puts("end");
    printf("commands=%llu bytes=%llu ns=%llu\n", (unsigned long long)commands,
           (unsigned long long)(commands * job.size), (unsigned long long)(end - start));
    return 0;
}
