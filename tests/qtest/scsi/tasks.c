/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Task management, SAM-5 7; what each command does when it is aborted, or its
 * unit is reset, is in every.c.
 */
#include "suite.h"

/* Some reads, of which all but the first wait for a drive that is slow. */
#define SLOW ",throttling.iops-total=4"
#define READS 4

static void submit_reads(TdScsi *hba, unsigned *requests)
{
    uint64_t base = guest_alloc(hba->alloc, READS * 4096);

    for (unsigned i = 0; i < READS; i++) {
        TdMemory list = { base + i * 4096, 4096 };
        TdCdb cdb = td_cdb_blocks(0x28, i * 8, 8);

        requests[i] = td_scsi_submit(hba, &cdb, NULL, 0, &list, 1);
    }
    g_usleep(20 * 1000);
    td_expect(!td_scsi_is_done(hba, requests[READS - 1]));
}

static unsigned count(TdScsi *hba, const unsigned *requests,
                      uint8_t response)
{
    unsigned n = 0;

    for (unsigned i = 0; i < READS; i++) {
        n += td_scsi_wait(hba, requests[i]).response == response;
    }
    return n;
}

static void test_abort_one(void)
{
    TdScsi *hba = td_scsi_start_with(SLOW, "");
    unsigned requests[READS];

    submit_reads(hba, requests);
    td_expect_uint(td_scsi_task(hba, VIRTIO_SCSI_T_TMF_QUERY_TASK,
                                requests[2]),
                   ==, VIRTIO_SCSI_S_FUNCTION_SUCCEEDED);
    td_expect_uint(td_scsi_task(hba, VIRTIO_SCSI_T_TMF_ABORT_TASK,
                                requests[2]), ==, VIRTIO_SCSI_S_OK);
    td_expect(td_scsi_is_done(hba, requests[2]));
    td_expect_uint(td_scsi_task(hba, VIRTIO_SCSI_T_TMF_QUERY_TASK,
                                requests[2]), ==, VIRTIO_SCSI_S_OK);
    for (unsigned i = 0; i < READS; i++) {
        TdScsiOutcome o = td_scsi_wait(hba, requests[i]);

        if (i == 2) {
            td_scsi_expect_response(o, VIRTIO_SCSI_S_ABORTED);
        } else {
            td_scsi_expect_good(o, 0);
        }
    }
    td_scsi_free(hba);
}

/* ABORT TASK SET and, with one initiator, CLEAR TASK SET */
static void check_abort_all(uint32_t function)
{
    TdScsi *hba = td_scsi_start_with(SLOW, "");
    unsigned requests[READS], aborted;

    submit_reads(hba, requests);
    td_expect_uint(td_scsi_task(hba, function, TD_SCSI_NO_REQUEST), ==,
                   VIRTIO_SCSI_S_OK);
    for (unsigned i = 0; i < READS; i++) {
        td_expect(td_scsi_is_done(hba, requests[i]));
    }
    aborted = count(hba, requests, VIRTIO_SCSI_S_ABORTED);
    td_expect_uint(aborted, >=, 1);
    /* No unit attention: the initiator knows. */
    td_scsi_expect_good(td_scsi_none(hba, td_cdb(0x00)), 0);
    if (td_scsi_stop(hba)) {
        unsigned traced = 0;

        for (unsigned i = 0; i < READS; i++) {
            traced += td_traced(hba->traced[0], "READ(10)", i)->status ==
                      TD_ABORTED;
        }
        td_expect_uint(traced, ==, aborted);
    }
    td_scsi_free(hba);
}

static void test_abort_task_set(void)
{
    check_abort_all(VIRTIO_SCSI_T_TMF_ABORT_TASK_SET);
}

static void test_clear_task_set(void)
{
    check_abort_all(VIRTIO_SCSI_T_TMF_CLEAR_TASK_SET);
}

/* A command ends with the reset, or had ended: none is left. */
static void check_reset(uint32_t function)
{
    TdScsi *hba = td_scsi_start_with(SLOW, "");
    unsigned requests[READS];

    submit_reads(hba, requests);
    td_expect_uint(td_scsi_task(hba, function, TD_SCSI_NO_REQUEST), ==,
                   VIRTIO_SCSI_S_OK);
    for (unsigned i = 0; i < READS; i++) {
        TdScsiOutcome o;

        td_expect(td_scsi_is_done(hba, requests[i]));
        o = td_scsi_wait(hba, requests[i]);
        if (o.response != VIRTIO_SCSI_S_RESET) {
            td_scsi_expect_good(o, 0);
        }
    }
    td_expect_hex(td_scsi_none(hba, td_cdb(0x00)).sense.code >> 8, ==, 0x629);
    td_scsi_check_alive(hba);
    td_scsi_free(hba);
}

