/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is to hold of each command: cases on the rows of the table of commands.
 * What one case can see of all of them is in every.c.
 */
#include "suite.h"

/* What is checked of a command. */
typedef struct OnCommand {
    void (*check)(TdScsi *hba, const ScsiCommand *command);
} OnCommand;

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

            td_expect_str(t->name, command->row.title);
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

/* ---- The cases --------------------------------------------------------- */

static void run_on_command(void)
{
    const OnCommand *on = td_case()->data;
    const ScsiCommand *command = td_row();
    TdScsi *hba = td_scsi_start("");

    if (has_command(hba, command)) {
        on->check(hba, command);
    } else {
        g_test_skip("the peer does not have this command");
    }
    td_scsi_free(hba);
}

static const ScsiCommand *command_of(const TdRow *row)
{
    return container_of(row, ScsiCommand, row);
}

static bool has_lba(const TdRow *row)
{
    return command_of(row)->flags & HAS_LBA;
}

static bool has_allocation(const TdRow *row)
{
    return command_of(row)->flags & HAS_ALLOCATION;
}

static bool has_bad_field(const TdRow *row)
{
    return command_of(row)->bad_bits;
}

static bool has_data(const TdRow *row)
{
    return command_of(row)->flags & (BLOCKS_IN | BLOCKS_OUT | HAS_ALLOCATION |
                                     HAS_PARAMETERS) ||
           command_of(row)->opcode == 0x25;     /* READ CAPACITY(10) */
}

static bool has_exact_data(const TdRow *row)
{
    return has_data(row) && !has_allocation(row);
}

static bool means_256_by_zero(const TdRow *row)
{
    return td_cdb_bytes(command_of(row)->opcode) == 6 &&
           moves_blocks(command_of(row));
}

static bool refuses_zero(const TdRow *row)
{
    return command_of(row)->flags & ZERO_IS_REFUSED;
}

static bool means_nothing_by_zero(const TdRow *row)
{
    return command_of(row)->length_bytes && !means_256_by_zero(row) &&
           !(command_of(row)->flags & (ZERO_IS_REFUSED | AT_LEAST_16));
}

#define ON_COMMANDS(check) \
    TD_ROWS(scsi_commands), .run = run_on_command, \
    .data = &(const OnCommand) { check }

static const TdCase cases[] = {
    {
        .name = "good",
        .title = "it does what it is for, and the trace says so",
        .good = "@",
        ON_COMMANDS(check_good),
    },
    {
        .name = "zero-length",
        .title = "a length of 0 means nothing to do, which is no error",
        .clause = "SPC-4 4.2.5",
        .good = "@",
        .only = means_nothing_by_zero,
        ON_COMMANDS(check_zero_length),
    },
    {
        .name = "zero-length",
        .title = "a length of 0 is refused",
        .bad = "@",
        .only = refuses_zero,
        ON_COMMANDS(check_zero_length_refused),
    },
    {
        .name = "zero-length",
        .title = "a length of 0 means 256 blocks",
        .good = "@",
        .only = means_256_by_zero,
        ON_COMMANDS(check_256_blocks),
    },
    {
        .name = "short-allocation",
        .title = "it cuts off what has no room, and changes nothing else",
        .clause = "SPC-4 4.2.5.6",
        .good = "@",
        .only = has_allocation,
        ON_COMMANDS(check_short_allocation),
    },
    {
        .name = "long-allocation",
        .title = "it sends what there is, and no more",
        .clause = "SPC-4 4.2.5.6",
        .good = "@",
        .only = has_allocation,
        ON_COMMANDS(check_long_allocation),
    },
    {
        .name = "underrun",
        .title = "it leaves a list's end alone, and the residual tells it",
        .clause = "virtio 1.2 5.6.6.1",
        .good = "@",
        .only = has_exact_data,
        ON_COMMANDS(check_underrun),
    },
    {
        .name = "overrun",
        .title = "with too little memory it is not done",
        .clause = "virtio 1.2 5.6.6.1",
        .bad = "@",
        .only = has_data,
        ON_COMMANDS(check_overrun),
    },
    {
        .name = "bad-field",
        .title = "with a field that it does not allow it is refused",
        .bad = "@",
        .only = has_bad_field,
        ON_COMMANDS(check_bad_field),
    },
    {
        .name = "bad-lba",
        .title = "of a block that there is not it is refused",
        .bad = "@",
        .only = has_lba,
        ON_COMMANDS(check_bad_lba),
    },
};

const TdTopic topic_command = TD_TOPIC("command", cases);
