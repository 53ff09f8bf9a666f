/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Data that falls short, and bits that flip.
 */
#include "suite.h"

static void test_short_read(void)
{
    uint8_t data[BYTES], found[BYTES];
    TdAhci *hba = start("[short]\nop=read\nnth=1\nshort=1000\n");
    uint64_t addr = ahci_alloc(hba->ahci, BYTES);
    const TdTraced *t;
    TdOutcome o;

    td_pattern(data, BYTES, 1);
    td_disk_write(hba, 0, data, BYTES);
    qtest_memset(hba->qts, addr, 0x5a, BYTES);
    o = run_at(hba, CMD_READ_DMA_EXT, 0, addr);
    td_expect(!has_failed(o));
    td_expect_uint(o.prdbc, ==, 1000);
    qtest_memread(hba->qts, addr, found, BYTES);
    td_expect_mem(found, data, 1000);
    td_expect_hex(found[1000], ==, 0x5a);
    if (td_ahci_stop(hba)) {
        t = td_traced(hba->traced, "READ DMA EXT", 0);
        td_expect_uint(t->status, ==, TD_GOOD);
        td_expect_uint(t->bytes, ==, 1000);
        td_expect_uint(t->residual, ==, BYTES - 1000);
        td_expect_hex(t->flags, ==, 0);
    }
    td_ahci_free(hba);
}

/* Of a write whole blocks arrive. */
static void test_short_write(void)
{
    uint8_t data[BYTES], found[BYTES], zero[BYTES] = { 0 };
    TdAhci *hba = start("[short]\nop=write\nnth=1\nshort=1300\n");
    uint64_t addr = ahci_alloc(hba->ahci, BYTES);
    TdOutcome o;

    td_pattern(data, BYTES, 1);
    qtest_memwrite(hba->qts, addr, data, BYTES);
    o = run_at(hba, CMD_WRITE_DMA_EXT, 0, addr);
    td_expect(!has_failed(o));
    td_expect_uint(o.prdbc, ==, 1024);
    td_disk_read(hba, 0, found, BYTES);
    td_expect_mem(found, data, 1024);
    td_expect_mem(found + 1024, zero, BYTES - 1024);
    td_ahci_stop(hba);
    td_ahci_free(hba);
}

/* One bit of what the guest reads; the medium is as it was. */
static void test_flip_read(void)
{
    uint8_t data[BYTES], found[BYTES];
    TdAhci *hba = start("[flip]\nop=read\nnth=1\nflip=1234\nmask=0x10\n");
    uint64_t addr = ahci_alloc(hba->ahci, BYTES);

    td_pattern(data, BYTES, 1);
    td_disk_write(hba, 0, data, BYTES);
    td_expect(!has_failed(run_at(hba, CMD_READ_DMA_EXT, 0, addr)));
    qtest_memread(hba->qts, addr, found, BYTES);
    td_expect_hex(found[1234], ==, data[1234] ^ 0x10);
    found[1234] ^= 0x10;
    td_expect_mem(found, data, BYTES);
    td_disk_read(hba, 0, found, BYTES);
    td_expect_mem(found, data, BYTES);
    if (td_ahci_stop(hba)) {
        /* The hash is of what reached memory. */
        td_expect(!td_digest_equal(&td_traced(hba->traced, NULL, 0)->digest,
                            &td_traced(hba->traced, NULL, 1)->digest));
        td_expect(td_digest_equal(&td_traced(hba->traced, NULL, 0)->digest,
                                  &td_traced(hba->traced, NULL, 2)->digest));
    }
    td_ahci_free(hba);
}

/* A byte of what reaches the medium; the guest's memory is as it was. */
static void test_flip_write(void)
{
    uint8_t data[BYTES], found[BYTES];
    TdAhci *hba = start("[flip]\nop=write\nnth=1\nflip=4095\n");
    uint64_t addr = ahci_alloc(hba->ahci, BYTES);

    td_pattern(data, BYTES, 1);
    qtest_memwrite(hba->qts, addr, data, BYTES);
    td_expect(!has_failed(run_at(hba, CMD_WRITE_DMA_EXT, 0, addr)));
    qtest_memread(hba->qts, addr, found, BYTES);
    td_expect_mem(found, data, BYTES);
    td_expect(!has_failed(run_at(hba, CMD_READ_DMA_EXT, 0, addr)));
    qtest_memread(hba->qts, addr, found, BYTES);
    td_expect_hex(found[4095], ==, data[4095] ^ 0xff);
    td_expect_mem(found, data, BYTES - 1);
    if (td_ahci_stop(hba)) {
        td_expect(!td_digest_equal(&td_traced(hba->traced, NULL, 0)->digest,
                            &td_traced(hba->traced, NULL, 1)->digest));
    }
    td_ahci_free(hba);
}

/* Also where the data is made by the device, and moved by PIO. */
static void test_flip_identify(void)
{
    TdAhci *hba = start("[flip]\nop=identify\nnth=1\nflip=0\n");
    uint64_t addr = ahci_alloc(hba->ahci, 512);
    RegH2DFIS fis = td_fis_plain(CMD_IDENTIFY, 0, 0);
    TdPrd list = { addr, 512 };
    uint8_t page[2][512];

    for (unsigned i = 0; i < 2; i++) {
        td_expect(!has_failed(td_ahci_io(hba, &fis, &list, 1)));
        qtest_memread(hba->qts, addr, page[i], 512);
    }
    td_expect_hex(page[0][0], ==, page[1][0] ^ 0xff);
    td_expect_mem(page[0] + 1, page[1] + 1, 511);
    td_ahci_stop(hba);
    td_ahci_free(hba);
}

static const TdCase cases[] = {
    {
        .name = "short/read",
        .title = "A read that falls short leaves the rest of memory "
                 "alone",
        .clause = "tracedisk-faults(5)",
        .good = "fault:short",
        .ours = OURS_FAULTS,
        .run = test_short_read,
    },
    {
        .name = "short/write",
        .title = "Of a write that falls short whole blocks arrive",
        .clause = "tracedisk-faults(5)",
        .good = "fault:short",
        .ours = OURS_FAULTS,
        .run = test_short_write,
    },
    {
        .name = "flip/read",
        .title = "A bit of what the guest reads flips, the medium is "
                 "as it was",
        .clause = "tracedisk-faults(5)",
        .good = "fault:flip fault:mask",
        .ours = OURS_FAULTS,
        .run = test_flip_read,
    },
    {
        .name = "flip/write",
        .title = "A byte of what reaches the medium flips, memory is "
                 "as it was",
        .clause = "tracedisk-faults(5)",
        .good = "fault:flip",
        .ours = OURS_FAULTS,
        .run = test_flip_write,
    },
    {
        .name = "flip/identify",
        .title = "A byte flips of data that the device makes",
        .clause = "tracedisk-faults(5)",
        .good = "fault:flip",
        .ours = OURS_FAULTS,
        .run = test_flip_identify,
    },
};

const TdTopic topic_data = TD_TOPIC("data", cases);
