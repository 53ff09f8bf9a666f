/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk: the ATA command set (ACS-3) of one disk
 *
 * One handler a command. A handler moves the data, if there is any, and
 * leaves the task file at "good" or calls fail().
 */
#include "qemu/osdep.h"
#include "compat.h"
#include "ata.h"
#include "ata-commands.h"

/* FIS offsets, SATA 3.x 10.5.5 */
enum { FIS_COMMAND = 2, FIS_FEATURES = 3, FIS_DEVICE = 7, FIS_FEATURES_EXP = 11,
       FIS_COUNT = 12, FIS_COUNT_EXP = 13 };

#define DEVICE_LBA 0x40

#define TRIM_MAX_PAGES 8        /* as IDENTIFY DEVICE word 105 says */
#define LOG_MAX_PAGES ATA_HOST_LOG_PAGES

enum { POWER_STANDBY = 0x00, POWER_IDLE = 0x80, POWER_ACTIVE = 0xff };

typedef void coroutine_fn AtaHandler(AtaCommand *c);

static uint16_t fis_features(const AtaCommand *c)
{
    return c->fis[FIS_FEATURES] | c->fis[FIS_FEATURES_EXP] << 8;
}

static uint16_t fis_count(const AtaCommand *c)
{
    return c->fis[FIS_COUNT] | c->fis[FIS_COUNT_EXP] << 8;
}

static uint64_t fis_lba48(const uint8_t *fis)
{
    return fis[4] | fis[5] << 8 | fis[6] << 16 | (uint64_t)fis[8] << 24 |
           (uint64_t)fis[9] << 32 | (uint64_t)fis[10] << 40;
}

/* The end of a command that failed: status ERR and the bits of ERROR. */
static void fail(AtaCommand *c, uint8_t error)
{
    c->task_file.status |= ATA_ERR;
    c->task_file.error = error;
}

static void fail_at(AtaCommand *c, uint8_t error, uint64_t lba)
{
    fail(c, error);
    c->task_file.lba = lba;
}

/* What a failed request of the block layer looks like to the host. */
static void fail_io(AtaCommand *c, int ret, bool is_read, uint64_t lba)
{
    if (ret == -ECANCELED) {
        c->aborted = true;
        return;
    }
    fail_at(c, is_read ? ATA_UNC : ATA_ABRT, lba);
    if (!is_read) {
        c->task_file.status |= ATA_DF;
    }
}

/* ---- Blocks that WRITE UNCORRECTABLE EXT has marked -------------------- */

/* The first marked block in [lba, lba + blocks), or UINT64_MAX. */
static uint64_t bad_find(const AtaDevice *d, uint64_t lba, uint64_t blocks)
{
    uint64_t first = UINT64_MAX;

    for (uint32_t i = 0; i < d->n_bad; i++) {
        const AtaBadRange *r = &d->bad[i];

        if (r->lba < lba + blocks && lba < r->lba + r->blocks) {
            first = MIN(first, MAX(lba, r->lba));
        }
    }
    return first;
}

static bool bad_add(AtaDevice *d, uint64_t lba, uint64_t blocks)
{
    if (!blocks) {
        return true;
    }
    if (d->n_bad == ATA_MAX_BAD_RANGES) {
        return false;
    }
    d->bad[d->n_bad++] = (AtaBadRange) { .lba = lba, .blocks = blocks };
    return true;
}

/* A write makes its blocks readable again. */
static void bad_clear(AtaDevice *d, uint64_t lba, uint64_t blocks)
{
    uint64_t end = lba + blocks;

    for (uint32_t i = 0; i < d->n_bad;) {
        AtaBadRange r = d->bad[i];
        uint64_t r_end = r.lba + r.blocks;

        if (r.lba >= end || lba >= r_end) {
            i++;
            continue;
        }
        d->bad[i] = d->bad[--d->n_bad];
        /*
         * At most one of the two is an additional entry; there is room for
         * it, or the far part reads as good again, which loses no data.
         */
        bad_add(d, r.lba, r.lba < lba ? lba - r.lba : 0);
        bad_add(d, end, r_end > end ? r_end - end : 0);
    }
}

