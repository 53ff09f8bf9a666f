/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A report as one HTML file: report/page.html, whose comments <!--STYLE-->,
 * <!--DATA--> and <!--SCRIPT--> are replaced. The data is a JSON document and,
 * for each trace, two tables in columns: what is drawn may be a million
 * commands. A table is base64 of zlib's deflate of its columns, one after the
 * other, each of LEB128 varints; report/data.js reads it.
 */
#include <gio/gio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "lint-print.h"
#include "report.h"

/* ---- Columns ---- */

static void put_varint(GByteArray *column, uint64_t value)
{
    uint8_t bytes[10];
    guint n = 0;

    do {
        bytes[n++] = (uint8_t)(value & 0x7f) | (value > 0x7f ? 0x80 : 0);
        value >>= 7;
    } while (value);
    g_byte_array_append(column, bytes, n);
}

/* Zigzag: small numbers of either sign stay small. */
static void put_step(GByteArray *column, uint64_t value, uint64_t *last)
{
    uint64_t step = value - *last;

    put_varint(column, step << 1 ^ (step >> 63 ? UINT64_MAX : 0));
    *last = value;
}

static GByteArray *command_columns(const struct report_side *side)
{
    enum { TIME, LBA, BLOCKS, LATENCY, DEPTH, KIND, SEQ, N };
    GByteArray *columns[N];
    uint64_t time = 0, lba = 0, seq = 0;

    for (int i = 0; i < N; i++)
        columns[i] = g_byte_array_new();
    for (guint i = 0; i < side->commands->len; i++) {
        const struct report_command *c =
            &g_array_index(side->commands, struct report_command, i);

        put_step(columns[TIME], c->submit_ns, &time);
        put_step(columns[LBA], c->lba, &lba);
        put_varint(columns[BLOCKS], c->blocks);
        put_varint(columns[LATENCY], c->latency_ns + 1); /* 0: pending */
        put_varint(columns[DEPTH], c->depth);
        put_varint(columns[KIND], c->op | (uint64_t)(c->status & 3) << 4);
        put_step(columns[SEQ], c->seq, &seq);
    }
    for (int i = 1; i < N; i++) {
        g_byte_array_append(columns[0], columns[i]->data, columns[i]->len);
        g_byte_array_free(columns[i], TRUE);
    }
    return columns[0];
}

static int by_address(const void *a, const void *b)
{
    const struct report_page *x = *(struct report_page *const *)a;
    const struct report_page *y = *(struct report_page *const *)b;

    return x->page < y->page ? -1 : x->page > y->page;
}

static GByteArray *page_columns(const struct report_side *side)
{
    guint n = g_hash_table_size(side->pages);
    GByteArray *table = g_byte_array_new();
    g_autofree struct report_page **pages = g_new(struct report_page *, n + 1);
    uint64_t page = 0, seq = 0, ns = 0, lba = 0;
    GHashTableIter all;
    gpointer value;
    guint i = 0;

    g_hash_table_iter_init(&all, side->pages);
    while (g_hash_table_iter_next(&all, NULL, &value))
        pages[i++] = value;
    qsort(pages, n, sizeof(pages[0]), by_address);
    for (i = 0; i < n; i++)
        put_step(table, pages[i]->page >> 12, &page);
    for (i = 0; i < n; i++)
        put_varint(table, pages[i]->writes);
    for (i = 0; i < n; i++)
        put_varint(table, pages[i]->reads);
    for (i = 0; i < n; i++)
        put_step(table, pages[i]->seq, &seq);
    for (i = 0; i < n; i++)
        put_step(table, pages[i]->ns, &ns);
    for (i = 0; i < n; i++)
        put_step(table, pages[i]->lba + 1, &lba); /* 0: of no block */
    return table;
}

/* Takes the table. */
static void print_table(const char *what, size_t side, GByteArray *table)
{
    uLongf len = compressBound(table->len);
    g_autofree uint8_t *deflated = g_malloc(len);
    g_autofree char *text = NULL;

    if (compress2(deflated, &len, table->len ? table->data : (const uint8_t *)"", table->len,
                  6) != Z_OK)
        g_error("out of memory");
    text = g_base64_encode(deflated, len);
    printf("<script type=\"text/plain\" id=\"%s-%zu\">%s</script>\n", what, side, text);
    g_byte_array_free(table, TRUE);
}

/* ---- The document ---- */

