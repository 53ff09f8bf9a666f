/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * libtracedisk: write, read and understand *.tdt traces.
 *
 * Concepts
 *
 *   trace    one file. Little-endian blocks of records; tracedisk-format(5).
 *   writer   one open trace being recorded. Any number of threads.
 *   stream   one producing thread's way into a writer: it owns one open block,
 *            so that no record takes a lock.
 *   record   HEADER, DEVICE, SUBMIT, COMPLETE, EVENT, MARK, LOST, PAYLOAD or
 *            STACK. Every record has a sequence number, unique in the trace,
 *            that orders the records of all streams, and a time.
 *   reader   a trace being read, record by record, in sequence order.
 *   command  a SUBMIT and its COMPLETE, joined and decoded.
 *
 * Units: bytes, unless a name says otherwise; times are nanoseconds of the
 * guest's virtual clock; an LBA counts the device's logical blocks.
 *
 * Errors: functions that return int give 0 (or a documented positive value)
 * when they worked and a negative errno value when they did not.
 *
 * Threads: a stream belongs to one thread at a time; a writer may be shared;
 * a reader belongs to one thread.
 *
 * Plain C11 and POSIX. Knows nothing of QEMU.
 */
#ifndef LIBTRACEDISK_TRACEDISK_H
#define LIBTRACEDISK_TRACEDISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TD_FORMAT_MAJOR 1
#define TD_FORMAT_MINOR 3

/* The file is pre-allocated and claimed in blocks of this size. */
#define TD_BLOCK_SIZE 65536

/* An AHCI PRDT holds at most this many entries (AHCI 1.3.1, 4.2.2 PRDTL). */
#define TD_MAX_ELEMENTS 65535

/* The longest CDB (SPC-4 4.2.1: 260) or FIS that a SUBMIT keeps. */
#define TD_MAX_RAW 260
#define TD_MAX_SENSE 252

#define TD_MAX_TEXT 4096 /* bytes of any one text, without its final 0 */
#define TD_MAX_DATA 4096 /* bytes of an EVENT's data */
#define TD_MAX_PAIRS 64  /* of one HEADER or DEVICE */
#define TD_MAX_CHAIN 64  /* return addresses of one origin */
#define TD_MAX_STACK 4096 /* bytes of one STACK */
#define TD_MAX_SECTORS 65536 /* logical blocks that a COMPLETE has hashes of */
#define TD_SECTOR_HASH 8 /* bytes of one of them */
#define TD_MAX_PAYLOAD 65536 /* bytes of one PAYLOAD, inflated */
#define TD_MAX_PARTS 65536 /* of one command's payload */

/*
 * A STACK that a SUBMIT refers to is one of the last TD_STACKS of its device:
 * a reader need not keep more.
 */
#define TD_STACKS 64

/* ---- What records hold ------------------------------------------------- */

enum td_kind {
    TD_HEADER = 1,
    TD_DEVICE = 2,
    TD_SUBMIT = 3,
    TD_COMPLETE = 4,
    TD_EVENT = 5,
    TD_MARK = 6,
    TD_LOST = 7,
    TD_PAYLOAD = 8, /* since 1.2 */
    TD_STACK = 9, /* since 1.1 */
    TD_INDEX = 10, /* since 1.3; for td_reader_seek(), not given out */
    /* Never in a file: the reader's word for bytes it could not use. */
    TD_DAMAGE = 255,
};

enum td_protocol {
    TD_ATA = 0,  /* raw is a Register Host to Device FIS, SATA 3.x 10.5.5 */
    TD_SCSI = 1, /* raw is a CDB, SPC-4 4.3 */
};

enum td_hash_kind {
    TD_HASH_NONE = 0,
    TD_HASH_CRC32 = 1, /* zlib's crc32; 4 bytes, most significant first */
    TD_HASH_XXH3 = 2,  /* XXH3 128 bit in canonical (big-endian) form */
};

#define TD_DIGEST_MAX 16

struct td_digest {
    enum td_hash_kind kind;
    uint8_t bytes[TD_DIGEST_MAX];
};

enum td_element_flags {
    TD_ELEMENT_OBSERVED = 1 << 0, /* learned from bus-master accesses */
    TD_ELEMENT_UNCERTAIN = 1 << 1, /* observed, and length or owner is a guess */
};

