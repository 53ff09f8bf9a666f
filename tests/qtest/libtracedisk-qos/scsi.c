/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two SCSI disks on virtio-scsi (virtio 1.2 5.6), driven CDB by CDB, and the
 * trace of what was done to them.
 */
#include "scsi.h"
#include "standard-headers/linux/virtio_ids.h"

#define SLOT 4                      /* the HBA's, on q35 */
#define PATIENCE_US (30 * G_USEC_PER_SEC)
#define PATIENCE_WITH_PEER_US (5 * G_USEC_PER_SEC)

/* Where the headers of a request are; the control queue's are the last. */
#define HEADER_BYTES 512
#define RESPONSE_AT 256

static const uint32_t block_sizes[TD_SCSI_UNITS] = { 512, 4096 };

uint32_t td_scsi_block_size(const TdScsi *hba)
{
    return block_sizes[hba->unit];
}

uint64_t td_scsi_blocks(const TdScsi *hba)
{
    return TD_SCSI_BYTES / td_scsi_block_size(hba);
}

/* ---- Life -------------------------------------------------------------- */

static char *unit_arguments(const TdScsi *hba, unsigned unit,
                            const char *drive, const char *options)
{
    g_autofree char *device = td_system() == TD_PEER ?
        g_strdup("scsi-hd") :
        g_strdup_printf("tracedisk-scsi,trace=%s", hba->trace[unit]);

    return g_strdup_printf("-drive if=none,id=d%u,file=%s,format=raw,"
                           "discard=unmap%s "
                           "-device %s,id=disk%u,bus=scsi.0,scsi-id=%u,lun=0,"
                           "drive=d%u,logical_block_size=%u,"
                           "physical_block_size=4096%s",
                           unit, hba->image[unit], drive, device, unit, unit,
                           unit, block_sizes[unit], options);
}

static QOSState *boot(const TdScsi *hba, const char *drive,
                      const char *options)
{
    g_autofree char *first = unit_arguments(hba, 0, drive, options);
    g_autofree char *second = unit_arguments(hba, 1, drive, options);

    return qtest_pc_boot("-M q35 -m 128M -nodefaults "
                         "-device virtio-scsi-pci,id=scsi,addr=%x,num_queues=1 "
                         "%s %s", SLOT, first, second);
}

static void enable(TdScsi *hba)
{
    QPCIAddress address = { .devfn = QPCI_DEVFN(SLOT, 0) };
    QVirtioDevice *vdev;
    uint64_t features;

    hba->pci = virtio_pci_new(hba->machine->pcibus, &address);
    g_assert_nonnull(hba->pci);
    vdev = &hba->pci->vdev;
    g_assert_cmpint(vdev->device_type, ==, VIRTIO_ID_SCSI);
    qvirtio_pci_device_enable(hba->pci);
    qvirtio_start_device(vdev);
    features = qvirtio_get_features(vdev);
    features &= ~(QVIRTIO_F_BAD_FEATURE | 1ull << VIRTIO_RING_F_EVENT_IDX |
                  1ull << VIRTIO_RING_F_INDIRECT_DESC |
                  1ull << VIRTIO_SCSI_F_T10_PI);
    qvirtio_set_features(vdev, features);
    hba->control = qvirtqueue_setup(vdev, hba->alloc, 0);
    hba->event = qvirtqueue_setup(vdev, hba->alloc, 1);
    hba->request = qvirtqueue_setup(vdev, hba->alloc, 2);
    qvirtio_set_driver_ok(vdev);
    hba->headers = guest_alloc(hba->alloc,
                               (TD_SCSI_REQUESTS + 1) * HEADER_BYTES);
}

TdScsi *td_scsi_power_on(const char *drive, const char *options)
{
    TdScsi *hba = g_new0(TdScsi, 1);

    for (unsigned i = 0; i < TD_SCSI_UNITS; i++) {
        hba->image[i] = td_temporary_file("tracedisk-XXXXXX.img",
                                          TD_SCSI_BYTES);
        hba->trace[i] = g_strdup_printf("%s.tdt", hba->image[i]);
    }
    hba->machine = boot(hba, drive, options);
    hba->qts = hba->machine->qts;
    hba->alloc = &hba->machine->alloc;
    enable(hba);
    return hba;
}

