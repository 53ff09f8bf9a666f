/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk: what disk.c, transfer.c and guest-memory.c share
 */
#ifndef HW_TRACEDISK_DISK_INTERNAL_H
#define HW_TRACEDISK_DISK_INTERNAL_H

#include "disk.h"

/* ---- guest-memory.c ---------------------------------------------------- */

/* A place in the list, for walking it in pieces. */
typedef struct TdListCursor {
    uint32_t element;
    uint64_t offset;            /* in that element */
} TdListCursor;

/*
 * Map the first @bytes of the list into @t->iov; elements that touch are
 * mapped as one. False, with nothing mapped, when it must go the slow way.
 */
bool td_list_map(TdTransfer *t, uint64_t bytes, DMADirection dir);
/* @accessed: how many bytes, from the first on, were written or read. */
void td_list_unmap(TdTransfer *t, DMADirection dir, uint64_t accessed);

/* Copy between @buf and the next @bytes of the list. */
void td_list_copy(TdTransfer *t, TdListCursor *at, uint8_t *buf,
                  uint64_t bytes, DMADirection dir);

/* ---- transfer.c -------------------------------------------------------- */

/* The payload begins, maybe anew. */
void td_transfer_begin_payload(TdTransfer *t);

/* ---- keep.c ------------------------------------------------------------ */

/* The payload begins; its next bytes, with payload=all. */
void td_transfer_begin_keeping(TdTransfer *t);
void td_transfer_keep(TdTransfer *t, const void *buf, uint64_t bytes);
/* With t->keeper: fill in what the COMPLETE tells; then give the keeper up. */
void td_transfer_end_keeping(TdTransfer *t);
void td_transfer_release_keeper(TdTransfer *t);

/* ---- faults.c ---------------------------------------------------------- */

/* Let those go on that need not wait any more; with disk->lock held. */
void td_disk_wake_held(TdDisk *disk);

/* ---- disk.c ------------------------------------------------------------ */

/* The VM is about to stop. A drain must not wait for us meanwhile. */
int coroutine_fn td_transfer_co_wait_for_cont(TdTransfer *t);

/*
 * Apply werror=/rerror= to a failed request. True: do it again (the user
 * continued a VM that the error had stopped).
 */
bool coroutine_fn td_transfer_co_retry(TdTransfer *t, bool is_read, int *ret);

#endif
