/* SPDX-License-Identifier: GPL-2.0-or-later
 * Leases and promises. A lease runs from the moment its request was
 * sent; one that ran out ends its serial for good. When the monitor is not heard, the holder asks
 * the other members of its electorate to promise not to take the slot; told to keep it, it asks
 * nobody. */
#include "engine/agent_internal.h"

#include "base/clock.h"

#include <stdio.h>

enum { PROMISE_MAX_MS = 3600 * 1000 };

void agent_expire(struct agent *a, int64_t now, struct agent_plan *p)
{
    for (unsigned i = 0; i < a->conf.slots; i++) {
        struct agent_slot *s = &a->slot[i];

        if (!s->lease_until || now < s->lease_until)
            continue;
        agent_say(p, true, "%s: the lease ran out %lld ms ago", a->conf.slot[i].name,
                  (long long)(now - s->lease_until));
        agent_leave(a, now, (int)i, LEAVE_LOST, "the lease ran out", p);
    }
}

static void agent_extend(struct agent *a, int64_t now, int slot, int64_t until,
                         struct agent_plan *p)
{
    struct agent_slot *s = &a->slot[slot];

    if (until <= now || until <= s->lease_until)
        return;
    s->lease_until = until;
    agent_plan_add(p, AA_RECORD);
    if (s->showing) {
        struct agent_action *act = agent_plan_add(p, AA_GATE);

        act->slot = slot;
        act->until_ms = until;
    }
}

static bool agent_wants_lease(const struct agent_slot *s)
{
    return s->hold == HOLD_WANTED || s->hold == HOLD_HELD ||
           (s->hold == HOLD_LEAVING && s->planned && s->lease_until);
}

void agent_on_grant(struct agent *a, int64_t now, const struct msg_grant *g, struct agent_plan *p)
{
    int64_t lease = g->lease_ms < agent_lease(a) ? g->lease_ms : agent_lease(a);

    if (g->sent_ms > now)
        return;
    for (unsigned i = 0; i < g->n; i++) {
        struct agent_slot *s;

        if (g->slot[i].slot < 0 || g->slot[i].slot >= (int)a->conf.slots)
            continue;
        s = &a->slot[g->slot[i].slot];
        if (!agent_wants_lease(s) || s->serial != g->slot[i].serial || g->sent_ms + lease <= now)
            continue;
        if (g->slot[i].electorate >= s->electorate) {
            s->electorate = g->slot[i].electorate;
            s->members = g->slot[i].members;
        }
        agent_extend(a, now, g->slot[i].slot, g->sent_ms + lease, p);
    }
}

static bool agent_hears_monitor(const struct agent *a, int64_t now)
{
    return a->link >= 0 && a->heard_ms >= 0 && now - a->heard_ms <= agent_lease(a) / 6;
}

void agent_on_ask(struct agent *a, int64_t now, int host, const struct msg_ask *ask,
                  struct agent_plan *p)
{
    bool quarantined = a->quarantine_until > now;
    struct agent_action *act;
    struct msg_promise answer = {.round = ask->round};
    bool promised = false;

    if (ask->promise_ms <= 0 || ask->promise_ms > PROMISE_MAX_MS)
        return;
    for (unsigned i = 0; i < a->conf.slots; i++) {
        struct agent_slot *s = &a->slot[i];

        if (!(ask->slots >> i & 1))
            continue;
        if (s->hold != HOLD_NONE) {
            snprintf(answer.why, sizeof answer.why, "ordered to hold it myself");
            continue;
        }
        if (!quarantined && agent_hears_monitor(a, now)) {
            snprintf(answer.why, sizeof answer.why, "I hear the monitor");
            continue;
        }
        if (s->promised_until < now + ask->promise_ms)
            s->promised_until = now + ask->promise_ms;
        answer.yes |= 1ull << i;
        promised = true;
    }
    if (promised)
        agent_plan_add(p, AA_RECORD);
    act = agent_plan_add(p, AA_PROMISE);
    act->host = host;
    act->promise = answer;
}

