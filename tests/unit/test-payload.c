/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kept payloads: what was given to a keeper is read back, byte for byte, from
 * whatever the trace has become; and nothing is written twice.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "block.h"
#include "sample.h"

struct trace {
    char *path;
    struct td_writer *writer;
    struct td_stream *stream;
    struct td_pieces *pieces;
    struct td_keeper *keeper;
};

static void trace_begin(struct trace *t)
{
    t->path = temporary_path("kept.tdt");
    g_assert_cmpint(td_writer_create(t->path, NULL, &t->writer), ==, 0);
    g_assert_cmpint(td_stream_open(t->writer, &t->stream), ==, 0);
    t->pieces = td_pieces_new();
    t->keeper = td_keeper_new(t->pieces);
    g_assert_nonnull(t->keeper);
}

static void trace_close(struct trace *t)
{
    td_keeper_free(t->keeper);
    td_pieces_free(t->pieces);
    td_writer_close(t->writer);
    t->writer = NULL;
}

static uint64_t trace_bytes(const struct trace *t)
{
    struct td_writer_statistics statistics;

    td_writer_get_statistics(t->writer, &statistics);
    return statistics.bytes;
}

static int complete(struct td_stream *stream, const struct td_keeper *keeper, uint64_t bytes)
{
    struct td_complete c = { .submit_seq = 1, .bytes = bytes };

    c.parts = td_keeper_parts(keeper, &c.n_parts);
    return td_put_complete(stream, 0, &c, NULL);
}

/* Unlike MIN() it takes its arguments once. */
static size_t up_to(size_t most, uint64_t n)
{
    return n < most ? (size_t)n : most;
}

/* A command of these bytes, which come in pieces of any size. */
static void keep(struct td_keeper *keeper, struct td_stream *stream, GRand *rand,
                 const uint8_t *bytes, size_t n)
{
    td_keeper_begin(keeper);
    for (size_t at = 0, done, some; at < n; at += some) {
        some = rand ? up_to(n - at, random_number(rand, 20)) : n;
        g_assert_cmpint(td_keeper_add(keeper, stream, 0, bytes + at, some, &done), ==, 0);
        g_assert_cmpuint(done, ==, some);
    }
    g_assert_cmpint(td_keeper_end(keeper, stream, 0), ==, 0);
    g_assert_cmpint(complete(stream, keeper, n), ==, 0);
}

static struct td_reader *open_reader(const char *path)
{
    struct td_reader *reader;

    g_assert_cmpint(td_reader_open(path, &reader, NULL), ==, 0);
    return reader;
}

/* Step to the next COMPLETE; false at the end. */
static bool next_complete(struct td_reader *reader, struct td_record *record)
{
    int ret;

    do {
        ret = td_reader_next(reader, record);
        g_assert_cmpint(ret, >=, 0);
    } while (ret && record->kind != TD_COMPLETE);
    return ret;
}

static void check_payload(struct td_reader *reader, const struct td_complete *c, GRand *rand,
                          const uint8_t *bytes, size_t n)
{
    g_autofree uint8_t *back = g_malloc(n + 2);

    g_assert_cmpuint(td_kept_bytes(c), ==, n);
    g_assert_cmpint(td_reader_payload(reader, c, 0, back, n + 2), ==, (gint64)n);
    g_assert_cmpmem(back, n, bytes, n);
    for (int i = 0; rand && n && i < 5; i++) {
        size_t from = (size_t)g_rand_int_range(rand, 0, (gint32)n);
        size_t some = up_to(n - from, random_number(rand, 16));

        g_assert_cmpint(td_reader_payload(reader, c, from, back, some), ==, (gint64)some);
        g_assert_cmpmem(back, some, bytes + from, some);
    }
    g_assert_cmpint(td_reader_payload(reader, c, n, back, 1), ==, 0);
}

