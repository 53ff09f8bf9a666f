/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dmaview: run a job of O_DIRECT requests on a disk and print, as one JSON
 * object a line, where in physical memory each request's buffers lay and what
 * they held: the guest's own view, to hold against the trace's.
 *
 * usage: dmaview DEVICE JOB      (as root: it reads physical page numbers)
 *
 * A job has one request a line; '#' begins a comment:
 *
 *     read  OFFSET BUFFERS
 *     write OFFSET BUFFERS
 *     flush
 *
 * BUFFERS is a list, separated by commas, of SIZE[@ALIGN][*COUNT]: COUNT
 * buffers of SIZE bytes, each beginning ALIGN bytes into a page. Numbers may
 * end in k or m, and be sums: 1m+512. A buffer on its own lies in memory that
 * is as contiguous as the kernel can make it; the buffers of a longer list, and
 * a buffer written as ~SIZE, have pages scattered over the machine.
 *
 * What a write writes is known to the host: each 8-byte word of it, little
 * endian, is (number of the request << 48) + the word's offset on the disk.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <zlib.h>

#define PAGE 4096UL
#define ARENA (2UL << 20)
#define ARENA_PAGES (ARENA / PAGE)
#define MAX_BUFFERS 1024

/* Memory that buffers are taken from, with the physical page of each page. */
struct arena {
    uint8_t *base;
    uint64_t frame[ARENA_PAGES];
    size_t next;
};

struct request {
    unsigned number;
    const char *op;
    uint64_t offset;
    uint64_t length;
    struct iovec buffer[MAX_BUFFERS];
    int buffers;
};

static struct arena contiguous, scattered;
static int pagemap;

/* ---- Memory whose physical pages are known ------------------------------ */

static uint64_t frame_of(const void *address)
{
    uint64_t entry;

    if (pread(pagemap, &entry, sizeof(entry), (uintptr_t)address / PAGE * sizeof(entry)) !=
        sizeof(entry)) {
        err(2, "cannot read /proc/self/pagemap");
    }
    if (!(entry >> 63)) {
        errx(2, "a locked page is not in memory");
    }
    entry &= (1ULL << 55) - 1;
    if (!entry) {
        errx(2, "the kernel hides physical page numbers: run this as root");
    }
    return entry;
}

/*
 * An arena is as large as a huge page. With MADV_HUGEPAGE it becomes one, if
 * the kernel can. With MADV_NOHUGEPAGE, touching its pages with a stride
 * scatters them, as the kernel hands out neighbouring frames to pages touched
 * one after the other. The stride is odd, so that every page gets its turn.
 */
