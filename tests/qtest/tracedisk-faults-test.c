/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fault plans on tracedisk-ahci: what the driver sees of each fault, and what
 * the trace tells of it. tests/faults has Linux meet them.
 *
 * Clauses in brackets are of AHCI 1.3.1.
 */
#include "rig.h"
#include "qemu/host-utils.h"

#define SECTORS 8
#define BYTES (SECTORS * 512)

/* ---- A rig with a plan ------------------------------------------------- */

static char *plan_path;

static const char *write_plan(const char *plan)
{
    if (!plan_path) {
        int fd = g_file_open_tmp("tracedisk-XXXXXX.faults", &plan_path, NULL);

        g_assert_cmpint(fd, >=, 0);
        close(fd);
    }
    g_assert_true(g_file_set_contents(plan_path, plan, -1, NULL));
    return plan_path;
}

static Rig *start(const char *plan)
{
    g_autofree char *options = g_strdup_printf(
        ",registers=on,faults=%s", write_plan(plan));

    return rig_start(options);
}

static Outcome run(Rig *rig, const RegH2DFIS *fis, uint64_t addr)
{
    Prd list = { addr, BYTES };

    return rig_run(rig, fis, &list, 1);
}

static Outcome run_at(Rig *rig, uint8_t command, uint64_t lba, uint64_t addr)
{
    RegH2DFIS fis = fis_lba48(command, lba, SECTORS);

    return run(rig, &fis, addr);
}

static bool has_failed(Outcome o)
{
    return o.is & AHCI_PX_IS_TFES;
}

/* The @n-th event of a fault, and that it stands before its command's end. */
static void check_fault(Rig *rig, unsigned n, const char *text,
                        const Traced *command)
{
    for (unsigned i = 0; i < rig->events->len; i++) {
        const TracedEvent *e = g_ptr_array_index(rig->events, i);

        if (e->type == TD_EVENT_FAULT && n-- == 0) {
            g_assert_cmpstr(e->text, ==, text);
            g_assert_cmpuint(e->ref, ==, command->seq);
            g_assert_cmpuint(e->seq, <, command->complete_seq);
            return;
        }
    }
    g_error("the trace has no fault '%s'", text);
}

static unsigned faults(Rig *rig)
{
    return rig_count(rig, TD_EVENT_FAULT, "");
}

/* ---- Which commands ---------------------------------------------------- */

/* Reads blocks 0, 8, 16 … and tells with a bit each which of them failed. */
static uint32_t failed_reads(const char *plan, unsigned n)
{
    Rig *rig = start(plan);
    uint64_t addr = ahci_alloc(rig->ahci, BYTES);
    uint32_t failed = 0;

    for (unsigned i = 0; i < n; i++) {
        if (has_failed(run_at(rig, CMD_READ_DMA_EXT, i * SECTORS, addr))) {
            failed |= 1u << i;
            rig_recover(rig);
        }
    }
    rig_stop(rig);
    g_assert_cmpuint(faults(rig), ==, ctpop32(failed));
    rig_free(rig);
    return failed;
}

typedef struct Selection {
    const char *name, *keys;
    uint32_t failed;
} Selection;

static const Selection selections[] = {
    { "all", "", 0xffff },
    { "op", "op=write\n", 0 },
    { "command", "command=READ DMA EXT\n", 0xffff },
    { "command/pattern", "command=read *\n", 0xffff },
    { "command/other", "command=WRITE*\n", 0 },
    { "lba/one", "lba=17\n", 1 << 2 },
    { "lba/edges", "lba=15-24\n", 0x0e },
    { "lba/gap", "lba=0x80-0x10000\n", 0 },
    { "tag", "tag=0\n", 0xffff },
    { "tag/other", "tag=1-31\n", 0 },
    { "port/other", "port=1\n", 0 },
    { "nth", "nth=4\n", 1 << 3 },
    { "every", "every=5\n", 0x8421 },
    { "nth-every", "nth=3\nevery=4\n", 0x4444 },
    { "count", "count=2\n", 0x0003 },
    { "nth-count", "nth=3\ncount=2\n", 0x000c },
    { "nth-every-count", "nth=2\nevery=2\ncount=3\n", 0x002a },
    { "probability/one", "probability=1\n", 0xffff },
};

