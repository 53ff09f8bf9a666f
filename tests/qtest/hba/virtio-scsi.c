/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio-scsi-pci, by libqos. A list that it does not like breaks the device
 * until it is reset.
 */
#include "qemu/osdep.h"
#include "qemu/units.h"
#include "hba.h"
#include "tests/qtest/libqos/libqos-malloc.h"
#include "tests/qtest/libqos/virtio.h"
#include "tests/qtest/libqos/virtio-pci.h"
#include "standard-headers/linux/virtio_config.h"
#include "standard-headers/linux/virtio_ring.h"
#include "standard-headers/linux/virtio_scsi.h"

#define QUEUES 3                    /* control, events, requests */
#define REQUEST HBA_STRUCTURES
#define RESPONSE (REQUEST + 4 * KiB)
#define RINGS (16 * MiB)
#define RINGS_END (HBA_RAM_MIB * MiB)

typedef struct State {
    QGuestAllocator alloc;
    QVirtioPCIDevice *device;
    QVirtQueue *requests;
} State;

static void start(Hba *h)
{
    QPCIAddress address = { .devfn = h->pci->devfn };
    QVirtioDevice *v;
    State *s = h->state;
    uint64_t features;

    if (!s) {
        h->state = s = g_new0(State, 1);
        alloc_init(&s->alloc, 0, RINGS, RINGS_END, 4096);
        s->device = virtio_pci_new(h->bus, &address);
        qvirtio_pci_device_enable(s->device);
    } else {
        qvirtqueue_cleanup(s->device->vdev.bus, s->requests, &s->alloc);
    }
    v = &s->device->vdev;
    qvirtio_start_device(v);
    features = qvirtio_get_features(v);
    features &= ~(QVIRTIO_F_BAD_FEATURE |
                  (1ull << VIRTIO_RING_F_INDIRECT_DESC) |
                  (1ull << VIRTIO_RING_F_EVENT_IDX));
    qvirtio_set_features(v, features);
    s->requests = qvirtqueue_setup(v, &s->alloc, QUEUES - 1);
    qvirtio_set_driver_ok(v);
}

static void add(Hba *h, const HbaElement *e, bool write, bool next)
{
    State *s = h->state;

    qvirtqueue_add(h->qts, s->requests, e->addr, e->bytes, write, next);
}

static void add_data(Hba *h, const HbaCommand *c, bool write)
{
    for (unsigned i = 0; i < c->n; i++) {
        add(h, &c->list[i], write, !write || i < c->n - 1);
    }
}

static int command(Hba *h, const HbaCommand *c)
{
    struct virtio_scsi_cmd_req request = { .lun = { 1, 0, 0x40 } };
    struct virtio_scsi_cmd_resp response;
    HbaElement out = { REQUEST, sizeof(request) };
    HbaElement in = { RESPONSE, sizeof(response) };
    State *s = h->state;
    QVirtioDevice *v = &s->device->vdev;
    int64_t since = 0;
    uint32_t head = s->requests->free_head;

    memcpy(request.cdb, c->cdb, sizeof(c->cdb));
    qtest_memwrite(h->qts, REQUEST, &request, sizeof(request));
    add(h, &out, false, true);
    if (c->to_device) {
        add_data(h, c, false);
    }
    add(h, &in, true, !c->to_device && c->n);
    if (!c->to_device) {
        add_data(h, c, true);
    }
    qvirtqueue_kick(h->qts, v, s->requests, head);
    while (!qvirtqueue_get_buf(h->qts, s->requests, NULL, NULL)) {
        if (v->bus->get_status(v) & VIRTIO_CONFIG_S_NEEDS_RESET ||
            !hba_patience(&since)) {
            return HBA_LOST;
        }
    }
    qvirtqueue_reset_pool(s->requests);
    qtest_memread(h->qts, RESPONSE, &response, sizeof(response));
    return response.response ? HBA_FAILED : response.status;
}

static void stop(Hba *h)
{
    State *s = h->state;

    qvirtqueue_cleanup(s->device->vdev.bus, s->requests, &s->alloc);
    qvirtio_pci_device_disable(s->device);
    s->device->obj.destructor(&s->device->obj);
    g_free(s->device);
    alloc_destroy(&s->alloc);
    g_free(s);
}

const HbaDriver hba_virtio_scsi = {
    .device = "virtio-scsi-pci", .bar = 4, .max_addr = UINT64_MAX,
    .max_bytes = UINT32_MAX, .autosense = true,
    .start = start, .command = command, .stop = stop,
};
