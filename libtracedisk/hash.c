/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Payload hashes: libxxhash's XXH3 and the crc32 of zlib over I/O vectors.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "avx.h"
#include "crc.h"
#include "tracedisk.h"

/* For XXH3_state_t on the stack. */
#define XXH_STATIC_LINKING_ONLY

/* On x86 the dispatching entry points use AVX2 and AVX-512: three times SSE2. */
#if defined(__x86_64__) && defined(__has_include)
#if __has_include(<xxh_x86dispatch.h>)
#define HAVE_DISPATCH 1
#endif
#endif
#ifdef HAVE_DISPATCH
#include <xxh_x86dispatch.h>
#else
#include <xxhash.h>
#endif

static const char *const names[] = {
    [TD_HASH_NONE] = "none",
    [TD_HASH_CRC32] = "crc32",
    [TD_HASH_XXH3] = "xxh3",
};

#define N_KINDS (sizeof(names) / sizeof(names[0]))

size_t td_digest_size(enum td_hash_kind kind)
{
    switch (kind) {
    case TD_HASH_CRC32:
        return 4;
    case TD_HASH_XXH3:
        return 16;
    case TD_HASH_NONE:
    default:
        return 0;
    }
}

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

static uint32_t crc32_iov(const struct iovec *iov, size_t n_iov, size_t bytes)
{
    uint32_t crc = 0;

    for (size_t i = 0; i < n_iov && bytes; i++) {
        size_t n = min_size(iov[i].iov_len, bytes);

        crc = td_crc32(crc, iov[i].iov_base, n);
        bytes -= n;
    }
    return crc;
}

static XXH128_hash_t xxh3_pieces(const struct iovec *iov, size_t n_iov, size_t bytes)
{
    XXH3_state_t state;

    XXH3_128bits_reset(&state);
    for (size_t i = 0; i < n_iov && bytes; i++) {
        size_t n = min_size(iov[i].iov_len, bytes);

        if (n) {
            XXH3_128bits_update(&state, iov[i].iov_base, n);
        }
        bytes -= n;
    }
    td_leave_avx();
    return XXH3_128bits_digest(&state);
}

static XXH128_hash_t xxh3_iov(const struct iovec *iov, size_t n_iov, size_t bytes)
{
    XXH128_hash_t hash;

    /* The one-shot function has no state to set up, and is faster when short. */
    if (n_iov == 1 || (n_iov && iov[0].iov_len >= bytes)) {
        hash = XXH3_128bits(iov[0].iov_base, min_size(iov[0].iov_len, bytes));
        td_leave_avx();
        return hash;
    }
    return xxh3_pieces(iov, n_iov, bytes);
}

static void set_crc32(struct td_digest *digest, uint32_t crc)
{
    for (int i = 0; i < 4; i++) {
        digest->bytes[i] = (uint8_t)(crc >> (24 - 8 * i));
    }
}

/* The canonical form, that is big-endian (xxhash.h, XXH128_canonicalFromHash()). */
static void set_xxh3(struct td_digest *digest, XXH128_hash_t hash)
{
    const uint64_t canonical[2] = { htobe64(hash.high64), htobe64(hash.low64) };

    memcpy(digest->bytes, canonical, sizeof(canonical));
}

void td_hash_iov(enum td_hash_kind kind, const struct iovec *iov, size_t n_iov, size_t bytes,
                 struct td_digest *digest)
{
    memset(digest, 0, sizeof(*digest));
    digest->kind = kind;
    switch (kind) {
    case TD_HASH_CRC32:
        set_crc32(digest, crc32_iov(iov, n_iov, bytes));
        break;
    case TD_HASH_XXH3:
        set_xxh3(digest, xxh3_iov(iov, n_iov, bytes));
        break;
    case TD_HASH_NONE:
    default:
        digest->kind = TD_HASH_NONE;
    }
}

struct td_hasher {
    enum td_hash_kind kind;
    uint32_t crc;
    XXH3_state_t *xxh3;
};

struct td_hasher *td_hasher_new(enum td_hash_kind kind)
{
    struct td_hasher *hasher = calloc(1, sizeof(*hasher));

    if (!hasher) {
        return NULL;
    }
    hasher->kind = kind;
    if (kind == TD_HASH_XXH3) {
        hasher->xxh3 = XXH3_createState();
        if (!hasher->xxh3) {
            free(hasher);
            return NULL;
        }
    }
    return hasher;
}

void td_hasher_free(struct td_hasher *hasher)
{
    if (hasher) {
        XXH3_freeState(hasher->xxh3);
        free(hasher);
    }
}

void td_hasher_begin(struct td_hasher *hasher)
{
    hasher->crc = 0;
    if (hasher->xxh3) {
        XXH3_128bits_reset(hasher->xxh3);
    }
}

