/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk-ahci with strict=on and off: the same mistake of a driver, on a
 * disk that forgives it as QEMU's own does, and on one that is like metal.
 *
 * Clauses in brackets are of AHCI 1.3.1.
 */
#include "libtracedisk-qos/ahci.h"

#define SECTORS 8
#define BYTES (SECTORS * 512)
#define MS (1000 * 1000)

/* So slow that a command is in flight until the clock is stepped. */
#define SLOW ",throttling.iops-total=1"

enum { SCTL = 0x300, SCTL_COMRESET = 0x301 };
enum { PX_CMD_CLO = 1 << 3 };

static TdAhci *start(bool strict, const char *drive)
{
    return td_ahci_start_with(drive, strict ? ",strict=on" : "");
}

static bool is_strict(const void *data)
{
    return GPOINTER_TO_INT(data);
}

static void check_bits(TdAhci *hba, uint32_t reg, uint32_t bits, bool set)
{
    td_expect_hex(td_px_read(hba, reg) & bits, ==, set ? bits : 0);
}

static void comreset(TdAhci *hba)
{
    td_px_write(hba, AHCI_PX_CMD,
                td_px_read(hba, AHCI_PX_CMD) & ~AHCI_PX_CMD_ST);
    qtest_clock_step(hba->qts, MS);
    td_px_write(hba, AHCI_PX_SCTL, SCTL_COMRESET);
    qtest_clock_step(hba->qts, MS);
    td_px_write(hba, AHCI_PX_SCTL, SCTL);
    qtest_clock_step(hba->qts, 10 * MS);
}

/* What a careful driver does makes the port well, whatever it was. */
static void check_comreset_mends(TdAhci *hba)
{
    comreset(hba);
    td_ahci_recover(hba);
    td_ahci_check_alive(hba);
}

static void finish(TdAhci *hba, bool strict, const char *strict_error)
{
    if (td_ahci_stop(hba)) {
        if (strict && strict_error) {
            td_expect_guest_error(hba->traced, strict_error);
        }
    }
    td_ahci_free(hba);
}

/* ---- Start and stop [10.3] --------------------------------------------- */

/* The port starts when FIS reception does [10.3.1]. */
static void test_start_without_fre(const void *data)
{
    TdAhci *hba = start(is_strict(data), "");

    td_px_write(hba, AHCI_PX_CMD, AHCI_PX_CMD_FRE);
    qtest_clock_step(hba->qts, MS);
    td_px_write(hba, AHCI_PX_CMD, 0);
    qtest_clock_step(hba->qts, MS);
    td_px_write(hba, AHCI_PX_CMD, AHCI_PX_CMD_ST);
    check_bits(hba, AHCI_PX_CMD, AHCI_PX_CMD_CR, !is_strict(data));
    td_px_write(hba, AHCI_PX_CMD, AHCI_PX_CMD_ST | AHCI_PX_CMD_FRE);
    check_bits(hba, AHCI_PX_CMD, AHCI_PX_CMD_CR, true);
    td_ahci_check_alive(hba);
    if (td_ahci_stop(hba)) {
        td_expect_guest_error(hba->traced, "PxCMD.ST set without PxCMD.FRE");
    }
    td_ahci_free(hba);
}

/* CR and FR take a little to clear [10.3.1, 10.3.2]. */
static void test_stop_takes_time(const void *data)
{
    TdAhci *hba = start(is_strict(data), "");

    td_px_write(hba, AHCI_PX_CMD, AHCI_PX_CMD_FRE);
    check_bits(hba, AHCI_PX_CMD, AHCI_PX_CMD_CR, is_strict(data));
    qtest_clock_step(hba->qts, MS);
    check_bits(hba, AHCI_PX_CMD, AHCI_PX_CMD_CR, false);
    td_px_write(hba, AHCI_PX_CMD, 0);
    check_bits(hba, AHCI_PX_CMD, AHCI_PX_CMD_FR, is_strict(data));
    qtest_clock_step(hba->qts, MS);
    check_bits(hba, AHCI_PX_CMD, AHCI_PX_CMD_FR, false);
    td_px_write(hba, AHCI_PX_CMD, AHCI_PX_CMD_FRE);
    td_ahci_recover(hba);
    td_ahci_check_alive(hba);
    finish(hba, false, NULL);
}

