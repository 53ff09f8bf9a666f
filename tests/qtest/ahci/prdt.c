/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lists of memory: as they should be, odd, too long, too short.
 */
#include "suite.h"

static void test_overlap(void)
{
    uint8_t data[BYTES];
    TdAhci *hba = start_with_pattern("", data);
    uint64_t page = ahci_alloc(hba->ahci, 4096);
    TdPrd list[] = { { page, 2048 }, { page + 512, 2048 } };
    const TdTraced *t;

    td_expect_good(read_to(hba, list, 2), BYTES);
    /* Elements are filled in order: the second one's bytes stay. */
    td_expect_memory(hba, page, data, 512);
    td_expect_memory(hba, page + 512, data + 2048, 2048);
    if (td_ahci_stop(hba)) {
        t = td_traced(hba->traced, "READ DMA EXT", 0);
        check_elements(t, list, 2);
        td_expect_hex(t->flags, ==, 0);
    }
    td_ahci_free(hba);
}

/* The same page again and again: a driver's scratch page. */
static void test_one_page(void)
{
    uint8_t data[BYTES];
    TdAhci *hba = start_with_pattern("", data);
    uint64_t page = ahci_alloc(hba->ahci, 4096);
    TdPrd list[SECTORS];

    for (int i = 0; i < SECTORS; i++) {
        list[i] = (TdPrd){ page, 512 };
    }
    td_expect_good(read_to(hba, list, SECTORS), BYTES);
    td_expect_memory(hba, page, data + BYTES - 512, 512);
    if (td_ahci_stop(hba)) {
        check_elements(td_traced(hba->traced, "READ DMA EXT", 0), list,
                       SECTORS);
    }
    td_ahci_free(hba);
}

/*
 * Byte counts are even and addresses are on words, says the specification.
 * The smallest entry there can be is one byte.
 */
static void test_one_byte_elements(void)
{
    uint8_t data[BYTES];
    TdAhci *hba = start_with_pattern("", data);
    uint64_t base = ahci_alloc(hba->ahci, 4096);
    RegH2DFIS fis = td_fis_lba48(CMD_READ_DMA_EXT, 0, 1);
    TdPrd list[512];
    uint8_t found[1024];

    for (int i = 0; i < 512; i++) {
        list[i] = (TdPrd){ base + 2 * i + 1, 1 };
    }
    td_expect_good(td_ahci_io(hba, &fis, list, 512), 512);
    qtest_memread(hba->qts, base, found, sizeof(found));
    for (int i = 0; i < 512; i++) {
        td_expect_hex(found[2 * i + 1], ==, data[i]);
    }
    if (td_ahci_stop(hba)) {
        check_elements(td_traced(hba->traced, "READ DMA EXT", 0), list, 512);
    }
    td_ahci_free(hba);
}

static void test_odd_elements(void)
{
    uint8_t data[BYTES];
    TdAhci *hba = start_with_pattern("", data);
    uint64_t base = ahci_alloc(hba->ahci, 4 * 4096);
    TdPrd list[] = {
        { base + 1, 511 },
        { base + 4095, 3 },
        { base + 8193, 3582 },
    };

    td_expect_good(read_to(hba, list, 3), BYTES);
    td_expect_memory(hba, list[0].addr, data, 511);
    td_expect_memory(hba, list[1].addr, data + 511, 3);
    td_expect_memory(hba, list[2].addr, data + 514, 3582);
    if (td_ahci_stop(hba)) {
        check_elements(td_traced(hba->traced, "READ DMA EXT", 0), list, 3);
    }
    td_ahci_free(hba);
}

