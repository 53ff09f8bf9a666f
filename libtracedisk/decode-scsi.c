/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a CDB asks for: SPC-4 clause 6, SBC-3 clause 5 (WRITE ATOMIC: SBC-4).
 */
#include "decode.h"

enum form {
    NO_LBA,
    FORM_6,     /* 21-bit LBA at 1, length at 4: 0 is 256 */
    FORM_10,    /* LBA at 2, length at 7 */
    FORM_12,    /* LBA at 2, length at 6 */
    FORM_16,    /* 64-bit LBA at 2, length at 10 */
    FORM_16_8,  /* COMPARE AND WRITE: 8-bit length at 13 */
    FORM_16_16, /* WRITE ATOMIC: 16-bit length at 12 */
    FORM_32,    /* 64-bit LBA at 12, length at 28, flags at 10 */
};

enum bits {
    DPO = 1 << 0,
    FUA = 1 << 1,
    SAME = 1 << 2, /* WRITE SAME: UNMAP and NDOB bits */
    IN = 1 << 3,   /* op OTHER, with a Data-In or Data-Out buffer */
    OUT = 1 << 4,
};

struct scsi_command {
    const char *name;
    uint8_t op;
    uint8_t form;
    uint8_t bits;
};

#define R TD_OP_READ
#define W TD_OP_WRITE
#define V TD_OP_VERIFY
#define F TD_OP_FLUSH
#define I TD_OP_IDENTIFY
#define O TD_OP_OTHER