/* ST set before CR has cleared: the port stops first, and then starts. */
static void test_start_before_stopped(const void *data)
{
    uint32_t run = AHCI_PX_CMD_FRE | AHCI_PX_CMD_ST;
    TdAhci *hba = start(is_strict(data), "");

    td_px_write(hba, AHCI_PX_CMD, AHCI_PX_CMD_FRE);
    td_px_write(hba, AHCI_PX_CMD, run);
    check_bits(hba, AHCI_PX_CMD, AHCI_PX_CMD_CR, true);
    qtest_clock_step(hba->qts, MS);
    check_bits(hba, AHCI_PX_CMD, AHCI_PX_CMD_CR, true);
    td_ahci_check_alive(hba);
    finish(hba, is_strict(data), "PxCMD.ST set while PxCMD.CR is set");
}

/* BSY stays when ST is cleared under a command: CLO is for that [3.3.7]. */
static void test_busy_after_stop(const void *data)
{
    TdAhci *hba = start(is_strict(data), SLOW);
    RegH2DFIS fis = td_fis_lba48(CMD_READ_DMA_EXT, 0, SECTORS);
    TdPrd list = { ahci_alloc(hba->ahci, BYTES), BYTES };

    td_ahci_io(hba, &fis, &list, 1); /* the first one goes */
    td_ahci_fill(hba, 0, &fis, &list, 1);
    td_ahci_ring(hba, 1);
    check_bits(hba, AHCI_PX_TFD, STATUS_BSY, true);
    td_px_write(hba, AHCI_PX_CMD, AHCI_PX_CMD_FRE);
    qtest_clock_step(hba->qts, MS);
    check_bits(hba, AHCI_PX_TFD, STATUS_BSY, is_strict(data));
    td_px_write(hba, AHCI_PX_CMD, AHCI_PX_CMD_FRE | AHCI_PX_CMD_ST);
    check_bits(hba, AHCI_PX_CMD, AHCI_PX_CMD_CR, !is_strict(data));
    td_px_write(hba, AHCI_PX_CMD, AHCI_PX_CMD_FRE);
    qtest_clock_step(hba->qts, MS);
    td_px_write(hba, AHCI_PX_CMD, AHCI_PX_CMD_FRE | PX_CMD_CLO);
    td_px_write(hba, AHCI_PX_CMD, AHCI_PX_CMD_FRE | AHCI_PX_CMD_ST);
    check_bits(hba, AHCI_PX_CMD, AHCI_PX_CMD_CR, true);
    finish(hba, is_strict(data), "PxCMD.ST set while the disk is busy");
}

/* PxCLB and PxFB are not looked at while they are in use [3.3.1, 3.3.3]. */
static void test_pointers_in_use(const void *data)
{
    TdAhci *hba = start(is_strict(data), "");
    uint32_t clb = td_px_read(hba, AHCI_PX_CLB),
             fb = td_px_read(hba, AHCI_PX_FB);

    td_px_write(hba, AHCI_PX_CLB, 0x200000);
    td_px_write(hba, AHCI_PX_FB, 0x200400);
    td_expect_hex(td_px_read(hba, AHCI_PX_CLB), ==,
                  is_strict(data) ? clb : 0x200000);
    td_expect_hex(td_px_read(hba, AHCI_PX_FB), ==,
                  is_strict(data) ? fb : 0x200400);
    if (td_ahci_stop(hba)) {
        td_expect_guest_error(hba->traced,
                              "PxCLB written while the port uses it");
        td_expect_guest_error(hba->traced,
                              "PxFB written while the port uses it");
    }
    td_ahci_free(hba);
}