/* The largest entry: 4 MiB; the disk moves 1 MiB of it. */
static void test_large_element(void)
{
    TdAhci *hba = td_ahci_start("");
    RegH2DFIS fis = td_fis_lba48(CMD_READ_DMA_EXT, 0, 2048);
    TdPrd list = { 64 * MiB, 4 * MiB };
    const TdTraced *t;

    td_expect_good(td_ahci_io(hba, &fis, &list, 1), 1 * MiB);
    if (td_ahci_stop(hba)) {
        t = td_traced(hba->traced, "READ DMA EXT", 0);
        td_expect_hex(t->flags, ==, TD_LIST_LONG);
        td_expect_uint(t->bytes, ==, 1 * MiB);
        td_expect_uint(t->residual, ==, 0);
    }
    td_ahci_free(hba);
}

/* A list longer than the transfer: the rest of it is left alone. */
static void test_list_longer(void)
{
    uint8_t data[BYTES], zeroes[4096] = { 0 };
    TdAhci *hba = start_with_pattern("", data);
    uint64_t base = ahci_alloc(hba->ahci, 3 * 4096);
    TdPrd list[] = { { base, 4096 }, { base + 8192, 4096 } };
    const TdTraced *t;

    qtest_memset(hba->qts, base, 0, 3 * 4096);
    td_expect_good(read_to(hba, list, 2), BYTES);
    td_expect_memory(hba, base, data, BYTES);
    td_expect_memory(hba, base + 8192, zeroes, 4096);
    if (td_ahci_stop(hba)) {
        t = td_traced(hba->traced, "READ DMA EXT", 0);
        check_elements(t, list, 2);
        td_expect_hex(t->flags, ==, TD_LIST_LONG);
        td_expect_uint(t->bytes, ==, BYTES);
    }
    td_ahci_free(hba);
}

/* A list shorter than the transfer: overflow, PxIS.OFS [6.1.5]. */
static void test_read_list_shorter(void)
{
    uint8_t data[BYTES], zeroes[1024] = { 0 };
    TdAhci *hba = start_with_pattern("", data);
    uint64_t page = ahci_alloc(hba->ahci, 4096);
    TdPrd list = { page, 3072 };
    const TdTraced *t;
    TdOutcome o;

    qtest_memset(hba->qts, page, 0, 4096);
    o = read_to(hba, &list, 1);
    td_expect_set(o.is, AHCI_PX_IS_OFS);
    td_expect_uint(o.prdbc, ==, 3072);
    td_expect_memory(hba, page, data, 3072);
    td_expect_memory(hba, page + 3072, zeroes, 1024);
    td_ahci_recover(hba);
    td_ahci_check_alive(hba);
    if (td_ahci_stop(hba)) {
        t = td_traced(hba->traced, "READ DMA EXT", 0);
        td_expect_hex(t->flags, ==, TD_LIST_SHORT);
        td_expect_uint(t->bytes, ==, 3072);
        td_expect_uint(t->residual, ==, 1024);
    }
    td_ahci_free(hba);
}

/* A write moves whole blocks, as many as the list has bytes for. */
static void test_write_list_shorter(void)
{
    uint8_t before[BYTES], after[BYTES], found[BYTES];
    TdAhci *hba = start_with_pattern("", before);
    uint64_t page = ahci_alloc(hba->ahci, 4096);
    RegH2DFIS fis = td_fis_lba48(CMD_WRITE_DMA_EXT, 0, SECTORS);
    TdPrd list = { page, 1200 };
    const TdTraced *t;
    TdOutcome o;

    td_pattern(after, BYTES, 2);
    qtest_memwrite(hba->qts, page, after, BYTES);
    o = td_ahci_io(hba, &fis, &list, 1);
    td_expect_set(o.is, AHCI_PX_IS_OFS | AHCI_PX_IS_TFES);
    td_expect_uint(o.prdbc, ==, 1024);
    td_ahci_recover(hba);
    td_disk_read(hba, 0, found, BYTES);
    td_expect_mem(found, after, 1024);
    td_expect_mem(found + 1024, before + 1024, BYTES - 1024);
    if (td_ahci_stop(hba)) {
        t = td_traced(hba->traced, "WRITE DMA EXT", 1);
        td_expect_uint(t->status, ==, TD_ERROR);
        td_expect_hex(t->flags, ==, TD_LIST_SHORT);
        td_expect_uint(t->bytes, ==, 1024);
        td_expect_uint(t->residual, ==, BYTES - 1024);
    }
    td_ahci_free(hba);
}

