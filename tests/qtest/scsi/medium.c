/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All of the medium at once: FORMAT UNIT, SBC-3 5.3; SANITIZE, 5.24; START STOP
 * UNIT, 5.25; SYNCHRONIZE CACHE, 5.26; copies within it, SPC-4 6.5.
 */
#include "suite.h"

#define LBA 100
#define BLOCKS 8

static void fill_medium(TdScsi *hba, uint64_t lba)
{
    uint8_t data[BLOCKS * 4096];

    memset(data, 0x77, sizeof(data));
    td_scsi_write(hba, lba, data, BLOCKS * td_scsi_block_size(hba));
}

static void fill_both_ends(TdScsi *hba)
{
    fill_medium(hba, 0);
    fill_medium(hba, td_scsi_blocks(hba) - BLOCKS);
}

static void expect_both_ends(TdScsi *hba, uint8_t byte)
{
    expect_medium(hba, 0, BLOCKS, byte);
    expect_medium(hba, td_scsi_blocks(hba) - BLOCKS, BLOCKS, byte);
}

/* ---- FORMAT UNIT ------------------------------------------------------- */

static void check_format(TdScsi *hba)
{
    fill_both_ends(hba);
    td_scsi_expect_good(td_scsi_none(hba, td_cdb(0x04)), 0);
    td_scsi_check_alive(hba);
}

static void check_format_bad(TdScsi *hba)
{
    uint8_t list[8] = { 0x01 };         /* PROTECTION FIELD USAGE */
    TdCdb cdb = td_cdb_action(0x04, 0x10);

    fill_both_ends(hba);
    td_scsi_expect_sense(td_scsi_out(hba, cdb, list, 4),
                         TD_SENSE_INVALID_PARAMETER);
    cdb.b[1] = 0x50;                    /* FMTPINFO */
    list[0] = 0;
    td_scsi_expect_sense(td_scsi_out(hba, cdb, list, 4),
                         TD_SENSE_INVALID_FIELD);
    expect_both_ends(hba, 0x77);
}

/* ---- SANITIZE ---------------------------------------------------------- */

static TdScsiOutcome sanitize(TdScsi *hba, uint8_t action,
                              const uint8_t *list, uint32_t bytes)
{
    TdCdb cdb = td_cdb_action(0x48, action);

    td_cdb_set_length(&cdb, bytes);
    return td_scsi_out(hba, cdb, list, bytes);
}

static void check_sanitize(TdScsi *hba)
{
    static const uint8_t list[] = { 0x01, 0, 0, 2, 0xc3, 0xc3 };

    fill_both_ends(hba);
    td_scsi_expect_good(sanitize(hba, 0x01, list, sizeof(list)), 0);
    expect_both_ends(hba, 0xc3);
    td_scsi_expect_good(sanitize(hba, 0x02, NULL, 0), 0);
    expect_both_ends(hba, 0);
    fill_both_ends(hba);
    td_scsi_expect_good(sanitize(hba, 0x03, NULL, 0), 0);
    expect_both_ends(hba, 0);
    td_scsi_expect_good(sanitize(hba, 0x1f, NULL, 0), 0);
}

static void check_sanitize_bad(TdScsi *hba)
{
    uint8_t list[8 + 4096] = { 0x01, 0, 0, 1 };
    uint32_t size = td_scsi_block_size(hba);

    fill_both_ends(hba);
    /* OVERWRITE: a header, and 1 byte to a block of pattern */
    td_scsi_expect_sense(sanitize(hba, 0x01, list, 4),
                         TD_SENSE_INVALID_FIELD);
    td_scsi_expect_sense(sanitize(hba, 0x01, list, 4 + size + 1),
                         TD_SENSE_INVALID_FIELD);
    list[0] = 0x00;                     /* OVERWRITE COUNT */
    td_scsi_expect_sense(sanitize(hba, 0x01, list, 5),
                         TD_SENSE_INVALID_PARAMETER);
    list[0] = 0x01;
    list[3] = 0;                        /* INITIALIZATION PATTERN LENGTH */
    td_scsi_expect_sense(sanitize(hba, 0x01, list, 5),
                         TD_SENSE_INVALID_PARAMETER);
    list[3] = 2;                        /* more than there is */
    td_scsi_expect_sense(sanitize(hba, 0x01, list, 5),
                         TD_SENSE_INVALID_PARAMETER);
    for (unsigned action = 0x02; action <= 0x03; action++) {
        td_scsi_expect_sense(sanitize(hba, action, list, 4),
                             TD_SENSE_INVALID_FIELD);
    }
    for (unsigned action = 0x04; action < 0x1f; action++) {
        td_scsi_expect_sense(sanitize(hba, action, NULL, 0),
                             TD_SENSE_INVALID_FIELD);
    }
    expect_both_ends(hba, 0x77);
}

