/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tracedisk lint: scatter-gather lists and the memory they name. */
#include "lint-rules.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- Length ---- */

static void list_short(struct lint *l, void *state, const struct lint_command *c,
                       const struct lint_complete *complete)
{
    (void)state;
    if (complete->record->flags & TD_LIST_SHORT)
        lint_report(l, c, NULL, "the list holds %" PRIu64 " bytes, %" PRIu64 " more were asked for",
                    complete->record->bytes, complete->record->residual);
}

const struct lint_rule lint_list_short = {
    .id = "list-short",
    .severity = LINT_ERROR,
    .clause = "AHCI 1.3.1 6.1 (Command List Overflow), 3.3.5 PxIS.OFS; SAM-5 5.1 (Data-In Buffer Size, "
              "Data-Out Buffer Size)",
    .title = "the scatter-gather list is shorter than the transfer",
    .why = "An HBA runs out of list while the disk still sends or waits: it sets PxIS.OFS, drops "
           "the rest, and may need a port reset. Make the list as long as the blocks in the FIS "
           "or CDB.",
    .complete = list_short,
};

static void list_long(struct lint *l, void *state, const struct lint_command *c,
                      const struct lint_complete *complete)
{
    (void)state;
    if (complete->record->flags & TD_LIST_LONG)
        lint_report(l, c, NULL, "only the list's first %" PRIu64 " bytes were used",
                    complete->record->bytes);
}

const struct lint_rule lint_list_long = {
    .id = "list-long",
    .severity = LINT_WARNING,
    .clause = "AHCI 1.3.1 6.1 (Command List Underflow); SAM-5 5.1 (Data-In Buffer Size, Data-Out "
              "Buffer Size)",
    .title = "the scatter-gather list is longer than the transfer",
    .why = "Legal, and nothing tells the driver of a queued command: the rest of the buffer keeps "
           "what it held. Often the count in the FIS or CDB is wrong.",
    .complete = list_long,
};

/* ---- Elements ---- */

static void odd_element(struct lint *l, void *state, const struct lint_command *c)
{
    (void)state;
    if (c->submit.protocol != TD_ATA)
        return;
    for (uint32_t i = 0; i < c->submit.n_elements; i++) {
        const struct td_element *e = &c->submit.elements[i];

        if ((e->addr | e->len) & 1) {
            lint_report(l, c, NULL, "element %" PRIu32 " is 0x%" PRIx64 "+%" PRIu32, i, e->addr,
                        e->len);
            return;
        }
    }
}

/* With strict=on the list has what the HBA made of it. */
static void odd_element_mended(struct lint *l, void *state, const struct lint_event *e)
{
    (void)state;
    if (lint_hba_says(&lint_odd_element, e))
        lint_report_event(l, e, "%s", e->record->text);
}

const struct lint_rule lint_odd_element = {
    .id = "odd-element",
    .severity = LINT_ERROR,
    .clause = "AHCI 1.3.1 4.2.3.3 (DBA bit 0, DBC bit 0)",
    .title = "an element has an odd address or an odd length",
    .why = "The lowest bit of the address is reserved and that of the byte count, which is stored "
           "less one, must be 1. HBAs ignore or misread them: data lands a byte off, or a byte is "
           "lost. A common cause is a forgotten -1. Use a bounce buffer for odd memory.",
    .submit = odd_element,
    .event = odd_element_mended,
};

static int compare_elements(const void *a, const void *b)
{
    const struct td_element *x = a, *y = b;

    return (x->addr > y->addr) - (x->addr < y->addr);
}

static void element_overlap(struct lint *l, void *state, const struct lint_command *c)
{
    uint32_t n = c->submit.n_elements;
    g_autofree struct td_element *sorted = NULL;

    (void)state;
    if (n < 2)
        return;
    sorted = g_memdup2(c->submit.elements, n * sizeof(*sorted));
    qsort(sorted, n, sizeof(*sorted), compare_elements);
    for (uint32_t i = 1; i < n; i++) {
        if (sorted[i].addr - sorted[i - 1].addr < sorted[i - 1].len && !sorted[i].flags &&
            !sorted[i - 1].flags) {
            lint_report(l, c, NULL,
                        "0x%" PRIx64 "+%" PRIu32 " and 0x%" PRIx64 "+%" PRIu32 " overlap",
                        sorted[i - 1].addr, sorted[i - 1].len, sorted[i].addr, sorted[i].len);
            return;
        }
    }
}

const struct lint_rule lint_element_overlap = {
    .id = "element-overlap",
    .severity = LINT_INFO,
    .clause = "AHCI 1.3.1 4.2.3.3",
    .title = "two elements of one list name the same memory",
    .why = "Legal: a driver that throws data away may read it all into one scratch page. If that "
           "was not the intent, a later part of the transfer overwrites an earlier one.",
    .submit = element_overlap,
};

