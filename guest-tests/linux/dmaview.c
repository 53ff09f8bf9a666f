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
 *     read    OFFSET BUFFERS
 *     write   OFFSET BUFFERS
 *     dsync   OFFSET BUFFERS      a write that is on the medium when it returns
 *     discard OFFSET SIZE
 *     flush
 *
 * "read!" and the like must fail with an I/O error, and be small enough for one
 * command. No flush may come right behind a dsync: whose would it be? The
 * requests between a line "{" and a line "}" are issued all at once, each by a
 * thread of its own. Their blocks must not adjoin: the kernel may merge those.
 * A line "disk ..." is for the host: options of the device that the job needs.
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
#include <glob.h>
#include <linux/fs.h>
#include <pthread.h>
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
#define MAX_TOGETHER 32

/* Memory that buffers are taken from, with the physical page of each page. */
struct arena {
    uint8_t *base;
    uint64_t frame[ARENA_PAGES];
    size_t next;
    size_t taken; /* pages, since the last arena_restart() */
};

struct request {
    unsigned number;
    const char *op;
    uint64_t offset;
    uint64_t length;
    struct iovec buffer[MAX_BUFFERS];
    int buffers;
    bool sync;
    bool must_fail;
    unsigned group; /* of requests that are issued together; 0: alone */
    ssize_t done;   /* bytes moved, or a negative errno value */
    pthread_t thread;
};

static struct arena contiguous, scattered;
static int pagemap;
static int disk;
static pthread_barrier_t all_ready;

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
        arena->taken += arena->taken ? ARENA_PAGES - arena->next : 0;
        arena->next = 0;
    }
    arena->taken += pages;
    if (arena->taken > ARENA_PAGES) {
        errx(2, "requests that are issued together need more buffers than %lu bytes", ARENA);
    }
    void *buffer = arena->base + arena->next * PAGE + align;
    arena->next += pages;
    return buffer;
}

