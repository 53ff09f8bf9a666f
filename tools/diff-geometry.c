/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk diff, level geometry: element counts, sizes, page offsets and
 * contiguity of commands that both sides have. Of each pair the first of
 * these that differs is told: the others follow from it.
 */
#include "diff.h"

static char *counts_text(const struct diff_command *a, const struct diff_command *b)
{
    return g_strdup_printf("%u elements -> %u", a->n_elements, b->n_elements);
}

void diff_geometry(struct diff *d)
{
    for (uint32_t i = 0; i < d->sides[0].n; i++) {
        const struct diff_command *a = &d->sides[0].commands[i], *b = diff_partner(d, 0, a);

        if (!b)
            continue;
        if (a->n_elements != b->n_elements)
            diff_report(d, DIFF_ELEMENT_COUNT, a, b, counts_text(a, b));
        else if (a->sizes != b->sizes)
            diff_report(d, DIFF_ELEMENT_SIZES, a, b, NULL);
        else if (a->offsets != b->offsets)
            diff_report(d, DIFF_ELEMENT_OFFSETS, a, b, NULL);
        else if (a->contiguity != b->contiguity)
            diff_report(d, DIFF_ELEMENT_CONTIGUITY, a, b, NULL);
    }
}
