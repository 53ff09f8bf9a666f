/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The data oracle: commands, what they do to blocks, and verdicts on reads. */
#include "oracle.h"

#include <string.h>

enum effect {
    EFFECT_NONE,
    EFFECT_READ,
    EFFECT_WRITE,  /* its payload */
    EFFECT_REPEAT, /* its payload to each block */
    EFFECT_ZERO,
    EFFECT_RANGE,  /* one of a trim */
    EFFECT_CHANGE, /* in a way that is not recorded */
    EFFECT_TRIM,   /* of ranges, each to be told, or else any blocks: they stay, or are zeros */
    EFFECT_WILD,   /* it may change any block */
    EFFECT_COPY,   /* the same, of any device */
};

struct disk {
    uint32_t id;
    struct content *content;
    GPtrArray *in_flight;        /* struct command, and reads that wait for a verdict */
    unsigned trims, wilds;       /* in flight */
    uint64_t trim_seq, wild_seq; /* the last completion of one */
};

struct command {
    struct disk *disk;
    uint64_t seq, complete_seq; /* complete_seq 0: in flight */
    uint64_t complete_ns;
    enum effect effect;
    const char *name;
    uint64_t first, end;
    uint32_t block_size;
    struct td_digest digest;
    uint8_t *sectors; /* of the blocks first … end, or of the one that repeats */
    const struct command *trim; /* of a range: its command */
    bool told;     /* a trim: by its ranges */
    bool replaces; /* a range: zeros, for sure */
    bool waited;
    unsigned waits; /* a read: for so many changes of its blocks to complete */
};

struct oracle {
    oracle_report *report;
    oracle_initial *initial;
    void *data;
    GHashTable *disks;  /* id -> struct disk */
    GHashTable *by_seq; /* &seq -> struct command */
    unsigned copies;    /* in flight */
    uint64_t copy_seq;  /* the last completion of one */
    bool initial_lost;
    size_t limit; /* bytes that what is known of blocks may take; 0: any */
};

/* ---- What commands do ---- */

/* Of those that are neither read nor write: may blocks change? */
static bool scsi_may_change(const uint8_t *cdb)
{
    switch (cdb[0]) {
    case 0x04: /* FORMAT UNIT */
    case 0x07: /* REASSIGN BLOCKS */
    case 0x3f: /* WRITE LONG(10) */
    case 0x48: /* SANITIZE */
    case 0x50: /* XDWRITE(10) */
    case 0x51: /* XPWRITE(10) */
    case 0x53: /* XDWRITEREAD(10) */
    case 0x7f: /* VARIABLE LENGTH CDB */
    case 0x85: /* ATA PASS-THROUGH(16) */
    case 0x9f: /* SERVICE ACTION OUT(16): WRITE LONG(16) */
    case 0xa1: /* ATA PASS-THROUGH(12) */
        return true;
    default:
        return cdb[0] >= 0xc0; /* a vendor's own */
    }
}

static bool ata_may_change(const uint8_t *fis)
{
    switch (fis[2]) {
    case 0x36: /* WRITE DMA QUEUED EXT */
    case 0x3e: /* WRITE DMA QUEUED FUA EXT */
    case 0x45: /* WRITE UNCORRECTABLE EXT */
    case 0x63: /* NCQ QUEUE MANAGEMENT, later NCQ NON-DATA: ZERO EXT */
    case 0x64: /* SEND FPDMA QUEUED */
    case 0xb4: /* SANITIZE DEVICE */
    case 0xc0: /* CFA ERASE SECTORS */
    case 0xcc: /* WRITE DMA QUEUED */
    case 0xf4: /* SECURITY ERASE UNIT */
        return true;
    default:
        return false;
    }
}

static enum effect other_effect(const struct td_submit *submit, const struct td_decoded *d)
{
    bool scsi = submit->protocol == TD_SCSI;

    if (submit->raw_len < 3 || (!scsi && !(submit->raw[1] & 0x80)))
        return EFFECT_NONE; /* too short, or no command: refused */
    if (scsi && submit->raw[0] == 0x83)
        return EFFECT_COPY;
    if (!(scsi ? scsi_may_change(submit->raw) : ata_may_change(submit->raw)) &&
        !g_str_has_prefix(d->name, "UNKNOWN"))
        return EFFECT_NONE;
    return d->flags & TD_HAS_LBA ? EFFECT_CHANGE : EFFECT_WILD;
}

