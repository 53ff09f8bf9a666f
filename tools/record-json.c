/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands and records as JSON objects, one a line: design.md's keys. */
#include "record-json.h"

#include <glib.h>
#include <string.h>

#include "digits.h"
#include "record.h"

static const char *protocol_name(enum td_protocol protocol)
{
    return protocol == TD_ATA ? "ata" : "scsi";
}

/* Most of a long trace is elements: not member by member. */
static void print_elements(struct json *j, const struct td_command *c)
{
    static const char longest[] = "{\"addr\":18446744073709551615,\"len\":4294967295,"
                                  "\"observed\":true,\"uncertain\":true},";
    g_autofree char *text = g_malloc(element_count(c) * sizeof(longest) + 2);
    char *p = text;

    *p++ = '[';
    for (uint32_t i = 0; i < element_count(c); i++) {
        const struct td_element *element = &c->submit.elements[i];

        p = put_text(p, i ? ",{\"addr\":" : "{\"addr\":");
        p = put_decimal(p, element->addr);
        p = put_text(p, ",\"len\":");
        p = put_decimal(p, element->len);
        if (element->flags & TD_ELEMENT_OBSERVED)
            p = put_text(p, ",\"observed\":true");
        if (element->flags & TD_ELEMENT_UNCERTAIN)
            p = put_text(p, ",\"uncertain\":true");
        *p++ = '}';
    }
    *p++ = ']';
    json_key(j, "elements");
    json_raw(j, text, (size_t)(p - text));
}

static void print_pages(struct json *j, const struct td_command *c)
{
    json_key(j, "pages");
    json_begin_array(j);
    for (uint32_t i = 0; i < element_count(c); i++) {
        uint64_t addr = c->submit.elements[i].addr;
        uint32_t len = c->submit.elements[i].len;
        struct page_piece piece;

        for (; len; addr += piece.len, len -= piece.len) {
            piece = first_page_piece(addr, len);
            json_begin_object(j);
            json_key_uint(j, "page", piece.page);
            json_key_uint(j, "offset", piece.offset);
            json_key_uint(j, "len", piece.len);
            json_end_object(j);
        }
    }
    json_end_array(j);
}

static void print_submit(struct json *j, const struct td_command *c)
{
    const struct td_submit *submit = &c->submit;
    const struct td_decoded *decoded = &c->decoded;

    json_key_string(j, "protocol", protocol_name(submit->protocol));
    if (submit->protocol == TD_SCSI) {
        json_key_uint(j, "target", submit->port >> 16);
        json_key_uint(j, "lun", submit->port & 0xffff);
    } else {
        json_key_uint(j, "port", submit->port);
    }
    json_key_string(j, "name", decoded->name);
    json_key(j, "raw");
    json_hex(j, submit->raw, submit->raw_len);
    json_key_string(j, "op", td_op_name(decoded->op));
    if (decoded->flags & TD_HAS_LBA) {
        json_key_uint(j, "lba", decoded->lba);
        json_key_uint(j, "blocks", decoded->blocks);
    }
    json_key_uint(j, "tag", submit->tag);
    if (decoded->flags & TD_QUEUED)
        json_key_uint(j, "queued_tag", decoded->queued_tag);
    json_key_uint(j, "submit_ns", c->submit_ns);
}

static void print_digest(struct json *j, const char *key, const struct td_digest *digest)
{
    char text[40];

    if (digest->kind != TD_HASH_NONE)
        json_key_string(j, key, td_digest_text(digest, text));
}

static void print_error(struct json *j, const struct td_command *c)
{
    const struct td_complete *complete = &c->complete;
    char text[SENSE_TEXT_MAX];
    const char *sense = sense_text(complete, text);

    if (sense)
        json_key_string(j, "sense", sense);
    if (c->submit_known && c->submit.protocol == TD_SCSI)
        json_key_uint(j, "scsi_status", complete->scsi_status);
    if (complete->has_ata) {
        json_key_uint(j, "ata_status", complete->ata_status);
        json_key_uint(j, "ata_error", complete->ata_error);
    }
}

static void print_metadata(struct json *j, const struct td_complete *complete)
{
    if (!complete->n_metadata)
        return;
    json_key(j, "metadata");
    json_begin_array(j);
    for (uint32_t i = 0; i < complete->n_metadata; i++) {
        json_begin_object(j);
        json_key_string(j, "what", td_metadata_name(complete->metadata[i].kind));
        json_key_uint(j, "addr", complete->metadata[i].addr);
        json_key_uint(j, "len", complete->metadata[i].len);
        json_end_object(j);
    }
    json_end_array(j);
}

static void print_flags(struct json *j, const struct td_command *c)
{
    const char *words[COMMAND_FLAGS_MAX];
    size_t n = command_flags(c, words);

    json_key(j, "flags");
    json_begin_array(j);
    for (size_t i = 0; i < n; i++)
        json_string(j, words[i]);
    json_end_array(j);
}

