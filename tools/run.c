/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk run: starts a stock QEMU with the device module loaded.
 *
 * The module is built for one QEMU version, so the binary is asked for its
 * version first. A small preload object finds out inside QEMU that it is QEMU,
 * and loads the module that TRACEDISK_MODULE names.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "options.h"
#include "output.h"
#include "tool.h"

#define PRELOAD "tracedisk-preload.so"

/* A program without an interpreter cannot be preloaded into; scripts can. */
static bool is_static(const char *program)
{
    Elf64_Ehdr header;
    Elf64_Phdr segment;
    bool has_interpreter = false, is_elf = false;
    int fd = open(program, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return false;
    if (pread(fd, &header, sizeof(header), 0) == sizeof(header) &&
        memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 &&
        header.e_ident[EI_CLASS] == ELFCLASS64) {
        is_elf = true;
        for (unsigned i = 0; i < header.e_phnum; i++) {
            off_t offset = (off_t)header.e_phoff + (off_t)i * header.e_phentsize;

            if (pread(fd, &segment, sizeof(segment), offset) == sizeof(segment) &&
                segment.p_type == PT_INTERP)
                has_interpreter = true;
        }
    }
    close(fd);
    return is_elf && !has_interpreter;
}

/* "7.2.22" out of "QEMU emulator version 7.2.22 (Debian …)"; NULL (said). */
static char *qemu_version(char *qemu)
{
    char option[] = "--version";
    char *argv[] = { qemu, option, NULL };
    g_autofree char *out = NULL;
    g_autofree char *err = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(GRegex) regex = g_regex_new("^QEMU emulator version ([0-9]+(\\.[0-9]+)*)",
                                          0, 0, NULL);
    g_autoptr(GMatchInfo) match = NULL;
    int status;

    if (!g_spawn_sync(NULL, argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, &out, &err, &status,
                      &error) ||
        !g_spawn_check_wait_status(status, &error)) {
        say("'%s --version' failed: %s%s%s", qemu, error->message, err && *err ? ": " : "",
            err ? g_strchomp(err) : "");
        return NULL;
    }
    if (!g_regex_match(regex, out, 0, &match)) {
        say("'%s' is no QEMU system emulator: '%s --version' says \"%.60s\"", qemu, qemu,
            g_strchomp(out));
        return NULL;
    }
    return g_match_info_fetch(match, 1);
}

/* Beside the command in a build tree, else where it is installed. */
static char *module_folder(void)
{
    const char *given = g_getenv("TRACEDISK_MODULE_DIR");
    g_autofree char *exe = g_file_read_link("/proc/self/exe", NULL);
    g_autofree char *bin = exe ? g_path_get_dirname(exe) : NULL;
    g_autofree char *beside = bin ? g_build_filename(bin, "..", "hw", NULL) : NULL;
    g_autofree char *preload = beside ? g_build_filename(beside, PRELOAD, NULL) : NULL;

    if (given && *given)
        return g_canonicalize_filename(given, NULL);
    if (preload && g_file_test(preload, G_FILE_TEST_EXISTS))
        return g_canonicalize_filename(beside, NULL);
    return g_strdup(TRACEDISK_MODULE_DIR);
}

/* "7.2.22, 10.0.13": the versions there are modules for; "" for none. */
static char *known_versions(const char *folder)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    g_autoptr(GRegex) regex = g_regex_new("^tracedisk-([0-9][0-9.]*)\\.so$", 0, 0, NULL);
    GString *versions = g_string_new(NULL);
    const char *name;

    while (dir && (name = g_dir_read_name(dir))) {
        g_autoptr(GMatchInfo) match = NULL;
        g_autofree char *version = NULL;

        if (!g_regex_match(regex, name, 0, &match))
            continue;
        version = g_match_info_fetch(match, 1);
        g_string_append_printf(versions, "%s%s", versions->len ? ", " : "", version);
    }
    return g_string_free(versions, FALSE);
}

static char *find_module(const char *folder, const char *version)
{
    g_autofree char *name = g_strdup_printf("tracedisk-%s.so", version);
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_autofree char *versions = NULL;

    if (g_file_test(path, G_FILE_TEST_EXISTS))
        return g_steal_pointer(&path);
    versions = known_versions(folder);
    say("there is no module for QEMU %s in %s; there are modules for: %s\n"
        "Build one from that QEMU's source (script/build), name its folder in "
        "TRACEDISK_MODULE_DIR,\nor overlay the device on a QEMU source tree (script/overlay).",
        version, folder, *versions ? versions : "no version");
    return NULL;
}