/* One entry of a scatter-gather list: guest-physical address and length. */
struct td_element {
    uint64_t addr;
    uint32_t len;
    uint32_t flags; /* enum td_element_flags */
};

/* What the HBA itself wrote to guest memory on behalf of a command. */
enum td_metadata_kind {
    TD_META_D2H_FIS = 1,
    TD_META_PIO_SETUP_FIS = 2,
    TD_META_DMA_SETUP_FIS = 3,
    TD_META_SDB_FIS = 4,
    TD_META_PRDBC = 5,
    TD_META_UNKNOWN_FIS = 6,
};

#define TD_MAX_METADATA 8

struct td_metadata {
    enum td_metadata_kind kind;
    uint32_t len;
    uint64_t addr;
};

/* Name/value text pairs of HEADER and DEVICE; both strings in UTF-8. */
struct td_pair {
    const char *key;
    const char *value;
};

/*
 * The trace's first record. Keys by convention: "tracedisk", "qemu", "machine",
 * "clock" ("virtual"), "started" (host time, ISO 8601, UTC).
 */
struct td_header {
    uint16_t major, minor; /* filled in by the reader, ignored by the writer */
    const struct td_pair *pairs;
    size_t n_pairs;
};

/* Introduces a device number; sent again whenever something of it changes. */
struct td_device {
    uint32_t id; /* as in the records of this trace */
    enum td_protocol protocol;
    uint32_t logical_block_size;
    uint32_t physical_block_size;
    uint64_t blocks;      /* capacity, in logical blocks */
    const char *name;     /* "d0" */
    const char *frontend; /* "ahci", "scsi" */
    enum td_hash_kind hash;
    const struct td_pair *pairs; /* "serial", "model", "wwn", "hba", … */
    size_t n_pairs;
};

enum td_origin_kind {
    TD_ORIGIN_DOORBELL = 1, /* the vCPU was writing the register that issued it */
    TD_ORIGIN_UNSEEN = 2,   /* accepted elsewhere: in an iothread, a bottom half */
    /* That, and a vCPU had written one of the HBA's registers before: it. */
    TD_ORIGIN_INFERRED = 3,
};

/* ELF's e_machine: how the registers and the stack are to be read. */
enum td_machine {
    TD_MACHINE_386 = 3,
    TD_MACHINE_X86_64 = 62,
    TD_MACHINE_AARCH64 = 183,
};

/* Who asked: guest-virtual addresses. Since 1.1. */
struct td_origin {
    enum td_origin_kind kind; /* without td_origin_is_known() nothing else counts */
    uint32_t cpu;
    enum td_machine machine;
    /* Under TCG it may lie a few bytes early: where a piece of code begins. */
    uint64_t pc;
    uint64_t sp;
    uint64_t fp;        /* rbp, x29 */
    uint64_t lr;        /* x30; 0 on x86 */
    uint64_t stack_seq; /* the STACK with what lay at sp; 0: none */
    /* Return addresses found by frame pointers, if the guest has any. */
    const uint64_t *chain;
    uint32_t n_chain; /* at most TD_MAX_CHAIN */
};

static inline bool td_origin_is_known(const struct td_origin *o)
{
    return o->kind == TD_ORIGIN_DOORBELL || o->kind == TD_ORIGIN_INFERRED;
}

/* The top of a guest's stack. Several SUBMITs may refer to one. Since 1.1. */
struct td_stack {
    uint32_t device;
    uint64_t addr; /* guest-virtual, of the first byte */
    const uint8_t *data;
    uint32_t len; /* at most TD_MAX_STACK */
};

enum td_codec {
    TD_CODEC_NONE = 0, /* as is */
    TD_CODEC_ZLIB = 1,
};

/* Bytes that payloads are made of: those of one command or of many. Since 1.2. */
struct td_payload {
    enum td_codec codec;
    uint32_t len; /* inflated; at most TD_MAX_PAYLOAD */
    const uint8_t *data;
    uint32_t data_len; /* at most len */
};

/* A part of a command's payload: bytes of a PAYLOAD that came before it, or zeros. */
struct td_part {
    uint64_t len;
    uint64_t seq; /* the PAYLOAD's; 0: zeros */
    uint32_t offset;
};

