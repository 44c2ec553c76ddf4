/* SPDX-License-Identifier: GPL-2.0-or-later
 * The agent's events: whom it obeys, what it accepts, how it starts. Leases and promises are in
 * agent_lease.c, the work on the server in agent_work.c. Expired deadlines come before messages: an
 * agent that was frozen first finds out how late it is. */
#include "engine/agent_internal.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

struct agent_action *agent_plan_add(struct agent_plan *p, enum agent_action_kind kind)
{
    struct agent_action *act;

    CHECK(p->n < AGENT_PLAN_MAX);
    act = &p->at[p->n++];
    memset(act, 0, offsetof(struct agent_action, ask));
    act->why[0] = 0;
    act->kind = kind;
    act->link = act->host = act->slot = act->source = -1;
    return act;
}

void agent_say(struct agent_plan *p, bool loud, const char *fmt, ...)
{
    struct agent_action *act = agent_plan_add(p, AA_SAY);
    va_list ap;

    act->loud = loud;
    va_start(ap, fmt);
    vsnprintf(act->why, sizeof act->why, fmt, ap);
    va_end(ap);
}

int agent_writable_slot(const struct agent *a)
{
    for (unsigned i = 0; i < a->conf.slots; i++)
        if (a->conf.slot[i].writable && a->conf.slot[i].candidates >> a->conf.self & 1)
            return (int)i;
    return -1;
}

void agent_init(struct agent *a, const struct agent_conf *conf)
{
    memset(a, 0, sizeof *a);
    a->conf = *conf;
    a->link = -1;
    a->heard_ms = -1;
    a->order.source = -1;
    a->facts.source = -1;
}

/* Takes over from an earlier life what its record proves: a lease that still runs is adopted,
 * anything else is let go before this life says a word. */
static void agent_adopt(struct agent *a, int64_t now, const struct agent_record *r,
                        struct agent_plan *p)
{
    for (unsigned i = 0; i < a->conf.slots; i++) {
        struct agent_slot *s = &a->slot[i];
        bool writable = a->conf.slot[i].writable;

        if (r) {
            s->serial = r->slot[i].serial;
            s->ended = r->slot[i].ended;
            s->promised_until = r->slot[i].promised_until_ms;
            s->electorate = r->slot[i].electorate;
            s->members = r->slot[i].members;
        }
        if (r && r->slot[i].held && r->slot[i].lease_until_ms > now) {
            struct agent_action *act;

            s->hold = HOLD_HELD;
            s->showing = true;
            s->lease_until = r->slot[i].lease_until_ms;
            act = agent_plan_add(p, AA_GATE);
            act->slot = (int)i;
            act->until_ms = s->lease_until;
            act = agent_plan_add(p, AA_SHOW);
            act->slot = (int)i;
            act->until_ms = s->lease_until;
            agent_say(p, false, "%s: adopted from before the restart, lease runs for %lld ms",
                      a->conf.slot[i].name, (long long)(s->lease_until - now));
            continue;
        }
        agent_plan_add(p, AA_HIDE)->slot = (int)i;
        if (r && r->slot[i].unclean && writable) {
            s->hold = HOLD_LEAVING;
            agent_fence(a, now, true);
        } else if (r && s->serial > s->ended) {
            s->ended = s->serial;
        }
        if (writable)
            agent_fence(a, now, r && r->slot[i].unclean);
    }
}

static void agent_on_start(struct agent *a, const struct agent_event *ev, struct agent_plan *p)
{
    int w = agent_writable_slot(a);

    a->start_id = ev->start.start_id;
    a->started_ms = ev->now_ms;
    a->boot_uptime_s = ev->start.uptime_s;
    if (ev->start.durable)
        a->durable = *ev->start.durable;
    if (ev->start.record && ev->start.record->died_ms)
        agent_tail_wanted(a, ev->start.record->died_ms);
    if (!ev->start.record)
        a->quarantine_until = ev->now_ms + agent_out(a);
    agent_adopt(a, ev->now_ms, ev->start.record, p);
    if (w < 0 || a->slot[w].hold == HOLD_NONE)
        agent_fence(a, ev->now_ms, false);
    agent_plan_add(p, AA_RECORD);
}

