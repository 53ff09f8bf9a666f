/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ATA suite: what several of its topics need.
 */
#include "suite.h"

bool is_announced(TdAhci *hba, unsigned word, unsigned bit)
{
    uint16_t w[256];

    identify(hba, w);
    if (td_system() != TD_PEER) {
        td_expect_set(w[word], 1 << bit);
    }
    return w[word] & 1 << bit;
}

TdAhci *start_if(unsigned word, unsigned bit, const char *options)
{
    TdAhci *hba = td_ahci_start(options);

    if (!is_announced(hba, word, bit)) {
        g_autofree char *why =
            g_strdup_printf("IDENTIFY DEVICE word %u bit %u is 0: the disk "
                            "does not have it", word, bit);

        g_test_skip(why);
        td_ahci_stop(hba);
        td_ahci_free(hba);
        return NULL;
    }
    return hba;
}

void run_good(TdAhci *hba, RegH2DFIS fis)
{
    td_expect_good(td_ahci_io1(hba, fis, 0, 0), 0);
}

void run_aborted(TdAhci *hba, RegH2DFIS fis, uint32_t bytes)
{
    TdOutcome o = td_ahci_io1(hba, fis, BUFFER, bytes);

    td_expect_uint(o.prdbc, ==, 0);
    td_expect_error(hba, o, ERROR_ABRT);
}

void read_pages(TdAhci *hba, RegH2DFIS fis, void *pages, unsigned n)
{
    td_expect_good(td_ahci_io1(hba, fis, BUFFER, n * 512), n * 512);
    qtest_memread(hba->qts, BUFFER, pages, n * 512);
}

void identify(TdAhci *hba, uint16_t *words)
{
    read_pages(hba, td_fis_plain(CMD_IDENTIFY, 0, 0), words, 1);
    if (((uint8_t *)words)[510] == 0xa5) {
        expect_checksum((uint8_t *)words);
    }
    for (unsigned i = 0; i < 256; i++) {
        words[i] = le16_to_cpu(words[i]);
    }
}

/* The sum of all 512 bytes is 0. */
void expect_checksum(const uint8_t *page)
{
    uint8_t sum = 0;

    for (unsigned i = 0; i < 512; i++) {
        sum += page[i];
    }
    td_expect_hex(sum, ==, 0);
}

uint64_t received_lba(TdAhci *hba)
{
    uint8_t fis[20];

    td_ahci_received(hba, TD_FB_D2H, fis, sizeof(fis));
    return fis[4] | fis[5] << 8 | fis[6] << 16 | (uint64_t)fis[8] << 24 |
           (uint64_t)fis[9] << 32 | (uint64_t)fis[10] << 40;
}

uint16_t received_count(TdAhci *hba)
{
    uint8_t fis[20];

    td_ahci_received(hba, TD_FB_D2H, fis, sizeof(fis));
    return lduw_le_p(fis + 12);
}

void finish(TdAhci *hba)
{
    td_ahci_check_alive(hba);
    td_ahci_stop(hba);
    td_ahci_free(hba);
}

void expect_traced_error(TdAhci *hba, const char *name, uint8_t errors)
{
    const TdTraced *last = NULL;

    for (unsigned i = 0; i < hba->traced->commands->len; i++) {
        const TdTraced *t = g_ptr_array_index(hba->traced->commands, i);

        last = g_str_equal(t->name, name) ? t : last;
    }
    td_expect(last);
    td_expect_uint(last->status, ==, TD_ERROR);
    td_expect_hex(last->ata_error, ==, errors);
    td_expect_uint(last->bytes, ==, 0);
}
