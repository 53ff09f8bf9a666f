/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The commands of a SCSI disk, and a right one of each.
 */
#include "suite.h"

/* ---- What some commands need ------------------------------------------- */

static void put_out(ScsiCall *call, const void *data, uint32_t bytes)
{
    memcpy(call->out, data, bytes);
    call->out_bytes = bytes;
    if (call->command->length_bytes) {
        td_cdb_set(&call->cdb, call->command->length_at,
                   call->command->length_bytes, bytes);
    }
}

/* What the medium holds. */
static void fill_verify(TdScsi *hba, ScsiCall *call)
{
    call->cdb.b[1] = 0x02;              /* BYTCHK */
    td_scsi_read(hba, CALL_LBA, call->out, call->out_bytes);
}

static void fill_compare_and_write(TdScsi *hba, ScsiCall *call)
{
    uint32_t half = call->out_bytes;

    memcpy(call->out + half, call->out, half);
    td_scsi_read(hba, CALL_LBA, call->out, half);
    call->out_bytes = 2 * half;
}

static void fill_write_same(TdScsi *hba, ScsiCall *call)
{
    call->out_bytes = td_scsi_block_size(hba);
}

static void fill_unmap(TdScsi *hba, ScsiCall *call)
{
    uint8_t list[24] = { 0, 22, 0, 16 };

    stq_be_p(list + 8, CALL_LBA);
    stl_be_p(list + 16, CALL_BLOCKS);
    put_out(call, list, sizeof(list));
}

static void fill_format(TdScsi *hba, ScsiCall *call)
{
    call->cdb.b[1] = 0x10;              /* FMTDATA: a header and no list */
    put_out(call, (uint8_t[4]) { 0 }, 4);
}

static void fill_sanitize_overwrite(TdScsi *hba, ScsiCall *call)
{
    put_out(call, (uint8_t[]) { 0x01, 0, 0, 1, 0x5a }, 5);
}

static void fill_start(TdScsi *hba, ScsiCall *call)
{
    call->cdb.b[4] = 0x01;
}

static void fill_self_test(TdScsi *hba, ScsiCall *call)
{
    call->cdb.b[1] = 0x04;
}

static void fill_buffer(TdScsi *hba, ScsiCall *call)
{
    uint8_t data[512];

    call->cdb.b[1] = 0x02;              /* data, of buffer 0 */
    if (call->command->flags & HAS_PARAMETERS) {
        td_pattern(data, sizeof(data), 3);
        put_out(call, data, sizeof(data));
    }
}

static void fill_mode_sense(TdScsi *hba, ScsiCall *call)
{
    call->cdb.b[2] = 0x08;              /* the caching page */
}

/* The caching page as it is. */
static void fill_mode_select(TdScsi *hba, ScsiCall *call)
{
    bool is_10 = call->command->opcode == 0x55;
    TdCdb sense = td_cdb_action(is_10 ? 0x5a : 0x1a, 0x08); /* DBD */
    unsigned header = is_10 ? 8 : 4;
    uint8_t data[64] = { 0 };
    TdScsiOutcome o;

    sense.b[2] = 0x08;
    td_cdb_set_length(&sense, sizeof(data));
    o = td_scsi_in(hba, sense, data, sizeof(data));
    td_scsi_expect_status(o, TD_SCSI_GOOD);
    memset(data, 0, header);
    data[header] &= 0x3f;               /* PS is reserved */
    call->cdb.b[1] = 0x10;              /* PF */
    put_out(call, data, header + 2 + data[header + 1]);
}

static void fill_log_sense(TdScsi *hba, ScsiCall *call)
{
    call->cdb.b[2] = 0x40;              /* cumulative values, page 0 */
}

static void register_key(TdScsi *hba, uint64_t key)
{
    TdCdb cdb = td_cdb_action(0x5f, 0x06);
    uint8_t list[24] = { 0 };

    stq_be_p(list + 8, key);
    cdb.b[8] = sizeof(list);
    td_scsi_expect_good(td_scsi_out(hba, cdb, list, sizeof(list)), 0);
}

static void fill_register(TdScsi *hba, ScsiCall *call)
{
    uint8_t list[24] = { 0 };

    list[15] = 1;
    put_out(call, list, sizeof(list));
}

