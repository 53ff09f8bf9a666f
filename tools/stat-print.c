/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The two ways that the numbers of `stat` are printed. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>

#include "json.h"
#include "output.h"
#include "record.h"
#include "stat.h"

#define BAR_WIDTH 40

static const enum td_op op_order[STAT_OPS] = {
    TD_OP_READ, TD_OP_WRITE,  TD_OP_FLUSH,    TD_OP_TRIM,
    TD_OP_ZERO, TD_OP_VERIFY, TD_OP_IDENTIFY, TD_OP_OTHER,
};

static const double percents[] = { 50, 90, 99, 99.9 };

static double share(uint64_t part, uint64_t whole)
{
    return whole ? 100.0 * (double)part / (double)whole : 0;
}

static double seconds(const struct statistics *s)
{
    return (double)(s->last_ns - s->first_ns) / 1e9;
}

/* ---- Text ---- */

static void print_title(const char *title)
{
    printf("\n%s%s%s\n", colour(COLOUR_BOLD), title, colour(COLOUR_NONE));
}

static void print_bar(uint64_t count, uint64_t most)
{
    unsigned width = most ? (unsigned)((count * BAR_WIDTH + most - 1) / most) : 0;

    for (unsigned i = 0; i < width; i++)
        fputs(output_is_utf8() ? "\xe2\x96\x88" : "#", stdout);
}

static void print_devices(const struct statistics *s, const struct input *in)
{
    for (guint i = 0; i < s->devices->len; i++) {
        const struct td_device *d =
            td_commands_device(in->commands, g_array_index(s->devices, uint32_t, i));
        g_autofree char *name = printable(d->name);
        g_autofree char *frontend = printable(d->frontend);
        char size[HUMAN_MAX];

        printf("  %-9s %s: %s, %s in blocks of %" PRIu32 "\n", "device", name, frontend,
               human_bytes((double)d->blocks * d->logical_block_size, size),
               d->logical_block_size);
    }
}

static void print_overview(const struct statistics *s, const struct input *in)
{
    uint64_t bytes = 0;
    char size[HUMAN_MAX], rate[HUMAN_MAX];

    for (size_t i = 0; i < STAT_OPS; i++)
        bytes += s->operations[i].total_bytes;
    printf("%s%s%s\n", colour(COLOUR_BOLD), s->path, colour(COLOUR_NONE));
    print_devices(s, in);
    printf("  commands  %" PRIu64 " (", s->commands);
    for (size_t i = 0, printed = 0; i < STAT_STATUSES; i++) {
        if (s->statuses[i] || i == 0)
            printf("%s%" PRIu64 " %s", printed++ ? ", " : "", s->statuses[i],
                   td_status_name(stat_statuses[i]));
    }
    printf("), %s moved\n", human_bytes((double)bytes, size));
    if (s->has_time)
        printf("  time      %.6f s to %.6f s on the virtual clock, %.6f s\n",
               (double)s->first_ns / 1e9, (double)s->last_ns / 1e9, seconds(s));
    if (s->has_time && s->last_ns > s->first_ns)
        printf("  rate      %.0f commands/s, %s/s\n", (double)s->commands / seconds(s),
               human_bytes((double)bytes / seconds(s), rate));
}

static void print_operations(const struct statistics *s)
{
    print_title("operations");
    printf("  %-9s %10s %6s %10s %10s %10s %10s   %s\n", "", "commands", "share", "moved",
           "least", "mean", "most", "bytes a command that moved any");
    for (size_t i = 0; i < STAT_OPS; i++) {
        const struct stat_operation *op = &s->operations[op_order[i]];
        char total[HUMAN_MAX], min[HUMAN_MAX], mean[HUMAN_MAX], max[HUMAN_MAX];

        if (!op->commands)
            continue;
        printf("  %-9s %10" PRIu64 " %5.1f%%", td_op_name(op_order[i]), op->commands,
               share(op->commands, s->commands));
        if (op->bytes.count)
            printf(" %10s %10s %10s %10s", human_bytes((double)op->total_bytes, total),
                   human_bytes((double)op->bytes.min, min),
                   human_bytes(histogram_mean(&op->bytes), mean),
                   human_bytes((double)op->bytes.max, max));
        putchar('\n');
    }
}

