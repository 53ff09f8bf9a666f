/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Recording a trace.
 *
 * The file is allocated ahead, so that a full disk is an error code and never
 * a SIGBUS (on file systems where posix_fallocate(3) keeps its promise, that
 * is, not on btrfs or ZFS), and claimed in slots of TD_BLOCK_SIZE by moving `next` up. Each
 * stream maps its own block shared and writes records straight into it: once
 * the length is published a record is the kernel's, and survives the process.
 *
 *   0                     next             limit            allocated
 *   | blocks of all streams | free to claim  |   the reserve    |
 *
 * Only growing takes the lock; what a stream does for a record takes none.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "block.h"
#include "codec.h"
#include "crc.h"

#define DEFAULT_AHEAD (16u << 20)
#define DEFAULT_RESERVE (1u << 20)

/* A `next` that is behind any limit. */
#define NO_ROOM (UINT64_MAX / 2)

/* HEADER and DEVICE come again in a stream's blocks 1, 9, 17 … */
#define REPEAT_EVERY 8
#define REPEAT_AT 1
#define REPEAT_MAX (TD_BLOCK_SIZE / 8)

/* A HEADER's or DEVICE's fields, kept to be repeated. */
struct repeat {
    struct repeat *next;
    struct td_source source; /* without the record itself */
    uint64_t time_ns;
    uint32_t device;
    size_t len;
    uint8_t fields[];
};

struct td_writer {
    int fd;
    uint64_t ahead, reserve;
    pthread_mutex_t lock; /* of what follows up to the next comment */
    uint64_t allocated;
    bool finished; /* the mark of a finished trace is at `next` */
    uint32_t n_streams;
    struct td_stream *streams;
    struct repeat *repeats;
    /* Shared by all streams, without the lock. */
    _Atomic uint64_t limit;
    _Atomic bool full;
    _Alignas(64) _Atomic uint64_t next; /* offset */
    _Alignas(64) _Atomic uint64_t next_seq;
};

struct td_stream {
    struct td_writer *writer;
    struct td_stream *next;
    bool open; /* under the writer's lock: some thread has it */
    uint32_t number;
    uint32_t n_blocks;
    /* The block: claimed when capacity > 0, mapped when map is set. */
    uint64_t offset;
    uint32_t capacity;
    uint8_t *map;
    bool begun; /* its header is written */
    uint32_t used;
    uint32_t crc;
    struct td_delta delta;
    uint8_t *scratch; /* a record's fields */
    size_t scratch_size;
    _Atomic uint64_t records, bytes; /* counted by its thread, read by any */
};

static uint64_t round_up_to_slot(uint64_t bytes)
{
    return (bytes + TD_BLOCK_SIZE - 1) / TD_BLOCK_SIZE * TD_BLOCK_SIZE;
}

/* ---- Space ---- */

static bool allocate_up_to(struct td_writer *w, uint64_t end)
{
    while (w->allocated < end) {
        int ret = posix_fallocate(w->fd, (off_t)w->allocated, (off_t)(end - w->allocated));

        if (ret == 0) {
            w->allocated = end;
        } else if (ret != EINTR) {
            return false;
        }
    }
    return true;
}

/*
 * Make sure that `size` bytes can be claimed: 0, also when another thread has
 * done it meanwhile; -ENOSPC when not even the reserve has them.
 */
static int grow_locked(struct td_writer *w, uint64_t size)
{
    static const uint8_t zeros[TD_MAGIC_LEN];
    uint64_t next = atomic_load(&w->next), ahead;

    if (next + size <= w->limit && !w->full) {
        return 0;
    }
    if (w->finished && pwrite(w->fd, zeros, sizeof(zeros), (off_t)next) == sizeof(zeros)) {
        w->finished = false;
    }
    /* While the disk is full this is tried for every record: once, then. */
    ahead = w->full ? 0 : w->ahead;
    while (!allocate_up_to(w, next + size + ahead + w->reserve) && ahead) {
        ahead = ahead / 2 / TD_BLOCK_SIZE * TD_BLOCK_SIZE;
    }
    if (w->allocated >= next + size + ahead + w->reserve) {
        atomic_store(&w->limit, w->allocated - w->reserve);
        atomic_store(&w->full, false);
        return 0;
    }
    atomic_store(&w->full, true);
    atomic_store(&w->limit, w->allocated);
    return next + size <= w->allocated ? 0 : -ENOSPC;
}

