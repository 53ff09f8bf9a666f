/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk: DMA watches
 *
 * Ranges are kept sorted by address, each with the highest end of all up to
 * it, so that a look-up is a binary search and a step back per overlapping
 * range. The set changes under the big lock; commands may run in iothreads,
 * hence the mutex, which is only taken when there is a watch.
 */
#include "qemu/osdep.h"
#include "compat.h"
#include "watch.h"

typedef struct Watch {
    uint64_t addr;
    uint64_t end;               /* first address behind it */
    uint64_t highest_end;       /* of this one and all before it */
    unsigned direction;
    bool log_only;
    bool has_lba;
    uint64_t first_lba, last_lba;
    uint64_t skip;              /* hits to let pass first */
    uint64_t hits;              /* commands */
    uint64_t last_command;      /* the one that was counted last */
} Watch;

struct TdWatches {
    QemuMutex lock;
    GArray *sorted;             /* of Watch */
    bool any;                   /* atomic */
    uint64_t commands;
    uint64_t n_hits;            /* the last of them, by number, in: */
    TdWatchHit hits[TD_WATCH_HITS];
};

TdWatches *td_watches_new(void)
{
    TdWatches *w = g_new0(TdWatches, 1);

    qemu_mutex_init(&w->lock);
    w->sorted = g_array_new(false, true, sizeof(Watch));
    return w;
}

void td_watches_free(TdWatches *w)
{
    g_array_free(w->sorted, true);
    qemu_mutex_destroy(&w->lock);
    g_free(w);
}

bool td_watches_any(const TdWatches *w)
{
    return qatomic_read(&w->any);
}

/* ---- The set ----------------------------------------------------------- */

static Watch *watch_at(TdWatches *w, guint i)
{
    return &g_array_index(w->sorted, Watch, i);
}

/* After every change. */
static void update_set(TdWatches *w)
{
    uint64_t highest = 0;

    for (guint i = 0; i < w->sorted->len; i++) {
        highest = MAX(highest, watch_at(w, i)->end);
        watch_at(w, i)->highest_end = highest;
    }
    qatomic_set(&w->any, w->sorted->len > 0);
}

static void add_watch(TdWatches *w, const Watch *watch)
{
    guint i = 0;

    while (i < w->sorted->len && watch_at(w, i)->addr <= watch->addr) {
        i++;
    }
    g_array_insert_vals(w->sorted, i, watch, 1);
    update_set(w);
}

