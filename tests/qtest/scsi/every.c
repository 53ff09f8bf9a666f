/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is to hold of every command alike: each case goes through all of them.
 */
#include "suite.h"

typedef struct Every {
    const char *name, *title, *clause;
    bool is_bad;                /* bad input */
    const char *ours;           /* why it makes sense on a tracedisk only */
    bool (*wants)(const ScsiCommand *command);
    TdScsi *(*start)(void);
    void (*check)(TdScsi *hba, ScsiCall *call);
    /* With the number of commands that there were; it may stop QEMU. */
    void (*finish)(TdScsi *hba, unsigned n);
} Every;

static TdScsi *start_plain(void)
{
    return td_scsi_start("");
}

static bool is_traced(const ScsiCommand *command)
{
    return !(command->flags & OF_BUS);
}

static void finish_unwritten(TdScsi *hba, unsigned n)
{
    expect_unwritten(hba);
}

/* ---- Lists ------------------------------------------------------------- */

static bool has_payload(const ScsiCommand *command)
{
    return command->flags & (BLOCKS_IN | BLOCKS_OUT | HAS_ALLOCATION |
                             HAS_PARAMETERS);
}

/* Pieces of @bytes that end where no page and no block ends. */
static unsigned cut(TdScsi *hba, uint32_t bytes, TdMemory *list)
{
    static const uint32_t sizes[] = { 3, 509, 1, 1000, UINT32_MAX };
    uint64_t base = guest_alloc(hba->alloc, ARRAY_SIZE(sizes) * 16 * KiB);
    unsigned n;

    for (n = 0; bytes; bytes -= list[n++].len) {
        list[n].addr = base + n * 16 * KiB + 7;
        list[n].len = MIN(sizes[n], bytes);
    }
    return n;
}

/* What is on the medium afterwards is what was sent. */
static bool is_write(const ScsiCommand *command)
{
    return g_str_has_prefix(command->row.name, "write-") &&
           !g_str_has_prefix(command->row.name, "write-same") &&
           command->flags & BLOCKS_OUT;
}

static void check_elements(TdScsi *hba, ScsiCall *call)
{
    g_autofree uint8_t *found = g_malloc0(CALL_BYTES_MAX);
    uint32_t bytes = call->out_bytes + call->in_bytes, at = 0;
    TdMemory list[5];
    unsigned n = cut(hba, bytes, list);
    TdScsiOutcome o;

    for (unsigned i = 0; i < n; at += list[i++].len) {
        qtest_memset(hba->qts, list[i].addr, TD_SCSI_UNTOUCHED, list[i].len);
        if (call->out_bytes) {
            qtest_memwrite(hba->qts, list[i].addr, call->out + at,
                           list[i].len);
        }
    }
    o = call->out_bytes ? td_scsi_io(hba, &call->cdb, list, n, NULL, 0) :
        td_scsi_io(hba, &call->cdb, NULL, 0, list, n);
    td_scsi_expect_status(o, TD_SCSI_GOOD);
    if (call->in_bytes) {
        at = 0;
        for (unsigned i = 0; i < n; at += list[i++].len) {
            qtest_memread(hba->qts, list[i].addr, found + at, list[i].len);
        }
        /* The same again, in one piece. */
        make_call(hba, call->command, call);
        td_scsi_expect_status(send_call(hba, call), TD_SCSI_GOOD);
        td_expect_mem(found, call->in, bytes);
    } else if (is_write(call->command)) {
        td_scsi_read(hba, CALL_LBA, found, bytes);
        td_expect_mem(found, call->out, bytes);
    }
    guest_free(hba->alloc, list[0].addr - 7);
}

/* ---- The CDB ----------------------------------------------------------- */

static void check_naca(TdScsi *hba, ScsiCall *call)
{
    unsigned control = td_cdb_bytes(call->command->opcode) - 1;

    call->cdb.b[control] |= 0x04;
    expect_invalid_field(send_call(hba, call), control);
}