static void check_trace(const char *path, GPtrArray *payloads, GRand *rand)
{
    struct td_reader *reader = open_reader(path);
    struct td_record record;

    for (guint i = 0; i < payloads->len; i++) {
        gsize n;
        const uint8_t *bytes = g_bytes_get_data(payloads->pdata[i], &n);

        g_assert_true(next_complete(reader, &record));
        check_payload(reader, &record.complete, rand, bytes, n);
    }
    g_assert_false(next_complete(reader, &record));
    td_reader_close(reader);
}

/* Zeros, text, noise, and pieces of what came before; often not whole pieces. */
static GBytes *any_payload(GRand *rand, GPtrArray *before)
{
    size_t n = random_number(rand, g_rand_int_range(rand, 0, 4) ? 16 : 20);
    uint8_t *bytes = g_malloc0(n + 1);

    for (size_t at = 0, some; at < n; at += some) {
        gsize had = 0;
        const uint8_t *old = NULL;

        some = up_to(n - at, (uint64_t)g_rand_int_range(rand, 1, 6) * TD_PIECE);
        switch (g_rand_int_range(rand, 0, 4)) {
        case 0:
            break;
        case 1:
            memset(bytes + at, g_rand_int_range(rand, 0, 3), some);
            break;
        case 2:
            for (size_t i = 0; i < some; i++) {
                bytes[at + i] = (uint8_t)g_rand_int(rand);
            }
            break;
        default:
            if (before->len) {
                guint i = (guint)g_rand_int_range(rand, 0, (gint32)before->len);

                old = g_bytes_get_data(before->pdata[i], &had);
            }
            memcpy(bytes + at, old, MIN(some, had));
        }
    }
    return g_bytes_new_take(bytes, n);
}

static GPtrArray *keep_many(struct trace *t, GRand *rand, int n)
{
    GPtrArray *payloads = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);

    for (int i = 0; i < n; i++) {
        GBytes *payload = any_payload(rand, payloads);
        gsize len;
        const uint8_t *bytes = g_bytes_get_data(payload, &len);

        keep(t->keeper, t->stream, rand, bytes, len);
        g_ptr_array_add(payloads, payload);
    }
    return payloads;
}

/* ---- Round trips ---- */

static void test_random(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(1);
    g_autoptr(GPtrArray) payloads = NULL;
    struct trace t;

    trace_begin(&t);
    payloads = keep_many(&t, rand, 300);
    trace_close(&t);
    check_trace(t.path, payloads, rand);
    remove_temporary(t.path);
}

static void test_packed(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(2);
    g_autoptr(GPtrArray) payloads = NULL;
    char *path = temporary_path("packed.tdt");
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    uint64_t bytes;
    struct trace t;

    trace_begin(&t);
    payloads = keep_many(&t, rand, 100);
    trace_close(&t);
    g_assert_cmpint(td_pack(t.path, fd, &bytes), ==, 0);
    close(fd);
    check_trace(path, payloads, rand);
    remove_temporary(path);
    remove_temporary(t.path);
}

/* The largest transfer of an ATA disk: 32 MiB. */
static void test_large(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(3);
    size_t n = 32 << 20;
    g_autofree uint8_t *bytes = g_malloc(n);
    struct td_reader *reader;
    struct td_record record;
    struct trace t;

    for (size_t i = 0; i < n; i += 4) {
        guint32 word = g_rand_int(rand);

        memcpy(bytes + i, &word, 4);
    }
    trace_begin(&t);
    keep(t.keeper, t.stream, NULL, bytes, n);
    trace_close(&t);
    reader = open_reader(t.path);
    g_assert_true(next_complete(reader, &record));
    check_payload(reader, &record.complete, rand, bytes, n);
    td_reader_close(reader);
    remove_temporary(t.path);
}

/* As by a reader that follows while the trace is written. */
static void test_live(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(4);
    g_autoptr(GPtrArray) payloads = g_ptr_array_new_with_free_func((GDestroyNotify)g_bytes_unref);
    struct td_reader *reader = NULL;
    struct td_record record;
    struct trace t;

    trace_begin(&t);
    for (int i = 0; i < 200; i++) {
        GBytes *payload = any_payload(rand, payloads);
        gsize n;
        const uint8_t *bytes = g_bytes_get_data(payload, &n);

        g_ptr_array_add(payloads, payload);
        keep(t.keeper, t.stream, rand, bytes, n);
        reader = reader ? reader : open_reader(t.path);
        g_assert_true(next_complete(reader, &record));
        check_payload(reader, &record.complete, rand, bytes, n);
        g_assert_false(next_complete(reader, &record));
    }
    td_reader_close(reader);
    trace_close(&t);
    remove_temporary(t.path);
}