/* ---- Reads and writes -------------------------------------------------- */

/* The range of a media access; false (and failed) when it is not one. */
static bool check_range(AtaCommand *c)
{
    const AtaDevice *d = c->device;
    uint64_t lba = c->decoded.lba;

    if (!(c->fis[FIS_DEVICE] & DEVICE_LBA)) {
        /* CHS addressing is obsolete since ATA/ATAPI-6. */
        fail(c, ATA_ABRT);
        return false;
    }
    if (lba >= d->disk.blocks || c->decoded.blocks > d->disk.blocks - lba) {
        fail_at(c, ATA_IDNF, MAX(lba, d->disk.blocks));
        return false;
    }
    return true;
}

/*
 * PIO moves DRQ data blocks of one logical sector, or of SET MULTIPLE MODE's
 * count; the size of the last one is what its PIO Setup FIS says (SATA 3.x
 * 10.5.10).
 */
static void set_drq_blocks(AtaCommand *c, uint32_t block)
{
    uint64_t bytes = c->transfer.result.bytes;

    if (c->decoded.flags & TD_PIO) {
        c->drq_blocks = DIV_ROUND_UP(bytes, block);
        c->last_drq_bytes = bytes % block ?: MIN(bytes, block);
    }
}

static void coroutine_fn do_read(AtaCommand *c)
{
    AtaDevice *d = c->device;
    uint64_t lba = c->decoded.lba;
    uint64_t bytes = c->decoded.blocks * d->disk.block_size;
    uint64_t bad;
    int ret;

    c->data_in = true;
    if (!check_range(c)) {
        return;
    }
    bad = d->n_bad ? bad_find(d, lba, c->decoded.blocks) : UINT64_MAX;
    if (bad != UINT64_MAX) {
        fail_at(c, ATA_UNC, bad);
        return;
    }
    ret = td_transfer_co_read(&c->transfer, lba * d->disk.block_size, bytes);
    if (ret < 0) {
        fail_io(c, ret, true, lba);
    }
}

static void coroutine_fn do_write(AtaCommand *c)
{
    AtaDevice *d = c->device;
    TdTransfer *t = &c->transfer;
    uint64_t lba = c->decoded.lba;
    uint64_t bytes = c->decoded.blocks * d->disk.block_size;
    uint64_t whole = bytes;
    int ret;

    c->data_out = true;
    if (!check_range(c)) {
        return;
    }
    if (t->list_bytes < bytes && d->strict) {
        /* The data never comes, and the disk goes on to wait for it. */
        td_transfer_co_wait_for_reset(t);
        c->aborted = true;
        return;
    }
    if (t->list_bytes < bytes) {
        /* Only whole blocks can be written. */
        whole = QEMU_ALIGN_DOWN(t->list_bytes, d->disk.block_size);
    }
    ret = td_transfer_co_write(t, lba * d->disk.block_size, whole,
                               c->decoded.flags & TD_FUA ? BDRV_REQ_FUA : 0);
    if (whole < bytes) {
        t->result.flags |= TD_LIST_SHORT;
        t->result.flags &= ~TD_LIST_LONG;
        t->result.residual += bytes - whole;
    }
    if (ret < 0) {
        fail_io(c, ret, false, lba);
        return;
    }
    bad_clear(d, lba, whole / d->disk.block_size);
    if (whole < bytes) {
        fail_at(c, ATA_ABRT, lba + whole / d->disk.block_size);
    }
}

static void coroutine_fn cmd_read(AtaCommand *c)
{
    do_read(c);
    set_drq_blocks(c, c->device->disk.block_size);
}

static void coroutine_fn cmd_write(AtaCommand *c)
{
    do_write(c);
    set_drq_blocks(c, c->device->disk.block_size);
}

