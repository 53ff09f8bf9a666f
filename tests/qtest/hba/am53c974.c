/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * am53c974: the driver leads the command from phase to phase. An element is a
 * DMA transfer of its own; while the disk wants more, they begin anew.
 */
#include "qemu/osdep.h"
#include "qemu/units.h"
#include "hba.h"

#define REG(n) ((n) * 4)
#define REG_COUNT_LOW REG(0)
#define REG_COUNT_MIDDLE REG(1)
#define REG_FIFO REG(2)
#define REG_COMMAND REG(3)
#define REG_STATUS REG(4)           /* read */
#define REG_TARGET REG(4)           /* write */
#define REG_INTERRUPT REG(5)
#define REG_COUNT_HIGH REG(14)
#define DMA_COMMAND 0x40
#define DMA_COUNT 0x44
#define DMA_ADDRESS 0x48

#define COMMAND_FLUSH 0x01
#define COMMAND_RESET 0x02
#define COMMAND_RESET_BUS 0x03
#define COMMAND_TRANSFER 0x90       /* by DMA */
#define COMMAND_FINISH 0x11         /* fetch status and message */
#define COMMAND_ACCEPT 0x12
#define COMMAND_SELECT 0x42         /* with attention */
#define STATUS_INTERRUPT 0x80
#define INTERRUPT_DISCONNECTED 0x20
#define DMA_START 3
#define DMA_TO_MEMORY 0x80

enum { DATA_OUT, DATA_IN, STATUS = 3 };

static void put(Hba *h, unsigned reg, uint32_t value)
{
    qpci_io_writel(h->pci, h->bar, reg, value);
}

static uint32_t get(Hba *h, unsigned reg)
{
    return qpci_io_readl(h->pci, h->bar, reg);
}

/* The phase that the disk is in when the HBA interrupts. */
static int wait_phase(Hba *h)
{
    int64_t since = 0;
    uint32_t status;

    while (!((status = get(h, REG_STATUS)) & STATUS_INTERRUPT)) {
        if (!hba_patience(&since)) {
            return HBA_LOST;
        }
    }
    return get(h, REG_INTERRUPT) & INTERRUPT_DISCONNECTED ? HBA_FAILED :
           status & 7;
}

static void start(Hba *h)
{
    put(h, REG_COMMAND, COMMAND_RESET);
    put(h, REG_COMMAND, 0);
    put(h, REG_COMMAND, COMMAND_RESET_BUS);
    get(h, REG_INTERRUPT);
}

static void move(Hba *h, const HbaElement *e, bool to_memory)
{
    put(h, REG_COUNT_LOW, e->bytes & 0xff);
    put(h, REG_COUNT_MIDDLE, e->bytes >> 8 & 0xff);
    put(h, REG_COUNT_HIGH, e->bytes >> 16 & 0xff);
    put(h, DMA_COUNT, e->bytes);
    put(h, DMA_ADDRESS, e->addr);
    put(h, DMA_COMMAND, DMA_START | (to_memory ? DMA_TO_MEMORY : 0));
    put(h, REG_COMMAND, COMMAND_TRANSFER);
}

static int command(Hba *h, const HbaCommand *c)
{
    static const HbaElement scratch = { HBA_SCRATCH, HBA_SCRATCH_BYTES - 1 };
    int64_t since = 0;
    int phase, status;

    put(h, REG_COMMAND, COMMAND_FLUSH);
    put(h, REG_TARGET, 0);
    put(h, REG_FIFO, 0x80);         /* IDENTIFY, LUN 0 */
    for (unsigned i = 0; i < c->cdb_len; i++) {
        put(h, REG_FIFO, c->cdb[i]);
    }
    put(h, REG_COMMAND, COMMAND_SELECT);
    phase = wait_phase(h);
    for (unsigned i = 0; phase == DATA_IN || phase == DATA_OUT; i++) {
        bool beyond = i >= HBA_MAX_ELEMENTS || !c->n;

        if (!hba_patience(&since)) {
            return HBA_LOST;
        }
        move(h, beyond ? &scratch : &c->list[i % c->n], phase == DATA_IN);
        phase = wait_phase(h);
    }
    if (phase != STATUS) {
        return phase < 0 ? phase : HBA_LOST;
    }
    put(h, REG_COMMAND, COMMAND_FINISH);
    wait_phase(h);
    status = get(h, REG_FIFO) & 0xff;
    get(h, REG_FIFO);
    put(h, REG_COMMAND, COMMAND_ACCEPT);
    wait_phase(h);
    return status;
}

const HbaDriver hba_am53c974 = {
    .device = "am53c974", .bar = 0, .max_addr = UINT32_MAX,
    .max_bytes = 0xffffff, .start = start, .command = command,
};
