/* SPDX-License-Identifier: GPL-2.0-or-later
 * The monitor's safety rules, one by one. Three hosts,
 * all candidates of slot 0, the writer; leases are 2000 ms. */
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
} agent[HOSTS];

static void feed(struct engine_event ev)
{
    ev.now_ms = ev.wall_ms = now;
    engine_step(&e, &ev, &plan);
}

static const struct action *planned(enum action_kind kind, int host)
{
    for (unsigned i = 0; i < plan.n; i++)
        if (plan.at[i].kind == kind && plan.at[i].host == host)
            return &plan.at[i];
    return NULL;
}

static bool told(const char *text)
{
    for (unsigned i = 0; i < plan.n; i++)
        if ((plan.at[i].kind == ACT_EVENT || plan.at[i].kind == ACT_ANSWER) &&
            strstr(plan.at[i].text, text))
            return true;
    return false;
}

static void configure(const struct engine_durable *d, bool take_over)
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
        c.host[h].peer = -1;
    }
    for (int k = 0; k < CK_N; k++)
        c.trap_ms[k] = 1000;
    c.lease_ms = LEASE;
    c.catch_up_ms = 30000;
    c.switchover_budget_ms = 5000;
    c.careful_startup = true;
    c.gate_unheard = GATE_NFT;
    c.mode = MODE_ACTIVE;
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

static void link_up(int h)
{
    struct msg_hello hello = {.speaker = SPEAKER_AGENT,
                              .epoch = agent[h].epoch,
                              .start_id = agent[h].start_id,
                              .heard_ms = agent[h].heard_ms};

    agent[h].up = true;
    memcpy(hello.monitor, agent[h].obeys, IDENTITY_LEN);
    feed((struct engine_event){.kind = EV_LINK, .agent = {.host = h, .hello = &hello}});
}

static void link_down(int h)
{
    agent[h].up = false;
    feed((struct engine_event){.kind = EV_UNLINK, .agent = {.host = h}});
}

static void report(int h)
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
    r.mysqld = MYSQLD_UP;
    r.pid = 500;
    r.facts = true;
    r.read_only = f->read_only;
    snprintf(r.gtid, GTID_LEN, "%s", f->gtid);
    r.facts_ms = f->facts_ms;
    r.source = f->replicates ? 0 : -1;
    r.receiver = f->replicates ? RECEIVER_YES : RECEIVER_NO;
    r.applier = f->replicates;
    r.lag_ms = f->replicates ? 0 : -1;
    feed((struct engine_event){.kind = EV_REPORT, .agent = {.host = h, .report = &r}});
}

static const struct msg_grant *lease_as(int h, uint64_t serial)
{
    struct msg_lease l = {
        .epoch = agent[h].epoch, .start_id = agent[h].start_id, .sent_ms = 9, .n = 1};

    l.slot[0] = (struct lease_slot){0, serial, agent[h].electorate};
    feed((struct engine_event){.kind = EV_LEASE, .agent = {.host = h, .lease = &l}});
    return planned(ACT_GRANT, h) ? planned(ACT_GRANT, h)->grant : NULL;
}

static const struct msg_grant *lease(int h)
{
    return lease_as(h, agent[h].serial);
}

/* The agent accepts this reign. */
static void accept_reign(int h)
{
    agent[h].epoch = e.epoch;
    memcpy(agent[h].obeys, e.identity, IDENTITY_LEN);
    report(h);
}

static void checks_fine(void)
{
    for (int h = 0; h < HOSTS; h++)
        for (int k = 0; k < 2; k++)
            feed((struct engine_event){
                .kind = EV_CHECK,
                .check = {
                    .host = h, .check = (enum check)k, .result = RESULT_OK, .message = "OK"}});
}

static void command(enum verb verb, int host, bool force, int lost)
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
static void go_on(int64_t ms)
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
static void restarted(int holder)
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

