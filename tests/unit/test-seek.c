/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Seeking in packed traces: what is given after it is what is given without, but
 * for what no longer matters there; with any damage before the place, all is.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "block.h"
#include "sample.h"
#include "scan.h"

#define STREAMS 3
#define RECORD_BYTES (6u << 20) /* a checkpoint comes with each MiB */

struct trace {
    char *path, *packed;
    GPtrArray *samples; /* by sequence number - 1 */
    GHashTable *completed; /* SUBMITs by number: the number of their first COMPLETE */
};

static uint64_t n_records(const struct trace *t)
{
    return t->samples->len;
}

static const struct sample *sample_of(const struct trace *t, uint64_t seq)
{
    return t->samples->pdata[seq - 1];
}

/* Large, so that a trace of many blocks has few records. */
static struct sample *filler(GRand *rand, uint64_t last_seq)
{
    return sample_new(rand, TD_PAYLOAD, last_seq);
}

/* Complete a command that is in flight: most often a late one. */
static void choose_submit(GRand *rand, GArray *in_flight, struct sample *s)
{
    guint n = in_flight->len, i = n - 1 - (guint)random_number(rand, 13) % n;

    s->complete.submit_seq = g_array_index(in_flight, uint64_t, i);
    s->source.ref = s->complete.submit_seq;
    g_array_remove_index(in_flight, i);
}

static struct sample *any(GRand *rand, GArray *in_flight, uint64_t last_seq)
{
    static const enum td_kind often[] = { TD_SUBMIT, TD_COMPLETE, TD_STACK };
    int dice = g_rand_int_range(rand, 0, 4000);
    struct sample *s;

    /* Few that tell of the whole trace: the blocks that have them are read always. */
    if (dice < 4) {
        return dice ? sample_new(rand, TD_MARK, last_seq) : sample_any(rand, last_seq);
    }
    if (dice < 1000) {
        return filler(rand, last_seq);
    }
    s = sample_new(rand, often[dice % 3], last_seq);
    if (s->source.kind == TD_STACK) {
        s->stack.device %= 2;
    }
    if (s->source.kind == TD_COMPLETE && in_flight->len) {
        choose_submit(rand, in_flight, s);
    }
    return s;
}

/* Time goes on, and back once, as with loadvm. */
static void put_samples(struct trace *t, struct td_writer *writer, GRand *rand)
{
    struct td_stream *streams[STREAMS];
    struct td_writer_statistics statistics = { 0 };
    g_autoptr(GArray) in_flight = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    uint64_t time_ns = 0;

    for (int i = 0; i < STREAMS; i++) {
        g_assert_cmpint(td_stream_open(writer, &streams[i]), ==, 0);
    }
    while (statistics.bytes < RECORD_BYTES) {
        struct sample *s = any(rand, in_flight, n_records(t));

        time_ns = g_rand_int_range(rand, 0, 1000) == 0 ? time_ns / 2 : time_ns + 1000;
        s->time_ns = time_ns;
        g_assert_cmpint(sample_put(s, streams[g_rand_int_range(rand, 0, STREAMS)]), ==, 0);
        g_ptr_array_add(t->samples, s);
        g_assert_cmpuint(s->seq, ==, n_records(t));
        if (s->source.kind == TD_SUBMIT) {
            g_array_append_val(in_flight, s->seq);
        }
        if (s->source.kind == TD_COMPLETE) {
            gpointer submit = GSIZE_TO_POINTER(s->complete.submit_seq);

            if (!g_hash_table_contains(t->completed, submit)) {
                g_hash_table_insert(t->completed, submit, GSIZE_TO_POINTER(s->seq));
            }
        }
        td_writer_get_statistics(writer, &statistics);
    }
}

