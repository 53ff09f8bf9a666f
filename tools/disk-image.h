/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The disk as it was when the trace began: a raw image. */
#ifndef TOOLS_DISK_IMAGE_H
#define TOOLS_DISK_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "libtracedisk/tracedisk.h"

struct disk_image;

/* An image's format, "raw" where it is none of those that QEMU writes; NULL, said on
   stderr, when it cannot be read. */
const char *disk_image_format(const char *path);

/* NULL, said on stderr, when it cannot be read or is not raw. */
struct disk_image *disk_image_open(const char *path);
void disk_image_close(struct disk_image *image);

/*
 * Hash bytes of it, those behind its end being zero. False, said on stderr the
 * first time, when they cannot be read.
 */
bool disk_image_hash(struct disk_image *image, uint64_t offset, uint64_t bytes,
                     enum td_hash_kind kind, struct td_digest *digest);

/* The same of one block for itself: its hash is as in td_complete's sectors. */
bool disk_image_hash_block(struct disk_image *image, uint64_t offset, uint32_t bytes,
                           uint8_t hash[TD_SECTOR_HASH]);

#endif
