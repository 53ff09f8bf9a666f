/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SCSI command descriptor blocks.
 */
#include "cdb.h"

unsigned td_cdb_bytes(uint8_t opcode)
{
    static const uint8_t of_group[8] = { 6, 10, 10, 0, 16, 12, 0, 0 };

    return of_group[opcode >> 5];
}

void td_cdb_set(TdCdb *cdb, unsigned at, unsigned bytes, uint64_t value)
{
    g_assert_cmpuint(at + bytes, <=, sizeof(cdb->b));
    for (unsigned i = bytes; i-- > 0; value >>= 8) {
        cdb->b[at + i] = value;
    }
}

TdCdb td_cdb(uint8_t opcode)
{
    return (TdCdb) { { opcode } };
}

TdCdb td_cdb_action(uint8_t opcode, uint8_t action)
{
    return (TdCdb) { { opcode, action } };
}

void td_cdb_set_lba(TdCdb *cdb, uint64_t lba)
{
    switch (td_cdb_bytes(cdb->b[0])) {
    case 6:
        td_cdb_set(cdb, 1, 3, (lba & 0x1fffff) | (cdb->b[1] & 0xe0) << 16);
        break;
    case 16:
        td_cdb_set(cdb, 2, 8, lba);
        break;
    default:
        td_cdb_set(cdb, 2, 4, lba);
        break;
    }
}

void td_cdb_set_length(TdCdb *cdb, uint32_t length)
{
    switch (td_cdb_bytes(cdb->b[0])) {
    case 6:
        td_cdb_set(cdb, 4, 1, length);
        break;
    case 10:
        td_cdb_set(cdb, 7, 2, length);
        break;
    case 12:
        td_cdb_set(cdb, 6, 4, length);
        break;
    default:
        td_cdb_set(cdb, 10, 4, length);
        break;
    }
}

TdCdb td_cdb_blocks(uint8_t opcode, uint64_t lba, uint32_t blocks)
{
    TdCdb cdb = td_cdb(opcode);

    td_cdb_set_lba(&cdb, lba);
    td_cdb_set_length(&cdb, blocks);
    return cdb;
}