/* ---- Nothing twice ---- */

static void fill(uint8_t *bytes, size_t n, guint32 seed)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);

    for (size_t i = 0; i < n; i++) {
        bytes[i] = (uint8_t)g_rand_int(rand);
    }
}

static void test_twice(void)
{
    uint8_t bytes[16 * TD_PIECE + 700] = { 0 };
    struct trace t;
    uint64_t before;

    trace_begin(&t);
    keep(t.keeper, t.stream, NULL, bytes, sizeof(bytes));
    g_assert_cmpuint(trace_bytes(&t), <, 32); /* zeros */

    fill(bytes, sizeof(bytes), 1);
    before = trace_bytes(&t);
    keep(t.keeper, t.stream, NULL, bytes, sizeof(bytes));
    g_assert_cmpuint(trace_bytes(&t) - before, >, sizeof(bytes));
    g_assert_cmpuint(trace_bytes(&t) - before, <, sizeof(bytes) + 200);
    before = trace_bytes(&t);
    keep(t.keeper, t.stream, NULL, bytes, sizeof(bytes));
    /* A part of it, which was cut elsewhere then. */
    keep(t.keeper, t.stream, NULL, bytes + 3 * TD_PIECE, 9 * TD_PIECE);
    g_assert_cmpuint(trace_bytes(&t) - before, <, 100);

    /* One piece over and over. */
    for (size_t i = TD_PIECE; i < sizeof(bytes); i++) {
        bytes[i] = bytes[i - TD_PIECE] ^ 1;
    }
    before = trace_bytes(&t);
    keep(t.keeper, t.stream, NULL, bytes, sizeof(bytes));
    g_assert_cmpuint(trace_bytes(&t) - before, <, TD_PIECE + 700 + 300);
    trace_close(&t);
    remove_temporary(t.path);
}

/* More pieces than are remembered: those that are forgotten come again. */
static void test_forgotten(void)
{
    uint64_t n = TD_PIECES + TD_PIECES / 2, once;
    struct td_reader *reader;
    struct td_record record;
    struct trace t;

    trace_begin(&t);
    for (uint64_t i = 1; i <= n; i++) {
        keep(t.keeper, t.stream, NULL, (uint8_t *)&i, sizeof(i));
    }
    once = trace_bytes(&t);
    for (uint64_t i = 1; i <= n; i++) {
        keep(t.keeper, t.stream, NULL, (uint8_t *)&i, sizeof(i));
    }
    g_assert_cmpuint(trace_bytes(&t), <, 2 * once); /* not all of them */
    trace_close(&t);
    reader = open_reader(t.path);
    for (uint64_t i = 0; i < 2 * n; i++) {
        uint64_t is = i % n + 1;

        g_assert_true(next_complete(reader, &record));
        check_payload(reader, &record.complete, NULL, (uint8_t *)&is, sizeof(is));
    }
    td_reader_close(reader);
    remove_temporary(t.path);
}

/* ---- Several streams ---- */

#define THREADS 4
#define EACH 400

static struct trace shared;

/* All of them write the same payloads, at the same time. */
static gpointer keep_shared(gpointer unused)
{
    struct td_keeper *keeper = td_keeper_new(shared.pieces);
    struct td_stream *stream;

    g_assert_cmpint(td_stream_open(shared.writer, &stream), ==, 0);
    for (guint32 i = 0; i < EACH; i++) {
        uint8_t bytes[3 * TD_PIECE];

        fill(bytes, sizeof(bytes), i);
        keep(keeper, stream, NULL, bytes, sizeof(bytes));
    }
    td_keeper_free(keeper);
    return NULL;
}