static int grow(struct td_writer *w, uint64_t size)
{
    int ret;

    pthread_mutex_lock(&w->lock);
    ret = grow_locked(w, size);
    pthread_mutex_unlock(&w->lock);
    return ret;
}

static int claim(struct td_writer *w, uint64_t size, uint64_t *offset)
{
    uint64_t at = atomic_load(&w->next);

    for (;;) {
        if (at + size > atomic_load(&w->limit)) {
            int ret = grow(w, size);

            if (ret < 0) {
                return ret;
            }
            at = atomic_load(&w->next);
        } else if (atomic_compare_exchange_weak(&w->next, &at, at + size)) {
            *offset = at;
            return 0;
        }
    }
}

/* ---- Blocks ---- */

static void leave_block(struct td_stream *s)
{
    if (s->map) {
        munmap(s->map, s->capacity);
        s->map = NULL;
        s->capacity = 0;
    }
    s->begun = false;
    s->used = 0;
    s->crc = 0;
    td_delta_reset(&s->delta);
}

/* Have a mapped block with room for a record of `len` bytes. */
static int take_block(struct td_stream *s, size_t len)
{
    uint32_t capacity = (uint32_t)round_up_to_slot(TD_BLOCK_HEADER + len);
    int ret;

    /* A block that was claimed but could not be mapped waits to be used. */
    if (s->capacity < capacity) {
        ret = claim(s->writer, capacity, &s->offset);
        if (ret < 0) {
            return ret;
        }
        s->capacity = capacity;
    }
    s->map = mmap(NULL, s->capacity, PROT_READ | PROT_WRITE, MAP_SHARED, s->writer->fd,
                  (off_t)s->offset);
    if (s->map == MAP_FAILED) {
        s->map = NULL;
        return -ENOMEM;
    }
    return 0;
}

static uint32_t room(const struct td_stream *s)
{
    return s->capacity - TD_BLOCK_HEADER - s->used;
}

/* Append a record to the block's bytes, not yet published. */
static void add(struct td_stream *s, const struct td_source *source, uint64_t seq,
                uint64_t time_ns, const uint8_t *fields, size_t len)
{
    uint8_t *record = s->map + TD_BLOCK_HEADER + s->used;
    size_t head = td_encode_head(&s->delta, source, seq, time_ns, len, record);

    memcpy(record + head, fields, len);
    s->crc = td_crc32(s->crc, record, head + len);
    s->used += (uint32_t)(head + len);
}

static void publish(struct td_stream *s)
{
    _Atomic uint64_t *word = (_Atomic uint64_t *)(void *)(s->map + TD_AT_PUBLISHED);

    atomic_store_explicit(word, htole64(s->used | (uint64_t)s->crc << 32), memory_order_release);
}

/* So that the loss of a first block does not cost the names of all devices. */
static void add_repeats(struct td_stream *s, size_t len)
{
    struct td_writer *w = s->writer;
    size_t all = 0;

    if (s->n_blocks % REPEAT_EVERY != REPEAT_AT) {
        return;
    }
    pthread_mutex_lock(&w->lock);
    for (struct repeat *r = w->repeats; r; r = r->next) {
        all += TD_HEAD_MAX + r->len;
    }
    if (all <= REPEAT_MAX && all + len <= room(s)) {
        for (struct repeat *r = w->repeats; r; r = r->next) {
            add(s, &r->source, s->delta.seq, r->time_ns, r->fields, r->len);
        }
    }
    pthread_mutex_unlock(&w->lock);
}

