/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A disk on an AHCI port, driven register by register, and the trace of what
 * was done to it.
 */
#include "ahci.h"

#define TABLE_PRDS 1024             /* that a command table has room for */
#define PATIENCE_US (30 * G_USEC_PER_SEC)
#define PATIENCE_WITH_PEER_US (5 * G_USEC_PER_SEC)

/* ---- Life -------------------------------------------------------------- */

static QOSState *boot(TdAhci *hba, const char *drive, const char *options)
{
    g_autofree char *device = td_system() == TD_PEER ?
        g_strdup_printf("-device ich9-ahci,addr=1f.2,id=hba "
                        "-device ide-hd,id=disk,bus=hba.0,drive=d0%s",
                        options) :
        g_strdup_printf("-device tracedisk-ahci,addr=1f.2,id=hba,drive=d0,"
                        "trace=%s%s", hba->trace, options);

    g_autofree char *debug = hba->medium ?
        g_strdup_printf("blkdebug:%s:", hba->medium) : g_strdup("");

    return qtest_pc_boot("-M q35,sata=off -m %" PRIu64 "M -nodefaults "
                         "-drive if=none,id=d0,file=%s%s,format=raw,"
                         "discard=unmap%s %s", (uint64_t)TD_RAM_BYTES / MiB,
                         debug, hba->image, drive, device);
}

static TdAhci *start(char *medium, const char *drive, const char *options)
{
    TdAhci *hba = g_new0(TdAhci, 1);
    AHCIQState *ahci = g_new0(AHCIQState, 1);

    hba->medium = medium;
    hba->image = td_temporary_file("tracedisk-XXXXXX.img", TD_DISK_BYTES);
    hba->trace = g_strdup_printf("%s.tdt", hba->image);
    hba->ahci = ahci;
    ahci->parent = boot(hba, drive, options);
    hba->qts = ahci->parent->qts;
    ahci->dev = get_ahci_device(hba->qts, &ahci->fingerprint);
    ahci_pci_enable(ahci);
    ahci_hba_enable(ahci);
    hba->port = ahci_port_select(ahci);
    ahci_port_clear(ahci, hba->port);
    for (unsigned i = 0; i < TD_AHCI_SLOTS; i++) {
        hba->table[i] = ahci_alloc(ahci, CMD_TBL_SIZ(TABLE_PRDS));
    }
    return hba;
}

TdAhci *td_ahci_start_with(const char *drive, const char *options)
{
    return start(NULL, drive, options);
}

TdAhci *td_ahci_start(const char *options)
{
    return td_ahci_start_with("", options);
}

TdAhci *td_ahci_start_failing(const char *iotype, uint64_t lba)
{
    char *medium = td_temporary_file("tracedisk-XXXXXX.blkdebug", 0);
    g_autofree char *rule = lba == TD_ANY_LBA ?
        g_strdup("") : g_strdup_printf("sector = \"%" PRIu64 "\"\n", lba);
    g_autofree char *rules =
        g_strdup_printf("[inject-error]\nevent = \"none\"\niotype = \"%s\"\n"
                        "errno = \"%d\"\n%s", iotype, EIO, rule);

    g_assert_true(g_file_set_contents(medium, rules, -1, NULL));
    return start(medium, "", "");
}

bool td_ahci_stop(TdAhci *hba)
{
    free_ahci_device(hba->ahci->dev);
    qtest_shutdown(hba->ahci->parent);
    g_free(hba->ahci);
    hba->ahci = NULL;
    if (td_system() != TD_PEER) {
        hba->traced = td_trace_load(hba->trace);
    }
    return hba->traced;
}

void td_ahci_free(TdAhci *hba)
{
    td_trace_free(hba->traced);
    unlink(hba->image);
    unlink(hba->trace);
    if (hba->medium) {
        unlink(hba->medium);
    }
    g_free(hba->medium);
    g_free(hba->image);
    g_free(hba->trace);
    g_free(hba);
}

/* ---- Registers --------------------------------------------------------- */

uint32_t td_px_read(TdAhci *hba, uint32_t reg)
{
    return ahci_px_rreg(hba->ahci, hba->port, reg);
}

void td_px_write(TdAhci *hba, uint32_t reg, uint32_t value)
{
    ahci_px_wreg(hba->ahci, hba->port, reg, value);
}

/* ---- Commands ---------------------------------------------------------- */

