/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A small, correct AHCI driver. Clauses are those of AHCI 1.3.1. */
#include "ahci.h"

#include <stddef.h>

#include "bugs.h"
#include "clock.h"
#include "console.h"
#include "io.h"
#include "memory.h"

#define ABAR 5

/* ---- Registers (3.1, 3.3) ---------------------------------------------- */

struct ahci_port_registers {
    uint32_t clb;
    uint32_t clbu;
    uint32_t fb;
    uint32_t fbu;
    uint32_t is;
    uint32_t ie;
    uint32_t cmd;
    uint32_t reserved0;
    uint32_t tfd;
    uint32_t sig;
    uint32_t ssts;
    uint32_t sctl;
    uint32_t serr;
    uint32_t sact;
    uint32_t ci;
    uint32_t sntf;
    uint32_t fbs;
    uint32_t devslp;
    uint32_t reserved1[10];
    uint32_t vendor[4];
};

struct ahci_registers {
    uint32_t cap;
    uint32_t ghc;
    uint32_t is;
    uint32_t pi;
    uint32_t vs;
    uint32_t ccc_ctl;
    uint32_t ccc_ports;
    uint32_t em_loc;
    uint32_t em_ctl;
    uint32_t cap2;
    uint32_t bohc;
    uint32_t reserved[53];
    struct ahci_port_registers port[32];
};

_Static_assert(sizeof(struct ahci_port_registers) == 0x80, "3.3");
_Static_assert(offsetof(struct ahci_registers, port) == 0x100, "3");

#define CAP_SNCQ (1u << 30)
#define CAP_SSS (1u << 27)
#define CAP_NCS(cap) (((cap) >> 8 & 0x1f) + 1)

#define GHC_AE (1u << 31)
#define GHC_IE (1u << 1)
#define GHC_HR (1u << 0)

#define CAP2_BOH (1u << 0)

#define BOHC_BB (1u << 4)
#define BOHC_OOS (1u << 1)
#define BOHC_BOS (1u << 0)

#define PXCMD_CR (1u << 15)
#define PXCMD_FR (1u << 14)
#define PXCMD_CCS(cmd) ((cmd) >> 8 & 0x1f)
#define PXCMD_FRE (1u << 4)
#define PXCMD_SUD (1u << 1)
#define PXCMD_ST (1u << 0)

#define PXIS_TFES (1u << 30)
#define PXIS_HBFS (1u << 29)
#define PXIS_HBDS (1u << 28)
#define PXIS_IFS (1u << 27)
#define PXIS_INFS (1u << 26)
#define PXIS_OFS (1u << 24)
#define PXIS_ERRORS \
    (PXIS_TFES | PXIS_HBFS | PXIS_HBDS | PXIS_IFS | PXIS_INFS | PXIS_OFS)

#define PXTFD_STATUS(tfd) ((uint8_t)(tfd))
#define PXTFD_ERROR(tfd) ((uint8_t)((tfd) >> 8))

#define PXSIG_ATA 0x00000101u

#define PXSSTS_DET(ssts) ((ssts) & 0xf)
#define DET_PRESENT 1      /* a device, no communication yet */
#define DET_ESTABLISHED 3

#define PXSCTL_DET 0xfu
#define PXSCTL_COMRESET 1u

#define ALL_BITS 0xffffffffu /* for registers that are cleared by writing 1 */

/* ---- Structures in memory (4.2) ---------------------------------------- */

struct ahci_command_header {
    uint16_t flags;
    uint16_t prdtl;
    volatile uint32_t prdbc;
    uint32_t ctba;
    uint32_t ctbau;
    uint32_t reserved[4];
};

#define HEADER_WRITE (1u << 6)
#define HEADER_CFL (sizeof(struct ata_fis) / 4)

struct ahci_prd {
    uint32_t dba;
    uint32_t dbau;
    uint32_t reserved;
    uint32_t dbc; /* bytes less one; bit 31: interrupt on completion */
};

struct ahci_command_table {
    struct ata_fis cfis;
    uint8_t cfis_rest[64 - sizeof(struct ata_fis)];
    uint8_t acmd[16];
    uint8_t reserved[48];
    struct ahci_prd prdt[];
};