static void test_selection(const void *data)
{
    const Selection *s = data;
    g_autofree char *plan = g_strdup_printf("[x]\n%serror=unc\n", s->keys);

    g_assert_cmphex(failed_reads(plan, 16), ==, s->failed);
}

/* The same seed has the same faults, another one others. */
static void test_seed(void)
{
    const char *plan = "[plan]\nseed=%u\n[x]\nprobability=0.5\nerror=unc\n";
    uint32_t failed[3];

    for (unsigned i = 0; i < ARRAY_SIZE(failed); i++) {
        g_autofree char *text = g_strdup_printf(plan, i == 2 ? 7 : 3);

        failed[i] = failed_reads(text, 32);
    }
    g_assert_cmphex(failed[0], ==, failed[1]);
    g_assert_cmphex(failed[0], !=, failed[2]);
    g_assert_cmpuint(ctpop32(failed[0]), >, 4);
    g_assert_cmpuint(ctpop32(failed[0]), <, 28);
}

/* The first section that hits is the command's fault; all count it. */
static void test_sections(void)
{
    Rig *rig = start("[a]\nnth=2\nerror=unc\n[b]\nnth=2\nerror=abrt\n"
                     "[c]\nnth=3\nerror=idnf\n");
    uint64_t addr = ahci_alloc(rig->ahci, BYTES);

    g_assert_false(has_failed(run_at(rig, CMD_READ_DMA_EXT, 0, addr)));
    g_assert_cmphex(run_at(rig, CMD_READ_DMA_EXT, 0, addr).error, ==,
                    ERROR_UNC);
    rig_recover(rig);
    g_assert_cmphex(run_at(rig, CMD_READ_DMA_EXT, 0, addr).error, ==,
                    ERROR_IDNF);
    rig_stop(rig);
    check_fault(rig, 0, "[a] error=unc", rig_traced(rig, NULL, 1));
    check_fault(rig, 1, "[c] error=idnf", rig_traced(rig, NULL, 2));
    g_assert_cmpuint(faults(rig), ==, 2);
    rig_free(rig);
}

/* ---- Failures ---------------------------------------------------------- */

static void test_error(void)
{
    Rig *rig = start("[bad]\nlba=100\nstatus=0x71\nerror=0x44\ncount=1\n");
    uint64_t addr = ahci_alloc(rig->ahci, BYTES);
    const Traced *t;
    Outcome o;

    o = run_at(rig, CMD_READ_DMA_EXT, 96, addr);
    g_assert_true(has_failed(o));
    g_assert_cmphex(o.status, ==, 0x71);
    g_assert_cmphex(o.error, ==, 0x44);
    g_assert_cmpuint(o.prdbc, ==, 0);
    rig_recover(rig);
    g_assert_false(has_failed(run_at(rig, CMD_READ_DMA_EXT, 96, addr)));
    rig_stop(rig);
    t = rig_traced(rig, "READ DMA EXT", 0);
    g_assert_cmpint(t->status, ==, TD_ERROR);
    g_assert_cmphex(t->ata_status, ==, 0x71);
    g_assert_cmphex(t->ata_error, ==, 0x44);
    check_fault(rig, 0, "[bad] status=0x71 error=0x44", t);
    rig_free(rig);
}

/* A queued command fails as any: SDB FIS, PxSACT, log 10h [6.2.2.2]. */
static void test_error_queued(void)
{
    Rig *rig = start("[bad]\ncommand=WRITE FPDMA QUEUED\nerror=idnf\n");
    RegH2DFIS fis = fis_ncq(WRITE_FPDMA_QUEUED, 0, SECTORS, 5);
    uint64_t addr = ahci_alloc(rig->ahci, BYTES);
    uint8_t log[512];
    RegH2DFIS read_log = fis_plain(0x2f, 0, 1);     /* READ LOG EXT */
    Prd page = { addr, sizeof(log) };
    Outcome o = run(rig, &fis, addr);

    g_assert_true(has_failed(o));
    g_assert_cmphex(o.error, ==, ERROR_IDNF);
    g_assert_cmphex(rig_read(rig, AHCI_PX_SACT), ==, 1 << 5);
    rig_recover(rig);
    read_log.lba_lo[0] = 0x10;
    g_assert_false(has_failed(rig_run(rig, &read_log, &page, 1)));
    qtest_memread(rig->qts, addr, log, sizeof(log));
    g_assert_cmphex(log[0], ==, 5);             /* ACS-3 A.13: the tag */
    g_assert_cmphex(log[3], ==, ERROR_IDNF);
    rig_stop(rig);
    rig_free(rig);
}

