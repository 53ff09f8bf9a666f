/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fault plans on tracedisk-ahci: what the driver sees of each fault, and what
 * the trace tells of it. tests/faults has Linux meet them.
 *
 * Clauses in brackets are of AHCI 1.3.1.
 */
#include "libtracedisk-qos/ahci.h"
#include "qemu/host-utils.h"

#define SECTORS 8
#define BYTES (SECTORS * 512)

/* ---- A hba with a plan ------------------------------------------------- */

static char *plan_path;

static const char *write_plan(const char *plan)
{
    if (!plan_path) {
        int fd = g_file_open_tmp("tracedisk-XXXXXX.faults", &plan_path, NULL);

        td_expect_uint(fd, >=, 0);
        close(fd);
    }
    td_expect(g_file_set_contents(plan_path, plan, -1, NULL));
    return plan_path;
}

static TdAhci *start(const char *plan)
{
    g_autofree char *options =
        g_strdup_printf(",registers=on,faults=%s", write_plan(plan));

    return td_ahci_start(options);
}

static TdOutcome run(TdAhci *hba, const RegH2DFIS *fis, uint64_t addr)
{
    TdPrd list = { addr, BYTES };

    return td_ahci_io(hba, fis, &list, 1);
}

static TdOutcome run_at(TdAhci *hba, uint8_t command, uint64_t lba,
                        uint64_t addr)
{
    RegH2DFIS fis = td_fis_lba48(command, lba, SECTORS);

    return run(hba, &fis, addr);
}

static bool has_failed(TdOutcome o)
{
    return o.is & AHCI_PX_IS_TFES;
}

/* The @n-th event of a fault, and that it stands before its command's end. */
static void check_fault(TdAhci *hba, unsigned n, const char *text,
                        const TdTraced *command)
{
    for (unsigned i = 0; i < hba->traced->events->len; i++) {
        const TdTracedEvent *e = g_ptr_array_index(hba->traced->events, i);

        if (e->type == TD_EVENT_FAULT && n-- == 0) {
            td_expect_str(e->text, text);
            td_expect_uint(e->ref, ==, command->seq);
            td_expect_uint(e->seq, <, command->complete_seq);
            return;
        }
    }
    g_error("the trace has no fault '%s'", text);
}

static unsigned faults(TdAhci *hba)
{
    return td_traced_events(hba->traced, TD_EVENT_FAULT, "");
}

/* ---- Which commands ---------------------------------------------------- */

/* Reads blocks 0, 8, 16 … and tells with a bit each which of them failed. */
static uint32_t failed_reads(const char *plan, unsigned n)
{
    TdAhci *hba = start(plan);
    uint64_t addr = ahci_alloc(hba->ahci, BYTES);
    uint32_t failed = 0;

    for (unsigned i = 0; i < n; i++) {
        if (has_failed(run_at(hba, CMD_READ_DMA_EXT, i * SECTORS, addr))) {
            failed |= 1u << i;
            td_ahci_recover(hba);
        }
    }
    if (td_ahci_stop(hba)) {
        td_expect_uint(faults(hba), ==, ctpop32(failed));
    }
    td_ahci_free(hba);
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

    td_expect_hex(failed_reads(plan, 16), ==, s->failed);
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
    td_expect_hex(failed[0], ==, failed[1]);
    td_expect_hex(failed[0], !=, failed[2]);
    td_expect_uint(ctpop32(failed[0]), >, 4);
    td_expect_uint(ctpop32(failed[0]), <, 28);
}

/* The first section that hits is the command's fault; all count it. */
static void test_sections(void)
{
    TdAhci *hba = start("[a]\nnth=2\nerror=unc\n[b]\nnth=2\nerror=abrt\n"
                        "[c]\nnth=3\nerror=idnf\n");
    uint64_t addr = ahci_alloc(hba->ahci, BYTES);

    g_assert_false(has_failed(run_at(hba, CMD_READ_DMA_EXT, 0, addr)));
    td_expect_hex(run_at(hba, CMD_READ_DMA_EXT, 0, addr).error, ==, ERROR_UNC);
    td_ahci_recover(hba);
    td_expect_hex(run_at(hba, CMD_READ_DMA_EXT, 0, addr).error, ==, ERROR_IDNF);
    if (td_ahci_stop(hba)) {
        check_fault(hba, 0, "[a] error=unc", td_traced(hba->traced, NULL, 1));
        check_fault(hba, 1, "[c] error=idnf", td_traced(hba->traced, NULL, 2));
        td_expect_uint(faults(hba), ==, 2);
    }
    td_ahci_free(hba);
}

