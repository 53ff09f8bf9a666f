/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the blocks of a device may hold. */
#include "content.h"

struct entry {
    struct version *version;
    uint64_t replaced_seq; /* completion of what came wholly after it; 0: none */
};

struct segment {
    uint64_t first, end;
    GArray *entries; /* struct entry */
    GList link;      /* of content's `oldest` */
};

struct content {
    GTree *segments; /* by first; disjoint, so the order of first is that of end */
    GQueue oldest;   /* the segments, that which was changed last at the end */
    size_t bytes, limit;
    struct version elsewhere; /* what blocks hold that have no segment */
};

/* What the allocator and the tree need for each, as well. */
#define SEGMENT_BYTES (sizeof(struct segment) + 160)
#define ENTRY_BYTES sizeof(struct entry)
#define VERSION_BYTES (sizeof(struct version) + 16)

const struct version content_initial = {
    .end = UINT64_MAX,
    .kind = CONTENT_INITIAL,
    .command = "",
};

static size_t version_bytes(const struct version *v)
{
    uint64_t blocks = v->kind == CONTENT_REPEAT ? 1 : v->end - v->first;

    return VERSION_BYTES + (v->sectors ? blocks * TD_SECTOR_HASH : 0);
}

static struct version *version_new(struct content *c, const struct version *like)
{
    struct version *v = g_memdup2(like, sizeof(*like));

    v->refs = 1;
    c->bytes += version_bytes(v);
    return v;
}

static void version_unref(struct content *c, struct version *v)
{
    if (--v->refs)
        return;
    c->bytes -= version_bytes(v);
    g_free(v->sectors);
    g_free(v);
}

static void segment_free(struct content *c, struct segment *s)
{
    for (guint i = 0; i < s->entries->len; i++)
        version_unref(c, g_array_index(s->entries, struct entry, i).version);
    c->bytes -= SEGMENT_BYTES + s->entries->len * ENTRY_BYTES;
    g_array_unref(s->entries);
    g_free(s);
}

static gint compare_first(gconstpointer a, gconstpointer b, gpointer data)
{
    const struct segment *x = a, *y = b;

    (void)data;
    return (x->first > y->first) - (x->first < y->first);
}

struct content *content_new(void)
{
    struct content *c = g_new0(struct content, 1);

    c->segments = g_tree_new_full(compare_first, NULL, NULL, NULL);
    c->elsewhere = content_initial;
    return c;
}

void content_free(struct content *c)
{
    GList *link;

    if (!c)
        return;
    while ((link = g_queue_pop_head_link(&c->oldest)))
        segment_free(c, link->data);
    g_tree_unref(c->segments);
    g_free(c);
}

void content_limit(struct content *c, size_t bytes)
{
    c->limit = bytes;
}

size_t content_bytes(const struct content *c)
{
    return c->bytes;
}

/* The first segment that ends behind a block; NULL if there is none. */
static GTreeNode *node_behind(const struct content *c, uint64_t block)
{
    const struct segment key = { .first = block };
    GTreeNode *node = g_tree_upper_bound(c->segments, &key);
    GTreeNode *before = node ? g_tree_node_previous(node) : g_tree_node_last(c->segments);

    if (before && ((const struct segment *)g_tree_node_key(before))->end > block)
        return before;
    return node;
}

static struct segment *segment_behind(const struct content *c, uint64_t block)
{
    GTreeNode *node = node_behind(c, block);

    return node ? g_tree_node_key(node) : NULL;
}

/* ---- Adding ---- */

static struct segment *segment_add(struct content *c, uint64_t first, uint64_t end)
{
    struct segment *s = g_new0(struct segment, 1);

    s->first = first;
    s->end = end;
    s->entries = g_array_sized_new(FALSE, FALSE, sizeof(struct entry), 2);
    s->link.data = s;
    g_queue_push_tail_link(&c->oldest, &s->link);
    g_tree_insert(c->segments, s, NULL);
    c->bytes += SEGMENT_BYTES;
    return s;
}

