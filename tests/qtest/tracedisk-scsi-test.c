/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The SCSI suite: every command of the disk on virtio-scsi, with good and with
 * bad input. Its topics are in scsi/.
 */
#include "scsi/suite.h"

int main(int argc, char **argv)
{
    static const TdTopic *const written[] = {
        &topic_identity, &topic_blocks, &topic_compare, &topic_provisioning,
        &topic_modes, &topic_reservations, &topic_medium, &topic_reports,
        &topic_sense, &topic_tasks,
    };
    g_autoptr(GPtrArray) topics = g_ptr_array_new();
    TdSuite suite = { .name = "scsi", .items = scsi_items };

    add_command_topics(topics);
    add_every_command_topic(topics);
    for (unsigned i = 0; i < ARRAY_SIZE(written); i++) {
        g_ptr_array_add(topics, (gpointer)written[i]);
    }
    g_ptr_array_add(topics, NULL);
    suite.topics = (const TdTopic *const *)topics->pdata;
    return td_suite_main(argc, argv, &suite);
}