/* A FIS as it was received; the three bytes that this driver looks at. */
struct received_fis {
    uint8_t type;
    uint8_t flags;
    uint8_t status;
    uint8_t error;
};

struct ahci_received {
    uint8_t dma_setup[0x20];
    uint8_t pio_setup[0x20];
    struct received_fis d2h;
    uint8_t d2h_rest[0x14];
    struct received_fis device_bits;
    uint8_t device_bits_rest[4];
    uint8_t unknown[0xa0];
};

_Static_assert(sizeof(struct ahci_command_header) == 32, "4.2.2");
_Static_assert(offsetof(struct ahci_command_table, prdt) == 0x80, "4.2.3");
_Static_assert(offsetof(struct ahci_received, d2h) == 0x40, "4.2.1");
_Static_assert(offsetof(struct ahci_received, device_bits) == 0x58, "4.2.1");
_Static_assert(sizeof(struct ahci_received) == 256, "4.2.1");

#define LIST_ALIGN 1024
#define RECEIVED_ALIGN 256
#define TABLE_ALIGN 128u

static struct ahci_command_table *table(const struct ahci_port *port,
                                        unsigned slot)
{
    return (void *)(port->tables + slot * port->table_size);
}

/* ---- Waiting ------------------------------------------------------------ */

#define MS 1000000ull

/* Wait until (*reg & mask) == value; false when it does not come to that. */
static bool wait_for(volatile uint32_t *reg, uint32_t mask, uint32_t value,
                     uint64_t timeout_ns)
{
    uint64_t end = clock_ns() + timeout_ns;

    while ((*reg & mask) != value) {
        if (clock_ns() > end) {
            return false;
        }
    }
    return true;
}

static void wait_ms(uint64_t ms)
{
    uint64_t end = clock_ns() + ms * MS;

    while (clock_ns() < end) {
    }
}

/* ---- Ports: start, stop, reset (10.3, 10.4) ----------------------------- */

static bool stop_commands(volatile struct ahci_port_registers *regs)
{
    /* 10.3.1: clear ST, then CR follows within 500 ms. */
    regs->cmd &= ~PXCMD_ST;
    return wait_for(&regs->cmd, PXCMD_CR, 0, 500 * MS);
}

static bool stop_reception(volatile struct ahci_port_registers *regs)
{
    /* 10.3.2: only with ST and CR clear; FR follows within 500 ms. */
    regs->cmd &= ~PXCMD_FRE;
    return wait_for(&regs->cmd, PXCMD_FR, 0, 500 * MS);
}

static bool stop_port(volatile struct ahci_port_registers *regs)
{
    if (has_bug(BUG_STOP_ORDER)) {
        regs->cmd &= ~PXCMD_FRE;
    }
    if (has_bug(BUG_NARROW_REGISTER)) {
        volatile void *is = &regs->is;

        *(volatile uint16_t *)is = 0xffff;
    }
    return stop_commands(regs) && stop_reception(regs);
}

static bool device_idle(volatile struct ahci_port_registers *regs,
                        uint64_t timeout_ns)
{
    return wait_for(&regs->tfd, ATA_STATUS_BSY | ATA_STATUS_DRQ, 0, timeout_ns);
}

static void start_commands(struct ahci_port *port)
{
    /* 10.3.1: FRE is set, BSY and DRQ are clear, a device is there. */
    if (!wait_for(&port->regs->cmd, PXCMD_CR, 0, 500 * MS)) {
        die("PxCMD.CR does not clear");
    }
    if (has_bug(BUG_START_EARLY)) {
        stop_reception(port->regs);
        port->regs->cmd |= PXCMD_ST;
        port->regs->cmd |= PXCMD_FRE;
    }
    port->regs->cmd |= PXCMD_ST;
    port->outstanding = 0;
    port->failed = false;
    port->idle = 0;
}

