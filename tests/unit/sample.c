/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random records: made, written, and compared with what was read.
 */
#include <glib/gstdio.h>
#include <string.h>

#include "sample.h"

uint64_t random_number(GRand *rand, unsigned bits)
{
    unsigned width = (unsigned)g_rand_int_range(rand, 0, (gint32)bits + 1);
    uint64_t v = (uint64_t)g_rand_int(rand) << 32 | g_rand_int(rand);

    return width ? v >> (64 - width) : 0;
}

char *temporary_path(const char *name)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *folder = g_dir_make_tmp("tracedisk-test-XXXXXX", &error);

    g_assert_no_error(error);
    return g_build_filename(folder, name, NULL);
}

void remove_temporary(char *path)
{
    g_autofree char *folder = g_path_get_dirname(path);

    g_unlink(path);
    g_rmdir(folder);
    g_free(path);
}

static bool coin(GRand *rand)
{
    return g_rand_boolean(rand);
}

/* Any text but a NULL one, which reads back as an empty one. */
static char *random_text(GRand *rand)
{
    size_t n = random_number(rand, g_rand_int_range(rand, 0, 40) ? 5 : 12);
    char *text = g_malloc(n + 1);

    for (size_t i = 0; i < n; i++) {
        text[i] = (char)g_rand_int_range(rand, 1, 256);
    }
    text[n] = 0;
    return text;
}

static uint8_t *random_bytes(GRand *rand, size_t n)
{
    uint8_t *bytes = g_malloc(n ? n : 1);

    for (size_t i = 0; i < n; i++) {
        bytes[i] = (uint8_t)random_number(rand, 8);
    }
    return bytes;
}

static struct td_pair *random_pairs(GRand *rand, size_t *n)
{
    struct td_pair *pairs;

    *n = random_number(rand, 3);
    pairs = g_new0(struct td_pair, *n + 1);
    for (size_t i = 0; i < *n; i++) {
        pairs[i].key = random_text(rand);
        pairs[i].value = random_text(rand);
    }
    return pairs;
}

static struct td_element *random_elements(GRand *rand, uint32_t n)
{
    struct td_element *elements = g_new0(struct td_element, n + 1);
    bool pages = coin(rand);

    for (uint32_t i = 0; i < n; i++) {
        elements[i].addr = random_number(rand, 64);
        elements[i].len = (uint32_t)random_number(rand, 32);
        if (pages) {
            elements[i].addr &= ~(uint64_t)4095;
            elements[i].len = 4096;
        } else if (coin(rand)) {
            elements[i].flags = (uint32_t)random_number(rand, 2);
        }
    }
    return elements;
}

static void random_digest(GRand *rand, struct td_digest *digest)
{
    g_autofree uint8_t *bytes = random_bytes(rand, TD_DIGEST_MAX);

    digest->kind = (enum td_hash_kind)g_rand_int_range(rand, 0, 3);
    memcpy(digest->bytes, bytes, td_digest_size(digest->kind));
}

static void make_device(GRand *rand, struct td_device *d)
{
    d->id = (uint32_t)random_number(rand, 32);
    d->protocol = coin(rand) ? TD_ATA : TD_SCSI;
    d->logical_block_size = (uint32_t)random_number(rand, 32);
    d->physical_block_size = (uint32_t)random_number(rand, 32);
    d->blocks = random_number(rand, 64);
    d->hash = (enum td_hash_kind)g_rand_int_range(rand, 0, 3);
    d->name = random_text(rand);
    d->frontend = random_text(rand);
    d->pairs = random_pairs(rand, &d->n_pairs);
}

/* Often none; the chain belongs to it. */
static struct td_origin *random_origin(GRand *rand)
{
    struct td_origin *o = g_new0(struct td_origin, 1);
    uint64_t *chain;

