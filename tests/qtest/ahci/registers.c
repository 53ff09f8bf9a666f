/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Generic host control, 3.1: the registers of the HBA.
 */
#include "suite.h"

/* Nothing that is written to a read-only register has an effect. */
static void check_read_only(TdAhci *hba, unsigned reg)
{
    uint32_t before = ahci_rreg(hba->ahci, reg);

    ahci_wreg(hba->ahci, reg, ~before);
    td_expect_hex(ahci_rreg(hba->ahci, reg), ==, before);
    ahci_wreg(hba->ahci, reg, 0);
    td_expect_hex(ahci_rreg(hba->ahci, reg), ==, before);
}

static void test_capabilities(void)
{
    TdAhci *hba = td_ahci_start("");
    uint32_t cap = ahci_rreg(hba->ahci, AHCI_CAP);
    uint32_t pi = ahci_rreg(hba->ahci, AHCI_PI);

    td_expect_set(cap, AHCI_CAP_S64A | AHCI_CAP_SNCQ);
    /* A slot each for 32 queued commands. */
    td_expect_uint((cap & AHCI_CAP_NCS) >> ctz32(AHCI_CAP_NCS), ==, 31);
    /* No more ports are implemented than there can be. */
    td_expect_uint(ctpop32(pi), <=, (cap & AHCI_CAP_NP) + 1);
    /* What is not there is not claimed: its registers read 0. */
    td_expect_clear(cap, AHCI_CAP_SXS | AHCI_CAP_EMS | AHCI_CAP_CCCS |
                             AHCI_CAP_SPM | AHCI_CAP_SSNTF);
    td_ahci_stop(hba);
    td_ahci_free(hba);
}

static void test_version(void)
{
    static const uint32_t versions[] = {
        0x00000905, 0x00010000, 0x00010100, 0x00010200, 0x00010300, 0x00010301,
    };
    TdAhci *hba = td_ahci_start("");
    uint32_t vs = ahci_rreg(hba->ahci, AHCI_VS);
    bool known = false;

    for (unsigned i = 0; i < ARRAY_SIZE(versions); i++) {
        known |= vs == versions[i];
    }
    if (!known) {
        td_fail("VS is a version of AHCI", "0x%08x", vs);
    }
    td_ahci_stop(hba);
    td_ahci_free(hba);
}

static void test_read_only(void)
{
    static const unsigned registers[] = {
        AHCI_CAP,   AHCI_PI,    AHCI_VS,   AHCI_CCCPORTS,
        AHCI_EMLOC, AHCI_EMCTL, AHCI_CAP2,
    };
    TdAhci *hba = td_ahci_start("");

    for (unsigned i = 0; i < ARRAY_SIZE(registers); i++) {
        check_read_only(hba, registers[i]);
    }
    td_ahci_check_alive(hba);
    td_ahci_stop(hba);
    td_ahci_free(hba);
}

static void test_not_implemented(void)
{
    static const unsigned registers[] = {
        AHCI_CCCCTL, AHCI_CCCPORTS, AHCI_EMLOC,
        AHCI_EMCTL,  AHCI_CAP2,     AHCI_BOHC,
    };
    TdAhci *hba = td_ahci_start("");

    for (unsigned i = 0; i < ARRAY_SIZE(registers); i++) {
        td_expect_hex(ahci_rreg(hba->ahci, registers[i]), ==, 0);
        ahci_wreg(hba->ahci, registers[i], ~0u);
        td_expect_hex(ahci_rreg(hba->ahci, registers[i]), ==, 0);
    }
    td_ahci_check_alive(hba);
    td_ahci_stop(hba);
    td_ahci_free(hba);
}

static void test_control(void)
{
    TdAhci *hba = td_ahci_start("");
    AHCIQState *ahci = hba->ahci;

    ahci_wreg(ahci, AHCI_GHC, AHCI_GHC_AE);
    td_expect_hex(ahci_rreg(ahci, AHCI_GHC), ==, AHCI_GHC_AE);
    ahci_wreg(ahci, AHCI_GHC, AHCI_GHC_AE | AHCI_GHC_IE);
    td_expect_hex(ahci_rreg(ahci, AHCI_GHC), ==, AHCI_GHC_AE | AHCI_GHC_IE);
    td_ahci_stop(hba);
    td_ahci_free(hba);
}

