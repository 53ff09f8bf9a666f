/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bad input through each SCSI HBA: random CDBs, and lists that lead nowhere.
 * Whatever comes, QEMU lives, the trace is whole, and then the disk works.
 *
 * With TD_SYSTEM=peer the disk is QEMU's own: what goes wrong there as well is
 * the HBA's doing.
 */
#include "qemu/osdep.h"
#include "qemu/bswap.h"
#include "qemu/cutils.h"
#include "qemu/units.h"
#include "qobject/qdict.h"
#include "qobject/qlist.h"
#include "hba/hba.h"
#include "tests/qtest/libqos/pci-pc.h"
#include "libtracedisk-qos/trace.h"

#define SLOT 4
#define DISK_BYTES (4 * MiB)
#define BLOCK 512
#define COMMANDS 3000
#define SEED 1
#define PATIENCE_US (3 * G_USEC_PER_SEC)

#define READ_10 0x28
#define WRITE_10 0x2a
#define GOOD 0
#define CHECK_CONDITION 2

typedef struct Bench {
    Hba hba;
    char *folder;
    char *image;
    char *trace;                /* NULL: the disk is QEMU's own */
} Bench;

bool hba_patience(int64_t *since)
{
    int64_t now = g_get_monotonic_time();

    if (!*since) {
        *since = now;
    }
    return now - *since < PATIENCE_US;
}

static void bench_start_with(Bench *b, const HbaDriver *driver,
                             const char *drive)
{
    const char *system = g_getenv("TD_SYSTEM");
    Hba *h = &b->hba;
    g_autofree char *disk = NULL;

    *b = (Bench) { .hba.driver = driver };
    b->folder = g_dir_make_tmp("tracedisk-hba-XXXXXX", NULL);
    g_assert_nonnull(b->folder);
    b->image = g_build_filename(b->folder, "disk", NULL);
    g_assert_true(g_file_set_contents(b->image, "", 0, NULL));
    g_assert_cmpint(truncate(b->image, DISK_BYTES), ==, 0);
    if (g_strcmp0(system, "peer")) {
        b->trace = g_build_filename(b->folder, "d0.tdt", NULL);
        disk = g_strconcat("tracedisk-scsi,trace=", b->trace, NULL);
    } else {
        disk = g_strdup("scsi-hd");
    }
    h->qts = qtest_initf("-machine q35,sata=off -m %u -nodefaults "
                         "-drive if=none,id=d0,%s%s "
                         "-device %s,id=hba,addr=%u "
                         "-device %s,bus=hba.0,scsi-id=0,drive=d0",
                         HBA_RAM_MIB, drive ?: "format=raw,file=",
                         drive ? "" : b->image, driver->device, SLOT, disk);
    h->bus = qpci_new_pc(h->qts, NULL);
    h->pci = qpci_device_find(h->bus, QPCI_DEVFN(SLOT, 0));
    g_assert_nonnull(h->pci);
    qpci_device_enable(h->pci);
    h->bar = qpci_iomap(h->pci, driver->bar, NULL);
    driver->start(h);
}

static void bench_start(Bench *b, const HbaDriver *driver)
{
    bench_start_with(b, driver, NULL);
}

static void bench_end(Bench *b)
{
    Hba *h = &b->hba;

    if (h->driver->stop) {
        h->driver->stop(h);
    }
    g_free(h->pci);
    qpci_free_pc(h->bus);
    qtest_quit(h->qts);
    if (b->trace) {
        td_trace_free(td_trace_load(b->trace));
        unlink(b->trace);
    }
    unlink(b->image);
    rmdir(b->folder);
    g_free(b->trace);
    g_free(b->image);
    g_free(b->folder);
}

/* Send it; an HBA that is lost is started anew. */
static int send_command(Hba *h, const HbaCommand *c)
{
    int status = h->driver->command(h, c);

    if (status == HBA_LOST) {
        h->driver->start(h);
    }
    return status;
}

static int send_simple(Hba *h, const uint8_t *cdb, unsigned len,
                       bool to_device, uint32_t bytes)
{
    HbaCommand c = {
        .cdb_len = len, .to_device = to_device,
        .list = { { HBA_DATA, bytes } }, .n = 1,
    };

    memcpy(c.cdb, cdb, len);
    return send_command(h, &c);
}

