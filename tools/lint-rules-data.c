/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tracedisk lint: blocks, and what they hold. */
#include "lint-rules.h"

#include <inttypes.h>
#include <string.h>

#include "extents.h"
#include "oracle.h"

/* ---- Range ---- */

static void out_of_range(struct lint *l, void *state, const struct lint_command *c)
{
    const struct td_decoded *d = &c->decoded;
    uint64_t capacity = c->device->blocks;

    (void)state;
    if (capacity && d->flags & TD_HAS_LBA && (d->lba > capacity || d->blocks > capacity - d->lba))
        lint_report(l, c, NULL, "the disk has %" PRIu64 " blocks", capacity);
}

const struct lint_rule lint_out_of_range = {
    .id = "out-of-range",
    .severity = LINT_ERROR,
    .clause = "ACS-3 6.3 (ID NOT FOUND); SBC-3 (LOGICAL BLOCK ADDRESS OUT OF RANGE)",
    .title = "a command names blocks beyond the end of the disk",
    .why = "It fails, and costs an error recovery in which all queued commands are lost. Check "
           "against IDENTIFY DEVICE or READ CAPACITY; a common cause is to mix 512-byte sectors "
           "and logical blocks.",
    .submit = out_of_range,
};

/* ---- One map of extents for each device ---- */

struct maps {
    GHashTable *of; /* device id -> struct extents */
};

static void map_free(void *data)
{
    extents_free(data);
}

static struct extents *map_of(struct maps *maps, const struct lint_device *device)
{
    gpointer key = GUINT_TO_POINTER(device->id);
    struct extents *map;

    if (!maps->of)
        maps->of = g_hash_table_new_full(NULL, NULL, NULL, map_free);
    map = g_hash_table_lookup(maps->of, key);
    if (!map) {
        map = extents_new();
        g_hash_table_insert(maps->of, key, map);
    }
    return map;
}

static void maps_clear(void *data)
{
    struct maps *maps = data;

    g_clear_pointer(&maps->of, g_hash_table_unref);
}

static bool has_blocks(const struct lint_command *c)
{
    return c->decoded.flags & TD_HAS_LBA && c->decoded.blocks &&
           c->decoded.blocks < UINT64_MAX - c->decoded.lba;
}

static uint64_t end_of(const struct lint_command *c)
{
    return c->decoded.lba + c->decoded.blocks;
}

static bool overwrites(const struct lint_command *c)
{
    return c->decoded.op == TD_OP_WRITE || c->decoded.op == TD_OP_ZERO;
}

/* ---- Reads of what nobody wrote ---- */

static void read_unwritten(struct lint *l, void *state, const struct lint_command *c)
{
    struct extents *map;
    uint64_t hole;

    if (!has_blocks(c))
        return;
    map = map_of(state, c->device);
    /* At its submission: a read that overtakes the write is another rule's. */
    if (overwrites(c))
        extents_join(map, c->decoded.lba, end_of(c));
    else if (c->decoded.op == TD_OP_READ &&
             extents_find_hole(map, c->decoded.lba, end_of(c), &hole))
        lint_report(l, c, NULL, "block %" PRIu64 " was never written", hole);
}

const struct lint_rule lint_read_unwritten = {
    .id = "read-unwritten",
    .severity = LINT_INFO,
    .clause = "none: what a new disk holds is not specified",
    .title = "blocks are read that were never written",
    .why = "On a blank disk, which --blank says it was, their content means nothing. Fine for a "
           "look at the partition table; a bug where the driver thinks it reads its own data.",
    .needs_blank = true,
    .state_size = sizeof(struct maps),
    .submit = read_unwritten,
    .clear = maps_clear,
};

/* ---- Reads that are not what was written ---- */

/* Of a disk with more separate extents than fit, what is old is not judged. */
#define ORACLE_BYTES (96u << 20)

struct differs {
    struct oracle *oracle;
    struct lint *lint;
    const struct lint_command *command; /* the one at hand */
};

static void report_differs(void *data, const struct oracle_result *r)
{
    const struct differs *differs = data;
    const struct lint_command *c = differs->command;
    const struct version *v;
    char is[40], was[40];

    if (r->verdict != VERDICT_MISMATCH)
        return;
    v = g_ptr_array_index(r->legal, 0);
    td_digest_text(&r->digest, is);
    td_digest_text(&v->digest, was);
    if (c->seq != r->seq) /* it waited for a write to complete */
        lint_report_device(differs->lint, c->device, r->seq, "%s %" PRIu64 "+%" PRIu64
                           ": read %s; none of the writes that it could have seen wrote that",
                           r->command, r->lba, r->blocks, is);
    else if (v->kind == CONTENT_BYTES && v->digest.kind != TD_HASH_NONE)
        lint_report(differs->lint, c, NULL, "read %s; #%" PRIu64 " %s %s", is, v->seq,
                    v->by_read ? "read" : "wrote", was);
    else
        lint_report(differs->lint, c, NULL, "read %s, which #%" PRIu64 " %s did not write", is,
                    v->seq, v->command);
}

static void read_differs_submit(struct lint *l, void *state, const struct lint_command *c)
{
    struct differs *differs = state;

    if (!differs->oracle) {
        differs->lint = l;
        differs->oracle = oracle_new(report_differs, NULL, differs);
        oracle_limit(differs->oracle, ORACLE_BYTES);
    }
    oracle_submit(differs->oracle, c->seq, &c->submit, c->device->block_size);
}

static void read_differs(struct lint *l, void *state, const struct lint_command *c,
                         const struct lint_complete *complete)
{
    struct differs *differs = state;

    (void)l;
    differs->command = c;
    if (differs->oracle)
        oracle_complete(differs->oracle, complete->seq, complete->ns, complete->record);
}

