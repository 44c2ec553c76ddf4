/* SPDX-License-Identifier: GPL-2.0-or-later
 * The work on the server and on addresses: taking and leaving slots, and
 * which job is next. One job at a time; making the server read-only goes before everything else. */
#include "engine/agent_internal.h"

#include "base/clock.h"

#include <stdio.h>

enum {
    RETRY_FENCE_MS = 50,
    RETRY_MS = 500,
    WRITABLE_LIMIT_MS = 2000,
    FOLLOW_LIMIT_MS = 10000,
    LOOK_LIMIT_MS = 2000
};

void agent_fence(struct agent *a, int64_t now, bool may_kill)
{
    if (a->mysqld == MYSQLD_DEAD)
        return;
    if (!a->must_fence) {
        a->fence_since = now;
        a->killed = false;
    }
    if (may_kill && !a->must_kill)
        a->fence_since = now;
    a->must_fence = true;
    a->must_kill = a->must_kill || may_kill;
    a->job_retry_ms = 0;
}

void agent_take(struct agent *a, int64_t now, int slot, struct agent_plan *p)
{
    struct agent_slot *s = &a->slot[slot];

    CHECK(!s->lease_until || agent_lease_runs(s, now));
    if (s->hold == HOLD_LEAVING)
        a->must_fence = a->must_kill = false;
    s->probe = a->order.probe && !s->showing ? PROBE_NEEDED : PROBE_CLEAR;
    s->probe_told = false;
    s->hold = HOLD_WANTED;
    s->planned = false;
    s->serial = a->order.serial;
    agent_plan_add(p, AA_RECORD);
}

static void agent_hide(struct agent_slot *s, int slot, int64_t until_ms, struct agent_plan *p)
{
    struct agent_action *act = agent_plan_add(p, AA_HIDE);

    act->slot = slot;
    act->until_ms = until_ms;
    s->showing = false;
}

static void agent_left(struct agent *a, int slot, struct agent_plan *p)
{
    struct agent_slot *s = &a->slot[slot];

    if (s->showing)
        agent_hide(s, slot, s->lease_until, p);
    s->hold = HOLD_NONE;
    s->planned = false;
    s->lease_until = 0;
    s->round = 0;
    s->ended = s->serial;
    if (a->ordered && !(a->order.hold >> slot & 1) && a->order.serial > s->ended)
        s->ended = a->order.serial;
    agent_plan_add(p, AA_RECORD);
    a->report_due = true;
}

void agent_leave(struct agent *a, int64_t now, int slot, enum leave how, const char *why,
                 struct agent_plan *p)
{
    struct agent_slot *s = &a->slot[slot];
    bool runs = agent_lease_runs(s, now), planned = how == LEAVE_PLANNED && s->showing && runs;
    bool may_write = s->showing || !a->facts_known || !a->facts.read_only || a->job == JOB_WRITABLE;

    CHECK(s->hold != HOLD_NONE);
    agent_say(p, false, "%s: leaving: %s", a->conf.slot[slot].name, why);
    if (!planned) {
        agent_hide(s, slot, how == LEAVE_LOST || !runs ? 0 : s->lease_until, p);
        s->lease_until = 0;
        s->round = 0;
    }
    if (!a->conf.slot[slot].writable) {
        agent_left(a, slot, p);
        return;
    }
    s->hold = HOLD_LEAVING;
    s->planned = planned;
    agent_fence(a, now, !planned && may_write);
    agent_plan_add(p, AA_RECORD);
    a->report_due = true;
}

static void agent_hold(struct agent *a, int slot, struct agent_plan *p)
{
    struct agent_slot *s = &a->slot[slot];
    struct agent_action *act;

    s->hold = HOLD_HELD;
    agent_plan_add(p, AA_RECORD);
    if (!s->showing) {
        s->showing = true;
        act = agent_plan_add(p, AA_GATE);
        act->slot = slot;
        act->until_ms = s->lease_until;
        act = agent_plan_add(p, AA_SHOW);
        act->slot = slot;
        act->until_ms = s->lease_until;
    }
    agent_say(p, false, "%s: held", a->conf.slot[slot].name);
    a->report_due = true;
}

static void agent_start_job(struct agent *a, enum agent_job job, int64_t limit_ms,
                            struct agent_plan *p)
{
    struct agent_action *act = agent_plan_add(p, AA_JOB);

