/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records to bytes and back; tracedisk-format(5), "Records". The writer and
 * the reader keep the same delta state, a block at a time.
 */
#ifndef LIBTRACEDISK_CODEC_H
#define LIBTRACEDISK_CODEC_H

#include "tracedisk.h"
#include "varint.h"

/* Longer raw commands are not worth remembering: they differ from zeros. */
#define TD_RAW_REMEMBERED 32

/* What the next record of the block is told against. */
struct td_delta {
    uint64_t seq;
    uint64_t time_ns;
    uint32_t device;
    uint32_t port;
    uint64_t tag;
    uint32_t raw_len[4]; /* by protocol */
    uint8_t ata_status, ata_error;
    uint8_t digest_kind;
    uint32_t n_metadata;
    struct {
        uint32_t kind, len;
    } metadata[TD_MAX_METADATA];
    uint64_t metadata_addr[16]; /* by kind */
    uint64_t event_addr[32];    /* by type */
    uint8_t raw[2][TD_RAW_REMEMBERED + 1][TD_RAW_REMEMBERED]; /* protocol, length */
};

/* The state at the start of a block. */
void td_delta_reset(struct td_delta *delta);

/* A record to write: its kind, and the member of that kind. */
struct td_source {
    enum td_kind kind;
    bool has_ref;
    uint64_t ref;
    union {
        const struct td_header *header;
        const struct td_device *device;
        const struct td_submit *submit;
        const struct td_complete *complete;
        const struct td_event *event;
        const struct td_mark *mark;
        const struct td_lost *lost;
        const struct td_payload *payload;
        const struct td_stack *stack;
    };
};

/* Tag, body length, sequence step, time and reference take no more. */
#define TD_HEAD_MAX (2 + 5 + 3 * TD_VARINT_MAX)

/* The most bytes the fields can take; 0: some length is over its maximum. */
size_t td_fields_bound(const struct td_source *source);

/* Encode the fields, that is a record without its head; returns the length. */
size_t td_encode_fields(struct td_delta *delta, const struct td_source *source, uint8_t *out);

/* Encode the head of a record with fields_len bytes of fields. */
size_t td_encode_head(struct td_delta *delta, const struct td_source *source, uint64_t seq,
                      uint64_t time_ns, size_t fields_len, uint8_t *out);

/* The reading side: room for what the record that was read last points to. */
struct td_decoder {
    struct td_delta *delta; /* of the block being read */
    uint8_t long_raw[TD_MAX_RAW];
    struct td_metadata metadata[TD_MAX_METADATA];
    struct td_origin origin;
    uint64_t chain[TD_MAX_CHAIN];
    uint8_t stack[TD_MAX_STACK];
    struct td_part *parts; /* grows; free() it */
    uint32_t parts_size;
    struct td_pair pairs[TD_MAX_PAIRS];
    char *text; /* as long as the longest record */
    size_t text_used;
};

/*
 * Decode the record at c and step over it. 1: a record, has_ref tells of a
 * HEADER or DEVICE that repeats record `ref`. 0: a kind or form this version
 * does not know; seq and time are right. -EINVAL: malformed; c is behind it,
 * or at the end where its length is wrong too.
 */
int td_decode_record(struct td_decoder *decoder, struct td_cursor *c, struct td_record *record,
                     bool *has_ref, uint64_t *ref);

/*
 * The sequence number of the record at c, or of the one that follows when it
 * has none of its own. Does not step over it. 0: malformed.
 */
uint64_t td_peek_seq(const struct td_delta *delta, const struct td_cursor *c);

/*
 * Step over the record at c. *seq, that of the record before it, becomes its
 * own; *body is what follows. False: malformed.
 */
bool td_step_over(struct td_cursor *c, uint64_t *seq, enum td_kind *kind, struct td_cursor *body);

/* The fields of a PAYLOAD, as td_step_over() found them. False: malformed. */
bool td_decode_payload(struct td_cursor *body, struct td_payload *payload);

/* Scatter-gather lists; self-contained. */
#define TD_ELEMENT_MAX 24
size_t td_encode_elements(const struct td_element *elements, uint32_t n, uint8_t *out);
int td_decode_elements(const uint8_t *in, size_t len, struct td_element *elements, uint32_t n);

#endif