/* A command at the moment the device accepted it. */
struct td_submit {
    uint32_t device;
    enum td_protocol protocol;
    uint32_t port; /* AHCI port; SCSI: target << 16 | LUN */
    uint64_t tag;  /* AHCI command slot, SCSI task tag */
    const uint8_t *raw;
    uint32_t raw_len;
    const struct td_element *elements; /* the whole list, as the guest gave it */
    uint32_t n_elements;
    const struct td_origin *origin; /* NULL: not recorded */
};

enum td_status {
    TD_GOOD = 0,
    TD_ERROR = 1,
    TD_ABORTED = 2,
    TD_PENDING = 255, /* readers only: no COMPLETE in the trace */
};

enum td_complete_flags {
    /* A write's memory changed between submit and completion. */
    TD_BUFFER_CHANGED = 1 << 0,
    /* The list was shorter / longer than the transfer. */
    TD_LIST_SHORT = 1 << 1,
    TD_LIST_LONG = 1 << 2,
    /* Some element, or a part of one, lay outside RAM. */
    TD_OUTSIDE_RAM = 1 << 3,
};

/* A command at its end, before the guest can learn of it. */
struct td_complete {
    uint32_t device;
    uint64_t submit_seq;
    enum td_status status;
    uint32_t flags;    /* enum td_complete_flags */
    uint64_t bytes;    /* moved to or from guest memory */
    uint64_t residual; /* asked for by the command and not moved */
    /* Of exactly the bytes moved, in order; for a write as of submission. */
    struct td_digest digest;
    /* With TD_BUFFER_CHANGED: the same memory's hash at completion. */
    struct td_digest digest_after;
    bool has_ata;       /* ata_status and ata_error are meaningful */
    uint8_t ata_status; /* ACS-3 6.2 */
    uint8_t ata_error;  /* ACS-3 6.3 */
    uint8_t scsi_status; /* SAM-5 5.3.1; 0 for ATA */
    const uint8_t *sense; /* fixed or descriptor format, SPC-4 4.5; or NULL */
    uint32_t sense_len;
    /*
     * Of each whole logical block of the bytes moved, in order: XXH3, 64 bits in
     * canonical (big-endian) form, TD_SECTOR_HASH bytes each. Of the first
     * TD_MAX_SECTORS blocks only; NULL: not recorded. Since 1.1.
     */
    const uint8_t *sectors;
    uint32_t n_sectors;
    /*
     * Where the bytes moved are kept, in order; td_reader_payload() has them.
     * Fewer than `bytes` where not all is kept. NULL: none. Since 1.2.
     */
    const struct td_part *parts;
    uint32_t n_parts;
    /* Memory the HBA writes right after this record: FISes, PRDBC. */
    const struct td_metadata *metadata;
    uint32_t n_metadata; /* at most TD_MAX_METADATA */
    /*
     * The scatter-gather list where it was not known at submission but was
     * observed since. Read like that of a SUBMIT: see struct td_record.
     */
    const struct td_element *elements;
    uint32_t n_elements;
};

enum td_event_type {
    TD_EVENT_RESET = 1,      /* text: "hba", "port", "software", "lun", "bus" … */
    TD_EVENT_ABORT = 2,      /* ref: the aborted command */
    TD_EVENT_FIS = 3,        /* HBA wrote a FIS of no command; addr, data */
    TD_EVENT_INTERRUPT = 4,  /* value: 1 raised, 0 lowered; text: "intx", "msi" */
    TD_EVENT_REGISTER_READ = 5,  /* addr: offset in the BAR, len, value */
    TD_EVENT_REGISTER_WRITE = 6, /* likewise */
    TD_EVENT_WATCH = 7,      /* a DMA watch was hit; addr, len, ref, data */
    TD_EVENT_RUN_STATE = 8,  /* text: QEMU's run state */
    TD_EVENT_LOADVM = 9,     /* device state was loaded */
    TD_EVENT_GUEST_ERROR = 10, /* text: what the driver did wrong; ref if known */
    TD_EVENT_PORT = 11,      /* text: "start", "stop", "fis-receive", "link-up" … */
    TD_EVENT_RECORDING = 12, /* value: 1 resumed, 0 paused */
    TD_EVENT_IO_ERROR = 13,  /* host I/O failed; value: errno, ref, text: action */
    TD_EVENT_FAULT = 14,     /* an injected fault; text: what, ref */
    /*
     * A range that a TRIM or UNMAP names, before it is done: ref, addr: its first
     * block, len: blocks, value: 1 they will be zeros (RZAT, LBPRZ), 0 they will
     * be zeros or what they were. Since 1.2.
     */
    TD_EVENT_TRIM = 15,
};