    a->job = job;
    a->job_cancelled = false;
    a->job_serial = a->order.serial;
    act->job = job;
    act->limit_ms = limit_ms;
    if (job == JOB_FOLLOW || job == JOB_SALVAGE) {
        act->source = a->order.source;
        act->at = a->order.at;
        act->from = a->order.from;
        a->drained = false;
    }
    if (job == JOB_DRAIN || job == JOB_SALVAGE) {
        bool now = job == JOB_SALVAGE || !a->order.tail; /* else it is not to be had that way */

        snprintf(a->reach, sizeof a->reach, "%s", now ? a->order.reach : "");
        act->reach = a->reach;
        act->behind = a->order.behind;
        act->as_is = a->order.as_is;
        act->hear = a->order.hear;
    }
}

void agent_on_job(struct agent *a, const struct agent_event *ev, struct agent_plan *p)
{
    enum agent_job job = ev->job.job;
    bool cancelled = a->job_cancelled;

    if (job != a->job)
        return;
    a->job = JOB_NONE;
    a->job_cancelled = false;
    a->facts_known = a->mysqld == MYSQLD_UP && ev->job.facts; /* it may have done half its work */
    if (a->facts_known) {
        a->facts = *ev->job.facts;
        a->facts_at = ev->now_ms;
    }
    a->report_due = true;
    if (!ev->job.ok || cancelled) {
        a->job_retry_ms = ev->now_ms + (job == JOB_READ_ONLY ? RETRY_FENCE_MS : RETRY_MS);
        if (cancelled)
            a->job_retry_ms = 0;
        else
            snprintf(a->problem, sizeof a->problem, "%s", ev->job.why ? ev->job.why : "");
        if (job == JOB_SALVAGE && !cancelled)
            agent_not_salvaged(a, ev->job.hopeless);
        return;
    }
    a->problem[0] = 0;
    a->job_retry_ms = 0;
    agent_place_job(a, job, ev->job.own_more);
    if (job == JOB_READ_ONLY && a->facts_known && a->facts.read_only && a->must_fence) {
        a->must_fence = a->must_kill = false;
        agent_say(p, false, "the server is read-only");
    }
    if ((job == JOB_DRAIN || job == JOB_SALVAGE) && a->facts_known &&
        a->facts.receiver == RECEIVER_NO)
        a->drained = true;
    if (job == JOB_FOLLOW)
        a->followed = a->job_serial;
    if (job == JOB_SALVAGE)
        a->salvaged = a->job_serial;
    if (job == JOB_LOOK) {
        a->looked = a->order.look;
        snprintf(a->obstacle, sizeof a->obstacle, "%s", ev->job.why ? ev->job.why : "");
    }
}

static void agent_kill_if_hung(struct agent *a, int64_t now, struct agent_plan *p)
{
    if (!a->must_kill || a->killed || !a->conf.kill_hung_mysqld || a->mysqld == MYSQLD_DEAD ||
        now - a->fence_since < OBEY_MS)
        return;
    a->killed = true;
    agent_say(p, true, "the server did not become read-only in %d ms: killing it", OBEY_MS);
    agent_plan_add(p, AA_KILL_MYSQLD);
}

static bool agent_follow_true(const struct agent *a)
{
    switch (a->order.follow) {
    case FOLLOW_NONE:
        return a->drained;
    case FOLLOW_SOURCE:
        if (a->order.tail)
            return a->salvaged == a->order.serial;
        return a->followed == a->order.serial ||
               (a->facts.source == a->order.source && a->facts.receiver == RECEIVER_YES &&
                a->facts.applier);
    default:
        return true;
    }
}

static bool agent_must_look(const struct agent *a)
{
    return a->order.look && a->looked != a->order.look;
}

static enum agent_job agent_next_job(const struct agent *a, int64_t now, int w)
{
    const struct agent_slot *s = w < 0 ? NULL : &a->slot[w];

    if (a->must_fence)
        return JOB_READ_ONLY;
    if (!a->facts_known || !a->ordered)
        return JOB_NONE;
    if (s && s->hold == HOLD_HELD && agent_lease_runs(s, now) && a->facts.read_only)
        return JOB_WRITABLE;
    if (a->settled == a->order.serial)
        return JOB_NONE;
    if (a->order.follow == FOLLOW_NONE && !a->drained)
        return JOB_DRAIN;
    if (s && s->hold == HOLD_WANTED && agent_lease_runs(s, now) && a->facts.read_only)
        return JOB_WRITABLE;
    if (a->order.follow == FOLLOW_SOURCE && a->order.tail) {
        if (agent_follow_true(a) || agent_gave_up_salvage(a))
            return JOB_NONE;
        return a->drained ? JOB_SALVAGE : JOB_DRAIN;
    }
    if (a->order.follow == FOLLOW_SOURCE && !agent_follow_true(a))
        return a->drained || a->facts.source == a->order.source ? JOB_FOLLOW : JOB_DRAIN;
    return agent_must_look(a) ? JOB_LOOK : JOB_NONE;
}

