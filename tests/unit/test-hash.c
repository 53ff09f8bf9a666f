/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Payload hashes: known answers, and the same result however a payload is cut
 * into elements.
 */
#include <errno.h>
#include <glib.h>
#include <string.h>

#include "tracedisk.h"

static const enum td_hash_kind kinds[] = { TD_HASH_NONE, TD_HASH_CRC32, TD_HASH_XXH3 };

static void check_text(enum td_hash_kind kind, const char *data, const char *expected)
{
    struct iovec iov = { (void *)data, strlen(data) };
    struct td_digest digest;
    char buf[40];

    td_hash_iov(kind, &iov, 1, strlen(data), &digest);
    g_assert_cmpstr(td_digest_text(&digest, buf), ==, expected);
}

/* The check values of the CRC catalogue, and of xxHash's own xxh128sum. */
static void test_known(void)
{
    check_text(TD_HASH_NONE, "123456789", "none");
    check_text(TD_HASH_CRC32, "123456789", "crc32:cbf43926");
    check_text(TD_HASH_CRC32, "", "crc32:00000000");
    check_text(TD_HASH_XXH3, "", "xxh3:99aa06d3014798d86001c324468d497f");
}

static void test_pieces(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(1);
    enum { SIZE = 1 << 18 };
    g_autofree uint8_t *data = g_malloc(SIZE);

    for (int i = 0; i < SIZE; i++) {
        data[i] = (uint8_t)g_rand_int(rand);
    }
    for (int round = 0; round < 1000; round++) {
        size_t size = (size_t)g_rand_int_range(rand, 0, round % 10 ? 3000 : SIZE), at = 0;
        size_t bytes = (size_t)g_rand_int_range(rand, 0, (gint32)size + 10);
        struct iovec whole = { data, size }, pieces[16];
        size_t n = (size_t)g_rand_int_range(rand, 1, 17);

        for (size_t i = 0; i < n; i++) {
            size_t len = i + 1 < n ? (size_t)g_rand_int_range(rand, 0, (gint32)(size - at) + 1)
                                   : size - at;

            pieces[i] = (struct iovec){ len ? data + at : NULL, len };
            at += len;
        }
        for (size_t k = 0; k < G_N_ELEMENTS(kinds); k++) {
            struct td_digest a, b, c;
            struct td_hasher *hasher = td_hasher_new(kinds[k]);
            size_t left = MIN(bytes, size);

            td_hash_iov(kinds[k], &whole, 1, bytes, &a);
            td_hash_iov(kinds[k], pieces, n, bytes, &b);
            td_hasher_begin(hasher);
            td_hasher_add(hasher, "other", 5);
            td_hasher_begin(hasher);
            for (size_t i = 0; i < n; i++) {
                size_t len = MIN(pieces[i].iov_len, left);

                td_hasher_add(hasher, pieces[i].iov_base, len);
                left -= len;
            }
            td_hasher_end(hasher, &c);
            td_hasher_free(hasher);
            g_assert_cmpint(a.kind, ==, kinds[k]);
            g_assert_true(td_digest_equal(&a, &b));
            g_assert_true(td_digest_equal(&a, &c));
        }
    }
    td_hasher_free(NULL);
}

/* However the payload comes, each whole block has its own hash. */
static void test_sectors(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(2);
    enum { SIZE = 1 << 16, BLOCK = 512 };
    g_autofree uint8_t *data = g_malloc(SIZE);
    struct td_sectors *sectors = td_sectors_new(BLOCK);

    for (int i = 0; i < SIZE; i++) {
        data[i] = (uint8_t)g_rand_int(rand);
    }
    for (int round = 0; round < 200; round++) {
        size_t size = (size_t)g_rand_int_range(rand, 0, SIZE), at = 0;
        const uint8_t *hashes;
        uint32_t n;

        td_sectors_begin(sectors);
        while (at < size) {
            size_t len = (size_t)g_rand_int_range(rand, 0, round % 2 ? 700 : 7000);

            len = MIN(len, size - at);
            g_assert_cmpint(td_sectors_add(sectors, data + at, len), ==, 0);
            at += len;
        }
        hashes = td_sectors_end(sectors, &n);
        g_assert_cmpuint(n, ==, size / BLOCK);
        for (uint32_t i = 0; i < n; i++) {
            uint8_t hash[TD_SECTOR_HASH];

            td_sector_hash(data + (size_t)i * BLOCK, BLOCK, hash);
            g_assert_cmpmem(hash, sizeof(hash), hashes + (size_t)i * TD_SECTOR_HASH,
                            TD_SECTOR_HASH);
        }
    }
    td_sectors_free(sectors);
    td_sectors_free(NULL);
}

static void test_most_sectors(void)
{
    struct td_sectors *sectors = td_sectors_new(1);
    uint8_t bytes[1000] = { 0 };
    uint32_t n;

    td_sectors_begin(sectors);
    for (int i = 0; i < 70; i++) {
        g_assert_cmpint(td_sectors_add(sectors, bytes, sizeof(bytes)), ==, 0);
    }
    g_assert_nonnull(td_sectors_end(sectors, &n));
    g_assert_cmpuint(n, ==, TD_MAX_SECTORS);
    td_sectors_free(sectors);
}

static void test_equal(void)
{
    struct td_digest a = { TD_HASH_CRC32, { 1, 2, 3, 4 } }, b = a;

    b.bytes[4] = 9; /* not of the digest */
    g_assert_true(td_digest_equal(&a, &b));
    b.bytes[3] = 9;
    g_assert_false(td_digest_equal(&a, &b));
    b = a;
    b.kind = TD_HASH_XXH3;
    g_assert_false(td_digest_equal(&a, &b));
}

static void test_words(void)
{
    enum td_hash_kind kind;

    for (size_t i = 0; i < G_N_ELEMENTS(kinds); i++) {
        g_assert_cmpint(td_hash_kind_parse(td_hash_kind_name(kinds[i]), &kind), ==, 0);
        g_assert_cmpint(kind, ==, kinds[i]);
    }
    g_assert_cmpint(td_hash_kind_parse("md5", &kind), ==, -EINVAL);
    g_assert_cmpint(td_hash_kind_parse("", &kind), ==, -EINVAL);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/hash/known", test_known);
    g_test_add_func("/hash/pieces", test_pieces);
    g_test_add_func("/hash/sectors", test_sectors);
    g_test_add_func("/hash/most-sectors", test_most_sectors);
    g_test_add_func("/hash/equal", test_equal);
    g_test_add_func("/hash/words", test_words);
    return g_test_run();
}
