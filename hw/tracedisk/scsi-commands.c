/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk-scsi: which command is served by what; sense data
 */
#include "qemu/osdep.h"
#include "compat.h"
#include "scsi.h"

/*
 * CDB usage data of the common layouts (SPC-4 6.35.3): a set bit is one that
 * the device looks at. Byte 0 is the operation code, put in when told.
 */
#define USAGE_6_NONE      "\x00\x00\x00\x00\x00\x04"
#define USAGE_6_LBA       "\x00\x1f\xff\xff\xff\x04"
#define USAGE_6_ALLOC     "\x00\x00\x00\x00\xff\x04"
#define USAGE_INQUIRY     "\x00\x01\xff\xff\xff\x04"
#define USAGE_SENSE       "\x00\x01\x00\x00\xff\x04"
#define USAGE_MODE_SENSE6 "\x00\x08\xff\xff\xff\x04"
#define USAGE_MODE_SEL6   "\x00\x11\x00\x00\xff\x04"
#define USAGE_START_STOP  "\x00\x01\x00\x0f\xf7\x04"
#define USAGE_10_RW       "\x00\xf8\xff\xff\xff\xff\x3f\xff\xff\x04"
#define USAGE_10_VERIFY   "\x00\xf6\xff\xff\xff\xff\x3f\xff\xff\x04"
#define USAGE_10_SYNC     "\x00\x02\xff\xff\xff\xff\x3f\xff\xff\x04"
#define USAGE_10_NONE     "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x04"
#define USAGE_MODE_SENSE10 "\x00\x18\xff\xff\x00\x00\x00\xff\xff\x04"
#define USAGE_MODE_SEL10  "\x00\x11\x00\x00\x00\x00\x00\xff\xff\x04"
#define USAGE_12_RW       "\x00\xf8\xff\xff\xff\xff\xff\xff\xff\xff\x3f\x04"
#define USAGE_12_VERIFY   "\x00\xf6\xff\xff\xff\xff\xff\xff\xff\xff\x3f\x04"
#define USAGE_16_RW \
    "\x00\xf8\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x3f\x04"
#define USAGE_16_VERIFY \
    "\x00\xf6\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x3f\x04"
#define USAGE_16_SYNC \
    "\x00\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x3f\x04"
#define USAGE_CAPACITY_16 \
    "\x00\x10\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff\x00\x04"

#define USAGE_10_PARAMS   "\x00\x1f\x00\x00\x00\x00\x00\xff\xff\x04"
#define USAGE_10_SAME     "\x00\xf8\xff\xff\xff\xff\x3f\xff\xff\x04"
#define USAGE_10_PR_OUT   "\x00\x00\xff\x00\x00\xff\xff\xff\xff\x04"
#define USAGE_10_PR_IN    "\x00\x00\x00\x00\x00\x00\x00\xff\xff\x04"
#define USAGE_10_UNMAP    "\x00\x00\x00\x00\x00\x00\x3f\xff\xff\x04"
#define USAGE_10_BUFFER   "\x00\x1f\xff\xff\xff\xff\xff\xff\xff\x04"
#define USAGE_10_LOG      "\x00\x00\xff\xff\x00\xff\xff\xff\xff\x04"
#define USAGE_10_DEFECTS  "\x00\x00\x1f\x00\x00\x00\x00\xff\xff\x04"
#define USAGE_12_DEFECTS  "\x00\x1f\xff\xff\xff\xff\xff\xff\xff\xff\x00\x04"
#define USAGE_12_OPCODES  "\x00\x00\x87\xff\xff\xff\xff\xff\xff\xff\x00\x04"
#define USAGE_12_LUNS     "\x00\x00\xff\x00\x00\x00\xff\xff\xff\xff\x00\x04"
#define USAGE_12_TMF      "\x00\x00\x80\x00\x00\x00\xff\xff\xff\xff\x00\x04"
#define USAGE_FORMAT      "\x00\xff\x00\x00\x00\x04"
#define USAGE_DIAGNOSTIC  "\x00\x04\x00\xff\xff\x04"
#define USAGE_PREVENT     "\x00\x00\x00\x00\x03\x04"
#define USAGE_SANITIZE    "\x00\xe0\x00\x00\x00\x00\x00\xff\xff\x04"
#define USAGE_16_CAW \
    "\x00\xf8\xff\xff\xff\xff\xff\xff\xff\xff\x00\x00\x00\xff\x3f\x04"
