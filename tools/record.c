/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What text and JSON output both need to know about commands and records. */
#include "record.h"

#include <glib.h>

bool sense_decode(const struct td_complete *complete, struct sense_code *code)
{
    const uint8_t *sense = complete->sense;

    if (!sense || complete->sense_len < 4)
        return false;
    switch (sense[0] & 0x7f) {
    case 0x72: /* descriptor format */
    case 0x73:
        *code = (struct sense_code){ sense[1] & 15, sense[2], sense[3] };
        return true;
    case 0x70: /* fixed format */
    case 0x71:
        code->key = sense[2] & 15;
        code->asc = complete->sense_len > 12 ? sense[12] : 0;
        code->ascq = complete->sense_len > 13 ? sense[13] : 0;
        return true;
    default:
        return false;
    }
}

const char *sense_text(const struct td_complete *complete, char buf[SENSE_TEXT_MAX])
{
    struct sense_code code;

    if (!sense_decode(complete, &code))
        return NULL;
    g_snprintf(buf, SENSE_TEXT_MAX, "%02x/%02x/%02x", code.key, code.asc, code.ascq);
    return buf;
}

size_t command_flags(const struct td_command *c, const char *words[COMMAND_FLAGS_MAX])
{
    uint32_t complete = c->complete.status == TD_PENDING ? 0 : c->complete.flags;
    uint32_t decoded = c->submit_known ? c->decoded.flags : 0;
    size_t n = 0;

    if (decoded & TD_FUA)
        words[n++] = "fua";
    if (decoded & TD_DPO)
        words[n++] = "dpo";
    if (complete & TD_BUFFER_CHANGED)
        words[n++] = "buffer-changed";
    if (complete & TD_LIST_SHORT)
        words[n++] = "list-short";
    if (complete & TD_LIST_LONG)
        words[n++] = "list-long";
    if (complete & TD_OUTSIDE_RAM)
        words[n++] = "outside-ram";
    if (!c->submit_known)
        words[n++] = "submit-missing";
    else if (c->submit.n_elements && !c->submit.elements)
        words[n++] = "list-damaged";
    return n;
}

enum direction command_direction(const struct td_command *c)
{
    if (!c->submit_known)
        return DIRECTION_UNKNOWN;
    switch (c->decoded.op) {
    case TD_OP_READ:
    case TD_OP_IDENTIFY:
        return TO_MEMORY;
    case TD_OP_WRITE:
    case TD_OP_TRIM:
    case TD_OP_ZERO:
    case TD_OP_VERIFY: /* with data: to be compared */
        return FROM_MEMORY;
    default:
        if (c->decoded.flags & TD_DATA_IN)
            return TO_MEMORY;
        if (c->decoded.flags & TD_DATA_OUT)
            return FROM_MEMORY;
        return DIRECTION_UNKNOWN;
    }
}

const char *direction_name(enum direction direction)
{
    static const char *const names[] = {
        [DIRECTION_UNKNOWN] = "unknown",
        [TO_MEMORY] = "to-memory",
        [FROM_MEMORY] = "from-memory",
    };

    return names[direction];
}

uint32_t command_device(const struct td_command *c)
{
    return c->submit_known ? c->submit.device : c->complete.device;
}

uint64_t command_time(const struct td_command *c)
{
    return c->complete.status == TD_PENDING ? c->submit_ns : c->complete_ns;
}

uint32_t moved_bytes(const struct td_command *c, uint64_t offset, uint32_t len)
{
    if (c->complete.status == TD_PENDING || offset >= c->complete.bytes)
        return 0;
    return (uint32_t)MIN(len, c->complete.bytes - offset);
}

bool is_write_same(const struct td_command *c)
{
    return c->submit_known && c->decoded.op == TD_OP_WRITE &&
           strncmp(c->decoded.name, "WRITE SAME", strlen("WRITE SAME")) == 0;
}