/* What a random command may have done to the disk is undone. */
static void revive(Hba *h)
{
    static const uint8_t start_unit[6] = { 0x1b, [4] = 1 };
    static const uint8_t clear[10] = { 0x5f, 0x03, [8] = 24 };
    static const uint8_t select[6] = { 0x15, 0x10, [4] = 16 };
    static const uint8_t control[16] = {
        [4] = 0x0a, 0x0a, 2, 0x10, 0, 0, 0, 0, 0xff, 0xff,
    };

    send_simple(h, start_unit, 6, false, 0x200);
    qtest_memset(h->qts, HBA_DATA, 0, 24);
    send_simple(h, clear, 10, true, 24);
    qtest_memwrite(h->qts, HBA_DATA, control, sizeof(control));
    send_simple(h, select, 6, true, 16);
}

/* Writes a few blocks and reads them back, after what was left to be told. */
static bool works(Hba *h)
{
    static const uint8_t write10[10] = { WRITE_10, [8] = 8 };
    static const uint8_t read10[10] = { READ_10, [8] = 8 };
    uint8_t out[8 * BLOCK], in[8 * BLOCK];

    for (unsigned i = 0; i < sizeof(out); i++) {
        out[i] = i * 7 + i / BLOCK;
    }
    for (unsigned tries = 0; tries < 8; tries++) {
        revive(h);
        qtest_memwrite(h->qts, HBA_DATA, out, sizeof(out));
        if (send_simple(h, write10, 10, true, sizeof(out)) != GOOD) {
            continue;
        }
        qtest_memset(h->qts, HBA_DATA, 0xee, sizeof(in));
        if (send_simple(h, read10, 10, false, sizeof(in)) != GOOD) {
            continue;
        }
        qtest_memread(h->qts, HBA_DATA, in, sizeof(in));
        g_assert_cmpmem(out, sizeof(out), in, sizeof(in));
        return true;
    }
    return false;
}

/* ---- Random CDBs ------------------------------------------------------- */

static uint32_t below(GRand *rand, uint32_t n)
{
    return g_rand_int_range(rand, 0, n);
}

static uint32_t any_length(GRand *rand)
{
    switch (below(rand, 4)) {
    case 0:
        return 1 + below(rand, 64);
    case 1:
        return BLOCK * (1 + below(rand, 64));
    case 2:
        return 1 + below(rand, 8192);
    default:
        return 1 + below(rand, 128 * KiB);
    }
}

/* Most are to come past the first checks: a small LBA, few blocks. */
static void tame(GRand *rand, HbaCommand *c)
{
    static const uint8_t zeroed[][2] = {
        { 1, 1 }, { 2, 3 }, { 6, 2 }, { 10, 2 }, { 14, 2 }
    };

    for (unsigned i = 0; i < ARRAY_SIZE(zeroed); i++) {
        if (below(rand, 4)) {
            memset(c->cdb + zeroed[i][0], 0, zeroed[i][1]);
        }
    }
}

static void any_command(GRand *rand, HbaCommand *c)
{
    static const uint8_t known[] = {
        0x00, 0x03, 0x08, 0x0a, 0x12, 0x15, 0x1a, 0x1b, 0x25, 0x28, 0x2a, 0x2e,
        0x2f, 0x34, 0x35, 0x3b, 0x3c, 0x41, 0x42, 0x4d, 0x55, 0x5a, 0x5e, 0x5f,
        0x83, 0x84, 0x88, 0x89, 0x8a, 0x8b, 0x8e, 0x8f, 0x93, 0x9c, 0x9e, 0xa0,
        0xa3, 0xa8, 0xaa, 0xae, 0xaf,
    };
    static const uint8_t lengths[8] = { 6, 10, 10, 16, 16, 12, 12, 16 };
    static const uint8_t wrong[] = { 6, 10, 12, 16 };
    uint64_t at = HBA_DATA;
    uint32_t bytes = any_length(rand);

    *c = (HbaCommand) { .to_device = below(rand, 2) };
    for (unsigned i = 0; i < sizeof(c->cdb); i++) {
        c->cdb[i] = g_rand_int(rand);
    }
    if (below(rand, 8)) {
        c->cdb[0] = known[below(rand, ARRAY_SIZE(known))];
        tame(rand, c);
    }
    c->cdb_len = below(rand, 16) ? lengths[c->cdb[0] >> 5] :
                 wrong[below(rand, ARRAY_SIZE(wrong))];
    while (bytes && c->n < HBA_MAX_ELEMENTS) {
        uint32_t piece = c->n == HBA_MAX_ELEMENTS - 1 ? bytes :
                         1 + below(rand, bytes);

        at += below(rand, 4096);
        c->list[c->n++] = (HbaElement) { at, piece };
        at += piece;
        bytes -= piece;
        if (below(rand, 2)) {
            break;
        }
    }
}

