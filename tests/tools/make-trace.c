/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writes a trace for a test.
 *
 *   make-trace FILE            what the records on stdin say, see below
 *   make-trace FILE COMMANDS   that many commands of a made-up, mixed job
 *   make-trace FILE COMMANDS N the same with an edit every N commands: another
 *                              payload, or none of the command, in turn
 *
 * On stdin: one JSON object a line, {"put":"submit", …}, with the member names
 * of libtracedisk's structs; bytes are hex strings, pairs are objects, elements
 * are [addr, len, flags]. "complete" names its submit, and "event" its "ref",
 * by line number from 0, and a submit's "origin" its "stack".
 * A complete's "data" is a payload in hex, of which each block is hashed; with
 * "keep" it is kept in the trace instead, and hashed as a whole, "unhashed" not
 * even that. On stdout: the sequence number of each line's record.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libtracedisk/tracedisk.h"

#define MAX_LINES 32768
#define MAX_STREAMS 4

static uint64_t seqs[MAX_LINES];

static void die(const char *what, const char *why)
{
    fprintf(stderr, "make-trace: %s: %s\n", what, why);
    exit(2);
}

static void *need(void *p)
{
    if (!p)
        die("memory", "there is none left");
    return p;
}

/* ---- Members of a JSON object ---- */

/* jansson's integers are signed; larger ones come as "0x…" strings. */
static uint64_t to_uint(const json_t *value)
{
    return json_is_string(value) ? strtoull(json_string_value(value), NULL, 0) :
                                   (uint64_t)json_integer_value(value);
}

static uint64_t number(const json_t *o, const char *key)
{
    return to_uint(json_object_get(o, key));
}

static const char *text(const json_t *o, const char *key)
{
    const char *value = json_string_value(json_object_get(o, key));

    return value ? value : "";
}

static bool has(const json_t *o, const char *key)
{
    return json_object_get(o, key) != NULL;
}

static uint32_t bytes(const json_t *o, const char *key, uint8_t *buf, size_t size)
{
    const char *hex = text(o, key);
    size_t n = strlen(hex) / 2;

    if (n > size)
        die(key, "too long");
    /* Each by itself: sscanf() would look for the end of all of them each time. */
    for (size_t i = 0; i < n; i++) {
        const char byte[3] = { hex[2 * i], hex[2 * i + 1], 0 };

        buf[i] = (uint8_t)strtoul(byte, NULL, 16);
    }
    return (uint32_t)n;
}

static struct td_pair *pairs(json_t *o, size_t *n)
{
    json_t *object = json_object_get(o, "pairs"), *value;
    struct td_pair *list = need(calloc(json_object_size(object) + 1, sizeof(*list)));
    const char *key;

    *n = 0;
    json_object_foreach(object, key, value)
        list[(*n)++] = (struct td_pair){ key, json_string_value(value) };
    return list;
}

static struct td_digest digest(const json_t *o, const char *key)
{
    struct td_digest d = { TD_HASH_NONE, { 0 } };

    if (bytes(o, key, d.bytes, sizeof(d.bytes)) == 16)
        d.kind = TD_HASH_XXH3;
    else if (has(o, key))
        d.kind = TD_HASH_CRC32;
    return d;
}

/* ---- Records ---- */

static int put_header(struct td_stream *s, json_t *o, uint64_t *seq)
{
    struct td_header h = { 0 };
    int ret;

    h.pairs = pairs(o, &h.n_pairs);
    ret = td_put_header(s, number(o, "time_ns"), &h, seq);
    free((void *)h.pairs);
    return ret;
}

static int put_device(struct td_stream *s, json_t *o, uint64_t *seq)
{
    struct td_device d = {
        .id = (uint32_t)number(o, "id"),
        .protocol = (enum td_protocol)number(o, "protocol"),
        .logical_block_size = (uint32_t)number(o, "logical_block_size"),
        .physical_block_size = (uint32_t)number(o, "physical_block_size"),
        .blocks = number(o, "blocks"),
        .name = text(o, "name"),
        .frontend = text(o, "frontend"),
        .hash = (enum td_hash_kind)number(o, "hash"),
    };
    int ret;

    d.pairs = pairs(o, &d.n_pairs);
    ret = td_put_device(s, number(o, "time_ns"), &d, seq);
    free((void *)d.pairs);
    return ret;
}

