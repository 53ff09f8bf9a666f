/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk export --to pcapng, for Wireshark: each command is an iSCSI SCSI
 * Command PDU and its SCSI Response (RFC 7143 11.3, 11.4), under LINKTYPE 252,
 * whose tags name the dissector. What iSCSI has no field for stands in the
 * packets' comments.
 */
#include <glib.h>
#include <string.h>

#include "digits.h"
#include "export.h"
#include "pcapng.h"
#include "record.h"
#include "sat.h"

#define LINKTYPE_UPPER_PDU 252
#define BHS 48 /* basic header segment */

/* What an option holds, and what of it elements may take. */
#define COMMENT_MAX 65535
#define ELEMENTS_TEXT_MAX 60000

enum {
    OPCODE_COMMAND = 0x01,
    OPCODE_RESPONSE = 0x21,
    FINAL = 0x80,
    COMMAND_READ = 0x40,
    COMMAND_WRITE = 0x20,
    COMMAND_SIMPLE = 0x01,
    RESPONSE_UNDERFLOW = 0x02,
};

struct exporter {
    struct pcapng *out;
    GHashTable *interfaces; /* device id → number + 1 */
    GPtrArray *notes;       /* events, behind the place of the next command's own comment */
    GByteArray *pdu;        /* in the making */
    char comment[COMMENT_MAX + 1];
    uint32_t sequence;      /* CmdSN and StatSN */
    uint64_t last_ns;
    uint32_t last_interface;
};

static void *begin(const char *path)
{
    struct exporter *e = g_new0(struct exporter, 1);

    (void)path;
    e->out = pcapng_new("tracedisk " TRACEDISK_VERSION);
    e->interfaces = g_hash_table_new(NULL, NULL);
    e->notes = g_ptr_array_new_with_free_func(g_free);
    g_ptr_array_add(e->notes, NULL);
    e->pdu = g_byte_array_new();
    return e;
}

static uint32_t interface_of(struct exporter *e, const struct input *in, uint32_t device)
{
    char name[DEVICE_NAME_MAX];
    gpointer known = g_hash_table_lookup(e->interfaces, GUINT_TO_POINTER(device));
    uint32_t number;

    if (known)
        return GPOINTER_TO_UINT(known) - 1;
    number = pcapng_add_interface(e->out, LINKTYPE_UPPER_PDU, input_device_name(in, device, name));
    g_hash_table_insert(e->interfaces, GUINT_TO_POINTER(device), GUINT_TO_POINTER(number + 1));
    return number;
}

/* ---- PDUs ---- */

static void put_big_endian(uint8_t *p, uint32_t value)
{
    value = GUINT32_TO_BE(value);
    memcpy(p, &value, sizeof(value));
}

/* Wireshark's exported-PDU tags: the dissector's name, end. The header follows. */
static uint8_t *begin_pdu(GByteArray *pdu)
{
    static const uint8_t tags[] = { 0, 12, 0, 8, 'i', 's', 'c', 's', 'i', 0, 0, 0, 0, 0, 0, 0 };
    static const uint8_t header[BHS];

    g_byte_array_set_size(pdu, 0);
    g_byte_array_append(pdu, tags, sizeof(tags));
    g_byte_array_append(pdu, header, sizeof(header));
    return pdu->data + sizeof(tags);
}

static void put_padded(GByteArray *pdu, const uint8_t *data, uint32_t len)
{
    static const uint8_t zeros[4];

    g_byte_array_append(pdu, data, len);
    g_byte_array_append(pdu, zeros, -len & 3);
}

/* What the initiator expects to be moved. */
static uint32_t expected_bytes(const struct td_command *c)
{
    uint64_t bytes = c->complete.bytes + c->complete.residual;

    if (c->complete.status == TD_PENDING) {
        bytes = 0;
        for (uint32_t i = 0; i < element_count(c); i++)
            bytes += c->submit.elements[i].len;
    }
    return (uint32_t)MIN(bytes, UINT32_MAX);
}

/* RFC 7143 11.2.2.3: what of a CDB is behind its first 16 bytes. */
static void put_extended_cdb(GByteArray *pdu, const uint8_t *cdb, uint32_t len)
{
    uint8_t header[4] = { (uint8_t)((len + 1) >> 8), (uint8_t)(len + 1), 0x01, 0 };

    g_byte_array_append(pdu, header, sizeof(header));
    put_padded(pdu, cdb, len);
}

