/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * megasas: a frame for each command, posted by its address; its status is
 * written into it.
 */
#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qemu/units.h"
#include "hba.h"

#define REG_INTERRUPT_MASK 0x34
#define REG_QUEUE 0x40

#define FRAME HBA_STRUCTURES
#define FRAME_BYTES 2048            /* the HBA maps as many as there may be */
#define QUEUE_INFO (FRAME + 4 * KiB)
#define REPLY_QUEUE (FRAME + 8 * KiB)
#define PRODUCER (FRAME + 16 * KiB)
#define CONSUMER (FRAME + 17 * KiB)
#define SENSE (FRAME + 20 * KiB)

#define COMMAND_INIT 0
#define COMMAND_SCSI 4              /* to a physical disk */
#define STATUS_PENDING 0xff
#define STATUS_OK 0
#define STATUS_SCSI 0x2d            /* look at the SCSI status */
#define LISTS_OF_64_BITS 2

#define AT_STATUS 2
#define AT_SCSI_STATUS 3

static int post(Hba *h, uint8_t *frame)
{
    int64_t since = 0;
    uint8_t status;

    frame[AT_STATUS] = STATUS_PENDING;
    qtest_memwrite(h->qts, FRAME, frame, FRAME_BYTES);
    qpci_io_writel(h->pci, h->bar, REG_QUEUE, FRAME | 2);
    do {
        status = qtest_readb(h->qts, FRAME + AT_STATUS);
    } while (status == STATUS_PENDING && hba_patience(&since));
    if (status == STATUS_PENDING) {
        return HBA_LOST;
    }
    return status == STATUS_OK || status == STATUS_SCSI ?
           qtest_readb(h->qts, FRAME + AT_SCSI_STATUS) : HBA_FAILED;
}

static void start(Hba *h)
{
    uint8_t frame[FRAME_BYTES] = { COMMAND_INIT };
    uint8_t info[32] = { 0 };

    /* Interrupts masked: the HBA is reset. */
    qpci_io_writel(h->pci, h->bar, REG_INTERRUPT_MASK, 0xffffffff);
    qpci_io_writel(h->pci, h->bar, REG_INTERRUPT_MASK, 1);
    stl_le_p(info + 4, 64);
    stq_le_p(info + 8, REPLY_QUEUE);
    stq_le_p(info + 16, PRODUCER);
    stq_le_p(info + 24, CONSUMER);
    qtest_memwrite(h->qts, QUEUE_INFO, info, sizeof(info));
    qtest_memset(h->qts, PRODUCER, 0, 4);
    qtest_memset(h->qts, CONSUMER, 0, 4);
    stq_le_p(frame + 24, QUEUE_INFO);
    g_assert_cmpint(post(h, frame), ==, 0);
}

static int command(Hba *h, const HbaCommand *c)
{
    uint8_t frame[FRAME_BYTES] = { COMMAND_SCSI };
    uint8_t *entry = frame + 48;

    frame[1] = 18;                  /* of sense */
    frame[6] = c->cdb_len;
    frame[7] = c->n;
    stw_le_p(frame + 16, LISTS_OF_64_BITS);
    stl_le_p(frame + 20, MIN(hba_list_bytes(c), UINT32_MAX));
    stq_le_p(frame + 24, SENSE);
    memcpy(frame + 32, c->cdb, 16);
    for (unsigned i = 0; i < c->n; i++, entry += 12) {
        stq_le_p(entry, c->list[i].addr);
        stl_le_p(entry + 8, c->list[i].bytes);
    }
    /* It takes what is there for done. */
    qtest_memset(h->qts, CONSUMER, 0, 4);
    return post(h, frame);
}

const HbaDriver hba_megasas = {
    .device = "megasas", .bar = 0, .max_addr = UINT64_MAX,
    .max_bytes = UINT32_MAX, .hangs_in_own_registers = true,
    .autosense = true, .start = start, .command = command,
};
