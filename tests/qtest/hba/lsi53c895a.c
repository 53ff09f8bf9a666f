/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * lsi53c895a: a script in memory, run by the HBA, which follows the disk from
 * phase to phase and asks the driver what to do after each message.
 */
#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qemu/units.h"
#include "hba.h"

#define REG_CONTROL1 0x01
#define REG_DMA_STATUS 0x0c
#define REG_INTERRUPTS 0x14
#define REG_SCRIPT 0x2c
#define REG_WHY 0x30                /* the operand of the interrupt */
#define REG_SCSI_INTERRUPTS 0x42
#define INTERRUPTS_RESET 0x40
#define INTERRUPTS_SCSI 0x02
#define INTERRUPTS_DMA 0x01
#define CONTROL1_RESET_BUS 0x08
#define DMA_STATUS_SCRIPT 0x04
#define SCSI_PHASE_MISMATCH 0x80

#define SCRIPT HBA_STRUCTURES
#define CDB (SCRIPT + 4 * KiB)
#define IDENTIFY (SCRIPT + 5 * KiB)
#define STATUS_BYTE (SCRIPT + 6 * KiB)
#define MESSAGE (SCRIPT + 7 * KiB)

enum {
    DATA_OUT, DATA_IN, COMMAND, STATUS, MESSAGE_OUT = 6, MESSAGE_IN = 7,
};

/* Instructions, without operands. */
#define SELECT 0x40000008           /* target 0, with attention */
#define WAIT_DISCONNECT 0x48000000
#define WAIT_RESELECT 0x50000000
#define CLEAR_ACK 0x60000040
#define JUMP 0x80080000
#define JUMP_IF(phase) (0x800a0000 | (phase) << 24)
#define INTERRUPT 0x98080000
#define MOVE(phase, bytes) ((phase) << 24 | (bytes))

/* Operands of INTERRUPT */
enum { WHY_MESSAGE = 1, WHY_DONE, WHY_LOST };

/* Parts of the script */
enum {
    PART_SELECT = 0x000, PART_PHASES = 0x040, PART_STATUS = 0x080,
    PART_MESSAGE = 0x0c0, PART_GO_ON = 0x100, PART_LEAVE = 0x140,
    PART_DONE = 0x180, PART_IN = 0x200, PART_OUT = 0x300,
};

typedef struct Script {
    uint32_t at;
    uint8_t bytes[0x400];
} Script;

static void add(Script *s, uint32_t instruction, uint32_t operand)
{
    stl_le_p(s->bytes + s->at, instruction);
    stl_le_p(s->bytes + s->at + 4, operand);
    s->at += 8;
}

static void add_data(Script *s, unsigned part, unsigned phase,
                     const HbaCommand *c)
{
    s->at = part;
    for (unsigned i = 0; i < c->n; i++) {
        add(s, MOVE(phase, c->list[i].bytes), c->list[i].addr);
    }
    /* What the disk wants beyond, until it changes the phase. */
    add(s, MOVE(phase, HBA_SCRATCH_BYTES), HBA_SCRATCH);
    add(s, JUMP, SCRIPT + s->at - 8);
}

