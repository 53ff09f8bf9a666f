/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The faults suite: a disk with a plan, and what several of its topics need.
 */
#include "suite.h"

/* One after the other has its plan here. */
static char *plan_path;

const char *write_plan(const char *plan)
{
    if (!plan_path) {
        int fd = g_file_open_tmp("tracedisk-XXXXXX.faults", &plan_path, NULL);

        td_expect_uint(fd, >=, 0);
        close(fd);
    }
    td_expect(g_file_set_contents(plan_path, plan, -1, NULL));
    return plan_path;
}

TdAhci *start(const char *plan)
{
    g_autofree char *options =
        g_strdup_printf(",registers=on,faults=%s", write_plan(plan));

    return td_ahci_start(options);
}

TdOutcome run(TdAhci *hba, const RegH2DFIS *fis, uint64_t addr)
{
    return td_ahci_io1(hba, *fis, addr, BYTES);
}

TdOutcome run_at(TdAhci *hba, uint8_t command, uint64_t lba, uint64_t addr)
{
    RegH2DFIS fis = td_fis_lba48(command, lba, SECTORS);

    return run(hba, &fis, addr);
}

bool has_failed(TdOutcome o)
{
    return o.is & AHCI_PX_IS_TFES;
}

void check_fault(TdAhci *hba, unsigned n, const char *text,
                 const TdTraced *command)
{
    for (unsigned i = 0; i < hba->traced->events->len; i++) {
        const TdTracedEvent *e = g_ptr_array_index(hba->traced->events, i);

        if (e->type == TD_EVENT_FAULT && n-- == 0) {
            td_expect_str(e->text, text);
            td_expect_uint(e->ref, ==, command->seq);
            td_expect_uint(e->seq, <, command->complete_seq);
            return;
        }
    }
    td_fail("the trace has the fault", "there is no %s", text);
}

unsigned faults(TdAhci *hba)
{
    return td_traced_events(hba->traced, TD_EVENT_FAULT, "");
}

void fill_queued(TdAhci *hba, unsigned tag, uint64_t addr)
{
    RegH2DFIS fis = td_fis_ncq(READ_FPDMA_QUEUED, tag * SECTORS, SECTORS, tag);
    TdPrd list = { addr, BYTES };

    td_ahci_fill(hba, tag, &fis, &list, 1);
}

void wait_for_sact(TdAhci *hba, uint32_t sact)
{
    for (unsigned i = 0; td_px_read(hba, AHCI_PX_SACT) != sact; i++) {
        td_expect_uint(i, <, 100000);
        g_usleep(100);
    }
}

void forget_plan(void)
{
    if (plan_path) {
        unlink(plan_path);
        g_free(plan_path);
    }
}
