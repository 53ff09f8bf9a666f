/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk-scsi: a disk (SPC-4, SBC-3, SAM-5) for any SCSI HBA of QEMU
 *
 *   scsi.c           the device on QEMU's SCSI bus
 *   scsi-request.c   the life of a request
 *   scsi-data.c      its data phase
 *   scsi-commands.c  which command is served by what; sense data
 *   scsi-block.c     commands that read and write blocks
 *   scsi-verify.c    commands that compare blocks
 *   scsi-copy.c      copies within the disk
 *   scsi-provisioning.c  UNMAP and what belongs to it
 *   scsi-inquiry.c   commands that tell what the disk is
 *   scsi-mode.c      mode pages
 *   scsi-reserve.c   reservations
 *   scsi-other.c     the rest
 *   observe.c        where the memory is that an HBA without lists uses
 *   doorbell.c       who asked, where an HBA answers its doorbell later
 *
 * A command has two steps. prepare() checks the CDB and fails or, where the
 * answer is known at once, makes it. run() is a coroutine that moves data. An
 * HBA with scatter-gather lists gives them with the request; any other takes
 * the data from a buffer of ours, a piece at a time.
 */
#ifndef HW_TRACEDISK_SCSI_H
#define HW_TRACEDISK_SCSI_H

#include "disk.h"
#include "doorbell.h"
#include "observe.h"
#include "hw/scsi/scsi.h"
#include "scsi/constants.h"

#define TYPE_TRACEDISK_SCSI "tracedisk-scsi"
OBJECT_DECLARE_SIMPLE_TYPE(TdScsi, TRACEDISK_SCSI)

/* Fixed format, SPC-4 4.5.3 */
#define SCSI_SENSE_LEN_FIXED 18

/* What an HBA without scatter-gather lists is given at a time. */
#define SCSI_PIECE_BYTES (256 * KiB)
/* The longest payload of a command that needs all of it at once. */
#define SCSI_MAX_BUFFERED (16 * MiB)
/* The longest WRITE ATOMIC; blocks of an UNMAP, of a WRITE SAME. */
#define SCSI_MAX_ATOMIC (1 * MiB)
#define SCSI_MAX_UNMAP_BLOCKS (1u << 20)
#define SCSI_MAX_SAME_BLOCKS 65535

#define SCSI_BUFFER_BYTES (64 * KiB)

/* Unit attention conditions, the first ones are told first (SAM-5 5.14) */
enum {
    SCSI_UA_RESET,              /* POWER ON, RESET, OR BUS DEVICE RESET */
    SCSI_UA_CAPACITY,           /* CAPACITY DATA HAS CHANGED */
    SCSI_UA_MICROCODE,          /* MICROCODE HAS BEEN CHANGED */
};

/* scsi-mode.c: the pages, in the order of their codes */
#define SCSI_MODE_PAGES 8
#define SCSI_MODE_PAGE_MAX 32

/* What COPY STATUS tells of the last EXTENDED COPY. */
typedef struct ScsiCopyStatus {
    uint8_t result;             /* 0: there was none */
    uint8_t list_id;
    uint16_t segments;          /* copied */
    uint64_t bytes;
} ScsiCopyStatus;

struct TdScsi {
    SCSIDevice parent_obj;
    TdDisk disk;
    TdDiskOptions options;
    TdObserver *observer;       /* of an HBA without scatter-gather lists */
    TdDoorbell *doorbell;       /* with origin=on, of some HBAs */
    char *serial;
    char *vendor;
    char *product;
    char *version;
    uint16_t rotation_rate;
    bool strict;                /* reserved bits of the CDB are looked at */

    uint32_t unit_attention;    /* bits of SCSI_UA_*, atomic */
    /* The HBA hands sense data over with the status: it is not kept. */
    bool autosense;
    /* Of the last command, until the next one. */
    uint8_t sense[SCSI_SENSE_LEN_FIXED];
    bool sense_valid;
    bool stopped;               /* START STOP UNIT */

    /* Mode parameters: as they are, and as they will be after a reset. */
    uint8_t mode[SCSI_MODE_PAGES][SCSI_MODE_PAGE_MAX];
    uint8_t saved_mode[SCSI_MODE_PAGES][SCSI_MODE_PAGE_MAX];

    /* Reservations, of the one initiator that there is. */
    bool reserved;              /* by RESERVE */
    uint64_t reservation_key;
    bool registered;
    uint32_t pr_generation;
    uint8_t reservation_type;   /* 0: none */

    bool bad_migration;         /* a request that cannot be was in it */
    ScsiCopyStatus copy;
    uint8_t buffer[SCSI_BUFFER_BYTES];  /* WRITE BUFFER's */

    /* One at a time: COMPARE AND WRITE, ORWRITE. */
    CoMutex atomic;
};

typedef struct ScsiCommandInfo ScsiCommandInfo;

