/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk: the data phase that every front end shares
 *
 * A front end decodes a command, gathers its scatter-gather list into a
 * TdTransfer and runs it as a coroutine:
 *
 *     td_transfer_begin      the command is recorded (SUBMIT)
 *     td_transfer_co_*       data moves, is hashed, errors meet werror/rerror
 *     td_transfer_end        the result is recorded (COMPLETE); only then may
 *                            the front end let the guest learn of it
 *     td_transfer_release    a drain, a reset need not wait for it any more
 *
 * All of it runs in the BlockBackend's AioContext, or in any of them when the
 * HBA spreads its queues over several iothreads.
 */
#ifndef HW_TRACEDISK_DISK_H
#define HW_TRACEDISK_DISK_H

#include "origin.h"
#include "recorder.h"
#include "watch.h"
#include "faults.h"

typedef struct TdTransfer TdTransfer;

/* Coroutines that wait for something to change; see disk.c. */
typedef struct TdWaiters {
    CoQueue queue;
    unsigned count;
} TdWaiters;

typedef struct TdDisk {
    BlockBackend *blk;
    TdRecorder *recorder;
    TdWatches *watches;         /* the front end's, set before realize */
    TdFaults *faults;           /* likewise */
    TdOrigins *origins;         /* NULL: origin=off */
    enum td_hash_kind hash;
    bool sectors;               /* also hash each logical block */
    bool keeps;                 /* also keep the bytes: payload=all */
    uint32_t block_size;        /* logical, bytes */
    uint64_t blocks;            /* capacity, logical blocks */

    /* Told of a new size of the drive, in the main loop; may be NULL. */
    void (*resized)(struct TdDisk *disk);

    /* Guards what follows: several iothreads may serve one disk. */
    QemuMutex lock;
    /* Commands between begin and release. */
    QTAILQ_HEAD(, TdTransfer) active;
    /* Commands that wait for "cont" after an I/O error */
    TdWaiters parked;
    unsigned resumed;           /* counts the "cont"s */
    /* Commands that have come to a drained drive, or to a stopped VM's */
    TdWaiters undrained;
    unsigned quiesced;
    bool vm_stopped;            /* and its last commands have ended */
    /* Commands that a fault plan holds back: faults.c */
    QTAILQ_HEAD(, TdHold) held;
    uint64_t ended;             /* counts released commands */
    /* Large transfers take turns: see disk.c. */
    CoQueue turn;
    uint64_t large_in_flight;   /* bytes */
    GPtrArray *keepers;         /* td_keeper: those that no command has */
    VMChangeStateEntry *vmstate;
} TdDisk;

/* With these a ScsiRequest is still of a size that malloc() is quick for. */
#define TD_FEW 2

struct TdTransfer {
    TdDisk *disk;
    AddressSpace *as;           /* the bus master's view of memory */

    /* The scatter-gather list, as the guest gave it. */
    struct td_element *elements;
    uint32_t n_elements;
    uint32_t capacity;
    uint64_t list_bytes;

    TdOrigin *origin;           /* NULL: origin=off, or not noted */
    uint64_t seq;               /* 0: not recorded */
    bool active;                /* between begin and release */
    bool in_flight;             /* a drain waits for it */
    bool cancelled;             /* a reset or abort wants it to end */
    /* Atomic: below the front end's call that starts it or lets it go on. */
    bool starting;
    /* An error that stops the VM ends it with -EINPROGRESS: no waiting. */
    bool retried_by_caller;
    struct td_hasher *hasher;   /* of a payload that moves in pieces */
    struct td_sectors *sectors; /* each block's hash; NULL: sectors=off */
    struct td_keeper *keeper;   /* NULL: nothing is kept, so far */
    GByteArray *unkept;         /* what waits for space; NULL: nothing does */
    bool keeping_failed;
    struct td_complete result;  /* COMPLETE in the making */
    TdFault fault;              /* what the fault plan does to it */