/* An error after a part of the data: the LBA says how far it came. */
static void test_error_after_data(void)
{
    Rig *rig = start("[bad]\nop=read\nnth=1\nshort=1024\nerror=unc\n");
    uint64_t addr = ahci_alloc(rig->ahci, BYTES);
    Outcome o = run_at(rig, CMD_READ_DMA_EXT, 64, addr);
    uint8_t fis[20];

    g_assert_true(has_failed(o));
    g_assert_cmpuint(o.prdbc, ==, 1024);
    qtest_memread(rig->qts, rig->ahci->port[rig->port].fb + 0x40, fis, 20);
    g_assert_cmphex(fis[4], ==, 64 + 2);
    rig_stop(rig);
    g_assert_cmpuint(rig_traced(rig, "READ DMA EXT", 0)->bytes, ==, 1024);
    rig_free(rig);
}

/* ---- Data -------------------------------------------------------------- */

static void test_short_read(void)
{
    uint8_t data[BYTES], found[BYTES];
    Rig *rig = start("[short]\nop=read\nnth=1\nshort=1000\n");
    uint64_t addr = ahci_alloc(rig->ahci, BYTES);
    const Traced *t;
    Outcome o;

    rig_pattern(data, BYTES, 1);
    rig_disk_write(rig, 0, data, BYTES);
    qtest_memset(rig->qts, addr, 0x5a, BYTES);
    o = run_at(rig, CMD_READ_DMA_EXT, 0, addr);
    g_assert_false(has_failed(o));
    g_assert_cmpuint(o.prdbc, ==, 1000);
    qtest_memread(rig->qts, addr, found, BYTES);
    g_assert_cmpmem(found, 1000, data, 1000);
    g_assert_cmphex(found[1000], ==, 0x5a);
    rig_stop(rig);
    t = rig_traced(rig, "READ DMA EXT", 0);
    g_assert_cmpint(t->status, ==, TD_GOOD);
    g_assert_cmpuint(t->bytes, ==, 1000);
    g_assert_cmpuint(t->residual, ==, BYTES - 1000);
    g_assert_cmphex(t->flags, ==, 0);
    rig_free(rig);
}

/* Of a write whole blocks arrive. */
static void test_short_write(void)
{
    uint8_t data[BYTES], found[BYTES], zero[BYTES] = { 0 };
    Rig *rig = start("[short]\nop=write\nnth=1\nshort=1300\n");
    uint64_t addr = ahci_alloc(rig->ahci, BYTES);
    Outcome o;

    rig_pattern(data, BYTES, 1);
    qtest_memwrite(rig->qts, addr, data, BYTES);
    o = run_at(rig, CMD_WRITE_DMA_EXT, 0, addr);
    g_assert_false(has_failed(o));
    g_assert_cmpuint(o.prdbc, ==, 1024);
    rig_disk_read(rig, 0, found, BYTES);
    g_assert_cmpmem(found, 1024, data, 1024);
    g_assert_cmpmem(found + 1024, BYTES - 1024, zero, BYTES - 1024);
    rig_stop(rig);
    rig_free(rig);
}

