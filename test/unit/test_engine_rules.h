/* SPDX-License-Identifier: GPL-2.0-or-later
 * A monitor's engine with three fake agents, for tests of its rules. Three hosts, all candidates of
 * slot 0, the writer; leases are 2000 ms. */
#pragma once

#include "engine/engine.h"

#include "engine/lease.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { HOSTS = 3, LEASE = 2000 };

static struct engine e;
static struct plan plan;
static int64_t now;
static bool others; /* more monitors are configured */

/* What each fake agent says of itself. */
static struct fake {
    bool up, unsettled; /* unsettled: its applier broke, it never gets to where it was ordered */
    uint64_t epoch, start_id, serial, ended, electorate;
    hostset members;
    char obeys[IDENTITY_LEN];
    int64_t heard_ms, promised_ms, lease_ms;
    enum hold hold;
    bool read_only;
    const char *gtid;
    bool replicates; /* from db1, without lag */
    int64_t facts_ms;
    bool asking;          /* its server, at this moment: no facts */
    enum mysqld mysqld;   /* UNKNOWN: up */
    const char *obstacle; /* found whenever it is asked to look */
    bool blind;           /* it does not come to looking */
} agent[HOSTS];

static inline void feed(struct engine_event ev)
{
    ev.now_ms = ev.wall_ms = now;
    engine_step(&e, &ev, &plan);
}

static inline const struct action *planned(enum action_kind kind, int host)
{
    for (unsigned i = 0; i < plan.n; i++)
        if (plan.at[i].kind == kind && plan.at[i].host == host)
            return &plan.at[i];
    return NULL;
}

static inline bool told(const char *text)
{
    for (unsigned i = 0; i < plan.n; i++)
        if ((plan.at[i].kind == ACT_EVENT || plan.at[i].kind == ACT_ANSWER) &&
            strstr(plan.at[i].text, text))
            return true;
    return false;
}

static inline const char *waits(void)
{
    static char text[WHY_LEN];

    engine_waits(&e, 0, text, sizeof text);
    return text;
}

static inline bool decided(const char *rule)
{
    for (unsigned i = 0; i < engine_rule_count(); i++)
        if (strcmp(engine_rule_name(i), rule) == 0)
            return e.rules_hit[i / 64] >> i % 64 & 1;
    return false;
}

static inline void configure(const struct engine_durable *d, bool take_over)
{
    static struct engine_conf c;
    struct engine_event ev = {.kind = EV_START, .start = {.durable = d, .take_over = take_over}};

    memset(&c, 0, sizeof c);
    c.names.hosts = HOSTS;
    c.names.slots = 1;
    c.roles = 1;
    snprintf(c.monitor, NAME_LEN, "mon1");
    snprintf(c.names.slot[0], SLOT_LEN, "writer");
    snprintf(c.role[0].name, NAME_LEN, "writer");
    c.role[0].exclusive = c.role[0].writable = true;
    c.role[0].prefer = -1;
    c.role[0].hosts = HOSTS;
    for (int h = 0; h < HOSTS; h++) {
        snprintf(c.names.host[h], NAME_LEN, "db%d", h + 1);
        c.role[0].host[h] = h;
        c.host[h].master = true;
    }
    for (int k = 0; k < CK_N; k++)
        c.trap_ms[k] = 1000;
    c.lease_ms = LEASE;
    c.catch_up_ms = 30000;
    c.switchover_budget_ms = 5000;
    c.careful_startup = true;
    c.gate_unheard = GATE_NFT;
    c.mode = MODE_ACTIVE;
    c.others = others;
    engine_init(&e, &c);
    snprintf(ev.start.identity, IDENTITY_LEN, "mon1.new");
    for (int h = 0; h < HOSTS; h++)
        agent[h] = (struct fake){.epoch = 4,
                                 .start_id = 10 + (uint64_t)h,
                                 .obeys = "mon1.old",
                                 .heard_ms = -1,
                                 .read_only = true,
                                 .gtid = "0-1-5"};
    feed(ev);
}

static inline void link_up(int h)
{
    struct msg_hello hello = {.speaker = SPEAKER_AGENT,
                              .epoch = agent[h].epoch,
                              .start_id = agent[h].start_id,
                              .heard_ms = agent[h].heard_ms};

    agent[h].up = true;
    memcpy(hello.monitor, agent[h].obeys, IDENTITY_LEN);
    feed((struct engine_event){.kind = EV_LINK, .agent = {.host = h, .hello = &hello}});
}

static inline void link_down(int h)
{
    agent[h].up = false;
    feed((struct engine_event){.kind = EV_UNLINK, .agent = {.host = h}});
}

