/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a command fails, and what is told of it: sense data, SPC-4 4.5, SAM-5
 * 5.13; REQUEST SENSE, SPC-4 6.39; unit attention conditions, SAM-5 5.14.
 */
#include "suite.h"

static TdScsiOutcome request_sense(TdScsi *hba, bool descriptor, uint8_t *p,
                                   uint8_t bytes)
{
    TdCdb cdb = td_cdb_action(0x03, descriptor);

    cdb.b[4] = bytes;
    return td_scsi_in(hba, cdb, p, bytes);
}

/* What scsi_commands[] has not, there must not be. */
static bool is_known(uint8_t opcode)
{
    for (unsigned i = 0; i < N_SCSI_COMMANDS; i++) {
        if (scsi_commands[i].opcode == opcode) {
            return true;
        }
    }
    return false;
}

static void check_unknown_opcodes(TdScsi *hba)
{
    uint8_t data[64] = { 0 };

    for (unsigned opcode = 0; opcode < 0x100; opcode++) {
        TdScsiOutcome o;

        if (is_known(opcode)) {
            continue;
        }
        /* An unknown command wants no data, but may be given some. */
        o = td_scsi_none(hba, td_cdb(opcode));
        td_scsi_expect_sense(o, TD_SENSE_INVALID_OPCODE);
        o = td_scsi_out(hba, td_cdb(opcode), data, sizeof(data));
        td_scsi_expect_sense(o, TD_SENSE_INVALID_OPCODE);
    }
    td_scsi_check_alive(hba);
}

static void check_unknown_actions(TdScsi *hba)
{
    for (unsigned i = 0; i < N_SCSI_COMMANDS; i++) {
        uint32_t actions = 0;

        if (scsi_commands[i].action == NO_ACTION) {
            continue;
        }
        for (unsigned j = 0; j < N_SCSI_COMMANDS; j++) {
            if (scsi_commands[j].opcode == scsi_commands[i].opcode) {
                actions |= 1u << scsi_commands[j].action;
            }
        }
        for (unsigned action = 0; action < 0x20; action++) {
            if (!(actions >> action & 1)) {
                TdCdb cdb = td_cdb_action(scsi_commands[i].opcode, action);

                expect_invalid_field(td_scsi_none(hba, cdb), 1);
            }
        }
    }
}

/* Autosense on virtio-scsi is in fixed format. */
static void check_fixed(TdScsi *hba)
{
    TdCdb cdb = td_cdb_blocks(0x28, td_scsi_blocks(hba), 1);
    uint8_t block[4096];
    TdScsiOutcome o = td_scsi_in(hba, cdb, block, td_scsi_block_size(hba));

    td_scsi_expect_sense(o, TD_SENSE_LBA_OUT_OF_RANGE);
    td_expect_hex(o.sense_data[0] & 0x7f, ==, 0x70);
    td_expect_uint(o.sense_bytes, >=, 18);
    td_expect_uint(o.sense_data[7], ==, o.sense_bytes - 8);
}

/* Without anything to tell */
static void check_no_sense(TdScsi *hba)
{
    uint8_t p[252];

    td_scsi_expect_good(td_scsi_none(hba, td_cdb(0x00)), 0);
    td_scsi_expect_status(request_sense(hba, false, p, sizeof(p)),
                          TD_SCSI_GOOD);
    td_expect_hex(p[0] & 0x7f, ==, 0x70);
    td_expect_uint(p[7], ==, 10);
    td_expect_hex(td_sense_parse(p, 18).code, ==, TD_SENSE_NONE);
}

/*
 * virtio-scsi hands the sense data over with the status: it is gone, and what
 * is told is what the unit has to tell now.
 */
static void check_after_autosense(TdScsi *hba)
{
    for (unsigned descriptor = 0; descriptor < 2; descriptor++) {
        TdCdb cdb = td_cdb_blocks(0x28, td_scsi_blocks(hba), 1);
        uint8_t p[252], block[4096];

        td_scsi_expect_sense(td_scsi_in(hba, cdb, block,
                                        td_scsi_block_size(hba)),
                             TD_SENSE_LBA_OUT_OF_RANGE);
        td_scsi_expect_status(request_sense(hba, descriptor, p, sizeof(p)),
                              TD_SCSI_GOOD);
        td_expect_hex(td_sense_parse(p, 18).code, ==, TD_SENSE_NONE);
    }
}

