/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Damaged traces: cut at every byte, every byte flipped in turn, pieces
 * overwritten, taken out and put in. The reader never crashes, never gives a
 * record that was not written, loses only the blocks that were hit, and says so.
 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "maker.h"

/* A trace, and where each of its records is. */
struct trace {
    GByteArray *file;
    GPtrArray *samples; /* by sequence number - 1 */
    GArray *ends;       /* of struct extent, one a block */
    char *path;
};

struct extent {
    size_t from, to;      /* in the file */
    uint64_t first, last; /* sequence numbers; of one stream only */
    uint32_t stream;
};

static struct trace *new_trace(void)
{
    struct trace *t = g_new0(struct trace, 1);

    t->file = g_byte_array_new();
    t->samples = g_ptr_array_new_with_free_func(sample_free);
    t->ends = g_array_new(FALSE, FALSE, sizeof(struct extent));
    t->path = temporary_path("damage.tdt");
    return t;
}

static void free_trace(struct trace *t)
{
    g_byte_array_unref(t->file);
    g_ptr_array_unref(t->samples);
    g_array_unref(t->ends);
    remove_temporary(t->path);
    g_free(t);
}

static void make_block(struct trace *t, GRand *rand, uint32_t stream, uint32_t index,
                       uint8_t codec, uint32_t padding)
{
    struct extent extent = { .from = t->file->len, .first = t->samples->len + 1,
                             .stream = stream };
    struct block_maker *b = block_begin(stream, index, extent.first);

    b->codec = codec;
    b->padding = padding;
    for (int i = 0; i < 6; i++) {
        struct sample *s = sample_any(rand, t->samples->len);

        g_ptr_array_add(t->samples, s);
        block_add(b, s, NULL, 0);
    }
    block_end(b, t->file);
    extent.last = t->samples->len;
    extent.to = t->file->len;
    g_array_append_val(t->ends, extent);
}

/* Ten small blocks of two streams, of both codecs, some with padding. */
static struct trace *small_trace(guint32 seed, bool two_streams)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
    struct trace *t = new_trace();
    uint32_t index[2] = { 0, 0 };

    for (uint32_t i = 0; i < 10; i++) {
        uint32_t stream = two_streams && i % 3 == 1;

        make_block(t, rand, stream, index[stream]++, i % 4 == 3 ? TD_CODEC_ZLIB : TD_CODEC_NONE,
                   i % 3 ? 0 : 40);
    }
    trace_end(t->file);
    return t;
}

/* What the reader told of a damaged file. */
struct told {
    bool *given;    /* by sequence number */
    uint64_t n_given;
    bool *missing;  /* by sequence number: some damage told of it */
    int n_damages;
    bool opened;
};

static struct told *read_damaged(const struct trace *t)
{
    struct told *told = g_new0(struct told, 1);
    uint64_t n = t->samples->len, last = 0;
    struct td_reader *reader;
    struct td_record record;
    int ret;

    told->given = g_new0(bool, n + 2);
    told->missing = g_new0(bool, n + 2);
    if (td_reader_open(t->path, &reader, NULL) < 0) {
        return told;
    }
    told->opened = true;
    while ((ret = td_reader_next(reader, &record)) == 1) {
        if (record.kind == TD_DAMAGE) {
            uint64_t to = record.damage.missing_last ? MIN(record.damage.missing_last, n) : n;

            g_assert_nonnull(record.damage.reason);
            told->n_damages++;
            for (uint64_t i = record.damage.missing_first; i && i <= to; i++) {
                told->missing[i] = true;
            }
            continue;
        }
        g_assert_cmpuint(record.seq, <=, n);
        if (record.kind > TD_DEVICE || !told->n_damages) {
            g_assert_cmpuint(record.seq, >, last);
            last = record.seq;
        }
        g_assert_false(told->given[record.seq]);
        sample_check(t->samples->pdata[record.seq - 1], &record);
        told->given[record.seq] = true;
        told->n_given++;
    }
    g_assert_cmpint(ret, ==, 0);
    td_reader_close(reader);
    return told;
}

static void free_told(struct told *told)
{
    g_free(told->given);
    g_free(told->missing);
    g_free(told);
}

/* The block at `at` may be lost, if some damage says so; no other record. */
static void check_hit(const struct trace *t, size_t at)
{
    struct told *told = read_damaged(t);

    g_assert_true(told->opened);
    for (guint i = 0; i < t->ends->len; i++) {
        struct extent *e = &g_array_index(t->ends, struct extent, i);
        bool hit = at >= e->from && at < e->to;

        for (uint64_t seq = e->first; seq <= e->last; seq++) {
            if (told->given[seq]) {
                continue;
            }
            if (!hit) {
                g_error("byte %zu is damaged, and record %" G_GUINT64_FORMAT
                        " of another block lost", at, seq);
            }
            if (!told->n_damages) {
                g_error("byte %zu is damaged, record %" G_GUINT64_FORMAT
                        " lost, and nothing said", at, seq);
            }
            /* The numbers are known unless the last block's header is gone. */
            if (!told->missing[seq] && i + 1 < t->ends->len) {
                g_error("byte %zu is damaged, and the loss of record %" G_GUINT64_FORMAT
                        " not said", at, seq);
            }
        }
    }
    free_told(told);
}

