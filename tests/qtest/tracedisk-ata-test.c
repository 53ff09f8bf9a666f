/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ATA commands of a tracedisk, through its AHCI HBA: what they do, what
 * they refuse, and how the trace tells it. Clauses are of ACS-3.
 */
#include "libtracedisk-qos/ahci.h"

#define SECTORS 8
#define BYTES (SECTORS * 512)

enum {
    DATA_SET_MANAGEMENT = 0x06,
    READ_LOG_EXT = 0x2f,
    WRITE_LOG_EXT = 0x3f,
    READ_VERIFY_EXT = 0x42,
    WRITE_UNCORRECTABLE_EXT = 0x45,
    READ_LOG_DMA_EXT = 0x47,
    WRITE_DMA_FUA_EXT = 0x3d,
    EXECUTE_DEVICE_DIAGNOSTIC = 0x90,
    SMART = 0xb0,
    READ_MULTIPLE_EXT = 0x29,
    WRITE_MULTIPLE_EXT = 0x39,
    SET_MULTIPLE_MODE = 0xc6,
    CHECK_POWER_MODE = 0xe5,
    STANDBY_IMMEDIATE = 0xe0,
    FLUSH_CACHE_EXT = 0xea,
    SET_FEATURES = 0xef,
};

static TdOutcome run(TdAhci *hba, RegH2DFIS fis, uint64_t addr, uint32_t bytes)
{
    TdPrd list = { addr, bytes };

    return td_ahci_io(hba, &fis, &list, bytes ? 1 : 0);
}

static void check_good(TdOutcome o)
{
    td_expect_clear(o.is, AHCI_PX_IS_TFES);
    td_expect_hex(o.status & (STATUS_ERR | STATUS_BSY | STATUS_DRQ), ==, 0);
}

/* The command failed with these error bits; the port works again after. */
static void check_error(TdAhci *hba, TdOutcome o, uint8_t error)
{
    td_expect_set(o.is, AHCI_PX_IS_TFES);
    td_expect_set(o.status, STATUS_ERR);
    td_expect_hex(o.error, ==, error);
    td_ahci_recover(hba);
}

static void check_sum(const uint8_t *page)
{
    uint8_t sum = 0;

    for (int i = 0; i < 512; i++) {
        sum += page[i];
    }
    td_expect_hex(sum, ==, 0);
}

/* Run a command that reads pages of 512 bytes. */
static void read_pages(TdAhci *hba, RegH2DFIS fis, void *pages, unsigned n)
{
    uint64_t addr = ahci_alloc(hba->ahci, n * 512);

    check_good(run(hba, fis, addr, n * 512));
    qtest_memread(hba->qts, addr, pages, n * 512);
    ahci_free(hba->ahci, addr);
}

static void identify(TdAhci *hba, uint16_t *words)
{
    read_pages(hba, td_fis_plain(CMD_IDENTIFY, 0, 0), words, 1);
    check_sum((uint8_t *)words);
    for (int i = 0; i < 256; i++) {
        words[i] = le16_to_cpu(words[i]);
    }
}

static const uint8_t *last_d2h(TdAhci *hba, uint8_t *fis)
{
    qtest_memread(hba->qts, hba->ahci->port[hba->port].fb + 0x40, fis, 20);
    return fis;
}

/* The trace's last command with this name failed like this. */
static void check_traced_error(TdAhci *hba, const char *name, unsigned n,
                               uint8_t error)
{
    const TdTraced *t = td_traced(hba->traced, name, n);

    td_expect_uint(t->status, ==, TD_ERROR);
    td_expect_set(t->ata_status, STATUS_ERR);
    td_expect_hex(t->ata_error, ==, error);
}

/* ---- IDENTIFY DEVICE, 7.12 --------------------------------------------- */

