/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a command asks for, whichever command set it belongs to.
 */
#include "decode.h"

void td_decode(enum td_protocol protocol, const uint8_t *raw, size_t len,
               struct td_decoded *decoded)
{
    *decoded = (struct td_decoded){ .name = "UNKNOWN", .op = TD_OP_OTHER };
    switch (protocol) {
    case TD_ATA:
        td_decode_ata(raw, len, decoded);
        break;
    case TD_SCSI:
        td_decode_scsi(raw, len, decoded);
        break;
    }
}
