/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tracedisk report: a page to look at, of one trace or of two side by side. */
#include "report.h"

#include "options.h"
#include "output.h"
#include "tool.h"

#define MAX_SIDES 2

static int report_traces(const struct filter *filter, char **paths, size_t n, const char *output)
{
    struct report_side sides[MAX_SIDES];
    size_t read = 0;
    int status = EXIT_FINE;

    while (read < n && report_side_read(&sides[read], paths[read], filter))
        read++;
    if (read == n && output_open_file(output))
        report_print(sides, n, NULL, NULL);
    else
        status = EXIT_TROUBLE;
    output_flush();
    for (size_t i = 0; i < read; i++) {
        int reading = report_side_close(&sides[i]);

        status = MAX(status, reading);
    }
    return output_close(status);
}

int report_main(int argc, char **argv)
{
    g_autofree char *output = NULL;
    struct filter filter;
    const GOptionEntry own_options[] = {
        { "output", 'o', 0, G_OPTION_ARG_FILENAME, &output,
          "the page to make; one that exists is replaced (default: standard output)", "FILE" },
        G_OPTION_ENTRY_NULL,
    };
    const struct command_line line = {
        .arguments = "TRACE [TRACE]",
        .summary = "Make one HTML file of a trace, or of two side by side: blocks over time, queue "
                   "depth, latency, sizes, guest pages, errors.",
        .description = "Exit status: 0 fine, 1 something of a trace is missing (damaged or lost "
                       "records), 2 trouble.",
        .entries = own_options,
        .group = filter_options,
        .data = &filter,
        .operands = 1,
        .more_operands = MAX_SIDES - 1,
    };
    int status = EXIT_TROUBLE;

    filter_init(&filter);
    if (command_line_parse(&line, &argc, &argv))
        status = report_traces(&filter, argv + 1, (size_t)argc - 1, output);
    filter_clear(&filter);
    return status;
}
