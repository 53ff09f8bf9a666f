/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is to hold of each command: the table of commands times a table of
 * checks. A check is a case of each command that it makes sense for; what one
 * case can see of all of them is in every.c.
 */
#include "suite.h"

typedef struct Check {
    const char *name;
    const char *title;          /* "%s" is the command */
    const char *clause;         /* after the command's own; or NULL */
    bool is_bad;                /* bad input */
    bool (*wants)(const ScsiCommand *command);
    void (*run)(TdScsi *hba, const ScsiCommand *command);
} Check;

typedef struct EachCase {
    const ScsiCommand *command;
    const Check *check;
} EachCase;

static bool moves_blocks(const ScsiCommand *command)
{
    return command->flags & (BLOCKS_IN | BLOCKS_OUT);
}

/* As far as these commands could have changed it. */
#define SEEN_BLOCKS (CALL_LBA + 2 * CALL_BLOCKS)

/* The medium is as it was: zeros. */
void expect_unwritten(TdScsi *hba)
{
    size_t bytes = SEEN_BLOCKS * td_scsi_block_size(hba);
    g_autofree uint8_t *found = g_malloc(bytes), *zeros = g_malloc0(bytes);

    td_scsi_read(hba, 0, found, bytes);
    td_expect_mem(found, zeros, bytes);
}

static void expect_untouched(const uint8_t *data, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++) {
        td_expect_hex(data[i], ==, TD_SCSI_UNTOUCHED);
    }
}

/* The last command in the trace of unit @unit: QEMU is gone. */
static const TdTraced *last_traced(const TdScsi *hba, unsigned unit)
{
    const GPtrArray *commands = hba->traced[unit]->commands;

    td_expect_uint(commands->len, >, 0);
    return g_ptr_array_index(commands, commands->len - 1);
}

/* ---- Good input -------------------------------------------------------- */

static void check_good(TdScsi *hba, const ScsiCommand *command)
{
    g_autofree ScsiCall *call = g_new(ScsiCall, 1);
    uint64_t moved[TD_SCSI_UNITS];
    TdScsiOutcome o;

    for (hba->unit = 0; hba->unit < TD_SCSI_UNITS; hba->unit++) {
        make_call(hba, command, call);
        o = send_call(hba, call);
        td_scsi_expect_status(o, TD_SCSI_GOOD);
        td_expect_uint(o.residual, <=, call->out_bytes + call->in_bytes);
        moved[hba->unit] = call->out_bytes + call->in_bytes - o.residual;
        if (!(command->flags & HAS_ALLOCATION)) {
            td_scsi_expect_good(o, 0);
        }
    }
    if (td_scsi_stop(hba) && !(command->flags & OF_BUS)) {
        for (unsigned unit = 0; unit < TD_SCSI_UNITS; unit++) {
            const TdTraced *t = last_traced(hba, unit);

            td_expect_str(t->name, command->title);
            td_expect_uint(t->status, ==, TD_GOOD);
            td_expect_uint(t->bytes, ==, moved[unit]);
        }
    }
}

/* ---- Lengths ----------------------------------------------------------- */

static void check_zero_length(TdScsi *hba, const ScsiCommand *command)
{
    g_autofree ScsiCall *call = g_new(ScsiCall, 1);

    for (hba->unit = 0; hba->unit < TD_SCSI_UNITS; hba->unit++) {
        make_call(hba, command, call);
        set_call_length(hba, call, 0);
        call->in_bytes = call->out_bytes = 0;
        td_scsi_expect_good(send_call(hba, call), 0);
        if (command->flags & WRITES) {
            expect_unwritten(hba);
        }
    }
}

static void check_zero_length_refused(TdScsi *hba,
                                      const ScsiCommand *command)
{
    g_autofree ScsiCall *call = g_new(ScsiCall, 1);

    for (hba->unit = 0; hba->unit < TD_SCSI_UNITS; hba->unit++) {
        uint32_t bytes;

        make_call(hba, command, call);
        bytes = call->out_bytes;
        set_call_length(hba, call, 0);
        call->out_bytes = bytes;
        td_scsi_expect_sense(send_call(hba, call),
                             command->opcode == 0x5f ?
                             TD_SENSE_PARAMETER_LENGTH :
                             TD_SENSE_INVALID_FIELD);
    }
}

