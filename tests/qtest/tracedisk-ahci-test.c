/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk-ahci against drivers that do it wrong: lists and tables outside
 * memory, commands at the wrong time, resets with commands in flight. Each
 * has a defined result, and a trace that tells what the driver did.
 *
 * Clauses in brackets are of AHCI 1.3.1.
 */
#include "rig.h"
#include "qemu/host-utils.h"
#include "hw/pci/pci_regs.h"

#define SECTORS 8
#define BYTES (SECTORS * 512)

/* A disk with known content in its first blocks, and the content. */
static Rig *start_with_pattern(const char *options, uint8_t *data)
{
    Rig *rig = rig_start(options);

    rig_pattern(data, BYTES, 1);
    rig_disk_write(rig, 0, data, BYTES);
    return rig;
}

static Outcome read_to(Rig *rig, const Prd *list, uint16_t n)
{
    RegH2DFIS fis = fis_lba48(CMD_READ_DMA_EXT, 0, SECTORS);

    return rig_run(rig, &fis, list, n);
}

static void check_good(Outcome o, uint32_t bytes)
{
    g_assert_cmphex(o.is & (AHCI_PX_IS_TFES | AHCI_PX_IS_HBFS |
                            AHCI_PX_IS_HBDS | AHCI_PX_IS_IFS), ==, 0);
    g_assert_cmphex(o.status & (STATUS_ERR | STATUS_BSY | STATUS_DRQ), ==, 0);
    g_assert_cmpuint(o.prdbc, ==, bytes);
}

static void check_memory(Rig *rig, uint64_t addr, const void *expected,
                         size_t bytes)
{
    g_autofree uint8_t *found = g_malloc(bytes);

    qtest_memread(rig->qts, addr, found, bytes);
    g_assert_cmpmem(found, bytes, expected, bytes);
}

static void check_elements(const Traced *t, const Prd *list, uint16_t n)
{
    g_assert_cmpuint(t->n_elements, ==, n);
    for (unsigned i = 0; i < n; i++) {
        g_assert_cmphex(t->elements[i].addr, ==, list[i].addr);
        g_assert_cmphex(t->elements[i].len, ==, list[i].len);
    }
}

/* ---- Lists that point at something else than RAM [4.2.3.3] ------------- */

static void check_read_outside(const Prd *list, uint16_t n, uint64_t ram_addr,
                               size_t ram_bytes, size_t ram_offset)
{
    uint8_t data[BYTES];
    Rig *rig = start_with_pattern("", data);
    const Traced *t;

    check_good(read_to(rig, list, n), BYTES);
    check_memory(rig, ram_addr, data + ram_offset, ram_bytes);
    rig_check_alive(rig);
    rig_stop(rig);

    t = rig_traced(rig, "READ DMA EXT", 0);
    check_elements(t, list, n);
    g_assert_cmpint(t->status, ==, TD_GOOD);
    g_assert_cmphex(t->flags, ==, TD_OUTSIDE_RAM);
    g_assert_cmpuint(t->bytes, ==, BYTES);
    g_assert_cmpuint(t->residual, ==, 0);
    rig_free(rig);
}

static void test_end_of_ram(void)
{
    Prd list = { RIG_RAM_BYTES - 1024, BYTES };

    check_read_outside(&list, 1, list.addr, 1024, 0);
}

static void test_hole(void)
{
    Prd list[] = { { RIG_HOLE, 2048 }, { 64 * MiB, 2048 } };

    check_read_outside(list, 2, list[1].addr, 2048, 2048);
}

/* The last bytes of the address space, and what would wrap around it. */
static void test_end_of_address_space(void)
{
    Prd list[] = { { UINT64_MAX - 1023, 2048 }, { 64 * MiB, 2048 } };

    check_read_outside(list, 2, list[1].addr, 2048, 2048);
}

static void test_rom(void)
{
    uint8_t data[BYTES], rom[BYTES];
    Prd list = { RIG_ROM, BYTES };
    Rig *rig = start_with_pattern("", data);

    qtest_memread(rig->qts, RIG_ROM, rom, BYTES);
    check_good(read_to(rig, &list, 1), BYTES);
    check_memory(rig, RIG_ROM, rom, BYTES);
    rig_check_alive(rig);
    rig_stop(rig);
    g_assert_cmphex(rig_traced(rig, "READ DMA EXT", 0)->flags, ==,
                    TD_OUTSIDE_RAM);
    rig_free(rig);
}

/* What the disk reads from a hole is all ones, as a bus without a target. */
static void test_write_from_hole(void)
{
    uint8_t data[BYTES], ones[BYTES];
    RegH2DFIS fis = fis_lba48(CMD_WRITE_DMA_EXT, 0, SECTORS);
    Prd list = { RIG_HOLE, BYTES };
    Rig *rig = start_with_pattern("", data);
    const Traced *t;

    check_good(rig_run(rig, &fis, &list, 1), BYTES);
    memset(ones, 0xff, BYTES);
    rig_disk_read(rig, 0, data, BYTES);
    g_assert_cmpmem(data, BYTES, ones, BYTES);
    rig_stop(rig);
    t = rig_traced(rig, "WRITE DMA EXT", 1);
    check_elements(t, &list, 1);
    g_assert_cmphex(t->flags, ==, TD_OUTSIDE_RAM);
    rig_free(rig);
}

/*
 * Data that goes to the HBA's own registers must not drive the HBA: a disk
 * block that says "PxCI = ~0" would start commands from within a command.
 */
static void test_own_bar(void)
{
    uint8_t data[BYTES];
    Prd list;
    Rig *rig = rig_start("");
    uint64_t bar = rig->ahci->hba_bar.addr;
    uint32_t clb = rig_read(rig, AHCI_PX_CLB);

    memset(data, 0xff, BYTES);
    rig_disk_write(rig, 0, data, BYTES);
    list = (Prd) { bar, BYTES };
    check_good(read_to(rig, &list, 1), BYTES);
    g_assert_cmphex(rig_read(rig, AHCI_PX_CLB), ==, clb);
    g_assert_cmphex(rig_read(rig, AHCI_PX_CI), ==, 0);

    /* And the other way: our registers are no data for the disk. */
    {
        RegH2DFIS fis = fis_lba48(CMD_WRITE_DMA_EXT, 0, SECTORS);

        check_good(rig_run(rig, &fis, &list, 1), BYTES);
    }
    rig_check_alive(rig);
    rig_stop(rig);
    g_assert_cmphex(rig_traced(rig, "READ DMA EXT", 0)->flags, ==,
                    TD_OUTSIDE_RAM);
    rig_check_guest_error(rig, "HBA's own registers");
    rig_free(rig);
}

/* ---- Odd lists [4.2.3.3] ----------------------------------------------- */

