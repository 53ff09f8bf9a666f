/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Conformance cases: registered with GLib's tests, declared as JSON, and the
 * report of one that failed.
 */
#include "case.h"
#include "tests/qtest/libqtest.h"

typedef struct Registered {
    const TdCase *c;
    char *path;
} Registered;

static const TdCase *current;
static const char *current_path, *program;
static bool explained;          /* a failure has been reported */

const TdCase *td_case(void)
{
    return current;
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
               program, current_path);
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

    current = c;
    current_path = r->path;
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

typedef void CaseVisitor(const TdCase *c, const char *path);

static void for_each_case(const TdSuite *suite, CaseVisitor *visit)
{
    for (const TdTopic *const *t = suite->topics; *t; t++) {
        for (size_t i = 0; i < (*t)->n_cases; i++) {
            const TdCase *c = &(*t)->cases[i];
            g_autofree char *path =
                g_strdup_printf("/tracedisk/%s/%s/%s", suite->name,
                                (*t)->name, c->name);

            visit(c, path);
        }
    }
}

static void add_case(const TdCase *c, const char *path)
{
    Registered *r = g_new(Registered, 1);

    g_assert_true(c->title && c->clause && c->run);
    *r = (Registered) { c, g_strdup(path) };
    g_test_add_data_func(path, r, run_case);
}

static void print_member(const char *key, const char *text)
{
    g_autofree char *escaped = g_strescape(text ?: "", NULL);

    printf("\"%s\":\"%s\",", key, escaped);
}

static void declare_case(const TdCase *c, const char *path)
{
    printf("{");
    print_member("name", path);
    print_member("title", c->title);
    print_member("clause", c->clause);
    print_member("good", c->good);
    print_member("bad", c->bad);
    print_member("ours", c->ours);
    printf("\"clock\":%s}\n", c->clock ? "true" : "false");
}

void td_item(const char *item, const char *name)
{
    printf("%s\t%s\n", item, name ?: "");
}

int td_suite_main(int argc, char **argv, const TdSuite *suite)
{
    if (argc == 2 && g_str_equal(argv[1], "--declare")) {
        for_each_case(suite, declare_case);
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
    for_each_case(suite, add_case);
    qtest_add_abrt_handler(aborted, NULL);
    return g_test_run();
}
