/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk: DMA watches
 *
 * A watch is a guest-physical range. A device access that overlaps it stops
 * the VM, after the bytes have moved and before the guest can learn of the
 * command's completion: what a debugger's watchpoint does for the CPU.
 */
#ifndef HW_TRACEDISK_WATCH_H
#define HW_TRACEDISK_WATCH_H

#include "origin.h"

typedef struct TdWatches TdWatches;

enum {
    TD_WATCH_READ = 1 << 0,     /* the device reads memory */
    TD_WATCH_WRITE = 1 << 1,    /* the device writes memory */
};

#define TD_WATCH_BYTES 64       /* of old and new content that are kept */

/* One run of guest memory that a command accessed, or is about to. */
typedef struct TdAccess {
    uint64_t addr;
    uint64_t len;
    unsigned direction;         /* TD_WATCH_READ or TD_WATCH_WRITE */
    int64_t lba;                /* of its first byte; -1: not from the media */
    uint32_t block_size;
    int32_t element;            /* index in the list; -1: HBA metadata */
    uint64_t command;           /* td_watches_command(): a hit counts once */
} TdAccess;

/* What a watch saw; "watch-hits" and "last-watch-hit" to the user. */
typedef struct TdWatchHit {
    uint64_t number;            /* from 1; 0: none */
    bool stop;                  /* the VM is to stop */
    TdAccess access;            /* cut to the watched bytes */
    uint64_t offset;            /* of access.addr in its element */
    int32_t earlier_element;    /* of the same command and bytes; -1: none */
    uint64_t seq;               /* the command's, in the trace */
    const TdOrigins *origins;   /* NULL: origin=off */
    TdOrigin origin;            /* with origins: who issued the command */
    char command[48];
    uint32_t n_bytes;           /* of old and new */
    bool old_known;
    uint8_t old[TD_WATCH_BYTES];
    uint8_t new[TD_WATCH_BYTES];
} TdWatchHit;

TdWatches *td_watches_new(void);
void td_watches_free(TdWatches *w);

/* True when there is anything to check: the only cost without a watch. */
bool td_watches_any(const TdWatches *w);

/* A number for the accesses of one more command. */
uint64_t td_watches_command(TdWatches *w);

/*
 * True if a watch waits for a part of @access: *@hit is cut to its first bytes
 * (addresses only). One that stops is preferred to one that logs. With @count
 * the watch's hit count, and its "skip", go on.
 */
bool td_watches_match(TdWatches *w, const TdAccess *access, bool count,
                      TdWatchHit *hit);

/* The range of the first watch for @direction as @hit's; false: none. */
bool td_watches_first(TdWatches *w, unsigned direction, TdWatchHit *hit);

#define TD_WATCH_HITS 32        /* the last so many are kept */

/* Number and keep @hit. */
void td_watches_add_hit(TdWatches *w, TdWatchHit *hit);

/*
 * The properties watch, unwatch, watches, last-watch-hit, and watch-hits, the
 * last TD_WATCH_HITS of them: commands in flight may hit before the VM stands.
 *
 * watch:   ADDR+LEN[,r|w|rw][,lba=A[-B]][,skip=N][,log], rw when not said
 * unwatch: ADDR+LEN, or "all"
 */
void td_watches_add_properties(Object *obj, TdWatches *w);

#endif