static void test_identify(void)
{
    TdAhci *hba = td_ahci_start(",serial=hello,wwn=0x5000c50012345678");
    uint16_t w[256];

    identify(hba, w);
    td_expect_hex(w[10], ==, 'h' << 8 | 'e');
    td_expect_uint(w[100] | w[101] << 16, ==, TD_BLOCKS);
    td_expect_uint(w[75], ==, 31);
    td_expect_set(w[76], 1 << 8);      /* NCQ */
    td_expect_hex(w[106], ==, 0x4000); /* 512-byte sectors */
    td_expect_hex(w[108], ==, 0x5000);
    td_expect_hex(w[111], ==, 0x5678);
    if (td_ahci_stop(hba)) {
        td_expect_uint(td_traced(hba->traced, NULL, 0)->op, ==, TD_OP_IDENTIFY);
    }
    td_ahci_free(hba);
}

/* Word 106 and 117: block sizes, 7.12.7.63 */
static void test_block_sizes(void)
{
    TdAhci *hba =
        td_ahci_start(",logical_block_size=4096,physical_block_size=4096");
    uint64_t page = ahci_alloc(hba->ahci, 8192);
    uint8_t data[8192], found[8192];
    uint16_t w[256];

    identify(hba, w);
    td_expect_hex(w[106], ==, 0x5000);
    td_expect_uint(w[117] | w[118] << 16, ==, 2048);
    td_expect_uint(w[100] | w[101] << 16, ==, TD_DISK_BYTES / 4096);

    td_pattern(data, sizeof(data), 4);
    qtest_memwrite(hba->qts, page, data, sizeof(data));
    check_good(run(hba, td_fis_lba48(CMD_WRITE_DMA_EXT, 5, 2), page, 8192));
    qtest_memset(hba->qts, page, 0, sizeof(data));
    check_good(run(hba, td_fis_ncq(READ_FPDMA_QUEUED, 5, 2, 3), page, 8192));
    qtest_memread(hba->qts, page, found, sizeof(found));
    td_expect_mem(data, found, sizeof(data));
    /* The last block, and the one after it. */
    check_good(run(hba,
                   td_fis_lba48(CMD_READ_DMA_EXT, TD_DISK_BYTES / 4096 - 1, 1),
                   page, 4096));
    check_error(hba,
                run(hba,
                    td_fis_lba48(CMD_READ_DMA_EXT, TD_DISK_BYTES / 4096, 1),
                    page, 4096),
                ERROR_IDNF);
    if (td_ahci_stop(hba)) {
        td_expect_uint(td_traced(hba->traced, "WRITE DMA EXT", 0)->bytes, ==,
                       8192);
    }
    td_ahci_free(hba);
}

static void test_physical_block_size(void)
{
    TdAhci *hba = td_ahci_start(",physical_block_size=4096");
    uint16_t w[256];

    identify(hba, w);
    td_expect_hex(w[106], ==, 0x6003); /* 8 logical in a physical one */
    td_ahci_check_alive(hba);
    td_ahci_stop(hba);
    td_ahci_free(hba);
}

/* ---- Addresses, 7.24.4 ------------------------------------------------- */

typedef struct RangeCase {
    const char *name, *command;
    RegH2DFIS fis;
    uint8_t error;
} RangeCase;

static void test_range(gconstpointer data)
{
    const RangeCase *c = data;
    TdAhci *hba = td_ahci_start("");
    uint64_t page = ahci_alloc(hba->ahci, 65536);

    check_error(hba, run(hba, c->fis, page, BYTES), c->error);
    if (c->fis.command == READ_FPDMA_QUEUED ||
        c->fis.command == WRITE_FPDMA_QUEUED) {
        RegH2DFIS read_log = td_fis_plain(READ_LOG_EXT, 0, 1);

        read_log.lba_lo[0] = 0x10;
        check_good(run(hba, read_log, page, 512));
    }
    td_ahci_check_alive(hba);
    if (td_ahci_stop(hba)) {
        check_traced_error(hba, c->command, 0, c->error);
        td_expect_uint(td_traced(hba->traced, c->command, 0)->bytes, ==, 0);
    }
    td_ahci_free(hba);
}

