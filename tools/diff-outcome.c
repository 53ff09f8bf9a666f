/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tracedisk diff, level outcome: errors, residuals, resets and the like. */
#include "diff.h"

static void compare_pair(struct diff *d, const struct diff_command *a, const struct diff_command *b)
{
    const struct diff_finding f = { .a = a, .b = b };

    if (diff_traits(a)->status != diff_traits(b)->status ||
        diff_traits(a)->error != diff_traits(b)->error)
        diff_report(d, DIFF_STATUS, &f);
    else if (diff_traits(a)->residual != diff_traits(b)->residual)
        diff_report(d, DIFF_RESIDUAL, &f);
}

/* A command that only one side has matters here when it failed. */
static void report_lonely(struct diff *d, unsigned s)
{
    for (guint i = 0; i < d->lonely.of[s]->len; i++) {
        const struct diff_command *c = diff_lonely(d, s, i);

        if (diff_traits(c)->status != TD_GOOD)
            diff_report(d, DIFF_STATUS,
                        &(struct diff_finding){ .a = s ? NULL : c, .b = s ? c : NULL });
    }
}

static void compare_events(struct diff *d)
{
    static const enum td_event_type types[] = {
        TD_EVENT_RESET,       TD_EVENT_ABORT,    TD_EVENT_LOADVM,
        TD_EVENT_GUEST_ERROR, TD_EVENT_IO_ERROR, TD_EVENT_FAULT,
    };

    for (size_t i = 0; i < G_N_ELEMENTS(types); i++) {
        uint64_t a = d->sides[0].events[types[i]], b = d->sides[1].events[types[i]];

        if (a != b)
            diff_report(d, DIFF_EVENTS,
                        &(struct diff_finding){ .what = types[i], .value = { a, b } });
    }
}

void diff_outcome(struct diff *d)
{
    for (guint i = 0; i < d->changed->len; i++) {
        const struct diff_command *a = diff_changed(d, i);

        compare_pair(d, a, diff_partner(d, 0, a));
    }
    report_lonely(d, 0);
    report_lonely(d, 1);
    compare_events(d);
    diff_lint(d);
}