static void flip_every_byte(struct trace *t, GRand *rand, size_t step)
{
    int fd;

    write_file(t->path, t->file->data, t->file->len);
    fd = open(t->path, O_RDWR);
    for (size_t at = 0; at < t->file->len; at += step) {
        uint8_t byte = t->file->data[at] ^ (uint8_t)g_rand_int_range(rand, 1, 256);

        g_assert_cmpint(pwrite(fd, &byte, 1, (off_t)at), ==, 1);
        check_hit(t, at);
        g_assert_cmpint(pwrite(fd, &t->file->data[at], 1, (off_t)at), ==, 1);
    }
    close(fd);
}

static void test_flip(gconstpointer two_streams)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(11);

    for (guint32 seed = 0; seed < 2; seed++) {
        struct trace *t = small_trace(seed, two_streams != NULL);

        flip_every_byte(t, rand, 1);
        free_trace(t);
    }
}

static void check_cut(const struct trace *t, size_t len)
{
    struct told *told = read_damaged(t);
    bool header = len >= TD_BLOCK_HEADER;

    g_assert_cmpint(told->opened, ==, header);
    for (guint i = 0; i < t->ends->len; i++) {
        struct extent *e = &g_array_index(t->ends, struct extent, i);

        for (uint64_t seq = e->first; seq <= e->last; seq++) {
            if (e->to <= len) {
                g_assert_true(told->given[seq]);
            }
        }
    }
    /* A trace that was cut says so, wherever. */
    g_assert_cmpint(told->n_damages > 0, ==, header && len < t->file->len);
    free_told(told);
}

static void test_cut(gconstpointer two_streams)
{
    struct trace *t = small_trace(21, two_streams != NULL);

    write_file(t->path, t->file->data, t->file->len);
    for (size_t len = t->file->len + 1; len-- > 0;) {
        g_assert_cmpint(truncate(t->path, (off_t)len), ==, 0);
        check_cut(t, len);
    }
    free_trace(t);
}

/* 1 to 2^bits, and no more than max. */
static size_t some_bytes(GRand *rand, unsigned bits, size_t max)
{
    size_t n = 1 + random_number(rand, bits);

    return MIN(n, max);
}

/* Several blocks in a row. */
static void test_overwrite(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(31);
    struct trace *t = small_trace(32, true);

    for (int i = 0; i < 1000; i++) {
        size_t from = (size_t)g_rand_int_range(rand, 0, (gint32)t->file->len);
        size_t n = some_bytes(rand, 12, t->file->len - from);
        g_autofree uint8_t *bytes = g_memdup2(t->file->data, t->file->len);
        /* Zeros up to the end are what a trace without an end has anyway. */
        bool zeros = i % 2 == 0 && from + n < t->file->len;
        struct told *told;

        for (size_t j = 0; j < n; j++) {
            bytes[from + j] = zeros ? 0 : (uint8_t)g_rand_int(rand);
        }
        write_file(t->path, bytes, t->file->len);
        told = read_damaged(t);
        for (guint b = 0; b < t->ends->len; b++) {
            struct extent *e = &g_array_index(t->ends, struct extent, b);

            for (uint64_t seq = e->first; seq <= e->last; seq++) {
                if (told->opened && (from >= e->to || from + n <= e->from)) {
                    g_assert_true(told->given[seq]);
                }
                g_assert_true(told->given[seq] || told->n_damages || !told->opened);
            }
        }
        free_told(told);
    }
    free_trace(t);
}

/* Bytes taken out or put in: all later blocks are elsewhere. */
static void test_shift(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(41);
    struct trace *t = small_trace(42, true);

    for (int i = 0; i < 500; i++) {
        size_t at = (size_t)g_rand_int_range(rand, 0, (gint32)t->file->len);
        size_t n = some_bytes(rand, 9, t->file->len - at);
        g_autofree uint8_t *bytes = g_malloc0(t->file->len + n);
        size_t out = i % 2 ? n : 0;
        struct told *told;

        memcpy(bytes, t->file->data, at);
        memcpy(bytes + at + n - out, t->file->data + at + out, t->file->len - at - out);
        write_file(t->path, bytes, t->file->len + n - out - (i % 2 ? n : 0));
        told = read_damaged(t);
        for (guint b = 0; b < t->ends->len; b++) {
            struct extent *e = &g_array_index(t->ends, struct extent, b);

            if (e->to <= at || e->from >= at + out) {
                if (!told->given[e->first] || !told->given[e->last]) {
                    g_error("%zu bytes %s at %zu, and the block at %zu lost", n,
                            out ? "taken out" : "put in", at, e->from);
                }
            }
        }
        free_told(told);
    }
    free_trace(t);
}

