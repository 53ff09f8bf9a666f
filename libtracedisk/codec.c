/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The record codec: one encoder and one decoder per record kind, side by side,
 * so that the two can be compared by eye. tracedisk-format(5), "Records", says
 * the same in words; change both. SUBMIT and COMPLETE are in codec-command.c.
 */
#include <errno.h>
#include <stdlib.h>

#include "codec-command.h"

/* Record tags. */
enum {
    TAG_STEP = 1 << 0, /* the sequence step is not 1, and follows */
    TAG_REF = 1 << 1,  /* a reference to an earlier record follows */
    TAG_KIND_SHIFT = 2,
};

/* EVENT: the varint after the type. */
enum {
    EVENT_PORT = 1 << 0,
    EVENT_ADDR = 1 << 1,
    EVENT_LEN = 1 << 2,
    EVENT_VALUE = 1 << 3,
    EVENT_DEVICE = 1 << 4,
    EVENT_DATA = 1 << 5,
    EVENT_TEXT = 1 << 6,
    EVENT_KNOWN = (1 << 7) - 1,
};

void td_delta_reset(struct td_delta *delta)
{
    memset(delta, 0, sizeof(*delta));
    delta->raw_len[TD_ATA] = 20;
    delta->raw_len[TD_SCSI] = 10;
    delta->ata_status = 0x50;
    delta->digest_kind = TD_HASH_XXH3;
}

/* ---- Texts and pairs ---- */

static size_t text_len(const char *text)
{
    return text ? strlen(text) : 0;
}

static uint8_t *write_text(uint8_t *p, const char *text)
{
    size_t n = text_len(text);

    return td_write_bytes(td_write_varint(p, n), text, n);
}

/*
 * A text takes at least as many bytes encoded as it does with its final 0, so
 * that decoder->text, as long as a block, holds the texts of any record in it.
 */
static const char *read_text(struct td_decoder *decoder, struct td_cursor *c)
{
    uint64_t n = td_read_varint(c);
    const uint8_t *bytes = td_read_bytes(c, n);
    char *text = decoder->text + decoder->text_used;

    if (c->bad) {
        return "";
    }
    memcpy(text, bytes, n);
    text[n] = 0;
    decoder->text_used += n + 1;
    return text;
}

/* The bound of some text, or 0 and *bad when it is too long. */
static size_t text_bound(const char *text, bool *bad)
{
    size_t n = text_len(text);

    if (n > TD_MAX_TEXT) {
        *bad = true;
        return 0;
    }
    return n + 2;
}

static size_t pairs_bound(const struct td_pair *pairs, size_t n, bool *bad)
{
    size_t bound = 1;

    if (n > TD_MAX_PAIRS) {
        *bad = true;
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        bound += text_bound(pairs[i].key, bad) + text_bound(pairs[i].value, bad);
    }
    return bound;
}

static uint8_t *write_pairs(uint8_t *p, const struct td_pair *pairs, size_t n)
{
    p = td_write_varint(p, n);
    for (size_t i = 0; i < n; i++) {
        p = write_text(write_text(p, pairs[i].key), pairs[i].value);
    }
    return p;
}

static size_t read_pairs(struct td_decoder *decoder, struct td_cursor *c)
{
    uint64_t n = td_read_varint(c);

    if (n > TD_MAX_PAIRS) {
        c->bad = true;
        return 0;
    }
    for (size_t i = 0; i < n; i++) {
        decoder->pairs[i].key = read_text(decoder, c);
        decoder->pairs[i].value = read_text(decoder, c);
    }
    return n;
}

/* ---- HEADER ---- */

static uint8_t *encode_header(uint8_t *p, const struct td_header *h)
{
    return write_pairs(p, h->pairs, h->n_pairs);
}

static void decode_header(struct td_decoder *decoder, struct td_cursor *c, struct td_header *h)
{
    h->n_pairs = read_pairs(decoder, c);
    h->pairs = decoder->pairs;
}

/* ---- DEVICE ---- */

static uint8_t *encode_device(uint8_t *p, const struct td_device *d)
{
    p = td_write_varint(p, d->id);
    p = td_write_varint(p, d->protocol);
    p = td_write_varint(p, d->logical_block_size);
    p = td_write_varint(p, d->physical_block_size);
    p = td_write_varint(p, d->blocks);
    p = td_write_varint(p, d->hash);
    p = write_text(p, d->name);
    p = write_text(p, d->frontend);
    return write_pairs(p, d->pairs, d->n_pairs);
}

