/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two SCSI disks on virtio-scsi, driven CDB by CDB, and the trace of what was
 * done to them.
 *
 * Concepts
 *
 *   HBA       a QEMU of the test's own, with one virtio-scsi-pci (TdScsi)
 *   unit      a disk of 16 MiB of zeros: unit 0 (target 0) has blocks of 512
 *             bytes, unit 1 (target 1) of 4096. Commands go to hba->unit
 *   memory    one element of a list of guest memory: address and length. A
 *             command has two lists, data-out and data-in
 *   outcome   what the driver then sees: the HBA's response, status, residual,
 *             sense data
 *   traced    what the device says that it did, when QEMU is gone
 *
 * A driver may be as wrong as it likes: lists may be longer or shorter than
 * what the CDB wants, or go the other way.
 *
 * Example: does the disk fill both elements of a list?
 *
 *     TdScsi *hba = td_scsi_start("");
 *     uint64_t page = guest_alloc(hba->alloc, 4096);
 *     TdMemory list[] = { { page, 100 }, { page + 2048, 412 } };
 *     TdCdb cdb = td_cdb_blocks(0x28, 0, 1);         READ(10)
 *     TdScsiOutcome o = td_scsi_io(hba, &cdb, NULL, 0, list, 2);
 *
 *     td_scsi_expect_good(o, 0);
 *     if (td_scsi_stop(hba)) {        QEMU is gone, the traces are read
 *         const TdTraced *c = td_traced(hba->traced[0], "READ(10)", 0);
 *
 *         td_expect_uint(c->n_elements, ==, 2);
 *     }
 *     td_scsi_free(hba);
 */
#ifndef LIBTRACEDISK_QOS_SCSI_H
#define LIBTRACEDISK_QOS_SCSI_H

#include "qemu/osdep.h"
#include "qemu/units.h"
#include "tests/qtest/libqtest.h"
#include "tests/qtest/libqos/libqos-pc.h"
#include "tests/qtest/libqos/virtio-pci.h"
#include "standard-headers/linux/virtio_scsi.h"
#include "case.h"
#include "cdb.h"
#include "files.h"
#include "trace.h"

#define TD_SCSI_UNITS 2
#define TD_SCSI_BYTES (16 * MiB)
#define TD_SCSI_REQUESTS 64         /* at a time */

/* Status codes, SAM-5 5.3.1 */
enum { TD_SCSI_GOOD = 0x00, TD_SCSI_CHECK_CONDITION = 0x02,
       TD_SCSI_RESERVATION_CONFLICT = 0x18 };

/* Sense key, additional sense code and qualifier as one number: 05/24/00 */
#define TD_SENSE(key, asc, ascq) ((key) << 16 | (asc) << 8 | (ascq))
#define TD_SENSE_NONE 0
#define TD_SENSE_INVALID_OPCODE TD_SENSE(5, 0x20, 0x00)
#define TD_SENSE_LBA_OUT_OF_RANGE TD_SENSE(5, 0x21, 0x00)
#define TD_SENSE_INVALID_FIELD TD_SENSE(5, 0x24, 0x00)
#define TD_SENSE_INVALID_PARAMETER TD_SENSE(5, 0x26, 0x00)
#define TD_SENSE_PARAMETER_LENGTH TD_SENSE(5, 0x1a, 0x00)
#define TD_SENSE_MISCOMPARE TD_SENSE(0xe, 0x1d, 0x00)

/* An element of a list. */
typedef struct TdMemory {
    uint64_t addr;
    uint32_t len;
} TdMemory;

/* Sense data of either format, SPC-4 4.5 */
typedef struct TdSense {
    uint32_t code;              /* TD_SENSE(…) */
    bool is_descriptor;
    bool has_information;
    uint64_t information;
    int field_byte, field_bit;  /* the field pointer's; -1: none */
    bool field_in_cdb;          /* else in the parameter list */
} TdSense;

typedef struct TdScsiOutcome {
    TdCdb cdb;
    uint32_t block_size;        /* of the unit that it was for */
    uint8_t response;           /* VIRTIO_SCSI_S_… */
    uint8_t status;
    uint32_t residual;
    uint8_t sense_data[VIRTIO_SCSI_SENSE_SIZE];
    uint32_t sense_bytes;
    TdSense sense;
} TdScsiOutcome;

typedef struct TdScsiRequest {
    bool busy, done;
    uint16_t head;              /* its first descriptor */
    uint64_t tag;
    TdScsiOutcome outcome;
} TdScsiRequest;

