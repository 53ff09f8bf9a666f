/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk-ahci with strict=on and off: the same mistake of a driver, on a
 * disk that forgives it as QEMU's own does, and on one that is like metal.
 *
 * Clauses in brackets are of AHCI 1.3.1.
 */
#include "rig.h"

#define SECTORS 8
#define BYTES (SECTORS * 512)
#define MS (1000 * 1000)

/* So slow that a command is in flight until the clock is stepped. */
#define SLOW ",throttling.iops-total=1"

enum { SCTL = 0x300, SCTL_COMRESET = 0x301 };
enum { PX_CMD_CLO = 1 << 3 };

static Rig *start(bool strict, const char *drive)
{
    return rig_start_with(drive, strict ? ",strict=on" : "");
}

static bool is_strict(const void *data)
{
    return GPOINTER_TO_INT(data);
}

static void check_bits(Rig *rig, uint32_t reg, uint32_t bits, bool set)
{
    g_assert_cmphex(rig_read(rig, reg) & bits, ==, set ? bits : 0);
}

static void comreset(Rig *rig)
{
    rig_write(rig, AHCI_PX_CMD, rig_read(rig, AHCI_PX_CMD) & ~AHCI_PX_CMD_ST);
    qtest_clock_step(rig->qts, MS);
    rig_write(rig, AHCI_PX_SCTL, SCTL_COMRESET);
    qtest_clock_step(rig->qts, MS);
    rig_write(rig, AHCI_PX_SCTL, SCTL);
    qtest_clock_step(rig->qts, 10 * MS);
}

/* What a careful driver does makes the port well, whatever it was. */
static void check_comreset_mends(Rig *rig)
{
    comreset(rig);
    rig_recover(rig);
    rig_check_alive(rig);
}

static void finish(Rig *rig, bool strict, const char *strict_error)
{
    rig_stop(rig);
    if (strict && strict_error) {
        rig_check_guest_error(rig, strict_error);
    }
    rig_free(rig);
}

/* ---- Start and stop [10.3] --------------------------------------------- */

/* The port starts when FIS reception does [10.3.1]. */
static void test_start_without_fre(const void *data)
{
    Rig *rig = start(is_strict(data), "");

    rig_write(rig, AHCI_PX_CMD, AHCI_PX_CMD_FRE);
    qtest_clock_step(rig->qts, MS);
    rig_write(rig, AHCI_PX_CMD, 0);
    qtest_clock_step(rig->qts, MS);
    rig_write(rig, AHCI_PX_CMD, AHCI_PX_CMD_ST);
    check_bits(rig, AHCI_PX_CMD, AHCI_PX_CMD_CR, !is_strict(data));
    rig_write(rig, AHCI_PX_CMD, AHCI_PX_CMD_ST | AHCI_PX_CMD_FRE);
    check_bits(rig, AHCI_PX_CMD, AHCI_PX_CMD_CR, true);
    rig_check_alive(rig);
    rig_stop(rig);
    rig_check_guest_error(rig, "PxCMD.ST set without PxCMD.FRE");
    rig_free(rig);
}

/* CR and FR take a little to clear [10.3.1, 10.3.2]. */
static void test_stop_takes_time(const void *data)
{
    Rig *rig = start(is_strict(data), "");

    rig_write(rig, AHCI_PX_CMD, AHCI_PX_CMD_FRE);
    check_bits(rig, AHCI_PX_CMD, AHCI_PX_CMD_CR, is_strict(data));
    qtest_clock_step(rig->qts, MS);
    check_bits(rig, AHCI_PX_CMD, AHCI_PX_CMD_CR, false);
    rig_write(rig, AHCI_PX_CMD, 0);
    check_bits(rig, AHCI_PX_CMD, AHCI_PX_CMD_FR, is_strict(data));
    qtest_clock_step(rig->qts, MS);
    check_bits(rig, AHCI_PX_CMD, AHCI_PX_CMD_FR, false);
    rig_write(rig, AHCI_PX_CMD, AHCI_PX_CMD_FRE);
    rig_recover(rig);
    rig_check_alive(rig);
    finish(rig, false, NULL);
}

/* ST set before CR has cleared: the port stops first, and then starts. */
static void test_start_before_stopped(const void *data)
{
    uint32_t run = AHCI_PX_CMD_FRE | AHCI_PX_CMD_ST;
    Rig *rig = start(is_strict(data), "");

    rig_write(rig, AHCI_PX_CMD, AHCI_PX_CMD_FRE);
    rig_write(rig, AHCI_PX_CMD, run);
    check_bits(rig, AHCI_PX_CMD, AHCI_PX_CMD_CR, true);
    qtest_clock_step(rig->qts, MS);
    check_bits(rig, AHCI_PX_CMD, AHCI_PX_CMD_CR, true);
    rig_check_alive(rig);
    finish(rig, is_strict(data), "PxCMD.ST set while PxCMD.CR is set");
}

