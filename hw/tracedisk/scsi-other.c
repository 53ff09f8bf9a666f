/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk-scsi: commands that belong to no group
 */
#include "qemu/osdep.h"
#include "compat.h"
#include "scsi.h"

void coroutine_fn scsi_run_nothing(ScsiRequest *c)
{
}

/*
 * REQUEST SENSE, SPC-4 6.39: of the last command, if the HBA has not delivered
 * it with the status (SAM-5 5.13), else a pending unit attention, else that
 * there is none.
 */
bool scsi_prepare_request_sense(ScsiRequest *c)
{
    TdScsi *s = scsi_disk(c);
    bool descriptor = scsi_cdb(c)[1] & 1;       /* DESC */
    SCSISense sense = SENSE_CODE(NO_SENSE);
    uint8_t *p = scsi_reply(c, SCSI_SENSE_LEN_FIXED);

    if (s->sense_valid && !descriptor) {
        memcpy(p, s->sense, SCSI_SENSE_LEN_FIXED);
        return true;
    }
    if (s->sense_valid) {
        sense = (SCSISense) { s->sense[2] & 0xf, s->sense[12], s->sense[13] };
    } else if (!scsi_take_unit_attention(s, &sense) && s->stopped) {
        sense = (SCSISense) { NOT_READY, 0x04, 0x02 };
    }
    scsi_reply_shorten(c, scsi_put_sense(p, sense, descriptor));
    return true;
}

/* ---- START STOP UNIT, SBC-3 5.25 --------------------------------------- */

/* START_VALID, ACTIVE, IDLE, STANDBY, sleep, LU_CONTROL, FORCE_… */
#define POWER_CONDITIONS \
    (1 << 0 | 1 << 1 | 1 << 2 | 1 << 3 | 1 << 5 | 1 << 7 | 1 << 10 | 1 << 11)

bool scsi_prepare_start_stop(ScsiRequest *c)
{
    uint8_t byte = scsi_cdb(c)[4];

    if (byte & 0x02) {
        return scsi_fail_field(c, 4, 1);        /* LOEJ: nothing to eject */
    }
    if (!(POWER_CONDITIONS >> (byte >> 4) & 1)) {
        return scsi_fail_field(c, 4, 7);
    }
    return true;
}

void coroutine_fn scsi_run_start_stop(ScsiRequest *c)
{
    TdScsi *s = scsi_disk(c);
    uint8_t byte = scsi_cdb(c)[4];
    bool start = byte & 0x01;

    if (byte & 0xf0) {
        return;                 /* POWER CONDITION: all are alike to us */
    }
    if (!start && !(byte & 0x04)) {     /* NO_FLUSH */
        int ret = td_transfer_co_flush(&c->transfer);

        if (ret < 0) {
            scsi_fail_io(c, ret, false);
            return;
        }
    }
    s->stopped = !start;
}

/* ---- What there is: REPORT SUPPORTED OPERATION CODES, SPC-4 6.35 ------- */

#define TIMEOUTS_BYTES 12

static unsigned cdb_bytes(uint8_t opcode)
{
    static const uint8_t of_group[8] = { 6, 10, 10, 0, 16, 12, 0, 0 };

    return of_group[opcode >> 5];
}

/* Command timeouts descriptor: no timeout is known. */
static unsigned put_timeouts(uint8_t *p)
{
    stw_be_p(p, TIMEOUTS_BYTES - 2);
    return TIMEOUTS_BYTES;
}

static bool report_all(ScsiRequest *c, bool timeouts)
{
    const ScsiCommandInfo *info;
    unsigned n = 4;
    uint8_t *p = scsi_reply(c, 4 + 128 * (8 + TIMEOUTS_BYTES));

    for (unsigned i = 0; (info = scsi_command_nth(i)); i++) {
        uint8_t *d = p + n;

        d[0] = info->opcode;
        d[5] = timeouts ? 0x02 : 0;             /* CTDP */
        if (info->action != SCSI_NO_ACTION) {
            d[3] = info->action;
            d[5] |= 0x01;                       /* SERVACTV */
        }
        stw_be_p(d + 6, cdb_bytes(info->opcode));
        n += 8;
        n += timeouts ? put_timeouts(p + n) : 0;
    }
    stl_be_p(p, n - 4);
    scsi_reply_shorten(c, n);
    return true;
}

