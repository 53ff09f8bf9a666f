/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tracedisk verify: every read returned what was last written. */
#include "verify.h"

#include <string.h>

#include "disk-image.h"
#include "input.h"
#include "options.h"
#include "output.h"
#include "tool.h"
#include "verify-bytes.h"

#define DEFAULT_LIMIT 10
#define DEFAULT_BLOCK_SIZE 512

struct device {
    char *name;
    uint32_t block_size;
};

struct verify {
    uint64_t limit;
    const char *only; /* the device to look at; NULL: all */
    struct disk_image *image;
    struct oracle *oracle;
    GHashTable *devices; /* id -> struct device */
    bool failed;         /* said */
    struct verify_result result;
};

/* ---- Devices ---- */

static void device_free(void *data)
{
    struct device *device = data;

    g_free(device->name);
    g_free(device);
}

static struct device *device_of(struct verify *v, uint32_t id)
{
    struct device *device = g_hash_table_lookup(v->devices, GUINT_TO_POINTER(id));

    if (!device) {
        device = g_new0(struct device, 1);
        device->name = g_strdup_printf("#%u", id);
        device->block_size = DEFAULT_BLOCK_SIZE;
        g_hash_table_insert(v->devices, GUINT_TO_POINTER(id), device);
    }
    return device;
}

static void introduce(struct verify *v, const struct td_device *d)
{
    struct device *device = device_of(v, d->id);

    g_free(device->name);
    device->name = printable(d->name);
    device->block_size = d->logical_block_size ? d->logical_block_size : DEFAULT_BLOCK_SIZE;
    if (v->image && !v->only && g_hash_table_size(v->devices) > 1) {
        say("the trace has several devices; use --device to name the one of the image");
        v->failed = true;
    }
}

static bool is_wanted(struct verify *v, uint32_t id)
{
    return !v->only || strcmp(device_of(v, id)->name, v->only) == 0;
}

static bool has_device(struct verify *v, const char *name)
{
    GHashTableIter iter;
    gpointer device;

    g_hash_table_iter_init(&iter, v->devices);
    while (g_hash_table_iter_next(&iter, NULL, &device)) {
        if (strcmp(((struct device *)device)->name, name) == 0)
            return true;
    }
    return false;
}

/* ---- Verdicts ---- */

static gpointer copy_version(gconstpointer version, gpointer data)
{
    struct version *copy = g_memdup2(version, sizeof(struct version));

    (void)data;
    copy->sectors = NULL;
    return copy;
}

static void mismatch_free(void *data)
{
    struct mismatch *m = data;

    g_ptr_array_unref((GPtrArray *)m->read.legal);
    g_array_unref(m->differences);
    g_free(m);
}

static void judged(void *data, const struct oracle_result *read)
{
    struct verify *v = data;
    struct mismatch *m;
    GPtrArray *legal;

    if (!is_wanted(v, read->device))
        return;
    v->result.counts[read->verdict]++;
    if (read->verdict != VERDICT_MISMATCH || (v->limit && v->result.mismatches->len >= v->limit))
        return;
    m = g_new0(struct mismatch, 1);
    m->read = *read;
    if (read->sector)
        m->read.sector = memcpy(m->sector, read->sector, TD_SECTOR_HASH);
    legal = g_ptr_array_copy((GPtrArray *)read->legal, copy_version, NULL);
    g_ptr_array_set_free_func(legal, g_free);
    m->read.legal = legal;
    m->differences = g_array_new(FALSE, TRUE, sizeof(struct difference));
    g_array_set_size(m->differences, legal->len);
    m->device = device_of(v, read->device)->name;
    g_ptr_array_add(v->result.mismatches, m);
}

static bool initial_hash(void *data, uint32_t device, uint64_t lba, uint64_t blocks,
                         uint32_t block_size, struct td_digest *digest,
                         uint8_t sector[TD_SECTOR_HASH])
{
    struct verify *v = data;
    bool good;

    if (!is_wanted(v, device))
        return false;
    if (digest)
        good =
            disk_image_hash(v->image, lba * block_size, blocks * block_size, digest->kind, digest);
    else
        good = disk_image_hash_block(v->image, lba * block_size, block_size, sector);
    v->failed |= !good;
    return good;
}