static void decode_device(struct td_decoder *decoder, struct td_cursor *c, struct td_device *d)
{
    d->id = td_read_varint32(c);
    d->protocol = (enum td_protocol)td_read_varint32(c);
    d->logical_block_size = td_read_varint32(c);
    d->physical_block_size = td_read_varint32(c);
    d->blocks = td_read_varint(c);
    d->hash = (enum td_hash_kind)td_read_varint32(c);
    d->name = read_text(decoder, c);
    d->frontend = read_text(decoder, c);
    d->n_pairs = read_pairs(decoder, c);
    d->pairs = decoder->pairs;
}

/* ---- EVENT ---- */

static uint8_t *encode_event(struct td_delta *delta, uint8_t *p, const struct td_event *e)
{
    uint8_t *what;

    p = td_write_varint(p, e->type);
    what = p++;
    *what = 0;
    if (e->device != delta->device) {
        *what |= EVENT_DEVICE;
        p = td_write_varint(p, delta->device = e->device);
    }
    if (e->has & TD_HAS_PORT) {
        *what |= EVENT_PORT;
        p = td_write_varint(p, e->port);
    }
    if (e->has & TD_HAS_ADDR) {
        uint64_t *last = &delta->event_addr[e->type % 32];

        *what |= EVENT_ADDR;
        p = td_write_zigzag(p, e->addr - *last);
        *last = e->addr;
    }
    if (e->has & TD_HAS_LEN) {
        *what |= EVENT_LEN;
        p = td_write_varint(p, e->len);
    }
    if (e->has & TD_HAS_VALUE) {
        *what |= EVENT_VALUE;
        p = td_write_varint(p, e->value);
    }
    if (e->has & TD_HAS_DATA) {
        *what |= EVENT_DATA;
        p = td_write_bytes(td_write_varint(p, e->data_len), e->data, e->data_len);
    }
    if (e->has & TD_HAS_TEXT) {
        *what |= EVENT_TEXT;
        p = write_text(p, e->text);
    }
    return p;
}

static void decode_event(struct td_decoder *decoder, struct td_cursor *c, struct td_event *e)
{
    struct td_delta *delta = decoder->delta;
    uint32_t what;

    memset(e, 0, sizeof(*e));
    e->type = (enum td_event_type)td_read_varint32(c);
    what = td_read_varint32(c);
    if (what & ~EVENT_KNOWN) {
        c->bad = true;
        return;
    }
    if (what & EVENT_DEVICE) {
        delta->device = td_read_varint32(c);
    }
    e->device = delta->device;
    if (what & EVENT_PORT) {
        e->has |= TD_HAS_PORT;
        e->port = td_read_varint32(c);
    }
    if (what & EVENT_ADDR) {
        e->has |= TD_HAS_ADDR;
        e->addr = delta->event_addr[e->type % 32] += td_read_zigzag(c);
    }
    if (what & EVENT_LEN) {
        e->has |= TD_HAS_LEN;
        e->len = td_read_varint(c);
    }
    if (what & EVENT_VALUE) {
        e->has |= TD_HAS_VALUE;
        e->value = td_read_varint(c);
    }
    if (what & EVENT_DATA) {
        e->has |= TD_HAS_DATA;
        e->data_len = td_read_varint32(c);
        e->data = td_read_bytes(c, e->data_len);
    }
    if (what & EVENT_TEXT) {
        e->has |= TD_HAS_TEXT;
        e->text = read_text(decoder, c);
    }
}

/* ---- MARK, LOST ---- */

static uint8_t *encode_mark(uint8_t *p, const struct td_mark *m)
{
    return write_text(td_write_varint(p, m->device), m->name);
}

static void decode_mark(struct td_decoder *decoder, struct td_cursor *c, struct td_mark *m)
{
    m->device = td_read_varint32(c);
    m->name = read_text(decoder, c);
}

static uint8_t *encode_lost(uint8_t *p, const struct td_lost *l)
{
    return write_text(td_write_varint(p, l->records), l->reason);
}

static void decode_lost(struct td_decoder *decoder, struct td_cursor *c, struct td_lost *l)
{
    l->records = td_read_varint(c);
    l->reason = read_text(decoder, c);
}

/* ---- PAYLOAD ---- */

