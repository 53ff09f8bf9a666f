/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ATA commands as Register Host to Device FISes, and what IDENTIFY answers. */
#include "ata.h"

#define CMD_READ_DMA_EXT 0x25
#define CMD_READ_LOG_EXT 0x2f
#define CMD_WRITE_DMA_EXT 0x35
#define CMD_READ_FPDMA_QUEUED 0x60
#define CMD_WRITE_FPDMA_QUEUED 0x61
#define CMD_FLUSH_CACHE_EXT 0xea
#define CMD_IDENTIFY_DEVICE 0xec

#define DEVICE_LBA 0x40

static struct ata_fis command(uint8_t code)
{
    return (struct ata_fis){
        .type = FIS_REGISTER_H2D,
        .flags = ATA_FIS_COMMAND,
        .command = code,
    };
}

static void set_lba(struct ata_fis *fis, uint64_t lba)
{
    for (unsigned i = 0; i < 3; i++) {
        fis->lba_low[i] = (uint8_t)(lba >> (8 * i));
        fis->lba_high[i] = (uint8_t)(lba >> (24 + 8 * i));
    }
    fis->device = DEVICE_LBA;
}

struct ata_fis ata_dma(bool write, uint64_t lba, uint32_t blocks)
{
    struct ata_fis fis =
        command(write ? CMD_WRITE_DMA_EXT : CMD_READ_DMA_EXT);

    set_lba(&fis, lba);
    fis.count = (uint8_t)blocks;
    fis.count_high = (uint8_t)(blocks >> 8);
    return fis;
}

struct ata_fis ata_queued(bool write, uint64_t lba, uint32_t blocks,
                          unsigned tag)
{
    struct ata_fis fis =
        command(write ? CMD_WRITE_FPDMA_QUEUED : CMD_READ_FPDMA_QUEUED);

    set_lba(&fis, lba);
    fis.features = (uint8_t)blocks;
    fis.features_high = (uint8_t)(blocks >> 8);
    fis.count = (uint8_t)(tag << 3);
    return fis;
}

bool ata_is_queued(const struct ata_fis *fis)
{
    return fis->command == CMD_READ_FPDMA_QUEUED ||
           fis->command == CMD_WRITE_FPDMA_QUEUED;
}

uint64_t ata_lba(const struct ata_fis *fis)
{
    uint64_t lba = 0;

    for (unsigned i = 3; i-- > 0;) {
        lba = lba << 8 | fis->lba_high[i];
    }
    for (unsigned i = 3; i-- > 0;) {
        lba = lba << 8 | fis->lba_low[i];
    }
    return lba;
}

struct ata_fis ata_identify(void)
{
    return command(CMD_IDENTIFY_DEVICE);
}

struct ata_fis ata_flush(void)
{
    struct ata_fis fis = command(CMD_FLUSH_CACHE_EXT);

    fis.device = DEVICE_LBA;
    return fis;
}

struct ata_fis ata_read_log(uint8_t log)
{
    struct ata_fis fis = command(CMD_READ_LOG_EXT);

    fis.lba_low[0] = log;
    fis.count = 1;
    return fis;
}

static uint64_t number(const uint16_t *words, unsigned first, unsigned n)
{
    uint64_t value = 0;

    while (n--) {
        value = value << 16 | words[first + n];
    }
    return value;
}

void ata_decode_identity(const uint16_t *words, struct ata_identity *identity)
{
    bool queued = words[76] & 1u << 8;
    bool long_sectors = (words[106] & 0xd000) == 0x5000; /* valid, bit 12 */
    unsigned n = 0;

    identity->blocks = number(words, 100, 4);
    identity->block_size = long_sectors ? 2 * (uint32_t)number(words, 117, 2)
                                        : 512;
    identity->queue_depth = queued ? (words[75] & 0x1fu) + 1 : 0;

    for (unsigned i = 27; i <= 46; i++) { /* most significant byte first */
        identity->model[n++] = (char)(words[i] >> 8);
        identity->model[n++] = (char)words[i];
    }
    while (n && identity->model[n - 1] == ' ') {
        n--;
    }
    identity->model[n] = '\0';
}
