/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk-scsi: the life of a request on QEMU's SCSI bus
 *
 * Recorded and checked when it comes, then a coroutine if it has anything to
 * do, then recorded and told to the guest.
 */
#include "qemu/osdep.h"
#include "compat.h"
#include "scsi.h"

/* ---- The end of a request ---------------------------------------------- */

/* Did the guest's list fit the transfer that its CDB asks for? */
static void compare_list(ScsiRequest *c)
{
    TdTransfer *t = &c->transfer;
    uint64_t wanted = c->req.cmd.mode == SCSI_XFER_NONE ? 0 : c->req.cmd.xfer;

    t->result.flags &= ~(TD_LIST_SHORT | TD_LIST_LONG);
    if (c->req.sg && wanted) {
        t->result.flags |= t->list_bytes < wanted ? TD_LIST_SHORT :
                           t->list_bytes > wanted ? TD_LIST_LONG : 0;
    }
}

/* Elements that were not known at submission. */
static void tell_observed(ScsiRequest *c)
{
    if (scsi_disk(c)->observer) {
        c->transfer.result.elements = c->transfer.elements;
        c->transfer.result.n_elements = c->transfer.n_elements;
    }
}

/*
 * The command has its status: record it, then tell the guest. A drain waits
 * for both. Afterwards the request may be gone.
 */
static void complete(ScsiRequest *c)
{
    TdScsi *s = scsi_disk(c);
    SCSIRequest *req = &c->req;
    struct td_complete *result = &c->transfer.result;
    bool good = c->status == GOOD || c->status == CONDITION_GOOD;

    if (req->sg) {
        /* The driver's is of its buffer, the trace's of what the CDB wants. */
        req->residual = c->transfer.list_bytes -
                        MIN(c->transfer.list_bytes, result->bytes);
    }
    compare_list(c);
    tell_observed(c);
    if (unlikely(c->over_before)) {
        scsi_forget_digests(c);
    }
    result->residual = req->cmd.xfer - MIN(req->cmd.xfer, result->bytes);
    result->scsi_status = c->status;
    result->sense = c->status == CHECK_CONDITION ? req->sense : NULL;
    result->sense_len = result->sense ? req->sense_len : 0;
    s->sense_valid = result->sense && !s->autosense;
    if (s->sense_valid) {
        memcpy(s->sense, req->sense, sizeof(s->sense));
    }
    td_transfer_end(&c->transfer, good ? TD_GOOD : TD_ERROR);
    scsi_req_ref(req);
    scsi_req_complete(req, c->status);
    /* Ours now: the bus would answer REQUEST SENSE without us. */
    s->parent_obj.sense_len = 0;
    td_transfer_release(&c->transfer);
    scsi_req_unref(req);
}

static void end_aborted(ScsiRequest *c)
{
    tell_observed(c);
    td_transfer_end(&c->transfer, TD_ABORTED);
}

/* The coroutine has done its work; it holds a reference to the request. */
static void finish(void *opaque)
{
    ScsiRequest *c = opaque;
    SCSIRequest *req = &c->req;
    BlockAIOCB *aiocb = req->aiocb;

    req->aiocb = NULL;
    qemu_aio_unref(aiocb);
    c->co = NULL;
    if (req->io_canceled) {
        end_aborted(c);
        scsi_req_cancel_complete(req);
        td_transfer_release(&c->transfer);
    } else if (c->retry) {
        c->retry = false;
        td_transfer_pause(&c->transfer);
        td_transfer_restart(&c->transfer);
        c->status = GOOD;
        scsi_req_retry(req);
    } else {
        complete(c);
    }
    scsi_req_unref(req);
}

static void step(ScsiRequest *c);

/* ---- A running request ------------------------------------------------- */

static void cancel_async(BlockAIOCB *acb)
{
    ScsiRequest *c = acb->opaque;

    /* Woken, it may end at once. */
    scsi_req_ref(&c->req);
    td_transfer_cancel(&c->transfer);
    if (c->hba_has_turn) {
        c->hba_has_turn = false;
        step(c);
    }
    scsi_req_unref(&c->req);
}

static const AIOCBInfo request_aiocb_info = {
    .aiocb_size = sizeof(BlockAIOCB),
    .cancel_async = cancel_async,
};

static void request_aiocb_done(void *opaque, int ret)
{
    /* finish() does it all: this AIOCB only stands for a coroutine. */
}

static void coroutine_fn run_command(ScsiRequest *c)
{
    unsigned fault = c->transfer.fault.what;

    if (unlikely(fault & TD_FAULT_FAIL) && !(fault & TD_FAULT_SHORT)) {
        /* It fails before any data moves. */
    } else if (c->info->run) {
        c->info->run(c);
    } else {
        scsi_co_send(c, c->buf, c->reply);
    }
    if (unlikely(fault & TD_FAULT_FAIL)) {
        scsi_fail_by_fault(c);
    }
}

