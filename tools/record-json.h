/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands and records as JSON objects, one a line. */
#ifndef TOOLS_RECORD_JSON_H
#define TOOLS_RECORD_JSON_H

#include "input.h"
#include "json.h"
#include "origin.h"

/* pages: also the pages that the elements touch. origin: NULL: without names. */
void command_print_json(struct json *j, const struct input *in, const struct td_command *c,
                        bool pages, const struct origin_options *origin);

void record_print_json(struct json *j, const struct input *in, const struct td_record *record);

/* The header line of a trace whose own HEADER record is missing. */
void missing_header_print_json(struct json *j);

#endif
