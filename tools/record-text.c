/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Commands and records as lines that a person reads. */
#include "record-text.h"

#include <glib.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "output.h"
#include "record.h"

/* Digits of a 128-bit hash that a line shows; --elements shows all. */
#define SHORT_HASH 16

const char *time_text(uint64_t ns, char buf[TIME_TEXT_MAX])
{
    g_snprintf(buf, TIME_TEXT_MAX, "%5" PRIu64 ".%09" PRIu64, ns / 1000000000, ns % 1000000000);
    return buf;
}

void titles_print_text(void)
{
    printf("%s# %13s  %-4s %8s  %-20s %-18s %9s %3s  %-18s %-7s %8s  %s%s\n", colour(COLOUR_DIM),
           "time", "dev", "seq", "command", "lba+blocks", "bytes", "tag", "elements", "status",
           "latency", "payload", colour(COLOUR_NONE));
}

void line_start_print_text(uint64_t ns, const char *device, uint64_t seq)
{
    char time[TIME_TEXT_MAX], number[24];

    g_snprintf(number, sizeof(number), "#%" PRIu64, seq);
    printf("%15s  %-4s %8s  ", time_text(ns, time), device, number);
}

static void print_what(const struct td_command *c)
{
    char lba[48] = "-";

    if (!c->submit_known) {
        printf("%s%-20s%s %-18s ", colour(COLOUR_RED), "(submit missing)", colour(COLOUR_NONE),
               "-");
        return;
    }
    if (c->decoded.flags & TD_HAS_LBA)
        g_snprintf(lba, sizeof(lba), "%" PRIu64 "+%" PRIu64, c->decoded.lba, c->decoded.blocks);
    printf("%-20s %-18s ", c->decoded.name, lba);
}

static void print_how(const struct td_command *c)
{
    const struct td_submit *submit = &c->submit;
    char bytes[24] = "-", tag[24] = "-", elements[48] = "-", latency[HUMAN_MAX] = "-";
    bool pending = c->complete.status == TD_PENDING;

    if (!pending)
        g_snprintf(bytes, sizeof(bytes), "%" PRIu64, c->complete.bytes);
    if (c->submit_known) {
        g_snprintf(tag, sizeof(tag), "%" PRIu64, submit->tag);
        if (element_count(c))
            g_snprintf(elements, sizeof(elements), "%" PRIu32 " @ 0x%" PRIx64,
                       submit->n_elements, submit->elements[0].addr);
        if (!pending)
            human_time(c->complete_ns - c->submit_ns, latency);
    }
    printf("%9s %3s  %-18s %s%-7s%s %8s", bytes, tag, elements,
           colour(c->complete.status == TD_GOOD ? COLOUR_NONE : COLOUR_RED),
           td_status_name(c->complete.status), colour(COLOUR_NONE), latency);
}

void digest_print_text(const struct td_digest *digest, bool whole)
{
    char text[40];

    if (digest->kind == TD_HASH_NONE)
        return;
    td_digest_text(digest, text);
    if (whole || digest->kind != TD_HASH_XXH3)
        printf("  %s", text);
    else
        printf("  %.*s", (int)strlen("xxh3:") + SHORT_HASH, text);
}

static void print_notes(const struct td_command *c, bool whole)
{
    const struct td_complete *complete = &c->complete;
    const char *words[COMMAND_FLAGS_MAX];
    size_t n = command_flags(c, words);
    char text[SENSE_TEXT_MAX];

    if (complete->status != TD_PENDING) {
        digest_print_text(&complete->digest, whole);
        if (complete->flags & TD_BUFFER_CHANGED) {
            fputs("  then", stdout);
            digest_print_text(&complete->digest_after, whole);
        }
    }
    for (size_t i = 0; i < n; i++)
        printf("  %s", words[i]);
    if (c->submit_known && (c->decoded.flags & TD_QUEUED) &&
        c->decoded.queued_tag != c->submit.tag)
        printf("  queued-tag=%" PRIu32, c->decoded.queued_tag);
    if (complete->status == TD_PENDING)
        return;
    if (complete->residual)
        printf("  residual=%" PRIu64, complete->residual);
    if (complete->status == TD_GOOD)
        return;
    if (sense_text(complete, text))
        printf("  sense=%s", text);
    if (complete->scsi_status)
        printf("  scsi-status=0x%02x", complete->scsi_status);
    if (complete->has_ata)
        printf("  ata=%02x/%02x", complete->ata_status, complete->ata_error);
}

static void print_pages(const struct td_element *element)
{
    uint64_t addr = element->addr;
    uint32_t len = element->len;
    struct page_piece piece;

    for (; len; addr += piece.len, len -= piece.len) {
        piece = first_page_piece(addr, len);
        printf("%34s    page 0x%" PRIx64 " +0x%03" PRIx32 " %" PRIu32 "\n", "", piece.page,
               piece.offset, piece.len);
    }
}