static void test_unit_reset(void)
{
    check_reset(VIRTIO_SCSI_T_TMF_LOGICAL_UNIT_RESET);
}

static void test_nexus_reset(void)
{
    check_reset(VIRTIO_SCSI_T_TMF_I_T_NEXUS_RESET);
}

/* Of what is not there: there is nothing to abort, which is no error. */
static void check_nothing(TdScsi *hba)
{
    static const uint32_t functions[] = {
        VIRTIO_SCSI_T_TMF_ABORT_TASK, VIRTIO_SCSI_T_TMF_ABORT_TASK_SET,
        VIRTIO_SCSI_T_TMF_CLEAR_TASK_SET, VIRTIO_SCSI_T_TMF_QUERY_TASK,
        VIRTIO_SCSI_T_TMF_QUERY_TASK_SET,
    };

    for (unsigned i = 0; i < ARRAY_SIZE(functions); i++) {
        td_expect_uint(td_scsi_task(hba, functions[i], TD_SCSI_NO_REQUEST),
                       ==, VIRTIO_SCSI_S_OK);
    }
    td_scsi_expect_good(td_scsi_none(hba, td_cdb(0x00)), 0);
}

static void check_clear_aca(TdScsi *hba)
{
    td_expect_uint(td_scsi_task(hba, VIRTIO_SCSI_T_TMF_CLEAR_ACA,
                                TD_SCSI_NO_REQUEST), ==,
                   VIRTIO_SCSI_S_FUNCTION_REJECTED);
}

static void check_wrong_unit(TdScsi *hba)
{
    hba->lun = 1;
    td_expect_uint(td_scsi_task(hba, VIRTIO_SCSI_T_TMF_LOGICAL_UNIT_RESET,
                                TD_SCSI_NO_REQUEST), ==,
                   VIRTIO_SCSI_S_INCORRECT_LUN);
    hba->lun = 0;
    td_scsi_expect_good(td_scsi_none(hba, td_cdb(0x00)), 0);
}

static const TdCase cases[] = {
    {
        .name = "abort-task",
        .title = "ABORT TASK ends its command and no other, and QUERY TASK "
                 "knows",
        .clause = "SAM-5 7.2, 7.8",
        .good = "tmf:abort-task tmf:query-task command:28",
        .run = test_abort_one,
    },
    {
        .name = "abort-task-set",
        .title = "ABORT TASK SET ends all commands, without unit attention",
        .clause = "SAM-5 7.3",
        .good = "tmf:abort-task-set command:28",
        .run = test_abort_task_set,
    },
    {
        .name = "clear-task-set",
        .title = "CLEAR TASK SET ends all commands of the only initiator",
        .clause = "SAM-5 7.5",
        .good = "tmf:clear-task-set command:28",
        .run = test_clear_task_set,
    },
    {
        .name = "logical-unit-reset",
        .title = "LOGICAL UNIT RESET leaves no command, but a unit attention",
        .clause = "SAM-5 7.7, 6.3.3",
        .good = "tmf:logical-unit-reset command:28",
        .run = test_unit_reset,
    },
    {
        .name = "i-t-nexus-reset",
        .title = "I_T NEXUS RESET leaves no command, but a unit attention",
        .clause = "SAM-5 7.6, 6.3.4",
        .good = "tmf:i-t-nexus-reset command:28",
        .run = test_nexus_reset,
    },
    {
        .name = "nothing-there",
        .title = "Functions are complete where there is no command",
        .clause = "SAM-5 7.2-7.9",
        .bad = "tmf:abort-task tmf:abort-task-set tmf:clear-task-set "
               "tmf:query-task tmf:query-task-set",
        ON_UNITS(check_nothing),
    },
    {
        .name = "clear-aca",
        .title = "CLEAR ACA is rejected where there is no ACA",
        .clause = "SAM-5 7.4",
        .bad = "tmf:clear-aca",
        ON_UNITS(check_clear_aca),
    },
    {
        .name = "wrong-unit",
        .title = "A function for a unit that there is not resets no other",
        .clause = "SAM-5 7.1; virtio 1.2 5.6.6.2",
        .bad = "tmf:logical-unit-reset",
        ON_UNITS(check_wrong_unit),
    },
};

const TdTopic topic_tasks = TD_TOPIC("tasks", cases);
