/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk verify: the bytes that differ. Where a command's bytes are kept is
 * noted as the trace passes; they are read for the blocks that differ only.
 */
#include "verify-bytes.h"

#include <string.h>

#define CHUNK 65536u

struct command {
    uint64_t lba;
    struct td_complete complete; /* of which the parts count */
};

struct kept_bytes {
    GHashTable *commands; /* number -> struct command, NULL before it was seen */
};

static void command_free(void *data)
{
    struct command *command = data;

    if (!command)
        return;
    g_free((void *)command->complete.parts);
    g_free(command);
}

static void need(struct kept_bytes *k, uint64_t seq)
{
    g_hash_table_insert(k->commands, g_memdup2(&seq, sizeof(seq)), NULL);
}

struct kept_bytes *kept_bytes_new(const GPtrArray *mismatches)
{
    struct kept_bytes *k = g_new0(struct kept_bytes, 1);

    k->commands = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, command_free);
    for (guint i = 0; i < mismatches->len; i++) {
        const struct mismatch *m = g_ptr_array_index(mismatches, i);

        need(k, m->read.seq);
        for (guint n = 0; n < m->read.legal->len; n++)
            need(k, ((const struct version *)g_ptr_array_index(m->read.legal, n))->seq);
    }
    return k;
}

void kept_bytes_free(struct kept_bytes *k)
{
    g_hash_table_unref(k->commands);
    g_free(k);
}

void kept_bytes_see(struct kept_bytes *k, const struct td_command *c)
{
    size_t size = c->complete.n_parts * sizeof(struct td_part);
    struct command *command;

    if (c->complete.status != TD_GOOD || !size || !(c->decoded.flags & TD_HAS_LBA) ||
        !g_hash_table_contains(k->commands, &c->seq))
        return;
    command = g_new0(struct command, 1);
    command->lba = c->decoded.lba;
    command->complete.parts = g_memdup2(c->complete.parts, size);
    command->complete.n_parts = c->complete.n_parts;
    g_hash_table_insert(k->commands, g_memdup2(&c->seq, sizeof(c->seq)), command);
}

/* ---- Comparing ---- */

/* Bytes of a block and what follows, as far as they are kept, up to len. */
static size_t read_bytes(const struct command *c, struct td_reader *reader, uint64_t at,
                         uint32_t block_size, uint8_t *buf, size_t len)
{
    uint64_t start = c->lba * block_size;
    int64_t n = at < start ? 0 : td_reader_payload(reader, &c->complete, at - start, buf, len);

    return n < 0 ? 0 : (size_t)n;
}

/* expected NULL: zeros. at, end: bytes on the disk. */
static void compare(const struct command *returned, const struct command *expected,
                    struct td_reader *reader, uint32_t block_size, uint64_t at, uint64_t end,
                    struct difference *d)
{
    uint8_t one[CHUNK], other[CHUNK];

    while (at < end) {
        size_t n = read_bytes(returned, reader, at, block_size, one, MIN(CHUNK, end - at));

        memset(other, 0, n);
        if (expected)
            n = read_bytes(expected, reader, at, block_size, other, n);
        for (size_t i = 0; i < n; i++) {
            if (one[i] != other[i]) {
                *d = (struct difference){ true, (at + i) / block_size,
                                          (uint32_t)((at + i) % block_size), one[i], other[i] };
                return;
            }
        }
        if (!n)
            return;
        at += n;
    }
}

void kept_bytes_compare(const struct kept_bytes *k, struct td_reader *reader, struct mismatch *m,
                        uint32_t block_size)
{
    const struct oracle_result *r = &m->read;
    const struct command *returned = g_hash_table_lookup(k->commands, &r->seq);
    uint64_t first = r->has_block ? r->block : r->lba;
    uint64_t blocks = r->has_block ? 1 : r->blocks;

    for (guint i = 0; returned && i < r->legal->len; i++) {
        const struct version *v = g_ptr_array_index(r->legal, i);
        const struct command *expected = g_hash_table_lookup(k->commands, &v->seq);

        if (v->kind == CONTENT_ZEROS || (v->kind == CONTENT_BYTES && expected))
            compare(returned, v->kind == CONTENT_ZEROS ? NULL : expected, reader, block_size,
                    first * block_size, (first + blocks) * block_size,
                    &g_array_index(m->differences, struct difference, i));
    }
}
