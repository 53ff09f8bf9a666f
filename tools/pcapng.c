/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A pcapng file on stdout. */
#include "pcapng.h"

#include <glib.h>
#include <stdio.h>
#include <string.h>

enum {
    SECTION_HEADER = 0x0a0d0d0a,
    INTERFACE = 1,
    INTERFACE_STATISTICS = 5,
    ENHANCED_PACKET = 6,
    OPT_END = 0,
    OPT_COMMENT = 1,
    OPT_NAME = 2,       /* of an interface */
    OPT_APPLICATION = 4, /* of a section */
    OPT_TSRESOL = 9,
};

/* Blocks that wait for earlier ones: this many, or this many bytes. */
#define MAX_WAITING 65536
#define MAX_WAITING_BYTES (64u << 20)

struct block {
    size_t len;
    uint8_t bytes[];
};

/* By itself, so that sifting touches no block. */
struct waiting {
    uint64_t ns;
    uint64_t order; /* of two with the same time */
    struct block *block;
};

struct pcapng {
    uint8_t *block; /* in the making */
    size_t len, size;
    GArray *heap; /* of struct waiting, the earliest first */
    size_t waiting_bytes;
    uint64_t order;
    uint32_t interfaces;
};

/* ---- A block: type, length, body, options, length (draft, 3.1) ---- */

static void put(struct pcapng *p, const void *data, size_t len)
{
    if (p->size - p->len < len) {
        p->size = 2 * p->size + len;
        p->block = g_realloc(p->block, p->size);
    }
    memcpy(p->block + p->len, data, len);
    p->len += len;
}

static void put_32(struct pcapng *p, uint32_t value)
{
    put(p, &value, sizeof(value)); /* in the byte order of the section's magic */
}

static void put_16(struct pcapng *p, uint16_t value)
{
    put(p, &value, sizeof(value));
}

static void put_padded(struct pcapng *p, const void *data, size_t len)
{
    static const uint8_t zeros[4];

    if (len) {
        put(p, data, len);
        put(p, zeros, -len & 3);
    }
}

static void put_option(struct pcapng *p, uint16_t code, const void *data, size_t len)
{
    len = MIN(len, G_MAXUINT16);
    put_16(p, code);
    put_16(p, (uint16_t)len);
    put_padded(p, data, len);
}

static void put_text(struct pcapng *p, uint16_t code, const char *text)
{
    put_option(p, code, text, strlen(text));
}

static void begin_block(struct pcapng *p, uint32_t type)
{
    p->len = 0;
    put_32(p, type);
    put_32(p, 0); /* the length, see end_block() */
}

static void end_block(struct pcapng *p)
{
    uint32_t len;

    put_option(p, OPT_END, NULL, 0);
    len = (uint32_t)p->len + 4;
    put_32(p, len);
    memcpy(p->block + 4, &len, sizeof(len));
}

static void write_block(struct pcapng *p)
{
    end_block(p);
    fwrite(p->block, 1, p->len, stdout);
}

/* ---- Blocks in the order of their times ---- */

static bool is_before(const struct waiting *a, const struct waiting *b)
{
    return a->ns != b->ns ? a->ns < b->ns : a->order < b->order;
}

static void sift_up(struct waiting *heap, guint i)
{
    struct waiting last = heap[i];

    for (; i && is_before(&last, &heap[(i - 1) / 2]); i = (i - 1) / 2)
        heap[i] = heap[(i - 1) / 2];
    heap[i] = last;
}

/* The first one's place goes to the last one. */
static void sift_down(struct waiting *heap, guint n, struct waiting last)
{
    guint i = 0, child;

    while ((child = 2 * i + 1) < n) {
        if (child + 1 < n && is_before(&heap[child + 1], &heap[child]))
            child++;
        if (is_before(&last, &heap[child]))
            break;
        heap[i] = heap[child];
        i = child;
    }
    heap[i] = last;
}

static void write_earliest(struct pcapng *p)
{
    struct waiting *heap = (struct waiting *)(void *)p->heap->data;
    struct block *block = heap[0].block;
    guint n = p->heap->len - 1;

    if (n)
        sift_down(heap, n, heap[n]);
    g_array_set_size(p->heap, n);
    fwrite(block->bytes, 1, block->len, stdout);
    p->waiting_bytes -= block->len;
    g_free(block);
}

static void queue_block(struct pcapng *p, uint64_t ns)
{
    struct waiting last = { .ns = ns, .order = p->order++ };
    struct block *block;

    end_block(p);
    block = g_malloc(sizeof(*block) + p->len);
    block->len = p->len;
    memcpy(block->bytes, p->block, p->len);
    last.block = block;
    p->waiting_bytes += p->len;
    g_array_append_val(p->heap, last);
    sift_up((struct waiting *)(void *)p->heap->data, p->heap->len - 1);
    while (p->heap->len > MAX_WAITING || p->waiting_bytes > MAX_WAITING_BYTES)
        write_earliest(p);
}

/* ---- What others see ---- */

struct pcapng *pcapng_new(const char *application)
{
    struct pcapng *p = g_new0(struct pcapng, 1);

    p->heap = g_array_new(FALSE, FALSE, sizeof(struct waiting));
    begin_block(p, SECTION_HEADER);
    put_32(p, 0x1a2b3c4d);
    put_16(p, 1);
    put_16(p, 0);
    put_32(p, UINT32_MAX); /* the section's length is not told */
    put_32(p, UINT32_MAX);
    put_text(p, OPT_APPLICATION, application);
    write_block(p);
    return p;
}

uint32_t pcapng_add_interface(struct pcapng *p, uint16_t link_type, const char *name)
{
    uint8_t nanoseconds = 9;

    begin_block(p, INTERFACE);
    put_16(p, link_type);
    put_16(p, 0);
    put_32(p, 0); /* packets are whole */
    put_text(p, OPT_NAME, name);
    put_option(p, OPT_TSRESOL, &nanoseconds, 1);
    write_block(p);
    return p->interfaces++;
}

static void put_time(struct pcapng *p, uint64_t ns)
{
    put_32(p, (uint32_t)(ns >> 32));
    put_32(p, (uint32_t)ns);
}

void pcapng_add_packet(struct pcapng *p, uint32_t interface, uint64_t ns, const void *data,
                       size_t len, const char *const *comments, size_t n_comments)
{
    begin_block(p, ENHANCED_PACKET);
    put_32(p, interface);
    put_time(p, ns);
    put_32(p, (uint32_t)len);
    put_32(p, (uint32_t)len);
    put_padded(p, data, len);
    for (size_t i = 0; i < n_comments; i++)
        put_text(p, OPT_COMMENT, comments[i]);
    queue_block(p, ns);
}

void pcapng_add_comment(struct pcapng *p, uint32_t interface, uint64_t ns, const char *comment)
{
    begin_block(p, INTERFACE_STATISTICS);
    put_32(p, interface);
    put_time(p, ns);
    put_text(p, OPT_COMMENT, comment);
    queue_block(p, ns);
}

void pcapng_end(struct pcapng *p)
{
    while (p->heap->len)
        write_earliest(p);
    g_array_free(p->heap, TRUE);
    g_free(p->block);
    g_free(p);
}