enum td_event_has {
    TD_HAS_PORT = 1 << 0,
    TD_HAS_REF = 1 << 1,
    TD_HAS_ADDR = 1 << 2,
    TD_HAS_LEN = 1 << 3,
    TD_HAS_VALUE = 1 << 4,
    TD_HAS_DATA = 1 << 5,
    TD_HAS_TEXT = 1 << 6,
};

struct td_event {
    enum td_event_type type;
    uint32_t device;
    uint32_t has; /* enum td_event_has: which of the members below count */
    uint32_t port;
    uint64_t ref; /* the sequence number of the SUBMIT it belongs to */
    uint64_t addr;
    uint64_t len;
    uint64_t value;
    const uint8_t *data;
    uint32_t data_len; /* at most TD_MAX_DATA */
    const char *text;
};

struct td_mark {
    uint32_t device;
    const char *name;
};

/* Records that could not be written, since the last record of this stream. */
struct td_lost {
    uint64_t records;
    const char *reason;
};

/* ---- Writing ----------------------------------------------------------- */

struct td_writer;
struct td_stream;

struct td_writer_options {
    /* Disk space allocated ahead, bytes; 0: the default, 16 MiB. */
    uint64_t allocate_ahead;
    /*
     * Space kept back when the disk is full, so that commands in flight can
     * still be recorded; bytes; 0: the default, 1 MiB.
     */
    uint64_t reserve;
};

struct td_writer_statistics {
    uint64_t records; /* published */
    uint64_t bytes;   /* of records, without block headers and padding */
    uint64_t file_bytes;
};

/*
 * Create a trace, mode 0600; an existing file is replaced, so keep it first.
 * options may be NULL. Fails with what open(2) and posix_fallocate(3) fail
 * with; -EINVAL when path is something else than a file, as /dev/null.
 */
int td_writer_create(const char *path, const struct td_writer_options *options,
                     struct td_writer **writer);

/* Close all streams, cut the file to what was used, free. NULL is fine. */
void td_writer_close(struct td_writer *writer);

/*
 * Give back the space allocated ahead: cut the file to the blocks claimed so
 * far. For a process that is about to exit; writing may go on, and allocates
 * again.
 */
void td_writer_finish(struct td_writer *writer);

void td_writer_get_statistics(struct td_writer *writer, struct td_writer_statistics *statistics);

/* A stream for the calling thread; -ENOMEM. Closed by td_writer_close(). */
int td_stream_open(struct td_writer *writer, struct td_stream **stream);

/* Give a stream's thread up (thread exit, iothread gone). */
void td_stream_close(struct td_stream *stream);

/*
 * Append a record. When the call returns, the record survives the death of
 * the process. time_ns: virtual time. *seq (may be NULL) is the record's
 * sequence number, ≥ 1.
 *
 * 0        written
 * 1        written, but the disk is full and the reserve is being used up: the
 *          next may be lost. 0 again as soon as there is space
 * -ENOSPC  not written, and not any part of it; try again when there is space.
 *          A PAYLOAD is refused earlier than others: the reserve is not for it
 * -ENOMEM  not written: no memory, or no address space to map the file
 * -EINVAL  not written: a length is over its maximum
 */
int td_put_header(struct td_stream *s, uint64_t time_ns, const struct td_header *h, uint64_t *seq);
int td_put_device(struct td_stream *s, uint64_t time_ns, const struct td_device *d, uint64_t *seq);
int td_put_submit(struct td_stream *s, uint64_t time_ns, const struct td_submit *c, uint64_t *seq);
int td_put_complete(struct td_stream *s, uint64_t time_ns, const struct td_complete *c,
                    uint64_t *seq);
int td_put_event(struct td_stream *s, uint64_t time_ns, const struct td_event *e, uint64_t *seq);
int td_put_mark(struct td_stream *s, uint64_t time_ns, const struct td_mark *m, uint64_t *seq);
int td_put_lost(struct td_stream *s, uint64_t time_ns, const struct td_lost *l, uint64_t *seq);
int td_put_payload(struct td_stream *s, uint64_t time_ns, const struct td_payload *p,
                   uint64_t *seq);