/* ---- COMRESET [3.3.11, 10.4.2] ----------------------------------------- */

static void test_short_comreset(const void *data)
{
    TdAhci *hba = start(is_strict(data), "");

    td_px_write(hba, AHCI_PX_CMD, AHCI_PX_CMD_FRE);
    qtest_clock_step(hba->qts, MS);
    td_px_write(hba, AHCI_PX_SCTL, SCTL_COMRESET);
    qtest_clock_step(hba->qts, MS / 2);
    td_px_write(hba, AHCI_PX_SCTL, SCTL);
    qtest_clock_step(hba->qts, 100 * MS);
    td_expect_hex(td_px_read(hba, AHCI_PX_SSTS) & 0xf, ==,
                  is_strict(data) ? 0 : 3);
    check_comreset_mends(hba);
    finish(hba, is_strict(data), "less than a millisecond");
}

/* The link takes its time; no FIS is taken until DIAG.X is cleared. */
static void test_link_takes_time(const void *data)
{
    TdAhci *hba = start(is_strict(data), "");

    td_px_write(hba, AHCI_PX_CMD, AHCI_PX_CMD_FRE);
    qtest_clock_step(hba->qts, MS);
    td_px_write(hba, AHCI_PX_SCTL, SCTL_COMRESET);
    qtest_clock_step(hba->qts, MS);
    td_px_write(hba, AHCI_PX_SCTL, SCTL);
    td_expect_hex(td_px_read(hba, AHCI_PX_SSTS) & 0xf, ==,
                  is_strict(data) ? 0 : 3);
    qtest_clock_step(hba->qts, 10 * MS);
    td_expect_hex(td_px_read(hba, AHCI_PX_SSTS) & 0xf, ==, 3);
    check_bits(hba, AHCI_PX_SERR, 1 << 26, true);
    check_bits(hba, AHCI_PX_IS, AHCI_PX_IS_PCS, true);
    check_bits(hba, AHCI_PX_TFD, STATUS_BSY, is_strict(data));
    td_px_write(hba, AHCI_PX_SERR, ~0u);
    check_bits(hba, AHCI_PX_TFD, STATUS_BSY, false);
    td_ahci_recover(hba);
    td_ahci_check_alive(hba);
    finish(hba, false, NULL);
}

/* ---- Lists ------------------------------------------------------------- */

/* More data than the list has room for: only COMRESET helps [6.1.5]. */
static void test_read_overflow(const void *data)
{
    TdAhci *hba = start(is_strict(data), "");
    RegH2DFIS fis = td_fis_lba48(CMD_READ_DMA_EXT, 0, SECTORS);
    TdPrd list = { ahci_alloc(hba->ahci, BYTES), 1024 };
    const TdTraced *t;

    td_ahci_fill(hba, 0, &fis, &list, 1);
    td_ahci_ring(hba, 1);
    for (unsigned i = 0; !(td_px_read(hba, AHCI_PX_IS) & AHCI_PX_IS_OFS); i++) {
        td_expect_uint(i, <, 100000);
        g_usleep(100);
    }
    td_expect_hex(td_px_read(hba, AHCI_PX_CI), ==, is_strict(data) ? 1 : 0);
    check_bits(hba, AHCI_PX_IS, AHCI_PX_IS_DHRS, !is_strict(data));
    check_bits(hba, AHCI_PX_TFD, STATUS_BSY, is_strict(data));
    td_px_write(hba, AHCI_PX_CMD, AHCI_PX_CMD_FRE);
    qtest_clock_step(hba->qts, MS);
    td_px_write(hba, AHCI_PX_CMD, AHCI_PX_CMD_FRE | AHCI_PX_CMD_ST);
    check_bits(hba, AHCI_PX_CMD, AHCI_PX_CMD_CR, !is_strict(data));
    check_comreset_mends(hba);
    if (td_ahci_stop(hba)) {
        t = td_traced(hba->traced, "READ DMA EXT", 0);
        td_expect_hex(t->flags, ==, TD_LIST_SHORT);
        td_expect_uint(t->status, ==, is_strict(data) ? TD_ERROR : TD_GOOD);
        td_expect_uint(t->bytes, ==, 1024);
    }
    td_ahci_free(hba);
}

