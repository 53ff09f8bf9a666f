/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Register Host to Device FISes of ATA commands (SATA 3.x 10.5.5), in libqos'
 * RegH2DFIS. Change a field afterwards for what these do not set.
 */
#ifndef LIBTRACEDISK_QOS_FIS_H
#define LIBTRACEDISK_QOS_FIS_H

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "tests/qtest/libqos/ahci.h"

/* ATA status and error bits, ACS-3 6.2, 6.3 */
enum { STATUS_ERR = 0x01, STATUS_DRQ = 0x08, STATUS_DF = 0x20,
       STATUS_DRDY = 0x40, STATUS_BSY = 0x80 };
enum { ERROR_ABRT = 0x04, ERROR_IDNF = 0x10, ERROR_UNC = 0x40 };

/* Of a block that there is not: IDNF, or ABRT in its place (ACS-3 6.3). */
#define ERROR_NO_BLOCK (ERROR_IDNF | ERROR_ABRT)

/* Commands with a 28 and with a 48-bit address; a count of 0 is the most. */
RegH2DFIS td_fis_lba28(uint8_t command, uint32_t lba, uint8_t count);
RegH2DFIS td_fis_lba48(uint8_t command, uint64_t lba, uint16_t count);
/* NCQ: the count is in FEATURES, the tag in COUNT bits 7:3. */
RegH2DFIS td_fis_ncq(uint8_t command, uint64_t lba, uint16_t count,
                     uint8_t tag);
/* Commands without an address. */
RegH2DFIS td_fis_plain(uint8_t command, uint16_t features, uint16_t count);

/* READ or WRITE FPDMA QUEUED */
bool td_fis_is_queued(const RegH2DFIS *fis);

#endif