void td_hasher_add(struct td_hasher *hasher, const void *data, size_t bytes)
{
    if (!bytes) {
        return;
    }
    if (hasher->xxh3) {
        XXH3_128bits_update(hasher->xxh3, data, bytes);
        td_leave_avx();
    } else if (hasher->kind == TD_HASH_CRC32) {
        hasher->crc = td_crc32(hasher->crc, data, bytes);
    }
}

void td_hasher_end(struct td_hasher *hasher, struct td_digest *digest)
{
    memset(digest, 0, sizeof(*digest));
    digest->kind = hasher->kind;
    if (hasher->xxh3) {
        set_xxh3(digest, XXH3_128bits_digest(hasher->xxh3));
    } else if (hasher->kind == TD_HASH_CRC32) {
        set_crc32(digest, hasher->crc);
    }
}

/* ---- Each block's own ---- */

struct td_sectors {
    uint32_t block_size;
    uint32_t n, capacity;
    uint8_t *hashes;
    size_t begun;       /* bytes of a block that came in part */
    XXH3_state_t *part; /* its hash so far */
    bool failed;
};

struct td_sectors *td_sectors_new(uint32_t block_size)
{
    struct td_sectors *s = calloc(1, sizeof(*s));

    if (!s) {
        return NULL;
    }
    s->block_size = block_size;
    s->part = XXH3_createState();
    if (!s->part) {
        free(s);
        return NULL;
    }
    return s;
}

void td_sectors_free(struct td_sectors *s)
{
    if (s) {
        XXH3_freeState(s->part);
        free(s->hashes);
        free(s);
    }
}

void td_sectors_begin(struct td_sectors *s)
{
    s->n = 0;
    s->begun = 0;
    s->failed = false;
}

static void set_sector(uint8_t hash[TD_SECTOR_HASH], XXH64_hash_t value)
{
    XXH64_canonical_t canonical;

    XXH64_canonicalFromHash(&canonical, value);
    memcpy(hash, canonical.digest, TD_SECTOR_HASH);
}

void td_sector_hash(const void *data, size_t bytes, uint8_t hash[TD_SECTOR_HASH])
{
    XXH64_hash_t value = XXH3_64bits(data, bytes);

    td_leave_avx();
    set_sector(hash, value);
}

static int add_sector(struct td_sectors *s, XXH64_hash_t value)
{
    if (s->n == s->capacity) {
        uint32_t capacity = s->capacity ? 2 * s->capacity : 64;
        uint8_t *hashes = realloc(s->hashes, (size_t)capacity * TD_SECTOR_HASH);

        if (!hashes) {
            s->failed = true;
            return -ENOMEM;
        }
        s->hashes = hashes;
        s->capacity = capacity;
    }
    set_sector(s->hashes + (size_t)s->n++ * TD_SECTOR_HASH, value);
    return 0;
}

int td_sectors_add(struct td_sectors *s, const void *data, size_t bytes)
{
    const uint8_t *p = data;
    int ret = s->failed ? -ENOMEM : 0;

    for (size_t n; bytes && !ret && s->n < TD_MAX_SECTORS; p += n, bytes -= n) {
        n = min_size(s->block_size - s->begun, bytes);
        if (n == s->block_size) {
            ret = add_sector(s, XXH3_64bits(p, n));
            continue;
        }
        if (!s->begun) {
            XXH3_64bits_reset(s->part);
        }
        XXH3_64bits_update(s->part, p, n);
        s->begun += n;
        if (s->begun == s->block_size) {
            s->begun = 0;
            ret = add_sector(s, XXH3_64bits_digest(s->part));
        }
    }
    td_leave_avx();
    return ret;
}

const uint8_t *td_sectors_end(const struct td_sectors *s, uint32_t *n)
{
    *n = s->n;
    return s->n ? s->hashes : NULL;
}

bool td_digest_equal(const struct td_digest *a, const struct td_digest *b)
{
    return a->kind == b->kind && memcmp(a->bytes, b->bytes, td_digest_size(a->kind)) == 0;
}

const char *td_digest_text(const struct td_digest *digest, char *buf)
{
    static const char hex[] = "0123456789abcdef";
    size_t n = td_digest_size(digest->kind);
    char *p = stpcpy(buf, td_hash_kind_name(digest->kind));

    if (n) {
        *p++ = ':';
    }
    for (size_t i = 0; i < n; i++) {
        *p++ = hex[digest->bytes[i] >> 4];
        *p++ = hex[digest->bytes[i] & 15];
    }
    *p = 0;
    return buf;
}

int td_hash_kind_parse(const char *word, enum td_hash_kind *kind)
{
    for (size_t i = 0; i < N_KINDS; i++) {
        if (strcmp(word, names[i]) == 0) {
            *kind = (enum td_hash_kind)i;
            return 0;
        }
    }
    return -EINVAL;
}

const char *td_hash_kind_name(enum td_hash_kind kind)
{
    return (unsigned)kind < N_KINDS ? names[kind] : "unknown";
}
