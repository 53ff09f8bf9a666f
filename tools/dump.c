/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tracedisk dump: prints the commands and events of a trace. */
#include <signal.h>
#include <stdio.h>
#include <time.h>

#include "filter.h"
#include "input.h"
#include "options.h"
#include "origin.h"
#include "output.h"
#include "record-json.h"
#include "record-text.h"
#include "tool.h"

#define FOLLOW_EVERY_NS 50000000

struct dump {
    struct filter filter;
    struct text_options text;
    struct origin_options origin;
    struct json *json; /* NULL: text */
    bool titled;       /* the header line or the column titles were printed */
    uint64_t left;     /* items still to be printed */
};

static volatile sig_atomic_t interrupted;

static void on_interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

/* One signal ends following in order; a second one ends the process. */
static void catch_interrupts(void)
{
    struct sigaction action = { .sa_handler = on_interrupt, .sa_flags = (int)SA_RESETHAND };

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* JSON: the first line is a header, whatever became of the trace's own. */
static void print_titles(struct dump *dump, const struct td_item *item)
{
    bool is_header = item->kind == TD_ITEM_RECORD && item->record->kind == TD_HEADER;
    bool is_device = item->kind == TD_ITEM_RECORD && item->record->kind == TD_DEVICE;

    if (dump->titled || (!dump->json && (is_header || is_device)))
        return;
    if (!dump->json)
        titles_print_text();
    else if (!is_header)
        missing_header_print_json(dump->json);
    dump->titled = true;
}

static void print_command(struct dump *dump, const struct input *in, const struct td_command *c)
{
    command_print_text(&dump->text, in, c);
    origin_print_text(&dump->origin, c, ELEMENT_INDENT);
}

static void print_item(struct dump *dump, const struct input *in, const struct td_item *item)
{
    print_titles(dump, item);
    if (item->kind == TD_ITEM_COMMAND) {
        if (dump->json)
            command_print_json(dump->json, in, item->command, dump->text.pages, &dump->origin);
        else
            print_command(dump, in, item->command);
    } else if (dump->json) {
        record_print_json(dump->json, in, item->record);
    } else {
        record_print_text(in, item->record);
    }
}

/* --limit counts what the filters ask for, not what describes the trace. */
static bool counts(const struct td_item *item)
{
    return item->kind == TD_ITEM_COMMAND || item->record->kind == TD_EVENT ||
           item->record->kind == TD_MARK;
}

/* Print all there is; with follow, pending commands are left for later. */
static void print_rest(struct dump *dump, struct input *in, bool follow)
{
    struct td_item item;

    while (!interrupted && dump->left && output_alive() &&
           filter_next_item(&dump->filter, in, follow, &item)) {
        print_item(dump, in, &item);
        if (counts(&item))
            dump->left--;
    }
}

static void follow(struct dump *dump, struct input *in)
{
    const struct timespec pause = { .tv_nsec = FOLLOW_EVERY_NS };

    catch_interrupts();
    in->show_progress = false;
    while (!interrupted && dump->left && !in->failed && output_alive()) {
        print_rest(dump, in, true);
        output_flush();
        if (dump->left)
            nanosleep(&pause, NULL);
    }
    interrupted = 0;
}

static int dump_trace(struct dump *dump, const char *path, bool want_follow)
{
    struct input in;

    if (!input_open(&in, path))
        return EXIT_TROUBLE;
    in.keep_stacks = dump->origin.symbols;
    output_open();
    if (want_follow)
        follow(dump, &in);
    print_rest(dump, &in, false);
    output_flush();
    return output_close(filter_close_input(&dump->filter, &in));
}

int dump_main(int argc, char **argv)
{
    struct dump dump = { 0 };
    gboolean elements = FALSE, pages = FALSE, as_json = FALSE, want_follow = FALSE;
    gint64 limit = -1;
    const GOptionEntry own_options[] = {
        { "elements", 0, 0, G_OPTION_ARG_NONE, &elements,
          "print every scatter-gather element, FIS written, and whole hashes", NULL },
        { "pages", 0, 0, G_OPTION_ARG_NONE, &pages, "print every 4 KiB page of every element",
          NULL },
        { "json", 0, 0, G_OPTION_ARG_NONE, &as_json, "print one JSON object a line", NULL },
        { "follow", 'f', 0, G_OPTION_ARG_NONE, &want_follow,
          "go on as the trace grows, until interrupted", NULL },
        { "limit", 'n', 0, G_OPTION_ARG_INT64, &limit, "print N commands and events at most",
          "N" },
        ORIGIN_OPTION_ENTRIES(&dump.origin),
        G_OPTION_ENTRY_NULL,
    };
    const struct command_line line = {
        .arguments = "TRACE",
        .summary = "Print the commands and events of a trace, in the order of their completion.",
        .description = "Exit status: 0 fine, 1 something of the trace is missing (damaged or lost "
                       "records), 2 trouble.",
        .entries = own_options,
        .group = filter_options,
        .data = &dump.filter,
        .operands = 1,
    };
    int status = EXIT_TROUBLE;

    filter_init(&dump.filter);
    if (command_line_parse(&line, &argc, &argv) && origin_options_open(&dump.origin)) {
        dump.text = (struct text_options){ .elements = elements, .pages = pages };
        dump.left = limit < 0 ? UINT64_MAX : (uint64_t)limit;
        dump.json = as_json ? json_new(false) : NULL;
        status = dump_trace(&dump, argv[1], want_follow);
        json_free(dump.json);
    }
    origin_options_close(&dump.origin);
    filter_clear(&dump.filter);
    return status;
}
