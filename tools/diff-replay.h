/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tracedisk diff: what the disk of a side holds at the end, and what its reads saw. */
#ifndef TOOLS_DIFF_REPLAY_H
#define TOOLS_DIFF_REPLAY_H

#include "diff-pieces.h"

#define DIFF_NO_READER (UINT32_MAX >> 1)

/* Of each piece, commands of its side. */
struct diff_held {
    uint32_t writer;      /* DIFF_NONE */
    uint32_t reader : 31; /* the last one since the write; DIFF_NO_READER */
    uint32_t racy : 1;    /* written by commands in flight together: either may be last */
};

struct diff_content {
    struct diff_held *held; /* of each piece */
    uint8_t *racy;          /* a bit of each command: a read that a write was in flight with */
    uint8_t *wanted;        /* a bit of each command: a read whose state is asked for */
    GHashTable *states;     /* their indices -> their places in `state` */
    GArray *state;          /* uint64_t: hashes of what the read's blocks held */
};

void diff_content_init(struct diff_content *t, const struct diff_side *side);
void diff_content_clear(struct diff_content *t);

/* Before the replay: the state of a read is wanted. */
void diff_content_want(struct diff_content *t, uint32_t read);

void diff_replay(struct diff_content *t, const struct diff_side *side, const struct diff_pieces *p);

/* Was a write in flight with it? */
bool diff_is_racy_read(const struct diff_content *t, uint32_t read);
/* Equal, for two reads of the same blocks, if the same writes were made to them before. */
uint64_t diff_state_of(const struct diff_content *t, uint32_t read);

#endif