static bool is_compare_and_write(const char *name)
{
    return strcmp(name, "COMPARE AND WRITE") == 0;
}

static enum effect write_effect(const struct td_decoded *d)
{
    if (g_str_has_prefix(d->name, "WRITE SAME"))
        return EFFECT_REPEAT;
    /* What they write depends on what was there, or is half of the payload. */
    if (g_str_has_prefix(d->name, "ORWRITE") || is_compare_and_write(d->name))
        return EFFECT_CHANGE;
    return EFFECT_WRITE;
}

/* WRITE SAME with UNMAP: with LBPRZ, what is unmapped is what it would have written. */
static enum effect same_effect(const struct td_submit *submit)
{
    bool no_data = submit->raw[0] == 0x93 && submit->raw[1] & 1; /* WRITE SAME(16), NDOB */

    return no_data ? EFFECT_ZERO : EFFECT_REPEAT;
}

static enum effect effect_of(const struct td_submit *submit, const struct td_decoded *d)
{
    bool has_lba = d->flags & TD_HAS_LBA;

    switch (d->op) {
    case TD_OP_READ:
        return has_lba ? EFFECT_READ : EFFECT_NONE;
    case TD_OP_WRITE:
        return has_lba ? write_effect(d) : EFFECT_WILD;
    case TD_OP_ZERO:
        return has_lba ? EFFECT_ZERO : EFFECT_WILD;
    case TD_OP_TRIM:
        return has_lba ? same_effect(submit) : EFFECT_TRIM;
    case TD_OP_OTHER:
        return other_effect(submit, d);
    default:
        return EFFECT_NONE;
    }
}

static bool changes_range(const struct command *c)
{
    return c->effect >= EFFECT_WRITE && c->effect <= EFFECT_CHANGE;
}

static bool overlap(const struct command *a, const struct command *b)
{
    return a->first < b->end && b->first < a->end;
}

/* ---- Verdicts ---- */

/* What content_legal() gathers for a read. */
struct look {
    struct oracle *oracle;
    const struct command *read;
    GPtrArray *legal;    /* const struct version, each once */
    GArray *covered;     /* of each, how many of the read's blocks: uint64_t */
    uint64_t first, end; /* the segment at hand; empty at first */
    GPtrArray *here;     /* its versions */
    unsigned most;       /* versions of the segment with most */
    bool useful;         /* something is known that the read's hash would lose */
    /* By blocks' own hashes. */
    uint64_t matched, open; /* blocks; open: nothing can be said */
    uint64_t differs;       /* the first that does; UINT64_MAX: none */
    GPtrArray *differs_from;
    GArray *unsettled; /* struct unsettled */
};

/* Blocks of which only the read told what they hold, and the last write of them. */
struct unsettled {
    uint64_t first, end;
    uint64_t last_seq;
};

static bool has_initial(const struct oracle *o)
{
    return o->initial && !o->initial_lost;
}

/* Can the payload's hash be told, if the version is what all blocks hold? */
static bool is_known(const struct look *look, const struct version *v)
{
    const struct command *r = look->read;

    if (r->digest.kind == TD_HASH_NONE)
        return false;
    switch (v->kind) {
    case CONTENT_BYTES:
        return v->first == r->first && v->end == r->end && v->digest.kind != TD_HASH_NONE;
    case CONTENT_REPEAT:
        return r->end - r->first == 1;
    case CONTENT_ZEROS:
        return true;
    case CONTENT_INITIAL:
        return has_initial(look->oracle);
    default:
        return false;
    }
}

static void zeros_digest(enum td_hash_kind kind, uint64_t bytes, struct td_digest *digest)
{
    static const uint8_t zeros[65536];
    struct td_hasher *hasher = td_hasher_new(kind);

    td_hasher_begin(hasher);
    for (uint64_t n; bytes; bytes -= n) {
        n = MIN(bytes, sizeof(zeros));
        td_hasher_add(hasher, zeros, n);
    }
    td_hasher_end(hasher, digest);
    td_hasher_free(hasher);
}