/* The block's first record has its number: write the header but the magic. */
static void begin_block(struct td_stream *s, uint64_t seq, uint64_t time_ns, size_t len)
{
    uint8_t *h = s->map;

    td_set16(h + TD_AT_MAJOR, TD_FORMAT_MAJOR);
    td_set16(h + TD_AT_MINOR, TD_FORMAT_MINOR);
    td_set16(h + TD_AT_HEADER_LEN, TD_BLOCK_HEADER);
    h[TD_AT_CODEC] = TD_CODEC_NONE;
    td_set32(h + TD_AT_CAPACITY, s->capacity);
    td_set32(h + TD_AT_STREAM, s->number);
    td_set32(h + TD_AT_INDEX, s->n_blocks);
    td_set64(h + TD_AT_FIRST_SEQ, seq);
    td_set64(h + TD_AT_FIRST_TIME, time_ns);
    s->delta.seq = seq - 1;
    s->delta.time_ns = time_ns;
    add_repeats(s, len);
    s->n_blocks++;
}

/* The block holds a published record: from now on it is one. */
static void show_block(struct td_stream *s)
{
    _Atomic uint64_t *magic = (_Atomic uint64_t *)(void *)s->map;
    uint64_t word;
    uint32_t crc;

    memcpy(&word, TD_BLOCK_MAGIC, sizeof(word));
    /* The crc covers the magic too, which is stored last. */
    crc = td_crc32(0, TD_BLOCK_MAGIC, sizeof(word));
    crc = td_crc32(crc, s->map + sizeof(word), TD_AT_HEADER_CRC - sizeof(word));
    td_set32(s->map + TD_AT_HEADER_CRC, crc);
    atomic_store_explicit(magic, word, memory_order_release);
    s->begun = true;
}

/* ---- Records ---- */

static int need_scratch(struct td_stream *s, size_t size)
{
    uint8_t *scratch;

    if (size <= s->scratch_size) {
        return 0;
    }
    scratch = realloc(s->scratch, size);
    if (!scratch) {
        return -ENOMEM;
    }
    s->scratch = scratch;
    s->scratch_size = size;
    return 0;
}

/* The fields into the scratch, and a block where they fit: the length, or < 0. */
static ssize_t prepare(struct td_stream *s, const struct td_source *source)
{
    size_t len;
    int ret;

    if (s->map) {
        len = td_encode_fields(&s->delta, source, s->scratch);
        if (TD_HEAD_MAX + len <= room(s)) {
            return (ssize_t)len;
        }
    }
    leave_block(s);
    len = td_encode_fields(&s->delta, source, s->scratch);
    ret = take_block(s, TD_HEAD_MAX + len);
    return ret < 0 ? ret : (ssize_t)len;
}

/* Looks again, when it was. */
static bool is_full(struct td_writer *w)
{
    if (!atomic_load_explicit(&w->full, memory_order_relaxed)) {
        return false;
    }
    grow(w, 0);
    return atomic_load(&w->full);
}

static int append(struct td_stream *s, uint64_t time_ns, const struct td_source *source,
                  uint64_t *seq)
{
    struct td_writer *w = s->writer;
    size_t bound = td_fields_bound(source);
    uint64_t number;
    uint32_t used;
    ssize_t len;

    if (!bound) {
        return -EINVAL;
    }
    /* The reserve is for the commands themselves. */
    if (source->kind == TD_PAYLOAD && is_full(w)) {
        return -ENOSPC;
    }
    if (need_scratch(s, bound) < 0) {
        return -ENOMEM;
    }
    len = prepare(s, source);
    if (len < 0) {
        return (int)len;
    }
    /* Nothing fails from here on: every number taken is a record written. */
    number = atomic_fetch_add_explicit(&w->next_seq, 1, memory_order_relaxed);
    used = s->used;
    if (!s->begun) {
        begin_block(s, number, time_ns, TD_HEAD_MAX + (size_t)len);
    }
    add(s, source, number, time_ns, s->scratch, (size_t)len);
    publish(s);
    if (!s->begun) {
        show_block(s);
    }
    atomic_store_explicit(&s->records, s->records + 1, memory_order_relaxed);
    atomic_store_explicit(&s->bytes, s->bytes + s->used - used, memory_order_relaxed);
    if (seq) {
        *seq = number;
    }
    return is_full(w);
}

