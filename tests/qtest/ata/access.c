/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands that read, write or verify blocks: what moves, counts of 0, the end
 * of the disk, reserved bits, a medium that fails.
 */
#include "suite.h"

enum {
    WRITES = 1 << 0,
    VERIFIES = 1 << 1,
    EXT = 1 << 2,               /* 48-bit addresses and 16-bit counts */
    QUEUED = 1 << 3,
    MULTIPLE = 1 << 4,
    FUA = 1 << 5,               /* IDENTIFY DEVICE word 84 bit 6 */
};

typedef struct Access {
    TdRow row;
    uint8_t command;
    const char *traced;
    unsigned flags;
} Access;

#define ACCESS(opcode, id, title_, clause_, flags_) \
    { .row = { id, title_, "ACS-3 " clause_, "command:" #opcode }, \
      .command = opcode, .traced = title_, .flags = flags_ }

static const Access accesses[] = {
    ACCESS(0x20, "read-sectors", "READ SECTOR(S)", "7.28", 0),
    ACCESS(0x24, "read-sectors-ext", "READ SECTOR(S) EXT", "7.29", EXT),
    ACCESS(0x25, "read-dma-ext", "READ DMA EXT", "7.22", EXT),
    ACCESS(0x29, "read-multiple-ext", "READ MULTIPLE EXT", "7.27",
           EXT | MULTIPLE),
    ACCESS(0x30, "write-sectors", "WRITE SECTOR(S)", "7.67", WRITES),
    ACCESS(0x34, "write-sectors-ext", "WRITE SECTOR(S) EXT", "7.68",
           WRITES | EXT),
    ACCESS(0x35, "write-dma-ext", "WRITE DMA EXT", "7.59", WRITES | EXT),
    ACCESS(0x39, "write-multiple-ext", "WRITE MULTIPLE EXT", "7.65",
           WRITES | EXT | MULTIPLE),
    ACCESS(0x3d, "write-dma-fua-ext", "WRITE DMA FUA EXT", "7.60",
           WRITES | EXT | FUA),
    ACCESS(0x40, "read-verify", "READ VERIFY SECTOR(S)", "7.32", VERIFIES),
    ACCESS(0x42, "read-verify-ext", "READ VERIFY SECTOR(S) EXT", "7.33",
           VERIFIES | EXT),
    ACCESS(0x60, "read-fpdma-queued", "READ FPDMA QUEUED", "7.23",
           EXT | QUEUED),
    ACCESS(0x61, "write-fpdma-queued", "WRITE FPDMA QUEUED", "7.61",
           WRITES | EXT | QUEUED),
    ACCESS(0xc4, "read-multiple", "READ MULTIPLE", "7.26", MULTIPLE),
    ACCESS(0xc5, "write-multiple", "WRITE MULTIPLE", "7.64",
           WRITES | MULTIPLE),
    ACCESS(0xc8, "read-dma", "READ DMA", "7.21", 0),
    ACCESS(0xca, "write-dma", "WRITE DMA", "7.58", WRITES),
    ACCESS(0xce, "write-multiple-fua-ext", "WRITE MULTIPLE FUA EXT", "7.66",
           WRITES | EXT | MULTIPLE | FUA),
};

static bool is_28_bit(const TdRow *row)
{
    return !(((const Access *)row)->flags & EXT);
}

static bool is_multiple(const TdRow *row)
{
    return ((const Access *)row)->flags & MULTIPLE;
}

/* The command at a block; a count of 0 is the most there is. */
static RegH2DFIS fis_at(const Access *a, uint64_t lba, unsigned count)
{
    if (a->flags & QUEUED) {
        return td_fis_ncq(a->command, lba, count, 5);
    }
    return a->flags & EXT ? td_fis_lba48(a->command, lba, count) :
                            td_fis_lba28(a->command, lba, count);
}

static void let_multiple_work(TdAhci *hba, const Access *a)
{
    if (a->flags & MULTIPLE) {
        run_good(hba, td_fis_plain(CMD_SET_MULTIPLE_MODE, 0, 4));
    }
}

/* NULL where the disk need not have the command, and says so. */
static TdAhci *start(const Access *a, const char *options)
{
    TdAhci *hba = a->flags & FUA ? start_if(84, 6, options) :
                                   td_ahci_start(options);

    if (hba) {
        let_multiple_work(hba, a);
    }
    return hba;
}

static TdOutcome run(TdAhci *hba, const Access *a, RegH2DFIS fis,
                     uint32_t bytes)
{
    return td_ahci_io1(hba, fis, BUFFER, a->flags & VERIFIES ? 0 : bytes);
}

/* PRDBC tells what moved, but for queued commands [AHCI 1.3.1 4.2.2]. */
static void expect_moved(const Access *a, TdOutcome o, uint32_t bytes)
{
    td_expect_done(o);
    if (!(a->flags & QUEUED)) {
        td_expect_uint(o.prdbc, ==, a->flags & VERIFIES ? 0 : bytes);
    }
}

/*
 * After a queued command failed, the disk wants log 10h to be read; the peer's
 * has NCQ without that log, which is for identify/ncq to say.
 */
static void recover_queue(TdAhci *hba, const Access *a)
{
    if (a->flags & QUEUED && td_system() != TD_PEER) {
        RegH2DFIS fis = td_fis_plain(CMD_READ_LOG_EXT, 0, 1);
        uint8_t log[512];

        fis.lba_lo[0] = 0x10;
        read_pages(hba, fis, log, 1);
        td_expect_uint(log[0] & 0x1f, ==, 5);
        td_expect_set(log[2], STATUS_ERR);
    }
}

/* A count of 0, which is 256 or 65,536 blocks, and a list that holds it */
static unsigned most(const Access *a)
{
    return a->flags & EXT ? 65536 : 256;
}

static TdOutcome run_most(TdAhci *hba, const Access *a, uint64_t lba)
{
    const unsigned per_prd = 4096;
    unsigned n = DIV_ROUND_UP(most(a), per_prd);
    g_autofree TdPrd *list = g_new0(TdPrd, n);
    RegH2DFIS fis = fis_at(a, lba, 0);

    for (unsigned i = 0; i < n; i++) {
        list[i].addr = BUFFER + i * per_prd * 512;
        list[i].len = MIN(most(a) - i * per_prd, per_prd) * 512;
    }
    hba->patient = true;        /* 32 MiB by PIO, block by block */
    return td_ahci_io(hba, &fis, list, a->flags & VERIFIES ? 0 : n);
}

static void expect_no_block(TdAhci *hba, const Access *a, TdOutcome o)
{
    td_expect_failed(hba, o, ERROR_NO_BLOCK);
    recover_queue(hba, a);
}

/* These blocks, all of them, and no others. */
static void check_data(RegH2DFIS (*change)(const Access *a, RegH2DFIS fis),
                       const char *options)
{
    const Access *a = td_row();
    TdAhci *hba = start(a, options);
    uint8_t around[3 * BYTES], data[3 * BYTES], found[3 * BYTES];
    const unsigned lba = 1000;
    RegH2DFIS fis = change(a, fis_at(a, lba + SECTORS, SECTORS));

    if (!hba) {
        return;
    }
    td_pattern(data, sizeof(data), 1);
    td_pattern(around, sizeof(around), 2);
    td_disk_write(hba, lba, data, sizeof(data));
    qtest_memwrite(hba->qts, BUFFER - BYTES, around, sizeof(around));
    expect_moved(a, run(hba, a, fis, BYTES), BYTES);
    if (a->flags & WRITES) {
        memcpy(data + BYTES, around + BYTES, BYTES);
    } else if (!(a->flags & VERIFIES)) {
        memcpy(around + BYTES, data + BYTES, BYTES);
    }
    td_expect_memory(hba, BUFFER - BYTES, around, sizeof(around));
    td_disk_read(hba, lba, found, sizeof(found));
    td_expect_mem(found, data, sizeof(data));
    if (td_ahci_stop(hba)) {
        const TdTraced *t =
            td_traced(hba->traced, a->traced,
                      a->command == CMD_WRITE_DMA_EXT ? 1 : 0);

        td_expect_uint(t->status, ==, TD_GOOD);
        td_expect_uint(t->lba, ==, lba + SECTORS);
        td_expect_uint(t->bytes, ==, a->flags & VERIFIES ? 0 : BYTES);
    }
    td_ahci_free(hba);
}

static RegH2DFIS as_it_is(const Access *a, RegH2DFIS fis)
{
    return fis;
}

static void test_data(void)
{
    check_data(as_it_is, "");
}

/* Bits 7 and 5 of DEVICE were 1 up to ATA/ATAPI-5; in NCQ bit 7 is FUA. */
static RegH2DFIS with_obsolete_bits(const Access *a, RegH2DFIS fis)
{
    fis.device |= a->flags & QUEUED ? 0x80 : 0xa0;
    return fis;
}

static void test_obsolete(void)
{
    check_data(with_obsolete_bits, "");
}

/* 256 or 65,536 blocks [7.21.3, 7.22.3] */
static void test_count_0(void)
{
    const Access *a = td_row();
    TdAhci *hba = start(a, "");
    const unsigned last = most(a) - 1;
    const uint64_t addr = BUFFER + last * 512, lba = 7;
    uint8_t data[512], found[512];

    if (!hba) {
        return;
    }
    td_pattern(data, sizeof(data), 6);
    if (a->flags & WRITES) {
        qtest_memwrite(hba->qts, addr, data, sizeof(data));
    } else {
        td_disk_write(hba, lba + last, data, sizeof(data));
    }
    expect_moved(a, run_most(hba, a, lba), most(a) * 512);
    td_disk_read(hba, lba + last, found, sizeof(found));
    td_expect_mem(found, data, sizeof(data));
    if (!(a->flags & VERIFIES)) {
        td_expect_memory(hba, addr, data, sizeof(data));
    }
    finish(hba);
}

/* The last block is there, the one behind it is not. */
static void test_end(void)
{
    const Access *a = td_row();
    TdAhci *hba = start(a, "");
    const uint64_t last = TD_BLOCKS - 1;
    const uint64_t highest = a->flags & EXT ? (1ull << 48) - 1 : (1 << 28) - 1;

    if (!hba) {
        return;
    }
    expect_moved(a, run(hba, a, fis_at(a, last, 1), 512), 512);
    expect_no_block(hba, a, run(hba, a, fis_at(a, last, 2), 1024));
    expect_no_block(hba, a, run(hba, a, fis_at(a, last + 1, 1), 512));
    expect_no_block(hba, a, run(hba, a, fis_at(a, highest, 1), 512));
    expect_no_block(hba, a, run_most(hba, a, TD_BLOCKS - most(a) + 1));
    if (td_ahci_stop(hba)) {
        expect_traced_error(hba, a->traced, ERROR_IDNF);
    }
    td_ahci_free(hba);
}

/* LBA 47:28 of a 28-bit command: never another block [7.1.3] */
static RegH2DFIS with_high_lba(const Access *a, RegH2DFIS fis)
{
    fis.lba_hi[0] = 1;
    fis.lba_hi[1] = 2;
    fis.feature_high = 3;
    return fis;
}

static void test_reserved(void)
{
    check_data(with_high_lba, "");
}

static void test_reserved_strict(void)
{
    const Access *a = td_row();
    TdAhci *hba = start(a, ",strict=on");
    RegH2DFIS fis = fis_at(a, 0, 1);

    run_aborted(hba, with_high_lba(a, fis), a->flags & VERIFIES ? 0 : 512);
    expect_moved(a, run(hba, a, fis, 512), 512);
    finish(hba);
}

/* DEVICE bit 6 "shall be set to one": addresses by cylinder are gone. */
static void test_chs(void)
{
    const Access *a = td_row();
    TdAhci *hba = start(a, "");
    RegH2DFIS fis = fis_at(a, 0, 1);

    fis.device &= ~ATA_DEVICE_LBA;
    td_expect_error(hba, run(hba, a, fis, 512), ERROR_ABRT);
    recover_queue(hba, a);
    finish(hba);
}

/* Another block than the first: what is read is UNC, a write may be DF. */
static void test_medium(void)
{
    const Access *a = td_row();
    TdAhci *hba = td_ahci_start_failing(a->flags & WRITES ? "write" : "read",
                                        1003);
    TdOutcome o;

    if (a->flags & FUA && !is_announced(hba, 84, 6)) {
        g_test_skip("the disk has no FUA");
        finish(hba);
        return;
    }
    let_multiple_work(hba, a);
    o = run(hba, a, fis_at(a, 1000, SECTORS), BYTES);
    td_expect_failed(hba, o, a->flags & WRITES ?
                             ERROR_ABRT | ERROR_IDNF : ERROR_UNC | ERROR_ABRT);
    recover_queue(hba, a);
    expect_moved(a, run(hba, a, fis_at(a, 1008, SECTORS), BYTES), BYTES);
    finish(hba);
}

/* ---- What is told of an error ------------------------------------------ */

static uint64_t lba_of(const uint8_t *fis_or_log)
{
    const uint8_t *p = fis_or_log;

    return p[4] | p[5] << 8 | p[6] << 16 | (uint64_t)p[8] << 24 |
           (uint64_t)p[9] << 32 | (uint64_t)p[10] << 40;
}

/* The FIS that ends it has what PxTFD has [SATA 3.x 10.5.6, 10.5.7]. */
static void expect_fis_of_error(TdAhci *hba, const Access *a, TdOutcome o,
                                uint8_t *fis)
{
    bool queued = a->flags & QUEUED;

    td_ahci_received(hba, queued ? TD_FB_SET_DEVICE_BITS : TD_FB_D2H, fis,
                     queued ? 8 : 20);
    td_expect_hex(fis[0], ==, queued ? 0xa1 : REG_D2H_FIS);
    td_expect_set(fis[1], 0x40);        /* I */
    td_expect_set(fis[2], STATUS_ERR);
    td_expect_hex(fis[2], ==, queued ? o.status & 0x77 : o.status);
    td_expect_hex(fis[3], ==, o.error);
    td_expect_hex(td_px_read(hba, AHCI_PX_SERR), ==, 0);
    if (queued) {
        /* It ends none; the command that failed stays [AHCI 6.2.2.2]. */
        td_expect_hex(ldl_le_p(fis + 4), ==, 0);
        td_expect_hex(td_px_read(hba, AHCI_PX_SACT), ==, 1 << 5);
    } else {
        td_expect_hex(td_px_read(hba, AHCI_PX_CI), !=, 0);
    }
}

/* Log 10h has the task file of the queued command [ACS-3 A.13]. */
static void read_error_log(TdAhci *hba, TdOutcome o, uint8_t *log)
{
    RegH2DFIS fis = td_fis_plain(CMD_READ_LOG_EXT, 0, 1);

    fis.lba_lo[0] = 0x10;
    read_pages(hba, fis, log, 1);
    td_expect_hex(log[0], ==, 5);       /* NQ 0, the tag */
    td_expect_set(log[2], STATUS_ERR);
    td_expect_hex(log[3], ==, o.error);
    expect_checksum(log);
}

/*
 * @lba is the first block of @count of which one is at fault: IDNF and UNC say
 * which.
 */
static void expect_told(TdAhci *hba, const Access *a, TdOutcome o,
                        uint8_t errors, uint64_t lba, unsigned count)
{
    uint8_t told[512];

    expect_fis_of_error(hba, a, o, told);
    td_expect_failed(hba, o, errors);
    if (a->flags & QUEUED) {
        if (td_system() == TD_PEER) {
            return;             /* it has no such log: identify/ncq */
        }
        read_error_log(hba, o, told);
    }
    if (o.error & (ERROR_IDNF | ERROR_UNC)) {
        td_expect_hex(lba_of(told), >=, lba);
        td_expect_hex(lba_of(told), <, lba + count);
    }
}

/* The first block that is not there [ACS-3 6.3.5, 7.1.5]. */
static void test_end_told(void)
{
    const Access *a = td_row();
    TdAhci *hba = start(a, "");
    const uint64_t last = TD_BLOCKS - 1;

    if (!hba) {
        return;
    }
    expect_told(hba, a, run(hba, a, fis_at(a, last, 2), 1024),
                ERROR_NO_BLOCK, last + 1, 1);
    expect_told(hba, a, run(hba, a, fis_at(a, last + 9, 4), 2048),
                ERROR_NO_BLOCK, last + 9, 1);
    finish(hba);
}

static void test_medium_told(void)
{
    const Access *a = td_row();
    TdAhci *hba = td_ahci_start_failing(a->flags & WRITES ? "write" : "read",
                                        1003);

    if (a->flags & FUA && !is_announced(hba, 84, 6)) {
        g_test_skip("the disk has no FUA");
        finish(hba);
        return;
    }
    let_multiple_work(hba, a);
    expect_told(hba, a, run(hba, a, fis_at(a, 1000, SECTORS), BYTES),
                a->flags & WRITES ? ERROR_ABRT | ERROR_IDNF :
                ERROR_UNC | ERROR_ABRT, 1000, SECTORS);
    finish(hba);
}

/* Where the disk knows which block it is, it says so. */
static void test_marked_told(void)
{
    const Access *a = td_row();
    TdAhci *hba = start_if(119, 2, "");
    RegH2DFIS mark = td_fis_lba48(CMD_WRITE_UNCORRECTABLE_EXT, 1003, 2);

    if (!hba) {
        return;
    }
    let_multiple_work(hba, a);
    mark.feature_low = 0x55;
    run_good(hba, mark);
    expect_told(hba, a, run(hba, a, fis_at(a, 1000, SECTORS), BYTES), ERROR_UNC,
                1003, 1);
    finish(hba);
}

static bool reads(const TdRow *row)
{
    return !(((const Access *)row)->flags & WRITES);
}

/* Until SET MULTIPLE MODE has succeeded with a count [7.46] */
static void test_multiple_off(void)
{
    const Access *a = td_row();
    TdAhci *hba = start(a, "");

    if (!hba) {
        return;
    }
    run_good(hba, td_fis_plain(CMD_SET_MULTIPLE_MODE, 0, 0));
    run_aborted(hba, fis_at(a, 0, SECTORS), BYTES);
    let_multiple_work(hba, a);
    expect_moved(a, run(hba, a, fis_at(a, 0, SECTORS), BYTES), BYTES);
    finish(hba);
}

static const TdCase cases[] = {
    {
        .name = "data",
        .title = "it is these blocks, and no others",
        .good = "@",
        .run = test_data,
        TD_ROWS(accesses),
    },
    {
        .name = "obsolete-bits",
        .title = "bits 7 and 5 of DEVICE do not matter (of NCQ, bit 7 is FUA)",
        .good = "@",
        .run = test_obsolete,
        TD_ROWS(accesses),
    },
    {
        .name = "count-0",
        .title = "a count of 0 is 256 blocks, or 65,536 of a 48-bit command",
        .good = "@",
        .run = test_count_0,
        TD_ROWS(accesses),
    },
    {
        .name = "end",
        .title = "the last block is there, those behind it end in IDNF or "
                 "ABRT",
        .clause = "6.3",
        .bad = "@",
        .run = test_end,
        TD_ROWS(accesses),
    },
    {
        .name = "reserved",
        .title = "LBA 47:28 and FEATURES 15:8 never lead to another block",
        .clause = "7.1.3",
        .bad = "@",
        .run = test_reserved,
        TD_ROWS(accesses),
        .only = is_28_bit,
    },
    {
        .name = "reserved-strict",
        .title = "a disk that looks at reserved bits aborts the command",
        .clause = "7.1.3",
        .bad = "@",
        .ours = OURS_STRICT,
        .run = test_reserved_strict,
        TD_ROWS(accesses),
        .only = is_28_bit,
    },
    {
        .name = "chs",
        .title = "without DEVICE bit 6 it is aborted",
        .bad = "@",
        .ours = OURS_DEFINED,
        .run = test_chs,
        TD_ROWS(accesses),
    },
    {
        .name = "medium",
        .title = "a block that the medium fails is told, and the next command "
                 "works",
        .clause = "6.3",
        .bad = "@",
        .run = test_medium,
        TD_ROWS(accesses),
    },
    {
        .name = "end-told",
        .title = "FIS, PxTFD and log 10h say that it failed, and which block "
                 "is not there",
        .clause = "6.3",
        .bad = "@",
        .run = test_end_told,
        TD_ROWS(accesses),
    },
    {
        .name = "medium-told",
        .title = "FIS, PxTFD and log 10h say that the medium failed, and where",
        .clause = "6.3",
        .bad = "@",
        .run = test_medium_told,
        TD_ROWS(accesses),
    },
    {
        .name = "marked-told",
        .title = "FIS, PxTFD and log 10h name the block that is uncorrectable",
        .clause = "6.3, 7.71",
        .bad = "@",
        .run = test_marked_told,
        TD_ROWS(accesses),
        .only = reads,
    },
    {
        .name = "multiple-off",
        .title = "it is aborted after SET MULTIPLE MODE with a count of 0",
        .bad = "@",
        .run = test_multiple_off,
        TD_ROWS(accesses),
        .only = is_multiple,
    },
};

const TdTopic topic_access = TD_TOPIC("access", cases);
