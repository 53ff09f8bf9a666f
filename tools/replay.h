/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk replay: the commands of a trace, given to another disk.
 *
 *     replay.c          the command line, what is told
 *     replay-run.c      which command when: the recorded order
 *     replay-plan.c     what a command means for an image
 *     replay-compare.c  is it what was recorded?
 *     replay-nbd.c      a target: an image behind qemu-nbd, or an NBD export
 *     replay-iscsi.c    a target: a logical unit of an iSCSI target
 */
#ifndef TOOLS_REPLAY_H
#define TOOLS_REPLAY_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "input.h"

/* ---- Work for a target ---- */

enum replay_action {
    REPLAY_READ,
    REPLAY_WRITE,
    REPLAY_COMPARE, /* with the buffer; then write what follows it, if anything */
    REPLAY_FLUSH,
    REPLAY_TRIM,
    REPLAY_ZERO,
    REPLAY_COMMAND, /* iSCSI: a CDB that is none of these */
};

struct replay_range {
    uint64_t offset, bytes;
};

/* Sense is told where the target has it. */
struct replay_result {
    bool failed;
    char why[120]; /* when it failed: for people */
    bool has_scsi;
    uint8_t scsi_status;
    uint8_t sense[TD_MAX_SENSE];
    uint32_t sense_len;
    uint64_t bytes; /* read */
};

/* A command on its way. */
struct replay_job {
    struct td_command command; /* as recorded, with its own copies of all it points to */
    enum replay_action action;
    bool fua;
    bool same;                   /* the buffer is one block, for all of the range */
    uint32_t block_size;         /* of the recorded device */
    uint64_t offset, bytes;      /* on the disk */
    struct replay_range *ranges; /* of REPLAY_TRIM */
    size_t n_ranges;
    uint8_t *buf;
    uint64_t buf_len;
    struct replay_result result;
    bool issued, done;
    bool raced;       /* a read whose blocks were written meanwhile: several answers are right */
    GList *link;      /* the runner's */
    unsigned pending; /* the target's: requests that make it up */
    void *data;       /* the target's */
};

struct replay_target;

struct replay_target_ops {
    /* What the job shall do here: NULL, or why it does nothing: "no counterpart". */
    const char *(*plan)(struct replay_target *target, struct replay_job *job);
    /* Begin; job->done is set here or by work(). */
    void (*start)(struct replay_target *target, struct replay_job *job);
    /* Wait for progress, at most so long (ms; -1: until there is some). False, said:
       the connection is lost. */
    bool (*work)(struct replay_target *target, int timeout);
    void (*close)(struct replay_target *target);
};

struct replay_target {
    const struct replay_target_ops *ops;
    uint64_t bytes;
    uint32_t block_size; /* 0: any */
    bool is_scsi;        /* its statuses and sense can be compared */
};

/* NULL, said on stderr, when it cannot be opened. */
struct replay_target *replay_open_nbd(const char *target, const char *format, bool read_only);
struct replay_target *replay_open_iscsi(const char *url);

/* ---- What the commands mean ---- */

/* Why a command is not done again. */
extern const char REPLAY_BYTES_UNKNOWN[]; /* its bytes are not in the trace */

/* For targets that know blocks only; as ops->plan(). */
const char *replay_plan_blocks(struct replay_job *job);

/* The ranges of a TRIM or UNMAP, out of its payload; false when it is malformed. */
bool replay_plan_trim(struct replay_job *job);

/* ---- Comparing ---- */

enum replay_verdict { REPLAY_SAME, REPLAY_STATUS_DIFFERS, REPLAY_DATA_DIFFER };

struct replay_difference {
    enum replay_verdict verdict;
    bool checked;                /* the bytes were compared */
    bool has_block;              /* the first block that differs is known */
    uint64_t block;              /* an LBA */
    char recorded[40], now[160]; /* statuses, or hashes */
};

/* What the job's result and the recording differ in. */
void replay_compare(struct td_reader *reader, const struct replay_job *job,
                    const struct replay_target *target, struct replay_difference *difference);

/* ---- A run ---- */

struct replay_options {
    double speed; /* 0: as fast as it goes */
    bool reads_only;
    const char *device; /* NULL: the only one */
};

struct replay_counts {
    uint64_t same, unchecked, status_differs, data_differ;
    uint64_t skipped; /* not done again: see reasons */
};

struct replay {
    struct replay_options options;
    struct replay_target *target;
    struct replay_counts counts;
    /* "name\tbecause" -> how many commands, allocated */
    GHashTable *reasons;
    double seconds, recorded_seconds;
    uint64_t bytes_read, bytes_written;
    /* Called for each command that is not the same. */
    void (*differs)(const struct replay_job *job, const struct replay_difference *difference,
                    void *data);
    void *data;
};

/* False, said on stderr, when it cannot go on. */
bool replay_run(struct replay *replay, struct input *in);

#endif