typedef struct ScsiRequest {
    SCSIRequest req;
    TdTransfer transfer;
    struct td_decoded decoded;
    const ScsiCommandInfo *info;
    uint8_t status;             /* SAM-5 5.3.1 */
    bool finished;              /* run() is over */
    bool retry;                 /* the VM stopped for an error: do it again */
    bool run_again;             /* came with a migration, when the VM runs */

    /* The answer, or a parameter list, or a piece of a long payload. */
    uint8_t *buf;
    uint32_t reply;             /* bytes of the answer in buf */

    Coroutine *co;
    /* An HBA without scatter-gather lists takes or fills a piece of buf. */
    bool hba_has_turn;
    bool first_turn_over;
    bool turn_over;             /* the disk has not yet dealt with that piece */
    uint32_t piece;             /* bytes */
    uint64_t over;              /* bytes of the pieces before */
    uint64_t over_before;       /* of these, before a migration */
    uint64_t observed_since;
} ScsiRequest;

#define SCSI_NO_ACTION 0xff

enum {
    SCSI_UA_EXEMPT = 1 << 0,    /* runs in spite of a unit attention */
    SCSI_WHEN_STOPPED = 1 << 1, /* runs while the unit is stopped */
    SCSI_WRITES = 1 << 2,       /* fails on a write-protected medium */
    SCSI_TO_DEVICE = 1 << 3,    /* data-out, which QEMU takes for data-in */
};

struct ScsiCommandInfo {
    uint8_t opcode;
    uint8_t action;             /* service action, or SCSI_NO_ACTION */
    uint8_t flags;
    bool (*prepare)(ScsiRequest *c);            /* NULL: nothing to check */
    void coroutine_fn (*run)(ScsiRequest *c);   /* NULL: send the answer */
    /* CDB usage data, SPC-4 6.35.3: which bits the device looks at */
    const char *usage;
};

static inline TdScsi *scsi_disk(const ScsiRequest *c)
{
    return container_of(c->req.dev, TdScsi, parent_obj);
}

static inline const uint8_t *scsi_cdb(const ScsiRequest *c)
{
    return c->req.cmd.buf;
}

/* scsi-commands.c */
const ScsiCommandInfo *scsi_command_find(const uint8_t *cdb);
/* Does the operation code need a service action? */
bool scsi_command_has_actions(uint8_t opcode);
/* Which there is; NULL after the last one. */
const ScsiCommandInfo *scsi_command_nth(unsigned n);
/* Bytes that the CDB moves, where QEMU does not know. */
void scsi_command_fix_transfer(const TdScsi *s, SCSICommand *cmd);

/*
 * End a command with CHECK CONDITION. All return false, for a prepare() to
 * return. scsi_fail_field: byte and bit of the CDB that is wrong;
 * scsi_fail_parameter: of the parameter list; bit -1: the whole byte.
 */
bool scsi_fail(ScsiRequest *c, SCSISense sense);
bool scsi_fail_at(ScsiRequest *c, SCSISense sense, uint64_t information);
bool scsi_fail_field(ScsiRequest *c, uint16_t byte, int bit);
bool scsi_fail_parameter(ScsiRequest *c, uint16_t byte, int bit);
/* What the fault plan wants. */
void scsi_fail_by_fault(ScsiRequest *c);
/* What a failed request of the block layer looks like to the guest. */
void scsi_fail_io(ScsiRequest *c, int ret, bool is_read);
/* Sense data in fixed or descriptor format; returns its length. */
unsigned scsi_put_sense(uint8_t *buf, SCSISense sense, bool descriptor);

/*
 * A zeroed answer of @size bytes to fill; what the guest has no room for is
 * not sent.
 */
uint8_t *scsi_reply(ScsiRequest *c, uint32_t size);
/* After it was filled: it is shorter. */
void scsi_reply_shorten(ScsiRequest *c, uint32_t size);

/* scsi-request.c: what QEMU's bus calls. */
SCSIRequest *scsi_request_new(SCSIDevice *dev, uint32_t tag, uint32_t lun,
                              uint8_t *cdb, void *hba_private);
int scsi_request_parse(SCSIDevice *dev, SCSICommand *cmd, uint8_t *buf,
                       size_t buf_len, void *hba_private);

/* scsi-data.c: what a run() does. False: stop; the status is set. */
bool coroutine_fn scsi_co_send(ScsiRequest *c, const void *buf, uint32_t bytes);
bool coroutine_fn scsi_co_receive(ScsiRequest *c, void *buf, uint32_t bytes);
bool coroutine_fn scsi_co_read(ScsiRequest *c, uint64_t lba, uint64_t blocks);
bool coroutine_fn scsi_co_write(ScsiRequest *c, uint64_t lba, uint64_t blocks,
                                BdrvRequestFlags flags);
/* Write what is no payload as it is: part of one, or made of it. */
bool coroutine_fn scsi_co_store(ScsiRequest *c, int64_t offset,
                                const uint8_t *data, uint64_t bytes,
                                BdrvRequestFlags flags);
