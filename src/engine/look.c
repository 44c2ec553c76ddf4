/* SPDX-License-Identifier: GPL-2.0-or-later
 * Before a planned move blocks writes, the agents of both hosts look what would hold it up: open
 * transactions, locks, rights that their accounts lack. What is found ends the move, and nothing
 * was changed. A look is an order with a new number; the report that gives the number back has the
 * answer. */
#include "engine/engine_internal.h"

#include <stdio.h>

enum {
    LOOK_PATIENCE_MS = 5000, /* for both to answer */
    LOOK_FRESH_MS = 1000,    /* what was found counts for so long */
};

void look_anew(struct engine *e)
{
    struct move *m = &e->move;

    if (!slot_writable(e, m->slot) || e->slot[m->slot].forced)
        return;
    m->look = e->epoch << 32 | ++e->serial;
    m->look_at = e->now;
    m->looked_at = 0;
}

uint64_t look_ordered(const struct engine *e, int h)
{
    const struct move *m = &e->move;

    if (m->phase == MOVE_LAG && m->look && (h == m->from || h == m->to))
        return m->look;
    return e->host[h].order.look;
}

bool look_over(struct engine *e, bool caught_up, char *error, size_t size)
{
    struct move *m = &e->move;
    const int both[] = {m->from, m->to};
    unsigned seen = 0;

    for (unsigned i = 0; i < ARRAY_LEN(both) && m->look; i++) {
        const struct msg_report *r = &e->host[both[i]].report;

        seen += r->looked == m->look;
        if (r->looked == m->look && r->obstacle[0])
            snprintf(error, size, "%s: %.200s", host_name(e, both[i]), r->obstacle);
        else if (r->looked != m->look && e->now - m->look_at > LOOK_PATIENCE_MS)
            snprintf(error, size, "%s did not say in %d s what is in the way%s%.150s",
                     host_name(e, both[i]), LOOK_PATIENCE_MS / 1000, r->problem[0] ? ": " : "",
                     r->problem);
        if (error[0])
            return false;
    }
    if (!m->look)
        return true;
    if (seen < ARRAY_LEN(both))
        return false;
    if (!m->looked_at)
        m->looked_at = e->now;
    if (e->now - m->looked_at <= LOOK_FRESH_MS)
        return true;
    if (caught_up)
        look_anew(e);
    return false;
}

int64_t look_deadline(const struct engine *e, int64_t at)
{
    int64_t look = e->move.look_at + LOOK_PATIENCE_MS + 1;

    return e->move.look && look > e->now && look < at ? look : at;
}

const char *host_trouble(const struct engine *e, int h, char *to, size_t size)
{
    const struct msg_report *r = &e->host[h].report;

    if (!host_live(e, h))
        snprintf(to, size, ": its agent is not heard");
    else if (r->mysqld == MYSQLD_DEAD)
        snprintf(to, size, ": its server is dead: %.150s", r->mysqld_why);
    else
        snprintf(to, size, "%s%.180s", r->problem[0] ? ": " : "", r->problem);
    return to;
}
