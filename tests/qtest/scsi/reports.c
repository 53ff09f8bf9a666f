/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the disk says that it can: REPORT SUPPORTED OPERATION CODES, SPC-4 6.35;
 * REPORT SUPPORTED TASK MANAGEMENT FUNCTIONS, 6.36; REPORT LUNS, 6.33; READ
 * DEFECT DATA, SBC-3 5.17, 5.18.
 */
#include "suite.h"

enum { ALL_COMMANDS, ONE_WITHOUT_ACTION, ONE_WITH_ACTION, ONE_IF };

static TdCdb report(uint8_t options, uint8_t opcode, uint8_t action)
{
    TdCdb cdb = td_cdb_action(0xa3, 0x0c);

    cdb.b[2] = options;
    cdb.b[3] = opcode;
    cdb.b[5] = action;
    return cdb;
}

/* The list of all and what is said of each are one. */
static void check_all(TdScsi *hba)
{
    uint8_t all[ANSWER_BYTES], one[ANSWER_BYTES];
    unsigned bytes = ask(hba, report(ALL_COMMANDS, 0, 0), all);

    td_expect_uint(ldl_be_p(all) + 4, ==, bytes);
    td_expect_uint(bytes % 8, ==, 4);
    for (const uint8_t *d = all + 4; d < all + bytes; d += 8) {
        bool has_action = d[5] & 0x01;
        unsigned cdb_bytes = lduw_be_p(d + 6), n;

        td_expect_uint(cdb_bytes, ==, td_cdb_bytes(d[0]));
        n = ask(hba, report(has_action ? ONE_WITH_ACTION : ONE_WITHOUT_ACTION,
                            d[0], d[3]), one);
        td_expect_uint(n, ==, 4 + cdb_bytes);
        td_expect_hex(one[1] & 0x07, ==, 3);    /* SUPPORT */
        td_expect_uint(lduw_be_p(one + 2), ==, cdb_bytes);
        td_expect_hex(one[4], ==, d[0]);
        if (has_action) {
            td_expect_hex(one[5] & 0x1f, ==, d[3]);
        }
    }
}

/* Those that SBC-3 5.1 wants of every direct access block device */
static void check_mandatory(TdScsi *hba)
{
    static const uint8_t mandatory[] = {
        0x00, 0x03, 0x04, 0x12, 0x25, 0x28, 0x2a, 0xa0
    };
    uint8_t one[ANSWER_BYTES];

    for (unsigned i = 0; i < ARRAY_SIZE(mandatory); i++) {
        ask(hba, report(ONE_WITHOUT_ACTION, mandatory[i], 0), one);
        td_expect_hex(one[1] & 0x07, ==, 3);
    }
}

static void check_timeouts(TdScsi *hba)
{
    uint8_t all[ANSWER_BYTES], one[ANSWER_BYTES];
    unsigned bytes = ask(hba, report(0x80 | ALL_COMMANDS, 0, 0), all);
    const uint8_t *d;

    for (d = all + 4; d + 8 <= all + bytes; d += 8) {
        if (d[5] & 0x02) {              /* CTDP */
            td_expect_uint(lduw_be_p(d + 8), ==, 10);
            d += 12;
        }
    }
    td_expect(d == all + bytes);
    bytes = ask(hba, report(0x80 | ONE_WITHOUT_ACTION, 0x28, 0), one);
    td_expect_uint(bytes, ==, 4 + 10 + (one[1] & 0x80 ? 12 : 0));
}

static void check_unknown(TdScsi *hba)
{
    uint8_t one[ANSWER_BYTES];

    /* Vendor specific, and a service action that there is not */
    ask(hba, report(ONE_WITHOUT_ACTION, 0xc0, 0), one);
    td_expect_hex(one[1] & 0x07, ==, 1);
    ask(hba, report(ONE_WITH_ACTION, 0x9e, 0x1f), one);
    td_expect_hex(one[1] & 0x07, ==, 1);
}

static void check_wrong_options(TdScsi *hba)
{
    uint8_t answer[64];
    static const struct { uint8_t options, opcode; } wrong[] = {
        { ONE_WITHOUT_ACTION, 0x9e },   /* which has service actions */
        { ONE_WITH_ACTION, 0x28 },      /* which has none */
        { 4, 0x28 }, { 5, 0x28 }, { 6, 0x28 }, { 7, 0x28 },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
        TdCdb cdb = report(wrong[i].options, wrong[i].opcode, 0x10);

        td_cdb_set_length(&cdb, sizeof(answer));
        td_scsi_expect_sense(td_scsi_in(hba, cdb, answer, sizeof(answer)),
                             TD_SENSE_INVALID_FIELD);
    }
}

/* ---- Task management functions ----------------------------------------- */

