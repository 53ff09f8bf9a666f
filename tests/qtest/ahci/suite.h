/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The AHCI suite: its topics, and what several of them need.
 *
 * Clauses are of AHCI 1.3.1 where no other specification is named.
 */
#ifndef TRACEDISK_AHCI_SUITE_H
#define TRACEDISK_AHCI_SUITE_H

#include "../libtracedisk-qos/ahci.h"
#include "qemu/host-utils.h"

extern const TdTopic topic_registers, topic_port, topic_interrupts, topic_fis,
                     topic_prdt, topic_memory, topic_issue, topic_reset,
                     topic_ncq, topic_ports, topic_chaos, topic_absent;

/* What there is to cover: TdSuite.items */
void ahci_items(void);

/* The transfer of most cases. */
#define SECTORS 8
#define BYTES (SECTORS * 512)

/* A drive that takes a tenth of a second for a command. */
#define HELD ",throttling.iops-total=10"

/* One that takes half a second, for what must happen meanwhile. */
#define VERY_SLOW ",throttling.iops-total=2"

/* Why a case makes sense on a tracedisk only. */
#define OURS_DEFINED "what no clause defines, and a tracedisk does"
#define OURS_STRICT "strict=on"
#define OURS_REGISTERS "registers=on"
#define OURS_PORTS "ports= and drive1="

/* A disk with known content in its first blocks, and the content. */
TdAhci *start_with_pattern(const char *options, uint8_t *data);

/* Read those blocks. */
TdOutcome read_to(TdAhci *hba, const TdPrd *list, uint16_t n);

/* The trace has exactly this list. */
void check_elements(const TdTraced *t, const TdPrd *list, uint16_t n);

/* Long enough for some commands of a drive that is HELD. */
void let_time_pass(void);

/* Reads in all slots, queued or not, slot N to @base + N * BYTES; issued. */
void fill_all(TdAhci *hba, bool queued, uint64_t base);

/* How many commands ended like this, as the trace says. */
unsigned count_status(TdAhci *hba, enum td_status status);

/* COMRESET, and wait for the link [10.4.2] */
void reset_port(TdAhci *hba);

#endif