    o->kind = (enum td_origin_kind)g_rand_int_range(rand, 1, 5);
    if (!td_origin_is_known(o)) {
        return o;
    }
    o->cpu = (uint32_t)random_number(rand, 32);
    o->machine = coin(rand) ? TD_MACHINE_X86_64 : (enum td_machine)random_number(rand, 32);
    o->pc = random_number(rand, 64);
    o->sp = random_number(rand, 64);
    o->fp = random_number(rand, 64);
    o->lr = random_number(rand, 64);
    o->stack_seq = random_number(rand, 64);
    o->n_chain = (uint32_t)g_rand_int_range(rand, 0, TD_MAX_CHAIN + 1);
    chain = g_new(uint64_t, o->n_chain + 1);
    for (uint32_t i = 0; i < o->n_chain; i++) {
        chain[i] = coin(rand) ? o->pc + random_number(rand, 12) : random_number(rand, 64);
    }
    o->chain = chain;
    return o;
}

static void make_submit(GRand *rand, struct td_submit *s)
{
    static const uint32_t lengths[] = { 6, 10, 12, 16, 20, 32, 33, TD_MAX_RAW };

    s->device = (uint32_t)random_number(rand, coin(rand) ? 1 : 32);
    s->protocol = coin(rand) ? TD_ATA : TD_SCSI;
    s->port = (uint32_t)random_number(rand, coin(rand) ? 1 : 32);
    s->tag = random_number(rand, 64);
    s->raw_len = coin(rand) ? 20 : lengths[g_rand_int_range(rand, 0, G_N_ELEMENTS(lengths))];
    s->raw = random_bytes(rand, s->raw_len);
    s->n_elements = (uint32_t)random_number(rand, g_rand_int_range(rand, 0, 20) ? 5 : 10);
    s->elements = random_elements(rand, s->n_elements);
    s->origin = coin(rand) ? random_origin(rand) : NULL;
}

static struct td_part *random_parts(GRand *rand, uint32_t n)
{
    struct td_part *parts = g_new0(struct td_part, n + 1);

    for (uint32_t i = 0; i < n; i++) {
        parts[i].len = random_number(rand, 63);
        if (coin(rand)) {
            parts[i].seq = 1 + random_number(rand, 63);
            parts[i].offset = (uint32_t)random_number(rand, 32);
        }
    }
    return parts;
}

static void make_payload(GRand *rand, struct td_payload *p)
{
    p->codec = (enum td_codec)random_number(rand, 32);
    p->len = (uint32_t)random_number(rand, coin(rand) ? 8 : 16);
    p->data_len = coin(rand) ? p->len : (uint32_t)g_rand_int_range(rand, 0, (gint32)p->len + 1);
    p->data = random_bytes(rand, p->data_len);
}

static void make_complete(GRand *rand, struct td_complete *c, uint64_t last_seq)
{
    struct td_metadata *metadata;

    c->device = (uint32_t)random_number(rand, coin(rand) ? 1 : 32);
    c->submit_seq = coin(rand) ? last_seq : random_number(rand, 64);
    c->status = (enum td_status)random_number(rand, 3);
    c->flags = (uint32_t)random_number(rand, 32);
    c->bytes = random_number(rand, 64);
    if (coin(rand)) {
        c->bytes &= ~(uint64_t)511;
    }
    c->residual = coin(rand) ? 0 : random_number(rand, 64);
    random_digest(rand, &c->digest);
    if (coin(rand)) {
        random_digest(rand, &c->digest_after);
    }
    c->has_ata = coin(rand);
    if (c->has_ata) {
        c->ata_status = coin(rand) ? 0x50 : (uint8_t)random_number(rand, 8);
        c->ata_error = (uint8_t)random_number(rand, 8);
    }
    c->scsi_status = (uint8_t)random_number(rand, 8);
    c->sense_len = coin(rand) ? 0 : (uint32_t)g_rand_int_range(rand, 1, TD_MAX_SENSE + 1);
    c->sense = random_bytes(rand, c->sense_len);
    c->n_elements = g_rand_int_range(rand, 0, 8) ? 0 : (uint32_t)random_number(rand, 5);
    c->elements = random_elements(rand, c->n_elements);
    c->n_sectors = coin(rand) ? 0 : (uint32_t)random_number(rand, coin(rand) ? 4 : 10);
    c->sectors = random_bytes(rand, (size_t)c->n_sectors * TD_SECTOR_HASH);
    c->n_parts = coin(rand) ? 0 : (uint32_t)random_number(rand, coin(rand) ? 3 : 8);
    c->parts = random_parts(rand, c->n_parts);
    c->n_metadata = coin(rand) ? 1 : (uint32_t)g_rand_int_range(rand, 0, TD_MAX_METADATA + 1);
    metadata = g_new0(struct td_metadata, c->n_metadata + 1);
    for (uint32_t i = 0; i < c->n_metadata; i++) {
        metadata[i].kind = (enum td_metadata_kind)(1 + random_number(rand, 3));
        metadata[i].len = (uint32_t)random_number(rand, coin(rand) ? 3 : 32);
        metadata[i].addr = random_number(rand, 64);
    }
    c->metadata = metadata;
}