static void add_range_tests(void)
{
    const uint64_t last = TD_BLOCKS - 1;
    RegH2DFIS chs = td_fis_lba28(CMD_READ_DMA, 0, 1);
    const RangeCase cases[] = {
        { "dma/read", "READ DMA EXT", td_fis_lba48(CMD_READ_DMA_EXT, last, 2),
          ERROR_IDNF },
        { "dma/write", "WRITE DMA EXT",
          td_fis_lba48(CMD_WRITE_DMA_EXT, last, 2), ERROR_IDNF },
        { "pio/read", "READ SECTOR(S)", td_fis_lba28(CMD_READ_PIO, last + 1, 1),
          ERROR_IDNF },
        { "pio/write", "WRITE SECTOR(S) EXT",
          td_fis_lba48(CMD_WRITE_PIO_EXT, last, 3), ERROR_IDNF },
        { "queued/read", "READ FPDMA QUEUED",
          td_fis_ncq(READ_FPDMA_QUEUED, last, 2, 4), ERROR_IDNF },
        { "queued/write", "WRITE FPDMA QUEUED",
          td_fis_ncq(WRITE_FPDMA_QUEUED, last, 2, 4), ERROR_IDNF },
        { "verify", "READ VERIFY SECTOR(S) EXT",
          td_fis_lba48(READ_VERIFY_EXT, last, 2), ERROR_IDNF },
        { "48-bits", "READ DMA EXT",
          td_fis_lba48(CMD_READ_DMA_EXT, 0xffffffffffff, 0), ERROR_IDNF },
        { "count-0", "READ DMA EXT", /* 65,536 blocks */
          td_fis_lba48(CMD_READ_DMA_EXT, TD_BLOCKS - 65535, 0), ERROR_IDNF },
    };

    for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
        g_autofree char *name =
            g_strdup_printf("/tracedisk/ata/range/%s", cases[i].name);

        qtest_add_data_func_full(name, g_memdup2(&cases[i], sizeof(cases[i])),
                                 test_range, g_free);
    }
    chs.device = 0;
    {
        RangeCase c = { "chs", "READ DMA", chs, ERROR_ABRT };

        qtest_add_data_func_full("/tracedisk/ata/range/chs",
                                 g_memdup2(&c, sizeof(c)), test_range, g_free);
    }
}

/* ---- WRITE UNCORRECTABLE EXT, 7.74 ------------------------------------- */

static void test_uncorrectable(void)
{
    TdAhci *hba = td_ahci_start("");
    uint64_t page = ahci_alloc(hba->ahci, 65536);
    RegH2DFIS mark = td_fis_lba48(WRITE_UNCORRECTABLE_EXT, 100, 4);
    RegH2DFIS read = td_fis_lba48(CMD_READ_DMA_EXT, 96, 16);
    uint8_t fis[20];
    TdOutcome o;

    mark.feature_low = 0x55;
    check_good(run(hba, mark, 0, 0));

    o = run(hba, read, page, 16 * 512);
    last_d2h(hba, fis);
    td_expect_uint(fis[4], ==, 100); /* the first bad block */
    check_error(hba, o, ERROR_UNC);
    check_error(hba, run(hba, td_fis_lba48(READ_VERIFY_EXT, 103, 1), 0, 0),
                ERROR_UNC);
    check_good(run(hba, td_fis_lba48(CMD_READ_DMA_EXT, 104, 8), page, 4096));

    /* A write makes what it covers good again, and no more. */
    check_good(run(hba, td_fis_lba48(CMD_WRITE_DMA_EXT, 96, 6), page, 6 * 512));
    check_good(run(hba, td_fis_lba48(CMD_READ_DMA_EXT, 96, 6), page, 6 * 512));
    check_error(hba,
                run(hba, td_fis_lba48(CMD_READ_DMA_EXT, 102, 1), page, 512),
                ERROR_UNC);
    mark.feature_low = 0x99;
    check_error(hba, run(hba, mark, 0, 0), ERROR_ABRT);
    if (td_ahci_stop(hba)) {
        check_traced_error(hba, "READ DMA EXT", 0, ERROR_UNC);
    }
    td_ahci_free(hba);
}

