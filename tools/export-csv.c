/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk export --to csv: one line a command, as RFC 4180 has it but for
 * the line's end, which is a newline. Events and marks have no place in it.
 */
#include <glib.h>
#include <stdio.h>
#include <string.h>

#include "digits.h"
#include "export.h"
#include "record.h"

static const char titles[] =
    "seq,device,frontend,protocol,port,tag,name,op,lba,blocks,submit_ns,complete_ns,status,bytes,"
    "residual,in_flight,n_elements,elements,hash,flags,sense,scsi_status,ata_status,ata_error,"
    "raw\n";

static void *begin(const char *path)
{
    (void)path;
    fputs(titles, stdout);
    return g_string_sized_new(1024);
}

static void text(GString *line, const char *value)
{
    if (!strpbrk(value, ",\"\r\n")) {
        g_string_append(line, value);
    } else {
        g_string_append_c(line, '"');
        for (const char *p = value; *p; p++) {
            if (*p == '"')
                g_string_append_c(line, '"');
            g_string_append_c(line, *p);
        }
        g_string_append_c(line, '"');
    }
    g_string_append_c(line, ',');
}

static void number(GString *line, uint64_t value)
{
    char digits[21];
    char *start = digits + sizeof(digits);

    *--start = ',';
    do {
        *--start = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    g_string_append_len(line, start, digits + sizeof(digits) - start);
}

/* A field that means nothing here stays empty. */
static void number_if(GString *line, bool known, uint64_t value)
{
    if (known)
        number(line, value);
    else
        g_string_append_c(line, ',');
}

/* "0x1000+4096 0x8000+512"; observed ones have a "?" behind them. */
static void elements(GString *line, const struct td_command *c)
{
    number(line, c->submit_known ? c->submit.n_elements : c->complete.n_elements);
    for (uint32_t i = 0; i < element_count(c); i++) {
        const struct td_element *element = &c->submit.elements[i];

        char one[HEX_MAX + DECIMAL_MAX + sizeof(" 0x+?")], *p = one;

        p = put_hex(put_text(p, i ? " 0x" : "0x"), element->addr);
        p = put_decimal(put_text(p, "+"), element->len);
        if (element->flags & TD_ELEMENT_OBSERVED)
            *p++ = '?';
        g_string_append_len(line, one, p - one);
    }
    g_string_append_c(line, ',');
}

static void flags(GString *line, const struct td_command *c)
{
    const char *words[COMMAND_FLAGS_MAX];
    size_t n = command_flags(c, words);

    for (size_t i = 0; i < n; i++) {
        if (i)
            g_string_append_c(line, ' ');
        g_string_append(line, words[i]);
    }
    g_string_append_c(line, ',');
}

static void raw(GString *line, const struct td_command *c)
{
    static const char digits[] = "0123456789abcdef";

    for (uint32_t i = 0; c->submit_known && i < c->submit.raw_len; i++) {
        g_string_append_c(line, digits[c->submit.raw[i] >> 4]);
        g_string_append_c(line, digits[c->submit.raw[i] & 15]);
    }
    g_string_append_c(line, '\n');
}

static void submission(GString *line, const struct td_command *c)
{
    bool known = c->submit_known, has_lba = known && c->decoded.flags & TD_HAS_LBA;

    text(line, !known ? "" : c->submit.protocol == TD_ATA ? "ata" : "scsi");
    number_if(line, known, c->submit.port);
    number_if(line, known, c->submit.tag);
    text(line, known ? c->decoded.name : "");
    text(line, known ? td_op_name(c->decoded.op) : "");
    number_if(line, has_lba, c->decoded.lba);
    number_if(line, has_lba, c->decoded.blocks);
    number_if(line, known, c->submit_ns);
}

static void outcome(GString *line, const struct td_command *c)
{
    const struct td_complete *complete = &c->complete;
    bool done = complete->status != TD_PENDING;
    char digest[40], sense[SENSE_TEXT_MAX];
    const char *code = done ? sense_text(complete, sense) : NULL;

    number_if(line, done, c->complete_ns);
    text(line, td_status_name(complete->status));
    number_if(line, done, complete->bytes);
    number_if(line, done, complete->residual);
    number_if(line, c->submit_known, c->in_flight);
    elements(line, c);
    text(line, done && complete->digest.kind != TD_HASH_NONE
                   ? td_digest_text(&complete->digest, digest)
                   : "");
    flags(line, c);
    text(line, code ? code : "");
    number_if(line, done && c->submit_known && c->submit.protocol == TD_SCSI,
              complete->scsi_status);
    number_if(line, done && complete->has_ata, complete->ata_status);
    number_if(line, done && complete->has_ata, complete->ata_error);
}

static bool item(void *state, const struct input *in, const struct td_item *item)
{
    GString *line = state;
    const struct td_device *device;
    char name[DEVICE_NAME_MAX];

    if (item->kind != TD_ITEM_COMMAND)
        return true;
    device = td_commands_device(in->commands, command_device(item->command));
    g_string_truncate(line, 0);
    number(line, item->command->seq);
    text(line, input_device_name(in, command_device(item->command), name));
    text(line, device ? device->frontend : "");
    submission(line, item->command);
    outcome(line, item->command);
    raw(line, item->command);
    fwrite(line->str, 1, line->len, stdout);
    return true;
}

static bool end(void *state, bool complete)
{
    (void)complete;
    g_string_free(state, TRUE);
    return true;
}

const struct export_format export_csv = { "csv", begin, item, end, false };
