/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a report collects of a trace, within bounds. */
#include <stdlib.h>
#include <string.h>

#include "record.h"
#include "report.h"

static void clear_row(gpointer row)
{
    g_free(((struct report_row *)row)->text);
}

static GArray *rows_new(void)
{
    GArray *rows = g_array_new(FALSE, FALSE, sizeof(struct report_row));

    g_array_set_clear_func(rows, clear_row);
    return rows;
}

static void side_init(struct report_side *side, const char *path)
{
    side->path = path;
    side->stride = 1;
    side->statistics = statistics_new(path);
    side->commands = g_array_new(FALSE, FALSE, sizeof(struct report_command));
    side->pages = g_hash_table_new_full(g_int64_hash, g_int64_equal, NULL, g_free);
    side->slowest = rows_new();
    side->errors = rows_new();
    side->events = rows_new();
}

/* ---- Commands ---- */

/* Of more than are wanted, keep every second. */
static void thin_out(struct report_side *side)
{
    struct report_command *commands = (struct report_command *)side->commands->data;
    guint n = side->commands->len;

    for (guint i = 0; 2 * i < n; i++)
        commands[i] = commands[2 * i];
    g_array_set_size(side->commands, (n + 1) / 2);
    side->stride *= 2;
}

static void collect_command(struct report_side *side, const struct td_command *c)
{
    bool pending = c->complete.status == TD_PENDING, has_lba = c->decoded.flags & TD_HAS_LBA;
    struct report_command command = {
        .seq = c->seq,
        .submit_ns = c->submit_ns,
        .lba = has_lba ? c->decoded.lba : 0,
        .latency_ns = pending ? UINT64_MAX : c->complete_ns - c->submit_ns,
        .blocks = has_lba ? (uint32_t)MIN(c->decoded.blocks, UINT32_MAX) : 0,
        .depth = (uint16_t)MIN(c->in_flight, UINT16_MAX),
        .op = (uint8_t)c->decoded.op,
        .status = (uint8_t)c->complete.status,
    };

    if (side->seen++ % side->stride)
        return;
    g_array_append_val(side->commands, command);
    if (side->commands->len > REPORT_COMMANDS)
        thin_out(side);
}

static int by_submission(const void *a, const void *b)
{
    const struct report_command *x = a, *y = b;

    if (x->submit_ns != y->submit_ns)
        return x->submit_ns < y->submit_ns ? -1 : 1;
    return x->seq < y->seq ? -1 : x->seq > y->seq;
}

/* ---- Guest pages ---- */

static struct report_page *page_of(struct report_side *side, uint64_t address)
{
    struct report_page *page = g_hash_table_lookup(side->pages, &address);

    if (page)
        return page;
    if (g_hash_table_size(side->pages) >= REPORT_PAGES) {
        side->pages_left_out++;
        return NULL;
    }
    page = g_new0(struct report_page, 1);
    page->page = address;
    g_hash_table_insert(side->pages, &page->page, page);
    return page;
}

static void collect_page(struct report_side *side, const struct td_command *c, uint64_t address,
                         enum direction direction)
{
    struct report_page *page = page_of(side, address);

    if (!page)
        return;
    if (direction != TO_MEMORY) {
        page->reads++;
        return;
    }
    page->writes++;
    page->seq = c->seq;
    page->ns = c->complete_ns;
    page->lba = c->decoded.flags & TD_HAS_LBA ? c->decoded.lba : UINT64_MAX;
}

static void collect_pages(struct report_side *side, const struct td_command *c)
{
    enum direction direction = command_direction(c);
    uint64_t offset = 0;

    for (uint32_t i = 0; i < element_count(c); i++) {
        const struct td_element *element = &c->submit.elements[i];
        uint32_t len = moved_bytes(c, offset, element->len);
        uint64_t addr = element->addr;
        struct page_piece piece;

        for (; len; addr += piece.len, len -= piece.len) {
            piece = first_page_piece(addr, len);
            collect_page(side, c, piece.page, direction);
        }
        offset += element->len;
    }
}

/* ---- Tables ---- */

static char *command_text(const struct td_command *c)
{
    char sense[SENSE_TEXT_MAX];
    const char *code = c->complete.status == TD_PENDING ? NULL : sense_text(&c->complete, sense);
    GString *text = g_string_new(c->submit_known ? c->decoded.name : "?");

    if (c->decoded.flags & TD_HAS_LBA)
        g_string_append_printf(text, " %" G_GUINT64_FORMAT "+%" G_GUINT64_FORMAT, c->decoded.lba,
                               c->decoded.blocks);
    g_string_append_printf(text, ", tag %" G_GUINT64_FORMAT ", %u elements, depth %u",
                           c->submit.tag, c->submit.n_elements, c->in_flight);
    if (c->complete.status != TD_GOOD)
        g_string_append_printf(text, ": %s", td_status_name(c->complete.status));
    if (code)
        g_string_append_printf(text, ", sense %s", code);
    if (c->complete.status == TD_ERROR && c->complete.has_ata)
        g_string_append_printf(text, ", ATA status 0x%02x, error 0x%02x", c->complete.ata_status,
                               c->complete.ata_error);
    return g_string_free(text, FALSE);
}