    /* Where the data goes, for the watches; what was there before. */
    DMADirection dir;
    int64_t media_offset;       /* bytes; -1: not from the media */
    struct TdOldBytes *old;     /* NULL: nothing is watched there */

    /* Guest memory while mapped. */
    struct iovec *iov;
    int n_iov;
    uint32_t iov_capacity;
    /* Most lists are short: room for them, without a call for memory. */
    struct td_element few_elements[TD_FEW];
    struct iovec few_iov[TD_FEW];
    QTAILQ_ENTRY(TdTransfer) next;
};

/*
 * Take @conf->blk for a device, with its block properties
 * applied, and open its trace.
 */
typedef struct TdDiskOptions {
    char *trace;                /* NULL: "<drive id>.tdt"; "none": no file */
    char *hash;                 /* NULL: xxh3 */
    char *payload;              /* NULL: none */
    char *overflow;             /* NULL: block */
    bool origin;
    bool sectors;
} TdDiskOptions;

bool td_disk_realize(TdDisk *disk, BlockConf *conf, DeviceState *dev,
                     const TdDiskOptions *options,
                     const struct td_device *description, Error **errp);
void td_disk_unrealize(TdDisk *disk);

/*
 * End every active command without letting its result reach the guest. On
 * return nothing of this disk touches guest memory any more.
 */
void td_disk_cancel_all(TdDisk *disk);

/* True while a transfer writes to a region that is not RAM (see disk.c). */
bool td_disk_in_device_dma(void);

/* Write what is no command's data, with the same precaution. */
MemTxResult td_dma_write(AddressSpace *as, uint64_t addr, const void *buf,
                         uint64_t len);

void td_transfer_init(TdTransfer *t, TdDisk *disk, AddressSpace *as);
void td_transfer_destroy(TdTransfer *t);

/* Start over with an empty list; keeps its memory. */
void td_transfer_reset(TdTransfer *t);
/* Start over with the same list: the command is tried again. */
void td_transfer_restart(TdTransfer *t);
void td_transfer_add_element(TdTransfer *t, uint64_t addr, uint32_t len);

/*
 * At the doorbell of a command that comes: note who rings, or take over what
 * was noted for @same. Without origin=on they do nothing.
 */
void td_transfer_note_origin(TdTransfer *t);
void td_transfer_same_origin(TdTransfer *t, const TdTransfer *same);
/* It came from elsewhere: a migration. */
void td_transfer_forget_origin(TdTransfer *t);

/* Record the submission. @submit's elements are filled in here. */
void td_transfer_begin(TdTransfer *t, struct td_submit *submit);

/*
 * Let the command meet the fault plan: what t->fault is afterwards the front
 * end has to see to (failure, interrupt, link); the rest is done here and by
 * what moves data. -ECANCELED when a reset came during a delay.
 */
int coroutine_fn td_transfer_co_fault(TdTransfer *t,
                                      const TdFaultSubject *subject);
/* Until then it is not in flight. */
void coroutine_fn td_transfer_co_wait_for_reset(TdTransfer *t);
/* How much of @bytes a short transfer moves, in multiples of @unit. */
uint64_t td_transfer_limit(const TdTransfer *t, uint64_t bytes, uint32_t unit);
/* Flip the byte, if it is among the @bytes of the payload from @at on. */
void td_transfer_flip(const TdTransfer *t, void *buf, uint64_t at,
                      uint64_t bytes);

/*
 * Wait out a drained section and a stopped VM, whose state may be on its way
 * elsewhere; then hold off the next drain until td_transfer_release().
 * -ECANCELED when a reset came first.
 */
int coroutine_fn td_transfer_co_start(TdTransfer *t);

/*
 * Move @bytes between the disk at @offset and the list. When the list is
 * shorter, what fits is moved. 0, or -errno of the host after the drive's
 * error policy had its say, or -ECANCELED.
 */
