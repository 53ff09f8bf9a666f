/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk-scsi: the device, and the life of a request on QEMU's SCSI bus
 *
 *   -device virtio-scsi-pci -device tracedisk-scsi,drive=d0
 *
 * QEMU's SCSI bus answers some commands before a disk sees them. To have them
 * in the trace, unit attention conditions and sense data are kept here and
 * not in SCSIDevice; REPORT LUNS and commands for other LUNs stay the bus's.
 */
#include "qemu/osdep.h"
#include "compat.h"
#include "scsi.h"
#include "host-address.h"
#include "migration/qemu-file-types.h"

/* ---- Unit attention ---------------------------------------------------- */

static const SCSISense unit_attentions[] = {
    [SCSI_UA_RESET] = { UNIT_ATTENTION, 0x29, 0x00 },
    [SCSI_UA_CAPACITY] = { UNIT_ATTENTION, 0x2a, 0x09 },
    [SCSI_UA_MICROCODE] = { UNIT_ATTENTION, 0x3f, 0x01 },
};

void scsi_set_unit_attention(TdScsi *s, unsigned condition)
{
    qatomic_or(&s->unit_attention, 1u << condition);
}

bool scsi_take_unit_attention(TdScsi *s, SCSISense *sense)
{
    uint32_t pending = qatomic_read(&s->unit_attention);

    if (likely(!pending)) {
        return false;
    }
    *sense = unit_attentions[ctz32(pending)];
    qatomic_and(&s->unit_attention, ~(1u << ctz32(pending)));
    return true;
}