/* CAP.SAM is set: AE cannot be cleared [3.1.2]; reserved bits read 0. */
static void test_control_bad(void)
{
    TdAhci *hba = td_ahci_start("");
    AHCIQState *ahci = hba->ahci;

    ahci_wreg(ahci, AHCI_GHC, ~(uint32_t)AHCI_GHC_HR);
    td_expect_clear(ahci_rreg(ahci, AHCI_GHC), AHCI_GHC_MRSM | 0x7ffffff8);
    if (ahci_rreg(ahci, AHCI_CAP) & AHCI_CAP_SAM) {
        ahci_wreg(ahci, AHCI_GHC, 0);
        td_expect_set(ahci_rreg(ahci, AHCI_GHC), AHCI_GHC_AE);
    }
    ahci_wreg(ahci, AHCI_GHC, AHCI_GHC_AE | AHCI_GHC_IE);
    td_ahci_check_alive(hba);
    td_ahci_stop(hba);
    td_ahci_free(hba);
}

static void test_reset_completes(void)
{
    TdAhci *hba = td_ahci_start("");
    AHCIQState *ahci = hba->ahci;
    uint32_t clb = td_px_read(hba, AHCI_PX_CLB);
    uint32_t fb = td_px_read(hba, AHCI_PX_FB);

    ahci_wreg(ahci, AHCI_GHC, AHCI_GHC_HR);
    td_expect_clear(ahci_rreg(ahci, AHCI_GHC), AHCI_GHC_HR | AHCI_GHC_IE);
    td_expect_hex(ahci_rreg(ahci, AHCI_IS), ==, 0);
    td_expect_hex(td_px_read(hba, AHCI_PX_IE), ==, 0);
    td_expect_clear(td_px_read(hba, AHCI_PX_CMD),
                    AHCI_PX_CMD_ST | AHCI_PX_CMD_CR | AHCI_PX_CMD_FRE |
                        AHCI_PX_CMD_FR);
    td_expect_hex(td_px_read(hba, AHCI_PX_CI), ==, 0);
    td_expect_hex(td_px_read(hba, AHCI_PX_CLB), ==, clb);
    td_expect_hex(td_px_read(hba, AHCI_PX_FB), ==, fb);
    td_ahci_stop(hba);
    td_ahci_free(hba);
}

/* Registers are dwords [3]; other accesses have a result all the same. */
static void test_register_sizes(void)
{
    TdAhci *hba = td_ahci_start(",registers=on");
    AHCIQState *ahci = hba->ahci;
    size_t px = 0x100 + 0x80 * hba->port;
    uint32_t cap = ahci_rreg(ahci, AHCI_CAP);
    uint32_t pi = ahci_rreg(ahci, AHCI_PI);
    uint32_t ie = td_px_read(hba, AHCI_PX_IE);

    for (int i = 0; i < 4; i++) {
        td_expect_hex(qpci_io_readb(ahci->dev, ahci->hba_bar, i), ==,
                      (uint8_t)(cap >> i * 8));
    }
    td_expect_hex(qpci_io_readw(ahci->dev, ahci->hba_bar, 2), ==, cap >> 16);
    td_expect_hex(qpci_io_readq(ahci->dev, ahci->hba_bar, 8), ==,
                  (uint64_t)pi << 32 | ahci_rreg(ahci, AHCI_IS));
    /* Narrow writes have no effect; a wide one is two. */
    qpci_io_writeb(ahci->dev, ahci->hba_bar, px + 0x14, 0);
    qpci_io_writew(ahci->dev, ahci->hba_bar, px + 0x16, 0);
    td_expect_hex(td_px_read(hba, AHCI_PX_IE), ==, ie);
    qpci_io_writeq(ahci->dev, ahci->hba_bar, px + 0x10, 0);
    td_expect_hex(td_px_read(hba, AHCI_PX_IE), ==, 0);
    /* Where no register is, nothing is. */
    td_expect_hex(qpci_io_readl(ahci->dev, ahci->hba_bar, 0x1ffc), ==, 0);
    qpci_io_writel(ahci->dev, ahci->hba_bar, 0x1ffc, ~0u);
    td_ahci_check_alive(hba);
    if (td_ahci_stop(hba)) {
        td_expect_uint(
            td_traced_events(hba->traced, TD_EVENT_GUEST_ERROR, "byte write"),
            ==, 2);
        td_expect_uint(
            td_traced_events(hba->traced, TD_EVENT_REGISTER_WRITE, ""), >, 5);
        td_expect_uint(
            td_traced_events(hba->traced, TD_EVENT_REGISTER_READ, ""), >, 5);
    }
    td_ahci_free(hba);
}

