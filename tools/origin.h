/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who asked for a command: what the trace has of its doorbell, and names for it. */
#ifndef TOOLS_ORIGIN_H
#define TOOLS_ORIGIN_H

#include <glib.h>

#include "input.h"
#include "json.h"
#include "symbols.h"

/* The command-line options, and what they ask for. */
struct origin_options {
    gboolean wanted; /* --origin, or one of the next two */
    char *elf;       /* --symbols */
    char *kallsyms;  /* --kallsyms */
    struct symbols *symbols;
};

#define ORIGIN_OPTION_ENTRIES(options)                                                     \
    { "origin", 0, 0, G_OPTION_ARG_NONE, &(options)->wanted,                               \
      "print who issued each command (origin=on)", NULL },                                 \
    { "symbols", 0, 0, G_OPTION_ARG_FILENAME, &(options)->elf,                             \
      "likewise, with names and lines of the guest kernel's ELF file", "VMLINUX[+OFFSET]" }, \
    { "kallsyms", 0, 0, G_OPTION_ARG_FILENAME, &(options)->kallsyms,                       \
      "likewise, with names of the guest's /proc/kallsyms", "FILE" }

/* Open what was named. False, said on stderr, when it cannot be. */
bool origin_options_open(struct origin_options *options);
void origin_options_close(struct origin_options *options);

/* Lines, each `indent` columns in; nothing when the command has no origin. */
void origin_print_text(const struct origin_options *options, const struct td_command *c,
                       int indent);

/*
 * The members "origin" and, with symbols, "frames" of the command's object.
 * options NULL: without.
 */
void origin_print_json(struct json *j, const struct origin_options *options,
                       const struct td_command *c);

#endif
