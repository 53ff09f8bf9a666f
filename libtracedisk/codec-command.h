/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What codec.c calls for a command's two records.
 */
#ifndef LIBTRACEDISK_CODEC_COMMAND_H
#define LIBTRACEDISK_CODEC_COMMAND_H

#include "codec.h"

/* The most bytes of their fields, beside a few varints; *bad: over a maximum. */
size_t td_submit_bound(const struct td_submit *s, bool *bad);
size_t td_complete_bound(const struct td_complete *c, bool *bad);

/* Encoders return the end of what they wrote; decoders set c->bad. */
uint8_t *td_encode_submit(struct td_delta *delta, uint8_t *p, const struct td_submit *s);
void td_decode_submit(struct td_decoder *decoder, struct td_cursor *c, struct td_record *record);
uint8_t *td_encode_complete(struct td_delta *delta, uint8_t *p, const struct td_complete *c);
void td_decode_complete(struct td_decoder *decoder, struct td_cursor *c,
                        struct td_complete *complete);

/* What follows the fields: (type, length, bytes); unknown types are skipped. */
void td_decode_extensions(struct td_decoder *decoder, struct td_cursor *c,
                          struct td_record *record);

/* Bytes, told by those that differ from `last`; NULL: from zeros. */
uint8_t *td_encode_raw(uint8_t *p, const uint8_t *raw, uint32_t len, uint8_t *last);
void td_decode_raw(struct td_cursor *c, uint8_t *raw, uint32_t len);

#endif