/* Aborted until SET MULTIPLE MODE has succeeded (ACS-3 7.26.4, 7.64.4). */
static bool check_multiple(AtaCommand *c)
{
    if (!c->device->multiple) {
        fail(c, ATA_ABRT);
        return false;
    }
    return true;
}

static void coroutine_fn cmd_read_multiple(AtaCommand *c)
{
    c->data_in = true;
    if (check_multiple(c)) {
        do_read(c);
        set_drq_blocks(c, c->device->multiple * c->device->disk.block_size);
    }
}

static void coroutine_fn cmd_write_multiple(AtaCommand *c)
{
    c->data_out = true;
    if (check_multiple(c)) {
        do_write(c);
        set_drq_blocks(c, c->device->multiple * c->device->disk.block_size);
    }
}

/*
 * After an error all queued commands end in error until the host has read log
 * 10h, or sent another command that is not queued (ACS-3 4.14.2).
 */
static bool check_queue(AtaCommand *c)
{
    if (c->device->ncq_error) {
        fail(c, ATA_ABRT);
        return false;
    }
    return true;
}

static void coroutine_fn cmd_read_fpdma(AtaCommand *c)
{
    c->data_in = true;
    if (check_queue(c)) {
        do_read(c);
    }
}

static void coroutine_fn cmd_write_fpdma(AtaCommand *c)
{
    c->data_out = true;
    if (check_queue(c)) {
        do_write(c);
    }
}

static void coroutine_fn cmd_verify(AtaCommand *c)
{
    AtaDevice *d = c->device;
    uint64_t lba = c->decoded.lba;
    uint64_t bad;
    int ret;

    if (!check_range(c)) {
        return;
    }
    bad = bad_find(d, lba, c->decoded.blocks);
    if (bad != UINT64_MAX) {
        fail_at(c, ATA_UNC, bad);
        return;
    }
    ret = td_transfer_co_verify(&c->transfer, lba * d->disk.block_size,
                                c->decoded.blocks * d->disk.block_size);
    if (ret < 0) {
        fail_io(c, ret, true, lba);
    }
}

static void coroutine_fn cmd_write_uncorrectable(AtaCommand *c)
{
    AtaDevice *d = c->device;
    uint8_t kind = c->fis[FIS_FEATURES];

    /* 55h/5Ah: pseudo-uncorrectable; A5h/AAh: flagged (ACS-3 7.71) */
    if (kind != 0x55 && kind != 0x5a && kind != 0xa5 && kind != 0xaa) {
        fail(c, ATA_ABRT);
        return;
    }
    if (check_range(c)) {
        bad_clear(d, c->decoded.lba, c->decoded.blocks);
        if (!bad_add(d, c->decoded.lba, c->decoded.blocks)) {
            fail(c, ATA_ABRT);
        }
    }
}

static void coroutine_fn cmd_flush(AtaCommand *c)
{
    int ret = td_transfer_co_flush(&c->transfer);

    if (ret < 0) {
        fail_io(c, ret, false, 0);
    }
}

/* ---- DATA SET MANAGEMENT, ACS-3 7.5 ------------------------------------ */

static void coroutine_fn cmd_data_set_management(AtaCommand *c)
{
    AtaDevice *d = c->device;
    uint32_t size = fis_count(c) * ATA_SECTOR;
    g_autofree uint8_t *ranges = NULL;
    uint64_t got;

    c->data_out = true;
    if (fis_features(c) != 1 || !size || size > TRIM_MAX_PAGES * ATA_SECTOR ||
        !d->conf->discard_granularity) {
        fail(c, ATA_ABRT);
        return;
    }
    ranges = g_malloc0(size);
    got = td_transfer_from_guest(&c->transfer, ranges, size);
    for (uint64_t at = 0; at + 8 <= got; at += 8) {
        uint64_t entry = ldq_le_p(ranges + at);
        uint64_t lba = entry & MAKE_64BIT_MASK(0, 48);
        uint64_t blocks = entry >> 48;
        int ret;

        if (!blocks) {
            continue;
        }
        if (lba >= d->disk.blocks || blocks > d->disk.blocks - lba) {
            fail_at(c, ATA_IDNF, lba);
            return;
        }
        /* IDENTIFY DEVICE says neither DRAT nor RZAT. */
        td_transfer_note_trim(&c->transfer, lba, blocks, false);
        ret = td_transfer_co_discard(&c->transfer, lba * d->disk.block_size,
                                     blocks * d->disk.block_size);
        if (ret < 0) {
            fail_io(c, ret, false, lba);
            return;
        }
        bad_clear(d, lba, blocks);
    }
    if (got < size) {
        fail(c, ATA_ABRT);
    }
}

