/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk: guest memory as a scatter-gather list names it
 *
 * The direct way maps it, and wants plain RAM, no two elements on the same
 * bytes, and at most IOV_MAX pieces. The slow way copies, piece by piece, to
 * and from whatever is there: a hole, ROM, a device, a page named twice.
 */
#include "qemu/osdep.h"
#include "compat.h"
#include "disk-internal.h"

/*
 * A transfer that writes to a device's registers may come back into our own.
 * QEMU's guard stops that only while an MMIO access is being served, but our
 * transfers also run from the main loop: front ends ask here.
 */
static __thread unsigned device_dma_depth;

bool td_disk_in_device_dma(void)
{
    return device_dma_depth > 0;
}

MemTxResult td_dma_write(AddressSpace *as, uint64_t addr, const void *buf,
                         uint64_t len)
{
    MemTxResult result;

    device_dma_depth++;
    result = dma_memory_write(as, addr, buf, len, MEMTXATTRS_UNSPECIFIED);
    device_dma_depth--;
    return result;
}

/* ---- The list ---------------------------------------------------------- */

/* More room for an array that may still be where its @few are. */
static void *grow(void *array, void *few, uint32_t *capacity, size_t size)
{
    uint32_t old = *capacity;
    void *more;

    *capacity = MAX(16, 2 * old);
    if (array != few) {
        return g_realloc_n(array, *capacity, size);
    }
    more = g_malloc_n(*capacity, size);
    memcpy(more, few, old * size);
    return more;
}

void td_transfer_add_element(TdTransfer *t, uint64_t addr, uint32_t len)
{
    if (t->n_elements == t->capacity) {
        t->elements = grow(t->elements, t->few_elements, &t->capacity,
                           sizeof(*t->elements));
    }
    t->elements[t->n_elements++] = (struct td_element) {
        .addr = addr, .len = len,
    };
    t->list_bytes += len;
}

static gint compare_elements(gconstpointer a, gconstpointer b)
{
    const struct td_element *x = a, *y = b;

    return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static bool elements_overlap(const TdTransfer *t)
{
    g_autofree struct td_element *sorted = NULL;
    uint32_t i;

    /* The usual list ascends: then a glance at the neighbours is enough. */
    for (i = 1; i < t->n_elements; i++) {
        if (t->elements[i].addr <
            t->elements[i - 1].addr + t->elements[i - 1].len) {
            break;
        }
    }
    if (i >= t->n_elements) {
        return false;
    }
    sorted = g_new(struct td_element, t->n_elements);
    memcpy(sorted, t->elements, t->n_elements * sizeof(*sorted));
    qsort(sorted, t->n_elements, sizeof(*sorted), compare_elements);
    for (i = 1; i < t->n_elements; i++) {
        if (sorted[i].addr < sorted[i - 1].addr + sorted[i - 1].len) {
            return true;
        }
    }
    return false;
}

/* ---- Guest memory, the direct way -------------------------------------- */

void td_list_unmap(TdTransfer *t, DMADirection dir, uint64_t accessed)
{
    for (int i = 0; i < t->n_iov; i++) {
        uint64_t len = MIN(accessed, t->iov[i].iov_len);

        dma_memory_unmap(t->as, t->iov[i].iov_base, t->iov[i].iov_len, dir,
                         len);
        accessed -= len;
    }
    t->n_iov = 0;
}

static void append_iov(TdTransfer *t, void *base, size_t len)
{
    if (t->n_iov == t->iov_capacity) {
        t->iov = grow(t->iov, t->few_iov, &t->iov_capacity, sizeof(*t->iov));
    }
    t->iov[t->n_iov++] = (struct iovec) { .iov_base = base, .iov_len = len };
}

static bool is_plain_ram(AddressSpace *as, uint64_t addr, hwaddr *len,
                         bool is_write)
{
    hwaddr xlat;
    MemoryRegion *mr;

    RCU_READ_LOCK_GUARD();
    mr = address_space_translate(as, addr, &xlat, len, is_write,
                                 MEMTXATTRS_UNSPECIFIED);
    return td_memory_access_is_direct(mr, is_write);
}

/*
 * Map @len bytes or less; NULL when it is not RAM. What is not, QEMU maps as a
 * copy, for which it reads a device's registers: ask before, then. Where the
 * disk only writes, a look at the pointer tells, and is faster.
 */
static void *map_ram(TdTransfer *t, uint64_t addr, dma_addr_t *len,
                     DMADirection dir)
{
    ram_addr_t unused;
    void *host;

    if (dir == DMA_DIRECTION_TO_DEVICE &&
        !is_plain_ram(t->as, addr, len, false)) {
        return NULL;
    }
    host = dma_memory_map(t->as, addr, len, dir, MEMTXATTRS_UNSPECIFIED);
    if (host && dir == DMA_DIRECTION_FROM_DEVICE &&
        !memory_region_from_host(host, &unused)) {
        dma_memory_unmap(t->as, host, *len, dir, 0);
        return NULL;
    }
    return host;
}

/* Map one run of bus addresses; false when it is not all RAM, or too much. */
static bool map_run(TdTransfer *t, uint64_t addr, uint64_t bytes,
                    DMADirection dir)
{
    while (bytes) {
        dma_addr_t len = bytes;
        void *host = t->n_iov < IOV_MAX ? map_ram(t, addr, &len, dir) : NULL;

        if (!host) {
            return false;
        }
        append_iov(t, host, len);
        addr += len;
        bytes -= len;
    }
    return true;
}

bool td_list_map(TdTransfer *t, uint64_t bytes, DMADirection dir)
{
    uint32_t i = 0;

    if (elements_overlap(t)) {
        return false;
    }
    while (bytes) {
        uint64_t start = t->elements[i].addr;
        uint64_t len = t->elements[i].len;

        while (++i < t->n_elements && t->elements[i].addr == start + len) {
            len += t->elements[i].len;
        }
        len = MIN(len, bytes);
        if (!map_run(t, start, len, dir)) {
            td_list_unmap(t, dir, 0);
            return false;
        }
        bytes -= len;
    }
    return true;
}

/* ---- Guest memory, the slow way ---------------------------------------- */

void td_list_copy(TdTransfer *t, TdListCursor *at, uint8_t *buf,
                      uint64_t bytes, DMADirection dir)
{
    bool is_write = dir == DMA_DIRECTION_FROM_DEVICE;

    while (bytes) {
        const struct td_element *e = &t->elements[at->element];
        hwaddr len = MIN(bytes, e->len - at->offset);
        uint64_t addr = e->addr + at->offset;
        bool ram;
        MemTxResult result;

        if (!len) {
            at->element++;
            at->offset = 0;
            continue;
        }
        ram = is_plain_ram(t->as, addr, &len, is_write);
        device_dma_depth += !ram;
        result = dma_memory_rw(t->as, addr, buf, len, dir,
                               MEMTXATTRS_UNSPECIFIED);
        device_dma_depth -= !ram;
        if (!ram || result != MEMTX_OK) {
            t->result.flags |= TD_OUTSIDE_RAM;
        }
        if (!is_write && result != MEMTX_OK) {
            /* What a bus without a target answers (PCI 3.0, 3.3.3.1). */
            memset(buf, 0xff, len);
        }
        buf += len;
        bytes -= len;
        at->offset += len;
    }
}
