/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tracedisk diff: two threads, where the sides do not depend on each other. */
#include "diff.h"

struct both {
    void (*work)(void *data, unsigned side);
    void *data;
    GThread *b;
};

static gpointer work_on_b(gpointer data)
{
    const struct both *both = data;

    both->work(both->data, 1);
    return NULL;
}

void diff_on_both_sides(void (*work)(void *data, unsigned side), void *data)
{
    struct both both = { work, data, NULL };

    both.b = g_thread_new("diff-b", work_on_b, &both);
    work(data, 0);
    g_thread_join(both.b);
}
