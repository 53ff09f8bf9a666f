/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Mode pages, SPC-4 6.11-6.14, 7.5, SBC-3 6.5; log pages, SPC-4 6.8, 7.3.
 */
#include "suite.h"

#define PAGES \
    "mode-page:01 mode-page:02 mode-page:04 mode-page:05 mode-page:08 " \
    "mode-page:0a mode-page:1a mode-page:1c"

enum { CURRENT, CHANGEABLE, DEFAULT, SAVED };

/* MODE SELECT(10) of one page, header in front. */
static TdScsiOutcome select_page(TdScsi *hba, const uint8_t *page,
                                 unsigned bytes, bool save)
{
    uint8_t list[8 + 256] = { 0 };
    TdCdb cdb = td_cdb_action(0x55, 0x10 | save);       /* PF, SP */

    memcpy(list + 8, page, bytes);
    list[8] &= 0x7f;                    /* PS is reserved */
    td_cdb_set_length(&cdb, 8 + bytes);
    return td_scsi_out(hba, cdb, list, 8 + bytes);
}

static void check_all_pages(TdScsi *hba)
{
    uint8_t all[ANSWER_BYTES], one[ANSWER_BYTES];
    unsigned bytes = ask_mode(hba, 0x3f, CURRENT, all), at, last = 0;

    td_expect_uint(lduw_be_p(all + 6), ==, 0);
    for (at = 8; at + 2 <= bytes; at += all[at + 1] + 2) {
        unsigned code = all[at] & 0x3f, size = all[at + 1] + 2;

        td_expect_uint(code, >, last);
        last = code;
        for (unsigned control = CURRENT; control <= SAVED; control++) {
            if (control == SAVED && !(all[at] & 0x80)) {
                continue;               /* PS: it cannot be saved */
            }
            td_expect_uint(ask_mode(hba, code, control, one), ==, 8 + size);
            td_expect_hex(one[8], ==, all[at]);
            td_expect_hex(one[9], ==, all[at + 1]);
            if (control == CURRENT) {
                td_expect_mem(one + 8, all + at, size);
            }
        }
    }
    td_expect_uint(at, ==, bytes);
}

static void check_6_and_10(TdScsi *hba)
{
    uint8_t long_answer[ANSWER_BYTES], short_answer[255];
    TdCdb cdb = td_cdb_action(0x1a, 0x08);      /* DBD */
    unsigned bytes = ask_mode(hba, 0x08, CURRENT, long_answer);

    cdb.b[2] = 0x08;
    cdb.b[4] = sizeof(short_answer);
    td_scsi_expect_status(td_scsi_in(hba, cdb, short_answer,
                                     sizeof(short_answer)), TD_SCSI_GOOD);
    td_expect_uint(short_answer[0] + 1u, ==, bytes - 4);
    td_expect_hex(short_answer[2], ==, long_answer[3]);
    td_expect_uint(short_answer[3], ==, 0);
    td_expect_mem(short_answer + 4, long_answer + 8, bytes - 8);
}

/* DBD 0: a block descriptor, with LLBAA a long one */
static void check_block_descriptor(TdScsi *hba)
{
    uint8_t p[ANSWER_BYTES];
    TdCdb cdb = td_cdb(0x5a);

    cdb.b[2] = 0x08;
    ask(hba, cdb, p);
    td_expect_uint(lduw_be_p(p + 6), ==, 8);
    td_expect_uint(ldl_be_p(p + 8), ==, td_scsi_blocks(hba));
    td_expect_uint(ldl_be_p(p + 12) & 0xffffff, ==, td_scsi_block_size(hba));
    cdb.b[1] = 0x10;
    ask(hba, cdb, p);
    if (p[4] & 0x01) {                  /* LONGLBA: it "may" */
        td_expect_uint(lduw_be_p(p + 6), ==, 16);
        td_expect_uint(ldq_be_p(p + 8), ==, td_scsi_blocks(hba));
        td_expect_uint(ldl_be_p(p + 20), ==, td_scsi_block_size(hba));
    }
}

