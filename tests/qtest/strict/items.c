/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What there is to cover of strict=on: all that tracedisk-devices(7) lists.
 */
#include "suite.h"

static const char *const items[] = {
    "strict:start-without-fre",
    "strict:stop-takes-time",
    "strict:start-before-stopped",
    "strict:busy-after-stop",
    "strict:pointers-in-use",
    "strict:comreset-short",
    "strict:comreset-link",
    "strict:overflow-read",
    "strict:overflow-write",
    "strict:odd-address",
    "strict:odd-count",
    "strict:fis-length",
    "strict:reserved-count",
    "strict:mixed",
    "strict:prd-interrupt", "strict:pio-end",
};

void strict_items(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(items); i++) {
        td_item(items[i], NULL);
    }
}
