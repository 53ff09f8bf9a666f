/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which commands of a plan are hit.
 */
#include "suite.h"
#include "qemu/host-utils.h"

/* Reads blocks 0, 8, 16 … and tells with a bit each which of them failed. */
static uint32_t failed_reads(const char *plan, unsigned n)
{
    TdAhci *hba = start(plan);
    uint64_t addr = ahci_alloc(hba->ahci, BYTES);
    uint32_t failed = 0;

    for (unsigned i = 0; i < n; i++) {
        if (has_failed(run_at(hba, CMD_READ_DMA_EXT, i * SECTORS, addr))) {
            failed |= 1u << i;
            td_ahci_recover(hba);
        }
    }
    if (td_ahci_stop(hba)) {
        td_expect_uint(faults(hba), ==, ctpop32(failed));
    }
    td_ahci_free(hba);
    return failed;
}

typedef struct Selection {
    TdRow row;
    const char *keys;
    uint32_t failed;            /* of 16 reads, a bit each */
} Selection;

#define SELECT(name, item, keys, failed) \
    { { name, keys, "tracedisk-faults(5)", item }, keys, failed }

static const Selection selections[] = {
    SELECT("all", "fault:error", "", 0xffff),
    SELECT("op", "match:op", "op=write", 0),
    SELECT("command", "match:command", "command=READ DMA EXT", 0xffff),
    SELECT("command/pattern", "match:command", "command=read *", 0xffff),
    SELECT("command/other", "match:command", "command=WRITE*", 0),
    SELECT("lba/one", "match:lba", "lba=17", 1 << 2),
    SELECT("lba/edges", "match:lba", "lba=15-24", 0x0e),
    SELECT("lba/gap", "match:lba", "lba=0x80-0x10000", 0),
    SELECT("tag", "match:tag", "tag=0", 0xffff),
    SELECT("tag/other", "match:tag", "tag=1-31", 0),
    SELECT("port/other", "match:port", "port=1", 0),
    SELECT("nth", "match:nth", "nth=4", 1 << 3),
    SELECT("every", "match:every", "every=5", 0x8421),
    SELECT("nth-every", "match:nth match:every", "nth=3;every=4", 0x4444),
    SELECT("count", "match:count", "count=2", 0x0003),
    SELECT("nth-count", "match:nth match:count", "nth=3;count=2", 0x000c),
    SELECT("nth-every-count", "match:nth match:every match:count",
           "nth=2;every=2;count=3", 0x002a),
    SELECT("probability/one", "match:probability", "probability=1", 0xffff),
};

static void test_selection(void)
{
    const Selection *s = td_row();
    g_auto(GStrv) keys = g_strsplit(s->keys, ";", -1);
    g_autofree char *lines = g_strjoinv("\n", keys);
    g_autofree char *plan = g_strdup_printf("[x]\n%s\nerror=unc\n", lines);

    td_expect_hex(failed_reads(plan, 16), ==, s->failed);
}

/* The same seed has the same faults, another one others. */
static void test_seed(void)
{
    const char *plan = "[plan]\nseed=%u\n[x]\nprobability=0.5\nerror=unc\n";
    uint32_t failed[3];

    for (unsigned i = 0; i < ARRAY_SIZE(failed); i++) {
        g_autofree char *text = g_strdup_printf(plan, i == 2 ? 7 : 3);

        failed[i] = failed_reads(text, 32);
    }
    td_expect_hex(failed[0], ==, failed[1]);
    td_expect_hex(failed[0], !=, failed[2]);
    td_expect_uint(ctpop32(failed[0]), >, 4);
    td_expect_uint(ctpop32(failed[0]), <, 28);
}

/* The first section that hits is the command's fault; all count it. */
static void test_sections(void)
{
    TdAhci *hba = start("[a]\nnth=2\nerror=unc\n[b]\nnth=2\nerror=abrt\n"
                        "[c]\nnth=3\nerror=idnf\n");
    uint64_t addr = ahci_alloc(hba->ahci, BYTES);

    td_expect(!has_failed(run_at(hba, CMD_READ_DMA_EXT, 0, addr)));
    td_expect_hex(run_at(hba, CMD_READ_DMA_EXT, 0, addr).error, ==, ERROR_UNC);
    td_ahci_recover(hba);
    td_expect_hex(run_at(hba, CMD_READ_DMA_EXT, 0, addr).error, ==, ERROR_IDNF);
    if (td_ahci_stop(hba)) {
        check_fault(hba, 0, "[a] error=unc", td_traced(hba->traced, NULL, 1));
        check_fault(hba, 1, "[c] error=idnf", td_traced(hba->traced, NULL, 2));
        td_expect_uint(faults(hba), ==, 2);
    }
    td_ahci_free(hba);
}

static const TdCase cases[] = {
    {
        .name = "keys",
        .title = "of 16 reads these are hit",
        .good = "@",
        .ours = OURS_FAULTS,
        TD_ROWS(selections),
        .run = test_selection,
    },
    {
        .name = "seed",
        .title = "The same seed hits the same commands, another one "
                 "others",
        .clause = "tracedisk-faults(5)",
        .good = "match:seed match:probability",
        .ours = OURS_FAULTS,
        .run = test_seed,
    },
    {
        .name = "sections",
        .title = "The first section that hits is the fault; all of "
                 "them count",
        .clause = "tracedisk-faults(5)",
        .good = "match:nth",
        .ours = OURS_FAULTS,
        .run = test_sections,
    },
};

const TdTopic topic_match = TD_TOPIC("match", cases);