static void print_latencies(const struct statistics *s)
{
    print_title("latency");
    printf("  %-9s", "");
    for (size_t i = 0; i < G_N_ELEMENTS(percents); i++) {
        char title[16];

        g_snprintf(title, sizeof(title), "p%g", percents[i]);
        printf(" %10s", title);
    }
    printf(" %10s %10s\n", "max", "mean");
    for (size_t i = 0; i < STAT_OPS; i++) {
        const struct histogram *h = &s->operations[op_order[i]].latency_ns;
        char text[HUMAN_MAX];

        if (!h->count)
            continue;
        printf("  %-9s", td_op_name(op_order[i]));
        for (size_t k = 0; k < G_N_ELEMENTS(percents); k++)
            printf(" %10s", human_time(histogram_percentile(h, percents[k]), text));
        printf(" %10s", human_time(h->max, text));
        printf(" %10s\n", human_time((uint64_t)histogram_mean(h), text));
    }
}

static void print_counts(const char *title, const GArray *counts)
{
    if (!counts->len)
        return;
    print_title(title);
    for (guint i = 0; i < counts->len; i++) {
        const struct stat_count *count = &g_array_index(counts, struct stat_count, i);

        printf("  %10" PRIu64 "  %s\n", count->count, count->key);
    }
}

/* One line a power of two, from the first to the last that there is. */
static void print_octaves(const char *title, const struct histogram *const *histograms, size_t n)
{
    uint64_t counts[64], most = 0;
    int first = 64, last = -1;

    for (int bit = 0; bit < 64; bit++) {
        counts[bit] = 0;
        for (size_t i = 0; i < n; i++)
            counts[bit] += histogram_octave(histograms[i], bit);
        if (counts[bit]) {
            first = MIN(first, bit);
            last = bit;
        }
        most = MAX(most, counts[bit]);
    }
    if (last < 0)
        return;
    print_title(title);
    for (int bit = first; bit <= last; bit++) {
        char from[HUMAN_MAX];

        printf("  %9s - %10" PRIu64 "  ", human_bytes((double)((uint64_t)1 << bit), from),
               counts[bit]);
        print_bar(counts[bit], most);
        putchar('\n');
    }
}

static void print_sizes(const struct statistics *s)
{
    const struct histogram *sizes[STAT_OPS];

    for (size_t i = 0; i < STAT_OPS; i++)
        sizes[i] = &s->operations[i].bytes;
    print_octaves("bytes moved by a command", sizes, STAT_OPS);
}

static void print_depth(const struct statistics *s)
{
    char title[96];
    uint64_t most = 0;

    if (!s->depth.count)
        return;
    g_snprintf(title, sizeof(title), "queue depth at submission: mean %.1f, most %" PRIu64,
               histogram_mean(&s->depth), s->depth.max);
    print_title(title);
    for (int bit = 0; bit < 64; bit++)
        most = MAX(most, histogram_octave(&s->depth, bit));
    for (int bit = 0; bit < 64 && (uint64_t)1 << bit <= s->depth.max; bit++) {
        uint64_t count = histogram_octave(&s->depth, bit);
        uint64_t from = (uint64_t)1 << bit;
        char range[48];

        g_snprintf(range, sizeof(range), "%" PRIu64 " to %" PRIu64, from, from * 2 - 1);
        printf("  %12s %10" PRIu64 "  ", bit ? range : "1", count);
        print_bar(count, most);
        putchar('\n');
    }
}

static void print_elements(const struct statistics *s)
{
    const struct stat_elements *e = &s->elements;
    char min[HUMAN_MAX], mean[HUMAN_MAX], max[HUMAN_MAX];
    uint64_t n = e->len.count;

    if (!n)
        return;
    print_title("scatter-gather elements");
    printf("  %10" PRIu64 "  in %" PRIu64 " lists; a list has %" PRIu64 " to %" PRIu64
           ", mean %.1f\n",
           n, e->per_command.count, e->per_command.min, e->per_command.max,
           histogram_mean(&e->per_command));
    printf("  %10s  %s to %s, mean %s\n", "size", human_bytes((double)e->len.min, min),
           human_bytes((double)e->len.max, max), human_bytes(histogram_mean(&e->len), mean));
    printf("  %10" PRIu64 "  (%.1f%%) address or length not a multiple of 4096\n",
           e->unaligned_4096, share(e->unaligned_4096, n));
    printf("  %10" PRIu64 "  (%.1f%%) address or length not a multiple of 512\n",
           e->unaligned_512, share(e->unaligned_512, n));
    printf("  %10" PRIu64 "  (%.1f%%) address or length odd\n", e->odd, share(e->odd, n));
    printf("  %10" PRIu64 "  (%.1f%%) continue the element before: could be one\n",
           e->contiguous, share(e->contiguous, n));
    if (e->observed)
        printf("  %10" PRIu64 "  (%.1f%%) observed\n", e->observed, share(e->observed, n));
}

