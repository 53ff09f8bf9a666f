/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Standard output: its end, its colours, and text that is safe to print. */
#include "output.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tool.h"

static const char *output_name = "standard output";
static bool use_colour;
static int write_error;

void output_open(void)
{
    const char *no_color = getenv("NO_COLOR");
    bool terminal = isatty(STDOUT_FILENO);

    use_colour = terminal && !(no_color && no_color[0]);
    /* The pipe's end shall be an error of fflush(), so that it ends quietly. */
    signal(SIGPIPE, SIG_IGN);
    if (!terminal)
        setvbuf(stdout, NULL, _IOFBF, 1 << 16);
}

bool output_open_file(const char *path)
{
    if (path && !freopen(path, "w", stdout)) {
        say("cannot write '%s': %s", path, g_strerror(errno));
        return false;
    }
    if (path)
        output_name = path;
    output_open();
    return true;
}

int output_open_unfinished(const char *path, char **name)
{
    GStatBuf status;
    int fd;

    *name = NULL;
    if (g_lstat(path, &status) == 0 && !S_ISREG(status.st_mode)) {
        say("'%s' is not a file: name another one with -o", path);
        return -1;
    }
    *name = g_strconcat(path, ".XXXXXX", NULL);
    fd = g_mkstemp_full(*name, O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0)
        say("cannot make '%s': %s", path, g_strerror(errno));
    return fd;
}

bool output_alive(void)
{
    if (ferror(stdout) && !write_error)
        write_error = errno;
    return !write_error;
}

void output_flush(void)
{
    if (output_alive() && fflush(stdout) != 0)
        write_error = errno;
}

int output_close(int status)
{
    output_flush();
    if (write_error == 0)
        return status;
    if (write_error == EPIPE)
        return EXIT_FINE;
    say("cannot write to %s: %s", output_name, g_strerror(write_error));
    return EXIT_TROUBLE;
}

const char *colour(enum colour colour)
{
    static const char *const sequences[] = {
        [COLOUR_NONE] = "\033[0m",    [COLOUR_DIM] = "\033[2m",
        [COLOUR_BOLD] = "\033[1m",    [COLOUR_RED] = "\033[1;31m",
        [COLOUR_YELLOW] = "\033[33m", [COLOUR_CYAN] = "\033[36m",
    };

    return use_colour ? sequences[colour] : "";
}

bool output_is_utf8(void)
{
    return g_get_charset(NULL);
}

char *printable(const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text ? text : "", -1);
    GString *safe = g_string_new(NULL);

    for (const char *p = valid; *p; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);

        if (g_unichar_iscntrl(c))
            g_string_append_printf(safe, "\\x%02x", c);
        else
            g_string_append_unichar(safe, c);
    }
    return g_string_free(safe, FALSE);
}

const char *human_time(uint64_t ns, char *buf)
{
    if (ns < 1000)
        g_snprintf(buf, HUMAN_MAX, "%uns", (unsigned)ns);
    else if (ns < 1000000)
        g_snprintf(buf, HUMAN_MAX, "%.1fus", (double)ns / 1e3);
    else if (ns < 1000000000)
        g_snprintf(buf, HUMAN_MAX, "%.2fms", (double)ns / 1e6);
    else
        g_snprintf(buf, HUMAN_MAX, "%.2fs", (double)ns / 1e9);
    return buf;
}

const char *human_bytes(double bytes, char *buf)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
    size_t unit = 0;

    while (bytes >= 1024 && unit + 1 < G_N_ELEMENTS(units)) {
        bytes /= 1024;
        unit++;
    }
    g_snprintf(buf, HUMAN_MAX, bytes == (double)(uint64_t)bytes ? "%.0f %s" : "%.1f %s", bytes,
               units[unit]);
    return buf;
}
