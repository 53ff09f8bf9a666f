/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PAYLOADs found by their sequence numbers, wherever in the trace they are.
 * Memory is bounded: a few blocks, and a few payloads.
 */
#ifndef LIBTRACEDISK_KEPT_H
#define LIBTRACEDISK_KEPT_H

#include "scan.h"

struct td_kept;

struct td_kept *td_kept_new(void); /* NULL: no memory */
void td_kept_free(struct td_kept *kept);

/*
 * The PAYLOAD's bytes, until the next call: how many. The first looks only among
 * those that were read lately, the second in a block. -ENOENT: it is not there;
 * -EBADMSG: it is damaged; else what reading failed with.
 */
int64_t td_kept_look_up(struct td_kept *kept, uint64_t seq, const uint8_t **bytes);
int64_t td_kept_read(struct td_kept *kept, int fd, const struct td_block *block, uint64_t seq,
                     const uint8_t **bytes);

#endif