/* Whether a monitor's word counts. A higher epoch counts once it is on disk; until then the word is
 * dropped, the report that follows makes the monitor say it again. */
static bool agent_obeys(struct agent *a, int link, uint64_t epoch, const char *monitor,
                        struct agent_plan *p)
{
    bool same = epoch == a->durable.epoch && strcmp(monitor, a->durable.monitor) == 0;

    if (same)
        return true;
    if (epoch <= a->durable.epoch) {
        agent_plan_add(p, AA_REFUSE)->link = link;
        return false;
    }
    if (!a->persisting) {
        a->durable_next = a->durable;
        a->durable_next.epoch = epoch;
        snprintf(a->durable_next.monitor, sizeof a->durable_next.monitor, "%s", monitor);
        a->persisting = true;
        agent_plan_add(p, AA_PERSIST);
    }
    return false;
}

static bool agent_order_differs(const struct agent *a, const struct msg_order *o)
{
    return a->order.follow != o->follow || a->order.source != o->source ||
           a->order.tail != o->tail || a->order.hold != o->hold || a->order.as_is != o->as_is ||
           strcmp(a->order.at, o->at) != 0 || strcmp(a->order.behind, o->behind) != 0 ||
           strcmp(a->order.reach, o->reach) != 0;
}

static void agent_take_or_refuse(struct agent *a, int64_t now, int i, struct agent_plan *p)
{
    struct agent_slot *s = &a->slot[i];

    if (s->promised_until > now || a->quarantine_until > now) {
        s->ended = a->order.serial;
        agent_plan_add(p, AA_RECORD);
        agent_say(p, false, "%s: promised to a peer or just started: not taken",
                  a->conf.slot[i].name);
        return;
    }
    agent_take(a, now, i, p);
}

static void agent_on_order(struct agent *a, int64_t now, const struct msg_order *o,
                           struct agent_plan *p)
{
    a->report_due = true;
    if (o->start_id != a->start_id || o->serial <= a->order.serial)
        return;
    if (a->job != JOB_NONE && a->job != JOB_READ_ONLY && !a->job_cancelled &&
        agent_order_differs(a, o)) {
        a->job_cancelled = true;
        agent_plan_add(p, AA_JOB_CANCEL);
    }
    if (o->reach[0] && !o->tail && strcmp(o->reach, a->order.reach) != 0)
        a->drained = false; /* of something else */
    agent_place_order(a, o);
    agent_aside_order(a, o);
    if (agent_order_differs(a, o))
        a->salvage_failed = 0;
    a->order = *o;
    a->ordered = true;
    a->job_retry_ms = 0;
    for (unsigned i = 0; i < a->conf.slots; i++) {
        struct agent_slot *s = &a->slot[i];

        if (!(o->hold >> i & 1)) {
            if (s->hold == HOLD_NONE)
                s->ended = o->serial;
            else if (s->hold != HOLD_LEAVING || s->planned)
                agent_leave(a, now, (int)i, o->fence ? LEAVE_FENCED : LEAVE_PLANNED,
                            "ordered to let go", p);
            continue;
        }
        switch (s->hold) {
        case HOLD_WANTED:
        case HOLD_HELD:
            s->serial = o->serial;
            break;
        case HOLD_LEAVING: /* on the way back of a planned move nothing was let go yet */
            if (s->planned && agent_lease_runs(s, now))
                agent_take(a, now, (int)i, p);
            break;
        default:
            agent_take_or_refuse(a, now, (int)i, p);
        }
    }
    agent_plan_add(p, AA_RECORD);
}

static void agent_on_monitor(struct agent *a, const struct agent_event *ev, struct agent_plan *p)
{
    const struct msg *m = ev->monitor.msg;
    uint64_t epoch = m->kind == MSG_ORDER   ? m->order.epoch
                     : m->kind == MSG_GRANT ? m->grant.epoch
                                            : m->beat.epoch;
    const char *monitor = m->kind == MSG_ORDER   ? m->order.monitor
                          : m->kind == MSG_GRANT ? m->grant.monitor
                                                 : m->beat.monitor;

    if (!agent_obeys(a, ev->monitor.link, epoch, monitor, p))
        return;
    a->report_due = a->report_due || a->link != ev->monitor.link; /* it knows nothing yet */
    a->link = ev->monitor.link;
    a->heard_ms = ev->now_ms;
    if (m->kind == MSG_BEAT)
        a->passive = m->beat.passive;
    else if (m->kind == MSG_ORDER)
        agent_on_order(a, ev->now_ms, &m->order, p);
    else if (m->kind == MSG_GRANT)
        agent_on_grant(a, ev->now_ms, &m->grant, p);
}

