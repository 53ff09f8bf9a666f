/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk diff: what its levels share.
 *
 * Concepts
 *
 *   side      one of the two traces, cut to one device
 *   run       one of several traces of a side; two of them are compared at a
 *             time, and are the two sides meanwhile
 *   barrier   a completed flush, or a completed write with FUA
 *   epoch     what lies between two barriers: epoch n is behind n of them.
 *             A command in flight with a barrier may belong to either side of
 *             it, so that it has a first and a last epoch.
 *   partner   the command of the other side that does the same
 *   group     commands of both sides that cover the same blocks, cut otherwise
 *   ordinal   an epoch counted in barriers that have a partner: comparable
 *             between the sides
 *
 * Work is linear in commands and the pieces of blocks that they cover, but for
 * what differs. Where the sides do not depend on each other, each has a thread.
 */
#ifndef TOOLS_DIFF_H
#define TOOLS_DIFF_H

#include <glib.h>
#include <stdbool.h>
#include <stdint.h>

#include "filter.h"
#include "libtracedisk/tracedisk.h"

#define DIFF_NONE UINT32_MAX
#define DIFF_GROUPED (UINT32_MAX - 1)

enum diff_level {
    DIFF_DATA,
    DIFF_ORDER,
    DIFF_SHAPE,
    DIFF_GEOMETRY,
    DIFF_OUTCOME,
    DIFF_TIME,
    DIFF_LEVELS,
};

/* What a difference is; the table in diff-finding.c has its words. */
enum diff_kind {
    DIFF_WRITE_PAYLOAD,
    DIFF_READ_PAYLOAD,
    DIFF_FINAL_CONTENT,
    DIFF_WRITTEN_IN_A,
    DIFF_WRITTEN_IN_B,
    DIFF_FLUSH_LOST,
    DIFF_FLUSH_ADDED,
    DIFF_FUA_LOST,
    DIFF_FUA_ADDED,
    DIFF_WRITE_MOVED,
    DIFF_SPLIT,
    DIFF_MERGED,
    DIFF_RECUT,
    DIFF_REORDERED,
    DIFF_RETRIED_IN_A,
    DIFF_RETRIED_IN_B,
    DIFF_COMMAND_LOST,
    DIFF_COMMAND_ADDED,
    DIFF_COMMAND_CHOICE,
    DIFF_QUEUE_DEPTH,
    DIFF_ELEMENT_COUNT,
    DIFF_ELEMENT_SIZES,
    DIFF_ELEMENT_OFFSETS,
    DIFF_ELEMENT_CONTIGUITY,
    DIFF_STATUS,
    DIFF_RESIDUAL,
    DIFF_EVENTS,
    DIFF_LINT_NEW,
    DIFF_LINT_GONE,
    DIFF_LATENCY,
    DIFF_PACE,
    DIFF_KINDS,
};

/*
 * What many commands have in common: see diff-traits.c. Set to 0 before it is
 * filled in, as it is compared as bytes.
 */
struct diff_traits {
    const char *name;
    uint64_t bytes, residual;
    uint32_t n_elements;
    uint32_t sizes, offsets, contiguity; /* hashes of the element list's */
    uint32_t error;                      /* sense, or ATA status and error; 0: none */
    uint8_t op, status;
    uint8_t fua, barrier, write_same; /* bool */
    uint8_t unused[7];
};

/* There may be ten million of them on each side: 40 bytes. */
struct diff_command {
    uint64_t digest; /* of the payload, folded to 64 bits; 0: none. Without blocks: of the CDB */
    uint64_t lba;
    uint32_t blocks;            /* 0: covers no blocks */
    uint32_t seq, complete_seq; /* complete_seq 0: pending */
    uint32_t partner;           /* index in the other side; DIFF_NONE; DIFF_GROUPED */
    uint32_t traits : 31;       /* number: the same for what is the same */
    uint32_t uneven : 1;        /* more or less often on the other side */
    uint32_t first_epoch : 24;
    uint32_t epochs : 8; /* to the last one; DIFF_MANY_EPOCHS: to the end */
};

#define DIFF_MAX_COMMANDS (1u << 30)
#define DIFF_MAX_BARRIERS (1u << 24)
#define DIFF_MANY_EPOCHS 255u

#define DIFF_EVENT_TYPES 16