static void coroutine_fn run(void *opaque)
{
    ScsiRequest *c = opaque;
    TdFaultSubject subject = { .tag = c->req.tag, .decoded = &c->decoded };

    if (td_transfer_co_fault(&c->transfer, &subject) == 0 &&
        td_transfer_co_start(&c->transfer) == 0) {
        run_command(c);
        if (td_transfer_co_keep(&c->transfer) == 0) {
            td_transfer_co_watch(&c->transfer, c->decoded.name);
        }
    }
    c->finished = true;
    if (c->req.sg) {
        finish(c);
    } else if (!qatomic_read(&c->transfer.starting)) {
        aio_bh_schedule_oneshot(qemu_get_current_aio_context(), finish, c);
    }
}

/*
 * HBAs without scatter-gather lists are told of data and completion outside of
 * the coroutine, since what they go on with does not belong there; and at once
 * if possible, since some take an answer that comes later for a disconnection
 * (and the guest may not have allowed one).
 */
static void step(ScsiRequest *c)
{
    scsi_req_ref(&c->req);
    qatomic_set(&c->transfer.starting, true);
    qemu_coroutine_enter(c->co);
    qatomic_set(&c->transfer.starting, false);
    if (c->req.sg) {
        /* It sees to its end itself, maybe in another iothread by now. */
    } else if (c->finished) {
        finish(c);
    } else if (c->hba_has_turn && !c->first_turn_over) {
        c->first_turn_over = true;
        td_transfer_pause(&c->transfer);
        scsi_req_data(&c->req, c->piece);
    }
    scsi_req_unref(&c->req);
}

static void start(ScsiRequest *c)
{
    c->req.aiocb = blk_aio_get(&request_aiocb_info, scsi_disk(c)->disk.blk,
                               request_aiocb_done, c);
    scsi_req_ref(&c->req);
    c->finished = false;
    c->co = qemu_coroutine_create(run, c);
    step(c);
}

/* ---- The beginning of a request ---------------------------------------- */

static void begin(ScsiRequest *c)
{
    TdScsi *s = scsi_disk(c);
    SCSIRequest *req = &c->req;
    TdTransfer *t = &c->transfer;
    struct td_submit submit = {
        .protocol = TD_SCSI, .port = req->dev->id << 16 | req->lun,
        .tag = req->tag, .raw = req->cmd.buf, .raw_len = req->cmd.len,
    };

    if (req->sg) {
        t->as = req->sg->as;
        for (int i = 0; i < req->sg->nsg; i++) {
            td_transfer_add_element(t, req->sg->sg[i].base,
                                    req->sg->sg[i].len);
        }
    }
    if (s->observer) {
        t->as = td_observer_address_space(s->observer);
        t->dir = req->cmd.mode == SCSI_XFER_TO_DEV ? DMA_DIRECTION_TO_DEVICE :
                 DMA_DIRECTION_FROM_DEVICE;
        t->media_offset = -1;
        c->observed_since = td_observer_now(s->observer);
        td_transfer_before_observed(t);
    }
    /* Without a list the payload is in pieces, and its place is kept. */
    t->retried_by_caller = req->sg || req->cmd.mode == SCSI_XFER_NONE;
    td_decode(TD_SCSI, req->cmd.buf, req->cmd.len, &c->decoded);
    c->info = scsi_command_find(req->cmd.buf);
    td_transfer_note_origin(t);
    td_doorbell_infer(s->doorbell, t->origin);
    td_transfer_begin(t, &submit);
    if (unlikely(c->over_before)) {
        scsi_begin_in_middle(c);
    }
}

/* What must be right before any command is looked at (SPC-4 5.4, 5.14) */
static bool check_state(ScsiRequest *c)
{
    TdScsi *s = scsi_disk(c);
    SCSISense sense;

    /* SAM-5 5.3.2: this status goes before any other. */
    if (scsi_reservation_conflicts(c)) {
        c->status = RESERVATION_CONFLICT;
        return false;
    }
    if (!(c->info && c->info->flags & SCSI_UA_EXEMPT) &&
        scsi_take_unit_attention(s, &sense)) {
        return scsi_fail(c, sense);
    }
    if (!c->info) {
        /* SPC-4 4.3.4.2: an unknown service action is a wrong field. */
        return scsi_command_has_actions(scsi_cdb(c)[0]) ?
               scsi_fail_field(c, 1, 4) :
               scsi_fail(c, SENSE_CODE(INVALID_OPCODE));
    }
    if (s->stopped && !(c->info->flags & SCSI_WHEN_STOPPED)) {
        /* LOGICAL UNIT NOT READY, INITIALIZING COMMAND REQUIRED */
        return scsi_fail(c, (SCSISense) { NOT_READY, 0x04, 0x02 });
    }
    if (c->info->flags & SCSI_WRITES && scsi_write_protected(s)) {
        return scsi_fail(c, SENSE_CODE(WRITE_PROTECTED));
    }
    return true;
}

