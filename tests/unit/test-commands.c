/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Joining SUBMIT and COMPLETE: any order, any number in flight, lost halves.
 */
#include <string.h>
#include <unistd.h>

#include "block.h"
#include "sample.h"

static char *path;
static struct td_writer *writer;
static struct td_stream *stream;

static void begin(void)
{
    path = temporary_path("commands.tdt");
    g_assert_cmpint(td_writer_create(path, NULL, &writer), ==, 0);
    g_assert_cmpint(td_stream_open(writer, &stream), ==, 0);
}

static struct td_commands *end(struct td_reader **reader)
{
    struct td_commands *commands;

    td_writer_close(writer);
    g_assert_cmpint(td_reader_open(path, reader, NULL), ==, 0);
    g_assert_cmpint(td_commands_open(*reader, &commands), ==, 0);
    return commands;
}

static void finish(struct td_reader *reader, struct td_commands *commands)
{
    td_commands_close(commands);
    td_reader_close(reader);
    remove_temporary(path);
}

/* READ DMA EXT of n blocks at lba, into a page each of its own. */
static uint64_t submit(uint32_t device, uint64_t lba, uint32_t n)
{
    uint8_t fis[20] = { 0x27, 0x80, 0x25, 0, (uint8_t)lba, (uint8_t)(lba >> 8) };
    g_autofree struct td_element *elements = g_new0(struct td_element, n + 1);
    struct td_submit s = { .device = device, .raw = fis, .raw_len = sizeof(fis) };
    uint64_t seq;

    fis[12] = (uint8_t)n;
    for (uint32_t i = 0; i < n; i++) {
        elements[i] = (struct td_element){ (lba + i) << 12, 512, 0 };
    }
    s.elements = elements;
    s.n_elements = n;
    g_assert_cmpint(td_put_submit(stream, lba, &s, &seq), ==, 0);
    return seq;
}

static uint64_t complete(uint32_t device, uint64_t seq, uint64_t bytes)
{
    struct td_complete c = { .device = device, .submit_seq = seq, .bytes = bytes };
    uint64_t complete_seq;

    g_assert_cmpint(td_put_complete(stream, 1000000 + seq, &c, &complete_seq), ==, 0);
    return complete_seq;
}

static const struct td_command *next_command(struct td_commands *commands)
{
    struct td_item item;

    g_assert_cmpint(td_commands_next(commands, false, &item), ==, 1);
    g_assert_cmpint(item.kind, ==, TD_ITEM_COMMAND);
    return item.command;
}

static void check_end(struct td_commands *commands)
{
    struct td_item item;

    g_assert_cmpint(td_commands_next(commands, false, &item), ==, 0);
}

static void test_join(void)
{
    struct td_reader *reader;
    struct td_commands *commands;
    const struct td_command *c;
    uint64_t a, b, done;

    begin();
    a = submit(0, 100, 2);
    b = submit(0, 200, 1);
    done = complete(0, b, 512);
    complete(0, a, 1024);
    commands = end(&reader);

    c = next_command(commands);
    g_assert_cmpuint(c->seq, ==, b);
    g_assert_cmpuint(c->complete_seq, ==, done);
    g_assert_cmpuint(c->submit_ns, ==, 200);
    g_assert_cmpuint(c->complete_ns, ==, 1000000 + b);
    g_assert_true(c->submit_known);
    g_assert_cmpuint(c->in_flight, ==, 2);
    g_assert_cmpstr(c->decoded.name, ==, "READ DMA EXT");
    g_assert_cmpuint(c->decoded.lba, ==, 200);
    g_assert_cmpuint(c->decoded.blocks, ==, 1);
    g_assert_cmpuint(c->complete.bytes, ==, 512);
    c = next_command(commands);
    g_assert_cmpuint(c->seq, ==, a);
    g_assert_cmpuint(c->in_flight, ==, 1);
    g_assert_cmpuint(c->submit.n_elements, ==, 2);
    g_assert_cmphex(c->submit.elements[1].addr, ==, 101 << 12);
    check_end(commands);
    finish(reader, commands);
}

static void test_pending(void)
{
    struct td_reader *reader;
    struct td_commands *commands;
    const struct td_command *c;
    struct td_item item;

    begin();
    submit(0, 1, 1);
    submit(0, 2, 0);
    complete(0, submit(0, 3, 1), 512);
    submit(0, 4, 3);
    commands = end(&reader);
    g_assert_cmpint(next_command(commands)->complete.status, ==, TD_GOOD);
    /* Who follows the trace is not told that they are pending. */
    g_assert_cmpint(td_commands_next(commands, true, &item), ==, 0);
    for (uint64_t lba = 1; lba <= 4; lba += lba == 2 ? 2 : 1) {
        c = next_command(commands);
        g_assert_cmpint(c->complete.status, ==, TD_PENDING);
        g_assert_cmpuint(c->decoded.lba, ==, lba);
    }
    check_end(commands);
    finish(reader, commands);
}

/* What is written meanwhile does not follow the end: its beginning has been given. */
static void test_end_of_growing(void)
{
    struct td_reader *reader;
    struct td_commands *commands;
    uint64_t seq;

    begin();
    seq = submit(0, 1, 1);
    g_assert_cmpint(td_reader_open(path, &reader, NULL), ==, 0);
    g_assert_cmpint(td_commands_open(reader, &commands), ==, 0);
    g_assert_cmpint(next_command(commands)->complete.status, ==, TD_PENDING);
    complete(0, seq, 512);
    check_end(commands);
    td_writer_close(writer);
    check_end(commands);
    finish(reader, commands);
}

