/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a recorded command means for a disk that knows blocks only. */
#include <string.h>

#include "record.h"
#include "replay.h"

const char REPLAY_BYTES_UNKNOWN[] = "its bytes are not in the trace";

static const char NO_COUNTERPART[] = "has no counterpart there";

static uint64_t big_endian(const uint8_t *p, unsigned bytes)
{
    uint64_t value = 0;

    while (bytes--)
        value = value << 8 | *p++;
    return value;
}

static uint64_t little_endian(const uint8_t *p, unsigned bytes)
{
    uint64_t value = 0;

    while (bytes--)
        value = value << 8 | p[bytes];
    return value;
}

/* ---- TRIM ---- */

static void add_range(struct replay_job *job, uint64_t lba, uint64_t blocks)
{
    if (blocks)
        job->ranges[job->n_ranges++] =
            (struct replay_range){ lba * job->block_size, blocks * job->block_size };
}

/* DATA SET MANAGEMENT: entries of 8 bytes (ACS-3 7.5.3.2) */
static void ata_ranges(struct replay_job *job)
{
    job->ranges = g_new(struct replay_range, job->buf_len / 8 + 1);
    for (uint64_t at = 0; at + 8 <= job->buf_len; at += 8)
        add_range(job, little_endian(job->buf + at, 6), little_endian(job->buf + at + 6, 2));
}

/* UNMAP parameter list (SBC-3 5.28.2) */
static void unmap_ranges(struct replay_job *job)
{
    uint64_t end = job->buf_len >= 8 ? MIN(8 + big_endian(job->buf + 2, 2), job->buf_len) : 0;

    job->ranges = g_new(struct replay_range, job->buf_len / 16 + 1);
    for (uint64_t at = 8; at + 16 <= end; at += 16)
        add_range(job, big_endian(job->buf + at, 8), big_endian(job->buf + at + 8, 4));
}

bool replay_plan_trim(struct replay_job *job)
{
    const struct td_command *c = &job->command;

    job->action = REPLAY_TRIM;
    if (c->decoded.flags & TD_HAS_LBA) { /* WRITE SAME with UNMAP */
        job->ranges = g_new(struct replay_range, 1);
        add_range(job, c->decoded.lba, c->decoded.blocks);
        return true;
    }
    if (job->buf_len < c->complete.bytes)
        return false;
    if (c->submit.protocol == TD_ATA)
        ata_ranges(job);
    else
        unmap_ranges(job);
    return true;
}

/* ---- Writes ---- */

/* SBC-3 5.3: what is compared comes first, what is written behind it. */
static bool is_compare_and_write(const struct td_command *c)
{
    return strcmp(c->decoded.name, "COMPARE AND WRITE") == 0;
}

static const char *plan_write(struct replay_job *job)
{
    const struct td_command *c = &job->command;

    job->action = REPLAY_WRITE;
    if (g_str_has_prefix(c->decoded.name, "ORWRITE"))
        return NO_COUNTERPART;
    if (is_compare_and_write(c)) {
        job->action = REPLAY_COMPARE;
        return job->buf_len < 2 * job->bytes ? REPLAY_BYTES_UNKNOWN : NULL;
    }
    if (is_write_same(c)) {
        job->same = true;
        return job->buf_len < job->block_size ? REPLAY_BYTES_UNKNOWN : NULL;
    }
    /* Of a list that was shorter than the transfer, as much as was written. */
    if (c->complete.status == TD_GOOD)
        job->bytes = MIN(job->bytes, c->complete.bytes / job->block_size * job->block_size);
    return job->buf_len < job->bytes ? REPLAY_BYTES_UNKNOWN : NULL;
}

/* VERIFY with BYTCHK 1: the payload is to be compared (SBC-3 5.31). */
static void plan_verify(struct replay_job *job)
{
    job->action = job->bytes && job->buf_len >= job->bytes ? REPLAY_COMPARE : REPLAY_READ;
    if (job->action == REPLAY_COMPARE)
        job->buf_len = job->bytes;
}

const char *replay_plan_blocks(struct replay_job *job)
{
    const struct td_decoded *decoded = &job->command.decoded;

    job->fua = decoded->flags & TD_FUA;
    if (decoded->flags & TD_HAS_LBA) {
        job->offset = decoded->lba * job->block_size;
        job->bytes = decoded->blocks * job->block_size;
    }
    if (decoded->op == TD_OP_FLUSH) {
        job->action = REPLAY_FLUSH;
        return NULL;
    }
    if (decoded->op == TD_OP_TRIM)
        return replay_plan_trim(job) ? NULL : REPLAY_BYTES_UNKNOWN;
    if (!(decoded->flags & TD_HAS_LBA))
        return NO_COUNTERPART;
    switch (decoded->op) {
    case TD_OP_READ:
        job->action = REPLAY_READ;
        return NULL;
    case TD_OP_WRITE:
        return plan_write(job);
    case TD_OP_ZERO:
        job->action = REPLAY_ZERO;
        return NULL;
    case TD_OP_VERIFY:
        plan_verify(job);
        return NULL;
    default:
        return NO_COUNTERPART;
    }
}