/* ---- Failures ---------------------------------------------------------- */

static void test_error(void)
{
    TdAhci *hba = start("[bad]\nlba=100\nstatus=0x71\nerror=0x44\ncount=1\n");
    uint64_t addr = ahci_alloc(hba->ahci, BYTES);
    const TdTraced *t;
    TdOutcome o;

    o = run_at(hba, CMD_READ_DMA_EXT, 96, addr);
    td_expect(has_failed(o));
    td_expect_hex(o.status, ==, 0x71);
    td_expect_hex(o.error, ==, 0x44);
    td_expect_uint(o.prdbc, ==, 0);
    td_ahci_recover(hba);
    g_assert_false(has_failed(run_at(hba, CMD_READ_DMA_EXT, 96, addr)));
    if (td_ahci_stop(hba)) {
        t = td_traced(hba->traced, "READ DMA EXT", 0);
        td_expect_uint(t->status, ==, TD_ERROR);
        td_expect_hex(t->ata_status, ==, 0x71);
        td_expect_hex(t->ata_error, ==, 0x44);
        check_fault(hba, 0, "[bad] status=0x71 error=0x44", t);
    }
    td_ahci_free(hba);
}

/* A queued command fails as any: SDB FIS, PxSACT, log 10h [6.2.2.2]. */
static void test_error_queued(void)
{
    TdAhci *hba = start("[bad]\ncommand=WRITE FPDMA QUEUED\nerror=idnf\n");
    RegH2DFIS fis = td_fis_ncq(WRITE_FPDMA_QUEUED, 0, SECTORS, 5);
    uint64_t addr = ahci_alloc(hba->ahci, BYTES);
    uint8_t log[512];
    RegH2DFIS read_log = td_fis_plain(0x2f, 0, 1); /* READ LOG EXT */
    TdPrd page = { addr, sizeof(log) };
    TdOutcome o = run(hba, &fis, addr);

    td_expect(has_failed(o));
    td_expect_hex(o.error, ==, ERROR_IDNF);
    td_expect_hex(td_px_read(hba, AHCI_PX_SACT), ==, 1 << 5);
    td_ahci_recover(hba);
    read_log.lba_lo[0] = 0x10;
    g_assert_false(has_failed(td_ahci_io(hba, &read_log, &page, 1)));
    qtest_memread(hba->qts, addr, log, sizeof(log));
    td_expect_hex(log[0], ==, 5); /* ACS-3 A.13: the tag */
    td_expect_hex(log[3], ==, ERROR_IDNF);
    td_ahci_stop(hba);
    td_ahci_free(hba);
}

/* An error after a part of the data: the LBA says how far it came. */
static void test_error_after_data(void)
{
    TdAhci *hba = start("[bad]\nop=read\nnth=1\nshort=1024\nerror=unc\n");
    uint64_t addr = ahci_alloc(hba->ahci, BYTES);
    TdOutcome o = run_at(hba, CMD_READ_DMA_EXT, 64, addr);
    uint8_t fis[20];

    td_expect(has_failed(o));
    td_expect_uint(o.prdbc, ==, 1024);
    qtest_memread(hba->qts, hba->ahci->port[hba->port].fb + 0x40, fis, 20);
    td_expect_hex(fis[4], ==, 64 + 2);
    if (td_ahci_stop(hba)) {
        td_expect_uint(td_traced(hba->traced, "READ DMA EXT", 0)->bytes, ==,
                       1024);
    }
    td_ahci_free(hba);
}

