/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Interrupts, 10.7, and the bits of PxIS that cause them.
 */
#include "suite.h"
#include "hw/pci/pci_regs.h"

#define PX_SERR_DIAG_N 0x00010000       /* libqos has no name for it */

/*
 * Ports without a disk must not have a say in what the line does here; whether
 * they say something is for empty-ports.
 */
static TdAhci *start_alone(void)
{
    TdAhci *hba = td_ahci_start("");

    for (unsigned i = 0; i < 32; i++) {
        if (i != hba->port && ahci_rreg(hba->ahci, AHCI_PI) & 1u << i) {
            ahci_px_wreg(hba->ahci, i, AHCI_PX_IE, 0);
        }
    }
    ahci_wreg(hba->ahci, AHCI_IS, ~0u);
    return hba;
}

/* Nobody sends a FIS to a port without a disk. */
static void test_empty_ports(void)
{
    TdAhci *hba = td_ahci_start("");

    for (unsigned i = 0; i < 32; i++) {
        if (ahci_rreg(hba->ahci, AHCI_PI) & 1u << i &&
            !(ahci_px_rreg(hba->ahci, i, AHCI_PX_SSTS) & 0xf)) {
            td_expect_hex(ahci_px_rreg(hba->ahci, i, AHCI_PX_IS), ==, 0);
        }
    }
    td_ahci_stop(hba);
    td_ahci_free(hba);
}

/* The line follows PxIS, PxIE and GHC.IE; IS stays until cleared [10.7.2]. */
static void test_interrupt_line(void)
{
    TdAhci *hba = start_alone();
    RegH2DFIS fis = td_fis_lba48(CMD_READ_DMA_EXT, 0, SECTORS);
    TdPrd list = { 64 * MiB, BYTES };
    uint16_t status;

    td_ahci_fill(hba, 0, &fis, &list, 1);
    td_ahci_ring(hba, 1);
    td_ahci_wait(hba);
    status = qpci_config_readw(hba->ahci->dev, PCI_STATUS);
    td_expect_set(status, PCI_STATUS_INTERRUPT);
    td_expect_set(ahci_rreg(hba->ahci, AHCI_IS), 1u << hba->port);
    td_px_write(hba, AHCI_PX_IS, ~0u);
    td_expect_set(ahci_rreg(hba->ahci, AHCI_IS), 1u << hba->port);
    ahci_wreg(hba->ahci, AHCI_IS, ~0u);
    status = qpci_config_readw(hba->ahci->dev, PCI_STATUS);
    td_expect_clear(status, PCI_STATUS_INTERRUPT);
    /* Cleared in the wrong order IS is set again at once [5.5.3]. */
    td_ahci_ring(hba, 1);
    td_ahci_wait(hba);
    ahci_wreg(hba->ahci, AHCI_IS, ~0u);
    td_expect_set(ahci_rreg(hba->ahci, AHCI_IS), 1u << hba->port);
    td_ahci_stop(hba);
    td_ahci_free(hba);
}

static bool line_is_up(TdAhci *hba)
{
    return qpci_config_readw(hba->ahci->dev, PCI_STATUS) & PCI_STATUS_INTERRUPT;
}

/* Neither PxIE alone nor GHC.IE alone raises the line. */
static void test_masked(void)
{
    TdAhci *hba = start_alone();

    td_px_write(hba, AHCI_PX_IE, 0);
    td_ahci_check_alive(hba);
    td_expect_clear(ahci_rreg(hba->ahci, AHCI_IS), 1u << hba->port);
    td_expect(!line_is_up(hba));

    ahci_wreg(hba->ahci, AHCI_GHC, AHCI_GHC_AE);
    td_px_write(hba, AHCI_PX_IE, AHCI_PX_IE_DHRE);
    td_ahci_check_alive(hba);
    td_expect_set(ahci_rreg(hba->ahci, AHCI_IS), 1u << hba->port);
    td_expect(!line_is_up(hba));
    ahci_wreg(hba->ahci, AHCI_GHC, AHCI_GHC_AE | AHCI_GHC_IE);
    td_expect(line_is_up(hba));
    td_ahci_stop(hba);
    td_ahci_free(hba);
}

typedef struct KindCase {
    RegH2DFIS (*fis)(void);
    uint32_t bytes, is;
} KindCase;

