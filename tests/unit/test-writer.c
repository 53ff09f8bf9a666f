/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The writer's promises: many threads, death at any instant, a full disk, and
 * traces that are read while they are written.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sample.h"

static struct td_writer *create(const char *path, const struct td_writer_options *options)
{
    struct td_writer *writer;

    g_assert_cmpint(td_writer_create(path, options, &writer), ==, 0);
    return writer;
}

static struct td_stream *open_stream(struct td_writer *writer)
{
    struct td_stream *stream;

    g_assert_cmpint(td_stream_open(writer, &stream), ==, 0);
    return stream;
}

static struct td_reader *open_reader(const char *path)
{
    struct td_reader *reader;

    g_assert_cmpint(td_reader_open(path, &reader, NULL), ==, 0);
    return reader;
}

/* An EVENT that says who wrote it, and its how-many-eth it is. */
static int put_numbered(struct td_stream *stream, uint32_t who, uint64_t number, uint64_t *seq)
{
    uint8_t data[64];
    struct td_event event = {
        .type = TD_EVENT_FIS,
        .device = who,
        .has = TD_HAS_VALUE | TD_HAS_DATA,
        .value = number,
        .data = data,
        .data_len = (uint32_t)(number % sizeof(data)),
    };

    memset(data, (int)number, sizeof(data));
    return td_put_event(stream, number * 100, &event, seq);
}

static void check_numbered(const struct td_record *record, uint64_t number)
{
    g_assert_cmpint(record->kind, ==, TD_EVENT);
    g_assert_cmpuint(record->time_ns, ==, number * 100);
    g_assert_cmpuint(record->event.value, ==, number);
    g_assert_cmpuint(record->event.data_len, ==, number % 64);
    for (uint32_t i = 0; i < record->event.data_len; i++) {
        g_assert_cmpuint(record->event.data[i], ==, (uint8_t)number);
    }
}

/* ---- Files ---- */

static void test_file(void)
{
    char *path = temporary_path("file.tdt");
    struct td_writer *writer;
    struct stat st, old;
    mode_t mask = umask(0);
    int fd;

    g_assert_true(g_file_set_contents(path, "old", 3, NULL));
    fd = open(path, O_RDONLY);
    writer = create(path, NULL);
    umask(mask);
    g_assert_cmpint(stat(path, &st), ==, 0);
    g_assert_cmpint(st.st_mode & 07777, ==, 0600);
    /* Who has the old file open keeps it as it is. */
    g_assert_cmpint(fstat(fd, &old), ==, 0);
    g_assert_cmpint(old.st_size, ==, 3);
    g_assert_cmpuint(old.st_ino, !=, st.st_ino);
    close(fd);
    put_numbered(open_stream(writer), 0, 1, NULL);
    td_writer_close(writer);
    g_assert_cmpint(stat(path, &st), ==, 0);
    g_assert_cmpint(st.st_size, <=, TD_BLOCK_SIZE + 8);
    remove_temporary(path);

    g_assert_cmpint(td_writer_create("/nonexistent/a.tdt", NULL, &writer), ==, -ENOENT);
    td_writer_close(NULL);
}

/* What is no file is neither written to nor replaced. */
static void test_no_file(void)
{
    char *path = temporary_path("fifo");
    g_autofree char *folder = g_path_get_dirname(path);
    struct td_writer *writer;
    struct stat st;

    g_assert_cmpint(mkfifo(path, 0600), ==, 0);
    g_assert_cmpint(td_writer_create(path, NULL, &writer), ==, -EINVAL);
    g_assert_cmpint(td_writer_create(folder, NULL, &writer), ==, -EISDIR);
    g_assert_cmpint(stat(path, &st), ==, 0);
    g_assert_true(S_ISFIFO(st.st_mode));
    remove_temporary(path);
}

static void test_statistics(void)
{
    char *path = temporary_path("statistics.tdt");
    struct td_writer *writer = create(path, NULL);
    struct td_writer_statistics st;
    struct td_stream *a = open_stream(writer), *b = open_stream(writer);

    for (uint64_t i = 0; i < 5000; i++) {
        put_numbered(i % 2 ? a : b, 0, i, NULL);
    }
    td_writer_get_statistics(writer, &st);
    g_assert_cmpuint(st.records, ==, 5000);
    g_assert_cmpuint(st.bytes, >, 5000 * 32);
    g_assert_cmpuint(st.bytes, <, 5000 * 64);
    g_assert_cmpuint(st.file_bytes % TD_BLOCK_SIZE, ==, 0);
    g_assert_cmpuint(st.file_bytes, >, st.bytes);
    td_writer_close(writer);
    remove_temporary(path);
}

