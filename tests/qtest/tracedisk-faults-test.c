/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The faults suite: every key of a fault plan. Its topics are in faults/.
 */
#include "faults/suite.h"

int main(int argc, char **argv)
{
    static const TdTopic *const topics[] = {
        &topic_match, &topic_failures, &topic_data, &topic_time,
        &topic_interrupts, &topic_link, &topic_plan, NULL
    };
    static const TdSuite suite = {
        .name = "faults", .topics = topics, .items = faults_items,
    };
    int status = td_suite_main(argc, argv, &suite);

    forget_plan();
    return status;
}