static void make_event(GRand *rand, struct td_event *e, uint64_t last_seq)
{
    e->type = (enum td_event_type)random_number(rand, coin(rand) ? 4 : 32);
    e->device = (uint32_t)random_number(rand, coin(rand) ? 1 : 32);
    e->has = (uint32_t)g_rand_int_range(rand, 0, 1 << 7);
    e->port = e->has & TD_HAS_PORT ? (uint32_t)random_number(rand, 32) : 0;
    e->ref = e->has & TD_HAS_REF ? (coin(rand) ? last_seq : random_number(rand, 64)) : 0;
    e->addr = e->has & TD_HAS_ADDR ? random_number(rand, 64) : 0;
    e->len = e->has & TD_HAS_LEN ? random_number(rand, 64) : 0;
    e->value = e->has & TD_HAS_VALUE ? random_number(rand, 64) : 0;
    e->data_len = e->has & TD_HAS_DATA ? (uint32_t)random_number(rand, 12) : 0;
    e->data = random_bytes(rand, e->data_len);
    e->text = e->has & TD_HAS_TEXT ? random_text(rand) : NULL;
}

static struct sample *new_sample(GRand *rand, enum td_kind kind)
{
    struct sample *s = g_new0(struct sample, 1);

    s->source.kind = kind;
    s->time_ns = random_number(rand, g_rand_int_range(rand, 0, 20) ? 40 : 64);
    return s;
}

struct sample *sample_new(GRand *rand, enum td_kind kind, uint64_t last_seq)
{
    struct sample *s = new_sample(rand, kind);

    switch (kind) {
    case TD_HEADER:
        s->header.pairs = random_pairs(rand, &s->header.n_pairs);
        break;
    case TD_DEVICE:
        make_device(rand, &s->device);
        break;
    case TD_SUBMIT:
        make_submit(rand, &s->submit);
        break;
    case TD_COMPLETE:
        make_complete(rand, &s->complete, last_seq);
        s->source.has_ref = true;
        s->source.ref = s->complete.submit_seq;
        break;
    case TD_EVENT:
        make_event(rand, &s->event, last_seq);
        s->source.has_ref = s->event.has & TD_HAS_REF;
        s->source.ref = s->event.ref;
        break;
    case TD_MARK:
        s->mark.device = (uint32_t)random_number(rand, 32);
        s->mark.name = random_text(rand);
        break;
    case TD_LOST:
        s->lost.records = random_number(rand, 64);
        s->lost.reason = random_text(rand);
        break;
    case TD_PAYLOAD:
        make_payload(rand, &s->payload);
        break;
    case TD_STACK:
        s->stack.device = (uint32_t)random_number(rand, 32);
        s->stack.addr = random_number(rand, 64);
        s->stack.len = (uint32_t)random_number(rand, 12);
        s->stack.data = random_bytes(rand, s->stack.len);
        break;
    case TD_INDEX:
    case TD_DAMAGE:
        g_assert_not_reached();
    }
    s->source.header = &s->header; /* all members of the union start alike */
    return s;
}