static bool report_one(ScsiRequest *c, const ScsiCommandInfo *info,
                       bool timeouts)
{
    uint8_t *p = scsi_reply(c, 4 + 16 + TIMEOUTS_BYTES);
    unsigned n = 4;

    if (!info) {
        p[1] = 1;                               /* not supported */
        scsi_reply_shorten(c, n);
        return true;
    }
    p[1] = 3 | (timeouts ? 0x80 : 0);           /* as the standard says */
    n += cdb_bytes(info->opcode);
    stw_be_p(p + 2, n - 4);
    memcpy(p + 4, info->usage, n - 4);
    p[4] = info->opcode;
    if (info->action != SCSI_NO_ACTION) {
        p[5] |= info->action;
    }
    n += timeouts ? put_timeouts(p + n) : 0;
    scsi_reply_shorten(c, n);
    return true;
}

bool scsi_prepare_report_opcodes(ScsiRequest *c)
{
    const uint8_t *cdb = scsi_cdb(c);
    const uint8_t wanted[2] = { cdb[3], cdb[5] & 0x1f };
    const ScsiCommandInfo *info = scsi_command_find(wanted);
    bool has_actions = scsi_command_has_actions(cdb[3]);
    bool timeouts = cdb[2] & 0x80;              /* RCTD */

    switch (cdb[2] & 0x07) {
    case 0:
        return report_all(c, timeouts);
    case 1:
        return has_actions ? scsi_fail_field(c, 2, 2) :
               report_one(c, info, timeouts);
    case 2:
        return info && !has_actions ? scsi_fail_field(c, 2, 2) :
               report_one(c, info, timeouts);
    case 3:
        return report_one(c, info, timeouts);
    default:
        return scsi_fail_field(c, 2, 2);
    }
}

/* REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS, SPC-4 6.36: what HBAs pass on */
bool scsi_prepare_report_tmf(ScsiRequest *c)
{
    uint8_t *p = scsi_reply(c, scsi_cdb(c)[2] & 0x80 ? 16 : 4); /* REPD */

    p[0] = 0x80 | 0x40 | 0x10 | 0x08;   /* ABORT TASK (SET), CLEAR, LU RESET */
    p[0] |= 0x04;                       /* QUERY TASK */
    p[1] = 0x01 | 0x02;                 /* I_T NEXUS RESET, QUERY TASK SET */
    if (scsi_cdb(c)[2] & 0x80) {
        p[3] = 12;
    }
    return true;
}

/* ---- LOG SENSE, SPC-4 6.8 ---------------------------------------------- */

enum { LOG_PAGES = 0x00, LOG_TEMPERATURE = 0x0d, LOG_INFORMATIONAL = 0x2f };

bool scsi_prepare_log_sense(ScsiRequest *c)
{
    static const uint8_t pages[] = {
        LOG_PAGES, LOG_TEMPERATURE, LOG_INFORMATIONAL
    };
    static const uint8_t temperature[] = { 0, 0, 0x03, 2, 0, 25 };
    static const uint8_t informational[] = { 0, 0, 0x03, 4, 0, 0, 25, 0 };
    const uint8_t *cdb = scsi_cdb(c);
    const uint8_t *content;
    unsigned len;
    uint8_t *p;

    if (cdb[1] & 0x01) {
        return scsi_fail_field(c, 1, 0);        /* SP: nothing can be saved */
    }
    if (cdb[3]) {
        return scsi_fail_field(c, 3, -1);
    }
    switch (cdb[2] & 0x3f) {
    case LOG_PAGES:
        content = pages;
        len = sizeof(pages);
        break;
    case LOG_TEMPERATURE:
        content = temperature;
        len = sizeof(temperature);
        break;
    case LOG_INFORMATIONAL:
        content = informational;
        len = sizeof(informational);
        break;
    default:
        return scsi_fail_field(c, 2, 5);
    }
    p = scsi_reply(c, 4 + len);
    p[0] = cdb[2] & 0x3f;
    stw_be_p(p + 2, len);
    memcpy(p + 4, content, len);
    return true;
}

