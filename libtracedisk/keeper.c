/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeping payloads.
 *
 * A payload is cut into pieces of TD_PIECE bytes. A piece of zeros is only told
 * of; one that the trace holds is referred to; the others gather in a group,
 * which becomes one PAYLOAD: together they deflate better than one by one. The
 * group is small, so that little of a block is left when the next does not fit.
 *
 * A piece counts as the same when its XXH3 of 128 bits is, whatever hash the
 * device's payloads have.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>
#include <zlib.h>

#include "tracedisk.h"

#define GROUP_PIECES 3
#define GROUP_MAX (GROUP_PIECES * TD_PIECE)

/* Each piece has a few places in the table; the oldest one gives way. */
#define WAYS 4

/* As fast as zlib can: the guest waits. tracedisk-pack(1) deflates again. */
#define LEVEL 1

struct piece {
    XXH128_hash_t hash;
    uint64_t seq; /* of its PAYLOAD; 0: free */
    uint32_t offset, len;
};

struct td_pieces {
    pthread_mutex_t lock;
    struct piece table[TD_PIECES / WAYS][WAYS];
};

struct td_keeper {
    struct td_pieces *pieces;
    z_stream z;
    /* The piece that came in part. */
    uint32_t begun;
    uint8_t piece[TD_PIECE];
    /* New pieces, not written yet. */
    uint32_t n_group, group_len;
    struct piece group[GROUP_PIECES];
    uint8_t bytes[GROUP_MAX];
    uint8_t deflated[GROUP_MAX];
    /* What the payload consists of. Those in the group have the number GROUP. */
    struct td_part *parts;
    uint32_t n_parts, parts_size;
    uint32_t n_sure; /* parts that are in the trace */
    bool full;       /* no more is kept of this payload */
};

/* No record has it: numbers are taken one by one. */
#define GROUP UINT64_MAX

/* ---- What the trace holds ---- */

struct td_pieces *td_pieces_new(void)
{
    struct td_pieces *pieces = calloc(1, sizeof(*pieces));

    if (pieces) {
        pthread_mutex_init(&pieces->lock, NULL);
    }
    return pieces;
}

void td_pieces_free(struct td_pieces *pieces)
{
    if (pieces) {
        pthread_mutex_destroy(&pieces->lock);
        free(pieces);
    }
}

static bool is_same(const struct piece *a, const struct piece *b)
{
    return a->len == b->len && XXH128_isEqual(a->hash, b->hash);
}

static struct piece *places_of(struct td_pieces *pieces, const struct piece *piece)
{
    return pieces->table[piece->hash.low64 % (TD_PIECES / WAYS)];
}

static bool look_up(struct td_pieces *pieces, struct piece *piece)
{
    struct piece *places = places_of(pieces, piece);
    bool found = false;

    pthread_mutex_lock(&pieces->lock);
    for (int i = 0; i < WAYS && !found; i++) {
        found = places[i].seq && is_same(&places[i], piece);
        if (found) {
            *piece = places[i];
        }
    }
    pthread_mutex_unlock(&pieces->lock);
    return found;
}

static void remember(struct td_pieces *pieces, const struct piece *piece)
{
    struct piece *places = places_of(pieces, piece), *oldest = places;

    pthread_mutex_lock(&pieces->lock);
    for (int i = 1; i < WAYS; i++) {
        oldest = places[i].seq < oldest->seq ? &places[i] : oldest;
    }
    *oldest = *piece;
    pthread_mutex_unlock(&pieces->lock);
}

/* ---- The parts of a payload ---- */

struct td_keeper *td_keeper_new(struct td_pieces *pieces)
{
    struct td_keeper *k = calloc(1, sizeof(*k));

    if (!k) {
        return NULL;
    }
    k->pieces = pieces;
    if (deflateInit(&k->z, LEVEL) != Z_OK) {
        free(k);
        return NULL;
    }
    return k;
}

void td_keeper_free(struct td_keeper *k)
{
    if (k) {
        deflateEnd(&k->z);
        free(k->parts);
        free(k);
    }
}

void td_keeper_begin(struct td_keeper *k)
{
    k->begun = 0;
    k->n_group = 0;
    k->group_len = 0;
    k->n_parts = 0;
    k->n_sure = 0;
    k->full = false;
}

static int need_part(struct td_keeper *k)
{
    uint32_t size = k->parts_size ? 2 * k->parts_size : 16;
    struct td_part *parts;

    if (k->n_parts < k->parts_size) {
        return 0;
    }
    parts = realloc(k->parts, size * sizeof(*parts));
    if (!parts) {
        return -ENOMEM;
    }
    k->parts = parts;
    k->parts_size = size;
    return 0;
}

/* Append a part to the payload, or to its last part where that goes on. */
static int add_part(struct td_keeper *k, const struct piece *piece)
{
    struct td_part *last = k->n_parts ? &k->parts[k->n_parts - 1] : NULL;

    if (last && last->seq == piece->seq &&
        (!piece->seq || last->offset + last->len == piece->offset)) {
        last->len += piece->len;
        return 0;
    }
    if (k->n_parts == TD_MAX_PARTS) {
        k->full = true;
        return 0;
    }
    if (need_part(k) < 0) {
        return -ENOMEM;
    }
    k->parts[k->n_parts++] = (struct td_part){ piece->len, piece->seq, piece->offset };
    return 0;
}

