/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tracedisk diff: its answer as text. */
#include <inttypes.h>
#include <stdio.h>

#include "diff.h"
#include "output.h"

static void print_command(const char *side, const struct diff_command *c)
{
    if (!c)
        return;
    printf("  %s #%" PRIu32 " %s", side, c->seq, diff_traits(c)->name);
    if (c->blocks)
        printf(" %" PRIu64 "+%" PRIu32, c->lba, c->blocks);
}

static void print_details(const struct diff *d, uint64_t details)
{
    uint64_t printed[DIFF_KINDS] = { 0 };

    for (guint i = 0; i < d->findings->len; i++) {
        const struct diff_finding *f = &g_array_index(d->findings, struct diff_finding, i);
        g_autofree char *text = NULL;

        if (printed[f->kind]++ >= details)
            continue;
        text = diff_finding_text(d, f, output_is_utf8() ? "→" : "->");
        printf("%-8s  %-18s", diff_level_names[diff_kind_level(f->kind)], diff_kind_name(f->kind));
        print_command("A", f->a);
        print_command("B", f->b);
        printf("%s%s\n", text ? "  " : "", text ? text : "");
    }
}

void diff_print_numbers(const struct diff_sums *sums)
{
    for (int i = 0; i < DIFF_KINDS; i++) {
        enum diff_kind kind = (enum diff_kind)i;

        if (sums->counts[kind])
            printf("%-8s  %-18s  %10" PRIu64 "\n", diff_level_names[diff_kind_level(kind)],
                   diff_kind_name(kind), sums->counts[kind]);
    }
}

void diff_print_text(const struct diff *d, const struct diff_sums *sums, uint64_t details)
{
    g_autofree char *head = diff_head(d);

    fputs(head, stdout);
    for (int level = 0; level < DIFF_LEVELS; level++) {
        g_autofree char *summary = NULL;

        if (!diff_wants(d, (enum diff_level)level))
            continue;
        summary = diff_level_summary(d, sums, (enum diff_level)level);
        fputs(summary, stdout);
    }
    print_details(d, details);
}