/* ---- READ DEFECT DATA(10), (12), SBC-3 5.17, 5.18: there are none ------ */

bool scsi_prepare_read_defects(ScsiRequest *c)
{
    const uint8_t *cdb = scsi_cdb(c);
    bool is_12 = cdb[0] == READ_DEFECT_DATA_12;
    uint8_t lists_and_format = is_12 ? cdb[1] : cdb[2];
    uint8_t *p = scsi_reply(c, is_12 ? 8 : 4);

    p[1] = lists_and_format & 0x1f;
    return true;
}

/* ---- READ BUFFER, WRITE BUFFER, SPC-4 6.18, 6.49 ----------------------- */

enum { MODE_DATA = 0x02, MODE_DESCRIPTOR = 0x03, MODE_ECHO = 0x0a,
       MODE_ECHO_DESCRIPTOR = 0x0b };

static uint32_t get_24(const uint8_t *p)
{
    return ldl_be_p(p) >> 8;
}

/* The range of our one buffer, or of the echo buffer, which is the same. */
static bool check_buffer(ScsiRequest *c, uint32_t bytes)
{
    const uint8_t *cdb = scsi_cdb(c);
    uint32_t offset = get_24(cdb + 3);
    uint8_t mode = cdb[1] & 0x1f;

    if (mode == MODE_DATA && cdb[2]) {
        return scsi_fail_field(c, 2, -1);
    }
    if (mode == MODE_ECHO ? offset : offset > SCSI_BUFFER_BYTES) {
        return scsi_fail_field(c, 3, -1);
    }
    if (bytes > SCSI_BUFFER_BYTES - offset) {
        return scsi_fail_field(c, 6, -1);
    }
    return true;
}

bool scsi_prepare_read_buffer(ScsiRequest *c)
{
    TdScsi *s = scsi_disk(c);
    const uint8_t *cdb = scsi_cdb(c);
    uint32_t offset = get_24(cdb + 3);
    uint8_t *p;

    switch (cdb[1] & 0x1f) {
    case MODE_DATA:
    case MODE_ECHO:
        if (!check_buffer(c, 0)) {
            return false;
        }
        p = scsi_reply(c, SCSI_BUFFER_BYTES - offset);
        memcpy(p, s->buffer + offset, SCSI_BUFFER_BYTES - offset);
        return true;
    case MODE_DESCRIPTOR:
        p = scsi_reply(c, 4);
        stl_be_p(p, cdb[2] ? 0 : SCSI_BUFFER_BYTES);
        return true;
    case MODE_ECHO_DESCRIPTOR:
        p = scsi_reply(c, 4);
        stw_be_p(p + 2, MIN(SCSI_BUFFER_BYTES, 4096));
        return true;
    default:
        return scsi_fail_field(c, 1, 4);
    }
}

bool scsi_prepare_write_buffer(ScsiRequest *c)
{
    uint8_t mode = scsi_cdb(c)[1] & 0x1f;

    if (mode != MODE_DATA && mode != MODE_ECHO) {
        return scsi_fail_field(c, 1, 4);
    }
    return check_buffer(c, c->req.cmd.xfer);
}

void coroutine_fn scsi_run_write_buffer(ScsiRequest *c)
{
    const uint8_t *data;

    if (c->req.cmd.mode == SCSI_XFER_NONE) {
        return;
    }
    data = scsi_co_receive_all(c);
    if (data) {
        memcpy(scsi_disk(c)->buffer + get_24(scsi_cdb(c) + 3), data,
               c->req.cmd.xfer);
    }
}

/* ---- SEND DIAGNOSTIC, SPC-4 6.42: only the self-test, which passes ----- */

bool scsi_prepare_send_diagnostic(ScsiRequest *c)
{
    if (scsi_cdb(c)[1] & 0xe0) {
        return scsi_fail_field(c, 1, 7);        /* SELF-TEST CODE */
    }
    if (c->req.cmd.mode != SCSI_XFER_NONE) {
        return scsi_fail_field(c, 3, -1);
    }
    return true;
}