/* The disk waits for data that does not come. */
static void test_write_overflow(const void *data)
{
    TdAhci *hba = start(is_strict(data), "");
    RegH2DFIS fis = td_fis_lba48(CMD_WRITE_DMA_EXT, 0, SECTORS);
    TdPrd list = { ahci_alloc(hba->ahci, BYTES), 1024 };

    td_ahci_fill(hba, 0, &fis, &list, 1);
    td_ahci_ring(hba, 1);
    if (is_strict(data)) {
        qtest_clock_step(hba->qts, 30000ll * MS);
        td_expect_hex(td_px_read(hba, AHCI_PX_CI), ==, 1);
        check_bits(hba, AHCI_PX_TFD, STATUS_BSY, true);
    } else {
        td_expect_hex(td_ahci_wait(hba).error, ==, ERROR_ABRT);
    }
    check_comreset_mends(hba);
    if (td_ahci_stop(hba)) {
        td_expect_uint(td_traced(hba->traced, "WRITE DMA EXT", 0)->status, ==,
                       is_strict(data) ? TD_ABORTED : TD_ERROR);
    }
    td_ahci_free(hba);
}

/* Bit 0 of DBA does not exist [4.2.3.3]. */
static void test_odd_address(const void *data)
{
    uint8_t pattern[BYTES], found[BYTES];
    TdAhci *hba = start(is_strict(data), "");
    RegH2DFIS fis = td_fis_lba48(CMD_READ_DMA_EXT, 0, SECTORS);
    uint64_t addr = ahci_alloc(hba->ahci, BYTES + 512);
    TdPrd list = { addr + 1, BYTES };

    td_pattern(pattern, BYTES, 3);
    td_disk_write(hba, 0, pattern, BYTES);
    td_ahci_io(hba, &fis, &list, 1);
    qtest_memread(hba->qts, addr + !is_strict(data), found, BYTES);
    td_expect_mem(found, pattern, BYTES);
    if (td_ahci_stop(hba)) {
        td_expect_hex(
            td_traced(hba->traced, "READ DMA EXT", 0)->elements[0].addr, ==,
            addr + !is_strict(data));
        if (is_strict(data)) {
            td_expect_guest_error(hba->traced, "odd address or byte count");
        }
    }
    td_ahci_free(hba);
}

/* Bit 0 of DBC is 1: a count is even [4.2.3.3]. */
static void test_odd_count(const void *data)
{
    uint8_t pattern[BYTES], found[BYTES];
    TdAhci *hba = start(is_strict(data), "");
    RegH2DFIS fis = td_fis_lba48(CMD_READ_DMA_EXT, 0, SECTORS);
    uint64_t addr = ahci_alloc(hba->ahci, 2 * BYTES);
    TdPrd list[] = { { addr, 511 }, { addr + BYTES, BYTES - 511 } };
    size_t first = is_strict(data) ? 512 : 511;

    td_pattern(pattern, BYTES, 4);
    td_disk_write(hba, 0, pattern, BYTES);
    td_ahci_io(hba, &fis, list, 2);
    qtest_memread(hba->qts, addr, found, first);
    td_expect_mem(found, pattern, first);
    qtest_memread(hba->qts, addr + BYTES, found, 100);
    td_expect_mem(found, pattern + first, 100);
    finish(hba, is_strict(data), "odd address or byte count");
}

/* ---- Commands ---------------------------------------------------------- */