static void test_overlap(void)
{
    uint8_t data[BYTES];
    Rig *rig = start_with_pattern("", data);
    uint64_t page = ahci_alloc(rig->ahci, 4096);
    Prd list[] = { { page, 2048 }, { page + 512, 2048 } };
    const Traced *t;

    check_good(read_to(rig, list, 2), BYTES);
    /* Elements are filled in order: the second one's bytes stay. */
    check_memory(rig, page, data, 512);
    check_memory(rig, page + 512, data + 2048, 2048);
    rig_stop(rig);
    t = rig_traced(rig, "READ DMA EXT", 0);
    check_elements(t, list, 2);
    g_assert_cmphex(t->flags, ==, 0);
    rig_free(rig);
}

/* The same page again and again: a driver's scratch page. */
static void test_one_page(void)
{
    uint8_t data[BYTES];
    Rig *rig = start_with_pattern("", data);
    uint64_t page = ahci_alloc(rig->ahci, 4096);
    Prd list[SECTORS];

    for (int i = 0; i < SECTORS; i++) {
        list[i] = (Prd) { page, 512 };
    }
    check_good(read_to(rig, list, SECTORS), BYTES);
    check_memory(rig, page, data + BYTES - 512, 512);
    rig_stop(rig);
    check_elements(rig_traced(rig, "READ DMA EXT", 0), list, SECTORS);
    rig_free(rig);
}

/*
 * Byte counts are even and addresses are on words, says the specification.
 * The smallest entry there can be is one byte.
 */
static void test_one_byte_elements(void)
{
    uint8_t data[BYTES];
    Rig *rig = start_with_pattern("", data);
    uint64_t base = ahci_alloc(rig->ahci, 4096);
    RegH2DFIS fis = fis_lba48(CMD_READ_DMA_EXT, 0, 1);
    Prd list[512];
    uint8_t found[1024];

    for (int i = 0; i < 512; i++) {
        list[i] = (Prd) { base + 2 * i + 1, 1 };
    }
    check_good(rig_run(rig, &fis, list, 512), 512);
    qtest_memread(rig->qts, base, found, sizeof(found));
    for (int i = 0; i < 512; i++) {
        g_assert_cmphex(found[2 * i + 1], ==, data[i]);
    }
    rig_stop(rig);
    check_elements(rig_traced(rig, "READ DMA EXT", 0), list, 512);
    rig_free(rig);
}

static void test_odd_elements(void)
{
    uint8_t data[BYTES];
    Rig *rig = start_with_pattern("", data);
    uint64_t base = ahci_alloc(rig->ahci, 4 * 4096);
    Prd list[] = {
        { base + 1, 511 }, { base + 4095, 3 }, { base + 8193, 3582 },
    };

    check_good(read_to(rig, list, 3), BYTES);
    check_memory(rig, list[0].addr, data, 511);
    check_memory(rig, list[1].addr, data + 511, 3);
    check_memory(rig, list[2].addr, data + 514, 3582);
    rig_stop(rig);
    check_elements(rig_traced(rig, "READ DMA EXT", 0), list, 3);
    rig_free(rig);
}

/* The largest entry: 4 MiB; the disk moves 1 MiB of it. */
static void test_large_element(void)
{
    Rig *rig = rig_start("");
    RegH2DFIS fis = fis_lba48(CMD_READ_DMA_EXT, 0, 2048);
    Prd list = { 64 * MiB, 4 * MiB };
    const Traced *t;

    check_good(rig_run(rig, &fis, &list, 1), 1 * MiB);
    rig_stop(rig);
    t = rig_traced(rig, "READ DMA EXT", 0);
    g_assert_cmphex(t->flags, ==, TD_LIST_LONG);
    g_assert_cmpuint(t->bytes, ==, 1 * MiB);
    g_assert_cmpuint(t->residual, ==, 0);
    rig_free(rig);
}

/* A list longer than the transfer: the rest of it is left alone. */
static void test_list_longer(void)
{
    uint8_t data[BYTES], zeroes[4096] = { 0 };
    Rig *rig = start_with_pattern("", data);
    uint64_t base = ahci_alloc(rig->ahci, 3 * 4096);
    Prd list[] = { { base, 4096 }, { base + 8192, 4096 } };
    const Traced *t;

    qtest_memset(rig->qts, base, 0, 3 * 4096);
    check_good(read_to(rig, list, 2), BYTES);
    check_memory(rig, base, data, BYTES);
    check_memory(rig, base + 8192, zeroes, 4096);
    rig_stop(rig);
    t = rig_traced(rig, "READ DMA EXT", 0);
    check_elements(t, list, 2);
    g_assert_cmphex(t->flags, ==, TD_LIST_LONG);
    g_assert_cmpuint(t->bytes, ==, BYTES);
    rig_free(rig);
}

/* A list shorter than the transfer: overflow, PxIS.OFS [6.1.5]. */
static void test_read_list_shorter(void)
{
    uint8_t data[BYTES], zeroes[1024] = { 0 };
    Rig *rig = start_with_pattern("", data);
    uint64_t page = ahci_alloc(rig->ahci, 4096);
    Prd list = { page, 3072 };
    const Traced *t;
    Outcome o;

    qtest_memset(rig->qts, page, 0, 4096);
    o = read_to(rig, &list, 1);
    ASSERT_BIT_SET(o.is, AHCI_PX_IS_OFS);
    g_assert_cmpuint(o.prdbc, ==, 3072);
    check_memory(rig, page, data, 3072);
    check_memory(rig, page + 3072, zeroes, 1024);
    rig_recover(rig);
    rig_check_alive(rig);
    rig_stop(rig);
    t = rig_traced(rig, "READ DMA EXT", 0);
    g_assert_cmphex(t->flags, ==, TD_LIST_SHORT);
    g_assert_cmpuint(t->bytes, ==, 3072);
    g_assert_cmpuint(t->residual, ==, 1024);
    rig_free(rig);
}

/* A write moves whole blocks, as many as the list has bytes for. */
static void test_write_list_shorter(void)
{
    uint8_t before[BYTES], after[BYTES], found[BYTES];
    Rig *rig = start_with_pattern("", before);
    uint64_t page = ahci_alloc(rig->ahci, 4096);
    RegH2DFIS fis = fis_lba48(CMD_WRITE_DMA_EXT, 0, SECTORS);
    Prd list = { page, 1200 };
    const Traced *t;
    Outcome o;

    rig_pattern(after, BYTES, 2);
    qtest_memwrite(rig->qts, page, after, BYTES);
    o = rig_run(rig, &fis, &list, 1);
    ASSERT_BIT_SET(o.is, AHCI_PX_IS_OFS | AHCI_PX_IS_TFES);
    g_assert_cmpuint(o.prdbc, ==, 1024);
    rig_recover(rig);
    rig_disk_read(rig, 0, found, BYTES);
    g_assert_cmpmem(found, 1024, after, 1024);
    g_assert_cmpmem(found + 1024, BYTES - 1024, before + 1024, BYTES - 1024);
    rig_stop(rig);
    t = rig_traced(rig, "WRITE DMA EXT", 1);
    g_assert_cmpint(t->status, ==, TD_ERROR);
    g_assert_cmphex(t->flags, ==, TD_LIST_SHORT);
    g_assert_cmpuint(t->bytes, ==, 1024);
    g_assert_cmpuint(t->residual, ==, BYTES - 1024);
    rig_free(rig);
}

