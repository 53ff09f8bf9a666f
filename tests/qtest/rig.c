/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A QEMU with a tracedisk on an AHCI port, driven register by register, and
 * the trace of what was done to it.
 */
#include "rig.h"

#define TABLE_PRDS 1024             /* that a command table has room for */
#define PATIENCE_US (30 * G_USEC_PER_SEC)

/* ---- Life -------------------------------------------------------------- */

static char *temporary_file(const char *pattern, off_t size)
{
    char *path = NULL;
    int fd = g_file_open_tmp(pattern, &path, NULL);

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(ftruncate(fd, size), ==, 0);
    close(fd);
    return path;
}

Rig *rig_start_with(const char *drive, const char *options)
{
    Rig *rig = g_new0(Rig, 1);
    AHCIQState *ahci = g_new0(AHCIQState, 1);

    rig->image = temporary_file("tracedisk-XXXXXX.img", RIG_DISK_BYTES);
    rig->trace = g_strdup_printf("%s.tdt", rig->image);
    rig->ahci = ahci;
    ahci->parent = qtest_pc_boot("-M q35,sata=off -m %" PRIu64 "M -nodefaults "
                                 "-drive if=none,id=d0,file=%s,format=raw,"
                                 "discard=unmap%s "
                                 "-device tracedisk-ahci,addr=1f.2,id=hba,"
                                 "drive=d0,trace=%s%s",
                                 (uint64_t)RIG_RAM_BYTES / MiB, rig->image,
                                 drive, rig->trace, options);
    rig->qts = ahci->parent->qts;
    ahci->dev = get_ahci_device(rig->qts, &ahci->fingerprint);
    ahci_pci_enable(ahci);
    ahci_hba_enable(ahci);
    rig->port = ahci_port_select(ahci);
    ahci_port_clear(ahci, rig->port);
    for (unsigned i = 0; i < RIG_SLOTS; i++) {
        rig->table[i] = ahci_alloc(ahci, CMD_TBL_SIZ(TABLE_PRDS));
    }
    return rig;
}

Rig *rig_start(const char *options)
{
    return rig_start_with("", options);
}

static void free_traced(gpointer data)
{
    Traced *t = data;

    g_free(t->name);
    g_free(t->elements);
    g_free(t);
}

static void free_event(gpointer data)
{
    TracedEvent *e = data;

    g_free(e->text);
    g_free(e);
}

static void add_command(Rig *rig, const struct td_command *c)
{
    Traced *t = g_new0(Traced, 1);

    g_assert_true(c->submit_known);
    /* The guest has what it has: a command must not stay without an end. */
    g_assert_cmpint(c->complete.status, !=, TD_PENDING);
    t->name = g_strdup(c->decoded.name);
    t->seq = c->seq;
    t->complete_seq = c->complete_seq;
    t->digest = c->complete.digest;
    t->lba = c->decoded.lba;
    t->op = c->decoded.op;
    t->tag = c->submit.tag;
    t->status = c->complete.status;
    t->flags = c->complete.flags;
    t->bytes = c->complete.bytes;
    t->residual = c->complete.residual;
    if (c->complete.has_ata) {
        t->ata_status = c->complete.ata_status;
        t->ata_error = c->complete.ata_error;
    }
    t->n_elements = c->submit.n_elements;
    t->elements = g_memdup2(c->submit.elements,
                            t->n_elements * sizeof(*t->elements));
    g_ptr_array_add(rig->commands, t);
}

static void add_event(Rig *rig, const struct td_record *record)
{
    const struct td_event *event = &record->event;
    TracedEvent *e = g_new0(TracedEvent, 1);

    e->type = event->type;
    e->seq = record->seq;
    e->ref = event->has & TD_HAS_REF ? event->ref : 0;
    e->port = event->port;
    e->addr = event->addr;
    e->value = event->value;
    e->text = g_strdup(event->has & TD_HAS_TEXT ? event->text : "");
    g_ptr_array_add(rig->events, e);
}

static void read_trace(Rig *rig)
{
    struct td_error error = { "" };
    struct td_reader *reader = NULL;
    struct td_commands *commands = NULL;
    struct td_item item;

    rig->commands = g_ptr_array_new_with_free_func(free_traced);
    rig->events = g_ptr_array_new_with_free_func(free_event);
    if (td_reader_open(rig->trace, &reader, &error) < 0) {
        g_error("%s", error.text);
    }
    g_assert_cmpint(td_commands_open(reader, &commands), ==, 0);
    while (td_commands_next(commands, false, &item) > 0) {
        if (item.kind == TD_ITEM_COMMAND) {
            add_command(rig, item.command);
            continue;
        }
        g_assert_cmpint(item.record->kind, !=, TD_DAMAGE);
        g_assert_cmpint(item.record->kind, !=, TD_LOST);
        if (item.record->kind == TD_EVENT) {
            add_event(rig, item.record);
        }
    }
    td_commands_close(commands);
    td_reader_close(reader);
}

