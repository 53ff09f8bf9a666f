/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk: fault plans
 *
 * A plan is a key file, tracedisk-faults(5): each section says which commands
 * it is for, and what is done to them. A command that starts is held against
 * the sections in their order, and the first that hits is its fault:
 *
 *   fault-plan.c  a plan, read and checked
 *   faults.c      the plan in force; a command meets it
 */
#ifndef HW_TRACEDISK_FAULTS_H
#define HW_TRACEDISK_FAULTS_H

#include "libtracedisk/tracedisk.h"

typedef struct TdFaults TdFaults;

/* What is done to a command; bits, since a section may do several things. */
enum {
    TD_FAULT_DELAY = 1 << 0,
    TD_FAULT_REORDER = 1 << 1,
    TD_FAULT_FAIL = 1 << 2,
    TD_FAULT_SHORT = 1 << 3,
    TD_FAULT_FLIP = 1 << 4,
    TD_FAULT_INTERRUPT = 1 << 5,
    TD_FAULT_LINK = 1 << 6,
};

typedef struct TdFault {
    unsigned what;              /* bits of TD_FAULT_* */
    uint64_t delay_ns;          /* the longest wait, with TD_FAULT_REORDER */
    uint64_t reorder;           /* commands that may end first */
    uint8_t status;             /* ATA: STATUS; SCSI: status code */
    uint8_t error;              /* ATA: ERROR */
    uint8_t sense_key, asc, ascq;
    uint64_t short_bytes;       /* the most that moves */
    uint64_t flip_offset;       /* in the payload */
    uint8_t flip_mask;
    uint64_t interrupt_ns;      /* 0: it never comes */
} TdFault;

/* A command as a plan sees it. */
typedef struct TdFaultSubject {
    uint32_t port;
    uint64_t tag;
    const struct td_decoded *decoded;
} TdFaultSubject;

/* ---- fault-plan.c ------------------------------------------------------ */

/* A section. Ranges have both ends in them. */
typedef struct TdFaultRule {
    char *text;                 /* "[name] key=value…", for the trace */
    char *command;              /* a pattern; NULL: any */
    uint32_t ops;               /* bits of enum td_op; 0: any */
    uint64_t first_lba, last_lba;
    uint64_t first_tag, last_tag;
    uint64_t first_port, last_port;
    bool has_lba;
    uint64_t nth, every, count; /* 0: not said */
    double probability;
    TdFault fault;

    uint64_t matches, hits;
    GRand *rand;                /* of its own: others do not disturb it */
} TdFaultRule;

typedef struct TdFaultPlan {
    GPtrArray *rules;           /* of TdFaultRule */
} TdFaultPlan;

/* Read the plan at @path for a disk of @protocol; NULL: @errp says why. */
TdFaultPlan *td_fault_plan_load(const char *path, enum td_protocol protocol,
                                Error **errp);
void td_fault_plan_free(TdFaultPlan *plan);

/* ---- faults.c ---------------------------------------------------------- */

TdFaults *td_faults_new(void);
void td_faults_free(TdFaults *f);

/*
 * The property "faults", a path: set before the device is realized it is read
 * then, by td_faults_realize(); later at once, and "" ends all faults.
 */
void td_faults_add_property(Object *obj, TdFaults *f);
bool td_faults_realize(TdFaults *f, enum td_protocol protocol, Error **errp);

/* Is there a plan? The only cost without one. */
bool td_faults_any(const TdFaults *f);

/*
 * Count @subject in all sections. True: *@fault is done to it, and *@text, to
 * be freed, says so.
 */
bool td_faults_match(TdFaults *f, const TdFaultSubject *subject, TdFault *fault,
                     char **text);

#endif
