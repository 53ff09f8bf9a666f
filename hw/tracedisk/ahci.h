/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk-ahci: an AHCI 1.3.1 HBA with ATA disks on its ports
 *
 *   ahci.c          the PCI device and the generic host control registers
 *   ahci-port.c     a port: registers, start and stop, resets, interrupts
 *   ahci-command.c  a command: fetched, run, answered with FISes
 */
#ifndef HW_TRACEDISK_AHCI_H
#define HW_TRACEDISK_AHCI_H

#include "ahci-regs.h"
#include "ata.h"

#define TYPE_TRACEDISK_AHCI "tracedisk-ahci"
OBJECT_DECLARE_SIMPLE_TYPE(TdAhci, TRACEDISK_AHCI)

/* Properties drive1, drive2…: disks on the ports after the first. */
#define AHCI_MORE_DRIVES 5

typedef struct AhciPort AhciPort;

typedef struct AhciSlot {
    AhciPort *port;
    unsigned number;
    uint64_t header_addr;
    uint32_t header;            /* dword 0 of the command header */
    uint32_t first_interrupt;   /* first PRD with the I bit, or UINT32_MAX */
    bool odd_told;              /* strict=on: an odd PRD was reported */
    AtaCommand command;
} AhciSlot;

struct AhciPort {
    TdAhci *hba;
    unsigned number;
    bool present;               /* a disk is attached */
    BlockConf conf;
    char *serial;
    AtaDevice ata;

    uint64_t clb, fb;
    uint32_t is, ie, cmd, tfd, sig, ssts, sctl, serr, sact, ci;

    uint32_t running;           /* slots whose command the disk has */
    uint32_t restart;           /* slots to run again after migration */
    bool fatal;                 /* stopped by an error until ST is cleared */
    bool issuing;               /* in ahci_port_issue() */

    /* strict=on: what takes its time, in virtual ns; see ahci-strict.c */
    int64_t cr_until, fr_until; /* PxCMD.CR, FR stay set; 0: no longer */
    int64_t comreset_since;     /* PxSCTL.DET became 1 */
    QEMUTimer *link_timer;      /* the link comes up */
    bool signature_pending;     /* the first D2H FIS waits for FRE */

    /* Faults: an interrupt that is dropped or late, the loss of the link. */
    bool interrupt_held;
    QEMUTimer *interrupt_timer;
    QEMUBH *link_bh;

    /* The received-FIS area while FRE is set. */
    MemoryRegionCache fis_area;
    bool fis_area_valid;
    AhciSlot slot[AHCI_SLOTS];
};

struct TdAhci {
    PCIDevice parent_obj;
    MemoryRegion mmio;

    uint32_t ghc, is;
    uint32_t n_ports;
    AhciPort *port;
    BlockConf conf;             /* of port 0, and the pattern for the others */
    BlockBackend *more[AHCI_MORE_DRIVES];
    TdRecorder *recorder;       /* of the first disk */
    TdWatches *watches;         /* of all disks */
    TdFaults *faults;           /* likewise */
    TdDiskOptions options;
    char *serial, *model, *firmware;
    uint64_t wwn;
    uint16_t rotation_rate;
    bool registers;             /* record register accesses and interrupts */
    bool strict;
    bool irq_level;             /* of INTx */
    VMChangeStateEntry *vmstate;
};

/* ---- ahci.c ------------------------------------------------------------ */

/* Bring IS and the interrupt line, or MSI, up to date with the ports. */
void ahci_update_interrupt(TdAhci *s);

/* ---- ahci-port.c ------------------------------------------------------- */

uint32_t ahci_port_read(AhciPort *p, hwaddr offset);
void ahci_port_write(AhciPort *p, hwaddr offset, uint32_t value);

/* Power-on, HBA reset: registers and disk. The link comes up by itself. */
void ahci_port_reset(AhciPort *p);
void ahci_port_init(AhciPort *p);
void ahci_port_free(AhciPort *p);
/* Map what the registers point at again, after migration. */
void ahci_port_post_load(AhciPort *p);

void ahci_port_raise(AhciPort *p, uint32_t is_bits);
/* What a fault plan does: PxIS is set, but IS and the interrupt come later. */
void ahci_port_raise_late(AhciPort *p, uint32_t is_bits, uint64_t ns);
/* Write a FIS to the received-FIS area; false when nothing receives it. */
bool ahci_port_put_fis(AhciPort *p, unsigned offset, const uint8_t *fis,
                       unsigned len);
/* The D2H FIS that a disk sends after a reset [10.4]. */
void ahci_port_send_signature(AhciPort *p);

static inline TdRecorder *ahci_port_recorder(AhciPort *p)
{
    return p->ata.disk.recorder;
}

/* Why the port cannot start now [10.3.1]; NULL: it can. */
const char *ahci_port_not_ready(const AhciPort *p);
/* PxCMD.ST is set: go on from what kept the port from starting, if it did. */
void ahci_port_start(AhciPort *p);
/* The link is there, with a COMINIT; the disk sends its signature. */
void ahci_port_link_up(AhciPort *p);

/* ---- ahci-strict.c ----------------------------------------------------- */

/* Before a register is read or written: what is due by now happens. */
void ahci_strict_settle(AhciPort *p);
/* PxCMD.ST, FRE were cleared: CR, FR follow a little later [10.3]. */
void ahci_strict_stopping(AhciPort *p);
void ahci_strict_fis_stopping(AhciPort *p);
/* PxSCTL.DET has become 1; has become 0, and was 1 for long enough? */
void ahci_strict_comreset_begin(AhciPort *p);
bool ahci_strict_comreset_end(AhciPort *p);
/* The link will be up in a while. */
void ahci_strict_link_later(AhciPort *p);
/* Is the command such that it cannot go over the wire? It says so then. */
bool ahci_strict_refuses(AhciSlot *s);
/* The PRD as the HBA's registers hold it. */
void ahci_strict_prd(AhciSlot *s, uint64_t *addr, uint32_t *bytes);

/* ---- ahci-command.c ---------------------------------------------------- */

/* Start what CI asks for, as far as the disk takes it. */
void ahci_port_issue(AhciPort *p);
/* Run the commands again that migration interrupted. */
void ahci_port_restart(AhciPort *p);
void ahci_slot_init(AhciPort *p, unsigned number);

/* Fill in a D2H Register FIS (20 bytes) from a task file. */
void ahci_d2h_fis(uint8_t *fis, const AtaTaskFile *tf, bool interrupt);

extern const VMStateDescription vmstate_ahci_port;

#endif