static void check_unknown_page(TdScsi *hba)
{
    uint8_t all[ANSWER_BYTES], answer[255];
    unsigned bytes = ask_mode(hba, 0x3f, CURRENT, all);
    bool known[64] = { [0x3f] = true };
    TdCdb cdb = td_cdb_action(0x5a, 0x08);

    for (unsigned at = 8; at + 2 <= bytes; at += all[at + 1] + 2) {
        known[all[at] & 0x3f] = true;
    }
    cdb.b[8] = sizeof(answer);
    for (unsigned code = 1; code < 0x3f; code++) {
        if (known[code]) {
            continue;
        }
        cdb.b[2] = code;
        td_scsi_expect_sense(td_scsi_in(hba, cdb, answer, sizeof(answer)),
                             TD_SENSE_INVALID_FIELD);
        /* Nor can it be selected. */
        td_scsi_expect_sense(select_page(hba, (uint8_t[12]) { code, 10 }, 12,
                                         false),
                             TD_SENSE_INVALID_PARAMETER);
    }
    cdb.b[2] = 0x08;
    cdb.b[3] = 0x77;                    /* a subpage */
    td_scsi_expect_sense(td_scsi_in(hba, cdb, answer, sizeof(answer)),
                         TD_SENSE_INVALID_FIELD);
}

static void check_unchangeable(TdScsi *hba)
{
    uint8_t all[ANSWER_BYTES], mask[ANSWER_BYTES], after[ANSWER_BYTES];
    unsigned bytes = ask_mode(hba, 0x3f, CURRENT, all);

    td_expect_uint(ask_mode(hba, 0x3f, CHANGEABLE, mask), ==, bytes);
    for (unsigned at = 8; at + 2 <= bytes; at += all[at + 1] + 2) {
        unsigned size = all[at + 1] + 2;

        td_scsi_expect_good(select_page(hba, all + at, size, false), 0);
        for (unsigned i = 2; i < size; i++) {
            if (mask[at + i] == 0xff) {
                continue;
            }
            all[at + i] ^= ~mask[at + i];
            td_scsi_expect_sense(select_page(hba, all + at, size, false),
                                 TD_SENSE_INVALID_PARAMETER);
            all[at + i] ^= ~mask[at + i];
        }
        /* A page of another length is none that there is. */
        all[at + 1]++;
        td_scsi_expect_status(select_page(hba, all + at, size + 1, false),
                              TD_SCSI_CHECK_CONDITION);
        all[at + 1]--;
    }
    ask_mode(hba, 0x3f, CURRENT, after);
    td_expect_mem(after, all, bytes);
}

static void check_truncated_list(TdScsi *hba)
{
    uint8_t p[ANSWER_BYTES], list[64] = { 0 };
    unsigned bytes = ask_mode(hba, 0x08, CURRENT, p);
    TdCdb cdb = td_cdb_action(0x55, 0x10);

    memcpy(list + 8, p + 8, bytes - 8);
    list[8] &= 0x7f;
    for (unsigned n = 1; n < bytes; n++) {
        if (n == 8) {
            continue;                   /* a header alone is whole */
        }
        td_cdb_set_length(&cdb, n);
        td_scsi_expect_sense(td_scsi_out(hba, cdb, list, n),
                             TD_SENSE_PARAMETER_LENGTH);
    }
}

/* A block length of its own would be for FORMAT UNIT to make. */
static void check_bad_block_descriptor(TdScsi *hba)
{
    uint8_t list[16] = { 0 };
    TdCdb cdb = td_cdb_action(0x55, 0x10);

    list[7] = 8;                        /* BLOCK DESCRIPTOR LENGTH */
    td_cdb_set_length(&cdb, sizeof(list));
    stl_be_p(list + 12, td_scsi_block_size(hba));
    td_scsi_expect_good(td_scsi_out(hba, cdb, list, sizeof(list)), 0);
    stl_be_p(list + 12, 520);
    td_scsi_expect_sense(td_scsi_out(hba, cdb, list, sizeof(list)),
                         TD_SENSE_INVALID_PARAMETER);
    list[7] = 9;
    td_scsi_expect_status(td_scsi_out(hba, cdb, list, sizeof(list)),
                          TD_SCSI_CHECK_CONDITION);
}

