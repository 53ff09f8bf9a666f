/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk-scsi: reservations
 *
 * SPC-4 5.13 and 6.15, 6.16, for the one initiator that a disk has in QEMU: no
 * other is ever shut out, but all that one can see is as the standard says.
 */
#include "qemu/osdep.h"
#include "compat.h"
#include "scsi.h"

/* ---- RESERVE, RELEASE -------------------------------------------------- */

/*
 * SPC-2 5.5.1: they conflict as long as somebody is registered, and PERSISTENT
 * RESERVE IN and OUT as long as the unit is reserved by RESERVE; whoever it is,
 * since REPORT CAPABILITIES has CRH 0. Else they are granted: nobody else is
 * there.
 */
bool scsi_reservation_conflicts(const ScsiRequest *c)
{
    const TdScsi *s = scsi_disk(c);

    switch (scsi_cdb(c)[0]) {
    case RESERVE:
    case RESERVE_10:
    case RELEASE:
    case RELEASE_10:
        return s->registered;
    case PERSISTENT_RESERVE_IN:
    case PERSISTENT_RESERVE_OUT:
        return s->reserved;
    default:
        return false;
    }
}

void coroutine_fn scsi_run_reserve(ScsiRequest *c)
{
    scsi_disk(c)->reserved = true;
}

void coroutine_fn scsi_run_release(ScsiRequest *c)
{
    scsi_disk(c)->reserved = false;
}

/* ---- PERSISTENT RESERVE IN --------------------------------------------- */

enum { READ_KEYS, READ_RESERVATION, REPORT_CAPABILITIES, READ_FULL_STATUS };

/* WRITE EXCLUSIVE, EXCLUSIVE ACCESS; each also for registrants, for all */
#define TYPES (1 << 1 | 1 << 3 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8)

static bool is_type(uint8_t type)
{
    return type < 16 && TYPES >> type & 1;
}

static bool is_all_registrants(uint8_t type)
{
    return type == 7 || type == 8;
}

static void put_reservation(const TdScsi *s, uint8_t *p)
{
    stl_be_p(p + 4, 16);
    stq_be_p(p + 8, is_all_registrants(s->reservation_type) ? 0 :
             s->reservation_key);
    p[21] = s->reservation_type;
}

/* One registrant, with a SAS TransportID that has our own name in it. */
static void put_full_status(const TdScsi *s, uint8_t *p)
{
    stl_be_p(p + 4, 24 + 24);
    stq_be_p(p + 8, s->reservation_key);
    p[8 + 12] = s->reservation_type ? 1 : 0;    /* R_HOLDER */
    p[8 + 13] = s->reservation_type;
    stw_be_p(p + 8 + 18, 1);                    /* relative target port */
    stl_be_p(p + 8 + 20, 24);
    p[8 + 24] = 0x06;                           /* SAS */
    stq_be_p(p + 8 + 28, s->parent_obj.wwn);
}

bool scsi_prepare_pr_in(ScsiRequest *c)
{
    const TdScsi *s = scsi_disk(c);
    uint8_t action = scsi_cdb(c)[1] & 0x1f;
    unsigned len = 8;
    uint8_t *p;

    if (action > READ_FULL_STATUS) {
        return scsi_fail_field(c, 1, 4);
    }
    p = scsi_reply(c, 64);
    stl_be_p(p, s->pr_generation);
    switch (action) {
    case READ_KEYS:
        if (s->registered) {
            stl_be_p(p + 4, 8);
            stq_be_p(p + 8, s->reservation_key);
            len = 16;
        }
        break;
    case READ_RESERVATION:
        if (s->reservation_type) {
            put_reservation(s, p);
            len = 24;
        }
        break;
    case REPORT_CAPABILITIES:
        stl_be_p(p, 8 << 16);   /* LENGTH; no CRH, SIP_C, ATP_C, PTPL_C */
        p[3] = 0x80;            /* TMV: the type mask is valid */
        stw_be_p(p + 4, 0xea01);
        p[6] = 0;
        p[7] = 0;
        break;
    case READ_FULL_STATUS:
        if (s->registered) {
            put_full_status(s, p);
            len = 8 + 48;
        }
        break;
    }
    scsi_reply_shorten(c, len);
    return true;
}

