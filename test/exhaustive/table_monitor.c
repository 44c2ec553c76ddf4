/* SPDX-License-Identifier: GPL-2.0-or-later
 * The monitor's shell has a row for every kind of action. */
#include "exhaustive/table.h"

#include "monitor/cluster.c"

static int next(int kind)
{
    switch ((enum action_kind)kind) {
    case ACT_PERSIST:
    case ACT_BEAT:
    case ACT_ORDER:
    case ACT_GRANT:
    case ACT_ANSWER:
    case ACT_EVENT:
    case ACT_KILL_HOST:
    case ACT_RECEIPT:
        return kind + 1;
    }
    return -1;
}

unsigned table_monitor(void)
{
    unsigned missing = 0;
    int kind = 0;

    for (; next(kind) > 0; kind++)
        if ((unsigned)kind >= ARRAY_LEN(perform) || !perform[kind]) {
            printf("FAILED monitor/cluster.c has no row for action %d\n", kind);
            missing++;
        }
    printf("monitor/cluster.c: %d kinds of action\n", kind);
    return missing + ((unsigned)kind != ARRAY_LEN(perform));
}