int td_put_stack(struct td_stream *s, uint64_t time_ns, const struct td_stack *k, uint64_t *seq);

/* ---- Keeping payloads -------------------------------------------------- */

/*
 * What the PAYLOADs of a trace hold, in pieces of TD_PIECE bytes by their hash,
 * so that no bytes are kept twice. For all who write to it, from any thread.
 * The last TD_PIECES pieces or so are known; what is forgotten and comes again is
 * kept again.
 */
#define TD_PIECE 4096
#define TD_PIECES (1u << 17)

struct td_pieces;

struct td_pieces *td_pieces_new(void); /* NULL: no memory */
void td_pieces_free(struct td_pieces *pieces);

/*
 * Keeps one payload after another: td_keeper_begin, any number of
 * td_keeper_add, then td_keeper_end, and the parts go into the COMPLETE.
 * PAYLOADs are written as they fill.
 */
struct td_keeper;

struct td_keeper *td_keeper_new(struct td_pieces *pieces); /* NULL: no memory */
void td_keeper_free(struct td_keeper *keeper);
void td_keeper_begin(struct td_keeper *keeper);

/*
 * The payload's next bytes. Returns as td_put_*(); *done bytes were taken, all
 * of them unless it failed: then try again with the rest, or end.
 */
int td_keeper_add(struct td_keeper *keeper, struct td_stream *stream, uint64_t time_ns,
                  const void *data, size_t bytes, size_t *done);

/*
 * Write what is not written yet: as td_put_*(). After a failure td_keeper_parts()
 * leaves out what is not in the trace, and all behind it.
 */
int td_keeper_end(struct td_keeper *keeper, struct td_stream *stream, uint64_t time_ns);

/* The payload's parts, until the next begin; NULL when there are none. */
const struct td_part *td_keeper_parts(const struct td_keeper *keeper, uint32_t *n);

/* ---- Hashing ----------------------------------------------------------- */

/* Bytes in a digest of this kind: 0, 4 or 16. */
size_t td_digest_size(enum td_hash_kind kind);

/* Hash the first `bytes` bytes of an I/O vector (fewer when it is shorter). */
void td_hash_iov(enum td_hash_kind kind, const struct iovec *iov, size_t n_iov, size_t bytes,
                 struct td_digest *digest);

/*
 * The same in pieces: td_hasher_begin, any number of td_hasher_add, then
 * td_hasher_end. One hasher hashes one payload after another.
 */
struct td_hasher;

struct td_hasher *td_hasher_new(enum td_hash_kind kind); /* NULL: no memory */
void td_hasher_free(struct td_hasher *hasher);
void td_hasher_begin(struct td_hasher *hasher);
void td_hasher_add(struct td_hasher *hasher, const void *data, size_t bytes);
void td_hasher_end(struct td_hasher *hasher, struct td_digest *digest);

/*
 * The hash of each logical block of a payload that comes in pieces of any
 * size: td_sectors_begin, any number of td_sectors_add, then td_sectors_end,
 * whose result lives until the next begin. -ENOMEM from add: that block and
 * what follows are not hashed.
 */
struct td_sectors;

struct td_sectors *td_sectors_new(uint32_t block_size); /* NULL: no memory */
void td_sectors_free(struct td_sectors *sectors);
void td_sectors_begin(struct td_sectors *sectors);
int td_sectors_add(struct td_sectors *sectors, const void *data, size_t bytes);
const uint8_t *td_sectors_end(const struct td_sectors *sectors, uint32_t *n);

/* One block's hash. */
void td_sector_hash(const void *data, size_t bytes, uint8_t hash[TD_SECTOR_HASH]);

bool td_digest_equal(const struct td_digest *a, const struct td_digest *b);

/* "xxh3:0f…", "crc32:0a1b2c3d", "none"; buf of at least 40 bytes. Returns buf. */
const char *td_digest_text(const struct td_digest *digest, char *buf);

/* "xxh3", "crc32", "none" to the kind; -EINVAL for another word. */
int td_hash_kind_parse(const char *word, enum td_hash_kind *kind);
const char *td_hash_kind_name(enum td_hash_kind kind);

/* ---- Reading ----------------------------------------------------------- */

struct td_reader;

