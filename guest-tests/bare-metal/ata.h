/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ATA commands (ACS-3, clause 7) as Register Host to Device FISes, and what
 * IDENTIFY DEVICE answers.
 */
#ifndef ATA_H
#define ATA_H

#include <stdbool.h>
#include <stdint.h>

/* FIS types (SATA 3.x, 10.5). */
#define FIS_REGISTER_H2D 0x27
#define FIS_REGISTER_D2H 0x34
#define FIS_SET_DEVICE_BITS 0xa1

/* Status and error (ACS-3, 6.2 and 6.3). */
#define ATA_STATUS_ERR 0x01
#define ATA_STATUS_DRQ 0x08
#define ATA_STATUS_BSY 0x80

/* The log that says which queued command failed (ACS-3, annex A). */
#define ATA_LOG_NCQ_ERROR 0x10
#define ATA_NCQ_ERROR_NQ 0x80 /* byte 0: the failed command was not queued */
#define ATA_NCQ_ERROR_TAG 0x1f

/* Register Host to Device FIS (SATA 3.x, 10.5.5). */
struct ata_fis {
    uint8_t type;
    uint8_t flags;
    uint8_t command;
    uint8_t features;
    uint8_t lba_low[3];
    uint8_t device;
    uint8_t lba_high[3];
    uint8_t features_high;
    uint8_t count;
    uint8_t count_high;
    uint8_t icc;
    uint8_t control;
    uint8_t auxiliary[4];
};

#define ATA_FIS_COMMAND 0x80 /* flags: command register, not control */

struct ata_identity {
    uint64_t blocks;
    uint32_t block_size;
    uint32_t queue_depth; /* 0: no NCQ */
    char model[41];
};

/* READ or WRITE DMA EXT. */
struct ata_fis ata_dma(bool write, uint64_t lba, uint32_t blocks);

/* READ or WRITE FPDMA QUEUED; the tag is the slot. */
struct ata_fis ata_queued(bool write, uint64_t lba, uint32_t blocks,
                          unsigned tag);

/* Of a FIS that ata_dma() or ata_queued() made. */
bool ata_is_queued(const struct ata_fis *fis);
uint64_t ata_lba(const struct ata_fis *fis);

struct ata_fis ata_identify(void);
struct ata_fis ata_flush(void);

/* READ LOG EXT of a log's first page. */
struct ata_fis ata_read_log(uint8_t log);

/* Decode the 256 words of IDENTIFY DEVICE. */
void ata_decode_identity(const uint16_t *words, struct ata_identity *identity);

#endif