static TdScsi *start_strict(void)
{
    return td_scsi_start(",strict=on");
}

/* Every bit that the disk does not say it looks at, by itself */
static void check_reserved(TdScsi *hba, ScsiCall *call)
{
    const ScsiCommand *command = call->command;
    unsigned cdb_bytes = td_cdb_bytes(command->opcode);
    uint8_t usage[ANSWER_BYTES];
    TdCdb cdb = td_cdb_action(0xa3, 0x0c);

    cdb.b[2] = command->action == NO_ACTION ? 1 : 2;
    cdb.b[3] = command->opcode;
    cdb.b[5] = command->action == NO_ACTION ? 0 : command->action;
    ask(hba, cdb, usage);
    td_expect_uint(lduw_be_p(usage + 2), ==, cdb_bytes);
    usage[4 + cdb_bytes - 1] |= 0xc0;   /* the vendor's bits of CONTROL */
    if (command->action != NO_ACTION) {
        usage[4 + 1] |= 0x1f;
    }
    if (!call->out_bytes && !call->in_bytes) {
        call->out_bytes = 0x10000;      /* if it takes a bit for a length */
    }
    for (unsigned i = 1; i < cdb_bytes; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            if (usage[4 + i] >> bit & 1 || call->cdb.b[i] >> bit & 1) {
                continue;
            }
            call->cdb.b[i] |= 1 << bit;
            td_scsi_expect_field(send_call(hba, call), TD_SENSE_INVALID_FIELD,
                                 i, bit);
            call->cdb.b[i] &= ~(1 << bit);
        }
    }
}

/* ---- Ended before their time ------------------------------------------- */

/* Commands with these tags are held for as long as a test may take. */
#define HELD_TAG 0x100000

static TdScsi *start_holding(void)
{
    static const char plan[] = "[held]\ntag = 0x100000-0x1fffff\n"
                               "delay = 1000s\n";
    g_autofree char *path = td_temporary_file("tracedisk-XXXXXX.faults", 0);
    g_autofree char *options = g_strdup_printf(",faults=%s", path);
    TdScsi *hba;

    g_assert_true(g_file_set_contents(path, plan, -1, NULL));
    hba = td_scsi_start(options);
    unlink(path);
    return hba;
}

/* Submitted, and the unit has it. */
static unsigned submit_held(TdScsi *hba, ScsiCall *call, TdMemory *memory)
{
    uint64_t tag = hba->next_tag;
    TdMemory out = { 0, call->out_bytes }, in = { 0, call->in_bytes };
    unsigned request;

    memory->addr = guest_alloc(hba->alloc, out.len + in.len + 1);
    out.addr = in.addr = memory->addr;
    qtest_memwrite(hba->qts, out.addr, call->out, out.len);
    hba->next_tag += HELD_TAG;
    request = td_scsi_submit(hba, &call->cdb, &out, !!out.len, &in,
                             !!in.len);
    hba->next_tag = tag + 1;
    while (td_scsi_task(hba, VIRTIO_SCSI_T_TMF_QUERY_TASK, request) !=
           VIRTIO_SCSI_S_FUNCTION_SUCCEEDED) {
        if (td_scsi_is_done(hba, request)) {
            td_fail("the command is held", "operation code 0x%02x is not",
                    call->cdb.b[0]);
        }
    }
    return request;
}

static void check_abort(TdScsi *hba, ScsiCall *call)
{
    TdMemory memory;
    unsigned request = submit_held(hba, call, &memory);

    td_expect_uint(td_scsi_task(hba, VIRTIO_SCSI_T_TMF_ABORT_TASK, request),
                   ==, VIRTIO_SCSI_S_OK);
    td_scsi_expect_response(td_scsi_wait(hba, request),
                            VIRTIO_SCSI_S_ABORTED);
    /* No unit attention: it was this initiator that asked for it. */
    td_scsi_expect_good(td_scsi_none(hba, td_cdb(0x00)), 0);
    guest_free(hba->alloc, memory.addr);
}