struct sample *sample_any(GRand *rand, uint64_t last_seq)
{
    static const enum td_kind kinds[] = {
        TD_HEADER, TD_DEVICE, TD_SUBMIT,  TD_COMPLETE, TD_EVENT,
        TD_MARK,   TD_LOST,   TD_PAYLOAD, TD_STACK,
    };

    return sample_new(rand, kinds[g_rand_int_range(rand, 0, G_N_ELEMENTS(kinds))], last_seq);
}

struct sample *sample_list(GRand *rand, uint32_t n)
{
    struct sample *s = sample_new(rand, TD_SUBMIT, 0);

    g_free((void *)s->submit.elements);
    s->submit.n_elements = n;
    s->submit.elements = random_elements(rand, n);
    return s;
}

static void free_pairs(const struct td_pair *pairs, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        g_free((void *)pairs[i].key);
        g_free((void *)pairs[i].value);
    }
    g_free((void *)pairs);
}

void sample_free(void *sample)
{
    struct sample *s = sample;

    switch (s->source.kind) {
    case TD_HEADER:
        free_pairs(s->header.pairs, s->header.n_pairs);
        break;
    case TD_DEVICE:
        g_free((void *)s->device.name);
        g_free((void *)s->device.frontend);
        free_pairs(s->device.pairs, s->device.n_pairs);
        break;
    case TD_SUBMIT:
        g_free((void *)s->submit.raw);
        g_free((void *)s->submit.elements);
        if (s->submit.origin) {
            g_free((void *)s->submit.origin->chain);
            g_free((void *)s->submit.origin);
        }
        break;
    case TD_COMPLETE:
        g_free((void *)s->complete.sense);
        g_free((void *)s->complete.metadata);
        g_free((void *)s->complete.elements);
        g_free((void *)s->complete.sectors);
        g_free((void *)s->complete.parts);
        break;
    case TD_EVENT:
        g_free((void *)s->event.data);
        g_free((void *)s->event.text);
        break;
    case TD_MARK:
        g_free((void *)s->mark.name);
        break;
    case TD_LOST:
        g_free((void *)s->lost.reason);
        break;
    case TD_PAYLOAD:
        g_free((void *)s->payload.data);
        break;
    case TD_STACK:
        g_free((void *)s->stack.data);
        break;
    case TD_INDEX:
    case TD_DAMAGE:
        g_assert_not_reached();
    }
    g_free(s);
}

int sample_put(struct sample *s, struct td_stream *stream)
{
    switch (s->source.kind) {
    case TD_HEADER:
        return td_put_header(stream, s->time_ns, &s->header, &s->seq);
    case TD_DEVICE:
        return td_put_device(stream, s->time_ns, &s->device, &s->seq);
    case TD_SUBMIT:
        return td_put_submit(stream, s->time_ns, &s->submit, &s->seq);
    case TD_COMPLETE:
        return td_put_complete(stream, s->time_ns, &s->complete, &s->seq);
    case TD_EVENT:
        return td_put_event(stream, s->time_ns, &s->event, &s->seq);
    case TD_MARK:
        return td_put_mark(stream, s->time_ns, &s->mark, &s->seq);
    case TD_LOST:
        return td_put_lost(stream, s->time_ns, &s->lost, &s->seq);
    case TD_PAYLOAD:
        return td_put_payload(stream, s->time_ns, &s->payload, &s->seq);
    case TD_STACK:
        return td_put_stack(stream, s->time_ns, &s->stack, &s->seq);
    case TD_INDEX:
    case TD_DAMAGE:
        break;
    }
    g_assert_not_reached();
}

/* ---- Comparing ---- */

