/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/complain.h"

#include <stdio.h>
#include <string.h>

enum complain_turn complain_turn(struct complain *c, const char *who, int kind, int64_t now_ms,
                                 unsigned *held)
{
    struct complain_slot *s = NULL, *oldest = &c->slot[0];

    for (unsigned i = 0; i < COMPLAIN_N && !s; i++) {
        struct complain_slot *at = &c->slot[i];

        if (at->kind == kind && strncmp(at->who, who, sizeof at->who - 1) == 0)
            s = at;
        else if (at->limit.next_ms < oldest->limit.next_ms)
            oldest = at;
    }
    if (!s &&
        oldest->limit.next_ms > now_ms) /* its minute is not over: nobody is forgotten early */
        return log_allowed(&c->others, now_ms, held) ? COMPLAIN_SAY_OTHERS : COMPLAIN_HOLD;
    if (!s) {
        c->others.held += oldest->limit.held;
        s = oldest;
        *s = (struct complain_slot){.kind = kind};
        snprintf(s->who, sizeof s->who, "%s", who);
    }
    return log_allowed(&s->limit, now_ms, held) ? COMPLAIN_SAY : COMPLAIN_HOLD;
}
