/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The record codec: one encoder and one decoder per record kind, side by side,
 * so that the two can be compared by eye. tracedisk-format(5), "Records", says
 * the same in words; change both.
 */
#include <errno.h>
#include <stdlib.h>

#include "codec.h"

/* Record tags. */
enum {
    TAG_STEP = 1 << 0, /* the sequence step is not 1, and follows */
    TAG_REF = 1 << 1,  /* a reference to an earlier record follows */
    TAG_KIND_SHIFT = 2,
};

/* SUBMIT: first byte. */
enum {
    SUBMIT_PROTOCOL = 3,
    SUBMIT_DEVICE = 1 << 2,
    SUBMIT_PORT = 1 << 3,
    SUBMIT_RAW_LEN = 1 << 4,
    SUBMIT_ELEMENTS = 1 << 5,
    SUBMIT_KNOWN = (1 << 6) - 1,
};

/* COMPLETE: the first varint. What is usual fits its first byte. */
enum {
    COMPLETE_STATUS = 3, /* 3: the status follows */
    COMPLETE_STATUS_FOLLOWS = 3,
    COMPLETE_BYTES_512 = 1 << 2, /* in units of 512 */
    COMPLETE_ATA = 1 << 3,
    COMPLETE_DIGEST = 1 << 4,
    COMPLETE_METADATA = 1 << 5,
    COMPLETE_DEVICE = 1 << 6,
    COMPLETE_BYTES = 1 << 7,
    COMPLETE_RESIDUAL = 1 << 8,
    COMPLETE_FLAGS = 1 << 9,
    COMPLETE_ATA_NEW = 1 << 10,
    COMPLETE_DIGEST_KIND = 1 << 11,
    COMPLETE_DIGEST_AFTER = 1 << 12,
    COMPLETE_METADATA_NEW = 1 << 13,
    COMPLETE_SCSI_STATUS = 1 << 14,
    COMPLETE_SENSE = 1 << 15,
    COMPLETE_KNOWN = (1 << 16) - 1,
};

/* Behind the fields; numbered by kind of record. */
enum {
    EXTENSION_ORIGIN = 1,   /* of SUBMIT */
    EXTENSION_OBSERVED = 1, /* of COMPLETE */
    EXTENSION_SECTORS = 2,  /* of COMPLETE */
    EXTENSION_PARTS = 3,    /* of COMPLETE */
};

