/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Command lines: options through GOption, and the words they take. */
#ifndef TOOLS_OPTIONS_H
#define TOOLS_OPTIONS_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Both ends included. */
struct range {
    uint64_t first, last;
};

struct command_line {
    const char *arguments; /* for the usage line: "TRACE" */
    const char *summary;
    const char *description; /* printed after the options; may be NULL */
    const GOptionEntry *entries;
    const GOptionEntry *group; /* more entries; may be NULL */
    void *data;        /* what the entries' callbacks get */
    int operands;      /* how many must be left; -1: any, options end at the first */
    int more_operands; /* how many more may be; -1: any */
    bool keep_double_dash; /* a "--" between operands means something */
};

/*
 * Parse; prints help and exits for --help. False, said on stderr, when the
 * words make no sense. The operands are left in argv[1 … argc - 1].
 */
bool command_line_parse(const struct command_line *line, int *argc, char ***argv);

/* Decimal or 0x…: an unsigned 64-bit number. */
bool parse_number(const char *word, uint64_t *number);

/* A, A-B (both included) or A+N. */
bool parse_range(const char *word, struct range *range);

/* Nanoseconds, or a number with a unit: 1.5s, 200ms, 30us, 7ns. */
bool parse_time(const char *word, uint64_t *ns);

#endif
