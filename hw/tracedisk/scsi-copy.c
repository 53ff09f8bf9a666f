/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk-scsi: copies within the disk
 *
 * EXTENDED COPY(LID1) and RECEIVE COPY RESULTS, SPC-4 6.4, 6.22-6.26; the
 * third-party copy VPD page, SPC-4 7.8.17. The disk is the only copy source
 * and destination that its copy manager knows, and it copies one list at a
 * time, in the foreground.
 */
#include "qemu/osdep.h"
#include "compat.h"
#include "scsi.h"

#define HEADER_BYTES 16
#define CSCD_BYTES 32
#define MAX_CSCDS 8
#define MAX_SEGMENTS 64
#define MAX_LIST_BYTES (MAX_CSCDS * CSCD_BYTES + MAX_SEGMENTS * 32)
#define MAX_SEGMENT_BYTES (256 * MiB)
#define COPY_PIECE_BYTES (1 * MiB)

/* Descriptor type codes, SPC-4 Table 108 */
enum { BLOCK_TO_BLOCK = 0x02, BLOCK_TO_BLOCK_OFFSET = 0x0a,
       CSCD_IDENTIFICATION = 0xe4 };

static const uint8_t descriptor_types[] = {
    BLOCK_TO_BLOCK, BLOCK_TO_BLOCK_OFFSET, CSCD_IDENTIFICATION
};

/* Service actions of RECEIVE COPY RESULTS */
enum { COPY_STATUS = 0x00, OPERATING_PARAMETERS = 0x03 };

/* Values of COPY STATUS's COPY MANAGER STATUS */
enum { DONE_WITHOUT_ERRORS = 1, DONE_WITH_ERRORS = 2 };

typedef struct CopyList {
    const uint8_t *cscds;
    const uint8_t *segments;
    unsigned n_cscds;
    unsigned segment_bytes;
} CopyList;

typedef struct Segment {
    uint64_t from;              /* bytes */
    uint64_t to;
    uint64_t bytes;
} Segment;

/* ---- The parameter list [6.4.2] ---------------------------------------- */

bool scsi_prepare_extended_copy(ScsiRequest *c)
{
    if (c->req.cmd.xfer > HEADER_BYTES + MAX_LIST_BYTES) {
        return scsi_fail(c, SENSE_CODE(INVALID_PARAM_LEN));
    }
    return true;
}

/* Bytes of a segment descriptor; 0: of a type that there is not. */
static unsigned segment_bytes(const uint8_t *d, unsigned left)
{
    unsigned bytes = left >= 4 ? 4 + lduw_be_p(d + 2) : 0;

    switch (left ? d[0] : 0xff) {
    case BLOCK_TO_BLOCK:
        return bytes == 28 ? bytes : 0;
    case BLOCK_TO_BLOCK_OFFSET:
        return bytes == 32 ? bytes : 0;
    default:
        return 0;
    }
}

static bool check_segments(ScsiRequest *c, const CopyList *list)
{
    unsigned n = 0, bytes;

    for (unsigned at = 0; at < list->segment_bytes; at += bytes) {
        const uint8_t *d = list->segments + at;

        bytes = segment_bytes(d, list->segment_bytes - at);
        if (!bytes) {
            /* UNSUPPORTED SEGMENT DESCRIPTOR TYPE CODE */
            return scsi_fail(c, (SCSISense) { ILLEGAL_REQUEST, 0x26, 0x09 });
        }
        if (bytes > list->segment_bytes - at) {
            return scsi_fail(c, SENSE_CODE(INVALID_PARAM_LEN));
        }
        if (++n > MAX_SEGMENTS) {
            /* TOO MANY SEGMENT DESCRIPTORS */
            return scsi_fail(c, (SCSISense) { ILLEGAL_REQUEST, 0x26, 0x08 });
        }
    }
    return true;
}

/* Find the parts of a list; false: it is wrong, and nothing was copied. */
static bool parse_list(ScsiRequest *c, const uint8_t *p, CopyList *list)
{
    uint64_t bytes = c->req.cmd.xfer;
    unsigned cscd_bytes = lduw_be_p(p + 2);

    list->n_cscds = cscd_bytes / CSCD_BYTES;
    list->segment_bytes = ldl_be_p(p + 8);
    list->cscds = p + HEADER_BYTES;
    list->segments = list->cscds + cscd_bytes;
    if (ldl_be_p(p + 12)) {
        /* INLINE DATA LENGTH EXCEEDED */
        return scsi_fail(c, (SCSISense) { ILLEGAL_REQUEST, 0x26, 0x0b });
    }
    if (cscd_bytes % CSCD_BYTES ||
        HEADER_BYTES + cscd_bytes + (uint64_t)list->segment_bytes > bytes) {
        return scsi_fail(c, SENSE_CODE(INVALID_PARAM_LEN));
    }
    if (list->n_cscds > MAX_CSCDS) {
        /* TOO MANY TARGET DESCRIPTORS */
        return scsi_fail(c, (SCSISense) { ILLEGAL_REQUEST, 0x26, 0x06 });
    }
    for (unsigned i = 0; i < list->n_cscds; i++) {
        if (list->cscds[i * CSCD_BYTES] != CSCD_IDENTIFICATION) {
            /* UNSUPPORTED TARGET DESCRIPTOR TYPE CODE */
            return scsi_fail(c, (SCSISense) { ILLEGAL_REQUEST, 0x26, 0x07 });
        }
    }
    return check_segments(c, list);
}