/* Keep the fields that were just written for later blocks. Best effort. */
static void remember(struct td_stream *s, struct td_source source, uint32_t device, uint64_t seq,
                     uint64_t time_ns)
{
    struct td_writer *w = s->writer;
    struct td_delta unused;
    struct repeat *r, **at;
    size_t len;

    td_delta_reset(&unused);
    len = td_encode_fields(&unused, &source, s->scratch);
    r = malloc(sizeof(*r) + len);
    if (!r) {
        return;
    }
    memcpy(r->fields, s->scratch, len);
    r->len = len;
    r->device = device;
    r->time_ns = time_ns;
    r->source = (struct td_source){ .kind = source.kind, .has_ref = true, .ref = seq };

    pthread_mutex_lock(&w->lock);
    for (at = &w->repeats; *at; at = &(*at)->next) {
        if ((*at)->source.kind == source.kind && (*at)->device == device) {
            break;
        }
    }
    r->next = *at ? (*at)->next : NULL;
    free(*at);
    *at = r;
    pthread_mutex_unlock(&w->lock);
}

int td_put_header(struct td_stream *s, uint64_t time_ns, const struct td_header *h, uint64_t *seq)
{
    struct td_source source = { .kind = TD_HEADER, .header = h };
    uint64_t number;
    int ret = append(s, time_ns, &source, &number);

    if (ret >= 0) {
        remember(s, source, 0, number, time_ns);
        if (seq) {
            *seq = number;
        }
    }
    return ret;
}

int td_put_device(struct td_stream *s, uint64_t time_ns, const struct td_device *d, uint64_t *seq)
{
    struct td_source source = { .kind = TD_DEVICE, .device = d };
    uint64_t number;
    int ret = append(s, time_ns, &source, &number);

    if (ret >= 0) {
        remember(s, source, d->id, number, time_ns);
        if (seq) {
            *seq = number;
        }
    }
    return ret;
}

int td_put_submit(struct td_stream *s, uint64_t time_ns, const struct td_submit *c, uint64_t *seq)
{
    struct td_source source = { .kind = TD_SUBMIT, .submit = c };

    return append(s, time_ns, &source, seq);
}

int td_put_complete(struct td_stream *s, uint64_t time_ns, const struct td_complete *c,
                    uint64_t *seq)
{
    struct td_source source = {
        .kind = TD_COMPLETE, .has_ref = true, .ref = c->submit_seq, .complete = c,
    };

    return append(s, time_ns, &source, seq);
}

int td_put_event(struct td_stream *s, uint64_t time_ns, const struct td_event *e, uint64_t *seq)
{
    struct td_source source = {
        .kind = TD_EVENT, .has_ref = e->has & TD_HAS_REF, .ref = e->ref, .event = e,
    };

    return append(s, time_ns, &source, seq);
}

int td_put_mark(struct td_stream *s, uint64_t time_ns, const struct td_mark *m, uint64_t *seq)
{
    struct td_source source = { .kind = TD_MARK, .mark = m };

    return append(s, time_ns, &source, seq);
}

int td_put_lost(struct td_stream *s, uint64_t time_ns, const struct td_lost *l, uint64_t *seq)
{
    struct td_source source = { .kind = TD_LOST, .lost = l };

    return append(s, time_ns, &source, seq);
}

int td_put_payload(struct td_stream *s, uint64_t time_ns, const struct td_payload *p, uint64_t *seq)
{
    struct td_source source = { .kind = TD_PAYLOAD, .payload = p };

    return append(s, time_ns, &source, seq);
}

int td_put_stack(struct td_stream *s, uint64_t time_ns, const struct td_stack *k, uint64_t *seq)
{
    struct td_source source = { .kind = TD_STACK, .stack = k };

    return append(s, time_ns, &source, seq);
}

/* ---- Writers and streams ---- */

/* Says to readers that the trace may still grow; gone when the process is. */
static void lock_as_being_written(int fd)
{
    struct flock all = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

    fcntl(fd, F_OFD_SETLK, &all);
}