TdScsi *td_scsi_start_with(const char *drive, const char *options)
{
    TdScsi *hba = td_scsi_power_on(drive, options);

    for (unsigned i = TD_SCSI_UNITS; i-- > 0;) {
        hba->unit = i;
        td_scsi_clear_unit_attention(hba);
    }
    return hba;
}

TdScsi *td_scsi_start(const char *options)
{
    return td_scsi_start_with("", options);
}

bool td_scsi_stop(TdScsi *hba)
{
    QVirtioDevice *vdev = &hba->pci->vdev;

    qvirtqueue_cleanup(vdev->bus, hba->control, hba->alloc);
    qvirtqueue_cleanup(vdev->bus, hba->event, hba->alloc);
    qvirtqueue_cleanup(vdev->bus, hba->request, hba->alloc);
    qvirtio_pci_device_disable(hba->pci);
    g_free(hba->pci->pdev);
    g_free(hba->pci);
    qtest_shutdown(hba->machine);
    hba->machine = NULL;
    if (td_system() == TD_PEER) {
        return false;
    }
    for (unsigned i = 0; i < TD_SCSI_UNITS; i++) {
        hba->traced[i] = td_trace_load(hba->trace[i]);
    }
    return true;
}

void td_scsi_free(TdScsi *hba)
{
    if (hba->machine) {
        td_scsi_stop(hba);
    }
    for (unsigned i = 0; i < TD_SCSI_UNITS; i++) {
        td_trace_free(hba->traced[i]);
        unlink(hba->image[i]);
        unlink(hba->trace[i]);
        g_free(hba->image[i]);
        g_free(hba->trace[i]);
    }
    g_free(hba);
}

/* ---- Sense data, SPC-4 4.5 --------------------------------------------- */

/* A sense-key specific field pointer, SPC-4 4.5.2.4.2 */
static void parse_field_pointer(TdSense *sense, const uint8_t *p)
{
    if (p[0] & 0x80) {
        sense->field_in_cdb = p[0] & 0x40;
        sense->field_byte = lduw_be_p(p + 1);
        sense->field_bit = p[0] & 0x08 ? p[0] & 0x07 : -1;
    }
}

static void parse_descriptors(TdSense *sense, const uint8_t *p,
                              unsigned bytes)
{
    for (unsigned at = 8; at + 2 <= bytes; at += 2 + p[at + 1]) {
        switch (p[at]) {
        case 0x00: /* information */
            if (at + 12 <= bytes && p[at + 2] & 0x80) {
                sense->has_information = true;
                sense->information = ldq_be_p(p + at + 4);
            }
            break;
        case 0x02: /* sense-key specific */
            if (at + 8 <= bytes) {
                parse_field_pointer(sense, p + at + 4);
            }
            break;
        }
    }
}

TdSense td_sense_parse(const uint8_t *data, unsigned bytes)
{
    TdSense sense = { .field_byte = -1, .field_bit = -1 };

    if (bytes < 8) {
        return sense;
    }
    if ((data[0] & 0x7e) == 0x72) {
        sense.is_descriptor = true;
        sense.code = TD_SENSE(data[1] & 0xf, data[2], data[3]);
        parse_descriptors(&sense, data, MIN(bytes, 8u + data[7]));
        return sense;
    }
    sense.code = (data[2] & 0xf) << 16;
    sense.has_information = data[0] & 0x80;
    sense.information = ldl_be_p(data + 3);
    if (bytes >= 14) {
        sense.code |= TD_SENSE(0, data[12], data[13]);
    }
    if (bytes >= 18) {
        parse_field_pointer(&sense, data + 15);
    }
    return sense;
}

/* ---- Commands ---------------------------------------------------------- */

static uint64_t header(const TdScsi *hba, unsigned request)
{
    return hba->headers + request * HEADER_BYTES;
}

/* A LUN as virtio-scsi addresses it: target, and LUN in flat space. */
static void put_lun(const TdScsi *hba, uint8_t *lun)
{
    lun[0] = 1;
    lun[1] = hba->unit;
    lun[2] = 0x40;
    lun[3] = hba->lun;
}

static unsigned in_flight(const TdScsi *hba)
{
    unsigned n = 0;

    for (unsigned i = 0; i < TD_SCSI_REQUESTS; i++) {
        n += hba->requests[i].busy && !hba->requests[i].done;
    }
    return n;
}