/* A unit attention condition that came meanwhile is told, not the failure. */
static void check_attention_after_autosense(TdScsi *hba)
{
    uint8_t p[252];

    td_scsi_task(hba, VIRTIO_SCSI_T_TMF_LOGICAL_UNIT_RESET,
                 TD_SCSI_NO_REQUEST);
    td_expect_hex(td_scsi_none(hba, td_cdb(0x00)).sense.code >> 8, ==, 0x629);
    td_scsi_task(hba, VIRTIO_SCSI_T_TMF_LOGICAL_UNIT_RESET,
                 TD_SCSI_NO_REQUEST);
    td_scsi_expect_status(request_sense(hba, false, p, sizeof(p)),
                          TD_SCSI_GOOD);
    td_expect_hex(td_sense_parse(p, 18).code >> 8, ==, 0x629);
    td_scsi_expect_status(request_sense(hba, false, p, sizeof(p)),
                          TD_SCSI_GOOD);
    td_expect_hex(td_sense_parse(p, 18).code, ==, TD_SENSE_NONE);
}

static void check_descriptor(TdScsi *hba)
{
    uint8_t p[252];

    td_scsi_task(hba, VIRTIO_SCSI_T_TMF_LOGICAL_UNIT_RESET,
                 TD_SCSI_NO_REQUEST);
    td_scsi_expect_status(request_sense(hba, true, p, sizeof(p)),
                          TD_SCSI_GOOD);
    td_expect_hex(p[0] & 0x7f, ==, 0x72);
    td_expect_hex(td_sense_parse(p, sizeof(p)).code >> 8, ==, 0x629);
    /* It is told once. */
    td_scsi_expect_status(request_sense(hba, true, p, sizeof(p)),
                          TD_SCSI_GOOD);
    td_expect_hex(td_sense_parse(p, sizeof(p)).code, ==, TD_SENSE_NONE);
}

/* It tells of the unit, and fails only as other commands do. */
static void check_request_sense_stopped(TdScsi *hba)
{
    uint8_t p[252];
    TdCdb stop = td_cdb(0x1b);

    td_scsi_expect_good(td_scsi_none(hba, stop), 0);
    td_scsi_expect_status(request_sense(hba, false, p, sizeof(p)),
                          TD_SCSI_GOOD);
    td_expect_hex(td_sense_parse(p, 18).code, ==, TD_SENSE(2, 0x04, 0x02));
    td_scsi_expect_sense(td_scsi_none(hba, td_cdb(0x00)),
                         TD_SENSE(2, 0x04, 0x02));
    stop.b[4] = 0x01;
    td_scsi_expect_good(td_scsi_none(hba, stop), 0);
    td_scsi_expect_good(td_scsi_none(hba, td_cdb(0x00)), 0);
}

static void test_power_on(void)
{
    TdScsi *hba = td_scsi_power_on("", "");

    for (hba->unit = 0; hba->unit < TD_SCSI_UNITS; hba->unit++) {
        td_expect_hex(td_scsi_none(hba, td_cdb(0x00)).sense.code >> 8, ==,
                      0x629);
        td_scsi_expect_good(td_scsi_none(hba, td_cdb(0x00)), 0);
    }
    td_scsi_free(hba);
}

/* One unit's condition is not the other's. */
static void check_other_unit(TdScsi *hba)
{
    unsigned unit = hba->unit;

    td_scsi_task(hba, VIRTIO_SCSI_T_TMF_LOGICAL_UNIT_RESET,
                 TD_SCSI_NO_REQUEST);
    hba->unit = !unit;
    td_scsi_expect_good(td_scsi_none(hba, td_cdb(0x00)), 0);
    hba->unit = unit;
    td_expect_hex(td_scsi_none(hba, td_cdb(0x00)).sense.code >> 8, ==, 0x629);
}

