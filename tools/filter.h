/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which commands and records `dump` prints. */
#ifndef TOOLS_FILTER_H
#define TOOLS_FILTER_H

#include <glib.h>

#include "input.h"
#include "options.h"

/*
 * Options that were not given let everything pass. --op, --lba, --tag and
 * --status ask for commands, so they hide events and marks; --page also lets
 * events through that wrote to guest memory there. LOST and damage always pass.
 */
struct filter {
    uint32_t ops;      /* bits 1 << enum td_op */
    uint32_t statuses; /* bits of the words for --status */
    bool has_lba, has_page, has_tag, has_since;
    struct range lba;  /* blocks */
    struct range page; /* guest-physical bytes, whole pages */
    uint64_t tag;
    uint64_t since_ns;
    char *device, *from, *to;

    /* What was seen so far. */
    bool from_seen, to_seen;
    uint64_t from_seq, to_seq;
    GPtrArray *names; /* devices' */
    GPtrArray *marks; /* names, each once */
};

/* The options, for a command line whose data is the filter; {NULL} at the end. */
extern const GOptionEntry filter_options[];

void filter_init(struct filter *filter);
void filter_clear(struct filter *filter);

/* Call for every item in order: marks and devices change the filter's state. */
bool filter_passes(struct filter *filter, const struct input *in, const struct td_item *item);

/* At the end of a trace: false (said) when it had no such device or mark. */
bool filter_was_satisfied(const struct filter *filter, const struct input *in);

#endif
