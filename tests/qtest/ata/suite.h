/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ATA suite: its topics, and what several of them need.
 *
 * Clauses are of ACS-3 where no other specification is named. Commands are
 * items "command:0x25"; those whose FEATURES choose what they do have an item
 * each, "command:0xef/0x82".
 */
#ifndef TRACEDISK_ATA_SUITE_H
#define TRACEDISK_ATA_SUITE_H

#include "../libtracedisk-qos/ahci.h"

extern const TdTopic topic_access, topic_features, topic_flush, topic_identify,
                     topic_logs, topic_no_data, topic_other, topic_power,
                     topic_queued, topic_smart, topic_trim,
                     topic_uncorrectable, topic_unknown;

/* What there is to cover: TdSuite.items, from the device's own tables */
void ata_items(void);
bool has_command(uint8_t opcode);

#define SECTORS 8
#define BYTES (SECTORS * 512)
#define BUFFER (64 * MiB)       /* where data goes: half of RAM is behind it */

#define OURS_DEFINED "what no clause defines, and a tracedisk does"
#define OURS_STRICT "strict=on"

/* Those that libqos has no name for */
enum {
    CMD_DATA_SET_MANAGEMENT = 0x06,
    CMD_READ_LOG_EXT = 0x2f,
    CMD_WRITE_DMA_FUA_EXT = 0x3d,
    CMD_WRITE_LOG_EXT = 0x3f,
    CMD_READ_VERIFY_EXT = 0x42,
    CMD_WRITE_UNCORRECTABLE_EXT = 0x45,
    CMD_DIAGNOSTIC = 0x90,
    CMD_SMART = 0xb0,
    CMD_READ_MULTIPLE = 0xc4,
    CMD_SET_MULTIPLE_MODE = 0xc6,
    CMD_STANDBY_IMMEDIATE = 0xe0,
    CMD_CHECK_POWER_MODE = 0xe5,
    CMD_FLUSH_CACHE_EXT = 0xea,
    CMD_SET_FEATURES = 0xef,
};

/*
 * Where IDENTIFY DEVICE announces what the case is about, in a bit of a word.
 * Not announced it is not there, and the case is skipped: then this is NULL.
 * Ours has all.
 */
TdAhci *start_if(unsigned word, unsigned bit, const char *options);
bool is_announced(TdAhci *hba, unsigned word, unsigned bit);

/* A command without data that must work. */
void run_good(TdAhci *hba, RegH2DFIS fis);
/* One that must be aborted; the port is recovered. */
void run_aborted(TdAhci *hba, RegH2DFIS fis, uint32_t bytes);

/* A command that reads pages of 512 bytes. */
void read_pages(TdAhci *hba, RegH2DFIS fis, void *pages, unsigned n);
/* The words of IDENTIFY DEVICE, whose checksum is right if there is one. */
void identify(TdAhci *hba, uint16_t *words);
void expect_checksum(const uint8_t *page);

/* Of the last Register Device to Host FIS: LBA and COUNT */
uint64_t received_lba(TdAhci *hba);
uint16_t received_count(TdAhci *hba);

/* The port is alive; QEMU ends, and with it the test. */
void finish(TdAhci *hba);

/* In the trace, @name's last command has failed with these bits in ERROR. */
void expect_traced_error(TdAhci *hba, const char *name, uint8_t errors);

#endif
