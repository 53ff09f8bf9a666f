/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Images of disks, and what is put on them.
 */
#ifndef LIBTRACEDISK_QOS_FILES_H
#define LIBTRACEDISK_QOS_FILES_H

#include "qemu/osdep.h"

/* A new file of @size zeros, named like @pattern ("name-XXXXXX.img"). */
char *td_temporary_file(const char *pattern, off_t size);

/* Fill @data with bytes that differ in every block and with the @seed. */
void td_pattern(uint8_t *data, size_t bytes, unsigned seed);

#endif