#define USAGE_16_SAME \
    "\x00\xe9\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x3f\x04"
#define USAGE_16_LIST \
    "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff\x00\x04"
#define USAGE_16_RESULTS \
    "\x00\x00\xff\x00\x00\x00\x00\x00\x00\x00\xff\xff\xff\xff\x00\x04"
#define USAGE_16_STATUS \
    "\x00\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00\x04"

#define ANY SCSI_NO_ACTION
#define UA SCSI_UA_EXEMPT
#define ST SCSI_WHEN_STOPPED
#define WR SCSI_WRITES
#define TO SCSI_TO_DEVICE

static const ScsiCommandInfo commands[] = {
    /* TEST UNIT READY, SPC-4 6.47 */
    { 0x00, ANY, 0, NULL, scsi_run_nothing, USAGE_6_NONE },
    { 0x03, ANY, UA | ST, scsi_prepare_request_sense, NULL, USAGE_SENSE },
    { 0x04, ANY, WR, scsi_prepare_format_unit, scsi_run_format_unit,
      USAGE_FORMAT },
    { 0x08, ANY, 0, scsi_prepare_blocks, scsi_run_read, USAGE_6_LBA },
    { 0x0a, ANY, WR, scsi_prepare_blocks, scsi_run_write, USAGE_6_LBA },
    { 0x12, ANY, UA | ST, scsi_prepare_inquiry, NULL, USAGE_INQUIRY },
    { 0x15, ANY, ST, scsi_prepare_mode_select, scsi_run_mode_select,
      USAGE_MODE_SEL6 },
    { 0x16, ANY, ST, NULL, scsi_run_reserve, USAGE_6_NONE },
    { 0x17, ANY, ST, NULL, scsi_run_release, USAGE_6_NONE },
    { 0x1a, ANY, ST, scsi_prepare_mode_sense, NULL, USAGE_MODE_SENSE6 },
    { 0x1b, ANY, ST, scsi_prepare_start_stop, scsi_run_start_stop,
      USAGE_START_STOP },
    { 0x1d, ANY, ST, scsi_prepare_send_diagnostic, scsi_run_nothing,
      USAGE_DIAGNOSTIC },
    /* PREVENT ALLOW MEDIUM REMOVAL, SPC-4 6.17: the medium is not removable */
    { 0x1e, ANY, ST, NULL, scsi_run_nothing, USAGE_PREVENT },
    { 0x25, ANY, 0, scsi_prepare_read_capacity_10, NULL, USAGE_10_NONE },
    { 0x28, ANY, 0, scsi_prepare_blocks, scsi_run_read, USAGE_10_RW },
    { 0x2a, ANY, WR, scsi_prepare_blocks, scsi_run_write, USAGE_10_RW },
    { 0x2e, ANY, WR, scsi_prepare_verify, scsi_run_write_verify,
      USAGE_10_VERIFY },
    { 0x2f, ANY, 0, scsi_prepare_verify, scsi_run_verify, USAGE_10_VERIFY },
    { 0x34, ANY, 0, scsi_prepare_blocks, scsi_run_nothing, USAGE_10_SYNC },
    { 0x35, ANY, 0, scsi_prepare_blocks, scsi_run_synchronize,
      USAGE_10_SYNC },
    { 0x37, ANY, 0, scsi_prepare_read_defects, NULL, USAGE_10_DEFECTS },
    { 0x3b, ANY, ST, scsi_prepare_write_buffer, scsi_run_write_buffer,
      USAGE_10_BUFFER },
    { 0x3c, ANY, ST, scsi_prepare_read_buffer, NULL, USAGE_10_BUFFER },
    { 0x41, ANY, WR, scsi_prepare_write_same, scsi_run_write_same,
      USAGE_10_SAME },
    { 0x42, ANY, WR, scsi_prepare_unmap, scsi_run_unmap, USAGE_10_UNMAP },
    { 0x48, 0x01, WR | TO, scsi_prepare_sanitize, scsi_run_sanitize,
      USAGE_SANITIZE },
    { 0x48, 0x02, WR | TO, scsi_prepare_sanitize, scsi_run_sanitize,
      USAGE_SANITIZE },
    { 0x48, 0x03, WR | TO, scsi_prepare_sanitize, scsi_run_sanitize,
      USAGE_SANITIZE },
    { 0x48, 0x1f, WR | TO, scsi_prepare_sanitize, scsi_run_sanitize,
      USAGE_SANITIZE },
    { 0x4d, ANY, ST, scsi_prepare_log_sense, NULL, USAGE_10_LOG },
    { 0x55, ANY, ST, scsi_prepare_mode_select, scsi_run_mode_select,
      USAGE_MODE_SEL10 },
    { 0x56, ANY, ST | TO, NULL, scsi_run_reserve, USAGE_10_NONE },
    { 0x57, ANY, ST | TO, NULL, scsi_run_release, USAGE_10_NONE },
    { 0x5a, ANY, ST, scsi_prepare_mode_sense, NULL, USAGE_MODE_SENSE10 },
    { 0x5e, 0x00, ST, scsi_prepare_pr_in, NULL, USAGE_10_PR_IN },
    { 0x5e, 0x01, ST, scsi_prepare_pr_in, NULL, USAGE_10_PR_IN },
    { 0x5e, 0x02, ST, scsi_prepare_pr_in, NULL, USAGE_10_PR_IN },
    { 0x5e, 0x03, ST, scsi_prepare_pr_in, NULL, USAGE_10_PR_IN },
    { 0x5f, 0x00, ST, scsi_prepare_pr_out, scsi_run_pr_out,
      USAGE_10_PR_OUT },
    { 0x5f, 0x01, ST, scsi_prepare_pr_out, scsi_run_pr_out,
      USAGE_10_PR_OUT },
    { 0x5f, 0x02, ST, scsi_prepare_pr_out, scsi_run_pr_out,
      USAGE_10_PR_OUT },
    { 0x5f, 0x03, ST, scsi_prepare_pr_out, scsi_run_pr_out,
      USAGE_10_PR_OUT },
    { 0x5f, 0x04, ST, scsi_prepare_pr_out, scsi_run_pr_out,
      USAGE_10_PR_OUT },
    { 0x5f, 0x05, ST, scsi_prepare_pr_out, scsi_run_pr_out,
      USAGE_10_PR_OUT },
    { 0x5f, 0x06, ST, scsi_prepare_pr_out, scsi_run_pr_out,
      USAGE_10_PR_OUT },
    { 0x83, 0x00, WR | TO, scsi_prepare_extended_copy,
      scsi_run_extended_copy, USAGE_16_LIST },
    { 0x84, 0x00, ST, scsi_prepare_copy_results, NULL, USAGE_16_RESULTS },
    { 0x84, 0x03, ST, scsi_prepare_copy_results, NULL, USAGE_16_RESULTS },
    { 0x88, ANY, 0, scsi_prepare_blocks, scsi_run_read, USAGE_16_RW },
    { 0x89, ANY, WR | TO, scsi_prepare_compare_and_write,
      scsi_run_compare_and_write, USAGE_16_CAW },
    { 0x8a, ANY, WR, scsi_prepare_blocks, scsi_run_write, USAGE_16_RW },
    { 0x8b, ANY, WR | TO, scsi_prepare_compare_and_write, scsi_run_orwrite,
      USAGE_16_RW },
    { 0x8e, ANY, WR, scsi_prepare_verify, scsi_run_write_verify,
      USAGE_16_VERIFY },
    { 0x8f, ANY, 0, scsi_prepare_verify, scsi_run_verify, USAGE_16_VERIFY },
    { 0x90, ANY, 0, scsi_prepare_blocks, scsi_run_nothing, USAGE_16_SYNC },
    { 0x91, ANY, 0, scsi_prepare_blocks, scsi_run_synchronize,
      USAGE_16_SYNC },
    { 0x93, ANY, WR, scsi_prepare_write_same, scsi_run_write_same,
      USAGE_16_SAME },
    { 0x9c, ANY, WR | TO, scsi_prepare_write_atomic, scsi_run_write,
      USAGE_16_RW },
    { 0x9e, 0x10, 0, scsi_prepare_read_capacity_16, NULL,
      USAGE_CAPACITY_16 },
    { 0x9e, 0x12, 0, scsi_prepare_get_lba_status, scsi_run_get_lba_status,
      USAGE_16_STATUS },
    /* REPORT LUNS, SPC-4 6.33: QEMU's bus answers it; here to be reported */
    { 0xa0, ANY, UA | ST, NULL, scsi_run_nothing, USAGE_12_LUNS },
    { 0xa3, 0x0c, ST, scsi_prepare_report_opcodes, NULL,
      USAGE_12_OPCODES },
    { 0xa3, 0x0d, ST, scsi_prepare_report_tmf, NULL, USAGE_12_TMF },
    { 0xa8, ANY, 0, scsi_prepare_blocks, scsi_run_read, USAGE_12_RW },
    { 0xaa, ANY, WR, scsi_prepare_blocks, scsi_run_write, USAGE_12_RW },
    { 0xae, ANY, WR, scsi_prepare_verify, scsi_run_write_verify,
      USAGE_12_VERIFY },
    { 0xaf, ANY, 0, scsi_prepare_verify, scsi_run_verify, USAGE_12_VERIFY },
    { 0xb7, ANY, 0, scsi_prepare_read_defects, NULL, USAGE_12_DEFECTS },
};