/* Latencies of each operation, and the times between completions. */
struct diff_times;

/* How often each of lint's rules was broken. */
struct diff_lint;

struct diff_side {
    const char *path;
    char *device;
    struct diff_command *commands; /* in the order of their submission */
    uint32_t n;
    uint32_t depth_max;
    uint32_t *barriers;  /* indices */
    uint32_t n_barriers;
    uint32_t *barrier_partner; /* index in the other side's barriers; DIFF_NONE */
    uint32_t *ordinal;         /* of each epoch: n_barriers + 1 of them */
    uint32_t block_size;
    uint64_t borders; /* the first and last block's numbers of all commands, or-ed */
    bool has_sectors; /* some commands have a hash of each block */
    enum td_hash_kind hash; /* TD_HASH_NONE: no digests */
    uint64_t events[DIFF_EVENT_TYPES];
    struct diff_times *times;
    struct diff_lint *lint; /* NULL: was not looked for */
};

/* Commands of a group: members[start …], first those of A. */
struct diff_group {
    uint32_t start, n_a, n_b;
};

struct diff_finding {
    enum diff_kind kind;
    uint32_t what;                    /* event type; operation of a time; rule of lint */
    const struct diff_command *a, *b; /* either may be NULL */
    uint32_t n[2];                    /* commands of the group */
    /*
     * In A and in B: what was counted, or bytes of the largest request. Of an
     * extent: its first block and its blocks. Of a moved write: the barrier of
     * B that it stands at now, and whether it is behind it.
     */
    uint64_t value[2];
};

/* Latencies, or times between completions, of one operation. */
struct diff_timing {
    uint32_t kind; /* what of a finding */
    const char *what;
    uint64_t n[2];
    uint64_t p50[2], p99[2];
    double p;          /* of the Mann-Whitney test, two-sided */
    double likelihood; /* that a time of B is longer than one of A; 0.5: alike */
    bool significant;
};

/*
 * Some commands of each side, in order: their indices, uint32_t; NULL: all. No
 * flushes that worked: these are matched as barriers.
 */
struct diff_choice {
    GArray *of[2];
};

/* Two runs compared. */
struct diff {
    struct diff_side sides[2];
    const struct diff_times *times[2]; /* of all runs of the side */
    GArray *groups;                    /* struct diff_group */
    GArray *members;                   /* uint32_t */
    GArray *changed;                   /* uint32_t: commands of A that have a partner, not alike */
    struct diff_choice lonely;         /* those that have none */
    bool compare_digests;

    uint32_t levels;  /* bits 1 << enum diff_level that are asked for */
    uint64_t ignored; /* bits 1 << enum diff_kind */
    GArray *findings; /* struct diff_finding */
    GArray *timings;  /* struct diff_timing */

    /* Blocks that neither level can judge, and why. */
    uint64_t blocks_cut_otherwise, blocks_after_error;
    uint64_t reads_unattributed;
    bool lint_forgone;           /* there was too much to lint */
    uint32_t rules_not_compared; /* lint could check them in one trace only */

    /* Of several runs: how many, and how many differences vary within a side. */
    guint runs[2];
    uint64_t varying;
    uint32_t fewest[2], most[2]; /* commands of a run */
};

/* ---- diff-traits.c ---- */

#define DIFF_TRAITS_IN_CHUNK 4096u
#define DIFF_TRAITS_CHUNKS (1u << 18)
#define DIFF_TRAITS_MAX (DIFF_TRAITS_CHUNKS * DIFF_TRAITS_IN_CHUNK)

extern struct diff_traits *diff_traits_chunks[DIFF_TRAITS_CHUNKS];

static inline const struct diff_traits *diff_traits(const struct diff_command *c)
{
    return &diff_traits_chunks[c->traits / DIFF_TRAITS_IN_CHUNK][c->traits % DIFF_TRAITS_IN_CHUNK];
}

struct diff_traits_table;

struct diff_traits_table *diff_traits_table_new(void);
void diff_traits_table_free(struct diff_traits_table *t);
/* False when there are DIFF_TRAITS_MAX others. */
bool diff_traits_intern(struct diff_traits_table *t, const struct diff_traits *traits,
                        uint32_t *number);

/* ---- diff-load.c ---- */

