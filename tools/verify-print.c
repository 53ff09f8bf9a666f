/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tracedisk verify: mismatches and the summary, as text and as JSON. */
#include "verify.h"

#include <inttypes.h>
#include <stdio.h>

#include "json.h"
#include "output.h"
#include "record-text.h"

static const struct {
    const char *key, *text;
} verdicts[VERDICTS] = {
    [VERDICT_MATCH] = { "matched", "returned what was there" },
    [VERDICT_MISMATCH] = { "mismatched", "did not" },
    [VERDICT_PARTLY] = { "partly", "of which some blocks could be checked, and match" },
    [VERDICT_UNKNOWN] = { "unknown", "of blocks whose content was not known" },
    [VERDICT_EXTENT] = { "other_extent", "of parts, or of more, than was written at once" },
    [VERDICT_AMBIGUOUS] = { "ambiguous", "of which a mixture of several writes is legal" },
    [VERDICT_NOT_HASHED] = { "not_hashed", "without a hash" },
    [VERDICT_FAILED] = { "failed", "failed or incomplete" },
};

uint64_t verify_reads(const struct verify_result *r)
{
    uint64_t reads = 0;

    for (int i = 0; i < VERDICTS; i++)
        reads += r->counts[i];
    return reads;
}

static const char *content_text(const struct version *v, char buf[40])
{
    switch (v->kind) {
    case CONTENT_ZEROS:
        return "zeros";
    case CONTENT_INITIAL:
        return "what the image holds";
    default:
        if (v->digest.kind == TD_HASH_NONE)
            return "other bytes"; /* a part of what a command moved */
        return td_digest_text(&v->digest, buf);
    }
}

/* ---- Text ---- */

static void print_legal(const struct oracle_result *r, const struct version *v)
{
    char buf[40];

    /* The hash of all that a command wrote says little of one block. */
    printf("      expected %s", r->sector && v->seq ? "the bytes" : content_text(v, buf));
    if (v->seq)
        printf("%s %s by #%" PRIu64 " %s %" PRIu64 "+%" PRIu64, r->sector ? "" : ",",
               v->by_read ? "read" : "written", v->seq, v->command, v->first, v->end - v->first);
    else if (*v->command)
        printf(", of %s", v->command);
    putchar('\n');
}

static void print_difference(const struct difference *d)
{
    if (d->known)
        printf("      first at byte %" PRIu32 " of block %" PRIu64 ": %02x instead of %02x\n",
               d->offset, d->block, d->returned, d->expected);
}

static void print_sighting(const struct oracle_result *r, const char *how, const struct sighting *s)
{
    if (s->seq)
        printf("      %s last %s by #%" PRIu64 " %s %" PRIu64 "+%" PRIu64 " of %s\n",
               r->sector ? "that block's bytes were" : "the bytes were", how, s->seq, s->command,
               s->lba, s->blocks, s->device);
}

static void print_mismatch(const struct mismatch *m)
{
    const struct oracle_result *r = &m->read;
    char digest[40];

    line_start_print_text(r->complete_ns, m->device, r->seq);
    printf("%s%s %" PRIu64 "+%" PRIu64 "%s\n      returned %s\n", colour(COLOUR_RED), r->command,
           r->lba, r->blocks, colour(COLOUR_NONE), td_digest_text(&r->digest, digest));
    if (r->has_block)
        printf("      differs first in block %" PRIu64 "\n", r->block);
    else
        printf("      differs in one or more of blocks %" PRIu64 "-%" PRIu64 "\n", r->lba,
               r->lba + r->blocks - 1);
    for (guint i = 0; i < r->legal->len; i++) {
        print_legal(r, g_ptr_array_index(r->legal, i));
        print_difference(&g_array_index(m->differences, struct difference, i));
    }
    print_sighting(r, "written", &m->written);
    if (!m->written.seq)
        print_sighting(r, "read", &m->returned);
    if (!m->written.seq && !m->returned.seq)
        puts("      no command before it moved these bytes");
}