const ScsiCommandInfo *scsi_command_nth(unsigned n)
{
    return n < ARRAY_SIZE(commands) ? &commands[n] : NULL;
}

/* The first entry of each operation code + 1; they are sorted. */
static uint8_t first_of[256];

static void __attribute__((constructor)) index_commands(void)
{
    for (unsigned i = ARRAY_SIZE(commands); i-- > 0;) {
        first_of[commands[i].opcode] = i + 1;
    }
}

const ScsiCommandInfo *scsi_command_find(const uint8_t *cdb)
{
    for (unsigned i = first_of[cdb[0]]; i && i <= ARRAY_SIZE(commands) &&
         commands[i - 1].opcode == cdb[0]; i++) {
        const ScsiCommandInfo *info = &commands[i - 1];

        if (info->action == SCSI_NO_ACTION || info->action == (cdb[1] & 0x1f)) {
            return info;
        }
    }
    return NULL;
}

bool scsi_command_has_actions(uint8_t opcode)
{
    return first_of[opcode] &&
           commands[first_of[opcode] - 1].action != SCSI_NO_ACTION;
}

void scsi_command_fix_transfer(const TdScsi *s, SCSICommand *cmd)
{
    const ScsiCommandInfo *info = scsi_command_find(cmd->buf);
    uint64_t bytes = cmd->xfer;

    if (!info) {
        /* It will be refused, whichever way its data was to go. */
        cmd->xfer = 0;
        cmd->mode = SCSI_XFER_NONE;
        return;
    }
    if (!(info->flags & SCSI_TO_DEVICE)) {
        return;
    }
    switch (cmd->buf[0]) {
    case COMPARE_AND_WRITE:
        bytes = 2 * cmd->buf[13] * s->disk.block_size;
        break;
    case 0x8b: /* ORWRITE(16) */
        bytes = (uint64_t)ldl_be_p(cmd->buf + 10) * s->disk.block_size;
        break;
    case 0x9c: /* WRITE ATOMIC(16) */
        bytes = lduw_be_p(cmd->buf + 12) * s->disk.block_size;
        break;
    }
    cmd->xfer = bytes;
    cmd->mode = bytes ? SCSI_XFER_TO_DEV : SCSI_XFER_NONE;
}