static const struct scsi_command commands[256] = {
    [0x00] = { "TEST UNIT READY", O, NO_LBA, 0 },
    [0x03] = { "REQUEST SENSE", O, NO_LBA, IN },
    [0x04] = { "FORMAT UNIT", O, NO_LBA, OUT },
    [0x07] = { "REASSIGN BLOCKS", O, NO_LBA, OUT },
    [0x08] = { "READ(6)", R, FORM_6, 0 },
    [0x0a] = { "WRITE(6)", W, FORM_6, 0 },
    [0x0b] = { "SEEK(6)", O, NO_LBA, 0 },
    [0x12] = { "INQUIRY", I, NO_LBA, 0 },
    [0x15] = { "MODE SELECT(6)", O, NO_LBA, OUT },
    [0x16] = { "RESERVE(6)", O, NO_LBA, 0 },
    [0x17] = { "RELEASE(6)", O, NO_LBA, 0 },
    [0x1a] = { "MODE SENSE(6)", O, NO_LBA, IN },
    [0x1b] = { "START STOP UNIT", O, NO_LBA, 0 },
    [0x1c] = { "RECEIVE DIAGNOSTIC RESULTS", O, NO_LBA, IN },
    [0x1d] = { "SEND DIAGNOSTIC", O, NO_LBA, OUT },
    [0x1e] = { "PREVENT ALLOW MEDIUM REMOVAL", O, NO_LBA, 0 },
    [0x23] = { "READ FORMAT CAPACITIES", O, NO_LBA, IN },
    [0x25] = { "READ CAPACITY(10)", I, NO_LBA, 0 },
    [0x28] = { "READ(10)", R, FORM_10, DPO | FUA },
    [0x2a] = { "WRITE(10)", W, FORM_10, DPO | FUA },
    [0x2b] = { "SEEK(10)", O, NO_LBA, 0 },
    [0x2e] = { "WRITE AND VERIFY(10)", W, FORM_10, DPO },
    [0x2f] = { "VERIFY(10)", V, FORM_10, DPO },
    [0x34] = { "PRE-FETCH(10)", O, FORM_10, 0 },
    [0x35] = { "SYNCHRONIZE CACHE(10)", F, FORM_10, 0 },
    [0x37] = { "READ DEFECT DATA(10)", O, NO_LBA, IN },
    [0x3b] = { "WRITE BUFFER", O, NO_LBA, OUT },
    [0x3c] = { "READ BUFFER(10)", O, NO_LBA, IN },
    [0x3e] = { "READ LONG(10)", O, NO_LBA, IN },
    [0x3f] = { "WRITE LONG(10)", O, NO_LBA, OUT },
    [0x41] = { "WRITE SAME(10)", W, FORM_10, SAME },
    [0x42] = { "UNMAP", TD_OP_TRIM, NO_LBA, 0 },
    [0x43] = { "READ TOC/PMA/ATIP", O, NO_LBA, IN },
    [0x46] = { "GET CONFIGURATION", O, NO_LBA, IN },
    [0x48] = { "SANITIZE", O, NO_LBA, OUT },
    [0x4a] = { "GET EVENT STATUS NOTIFICATION", O, NO_LBA, IN },
    [0x4c] = { "LOG SELECT", O, NO_LBA, OUT },
    [0x4d] = { "LOG SENSE", O, NO_LBA, IN },
    [0x50] = { "XDWRITE(10)", O, FORM_10, DPO | FUA | OUT },
    [0x51] = { "XPWRITE(10)", O, FORM_10, DPO | FUA | OUT },
    [0x52] = { "XDREAD(10)", O, FORM_10, IN },
    [0x53] = { "XDWRITEREAD(10)", O, FORM_10, DPO | FUA },
    [0x55] = { "MODE SELECT(10)", O, NO_LBA, OUT },
    [0x56] = { "RESERVE(10)", O, NO_LBA, 0 },
    [0x57] = { "RELEASE(10)", O, NO_LBA, 0 },
    [0x5a] = { "MODE SENSE(10)", O, NO_LBA, IN },
    [0x5e] = { "PERSISTENT RESERVE IN", O, NO_LBA, IN },
    [0x5f] = { "PERSISTENT RESERVE OUT", O, NO_LBA, OUT },
    [0x7f] = { "VARIABLE LENGTH CDB", O, NO_LBA, 0 },
    [0x83] = { "EXTENDED COPY", O, NO_LBA, OUT },
    [0x84] = { "RECEIVE COPY RESULTS", O, NO_LBA, IN },
    [0x85] = { "ATA PASS-THROUGH(16)", O, NO_LBA, 0 },
    [0x86] = { "ACCESS CONTROL IN", O, NO_LBA, IN },
    [0x87] = { "ACCESS CONTROL OUT", O, NO_LBA, OUT },
    [0x88] = { "READ(16)", R, FORM_16, DPO | FUA },
    [0x89] = { "COMPARE AND WRITE", W, FORM_16_8, DPO | FUA },
    [0x8a] = { "WRITE(16)", W, FORM_16, DPO | FUA },
    [0x8b] = { "ORWRITE(16)", W, FORM_16, DPO | FUA },
    [0x8c] = { "READ ATTRIBUTE", O, NO_LBA, IN },
    [0x8d] = { "WRITE ATTRIBUTE", O, NO_LBA, OUT },
    [0x8e] = { "WRITE AND VERIFY(16)", W, FORM_16, DPO },
    [0x8f] = { "VERIFY(16)", V, FORM_16, DPO },
    [0x90] = { "PRE-FETCH(16)", O, FORM_16, 0 },
    [0x91] = { "SYNCHRONIZE CACHE(16)", F, FORM_16, 0 },
    [0x93] = { "WRITE SAME(16)", W, FORM_16, SAME },
    [0x9c] = { "WRITE ATOMIC(16)", W, FORM_16_16, DPO | FUA },
    [0x9e] = { "SERVICE ACTION IN(16)", O, NO_LBA, IN },
    [0x9f] = { "SERVICE ACTION OUT(16)", O, NO_LBA, OUT },
    [0xa0] = { "REPORT LUNS", O, NO_LBA, IN },
    [0xa1] = { "ATA PASS-THROUGH(12)", O, NO_LBA, 0 },
    [0xa2] = { "SECURITY PROTOCOL IN", O, NO_LBA, IN },
    [0xa3] = { "MAINTENANCE IN", O, NO_LBA, IN },
    [0xa4] = { "MAINTENANCE OUT", O, NO_LBA, OUT },
    [0xa8] = { "READ(12)", R, FORM_12, DPO | FUA },
    [0xaa] = { "WRITE(12)", W, FORM_12, DPO | FUA },
    [0xab] = { "SERVICE ACTION IN(12)", O, NO_LBA, IN },
    [0xae] = { "WRITE AND VERIFY(12)", W, FORM_12, DPO },
    [0xaf] = { "VERIFY(12)", V, FORM_12, DPO },
    [0xb5] = { "SECURITY PROTOCOL OUT", O, NO_LBA, OUT },
    [0xb7] = { "READ DEFECT DATA(12)", O, NO_LBA, IN },
};

