/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tracedisk diff, level outcome: errors, residuals, resets and the like. */
#include "diff.h"

static char *outcome_text(const struct diff_command *c)
{
    const char *status = td_status_name((enum td_status)c->status);

    if (c->error >> 24 == 1)
        return g_strdup_printf("%s %02x/%02x/%02x", status, c->error >> 16 & 0xff,
                               c->error >> 8 & 0xff, c->error & 0xff);
    if (c->error >> 24 == 2)
        return g_strdup_printf("%s, ATA status 0x%02x error 0x%02x", status,
                               c->error >> 8 & 0xff, c->error & 0xff);
    return g_strdup(status);
}

static void compare_pair(struct diff *d, const struct diff_command *a,
                         const struct diff_command *b)
{
    if (a->status != b->status || a->error != b->error) {
        g_autofree char *from = outcome_text(a), *to = outcome_text(b);

        diff_report(d, DIFF_STATUS, a, b, g_strdup_printf("%s -> %s", from, to));
    } else if (a->residual != b->residual) {
        diff_report(d, DIFF_RESIDUAL, a, b,
                    g_strdup_printf("%" G_GUINT64_FORMAT " bytes -> %" G_GUINT64_FORMAT,
                                    a->residual, b->residual));
    }
}

/* A command that only one side has matters here when it failed. */
static void report_lonely(struct diff *d, unsigned s)
{
    for (uint32_t i = 0; i < d->sides[s].n; i++) {
        const struct diff_command *c = &d->sides[s].commands[i];

        if (c->partner == DIFF_NONE && c->group == DIFF_NONE && c->status != TD_GOOD)
            diff_report(d, DIFF_STATUS, s ? NULL : c, s ? c : NULL, outcome_text(c));
    }
}

static void compare_events(struct diff *d)
{
    static const enum td_event_type types[] = {
        TD_EVENT_RESET, TD_EVENT_ABORT, TD_EVENT_LOADVM, TD_EVENT_GUEST_ERROR, TD_EVENT_IO_ERROR,
        TD_EVENT_FAULT,
    };

    for (size_t i = 0; i < G_N_ELEMENTS(types); i++) {
        uint64_t a = d->sides[0].events[types[i]], b = d->sides[1].events[types[i]];

        if (a != b)
            diff_report(d, DIFF_EVENTS, NULL, NULL,
                        g_strdup_printf("%s: %" G_GUINT64_FORMAT " -> %" G_GUINT64_FORMAT,
                                        td_event_name(types[i]), a, b));
    }
}

void diff_outcome(struct diff *d)
{
    for (uint32_t i = 0; i < d->sides[0].n; i++) {
        const struct diff_command *a = &d->sides[0].commands[i], *b = diff_partner(d, 0, a);

        if (b)
            compare_pair(d, a, b);
    }
    report_lonely(d, 0);
    report_lonely(d, 1);
    compare_events(d);
}