/* W, by what the command is [4.2.2]. */
static uint16_t direction_flag(const RegH2DFIS *fis)
{
    struct td_decoded decoded = { 0 };

    td_decode(TD_ATA, (const uint8_t *)fis, sizeof(*fis), &decoded);
    return decoded.op == TD_OP_WRITE || decoded.op == TD_OP_TRIM ||
           decoded.flags & TD_DATA_OUT ? CMDH_WRITE : 0;
}

static void fill_header(TdAhci *hba, unsigned slot, uint16_t flags,
                        uint16_t prdtl, uint64_t table)
{
    AHCICommandHeader header = {
        .flags = flags | sizeof(RegH2DFIS) / 4, .prdtl = prdtl, .ctba = table,
    };

    ahci_set_command_header(hba->ahci, hba->port, slot, &header);
}

void td_ahci_fill_header(TdAhci *hba, unsigned slot, uint16_t prdtl,
                         uint64_t table)
{
    fill_header(hba, slot, 0, prdtl, table);
}

void td_ahci_flag_header(TdAhci *hba, unsigned slot, uint16_t flags)
{
    AHCICommandHeader header;

    ahci_get_command_header(hba->ahci, hba->port, slot, &header);
    header.flags |= flags;
    ahci_set_command_header(hba->ahci, hba->port, slot, &header);
}

void td_ahci_fill(TdAhci *hba, unsigned slot, const RegH2DFIS *fis,
                  const TdPrd *list, uint16_t n)
{
    g_autofree PRD *prdt = g_new0(PRD, n);

    g_assert_cmpuint(n, <=, TABLE_PRDS);
    for (unsigned i = 0; i < n; i++) {
        prdt[i].dba = cpu_to_le64(list[i].addr);
        prdt[i].dbc = cpu_to_le32((list[i].len - 1) |
                                  (list[i].interrupt ? 0x80000000 : 0));
    }
    qtest_memwrite(hba->qts, hba->table[slot], fis, sizeof(*fis));
    qtest_memwrite(hba->qts, hba->table[slot] + 0x80, prdt, n * sizeof(PRD));
    fill_header(hba, slot, direction_flag(fis), n, hba->table[slot]);
}

void td_ahci_ring(TdAhci *hba, uint32_t slots)
{
    td_px_write(hba, AHCI_PX_CI, slots);
}

void td_ahci_ring_queued(TdAhci *hba, uint32_t slots)
{
    td_px_write(hba, AHCI_PX_SACT, slots);
    td_px_write(hba, AHCI_PX_CI, slots);
}

static bool has_stopped(TdAhci *hba)
{
    return td_px_read(hba, AHCI_PX_IS) &
           (AHCI_PX_IS_TFES | AHCI_PX_IS_HBFS | AHCI_PX_IS_HBDS |
            AHCI_PX_IS_IFS);
}

static TdOutcome outcome(TdAhci *hba)
{
    AHCICommandHeader header;
    uint32_t tfd = td_px_read(hba, AHCI_PX_TFD);
    TdOutcome o = {
        .is = td_px_read(hba, AHCI_PX_IS), .status = tfd, .error = tfd >> 8,
    };

    ahci_get_command_header(hba->ahci, hba->port, 0, &header);
    o.prdbc = header.prdbc;
    return o;
}

TdOutcome td_ahci_wait(TdAhci *hba)
{
    gint64 end = g_get_monotonic_time() +
                 (td_system() == TD_PEER && !hba->patient ?
                  PATIENCE_WITH_PEER_US : PATIENCE_US);

    while (!has_stopped(hba)) {
        uint32_t ci = td_px_read(hba, AHCI_PX_CI);
        uint32_t sact = td_px_read(hba, AHCI_PX_SACT);

        if (!ci && !sact) {
            break;
        }
        if (g_get_monotonic_time() > end) {
            td_fail("the commands end, well or with an error",
                    "PxCI 0x%08x, PxSACT 0x%08x, PxIS 0x%08x, PxTFD 0x%x",
                    ci, sact, td_px_read(hba, AHCI_PX_IS),
                    td_px_read(hba, AHCI_PX_TFD));
        }
        g_usleep(100);
    }
    return outcome(hba);
}

TdOutcome td_ahci_io(TdAhci *hba, const RegH2DFIS *fis, const TdPrd *list,
                     uint16_t n)
{
    bool queued = td_fis_is_queued(fis);
    unsigned slot = queued ? le16_to_cpu(fis->count) >> 3 : 0;
    TdOutcome o;

    td_ahci_fill(hba, slot, fis, list, n);
    if (queued) {
        td_ahci_ring_queued(hba, 1u << slot);
    } else {
        td_ahci_ring(hba, 1u << slot);
    }
    o = td_ahci_wait(hba);
    td_px_write(hba, AHCI_PX_IS, o.is);
    return o;
}

