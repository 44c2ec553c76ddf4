/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "monitor/network.h"

void network_init(struct network *n, int64_t now, int64_t period_ms, int64_t timeout_ms)
{
    *n = (struct network){
        .period_ms = period_ms,
        .limit_ms = timeout_ms + period_ms,
        .since_ms = now,
        .looked_ms = now,
    };
}

bool network_heard(struct network *n, int64_t now, int64_t *silent_ms)
{
    bool changed = !n->known || !n->up;

    *silent_ms = now - n->since_ms;
    n->since_ms = now;
    n->known = n->up = true;
    return changed;
}

bool network_look(struct network *n, int64_t now, int64_t *silent_ms)
{
    bool late = now - n->looked_ms > 2 * n->period_ms;

    n->looked_ms = now;
    if (late && (n->up || !n->known))
        n->since_ms = now;
    *silent_ms = now - n->since_ms;
    if ((n->known && !n->up) || *silent_ms < n->limit_ms)
        return false;
    n->known = true;
    n->up = false;
    return true;
}
