/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The index of a packed trace; tracedisk-format(5), "INDEX".
 *
 * A checkpoint is a record to go on from without having read what is before it,
 * but for what stands there: the records that tell of the whole trace (HEADER,
 * DEVICE, MARK, LOST), the SUBMITs without their COMPLETE yet, and the STACKs that
 * a later SUBMIT may refer to.
 */
#ifndef LIBTRACEDISK_INDEX_H
#define LIBTRACEDISK_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct td_checkpoint {
    uint64_t seq;
    uint64_t latest_ns; /* of all the records before it */
};

#define TD_STANDS_ON 0 /* at all that follow */

/* A record, and at how many checkpoints it stands, from the next one on. */
struct td_standing {
    uint64_t seq;
    uint64_t checkpoints; /* or TD_STANDS_ON */
};

struct td_named {
    uint64_t seq; /* the MARK's */
    char *name;
};

struct td_index {
    struct td_checkpoint *checkpoints; /* as all of these in the order of seq */
    size_t n_checkpoints;
    struct td_standing *standing;
    size_t n_standing;
    struct td_named *marks;
    size_t n_marks;
};

void td_index_free(struct td_index *index);

/*
 * Make the index of the trace at path, as far as that is without damage. *end: the
 * sequence number behind its last record. 0, or what td_reader_next() fails with.
 */
int td_index_make(const char *path, struct td_index *index, uint64_t *end);

/* The INDEX record, for a block whose first sequence number is `end`; NULL: no memory. */
uint8_t *td_index_encode(const struct td_index *index, uint64_t end, size_t *len);

/* The index out of that block's records: 0, -EBADMSG or -ENOMEM. */
int td_index_decode(const uint8_t *records, size_t len, struct td_index *index);

#endif