/* Bytes of the file that could not be used, or records that are not there. */
struct td_damage {
    uint64_t offset; /* in the file */
    uint64_t bytes;  /* 0: records are missing, and no damage says why */
    /*
     * Between these sequence numbers some are missing because of it (all, when
     * there is one stream). missing_last 0: not known how far; both 0: nothing
     * known, or nothing missing.
     */
    uint64_t missing_first;
    uint64_t missing_last;
    const char *reason;
};

/*
 * One record as read. Pointers in it live until the next call on the reader.
 * submit.elements is NULL after td_reader_next(); n_elements is right. Call
 * td_record_elements() to have the list.
 */
struct td_record {
    enum td_kind kind;
    uint64_t seq;
    uint64_t time_ns;
    uint32_t stream;
    union {
        struct td_header header;
        struct td_device device;
        struct td_submit submit;
        struct td_complete complete;
        struct td_event event;
        struct td_mark mark;
        struct td_lost lost;
        struct td_payload payload;
        struct td_stack stack;
        struct td_damage damage;
    };
    /* The encoded element list of a SUBMIT or COMPLETE. */
    const uint8_t *encoded_elements;
    size_t encoded_len;
};

struct td_error {
    char text[256]; /* what was wrong and what to do, one line, no newline */
};

/*
 * Open a trace, finished or still being written. Reads all versions up to
 * TD_FORMAT_MAJOR. error may be NULL.
 * -EINVAL   not a trace (empty, a directory, no block found)
 * -ENOTSUP  a newer major version
 * else      what open(2) and read(2) fail with
 */
int td_reader_open(const char *path, struct td_reader **reader, struct td_error *error);
void td_reader_close(struct td_reader *reader);

/*
 * The next record in sequence order. 1: a record; 0: the end (for now: call
 * again to follow a trace that grows); < 0: reading failed, error said by
 * td_reader_error(). Damage is a record of kind TD_DAMAGE, not an error; after
 * it, a HEADER or DEVICE that was lost may come late, from a repetition, with
 * the sequence number it had.
 */
int td_reader_next(struct td_reader *reader, struct td_record *record);
const char *td_reader_error(const struct td_reader *reader);

/*
 * Read a part of the trace only, as far as an index (td_pack() makes one) allows
 * that; call it before the first td_reader_next(). All records from the sequence
 * number `from` to `until` are given, and of the others those that matter to them:
 * HEADER, DEVICE, MARK and LOST; SUBMITs whose COMPLETE is not before `from`, and
 * STACKs that later SUBMITs may refer to; COMPLETEs of SUBMITs not behind `until`;
 * of the rest, some or none. So a command submitted there is as it would be
 * without, in_flight included. What is left out is checked for damage; with any,
 * nothing is left out.
 * 1: something is left out; 0: nothing is, all the trace will be read; -EINVAL:
 * until < from, or it is too late; else what reading failed with, error said by
 * td_reader_error().
 */
int td_reader_seek(struct td_reader *reader, uint64_t from, uint64_t until);

/*
 * Places, for td_reader_seek(): the last one that the index knows before which all
 * records are earlier than time_ns, of the virtual clock, which loadvm sets back;
 * the first mark of that name behind a sequence number. 0: not known; always so
 * without an index.
 */
uint64_t td_reader_find_time(struct td_reader *reader, uint64_t time_ns);
uint64_t td_reader_find_mark(struct td_reader *reader, const char *name, uint64_t behind);

/* Bytes of the file seen so far and its size, for progress. */
void td_reader_progress(const struct td_reader *reader, uint64_t *done, uint64_t *total);

/*
 * Decode the element list of a SUBMIT or COMPLETE into elements[0 … n - 1],
 * with n its submit.n_elements or complete.n_elements.
 * -EINVAL when the list is damaged.
 */
int td_record_elements(const struct td_record *record, struct td_element *elements);

/* How many bytes of a command's payload are kept. */
uint64_t td_kept_bytes(const struct td_complete *complete);

/*
 * Copy bytes of a command's payload, from offset on: how many, fewer only where
 * no more are kept; -EBADMSG when they were, and are lost with their block; else
 * what reading failed with, as td_reader_next(). The COMPLETE must have been
 * read by this reader.
 */
int64_t td_reader_payload(struct td_reader *reader, const struct td_complete *complete,
                          uint64_t offset, void *buf, size_t len);

/* ---- Packing ----------------------------------------------------------- */