/* COMPLETE: a part of the kept payload. */
enum {
    PART_ZEROS = 1 << 0,
    PART_LEN_SHIFT = 1,
    PART_MAX = 2 * TD_VARINT_MAX + 5, /* with an offset of 32 bits */
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

/* ---- Raw bytes ---- */

/*
 * A mask, one bit a byte from the lowest bit of the first mask byte on, of the
 * bytes that differ from the last command of this protocol and length; then
 * these bytes.
 */
static uint8_t *encode_raw(uint8_t *p, const uint8_t *raw, uint32_t len, uint8_t *last)
{
    uint8_t *mask = p;

    p += (len + 7) / 8;
    for (uint32_t i = 0; i < len; i += 8) {
        uint32_t n = len - i < 8 ? len - i : 8;
        unsigned bits = 0;

        for (uint32_t j = 0; j < n; j++) {
            if (raw[i + j] != (last ? last[i + j] : 0)) {
                bits |= 1u << j;
                *p++ = raw[i + j];
            }
        }
        *mask++ = (uint8_t)bits;
    }
    if (last) {
        memcpy(last, raw, len);
    }
    return p;
}

static void decode_raw(struct td_cursor *c, uint8_t *raw, uint32_t len)
{
    const uint8_t *mask = td_read_bytes(c, (len + 7) / 8);

    if (!mask) {
        return;
    }
    for (uint32_t i = 0; i < len; i += 8) {
        for (unsigned bits = *mask++, j = i; bits; bits >>= 1, j++) {
            if (bits & 1) {
                if (j >= len) {
                    c->bad = true;
                    return;
                }
                raw[j] = td_read_byte(c);
            }
        }
    }
}

/* ---- SUBMIT ---- */

static uint8_t *last_raw(struct td_delta *delta, unsigned protocol, uint32_t len)
{
    return protocol < 2 && len <= TD_RAW_REMEMBERED ? delta->raw[protocol][len] : NULL;
}

/* The most bytes that the body of an extension ORIGIN takes. */
#define ORIGIN_MAX ((9 + TD_MAX_CHAIN) * TD_VARINT_MAX)

static size_t encode_origin_body(uint8_t *p, const struct td_origin *o)
{
    uint8_t *start = p;
    uint64_t last = o->pc;

    p = td_write_varint(p, o->kind);
    if (!td_origin_is_known(o)) {
        return (size_t)(p - start);
    }
    p = td_write_varint(p, o->cpu);
    p = td_write_varint(p, o->machine);
    p = td_write_varint(p, o->pc);
    p = td_write_varint(p, o->sp);
    p = td_write_zigzag(p, o->fp - o->sp);
    p = td_write_varint(p, o->lr);
    p = td_write_varint(p, o->stack_seq);
    p = td_write_varint(p, o->n_chain);
    for (uint32_t i = 0; i < o->n_chain; i++) {
        p = td_write_zigzag(p, o->chain[i] - last);
        last = o->chain[i];
    }
    return (size_t)(p - start);
}

static uint8_t *encode_origin(uint8_t *p, const struct td_origin *origin)
{
    uint8_t body[ORIGIN_MAX];
    size_t n = encode_origin_body(body, origin);

    p = td_write_varint(p, EXTENSION_ORIGIN);
    return td_write_bytes(td_write_varint(p, n), body, n);
}

static void decode_origin(struct td_decoder *decoder, struct td_cursor *c, struct td_submit *s)
{
    struct td_origin *o = &decoder->origin;
    uint64_t last;

    memset(o, 0, sizeof(*o));
    o->chain = decoder->chain;
    s->origin = o;
    o->kind = (enum td_origin_kind)td_read_varint32(c);
    if (!td_origin_is_known(o)) {
        return;
    }
    o->cpu = td_read_varint32(c);
    o->machine = (enum td_machine)td_read_varint32(c);
    o->pc = last = td_read_varint(c);
    o->sp = td_read_varint(c);
    o->fp = o->sp + td_read_zigzag(c);
    o->lr = td_read_varint(c);
    o->stack_seq = td_read_varint(c);
    o->n_chain = td_read_varint32(c);
    if (o->n_chain > TD_MAX_CHAIN) {
        o->n_chain = 0;
        c->bad = true;
    }
    for (uint32_t i = 0; i < o->n_chain; i++) {
        last += td_read_zigzag(c);
        decoder->chain[i] = last;
    }
}

static uint8_t *encode_submit(struct td_delta *delta, uint8_t *p, const struct td_submit *s)
{
    unsigned protocol = s->protocol & SUBMIT_PROTOCOL;
    uint8_t *what = p++;

    *what = (uint8_t)protocol;
    if (s->device != delta->device) {
        *what |= SUBMIT_DEVICE;
        p = td_write_varint(p, delta->device = s->device);
    }
    if (s->port != delta->port) {
        *what |= SUBMIT_PORT;
        p = td_write_varint(p, delta->port = s->port);
    }
    p = td_write_zigzag(p, s->tag - delta->tag);
    delta->tag = s->tag;
    if (s->raw_len != delta->raw_len[protocol]) {
        *what |= SUBMIT_RAW_LEN;
        p = td_write_varint(p, delta->raw_len[protocol] = s->raw_len);
    }
    p = encode_raw(p, s->raw, s->raw_len, last_raw(delta, protocol, s->raw_len));
    if (s->n_elements) {
        uint8_t *list;
        size_t n, size;

        *what |= SUBMIT_ELEMENTS;
        p = td_write_varint(p, s->n_elements);
        /* Most lists are shorter than 128 bytes: guess, and move others. */
        list = p + 1;
        n = td_encode_elements(s->elements, s->n_elements, list);
        size = td_varint_size(n);
        if (size > 1) {
            memmove(p + size, list, n);
        }
        p = td_write_varint(p, n) + n;
    }
    return s->origin ? encode_origin(p, s->origin) : p;
}

/* An element takes a byte at least: memory is bounded by the file. */
static bool is_element_count(uint32_t n, size_t encoded_len)
{
    return n <= TD_MAX_ELEMENTS && n <= encoded_len;
}

static void decode_submit(struct td_decoder *decoder, struct td_cursor *c, struct td_record *record)
{
    struct td_delta *delta = decoder->delta;
    struct td_submit *s = &record->submit;
    uint8_t what = td_read_byte(c);
    unsigned protocol = what & SUBMIT_PROTOCOL;
    uint8_t *raw;

    if (what & ~SUBMIT_KNOWN) {
        c->bad = true;
    }
    if (what & SUBMIT_DEVICE) {
        delta->device = td_read_varint32(c);
    }
    if (what & SUBMIT_PORT) {
        delta->port = td_read_varint32(c);
    }
    delta->tag += td_read_zigzag(c);
    if (what & SUBMIT_RAW_LEN) {
        delta->raw_len[protocol] = td_read_varint32(c);
    }
    s->device = delta->device;
    s->protocol = (enum td_protocol)protocol;
    s->port = delta->port;
    s->tag = delta->tag;
    s->raw_len = delta->raw_len[protocol];
    if (s->raw_len > TD_MAX_RAW) {
        s->raw_len = delta->raw_len[protocol] = 0;
        c->bad = true;
    }
    raw = last_raw(delta, protocol, s->raw_len);
    if (!raw) {
        raw = memset(decoder->long_raw, 0, s->raw_len);
    }
    decode_raw(c, raw, s->raw_len);
    s->raw = raw;
    s->elements = NULL;
    s->n_elements = 0;
    s->origin = NULL;
    record->encoded_elements = NULL;
    record->encoded_len = 0;
    if (what & SUBMIT_ELEMENTS) {
        s->n_elements = td_read_varint32(c);
        record->encoded_len = td_read_varint32(c);
        record->encoded_elements = td_read_bytes(c, record->encoded_len);
        c->bad |= !is_element_count(s->n_elements, record->encoded_len);
    }
}

/* ---- COMPLETE ---- */

static uint8_t *encode_metadata(struct td_delta *delta, uint8_t *p, const struct td_complete *c,
                                uint32_t *what)
{
    bool same = c->n_metadata == delta->n_metadata;

    for (uint32_t i = 0; same && i < c->n_metadata; i++) {
        same = c->metadata[i].kind == delta->metadata[i].kind &&
               c->metadata[i].len == delta->metadata[i].len;
    }
    *what |= COMPLETE_METADATA;
    if (!same) {
        *what |= COMPLETE_METADATA_NEW;
        p = td_write_varint(p, delta->n_metadata = c->n_metadata);
        for (uint32_t i = 0; i < c->n_metadata; i++) {
            p = td_write_varint(p, delta->metadata[i].kind = c->metadata[i].kind);
            p = td_write_varint(p, delta->metadata[i].len = c->metadata[i].len);
        }
    }
    for (uint32_t i = 0; i < c->n_metadata; i++) {
        uint64_t *last = &delta->metadata_addr[c->metadata[i].kind % 16];

        p = td_write_zigzag(p, c->metadata[i].addr - *last);
        *last = c->metadata[i].addr;
    }
    return p;
}

static void decode_metadata(struct td_decoder *decoder, struct td_cursor *c, bool template,
                            struct td_complete *complete)
{
    struct td_delta *delta = decoder->delta;