/* ---- DATA SET MANAGEMENT, 7.10 ----------------------------------------- */

static void test_trim(void)
{
    TdAhci *hba = td_ahci_start(",discard_granularity=512");
    uint64_t page = ahci_alloc(hba->ahci, 4096);
    uint8_t data[BYTES], found[BYTES], zeroes[1024] = { 0 };
    RegH2DFIS trim = td_fis_plain(DATA_SET_MANAGEMENT, 1, 1);
    uint64_t ranges[64] = { 0 };
    uint16_t w[256];

    identify(hba, w);
    td_expect_set(w[169], 1);
    td_pattern(data, BYTES, 9);
    td_disk_write(hba, 200, data, BYTES);

    /* Two ranges among empty ones. */
    ranges[3] = cpu_to_le64(202ull | 1ull << 48);
    ranges[63] = cpu_to_le64(203ull | 1ull << 48);
    qtest_memwrite(hba->qts, page, ranges, 512);
    check_good(run(hba, trim, page, 512));
    td_disk_read(hba, 200, found, BYTES);
    td_expect_mem(found, data, 1024);
    td_expect_mem(found + 1024, zeroes, 1024);
    td_expect_mem(found + 2048, data + 2048, BYTES - 2048);

    /* Beyond the end; more pages than word 105 allows; no TRIM bit. */
    ranges[3] = cpu_to_le64(TD_BLOCKS | 1ull << 48);
    qtest_memwrite(hba->qts, page, ranges, 512);
    check_error(hba, run(hba, trim, page, 512), ERROR_IDNF);
    check_error(hba,
                run(hba, td_fis_plain(DATA_SET_MANAGEMENT, 1, 9), page, 512),
                ERROR_ABRT);
    check_error(hba,
                run(hba, td_fis_plain(DATA_SET_MANAGEMENT, 0, 1), page, 512),
                ERROR_ABRT);
    td_ahci_check_alive(hba);
    if (td_ahci_stop(hba)) {
        td_expect_uint(td_traced(hba->traced, "DATA SET MANAGEMENT", 0)->bytes,
                       ==, 512);
        check_traced_error(hba, "DATA SET MANAGEMENT", 1, ERROR_IDNF);
    }
    td_ahci_free(hba);
}

/* ---- Logs, Annex A ----------------------------------------------------- */

static RegH2DFIS fis_log(uint8_t command, uint8_t log, uint16_t page,
                         uint16_t pages)
{
    RegH2DFIS fis = td_fis_plain(command, 0, pages);

    fis.lba_lo[0] = log;
    fis.lba_lo[1] = page;
    fis.lba_hi[1] = page >> 8;
    return fis;
}