/* A stream that was given up is taken up again, block and all. */
static void test_stream_again(void)
{
    char *path = temporary_path("again.tdt");
    struct td_writer *writer = create(path, NULL);
    struct td_writer_statistics st;
    struct td_reader *reader;
    struct td_record record;

    for (uint64_t i = 1; i <= 1000; i++) {
        struct td_stream *stream = open_stream(writer);

        g_assert_cmpint(put_numbered(stream, 0, i, NULL), ==, 0);
        td_stream_close(stream);
    }
    td_writer_get_statistics(writer, &st);
    g_assert_cmpuint(st.file_bytes, ==, TD_BLOCK_SIZE);
    td_writer_close(writer);

    reader = open_reader(path);
    for (uint64_t i = 1; i <= 1000; i++) {
        g_assert_cmpint(td_reader_next(reader, &record), ==, 1);
        check_numbered(&record, i);
    }
    g_assert_cmpint(td_reader_next(reader, &record), ==, 0);
    td_reader_close(reader);
    remove_temporary(path);
}

/* A finished trace has no slack, and can be gone on with. */
static void test_finish(void)
{
    char *path = temporary_path("finish.tdt");
    struct td_writer *writer = create(path, NULL);
    struct td_stream *stream = open_stream(writer);
    struct td_reader *reader;
    struct td_record record;
    uint64_t number = 0;

    for (int round = 0; round < 5; round++) {
        struct stat st;

        for (int i = 0; i < 3000; i++) {
            g_assert_cmpint(put_numbered(stream, 0, ++number, NULL), ==, 0);
        }
        td_writer_finish(writer);
        g_assert_cmpint(stat(path, &st), ==, 0);
        g_assert_cmpint(st.st_size % TD_BLOCK_SIZE, ==, 8);
    }
    td_writer_close(writer);
    reader = open_reader(path);
    for (uint64_t i = 1; i <= number; i++) {
        g_assert_cmpint(td_reader_next(reader, &record), ==, 1);
        check_numbered(&record, i);
    }
    g_assert_cmpint(td_reader_next(reader, &record), ==, 0);
    td_reader_close(reader);
    remove_temporary(path);
}

/* ---- Threads ---- */

#define N_THREADS 4
#define N_EACH 20000

struct thread {
    struct td_writer *writer;
    uint32_t who;
    uint64_t *seqs;
};

static gpointer write_numbered(gpointer data)
{
    struct thread *t = data;
    struct td_stream *stream = open_stream(t->writer);

    for (uint64_t i = 0; i < N_EACH; i++) {
        g_assert_cmpint(put_numbered(stream, t->who, i, &t->seqs[i]), ==, 0);
        /* Give streams up, so that others take them over. */
        if (i % 1000 == 999) {
            td_stream_close(stream);
            stream = open_stream(t->writer);
        }
    }
    td_stream_close(stream);
    return NULL;
}

/* Read all that N_THREADS write: in order, nothing lost, nothing twice. */
static void read_all(struct td_reader *reader, struct thread *threads, bool follow)
{
    uint64_t next[N_THREADS] = { 0 }, seq = 0;
    struct td_record record;

    while (seq < N_THREADS * N_EACH) {
        int ret = td_reader_next(reader, &record);

        if (ret == 0 && follow) {
            g_thread_yield();
            continue;
        }
        g_assert_cmpint(ret, ==, 1);
        if (record.kind == TD_DAMAGE) {
            g_error("damage after record %" G_GUINT64_FORMAT ", at %" G_GUINT64_FORMAT "+%"
                    G_GUINT64_FORMAT ": %s", seq, record.damage.offset, record.damage.bytes,
                    record.damage.reason);
        }
        g_assert_cmpuint(record.seq, ==, ++seq);
        g_assert_cmpuint(record.event.device, <, N_THREADS);
        check_numbered(&record, next[record.event.device]);
        if (!follow) {
            g_assert_cmpuint(threads[record.event.device].seqs[next[record.event.device]], ==,
                             seq);
        }
        next[record.event.device]++;
    }
    if (!follow) {
        g_assert_cmpint(td_reader_next(reader, &record), ==, 0);
    }
}

