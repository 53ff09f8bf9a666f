/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What blocks may hold, within a limit: what is known of them is less than
 * without one, and never wrong.
 */
#include <string.h>

#include "tools/content.h"

#define BLOCKS 4096
#define SHORTEST 24 /* commands in flight */
#define SEED 90

struct legal {
    GArray *seqs; /* of all versions; 0: as it was initially */
};

static void note(void *data, uint64_t first, uint64_t end, const struct version *version)
{
    struct legal *legal = data;

    g_assert_cmpuint(first, <, end);
    g_array_append_val(legal->seqs, version->seq);
}

static bool has(const struct legal *legal, uint64_t seq)
{
    for (guint i = 0; i < legal->seqs->len; i++) {
        if (g_array_index(legal->seqs, uint64_t, i) == seq)
            return true;
    }
    return false;
}

static void look(const struct content *c, uint64_t block, uint64_t from, uint64_t to,
                 struct legal *legal)
{
    g_array_set_size(legal->seqs, 0);
    content_legal(c, block, block + 1, from, to, note, legal);
    g_assert_cmpuint(legal->seqs->len, >, 0);
}

/* Whatever is legal of all must be legal of the limited one, or anything is. */
static void compare(const struct content *all, const struct content *limited, uint64_t block,
                    uint64_t from, uint64_t to, unsigned *known)
{
    struct legal a = { .seqs = g_array_new(FALSE, FALSE, sizeof(uint64_t)) };
    struct legal b = { .seqs = g_array_new(FALSE, FALSE, sizeof(uint64_t)) };

    look(all, block, from, to, &a);
    look(limited, block, from, to, &b);
    for (guint i = 0; !has(&b, 0) && i < a.seqs->len; i++)
        g_assert_true(has(&b, g_array_index(a.seqs, uint64_t, i)));
    *known += !has(&b, 0);
    g_array_unref(a.seqs);
    g_array_unref(b.seqs);
}

static struct version random_write(GRand *rand, uint64_t *seq)
{
    struct version v = { .kind = CONTENT_BYTES, .command = "WRITE" };

    v.first = (uint64_t)g_rand_int_range(rand, 0, BLOCKS - 16);
    v.end = v.first + (uint64_t)g_rand_int_range(rand, 1, 16);
    v.seq = v.submit_seq = (*seq)++;
    return v;
}

static void give(struct content *c, const struct version *v, bool replaces, uint64_t horizon)
{
    struct version copy = *v;

    copy.sectors = g_malloc0((v->end - v->first) * TD_SECTOR_HASH);
    content_add(c, &copy, replaces, horizon);
}

static uint64_t horizon_of(const struct version *flying, unsigned n)
{
    uint64_t seq = UINT64_MAX;

    for (unsigned i = 0; i < n; i++)
        seq = MIN(seq, flying[i].seq);
    return seq;
}

static void test_limit(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(SEED);
    struct content *all = content_new(), *limited = content_new();
    struct version flying[SHORTEST];
    unsigned known = 0, looks = 0;
    uint64_t seq = 1;

    content_limit(limited, 40000);
    for (unsigned i = 0; i < SHORTEST; i++)
        flying[i] = random_write(rand, &seq);
    for (unsigned i = 0; i < 20000; i++) {
        unsigned n = (unsigned)g_rand_int_range(rand, 0, SHORTEST);
        bool replaces = g_rand_int_range(rand, 0, 10) > 0; /* else it failed */
        uint64_t from = seq > 30 ? seq - (uint64_t)g_rand_int_range(rand, 1, 30) : 1;

        flying[n].complete_seq = seq++;
        give(all, &flying[n], replaces, MIN(from, horizon_of(flying, SHORTEST)));
        give(limited, &flying[n], replaces, MIN(from, horizon_of(flying, SHORTEST)));
        flying[n] = random_write(rand, &seq);
        /* Half of the looks at where something was written just now. */
        compare(all, limited, i % 2 ? (uint64_t)g_rand_int_range(rand, 0, BLOCKS) : flying[n].first,
                from, seq, &known);
        looks++;
        g_assert_cmpuint(content_bytes(limited), <, 45000);
    }
    g_assert_cmpuint(content_bytes(all), >, 200000);
    /* It is not that it knows nothing. */
    g_assert_cmpuint(known, >, looks / 20);
    g_assert_cmpuint(known, <, looks);
    content_free(all);
    content_free(limited);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/content/limit", test_limit);
    return g_test_run();
}
