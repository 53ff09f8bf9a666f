/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The order of a replay. A command begins when all those are done that were done
 * when it was submitted; so what was in flight together may be so again, and what
 * was not is not. Commands come from the trace in the order of their ends: `jobs`
 * keeps it, and its first one is the earliest whose end is not reached.
 *
 * Of commands that were in flight together on the same blocks, one of them a
 * write, nobody knows which was first: most likely the one that ended first, and
 * so they are done one after the other. Where the read gets something else it is
 * not counted as a difference; nor is a read of blocks that two writes raced for.
 */
#include <string.h>

#include "extents.h"
#include "output.h"
#include "record.h"
#include "replay.h"
#include "tool.h"

/*
 * Commands read ahead. One that took so long that more ended meanwhile begins
 * later than it did, and still in order.
 */
#define WINDOW 1024

struct run {
    struct replay *replay;
    struct input *in;
    GQueue jobs;    /* replay_job, in the order of the recorded ends */
    GQueue waiting; /* those not begun, in the order of the submissions */
    bool ended;     /* all of the trace is read */
    bool checked;   /* the target suits the device */
    bool wrote;     /* some write was done */
    uint32_t device;
    struct extents *unknown; /* blocks that may rightly hold something else */
    int64_t began_us;        /* -1: not yet */
    uint64_t first_ns, last_ns;
    bool skipped; /* something, in this pass of issue_all() */
};

/* ---- Jobs ---- */

static const void *copy(const void *from, size_t bytes)
{
    return bytes ? g_memdup2(from, bytes) : NULL;
}

static struct replay_job *new_job(const struct td_command *c, uint32_t block_size)
{
    struct replay_job *job = g_new0(struct replay_job, 1);
    struct td_command *own = &job->command;

    job->block_size = block_size;
    *own = *c;
    own->submit.raw = copy(c->submit.raw, c->submit.raw_len);
    own->submit.elements = NULL;
    own->submit.origin = NULL;
    own->complete.sense = copy(c->complete.sense, c->complete.sense_len);
    own->complete.sectors =
        copy(c->complete.sectors, (size_t)c->complete.n_sectors * TD_SECTOR_HASH);
    own->complete.parts = copy(c->complete.parts, c->complete.n_parts * sizeof(*c->complete.parts));
    own->complete.metadata = NULL;
    own->complete.elements = NULL;
    return job;
}

static void free_job(struct replay_job *job)
{
    g_free((void *)job->command.submit.raw);
    g_free((void *)job->command.complete.sense);
    g_free((void *)job->command.complete.sectors);
    g_free((void *)job->command.complete.parts);
    g_free(job->ranges);
    g_free(job->buf);
    g_free(job);
}

static void skip(struct run *run, const struct td_command *c, const char *why)
{
    char *reason = g_strdup_printf("%s\t%s", c->submit_known ? c->decoded.name : "UNKNOWN", why);
    uint64_t *n = g_hash_table_lookup(run->replay->reasons, reason);

    run->replay->counts.skipped++;
    if (n) {
        ++*n;
        g_free(reason);
        return;
    }
    n = g_new(uint64_t, 1);
    *n = 1;
    g_hash_table_insert(run->replay->reasons, reason, n);
}

/* ---- From the trace ---- */

static bool check_target(struct run *run, const struct td_device *device)
{
    const struct replay_target *target = run->replay->target;
    uint64_t wanted = device->blocks * device->logical_block_size;

    if (target->block_size && target->block_size != device->logical_block_size) {
        say("the target has blocks of %u bytes, and '%s' had %u: make one that has the same",
            target->block_size, device->name, device->logical_block_size);
        return false;
    }
    if (target->bytes < wanted) {
        say("the target is too small, %" G_GUINT64_FORMAT " bytes, and '%s' had %" G_GUINT64_FORMAT
            ": make it as large (an image: qemu-img resize)",
            target->bytes, device->name, wanted);
        return false;
    }
    return true;
}