/* A FIS of another length than five dwords does not arrive [4.2.2]. */
static void test_fis_length(const void *data)
{
    TdAhci *hba = start(is_strict(data), "");
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
                  is_strict(data) ? AHCI_PX_IS_IFS : 0);
    td_ahci_recover(hba);
    td_ahci_check_alive(hba);
    finish(hba, is_strict(data), "FIS of CFL 4 dwords");
}

/* Reserved fields of a 28-bit command, ACS-3 7.1.3 */
static void test_reserved_count(const void *data)
{
    TdAhci *hba = start(is_strict(data), "");
    RegH2DFIS fis = td_fis_lba28(CMD_READ_DMA, 0, SECTORS);
    TdPrd list = { ahci_alloc(hba->ahci, BYTES), BYTES };
    TdOutcome o;

    fis.count = cpu_to_le16(0x100 | SECTORS);
    o = td_ahci_io(hba, &fis, &list, 1);
    td_expect_hex(o.error, ==, is_strict(data) ? ERROR_ABRT : 0);
    td_expect_uint(o.prdbc, ==, is_strict(data) ? 0 : BYTES);
    td_ahci_recover(hba);
    fis.count = cpu_to_le16(SECTORS);
    td_expect_hex(td_ahci_io(hba, &fis, &list, 1).error, ==, 0);
    finish(hba, false, NULL);
}

/* A command that is not queued ends the queued ones, ACS-3 4.14.1. */
static void test_mixed(const void *data)
{
    TdAhci *hba = start(is_strict(data), SLOW);
    RegH2DFIS queued = td_fis_ncq(READ_FPDMA_QUEUED, 0, SECTORS, 1);
    RegH2DFIS plain = td_fis_lba48(CMD_READ_DMA_EXT, 0, SECTORS);
    TdPrd list = { ahci_alloc(hba->ahci, BYTES), BYTES };

    td_ahci_io(hba, &plain, &list, 1); /* the first one goes */
    td_ahci_fill(hba, 1, &queued, &list, 1);
    td_ahci_fill(hba, 2, &plain, &list, 1);
    td_ahci_ring_queued(hba, 1 << 1);
    check_bits(hba, AHCI_PX_SACT, 1 << 1, true);
    td_ahci_ring(hba, 1 << 2);
    check_bits(hba, AHCI_PX_IS, AHCI_PX_IS_TFES, is_strict(data));
    check_bits(hba, AHCI_PX_SACT, 1 << 1, true);
    check_bits(hba, AHCI_PX_CI, 1 << 2, true);
    td_ahci_recover(hba);
    if (td_ahci_stop(hba)) {
        td_expect_guest_error(hba->traced,
                              "queued and other commands are mixed");
        td_expect_uint(td_traced(hba->traced, "READ FPDMA QUEUED", 0)->status,
                       ==, TD_ABORTED);
        if (is_strict(data)) {
            td_expect_hex(td_traced(hba->traced, "READ DMA EXT", 1)->ata_error,
                          ==, ERROR_ABRT);
        }
    }
    td_ahci_free(hba);
}

static void add(const char *name, void (*test)(const void *))
{
    for (int strict = 0; strict < 2; strict++) {
        g_autofree char *path = g_strdup_printf("/tracedisk/strict/%s/%s", name,
                                                strict ? "on" : "off");

        qtest_add_data_func(path, GINT_TO_POINTER(strict), test);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);

    add("start-without-fre", test_start_without_fre);
    add("stop-takes-time", test_stop_takes_time);
    add("start-before-stopped", test_start_before_stopped);
    add("busy-after-stop", test_busy_after_stop);
    add("pointers-in-use", test_pointers_in_use);
    add("comreset/short", test_short_comreset);
    add("comreset/link-takes-time", test_link_takes_time);
    add("overflow/read", test_read_overflow);
    add("overflow/write", test_write_overflow);
    add("odd/address", test_odd_address);
    add("odd/count", test_odd_count);
    add("fis-length", test_fis_length);
    add("reserved-count", test_reserved_count);
    add("mixed", test_mixed);

    return g_test_run();
}
