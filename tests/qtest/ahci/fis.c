/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * FISes: what the disk is sent, and what it leaves in the received-FIS area.
 */
#include "suite.h"

#define PX_SERR_ERR_P 0x0400    /* libqos has no name for it */

static void end(TdAhci *hba)
{
    td_ahci_check_alive(hba);
    td_ahci_stop(hba);
    td_ahci_free(hba);
}

/* Fill the received-FIS area, to see what is written there. */
static void mark_received(TdAhci *hba)
{
    qtest_memset(hba->qts, hba->ahci->port[hba->port].fb, 0x5a, 256);
}

static void check_untouched(TdAhci *hba, unsigned where)
{
    uint8_t fis[8], marked[8];

    memset(marked, 0x5a, sizeof(marked));
    td_ahci_received(hba, where, fis, sizeof(fis));
    td_expect_mem(fis, marked, sizeof(marked));
}

/* SATA 3.x 10.5.6 */
static void test_d2h(void)
{
    TdAhci *hba = td_ahci_start("");
    uint8_t fis[20];

    mark_received(hba);
    td_expect_good(
        td_ahci_io1(hba, td_fis_lba48(CMD_READ_DMA_EXT, 7, 1), 64 * MiB, 512),
        512);
    td_ahci_received(hba, TD_FB_D2H, fis, sizeof(fis));
    td_expect_hex(fis[0], ==, REG_D2H_FIS);
    td_expect_hex(fis[1], ==, 0x40); /* I */
    td_expect_hex(fis[2], ==, (uint8_t)td_px_read(hba, AHCI_PX_TFD));
    td_expect_hex(fis[3], ==, 0);
    check_untouched(hba, TD_FB_PIO_SETUP);
    check_untouched(hba, TD_FB_SET_DEVICE_BITS);
    check_untouched(hba, TD_FB_UNKNOWN);
    end(hba);
}

/* Of a command that failed: status, error and the LBA, which PxTFD repeats. */
static void test_d2h_error(void)
{
    TdAhci *hba = td_ahci_start("");
    TdOutcome o;
    uint8_t fis[20];

    mark_received(hba);
    o = td_ahci_io1(hba, td_fis_lba48(CMD_READ_DMA_EXT, TD_BLOCKS, 1), 64 * MiB,
                    512);
    td_ahci_received(hba, TD_FB_D2H, fis, sizeof(fis));
    td_expect_hex(fis[0], ==, REG_D2H_FIS);
    td_expect_hex(fis[1], ==, 0x40);
    td_expect_set(fis[2], STATUS_ERR);
    td_expect_hex(fis[3], ==, o.error);
    td_expect_failed(hba, o, ERROR_NO_BLOCK);
    end(hba);
}

/* SATA 3.x 10.5.7 */
static void test_set_device_bits(void)
{
    TdAhci *hba = td_ahci_start("");
    uint8_t fis[8];

    mark_received(hba);
    td_expect_done(td_ahci_io1(hba, td_fis_ncq(READ_FPDMA_QUEUED, 0, 1, 6),
                               64 * MiB, 512));
    td_ahci_received(hba, TD_FB_SET_DEVICE_BITS, fis, sizeof(fis));
    td_expect_hex(fis[0], ==, 0xa1);
    td_expect_set(fis[1], 0x40);
    td_expect_clear(fis[2], STATUS_ERR | STATUS_BSY | STATUS_DRQ);
    td_expect_hex(ldl_le_p(fis + 4), ==, 1 << 6);
    /* A queued command ends with this FIS alone. */
    check_untouched(hba, TD_FB_PIO_SETUP);
    end(hba);
}

static void test_set_device_bits_error(void)
{
    TdAhci *hba = td_ahci_start("");
    TdOutcome o;
    uint8_t fis[8];

    mark_received(hba);
    o = td_ahci_io1(hba, td_fis_ncq(READ_FPDMA_QUEUED, TD_BLOCKS, 1, 6),
                    64 * MiB, 512);
    td_ahci_received(hba, TD_FB_SET_DEVICE_BITS, fis, sizeof(fis));
    td_expect_hex(fis[0], ==, 0xa1);
    td_expect_set(fis[2], STATUS_ERR);
    td_expect_hex(fis[3], ==, o.error);
    td_expect_failed(hba, o, ERROR_NO_BLOCK);
    end(hba);
}