    if (template) {
        delta->n_metadata = td_read_varint32(c);
        if (delta->n_metadata > TD_MAX_METADATA) {
            delta->n_metadata = 0;
            c->bad = true;
        }
        for (uint32_t i = 0; i < delta->n_metadata; i++) {
            delta->metadata[i].kind = td_read_varint32(c);
            delta->metadata[i].len = td_read_varint32(c);
        }
    }
    for (uint32_t i = 0; i < delta->n_metadata; i++) {
        uint64_t *last = &delta->metadata_addr[delta->metadata[i].kind % 16];

        *last += td_read_zigzag(c);
        decoder->metadata[i].kind = (enum td_metadata_kind)delta->metadata[i].kind;
        decoder->metadata[i].len = delta->metadata[i].len;
        decoder->metadata[i].addr = *last;
    }
    complete->metadata = decoder->metadata;
    complete->n_metadata = delta->n_metadata;
}

static uint8_t *encode_digest(uint8_t *p, const struct td_digest *digest)
{
    return td_write_bytes(p, digest->bytes, td_digest_size(digest->kind));
}

static void decode_digest(struct td_cursor *c, unsigned kind, struct td_digest *digest)
{
    size_t n = td_digest_size((enum td_hash_kind)kind);
    const uint8_t *bytes = td_read_bytes(c, n);

    if (!n || !bytes) {
        c->bad = true;
        return;
    }
    digest->kind = (enum td_hash_kind)kind;
    memcpy(digest->bytes, bytes, n);
}

static uint8_t *encode_complete_fields(struct td_delta *delta, uint8_t *p,
                                       const struct td_complete *c, uint32_t *what)
{
    if (c->device != delta->device) {
        *what |= COMPLETE_DEVICE;
        p = td_write_varint(p, delta->device = c->device);
    }
    if ((unsigned)c->status < COMPLETE_STATUS_FOLLOWS) {
        *what |= c->status;
    } else {
        *what |= COMPLETE_STATUS_FOLLOWS;
        p = td_write_varint(p, c->status);
    }
    if (c->bytes && c->bytes % 512 == 0) {
        *what |= COMPLETE_BYTES_512;
        p = td_write_varint(p, c->bytes / 512);
    } else if (c->bytes) {
        *what |= COMPLETE_BYTES;
        p = td_write_varint(p, c->bytes);
    }
    if (c->residual) {
        *what |= COMPLETE_RESIDUAL;
        p = td_write_varint(p, c->residual);
    }
    if (c->flags) {
        *what |= COMPLETE_FLAGS;
        p = td_write_varint(p, c->flags);
    }
    if (c->has_ata) {
        *what |= COMPLETE_ATA;
        if (c->ata_status != delta->ata_status || c->ata_error != delta->ata_error) {
            *what |= COMPLETE_ATA_NEW;
            *p++ = delta->ata_status = c->ata_status;
            *p++ = delta->ata_error = c->ata_error;
        }
    }
    if (c->scsi_status) {
        *what |= COMPLETE_SCSI_STATUS;
        *p++ = c->scsi_status;
    }
    if (c->sense_len) {
        *what |= COMPLETE_SENSE;
        p = td_write_varint(p, c->sense_len);
        p = td_write_bytes(p, c->sense, c->sense_len);
    }
    if (c->digest.kind != TD_HASH_NONE) {
        *what |= COMPLETE_DIGEST;
        if (c->digest.kind != delta->digest_kind) {
            *what |= COMPLETE_DIGEST_KIND;
            *p++ = delta->digest_kind = (uint8_t)c->digest.kind;
        }
        p = encode_digest(p, &c->digest);
    }
    if (c->digest_after.kind != TD_HASH_NONE) {
        *what |= COMPLETE_DIGEST_AFTER;
        *p++ = (uint8_t)c->digest_after.kind;
        p = encode_digest(p, &c->digest_after);
    }
    if (c->n_metadata) {
        p = encode_metadata(delta, p, c, what);
    }
    return p;
}

/* The extension OBSERVED; its length is known last, as a varint of fixed size. */
static uint8_t *encode_observed(uint8_t *p, const struct td_complete *c)
{
    uint8_t count[TD_VARINT_MAX], *list, *body;
    size_t count_len = (size_t)(td_write_varint(count, c->n_elements) - count);
    size_t list_len;

    p = td_write_varint(p, EXTENSION_OBSERVED);
    body = p + TD_VARINT_MAX;
    list = td_write_bytes(body, count, count_len);
    list_len = td_encode_elements(c->elements, c->n_elements, list);
    p = td_write_varint(p, count_len + list_len);
    memmove(p, body, count_len + list_len);
    return p + count_len + list_len;
}

static uint8_t *encode_sectors(uint8_t *p, const struct td_complete *c)
{
    size_t len = (size_t)c->n_sectors * TD_SECTOR_HASH;

    p = td_write_varint(p, EXTENSION_SECTORS);
    return td_write_bytes(td_write_varint(p, len), c->sectors, len);
}

/* In a buffer with room for the longest length before them. */
static uint8_t *encode_parts(uint8_t *p, const struct td_complete *c)
{
    uint8_t *body = p + 1 + TD_VARINT_MAX, *end = body;
    uint64_t last = c->submit_seq;

    for (uint32_t i = 0; i < c->n_parts; i++) {
        const struct td_part *part = &c->parts[i];

        end = td_write_varint(end, part->len << PART_LEN_SHIFT | (part->seq ? 0 : PART_ZEROS));
        if (part->seq) {
            end = td_write_zigzag(end, part->seq - last);
            end = td_write_varint(end, part->offset);
            last = part->seq;
        }
    }
    p = td_write_varint(p, EXTENSION_PARTS);
    p = td_write_varint(p, (size_t)(end - body));
    memmove(p, body, (size_t)(end - body));
    return p + (end - body);
}

static uint8_t *encode_complete(struct td_delta *delta, uint8_t *p, const struct td_complete *c)
{
    uint32_t what = 0;
    uint8_t *fields = p + 1, *end = encode_complete_fields(delta, fields, c, &what);
    size_t size = td_varint_size(what);

    if (size > 1) {
        memmove(p + size, fields, (size_t)(end - fields));
        end += size - 1;
    }
    td_write_varint(p, what);
    if (c->n_elements) {
        end = encode_observed(end, c);
    }
    if (c->n_sectors) {
        end = encode_sectors(end, c);
    }
    return c->n_parts ? encode_parts(end, c) : end;
}

static void decode_complete(struct td_decoder *decoder, struct td_cursor *c,
                            struct td_complete *complete)
{
    struct td_delta *delta = decoder->delta;
    uint32_t what = td_read_varint32(c);

