/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The SCSI suite: what several of its topics need.
 */
#include "suite.h"

void run_on_units(void)
{
    const OnUnits *units = td_case()->data;
    TdScsi *hba = td_scsi_start(units->options ?: "");

    if (units->needs && !has_command(hba, find_command(units->needs))) {
        g_test_skip("the peer does not have this command");
    } else {
        for (unsigned unit = 0; unit < TD_SCSI_UNITS; unit++) {
            hba->unit = unit;
            units->check(hba);
        }
    }
    td_scsi_free(hba);
}

unsigned ask(TdScsi *hba, TdCdb cdb, uint8_t *answer)
{
    TdScsiOutcome o;

    if (cdb.b[0] == 0x12) {
        stw_be_p(cdb.b + 3, ANSWER_BYTES);
    } else {
        td_cdb_set_length(&cdb, ANSWER_BYTES);
    }
    o = td_scsi_in(hba, cdb, answer, ANSWER_BYTES);
    td_scsi_expect_status(o, TD_SCSI_GOOD);
    td_expect_uint(o.residual, <=, ANSWER_BYTES);
    return ANSWER_BYTES - o.residual;
}

unsigned expect_sent(unsigned told, unsigned sent)
{
    if (td_system() == TD_PEER && sent == ANSWER_BYTES) {
        td_expect_uint(told, <=, sent);
    } else {
        td_expect_uint(told, ==, sent);
    }
    return told;
}

unsigned ask_vpd(TdScsi *hba, uint8_t page, uint8_t *answer)
{
    TdCdb cdb = td_cdb_action(0x12, 0x01);      /* EVPD */
    unsigned bytes;

    cdb.b[2] = page;
    bytes = ask(hba, cdb, answer);
    return expect_sent(lduw_be_p(answer + 2) + 4, bytes);
}

unsigned ask_mode(TdScsi *hba, uint8_t page, uint8_t control,
                  uint8_t *answer)
{
    TdCdb cdb = td_cdb_action(0x5a, 0x08);      /* MODE SENSE(10), DBD */
    unsigned bytes;

    cdb.b[2] = control << 6 | page;
    bytes = ask(hba, cdb, answer);
    return expect_sent(lduw_be_p(answer) + 2, bytes);
}

void expect_medium(TdScsi *hba, uint64_t lba, unsigned blocks, uint8_t byte)
{
    size_t bytes = blocks * td_scsi_block_size(hba);
    g_autofree uint8_t *found = g_malloc(bytes), *expected = g_malloc(bytes);

    memset(expected, byte, bytes);
    td_scsi_read(hba, lba, found, bytes);
    td_expect_mem(found, expected, bytes);
}
