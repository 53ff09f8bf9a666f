/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk: what a PCI device does on the bus
 *
 * The observer is an IOMMU that translates nothing, laid over the region
 * through which the device reaches memory: QEMU asks it about every page of
 * every access.
 */
#include "qemu/osdep.h"
#include "compat.h"
#include "observe.h"

#define TYPE_TRACEDISK_OBSERVER_REGION "tracedisk-observer-region"

#define PAGE 4096
/*
 * All but the last page: a region of 2^64 bytes over another one of 2^64, as
 * the guest's IOMMU is, would fail an assertion where QEMU renders them.
 */
#define OBSERVED_BYTES (UINT64_MAX - (PAGE - 1))
/* Accesses remembered: with 256 KiB pieces a hundred times what is needed. */
#define MEMORY 8192
/* How far back a command's memory may have been accessed before it came. */
#define EARLY 1024

typedef struct Access {
    uint64_t addr;
    enum { USED, READ, WRITE } kind;
} Access;

struct TdObserver {
    IOMMUMemoryRegion *region;
    PCIDevice *pci;
    AddressSpace *as;
    unsigned users;
    bool early;
    uint64_t now;               /* accesses so far */
    Access accesses[MEMORY];
    QTAILQ_ENTRY(TdObserver) next;
};

typedef struct ObserverRegion {
    IOMMUMemoryRegion parent_obj;
    TdObserver *observer;
} ObserverRegion;

DECLARE_INSTANCE_CHECKER(ObserverRegion, OBSERVER_REGION,
                         TYPE_TRACEDISK_OBSERVER_REGION)

/* Under the big lock. */
static QTAILQ_HEAD(, TdObserver) observers =
    QTAILQ_HEAD_INITIALIZER(observers);

/* ---- Seeing ------------------------------------------------------------ */

static IOMMUTLBEntry translate(IOMMUMemoryRegion *iommu, hwaddr addr,
                               IOMMUAccessFlags flag, int iommu_idx)
{
    TdObserver *o = OBSERVER_REGION(iommu)->observer;
    bool enabled = pci_get_word(o->pci->config + PCI_COMMAND) &
                   PCI_COMMAND_MASTER;
    IOMMUTLBEntry entry = {
        .target_as = o->as,
        .iova = addr & ~(hwaddr)(PAGE - 1),
        .translated_addr = addr & ~(hwaddr)(PAGE - 1),
        .addr_mask = PAGE - 1,
        .perm = enabled ? IOMMU_RW : IOMMU_NONE,
    };

    if (enabled && (flag == IOMMU_RO || flag == IOMMU_WO)) {
        o->accesses[o->now++ % MEMORY] = (Access) {
            .addr = addr, .kind = flag == IOMMU_WO ? WRITE : READ,
        };
    }
    return entry;
}

AddressSpace *td_observer_address_space(TdObserver *o)
{
    return o->as;
}

uint64_t td_observer_now(const TdObserver *o)
{
    return o->now;
}

/* ---- Matching ---------------------------------------------------------- */

/* Up to the page's end; 0 when there is no RAM (reading could do things). */
static uint32_t read_page(AddressSpace *as, uint64_t addr, uint8_t *bytes)
{
    hwaddr len = PAGE - addr % PAGE;
    hwaddr xlat;
    MemoryRegion *mr;

    RCU_READ_LOCK_GUARD();
    mr = address_space_translate(as, addr, &xlat, &len, false,
                                 MEMTXATTRS_UNSPECIFIED);
    if (!td_memory_access_is_direct(mr, false) ||
        address_space_read(as, addr, MEMTXATTRS_UNSPECIFIED, bytes,
                           len) != MEMTX_OK) {
        return 0;
    }
    return len;
}

static uint32_t common_bytes(const uint8_t *a, const uint8_t *b, uint32_t n)
{
    uint32_t i = 0;

    if (!memcmp(a, b, n)) {
        return n;
    }
    while (a[i] == b[i]) {
        i++;
    }
    return i;
}

/* How many of the @left bytes at @buf are at @addr, up to the page's end */
static uint32_t bytes_at(TdObserver *o, uint64_t addr, const uint8_t *buf,
                         uint32_t left)
{
    uint8_t page[PAGE];
    uint32_t n = MIN(read_page(o->as, addr, page), left);

    return common_bytes(page, buf, n);
}

/* The next access of that kind after @i, or o->now. */
static uint64_t next_access(const TdObserver *o, uint64_t i, unsigned kind)
{
    while (++i < o->now && o->accesses[i % MEMORY].kind != kind) {
        continue;
    }
    return i;
}

#define ENOUGH 64               /* bytes that are not the same by chance */

/* The largest length, up to @most, after which @buf goes on at @addr. */
static uint32_t continued_at(TdObserver *o, uint64_t addr, const uint8_t *buf,
                             uint32_t most, uint32_t left)
{
    uint8_t page[PAGE];
    uint32_t n = MIN(read_page(o->as, addr, page), ENOUGH);
    uint32_t len = n ? most : 0;

    while (len && memcmp(buf + len, page, MIN(n, left - len))) {
        len--;
    }
    return len;
}