static void holds(int h)
{
    agent[h].hold = HOLD_HELD;
    agent[h].lease_ms = 1500;
    agent[h].serial = 4ull << 32 | 3;
    agent[h].read_only = false;
}

/* Running: db1 was found holding and is granted, everybody is heard. */
static void reigning(void)
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
static void obey(int h)
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

static bool anybody_ordered(void)
{
    for (int h = 0; h < HOSTS; h++)
        if (planned(ACT_ORDER, h))
            return true;
    return false;
}

/* ---- reign (7.1, 7.8) ---- */

static void test_epoch_is_durable_before_anything_is_said(void **state)
{
    (void)state;
    restarted(0);
    assert_int_equal(e.epoch, 5);
    assert_non_null(planned(ACT_PERSIST, -1));
    assert_int_equal(planned(ACT_PERSIST, -1)->after, 1);
    link_up(0);
    assert_int_equal(planned(ACT_BEAT, 0)->after, 1);
}

static void test_new_identity_waits_for_everybody(void **state)
{
    (void)state;
    now = 50000;
    configure(NULL, false);
    for (int h = 0; h < HOSTS; h++)
        agent[h].obeys[0] = 0;
    link_up(0);
    link_up(1);
    assert_int_equal(e.reign, REIGN_WAITING);
    assert_non_null(strstr(e.reign_why, "db3 does not answer"));
    link_up(2);
    assert_int_equal(e.reign, REIGN_CLAIMING);
    accept_reign(0);
    accept_reign(1);
    assert_int_equal(e.reign, REIGN_CLAIMING);
    assert_false(anybody_ordered());
    accept_reign(2);
    assert_int_equal(e.reign, REIGN_YES);
}

static void test_new_identity_stays_passive_beside_another(void **state)
{
    (void)state;
    now = 50000;
    configure(NULL, false);
    snprintf(agent[1].obeys, IDENTITY_LEN, "mon2.x");
    for (int h = 0; h < HOSTS; h++)
        link_up(h);
    go_on(20000);
    assert_int_equal(e.reign, REIGN_WAITING);
    assert_non_null(strstr(e.reign_why, "db2 obeys monitor mon2.x"));
}

static void test_new_identity_waits_while_its_name_is_heard(void **state)
{
    (void)state;
    now = 50000;
    configure(NULL, false);
    agent[2].heard_ms = 100;
    for (int h = 0; h < HOSTS; h++)
        link_up(h);
    assert_int_equal(e.reign, REIGN_WAITING);
    agent[2].heard_ms = 6000;
    report(2);
    assert_int_equal(e.reign, REIGN_CLAIMING);
    assert_int_equal(e.epoch, 5);
}

static void test_deposed_goes_passive_and_says_by_whom(void **state)
{
    struct msg_refusal r = {.epoch = 9, .monitor = "mon2.x"};

    (void)state;
    reigning();
    feed((struct engine_event){.kind = EV_REFUSED, .agent = {.host = 1, .refusal = &r}});
    assert_int_equal(e.reign, REIGN_DEPOSED);
    assert_true(told("mon2.x"));
    assert_null(lease(0));
    go_on(1000);
    assert_false(anybody_ordered());
    assert_null(planned(ACT_BEAT, 0));
}

static void test_take_over_outbids(void **state)
{
    struct msg_refusal r = {.epoch = 9, .monitor = "mon2.x"};

    (void)state;
    now = 50000;
    configure(NULL, true);
    assert_int_equal(e.reign, REIGN_YES);
    feed((struct engine_event){.kind = EV_REFUSED, .agent = {.host = 1, .refusal = &r}});
    assert_int_equal(e.reign, REIGN_YES);
    assert_int_equal(e.epoch, 10);
}

/* ---- a monitor starts (7.6) ---- */

static void test_holder_of_the_journal_is_granted_at_once(void **state)
{
    (void)state;
    restarted(1);
    holds(1);
    link_up(1);
    accept_reign(1);
    assert_int_equal(e.slot[0].holder, 1);
    assert_non_null(lease(1));
}