/* Is this what the read returned? */
static bool returned(const struct look *look, const struct version *v)
{
    const struct command *r = look->read;
    uint64_t blocks = r->end - r->first;
    struct td_digest digest = v->digest;

    if (!is_known(look, v))
        return false;
    if (v->kind == CONTENT_ZEROS)
        zeros_digest(r->digest.kind, blocks * r->block_size, &digest);
    else if (v->kind == CONTENT_INITIAL) {
        digest.kind = r->digest.kind;
        if (!look->oracle->initial(look->oracle->data, r->disk->id, r->first, blocks, r->block_size,
                                   &digest, NULL))
            return false;
    }
    return td_digest_equal(&digest, &r->digest);
}

static void add_legal(struct look *look, uint64_t first, uint64_t end, const struct version *v)
{
    uint64_t blocks = end - first;
    guint i;

    g_ptr_array_add(look->here, (gpointer)v);
    look->most = MAX(look->most, look->here->len);
    if (g_ptr_array_find(look->legal, v, &i)) {
        g_array_index(look->covered, uint64_t, i) += blocks;
        return;
    }
    g_ptr_array_add(look->legal, (gpointer)v);
    g_array_append_val(look->covered, blocks);
}

/* ---- Blocks for themselves ---- */

/* One block's hash in a version; false when it is not known. */
static bool sector_of(const struct look *look, const struct version *v, uint64_t block,
                      uint8_t sector[TD_SECTOR_HASH])
{
    const struct command *r = look->read;
    g_autofree uint8_t *zero_block = NULL;

    switch (v->kind) {
    case CONTENT_BYTES:
    case CONTENT_REPEAT:
        if (v->sectors)
            memcpy(sector,
                   v->sectors +
                       (v->kind == CONTENT_REPEAT ? 0 : (block - v->first) * TD_SECTOR_HASH),
                   TD_SECTOR_HASH);
        return v->sectors;
    case CONTENT_ZEROS:
        zero_block = g_malloc0(r->block_size);
        td_sector_hash(zero_block, r->block_size, sector);
        return true;
    case CONTENT_INITIAL:
        return has_initial(look->oracle) &&
               look->oracle->initial(look->oracle->data, r->disk->id, block, 1, r->block_size, NULL,
                                     sector);
    default:
        return false;
    }
}

static void judge_block(struct look *look, uint64_t block)
{
    const struct command *r = look->read;
    const uint8_t *returned = r->sectors + (block - r->first) * TD_SECTOR_HASH;
    uint8_t sector[TD_SECTOR_HASH];
    bool known = true;

    for (guint i = 0; i < look->here->len; i++) {
        bool has = sector_of(look, g_ptr_array_index(look->here, i), block, sector);

        if (has && memcmp(sector, returned, TD_SECTOR_HASH) == 0) {
            look->matched++;
            return;
        }
        known &= has;
    }
    if (!known) {
        look->open++;
    } else if (look->differs == UINT64_MAX) {
        look->differs = block;
        look->differs_from = g_ptr_array_copy(look->here, NULL, NULL);
    }
}

/* All versions of a segment have been seen. */
static void end_segment(struct look *look)
{
    struct unsettled segment = { look->first, look->end, 0 };
    uint64_t open = look->open;

    for (uint64_t block = look->first; look->read->sectors && block < look->end; block++)
        judge_block(look, block);
    for (guint i = 0; i < look->here->len; i++)
        segment.last_seq = MAX(segment.last_seq,
                               ((struct version *)g_ptr_array_index(look->here, i))->complete_seq);
    if (look->here->len > 1 || look->open > open || !look->read->sectors)
        g_array_append_val(look->unsettled, segment);
    g_ptr_array_set_size(look->here, 0);
}

static const struct version zeros = { .kind = CONTENT_ZEROS, .command = "a trim" };
static const struct version anything = { .kind = CONTENT_UNKNOWN, .command = "" };

/* Was a command of this kind not wholly before the version? */
static bool since(const struct version *v, unsigned in_flight, uint64_t last_seq)
{
    return in_flight || last_seq > v->submit_seq;
}

