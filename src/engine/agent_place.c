/* SPDX-License-Identifier: GPL-2.0-or-later
 * What an agent knows of its server's place in history where there is no GTID (engine/place.c says
 * what for): whether its server was the writer since it last followed somebody, and where it stood,
 * in its source's log and in its own, when it became that. It is on disk before writes open. */
#include "engine/agent_internal.h"

#include "gtid/place.h"

#include <stdio.h>

_Static_assert((int)PLACE_LEN == (int)PLACE_TEXT_MAX, "one length of a place");

static bool place_used(const struct agent *a)
{
    return a->facts_known && a->facts.own[0];
}

/* A new uuid is a new server. */
static bool place_wrote(const struct agent *a)
{
    return place_same_server(a->durable.wrote, a->facts.own);
}

static void place_keep(struct agent *a, const char *wrote, bool turn, struct agent_plan *p)
{
    a->durable_next = a->durable;
    snprintf(a->durable_next.wrote, PLACE_LEN, "%s", wrote);
    snprintf(a->durable_next.turn_from, PLACE_LEN, "%s", turn ? a->facts.applied : "");
    snprintf(a->durable_next.turn_own, PLACE_LEN, "%s", turn ? a->facts.own : "");
    a->persisting = true;
    agent_plan_add(p, AA_PERSIST);
}

bool agent_place_noted(struct agent *a, struct agent_plan *p)
{
    bool stands = a->drained && a->facts.read_only && a->facts.receiver == RECEIVER_NO &&
                  !a->facts.applier && a->facts.applied[0];

    if (!place_used(a) || place_wrote(a))
        return true;
    if (!a->persisting)
        place_keep(a, a->facts.own, stands, p);
    return false;
}

void agent_place_work(struct agent *a, int w, struct agent_plan *p)
{
    bool holds = w >= 0 && a->slot[w].hold == HOLD_HELD;

    if (!place_used(a) || a->persisting || a->job != JOB_NONE)
        return;
    if (holds && !a->facts.read_only && !place_wrote(a)) /* found in office */
        place_keep(a, a->facts.own, false, p);
    else if (a->durable.wrote[0] && a->facts.read_only && a->order.follow == FOLLOW_SOURCE &&
             !a->order.tail && a->settled == a->order.serial)
        place_keep(a, "", false, p);
}

void agent_place_order(struct agent *a, const struct msg_order *o)
{
    if (o->behind[0] && strcmp(o->behind, a->seen_behind) != 0)
        a->drained = false;
}

void agent_place_job(struct agent *a, enum agent_job job, const char *own_more)
{
    if (job != JOB_DRAIN || !own_more || !a->order.behind[0])
        return;
    snprintf(a->seen_behind, sizeof a->seen_behind, "%s", a->order.behind);
    snprintf(a->own_more, sizeof a->own_more, "%s", own_more);
}

void agent_place_report(const struct agent *a, struct msg_report *out)
{
    const char *line = a->facts.applied;

    msg_text(out->own, a->facts.own);
    msg_text(out->applied, a->facts.applied);
    out->turn_from[0] = out->turn_own[0] = 0;
    if (place_wrote(a)) {
        msg_text(out->turn_from, a->durable.turn_from);
        msg_text(out->turn_own, a->durable.turn_own);
    }
    msg_text(out->seen_behind, a->seen_behind);
    msg_text(out->own_more, a->own_more);
    if (!a->facts.own[0])
        return;
    if (place_wrote(a) || !line[0])
        line = a->seen_behind[0] && !a->own_more[0] ? a->seen_behind : a->facts.own;
    msg_text(out->gtid, line);
}
