/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lists and structures outside memory: a hole, ROM, the end of memory, and the
 * HBA's own registers.
 */
#include "suite.h"

static void check_read_outside(const TdPrd *list, uint16_t n, uint64_t ram_addr,
                               size_t ram_bytes, size_t ram_offset)
{
    uint8_t data[BYTES];
    TdAhci *hba = start_with_pattern("", data);
    const TdTraced *t;

    td_expect_good(read_to(hba, list, n), BYTES);
    td_expect_memory(hba, ram_addr, data + ram_offset, ram_bytes);
    td_ahci_check_alive(hba);
    if (td_ahci_stop(hba)) {

        t = td_traced(hba->traced, "READ DMA EXT", 0);
        check_elements(t, list, n);
        td_expect_uint(t->status, ==, TD_GOOD);
        td_expect_hex(t->flags, ==, TD_OUTSIDE_RAM);
        td_expect_uint(t->bytes, ==, BYTES);
        td_expect_uint(t->residual, ==, 0);
    }
    td_ahci_free(hba);
}

static void test_end_of_ram(void)
{
    TdPrd list = { TD_RAM_BYTES - 1024, BYTES };

    check_read_outside(&list, 1, list.addr, 1024, 0);
}

static void test_hole(void)
{
    TdPrd list[] = { { TD_HOLE, 2048 }, { 64 * MiB, 2048 } };

    check_read_outside(list, 2, list[1].addr, 2048, 2048);
}

/* The last bytes of the address space, and what would wrap around it. */
static void test_end_of_address_space(void)
{
    TdPrd list[] = { { UINT64_MAX - 1023, 2048 }, { 64 * MiB, 2048 } };

    check_read_outside(list, 2, list[1].addr, 2048, 2048);
}

static void test_rom(void)
{
    uint8_t data[BYTES], rom[BYTES];
    TdPrd list = { TD_ROM, BYTES };
    TdAhci *hba = start_with_pattern("", data);

    qtest_memread(hba->qts, TD_ROM, rom, BYTES);
    td_expect_good(read_to(hba, &list, 1), BYTES);
    td_expect_memory(hba, TD_ROM, rom, BYTES);
    td_ahci_check_alive(hba);
    if (td_ahci_stop(hba)) {
        td_expect_hex(td_traced(hba->traced, "READ DMA EXT", 0)->flags, ==,
                      TD_OUTSIDE_RAM);
    }
    td_ahci_free(hba);
}

/* What the disk reads from a hole is all ones, as a bus without a target. */
static void test_write_from_hole(void)
{
    uint8_t data[BYTES], ones[BYTES];
    RegH2DFIS fis = td_fis_lba48(CMD_WRITE_DMA_EXT, 0, SECTORS);
    TdPrd list = { TD_HOLE, BYTES };
    TdAhci *hba = start_with_pattern("", data);
    const TdTraced *t;

    td_expect_good(td_ahci_io(hba, &fis, &list, 1), BYTES);
    memset(ones, 0xff, BYTES);
    td_disk_read(hba, 0, data, BYTES);
    td_expect_mem(data, ones, BYTES);
    if (td_ahci_stop(hba)) {
        t = td_traced(hba->traced, "WRITE DMA EXT", 1);
        check_elements(t, &list, 1);
        td_expect_hex(t->flags, ==, TD_OUTSIDE_RAM);
    }
    td_ahci_free(hba);
}

/*
 * Data that goes to the HBA's own registers must not drive the HBA: a disk
 * block that says "PxCI = ~0" would start commands from within a command.
 */
static void test_own_bar(void)
{
    uint8_t data[BYTES];
    TdPrd list;
    TdAhci *hba = td_ahci_start("");
    uint64_t bar = hba->ahci->hba_bar.addr;
    uint32_t clb = td_px_read(hba, AHCI_PX_CLB);

    memset(data, 0xff, BYTES);
    td_disk_write(hba, 0, data, BYTES);
    list = (TdPrd){ bar, BYTES };
    td_expect_good(read_to(hba, &list, 1), BYTES);
    td_expect_hex(td_px_read(hba, AHCI_PX_CLB), ==, clb);
    td_expect_hex(td_px_read(hba, AHCI_PX_CI), ==, 0);

    /* And the other way: our registers are no data for the disk. */
    {
        RegH2DFIS fis = td_fis_lba48(CMD_WRITE_DMA_EXT, 0, SECTORS);

        td_expect_good(td_ahci_io(hba, &fis, &list, 1), BYTES);
    }
    td_ahci_check_alive(hba);
    if (td_ahci_stop(hba)) {
        td_expect_hex(td_traced(hba->traced, "READ DMA EXT", 0)->flags, ==,
                      TD_OUTSIDE_RAM);
        td_expect_guest_error(hba->traced, "HBA's own registers");
    }
    td_ahci_free(hba);
}

