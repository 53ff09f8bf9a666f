/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A load: keeps a queue full, and checks what comes back. */
#include "load.h"

#include "bugs.h"
#include "clock.h"
#include "console.h"
#include "memory.h"

#define PAGE 4096u
#define MAX_BLOCKS 65536u
#define MIXED_FLUSH_EVERY 64 /* commands */
#define MAX_RETRIES 20       /* of BUG_RETRY_STORM */

/* What a slot is doing. */
struct job {
    uint64_t lba;
    uint32_t size;
    uint32_t elements;
    bool write;
    bool bad; /* beyond the end of the disk */
    uint8_t *buffer;
};

static struct load_options o;
static struct load_result *result;
static const struct disk *disk;
static struct job jobs[DISK_SLOTS];
static struct disk_element *elements;
static uint64_t next_lba, span_blocks, issued, random_state;
static uint32_t block_size;
static bool writing;
static bool unflushed; /* something was written since the last flush */

/*
 * The LBAs of the commands seen to complete, the latest LOAD_SEEN of them, for
 * whoever reads this memory after QEMU has died (tests/kill9).
 */
#define LOAD_SEEN 65536u
extern volatile uint64_t load_seen_count, load_seen_lba[LOAD_SEEN];
volatile uint64_t load_seen_count, load_seen_lba[LOAD_SEEN];

/* ---- What to do next ---------------------------------------------------- */

/* Knuth's MMIX generator; its high bits are good enough for a load. */
static uint32_t random_below(uint32_t limit)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((random_state >> 32) * limit >> 32);
}

static uint64_t choose_lba(uint32_t blocks)
{
    uint64_t lba;

    if (o.random) {
        uint64_t places = span_blocks / blocks;

        return random_below(places > UINT32_MAX ? UINT32_MAX
                                                : (uint32_t)places) *
               (uint64_t)blocks;
    }
    if (next_lba + blocks > span_blocks) {
        next_lba = 0;
    }
    lba = next_lba;
    next_lba += blocks;
    return lba;
}

static void choose_job(struct job *job)
{
    job->size = o.size;
    job->elements = o.elements;
    job->write = writing;
    if (o.op == LOAD_MIXED) {
        job->elements = 1 + random_below(o.elements);
        job->size = job->elements * (o.size / o.elements);
        job->write = random_below(3) == 0;
    }
    unflushed |= job->write;
    job->bad = o.bad && issued % o.bad == o.bad - 1;
    job->lba = job->bad ? disk->blocks : choose_lba(job->size / block_size);
}

/* ---- Data --------------------------------------------------------------- */

/*
 * The job's bytes lie in memory piece by piece, last piece first, so that no
 * element continues the one before it.
 */
static uint8_t *piece(const struct job *job, uint32_t i)
{
    return job->buffer +
           (job->elements - 1 - i) * (job->size / job->elements);
}

/* What the disk holds at a 64-bit word: differs for every word of the disk. */
static uint64_t pattern(uint64_t word)
{
    return (word + 1) * 0x9e3779b97f4a7c15u;
}

static void fill(const struct job *job)
{
    uint64_t word = job->lba * (block_size / 8);
    uint32_t words = job->size / job->elements / 8;

    for (uint32_t i = 0; i < job->elements; i++) {
        uint64_t *p = (uint64_t *)piece(job, i);

        for (uint32_t k = 0; k < words; k++) {
            p[k] = pattern(word++);
        }
    }
}

static bool check(const struct job *job)
{
    uint64_t first = job->lba * (block_size / 8), word = first;
    uint32_t words = job->size / job->elements / 8;

    for (uint32_t i = 0; i < job->elements; i++) {
        const uint64_t *p = (const uint64_t *)piece(job, i);

        for (uint32_t k = 0; k < words; k++, word++) {
            if (p[k] != pattern(word)) {
                print("wrong data: LBA %lu, byte %lu: 0x%lx, expected 0x%lx\n",
                      job->lba, (word - first) * 8, p[k], pattern(word));
                return false;
            }
        }
    }
    return true;
}

/* ---- Slots -------------------------------------------------------------- */

static void prepare(unsigned slot)
{
    const struct job *job = &jobs[slot];
    struct disk_request request = {
        .write = job->write,
        .lba = job->lba,
        .blocks = job->size / block_size,
        .elements = elements,
        .n_elements = job->elements,
    };

    for (uint32_t i = 0; i < job->elements; i++) {
        elements[i].addr = (uint64_t)piece(job, i);
        elements[i].len = job->size / job->elements;
    }
    disk->prepare(slot, &request);
}

static void begin(unsigned slot)
{
    struct job *job = &jobs[slot];

    choose_job(job);
    issued++;
    if (o.op == LOAD_VERIFY) {
        if (job->write) {
            fill(job);
        } else {
            memset(job->buffer, 0x5a, job->size);
        }
    }
    prepare(slot);
}

static void end(unsigned slot)
{
    const struct job *job = &jobs[slot];

    if (job->bad) {
        print("slot %u: a command beyond the end of the disk succeeded\n",
              slot);
        result->errors++;
    } else if (!disk->moved(slot, job->size)) {
        print("slot %u: it did not move %u bytes\n", slot, job->size);
        result->errors++;
    } else if (o.op == LOAD_VERIFY && !job->write && !check(job)) {
        result->errors++;
    } else {
        result->commands++;
        result->bytes += job->size;
        load_seen_lba[load_seen_count % LOAD_SEEN] = job->lba;
        load_seen_count++;
    }
}

