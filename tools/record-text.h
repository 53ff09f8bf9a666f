/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands and records as lines that a person reads. */
#ifndef TOOLS_RECORD_TEXT_H
#define TOOLS_RECORD_TEXT_H

#include "input.h"

/* Where the lines below a command's begin. */
#define ELEMENT_INDENT 34

struct text_options {
    bool elements; /* a line more for every element and FIS, and the whole hash */
    bool pages;    /* a line more for every page of every element */
};

void titles_print_text(void);

void command_print_text(const struct text_options *options, const struct input *in,
                        const struct td_command *c);

void record_print_text(const struct input *in, const struct td_record *record);

/* Time, device and sequence number: what every line begins with. */
void line_start_print_text(uint64_t ns, const char *device, uint64_t seq);

/* Nothing, or two blanks and the hash, cut short unless `whole`. */
void digest_print_text(const struct td_digest *digest, bool whole);

/* "    1.234567890": seconds of the virtual clock. */
#define TIME_TEXT_MAX 32
const char *time_text(uint64_t ns, char buf[TIME_TEXT_MAX]);

#endif
