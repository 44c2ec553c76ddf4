/* SPDX-License-Identifier: GPL-2.0-or-later
 * The agent's shell has a row for every kind of action. The table is private to its file, so the
 * file itself is included. */
#include "exhaustive/table.h"

#include "agent/perform.c"

/* A new kind: -Wswitch asks for it here. */
static int next(int kind)
{
    switch ((enum agent_action_kind)kind) {
    case AA_PERSIST:
    case AA_RECORD:
    case AA_REPORT:
    case AA_REFUSE:
    case AA_LEASE:
    case AA_ASK:
    case AA_PROMISE:
    case AA_GATE:
    case AA_PROBE:
    case AA_SHOW:
    case AA_HIDE:
    case AA_JOB:
    case AA_TAIL:
    case AA_ASIDE:
    case AA_JOB_CANCEL:
    case AA_KILL_MYSQLD:
    case AA_SAY:
        return kind + 1;
    }
    return -1;
}

unsigned table_agent(void)
{
    unsigned missing = 0;
    int kind = 0;

    for (; next(kind) > 0; kind++)
        if ((unsigned)kind >= ARRAY_LEN(perform) || !perform[kind]) {
            printf("FAILED agent/perform.c has no row for action %d\n", kind);
            missing++;
        }
    printf("agent/perform.c: %d kinds of action\n", kind);
    return missing + ((unsigned)kind != ARRAY_LEN(perform));
}