static void see(void *data, uint64_t first, uint64_t end, const struct version *v)
{
    struct look *look = data;
    const struct oracle *o = look->oracle;
    const struct disk *disk = look->read->disk;
    bool whole = v->first == first && v->end == end;

    if (first >= look->end) {
        end_segment(look);
        look->first = first;
        look->end = end;
    }
    add_legal(look, first, end, v);
    if (since(v, disk->trims, disk->trim_seq))
        add_legal(look, first, end, &zeros);
    if (since(v, disk->wilds, disk->wild_seq) || since(v, o->copies, o->copy_seq))
        add_legal(look, first, end, &anything);
    else
        look->useful |= v->kind == CONTENT_BYTES ? whole : v->kind > CONTENT_BYTES;
}

static enum verdict judge(const struct look *look)
{
    const struct command *r = look->read;
    uint64_t blocks = r->end - r->first;
    bool known = true, all_unknown = true;

    for (guint i = 0; i < look->legal->len; i++) {
        const struct version *v = g_ptr_array_index(look->legal, i);

        if (g_array_index(look->covered, uint64_t, i) >= blocks && returned(look, v))
            return VERDICT_MATCH;
        known &= is_known(look, v);
        all_unknown &= v->kind <= CONTENT_INITIAL && !is_known(look, v);
    }
    /* Of several blocks, each may hold another of the versions. */
    if (known && (look->legal->len == 1 || blocks == 1))
        return VERDICT_MISMATCH;
    if (look->differs != UINT64_MAX)
        return VERDICT_MISMATCH;
    if (look->matched)
        return look->open ? VERDICT_PARTLY : VERDICT_MATCH;
    if (look->most > 1)
        return VERDICT_AMBIGUOUS;
    return all_unknown ? VERDICT_UNKNOWN : VERDICT_EXTENT;
}

static uint64_t horizon(const struct disk *disk)
{
    uint64_t seq = UINT64_MAX;

    for (guint i = 0; i < disk->in_flight->len; i++)
        seq = MIN(seq, ((struct command *)g_ptr_array_index(disk->in_flight, i))->seq);
    return seq;
}

static void add_version(struct command *c, enum content_kind kind, bool replaces)
{
    const struct version version = {
        .first = c->first,
        .end = c->end,
        .seq = c->seq,
        .submit_seq = c->seq,
        .complete_seq = c->complete_seq,
        .kind = kind,
        .digest = c->digest,
        .sectors = c->sectors,
        .command = c->name,
    };

    if (c->first >= c->end)
        return;
    c->sectors = NULL;
    content_add(c->disk->content, &version, replaces, horizon(c->disk));
}

/* From a record on, blocks hold what a read returned. */
static void learn_blocks(const struct command *r, uint64_t first, uint64_t end, uint64_t seq)
{
    struct version version = {
        .first = first,
        .end = end,
        .seq = r->seq,
        .submit_seq = seq,
        .complete_seq = seq,
        .kind = CONTENT_BYTES,
        .by_read = true,
        .command = r->name,
    };

    if (first == r->first && end == r->end)
        version.digest = r->digest;
    if (r->sectors)
        version.sectors = g_memdup2(r->sectors + (first - r->first) * TD_SECTOR_HASH,
                                    (end - first) * TD_SECTOR_HASH);
    content_add(r->disk->content, &version, true, horizon(r->disk));
}

/*
 * What a read returned is known now, if nothing wrote meanwhile: that it has
 * been there since the last that may have written did.
 */
static void learn(const struct look *look, enum verdict verdict)
{
    const struct command *r = look->read;
    const struct disk *disk = r->disk;
    uint64_t since_seq = MAX(MAX(disk->trim_seq, disk->wild_seq), look->oracle->copy_seq);
    uint64_t last_seq = since_seq;

    if (verdict == VERDICT_MISMATCH || r->waited || since_seq >= r->seq || disk->trims ||
        disk->wilds || look->oracle->copies)
        return;
    for (guint i = 0; i < look->unsettled->len; i++) {
        const struct unsettled *u = &g_array_index(look->unsettled, struct unsettled, i);

        last_seq = MAX(last_seq, u->last_seq);
        if (r->sectors && u->last_seq < r->seq)
            learn_blocks(r, u->first, u->end, MAX(u->last_seq, since_seq) + 1);
    }
    /* A hash of the whole must not take the place of what is known of parts. */
    if (!r->sectors && last_seq < r->seq &&
        (verdict == VERDICT_MATCH ? look->most > 1 : !look->useful))
        learn_blocks(r, r->first, r->end, last_seq + 1);
}