/* 10.4.2: port reset. The command list must be stopped. */
static bool reset_port(volatile struct ahci_port_registers *regs)
{
    uint32_t sctl = regs->sctl & ~PXSCTL_DET;

    regs->sctl = sctl | PXSCTL_COMRESET;
    if (!has_bug(BUG_SHORT_COMRESET)) {
        wait_ms(1);
    }
    regs->sctl = sctl;
    if (!wait_for(&regs->ssts, 0xf, DET_ESTABLISHED, 1000 * MS)) {
        return false;
    }
    regs->serr = ALL_BITS; /* with DIAG.X set, PxTFD is not updated */
    return device_idle(regs, 10000 * MS);
}

/* ---- The controller (10.1.2) --------------------------------------------- */

static void take_from_firmware(volatile struct ahci_registers *regs)
{
    if (!(regs->cap2 & CAP2_BOH)) {
        return;
    }
    /* 3.1.11 (BOHC): ask, wait 25 ms; a busy BIOS gets two seconds more. */
    regs->bohc |= BOHC_OOS;
    wait_for(&regs->bohc, BOHC_BOS, 0, 25 * MS);
    if (regs->bohc & BOHC_BB) {
        wait_for(&regs->bohc, BOHC_BB, 0, 2000 * MS);
    }
}

/* 10.4.3: HBA reset. Everything but the firmware's registers starts anew. */
static void reset_hba(volatile struct ahci_registers *regs)
{
    regs->ghc |= GHC_HR;
    if (!wait_for(&regs->ghc, GHC_HR, 0, 1000 * MS)) {
        die("the HBA does not come out of reset");
    }
    regs->ghc |= GHC_AE;
}

static bool stop_all_ports(volatile struct ahci_registers *regs)
{
    for (unsigned i = 0; i < 32; i++) {
        if (regs->pi & 1u << i && !stop_port(&regs->port[i])) {
            return false;
        }
    }
    return true;
}

void ahci_open(struct ahci_hba *hba, struct pci_device device)
{
    uint64_t abar = pci_memory_bar(device, ABAR);
    volatile struct ahci_registers *regs = (void *)abar;

    if (!abar || abar >> 32) {
        die("the HBA's BAR 5 is at 0x%lx: firmware must place it below 4 GiB",
            abar);
    }
    pci_write(device, PCI_COMMAND,
              pci_read(device, PCI_COMMAND) | PCI_COMMAND_MEMORY |
                  PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE);

    regs->ghc |= GHC_AE;
    take_from_firmware(regs);
    regs->ghc &= ~GHC_IE;
    if (!stop_all_ports(regs)) {
        reset_hba(regs);
    }

    hba->regs = regs;
    hba->slots = CAP_NCS(regs->cap);
    hba->queued = regs->cap & CAP_SNCQ;
    hba->spin_up = regs->cap & CAP_SSS;
}

/* ---- A disk --------------------------------------------------------------- */

static void allocate(struct ahci_port *port, uint32_t max_elements)
{
    port->table_size = (uint32_t)sizeof(struct ahci_command_table) +
                       max_elements * (uint32_t)sizeof(struct ahci_prd);
    port->table_size = (port->table_size + TABLE_ALIGN - 1) & -TABLE_ALIGN;
    port->tables = memory_alloc(AHCI_SLOTS * port->table_size, TABLE_ALIGN);
    port->list = memory_alloc(AHCI_SLOTS * sizeof(*port->list), LIST_ALIGN);
    port->received = memory_alloc(sizeof(*port->received), RECEIVED_ALIGN);
    for (unsigned slot = 0; slot < AHCI_SLOTS; slot++) {
        port->list[slot].ctba = (uint32_t)(uint64_t)table(port, slot);
    }
}

/* Is there an ATA disk at this idle port, and is it ready? */
static bool bring_link_up(const struct ahci_hba *hba,
                          volatile struct ahci_port_registers *regs)
{
    if (hba->spin_up) {
        regs->cmd |= PXCMD_SUD;
    }
    /* SATA gives a device 10 ms to be seen. */
    if (!wait_for(&regs->ssts, 0xf, DET_ESTABLISHED, 10 * MS)) {
        if (PXSSTS_DET(regs->ssts) != DET_PRESENT || !reset_port(regs)) {
            return false;
        }
    }
    if (has_bug(BUG_SHORT_COMRESET) && !reset_port(regs)) {
        return false;
    }
    regs->serr = ALL_BITS;
    return device_idle(regs, 10000 * MS) && regs->sig == PXSIG_ATA;
}

