/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Block ranges of a device, disjoint and in order. */
#include "extents.h"

struct extent {
    uint64_t first, end; /* [first, end) */
};

struct extents {
    GTree *tree;    /* by first; disjoint, so the order of first is that of end */
    uint64_t grain; /* all bounds are multiples of it */
};

static gint compare_first(gconstpointer a, gconstpointer b, gpointer data)
{
    const struct extent *x = a, *y = b;

    (void)data;
    return (x->first > y->first) - (x->first < y->first);
}

struct extents *extents_new(void)
{
    struct extents *e = g_new0(struct extents, 1);

    e->tree = g_tree_new_full(compare_first, NULL, g_free, NULL);
    e->grain = 1;
    return e;
}

void extents_free(struct extents *e)
{
    if (!e)
        return;
    g_tree_unref(e->tree);
    g_free(e);
}

/* The first extent that ends behind a block; NULL if there is none. */
static const struct extent *first_behind(const struct extents *e, uint64_t block)
{
    const struct extent key = { .first = block };
    GTreeNode *node = g_tree_upper_bound(e->tree, &key);
    GTreeNode *before = node ? g_tree_node_previous(node) : g_tree_node_last(e->tree);

    if (before && ((const struct extent *)g_tree_node_key(before))->end > block)
        node = before;
    return node ? g_tree_node_key(node) : NULL;
}

static void join(struct extents *e, uint64_t first, uint64_t end)
{
    uint64_t over = end % e->grain, rest = over ? e->grain - over : 0;
    struct extent whole = {
        .first = first - first % e->grain,
        .end = end + MIN(rest, UINT64_MAX - end),
    };
    const struct extent *x;

    first = whole.first;
    end = whole.end;
    /* Neighbours, which end at `first` or begin at `end`, join as well. */
    while ((x = first_behind(e, first ? first - 1 : 0)) && x->first <= end) {
        whole.first = MIN(whole.first, x->first);
        whole.end = MAX(whole.end, x->end);
        g_tree_remove(e->tree, x);
    }
    g_tree_insert(e->tree, g_memdup2(&whole, sizeof(whole)), NULL);
}

static void coarsen(struct extents *e)
{
    GTree *fine = e->tree;

    e->grain *= 2;
    e->tree = g_tree_new_full(compare_first, NULL, g_free, NULL);
    for (GTreeNode *node = g_tree_node_first(fine); node; node = g_tree_node_next(node)) {
        const struct extent *x = g_tree_node_key(node);

        join(e, x->first, x->end);
    }
    g_tree_unref(fine);
}

void extents_join(struct extents *e, uint64_t first, uint64_t end)
{
    join(e, first, end);
    while (g_tree_nnodes(e->tree) > EXTENTS_MAX)
        coarsen(e);
}

bool extents_find_hole(const struct extents *e, uint64_t first, uint64_t end, uint64_t *hole)
{
    const struct extent *x = first_behind(e, first);

    *hole = x && x->first <= first ? x->end : first;
    /* Joined extents never touch: behind one there is a hole. */
    return *hole < end;
}

bool extents_overlap(const struct extents *e, uint64_t first, uint64_t end)
{
    const struct extent *x = first_behind(e, first);

    return x && first < end && x->first < end;
}
