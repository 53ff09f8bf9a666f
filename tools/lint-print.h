/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tracedisk lint: findings as text, as JSON, as SARIF. */
#ifndef TOOLS_LINT_PRINT_H
#define TOOLS_LINT_PRINT_H

#include "lint.h"

/* "error", "warning", "info". */
const char *lint_severity_name(enum lint_severity severity);

void lint_print_text(const struct lint *l);
void lint_print_json(const struct lint *l); /* one object a line, the last a summary */
void lint_print_sarif(const struct lint *l, const char *trace);

/* What a rule looks for and why. */
void lint_explain(const struct lint_rule *rule);

#endif
