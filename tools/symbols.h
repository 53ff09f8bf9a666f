/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's symbols: names and lines for guest-virtual addresses, out of its
 * kernel's ELF file or of a copy of its /proc/kallsyms.
 */
#ifndef TOOLS_SYMBOLS_H
#define TOOLS_SYMBOLS_H

#include "libtracedisk/tracedisk.h"

struct symbols;

/*
 * FILE[+OFFSET]: an ELF file whose addresses are OFFSET lower than the guest's
 * (KASLR). NULL, said on stderr, when it cannot be used.
 */
struct symbols *symbols_open_elf(const char *word);
struct symbols *symbols_open_kallsyms(const char *path);
void symbols_close(struct symbols *s); /* NULL is fine */

struct symbol {
    const char *name;
    uint64_t offset;  /* of the address in it */
    const char *file; /* NULL: not known */
    int line;
};

/* False when the address is in no function. Texts live as long as s. */
bool symbols_find(struct symbols *s, uint64_t addr, struct symbol *found);

/* Whether it is an address of code. */
bool symbols_is_text(struct symbols *s, uint64_t addr);

/*
 * The return addresses above a command's doorbell, by the unwind information
 * of the ELF file, out of the stack that the trace has. 0: there is none.
 */
size_t symbols_unwind(struct symbols *s, const struct td_origin *origin,
                      const struct td_stack *stack, uint64_t *chain, size_t max);

#endif
