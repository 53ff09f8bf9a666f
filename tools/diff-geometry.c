/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk diff, level geometry: element counts, sizes, page offsets and
 * contiguity of commands that both sides have. Of each pair the first of
 * these that differs is told: the others follow from it.
 */
#include "diff.h"

void diff_geometry(struct diff *d)
{
    for (guint i = 0; i < d->changed->len; i++) {
        const struct diff_command *a = diff_changed(d, i), *b = diff_partner(d, 0, a);
        enum diff_kind kind;

        if (diff_traits(a)->n_elements != diff_traits(b)->n_elements)
            kind = DIFF_ELEMENT_COUNT;
        else if (diff_traits(a)->sizes != diff_traits(b)->sizes)
            kind = DIFF_ELEMENT_SIZES;
        else if (diff_traits(a)->offsets != diff_traits(b)->offsets)
            kind = DIFF_ELEMENT_OFFSETS;
        else if (diff_traits(a)->contiguity != diff_traits(b)->contiguity)
            kind = DIFF_ELEMENT_CONTIGUITY;
        else
            continue;
        diff_report(d, kind, &(struct diff_finding){ .a = a, .b = b });
    }
}