static struct oracle_result result_of(const struct command *r, enum verdict verdict)
{
    return (struct oracle_result){
        .verdict = verdict,
        .device = r->disk->id,
        .seq = r->seq,
        .complete_seq = r->complete_seq,
        .complete_ns = r->complete_ns,
        .command = r->name,
        .lba = r->first,
        .blocks = r->end - r->first,
        .digest = r->digest,
    };
}

static void report(struct look *look, enum verdict verdict)
{
    const struct command *r = look->read;
    struct oracle_result result = result_of(r, verdict);
    bool by_block = look->differs != UINT64_MAX;

    result.legal = by_block ? look->differs_from : look->legal;
    result.has_block = by_block || result.blocks == 1;
    result.block = by_block ? look->differs : r->first;
    if (r->sectors)
        result.sector = r->sectors + (result.block - r->first) * TD_SECTOR_HASH;
    look->oracle->report(look->oracle->data, &result);
}

static void check(struct oracle *o, const struct command *r)
{
    struct look look = { .oracle = o, .read = r, .differs = UINT64_MAX };
    enum verdict verdict;

    look.legal = g_ptr_array_new();
    look.here = g_ptr_array_new();
    look.covered = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    look.unsettled = g_array_new(FALSE, FALSE, sizeof(struct unsettled));
    content_legal(r->disk->content, r->first, r->end, r->seq, r->complete_seq, see, &look);
    end_segment(&look);
    verdict = judge(&look);
    report(&look, verdict);
    learn(&look, verdict);
    g_ptr_array_unref(look.legal);
    g_ptr_array_unref(look.here);
    g_array_unref(look.covered);
    g_array_unref(look.unsettled);
    if (look.differs_from)
        g_ptr_array_unref(look.differs_from);
}

/* ---- Commands ---- */

static void command_free(struct command *c)
{
    g_free(c->sectors);
    g_free(c);
}

static void disk_free(void *data)
{
    struct disk *disk = data;

    content_free(disk->content);
    for (guint i = 0; i < disk->in_flight->len; i++)
        command_free(g_ptr_array_index(disk->in_flight, i));
    g_ptr_array_unref(disk->in_flight);
    g_free(disk);
}

static void share_limit(struct oracle *o)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, o->disks);
    while (g_hash_table_iter_next(&iter, NULL, &value))
        content_limit(((struct disk *)value)->content, o->limit / g_hash_table_size(o->disks));
}

static struct disk *disk_of(struct oracle *o, uint32_t id)
{
    struct disk *disk = g_hash_table_lookup(o->disks, GUINT_TO_POINTER(id));

    if (!disk) {
        disk = g_new0(struct disk, 1);
        disk->id = id;
        disk->content = content_new();
        disk->in_flight = g_ptr_array_new();
        g_hash_table_insert(o->disks, GUINT_TO_POINTER(id), disk);
        share_limit(o);
    }
    return disk;
}

static void count_in_flight(struct oracle *o, const struct command *c, int by)
{
    struct disk *disk = c->disk;

    disk->trims += (unsigned)(c->effect == EFFECT_TRIM && !c->told ? by : 0);
    disk->wilds += (unsigned)(c->effect == EFFECT_WILD ? by : 0);
    o->copies += (unsigned)(c->effect == EFFECT_COPY ? by : 0);
    if (by > 0)
        return;
    if (c->effect == EFFECT_TRIM && !c->told)
        disk->trim_seq = c->complete_seq;
    else if (c->effect == EFFECT_WILD)
        disk->wild_seq = c->complete_seq;
    else if (c->effect == EFFECT_COPY)
        o->copy_seq = c->complete_seq;
}

