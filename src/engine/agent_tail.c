/* SPDX-License-Identifier: GPL-2.0-or-later
 * The binary log of a server that died as the writer: it is read once the writable slot is left,
 * for until then a server that somebody starts may be written to, and what it holds is told, until
 * the agent knows of a new server. */
#include "engine/agent_internal.h"

#include <stdio.h>

enum { SALVAGE_TRIES = 3 };

void agent_tail_wanted(struct agent *a, int64_t died_ms)
{
    a->tail = (struct agent_tail){.died_ms = died_ms, .state = TAIL_READING};
}

static bool agent_was_writer(const struct agent *a)
{
    int w = agent_writable_slot(a);

    return w >= 0 && a->slot[w].hold != HOLD_NONE;
}

void agent_tail_work(struct agent *a, struct agent_plan *p)
{
    if (a->mysqld != MYSQLD_DEAD || !a->tail.died_ms || a->tail.asked || agent_was_writer(a))
        return;
    a->tail.asked = true;
    agent_plan_add(p, AA_TAIL)->died = a->tail.died_ms;
}

void agent_tail_mysqld(struct agent *a, int64_t now, struct agent_plan *p)
{
    if (a->mysqld == MYSQLD_UP && a->tail.died_ms) {
        a->tail = (struct agent_tail){0};
        agent_plan_add(p, AA_RECORD);
    }
    if (a->mysqld == MYSQLD_DEAD && !a->tail.died_ms && agent_was_writer(a)) {
        agent_tail_wanted(a, now > 0 ? now : 1);
        agent_plan_add(p, AA_RECORD);
    }
}

void agent_on_tail(struct agent *a, const struct agent_event *ev, struct agent_plan *p)
{
    if (!a->tail.died_ms || ev->tail.died != a->tail.died_ms || a->tail.state != TAIL_READING)
        return;
    a->report_due = true;
    if (a->facts.own[0]) {
        a->tail.state = TAIL_FAILED;
        snprintf(a->tail.why, sizeof a->tail.why,
                 "without GTID nothing of it can be handed over; it ends at %s", a->facts.own);
        return;
    }
    if (!ev->tail.ok || strlen(ev->tail.gtid) >= sizeof a->facts.gtid) {
        a->tail.state = TAIL_FAILED;
        snprintf(a->tail.why, sizeof a->tail.why, "%s",
                 ev->tail.ok ? "its GTID set is too long" : ev->tail.why);
        agent_say(p, true, "the dead server's binary log cannot be read: %.180s", a->tail.why);
        return;
    }
    a->tail.state = TAIL_READY;
    a->facts.mysql_flavour = ev->tail.mysql_flavour;
    snprintf(a->facts.gtid, sizeof a->facts.gtid, "%s", ev->tail.gtid);
}

void agent_not_salvaged(struct agent *a, bool hopeless)
{
    a->salvage_failed = hopeless ? SALVAGE_TRIES : a->salvage_failed + 1;
}

bool agent_gave_up_salvage(const struct agent *a)
{
    return a->order.tail && a->salvage_failed >= SALVAGE_TRIES;
}
