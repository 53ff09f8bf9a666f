/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is written is read back: all kinds of records, the extremes of element
 * lists, and what versions to come may add.
 */
#include <glib/gstdio.h>
#include <string.h>

#include "maker.h"

static struct td_reader *open_trace(const char *path)
{
    struct td_reader *reader = NULL;
    struct td_error error = { "" };
    int ret = td_reader_open(path, &reader, &error);

    g_assert_cmpstr(error.text, ==, "");
    g_assert_cmpint(ret, ==, 0);
    return reader;
}

/* Read a whole trace, and compare it with the samples. */
static void check_trace(const char *path, GPtrArray *samples)
{
    struct td_reader *reader = open_trace(path);
    struct td_record record;
    uint64_t done, total;

    for (guint i = 0; i < samples->len; i++) {
        g_assert_cmpint(td_reader_next(reader, &record), ==, 1);
        sample_check(samples->pdata[i], &record);
    }
    g_assert_cmpint(td_reader_next(reader, &record), ==, 0);
    td_reader_progress(reader, &done, &total);
    g_assert_cmpuint(done, >, 0);
    g_assert_cmpuint(done, <=, total);
    td_reader_close(reader);
}

static void check_file(GByteArray *file, GPtrArray *samples)
{
    char *path = temporary_path("made.tdt");

    write_file(path, file->data, file->len);
    check_trace(path, samples);
    remove_temporary(path);
}

/* ---- Varints, element lists ---- */

static void test_varint(void)
{
    for (unsigned bit = 0; bit <= 64; bit++) {
        for (int d = -1; d <= 1; d++) {
            uint64_t v = (bit < 64 ? 1ull << bit : 0) + (uint64_t)(int64_t)d;
            uint8_t buf[TD_VARINT_MAX];
            uint8_t *end = td_write_varint(buf, v);
            struct td_cursor c = { buf, end, false };

            g_assert_cmpuint((gsize)(end - buf), ==, td_varint_size(v));
            g_assert_cmphex(td_read_varint(&c), ==, v);
            g_assert_true(c.p == end && !c.bad);
            g_assert_cmphex(td_unzigzag(td_zigzag(v)), ==, v);

            c = (struct td_cursor){ buf, end - 1, false };
            td_read_varint(&c);
            g_assert_true(c.bad);
        }
    }
}

/* More than 64 bits are malformed, not cut. */
static void test_varint_too_long(void)
{
    uint8_t buf[11] = { 255, 255, 255, 255, 255, 255, 255, 255, 255, 2 };
    struct td_cursor c = { buf, buf + sizeof(buf), false };

    td_read_varint(&c);
    g_assert_true(c.bad);
}

static size_t elements_size(const struct td_element *elements, uint32_t n)
{
    g_autofree uint8_t *buf = g_malloc((size_t)n * TD_ELEMENT_MAX + 1);
    g_autofree struct td_element *back = g_new(struct td_element, n + 1);
    size_t len = td_encode_elements(elements, n, buf);

    g_assert_cmpuint(len, <=, (size_t)n * TD_ELEMENT_MAX);
    g_assert_cmpint(td_decode_elements(buf, len, back, n), ==, 0);
    g_assert_cmpmem(elements, n * sizeof(*elements), back, n * sizeof(*back));
    if (len) {
        g_assert_cmpint(td_decode_elements(buf, len - 1, back, n), ==, -EINVAL);
    }
    return len;
}

static void test_elements_extremes(void)
{
    const struct td_element elements[] = {
        { 0, 0, 0 },
        { UINT64_MAX, UINT32_MAX, UINT32_MAX },
        { 0, 1, 0 },
        { 1ull << 63, UINT32_MAX - 511, TD_ELEMENT_OBSERVED },
        { UINT64_MAX & ~4095ull, 4096, TD_ELEMENT_OBSERVED | TD_ELEMENT_UNCERTAIN },
        { 0, 4096, 0 },
    };

    elements_size(elements, 0);
    for (uint32_t n = 1; n <= G_N_ELEMENTS(elements); n++) {
        elements_size(elements, n);
        elements_size(elements + n - 1, 1);
    }
}