/* One bit of what the guest reads; the medium is as it was. */
static void test_flip_read(void)
{
    uint8_t data[BYTES], found[BYTES];
    Rig *rig = start("[flip]\nop=read\nnth=1\nflip=1234\nmask=0x10\n");
    uint64_t addr = ahci_alloc(rig->ahci, BYTES);

    rig_pattern(data, BYTES, 1);
    rig_disk_write(rig, 0, data, BYTES);
    g_assert_false(has_failed(run_at(rig, CMD_READ_DMA_EXT, 0, addr)));
    qtest_memread(rig->qts, addr, found, BYTES);
    g_assert_cmphex(found[1234], ==, data[1234] ^ 0x10);
    found[1234] ^= 0x10;
    g_assert_cmpmem(found, BYTES, data, BYTES);
    rig_disk_read(rig, 0, found, BYTES);
    g_assert_cmpmem(found, BYTES, data, BYTES);
    rig_stop(rig);
    /* The hash is of what reached memory. */
    g_assert_false(td_digest_equal(&rig_traced(rig, NULL, 0)->digest,
                                   &rig_traced(rig, NULL, 1)->digest));
    g_assert_true(td_digest_equal(&rig_traced(rig, NULL, 0)->digest,
                                  &rig_traced(rig, NULL, 2)->digest));
    rig_free(rig);
}

/* A byte of what reaches the medium; the guest's memory is as it was. */
static void test_flip_write(void)
{
    uint8_t data[BYTES], found[BYTES];
    Rig *rig = start("[flip]\nop=write\nnth=1\nflip=4095\n");
    uint64_t addr = ahci_alloc(rig->ahci, BYTES);

    rig_pattern(data, BYTES, 1);
    qtest_memwrite(rig->qts, addr, data, BYTES);
    g_assert_false(has_failed(run_at(rig, CMD_WRITE_DMA_EXT, 0, addr)));
    qtest_memread(rig->qts, addr, found, BYTES);
    g_assert_cmpmem(found, BYTES, data, BYTES);
    g_assert_false(has_failed(run_at(rig, CMD_READ_DMA_EXT, 0, addr)));
    qtest_memread(rig->qts, addr, found, BYTES);
    g_assert_cmphex(found[4095], ==, data[4095] ^ 0xff);
    g_assert_cmpmem(found, BYTES - 1, data, BYTES - 1);
    rig_stop(rig);
    g_assert_false(td_digest_equal(&rig_traced(rig, NULL, 0)->digest,
                                   &rig_traced(rig, NULL, 1)->digest));
    rig_free(rig);
}

/* Also where the data is made by the device, and moved by PIO. */
static void test_flip_identify(void)
{
    Rig *rig = start("[flip]\nop=identify\nnth=1\nflip=0\n");
    uint64_t addr = ahci_alloc(rig->ahci, 512);
    RegH2DFIS fis = fis_plain(CMD_IDENTIFY, 0, 0);
    Prd list = { addr, 512 };
    uint8_t page[2][512];

    for (unsigned i = 0; i < 2; i++) {
        g_assert_false(has_failed(rig_run(rig, &fis, &list, 1)));
        qtest_memread(rig->qts, addr, page[i], 512);
    }
    g_assert_cmphex(page[0][0], ==, page[1][0] ^ 0xff);
    g_assert_cmpmem(page[0] + 1, 511, page[1] + 1, 511);
    rig_stop(rig);
    rig_free(rig);
}

/* ---- Time -------------------------------------------------------------- */

static void fill_queued(Rig *rig, unsigned tag, uint64_t addr)
{
    RegH2DFIS fis = fis_ncq(READ_FPDMA_QUEUED, tag * SECTORS, SECTORS, tag);
    Prd list = { addr, BYTES };

    rig_fill(rig, tag, &fis, &list, 1);
}

static void wait_for_sact(Rig *rig, uint32_t sact)
{
    for (unsigned i = 0; rig_read(rig, AHCI_PX_SACT) != sact; i++) {
        g_assert_cmpuint(i, <, 100000);
        g_usleep(100);
    }
}

static void test_delay(void)
{
    Rig *rig = start("[slow]\ntag=0\ndelay=20ms\n");
    uint64_t addr = ahci_alloc(rig->ahci, 2 * BYTES);

    fill_queued(rig, 0, addr);
    fill_queued(rig, 1, addr + BYTES);
    rig_ring_queued(rig, 3);
    wait_for_sact(rig, 1);                      /* the other one is done */
    qtest_clock_step(rig->qts, 19 * 1000 * 1000);
    g_assert_cmphex(rig_read(rig, AHCI_PX_SACT), ==, 1);
    qtest_clock_step(rig->qts, 2 * 1000 * 1000);
    wait_for_sact(rig, 0);
    rig_stop(rig);
    check_fault(rig, 0, "[slow] delay=20ms", rig_traced(rig, NULL, 1));
    rig_free(rig);
}

