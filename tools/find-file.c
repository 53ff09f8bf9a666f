/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tracedisk find: the file, cut into sectors, and put together again. */
#include "find.h"

#include <string.h>

#include "tool.h"

#define MAYBE_BITS 20

bool find_file_open(struct find_file *f, const char *path)
{
    g_autoptr(GError) error = NULL;

    f->path = g_strdup(path);
    if (!g_file_get_contents(path, (gchar **)&f->data, &f->size, &error)) {
        say("%s", error->message);
        return false;
    }
    if (f->offset >= f->size) {
        say("%s: nothing to look for: it has %" G_GSIZE_FORMAT " bytes", path, f->size);
        return false;
    }
    if (f->unaligned && f->size - f->offset > FIND_UNALIGNED_MAX) {
        say("%s: too large for --unaligned: cut out the 2 MiB of interest", path);
        return false;
    }
    return true;
}

void find_file_close(struct find_file *f)
{
    g_free(f->path);
    g_free(f->data);
    g_free(f->maybe);
    g_clear_pointer(&f->by_hash, g_hash_table_unref);
    g_clear_pointer(&f->sectors, g_array_unref);
}

/* ---- Sectors ---- */

static bool is_zero(const uint8_t *data, size_t bytes)
{
    return !data[0] && memcmp(data, data + 1, bytes - 1) == 0;
}

static uint32_t maybe_bit(const uint8_t *hash)
{
    return (uint32_t)(hash[0] << 16 | hash[1] << 8 | hash[2]) >> (24 - MAYBE_BITS);
}

static guint hash_of_sector(gconstpointer hash)
{
    guint value;

    memcpy(&value, (const uint8_t *)hash + 4, sizeof(value));
    return value;
}

static gboolean equal_sectors(gconstpointer a, gconstpointer b)
{
    return memcmp(a, b, TD_SECTOR_HASH) == 0;
}

void find_file_cut(struct find_file *f, uint32_t block_size)
{
    f->block_size = block_size;
    f->sectors = g_array_new(FALSE, FALSE, sizeof(struct sector));
    f->by_hash = g_hash_table_new(hash_of_sector, equal_sectors);
    f->maybe = g_malloc0((1u << MAYBE_BITS) / 8);
    for (uint64_t at = f->offset; at + block_size <= f->size; at += f->unaligned ? 1 : block_size) {
        struct sector sector = { .offset = at };

        if (is_zero(f->data + at, block_size))
            continue;
        td_sector_hash(f->data + at, block_size, sector.hash);
        f->maybe[maybe_bit(sector.hash) / 8] |= (uint8_t)(1 << maybe_bit(sector.hash) % 8);
        g_array_append_val(f->sectors, sector);
    }
    /* The array does not move any more; from its end, so that the first stays. */
    for (guint i = f->sectors->len; i-- > 0;) {
        struct sector *sector = &g_array_index(f->sectors, struct sector, i);

        g_hash_table_replace(f->by_hash, sector->hash, sector);
    }
}

struct sector *find_file_sector(const struct find_file *f, const uint8_t *hash)
{
    uint32_t bit = maybe_bit(hash);

    if (!(f->maybe[bit / 8] & 1 << bit % 8))
        return NULL;
    return g_hash_table_lookup(f->by_hash, hash);
}

/* ---- Pieces ---- */

/* The carrier of the sector at an offset; NULL: of zeros, or none begins there. */
static const struct carrier *carrier_at(const struct find_file *f, uint64_t offset)
{
    guint low = 0, high = f->sectors->len;

    while (low < high) {
        guint middle = low + (high - low) / 2;
        const struct sector *s = &g_array_index(f->sectors, struct sector, middle);

        if (s->offset == offset)
            return &find_file_sector(f, s->hash)->carrier;
        if (s->offset < offset)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* What begins at an offset, and how many bytes of the file that is. */
static enum piece_kind kind_at(const struct find_file *f, uint64_t offset,
                               const struct carrier **carrier, uint64_t *len)
{
    *len = f->block_size;
    *carrier = NULL;
    if (offset + *len > f->size) {
        *len = f->size - offset;
        return PIECE_REST;
    }
    *carrier = carrier_at(f, offset);
    if (*carrier && (*carrier)->seq)
        return PIECE_SEEN;
    *len = f->unaligned ? 1 : f->block_size; /* the next sector may begin there */
    return *carrier && !(f->unaligned && !f->data[offset]) ? PIECE_UNSEEN : PIECE_ZEROS;
}

/* Is c's sector so many blocks behind the first's, of the same command? */
static bool continues(const struct carrier *first, const struct carrier *c, uint64_t blocks)
{
    return c->seq == first->seq && c->lba == first->lba + blocks;
}

bool find_file_piece(const struct find_file *f, uint64_t offset, struct piece *piece)
{
    const struct carrier *carrier;
    uint64_t len;

    if (offset >= f->size)
        return false;
    *piece = (struct piece){ .offset = offset };
    piece->kind = kind_at(f, offset, &carrier, &piece->len);
    if (piece->kind == PIECE_SEEN)
        piece->carrier = *carrier;
    while (offset + piece->len < f->size &&
           kind_at(f, offset + piece->len, &carrier, &len) == piece->kind) {
        if (piece->kind == PIECE_SEEN) {
            if (!continues(&piece->carrier, carrier, piece->len / f->block_size))
                break;
            piece->scattered |= carrier->addr != piece->carrier.addr + piece->len;
        }
        piece->len += len;
    }
    return true;
}