static void test_no_list(void)
{
    uint8_t data[BYTES];
    TdAhci *hba = start_with_pattern("", data);
    const TdTraced *t;
    TdOutcome o = read_to(hba, NULL, 0);

    td_expect_set(o.is, AHCI_PX_IS_OFS);
    td_expect_uint(o.prdbc, ==, 0);
    td_ahci_recover(hba);
    td_ahci_check_alive(hba);
    if (td_ahci_stop(hba)) {
        t = td_traced(hba->traced, "READ DMA EXT", 0);
        td_expect_hex(t->flags, ==, TD_LIST_SHORT);
        td_expect_uint(t->bytes, ==, 0);
        td_expect_uint(t->residual, ==, BYTES);
    }
    td_ahci_free(hba);
}

/* As many entries as PRDTL can count [4.2.2]. */
static void test_most_elements(void)
{
    const uint32_t n = 65535, bytes = 255 * 512;
    TdAhci *hba = td_ahci_start("");
    uint64_t table = ahci_alloc(hba->ahci, CMD_TBL_SIZ(n));
    uint64_t base = ahci_alloc(hba->ahci, n * 4);
    RegH2DFIS fis = td_fis_lba48(CMD_READ_DMA_EXT, 0, bytes / 512);
    g_autofree PRD *prdt = g_new0(PRD, n);
    g_autofree uint8_t *data = g_malloc(bytes);
    g_autofree uint8_t *found = g_malloc(n * 4);
    const TdTraced *t;

    td_pattern(data, bytes, 3);
    td_disk_write(hba, 0, data, bytes);
    for (uint32_t i = 0; i < n; i++) {
        prdt[i].dba = cpu_to_le64(base + i * 4);
        prdt[i].dbc = cpu_to_le32(1);
    }
    qtest_memwrite(hba->qts, table, &fis, sizeof(fis));
    qtest_memwrite(hba->qts, table + 0x80, prdt, n * sizeof(PRD));
    td_ahci_fill_header(hba, 0, n, table);
    td_ahci_ring(hba, 1);
    td_expect_good(td_ahci_wait(hba), bytes);
    qtest_memread(hba->qts, base, found, n * 4);
    for (uint32_t i = 0; i < bytes; i++) {
        td_expect_hex(found[i / 2 * 4 + i % 2], ==, data[i]);
    }
    if (td_ahci_stop(hba)) {
        t = td_traced(hba->traced, "READ DMA EXT", 0);
        td_expect_uint(t->n_elements, ==, n);
        for (uint32_t i = 0; i < n; i++) {
            td_expect_hex(t->elements[i].addr, ==, base + i * 4);
            td_expect_hex(t->elements[i].len, ==, 2);
        }
        td_expect_hex(t->flags, ==, TD_LIST_LONG);
    }
    td_ahci_free(hba);
}

/*
 * PxIS.DPS, an interrupt when an entry with the I bit has been filled [5.4.2].
 * QEMU's own HBA has none, and ours like it, but for strict=on.
 */
static void check_descriptor_processed(const char *options, bool expected)
{
    TdAhci *hba = td_ahci_start(options);
    RegH2DFIS fis = td_fis_lba48(CMD_READ_DMA_EXT, 0, 2);
    TdPrd list[] = { { 64 * MiB, 512 }, { 65 * MiB, 512, .interrupt = true } };
    RegH2DFIS half = td_fis_lba48(CMD_READ_DMA_EXT, 0, 1);

    td_expect_hex(td_ahci_io(hba, &fis, list, 2).is & AHCI_PX_IS_DPS, ==,
                  expected ? AHCI_PX_IS_DPS : 0);
    /* That entry is not reached. */
    td_expect_hex(td_ahci_io(hba, &half, list, 2).is & AHCI_PX_IS_DPS, ==, 0);
    td_ahci_stop(hba);
    td_ahci_free(hba);
}