/* The number of watches that begin before @addr. */
static guint begin_before(TdWatches *w, uint64_t addr)
{
    guint low = 0, high = w->sorted->len;

    while (low < high) {
        guint middle = low + (high - low) / 2;

        if (watch_at(w, middle)->addr < addr) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* Does the part of @access that @watch covers meet its conditions? */
static bool accepts(const Watch *watch, const TdAccess *access)
{
    uint64_t first = MAX(watch->addr, access->addr) - access->addr;
    uint64_t last = MIN(watch->end, access->addr + access->len) - 1 -
                    access->addr;

    if (!(watch->direction & access->direction)) {
        return false;
    }
    if (!watch->has_lba) {
        return true;
    }
    return access->lba >= 0 &&
           access->lba + first / access->block_size <= watch->last_lba &&
           access->lba + last / access->block_size >= watch->first_lba;
}

uint64_t td_watches_command(TdWatches *w)
{
    QEMU_LOCK_GUARD(&w->lock);
    return ++w->commands;
}

/* Is @access the hit that @watch does not let pass any more? */
static bool is_due(Watch *watch, const TdAccess *access, bool count)
{
    uint64_t hits = watch->hits +
                    (!count || watch->last_command != access->command);

    if (count) {
        watch->hits = hits;
        watch->last_command = access->command;
    }
    return hits > watch->skip;
}

bool td_watches_match(TdWatches *w, const TdAccess *access, bool count,
                      TdWatchHit *hit)
{
    Watch *found = NULL;
    guint i;

    QEMU_LOCK_GUARD(&w->lock);
    for (i = begin_before(w, access->addr + access->len); i-- > 0;) {
        Watch *watch = watch_at(w, i);

        if (watch->highest_end <= access->addr) {
            break;
        }
        if (watch->end <= access->addr || !accepts(watch, access)) {
            continue;
        }
        if (is_due(watch, access, count) &&
            (!found || found->log_only || !watch->log_only)) {
            found = watch;      /* the lowest address wins */
        }
    }
    if (!found) {
        return false;
    }
    *hit = (TdWatchHit) { .access = *access, .stop = !found->log_only,
                          .earlier_element = -1 };
    hit->access.addr = MAX(found->addr, access->addr);
    hit->offset = hit->access.addr - access->addr;
    hit->access.len = MIN(found->end, access->addr + access->len) -
                      hit->access.addr;
    if (access->lba >= 0) {
        hit->access.lba = access->lba + hit->offset / access->block_size;
    }
    return true;
}

bool td_watches_first(TdWatches *w, unsigned direction, TdWatchHit *hit)
{
    QEMU_LOCK_GUARD(&w->lock);
    for (guint i = 0; i < w->sorted->len; i++) {
        const Watch *watch = watch_at(w, i);

        if (watch->direction & direction) {
            hit->access.addr = watch->addr;
            hit->access.len = watch->end - watch->addr;
            return true;
        }
    }
    return false;
}

void td_watches_add_hit(TdWatches *w, TdWatchHit *hit)
{
    QEMU_LOCK_GUARD(&w->lock);
    hit->number = ++w->n_hits;
    w->hits[hit->number % TD_WATCH_HITS] = *hit;
}

/* ---- Parsing ----------------------------------------------------------- */

static bool parse_range(const char *text, Watch *watch, Error **errp)
{
    const char *plus = strchr(text, '+');
    g_autofree char *addr = plus ? g_strndup(text, plus - text) : NULL;
    uint64_t len;

    if (!plus || qemu_strtou64(addr, NULL, 0, &watch->addr) < 0 ||
        qemu_strtou64(plus + 1, NULL, 0, &len) < 0 || !len ||
        watch->addr + len < watch->addr) {
        error_setg(errp, "'%s' is not a guest-physical range: use ADDR+LEN, "
                   "such as 0x1f400000+4096", text);
        return false;
    }
    watch->end = watch->addr + len;
    return true;
}

static bool parse_lba(const char *text, Watch *watch, Error **errp)
{
    const char *rest;

    watch->has_lba = true;
    if (qemu_strtou64(text, &rest, 0, &watch->first_lba) == 0) {
        watch->last_lba = watch->first_lba;
        if (!*rest || (*rest == '-' && qemu_strtou64(rest + 1, NULL, 0,
                                                     &watch->last_lba) == 0)) {
            return true;
        }
    }
    error_setg(errp, "lba=%s: use lba=A or lba=A-B", text);
    return false;
}

static bool parse_option(const char *word, Watch *watch, Error **errp)
{
    const char *value;

    if (!strcmp(word, "r") || !strcmp(word, "w") || !strcmp(word, "rw")) {
        watch->direction = (strchr(word, 'r') ? TD_WATCH_READ : 0) |
                           (strchr(word, 'w') ? TD_WATCH_WRITE : 0);
    } else if (!strcmp(word, "log")) {
        watch->log_only = true;
    } else if (strstart(word, "lba=", &value)) {
        return parse_lba(value, watch, errp);
    } else if (strstart(word, "skip=", &value)) {
        if (qemu_strtou64(value, NULL, 0, &watch->skip) < 0) {
            error_setg(errp, "skip=%s is not a number of hits", value);
            return false;
        }
    } else {
        error_setg(errp, "'%s': a watch takes r, w, rw, lba=A[-B], skip=N and "
                   "log", word);
        return false;
    }
    return true;
}

static bool parse_watch(const char *text, Watch *watch, Error **errp)
{
    g_auto(GStrv) words = g_strsplit(text, ",", -1);

    *watch = (Watch) { .direction = TD_WATCH_READ | TD_WATCH_WRITE };
    if (!words[0] || !parse_range(words[0], watch, errp)) {
        return false;
    }
    for (int i = 1; words[i]; i++) {
        if (!parse_option(words[i], watch, errp)) {
            return false;
        }
    }
    return true;
}

/* ---- Properties -------------------------------------------------------- */

static void prop_watch(Object *obj, Visitor *v, const char *name, void *opaque,
                       Error **errp)
{
    TdWatches *w = opaque;
    g_autofree char *text = NULL;
    Watch watch;

    if (visit_type_str(v, name, &text, errp) &&
        parse_watch(text, &watch, errp)) {
        QEMU_LOCK_GUARD(&w->lock);
        add_watch(w, &watch);
    }
}

static void prop_unwatch(Object *obj, Visitor *v, const char *name,
                         void *opaque, Error **errp)
{
    TdWatches *w = opaque;
    g_autofree char *text = NULL;
    Watch watch = { 0 };
    bool all, found = false;

    if (!visit_type_str(v, name, &text, errp)) {
        return;
    }
    all = !strcmp(text, "all");
    if (!all && !parse_range(text, &watch, errp)) {
        return;
    }
    QEMU_LOCK_GUARD(&w->lock);
    for (guint i = w->sorted->len; i-- > 0;) {
        if (all || (watch_at(w, i)->addr == watch.addr &&
                    watch_at(w, i)->end == watch.end)) {
            g_array_remove_index(w->sorted, i);
            found = true;
        }
    }
    update_set(w);
    if (!found && !all) {
        error_setg(errp, "there is no watch on %s", text);
    }
}

static char *describe(const Watch *watch)
{
    GString *s = g_string_new(NULL);

    g_string_append_printf(s, "0x%" PRIx64 "+%" PRIu64 ",%s%s", watch->addr,
                           watch->end - watch->addr,
                           watch->direction & TD_WATCH_READ ? "r" : "",
                           watch->direction & TD_WATCH_WRITE ? "w" : "");
    if (watch->has_lba) {
        g_string_append_printf(s, ",lba=%" PRIu64 "-%" PRIu64,
                               watch->first_lba, watch->last_lba);
    }
    if (watch->skip) {
        g_string_append_printf(s, ",skip=%" PRIu64, watch->skip);
    }
    if (watch->log_only) {
        g_string_append(s, ",log");
    }
    g_string_append_printf(s, " hits=%" PRIu64, watch->hits);
    return g_string_free(s, false);
}

/* All watches and their hits, one a line. */
static void prop_watches(Object *obj, Visitor *v, const char *name,
                         void *opaque, Error **errp)
{
    TdWatches *w = opaque;
    g_autoptr(GString) list = g_string_new(NULL);
    char *text;

    WITH_QEMU_LOCK_GUARD(&w->lock) {
        for (guint i = 0; i < w->sorted->len; i++) {
            g_autofree char *one = describe(watch_at(w, i));

            g_string_append_printf(list, "%s%s", i ? "\n" : "", one);
        }
    }
    text = list->str;
    visit_type_str(v, name, &text, errp);
}

static void put_hex(QDict *dict, const char *name, const uint8_t *bytes,
                    uint32_t n)
{
    g_autoptr(GString) hex = g_string_new(NULL);

    for (uint32_t i = 0; i < n; i++) {
        g_string_append_printf(hex, "%02x", bytes[i]);
    }
    qdict_put_str(dict, name, hex->str);
}

/* With its stack, an origin takes 8 KiB more. */
static QDict *hit_to_dict(const TdWatchHit *hit, bool stack)
{
    const TdAccess *access = &hit->access;
    QDict *dict = qdict_new();

    if (!hit->number) {
        return dict;
    }
    qdict_put_int(dict, "number", hit->number);
    qdict_put_bool(dict, "stop", hit->stop);
    qdict_put_int(dict, "addr", access->addr);
    qdict_put_int(dict, "len", access->len);
    qdict_put_str(dict, "direction",
                  access->direction == TD_WATCH_WRITE ? "write" : "read");
    qdict_put_str(dict, "command", hit->command);
    qdict_put_int(dict, "seq", hit->seq);
    qdict_put_int(dict, "lba", access->lba);
    qdict_put_int(dict, "element", access->element);
    qdict_put_int(dict, "offset", hit->offset);
    if (hit->earlier_element >= 0) {
        qdict_put_int(dict, "earlier-element", hit->earlier_element);
    }
    if (hit->old_known) {
        put_hex(dict, "old", hit->old, hit->n_bytes);
    }
    put_hex(dict, "new", hit->new, hit->n_bytes);
    if (hit->origins) {
        g_autofree char *bytes = NULL;

        td_origin_add_to(&hit->origin, dict);
        bytes = stack ? td_origins_stack(hit->origins, &hit->origin) : NULL;
        if (bytes) {
            qdict_put_str(dict, "stack", bytes);
        }
    }
    return dict;
}

static void prop_last_hit(Object *obj, Visitor *v, const char *name,
                          void *opaque, Error **errp)
{
    TdWatches *w = opaque;
    QObject *value;

    WITH_QEMU_LOCK_GUARD(&w->lock) {
        value = QOBJECT(hit_to_dict(&w->hits[w->n_hits % TD_WATCH_HITS], true));
    }
    visit_type_any(v, name, &value, errp);
    qobject_unref(value);
}

/* Oldest first. */
static void prop_hits(Object *obj, Visitor *v, const char *name, void *opaque,
                      Error **errp)
{
    TdWatches *w = opaque;
    QList *list = qlist_new();
    QObject *value = QOBJECT(list);

    WITH_QEMU_LOCK_GUARD(&w->lock) {
        uint64_t kept = MIN(w->n_hits, TD_WATCH_HITS);

        for (uint64_t i = w->n_hits - kept + 1; i <= w->n_hits; i++) {
            qlist_append(list, hit_to_dict(&w->hits[i % TD_WATCH_HITS], false));
        }
    }
    visit_type_any(v, name, &value, errp);
    qobject_unref(value);
}

void td_watches_add_properties(Object *obj, TdWatches *w)
{
    object_property_add(obj, "watch", "string", NULL, prop_watch, NULL, w);
    object_property_add(obj, "unwatch", "string", NULL, prop_unwatch, NULL, w);
    object_property_add(obj, "watches", "string", prop_watches, NULL, NULL, w);
    object_property_add(obj, "last-watch-hit", "TdWatchHit", prop_last_hit,
                        NULL, NULL, w);
    object_property_add(obj, "watch-hits", "TdWatchHitList", prop_hits, NULL,
                        NULL, w);
}