bool ahci_open_disk(struct ahci_hba *hba, struct ahci_port *port,
                    uint32_t max_elements)
{
    allocate(port, max_elements);
    port->hba = hba;
    for (unsigned i = 0; i < 32; i++) {
        volatile struct ahci_port_registers *regs = &hba->regs->port[i];

        if (!(hba->regs->pi & 1u << i)) {
            continue;
        }
        /* 10.1.2, steps 5 to 7. */
        regs->clb = has_bug(BUG_NO_LIST) ? 0 : (uint32_t)(uint64_t)port->list;
        regs->clbu = 0;
        regs->fb = (uint32_t)(uint64_t)port->received;
        regs->fbu = 0;
        regs->cmd |= PXCMD_FRE;
        regs->serr = ALL_BITS;
        regs->ie = 0;
        regs->is = ALL_BITS; /* before IS.IPS */
        hba->regs->is = 1u << i;

        if (bring_link_up(hba, regs)) {
            port->regs = regs;
            start_commands(port);
            return true;
        }
        stop_reception(regs);
    }
    return false;
}

void ahci_close_disk(struct ahci_port *port)
{
    if (!stop_port(port->regs)) {
        die("the port does not stop: PxCMD is 0x%x", port->regs->cmd);
    }
    if (has_bug(BUG_ISSUE_STOPPED)) {
        port->regs->ci = 1;
    }
}

void ahci_reset_disk(struct ahci_port *port)
{
    reset_hba(port->hba->regs);
}

/* ---- Commands (5.5) ------------------------------------------------------- */

void ahci_prepare(struct ahci_port *port, unsigned slot,
                  const struct ahci_command *command)
{
    struct ahci_command_header *header = &port->list[slot];
    struct ahci_command_table *t = table(port, slot);

    t->cfis = command->fis;
    for (uint32_t i = 0; i < command->n_elements; i++) {
        const struct disk_element *e = &command->elements[i];

        t->prdt[i].dba = (uint32_t)e->addr;
        t->prdt[i].dbau = (uint32_t)(e->addr >> 32);
        t->prdt[i].dbc = e->len - 1;
    }
    header->flags =
        (uint16_t)(HEADER_CFL | (command->write ? HEADER_WRITE : 0));
    header->prdtl = (uint16_t)command->n_elements;
    header->prdbc = 0;
    if (has_bug(BUG_WILD_TABLE)) {
        header->ctbau = 0x100;
    }
}

void ahci_issue(struct ahci_port *port, uint32_t slots, bool queued)
{
    port->queued = queued;
    port->outstanding |= slots;
    barrier();
    if (queued) {
        /* Before PxCI (3.3.13). */
        port->regs->sact = has_bug(BUG_QUEUE_MIXED) ? slots & ~2u : slots;
    }
    port->regs->ci = slots;
}

/*
 * Polling costs a register read, and in a virtual machine that is dear. So look
 * for news where they come for free: every completion is told by a FIS in
 * memory. Only registers say which commands are done, though; memory is just
 * the hint to read them, and after IDLE_POLLS they are read without one.
 */
#define IDLE_POLLS 10000

static bool fis_arrived(const struct ahci_port *port)
{
    volatile struct ahci_received *r = port->received;

    if (r->device_bits.type == FIS_SET_DEVICE_BITS) {
        return true;
    }
    /* A queued command's first FIS says only that the disk has accepted it. */
    return r->d2h.type == FIS_REGISTER_D2H &&
           (!port->queued || r->d2h.status & ATA_STATUS_ERR);
}

/* What a wrong driver does when it looks for completed commands. */
static uint32_t misread_active(struct ahci_port *port, uint32_t active)
{
    volatile struct ahci_registers *hba = port->hba->regs;
    uint32_t is;

    switch (the_bug) {
    case BUG_COMPLETION_BY_CI:
        return port->regs->ci;
    case BUG_QUEUE_MIXED:
        return active | port->regs->ci;
    case BUG_INTERRUPT_ORDER:
        is = port->regs->is;
        hba->is = 1u << (port->regs - hba->port);
        port->regs->is = is;
        return active;
    default:
        return active;
    }
}

