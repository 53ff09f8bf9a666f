/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A SCSI disk, target 0 LUN 0, on virtio-scsi (VIRTIO 1.1, 5.6), for the load.
 * Commands: SPC-4 and SBC-3.
 */
#include "console.h"
#include "disk.h"
#include "memory.h"
#include "virtio.h"

#define PCI_VENDOR 0x1af4
#define DEVICE_MODERN 0x1048
#define DEVICE_TRANSITIONAL 0x1004

#define REQUEST_QUEUE 2 /* behind control and event */
#define CDB_SIZE 32     /* the default of the device's registers */
#define SENSE_SIZE 96
#define MAX_ELEMENT (4u << 20)
#define MAX_READY_TRIES 10 /* unit attentions */

/* 5.6.6.1: what the device reads, and what it writes. */
struct request_header {
    uint8_t lun[8];
    uint64_t id;
    uint8_t task_attribute, priority, crn;
    uint8_t cdb[CDB_SIZE];
} __attribute__((packed));

struct response {
    uint32_t sense_len;
    uint32_t residual;
    uint16_t status_qualifier;
    uint8_t status;
    uint8_t response;
    uint8_t sense[SENSE_SIZE];
};

_Static_assert(sizeof(struct request_header) == 51, "5.6.6.1");
_Static_assert(sizeof(struct response) == 12 + SENSE_SIZE, "5.6.6.1");

struct slot {
    struct request_header *header;
    volatile struct response *response;
    struct virtq_descriptor *table;
    uint32_t n;     /* entries of it */
    uint32_t bytes; /* of data */
};

static struct virtio device;
static struct virtq control, event, requests;
static struct slot slots[DISK_SLOTS];
static uint32_t outstanding;
static char model[29];

/* ---- Requests ---------------------------------------------------------------- */

static void put_big_endian(uint8_t *p, uint64_t value, unsigned bytes)
{
    while (bytes--) {
        p[bytes] = (uint8_t)value;
        value >>= 8;
    }
}

static uint64_t get_big_endian(const uint8_t *p, unsigned bytes)
{
    uint64_t value = 0;

    while (bytes--) {
        value = value << 8 | *p++;
    }
    return value;
}

static void add(struct slot *s, const volatile void *memory, uint32_t len, uint16_t flags)
{
    struct virtq_descriptor *d = &s->table[s->n++];

    d->addr = (uint64_t)memory;
    d->len = len;
    d->flags = flags | VIRTQ_DESC_NEXT;
    d->next = (uint16_t)s->n;
}

/* Lay a request out: header and data out, then response and data in. */
static void build(struct slot *s, const uint8_t *cdb, unsigned cdb_len, bool write,
                  const struct disk_element *elements, uint32_t n)
{
    memset(s->header->cdb, 0, CDB_SIZE);
    memcpy(s->header->cdb, cdb, cdb_len);
    s->response->response = 0xff;
    s->n = 0;
    s->bytes = 0;
    add(s, s->header, sizeof(*s->header), 0);
    if (!write) {
        add(s, s->response, sizeof(*s->response), VIRTQ_DESC_WRITE);
    }
    for (uint32_t i = 0; i < n; i++) {
        add(s, (const void *)elements[i].addr, elements[i].len, write ? 0 : VIRTQ_DESC_WRITE);
        s->bytes += elements[i].len;
    }
    if (write) {
        add(s, s->response, sizeof(*s->response), VIRTQ_DESC_WRITE);
    }
    s->table[s->n - 1].flags &= (uint16_t)~VIRTQ_DESC_NEXT;
}

/* READ or WRITE, of 10 bytes when the address and the length fit. */
static unsigned transfer_cdb(uint8_t cdb[16], const struct disk_request *r)
{
    bool fits = r->lba <= UINT32_MAX && r->blocks <= UINT16_MAX;

    memset(cdb, 0, 16);
    if (fits) {
        cdb[0] = r->write ? 0x2a : 0x28;
        put_big_endian(cdb + 2, r->lba, 4);
        put_big_endian(cdb + 7, r->blocks, 2);
        return 10;
    }
    cdb[0] = r->write ? 0x8a : 0x88;
    put_big_endian(cdb + 2, r->lba, 8);
    put_big_endian(cdb + 10, r->blocks, 4);
    return 16;
}

static void prepare(unsigned slot, const struct disk_request *request)
{
    uint8_t cdb[16];
    unsigned len = transfer_cdb(cdb, request);

    build(&slots[slot], cdb, len, request->write, request->elements, request->n_elements);
}

static void issue(uint32_t mask)
{
    outstanding |= mask;
    for (; mask; mask &= mask - 1) {
        unsigned slot = (unsigned)__builtin_ctz(mask);

        virtq_offer(&requests, (uint16_t)slot, slots[slot].table, slots[slot].n);
    }
    virtq_kick(&requests);
}