static unsigned find_free(const TdScsi *hba)
{
    for (unsigned i = 0; i < TD_SCSI_REQUESTS; i++) {
        if (!hba->requests[i].busy) {
            return i;
        }
    }
    g_error("more than %d requests at a time", TD_SCSI_REQUESTS);
}

static void add_list(TdScsi *hba, const TdMemory *list, unsigned n,
                     bool write, bool next)
{
    for (unsigned i = 0; i < n; i++) {
        qvirtqueue_add(hba->qts, hba->request, list[i].addr, list[i].len,
                       write, next || i + 1 < n);
    }
}

unsigned td_scsi_submit(TdScsi *hba, const TdCdb *cdb,
                        const TdMemory *out, unsigned n_out,
                        const TdMemory *in, unsigned n_in)
{
    unsigned index = find_free(hba);
    TdScsiRequest *r = &hba->requests[index];
    uint64_t at = header(hba, index);
    struct virtio_scsi_cmd_req req = { .tag = ++hba->next_tag };
    struct virtio_scsi_cmd_resp resp = { .response = 0xff, .status = 0xff };

    if (!in_flight(hba)) {
        qvirtqueue_reset_pool(hba->request);
    }
    g_assert_cmpuint(hba->request->num_free, >=, n_out + n_in + 2);
    *r = (TdScsiRequest) { .busy = true, .tag = req.tag };
    r->outcome.cdb = *cdb;
    r->outcome.block_size = td_scsi_block_size(hba);
    put_lun(hba, req.lun);
    memcpy(req.cdb, cdb->b, sizeof(req.cdb));
    qtest_memwrite(hba->qts, at, &req, sizeof(req));
    qtest_memwrite(hba->qts, at + RESPONSE_AT, &resp, sizeof(resp));
    r->head = qvirtqueue_add(hba->qts, hba->request, at, sizeof(req), false,
                             true);
    add_list(hba, out, n_out, false, true);
    qvirtqueue_add(hba->qts, hba->request, at + RESPONSE_AT, sizeof(resp),
                   true, n_in);
    add_list(hba, in, n_in, true, false);
    qvirtqueue_kick(hba->qts, &hba->pci->vdev, hba->request, r->head);
    return index;
}

static void take_response(TdScsi *hba, TdScsiRequest *r)
{
    struct virtio_scsi_cmd_resp resp;
    TdScsiOutcome *o = &r->outcome;

    qtest_memread(hba->qts, header(hba, r - hba->requests) + RESPONSE_AT,
                  &resp, sizeof(resp));
    r->done = true;
    o->response = resp.response;
    o->status = resp.status;
    o->residual = le32_to_cpu(resp.resid);
    o->sense_bytes = le32_to_cpu(resp.sense_len);
    g_assert_cmpuint(o->sense_bytes, <=, sizeof(o->sense_data));
    memcpy(o->sense_data, resp.sense, o->sense_bytes);
    o->sense = td_sense_parse(o->sense_data, o->sense_bytes);
}

/* Take what the HBA has put into the used ring. */
static void poll_used(TdScsi *hba)
{
    uint32_t head;

    while (qvirtqueue_get_buf(hba->qts, hba->request, &head, NULL)) {
        unsigned i = 0;

        while (i < TD_SCSI_REQUESTS &&
               (!hba->requests[i].busy || hba->requests[i].done ||
                hba->requests[i].head != head)) {
            i++;
        }
        if (i == TD_SCSI_REQUESTS) {
            td_fail("the HBA completes what it was given",
                    "it completed a chain at %u, which is not in flight",
                    head);
        }
        take_response(hba, &hba->requests[i]);
    }
}

static gint64 patience_ends(void)
{
    return g_get_monotonic_time() +
           (td_system() == TD_PEER ? PATIENCE_WITH_PEER_US : PATIENCE_US);
}

bool td_scsi_is_done(TdScsi *hba, unsigned request)
{
    poll_used(hba);
    return hba->requests[request].done;
}

