/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The faults suite: a disk with a plan of what shall go wrong, what the driver
 * sees of each fault, and what the trace tells of it. tests/faults has Linux
 * meet them.
 *
 * Items are the keys of tracedisk-faults(5): "match:lba" says which commands,
 * "fault:delay" what happens to them.
 */
#ifndef TRACEDISK_FAULTS_SUITE_H
#define TRACEDISK_FAULTS_SUITE_H

#include "../libtracedisk-qos/ahci.h"

extern const TdTopic topic_match, topic_failures, topic_data, topic_time,
                     topic_interrupts, topic_link, topic_plan;

/* What there is to cover: TdSuite.items, from the device's own table */
void faults_items(void);

#define SECTORS 8
#define BYTES (SECTORS * 512)

#define OURS_FAULTS "faults="

/* A file with this plan, in the place of the one before. */
const char *write_plan(const char *plan);
void forget_plan(void);
/* A disk with this plan. */
TdAhci *start(const char *plan);

/* A command of BYTES; DMA, or as the FIS says. */
TdOutcome run(TdAhci *hba, const RegH2DFIS *fis, uint64_t addr);
TdOutcome run_at(TdAhci *hba, uint8_t command, uint64_t lba, uint64_t addr);
bool has_failed(TdOutcome o);

/* A queued read in slot @tag, of blocks of its own. */
void fill_queued(TdAhci *hba, unsigned tag, uint64_t addr);
void wait_for_sact(TdAhci *hba, uint32_t sact);

/* The trace's @n-th fault, which stands before its command's end; and all. */
void check_fault(TdAhci *hba, unsigned n, const char *text,
                 const TdTraced *command);
unsigned faults(TdAhci *hba);

#endif
