/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The SCSI suite: its topics, and what several of them need.
 *
 * Clauses are of SPC-4 (revision 37), SBC-3 (36), SAM-5 (21) and virtio 1.2.
 */
#ifndef TRACEDISK_SCSI_SUITE_H
#define TRACEDISK_SCSI_SUITE_H

#include "../libtracedisk-qos/scsi.h"

/* What there is to cover: TdSuite.items. It asks a disk. */
void scsi_items(void);

/* ---- The commands: commands.c ------------------------------------------ */

#define NO_ACTION 0xff

enum {
    HAS_LBA = 1 << 0,           /* LBA and a number of blocks */
    BLOCKS_IN = 1 << 1,         /* as many blocks of data-in */
    BLOCKS_OUT = 1 << 2,
    HAS_ALLOCATION = 1 << 3,    /* an allocation length */
    HAS_PARAMETERS = 1 << 4,    /* a parameter list */
    WRITES = 1 << 5,            /* changes the medium */
    NEEDS_MEDIUM = 1 << 6,      /* fails while the unit is stopped */
    UA_EXEMPT = 1 << 7,         /* runs in spite of a unit attention */
    ZERO_IS_REFUSED = 1 << 8,   /* a length of 0 */
    AT_LEAST_16 = 1 << 9,       /* QEMU's bus wants an allocation of that */
    OF_BUS = 1 << 10,           /* answered by QEMU's SCSI bus: not traced */
};

typedef struct ScsiCall ScsiCall;

typedef struct ScsiCommand {
    TdRow row;                  /* titled as the trace has it */
    uint8_t opcode, action;
    uint16_t flags;
    uint8_t length_at, length_bytes;    /* the length field; 0: there is none */
    uint8_t bad_byte, bad_bits; /* flipped: refused for this field; 0: none */
    /* What else makes a right command of it, its data and what it presumes. */
    void (*fill)(TdScsi *hba, ScsiCall *call);
} ScsiCommand;

#define N_SCSI_COMMANDS 68
extern const ScsiCommand scsi_commands[N_SCSI_COMMANDS];

/* A right command with its data. */
#define CALL_LBA 8
#define CALL_BLOCKS 2
#define CALL_BYTES_MAX 0x11000
struct ScsiCall {
    const ScsiCommand *command;
    TdCdb cdb;
    uint32_t out_bytes, in_bytes;
    uint8_t out[CALL_BYTES_MAX], in[CALL_BYTES_MAX];
};

void make_call(TdScsi *hba, const ScsiCommand *command, ScsiCall *call);
/* The same with this in the length field, and buffers that fit. */
void set_call_length(TdScsi *hba, ScsiCall *call, uint32_t length);
TdScsiOutcome send_call(TdScsi *hba, ScsiCall *call);

/*
 * On a peer: does it have the command? It is optional. What is ours has all,
 * and the case goes on and shows it.
 */
bool has_command(TdScsi *hba, const ScsiCommand *command);
const ScsiCommand *find_command(const char *name);

/* "command:88", "command:9e/10": the item of a command; to be freed. */
char *command_item(uint8_t opcode, uint8_t action);

/* What all commands here could write is as it was: zeros. */
void expect_unwritten(TdScsi *hba);
/* As the field pointer is optional, it is held to be right where it is. */
void expect_invalid_field(TdScsiOutcome o, int byte);

/* ---- Topics ------------------------------------------------------------ */

/* The cases that each command has, and those that go through all of them. */
extern const TdTopic topic_command;
const TdTopic *topic_every_command(void);

extern const TdTopic topic_identity, topic_blocks, topic_compare,
                     topic_provisioning, topic_modes, topic_reservations,
                     topic_medium, topic_reports, topic_sense, topic_tasks;

/* What most cases are: checked on the unit of 512 and on that of 4096 bytes. */
typedef struct OnUnits {
    void (*check)(TdScsi *hba);
    const char *needs;          /* a command that a peer may not have */
    const char *options;        /* of the disks */
} OnUnits;

void run_on_units(void);
#define ON_UNITS(...) \
    .run = run_on_units, .data = &(const OnUnits) { __VA_ARGS__ }

/* Why a case makes sense on a tracedisk only. */
#define OURS_STRICT "strict=on"
#define OURS_FAULTS "a fault plan that holds commands"

/* The answer to a CDB with this in its allocation length; its bytes. */
#define ANSWER_BYTES 4096
unsigned ask(TdScsi *hba, TdCdb cdb, uint8_t *answer);
/*
 * An answer of which @sent bytes came says that it has @told: so it has, and
 * that is returned. (QEMU's own disk fills a buffer up with zeros: a matter of
 * the cases about allocation lengths, and of no other.)
 */
unsigned expect_sent(unsigned told, unsigned sent);
unsigned ask_vpd(TdScsi *hba, uint8_t page, uint8_t *answer);
unsigned ask_mode(TdScsi *hba, uint8_t page, uint8_t control,
                  uint8_t *answer);

/* These bytes of the medium are all this. */
void expect_medium(TdScsi *hba, uint64_t lba, unsigned blocks, uint8_t byte);

#endif
