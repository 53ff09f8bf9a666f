/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Block ranges of a device, disjoint and in order, each with a value. */
#ifndef TOOLS_EXTENTS_H
#define TOOLS_EXTENTS_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "libtracedisk/tracedisk.h"

struct extent {
    uint64_t first, end; /* [first, end) */
    struct td_digest digest;
    uint64_t seq; /* the record that made it so */
};

struct extents;

struct extents *extents_new(void);
void extents_free(struct extents *e);

/* Drop all extents that touch [first, end). */
void extents_drop(struct extents *e, uint64_t first, uint64_t end);

/* Drop what touches it, then add. */
void extents_put(struct extents *e, const struct extent *extent);

/* The extent that is exactly [first, end); NULL if there is none. */
const struct extent *extents_find(const struct extents *e, uint64_t first, uint64_t end);

/* Add [first, end) to a set, joined with what it touches. Values are lost. */
void extents_join(struct extents *e, uint64_t first, uint64_t end);

/* The first block of [first, end) that is in no extent; false when all are. */
bool extents_find_hole(const struct extents *e, uint64_t first, uint64_t end, uint64_t *hole);

#endif