/* A command of the device that is replayed? The first one is, without --device. */
static bool is_wanted(struct run *run, const struct td_command *c, bool *failed)
{
    uint32_t id = command_device(c);
    const struct td_device *device = td_commands_device(run->in->commands, id);
    const char *only = run->replay->options.device;
    char name[DEVICE_NAME_MAX];

    if (run->checked)
        return id == run->device;
    if (only && strcmp(input_device_name(run->in, id, name), only) != 0)
        return false;
    run->checked = true;
    run->device = id;
    *failed = device && !check_target(run, device);
    return true;
}

/* Why a command is not even tried. */
static const char *unfit(const struct td_command *c)
{
    enum { UNIT_ATTENTION = 6 };
    struct sense_code sense;

    if (!c->submit_known)
        return "its submission is not in the trace";
    switch (c->complete.status) {
    case TD_PENDING:
        return "had no end";
    case TD_ABORTED:
        return "was aborted";
    case TD_ERROR:
        /* SAM-5 5.14: it was not even looked at. */
        return sense_decode(&c->complete, &sense) && sense.key == UNIT_ATTENTION ?
                   "met a unit attention" :
                   NULL;
    default:
        return NULL;
    }
}

/* ---- On the same blocks ---- */

static bool changes_blocks(const struct td_command *c)
{
    switch (c->decoded.op) {
    case TD_OP_WRITE:
    case TD_OP_TRIM:
    case TD_OP_ZERO:
        return true;
    default:
        return false;
    }
}

/* The blocks it touches, [first, end): for all that is known of a TRIM, all. */
static bool blocks_of(const struct td_command *c, uint64_t *first, uint64_t *end)
{
    if (c->decoded.flags & TD_HAS_LBA) {
        *first = c->decoded.lba;
        *end = c->decoded.lba + c->decoded.blocks;
        return *end > *first;
    }
    *first = 0;
    *end = UINT64_MAX;
    return changes_blocks(c);
}

/* Both touch [*first, *end), and not both only read it. */
static bool conflict(const struct td_command *a, const struct td_command *b, uint64_t *first,
                     uint64_t *end)
{
    uint64_t a_first, a_end, b_first, b_end;

    if ((!changes_blocks(a) && !changes_blocks(b)) || !blocks_of(a, &a_first, &a_end) ||
        !blocks_of(b, &b_first, &b_end))
        return false;
    *first = MAX(a_first, b_first);
    *end = MIN(a_end, b_end);
    return *first < *end;
}

/* What a command that is not done again may have done to the disk is not known. */
static void forget_blocks(struct run *run, const struct td_command *c)
{
    uint64_t first, end;

    if (c->submit_known && changes_blocks(c) && blocks_of(c, &first, &end))
        extents_join(run->unknown, first, end);
}

/* A new job, the last in `jobs`: note what it raced with when it was recorded. */
static void note_races(struct run *run, struct replay_job *job)
{
    for (GList *at = job->link->prev; at; at = at->prev) {
        struct replay_job *other = at->data;
        uint64_t first, end;

        if (other->command.complete_seq < job->command.seq)
            return;
        if (!conflict(&job->command, &other->command, &first, &end))
            continue;
        if (changes_blocks(&job->command) && changes_blocks(&other->command))
            extents_join(run->unknown, first, end);
        else if (changes_blocks(&job->command))
            other->raced = true;
        else
            job->raced = true;
    }
}

/* Must it wait for one that ended before it did? */
static bool must_wait(const struct replay_job *job)
{
    for (const GList *at = job->link->prev; at; at = at->prev) {
        const struct replay_job *other = at->data;
        uint64_t first, end;

        if (!other->done && conflict(&job->command, &other->command, &first, &end))
            return true;
    }
    return false;
}

/* ---- From the trace, continued ---- */

/* From the end: most come in order. */
static void insert_waiting(struct run *run, struct replay_job *job)
{
    GList *at = run->waiting.tail;

    while (at && ((struct replay_job *)at->data)->command.seq > job->command.seq)
        at = at->prev;
    if (at)
        g_queue_insert_after(&run->waiting, at, job);
    else
        g_queue_push_head(&run->waiting, job);
}