static void test_no_list(void)
{
    uint8_t data[BYTES];
    Rig *rig = start_with_pattern("", data);
    const Traced *t;
    Outcome o = read_to(rig, NULL, 0);

    ASSERT_BIT_SET(o.is, AHCI_PX_IS_OFS);
    g_assert_cmpuint(o.prdbc, ==, 0);
    rig_recover(rig);
    rig_check_alive(rig);
    rig_stop(rig);
    t = rig_traced(rig, "READ DMA EXT", 0);
    g_assert_cmphex(t->flags, ==, TD_LIST_SHORT);
    g_assert_cmpuint(t->bytes, ==, 0);
    g_assert_cmpuint(t->residual, ==, BYTES);
    rig_free(rig);
}

/* As many entries as PRDTL can count [4.2.2]. */
static void test_most_elements(void)
{
    const uint32_t n = 65535, bytes = 255 * 512;
    Rig *rig = rig_start("");
    uint64_t table = ahci_alloc(rig->ahci, CMD_TBL_SIZ(n));
    uint64_t base = ahci_alloc(rig->ahci, n * 4);
    RegH2DFIS fis = fis_lba48(CMD_READ_DMA_EXT, 0, bytes / 512);
    g_autofree PRD *prdt = g_new0(PRD, n);
    g_autofree uint8_t *data = g_malloc(bytes);
    g_autofree uint8_t *found = g_malloc(n * 4);
    const Traced *t;

    rig_pattern(data, bytes, 3);
    rig_disk_write(rig, 0, data, bytes);
    for (uint32_t i = 0; i < n; i++) {
        prdt[i].dba = cpu_to_le64(base + i * 4);
        prdt[i].dbc = cpu_to_le32(1);
    }
    qtest_memwrite(rig->qts, table, &fis, sizeof(fis));
    qtest_memwrite(rig->qts, table + 0x80, prdt, n * sizeof(PRD));
    rig_fill_header(rig, 0, n, table);
    rig_ring(rig, 1);
    check_good(rig_wait(rig), bytes);
    qtest_memread(rig->qts, base, found, n * 4);
    for (uint32_t i = 0; i < bytes; i++) {
        g_assert_cmphex(found[i / 2 * 4 + i % 2], ==, data[i]);
    }
    rig_stop(rig);
    t = rig_traced(rig, "READ DMA EXT", 0);
    g_assert_cmpuint(t->n_elements, ==, n);
    for (uint32_t i = 0; i < n; i++) {
        g_assert_cmphex(t->elements[i].addr, ==, base + i * 4);
        g_assert_cmphex(t->elements[i].len, ==, 2);
    }
    g_assert_cmphex(t->flags, ==, TD_LIST_LONG);
    rig_free(rig);
}

/*
 * PxIS.DPS, an interrupt when an entry with the I bit has been filled [5.4.2].
 * QEMU's own HBA has none, and ours like it, but for strict=on.
 */
static void check_descriptor_processed(const char *options, bool expected)
{
    Rig *rig = rig_start(options);
    RegH2DFIS fis = fis_lba48(CMD_READ_DMA_EXT, 0, 2);
    Prd list[] = { { 64 * MiB, 512 }, { 65 * MiB, 512, .interrupt = true } };
    RegH2DFIS half = fis_lba48(CMD_READ_DMA_EXT, 0, 1);

    g_assert_cmphex(rig_run(rig, &fis, list, 2).is & AHCI_PX_IS_DPS, ==,
                    expected ? AHCI_PX_IS_DPS : 0);
    /* That entry is not reached. */
    g_assert_cmphex(rig_run(rig, &half, list, 2).is & AHCI_PX_IS_DPS, ==, 0);
    rig_stop(rig);
    rig_free(rig);
}

static void test_descriptor_processed(void)
{
    check_descriptor_processed("", false);
    check_descriptor_processed(",strict=on", true);
}

/* ---- Structures outside memory [6.1.2] --------------------------------- */

static void check_host_bus_fatal(Rig *rig)
{
    rig_ring(rig, 1);
    ASSERT_BIT_SET(rig_wait(rig).is, AHCI_PX_IS_HBFS);
    /* The port stands still until the driver has stopped and started it. */
    rig_recover(rig);
    rig_check_alive(rig);
    rig_stop(rig);
    rig_check_guest_error(rig, "not in memory");
    rig_free(rig);
}

static void test_table_in_hole(void)
{
    Rig *rig = rig_start("");

    rig_fill_header(rig, 0, 1, RIG_HOLE);
    check_host_bus_fatal(rig);
}

/* The table is in memory, its PRDT is not. */
static void test_prdt_beyond_ram(void)
{
    Rig *rig = rig_start("");
    RegH2DFIS fis = fis_lba48(CMD_READ_DMA_EXT, 0, SECTORS);
    uint64_t table = RIG_RAM_BYTES - 0x100;

    qtest_memwrite(rig->qts, table, &fis, sizeof(fis));
    rig_fill_header(rig, 0, 65535, table);
    check_host_bus_fatal(rig);
}

static void test_list_in_hole(void)
{
    Rig *rig = rig_start("");
    uint32_t clb = rig_read(rig, AHCI_PX_CLB);
    uint32_t cmd = rig_read(rig, AHCI_PX_CMD);

    rig_write(rig, AHCI_PX_CMD, cmd & ~AHCI_PX_CMD_ST);
    rig_write(rig, AHCI_PX_CLB, RIG_HOLE);
    rig_write(rig, AHCI_PX_CMD, cmd);
    rig_ring(rig, 1);
    ASSERT_BIT_SET(rig_read(rig, AHCI_PX_IS), AHCI_PX_IS_HBFS);
    rig_write(rig, AHCI_PX_CMD, cmd & ~AHCI_PX_CMD_ST);
    rig_write(rig, AHCI_PX_CLB, clb);
    rig_recover(rig);
    rig_check_alive(rig);
    rig_stop(rig);
    rig_check_guest_error(rig, "not in memory");
    rig_free(rig);
}

