/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ATA suite: every command of the disk, with good and with bad input. Its
 * topics are in ata/.
 */
#include "ata/suite.h"

int main(int argc, char **argv)
{
    static const TdTopic *const topics[] = {
        &topic_identify, &topic_access, &topic_queued, &topic_uncorrectable,
        &topic_trim, &topic_flush, &topic_logs, &topic_smart, &topic_features,
        &topic_power, &topic_no_data, &topic_other, &topic_unknown, NULL
    };
    static const TdSuite suite = {
        .name = "ata", .topics = topics, .items = ata_items,
    };

    return td_suite_main(argc, argv, &suite);
}