/* Nonsense with a right checksum: any result, but no crash. */
static void test_malformed_records(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(51);
    char *path = temporary_path("malformed.tdt");

    for (int i = 0; i < 6000; i++) {
        g_autoptr(GByteArray) file = g_byte_array_new();
        struct block_maker *b = block_begin(0, 0, 1);
        struct td_reader *reader;
        struct td_commands *commands;
        struct td_item item;

        for (int n = 0; n < 4; n++) {
            struct sample *s = sample_any(rand, b->delta.seq);

            block_add(b, s, NULL, 0);
            sample_free(s);
        }
        for (uint64_t hits = 1 + random_number(rand, 4); hits > 0; hits--) {
            b->records->data[g_rand_int_range(rand, 0, (gint32)b->records->len)] =
                (uint8_t)random_number(rand, 8);
        }
        block_end(b, file);
        write_file(path, file->data, file->len);
        g_assert_cmpint(td_reader_open(path, &reader, NULL), ==, 0);
        g_assert_cmpint(td_commands_open(reader, &commands), ==, 0);
        while (td_commands_next(commands, false, &item) == 1) {
        }
        td_commands_close(commands);
        td_reader_close(reader);
    }
    remove_temporary(path);
}

/* Blocks with a right checksum that cannot be unpacked. */
static void test_codec(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(52);
    struct trace *t = new_trace();
    struct told *told;

    for (uint32_t i = 0; i < 5; i++) {
        make_block(t, rand, 0, i, i == 1 ? 77 : TD_CODEC_NONE, 0);
        if (i == 3) { /* says that it is compressed, and is not */
            uint8_t *h = t->file->data + g_array_index(t->ends, struct extent, 3).from;

            h[TD_AT_CODEC] = TD_CODEC_ZLIB;
            td_set32(h + TD_AT_RAW_LEN, 1000);
            td_set32(h + TD_AT_HEADER_CRC, (uint32_t)crc32(0, h, TD_AT_HEADER_CRC));
        }
    }
    trace_end(t->file);
    write_file(t->path, t->file->data, t->file->len);
    told = read_damaged(t);
    g_assert_cmpint(told->n_damages, ==, 2);
    for (guint i = 0; i < 5; i++) {
        struct extent *e = &g_array_index(t->ends, struct extent, i);

        for (uint64_t seq = e->first; seq <= e->last; seq++) {
            g_assert_cmpint(told->given[seq], ==, i % 2 == 0);
            g_assert_cmpint(told->missing[seq], ==, i % 2 == 1);
        }
    }
    free_told(told);
    free_trace(t);
}

/* ---- The writer's own blocks ---- */

static void put_extent(struct trace *t, struct extent *extent)
{
    if (extent->last) {
        g_array_append_val(t->ends, *extent);
    }
}

/* A few real blocks of two streams, HEADER and DEVICE first. */
static struct trace *real_trace(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(61);
    struct trace *t = new_trace();
    struct td_writer *writer;
    struct td_stream *streams[2];
    g_autofree char *bytes = NULL;
    gsize n;

    g_assert_cmpint(td_writer_create(t->path, NULL, &writer), ==, 0);
    g_assert_cmpint(td_stream_open(writer, &streams[0]), ==, 0);
    g_assert_cmpint(td_stream_open(writer, &streams[1]), ==, 0);
    for (int i = 0; i < 3000; i++) {
        struct sample *s = i < 2 ? sample_new(rand, i ? TD_DEVICE : TD_HEADER, 0)
                                 : sample_new(rand, i % 2 ? TD_SUBMIT : TD_COMPLETE, 1);

        g_assert_cmpint(sample_put(s, streams[i % 5 == 4]), ==, 0);
        g_ptr_array_add(t->samples, s);
    }
    td_writer_close(writer);
    g_assert_true(g_file_get_contents(t->path, &bytes, &n, NULL));
    g_byte_array_append(t->file, (guint8 *)bytes, (guint)n);
    return t;
}