static struct td_writer *new_writer(int fd, const struct td_writer_options *options)
{
    /* For the members' alignment, which malloc() does not promise. */
    struct td_writer *w = aligned_alloc(_Alignof(struct td_writer), sizeof(*w));

    if (!w) {
        return NULL;
    }
    memset(w, 0, sizeof(*w));
    w->fd = fd;
    w->ahead = options && options->allocate_ahead ? options->allocate_ahead : DEFAULT_AHEAD;
    w->reserve = options && options->reserve ? options->reserve : DEFAULT_RESERVE;
    w->ahead = round_up_to_slot(w->ahead);
    w->reserve = round_up_to_slot(w->reserve);
    w->next_seq = 1;
    pthread_mutex_init(&w->lock, NULL);
    return w;
}

int td_writer_create(const char *path, const struct td_writer_options *options,
                     struct td_writer **writer)
{
    struct td_writer *w;
    struct stat st;
    int fd, ret;

    if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode)) {
        return S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL; /* /dev/null stays */
    }
    /* Never cut a file short that another process may have mapped. */
    if (unlink(path) < 0 && errno != ENOENT) {
        return -errno;
    }
    fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return -errno;
    }
    w = new_writer(fd, options);
    ret = w ? grow(w, TD_BLOCK_SIZE) : -ENOMEM;
    if (ret < 0) {
        unlink(path);
        if (w) {
            td_writer_close(w);
        } else {
            close(fd);
        }
        return ret;
    }
    lock_as_being_written(fd);
    *writer = w;
    return 0;
}

void td_writer_finish(struct td_writer *w)
{
    uint64_t end;

    pthread_mutex_lock(&w->lock);
    /* Who wants to claim a block meanwhile finds no room, and waits to grow. */
    end = atomic_exchange(&w->next, NO_ROOM);
    /* When these fail, a reader finds unused slots, or takes the file for cut. */
    w->finished = pwrite(w->fd, TD_END_MAGIC, TD_MAGIC_LEN, (off_t)end) == TD_MAGIC_LEN;
    if (ftruncate(w->fd, (off_t)(end + (w->finished ? TD_MAGIC_LEN : 0))) == 0) {
        w->allocated = end;
        atomic_store(&w->limit, end);
    }
    atomic_store(&w->next, end);
    pthread_mutex_unlock(&w->lock);
}

void td_writer_close(struct td_writer *w)
{
    if (!w) {
        return;
    }
    td_writer_finish(w);
    while (w->streams) {
        struct td_stream *s = w->streams;

        w->streams = s->next;
        leave_block(s);
        free(s->scratch);
        free(s);
    }
    while (w->repeats) {
        struct repeat *r = w->repeats;

        w->repeats = r->next;
        free(r);
    }
    close(w->fd);
    pthread_mutex_destroy(&w->lock);
    free(w);
}

void td_writer_get_statistics(struct td_writer *w, struct td_writer_statistics *statistics)
{
    memset(statistics, 0, sizeof(*statistics));
    pthread_mutex_lock(&w->lock);
    for (struct td_stream *s = w->streams; s; s = s->next) {
        statistics->records += s->records;
        statistics->bytes += s->bytes;
    }
    statistics->file_bytes = w->next;
    pthread_mutex_unlock(&w->lock);
}

int td_stream_open(struct td_writer *w, struct td_stream **stream)
{
    struct td_stream *s;

    pthread_mutex_lock(&w->lock);
    /* A stream that was given up goes on in its half-full block. */
    for (s = w->streams; s && s->open; s = s->next) {
    }
    if (!s) {
        s = calloc(1, sizeof(*s));
        if (s) {
            s->writer = w;
            s->number = w->n_streams++;
            s->next = w->streams;
            w->streams = s;
            td_delta_reset(&s->delta);
        }
    }
    if (s) {
        s->open = true;
    }
    pthread_mutex_unlock(&w->lock);
    *stream = s;
    return s ? 0 : -ENOMEM;
}

void td_stream_close(struct td_stream *s)
{
    struct td_writer *w = s->writer;

    pthread_mutex_lock(&w->lock);
    s->open = false;
    pthread_mutex_unlock(&w->lock);
}
