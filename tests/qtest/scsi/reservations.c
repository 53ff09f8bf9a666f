/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Persistent reservations, SPC-4 5.13, 6.15, 6.16, of the one initiator that
 * there is.
 */
#include "suite.h"

enum { READ_KEYS, READ_RESERVATION, REPORT_CAPABILITIES, READ_FULL_STATUS };
enum { REGISTER, RESERVE, RELEASE, CLEAR, PREEMPT, PREEMPT_AND_ABORT,
       REGISTER_AND_IGNORE };
enum { WRITE_EXCLUSIVE = 1, EXCLUSIVE_ACCESS = 3, WRITE_EXCLUSIVE_ALL = 7 };

#define KEY 0x1122334455667788
#define OTHER_KEY 0x99

static TdScsiOutcome out(TdScsi *hba, uint8_t action, uint8_t type,
                         uint64_t key, uint64_t action_key)
{
    TdCdb cdb = td_cdb_action(0x5f, action);
    uint8_t list[24] = { 0 };

    cdb.b[2] = type;
    cdb.b[8] = sizeof(list);
    stq_be_p(list, key);
    stq_be_p(list + 8, action_key);
    return td_scsi_out(hba, cdb, list, sizeof(list));
}

static unsigned in(TdScsi *hba, uint8_t action, uint8_t *answer)
{
    return ask(hba, td_cdb_action(0x5e, action), answer);
}

static void expect_conflict(TdScsiOutcome o)
{
    td_scsi_expect_status(o, TD_SCSI_RESERVATION_CONFLICT);
}

/* The one key that is registered, 0: none */
static void expect_keys(TdScsi *hba, uint64_t key)
{
    uint8_t p[ANSWER_BYTES];

    td_expect_uint(in(hba, READ_KEYS, p), ==, key ? 16 : 8);
    td_expect_uint(ldl_be_p(p + 4), ==, key ? 8 : 0);
    if (key) {
        td_expect_hex(ldq_be_p(p + 8), ==, key);
    }
}

/* The type of the reservation, 0: none */
static void expect_reservation(TdScsi *hba, uint8_t type, uint64_t key)
{
    uint8_t p[ANSWER_BYTES];

    td_expect_uint(in(hba, READ_RESERVATION, p), ==, type ? 24 : 8);
    td_expect_uint(ldl_be_p(p + 4), ==, type ? 16 : 0);
    if (type) {
        td_expect_hex(ldq_be_p(p + 8), ==, key);
        td_expect_hex(p[21], ==, type);
    }
}

static uint32_t generation(TdScsi *hba)
{
    uint8_t p[ANSWER_BYTES];

    in(hba, READ_KEYS, p);
    return ldl_be_p(p);
}

static void check_life(TdScsi *hba)
{
    uint32_t g = generation(hba);

    expect_keys(hba, 0);
    td_scsi_expect_good(out(hba, REGISTER, 0, 0, KEY), 0);
    td_expect_uint(generation(hba), ==, ++g);
    expect_keys(hba, KEY);
    expect_reservation(hba, 0, 0);
    td_scsi_expect_good(out(hba, RESERVE, WRITE_EXCLUSIVE, KEY, 0), 0);
    expect_reservation(hba, WRITE_EXCLUSIVE, KEY);
    /* The same again is no error; and no generation either. */
    td_scsi_expect_good(out(hba, RESERVE, WRITE_EXCLUSIVE, KEY, 0), 0);
    td_expect_uint(generation(hba), ==, g);
    td_scsi_check_alive(hba);
    td_scsi_expect_good(out(hba, RELEASE, WRITE_EXCLUSIVE, KEY, 0), 0);
    expect_reservation(hba, 0, 0);
    td_expect_uint(generation(hba), ==, g);
    /* All registrants hold it: with no key of one of them. */
    td_scsi_expect_good(out(hba, RESERVE, WRITE_EXCLUSIVE_ALL, KEY, 0), 0);
    expect_reservation(hba, WRITE_EXCLUSIVE_ALL, 0);
    td_scsi_expect_good(out(hba, CLEAR, 0, KEY, 0), 0);
    td_expect_uint(generation(hba), ==, ++g);
    expect_keys(hba, 0);
    expect_reservation(hba, 0, 0);
    td_scsi_expect_good(out(hba, REGISTER_AND_IGNORE, 0, OTHER_KEY, KEY), 0);
    td_expect_uint(generation(hba), ==, ++g);
    expect_keys(hba, KEY);
    /* Key 0 ends the registration, and with it the reservation. */
    td_scsi_expect_good(out(hba, RESERVE, EXCLUSIVE_ACCESS, KEY, 0), 0);
    td_scsi_expect_good(out(hba, REGISTER, 0, KEY, 0), 0);
    expect_keys(hba, 0);
    expect_reservation(hba, 0, 0);
}

