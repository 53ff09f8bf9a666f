/* SPDX-License-Identifier: GPL-2.0-or-later */
/* VIRTIO 1.1 over PCI. Clauses are those of VIRTIO 1.1. */
#include "virtio.h"

#include <stddef.h>

#include "console.h"
#include "io.h"
#include "memory.h"

/* ---- Registers (4.1.4) ---------------------------------------------------- */

#define CAPABILITIES 0x34
#define CAP_VENDOR 0x09

enum { COMMON = 1, NOTIFY = 2, DEVICE = 4 }; /* cfg_type */

struct virtio_common {
    uint32_t device_feature_select;
    uint32_t device_feature;
    uint32_t driver_feature_select;
    uint32_t driver_feature;
    uint16_t msix_config;
    uint16_t num_queues;
    uint8_t device_status;
    uint8_t config_generation;
    uint16_t queue_select;
    uint16_t queue_size;
    uint16_t queue_msix_vector;
    uint16_t queue_enable;
    uint16_t queue_notify_off;
    uint32_t queue_desc[2];
    uint32_t queue_driver[2];
    uint32_t queue_device[2];
};

_Static_assert(offsetof(struct virtio_common, queue_device) == 0x30, "4.1.4.3");

/* 2.1 */
#define STATUS_ACKNOWLEDGE 1
#define STATUS_DRIVER 2
#define STATUS_DRIVER_OK 4
#define STATUS_FEATURES_OK 8

#define FEATURE_INDIRECT_DESC (1u << 28)
#define FEATURE_VERSION_1 (1u << 0) /* of bits 63:32 */

/* ---- Rings (2.6.6, 2.6.8) -------------------------------------------------- */

struct virtq_available {
    uint16_t flags;
    uint16_t idx;
    uint16_t ring[];
};

#define AVAIL_NO_INTERRUPT 1

struct virtq_used {
    uint16_t flags;
    uint16_t idx;
    struct {
        uint32_t id;
        uint32_t len;
    } ring[];
};

#define USED_NO_NOTIFY 1

/* ---- The device ------------------------------------------------------------ */

static uint8_t config_byte(struct pci_device device, uint8_t offset)
{
    return (uint8_t)(pci_read(device, offset) >> 8 * (offset & 3));
}

/* Where a capability's registers are: struct virtio_pci_cap, 4.1.4. */
static volatile uint8_t *registers(struct pci_device device, uint8_t cap)
{
    unsigned bar = config_byte(device, (uint8_t)(cap + 4));
    uint64_t base = bar < 6 ? pci_memory_bar(device, bar) : 0;

    if (!base || base >> 32) {
        die("virtio: BAR %u is at 0x%lx: firmware must place it below 4 GiB", bar, base);
    }
    return (uint8_t *)base + pci_read(device, (uint8_t)(cap + 8));
}

static void find_registers(struct virtio *v, struct pci_device device)
{
    uint8_t cap = config_byte(device, CAPABILITIES) & 0xfc;

    *v = (struct virtio){ 0 };
    for (; cap; cap = config_byte(device, (uint8_t)(cap + 1)) & 0xfc) {
        if (config_byte(device, cap) != CAP_VENDOR) {
            continue;
        }
        switch (config_byte(device, (uint8_t)(cap + 3))) {
        case COMMON:
            v->common = (volatile void *)registers(device, cap);
            break;
        case NOTIFY:
            v->notify = registers(device, cap);
            v->notify_step = pci_read(device, (uint8_t)(cap + 16));
            break;
        case DEVICE:
            v->config = registers(device, cap);
            break;
        }
    }
    if (!v->common || !v->notify || !v->config) {
        die("virtio: the device has no registers of VIRTIO 1");
    }
}

static uint32_t offered_features(struct virtio *v, uint32_t select)
{
    v->common->device_feature_select = select;
    return v->common->device_feature;
}

static void accept_features(struct virtio *v, uint32_t select, uint32_t features)
{
    if ((offered_features(v, select) & features) != features) {
        die("virtio: the device lacks features 0x%x of word %u", features, select);
    }
    v->common->driver_feature_select = select;
    v->common->driver_feature = features;
}

void virtio_reset(struct virtio *v)
{
    v->common->device_status = 0;
    while (v->common->device_status) {
    }
}

void virtio_open(struct virtio *v, struct pci_device device)
{
    find_registers(v, device);
    pci_write(device, PCI_COMMAND,
              pci_read(device, PCI_COMMAND) | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER |
                  PCI_COMMAND_INTX_DISABLE);
    virtio_reset(v);
    v->common->device_status = STATUS_ACKNOWLEDGE;
    v->common->device_status = STATUS_ACKNOWLEDGE | STATUS_DRIVER;
    accept_features(v, 0, FEATURE_INDIRECT_DESC);
    accept_features(v, 1, FEATURE_VERSION_1);
    v->common->device_status |= STATUS_FEATURES_OK;
    if (!(v->common->device_status & STATUS_FEATURES_OK)) {
        die("virtio: the device does not accept the features");
    }
}

void virtio_start(struct virtio *v)
{
    v->common->device_status |= STATUS_DRIVER_OK;
}

/* ---- Queues ------------------------------------------------------------------ */

static void write_address(volatile uint32_t *reg, const volatile void *memory)
{
    reg[0] = (uint32_t)(uint64_t)memory;
    reg[1] = 0; /* memory.h: below 4 GiB */
}

void virtio_queue_open(struct virtio *v, struct virtq *q, uint16_t index, uint16_t wanted)
{
    volatile struct virtio_common *c = v->common;

    c->queue_select = index;
    *q = (struct virtq){ .index = index, .size = c->queue_size };
    if (q->size < wanted) {
        die("virtio: queue %u has %u descriptors", (uint32_t)index, (uint32_t)q->size);
    }
    q->descriptors = memory_alloc(q->size * sizeof(*q->descriptors), 16);
    q->available = memory_alloc(sizeof(*q->available) + q->size * 2u, 4096);
    q->used = memory_alloc(sizeof(*q->used) + q->size * 8u, 4096);
    q->available->flags = AVAIL_NO_INTERRUPT;
    q->doorbell = (volatile void *)(v->notify + c->queue_notify_off * v->notify_step);
    write_address(c->queue_desc, q->descriptors);
    write_address(c->queue_driver, q->available);
    write_address(c->queue_device, q->used);
    c->queue_enable = 1;
}

void virtq_offer(struct virtq *q, uint16_t id, struct virtq_descriptor *table, uint32_t n)
{
    q->descriptors[id] = (struct virtq_descriptor){
        .addr = (uint64_t)table,
        .len = n * (uint32_t)sizeof(*table),
        .flags = VIRTQ_DESC_INDIRECT,
    };
    q->available->ring[q->available->idx % q->size] = id;
    barrier();
    q->available->idx++;
}

void virtq_kick(struct virtq *q)
{
    memory_fence(); /* idx is seen before the flags are read (2.6.13.4.1) */
    if (!(q->used->flags & USED_NO_NOTIFY)) {
        *q->doorbell = q->index;
    }
}

bool virtq_next(struct virtq *q, uint32_t *id)
{
    if (q->seen == q->used->idx) {
        return false;
    }
    barrier();
    *id = q->used->ring[q->seen++ % q->size].id;
    return true;
}