/* SATA 3.x 10.5.9: the first-party DMA of a queued command */
static void test_dma_setup(void)
{
    TdAhci *hba = td_ahci_start("");
    uint8_t fis[28];
    TdOutcome o;

    mark_received(hba);
    o = td_ahci_io1(hba, td_fis_ncq(READ_FPDMA_QUEUED, 0, 2, 9), 64 * MiB,
                    1024);
    td_expect_done(o);
    td_ahci_received(hba, TD_FB_DMA_SETUP, fis, sizeof(fis));
    td_expect_hex(fis[0], ==, 0x41);
    /* PxIS.DSS is for one with the I bit [3.3.5]. */
    td_expect_hex(o.is & AHCI_PX_IS_DSS, ==,
                  fis[1] & 0x40 ? AHCI_PX_IS_DSS : 0);
    td_expect_set(fis[1], 0x20); /* D: the disk sends */
    td_expect_uint(fis[4] & 0x1f, ==, 9);
    td_expect_uint(ldl_le_p(fis + 20), ==, 1024);

    td_expect_done(td_ahci_io1(hba, td_fis_ncq(WRITE_FPDMA_QUEUED, 0, 1, 9),
                               64 * MiB, 512));
    td_ahci_received(hba, TD_FB_DMA_SETUP, fis, sizeof(fis));
    td_expect_clear(fis[1], 0x20);
    end(hba);
}

/* A queued command that is refused moves nothing: no DMA Setup FIS. */
static void test_dma_setup_error(void)
{
    TdAhci *hba = td_ahci_start("");

    mark_received(hba);
    td_ahci_io1(hba, td_fis_ncq(READ_FPDMA_QUEUED, TD_BLOCKS, 1, 9), 64 * MiB,
                512);
    check_untouched(hba, TD_FB_DMA_SETUP);
    td_ahci_recover(hba);
    end(hba);
}

/* SATA 3.x 10.5.11 */
static void test_pio_setup(void)
{
    TdAhci *hba = td_ahci_start("");
    uint8_t fis[20];

    mark_received(hba);
    td_expect_done(
        td_ahci_io1(hba, td_fis_plain(CMD_IDENTIFY, 0, 0), 64 * MiB, 512));
    td_ahci_received(hba, TD_FB_PIO_SETUP, fis, sizeof(fis));
    td_expect_hex(fis[0], ==, PIO_SETUP_FIS);
    td_expect_set(fis[1], 0x60); /* I, and D: the disk sends */
    td_expect_set(fis[2], STATUS_DRQ);
    td_expect_clear(fis[15], STATUS_BSY | STATUS_DRQ | STATUS_ERR);
    td_expect_uint(lduw_le_p(fis + 16), ==, 512);

    td_expect_done(
        td_ahci_io1(hba, td_fis_lba48(CMD_WRITE_PIO_EXT, 0, 1), 64 * MiB, 512));
    td_ahci_received(hba, TD_FB_PIO_SETUP, fis, sizeof(fis));
    td_expect_clear(fis[1], 0x20);
    end(hba);
}

/* A PIO command that is refused has no data: no PIO Setup FIS. */
static void test_pio_setup_error(void)
{
    TdAhci *hba = td_ahci_start("");

    mark_received(hba);
    td_expect_failed(hba,
                     td_ahci_io1(hba,
                                 td_fis_lba48(CMD_READ_PIO_EXT, TD_BLOCKS, 1),
                                 64 * MiB, 512),
                     ERROR_NO_BLOCK);
    check_untouched(hba, TD_FB_PIO_SETUP);
    end(hba);
}

/* While PxCMD.FRE is clear no FIS is written [3.3.7]. */
static void test_no_receive(void)
{
    TdAhci *hba = td_ahci_start("");
    uint32_t cmd = td_px_read(hba, AHCI_PX_CMD) & ~AHCI_PX_CMD_ST;

    td_px_write(hba, AHCI_PX_CMD, cmd);
    td_px_write(hba, AHCI_PX_CMD, cmd & ~AHCI_PX_CMD_FRE);
    mark_received(hba);
    reset_port(hba);
    check_untouched(hba, TD_FB_D2H);
    td_px_write(hba, AHCI_PX_CMD, cmd);
    td_ahci_recover(hba);
    end(hba);
}

/* C clear, SRST clear: the Device Control register is written, no command. */
static void test_control(void)
{
    TdAhci *hba = td_ahci_start("");
    RegH2DFIS fis = { .fis_type = REG_H2D_FIS, .command = CMD_READ_DMA_EXT };

    mark_received(hba);
    td_ahci_fill(hba, 0, &fis, NULL, 0);
    /* No FIS answers: with C of the header PxCI is cleared upon R_OK. */
    td_ahci_flag_header(hba, 0, CMDH_CLR_BSY);
    td_ahci_ring(hba, 1);
    td_expect_done(td_ahci_wait(hba));
    td_expect_hex(td_px_read(hba, AHCI_PX_CI), ==, 0);
    end(hba);
}