static void put_rows(struct json *j, const char *key, const GArray *rows)
{
    json_key(j, key);
    json_begin_array(j);
    for (guint i = 0; i < rows->len; i++) {
        const struct report_row *row = &g_array_index(rows, struct report_row, i);

        json_begin_object(j);
        json_key_uint(j, "seq", row->seq);
        json_key_uint(j, "ns", row->ns);
        json_key_uint(j, "value", row->value);
        json_key_string(j, "text", row->text);
        json_end_object(j);
    }
    json_end_array(j);
}

static void put_lint(struct json *j, const struct lint *l)
{
    json_key(j, "lint");
    json_begin_array(j);
    for (size_t i = 0; i < lint_n_rules; i++) {
        const struct lint_finding *first;

        if (!lint_count(l, i))
            continue;
        first = g_ptr_array_index(lint_findings(l, i), 0);
        json_begin_object(j);
        json_key_string(j, "rule", lint_rules[i]->id);
        json_key_string(j, "severity", lint_severity_name(lint_rules[i]->severity));
        json_key_string(j, "title", lint_rules[i]->title);
        json_key_uint(j, "count", lint_count(l, i));
        json_key_string(j, "first", first->text);
        json_end_object(j);
    }
    json_end_array(j);
}

static void put_side(struct json *j, const struct report_side *side)
{
    uint32_t device = side->statistics->devices->len ?
                          g_array_index(side->statistics->devices, uint32_t, 0) : 0;

    json_begin_object(j);
    json_key_string(j, "name", side->path);
    json_key_string(j, "title", side->title);
    json_key_uint(j, "block_size", input_block_size(&side->in, device));
    json_key_uint(j, "drawn", side->commands->len);
    json_key_uint(j, "stride", side->stride);
    json_key_uint(j, "pages", g_hash_table_size(side->pages));
    json_key_uint(j, "pages_left_out", side->pages_left_out);
    json_key_uint(j, "n_errors", side->n_errors);
    json_key_uint(j, "n_events", side->n_events);
    put_rows(j, "slowest", side->slowest);
    put_rows(j, "errors", side->errors);
    put_rows(j, "events", side->events);
    put_lint(j, side->lint);
    json_key(j, "stat");
    stat_put_json(j, side->statistics, &side->in);
    json_end_object(j);
}

static void print_data(struct report_side *sides, size_t n,
                       void (*more)(struct json *j, void *data), void *data)
{
    struct json *j = json_new_for_html();

    fputs("<script type=\"application/json\" id=\"data\">", stdout);
    json_begin_object(j);
    json_key(j, "ops");
    json_begin_array(j);
    for (int op = 0; op < STAT_OPS; op++)
        json_string(j, td_op_name((enum td_op)op));
    json_end_array(j);
    json_key(j, "sides");
    json_begin_array(j);
    for (size_t i = 0; i < n; i++)
        put_side(j, &sides[i]);
    json_end_array(j);
    if (more)
        more(j, data);
    json_end_object(j);
    json_end_document(j);
    fputs("</script>\n", stdout);
    json_free(j);
    for (size_t i = 0; i < n; i++) {
        print_table("commands", i, command_columns(&sides[i]));
        print_table("pages", i, page_columns(&sides[i]));
    }
}

/* ---- The page ---- */

static void print_resource(const char *name)
{
    g_autofree char *path = g_strconcat("/tracedisk/report/", name, NULL);
    g_autoptr(GBytes) bytes = g_resources_lookup_data(path, G_RESOURCE_LOOKUP_FLAGS_NONE, NULL);
    gsize len;
    const char *text = g_bytes_get_data(bytes, &len);

    fwrite(text, 1, len, stdout);
}

void report_print(struct report_side *sides, size_t n, void (*more)(struct json *j, void *data),
                  void *data)
{
    g_autoptr(GBytes) bytes = g_resources_lookup_data("/tracedisk/report/page.html",
                                                      G_RESOURCE_LOOKUP_FLAGS_NONE, NULL);
    g_autofree char *page = g_strndup(g_bytes_get_data(bytes, NULL), g_bytes_get_size(bytes));
    g_auto(GStrv) parts = g_strsplit(page, "<!--", -1);

    fputs(parts[0], stdout);
    for (char **part = parts + 1; *part; part++) {
        if (g_str_has_prefix(*part, "STYLE-->")) {
            fputs("<style>\n", stdout);
            print_resource("style.css");
            fputs("</style>", stdout);
        } else if (g_str_has_prefix(*part, "DATA-->")) {
            print_data(sides, n, more, data);
        } else if (g_str_has_prefix(*part, "SCRIPT-->")) {
            fputs("<script>\n", stdout);
            print_resource("data.js");
            print_resource("charts.js");
            print_resource("page.js");
            fputs("</script>", stdout);
        }
        fputs(strstr(*part, "-->") + 3, stdout);
    }
}