static void test_nobody_else_before_all_are_heard_or_out(void **state)
{
    (void)state;
    restarted(1);
    link_up(0);
    accept_reign(0);
    link_up(2);
    accept_reign(2);
    checks_fine();
    go_on(LEASE);
    assert_int_equal(e.slot[0].holder, -1);
    assert_non_null(strstr(e.slot[0].waiting, "may hold it"));
    go_on(lease_out(GATE_NFT, LEASE) - LEASE + 1000);
    assert_int_not_equal(e.slot[0].holder, -1);
    assert_true(e.slot[0].probe); /* after silence */
}

static void test_all_heard_and_nobody_holds(void **state)
{
    (void)state;
    restarted(-1);
    checks_fine();
    for (int h = 0; h < HOSTS; h++) {
        link_up(h);
        accept_reign(h);
    }
    go_on(800);
    assert_int_not_equal(e.slot[0].holder, -1);
}

static void test_two_holders_make_it_passive(void **state)
{
    (void)state;
    restarted(-1);
    holds(0);
    holds(2);
    link_up(0);
    link_up(2);
    for (int h = 0; h < HOSTS; h++) {
        agent[h].epoch = e.epoch;
        memcpy(agent[h].obeys, e.identity, IDENTITY_LEN);
    }
    e.slot[0].journal_holder = -1;
    e.host[2].report_at = now;
    e.host[2].heard = true; /* both reports are in before a step looks */
    e.host[2].report.start_id = agent[2].start_id;
    e.host[2].report.n = 1;
    e.host[2].report.slot[0] =
        (struct report_slot){.slot = 0, .hold = HOLD_HELD, .lease_ms = 1500, .members = 7};
    report(0);
    assert_int_equal(e.mode, MODE_PASSIVE);
    assert_int_equal(e.slot[0].holder, -1);
    assert_null(lease(0));
    assert_null(lease(2));
}

static void test_two_holders_the_journal_decides(void **state)
{
    (void)state;
    restarted(2);
    holds(0);
    holds(2);
    link_up(0);
    accept_reign(0);
    assert_int_equal(e.slot[0].holder, -1); /* db3 may hold it, it is not heard yet */
    assert_null(lease(0));
    link_up(2);
    accept_reign(2);
    assert_int_equal(e.slot[0].holder, 2);
    assert_non_null(lease(2));
    assert_null(lease(0));
    assert_int_equal(engine_order_of(&e, 0)->hold, 0);
    assert_int_not_equal(engine_order_of(&e, 0)->serial, 0);
}

static void test_passive_still_grants(void **state)
{
    (void)state;
    reigning();
    command(VERB_MODE, -1, false, -1);
    assert_int_equal(e.mode, MODE_PASSIVE);
    assert_non_null(lease(0));
}

/* ---- release and hand-over (7.2, 7.3) ---- */

static void test_wrong_serial_gets_no_grant(void **state)
{
    (void)state;
    reigning();
    command(VERB_SET_OFFLINE, 0, false, -1);
    obey(0);
    go_on(1000);
    assert_int_equal(e.slot[0].holder, 1);
    assert_null(lease_as(0, agent[0].serial));
    assert_null(lease_as(1, 4ull << 32 | 3));
    assert_non_null(lease_as(1, engine_order_of(&e, 1)->serial));
}

static void test_no_grant_while_releasing(void **state)
{
    (void)state;
    reigning();
    command(VERB_SET_OFFLINE, 0, false, -1);
    assert_true(e.slot[0].releasing);
    assert_null(lease(0));
}