/* The whole data-out buffer; NULL: failed. */
uint8_t *coroutine_fn scsi_co_receive_all(ScsiRequest *c);

/* scsi-migration.c */
void scsi_save_request(QEMUFile *f, SCSIRequest *req);
void scsi_load_request(QEMUFile *f, SCSIRequest *req);
/*
 * The beginning of the payload went by before the migration: it counts, but of
 * a part there are neither bytes nor hashes.
 */
void scsi_begin_in_middle(ScsiRequest *c);
void scsi_forget_digests(ScsiRequest *c);

/* scsi.c */
void scsi_set_unit_attention(TdScsi *s, unsigned condition);
/* The first pending condition is told, and forgotten; false: none. */
bool scsi_take_unit_attention(TdScsi *s, SCSISense *sense);
bool scsi_write_protected(const TdScsi *s);

/* scsi-block.c, scsi-inquiry.c, scsi-mode.c, …: see the table */
bool scsi_prepare_blocks(ScsiRequest *c);
void coroutine_fn scsi_run_read(ScsiRequest *c);
void coroutine_fn scsi_run_write(ScsiRequest *c);
void coroutine_fn scsi_run_synchronize(ScsiRequest *c);
bool scsi_prepare_write_atomic(ScsiRequest *c);
BdrvRequestFlags scsi_write_flags(const ScsiRequest *c);

bool scsi_prepare_verify(ScsiRequest *c);
void coroutine_fn scsi_run_verify(ScsiRequest *c);
void coroutine_fn scsi_run_write_verify(ScsiRequest *c);
bool scsi_prepare_compare_and_write(ScsiRequest *c);
void coroutine_fn scsi_run_compare_and_write(ScsiRequest *c);
void coroutine_fn scsi_run_orwrite(ScsiRequest *c);

bool scsi_prepare_extended_copy(ScsiRequest *c);
void coroutine_fn scsi_run_extended_copy(ScsiRequest *c);
bool scsi_prepare_copy_results(ScsiRequest *c);
/* The page without its header; returns its length. */
unsigned scsi_vpd_third_party_copy(const ScsiRequest *c, uint8_t *p);

bool scsi_prepare_write_same(ScsiRequest *c);
void coroutine_fn scsi_run_write_same(ScsiRequest *c);
bool scsi_prepare_unmap(ScsiRequest *c);
void coroutine_fn scsi_run_unmap(ScsiRequest *c);
bool scsi_prepare_get_lba_status(ScsiRequest *c);
void coroutine_fn scsi_run_get_lba_status(ScsiRequest *c);

/* Does it meet a reservation that shuts it out, whoever sends it? */
bool scsi_reservation_conflicts(const ScsiRequest *c);
void coroutine_fn scsi_run_reserve(ScsiRequest *c);
void coroutine_fn scsi_run_release(ScsiRequest *c);
bool scsi_prepare_pr_in(ScsiRequest *c);
bool scsi_prepare_pr_out(ScsiRequest *c);
void coroutine_fn scsi_run_pr_out(ScsiRequest *c);

bool scsi_prepare_report_opcodes(ScsiRequest *c);
bool scsi_prepare_report_tmf(ScsiRequest *c);
bool scsi_prepare_log_sense(ScsiRequest *c);
bool scsi_prepare_read_defects(ScsiRequest *c);
bool scsi_prepare_read_buffer(ScsiRequest *c);
bool scsi_prepare_write_buffer(ScsiRequest *c);
void coroutine_fn scsi_run_write_buffer(ScsiRequest *c);
bool scsi_prepare_send_diagnostic(ScsiRequest *c);
bool scsi_prepare_format_unit(ScsiRequest *c);
void coroutine_fn scsi_run_format_unit(ScsiRequest *c);
bool scsi_prepare_sanitize(ScsiRequest *c);
void coroutine_fn scsi_run_sanitize(ScsiRequest *c);

bool scsi_prepare_inquiry(ScsiRequest *c);
/* The designation descriptors of VPD page 83h; returns their length. */
#define SCSI_DESIGNATORS_MAX 128
unsigned scsi_put_designators(const TdScsi *s, uint8_t *p);
bool scsi_prepare_read_capacity_10(ScsiRequest *c);
bool scsi_prepare_read_capacity_16(ScsiRequest *c);

bool scsi_prepare_mode_sense(ScsiRequest *c);
bool scsi_prepare_mode_select(ScsiRequest *c);
void coroutine_fn scsi_run_mode_select(ScsiRequest *c);
/* Mode parameters after power on (their defaults) or a reset (the saved). */
void scsi_mode_init(TdScsi *s);
void scsi_mode_reset(TdScsi *s);
bool scsi_mode_software_write_protect(const TdScsi *s);

bool scsi_prepare_request_sense(ScsiRequest *c);
bool scsi_prepare_start_stop(ScsiRequest *c);
void coroutine_fn scsi_run_start_stop(ScsiRequest *c);
void coroutine_fn scsi_run_nothing(ScsiRequest *c);

#endif