static void check_host_bus_fatal(TdAhci *hba)
{
    td_ahci_ring(hba, 1);
    td_expect_set(td_ahci_wait(hba).is, AHCI_PX_IS_HBFS);
    /* The port stands still until the driver has stopped and started it. */
    td_ahci_recover(hba);
    td_ahci_check_alive(hba);
    if (td_ahci_stop(hba)) {
        td_expect_guest_error(hba->traced, "not in memory");
    }
    td_ahci_free(hba);
}

static void test_table_in_hole(void)
{
    TdAhci *hba = td_ahci_start("");

    td_ahci_fill_header(hba, 0, 1, TD_HOLE);
    check_host_bus_fatal(hba);
}

/* The table is in memory, its PRDT is not. */
static void test_prdt_beyond_ram(void)
{
    TdAhci *hba = td_ahci_start("");
    RegH2DFIS fis = td_fis_lba48(CMD_READ_DMA_EXT, 0, SECTORS);
    uint64_t table = TD_RAM_BYTES - 0x100;

    qtest_memwrite(hba->qts, table, &fis, sizeof(fis));
    td_ahci_fill_header(hba, 0, 65535, table);
    check_host_bus_fatal(hba);
}

static void test_list_in_hole(void)
{
    TdAhci *hba = td_ahci_start("");
    uint32_t clb = td_px_read(hba, AHCI_PX_CLB);
    uint32_t cmd = td_px_read(hba, AHCI_PX_CMD);

    td_px_write(hba, AHCI_PX_CMD, cmd & ~AHCI_PX_CMD_ST);
    td_px_write(hba, AHCI_PX_CLB, TD_HOLE);
    td_px_write(hba, AHCI_PX_CMD, cmd);
    td_ahci_ring(hba, 1);
    td_expect_set(td_px_read(hba, AHCI_PX_IS), AHCI_PX_IS_HBFS);
    td_px_write(hba, AHCI_PX_CMD, cmd & ~AHCI_PX_CMD_ST);
    td_px_write(hba, AHCI_PX_CLB, clb);
    td_ahci_recover(hba);
    td_ahci_check_alive(hba);
    if (td_ahci_stop(hba)) {
        td_expect_guest_error(hba->traced, "not in memory");
    }
    td_ahci_free(hba);
}

/* Commands run all the same; their FISes have nowhere to go. */
static void check_fis_area(TdAhci *hba, uint64_t fb)
{
    uint8_t data[BYTES];
    uint64_t page = ahci_alloc(hba->ahci, 4096);
    uint32_t cmd = td_px_read(hba, AHCI_PX_CMD);
    RegH2DFIS fis = td_fis_ncq(READ_FPDMA_QUEUED, 0, SECTORS, 5);
    TdPrd list = { page, BYTES };

    td_px_write(hba, AHCI_PX_CMD, cmd & ~AHCI_PX_CMD_ST);
    td_px_write(hba, AHCI_PX_CMD, cmd & ~(AHCI_PX_CMD_ST | AHCI_PX_CMD_FRE));
    td_px_write(hba, AHCI_PX_FB, fb);
    td_px_write(hba, AHCI_PX_CMD, cmd & ~AHCI_PX_CMD_ST);
    td_px_write(hba, AHCI_PX_CMD, cmd);
    td_pattern(data, BYTES, 1);
    td_disk_write(hba, 0, data, BYTES);
    td_ahci_io(hba, &fis, &list, 1);
    td_expect_memory(hba, page, data, BYTES);
    td_ahci_check_alive(hba);
    if (td_ahci_stop(hba)) {
        td_expect_guest_error(hba->traced, "PxFB");
    }
    td_ahci_free(hba);
}

static void test_fis_area_in_hole(void)
{
    check_fis_area(td_ahci_start(""), TD_HOLE);
}

/* A FIS must not drive the HBA that writes it. */
static void test_fis_area_in_own_bar(void)
{
    TdAhci *hba = td_ahci_start("");

    check_fis_area(hba, hba->ahci->hba_bar.addr);
}

