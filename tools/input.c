/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A trace being read by a subcommand. */
#include "input.h"

#include <glib/gstdio.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

/* Damaged places said one by one; the rest are only summed up. */
#define DAMAGE_NOTES 8

#define PROGRESS_AFTER_US 1000000
#define PROGRESS_EVERY_US 200000

bool input_open(struct input *in, const char *path)
{
    struct td_error error = { "" };
    int ret;

    *in = (struct input){ .path = path };
    ret = td_reader_open(path, &in->reader, &error);
    if (ret < 0) {
        say("%s", error.text[0] ? error.text : g_strerror(-ret));
        return false;
    }
    in->show_progress = isatty(STDERR_FILENO) && !isatty(STDOUT_FILENO);
    in->start_us = g_get_monotonic_time();
    return true;
}

static void clear_progress(struct input *in)
{
    if (in->progress_shown)
        fputs("\r\033[K", stderr);
    in->progress_shown = false;
}

static void show_progress(struct input *in)
{
    int64_t now = g_get_monotonic_time();
    uint64_t done, total;

    if (now - in->start_us < PROGRESS_AFTER_US || now - in->shown_us < PROGRESS_EVERY_US)
        return;
    td_reader_progress(in->reader, &done, &total);
    fprintf(stderr, "\r%s: reading %s: %3.0f %%", g_get_prgname(), in->path,
            total ? 100.0 * (double)done / (double)total : 0.0);
    in->shown_us = now;
    in->progress_shown = true;
}

const char *damage_text(const struct td_damage *d, char buf[DAMAGE_TEXT_MAX])
{
    char bytes[80] = "", missing[96] = "";

    if (d->bytes)
        g_snprintf(bytes, sizeof(bytes), "%" PRIu64 " bytes at offset %" PRIu64 ": ", d->bytes,
                   d->offset);
    if (d->missing_last)
        g_snprintf(missing, sizeof(missing), " (of records %" PRIu64 " to %" PRIu64 ")",
                   d->missing_first, d->missing_last);
    else if (d->missing_first)
        g_snprintf(missing, sizeof(missing), " (of records %" PRIu64 " and later)",
                   d->missing_first);
    g_snprintf(buf, DAMAGE_TEXT_MAX, "%s%s%s", bytes, d->reason ? d->reason : "unusable",
               missing);
    return buf;
}

static void note_damage(struct input *in, const struct td_damage *d)
{
    char text[DAMAGE_TEXT_MAX];

    in->damaged_bytes += d->bytes;
    if (in->damaged_places++ >= DAMAGE_NOTES)
        return;
    clear_progress(in);
    damage_text(d, text);
    say("%s: damaged: %s", in->path, text);
}

static void note_record(struct input *in, const struct td_record *record)
{
    if (record->kind == TD_DAMAGE) {
        note_damage(in, &record->damage);
    } else if (record->kind == TD_LOST) {
        in->lost_records += record->lost.records;
        clear_progress(in);
        say("%s: the recorder lost %" PRIu64 " records before record %" PRIu64 ": %s",
            in->path, record->lost.records, record->seq, record->lost.reason);
    }
}

static void note_failure(struct input *in, const char *what)
{
    clear_progress(in);
    say("%s: reading stopped: %s", in->path, what);
    in->failed = true;
}

/* What every step does after the reader's answer; true when there is something. */
static bool after_step(struct input *in, int ret)
{
    if (ret < 0) {
        const char *error = td_reader_error(in->reader);

        note_failure(in, error && error[0] ? error : g_strerror(-ret));
        return false;
    }
    if (in->show_progress && (++in->steps & 1023) == 0)
        show_progress(in);
    return ret > 0;
}

void input_seek(struct input *in, uint64_t from, uint64_t until)
{
    after_step(in, td_reader_seek(in->reader, from, until));
}

bool input_next_record(struct input *in, struct td_record *record)
{
    if (!after_step(in, td_reader_next(in->reader, record)))
        return false;
    note_record(in, record);
    return true;
}

bool input_next_item(struct input *in, bool follow, struct td_item *item)
{
    if (in->failed)
        return false;
    if (!in->commands) {
        int ret = td_commands_open(in->reader, &in->commands);

        if (ret < 0) {
            note_failure(in, g_strerror(-ret));
            return false;
        }
        if (in->keep_stacks)
            td_commands_keep_stacks(in->commands);
    }
    if (!after_step(in, td_commands_next(in->commands, follow, item)))
        return false;
    if (item->kind == TD_ITEM_RECORD)
        note_record(in, item->record);
    return true;
}

bool input_is_file(const char *trace, const char *path)
{
    GStatBuf a, b;

    return g_stat(trace, &a) == 0 && g_stat(path, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

int input_close(struct input *in)
{
    int status = EXIT_FINE;

    clear_progress(in);
    if (in->damaged_places > DAMAGE_NOTES)
        say("%s: damaged in %" PRIu64 " places, %" PRIu64 " bytes in all", in->path,
            in->damaged_places, in->damaged_bytes);
    if (in->damaged_places || in->lost_records)
        status = EXIT_FINDINGS;
    if (in->failed)
        status = EXIT_TROUBLE;
    td_commands_close(in->commands);
    td_reader_close(in->reader);
    return status;
}

const char *input_device_name(const struct input *in, uint32_t id, char buf[DEVICE_NAME_MAX])
{
    const struct td_device *device =
        in->commands ? td_commands_device(in->commands, id) : NULL;

    if (device && device->name[0])
        return device->name;
    snprintf(buf, DEVICE_NAME_MAX, "#%" PRIu32, id);
    return buf;
}

uint32_t input_block_size(const struct input *in, uint32_t id)
{
    const struct td_device *device =
        in->commands ? td_commands_device(in->commands, id) : NULL;

    return device && device->logical_block_size ? device->logical_block_size : 512;
}