/* Several at a time, each for its own while; and the VM stops meanwhile. */
static void test_delay_several(void)
{
    Rig *rig = start("[a]\ntag=0\ndelay=30ms\n[b]\ntag=1\ndelay=10ms\n"
                     "[c]\ntag=2\nreorder=2\ndelay=10s\n");
    uint64_t addr = ahci_alloc(rig->ahci, 3 * BYTES);

    for (unsigned tag = 0; tag < 3; tag++) {
        fill_queued(rig, tag, addr + tag * BYTES);
    }
    rig_ring_queued(rig, 7);
    g_assert_cmphex(rig_read(rig, AHCI_PX_SACT), ==, 7);
    qtest_qmp_assert_success(rig->qts, "{'execute': 'stop'}");
    qtest_qmp_assert_success(rig->qts, "{'execute': 'cont'}");
    qtest_clock_step(rig->qts, 11 * 1000 * 1000);
    wait_for_sact(rig, 5);
    qtest_clock_step(rig->qts, 20 * 1000 * 1000);
    wait_for_sact(rig, 0);
    rig_stop(rig);
    g_assert_cmpuint(rig_traced(rig, NULL, 0)->tag, ==, 1);
    g_assert_cmpuint(rig_traced(rig, NULL, 1)->tag, ==, 0);
    g_assert_cmpuint(rig_traced(rig, NULL, 2)->tag, ==, 2);
    rig_free(rig);
}

/* A command that is held ends, when a reset comes, as any in flight. */
static void test_delay_reset(void)
{
    Rig *rig = start("[slow]\nnth=1\ndelay=20s\n");
    uint64_t addr = ahci_alloc(rig->ahci, BYTES);

    fill_queued(rig, 0, addr);
    rig_ring_queued(rig, 1);
    g_assert_cmphex(rig_read(rig, AHCI_PX_SACT), ==, 1);
    rig_recover(rig);
    rig_check_alive(rig);
    rig_stop(rig);
    g_assert_cmpint(rig_traced(rig, "READ FPDMA QUEUED", 0)->status, ==,
                    TD_ABORTED);
    rig_free(rig);
}

static void test_reorder(void)
{
    Rig *rig = start("[late]\ntag=0\nreorder=2\ndelay=10s\n");
    uint64_t addr = ahci_alloc(rig->ahci, 4 * BYTES);

    fill_queued(rig, 0, addr);
    fill_queued(rig, 1, addr + BYTES);
    fill_queued(rig, 2, addr + 2 * BYTES);
    rig_ring_queued(rig, 3);
    wait_for_sact(rig, 1);
    rig_ring_queued(rig, 4);
    wait_for_sact(rig, 0);
    rig_stop(rig);
    /* Commands are listed as they end. */
    g_assert_cmpuint(rig_traced(rig, NULL, 0)->tag, ==, 1);
    g_assert_cmpuint(rig_traced(rig, NULL, 1)->tag, ==, 2);
    g_assert_cmpuint(rig_traced(rig, NULL, 2)->tag, ==, 0);
    rig_free(rig);
}

/* It is not held for ever: 10 ms when the plan says nothing. */
static void test_reorder_alone(void)
{
    Rig *rig = start("[late]\nreorder=2\n");
    uint64_t addr = ahci_alloc(rig->ahci, BYTES);

    fill_queued(rig, 0, addr);
    rig_ring_queued(rig, 1);
    qtest_clock_step(rig->qts, 9 * 1000 * 1000);
    g_assert_cmphex(rig_read(rig, AHCI_PX_SACT), ==, 1);
    qtest_clock_step(rig->qts, 1 * 1000 * 1000);
    wait_for_sact(rig, 0);
    rig_stop(rig);
    rig_free(rig);
}

/* ---- Interrupts -------------------------------------------------------- */

static void enable_interrupts(Rig *rig)
{
    rig_write(rig, AHCI_PX_IE, ~0u);
    ahci_wreg(rig->ahci, AHCI_GHC,
              ahci_rreg(rig->ahci, AHCI_GHC) | AHCI_GHC_IE);
}