/* ---- Pages ------------------------------------------------------------- */

static void send_pages(AtaCommand *c, const uint8_t *pages, uint32_t bytes)
{
    td_transfer_to_guest(&c->transfer, pages, bytes);
    set_drq_blocks(c, ATA_SECTOR);
}

static void coroutine_fn cmd_identify(AtaCommand *c)
{
    uint8_t page[ATA_SECTOR];

    c->data_in = true;
    ata_identify_page(c->device, page);
    send_pages(c, page, sizeof(page));
}

static void coroutine_fn cmd_read_log(AtaCommand *c)
{
    AtaDevice *d = c->device;
    uint32_t pages = fis_count(c);
    uint8_t log = c->fis[4];
    uint16_t first = c->fis[5] | c->fis[9] << 8;
    g_autofree uint8_t *buf = NULL;

    c->data_in = true;
    if (!pages || pages > LOG_MAX_PAGES) {
        fail(c, ATA_ABRT);
        return;
    }
    buf = g_malloc(pages * ATA_SECTOR);
    if (!ata_log_pages(d, false, log, first, pages, buf)) {
        fail(c, ATA_ABRT);
        return;
    }
    send_pages(c, buf, pages * ATA_SECTOR);
}

/* Write pages of a host-specific log; the others cannot be written. */
static void write_host_log(AtaCommand *c, uint8_t log, uint16_t first,
                           uint32_t pages)
{
    AtaDevice *d = c->device;

    c->data_out = true;
    if (log < ATA_HOST_LOG_FIRST || log >= ATA_HOST_LOG_FIRST + ATA_HOST_LOGS ||
        !pages || first + pages > ATA_HOST_LOG_PAGES) {
        fail(c, ATA_ABRT);
        return;
    }
    if (td_transfer_from_guest(&c->transfer,
                               d->host_logs[log - ATA_HOST_LOG_FIRST] +
                               first * ATA_SECTOR,
                               pages * ATA_SECTOR) < pages * ATA_SECTOR) {
        fail(c, ATA_ABRT);
    }
    set_drq_blocks(c, ATA_SECTOR);
}

static void coroutine_fn cmd_write_log(AtaCommand *c)
{
    write_host_log(c, c->fis[4], c->fis[5] | c->fis[9] << 8, fis_count(c));
}

/* ---- SMART, ACS-3 7.48 ------------------------------------------------- */

/* What td_decode() cannot know: this sub-command moves data, and by PIO. */
static void smart_reads(AtaCommand *c)
{
    c->data_in = true;
    c->decoded.flags |= TD_PIO;
}

static void coroutine_fn smart_read_data(AtaCommand *c)
{
    uint8_t page[ATA_SECTOR];

    smart_reads(c);
    ata_smart_data_page(c->device, page);
    send_pages(c, page, sizeof(page));
}

static void coroutine_fn smart_read_thresholds(AtaCommand *c)
{
    uint8_t page[ATA_SECTOR];

    smart_reads(c);
    ata_smart_thresholds_page(c->device, page);
    send_pages(c, page, sizeof(page));
}

