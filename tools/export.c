/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tracedisk export: a trace in the format of another program. */
#include "export.h"

#include <string.h>

#include "filter.h"
#include "options.h"
#include "output.h"
#include "tool.h"

static const struct export_format *const formats[] = {
    &export_csv,
    &export_jsonl,
    &export_pcapng,
    &export_sqlite,
};

static char *format_names(void)
{
    GString *names = g_string_new(formats[0]->name);

    for (size_t i = 1; i < G_N_ELEMENTS(formats); i++)
        g_string_append_printf(names, ", %s", formats[i]->name);
    return g_string_free(names, FALSE);
}

/* NULL, said on stderr, when there is none of that name. */
static const struct export_format *find_format(const char *name)
{
    g_autofree char *names = format_names();

    for (size_t i = 0; name && i < G_N_ELEMENTS(formats); i++) {
        if (strcmp(formats[i]->name, name) == 0)
            return formats[i];
    }
    if (name)
        say("there is no format '%s'; --to takes one of: %s", name, names);
    else
        say("say the format with --to, one of: %s", names);
    return NULL;
}

static bool export_items(const struct export_format *format, void *state, struct filter *filter,
                         struct input *in)
{
    struct td_item item;

    while (output_alive() && filter_next_item(filter, in, false, &item)) {
        if (!format->item(state, in, &item))
            return false;
    }
    return true;
}

static void *begin(const struct export_format *format, const char *path)
{
    if (format->needs_file) {
        output_open();
        return format->begin(path);
    }
    return output_open_file(path) ? format->begin(NULL) : NULL;
}

static int export_trace(const struct export_format *format, struct filter *filter,
                        const char *trace, const char *path)
{
    struct input in;
    void *state;
    bool good = false;
    int status;

    if (path && input_is_file(trace, path)) {
        say("'%s' is the trace itself: name another file with -o", path);
        return EXIT_TROUBLE;
    }
    if (!input_open(&in, trace))
        return EXIT_TROUBLE;
    state = begin(format, path);
    if (state) {
        good = export_items(format, state, filter, &in);
        good = format->end(state, good && !in.failed) && good;
    }
    output_flush();
    status = filter_close_input(filter, &in);
    return output_close(good ? status : EXIT_TROUBLE);
}

int export_main(int argc, char **argv)
{
    g_autofree char *name = NULL, *path = NULL;
    struct filter filter;
    const struct export_format *format;
    const GOptionEntry own_options[] = {
        { "to", 0, 0, G_OPTION_ARG_STRING, &name, "the format: csv, jsonl, pcapng, sqlite", "FORMAT" },
        { "output", 'o', 0, G_OPTION_ARG_FILENAME, &path,
          "the file to make; one that exists is replaced (default: standard output)", "FILE" },
        G_OPTION_ENTRY_NULL,
    };
    const struct command_line line = {
        .arguments = "TRACE",
        .summary = "Write a trace in the format of another program.",
        .description = "Exit status: 0 fine, 1 something of the trace is missing (damaged or lost "
                       "records), 2 trouble.",
        .entries = own_options,
        .group = filter_options_until,
        .data = &filter,
        .operands = 1,
    };
    int status = EXIT_TROUBLE;

    filter_init(&filter);
    if (command_line_parse(&line, &argc, &argv) && (format = find_format(name))) {
        if (format->needs_file && !path)
            say("%s cannot be written to standard output: name a file with -o", format->name);
        else
            status = export_trace(format, &filter, argv[1], path);
    }
    filter_clear(&filter);
    return status;
}