static void check_wrong_key(TdScsi *hba)
{
    static const uint8_t actions[] = {
        RESERVE, RELEASE, CLEAR, PREEMPT, PREEMPT_AND_ABORT
    };

    expect_conflict(out(hba, REGISTER, 0, OTHER_KEY, KEY));
    for (unsigned i = 0; i < ARRAY_SIZE(actions); i++) {
        expect_conflict(out(hba, actions[i], WRITE_EXCLUSIVE, KEY, KEY));
    }
    td_scsi_expect_good(out(hba, REGISTER, 0, 0, KEY), 0);
    expect_conflict(out(hba, REGISTER, 0, OTHER_KEY, KEY));
    for (unsigned i = 0; i < ARRAY_SIZE(actions); i++) {
        expect_conflict(out(hba, actions[i], WRITE_EXCLUSIVE, OTHER_KEY,
                            KEY));
    }
    /* PREEMPT of a key that nobody has */
    expect_conflict(out(hba, PREEMPT, WRITE_EXCLUSIVE, KEY, OTHER_KEY));
    expect_keys(hba, KEY);
    expect_reservation(hba, 0, 0);
}

static void check_wrong_type(TdScsi *hba)
{
    static const uint8_t not_types[] = { 0, 2, 4, 9, 15 };

    td_scsi_expect_good(out(hba, REGISTER, 0, 0, KEY), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(not_types); i++) {
        td_scsi_expect_sense(out(hba, RESERVE, not_types[i], KEY, 0),
                             TD_SENSE_INVALID_FIELD);
    }
    /* SCOPE: only of the logical unit */
    td_scsi_expect_sense(out(hba, RESERVE, 0x10 | WRITE_EXCLUSIVE, KEY, 0),
                         TD_SENSE_INVALID_FIELD);
    td_scsi_expect_good(out(hba, RESERVE, WRITE_EXCLUSIVE, KEY, 0), 0);
    expect_conflict(out(hba, RESERVE, EXCLUSIVE_ACCESS, KEY, 0));
    td_scsi_expect_sense(out(hba, RELEASE, EXCLUSIVE_ACCESS, KEY, 0),
                         TD_SENSE(5, 0x26, 0x04));
    expect_reservation(hba, WRITE_EXCLUSIVE, KEY);
}

static void check_list_length(TdScsi *hba)
{
    for (unsigned bytes = 16; bytes <= 32; bytes += 8) {
        TdCdb cdb = td_cdb_action(0x5f, REGISTER);
        uint8_t list[32] = { 0 };

        cdb.b[8] = bytes;
        if (bytes != 24) {
            td_scsi_expect_sense(td_scsi_out(hba, cdb, list, bytes),
                                 TD_SENSE_PARAMETER_LENGTH);
        }
    }
    expect_keys(hba, 0);
}

