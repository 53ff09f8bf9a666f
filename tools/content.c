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
};

struct content {
    GTree *segments; /* by first; disjoint, so the order of first is that of end */
};

const struct version content_initial = {
    .end = UINT64_MAX,
    .kind = CONTENT_INITIAL,
    .command = "",
};

static void version_unref(struct version *v)
{
    if (--v->refs)
        return;
    g_free(v->sectors);
    g_free(v);
}

static void segment_free(void *data)
{
    struct segment *s = data;

    for (guint i = 0; i < s->entries->len; i++)
        version_unref(g_array_index(s->entries, struct entry, i).version);
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

    c->segments = g_tree_new_full(compare_first, NULL, segment_free, NULL);
    return c;
}

void content_free(struct content *c)
{
    if (!c)
        return;
    g_tree_unref(c->segments);
    g_free(c);
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
    g_tree_insert(c->segments, s, NULL);
    return s;
}

static void entry_add(struct segment *s, struct entry entry)
{
    entry.version->refs++;
    g_array_append_val(s->entries, entry);
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
        entry_add(right, g_array_index(s->entries, struct entry, i));
}

static void segment_put(struct segment *s, struct version *version, bool replaces, uint64_t horizon)
{
    for (guint i = s->entries->len; i-- > 0;) {
        struct entry *e = &g_array_index(s->entries, struct entry, i);

        if (replaces && !e->replaced_seq && e->version->complete_seq < version->submit_seq)
            e->replaced_seq = version->complete_seq;
        if (e->replaced_seq && e->replaced_seq < horizon) {
            version_unref(e->version);
            g_array_remove_index_fast(s->entries, i);
        }
    }
    entry_add(s, (struct entry){ version, 0 });
}

void content_add(struct content *c, const struct version *version, bool replaces, uint64_t horizon)
{
    struct version *copy = g_memdup2(version, sizeof(*version));
    struct version *initial = g_memdup2(&content_initial, sizeof(content_initial));
    uint64_t at = version->first;

    copy->refs = initial->refs = 1;
    cut(c, version->first);
    cut(c, version->end);
    while (at < version->end) {
        struct segment *s = segment_behind(c, at);

        if (!s || s->first > at) {
            s = segment_add(c, at, s ? MIN(s->first, version->end) : version->end);
            entry_add(s, (struct entry){ initial, 0 });
        }
        segment_put(s, copy, replaces, horizon);
        at = s->end;
    }
    version_unref(copy);
    version_unref(initial);
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
            visit(data, at, next, &content_initial);
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