static void pack(const struct trace *t)
{
    int fd = open(t->packed, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    uint64_t bytes;

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(td_pack(t->path, fd, &bytes), ==, 0);
    close(fd);
}

static struct trace *trace_new(guint32 seed)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
    struct trace *t = g_new0(struct trace, 1);
    struct td_writer *writer;

    t->path = temporary_path("seek.tdt");
    t->packed = g_strconcat(t->path, ".packed", NULL);
    t->samples = g_ptr_array_new_with_free_func(sample_free);
    t->completed = g_hash_table_new(NULL, NULL);
    g_assert_cmpint(td_writer_create(t->path, NULL, &writer), ==, 0);
    put_samples(t, writer, rand);
    td_writer_close(writer);
    pack(t);
    return t;
}

static void trace_free(struct trace *t)
{
    unlink(t->packed);
    g_free(t->packed);
    remove_temporary(t->path);
    g_ptr_array_unref(t->samples);
    g_hash_table_unref(t->completed);
    g_free(t);
}

static struct td_reader *open_reader(const char *path)
{
    struct td_reader *reader;

    g_assert_cmpint(td_reader_open(path, &reader, NULL), ==, 0);
    return reader;
}

/* ---- What is given ---- */

/* Of a SUBMIT; 0: none. */
static uint64_t first_complete(const struct trace *t, uint64_t seq)
{
    return GPOINTER_TO_SIZE(g_hash_table_lookup(t->completed, GSIZE_TO_POINTER(seq)));
}

/* Is this STACK one of the last of its device before a place? */
static bool is_late_stack(const struct trace *t, uint64_t seq, uint64_t place)
{
    uint32_t device = sample_of(t, seq)->stack.device;
    unsigned later = 0;

    for (uint64_t i = seq + 1; i < place && later < TD_STACKS; i++) {
        const struct sample *s = sample_of(t, i);

        later += s->source.kind == TD_STACK && s->stack.device == device;
    }
    return later < TD_STACKS;
}

static bool tells_of_the_trace(const struct sample *s)
{
    return s->source.kind == TD_HEADER || s->source.kind == TD_DEVICE ||
           s->source.kind == TD_MARK || s->source.kind == TD_LOST;
}

static bool matters(const struct trace *t, uint64_t seq, uint64_t from, uint64_t until)
{
    const struct sample *s = sample_of(t, seq);
    uint64_t completed;

    if ((seq >= from && seq <= until) || tells_of_the_trace(s)) {
        return true;
    }
    if (seq > until) {
        /* As a writer has it: the first COMPLETE, and behind its SUBMIT. */
        return s->source.kind == TD_COMPLETE && s->complete.submit_seq <= until &&
               s->complete.submit_seq > 0 && s->complete.submit_seq < seq &&
               sample_of(t, s->complete.submit_seq)->source.kind == TD_SUBMIT &&
               first_complete(t, s->complete.submit_seq) == seq;
    }
    switch (s->source.kind) {
    case TD_SUBMIT:
        completed = first_complete(t, seq);
        return completed == 0 || completed >= from;
    case TD_STACK:
        return is_late_stack(t, seq, from);
    default:
        return false;
    }
}

/* Read on to the end: how many records there were. */
static uint64_t check_rest(const struct trace *t, struct td_reader *reader, uint64_t from,
                           uint64_t until)
{
    struct td_record record;
    uint64_t last = 0, n = 0;
    int ret;

    do {
        ret = td_reader_next(reader, &record);
        g_assert_cmpint(ret, >=, 0);
        for (uint64_t seq = last + 1; seq < (ret ? record.seq : n_records(t) + 1); seq++) {
            g_assert_false(matters(t, seq, from, until));
        }
        if (ret) {
            g_assert_cmpint(record.kind, !=, TD_DAMAGE);
            g_assert_cmpuint(record.seq, >, last);
            sample_check(sample_of(t, record.seq), &record);
            last = record.seq;
            n++;
        }
    } while (ret);
    return n;
}

/* Seek, and check what is given: how many records; *ret: what seeking said. */
static uint64_t check_part(const struct trace *t, uint64_t from, uint64_t until, int *ret)
{
    struct td_reader *reader = open_reader(t->packed);
    uint64_t given;

    *ret = td_reader_seek(reader, from, until);
    g_assert_cmpint(*ret, >=, 0);
    given = check_rest(t, reader, from, until);
    g_assert_true(*ret == 1 || given == n_records(t));
    td_reader_close(reader);
    return given;
}