static void entry_add(struct content *c, struct segment *s, struct entry entry)
{
    entry.version->refs++;
    g_array_append_val(s->entries, entry);
    c->bytes += ENTRY_BYTES;
}

static void segment_changed(struct content *c, struct segment *s)
{
    g_queue_unlink(&c->oldest, &s->link);
    g_queue_push_tail_link(&c->oldest, &s->link);
}

/*
 * Beyond the limit, forget what was changed longest ago. What these blocks hold
 * may have come from any of the versions forgotten, so it is as young as the
 * youngest of them.
 */
static void forget_oldest(struct content *c)
{
    while (c->limit && c->bytes > c->limit && c->oldest.length > 1) {
        struct segment *s = g_queue_peek_head(&c->oldest);

        for (guint i = 0; i < s->entries->len; i++) {
            const struct version *v = g_array_index(s->entries, struct entry, i).version;

            c->elsewhere.complete_seq = MAX(c->elsewhere.complete_seq, v->complete_seq);
        }
        g_queue_unlink(&c->oldest, &s->link);
        g_tree_remove(c->segments, s);
        segment_free(c, s);
    }
}

/* Let no segment reach across a block. */
static void cut(struct content *c, uint64_t block)
{
    struct segment *s = segment_behind(c, block), *right;
    uint64_t end;

    if (!s || s->first >= block)
        return;
    end = s->end;
    s->end = block;
    right = segment_add(c, block, end);
    for (guint i = 0; i < s->entries->len; i++)
        entry_add(c, right, g_array_index(s->entries, struct entry, i));
}

static void segment_put(struct content *c, struct segment *s, struct version *version,
                        bool replaces, uint64_t horizon)
{
    for (guint i = s->entries->len; i-- > 0;) {
        struct entry *e = &g_array_index(s->entries, struct entry, i);

        if (replaces && !e->replaced_seq && e->version->complete_seq < version->submit_seq)
            e->replaced_seq = version->complete_seq;
        if (e->replaced_seq && e->replaced_seq < horizon) {
            version_unref(c, e->version);
            g_array_remove_index_fast(s->entries, i);
            c->bytes -= ENTRY_BYTES;
        }
    }
    entry_add(c, s, (struct entry){ version, 0 });
    segment_changed(c, s);
}

void content_add(struct content *c, const struct version *version, bool replaces, uint64_t horizon)
{
    struct version *copy = version_new(c, version);
    struct version *initial = version_new(c, &c->elsewhere);
    uint64_t at = version->first;

    cut(c, version->first);
    cut(c, version->end);
    while (at < version->end) {
        struct segment *s = segment_behind(c, at);

        if (!s || s->first > at) {
            s = segment_add(c, at, s ? MIN(s->first, version->end) : version->end);
            entry_add(c, s, (struct entry){ initial, 0 });
        }
        segment_put(c, s, copy, replaces, horizon);
        at = s->end;
    }
    version_unref(c, copy);
    version_unref(c, initial);
    forget_oldest(c);
}

/* ---- Looking ---- */

static bool is_legal(const struct entry *e, uint64_t submit_seq, uint64_t complete_seq)
{
    return e->version->submit_seq < complete_seq &&
           (!e->replaced_seq || e->replaced_seq > submit_seq);
}

void content_legal(const struct content *c, uint64_t first, uint64_t end, uint64_t submit_seq,
                   uint64_t complete_seq, content_visit *visit, void *data)
{
    GTreeNode *node = node_behind(c, first);

    for (uint64_t at = first, next; at < end; at = next) {
        const struct segment *s = node ? g_tree_node_key(node) : NULL;

        if (!s || s->first > at) {
            next = s ? MIN(s->first, end) : end;
            visit(data, at, next, &c->elsewhere);
            continue;
        }
        next = MIN(s->end, end);
        for (guint i = 0; i < s->entries->len; i++) {
            const struct entry *e = &g_array_index(s->entries, struct entry, i);

            if (is_legal(e, submit_seq, complete_seq))
                visit(data, at, next, e->version);
        }
        node = g_tree_node_next(node);
    }
}