static uint8_t *encode_payload(uint8_t *p, const struct td_payload *payload)
{
    p = td_write_varint(p, payload->len);
    p = td_write_varint(p, payload->codec);
    p = td_write_varint(p, payload->data_len);
    return td_write_bytes(p, payload->data, payload->data_len);
}

bool td_decode_payload(struct td_cursor *c, struct td_payload *payload)
{
    payload->len = td_read_varint32(c);
    payload->codec = (enum td_codec)td_read_varint32(c);
    payload->data_len = td_read_varint32(c);
    payload->data = td_read_bytes(c, payload->data_len);
    c->bad |= payload->len > TD_MAX_PAYLOAD || payload->data_len > payload->len;
    return !c->bad;
}

/* ---- STACK ---- */

static uint8_t *encode_stack(uint8_t *p, const struct td_stack *k)
{
    p = td_write_varint(p, k->device);
    p = td_write_varint(p, k->addr);
    p = td_write_varint(p, k->len);
    return td_encode_raw(p, k->data, k->len, NULL);
}

static void decode_stack(struct td_decoder *decoder, struct td_cursor *c, struct td_stack *k)
{
    k->device = td_read_varint32(c);
    k->addr = td_read_varint(c);
    k->len = td_read_varint32(c);
    if (k->len > TD_MAX_STACK) {
        k->len = 0;
        c->bad = true;
    }
    k->data = memset(decoder->stack, 0, k->len);
    td_decode_raw(c, decoder->stack, k->len);
}

/* ---- Records ---- */

size_t td_fields_bound(const struct td_source *source)
{
    size_t bound = 64; /* a few varints */
    bool bad = false;

    switch (source->kind) {
    case TD_HEADER:
        bound += pairs_bound(source->header->pairs, source->header->n_pairs, &bad);
        break;
    case TD_DEVICE:
        bound += text_bound(source->device->name, &bad);
        bound += text_bound(source->device->frontend, &bad);
        bound += pairs_bound(source->device->pairs, source->device->n_pairs, &bad);
        break;
    case TD_SUBMIT:
        bound += td_submit_bound(source->submit, &bad);
        break;
    case TD_COMPLETE:
        bound += td_complete_bound(source->complete, &bad);
        break;
    case TD_EVENT:
        bound += text_bound(source->event->has & TD_HAS_TEXT ? source->event->text : NULL, &bad);
        if (source->event->has & TD_HAS_DATA) {
            bad |= source->event->data_len > TD_MAX_DATA;
            bound += source->event->data_len;
        }
        break;
    case TD_MARK:
        bound += text_bound(source->mark->name, &bad);
        break;
    case TD_LOST:
        bound += text_bound(source->lost->reason, &bad);
        break;
    case TD_PAYLOAD:
        bad = source->payload->len > TD_MAX_PAYLOAD ||
              source->payload->data_len > source->payload->len;
        bound += source->payload->data_len;
        break;
    case TD_STACK:
        bad = source->stack->len > TD_MAX_STACK;
        bound += TD_MAX_STACK + TD_MAX_STACK / 8;
        break;
    case TD_INDEX: /* td_index_encode() */
    case TD_DAMAGE:
    default:
        bad = true;
    }
    return bad ? 0 : bound;
}

size_t td_encode_fields(struct td_delta *delta, const struct td_source *source, uint8_t *out)
{
    uint8_t *end = out;

    switch (source->kind) {
    case TD_HEADER:
        end = encode_header(out, source->header);
        break;
    case TD_DEVICE:
        end = encode_device(out, source->device);
        break;
    case TD_SUBMIT:
        end = td_encode_submit(delta, out, source->submit);
        break;
    case TD_COMPLETE:
        end = td_encode_complete(delta, out, source->complete);
        break;
    case TD_EVENT:
        end = encode_event(delta, out, source->event);
        break;
    case TD_MARK:
        end = encode_mark(out, source->mark);
        break;
    case TD_LOST:
        end = encode_lost(out, source->lost);
        break;
    case TD_PAYLOAD:
        end = encode_payload(out, source->payload);
        break;
    case TD_STACK:
        end = encode_stack(out, source->stack);
        break;
    case TD_INDEX:
    case TD_DAMAGE:
        break;
    }
    return (size_t)(end - out);
}