static void test_elements_random(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(1);

    for (int i = 0; i < 2000; i++) {
        struct sample *s = sample_list(rand, (uint32_t)random_number(rand, 9));

        elements_size(s->submit.elements, s->submit.n_elements);
        sample_free(s);
    }
}

/* A promise: any page of a 512 MiB guest takes at most three bytes. */
static void test_elements_frugal(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(2);
    struct td_element elements[1000];

    for (int i = 0; i < 1000; i++) {
        elements[i].addr = (uint64_t)g_rand_int_range(rand, 0, 512 << 20 >> 12) << 12;
        elements[i].len = 4096;
        elements[i].flags = 0;
    }
    g_assert_cmpuint(elements_size(elements, 1000), <=, 3000);
}

/* ---- Round trips ---- */

static GPtrArray *write_samples(const char *path, GRand *rand, int n)
{
    GPtrArray *samples = g_ptr_array_new_with_free_func(sample_free);
    struct td_writer *writer;
    struct td_stream *stream;
    uint64_t seq = 0;

    g_assert_cmpint(td_writer_create(path, NULL, &writer), ==, 0);
    g_assert_cmpint(td_stream_open(writer, &stream), ==, 0);
    for (int i = 0; i < n; i++) {
        struct sample *s = sample_any(rand, seq);

        g_assert_cmpint(sample_put(s, stream), ==, 0);
        g_assert_cmpuint(s->seq, ==, seq + 1);
        seq = s->seq;
        g_ptr_array_add(samples, s);
    }
    td_writer_close(writer);
    return samples;
}

static void test_random(void)
{
    char *path = temporary_path("random.tdt");

    for (guint32 seed = 0; seed < 40; seed++) {
        g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
        g_autoptr(GPtrArray) samples = write_samples(path, rand, 1 << seed % 14);

        g_test_message("seed %u", seed);
        check_trace(path, samples);
    }
    remove_temporary(path);
}

/* Records that need a block of their own, and small ones before and after. */
static void test_large_records(void)
{
    static const uint32_t sizes[] = { 1, TD_MAX_ELEMENTS, 0, TD_MAX_ELEMENTS, 5000, 20000, 3 };
    g_autoptr(GRand) rand = g_rand_new_with_seed(3);
    g_autoptr(GPtrArray) samples = g_ptr_array_new_with_free_func(sample_free);
    char *path = temporary_path("large.tdt");
    struct td_writer *writer;
    struct td_stream *stream;

    g_assert_cmpint(td_writer_create(path, NULL, &writer), ==, 0);
    g_assert_cmpint(td_stream_open(writer, &stream), ==, 0);
    for (size_t i = 0; i < G_N_ELEMENTS(sizes); i++) {
        g_ptr_array_add(samples, sample_list(rand, sizes[i]));
        g_assert_cmpint(sample_put(samples->pdata[i], stream), ==, 0);
    }
    td_writer_close(writer);
    check_trace(path, samples);
    remove_temporary(path);
}

