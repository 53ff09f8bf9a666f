/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk: bring the device module into a stock QEMU
 *
 * LD_PRELOAD=tracedisk-preload.so TRACEDISK_MODULE=tracedisk-7.2.22.so qemu…
 *
 * The module itself cannot be preloaded: it needs QEMU's symbols and would
 * break every other program on the way (a wrapper's shell, say). This file
 * needs nothing but libc, waits for a QEMU system emulator, and then takes
 * itself out of the environment, so that QEMU's own helpers never see it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MODULE_VARIABLE "TRACEDISK_MODULE"

/*
 * The answer of QEMU's own query-version; the layout follows from
 * qapi/control.json: 'VersionInfo' and 'VersionTriple'.
 */
struct version_info {
    const struct {
        int64_t major, minor, micro;
    } *qemu;
    const char *package;
};

static int is_system_emulator(void)
{
    /* qemu-img and the like have the first, too. */
    return dlsym(RTLD_DEFAULT, "register_module_init") &&
           dlsym(RTLD_DEFAULT, "qemu_init");
}

static void leave_environment(void)
{
    const char *list = getenv("LD_PRELOAD");
    char *copy, *kept, *save = NULL;
    Dl_info self;

    if (!list || !dladdr((void *)leave_environment, &self)) {
        return;
    }
    copy = strdup(list);
    kept = calloc(1, strlen(list) + 1);
    if (!copy || !kept) {
        return;
    }
    /* ld.so(8): the list's separators are colons and spaces. */
    for (char *entry = strtok_r(copy, ": ", &save); entry;
         entry = strtok_r(NULL, ": ", &save)) {
        if (strcmp(entry, self.dli_fname) != 0) {
            if (*kept) {
                strcat(kept, ":");
            }
            strcat(kept, entry);
        }
    }
    if (*kept) {
        setenv("LD_PRELOAD", kept, 1);
    } else {
        unsetenv("LD_PRELOAD");
    }
    free(kept);
    free(copy);
}

static void print_running_version(void)
{
    struct version_info *(*query)(void **) = dlsym(RTLD_DEFAULT,
                                                   "qmp_query_version");
    struct version_info *info = query ? query(NULL) : NULL;

    if (info) {
        fprintf(stderr, "  found:    QEMU %d.%d.%d (%s)\n",
                (int)info->qemu->major, (int)info->qemu->minor,
                (int)info->qemu->micro, info->package);
    }
}

static void __attribute__((constructor)) load_module(void)
{
    const char *path = getenv(MODULE_VARIABLE);
    const char *name;
    char *reason;

    if (!path || !is_system_emulator()) {
        return;
    }
    leave_environment();
    if (!dlopen(path, RTLD_NOW | RTLD_GLOBAL)) {
        reason = strdup(dlerror()); /* before the next dlsym() frees it */
        name = strrchr(path, '/');
        fprintf(stderr, "tracedisk: cannot load the device module\n"
                "  expected: the QEMU that %s was built for\n",
                name ? name + 1 : path);
        print_running_version();
        fprintf(stderr, "  because:  %s\n"
                "  to do:    build a module for this QEMU with script/build, "
                "and start it with 'tracedisk run'\n", reason);
        _exit(1);
    }
    unsetenv(MODULE_VARIABLE);
}