static unsigned used_buckets(const struct stat_throughput *t)
{
    unsigned used = STAT_TIME_BUCKETS;

    while (used && !t->commands[used - 1])
        used--;
    return used;
}

static void print_spark(const char *what, const uint64_t *values, unsigned n, double bucket_s,
                        bool bytes)
{
    static const char *const blocks[] = { " ", "\xe2\x96\x81", "\xe2\x96\x82", "\xe2\x96\x83",
                                          "\xe2\x96\x84", "\xe2\x96\x85", "\xe2\x96\x86",
                                          "\xe2\x96\x87", "\xe2\x96\x88" };
    uint64_t most = 0;
    char rate[HUMAN_MAX];

    for (unsigned i = 0; i < n; i++)
        most = MAX(most, values[i]);
    printf("  %-9s |", what);
    for (unsigned i = 0; i < n; i++) {
        unsigned level = most ? (unsigned)ceil(8.0 * (double)values[i] / (double)most) : 0;

        if (output_is_utf8())
            fputs(blocks[level], stdout);
        else
            putchar(" 12345678"[level]);
    }
    if (bytes)
        printf("| most %s/s\n", human_bytes((double)most / bucket_s, rate));
    else
        printf("| most %.0f/s\n", (double)most / bucket_s);
}

static void print_throughput(const struct statistics *s)
{
    const struct stat_throughput *t = &s->throughput;
    unsigned n = used_buckets(t);
    double bucket_s = (double)t->bucket_ns / 1e9;
    char title[64], width[HUMAN_MAX];

    if (!n)
        return;
    g_snprintf(title, sizeof(title), "over time, a column %s", human_time(t->bucket_ns, width));
    print_title(title);
    print_spark("commands", t->commands, n, bucket_s, false);
    print_spark("bytes", t->bytes, n, bucket_s, true);
}

void stat_print_text(const struct statistics *s, const struct input *in)
{
    print_overview(s, in);
    if (s->commands) {
        print_operations(s);
        print_latencies(s);
        print_counts("commands", s->names);
        print_counts("flags", s->flags);
        print_sizes(s);
        print_depth(s);
        print_elements(s);
    }
    if (s->with_lba)
        printf("\n  %10" PRIu64 "  (%.1f%%) of %" PRIu64
               " commands start at the block where the one before ended\n",
               s->sequential, share(s->sequential, s->with_lba), s->with_lba);
    print_throughput(s);
    print_counts("errors", s->errors);
    print_counts("events", s->events);
    if (s->marks)
        printf("\n  %10" PRIu64 "  marks\n", s->marks);
    if (in->lost_records || in->damaged_places)
        printf("\n%sthe trace is not whole: %" PRIu64 " records lost, %" PRIu64
               " damaged places (%" PRIu64 " bytes)%s\n",
               colour(COLOUR_RED), in->lost_records, in->damaged_places, in->damaged_bytes,
               colour(COLOUR_NONE));
}

/* ---- JSON ---- */

/* An array of {"from": …, "to": …, "count": …}, powers of two. */
static void json_octaves(struct json *j, const struct histogram *h)
{
    json_key(j, "histogram");
    json_begin_array(j);
    for (int bit = -1; bit < 64; bit++) {
        uint64_t count = histogram_octave(h, bit);
        uint64_t from = bit < 0 ? 0 : (uint64_t)1 << bit;

        if (!count)
            continue;
        json_begin_object(j);
        json_key_uint(j, "from", from);
        json_key_uint(j, "to", bit < 0 ? 0 : from + (from - 1));
        json_key_uint(j, "count", count);
        json_end_object(j);
    }
    json_end_array(j);
}

static void json_histogram(struct json *j, const char *key, const struct histogram *h)
{
    json_key(j, key);
    json_begin_object(j);
    json_key_uint(j, "count", h->count);
    if (h->count) {
        json_key_uint(j, "min", h->min);
        json_key_double(j, "mean", histogram_mean(h));
        json_key_uint(j, "max", h->max);
        for (size_t i = 0; i < G_N_ELEMENTS(percents); i++) {
            char name[16];

            g_snprintf(name, sizeof(name), "p%g", percents[i]);
            json_key_uint(j, name, histogram_percentile(h, percents[i]));
        }
    }
    json_octaves(j, h);
    json_end_object(j);
}