/* ---- PERSISTENT RESERVE OUT -------------------------------------------- */

enum { REGISTER_ACTION, RESERVE_ACTION, RELEASE_ACTION, CLEAR, PREEMPT,
       PREEMPT_AND_ABORT, REGISTER_AND_IGNORE };

#define PR_OUT_BYTES 24

bool scsi_prepare_pr_out(ScsiRequest *c)
{
    const uint8_t *cdb = scsi_cdb(c);
    uint8_t action = cdb[1] & 0x1f;
    bool types = action == RESERVE_ACTION || action == RELEASE_ACTION ||
                 action == PREEMPT || action == PREEMPT_AND_ABORT;

    if (action > REGISTER_AND_IGNORE) {
        return scsi_fail_field(c, 1, 4);
    }
    if (types && (cdb[2] >> 4 || !is_type(cdb[2] & 0xf))) {
        return scsi_fail_field(c, 2, -1);
    }
    if (c->req.cmd.xfer != PR_OUT_BYTES) {
        return scsi_fail(c, SENSE_CODE(INVALID_PARAM_LEN));
    }
    return true;
}

static void conflict(ScsiRequest *c)
{
    c->status = RESERVATION_CONFLICT;
}

static void do_register(ScsiRequest *c, uint64_t key, uint64_t new_key,
                        bool ignore)
{
    TdScsi *s = scsi_disk(c);

    if (!ignore && key != (s->registered ? s->reservation_key : 0)) {
        conflict(c);
        return;
    }
    s->pr_generation++;
    s->registered = new_key;
    s->reservation_key = new_key;
    if (!new_key) {
        s->reservation_type = 0;
    }
}

static void do_reserve(ScsiRequest *c, uint8_t type)
{
    TdScsi *s = scsi_disk(c);

    if (s->reservation_type && s->reservation_type != type) {
        conflict(c);
        return;
    }
    s->reservation_type = type;
}

static void do_release(ScsiRequest *c, uint8_t type)
{
    TdScsi *s = scsi_disk(c);

    if (s->reservation_type && s->reservation_type != type) {
        /* INVALID RELEASE OF PERSISTENT RESERVATION */
        scsi_fail(c, (SCSISense) { ILLEGAL_REQUEST, 0x26, 0x04 });
        return;
    }
    s->reservation_type = 0;
}

/* There is nobody to preempt but oneself [5.13.11.2.5]. */
static void do_preempt(ScsiRequest *c, uint64_t victim, uint8_t type)
{
    TdScsi *s = scsi_disk(c);

    if (!victim && !is_all_registrants(s->reservation_type)) {
        scsi_fail_parameter(c, 8, -1);
        return;
    }
    if (victim && victim != s->reservation_key) {
        conflict(c);
        return;
    }
    s->pr_generation++;
    if (s->reservation_type) {
        s->reservation_type = type;
    }
}

void coroutine_fn scsi_run_pr_out(ScsiRequest *c)
{
    TdScsi *s = scsi_disk(c);
    uint8_t action = scsi_cdb(c)[1] & 0x1f;
    uint8_t type = scsi_cdb(c)[2] & 0xf;
    const uint8_t *list = scsi_co_receive_all(c);
    uint64_t key, action_key;

    if (!list) {
        return;
    }
    key = ldq_be_p(list);
    action_key = ldq_be_p(list + 8);
    if (list[20] & 0x0d) {
        /* SPEC_I_PT, ALL_TG_PT, APTPL */
        scsi_fail_parameter(c, 20, -1);
        return;
    }
    if (action != REGISTER_ACTION && action != REGISTER_AND_IGNORE &&
        (!s->registered || key != s->reservation_key)) {
        conflict(c);
        return;
    }
    switch (action) {
    case REGISTER_ACTION:
    case REGISTER_AND_IGNORE:
        do_register(c, key, action_key, action == REGISTER_AND_IGNORE);
        break;
    case RESERVE_ACTION:
        do_reserve(c, type);
        break;
    case RELEASE_ACTION:
        do_release(c, type);
        break;
    case CLEAR:
        s->pr_generation++;
        s->registered = false;
        s->reservation_key = 0;
        s->reservation_type = 0;
        break;
    default:
        do_preempt(c, action_key, type);
        break;
    }
}
