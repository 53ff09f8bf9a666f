/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The strict suite: the same mistake of a driver on a disk that forgives it, as
 * QEMU's own does, and with strict=on, as on metal. Each then does it right.
 *
 * Clauses in brackets are of AHCI 1.3.1.
 */
#ifndef TRACEDISK_STRICT_SUITE_H
#define TRACEDISK_STRICT_SUITE_H

#include "../libtracedisk-qos/ahci.h"

extern const TdTopic topic_port, topic_link, topic_lists, topic_commands;

/* What there is to cover: TdSuite.items, all that tracedisk-devices(7) lists */
void strict_items(void);

#define SECTORS 8
#define BYTES (SECTORS * 512)
#define MS (1000 * 1000)

/* So slow that a command is in flight until the clock is stepped. */
#define SLOW ",throttling.iops-total=1"

enum { SCTL = 0x300, SCTL_COMRESET = 0x301 };
enum { PX_CMD_CLO = 1 << 3 };

/* A mistake, and what comes of it. */
typedef struct Rule {
    TdRow row;
    void (*check)(bool strict);
} Rule;

#define STRICT(id, title_, clause_, check_) \
    { { id, title_, clause_, "strict:" id }, check_ }

/* Each rule with strict=on, where it matters, and off. */
void run_strict(void);
void run_forgiving(void);
#define STRICT_CASES(rules) { \
        { .name = "on", .title = "as on metal, and the right way works", \
          .good = "@", .bad = "@", .ours = "strict=on", .clock = true, \
          .run = run_strict, TD_ROWS(rules) }, \
        { .name = "off", .title = "forgiven", \
          .ours = "what no clause defines, and a tracedisk does", \
          .clock = true, .run = run_forgiving, TD_ROWS(rules) }, \
    }

TdAhci *start(bool strict, const char *drive);
void check_bits(TdAhci *hba, uint32_t reg, uint32_t bits, bool set);
/* What a careful driver does makes the port well, whatever it was. */
void check_comreset_mends(TdAhci *hba);
/* QEMU ends; with strict=on the trace has this guest error, if any. */
void finish(TdAhci *hba, bool strict, const char *strict_error);

#endif