TdOutcome td_ahci_io1(TdAhci *hba, RegH2DFIS fis, uint64_t addr,
                      uint32_t bytes)
{
    TdPrd list = { addr, bytes };

    return td_ahci_io(hba, &fis, &list, bytes ? 1 : 0);
}

void td_expect_done(TdOutcome o)
{
    td_expect_clear(o.is, AHCI_PX_IS_TFES | AHCI_PX_IS_HBFS |
                          AHCI_PX_IS_HBDS | AHCI_PX_IS_IFS);
    td_expect_clear(o.status, STATUS_ERR | STATUS_BSY | STATUS_DRQ);
}

void td_expect_good(TdOutcome o, uint32_t bytes)
{
    td_expect_done(o);
    td_expect_uint(o.prdbc, ==, bytes);
}

void td_expect_error(TdAhci *hba, TdOutcome o, uint8_t error)
{
    td_expect_set(o.is, AHCI_PX_IS_TFES);
    td_expect_set(o.status, STATUS_ERR);
    td_expect_hex(o.error, ==, error);
    td_ahci_recover(hba);
}

void td_expect_failed(TdAhci *hba, TdOutcome o, uint8_t errors)
{
    td_expect_set(o.is, AHCI_PX_IS_TFES);
    td_expect(o.status & (STATUS_ERR | STATUS_DF));
    td_expect_clear(o.status, STATUS_BSY | STATUS_DRQ);
    td_expect_hex(o.error & errors, !=, 0);
    td_ahci_recover(hba);
}

void td_ahci_recover(TdAhci *hba)
{
    uint32_t cmd = td_px_read(hba, AHCI_PX_CMD);

    td_px_write(hba, AHCI_PX_CMD, cmd & ~AHCI_PX_CMD_ST);
    /* With strict=on it takes a little. */
    if (td_system() != TD_STOCK) {
        qtest_clock_step(hba->qts, 1000 * 1000);
    } else {
        g_usleep(1000);
    }
    td_expect_clear(td_px_read(hba, AHCI_PX_CMD), AHCI_PX_CMD_CR);
    td_px_write(hba, AHCI_PX_SERR, ~0u);
    td_px_write(hba, AHCI_PX_IS, ~0u);
    td_px_write(hba, AHCI_PX_CMD, cmd | AHCI_PX_CMD_FRE | AHCI_PX_CMD_ST);
    td_expect_hex(td_px_read(hba, AHCI_PX_CI), ==, 0);
    td_expect_hex(td_px_read(hba, AHCI_PX_SACT), ==, 0);
}

/* ---- Memory and the disk's content ------------------------------------- */

void td_ahci_received(TdAhci *hba, unsigned where, void *fis, size_t len)
{
    qtest_memread(hba->qts, hba->ahci->port[hba->port].fb + where, fis, len);
}

void td_expect_memory(TdAhci *hba, uint64_t addr, const void *expected,
                      size_t bytes)
{
    g_autofree uint8_t *memory = g_malloc(bytes);

    qtest_memread(hba->qts, addr, memory, bytes);
    td_expect_mem(memory, expected, bytes);
}

static void transfer(TdAhci *hba, uint8_t command, uint64_t lba, uint64_t addr,
                     size_t bytes)
{
    RegH2DFIS fis = td_fis_lba48(command, lba, bytes / 512);

    td_expect_good(td_ahci_io1(hba, fis, addr, bytes), bytes);
}

void td_disk_read(TdAhci *hba, uint64_t lba, void *data, size_t bytes)
{
    uint64_t addr = ahci_alloc(hba->ahci, bytes);

    transfer(hba, CMD_READ_DMA_EXT, lba, addr, bytes);
    qtest_memread(hba->qts, addr, data, bytes);
    ahci_free(hba->ahci, addr);
}

void td_disk_write(TdAhci *hba, uint64_t lba, const void *data, size_t bytes)
{
    uint64_t addr = ahci_alloc(hba->ahci, bytes);

    qtest_memwrite(hba->qts, addr, data, bytes);
    transfer(hba, CMD_WRITE_DMA_EXT, lba, addr, bytes);
    ahci_free(hba->ahci, addr);
}

void td_ahci_check_alive(TdAhci *hba)
{
    uint8_t written[4096], found[4096];
    uint64_t lba = TD_BLOCKS - 64;

    td_pattern(written, sizeof(written), 77);
    td_disk_write(hba, lba, written, sizeof(written));
    td_disk_read(hba, lba, found, sizeof(found));
    td_expect_mem(found, written, sizeof(written));
}