/* ---- Data -------------------------------------------------------------- */

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
    g_assert_false(has_failed(o));
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
    g_assert_false(has_failed(o));
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
    g_assert_false(has_failed(run_at(hba, CMD_READ_DMA_EXT, 0, addr)));
    qtest_memread(hba->qts, addr, found, BYTES);
    td_expect_hex(found[1234], ==, data[1234] ^ 0x10);
    found[1234] ^= 0x10;
    td_expect_mem(found, data, BYTES);
    td_disk_read(hba, 0, found, BYTES);
    td_expect_mem(found, data, BYTES);
    if (td_ahci_stop(hba)) {
        /* The hash is of what reached memory. */
        g_assert_false(
            td_digest_equal(&td_traced(hba->traced, NULL, 0)->digest,
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
    g_assert_false(has_failed(run_at(hba, CMD_WRITE_DMA_EXT, 0, addr)));
    qtest_memread(hba->qts, addr, found, BYTES);
    td_expect_mem(found, data, BYTES);
    g_assert_false(has_failed(run_at(hba, CMD_READ_DMA_EXT, 0, addr)));
    qtest_memread(hba->qts, addr, found, BYTES);
    td_expect_hex(found[4095], ==, data[4095] ^ 0xff);
    td_expect_mem(found, data, BYTES - 1);
    if (td_ahci_stop(hba)) {
        g_assert_false(
            td_digest_equal(&td_traced(hba->traced, NULL, 0)->digest,
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
        g_assert_false(has_failed(td_ahci_io(hba, &fis, &list, 1)));
        qtest_memread(hba->qts, addr, page[i], 512);
    }
    td_expect_hex(page[0][0], ==, page[1][0] ^ 0xff);
    td_expect_mem(page[0] + 1, page[1] + 1, 511);
    td_ahci_stop(hba);
    td_ahci_free(hba);
}

/* ---- Time -------------------------------------------------------------- */

static void fill_queued(TdAhci *hba, unsigned tag, uint64_t addr)
{
    RegH2DFIS fis = td_fis_ncq(READ_FPDMA_QUEUED, tag * SECTORS, SECTORS, tag);
    TdPrd list = { addr, BYTES };

    td_ahci_fill(hba, tag, &fis, &list, 1);
}

static void wait_for_sact(TdAhci *hba, uint32_t sact)
{
    for (unsigned i = 0; td_px_read(hba, AHCI_PX_SACT) != sact; i++) {
        td_expect_uint(i, <, 100000);
        g_usleep(100);
    }
}

static void test_delay(void)
{
    TdAhci *hba = start("[slow]\ntag=0\ndelay=20ms\n");
    uint64_t addr = ahci_alloc(hba->ahci, 2 * BYTES);

    fill_queued(hba, 0, addr);
    fill_queued(hba, 1, addr + BYTES);
    td_ahci_ring_queued(hba, 3);
    wait_for_sact(hba, 1); /* the other one is done */
    qtest_clock_step(hba->qts, 19 * 1000 * 1000);
    td_expect_hex(td_px_read(hba, AHCI_PX_SACT), ==, 1);
    qtest_clock_step(hba->qts, 2 * 1000 * 1000);
    wait_for_sact(hba, 0);
    if (td_ahci_stop(hba)) {
        check_fault(hba, 0, "[slow] delay=20ms",
                    td_traced(hba->traced, NULL, 1));
    }
    td_ahci_free(hba);
}

/* Several at a time, each for its own while; and the VM stops meanwhile. */
static void test_delay_several(void)
{
    TdAhci *hba = start("[a]\ntag=0\ndelay=30ms\n[b]\ntag=1\ndelay=10ms\n"
                     "[c]\ntag=2\nreorder=2\ndelay=10s\n");
    uint64_t addr = ahci_alloc(hba->ahci, 3 * BYTES);

    for (unsigned tag = 0; tag < 3; tag++) {
        fill_queued(hba, tag, addr + tag * BYTES);
    }
    td_ahci_ring_queued(hba, 7);
    g_assert_cmphex(td_px_read(hba, AHCI_PX_SACT), ==, 7);
    qtest_qmp_assert_success(hba->qts, "{'execute': 'stop'}");
    qtest_qmp_assert_success(hba->qts, "{'execute': 'cont'}");
    qtest_clock_step(hba->qts, 11 * 1000 * 1000);
    wait_for_sact(hba, 5);
    qtest_clock_step(hba->qts, 20 * 1000 * 1000);
    wait_for_sact(hba, 0);
    td_ahci_stop(hba);
    g_assert_cmpuint(td_traced(hba->traced, NULL, 0)->tag, ==, 1);
    g_assert_cmpuint(td_traced(hba->traced, NULL, 1)->tag, ==, 0);
    g_assert_cmpuint(td_traced(hba->traced, NULL, 2)->tag, ==, 2);
    td_ahci_free(hba);
}

/* A command that is held ends, when a reset comes, as any in flight. */
static void test_delay_reset(void)
{
    TdAhci *hba = start("[slow]\nnth=1\ndelay=20s\n");
    uint64_t addr = ahci_alloc(hba->ahci, BYTES);

    fill_queued(hba, 0, addr);
    td_ahci_ring_queued(hba, 1);
    td_expect_hex(td_px_read(hba, AHCI_PX_SACT), ==, 1);
    td_ahci_recover(hba);
    td_ahci_check_alive(hba);
    if (td_ahci_stop(hba)) {
        td_expect_uint(td_traced(hba->traced, "READ FPDMA QUEUED", 0)->status,
                       ==, TD_ABORTED);
    }
    td_ahci_free(hba);
}

static void test_reorder(void)
{
    TdAhci *hba = start("[late]\ntag=0\nreorder=2\ndelay=10s\n");
    uint64_t addr = ahci_alloc(hba->ahci, 4 * BYTES);

    fill_queued(hba, 0, addr);
    fill_queued(hba, 1, addr + BYTES);
    fill_queued(hba, 2, addr + 2 * BYTES);
    td_ahci_ring_queued(hba, 3);
    wait_for_sact(hba, 1);
    td_ahci_ring_queued(hba, 4);
    wait_for_sact(hba, 0);
    if (td_ahci_stop(hba)) {
        /* Commands are listed as they end. */
        td_expect_uint(td_traced(hba->traced, NULL, 0)->tag, ==, 1);
        td_expect_uint(td_traced(hba->traced, NULL, 1)->tag, ==, 2);
        td_expect_uint(td_traced(hba->traced, NULL, 2)->tag, ==, 0);
    }
    td_ahci_free(hba);
}

/* It is not held for ever: 10 ms when the plan says nothing. */
static void test_reorder_alone(void)
{
    TdAhci *hba = start("[late]\nreorder=2\n");
    uint64_t addr = ahci_alloc(hba->ahci, BYTES);

    fill_queued(hba, 0, addr);
    td_ahci_ring_queued(hba, 1);
    qtest_clock_step(hba->qts, 9 * 1000 * 1000);
    td_expect_hex(td_px_read(hba, AHCI_PX_SACT), ==, 1);
    qtest_clock_step(hba->qts, 1 * 1000 * 1000);
    wait_for_sact(hba, 0);
    td_ahci_stop(hba);
    td_ahci_free(hba);
}

/* ---- Interrupts -------------------------------------------------------- */

static void enable_interrupts(TdAhci *hba)
{
    td_px_write(hba, AHCI_PX_IE, ~0u);
    ahci_wreg(hba->ahci, AHCI_GHC,
              ahci_rreg(hba->ahci, AHCI_GHC) | AHCI_GHC_IE);
}

static void start_read(TdAhci *hba, uint64_t addr)
{
    RegH2DFIS fis = td_fis_lba48(CMD_READ_DMA_EXT, 0, SECTORS);
    TdPrd list = { addr, BYTES };

    td_ahci_fill(hba, 0, &fis, &list, 1);
    td_ahci_ring(hba, 1);
    td_ahci_wait(hba);
}

/* PxIS says it, IS does not, and there is no interrupt: until the next one. */
static void test_interrupt_drop(void)
{
    TdAhci *hba = start("[lost]\nop=read\nnth=1\ninterrupt=drop\n");
    uint64_t addr = ahci_alloc(hba->ahci, BYTES);

    enable_interrupts(hba);
    start_read(hba, addr);
    td_expect_hex(td_px_read(hba, AHCI_PX_IS), ==, AHCI_PX_IS_DHRS);
    td_expect_hex(ahci_rreg(hba->ahci, AHCI_IS), ==, 0);
    qtest_clock_step(hba->qts, 1000 * 1000 * 1000);
    td_expect_hex(ahci_rreg(hba->ahci, AHCI_IS), ==, 0);
    start_read(hba, addr);
    td_expect_hex(ahci_rreg(hba->ahci, AHCI_IS), ==, 1);
    if (td_ahci_stop(hba)) {
        td_expect_uint(td_traced_events(hba->traced, TD_EVENT_INTERRUPT, ""),
                       ==, 1);
    }
    td_ahci_free(hba);
}

static void test_interrupt_delay(void)
{
    TdAhci *hba = start("[late]\nop=read\nnth=1\ninterrupt=5ms\n");
    uint64_t addr = ahci_alloc(hba->ahci, BYTES);

    enable_interrupts(hba);
    start_read(hba, addr);
    qtest_clock_step(hba->qts, 4 * 1000 * 1000);
    td_expect_hex(ahci_rreg(hba->ahci, AHCI_IS), ==, 0);
    qtest_clock_step(hba->qts, 1 * 1000 * 1000);
    td_expect_hex(ahci_rreg(hba->ahci, AHCI_IS), ==, 1);
    if (td_ahci_stop(hba)) {
        td_expect_uint(td_traced_events(hba->traced, TD_EVENT_INTERRUPT, ""),
                       ==, 1);
    }
    td_ahci_free(hba);
}

/* ---- The link ---------------------------------------------------------- */

/* PhyRdy is lost and the disk exchanged, as it looks [3.3.5, 3.3.12]. */
static void test_link_reset(void)
{
    uint32_t derived = AHCI_PX_IS_PCS | AHCI_PX_IS_PRCS;
    const TdTraced *t;
    TdAhci *hba = start("[link]\ntag=2\nnth=1\nlink=reset\n");
    uint64_t addr = ahci_alloc(hba->ahci, 4 * BYTES);

    fill_queued(hba, 1, addr);
    fill_queued(hba, 2, addr + BYTES);
    td_ahci_ring_queued(hba, 6);
    for (unsigned i = 0; !(td_px_read(hba, AHCI_PX_IS) & AHCI_PX_IS_PRCS);
         i++) {
        td_expect_uint(i, <, 100000);
        g_usleep(100);
    }
    td_expect_hex(td_px_read(hba, AHCI_PX_IS) & derived, ==, derived);
    td_expect_hex(td_px_read(hba, AHCI_PX_SERR), ==, 1 << 26 | 1 << 16);
    td_expect_hex(td_px_read(hba, AHCI_PX_SACT) & 4, ==, 4);
    td_expect_hex(td_px_read(hba, AHCI_PX_TFD) & 0x89, ==, 0);
    /* Nothing runs until ST was cleared. */
    td_ahci_ring_queued(hba, 8);
    td_expect_hex(td_px_read(hba, AHCI_PX_SACT) & 8, ==, 8);
    td_ahci_recover(hba);
    td_expect_hex(td_px_read(hba, AHCI_PX_IS) & derived, ==, 0);
    td_ahci_check_alive(hba);
    if (td_ahci_stop(hba)) {
        t = td_traced(hba->traced, NULL, 0)->tag == 2 ?
                td_traced(hba->traced, NULL, 0) :
                td_traced(hba->traced, NULL, 1);
        td_expect_uint(t->status, ==, TD_ABORTED);
        check_fault(hba, 0, "[link] link=reset", t);
        td_expect_uint(
            td_traced_events(hba->traced, TD_EVENT_PORT, "link-down"), ==, 1);
        td_expect_uint(td_traced_events(hba->traced, TD_EVENT_PORT, "link-up"),
                       ==, 1);
    }
    td_ahci_free(hba);
}

/* ---- At run time ------------------------------------------------------- */

static void set_faults(TdAhci *hba, const char *path)
{
    qtest_qmp_assert_success(hba->qts,
                             "{'execute': 'qom-set', 'arguments': {'path': "
                             "'/machine/peripheral/hba', 'property': 'faults', "
                             "'value': %s}}",
                             path);
}

static void test_run_time(void)
{
    TdAhci *hba = td_ahci_start("");
    uint64_t addr = ahci_alloc(hba->ahci, BYTES);

    g_assert_false(has_failed(run_at(hba, CMD_READ_DMA_EXT, 0, addr)));
    set_faults(hba, write_plan("[bad]\nerror=unc\n"));
    td_expect(has_failed(run_at(hba, CMD_READ_DMA_EXT, 0, addr)));
    td_ahci_recover(hba);
    set_faults(hba, "");
    g_assert_false(has_failed(run_at(hba, CMD_READ_DMA_EXT, 0, addr)));
    if (td_ahci_stop(hba)) {
        td_expect_uint(faults(hba), ==, 1);
    }
    td_ahci_free(hba);
}

/* A plan that is refused leaves the one in force. */
static void test_run_time_bad(void)
{
    TdAhci *hba = start("[bad]\nerror=unc\n");
    uint64_t addr = ahci_alloc(hba->ahci, BYTES);
    QDict *answer =
        qtest_qmp(hba->qts, "{'execute': 'qom-set', 'arguments': {'path': "
                            "'/machine/peripheral/hba', 'property': "
                            "'faults', 'value': '/nonexistent'}}");

    td_expect(qdict_haskey(answer, "error"));
    qobject_unref(answer);
    td_expect(has_failed(run_at(hba, CMD_READ_DMA_EXT, 0, addr)));
    td_ahci_stop(hba);
    td_ahci_free(hba);
}

int main(int argc, char **argv)
{
    int status;

    g_test_init(&argc, &argv, NULL);

    for (unsigned i = 0; i < ARRAY_SIZE(selections); i++) {
        g_autofree char *name =
            g_strdup_printf("/tracedisk/faults/for/%s", selections[i].name);

        qtest_add_data_func(name, &selections[i], test_selection);
    }
    qtest_add_func("/tracedisk/faults/for/seed", test_seed);
    qtest_add_func("/tracedisk/faults/sections", test_sections);
    qtest_add_func("/tracedisk/faults/error", test_error);
    qtest_add_func("/tracedisk/faults/error/queued", test_error_queued);
    qtest_add_func("/tracedisk/faults/error/after-data", test_error_after_data);
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