static void test_random_cdbs(const void *data)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(SEED);
    unsigned good = 0, lost = 0, failed = 0;
    HbaCommand c;
    Bench b;

    bench_start(&b, data);
    for (unsigned i = 0; i < COMMANDS; i++) {
        if (i % 32 == 0) {
            revive(&b.hba);
        }
        any_command(rand, &c);
        for (unsigned at = 0; at < 64; at += 4) {
            qtest_writel(b.hba.qts, HBA_DATA + at, g_rand_int(rand));
        }
        switch (send_command(&b.hba, &c)) {
        case GOOD:
            good++;
            break;
        case HBA_LOST:
            g_test_message("command %u, opcode 0x%02x: the HBA is lost", i,
                           c.cdb[0]);
            lost++;
            break;
        case HBA_FAILED:
            failed++;
            break;
        }
    }
    g_test_message("%u commands: %u good, %u ended by the HBA, %u lost",
                   COMMANDS, good, failed, lost);
    g_assert_cmpuint(good, >, COMMANDS / 40);
    g_assert_true(works(&b.hba));
    bench_end(&b);
}

/* ---- Bad lists --------------------------------------------------------- */

#define RAM_END (HBA_RAM_MIB * MiB)
#define OWN_REGISTERS 1             /* stands for their address */

static const struct {
    const char *name;
    HbaElement list[3];
    unsigned n;
} bad_lists[] = {
    { "nowhere", { { 0x20000000, 4096 } }, 1 },
    { "half nowhere", { { HBA_DATA, 2048 }, { 0x20000000, 2048 } }, 2 },
    { "nowhere at first", { { 0x20000000, 1 }, { HBA_DATA, 4095 } }, 2 },
    { "over the end of RAM", { { RAM_END - BLOCK, 4096 } }, 1 },
    { "around the end of addresses", { { UINT64_MAX - 511, 4096 } }, 1 },
    { "the last address", { { UINT64_MAX, 1 }, { HBA_DATA, 4095 } }, 2 },
    { "the HBA's registers", { { OWN_REGISTERS, 4096 } }, 1 },
    { "after data the registers",
      { { HBA_DATA, BLOCK }, { OWN_REGISTERS, 4096 - BLOCK } }, 2 },
    { "the local APIC", { { 0xfee00000, 4096 } }, 1 },
    { "ROM", { { 0xfffff000, 4096 } }, 1 },
    { "the hole below 1 MiB", { { 0xa0000, 4096 } }, 1 },
    { "nothing", { { HBA_DATA, 0 }, { HBA_DATA, 4096 } }, 2 },
    { "nothing at all", { { HBA_DATA, 0 } }, 1 },
    { "all memory", { { 0x2000000, UINT32_MAX } }, 1 },
    { "all memory twice",
      { { 0x2000000, UINT32_MAX }, { 0x2000000, UINT32_MAX } }, 2 },
    { "the same twice", { { HBA_DATA, 2048 }, { HBA_DATA, 2048 } }, 2 },
    { "overlapping", { { HBA_DATA, 2048 }, { HBA_DATA + 1, 2048 } }, 2 },
    { "odd", { { HBA_DATA + 1, 3 }, { HBA_DATA + 7, 4093 } }, 2 },
    { "too short", { { HBA_DATA, 100 } }, 1 },
    { "no element", { { 0 } }, 0 },
};