static void test_orphan(void)
{
    struct td_reader *reader;
    struct td_commands *commands;
    const struct td_command *c;

    begin();
    complete(3, 77777, 512);
    commands = end(&reader);
    c = next_command(commands);
    g_assert_false(c->submit_known);
    g_assert_cmpuint(c->seq, ==, 77777);
    g_assert_cmpuint(c->submit.device, ==, 3);
    g_assert_cmpuint(c->complete.bytes, ==, 512);
    g_assert_nonnull(c->decoded.name);
    check_end(commands);
    finish(reader, commands);
}

/* Many in flight, completed in random order: each once, with its own submit. */
static void test_many(gconstpointer skip)
{
    enum { N = 100000, DEPTH = 3000, DEVICES = 3 };
    g_autoptr(GRand) rand = g_rand_new_with_seed(1);
    g_autofree uint64_t *in_flight = g_new(uint64_t, DEPTH);
    g_autofree uint64_t *lba_of = g_new0(uint64_t, 2 * N + 1);
    g_autofree uint32_t *depth_of = g_new0(uint32_t, 2 * N + 1);
    uint32_t depth[DEVICES] = { 0 };
    struct td_reader *reader;
    struct td_commands *commands;
    struct td_item item;
    uint32_t n = 0, seen = 0;

    begin();
    for (uint32_t i = 0; i < N || n > 0;) {
        if (i < N && n < DEPTH && g_rand_int_range(rand, 0, 100) < 55) {
            uint64_t seq = submit(i % DEVICES, i, i % 7);

            lba_of[seq] = i;
            depth_of[seq] = ++depth[i % DEVICES];
            in_flight[n++] = seq;
            i++;
        } else if (n > 0) {
            uint32_t which = (uint32_t)g_rand_int_range(rand, 0, (gint32)n);
            uint64_t seq = in_flight[which];

            complete(lba_of[seq] % DEVICES, seq, lba_of[seq]);
            depth[lba_of[seq] % DEVICES]--;
            in_flight[which] = in_flight[--n];
        }
    }
    commands = end(&reader);
    if (skip) {
        td_commands_skip_elements(commands);
    }
    while (td_commands_next(commands, false, &item) == 1) {
        const struct td_command *c = item.command;
        uint64_t i = lba_of[c->seq];

        g_assert_cmpint(item.kind, ==, TD_ITEM_COMMAND);
        g_assert_cmpuint(c->submit.device, ==, i % DEVICES);
        g_assert_cmpuint(c->submit_ns, ==, i);
        g_assert_cmpuint(c->complete.bytes, ==, i);
        g_assert_cmpuint(c->decoded.lba, ==, i & 0xffff);
        g_assert_cmpuint(c->in_flight, ==, depth_of[c->seq]);
        g_assert_cmpuint(c->submit.n_elements, ==, i % 7);
        if (skip) {
            g_assert_null(c->submit.elements);
        } else if (i % 7) {
            g_assert_cmphex(c->submit.elements[i % 7 - 1].addr, ==, (i + i % 7 - 1) << 12);
        }
        depth_of[c->seq] = 0; /* once */
        seen++;
    }
    g_assert_cmpuint(seen, ==, N);
    finish(reader, commands);
}

/* Devices and other records come through, and are remembered. */
static void test_devices(void)
{
    const struct td_pair pairs[] = { { "serial", "A" }, { "model", "tracedisk" } };
    struct td_device d = {
        .id = 7, .blocks = 1000, .name = "d0", .frontend = "ahci", .pairs = pairs, .n_pairs = 2,
    };
    struct td_mark mark = { .device = 7, .name = "here" };
    struct td_reader *reader;
    struct td_commands *commands;
    struct td_item item;
    const struct td_device *found;

    begin();
    td_put_device(stream, 0, &d, NULL);
    d.name = "d1";
    d.n_pairs = 1;
    td_put_device(stream, 0, &d, NULL);
    td_put_mark(stream, 0, &mark, NULL);
    commands = end(&reader);
    g_assert_null(td_commands_device(commands, 7));
    g_assert_cmpint(td_commands_next(commands, false, &item), ==, 1);
    g_assert_cmpstr(td_commands_device(commands, 7)->name, ==, "d0");
    g_assert_cmpint(td_commands_next(commands, false, &item), ==, 1);
    g_assert_cmpint(td_commands_next(commands, false, &item), ==, 1);
    g_assert_cmpstr(item.record->mark.name, ==, "here");
    found = td_commands_device(commands, 7);
    g_assert_cmpstr(found->name, ==, "d1");
    g_assert_cmpuint(found->n_pairs, ==, 1);
    g_assert_cmpstr(found->pairs[0].key, ==, "serial");
    g_assert_cmpstr(found->pairs[0].value, ==, "A");
    g_assert_null(td_commands_device(commands, 8));
    check_end(commands);
    finish(reader, commands);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/commands/join", test_join);
    g_test_add_func("/commands/pending", test_pending);
    g_test_add_func("/commands/end-of-growing", test_end_of_growing);
    g_test_add_func("/commands/orphan", test_orphan);
    g_test_add_data_func("/commands/many", NULL, test_many);
    g_test_add_data_func("/commands/many/skip-elements", "", test_many);
    g_test_add_func("/commands/devices", test_devices);
    return g_test_run();
}