/* Buffers handed out before may be handed out again. */
static void arena_restart(struct arena *arena)
{
    arena->taken = 0;
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
    static const char *const ops[] = { "read", "write", "dsync", "discard", "flush" };
    char *text = line, *op = strsep(&text, " \t");
    size_t length = strlen(op);

    if (length > 0 && op[length - 1] == '!') {
        r->must_fail = true;
        op[length - 1] = '\0';
    }
    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        if (!strcmp(op, ops[i])) {
            r->op = ops[i];
        }
    }
    if (!r->op) {
        errx(2, "'%s' is no request: expected read, write, dsync, discard or flush", op);
    }
    if (*r->op == 'f') {
        return;
    }
    if (!strcmp(r->op, "dsync")) {
        r->op = "write";
        r->sync = true;
    }
    if (!text) {
        errx(2, "request %u: expected OFFSET and a size after %s", r->number, op);
    }
    text += strspn(text, " \t");
    r->offset = parse_number(&text);
    text += strspn(text, " \t");
    bool alone = !strchr(text, ',');
    for (;;) {
        if (*r->op == 'd') {
            r->length = parse_number(&text);
        } else {
            parse_buffers(r, &text, alone);
        }
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

static void perform(struct request *r)
{
    uint64_t range[] = { r->offset, r->length };

    switch (*r->op) {
    case 'r':
        r->done = preadv(disk, r->buffer, r->buffers, r->offset);
        break;
    case 'w':
        r->done = pwritev2(disk, r->buffer, r->buffers, r->offset, r->sync ? RWF_DSYNC : 0);
        break;
    case 'd':
        r->done = ioctl(disk, BLKDISCARD, range) < 0 ? -1 : (ssize_t)r->length;
        break;
    default:
        r->done = fdatasync(disk);
    }
    if (r->done < 0) {
        r->done = -errno;
    }
}

static void *perform_together(void *request)
{
    pthread_barrier_wait(&all_ready);
    perform(request);
    return NULL;
}

/* Issue the requests at once, and wait for all of them. */
static void perform_all(struct request *requests, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (*requests[i].op == 'w') {
            fill(&requests[i]);
        } else {
            poison(&requests[i]);
        }
    }
    if (count == 1) {
        perform(requests);
        return;
    }
    pthread_barrier_init(&all_ready, NULL, count);
    for (unsigned i = 0; i < count; i++) {
        errno = pthread_create(&requests[i].thread, NULL, perform_together, &requests[i]);
        if (errno) {
            err(2, "cannot create a thread");
        }
    }
    for (unsigned i = 0; i < count; i++) {
        pthread_join(requests[i].thread, NULL);
    }
    pthread_barrier_destroy(&all_ready);
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

static void print_request(const struct request *r)
{
    uint32_t crc = crc32(0, NULL, 0);

    for (int i = 0; i < r->buffers; i++) {
        crc = crc32(crc, r->buffer[i].iov_base, r->buffer[i].iov_len);
    }
    printf("{\"request\":%u,\"op\":\"%s\",\"offset\":%ju,\"length\":%ju,", r->number, r->op,
           r->offset, r->length);
    print_elements(r);
    printf(",\"crc32\":\"%08x\",\"sync\":%s,\"must_fail\":%s,\"group\":%u,", crc,
           r->sync ? "true" : "false", r->must_fail ? "true" : "false", r->group);
    printf("\"done\":%zd,\"errno\":%d}\n", r->done > 0 ? r->done : 0,
           r->done < 0 ? (int)-r->done : 0);
}

/* The first line of a file of sysfs as a member of a JSON object, if there is one. */
static void print_setting(const char *device, const char *pattern, const char *comma)
{
    char path[256], value[128];
    glob_t found;
    FILE *file = NULL;

    snprintf(path, sizeof(path), "%s/%s", device, pattern);
    if (glob(path, 0, NULL, &found) == 0) {
        file = fopen(found.gl_pathv[0], "r");
        globfree(&found);
    }
    const char *name = strrchr(pattern, '/') + 1;
    if (file && fgets(value, sizeof(value), file)) {
        value[strcspn(value, "\n")] = '\0';
        bool number = value[0] && value[strspn(value, "0123456789")] == '\0';
        const char *quote = number ? "" : "\"";
        printf("%s\"%s\":%s%s%s", comma, name, quote, value, quote);
    } else {
        printf("%s\"%s\":null", comma, name);
    }
    if (file) {
        fclose(file);
    }
}

/* What the block layer made of the disk, and the SCSI layer, that shapes requests. */
static void print_settings(dev_t device)
{
    static const char *const queue[] = {
        "queue/logical_block_size", "queue/physical_block_size", "queue/max_hw_sectors_kb",
        "queue/max_sectors_kb", "queue/max_segments", "queue/max_segment_size",
        "queue/dma_alignment", "queue/nr_requests", "queue/write_cache", "queue/fua",
        "queue/scheduler", "queue/discard_granularity", "queue/discard_max_bytes",
        "queue/optimal_io_size",
    };
    static const char *const scsi[] = {
        "device/queue_depth", "device/scsi_disk/*/cache_type", "device/scsi_disk/*/FUA",
        "device/scsi_disk/*/provisioning_mode",
    };
    char folder[64];

    snprintf(folder, sizeof(folder), "/sys/dev/block/%u:%u", major(device), minor(device));
    printf("\"queue\":{");
    for (size_t i = 0; i < sizeof(queue) / sizeof(queue[0]); i++) {
        print_setting(folder, queue[i], i ? "," : "");
    }
    printf("},\"scsi\":{");
    for (size_t i = 0; i < sizeof(scsi) / sizeof(scsi[0]); i++) {
        print_setting(folder, scsi[i], i ? "," : "");
    }
    printf("}");
}

static void open_disk(const char *path)
{
    struct stat status;
    struct utsname kernel;
    uint64_t size;

    disk = open(path, O_RDWR | O_DIRECT);
    if (disk < 0) {
        err(2, "cannot open %s", path);
    }
    /* A plain file of that name would pass every test, and test nothing. */
    if (fstat(disk, &status) < 0 || !S_ISBLK(status.st_mode)) {
        errx(2, "%s is not a block device", path);
    }
    if (ioctl(disk, BLKGETSIZE64, &size) < 0) {
        err(2, "cannot get the size of %s", path);
    }
    uname(&kernel);
    printf("{\"begin\":\"dmaview\",\"kernel\":\"%s\",\"device\":\"%s\",\"size\":%ju,",
           kernel.release, path, size);
    print_settings(status.st_rdev);
    printf("}\n");
}

static void issue(struct request *requests, unsigned count)
{
    perform_all(requests, count);
    for (unsigned i = 0; i < count; i++) {
        print_request(&requests[i]);
    }
    arena_restart(&contiguous);
    arena_restart(&scattered);
}

/* Cuts comment and blanks off a line; false if nothing is left. */
static bool strip(char *line)
{
    line[strcspn(line, "#\n")] = '\0';
    for (size_t end = strlen(line); end > 0 && isspace((unsigned char)line[end - 1]);) {
        line[--end] = '\0';
    }
    return line[0];
}

static unsigned run_job(FILE *job)
{
    static struct request requests[MAX_TOGETHER];
    char line[1024];
    unsigned number = 0, count = 0, groups = 0;
    bool together = false;

    while (fgets(line, sizeof(line), job)) {
        if (!strip(line) || !strncmp(line, "disk ", 5)) {
            continue;
        }
        if (!strcmp(line, "{") && !together) {
            together = true;
            groups++;
            continue;
        }
        if (!strcmp(line, "}") && together) {
            together = false;
        } else {
            if (count == MAX_TOGETHER) {
                errx(2, "more than %d requests at once", MAX_TOGETHER);
            }
            requests[count] = (struct request) {
                .number = ++number,
                .group = together ? groups : 0,
            };
            parse_request(&requests[count++], line);
        }
        if (!together) {
            issue(requests, count);
            count = 0;
        }
    }
    if (together) {
        errx(2, "a '{' without its '}'");
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

    open_disk(argv[1]);
    unsigned requests = run_job(job);

    printf("{\"end\":\"dmaview\",\"requests\":%u,\"moved_pages\":%zu}\n", requests,
           arena_moved_pages(&contiguous) + arena_moved_pages(&scattered));
    return 0;
}