void rig_stop(Rig *rig)
{
    free_ahci_device(rig->ahci->dev);
    qtest_shutdown(rig->ahci->parent);
    g_free(rig->ahci);
    rig->ahci = NULL;
    read_trace(rig);
}

void rig_free(Rig *rig)
{
    g_ptr_array_free(rig->commands, true);
    g_ptr_array_free(rig->events, true);
    unlink(rig->image);
    unlink(rig->trace);
    g_free(rig->image);
    g_free(rig->trace);
    g_free(rig);
}

/* ---- Registers --------------------------------------------------------- */

uint32_t rig_read(Rig *rig, uint32_t reg)
{
    return ahci_px_rreg(rig->ahci, rig->port, reg);
}

void rig_write(Rig *rig, uint32_t reg, uint32_t value)
{
    ahci_px_wreg(rig->ahci, rig->port, reg, value);
}

/* ---- FISes ------------------------------------------------------------- */

static void put_lba24(uint8_t *at, uint32_t lba)
{
    at[0] = lba;
    at[1] = lba >> 8;
    at[2] = lba >> 16;
}

RegH2DFIS fis_plain(uint8_t command, uint16_t features, uint16_t count)
{
    return (RegH2DFIS) {
        .fis_type = REG_H2D_FIS, .flags = REG_H2D_FIS_CMD, .command = command,
        .feature_low = features, .feature_high = features >> 8,
        .count = cpu_to_le16(count),
    };
}

RegH2DFIS fis_lba28(uint8_t command, uint32_t lba, uint8_t count)
{
    RegH2DFIS fis = fis_plain(command, 0, count);

    put_lba24(fis.lba_lo, lba);
    fis.device = ATA_DEVICE_LBA | lba >> 24;
    return fis;
}

RegH2DFIS fis_lba48(uint8_t command, uint64_t lba, uint16_t count)
{
    RegH2DFIS fis = fis_plain(command, 0, count);

    put_lba24(fis.lba_lo, lba);
    put_lba24(fis.lba_hi, lba >> 24);
    fis.device = ATA_DEVICE_LBA;
    return fis;
}

RegH2DFIS fis_ncq(uint8_t command, uint64_t lba, uint16_t count, uint8_t tag)
{
    RegH2DFIS fis = fis_lba48(command, lba, tag << 3);

    fis.feature_low = count;
    fis.feature_high = count >> 8;
    return fis;
}

static bool is_queued(const RegH2DFIS *fis)
{
    return fis->command == READ_FPDMA_QUEUED ||
           fis->command == WRITE_FPDMA_QUEUED;
}

/* ---- Commands ---------------------------------------------------------- */

void rig_fill_header(Rig *rig, unsigned slot, uint16_t prdtl, uint64_t table)
{
    AHCICommandHeader header = {
        .flags = sizeof(RegH2DFIS) / 4, .prdtl = prdtl, .ctba = table,
    };

    ahci_set_command_header(rig->ahci, rig->port, slot, &header);
}

void rig_fill(Rig *rig, unsigned slot, const RegH2DFIS *fis, const Prd *list,
              uint16_t n)
{
    g_autofree PRD *prdt = g_new0(PRD, n);

    g_assert_cmpuint(n, <=, TABLE_PRDS);
    for (unsigned i = 0; i < n; i++) {
        prdt[i].dba = cpu_to_le64(list[i].addr);
        prdt[i].dbc = cpu_to_le32((list[i].len - 1) |
                                  (list[i].interrupt ? 0x80000000 : 0));
    }
    qtest_memwrite(rig->qts, rig->table[slot], fis, sizeof(*fis));
    qtest_memwrite(rig->qts, rig->table[slot] + 0x80, prdt, n * sizeof(PRD));
    rig_fill_header(rig, slot, n, rig->table[slot]);
}

void rig_ring(Rig *rig, uint32_t slots)
{
    rig_write(rig, AHCI_PX_CI, slots);
}

void rig_ring_queued(Rig *rig, uint32_t slots)
{
    rig_write(rig, AHCI_PX_SACT, slots);
    rig_write(rig, AHCI_PX_CI, slots);
}

static bool has_stopped(Rig *rig)
{
    return rig_read(rig, AHCI_PX_IS) &
           (AHCI_PX_IS_TFES | AHCI_PX_IS_HBFS | AHCI_PX_IS_HBDS |
            AHCI_PX_IS_IFS);
}

static Outcome outcome(Rig *rig)
{
    AHCICommandHeader header;
    uint32_t tfd = rig_read(rig, AHCI_PX_TFD);
    Outcome o = {
        .is = rig_read(rig, AHCI_PX_IS), .status = tfd, .error = tfd >> 8,
    };

    ahci_get_command_header(rig->ahci, rig->port, 0, &header);
    o.prdbc = header.prdbc;
    return o;
}

