/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk: the ATA command set (ACS-3) of one disk
 *
 * Knows commands, not transports: an HBA hands it a Register Host to Device
 * FIS and a scatter-gather list, and gets a task file back.
 */
#ifndef HW_TRACEDISK_ATA_H
#define HW_TRACEDISK_ATA_H

#include "disk.h"

#define ATA_SECTOR 512          /* unit of PIO and log data, whatever the LBA */
#define ATA_FIS_LEN 20          /* Register Host to Device FIS */

/* STATUS, ACS-3 6.2 */
#define ATA_ERR   0x01
#define ATA_DRQ   0x08
#define ATA_DSC   0x10          /* "seek complete", obsolete but expected */
#define ATA_DF    0x20
#define ATA_DRDY  0x40
#define ATA_BSY   0x80

/* ERROR, ACS-3 6.3 */
#define ATA_ABRT  0x04
#define ATA_IDNF  0x10
#define ATA_UNC   0x40
#define ATA_ICRC  0x80

/* Host-specific logs kept, of 16 pages each (ACS-3 A.2). */
#define ATA_HOST_LOG_FIRST 0x80
#define ATA_HOST_LOGS 4
#define ATA_HOST_LOG_PAGES 16

/* Ranges that WRITE UNCORRECTABLE EXT has marked. */
#define ATA_MAX_BAD_RANGES 128

typedef struct AtaBadRange {
    uint64_t lba;
    uint64_t blocks;
} AtaBadRange;

/* What the device tells the host at a command's end. */
typedef struct AtaTaskFile {
    uint8_t status;
    uint8_t error;
    uint8_t device;
    uint16_t count;
    uint64_t lba;               /* 48 bits */
} AtaTaskFile;

typedef struct AtaDevice {
    TdDisk disk;
    BlockConf *conf;
    const char *serial;
    const char *model;
    const char *firmware;
    uint64_t wwn;
    uint16_t rotation_rate;
    bool strict;                /* reserved bits are looked at */

    uint8_t multiple;           /* SET MULTIPLE MODE: blocks per DRQ block */
    uint8_t transfer_mode;      /* SET FEATURES 03h */
    uint8_t power_mode;         /* as CHECK POWER MODE returns it */
    bool look_ahead;
    bool smart_enabled;
    bool soft_reset;            /* Device Control SRST is set */

    /* The NCQ command that failed, for log 10h (ACS-3 A.13). */
    bool ncq_error;
    uint8_t ncq_tag;
    AtaTaskFile ncq_task_file;

    uint32_t n_bad;
    AtaBadRange bad[ATA_MAX_BAD_RANGES];
    uint8_t host_logs[ATA_HOST_LOGS][ATA_HOST_LOG_PAGES * ATA_SECTOR];
} AtaDevice;

extern const VMStateDescription vmstate_ata_device;

typedef struct AtaCommand {
    AtaDevice *device;
    TdTransfer transfer;
    uint8_t fis[ATA_FIS_LEN];
    struct td_decoded decoded;

    /* Results. */
    AtaTaskFile task_file;
    bool data_in, data_out;     /* the protocol's direction, when it has one */
    uint32_t drq_blocks;        /* PIO: how many DRQ data blocks moved */
    uint32_t last_drq_bytes;    /* PIO: the size of the last one */
    bool aborted;               /* a reset took it: tell the guest nothing */
    bool refused;               /* the disk aborts it, whatever it is */
} AtaCommand;

/* Check the drive and set everything to its power-on value. */
bool ata_device_realize(AtaDevice *d, Error **errp);

/* Power-on and COMRESET (hard) or SRST (soft) reset, ACS-3 7.1, SATA 3.x 11 */
void ata_device_reset(AtaDevice *d, bool hard);

/* The task file after a reset: signature, diagnostic code; ACS-3 Table 206 */
AtaTaskFile ata_device_signature(void);

/*
 * Run the command in @c->fis to its end: @c->task_file and the transfer's
 * result say how it went. Never waits for the guest.
 */
void coroutine_fn ata_command_co_run(AtaCommand *c);

/* ata-pages.c: 512-byte data pages that the device makes up. */
void ata_identify_page(const AtaDevice *d, uint8_t *page);
void ata_smart_data_page(const AtaDevice *d, uint8_t *page);
void ata_smart_thresholds_page(const AtaDevice *d, uint8_t *page);
/*
 * @pages pages of log @log from page @first, SMART's or the general purpose
 * one; false when there is no such log or it is shorter.
 */
bool ata_log_pages(const AtaDevice *d, bool smart, uint8_t log, uint16_t first,
                   uint32_t pages, uint8_t *buf);

#endif
