/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The data oracle: did each read return what was last written to its blocks?
 *
 * It is told of commands when they are submitted and when they complete, in the
 * order of the records, and tells its verdict on each read: as soon as the read
 * completes, or, while writes to its blocks are in flight, when these have.
 * A verdict of mismatch is a proof: whatever more than one order of commands
 * explains is no mismatch.
 */
#ifndef TOOLS_ORACLE_H
#define TOOLS_ORACLE_H

#include "content.h"

enum verdict {
    VERDICT_MATCH,
    VERDICT_MISMATCH,
    VERDICT_PARTLY,    /* of some of its blocks nothing can be said; the others match */
    VERDICT_UNKNOWN,   /* nothing is known yet of what its blocks held */
    VERDICT_EXTENT,    /* other extents were written than it reads */
    VERDICT_AMBIGUOUS, /* a mixture of several versions is legal */
    VERDICT_NOT_HASHED,
    VERDICT_FAILED,    /* failed, aborted, or did not return all blocks */
    VERDICTS,
};

/* A read and what is said of it; all pointers live until the callback returns. */
struct oracle_result {
    enum verdict verdict;
    uint32_t device;
    uint64_t seq, complete_seq;
    uint64_t complete_ns;
    const char *command;
    uint64_t lba, blocks;
    struct td_digest digest;
    /* The versions that it could have returned: const struct version. */
    const GPtrArray *legal;
    /* With VERDICT_MISMATCH: the first block that differs; legal is of it. */
    bool has_block;
    uint64_t block;
    const uint8_t *sector; /* its hash as read; NULL: the trace does not have it */
};

typedef void oracle_report(void *data, const struct oracle_result *result);

/*
 * Hash blocks as they were when the trace began: as one, with the kind that
 * digest has, or, with digest NULL, one block for itself. False when it is not
 * known. May be NULL: it never is.
 */
typedef bool oracle_initial(void *data, uint32_t device, uint64_t lba, uint64_t blocks,
                            uint32_t block_size, struct td_digest *digest,
                            uint8_t sector[TD_SECTOR_HASH]);

struct oracle;

struct oracle *oracle_new(oracle_report *report, oracle_initial *initial, void *data);
void oracle_free(struct oracle *o);

/*
 * Let what is known of blocks take about so many bytes in all. Beyond it, the
 * oldest is forgotten: fewer reads can be judged, none wrongly. Not together
 * with `initial`.
 */
void oracle_limit(struct oracle *o, size_t bytes);

void oracle_submit(struct oracle *o, uint64_t seq, const struct td_submit *submit,
                   uint32_t block_size);
void oracle_complete(struct oracle *o, uint64_t seq, uint64_t ns,
                     const struct td_complete *complete);

/*
 * A range of a TRIM or UNMAP, TD_EVENT_TRIM. Of a command of which none is told
 * any block may become zeros.
 */
void oracle_trim(struct oracle *o, uint64_t seq, const struct td_event *event);

/* Records are missing, or the state of the machine was replaced. */
void oracle_gap(struct oracle *o);

/* Tell what is left to tell of reads that completed. */
void oracle_end(struct oracle *o);

#endif