/* ---- Sense data, SPC-4 4.5 --------------------------------------------- */

unsigned scsi_put_sense(uint8_t *buf, SCSISense sense, bool descriptor)
{
    memset(buf, 0, SCSI_SENSE_LEN_FIXED);
    if (descriptor) {
        buf[0] = 0x72;
        buf[1] = sense.key;
        buf[2] = sense.asc;
        buf[3] = sense.ascq;
        return 8;
    }
    buf[0] = 0x70;
    buf[2] = sense.key;
    buf[7] = SCSI_SENSE_LEN_FIXED - 8;
    buf[12] = sense.asc;
    buf[13] = sense.ascq;
    return SCSI_SENSE_LEN_FIXED;
}

bool scsi_fail(ScsiRequest *c, SCSISense sense)
{
    c->status = CHECK_CONDITION;
    c->req.sense_len = scsi_put_sense(c->req.sense, sense, false);
    return false;
}

bool scsi_fail_at(ScsiRequest *c, SCSISense sense, uint64_t information)
{
    scsi_fail(c, sense);
    if (information <= UINT32_MAX) {
        c->req.sense[0] |= 0x80;        /* VALID */
        stl_be_p(c->req.sense + 3, information);
    }
    return false;
}

/* Field pointer sense key specific data, SPC-4 4.5.2.4.2 */
static void point_at(ScsiRequest *c, uint8_t flags, uint16_t byte, int bit)
{
    c->req.sense[15] = 0x80 | flags | (bit < 0 ? 0 : 0x08 | bit);
    stw_be_p(c->req.sense + 16, byte);
}