/* Commands run all the same; their FISes have nowhere to go. */
static void check_fis_area(Rig *rig, uint64_t fb)
{
    uint8_t data[BYTES];
    uint64_t page = ahci_alloc(rig->ahci, 4096);
    uint32_t cmd = rig_read(rig, AHCI_PX_CMD);
    RegH2DFIS fis = fis_ncq(READ_FPDMA_QUEUED, 0, SECTORS, 5);
    Prd list = { page, BYTES };

    rig_write(rig, AHCI_PX_CMD, cmd & ~AHCI_PX_CMD_ST);
    rig_write(rig, AHCI_PX_CMD, cmd & ~(AHCI_PX_CMD_ST | AHCI_PX_CMD_FRE));
    rig_write(rig, AHCI_PX_FB, fb);
    rig_write(rig, AHCI_PX_CMD, cmd & ~AHCI_PX_CMD_ST);
    rig_write(rig, AHCI_PX_CMD, cmd);
    rig_pattern(data, BYTES, 1);
    rig_disk_write(rig, 0, data, BYTES);
    rig_run(rig, &fis, &list, 1);
    check_memory(rig, page, data, BYTES);
    rig_check_alive(rig);
    rig_stop(rig);
    rig_check_guest_error(rig, "PxFB");
    rig_free(rig);
}

static void test_fis_area_in_hole(void)
{
    check_fis_area(rig_start(""), RIG_HOLE);
}

/* A FIS must not drive the HBA that writes it. */
static void test_fis_area_in_own_bar(void)
{
    Rig *rig = rig_start("");

    check_fis_area(rig, rig->ahci->hba_bar.addr);
}

/* Nor must a byte count: it would be written to GHC, or PxCLBU. */
static void test_list_in_own_bar(void)
{
    Rig *rig = rig_start("");
    uint32_t cmd = rig_read(rig, AHCI_PX_CMD);
    uint32_t clb = rig_read(rig, AHCI_PX_CLB);

    rig_write(rig, AHCI_PX_CMD, cmd & ~AHCI_PX_CMD_ST);
    rig_write(rig, AHCI_PX_CLB, rig->ahci->hba_bar.addr);
    rig_write(rig, AHCI_PX_CMD, cmd);
    rig_ring(rig, ~0u);
    rig_write(rig, AHCI_PX_CMD, cmd & ~AHCI_PX_CMD_ST);
    g_assert_cmphex(rig_read(rig, AHCI_PX_CLB), ==, rig->ahci->hba_bar.addr);
    rig_write(rig, AHCI_PX_CLB, clb);
    rig_recover(rig);
    rig_check_alive(rig);
    rig_stop(rig);
    rig_free(rig);
}

/* ---- At the wrong time ------------------------------------------------- */

/* PxCMD.FRE must be set before PxCMD.ST [10.3.1]. */
static void test_start_without_fis_receive(void)
{
    uint8_t data[BYTES];
    Rig *rig = start_with_pattern("", data);
    uint64_t page = ahci_alloc(rig->ahci, 4096);
    uint32_t cmd = rig_read(rig, AHCI_PX_CMD) &
                   ~(AHCI_PX_CMD_ST | AHCI_PX_CMD_FRE);
    Prd list = { page, BYTES };

    rig_write(rig, AHCI_PX_CMD, cmd | AHCI_PX_CMD_FRE);
    rig_write(rig, AHCI_PX_CMD, cmd);
    rig_write(rig, AHCI_PX_CMD, cmd | AHCI_PX_CMD_ST);
    check_good(read_to(rig, &list, 1), BYTES);
    check_memory(rig, page, data, BYTES);
    rig_stop(rig);
    rig_check_guest_error(rig, "PxCMD.ST set without PxCMD.FRE");
    rig_free(rig);
}

/* PxCI may be written while PxCMD.ST is set only [3.3.14]. */
static void test_issue_while_stopped(void)
{
    uint8_t data[BYTES];
    Rig *rig = start_with_pattern("", data);
    uint64_t page = ahci_alloc(rig->ahci, 4096);
    RegH2DFIS fis = fis_lba48(CMD_READ_DMA_EXT, 0, SECTORS);
    Prd list = { page, BYTES };
    uint32_t cmd = rig_read(rig, AHCI_PX_CMD);

    rig_fill(rig, 0, &fis, &list, 1);
    rig_write(rig, AHCI_PX_CMD, cmd & ~AHCI_PX_CMD_ST);
    rig_ring_queued(rig, 1);
    g_assert_cmphex(rig_read(rig, AHCI_PX_CI), ==, 0);
    g_assert_cmphex(rig_read(rig, AHCI_PX_SACT), ==, 0);
    rig_write(rig, AHCI_PX_CMD, cmd);
    rig_check_alive(rig);
    rig_stop(rig);
    rig_check_guest_error(rig, "PxCI written while PxCMD.ST is clear");
    rig_free(rig);
}

/* A drive that takes a tenth of a second for a command. */
#define HELD ",throttling.iops-total=10"

/* One that takes half a second, for what must happen meanwhile. */
#define VERY_SLOW ",throttling.iops-total=2"

/* Long enough for some commands of a drive that is HELD. */
static void let_time_pass(void)
{
    g_usleep(350 * 1000);
}

/* While COMRESET goes on there is no disk to send a command to [3.3.11]. */
static void test_issue_while_link_is_down(void)
{
    Rig *rig = rig_start("");
    RegH2DFIS fis = fis_lba48(CMD_READ_DMA_EXT, 0, SECTORS);
    Prd list = { 64 * MiB, BYTES };

    rig_fill(rig, 0, &fis, &list, 1);
    rig_write(rig, AHCI_PX_SCTL, 0x301);
    g_assert_cmphex(rig_read(rig, AHCI_PX_SSTS) & 0xf, !=, 3);
    rig_ring(rig, 1);
    let_time_pass();
    g_assert_cmphex(rig_read(rig, AHCI_PX_CI), ==, 1);
    rig_write(rig, AHCI_PX_SCTL, 0x300);
    rig_recover(rig);
    rig_check_alive(rig);
    rig_stop(rig);
    /* The two of rig_check_alive(). */
    g_assert_cmpuint(rig->commands->len, ==, 2);
    rig_check_guest_error(rig, "PxSCTL.DET changed while PxCMD.ST is set");
    rig_free(rig);
}

/* Issued while the disk is busy: served one after another [5.3]. */
static void test_issue_while_busy(void)
{
    Rig *rig = rig_start_with(VERY_SLOW, "");
    RegH2DFIS fis = fis_lba48(CMD_READ_DMA_EXT, 0, SECTORS);
    Prd list = { 64 * MiB, BYTES };

    for (int slot = 0; slot < 4; slot++) {
        rig_fill(rig, slot, &fis, &list, 1);
    }
    rig_ring(rig, 1);
    rig_ring(rig, 2);
    ASSERT_BIT_SET(rig_read(rig, AHCI_PX_TFD), AHCI_PX_TFD_STS_BSY);
    rig_ring(rig, 0xc);
    check_good(rig_wait(rig), BYTES);
    rig_stop(rig);
    g_assert_cmpuint(rig->commands->len, ==, 4);
    for (int i = 0; i < 4; i++) {
        g_assert_cmpuint(rig_traced(rig, NULL, i)->tag, ==, i);
        g_assert_cmpint(rig_traced(rig, NULL, i)->status, ==, TD_GOOD);
    }
    rig_free(rig);
}

