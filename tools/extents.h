/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Block ranges of a device, disjoint and in order. */
#ifndef TOOLS_EXTENTS_H
#define TOOLS_EXTENTS_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#define EXTENTS_MAX (1 << 18)

struct extents;

struct extents *extents_new(void);
void extents_free(struct extents *e);

/*
 * Add [first, end) to a set, joined with what it touches. Of a set of more than
 * EXTENTS_MAX extents, those that lie near each other are joined as well: it is
 * then larger than what was added, never smaller.
 */
void extents_join(struct extents *e, uint64_t first, uint64_t end);

/* The first block of [first, end) that is in no extent; false when all are. */
bool extents_find_hole(const struct extents *e, uint64_t first, uint64_t end, uint64_t *hole);

/* Is any block of [first, end) in an extent? */
bool extents_overlap(const struct extents *e, uint64_t first, uint64_t end);

#endif
