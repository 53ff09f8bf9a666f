/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The AHCI suite: registers, FISes, lists, resets and errors of an HBA, with
 * good and with bad input. Its topics are in ahci/.
 */
#include "ahci/suite.h"

int main(int argc, char **argv)
{
    static const TdTopic *const topics[] = {
        &topic_registers, &topic_port, &topic_interrupts, &topic_fis,
        &topic_prdt, &topic_memory, &topic_issue, &topic_reset, &topic_ncq,
        &topic_ports, &topic_absent, &topic_chaos, NULL
    };
    static const TdSuite suite = {
        .name = "ahci", .topics = topics, .items = ahci_items,
    };

    return td_suite_main(argc, argv, &suite);
}
