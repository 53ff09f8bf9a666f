/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The strict suite: every rule of strict=on. Its topics are in strict/.
 */
#include "strict/suite.h"

int main(int argc, char **argv)
{
    static const TdTopic *const topics[] = {
        &topic_port, &topic_link, &topic_lists, &topic_commands, NULL
    };
    static const TdSuite suite = {
        .name = "strict", .topics = topics, .items = strict_items,
    };

    return td_suite_main(argc, argv, &suite);
}