void agent_on_promise(struct agent *a, int64_t now, int host, const struct msg_promise *promise,
                      struct agent_plan *p)
{
    for (unsigned i = 0; i < a->conf.slots; i++) {
        struct agent_slot *s = &a->slot[i];

        if (!(promise->yes >> i & 1) || !s->round || s->round != promise->round)
            continue;
        s->round_yes |= 1ull << host;
        if ((s->members & ~s->round_yes & ~(1ull << a->conf.self)) == 0 && agent_lease_runs(s, now))
            agent_extend(a, now, (int)i, s->round + agent_lease(a), p);
    }
}

void agent_ask_leases(struct agent *a, int64_t now, struct agent_plan *p)
{
    bool any = false, first = false;

    for (unsigned i = 0; i < a->conf.slots; i++)
        if (agent_wants_lease(&a->slot[i])) {
            any = true;
            first = first || !a->slot[i].lease_until;
        }
    if (!any || a->link < 0)
        return;
    if (now - a->lease_asked_ms < agent_lease(a) / 8 &&
        !(first && a->lease_asked_serial != a->order.serial))
        return;
    a->lease_asked_ms = now;
    a->lease_asked_serial = a->order.serial;
    agent_plan_add(p, AA_LEASE)->link = a->link;
}

void agent_lease_of(const struct agent *a, int64_t now, struct msg_lease *out)
{
    memset(out, 0, sizeof *out);
    out->epoch = a->durable.epoch;
    out->start_id = a->start_id;
    out->sent_ms = now;
    for (unsigned i = 0; i < a->conf.slots; i++) {
        const struct agent_slot *s = &a->slot[i];

        if (agent_wants_lease(s))
            out->slot[out->n++] = (struct lease_slot){(int)i, s->serial, s->electorate};
    }
}

static bool agent_lonely(const struct agent *a, int64_t now)
{
    return a->link < 0 || now - a->heard_ms > agent_lease(a) / 6;
}

/* It may go on without a monitor: with the promises of the others, or without (keep). */
static bool agent_goes_on(const struct agent *a, const struct agent_slot *s, int64_t now)
{
    return (s->hold == HOLD_HELD || s->hold == HOLD_WANTED) && agent_lease_runs(s, now) &&
           a->conf.on_monitor_loss != LOSS_FENCE && s->members >> a->conf.self & 1;
}

static void agent_ask_peers(struct agent *a, int64_t now, struct agent_plan *p)
{
    slotset ask[HOSTS_MAX] = {0};

    for (unsigned i = 0; i < a->conf.slots; i++) {
        struct agent_slot *s = &a->slot[i];
        hostset others = s->members & ~(1ull << a->conf.self);

        if (!agent_goes_on(a, s, now) || now - s->round < agent_lease(a) / 8)
            continue;
        s->round = now;
        s->round_yes = 0;
        if (!others)
            agent_extend(a, now, (int)i, now + agent_lease(a), p);
        for (unsigned h = 0; h < a->conf.hosts; h++)
            if (others >> h & 1)
                ask[h] |= 1ull << i;
    }
    for (unsigned h = 0; h < a->conf.hosts; h++) {
        struct agent_action *act;

        if (!ask[h])
            continue;
        act = agent_plan_add(p, AA_ASK);
        act->host = (int)h;
        act->ask = (struct msg_ask){now, agent_out(a), ask[h]};
    }
}

void agent_ask_promises(struct agent *a, int64_t now, struct agent_plan *p)
{
    if (agent_lonely(a, now))
        agent_ask_peers(a, now, p);
}

static int64_t agent_sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t agent_lease_deadline(const struct agent *a)
{
    int64_t at = CLOCK_NEVER;

    for (unsigned i = 0; i < a->conf.slots; i++) {
        const struct agent_slot *s = &a->slot[i];

        if (s->hold == HOLD_NONE)
            continue;
        if (s->lease_until)
            at = agent_sooner(at, s->lease_until);
        if (agent_wants_lease(s) && a->link >= 0)
            at = agent_sooner(at, a->lease_asked_ms + agent_lease(a) / 8);
        if (s->lease_until && agent_goes_on(a, s, s->lease_until - 1)) {
            int64_t lonely = a->link < 0 ? 0 : a->heard_ms + agent_lease(a) / 6 + 1;
            int64_t round = s->round + agent_lease(a) / 8;

            at = agent_sooner(at, lonely > round ? lonely : round);
        }
    }
    return at;
}
