/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What `stat` counts, and the two ways it is printed. */
#ifndef TOOLS_STAT_H
#define TOOLS_STAT_H

#include <glib.h>

#include "histogram.h"
#include "input.h"
#include "json.h"

#define STAT_OPS 8           /* enum td_op */
#define STAT_STATUSES 4      /* in the order of stat_statuses */
#define STAT_TIME_BUCKETS 64 /* of throughput over time */

extern const enum td_status stat_statuses[STAT_STATUSES];

struct stat_operation {
    struct histogram bytes;      /* moved, of commands that moved any */
    struct histogram latency_ns; /* of completed commands */
    uint64_t commands, total_bytes;
};

struct stat_elements {
    struct histogram per_command; /* of commands that have any */
    struct histogram len;
    uint64_t unaligned_4096, unaligned_512, odd; /* address or length */
    uint64_t contiguous; /* continue the element before */
    uint64_t observed;
};

/*
 * Commands and bytes by the time of completion. The buckets' width doubles
 * whenever the trace turns out to be longer.
 */
struct stat_throughput {
    uint64_t start_ns, bucket_ns;
    uint64_t commands[STAT_TIME_BUCKETS], bytes[STAT_TIME_BUCKETS];
};

struct statistics {
    const char *path;
    uint64_t commands;
    uint64_t statuses[STAT_STATUSES];
    struct stat_operation operations[STAT_OPS];
    struct stat_elements elements;
    struct histogram depth; /* at submission */
    uint64_t with_lba, sequential;
    struct stat_throughput throughput;
    bool has_time;
    uint64_t first_ns, last_ns;
    uint64_t marks;
    GArray *devices; /* uint32_t: their numbers, each once */
    GArray *names;  /* struct stat_count: command names */
    GArray *flags;  /* "fua", "buffer-changed" … */
    GArray *errors; /* "error, sense 05/21/00" … */
    GArray *events; /* "reset" … */
    GArray *next_lba; /* by device number: where its last command ended, plus 1 */
};

/* The key is a constant of the library or ours, or interned: never freed. */
struct stat_count {
    const char *key;
    uint64_t count;
};

/* path names the trace in what is printed; it must live as long. */
struct statistics *statistics_new(const char *path);
void statistics_add(struct statistics *s, const struct td_item *item);
/* Call once, when all is added and before anything is printed. */
void statistics_finish(struct statistics *s);
void statistics_free(struct statistics *s);

void stat_print_text(const struct statistics *s, const struct input *in);
void stat_print_json(const struct statistics *s, const struct input *in);
/* The same object as a value in a document of the caller's. */
void stat_put_json(struct json *j, const struct statistics *s, const struct input *in);

#endif
