/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SCSI command descriptor blocks (SPC-4 4.2, 4.3). Change a byte afterwards for
 * what these do not set.
 */
#ifndef LIBTRACEDISK_QOS_CDB_H
#define LIBTRACEDISK_QOS_CDB_H

#include "qemu/osdep.h"
#include "qemu/bswap.h"

typedef struct TdCdb {
    uint8_t b[32];
} TdCdb;

/* Bytes of a CDB with this operation code; 0: not known from its group. */
unsigned td_cdb_bytes(uint8_t opcode);

/* The operation code alone, and with a service action in byte 1. */
TdCdb td_cdb(uint8_t opcode);
TdCdb td_cdb_action(uint8_t opcode, uint8_t action);

/* With a logical block address and a transfer length, in blocks. */
TdCdb td_cdb_blocks(uint8_t opcode, uint64_t lba, uint32_t blocks);

/*
 * The two fields where most commands of a length have them: the address, and
 * the transfer, allocation or parameter list length.
 */
void td_cdb_set_lba(TdCdb *cdb, uint64_t lba);
void td_cdb_set_length(TdCdb *cdb, uint32_t length);

/* A big-endian number of @bytes bytes at byte @at. */
void td_cdb_set(TdCdb *cdb, unsigned at, unsigned bytes, uint64_t value);

#endif