/* By the one that holds key 1; the type is WRITE EXCLUSIVE. */
static void fill_reserve_out(TdScsi *hba, ScsiCall *call)
{
    uint8_t list[24] = { 0 };

    register_key(hba, 1);
    list[7] = 1;
    list[15] = call->command->action >= 4 ? 1 : 0; /* whom to preempt */
    call->cdb.b[2] = 0x01;
    put_out(call, list, sizeof(list));
}

/* One segment: CALL_BLOCKS blocks within the disk, LBA 0 to CALL_LBA */
static void fill_extended_copy(TdScsi *hba, ScsiCall *call)
{
    uint8_t list[16 + 32 + 28] = { 0 };
    uint8_t page[255];
    TdCdb inquiry = td_cdb_action(0x12, 0x01);
    unsigned designator_bytes;

    inquiry.b[2] = 0x83;
    inquiry.b[4] = sizeof(page);
    td_scsi_expect_status(td_scsi_in(hba, inquiry, page, sizeof(page)),
                          TD_SCSI_GOOD);
    designator_bytes = page[4 + 3];
    td_expect_uint(designator_bytes, <=, 20);
    list[0] = 1;                        /* list identifier */
    stw_be_p(list + 2, 32);
    stl_be_p(list + 8, 28);
    list[16] = 0xe4;                    /* identification CSCD descriptor */
    memcpy(list + 20, page + 4, 4 + designator_bytes);
    stl_be_p(list + 16 + 28, td_scsi_block_size(hba));
    list[48] = 0x02;                    /* block to block */
    list[48 + 3] = 24;
    stw_be_p(list + 48 + 10, CALL_BLOCKS);
    stq_be_p(list + 48 + 20, CALL_LBA);
    put_out(call, list, sizeof(list));
}

static void fill_copy_status(TdScsi *hba, ScsiCall *call)
{
    g_autofree ScsiCall *copy = g_new(ScsiCall, 1);

    make_call(hba, find_command("extended-copy"), copy);
    td_scsi_expect_good(send_call(hba, copy), 0);
    call->cdb.b[2] = copy->out[0];
}

/* ---- The table --------------------------------------------------------- */

#define READS (HAS_LBA | BLOCKS_IN | NEEDS_MEDIUM)
#define VERIFIES (HAS_LBA | BLOCKS_OUT | NEEDS_MEDIUM)
#define WRITES_BLOCKS (VERIFIES | WRITES)
#define RANGE (HAS_LBA | NEEDS_MEDIUM)
#define MAKES (HAS_PARAMETERS | WRITES | NEEDS_MEDIUM)
#define TELLS HAS_ALLOCATION
#define SETS HAS_PARAMETERS
/* Bad bits of byte 1: RDPROTECT, WRPROTECT… without protection information */
#define PROTECT 0x20
#define SAME (WRITES_BLOCKS | ZERO_IS_REFUSED)