static void write_script(Hba *h, const HbaCommand *c)
{
    Script s = { PART_SELECT };

    add(&s, SELECT, SCRIPT + PART_PHASES);
    add(&s, MOVE(MESSAGE_OUT, 1), IDENTIFY);
    add(&s, MOVE(COMMAND, c->cdb_len), CDB);
    add(&s, JUMP, SCRIPT + PART_PHASES);
    s.at = PART_PHASES;
    add(&s, JUMP_IF(DATA_IN), SCRIPT + PART_IN);
    add(&s, JUMP_IF(DATA_OUT), SCRIPT + PART_OUT);
    add(&s, JUMP_IF(STATUS), SCRIPT + PART_STATUS);
    add(&s, JUMP_IF(MESSAGE_IN), SCRIPT + PART_MESSAGE);
    add(&s, INTERRUPT, WHY_LOST);
    s.at = PART_STATUS;
    add(&s, MOVE(STATUS, 1), STATUS_BYTE);
    add(&s, JUMP, SCRIPT + PART_PHASES);
    s.at = PART_MESSAGE;
    add(&s, MOVE(MESSAGE_IN, 1), MESSAGE);
    add(&s, INTERRUPT, WHY_MESSAGE);
    s.at = PART_GO_ON;
    add(&s, CLEAR_ACK, 0);
    add(&s, JUMP, SCRIPT + PART_PHASES);
    s.at = PART_LEAVE;
    add(&s, CLEAR_ACK, 0);
    add(&s, WAIT_DISCONNECT, 0);
    add(&s, WAIT_RESELECT, SCRIPT + PART_PHASES);
    add(&s, MOVE(MESSAGE_IN, 1), MESSAGE);
    add(&s, CLEAR_ACK, 0);
    add(&s, JUMP, SCRIPT + PART_PHASES);
    s.at = PART_DONE;
    add(&s, CLEAR_ACK, 0);
    add(&s, WAIT_DISCONNECT, 0);
    add(&s, INTERRUPT, WHY_DONE);
    add_data(&s, PART_IN, DATA_IN, c);
    add_data(&s, PART_OUT, DATA_OUT, c);
    qtest_memwrite(h->qts, SCRIPT, s.bytes, sizeof(s.bytes));
}

static void run_script(Hba *h, unsigned part)
{
    qpci_io_writel(h->pci, h->bar, REG_SCRIPT, SCRIPT + part);
}

static uint8_t get(Hba *h, unsigned reg)
{
    return qpci_io_readb(h->pci, h->bar, reg);
}

static void start(Hba *h)
{
    qpci_io_writeb(h->pci, h->bar, REG_CONTROL1, CONTROL1_RESET_BUS);
    qpci_io_writeb(h->pci, h->bar, REG_CONTROL1, 0);
    qpci_io_writeb(h->pci, h->bar, REG_INTERRUPTS, INTERRUPTS_RESET);
    qpci_io_writeb(h->pci, h->bar, REG_INTERRUPTS, 0);
    get(h, REG_DMA_STATUS);
    qpci_io_readw(h->pci, h->bar, REG_SCSI_INTERRUPTS);
}

/* The script has stopped: what comes next? False: nothing. */
static bool serve(Hba *h, int *status)
{
    uint8_t interrupts = get(h, REG_INTERRUPTS);

    if (interrupts & INTERRUPTS_SCSI) {
        if (qpci_io_readw(h->pci, h->bar, REG_SCSI_INTERRUPTS) ==
            SCSI_PHASE_MISMATCH) {
            run_script(h, PART_PHASES);
            return true;
        }
        *status = HBA_FAILED;
        return false;
    }
    if (!(interrupts & INTERRUPTS_DMA)) {
        return true;
    }
    if (!(get(h, REG_DMA_STATUS) & DMA_STATUS_SCRIPT)) {
        *status = HBA_FAILED;
        return false;
    }
    switch (qpci_io_readl(h->pci, h->bar, REG_WHY)) {
    case WHY_MESSAGE:
        switch (qtest_readb(h->qts, MESSAGE)) {
        case 0x00:                  /* COMMAND COMPLETE */
            run_script(h, PART_DONE);
            return true;
        case 0x04:                  /* DISCONNECT */
            run_script(h, PART_LEAVE);
            return true;
        default:                    /* SAVE DATA POINTER */
            run_script(h, PART_GO_ON);
            return true;
        }
    case WHY_DONE:
        *status = qtest_readb(h->qts, STATUS_BYTE);
        return false;
    default:
        return false;
    }
}

static void begin(Hba *h, const HbaCommand *c)
{
    write_script(h, c);
    qtest_memwrite(h->qts, CDB, c->cdb, sizeof(c->cdb));
    qtest_writeb(h->qts, IDENTIFY, 0xc0);
    run_script(h, PART_SELECT);
}

static int command(Hba *h, const HbaCommand *c)
{
    int64_t since = 0;
    int status = HBA_LOST;

    begin(h, c);
    while (serve(h, &status)) {
        if (!hba_patience(&since)) {
            return HBA_LOST;
        }
    }
    return status;
}

const HbaDriver hba_lsi53c895a = {
    .device = "lsi53c895a", .bar = 1, .max_addr = UINT32_MAX,
    .max_bytes = 0xffffff, .start = start, .command = command,
    .begin = begin, .serve = serve,
};