static void check_functions(TdScsi *hba)
{
    static const struct { uint8_t byte, bit; uint32_t function; } reported[] = {
        { 0, 7, VIRTIO_SCSI_T_TMF_ABORT_TASK },
        { 0, 6, VIRTIO_SCSI_T_TMF_ABORT_TASK_SET },
        { 0, 5, VIRTIO_SCSI_T_TMF_CLEAR_ACA },
        { 0, 4, VIRTIO_SCSI_T_TMF_CLEAR_TASK_SET },
        { 0, 3, VIRTIO_SCSI_T_TMF_LOGICAL_UNIT_RESET },
        { 0, 2, VIRTIO_SCSI_T_TMF_QUERY_TASK },
        { 1, 1, VIRTIO_SCSI_T_TMF_QUERY_TASK_SET },
        { 1, 0, VIRTIO_SCSI_T_TMF_I_T_NEXUS_RESET },
    };
    uint8_t p[ANSWER_BYTES];
    TdCdb cdb = td_cdb_action(0xa3, 0x0d);

    td_expect_uint(ask(hba, cdb, p), ==, 4);
    for (unsigned i = 0; i < ARRAY_SIZE(reported); i++) {
        uint8_t response = td_scsi_task(hba, reported[i].function,
                                        TD_SCSI_NO_REQUEST);

        td_expect_uint(response != VIRTIO_SCSI_S_FUNCTION_REJECTED, ==,
                       p[reported[i].byte] >> reported[i].bit & 1);
    }
    td_scsi_clear_unit_attention(hba);
    cdb.b[2] = 0x80;                    /* REPD */
    td_expect_uint(ask(hba, cdb, p), ==, 16);
    td_expect_uint(p[3], ==, 12);
}

/* ---- REPORT LUNS ------------------------------------------------------- */

static void check_luns(TdScsi *hba)
{
    static const uint8_t none[8];
    uint8_t p[ANSWER_BYTES];
    unsigned bytes;

    for (unsigned select = 0; select <= 2; select += 2) {
        TdCdb cdb = td_cdb_action(0xa0, 0);

        cdb.b[2] = select;
        bytes = ask(hba, cdb, p);
        td_expect_uint(bytes, ==, 16);
        td_expect_uint(ldl_be_p(p), ==, 8);
        td_expect_mem(p + 8, none, 8);
    }
}

/* ---- READ DEFECT DATA -------------------------------------------------- */

static void check_defects(TdScsi *hba)
{
    uint8_t p[ANSWER_BYTES];
    TdCdb cdb = td_cdb_action(0x37, 0);

    cdb.b[2] = 0x1d;                    /* both lists, physical sectors */
    td_expect_uint(ask(hba, cdb, p), ==, 4);
    td_expect_hex(p[1] & 0x18, ==, 0x18);       /* PLISTV, GLISTV */
    td_expect_uint(lduw_be_p(p + 2), ==, 0);
    cdb = td_cdb_action(0xb7, 0x1d);
    td_expect_uint(ask(hba, cdb, p), ==, 8);
    td_expect_hex(p[1] & 0x18, ==, 0x18);
    td_expect_uint(ldl_be_p(p + 4), ==, 0);
}

#define OPCODES "report-supported-operation-codes"
#define FUNCTIONS "report-supported-task-management-functions"

static const TdCase cases[] = {
    {
        .name = "operation-codes/all",
        .title = "The list of all commands and what is told of each agree",
        .clause = "SPC-4 6.35.2, 6.35.3",
        .good = "command:a3/0c",
        ON_UNITS(check_all, OPCODES),
    },
    {
        .name = "operation-codes/mandatory",
        .title = "What every disk has to have is reported as supported",
        .clause = "SBC-3 5.1; SPC-4 6.35.3",
        .good = "command:a3/0c command:00 command:a0",
        ON_UNITS(check_mandatory, OPCODES),
    },
    {
        .name = "operation-codes/timeouts",
        .title = "With RCTD, descriptors have timeouts where they say so",
        .clause = "SPC-4 6.35.4",
        .good = "command:a3/0c",
        ON_UNITS(check_timeouts, OPCODES),
    },
    {
        .name = "operation-codes/unknown",
        .title = "A command that there is not is reported as not supported",
        .clause = "SPC-4 6.35.3",
        .good = "command:a3/0c",
        ON_UNITS(check_unknown, OPCODES),
    },
    {
        .name = "operation-codes/wrong-options",
        .title = "REPORTING OPTIONS that do not go with the command, or are "
                 "reserved, are refused",
        .clause = "SPC-4 6.35.1",
        .bad = "command:a3/0c",
        ON_UNITS(check_wrong_options, OPCODES),
    },
    {
        .name = "task-management-functions",
        .title = "Those that are reported as supported are, and no other",
        .clause = "SPC-4 6.36; SAM-5 7",
        .good = "command:a3/0d tmf:abort-task tmf:abort-task-set "
                "tmf:clear-aca tmf:clear-task-set tmf:i-t-nexus-reset "
                "tmf:logical-unit-reset tmf:query-task tmf:query-task-set",
        ON_UNITS(check_functions, FUNCTIONS),
    },
    {
        .name = "luns",
        .title = "REPORT LUNS lists LUN 0",
        .clause = "SPC-4 6.33",
        .good = "command:a0",
        ON_UNITS(check_luns),
    },
    {
        .name = "defects",
        .title = "READ DEFECT DATA has two lists, which are empty",
        .clause = "SBC-3 5.17, 5.18",
        .good = "command:37 command:b7",
        ON_UNITS(check_defects, "read-defect-data-12"),
    },
};

const TdTopic topic_reports = TD_TOPIC("reports", cases);