const ScsiCommand scsi_commands[] = {
    { { "test-unit-ready", "TEST UNIT READY", "SPC-4 6.47", "command:00" },
      0x00, NO_ACTION, NEEDS_MEDIUM },
    { { "request-sense", "REQUEST SENSE", "SPC-4 6.39", "command:03" },
      0x03, NO_ACTION, TELLS | UA_EXEMPT, 4, 1 },
    { { "format-unit", "FORMAT UNIT", "SBC-3 5.3", "command:04" },
      0x04, NO_ACTION, MAKES, 0, 0, 1, 0x80, fill_format },
    { { "read-6", "READ(6)", "SBC-2 5.5", "command:08" },
      0x08, NO_ACTION, READS, 4, 1 },
    { { "write-6", "WRITE(6)", "SBC-2 5.24", "command:0a" },
      0x0a, NO_ACTION, WRITES_BLOCKS, 4, 1 },
    { { "inquiry", "INQUIRY", "SPC-4 6.6", "command:12" },
      0x12, NO_ACTION, TELLS | UA_EXEMPT, 3, 2, 2, 0x80 },
    { { "mode-select-6", "MODE SELECT(6)", "SPC-4 6.11", "command:15" },
      0x15, NO_ACTION, SETS, 4, 1, 0, 0, fill_mode_select },
    { { "reserve-6", "RESERVE(6)", "SPC-2 7.21, 7.22", "command:16" },
      0x16, NO_ACTION },
    { { "release-6", "RELEASE(6)", "SPC-2 7.16, 7.17", "command:17" },
      0x17, NO_ACTION },
    { { "mode-sense-6", "MODE SENSE(6)", "SPC-4 6.13", "command:1a" },
      0x1a, NO_ACTION, TELLS, 4, 1, 2, 0x36, fill_mode_sense },
    { { "start-stop-unit", "START STOP UNIT", "SBC-3 5.25", "command:1b" },
      0x1b, NO_ACTION, 0, 0, 0, 4, 0x40, fill_start },
    { { "send-diagnostic", "SEND DIAGNOSTIC", "SPC-4 6.42", "command:1d" },
      0x1d, NO_ACTION, 0, 0, 0, 1, 0x64, fill_self_test },
    { { "prevent-allow-medium-removal", "PREVENT ALLOW MEDIUM REMOVAL",
        "SBC-3 5.10", "command:1e" },
      0x1e, NO_ACTION },
    { { "read-capacity-10", "READ CAPACITY(10)", "SBC-3 5.15", "command:25" },
      0x25, NO_ACTION, NEEDS_MEDIUM, 0, 0, 2, 0x01 },
    { { "read-10", "READ(10)", "SBC-3 5.11", "command:28" },
      0x28, NO_ACTION, READS, 7, 2, 1, PROTECT },
    { { "write-10", "WRITE(10)", "SBC-3 5.33", "command:2a" },
      0x2a, NO_ACTION, WRITES_BLOCKS, 7, 2, 1, PROTECT },
    { { "write-and-verify-10", "WRITE AND VERIFY(10)",
        "SBC-3 5.37", "command:2e" },
      0x2e, NO_ACTION, WRITES_BLOCKS, 7, 2, 1, PROTECT },
    { { "verify-10", "VERIFY(10)", "SBC-3 5.29", "command:2f" },
      0x2f, NO_ACTION, VERIFIES, 7, 2, 1, PROTECT, fill_verify },
    { { "pre-fetch-10", "PRE-FETCH(10)", "SBC-3 5.8", "command:34" },
      0x34, NO_ACTION, RANGE, 7, 2 },
    { { "synchronize-cache-10", "SYNCHRONIZE CACHE(10)",
        "SBC-3 5.26", "command:35" },
      0x35, NO_ACTION, RANGE, 7, 2 },
    { { "read-defect-data-10", "READ DEFECT DATA(10)",
        "SBC-3 5.17", "command:37" },
      0x37, NO_ACTION, TELLS | NEEDS_MEDIUM, 7, 2 },
    { { "write-buffer", "WRITE BUFFER", "SPC-4 6.49", "command:3b" },
      0x3b, NO_ACTION, SETS, 6, 3, 1, 0x1d, fill_buffer },
    { { "read-buffer", "READ BUFFER(10)", "SPC-4 6.18", "command:3c" },
      0x3c, NO_ACTION, TELLS, 6, 3, 1, 0x1d, fill_buffer },
    { { "write-same-10", "WRITE SAME(10)", "SBC-3 5.43", "command:41" },
      0x41, NO_ACTION, SAME, 7, 2, 1, 0x10, fill_write_same },
    { { "unmap", "UNMAP", "SBC-3 5.28", "command:42" },
      0x42, NO_ACTION, MAKES, 7, 2, 1, 0x01, fill_unmap },
    { { "sanitize-overwrite", "SANITIZE", "SBC-3 5.24", "command:48/01" },
      0x48, 0x01, MAKES | ZERO_IS_REFUSED, 7, 2, 1, 0x04,
      fill_sanitize_overwrite },
    { { "sanitize-block-erase", "SANITIZE", "SBC-3 5.24", "command:48/02" },
      0x48, 0x02, WRITES | NEEDS_MEDIUM, 0, 0, 1, 0x07 },
    { { "sanitize-cryptographic-erase", "SANITIZE",
        "SBC-3 5.24", "command:48/03" },
      0x48, 0x03, WRITES | NEEDS_MEDIUM, 0, 0, 1, 0x06 },
    { { "sanitize-exit-failure-mode", "SANITIZE",
        "SBC-3 5.24", "command:48/1f" },
      0x48, 0x1f, WRITES | NEEDS_MEDIUM, 0, 0, 1, 0x1a },
    { { "log-sense", "LOG SENSE", "SPC-4 6.8", "command:4d" },
      0x4d, NO_ACTION, TELLS, 7, 2, 2, 0x3e, fill_log_sense },
    { { "mode-select-10", "MODE SELECT(10)", "SPC-4 6.12", "command:55" },
      0x55, NO_ACTION, SETS, 7, 2, 0, 0, fill_mode_select },
    { { "reserve-10", "RESERVE(10)", "SPC-2 7.21", "command:56" },
      0x56, NO_ACTION },
    { { "release-10", "RELEASE(10)", "SPC-2 7.16", "command:57" },
      0x57, NO_ACTION },
    { { "mode-sense-10", "MODE SENSE(10)", "SPC-4 6.14", "command:5a" },
      0x5a, NO_ACTION, TELLS, 7, 2, 2, 0x36, fill_mode_sense },
    { { "persistent-reserve-in-read-keys", "PERSISTENT RESERVE IN",
        "SPC-4 6.15.2", "command:5e/00" },
      0x5e, 0x00, TELLS, 7, 2, 1, 0x10 },
    { { "persistent-reserve-in-read-reservation", "PERSISTENT RESERVE IN",
        "SPC-4 6.15.3", "command:5e/01" },
      0x5e, 0x01, TELLS, 7, 2, 1, 0x10 },
    { { "persistent-reserve-in-report-capabilities", "PERSISTENT RESERVE IN",
        "SPC-4 6.15.4", "command:5e/02" },
      0x5e, 0x02, TELLS, 7, 2, 1, 0x10 },
    { { "persistent-reserve-in-read-full-status", "PERSISTENT RESERVE IN",
        "SPC-4 6.15.5", "command:5e/03" },
      0x5e, 0x03, TELLS, 7, 2, 1, 0x10 },
    { { "persistent-reserve-out-register", "PERSISTENT RESERVE OUT",
        "SPC-4 6.16", "command:5f/00" },
      0x5f, 0x00, SETS | ZERO_IS_REFUSED, 5, 4, 1, 0x10, fill_register },
    { { "persistent-reserve-out-reserve", "PERSISTENT RESERVE OUT",
        "SPC-4 6.16", "command:5f/01" },
      0x5f, 0x01, SETS | ZERO_IS_REFUSED, 5, 4, 2, 0x03, fill_reserve_out },
    { { "persistent-reserve-out-release", "PERSISTENT RESERVE OUT",
        "SPC-4 6.16", "command:5f/02" },
      0x5f, 0x02, SETS | ZERO_IS_REFUSED, 5, 4, 2, 0x03, fill_reserve_out },
    { { "persistent-reserve-out-clear", "PERSISTENT RESERVE OUT",
        "SPC-4 6.16", "command:5f/03" },
      0x5f, 0x03, SETS | ZERO_IS_REFUSED, 5, 4, 1, 0x10, fill_reserve_out },
    { { "persistent-reserve-out-preempt", "PERSISTENT RESERVE OUT",
        "SPC-4 6.16", "command:5f/04" },
      0x5f, 0x04, SETS | ZERO_IS_REFUSED, 5, 4, 2, 0x03, fill_reserve_out },
    { { "persistent-reserve-out-preempt-and-abort", "PERSISTENT RESERVE OUT",
        "SPC-4 6.16", "command:5f/05" },
      0x5f, 0x05, SETS | ZERO_IS_REFUSED, 5, 4, 2, 0x03, fill_reserve_out },
    { { "persistent-reserve-out-register-and-ignore", "PERSISTENT RESERVE OUT",
        "SPC-4 6.16", "command:5f/06" },
      0x5f, 0x06, SETS | ZERO_IS_REFUSED, 5, 4, 1, 0x10, fill_register },
    { { "extended-copy", "EXTENDED COPY", "SPC-4 6.5", "command:83/00" },
      0x83, 0x00, MAKES, 10, 4, 1, 0x10, fill_extended_copy },
    { { "copy-status", "RECEIVE COPY RESULTS",
        "SPC-4 6.22-6.26", "command:84/00" },
      0x84, 0x00, TELLS, 10, 4, 1, 0x10, fill_copy_status },
    { { "copy-operating-parameters", "RECEIVE COPY RESULTS",
        "SPC-4 6.22-6.26", "command:84/03" },
      0x84, 0x03, TELLS, 10, 4, 1, 0x10 },
    { { "read-16", "READ(16)", "SBC-3 5.13", "command:88" },
      0x88, NO_ACTION, READS, 10, 4, 1, PROTECT },
    { { "compare-and-write", "COMPARE AND WRITE", "SBC-3 5.2", "command:89" },
      0x89, NO_ACTION, WRITES_BLOCKS, 13, 1, 1, PROTECT, fill_compare_and_write
      },
    { { "write-16", "WRITE(16)", "SBC-3 5.35", "command:8a" },
      0x8a, NO_ACTION, WRITES_BLOCKS, 10, 4, 1, PROTECT },
    { { "orwrite-16", "ORWRITE(16)", "SBC-3 5.5", "command:8b" },
      0x8b, NO_ACTION, WRITES_BLOCKS, 10, 4, 1, PROTECT },
    { { "write-and-verify-16", "WRITE AND VERIFY(16)",
        "SBC-3 5.39", "command:8e" },
      0x8e, NO_ACTION, WRITES_BLOCKS, 10, 4, 1, PROTECT },
    { { "verify-16", "VERIFY(16)", "SBC-3 5.31", "command:8f" },
      0x8f, NO_ACTION, VERIFIES, 10, 4, 1, PROTECT, fill_verify },
    { { "pre-fetch-16", "PRE-FETCH(16)", "SBC-3 5.9", "command:90" },
      0x90, NO_ACTION, RANGE, 10, 4 },
    { { "synchronize-cache-16", "SYNCHRONIZE CACHE(16)",
        "SBC-3 5.27", "command:91" },
      0x91, NO_ACTION, RANGE, 10, 4 },
    { { "write-same-16", "WRITE SAME(16)", "SBC-3 5.44", "command:93" },
      0x93, NO_ACTION, SAME, 10, 4, 1, 0x10, fill_write_same },
    { { "write-atomic-16", "WRITE ATOMIC(16)", "SBC-4", "command:9c" },
      0x9c, NO_ACTION, WRITES_BLOCKS, 12, 2, 1, PROTECT },
    { { "read-capacity-16", "READ CAPACITY(16)",
        "SBC-3 5.16", "command:9e/10" },
      0x9e, 0x10, TELLS | NEEDS_MEDIUM, 10, 4, 2, 0x01 },
    { { "get-lba-status", "GET LBA STATUS", "SBC-3 5.4", "command:9e/12" },
      0x9e, 0x12, TELLS | NEEDS_MEDIUM | HAS_LBA, 10, 4, 1, 0x0f },
    { { "report-luns", "REPORT LUNS", "SPC-4 6.33", "command:a0" },
      0xa0, NO_ACTION, TELLS | UA_EXEMPT | AT_LEAST_16 | OF_BUS, 6, 4, 2, 0x80
      },
    { { "report-supported-operation-codes", "REPORT SUPPORTED OPERATION CODES",
        "SPC-4 6.35", "command:a3/0c" },
      0xa3, 0x0c, TELLS, 6, 4, 2, 0x07 },
    { { "report-supported-task-management-functions",
        "REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS",
        "SPC-4 6.36", "command:a3/0d" },
      0xa3, 0x0d, TELLS, 6, 4, 1, 0x12 },
    { { "read-12", "READ(12)", "SBC-3 5.12", "command:a8" },
      0xa8, NO_ACTION, READS, 6, 4, 1, PROTECT },
    { { "write-12", "WRITE(12)", "SBC-3 5.34", "command:aa" },
      0xaa, NO_ACTION, WRITES_BLOCKS, 6, 4, 1, PROTECT },
    { { "write-and-verify-12", "WRITE AND VERIFY(12)",
        "SBC-3 5.38", "command:ae" },
      0xae, NO_ACTION, WRITES_BLOCKS, 6, 4, 1, PROTECT },
    { { "verify-12", "VERIFY(12)", "SBC-3 5.30", "command:af" },
      0xaf, NO_ACTION, VERIFIES, 6, 4, 1, PROTECT, fill_verify },
    { { "read-defect-data-12", "READ DEFECT DATA(12)",
        "SBC-3 5.18", "command:b7" },
      0xb7, NO_ACTION, TELLS | NEEDS_MEDIUM, 6, 4 },
};

