/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Register Host to Device FISes of ATA commands.
 */
#include "fis.h"

static void put_lba24(uint8_t *at, uint32_t lba)
{
    at[0] = lba;
    at[1] = lba >> 8;
    at[2] = lba >> 16;
}

RegH2DFIS td_fis_plain(uint8_t command, uint16_t features, uint16_t count)
{
    return (RegH2DFIS) {
        .fis_type = REG_H2D_FIS, .flags = REG_H2D_FIS_CMD, .command = command,
        .feature_low = features, .feature_high = features >> 8,
        .count = cpu_to_le16(count),
    };
}

RegH2DFIS td_fis_lba28(uint8_t command, uint32_t lba, uint8_t count)
{
    RegH2DFIS fis = td_fis_plain(command, 0, count);

    put_lba24(fis.lba_lo, lba);
    fis.device = ATA_DEVICE_LBA | lba >> 24;
    return fis;
}

RegH2DFIS td_fis_lba48(uint8_t command, uint64_t lba, uint16_t count)
{
    RegH2DFIS fis = td_fis_plain(command, 0, count);

    put_lba24(fis.lba_lo, lba);
    put_lba24(fis.lba_hi, lba >> 24);
    fis.device = ATA_DEVICE_LBA;
    return fis;
}

RegH2DFIS td_fis_ncq(uint8_t command, uint64_t lba, uint16_t count, uint8_t tag)
{
    RegH2DFIS fis = td_fis_lba48(command, lba, tag << 3);

    fis.feature_low = count;
    fis.feature_high = count >> 8;
    return fis;
}

bool td_fis_is_queued(const RegH2DFIS *fis)
{
    return fis->command == READ_FPDMA_QUEUED ||
           fis->command == WRITE_FPDMA_QUEUED;
}