/* ---- Memory of two commands ---- */

/* The first span that ends behind an address: the spans are in order. */
static uint32_t first_span_behind(const struct lint_command *c, uint64_t addr)
{
    uint32_t low = 0, high = c->n_spans;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;

        if (c->spans[middle].end > addr)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* Memory that both commands name; of n and m spans, n log m. */
static bool find_shared(const struct lint_command *a, const struct lint_command *b,
                        struct lint_span *shared)
{
    const struct lint_command *few = a->n_spans < b->n_spans ? a : b;
    const struct lint_command *many = few == a ? b : a;

    if (!few->n_spans || few->spans[0].start >= many->spans[many->n_spans - 1].end ||
        many->spans[0].start >= few->spans[few->n_spans - 1].end)
        return false;
    for (uint32_t i = 0; i < few->n_spans; i++) {
        const struct lint_span *s = &few->spans[i];
        uint32_t k = first_span_behind(many, s->start);

        if (k < many->n_spans && many->spans[k].start < s->end) {
            shared->start = MAX(s->start, many->spans[k].start);
            shared->end = MIN(s->end, many->spans[k].end);
            return true;
        }
    }
    return false;
}

static void memory_shared(struct lint *l, void *state, const struct lint_command *c)
{
    const struct lint_command *o;
    struct lint_span shared;

    (void)state;
    if (c->direction == DIRECTION_UNKNOWN)
        return;
    for (uint32_t i = 0; (o = lint_in_flight(l, i)); i++) {
        if (o->direction == DIRECTION_UNKNOWN ||
            (o->direction == FROM_MEMORY && c->direction == FROM_MEMORY) ||
            !find_shared(c, o, &shared))
            continue;
        lint_report(l, c, o, "0x%" PRIx64 "+%" PRIu64 " is %s and belongs to #%" PRIu64
                    " (%s), which is in flight", shared.start, shared.end - shared.start,
                    c->direction == TO_MEMORY ? "to be filled" : "to be sent", o->seq,
                    o->direction == TO_MEMORY ? "fills it" : "sends it");
        return;
    }
}

const struct lint_rule lint_memory_shared = {
    .id = "memory-shared",
    .severity = LINT_ERROR,
    .clause = "AHCI 1.3.1 5.5.1; ACS-3 4.14, SAM-5 8.6 (commands may be executed in any order)",
    .title = "memory of a command in flight is given to another command",
    .why = "The disk may run queued commands in any order, and at the same time: which bytes end "
           "up in the shared memory, or on the disk, is a matter of luck. Two commands that both "
           "only send the memory are fine, and not reported.",
    .submit = memory_shared,
};

/* ---- What the device saw ---- */

static void outside_ram(struct lint *l, void *state, const struct lint_command *c,
                        const struct lint_complete *complete)
{
    const struct lint_span *first = c->spans;

    (void)state;
    if (!(complete->record->flags & TD_OUTSIDE_RAM))
        return;
    if (c->n_spans == 1)
        lint_report(l, c, NULL, "0x%" PRIx64 "+%" PRIu64, first->start, first->end - first->start);
    else if (c->n_spans)
        lint_report(l, c, NULL, "some of the list, which lies in 0x%" PRIx64 " to 0x%" PRIx64,
                    first->start, first[c->n_spans - 1].end);
    else
        lint_report(l, c, NULL, "the list is not known");
}

const struct lint_rule lint_outside_ram = {
    .id = "outside-ram",
    .severity = LINT_ERROR,
    .clause = "AHCI 1.3.1 6.1 (System Memory Errors), 3.3.5 PxIS.HBFS; SAM-5 5.1 (Data-In Buffer)",
    .title = "an element names memory that is not there",
    .why = "On a bus the access is aborted and the HBA stops with a host bus fatal error, or it "
           "reaches a device's registers. Look for a truncated address (32 of 64 bits), a virtual "
           "in place of a physical one, an upper half that was never set.",
    .complete = outside_ram,
};

static void buffer_changed(struct lint *l, void *state, const struct lint_command *c,
                           const struct lint_complete *complete)
{
    (void)state;
    if (complete->record->flags & TD_BUFFER_CHANGED)
        lint_report(l, c, NULL, "the bytes at completion are not those at submission");
}

const struct lint_rule lint_buffer_changed = {
    .id = "buffer-changed",
    .severity = LINT_ERROR,
    .clause = "AHCI 1.3.1 5.5.1, SAM-5 5.1 (memory is the HBA's until the command completes)",
    .title = "memory of a write was changed while the device owned it",
    .why = "The disk holds the old bytes, the new ones, or some of each. No fault of the driver "
           "when the operating system lets programs change pages under write-back and writes them "
           "again later (Linux without \"stable pages\"); a bug everywhere else, and always under "
           "checksums or RAID.",
    .complete = buffer_changed,
};
