/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Port registers, 3.3.
 */
#include "suite.h"

#define PX_DEVSLP 17 /* libqos has no name for it */

static void stop_port(TdAhci *hba)
{
    uint32_t cmd = td_px_read(hba, AHCI_PX_CMD);

    td_px_write(hba, AHCI_PX_CMD, cmd & ~AHCI_PX_CMD_ST);
    td_px_write(hba, AHCI_PX_CMD, cmd & ~(AHCI_PX_CMD_ST | AHCI_PX_CMD_FRE));
    td_expect_clear(td_px_read(hba, AHCI_PX_CMD),
                    AHCI_PX_CMD_CR | AHCI_PX_CMD_FR);
}

static void start_port(TdAhci *hba)
{
    uint32_t cmd = td_px_read(hba, AHCI_PX_CMD);

    td_px_write(hba, AHCI_PX_CMD, cmd | AHCI_PX_CMD_FRE);
    td_px_write(hba, AHCI_PX_CMD, cmd | AHCI_PX_CMD_FRE | AHCI_PX_CMD_ST);
}

static void end(TdAhci *hba)
{
    td_ahci_check_alive(hba);
    td_ahci_stop(hba);
    td_ahci_free(hba);
}

/* ---- PxCLB, PxFB and their upper halves -------------------------------- */

static void test_bases(void)
{
    static const struct {
        unsigned low, high;
        uint32_t writable;
    } bases[] = {
        { AHCI_PX_CLB, AHCI_PX_CLBU, 0xfffffc00 },
        { AHCI_PX_FB, AHCI_PX_FBU, 0xffffff00 },
    };
    TdAhci *hba = td_ahci_start("");

    stop_port(hba);
    for (unsigned i = 0; i < ARRAY_SIZE(bases); i++) {
        uint32_t low = td_px_read(hba, bases[i].low);

        td_px_write(hba, bases[i].low, 0x12345400);
        td_px_write(hba, bases[i].high, 0x89abcdef);
        td_expect_hex(td_px_read(hba, bases[i].low), ==, 0x12345400);
        td_expect_hex(td_px_read(hba, bases[i].high), ==, 0x89abcdef);
        td_px_write(hba, bases[i].low, low);
        td_px_write(hba, bases[i].high, 0);
    }
    start_port(hba);
    end(hba);
}

static void test_bases_unaligned(void)
{
    TdAhci *hba = td_ahci_start("");
    uint32_t clb = td_px_read(hba, AHCI_PX_CLB);
    uint32_t fb = td_px_read(hba, AHCI_PX_FB);

    stop_port(hba);
    td_px_write(hba, AHCI_PX_CLB, ~0u);
    td_expect_hex(td_px_read(hba, AHCI_PX_CLB), ==, 0xfffffc00);
    td_px_write(hba, AHCI_PX_FB, ~0u);
    td_expect_hex(td_px_read(hba, AHCI_PX_FB), ==, 0xffffff00);
    td_px_write(hba, AHCI_PX_CLB, clb);
    td_px_write(hba, AHCI_PX_FB, fb);
    start_port(hba);
    end(hba);
}

/* Above 4 GiB, where no memory is: an error, and not low memory. */
static void test_upper_half_counts(void)
{
    TdAhci *hba = td_ahci_start("");

    stop_port(hba);
    td_px_write(hba, AHCI_PX_CLBU, 0x80);
    td_px_write(hba, AHCI_PX_FBU, 0x80);
    start_port(hba);
    td_ahci_ring(hba, 1);
    td_expect_set(td_ahci_wait(hba).is, AHCI_PX_IS_HBFS);
    stop_port(hba);
    td_px_write(hba, AHCI_PX_CLBU, 0);
    td_px_write(hba, AHCI_PX_FBU, 0);
    start_port(hba);
    td_ahci_recover(hba);
    end(hba);
}

/* ---- PxIS, PxIE, PxSERR ------------------------------------------------ */

static void test_status(void)
{
    TdAhci *hba = td_ahci_start("");
    RegH2DFIS flush = td_fis_plain(CMD_FLUSH_CACHE, 0, 0);
    uint32_t is;

    td_ahci_fill(hba, 0, &flush, NULL, 0);
    td_ahci_ring(hba, 1);
    is = td_ahci_wait(hba).is;
    td_expect_set(is, AHCI_PX_IS_DHRS);
    td_px_write(hba, AHCI_PX_IS, AHCI_PX_IS_DHRS);
    td_expect_clear(td_px_read(hba, AHCI_PX_IS), AHCI_PX_IS_DHRS);
    end(hba);
}