/* Kept in order, the slowest first. */
static void collect_slowest(struct report_side *side, const struct td_command *c)
{
    struct report_row row = { c->seq, c->submit_ns, c->complete_ns - c->submit_ns, NULL };
    guint at = side->slowest->len;

    if (c->complete.status == TD_PENDING)
        return;
    while (at && g_array_index(side->slowest, struct report_row, at - 1).value < row.value)
        at--;
    if (at >= REPORT_SLOWEST)
        return;
    row.text = command_text(c);
    g_array_insert_val(side->slowest, at, row);
    if (side->slowest->len > REPORT_SLOWEST)
        g_array_set_size(side->slowest, REPORT_SLOWEST);
}

static void add_row(GArray *rows, uint64_t *count, uint64_t seq, uint64_t ns, char *text)
{
    struct report_row row = { seq, ns, 0, text };

    if (++*count <= REPORT_ROWS)
        g_array_append_val(rows, row);
    else
        g_free(text);
}

static void collect_record(struct report_side *side, const struct td_record *record)
{
    const struct td_event *event = &record->event;
    char *text;

    if (record->kind == TD_MARK)
        text = g_strdup_printf("mark %s", record->mark.name);
    else if (record->kind == TD_LOST)
        text = g_strdup_printf("%" G_GUINT64_FORMAT " records lost: %s", record->lost.records,
                               record->lost.reason);
    else if (record->kind == TD_EVENT && event->type != TD_EVENT_FIS &&
             event->type != TD_EVENT_INTERRUPT && event->type != TD_EVENT_REGISTER_READ &&
             event->type != TD_EVENT_REGISTER_WRITE)
        text = g_strdup_printf("%s %s", td_event_name(event->type),
                               event->has & TD_HAS_TEXT ? event->text : "");
    else
        return;
    add_row(side->events, &side->n_events, record->seq, record->time_ns, g_strchomp(text));
}

static void collect_title(struct report_side *side, const struct td_header *header)
{
    GString *title = g_string_new(NULL);

    for (size_t i = 0; i < header->n_pairs; i++)
        g_string_append_printf(title, "%s%s %s", i ? ", " : "", header->pairs[i].key,
                               header->pairs[i].value);
    g_free(side->title);
    side->title = g_string_free(title, FALSE);
}

/* ---- */

static void collect(struct report_side *side, const struct td_item *item)
{
    const struct td_command *c = item->command;

    statistics_add(side->statistics, item);
    if (item->kind == TD_ITEM_RECORD) {
        if (item->record->kind == TD_HEADER)
            collect_title(side, &item->record->header);
        collect_record(side, item->record);
        return;
    }
    if (c->complete.status != TD_GOOD)
        add_row(side->errors, &side->n_errors, c->seq, command_time(c), command_text(c));
    if (!c->submit_known)
        return;
    collect_command(side, c);
    collect_pages(side, c);
    collect_slowest(side, c);
}

bool report_side_read(struct report_side *side, const char *path, const struct filter *filter)
{
    static const struct lint_options lint_options = {
        .timeout_ns = LINT_TIMEOUT_NS, .limit = 1,
    };
    struct td_item item;

    memset(side, 0, sizeof(*side));
    if (!input_open(&side->in, path))
        return false;
    side_init(side, path);
    /* Before the rest is collected: lint takes much memory, for a while. */
    side->lint = lint_path(path, &lint_options);
    filter_copy(&side->filter, filter);
    while (filter_next_item(&side->filter, &side->in, false, &item))
        collect(side, &item);
    statistics_finish(side->statistics);
    if (side->commands->len)
        qsort(side->commands->data, side->commands->len, sizeof(struct report_command),
              by_submission);
    return true;
}

int report_side_close(struct report_side *side)
{
    int status = filter_close_input(&side->filter, &side->in);

    filter_clear(&side->filter);
    statistics_free(side->statistics);
    lint_free(side->lint);
    g_array_unref(side->commands);
    g_hash_table_unref(side->pages);
    g_array_unref(side->slowest);
    g_array_unref(side->errors);
    g_array_unref(side->events);
    g_free(side->title);
    return status;
}