static void check_reset(TdScsi *hba, ScsiCall *call)
{
    TdMemory memory;
    unsigned request = submit_held(hba, call, &memory);

    td_expect_uint(td_scsi_task(hba, VIRTIO_SCSI_T_TMF_LOGICAL_UNIT_RESET,
                                TD_SCSI_NO_REQUEST), ==, VIRTIO_SCSI_S_OK);
    td_scsi_expect_response(td_scsi_wait(hba, request), VIRTIO_SCSI_S_RESET);
    td_scsi_clear_unit_attention(hba);
    guest_free(hba->alloc, memory.addr);
}

/* Nothing was written, and the trace has an end of each. */
static void finish_aborted(TdScsi *hba, unsigned n)
{
    unsigned aborted = 0;

    expect_unwritten(hba);
    td_scsi_stop(hba);
    for (unsigned i = 0; i < hba->traced[0]->commands->len; i++) {
        aborted += td_traced(hba->traced[0], NULL, i)->status == TD_ABORTED;
    }
    td_expect_uint(aborted, ==, n);
}

/* ---- States of the unit ------------------------------------------------ */

static void check_unit_attention(TdScsi *hba, ScsiCall *call)
{
    TdScsiOutcome o;

    td_scsi_task(hba, VIRTIO_SCSI_T_TMF_LOGICAL_UNIT_RESET,
                 TD_SCSI_NO_REQUEST);
    o = send_call(hba, call);
    if (call->command->opcode == 0x03) {
        /* REQUEST SENSE tells of it, and that was it. */
        td_scsi_expect_status(o, TD_SCSI_GOOD);
        td_expect_hex(td_sense_parse(call->in, 18).code >> 8, ==, 0x629);
    } else if (call->command->flags & UA_EXEMPT) {
        td_scsi_expect_status(o, TD_SCSI_GOOD);
        td_expect_hex(td_scsi_none(hba, td_cdb(0x00)).sense.code >> 8, ==,
                      0x629);
    } else {
        /* The qualifier is up to the device. */
        td_scsi_expect_sense(o, 0x62900 | (o.sense.code & 0xff));
    }
    td_scsi_expect_good(td_scsi_none(hba, td_cdb(0x00)), 0);
}

static void start_or_stop(TdScsi *hba, bool start)
{
    TdCdb cdb = td_cdb(0x1b);

    cdb.b[4] = start;
    td_scsi_expect_good(td_scsi_none(hba, cdb), 0);
}

static void check_stopped(TdScsi *hba, ScsiCall *call)
{
    TdScsiOutcome o;

    start_or_stop(hba, false);
    o = send_call(hba, call);
    if (call->command->flags & NEEDS_MEDIUM) {
        td_scsi_expect_sense(o, TD_SENSE(2, 0x04, 0x02));
    } else {
        td_scsi_expect_status(o, TD_SCSI_GOOD);
    }
    start_or_stop(hba, true);
}

static bool writes(const ScsiCommand *command)
{
    return command->flags & WRITES;
}

static TdScsi *start_read_only(void)
{
    return td_scsi_start_with(",readonly=on", "");
}

static void check_write_protected(TdScsi *hba, ScsiCall *call)
{
    td_scsi_expect_sense(send_call(hba, call), TD_SENSE(7, 0x27, 0x00));
}

static void finish_write_protected(TdScsi *hba, unsigned n)
{
    uint8_t p[ANSWER_BYTES];

    expect_unwritten(hba);
    ask_mode(hba, 0x3f, 0, p);
    td_expect_set(p[3], 0x80);          /* WP */
}

/* ---- The table --------------------------------------------------------- */

