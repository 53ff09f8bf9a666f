/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the blocks of a device may hold.
 *
 * Concepts
 *
 *   version   what one command wrote to its blocks, or a read found there
 *   segment   blocks that have the same versions
 *   legal     a version that a read may return: its write was submitted before
 *             the read completed, and no write that came wholly after it had
 *             completed when the read was submitted
 *
 * Blocks without a segment are as they were when the trace began: a version like
 * content_initial.
 */
#ifndef TOOLS_CONTENT_H
#define TOOLS_CONTENT_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "libtracedisk/tracedisk.h"

enum content_kind {
    CONTENT_UNKNOWN,
    CONTENT_INITIAL, /* as when the trace began */
    CONTENT_BYTES,   /* of all its blocks, digest is their hash, if it has one */
    CONTENT_REPEAT,  /* of each of its blocks, digest is that one's hash */
    CONTENT_ZEROS,
};

struct version {
    uint64_t first, end; /* [first, end) */
    uint64_t seq;        /* the command; 0: none */
    /* From when on it may be, and from when on it is. */
    uint64_t submit_seq, complete_seq;
    enum content_kind kind;
    struct td_digest digest;
    /* TD_SECTOR_HASH bytes a block (REPEAT: of the one); NULL: not recorded. */
    uint8_t *sectors;
    bool by_read;        /* a read found it so */
    const char *command; /* "WRITE DMA EXT" */
    unsigned refs;       /* content's own */
};

extern const struct version content_initial;

struct content;

struct content *content_new(void);
void content_free(struct content *c);

/*
 * Use at most so many bytes (0: any number, as at first): beyond it, what was
 * added longest ago is forgotten, and its blocks are of content_initial's kind
 * again. Only for those who know nothing of how blocks were initially.
 */
void content_limit(struct content *c, size_t bytes);
size_t content_bytes(const struct content *c);

/*
 * Add a version, whose sectors content owns from now on. replaces: those that
 * had completed when it was submitted are no longer legal for reads submitted
 * from its completion on. Those that are illegal for all reads submitted since
 * `horizon` are dropped.
 */
void content_add(struct content *c, const struct version *version, bool replaces,
                 uint64_t horizon);

/* The legal versions of [first, end) for a read between two records. */
typedef void content_visit(void *data, uint64_t first, uint64_t end,
                           const struct version *version);

/* Segment by segment, those of one following each other. */
void content_legal(const struct content *c, uint64_t first, uint64_t end, uint64_t submit_seq,
                   uint64_t complete_seq, content_visit *visit, void *data);

#endif