/* A 0 clears nothing; what PxSERR has to clear, PxIS does not [3.3.5]. */
static void test_status_bad(void)
{
    TdAhci *hba = td_ahci_start("");
    RegH2DFIS flush = td_fis_plain(CMD_FLUSH_CACHE, 0, 0);

    td_ahci_fill(hba, 0, &flush, NULL, 0);
    td_ahci_ring(hba, 1);
    td_ahci_wait(hba);
    td_px_write(hba, AHCI_PX_IS, ~(uint32_t)AHCI_PX_IS_DHRS);
    td_expect_set(td_px_read(hba, AHCI_PX_IS), AHCI_PX_IS_DHRS);
    td_px_write(hba, AHCI_PX_CMD,
                td_px_read(hba, AHCI_PX_CMD) & ~AHCI_PX_CMD_ST);
    reset_port(hba);
    td_expect_set(td_px_read(hba, AHCI_PX_IS), AHCI_PX_IS_PCS);
    td_px_write(hba, AHCI_PX_IS, ~0u);
    td_expect_set(td_px_read(hba, AHCI_PX_IS), AHCI_PX_IS_PCS);
    td_px_write(hba, AHCI_PX_SERR, ~0u);
    td_expect_clear(td_px_read(hba, AHCI_PX_IS), AHCI_PX_IS_PCS);
    td_ahci_recover(hba);
    end(hba);
}

static void test_serror(void)
{
    TdAhci *hba = td_ahci_start("");

    td_px_write(hba, AHCI_PX_CMD,
                td_px_read(hba, AHCI_PX_CMD) & ~AHCI_PX_CMD_ST);
    reset_port(hba);
    td_expect_set(td_px_read(hba, AHCI_PX_SERR), AHCI_PX_SERR_DIAG_X);
    /* A 0 clears nothing. */
    td_px_write(hba, AHCI_PX_SERR, ~(uint32_t)AHCI_PX_SERR_DIAG_X);
    td_expect_set(td_px_read(hba, AHCI_PX_SERR), AHCI_PX_SERR_DIAG_X);
    td_px_write(hba, AHCI_PX_SERR, AHCI_PX_SERR_DIAG_X);
    td_expect_hex(td_px_read(hba, AHCI_PX_SERR), ==, 0);
    td_ahci_recover(hba);
    end(hba);
}

static void test_enable(void)
{
    TdAhci *hba = td_ahci_start("");

    td_px_write(hba, AHCI_PX_IE, AHCI_PX_IE_DHRE | AHCI_PX_IE_TFEE);
    td_expect_hex(td_px_read(hba, AHCI_PX_IE), ==,
                  AHCI_PX_IE_DHRE | AHCI_PX_IE_TFEE);
    td_px_write(hba, AHCI_PX_IE, 0);
    td_expect_hex(td_px_read(hba, AHCI_PX_IE), ==, 0);
    end(hba);
}

static void test_enable_reserved(void)
{
    TdAhci *hba = td_ahci_start("");

    td_px_write(hba, AHCI_PX_IE, ~0u);
    td_expect_clear(td_px_read(hba, AHCI_PX_IE), AHCI_PX_IE_RESERVED);
    end(hba);
}

/* ---- PxCMD ------------------------------------------------------------- */

static void test_start_stop(void)
{
    TdAhci *hba = td_ahci_start("");

    td_expect_set(td_px_read(hba, AHCI_PX_CMD),
                  AHCI_PX_CMD_ST | AHCI_PX_CMD_CR | AHCI_PX_CMD_FRE |
                      AHCI_PX_CMD_FR);
    stop_port(hba);
    start_port(hba);
    td_expect_set(td_px_read(hba, AHCI_PX_CMD),
                  AHCI_PX_CMD_CR | AHCI_PX_CMD_FR);
    end(hba);
}

/* CR, FR and CCS are the HBA's; CLO clears itself [3.3.7]. */
static void test_command_read_only(void)
{
    TdAhci *hba = td_ahci_start("");
    uint32_t own = AHCI_PX_CMD_CCS | AHCI_PX_CMD_FR | AHCI_PX_CMD_CR |
                   AHCI_PX_CMD_RESERVED;

    stop_port(hba);
    td_px_write(hba, AHCI_PX_CMD, own | AHCI_PX_CMD_CLO);
    td_expect_clear(td_px_read(hba, AHCI_PX_CMD), own | AHCI_PX_CMD_CLO);
    start_port(hba);
    end(hba);
}

