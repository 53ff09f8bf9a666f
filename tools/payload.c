/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tracedisk payload: the bytes that a command moved. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "input.h"
#include "options.h"
#include "output.h"
#include "tool.h"

#define CHUNK (1u << 20)

/* The command's item; false, said, when the trace has none of this number. */
static bool find_command(struct input *in, uint64_t seq, struct td_item *item)
{
    while (input_next_item(in, false, item)) {
        if (item->kind == TD_ITEM_COMMAND && item->command->seq == seq)
            return true;
    }
    if (!in->failed)
        say("'%s' has no command #%" PRIu64 ": 'tracedisk dump' prints their numbers", in->path,
            seq);
    return false;
}

static int say_missing(const struct td_command *c, uint64_t written)
{
    if (c->complete.status == TD_PENDING) {
        say("#%" PRIu64 " has no end in the trace, and its bytes are told there", c->seq);
        return EXIT_TROUBLE;
    }
    if (!c->complete.n_parts && c->complete.bytes) {
        say("the bytes of #%" PRIu64 " are not in the trace: record it with payload=all", c->seq);
        return EXIT_TROUBLE;
    }
    if (written >= c->complete.bytes)
        return EXIT_FINE;
    say("of #%" PRIu64 "'s %" PRIu64 " bytes only the first %" PRIu64 " are kept", c->seq,
        c->complete.bytes, written);
    return EXIT_FINDINGS;
}

static int write_payload(const struct input *in, const struct td_command *c)
{
    g_autofree uint8_t *chunk = g_malloc(CHUNK);
    uint64_t written = 0;
    int64_t n;

    do {
        n = td_reader_payload(in->reader, &c->complete, written, chunk, CHUNK);
        if (n == -EBADMSG) {
            output_flush();
            say("bytes of #%" PRIu64 " from offset %" PRIu64 " on are lost: the trace is damaged",
                c->seq, written);
            return EXIT_FINDINGS;
        }
        if (n < 0) {
            say("%s: %s", in->path, td_reader_error(in->reader));
            return EXIT_TROUBLE;
        }
        fwrite(chunk, 1, (size_t)n, stdout);
        written += (uint64_t)n;
    } while (n == CHUNK && output_alive());
    output_flush();
    return output_alive() ? say_missing(c, written) : EXIT_FINE;
}

static int print_payload(uint64_t seq, const char *trace, const char *path)
{
    struct td_item item;
    struct input in;
    int status = EXIT_TROUBLE, rest;

    if (path && input_is_file(trace, path)) {
        say("'%s' is the trace itself: name another file with -o", path);
        return EXIT_TROUBLE;
    }
    if (!path && isatty(STDOUT_FILENO)) {
        say("the bytes are not for a terminal: name a file with -o, or pipe them, as into xxd");
        return EXIT_TROUBLE;
    }
    if (!input_open(&in, trace))
        return EXIT_TROUBLE;
    if (find_command(&in, seq, &item) && output_open_file(path))
        status = write_payload(&in, item.command);
    rest = input_close(&in);
    return output_close(MAX(status, rest));
}

int payload_main(int argc, char **argv)
{
    g_autofree char *path = NULL;
    const GOptionEntry options[] = {
        { "output", 'o', 0, G_OPTION_ARG_FILENAME, &path,
          "the file to make; one that exists is replaced (default: standard output)", "FILE" },
        G_OPTION_ENTRY_NULL,
    };
    const struct command_line line = {
        .arguments = "SEQ TRACE",
        .summary = "Write the bytes that the command with this number moved, read or written.\n"
                   "The trace must have been recorded with payload=all.",
        .description = "Exit status: 0 fine, 1 some of the bytes are missing, 2 trouble.",
        .entries = options,
        .operands = 2,
    };
    uint64_t seq;

    if (!command_line_parse(&line, &argc, &argv))
        return EXIT_TROUBLE;
    if (!parse_number(argv[1], &seq)) {
        say("'%s' is not the number of a command", argv[1]);
        return EXIT_TROUBLE;
    }
    return print_payload(seq, argv[2], path);
}