static void test_only_an_ended_serial_is_a_release(void **state)
{
    uint64_t hold;

    (void)state;
    reigning();
    command(VERB_SET_OFFLINE, 0, false, -1);
    obey(0);
    go_on(1000);
    hold = engine_order_of(&e, 1)->serial;
    assert_int_equal(e.slot[0].holder, 1);
    agent[1].hold = HOLD_NONE; /* from before it read the order */
    agent[1].ended = hold - 1;
    report(1);
    assert_int_equal(e.slot[0].holder, 1);
    assert_true(e.slot[0].host[1].maybe);
    assert_int_equal(engine_order_of(&e, 1)->serial, hold); /* not taken away and given again */
    agent[1].ended = hold;
    report(1);
    assert_false(e.slot[0].host[1].maybe && e.slot[0].holder == 1 &&
                 engine_order_of(&e, 1)->serial == hold);
}

static void test_new_life_that_holds_nothing_is_a_release(void **state)
{
    (void)state;
    reigning();
    command(VERB_SET_OFFLINE, 0, false, -1);
    obey(0);
    go_on(1000);
    assert_int_equal(e.slot[0].holder, 1);
    agent[1].start_id += 100;
    agent[1].ended = 0;
    agent[1].promised_ms = 2091;
    report(1);
    assert_false(e.slot[0].host[1].maybe);
}

static void test_silence_is_waited_out(void **state)
{
    (void)state;
    reigning();
    link_down(0);
    go_on(lease_out(GATE_NFT, LEASE) - 100);
    assert_int_equal(e.slot[0].holder, 0);
    go_on(800);
    assert_int_equal(e.slot[0].holder, 1);
}

static void test_lost_ends_the_waiting(void **state)
{
    (void)state;
    reigning();
    command(VERB_MOVE_ROLE, 1, true, 0);
    assert_true(told("it is not lost")); /* it answers */
    link_down(0);
    go_on(100);
    command(VERB_MOVE_ROLE, 1, true, 0);
    assert_int_equal(e.slot[0].holder, 1);
}

static void test_orders_wait_for_their_record(void **state)
{
    (void)state;
    reigning();
    link_down(0);
    go_on(lease_out(GATE_NFT, LEASE) + 900);
    assert_int_equal(e.slot[0].holder, 1);
    assert_int_not_equal(e.host[1].order_after, 0);
    engine_durable_of(&e, &durable);
    assert_int_equal(durable.slot[0].holder, 1);
    assert_true(e.host[1].order_after <= e.persisted);
}

static void test_promised_is_waited_for(void **state)
{
    (void)state;
    reigning();
    agent[1].promised_ms = agent[2].promised_ms = 1000;
    report(1);
    report(2);
    command(VERB_SET_OFFLINE, 0, false, -1);
    obey(0);
    go_on(200);
    assert_int_equal(e.slot[0].holder, -1);
    agent[1].promised_ms = 0;
    go_on(1500);
    assert_int_equal(e.slot[0].holder, 1);
}

/* ---- the electorate (7.7) ---- */

static void test_taken_out_on_disk_before_it_is_named(void **state)
{
    const struct msg_grant *g;
    uint64_t before;

    (void)state;
    reigning();
    link_down(2);
    before = e.slot[0].electorate;
    go_on(LEASE + 200);
    assert_int_equal(e.slot[0].members, 3);
    assert_true(e.slot[0].electorate > before);
    g = lease(0);
    assert_non_null(g);
    assert_int_equal(g->slot[0].members, 3);
    assert_int_equal(g->slot[0].electorate, e.slot[0].electorate);
    assert_true(planned(ACT_GRANT, 0)->after >= e.slot[0].electorate_after);
    engine_durable_of(&e, &durable);
    assert_int_equal(durable.slot[0].members, 3);
    assert_int_equal(durable.slot[0].allowed & 4, 0);
}

