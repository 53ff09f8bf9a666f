/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk: the pages that an ATA disk makes up: IDENTIFY DEVICE (ACS-3
 * 7.12.7), SMART data (7.48) and logs (Annex A)
 */
#include "qemu/osdep.h"
#include "compat.h"
#include "ata.h"

static void put_word(uint8_t *page, unsigned word, uint16_t value)
{
    stw_le_p(page + word * 2, value);
}

/* ATA strings are padded with spaces, two swapped characters a word. */
static void put_string(uint8_t *page, unsigned word, unsigned words,
                       const char *text)
{
    size_t len = strlen(text);

    for (size_t i = 0; i < words * 2; i++) {
        page[(word * 2 + i) ^ 1] = i < len ? text[i] : ' ';
    }
}

/* The sum of all bytes of the page is 0 (ACS-3 7.12.7.93, 7.48.6.12). */
static void put_checksum(uint8_t *page)
{
    uint8_t sum = 0;

    for (int i = 0; i < ATA_SECTOR - 1; i++) {
        sum += page[i];
    }
    page[ATA_SECTOR - 1] = -sum;
}

static void put_geometry(const AtaDevice *d, uint8_t *page)
{
    uint64_t cylinders = d->disk.blocks / (16 * 63);

    put_word(page, 1, MIN(cylinders, 16383));
    put_word(page, 3, 16);
    /* Words 4 and 5 are retired since ATA-2, yet old drivers read them. */
    put_word(page, 4, 512 * 63);
    put_word(page, 5, 512);
    put_word(page, 6, 63);
}

static void put_capacity(const AtaDevice *d, uint8_t *page)
{
    uint64_t blocks = d->disk.blocks;
    uint32_t lba28 = MIN(blocks, 0x0fffffff);
    uint32_t per_physical = d->conf->physical_block_size / d->disk.block_size;

    put_word(page, 60, lba28);
    put_word(page, 61, lba28 >> 16);
    for (int i = 0; i < 4; i++) {
        put_word(page, 100 + i, blocks >> (16 * i));
    }
    /* Physical/logical sector size, ACS-3 7.12.7.63 */
    put_word(page, 106, 0x4000 |
             (per_physical > 1 ? 0x2000 | ctz32(per_physical) : 0) |
             (d->disk.block_size > 512 ? 0x1000 : 0));
    if (d->disk.block_size > 512) {
        put_word(page, 117, d->disk.block_size / 2);
        put_word(page, 118, d->disk.block_size / 2 >> 16);
    }
    put_word(page, 209, 0x4000); /* logical sector 0 is aligned */
}

/* Bit 8 + N when mode N of this kind (SET FEATURES 03h) is selected */
static uint16_t selected_mode(const AtaDevice *d, uint8_t kind)
{
    return (d->transfer_mode & 0xf8) == kind ?
           0x100 << (d->transfer_mode & 7) : 0;
}

static void put_features(const AtaDevice *d, uint8_t *page)
{
    bool write_cache = blk_enable_write_cache(d->disk.blk);

    put_word(page, 47, 0x8000 | 16);    /* READ MULTIPLE of up to 16 */
    put_word(page, 48, 0x4000);
    put_word(page, 49, 0x0f00);         /* DMA, LBA, IORDY */
    put_word(page, 50, 0x4000);
    put_word(page, 53, 0x0006);         /* words 64-70 and 88 are valid */
    put_word(page, 59, d->multiple ? 0x0100 | d->multiple : 0);
    /* Multiword DMA 0-2; the mode that is selected, here or in word 88 */
    put_word(page, 63, 0x0007 | selected_mode(d, 0x20));
    put_word(page, 64, 0x0003);         /* PIO 3, 4 */
    for (int word = 65; word <= 68; word++) {
        put_word(page, word, 120);      /* cycle times, ns */
    }
    put_word(page, 75, 31);             /* queue depth - 1 */
    put_word(page, 76, 0x8000 | 0x0100 | 0x000e); /* log DMA, NCQ, Gen1-3 */
    put_word(page, 80, 0x07f0);         /* ATA/ATAPI-4 to ACS-3 */
    /*
     * 82-84 supported, 85-87 enabled: NOP, look-ahead, write cache, power,
     * SMART; FLUSH CACHE (EXT), 48 bit; WWN, FUA, GPL
     */
    put_word(page, 82, 0x4069);
    put_word(page, 83, 0x7400);
    put_word(page, 84, 0x4160);
    put_word(page, 85, 0x4008 | (d->look_ahead ? 0x0040 : 0) |
             (write_cache ? 0x0020 : 0) | (d->smart_enabled ? 0x0001 : 0));
    put_word(page, 86, 0xb400);         /* and words 119-120 are valid */
    put_word(page, 87, 0x4160);
    put_word(page, 88, 0x007f | selected_mode(d, 0x40)); /* Ultra DMA 0-6 */
    put_word(page, 105, 8);             /* DATA SET MANAGEMENT pages */
    for (int i = 0; i < 4; i++) {
        put_word(page, 108 + i, d->wwn >> (48 - 16 * i));
    }
    put_word(page, 119, 0x400c);        /* READ LOG DMA, WRITE UNCORRECTABLE */
    put_word(page, 120, 0x400c);
    if (d->conf->discard_granularity) {
        put_word(page, 169, 0x0001);    /* TRIM */
    }
    put_word(page, 217, d->rotation_rate);
    put_word(page, 222, 0x107f);        /* SATA up to 3.1 */
}