/* SPEC_I_PT, APTPL: REPORT CAPABILITIES says that there are none. */
static void check_list_bits(TdScsi *hba)
{
    uint8_t p[ANSWER_BYTES], list[24] = { 0 };
    TdCdb cdb = td_cdb_action(0x5f, REGISTER);

    cdb.b[8] = sizeof(list);
    list[15] = 1;
    in(hba, REPORT_CAPABILITIES, p);
    if (!(p[2] & 0x08)) {               /* SIP_C */
        list[20] = 0x08;
        td_scsi_expect_sense(td_scsi_out(hba, cdb, list, sizeof(list)),
                             TD_SENSE_INVALID_PARAMETER);
    }
    if (!(p[2] & 0x01)) {               /* PTPL_C */
        list[20] = 0x01;
        td_scsi_expect_sense(td_scsi_out(hba, cdb, list, sizeof(list)),
                             TD_SENSE_INVALID_PARAMETER);
    }
    expect_keys(hba, 0);
}

static void check_capabilities(TdScsi *hba)
{
    uint8_t p[ANSWER_BYTES];

    td_expect_uint(in(hba, REPORT_CAPABILITIES, p), ==, 8);
    td_expect_uint(lduw_be_p(p), ==, 8);
    td_expect_set(p[3], 0x80);          /* TMV */
    td_scsi_expect_good(out(hba, REGISTER, 0, 0, KEY), 0);
    for (unsigned type = 0; type < 16; type++) {
        /* Types 1 to 7 are in byte 4, 8 in byte 5. */
        bool is_supported = type < 8 ? p[4] >> type & 1 :
                            type == 8 && p[5] & 1;
        TdScsiOutcome o = out(hba, RESERVE, type, KEY, 0);

        if (is_supported) {
            td_scsi_expect_good(o, 0);
            expect_reservation(hba, type, type >= 7 ? 0 : KEY);
            td_scsi_expect_good(out(hba, RELEASE, type, KEY, 0), 0);
        } else {
            td_scsi_expect_sense(o, TD_SENSE_INVALID_FIELD);
        }
    }
}

static void check_full_status(TdScsi *hba)
{
    uint8_t p[ANSWER_BYTES];
    unsigned bytes;

    td_expect_uint(in(hba, READ_FULL_STATUS, p), ==, 8);
    td_scsi_expect_good(out(hba, REGISTER, 0, 0, KEY), 0);
    td_scsi_expect_good(out(hba, RESERVE, EXCLUSIVE_ACCESS, KEY, 0), 0);
    bytes = in(hba, READ_FULL_STATUS, p);
    td_expect_uint(bytes, >=, 8 + 24 + 24);
    td_expect_uint(ldl_be_p(p + 4) + 8, ==, bytes);
    td_expect_hex(ldq_be_p(p + 8), ==, KEY);
    td_expect_set(p[8 + 12], 0x01);     /* R_HOLDER */
    td_expect_hex(p[8 + 13], ==, EXCLUSIVE_ACCESS);
    td_expect_uint(ldl_be_p(p + 8 + 20), ==, bytes - 8 - 24);
}

static void check_reset(TdScsi *hba)
{
    td_scsi_expect_good(out(hba, REGISTER, 0, 0, KEY), 0);
    td_scsi_expect_good(out(hba, RESERVE, EXCLUSIVE_ACCESS, KEY, 0), 0);
    td_scsi_task(hba, VIRTIO_SCSI_T_TMF_LOGICAL_UNIT_RESET,
                 TD_SCSI_NO_REQUEST);
    td_scsi_clear_unit_attention(hba);
    expect_keys(hba, KEY);
    expect_reservation(hba, EXCLUSIVE_ACCESS, KEY);
}

static void check_preempt(TdScsi *hba)
{
    uint32_t g;

    td_scsi_expect_good(out(hba, REGISTER, 0, 0, KEY), 0);
    td_scsi_expect_good(out(hba, RESERVE, WRITE_EXCLUSIVE, KEY, 0), 0);
    g = generation(hba);
    /* Oneself: the reservation becomes one of another type. */
    td_scsi_expect_good(out(hba, PREEMPT, EXCLUSIVE_ACCESS, KEY, KEY), 0);
    td_expect_uint(generation(hba), ==, g + 1);
    expect_reservation(hba, EXCLUSIVE_ACCESS, KEY);
    td_scsi_expect_sense(out(hba, PREEMPT, WRITE_EXCLUSIVE, KEY, 0),
                         TD_SENSE_INVALID_PARAMETER);
}