static RegH2DFIS queued_read(void)
{
    return td_fis_ncq(READ_FPDMA_QUEUED, 0, 1, 0);
}

static RegH2DFIS identify(void)
{
    return td_fis_plain(CMD_IDENTIFY, 0, 0);
}

static RegH2DFIS nonsense(void)
{
    return td_fis_plain(0xff, 0, 0);
}

static const KindCase kind_sdbs = { queued_read, 512, AHCI_PX_IS_SDBS };
static const KindCase kind_pss = { identify, 512, AHCI_PX_IS_PSS };
static const KindCase kind_tfes = { nonsense, 0, AHCI_PX_IS_TFES };

/* The bit is set by what sets it, and raises the line if enabled alone. */
static void test_kind(void)
{
    const KindCase *c = td_case()->data;
    TdAhci *hba = start_alone();
    RegH2DFIS fis = c->fis();
    TdPrd list = { 64 * MiB, 512 };

    td_px_write(hba, AHCI_PX_IE, c->is);
    td_ahci_fill(hba, 0, &fis, &list, c->bytes ? 1 : 0);
    if (td_fis_is_queued(&fis)) {
        td_ahci_ring_queued(hba, 1);
    } else {
        td_ahci_ring(hba, 1);
    }
    td_expect_set(td_ahci_wait(hba).is, c->is);
    td_expect(line_is_up(hba));
    td_px_write(hba, AHCI_PX_IS, ~0u);
    ahci_wreg(hba->ahci, AHCI_IS, ~0u);
    td_expect(!line_is_up(hba));
    td_ahci_stop(hba);
    td_ahci_free(hba);
}

/*
 * By the state machine a FIS with ERR sets TFES alone (AHCI 1.3.1 5.3), by the
 * definition of the bits it sets its own, too (3.3.5). SeaBIOS 1.16 waits for
 * DHRS alone.
 */
static void test_error_beside(void)
{
    for (unsigned strict = 0; strict < 2; strict++) {
        TdAhci *hba = td_ahci_start(strict ? ",strict=on" : "");
        RegH2DFIS queued = td_fis_ncq(READ_FPDMA_QUEUED, TD_BLOCKS, 1, 0);

        td_expect_hex(td_ahci_io1(hba, nonsense(), 64 * MiB, 512).is, ==,
                      AHCI_PX_IS_TFES | AHCI_PX_IS_DHRS);
        td_ahci_recover(hba);
        td_expect_hex(td_ahci_io1(hba, queued, 64 * MiB, 512).is, ==,
                      AHCI_PX_IS_TFES | AHCI_PX_IS_SDBS);
        td_ahci_recover(hba);
        td_ahci_stop(hba);
        td_ahci_free(hba);
    }
}

/* A PIO command that is refused sends no data, and no PSS. */
static void test_no_pio(void)
{
    TdAhci *hba = td_ahci_start("");
    TdOutcome o = td_ahci_io1(hba, td_fis_lba48(CMD_READ_PIO_EXT, TD_BLOCKS, 1),
                              64 * MiB, 512);

    td_expect_clear(o.is, AHCI_PX_IS_PSS);
    td_expect_failed(hba, o, ERROR_NO_BLOCK);
    td_ahci_stop(hba);
    td_ahci_free(hba);
}

/* A plan that lets the link go when the first command comes, and come back */
static char *plan_of_lost_link(void)
{
    g_autoptr(GError) error = NULL;
    char *path = NULL;
    int fd = g_file_open_tmp("tracedisk-XXXXXX.faults", &path, &error);

    g_assert_no_error(error);
    close(fd);
    g_assert_true(g_file_set_contents(path, "[link]\nnth=1\nlink=reset\n", -1,
                                      NULL));
    return path;
}

