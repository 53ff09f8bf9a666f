/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The codec of a command's two records, SUBMIT and COMPLETE; see codec.c.
 */
#include <stdlib.h>

#include "codec-command.h"

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

/* ---- Raw bytes ---- */

/*
 * A mask, one bit a byte from the lowest bit of the first mask byte on, of the
 * bytes that differ from the last command of this protocol and length; then
 * these bytes.
 */
uint8_t *td_encode_raw(uint8_t *p, const uint8_t *raw, uint32_t len, uint8_t *last)
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

void td_decode_raw(struct td_cursor *c, uint8_t *raw, uint32_t len)
{
    const uint8_t *mask = td_read_bytes(c, (len + 7) / 8);

    if (!mask) {
        return;
    }
    for (uint32_t i = 0; i < len; i += 8) {
        for (unsigned bits = *mask++; bits; bits &= bits - 1) {
            uint32_t j = i + (uint32_t)__builtin_ctz(bits);

            if (j >= len) {
                c->bad = true;
                return;
            }
            raw[j] = td_read_byte(c);
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

uint8_t *td_encode_submit(struct td_delta *delta, uint8_t *p, const struct td_submit *s)
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
    p = td_encode_raw(p, s->raw, s->raw_len, last_raw(delta, protocol, s->raw_len));
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

void td_decode_submit(struct td_decoder *decoder, struct td_cursor *c, struct td_record *record)
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
    td_decode_raw(c, raw, s->raw_len);
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

uint8_t *td_encode_complete(struct td_delta *delta, uint8_t *p, const struct td_complete *c)
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

void td_decode_complete(struct td_decoder *decoder, struct td_cursor *c,
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

/* ---- Extensions ---- */

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
void td_decode_extensions(struct td_decoder *decoder, struct td_cursor *c, struct td_record *record)
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

/* ---- Bounds ---- */

size_t td_submit_bound(const struct td_submit *s, bool *bad)
{
    size_t bound = 0;

    *bad = s->raw_len > TD_MAX_RAW || s->n_elements > TD_MAX_ELEMENTS ||
           (unsigned)s->protocol > SUBMIT_PROTOCOL ||
           (s->origin && s->origin->n_chain > TD_MAX_CHAIN);
    bound += TD_MAX_RAW + TD_MAX_RAW / 8 + 1;
    bound += (size_t)s->n_elements * TD_ELEMENT_MAX;
    bound += s->origin ? 2 * TD_VARINT_MAX + ORIGIN_MAX : 0;
    return bound;
}

size_t td_complete_bound(const struct td_complete *c, bool *bad)
{
    size_t bound = 0;

    *bad = c->sense_len > TD_MAX_SENSE || c->n_metadata > TD_MAX_METADATA ||
           c->n_elements > TD_MAX_ELEMENTS || c->n_sectors > TD_MAX_SECTORS ||
           c->n_parts > TD_MAX_PARTS;
    bound += 1 + TD_VARINT_MAX + (size_t)c->n_parts * PART_MAX;
    bound += (size_t)c->n_elements * TD_ELEMENT_MAX;
    bound += 2 * TD_VARINT_MAX + (size_t)c->n_sectors * TD_SECTOR_HASH;
    bound += 2 * TD_DIGEST_MAX + TD_MAX_SENSE;
    bound += (size_t)c->n_metadata * (5 + 5 + TD_VARINT_MAX);
    return bound;
}
