/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk export --to sqlite: tables, indexes, and views for the usual
 * questions. docs/sqlite.md has queries to start from.
 */
#include <errno.h>
#include <glib.h>
#include <glib/gstdio.h>
#include <sqlite3.h>
#include <unistd.h>

#include "export-sqlite-schema.h"
#include "export.h"
#include "output.h"
#include "record.h"
#include "tool.h"

enum table { TRACE, DEVICE, COMMAND, ELEMENT, METADATA, EVENT, MARK, MISSING, N_TABLES };

static const char *const inserts[N_TABLES] = {
    [TRACE] = "INSERT OR REPLACE INTO trace VALUES (?,?)",
    [DEVICE] = "INSERT OR REPLACE INTO device VALUES (?,?,?,?,?,?,?,?)",
    [COMMAND] = "INSERT INTO command VALUES "
                "(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
    [ELEMENT] = "INSERT INTO element VALUES (?,?,?,?,?,?)",
    [METADATA] = "INSERT INTO metadata VALUES (?,?,?,?)",
    [EVENT] = "INSERT INTO event VALUES (?,?,?,?,?,?,?,?,?,?,?)",
    [MARK] = "INSERT INTO mark VALUES (?,?,?,?)",
    [MISSING] = "INSERT INTO missing VALUES (?,?,?,?,?)",
};

struct database {
    sqlite3 *db;
    sqlite3_stmt *insert[N_TABLES];
    const char *path;
    char *unfinished; /* the file until it is complete */
};

static bool failed(struct database *d)
{
    say("cannot write '%s': %s", d->path, sqlite3_errmsg(d->db));
    return false;
}

static bool execute(struct database *d, const char *sql)
{
    return sqlite3_exec(d->db, sql, NULL, NULL, NULL) == SQLITE_OK || failed(d);
}

static void discard(struct database *d)
{
    for (int i = 0; i < N_TABLES; i++)
        sqlite3_finalize(d->insert[i]);
    sqlite3_close(d->db);
    if (d->unfinished)
        g_unlink(d->unfinished);
    g_free(d->unfinished);
    g_free(d);
}

