/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random records: made, written, and compared with what was read. The same
 * seed gives the same records.
 */
#ifndef TESTS_UNIT_SAMPLE_H
#define TESTS_UNIT_SAMPLE_H

#include <glib.h>

#include "codec.h"
#include "tracedisk.h"

struct sample {
    struct td_source source; /* points to the members below */
    uint64_t seq;            /* as given by the writer */
    uint64_t time_ns;
    union {
        struct td_header header;
        struct td_device device;
        struct td_submit submit;
        struct td_complete complete;
        struct td_event event;
        struct td_mark mark;
        struct td_lost lost;
        struct td_payload payload;
        struct td_stack stack;
    };
};

/* A number of any magnitude up to 2^bits - 1: small ones are as likely. */
uint64_t random_number(GRand *rand, unsigned bits);

/* A temporary directory of its own and a file name in it; g_free() it. */
char *temporary_path(const char *name);
void remove_temporary(char *path);

struct sample *sample_new(GRand *rand, enum td_kind kind, uint64_t last_seq);
struct sample *sample_any(GRand *rand, uint64_t last_seq);

/* A SUBMIT of a list of n elements. */
struct sample *sample_list(GRand *rand, uint32_t n);
void sample_free(void *sample);

/* Sets sample->seq; returns what td_put_* did. */
int sample_put(struct sample *sample, struct td_stream *stream);

/* Assert that a record says what the sample does. */
void sample_check(const struct sample *sample, const struct td_record *record);

#endif