static void test_too_long(void)
{
    char *path = temporary_path("long.tdt");
    g_autofree char *text = g_strnfill(TD_MAX_TEXT + 1, 'x');
    struct td_submit submit = { .raw_len = TD_MAX_RAW + 1 };
    struct td_complete complete = { .sense_len = TD_MAX_SENSE + 1 };
    struct td_complete metadata = { .n_metadata = TD_MAX_METADATA + 1 };
    struct td_complete sectors = { .n_sectors = TD_MAX_SECTORS + 1 };
    struct td_event event = { .has = TD_HAS_DATA, .data_len = TD_MAX_DATA + 1 };
    struct td_header header = { .n_pairs = TD_MAX_PAIRS + 1 };
    struct td_mark mark = { .name = text };
    struct td_writer *writer;
    struct td_stream *s;
    struct td_reader *reader;
    struct td_record record;
    uint64_t seq;

    g_assert_cmpint(td_writer_create(path, NULL, &writer), ==, 0);
    g_assert_cmpint(td_stream_open(writer, &s), ==, 0);
    g_assert_cmpint(td_put_submit(s, 0, &submit, NULL), ==, -EINVAL);
    submit = (struct td_submit){ .n_elements = TD_MAX_ELEMENTS + 1 };
    g_assert_cmpint(td_put_submit(s, 0, &submit, NULL), ==, -EINVAL);
    g_assert_cmpint(td_put_complete(s, 0, &complete, NULL), ==, -EINVAL);
    g_assert_cmpint(td_put_complete(s, 0, &metadata, NULL), ==, -EINVAL);
    g_assert_cmpint(td_put_complete(s, 0, &sectors, NULL), ==, -EINVAL);
    g_assert_cmpint(td_put_event(s, 0, &event, NULL), ==, -EINVAL);
    g_assert_cmpint(td_put_header(s, 0, &header, NULL), ==, -EINVAL);
    g_assert_cmpint(td_put_mark(s, 0, &mark, NULL), ==, -EINVAL);
    text[TD_MAX_TEXT] = 0;
    g_assert_cmpint(td_put_mark(s, 0, &mark, &seq), ==, 0);
    g_assert_cmpuint(seq, ==, 1); /* what failed took no number */
    td_writer_close(writer);

    reader = open_trace(path);
    g_assert_cmpint(td_reader_next(reader, &record), ==, 1);
    g_assert_cmpstr(record.mark.name, ==, text);
    g_assert_cmpint(td_reader_next(reader, &record), ==, 0);
    td_reader_close(reader);
    remove_temporary(path);
}

/* ---- Versions to come, packed traces ---- */

static void test_unknown_kind(void)
{
    /* Kind 40 with 3 bytes; kind 63, with a sequence step of 3. */
    static const uint8_t kind_40[] = { 0xa0, 0x01, 3, 0, 0xff, 0xff };
    static const uint8_t kind_63[] = { 0xfd, 0x01, 3, 3, 0, 0xff };
    g_autoptr(GRand) rand = g_rand_new_with_seed(4);
    g_autoptr(GPtrArray) samples = g_ptr_array_new_with_free_func(sample_free);
    g_autoptr(GByteArray) file = g_byte_array_new();
    struct block_maker *b = block_begin(0, 0, 1);

    for (int i = 0; i < 3; i++) {
        g_ptr_array_add(samples, sample_any(rand, 1));
        block_add(b, samples->pdata[i], NULL, 0);
        if (i < 2) {
            block_add_raw(b, i ? kind_63 : kind_40, i ? sizeof(kind_63) : sizeof(kind_40));
            b->delta.seq += i ? 3 : 1;
        }
    }
    block_end(b, file);
    trace_end(file);
    /* The step leaves numbers 4 and 5 out: that is said, and is all. */
    {
        char *path = temporary_path("unknown.tdt");
        struct td_reader *reader;
        struct td_record record;

        write_file(path, file->data, file->len);
        reader = open_trace(path);
        for (int i = 0; i < 3; i++) {
            g_assert_cmpint(td_reader_next(reader, &record), ==, 1);
            if (i == 2) {
                g_assert_cmpint(record.kind, ==, TD_DAMAGE);
                g_assert_cmpuint(record.damage.missing_first, ==, 4);
                g_assert_cmpuint(record.damage.missing_last, ==, 5);
                g_assert_cmpint(td_reader_next(reader, &record), ==, 1);
            }
            sample_check(samples->pdata[i], &record);
        }
        g_assert_cmpint(td_reader_next(reader, &record), ==, 0);
        td_reader_close(reader);
        remove_temporary(path);
    }
}

/* Extensions behind the fields of every kind. */
static void test_extensions(void)
{
    static const uint8_t more[] = { 9, 2, 'h', 'i', 0x80, 0x01, 0 };
    g_autoptr(GRand) rand = g_rand_new_with_seed(5);
    g_autoptr(GPtrArray) samples = g_ptr_array_new_with_free_func(sample_free);
    g_autoptr(GByteArray) file = g_byte_array_new();
    struct block_maker *b = block_begin(0, 0, 1);

    b->minor = TD_FORMAT_MINOR + 1;
    for (int i = 0; i < 200; i++) {
        enum td_kind kind = (enum td_kind)(TD_HEADER + i % TD_LOST);

        g_ptr_array_add(samples, sample_new(rand, kind, 1));
        block_add(b, samples->pdata[i], more, sizeof(more));
    }
    block_end(b, file);
    trace_end(file);
    check_file(file, samples);
}