/* A result that is not complete is of no use: no journal, no waiting. */
static bool prepare(struct database *d)
{
    int fd = output_open_unfinished(d->path, &d->unfinished);

    if (fd < 0)
        return false;
    close(fd);
    if (sqlite3_open(d->unfinished, &d->db) != SQLITE_OK)
        return failed(d);
    if (!execute(d, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;") ||
        !execute(d, export_sqlite_tables) || !execute(d, "BEGIN"))
        return false;
    for (int i = 0; i < N_TABLES; i++) {
        if (sqlite3_prepare_v2(d->db, inserts[i], -1, &d->insert[i], NULL) != SQLITE_OK)
            return failed(d);
    }
    return true;
}

static void *begin(const char *path)
{
    struct database *d = g_new0(struct database, 1);

    d->path = path;
    if (prepare(d))
        return d;
    discard(d);
    return NULL;
}

/* ---- A row: values in the order of the table's columns; unset is NULL. ---- */

struct row {
    struct database *d;
    sqlite3_stmt *insert;
    int column;
};

static struct row row_begin(struct database *d, enum table table)
{
    sqlite3_clear_bindings(d->insert[table]);
    return (struct row){ d, d->insert[table], 0 };
}

static void skip(struct row *row)
{
    row->column++;
}

/* SQLite's integers are signed: what is over 2^63 - 1 comes out negative. */
static void integer(struct row *row, uint64_t value)
{
    sqlite3_bind_int64(row->insert, ++row->column, (sqlite3_int64)value);
}

static void integer_if(struct row *row, bool known, uint64_t value)
{
    if (known)
        integer(row, value);
    else
        skip(row);
}

/* value lives until row_end(). */
static void text(struct row *row, const char *value)
{
    sqlite3_bind_text(row->insert, ++row->column, value, -1, SQLITE_STATIC);
}

static void blob(struct row *row, const uint8_t *bytes, uint32_t len)
{
    sqlite3_bind_blob(row->insert, ++row->column, bytes, (int)len, SQLITE_STATIC);
}

static bool row_end(struct row *row)
{
    int result = sqlite3_step(row->insert);

    sqlite3_reset(row->insert);
    return result == SQLITE_DONE || failed(row->d);
}

/* ---- Commands ---- */

static bool put_elements(struct database *d, const struct td_command *c)
{
    for (uint32_t i = 0; i < element_count(c); i++) {
        const struct td_element *element = &c->submit.elements[i];
        struct row row = row_begin(d, ELEMENT);

        integer(&row, c->seq);
        integer(&row, i);
        integer(&row, element->addr);
        integer(&row, element->len);
        integer(&row, !!(element->flags & TD_ELEMENT_OBSERVED));
        integer(&row, !!(element->flags & TD_ELEMENT_UNCERTAIN));
        if (!row_end(&row))
            return false;
    }
    return true;
}

static bool put_metadata(struct database *d, const struct td_command *c)
{
    uint32_t n = c->complete.status == TD_PENDING ? 0 : c->complete.n_metadata;

    for (uint32_t i = 0; i < n; i++) {
        const struct td_metadata *metadata = &c->complete.metadata[i];
        struct row row = row_begin(d, METADATA);

        integer(&row, c->seq);
        text(&row, td_metadata_name(metadata->kind));
        integer(&row, metadata->addr);
        integer(&row, metadata->len);
        if (!row_end(&row))
            return false;
    }
    return true;
}

static void submission(struct row *row, const struct td_command *c)
{
    bool known = c->submit_known, has_lba = known && c->decoded.flags & TD_HAS_LBA;

    text(row, known ? c->decoded.name : NULL);
    text(row, known ? td_op_name(c->decoded.op) : NULL);
    text(row, known ? direction_name(command_direction(c)) : NULL);
    integer_if(row, has_lba, c->decoded.lba);
    integer_if(row, has_lba, c->decoded.blocks);
    integer_if(row, known, c->submit.port);
    integer_if(row, known, c->submit.tag);
    integer_if(row, known, c->submit_ns);
}

static bool put_command(struct database *d, const struct td_command *c)
{
    const struct td_complete *complete = &c->complete;
    bool done = complete->status != TD_PENDING;
    bool hashed = done && complete->digest.kind != TD_HASH_NONE;
    struct row row = row_begin(d, COMMAND);
    const char *words[COMMAND_FLAGS_MAX + 1] = { NULL };
    char digest[40], sense[SENSE_TEXT_MAX];
    g_autofree char *flags = NULL;

    command_flags(c, words);
    flags = g_strjoinv(" ", (char **)words);
    integer(&row, c->seq);
    integer(&row, command_device(c));
    submission(&row, c);
    integer_if(&row, done, c->complete_ns);
    text(&row, td_status_name(complete->status));
    integer_if(&row, done, complete->bytes);
    integer_if(&row, done, complete->residual);
    integer_if(&row, c->submit_known, c->in_flight);
    text(&row, hashed ? td_digest_text(&complete->digest, digest) : NULL);
    text(&row, flags);
    text(&row, done ? sense_text(complete, sense) : NULL);
    integer_if(&row, done && complete->has_ata, complete->ata_status);
    integer_if(&row, done && complete->has_ata, complete->ata_error);
    if (c->submit_known)
        blob(&row, c->submit.raw, c->submit.raw_len);
    return row_end(&row) && put_elements(d, c) && put_metadata(d, c);
}

/* ---- Other records ---- */

static bool put_pair(struct database *d, const char *key, const char *value)
{
    struct row row = row_begin(d, TRACE);

    text(&row, key);
    text(&row, value);
    return row_end(&row);
}

static bool put_header(struct database *d, const struct td_header *header)
{
    g_autofree char *version = g_strdup_printf("%u.%u", header->major, header->minor);

    for (size_t i = 0; i < header->n_pairs; i++) {
        if (!put_pair(d, header->pairs[i].key, header->pairs[i].value))
            return false;
    }
    return put_pair(d, "format", version);
}

static bool put_device(struct database *d, const struct td_device *device)
{
    struct row row = row_begin(d, DEVICE);

    integer(&row, device->id);
    text(&row, device->name);
    text(&row, device->frontend);
    text(&row, device->protocol == TD_ATA ? "ata" : "scsi");
    integer(&row, device->logical_block_size);
    integer(&row, device->physical_block_size);
    integer(&row, device->blocks);
    text(&row, td_hash_kind_name(device->hash));
    return row_end(&row);
}

static bool put_event(struct database *d, const struct td_record *record)
{
    const struct td_event *event = &record->event;
    struct row row = row_begin(d, EVENT);

    integer(&row, record->seq);
    integer(&row, record->time_ns);
    integer(&row, event->device);
    text(&row, td_event_name(event->type));
    integer_if(&row, event->has & TD_HAS_PORT, event->port);
    integer_if(&row, event->has & TD_HAS_REF, event->ref);
    integer_if(&row, event->has & TD_HAS_ADDR, event->addr);
    integer_if(&row, event->has & TD_HAS_LEN, event->len);
    integer_if(&row, event->has & TD_HAS_VALUE, event->value);
    if (event->has & TD_HAS_DATA)
        blob(&row, event->data, event->data_len);
    else
        skip(&row);
    text(&row, event->has & TD_HAS_TEXT ? event->text : NULL);
    return row_end(&row);
}

static bool put_mark(struct database *d, const struct td_record *record)
{
    struct row row = row_begin(d, MARK);

    integer(&row, record->seq);
    integer(&row, record->time_ns);
    integer(&row, record->mark.device);
    text(&row, record->mark.name);
    return row_end(&row);
}

static bool put_lost(struct database *d, const struct td_lost *lost)
{
    struct row row = row_begin(d, MISSING);

    text(&row, "lost");
    integer(&row, lost->records);
    skip(&row);
    skip(&row);
    text(&row, lost->reason);
    return row_end(&row);
}

static bool put_damage(struct database *d, const struct td_damage *damage)
{
    struct row row = row_begin(d, MISSING);

    text(&row, "damage");
    skip(&row);
    integer(&row, damage->offset);
    integer(&row, damage->bytes);
    text(&row, damage->reason);
    return row_end(&row);
}

static bool item(void *state, const struct input *in, const struct td_item *item)
{
    (void)in;
    if (item->kind == TD_ITEM_COMMAND)
        return put_command(state, item->command);
    switch (item->record->kind) {
    case TD_HEADER:
        return put_header(state, &item->record->header);
    case TD_DEVICE:
        return put_device(state, &item->record->device);
    case TD_EVENT:
        return put_event(state, item->record);
    case TD_MARK:
        return put_mark(state, item->record);
    case TD_LOST:
        return put_lost(state, &item->record->lost);
    case TD_DAMAGE:
        return put_damage(state, &item->record->damage);
    default:
        return true;
    }
}

static bool end(void *state, bool complete)
{
    struct database *d = state;
    bool good = complete && execute(d, "COMMIT") && execute(d, export_sqlite_indexes);

    if (good && g_rename(d->unfinished, d->path) != 0) {
        say("cannot make '%s': %s", d->path, g_strerror(errno));
        good = false;
    }
    discard(d);
    return good;
}

const struct export_format export_sqlite = { "sqlite", begin, item, end, true };