typedef struct TdScsi {
    QTestState *qts;
    QGuestAllocator *alloc;
    unsigned unit, lun;         /* that commands are for; LUN 0 is there */
    char *image[TD_SCSI_UNITS], *trace[TD_SCSI_UNITS];
    TdTrace *traced[TD_SCSI_UNITS]; /* after td_scsi_stop() */

    QOSState *machine;
    QVirtioPCIDevice *pci;
    QVirtQueue *control, *event, *request;
    uint64_t headers;           /* of requests and responses */
    uint64_t next_tag;
    TdScsiRequest requests[TD_SCSI_REQUESTS];
} TdScsi;

/*
 * Boot, enable the HBA, and take the unit attention of both units. @options
 * are the disks', each with a comma in front; @drive those of their drives,
 * without the file. On a peer the disks are scsi-hd.
 */
TdScsi *td_scsi_start(const char *options);
TdScsi *td_scsi_start_with(const char *drive, const char *options);
/* The same, and the units still have their unit attention. */
TdScsi *td_scsi_power_on(const char *drive, const char *options);

/* Quit QEMU and read the traces; false on a peer, which has none. */
bool td_scsi_stop(TdScsi *hba);
void td_scsi_free(TdScsi *hba);

/* Of the unit that commands are for. */
uint32_t td_scsi_block_size(const TdScsi *hba);
uint64_t td_scsi_blocks(const TdScsi *hba);

/* ---- Commands ---------------------------------------------------------- */

TdScsiOutcome td_scsi_io(TdScsi *hba, const TdCdb *cdb,
                         const TdMemory *out, unsigned n_out,
                         const TdMemory *in, unsigned n_in);
/* Without data; with a buffer for as many bytes, that is sent or filled. */
TdScsiOutcome td_scsi_none(TdScsi *hba, TdCdb cdb);
TdScsiOutcome td_scsi_out(TdScsi *hba, TdCdb cdb, const void *data,
                          uint32_t bytes);
TdScsiOutcome td_scsi_in(TdScsi *hba, TdCdb cdb, void *data, uint32_t bytes);
/* What td_scsi_in() gives for a byte that the device did not write. */
#define TD_SCSI_UNTOUCHED 0xa5

/* In two steps: @submit returns a request for the others. */
unsigned td_scsi_submit(TdScsi *hba, const TdCdb *cdb,
                        const TdMemory *out, unsigned n_out,
                        const TdMemory *in, unsigned n_in);
bool td_scsi_is_done(TdScsi *hba, unsigned request);
TdScsiOutcome td_scsi_wait(TdScsi *hba, unsigned request);

/*
 * A task management function (VIRTIO_SCSI_T_TMF_…) for the unit, or one of
 * its requests; returns the response. Completions that it leads to are kept.
 */
uint8_t td_scsi_task(TdScsi *hba, uint32_t function, unsigned request);
#define TD_SCSI_NO_REQUEST TD_SCSI_REQUESTS

TdSense td_sense_parse(const uint8_t *data, unsigned bytes);

/* Read or write blocks by a correct command, which must work. */
void td_scsi_read(TdScsi *hba, uint64_t lba, void *data, size_t bytes);
void td_scsi_write(TdScsi *hba, uint64_t lba, const void *data, size_t bytes);
/* The unit still reads what is written. */
void td_scsi_check_alive(TdScsi *hba);

/* Take what unit attention conditions the unit has. */
void td_scsi_clear_unit_attention(TdScsi *hba);

/* ---- Expectations ------------------------------------------------------ */

/* GOOD status, and as many bytes of the lists were not used. */
#define td_scsi_expect_good(outcome, residual) \
    td_scsi_expect_good_at(__FILE__, __LINE__, outcome, residual)
/* CHECK CONDITION with TD_SENSE(…) */
#define td_scsi_expect_sense(outcome, code) \
    td_scsi_expect_sense_at(__FILE__, __LINE__, outcome, code)
/* The same, and with a field pointer; @bit -1: to the whole byte. */
#define td_scsi_expect_field(outcome, code, byte, bit) \
    td_scsi_expect_field_at(__FILE__, __LINE__, outcome, code, byte, bit)
#define td_scsi_expect_status(outcome, status) \
    td_scsi_expect_status_at(__FILE__, __LINE__, outcome, status)
/* What the HBA says: VIRTIO_SCSI_S_… */
#define td_scsi_expect_response(outcome, response) \
    td_scsi_expect_response_at(__FILE__, __LINE__, outcome, response)

void td_scsi_expect_good_at(const char *file, int line, TdScsiOutcome o,
                            uint32_t residual);
void td_scsi_expect_sense_at(const char *file, int line, TdScsiOutcome o,
                             uint32_t code);
void td_scsi_expect_field_at(const char *file, int line, TdScsiOutcome o,
                             uint32_t code, int byte, int bit);
void td_scsi_expect_status_at(const char *file, int line, TdScsiOutcome o,
                              uint8_t status);
void td_scsi_expect_response_at(const char *file, int line, TdScsiOutcome o,
                                uint8_t response);

#endif