/* Queued and other commands do not mix (ACS-3 4.14.1). */
static void test_mixed(void)
{
    Rig *rig = rig_start_with(VERY_SLOW, "");
    RegH2DFIS queued = fis_ncq(READ_FPDMA_QUEUED, 0, SECTORS, 0);
    RegH2DFIS plain = fis_lba48(CMD_READ_DMA_EXT, 0, SECTORS);
    Prd list = { 64 * MiB, BYTES };

    for (int slot = 0; slot < 4; slot++) {
        queued.count = cpu_to_le16(slot << 3);
        rig_fill(rig, slot, slot < 2 ? &queued : &plain, &list, 1);
    }
    rig_ring_queued(rig, 3);
    rig_ring(rig, 4);
    rig_ring(rig, 8);
    ASSERT_BIT_CLEAR(rig_wait(rig).is, AHCI_PX_IS_TFES);
    rig_stop(rig);
    g_assert_cmpuint(rig->commands->len, ==, 4);
    rig_check_guest_error(rig, "queued and other commands are mixed");
    rig_free(rig);
}

/* The tag is the slot's number [5.6.4.1]. */
static void test_wrong_tag(void)
{
    Rig *rig = rig_start("");
    RegH2DFIS fis = fis_ncq(READ_FPDMA_QUEUED, 0, SECTORS, 9);
    Prd list = { 64 * MiB, BYTES };

    rig_fill(rig, 4, &fis, &list, 1);
    rig_ring_queued(rig, 1 << 4);
    rig_wait(rig);
    rig_stop(rig);
    rig_check_guest_error(rig, "NCQ tag 9 differs");
    rig_free(rig);
}

/* A FIS that is no Register Host to Device FIS: interface error [6.1.3]. */
static void test_wrong_fis_type(void)
{
    Rig *rig = rig_start("");
    RegH2DFIS fis = fis_lba48(CMD_READ_DMA_EXT, 0, SECTORS);
    Prd list = { 64 * MiB, BYTES };
    Outcome o;

    fis.fis_type = REG_D2H_FIS;
    o = rig_run(rig, &fis, &list, 1);
    ASSERT_BIT_SET(o.is, AHCI_PX_IS_IFS);
    rig_recover(rig);
    rig_check_alive(rig);
    rig_stop(rig);
    rig_check_guest_error(rig, "FIS type 0x34");
    rig_free(rig);
}

/* ---- Registers [2.2] --------------------------------------------------- */

static void test_register_sizes(void)
{
    Rig *rig = rig_start(",registers=on");
    AHCIQState *ahci = rig->ahci;
    size_t px = 0x100 + 0x80 * rig->port;
    uint32_t cap = ahci_rreg(ahci, AHCI_CAP);
    uint32_t pi = ahci_rreg(ahci, AHCI_PI);
    uint32_t ie = rig_read(rig, AHCI_PX_IE);

    for (int i = 0; i < 4; i++) {
        g_assert_cmphex(qpci_io_readb(ahci->dev, ahci->hba_bar, i), ==,
                        (uint8_t)(cap >> i * 8));
    }
    g_assert_cmphex(qpci_io_readw(ahci->dev, ahci->hba_bar, 2), ==, cap >> 16);
    g_assert_cmphex(qpci_io_readq(ahci->dev, ahci->hba_bar, 8), ==,
                    (uint64_t)pi << 32 | ahci_rreg(ahci, AHCI_IS));
    /* Narrow writes have no effect; a wide one is two. */
    qpci_io_writeb(ahci->dev, ahci->hba_bar, px + 0x14, 0);
    qpci_io_writew(ahci->dev, ahci->hba_bar, px + 0x16, 0);
    g_assert_cmphex(rig_read(rig, AHCI_PX_IE), ==, ie);
    qpci_io_writeq(ahci->dev, ahci->hba_bar, px + 0x10, 0);
    g_assert_cmphex(rig_read(rig, AHCI_PX_IE), ==, 0);
    /* Where no register is, nothing is. */
    g_assert_cmphex(qpci_io_readl(ahci->dev, ahci->hba_bar, 0x1ffc), ==, 0);
    qpci_io_writel(ahci->dev, ahci->hba_bar, 0x1ffc, ~0u);
    rig_check_alive(rig);
    rig_stop(rig);
    g_assert_cmpuint(rig_count(rig, TD_EVENT_GUEST_ERROR, "byte write"), ==,
                     2);
    g_assert_cmpuint(rig_count(rig, TD_EVENT_REGISTER_WRITE, ""), >, 5);
    g_assert_cmpuint(rig_count(rig, TD_EVENT_REGISTER_READ, ""), >, 5);
    rig_free(rig);
}

/* The line follows PxIS, PxIE and GHC.IE; IS stays until cleared [10.7.2]. */
static void test_interrupt_line(void)
{
    Rig *rig = rig_start(",registers=on");
    RegH2DFIS fis = fis_lba48(CMD_READ_DMA_EXT, 0, SECTORS);
    Prd list = { 64 * MiB, BYTES };
    uint16_t status;

    rig_fill(rig, 0, &fis, &list, 1);
    rig_ring(rig, 1);
    rig_wait(rig);
    status = qpci_config_readw(rig->ahci->dev, PCI_STATUS);
    ASSERT_BIT_SET(status, PCI_STATUS_INTERRUPT);
    g_assert_cmphex(ahci_rreg(rig->ahci, AHCI_IS), ==, 1);
    rig_write(rig, AHCI_PX_IS, ~0u);
    g_assert_cmphex(ahci_rreg(rig->ahci, AHCI_IS), ==, 1);
    ahci_wreg(rig->ahci, AHCI_IS, 1);
    status = qpci_config_readw(rig->ahci->dev, PCI_STATUS);
    ASSERT_BIT_CLEAR(status, PCI_STATUS_INTERRUPT);
    /* Cleared in the wrong order IS is set again at once [5.5.3]. */
    rig_ring(rig, 1);
    rig_wait(rig);
    ahci_wreg(rig->ahci, AHCI_IS, 1);
    g_assert_cmphex(ahci_rreg(rig->ahci, AHCI_IS), ==, 1);
    rig_stop(rig);
    g_assert_cmpuint(rig_count(rig, TD_EVENT_INTERRUPT, "intx"), >=, 3);
    rig_free(rig);
}

/* ---- Resets with 32 commands in flight [10.4] -------------------------- */

typedef struct ResetCase {
    const char *name;
    bool queued;
    void (*reset)(Rig *rig);
    const char *event;
} ResetCase;

static void reset_hba(Rig *rig)
{
    /* A port's registers are gone, but for PxCLB and PxFB [10.4.3]. */
    ahci_wreg(rig->ahci, AHCI_GHC, AHCI_GHC_HR);
    g_assert_cmphex(rig_read(rig, AHCI_PX_CMD) & AHCI_PX_CMD_ST, ==, 0);
    ahci_wreg(rig->ahci, AHCI_GHC, AHCI_GHC_AE | AHCI_GHC_IE);
    rig_write(rig, AHCI_PX_CMD, AHCI_PX_CMD_FRE);
}