bool scsi_fail_field(ScsiRequest *c, uint16_t byte, int bit)
{
    scsi_fail(c, SENSE_CODE(INVALID_FIELD));
    point_at(c, 0x40, byte, bit);
    return false;
}

bool scsi_fail_parameter(ScsiRequest *c, uint16_t byte, int bit)
{
    scsi_fail(c, SENSE_CODE(INVALID_PARAM));
    point_at(c, 0, byte, bit);
    return false;
}

void scsi_fail_by_fault(ScsiRequest *c)
{
    const TdFault *f = &c->transfer.fault;
    SCSISense sense = { f->sense_key, f->asc, f->ascq };
    uint64_t moved = c->transfer.result.bytes / scsi_disk(c)->disk.block_size;

    if (c->status != GOOD) {
        return;
    }
    if (f->status != CHECK_CONDITION) {
        c->status = f->status;
    } else if (c->decoded.flags & TD_HAS_LBA) {
        scsi_fail_at(c, sense, c->decoded.lba + moved);
    } else {
        scsi_fail(c, sense);
    }
}

void scsi_fail_io(ScsiRequest *c, int ret, bool is_read)
{
    switch (-ret) {
    case ECANCELED:
        break;                  /* nobody will be told */
    case EINPROGRESS:
        c->retry = true;
        break;
    case ENOMEM:
        scsi_fail(c, SENSE_CODE(TARGET_FAILURE));
        break;
    case ENOSPC:
        scsi_fail(c, SENSE_CODE(SPACE_ALLOC_FAILED));
        break;
    case EBADE:
        c->status = RESERVATION_CONFLICT;
        break;
    default:
        /* UNRECOVERED READ ERROR, WRITE ERROR */
        scsi_fail_at(c, is_read ? SENSE_CODE(READ_ERROR) :
                     (SCSISense) { MEDIUM_ERROR, 0x0c, 0x00 },
                     c->decoded.lba);
        break;
    }
}

/* ---- Answers ----------------------------------------------------------- */

uint8_t *scsi_reply(ScsiRequest *c, uint32_t size)
{
    qemu_vfree(c->buf);         /* there is one after a migration */
    c->buf = qemu_memalign(16, MAX(size, 16));
    memset(c->buf, 0, MAX(size, 16));
    c->reply = MIN(size, c->req.cmd.xfer);
    return c->buf;
}

void scsi_reply_shorten(ScsiRequest *c, uint32_t size)
{
    c->reply = MIN(size, c->reply);
}
