/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk as the load sees it, whatever drives it: up to 32 requests in slots,
 * prepared, issued together, and polled for.
 */
#ifndef DISK_H
#define DISK_H

#include <stdbool.h>
#include <stdint.h>

#define DISK_SLOTS 32

/* One entry of a scatter-gather list. */
struct disk_element {
    uint64_t addr;
    uint32_t len;
};

struct disk_request {
    bool write;
    uint64_t lba;
    uint32_t blocks;
    struct disk_element *elements; /* a planted bug may change them */
    uint32_t n_elements;
};

/* What a poll found; bits are slots. */
struct disk_events {
    uint32_t done;
    uint32_t failed; /* ended with an error */
    uint32_t again;  /* aborted by another's failure: prepare, issue again */
};

struct disk {
    const char *model;
    uint64_t blocks;
    uint32_t block_size;  /* bytes */
    uint32_t depth;       /* requests that it takes at once */
    uint32_t max_element; /* bytes */

    /* Fill a slot in; it must not be outstanding. */
    void (*prepare)(unsigned slot, const struct disk_request *request);
    /* Issue prepared slots, all at once. */
    void (*issue)(uint32_t slots);
    void (*poll)(struct disk_events *events);
    /* Of a slot that is done: did all its bytes move? */
    bool (*moved)(unsigned slot, uint32_t bytes);
    /* Print why a slot failed. */
    void (*tell_failure)(unsigned slot);
    /* Flush the cache of an idle disk; false when that failed. */
    bool (*flush)(void);
    void (*close)(void);
    void (*reset)(void);
};

/* What the driver is asked for. */
struct disk_options {
    uint32_t max_elements; /* of one request */
    bool queued;           /* ATA: NCQ */
};

/* NULL when there is no such controller; dies when it cannot be used. */
const struct disk *ahci_disk_open(const struct disk_options *options);
const struct disk *virtio_scsi_disk_open(const struct disk_options *options);

#endif
