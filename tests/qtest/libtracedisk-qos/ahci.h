/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk on an AHCI port, driven register by register, and the trace of what
 * was done to it.
 *
 * Concepts
 *
 *   HBA       a QEMU of the test's own, with one HBA (TdAhci) and a disk of
 *             64 MiB of zeroes on its first port, enabled and started
 *   slot      a command header and table in guest memory: td_ahci_fill() puts
 *             a FIS and a list of memory into one, td_ahci_ring() issues it
 *   io        fill, ring, wait, and what the driver then sees (TdOutcome)
 *   traced    what the device says that it did, when QEMU is gone
 *
 * A driver may be as wrong as it likes: nothing here checks what the guest
 * hands to the device. What libqos/ahci.h has (registers, FISes, memory) is
 * used from there.
 *
 * Example: does the disk fill both elements of a list?
 *
 *     TdAhci *hba = td_ahci_start("");
 *     uint64_t page = ahci_alloc(hba->ahci, 4096);
 *     RegH2DFIS fis = td_fis_lba48(CMD_READ_DMA_EXT, 0, 8);
 *     TdPrd list[] = { { page, 512 }, { page + 512, 3584 } };
 *     TdOutcome o = td_ahci_io(hba, &fis, list, 2);
 *
 *     td_expect_uint(o.prdbc, ==, 4096);
 *     if (td_ahci_stop(hba)) {        QEMU is gone, the trace is read
 *         const TdTraced *c = td_traced(hba->traced, "READ DMA EXT", 0);
 *
 *         td_expect_uint(c->n_elements, ==, 2);
 *         td_expect_hex(c->elements[1].addr, ==, page + 512);
 *     }
 *     td_ahci_free(hba);
 */
#ifndef LIBTRACEDISK_QOS_AHCI_H
#define LIBTRACEDISK_QOS_AHCI_H

#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qemu/units.h"
#include "tests/qtest/libqtest.h"
#include "tests/qtest/libqos/libqos-pc.h"
#include "tests/qtest/libqos/ahci.h"
#include "case.h"
#include "files.h"
#include "fis.h"
#include "trace.h"

#define TD_AHCI_SLOTS 32
#define TD_RAM_BYTES (128 * MiB)
#define TD_HOLE 0x20000000ull       /* neither RAM nor a device on a q35 */
#define TD_ROM 0xfffff000ull        /* the last page of the firmware */
#define TD_DISK_BYTES (64 * MiB)
#define TD_BLOCKS (TD_DISK_BYTES / 512)

typedef struct TdAhci {
    AHCIQState *ahci;           /* libqos': for ahci_alloc(), ahci_rreg()… */
    QTestState *qts;
    unsigned port;              /* that td_px_read() and the others mean */
    uint64_t table[TD_AHCI_SLOTS];      /* command tables, in guest memory */
    char *image, *trace;
    char *medium;               /* what is wrong with it, for blkdebug */
    bool patient;               /* also a peer may take its time */
    TdTrace *traced;            /* after td_ahci_stop(); NULL on a peer */
} TdAhci;

/* A PRDT entry: address, and bytes (not minus one), and the I bit. */
typedef struct TdPrd {
    uint64_t addr;
    uint32_t len;
    bool interrupt;
} TdPrd;

/* What the driver sees of a command's end. */
typedef struct TdOutcome {
    uint32_t is;                /* PxIS */
    uint8_t status, error;      /* PxTFD */
    uint32_t prdbc;             /* PRD byte count */
} TdOutcome;

/*
 * Boot, enable the HBA, start the port. @options are the disk's, each with a
 * comma in front; @drive those of the drive, without its file. On a peer the
 * disk is an ide-hd on an ich9-ahci.
 */
TdAhci *td_ahci_start(const char *options);
TdAhci *td_ahci_start_with(const char *drive, const char *options);

/*
 * On a medium where "read", "write" or "flush" fails, as @iotype says, where it
 * touches block @lba.
 */
#define TD_ANY_LBA UINT64_MAX
TdAhci *td_ahci_start_failing(const char *iotype, uint64_t lba);

/* Quit QEMU and read the trace; false on a peer, which has none. */
bool td_ahci_stop(TdAhci *hba);
void td_ahci_free(TdAhci *hba);

/* Registers of the port: AHCI_PX_…, as libqos numbers them. */
uint32_t td_px_read(TdAhci *hba, uint32_t reg);
void td_px_write(TdAhci *hba, uint32_t reg, uint32_t value);

/* Put a command into a slot: header, FIS, PRDT. */
void td_ahci_fill(TdAhci *hba, unsigned slot, const RegH2DFIS *fis,
                  const TdPrd *list, uint16_t n);
/* The same header with a PRDT length and table address of one's own. */
void td_ahci_fill_header(TdAhci *hba, unsigned slot, uint16_t prdtl,
                         uint64_t table);
/* Set bits of its first word: CMDH_RESET, CMDH_CLR_BSY, CMDH_PREFETCH… */
void td_ahci_flag_header(TdAhci *hba, unsigned slot, uint16_t flags);
/* Issue slots; queued ones are announced in PxSACT first. */
void td_ahci_ring(TdAhci *hba, uint32_t slots);
void td_ahci_ring_queued(TdAhci *hba, uint32_t slots);

/* Wait until no slot is outstanding, or an error has stopped the port. */
TdOutcome td_ahci_wait(TdAhci *hba);

/* Fill slot 0 (an NCQ command: the tag's), ring, wait, clear PxIS. */
TdOutcome td_ahci_io(TdAhci *hba, const RegH2DFIS *fis, const TdPrd *list,
                     uint16_t n);
/* The same with a list of one entry, or none when @bytes is 0. */
TdOutcome td_ahci_io1(TdAhci *hba, RegH2DFIS fis, uint64_t addr,
                      uint32_t bytes);

/* It ended without an error; and moved @bytes, where PRDBC tells (not NCQ). */
void td_expect_done(TdOutcome o);
void td_expect_good(TdOutcome o, uint32_t bytes);
/* It failed with these bits in ERROR; the port is recovered. */
void td_expect_error(TdAhci *hba, TdOutcome o, uint8_t error);
/* The same where the disk may choose: with ERR or DF, and one of @errors. */
void td_expect_failed(TdAhci *hba, TdOutcome o, uint8_t errors);

/* Error recovery: AHCI 1.3.1 6.2.2.1, stop the port, clear errors, start. */
void td_ahci_recover(TdAhci *hba);

/* A DMA read, write of 8 blocks that must work: the port is alive. */
void td_ahci_check_alive(TdAhci *hba);

/* A FIS as the device left it in the received-FIS area (PxFB), 4.2.1. */
enum { TD_FB_DMA_SETUP = 0x00, TD_FB_PIO_SETUP = 0x20, TD_FB_D2H = 0x40,
       TD_FB_SET_DEVICE_BITS = 0x58, TD_FB_UNKNOWN = 0x60 };
void td_ahci_received(TdAhci *hba, unsigned where, void *fis, size_t len);

/* Guest memory has these bytes. */
void td_expect_memory(TdAhci *hba, uint64_t addr, const void *expected,
                      size_t bytes);

/* Read or write blocks by a correct command. */
void td_disk_read(TdAhci *hba, uint64_t lba, void *data, size_t bytes);
void td_disk_write(TdAhci *hba, uint64_t lba, const void *data, size_t bytes);

#endif