static void test_threads(gconstpointer follow)
{
    char *path = temporary_path("threads.tdt");
    struct td_writer_options options = { .allocate_ahead = TD_BLOCK_SIZE };
    struct td_writer *writer = create(path, &options);
    struct thread threads[N_THREADS];
    GThread *handles[N_THREADS];
    struct td_reader *reader = NULL;

    if (follow) {
        reader = open_reader(path);
    }
    for (uint32_t i = 0; i < N_THREADS; i++) {
        threads[i] = (struct thread){ writer, i, g_new(uint64_t, N_EACH) };
        handles[i] = g_thread_new("writer", write_numbered, &threads[i]);
    }
    if (follow) {
        read_all(reader, threads, true);
    }
    for (uint32_t i = 0; i < N_THREADS; i++) {
        g_thread_join(handles[i]);
    }
    td_writer_close(writer);
    if (!follow) {
        reader = open_reader(path);
        read_all(reader, threads, false);
    }
    td_reader_close(reader);
    for (uint32_t i = 0; i < N_THREADS; i++) {
        g_free(threads[i].seqs);
    }
    remove_temporary(path);
}

/* ---- kill -9 ---- */

/* What a thread says after each record: it is written. */
struct said {
    uint64_t who, number;
};

struct killed {
    struct td_writer *writer;
    uint32_t who;
    int fd;
};

static gpointer write_until_killed(gpointer data)
{
    struct killed *k = data;
    struct td_stream *stream = open_stream(k->writer);

    for (uint64_t i = 0;; i++) {
        struct said said = { k->who, i };

        if (put_numbered(stream, k->who, i, NULL) ||
            write(k->fd, &said, sizeof(said)) != sizeof(said)) {
            _exit(2);
        }
    }
    return NULL;
}

static void run_child(const char *path, int fd, uint32_t n_threads, uint64_t allocate_ahead)
{
    struct td_writer_options options = { .allocate_ahead = allocate_ahead };
    struct killed killed[N_THREADS];
    struct td_writer *writer;

    if (td_writer_create(path, &options, &writer)) {
        _exit(1);
    }
    for (uint32_t i = 0; i < n_threads; i++) {
        killed[i] = (struct killed){ writer, i, fd };
        g_thread_new("killed", write_until_killed, &killed[i]);
    }
    pause();
    _exit(3);
}

/*
 * All that was said to be written is in the trace, in order, and at most one
 * record more of each thread; nothing is damaged, and at most the records that
 * were in the making are missing.
 */
static void check_killed(const char *path, const uint64_t *n_said, uint32_t n_threads)
{
    uint64_t next[N_THREADS] = { 0 }, missing = 0;
    struct td_reader *reader = open_reader(path);
    struct td_record record;
    int ret;

    while ((ret = td_reader_next(reader, &record)) == 1) {
        if (record.kind == TD_DAMAGE) {
            g_assert_cmpuint(record.damage.bytes, ==, 0);
            missing += record.damage.missing_last - record.damage.missing_first + 1;
            continue;
        }
        g_assert_cmpuint(record.event.device, <, n_threads);
        check_numbered(&record, next[record.event.device]++);
    }
    g_assert_cmpint(ret, ==, 0);
    g_assert_cmpuint(missing, <, n_threads);
    for (uint32_t i = 0; i < n_threads; i++) {
        g_assert_cmpuint(next[i], >=, n_said[i]);
        g_assert_cmpuint(next[i], <=, n_said[i] + 1);
    }
    td_reader_close(reader);
}

static void test_kill(gconstpointer data)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(1);
    uint32_t n_threads = (uint32_t)GPOINTER_TO_UINT(data);
    char *path = temporary_path("kill.tdt");

    for (int round = 0; round < 100; round++) {
        uint64_t n_said[N_THREADS] = { 0 }, n = 0, stop = 1 + random_number(rand, 14);
        uint64_t ahead = 1 + random_number(rand, 21);
        struct said said;
        int fds[2];
        pid_t pid;

        g_assert_cmpint(pipe(fds), ==, 0);
        pid = fork();
        if (pid == 0) {
            run_child(path, fds[1], n_threads, ahead);
        }
        close(fds[1]);
        for (; n < stop; n++) {
            g_assert_cmpint(read(fds[0], &said, sizeof(said)), ==, sizeof(said));
            n_said[said.who] = said.number + 1;
        }
        g_assert_cmpint(kill(pid, SIGKILL), ==, 0);
        g_assert_cmpint(waitpid(pid, NULL, 0), ==, pid);
        while (read(fds[0], &said, sizeof(said)) == sizeof(said)) {
            n_said[said.who] = said.number + 1;
        }
        close(fds[0]);
        check_killed(path, n_said, n_threads);
    }
    remove_temporary(path);
}

