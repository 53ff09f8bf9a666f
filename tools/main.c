/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tracedisk command: finds the subcommand and hands over to it. */
#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "tool.h"

static const struct subcommand {
    const char *name;
    subcommand_main *main;
    const char *summary;
} subcommands[] = {
    { "run", run_main, "start a stock QEMU with the tracedisk devices" },
    { "dump", dump_main, "print the commands and events of a trace" },
    { "stat", stat_main, "counts, sizes, queue depth, latency, alignment" },
    { "page", page_main, "the history of one guest page" },
    { "lba", lba_main, "the history of one block" },
    { "find", find_main, "where the bytes of a buffer came from" },
    { "payload", payload_main, "the bytes that a command moved" },
    { "diff", diff_main, "what differs in meaning between two runs" },
    { "report", report_main, "a page to look at: blocks over time, latency, guest pages" },
    { "export", export_main, "a trace for Wireshark, SQLite, spreadsheets, scripts" },
    { "pack", pack_main, "a smaller copy of a trace, for keeping" },
    { "replay", replay_main, "the same commands to another disk, compared" },
    { "lint", lint_main, "what a driver did that it should not" },
    { "verify", verify_main, "did each read return what was last written" },
};

void say(const char *format, ...)
{
    va_list ap;

    fprintf(stderr, "%s: ", g_get_prgname());
    va_start(ap, format);
    vfprintf(stderr, format, ap);
    va_end(ap);
    fputc('\n', stderr);
}

static void print_usage(FILE *out)
{
    fputs("usage: tracedisk SUBCOMMAND [OPTION...] ...\n\n", out);
    for (size_t i = 0; i < G_N_ELEMENTS(subcommands); i++)
        fprintf(out, "  %-8s  %s\n", subcommands[i].name, subcommands[i].summary);
    fputs("\n'tracedisk SUBCOMMAND --help' and tracedisk-SUBCOMMAND(1) say more.\n", out);
}

static const struct subcommand *find_subcommand(const char *name)
{
    for (size_t i = 0; i < G_N_ELEMENTS(subcommands); i++) {
        if (strcmp(subcommands[i].name, name) == 0)
            return &subcommands[i];
    }
    return NULL;
}

int main(int argc, char **argv)
{
    const struct subcommand *subcommand;
    g_autofree char *program = NULL;

    /* Only characters: numbers keep their decimal point in every locale. */
    setlocale(LC_CTYPE, "");
    g_set_prgname("tracedisk");
    if (argc < 2) {
        print_usage(stderr);
        return EXIT_TROUBLE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        print_usage(stdout);
        return EXIT_FINE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("tracedisk " TRACEDISK_VERSION);
        return EXIT_FINE;
    }
    subcommand = find_subcommand(argv[1]);
    if (!subcommand) {
        say("there is no subcommand '%s'", argv[1]);
        print_usage(stderr);
        return EXIT_TROUBLE;
    }
    program = g_strdup_printf("tracedisk %s", subcommand->name);
    g_set_prgname(program);
    return subcommand->main(argc - 1, argv + 1);
}
