/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * After QEMU was killed: is every command that the guest saw complete in the
 * trace as completed?
 *
 *   check-seen TRACE RAM COUNT LBAS
 *
 * RAM is a file with the guest's memory. At address COUNT lies the number of
 * commands that guest-tests/bare-metal saw complete, at LBAS a ring of their
 * LBAs. Prints what is missing; exit status 1 when something is.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libtracedisk/tracedisk.h"

#define RING 65536u /* LOAD_SEEN of guest-tests/bare-metal/load.c */
#define SHOWN 5

static void die(const char *what, const char *why)
{
    fprintf(stderr, "check-seen: %s: %s\n", what, why);
    exit(2);
}

static void read_ram(int fd, uint64_t at, void *to, size_t bytes)
{
    if (pread(fd, to, bytes, (off_t)at) != (ssize_t)bytes) {
        die("guest memory", errno ? strerror(errno) : "too short");
    }
}

/* What the trace says: how often each LBA was transferred well. */
struct told {
    GHashTable *times;
    uint64_t good, pending, other; /* other: the firmware tries some commands */
};

static void tell(struct told *t, const struct td_command *c)
{
    gpointer lba = GSIZE_TO_POINTER(c->decoded.lba), n;

    if (c->complete.status == TD_PENDING) {
        t->pending++;
    } else if (c->complete.status != TD_GOOD) {
        t->other++;
    } else if (c->decoded.flags & TD_HAS_LBA) {
        t->good++;
        n = g_hash_table_lookup(t->times, lba);
        g_hash_table_insert(t->times, lba, GSIZE_TO_POINTER(GPOINTER_TO_SIZE(n) + 1));
    }
}

static void read_trace(const char *path, struct told *t)
{
    struct td_error error = { "" };
    struct td_reader *reader;
    struct td_commands *commands;
    struct td_item item;
    int ret;

    if (td_reader_open(path, &reader, &error) < 0) {
        die(path, error.text);
    }
    if (td_commands_open(reader, &commands) < 0) {
        die(path, "no memory");
    }
    td_commands_skip_elements(commands);
    while ((ret = td_commands_next(commands, false, &item)) > 0) {
        if (item.kind == TD_ITEM_COMMAND) {
            tell(t, item.command);
        } else if (item.record->kind == TD_LOST) {
            die(path, "records were lost, and the disk was not full");
        }
    }
    if (ret < 0) {
        die(path, td_reader_error(reader));
    }
    td_commands_close(commands);
    td_reader_close(reader);
}

int main(int argc, char **argv)
{
    struct told told = { g_hash_table_new(NULL, NULL), 0, 0, 0 };
    static uint64_t lbas[RING];
    uint64_t count, known, missing = 0;
    int fd;

    if (argc != 5) {
        die("usage", "check-seen TRACE RAM COUNT LBAS");
    }
    fd = open(argv[2], O_RDONLY);
    if (fd < 0) {
        die(argv[2], strerror(errno));
    }
    read_ram(fd, g_ascii_strtoull(argv[3], NULL, 16), &count, sizeof(count));
    read_ram(fd, g_ascii_strtoull(argv[4], NULL, 16), lbas, sizeof(lbas));
    close(fd);
    read_trace(argv[1], &told);

    known = MIN(count, RING);
    for (uint64_t i = count - known; i < count; i++) {
        gpointer lba = GSIZE_TO_POINTER(lbas[i % RING]);
        size_t times = GPOINTER_TO_SIZE(g_hash_table_lookup(told.times, lba));

        if (times) {
            g_hash_table_insert(told.times, lba, GSIZE_TO_POINTER(times - 1));
        } else if (missing++ < SHOWN) {
            printf("the guest saw command %" G_GUINT64_FORMAT " (LBA %zu) complete; "
                   "the trace does not have it\n", i, GPOINTER_TO_SIZE(lba));
        }
    }
    printf("seen %" G_GUINT64_FORMAT ", of which missing %" G_GUINT64_FORMAT
           "; in the trace %" G_GUINT64_FORMAT " good, %" G_GUINT64_FORMAT
           " pending, %" G_GUINT64_FORMAT " other\n",
           count, missing, told.good, told.pending, told.other);
    g_hash_table_destroy(told.times);
    return missing || count > told.good ? 1 : 0;
}
