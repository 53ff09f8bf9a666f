/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VIRTIO 1.1 over PCI, as far as a polling driver needs it: a device's
 * registers, and split virtqueues whose requests are indirect descriptor
 * tables. Clauses are those of VIRTIO 1.1.
 */
#ifndef VIRTIO_H
#define VIRTIO_H

#include <stdbool.h>
#include <stdint.h>

#include "pci.h"

/* 2.6.5: a piece of memory that the device reads, or writes. */
struct virtq_descriptor {
    uint64_t addr;
    uint32_t len;
    uint16_t flags;
    uint16_t next;
};

#define VIRTQ_DESC_NEXT 1
#define VIRTQ_DESC_WRITE 2 /* by the device */
#define VIRTQ_DESC_INDIRECT 4

struct virtq_available;
struct virtq_used;

struct virtq {
    uint16_t index; /* of the device's queues */
    uint16_t size;
    struct virtq_descriptor *descriptors;
    volatile struct virtq_available *available;
    volatile struct virtq_used *used;
    volatile uint16_t *doorbell;
    uint16_t seen; /* entries of the used ring that were looked at */
};

struct virtio {
    volatile struct virtio_common *common;
    volatile uint8_t *notify;
    uint32_t notify_step;
    volatile void *config; /* the device's own registers */
};

/*
 * Reset the device and agree on features (3.1.1): VERSION_1 and
 * INDIRECT_DESC, nothing more. Dies when it has no such registers.
 */
void virtio_open(struct virtio *v, struct pci_device device);

/* Set queue `index` up with at least `wanted` descriptors (4.1.5.1.3). */
void virtio_queue_open(struct virtio *v, struct virtq *q, uint16_t index, uint16_t wanted);

/* The queues are set up: the device may work. */
void virtio_start(struct virtio *v);
void virtio_reset(struct virtio *v);

/*
 * Offer descriptor `id`, an indirect table of n entries; the device learns of
 * all that were offered from virtq_kick().
 */
void virtq_offer(struct virtq *q, uint16_t id, struct virtq_descriptor *table, uint32_t n);
void virtq_kick(struct virtq *q);

/* The next descriptor that the device is done with; false when there is none. */
bool virtq_next(struct virtq *q, uint32_t *id);

#endif