/* A FIS that is no Register Host to Device FIS: interface error [6.1.3]. */
static void test_wrong_fis_type(void)
{
    TdAhci *hba = td_ahci_start("");
    RegH2DFIS fis = td_fis_lba48(CMD_READ_DMA_EXT, 0, SECTORS);
    TdPrd list = { 64 * MiB, BYTES };
    TdOutcome o;

    fis.fis_type = REG_D2H_FIS;
    o = td_ahci_io(hba, &fis, &list, 1);
    td_expect_set(o.is, AHCI_PX_IS_IFS);
    td_expect_set(td_px_read(hba, AHCI_PX_SERR), PX_SERR_ERR_P);
    td_ahci_recover(hba);
    td_ahci_check_alive(hba);
    if (td_ahci_stop(hba)) {
        td_expect_guest_error(hba->traced, "FIS type 0x34");
    }
    td_ahci_free(hba);
}

static void test_received(void)
{
    TdAhci *hba = td_ahci_start("");
    uint8_t rest[0x100 - 0xa0], marked[sizeof(rest)];

    mark_received(hba);
    td_ahci_check_alive(hba);
    memset(marked, 0x5a, sizeof(marked));
    td_ahci_received(hba, 0xa0, rest, sizeof(rest));
    td_expect_mem(rest, marked, sizeof(rest));
    end(hba);
}

static const TdCase cases[] = {
    {
        .name = "register-d2h/good",
        .title = "A command that is not queued ends with a register FIS, and "
                 "no other",
        .clause = "AHCI 1.3.1 4.2.1",
        .good = "fis:register-d2h fis:register-h2d structure:received-fis "
                "structure:command-table",
        .run = test_d2h,
    },
    {
        .name = "register-d2h/error",
        .title = "Of a command that failed the register FIS has status and "
                 "error",
        .clause = "AHCI 1.3.1 6.2.2.1",
        .good = "error:PxIS.TFES",
        .bad = "fis:register-d2h error:PxIS.TFES",
        .run = test_d2h_error,
    },
    {
        .name = "set-device-bits/good",
        .title = "A queued command ends with a Set Device Bits FIS that names "
                 "its tag",
        .clause = "SATA 3.x 10.5.7",
        .good = "fis:set-device-bits interrupt:SDBS",
        .run = test_set_device_bits,
    },
    {
        .name = "set-device-bits/error",
        .title = "Of a queued command that failed the Set Device Bits FIS has "
                 "status and error",
        .clause = "AHCI 1.3.1 6.2.2.2",
        .bad = "fis:set-device-bits interrupt:SDBS",
        .run = test_set_device_bits_error,
    },
    {
        .name = "dma-setup/good",
        .title = "A queued command's data comes with a DMA Setup FIS: tag, "
                 "direction, bytes",
        .clause = "SATA 3.x 10.5.9",
        .good = "fis:dma-setup",
        .run = test_dma_setup,
    },
    {
        .name = "dma-setup/error",
        .title = "A queued command that is refused has no DMA Setup FIS",
        .clause = "SATA 3.x 10.5.9",
        .bad = "fis:dma-setup",
        .run = test_dma_setup_error,
    },
    {
        .name = "pio-setup/good",
        .title = "PIO data comes with a PIO Setup FIS: direction, DRQ, bytes",
        .clause = "SATA 3.x 10.5.11",
        .good = "fis:pio-setup",
        .run = test_pio_setup,
    },
    {
        .name = "pio-setup/error",
        .title = "A PIO command that is refused has no PIO Setup FIS",
        .clause = "SATA 3.x 10.5.11",
        .bad = "fis:pio-setup",
        .run = test_pio_setup_error,
    },
    {
        .name = "not-received",
        .title = "While PxCMD.FRE is clear no FIS is written to memory",
        .clause = "AHCI 1.3.1 3.3.7",
        .bad = "structure:received-fis",
        .run = test_no_receive,
    },
    {
        .name = "reserved",
        .title = "The reserved end of the received-FIS area is left alone",
        .clause = "AHCI 1.3.1 4.2.1",
        .good = "structure:received-fis",
        .run = test_received,
    },
    {
        .name = "control",
        .title = "A FIS with the C bit clear is no command",
        .clause = "AHCI 1.3.1 10.4.1",
        .good = "fis:control-h2d",
        .run = test_control,
    },
    {
        .name = "type",
        .title = "What is no Register Host to Device FIS sets PxIS.IFS",
        .clause = "AHCI 1.3.1 6.1.3",
        .bad = "fis:register-h2d error:PxIS.IFS error:PxSERR.ERR.P",
        .ours = OURS_DEFINED,
        .run = test_wrong_fis_type,
    },
};

const TdTopic topic_fis = TD_TOPIC("fis", cases);