const ScsiCommand *find_command(const char *name)
{
    for (unsigned i = 0; i < N_SCSI_COMMANDS; i++) {
        if (g_str_equal(scsi_commands[i].row.name, name)) {
            return &scsi_commands[i];
        }
    }
    g_assert_not_reached();
}

char *command_item(uint8_t opcode, uint8_t action)
{
    return action == NO_ACTION ? g_strdup_printf("command:%02x", opcode) :
           g_strdup_printf("command:%02x/%02x", opcode, action);
}

/* ---- Calls ------------------------------------------------------------- */

#define ALLOCATION 4096

void set_call_length(TdScsi *hba, ScsiCall *call, uint32_t length)
{
    const ScsiCommand *command = call->command;
    uint32_t bytes = length;

    g_assert_cmpuint(command->length_bytes, >, 0);
    td_cdb_set(&call->cdb, command->length_at, command->length_bytes, length);
    if (command->flags & (BLOCKS_IN | BLOCKS_OUT)) {
        bytes *= td_scsi_block_size(hba);
    }
    g_assert_cmpuint(bytes, <=, CALL_BYTES_MAX);
    if (command->flags & (BLOCKS_IN | HAS_ALLOCATION)) {
        call->in_bytes = bytes;
    } else if (command->flags & (BLOCKS_OUT | HAS_PARAMETERS)) {
        call->out_bytes = bytes;
    }
}