/* Nor must a byte count: it would be written to GHC, or PxCLBU. */
static void test_list_in_own_bar(void)
{
    TdAhci *hba = td_ahci_start("");
    uint32_t cmd = td_px_read(hba, AHCI_PX_CMD);
    uint32_t clb = td_px_read(hba, AHCI_PX_CLB);

    td_px_write(hba, AHCI_PX_CMD, cmd & ~AHCI_PX_CMD_ST);
    td_px_write(hba, AHCI_PX_CLB, hba->ahci->hba_bar.addr);
    td_px_write(hba, AHCI_PX_CMD, cmd);
    td_ahci_ring(hba, ~0u);
    td_px_write(hba, AHCI_PX_CMD, cmd & ~AHCI_PX_CMD_ST);
    td_expect_hex(td_px_read(hba, AHCI_PX_CLB), ==, hba->ahci->hba_bar.addr);
    td_px_write(hba, AHCI_PX_CLB, clb);
    td_ahci_recover(hba);
    td_ahci_check_alive(hba);
    td_ahci_stop(hba);
    td_ahci_free(hba);
}

static const TdCase cases[] = {
    {
        .name = "data/end-of-ram",
        .title = "A read over the end of memory fills what is memory",
        .clause = "AHCI 1.3.1 4.2.3.3",
        .bad = "structure:prdt",
        .ours = OURS_DEFINED,
        .run = test_end_of_ram,
    },
    {
        .name = "data/hole",
        .title = "A read to where no memory is fills the rest",
        .clause = "AHCI 1.3.1 4.2.3.3",
        .bad = "structure:prdt",
        .ours = OURS_DEFINED,
        .run = test_hole,
    },
    {
        .name = "data/end-of-address-space",
        .title = "An element that wraps around 2^64 does no harm",
        .clause = "AHCI 1.3.1 4.2.3.3",
        .bad = "structure:prdt",
        .ours = OURS_DEFINED,
        .run = test_end_of_address_space,
    },
    {
        .name = "data/rom",
        .title = "A read to ROM leaves the ROM as it is",
        .clause = "AHCI 1.3.1 4.2.3.3",
        .bad = "structure:prdt",
        .run = test_rom,
    },
    {
        .name = "data/write-from-hole",
        .title = "What is written from where no memory is is all ones",
        .clause = "AHCI 1.3.1 4.2.3.3",
        .bad = "structure:prdt",
        .ours = OURS_DEFINED,
        .run = test_write_from_hole,
    },
    {
        .name = "data/own-bar",
        .title = "Data to and from the HBA's own registers does not drive "
                 "the HBA",
        .clause = "AHCI 1.3.1 4.2.3.3",
        .bad = "structure:prdt",
        .ours = OURS_DEFINED,
        .run = test_own_bar,
    },
    {
        .name = "command-table/hole",
        .title = "A command table outside memory sets PxIS.HBFS",
        .clause = "AHCI 1.3.1 6.1.2",
        .bad = "structure:command-table error:PxIS.HBFS",
        .run = test_table_in_hole,
    },
    {
        .name = "command-table/prdt",
        .title = "A list that ends outside memory sets PxIS.HBFS",
        .clause = "AHCI 1.3.1 6.1.2",
        .bad = "structure:command-table error:PxIS.HBFS",
        .run = test_prdt_beyond_ram,
    },
    {
        .name = "command-list/hole",
        .title = "A command list outside memory sets PxIS.HBFS",
        .clause = "AHCI 1.3.1 6.1.2",
        .bad = "structure:command-header error:PxIS.HBFS register:PxCLB",
        .run = test_list_in_hole,
    },
    {
        .name = "command-list/own-bar",
        .title = "A command list in the HBA's own registers does not "
                 "drive the HBA",
        .clause = "AHCI 1.3.1 4.2.2",
        .bad = "structure:command-header register:PxCLB",
        .ours = OURS_DEFINED,
        .run = test_list_in_own_bar,
    },
    {
        .name = "fis-area/hole",
        .title = "Without memory for FISes commands run all the same",
        .clause = "AHCI 1.3.1 4.2.1",
        .bad = "structure:received-fis register:PxFB",
        .ours = OURS_DEFINED,
        .run = test_fis_area_in_hole,
    },
    {
        .name = "fis-area/own-bar",
        .title = "FISes to the HBA's own registers do not drive the HBA",
        .clause = "AHCI 1.3.1 4.2.1",
        .bad = "structure:received-fis register:PxFB",
        .ours = OURS_DEFINED,
        .run = test_fis_area_in_own_bar,
    },
};

const TdTopic topic_memory = TD_TOPIC("memory", cases);