/*
 * Write a smaller copy of the trace at path to fd, an empty file: the same
 * records, in blocks that are deflated, and an index for td_reader_seek(). What is
 * damaged stays so. *bytes: of the copy. -ENOTSUP: a newer major version; else what open(2), read(2) and
 * write(2) fail with.
 */
int td_pack(const char *path, int fd, uint64_t *bytes);

/* ---- Understanding commands -------------------------------------------- */

enum td_op {
    TD_OP_OTHER = 0,
    TD_OP_READ,
    TD_OP_WRITE,
    TD_OP_FLUSH,
    TD_OP_TRIM,
    TD_OP_ZERO,
    TD_OP_VERIFY,
    TD_OP_IDENTIFY,
};

enum td_decoded_flags {
    TD_FUA = 1 << 0,
    TD_DPO = 1 << 1,
    TD_QUEUED = 1 << 2,  /* ATA: NCQ */
    TD_HAS_LBA = 1 << 3, /* lba and blocks are meaningful */
    TD_PIO = 1 << 4,     /* ATA: PIO data-in or data-out */
    /* Which way data moves, if any does, where the operation does not tell. */
    TD_DATA_IN = 1 << 5,  /* to the guest's memory */
    TD_DATA_OUT = 1 << 6, /* from it */
};

struct td_decoded {
    const char *name; /* "READ FPDMA QUEUED", "WRITE(10)"; never NULL */
    enum td_op op;
    uint32_t flags; /* enum td_decoded_flags */
    uint64_t lba;
    uint64_t blocks; /* ATA count 0 is already 256 or 65536 (ACS-3 7.x) */
    uint32_t queued_tag; /* with TD_QUEUED: the NCQ tag, COUNT bits 7:3 */
};

/* Decode a FIS or CDB of any length; a short or unknown one gets op OTHER. */
void td_decode(enum td_protocol protocol, const uint8_t *raw, size_t len,
               struct td_decoded *decoded);

const char *td_op_name(enum td_op op);
const char *td_status_name(enum td_status status);
const char *td_event_name(enum td_event_type type);
const char *td_metadata_name(enum td_metadata_kind kind);

/*
 * A command: SUBMIT and COMPLETE joined. Given out when it completes, or at the
 * end of the trace as TD_PENDING.
 */
struct td_command {
    uint64_t seq; /* the SUBMIT's; names the command */
    uint64_t complete_seq;
    uint64_t submit_ns, complete_ns;
    bool submit_known; /* false: only the COMPLETE survived */
    /*
     * elements is NULL when they are skipped, or the list is malformed. Those
     * that only the COMPLETE has are here as well.
     */
    struct td_submit submit;
    struct td_complete complete; /* status TD_PENDING: nothing else in it counts */
    struct td_decoded decoded;
    /* Of the device, at the submission, this one included; 0: not known. */
    uint32_t in_flight;
    /* With td_commands_keep_stacks(), if submit.origin has one; len 0: none. */
    struct td_stack stack;
};

enum td_item_kind {
    TD_ITEM_COMMAND,
    TD_ITEM_RECORD, /* header, device, event, mark, lost, damage */
};

struct td_item {
    enum td_item_kind kind;
    const struct td_command *command;
    const struct td_record *record;
};

struct td_commands;

/* Join the records of a reader, which it does not own. -ENOMEM. */
int td_commands_open(struct td_reader *reader, struct td_commands **commands);
void td_commands_close(struct td_commands *commands);

/* Leave commands' elements NULL, n_elements being right: faster. */
void td_commands_skip_elements(struct td_commands *commands);

/* Give commands the stacks that their origins refer to. */
void td_commands_keep_stacks(struct td_commands *commands);

/*
 * The next command or other record: 1, 0 at the end, < 0 as td_reader_next().
 * Pointers live until the next call. At the end of the trace, commands without
 * a COMPLETE are given as TD_PENDING in the order of their sequence numbers, and
 * nothing comes after them, even if the trace grows; with follow = true they are
 * not, and the next call goes on.
 */
int td_commands_next(struct td_commands *commands, bool follow, struct td_item *item);

/* What is known of a device number; NULL when no DEVICE record was seen. */
const struct td_device *td_commands_device(const struct td_commands *commands, uint32_t id);

#ifdef __cplusplus
}
#endif

#endif