static const Every all[] = {
    {
        .name = "elements",
        .title = "Data goes through elements of odd lengths",
        .clause = "virtio 1.2 5.6.6.1",
        .wants = has_payload,
        .start = start_plain,
        .check = check_elements,
    },
    {
        .name = "naca",
        .title = "NACA is refused by a unit whose NORMACA is 0",
        .clause = "SAM-5 5.2",
        .is_bad = true,
        .wants = is_traced,
        .start = start_plain,
        .check = check_naca,
        .finish = finish_unwritten,
    },
    {
        .name = "reserved-bits",
        .title = "With strict=on each bit that CDB USAGE DATA does not have "
                 "is refused, and pointed at",
        .clause = "SPC-4 6.35.3, 4.5.2.4.2",
        .is_bad = true,
        .ours = OURS_STRICT,
        .wants = is_traced,
        .start = start_strict,
        .check = check_reserved,
        .finish = finish_unwritten,
    },
    {
        .name = "abort",
        .title = "A command ends at ABORT TASK, and the trace says so",
        .clause = "SAM-5 7.2",
        .ours = OURS_FAULTS,
        .wants = is_traced,
        .start = start_holding,
        .check = check_abort,
        .finish = finish_aborted,
    },
    {
        .name = "lun-reset",
        .title = "A command ends at LOGICAL UNIT RESET, and the trace says so",
        .clause = "SAM-5 7.7, 6.3.3",
        .ours = OURS_FAULTS,
        .wants = is_traced,
        .start = start_holding,
        .check = check_reset,
        .finish = finish_aborted,
    },
    {
        .name = "unit-attention",
        .title = "A unit attention condition ends a command before it does "
                 "anything, but for INQUIRY, REPORT LUNS and REQUEST SENSE",
        .clause = "SAM-5 5.14",
        .is_bad = true,
        .start = start_plain,
        .check = check_unit_attention,
        .finish = finish_unwritten,
    },
    {
        .name = "stopped",
        .title = "While the unit is stopped, commands that need the medium "
                 "are refused, and others run",
        .clause = "SBC-3 5.25, 4.20.1",
        .is_bad = true,
        .start = start_plain,
        .check = check_stopped,
    },
    {
        .name = "write-protected",
        .title = "On a medium that cannot be written, what writes is refused",
        .clause = "SBC-3 4.12",
        .is_bad = true,
        .wants = writes,
        .start = start_read_only,
        .check = check_write_protected,
        .finish = finish_write_protected,
    },
};

static void run_every(void)
{
    const Every *every = td_case()->data;
    g_autofree ScsiCall *call = g_new(ScsiCall, 1);
    TdScsi *hba = every->start();
    unsigned n = 0;

    for (unsigned i = 0; i < N_SCSI_COMMANDS; i++) {
        const ScsiCommand *command = &scsi_commands[i];

        if ((every->wants && !every->wants(command)) ||
            !has_command(hba, command)) {
            continue;
        }
        make_call(hba, command, call);
        every->check(hba, call);
        n++;
    }
    td_expect_uint(n, >, 0);
    if (every->finish) {
        every->finish(hba, n);
    }
    td_scsi_free(hba);
}

static char *items_of(const Every *every)
{
    GString *items = g_string_new(NULL);

    for (unsigned i = 0; i < N_SCSI_COMMANDS; i++) {
        if (!every->wants || every->wants(&scsi_commands[i])) {
            g_string_append_printf(items, "%s ", scsi_commands[i].row.item);
        }
    }
    g_string_append_printf(items, "condition:%s", every->name);
    return g_string_free(items, false);
}

/* With the items of all commands in each case: made once, and kept. */
const TdTopic *topic_every_command(void)
{
    static TdCase cases[ARRAY_SIZE(all)];
    static const TdTopic topic = TD_TOPIC("every-command", cases);

    for (unsigned i = 0; i < ARRAY_SIZE(all) && !cases[i].name; i++) {
        char *items = items_of(&all[i]);

        cases[i] = (TdCase) {
            .name = all[i].name, .title = all[i].title,
            .clause = all[i].clause, .ours = all[i].ours,
            .run = run_every, .data = &all[i],
        };
        if (all[i].is_bad) {
            cases[i].bad = items;
        } else {
            cases[i].good = items;
        }
    }
    return &topic;
}