static void test_descriptor_processed(void)
{
    check_descriptor_processed(",strict=on", true);
}

static void test_descriptor_ignored(void)
{
    check_descriptor_processed("", false);
}

static const TdCase cases[] = {
    {
        .name = "overlap",
        .title = "Elements are filled in their order, over one another as "
                 "well",
        .clause = "AHCI 1.3.1 4.2.3.3",
        .good = "structure:prdt",
        .run = test_overlap,
    },
    {
        .name = "one-page",
        .title = "All elements may be the same memory: a scratch page",
        .clause = "AHCI 1.3.1 4.2.3.3",
        .good = "structure:prdt",
        .run = test_one_page,
    },
    {
        .name = "large-element",
        .title = "An element has up to 4 MiB",
        .clause = "AHCI 1.3.1 4.2.3.3",
        .good = "structure:prdt",
        .run = test_large_element,
    },
    {
        .name = "most-elements",
        .title = "A list has up to 65,535 elements",
        .clause = "AHCI 1.3.1 4.2.2",
        .good = "structure:prdt structure:command-header",
        .run = test_most_elements,
    },
    {
        .name = "longer",
        .title = "What a list has beyond the transfer is left alone",
        .clause = "AHCI 1.3.1 4.2.3.3",
        .bad = "structure:prdt",
        .run = test_list_longer,
    },
    {
        .name = "one-byte-elements",
        .title = "Elements of one byte, at odd addresses, are filled",
        .clause = "AHCI 1.3.1 4.2.3.3",
        .bad = "structure:prdt",
        .ours = OURS_DEFINED,
        .run = test_one_byte_elements,
    },
    {
        .name = "odd-elements",
        .title = "Elements of odd length and address are filled",
        .clause = "AHCI 1.3.1 4.2.3.3",
        .bad = "structure:prdt",
        .ours = OURS_DEFINED,
        .run = test_odd_elements,
    },
    {
        .name = "shorter/read",
        .title = "A read of more than its list holds sets PxIS.OFS",
        .clause = "AHCI 1.3.1 6.1.5",
        .bad = "error:PxIS.OFS structure:prdt",
        .run = test_read_list_shorter,
    },
    {
        .name = "shorter/write",
        .title = "A write of more than its list holds sets PxIS.OFS and "
                 "writes whole blocks only",
        .clause = "AHCI 1.3.1 6.1.5",
        .bad = "error:PxIS.OFS structure:prdt",
        .ours = OURS_DEFINED,
        .run = test_write_list_shorter,
    },
    {
        .name = "none",
        .title = "A read without a list sets PxIS.OFS",
        .clause = "AHCI 1.3.1 6.1.5",
        .bad = "error:PxIS.OFS structure:command-header",
        .run = test_no_list,
    },
    {
        .name = "interrupt-bit/strict",
        .title = "PxIS.DPS is set when an element with the I bit is "
                 "filled",
        .clause = "AHCI 1.3.1 5.4.2",
        .good = "interrupt:DPS",
        .bad = "interrupt:DPS",
        .ours = OURS_STRICT,
        .run = test_descriptor_processed,
    },
    {
        .name = "interrupt-bit/default",
        .title = "Like QEMU's own HBA, one that is not strict sets no "
                 "PxIS.DPS",
        .clause = "AHCI 1.3.1 5.4.2",
        .ours = OURS_DEFINED,
        .run = test_descriptor_ignored,
    },
};

const TdTopic topic_prdt = TD_TOPIC("prdt", cases);
