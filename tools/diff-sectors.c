/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk diff: the blocks' own hashes of a few commands, as sectors=on
 * records them. They are too many to be kept for all commands, so that the
 * trace is read once more for those that are needed.
 */
#include "diff.h"

struct diff_sectors {
    GHashTable *of; /* sequence number of a SUBMIT -> GBytes; NULL: wanted */
};

static void free_bytes(gpointer bytes)
{
    if (bytes)
        g_bytes_unref(bytes);
}

struct diff_sectors *diff_sectors_new(void)
{
    struct diff_sectors *s = g_new(struct diff_sectors, 1);

    s->of = g_hash_table_new_full(NULL, NULL, NULL, free_bytes);
    return s;
}

void diff_sectors_free(struct diff_sectors *s)
{
    g_hash_table_unref(s->of);
    g_free(s);
}

void diff_sectors_want(struct diff_sectors *s, const struct diff_command *c)
{
    g_hash_table_insert(s->of, GUINT_TO_POINTER(c->seq), NULL);
}

void diff_sectors_read(struct diff_sectors *s, const char *path)
{
    struct td_reader *reader;
    struct td_record record;

    if (g_hash_table_size(s->of) == 0 || td_reader_open(path, &reader, NULL) != 0)
        return; /* what is wrong with the trace was said when it was loaded */
    while (td_reader_next(reader, &record) > 0) {
        const struct td_complete *c = &record.complete;
        gpointer key;

        if (record.kind != TD_COMPLETE || !c->sectors || c->submit_seq > UINT32_MAX)
            continue;
        key = GUINT_TO_POINTER((guint)c->submit_seq);
        if (g_hash_table_contains(s->of, key))
            g_hash_table_replace(
                s->of, key, g_bytes_new(c->sectors, (gsize)c->n_sectors * TD_SECTOR_HASH));
    }
    td_reader_close(reader);
}

const uint8_t *diff_sectors_at(const struct diff_sectors *s, const struct diff_command *c,
                               uint64_t lba, uint64_t blocks)
{
    GBytes *bytes = g_hash_table_lookup(s->of, GUINT_TO_POINTER(c->seq));
    gsize size = 0;
    const uint8_t *sectors = bytes ? g_bytes_get_data(bytes, &size) : NULL;

    if (!sectors || size / TD_SECTOR_HASH < lba - c->lba + blocks)
        return NULL;
    return sectors + (lba - c->lba) * TD_SECTOR_HASH;
}
