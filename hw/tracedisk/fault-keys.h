/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * tracedisk: the keys of a fault plan, docs/tracedisk-faults.5
 *
 * The conformance suite reads the table, too: a key without a case shows there.
 */
#ifndef HW_TRACEDISK_FAULT_KEYS_H
#define HW_TRACEDISK_FAULT_KEYS_H

#include "libtracedisk/tracedisk.h"

/* Who may use a key. */
enum { FOR_ATA = 1 << TD_ATA, FOR_SCSI = 1 << TD_SCSI,
       FOR_ALL = FOR_ATA | FOR_SCSI };

#define A_TIME "a time from 1ns to 3600s, such as 500us, 10ms or 2s"
#define A_POSITIVE "a number from 1 on"

/* Name, for whom, whether it says what is done, parser, what a value is. */
#define FAULT_KEYS(X) \
    X("command", FOR_ALL, false, parse_command, \
      "a command's name as tracedisk dump prints it; * stands for any part") \
    X("op", FOR_ALL, false, parse_op, \
      "read, write, flush, trim, zero, verify, identify or other") \
    X("lba", FOR_ALL, false, parse_lba, \
      "a block A, or a range A-B of blocks") \
    X("tag", FOR_ALL, false, parse_tag, "a tag A, or a range A-B of tags") \
    X("port", FOR_ATA, false, parse_port, \
      "a port A, or a range A-B of ports") \
    X("nth", FOR_ALL, false, parse_nth, A_POSITIVE) \
    X("every", FOR_ALL, false, parse_every, A_POSITIVE) \
    X("count", FOR_ALL, false, parse_count, A_POSITIVE) \
    X("probability", FOR_ALL, false, parse_probability, \
      "a number above 0 and up to 1") \
    X("delay", FOR_ALL, true, parse_delay, A_TIME) \
    X("reorder", FOR_ALL, true, parse_reorder, A_POSITIVE) \
    X("error", FOR_ATA, true, parse_error, \
      "icrc, unc, idnf, abrt or a byte, such as 0x40") \
    X("status", FOR_ATA, true, parse_ata_status, \
      "a byte with ERR (0x01) and without BSY and DRQ, such as 0x51") \
    X("status", FOR_SCSI, true, parse_scsi_status, \
      "check-condition, busy, task-set-full, reservation-conflict, " \
      "aca-active or task-aborted") \
    X("sense", FOR_SCSI, true, parse_sense, \
      "KEY/ASC/ASCQ in hexadecimal, such as 3/11/00") \
    X("short", FOR_ALL, true, parse_short, "a number of bytes") \
    X("flip", FOR_ALL, true, parse_flip, \
      "an offset in the payload, in bytes") \
    X("mask", FOR_ALL, true, parse_mask, "a byte from 0x01 to 0xff") \
    X("interrupt", FOR_ATA, true, parse_interrupt, "drop, or " A_TIME) \
    X("link", FOR_ATA, true, parse_link, "reset")

#endif
