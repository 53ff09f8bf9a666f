/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ATA commands as SCSI ones, after SAT-3 read backwards: for programs that
 * know SCSI only.
 */
#ifndef TOOLS_SAT_H
#define TOOLS_SAT_H

#include "libtracedisk/tracedisk.h"

struct scsi_view {
    uint8_t cdb[TD_MAX_RAW];
    uint32_t cdb_len;
    uint8_t status; /* SAM-5 5.3.1; what counts when the command is complete */
    uint8_t sense[TD_MAX_SENSE];
    uint32_t sense_len;
};

/*
 * A command whose submission is known, as an initiator would have sent it: a
 * SCSI one as it is; ATA reads, writes, verifies and flushes as their SCSI
 * counterparts, all else as ATA PASS-THROUGH(16).
 */
void sat_view(const struct td_command *c, struct scsi_view *view);

#endif