/* ---- START STOP UNIT, SYNCHRONIZE CACHE -------------------------------- */

static void check_power_conditions(TdScsi *hba)
{
    for (unsigned condition = 1; condition < 16; condition++) {
        bool is_reserved = condition == 4 || condition == 6 ||
                           condition == 8 || condition == 9 || condition > 11;
        TdCdb cdb = td_cdb(0x1b);
        TdScsiOutcome o;

        cdb.b[4] = condition << 4;
        o = td_scsi_none(hba, cdb);
        if (is_reserved) {
            td_scsi_expect_sense(o, TD_SENSE_INVALID_FIELD);
        } else {
            td_scsi_expect_good(o, 0);
            td_scsi_check_alive(hba);
        }
    }
}

static void check_synchronize(TdScsi *hba)
{
    static const uint8_t opcodes[] = { 0x35, 0x91, 0x34, 0x90 };

    for (unsigned i = 0; i < ARRAY_SIZE(opcodes); i++) {
        /* All of it, and with IMMED; 0 is "to the end". */
        for (unsigned immed = 0; immed <= 2; immed += 2) {
            TdCdb cdb = td_cdb_blocks(opcodes[i], LBA, 0);

            cdb.b[1] = immed;
            fill_medium(hba, LBA);
            td_scsi_expect_good(td_scsi_none(hba, cdb), 0);
            td_cdb_set_length(&cdb, td_scsi_blocks(hba) - LBA);
            td_scsi_expect_good(td_scsi_none(hba, cdb), 0);
            expect_medium(hba, LBA, BLOCKS, 0x77);
        }
    }
}

/* ---- EXTENDED COPY ----------------------------------------------------- */

#define CSCD 16
#define SEGMENT 48

static void check_copy(TdScsi *hba)
{
    g_autofree ScsiCall *call = g_new(ScsiCall, 1);
    TdCdb status = td_cdb_action(0x84, 0x00);
    uint8_t p[ANSWER_BYTES];

    make_call(hba, find_command("extended-copy"), call);
    fill_medium(hba, LBA);
    call->out[0] = 0x42;                /* LIST IDENTIFIER */
    stw_be_p(call->out + SEGMENT + 10, BLOCKS);
    stq_be_p(call->out + SEGMENT + 12, LBA);
    stq_be_p(call->out + SEGMENT + 20, 2 * LBA);
    td_scsi_expect_good(send_call(hba, call), 0);
    expect_medium(hba, 2 * LBA, BLOCKS, 0x77);
    expect_medium(hba, 2 * LBA - 1, 1, 0);
    expect_medium(hba, 2 * LBA + BLOCKS, 1, 0);
    status.b[2] = 0x42;
    ask(hba, status, p);
    td_expect_hex(p[4] & 0x7f, ==, 0x01);       /* without errors */
    td_expect_uint(lduw_be_p(p + 5), ==, 1);    /* segment */
    td_expect_uint(ldl_be_p(p + 8), ==, BLOCKS * td_scsi_block_size(hba));
}

static void check_copy_bad(TdScsi *hba)
{
    g_autofree ScsiCall *call = g_new(ScsiCall, 1);
    uint8_t *list = call->out;

    make_call(hba, find_command("extended-copy"), call);
    list[CSCD] = 0xe0;
    td_scsi_expect_sense(send_call(hba, call), TD_SENSE(5, 0x26, 0x07));
    list[CSCD] = 0xe4;
    list[SEGMENT] = 0x7f;
    td_scsi_expect_sense(send_call(hba, call), TD_SENSE(5, 0x26, 0x09));
    list[SEGMENT] = 0x02;
    list[15] = 1;                       /* INLINE DATA LENGTH */
    td_scsi_expect_sense(send_call(hba, call), TD_SENSE(5, 0x26, 0x0b));
    list[15] = 0;
    stw_be_p(list + 2, 31);             /* CSCD DESCRIPTOR LIST LENGTH */
    td_scsi_expect_sense(send_call(hba, call), TD_SENSE_PARAMETER_LENGTH);
    stw_be_p(list + 2, 32);
    set_call_length(hba, call, call->out_bytes - 1);
    td_scsi_expect_sense(send_call(hba, call), TD_SENSE_PARAMETER_LENGTH);
    set_call_length(hba, call, 15);
    td_scsi_expect_sense(send_call(hba, call), TD_SENSE_PARAMETER_LENGTH);
    expect_unwritten(hba);
}