static void start_read(Rig *rig, uint64_t addr)
{
    RegH2DFIS fis = fis_lba48(CMD_READ_DMA_EXT, 0, SECTORS);
    Prd list = { addr, BYTES };

    rig_fill(rig, 0, &fis, &list, 1);
    rig_ring(rig, 1);
    rig_wait(rig);
}

/* PxIS says it, IS does not, and there is no interrupt: until the next one. */
static void test_interrupt_drop(void)
{
    Rig *rig = start("[lost]\nop=read\nnth=1\ninterrupt=drop\n");
    uint64_t addr = ahci_alloc(rig->ahci, BYTES);

    enable_interrupts(rig);
    start_read(rig, addr);
    g_assert_cmphex(rig_read(rig, AHCI_PX_IS), ==, AHCI_PX_IS_DHRS);
    g_assert_cmphex(ahci_rreg(rig->ahci, AHCI_IS), ==, 0);
    qtest_clock_step(rig->qts, 1000 * 1000 * 1000);
    g_assert_cmphex(ahci_rreg(rig->ahci, AHCI_IS), ==, 0);
    start_read(rig, addr);
    g_assert_cmphex(ahci_rreg(rig->ahci, AHCI_IS), ==, 1);
    rig_stop(rig);
    g_assert_cmpuint(rig_count(rig, TD_EVENT_INTERRUPT, ""), ==, 1);
    rig_free(rig);
}

static void test_interrupt_delay(void)
{
    Rig *rig = start("[late]\nop=read\nnth=1\ninterrupt=5ms\n");
    uint64_t addr = ahci_alloc(rig->ahci, BYTES);

    enable_interrupts(rig);
    start_read(rig, addr);
    qtest_clock_step(rig->qts, 4 * 1000 * 1000);
    g_assert_cmphex(ahci_rreg(rig->ahci, AHCI_IS), ==, 0);
    qtest_clock_step(rig->qts, 1 * 1000 * 1000);
    g_assert_cmphex(ahci_rreg(rig->ahci, AHCI_IS), ==, 1);
    rig_stop(rig);
    g_assert_cmpuint(rig_count(rig, TD_EVENT_INTERRUPT, ""), ==, 1);
    rig_free(rig);
}

/* ---- The link ---------------------------------------------------------- */

/* PhyRdy is lost and the disk exchanged, as it looks [3.3.5, 3.3.12]. */
static void test_link_reset(void)
{
    uint32_t derived = AHCI_PX_IS_PCS | AHCI_PX_IS_PRCS;
    const Traced *t;
    Rig *rig = start("[link]\ntag=2\nnth=1\nlink=reset\n");
    uint64_t addr = ahci_alloc(rig->ahci, 4 * BYTES);

    fill_queued(rig, 1, addr);
    fill_queued(rig, 2, addr + BYTES);
    rig_ring_queued(rig, 6);
    for (unsigned i = 0; !(rig_read(rig, AHCI_PX_IS) & AHCI_PX_IS_PRCS); i++) {
        g_assert_cmpuint(i, <, 100000);
        g_usleep(100);
    }
    g_assert_cmphex(rig_read(rig, AHCI_PX_IS) & derived, ==, derived);
    g_assert_cmphex(rig_read(rig, AHCI_PX_SERR), ==, 1 << 26 | 1 << 16);
    g_assert_cmphex(rig_read(rig, AHCI_PX_SACT) & 4, ==, 4);
    g_assert_cmphex(rig_read(rig, AHCI_PX_TFD) & 0x89, ==, 0);
    /* Nothing runs until ST was cleared. */
    rig_ring_queued(rig, 8);
    g_assert_cmphex(rig_read(rig, AHCI_PX_SACT) & 8, ==, 8);
    rig_recover(rig);
    g_assert_cmphex(rig_read(rig, AHCI_PX_IS) & derived, ==, 0);
    rig_check_alive(rig);
    rig_stop(rig);
    t = rig_traced(rig, NULL, 0)->tag == 2 ? rig_traced(rig, NULL, 0) :
        rig_traced(rig, NULL, 1);
    g_assert_cmpint(t->status, ==, TD_ABORTED);
    check_fault(rig, 0, "[link] link=reset", t);
    g_assert_cmpuint(rig_count(rig, TD_EVENT_PORT, "link-down"), ==, 1);
    g_assert_cmpuint(rig_count(rig, TD_EVENT_PORT, "link-up"), ==, 1);
    rig_free(rig);
}

