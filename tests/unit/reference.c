/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * For test-format-page.py: makes traces, and prints them as this library
 * reads them.
 *
 *   reference write TRACE SEED
 *   reference pack TRACE PACKED
 *   reference print TRACE
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sample.h"

static int write_trace(const char *path, guint32 seed)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(seed);
    struct td_stream *streams[3];
    struct td_writer *writer;
    uint64_t seq = 0;

    if (td_writer_create(path, NULL, &writer) < 0) {
        return 2;
    }
    for (int i = 0; i < 3; i++) {
        td_stream_open(writer, &streams[i]);
    }
    for (int n = 0; n < 4000; n++) {
        struct sample *s = sample_any(rand, seq);

        if (sample_put(s, streams[g_rand_int_range(rand, 0, 3)]) != 0) {
            return 2;
        }
        seq = s->seq;
        sample_free(s);
    }
    td_writer_close(writer);
    return 0;
}

static void print_bytes(const void *bytes, size_t n)
{
    putchar(' ');
    for (size_t i = 0; i < n; i++) {
        printf("%02x", ((const uint8_t *)bytes)[i]);
    }
    putchar('.');
}

static void print_text(const char *text)
{
    print_bytes(text, strlen(text));
}

static void print_number(uint64_t n)
{
    printf(" %" G_GUINT64_FORMAT, n);
}

static void print_pairs(const struct td_pair *pairs, size_t n)
{
    print_number(n);
    for (size_t i = 0; i < n; i++) {
        print_text(pairs[i].key);
        print_text(pairs[i].value);
    }
}

static void print_device(const struct td_device *d)
{
    print_number(d->id);
    print_number(d->protocol);
    print_number(d->logical_block_size);
    print_number(d->physical_block_size);
    print_number(d->blocks);
    print_number(d->hash);
    print_text(d->name);
    print_text(d->frontend);
    print_pairs(d->pairs, d->n_pairs);
}

static void print_elements(const struct td_record *record, uint32_t n)
{
    g_autofree struct td_element *elements = g_new(struct td_element, n + 1);

    g_assert_cmpint(td_record_elements(record, elements), ==, 0);
    for (uint32_t i = 0; i < n; i++) {
        print_number(elements[i].addr);
        print_number(elements[i].len);
        print_number(elements[i].flags);
    }
}

static void print_origin(const struct td_origin *o)
{
    print_number(o->kind);
    print_number(o->cpu);
    print_number(o->machine);
    print_number(o->pc);
    print_number(o->sp);
    print_number(o->fp);
    print_number(o->lr);
    print_number(o->stack_seq);
    for (uint32_t i = 0; i < o->n_chain; i++) {
        print_number(o->chain[i]);
    }
}

static void print_submit(const struct td_record *record)
{
    const struct td_submit *s = &record->submit;

    print_number(s->device);
    print_number(s->protocol);
    print_number(s->port);
    print_number(s->tag);
    print_bytes(s->raw, s->raw_len);
    print_elements(record, s->n_elements);
    if (s->origin) {
        print_origin(s->origin);
    }
}

static void print_digest(const struct td_digest *digest)
{
    print_number(digest->kind);
    print_bytes(digest->bytes, td_digest_size(digest->kind));
}

static void print_complete(const struct td_record *record)
{
    const struct td_complete *c = &record->complete;

    print_number(c->device);
    print_number(c->submit_seq);
    print_number(c->status);
    print_number(c->flags);
    print_number(c->bytes);
    print_number(c->residual);
    print_digest(&c->digest);
    print_digest(&c->digest_after);
    print_number(c->has_ata);
    print_number(c->ata_status);
    print_number(c->ata_error);
    print_number(c->scsi_status);
    print_bytes(c->sense, c->sense_len);
    for (uint32_t i = 0; i < c->n_metadata; i++) {
        print_number(c->metadata[i].kind);
        print_number(c->metadata[i].len);
        print_number(c->metadata[i].addr);
    }
    print_elements(record, c->n_elements);
    print_bytes(c->sectors, (size_t)c->n_sectors * TD_SECTOR_HASH);
    for (uint32_t i = 0; i < c->n_parts; i++) {
        print_number(c->parts[i].len);
        print_number(c->parts[i].seq);
        print_number(c->parts[i].offset);
    }
}

static void print_event(const struct td_event *e)
{
    print_number(e->type);
    print_number(e->device);
    print_number(e->has);
    print_number(e->port);
    print_number(e->ref);
    print_number(e->addr);
    print_number(e->len);
    print_number(e->value);
    print_bytes(e->data, e->data_len);
    print_text(e->text ? e->text : "");
}

static void print_record(const struct td_record *record)
{
    print_number(record->seq);
    print_number(record->time_ns);
    print_number(record->stream);
    print_number(record->kind);
    switch (record->kind) {
    case TD_HEADER:
        print_pairs(record->header.pairs, record->header.n_pairs);
        break;
    case TD_DEVICE:
        print_device(&record->device);
        break;
    case TD_SUBMIT:
        print_submit(record);
        break;
    case TD_COMPLETE:
        print_complete(record);
        break;
    case TD_EVENT:
        print_event(&record->event);
        break;
    case TD_MARK:
        print_number(record->mark.device);
        print_text(record->mark.name);
        break;
    case TD_LOST:
        print_number(record->lost.records);
        print_text(record->lost.reason);
        break;
    case TD_PAYLOAD:
        print_number(record->payload.len);
        print_number(record->payload.codec);
        print_bytes(record->payload.data, record->payload.data_len);
        break;
    case TD_STACK:
        print_number(record->stack.device);
        print_number(record->stack.addr);
        print_bytes(record->stack.data, record->stack.len);
        break;
    case TD_INDEX:
    case TD_DAMAGE:
        break;
    }
    putchar('\n');
}

static int print_trace(const char *path)
{
    struct td_reader *reader;
    struct td_record record;
    int ret;

    if (td_reader_open(path, &reader, NULL) < 0) {
        return 2;
    }
    while ((ret = td_reader_next(reader, &record)) == 1) {
        print_record(&record);
    }
    td_reader_close(reader);
    return ret < 0 ? 2 : 0;
}

static int pack_trace(const char *path, const char *packed)
{
    int fd = open(packed, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    uint64_t bytes;
    int ret = fd < 0 ? -1 : td_pack(path, fd, &bytes);

    close(fd);
    return ret < 0 ? 2 : 0;
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "write") == 0) {
        return write_trace(argv[2], (guint32)strtoul(argv[3], NULL, 10));
    }
    if (argc == 4 && strcmp(argv[1], "pack") == 0) {
        return pack_trace(argv[2], argv[3]);
    }
    if (argc == 3 && strcmp(argv[1], "print") == 0) {
        return print_trace(argv[2]);
    }
    fprintf(stderr, "usage: reference write TRACE SEED | pack TRACE PACKED | print TRACE\n");
    return 2;
}
