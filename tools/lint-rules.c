/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tracedisk lint: the table of rules; a new rule is one line here. */
#include "lint-rules.h"

const struct lint_rule *const lint_rules[] = {
    &lint_list_short,      &lint_list_long,       &lint_odd_element,    &lint_element_overlap,
    &lint_memory_shared,   &lint_outside_ram,     &lint_buffer_changed, &lint_tag_reused,
    &lint_tag_differs,     &lint_slot_reused,     &lint_queue_mixed,    &lint_out_of_range,
    &lint_read_unwritten,  &lint_read_differs,    &lint_missing_flush,  &lint_start_early,
    &lint_issue_stopped,   &lint_stop_in_flight,  &lint_reset_in_flight, &lint_port_in_use,
    &lint_list_not_memory, &lint_bad_fis,         &lint_register_width, &lint_interrupt_order,
    &lint_timeout,         &lint_retry_storm,     &lint_never_completed, &lint_guest_error,
};

const size_t lint_n_rules = G_N_ELEMENTS(lint_rules);