/* Commands that share an operation code. */
static const struct {
    uint8_t opcode;
    uint16_t action;
    struct scsi_command command;
} service_actions[] = {
    { 0x7f, 0x09, { "READ(32)", R, FORM_32, DPO | FUA } },
    { 0x7f, 0x0a, { "VERIFY(32)", V, FORM_32, DPO } },
    { 0x7f, 0x0b, { "WRITE(32)", W, FORM_32, DPO | FUA } },
    { 0x7f, 0x0c, { "WRITE AND VERIFY(32)", W, FORM_32, DPO } },
    { 0x7f, 0x0d, { "WRITE SAME(32)", W, FORM_32, SAME } },
    { 0x7f, 0x0e, { "ORWRITE(32)", W, FORM_32, DPO | FUA } },
    { 0x9e, 0x10, { "READ CAPACITY(16)", I, NO_LBA, 0 } },
    { 0x9e, 0x11, { "READ LONG(16)", O, NO_LBA, IN } },
    { 0x9e, 0x12, { "GET LBA STATUS", O, NO_LBA, IN } },
    { 0x9e, 0x13, { "REPORT REFERRALS", O, NO_LBA, IN } },
    { 0x9f, 0x11, { "WRITE LONG(16)", O, NO_LBA, OUT } },
    { 0xa3, 0x05, { "REPORT IDENTIFYING INFORMATION", O, NO_LBA, IN } },
    { 0xa3, 0x0a, { "REPORT TARGET PORT GROUPS", O, NO_LBA, IN } },
    { 0xa3, 0x0b, { "REPORT ALIASES", O, NO_LBA, IN } },
    { 0xa3, 0x0c, { "REPORT SUPPORTED OPERATION CODES", O, NO_LBA, IN } },
    { 0xa3, 0x0d, { "REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS", O, NO_LBA, IN } },
    { 0xa3, 0x0e, { "REPORT PRIORITY", O, NO_LBA, IN } },
    { 0xa3, 0x0f, { "REPORT TIMESTAMP", O, NO_LBA, IN } },
    { 0xa3, 0x10, { "MANAGEMENT PROTOCOL IN", O, NO_LBA, IN } },
    { 0xa4, 0x06, { "SET IDENTIFYING INFORMATION", O, NO_LBA, OUT } },
    { 0xa4, 0x0a, { "SET TARGET PORT GROUPS", O, NO_LBA, OUT } },
    { 0xa4, 0x0b, { "CHANGE ALIASES", O, NO_LBA, OUT } },
    { 0xa4, 0x0e, { "SET PRIORITY", O, NO_LBA, OUT } },
    { 0xa4, 0x0f, { "SET TIMESTAMP", O, NO_LBA, OUT } },
    { 0xa4, 0x10, { "MANAGEMENT PROTOCOL OUT", O, NO_LBA, OUT } },
};

#undef R
#undef W
#undef V
#undef F
#undef I
#undef O