/* CCS names the slot of the command that runs [3.3.7]. */
static void test_current_slot(void)
{
    TdAhci *hba = td_ahci_start_with(VERY_SLOW, "");
    RegH2DFIS fis = td_fis_lba48(CMD_READ_DMA_EXT, 0, SECTORS);
    TdPrd list = { 64 * MiB, BYTES };

    td_ahci_fill(hba, 0, &fis, &list, 1);
    td_ahci_fill(hba, 5, &fis, &list, 1);
    td_ahci_ring(hba, 1);
    td_ahci_ring(hba, 1 << 5);
    while (td_px_read(hba, AHCI_PX_CI) & 1) {
        g_usleep(100);
    }
    td_expect_uint((td_px_read(hba, AHCI_PX_CMD) & AHCI_PX_CMD_CCS) >> 8, ==,
                   5);
    td_expect_set(td_px_read(hba, AHCI_PX_TFD), AHCI_PX_TFD_STS_BSY);
    td_ahci_wait(hba);
    td_ahci_stop(hba);
    td_ahci_free(hba);
}

/* CLO clears BSY and DRQ while the port is stopped [3.3.7]. */
static void test_list_override(void)
{
    TdAhci *hba = td_ahci_start_with(VERY_SLOW, "");
    RegH2DFIS fis = td_fis_lba48(CMD_READ_DMA_EXT, 0, SECTORS);
    TdPrd list = { 64 * MiB, BYTES };
    uint32_t cmd = td_px_read(hba, AHCI_PX_CMD);

    td_ahci_fill(hba, 0, &fis, &list, 1);
    td_ahci_fill(hba, 1, &fis, &list, 1);
    td_ahci_ring(hba, 3);
    td_px_write(hba, AHCI_PX_CMD, cmd & ~AHCI_PX_CMD_ST);
    td_px_write(hba, AHCI_PX_CMD, (cmd & ~AHCI_PX_CMD_ST) | AHCI_PX_CMD_CLO);
    td_expect_clear(td_px_read(hba, AHCI_PX_CMD), AHCI_PX_CMD_CLO);
    td_expect_clear(td_px_read(hba, AHCI_PX_TFD),
                    AHCI_PX_TFD_STS_BSY | AHCI_PX_TFD_STS_DRQ);
    td_px_write(hba, AHCI_PX_CMD, cmd);
    td_ahci_io1(hba, td_fis_plain(CMD_FLUSH_CACHE, 0, 0), 0, 0);
    td_ahci_stop(hba);
    td_ahci_free(hba);
}

static void test_list_override_running(void)
{
    TdAhci *hba = td_ahci_start("");
    uint32_t cmd = td_px_read(hba, AHCI_PX_CMD);

    td_px_write(hba, AHCI_PX_CMD, cmd | AHCI_PX_CMD_CLO);
    td_expect_set(td_px_read(hba, AHCI_PX_CMD), AHCI_PX_CMD_CR);
    td_ahci_recover(hba);
    td_ahci_check_alive(hba);
    if (td_ahci_stop(hba)) {
        td_expect_guest_error(hba->traced, "PxCMD.CLO set");
    }
    td_ahci_free(hba);
}

/* ---- PxTFD, PxSIG, PxSSTS, PxSCTL -------------------------------------- */

static void test_link(void)
{
    TdAhci *hba = td_ahci_start("");

    /* A disk is there, the link is up and active [3.3.10]. */
    td_expect_hex(td_px_read(hba, AHCI_PX_SSTS) & 0xf0f, ==, 0x103);
    td_expect_hex(td_px_read(hba, AHCI_PX_SIG), ==, 0x00000101);
    td_expect_clear(td_px_read(hba, AHCI_PX_TFD), AHCI_PX_TFD_STS_BSY |
                                                      AHCI_PX_TFD_STS_DRQ |
                                                      AHCI_PX_TFD_STS_ERR);
    end(hba);
}

static void test_read_only(void)
{
    static const unsigned registers[] = {
        AHCI_PX_TFD,
        AHCI_PX_SIG,
        AHCI_PX_SSTS,
    };
    TdAhci *hba = td_ahci_start("");

    for (unsigned i = 0; i < ARRAY_SIZE(registers); i++) {
        uint32_t before = td_px_read(hba, registers[i]);

        td_px_write(hba, registers[i], ~before);
        td_expect_hex(td_px_read(hba, registers[i]), ==, before);
    }
    end(hba);
}