/* BSY stays when ST is cleared under a command: CLO is for that [3.3.7]. */
static void test_busy_after_stop(const void *data)
{
    Rig *rig = start(is_strict(data), SLOW);
    RegH2DFIS fis = fis_lba48(CMD_READ_DMA_EXT, 0, SECTORS);
    Prd list = { ahci_alloc(rig->ahci, BYTES), BYTES };

    rig_run(rig, &fis, &list, 1);               /* the first one goes */
    rig_fill(rig, 0, &fis, &list, 1);
    rig_ring(rig, 1);
    check_bits(rig, AHCI_PX_TFD, STATUS_BSY, true);
    rig_write(rig, AHCI_PX_CMD, AHCI_PX_CMD_FRE);
    qtest_clock_step(rig->qts, MS);
    check_bits(rig, AHCI_PX_TFD, STATUS_BSY, is_strict(data));
    rig_write(rig, AHCI_PX_CMD, AHCI_PX_CMD_FRE | AHCI_PX_CMD_ST);
    check_bits(rig, AHCI_PX_CMD, AHCI_PX_CMD_CR, !is_strict(data));
    rig_write(rig, AHCI_PX_CMD, AHCI_PX_CMD_FRE);
    qtest_clock_step(rig->qts, MS);
    rig_write(rig, AHCI_PX_CMD, AHCI_PX_CMD_FRE | PX_CMD_CLO);
    rig_write(rig, AHCI_PX_CMD, AHCI_PX_CMD_FRE | AHCI_PX_CMD_ST);
    check_bits(rig, AHCI_PX_CMD, AHCI_PX_CMD_CR, true);
    finish(rig, is_strict(data), "PxCMD.ST set while the disk is busy");
}

/* PxCLB and PxFB are not looked at while they are in use [3.3.1, 3.3.3]. */
static void test_pointers_in_use(const void *data)
{
    Rig *rig = start(is_strict(data), "");
    uint32_t clb = rig_read(rig, AHCI_PX_CLB), fb = rig_read(rig, AHCI_PX_FB);

    rig_write(rig, AHCI_PX_CLB, 0x200000);
    rig_write(rig, AHCI_PX_FB, 0x200400);
    g_assert_cmphex(rig_read(rig, AHCI_PX_CLB), ==,
                    is_strict(data) ? clb : 0x200000);
    g_assert_cmphex(rig_read(rig, AHCI_PX_FB), ==,
                    is_strict(data) ? fb : 0x200400);
    rig_stop(rig);
    rig_check_guest_error(rig, "PxCLB written while the port uses it");
    rig_check_guest_error(rig, "PxFB written while the port uses it");
    rig_free(rig);
}

/* ---- COMRESET [3.3.11, 10.4.2] ----------------------------------------- */

static void test_short_comreset(const void *data)
{
    Rig *rig = start(is_strict(data), "");

    rig_write(rig, AHCI_PX_CMD, AHCI_PX_CMD_FRE);
    qtest_clock_step(rig->qts, MS);
    rig_write(rig, AHCI_PX_SCTL, SCTL_COMRESET);
    qtest_clock_step(rig->qts, MS / 2);
    rig_write(rig, AHCI_PX_SCTL, SCTL);
    qtest_clock_step(rig->qts, 100 * MS);
    g_assert_cmphex(rig_read(rig, AHCI_PX_SSTS) & 0xf, ==,
                    is_strict(data) ? 0 : 3);
    check_comreset_mends(rig);
    finish(rig, is_strict(data), "less than a millisecond");
}

/* The link takes its time; no FIS is taken until DIAG.X is cleared. */
static void test_link_takes_time(const void *data)
{
    Rig *rig = start(is_strict(data), "");

    rig_write(rig, AHCI_PX_CMD, AHCI_PX_CMD_FRE);
    qtest_clock_step(rig->qts, MS);
    rig_write(rig, AHCI_PX_SCTL, SCTL_COMRESET);
    qtest_clock_step(rig->qts, MS);
    rig_write(rig, AHCI_PX_SCTL, SCTL);
    g_assert_cmphex(rig_read(rig, AHCI_PX_SSTS) & 0xf, ==,
                    is_strict(data) ? 0 : 3);
    qtest_clock_step(rig->qts, 10 * MS);
    g_assert_cmphex(rig_read(rig, AHCI_PX_SSTS) & 0xf, ==, 3);
    check_bits(rig, AHCI_PX_SERR, 1 << 26, true);
    check_bits(rig, AHCI_PX_IS, AHCI_PX_IS_PCS, true);
    check_bits(rig, AHCI_PX_TFD, STATUS_BSY, is_strict(data));
    rig_write(rig, AHCI_PX_SERR, ~0u);
    check_bits(rig, AHCI_PX_TFD, STATUS_BSY, false);
    rig_recover(rig);
    rig_check_alive(rig);
    finish(rig, false, NULL);
}