/* RESERVE and RELEASE, as they were before there was PERSISTENT RESERVE */
static void check_spc_2(TdScsi *hba)
{
    static const uint8_t opcodes[] = { 0x16, 0x17, 0x56, 0x57 };

    for (unsigned i = 0; i < ARRAY_SIZE(opcodes); i++) {
        td_scsi_expect_good(td_scsi_none(hba, td_cdb(opcodes[i])), 0);
    }
    td_scsi_expect_good(out(hba, REGISTER, 0, 0, KEY), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(opcodes); i++) {
        expect_conflict(td_scsi_none(hba, td_cdb(opcodes[i])));
    }
    td_scsi_expect_good(out(hba, REGISTER, 0, KEY, 0), 0);
    td_scsi_expect_good(td_scsi_none(hba, td_cdb(0x16)), 0);
}

static void expect_pr_conflicts(TdScsi *hba)
{
    for (unsigned action = READ_KEYS; action <= READ_FULL_STATUS; action++) {
        TdCdb cdb = td_cdb_action(0x5e, action);
        uint8_t p[ANSWER_BYTES];

        td_cdb_set_length(&cdb, sizeof(p));
        expect_conflict(td_scsi_in(hba, cdb, p, sizeof(p)));
    }
    for (unsigned action = REGISTER; action <= REGISTER_AND_IGNORE; action++) {
        expect_conflict(out(hba, action, WRITE_EXCLUSIVE, 0, KEY));
    }
}

/* The other way round: whoever holds the reservation, even the asker. */
static void check_spc_2_first(TdScsi *hba)
{
    static const uint8_t reserve[] = { 0x16, 0x56 }, release[] = { 0x57, 0x17 };

    for (unsigned i = 0; i < ARRAY_SIZE(reserve); i++) {
        td_scsi_expect_good(td_scsi_none(hba, td_cdb(reserve[i])), 0);
        expect_pr_conflicts(hba);
        td_scsi_check_alive(hba);
        /* The holder may reserve again, and either RELEASE ends it. */
        td_scsi_expect_good(td_scsi_none(hba, td_cdb(reserve[i])), 0);
        expect_pr_conflicts(hba);
        td_scsi_expect_good(td_scsi_none(hba, td_cdb(release[i])), 0);
        expect_keys(hba, 0);
        td_scsi_expect_good(td_scsi_none(hba, td_cdb(release[i])), 0);
    }
    td_scsi_expect_good(out(hba, REGISTER, 0, 0, KEY), 0);
    expect_keys(hba, KEY);
}

/* It ends with a reset (SPC-2 5.5.1); a conflict is told before the UA. */
static void check_spc_2_reset(TdScsi *hba)
{
    td_scsi_expect_good(td_scsi_none(hba, td_cdb(0x16)), 0);
    td_scsi_task(hba, VIRTIO_SCSI_T_TMF_LOGICAL_UNIT_RESET,
                 TD_SCSI_NO_REQUEST);
    td_scsi_clear_unit_attention(hba);
    expect_keys(hba, 0);
    td_scsi_expect_good(out(hba, REGISTER, 0, 0, KEY), 0);
    td_scsi_task(hba, VIRTIO_SCSI_T_TMF_LOGICAL_UNIT_RESET,
                 TD_SCSI_NO_REQUEST);
    expect_conflict(td_scsi_none(hba, td_cdb(0x16)));
    td_expect_hex(td_scsi_none(hba, td_cdb(0x00)).sense.code >> 8, ==, 0x629);
}

#define IN_ALL "command:5e/00 command:5e/01 command:5e/02 command:5e/03 "
#define OUT_ALL "command:5f/00 command:5f/01 command:5f/02 command:5f/03 " \
                "command:5f/04 command:5f/05 command:5f/06"