/* WCE: as selected; after a reset as saved */
static void check_write_cache(TdScsi *hba)
{
    uint8_t p[ANSWER_BYTES];
    unsigned bytes = ask_mode(hba, 0x08, CURRENT, p) - 8;
    uint8_t before = p[8 + 2];

    ask_mode(hba, 0x08, CHANGEABLE, p);
    td_expect_set(p[8 + 2], 0x04);
    ask_mode(hba, 0x08, CURRENT, p);
    p[8 + 2] ^= 0x04;
    td_scsi_expect_good(select_page(hba, p + 8, bytes, false), 0);
    ask_mode(hba, 0x08, CURRENT, p);
    td_expect_hex(p[8 + 2], ==, before ^ 0x04);
    td_scsi_check_alive(hba);
}

static void check_saved(TdScsi *hba)
{
    uint8_t p[ANSWER_BYTES];
    unsigned bytes = ask_mode(hba, 0x08, CURRENT, p) - 8;
    uint8_t before = p[8 + 2];

    if (!(p[8] & 0x80)) {
        /* It cannot be saved: to ask for it is an error. */
        td_scsi_expect_sense(select_page(hba, p + 8, bytes, true),
                             TD_SENSE_INVALID_FIELD);
        return;
    }
    p[8 + 2] ^= 0x04;
    td_scsi_expect_good(select_page(hba, p + 8, bytes, false), 0);
    td_scsi_task(hba, VIRTIO_SCSI_T_TMF_LOGICAL_UNIT_RESET,
                 TD_SCSI_NO_REQUEST);
    td_scsi_clear_unit_attention(hba);
    ask_mode(hba, 0x08, CURRENT, p);
    td_expect_hex(p[8 + 2], ==, before);
    p[8 + 2] ^= 0x04;
    td_scsi_expect_good(select_page(hba, p + 8, bytes, true), 0);
    td_scsi_task(hba, VIRTIO_SCSI_T_TMF_LOGICAL_UNIT_RESET,
                 TD_SCSI_NO_REQUEST);
    td_scsi_clear_unit_attention(hba);
    ask_mode(hba, 0x08, CURRENT, p);
    td_expect_hex(p[8 + 2], ==, before ^ 0x04);
    ask_mode(hba, 0x08, SAVED, p);
    td_expect_hex(p[8 + 2], ==, before ^ 0x04);
}

/* ---- Log pages --------------------------------------------------------- */

static void check_log_pages(TdScsi *hba)
{
    uint8_t pages[ANSWER_BYTES], p[ANSWER_BYTES];
    TdCdb cdb = td_cdb(0x4d);
    unsigned bytes;

    cdb.b[2] = 0x40;
    bytes = ask(hba, cdb, pages);
    td_expect_uint(lduw_be_p(pages + 2) + 4u, ==, bytes);
    td_expect_hex(pages[4], ==, 0x00);
    for (unsigned i = 4; i < bytes; i++) {
        unsigned n, at;

        cdb.b[2] = 0x40 | pages[i];
        n = ask(hba, cdb, p);
        td_expect_hex(p[0] & 0x3f, ==, pages[i]);
        td_expect_uint(lduw_be_p(p + 2) + 4u, ==, n);
        /* Log parameters, but for page 0, which has none. */
        for (at = 4; pages[i] && at + 4 <= n; at += 4 + p[at + 3]) {
            td_expect_uint(p[at + 3], >, 0);
        }
        td_expect(!pages[i] || at == n);
    }
}

