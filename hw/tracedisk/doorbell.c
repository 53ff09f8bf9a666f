/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk: doorbells that HBAs answer later
 */
#include "qemu/osdep.h"
#include "compat.h"
#include "doorbell.h"
#include "qemu/rcu.h"

#define DOORBELL_BYTES 4

static const struct {
    const char *hba;
    hwaddr offset;              /* in each of its BARs */
} doorbells[] = {
    { "mptsas1068", 0x40 },     /* MPI 1.x: the request post FIFO */
};

/* What lies over the register of one HBA, once in each BAR. */
typedef struct Cover {
    struct rcu_head rcu;
    PCIDevice *pci;
    QTAILQ_HEAD(, TdDoorbell) disks;
    struct CoveredBar {
        struct Cover *cover;
        MemoryRegion *bar;
        hwaddr offset;
        MemoryRegion region;
    } bars[PCI_NUM_REGIONS];
    QTAILQ_ENTRY(Cover) next;
} Cover;

struct TdDoorbell {
    TdOrigins *origins;
    TdOrigin last;
    Cover *cover;
    QTAILQ_ENTRY(TdDoorbell) next;
};

/* Under the big lock. */
static QTAILQ_HEAD(, Cover) covers = QTAILQ_HEAD_INITIALIZER(covers);

/* ---- The register ------------------------------------------------------ */

static MemTxResult covered_read(void *opaque, hwaddr addr, uint64_t *data,
                                unsigned size, MemTxAttrs attrs)
{
    struct CoveredBar *b = opaque;

    return memory_region_dispatch_read(b->bar, b->offset + addr, data,
                                       size_memop(size) | MO_LE, attrs);
}

static MemTxResult covered_write(void *opaque, hwaddr addr, uint64_t data,
                                 unsigned size, MemTxAttrs attrs)
{
    struct CoveredBar *b = opaque;
    TdDoorbell *d;

    QTAILQ_FOREACH(d, &b->cover->disks, next) {
        td_origin_note(d->origins, &d->last);
    }
    return memory_region_dispatch_write(b->bar, b->offset + addr, data,
                                        size_memop(size) | MO_LE, attrs);
}

static const MemoryRegionOps covered_ops = {
    .read_with_attrs = covered_read,
    .write_with_attrs = covered_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = DOORBELL_BYTES },
    .impl = { .min_access_size = 1, .max_access_size = DOORBELL_BYTES },
};

void td_doorbell_infer(const TdDoorbell *d, TdOrigin *origin)
{
    if (d && origin && origin->told.kind == TD_ORIGIN_UNSEEN &&
        d->last.told.kind == TD_ORIGIN_DOORBELL) {
        *origin = d->last;
        origin->told.kind = TD_ORIGIN_INFERRED;
    }
}

/* ---- Life -------------------------------------------------------------- */

/* The regions have no owner: its guard would take passing on for re-entry. */
static Cover *cover_new(PCIDevice *pci, hwaddr offset)
{
    Cover *c = g_new0(Cover, 1);

    c->pci = pci;
    QTAILQ_INIT(&c->disks);
    for (int i = 0; i < PCI_NUM_REGIONS; i++) {
        struct CoveredBar *b = &c->bars[i];

        b->bar = pci->io_regions[i].size >= offset + DOORBELL_BYTES &&
                 i != PCI_ROM_SLOT ? pci->io_regions[i].memory : NULL;
        if (b->bar) {
            b->cover = c;
            b->offset = offset;
            memory_region_init_io(&b->region, NULL, &covered_ops, b,
                                  "tracedisk-doorbell", DOORBELL_BYTES);
            memory_region_add_subregion_overlap(b->bar, offset, &b->region, 1);
        }
    }
    QTAILQ_INSERT_TAIL(&covers, c, next);
    return c;
}

static void cover_free(Cover *c)
{
    for (int i = 0; i < PCI_NUM_REGIONS; i++) {
        if (c->bars[i].bar) {
            memory_region_del_subregion(c->bars[i].bar, &c->bars[i].region);
            object_unparent(OBJECT(&c->bars[i].region));
        }
    }
    QTAILQ_REMOVE(&covers, c, next);
    g_free_rcu(c, rcu);
}

static Cover *cover_get(PCIDevice *pci, hwaddr offset)
{
    Cover *c;

    QTAILQ_FOREACH(c, &covers, next) {
        if (c->pci == pci) {
            return c;
        }
    }
    return cover_new(pci, offset);
}

TdDoorbell *td_doorbell_new(DeviceState *hba, TdOrigins *origins)
{
    for (size_t i = 0; i < ARRAY_SIZE(doorbells); i++) {
        if (object_dynamic_cast(OBJECT(hba), doorbells[i].hba)) {
            TdDoorbell *d = g_new0(TdDoorbell, 1);

            d->origins = origins;
            d->cover = cover_get(PCI_DEVICE(hba), doorbells[i].offset);
            QTAILQ_INSERT_TAIL(&d->cover->disks, d, next);
            return d;
        }
    }
    return NULL;
}

void td_doorbell_free(TdDoorbell *d)
{
    if (!d) {
        return;
    }
    QTAILQ_REMOVE(&d->cover->disks, d, next);
    if (QTAILQ_EMPTY(&d->cover->disks)) {
        cover_free(d->cover);
    }
    g_free(d);
}