void verify_print_text(const struct verify_result *r)
{
    uint64_t left = verify_reads(r) - r->counts[VERDICT_MATCH] - r->counts[VERDICT_MISMATCH];

    for (guint i = 0; i < r->mismatches->len; i++)
        print_mismatch(g_ptr_array_index(r->mismatches, i));
    if (r->counts[VERDICT_MISMATCH] > r->mismatches->len)
        printf("      ... and %" PRIu64 " more (--limit)\n",
               r->counts[VERDICT_MISMATCH] - r->mismatches->len);
    printf("%" PRIu64 " reads: %" PRIu64 " returned what was there, %" PRIu64 " did not, %" PRIu64
           " could not be checked, or not wholly\n",
           verify_reads(r), r->counts[VERDICT_MATCH], r->counts[VERDICT_MISMATCH], left);
    for (int i = VERDICT_PARTLY; i < VERDICTS; i++) {
        if (r->counts[i])
            printf("%10" PRIu64 " %s%s\n", r->counts[i], verdicts[i].text,
                   i == VERDICT_UNKNOWN && !r->has_image ? " (--image would tell)" : "");
    }
}

/* ---- JSON ---- */

static void json_place(struct json *j, uint64_t lba, uint64_t blocks)
{
    json_key_uint(j, "lba", lba);
    json_key_uint(j, "blocks", blocks);
}

static void json_difference(struct json *j, const struct difference *d)
{
    if (!d->known)
        return;
    json_key(j, "first_difference");
    json_begin_object(j);
    json_key_uint(j, "lba", d->block);
    json_key_uint(j, "offset", d->offset);
    json_key_uint(j, "returned", d->returned);
    json_key_uint(j, "expected", d->expected);
    json_end_object(j);
}

static void json_legal(struct json *j, const struct version *v, const struct difference *d)
{
    char buf[40];

    json_begin_object(j);
    json_key_string(j, "content", v->kind == CONTENT_INITIAL ? "image" : content_text(v, buf));
    if (v->seq) {
        json_key_string(j, "by", v->by_read ? "read" : "write");
        json_key_uint(j, "seq", v->seq);
        json_key_string(j, "command", v->command);
        json_place(j, v->first, v->end - v->first);
    }
    json_difference(j, d);
    json_end_object(j);
}

static void json_sighting(struct json *j, const char *key, const struct sighting *s)
{
    if (!s->seq)
        return;
    json_key(j, key);
    json_begin_object(j);
    json_key_uint(j, "seq", s->seq);
    json_key_string(j, "device", s->device);
    json_key_string(j, "command", s->command);
    json_place(j, s->lba, s->blocks);
    json_end_object(j);
}

static void json_mismatch(struct json *j, const struct mismatch *m)
{
    const struct oracle_result *r = &m->read;
    char digest[40];

    json_begin_object(j);
    json_key_string(j, "type", "mismatch");
    json_key_string(j, "device", m->device);
    json_key_uint(j, "seq", r->seq);
    json_key_uint(j, "complete_ns", r->complete_ns);
    json_key_string(j, "command", r->command);
    json_place(j, r->lba, r->blocks);
    json_key_string(j, "hash", td_digest_text(&r->digest, digest));
    if (r->has_block)
        json_key_uint(j, "first_block", r->block);
    json_key(j, "expected");
    json_begin_array(j);
    for (guint i = 0; i < r->legal->len; i++)
        json_legal(j, g_ptr_array_index(r->legal, i),
                   &g_array_index(m->differences, struct difference, i));
    json_end_array(j);
    json_sighting(j, "last_written", &m->written);
    json_sighting(j, "last_read", &m->returned);
    json_end_object(j);
    json_end_document(j);
}

void verify_print_json(const struct verify_result *r)
{
    struct json *j = json_new(false);

    for (guint i = 0; i < r->mismatches->len; i++)
        json_mismatch(j, g_ptr_array_index(r->mismatches, i));
    json_begin_object(j);
    json_key_string(j, "type", "summary");
    json_key_uint(j, "reads", verify_reads(r));
    for (int i = 0; i < VERDICTS; i++)
        json_key_uint(j, verdicts[i].key, r->counts[i]);
    json_end_object(j);
    json_end_document(j);
    json_free(j);
}