void oracle_submit(struct oracle *o, uint64_t seq, const struct td_submit *submit,
                   uint32_t block_size)
{
    struct td_decoded d;
    struct command *c;
    enum effect effect;

    td_decode(submit->protocol, submit->raw, submit->raw_len, &d);
    effect = effect_of(submit, &d);
    if (effect == EFFECT_NONE)
        return;
    c = g_new0(struct command, 1);
    c->disk = disk_of(o, submit->device);
    c->seq = seq;
    c->effect = effect;
    c->name = d.name;
    c->block_size = block_size;
    c->first = d.lba;
    c->end = d.lba + MIN(d.blocks, UINT64_MAX - d.lba);
    if (!d.blocks && effect != EFFECT_READ && effect != EFFECT_WRITE)
        c->end = UINT64_MAX; /* WRITE SAME: to the last one */
    count_in_flight(o, c, 1);
    g_ptr_array_add(c->disk->in_flight, c);
    g_hash_table_insert(o->by_seq, &c->seq, c);
}

static void command_end(struct oracle *o, struct command *c)
{
    g_hash_table_remove(o->by_seq, &c->seq);
    g_ptr_array_remove_fast(c->disk->in_flight, c);
    command_free(c);
}

/* Keep the hashes of the blocks that a command read or wrote, if all are there. */
static void take_sectors(struct command *c, const struct td_complete *complete)
{
    uint64_t blocks = c->effect == EFFECT_REPEAT ? 1 : c->end - c->first, skip = 0;

    if (c->effect == EFFECT_CHANGE && is_compare_and_write(c->name))
        skip = blocks; /* the first half is what it compares with */
    else if (c->effect > EFFECT_REPEAT)
        return;
    if (blocks && complete->n_sectors == skip + blocks)
        c->sectors = g_memdup2(complete->sectors + skip * TD_SECTOR_HASH, blocks * TD_SECTOR_HASH);
    if (skip)
        c->digest.kind = TD_HASH_NONE;
}

static void read_completed(struct oracle *o, struct command *r, const struct td_complete *complete)
{
    const GPtrArray *in_flight = r->disk->in_flight;

    if (r->first == r->end) { /* of nothing */
        command_end(o, r);
        return;
    }
    if (complete->status != TD_GOOD || complete->flags & TD_OUTSIDE_RAM ||
        complete->bytes != (r->end - r->first) * r->block_size ||
        (r->digest.kind == TD_HASH_NONE && !r->sectors)) {
        bool unhashed = complete->status == TD_GOOD && r->digest.kind == TD_HASH_NONE;
        const struct oracle_result result =
            result_of(r, unhashed ? VERDICT_NOT_HASHED : VERDICT_FAILED);

        o->report(o->data, &result);
        command_end(o, r);
        return;
    }
    for (guint i = 0; i < in_flight->len; i++) {
        const struct command *w = g_ptr_array_index(in_flight, i);

        r->waits += changes_range(w) && overlap(w, r);
    }
    r->waited = r->waits;
    if (!r->waits) {
        check(o, r);
        command_end(o, r);
    }
}

/* Reads that completed while c was in flight need not wait for it any more. */
static void release_reads(struct oracle *o, const struct command *c)
{
    GPtrArray *in_flight = c->disk->in_flight;

    for (guint i = in_flight->len; i-- > 0;) {
        struct command *r = g_ptr_array_index(in_flight, i);

        if (r->waits && c->seq < r->complete_seq && overlap(c, r) && --r->waits == 0) {
            check(o, r);
            command_end(o, r);
        }
    }
}

static void change_completed(struct oracle *o, struct command *c,
                             const struct td_complete *complete)
{
    static const enum content_kind kinds[] = {
        [EFFECT_WRITE] = CONTENT_BYTES,
        [EFFECT_REPEAT] = CONTENT_REPEAT,
        [EFFECT_ZERO] = CONTENT_ZEROS,
        [EFFECT_CHANGE] = CONTENT_UNKNOWN,
    };
    enum content_kind kind = kinds[c->effect];
    uint64_t bytes = c->block_size * (c->effect == EFFECT_REPEAT ? 1 : c->end - c->first);

    if (c->effect == EFFECT_CHANGE && c->sectors) { /* COMPARE AND WRITE */
        kind = CONTENT_BYTES;
        bytes *= 2;
    }
    if ((kind == CONTENT_BYTES || kind == CONTENT_REPEAT) &&
        (complete->bytes != bytes || (c->digest.kind == TD_HASH_NONE && !c->sectors) ||
         complete->flags & (TD_BUFFER_CHANGED | TD_OUTSIDE_RAM)))
        kind = CONTENT_UNKNOWN;
    /* Of one that failed, none, some or all blocks may have been written. */
    add_version(c, kind, complete->status == TD_GOOD);
    release_reads(o, c);
}