static char *find_preload(const char *folder)
{
    g_autofree char *path = g_build_filename(folder, PRELOAD, NULL);

    if (g_file_test(path, G_FILE_TEST_EXISTS))
        return g_steal_pointer(&path);
    say("there is no %s in %s; build or install tracedisk again", PRELOAD, folder);
    return NULL;
}

/* ld.so(8): LD_PRELOAD's entries end at blanks and colons, without any escape. */
static bool can_preload(const char *path)
{
    if (!strpbrk(path, " \t:"))
        return true;
    say("LD_PRELOAD cannot name '%s': its path has a blank or a colon; move it", path);
    return false;
}

static void set_environment(const char *preload, const char *module)
{
    const char *before = g_getenv("LD_PRELOAD");
    g_autofree char *both =
        before && *before ? g_strdup_printf("%s:%s", preload, before) : g_strdup(preload);

    g_setenv("LD_PRELOAD", both, TRUE);
    g_setenv("TRACEDISK_MODULE", module, TRUE);
}

/* As a line for a shell, for people who start QEMU in some other way. */
static int print_command(char *const *argv)
{
    g_autofree char *preload = g_shell_quote(g_getenv("LD_PRELOAD"));
    g_autofree char *module = g_shell_quote(g_getenv("TRACEDISK_MODULE"));

    output_open();
    printf("LD_PRELOAD=%s TRACEDISK_MODULE=%s", preload, module);
    for (; *argv; argv++) {
        g_autofree char *word = g_shell_quote(*argv);

        printf(" %s", word);
    }
    putchar('\n');
    return output_close(EXIT_FINE);
}

static bool prepare(char *program, char *given_module, const char *qemu_word)
{
    g_autofree char *folder = module_folder();
    g_autofree char *version = NULL;
    g_autofree char *module = NULL;
    g_autofree char *preload = NULL;

    if (is_static(program)) {
        say("'%s' is linked statically, so no module can be loaded into it; "
            "use a dynamically linked QEMU, or overlay the device on its source (script/overlay)",
            qemu_word);
        return false;
    }
    if (given_module) {
        module = g_canonicalize_filename(given_module, NULL);
        if (!g_file_test(module, G_FILE_TEST_EXISTS)) {
            say("there is no module '%s'", given_module);
            return false;
        }
    } else {
        version = qemu_version(program);
        module = version ? find_module(folder, version) : NULL;
    }
    preload = module ? find_preload(folder) : NULL;
    if (!preload || !can_preload(preload))
        return false;
    set_environment(preload, module);
    return true;
}

int run_main(int argc, char **argv)
{
    g_autofree char *module = NULL;
    g_autofree char *program = NULL;
    gboolean print = FALSE;
    const GOptionEntry options[] = {
        { "module", 0, 0, G_OPTION_ARG_FILENAME, &module,
          "load this module instead of the one for QEMU's version", "FILE" },
        { "print", 0, 0, G_OPTION_ARG_NONE, &print,
          "print the command with its environment instead of running it", NULL },
        G_OPTION_ENTRY_NULL,
    };
    const struct command_line line = {
        .arguments = "[--] QEMU ARGS...",
        .summary = "Start a stock QEMU with the tracedisk devices, e.g.\n"
                   "  tracedisk run -- qemu-system-x86_64 -drive "
                   "if=none,id=d0,format=raw,file=disk.img -device tracedisk,drive=d0",
        .description = "TRACEDISK_MODULE_DIR names the folder of the modules.\n"
                       "Exit status: QEMU's own; 2 when it cannot be started.",
        .entries = options,
        .operands = -1,
    };

    if (!command_line_parse(&line, &argc, &argv))
        return EXIT_TROUBLE;
    if (argc < 2) {
        say("no QEMU is named; needed: %s", line.arguments);
        return EXIT_TROUBLE;
    }
    program = g_find_program_in_path(argv[1]);
    if (!program) {
        say("there is no program '%s' (not found, or not executable)", argv[1]);
        return EXIT_TROUBLE;
    }
    if (!prepare(program, module, argv[1]))
        return EXIT_TROUBLE;
    if (print)
        return print_command(argv + 1);
    execv(program, argv + 1);
    say("cannot run '%s': %s", program, g_strerror(errno));
    return EXIT_TROUBLE;
}