static void reset_port(Rig *rig)
{
    rig_write(rig, AHCI_PX_SCTL, 0x301);
    rig_write(rig, AHCI_PX_SCTL, 0x300);
    g_assert_cmphex(rig_read(rig, AHCI_PX_SSTS) & 0xf, ==, 3);
}

static void reset_by_stop(Rig *rig)
{
    rig_write(rig, AHCI_PX_CMD,
              rig_read(rig, AHCI_PX_CMD) & ~AHCI_PX_CMD_ST);
}

static void reset_machine(Rig *rig)
{
    qtest_system_reset(rig->qts);
}

static const ResetCase resets[] = {
    { "hba/queued", true, reset_hba, "hba" },
    { "hba/not-queued", false, reset_hba, "hba" },
    { "comreset/queued", true, reset_port, "comreset" },
    { "comreset/not-queued", false, reset_port, "comreset" },
    { "stop/queued", true, reset_by_stop, NULL },
    { "stop/not-queued", false, reset_by_stop, NULL },
};

static void fill_all(Rig *rig, bool queued, uint64_t base)
{
    for (unsigned slot = 0; slot < RIG_SLOTS; slot++) {
        RegH2DFIS fis = queued ?
            fis_ncq(READ_FPDMA_QUEUED, slot * SECTORS, SECTORS, slot) :
            fis_lba48(CMD_READ_DMA_EXT, slot * SECTORS, SECTORS);
        Prd list = { base + slot * BYTES, BYTES };

        rig_fill(rig, slot, &fis, &list, 1);
    }
    if (queued) {
        rig_ring_queued(rig, ~0u);
    } else {
        rig_ring(rig, ~0u);
    }
}

static unsigned count_status(Rig *rig, enum td_status status)
{
    unsigned count = 0;

    for (unsigned i = 0; i < rig->commands->len; i++) {
        count += rig_traced(rig, NULL, i)->status == status;
    }
    return count;
}

/*
 * The drive is slow, the commands are there when the reset comes. After it
 * nothing of them may reach guest memory or registers.
 */
static void test_reset(gconstpointer data)
{
    const ResetCase *c = data;
    Rig *rig = rig_start_with(HELD, "");
    uint64_t base = ahci_alloc(rig->ahci, RIG_SLOTS * BYTES);
    g_autofree uint8_t *marked = g_malloc(RIG_SLOTS * BYTES);
    unsigned issued = c->queued ? RIG_SLOTS : 1;

    fill_all(rig, c->queued, base);
    g_assert_cmphex(rig_read(rig, c->queued ? AHCI_PX_SACT : AHCI_PX_CI), !=,
                    0);
    c->reset(rig);
    g_assert_cmphex(rig_read(rig, AHCI_PX_CI), ==, 0);
    g_assert_cmphex(rig_read(rig, AHCI_PX_SACT), ==, 0);

    memset(marked, 0x5a, RIG_SLOTS * BYTES);
    qtest_memwrite(rig->qts, base, marked, RIG_SLOTS * BYTES);
    let_time_pass();
    check_memory(rig, base, marked, RIG_SLOTS * BYTES);
    rig_recover(rig);
    rig_stop(rig);
    /* The first ones get through the throttle before the reset. */
    g_assert_cmpuint(rig->commands->len, >=, issued);
    g_assert_cmpuint(count_status(rig, TD_ABORTED), >=,
                     c->queued ? RIG_SLOTS / 2 : 1);
    g_assert_cmpuint(count_status(rig, TD_ERROR), ==, 0);
    if (c->event) {
        g_assert_cmpuint(rig_count(rig, TD_EVENT_RESET, c->event), >, 0);
    } else {
        rig_check_guest_error(rig, "cleared with commands in flight");
    }
    rig_free(rig);
}

/* SRST comes as a pair of FISes through slots of their own [10.4.1]. */
static void send_srst(Rig *rig, unsigned slot)
{
    RegH2DFIS fis = { .fis_type = REG_H2D_FIS, .control = 0x04 };

    rig_fill(rig, slot, &fis, NULL, 0);
    rig_ring(rig, 1u << slot);
    fis.control = 0;
    rig_fill(rig, slot, &fis, NULL, 0);
    rig_ring(rig, 1u << slot);
}

static void test_reset_soft(void)
{
    Rig *rig = rig_start_with(HELD, "");
    uint64_t base = ahci_alloc(rig->ahci, RIG_SLOTS * BYTES);
    uint32_t cmd = rig_read(rig, AHCI_PX_CMD);

    fill_all(rig, true, base);
    rig_write(rig, AHCI_PX_CMD, cmd & ~AHCI_PX_CMD_ST);
    rig_write(rig, AHCI_PX_CMD, (cmd & ~AHCI_PX_CMD_ST) | AHCI_PX_CMD_CLO);
    rig_write(rig, AHCI_PX_CMD, cmd);
    send_srst(rig, 0);
    g_assert_cmphex(rig_read(rig, AHCI_PX_SIG), ==, 0x101);
    g_assert_cmphex(rig_read(rig, AHCI_PX_TFD), ==, 0x150);
    g_assert_cmphex(rig_read(rig, AHCI_PX_CI), ==, 0);
    rig_stop(rig);
    g_assert_cmpuint(rig_count(rig, TD_EVENT_RESET, "software"), ==, 1);
    rig_free(rig);
}

/*
 * Without stopping the port first, which a driver must not do: the disk drops
 * what it had, and none of it reaches memory afterwards.
 */
static void test_reset_soft_running(void)
{
    Rig *rig = rig_start_with(HELD, "");
    uint64_t base = ahci_alloc(rig->ahci, RIG_SLOTS * BYTES);
    g_autofree uint8_t *marked = g_malloc(RIG_SLOTS * BYTES);

    for (unsigned slot = 0; slot < RIG_SLOTS - 1; slot++) {
        RegH2DFIS fis = fis_ncq(READ_FPDMA_QUEUED, slot, SECTORS, slot);
        Prd list = { base + slot * BYTES, BYTES };

        rig_fill(rig, slot, &fis, &list, 1);
    }
    rig_ring_queued(rig, ~0u >> 1);
    send_srst(rig, 31);
    memset(marked, 0x5a, RIG_SLOTS * BYTES);
    qtest_memwrite(rig->qts, base, marked, RIG_SLOTS * BYTES);
    let_time_pass();
    check_memory(rig, base, marked, RIG_SLOTS * BYTES);
    rig_recover(rig);
    rig_stop(rig);
    g_assert_cmpuint(rig_count(rig, TD_EVENT_RESET, "software"), ==, 1);
    g_assert_cmpuint(count_status(rig, TD_ABORTED), >=, RIG_SLOTS / 2);
    rig_check_guest_error(rig, "software reset with commands in flight");
    rig_free(rig);
}

