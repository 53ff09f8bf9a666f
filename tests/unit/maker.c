/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Traces built by hand, block by block.
 */
#include <fcntl.h>
#include <unistd.h>
#include <zlib.h>

#include "maker.h"

struct block_maker *block_begin(uint32_t stream, uint32_t index, uint64_t first_seq)
{
    struct block_maker *b = g_new0(struct block_maker, 1);

    b->stream = stream;
    b->index = index;
    b->first_seq = first_seq;
    b->major = TD_FORMAT_MAJOR;
    b->minor = TD_FORMAT_MINOR;
    b->records = g_byte_array_new();
    td_delta_reset(&b->delta);
    b->delta.seq = first_seq - 1;
    return b;
}

void block_add(struct block_maker *b, struct sample *s, const void *more, size_t n)
{
    g_autofree uint8_t *fields = g_malloc(td_fields_bound(&s->source));
    size_t len = td_encode_fields(&b->delta, &s->source, fields);
    uint8_t head[TD_HEAD_MAX];
    size_t head_len;

    s->seq = b->delta.seq + 1;
    head_len = td_encode_head(&b->delta, &s->source, s->seq, s->time_ns, len + n, head);
    g_byte_array_append(b->records, head, (guint)head_len);
    g_byte_array_append(b->records, fields, (guint)len);
    g_byte_array_append(b->records, more, (guint)n);
}

void block_add_raw(struct block_maker *b, const void *bytes, size_t n)
{
    g_byte_array_append(b->records, bytes, (guint)n);
}

static void compress_records(struct block_maker *b)
{
    uLongf n = compressBound(b->records->len);
    uint8_t *small = g_malloc(n);

    g_assert_cmpint(compress(small, &n, b->records->data, b->records->len), ==, Z_OK);
    g_byte_array_unref(b->records);
    b->records = g_byte_array_new_take(small, n);
}

void block_end(struct block_maker *b, GByteArray *file)
{
    uint8_t h[TD_BLOCK_HEADER] = TD_BLOCK_MAGIC;
    uint32_t raw_len = b->records->len;

    if (b->codec == TD_CODEC_ZLIB) {
        compress_records(b);
        td_set32(h + TD_AT_RAW_LEN, raw_len);
    }
    td_set16(h + TD_AT_MAJOR, b->major);
    td_set16(h + TD_AT_MINOR, b->minor);
    td_set16(h + TD_AT_HEADER_LEN, TD_BLOCK_HEADER);
    h[TD_AT_CODEC] = b->codec;
    td_set32(h + TD_AT_CAPACITY, TD_BLOCK_HEADER + b->records->len + b->padding);
    td_set32(h + TD_AT_STREAM, b->stream);
    td_set32(h + TD_AT_INDEX, b->index);
    td_set64(h + TD_AT_FIRST_SEQ, b->first_seq);
    td_set64(h + TD_AT_FIRST_TIME, b->first_time);
    td_set32(h + TD_AT_HEADER_CRC, (uint32_t)crc32(0, h, TD_AT_HEADER_CRC));
    td_set32(h + TD_AT_PUBLISHED, b->records->len);
    td_set32(h + TD_AT_PUBLISHED + 4, (uint32_t)crc32(0, b->records->data, b->records->len));
    g_byte_array_append(file, h, sizeof(h));
    g_byte_array_append(file, b->records->data, b->records->len);
    for (uint32_t i = 0; i < b->padding; i++) {
        g_byte_array_append(file, (const guint8 *)"", 1);
    }
    g_byte_array_unref(b->records);
    g_free(b);
}

void trace_end(GByteArray *file)
{
    g_byte_array_append(file, (const guint8 *)TD_END_MAGIC, TD_MAGIC_LEN);
}

void write_file(const char *path, const uint8_t *bytes, size_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(write(fd, bytes, n), ==, (ssize_t)n);
    close(fd);
}
