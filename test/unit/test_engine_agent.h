/* SPDX-License-Identifier: GPL-2.0-or-later
 * What the tests of the agent's rules begin with: an agent, host 1 of three; slot 0 is the writer,
 * slot 1 a reader. Leases are 2000 ms. */
#pragma once

#include "engine/agent.h"

#include "engine/lease.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { SELF = 1, LEASE = 2000, LINK = 7, START = 77, WRITER = 0, READER = 1 };
#define EPOCH  5ull
#define SERIAL (EPOCH << 32)

static struct agent a;
static struct agent_plan plan;
static struct msg m;
static int64_t now;
static enum monitor_loss on_loss; /* LOSS_PROMISE but where a test sets it */

static inline void feed(struct agent_event ev)
{
    ev.now_ms = now;
    agent_step(&a, &ev, &plan);
}

static inline const struct agent_action *planned(enum agent_action_kind kind)
{
    for (unsigned i = 0; i < plan.n; i++)
        if (plan.at[i].kind == kind)
            return &plan.at[i];
    return NULL;
}

static inline unsigned place(enum agent_action_kind kind)
{
    const struct agent_action *act = planned(kind);

    assert_non_null(act);
    return (unsigned)(act - plan.at);
}

static inline void start(const struct agent_record *record, const struct agent_durable *durable)
{
    struct agent_conf c = {.self = SELF,
                           .hosts = 3,
                           .slots = 2,
                           .lease_ms = LEASE,
                           .gate = GATE_NFT,
                           .on_monitor_loss = on_loss,
                           .kill_hung_mysqld = true,
                           .catch_up_ms = 30000,
                           .salvage_ms = 30000};

    snprintf(c.slot[0].name, SLOT_LEN, "writer");
    snprintf(c.slot[1].name, SLOT_LEN, "reader/1");
    c.slot[0].writable = true;
    c.slot[0].candidates = c.slot[1].candidates = 7;
    agent_init(&a, &c);
    feed((struct agent_event){
        .kind = AE_START,
        .start = {.start_id = START, .uptime_s = 1000, .record = record, .durable = durable}});
}

static inline void facts(bool read_only)
{
    struct agent_facts f = {.read_only = read_only, .source = -1, .lag_ms = -1};

    feed((struct agent_event){.kind = AE_FACTS, .facts = &f});
}

static inline void mysqld(enum mysqld state, int64_t pid)
{
    feed((struct agent_event){.kind = AE_MYSQLD, .mysqld = {state, pid, "it exited"}});
}

static inline void job_done(bool ok, bool read_only)
{
    struct agent_facts f = {.read_only = read_only, .source = -1, .lag_ms = -1};

    feed((struct agent_event){
        .kind = AE_JOB, .job = {.job = a.job, .ok = ok, .why = "no", .facts = ok ? &f : NULL}});
}

static inline void beat_as(uint64_t epoch, const char *monitor, bool passive)
{
    m.kind = MSG_BEAT;
    m.beat.epoch = epoch;
    m.beat.passive = passive;
    snprintf(m.beat.monitor, IDENTITY_LEN, "%s", monitor);
    feed((struct agent_event){.kind = AE_MONITOR, .monitor = {LINK, &m}});
}

static inline void beat_of(uint64_t epoch, const char *monitor)
{
    beat_as(epoch, monitor, false);
}

static inline void beat(void)
{
    beat_of(EPOCH, "mon1.a");
}

static inline void order_begin(uint64_t serial, uint64_t start_id)
{
    memset(&m.order, 0, sizeof m.order);
    m.kind = MSG_ORDER;
    m.order.epoch = EPOCH;
    snprintf(m.order.monitor, IDENTITY_LEN, "mon1.a");
    m.order.serial = SERIAL + serial;
    m.order.start_id = start_id;
    m.order.source = -1;
}

static inline void order_as(uint64_t serial, slotset hold, uint64_t start_id, bool fence)
{
    order_begin(serial, start_id);
    m.order.hold = hold;
    m.order.follow = FOLLOW_KEEP;
    m.order.fence = fence;
    feed((struct agent_event){.kind = AE_MONITOR, .monitor = {LINK, &m}});
}

static inline void order(uint64_t serial, slotset hold)
{
    order_as(serial, hold, START, false);
}

static inline void grant_to(int slot, uint64_t serial, int64_t sent, uint64_t electorate,
                            hostset members)
{
    memset(&m.grant, 0, sizeof m.grant);
    m.kind = MSG_GRANT;
    m.grant.epoch = EPOCH;
    snprintf(m.grant.monitor, IDENTITY_LEN, "mon1.a");
    m.grant.sent_ms = sent;
    m.grant.lease_ms = LEASE;
    m.grant.n = 1;
    m.grant.slot[0] = (struct grant_slot){slot, SERIAL + serial, electorate, members};
    feed((struct agent_event){.kind = AE_MONITOR, .monitor = {LINK, &m}});
}

/* Started long ago, read-only, obeys mon1.a in EPOCH, holds nothing. */
static inline void settle(void)
{
    struct agent_durable d = {.epoch = EPOCH, .monitor = "mon1.a"};
    static const struct agent_record nothing;

    now = 100000;
    start(&nothing, &d);
    mysqld(MYSQLD_UP, 500);
    job_done(true, true);
    assert_true(agent_may_listen(&a));
    beat();
}

/* Holds the writer role under serial 1, leased at `now`, electorate 3 of everybody. */
static inline void hold_writer(void)
{
    settle();
    order(1, 1);
    assert_non_null(planned(AA_LEASE));
    grant_to(WRITER, 1, now, 3, 7);
    assert_int_equal(a.job, JOB_WRITABLE);
    job_done(true, false);
    assert_int_equal(a.slot[WRITER].hold, HOLD_HELD);
}

static inline const struct report_slot *reported(int slot)
{
    static struct msg_report r;

    agent_report_of(&a, now, &r);
    for (unsigned i = 0; i < r.n; i++)
        if (r.slot[i].slot == slot)
            return &r.slot[i];
    fail();
    return NULL;
}
