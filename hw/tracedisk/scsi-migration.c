/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk-scsi: a request that a migration finds in the middle
 *
 * QEMU's SCSI bus brings the CDB, and HBAs without scatter-gather lists that
 * can be migrated at all know how far they are in a piece of the payload. Here
 * is what the disk must know: which piece that is, and what it holds.
 */
#include "qemu/osdep.h"
#include "compat.h"
#include "scsi.h"
#include "qemu/error-report.h"
#include "migration/qemu-file-types.h"

enum {
    STATE_WAITING,              /* for the HBA's first call */
    STATE_HBA_HAS_TURN,
    STATE_RUNNING,              /* the VM stopped for it, or a fault holds it */
};

void scsi_save_request(QEMUFile *f, SCSIRequest *req)
{
    ScsiRequest *c = container_of(req, ScsiRequest, req);
    bool running = c->co || c->run_again;
    uint32_t piece = c->hba_has_turn || c->turn_over ? c->piece : 0;

    qemu_put_byte(f, c->hba_has_turn ? STATE_HBA_HAS_TURN :
                     running ? STATE_RUNNING : STATE_WAITING);
    qemu_put_byte(f, c->turn_over);
    qemu_put_be64(f, c->over);
    qemu_put_be32(f, piece);
    qemu_put_buffer(f, c->buf, piece);
}

/* What is in the stream instead of a piece: go on behind it. */
static void skip(QEMUFile *f, uint32_t bytes)
{
    uint8_t buf[4096];
    size_t n;

    for (; bytes; bytes -= n) {
        n = qemu_get_buffer(f, buf, MIN(bytes, sizeof(buf)));
        if (!n) {
            return;             /* it ends before */
        }
    }
}

/*
 * A piece is of the payload, and as long as one is; whatever it brings, the
 * buffer is large enough for what the command will do with it.
 */
static void load_piece(QEMUFile *f, ScsiRequest *c, uint32_t piece,
                       bool expected)
{
    TdScsi *s = scsi_disk(c);
    uint32_t payload = MIN(c->req.cmd.xfer, SCSI_MAX_BUFFERED);
    uint32_t size = MAX(payload, SCSI_PIECE_BYTES);

    if (piece > payload || expected != !!piece) {
        error_report("%s: a SCSI command 0x%02x of %zu bytes cannot have a "
                     "piece of %" PRIu32 " bytes: the migration stream is "
                     "damaged", TYPE_TRACEDISK_SCSI, c->req.cmd.buf[0],
                     c->req.cmd.xfer, piece);
        skip(f, piece);
        s->bad_migration = true;
        c->turn_over = false;
        return;
    }
    if (piece) {
        c->buf = blk_blockalign(s->disk.blk, size);
        memset(c->buf, 0, size);
        qemu_get_buffer(f, c->buf, piece);
        c->piece = piece;
    }
}

/* SCSIReqOps has no way to fail: scsi.c's post_load does. */
void scsi_load_request(QEMUFile *f, SCSIRequest *req)
{
    ScsiRequest *c = container_of(req, ScsiRequest, req);
    int state = qemu_get_byte(f);

    c->turn_over = qemu_get_byte(f);
    c->over = c->over_before = qemu_get_be64(f);
    load_piece(f, c, qemu_get_be32(f),
               state == STATE_HBA_HAS_TURN || c->turn_over);
    c->hba_has_turn = state == STATE_HBA_HAS_TURN && c->piece;
    /* An HBA that brings nothing of its own would not know the request. */
    if (state == STATE_RUNNING && req->bus->info->load_request) {
        c->run_again = true;
        req->retry = true;
    }
}

void scsi_begin_in_middle(ScsiRequest *c)
{
    c->transfer.result.bytes = c->over_before;
    c->transfer.keeping_failed = true;
}

void scsi_forget_digests(ScsiRequest *c)
{
    TdTransfer *t = &c->transfer;

    td_hasher_free(t->hasher);
    td_sectors_free(t->sectors);
    t->hasher = NULL;
    t->sectors = NULL;
}
