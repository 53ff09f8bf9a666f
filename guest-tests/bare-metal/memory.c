/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory: what the PVH boot left free, handed out once and never taken back. */
#include "memory.h"

#include "console.h"

struct memmap_entry {
    uint64_t addr;
    uint64_t size;
    uint32_t type;
    uint32_t reserved;
};

#define MEMMAP_RAM 1

extern char kernel_end[];

static uint64_t next_free, end_of_ram;

void memory_init(const struct hvm_start_info *info)
{
    const struct memmap_entry *e = (const void *)info->memmap_paddr;

    if (info->magic != HVM_START_MAGIC || info->version < 1) {
        die("not started by a PVH loader of version 1");
    }
    next_free = (uint64_t)kernel_end;
    for (uint32_t i = 0; i < info->memmap_entries; i++, e++) {
        if (e->type == MEMMAP_RAM && e->addr <= next_free &&
            next_free < e->addr + e->size) {
            end_of_ram = e->addr + e->size;
        }
    }
}

void *memory_alloc(size_t size, size_t align)
{
    uint64_t at = (next_free + align - 1) & -(uint64_t)align;

    if (at + size > end_of_ram) {
        die("out of memory: give QEMU a larger -m");
    }
    next_free = at + size;
    return memset((void *)at, 0, size);
}

void *memset(void *to, int byte, size_t n)
{
    void *p = to;

    __asm__ volatile("rep stosb" : "+D"(p), "+c"(n) : "a"(byte) : "memory");
    return to;
}

void *memcpy(void *to, const void *from, size_t n)
{
    void *p = to;

    __asm__ volatile("rep movsb" : "+D"(p), "+S"(from), "+c"(n) : : "memory");
    return to;
}