static void see_record(struct verify *v, const struct td_record *record)
{
    switch (record->kind) {
    case TD_DEVICE:
        introduce(v, &record->device);
        break;
    case TD_SUBMIT:
        oracle_submit(v->oracle, record->seq, &record->submit,
                      device_of(v, record->submit.device)->block_size);
        break;
    case TD_COMPLETE:
        oracle_complete(v->oracle, record->seq, record->time_ns, &record->complete);
        break;
    case TD_EVENT:
        if (record->event.type == TD_EVENT_LOADVM || record->event.type == TD_EVENT_RECORDING)
            oracle_gap(v->oracle);
        else if (record->event.type == TD_EVENT_TRIM)
            oracle_trim(v->oracle, record->seq, &record->event);
        break;
    case TD_LOST:
    case TD_DAMAGE:
        oracle_gap(v->oracle);
        break;
    default:
        break;
    }
}

/* ---- What is known of the bytes of mismatches: another look at the trace ---- */

/* What to look for, by its first TD_SECTOR_HASH bytes: key -> GPtrArray of mismatches. */
static GHashTable *wanted_bytes(struct verify *v)
{
    GHashTable *wanted = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free,
                                               (GDestroyNotify)g_ptr_array_unref);

    for (guint i = 0; i < v->result.mismatches->len; i++) {
        struct mismatch *m = g_ptr_array_index(v->result.mismatches, i);
        gint64 key;
        GPtrArray *list;

        memcpy(&key, m->read.sector ? m->sector : m->read.digest.bytes, sizeof(key));
        list = g_hash_table_lookup(wanted, &key);
        if (!list) {
            list = g_ptr_array_new();
            g_hash_table_insert(wanted, g_memdup2(&key, sizeof(key)), list);
        }
        g_ptr_array_add(list, m);
    }
    return wanted;
}

/* A command, or a block of it, moved what these are to look for. */
static void see_bytes(struct verify *v, GHashTable *wanted, const struct td_command *c,
                      const uint8_t *bytes, bool one_block, const struct sighting *here)
{
    const GPtrArray *list;
    gint64 key;

    memcpy(&key, bytes, sizeof(key));
    list = g_hash_table_lookup(wanted, &key);
    for (guint i = 0; list && i < list->len; i++) {
        struct mismatch *m = g_ptr_array_index(list, i);
        struct sighting *s = c->decoded.op == TD_OP_WRITE ? &m->written : &m->returned;

        if (c->complete_seq >= m->read.complete_seq || one_block != !!m->read.sector ||
            (!one_block && !td_digest_equal(&c->complete.digest, &m->read.digest)))
            continue;
        *s = *here;
        s->device = device_of(v, c->submit.device)->name;
    }
}

static void see_command(struct verify *v, GHashTable *wanted, const struct td_command *c)
{
    struct sighting here = { c->seq, c->decoded.lba, c->decoded.blocks, NULL, c->decoded.name };

    if ((c->decoded.op != TD_OP_READ && c->decoded.op != TD_OP_WRITE) ||
        !(c->decoded.flags & TD_HAS_LBA) || c->complete.status != TD_GOOD)
        return;
    if (c->complete.digest.kind != TD_HASH_NONE)
        see_bytes(v, wanted, c, c->complete.digest.bytes, false, &here);
    here.blocks = 1;
    for (uint32_t i = 0; i < c->complete.n_sectors; i++) {
        here.lba = c->decoded.lba + i % MAX(c->decoded.blocks, 1);
        see_bytes(v, wanted, c, c->complete.sectors + (size_t)i * TD_SECTOR_HASH, true, &here);
    }
}

static void see_commands(struct verify *v, struct td_reader *reader, struct kept_bytes *kept)
{
    GHashTable *wanted = wanted_bytes(v);
    struct td_commands *commands;
    struct td_item item;

    if (td_commands_open(reader, &commands) == 0) {
        td_commands_skip_elements(commands);
        while (td_commands_next(commands, false, &item) > 0) {
            if (item.kind == TD_ITEM_COMMAND) {
                see_command(v, wanted, item.command);
                kept_bytes_see(kept, item.command);
            }
        }
        td_commands_close(commands);
    }
    g_hash_table_unref(wanted);
}

