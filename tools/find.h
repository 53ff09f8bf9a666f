/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk find: a file's sectors, and where a trace saw their bytes.
 *
 * A sector is as long as a logical block of the disk. Sectors of zeros are not
 * looked for: any command may have carried such.
 */
#ifndef TOOLS_FIND_H
#define TOOLS_FIND_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "libtracedisk/tracedisk.h"
#include "record.h"

/* The last command that carried the bytes. */
struct carrier {
    uint64_t seq; /* 0: none */
    uint64_t ns;
    uint32_t device;
    uint64_t lba;
    uint64_t addr; /* guest-physical; with has_addr */
    bool has_addr;
    enum direction direction;
    const char *command;
    uint64_t times; /* so many carried them */
};

struct sector {
    uint64_t offset; /* in the file */
    uint8_t hash[TD_SECTOR_HASH];
    struct carrier carrier;
};

struct find_file {
    char *path;
    uint8_t *data;
    gsize size;
    uint64_t offset; /* where the first sector begins */
    bool unaligned;  /* a sector may begin at any byte */
    /* Set by find_file_cut(). */
    uint32_t block_size; /* 0: not cut yet */
    GArray *sectors;     /* struct sector: those that are not of zeros */
    GHashTable *by_hash; /* hash -> struct sector, the first with it */
    uint8_t *maybe;      /* a bit for each value of a hash's first bytes */
};

/* With --unaligned each byte of the file costs some 100 bytes of memory. */
#define FIND_UNALIGNED_MAX (2u << 20)

/* False, said on stderr. */
bool find_file_open(struct find_file *f, const char *path);
void find_file_close(struct find_file *f);

void find_file_cut(struct find_file *f, uint32_t block_size);

/* The sector with this hash that carriers are noted at; NULL if there is none. */
struct sector *find_file_sector(const struct find_file *f, const uint8_t *hash);

/* What the file is made of, piece by piece, in order. */
enum piece_kind { PIECE_SEEN, PIECE_UNSEEN, PIECE_ZEROS, PIECE_REST };

struct piece {
    enum piece_kind kind;
    uint64_t offset, len;
    struct carrier carrier; /* of its first sector */
    bool scattered;         /* in memory its sectors do not follow each other */
};

/* The piece at an offset; false at the end of the file. */
bool find_file_piece(const struct find_file *f, uint64_t offset, struct piece *piece);

#endif