/* An HBA has told the guest by itself, or its guest must not hear of it. */
static void unit_attention_reported(SCSIDevice *dev)
{
    qatomic_set(&TRACEDISK_SCSI(dev)->unit_attention, 0);
}

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
        req->residual = req->cmd.xfer - MIN(req->cmd.xfer, result->bytes);
    }
    compare_list(c);
    tell_observed(c);
    result->residual = req->cmd.xfer - MIN(req->cmd.xfer, result->bytes);
    result->scsi_status = c->status;
    result->sense = c->status == CHECK_CONDITION ? req->sense : NULL;
    result->sense_len = result->sense ? req->sense_len : 0;
    s->sense_valid = result->sense;
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
        td_transfer_co_watch(&c->transfer, c->decoded.name);
    }
    c->finished = true;
    if (c->req.sg) {
        finish(c);
    } else if (!c->entered) {
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
    c->entered = !c->req.sg;
    qemu_coroutine_enter(c->co);
    if (c->entered) {
        c->entered = false;
        if (c->finished) {
            finish(c);
        } else if (c->hba_has_turn && !c->first_turn_over) {
            c->first_turn_over = true;
            scsi_req_data(&c->req, c->piece);
        }
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

/* ---- Data -------------------------------------------------------------- */

static void give_turn_to_hba(void *opaque)
{
    ScsiRequest *c = opaque;

    if (c->hba_has_turn) {
        c->first_turn_over = true;
        scsi_req_data(&c->req, c->piece);
    }
    scsi_req_unref(&c->req);
}

/*
 * Have the HBA take the piece in buf, or fill it. It calls back when it has,
 * which may be long after; a drain does not wait for it.
 */
static bool coroutine_fn hba_turn(ScsiRequest *c, uint32_t bytes)
{
    TdScsi *s = scsi_disk(c);

    c->piece = bytes;
    c->hba_has_turn = true;
    td_transfer_pause(&c->transfer);
    if (!c->entered || c->first_turn_over) {
        scsi_req_ref(&c->req);
        aio_bh_schedule_oneshot(qemu_get_current_aio_context(),
                                give_turn_to_hba, c);
    }
    qemu_coroutine_yield();
    if (td_transfer_co_start(&c->transfer) < 0) {
        return false;
    }
    if (s->observer) {
        td_observer_match(s->observer, c->observed_since, c->transfer.dir,
                          c->buf, bytes, &c->transfer);
    }
    return true;
}

static void need_piece_buffer(ScsiRequest *c)
{
    if (!c->buf) {
        c->buf = blk_blockalign(scsi_disk(c)->disk.blk, SCSI_PIECE_BYTES);
    }
}

bool coroutine_fn scsi_co_send(ScsiRequest *c, const void *buf, uint32_t bytes)
{
    if (c->req.cmd.mode != SCSI_XFER_FROM_DEV || !bytes) {
        return true;
    }
    if (c->req.sg) {
        td_transfer_to_guest(&c->transfer, buf, bytes);
        return true;
    }
    assert(buf == c->buf);
    bytes = td_transfer_limit(&c->transfer, bytes, 1);
    td_transfer_flip(&c->transfer, c->buf, 0, bytes);
    td_transfer_add_piece(&c->transfer, buf, bytes);
    return hba_turn(c, bytes);
}

bool coroutine_fn scsi_co_receive(ScsiRequest *c, void *buf, uint32_t bytes)
{
    if (c->req.sg) {
        if (td_transfer_from_guest(&c->transfer, buf, bytes) < bytes) {
            scsi_fail(c, SENSE_CODE(INVALID_PARAM_LEN));
            return false;
        }
        return true;
    }
    assert(buf == c->buf);
    if (!hba_turn(c, bytes)) {
        return false;
    }
    td_transfer_add_piece(&c->transfer, buf, bytes);
    td_transfer_flip(&c->transfer, buf, 0, bytes);
    return true;
}

uint8_t *coroutine_fn scsi_co_receive_all(ScsiRequest *c)
{
    uint32_t bytes = c->req.cmd.xfer;

    if (!c->buf) {
        c->buf = blk_try_blockalign(scsi_disk(c)->disk.blk, MAX(bytes, 512));
    }
    if (!c->buf) {
        scsi_fail(c, SENSE_CODE(TARGET_FAILURE));
        return NULL;
    }
    return bytes == 0 || scsi_co_receive(c, c->buf, bytes) ? c->buf : NULL;
}

bool coroutine_fn scsi_co_read(ScsiRequest *c, uint64_t lba, uint64_t blocks)
{
    TdScsi *s = scsi_disk(c);
    TdTransfer *t = &c->transfer;
    int64_t offset = lba * s->disk.block_size;
    uint64_t bytes = blocks * s->disk.block_size;
    int ret = 0;

    t->media_offset = offset;
    if (c->req.sg) {
        ret = td_transfer_co_read(t, offset, bytes);
    } else {
        bytes = td_transfer_limit(t, bytes, 1);
    }
    for (uint64_t done = 0; !c->req.sg && done < bytes;) {
        uint32_t n = MIN(bytes - done, SCSI_PIECE_BYTES);

        need_piece_buffer(c);
        ret = td_transfer_co_read_piece(t, offset + done, c->buf, n);
        if (ret < 0 || !hba_turn(c, n)) {
            break;
        }
        done += n;
    }
    if (ret < 0) {
        scsi_fail_io(c, ret, true);
    }
    return ret >= 0 && !t->cancelled;
}

bool coroutine_fn scsi_co_write(ScsiRequest *c, uint64_t lba, uint64_t blocks,
                                BdrvRequestFlags flags)
{
    TdScsi *s = scsi_disk(c);
    TdTransfer *t = &c->transfer;
    int64_t offset = lba * s->disk.block_size;
    uint64_t bytes = blocks * s->disk.block_size;
    int ret = 0;

    t->media_offset = offset;
    if (c->req.sg) {
        /* Only whole blocks can be written. */
        bytes = MIN(bytes, QEMU_ALIGN_DOWN(t->list_bytes, s->disk.block_size));
        ret = td_transfer_co_write(t, offset, bytes, flags);
    } else {
        bytes = td_transfer_limit(t, bytes, s->disk.block_size);
    }
    for (uint64_t done = 0; !c->req.sg && done < bytes;) {
        uint32_t n = MIN(bytes - done, SCSI_PIECE_BYTES);

        need_piece_buffer(c);
        if (!hba_turn(c, n)) {
            break;
        }
        ret = td_transfer_co_write_piece(t, offset + done, c->buf, n, flags);
        if (ret < 0) {
            break;
        }
        done += n;
    }
    if (ret < 0) {
        scsi_fail_io(c, ret, false);
    }
    return ret >= 0 && !t->cancelled;
}

bool coroutine_fn scsi_co_store(ScsiRequest *c, int64_t offset,
                                const uint8_t *data, uint64_t bytes,
                                BdrvRequestFlags flags)
{
    int ret = td_transfer_co_store(&c->transfer, offset, data, bytes, flags);

    if (ret < 0) {
        scsi_fail_io(c, ret, false);
    }
    return ret >= 0;
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
}

bool scsi_write_protected(const TdScsi *s)
{
    return !blk_is_writable(s->disk.blk) || scsi_mode_software_write_protect(s);
}

/* What must be right before any command is looked at (SPC-4 5.4, 5.14) */
static bool check_state(ScsiRequest *c)
{
    TdScsi *s = scsi_disk(c);
    SCSISense sense;

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
 * So must NACA, as INQUIRY data has NORMACA 0 (SAM-5 5.2), and the obsolete
 * LINK and FLAG; the upper two bits of CONTROL are the vendor's.
 */
static bool check_reserved_bits(ScsiRequest *c)
{
    const uint8_t *cdb = scsi_cdb(c);
    unsigned last = c->req.cmd.len - 1;

    for (unsigned i = 1; i <= last; i++) {
        uint8_t known = i == last ? 0xc0 : c->info->usage[i];

        if (i == 1 && c->info->action != SCSI_NO_ACTION) {
            known |= 0x1f;
        }
        if (cdb[i] & ~known) {
            return scsi_fail_field(c, i, 31 - clz32(cdb[i] & ~known));
        }
    }
    return true;
}

static bool prepare(ScsiRequest *c)
{
    return check_state(c) &&
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
        step(c);
        return;
    }
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
};

static SCSIRequest *alloc_request(SCSIDevice *dev, uint32_t tag, uint32_t lun,
                                  uint8_t *cdb, void *hba_private)
{
    SCSIRequest *req = scsi_req_alloc(&scsi_request_ops, dev, tag, lun,
                                      hba_private);
    ScsiRequest *c = container_of(req, ScsiRequest, req);

    td_transfer_init(&c->transfer, &TRACEDISK_SCSI(dev)->disk, NULL);
    return req;
}

/* A CDB that cannot be parsed is refused by us, so that the trace has it. */
static int parse_cdb(SCSIDevice *dev, SCSICommand *cmd, uint8_t *buf,
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

/* ---- The device -------------------------------------------------------- */

static void resized(TdDisk *disk)
{
    TdScsi *s = container_of(disk, TdScsi, disk);

    disk->blocks = MAX(0, blk_getlength(disk->blk)) / disk->block_size;
    s->parent_obj.max_lba = disk->blocks - 1;
    scsi_set_unit_attention(s, SCSI_UA_CAPACITY);
    /* Some HBAs have a way to tell at once. */
    scsi_device_report_change(&s->parent_obj, SENSE_CODE(CAPACITY_CHANGED));
    s->parent_obj.unit_attention = SENSE_CODE(NO_SENSE);
}

/*
 * A name in the format "locally assigned" (SPC-4 7.8.6.6.4), the same in every
 * run: from the drive's name and the serial number.
 */
static uint64_t make_wwn(const TdScsi *s)
{
    uint64_t hash = 0xcbf29ce484222325;     /* FNV-1a */
    g_autofree char *text = g_strdup_printf("%s/%s", s->serial,
                                            blk_name(s->disk.blk));

    for (const char *p = text; *p; p++) {
        hash = (hash ^ (uint8_t)*p) * 0x100000001b3;
    }
    return deposit64(hash, 60, 4, 3);
}

static bool check_properties(TdScsi *s, Error **errp)
{
    BlockConf *conf = &s->parent_obj.conf;

    if (!conf->blk) {
        error_setg(errp, "drive property not set");
        return false;
    }
    if (!blk_is_inserted(conf->blk)) {
        error_setg(errp, "the drive holds no medium");
        return false;
    }
    if (blk_get_aio_context(conf->blk) != qemu_get_aio_context() &&
        !s->parent_obj.hba_supports_iothread) {
        error_setg(errp, "the HBA does not support iothreads: use one that "
                   "does, such as virtio-scsi-pci");
        return false;
    }
    return true;
}

static void set_default(char **property, const char *value)
{
    if (!*property) {
        *property = g_strdup(value);
    }
}

/*
 * HBAs on PCI and, early, those on a USB controller that is: whatever moves
 * their data. Others (SPARC's, for example) are not observed.
 */
static void observe(TdScsi *s)
{
    BusState *bus = qdev_get_parent_bus(DEVICE(s));
    DeviceState *dev = bus->parent;
    bool early = false;

    if (SCSI_BUS(bus)->info->get_sg_list) {
        return;
    }
    while (dev && !object_dynamic_cast(OBJECT(dev), TYPE_PCI_DEVICE)) {
        bus = qdev_get_parent_bus(dev);
        dev = bus ? bus->parent : NULL;
        early = true;
    }
    if (dev) {
        s->observer = td_observer_get(PCI_DEVICE(dev), early);
    }
}

static bool realize_disk(TdScsi *s, Error **errp)
{
    SCSIDevice *dev = &s->parent_obj;
    DeviceState *hba = qdev_get_parent_bus(DEVICE(s))->parent;
    struct td_device description = { .protocol = TD_SCSI, .frontend = "scsi" };
    g_autofree char *model = NULL;
    g_autofree char *wwn = NULL;
    struct td_pair pairs[4];

    set_default(&s->serial, "TD00001");
    set_default(&s->vendor, "TRACE");
    set_default(&s->product, "tracedisk");
    set_default(&s->version, "1.0");
    if (!dev->wwn) {
        s->disk.blk = dev->conf.blk;
        dev->wwn = make_wwn(s);
        s->disk.blk = NULL;
    }
    /* What a user put there, not what it has inside. */
    if (object_dynamic_cast(OBJECT(hba), "virtio-scsi-device")) {
        hba = qdev_get_parent_bus(hba)->parent;
    }
    model = g_strdup_printf("%s %s", s->vendor, s->product);
    wwn = g_strdup_printf("%016" PRIx64, dev->wwn);
    pairs[0] = (struct td_pair) { "serial", s->serial };
    pairs[1] = (struct td_pair) { "model", model };
    pairs[2] = (struct td_pair) { "wwn", wwn };
    pairs[3] = (struct td_pair) {
        "hba", object_get_typename(OBJECT(hba))
    };
    description.pairs = pairs;
    description.n_pairs = ARRAY_SIZE(pairs);
    s->disk.resized = resized;
    if (!td_disk_realize(&s->disk, &dev->conf, DEVICE(s), &s->options,
                         &description, errp)) {
        return false;
    }
    if (dev->conf.discard_granularity == -1) {
        dev->conf.discard_granularity = MAX(s->disk.block_size, 4 * KiB);
    }
    /* Some tell a geometry to BIOSes that think in one. */
    if (!blkconf_geometry(&dev->conf, NULL, 65535, 255, 255, errp)) {
        td_disk_unrealize(&s->disk);
        return false;
    }
    return true;
}

static void tracedisk_scsi_realize(SCSIDevice *dev, Error **errp)
{
    TdScsi *s = TRACEDISK_SCSI(dev);
    AioContext *ctx;
    bool ok;

    if (!check_properties(s, errp) ||
        !td_faults_realize(s->disk.faults, TD_SCSI, errp)) {
        return;
    }
    ctx = blk_get_aio_context(dev->conf.blk);
    td_aio_context_acquire(ctx);
    ok = realize_disk(s, errp);
    td_aio_context_release(ctx);
    if (!ok) {
        return;
    }
    dev->type = TYPE_DISK;
    dev->blocksize = s->disk.block_size;
    dev->max_lba = s->disk.blocks - 1;
    qemu_co_mutex_init(&s->atomic);
    observe(s);
    if (s->disk.origins) {
        s->doorbell = td_doorbell_new(qdev_get_parent_bus(DEVICE(s))->parent,
                                      s->disk.origins);
    }
    scsi_mode_init(s);
    scsi_set_unit_attention(s, SCSI_UA_RESET);
    add_boot_device_lchs(DEVICE(s), NULL, dev->conf.lcyls, dev->conf.lheads,
                         dev->conf.lsecs);
}

static void tracedisk_scsi_unrealize(SCSIDevice *dev)
{
    TdScsi *s = TRACEDISK_SCSI(dev);
    AioContext *ctx = blk_get_aio_context(s->disk.blk);

    del_boot_device_lchs(DEVICE(s), NULL);
    td_doorbell_free(s->doorbell);
    s->doorbell = NULL;
    td_aio_context_acquire(ctx);
    td_disk_unrealize(&s->disk);
    td_aio_context_release(ctx);
    td_observer_put(s->observer);
    s->observer = NULL;
}

/* Of the whole machine, of the bus, or of this logical unit (SAM-5 6.3) */
static void tracedisk_scsi_reset(DeviceState *dev)
{
    TdScsi *s = TRACEDISK_SCSI(dev);
    SCSIDevice *sdev = &s->parent_obj;

    td_recorder_port_event(s->disk.recorder, TD_EVENT_RESET,
                           sdev->id << 16 | sdev->lun, "lun");
    scsi_device_purge_requests(sdev, SENSE_CODE(NO_SENSE));
    s->disk.blocks = MAX(0, blk_getlength(s->disk.blk)) / s->disk.block_size;
    sdev->max_lba = s->disk.blocks - 1;
    s->stopped = false;
    s->sense_valid = false;
    s->copy.result = 0;
    scsi_mode_reset(s);
    scsi_set_unit_attention(s, SCSI_UA_RESET);
}

static int post_load(void *opaque, int version_id)
{
    TdScsi *s = opaque;
    struct td_event event = { .type = TD_EVENT_LOADVM };

    td_recorder_event(s->disk.recorder, &event);
    return 0;
}

static const VMStateDescription vmstate_tracedisk_scsi = {
    .name = TYPE_TRACEDISK_SCSI,
    .version_id = 1,
    .post_load = post_load,
    .fields = (VMStateField[]) {
        VMSTATE_UINT32(unit_attention, TdScsi),
        VMSTATE_UINT8_ARRAY(sense, TdScsi, SCSI_SENSE_LEN_FIXED),
        VMSTATE_BOOL(sense_valid, TdScsi),
        VMSTATE_BOOL(stopped, TdScsi),
        VMSTATE_UINT8_2DARRAY(mode, TdScsi, SCSI_MODE_PAGES,
                              SCSI_MODE_PAGE_MAX),
        VMSTATE_UINT8_2DARRAY(saved_mode, TdScsi, SCSI_MODE_PAGES,
                              SCSI_MODE_PAGE_MAX),
        VMSTATE_UINT64(reservation_key, TdScsi),
        VMSTATE_BOOL(registered, TdScsi),
        VMSTATE_UINT32(pr_generation, TdScsi),
        VMSTATE_UINT8(reservation_type, TdScsi),
        VMSTATE_UINT8(copy.result, TdScsi),
        VMSTATE_UINT8(copy.list_id, TdScsi),
        VMSTATE_UINT16(copy.segments, TdScsi),
        VMSTATE_UINT64(copy.bytes, TdScsi),
        VMSTATE_UINT8_ARRAY(buffer, TdScsi, SCSI_BUFFER_BYTES),
        /* Last: it brings requests, which look at the above. */
        VMSTATE_SCSI_DEVICE(parent_obj, TdScsi),
        VMSTATE_END_OF_LIST()
    },
};

static TD_PROPERTIES tracedisk_scsi_properties[] = {
    DEFINE_BLOCK_PROPERTIES(TdScsi, parent_obj.conf),
    DEFINE_BLOCK_ERROR_PROPERTIES(TdScsi, parent_obj.conf),
    DEFINE_BLOCK_CHS_PROPERTIES(TdScsi, parent_obj.conf),
    DEFINE_PROP_STRING("serial", TdScsi, serial),
    DEFINE_PROP_STRING("vendor", TdScsi, vendor),
    DEFINE_PROP_STRING("product", TdScsi, product),
    DEFINE_PROP_STRING("ver", TdScsi, version),
    DEFINE_PROP_UINT64("wwn", TdScsi, parent_obj.wwn, 0),
    DEFINE_PROP_UINT16("rotation_rate", TdScsi, rotation_rate, 0),
    DEFINE_PROP_STRING("trace", TdScsi, options.trace),
    DEFINE_PROP_STRING("hash", TdScsi, options.hash),
    DEFINE_PROP_STRING("overflow", TdScsi, options.overflow),
    DEFINE_PROP_BOOL("origin", TdScsi, options.origin, false),
    DEFINE_PROP_BOOL("sectors", TdScsi, options.sectors, false),
    DEFINE_PROP_BOOL("strict", TdScsi, strict, false),
    TD_PROPERTIES_END
};

static void tracedisk_scsi_instance_init(Object *obj)
{
    TdScsi *s = TRACEDISK_SCSI(obj);

    s->disk.watches = td_watches_new();
    s->disk.faults = td_faults_new();
    td_recorder_add_properties(obj, &s->disk.recorder);
    td_watches_add_properties(obj, s->disk.watches);
    td_faults_add_property(obj, s->disk.faults);
    td_host_address_add_property(obj);
}

static void tracedisk_scsi_instance_finalize(Object *obj)
{
    td_watches_free(TRACEDISK_SCSI(obj)->disk.watches);
    td_faults_free(TRACEDISK_SCSI(obj)->disk.faults);
}

static void tracedisk_scsi_class_init(ObjectClass *klass, TD_CLASS_DATA data)
{
    DeviceClass *dc = DEVICE_CLASS(klass);
    SCSIDeviceClass *sc = SCSI_DEVICE_CLASS(klass);

    sc->realize = tracedisk_scsi_realize;
    sc->unrealize = tracedisk_scsi_unrealize;
    sc->alloc_req = alloc_request;
    sc->parse_cdb = parse_cdb;
    sc->unit_attention_reported = unit_attention_reported;
    dc->fw_name = "disk";
    dc->desc = "SCSI disk that records its commands and DMA";
    dc->vmsd = &vmstate_tracedisk_scsi;
    td_device_class_set_reset(dc, tracedisk_scsi_reset);
    device_class_set_props(dc, tracedisk_scsi_properties);
    set_bit(DEVICE_CATEGORY_STORAGE, dc->categories);
}

static const TypeInfo tracedisk_scsi_info = {
    .name = TYPE_TRACEDISK_SCSI,
    .parent = TYPE_SCSI_DEVICE,
    .instance_size = sizeof(TdScsi),
    .instance_init = tracedisk_scsi_instance_init,
    .instance_finalize = tracedisk_scsi_instance_finalize,
    .class_init = tracedisk_scsi_class_init,
};

static void tracedisk_scsi_register_types(void)
{
    type_register_static(&tracedisk_scsi_info);
}

type_init(tracedisk_scsi_register_types)