static void agent_on_durable(struct agent *a, struct agent_plan *p)
{
    bool other = a->durable_next.epoch != a->durable.epoch;

    a->persisting = false;
    a->durable = a->durable_next;
    a->report_due = true;
    if (other)
        agent_say(p, false, "obeys monitor %s, epoch %llu", a->durable.monitor,
                  (unsigned long long)a->durable.epoch);
}

static void agent_on_mysqld(struct agent *a, const struct agent_event *ev, struct agent_plan *p)
{
    bool new_pid = ev->mysqld.pid && ev->mysqld.pid != a->pid;

    if (a->mysqld == ev->mysqld.state && !new_pid)
        return;
    if (new_pid && a->mysqld == MYSQLD_UP && ev->mysqld.state == MYSQLD_DEAD)
        return; /* of an earlier one */
    a->mysqld = ev->mysqld.state;
    if (ev->mysqld.pid)
        a->pid = ev->mysqld.pid;
    snprintf(a->mysqld_why, sizeof a->mysqld_why, "%s", ev->mysqld.why ? ev->mysqld.why : "");
    a->report_due = true;
    a->facts_known = false;
    if (a->mysqld == MYSQLD_DEAD) {
        a->must_fence = a->must_kill = false;
        a->drained = false;
    }
    if (new_pid) {
        a->drained = false;
        a->seen_behind[0] = a->own_more[0] = 0;
    }
    agent_tail_mysqld(a, ev->now_ms, p);
}

static void agent_on_facts(struct agent *a, int64_t now, const struct agent_facts *f,
                           struct agent_plan *p)
{
    int w = agent_writable_slot(a);
    bool may_write = w >= 0 && agent_lease_runs(&a->slot[w], now) &&
                     (a->slot[w].hold == HOLD_HELD || a->slot[w].hold == HOLD_WANTED);

    if (a->mysqld != MYSQLD_UP)
        return;
    if (!a->facts_known || memcmp(f, &a->facts, sizeof *f) != 0) {
        a->report_due = true;
        a->facts = *f;
    }
    a->facts_known = true;
    a->facts_at = now;
    if (f->receiver != RECEIVER_NO || f->applier)
        a->drained = false;
    if (f->read_only && w >= 0 && a->slot[w].hold == HOLD_HELD && may_write && a->job == JOB_NONE)
        agent_say(p, true, "somebody closed the server for writes: opening it again");
    if (!f->read_only && !may_write && !a->must_fence) {
        agent_say(p, true, "the server is writable without an order: making it read-only");
        agent_fence(a, now, false);
    }
}

static void agent_on_slot(struct agent *a, const struct agent_event *ev, struct agent_plan *p)
{
    int i = ev->slot.slot;
    struct agent_slot *s = &a->slot[i];

    switch (ev->kind) {
    case AE_GATE_FAILED:
    case AE_FOREIGN:
        if (s->showing) {
            agent_say(p, true, "%s: %s", a->conf.slot[i].name, ev->slot.why);
            agent_leave(a, ev->now_ms, i, LEAVE_LOST, ev->slot.why, p);
        }
        return;
    case AE_REMOVED:
        if (s->showing && agent_lease_runs(s, ev->now_ms)) {
            struct agent_action *act;

            agent_say(p, true, "%s: %s: putting it back", a->conf.slot[i].name, ev->slot.why);
            act = agent_plan_add(p, AA_SHOW);
            act->slot = i;
            act->until_ms = s->lease_until;
        }
        return;
    default:
        if (s->hold != HOLD_WANTED || s->probe != PROBE_RUNNING)
            return;
        s->probe = ev->slot.answered ? PROBE_NEEDED : PROBE_CLEAR;
        s->probe_retry = ev->now_ms + 200;
        if (ev->slot.answered && !s->probe_told)
            agent_say(p, true, "%s: somebody still answers for its address: waiting",
                      a->conf.slot[i].name);
        s->probe_told = ev->slot.answered;
    }
}