static bool read_ahead(struct run *run)
{
    struct td_item item;
    bool failed = false;

    while (!run->ended && run->jobs.length < WINDOW && !failed) {
        if (!input_next_item(run->in, false, &item)) {
            run->ended = true;
            failed = run->in->failed;
        } else if (item.kind == TD_ITEM_COMMAND && is_wanted(run, item.command, &failed) &&
                   !failed) {
            const char *why = unfit(item.command);
            struct replay_job *job;

            if (why) {
                skip(run, item.command, why);
                forget_blocks(run, item.command);
                continue;
            }
            job = new_job(item.command, input_block_size(run->in, run->device));
            g_queue_push_tail(&run->jobs, job);
            job->link = run->jobs.tail;
            note_races(run, job);
            insert_waiting(run, job);
        }
    }
    return !failed;
}

/* ---- To the target ---- */

/* Of --reads-only: what surely changes nothing. */
static bool is_harmless(const struct td_command *c)
{
    switch (c->decoded.op) {
    case TD_OP_READ:
    case TD_OP_VERIFY:
    case TD_OP_FLUSH:
    case TD_OP_IDENTIFY:
        return true;
    case TD_OP_OTHER:
        return c->decoded.flags & TD_DATA_IN;
    default:
        return false;
    }
}

/* What the command sent, as far as it is kept. False, said: reading failed. */
static bool load_payload(struct run *run, struct replay_job *job)
{
    const struct td_complete *c = &job->command.complete;
    uint64_t kept = td_kept_bytes(c);
    int64_t n;

    if (!kept || command_direction(&job->command) == TO_MEMORY)
        return true;
    job->buf = g_malloc(kept);
    n = td_reader_payload(run->in->reader, c, 0, job->buf, kept);
    if (n >= 0)
        job->buf_len = (uint64_t)n;
    else if (n != -EBADMSG)
        say("%s: %s", run->in->path, td_reader_error(run->in->reader));
    return n >= 0 || n == -EBADMSG;
}

/* The first write whose bytes are unknown: as if all were. */
static bool refuse_write(struct run *run, const struct td_command *c)
{
    if (run->wrote || c->decoded.op != TD_OP_WRITE || c->complete.status != TD_GOOD ||
        c->complete.n_parts)
        return false;
    say("#%" G_GUINT64_FORMAT " is a write, and the trace does not have its bytes: record it with "
        "payload=all, or do the reads alone with --reads-only; nothing was written",
        c->seq);
    return true;
}

static const char *plan(struct run *run, struct replay_job *job)
{
    const struct td_command *c = &job->command;

    if (run->replay->options.reads_only && !is_harmless(c))
        return "--reads-only";
    return run->replay->target->ops->plan(run->replay->target, job);
}

/* False: it cannot go on. */
static bool issue(struct run *run, struct replay_job *job)
{
    const struct td_command *c = &job->command;
    const char *why;

    if (!load_payload(run, job))
        return false;
    job->issued = true;
    why = plan(run, job);
    if (why == REPLAY_BYTES_UNKNOWN && refuse_write(run, c))
        return false;
    if (why) {
        skip(run, c, why);
        forget_blocks(run, c);
        job->done = true;
        job->issued = false;
        run->skipped = true;
        return true;
    }
    run->wrote |= !is_harmless(c);
    run->replay->target->ops->start(run->replay->target, job);
    return true;
}

/* The time it has to wait for, in microseconds; 0: none. */
static int64_t early_us(struct run *run, const struct replay_job *job)
{
    double speed = run->replay->options.speed;
    int64_t now = g_get_monotonic_time();

    if (run->began_us < 0) {
        run->began_us = now;
        run->first_ns = job->command.submit_ns;
    }
    if (speed <= 0 || job->command.submit_ns < run->first_ns)
        return 0;
    return MAX(0, run->began_us - now +
                      (int64_t)((double)(job->command.submit_ns - run->first_ns) / 1e3 / speed));
}

/* ---- Results ---- */

/* May a read that gets other bytes than it did be right? */
static bool is_open(const struct run *run, const struct replay_job *job)
{
    uint64_t lba = job->command.decoded.lba, end = lba + job->command.decoded.blocks;

    return job->raced || extents_overlap(run->unknown, lba, end);
}

