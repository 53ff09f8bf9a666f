/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A target: a logical unit that an iSCSI target serves. SCSI commands go there
 * as they were recorded; of ATA ones those that SAT-3 has a counterpart for.
 */
#include <iscsi/iscsi.h>
#include <iscsi/scsi-lowlevel.h>
#include <poll.h>
#include <string.h>

#include "record.h"
#include "replay.h"
#include "sat.h"
#include "tool.h"

#define INITIATOR "iqn.2026-01.invalid.tracedisk:replay"
#define CONNECT_SECONDS 20

/* libiscsi counts bytes in int; nobody moves as much at once. */
#define TRANSFER_MAX (1u << 30)

enum { ATA_PASS_THROUGH_16 = 0x85, UNMAP = 0x42 };

struct iscsi_target {
    struct replay_target target;
    struct iscsi_context *iscsi;
    int lun;
};

static struct iscsi_target *iscsi_target(struct replay_target *target)
{
    return (struct iscsi_target *)target;
}

/* ---- Results ---- */

static void fail(struct replay_job *job, const char *why)
{
    job->result.failed = true;
    g_strlcpy(job->result.why, why, sizeof(job->result.why));
}

static void take_sense(struct replay_result *result, const struct scsi_task *task)
{
    /* Descriptor format, SPC-4 4.5.2 */
    result->sense[0] = 0x72;
    result->sense[1] = (uint8_t)task->sense.key;
    result->sense[2] = (uint8_t)(task->sense.ascq >> 8);
    result->sense[3] = (uint8_t)task->sense.ascq;
    result->sense_len = 8;
}

static uint64_t bytes_read(const struct scsi_task *task)
{
    bool short_of = task->residual_status == SCSI_RESIDUAL_UNDERFLOW;

    return (uint64_t)task->expxferlen - (short_of ? task->residual : 0);
}

static void completed(struct iscsi_context *iscsi, int status, void *command_data, void *data)
{
    struct replay_job *job = data;
    struct scsi_task *task = job->data;

    (void)command_data;
    job->done = true;
    if (status == SCSI_STATUS_GOOD || status == SCSI_STATUS_CHECK_CONDITION ||
        (status > 0 && status <= 0xff)) {
        job->result.has_scsi = true;
        job->result.scsi_status = (uint8_t)status;
    }
    if (status == SCSI_STATUS_CHECK_CONDITION) {
        take_sense(&job->result, task);
        fail(job, "CHECK CONDITION");
    } else if (status != SCSI_STATUS_GOOD) {
        fail(job, iscsi_get_error(iscsi));
    } else if (task->xfer_dir == SCSI_XFER_READ) {
        job->result.bytes = bytes_read(task);
    }
    scsi_free_scsi_task(task);
    job->data = NULL;
}

/* ---- Jobs ---- */

/* What the job moves: set action and bytes. */
static const char *plan(struct replay_target *target, struct replay_job *job)
{
    const struct td_command *c = &job->command;
    enum direction direction = command_direction(c);
    struct scsi_view view;

    (void)target;
    sat_view(c, &view);
    if (view.cdb_len > SCSI_CDB_MAX_SIZE)
        return "libiscsi takes no CDB of this length";
    job->action = REPLAY_COMMAND;
    job->bytes = c->complete.bytes + c->complete.residual;
    if (c->submit.protocol == TD_ATA && c->decoded.op == TD_OP_TRIM)
        return replay_plan_trim(job) ? NULL : REPLAY_BYTES_UNKNOWN;
    if (view.cdb[0] == ATA_PASS_THROUGH_16 && c->submit.protocol == TD_ATA)
        return "is an ATA command that SCSI does not have";
    if (c->decoded.op == TD_OP_READ) {
        job->action = REPLAY_READ;
        job->bytes = c->decoded.blocks * job->block_size;
    } else if (direction == FROM_MEMORY && c->complete.bytes > job->buf_len) {
        return REPLAY_BYTES_UNKNOWN;
    } else if (c->decoded.op == TD_OP_WRITE && !is_write_same(c) &&
               job->buf_len < c->decoded.blocks * job->block_size) {
        return REPLAY_BYTES_UNKNOWN;
    }
    return job->bytes > TRANSFER_MAX ? "moves more than 1 GiB" : NULL;
}

/* UNMAP (SBC-3 5.28) of the ranges of a TRIM. */
static void build_unmap(struct replay_job *job, struct scsi_view *view)
{
    uint16_t len = (uint16_t)(8 + 16 * job->n_ranges);
    uint8_t *list = g_malloc0(len);

    scsi_set_uint16(list, len - 2);
    scsi_set_uint16(list + 2, len - 8);
    for (size_t i = 0; i < job->n_ranges; i++) {
        scsi_set_uint64(list + 8 + 16 * i, job->ranges[i].offset / job->block_size);
        scsi_set_uint32(list + 16 + 16 * i, (uint32_t)(job->ranges[i].bytes / job->block_size));
    }
    g_free(job->buf);
    job->buf = list;
    job->buf_len = len;
    memset(view->cdb, 0, 10);
    view->cdb[0] = UNMAP;
    scsi_set_uint16(view->cdb + 7, len);
    view->cdb_len = 10;
}

