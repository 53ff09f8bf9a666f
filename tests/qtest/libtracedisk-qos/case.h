/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Conformance cases: how one is declared, and how it says what went wrong.
 *
 * Concepts
 *
 *   case      one statement about the device, with the clause of the
 *             specification that makes it, and a function that checks it
 *   topic     an array of cases in a file of its own, all of one subject
 *   suite     the topics of one program; its cases are named
 *             /tracedisk/SUITE/TOPIC/CASE
 *   item      something that has to be covered: "register:PxIS",
 *             "fis:set-device-bits", "command:0x25", "error:PxIS.OFS". A case
 *             names those that it covers with good and with bad input; the
 *             suite lists all that there are. What is listed and not covered
 *             shows in the report of script/conformance.
 *   row       one of several things of a kind, which a case is run on one after
 *             the other, each time as a case of its own:
 *             /tracedisk/SUITE/TOPIC/ROW/CASE
 *   system    what the cases run on: our device in the QEMU built in tree,
 *             our device in a stock QEMU, or a peer: QEMU's own device
 *
 * Example
 *
 *     static void test_version(void)
 *     {
 *         ...
 *         td_expect_hex(version, ==, 0x00010300);
 *     }
 *
 *     static const TdCase cases[] = {
 *         {
 *             .name = "version",
 *             .title = "VS says which AHCI version the HBA has",
 *             .clause = "AHCI 1.3.1 3.1.5",
 *             .good = "register:VS",
 *             .run = test_version,
 *         },
 *     };
 *     const TdTopic topic_registers = TD_TOPIC("registers", cases);
 *
 *     int main(int argc, char **argv)
 *     {
 *         static const TdTopic *const topics[] = { &topic_registers, NULL };
 *         static const TdSuite suite = { .name = "ahci", .topics = topics };
 *
 *         return td_suite_main(argc, argv, &suite);
 *     }
 *
 * Such a program takes what every GLib test does (-l, -p NAME…), and
 *
 *     --declare   print every case, a JSON object a line
 *     --items     print what there is to cover: ITEM, its name, and why no case
 *                 can reach it (mostly empty), with tabs between them
 *
 * TD_SYSTEM in the environment says what the QEMU in QTEST_QEMU_BINARY is:
 * "tree" (the default), "stock" or "peer".
 */
#ifndef LIBTRACEDISK_QOS_CASE_H
#define LIBTRACEDISK_QOS_CASE_H

#include "qemu/osdep.h"

typedef enum TdSystem {
    TD_TREE,                /* ours, in tree: -accel qtest */
    TD_STOCK,               /* ours as a module: no clock of the test */
    TD_PEER,                /* QEMU's own device, which has no trace */
} TdSystem;

/*
 * What a case is run on; the first member of the rows of an array. The row's
 * title stands in front of the case's, and its clause.
 */
typedef struct TdRow {
    const char *name, *title, *clause;
    const char *item;       /* what "@" in a case's good and bad stands for */
} TdRow;

typedef struct TdCase {
    /*
     * Within the topic; may have slashes. None is the start of another's: when
     * GLib is asked for "a" it runs "a/b", too.
     */
    const char *name;
    const char *title;      /* what holds, in a sentence without a full stop */
    const char *clause;     /* specification and clause: "ACS-3 7.12" */
    const char *good;       /* items covered with good input, with spaces */
    const char *bad;        /* items covered with bad input */
    const char *ours;       /* if it makes sense on a tracedisk only: why */
    bool clock;             /* it moves the virtual clock: in tree only */
    void (*run)(void);
    const void *data;       /* for run(), through td_case() */

    /* TD_ROWS(array): run() finds its row by td_row(). */
    const TdRow *rows;
    size_t n_rows, row_size;
    bool (*only)(const TdRow *row);     /* for which rows; NULL: all */
} TdCase;

#define TD_ROWS(array) \
    .rows = &(array)[0].row, .n_rows = ARRAY_SIZE(array), \
    .row_size = sizeof((array)[0])

typedef struct TdTopic {
    const char *name;
    const TdCase *cases;
    size_t n_cases;
} TdTopic;

#define TD_TOPIC(topic_name, array) \
    { .name = topic_name, .cases = array, .n_cases = ARRAY_SIZE(array) }

typedef struct TdSuite {
    const char *name;
    const TdTopic *const *topics;       /* NULL at the end */
    /* Calls td_item() for all there is to cover; may start a QEMU to ask. */
    void (*items)(void);
} TdSuite;

int td_suite_main(int argc, char **argv, const TdSuite *suite);

/* For TdSuite.items: there is @item, which people call @name (or NULL). */
void td_item(const char *item, const char *name);
/* The same for one that no case can reach, and why: the report says so. */
void td_item_unreachable(const char *item, const char *name, const char *why);

/* The case that runs, and the row that it runs on. */
const TdCase *td_case(void);
const void *td_row(void);
TdSystem td_system(void);

/* ---- Expectations ------------------------------------------------------ */

/*
 * When one does not hold, title, clause, expectation, what was found and the
 * command that repeats the case are printed, and the program ends.
 */
#define td_expect_hex(actual, op, expected) \
    td_expect_cmp(actual, #actual, op, expected, #expected, true)
#define td_expect_uint(actual, op, expected) \
    td_expect_cmp(actual, #actual, op, expected, #expected, false)
#define td_expect_cmp(actual, what, op, expected, wanted, hex) \
    do { \
        uint64_t actual_ = (actual), expected_ = (expected); \
        if (!(actual_ op expected_)) { \
            td_fail_number(__FILE__, __LINE__, what, #op, wanted, actual_, \
                           expected_, hex); \
        } \
    } while (0)
/* All of @bits, or none of them, are set. */
#define td_expect_set(actual, bits) \
    do { \
        uint64_t actual_ = (actual), bits_ = (bits); \
        if ((actual_ & bits_) != bits_) { \
            td_fail_number(__FILE__, __LINE__, #actual, "has the bits", \
                           #bits, actual_, bits_, true); \
        } \
    } while (0)
#define td_expect_clear(actual, bits) \
    do { \
        uint64_t actual_ = (actual), bits_ = (bits); \
        if (actual_ & bits_) { \
            td_fail_number(__FILE__, __LINE__, #actual, \
                           "has none of the bits", #bits, actual_, bits_, \
                           true); \
        } \
    } while (0)
#define td_expect_str(actual, expected) \
    td_expect_str_at(__FILE__, __LINE__, #actual, actual, expected)
#define td_expect_mem(actual, expected, bytes) \
    td_expect_mem_at(__FILE__, __LINE__, #actual, actual, expected, bytes)
#define td_expect(condition) \
    do { \
        if (!(condition)) { \
            td_fail_at(__FILE__, __LINE__, #condition, "it does not hold"); \
        } \
    } while (0)
/* In words, for what a comparison cannot say. */
#define td_fail(expectation, ...) \
    td_fail_at(__FILE__, __LINE__, expectation, __VA_ARGS__)

G_NORETURN void td_fail_at(const char *file, int line, const char *expectation,
                           const char *actual, ...) G_GNUC_PRINTF(4, 5);
G_NORETURN void td_fail_number(const char *file, int line, const char *what,
                               const char *op, const char *expected_text,
                               uint64_t actual, uint64_t expected, bool hex);
void td_expect_str_at(const char *file, int line, const char *what,
                      const char *actual, const char *expected);
void td_expect_mem_at(const char *file, int line, const char *what,
                      const void *actual, const void *expected, size_t bytes);

#endif