int coroutine_fn td_transfer_co_read(TdTransfer *t, int64_t offset,
                                     uint64_t bytes);
int coroutine_fn td_transfer_co_write(TdTransfer *t, int64_t offset,
                                      uint64_t bytes, BdrvRequestFlags flags);

/* Commands without a data phase; errors as above. */
int coroutine_fn td_transfer_co_flush(TdTransfer *t);
/*
 * A range of a list in the payload is about to be discarded: @blocks from @lba
 * on will read as zeros, or, without @zeros, as they were.
 */
void td_transfer_note_trim(TdTransfer *t, uint64_t lba, uint64_t blocks,
                           bool zeros);
int coroutine_fn td_transfer_co_discard(TdTransfer *t, int64_t offset,
                                        int64_t bytes);
int coroutine_fn td_transfer_co_zero(TdTransfer *t, int64_t offset,
                                     int64_t bytes, BdrvRequestFlags flags);
/* Read @bytes at @offset for the device itself: no payload. */
int coroutine_fn td_transfer_co_fetch(TdTransfer *t, int64_t offset, void *buf,
                                      uint64_t bytes);
/* Write what the device has made: no payload. */
int coroutine_fn td_transfer_co_store(TdTransfer *t, int64_t offset,
                                      const void *buf, uint64_t bytes,
                                      BdrvRequestFlags flags);
/* Read @bytes at @offset and throw them away. */
int coroutine_fn td_transfer_co_verify(TdTransfer *t, int64_t offset,
                                       uint64_t bytes);

/* Device memory to the list and back; returns the bytes that fitted. */
uint64_t td_transfer_to_guest(TdTransfer *t, const void *buf, uint64_t bytes);
uint64_t td_transfer_from_guest(TdTransfer *t, void *buf, uint64_t bytes);

/*
 * The way of data that an HBA fetches by itself: the front end's own buffer
 * holds one piece of the payload after the other. Errors as above.
 */
int coroutine_fn td_transfer_co_read_piece(TdTransfer *t, int64_t offset,
                                           void *buf, uint64_t bytes);
int coroutine_fn td_transfer_co_write_piece(TdTransfer *t, int64_t offset,
                                            const void *buf, uint64_t bytes,
                                            BdrvRequestFlags flags);
/* A piece of the payload that is not on the disk. */
void td_transfer_add_piece(TdTransfer *t, const void *buf, uint64_t bytes);

/* Let it end soon, with -ECANCELED wherever it waits. */
void td_transfer_cancel(TdTransfer *t);

/*
 * While the HBA has the turn a drain must not wait for this transfer;
 * td_transfer_co_start() comes back.
 */
void td_transfer_pause(TdTransfer *t);

/* Called before data moves: which way, and what is under a watch there. */
void td_transfer_before_data(TdTransfer *t, DMADirection dir,
                             int64_t media_offset, uint64_t bytes);

/* The same, once a command, where only the HBA knows where it will move. */
void td_transfer_before_observed(TdTransfer *t);

/*
 * Called when the data has moved and result.metadata is known: a DMA watch
 * that was hit is recorded, and stops the VM until "cont". -ECANCELED when a
 * reset took the command meanwhile.
 */
int coroutine_fn td_transfer_co_watch(TdTransfer *t, const char *command);

/*
 * Called when the data has moved: with payload=all, wait until its bytes are in
 * the trace, which may be full. -ECANCELED when a reset took the command.
 */
int coroutine_fn td_transfer_co_keep(TdTransfer *t);

/* Stop the VM and wait for "cont", or -ECANCELED. */
int coroutine_fn td_transfer_co_stop_vm(TdTransfer *t, RunState state);

/* Record the result, with @status. */
void td_transfer_end(TdTransfer *t, enum td_status status);

/* The guest knows: the opposite of td_transfer_co_start(). */
void td_transfer_release(TdTransfer *t);

#endif