static void test_put_back_only_after_the_holder_knows(void **state)
{
    (void)state;
    reigning();
    link_down(2);
    go_on(LEASE + 200);
    (void)lease(0);
    agent[0].electorate = e.slot[0].electorate;
    agent[0].members = e.slot[0].members;
    (void)lease(0); /* acknowledged: db3 is out */
    link_up(2);
    report(2);
    assert_int_equal(e.slot[0].members, 7); /* named again */
    (void)lease(0);                         /* but not acknowledged */
    assert_int_equal(e.slot[0].host[0].allowed & 4, 0);
    agent[0].electorate = e.slot[0].electorate;
    agent[0].members = e.slot[0].members;
    (void)lease(0);
    assert_int_equal(e.slot[0].host[0].allowed & 4, 4);
}

static void test_who_was_away_is_stale(void **state)
{
    (void)state;
    reigning();
    link_down(1);
    link_down(2);
    go_on(LEASE + 200);
    (void)lease(0);
    link_down(0); /* knows or knows not: nobody else may follow its silence */
    link_up(1);
    report(1);
    go_on(4 * LEASE);
    assert_int_equal(e.slot[0].holder, -1);
    assert_non_null(strstr(e.slot[0].waiting, "--lost db1"));
}

/* Without a memory nobody knows whose promises an unheard holder needs. */
static void test_take_over_without_memory_trusts_no_silence(void **state)
{
    (void)state;
    now = 50000;
    configure(NULL, true);
    checks_fine();
    link_up(1);
    accept_reign(1);
    e.host[1].state = ONLINE;
    go_on(4 * LEASE);
    assert_int_equal(e.slot[0].holder, -1);
    assert_non_null(strstr(e.slot[0].waiting, "--lost"));
    for (int h = 0; h < HOSTS; h += 2) { /* heard, they hold nothing */
        link_up(h);
        accept_reign(h);
    }
    go_on(4 * LEASE);
    assert_int_equal(e.slot[0].holder, 1);
}

static void test_keep_takes_no_silence_for_a_release(void **state)
{
    (void)state;
    reigning();
    e.conf.keep = true;
    link_down(0);
    go_on(20 * LEASE);
    assert_int_equal(e.slot[0].holder, 0);
    command(VERB_MOVE_ROLE, 1, true, 0);
    go_on(1000);
    assert_int_equal(e.slot[0].holder, 1);
}

/* A monitor that was cut off does not have everybody let go when it is back. */
static void test_an_order_to_let_go_needs_a_report_since(void **state)
{
    (void)state;
    reigning();
    e.conf.lease_ms = 20000; /* half of it, and it does not live any more */
    now += 2500;
    for (int i = 0; i < 3; i++, now += 600)
        feed((struct engine_event){
            .kind = EV_CHECK,
            .check = {.check = CK_PING, .result = RESULT_ERROR, .message = "ERROR"}});
    assert_int_equal(e.host[0].state, HARD_OFFLINE);
    assert_false(e.slot[0].releasing);
    now += 600;
    report(0); /* it is heard, and still its ping is bad */
    assert_true(e.slot[0].releasing);
}

static void test_numbers_go_on_over_reigns(void **state)
{
    (void)state;
    now = 50000;
    configure(NULL, false);
    holds(0);
    agent[0].electorate = 40;
    agent[0].members = 1;
    for (int h = 0; h < HOSTS; h++)
        link_up(h);
    for (int h = 0; h < HOSTS; h++)
        accept_reign(h);
    report(0);
    assert_int_equal(e.slot[0].holder, 0);
    assert_true(e.slot[0].electorate > 40);
    assert_int_equal(e.slot[0].host[0].allowed,
                     1); /* it goes on alone until it is told otherwise */
}

/* ---- waking up (7, opening) ---- */

static void test_waking_late_reads_first(void **state)
{
    (void)state;
    reigning();
    now += 5 * LEASE;
    feed((struct engine_event){.kind = EV_TIME});
    assert_int_equal(e.slot[0].holder, 0);
    assert_non_null(lease(0)); /* what had been waiting */
    go_on(300);
    assert_int_equal(e.slot[0].holder, 0);
}

