/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tracedisk verify: the bytes that differ, where the trace has kept them. */
#ifndef TOOLS_VERIFY_BYTES_H
#define TOOLS_VERIFY_BYTES_H

#include "verify.h"

struct kept_bytes;

/* Of the reads that mismatch, and of the commands that they should have seen. */
struct kept_bytes *kept_bytes_new(const GPtrArray *mismatches);
void kept_bytes_free(struct kept_bytes *k);

/* Show it every command of the trace. */
void kept_bytes_see(struct kept_bytes *k, const struct td_command *c);

/* Then, with the same reader: fill in the mismatch's differences. */
void kept_bytes_compare(const struct kept_bytes *k, struct td_reader *reader, struct mismatch *m,
                        uint32_t block_size);

#endif