/* What is found out while it is being copied: COPY ABORTED */
static void check_copy_aborted(TdScsi *hba)
{
    g_autofree ScsiCall *call = g_new(ScsiCall, 1);
    uint64_t end = td_scsi_blocks(hba);

    make_call(hba, find_command("extended-copy"), call);
    call->out[CSCD + 8] ^= 0xff;        /* another disk's designator */
    td_scsi_expect_sense(send_call(hba, call), TD_SENSE(0xa, 0x08, 0x04));
    call->out[CSCD + 8] ^= 0xff;
    stq_be_p(call->out + SEGMENT + 12, end - CALL_BLOCKS + 1);
    td_expect_hex(send_call(hba, call).sense.code >> 16, ==, 0xa);
    stq_be_p(call->out + SEGMENT + 12, 0);
    stq_be_p(call->out + SEGMENT + 20, UINT64_MAX);
    td_expect_hex(send_call(hba, call).sense.code >> 16, ==, 0xa);
    stq_be_p(call->out + SEGMENT + 20, CALL_LBA);
    td_scsi_expect_good(send_call(hba, call), 0);
}

static void check_copy_status_unknown(TdScsi *hba)
{
    TdCdb cdb = td_cdb_action(0x84, 0x00);
    uint8_t p[64];

    cdb.b[2] = 0x55;                    /* of a list that there was not */
    td_cdb_set_length(&cdb, sizeof(p));
    td_scsi_expect_sense(td_scsi_in(hba, cdb, p, sizeof(p)),
                         TD_SENSE_INVALID_FIELD);
}

/* ---- Buffers ----------------------------------------------------------- */

static TdCdb buffer(uint8_t opcode, uint8_t mode, uint32_t offset,
                    uint32_t bytes)
{
    TdCdb cdb = td_cdb_action(opcode, mode);

    td_cdb_set(&cdb, 3, 3, offset);
    td_cdb_set(&cdb, 6, 3, bytes);
    return cdb;
}

static void check_buffer(TdScsi *hba)
{
    uint8_t descriptor[4], data[1000], found[1000];
    uint32_t size, step;

    td_scsi_expect_good(td_scsi_in(hba, buffer(0x3c, 0x03, 0, 4), descriptor,
                                   4), 0);
    size = ldl_be_p(descriptor) & 0xffffff;
    step = 1u << descriptor[0];         /* OFFSET BOUNDARY */
    td_expect_uint(size, >=, sizeof(data));
    for (uint32_t at = 0; at + sizeof(data) <= size;
         at += QEMU_ALIGN_UP(7777, step)) {
        td_pattern(data, sizeof(data), at);
        td_scsi_expect_good(td_scsi_out(hba, buffer(0x3b, 0x02, at,
                                                    sizeof(data)),
                                        data, sizeof(data)), 0);
        td_scsi_expect_good(td_scsi_in(hba, buffer(0x3c, 0x02, at,
                                                   sizeof(found)),
                                       found, sizeof(found)), 0);
        td_expect_mem(found, data, sizeof(data));
    }
}