static void agent_next(struct agent *a, int64_t now, int w, struct agent_plan *p)
{
    const int64_t limit[JOB_N] = {
        [JOB_READ_ONLY] = OBEY_MS,          [JOB_DRAIN] = a->conf.catch_up_ms,
        [JOB_WRITABLE] = WRITABLE_LIMIT_MS, [JOB_FOLLOW] = FOLLOW_LIMIT_MS,
        [JOB_SALVAGE] = a->conf.salvage_ms, [JOB_LOOK] = LOOK_LIMIT_MS,
    };
    enum agent_job next = agent_next_job(a, now, w);

    if (a->job != JOB_NONE) {
        if (next == JOB_READ_ONLY && a->job != JOB_READ_ONLY && !a->job_cancelled) {
            a->job_cancelled = true;
            agent_plan_add(p, AA_JOB_CANCEL);
        }
        return;
    }
    if (next == JOB_NONE || a->mysqld != MYSQLD_UP || now < a->job_retry_ms)
        return;
    if (next == JOB_WRITABLE && !agent_place_noted(a, p))
        return;
    agent_start_job(a, next, limit[next], p);
    if (next == JOB_READ_ONLY)
        p->at[p->n - 1].planned = w >= 0 && a->slot[w].planned;
}

/* May clients be let in? */
static bool agent_open(const struct agent *a, int slot, int w)
{
    if (!a->conf.slot[slot].writable)
        return true;
    return slot == w && a->facts_known && !a->facts.read_only && a->job == JOB_NONE &&
           a->mysqld == MYSQLD_UP && !a->must_fence &&
           (a->order.follow != FOLLOW_NONE || a->drained || a->slot[slot].showing);
}

static void agent_slots_on(struct agent *a, int64_t now, int w, struct agent_plan *p)
{
    for (unsigned i = 0; i < a->conf.slots; i++) {
        struct agent_slot *s = &a->slot[i];

        if (s->hold == HOLD_LEAVING && !a->must_fence)
            agent_left(a, (int)i, p);
        if (s->hold == HOLD_NONE && a->ordered && a->order.hold >> i & 1 &&
            a->order.serial > s->ended && s->promised_until <= now && a->quarantine_until <= now)
            agent_take(a, now, (int)i, p);
        if (s->hold != HOLD_WANTED || !agent_lease_runs(s, now))
            continue;
        if (s->probe == PROBE_NEEDED && now >= s->probe_retry) {
            s->probe = PROBE_RUNNING;
            s->probe_retry = 0;
            agent_plan_add(p, AA_PROBE)->slot = (int)i;
        }
        if (s->probe == PROBE_CLEAR && agent_open(a, (int)i, w))
            agent_hold(a, (int)i, p);
    }
}

static bool agent_all_true(const struct agent *a)
{
    if (!a->ordered || !a->facts_known || a->must_fence || a->job != JOB_NONE)
        return false;
    for (unsigned i = 0; i < a->conf.slots; i++) {
        const struct agent_slot *s = &a->slot[i];

        if (a->order.hold >> i & 1 ? s->hold != HOLD_HELD && s->ended < a->order.serial
                                   : s->hold != HOLD_NONE)
            return false;
    }
    return !agent_must_look(a) && agent_follow_true(a);
}

void agent_work(struct agent *a, int64_t now, struct agent_plan *p)
{
    int w = agent_writable_slot(a);

    if (now >= a->job_retry_ms)
        a->job_retry_ms = 0;
    agent_kill_if_hung(a, now, p);
    agent_slots_on(a, now, w, p);
    agent_next(a, now, w, p);
    agent_place_work(a, w, p);
    if (a->settled != a->order.serial && agent_all_true(a)) {
        a->settled = a->order.serial;
        a->problem[0] = 0;
        a->report_due = true;
    }
}

int64_t agent_work_deadline(const struct agent *a)
{
    int64_t at = CLOCK_NEVER;

    if (a->must_kill && !a->killed && a->mysqld != MYSQLD_DEAD)
        at = a->fence_since + OBEY_MS;
    if (a->job_retry_ms && a->job == JOB_NONE && a->job_retry_ms < at)
        at = a->job_retry_ms;
    for (unsigned i = 0; i < a->conf.slots; i++)
        if (a->slot[i].hold == HOLD_WANTED && a->slot[i].probe == PROBE_NEEDED &&
            a->slot[i].lease_until && a->slot[i].probe_retry && a->slot[i].probe_retry < at)
            at = a->slot[i].probe_retry;
    return at;
}