/* ---- FORMAT UNIT, SBC-3 5.3 -------------------------------------------- */

bool scsi_prepare_format_unit(ScsiRequest *c)
{
    if (scsi_cdb(c)[1] & 0xc0) {
        return scsi_fail_field(c, 1, 7);        /* FMTPINFO: no protection */
    }
    return true;
}

static bool coroutine_fn zero_medium(ScsiRequest *c)
{
    TdScsi *s = scsi_disk(c);
    uint64_t bytes = s->disk.blocks * s->disk.block_size;

    for (uint64_t at = 0; at < bytes; at += GiB) {
        int ret = td_transfer_co_zero(&c->transfer, at, MIN(GiB, bytes - at),
                                      BDRV_REQ_MAY_UNMAP);

        if (ret < 0) {
            scsi_fail_io(c, ret, false);
            return false;
        }
    }
    return true;
}

/* The medium is whole as it is; what it held need not be kept, and is not. */
void coroutine_fn scsi_run_format_unit(ScsiRequest *c)
{
    const uint8_t *list;

    if (c->req.cmd.mode != SCSI_XFER_NONE) {
        list = scsi_co_receive_all(c);
        if (!list) {
            return;
        }
        if (list[0] & 0x07) {
            scsi_fail_parameter(c, 0, 2);       /* protection information */
            return;
        }
    }
    zero_medium(c);
}

/* ---- SANITIZE, SBC-3 5.24 ---------------------------------------------- */

enum { SANITIZE_OVERWRITE = 1, SANITIZE_BLOCK_ERASE, SANITIZE_CRYPTO_ERASE,
       SANITIZE_EXIT_FAILURE = 0x1f };

bool scsi_prepare_sanitize(ScsiRequest *c)
{
    uint8_t action = scsi_cdb(c)[1] & 0x1f;
    uint32_t xfer = c->req.cmd.xfer;

    switch (action) {
    case SANITIZE_OVERWRITE:
        /* The header and an initialization pattern of 1 byte to a block. */
        if (xfer < 5 || xfer > 4 + scsi_disk(c)->disk.block_size) {
            return scsi_fail_field(c, 7, -1);
        }
        return true;
    case SANITIZE_BLOCK_ERASE:
    case SANITIZE_CRYPTO_ERASE:
    case SANITIZE_EXIT_FAILURE:
        return xfer ? scsi_fail_field(c, 7, -1) : true;
    default:
        return scsi_fail_field(c, 1, 4);
    }
}

static void coroutine_fn overwrite(ScsiRequest *c, const uint8_t *list)
{
    TdScsi *s = scsi_disk(c);
    uint32_t block = s->disk.block_size;
    uint64_t bytes = s->disk.blocks * block;
    unsigned len = lduw_be_p(list + 2);
    uint8_t *buf;

    if (!(list[0] & 0x1f)) {
        scsi_fail_parameter(c, 0, 4);           /* OVERWRITE COUNT */
        return;
    }
    if (!len || len > c->req.cmd.xfer - 4) {
        scsi_fail_parameter(c, 2, -1);
        return;
    }
    buf = blk_blockalign(s->disk.blk, SCSI_PIECE_BYTES);
    for (uint32_t at = 0; at < SCSI_PIECE_BYTES; at++) {
        /* Each block begins the pattern anew. */
        buf[at] = list[4 + at % block % len];
    }
    for (uint64_t at = 0; at < bytes; at += SCSI_PIECE_BYTES) {
        if (!scsi_co_store(c, at, buf, MIN(SCSI_PIECE_BYTES, bytes - at), 0)) {
            break;
        }
    }
    qemu_vfree(buf);
}

void coroutine_fn scsi_run_sanitize(ScsiRequest *c)
{
    const uint8_t *list;

    switch (scsi_cdb(c)[1] & 0x1f) {
    case SANITIZE_OVERWRITE:
        list = scsi_co_receive_all(c);
        if (list) {
            overwrite(c, list);
        }
        break;
    case SANITIZE_BLOCK_ERASE:
    case SANITIZE_CRYPTO_ERASE:
        zero_medium(c);
        break;
    default:
        break;                  /* EXIT FAILURE MODE: never in it */
    }
}