    memset(complete, 0, sizeof(*complete));
    if (what & ~COMPLETE_KNOWN) {
        c->bad = true;
        return;
    }
    if (what & COMPLETE_DEVICE) {
        delta->device = td_read_varint32(c);
    }
    complete->device = delta->device;
    if ((what & COMPLETE_STATUS) == COMPLETE_STATUS_FOLLOWS) {
        complete->status = (enum td_status)td_read_varint32(c);
    } else {
        complete->status = (enum td_status)(what & COMPLETE_STATUS);
    }
    if (what & COMPLETE_BYTES_512) {
        complete->bytes = td_read_varint(c) * 512;
    }
    if (what & COMPLETE_BYTES) {
        complete->bytes = td_read_varint(c);
    }
    if (what & COMPLETE_RESIDUAL) {
        complete->residual = td_read_varint(c);
    }
    if (what & COMPLETE_FLAGS) {
        complete->flags = td_read_varint32(c);
    }
    if (what & COMPLETE_ATA) {
        if (what & COMPLETE_ATA_NEW) {
            delta->ata_status = td_read_byte(c);
            delta->ata_error = td_read_byte(c);
        }
        complete->has_ata = true;
        complete->ata_status = delta->ata_status;
        complete->ata_error = delta->ata_error;
    }
    if (what & COMPLETE_SCSI_STATUS) {
        complete->scsi_status = td_read_byte(c);
    }
    if (what & COMPLETE_SENSE) {
        complete->sense_len = td_read_varint32(c);
        complete->sense = td_read_bytes(c, complete->sense_len);
    }
    if (what & COMPLETE_DIGEST) {
        if (what & COMPLETE_DIGEST_KIND) {
            delta->digest_kind = td_read_byte(c);
        }
        decode_digest(c, delta->digest_kind, &complete->digest);
    }
    if (what & COMPLETE_DIGEST_AFTER) {
        decode_digest(c, td_read_byte(c), &complete->digest_after);
    }
    if (what & COMPLETE_METADATA) {
        decode_metadata(decoder, c, what & COMPLETE_METADATA_NEW, complete);
    }
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
    return encode_raw(p, k->data, k->len, NULL);
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
    decode_raw(c, decoder->stack, k->len);
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
        bad = source->submit->raw_len > TD_MAX_RAW ||
              source->submit->n_elements > TD_MAX_ELEMENTS ||
              (unsigned)source->submit->protocol > SUBMIT_PROTOCOL ||
              (source->submit->origin && source->submit->origin->n_chain > TD_MAX_CHAIN);
        bound += TD_MAX_RAW + TD_MAX_RAW / 8 + 1;
        bound += (size_t)source->submit->n_elements * TD_ELEMENT_MAX;
        bound += source->submit->origin ? 2 * TD_VARINT_MAX + ORIGIN_MAX : 0;
        break;
    case TD_COMPLETE:
        bad = source->complete->sense_len > TD_MAX_SENSE ||
              source->complete->n_metadata > TD_MAX_METADATA ||
              source->complete->n_elements > TD_MAX_ELEMENTS ||
              source->complete->n_sectors > TD_MAX_SECTORS ||
              source->complete->n_parts > TD_MAX_PARTS;
        bound += 1 + TD_VARINT_MAX + (size_t)source->complete->n_parts * PART_MAX;
        bound += (size_t)source->complete->n_elements * TD_ELEMENT_MAX;
        bound += 2 * TD_VARINT_MAX + (size_t)source->complete->n_sectors * TD_SECTOR_HASH;
        bound += 2 * TD_DIGEST_MAX + TD_MAX_SENSE;
        bound += (size_t)source->complete->n_metadata * (5 + 5 + TD_VARINT_MAX);
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
        end = encode_submit(delta, out, source->submit);
        break;
    case TD_COMPLETE:
        end = encode_complete(delta, out, source->complete);
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
        decode_submit(decoder, c, record);
        break;
    case TD_COMPLETE:
        record->encoded_elements = NULL;
        record->encoded_len = 0;
        decode_complete(decoder, c, &record->complete);
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

static void decode_observed(struct td_cursor *c, struct td_record *record)
{
    record->complete.n_elements = td_read_varint32(c);
    record->encoded_elements = c->p;
    record->encoded_len = (size_t)(c->end - c->p);
    c->bad |= !is_element_count(record->complete.n_elements, record->encoded_len);
}

static void decode_sectors(struct td_cursor *c, struct td_complete *complete)
{
    size_t len = (size_t)(c->end - c->p);

    complete->sectors = c->p;
    complete->n_sectors = (uint32_t)(len / TD_SECTOR_HASH);
    c->bad |= len % TD_SECTOR_HASH || len / TD_SECTOR_HASH > TD_MAX_SECTORS;
}

/* A part takes a byte at least: memory is bounded by the file. */
static bool need_parts(struct td_decoder *decoder, size_t encoded_len)
{
    size_t n = encoded_len < TD_MAX_PARTS ? encoded_len : TD_MAX_PARTS;
    struct td_part *parts;

    if (n <= decoder->parts_size) {
        return true;
    }
    parts = realloc(decoder->parts, n * sizeof(*parts));
    if (parts) {
        decoder->parts = parts;
        decoder->parts_size = (uint32_t)n;
    }
    return parts != NULL;
}

static void decode_parts(struct td_decoder *decoder, struct td_cursor *c,
                         struct td_complete *complete)
{
    uint64_t last = complete->submit_seq;

