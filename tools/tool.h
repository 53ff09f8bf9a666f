/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every subcommand shares: exit codes, messages, and the table that a new
 * subcommand adds one line to.
 */
#ifndef TOOLS_TOOL_H
#define TOOLS_TOOL_H

#include <glib.h>

/* As with diff and grep. */
enum {
    EXIT_FINE = 0,
    EXIT_FINDINGS = 1, /* findings, differences, or a damaged trace */
    EXIT_TROUBLE = 2,  /* bad usage, unreadable file */
};

/* argv[0] is the subcommand's name; returns the exit code. */
typedef int subcommand_main(int argc, char **argv);

subcommand_main diff_main;
subcommand_main dump_main;
subcommand_main export_main;
subcommand_main find_main;
subcommand_main lba_main;
subcommand_main lint_main;
subcommand_main pack_main;
subcommand_main page_main;
subcommand_main payload_main;
subcommand_main replay_main;
subcommand_main report_main;
subcommand_main run_main;
subcommand_main stat_main;
subcommand_main verify_main;

/* Print "tracedisk SUBCOMMAND: …" and a newline to stderr. */
void say(const char *format, ...) G_GNUC_PRINTF(1, 2);

#endif