#define NEEDED "persistent-reserve-in-read-keys"

static const TdCase cases[] = {
    {
        .name = "life",
        .title = "A registration and a reservation come and go as asked "
                 "for, and are told",
        .clause = "SPC-4 5.13.7-5.13.11",
        .good = "command:5e/00 command:5e/01 command:5f/00 command:5f/01 "
                "command:5f/02 command:5f/03 command:5f/06",
        ON_UNITS(check_life, NEEDED),
    },
    {
        .name = "wrong-key",
        .title = "Who is not registered, or with another key, gets "
                 "RESERVATION CONFLICT",
        .clause = "SPC-4 5.13.9-5.13.11",
        .bad = OUT_ALL,
        ON_UNITS(check_wrong_key, NEEDED),
    },
    {
        .name = "wrong-type",
        .title = "A reserved type is refused, and another than that of the "
                 "reservation",
        .clause = "SPC-4 5.13.9, 5.13.11.2.2, 6.15.3.4",
        .bad = "command:5f/01 command:5f/02",
        ON_UNITS(check_wrong_type, NEEDED),
    },
    {
        .name = "list-length",
        .title = "A parameter list that has not 24 bytes is refused",
        .clause = "SPC-4 6.16.3",
        .bad = "command:5f/00",
        ON_UNITS(check_list_length, NEEDED),
    },
    {
        .name = "list-bits",
        .title = "What REPORT CAPABILITIES does not have is refused",
        .clause = "SPC-4 6.16.3, 6.15.4",
        .good = "command:5e/02",
        .bad = "command:5f/00",
        ON_UNITS(check_list_bits, NEEDED),
    },
    {
        .name = "capabilities",
        .title = "The types of the type mask can be reserved, and no other",
        .clause = "SPC-4 6.15.4",
        .good = "command:5e/02 command:5f/01",
        .bad = "command:5f/01",
        ON_UNITS(check_capabilities, NEEDED),
    },
    {
        .name = "full-status",
        .title = "READ FULL STATUS tells the registrant and what it holds",
        .clause = "SPC-4 6.15.5",
        .good = "command:5e/03",
        ON_UNITS(check_full_status, NEEDED),
    },
    {
        .name = "reset",
        .title = "Registrations and reservations outlive a logical unit reset",
        .clause = "SPC-4 5.13.5",
        .good = IN_ALL "tmf:logical-unit-reset",
        ON_UNITS(check_reset, NEEDED),
    },
    {
        .name = "spc-2",
        .title = "RESERVE and RELEASE conflict while a key is registered",
        .clause = "SPC-2 5.5.1",
        .good = "command:16 command:17 command:56 command:57",
        .bad = "command:16 command:17 command:56 command:57",
        ON_UNITS(check_spc_2, NEEDED),
    },
    {
        .name = "spc-2-first",
        .title = "PERSISTENT RESERVE IN and OUT conflict while the unit is "
                 "reserved by RESERVE, by whomever",
        .clause = "SPC-2 5.5.1",
        .good = "command:16 command:17 command:56 command:57",
        .bad = IN_ALL OUT_ALL,
        ON_UNITS(check_spc_2_first, NEEDED),
    },
    {
        .name = "spc-2-reset",
        .title = "A reset ends what RESERVE began; RESERVATION CONFLICT goes "
                 "before a unit attention condition",
        .clause = "SPC-2 5.5.1; SAM-5 5.3.2",
        .good = "command:16 tmf:logical-unit-reset",
        .bad = "command:16",
        ON_UNITS(check_spc_2_reset, NEEDED),
    },
    {
        .name = "preempt",
        .title = "Who preempts its own reservation gets one of the new type",
        .clause = "SPC-4 5.13.11.2.5",
        .good = "command:5f/04",
        .bad = "command:5f/04",
        ON_UNITS(check_preempt, NEEDED),
    },
};

const TdTopic topic_reservations = TD_TOPIC("reservations", cases);