static void read_differs_event(struct lint *l, void *state, const struct lint_event *e)
{
    struct differs *differs = state;

    (void)l;
    if (differs->oracle && e->record->type == TD_EVENT_TRIM)
        oracle_trim(differs->oracle, e->seq, e->record);
}

static void differs_clear(void *data)
{
    struct differs *differs = data;

    g_clear_pointer(&differs->oracle, oracle_free);
}

const struct lint_rule lint_read_differs = {
    .id = "read-differs",
    .severity = LINT_ERROR,
    .clause = "ACS-3 7 (READ, WRITE); SBC-3 5",
    .title = "a read did not return what was last written to the same blocks",
    .why = "The disk lost or changed data (an injected fault, a broken image, a second writer), or "
           "two writes were in the wrong order. 'tracedisk verify' says more.",
    .state_size = sizeof(struct differs),
    .submit = read_differs_submit,
    .complete = read_differs,
    .event = read_differs_event,
    .clear = differs_clear,
};

/* ---- Writes that a power loss would take ---- */

struct cache {
    uint64_t written; /* commands completed, ever */
    uint64_t flushed; /* as many of them are on the medium */
    uint64_t last_seq;
    bool off; /* the driver switched the write cache off */
    const struct lint_device *device;
    GHashTable *flushes; /* seq of a flush in flight -> cache.written at its submission */
};

struct caches {
    GHashTable *of; /* device id -> struct cache */
};

static void cache_free(void *data)
{
    struct cache *cache = data;

    g_hash_table_unref(cache->flushes);
    g_free(cache);
}

static struct cache *cache_of(struct caches *caches, const struct lint_device *device)
{
    gpointer key = GUINT_TO_POINTER(device->id);
    struct cache *cache;

    if (!caches->of)
        caches->of = g_hash_table_new_full(NULL, NULL, NULL, cache_free);
    cache = g_hash_table_lookup(caches->of, key);
    if (!cache) {
        cache = g_new0(struct cache, 1);
        cache->device = device;
        cache->flushes = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, g_free);
        g_hash_table_insert(caches->of, key, cache);
    }
    return cache;
}

#define ATA_SET_FEATURES 0xef
#define ATA_WRITE_CACHE_ON 0x02
#define ATA_WRITE_CACHE_OFF 0x82

static bool is_ata(const struct lint_command *c, uint8_t command)
{
    return c->submit.protocol == TD_ATA && c->submit.raw_len > 3 && c->submit.raw[2] == command;
}

/* STANDBY and SLEEP write the cache out too (ACS-3, clause 7). */
static bool is_flush(const struct lint_command *c)
{
    return c->decoded.op == TD_OP_FLUSH || is_ata(c, 0xe0) || is_ata(c, 0xe2) || is_ata(c, 0xe6);
}

static void cache_submit(struct lint *l, void *state, const struct lint_command *c)
{
    struct cache *cache = cache_of(state, c->device);

    (void)l;
    if (is_flush(c))
        g_hash_table_insert(cache->flushes, g_memdup2(&c->seq, sizeof(c->seq)),
                            g_memdup2(&cache->written, sizeof(cache->written)));
}

static void cache_complete(struct lint *l, void *state, const struct lint_command *c,
                           const struct lint_complete *complete)
{
    struct cache *cache = cache_of(state, c->device);
    bool good = complete->record->status == TD_GOOD;
    const uint64_t *flushed = g_hash_table_lookup(cache->flushes, &c->seq);

    (void)l;
    if (flushed) {
        if (good)
            cache->flushed = MAX(cache->flushed, *flushed);
        g_hash_table_remove(cache->flushes, &c->seq);
    }
    if (!good)
        return;
    if (is_ata(c, ATA_SET_FEATURES) && c->submit.raw[3] == ATA_WRITE_CACHE_OFF) {
        cache->off = true; /* which writes the cache out */
        cache->flushed = cache->written;
    } else if (is_ata(c, ATA_SET_FEATURES) && c->submit.raw[3] == ATA_WRITE_CACHE_ON) {
        cache->off = false;
    } else if (overwrites(c) && !(c->decoded.flags & TD_FUA) && !cache->off) {
        cache->written++;
        cache->last_seq = c->seq;
    }
}

static void missing_flush(struct lint *l, void *state)
{
    struct caches *caches = state;
    GHashTableIter iter;
    gpointer value;

    if (!caches->of)
        return;
    g_hash_table_iter_init(&iter, caches->of);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        const struct cache *cache = value;

        if (cache->written > cache->flushed)
            lint_report_device(l, cache->device, cache->last_seq,
                               "%" PRIu64 " writes, the last of them #%" PRIu64
                               ", were not flushed when %s", cache->written - cache->flushed,
                               cache->last_seq,
                               lint_saw_shutdown(l) ? "the machine was switched off" :
                                                      "the trace ends");
    }
}

static void caches_clear(void *data)
{
    struct caches *caches = data;

    g_clear_pointer(&caches->of, g_hash_table_unref);
}

const struct lint_rule lint_missing_flush = {
    .id = "missing-flush",
    .severity = LINT_WARNING,
    .clause = "ACS-3 7 (FLUSH CACHE EXT); SBC-3 5 (SYNCHRONIZE CACHE)",
    .title = "writes are not flushed before the power goes off",
    .why = "A disk keeps writes in volatile memory until it is told to write them out: they are "
           "lost, in any order. Send FLUSH CACHE (EXT) or SYNCHRONIZE CACHE after the last write, "
           "or use FUA. The trace does not tell whether the disk has a write cache at all "
           "(write-cache=off).",
    .state_size = sizeof(struct caches),
    .submit = cache_submit,
    .complete = cache_complete,
    .end = missing_flush,
    .clear = caches_clear,
};
