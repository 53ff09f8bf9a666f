/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk: the fault plan in force, and how a command meets it
 *
 * Whether a section hits depends on nothing but the commands before and the
 * seed: the same commands in the same order have the same faults.
 */
#include "qemu/osdep.h"
#include "compat.h"
#include "disk-internal.h"

struct TdFaults {
    QemuMutex lock;
    enum td_protocol protocol;
    bool realized;
    char *path;
    TdFaultPlan *plan;
    bool any;                   /* atomic: there is a plan */
};

/* ---- The plan ---------------------------------------------------------- */

TdFaults *td_faults_new(void)
{
    TdFaults *f = g_new0(TdFaults, 1);

    qemu_mutex_init(&f->lock);
    return f;
}

void td_faults_free(TdFaults *f)
{
    td_fault_plan_free(f->plan);
    g_free(f->path);
    qemu_mutex_destroy(&f->lock);
    g_free(f);
}

bool td_faults_any(const TdFaults *f)
{
    return qatomic_read(&f->any);
}

/* Put the plan at @path in the place of the one in force; "": none. */
static bool load(TdFaults *f, const char *path, Error **errp)
{
    TdFaultPlan *plan = NULL, *old;

    if (*path) {
        plan = td_fault_plan_load(path, f->protocol, errp);
        if (!plan) {
            return false;
        }
    }
    WITH_QEMU_LOCK_GUARD(&f->lock) {
        old = f->plan;
        f->plan = plan;
        qatomic_set(&f->any, plan != NULL);
    }
    td_fault_plan_free(old);
    return true;
}

bool td_faults_realize(TdFaults *f, enum td_protocol protocol, Error **errp)
{
    f->protocol = protocol;
    f->realized = load(f, f->path ?: "", errp);
    return f->realized;
}

static void get_faults(Object *obj, Visitor *v, const char *name, void *opaque,
                       Error **errp)
{
    TdFaults *f = opaque;
    g_autofree char *path = g_strdup(f->path ?: "");

    visit_type_str(v, name, &path, errp);
}

static void set_faults(Object *obj, Visitor *v, const char *name, void *opaque,
                       Error **errp)
{
    TdFaults *f = opaque;
    char *path;

    if (!visit_type_str(v, name, &path, errp)) {
        return;
    }
    if (f->realized && !load(f, path, errp)) {
        g_free(path);
        return;
    }
    g_free(f->path);
    f->path = path;
}

void td_faults_add_property(Object *obj, TdFaults *f)
{
    object_property_add(obj, "faults", "string", get_faults, set_faults, NULL,
                        f);
}

/* ---- Which commands ---------------------------------------------------- */

static bool in_range(uint64_t value, uint64_t first, uint64_t last)
{
    return first <= value && value <= last;
}

static bool touches(const TdFaultRule *r, const struct td_decoded *decoded)
{
    return decoded->flags & TD_HAS_LBA && decoded->blocks &&
           decoded->lba <= r->last_lba &&
           r->first_lba - MIN(r->first_lba, decoded->lba) < decoded->blocks;
}

static bool is_for(const TdFaultRule *r, const TdFaultSubject *c)
{
    return (!r->ops || r->ops & 1u << c->decoded->op) &&
           (!r->command ||
            g_pattern_match_simple(r->command, c->decoded->name)) &&
           (!r->has_lba || touches(r, c->decoded)) &&
           in_range(c->tag, r->first_tag, r->last_tag) &&
           in_range(c->port, r->first_port, r->last_port);
}

/* Is it this match's turn? The dice are cast for each that nth lets pass. */
static bool is_due(TdFaultRule *r)
{
    uint64_t nth = r->nth ?: 1;
    bool only_nth = r->nth && !r->every && !r->count;
    uint64_t every = only_nth ? UINT64_MAX : r->every ?: 1;

    return r->matches >= nth && (r->matches - nth) % every == 0 &&
           r->hits < (r->count ?: UINT64_MAX) &&
           (r->probability == 1 || g_rand_double(r->rand) < r->probability);
}

bool td_faults_match(TdFaults *f, const TdFaultSubject *subject, TdFault *fault,
                     char **text)
{
    TdFaultRule *hit = NULL;

    QEMU_LOCK_GUARD(&f->lock);
    for (guint i = 0; f->plan && i < f->plan->rules->len; i++) {
        TdFaultRule *r = f->plan->rules->pdata[i];

        if (is_for(r, subject)) {
            r->matches++;
            if (is_due(r) && !hit) {
                hit = r;
            }
        }
    }
    if (hit) {
        hit->hits++;
        *fault = hit->fault;
        *text = g_strdup(hit->text);
    }
    return hit;
}