static void test_what_matters_is_given(void)
{
    for (guint32 seed = 1; seed <= 2; seed++) {
        g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
        struct trace *t = trace_new(seed);
        unsigned sought = 0;
        int ret;

        g_assert_cmpuint(check_part(t, n_records(t), UINT64_MAX, &ret), <, n_records(t) / 4 * 3);
        g_assert_cmpuint(check_part(t, 0, n_records(t) / 8, &ret), <, n_records(t) / 4 * 3);
        for (int i = 0; i < 8; i++) {
            uint64_t from = random_number(rand, 30) % n_records(t);
            uint64_t until = from + random_number(rand, 30) % (n_records(t) - from);

            check_part(t, from, i % 2 ? until : UINT64_MAX, &ret);
            sought += ret == 1;
        }
        g_assert_cmpuint(sought, >, 2);
        trace_free(t);
    }
}

/* ---- Places ---- */

static void check_time(const struct trace *t, struct td_reader *reader, uint64_t time_ns)
{
    uint64_t place = td_reader_find_time(reader, time_ns);

    for (uint64_t seq = 1; seq < place; seq++) {
        g_assert_cmpuint(sample_of(t, seq)->time_ns, <, time_ns);
    }
}

static void test_places(void)
{
    struct trace *t = trace_new(11);
    struct td_reader *reader = open_reader(t->packed), *plain = open_reader(t->path);
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);

    g_assert_cmpuint(td_reader_find_time(reader, 0), ==, 0);
    g_assert_cmpuint(td_reader_find_time(reader, UINT64_MAX), >, n_records(t) / 2);
    g_assert_cmpuint(td_reader_find_time(plain, UINT64_MAX), ==, 0);
    for (uint64_t seq = 1; seq <= n_records(t); seq++) {
        const struct sample *s = sample_of(t, seq);

        if (seq % 500 == 0) {
            check_time(t, reader, s->time_ns);
        }
        if (s->source.kind == TD_MARK) {
            g_assert_cmpuint(td_reader_find_mark(reader, s->mark.name, seq - 1), ==, seq);
        }
        if (s->source.kind == TD_MARK && g_hash_table_add(seen, (gpointer)s->mark.name)) {
            g_assert_cmpuint(td_reader_find_mark(reader, s->mark.name, 0), ==, seq);
            g_assert_cmpuint(td_reader_find_mark(plain, s->mark.name, 0), ==, 0);
        }
    }
    g_assert_cmpuint(g_hash_table_size(seen), >, 1);
    g_assert_cmpuint(td_reader_find_mark(reader, "no such mark", 0), ==, 0);
    td_reader_close(reader);
    td_reader_close(plain);
    trace_free(t);
}

static void test_only_at_the_beginning(void)
{
    struct trace *t = trace_new(12);
    struct td_reader *reader = open_reader(t->packed);
    struct td_record record;

    g_assert_cmpint(td_reader_next(reader, &record), ==, 1);
    g_assert_cmpint(td_reader_seek(reader, n_records(t), UINT64_MAX), ==, -EINVAL);
    td_reader_close(reader);
    reader = open_reader(t->packed);
    g_assert_cmpint(td_reader_seek(reader, n_records(t), UINT64_MAX), ==, 1);
    g_assert_cmpint(td_reader_seek(reader, n_records(t), UINT64_MAX), ==, -EINVAL);
    td_reader_close(reader);
    trace_free(t);
}

/* ---- Damage ---- */

struct blocks {
    struct td_block of[1024];
    size_t n;
};

static void find_blocks(const char *path, struct blocks *blocks)
{
    int fd = open(path, O_RDONLY);
    uint64_t offset = 0, next;
    const char *reason;

    for (blocks->n = 0; blocks->n < 1024; blocks->n++, offset = next) {
        if (td_scan(fd, offset, &blocks->of[blocks->n], &next, &reason) != TD_FOUND_BLOCK) {
            break;
        }
    }
    close(fd);
}