static const struct {
    const char *name;
    uint8_t cdb[16];
    unsigned len;
    bool to_device;
} with_data[] = {
    { "READ(10)", { READ_10, [8] = 8 }, 10 },
    { "WRITE(10)", { WRITE_10, [8] = 8 }, 10, true },
    { "INQUIRY", { 0x12, [3] = 16 }, 6 },
    { "MODE SELECT(10)", { 0x55, 0x10, [7] = 16 }, 10, true },
    { "VERIFY(10)", { 0x2f, 0x02, [8] = 8 }, 10, true },
    { "WRITE AND VERIFY(10)", { 0x2e, 0x02, [8] = 8 }, 10, true },
    { "WRITE SAME(16)", { 0x93, [13] = 8 }, 16, true },
    { "COMPARE AND WRITE", { 0x89, [13] = 4 }, 16, true },
    { "UNMAP", { 0x42, [7] = 16 }, 10, true },
};

static void fill_list(Hba *h, HbaCommand *c, const HbaElement *list, unsigned n)
{
    c->n = n;
    for (unsigned i = 0; i < n; i++) {
        uint64_t addr = list[i].addr == OWN_REGISTERS ? h->bar.addr :
                        list[i].addr;

        c->list[i].addr = addr & h->driver->max_addr;
        c->list[i].bytes = MIN(list[i].bytes, h->driver->max_bytes);
    }
}

static bool aims_at_registers(unsigned i)
{
    for (unsigned k = 0; k < bad_lists[i].n; k++) {
        if (bad_lists[i].list[k].addr == OWN_REGISTERS) {
            return true;
        }
    }
    return false;
}

static void test_bad_lists(const void *data)
{
    Bench b;

    bench_start(&b, data);
    for (unsigned i = 0; i < ARRAY_SIZE(bad_lists); i++) {
        if (aims_at_registers(i) && b.hba.driver->hangs_in_own_registers) {
            continue;
        }
        for (unsigned k = 0; k < ARRAY_SIZE(with_data); k++) {
            HbaCommand c = {
                .cdb_len = with_data[k].len,
                .to_device = with_data[k].to_device,
            };
            int status;

            memcpy(c.cdb, with_data[k].cdb, sizeof(c.cdb));
            fill_list(&b.hba, &c, bad_lists[i].list, bad_lists[i].n);
            status = send_command(&b.hba, &c);
            g_test_message("%s, %s: status %d", bad_lists[i].name,
                           with_data[k].name, status);
            if (!works(&b.hba)) {
                b.hba.driver->start(&b.hba);
                g_assert_true(works(&b.hba));
            }
        }
    }
    bench_end(&b);
}

static void test_bad_chains(const void *data)
{
    Bench b;

    bench_start(&b, data);
    for (unsigned k = 0; k < ARRAY_SIZE(with_data); k++) {
        HbaCommand c = {
            .cdb_len = with_data[k].len, .to_device = with_data[k].to_device,
            .list = { { HBA_DATA, 4096 } }, .n = 1,
        };
        const char *name;
        int status;

        memcpy(c.cdb, with_data[k].cdb, sizeof(c.cdb));
        for (unsigned i = 0;
             (name = b.hba.driver->bad_chain(&b.hba, &c, i, &status)); i++) {
            g_test_message("a chain %s, %s: status %d", name,
                           with_data[k].name, status);
            if (status == HBA_LOST || !works(&b.hba)) {
                b.hba.driver->start(&b.hba);
                g_assert_true(works(&b.hba));
            }
        }
    }
    bench_end(&b);
}

/* ---- Sense data -------------------------------------------------------- */

/* Told once: with the status or, where the HBA does not, by REQUEST SENSE. */
static void test_request_sense(const void *data)
{
    static const uint8_t beyond[10] = { READ_10, [2] = 0x7f, [8] = 1 };
    static const uint8_t request_sense[6] = { 0x03, [4] = 18 };
    uint8_t sense[18];
    Hba *h;
    Bench b;

    bench_start(&b, data);
    h = &b.hba;
    g_assert_true(works(h));
    g_assert_cmpint(send_simple(h, beyond, 10, false, BLOCK), ==,
                    CHECK_CONDITION);
    qtest_memset(h->qts, HBA_DATA, 0xee, sizeof(sense));
    g_assert_cmpint(send_simple(h, request_sense, 6, false, sizeof(sense)), ==,
                    GOOD);
    qtest_memread(h->qts, HBA_DATA, sense, sizeof(sense));
    g_assert_cmphex(sense[0] & 0x7f, ==, 0x70);
    g_assert_cmphex(sense[2], ==, h->driver->autosense ? 0 : 5);
    g_assert_cmphex(sense[12], ==, h->driver->autosense ? 0 : 0x21);
    bench_end(&b);
}