/* One trace's devices, each a side; empty at first. */
struct diff_trace {
    const char *path;
    bool show_progress;
    int status; /* as diff_trace_load() returned it */
    GPtrArray *sides; /* struct diff_side */
};

/* Returns the exit code, as filter_close_input(). */
int diff_trace_load(struct diff_trace *trace, struct filter *filter);
void diff_trace_clear(struct diff_trace *trace);
void diff_trace_init(struct diff_trace *trace, const char *path);

/* ---- diff-devices.c ---- */

struct diff_traces {
    struct diff_trace *all; /* those of A, then those of B */
    guint n_a, n;
};

/* The runs of each side: struct diff_side, of the same device. */
struct diff_runs {
    GPtrArray *of[2];
};

/* struct diff_runs of each device. *missing, said on stderr: a trace lacks one. */
GPtrArray *diff_find_devices(const struct diff_traces *traces, bool *missing);

/* ---- diff-runs.c ---- */

/*
 * Find what differs between the sides, in the first run of each: what does so
 * in every pair of runs, and never within a side. d has what is asked for.
 */
void diff_compare(struct diff *d, const struct diff_runs *runs);
void diff_clear(struct diff *d);

/* ---- The levels; matching comes first ---- */

void diff_match(struct diff *d);
void diff_align(struct diff *d); /* barriers, by the partners found so far */

void diff_data(struct diff *d);
void diff_order(struct diff *d);
void diff_shape(struct diff *d);
void diff_geometry(struct diff *d);
void diff_outcome(struct diff *d);
void diff_time(struct diff *d);

/* ---- diff-finding.c ---- */

extern const char *const diff_level_names[DIFF_LEVELS];

const char *diff_kind_name(enum diff_kind kind);
/* Find a kind by its name; false when there is none. */
bool diff_kind_find(const char *name, enum diff_kind *kind);
enum diff_level diff_kind_level(enum diff_kind kind);
/* "writes carry other bytes", of so many. */
const char *diff_kind_words(enum diff_kind kind, uint64_t n);

/* Note a difference, if it is asked for; what it has beside kind is in f. */
void diff_report(struct diff *d, enum diff_kind kind, const struct diff_finding *f);

/* All findings of a comparison, added up. */
struct diff_sums {
    uint64_t counts[DIFF_KINDS];
    const struct diff_finding *first[DIFF_KINDS]; /* NULL: none */
    uint64_t blocks_different, blocks_written_in_a, blocks_written_in_b;
    uint64_t largest_merge[2], largest_split[2]; /* bytes in A, in B */
    GHashTable *choices; /* "READ(10) -> READ(16)" -> count */
};

void diff_sum(struct diff_sums *sums, const struct diff *d);
void diff_sums_clear(struct diff_sums *sums);
bool diff_level_differs(const struct diff_sums *sums, enum diff_level level);

/* What there is to say beside the commands, with "->" or a nicer arrow; NULL for nothing. */
char *diff_finding_text(const struct diff *d, const struct diff_finding *f, const char *arrow);

/* ---- diff-lint.c ---- */

/* Lint a loaded trace; the filter is one that has seen nothing yet. */
void diff_lint_trace(struct diff_trace *trace, struct filter *filter);
void diff_lint_free(struct diff_lint *l);
void diff_lint(struct diff *d);
char *diff_lint_text(const struct diff *d, const struct diff_finding *f);

/* ---- diff-sectors.c ---- */

struct diff_sectors;

/* Those of commands of one side: say which are wanted, then read its trace. */
struct diff_sectors *diff_sectors_new(void);
void diff_sectors_free(struct diff_sectors *s);
void diff_sectors_want(struct diff_sectors *s, const struct diff_command *c);
void diff_sectors_read(struct diff_sectors *s, const char *path);

/* The hashes of these blocks of a command, one after the other; NULL: not all are known. */
const uint8_t *diff_sectors_at(const struct diff_sectors *s, const struct diff_command *c,
                               uint64_t lba, uint64_t blocks);

/* ---- diff-time.c ---- */

struct diff_times *diff_times_new(void);
void diff_times_free(struct diff_times *t);
void diff_times_add(struct diff_times *t, enum td_op op, uint64_t latency_ns);
void diff_times_complete(struct diff_times *t, uint64_t ns);
void diff_times_pool(struct diff_times *t, const struct diff_times *more);

