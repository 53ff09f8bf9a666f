/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A trace as a page to look at: what is collected of it, and how a page with
 * one trace or several, side by side, is printed.
 */
#ifndef TOOLS_REPORT_H
#define TOOLS_REPORT_H

#include "filter.h"
#include "lint.h"
#include "stat.h"

/* Commands that are drawn; of a longer trace every 2nd, 4th, … is. */
#define REPORT_COMMANDS (1u << 20)
#define REPORT_PAGES (1u << 20) /* guest pages told apart */
#define REPORT_SLOWEST 50
#define REPORT_ROWS 500 /* of errors, of events */

/* One dot of the charts. */
struct report_command {
    uint64_t seq, submit_ns, lba;
    uint64_t latency_ns; /* UINT64_MAX: pending */
    uint32_t blocks;
    uint16_t depth;
    uint8_t op, status;
};

struct report_page {
    uint64_t page; /* guest-physical address */
    uint32_t writes, reads; /* by the disk, to and from memory */
    uint64_t seq, ns, lba;  /* of the last command that wrote it; seq 0: none */
};

/* A line of a table. */
struct report_row {
    uint64_t seq, ns, value; /* value: latency, of slowest */
    char *text;
};

struct report_side {
    struct input in;
    struct filter filter;
    const char *path;
    struct statistics *statistics;
    GArray *commands; /* struct report_command, by submission */
    uint32_t stride;  /* each of so many commands is among them */
    uint64_t seen;
    GHashTable *pages;  /* address → struct report_page */
    uint64_t pages_left_out;
    GArray *slowest, *errors, *events; /* struct report_row */
    uint64_t n_errors, n_events;
    struct lint *lint;
    char *title; /* "q35, QEMU 7.2.22": what the header tells */
};

/*
 * Read what passes the filter of a trace. False, said on stderr, when it cannot
 * be read. report_side_close() returns the exit code as filter_close_input().
 */
bool report_side_read(struct report_side *side, const char *path, const struct filter *filter);
int report_side_close(struct report_side *side);

/*
 * Print the page on stdout. more (may be NULL) puts further members of the
 * page's data, for the page's script.
 */
void report_print(struct report_side *sides, size_t n, void (*more)(struct json *j, void *data),
                  void *data);

#endif
