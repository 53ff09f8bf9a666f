/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Making the index: the trace is read once, and a checkpoint set after every few
 * blocks. A record that may go out of sight again, as a SUBMIT does with its
 * COMPLETE, is kept in mind; it enters the index when it has stood at a checkpoint.
 */
#include <errno.h>
#include <stdlib.h>

#include "index.h"
#include "reader.h"

/* 1 MiB as recorded: some thousand commands, milliseconds to read. */
#define BLOCKS_APART 16

struct passing {
    uint64_t seq;
    enum td_kind kind;
    size_t since; /* checkpoints before it */
    bool gone;
};

/* The STACKs of one device that a SUBMIT may refer to, the oldest replaced first. */
struct stacks {
    uint32_t device;
    uint32_t next;
    uint64_t seqs[TD_STACKS];
};

struct maker {
    struct td_index *index;
    uint64_t latest_ns;
    uint64_t blocks; /* read when the last checkpoint was set */
    struct passing *passing; /* in the order of seq */
    size_t n_passing;
    struct stacks *stacks;
    size_t n_stacks;
};

static int note_standing(struct td_index *x, uint64_t seq, uint64_t checkpoints)
{
    if (td_need_one_more(&x->standing, x->n_standing, sizeof(*x->standing)) < 0) {
        return -ENOMEM;
    }
    x->standing[x->n_standing++] = (struct td_standing){ seq, checkpoints };
    return 0;
}

/* ---- What passes ---- */

static int comes(struct maker *m, const struct td_record *record)
{
    if (td_need_one_more(&m->passing, m->n_passing, sizeof(*m->passing)) < 0) {
        return -ENOMEM;
    }
    m->passing[m->n_passing++] = (struct passing){
        .seq = record->seq, .kind = record->kind, .since = m->index->n_checkpoints,
    };
    return 0;
}

static int compare_passing(const void *seq, const void *passing)
{
    uint64_t a = *(const uint64_t *)seq, b = ((const struct passing *)passing)->seq;

    return (a > b) - (a < b);
}

static int goes(struct maker *m, enum td_kind kind, uint64_t seq)
{
    struct passing *p = m->n_passing ? bsearch(&seq, m->passing, m->n_passing, sizeof(*p),
                                               compare_passing) : NULL;

    if (!p || p->kind != kind || p->gone) {
        return 0;
    }
    p->gone = true;
    if (p->since == m->index->n_checkpoints) {
        return 0;
    }
    return note_standing(m->index, seq, m->index->n_checkpoints - p->since);
}

static int stack_comes(struct maker *m, const struct td_record *record)
{
    struct stacks *s;
    uint64_t *place;
    size_t i = 0;
    int ret;

    while (i < m->n_stacks && m->stacks[i].device != record->stack.device) {
        i++;
    }
    if (i == m->n_stacks) {
        if (td_need_one_more(&m->stacks, m->n_stacks, sizeof(*s)) < 0) {
            return -ENOMEM;
        }
        m->stacks[m->n_stacks++] = (struct stacks){ .device = record->stack.device };
    }
    s = &m->stacks[i];
    place = &s->seqs[s->next++ % TD_STACKS];
    ret = goes(m, TD_STACK, *place);
    *place = record->seq;
    return ret ? ret : comes(m, record);
}

/* ---- What stays ---- */

static int mark_comes(struct td_index *x, const struct td_record *record)
{
    struct td_named *mark;

    if (td_need_one_more(&x->marks, x->n_marks, sizeof(*x->marks)) < 0) {
        return -ENOMEM;
    }
    mark = &x->marks[x->n_marks];
    *mark = (struct td_named){ record->seq, strdup(record->mark.name) };
    x->n_marks += mark->name != NULL;
    return mark->name ? note_standing(x, record->seq, TD_STANDS_ON) : -ENOMEM;
}

static int see(struct maker *m, const struct td_record *record)
{
    int ret = 0;

    switch (record->kind) {
    case TD_MARK:
        ret = mark_comes(m->index, record);
        break;
    case TD_HEADER:
    case TD_DEVICE:
    case TD_LOST:
        ret = note_standing(m->index, record->seq, TD_STANDS_ON);
        break;
    case TD_SUBMIT:
        ret = comes(m, record);
        break;
    case TD_COMPLETE:
        ret = goes(m, TD_SUBMIT, record->complete.submit_seq);
        break;
    case TD_STACK:
        ret = stack_comes(m, record);
        break;
    default:
        break;
    }
    m->latest_ns = record->time_ns > m->latest_ns ? record->time_ns : m->latest_ns;
    return ret;
}

/* ---- Checkpoints ---- */

static int set_checkpoint(struct maker *m, uint64_t seq)
{
    struct td_index *x = m->index;
    size_t left = 0;

    if (td_need_one_more(&x->checkpoints, x->n_checkpoints, sizeof(*x->checkpoints)) < 0) {
        return -ENOMEM;
    }
    x->checkpoints[x->n_checkpoints++] = (struct td_checkpoint){ seq, m->latest_ns };
    for (size_t i = 0; i < m->n_passing; i++) {
        if (!m->passing[i].gone) {
            m->passing[left++] = m->passing[i];
        }
    }
    m->n_passing = left;
    return 0;
}

static int compare_standing(const void *a, const void *b)
{
    const struct td_standing *sa = a, *sb = b;

    return (sa->seq > sb->seq) - (sa->seq < sb->seq);
}

/* What has not gone stands at the rest; what no checkpoint follows, at none. */
static int finish(struct maker *m)
{
    struct td_index *x = m->index;
    uint64_t last = x->n_checkpoints ? x->checkpoints[x->n_checkpoints - 1].seq : 0;

    for (size_t i = 0; i < m->n_passing; i++) {
        if (!m->passing[i].gone && note_standing(x, m->passing[i].seq, TD_STANDS_ON) < 0) {
            return -ENOMEM;
        }
    }
    if (x->n_standing) {
        qsort(x->standing, x->n_standing, sizeof(*x->standing), compare_standing);
    }
    while (x->n_standing && x->standing[x->n_standing - 1].seq >= last) {
        x->n_standing--;
    }
    return 0;
}

static int make(struct maker *m, struct td_reader *reader)
{
    struct td_record record;
    bool damaged = false;
    int ret;

    while ((ret = td_reader_next(reader, &record)) > 0) {
        damaged |= record.kind == TD_DAMAGE;
        if (damaged) {
            continue; /* what is lost may be what would stand */
        }
        if (reader->loaded >= m->blocks + BLOCKS_APART) {
            m->blocks = reader->loaded;
            ret = set_checkpoint(m, record.seq);
        }
        ret = ret < 0 ? ret : see(m, &record);
        if (ret < 0) {
            return ret;
        }
    }
    return ret < 0 ? ret : finish(m);
}

int td_index_make(const char *path, struct td_index *index, uint64_t *end)
{
    struct maker m = { .index = index };
    struct td_reader *reader;
    int ret = td_reader_open(path, &reader, NULL);

    *index = (struct td_index){ 0 };
    if (ret < 0) {
        return ret;
    }
    ret = make(&m, reader);
    *end = reader->expected;
    td_reader_close(reader);
    free(m.passing);
    free(m.stacks);
    if (ret < 0) {
        td_index_free(index);
    }
    return ret;
}