static void start(struct replay_target *target, struct replay_job *job)
{
    struct iscsi_target *t = iscsi_target(target);
    const struct td_command *c = &job->command;
    struct iscsi_data data = { 0 };
    int direction = SCSI_XFER_NONE;
    struct scsi_task *task;
    struct scsi_view view;

    sat_view(c, &view);
    if (job->action == REPLAY_TRIM)
        build_unmap(job, &view);
    if (job->action == REPLAY_TRIM || (command_direction(c) == FROM_MEMORY && job->buf_len)) {
        direction = SCSI_XFER_WRITE;
        data = (struct iscsi_data){ job->buf_len, job->buf };
    } else if (command_direction(c) == TO_MEMORY && job->bytes) {
        direction = SCSI_XFER_READ;
        job->buf = g_malloc0(job->bytes);
        data.size = job->bytes;
    }
    task = scsi_create_task((int)view.cdb_len, view.cdb, direction, (int)data.size);
    if (task && direction == SCSI_XFER_READ &&
        scsi_task_add_data_in_buffer(task, (int)job->bytes, job->buf) < 0) {
        scsi_free_scsi_task(task);
        task = NULL;
    }
    job->data = task;
    if (!task || iscsi_scsi_command_async(t->iscsi, t->lun, task, completed,
                                          direction == SCSI_XFER_WRITE ? &data : NULL, job) < 0) {
        fail(job, task ? iscsi_get_error(t->iscsi) : "out of memory");
        if (task)
            scsi_free_scsi_task(task);
        job->done = true;
    }
}

static bool work(struct replay_target *target, int timeout)
{
    struct iscsi_context *iscsi = iscsi_target(target)->iscsi;
    struct pollfd fd = { .fd = iscsi_get_fd(iscsi), .events = (short)iscsi_which_events(iscsi) };

    if (poll(&fd, 1, timeout) >= 0 && iscsi_service(iscsi, fd.revents) >= 0)
        return true;
    say("the target is gone: %s", iscsi_get_error(iscsi));
    return false;
}

static void close_target(struct replay_target *target)
{
    struct iscsi_target *t = iscsi_target(target);

    iscsi_logout_sync(t->iscsi);
    iscsi_destroy_context(t->iscsi);
    g_free(t);
}

static const struct replay_target_ops ops = { plan, start, work, close_target };

/* ---- Opening ---- */

static bool log_in(struct iscsi_context *iscsi, const struct iscsi_url *url)
{
    iscsi_set_targetname(iscsi, url->target);
    iscsi_set_session_type(iscsi, ISCSI_SESSION_NORMAL);
    iscsi_set_header_digest(iscsi, ISCSI_HEADER_DIGEST_NONE_CRC32C);
    iscsi_set_noautoreconnect(iscsi, 1);
    if (url->user[0])
        iscsi_set_initiator_username_pwd(iscsi, url->user, url->passwd);
    if (url->target_user[0])
        iscsi_set_target_username_pwd(iscsi, url->target_user, url->target_passwd);
    iscsi_set_timeout(iscsi, CONNECT_SECONDS);
    return iscsi_full_connect_sync(iscsi, url->portal, url->lun) == 0;
}

static bool read_capacity(struct iscsi_target *t)
{
    struct scsi_task *task = iscsi_readcapacity16_sync(t->iscsi, t->lun);
    struct scsi_readcapacity16 *capacity = NULL;

    if (task && task->status == SCSI_STATUS_GOOD)
        capacity = scsi_datain_unmarshall(task);
    if (capacity) {
        t->target.block_size = capacity->block_length;
        t->target.bytes = (capacity->returned_lba + 1) * capacity->block_length;
    }
    if (task)
        scsi_free_scsi_task(task);
    return capacity;
}

struct replay_target *replay_open_iscsi(const char *text)
{
    struct iscsi_context *iscsi = iscsi_create_context(INITIATOR);
    struct iscsi_url *url = iscsi ? iscsi_parse_full_url(iscsi, text) : NULL;
    struct iscsi_target *t = g_new0(struct iscsi_target, 1);

    t->target.ops = &ops;
    t->target.is_scsi = true;
    t->iscsi = iscsi;
    t->lun = url ? url->lun : 0;
    if (url && log_in(iscsi, url) && read_capacity(t)) {
        iscsi_set_timeout(iscsi, 0);
        iscsi_destroy_url(url);
        return &t->target;
    }
    say("cannot connect to '%s': %s", text, iscsi ? iscsi_get_error(iscsi) : "out of memory");
    if (url)
        iscsi_destroy_url(url);
    if (iscsi)
        iscsi_destroy_context(iscsi);
    g_free(t);
    return NULL;
}