uint32_t ahci_poll(struct ahci_port *port)
{
    volatile struct ahci_received *r = port->received;
    uint32_t active, done;
    bool idle = false;

    if (!fis_arrived(port) && !has_bug(BUG_COMPLETION_BY_CI)) {
        if (++port->idle < IDLE_POLLS) {
            return 0;
        }
        idle = true;
    }
    port->idle = 0;

    /* Forget the FIS first: one that comes after the register read is news. */
    port->failed = (r->device_bits.status | r->d2h.status) & ATA_STATUS_ERR;
    r->device_bits.type = 0;
    r->d2h.type = 0;
    barrier();
    active = port->queued ? port->regs->sact : port->regs->ci;
    if (the_bug) {
        active = misread_active(port, active);
    }
    if (idle || port->failed) {
        port->failed = port->regs->is & PXIS_ERRORS;
    }

    done = port->outstanding & ~active;
    port->outstanding &= active;
    return done;
}

uint32_t ahci_bytes_moved(const struct ahci_port *port, unsigned slot)
{
    return port->list[slot].prdbc;
}

/* ---- Errors (6.2.2) ------------------------------------------------------- */

/* 6.2.2.1, 6.2.2.2: stop, clear what is latched, reset what hangs, start. */
static void restart(struct ahci_port *port)
{
    volatile struct ahci_port_registers *regs = port->regs;

    if (!stop_commands(regs)) {
        die("PxCMD.CR does not clear after an error");
    }
    regs->serr = ALL_BITS;
    regs->is = ALL_BITS;
    if (PXTFD_STATUS(regs->tfd) & (ATA_STATUS_BSY | ATA_STATUS_DRQ) &&
        !reset_port(regs)) {
        die("the disk does not come back after a port reset");
    }
    port->received->device_bits.status = 0;
    port->received->d2h.status = 0;
    start_commands(port);
}

/* Which queued command was it? The disk wants to be asked before it goes on. */
static void read_ncq_error_log(struct ahci_port *port,
                               struct ahci_failure *failure)
{
    static uint8_t *log;
    struct disk_element page;
    struct ahci_command command = {
        .fis = ata_read_log(ATA_LOG_NCQ_ERROR),
        .elements = &page,
        .n_elements = 1,
    };

    if (!log) {
        log = memory_alloc(512, 512);
    }
    page.addr = (uint64_t)log;
    page.len = 512;
    if (ahci_execute(port, &command) && !(log[0] & ATA_NCQ_ERROR_NQ)) {
        failure->slot_known = true;
        failure->slot = log[0] & ATA_NCQ_ERROR_TAG;
        failure->status = log[2];
        failure->error = log[3];
    }
}

void ahci_recover(struct ahci_port *port, struct ahci_failure *failure)
{
    volatile struct ahci_port_registers *regs = port->regs;
    uint32_t outstanding = port->outstanding;
    bool queued = port->queued;

    *failure = (struct ahci_failure){
        .is = regs->is,
        .serr = regs->serr,
        .status = PXTFD_STATUS(regs->tfd),
        .error = PXTFD_ERROR(regs->tfd),
    };
    if (!queued) { /* 6.2.2.1: valid only until ST is cleared */
        failure->slot_known = true;
        failure->slot = PXCMD_CCS(regs->cmd);
    }
    restart(port);
    if (queued) {
        read_ncq_error_log(port, failure);
    }
    failure->aborted = outstanding;
    if (failure->slot_known) {
        failure->aborted &= ~(1u << failure->slot);
    }
}

bool ahci_execute(struct ahci_port *port, const struct ahci_command *command)
{
    volatile struct ahci_port_registers *regs = port->regs;
    uint64_t end = clock_ns() + 30000 * MS;

    ahci_prepare(port, 0, command);
    ahci_issue(port, 1, false);
    /* PIO data-in ends without a D2H FIS, so look at the registers. */
    while (regs->ci & 1) {
        if (regs->is & PXIS_ERRORS || clock_ns() > end) {
            restart(port);
            return false;
        }
    }
    port->outstanding = 0;
    return true;
}