/* In a 6-byte CDB 0 stands for 256 blocks. */
static void check_256_blocks(TdScsi *hba, const ScsiCommand *command)
{
    uint64_t addr = guest_alloc(hba->alloc, 256 * 4096);
    g_autofree uint8_t *data = g_malloc(256 * 4096);
    g_autofree uint8_t *found = g_malloc(256 * 4096);

    for (hba->unit = 0; hba->unit < TD_SCSI_UNITS; hba->unit++) {
        TdMemory list = { addr, 256 * td_scsi_block_size(hba) };
        TdCdb cdb = td_cdb_blocks(command->opcode, CALL_LBA, 0);

        td_pattern(data, list.len, 4 + hba->unit);
        if (command->flags & BLOCKS_OUT) {
            qtest_memwrite(hba->qts, addr, data, list.len);
            td_scsi_expect_good(td_scsi_io(hba, &cdb, &list, 1, NULL, 0), 0);
            td_scsi_read(hba, CALL_LBA, found, list.len);
        } else {
            td_scsi_write(hba, CALL_LBA, data, list.len);
            td_scsi_expect_good(td_scsi_io(hba, &cdb, NULL, 0, &list, 1), 0);
            qtest_memread(hba->qts, addr, found, list.len);
        }
        td_expect_mem(found, data, list.len);
    }
}

/*
 * An allocation length that is too short cuts the answer off, and changes
 * nothing in it; a buffer that is longer than it is not used to the end.
 */
static void check_short_allocation(TdScsi *hba, const ScsiCommand *command)
{
    g_autofree ScsiCall *call = g_new(ScsiCall, 1);
    g_autofree uint8_t *whole = g_malloc(CALL_BYTES_MAX);
    uint32_t at_least = command->flags & AT_LEAST_16 ? 16 : 1;

    for (hba->unit = 0; hba->unit < TD_SCSI_UNITS; hba->unit++) {
        TdScsiOutcome o;
        uint32_t bytes;

        make_call(hba, command, call);
        o = send_call(hba, call);
        td_scsi_expect_status(o, TD_SCSI_GOOD);
        bytes = call->in_bytes - o.residual;
        memcpy(whole, call->in, bytes);
        for (uint32_t n = at_least; n < bytes; n += MAX(n / 2, 3)) {
            make_call(hba, command, call);
            set_call_length(hba, call, n);
            call->in_bytes = n + 16;
            td_scsi_expect_good(send_call(hba, call), 16);
            td_expect_mem(call->in, whole, n);
            expect_untouched(call->in + n, 16);
        }
    }
}

static void check_long_allocation(TdScsi *hba, const ScsiCommand *command)
{
    uint32_t most = command->length_bytes == 1 ? 255 :
                    command->length_bytes == 2 ? 65535 : CALL_BYTES_MAX;
    g_autofree ScsiCall *call = g_new(ScsiCall, 1);
    TdScsiOutcome o;

    for (hba->unit = 0; hba->unit < TD_SCSI_UNITS; hba->unit++) {
        make_call(hba, command, call);
        set_call_length(hba, call, most);
        o = send_call(hba, call);
        td_scsi_expect_status(o, TD_SCSI_GOOD);
        td_expect_uint(o.residual, >, 0);
        td_expect_uint(o.residual, <=, most);
        expect_untouched(call->in + most - o.residual, o.residual);
    }
}

/* ---- Lists that do not fit the CDB ------------------------------------- */

/* More memory than the CDB wants: the rest is the residual. */
static void check_underrun(TdScsi *hba, const ScsiCommand *command)
{
    g_autofree ScsiCall *call = g_new(ScsiCall, 1);

    for (hba->unit = 0; hba->unit < TD_SCSI_UNITS; hba->unit++) {
        uint32_t bytes;

        make_call(hba, command, call);
        bytes = call->in_bytes;
        call->in_bytes += bytes ? 700 : 0;
        call->out_bytes += bytes ? 0 : 700;
        td_scsi_expect_good(send_call(hba, call), 700);
        if (bytes) {
            expect_untouched(call->in + bytes, 700);
        }
    }
}