static void look_at_bytes(struct verify *v, const char *path)
{
    GPtrArray *mismatches = v->result.mismatches;
    struct td_reader *reader;
    struct kept_bytes *kept;

    if (!mismatches->len || td_reader_open(path, &reader, NULL) < 0)
        return;
    kept = kept_bytes_new(mismatches);
    see_commands(v, reader, kept);
    for (guint i = 0; i < mismatches->len; i++) {
        struct mismatch *m = g_ptr_array_index(mismatches, i);

        kept_bytes_compare(kept, reader, m, device_of(v, m->read.device)->block_size);
    }
    kept_bytes_free(kept);
    td_reader_close(reader);
}

/* ---- Work ---- */

static int verify_trace(struct verify *v, const char *path, bool json)
{
    struct td_record record;
    struct input in;
    int status, reading;

    if (!input_open(&in, path))
        return EXIT_TROUBLE;
    output_open();
    v->oracle = oracle_new(judged, v->image ? initial_hash : NULL, v);
    while (!v->failed && input_next_record(&in, &record))
        see_record(v, &record);
    oracle_end(v->oracle);
    if (!v->failed && v->only && !has_device(v, v->only)) {
        say("the trace has no device '%s'", v->only);
        v->failed = true;
    }
    if (!v->failed) {
        look_at_bytes(v, path);
        (json ? verify_print_json : verify_print_text)(&v->result);
    }
    status = v->failed                          ? EXIT_TROUBLE :
             v->result.counts[VERDICT_MISMATCH] ? EXIT_FINDINGS :
                                                  EXIT_FINE;
    oracle_free(v->oracle);
    output_flush();
    reading = input_close(&in);
    return output_close(MAX(status, reading));
}

static gboolean option_limit(const gchar *name, const gchar *value, gpointer data, GError **error)
{
    struct verify *v = data;

    (void)name;
    if (parse_number(value, &v->limit))
        return TRUE;
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                "--limit %s: a number is needed, 0 for all", value);
    return FALSE;
}

int verify_main(int argc, char **argv)
{
    struct verify v = { .limit = DEFAULT_LIMIT };
    g_autofree char *image = NULL, *device = NULL;
    gboolean json = FALSE;
    int status;
    const GOptionEntry options[] = {
        { "image", 0, 0, G_OPTION_ARG_FILENAME, &image,
          "a raw copy of the disk as it was when the trace began", "FILE" },
        { "device", 0, 0, G_OPTION_ARG_STRING, &device, "look at this device only", "NAME" },
        { "limit", 0, 0, G_OPTION_ARG_CALLBACK, option_limit, "mismatches shown (10; 0: all)",
          "N" },
        { "json", 0, 0, G_OPTION_ARG_NONE, &json,
          "print one JSON object a line: the mismatches, then a summary", NULL },
        G_OPTION_ENTRY_NULL,
    };
    const struct command_line line = {
        .arguments = "TRACE",
        .summary = "Check that each read returned what was last written to its blocks, by the "
                   "hashes in the trace.",
        .description = "Exit status: 0 fine, 1 a read returned something else or something of "
                       "the trace is missing, 2 trouble.",
        .entries = options,
        .data = &v,
        .operands = 1,
    };

    if (!command_line_parse(&line, &argc, &argv))
        return EXIT_TROUBLE;
    if (image && !(v.image = disk_image_open(image)))
        return EXIT_TROUBLE;
    v.only = device;
    v.result.has_image = v.image;
    v.devices = g_hash_table_new_full(NULL, NULL, NULL, device_free);
    v.result.mismatches = g_ptr_array_new_with_free_func(mismatch_free);
    status = verify_trace(&v, argv[1], json);
    g_ptr_array_unref(v.result.mismatches);
    g_hash_table_unref(v.devices);
    disk_image_close(v.image);
    return status;
}