static void test_reset_machine(void)
{
    Rig *rig = rig_start_with(HELD, "");
    uint64_t base = ahci_alloc(rig->ahci, RIG_SLOTS * BYTES);

    fill_all(rig, true, base);
    reset_machine(rig);
    rig_stop(rig);
    g_assert_cmpuint(count_status(rig, TD_ABORTED), >=, RIG_SLOTS / 2);
    rig_free(rig);
}

/* ---- NCQ error recovery [6.2.2.2], ACS-3 4.14.2, A.13 ------------------ */

static void test_ncq_error(void)
{
    uint8_t data[BYTES], log[512], sum = 0;
    Rig *rig = start_with_pattern("", data);
    uint64_t page = ahci_alloc(rig->ahci, 4096);
    Prd list = { page, BYTES }, log_list = { page, 512 };
    RegH2DFIS bad = fis_ncq(READ_FPDMA_QUEUED, RIG_BLOCKS, SECTORS, 7);
    RegH2DFIS good = fis_ncq(READ_FPDMA_QUEUED, 0, SECTORS, 8);
    RegH2DFIS read_log = fis_plain(0x2f, 0, 1);
    Outcome o;

    o = rig_run(rig, &bad, &list, 1);
    ASSERT_BIT_SET(o.is, AHCI_PX_IS_TFES | AHCI_PX_IS_SDBS);
    g_assert_cmphex(o.error, ==, ERROR_IDNF);
    g_assert_cmphex(rig_read(rig, AHCI_PX_SACT), ==, 1 << 7);
    rig_recover(rig);

    /* Until the log is read the disk refuses queued commands. */
    o = rig_run(rig, &good, &list, 1);
    ASSERT_BIT_SET(o.is, AHCI_PX_IS_TFES);
    g_assert_cmphex(o.error, ==, ERROR_ABRT);
    rig_recover(rig);

    read_log.lba_lo[0] = 0x10;
    check_good(rig_run(rig, &read_log, &log_list, 1), 512);
    qtest_memread(rig->qts, page, log, 512);
    g_assert_cmphex(log[0], ==, 7);
    ASSERT_BIT_SET(log[2], STATUS_ERR);
    g_assert_cmphex(log[3], ==, ERROR_IDNF);
    for (int i = 0; i < 512; i++) {
        sum += log[i];
    }
    g_assert_cmphex(sum, ==, 0);

    o = rig_run(rig, &good, &list, 1);
    ASSERT_BIT_CLEAR(o.is, AHCI_PX_IS_TFES);
    check_memory(rig, page, data, BYTES);
    rig_stop(rig);
    g_assert_cmphex(rig_traced(rig, "READ FPDMA QUEUED", 0)->ata_error, ==,
                    ERROR_IDNF);
    g_assert_cmpint(rig_traced(rig, "READ FPDMA QUEUED", 2)->status, ==,
                    TD_GOOD);
    rig_free(rig);
}

/* The others in flight end without a word; they stay in PxSACT. */
static void test_ncq_error_among_others(void)
{
    Rig *rig = rig_start_with(HELD, "");
    uint64_t base = ahci_alloc(rig->ahci, RIG_SLOTS * BYTES);
    RegH2DFIS bad = fis_ncq(READ_FPDMA_QUEUED, RIG_BLOCKS, 1, 1);
    Prd list = { base, 512 };
    uint32_t sact;

    fill_all(rig, true, base);
    /* Slot 1 is the first that is served: use it again. */
    while (rig_read(rig, AHCI_PX_SACT) & 2) {
        g_usleep(100);
    }
    rig_fill(rig, 1, &bad, &list, 1);
    rig_ring_queued(rig, 2);
    ASSERT_BIT_SET(rig_wait(rig).is, AHCI_PX_IS_TFES);
    sact = rig_read(rig, AHCI_PX_SACT);
    g_assert_cmpuint(ctpop32(sact), >, RIG_SLOTS / 2);
    ASSERT_BIT_SET(sact, 2);
    let_time_pass();
    g_assert_cmphex(rig_read(rig, AHCI_PX_SACT), ==, sact);
    rig_recover(rig);
    rig_stop(rig);
    g_assert_cmpuint(count_status(rig, TD_ERROR), ==, 1);
    g_assert_cmpuint(count_status(rig, TD_ABORTED), ==, ctpop32(sact) - 1);
    rig_free(rig);
}

/* ---- Several ports ----------------------------------------------------- */

static void test_ports(void)
{
    char *second;
    g_autofree char *drive = NULL;
    uint8_t data[BYTES], found[BYTES];
    Rig *rig;
    int fd = g_file_open_tmp("tracedisk-XXXXXX.img", &second, NULL);

    g_assert_cmpint(ftruncate(fd, RIG_DISK_BYTES), ==, 0);
    close(fd);
    drive = g_strdup_printf(" -drive if=none,id=d1,format=raw,file=%s",
                            second);
    rig = rig_start_with(drive, ",ports=4,drive1=d1");
    g_assert_cmphex(ahci_rreg(rig->ahci, AHCI_PI), ==, 0xf);
    /* Nothing is attached to ports 2 and 3 [3.3.10]. */
    g_assert_cmphex(ahci_px_rreg(rig->ahci, 2, AHCI_PX_SSTS) & 0xf, ==, 0);

    rig_pattern(data, BYTES, 1);
    rig_disk_write(rig, 0, data, BYTES);
    rig->port = 1;
    rig_disk_read(rig, 0, found, BYTES);
    g_assert_cmphex(found[0], ==, 0);
    rig_pattern(data, BYTES, 2);
    rig_disk_write(rig, 0, data, BYTES);
    rig_disk_read(rig, 0, found, BYTES);
    g_assert_cmpmem(data, BYTES, found, BYTES);
    /* A command for a port without a disk goes nowhere. */
    rig->port = 2;
    rig_write(rig, AHCI_PX_CMD, AHCI_PX_CMD_FRE | AHCI_PX_CMD_ST);
    rig_ring(rig, 1);
    rig->port = 0;
    rig_check_alive(rig);
    rig_stop(rig);
    rig_free(rig);
    unlink(second);
    g_free(second);
}

/* ---- Anything at all --------------------------------------------------- */

/*
 * A driver gone mad: random registers, random commands with random lists. It
 * must neither crash nor hang, and a port reset brings the disk back.
 */
