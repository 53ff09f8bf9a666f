/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Conformance cases: registered with GLib's tests, declared as JSON, and the
 * report of one that failed.
 */
#include "case.h"
#include "tests/qtest/libqtest.h"

/* A case, with what its row adds. */
typedef struct Registered {
    const TdCase *c;
    const TdRow *row;
    char *path, *title, *clause, *good, *bad;
} Registered;

static const Registered *current;
static const char *program;
static bool explained;          /* a failure has been reported */

const TdCase *td_case(void)
{
    return current->c;
}

const void *td_row(void)
{
    return current->row;
}

TdSystem td_system(void)
{
    const char *system = g_getenv("TD_SYSTEM") ?: "tree";

    if (g_str_equal(system, "tree")) {
        return TD_TREE;
    }
    if (g_str_equal(system, "stock")) {
        return TD_STOCK;
    }
    if (g_str_equal(system, "peer")) {
        return TD_PEER;
    }
    g_error("TD_SYSTEM=%s: should be tree, stock or peer", system);
}

/* ---- Failures ---------------------------------------------------------- */

static void report(const char *expectation, const char *actual,
                   const char *file, int line)
{
    const char *system = g_getenv("TD_SYSTEM") ?: "tree";

    explained = true;
    printf("# title:       %s\n", current ? current->title : "(no case)");
    printf("# clause:      %s\n", current ? current->clause : "");
    printf("# expectation: %s\n", expectation);
    printf("# actual:      %s\n", actual);
    if (file) {
        printf("# where:       %s:%d\n", file, line);
    }
    if (current) {
        printf("# repeat:      tests/qtest/run --on %s %s %s\n", system,
               program, current->path);
    }
    fflush(stdout);
}

void td_fail_at(const char *file, int line, const char *expectation,
                const char *actual, ...)
{
    g_autofree char *text = NULL;
    va_list ap;

    va_start(ap, actual);
    text = g_strdup_vprintf(actual, ap);
    va_end(ap);
    report(expectation, text, file, line);
    abort();
}

void td_fail_number(const char *file, int line, const char *what,
                    const char *op, const char *expected_text,
                    uint64_t actual, uint64_t expected, bool hex)
{
    const char *format = hex ? "0x%" PRIx64 : "%" PRIu64;
    g_autofree char *value = g_strdup_printf(format, expected);
    bool same = g_str_equal(value, expected_text);
    g_autofree char *expectation =
        g_strdup_printf("%s %s %s%s%s%s", what, op, expected_text,
                        same ? "" : " (", same ? "" : value,
                        same ? "" : ")");

    td_fail_at(file, line, expectation, format, actual);
}

void td_expect_str_at(const char *file, int line, const char *what,
                      const char *actual, const char *expected)
{
    if (g_strcmp0(actual, expected)) {
        g_autofree char *expectation = g_strdup_printf("%s is \"%s\"", what,
                                                       expected);

        td_fail_at(file, line, expectation, "\"%s\"", actual);
    }
}

void td_expect_mem_at(const char *file, int line, const char *what,
                      const void *actual, const void *expected, size_t bytes)
{
    const uint8_t *a = actual, *e = expected;

    for (size_t i = 0; i < bytes; i++) {
        if (a[i] != e[i]) {
            g_autofree char *expectation =
                g_strdup_printf("byte %zu of %zu of %s is 0x%02x", i, bytes,
                                what, e[i]);

            td_fail_at(file, line, expectation, "0x%02x", a[i]);
        }
    }
}

/* For what fails elsewhere: libqos, GLib, a QEMU that died. */
static void aborted(void *unused)
{
    if (!explained) {
        report("the helpers' own checks hold, and QEMU lives",
               "see the message above", NULL, 0);
    }
}

/* ---- Registration ------------------------------------------------------ */

static void run_case(gconstpointer data)
{
    const Registered *r = data;
    const TdCase *c = r->c;

    current = r;
    explained = false;
    if (c->ours && td_system() == TD_PEER) {
        g_test_skip(c->ours);
    } else if (c->clock && td_system() != TD_TREE) {
        g_test_skip("this QEMU lets no test move its clock");
    } else {
        c->run();
    }
    current = NULL;
}

