/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tracedisk pack: a smaller copy of a trace. */
#include <errno.h>
#include <glib/gstdio.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "input.h"
#include "options.h"
#include "output.h"
#include "tool.h"

/* "d0.tdt" becomes "d0.packed.tdt". */
static char *default_name(const char *trace)
{
    g_autofree char *stem = g_strdup(trace);

    if (g_str_has_suffix(stem, ".tdt"))
        stem[strlen(stem) - 4] = 0;
    return g_strconcat(stem, ".packed.tdt", NULL);
}

/* A file that this reader would refuse is refused before anything is made. */
static bool is_trace(const char *path)
{
    struct input in;

    if (!input_open(&in, path))
        return false;
    input_close(&in);
    return true;
}

static bool pack_to(const char *trace, const char *path, uint64_t *bytes)
{
    g_autofree char *unfinished = NULL;
    int fd = output_open_unfinished(path, &unfinished);
    int ret;

    if (fd < 0)
        return false;
    ret = td_pack(trace, fd, bytes);
    if (close(fd) < 0 && !ret)
        ret = -errno;
    if (!ret && g_rename(unfinished, path) < 0)
        ret = -errno;
    if (ret) {
        g_unlink(unfinished);
        say("cannot pack '%s' into '%s': %s", trace, path, g_strerror(-ret));
    }
    return !ret;
}

static int pack_trace(const char *trace, const char *path)
{
    char before[HUMAN_MAX], after[HUMAN_MAX];
    GStatBuf status;
    uint64_t bytes;

    if (input_is_file(trace, path)) {
        say("'%s' is the trace itself: name another file with -o", path);
        return EXIT_TROUBLE;
    }
    if (!is_trace(trace) || g_stat(trace, &status) < 0 || !pack_to(trace, path, &bytes))
        return EXIT_TROUBLE;
    output_open();
    printf("%s: %s, of %s\n", path, human_bytes((double)bytes, after),
           human_bytes((double)status.st_size, before));
    return output_close(EXIT_FINE);
}

int pack_main(int argc, char **argv)
{
    g_autofree char *path = NULL;
    const GOptionEntry options[] = {
        { "output", 'o', 0, G_OPTION_ARG_FILENAME, &path,
          "the file to make; one that exists is replaced (default: TRACE's name with .packed)",
          "FILE" },
        G_OPTION_ENTRY_NULL,
    };
    const struct command_line line = {
        .arguments = "TRACE",
        .summary = "Make a smaller copy of a trace, for keeping.",
        .description = "Exit status: 0 fine, 2 trouble.",
        .entries = options,
        .operands = 1,
    };

    if (!command_line_parse(&line, &argc, &argv))
        return EXIT_TROUBLE;
    if (!path)
        path = default_name(argv[1]);
    return pack_trace(argv[1], path);
}
