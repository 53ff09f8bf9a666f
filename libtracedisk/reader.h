/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A trace being read: what the parts of the reader share.
 */
#ifndef LIBTRACEDISK_READER_H
#define LIBTRACEDISK_READER_H

#include "codec.h"
#include "index.h"
#include "kept.h"
#include "scan.h"

#define TD_NO_SEQ UINT64_MAX

struct stream {
    struct td_block *blocks;
    uint32_t n_blocks, room;
    uint32_t at;   /* the block to read next */
    bool open;     /* blocks[at - 1] is in buf */
    bool may_grow; /* it was the stream's last when it was read */
    uint8_t *buf;  /* its records */
    size_t buf_size;
    uint32_t crc;
    struct td_cursor cursor;
    struct td_delta *delta;
    uint64_t next_seq; /* NO_SEQ: nothing to read, for now */
    uint64_t last_seq;
    /* The numbers that this stream's damaged blocks may have held; 0: none. */
    uint64_t lost_first, lost_last;
};

/* Bytes that belong to no block. */
struct region {
    uint64_t offset, bytes;
    const char *reason;
};

struct td_range {
    uint64_t first, end; /* sequence numbers; without the end */
};

struct td_reader {
    int fd;
    bool failed;
    char error[256];
    uint64_t size, done;
    uint64_t scanned;  /* all before it is indexed */
    uint64_t inside;   /* behind the header of the last block before it */
    uint64_t *holes;   /* slots before it that were not begun */
    size_t n_holes;
    struct stream **streams; /* by number, NULL if not seen */
    uint32_t n_streams;
    struct stream *current; /* the last record's */
    uint64_t expected;      /* sequence number */
    bool finished;          /* nobody writes it any more, and all is indexed */
    bool open_end;          /* the last block is followed by the mark of a finished
                               trace, or by slots that are not begun */
    bool cut_told;
    bool newer;             /* there is a block of a newer major version */
    struct region *regions; /* not told yet */
    size_t n_regions;
    struct td_damage *damages; /* to be given out before the next record */
    size_t n_damages, first_damage;
    struct td_decoder decoder;
    size_t text_size;
    /* So that repeats are given out only when the original was lost. */
    uint64_t header_seq;
    struct {
        uint32_t id;
        uint64_t seq;
    } *devices;
    size_t n_devices;
    struct td_kept *kept; /* made when a payload is asked for */
    /* td_reader_seek(): what is before `from` and behind `until` is mostly left out. */
    struct td_block index_block; /* capacity 0: none */
    struct td_index *index;      /* read when asked for */
    uint64_t from, until;
    uint64_t gapless;        /* no record before it is missing, but for those left out */
    struct td_range *wanted; /* in order, apart; NULL: everything */
    size_t n_wanted;
    uint64_t loaded; /* blocks so far */
};

/* Keep the reader from going on, and what to say of it. Returns ret, or -ENOMEM. */
int __attribute__((format(printf, 3, 4)))
td_fail(struct td_reader *r, int ret, const char *format, ...);
int td_fail_read(struct td_reader *r, int64_t ret, uint64_t offset);
int td_fail_memory(struct td_reader *r);

/* Room for one more: the array doubles at powers of two. 0, or -ENOMEM. */
int td_need_one_more(void *array, size_t n, size_t size);

/*
 * Enter what is new in the file, up to `end`, into the streams' blocks; *news: there
 * was some. 0, or failure.
 */
int td_look_for_blocks(struct td_reader *r, uint64_t end, bool *news);

/* The block of a stream that a record is in, if it is one of this stream; else NULL. */
const struct td_block *td_block_of(const struct stream *s, uint64_t seq);

/* Is the record to be given out? */
bool td_is_wanted(const struct td_reader *r, const struct td_record *record);

/* Pass over the stream's next blocks that have been left out whole. */
void td_pass_over_blocks(struct td_reader *r, struct stream *s);

#endif