static void test_madness(void)
{
    static const uint8_t commands[] = {
        0x06, 0x20, 0x25, 0x2f, 0x35, 0x3f, 0x45, 0x47, 0x60, 0x61, 0xb0, 0xc4,
        0xc6, 0xc8, 0xca, 0xe7, 0xea, 0xec, 0xef, 0x42, 0x00, 0xff,
    };
    Rig *rig = rig_start("");
    uint32_t clb = rig_read(rig, AHCI_PX_CLB);
    uint32_t fb = rig_read(rig, AHCI_PX_FB);
    uint64_t where[] = { RIG_HOLE, RIG_ROM, RIG_RAM_BYTES - 700, 64 * MiB,
                         rig->ahci->hba_bar.addr, clb, fb, rig->table[3] };

    for (int round = 0; round < 3000; round++) {
        unsigned slot = g_test_rand_int_range(0, RIG_SLOTS);
        uint8_t command = commands[g_test_rand_int_range(0,
                                                    ARRAY_SIZE(commands))];
        RegH2DFIS fis = fis_ncq(command, g_test_rand_int_range(0, 2048),
                                g_test_rand_int_range(0, 64), slot);
        Prd list[4];

        for (int i = 0; i < 4; i++) {
            list[i].addr = where[g_test_rand_int_range(0, 8)] +
                           g_test_rand_int_range(0, 64);
            list[i].len = g_test_rand_int_range(1, 9000);
        }
        if (g_test_rand_bit()) {
            fis.flags = g_test_rand_int_range(0, 256);
        }
        fis.control = g_test_rand_int_range(0, 16) ? 0 : 4;
        rig_fill(rig, slot, &fis, list, g_test_rand_int_range(0, 5));
        if (g_test_rand_int_range(0, 4)) {
            rig_ring_queued(rig, 1u << slot);
        } else if (g_test_rand_int_range(0, 8)) {
            rig_write(rig, g_test_rand_int_range(4, 15), g_test_rand_int());
        } else {
            rig_write(rig, g_test_rand_bit() ? AHCI_PX_CLB : AHCI_PX_FB,
                      where[g_test_rand_int_range(0, 8)]);
        }
        if (rig_read(rig, AHCI_PX_IS) >> 24 || round % 16 == 0) {
            rig_write(rig, AHCI_PX_CLB, clb);
            rig_write(rig, AHCI_PX_FB, fb);
            reset_port(rig);
            rig_recover(rig);
        }
    }
    rig_write(rig, AHCI_PX_CMD, 0);
    reset_port(rig);
    rig_write(rig, AHCI_PX_CLB, clb);
    rig_write(rig, AHCI_PX_FB, fb);
    rig_write(rig, AHCI_PX_CMD, AHCI_PX_CMD_FRE);
    rig_recover(rig);
    rig_check_alive(rig);
    rig_stop(rig);
    g_assert_cmpuint(rig->commands->len, >, 100);
    rig_free(rig);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);

    qtest_add_func("/tracedisk/ahci/bad-prdt/end-of-ram", test_end_of_ram);
    qtest_add_func("/tracedisk/ahci/bad-prdt/hole", test_hole);
    qtest_add_func("/tracedisk/ahci/bad-prdt/end-of-address-space",
                   test_end_of_address_space);
    qtest_add_func("/tracedisk/ahci/bad-prdt/rom", test_rom);
    qtest_add_func("/tracedisk/ahci/bad-prdt/write-from-hole",
                   test_write_from_hole);
    qtest_add_func("/tracedisk/ahci/bad-prdt/own-bar", test_own_bar);
    qtest_add_func("/tracedisk/ahci/bad-prdt/overlap", test_overlap);
    qtest_add_func("/tracedisk/ahci/bad-prdt/one-page", test_one_page);
    qtest_add_func("/tracedisk/ahci/bad-prdt/one-byte-elements",
                   test_one_byte_elements);
    qtest_add_func("/tracedisk/ahci/bad-prdt/odd-elements",
                   test_odd_elements);
    qtest_add_func("/tracedisk/ahci/prdt/large-element", test_large_element);
    qtest_add_func("/tracedisk/ahci/prdt/most-elements", test_most_elements);
    qtest_add_func("/tracedisk/ahci/prdt/interrupt-bit",
                   test_descriptor_processed);
    qtest_add_func("/tracedisk/ahci/bad-prdt/longer", test_list_longer);
    qtest_add_func("/tracedisk/ahci/bad-prdt/shorter/read",
                   test_read_list_shorter);
    qtest_add_func("/tracedisk/ahci/bad-prdt/shorter/write",
                   test_write_list_shorter);
    qtest_add_func("/tracedisk/ahci/bad-prdt/none", test_no_list);
    qtest_add_func("/tracedisk/ahci/bad-memory/table", test_table_in_hole);
    qtest_add_func("/tracedisk/ahci/bad-memory/prdt", test_prdt_beyond_ram);
    qtest_add_func("/tracedisk/ahci/bad-memory/command-list/hole",
                   test_list_in_hole);
    qtest_add_func("/tracedisk/ahci/bad-memory/command-list/own-bar",
                   test_list_in_own_bar);
    qtest_add_func("/tracedisk/ahci/bad-memory/fis-area/hole",
                   test_fis_area_in_hole);
    qtest_add_func("/tracedisk/ahci/bad-memory/fis-area/own-bar",
                   test_fis_area_in_own_bar);
    qtest_add_func("/tracedisk/ahci/bad-time/start-without-fis-receive",
                   test_start_without_fis_receive);
    qtest_add_func("/tracedisk/ahci/bad-time/issue-while-stopped",
                   test_issue_while_stopped);
    qtest_add_func("/tracedisk/ahci/bad-time/issue-while-busy",
                   test_issue_while_busy);
    qtest_add_func("/tracedisk/ahci/bad-time/issue-while-link-is-down",
                   test_issue_while_link_is_down);
    qtest_add_func("/tracedisk/ahci/bad-time/mixed", test_mixed);
    qtest_add_func("/tracedisk/ahci/bad-fis/tag", test_wrong_tag);
    qtest_add_func("/tracedisk/ahci/bad-fis/type", test_wrong_fis_type);
    qtest_add_func("/tracedisk/ahci/registers/sizes", test_register_sizes);
    qtest_add_func("/tracedisk/ahci/registers/interrupt-line",
                   test_interrupt_line);
    for (unsigned i = 0; i < ARRAY_SIZE(resets); i++) {
        g_autofree char *name = g_strdup_printf("/tracedisk/ahci/reset/%s",
                                                resets[i].name);

        qtest_add_data_func(name, &resets[i], test_reset);
    }
    qtest_add_func("/tracedisk/ahci/reset/soft/stopped", test_reset_soft);
    qtest_add_func("/tracedisk/ahci/reset/soft/running",
                   test_reset_soft_running);
    qtest_add_func("/tracedisk/ahci/reset/machine", test_reset_machine);
    qtest_add_func("/tracedisk/ahci/ncq/error/alone", test_ncq_error);
    qtest_add_func("/tracedisk/ahci/ncq/error/among-others",
                   test_ncq_error_among_others);
    qtest_add_func("/tracedisk/ahci/ports", test_ports);
    qtest_add_func("/tracedisk/ahci/madness", test_madness);

    return g_test_run();
}