/* Nothing of an old journal counts: as a new identity it waits until every candidate is heard. */
static void journal_is_an_old_one(uint64_t epoch_known)
{
    restarted(0);
    assert_int_equal(e.epoch, 5);
    agent[1].epoch = epoch_known;
    snprintf(agent[1].obeys, IDENTITY_LEN, "mon1.old");
    link_up(1);
    assert_int_equal(e.reign, REIGN_WAITING);
    assert_string_not_equal(e.identity, "mon1.old");
    assert_int_equal(e.slot[0].journal_holder, -1);
    checks_fine();
    go_on(4 * LEASE);
    assert_int_equal(e.reign, REIGN_WAITING);
    assert_int_equal(e.slot[0].holder, -1);
    for (int h = 0; h < HOSTS; h++) {
        agent[h].epoch = epoch_known;
        snprintf(agent[h].obeys, IDENTITY_LEN, "mon1.old");
        agent[h].heard_ms = 60000;
        link_up(h);
    }
    assert_int_equal(e.reign, REIGN_CLAIMING);
    assert_int_equal(e.epoch, epoch_known + 1);
    for (int h = 0; h < HOSTS; h++)
        accept_reign(h);
    assert_int_equal(e.reign, REIGN_YES);
}

static void test_an_old_journal_counts_for_nothing(void **state)
{
    (void)state;
    journal_is_an_old_one(9);
}

static void test_an_old_journal_may_begin_a_known_epoch(void **state)
{
    (void)state;
    journal_is_an_old_one(5);
}

static void test_an_agent_that_comes_back_is_no_sign_of_an_old_journal(void **state)
{
    (void)state;
    reigning();
    feed((struct engine_event){.kind = EV_UNLINK, .agent = {.host = 1}});
    link_up(1);
    assert_int_equal(e.reign, REIGN_YES);
}

static void test_a_broken_applier_hides_no_extra_transactions(void **state)
{
    (void)state;
    reigning();
    agent[2].unsettled = true;
    agent[2].gtid = "0-1-5,0-3-9";
    go_on(4000);
    assert_string_equal(e.host[2].extra, "0-3-9 and perhaps earlier ones of that server");
    assert_int_equal(e.host[2].state, REPLICATION_FAIL);
}

/* Whoever runs is compared again: root can write to a replica. */
static void test_what_is_written_to_a_running_replica_is_told(void **state)
{
    (void)state;
    reigning();
    obey(2);
    go_on(1000);
    assert_true(e.host[2].clean);
    agent[2].replicates = true;
    agent[2].gtid = "0-1-5,0-3-9";
    go_on(1000);
    assert_true(e.host[2].clean);
    go_on(9000);
    assert_string_equal(e.host[2].extra, "0-3-9 and perhaps earlier ones of that server");
    assert_int_equal(e.host[2].state, REPLICATION_FAIL);
}

/* A writer whose server does not answer is not known to lack anything. */
static void test_old_facts_convict_nobody(void **state)
{
    (void)state;
    reigning();
    obey(2);
    go_on(1000);
    agent[2].replicates = true;
    agent[2].gtid = "0-1-9";
    for (int i = 0; i < 100; i++) {
        agent[0].facts_ms += 100;
        go_on(100);
    }
    assert_string_equal(e.host[2].extra, "");
    agent[0].facts_ms = 0;
    agent[0].gtid = "0-1-9";
    go_on(9000);
    assert_string_equal(e.host[2].extra, "");
}

static void test_a_move_waits_for_what_there_was(void **state)
{
    (void)state;
    reigning();
    agent[0].gtid = "0-1-7";
    obey(1);
    go_on(1000);
    agent[1].replicates = true;
    agent[1].gtid = "0-1-6";
    go_on(100);
    command(VERB_MOVE_ROLE, 1, false, -1);
    go_on(1000);
    assert_int_equal(e.move.phase, MOVE_LAG);
    agent[1].gtid = "0-1-7";
    go_on(100);
    assert_int_equal(e.move.phase, MOVE_RELEASE);
}

