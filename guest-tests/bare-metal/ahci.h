/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small, correct AHCI driver. Clauses are those of AHCI 1.3.1.
 *
 * Concepts
 *
 *   hba    the controller: one memory BAR of registers
 *   port   one link and its disk: command list, received FISes, 32 slots
 *   slot   a command header and table; a queued command's tag is its slot
 *
 * It polls: interrupts stay off. It serves one port and knows no partition of
 * labour: the caller prepares slots, issues them, and asks which are done.
 */
#ifndef AHCI_H
#define AHCI_H

#include <stdbool.h>
#include <stdint.h>

#include "ata.h"
#include "disk.h"
#include "pci.h"

#define AHCI_PCI_CLASS 0x010601u
#define AHCI_SLOTS DISK_SLOTS
#define AHCI_MAX_ELEMENT (4u << 20) /* 4.2.3.3, DBC: 22 bits, zero-based */

struct ahci_command {
    struct ata_fis fis;
    bool write; /* data goes to the disk */
    const struct disk_element *elements; /* even addresses, even lengths */
    uint32_t n_elements;
};

struct ahci_hba {
    volatile struct ahci_registers *regs;
    uint32_t slots; /* CAP.NCS */
    bool queued;    /* CAP.SNCQ */
    bool spin_up;   /* CAP.SSS */
};

struct ahci_port {
    struct ahci_hba *hba;
    volatile struct ahci_port_registers *regs;
    struct ahci_command_header *list;
    volatile struct ahci_received *received;
    uint8_t *tables; /* AHCI_SLOTS command tables, table_size apart */
    uint32_t table_size;
    uint32_t outstanding; /* slots issued and not known to be done */
    bool queued;          /* what is outstanding is queued */
    bool failed;          /* the port has stopped on an error */
    uint32_t idle;        /* polls in a row that saw nothing new */
};

/* Why a port stopped, and what became of the commands it had. */
struct ahci_failure {
    uint32_t is;      /* PxIS */
    uint32_t serr;    /* PxSERR */
    uint8_t status;   /* ATA status */
    uint8_t error;    /* ATA error */
    bool slot_known;
    uint32_t slot;    /* the command that failed */
    uint32_t aborted; /* slots that did not fail and must be issued again */
};

/* Take the controller over (10.1.2). Dies when it has no usable BAR. */
void ahci_open(struct ahci_hba *hba, struct pci_device device);

/*
 * Set up and start the first port that has an ATA disk, with room for lists of
 * max_elements. False when there is none.
 */
bool ahci_open_disk(struct ahci_hba *hba, struct ahci_port *port,
                    uint32_t max_elements);

/* Stop command processing and FIS reception (10.3). */
void ahci_close_disk(struct ahci_port *port);

/* Reset the controller; the port must be set up anew after it. */
void ahci_reset_disk(struct ahci_port *port);

/* Fill a slot in; it must not be outstanding. */
void ahci_prepare(struct ahci_port *port, unsigned slot,
                  const struct ahci_command *command);

/*
 * Issue prepared slots, all at once. Queued and other commands never mix: what
 * is outstanding must be of the same sort (ACS-3, NCQ feature set).
 */
void ahci_issue(struct ahci_port *port, uint32_t slots, bool queued);

/*
 * The slots that were completed since the last call. When port->failed is set
 * afterwards, the port has stopped: call ahci_recover().
 */
uint32_t ahci_poll(struct ahci_port *port);

/* Bytes the HBA says it moved for a command that was not queued (PRDBC). */
uint32_t ahci_bytes_moved(const struct ahci_port *port, unsigned slot);

/*
 * Bring a stopped port back (6.2.2). Nothing is outstanding afterwards. Uses
 * slot 0 for READ LOG EXT: prepare all aborted slots anew.
 */
void ahci_recover(struct ahci_port *port, struct ahci_failure *failure);

/*
 * Issue one command that is not queued in slot 0 of an idle port, and wait for
 * it. False when it failed; the port runs again then.
 */
bool ahci_execute(struct ahci_port *port, const struct ahci_command *command);

#endif