static char *join(const char *row, const char *separator, const char *text)
{
    return !text ? g_strdup(row) :
           row ? g_strconcat(row, separator, text, NULL) : g_strdup(text);
}

static char *items_of(const char *items, const TdRow *row)
{
    g_auto(GStrv) parts = g_strsplit(items ?: "", "@", -1);

    g_assert_true(row || !parts[0] || !parts[1]);
    return g_strjoinv(row ? row->item : "", parts);
}

static void free_registered(gpointer data)
{
    Registered *r = data;

    g_free(r->path);
    g_free(r->title);
    g_free(r->clause);
    g_free(r->good);
    g_free(r->bad);
    g_free(r);
}

static Registered *make_case(const char *prefix, const TdCase *c,
                             const TdRow *row)
{
    Registered *r = g_new0(Registered, 1);
    g_autofree char *name = join(row ? row->name : NULL, "/", c->name);

    g_assert_true(c->title && c->run);
    r->c = c;
    r->row = row;
    r->path = g_strdup_printf("%s/%s", prefix, name);
    r->title = join(row ? row->title : NULL, ": ", c->title);
    r->clause = join(row ? row->clause : NULL, ", ", c->clause);
    g_assert_nonnull(r->clause);
    r->good = items_of(c->good, row);
    r->bad = items_of(c->bad, row);
    return r;
}

static void add_rows(GPtrArray *all, const char *prefix, const TdCase *c)
{
    if (!c->rows) {
        g_ptr_array_add(all, make_case(prefix, c, NULL));
    }
    for (size_t i = 0; i < c->n_rows; i++) {
        const TdRow *row = (const void *)((const char *)c->rows +
                                          i * c->row_size);

        if (!c->only || c->only(row)) {
            g_ptr_array_add(all, make_case(prefix, c, row));
        }
    }
}

static GPtrArray *all_cases(const TdSuite *suite)
{
    GPtrArray *all = g_ptr_array_new_with_free_func(free_registered);

    for (const TdTopic *const *t = suite->topics; *t; t++) {
        g_autofree char *prefix =
            g_strdup_printf("/tracedisk/%s/%s", suite->name, (*t)->name);

        for (size_t i = 0; i < (*t)->n_cases; i++) {
            add_rows(all, prefix, &(*t)->cases[i]);
        }
    }
    return all;
}

static void print_member(const char *key, const char *text)
{
    g_autofree char *escaped = g_strescape(text ?: "", NULL);

    printf("\"%s\":\"%s\",", key, escaped);
}

static void declare_case(const Registered *r)
{
    printf("{");
    print_member("name", r->path);
    print_member("title", r->title);
    print_member("clause", r->clause);
    print_member("good", r->good);
    print_member("bad", r->bad);
    print_member("ours", r->c->ours);
    printf("\"clock\":%s}\n", r->c->clock ? "true" : "false");
}

void td_item(const char *item, const char *name)
{
    printf("%s\t%s\t\n", item, name ?: "");
}

void td_item_unreachable(const char *item, const char *name, const char *why)
{
    printf("%s\t%s\t%s\n", item, name ?: "", why);
}

int td_suite_main(int argc, char **argv, const TdSuite *suite)
{
    g_autoptr(GPtrArray) all = all_cases(suite);

    if (argc == 2 && g_str_equal(argv[1], "--declare")) {
        for (guint i = 0; i < all->len; i++) {
            declare_case(g_ptr_array_index(all, i));
        }
        return 0;
    }
    if (argc == 2 && g_str_equal(argv[1], "--items")) {
        if (suite->items) {
            suite->items();
        }
        return 0;
    }
    program = g_path_get_basename(argv[0]);
    g_test_init(&argc, &argv, NULL);
    for (guint i = 0; i < all->len; i++) {
        const Registered *r = g_ptr_array_index(all, i);

        g_test_add_data_func(r->path, r, run_case);
    }
    qtest_add_abrt_handler(aborted, NULL);
    return g_test_run();
}