/* Forced, it does not wait for what can't come, and is told so. */
static void test_force_opens_as_it_is(void **state)
{
    (void)state;
    reigning();
    agent[2].unsettled = true;
    agent[2].gtid = "0-1-5,0-3-9";
    go_on(4000);
    assert_int_equal(e.host[2].state, REPLICATION_FAIL);
    command(VERB_MOVE_ROLE, 2, true, -1);
    assert_int_equal(e.move.phase, MOVE_RELEASE);
    obey(0);
    go_on(200);
    assert_int_equal(e.slot[0].holder, 2);
    assert_true(engine_order_of(&e, 2)->as_is);
    agent[2].unsettled = false;
    obey(2);
    go_on(200);
    assert_int_equal(engine_writer(&e), 2);
    assert_int_equal(e.host[2].state, ONLINE);
}

static void test_only_who_has_applied_everything_is_cleared(void **state)
{
    (void)state;
    reigning();
    agent[2].unsettled = true;
    go_on(4000);
    assert_false(e.host[2].clean);
    agent[2].unsettled = false;
    obey(2);
    go_on(1000);
    assert_true(e.host[2].clean);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_broken_applier_hides_no_extra_transactions),
        cmocka_unit_test(test_what_is_written_to_a_running_replica_is_told),
        cmocka_unit_test(test_old_facts_convict_nobody),
        cmocka_unit_test(test_a_move_waits_for_what_there_was),
        cmocka_unit_test(test_force_opens_as_it_is),
        cmocka_unit_test(test_only_who_has_applied_everything_is_cleared),
        cmocka_unit_test(test_an_old_journal_counts_for_nothing),
        cmocka_unit_test(test_an_old_journal_may_begin_a_known_epoch),
        cmocka_unit_test(test_an_agent_that_comes_back_is_no_sign_of_an_old_journal),
        cmocka_unit_test(test_epoch_is_durable_before_anything_is_said),
        cmocka_unit_test(test_new_identity_waits_for_everybody),
        cmocka_unit_test(test_new_identity_stays_passive_beside_another),
        cmocka_unit_test(test_new_identity_waits_while_its_name_is_heard),
        cmocka_unit_test(test_deposed_goes_passive_and_says_by_whom),
        cmocka_unit_test(test_take_over_outbids),
        cmocka_unit_test(test_holder_of_the_journal_is_granted_at_once),
        cmocka_unit_test(test_nobody_else_before_all_are_heard_or_out),
        cmocka_unit_test(test_all_heard_and_nobody_holds),
        cmocka_unit_test(test_two_holders_make_it_passive),
        cmocka_unit_test(test_two_holders_the_journal_decides),
        cmocka_unit_test(test_passive_still_grants),
        cmocka_unit_test(test_wrong_serial_gets_no_grant),
        cmocka_unit_test(test_no_grant_while_releasing),
        cmocka_unit_test(test_only_an_ended_serial_is_a_release),
        cmocka_unit_test(test_new_life_that_holds_nothing_is_a_release),
        cmocka_unit_test(test_silence_is_waited_out),
        cmocka_unit_test(test_lost_ends_the_waiting),
        cmocka_unit_test(test_orders_wait_for_their_record),
        cmocka_unit_test(test_promised_is_waited_for),
        cmocka_unit_test(test_taken_out_on_disk_before_it_is_named),
        cmocka_unit_test(test_put_back_only_after_the_holder_knows),
        cmocka_unit_test(test_who_was_away_is_stale),
        cmocka_unit_test(test_take_over_without_memory_trusts_no_silence),
        cmocka_unit_test(test_keep_takes_no_silence_for_a_release),
        cmocka_unit_test(test_an_order_to_let_go_needs_a_report_since),
        cmocka_unit_test(test_numbers_go_on_over_reigns),
        cmocka_unit_test(test_waking_late_reads_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