static void coroutine_fn smart_read_log(AtaCommand *c)
{
    uint8_t log[LOG_MAX_PAGES * ATA_SECTOR];
    uint32_t pages = c->fis[FIS_COUNT];

    smart_reads(c);
    if (pages > LOG_MAX_PAGES ||
        !ata_log_pages(c->device, true, c->fis[4], 0, pages, log)) {
        fail(c, ATA_ABRT);
        return;
    }
    send_pages(c, log, pages * ATA_SECTOR);
}

static void coroutine_fn smart_write_log(AtaCommand *c)
{
    c->decoded.flags |= TD_PIO;
    write_host_log(c, c->fis[4], 0, c->fis[FIS_COUNT]);
}

static void coroutine_fn smart_enable(AtaCommand *c)
{
    c->device->smart_enabled = true;
}

static void coroutine_fn smart_disable(AtaCommand *c)
{
    c->device->smart_enabled = false;
}

static void coroutine_fn cmd_nothing(AtaCommand *c)
{
}

#define CASE(opcode, handler) case opcode: return handler;

static AtaHandler *smart_handler(uint8_t what)
{
    switch (what) {
    ATA_SMART_COMMANDS(CASE)
    }
    return NULL;
}

static void coroutine_fn cmd_smart(AtaCommand *c)
{
    AtaHandler *handler = smart_handler(c->fis[FIS_FEATURES]);

    if (c->fis[5] != 0x4f || c->fis[6] != 0xc2 || !handler ||
        (!c->device->smart_enabled && handler != smart_enable)) {
        fail(c, ATA_ABRT);
        return;
    }
    handler(c);
}

/* ---- SET FEATURES, ACS-3 7.45 ------------------------------------------ */

static void coroutine_fn feature_write_cache_on(AtaCommand *c)
{
    blk_set_enable_write_cache(c->device->disk.blk, true);
}

static void coroutine_fn feature_write_cache_off(AtaCommand *c)
{
    /* What it holds is written out before the command ends. */
    cmd_flush(c);
    if (!(c->task_file.status & ATA_ERR)) {
        blk_set_enable_write_cache(c->device->disk.blk, false);
    }
}

/* Those that IDENTIFY DEVICE has, words 63, 64 and 88 */
static bool has_transfer_mode(uint8_t mode)
{
    uint8_t number = mode & 7;

    switch (mode >> 3) {
    case 0x00: /* PIO default, with and without IORDY */
        return number <= 1;
    case 0x01: /* PIO with flow control */
        return number <= 4;
    case 0x04: /* multiword DMA */
        return number <= 2;
    case 0x08: /* Ultra DMA */
        return number <= 6;
    default:
        return false;
    }
}

static void coroutine_fn feature_transfer_mode(AtaCommand *c)
{
    uint8_t mode = c->fis[FIS_COUNT];

    if (!has_transfer_mode(mode)) {
        fail(c, ATA_ABRT);
        return;
    }
    c->device->transfer_mode = mode;
}

static void coroutine_fn feature_look_ahead(AtaCommand *c)
{
    c->device->look_ahead = c->fis[FIS_FEATURES] == 0xaa;
}

static AtaHandler *feature_handler(uint8_t feature)
{
    switch (feature) {
    ATA_FEATURES(CASE)
    }
    return NULL;
}

static void coroutine_fn cmd_set_features(AtaCommand *c)
{
    AtaHandler *handler = feature_handler(c->fis[FIS_FEATURES]);

    if (!handler) {
        fail(c, ATA_ABRT);
        return;
    }
    handler(c);
}

/* ---- Settings, power, the rest ----------------------------------------- */

static void coroutine_fn cmd_set_multiple(AtaCommand *c)
{
    uint8_t count = c->fis[FIS_COUNT];

    if (count > 16 || (count & (count - 1))) {
        fail(c, ATA_ABRT);
        return;
    }
    c->device->multiple = count;
}

static void coroutine_fn cmd_read_native_max(AtaCommand *c)
{
    uint32_t max = MIN(c->device->disk.blocks, 1 << 28) - 1;

    /* LBA28: bits 27:24 are in the device field. */
    c->task_file.lba = max & 0xffffff;
    c->task_file.device |= max >> 24;
}