TdScsiOutcome td_scsi_wait(TdScsi *hba, unsigned request)
{
    TdScsiRequest *r = &hba->requests[request];
    gint64 end = patience_ends();

    g_assert_true(r->busy);
    while (!td_scsi_is_done(hba, request)) {
        if (g_get_monotonic_time() > end) {
            td_fail("the command ends, well or with an error",
                    "operation code 0x%02x is still in flight",
                    r->outcome.cdb.b[0]);
        }
        g_usleep(50);
    }
    r->busy = false;
    return r->outcome;
}

TdScsiOutcome td_scsi_io(TdScsi *hba, const TdCdb *cdb,
                         const TdMemory *out, unsigned n_out,
                         const TdMemory *in, unsigned n_in)
{
    return td_scsi_wait(hba, td_scsi_submit(hba, cdb, out, n_out, in, n_in));
}

TdScsiOutcome td_scsi_none(TdScsi *hba, TdCdb cdb)
{
    return td_scsi_io(hba, &cdb, NULL, 0, NULL, 0);
}

TdScsiOutcome td_scsi_out(TdScsi *hba, TdCdb cdb, const void *data,
                          uint32_t bytes)
{
    TdMemory list = { guest_alloc(hba->alloc, MAX(bytes, 1)), bytes };
    TdScsiOutcome o;

    qtest_memwrite(hba->qts, list.addr, data, bytes);
    o = td_scsi_io(hba, &cdb, &list, bytes ? 1 : 0, NULL, 0);
    guest_free(hba->alloc, list.addr);
    return o;
}

TdScsiOutcome td_scsi_in(TdScsi *hba, TdCdb cdb, void *data, uint32_t bytes)
{
    TdMemory list = { guest_alloc(hba->alloc, MAX(bytes, 1)), bytes };
    TdScsiOutcome o;

    qtest_memset(hba->qts, list.addr, TD_SCSI_UNTOUCHED, bytes);
    o = td_scsi_io(hba, &cdb, NULL, 0, &list, bytes ? 1 : 0);
    qtest_memread(hba->qts, list.addr, data, bytes);
    guest_free(hba->alloc, list.addr);
    return o;
}

uint8_t td_scsi_task(TdScsi *hba, uint32_t function, unsigned request)
{
    uint64_t at = header(hba, TD_SCSI_REQUESTS);
    struct virtio_scsi_ctrl_tmf_req req = {
        .type = cpu_to_le32(VIRTIO_SCSI_T_TMF),
        .subtype = cpu_to_le32(function),
    };
    struct virtio_scsi_ctrl_tmf_resp resp = { .response = 0xff };
    gint64 end = patience_ends();
    uint32_t head;

    if (request < TD_SCSI_REQUESTS) {
        req.tag = hba->requests[request].tag;
    }
    put_lun(hba, req.lun);
    qvirtqueue_reset_pool(hba->control);
    qtest_memwrite(hba->qts, at, &req, sizeof(req));
    qtest_memwrite(hba->qts, at + RESPONSE_AT, &resp, sizeof(resp));
    head = qvirtqueue_add(hba->qts, hba->control, at, sizeof(req), false,
                          true);
    qvirtqueue_add(hba->qts, hba->control, at + RESPONSE_AT, sizeof(resp),
                   true, false);
    qvirtqueue_kick(hba->qts, &hba->pci->vdev, hba->control, head);
    while (!qvirtqueue_get_buf(hba->qts, hba->control, NULL, NULL)) {
        if (g_get_monotonic_time() > end) {
            td_fail("the task management function ends",
                    "function %u is still in flight", function);
        }
        g_usleep(50);
    }
    poll_used(hba);
    qtest_memread(hba->qts, at + RESPONSE_AT, &resp, sizeof(resp));
    return resp.response;
}

/* ---- The disk's content ------------------------------------------------ */

void td_scsi_read(TdScsi *hba, uint64_t lba, void *data, size_t bytes)
{
    TdCdb cdb = td_cdb_blocks(0x28, lba, bytes / td_scsi_block_size(hba));

    td_scsi_expect_good(td_scsi_in(hba, cdb, data, bytes), 0);
}

void td_scsi_write(TdScsi *hba, uint64_t lba, const void *data, size_t bytes)
{
    TdCdb cdb = td_cdb_blocks(0x2a, lba, bytes / td_scsi_block_size(hba));

    td_scsi_expect_good(td_scsi_out(hba, cdb, data, bytes), 0);
}