static void read_origin(json_t *o, struct td_origin *origin, uint64_t *chain)
{
    json_t *list = json_object_get(o, "chain"), *item;
    size_t i;

    *origin = (struct td_origin){
        .kind = (enum td_origin_kind)number(o, "kind"),
        .cpu = (uint32_t)number(o, "cpu"),
        .machine = has(o, "machine") ? (enum td_machine)number(o, "machine") : TD_MACHINE_X86_64,
        .pc = number(o, "pc"),
        .sp = number(o, "sp"),
        .fp = number(o, "fp"),
        .stack_seq = has(o, "stack") ? seqs[number(o, "stack")] : 0,
        .chain = chain,
        .n_chain = (uint32_t)json_array_size(list),
    };
    if (origin->n_chain > TD_MAX_CHAIN)
        die("chain", "too long");
    json_array_foreach(list, i, item)
        chain[i] = to_uint(item);
}

static int put_stack(struct td_stream *s, json_t *o, uint64_t *seq)
{
    uint8_t data[TD_MAX_STACK];
    struct td_stack k = {
        .device = (uint32_t)number(o, "device"),
        .addr = number(o, "addr"),
        .data = data,
        .len = bytes(o, "data", data, sizeof(data)),
    };

    return td_put_stack(s, number(o, "time_ns"), &k, seq);
}

static int put_submit(struct td_stream *s, json_t *o, uint64_t *seq)
{
    json_t *list = json_object_get(o, "elements"), *item;
    struct td_element *elements = need(calloc(json_array_size(list) + 1, sizeof(*elements)));
    uint8_t raw[TD_MAX_RAW];
    uint64_t chain[TD_MAX_CHAIN];
    struct td_origin origin;
    struct td_submit c = {
        .device = (uint32_t)number(o, "device"),
        .protocol = (enum td_protocol)number(o, "protocol"),
        .port = (uint32_t)number(o, "port"),
        .tag = number(o, "tag"),
        .raw = raw,
        .raw_len = bytes(o, "raw", raw, sizeof(raw)),
        .elements = elements,
        .n_elements = (uint32_t)json_array_size(list),
    };
    size_t i;
    int ret;

    json_array_foreach(list, i, item)
        elements[i] = (struct td_element){ to_uint(json_array_get(item, 0)),
                                           (uint32_t)to_uint(json_array_get(item, 1)),
                                           (uint32_t)to_uint(json_array_get(item, 2)) };
    if (has(o, "origin")) {
        read_origin(json_object_get(o, "origin"), &origin, chain);
        c.origin = &origin;
    }
    ret = td_put_submit(s, number(o, "time_ns"), &c, seq);
    free(elements);
    return ret;
}

/* "data": a payload in hex, of which each block of 512 bytes is hashed. */
static struct td_sectors *hash_sectors(const json_t *o, struct td_complete *c)
{
    struct td_sectors *sectors = need(td_sectors_new(512));
    size_t size = strlen(text(o, "data")) / 2;
    uint8_t *data = need(malloc(size + 1));

    bytes(o, "data", data, size);
    td_sectors_begin(sectors);
    td_sectors_add(sectors, data, has(o, "keep") ? 0 : size);
    c->sectors = td_sectors_end(sectors, &c->n_sectors);
    free(data);
    return sectors;
}

/* "keep": "data" goes into the trace. */
static struct td_keeper *keep_data(struct td_stream *s, const json_t *o, struct td_complete *c)
{
    static struct td_pieces *pieces;
    struct td_keeper *keeper;
    size_t size = strlen(text(o, "data")) / 2, done;
    uint8_t *data = need(malloc(size + 1));
    struct iovec iov = { data, size };

    pieces = pieces ? pieces : need(td_pieces_new());
    keeper = need(td_keeper_new(pieces));
    bytes(o, "data", data, size);
    if (!has(o, "unhashed"))
        td_hash_iov(TD_HASH_XXH3, &iov, 1, size, &c->digest);
    td_keeper_begin(keeper);
    if (td_keeper_add(keeper, s, number(o, "time_ns"), data, size, &done) < 0 ||
        td_keeper_end(keeper, s, number(o, "time_ns")) < 0)
        die("payload", "it cannot be written");
    c->parts = td_keeper_parts(keeper, &c->n_parts);
    free(data);
    return keeper;
}

