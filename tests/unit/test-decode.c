/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What FISes and CDBs ask for. Expectations are data, from ACS-3, SATA 3.x,
 * SPC-4 and SBC-3; test names have the clause where it matters.
 */
#include <string.h>

#include "tracedisk.h"
#include <glib.h>

struct expectation {
    const char *test;
    enum td_protocol protocol;
    const char *raw; /* hexadecimal */
    const char *name;
    enum td_op op;
    uint32_t flags;
    uint64_t lba, blocks;
    uint32_t tag;
};

static const struct expectation expectations[] = {
    /*                        type  cmd lba    dev lba   fx  count icc ctl aux */
    { "ata/lba28", TD_ATA, "2780c8005634124f000000000800000000000000",
      "READ DMA", TD_OP_READ, TD_HAS_LBA, 0xf123456, 8, 0 },
    { "ata/lba28-count-0", TD_ATA, "2780ca0000000040000000000000000000000000",
      "WRITE DMA", TD_OP_WRITE, TD_HAS_LBA, 0, 256, 0 },
    { "ata/lba28-ignores-lba-ext", TD_ATA, "2780200001000040999999000207000000000000",
      "READ SECTOR(S)", TD_OP_READ, TD_HAS_LBA | TD_PIO, 1, 0x702, 0 },
    { "ata/lba48", TD_ATA, "27802500563412e0bc9a78000234000000000000",
      "READ DMA EXT", TD_OP_READ, TD_HAS_LBA, 0x789abc123456, 0x3402, 0 },
    { "ata/lba48-count-0", TD_ATA, "2780340001000040000000000000000000000000",
      "WRITE SECTOR(S) EXT", TD_OP_WRITE, TD_HAS_LBA | TD_PIO, 1, 65536, 0 },
    { "ata/fua", TD_ATA, "27803d0001000040000000000100000000000000",
      "WRITE DMA FUA EXT", TD_OP_WRITE, TD_HAS_LBA | TD_FUA, 1, 1, 0 },
    { "ata/multiple", TD_ATA, "2780c40001000040000000001000000000000000",
      "READ MULTIPLE", TD_OP_READ, TD_HAS_LBA | TD_PIO, 1, 16, 0 },
    { "ata/ncq-7.23", TD_ATA, "278060080008004000000000f800000000000000",
      "READ FPDMA QUEUED", TD_OP_READ, TD_HAS_LBA | TD_QUEUED, 2048, 8, 31 },
    { "ata/ncq-fua", TD_ATA, "27806100ff0000c0000000012800000000000000",
      "WRITE FPDMA QUEUED", TD_OP_WRITE, TD_HAS_LBA | TD_QUEUED | TD_FUA, 255, 256, 5 },
    { "ata/ncq-count-0", TD_ATA, "2780610000000040000000000000000000000000",
      "WRITE FPDMA QUEUED", TD_OP_WRITE, TD_HAS_LBA | TD_QUEUED, 0, 65536, 0 },
    { "ata/trim", TD_ATA, "2780060100000040000000000100000000000000",
      "DATA SET MANAGEMENT", TD_OP_TRIM, 0, 0, 0, 0 },
    { "ata/no-trim", TD_ATA, "2780060000000040000000000100000000000000",
      "DATA SET MANAGEMENT", TD_OP_OTHER, 0, 0, 0, 0 },
    { "ata/ncq-trim", TD_ATA, "2780640100000040000000000800000001000000",
      "SEND FPDMA QUEUED", TD_OP_TRIM, TD_QUEUED | TD_DATA_OUT, 0, 0, 1 },
    { "ata/verify", TD_ATA, "2780420005000040000000000300000000000000",
      "READ VERIFY SECTOR(S) EXT", TD_OP_VERIFY, TD_HAS_LBA, 5, 3, 0 },
    { "ata/uncorrectable", TD_ATA, "2780455505000040000000000300000000000000",
      "WRITE UNCORRECTABLE EXT", TD_OP_OTHER, TD_HAS_LBA, 5, 3, 0 },
    { "ata/flush", TD_ATA, "2780e70000000040000000000000000000000000",
      "FLUSH CACHE", TD_OP_FLUSH, 0, 0, 0, 0 },
    { "ata/flush-ext", TD_ATA, "2780ea0000000040000000000000000000000000",
      "FLUSH CACHE EXT", TD_OP_FLUSH, 0, 0, 0, 0 },
    { "ata/identify", TD_ATA, "2780ec0000000040000000000000000000000000",
      "IDENTIFY DEVICE", TD_OP_IDENTIFY, TD_PIO, 0, 0, 0 },
    { "ata/smart-status", TD_ATA, "2780b0da004fc240000000000000000000000000",
      "SMART RETURN STATUS", TD_OP_OTHER, 0, 0, 0, 0 },
    { "ata/smart-data", TD_ATA, "2780b0d0004fc240000000000100000000000000",
      "SMART READ DATA", TD_OP_OTHER, TD_PIO | TD_DATA_IN, 0, 0, 0 },
    { "ata/read-log", TD_ATA, "27802f0010000040000000000100000000000000",
      "READ LOG EXT", TD_OP_OTHER, TD_PIO | TD_DATA_IN, 0, 0, 0 },
    { "ata/read-log-dma", TD_ATA, "2780470010000040000000000100000000000000",
      "READ LOG DMA EXT", TD_OP_OTHER, TD_DATA_IN, 0, 0, 0 },
    { "ata/write-log-dma", TD_ATA, "2780570010000040000000000100000000000000",
      "WRITE LOG DMA EXT", TD_OP_OTHER, TD_DATA_OUT, 0, 0, 0 },
    { "ata/set-features", TD_ATA, "2780ef0300000040000000004600000000000000",
      "SET FEATURES", TD_OP_OTHER, 0, 0, 0, 0 },
    { "ata/unknown", TD_ATA, "2780ff0000000040000000004600000000000000",
      "UNKNOWN ATA COMMAND", TD_OP_OTHER, 0, 0, 0, 0 },
    { "ata/control-10.5.5", TD_ATA, "2700ff0000000040000000000000000400000000",
      "DEVICE CONTROL", TD_OP_OTHER, 0, 0, 0, 0 },
    { "ata/other-fis", TD_ATA, "4600000000000000", "UNKNOWN FIS", TD_OP_OTHER, 0, 0, 0, 0 },
    { "ata/short", TD_ATA, "278025", "READ DMA EXT", TD_OP_OTHER, 0, 0, 0, 0 },
    { "ata/empty", TD_ATA, "", "UNKNOWN FIS", TD_OP_OTHER, 0, 0, 0, 0 },

    { "scsi/read6", TD_SCSI, "08e123450100", "READ(6)", TD_OP_READ, TD_HAS_LBA, 0x12345, 1, 0 },
    { "scsi/write6-length-0", TD_SCSI, "0a0000000000", "WRITE(6)", TD_OP_WRITE, TD_HAS_LBA, 0,
      256, 0 },
    { "scsi/read10", TD_SCSI, "28001234567800010200", "READ(10)", TD_OP_READ, TD_HAS_LBA,
      0x12345678, 0x102, 0 },
    { "scsi/read10-length-0", TD_SCSI, "28000000000000000000", "READ(10)", TD_OP_READ,
      TD_HAS_LBA, 0, 0, 0 },
    { "scsi/write10-fua-dpo", TD_SCSI, "2a18000000ff00000100", "WRITE(10)", TD_OP_WRITE,
      TD_HAS_LBA | TD_FUA | TD_DPO, 255, 1, 0 },
    { "scsi/read12", TD_SCSI, "a80012345678000102030000", "READ(12)", TD_OP_READ, TD_HAS_LBA,
      0x12345678, 0x10203, 0 },
    { "scsi/read16", TD_SCSI, "88081122334455667788000000080000", "READ(16)", TD_OP_READ,
      TD_HAS_LBA | TD_FUA, 0x1122334455667788, 8, 0 },
    { "scsi/write16", TD_SCSI, "8a000000000000000010010000000000", "WRITE(16)", TD_OP_WRITE,
      TD_HAS_LBA, 16, 0x1000000, 0 },
    { "scsi/verify10", TD_SCSI, "2f100000000100000100", "VERIFY(10)", TD_OP_VERIFY,
      TD_HAS_LBA | TD_DPO, 1, 1, 0 },
    { "scsi/write-and-verify16", TD_SCSI, "8e080000000000000001000000010000",
      "WRITE AND VERIFY(16)", TD_OP_WRITE, TD_HAS_LBA, 1, 1, 0 },
    { "scsi/write-same10", TD_SCSI, "41000000000a00001400", "WRITE SAME(10)", TD_OP_WRITE,
      TD_HAS_LBA, 10, 20, 0 },
    { "scsi/write-same10-unmap", TD_SCSI, "41080000000a00001400", "WRITE SAME(10)", TD_OP_TRIM,
      TD_HAS_LBA, 10, 20, 0 },
    { "scsi/write-same16-ndob", TD_SCSI, "93010000000000000002000000030000", "WRITE SAME(16)",
      TD_OP_ZERO, TD_HAS_LBA, 2, 3, 0 },
    { "scsi/unmap", TD_SCSI, "42000000000000001800", "UNMAP", TD_OP_TRIM, 0, 0, 0, 0 },
    { "scsi/sync10-all", TD_SCSI, "35000000000000000000", "SYNCHRONIZE CACHE(10)", TD_OP_FLUSH,
      0, 0, 0, 0 },
    { "scsi/sync16-range", TD_SCSI, "91000000000000000002000000030000", "SYNCHRONIZE CACHE(16)",
      TD_OP_FLUSH, TD_HAS_LBA, 2, 3, 0 },
    { "scsi/compare-and-write", TD_SCSI, "89080000000000000002000000050000",
      "COMPARE AND WRITE", TD_OP_WRITE, TD_HAS_LBA | TD_FUA, 2, 5, 0 },
    { "scsi/orwrite16", TD_SCSI, "8b000000000000000002000000050000", "ORWRITE(16)", TD_OP_WRITE,
      TD_HAS_LBA, 2, 5, 0 },
    { "scsi/write-atomic16", TD_SCSI, "9c000000000000000002aaaa00050000", "WRITE ATOMIC(16)",
      TD_OP_WRITE, TD_HAS_LBA, 2, 5, 0 },
    { "scsi/read32", TD_SCSI,
      "7f00000000000018000908000000000000000007000000000000000000000009", "READ(32)", TD_OP_READ,
      TD_HAS_LBA | TD_FUA, 7, 9, 0 },
    { "scsi/write-same32-unmap", TD_SCSI,
      "7f00000000000018000d08000000000000000007000000000000000000000009", "WRITE SAME(32)",
      TD_OP_TRIM, TD_HAS_LBA, 7, 9, 0 },
    { "scsi/variable-unknown", TD_SCSI, "7f00000000000018ffff", "VARIABLE LENGTH CDB",
      TD_OP_OTHER, 0, 0, 0, 0 },
    { "scsi/inquiry", TD_SCSI, "120000002400", "INQUIRY", TD_OP_IDENTIFY, 0, 0, 0, 0 },
    { "scsi/read-capacity16", TD_SCSI, "9e100000000000000000000000200000", "READ CAPACITY(16)",
      TD_OP_IDENTIFY, 0, 0, 0, 0 },
    { "scsi/get-lba-status", TD_SCSI, "9e120000000000000000000000200000", "GET LBA STATUS",
      TD_OP_OTHER, TD_DATA_IN, 0, 0, 0 },
    { "scsi/service-action-unknown", TD_SCSI, "9e1f0000000000000000000000200000",
      "SERVICE ACTION IN(16)", TD_OP_OTHER, TD_DATA_IN, 0, 0, 0 },
    { "scsi/report-opcodes", TD_SCSI, "a30c00000000000000200000",
      "REPORT SUPPORTED OPERATION CODES", TD_OP_OTHER, TD_DATA_IN, 0, 0, 0 },
    { "scsi/mode-select-6", TD_SCSI, "151000001800", "MODE SELECT(6)", TD_OP_OTHER, TD_DATA_OUT, 0,
      0, 0 },
    { "scsi/test-unit-ready", TD_SCSI, "000000000000", "TEST UNIT READY", TD_OP_OTHER, 0, 0, 0,
      0 },
    { "scsi/unknown", TD_SCSI, "ff0000000000", "UNKNOWN SCSI COMMAND", TD_OP_OTHER, 0, 0, 0, 0 },
    { "scsi/short", TD_SCSI, "280012", "READ(10)", TD_OP_OTHER, 0, 0, 0, 0 },
    { "scsi/empty", TD_SCSI, "", "EMPTY CDB", TD_OP_OTHER, 0, 0, 0, 0 },
};

