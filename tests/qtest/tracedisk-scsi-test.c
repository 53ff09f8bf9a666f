/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The SCSI suite: every command of the disk on virtio-scsi, with good and with
 * bad input. Its topics are in scsi/.
 */
#include "scsi/suite.h"

int main(int argc, char **argv)
{
    const TdTopic *const topics[] = {
        &topic_command, topic_every_command(), &topic_identity, &topic_blocks,
        &topic_compare, &topic_provisioning, &topic_modes,
        &topic_reservations, &topic_medium, &topic_reports, &topic_sense,
        &topic_tasks, NULL
    };
    TdSuite suite = { .name = "scsi", .topics = topics, .items = scsi_items };

    return td_suite_main(argc, argv, &suite);
}