size_t td_encode_head(struct td_delta *delta, const struct td_source *source, uint64_t seq,
                      uint64_t time_ns, size_t fields_len, uint8_t *out)
{
    uint8_t body[3 * TD_VARINT_MAX], *p = body, *q;
    uint64_t step = seq - delta->seq;
    unsigned tag = source->kind << TAG_KIND_SHIFT;

    if (step != 1) {
        tag |= TAG_STEP;
        p = td_write_varint(p, step);
    }
    p = td_write_zigzag(p, time_ns - delta->time_ns);
    if (source->has_ref) {
        tag |= TAG_REF;
        p = td_write_varint(p, seq - source->ref);
    }
    delta->seq = seq;
    delta->time_ns = time_ns;
    q = td_write_varint(out, tag);
    q = td_write_varint(q, (size_t)(p - body) + fields_len);
    q = td_write_bytes(q, body, (size_t)(p - body));
    return (size_t)(q - out);
}

uint64_t td_peek_seq(const struct td_delta *delta, const struct td_cursor *c)
{
    struct td_cursor at = *c;
    uint64_t tag = td_read_varint(&at);
    uint64_t len = td_read_varint(&at);
    uint64_t step = tag & TAG_STEP ? td_read_varint(&at) : 1;

    return at.bad || len > td_left(c) ? 0 : delta->seq + (step ? step : 1);
}

bool td_step_over(struct td_cursor *c, uint64_t *seq, enum td_kind *kind, struct td_cursor *body)
{
    uint64_t tag = td_read_varint(c);
    uint64_t len = td_read_varint(c);

    *body = (struct td_cursor){ c->p, c->p, false };
    if (c->bad || !td_read_bytes(c, len)) {
        return false;
    }
    body->end = c->p;
    *seq += tag & TAG_STEP ? td_read_varint(body) : 1;
    td_read_varint(body); /* time */
    if (tag & TAG_REF) {
        td_read_varint(body);
    }
    *kind = (enum td_kind)(tag >> TAG_KIND_SHIFT);
    return !body->bad;
}

static bool decode_fields(struct td_decoder *decoder, struct td_cursor *c, uint64_t kind,
                          struct td_record *record)
{
    decoder->text_used = 0;
    switch (kind) {
    case TD_HEADER:
        decode_header(decoder, c, &record->header);
        break;
    case TD_DEVICE:
        decode_device(decoder, c, &record->device);
        break;
    case TD_SUBMIT:
        td_decode_submit(decoder, c, record);
        break;
    case TD_COMPLETE:
        record->encoded_elements = NULL;
        record->encoded_len = 0;
        td_decode_complete(decoder, c, &record->complete);
        break;
    case TD_EVENT:
        decode_event(decoder, c, &record->event);
        break;
    case TD_MARK:
        decode_mark(decoder, c, &record->mark);
        break;
    case TD_LOST:
        decode_lost(decoder, c, &record->lost);
        break;
    case TD_PAYLOAD:
        td_decode_payload(c, &record->payload);
        break;
    case TD_STACK:
        decode_stack(decoder, c, &record->stack);
        break;
    default:
        return false;
    }
    return true;
}

int td_decode_record(struct td_decoder *decoder, struct td_cursor *c, struct td_record *record,
                     bool *has_ref, uint64_t *ref)
{
    struct td_delta *delta = decoder->delta;
    uint64_t tag = td_read_varint(c);
    uint64_t len = td_read_varint(c);
    struct td_cursor body = { c->p, c->p, false };
    bool known;

    if (c->bad || !td_read_bytes(c, len)) {
        return -EINVAL;
    }
    body.end = c->p;
    delta->seq += tag & TAG_STEP ? td_read_varint(&body) : 1;
    delta->time_ns += td_read_zigzag(&body);
    *has_ref = tag & TAG_REF;
    *ref = *has_ref ? delta->seq - td_read_varint(&body) : 0;
    record->kind = (enum td_kind)(tag >> TAG_KIND_SHIFT);
    record->seq = delta->seq;
    record->time_ns = delta->time_ns;
    known = decode_fields(decoder, &body, tag >> TAG_KIND_SHIFT, record);
    if (!known) {
        return body.bad ? -EINVAL : 0;
    }
    if (record->kind == TD_COMPLETE) {
        record->complete.submit_seq = *ref;
    }
    td_decode_extensions(decoder, &body, record);
    if (record->kind == TD_EVENT && *has_ref) {
        record->event.has |= TD_HAS_REF;
        record->event.ref = *ref;
    }
    return body.bad ? -EINVAL : 1;
}
