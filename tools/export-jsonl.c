/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tracedisk export --to jsonl: what dump --json prints. */
#include "export.h"
#include "record-json.h"

static void *begin(const char *path)
{
    (void)path;
    return json_new(false);
}

static bool item(void *state, const struct input *in, const struct td_item *item)
{
    if (item->kind == TD_ITEM_COMMAND)
        command_print_json(state, in, item->command, false, NULL);
    else
        record_print_json(state, in, item->record);
    return true;
}

static bool end(void *state, bool complete)
{
    (void)complete;
    json_free(state);
    return true;
}

const struct export_format export_jsonl = { "jsonl", begin, item, end, false };
