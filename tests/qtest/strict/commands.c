/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands that a disk on metal does not take
 */
#include "suite.h"

/* A FIS of another length than five dwords does not arrive [4.2.2]. */
static void test_fis_length(bool strict)
{
    TdAhci *hba = start(strict, "");
    RegH2DFIS fis = td_fis_lba48(CMD_READ_DMA_EXT, 0, SECTORS);
    TdPrd list = { ahci_alloc(hba->ahci, BYTES), BYTES };
    AHCICommandHeader header = {
        .flags = 4,
        .prdtl = 1,
        .ctba = hba->table[0],
    };
    TdOutcome o;

    td_ahci_fill(hba, 0, &fis, &list, 1);
    ahci_set_command_header(hba->ahci, hba->port, 0, &header);
    td_ahci_ring(hba, 1);
    o = td_ahci_wait(hba);
    td_expect_hex(o.is & AHCI_PX_IS_IFS, ==,
                  strict ? AHCI_PX_IS_IFS : 0);
    td_ahci_recover(hba);
    td_ahci_check_alive(hba);
    finish(hba, strict, "FIS of CFL 4 dwords");
}

/* Reserved fields of a 28-bit command, ACS-3 7.1.3 */
static void test_reserved_count(bool strict)
{
    TdAhci *hba = start(strict, "");
    RegH2DFIS fis = td_fis_lba28(CMD_READ_DMA, 0, SECTORS);
    TdPrd list = { ahci_alloc(hba->ahci, BYTES), BYTES };
    TdOutcome o;

    fis.count = cpu_to_le16(0x100 | SECTORS);
    o = td_ahci_io(hba, &fis, &list, 1);
    td_expect_hex(o.error, ==, strict ? ERROR_ABRT : 0);
    td_expect_uint(o.prdbc, ==, strict ? 0 : BYTES);
    td_ahci_recover(hba);
    fis.count = cpu_to_le16(SECTORS);
    td_expect_hex(td_ahci_io(hba, &fis, &list, 1).error, ==, 0);
    finish(hba, false, NULL);
}

/* A command that is not queued ends the queued ones, ACS-3 4.14.1. */
static void test_mixed(bool strict)
{
    TdAhci *hba = start(strict, SLOW);
    RegH2DFIS queued = td_fis_ncq(READ_FPDMA_QUEUED, 0, SECTORS, 1);
    RegH2DFIS plain = td_fis_lba48(CMD_READ_DMA_EXT, 0, SECTORS);
    TdPrd list = { ahci_alloc(hba->ahci, BYTES), BYTES };

    td_ahci_io(hba, &plain, &list, 1); /* the first one goes */
    td_ahci_fill(hba, 1, &queued, &list, 1);
    td_ahci_fill(hba, 2, &plain, &list, 1);
    td_ahci_ring_queued(hba, 1 << 1);
    check_bits(hba, AHCI_PX_SACT, 1 << 1, true);
    td_ahci_ring(hba, 1 << 2);
    check_bits(hba, AHCI_PX_IS, AHCI_PX_IS_TFES, strict);
    check_bits(hba, AHCI_PX_SACT, 1 << 1, true);
    check_bits(hba, AHCI_PX_CI, 1 << 2, true);
    td_ahci_recover(hba);
    if (td_ahci_stop(hba)) {
        td_expect_guest_error(hba->traced,
                              "queued and other commands are mixed");
        td_expect_uint(td_traced(hba->traced, "READ FPDMA QUEUED", 0)->status,
                       ==, TD_ABORTED);
        if (strict) {
            td_expect_hex(td_traced(hba->traced, "READ DMA EXT", 1)->ata_error,
                          ==, ERROR_ABRT);
        }
    }
    td_ahci_free(hba);
}

/* No register FIS follows the data of a good PIO command (SATA 3.x 11.7). */
static void test_pio_end(bool strict)
{
    TdAhci *hba = start(strict, "");
    TdOutcome o = td_ahci_io1(hba, td_fis_plain(CMD_IDENTIFY, 0, 0),
                              ahci_alloc(hba->ahci, 512), 512);

    td_expect_good(o, 512);
    td_expect_set(o.is, AHCI_PX_IS_PSS);
    td_expect_hex(o.is & AHCI_PX_IS_DHRS, ==, strict ? 0 : AHCI_PX_IS_DHRS);
    td_ahci_check_alive(hba);
    finish(hba, strict, NULL);
}

static const Rule rules[] = {
    STRICT("fis-length", "A FIS of CFL 4",
           "AHCI 1.3.1 4.2.2", test_fis_length),
    STRICT("reserved-count", "Reserved bits of a 28-bit command",
           "ACS-3 7.1.3", test_reserved_count),
    STRICT("mixed", "Queued and other commands at once",
           "ACS-3 4.14.1", test_mixed),
    STRICT("pio-end", "The end of a good PIO data-in command",
           "SATA 3.x 11.7", test_pio_end),
};

static const TdCase cases[] = STRICT_CASES(rules);

const TdTopic topic_commands = TD_TOPIC("commands", cases);