/*
 * An access that ends before its page does: the memory behind it may be the
 * same as the payload for some bytes. It ended where a later one goes on; in
 * between the device may access a few things of its own.
 */
static uint32_t cut(TdObserver *o, uint64_t i, unsigned kind,
                    const uint8_t *buf, uint32_t same, uint32_t left)
{
    for (unsigned tries = 0; tries < 16; tries++) {
        uint32_t len;

        i = next_access(o, i, kind);
        if (i >= o->now) {
            break;
        }
        len = continued_at(o, o->accesses[i % MEMORY].addr, buf, same, left);
        if (len) {
            return len;
        }
    }
    return same;
}

static void add(TdTransfer *t, uint64_t addr, uint32_t len, bool certain)
{
    struct td_element *last = &t->elements[t->n_elements - 1];
    uint32_t flags = TD_ELEMENT_OBSERVED |
                     (certain ? 0 : TD_ELEMENT_UNCERTAIN);

    /* Where the driver cut what lies in a row cannot be seen. */
    if (t->n_elements && last->addr + last->len == addr &&
        last->flags == flags) {
        last->len += len;
        t->list_bytes += len;
        return;
    }
    td_transfer_add_element(t, addr, len);
    t->elements[t->n_elements - 1].flags = flags;
}

bool td_observer_match(TdObserver *o, uint64_t since, DMADirection dir,
                       const uint8_t *buf, uint32_t bytes, TdTransfer *t)
{
    unsigned kind = dir == DMA_DIRECTION_FROM_DEVICE ? WRITE : READ;
    uint32_t first = t->n_elements;
    uint32_t found = 0;

    since -= o->early ? MIN(since, EARLY) : 0;
    since = MAX(since, o->now > MEMORY ? o->now - MEMORY : 0);
    for (uint64_t i = since; i < o->now && found < bytes; i++) {
        Access *a = &o->accesses[i % MEMORY];
        uint32_t left = bytes - found;
        uint32_t whole = MIN(left, PAGE - a->addr % PAGE);
        uint32_t same;

        if (a->kind != kind) {
            continue;
        }
        same = bytes_at(o, a->addr, buf + found, left);
        if (same && same < whole) {
            same = cut(o, i, kind, buf + found, same, left);
        }
        /*
         * Usually an access goes on to the end of its page, or of the payload.
         * A shorter one cannot be told from one that is none of the payload,
         * unless it is long; and where it ends is a guess.
         */
        if (same == whole || same >= ENOUGH) {
            add(t, a->addr, same, same == whole);
            found += same;
            a->kind = USED;
        }
    }
    for (uint32_t i = first; found < bytes && i < t->n_elements; i++) {
        t->elements[i].flags |= TD_ELEMENT_UNCERTAIN;
    }
    return found == bytes;
}

/* ---- Life -------------------------------------------------------------- */

TdObserver *td_observer_get(PCIDevice *pci, bool early)
{
    TdObserver *o;
    ObserverRegion *region;

    QTAILQ_FOREACH(o, &observers, next) {
        if (o->pci == pci) {
            o->users++;
            return o;
        }
    }
    o = g_new0(TdObserver, 1);
    o->pci = pci;
    o->early = early;
    o->users = 1;
    o->as = pci_device_iommu_address_space(pci);
    region = g_new0(ObserverRegion, 1);
    memory_region_init_iommu(region, sizeof(*region),
                             TYPE_TRACEDISK_OBSERVER_REGION, OBJECT(pci),
                             "tracedisk-observer", OBSERVED_BYTES);
    region->observer = o;
    o->region = &region->parent_obj;
    memory_region_add_subregion_overlap(&pci->bus_master_container_region, 0,
                                        MEMORY_REGION(region), 1);
    QTAILQ_INSERT_TAIL(&observers, o, next);
    return o;
}

void td_observer_put(TdObserver *o)
{
    if (!o || --o->users) {
        return;
    }
    memory_region_del_subregion(&o->pci->bus_master_container_region,
                                MEMORY_REGION(o->region));
    object_unparent(OBJECT(o->region));
    QTAILQ_REMOVE(&observers, o, next);
    g_free(o);
}

static void observer_region_class_init(ObjectClass *klass, TD_CLASS_DATA data)
{
    IOMMU_MEMORY_REGION_CLASS(klass)->translate = translate;
}

static const TypeInfo observer_region_info = {
    .name = TYPE_TRACEDISK_OBSERVER_REGION,
    .parent = TYPE_IOMMU_MEMORY_REGION,
    .instance_size = sizeof(ObserverRegion),
    .class_init = observer_region_class_init,
};

static void observer_register_types(void)
{
    type_register_static(&observer_region_info);
}

type_init(observer_register_types)