/* ---- At run time ------------------------------------------------------- */

static void set_faults(Rig *rig, const char *path)
{
    qtest_qmp_assert_success(rig->qts,
                             "{'execute': 'qom-set', 'arguments': {'path': "
                             "'/machine/peripheral/hba', 'property': 'faults', "
                             "'value': %s}}", path);
}

static void test_run_time(void)
{
    Rig *rig = rig_start("");
    uint64_t addr = ahci_alloc(rig->ahci, BYTES);

    g_assert_false(has_failed(run_at(rig, CMD_READ_DMA_EXT, 0, addr)));
    set_faults(rig, write_plan("[bad]\nerror=unc\n"));
    g_assert_true(has_failed(run_at(rig, CMD_READ_DMA_EXT, 0, addr)));
    rig_recover(rig);
    set_faults(rig, "");
    g_assert_false(has_failed(run_at(rig, CMD_READ_DMA_EXT, 0, addr)));
    rig_stop(rig);
    g_assert_cmpuint(faults(rig), ==, 1);
    rig_free(rig);
}

/* A plan that is refused leaves the one in force. */
static void test_run_time_bad(void)
{
    Rig *rig = start("[bad]\nerror=unc\n");
    uint64_t addr = ahci_alloc(rig->ahci, BYTES);
    QDict *answer = qtest_qmp(rig->qts,
                              "{'execute': 'qom-set', 'arguments': {'path': "
                              "'/machine/peripheral/hba', 'property': "
                              "'faults', 'value': '/nonexistent'}}");

    g_assert_true(qdict_haskey(answer, "error"));
    qobject_unref(answer);
    g_assert_true(has_failed(run_at(rig, CMD_READ_DMA_EXT, 0, addr)));
    rig_stop(rig);
    rig_free(rig);
}

int main(int argc, char **argv)
{
    int status;

    g_test_init(&argc, &argv, NULL);

    for (unsigned i = 0; i < ARRAY_SIZE(selections); i++) {
        g_autofree char *name = g_strdup_printf("/tracedisk/faults/for/%s",
                                                selections[i].name);

        qtest_add_data_func(name, &selections[i], test_selection);
    }
    qtest_add_func("/tracedisk/faults/for/seed", test_seed);
    qtest_add_func("/tracedisk/faults/sections", test_sections);
    qtest_add_func("/tracedisk/faults/error", test_error);
    qtest_add_func("/tracedisk/faults/error/queued", test_error_queued);
    qtest_add_func("/tracedisk/faults/error/after-data",
                   test_error_after_data);
    qtest_add_func("/tracedisk/faults/short/read", test_short_read);
    qtest_add_func("/tracedisk/faults/short/write", test_short_write);
    qtest_add_func("/tracedisk/faults/flip/read", test_flip_read);
    qtest_add_func("/tracedisk/faults/flip/write", test_flip_write);
    qtest_add_func("/tracedisk/faults/flip/identify", test_flip_identify);
    qtest_add_func("/tracedisk/faults/delay", test_delay);
    qtest_add_func("/tracedisk/faults/delay/several", test_delay_several);
    qtest_add_func("/tracedisk/faults/delay/reset", test_delay_reset);
    qtest_add_func("/tracedisk/faults/reorder", test_reorder);
    qtest_add_func("/tracedisk/faults/reorder/alone", test_reorder_alone);
    qtest_add_func("/tracedisk/faults/interrupt/drop", test_interrupt_drop);
    qtest_add_func("/tracedisk/faults/interrupt/delay", test_interrupt_delay);
    qtest_add_func("/tracedisk/faults/link/reset", test_link_reset);
    qtest_add_func("/tracedisk/faults/run-time", test_run_time);
    qtest_add_func("/tracedisk/faults/run-time/bad", test_run_time_bad);

    status = g_test_run();
    if (plan_path) {
        unlink(plan_path);
        g_free(plan_path);
    }
    return status;
}