static void agent_on_jump(struct agent *a, const struct agent_event *ev, struct agent_plan *p)
{
    for (unsigned i = 0; i < a->conf.slots; i++)
        if (a->slot[i].hold == HOLD_HELD || a->slot[i].hold == HOLD_WANTED || a->slot[i].planned) {
            agent_say(p, true, "the clocks jumped by %lld ms: letting go, asking again",
                      (long long)ev->jump.ms);
            agent_leave(a, ev->now_ms, (int)i, LEAVE_LOST, "the clocks jumped", p);
        }
}

static void agent_event_in(struct agent *a, const struct agent_event *ev, struct agent_plan *p)
{
    switch (ev->kind) {
    case AE_START:
        agent_on_start(a, ev, p);
        return;
    case AE_TIME:
        return;
    case AE_MONITOR:
        agent_on_monitor(a, ev, p);
        return;
    case AE_MONITOR_DOWN:
        if (ev->monitor.link == a->link) {
            a->link = -1;
            a->passive = false;
        }
        return;
    case AE_ASK:
        agent_on_ask(a, ev->now_ms, ev->peer.host, ev->peer.ask, p);
        return;
    case AE_PROMISE:
        agent_on_promise(a, ev->now_ms, ev->peer.host, ev->peer.promise, p);
        return;
    case AE_DURABLE:
        agent_on_durable(a, p);
        return;
    case AE_MYSQLD:
        agent_on_mysqld(a, ev, p);
        return;
    case AE_FACTS:
        agent_on_facts(a, ev->now_ms, ev->facts, p);
        return;
    case AE_JOB:
        agent_on_job(a, ev, p);
        return;
    case AE_TAIL:
        agent_on_tail(a, ev, p);
        return;
    case AE_ASIDE:
        agent_on_aside(a, ev, p);
        return;
    case AE_GATE_FAILED:
    case AE_REMOVED:
    case AE_FOREIGN:
    case AE_PROBED:
        agent_on_slot(a, ev, p);
        return;
    case AE_JUMP:
        agent_on_jump(a, ev, p);
        return;
    }
}

static bool agent_same_beat(const struct agent *a, int link, const struct msg *m)
{
    return m->kind == MSG_BEAT && link == a->link && m->beat.passive == a->passive &&
           m->beat.epoch == a->durable.epoch && strcmp(m->beat.monitor, a->durable.monitor) == 0;
}

/* Most events: they say what is known, nothing is due, and nothing was left to be done. */
static bool agent_goes_on_resting(struct agent *a, const struct agent_event *ev)
{
    if (!a->rests || ev->now_ms >= a->due)
        return false;
    if (ev->kind == AE_MONITOR && agent_same_beat(a, ev->monitor.link, ev->monitor.msg)) {
        a->heard_ms = ev->now_ms;
        return true;
    }
    if (ev->kind == AE_FACTS && a->facts_known && a->mysqld == MYSQLD_UP &&
        memcmp(ev->facts, &a->facts, sizeof a->facts) == 0) {
        a->facts_at = ev->now_ms;
        return true;
    }
    return false;
}

/* The step did nothing but ask and report, and nothing that must be looked at once more. */
static bool agent_rests(const struct agent_event *ev, const struct agent_plan *p)
{
    for (unsigned i = 0; i < p->n; i++)
        if (p->at[i].kind != AA_REPORT && p->at[i].kind != AA_LEASE)
            return false;
    return ev->kind != AE_JOB;
}

static int64_t agent_next_due(const struct agent *a)
{
    int64_t at = a->reported_ms + agent_lease(a) / 12;
    int64_t lease = agent_lease_deadline(a), work = agent_work_deadline(a);
    int64_t aside = agent_aside_deadline(a);

    at = lease < at ? lease : at;
    at = aside < at ? aside : at;
    return work < at ? work : at;
}