void ata_identify_page(const AtaDevice *d, uint8_t *page)
{
    memset(page, 0, ATA_SECTOR);
    put_word(page, 0, 0x0040);
    put_geometry(d, page);
    put_string(page, 10, 10, d->serial);
    put_string(page, 23, 4, d->firmware);
    put_string(page, 27, 20, d->model);
    put_features(d, page);
    put_capacity(d, page);
    page[510] = 0xa5;
    put_checksum(page);
}

/* Attributes of SMART: number, flags, current and worst value, raw. */
static const struct {
    uint8_t id, flags, value, threshold;
} smart_attributes[] = {
    { 1, 0x03, 100, 6 },        /* read error rate */
    { 3, 0x03, 100, 0 },        /* spin-up time */
    { 4, 0x02, 100, 20 },       /* start/stop count */
    { 5, 0x03, 100, 36 },       /* reallocated sectors */
    { 9, 0x03, 100, 0 },        /* power-on hours */
    { 12, 0x03, 100, 0 },       /* power cycle count */
};

void ata_smart_data_page(const AtaDevice *d, uint8_t *page)
{
    memset(page, 0, ATA_SECTOR);
    page[0] = 0x01;             /* structure revision */
    for (size_t i = 0; i < ARRAY_SIZE(smart_attributes); i++) {
        uint8_t *entry = page + 2 + 12 * i;

        entry[0] = smart_attributes[i].id;
        entry[1] = smart_attributes[i].flags;
        entry[3] = entry[4] = smart_attributes[i].value;
    }
    page[362] = 0x02;           /* off-line data collection: completed */
    page[367] = 0x00;           /* no off-line or self-test capability */
    page[368] = 0x03;           /* attributes are saved */
    page[370] = 0x01;           /* error logging capability, logs exist */
    put_checksum(page);
}

void ata_smart_thresholds_page(const AtaDevice *d, uint8_t *page)
{
    memset(page, 0, ATA_SECTOR);
    page[0] = 0x01;
    for (size_t i = 0; i < ARRAY_SIZE(smart_attributes); i++) {
        page[2 + 12 * i] = smart_attributes[i].id;
        page[3 + 12 * i] = smart_attributes[i].threshold;
    }
    put_checksum(page);
}

/* ---- Logs -------------------------------------------------------------- */

enum {
    LOG_DIRECTORY = 0x00,
    LOG_SMART_SUMMARY_ERROR = 0x01,
    LOG_SMART_SELF_TEST = 0x06,
    LOG_NCQ_ERROR = 0x10,
};

static bool is_host_log(uint8_t log)
{
    return log >= ATA_HOST_LOG_FIRST &&
           log < ATA_HOST_LOG_FIRST + ATA_HOST_LOGS;
}

static uint32_t log_length(bool smart, uint8_t log)
{
    switch (log) {
    case LOG_DIRECTORY:
        return 1;
    case LOG_SMART_SUMMARY_ERROR:
    case LOG_SMART_SELF_TEST:
        return smart ? 1 : 0;
    case LOG_NCQ_ERROR:
        return smart ? 0 : 1;
    default:
        return is_host_log(log) ? ATA_HOST_LOG_PAGES : 0;
    }
}

static void put_log_directory(uint8_t *page, bool smart)
{
    put_word(page, 0, 0x0001);  /* version */
    for (unsigned log = 1; log < 256; log++) {
        put_word(page, log, log_length(smart, log));
    }
}

/* NCQ Command Error log, ACS-3 A.13 */
static void put_ncq_error(const AtaDevice *d, uint8_t *page)
{
    const AtaTaskFile *tf = &d->ncq_task_file;

    page[0] = d->ncq_error ? d->ncq_tag : 0x80; /* NQ: no queued command */
    page[2] = tf->status;
    page[3] = tf->error;
    page[4] = tf->lba;
    page[5] = tf->lba >> 8;
    page[6] = tf->lba >> 16;
    page[7] = tf->device;
    page[8] = tf->lba >> 24;
    page[9] = tf->lba >> 32;
    page[10] = tf->lba >> 40;
    page[12] = tf->count;
    page[13] = tf->count >> 8;
    put_checksum(page);
}

bool ata_log_pages(const AtaDevice *d, bool smart, uint8_t log, uint16_t first,
                   uint32_t pages, uint8_t *buf)
{
    if (!pages || first + pages > log_length(smart, log)) {
        return false;
    }
    memset(buf, 0, pages * ATA_SECTOR);
    switch (log) {
    case LOG_DIRECTORY:
        put_log_directory(buf, smart);
        break;
    case LOG_SMART_SUMMARY_ERROR:
    case LOG_SMART_SELF_TEST:
        buf[0] = 1;             /* version; nothing has been logged */
        put_checksum(buf);
        break;
    case LOG_NCQ_ERROR:
        put_ncq_error(d, buf);
        break;
    default:
        memcpy(buf, d->host_logs[log - ATA_HOST_LOG_FIRST] + first * ATA_SECTOR,
               pages * ATA_SECTOR);
        break;
    }
    return true;
}