static void arena_create(struct arena *arena, int advice, size_t stride)
{
    uint8_t *area = mmap(NULL, 2 * ARENA, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (area == MAP_FAILED) {
        err(2, "cannot map %lu bytes", 2 * ARENA);
    }
    arena->base = area + (-(uintptr_t)area & (ARENA - 1));
    madvise(arena->base, ARENA, advice);
    for (size_t i = 0; i < ARENA_PAGES; i++) {
        arena->base[i * stride % ARENA_PAGES * PAGE] = 1;
    }
    if (mlock(arena->base, ARENA) < 0) {
        err(2, "cannot lock %lu bytes", ARENA);
    }
    for (size_t i = 0; i < ARENA_PAGES; i++) {
        arena->frame[i] = frame_of(arena->base + i * PAGE);
    }
}

/* A buffer that begins `align` bytes into a page and shares no page. */
static void *arena_take(struct arena *arena, size_t size, size_t align)
{
    size_t pages = (align + size + PAGE - 1) / PAGE;

    if (pages > ARENA_PAGES) {
        errx(2, "a buffer of %zu bytes is too large for an arena of %lu", size, ARENA);
    }
    if (arena->next + pages > ARENA_PAGES) {
        arena->next = 0;
    }
    void *buffer = arena->base + arena->next * PAGE + align;
    arena->next += pages;
    return buffer;
}

static size_t arena_moved_pages(const struct arena *arena)
{
    size_t moved = 0;

    for (size_t i = 0; i < ARENA_PAGES; i++) {
        moved += frame_of(arena->base + i * PAGE) != arena->frame[i];
    }
    return moved;
}

/* ---- A job's line --------------------------------------------------------- */

/* NUMBER[k|m], or a sum of such. */
static uint64_t parse_number(char **text)
{
    char *end;
    uint64_t value = strtoull(*text, &end, 10);

    if (end == *text) {
        errx(2, "expected a number at '%s'", *text);
    }
    if (*end == 'k') {
        value <<= 10;
        end++;
    } else if (*end == 'm') {
        value <<= 20;
        end++;
    }
    *text = end + (*end == '+');
    return *end == '+' ? value + parse_number(text) : value;
}

/* SIZE[@ALIGN][*COUNT] */
static void parse_buffers(struct request *r, char **text, bool alone)
{
    bool scatter = **text == '~' || !alone;
    uint64_t align = 0, count = 1;

    *text += **text == '~';
    uint64_t size = parse_number(text);
    if (**text == '@') {
        ++*text;
        align = parse_number(text);
    }
    if (**text == '*') {
        ++*text;
        count = parse_number(text);
    }
    scatter |= count > 1;
    for (; count > 0; count--) {
        if (r->buffers == MAX_BUFFERS) {
            errx(2, "request %u has more than %d buffers", r->number, MAX_BUFFERS);
        }
        r->buffer[r->buffers++] = (struct iovec) {
            .iov_base = arena_take(scatter ? &scattered : &contiguous, size, align),
            .iov_len = size,
        };
        r->length += size;
    }
}

static void parse_request(struct request *r, char *line)
{
    char *text = line, *op = strsep(&text, " \t");

    if (!strcmp(op, "flush")) {
        r->op = "flush";
        return;
    }
    if (strcmp(op, "read") && strcmp(op, "write")) {
        errx(2, "'%s' is no request: expected read, write or flush", op);
    }
    r->op = *op == 'r' ? "read" : "write";
    if (!text) {
        errx(2, "request %u: expected OFFSET BUFFERS after %s", r->number, r->op);
    }
    text += strspn(text, " \t");
    r->offset = parse_number(&text);
    text += strspn(text, " \t");
    bool alone = !strchr(text, ',');
    for (;;) {
        parse_buffers(r, &text, alone);
        if (*text != ',') {
            break;
        }
        text++;
    }
    if (*text) {
        errx(2, "request %u: did not expect '%s'", r->number, text);
    }
}

/* ---- Doing it ------------------------------------------------------------- */

static void fill(const struct request *r)
{
    uint64_t word = ((uint64_t)r->number << 48) + r->offset;

    for (int i = 0; i < r->buffers; i++) {
        uint8_t *to = r->buffer[i].iov_base;
        for (size_t done = 0; done + sizeof(word) <= r->buffer[i].iov_len; done += sizeof(word)) {
            memcpy(to + done, &word, sizeof(word));
            word += sizeof(word);
        }
    }
}

/* Anything a read does not overwrite must show. */
static void poison(const struct request *r)
{
    for (int i = 0; i < r->buffers; i++) {
        memset(r->buffer[i].iov_base, 0xee, r->buffer[i].iov_len);
    }
}

/* Returns the number of bytes moved, or a negative errno value. */
static ssize_t perform(int fd, const struct request *r)
{
    ssize_t done;

    switch (*r->op) {
    case 'r':
        poison(r);
        done = preadv(fd, r->buffer, r->buffers, r->offset);
        break;
    case 'w':
        fill(r);
        done = pwritev(fd, r->buffer, r->buffers, r->offset);
        break;
    default:
        done = fdatasync(fd);
    }
    return done < 0 ? -errno : done;
}

/* ---- Telling it ------------------------------------------------------------- */

/* Print the physical elements, neighbours joined. */
static void print_elements(const struct request *r)
{
    uint64_t start = 0, end = 0;
    const char *comma = "";

    printf("\"elements\":[");
    for (int i = 0; i < r->buffers; i++) {
        uint8_t *at = r->buffer[i].iov_base, *stop = at + r->buffer[i].iov_len;
        while (at < stop) {
            size_t in_page = (uintptr_t)at % PAGE;
            size_t step = PAGE - in_page;
            if (step > (size_t)(stop - at)) {
                step = stop - at;
            }
            uint64_t address = frame_of(at) * PAGE + in_page;
            if (end > start && address != end) {
                printf("%s{\"addr\":%ju,\"len\":%ju}", comma, start, end - start);
                comma = ",";
            }
            if (address != end) {
                start = address;
            }
            end = address + step;
            at += step;
        }
    }
    if (end > start) {
        printf("%s{\"addr\":%ju,\"len\":%ju}", comma, start, end - start);
    }
    printf("]");
}

static void print_request(const struct request *r, ssize_t done)
{
    uint32_t crc = crc32(0, NULL, 0);

    for (int i = 0; i < r->buffers; i++) {
        crc = crc32(crc, r->buffer[i].iov_base, r->buffer[i].iov_len);
    }
    printf("{\"request\":%u,\"op\":\"%s\",\"offset\":%ju,\"length\":%ju,", r->number, r->op,
           r->offset, r->length);
    print_elements(r);
    printf(",\"crc32\":\"%08x\",\"done\":%zd,\"errno\":%d}\n", crc, done > 0 ? done : 0,
           done < 0 ? (int)-done : 0);
}

/* What the block layer made of the disk, as far as it shapes requests. */
static void print_queue(dev_t device)
{
    static const char *const names[] = {
        "logical_block_size", "physical_block_size", "max_hw_sectors_kb", "max_sectors_kb",
        "max_segments", "max_segment_size", "dma_alignment", "nr_requests", "write_cache", "fua",
    };
    const char *comma = "";

    printf("\"queue\":{");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[128], value[64];

        snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/queue/%s", major(device),
                 minor(device), names[i]);
        FILE *file = fopen(path, "r");
        if (!file) {
            continue;
        }
        if (fgets(value, sizeof(value), file)) {
            value[strcspn(value, "\n")] = '\0';
            const char *quote = isdigit((unsigned char)value[0]) ? "" : "\"";
            printf("%s\"%s\":%s%s%s", comma, names[i], quote, value, quote);
            comma = ",";
        }
        fclose(file);
    }
    printf("}");
}

