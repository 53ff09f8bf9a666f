/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tracedisk diff: which devices of several traces are compared with each other. */
#include <string.h>

#include "diff.h"
#include "tool.h"

static struct diff_side *find_side(const struct diff_trace *trace, const char *device)
{
    for (guint i = 0; i < trace->sides->len; i++) {
        struct diff_side *side = trace->sides->pdata[i];

        if (strcmp(side->device, device) == 0)
            return side;
    }
    return NULL;
}

/* The only device that a trace has, or that has commands; NULL: there are several. */
static struct diff_side *only_side(const struct diff_trace *trace)
{
    struct diff_side *only = NULL;

    for (guint i = 0; i < trace->sides->len; i++) {
        struct diff_side *side = trace->sides->pdata[i];

        if (only && side->n > 0)
            return NULL;
        if (side->n > 0 || trace->sides->len == 1)
            only = side;
    }
    return only;
}

/* A trace's only device is compared with the other's only one, whatever their names. */
static struct diff_side *counterpart(const struct diff_trace *own, const struct diff_trace *other,
                                     guint i)
{
    const struct diff_side *side = own->sides->pdata[i];
    struct diff_side *same = find_side(other, side->device);

    return same || side != only_side(own) ? same : only_side(other);
}

/* False, said on stderr, when one of two traces has a device that the other lacks. */
static bool have_same_devices(const struct diff_trace *one, const struct diff_trace *other)
{
    bool same = true;

    for (guint i = 0; i < one->sides->len; i++) {
        const struct diff_side *side = one->sides->pdata[i];

        if (side->n == 0 || counterpart(one, other, i))
            continue;
        say("%s has no device '%s', which %s has; choose one with --device", other->path,
            side->device, side->path);
        same = false;
    }
    return same;
}

/* The runs of a device of the first trace; false when not all traces have it, or none uses it. */
static bool find_runs(const struct diff_traces *t, guint device, struct diff_runs *runs)
{
    bool used = t->all[0].sides->len == 1;

    for (guint i = 0; i < t->n; i++) {
        struct diff_side *side = counterpart(&t->all[0], &t->all[i], device);

        if (!side)
            return false;
        used |= side->n > 0;
        g_ptr_array_add(runs->of[i >= t->n_a], side);
    }
    return used;
}

static struct diff_runs *runs_new(void)
{
    struct diff_runs *runs = g_new(struct diff_runs, 1);

    runs->of[0] = g_ptr_array_new();
    runs->of[1] = g_ptr_array_new();
    return runs;
}

static void runs_free(gpointer data)
{
    struct diff_runs *runs = data;

    g_ptr_array_unref(runs->of[0]);
    g_ptr_array_unref(runs->of[1]);
    g_free(runs);
}

GPtrArray *diff_find_devices(const struct diff_traces *t, bool *missing)
{
    GPtrArray *devices = g_ptr_array_new_with_free_func(runs_free);

    *missing = false;
    for (guint i = 0; i < t->all[0].sides->len; i++) {
        struct diff_runs *runs = runs_new();

        if (find_runs(t, i, runs))
            g_ptr_array_add(devices, runs);
        else
            runs_free(runs);
    }
    for (guint i = 1; i < t->n; i++) {
        bool forth = have_same_devices(&t->all[0], &t->all[i]);
        bool back = have_same_devices(&t->all[i], &t->all[0]);

        *missing |= !forth || !back;
    }
    return devices;
}