static void flip(const char *path, uint64_t offset)
{
    int fd = open(path, O_RDWR);
    uint8_t byte;

    g_assert_cmpint(pread(fd, &byte, 1, (off_t)offset), ==, 1);
    byte ^= 1;
    g_assert_cmpint(pwrite(fd, &byte, 1, (off_t)offset), ==, 1);
    close(fd);
}

/* Damage in the block at `offset` in it, seek to the end: what seeking says. */
static int seek_with_damage(const char *path, const struct td_block *block, uint64_t offset)
{
    struct td_reader *reader;
    struct td_record record;
    bool told = false;
    int ret, sought;

    flip(path, block->offset + offset);
    reader = open_reader(path);
    sought = td_reader_seek(reader, UINT64_MAX, UINT64_MAX);
    while ((ret = td_reader_next(reader, &record)) > 0) {
        told |= record.kind == TD_DAMAGE && record.damage.offset >= block->offset &&
                record.damage.offset < block->offset + block->capacity;
    }
    g_assert_cmpint(ret, ==, 0);
    g_assert_true(told);
    td_reader_close(reader);
    flip(path, block->offset + offset);
    return sought;
}

static void test_damage(void)
{
    struct trace *t = trace_new(21);
    struct blocks blocks;
    const struct td_block *index;
    uint64_t place;

    find_blocks(t->packed, &blocks);
    index = &blocks.of[blocks.n - 1];
    g_assert_cmpint(index->flags, ==, TD_BLOCK_INDEX);
    struct td_reader *reader = open_reader(t->packed);

    place = td_reader_find_time(reader, UINT64_MAX);
    td_reader_close(reader);
    for (size_t i = blocks.n % 11; i < blocks.n - 1; i += 11) {
        uint32_t body = blocks.of[i].header_len + blocks.of[i].capacity / 3;

        g_assert_cmpint(seek_with_damage(t->packed, &blocks.of[i], body), ==,
                        blocks.of[i].first_seq > place);
        g_assert_cmpint(seek_with_damage(t->packed, &blocks.of[i], TD_AT_FIRST_SEQ), ==, 0);
    }
    g_assert_cmpint(seek_with_damage(t->packed, index, index->header_len), ==, 0);
    g_assert_cmpint(truncate(t->packed, (off_t)index->offset), ==, 0);
    reader = open_reader(t->packed);
    g_assert_cmpint(td_reader_seek(reader, UINT64_MAX, UINT64_MAX), ==, 0);
    td_reader_close(reader);
    trace_free(t);
}

/* The index of a damaged trace ends before the damage. */
static void test_packed_with_damage(void)
{
    struct trace *t = trace_new(31);
    struct blocks blocks;
    uint64_t middle;

    find_blocks(t->path, &blocks);
    middle = blocks.of[blocks.n / 2].first_seq;
    flip(t->path, blocks.of[blocks.n / 2].offset + 1000);
    pack(t);

    struct td_reader *reader = open_reader(t->packed);
    struct td_record record;
    unsigned damages = 0;

    g_assert_cmpuint(td_reader_find_time(reader, UINT64_MAX), >, 1);
    g_assert_cmpuint(td_reader_find_time(reader, UINT64_MAX), <=, middle);
    g_assert_cmpint(td_reader_seek(reader, UINT64_MAX, UINT64_MAX), ==, 1);
    while (td_reader_next(reader, &record) > 0) {
        damages += record.kind == TD_DAMAGE;
    }
    g_assert_cmpuint(damages, ==, 1);
    td_reader_close(reader);
    trace_free(t);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/seek/what-matters-is-given", test_what_matters_is_given);
    g_test_add_func("/seek/places", test_places);
    g_test_add_func("/seek/only-at-the-beginning", test_only_at_the_beginning);
    g_test_add_func("/seek/damage", test_damage);
    g_test_add_func("/seek/packed-with-damage", test_packed_with_damage);
    return g_test_run();
}
