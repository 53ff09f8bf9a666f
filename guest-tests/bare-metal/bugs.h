/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Planted bugs: what drivers get wrong, one at a time, chosen by bug=NAME on
 * the command line. tracedisk lint has a rule for each of them.
 *
 * The driver stays readable: where one line can go wrong it asks has_bug();
 * what is wrong with a command is done to it by bug_spoil_command().
 */
#ifndef BUGS_H
#define BUGS_H

#include <stdbool.h>
#include <stdint.h>

struct ahci_command;
struct disk_element;

enum bug {
    BUG_NONE,
    /* Of a command (bugs.c). */
    BUG_ELEMENT_OFF_BY_A_PAGE,
    BUG_LIST_SHORT,
    BUG_LIST_LONG,
    BUG_STALE_ELEMENT,
    BUG_SHARED_MEMORY,
    BUG_ODD_LENGTH,
    BUG_ODD_ADDRESS,
    BUG_WILD_ADDRESS,
    BUG_TRUNCATED_ADDRESS,
    BUG_OVERLAPPING_ELEMENTS,
    BUG_TAG_REUSED,
    BUG_QUEUE_MIXED,
    BUG_BEYOND_END,
    BUG_BAD_FIS,
    /* Of the load (load.c). */
    BUG_BUFFER_CHANGED,
    BUG_MISSING_FLUSH,
    BUG_READ_UNWRITTEN,
    BUG_RETRY_STORM,
    BUG_STOP_IN_FLIGHT,
    BUG_RESET_IN_FLIGHT,
    BUG_EXIT_IN_FLIGHT,
    /* Of the driver (ahci.c). */
    BUG_COMPLETION_BY_CI,
    BUG_INTERRUPT_ORDER,
    BUG_START_EARLY,
    BUG_NO_LIST,
    BUG_STOP_ORDER,
    BUG_ISSUE_STOPPED,
    BUG_WILD_TABLE,
    BUG_NARROW_REGISTER,
    BUG_SHORT_COMRESET,
};

extern enum bug the_bug;

static inline bool has_bug(enum bug bug)
{
    return __builtin_expect(the_bug == bug, 0);
}

/* bug=NAME: dies with all names when there is none such. */
void bug_plant(const char *name);

/*
 * Make a command what the bug makes of it; elements are the command's, and
 * may be changed.
 */
void bug_spoil_command(struct ahci_command *command,
                       struct disk_element *elements, unsigned slot);

#endif