static void count(struct run *run, const struct replay_job *job)
{
    struct replay_counts *counts = &run->replay->counts;
    struct replay_difference d;

    replay_compare(run->in->reader, job, run->replay->target, &d);
    if (d.verdict == REPLAY_DATA_DIFFER && is_open(run, job)) {
        d.verdict = REPLAY_SAME;
        d.checked = false;
    }
    if (job->command.decoded.op == TD_OP_READ)
        run->replay->bytes_read += job->result.bytes;
    else if (job->command.decoded.op == TD_OP_WRITE && !job->result.failed)
        run->replay->bytes_written += job->action == REPLAY_WRITE ? job->bytes : job->buf_len;
    switch (d.verdict) {
    case REPLAY_SAME:
        counts->same++;
        counts->unchecked +=
            !d.checked && job->command.decoded.op == TD_OP_READ && !job->result.failed;
        return;
    case REPLAY_STATUS_DIFFERS:
        counts->status_differs++;
        break;
    case REPLAY_DATA_DIFFER:
        counts->data_differ++;
        break;
    }
    run->replay->differs(job, &d, run->replay->data);
}

/* Take off those that are done, in the order of their recorded ends. */
static void take_done(struct run *run)
{
    struct replay_job *job;

    while ((job = g_queue_peek_head(&run->jobs)) && job->done) {
        g_queue_pop_head(&run->jobs);
        if (job->issued) {
            run->last_ns = MAX(run->last_ns, job->command.complete_ns);
            count(run, job);
        }
        free_job(job);
    }
}

static bool issue_pass(struct run *run, int *timeout)
{
    GList *at, *next;

    *timeout = -1;
    take_done(run);
    for (at = run->waiting.head; at; at = next) {
        const struct replay_job *first = g_queue_peek_head(&run->jobs);
        struct replay_job *job = at->data;
        int64_t early;

        next = at->next;
        if (first->command.complete_seq < job->command.seq)
            return true;
        if (must_wait(job))
            continue;
        early = early_us(run, job);
        if (early > 0) {
            *timeout = (int)MIN(early / 1000 + 1, 1000);
            return true;
        }
        g_queue_delete_link(&run->waiting, at);
        if (!issue(run, job))
            return false;
        take_done(run);
    }
    return true;
}

/*
 * Begin what may begin; *timeout: until the next may, in ms. What is skipped is
 * done at once: one before it in the order may have waited for that.
 */
static bool issue_all(struct run *run, int *timeout)
{
    run->skipped = true;
    while (run->skipped) {
        run->skipped = false;
        if (!issue_pass(run, timeout))
            return false;
    }
    return true;
}

/* One step: false when it cannot go on. */
static bool step(struct run *run)
{
    int timeout;

    if (!read_ahead(run) || !issue_all(run, &timeout))
        return false;
    if (!run->jobs.head || (run->jobs.length < WINDOW && !run->ended))
        return true;
    return run->replay->target->ops->work(run->replay->target, timeout);
}

bool replay_run(struct replay *replay, struct input *in)
{
    struct run run = {
        .replay = replay,
        .in = in,
        .began_us = -1,
        .unknown = extents_new(),
    };
    bool good;

    do {
        good = step(&run);
    } while (good && output_alive() && (run.jobs.head || !run.ended));

    if (run.began_us >= 0) {
        replay->seconds = (double)(g_get_monotonic_time() - run.began_us) / 1e6;
        replay->recorded_seconds = (double)(run.last_ns - MIN(run.first_ns, run.last_ns)) / 1e9;
    }
    if (good && !run.checked && replay->options.device) {
        say("the trace has no command of a device '%s'", replay->options.device);
        good = false;
    }
    /* What is in flight the target still writes to: it goes first. */
    replay->target->ops->close(replay->target);
    replay->target = NULL;
    g_queue_clear_full(&run.jobs, (GDestroyNotify)free_job);
    g_queue_clear(&run.waiting);
    extents_free(run.unknown);
    return good;
}