/* Sort failed commands out, and issue aborted ones again, unless all is over. */
static uint32_t recover(struct disk_events *events)
{
    static unsigned retries;
    uint32_t failed = events->failed, again = events->again;

    for (uint32_t slots = failed; slots; slots &= slots - 1) {
        unsigned slot = (unsigned)__builtin_ctz(slots);

        if (jobs[slot].bad) {
            result->expected_errors++;
        } else if (has_bug(BUG_RETRY_STORM) && retries++ < MAX_RETRIES) {
            again |= 1u << slot;
        } else {
            disk->tell_failure(slot);
            result->errors++;
        }
    }
    if (result->errors) {
        return failed | again;
    }
    for (uint32_t slots = again; slots; slots &= slots - 1) {
        prepare((unsigned)__builtin_ctz(slots));
    }
    if (again) {
        disk->issue(again);
    }
    return failed & ~again;
}

static void flush(void)
{
    if (has_bug(BUG_MISSING_FLUSH)) {
        return;
    }
    unflushed = false;
    if (disk->flush()) {
        result->flushes++;
    } else {
        print("the flush failed\n");
        result->errors++;
    }
}

/* ---- The queue ---------------------------------------------------------- */

/* What a wrong driver does while the disk works. */
static void misbehave(uint32_t slots)
{
    switch (the_bug) {
    case BUG_BUFFER_CHANGED:
        for (; slots; slots &= slots - 1) {
            jobs[__builtin_ctz(slots)].buffer[0]++;
        }
        break;
    case BUG_STOP_IN_FLIGHT:
        disk->close();
        finish(0);
    case BUG_RESET_IN_FLIGHT:
        disk->reset();
        finish(0);
    case BUG_EXIT_IN_FLIGHT:
        finish(0);
    default:
        break;
    }
}

/*
 * Keep the queue full for o.count commands or until the time is over. After an
 * error no more are issued, and those in flight are waited for; with a bug they
 * may never come.
 */
static void run_queue(void)
{
    const uint32_t all = o.depth == 32 ? ~0u : (1u << o.depth) - 1;
    uint64_t end_ns = o.seconds ? clock_ns() + o.seconds * 1000000000u : ~0ull;
    uint64_t last = o.count ? issued + o.count : ~0ull;
    uint64_t next_flush = issued + MIXED_FLUSH_EVERY;
    uint32_t free = all;

    while (!result->errors || !the_bug) {
        uint32_t fresh = 0;

        if (result->errors) {
            last = issued;
        }
        if (o.op == LOAD_MIXED && issued >= next_flush && free == all &&
            !result->errors) {
            flush();
            next_flush = issued + MIXED_FLUSH_EVERY;
        }
        while (free && issued < last &&
               (o.op != LOAD_MIXED || issued < next_flush)) {
            unsigned slot = (unsigned)__builtin_ctz(free);

            begin(slot);
            free &= free - 1;
            fresh |= 1u << slot;
        }
        if (fresh) {
            disk->issue(fresh);
            if (the_bug) {
                misbehave(fresh);
            }
            if (clock_ns() >= end_ns) {
                last = issued;
            }
        }
        if (free == all && issued >= last) {
            return;
        }

        struct disk_events events;

        disk->poll(&events);
        free |= events.done;
        result->polls += events.done != 0;
        for (uint32_t done = events.done; done; done &= done - 1) {
            end((unsigned)__builtin_ctz(done));
        }
        if (events.failed) {
            free |= recover(&events);
        }
    }
}

void load_init(const struct load_options *options, const struct disk *the_disk)
{
    o = *options;
    disk = the_disk;
    block_size = disk->block_size;
    span_blocks = o.span ? o.span / block_size : disk->blocks;

    if (!o.depth || o.depth > disk->depth) {
        die("depth=%u: the disk takes %u commands at once", o.depth, disk->depth);
    }
    if (!o.elements || o.size % (o.elements * block_size) ||
        o.size / block_size > MAX_BLOCKS || !o.size ||
        o.size / o.elements > disk->max_element) {
        die("size=%u elements=%u: elements must be equal, of whole blocks of "
            "%u bytes and at most 4 MiB; a command has at most 65536 blocks",
            o.size, o.elements, block_size);
    }
    if (span_blocks > disk->blocks || span_blocks < o.size / block_size) {
        die("span: the disk has %lu blocks, a command %u", disk->blocks,
            o.size / block_size);
    }
    elements = memory_alloc(o.elements * sizeof(*elements), 16);
    for (unsigned i = 0; i < o.depth; i++) {
        jobs[i].buffer = memory_alloc(o.size, PAGE);
    }
}

void load_run(struct load_result *the_result)
{
    result = the_result;
    *result = (struct load_result){ 0 };
    writing = o.op == LOAD_WRITE || o.op == LOAD_VERIFY;
    if (!has_bug(BUG_READ_UNWRITTEN)) {
        run_queue();
    }
    if (o.op == LOAD_VERIFY && !result->errors) {
        flush();
        writing = false;
        issued = next_lba = random_state = 0;
        run_queue();
    }
}

void load_finish(struct load_result *the_result)
{
    result = the_result;
    if (unflushed && !result->errors) {
        flush();
    }
}
