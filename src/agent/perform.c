/* SPDX-License-Identifier: GPL-2.0-or-later
 * The only place where the agent's decisions meet the world: one row per kind of action. */
#include "agent/agentd.h"

#include <string.h>

typedef void (*perform_fn)(struct agentd *d, const struct agent_action *a);

static void perform_persist(struct agentd *d, const struct agent_action *a)
{
    (void)a;
    agentd_persist(d);
}

static void perform_record(struct agentd *d, const struct agent_action *a)
{
    (void)a;
    agentd_record(d);
}

static void perform_report(struct agentd *d, const struct agent_action *a)
{
    (void)a;
    agentd_links_report(d);
}

static void perform_refuse(struct agentd *d, const struct agent_action *a)
{
    d->out.kind = MSG_REFUSAL;
    memset(&d->out.refusal, 0, sizeof d->out.refusal);
    d->out.refusal.epoch = d->agent.durable.epoch;
    memcpy(d->out.refusal.monitor, d->agent.durable.monitor, IDENTITY_LEN);
    agentd_links_send(d, a->link);
}

static void perform_lease(struct agentd *d, const struct agent_action *a)
{
    d->out.kind = MSG_LEASE;
    agent_lease_of(&d->agent, d->now_ms, &d->out.lease);
    agentd_links_send(d, a->link);
}

static void perform_ask(struct agentd *d, const struct agent_action *a)
{
    d->out.kind = MSG_ASK;
    d->out.ask = a->ask;
    agentd_asks_send(d, a->host);
}

static void perform_promise(struct agentd *d, const struct agent_action *a)
{
    CHECK(a->host >= 0 && a->host < HOSTS_MAX);
    if (d->keep.record_again)
        return; /* it would be forgotten with this process: it is asked for again */
    d->out.kind = MSG_PROMISE;
    d->out.promise = a->promise;
    agentd_links_send(d, d->links.asked_by[a->host]);
}

static void perform_gate(struct agentd *d, const struct agent_action *a)
{
    agentd_gate(d, a->slot, a->until_ms);
}

static void perform_probe(struct agentd *d, const struct agent_action *a)
{
    agentd_probe(d, a->slot);
}

static void perform_show(struct agentd *d, const struct agent_action *a)
{
    agentd_show(d, a->slot, a->until_ms);
}

static void perform_hide(struct agentd *d, const struct agent_action *a)
{
    agentd_hide(d, a->slot, a->until_ms);
}

static void perform_job_cancel(struct agentd *d, const struct agent_action *a)
{
    (void)a;
    agentd_job_cancel(d);
}

static void perform_kill(struct agentd *d, const struct agent_action *a)
{
    (void)a;
    agentd_server_kill(d);
}

static void perform_say(struct agentd *d, const struct agent_action *a)
{
    log_at(a->loud ? LOG_WARN : LOG_NOTE, &d->log, "%s", a->why);
}

static const perform_fn perform[] = {
    [AA_PERSIST] = perform_persist,
    [AA_RECORD] = perform_record,
    [AA_REPORT] = perform_report,
    [AA_REFUSE] = perform_refuse,
    [AA_LEASE] = perform_lease,
    [AA_ASK] = perform_ask,
    [AA_PROMISE] = perform_promise,
    [AA_GATE] = perform_gate,
    [AA_PROBE] = perform_probe,
    [AA_SHOW] = perform_show,
    [AA_HIDE] = perform_hide,
    [AA_JOB] = agentd_job,
    [AA_TAIL] = agentd_tail,
    [AA_ASIDE] = agentd_quarantine,
    [AA_JOB_CANCEL] = perform_job_cancel,
    [AA_KILL_MYSQLD] = perform_kill,
    [AA_SAY] = perform_say,
};
_Static_assert(ARRAY_LEN(perform) == AA_SAY + 1, "a row for every action");

void agentd_perform(struct agentd *d, const struct agent_action *a)
{
    CHECK((unsigned)a->kind < ARRAY_LEN(perform) && perform[a->kind]);
    perform[a->kind](d, a);
}