static uint64_t big_endian(const uint8_t *p, size_t n)
{
    uint64_t v = 0;

    while (n--) {
        v = v << 8 | *p++;
    }
    return v;
}

static const struct scsi_command *find_command(const uint8_t *cdb, size_t len)
{
    bool variable = cdb[0] == 0x7f;
    uint64_t action;

    if (len >= (variable ? 10 : 2)) {
        action = variable ? big_endian(cdb + 8, 2) : cdb[1] & 0x1f;
        for (size_t i = 0; i < sizeof(service_actions) / sizeof(service_actions[0]); i++) {
            if (service_actions[i].opcode == cdb[0] && service_actions[i].action == action) {
                return &service_actions[i].command;
            }
        }
    }
    return &commands[cdb[0]];
}

/* Where things are: the CDB's length, the LBA, the length field, the flags. */
static const struct {
    uint8_t len, lba, lba_len, blocks, blocks_len, flags;
} layouts[] = {
    [NO_LBA] = { 1, 0, 0, 0, 0, 0 },
    [FORM_6] = { 6, 1, 3, 4, 1, 0 },
    [FORM_10] = { 10, 2, 4, 7, 2, 1 },
    [FORM_12] = { 12, 2, 4, 6, 4, 1 },
    [FORM_16] = { 16, 2, 8, 10, 4, 1 },
    [FORM_16_8] = { 16, 2, 8, 13, 1, 1 },
    [FORM_16_16] = { 16, 2, 8, 12, 2, 1 },
    [FORM_32] = { 32, 12, 8, 28, 4, 10 },
};

static void decode_address(const uint8_t *cdb, enum form form, struct td_decoded *decoded)
{
    decoded->lba = big_endian(cdb + layouts[form].lba, layouts[form].lba_len);
    decoded->blocks = big_endian(cdb + layouts[form].blocks, layouts[form].blocks_len);
    decoded->flags |= TD_HAS_LBA;
    if (form == FORM_6) {
        decoded->lba &= 0x1fffff;
        decoded->blocks = decoded->blocks ? decoded->blocks : 256;
    }
    /* SYNCHRONIZE CACHE of nothing in particular is of everything. */
    if (decoded->op == TD_OP_FLUSH && !decoded->lba && !decoded->blocks) {
        decoded->flags &= ~(uint32_t)TD_HAS_LBA;
    }
}

static void decode_direction(unsigned bits, struct td_decoded *decoded)
{
    if (bits & IN) {
        decoded->flags |= TD_DATA_IN;
    } else if (bits & OUT) {
        decoded->flags |= TD_DATA_OUT;
    }
}

static void decode_bits(uint8_t flags, unsigned bits, struct td_decoded *decoded)
{
    if ((bits & DPO) && (flags & 1 << 4)) {
        decoded->flags |= TD_DPO;
    }
    if ((bits & FUA) && (flags & 1 << 3)) {
        decoded->flags |= TD_FUA;
    }
    if ((bits & SAME) && (flags & 1 << 3)) { /* UNMAP */
        decoded->op = TD_OP_TRIM;
    } else if ((bits & SAME) && (flags & 1 << 0)) { /* NDOB: of zeros */
        decoded->op = TD_OP_ZERO;
    }
}

void td_decode_scsi(const uint8_t *cdb, size_t len, struct td_decoded *decoded)
{
    const struct scsi_command *command;

    if (len == 0) {
        decoded->name = "EMPTY CDB";
        return;
    }
    command = find_command(cdb, len);
    if (!command->name) {
        decoded->name = "UNKNOWN SCSI COMMAND";
        return;
    }
    decoded->name = command->name;
    if (len < layouts[command->form].len) {
        return;
    }
    decoded->op = (enum td_op)command->op;
    decode_direction(command->bits, decoded);
    if (command->form != NO_LBA) {
        decode_address(cdb, (enum form)command->form, decoded);
        decode_bits(cdb[layouts[command->form].flags], command->bits, decoded);
    }
}