/*
 * The change that a finding tells of the pool, of this `what`: has a pair of
 * both sides it, too? Is it nothing beside what a pair of one side differs by?
 */
bool diff_time_is_alike(const struct diff *pair, const struct diff *pool, uint32_t what);
bool diff_time_varies(const struct diff *pair, const struct diff *pool, uint32_t what);

void diff_choice_clear(struct diff_choice *choice);

/* ---- diff-threads.c ---- */

/* Do something for both sides, at the same time. */
void diff_on_both_sides(void (*work)(void *data, unsigned side), void *data);

/* ---- For levels ---- */

static inline bool diff_wants(const struct diff *d, enum diff_level level)
{
    return d->levels & 1u << level;
}

static inline const struct diff_command *diff_partner(const struct diff *d, unsigned side,
                                                      const struct diff_command *c)
{
    return c->partner >= DIFF_GROUPED ? NULL : &d->sides[!side].commands[c->partner];
}

/* The n-th pair that is not alike: its command of A. */
static inline const struct diff_command *diff_changed(const struct diff *d, guint n)
{
    return &d->sides[0].commands[g_array_index(d->changed, uint32_t, n)];
}

/* The n-th command of a side that has no partner. */
static inline const struct diff_command *diff_lonely(const struct diff *d, unsigned side, guint n)
{
    return &d->sides[side].commands[g_array_index(d->lonely.of[side], uint32_t, n)];
}

static inline uint32_t diff_last_epoch(const struct diff_side *side, const struct diff_command *c)
{
    return c->epochs < DIFF_MANY_EPOCHS ? c->first_epoch + c->epochs : side->n_barriers;
}

/* Does it change what the disk holds? */
static inline bool diff_is_write(const struct diff_command *c)
{
    uint8_t op = diff_traits(c)->op;

    return c->blocks && (op == TD_OP_WRITE || op == TD_OP_ZERO || op == TD_OP_TRIM);
}

static inline bool diff_has_payload(const struct diff_command *c)
{
    return diff_is_write(c) || (c->blocks && diff_traits(c)->op == TD_OP_READ);
}

static inline uint32_t diff_first_ordinal(const struct diff_side *side,
                                          const struct diff_command *c)
{
    return side->ordinal[c->first_epoch];
}

static inline uint32_t diff_last_ordinal(const struct diff_side *side,
                                         const struct diff_command *c)
{
    return side->ordinal[diff_last_epoch(side, c)];
}

/* Is a pair on different sides of a barrier that both have? */
static inline bool diff_moved(const struct diff *d, const struct diff_command *a,
                              const struct diff_command *b)
{
    return diff_last_ordinal(&d->sides[0], a) < diff_first_ordinal(&d->sides[1], b) ||
           diff_last_ordinal(&d->sides[1], b) < diff_first_ordinal(&d->sides[0], a);
}

/* Hash of what a command does, but for the bytes it carries. */
uint64_t diff_request_key(const struct diff_command *c);

/* Mix a number into a hash. */
static inline uint64_t diff_mix(uint64_t hash, uint64_t value)
{
    hash = (hash ^ value) * UINT64_C(0x9e3779b97f4a7c15);
    return hash ^ hash >> 29;
}

/* ---- diff-summary.c ---- */

/* Sentences, each a line: about all, which may be none; about a level. */
char *diff_head(const struct diff *d);
char *diff_level_summary(const struct diff *d, const struct diff_sums *sums,
                         enum diff_level level);

/* ---- diff-report.c ---- */

void diff_print_text(const struct diff *d, const struct diff_sums *sums, uint64_t details);
void diff_print_numbers(const struct diff_sums *sums);

/* ---- diff-json.c ---- */

struct json;

/* The members of the object that tells of a comparison. */
void diff_put_json(struct json *j, const struct diff *d, const struct diff_sums *sums,
                   uint64_t details);
void diff_print_json(const struct diff *d, const struct diff_sums *sums, uint64_t details);

/* ---- diff-html.c ---- */

/* A device of both sides, compared. */
struct diff_comparison {
    struct diff d;
    struct diff_sums sums;
};

/*
 * Make a page of the first trace of each side and the comparisons of their
 * devices. Standard output goes to it from then on. Returns the exit code.
 */
int diff_print_html(const char *output, const char *const paths[2], const struct filter *filter,
                    const GPtrArray *comparisons, uint64_t details);

#endif