/* ---- Lists ------------------------------------------------------------- */

/* More data than the list has room for: only COMRESET helps [6.1.5]. */
static void test_read_overflow(const void *data)
{
    Rig *rig = start(is_strict(data), "");
    RegH2DFIS fis = fis_lba48(CMD_READ_DMA_EXT, 0, SECTORS);
    Prd list = { ahci_alloc(rig->ahci, BYTES), 1024 };
    const Traced *t;

    rig_fill(rig, 0, &fis, &list, 1);
    rig_ring(rig, 1);
    for (unsigned i = 0; !(rig_read(rig, AHCI_PX_IS) & AHCI_PX_IS_OFS); i++) {
        g_assert_cmpuint(i, <, 100000);
        g_usleep(100);
    }
    g_assert_cmphex(rig_read(rig, AHCI_PX_CI), ==, is_strict(data) ? 1 : 0);
    check_bits(rig, AHCI_PX_IS, AHCI_PX_IS_DHRS, !is_strict(data));
    check_bits(rig, AHCI_PX_TFD, STATUS_BSY, is_strict(data));
    rig_write(rig, AHCI_PX_CMD, AHCI_PX_CMD_FRE);
    qtest_clock_step(rig->qts, MS);
    rig_write(rig, AHCI_PX_CMD, AHCI_PX_CMD_FRE | AHCI_PX_CMD_ST);
    check_bits(rig, AHCI_PX_CMD, AHCI_PX_CMD_CR, !is_strict(data));
    check_comreset_mends(rig);
    rig_stop(rig);
    t = rig_traced(rig, "READ DMA EXT", 0);
    g_assert_cmphex(t->flags, ==, TD_LIST_SHORT);
    g_assert_cmpint(t->status, ==, is_strict(data) ? TD_ERROR : TD_GOOD);
    g_assert_cmpuint(t->bytes, ==, 1024);
    rig_free(rig);
}

/* The disk waits for data that does not come. */
static void test_write_overflow(const void *data)
{
    Rig *rig = start(is_strict(data), "");
    RegH2DFIS fis = fis_lba48(CMD_WRITE_DMA_EXT, 0, SECTORS);
    Prd list = { ahci_alloc(rig->ahci, BYTES), 1024 };

    rig_fill(rig, 0, &fis, &list, 1);
    rig_ring(rig, 1);
    if (is_strict(data)) {
        qtest_clock_step(rig->qts, 30000ll * MS);
        g_assert_cmphex(rig_read(rig, AHCI_PX_CI), ==, 1);
        check_bits(rig, AHCI_PX_TFD, STATUS_BSY, true);
    } else {
        g_assert_cmphex(rig_wait(rig).error, ==, ERROR_ABRT);
    }
    check_comreset_mends(rig);
    rig_stop(rig);
    g_assert_cmpint(rig_traced(rig, "WRITE DMA EXT", 0)->status, ==,
                    is_strict(data) ? TD_ABORTED : TD_ERROR);
    rig_free(rig);
}

/* Bit 0 of DBA does not exist [4.2.3.3]. */
static void test_odd_address(const void *data)
{
    uint8_t pattern[BYTES], found[BYTES];
    Rig *rig = start(is_strict(data), "");
    RegH2DFIS fis = fis_lba48(CMD_READ_DMA_EXT, 0, SECTORS);
    uint64_t addr = ahci_alloc(rig->ahci, BYTES + 512);
    Prd list = { addr + 1, BYTES };

    rig_pattern(pattern, BYTES, 3);
    rig_disk_write(rig, 0, pattern, BYTES);
    rig_run(rig, &fis, &list, 1);
    qtest_memread(rig->qts, addr + !is_strict(data), found, BYTES);
    g_assert_cmpmem(found, BYTES, pattern, BYTES);
    rig_stop(rig);
    g_assert_cmphex(rig_traced(rig, "READ DMA EXT", 0)->elements[0].addr, ==,
                    addr + !is_strict(data));
    if (is_strict(data)) {
        rig_check_guest_error(rig, "odd address or byte count");
    }
    rig_free(rig);
}