static void test_logs(void)
{
    TdAhci *hba = td_ahci_start("");
    uint64_t addr = ahci_alloc(hba->ahci, 16 * 512);
    uint8_t page[512], data[2 * 512], found[2 * 512];

    /* The directory: version, then the pages of each log [A.2]. */
    read_pages(hba, fis_log(READ_LOG_EXT, 0x00, 0, 1), page, 1);
    td_expect_uint(lduw_le_p(page), ==, 1);
    td_expect_uint(lduw_le_p(page + 2 * 0x10), ==, 1);
    td_expect_uint(lduw_le_p(page + 2 * 0x80), ==, 16);
    td_expect_uint(lduw_le_p(page + 2 * 0x42), ==, 0);

    /* No queued command has failed: NQ is set [A.13.3.2]. */
    read_pages(hba, fis_log(READ_LOG_DMA_EXT, 0x10, 0, 1), page, 1);
    td_expect_hex(page[0], ==, 0x80);
    check_sum(page);

    /* A log of the host's own. */
    td_pattern(data, sizeof(data), 6);
    qtest_memwrite(hba->qts, addr, data, sizeof(data));
    check_good(run(hba, fis_log(WRITE_LOG_EXT, 0x81, 14, 2), addr, 1024));
    read_pages(hba, fis_log(READ_LOG_EXT, 0x81, 14, 2), found, 2);
    td_expect_mem(data, found, sizeof(data));

    /* Beyond its end, one that there is not, one that is read-only. */
    check_error(hba, run(hba, fis_log(READ_LOG_EXT, 0x81, 15, 2), addr, 1024),
                ERROR_ABRT);
    check_error(hba,
                run(hba, fis_log(WRITE_LOG_EXT, 0x81, 0xffff, 2), addr, 1024),
                ERROR_ABRT);
    check_error(hba, run(hba, fis_log(READ_LOG_EXT, 0x42, 0, 1), addr, 512),
                ERROR_ABRT);
    check_error(hba, run(hba, fis_log(WRITE_LOG_EXT, 0x10, 0, 1), addr, 512),
                ERROR_ABRT);
    check_error(hba, run(hba, fis_log(READ_LOG_EXT, 0x80, 0, 0), addr, 512),
                ERROR_ABRT);
    td_ahci_check_alive(hba);
    if (td_ahci_stop(hba)) {
        check_traced_error(hba, "READ LOG EXT", 2, ERROR_ABRT);
    }
    td_ahci_free(hba);
}

/* ---- SMART, 7.48 ------------------------------------------------------- */

static RegH2DFIS fis_smart(uint8_t what)
{
    RegH2DFIS fis = td_fis_plain(SMART, what, 1);

    fis.lba_lo[1] = 0x4f;
    fis.lba_lo[2] = 0xc2;
    return fis;
}

static void test_smart(void)
{
    TdAhci *hba = td_ahci_start("");
    uint64_t addr = ahci_alloc(hba->ahci, 512);
    RegH2DFIS wrong_key = fis_smart(0xda);
    uint8_t page[512], fis[20];

    read_pages(hba, fis_smart(0xd0), page, 1);
    check_sum(page);
    read_pages(hba, fis_smart(0xd1), page, 1);
    check_sum(page);
    check_good(run(hba, fis_smart(0xda), 0, 0));
    /* No threshold is exceeded: the key comes back as it was [7.48.8.3]. */
    last_d2h(hba, fis);
    td_expect_hex(fis[5], ==, 0x4f);
    td_expect_hex(fis[6], ==, 0xc2);

    wrong_key.lba_lo[1] = 0;
    check_error(hba, run(hba, wrong_key, 0, 0), ERROR_ABRT);
    check_good(run(hba, fis_smart(0xd9), 0, 0));
    check_error(hba, run(hba, fis_smart(0xd0), addr, 512), ERROR_ABRT);
    check_good(run(hba, fis_smart(0xd8), 0, 0));
    read_pages(hba, fis_smart(0xd0), page, 1);
    if (td_ahci_stop(hba)) {
        td_expect_uint(td_traced(hba->traced, NULL, 0)->bytes, ==, 512);
    }
    td_ahci_free(hba);
}

/* ---- SET FEATURES 7.45, SET MULTIPLE MODE 7.46 ------------------------- */

static void test_write_cache(void)
{
    TdAhci *hba = td_ahci_start("");
    uint16_t w[256];

    check_good(run(hba, td_fis_plain(SET_FEATURES, 0x82, 0), 0, 0));
    identify(hba, w);
    td_expect_clear(w[85], 1 << 5);
    td_ahci_check_alive(hba);
    check_good(run(hba, td_fis_plain(SET_FEATURES, 0x02, 0), 0, 0));
    identify(hba, w);
    td_expect_set(w[85], 1 << 5);
    check_error(hba, run(hba, td_fis_plain(SET_FEATURES, 0x77, 0), 0, 0),
                ERROR_ABRT);
    td_ahci_stop(hba);
    td_ahci_free(hba);
}

