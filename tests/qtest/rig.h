/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A QEMU with a tracedisk on an AHCI port, driven register by register, and
 * the trace of what was done to it.
 *
 *     Rig *rig = rig_start("");
 *     uint64_t page = ahci_alloc(rig->ahci, 4096);
 *     RegH2DFIS fis = fis_lba48(CMD_READ_DMA_EXT, 0, 8);
 *     Prd list = { page, 4096 };
 *     Outcome o = rig_run(rig, &fis, &list, 1);
 *     ...
 *     rig_stop(rig);                  QEMU is gone, the trace is read
 *     const Traced *c = rig_traced(rig, NULL, 0);
 *     ...
 *     rig_free(rig);
 *
 * A driver may be as wrong as it likes: nothing here checks what the guest
 * hands to the device. What libqos/ahci.h has (registers, FISes, memory) is
 * used from there.
 */
#ifndef TRACEDISK_RIG_H
#define TRACEDISK_RIG_H

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qemu/units.h"
#include "tests/qtest/libqtest.h"
#include "tests/qtest/libqos/libqos-pc.h"
#include "tests/qtest/libqos/ahci.h"
#include "tracedisk.h"

#define RIG_SLOTS 32
#define RIG_RAM_BYTES (128 * MiB)
#define RIG_HOLE 0x20000000ull      /* neither RAM nor a device on a q35 */
#define RIG_ROM 0xfffff000ull       /* the last page of the firmware */
#define RIG_DISK_BYTES (64 * MiB)
#define RIG_BLOCKS (RIG_DISK_BYTES / 512)

/* ATA status and error bits, ACS-3 6.2, 6.3 */
enum { STATUS_ERR = 0x01, STATUS_DRQ = 0x08, STATUS_BSY = 0x80 };
enum { ERROR_ABRT = 0x04, ERROR_IDNF = 0x10, ERROR_UNC = 0x40 };

typedef struct Rig {
    AHCIQState *ahci;
    QTestState *qts;
    unsigned port;
    uint64_t table[RIG_SLOTS];  /* command tables, in guest memory */
    char *image, *trace;
    GPtrArray *commands;        /* of Traced, after rig_stop() */
    GPtrArray *events;          /* of TracedEvent */
} Rig;

/* A PRDT entry: address, and bytes (not minus one), and the I bit. */
typedef struct Prd {
    uint64_t addr;
    uint32_t len;
    bool interrupt;
} Prd;

/* What the driver sees of a command's end. */
typedef struct Outcome {
    uint32_t is;                /* PxIS */
    uint8_t status, error;      /* PxTFD */
    uint32_t prdbc;             /* PRD byte count */
} Outcome;

/* What the trace says of a command. */
typedef struct Traced {
    char *name;
    uint64_t seq, complete_seq, lba, tag;
    enum td_op op;
    enum td_status status;
    uint32_t flags;             /* enum td_complete_flags */
    uint64_t bytes, residual;
    uint8_t ata_status, ata_error;
    struct td_digest digest;
    uint32_t n_elements;
    struct td_element *elements;
} Traced;

typedef struct TracedEvent {
    enum td_event_type type;
    uint32_t port;
    uint64_t seq, ref;          /* ref: the command it belongs to */
    uint64_t addr, value;
    char *text;
} TracedEvent;

/*
 * Boot, enable the HBA, start the port. @options are the device's, each with a
 * comma in front; @drive those of the drive, without its file.
 */
Rig *rig_start(const char *options);
Rig *rig_start_with(const char *drive, const char *options);

/*
 * Quit QEMU and read the trace. Whatever the guest did, the trace is whole: no
 * damage, nothing lost, and every command has its end.
 */
void rig_stop(Rig *rig);
void rig_free(Rig *rig);

/* Registers of the rig's port: AHCI_PX_…, as libqos numbers them. */
uint32_t rig_read(Rig *rig, uint32_t reg);
void rig_write(Rig *rig, uint32_t reg, uint32_t value);

/* FISes. ATA8/ACS-3: 28 and 48-bit commands, NCQ, and those without an LBA. */
RegH2DFIS fis_lba28(uint8_t command, uint32_t lba, uint8_t count);
RegH2DFIS fis_lba48(uint8_t command, uint64_t lba, uint16_t count);
RegH2DFIS fis_ncq(uint8_t command, uint64_t lba, uint16_t count, uint8_t tag);
RegH2DFIS fis_plain(uint8_t command, uint16_t features, uint16_t count);

/* Put a command into a slot: header, FIS, PRDT. */
void rig_fill(Rig *rig, unsigned slot, const RegH2DFIS *fis, const Prd *list,
              uint16_t n);
/* The same header with a PRDT length and table address of one's own. */
void rig_fill_header(Rig *rig, unsigned slot, uint16_t prdtl, uint64_t table);
void rig_ring(Rig *rig, uint32_t slots);
void rig_ring_queued(Rig *rig, uint32_t slots);

/* Wait until no slot is outstanding, or an error has stopped the port. */
Outcome rig_wait(Rig *rig);

/* Fill slot 0 (an NCQ command: the tag's), ring, wait, clear PxIS. */
Outcome rig_run(Rig *rig, const RegH2DFIS *fis, const Prd *list, uint16_t n);

/* Error recovery: AHCI 1.3.1 6.2.2.1, stop the port, clear errors, start. */
void rig_recover(Rig *rig);

/* A DMA read, write of 8 blocks that must work: the port is alive. */
void rig_check_alive(Rig *rig);

/* Read or write blocks by a correct command. */
void rig_disk_read(Rig *rig, uint64_t lba, void *data, size_t bytes);
void rig_disk_write(Rig *rig, uint64_t lba, const void *data, size_t bytes);

/* Fill @data with bytes that differ in every block and with the @seed. */
void rig_pattern(uint8_t *data, size_t bytes, unsigned seed);

/* The @n-th traced command with this name (NULL: with any); it must exist. */
const Traced *rig_traced(Rig *rig, const char *name, unsigned n);
unsigned rig_count(Rig *rig, enum td_event_type type, const char *text);

/* The driver's fault that the trace must tell of: a part of its text. */
void rig_check_guest_error(Rig *rig, const char *text);

#endif
