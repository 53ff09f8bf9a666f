/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Standard output: its end, its colours, and text that is safe to print. */
#ifndef TOOLS_OUTPUT_H
#define TOOLS_OUTPUT_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

/* Call once, before anything is printed. */
void output_open(void);

/*
 * The same, with standard output going to a file, replaced when it exists, or,
 * path NULL, where it went. False, said on stderr, when it cannot be made.
 */
bool output_open_file(const char *path);

/*
 * A new file beside path, mode 0600, that takes path's name when it is
 * complete: *name is g_free()'d. Returns its descriptor, or -1, said on stderr:
 * also when something else than a file is at path.
 */
int output_open_unfinished(const char *path, char **name);

/* False when nobody can read what is printed any more: stop working. */
bool output_alive(void);

/* Before something is said on stderr, so that it comes after what was printed. */
void output_flush(void);

/*
 * Flush; returns status, or EXIT_TROUBLE (said) when output could not be
 * written. A pipe that its reader closed (head, less) is no trouble.
 */
int output_close(int status);

enum colour { COLOUR_NONE, COLOUR_DIM, COLOUR_BOLD, COLOUR_RED, COLOUR_YELLOW, COLOUR_CYAN };

/* The escape sequence, or "": only on a terminal, and never with NO_COLOR. */
const char *colour(enum colour colour);

/* May block elements and the like be printed? */
bool output_is_utf8(void);

/* Text of unknown origin, with control characters escaped; g_free() it. */
char *printable(const char *text);

/* "12.3us", "4.00 KiB"; buf of at least HUMAN_MAX bytes. Return buf. */
#define HUMAN_MAX 24
const char *human_time(uint64_t ns, char *buf);
const char *human_bytes(double bytes, char *buf);

#endif