static void print_elements(const struct text_options *options, const struct td_command *c)
{
    const struct td_complete *complete = &c->complete;

    for (uint32_t i = 0; i < element_count(c); i++) {
        const struct td_element *element = &c->submit.elements[i];

        if (options->elements)
            printf("%34s  [%" PRIu32 "] 0x%" PRIx64 " + %" PRIu32 "%s%s\n", "", i, element->addr,
                   element->len, element->flags & TD_ELEMENT_OBSERVED ? "  observed" : "",
                   element->flags & TD_ELEMENT_UNCERTAIN ? "  uncertain" : "");
        if (options->pages)
            print_pages(element);
    }
    if (!options->elements || complete->status == TD_PENDING)
        return;
    for (uint32_t i = 0; i < complete->n_metadata; i++)
        printf("%34s  HBA wrote %s at 0x%" PRIx64 " + %" PRIu32 "\n", "",
               td_metadata_name(complete->metadata[i].kind), complete->metadata[i].addr,
               complete->metadata[i].len);
}

void command_print_text(const struct text_options *options, const struct input *in,
                        const struct td_command *c)
{
    char name[DEVICE_NAME_MAX];

    line_start_print_text(command_time(c), input_device_name(in, command_device(c), name),
                          c->seq);
    print_what(c);
    print_how(c);
    print_notes(c, options->elements);
    putchar('\n');
    print_elements(options, c);
}

static void print_pairs(const struct td_pair *pairs, size_t n_pairs)
{
    for (size_t i = 0; i < n_pairs; i++) {
        g_autofree char *key = printable(pairs[i].key);
        g_autofree char *value = printable(pairs[i].value);

        printf(", %s %s", key, value);
    }
}

static void print_device(const struct td_device *d)
{
    g_autofree char *name = printable(d->name);
    g_autofree char *frontend = printable(d->frontend);
    char size[HUMAN_MAX];

    printf("%s# device %s: %s, %" PRIu64 " blocks of %" PRIu32 " bytes (%s), hash %s",
           colour(COLOUR_DIM), name, frontend, d->blocks, d->logical_block_size,
           human_bytes((double)d->blocks * d->logical_block_size, size),
           td_hash_kind_name(d->hash));
    print_pairs(d->pairs, d->n_pairs);
    printf("%s\n", colour(COLOUR_NONE));
}

static void print_trim(const struct td_event *e)
{
    printf("%strim %" PRIu64 "+%" PRIu64 "  command #%" PRIu64 "%s%s\n", colour(COLOUR_CYAN),
           e->addr, e->len, e->ref, e->value ? "" : "  (may stay as it was)",
           colour(COLOUR_NONE));
}

/* td_event.has and the type say how its members are best read. */
static void print_event_body(const struct td_event *e)
{
    g_autofree char *text = e->has & TD_HAS_TEXT ? printable(e->text) : NULL;

    printf("%s%s", e->type == TD_EVENT_GUEST_ERROR || e->type == TD_EVENT_IO_ERROR ?
                       colour(COLOUR_RED) : colour(COLOUR_CYAN),
           td_event_name(e->type));
    if (text)
        printf(" %s", text);
    if (e->has & TD_HAS_PORT)
        printf("  port %" PRIu32, e->port);
    if (e->has & TD_HAS_REF)
        printf("  command #%" PRIu64, e->ref);
    if (e->has & TD_HAS_ADDR)
        printf("  0x%" PRIx64, e->addr);
    if (e->has & TD_HAS_LEN)
        printf("%s%" PRIu64, e->has & TD_HAS_ADDR ? "+" : "  len ", e->len);
    if (e->has & TD_HAS_VALUE)
        printf("  = 0x%" PRIx64, e->value);
    if (e->has & TD_HAS_DATA) {
        printf("  ");
        for (uint32_t i = 0; i < e->data_len; i++)
            printf("%02x", e->data[i]);
    }
    printf("%s\n", colour(COLOUR_NONE));
}

void record_print_text(const struct input *in, const struct td_record *r)
{
    g_autofree char *text = NULL;
    char name[DEVICE_NAME_MAX], damage[DAMAGE_TEXT_MAX];

    switch (r->kind) {
    case TD_HEADER:
        printf("%s# trace format %u.%u", colour(COLOUR_DIM), r->header.major, r->header.minor);
        print_pairs(r->header.pairs, r->header.n_pairs);
        printf("%s\n", colour(COLOUR_NONE));
        break;
    case TD_DEVICE:
        print_device(&r->device);
        break;
    case TD_EVENT:
        line_start_print_text(r->time_ns, input_device_name(in, r->event.device, name), r->seq);
        if (r->event.type == TD_EVENT_TRIM)
            print_trim(&r->event);
        else
            print_event_body(&r->event);
        break;
    case TD_MARK:
        text = printable(r->mark.name);
        line_start_print_text(r->time_ns, input_device_name(in, r->mark.device, name), r->seq);
        printf("%s---- mark %s ----%s\n", colour(COLOUR_BOLD), text, colour(COLOUR_NONE));
        break;
    case TD_LOST:
        text = printable(r->lost.reason);
        printf("%s# lost: %" PRIu64 " records (%s)%s\n", colour(COLOUR_RED), r->lost.records,
               text, colour(COLOUR_NONE));
        break;
    case TD_DAMAGE:
        printf("%s# damaged: %s%s\n", colour(COLOUR_RED), damage_text(&r->damage, damage),
               colour(COLOUR_NONE));
        break;
    default:
        break;
    }
}