static size_t from_hex(const char *hex, uint8_t *bytes)
{
    size_t n = 0;

    for (; *hex; hex++) {
        if (*hex != ' ') {
            bytes[n++] = (uint8_t)(g_ascii_xdigit_value(hex[0]) << 4 |
                                   g_ascii_xdigit_value(hex[1]));
            hex++;
        }
    }
    return n;
}

static void test_expectation(gconstpointer data)
{
    const struct expectation *e = data;
    struct td_decoded d;
    uint8_t raw[64];
    size_t n = from_hex(e->raw, raw);

    td_decode(e->protocol, raw, n, &d);
    g_assert_cmpstr(d.name, ==, e->name);
    g_assert_cmpstr(td_op_name(d.op), ==, td_op_name(e->op));
    g_assert_cmphex(d.flags, ==, e->flags);
    g_assert_cmphex(d.lba, ==, e->lba);
    g_assert_cmpuint(d.blocks, ==, e->blocks);
    g_assert_cmpuint(d.queued_tag, ==, e->tag);
}

/* Any bytes of any length: a name, and no read past the end (a sanitizer's). */
static void test_any(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(1);

    for (int i = 0; i < 300000; i++) {
        size_t n = (size_t)g_rand_int_range(rand, 0, 40);
        g_autofree uint8_t *raw = g_malloc(n + 1);
        g_autofree uint8_t *exact = NULL;
        struct td_decoded d;

        for (size_t j = 0; j < n; j++) {
            raw[j] = (uint8_t)g_rand_int(rand);
        }
        if (n > 2 && i % 2) {
            raw[0] = 0x27;
            raw[1] |= 0x80;
        }
        exact = g_memdup2(raw, n);
        td_decode(i % 2 ? TD_ATA : TD_SCSI, exact, n, &d);
        g_assert_nonnull(d.name);
        if (d.op == TD_OP_READ || d.op == TD_OP_WRITE || d.op == TD_OP_VERIFY) {
            g_assert_true(d.flags & TD_HAS_LBA);
        }
    }
}

