/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A trace being read by a subcommand: opens it, says damage and loss on
 * stderr, shows progress, and knows the exit code that all this calls for.
 */
#ifndef TOOLS_INPUT_H
#define TOOLS_INPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "libtracedisk/tracedisk.h"

struct input {
    const char *path;
    struct td_reader *reader;
    struct td_commands *commands; /* opened by the first input_next_item() */
    bool keep_stacks;             /* give commands their stacks; set before */
    bool failed;                  /* reading ended early */
    uint64_t damaged_places, damaged_bytes;
    uint64_t lost_records;
    bool show_progress, progress_shown;
    uint64_t steps;
    int64_t start_us, shown_us;
};

/* False, said on stderr, when the trace cannot be read. Needs no closing then. */
bool input_open(struct input *in, const char *path);

/*
 * Say what is left to say and free; returns the exit code: EXIT_FINE,
 * EXIT_FINDINGS when something of the trace is missing, EXIT_TROUBLE when
 * reading failed.
 */
int input_close(struct input *in);

/* Before the first item: read only a part of the trace, as td_reader_seek(). */
void input_seek(struct input *in, uint64_t from, uint64_t until);

/* Is there a file at path, and is it the trace itself, by whatever name? */
bool input_is_file(const char *trace, const char *path);

/* The next item or record; false at the end, or (said) when reading failed. */
bool input_next_item(struct input *in, bool follow, struct td_item *item);
bool input_next_record(struct input *in, struct td_record *record);

/* "65536 bytes at offset 131072: a block's checksum is wrong (of records …)". */
#define DAMAGE_TEXT_MAX 512
const char *damage_text(const struct td_damage *damage, char buf[DAMAGE_TEXT_MAX]);

#define DEVICE_NAME_MAX 16

/* The device's name, or "#3" in buf when the trace does not tell it. */
const char *input_device_name(const struct input *in, uint32_t id, char buf[DEVICE_NAME_MAX]);

/* The device's logical block size; 512 when the trace does not tell it. */
uint32_t input_block_size(const struct input *in, uint32_t id);

#endif
