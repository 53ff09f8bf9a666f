/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The AHCI suite: what several of its topics need.
 */
#include "suite.h"

TdAhci *start_with_pattern(const char *options, uint8_t *data)
{
    TdAhci *hba = td_ahci_start(options);

    td_pattern(data, BYTES, 1);
    td_disk_write(hba, 0, data, BYTES);
    return hba;
}

TdOutcome read_to(TdAhci *hba, const TdPrd *list, uint16_t n)
{
    RegH2DFIS fis = td_fis_lba48(CMD_READ_DMA_EXT, 0, SECTORS);

    return td_ahci_io(hba, &fis, list, n);
}

void check_elements(const TdTraced *t, const TdPrd *list, uint16_t n)
{
    td_expect_uint(t->n_elements, ==, n);
    for (unsigned i = 0; i < n; i++) {
        td_expect_hex(t->elements[i].addr, ==, list[i].addr);
        td_expect_hex(t->elements[i].len, ==, list[i].len);
    }
}

void let_time_pass(void)
{
    g_usleep(350 * 1000);
}

void reset_port(TdAhci *hba)
{
    td_px_write(hba, AHCI_PX_SCTL, 0x301);
    td_px_write(hba, AHCI_PX_SCTL, 0x300);
    td_expect_hex(td_px_read(hba, AHCI_PX_SSTS) & 0xf, ==, 3);
}

void fill_all(TdAhci *hba, bool queued, uint64_t base)
{
    for (unsigned slot = 0; slot < TD_AHCI_SLOTS; slot++) {
        RegH2DFIS fis =
            queued ?
                td_fis_ncq(READ_FPDMA_QUEUED, slot * SECTORS, SECTORS, slot) :
                td_fis_lba48(CMD_READ_DMA_EXT, slot * SECTORS, SECTORS);
        TdPrd list = { base + slot * BYTES, BYTES };

        td_ahci_fill(hba, slot, &fis, &list, 1);
    }
    if (queued) {
        td_ahci_ring_queued(hba, ~0u);
    } else {
        td_ahci_ring(hba, ~0u);
    }
}

unsigned count_status(TdAhci *hba, enum td_status status)
{
    unsigned count = 0;

    for (unsigned i = 0; i < hba->traced->commands->len; i++) {
        count += td_traced(hba->traced, NULL, i)->status == status;
    }
    return count;
}