static void build_command(struct exporter *e, GByteArray *pdu, const struct td_command *c,
                          const struct scsi_view *view)
{
    static const uint8_t ways[] = {
        [TO_MEMORY] = COMMAND_READ,
        [FROM_MEMORY] = COMMAND_WRITE,
        [DIRECTION_UNKNOWN] = 0,
    };
    uint32_t expected = expected_bytes(c);
    uint32_t more = view->cdb_len > 16 ? view->cdb_len - 16 : 0;
    uint8_t *bhs = begin_pdu(pdu);

    bhs[0] = OPCODE_COMMAND;
    bhs[1] = (uint8_t)(FINAL | COMMAND_SIMPLE | (expected ? ways[command_direction(c)] : 0));
    bhs[4] = (uint8_t)(more ? 1 + (more + 3) / 4 : 0);
    bhs[9] = (uint8_t)c->submit.port; /* the LUN; of AHCI the port */
    put_big_endian(bhs + 16, (uint32_t)c->seq);
    put_big_endian(bhs + 20, expected);
    put_big_endian(bhs + 24, e->sequence);
    memcpy(bhs + 32, view->cdb, MIN(view->cdb_len, 16));
    if (more)
        put_extended_cdb(pdu, view->cdb + 16, more);
}

static void build_response(struct exporter *e, GByteArray *pdu, const struct td_command *c,
                           const struct scsi_view *view)
{
    uint8_t data[2 + TD_MAX_SENSE] = { 0, (uint8_t)view->sense_len };
    uint8_t *bhs = begin_pdu(pdu);

    bhs[0] = OPCODE_RESPONSE;
    bhs[1] = (uint8_t)(FINAL | (c->complete.residual ? RESPONSE_UNDERFLOW : 0));
    bhs[3] = view->status;
    put_big_endian(bhs + 16, (uint32_t)c->seq);
    put_big_endian(bhs + 24, e->sequence);
    put_big_endian(bhs + 28, e->sequence + 1);
    put_big_endian(bhs + 32, e->sequence + 64);
    put_big_endian(bhs + 44, (uint32_t)MIN(c->complete.residual, UINT32_MAX));
    if (view->sense_len) {
        put_big_endian(bhs + 4, 2 + view->sense_len); /* a length of 24 bits */
        memcpy(data + 2, view->sense, view->sense_len);
        put_padded(pdu, data, 2 + view->sense_len);
    }
}

/* ---- Comments ---- */

static char *put_elements(char *p, const struct td_command *c, const char *stop)
{
    uint32_t n = element_count(c);
    uint32_t i;

    if (n)
        p = put_text(p, "\nelements:");
    for (i = 0; i < n && p < stop; i++) {
        const struct td_element *element = &c->submit.elements[i];

        p = put_hex(put_text(p, " 0x"), element->addr);
        p = put_decimal(put_text(p, "+"), element->len);
        if (element->flags & TD_ELEMENT_OBSERVED)
            p = put_text(p, "(observed)");
    }
    if (i < n)
        p = put_text(put_decimal(put_text(p, " and "), n - i), " more");
    return p;
}

static const char *command_comment(struct exporter *e, const struct td_command *c)
{
    char *p = put_text(e->comment, "#");

    p = put_decimal(p, c->seq);
    p = put_text(put_text(p, " "), c->decoded.name);
    p = put_decimal(put_text(p, ", tag "), c->submit.tag);
    p = put_text(p, c->submit.protocol == TD_ATA ? "\nFIS:" : "\nCDB:");
    for (uint32_t i = 0; i < c->submit.raw_len; i++)
        p = put_hex_bytes(put_text(p, " "), &c->submit.raw[i], 1);
    p = put_elements(p, c, e->comment + ELEMENTS_TEXT_MAX);
    *p = 0;
    return e->comment;
}