/* Less memory: nothing is done, as the HBA says. */
static void check_overrun(TdScsi *hba, const ScsiCommand *command)
{
    g_autofree ScsiCall *call = g_new(ScsiCall, 1);

    for (hba->unit = 0; hba->unit < TD_SCSI_UNITS; hba->unit++) {
        make_call(hba, command, call);
        if (call->in_bytes) {
            call->in_bytes--;
        } else {
            call->out_bytes--;
        }
        td_scsi_expect_response(send_call(hba, call), VIRTIO_SCSI_S_OVERRUN);
        if (command->flags & WRITES) {
            expect_unwritten(hba);
        }
        td_scsi_check_alive(hba);
    }
}

/* ---- Bad fields -------------------------------------------------------- */

void expect_invalid_field(TdScsiOutcome o, int byte)
{
    td_scsi_expect_sense(o, TD_SENSE_INVALID_FIELD);
    if (o.sense.field_byte >= 0) {
        td_expect(o.sense.field_in_cdb);
        td_expect_uint(o.sense.field_byte, ==, byte);
    }
}

static void check_bad_field(TdScsi *hba, const ScsiCommand *command)
{
    g_autofree ScsiCall *call = g_new(ScsiCall, 1);

    for (hba->unit = 0; hba->unit < TD_SCSI_UNITS; hba->unit++) {
        make_call(hba, command, call);
        call->cdb.b[command->bad_byte] ^= command->bad_bits;
        expect_invalid_field(send_call(hba, call), command->bad_byte);
        if (command->flags & WRITES) {
            expect_unwritten(hba);
        }
    }
}

static void expect_out_of_range(TdScsi *hba, ScsiCall *call, uint64_t lba,
                                uint32_t blocks)
{
    td_cdb_set_lba(&call->cdb, lba);
    if (moves_blocks(call->command)) {
        uint32_t out_bytes = call->out_bytes;

        set_call_length(hba, call, blocks);
        /* WRITE SAME takes one block, COMPARE AND WRITE twice as many. */
        call->out_bytes = blocks ? out_bytes : 0;
    } else if (!(call->command->flags & HAS_ALLOCATION)) {
        set_call_length(hba, call, blocks);
        call->out_bytes = call->in_bytes = 0;
    }
    td_scsi_expect_sense(send_call(hba, call), TD_SENSE_LBA_OUT_OF_RANGE);
}

static void check_bad_lba(TdScsi *hba, const ScsiCommand *command)
{
    unsigned cdb_bytes = td_cdb_bytes(command->opcode);
    uint64_t most = cdb_bytes == 6 ? 0x1fffff : cdb_bytes == 16 ? UINT64_MAX :
                    UINT32_MAX;
    g_autofree ScsiCall *call = g_new(ScsiCall, 1);

    for (hba->unit = 0; hba->unit < TD_SCSI_UNITS; hba->unit++) {
        uint64_t end = td_scsi_blocks(hba);

        make_call(hba, command, call);
        expect_out_of_range(hba, call, end, 1);
        expect_out_of_range(hba, call, most, 1);
        expect_out_of_range(hba, call, most, 2);
        if (!(command->flags & HAS_ALLOCATION)) {
            expect_out_of_range(hba, call, end - 1, 2);
        }
        if (cdb_bytes > 6 && !(command->flags & ZERO_IS_REFUSED)) {
            expect_out_of_range(hba, call, end + 1, 0);
        }
        if (command->flags & WRITES) {
            uint8_t last[4096], zeros[4096] = { 0 };

            td_scsi_read(hba, end - 1, last, td_scsi_block_size(hba));
            td_expect_mem(last, zeros, td_scsi_block_size(hba));
        }
    }
}

/* ---- The table --------------------------------------------------------- */

static bool any(const ScsiCommand *command)
{
    return true;
}

static bool has_lba(const ScsiCommand *command)
{
    return command->flags & HAS_LBA;
}

static bool has_allocation(const ScsiCommand *command)
{
    return command->flags & HAS_ALLOCATION;
}

static bool has_bad_field(const ScsiCommand *command)
{
    return command->bad_bits;
}

static bool has_data(const ScsiCommand *command)
{
    return command->flags & (BLOCKS_IN | BLOCKS_OUT | HAS_ALLOCATION |
                             HAS_PARAMETERS) ||
           command->opcode == 0x25;     /* READ CAPACITY(10) */
}