static void test_off_line(void)
{
    TdAhci *hba = td_ahci_start("");

    td_px_write(hba, AHCI_PX_CMD,
                td_px_read(hba, AHCI_PX_CMD) & ~AHCI_PX_CMD_ST);
    td_px_write(hba, AHCI_PX_SCTL, 0x304);
    td_expect_hex(td_px_read(hba, AHCI_PX_SCTL), ==, 0x304);
    td_expect_hex(td_px_read(hba, AHCI_PX_SSTS) & 0xf, ==, 4);
    reset_port(hba);
    td_ahci_recover(hba);
    end(hba);
}

/* The signature comes with the first D2H FIS after COMRESET [3.3.9]. */
static void test_signature(void)
{
    TdAhci *hba = td_ahci_start("");
    uint8_t fis[20];

    td_px_write(hba, AHCI_PX_CMD,
                td_px_read(hba, AHCI_PX_CMD) & ~AHCI_PX_CMD_ST);
    qtest_memset(hba->qts, hba->ahci->port[hba->port].fb, 0, 256);
    reset_port(hba);
    td_ahci_received(hba, TD_FB_D2H, fis, sizeof(fis));
    td_expect_hex(fis[0], ==, REG_D2H_FIS);
    td_expect_hex(fis[3], ==, 0x01);
    td_expect_hex(fis[4], ==, 0x01);
    td_expect_hex(fis[12], ==, 0x01);
    td_expect_hex(td_px_read(hba, AHCI_PX_SIG), ==, 0x00000101);
    td_ahci_recover(hba);
    end(hba);
}

/* ---- PxSACT, PxCI ------------------------------------------------------ */

static void test_issue_bits(void)
{
    TdAhci *hba = td_ahci_start_with(VERY_SLOW, "");
    RegH2DFIS fis = td_fis_ncq(READ_FPDMA_QUEUED, 0, SECTORS, 3);
    TdPrd list = { 64 * MiB, BYTES };

    /* The first one gets through the throttle at once. */
    td_ahci_io(hba, &fis, &list, 1);
    td_ahci_fill(hba, 3, &fis, &list, 1);
    td_ahci_ring_queued(hba, 1 << 3);
    /* The disk has released the bus: PxCI is clear, PxSACT is not [5.6.4]. */
    td_expect_hex(td_px_read(hba, AHCI_PX_SACT), ==, 1 << 3);
    td_expect_hex(td_px_read(hba, AHCI_PX_CI), ==, 0);
    /* Writing 0 clears nothing. */
    td_px_write(hba, AHCI_PX_SACT, 0);
    td_px_write(hba, AHCI_PX_CI, 0);
    td_expect_hex(td_px_read(hba, AHCI_PX_SACT), ==, 1 << 3);
    td_ahci_wait(hba);
    td_expect_hex(td_px_read(hba, AHCI_PX_SACT), ==, 0);
    td_ahci_stop(hba);
    td_ahci_free(hba);
}

/* ---- What a HBA without port multiplier and device sleep has not -------- */

static void test_not_implemented(void)
{
    static const unsigned registers[] = {
        AHCI_PX_RES1,
        AHCI_PX_SNTF,
        AHCI_PX_FBS,
        PX_DEVSLP,
    };
    TdAhci *hba = td_ahci_start("");

    for (unsigned i = 0; i < ARRAY_SIZE(registers); i++) {
        td_expect_hex(td_px_read(hba, registers[i]), ==, 0);
        td_px_write(hba, registers[i], ~0u);
        td_expect_hex(td_px_read(hba, registers[i]), ==, 0);
    }
    end(hba);
}

