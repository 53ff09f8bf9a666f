/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Is what a target answered what was recorded? */
#include <string.h>

#include "record.h"
#include "replay.h"

static void describe_status(const struct td_complete *complete, char *text, size_t size)
{
    char buf[SENSE_TEXT_MAX];
    const char *sense = sense_text(complete, buf);

    if (complete->status == TD_GOOD)
        g_strlcpy(text, "good", size);
    else if (sense)
        g_snprintf(text, (gulong)size, "error, sense %s", sense);
    else if (complete->has_ata)
        g_snprintf(text, (gulong)size, "error, ATA error 0x%02x", complete->ata_error);
    else if (complete->scsi_status)
        g_snprintf(text, (gulong)size, "error, SCSI status 0x%02x", complete->scsi_status);
    else
        g_strlcpy(text, "error", size);
}

/* A result in the form of a recorded one. */
static struct td_complete as_complete(const struct replay_result *result)
{
    return (struct td_complete){
        .status = result->failed ? TD_ERROR : TD_GOOD,
        .scsi_status = result->scsi_status,
        .sense = result->sense_len ? result->sense : NULL,
        .sense_len = result->sense_len,
    };
}

static void describe_result(const struct replay_result *result, char *text, size_t size)
{
    struct td_complete complete = as_complete(result);

    if (!result->failed || result->sense_len)
        describe_status(&complete, text, size);
    else
        g_snprintf(text, (gulong)size, "error: %s", result->why);
}

/* Both failed, on SCSI: for the same reason? */
static bool same_error(const struct td_complete *recorded, const struct replay_result *result)
{
    struct td_complete complete = as_complete(result);
    struct sense_code a, b;
    bool has_a = sense_decode(recorded, &a), has_b = sense_decode(&complete, &b);

    return recorded->scsi_status == result->scsi_status && has_a == has_b &&
           (!has_a || (a.key == b.key && a.asc == b.asc && a.ascq == b.ascq));
}

static bool same_status(const struct replay_job *job, const struct replay_target *target)
{
    const struct td_complete *recorded = &job->command.complete;
    bool failed = recorded->status != TD_GOOD;

    if (failed != job->result.failed)
        return false;
    if (!failed || !target->is_scsi || job->command.submit.protocol != TD_SCSI ||
        !job->result.has_scsi)
        return true;
    return same_error(recorded, &job->result);
}

/* ---- Bytes ---- */

/* Where the kept bytes differ from those read now; false when that is not known. */
static bool find_by_bytes(struct td_reader *reader, const struct replay_job *job, uint64_t bytes,
                          uint64_t *at)
{
    g_autofree uint8_t *chunk = g_malloc(TD_MAX_PAYLOAD);

    for (uint64_t done = 0; done < bytes;) {
        size_t wanted = MIN(TD_MAX_PAYLOAD, bytes - done);
        int64_t n = td_reader_payload(reader, &job->command.complete, done, chunk, wanted);

        if (n <= 0)
            return false;
        for (int64_t i = 0; i < n; i++) {
            if (chunk[i] != job->buf[done + (uint64_t)i]) {
                *at = done + (uint64_t)i;
                return true;
            }
        }
        done += (uint64_t)n;
    }
    return false;
}

/* The same by each block's hash, of a device with sectors=on. */
static bool find_by_hashes(const struct replay_job *job, uint64_t bytes, uint64_t *at)
{
    const struct td_complete *c = &job->command.complete;

    for (uint64_t i = 0; i < c->n_sectors && (i + 1) * job->block_size <= bytes; i++) {
        uint8_t hash[TD_SECTOR_HASH];

        td_sector_hash(job->buf + i * job->block_size, job->block_size, hash);
        if (memcmp(hash, c->sectors + i * TD_SECTOR_HASH, sizeof(hash)) != 0) {
            *at = i * job->block_size;
            return true;
        }
    }
    return false;
}

static void compare_data(struct td_reader *reader, const struct replay_job *job,
                         struct replay_difference *d)
{
    const struct td_complete *c = &job->command.complete;
    uint64_t bytes = MIN(c->bytes, job->bytes), at = 0;
    struct iovec iov = { job->buf, bytes };
    struct td_digest digest;
    bool differ;

    if (c->digest.kind != TD_HASH_NONE) {
        td_hash_iov(c->digest.kind, &iov, 1, bytes, &digest);
        differ = !td_digest_equal(&digest, &c->digest);
        td_digest_text(&c->digest, d->recorded);
        td_digest_text(&digest, d->now);
    } else if (td_kept_bytes(c) >= bytes) {
        differ = find_by_bytes(reader, job, bytes, &at);
        g_strlcpy(d->recorded, "the bytes that are kept", sizeof(d->recorded));
        g_strlcpy(d->now, "others", sizeof(d->now));
    } else {
        return;
    }
    d->checked = true;
    if (!differ)
        return;
    d->verdict = REPLAY_DATA_DIFFER;
    d->has_block = find_by_bytes(reader, job, MIN(bytes, td_kept_bytes(c)), &at) ||
                   find_by_hashes(job, bytes, &at);
    d->block = job->command.decoded.lba + at / job->block_size;
}

void replay_compare(struct td_reader *reader, const struct replay_job *job,
                    const struct replay_target *target, struct replay_difference *d)
{
    const struct td_complete *recorded = &job->command.complete;

    memset(d, 0, sizeof(*d));
    if (!same_status(job, target)) {
        d->verdict = REPLAY_STATUS_DIFFERS;
        describe_status(recorded, d->recorded, sizeof(d->recorded));
        describe_result(&job->result, d->now, sizeof(d->now));
    } else if (job->action == REPLAY_READ && job->command.decoded.op == TD_OP_READ &&
               recorded->status == TD_GOOD && recorded->bytes) {
        compare_data(reader, job, d);
    }
}