/* Which records are in which block: ask a reader of each stream's blocks. */
static void find_extents(struct trace *t)
{
    for (size_t at = 0; at + TD_BLOCK_HEADER < t->file->len;) {
        const uint8_t *h = t->file->data + at;
        struct extent extent = {
            .from = at,
            .to = at + td_get32(h + TD_AT_CAPACITY),
            .first = td_get64(h + TD_AT_FIRST_SEQ),
            .last = t->samples->len,
            .stream = td_get32(h + TD_AT_STREAM),
        };

        for (size_t next = extent.to; next + TD_BLOCK_HEADER < t->file->len;) {
            const uint8_t *later = t->file->data + next;

            if (td_get32(later + TD_AT_STREAM) == extent.stream) {
                extent.last = td_get64(later + TD_AT_FIRST_SEQ) - 1;
                break;
            }
            next += td_get32(later + TD_AT_CAPACITY);
        }
        put_extent(t, &extent);
        at = extent.to;
    }
}

/*
 * A record may be lost when its block, as far as extents tell, was hit: the
 * ranges of two streams overlap. What a stream's last block held is not known
 * when its header is gone.
 */
static void check_real_hit(const struct trace *t, size_t at)
{
    struct told *told = read_damaged(t);
    const struct extent *hit = NULL;

    for (guint i = 0; i < t->ends->len; i++) {
        const struct extent *e = &g_array_index(t->ends, struct extent, i);

        hit = at >= e->from && at < e->to ? e : hit;
    }
    for (uint64_t seq = 1; seq <= t->samples->len; seq++) {
        bool in_stream = hit && ((seq - 1) % 5 == 4) == (hit->stream == 1);
        bool said = told->missing[seq] || (told->n_damages && hit->last == t->samples->len);

        if (!told->given[seq] && !(in_stream && seq >= hit->first && seq <= hit->last && said)) {
            g_error("byte %zu is damaged, and record %" G_GUINT64_FORMAT " lost", at, seq);
        }
    }
    free_told(told);
}

static void test_real(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(62);
    struct trace *t = real_trace();
    int fd = open(t->path, O_RDWR);

    find_extents(t);
    g_assert_cmpuint(t->ends->len, >, 4);
    for (guint i = 0; i < t->ends->len; i++) {
        const struct extent *e = &g_array_index(t->ends, struct extent, i);

        for (size_t at = e->from; at < e->to;) {
            uint8_t byte = t->file->data[at] ^ (uint8_t)(1 << g_rand_int_range(rand, 0, 8));

            g_assert_cmpint(pwrite(fd, &byte, 1, (off_t)at), ==, 1);
            check_real_hit(t, at);
            g_assert_cmpint(pwrite(fd, &t->file->data[at], 1, (off_t)at), ==, 1);
            at += at < e->from + TD_BLOCK_HEADER ? 1 : 4001;
        }
    }
    close(fd);
    free_trace(t);
}

/* The first block's loss does not cost the names. */
static void test_repeats(void)
{
    struct trace *t = real_trace();
    struct sample *device = t->samples->pdata[1];
    struct td_reader *reader;
    struct td_commands *commands;
    struct td_item item;
    const struct td_device *found;
    uint8_t byte = t->file->data[TD_BLOCK_HEADER] ^ 1;
    int fd = open(t->path, O_RDWR), headers = 0, devices = 0;

    g_assert_cmpint(pwrite(fd, &byte, 1, TD_BLOCK_HEADER), ==, 1);
    close(fd);
    g_assert_cmpint(td_reader_open(t->path, &reader, NULL), ==, 0);
    g_assert_cmpint(td_commands_open(reader, &commands), ==, 0);
    while (td_commands_next(commands, false, &item) == 1) {
        if (item.kind == TD_ITEM_RECORD) {
            headers += item.record->kind == TD_HEADER;
            devices += item.record->kind == TD_DEVICE;
        }
    }
    g_assert_cmpint(headers, ==, 1);
    g_assert_cmpint(devices, ==, 1);
    found = td_commands_device(commands, device->device.id);
    g_assert_nonnull(found);
    g_assert_cmpstr(found->name, ==, device->device.name);
    g_assert_cmpuint(found->n_pairs, ==, device->device.n_pairs);
    td_commands_close(commands);
    td_reader_close(reader);
    free_trace(t);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_data_func("/damage/flip/one-stream", NULL, test_flip);
    g_test_add_data_func("/damage/flip/two-streams", "", test_flip);
    g_test_add_data_func("/damage/cut/one-stream", NULL, test_cut);
    g_test_add_data_func("/damage/cut/two-streams", "", test_cut);
    g_test_add_func("/damage/overwrite", test_overwrite);
    g_test_add_func("/damage/shift", test_shift);
    g_test_add_func("/damage/malformed-records", test_malformed_records);
    g_test_add_func("/damage/codec", test_codec);
    g_test_add_func("/damage/real-blocks", test_real);
    g_test_add_func("/damage/repeats", test_repeats);
    return g_test_run();
}