static void test_multiple(void)
{
    TdAhci *hba = td_ahci_start("");
    uint64_t page = ahci_alloc(hba->ahci, BYTES);
    uint8_t data[BYTES], fis[20];
    uint16_t w[256];

    check_good(run(hba, td_fis_plain(SET_MULTIPLE_MODE, 0, 4), 0, 0));
    identify(hba, w);
    td_expect_hex(w[59], ==, 0x104);

    td_pattern(data, BYTES, 5);
    qtest_memwrite(hba->qts, page, data, BYTES);
    check_good(run(hba, td_fis_lba48(WRITE_MULTIPLE_EXT, 8, 6), page, 6 * 512));
    qtest_memset(hba->qts, page, 0, BYTES);
    check_good(run(hba, td_fis_lba48(READ_MULTIPLE_EXT, 8, 6), page, 6 * 512));
    /* The last DRQ block had two sectors (SATA 3.x 10.5.10). */
    qtest_memread(hba->qts, hba->ahci->port[0].fb + 0x20, fis, 20);
    td_expect_hex(fis[0], ==, PIO_SETUP_FIS);
    td_expect_uint(lduw_le_p(fis + 16), ==, 2 * 512);
    {
        uint8_t found[BYTES];

        qtest_memread(hba->qts, page, found, BYTES);
        td_expect_mem(found, data, 6 * 512);
    }

    check_error(hba, run(hba, td_fis_plain(SET_MULTIPLE_MODE, 0, 3), 0, 0),
                ERROR_ABRT);
    check_error(hba, run(hba, td_fis_plain(SET_MULTIPLE_MODE, 0, 32), 0, 0),
                ERROR_ABRT);
    /* 0 takes the commands away. */
    check_good(run(hba, td_fis_plain(SET_MULTIPLE_MODE, 0, 0), 0, 0));
    check_error(hba,
                run(hba, td_fis_lba48(READ_MULTIPLE_EXT, 8, 6), page, BYTES),
                ERROR_ABRT);
    td_ahci_stop(hba);
    td_ahci_free(hba);
}

/* ---- The rest ---------------------------------------------------------- */

static void test_power(void)
{
    TdAhci *hba = td_ahci_start("");
    uint8_t fis[20];

    check_good(run(hba, td_fis_plain(CHECK_POWER_MODE, 0, 0), 0, 0));
    td_expect_hex(last_d2h(hba, fis)[12], ==, 0xff);
    check_good(run(hba, td_fis_plain(STANDBY_IMMEDIATE, 0, 0), 0, 0));
    check_good(run(hba, td_fis_plain(CHECK_POWER_MODE, 0, 0), 0, 0));
    td_expect_hex(last_d2h(hba, fis)[12], ==, 0x00);
    /* A media access wakes it [4.18.4]. */
    td_ahci_check_alive(hba);
    check_good(run(hba, td_fis_plain(CHECK_POWER_MODE, 0, 0), 0, 0));
    td_expect_hex(last_d2h(hba, fis)[12], ==, 0xff);
    td_ahci_stop(hba);
    td_ahci_free(hba);
}

static void test_diagnostic(void)
{
    TdAhci *hba = td_ahci_start("");
    uint8_t fis[20];

    check_good(run(hba, td_fis_plain(EXECUTE_DEVICE_DIAGNOSTIC, 0, 0), 0, 0));
    last_d2h(hba, fis);
    td_expect_hex(fis[3], ==, 0x01); /* device 0 passed */
    td_expect_hex(fis[4], ==, 0x01); /* signature */
    td_expect_hex(fis[12], ==, 0x01);
    td_ahci_check_alive(hba);
    td_ahci_stop(hba);
    td_ahci_free(hba);
}