void oracle_trim(struct oracle *o, uint64_t seq, const struct td_event *event)
{
    struct command *trim = g_hash_table_lookup(o->by_seq, &event->ref), *c;

    if (!trim || trim->effect != EFFECT_TRIM || trim->complete_seq)
        return;
    if (!trim->told)
        trim->disk->trims--;
    trim->told = true;
    c = g_new0(struct command, 1);
    c->disk = trim->disk;
    c->seq = seq;
    c->effect = EFFECT_RANGE;
    c->name = trim->name;
    c->block_size = trim->block_size;
    c->first = event->addr;
    c->end = event->addr + MIN(event->len, UINT64_MAX - event->addr);
    c->trim = trim;
    c->replaces = event->value;
    g_ptr_array_add(c->disk->in_flight, c);
    g_hash_table_insert(o->by_seq, &c->seq, c);
}

/* Of one that failed, each range may be done or not. */
static void trim_completed(struct oracle *o, const struct command *trim, bool good)
{
    GPtrArray *in_flight = trim->disk->in_flight;

    for (guint i = in_flight->len; i-- > 0;) {
        struct command *c = g_ptr_array_index(in_flight, i);

        if (c->trim != trim)
            continue;
        c->complete_seq = trim->complete_seq;
        add_version(c, CONTENT_ZEROS, good && c->replaces);
        release_reads(o, c);
        command_end(o, c);
        i = MIN(i, in_flight->len); /* reads that waited may be gone */
    }
}

void oracle_complete(struct oracle *o, uint64_t seq, uint64_t ns,
                     const struct td_complete *complete)
{
    struct command *c = g_hash_table_lookup(o->by_seq, &complete->submit_seq);

    if (!c || c->complete_seq)
        return;
    c->complete_seq = seq;
    c->complete_ns = ns;
    c->digest = complete->digest;
    take_sectors(c, complete);
    if (c->effect == EFFECT_READ) {
        read_completed(o, c, complete);
        return;
    }
    count_in_flight(o, c, -1);
    if (c->effect == EFFECT_TRIM)
        trim_completed(o, c, complete->status == TD_GOOD);
    if (changes_range(c))
        change_completed(o, c, complete);
    command_end(o, c);
}

/* ---- The whole ---- */

struct oracle *oracle_new(oracle_report *report, oracle_initial *initial, void *data)
{
    struct oracle *o = g_new0(struct oracle, 1);

    o->report = report;
    o->initial = initial;
    o->data = data;
    o->disks = g_hash_table_new_full(NULL, NULL, NULL, disk_free);
    o->by_seq = g_hash_table_new(g_int64_hash, g_int64_equal);
    return o;
}

void oracle_limit(struct oracle *o, size_t bytes)
{
    o->limit = bytes;
    share_limit(o);
}

void oracle_free(struct oracle *o)
{
    if (!o)
        return;
    g_hash_table_unref(o->by_seq);
    g_hash_table_unref(o->disks);
    g_free(o);
}

/* Writes that have not completed may have been done, or not. */
void oracle_end(struct oracle *o)
{
    GHashTableIter iter;
    gpointer value;

    g_hash_table_iter_init(&iter, o->disks);
    while (g_hash_table_iter_next(&iter, NULL, &value)) {
        GPtrArray *in_flight = ((struct disk *)value)->in_flight;

        for (guint i = 0; i < in_flight->len; i++) {
            struct command *c = g_ptr_array_index(in_flight, i);

            if (changes_range(c)) {
                c->complete_seq = UINT64_MAX;
                add_version(c, c->trim ? CONTENT_ZEROS : CONTENT_UNKNOWN, false);
            }
        }
        for (guint i = in_flight->len; i-- > 0;) {
            struct command *c = g_ptr_array_index(in_flight, i);

            if (c->waits) {
                check(o, c);
                command_end(o, c);
            }
        }
    }
}

void oracle_gap(struct oracle *o)
{
    oracle_end(o);
    g_hash_table_remove_all(o->by_seq);
    g_hash_table_remove_all(o->disks);
    o->copies = 0;
    o->initial_lost = true;
}