void agent_step(struct agent *a, const struct agent_event *ev, struct agent_plan *p)
{
    int64_t now = ev->now_ms;

    p->n = 0;
    if (agent_goes_on_resting(a, ev))
        return;
    if (ev->kind != AE_START)
        agent_expire(a, now, p);
    agent_event_in(a, ev, p);
    agent_work(a, now, p);
    agent_tail_work(a, p);
    agent_aside_work(a, now, p);
    agent_ask_leases(a, now, p);
    agent_ask_promises(a, now, p);
    if (a->report_due || now - a->reported_ms >= agent_lease(a) / 12) {
        a->report_due = false;
        a->reported_ms = now;
        agent_plan_add(p, AA_REPORT);
    }
    a->rests = agent_rests(ev, p);
    a->due = agent_next_due(a);
}

int64_t agent_deadline(const struct agent *a)
{
    return a->due;
}

bool agent_may_listen(const struct agent *a)
{
    return !a->must_fence;
}

void agent_record_of(const struct agent *a, struct agent_record *out)
{
    memset(out, 0, sizeof *out);
    out->epoch = a->durable.epoch;
    out->died_ms = a->tail.died_ms;
    for (unsigned i = 0; i < a->conf.slots; i++) {
        const struct agent_slot *s = &a->slot[i];

        out->slot[i].held = s->hold == HOLD_HELD;
        out->slot[i].unclean = s->hold != HOLD_NONE;
        out->slot[i].serial = s->serial;
        out->slot[i].ended = s->ended;
        out->slot[i].lease_until_ms = s->lease_until;
        out->slot[i].promised_until_ms =
            s->promised_until > a->quarantine_until ? s->promised_until : a->quarantine_until;
        out->slot[i].electorate = s->electorate;
        out->slot[i].members = s->members;
    }
}

static void agent_report_slots(const struct agent *a, int64_t now, struct msg_report *out)
{
    for (unsigned i = 0; i < a->conf.slots; i++) {
        const struct agent_slot *s = &a->slot[i];
        int64_t until =
            s->promised_until > a->quarantine_until ? s->promised_until : a->quarantine_until;
        struct report_slot *r;

        if (!(a->conf.slot[i].candidates >> a->conf.self & 1))
            continue;
        r = &out->slot[out->n++];
        r->slot = (int)i;
        r->hold = s->hold;
        r->serial = s->serial;
        r->ended = s->ended;
        r->promised_ms = until > now ? until - now : 0;
        r->lease_ms = agent_lease_runs(s, now) ? s->lease_until - now : 0;
        r->electorate = s->electorate;
        r->members = s->members;
    }
}

void agent_report_of(const struct agent *a, int64_t now, struct msg_report *out)
{
    memset(out, 0, offsetof(struct msg_report, slot));
    out->epoch = a->durable.epoch;
    memcpy(out->obeys, a->durable.monitor, sizeof out->obeys);
    out->heard_ms = a->heard_ms < 0 ? -1 : now - a->heard_ms;
    out->start_id = a->start_id;
    out->serial = a->order.serial;
    out->settled = a->settled;
    out->uptime_s = a->boot_uptime_s + (now - a->started_ms) / 1000;
    out->gate = a->conf.gate;
    agent_report_slots(a, now, out);
    out->mysqld = a->mysqld;
    out->pid = a->pid;
    msg_text(out->mysqld_why, a->mysqld_why);
    out->died = a->tail.died_ms;
    out->tail = a->tail.state;
    msg_text(out->tail_why, a->tail.why);
    out->unsalvaged = agent_gave_up_salvage(a);
    agent_aside_report(a, out);
    out->facts = a->facts_known;
    out->facts_ms = a->facts_known ? now - a->facts_at : 0;
    out->mysql_flavour = a->facts.mysql_flavour;
    out->server_id = a->facts.server_id;
    out->read_only = a->facts.read_only;
    msg_text(out->gtid, a->facts.gtid);
    msg_text(out->source_host, a->facts.source_host);
    out->source_port = a->facts.source_port;
    out->source = a->facts_known ? a->facts.source : -1;
    out->receiver = a->facts.receiver;
    out->applier = a->facts.applier;
    out->traits = a->facts.traits;
    out->lag_ms = a->facts.lag_ms;
    out->looked = a->looked;
    msg_text(out->obstacle, a->obstacle);
    agent_place_report(a, out);
    msg_text(out->problem, a->problem);
}