void make_call(TdScsi *hba, const ScsiCommand *command, ScsiCall *call)
{
    call->command = command;
    call->out_bytes = call->in_bytes = 0;
    call->cdb = command->action == NO_ACTION ? td_cdb(command->opcode) :
                td_cdb_action(command->opcode, command->action);
    if (command->flags & HAS_LBA) {
        td_cdb_set_lba(&call->cdb, CALL_LBA);
    }
    if (command->flags & HAS_ALLOCATION) {
        set_call_length(hba, call, command->length_bytes == 1 ? 255 :
                        ALLOCATION);
    } else if (command->flags & HAS_LBA) {
        set_call_length(hba, call, CALL_BLOCKS);
        td_pattern(call->out, call->out_bytes, 1);
    } else if (command->opcode == 0x25) {
        call->in_bytes = 8;             /* READ CAPACITY(10) has no length */
    }
    if (command->fill) {
        command->fill(hba, call);
    }
}

TdScsiOutcome send_call(TdScsi *hba, ScsiCall *call)
{
    return call->out_bytes ?
        td_scsi_out(hba, call->cdb, call->out, call->out_bytes) :
        td_scsi_in(hba, call->cdb, call->in, call->in_bytes);
}

bool has_command(TdScsi *hba, const ScsiCommand *command)
{
    TdCdb cdb = command->action == NO_ACTION ? td_cdb(command->opcode) :
                td_cdb_action(command->opcode, command->action);
    TdScsiOutcome o;

    if (td_system() != TD_PEER) {
        return true;
    }
    if (command->opcode == 0x1b) {
        cdb.b[4] = 0x01;                /* START STOP UNIT: do not stop it */
    }
    /* Whatever is wrong with this one is found when it is known. */
    o = td_scsi_none(hba, cdb);
    return o.response != VIRTIO_SCSI_S_OK ||
           (o.sense.code != TD_SENSE_INVALID_OPCODE &&
            !(command->action != NO_ACTION &&
              o.sense.code == TD_SENSE_INVALID_FIELD));
}