static inline void report(int h)
{
    static struct msg_report r;
    const struct fake *f = &agent[h];

    memset(&r, 0, sizeof r);
    r.epoch = f->epoch;
    memcpy(r.obeys, f->obeys, IDENTITY_LEN);
    r.heard_ms = f->heard_ms;
    r.start_id = f->start_id;
    r.serial = f->serial;
    r.settled = f->unsettled ? 0 : f->serial;
    r.uptime_s = 1000;
    r.n = 1;
    r.slot[0] = (struct report_slot){.slot = 0,
                                     .hold = f->hold,
                                     .serial = f->serial,
                                     .ended = f->ended,
                                     .promised_ms = f->promised_ms,
                                     .lease_ms = f->lease_ms,
                                     .electorate = f->electorate,
                                     .members = f->members};
    r.mysqld = f->mysqld ? f->mysqld : MYSQLD_UP;
    r.pid = 500;
    r.facts = !f->asking;
    r.read_only = f->read_only;
    r.server_id = (uint64_t)h + 1;
    snprintf(r.gtid, GTID_LEN, "%s", f->gtid);
    r.facts_ms = f->facts_ms;
    r.source = f->replicates ? 0 : -1;
    r.receiver = f->replicates ? RECEIVER_YES : RECEIVER_NO;
    r.applier = f->replicates;
    r.lag_ms = f->replicates ? 0 : -1;
    r.looked = f->blind ? 1 : e.host[h].order.look;
    snprintf(r.obstacle, WHY_LEN, "%s", f->obstacle ? f->obstacle : "");
    feed((struct engine_event){.kind = EV_REPORT, .agent = {.host = h, .report = &r}});
}

static inline const struct msg_grant *lease_as(int h, uint64_t serial)
{
    struct msg_lease l = {
        .epoch = agent[h].epoch, .start_id = agent[h].start_id, .sent_ms = 9, .n = 1};

    l.slot[0] = (struct lease_slot){0, serial, agent[h].electorate};
    feed((struct engine_event){.kind = EV_LEASE, .agent = {.host = h, .lease = &l}});
    return planned(ACT_GRANT, h) ? planned(ACT_GRANT, h)->grant : NULL;
}

static inline const struct msg_grant *lease(int h)
{
    return lease_as(h, agent[h].serial);
}

/* The agent accepts this reign. */
static inline void accept_reign(int h)
{
    agent[h].epoch = e.epoch;
    memcpy(agent[h].obeys, e.identity, IDENTITY_LEN);
    report(h);
}

static inline void checks_fine(void)
{
    for (int h = 0; h < HOSTS; h++)
        for (int k = 0; k < 2; k++)
            feed((struct engine_event){
                .kind = EV_CHECK,
                .check = {
                    .host = h, .check = (enum check)k, .result = RESULT_OK, .message = "OK"}});
}

static inline void command(enum verb verb, int host, bool force, int lost)
{
    feed((struct engine_event){.kind = EV_COMMAND,
                               .command = {.id = 3,
                                           .verb = verb,
                                           .host = host,
                                           .force = force,
                                           .lost = lost,
                                           .mode = MODE_PASSIVE}});
}

/* All agents that are up report, time goes by. */
static inline void go_on(int64_t ms)
{
    for (int64_t until = now + ms; now < until;) {
        now += 100;
        feed((struct engine_event){.kind = EV_TIME});
        for (int h = 0; h < HOSTS; h++)
            if (agent[h].up)
                report(h);
    }
}

static struct engine_durable durable;

/* A monitor with state starts: `holder` was the writer, everybody was in the electorate. */
static inline void restarted(int holder)
{
    now = 50000;
    memset(&durable, 0, sizeof durable);
    snprintf(durable.identity, IDENTITY_LEN, "mon1.old");
    durable.epoch = 4;
    for (int h = 0; h < HOSTS; h++)
        durable.host[h].state = ONLINE;
    durable.slot[0].holder = holder;
    durable.slot[0].electorate = 6;
    durable.slot[0].members = durable.slot[0].allowed = 7;
    configure(&durable, false);
    for (int h = 0; h < HOSTS; h++) {
        agent[h].electorate = 6;
        agent[h].members = 7;
    }
}

static inline void holds(int h)
{
    agent[h].hold = HOLD_HELD;
    agent[h].lease_ms = 1500;
    agent[h].serial = 4ull << 32 | 3;
    agent[h].read_only = false;
}

/* Running: db1 was found holding and is granted, everybody is heard. */
static inline void reigning(void)
{
    restarted(0);
    holds(0);
    for (int h = 0; h < HOSTS; h++) {
        link_up(h);
        accept_reign(h);
    }
    checks_fine();
    assert_int_equal(e.slot[0].holder, 0);
    assert_non_null(lease(0));
}

/* The agent does what its last order says. */
static inline void obey(int h)
{
    const struct msg_order *o = engine_order_of(&e, h);

    agent[h].serial = o->serial;
    if (o->hold & 1) {
        agent[h].hold = HOLD_HELD;
        agent[h].lease_ms = LEASE;
        agent[h].read_only = false;
    } else {
        agent[h].hold = HOLD_NONE;
        agent[h].lease_ms = 0;
        agent[h].read_only = true;
        agent[h].ended = o->serial;
    }
    report(h);
}

static inline bool anybody_ordered(void)
{
    for (int h = 0; h < HOSTS; h++)
        if (planned(ACT_ORDER, h))
            return true;
    return false;
}