/* IS: a 1 clears, a 0 does not, and a port without interrupt stays clear. */
static void test_interrupt_status(void)
{
    TdAhci *hba = td_ahci_start("");
    AHCIQState *ahci = hba->ahci;
    uint32_t bit = 1u << hba->port;

    td_px_write(hba, AHCI_PX_IE, AHCI_PX_IE_DHRE);
    td_ahci_io1(hba, td_fis_plain(CMD_FLUSH_CACHE, 0, 0), 0, 0);
    td_expect_hex(ahci_rreg(ahci, AHCI_IS) & bit, ==, bit);
    ahci_wreg(ahci, AHCI_IS, ~bit);
    td_expect_hex(ahci_rreg(ahci, AHCI_IS) & bit, ==, bit);
    ahci_wreg(ahci, AHCI_IS, ~0u);
    td_expect_hex(ahci_rreg(ahci, AHCI_IS) & bit, ==, 0);
    td_ahci_stop(hba);
    td_ahci_free(hba);
}

static const TdCase cases[] = {
    {
        .name = "capabilities",
        .title = "CAP claims 64-bit addresses, NCQ and 32 slots, and nothing "
                 "that is not there",
        .clause = "AHCI 1.3.1 3.1.1",
        .good = "register:CAP register:PI",
        .run = test_capabilities,
    },
    {
        .name = "version",
        .title = "VS is a version of AHCI",
        .clause = "AHCI 1.3.1 3.1.5",
        .good = "register:VS",
        .run = test_version,
    },
    {
        .name = "read-only",
        .title = "Writes to read-only registers have no effect",
        .clause = "AHCI 1.3.1 3.1",
        .bad = "register:CAP register:PI register:VS register:CCC_PORTS "
               "register:EM_LOC register:EM_CTL register:CAP2",
        .run = test_read_only,
    },
    {
        .name = "not-implemented",
        .title = "Registers of what CAP does not claim read 0, whatever is "
                 "written",
        .clause = "AHCI 1.3.1 3.1.6",
        .good = "register:CCC_CTL register:CCC_PORTS register:EM_LOC "
                "register:EM_CTL register:CAP2 register:BOHC",
        .bad = "register:CCC_CTL register:BOHC",
        .run = test_not_implemented,
    },
    {
        .name = "control/kept",
        .title = "GHC.IE is set and cleared",
        .clause = "AHCI 1.3.1 3.1.2",
        .good = "register:GHC",
        .run = test_control,
    },
    {
        .name = "control/reserved",
        .title = "GHC's reserved bits read 0, and AE stays set while CAP.SAM "
                 "is",
        .clause = "AHCI 1.3.1 3.1.2",
        .bad = "register:GHC",
        .run = test_control_bad,
    },
    {
        .name = "control/reset",
        .title = "GHC.HR clears itself and resets all but PxCLB and PxFB",
        .clause = "AHCI 1.3.1 10.4.3",
        .good = "register:GHC reset:HR",
        .run = test_reset_completes,
    },
    {
        .name = "interrupt-status",
        .title = "IS has a bit for each port, cleared by writing 1 only",
        .clause = "AHCI 1.3.1 3.1.3",
        .good = "register:IS",
        .bad = "register:IS",
        .run = test_interrupt_status,
    },
    {
        .name = "sizes",
        .title = "Bytes and words are read; narrow writes are ignored, and "
                 "the trace tells of them",
        .clause = "AHCI 1.3.1 3",
        .bad = "register:PxIE",
        .ours = OURS_REGISTERS,
        .run = test_register_sizes,
    },
};

const TdTopic topic_registers = TD_TOPIC("registers", cases);
