/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two command sets behind td_decode().
 */
#ifndef LIBTRACEDISK_DECODE_H
#define LIBTRACEDISK_DECODE_H

#include "tracedisk.h"

void td_decode_ata(const uint8_t *fis, size_t len, struct td_decoded *decoded);
void td_decode_scsi(const uint8_t *cdb, size_t len, struct td_decoded *decoded);

#endif