/* SWP in the control mode page */
static void check_software_write_protect(TdScsi *hba)
{
    uint8_t p[ANSWER_BYTES], block[4096] = { 1 };
    unsigned bytes = ask_mode(hba, 0x0a, 0, p);
    TdCdb select = td_cdb_action(0x55, 0x10);
    TdCdb write = td_cdb_blocks(0x2a, 0, 1);

    memset(p, 0, 8);
    p[8] &= 0x7f;
    p[8 + 4] |= 0x08;
    td_cdb_set_length(&select, bytes);
    td_scsi_expect_good(td_scsi_out(hba, select, p, bytes), 0);
    td_scsi_expect_sense(td_scsi_out(hba, write, block,
                                     td_scsi_block_size(hba)),
                         TD_SENSE(7, 0x27, 0x00));
    expect_medium(hba, 0, 1, 0);
    ask_mode(hba, 0x0a, 0, p);
    td_expect_set(p[3], 0x80);          /* WP */
    memset(p, 0, 8);
    p[8] &= 0x7f;
    p[8 + 4] &= ~0x08;
    td_scsi_expect_good(td_scsi_out(hba, select, p, bytes), 0);
    td_scsi_check_alive(hba);
}

static const TdCase cases[] = {
    {
        .name = "unknown-opcodes",
        .title = "An operation code that there is not is refused",
        .clause = "SPC-4 4.3.4.1",
        .bad = "sense:fixed",
        .ours = "the table of commands is that of a tracedisk",
        ON_UNITS(check_unknown_opcodes),
    },
    {
        .name = "unknown-actions",
        .title = "A service action that there is not is a wrong field",
        .clause = "SPC-4 4.3.4.2",
        .bad = "sense:fixed command:48/01 command:5e/00 command:5f/00 "
               "command:83/00 command:84/00 command:84/03 command:9e/10 "
               "command:a3/0c command:a3/0d",
        .ours = "the table of commands is that of a tracedisk",
        ON_UNITS(check_unknown_actions),
    },
    {
        .name = "fixed",
        .title = "Sense data in fixed format has 18 bytes and says so",
        .clause = "SPC-4 4.5.3",
        .bad = "sense:fixed command:28",
        ON_UNITS(check_fixed),
    },
    {
        .name = "none",
        .title = "REQUEST SENSE with nothing to tell says NO SENSE",
        .clause = "SPC-4 6.39",
        .good = "sense:fixed command:03",
        ON_UNITS(check_no_sense),
    },
    {
        .name = "after-autosense",
        .title = "Sense data that came with the status is not told again by "
                 "REQUEST SENSE",
        .clause = "SAM-5 5.13; SPC-4 6.39",
        .good = "sense:fixed sense:descriptor command:03",
        .bad = "command:28",
        ON_UNITS(check_after_autosense),
    },
    {
        .name = "attention-after-autosense",
        .title = "REQUEST SENSE tells each unit attention condition once, "
                 "though autosense told one before",
        .clause = "SAM-5 5.13, 5.14; SPC-4 6.39",
        .good = "command:03 condition:unit-attention",
        ON_UNITS(check_attention_after_autosense),
    },
    {
        .name = "descriptor",
        .title = "REQUEST SENSE with DESC tells in descriptor format, once",
        .clause = "SPC-4 4.5.2, 6.39",
        .good = "sense:descriptor command:03 condition:unit-attention",
        ON_UNITS(check_descriptor),
    },
    {
        .name = "stopped",
        .title = "REQUEST SENSE of a stopped unit tells what it needs",
        .clause = "SPC-4 6.39; SBC-3 5.25",
        .good = "command:03 command:1b",
        .bad = "command:00 condition:stopped",
        ON_UNITS(check_request_sense_stopped),
    },
    {
        .name = "power-on",
        .title = "After power on each unit has a unit attention condition",
        .clause = "SAM-5 5.14.1, 6.1",
        .bad = "condition:unit-attention command:00",
        .run = test_power_on,
    },
    {
        .name = "other-unit",
        .title = "The reset of a unit is no other unit's business",
        .clause = "SAM-5 6.3.3",
        .bad = "condition:unit-attention tmf:logical-unit-reset",
        ON_UNITS(check_other_unit),
    },
    {
        .name = "software-write-protect",
        .title = "With SWP set nothing can be written, until it is clear",
        .clause = "SPC-4 7.5.8; SBC-3 4.12",
        .bad = "condition:write-protected command:2a mode-page:0a",
        .ours = "the control mode page, which a peer may not have",
        ON_UNITS(check_software_write_protect),
    },
};

const TdTopic topic_sense = TD_TOPIC("sense", cases);