static void check_pairs(const struct td_pair *a, size_t n_a, const struct td_pair *b, size_t n_b)
{
    g_assert_cmpuint(n_a, ==, n_b);
    for (size_t i = 0; i < n_a; i++) {
        g_assert_cmpstr(a[i].key, ==, b[i].key);
        g_assert_cmpstr(a[i].value, ==, b[i].value);
    }
}

static void check_device(const struct td_device *a, const struct td_device *b)
{
    g_assert_cmpuint(a->id, ==, b->id);
    g_assert_cmpint(a->protocol, ==, b->protocol);
    g_assert_cmpuint(a->logical_block_size, ==, b->logical_block_size);
    g_assert_cmpuint(a->physical_block_size, ==, b->physical_block_size);
    g_assert_cmpuint(a->blocks, ==, b->blocks);
    g_assert_cmpint(a->hash, ==, b->hash);
    g_assert_cmpstr(a->name, ==, b->name);
    g_assert_cmpstr(a->frontend, ==, b->frontend);
    check_pairs(a->pairs, a->n_pairs, b->pairs, b->n_pairs);
}

static void check_elements(const struct td_element *a, uint32_t n, const struct td_record *record)
{
    g_autofree struct td_element *b = g_new(struct td_element, n + 1);

    g_assert_cmpint(td_record_elements(record, b), ==, 0);
    for (uint32_t i = 0; i < n; i++) {
        g_assert_cmphex(a[i].addr, ==, b[i].addr);
        g_assert_cmpuint(a[i].len, ==, b[i].len);
        g_assert_cmpuint(a[i].flags, ==, b[i].flags);
    }
}

static void check_origin(const struct td_origin *a, const struct td_origin *b)
{
    g_assert_nonnull(b);
    g_assert_cmpint(a->kind, ==, b->kind);
    g_assert_cmpuint(a->cpu, ==, b->cpu);
    g_assert_cmpint(a->machine, ==, b->machine);
    g_assert_cmphex(a->pc, ==, b->pc);
    g_assert_cmphex(a->sp, ==, b->sp);
    g_assert_cmphex(a->fp, ==, b->fp);
    g_assert_cmphex(a->lr, ==, b->lr);
    g_assert_cmpuint(a->stack_seq, ==, b->stack_seq);
    g_assert_cmpmem(a->chain, a->n_chain * sizeof(a->chain[0]), b->chain,
                    b->n_chain * sizeof(b->chain[0]));
}

static void check_submit(const struct td_submit *a, const struct td_record *record)
{
    const struct td_submit *b = &record->submit;

    g_assert_cmpuint(a->device, ==, b->device);
    g_assert_cmpint(a->protocol, ==, b->protocol);
    g_assert_cmpuint(a->port, ==, b->port);
    g_assert_cmpuint(a->tag, ==, b->tag);
    g_assert_cmpmem(a->raw, a->raw_len, b->raw, b->raw_len);
    g_assert_null(b->elements);
    g_assert_cmpuint(a->n_elements, ==, b->n_elements);
    check_elements(a->elements, a->n_elements, record);
    if (a->origin) {
        check_origin(a->origin, b->origin);
    } else {
        g_assert_null(b->origin);
    }
}

