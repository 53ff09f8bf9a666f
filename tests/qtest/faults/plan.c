/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plans: set while the VM runs, and refused.
 */
#include "suite.h"

static void set_faults(TdAhci *hba, const char *path)
{
    qtest_qmp_assert_success(hba->qts,
                             "{'execute': 'qom-set', 'arguments': {'path': "
                             "'/machine/peripheral/hba', 'property': 'faults', "
                             "'value': %s}}",
                             path);
}

static void test_run_time(void)
{
    TdAhci *hba = td_ahci_start("");
    uint64_t addr = ahci_alloc(hba->ahci, BYTES);

    td_expect(!has_failed(run_at(hba, CMD_READ_DMA_EXT, 0, addr)));
    set_faults(hba, write_plan("[bad]\nerror=unc\n"));
    td_expect(has_failed(run_at(hba, CMD_READ_DMA_EXT, 0, addr)));
    td_ahci_recover(hba);
    set_faults(hba, "");
    td_expect(!has_failed(run_at(hba, CMD_READ_DMA_EXT, 0, addr)));
    if (td_ahci_stop(hba)) {
        td_expect_uint(faults(hba), ==, 1);
    }
    td_ahci_free(hba);
}

/* What QEMU says of a plan that it refuses */
static char *refusal(TdAhci *hba, const char *path)
{
    QDict *answer =
        qtest_qmp(hba->qts, "{'execute': 'qom-set', 'arguments': {'path': "
                            "'/machine/peripheral/hba', 'property': "
                            "'faults', 'value': %s}}", path);
    char *said;

    td_expect(qdict_haskey(answer, "error"));
    said = g_strdup(qdict_get_str(qdict_get_qdict(answer, "error"), "desc"));
    qobject_unref(answer);
    return said;
}

/* A plan that is refused leaves the one in force. */
static void test_run_time_bad(void)
{
    TdAhci *hba = start("[bad]\nerror=unc\n");
    uint64_t addr = ahci_alloc(hba->ahci, BYTES);
    g_autofree char *said = refusal(hba, "/nonexistent");

    td_expect(strstr(said, "/nonexistent"));
    td_expect(has_failed(run_at(hba, CMD_READ_DMA_EXT, 0, addr)));
    td_ahci_stop(hba);
    td_ahci_free(hba);
}

/* A key, and a value that it does not take */
typedef struct Wrong {
    TdRow row;
    const char *key, *plan;
} Wrong;

#define WRONG(item, key, plan) \
    { { key, plan, "tracedisk-faults(5)", item ":" key }, key, plan }

static const Wrong wrong[] = {
    WRONG("match", "command", "error=unc;command=READ(10)"),
    WRONG("match", "op", "error=unc;op=erase"),
    WRONG("match", "lba", "error=unc;lba=9-1"),
    WRONG("match", "tag", "error=unc;tag=a"),
    WRONG("match", "port", "error=unc;port=3-2"),
    WRONG("match", "nth", "error=unc;nth=0"),
    WRONG("match", "every", "error=unc;every=x"),
    WRONG("match", "count", "error=unc;count=-1"),
    WRONG("match", "probability", "error=unc;probability=1.5"),
    WRONG("fault", "delay", "delay=10"),
    WRONG("fault", "reorder", "reorder=0"),
    WRONG("fault", "error", "error=bad"),
    WRONG("fault", "status", "error=unc;status=0x50"),
    WRONG("fault", "short", "short=x"),
    WRONG("fault", "flip", "flip=x"),
    WRONG("fault", "mask", "flip=0;mask=0"),
    WRONG("fault", "interrupt", "interrupt=never"),
    WRONG("fault", "link", "link=cut"),
};

/* It is told which key is wrong, and the plan in force stays. */
static void test_wrong(void)
{
    const Wrong *w = td_row();
    g_auto(GStrv) keys = g_strsplit(w->plan, ";", -1);
    g_autofree char *lines = g_strjoinv("\n", keys);
    g_autofree char *plan = g_strdup_printf("[x]\n%s\n", lines);
    g_autofree char *key = g_strdup_printf("[x] %s=", w->key);
    TdAhci *hba = start("[bad]\nerror=idnf\n");
    g_autofree char *said = refusal(hba, write_plan(plan));

    td_expect(strstr(said, key));
    td_expect_hex(run_at(hba, CMD_READ_DMA_EXT, 0, ahci_alloc(hba->ahci,
                                                              BYTES)).error,
                  ==, ERROR_IDNF);
    td_ahci_stop(hba);
    td_ahci_free(hba);
}

static void test_seed_wrong(void)
{
    TdAhci *hba = start("[bad]\nerror=idnf\n");
    g_autofree char *said =
        refusal(hba, write_plan("[plan]\nseed=4294967296\n[x]\nerror=unc\n"));

    td_expect(strstr(said, "[plan] seed="));
    td_ahci_stop(hba);
    td_ahci_free(hba);
}

static const TdCase cases[] = {
    {
        .name = "run-time/set",
        .title = "A plan can be set and ended while the VM runs",
        .clause = "tracedisk-faults(5)",
        .good = "fault:error",
        .ours = OURS_FAULTS,
        .run = test_run_time,
    },
    {
        .name = "run-time/missing",
        .title = "A plan that cannot be read leaves the one in force",
        .clause = "tracedisk-faults(5)",
        .bad = "fault:error",
        .ours = OURS_FAULTS,
        .run = test_run_time_bad,
    },
    {
        .name = "refused",
        .title = "it is refused, by the name of the key; the plan in "
                 "force stays",
        .bad = "@",
        .ours = OURS_FAULTS,
        TD_ROWS(wrong),
        .run = test_wrong,
    },
    {
        .name = "seed-refused",
        .title = "A seed that is no 32-bit number is refused",
        .clause = "tracedisk-faults(5)",
        .bad = "match:seed",
        .ours = OURS_FAULTS,
        .run = test_seed_wrong,
    },
};

const TdTopic topic_plan = TD_TOPIC("plan", cases);