/* PhyRdy was lost: PxIS.PRCS is PxSERR.DIAG.N, and is cleared there [3.3.5]. */
static void test_phy_ready(void)
{
    g_autofree char *plan = plan_of_lost_link();
    g_autofree char *options = g_strdup_printf(",faults=%s", plan);
    TdAhci *hba = td_ahci_start(options);
    RegH2DFIS fis = td_fis_lba48(CMD_READ_DMA_EXT, 0, SECTORS);
    TdPrd list = { 64 * MiB, BYTES };

    td_px_write(hba, AHCI_PX_IE, AHCI_PX_IS_PRCS);
    td_expect_clear(td_px_read(hba, AHCI_PX_IS), AHCI_PX_IS_PRCS);
    td_ahci_fill(hba, 0, &fis, &list, 1);
    td_ahci_ring(hba, 1);
    for (unsigned i = 0; !line_is_up(hba); i++) {
        td_expect_uint(i, <, 100000);
        g_usleep(100);
    }
    td_expect_set(td_px_read(hba, AHCI_PX_IS), AHCI_PX_IS_PRCS);
    td_expect_set(td_px_read(hba, AHCI_PX_SERR), PX_SERR_DIAG_N);
    /* Not by writing PxIS, nor by another bit of PxSERR */
    td_px_write(hba, AHCI_PX_IS, ~0u);
    td_px_write(hba, AHCI_PX_SERR, ~(uint32_t)PX_SERR_DIAG_N);
    td_expect_set(td_px_read(hba, AHCI_PX_IS), AHCI_PX_IS_PRCS);
    td_px_write(hba, AHCI_PX_SERR, PX_SERR_DIAG_N);
    td_expect_clear(td_px_read(hba, AHCI_PX_IS), AHCI_PX_IS_PRCS);
    td_ahci_recover(hba);
    td_ahci_check_alive(hba);
    td_ahci_stop(hba);
    td_ahci_free(hba);
    unlink(plan);
}

static const TdCase cases[] = {
    {
        .name = "line",
        .title = "The line follows IS and GHC.IE; IS is set again while PxIS "
                 "is",
        .clause = "AHCI 1.3.1 10.7.2",
        .good = "register:IS interrupt:DHRS",
        .bad = "register:IS",
        .run = test_interrupt_line,
    },
    {
        .name = "empty-ports",
        .title = "A port without a disk has nothing to tell",
        .clause = "AHCI 1.3.1 3.3.5",
        .good = "register:PxIS",
        .run = test_empty_ports,
    },
    {
        .name = "masked",
        .title = "PxIE keeps an interrupt from IS, GHC.IE from the line",
        .clause = "AHCI 1.3.1 10.7.1",
        .good = "register:PxIE register:GHC",
        .bad = "interrupt:DHRS",
        .run = test_masked,
    },
    {
        .name = "queued",
        .title = "PxIS.SDBS comes with a queued command's end",
        .clause = "AHCI 1.3.1 3.3.5",
        .good = "interrupt:SDBS",
        .run = test_kind,
        .data = &kind_sdbs,
    },
    {
        .name = "pio/data",
        .title = "PxIS.PSS comes with PIO data",
        .clause = "AHCI 1.3.1 3.3.5",
        .good = "interrupt:PSS",
        .run = test_kind,
        .data = &kind_pss,
    },
    {
        .name = "pio/refused",
        .title = "PxIS.PSS does not come when there is no data",
        .clause = "AHCI 1.3.1 3.3.5",
        .bad = "interrupt:PSS",
        .run = test_no_pio,
    },
    {
        .name = "error",
        .title = "PxIS.TFES comes with a command that fails",
        .clause = "AHCI 1.3.1 6.1.8",
        .good = "error:PxIS.TFES",
        .bad = "error:PxIS.TFES",
        .run = test_kind,
        .data = &kind_tfes,
    },
    {
        .name = "error-beside",
        .title = "PxIS.DHRS, or SDBS, comes beside TFES, with strict=on too",
        .clause = "AHCI 1.3.1 3.3.5",
        .bad = "error:PxIS.TFES interrupt:DHRS interrupt:SDBS",
        .ours = "the state machine of 5.3 sets TFES alone",
        .run = test_error_beside,
    },
    {
        .name = "phy-ready",
        .title = "PxIS.PRCS tells that PhyRdy was lost, and is cleared through "
                 "PxSERR.DIAG.N",
        .clause = "AHCI 1.3.1 3.3.5",
        .good = "interrupt:PRCS error:PxSERR.DIAG.N",
        .bad = "interrupt:PRCS",
        .ours = "faults=, to lose the link",
        .run = test_phy_ready,
    },
};

const TdTopic topic_interrupts = TD_TOPIC("interrupts", cases);
