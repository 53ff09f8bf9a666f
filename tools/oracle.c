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
    EFFECT_CHANGE, /* in a way that is not recorded */
    EFFECT_TRIM,   /* blocks of which the trace has no list: they stay, or are zeros */
    EFFECT_WILD,   /* it may change any block */
    EFFECT_COPY,   /* the same, of any device */
};

struct disk {
    uint32_t id;
    struct content *content;
    GPtrArray *in_flight; /* struct command, and reads that wait for a verdict */
    unsigned trims, wilds; /* in flight */
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

static enum effect write_effect(const struct td_decoded *d)
{
    if (g_str_has_prefix(d->name, "WRITE SAME"))
        return EFFECT_REPEAT;
    /* What they write depends on what was there, or is half of the payload. */
    if (g_str_has_prefix(d->name, "ORWRITE") || strcmp(d->name, "COMPARE AND WRITE") == 0)
        return EFFECT_CHANGE;
    return EFFECT_WRITE;
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
    case TD_OP_TRIM: /* WRITE SAME with UNMAP may do either */
        return has_lba ? EFFECT_CHANGE : EFFECT_TRIM;
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
    uint64_t segment;    /* the first block of the one at hand */
    unsigned here, most; /* versions of it; of the one with most */
    bool useful;         /* something is known that the read's hash would lose */
};

/* Can the payload's hash be told, if the version is what all blocks hold? */
static bool is_known(const struct look *look, const struct version *v)
{
    const struct command *r = look->read;

    switch (v->kind) {
    case CONTENT_BYTES:
        return v->first == r->first && v->end == r->end;
    case CONTENT_REPEAT:
        return r->end - r->first == 1;
    case CONTENT_ZEROS:
        return true;
    case CONTENT_INITIAL:
        return look->oracle->initial && !look->oracle->initial_lost;
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
        if (!look->oracle->initial(look->oracle->data, r->disk->id, r->first, blocks,
                                   r->block_size, &digest))
            return false;
    }
    return td_digest_equal(&digest, &r->digest);
}

static void add_legal(struct look *look, uint64_t first, uint64_t end, const struct version *v)
{
    uint64_t blocks = end - first;
    guint i;

    look->here++;
    look->most = MAX(look->most, look->here);
    if (g_ptr_array_find(look->legal, v, &i)) {
        g_array_index(look->covered, uint64_t, i) += blocks;
        return;
    }
    g_ptr_array_add(look->legal, (gpointer)v);
    g_array_append_val(look->covered, blocks);
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

    if (first != look->segment) {
        look->segment = first;
        look->here = 0;
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

static void add_version(const struct command *c, enum content_kind kind, bool replaces)
{
    const struct version version = {
        c->first, c->end, c->seq, c->seq, c->complete_seq, kind, c->digest, false, c->name, 0,
    };

    if (c->first < c->end)
        content_add(c->disk->content, &version, replaces, horizon(c->disk));
}

/*
 * What a read returned is known now, if nothing wrote meanwhile: that it has
 * been there since the last that may have written did.
 */
static void learn(const struct look *look, enum verdict verdict)
{
    const struct command *r = look->read;
    const struct disk *disk = r->disk;
    uint64_t last = MAX(MAX(disk->trim_seq, disk->wild_seq), look->oracle->copy_seq);
    struct version version = {
        r->first, r->end, r->seq, 0, 0, CONTENT_BYTES, r->digest, true, r->name, 0,
    };

    if (verdict == VERDICT_MATCH ? look->legal->len == 1 :
                                   verdict == VERDICT_MISMATCH || look->useful)
        return;
    for (guint i = 0; i < look->legal->len; i++)
        last = MAX(last, ((struct version *)g_ptr_array_index(look->legal, i))->complete_seq);
    if (last >= r->seq || disk->trims || disk->wilds || look->oracle->copies)
        return;
    version.submit_seq = version.complete_seq = last + 1;
    content_add(disk->content, &version, true, horizon(disk));
}

static void report(struct oracle *o, const struct command *r, enum verdict verdict,
                   const GPtrArray *legal)
{
    const struct oracle_result result = {
        .verdict = verdict, .device = r->disk->id, .seq = r->seq,
        .complete_seq = r->complete_seq, .complete_ns = r->complete_ns, .command = r->name,
        .lba = r->first, .blocks = r->end - r->first, .digest = r->digest, .legal = legal,
    };

    o->report(o->data, &result);
}

static void check(struct oracle *o, const struct command *r)
{
    struct look look = { .oracle = o, .read = r, .segment = UINT64_MAX };
    enum verdict verdict;

    look.legal = g_ptr_array_new();
    look.covered = g_array_new(FALSE, FALSE, sizeof(uint64_t));
    content_legal(r->disk->content, r->first, r->end, r->seq, r->complete_seq, see, &look);
    verdict = judge(&look);
    report(o, r, verdict, look.legal);
    learn(&look, verdict);
    g_ptr_array_unref(look.legal);
    g_array_unref(look.covered);
}

/* ---- Commands ---- */

static void disk_free(void *data)
{
    struct disk *disk = data;

    content_free(disk->content);
    for (guint i = 0; i < disk->in_flight->len; i++)
        g_free(g_ptr_array_index(disk->in_flight, i));
    g_ptr_array_unref(disk->in_flight);
    g_free(disk);
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
    }
    return disk;
}

static void count_in_flight(struct oracle *o, const struct command *c, int by)
{
    struct disk *disk = c->disk;

    disk->trims += (unsigned)(c->effect == EFFECT_TRIM ? by : 0);
    disk->wilds += (unsigned)(c->effect == EFFECT_WILD ? by : 0);
    o->copies += (unsigned)(c->effect == EFFECT_COPY ? by : 0);
    if (by > 0)
        return;
    if (c->effect == EFFECT_TRIM)
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
    g_free(c);
}

static void read_completed(struct oracle *o, struct command *r,
                           const struct td_complete *complete)
{
    const GPtrArray *in_flight = r->disk->in_flight;

    if (r->first == r->end) { /* of nothing */
        command_end(o, r);
        return;
    }
    if (complete->status != TD_GOOD || complete->flags & TD_OUTSIDE_RAM ||
        complete->bytes != (r->end - r->first) * r->block_size ||
        r->digest.kind == TD_HASH_NONE) {
        report(o, r, complete->status == TD_GOOD && r->digest.kind == TD_HASH_NONE ?
                         VERDICT_NOT_HASHED : VERDICT_FAILED, NULL);
        command_end(o, r);
        return;
    }
    for (guint i = 0; i < in_flight->len; i++) {
        const struct command *w = g_ptr_array_index(in_flight, i);

        r->waits += changes_range(w) && overlap(w, r);
    }
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
        [EFFECT_WRITE] = CONTENT_BYTES, [EFFECT_REPEAT] = CONTENT_REPEAT,
        [EFFECT_ZERO] = CONTENT_ZEROS, [EFFECT_CHANGE] = CONTENT_UNKNOWN,
    };
    enum content_kind kind = kinds[c->effect];
    uint64_t bytes = c->block_size * (c->effect == EFFECT_REPEAT ? 1 : c->end - c->first);

    if ((kind == CONTENT_BYTES || kind == CONTENT_REPEAT) &&
        (complete->bytes != bytes || c->digest.kind == TD_HASH_NONE ||
         complete->flags & (TD_BUFFER_CHANGED | TD_OUTSIDE_RAM)))
        kind = CONTENT_UNKNOWN;
    /* Of one that failed, none, some or all blocks may have been written. */
    add_version(c, kind, complete->status == TD_GOOD);
    release_reads(o, c);
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
    if (c->effect == EFFECT_READ) {
        read_completed(o, c, complete);
        return;
    }
    count_in_flight(o, c, -1);
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
                add_version(c, CONTENT_UNKNOWN, false);
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
