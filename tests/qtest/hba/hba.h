/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Small drivers of QEMU's SCSI HBAs, which send any CDB with any list: what no
 * operating system lets a program do. One command at a time, to target 0.
 */
#ifndef TRACEDISK_HBA_H
#define TRACEDISK_HBA_H

#include "tests/qtest/libqtest.h"
#include "tests/qtest/libqos/pci.h"

#define HBA_RAM_MIB 64
#define HBA_STRUCTURES (1 * MiB)    /* of the driver and the HBA */
#define HBA_SCRATCH (4 * MiB)       /* where data goes that has no element */
#define HBA_SCRATCH_BYTES (64 * KiB)
#define HBA_DATA (8 * MiB)          /* for the test */
#define HBA_MAX_ELEMENTS 16

typedef struct HbaElement {
    uint64_t addr;
    uint32_t bytes;
} HbaElement;

typedef struct HbaCommand {
    uint8_t cdb[16];
    unsigned cdb_len;
    bool to_device;             /* some HBAs find out by themselves */
    HbaElement list[HBA_MAX_ELEMENTS];
    unsigned n;
} HbaCommand;

typedef struct HbaDriver HbaDriver;

typedef struct Hba {
    const HbaDriver *driver;
    QTestState *qts;
    QPCIBus *bus;
    QPCIDevice *pci;
    QPCIBar bar;
    unsigned at;                /* in a ring */
    void *state;                /* the driver's own */
} Hba;

/* What command() returns when the HBA ended it without a SCSI status. */
#define HBA_FAILED (-1)
/* It did not end; the HBA must be started anew. */
#define HBA_LOST (-2)

struct HbaDriver {
    const char *device;         /* of QEMU's -device */
    unsigned bar;
    uint64_t max_addr;          /* that an element can have */
    uint32_t max_bytes;         /* of an element */
    /*
     * Data that the disk writes to its register for aborts makes it wait for
     * the end of the very command that writes: with QEMU's own disk, too.
     */
    bool hangs_in_own_registers;
    bool autosense;             /* sense data comes with the status */
    void (*start)(Hba *h);      /* also out of a state where nothing works */
    int (*command)(Hba *h, const HbaCommand *c);
    /*
     * Where the HBA needs no driver while data moves: send it, and serve the
     * HBA's interrupts until false, which means the same as for command().
     */
    void (*begin)(Hba *h, const HbaCommand *c);
    bool (*serve)(Hba *h, int *status);
    /*
     * The command with the @i-th list that only this HBA can be given, of
     * chains that lead astray: its name, and what it came to; NULL: no more.
     */
    const char *(*bad_chain)(Hba *h, const HbaCommand *c, unsigned i,
                             int *status);
    void (*stop)(Hba *h);       /* NULL: nothing to free */
};

extern const HbaDriver hba_am53c974, hba_lsi53c895a, hba_megasas,
    hba_mptsas1068, hba_pvscsi, hba_virtio_scsi;

/* The bytes of all elements. */
static inline uint64_t hba_list_bytes(const HbaCommand *c)
{
    uint64_t bytes = 0;

    for (unsigned i = 0; i < c->n; i++) {
        bytes += c->list[i].bytes;
    }
    return bytes;
}

/* For a loop that waits for the HBA: false when it has taken too long. */
bool hba_patience(int64_t *since);

#endif
