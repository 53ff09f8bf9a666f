/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ATA commands as SCSI ones: clauses are SAT-3's, of the opposite direction. */
#include "sat.h"

#include <glib.h>
#include <string.h>

enum {
    STATUS_CHECK_CONDITION = 0x02,
    STATUS_TASK_ABORTED = 0x40,
};

static void put_big_endian(uint8_t *p, uint64_t value, unsigned bytes)
{
    while (bytes--) {
        p[bytes] = (uint8_t)value;
        value >>= 8;
    }
}

/* READ, WRITE or VERIFY: of 10 bytes when it fits, else of 16 (SBC-3 5.x). */
static void address(const struct td_decoded *d, uint8_t opcode10, uint8_t opcode16,
                    struct scsi_view *view)
{
    bool fits = d->lba <= UINT32_MAX && d->blocks <= UINT16_MAX;

    view->cdb[0] = fits ? opcode10 : opcode16;
    view->cdb[1] = d->flags & TD_FUA ? 1 << 3 : 0;
    if (fits) {
        put_big_endian(view->cdb + 2, d->lba, 4);
        put_big_endian(view->cdb + 7, d->blocks, 2);
        view->cdb_len = 10;
    } else {
        put_big_endian(view->cdb + 2, d->lba, 8);
        put_big_endian(view->cdb + 10, d->blocks, 4);
        view->cdb_len = 16;
    }
}

/* The PROTOCOL field, 12.2.2.2 */
static unsigned pass_through_protocol(const struct td_command *c)
{
    enum { NON_DATA = 3, PIO_IN = 4, PIO_OUT = 5, DMA = 6, FPDMA = 12 };
    const struct td_decoded *d = &c->decoded;

    if (d->flags & TD_QUEUED)
        return FPDMA;
    if (d->flags & TD_PIO)
        return d->flags & TD_DATA_OUT ? PIO_OUT : PIO_IN;
    return c->submit.n_elements ? DMA : NON_DATA;
}

/* ATA PASS-THROUGH(16), 12.2.3 */
static void pass_through(const struct td_command *c, struct scsi_view *view)
{
    /* Of the FIS, SATA 3.x 10.5.5, which byte goes where. */
    static const uint8_t from[16] = {
        [3] = 11, [4] = 3,  [5] = 13, [6] = 12, [7] = 8,   [8] = 4,
        [9] = 9,  [10] = 5, [11] = 10, [12] = 6, [13] = 7, [14] = 2,
    };
    uint8_t fis[20] = { 0 };
    bool to_device = c->decoded.flags & TD_DATA_OUT || c->decoded.op == TD_OP_TRIM;

    memcpy(fis, c->submit.raw, MIN(c->submit.raw_len, sizeof(fis)));
    for (int i = 3; i < 15; i++)
        view->cdb[i] = fis[from[i]];
    view->cdb[0] = 0x85;
    view->cdb[1] = (uint8_t)(pass_through_protocol(c) << 1 | 1); /* EXTEND */
    if (c->submit.n_elements) /* T_LENGTH: COUNT; BYT_BLOK: blocks; T_DIR */
        view->cdb[2] = (uint8_t)(2 | 1 << 2 | !to_device << 3);
    view->cdb_len = 16;
}

/* ATA Status Return descriptor (12.2.7) behind the translated error (11.6). */
static void translate_error(const struct td_complete *complete, struct scsi_view *view)
{
    static const struct {
        uint8_t error, key, asc, ascq;
    } errors[] = {
        { 0x80, 0x0b, 0x47, 0x03 }, /* ICRC: information unit iuCRC error */
        { 0x40, 0x03, 0x11, 0x00 }, /* UNC: unrecovered read error */
        { 0x10, 0x05, 0x21, 0x00 }, /* IDNF: LBA out of range */
        { 0x02, 0x02, 0x3a, 0x00 }, /* NM: medium not present */
        { 0x00, 0x0b, 0x00, 0x00 }, /* ABRT, or nothing that is told */
    };
    uint8_t *sense = view->sense;
    size_t i = 0;

    while ((complete->ata_error & errors[i].error) != errors[i].error)
        i++;
    sense[0] = 0x72;
    sense[1] = errors[i].key;
    sense[2] = errors[i].asc;
    sense[3] = errors[i].ascq;
    if (complete->ata_status & 1 << 5) { /* DF: internal target failure */
        sense[1] = 0x04;
        sense[2] = 0x44;
        sense[3] = 0x00;
    }
    sense[7] = 14;
    sense[8] = 0x09;
    sense[9] = 12;
    sense[11] = complete->ata_error;
    sense[21] = complete->ata_status;
    view->sense_len = 22;
    view->status = STATUS_CHECK_CONDITION;
}

static void view_ata(const struct td_command *c, struct scsi_view *view)
{
    bool has_lba = c->decoded.flags & TD_HAS_LBA;

    if (has_lba && c->decoded.op == TD_OP_READ) {
        address(&c->decoded, 0x28, 0x88, view);
    } else if (has_lba && c->decoded.op == TD_OP_WRITE) {
        address(&c->decoded, 0x2a, 0x8a, view);
    } else if (has_lba && c->decoded.op == TD_OP_VERIFY) {
        address(&c->decoded, 0x2f, 0x8f, view);
    } else if (c->decoded.op == TD_OP_FLUSH) {
        view->cdb[0] = 0x35; /* SYNCHRONIZE CACHE(10) of everything */
        view->cdb_len = 10;
    } else {
        pass_through(c, view);
    }
    if (c->complete.status == TD_ERROR)
        translate_error(&c->complete, view);
}

static void view_scsi(const struct td_command *c, struct scsi_view *view)
{
    view->cdb_len = c->submit.raw_len;
    memcpy(view->cdb, c->submit.raw, view->cdb_len);
    view->status = c->complete.scsi_status;
    if (c->complete.sense) {
        view->sense_len = MIN(c->complete.sense_len, (uint32_t)sizeof(view->sense));
        memcpy(view->sense, c->complete.sense, view->sense_len);
    }
}

void sat_view(const struct td_command *c, struct scsi_view *view)
{
    memset(view, 0, sizeof(*view));
    if (c->submit.protocol == TD_ATA)
        view_ata(c, view);
    else
        view_scsi(c, view);
    if (c->complete.status == TD_ABORTED && !view->status)
        view->status = STATUS_TASK_ABORTED;
}