/* ---- What is done to a transfer ---------------------------------------- */

typedef struct TdHold {
    TdTransfer *t;
    CoQueue queue;              /* of the one coroutine that waits */
    bool over;                  /* its time is */
    uint64_t until;             /* so many commands have ended; 0: any number */
    QTAILQ_ENTRY(TdHold) next;
} TdHold;

static bool may_go_on(const TdHold *h)
{
    return h->over || h->t->cancelled ||
           (h->until && h->t->disk->ended >= h->until);
}

static TdHold *first_to_go_on(TdDisk *disk)
{
    TdHold *h;

    QTAILQ_FOREACH(h, &disk->held, next) {
        if (may_go_on(h)) {
            return h;
        }
    }
    return NULL;
}

/*
 * Only those: one that is woken to wait again would be woken for ever. Each
 * wake-up gives the lock away, so the search starts anew.
 */
void td_disk_wake_held(TdDisk *disk)
{
    TdHold *h;

    while ((h = first_to_go_on(disk))) {
        QTAILQ_REMOVE(&disk->held, h, next);
        qemu_co_enter_next(&h->queue, &disk->lock);
    }
}

static void hold_is_over(void *opaque)
{
    TdHold *h = opaque;
    TdDisk *disk = h->t->disk;

    QEMU_LOCK_GUARD(&disk->lock);
    h->over = true;
    td_disk_wake_held(disk);
}

/*
 * Wait for @ns of virtual time, or until @others commands have ended if that
 * is not 0, or until a reset takes the command. No drain waits meanwhile.
 */
static int coroutine_fn hold(TdTransfer *t, uint64_t ns, uint64_t others)
{
    TdDisk *disk = t->disk;
    TdHold h = { .t = t };
    QEMUTimer *timer = aio_timer_new(qemu_get_current_aio_context(),
                                     QEMU_CLOCK_VIRTUAL, SCALE_NS,
                                     hold_is_over, &h);

    qemu_co_queue_init(&h.queue);
    qemu_mutex_lock(&disk->lock);
    timer_mod(timer, qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) + ns);
    h.until = others ? disk->ended + others : 0;
    if (!may_go_on(&h)) {
        QTAILQ_INSERT_TAIL(&disk->held, &h, next);
        qemu_co_queue_wait(&h.queue, &disk->lock);
    }
    qemu_mutex_unlock(&disk->lock);
    timer_free(timer);
    td_co_move_to_aio_context_of(disk->blk);
    return t->cancelled ? -ECANCELED : 0;
}

static void record_fault(TdTransfer *t, const TdFaultSubject *subject,
                         const char *text)
{
    struct td_event event = {
        .type = TD_EVENT_FAULT, .has = TD_HAS_PORT | TD_HAS_REF | TD_HAS_TEXT,
        .port = subject->port, .ref = t->seq, .text = text,
    };

    td_recorder_event(t->disk->recorder, &event);
}

int coroutine_fn td_transfer_co_fault(TdTransfer *t,
                                      const TdFaultSubject *subject)
{
    TdDisk *disk = t->disk;
    g_autofree char *text = NULL;

    if (likely(!td_faults_any(disk->faults)) || t->fault.what ||
        !td_faults_match(disk->faults, subject, &t->fault, &text)) {
        return 0;
    }
    record_fault(t, subject, text);
    if (t->fault.what & (TD_FAULT_DELAY | TD_FAULT_REORDER)) {
        return hold(t, t->fault.delay_ns, t->fault.reorder);
    }
    return 0;
}

void coroutine_fn td_transfer_co_wait_for_reset(TdTransfer *t)
{
    td_transfer_pause(t);
    while (hold(t, 3600 * NANOSECONDS_PER_SECOND, 0) == 0) {
        /* Nothing else ends it. */
    }
}

uint64_t td_transfer_limit(const TdTransfer *t, uint64_t bytes, uint32_t unit)
{
    if (likely(!(t->fault.what & TD_FAULT_SHORT)) ||
        t->fault.short_bytes >= bytes) {
        return bytes;
    }
    return QEMU_ALIGN_DOWN(t->fault.short_bytes, unit);
}

void td_transfer_flip(const TdTransfer *t, void *buf, uint64_t at,
                      uint64_t bytes)
{
    if (unlikely(t->fault.what & TD_FAULT_FLIP) &&
        t->fault.flip_offset >= at && t->fault.flip_offset - at < bytes) {
        ((uint8_t *)buf)[t->fault.flip_offset - at] ^= t->fault.flip_mask;
    }
}