static const TdCase cases[] = {
    {
        .name = "bases/kept",
        .title = "PxCLB and PxFB hold 64-bit addresses",
        .clause = "AHCI 1.3.1 3.3.1",
        .good = "register:PxCLB register:PxCLBU register:PxFB register:PxFBU",
        .run = test_bases,
    },
    {
        .name = "bases/unaligned",
        .title = "PxCLB is aligned to 1024 bytes, PxFB to 256",
        .clause = "AHCI 1.3.1 3.3.1",
        .bad = "register:PxCLB register:PxFB",
        .run = test_bases_unaligned,
    },
    {
        .name = "bases/upper",
        .title = "A command list above 4 GiB where no memory is sets "
                 "PxIS.HBFS",
        .clause = "AHCI 1.3.1 3.3.2",
        .bad = "register:PxCLBU register:PxFBU error:PxIS.HBFS",
        .run = test_upper_half_counts,
    },
    {
        .name = "interrupt-status/clears",
        .title = "A bit of PxIS is cleared by writing 1",
        .clause = "AHCI 1.3.1 3.3.5",
        .good = "register:PxIS interrupt:DHRS",
        .run = test_status,
    },
    {
        .name = "interrupt-status/keeps",
        .title = "A 0 clears no bit of PxIS; PCS is cleared through PxSERR "
                 "only",
        .clause = "AHCI 1.3.1 3.3.5",
        .good = "interrupt:PCS",
        .bad = "register:PxIS interrupt:PCS interrupt:DHRS",
        .run = test_status_bad,
    },
    {
        .name = "serror",
        .title = "PxSERR.DIAG.X says that COMINIT came; a 1 clears it, a 0 "
                 "does not",
        .clause = "AHCI 1.3.1 3.3.12",
        .good = "register:PxSERR error:PxSERR.DIAG.X",
        .bad = "register:PxSERR",
        .run = test_serror,
    },
    {
        .name = "interrupt-enable/kept",
        .title = "PxIE holds what is written",
        .clause = "AHCI 1.3.1 3.3.6",
        .good = "register:PxIE",
        .run = test_enable,
    },
    {
        .name = "interrupt-enable/reserved",
        .title = "PxIE's reserved bits read 0",
        .clause = "AHCI 1.3.1 3.3.6",
        .bad = "register:PxIE",
        .run = test_enable_reserved,
    },
    {
        .name = "command/start-stop",
        .title = "PxCMD.CR follows ST, FR follows FRE",
        .clause = "AHCI 1.3.1 10.3",
        .good = "register:PxCMD state:start",
        .run = test_start_stop,
    },
    {
        .name = "command/read-only",
        .title = "PxCMD.CR, FR, CCS and reserved bits cannot be written, CLO "
                 "clears itself",
        .clause = "AHCI 1.3.1 3.3.7",
        .bad = "register:PxCMD state:start",
        .run = test_command_read_only,
    },
    {
        .name = "command/current-slot",
        .title = "PxCMD.CCS names the slot of the command that runs",
        .clause = "AHCI 1.3.1 3.3.7",
        .good = "register:PxCMD register:PxTFD",
        .run = test_current_slot,
    },
    {
        .name = "command/list-override/stopped",
        .title = "PxCMD.CLO clears BSY and DRQ of a stopped port",
        .clause = "AHCI 1.3.1 3.3.7",
        .good = "reset:CLO",
        .run = test_list_override,
    },
    {
        .name = "command/list-override/running",
        .title = "PxCMD.CLO on a running port does no harm",
        .clause = "AHCI 1.3.1 3.3.7",
        .bad = "reset:CLO register:PxCMD",
        .run = test_list_override_running,
    },
    {
        .name = "link",
        .title = "With a disk the link is up, the signature an ATA disk's, "
                 "the task file idle",
        .clause = "AHCI 1.3.1 3.3.10",
        .good = "register:PxSSTS register:PxSIG register:PxTFD",
        .run = test_link,
    },
    {
        .name = "read-only",
        .title = "PxTFD, PxSIG and PxSSTS cannot be written",
        .clause = "AHCI 1.3.1 3.3.8",
        .bad = "register:PxTFD register:PxSIG register:PxSSTS",
        .run = test_read_only,
    },
    {
        .name = "off-line",
        .title = "PxSCTL.DET 4 takes the interface off line, DET 1 and 0 "
                 "bring it back",
        .clause = "AHCI 1.3.1 3.3.11",
        .good = "register:PxSCTL reset:COMRESET",
        .run = test_off_line,
    },
    {
        .name = "signature",
        .title = "COMRESET ends with a register FIS that carries the "
                 "signature",
        .clause = "AHCI 1.3.1 10.4.2",
        .good = "register:PxSIG fis:register-d2h",
        .run = test_signature,
    },
    {
        .name = "issue-bits",
        .title = "A queued command leaves PxCI when the disk has it, PxSACT "
                 "when it is done; writing 0 clears neither",
        .clause = "AHCI 1.3.1 3.3.13",
        .good = "register:PxSACT register:PxCI",
        .bad = "register:PxSACT register:PxCI",
        .run = test_issue_bits,
    },
    {
        .name = "not-implemented",
        .title = "PxSNTF, PxFBS and PxDEVSLP of a HBA without these features "
                 "read 0, whatever is written",
        .clause = "AHCI 1.3.1 3.3.15",
        .good = "register:PxSNTF register:PxFBS register:PxDEVSLP",
        .bad = "register:PxSNTF register:PxFBS register:PxDEVSLP",
        .run = test_not_implemented,
    },
};

const TdTopic topic_port = TD_TOPIC("port", cases);