/* ---- The VM stops ------------------------------------------------------ */

/* How many reads the drive has done. */
static int64_t reads_of_drive(Hba *h)
{
    QDict *answer = qtest_qmp(h->qts, "{'execute': 'query-blockstats'}");
    QDict *drive = qobject_to(QDict, qlist_peek(qdict_get_qlist(answer,
                                                                "return")));
    int64_t reads = qdict_get_int(qdict_get_qdict(drive, "stats"),
                                  "rd_operations");

    qobject_unref(answer);
    return reads;
}

static void run_or_stop(Hba *h, const char *command)
{
    qobject_unref(qtest_qmp(h->qts, "{'execute': %s}", command));
}

/*
 * While the VM is stopped, and maybe saved, the disk neither reads nor has the
 * HBA write to memory; then the command goes on.
 */
static void test_stop(const void *data)
{
    static const uint8_t read_all[10] = { READ_10, [7] = 8 };
    HbaCommand c = {
        .cdb_len = 10, .list = { { HBA_DATA, 1 * MiB } }, .n = 1,
    };
    g_autofree uint8_t *then = g_malloc(1 * MiB), *now = g_malloc(1 * MiB);
    int64_t since = 0, reads;
    int status = HBA_LOST;
    Bench b;
    Hba *h = &b.hba;

    bench_start_with(&b, data, "driver=null-co,read-zeroes=on,size=4M,"
                               "latency-ns=100000000");
    while (send_simple(h, (uint8_t [6]) { 0 }, 6, false, 1) != GOOD) {
        /* It has a unit attention condition to tell. */
    }
    qtest_memset(h->qts, HBA_DATA, 0xee, 1 * MiB);
    memcpy(c.cdb, read_all, sizeof(read_all));
    h->driver->begin(h, &c);
    reads = reads_of_drive(h);
    while (h->driver->serve(h, &status) && reads_of_drive(h) == reads) {
        /* Pieces of the payload are to come. */
        g_assert_true(hba_patience(&since));
    }
    run_or_stop(h, "stop");
    reads = reads_of_drive(h);
    qtest_memread(h->qts, HBA_DATA, then, 1 * MiB);
    g_usleep(500 * 1000);
    g_assert_cmpint(reads_of_drive(h), ==, reads);
    qtest_memread(h->qts, HBA_DATA, now, 1 * MiB);
    g_assert_cmpmem(then, 1 * MiB, now, 1 * MiB);
    run_or_stop(h, "cont");
    for (since = 0; h->driver->serve(h, &status);) {
        g_assert_true(hba_patience(&since));
    }
    g_assert_cmpint(status, ==, GOOD);
    qtest_memread(h->qts, HBA_DATA, now, 1 * MiB);
    g_assert_true(buffer_is_zero(now, 1 * MiB));
    bench_end(&b);
}

static void add_test(const char *name, const HbaDriver *driver,
                     GTestDataFunc test)
{
    g_autofree char *path = g_strdup_printf("/tracedisk/hba/%s/%s",
                                            driver->device, name);

    g_test_add_data_func(path, driver, test);
}

int main(int argc, char **argv)
{
    static const HbaDriver *const drivers[] = {
        &hba_am53c974, &hba_lsi53c895a, &hba_megasas,
        &hba_mptsas1068, &hba_pvscsi, &hba_virtio_scsi,
    };

    g_test_init(&argc, &argv, NULL);
    for (unsigned i = 0; i < ARRAY_SIZE(drivers); i++) {
        add_test("random-cdbs", drivers[i], test_random_cdbs);
        add_test("bad-lists", drivers[i], test_bad_lists);
        add_test("request-sense", drivers[i], test_request_sense);
        if (drivers[i]->bad_chain) {
            add_test("bad-chains", drivers[i], test_bad_chains);
        }
        if (drivers[i]->begin) {
            add_test("stop", drivers[i], test_stop);
        }
    }
    return g_test_run();
}