static int put_complete(struct td_stream *s, json_t *o, uint64_t *seq)
{
    json_t *list = json_object_get(o, "metadata"), *item;
    struct td_metadata metadata[TD_MAX_METADATA];
    uint8_t sense[TD_MAX_SENSE];
    struct td_complete c = {
        .device = (uint32_t)number(o, "device"),
        .submit_seq = seqs[number(o, "submit")],
        .status = (enum td_status)number(o, "status"),
        .flags = (uint32_t)number(o, "flags"),
        .bytes = number(o, "bytes"),
        .residual = number(o, "residual"),
        .digest = digest(o, "digest"),
        .digest_after = digest(o, "digest_after"),
        .has_ata = has(o, "ata_status"),
        .ata_status = (uint8_t)number(o, "ata_status"),
        .ata_error = (uint8_t)number(o, "ata_error"),
        .scsi_status = (uint8_t)number(o, "scsi_status"),
        .sense = sense,
        .sense_len = bytes(o, "sense", sense, sizeof(sense)),
        .metadata = metadata,
        .n_metadata = (uint32_t)json_array_size(list),
    };
    struct td_sectors *sectors = hash_sectors(o, &c);
    struct td_keeper *keeper = has(o, "keep") ? keep_data(s, o, &c) : NULL;
    size_t i;
    int ret;

    json_array_foreach(list, i, item)
        metadata[i] = (struct td_metadata){ (enum td_metadata_kind)to_uint(json_array_get(item, 0)),
                                            (uint32_t)to_uint(json_array_get(item, 2)),
                                            to_uint(json_array_get(item, 1)) };
    ret = td_put_complete(s, number(o, "time_ns"), &c, seq);
    td_sectors_free(sectors);
    td_keeper_free(keeper);
    return ret;
}

static int put_event(struct td_stream *s, json_t *o, uint64_t *seq)
{
    uint8_t data[TD_MAX_DATA];
    struct td_event e = {
        .type = (enum td_event_type)number(o, "type"),
        .device = (uint32_t)number(o, "device"),
        .has = (has(o, "port") ? TD_HAS_PORT : 0) | (has(o, "ref") ? TD_HAS_REF : 0) |
               (has(o, "addr") ? TD_HAS_ADDR : 0) | (has(o, "len") ? TD_HAS_LEN : 0) |
               (has(o, "value") ? TD_HAS_VALUE : 0) | (has(o, "data") ? TD_HAS_DATA : 0) |
               (has(o, "text") ? TD_HAS_TEXT : 0),
        .port = (uint32_t)number(o, "port"),
        .ref = has(o, "ref") ? seqs[number(o, "ref")] : 0,
        .addr = number(o, "addr"),
        .len = number(o, "len"),
        .value = number(o, "value"),
        .data = data,
        .data_len = bytes(o, "data", data, sizeof(data)),
        .text = text(o, "text"),
    };

    return td_put_event(s, number(o, "time_ns"), &e, seq);
}

static int put_mark(struct td_stream *s, json_t *o, uint64_t *seq)
{
    struct td_mark m = { (uint32_t)number(o, "device"), text(o, "name") };

    return td_put_mark(s, number(o, "time_ns"), &m, seq);
}

static int put_lost(struct td_stream *s, json_t *o, uint64_t *seq)
{
    struct td_lost l = { number(o, "records"), text(o, "reason") };

    return td_put_lost(s, number(o, "time_ns"), &l, seq);
}

static const struct {
    const char *name;
    int (*put)(struct td_stream *s, json_t *o, uint64_t *seq);
} kinds[] = {
    { "header", put_header }, { "device", put_device },     { "submit", put_submit },
    { "event", put_event },   { "complete", put_complete }, { "mark", put_mark },
    { "lost", put_lost },     { "stack", put_stack },
};

static void put_line(struct td_stream *streams[], const char *line, uint64_t *seq)
{
    json_error_t error;
    json_t *o = json_loads(line, 0, &error);
    struct td_stream *s;

    if (!o)
        die(line, error.text);
    s = streams[number(o, "stream") % MAX_STREAMS];
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (strcmp(kinds[i].name, text(o, "put")) == 0) {
            int ret = kinds[i].put(s, o, seq);

            if (ret < 0)
                die(line, strerror(-ret));
            json_decref(o);
            return;
        }
    }
    die(line, "no such record");
}