    complete->n_parts = 0;
    if (!need_parts(decoder, td_left(c))) {
        c->bad = true;
        return;
    }
    complete->parts = decoder->parts;
    while (c->p < c->end && !c->bad) {
        struct td_part part = { 0 };
        uint64_t what = td_read_varint(c);

        part.len = what >> PART_LEN_SHIFT;
        if (!(what & PART_ZEROS)) {
            part.seq = last += td_read_zigzag(c);
            part.offset = td_read_varint32(c);
            c->bad |= !part.seq;
        }
        if (c->bad || complete->n_parts == decoder->parts_size) {
            c->bad = true;
            return;
        }
        decoder->parts[complete->n_parts++] = part;
    }
}

/* What follows the fields: (type, length, bytes); unknown types are skipped. */
static void decode_extensions(struct td_decoder *decoder, struct td_cursor *c,
                              struct td_record *record)
{
    while (c->p < c->end && !c->bad) {
        uint64_t type = td_read_varint(c);
        uint64_t len = td_read_varint(c);
        const uint8_t *bytes = td_read_bytes(c, len);

        struct td_cursor body = { bytes, bytes ? bytes + len : NULL, false };

        if (bytes && type == EXTENSION_OBSERVED && record->kind == TD_COMPLETE) {
            decode_observed(&body, record);
        } else if (bytes && type == EXTENSION_SECTORS && record->kind == TD_COMPLETE) {
            decode_sectors(&body, &record->complete);
        } else if (bytes && type == EXTENSION_PARTS && record->kind == TD_COMPLETE) {
            decode_parts(decoder, &body, &record->complete);
        } else if (bytes && type == EXTENSION_ORIGIN && record->kind == TD_SUBMIT) {
            decode_origin(decoder, &body, &record->submit);
        }
        c->bad |= body.bad;
    }
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
    decode_extensions(decoder, &body, record);
    if (record->kind == TD_EVENT && *has_ref) {
        record->event.has |= TD_HAS_REF;
        record->event.ref = *ref;
    }
    return body.bad ? -EINVAL : 1;
}