static void coroutine_fn cmd_read_native_max_ext(AtaCommand *c)
{
    c->task_file.lba = c->device->disk.blocks - 1;
}

static void coroutine_fn cmd_diagnostic(AtaCommand *c)
{
    c->task_file = ata_device_signature();
}

static void coroutine_fn cmd_standby(AtaCommand *c)
{
    /* What the cache holds must survive what comes next (ACS-3 7.50). */
    cmd_flush(c);
    c->device->power_mode = POWER_STANDBY;
}

static void coroutine_fn cmd_idle(AtaCommand *c)
{
    c->device->power_mode = POWER_IDLE;
}

static void coroutine_fn cmd_check_power(AtaCommand *c)
{
    c->task_file.count = c->device->power_mode;
}

static void coroutine_fn cmd_abort(AtaCommand *c)
{
    fail(c, ATA_ABRT);
}

static AtaHandler *command_handler(uint8_t opcode)
{
    switch (opcode) {
    ATA_COMMANDS(CASE)
    }
    return NULL;
}

/* A media access wakes the drive (ACS-3 4.18.4). */
static bool accesses_media(const AtaCommand *c)
{
    return c->decoded.flags & TD_HAS_LBA || c->decoded.op == TD_OP_FLUSH;
}

/*
 * In a 28-bit command bits 47:28 of LBA, and the upper halves of COUNT and
 * FEATURES, are reserved (ACS-3 7.1.3): a disk may look whether they are 0.
 */
static bool has_reserved_bits(const AtaCommand *c)
{
    static const uint8_t commands[] = {
        0x20, 0x21, 0x30, 0x31, 0x40, 0x41, 0xc4, 0xc5, 0xc8, 0xc9, 0xca, 0xcb,
    };

    return memchr(commands, c->fis[FIS_COMMAND], sizeof(commands)) &&
           (c->fis[8] || c->fis[9] || c->fis[10] || c->fis[FIS_FEATURES_EXP] ||
            c->fis[FIS_COUNT_EXP]);
}

/* The command fails, in front of its data or after a part of it. */
static void fail_by_fault(AtaCommand *c)
{
    const TdFault *f = &c->transfer.fault;
    uint64_t moved = c->transfer.result.bytes / c->device->disk.block_size;

    if (!(c->task_file.status & ATA_ERR)) {
        c->task_file.status = f->status;
        c->task_file.error = f->error;
        c->task_file.lba = c->decoded.flags & TD_HAS_LBA ?
                           c->decoded.lba + moved : c->task_file.lba;
    }
}

static void coroutine_fn run_handler(AtaCommand *c)
{
    AtaHandler *handler = command_handler(c->fis[FIS_COMMAND]);
    unsigned fault = c->transfer.fault.what;

    if (!handler || c->refused ||
        (c->device->strict && has_reserved_bits(c))) {
        fail(c, ATA_ABRT);
    } else if (!(fault & TD_FAULT_FAIL) || fault & TD_FAULT_SHORT) {
        handler(c);
    }
    if (unlikely(fault & TD_FAULT_FAIL)) {
        fail_by_fault(c);
    }
}

static void remember_ncq_error(AtaCommand *c)
{
    AtaDevice *d = c->device;

    d->ncq_error = true;
    d->ncq_tag = c->decoded.queued_tag;
    d->ncq_task_file = c->task_file;
}

void coroutine_fn ata_command_co_run(AtaCommand *c)
{
    AtaDevice *d = c->device;
    bool queued = c->decoded.flags & TD_QUEUED;

    c->task_file = (AtaTaskFile) {
        .status = ATA_DRDY | ATA_DSC,
        .device = c->fis[FIS_DEVICE] & 0xf0,
        .lba = fis_lba48(c->fis),
        .count = fis_count(c),
    };
    if (accesses_media(c)) {
        d->power_mode = POWER_ACTIVE;
    }
    run_handler(c);
    if (c->transfer.cancelled) {
        c->aborted = true;
        return;
    }
    if (queued) {
        if (c->task_file.status & ATA_ERR && !d->ncq_error) {
            remember_ncq_error(c);
        }
    } else {
        d->ncq_error = false;
    }
}