static void put_lines(struct td_writer *writer, struct td_stream *first)
{
    struct td_stream *streams[MAX_STREAMS] = { first };
    char *line = NULL;
    size_t size = 0;

    for (size_t i = 1; i < MAX_STREAMS; i++) {
        if (td_stream_open(writer, &streams[i]) < 0)
            die("stream", "cannot open");
    }
    for (size_t n = 0; getline(&line, &size, stdin) > 0; n++) {
        if (n == MAX_LINES)
            die("stdin", "too many lines");
        put_line(streams, line, &seqs[n]);
        printf("%" PRIu64 "\n", seqs[n]);
        fflush(stdout); /* a test may follow the trace as it grows */
    }
    free(line);
}

/* ---- A job ---- */

#define DEPTH 32

static void put_job_start(struct td_stream *s)
{
    const struct td_header header = { 0 };
    const struct td_device device = {
        .logical_block_size = 512,
        .physical_block_size = 4096,
        .blocks = 1 << 30,
        .name = "d0",
        .frontend = "ahci",
        .hash = TD_HASH_XXH3,
    };

    if (td_put_header(s, 0, &header, NULL) < 0 || td_put_device(s, 0, &device, NULL) < 0)
        die("job", "cannot write");
}

static uint64_t put_job_submit(struct td_stream *s, uint64_t ns, unsigned slot, uint32_t random)
{
    uint8_t fis[20] = { 0x27, 0x80, random & 1 ? 0x60 : 0x61, 8,          (uint8_t)(random >> 8),
                        (uint8_t)(random >> 16), (uint8_t)(random >> 24), 0x40 };
    struct td_element elements[4];
    struct td_submit c = {
        .tag = slot, .raw = fis, .raw_len = sizeof(fis), .elements = elements,
        .n_elements = random % 8 == 0 ? 4 : 1,
    };
    uint64_t seq = 0;

    fis[12] = (uint8_t)(slot << 3);
    for (uint32_t i = 0; i < c.n_elements; i++)
        elements[i] = (struct td_element){ 0x100000 + (uint64_t)(random >> 12) * 4096 + i * 8192,
                                           4096 / c.n_elements, 0 };
    if (td_put_submit(s, ns, &c, &seq) < 0)
        die("job", "cannot write");
    return seq;
}

static void put_job_complete(struct td_stream *s, uint64_t ns, uint64_t submit, uint32_t random)
{
    const struct td_metadata metadata = { TD_META_SDB_FIS, 8, 0x58 };
    struct td_complete c = {
        .submit_seq = submit, .bytes = 4096, .digest = { .kind = TD_HASH_XXH3 },
        .metadata = &metadata, .n_metadata = 1,
    };

    for (size_t i = 0; i < sizeof(c.digest.bytes); i += sizeof(random))
        memcpy(c.digest.bytes + i, &random, sizeof(random));
    if (td_put_complete(s, ns, &c, NULL) < 0)
        die("job", "cannot write");
}

static void put_job(struct td_stream *s, uint64_t commands, uint64_t edits)
{
    uint64_t in_flight[DEPTH] = { 0 }, ns = 1000000;
    uint32_t random = 1;

    put_job_start(s);
    for (uint64_t i = 0; i < commands + DEPTH; i++) {
        unsigned slot = i % DEPTH;

        random = random * 1664525 + 1013904223;
        ns += 1000 + (random >> 20);
        bool edited = edits && i % edits == edits - 1;

        if (in_flight[slot])
            put_job_complete(s, ns, in_flight[slot], random ^ edited);
        in_flight[slot] = i < commands && !(edited && i / edits & 1) ?
                              put_job_submit(s, ns + 200, slot, random) : 0;
    }
}

int main(int argc, char **argv)
{
    struct td_writer *writer;
    struct td_stream *stream;
    int ret;

    if (argc < 2)
        die("usage", "make-trace FILE [COMMANDS [N]]");
    ret = td_writer_create(argv[1], NULL, &writer);
    if (ret < 0 || td_stream_open(writer, &stream) < 0)
        die(argv[1], strerror(-ret));
    if (argc > 2)
        put_job(stream, strtoull(argv[2], NULL, 0), argc > 3 ? strtoull(argv[3], NULL, 0) : 0);
    else
        put_lines(writer, stream);
    td_writer_close(writer);
    return 0;
}