/*
 * strict=on: what the CDB usage data does not name is reserved and must be 0.
 * So must the obsolete LINK and FLAG; the upper two bits of CONTROL are the
 * vendor's.
 */
static bool check_reserved_bits(ScsiRequest *c)
{
    const uint8_t *cdb = scsi_cdb(c);
    unsigned last = c->req.cmd.len - 1;

    for (unsigned i = 1; i <= last; i++) {
        uint8_t known = c->info->usage[i] | (i == last ? 0xc0 : 0);

        if (i == 1 && c->info->action != SCSI_NO_ACTION) {
            known |= 0x1f;
        }
        if (cdb[i] & ~known) {
            return scsi_fail_field(c, i, 31 - clz32(cdb[i] & ~known));
        }
    }
    return true;
}

/* INQUIRY data has NORMACA 0: there is no ACA to ask for (SAM-5 5.2). */
static bool check_naca(ScsiRequest *c)
{
    unsigned control = c->req.cmd.len - 1;

    return scsi_cdb(c)[control] & 0x04 ? scsi_fail_field(c, control, 2) : true;
}

static bool prepare(ScsiRequest *c)
{
    return check_state(c) && check_naca(c) &&
           (!scsi_disk(c)->strict || check_reserved_bits(c)) &&
           (!c->info->prepare || c->info->prepare(c));
}

static int32_t send_command(SCSIRequest *req, uint8_t *cdb)
{
    ScsiRequest *c = container_of(req, ScsiRequest, req);

    /* Else it has been here already and is tried again. */
    if (!c->transfer.active) {
        begin(c);
        if (!prepare(c)) {
            complete(c);
            return 0;
        }
    }
    if (!c->reply && !c->info->run) {
        /* There is nothing to send. */
        req->cmd.mode = SCSI_XFER_NONE;
    }
    switch (req->cmd.mode) {
    case SCSI_XFER_TO_DEV:
        return -(int32_t)req->cmd.xfer;
    case SCSI_XFER_FROM_DEV:
        return c->reply ? c->reply : req->cmd.xfer;
    default:
        start(c);
        return 0;
    }
}

/* The HBA is ready for data, or has dealt with a piece of it. */
static void continue_request(SCSIRequest *req)
{
    ScsiRequest *c = container_of(req, ScsiRequest, req);

    if (c->hba_has_turn) {
        c->hba_has_turn = false;
        if (c->co) {
            step(c);
            return;
        }
        c->turn_over = true;
    }
    c->run_again = false;
    if (!c->transfer.active) {
        /* Came with a migration. */
        begin(c);
        if (!prepare(c)) {
            complete(c);
            return;
        }
    }
    start(c);
}

static uint8_t *get_buf(SCSIRequest *req)
{
    return container_of(req, ScsiRequest, req)->buf;
}

static void free_request(SCSIRequest *req)
{
    ScsiRequest *c = container_of(req, ScsiRequest, req);

    if (c->transfer.active) {
        /* Cancelled between two steps. */
        end_aborted(c);
        td_transfer_release(&c->transfer);
    }
    td_transfer_destroy(&c->transfer);
    qemu_vfree(c->buf);
}

static const SCSIReqOps scsi_request_ops = {
    .size = sizeof(ScsiRequest),
    .free_req = free_request,
    .send_command = send_command,
    .read_data = continue_request,
    .write_data = continue_request,
    .get_buf = get_buf,
    .save_request = scsi_save_request,
    .load_request = scsi_load_request,
};

SCSIRequest *scsi_request_new(SCSIDevice *dev, uint32_t tag, uint32_t lun,
                              uint8_t *cdb, void *hba_private)
{
    SCSIRequest *req = scsi_req_alloc(&scsi_request_ops, dev, tag, lun,
                                      hba_private);
    ScsiRequest *c = container_of(req, ScsiRequest, req);

    td_transfer_init(&c->transfer, &TRACEDISK_SCSI(dev)->disk, NULL);
    return req;
}

/* A CDB that cannot be parsed is refused by us, so that the trace has it. */
int scsi_request_parse(SCSIDevice *dev, SCSICommand *cmd, uint8_t *buf,
                       size_t buf_len, void *hba_private)
{
    if (scsi_req_parse_cdb(dev, cmd, buf, buf_len) < 0) {
        cmd->len = MIN(buf_len, sizeof(cmd->buf));
        memcpy(cmd->buf, buf, cmd->len);
        cmd->xfer = 0;
        cmd->mode = SCSI_XFER_NONE;
        return 0;
    }
    scsi_command_fix_transfer(TRACEDISK_SCSI(dev), cmd);
    return 0;
}