static void check_bad_log_pages(TdScsi *hba)
{
    uint8_t pages[ANSWER_BYTES], answer[255];
    TdCdb cdb = td_cdb(0x4d);
    unsigned bytes;

    cdb.b[2] = 0x40;
    bytes = ask(hba, cdb, pages);
    cdb.b[8] = sizeof(answer);
    for (unsigned code = 0; code < 0x40; code++) {
        if (!memchr(pages + 4, code, bytes - 4)) {
            cdb.b[2] = 0x40 | code;
            td_scsi_expect_sense(td_scsi_in(hba, cdb, answer, sizeof(answer)),
                                 TD_SENSE_INVALID_FIELD);
        }
    }
    cdb.b[2] = 0x40;
    cdb.b[3] = 0x13;                    /* a subpage */
    td_scsi_expect_sense(td_scsi_in(hba, cdb, answer, sizeof(answer)),
                         TD_SENSE_INVALID_FIELD);
    cdb.b[3] = 0;
    cdb.b[1] = 0x01;                    /* SP: no parameter can be saved */
    td_scsi_expect_sense(td_scsi_in(hba, cdb, answer, sizeof(answer)),
                         TD_SENSE_INVALID_FIELD);
}

static const TdCase cases[] = {
    {
        .name = "all",
        .title = "Page 3Fh is all pages, in order, each as it is by itself",
        .clause = "SPC-4 6.13.1, 7.5.1",
        .good = "command:5a " PAGES,
        ON_UNITS(check_all_pages),
    },
    {
        .name = "6-and-10",
        .title = "MODE SENSE(6) tells what MODE SENSE(10) does",
        .clause = "SPC-4 6.13, 6.14",
        .good = "command:1a command:5a",
        ON_UNITS(check_6_and_10),
    },
    {
        .name = "block-descriptor",
        .title = "The block descriptor has the capacity and block length",
        .clause = "SBC-3 6.5.2",
        .good = "command:5a",
        ON_UNITS(check_block_descriptor),
    },
    {
        .name = "unknown-page",
        .title = "A page that there is not is neither sensed nor selected",
        .clause = "SPC-4 6.13.1, 6.11",
        .bad = "command:5a command:55",
        ON_UNITS(check_unknown_page),
    },
    {
        .name = "unchangeable",
        .title = "A page can be selected as it is; with a field changed "
                 "that is not changeable it is refused as a whole",
        .clause = "SPC-4 6.11",
        .good = "command:55",
        .bad = "command:55 " PAGES,
        ON_UNITS(check_unchangeable),
    },
    {
        .name = "truncated-list",
        .title = "A parameter list that ends within a header or a page is "
                 "refused",
        .clause = "SPC-4 6.11",
        .bad = "command:55 mode-page:08",
        ON_UNITS(check_truncated_list),
    },
    {
        .name = "bad-block-descriptor",
        .title = "A block length that the disk does not have is refused",
        .clause = "SBC-3 6.5.2",
        .bad = "command:55",
        ON_UNITS(check_bad_block_descriptor),
    },
    {
        .name = "write-cache",
        .title = "WCE can be changed, and is as it was selected",
        .clause = "SBC-3 6.5.5",
        .good = "command:55 mode-page:08",
        ON_UNITS(check_write_cache),
    },
    {
        .name = "saved",
        .title = "After a reset the mode parameters are the saved ones",
        .clause = "SPC-4 5.9, 6.11",
        .good = "command:55 mode-page:08",
        ON_UNITS(check_saved),
    },
    {
        .name = "log/all",
        .title = "Log page 00h lists the pages that there are, each of which "
                 "is well-formed",
        .clause = "SPC-4 7.3.19",
        .good = "command:4d log-page:00 log-page:0d log-page:2f",
        ON_UNITS(check_log_pages, "log-sense"),
    },
    {
        .name = "log/unknown",
        .title = "A log page that there is not is refused, and so is SP",
        .clause = "SPC-4 6.8",
        .bad = "command:4d",
        ON_UNITS(check_bad_log_pages, "log-sense"),
    },
};

const TdTopic topic_modes = TD_TOPIC("modes", cases);
