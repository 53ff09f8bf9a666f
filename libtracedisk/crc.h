/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The trace's checksum: zlib's crc32 (RFC 1952, section 8).
 */
#ifndef LIBTRACEDISK_CRC_H
#define LIBTRACEDISK_CRC_H

#include <stddef.h>
#include <stdint.h>

/* That of some bytes with the checksum `crc`, 0 at first, and n more. */
uint32_t td_crc32(uint32_t crc, const void *bytes, size_t n);

#endif