/* ---- Copying ----------------------------------------------------------- */

/* A segment fails: COPY ABORTED, with its number [6.4.5.3]. */
static bool abort_copy(ScsiRequest *c, unsigned n, uint8_t asc, uint8_t ascq)
{
    scsi_fail(c, (SCSISense) { COPY_ABORTED, asc, ascq });
    stw_be_p(c->req.sense + 10, n);
    return false;
}

/* Does an Identification CSCD descriptor [6.4.6.2] name this disk? */
static bool is_this_disk(const ScsiRequest *c, const CopyList *list,
                         unsigned index)
{
    uint8_t designators[SCSI_DESIGNATORS_MAX];
    unsigned bytes = scsi_put_designators(scsi_disk(c), designators);
    const uint8_t *d = list->cscds + index * CSCD_BYTES;

    if (index >= list->n_cscds || (d[1] & 0x1f) != TYPE_DISK || d[7] > 20) {
        return false;
    }
    for (unsigned at = 0; at < bytes; at += 4 + designators[at + 3]) {
        const uint8_t *ours = designators + at;

        if ((d[4] & 0xf) == (ours[0] & 0xf) &&
            (d[5] & 0x3f) == (ours[1] & 0x3f) &&
            d[7] == ours[3] && !memcmp(d + 8, ours + 4, d[7])) {
            return true;
        }
    }
    return false;
}

static bool check_cscd(ScsiRequest *c, const CopyList *list, unsigned index,
                       unsigned n)
{
    const uint8_t *d = list->cscds + index * CSCD_BYTES;

    if (!is_this_disk(c, list, index)) {
        return abort_copy(c, n, 0x08, 0x04);    /* UNREACHABLE COPY TARGET */
    }
    if ((ldl_be_p(d + 28) & 0xffffff) != scsi_disk(c)->disk.block_size) {
        return scsi_fail_parameter(c, HEADER_BYTES + index * CSCD_BYTES + 29,
                                   -1);
    }
    return true;
}

/* Where a segment copies from and to [6.4.7.3, 6.4.7.10] */
static bool parse_segment(ScsiRequest *c, const CopyList *list,
                          const uint8_t *d, unsigned n, Segment *segment)
{
    const TdScsi *s = scsi_disk(c);
    uint64_t size = s->disk.block_size;
    uint64_t end = s->disk.blocks * size;
    uint64_t from = ldq_be_p(d + 12);
    uint64_t to = ldq_be_p(d + 20);
    bool has_offset = d[0] == BLOCK_TO_BLOCK_OFFSET;

    if (!check_cscd(c, list, lduw_be_p(d + 4), n) ||
        !check_cscd(c, list, lduw_be_p(d + 6), n)) {
        return false;
    }
    if (from >= s->disk.blocks || to >= s->disk.blocks) {
        return abort_copy(c, n, 0, 0);
    }
    segment->from = from * size + (has_offset ? lduw_be_p(d + 28) : 0);
    segment->to = to * size + (has_offset ? lduw_be_p(d + 30) : 0);
    segment->bytes = has_offset ? ldl_be_p(d + 8) : lduw_be_p(d + 10) * size;
    if (segment->bytes > MAX_SEGMENT_BYTES ||
        MAX(segment->from, segment->to) > end ||
        segment->bytes > end - MAX(segment->from, segment->to)) {
        return abort_copy(c, n, 0, 0);
    }
    return true;
}

static bool coroutine_fn copy_segment(ScsiRequest *c, const Segment *segment,
                                      uint8_t *buf)
{
    TdTransfer *t = &c->transfer;

    for (uint64_t at = 0; at < segment->bytes; at += COPY_PIECE_BYTES) {
        uint64_t n = MIN(COPY_PIECE_BYTES, segment->bytes - at);
        int ret = t->cancelled ? -ECANCELED :
                  td_transfer_co_fetch(t, segment->from + at, buf, n);

        if (ret < 0) {
            scsi_fail_io(c, ret, true);
            return false;
        }
        if (!scsi_co_store(c, segment->to + at, buf, n, 0)) {
            return false;
        }
    }
    return true;
}

static void coroutine_fn copy_all(ScsiRequest *c, const CopyList *list,
                                  ScsiCopyStatus *status)
{
    uint8_t *buf = blk_blockalign(scsi_disk(c)->disk.blk, COPY_PIECE_BYTES);
    unsigned bytes;

    for (unsigned at = 0; at < list->segment_bytes; at += bytes) {
        const uint8_t *d = list->segments + at;
        Segment segment;

        bytes = segment_bytes(d, list->segment_bytes - at);
        if (!parse_segment(c, list, d, status->segments, &segment) ||
            !copy_segment(c, &segment, buf)) {
            break;
        }
        status->segments++;
        status->bytes += segment.bytes;
    }
    qemu_vfree(buf);
}