static void check_buffer_bad(TdScsi *hba)
{
    uint8_t descriptor[4], data[16] = { 0 };
    uint32_t size;

    td_scsi_expect_good(td_scsi_in(hba, buffer(0x3c, 0x03, 0, 4), descriptor,
                                   4), 0);
    size = ldl_be_p(descriptor) & 0xffffff;
    td_scsi_expect_sense(td_scsi_out(hba, buffer(0x3b, 0x02, size - 15, 16),
                                     data, 16), TD_SENSE_INVALID_FIELD);
    td_scsi_expect_sense(td_scsi_out(hba, buffer(0x3b, 0x02, 0xffffff, 16),
                                     data, 16), TD_SENSE_INVALID_FIELD);
    td_scsi_expect_sense(td_scsi_in(hba, buffer(0x3c, 0x02, size + 1, 16),
                                    data, 16), TD_SENSE_INVALID_FIELD);
    for (unsigned opcode = 0x3b; opcode <= 0x3c; opcode++) {
        TdCdb cdb = buffer(opcode, 0x02, 0, 16);

        cdb.b[2] = 9;                   /* BUFFER ID */
        td_scsi_expect_sense(opcode == 0x3b ?
                             td_scsi_out(hba, cdb, data, 16) :
                             td_scsi_in(hba, cdb, data, 16),
                             TD_SENSE_INVALID_FIELD);
    }
}

static const TdCase cases[] = {
    {
        .name = "format/good",
        .title = "After FORMAT UNIT the medium is as large, and works",
        .clause = "SBC-3 5.3",
        .good = "command:04",
        ON_UNITS(check_format),
    },
    {
        .name = "format/protection",
        .title = "FORMAT UNIT with protection information, which there is "
                 "not, is refused",
        .clause = "SBC-3 5.3.2",
        .bad = "command:04",
        ON_UNITS(check_format_bad, "format-unit"),
    },
    {
        .name = "sanitize/good",
        .title = "SANITIZE leaves nothing of what the medium held",
        .clause = "SBC-3 5.24.2",
        .good = "command:48/01 command:48/02 command:48/03 command:48/1f",
        ON_UNITS(check_sanitize, "sanitize-overwrite"),
    },
    {
        .name = "sanitize/bad",
        .title = "SANITIZE with a wrong parameter list leaves all as it is",
        .clause = "SBC-3 5.24.2",
        .bad = "command:48/01 command:48/02 command:48/03 command:48/1f",
        ON_UNITS(check_sanitize_bad, "sanitize-overwrite"),
    },
    {
        .name = "power-conditions",
        .title = "A reserved POWER CONDITION is refused, and all others "
                 "leave a disk that works",
        .clause = "SBC-3 5.25",
        .good = "command:1b",
        .bad = "command:1b",
        ON_UNITS(check_power_conditions),
    },
    {
        .name = "synchronize",
        .title = "SYNCHRONIZE CACHE and PRE-FETCH leave the data as it is",
        .clause = "SBC-3 5.8, 5.9, 5.26, 5.27",
        .good = "command:34 command:35 command:90 command:91",
        ON_UNITS(check_synchronize, "pre-fetch-16"),
    },
    {
        .name = "copy/good",
        .title = "EXTENDED COPY copies within the disk, and COPY STATUS "
                 "tells of it",
        .clause = "SPC-4 6.5, 6.22-6.26",
        .good = "command:83/00 command:84/00",
        ON_UNITS(check_copy, "extended-copy"),
    },
    {
        .name = "copy/bad-list",
        .title = "EXTENDED COPY of a list that is wrong copies nothing",
        .clause = "SPC-4 6.5.2-6.5.4",
        .bad = "command:83/00",
        ON_UNITS(check_copy_bad, "extended-copy"),
    },
    {
        .name = "copy/aborted",
        .title = "A segment that cannot be copied ends EXTENDED COPY with "
                 "COPY ABORTED",
        .clause = "SPC-4 6.5.5.3",
        .bad = "command:83/00",
        ON_UNITS(check_copy_aborted, "extended-copy"),
    },
    {
        .name = "copy/no-status",
        .title = "COPY STATUS of a list that there was not is refused",
        .clause = "SPC-4 6.22-6.26",
        .bad = "command:84/00",
        ON_UNITS(check_copy_status_unknown, "extended-copy"),
    },
    {
        .name = "buffer/good",
        .title = "READ BUFFER reads what WRITE BUFFER wrote, wherever in "
                 "the buffer",
        .clause = "SPC-4 6.18.5, 6.49.4",
        .good = "command:3b command:3c",
        ON_UNITS(check_buffer, "write-buffer"),
    },
    {
        .name = "buffer/bad",
        .title = "What is beyond the buffer is refused, and another buffer",
        .clause = "SPC-4 6.18.5, 6.49.4",
        .bad = "command:3b command:3c",
        ON_UNITS(check_buffer_bad, "write-buffer"),
    },
};

const TdTopic topic_medium = TD_TOPIC("medium", cases);