/* ---- Full disks ---- */

/*
 * Write until the disk is full, make space, and go on: what was said to be
 * written is there, whatever else happened.
 */
static void fill_disk(const char *folder, const char *ballast)
{
    g_autofree char *path = g_build_filename(folder, "full.tdt", NULL);
    g_autofree char *other = g_build_filename(folder, "other.tdt", NULL);
    struct td_writer *other_writer;
    struct td_writer_options options = { .allocate_ahead = 1 << 20, .reserve = 4 * TD_BLOCK_SIZE };
    struct td_writer *writer = create(path, &options);
    struct td_stream *stream = open_stream(writer);
    uint64_t number = 0, warned = 0, refused = 0;
    struct td_reader *reader;
    struct td_record record;
    int ret;

    do {
        ret = put_numbered(stream, 0, number + 1, NULL);
        g_assert_true(ret == 0 || ret == 1 || ret == -ENOSPC);
        g_assert_false(warned && ret == 0);
        number += ret >= 0;
        warned += ret == 1;
    } while (ret >= 0);
    /* The reserve is for the commands in flight: that many at least. */
    g_assert_cmpuint(warned, >, 1000);
    for (int i = 0; i < 1000; i++) {
        refused += put_numbered(stream, 0, number + 1, NULL) == -ENOSPC;
    }
    g_assert_cmpuint(refused, ==, 1000);
    g_assert_cmpint(td_writer_create(other, NULL, &other_writer), ==, -ENOSPC);
    g_assert_false(g_file_test(other, G_FILE_TEST_EXISTS));

    g_assert_cmpint(g_unlink(ballast), ==, 0);
    for (int i = 0; i < 10000; i++) {
        ret = put_numbered(stream, 0, ++number, NULL);
        g_assert_cmpint(ret, ==, 0);
    }
    td_writer_close(writer);

    reader = open_reader(path);
    for (uint64_t i = 1; i <= number; i++) {
        g_assert_cmpint(td_reader_next(reader, &record), ==, 1);
        check_numbered(&record, i);
        g_assert_cmpuint(record.seq, ==, i); /* what was refused took no number */
    }
    g_assert_cmpint(td_reader_next(reader, &record), ==, 0);
    td_reader_close(reader);
    g_unlink(path);
}

static void write_ballast(const char *path, size_t size)
{
    g_autofree char *bytes = g_malloc0(size);

    g_assert_true(g_file_set_contents(path, bytes, (gssize)size, NULL));
}

static void test_full_disk(void)
{
    g_autofree char *folder = g_dir_make_tmp("tracedisk-test-XXXXXX", NULL);
    g_autofree char *ballast = g_build_filename(folder, "ballast", NULL);

    g_assert_nonnull(folder);
    if (mount("tmpfs", folder, "tmpfs", 0, "size=8m") < 0) {
        g_autofree char *why = g_strdup_printf("cannot mount a small tmpfs: %s (run as root)",
                                               strerror(errno));

        g_rmdir(folder);
        g_test_skip(why);
        return;
    }
    write_ballast(ballast, 4 << 20);
    fill_disk(folder, ballast);
    g_assert_cmpint(umount(folder), ==, 0);
    g_rmdir(folder);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/writer/file", test_file);
    g_test_add_func("/writer/no-file", test_no_file);
    g_test_add_func("/writer/statistics", test_statistics);
    g_test_add_func("/writer/stream-again", test_stream_again);
    g_test_add_func("/writer/finish", test_finish);
    g_test_add_data_func("/writer/threads", NULL, test_threads);
    g_test_add_data_func("/writer/follow", "", test_threads);
    g_test_add_data_func("/writer/kill/one-thread", GUINT_TO_POINTER(1), test_kill);
    g_test_add_data_func("/writer/kill/threads", GUINT_TO_POINTER(N_THREADS), test_kill);
    g_test_add_func("/writer/full-disk", test_full_disk);
    return g_test_run();
}
