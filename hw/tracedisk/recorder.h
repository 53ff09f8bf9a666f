/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk: the devices' view of a trace file
 *
 * A recorder is one device's way into a trace. It knows when to write, to
 * which file (several devices may share one), and what to do when the disk
 * under the file is full. Each record is also a QEMU trace event tracedisk_*.
 */
#ifndef HW_TRACEDISK_RECORDER_H
#define HW_TRACEDISK_RECORDER_H

#include "libtracedisk/tracedisk.h"

typedef struct TdRecorder TdRecorder;

typedef enum TdOverflow {
    /* No record is dropped: the VM is paused until there is space again. */
    TD_OVERFLOW_BLOCK,
    /* The VM goes on; what was lost is counted, and recorded when possible. */
    TD_OVERFLOW_DROP,
} TdOverflow;

/* What a user reads as the property "statistics". */
typedef struct TdRecorderStatistics {
    uint64_t commands;
    uint64_t completions;
    uint64_t bytes;
    uint64_t events;
    uint64_t lost;
    uint64_t trace_records;
    uint64_t trace_bytes;
} TdRecorderStatistics;

/*
 * Join the trace at @path, created when no other device has it open; an
 * existing file is kept as <path>.old. @path NULL: no file. @device describes
 * the caller; its id is assigned here.
 */
TdRecorder *td_recorder_new(const char *path, TdOverflow overflow,
                            const struct td_device *device, Error **errp);
void td_recorder_free(TdRecorder *r);

/*
 * Record a command; returns the sequence number that names it, 0 when it was
 * not recorded (recording is off, no file, or lost).
 */
uint64_t td_recorder_submit(TdRecorder *r, struct td_submit *submit);
/* Record a stack; returns its sequence number, or 0 as above. */
uint64_t td_recorder_stack(TdRecorder *r, struct td_stack *stack);
/* Not recorded when @complete->submit_seq is 0. */
void td_recorder_complete(TdRecorder *r, struct td_complete *complete);
void td_recorder_event(TdRecorder *r, struct td_event *event);
void td_recorder_mark(TdRecorder *r, const char *name);

/*
 * payload=all: the bytes of commands, see td_keeper_*() of libtracedisk. A
 * payload that was not kept is counted as a lost record.
 */
typedef enum TdKept {
    TD_KEPT,
    /* The disk is full, and the VM is about to pause: try again after that. */
    TD_KEPT_LATER,
    TD_KEPT_NOT,
} TdKept;

struct td_keeper *td_recorder_new_keeper(TdRecorder *r);
/* @done: how many of the bytes need not come again. */
TdKept td_recorder_keep(TdRecorder *r, struct td_keeper *keeper,
                        const void *data, size_t bytes, size_t *done);
TdKept td_recorder_keep_end(TdRecorder *r, struct td_keeper *keeper);

/* Count a record that is given up. */
void td_recorder_lose(TdRecorder *r);

/*
 * Shorthands: an event of a port with a text, and one for what the driver did
 * wrong. Like td_recorder_event() they do nothing with @r NULL, a port without
 * a disk.
 */
void td_recorder_port_event(TdRecorder *r, enum td_event_type type,
                            uint32_t port, const char *text);
void td_recorder_guest_error(TdRecorder *r, uint32_t port, const char *fmt, ...)
    G_GNUC_PRINTF(3, 4);

bool td_recorder_get_recording(const TdRecorder *r);
void td_recorder_set_recording(TdRecorder *r, bool on);
void td_recorder_get_statistics(const TdRecorder *r, TdRecorderStatistics *st);

/* The properties "recording", "mark" and "statistics" on a device. */
void td_recorder_add_properties(Object *obj, TdRecorder **r);

#endif