static void test_unknown_protocol(void)
{
    struct td_decoded d;

    td_decode((enum td_protocol)3, (const uint8_t *)"abc", 3, &d);
    g_assert_cmpstr(d.name, ==, "UNKNOWN");
}

static void test_names(void)
{
    g_assert_cmpstr(td_op_name(TD_OP_IDENTIFY), ==, "identify");
    g_assert_cmpstr(td_status_name(TD_PENDING), ==, "pending");
    g_assert_cmpstr(td_status_name((enum td_status)7), ==, "unknown");
    g_assert_cmpstr(td_event_name(TD_EVENT_FAULT), ==, "fault");
    g_assert_cmpstr(td_event_name(TD_EVENT_TRIM), ==, "trim");
    g_assert_cmpstr(td_event_name((enum td_event_type)0), ==, "unknown");
    g_assert_cmpstr(td_metadata_name(TD_META_PRDBC), ==, "prdbc");
    g_assert_cmpstr(td_metadata_name((enum td_metadata_kind)1000), ==, "unknown");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    for (size_t i = 0; i < G_N_ELEMENTS(expectations); i++) {
        g_autofree char *name = g_strconcat("/decode/", expectations[i].test, NULL);

        g_test_add_data_func(name, &expectations[i], test_expectation);
    }
    g_test_add_func("/decode/any", test_any);
    g_test_add_func("/decode/unknown-protocol", test_unknown_protocol);
    g_test_add_func("/decode/names", test_names);
    return g_test_run();
}
