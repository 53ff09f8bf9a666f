/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk diff --html: the page that tracedisk report makes of two traces,
 * and above it what differs.
 */
#include "diff.h"
#include "json.h"
#include "output.h"
#include "report.h"
#include "tool.h"

struct page {
    const GPtrArray *comparisons; /* struct diff_comparison */
    uint64_t details;
};

static void put_comparison(struct json *j, const struct diff_comparison *c, uint64_t details)
{
    const struct diff *d = &c->d;
    g_autofree char *head = diff_head(d);

    json_begin_object(j);
    diff_put_json(j, d, &c->sums, details);
    json_key_string(j, "head", head);
    json_key(j, "summary");
    json_begin_object(j);
    for (int level = 0; level < DIFF_LEVELS; level++) {
        g_autofree char *text = NULL;

        if (!diff_wants(d, (enum diff_level)level))
            continue;
        text = diff_level_summary(d, &c->sums, (enum diff_level)level);
        json_key_string(j, diff_level_names[level], text);
    }
    json_end_object(j);
    json_end_object(j);
}

static void put_comparisons(struct json *j, void *data)
{
    const struct page *page = data;

    json_key(j, "diff");
    json_begin_array(j);
    for (guint i = 0; i < page->comparisons->len; i++)
        put_comparison(j, page->comparisons->pdata[i], page->details);
    json_end_array(j);
}

int diff_print_html(const char *output, const char *const paths[2], const struct filter *filter,
                    const GPtrArray *comparisons, uint64_t details)
{
    struct page page = { comparisons, details };
    struct report_side sides[2];
    unsigned n = 0;
    int status = EXIT_FINE;

    while (n < 2 && report_side_read(&sides[n], paths[n], filter))
        n++;
    if (n == 2 && output_open_file(output))
        report_print(sides, n, put_comparisons, &page);
    else
        status = EXIT_TROUBLE;
    output_flush();
    while (n-- > 0) {
        int reading = report_side_close(&sides[n]);

        status = MAX(status, reading);
    }
    return status;
}