/* NOP, PACKET for a disk, a command that never was. */
static void test_aborted(void)
{
    static const uint8_t commands[] = { 0x00, 0x08, 0xa0, 0xa1, 0x64, 0xff };
    TdAhci *hba = td_ahci_start("");

    for (unsigned i = 0; i < ARRAY_SIZE(commands); i++) {
        TdOutcome o;
        RegH2DFIS fis = td_fis_plain(commands[i], 0, 0);

        if (commands[i] == 0x64) {
            /* SEND FPDMA QUEUED: a queued command that we do not have. */
            td_ahci_fill(hba, 0, &fis, NULL, 0);
            td_ahci_ring_queued(hba, 1);
            o = td_ahci_wait(hba);
        } else {
            o = run(hba, fis, 0, 0);
        }
        check_error(hba, o, ERROR_ABRT);
    }
    td_ahci_check_alive(hba);
    if (td_ahci_stop(hba)) {
        for (unsigned i = 0; i < ARRAY_SIZE(commands); i++) {
            check_traced_error(hba, NULL, i, ERROR_ABRT);
        }
    }
    td_ahci_free(hba);
}

static void test_flush_and_fua(void)
{
    TdAhci *hba = td_ahci_start("");
    uint64_t page = ahci_alloc(hba->ahci, BYTES);
    RegH2DFIS queued = td_fis_ncq(WRITE_FPDMA_QUEUED, 0, SECTORS, 1);

    check_good(
        run(hba, td_fis_lba48(WRITE_DMA_FUA_EXT, 0, SECTORS), page, BYTES));
    queued.device |= 0x80;
    check_good(run(hba, queued, page, BYTES));
    check_good(run(hba, td_fis_plain(FLUSH_CACHE_EXT, 0, 0), 0, 0));
    if (td_ahci_stop(hba)) {
        td_expect_uint(td_traced(hba->traced, "FLUSH CACHE EXT", 0)->op, ==,
                       TD_OP_FLUSH);
    }
    td_ahci_free(hba);
}

/*
 * What the list says and what the command's own length is need not agree for
 * commands with pages either.
 */
static void test_short_list_for_pages(void)
{
    TdAhci *hba = td_ahci_start("");
    uint64_t page = ahci_alloc(hba->ahci, 512);
    uint8_t found[512];
    const TdTraced *t;
    TdOutcome o;

    qtest_memset(hba->qts, page, 0x5a, 512);
    o = run(hba, td_fis_plain(CMD_IDENTIFY, 0, 0), page, 100);
    td_expect_set(o.is, AHCI_PX_IS_OFS);
    td_expect_uint(o.prdbc, ==, 100);
    qtest_memread(hba->qts, page, found, 512);
    td_expect_hex(found[100], ==, 0x5a);
    td_ahci_recover(hba);
    td_ahci_check_alive(hba);
    if (td_ahci_stop(hba)) {
        t = td_traced(hba->traced, "IDENTIFY DEVICE", 0);
        td_expect_hex(t->flags, ==, TD_LIST_SHORT);
        td_expect_uint(t->bytes, ==, 100);
        td_expect_uint(t->residual, ==, 412);
    }
    td_ahci_free(hba);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);

    qtest_add_func("/tracedisk/ata/identify/device", test_identify);
    qtest_add_func("/tracedisk/ata/identify/logical-4096", test_block_sizes);
    qtest_add_func("/tracedisk/ata/identify/physical-4096",
                   test_physical_block_size);
    qtest_add_func("/tracedisk/ata/identify/short-list",
                   test_short_list_for_pages);
    add_range_tests();
    qtest_add_func("/tracedisk/ata/write-uncorrectable", test_uncorrectable);
    qtest_add_func("/tracedisk/ata/trim", test_trim);
    qtest_add_func("/tracedisk/ata/logs", test_logs);
    qtest_add_func("/tracedisk/ata/smart", test_smart);
    qtest_add_func("/tracedisk/ata/write-cache", test_write_cache);
    qtest_add_func("/tracedisk/ata/multiple", test_multiple);
    qtest_add_func("/tracedisk/ata/power", test_power);
    qtest_add_func("/tracedisk/ata/diagnostic", test_diagnostic);
    qtest_add_func("/tracedisk/ata/aborted", test_aborted);
    qtest_add_func("/tracedisk/ata/flush-and-fua", test_flush_and_fua);

    return g_test_run();
}
