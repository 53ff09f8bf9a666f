/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk-scsi: commands that belong to no group
 */
#include "qemu/osdep.h"
#include "compat.h"
#include "scsi.h"

void coroutine_fn scsi_run_nothing(ScsiRequest *c)
{
}

/*
 * REQUEST SENSE, SPC-4 6.39: of the last command, else a pending unit
 * attention, else that there is none.
 */
bool scsi_prepare_request_sense(ScsiRequest *c)
{
    TdScsi *s = scsi_disk(c);
    bool descriptor = scsi_cdb(c)[1] & 1;       /* DESC */
    SCSISense sense = SENSE_CODE(NO_SENSE);
    uint8_t *p = scsi_reply(c, SCSI_SENSE_LEN_FIXED);

    if (s->sense_valid && !descriptor) {
        memcpy(p, s->sense, SCSI_SENSE_LEN_FIXED);
        return true;
    }
    if (s->sense_valid) {
        sense = (SCSISense) { s->sense[2] & 0xf, s->sense[12], s->sense[13] };
    } else if (!scsi_take_unit_attention(s, &sense) && s->stopped) {
        sense = (SCSISense) { NOT_READY, 0x04, 0x02 };
    }
    scsi_reply_shorten(c, scsi_put_sense(p, sense, descriptor));
    return true;
}

/* ---- START STOP UNIT, SBC-3 5.21 --------------------------------------- */

bool scsi_prepare_start_stop(ScsiRequest *c)
{
    if (scsi_cdb(c)[4] & 0x02) {
        return scsi_fail_field(c, 4, 1);        /* LOEJ: nothing to eject */
    }
    return true;
}

void coroutine_fn scsi_run_start_stop(ScsiRequest *c)
{
    TdScsi *s = scsi_disk(c);
    uint8_t byte = scsi_cdb(c)[4];
    bool start = byte & 0x01;

    if (byte & 0xf0) {
        return;                 /* POWER CONDITION: all are alike to us */
    }
    if (!start && !(byte & 0x04)) {     /* NO_FLUSH */
        int ret = td_transfer_co_flush(&c->transfer);

        if (ret < 0) {
            scsi_fail_io(c, ret, false);
            return;
        }
    }
    s->stopped = !start;
}
