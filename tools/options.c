/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Command lines: options through GOption, and the words they take. */
#include "options.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "tool.h"

static bool parse_words(const struct command_line *line, int *argc, char ***argv, GError **error)
{
    g_autoptr(GOptionContext) context = g_option_context_new(line->arguments);
    GOptionGroup *group = g_option_group_new("main", "", "", line->data, NULL);

    if (line->entries)
        g_option_group_add_entries(group, line->entries);
    if (line->group)
        g_option_group_add_entries(group, line->group);
    g_option_context_set_main_group(context, group);
    g_option_context_set_summary(context, line->summary);
    g_option_context_set_description(context, line->description);
    g_option_context_set_strict_posix(context, line->operands < 0);
    return g_option_context_parse(context, argc, argv, error);
}

/* GOption leaves the "--" that ended the options in place. */
static void drop_double_dash(int *argc, char **argv)
{
    for (int i = 1; i < *argc; i++) {
        if (strcmp(argv[i], "--") == 0) {
            memmove(&argv[i], &argv[i + 1], (size_t)(*argc - i) * sizeof(argv[0]));
            --*argc;
            return;
        }
    }
}

/*
 * GOption would take the options to end at a "--" between operands, and drop
 * it: meanwhile it is another word. What stands first does end the options.
 */
static char kept_dash[] = "\n--";

static void hide_double_dash(int argc, char **argv)
{
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0)
            argv[i] = kept_dash;
    }
}

static void show_double_dash(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (argv[i] == kept_dash)
            argv[i] = (char *)"--";
    }
}

static bool starts_with_double_dash(int argc, char **argv)
{
    return argc > 1 && strcmp(argv[1], "--") == 0;
}

bool command_line_parse(const struct command_line *line, int *argc, char ***argv)
{
    g_autoptr(GError) error = NULL;

    if (line->keep_double_dash)
        hide_double_dash(*argc, *argv);
    if (!parse_words(line, argc, argv, &error)) {
        say("%s", error->message);
    } else {
        show_double_dash(*argc, *argv);
        if ((line->operands >= 0 && !line->keep_double_dash) ||
            starts_with_double_dash(*argc, *argv))
            drop_double_dash(argc, *argv);
        if (line->operands < 0 ||
            (*argc - 1 >= line->operands &&
             (line->more_operands < 0 || *argc - 1 <= line->operands + line->more_operands)))
            return true;
        if (*argc - 1 < line->operands)
            say("something is missing; needed: %s", line->arguments);
        else
            say("'%s' is one word too many; needed: %s", (*argv)[line->operands + line->more_operands + 1],
                line->arguments);
    }
    fprintf(stderr, "Try '%s --help'.\n", g_get_prgname());
    return false;
}

bool parse_number(const char *word, uint64_t *number)
{
    guint64 value;

    if (g_ascii_strncasecmp(word, "0x", 2) == 0) {
        if (!g_ascii_string_to_unsigned(word + 2, 16, 0, G_MAXUINT64, &value, NULL))
            return false;
    } else if (!g_ascii_string_to_unsigned(word, 10, 0, G_MAXUINT64, &value, NULL)) {
        return false;
    }
    *number = value;
    return true;
}

bool parse_range(const char *word, struct range *range)
{
    const char *joint = strpbrk(word, "-+");
    g_autofree char *first = NULL;
    uint64_t second;

    if (!joint) {
        if (!parse_number(word, &range->first))
            return false;
        range->last = range->first;
        return true;
    }
    first = g_strndup(word, (gsize)(joint - word));
    if (!parse_number(first, &range->first) || !parse_number(joint + 1, &second))
        return false;
    if (*joint == '-')
        range->last = second;
    else if (second == 0 || second - 1 > UINT64_MAX - range->first)
        return false;
    else
        range->last = range->first + second - 1;
    return range->first <= range->last;
}

bool parse_time(const char *word, uint64_t *ns)
{
    static const struct {
        const char *name;
        double ns;
    } units[] = { { "ns", 1 }, { "us", 1e3 }, { "ms", 1e6 }, { "s", 1e9 } };
    char *unit;
    double value;

    if (parse_number(word, ns))
        return true;
    if (!g_ascii_isdigit(word[0]))
        return false;
    value = g_ascii_strtod(word, &unit);
    for (size_t i = 0; i < G_N_ELEMENTS(units); i++) {
        if (strcmp(unit, units[i].name) == 0 && value * units[i].ns < 0x1p63) {
            *ns = (uint64_t)llround(value * units[i].ns);
            return true;
        }
    }
    return false;
}
