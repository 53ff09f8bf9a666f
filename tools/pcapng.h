/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A pcapng file on stdout: the pcapng draft's blocks, as far as we need them.
 * Packets may be added a little out of order of their times; the file is in
 * order.
 */
#ifndef TOOLS_PCAPNG_H
#define TOOLS_PCAPNG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pcapng;

/* Section header; `application` is what made the file. */
struct pcapng *pcapng_new(const char *application);

/* Packets of this kind follow. Times are nanoseconds. Returns its number. */
uint32_t pcapng_add_interface(struct pcapng *p, uint16_t link_type, const char *name);

/* comments: at most 65,535 bytes each, the rest is cut off. */
void pcapng_add_packet(struct pcapng *p, uint32_t interface, uint64_t ns, const void *data,
                       size_t len, const char *const *comments, size_t n_comments);

/* Interface statistics with a comment: for what belongs to no packet. */
void pcapng_add_comment(struct pcapng *p, uint32_t interface, uint64_t ns, const char *comment);

/* Write what is left, and free. */
void pcapng_end(struct pcapng *p);

#endif
