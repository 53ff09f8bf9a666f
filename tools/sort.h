/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sorting of many numbers, stable, in time linear in their count. */
#ifndef TOOLS_SORT_H
#define TOOLS_SORT_H

#include <stddef.h>
#include <stdint.h>

struct sort_key {
    uint64_t key;
    uint32_t value;
};

/* Ascending by key; equal keys keep their order. */
void sort_keys(struct sort_key *keys, uint32_t n);

#endif
