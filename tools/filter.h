/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which commands and records a subcommand looks at: the same options for all. */
#ifndef TOOLS_FILTER_H
#define TOOLS_FILTER_H

#include <glib.h>

#include "input.h"
#include "options.h"

/*
 * Options that were not given let everything pass. --op, --lba, --tag and
 * --status ask for commands, so they hide events and marks; --page also lets
 * events through that wrote to guest memory there, and --lba ranges of a TRIM.
 * LOST and damage always pass.
 */
struct filter {
    uint32_t ops;      /* bits 1 << enum td_op */
    uint32_t statuses; /* a bit for each word of --status */
    bool has_lba, has_page, has_tag, has_since;
    struct range lba;  /* blocks */
    struct range page; /* guest-physical bytes, whole pages */
    uint64_t tag;
    uint64_t since_ns;
    char *device, *from, *to;

    /* What was seen so far. */
    bool sought; /* the place where it begins, in the trace's index */
    bool from_seen, to_seen, at_end;
    uint64_t from_seq, to_seq;
    GPtrArray *names; /* devices' */
    GPtrArray *marks; /* names, each once */
};

/* The options, for a command line whose data is the filter; {NULL} at the end. */
extern const GOptionEntry filter_options[];
/* The same, with --until MARK for --to MARK. */
extern const GOptionEntry filter_options_until[];

void filter_init(struct filter *filter);
/* Initialize with the options of another one, for another trace. */
void filter_copy(struct filter *filter, const struct filter *from);
void filter_clear(struct filter *filter);

/* The next item that passes; false as input_next_item(). */
bool filter_next_item(struct filter *filter, struct input *in, bool follow, struct td_item *item);

/*
 * For records read by other means: show it all of them, in order; then it tells
 * whether the record `seq` of a device lies between its marks.
 */
void filter_see(struct filter *filter, const struct td_record *record);
bool filter_has(const struct filter *filter, const char *device, uint64_t seq);

/*
 * Close the input; returns the exit code: input_close()'s, or EXIT_TROUBLE
 * (said) when the whole trace was read and had no such device or mark.
 */
int filter_close_input(struct filter *filter, struct input *in);

#endif