/* Bit 0 of DBC is 1: a count is even [4.2.3.3]. */
static void test_odd_count(const void *data)
{
    uint8_t pattern[BYTES], found[BYTES];
    Rig *rig = start(is_strict(data), "");
    RegH2DFIS fis = fis_lba48(CMD_READ_DMA_EXT, 0, SECTORS);
    uint64_t addr = ahci_alloc(rig->ahci, 2 * BYTES);
    Prd list[] = { { addr, 511 }, { addr + BYTES, BYTES - 511 } };
    size_t first = is_strict(data) ? 512 : 511;

    rig_pattern(pattern, BYTES, 4);
    rig_disk_write(rig, 0, pattern, BYTES);
    rig_run(rig, &fis, list, 2);
    qtest_memread(rig->qts, addr, found, first);
    g_assert_cmpmem(found, first, pattern, first);
    qtest_memread(rig->qts, addr + BYTES, found, 100);
    g_assert_cmpmem(found, 100, pattern + first, 100);
    finish(rig, is_strict(data), "odd address or byte count");
}

/* ---- Commands ---------------------------------------------------------- */

/* A FIS of another length than five dwords does not arrive [4.2.2]. */
static void test_fis_length(const void *data)
{
    Rig *rig = start(is_strict(data), "");
    RegH2DFIS fis = fis_lba48(CMD_READ_DMA_EXT, 0, SECTORS);
    Prd list = { ahci_alloc(rig->ahci, BYTES), BYTES };
    AHCICommandHeader header = {
        .flags = 4, .prdtl = 1, .ctba = rig->table[0],
    };
    Outcome o;

    rig_fill(rig, 0, &fis, &list, 1);
    ahci_set_command_header(rig->ahci, rig->port, 0, &header);
    rig_ring(rig, 1);
    o = rig_wait(rig);
    g_assert_cmphex(o.is & AHCI_PX_IS_IFS, ==,
                    is_strict(data) ? AHCI_PX_IS_IFS : 0);
    rig_recover(rig);
    rig_check_alive(rig);
    finish(rig, is_strict(data), "FIS of CFL 4 dwords");
}

/* Reserved fields of a 28-bit command, ACS-3 7.1.3 */
static void test_reserved_count(const void *data)
{
    Rig *rig = start(is_strict(data), "");
    RegH2DFIS fis = fis_lba28(CMD_READ_DMA, 0, SECTORS);
    Prd list = { ahci_alloc(rig->ahci, BYTES), BYTES };
    Outcome o;

    fis.count = cpu_to_le16(0x100 | SECTORS);
    o = rig_run(rig, &fis, &list, 1);
    g_assert_cmphex(o.error, ==, is_strict(data) ? ERROR_ABRT : 0);
    g_assert_cmpuint(o.prdbc, ==, is_strict(data) ? 0 : BYTES);
    rig_recover(rig);
    fis.count = cpu_to_le16(SECTORS);
    g_assert_cmphex(rig_run(rig, &fis, &list, 1).error, ==, 0);
    finish(rig, false, NULL);
}

/* A command that is not queued ends the queued ones, ACS-3 4.14.1. */
static void test_mixed(const void *data)
{
    Rig *rig = start(is_strict(data), SLOW);
    RegH2DFIS queued = fis_ncq(READ_FPDMA_QUEUED, 0, SECTORS, 1);
    RegH2DFIS plain = fis_lba48(CMD_READ_DMA_EXT, 0, SECTORS);
    Prd list = { ahci_alloc(rig->ahci, BYTES), BYTES };

    rig_run(rig, &plain, &list, 1);             /* the first one goes */
    rig_fill(rig, 1, &queued, &list, 1);
    rig_fill(rig, 2, &plain, &list, 1);
    rig_ring_queued(rig, 1 << 1);
    check_bits(rig, AHCI_PX_SACT, 1 << 1, true);
    rig_ring(rig, 1 << 2);
    check_bits(rig, AHCI_PX_IS, AHCI_PX_IS_TFES, is_strict(data));
    check_bits(rig, AHCI_PX_SACT, 1 << 1, true);
    check_bits(rig, AHCI_PX_CI, 1 << 2, true);
    rig_recover(rig);
    rig_stop(rig);
    rig_check_guest_error(rig, "queued and other commands are mixed");
    g_assert_cmpint(rig_traced(rig, "READ FPDMA QUEUED", 0)->status, ==,
                    TD_ABORTED);
    if (is_strict(data)) {
        g_assert_cmphex(rig_traced(rig, "READ DMA EXT", 1)->ata_error, ==,
                        ERROR_ABRT);
    }
    rig_free(rig);
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
