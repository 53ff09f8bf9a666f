/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Traces in the formats of other programs: what a format has to provide. A new
 * one is one file and one line in export.c.
 */
#ifndef TOOLS_EXPORT_H
#define TOOLS_EXPORT_H

#include "input.h"

struct export_format {
    const char *name;
    /*
     * Begin. path: the file to make, for a format with needs_file; the others
     * write to stdout. NULL, said on stderr, when that cannot be done.
     */
    void *(*begin)(const char *path);
    /* One command or record; false, said, when it cannot go on. */
    bool (*item)(void *state, const struct input *in, const struct td_item *item);
    /*
     * Complete what was begun, or, with complete = false, take it back. Frees
     * state; false, said, when the result cannot be used.
     */
    bool (*end)(void *state, bool complete);
    bool needs_file; /* cannot be written to a pipe */
};

extern const struct export_format export_csv, export_jsonl, export_pcapng, export_sqlite;

#endif