static const char *response_comment(struct exporter *e, const struct td_command *c)
{
    const char *words[COMMAND_FLAGS_MAX];
    size_t n = command_flags(c, words);
    char *p = put_text(e->comment, "#"), digest[40];

    p = put_decimal(p, c->seq);
    p = put_text(put_text(p, " "), td_status_name(c->complete.status));
    p = put_decimal(put_text(p, ", "), c->complete.bytes);
    p = put_text(p, " bytes");
    if (c->complete.digest.kind != TD_HASH_NONE)
        p = put_text(put_text(p, "\nhash: "), td_digest_text(&c->complete.digest, digest));
    for (size_t i = 0; i < n; i++)
        p = put_text(put_text(p, i ? " " : "\nflags: "), words[i]);
    if (c->complete.has_ata) {
        p = put_hex_bytes(put_text(p, "\nATA status 0x"), &c->complete.ata_status, 1);
        p = put_hex_bytes(put_text(p, ", error 0x"), &c->complete.ata_error, 1);
    }
    *p = 0;
    return e->comment;
}

/* An event or mark, kept for the comments of the next command. */
static void note(struct exporter *e, const struct td_record *record)
{
    const struct td_event *event = &record->event;
    g_autofree char *text = NULL;

    switch (record->kind) {
    case TD_EVENT:
        text = g_strdup_printf("event %s %s", td_event_name(event->type),
                               event->has & TD_HAS_TEXT ? event->text : "");
        break;
    case TD_MARK:
        text = g_strdup_printf("mark %s", record->mark.name);
        break;
    case TD_LOST:
        text = g_strdup_printf("%" G_GUINT64_FORMAT " records lost: %s", record->lost.records,
                               record->lost.reason);
        break;
    case TD_DAMAGE:
        text = g_strdup_printf("the trace is damaged here: %s", record->damage.reason);
        break;
    default:
        return;
    }
    g_ptr_array_add(e->notes, g_strdup_printf("#%" G_GUINT64_FORMAT " at %" G_GUINT64_FORMAT
                                              " ns: %s",
                                              record->seq, record->time_ns, g_strchomp(text)));
}

/* ---- */

static void put_command_packet(struct exporter *e, const struct td_command *c,
                               const struct scsi_view *view)
{
    build_command(e, e->pdu, c, view);
    e->notes->pdata[0] = (gpointer)command_comment(e, c);
    pcapng_add_packet(e->out, e->last_interface, c->submit_ns, e->pdu->data, e->pdu->len,
                      (const char *const *)e->notes->pdata, e->notes->len);
    e->notes->pdata[0] = NULL;
    if (e->notes->len > 1)
        g_ptr_array_set_size(e->notes, 1);
}

static void put_response_packet(struct exporter *e, const struct td_command *c,
                                const struct scsi_view *view)
{
    const char *comment = response_comment(e, c);

    build_response(e, e->pdu, c, view);
    pcapng_add_packet(e->out, e->last_interface, c->complete_ns, e->pdu->data, e->pdu->len,
                      &comment, 1);
}

static bool item(void *state, const struct input *in, const struct td_item *item)
{
    struct exporter *e = state;
    const struct td_command *c = item->command;
    struct scsi_view view;

    if (item->kind == TD_ITEM_RECORD) {
        note(e, item->record);
        return true;
    }
    e->last_ns = command_time(c);
    e->last_interface = interface_of(e, in, command_device(c));
    if (!c->submit_known) { /* what it was is not known */
        g_ptr_array_add(e->notes, g_strdup(response_comment(e, c)));
        return true;
    }
    sat_view(c, &view);
    put_command_packet(e, c, &view);
    if (c->complete.status != TD_PENDING)
        put_response_packet(e, c, &view);
    e->sequence++;
    return true;
}

static bool end(void *state, bool complete)
{
    struct exporter *e = state;

    (void)complete;
    if (!g_hash_table_size(e->interfaces)) /* comments need one */
        e->last_interface = pcapng_add_interface(e->out, LINKTYPE_UPPER_PDU, "none");
    for (guint i = 1; i < e->notes->len; i++)
        pcapng_add_comment(e->out, e->last_interface, e->last_ns, e->notes->pdata[i]);
    pcapng_end(e->out);
    g_hash_table_unref(e->interfaces);
    g_ptr_array_free(e->notes, TRUE);
    g_byte_array_unref(e->pdu);
    g_free(e);
    return true;
}

const struct export_format export_pcapng = { "pcapng", begin, item, end, false };