void td_scsi_check_alive(TdScsi *hba)
{
    uint8_t written[8192], found[8192];
    uint64_t lba = td_scsi_blocks(hba) - 64;

    td_scsi_clear_unit_attention(hba);
    td_pattern(written, sizeof(written), 77);
    td_scsi_write(hba, lba, written, sizeof(written));
    td_scsi_read(hba, lba, found, sizeof(found));
    td_expect_mem(found, written, sizeof(written));
}

void td_scsi_clear_unit_attention(TdScsi *hba)
{
    TdScsiOutcome o;

    for (int i = 0; i < 8; i++) {
        o = td_scsi_none(hba, td_cdb(0x00)); /* TEST UNIT READY */
        if (o.status == TD_SCSI_GOOD || o.sense.code >> 16 != 6) {
            return;
        }
    }
    td_fail("a unit attention condition goes when it is told",
            "TEST UNIT READY was refused eight times");
}

/* ---- Expectations ------------------------------------------------------ */

/* What came of a command, and which it was. */
static char *describe(const TdScsiOutcome *o)
{
    GString *s = g_string_new(NULL);

    if (o->response != VIRTIO_SCSI_S_OK) {
        g_string_append_printf(s, "the HBA's response %u", o->response);
    } else if (o->status == TD_SCSI_CHECK_CONDITION) {
        g_string_append_printf(s, "CHECK CONDITION with %02x/%02x/%02x",
                               o->sense.code >> 16, o->sense.code >> 8 & 0xff,
                               o->sense.code & 0xff);
        if (o->sense.field_byte >= 0) {
            g_string_append_printf(s, " at byte %d bit %d",
                                   o->sense.field_byte, o->sense.field_bit);
        }
    } else {
        g_string_append_printf(s, o->status == TD_SCSI_GOOD ? "GOOD" :
                               "status 0x%02x", o->status);
        g_string_append_printf(s, ", residual %u", o->residual);
    }
    g_string_append(s, "; CDB");
    for (unsigned i = 0; i < (td_cdb_bytes(o->cdb.b[0]) ?: 16); i++) {
        g_string_append_printf(s, " %02x", o->cdb.b[i]);
    }
    g_string_append_printf(s, ", blocks of %u", o->block_size);
    return g_string_free(s, false);
}

static void fail_outcome(const char *file, int line, const TdScsiOutcome *o,
                         char *expectation)
{
    td_fail_at(file, line, expectation, "%s", describe(o));
}

void td_scsi_expect_response_at(const char *file, int line, TdScsiOutcome o,
                                uint8_t response)
{
    if (o.response != response) {
        fail_outcome(file, line, &o,
                     g_strdup_printf("the HBA's response %u", response));
    }
}

void td_scsi_expect_status_at(const char *file, int line, TdScsiOutcome o,
                              uint8_t status)
{
    if (o.response != VIRTIO_SCSI_S_OK || o.status != status) {
        fail_outcome(file, line, &o,
                     g_strdup_printf("status 0x%02x", status));
    }
}

void td_scsi_expect_good_at(const char *file, int line, TdScsiOutcome o,
                            uint32_t residual)
{
    if (o.response != VIRTIO_SCSI_S_OK || o.status != TD_SCSI_GOOD ||
        o.residual != residual) {
        fail_outcome(file, line, &o,
                     g_strdup_printf("GOOD, residual %u", residual));
    }
}

void td_scsi_expect_sense_at(const char *file, int line, TdScsiOutcome o,
                             uint32_t code)
{
    if (o.response != VIRTIO_SCSI_S_OK ||
        o.status != TD_SCSI_CHECK_CONDITION || o.sense.code != code) {
        fail_outcome(file, line, &o,
                     g_strdup_printf("CHECK CONDITION with %02x/%02x/%02x",
                                     code >> 16, code >> 8 & 0xff,
                                     code & 0xff));
    }
}

void td_scsi_expect_field_at(const char *file, int line, TdScsiOutcome o,
                             uint32_t code, int byte, int bit)
{
    td_scsi_expect_sense_at(file, line, o, code);
    if (o.sense.field_byte != byte || o.sense.field_bit != bit) {
        fail_outcome(file, line, &o,
                     g_strdup_printf("a field pointer to byte %d bit %d",
                                     byte, bit));
    }
}