static void test_threads(void)
{
    GThread *threads[THREADS];
    struct td_reader *reader;
    struct td_record record;
    int next[THREADS + 1] = { 0 };
    uint64_t bytes;

    trace_begin(&shared);
    for (int i = 0; i < THREADS; i++) {
        threads[i] = g_thread_new("keeper", keep_shared, NULL);
    }
    for (int i = 0; i < THREADS; i++) {
        g_thread_join(threads[i]);
    }
    bytes = trace_bytes(&shared);
    g_assert_cmpuint(bytes, <, THREADS * EACH * 3 * TD_PIECE);
    trace_close(&shared);

    reader = open_reader(shared.path);
    while (next_complete(reader, &record)) {
        uint8_t expected[3 * TD_PIECE];

        fill(expected, sizeof(expected), (guint32)next[record.stream]++);
        check_payload(reader, &record.complete, NULL, expected, sizeof(expected));
        for (uint32_t i = 0; i < record.complete.n_parts; i++) {
            g_assert_cmpuint(record.complete.parts[i].seq, <, record.seq);
        }
    }
    td_reader_close(reader);
    remove_temporary(shared.path);
}

/* ---- Trouble ---- */

static void limit_file_size(rlim_t bytes)
{
    struct rlimit limit;

    getrlimit(RLIMIT_FSIZE, &limit);
    limit.rlim_cur = bytes == RLIM_INFINITY ? limit.rlim_max : bytes;
    g_assert_cmpint(setrlimit(RLIMIT_FSIZE, &limit), ==, 0);
}

/*
 * A disk that fills up in the midst of a payload: what is there goes into the
 * COMPLETE, or all of it when there is space again.
 */
static void test_full_disk(void)
{
    struct td_writer_options options = { .allocate_ahead = 1 << 20, .reserve = 8 * TD_BLOCK_SIZE };
    size_t n = 4 << 20, done = 0;
    g_autofree uint8_t *bytes = g_malloc(n);
    struct td_reader *reader;
    struct td_record record;
    uint64_t kept;
    struct trace t;

    fill(bytes, n, 5);
    trace_begin(&t);
    td_writer_close(t.writer);
    signal(SIGXFSZ, SIG_IGN);
    limit_file_size(3 << 20);
    g_assert_cmpint(td_writer_create(t.path, &options, &t.writer), ==, 0);
    g_assert_cmpint(td_stream_open(t.writer, &t.stream), ==, 0);

    td_keeper_begin(t.keeper);
    g_assert_cmpint(td_keeper_add(t.keeper, t.stream, 0, bytes, n, &done), ==, -ENOSPC);
    g_assert_cmpuint(done, >, 2 << 20);
    g_assert_cmpuint(done, <, 3 << 20);
    g_assert_cmpint(td_keeper_end(t.keeper, t.stream, 0), ==, -ENOSPC);
    g_assert_nonnull(td_keeper_parts(t.keeper, &record.complete.n_parts));
    g_assert_cmpint(complete(t.stream, t.keeper, n), ==, 1);

    /* The same keeper goes on where it was. */
    limit_file_size(RLIM_INFINITY);
    g_assert_cmpint(td_keeper_add(t.keeper, t.stream, 0, bytes + done, n - done, &done), ==, 0);
    g_assert_cmpint(td_keeper_end(t.keeper, t.stream, 0), ==, 0);
    g_assert_cmpint(complete(t.stream, t.keeper, n), ==, 0);
    trace_close(&t);

    reader = open_reader(t.path);
    g_assert_true(next_complete(reader, &record));
    kept = td_kept_bytes(&record.complete);
    g_assert_cmpuint(kept, >, 2 << 20);
    check_payload(reader, &record.complete, NULL, bytes, kept);
    g_assert_true(next_complete(reader, &record));
    check_payload(reader, &record.complete, NULL, bytes, n);
    td_reader_close(reader);
    remove_temporary(t.path);
}