static bool has_exact_data(const ScsiCommand *command)
{
    return has_data(command) && !has_allocation(command);
}

static bool means_256_by_zero(const ScsiCommand *command)
{
    return td_cdb_bytes(command->opcode) == 6 && moves_blocks(command);
}

static bool refuses_zero(const ScsiCommand *command)
{
    return command->flags & ZERO_IS_REFUSED;
}

static bool means_nothing_by_zero(const ScsiCommand *command)
{
    return command->length_bytes && !means_256_by_zero(command) &&
           !(command->flags & (ZERO_IS_REFUSED | AT_LEAST_16));
}

static const Check checks[] = {
    {
        .name = "good",
        .title = "%s does what it is for, and the trace says so",
        .wants = any,
        .run = check_good,
    },
    {
        .name = "zero-length",
        .title = "%s with a length of 0 does nothing, which is no error",
        .clause = "SPC-4 4.2.5",
        .wants = means_nothing_by_zero,
        .run = check_zero_length,
    },
    {
        .name = "zero-length",
        .title = "%s with a length of 0 is refused",
        .is_bad = true,
        .wants = refuses_zero,
        .run = check_zero_length_refused,
    },
    {
        .name = "zero-length",
        .title = "%s with a length of 0 moves 256 blocks",
        .wants = means_256_by_zero,
        .run = check_256_blocks,
    },
    {
        .name = "short-allocation",
        .title = "%s cuts off what has no room, and changes nothing else",
        .clause = "SPC-4 4.2.5.6",
        .wants = has_allocation,
        .run = check_short_allocation,
    },
    {
        .name = "long-allocation",
        .title = "%s sends what there is, and no more",
        .clause = "SPC-4 4.2.5.6",
        .wants = has_allocation,
        .run = check_long_allocation,
    },
    {
        .name = "underrun",
        .title = "%s leaves a list's end alone, and the residual tells it",
        .clause = "virtio 1.2 5.6.6.1",
        .wants = has_exact_data,
        .run = check_underrun,
    },
    {
        .name = "overrun",
        .title = "%s with too little memory is not done",
        .clause = "virtio 1.2 5.6.6.1",
        .is_bad = true,
        .wants = has_data,
        .run = check_overrun,
    },
    {
        .name = "bad-field",
        .title = "%s with a field that it does not allow is refused",
        .is_bad = true,
        .wants = has_bad_field,
        .run = check_bad_field,
    },
    {
        .name = "bad-lba",
        .title = "%s of a block that there is not is refused",
        .is_bad = true,
        .wants = has_lba,
        .run = check_bad_lba,
    },
};

/* ---- Topics ------------------------------------------------------------ */

static void run_check(void)
{
    const EachCase *each = td_case()->data;
    TdScsi *hba = td_scsi_start("");

    if (has_command(hba, each->command)) {
        each->check->run(hba, each->command);
    } else {
        g_test_skip("the peer does not have this command");
    }
    td_scsi_free(hba);
}

static void add_check(GArray *cases, const ScsiCommand *command,
                      const Check *check)
{
    EachCase *each = g_new(EachCase, 1);
    char *item = command_item(command->opcode, command->action);
    TdCase c = {
        .name = check->name,
        .title = g_strdup_printf(check->title, command->title),
        .clause = check->clause ?
            g_strdup_printf("%s; %s", command->clause, check->clause) :
            command->clause,
        .good = check->is_bad ? NULL : item,
        .bad = check->is_bad ? item : NULL,
        .run = run_check,
        .data = each,
    };

    *each = (EachCase) { command, check };
    g_array_append_val(cases, c);
}

/* They stay until the program ends. */
void add_command_topics(GPtrArray *topics)
{
    for (unsigned i = 0; i < n_scsi_commands; i++) {
        GArray *cases = g_array_new(false, false, sizeof(TdCase));
        TdTopic *topic = g_new(TdTopic, 1);

        for (unsigned j = 0; j < ARRAY_SIZE(checks); j++) {
            if (checks[j].wants(&scsi_commands[i])) {
                add_check(cases, &scsi_commands[i], &checks[j]);
            }
        }
        topic->name = scsi_commands[i].name;
        topic->n_cases = cases->len;
        topic->cases = (TdCase *)g_array_free(cases, false);
        g_ptr_array_add(topics, topic);
    }
}
