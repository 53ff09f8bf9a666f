/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tracedisk lint: all rules, by the file that holds them. */
#ifndef TOOLS_LINT_RULES_H
#define TOOLS_LINT_RULES_H

#include "lint.h"

/* lint-rules-memory.c: scatter-gather lists and the memory they name */
extern const struct lint_rule lint_list_short, lint_list_long, lint_odd_element,
    lint_element_overlap, lint_memory_shared, lint_outside_ram, lint_buffer_changed;

/* lint-rules-queue.c: tags, queues, time */
extern const struct lint_rule lint_tag_reused, lint_interrupt_order,
    lint_reset_in_flight, lint_timeout, lint_retry_storm, lint_never_completed;

/* lint-rules-data.c: blocks and what they hold */
extern const struct lint_rule lint_out_of_range, lint_read_unwritten, lint_read_differs,
    lint_missing_flush;

/* lint-rules-port.c: what the HBA itself noticed */
bool lint_hba_says(const struct lint_rule *rule, const struct lint_event *e);
extern const struct lint_rule lint_tag_differs, lint_slot_reused, lint_queue_mixed,
    lint_start_early, lint_issue_stopped, lint_stop_in_flight, lint_port_in_use,
    lint_list_not_memory, lint_bad_fis, lint_register_width, lint_guest_error;

#endif