/* Flip a byte of each block in turn: some payloads are lost, none is wrong. */
static void test_damage(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(6);
    g_autoptr(GPtrArray) payloads = NULL;
    guint lost = 0, read = 0;
    struct stat st;
    struct trace t;
    int fd;

    trace_begin(&t);
    payloads = keep_many(&t, rand, 60);
    trace_close(&t);
    fd = open(t.path, O_RDWR);
    g_assert_cmpint(fstat(fd, &st), ==, 0);
    for (off_t at = TD_BLOCK_HEADER + 100; at < st.st_size; at += TD_BLOCK_SIZE) {
        struct td_reader *reader;
        struct td_record record;
        uint8_t byte;

        g_assert_cmpint(pread(fd, &byte, 1, at), ==, 1);
        byte ^= 1;
        g_assert_cmpint(pwrite(fd, &byte, 1, at), ==, 1);
        reader = open_reader(t.path);
        while (next_complete(reader, &record)) {
            const struct td_complete *c = &record.complete;
            g_autofree uint8_t *back = g_malloc(c->bytes + 1);
            int64_t ret = td_reader_payload(reader, c, 0, back, c->bytes);
            bool found = false;

            lost += ret == -EBADMSG;
            read += ret >= 0;
            g_assert_true(ret == -EBADMSG || ret == (int64_t)c->bytes);
            for (guint i = 0; ret >= 0 && i < payloads->len && !found; i++) {
                gsize n;
                const uint8_t *bytes = g_bytes_get_data(payloads->pdata[i], &n);

                found = n == c->bytes && memcmp(bytes, back, n) == 0;
            }
            g_assert_true(found || ret < 0);
        }
        td_reader_close(reader);
        byte ^= 1;
        g_assert_cmpint(pwrite(fd, &byte, 1, at), ==, 1);
    }
    close(fd);
    g_assert_cmpuint(lost, >, 0);
    g_assert_cmpuint(read, >, lost);
    remove_temporary(t.path);
}

/* Numbers of no PAYLOAD, and places outside of one. */
static void test_nonsense(void)
{
    struct td_part parts[] = {
        { 10, 1, 0 },   /* itself a COMPLETE's number */
        { 10, 999, 0 }, /* none at all */
        { 10, 1, 4090 }, { 10, 1, UINT32_MAX }, { UINT64_MAX >> 1, 1, 0 },
    };
    struct td_complete c = { .submit_seq = 7 };
    uint8_t bytes[TD_PIECE], back[20000];
    struct td_reader *reader;
    struct td_record record;
    struct trace t;
    size_t done;

    fill(bytes, sizeof(bytes), 1);
    trace_begin(&t);
    td_keeper_begin(t.keeper);
    td_keeper_add(t.keeper, t.stream, 0, bytes, sizeof(bytes), &done);
    td_keeper_end(t.keeper, t.stream, 0);
    c.parts = parts;
    c.n_parts = 1;
    g_assert_cmpint(td_put_complete(t.stream, 0, &c, NULL), ==, 0); /* sound */
    parts[0].seq = 2;
    for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
        c.parts = &parts[i];
        g_assert_cmpint(td_put_complete(t.stream, 0, &c, NULL), ==, 0);
    }
    trace_close(&t);
    reader = open_reader(t.path);
    g_assert_true(next_complete(reader, &record));
    check_payload(reader, &record.complete, NULL, bytes, 10);
    for (size_t i = 0; i < G_N_ELEMENTS(parts); i++) {
        g_assert_true(next_complete(reader, &record));
        g_assert_cmpint(td_reader_payload(reader, &record.complete, 0, back, sizeof(back)), ==,
                        -EBADMSG);
    }
    td_reader_close(reader);
    remove_temporary(t.path);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/payload/random", test_random);
    g_test_add_func("/payload/packed", test_packed);
    g_test_add_func("/payload/large", test_large);
    g_test_add_func("/payload/live", test_live);
    g_test_add_func("/payload/twice", test_twice);
    g_test_add_func("/payload/forgotten", test_forgotten);
    g_test_add_func("/payload/threads", test_threads);
    g_test_add_func("/payload/full-disk", test_full_disk);
    g_test_add_func("/payload/damage", test_damage);
    g_test_add_func("/payload/nonsense", test_nonsense);
    return g_test_run();
}