static int open_disk(const char *path)
{
    struct stat status;
    struct utsname kernel;
    uint64_t size;
    int fd = open(path, O_RDWR | O_DIRECT);

    if (fd < 0) {
        err(2, "cannot open %s", path);
    }
    /* A plain file of that name would pass every test, and test nothing. */
    if (fstat(fd, &status) < 0 || !S_ISBLK(status.st_mode)) {
        errx(2, "%s is not a block device", path);
    }
    if (ioctl(fd, BLKGETSIZE64, &size) < 0) {
        err(2, "cannot get the size of %s", path);
    }
    uname(&kernel);
    printf("{\"begin\":\"dmaview\",\"kernel\":\"%s\",\"device\":\"%s\",\"size\":%ju,",
           kernel.release, path, size);
    print_queue(status.st_rdev);
    printf("}\n");
    return fd;
}

static unsigned run_job(int fd, FILE *job)
{
    char line[1024];
    unsigned number = 0;

    while (fgets(line, sizeof(line), job)) {
        static struct request request;

        line[strcspn(line, "#\n")] = '\0';
        for (size_t end = strlen(line); end > 0 && isspace((unsigned char)line[end - 1]);) {
            line[--end] = '\0';
        }
        if (!line[0]) {
            continue;
        }
        request = (struct request) { .number = ++number };
        parse_request(&request, line);
        print_request(&request, perform(fd, &request));
    }
    return number;
}

int main(int argc, char **argv)
{
    static char output[1 << 16];

    if (argc != 3) {
        errx(2, "usage: dmaview DEVICE JOB");
    }
    /* Whole lines, so that nothing else on the console cuts one in two. */
    setvbuf(stdout, output, _IOLBF, sizeof(output));
    FILE *job = fopen(argv[2], "r");
    if (!job) {
        err(2, "cannot open the job %s", argv[2]);
    }
    pagemap = open("/proc/self/pagemap", O_RDONLY);
    if (pagemap < 0) {
        err(2, "cannot open /proc/self/pagemap");
    }
    arena_create(&contiguous, MADV_HUGEPAGE, 1);
    arena_create(&scattered, MADV_NOHUGEPAGE, 37);

    unsigned requests = run_job(open_disk(argv[1]), job);

    printf("{\"end\":\"dmaview\",\"requests\":%u,\"moved_pages\":%zu}\n", requests,
           arena_moved_pages(&contiguous) + arena_moved_pages(&scattered));
    return 0;
}