void coroutine_fn scsi_run_extended_copy(ScsiRequest *c)
{
    ScsiCopyStatus status = {};
    CopyList list;
    const uint8_t *p;

    if (c->req.cmd.mode == SCSI_XFER_NONE) {
        return;                 /* no list: nothing to do */
    }
    if (c->req.cmd.xfer < HEADER_BYTES) {
        scsi_fail(c, SENSE_CODE(INVALID_PARAM_LEN));
        return;
    }
    p = scsi_co_receive_all(c);
    if (!p || !parse_list(c, p, &list)) {
        return;
    }
    copy_all(c, &list, &status);
    if ((p[1] & 0x18) != 0x18) {        /* LIST ID USAGE: there is one */
        status.result = c->status == GOOD ? DONE_WITHOUT_ERRORS :
                        DONE_WITH_ERRORS;
        status.list_id = p[0];
        scsi_disk(c)->copy = status;
    }
}

/* ---- RECEIVE COPY RESULTS ---------------------------------------------- */

/* Of the last copy, once: to keep it any longer is nobody's right. */
static bool copy_status(ScsiRequest *c)
{
    ScsiCopyStatus *copy = &scsi_disk(c)->copy;
    bool in_bytes = copy->bytes <= UINT32_MAX;
    uint8_t *p;

    if (!copy->result || copy->list_id != scsi_cdb(c)[2]) {
        return scsi_fail_field(c, 2, -1);
    }
    p = scsi_reply(c, 12);
    stl_be_p(p, 8);
    p[4] = copy->result;
    stw_be_p(p + 5, copy->segments);
    p[7] = in_bytes ? 0 : 1;            /* TRANSFER COUNT UNITS: or KiB */
    stl_be_p(p + 8, in_bytes ? copy->bytes : copy->bytes / KiB);
    copy->result = 0;
    return true;
}

static bool operating_parameters(ScsiRequest *c)
{
    unsigned bytes = 44 + sizeof(descriptor_types);
    uint8_t *p = scsi_reply(c, bytes);

    stl_be_p(p, bytes - 4);
    stw_be_p(p + 8, MAX_CSCDS);
    stw_be_p(p + 10, MAX_SEGMENTS);
    stl_be_p(p + 12, MAX_LIST_BYTES);
    stl_be_p(p + 16, MAX_SEGMENT_BYTES);
    stw_be_p(p + 34, 1);                /* TOTAL CONCURRENT COPIES */
    p[36] = 1;                          /* MAXIMUM CONCURRENT COPIES */
    p[37] = ctz32(scsi_disk(c)->disk.block_size);
    p[43] = sizeof(descriptor_types);
    memcpy(p + 44, descriptor_types, sizeof(descriptor_types));
    return true;
}

bool scsi_prepare_copy_results(ScsiRequest *c)
{
    return (scsi_cdb(c)[1] & 0x1f) == COPY_STATUS ? copy_status(c) :
           operating_parameters(c);
}

/* ---- Third-party copy VPD page [7.8.17] -------------------------------- */

/* A third-party copy descriptor; its length is a multiple of 4. */
static unsigned put_descriptor(uint8_t *p, uint16_t type, unsigned len)
{
    len = ROUND_UP(len, 4);
    stw_be_p(p, type);
    stw_be_p(p + 2, len);
    return 4 + len;
}

unsigned scsi_vpd_third_party_copy(const ScsiRequest *c, uint8_t *p)
{
    static const uint8_t supported[] = {
        0x83, 1, 0x00,
        0x84, 2, COPY_STATUS, OPERATING_PARAMETERS,
    };
    unsigned n;

    p[4] = sizeof(supported);
    memcpy(p + 5, supported, sizeof(supported));
    n = put_descriptor(p, 0x0001, 1 + sizeof(supported));
    /* Parameter data */
    stw_be_p(p + n + 8, MAX_CSCDS);
    stw_be_p(p + n + 10, MAX_SEGMENTS);
    stl_be_p(p + n + 12, MAX_LIST_BYTES);
    n += put_descriptor(p + n, 0x0004, 28);
    /* Supported descriptors */
    p[n + 4] = sizeof(descriptor_types);
    memcpy(p + n + 5, descriptor_types, sizeof(descriptor_types));
    n += put_descriptor(p + n, 0x0008, 1 + sizeof(descriptor_types));
    /* General copy operations */
    stl_be_p(p + n + 4, 1);             /* TOTAL CONCURRENT COPIES */
    stl_be_p(p + n + 8, 1);             /* MAXIMUM IDENTIFIED ... */
    stl_be_p(p + n + 12, MAX_SEGMENT_BYTES);
    p[n + 16] = ctz32(scsi_disk(c)->disk.block_size);
    n += put_descriptor(p + n, 0x8001, 32);
    return n;
}
