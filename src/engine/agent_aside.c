/* SPDX-License-Identifier: GPL-2.0-or-later
 * Transactions of this server that the writer doesn't have are kept in a file as ordered, before
 * anybody makes the server anew. What was kept once is found again by its set: asking twice makes
 * one file. */
#include "engine/agent_internal.h"

#include "base/clock.h"

#include <stdio.h>

enum { ASIDE_RETRY_MS = 60 * 1000 /* a full disk is perhaps not full any more */ };

void agent_aside_order(struct agent *a, const struct msg_order *o)
{
    if (strcmp(a->aside.set, o->aside) == 0)
        return;
    memcpy(a->aside.set, o->aside, sizeof a->aside.set);
    a->aside.state = o->aside[0] ? TAIL_READING : TAIL_NONE;
    a->aside.text[0] = 0;
    a->aside.asked = false;
    a->aside.round++;
}

void agent_aside_work(struct agent *a, int64_t now, struct agent_plan *p)
{
    struct agent_aside *x = &a->aside;

    if (x->state == TAIL_FAILED && now >= x->retry_ms)
        x->asked = false;
    if (!x->set[0] || x->state == TAIL_READY || x->asked || !a->facts_known)
        return;
    x->asked = true;
    x->retry_ms = CLOCK_NEVER;
    agent_plan_add(p, AA_ASIDE)->round = ++x->round;
}

void agent_on_aside(struct agent *a, const struct agent_event *ev, struct agent_plan *p)
{
    struct agent_aside *x = &a->aside;
    bool told = x->state == TAIL_FAILED && strcmp(x->text, ev->aside.text) == 0;

    if (!x->asked || ev->aside.round != x->round)
        return;
    x->state = ev->aside.ok ? TAIL_READY : TAIL_FAILED;
    x->retry_ms = ev->now_ms + ASIDE_RETRY_MS;
    snprintf(x->text, sizeof x->text, "%s", ev->aside.text);
    a->report_due = true;
    if (x->state == TAIL_FAILED && !told)
        agent_say(p, true, "the transactions that nobody else has are not kept: %.190s", x->text);
    else if (x->state == TAIL_READY)
        agent_say(p, false, "the transactions that nobody else has are kept in %.190s", x->text);
}

void agent_aside_report(const struct agent *a, struct msg_report *out)
{
    out->aside = a->aside.state;
    memcpy(out->aside_text, a->aside.text, sizeof out->aside_text);
}

int64_t agent_aside_deadline(const struct agent *a)
{
    return a->aside.state == TAIL_FAILED && a->facts_known ? a->aside.retry_ms : CLOCK_NEVER;
}
