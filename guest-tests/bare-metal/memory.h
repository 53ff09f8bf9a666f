/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory: what the PVH boot left free, handed out once and never taken back. */
#ifndef MEMORY_H
#define MEMORY_H

#include <stddef.h>
#include <stdint.h>

/* Xen's hvm_start_info, version 1 (QEMU fills in that one). */
struct hvm_start_info {
    uint32_t magic;
    uint32_t version;
    uint32_t flags;
    uint32_t nr_modules;
    uint64_t modlist_paddr;
    uint64_t cmdline_paddr;
    uint64_t rsdp_paddr;
    uint64_t memmap_paddr;
    uint32_t memmap_entries;
    uint32_t reserved;
};

#define HVM_START_MAGIC 0x336ec578

/* Find the RAM behind the kernel. */
void memory_init(const struct hvm_start_info *info);

/*
 * Zeroed memory, aligned to a power of two. Its address is also its physical
 * address, below 4 GiB. Dies when there is not enough: -m is too small.
 */
void *memory_alloc(size_t size, size_t align);

/* gcc calls these two on its own. */
void *memset(void *to, int byte, size_t n);
void *memcpy(void *to, const void *from, size_t n);

#endif
