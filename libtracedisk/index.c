/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The index as bytes. */
#include <errno.h>
#include <stdlib.h>

#include "codec.h"
#include "index.h"

void td_index_free(struct td_index *x)
{
    for (size_t i = 0; i < x->n_marks; i++) {
        free(x->marks[i].name);
    }
    free(x->marks);
    free(x->standing);
    free(x->checkpoints);
    *x = (struct td_index){ 0 };
}

/* ---- Encoding ---- */

uint8_t *td_index_encode(const struct td_index *x, uint64_t end, size_t *len)
{
    const struct td_source source = { .kind = TD_INDEX };
    struct td_delta delta = { .seq = end - 1 };
    size_t size = 3 + 2 * (x->n_checkpoints + x->n_standing + x->n_marks), head;
    uint64_t seq = 0, latest_ns = 0;
    uint8_t *bytes, *fields, *p;

    size = TD_HEAD_MAX + size * TD_VARINT_MAX;
    for (size_t i = 0; i < x->n_marks; i++) {
        size += strlen(x->marks[i].name);
    }
    bytes = malloc(size);
    if (!bytes) {
        return NULL;
    }
    p = fields = bytes + TD_HEAD_MAX;
    p = td_write_varint(p, x->n_checkpoints);
    for (size_t i = 0; i < x->n_checkpoints; i++) {
        p = td_write_varint(p, x->checkpoints[i].seq - seq);
        p = td_write_varint(p, x->checkpoints[i].latest_ns - latest_ns);
        seq = x->checkpoints[i].seq;
        latest_ns = x->checkpoints[i].latest_ns;
    }
    seq = 0;
    p = td_write_varint(p, x->n_standing);
    for (size_t i = 0; i < x->n_standing; i++) {
        p = td_write_varint(p, x->standing[i].seq - seq);
        p = td_write_varint(p, x->standing[i].checkpoints);
        seq = x->standing[i].seq;
    }
    seq = 0;
    p = td_write_varint(p, x->n_marks);
    for (size_t i = 0; i < x->n_marks; i++) {
        size_t n = strlen(x->marks[i].name);

        p = td_write_varint(p, x->marks[i].seq - seq);
        p = td_write_varint(p, n);
        p = td_write_bytes(p, x->marks[i].name, n);
        seq = x->marks[i].seq;
    }
    /* The head, which tells the fields' length, goes before them. */
    head = td_encode_head(&delta, &source, end - 1, 0, (size_t)(p - fields), bytes);
    memmove(bytes + head, fields, (size_t)(p - fields));
    *len = head + (size_t)(p - fields);
    return bytes;
}

/* ---- Decoding ---- */

/* A count of what takes two bytes or more each, and room for so many. */
static void *read_count(struct td_cursor *c, size_t size, size_t *n, int *ret)
{
    uint64_t count = td_read_varint(c);
    void *room;

    if (c->bad || count > td_left(c) / 2) {
        *ret = -EBADMSG;
        return NULL;
    }
    room = calloc(count + 1, size);
    *ret = room ? *ret : -ENOMEM;
    *n = room ? (size_t)count : 0;
    return room;
}

/* A sequence number, told against the one before it; they do not go back. */
static uint64_t read_next(struct td_cursor *c, uint64_t before)
{
    uint64_t next = before + td_read_varint(c);

    c->bad |= next < before;
    return next;
}

static char *read_name(struct td_cursor *c)
{
    uint64_t n = td_read_varint(c);
    const uint8_t *bytes = n <= TD_MAX_TEXT ? td_read_bytes(c, n) : NULL;

    c->bad |= !bytes;
    return bytes ? strndup((const char *)bytes, n) : NULL;
}

static int decode_fields(struct td_cursor *c, struct td_index *x)
{
    uint64_t seq = 0, latest_ns = 0;
    int ret = 0;

    x->checkpoints = read_count(c, sizeof(*x->checkpoints), &x->n_checkpoints, &ret);
    for (size_t i = 0; i < x->n_checkpoints; i++) {
        seq = read_next(c, seq);
        latest_ns = read_next(c, latest_ns);
        x->checkpoints[i] = (struct td_checkpoint){ seq, latest_ns };
    }
    seq = 0;
    x->standing = ret ? NULL : read_count(c, sizeof(*x->standing), &x->n_standing, &ret);
    for (size_t i = 0; i < x->n_standing; i++) {
        seq = read_next(c, seq);
        x->standing[i] = (struct td_standing){ seq, td_read_varint(c) };
    }
    seq = 0;
    x->marks = ret ? NULL : read_count(c, sizeof(*x->marks), &x->n_marks, &ret);
    for (size_t i = 0; i < x->n_marks && !ret; i++) {
        seq = read_next(c, seq);
        x->marks[i] = (struct td_named){ seq, read_name(c) };
        ret = x->marks[i].name || c->bad ? ret : -ENOMEM;
    }
    return ret ? ret : c->bad ? -EBADMSG : 0;
}

int td_index_decode(const uint8_t *records, size_t len, struct td_index *x)
{
    struct td_cursor c = { records, records + len, false }, body;
    enum td_kind kind;
    uint64_t seq = 0;
    int ret = -EBADMSG;

    if (td_step_over(&c, &seq, &kind, &body) && kind == TD_INDEX) {
        ret = decode_fields(&body, x);
    }
    if (ret < 0) {
        td_index_free(x);
    }
    return ret;
}
