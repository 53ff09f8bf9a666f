/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finding the blocks of a trace, sound or not.
 */
#ifndef LIBTRACEDISK_SCAN_H
#define LIBTRACEDISK_SCAN_H

#include <stddef.h>
#include <stdint.h>

/* A block header, verified but for the published word. */
struct td_block {
    uint64_t offset;
    uint64_t first_seq;
    uint64_t first_time;
    uint32_t capacity;
    uint32_t stream;
    uint32_t index;
    uint32_t raw_len;
    uint16_t header_len;
    uint16_t major, minor;
    uint8_t codec;
    uint8_t flags; /* enum td_block_flags */
};

enum td_found {
    TD_FOUND_END,    /* the file ends here */
    TD_FOUND_FINISH, /* the mark of a finished trace */
    TD_FOUND_BLOCK,  /* *block is filled in */
    TD_FOUND_UNUSED, /* allocated or claimed, and not begun */
    TD_FOUND_NEWER,  /* a block of a newer major version */
    TD_FOUND_DAMAGE, /* *reason is set */
};

/*
 * What is at offset, and where to look next. Returns enum td_found, or what
 * pread(2) failed with, negative.
 */
int td_scan(int fd, uint64_t offset, struct td_block *block, uint64_t *next, const char **reason);

/* Where in [from, to) the first sound header begins; `to` if nowhere; or -errno. */
int64_t td_find_header(int fd, uint64_t from, uint64_t to);

/*
 * Read a block's image, b->capacity bytes, and check it: its number of published
 * bytes; -EBADMSG, or -ENODATA when the file is cut there, with *reason; or what
 * reading failed with.
 */
int64_t td_read_image(int fd, const struct td_block *b, uint8_t *image, uint32_t *crc,
                      const char **reason);

/*
 * Read a block and inflate it: the length of its *records, in *image, which is
 * free()d by the caller, and freed here when there was one; -EBADMSG when it is
 * damaged; or what reading failed with.
 */
int64_t td_read_records(int fd, const struct td_block *b, uint8_t **image,
                        const uint8_t **records);

/* pread(2) until all is read or the file ends: bytes read, or -errno. */
int64_t td_pread(int fd, void *buf, size_t n, uint64_t offset);

#endif