static void json_counts(struct json *j, const char *key, const GArray *counts)
{
    json_key(j, key);
    json_begin_object(j);
    for (guint i = 0; i < counts->len; i++) {
        const struct stat_count *count = &g_array_index(counts, struct stat_count, i);

        json_key_uint(j, count->key, count->count);
    }
    json_end_object(j);
}

static void json_operations(struct json *j, const struct statistics *s)
{
    json_key(j, "operations");
    json_begin_object(j);
    for (size_t i = 0; i < STAT_OPS; i++) {
        const struct stat_operation *op = &s->operations[op_order[i]];

        if (!op->commands)
            continue;
        json_key(j, td_op_name(op_order[i]));
        json_begin_object(j);
        json_key_uint(j, "commands", op->commands);
        json_key_uint(j, "bytes", op->total_bytes);
        json_histogram(j, "size", &op->bytes);
        json_histogram(j, "latency_ns", &op->latency_ns);
        json_end_object(j);
    }
    json_end_object(j);
}

static void json_elements(struct json *j, const struct stat_elements *e)
{
    json_key(j, "elements");
    json_begin_object(j);
    json_key_uint(j, "count", e->len.count);
    json_key_uint(j, "unaligned_4096", e->unaligned_4096);
    json_key_uint(j, "unaligned_512", e->unaligned_512);
    json_key_uint(j, "odd", e->odd);
    json_key_uint(j, "contiguous", e->contiguous);
    json_key_uint(j, "observed", e->observed);
    json_histogram(j, "per_command", &e->per_command);
    json_histogram(j, "len", &e->len);
    json_end_object(j);
}

static void json_throughput(struct json *j, const struct stat_throughput *t)
{
    json_key(j, "throughput");
    json_begin_object(j);
    json_key_uint(j, "start_ns", t->start_ns);
    json_key_uint(j, "bucket_ns", t->bucket_ns);
    json_key(j, "commands");
    json_begin_array(j);
    for (unsigned i = 0; i < used_buckets(t); i++)
        json_uint(j, t->commands[i]);
    json_end_array(j);
    json_key(j, "bytes");
    json_begin_array(j);
    for (unsigned i = 0; i < used_buckets(t); i++)
        json_uint(j, t->bytes[i]);
    json_end_array(j);
    json_end_object(j);
}

static void json_devices(struct json *j, const struct statistics *s, const struct input *in)
{
    json_key(j, "devices");
    json_begin_array(j);
    for (guint i = 0; i < s->devices->len; i++)
        json_string(j, td_commands_device(in->commands,
                                          g_array_index(s->devices, uint32_t, i))->name);
    json_end_array(j);
}

void stat_put_json(struct json *j, const struct statistics *s, const struct input *in)
{
    json_begin_object(j);
    json_key_string(j, "type", "stat");
    json_key_string(j, "trace", s->path);
    json_devices(j, s, in);
    json_key_uint(j, "commands", s->commands);
    json_key(j, "statuses");
    json_begin_object(j);
    for (size_t i = 0; i < STAT_STATUSES; i++)
        json_key_uint(j, td_status_name(stat_statuses[i]), s->statuses[i]);
    json_end_object(j);
    if (s->has_time) {
        json_key_uint(j, "first_ns", s->first_ns);
        json_key_uint(j, "last_ns", s->last_ns);
    }
    json_operations(j, s);
    json_counts(j, "names", s->names);
    json_counts(j, "flags", s->flags);
    json_histogram(j, "queue_depth", &s->depth);
    json_elements(j, &s->elements);
    json_key_uint(j, "commands_with_lba", s->with_lba);
    json_key_uint(j, "sequential", s->sequential);
    json_throughput(j, &s->throughput);
    json_counts(j, "errors", s->errors);
    json_counts(j, "events", s->events);
    json_key_uint(j, "marks", s->marks);
    json_key_uint(j, "lost_records", in->lost_records);
    json_key_uint(j, "damaged_places", in->damaged_places);
    json_key_uint(j, "damaged_bytes", in->damaged_bytes);
    json_end_object(j);
}

void stat_print_json(const struct statistics *s, const struct input *in)
{
    struct json *j = json_new(true);

    stat_put_json(j, s, in);
    json_end_document(j);
    json_free(j);
}
