/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What there is to cover of fault plans: their keys, by the device's own table.
 */
#include "suite.h"
#include "hw/tracedisk/fault-keys.h"

#define FAULT_KEY(name_, protocols_, acts_, parse, wanted_) \
    { name_, protocols_, acts_, wanted_ },

static const struct {
    const char *name;
    unsigned protocols;
    bool acts;
    const char *wanted;
} keys[] = { FAULT_KEYS(FAULT_KEY) };

void faults_items(void)
{
    for (unsigned i = 0; i < ARRAY_SIZE(keys); i++) {
        bool scsi = keys[i].protocols == FOR_SCSI;
        g_autofree char *item =
            g_strdup_printf("%s:%s%s", keys[i].acts ? "fault" : "match",
                            keys[i].name, scsi ? "(scsi)" : "");

        if (scsi) {
            td_item_unreachable(item, keys[i].wanted, "on an AHCI HBA: "
                                "tests/faults/test-linux has it");
        } else {
            td_item(item, keys[i].wanted);
        }
    }
    td_item("match:seed", "of [plan]: a number");
}