Outcome rig_wait(Rig *rig)
{
    gint64 end = g_get_monotonic_time() + PATIENCE_US;

    while (!has_stopped(rig) &&
           (rig_read(rig, AHCI_PX_CI) | rig_read(rig, AHCI_PX_SACT))) {
        g_assert_cmpint(g_get_monotonic_time(), <, end);
        g_usleep(100);
    }
    return outcome(rig);
}

Outcome rig_run(Rig *rig, const RegH2DFIS *fis, const Prd *list, uint16_t n)
{
    unsigned slot = is_queued(fis) ? le16_to_cpu(fis->count) >> 3 : 0;
    Outcome o;

    rig_fill(rig, slot, fis, list, n);
    if (is_queued(fis)) {
        rig_ring_queued(rig, 1u << slot);
    } else {
        rig_ring(rig, 1u << slot);
    }
    o = rig_wait(rig);
    rig_write(rig, AHCI_PX_IS, o.is);
    return o;
}

void rig_recover(Rig *rig)
{
    uint32_t cmd = rig_read(rig, AHCI_PX_CMD);

    rig_write(rig, AHCI_PX_CMD, cmd & ~AHCI_PX_CMD_ST);
    /* With strict=on it takes a little. */
    qtest_clock_step(rig->qts, 1000 * 1000);
    ASSERT_BIT_CLEAR(rig_read(rig, AHCI_PX_CMD), AHCI_PX_CMD_CR);
    rig_write(rig, AHCI_PX_SERR, ~0u);
    rig_write(rig, AHCI_PX_IS, ~0u);
    rig_write(rig, AHCI_PX_CMD, cmd | AHCI_PX_CMD_FRE | AHCI_PX_CMD_ST);
    g_assert_cmphex(rig_read(rig, AHCI_PX_CI), ==, 0);
    g_assert_cmphex(rig_read(rig, AHCI_PX_SACT), ==, 0);
}

/* ---- The disk's content ------------------------------------------------ */

static void transfer(Rig *rig, uint8_t command, uint64_t lba, uint64_t addr,
                     size_t bytes)
{
    RegH2DFIS fis = fis_lba48(command, lba, bytes / 512);
    Prd prd = { addr, bytes };
    Outcome o = rig_run(rig, &fis, &prd, 1);

    g_assert_cmphex(o.is & AHCI_PX_IS_TFES, ==, 0);
    g_assert_cmphex(o.status & STATUS_ERR, ==, 0);
    g_assert_cmpuint(o.prdbc, ==, bytes);
}

void rig_disk_read(Rig *rig, uint64_t lba, void *data, size_t bytes)
{
    uint64_t addr = ahci_alloc(rig->ahci, bytes);

    transfer(rig, CMD_READ_DMA_EXT, lba, addr, bytes);
    qtest_memread(rig->qts, addr, data, bytes);
    ahci_free(rig->ahci, addr);
}

void rig_disk_write(Rig *rig, uint64_t lba, const void *data, size_t bytes)
{
    uint64_t addr = ahci_alloc(rig->ahci, bytes);

    qtest_memwrite(rig->qts, addr, data, bytes);
    transfer(rig, CMD_WRITE_DMA_EXT, lba, addr, bytes);
    ahci_free(rig->ahci, addr);
}

void rig_pattern(uint8_t *data, size_t bytes, unsigned seed)
{
    for (size_t i = 0; i < bytes; i++) {
        data[i] = (i / 512) * 31 + i * 7 + seed * 101 + 1;
    }
}

void rig_check_alive(Rig *rig)
{
    uint8_t written[4096], read[4096];
    uint64_t lba = RIG_BLOCKS - 64;

    rig_pattern(written, sizeof(written), 77);
    rig_disk_write(rig, lba, written, sizeof(written));
    rig_disk_read(rig, lba, read, sizeof(read));
    g_assert_cmpmem(written, sizeof(written), read, sizeof(read));
}

/* ---- The trace --------------------------------------------------------- */

const Traced *rig_traced(Rig *rig, const char *name, unsigned n)
{
    for (unsigned i = 0; i < rig->commands->len; i++) {
        const Traced *t = g_ptr_array_index(rig->commands, i);

        if ((!name || g_str_equal(t->name, name)) && n-- == 0) {
            return t;
        }
    }
    g_error("the trace has no further command %s", name ?: "");
}

unsigned rig_count(Rig *rig, enum td_event_type type, const char *text)
{
    unsigned count = 0;

    for (unsigned i = 0; i < rig->events->len; i++) {
        const TracedEvent *e = g_ptr_array_index(rig->events, i);

        count += e->type == type && strstr(e->text, text);
    }
    return count;
}

void rig_check_guest_error(Rig *rig, const char *text)
{
    if (!rig_count(rig, TD_EVENT_GUEST_ERROR, text)) {
        g_error("the trace tells of no guest error '%s'", text);
    }
}