static void test_newer_major(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(6);
    g_autoptr(GByteArray) file = g_byte_array_new();
    struct sample *s = sample_any(rand, 1);
    struct block_maker *b = block_begin(0, 0, 1);
    char *path = temporary_path("newer.tdt");
    struct td_reader *reader;
    struct td_error error;

    b->major = TD_FORMAT_MAJOR + 1;
    block_add(b, s, NULL, 0);
    block_end(b, file);
    trace_end(file);
    write_file(path, file->data, file->len);
    g_assert_cmpint(td_reader_open(path, &reader, &error), ==, -ENOTSUP);
    g_assert_nonnull(strstr(error.text, "newer version"));
    sample_free(s);
    remove_temporary(path);
}

/* Blocks of any size, compressed, of two streams, in any order in the file. */
static void test_packed(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(7);
    g_autoptr(GPtrArray) samples = g_ptr_array_new_with_free_func(sample_free);
    g_autoptr(GByteArray) file = g_byte_array_new();
    GByteArray *blocks[60];

    for (uint32_t i = 0; i < G_N_ELEMENTS(blocks); i++) {
        struct block_maker *b = block_begin(i % 2, i / 2, samples->len + 1);

        b->codec = i % 3 ? TD_CODEC_ZLIB : TD_CODEC_NONE;
        b->padding = i % 5 ? 0 : i;
        for (uint64_t n = 1 + random_number(rand, 8); n > 0; n--) {
            struct sample *s = sample_any(rand, samples->len);

            g_ptr_array_add(samples, s);
            block_add(b, s, NULL, 0);
        }
        blocks[i] = g_byte_array_new();
        block_end(b, blocks[i]);
    }
    for (gint32 n = G_N_ELEMENTS(blocks); n > 0; n--) {
        gint32 i = g_rand_int_range(rand, 0, n);

        g_byte_array_append(file, blocks[i]->data, blocks[i]->len);
        g_byte_array_unref(blocks[i]);
        blocks[i] = blocks[n - 1];
    }
    trace_end(file);
    check_file(file, samples);
}

/* ---- Things that are no trace ---- */

static void check_refused(const char *path, int expected, const char *word)
{
    struct td_reader *reader;
    struct td_error error;

    g_assert_cmpint(td_reader_open(path, &reader, &error), ==, expected);
    g_assert_nonnull(strstr(error.text, word));
    g_assert_nonnull(strstr(error.text, path));
}

static void test_no_trace(void)
{
    char *path = temporary_path("no.tdt");
    g_autofree char *folder = g_path_get_dirname(path);

    check_refused(path, -ENOENT, "No such file");
    check_refused(folder, -EINVAL, "not a regular file");
    write_file(path, (const uint8_t *)"", 0);
    check_refused(path, -EINVAL, "empty");
    write_file(path, (const uint8_t *)"hello\n", 6);
    check_refused(path, -EINVAL, "not a trace");
    remove_temporary(path);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/format/varint", test_varint);
    g_test_add_func("/format/varint/too-long", test_varint_too_long);
    g_test_add_func("/format/elements/extremes", test_elements_extremes);
    g_test_add_func("/format/elements/random", test_elements_random);
    g_test_add_func("/format/elements/frugal", test_elements_frugal);
    g_test_add_func("/format/random-records", test_random);
    g_test_add_func("/format/large-records", test_large_records);
    g_test_add_func("/format/too-long", test_too_long);
    g_test_add_func("/format/unknown-kind", test_unknown_kind);
    g_test_add_func("/format/extensions", test_extensions);
    g_test_add_func("/format/newer-major", test_newer_major);
    g_test_add_func("/format/packed", test_packed);
    g_test_add_func("/format/no-trace", test_no_trace);
    return g_test_run();
}