/* ---- Life -------------------------------------------------------------- */

AtaTaskFile ata_device_signature(void)
{
    return (AtaTaskFile) {
        .status = ATA_DRDY | ATA_DSC,
        .error = 0x01,          /* diagnostics passed */
        .count = 1,
        .lba = 1,
    };
}

void ata_device_reset(AtaDevice *d, bool hard)
{
    d->ncq_error = false;
    d->soft_reset = false;
    d->power_mode = POWER_ACTIVE;
    if (hard) {
        d->multiple = 16;
        d->transfer_mode = 0x45; /* Ultra DMA 5 */
        d->look_ahead = true;
        d->smart_enabled = true;
    }
}

bool ata_device_realize(AtaDevice *d, Error **errp)
{
    if (!blk_supports_write_perm(d->conf->blk)) {
        error_setg(errp, "an ATA disk cannot be read-only: open the drive "
                   "read-write, or with snapshot=on");
        return false;
    }
    if (strlen(d->serial) > 20 || strlen(d->model) > 40 ||
        strlen(d->firmware) > 8) {
        error_setg(errp, "serial, model and ver hold at most 20, 40 and 8 "
                   "characters (ACS-3 7.12.7)");
        return false;
    }
    ata_device_reset(d, true);
    return true;
}

static int ata_post_load(void *opaque, int version_id)
{
    AtaDevice *d = opaque;

    return d->n_bad > ATA_MAX_BAD_RANGES ? -EINVAL : 0;
}

static const VMStateDescription vmstate_bad_range = {
    .name = "tracedisk-ata/bad-range",
    .version_id = 1,
    .fields = (VMStateField[]) {
        VMSTATE_UINT64(lba, AtaBadRange),
        VMSTATE_UINT64(blocks, AtaBadRange),
        VMSTATE_END_OF_LIST()
    },
};

static const VMStateDescription vmstate_task_file = {
    .name = "tracedisk-ata/task-file",
    .version_id = 1,
    .fields = (VMStateField[]) {
        VMSTATE_UINT8(status, AtaTaskFile),
        VMSTATE_UINT8(error, AtaTaskFile),
        VMSTATE_UINT8(device, AtaTaskFile),
        VMSTATE_UINT16(count, AtaTaskFile),
        VMSTATE_UINT64(lba, AtaTaskFile),
        VMSTATE_END_OF_LIST()
    },
};

const VMStateDescription vmstate_ata_device = {
    .name = "tracedisk-ata",
    .version_id = 1,
    .post_load = ata_post_load,
    .fields = (VMStateField[]) {
        VMSTATE_UINT8(multiple, AtaDevice),
        VMSTATE_UINT8(transfer_mode, AtaDevice),
        VMSTATE_UINT8(power_mode, AtaDevice),
        VMSTATE_BOOL(look_ahead, AtaDevice),
        VMSTATE_BOOL(smart_enabled, AtaDevice),
        VMSTATE_BOOL(soft_reset, AtaDevice),
        VMSTATE_BOOL(ncq_error, AtaDevice),
        VMSTATE_UINT8(ncq_tag, AtaDevice),
        VMSTATE_STRUCT(ncq_task_file, AtaDevice, 1, vmstate_task_file,
                       AtaTaskFile),
        VMSTATE_UINT32(n_bad, AtaDevice),
        VMSTATE_STRUCT_ARRAY(bad, AtaDevice, ATA_MAX_BAD_RANGES, 1,
                             vmstate_bad_range, AtaBadRange),
        VMSTATE_UINT8_2DARRAY(host_logs, AtaDevice, ATA_HOST_LOGS,
                              ATA_HOST_LOG_PAGES * ATA_SECTOR),
        VMSTATE_END_OF_LIST()
    },
};