static void poll(struct disk_events *events)
{
    uint32_t slot;

    *events = (struct disk_events){ 0 };
    while (virtq_next(&requests, &slot)) {
        const volatile struct response *r = slots[slot].response;
        uint32_t bit = 1u << slot;

        if (slot >= DISK_SLOTS || !(outstanding & bit)) {
            die("virtio-scsi: descriptor %u is done, and was not offered", slot);
        }
        outstanding &= ~bit;
        if (r->response || r->status) {
            events->failed |= bit;
        } else {
            events->done |= bit;
        }
    }
}

static bool moved(unsigned slot, uint32_t bytes)
{
    return slots[slot].bytes == bytes && !slots[slot].response->residual;
}

static void tell_failure(unsigned slot)
{
    const volatile struct response *r = slots[slot].response;

    print("slot %u failed: response %u, status 0x%x, sense key 0x%x, code 0x%x 0x%x\n", slot,
          (uint32_t)r->response, (uint32_t)r->status, (uint32_t)r->sense[2] & 15,
          (uint32_t)r->sense[12], (uint32_t)r->sense[13]);
}

/* One command in slot 0 of an idle disk; false when it failed. */
static bool execute(const uint8_t *cdb, unsigned cdb_len, void *data, uint32_t len)
{
    struct disk_element element = { (uint64_t)data, len };
    struct disk_events events;

    build(&slots[0], cdb, cdb_len, false, &element, len ? 1 : 0);
    issue(1);
    do {
        poll(&events);
    } while (!(events.done | events.failed));
    return events.done;
}

static bool flush(void)
{
    static const uint8_t synchronize_cache[10] = { 0x35 };

    return execute(synchronize_cache, sizeof(synchronize_cache), NULL, 0);
}

static void close_disk(void)
{
    virtio_reset(&device);
}

static struct disk disk = {
    .model = model,
    .depth = DISK_SLOTS,
    .max_element = MAX_ELEMENT,
    .prepare = prepare,
    .issue = issue,
    .poll = poll,
    .moved = moved,
    .tell_failure = tell_failure,
    .flush = flush,
    .close = close_disk,
    .reset = close_disk,
};

/* ---- Start ------------------------------------------------------------------- */

static void allocate(uint32_t max_elements)
{
    for (unsigned i = 0; i < DISK_SLOTS; i++) {
        struct slot *s = &slots[i];

        s->header = memory_alloc(sizeof(*s->header), 64);
        s->response = memory_alloc(sizeof(*s->response), 64);
        s->table = memory_alloc((2 + max_elements) * sizeof(*s->table), 16);
        /* 5.6.6.1: 1, the target, the LUN in flat addressing (SAM-5 4.7.7). */
        s->header->lun[0] = 1;
        s->header->lun[2] = 0x40;
        s->header->id = i;
    }
}

static void identify(void)
{
    static const uint8_t ready[6] = { 0x00 };
    static const uint8_t inquiry[6] = { 0x12, 0, 0, 0, 36 };
    static const uint8_t read_capacity[16] = { 0x9e, 0x10, [13] = 32 };
    uint8_t *data = memory_alloc(64, 64);
    unsigned tries = 0;

    while (!execute(ready, sizeof(ready), NULL, 0)) {
        if (++tries == MAX_READY_TRIES) {
            tell_failure(0);
            die("the disk does not become ready");
        }
    }
    if (!execute(inquiry, sizeof(inquiry), data, 36)) {
        die("INQUIRY failed");
    }
    memcpy(model, data + 16, 16); /* PRODUCT IDENTIFICATION */
    for (unsigned n = 16; n && model[n - 1] == ' '; n--) {
        model[n - 1] = '\0';
    }
    if (!execute(read_capacity, sizeof(read_capacity), data, 32)) {
        die("READ CAPACITY(16) failed");
    }
    disk.blocks = get_big_endian(data, 8) + 1;
    disk.block_size = (uint32_t)get_big_endian(data + 8, 4);
}

const struct disk *virtio_scsi_disk_open(const struct disk_options *options)
{
    struct pci_device pci;

    if (!pci_find_id(PCI_VENDOR, DEVICE_MODERN, &pci) &&
        !pci_find_id(PCI_VENDOR, DEVICE_TRANSITIONAL, &pci)) {
        return NULL;
    }
    virtio_open(&device, pci);
    virtio_queue_open(&device, &control, 0, 1);
    virtio_queue_open(&device, &event, 1, 1);
    virtio_queue_open(&device, &requests, REQUEST_QUEUE, DISK_SLOTS);
    allocate(options->max_elements);
    virtio_start(&device);
    identify();
    return &disk;
}