/* ---- Writing ---- */

/* Where it does not get smaller it stays as it is. */
static void deflate_group(struct td_keeper *k, struct td_payload *payload)
{
    *payload = (struct td_payload){
        .codec = TD_CODEC_NONE,
        .len = k->group_len,
        .data = k->bytes,
        .data_len = k->group_len,
    };
    k->z.next_in = k->bytes;
    k->z.avail_in = k->group_len;
    k->z.next_out = k->deflated;
    k->z.avail_out = k->group_len;
    if (deflateReset(&k->z) == Z_OK && deflate(&k->z, Z_FINISH) == Z_STREAM_END) {
        payload->codec = TD_CODEC_ZLIB;
        payload->data = k->deflated;
        payload->data_len = k->group_len - k->z.avail_out;
    }
}

static int write_group(struct td_keeper *k, struct td_stream *stream, uint64_t time_ns)
{
    struct td_payload payload;
    uint64_t seq;
    int ret;

    if (!k->n_group) {
        return 0;
    }
    deflate_group(k, &payload);
    ret = td_put_payload(stream, time_ns, &payload, &seq);
    if (ret < 0) {
        return ret;
    }
    /* Nobody may refer to it before it is there. */
    for (uint32_t i = 0; i < k->n_group; i++) {
        k->group[i].seq = seq;
        remember(k->pieces, &k->group[i]);
    }
    for (uint32_t i = k->n_sure; i < k->n_parts; i++) {
        k->parts[i].seq = k->parts[i].seq == GROUP ? seq : k->parts[i].seq;
    }
    k->n_sure = k->n_parts;
    k->n_group = 0;
    k->group_len = 0;
    return ret;
}

static bool is_in_group(const struct td_keeper *k, struct piece *piece)
{
    for (uint32_t i = 0; i < k->n_group; i++) {
        if (is_same(&k->group[i], piece)) {
            *piece = k->group[i];
            return true;
        }
    }
    return false;
}

static bool is_zero(const uint8_t *p, size_t n)
{
    return p[0] == 0 && memcmp(p, p + 1, n - 1) == 0;
}

/* The next whole piece, or the payload's last one. Not taken when it fails. */
static int add_piece(struct td_keeper *k, struct td_stream *stream, uint64_t time_ns,
                     const uint8_t *data, uint32_t len)
{
    struct piece piece = { .len = len };
    int ret = 0;

    if (!is_zero(data, len)) {
        piece.hash = XXH3_128bits(data, len);
        if (!is_in_group(k, &piece) && !look_up(k->pieces, &piece)) {
            if (k->n_group == GROUP_PIECES) {
                ret = write_group(k, stream, time_ns);
                if (ret < 0) {
                    return ret;
                }
            }
            piece.seq = GROUP;
            piece.offset = k->group_len;
            k->group[k->n_group++] = piece;
            memcpy(k->bytes + k->group_len, data, len);
            k->group_len += len;
        }
    }
    return add_part(k, &piece) < 0 ? -ENOMEM : ret;
}

int td_keeper_add(struct td_keeper *k, struct td_stream *stream, uint64_t time_ns, const void *data,
                  size_t bytes, size_t *done)
{
    const uint8_t *p = data;
    int ret = 0;

    *done = 0;
    while (*done < bytes && !k->full) {
        size_t left = bytes - *done, n = TD_PIECE - k->begun;
        int got = 0;

        if (!k->begun && left >= TD_PIECE) {
            got = add_piece(k, stream, time_ns, p + *done, TD_PIECE);
        } else {
            n = left < n ? left : n;
            memcpy(k->piece + k->begun, p + *done, n);
            if (k->begun + n == TD_PIECE) {
                got = add_piece(k, stream, time_ns, k->piece, TD_PIECE);
            }
            k->begun = got < 0 ? k->begun : (uint32_t)((k->begun + n) % TD_PIECE);
        }
        if (got < 0) {
            return got;
        }
        ret |= got;
        *done += n;
    }
    *done = bytes;
    return ret;
}

int td_keeper_end(struct td_keeper *k, struct td_stream *stream, uint64_t time_ns)
{
    int first = 0, ret;

    if (k->begun && !k->full) {
        first = add_piece(k, stream, time_ns, k->piece, k->begun);
        if (first < 0) {
            return first;
        }
        k->begun = 0;
    }
    ret = write_group(k, stream, time_ns);
    if (ret < 0) {
        return ret;
    }
    k->n_sure = k->n_parts;
    return ret | first;
}

const struct td_part *td_keeper_parts(const struct td_keeper *k, uint32_t *n)
{
    *n = k->n_sure;
    return *n ? k->parts : NULL;
}

uint64_t td_kept_bytes(const struct td_complete *complete)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < complete->n_parts; i++) {
        bytes += complete->parts[i].len;
    }
    return bytes;
}