void command_print_json(struct json *j, const struct input *in, const struct td_command *c,
                        bool pages, const struct origin_options *origin)
{
    const struct td_complete *complete = &c->complete;
    bool pending = complete->status == TD_PENDING;
    uint32_t id = c->submit_known ? c->submit.device : complete->device;
    const struct td_device *device = td_commands_device(in->commands, id);
    char name[DEVICE_NAME_MAX];

    json_begin_object(j);
    json_key_string(j, "type", "command");
    json_key_uint(j, "seq", c->seq);
    json_key_string(j, "device", input_device_name(in, id, name));
    if (device)
        json_key_string(j, "frontend", device->frontend);
    if (c->submit_known)
        print_submit(j, c);
    if (!pending)
        json_key_uint(j, "complete_ns", c->complete_ns);
    json_key_string(j, "status", td_status_name(complete->status));
    if (!pending) {
        json_key_uint(j, "bytes", complete->bytes);
        json_key_uint(j, "residual", complete->residual);
    }
    if (c->submit_known) {
        print_elements(j, c);
        if (pages)
            print_pages(j, c);
    }
    if (!pending) {
        print_digest(j, "hash", &complete->digest);
        if (complete->flags & TD_BUFFER_CHANGED)
            print_digest(j, "hash_after", &complete->digest_after);
        if (complete->n_parts)
            json_key_uint(j, "kept", td_kept_bytes(complete));
    }
    print_flags(j, c);
    if (!pending && complete->status != TD_GOOD)
        print_error(j, c);
    if (!pending)
        print_metadata(j, complete);
    origin_print_json(j, origin, c);
    json_end_object(j);
    json_end_document(j);
}

/* The recorder's own pairs, except where they would repeat one of our keys. */
static void print_pairs(struct json *j, const struct td_pair *pairs, size_t n_pairs,
                        const char *const *taken)
{
    for (size_t i = 0; i < n_pairs; i++) {
        if (!g_strv_contains(taken, pairs[i].key))
            json_key_string(j, pairs[i].key, pairs[i].value);
    }
}

static void print_header(struct json *j, const struct td_header *header)
{
    static const char *const taken[] = { "type", "format", "version", "seq", "time_ns", NULL };
    g_autofree char *version = g_strdup_printf("%u.%u", header->major, header->minor);

    json_key_string(j, "format", "tracedisk");
    json_key_string(j, "version", version);
    print_pairs(j, header->pairs, header->n_pairs, taken);
}

static void print_device(struct json *j, const struct td_device *device)
{
    static const char *const taken[] = { "type", "seq", "time_ns", "id", "name", "frontend",
                                         "protocol", "logical_block_size",
                                         "physical_block_size", "blocks", "hash", NULL };

    json_key_uint(j, "id", device->id);
    json_key_string(j, "name", device->name);
    json_key_string(j, "frontend", device->frontend);
    json_key_string(j, "protocol", protocol_name(device->protocol));
    json_key_uint(j, "logical_block_size", device->logical_block_size);
    json_key_uint(j, "physical_block_size", device->physical_block_size);
    json_key_uint(j, "blocks", device->blocks);
    json_key_string(j, "hash", td_hash_kind_name(device->hash));
    print_pairs(j, device->pairs, device->n_pairs, taken);
}

static void print_event(struct json *j, const struct input *in, const struct td_event *event)
{
    char name[DEVICE_NAME_MAX];

    json_key_string(j, "event", td_event_name(event->type));
    json_key_string(j, "device", input_device_name(in, event->device, name));
    if (event->has & TD_HAS_PORT)
        json_key_uint(j, "port", event->port);
    if (event->has & TD_HAS_REF)
        json_key_uint(j, "ref", event->ref);
    if (event->has & TD_HAS_ADDR)
        json_key_uint(j, "addr", event->addr);
    if (event->has & TD_HAS_LEN)
        json_key_uint(j, "len", event->len);
    if (event->has & TD_HAS_VALUE)
        json_key_uint(j, "value", event->value);
    if (event->has & TD_HAS_DATA) {
        json_key(j, "data");
        json_hex(j, event->data, event->data_len);
    }
    if (event->has & TD_HAS_TEXT)
        json_key_string(j, "text", event->text);
}

static void print_mark(struct json *j, const struct input *in, const struct td_mark *mark)
{
    char name[DEVICE_NAME_MAX];

    json_key_string(j, "name", mark->name);
    json_key_string(j, "device", input_device_name(in, mark->device, name));
}

static void print_damage(struct json *j, const struct td_damage *damage)
{
    json_key_uint(j, "offset", damage->offset);
    json_key_uint(j, "bytes", damage->bytes);
    if (damage->missing_first)
        json_key_uint(j, "missing_first", damage->missing_first);
    if (damage->missing_last)
        json_key_uint(j, "missing_last", damage->missing_last);
    json_key_string(j, "reason", damage->reason);
}

static const char *record_type(enum td_kind kind)
{
    switch (kind) {
    case TD_HEADER:
        return "header";
    case TD_DEVICE:
        return "device";
    case TD_EVENT:
        return "event";
    case TD_MARK:
        return "mark";
    case TD_LOST:
        return "lost";
    case TD_DAMAGE:
        return "damage";
    default:
        return NULL;
    }
}

void record_print_json(struct json *j, const struct input *in, const struct td_record *record)
{
    const char *type = record_type(record->kind);

    if (!type)
        return;
    json_begin_object(j);
    json_key_string(j, "type", type);
    switch (record->kind) {
    case TD_HEADER:
        print_header(j, &record->header);
        break;
    case TD_DEVICE:
        print_device(j, &record->device);
        break;
    case TD_EVENT:
        print_event(j, in, &record->event);
        break;
    case TD_MARK:
        print_mark(j, in, &record->mark);
        break;
    case TD_LOST:
        json_key_uint(j, "records", record->lost.records);
        json_key_string(j, "reason", record->lost.reason);
        break;
    default:
        print_damage(j, &record->damage);
        break;
    }
    if (record->kind != TD_DAMAGE) {
        json_key_uint(j, "seq", record->seq);
        json_key_uint(j, "time_ns", record->time_ns);
    }
    json_end_object(j);
    json_end_document(j);
}

void missing_header_print_json(struct json *j)
{
    json_begin_object(j);
    json_key_string(j, "type", "header");
    json_key_string(j, "format", "tracedisk");
    json_key(j, "missing");
    json_bool(j, true);
    json_end_object(j);
    json_end_document(j);
}