static void check_complete(const struct td_complete *a, const struct td_record *record)
{
    const struct td_complete *b = &record->complete;

    g_assert_cmpuint(a->device, ==, b->device);
    g_assert_cmpuint(a->submit_seq, ==, b->submit_seq);
    g_assert_cmpint(a->status, ==, b->status);
    g_assert_cmpuint(a->flags, ==, b->flags);
    g_assert_cmpuint(a->bytes, ==, b->bytes);
    g_assert_cmpuint(a->residual, ==, b->residual);
    g_assert_true(td_digest_equal(&a->digest, &b->digest));
    g_assert_true(td_digest_equal(&a->digest_after, &b->digest_after));
    g_assert_cmpint(a->has_ata, ==, b->has_ata);
    g_assert_cmpuint(a->ata_status, ==, b->ata_status);
    g_assert_cmpuint(a->ata_error, ==, b->ata_error);
    g_assert_cmpuint(a->scsi_status, ==, b->scsi_status);
    g_assert_cmpmem(a->sense, a->sense_len, b->sense, b->sense_len);
    g_assert_cmpmem(a->sectors, (size_t)a->n_sectors * TD_SECTOR_HASH, b->sectors,
                    (size_t)b->n_sectors * TD_SECTOR_HASH);
    g_assert_cmpuint(a->n_parts, ==, b->n_parts);
    for (uint32_t i = 0; i < a->n_parts; i++) {
        g_assert_cmpuint(a->parts[i].len, ==, b->parts[i].len);
        g_assert_cmpuint(a->parts[i].seq, ==, b->parts[i].seq);
        g_assert_cmpuint(a->parts[i].offset, ==, b->parts[i].offset);
    }
    g_assert_cmpuint(a->n_metadata, ==, b->n_metadata);
    for (uint32_t i = 0; i < a->n_metadata; i++) {
        g_assert_cmpint(a->metadata[i].kind, ==, b->metadata[i].kind);
        g_assert_cmpuint(a->metadata[i].len, ==, b->metadata[i].len);
        g_assert_cmphex(a->metadata[i].addr, ==, b->metadata[i].addr);
    }
    g_assert_null(b->elements);
    g_assert_cmpuint(a->n_elements, ==, b->n_elements);
    check_elements(a->elements, a->n_elements, record);
}

static void check_event(const struct td_event *a, const struct td_event *b)
{
    g_assert_cmpint(a->type, ==, b->type);
    g_assert_cmpuint(a->device, ==, b->device);
    g_assert_cmphex(a->has, ==, b->has);
    g_assert_cmpuint(a->port, ==, b->port);
    g_assert_cmpuint(a->ref, ==, b->ref);
    g_assert_cmphex(a->addr, ==, b->addr);
    g_assert_cmpuint(a->len, ==, b->len);
    g_assert_cmphex(a->value, ==, b->value);
    g_assert_cmpmem(a->data, a->data_len, b->data, b->data_len);
    g_assert_cmpstr(a->text, ==, b->text);
}

void sample_check(const struct sample *s, const struct td_record *record)
{
    g_assert_cmpint(s->source.kind, ==, record->kind);
    g_assert_cmpuint(s->seq, ==, record->seq);
    g_assert_cmpuint(s->time_ns, ==, record->time_ns);
    switch (record->kind) {
    case TD_HEADER:
        check_pairs(s->header.pairs, s->header.n_pairs, record->header.pairs,
                    record->header.n_pairs);
        break;
    case TD_DEVICE:
        check_device(&s->device, &record->device);
        break;
    case TD_SUBMIT:
        check_submit(&s->submit, record);
        break;
    case TD_COMPLETE:
        check_complete(&s->complete, record);
        break;
    case TD_EVENT:
        check_event(&s->event, &record->event);
        break;
    case TD_MARK:
        g_assert_cmpuint(s->mark.device, ==, record->mark.device);
        g_assert_cmpstr(s->mark.name, ==, record->mark.name);
        break;
    case TD_LOST:
        g_assert_cmpuint(s->lost.records, ==, record->lost.records);
        g_assert_cmpstr(s->lost.reason, ==, record->lost.reason);
        break;
    case TD_PAYLOAD:
        g_assert_cmpint(s->payload.codec, ==, record->payload.codec);
        g_assert_cmpuint(s->payload.len, ==, record->payload.len);
        g_assert_cmpmem(s->payload.data, s->payload.data_len, record->payload.data,
                        record->payload.data_len);
        break;
    case TD_STACK:
        g_assert_cmpuint(s->stack.device, ==, record->stack.device);
        g_assert_cmphex(s->stack.addr, ==, record->stack.addr);
        g_assert_cmpmem(s->stack.data, s->stack.len, record->stack.data, record->stack.len);
        break;
    case TD_INDEX:
    case TD_DAMAGE:
        g_assert_not_reached();
    }
}
