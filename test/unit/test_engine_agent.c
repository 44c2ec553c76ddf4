/* SPDX-License-Identifier: GPL-2.0-or-later
 * The agent's safety rules, one by one. Host 1 of three;
 * slot 0 is the writer, slot 1 a reader. Leases are 2000 ms. */
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

static void feed(struct agent_event ev)
{
    ev.now_ms = now;
    agent_step(&a, &ev, &plan);
}

static const struct agent_action *planned(enum agent_action_kind kind)
{
    for (unsigned i = 0; i < plan.n; i++)
        if (plan.at[i].kind == kind)
            return &plan.at[i];
    return NULL;
}

static unsigned place(enum agent_action_kind kind)
{
    const struct agent_action *act = planned(kind);

    assert_non_null(act);
    return (unsigned)(act - plan.at);
}

static void start(const struct agent_record *record, const struct agent_durable *durable)
{
    struct agent_conf c = {.self = SELF,
                           .hosts = 3,
                           .slots = 2,
                           .lease_ms = LEASE,
                           .gate = GATE_NFT,
                           .on_monitor_loss = on_loss,
                           .kill_hung_mysqld = true,
                           .catch_up_ms = 30000};

    snprintf(c.slot[0].name, SLOT_LEN, "writer");
    snprintf(c.slot[1].name, SLOT_LEN, "reader/1");
    c.slot[0].writable = true;
    c.slot[0].candidates = c.slot[1].candidates = 7;
    agent_init(&a, &c);
    feed((struct agent_event){
        .kind = AE_START,
        .start = {.start_id = START, .uptime_s = 1000, .record = record, .durable = durable}});
}

static void facts(bool read_only)
{
    struct agent_facts f = {.read_only = read_only, .source = -1, .lag_ms = -1};

    feed((struct agent_event){.kind = AE_FACTS, .facts = &f});
}

static void mysqld(enum mysqld state, int64_t pid)
{
    feed((struct agent_event){.kind = AE_MYSQLD, .mysqld = {state, pid, "it exited"}});
}

static void job_done(bool ok, bool read_only)
{
    struct agent_facts f = {.read_only = read_only, .source = -1, .lag_ms = -1};

    feed((struct agent_event){
        .kind = AE_JOB, .job = {.job = a.job, .ok = ok, .why = "no", .facts = ok ? &f : NULL}});
}

static void beat_of(uint64_t epoch, const char *monitor)
{
    m.kind = MSG_BEAT;
    m.beat.epoch = epoch;
    snprintf(m.beat.monitor, IDENTITY_LEN, "%s", monitor);
    feed((struct agent_event){.kind = AE_MONITOR, .monitor = {LINK, &m}});
}

static void beat(void)
{
    beat_of(EPOCH, "mon1.a");
}

static void order_as(uint64_t serial, slotset hold, uint64_t start_id, bool fence)
{
    memset(&m.order, 0, sizeof m.order);
    m.kind = MSG_ORDER;
    m.order.epoch = EPOCH;
    snprintf(m.order.monitor, IDENTITY_LEN, "mon1.a");
    m.order.serial = SERIAL + serial;
    m.order.start_id = start_id;
    m.order.hold = hold;
    m.order.follow = FOLLOW_KEEP;
    m.order.source = -1;
    m.order.fence = fence;
    feed((struct agent_event){.kind = AE_MONITOR, .monitor = {LINK, &m}});
}

static void order(uint64_t serial, slotset hold)
{
    order_as(serial, hold, START, false);
}

static void grant_to(int slot, uint64_t serial, int64_t sent, uint64_t electorate, hostset members)
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
static void settle(void)
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
static void hold_writer(void)
{
    settle();
    order(1, 1);
    assert_non_null(planned(AA_LEASE));
    grant_to(WRITER, 1, now, 3, 7);
    assert_int_equal(a.job, JOB_WRITABLE);
    job_done(true, false);
    assert_int_equal(a.slot[WRITER].hold, HOLD_HELD);
}

static const struct report_slot *reported(int slot)
{
    static struct msg_report r;

    agent_report_of(&a, now, &r);
    for (unsigned i = 0; i < r.n; i++)
        if (r.slot[i].slot == slot)
            return &r.slot[i];
    fail();
    return NULL;
}

/* ---- orders (7.1) ---- */

static void test_new_epoch_counts_once_on_disk(void **state)
{
    (void)state;
    settle();
    beat_of(EPOCH + 1, "mon1.b");
    assert_non_null(planned(AA_PERSIST));
    assert_int_equal(a.durable.epoch, EPOCH);
    m.kind = MSG_ORDER;
    memset(&m.order, 0, sizeof m.order);
    m.order.epoch = EPOCH + 1;
    snprintf(m.order.monitor, IDENTITY_LEN, "mon1.b");
    m.order.serial = (EPOCH + 1) << 32 | 1;
    m.order.start_id = START;
    m.order.hold = 1;
    feed((struct agent_event){.kind = AE_MONITOR, .monitor = {LINK, &m}});
    assert_int_equal(a.slot[WRITER].hold, HOLD_NONE);
    feed((struct agent_event){.kind = AE_DURABLE});
    assert_int_equal(a.durable.epoch, EPOCH + 1);
    feed((struct agent_event){.kind = AE_MONITOR, .monitor = {LINK, &m}});
    assert_int_equal(a.slot[WRITER].hold, HOLD_WANTED);
}

static void test_older_epoch_is_refused(void **state)
{
    (void)state;
    settle();
    now += 50;
    a.heard_ms = now - 50;
    beat_of(EPOCH - 1, "mon1.a");
    assert_int_equal(planned(AA_REFUSE)->link, LINK);
    assert_int_equal(a.heard_ms, now - 50); /* not "heard the monitor" */
}

static void test_same_epoch_of_another_is_refused(void **state)
{
    (void)state;
    settle();
    beat_of(EPOCH, "mon2.x");
    assert_non_null(planned(AA_REFUSE));
    assert_string_equal(a.durable.monitor, "mon1.a");
}

static void test_order_for_earlier_life_is_void(void **state)
{
    (void)state;
    settle();
    order_as(1, 1, START - 1, false);
    assert_int_equal(a.slot[WRITER].hold, HOLD_NONE);
    assert_false(a.ordered);
}

static void test_old_serial_is_void(void **state)
{
    (void)state;
    settle();
    order(4, 0);
    order(3, 1);
    assert_int_equal(a.slot[WRITER].hold, HOLD_NONE);
}

/* ---- leases (7.2) ---- */

static void test_order_alone_opens_nothing(void **state)
{
    (void)state;
    settle();
    order(1, 3);
    assert_null(planned(AA_SHOW));
    assert_int_equal(a.job, JOB_NONE);
    assert_int_equal(reported(WRITER)->hold, HOLD_WANTED);
}

static void test_lease_counts_from_the_request(void **state)
{
    (void)state;
    settle();
    order(1, 2);
    now += 900;
    grant_to(READER, 1, now - 900, 3, 7);
    assert_int_equal(a.slot[READER].lease_until, now - 900 + LEASE);
    assert_int_equal(planned(AA_GATE)->until_ms, now - 900 + LEASE);
    assert_true(place(AA_GATE) < place(AA_SHOW));
}

static void test_grant_of_other_serial_or_from_the_future(void **state)
{
    (void)state;
    settle();
    order(1, 2);
    order(2, 2);
    grant_to(READER, 1, now, 3, 7);
    assert_int_equal(a.slot[READER].lease_until, 0);
    grant_to(READER, 2, now + 1, 3, 7);
    assert_int_equal(a.slot[READER].lease_until, 0);
}

static void test_late_grant_does_not_revive(void **state)
{
    (void)state;
    hold_writer();
    now += LEASE + 1;
    grant_to(WRITER, 1, now - 10, 3, 7); /* it would be good for long, but it comes too late */
    assert_non_null(planned(AA_HIDE));
    assert_int_equal(a.slot[WRITER].hold, HOLD_LEAVING);
    assert_int_equal(a.slot[WRITER].lease_until, 0);
    assert_null(planned(AA_GATE));
}

static void test_deadlines_come_before_messages(void **state)
{
    (void)state;
    hold_writer();
    now += LEASE;
    order(2, 1); /* still wanted, but what is over is over */
    assert_int_equal(a.slot[WRITER].hold, HOLD_LEAVING);
    assert_true(place(AA_HIDE) < place(AA_RECORD));
    assert_int_equal(a.job, JOB_READ_ONLY);
}

/* ---- release (7.3, 7.4) ---- */

static void test_ended_serials_end_for_good(void **state)
{
    (void)state;
    settle();
    order(1, 2);
    grant_to(READER, 1, now, 3, 7);
    assert_int_equal(a.slot[READER].hold, HOLD_HELD);
    now += LEASE;
    feed((struct agent_event){.kind = AE_TIME});
    assert_int_equal(a.slot[READER].hold, HOLD_NONE);
    assert_int_equal(reported(READER)->ended, SERIAL + 1);
    assert_int_equal(reported(READER)->serial, SERIAL + 1);
    order(1, 2); /* said again */
    assert_int_equal(a.slot[READER].hold, HOLD_NONE);
    order(2, 2);
    assert_int_equal(a.slot[READER].hold, HOLD_WANTED);
}

static void test_nothing_under_a_live_order_is_no_release(void **state)
{
    (void)state;
    settle();
    order(1, 2);
    assert_int_equal(reported(READER)->hold, HOLD_WANTED);
    assert_int_equal(reported(READER)->ended, 0);
    assert_int_equal(reported(WRITER)->ended, SERIAL + 1); /* ordered not to hold that one */
}

static void test_planned_release_blocks_writes_first(void **state)
{
    (void)state;
    hold_writer();
    order(2, 0);
    assert_null(planned(AA_HIDE));
    assert_int_equal(a.job, JOB_READ_ONLY);
    assert_true(planned(AA_JOB)->planned);
    assert_int_equal(reported(WRITER)->hold, HOLD_LEAVING);
    job_done(true, true);
    assert_non_null(planned(AA_HIDE));
    assert_int_equal(a.slot[WRITER].hold, HOLD_NONE);
    assert_int_equal(reported(WRITER)->ended, SERIAL + 2);
    assert_true(place(AA_RECORD) < place(AA_REPORT)); /* recorded before it is reported */
}

static void test_fence_closes_the_gate_first(void **state)
{
    (void)state;
    hold_writer();
    order_as(2, 0, START, true);
    assert_true(place(AA_HIDE) < place(AA_JOB));
    assert_false(planned(AA_JOB)->planned);
    assert_int_equal(reported(WRITER)->hold, HOLD_LEAVING);
}

static void test_server_that_does_not_obey_is_killed(void **state)
{
    (void)state;
    hold_writer();
    order_as(2, 0, START, true);
    now += OBEY_MS - 1;
    feed((struct agent_event){.kind = AE_TIME});
    assert_null(planned(AA_KILL_MYSQLD));
    now += 1;
    feed((struct agent_event){.kind = AE_TIME});
    assert_non_null(planned(AA_KILL_MYSQLD));
    assert_int_equal(reported(WRITER)->hold, HOLD_LEAVING); /* not before it is gone */
    mysqld(MYSQLD_DEAD, 500);
    assert_int_equal(reported(WRITER)->hold, HOLD_NONE);
}

static void test_no_release_while_it_may_be_writable(void **state)
{
    (void)state;
    hold_writer();
    a.conf.kill_hung_mysqld = false;
    order_as(2, 0, START, true);
    for (int i = 0; i < 10; i++) {
        now += 1100;
        if (a.job == JOB_READ_ONLY)
            job_done(false, false);
        feed((struct agent_event){.kind = AE_TIME});
        assert_null(planned(AA_KILL_MYSQLD));
        assert_int_equal(reported(WRITER)->hold, HOLD_LEAVING);
    }
    job_done(true, true);
    assert_int_equal(reported(WRITER)->hold, HOLD_NONE);
}

/* ---- a start (7.5) ---- */

static void test_quarantine_without_a_record(void **state)
{
    struct agent_durable d = {.epoch = EPOCH, .monitor = "mon1.a"};
    struct msg_ask ask = {.round = 5, .promise_ms = 2091, .slots = 1};

    (void)state;
    now = 100000;
    start(NULL, &d);
    mysqld(MYSQLD_UP, 500);
    job_done(true, true);
    beat();
    order(1, 3);
    assert_int_equal(a.slot[WRITER].hold, HOLD_NONE);
    assert_int_equal(reported(WRITER)->ended, SERIAL + 1);
    assert_int_equal(reported(WRITER)->promised_ms, lease_out(GATE_NFT, LEASE));
    feed((struct agent_event){.kind = AE_ASK, .peer = {.host = 0, .ask = &ask}});
    assert_int_equal(planned(AA_PROMISE)->promise.yes,
                     1); /* at once, though it hears the monitor */
    now += lease_out(GATE_NFT, LEASE);
    order(2, 2);
    assert_int_equal(a.slot[READER].hold, HOLD_WANTED);
}

static void test_running_lease_is_adopted(void **state)
{
    struct agent_record r = {.epoch = EPOCH};

    (void)state;
    now = 100000;
    r.slot[WRITER].held = r.slot[WRITER].unclean = true;
    r.slot[WRITER].serial = SERIAL + 1;
    r.slot[WRITER].lease_until_ms = now + 300;
    r.slot[WRITER].electorate = 3;
    r.slot[WRITER].members = 7;
    start(&r, NULL);
    assert_int_equal(a.slot[WRITER].hold, HOLD_HELD);
    assert_int_equal(planned(AA_GATE)->until_ms, now + 300);
    assert_true(agent_may_listen(&a));
    now += 300;
    feed((struct agent_event){.kind = AE_TIME});
    assert_int_equal(a.slot[WRITER].hold, HOLD_LEAVING);
}

static void test_only_under_a_sure_lease_clients_come_before_the_gate(void **state)
{
    (void)state;
    hold_writer();
    order_as(2, 0, START, true); /* ordered, the lease runs */
    assert_true(planned(AA_HIDE)->until_ms > now);
    hold_writer();
    now += LEASE;
    feed((struct agent_event){.kind = AE_TIME});
    assert_int_equal(planned(AA_HIDE)->until_ms, 0);
    hold_writer(); /* the lease seems to run, but clocks or the network say otherwise */
    feed((struct agent_event){.kind = AE_JUMP, .jump = {.ms = 900}});
    assert_int_equal(planned(AA_HIDE)->until_ms, 0);
    hold_writer();
    feed((struct agent_event){.kind = AE_FOREIGN, .slot = {.slot = WRITER, .why = "seen"}});
    assert_int_equal(planned(AA_HIDE)->until_ms, 0);
}

static void test_what_ran_out_is_fenced_before_it_listens(void **state)
{
    struct agent_record r = {.epoch = EPOCH};

    (void)state;
    now = 100000;
    r.slot[WRITER].held = r.slot[WRITER].unclean = true;
    r.slot[WRITER].serial = SERIAL + 1;
    r.slot[WRITER].lease_until_ms = now;
    start(&r, NULL);
    assert_non_null(planned(AA_HIDE));
    assert_false(agent_may_listen(&a));
    assert_int_equal(reported(WRITER)->hold, HOLD_LEAVING);
    mysqld(MYSQLD_UP, 500);
    assert_int_equal(a.job, JOB_READ_ONLY);
    job_done(true, true);
    assert_true(agent_may_listen(&a));
    assert_int_equal(reported(WRITER)->ended, SERIAL + 1);
}

static void test_record_keeps_promises(void **state)
{
    struct agent_record r = {.epoch = EPOCH};
    struct agent_durable d = {.epoch = EPOCH, .monitor = "mon1.a"};

    (void)state;
    now = 100000;
    r.slot[READER].promised_until_ms = now + 700;
    start(&r, &d);
    beat();
    order(1, 2);
    assert_int_equal(a.slot[READER].hold, HOLD_NONE);
    assert_int_equal(reported(READER)->promised_ms, 700);
}

/* ---- promises (7.7) ---- */

static const struct msg_promise *asked(int64_t promise_ms)
{
    struct msg_ask ask = {.round = 5, .promise_ms = promise_ms, .slots = 3};

    feed((struct agent_event){.kind = AE_ASK, .peer = {.host = 0, .ask = &ask}});
    return planned(AA_PROMISE) ? &planned(AA_PROMISE)->promise : NULL;
}

static void test_no_promise_while_the_monitor_is_heard(void **state)
{
    (void)state;
    settle();
    now += LEASE / 6;
    assert_int_equal(asked(2091)->yes, 0);
    assert_int_equal(a.slot[READER].promised_until, 0);
    now += 1;
    assert_int_equal(asked(2091)->yes, 3);
    assert_int_equal(a.slot[READER].promised_until, now + 2091);
    assert_true(place(AA_RECORD) < place(AA_PROMISE));
}

static void test_no_promise_of_what_it_is_ordered_to_hold(void **state)
{
    (void)state;
    settle();
    order(1, 2);
    now += LEASE;
    assert_int_equal(asked(2091)->yes, 1);
}

static void test_order_under_promise_is_not_taken(void **state)
{
    (void)state;
    settle();
    now += LEASE;
    (void)asked(2091);
    order(1, 1);
    assert_int_equal(a.slot[WRITER].hold, HOLD_NONE);
    assert_int_equal(reported(WRITER)->promised_ms, 2091);
    assert_int_equal(reported(WRITER)->ended, SERIAL + 1);
    now += 2091;
    order(2, 1);
    assert_int_equal(a.slot[WRITER].hold, HOLD_WANTED);
}

static void test_silly_asks_are_ignored(void **state)
{
    (void)state;
    settle();
    now += LEASE;
    assert_null(asked(0));
    assert_null(asked(INT64_MAX));
}

static void promise_from(int host, int64_t round, slotset yes)
{
    struct msg_promise answer = {.round = round, .yes = yes};

    feed((struct agent_event){.kind = AE_PROMISE, .peer = {.host = host, .promise = &answer}});
}

static void test_all_promises_of_one_round_extend(void **state)
{
    int64_t until, first;

    (void)state;
    hold_writer();
    until = a.slot[WRITER].lease_until;
    now += LEASE / 6 + 1;
    feed((struct agent_event){.kind = AE_TIME});
    assert_int_equal(planned(AA_ASK)->ask.promise_ms, lease_out(GATE_NFT, LEASE));
    first = planned(AA_ASK)->ask.round;
    promise_from(0, first, 1);
    assert_int_equal(a.slot[WRITER].lease_until, until); /* one of two */
    now += LEASE / 8;
    feed((struct agent_event){.kind = AE_TIME}); /* asks again: a refusal is not the last word */
    assert_non_null(planned(AA_ASK));
    promise_from(2, first, 1);
    assert_int_equal(a.slot[WRITER].lease_until, until); /* of an earlier round */
    promise_from(0, now, 1);
    promise_from(2, now, 1);
    assert_int_equal(a.slot[WRITER].lease_until, now + LEASE);
}

static void test_electorate_of_one_goes_on_alone(void **state)
{
    (void)state;
    hold_writer();
    grant_to(WRITER, 1, now, 4, 1ull << SELF);
    feed((struct agent_event){.kind = AE_MONITOR_DOWN, .monitor = {LINK, NULL}});
    now += LEASE / 4;
    feed((struct agent_event){.kind = AE_TIME});
    assert_null(planned(AA_ASK));
    assert_int_equal(a.slot[WRITER].lease_until, now + LEASE);
}

static void test_electorate_goes_forward_only(void **state)
{
    (void)state;
    hold_writer();
    grant_to(WRITER, 1, now, 2, 1ull << SELF);
    assert_int_equal(a.slot[WRITER].electorate, 3);
    assert_int_equal(a.slot[WRITER].members, 7);
}

static void test_promise_after_the_lease_is_nothing(void **state)
{
    int64_t round;

    (void)state;
    hold_writer();
    now += LEASE - 10;
    feed((struct agent_event){.kind = AE_TIME});
    round = planned(AA_ASK)->ask.round;
    promise_from(0, round, 1);
    now += 10;
    promise_from(2, round, 1);
    assert_int_equal(a.slot[WRITER].hold, HOLD_LEAVING);
    assert_int_equal(a.slot[WRITER].lease_until, 0);
}

/* ---- on_monitor_loss: keep, fence ---- */

static int use_promise(void **state)
{
    (void)state;
    on_loss = LOSS_PROMISE;
    return 0;
}

static void lose_monitor(void)
{
    feed((struct agent_event){.kind = AE_MONITOR_DOWN, .monitor = {LINK, NULL}});
}

static void test_keep_goes_on_without_asking(void **state)
{
    int64_t until;

    (void)state;
    on_loss = LOSS_KEEP;
    hold_writer();
    until = a.slot[WRITER].lease_until;
    now += LEASE / 8 + 1;
    feed((struct agent_event){.kind = AE_TIME});
    assert_int_equal(a.slot[WRITER].lease_until, until); /* heard lately: the monitor's business */
    now += LEASE / 6 - LEASE / 8;
    assert_true(agent_deadline(&a) <= now);
    for (int i = 0; i < 50; i++) { /* unheard; six leases long */
        feed((struct agent_event){.kind = AE_TIME});
        assert_null(planned(AA_ASK));
        assert_int_equal(planned(AA_GATE)->until_ms, now + LEASE);
        assert_int_equal(a.slot[WRITER].lease_until, now + LEASE);
        assert_true(agent_deadline(&a) <= now + LEASE / 8);
        now += LEASE / 8;
    }
    lose_monitor(); /* and with the link gone just the same */
    assert_int_equal(a.slot[WRITER].lease_until, now + LEASE);
    assert_int_equal(a.slot[WRITER].hold, HOLD_HELD);
    assert_true(reported(WRITER)->lease_ms == LEASE);
}

static void test_keep_goes_on_at_once_without_a_link(void **state)
{
    (void)state;
    on_loss = LOSS_KEEP;
    hold_writer();
    now += 5;
    lose_monitor();
    assert_null(planned(AA_ASK));
    assert_int_equal(a.slot[WRITER].lease_until, now + LEASE);
    now += 5; /* not with every event: each lease/8 */
    facts(false);
    assert_int_equal(a.slot[WRITER].lease_until, now - 5 + LEASE);
}

static void test_keep_revives_nothing(void **state)
{
    (void)state;
    on_loss = LOSS_KEEP;
    hold_writer();
    now += LEASE; /* it was frozen: the lease comes first */
    lose_monitor();
    assert_int_equal(a.slot[WRITER].hold, HOLD_LEAVING);
    assert_int_equal(a.slot[WRITER].lease_until, 0);
    assert_non_null(planned(AA_HIDE));
}

/* Ordered, and the monitor is gone before it granted: the first lease is the monitor's to give. */
static void test_keep_begins_nothing(void **state)
{
    (void)state;
    on_loss = LOSS_KEEP;
    hold_writer();
    order_as(2, 0, START, true);
    job_done(true, true);
    assert_int_equal(a.slot[WRITER].hold, HOLD_NONE);
    order(3, 1);
    assert_int_equal(a.slot[WRITER].hold, HOLD_WANTED);
    lose_monitor();
    now += LEASE / 4;
    feed((struct agent_event){.kind = AE_TIME});
    assert_int_equal(a.slot[WRITER].lease_until, 0);
    assert_null(planned(AA_SHOW));
}

static void test_keep_lets_go_when_told(void **state)
{
    (void)state;
    on_loss = LOSS_KEEP;
    hold_writer();
    lose_monitor();
    order_as(2, 0, START, true); /* a monitor is back */
    assert_int_equal(a.slot[WRITER].hold, HOLD_LEAVING);
    assert_non_null(planned(AA_HIDE));
    lose_monitor();
    now += LEASE / 4;
    feed((struct agent_event){.kind = AE_TIME});
    assert_int_equal(a.slot[WRITER].lease_until, 0);

    hold_writer();
    lose_monitor();
    feed((struct agent_event){.kind = AE_JUMP, .jump = {.ms = 5000}});
    assert_int_equal(a.slot[WRITER].hold, HOLD_LEAVING);

    hold_writer();
    lose_monitor();
    feed((struct agent_event){.kind = AE_FOREIGN,
                              .slot = {.slot = WRITER, .why = "02:00 answers for it"}});
    assert_int_equal(a.slot[WRITER].hold, HOLD_LEAVING);
}

static void test_keep_takes_nothing_in_quarantine(void **state)
{
    struct agent_durable d = {.epoch = EPOCH, .monitor = "mon1.a"};

    (void)state;
    on_loss = LOSS_KEEP;
    now = 100000;
    start(NULL, &d);
    mysqld(MYSQLD_UP, 500);
    job_done(true, true);
    order(1, 1);
    assert_int_equal(a.slot[WRITER].hold, HOLD_NONE);
    assert_int_equal(a.slot[WRITER].ended, SERIAL + 1);
}

static void test_fence_asks_nobody_and_ends(void **state)
{
    int64_t until;

    (void)state;
    on_loss = LOSS_FENCE;
    hold_writer();
    until = a.slot[WRITER].lease_until;
    lose_monitor();
    assert_null(planned(AA_ASK));
    for (now += LEASE / 8; now < until; now += LEASE / 8) {
        feed((struct agent_event){.kind = AE_TIME});
        assert_null(planned(AA_ASK));
        assert_int_equal(a.slot[WRITER].lease_until, until);
        assert_int_equal(a.slot[WRITER].hold, HOLD_HELD);
    }
    assert_true(agent_deadline(&a) <= until);
    now = until;
    feed((struct agent_event){.kind = AE_TIME});
    assert_int_equal(a.slot[WRITER].hold, HOLD_LEAVING);
    assert_non_null(planned(AA_HIDE));
    assert_int_equal(a.job, JOB_READ_ONLY);
}

/* ---- trust no report (7.9), the gate (7.4) ---- */

static void test_writable_without_an_order(void **state)
{
    (void)state;
    settle();
    facts(false);
    assert_int_equal(a.job, JOB_READ_ONLY);
    assert_true(planned(AA_SAY)->loud);
}

static void test_jump_and_foreign_answer_fence(void **state)
{
    (void)state;
    hold_writer();
    feed((struct agent_event){.kind = AE_JUMP, .jump = {.ms = 5000}});
    assert_non_null(planned(AA_HIDE));
    assert_int_equal(a.slot[WRITER].hold, HOLD_LEAVING);
    hold_writer();
    feed((struct agent_event){.kind = AE_FOREIGN, .slot = {WRITER, false, "seen"}});
    assert_non_null(planned(AA_HIDE));
    assert_int_equal(a.slot[WRITER].hold, HOLD_LEAVING);
}

static void test_removed_is_put_back_under_a_lease_only(void **state)
{
    (void)state;
    hold_writer();
    feed((struct agent_event){.kind = AE_REMOVED, .slot = {WRITER, false, "by hand"}});
    assert_int_equal(planned(AA_SHOW)->until_ms, a.slot[WRITER].lease_until);
    now += LEASE;
    feed((struct agent_event){.kind = AE_REMOVED, .slot = {WRITER, false, "by hand"}});
    assert_null(planned(AA_SHOW));
}

static void test_gate_that_fails_ends_it(void **state)
{
    (void)state;
    hold_writer();
    feed((struct agent_event){.kind = AE_GATE_FAILED, .slot = {WRITER, false, "too late"}});
    assert_non_null(planned(AA_HIDE));
    assert_int_equal(a.slot[WRITER].hold, HOLD_LEAVING);
}

static void test_probe_before_an_address_after_silence(void **state)
{
    (void)state;
    settle();
    memset(&m.order, 0, sizeof m.order);
    m.kind = MSG_ORDER;
    m.order.epoch = EPOCH;
    snprintf(m.order.monitor, IDENTITY_LEN, "mon1.a");
    m.order.serial = SERIAL + 1;
    m.order.start_id = START;
    m.order.hold = 2;
    m.order.source = -1;
    m.order.probe = true;
    feed((struct agent_event){.kind = AE_MONITOR, .monitor = {LINK, &m}});
    grant_to(READER, 1, now, 3, 7);
    assert_non_null(planned(AA_PROBE));
    assert_null(planned(AA_SHOW));
    feed((struct agent_event){.kind = AE_PROBED, .slot = {READER, true, ""}});
    assert_null(planned(AA_SHOW)); /* somebody still answers */
    now += 200;
    feed((struct agent_event){.kind = AE_TIME});
    assert_non_null(planned(AA_PROBE));
    feed((struct agent_event){.kind = AE_PROBED, .slot = {READER, false, ""}});
    assert_non_null(planned(AA_SHOW));
}

static void test_half_done_job_is_looked_at_anew(void **state)
{
    (void)state;
    settle();
    order(1, 1);
    grant_to(WRITER, 1, now, 3, 7);
    assert_int_equal(a.job, JOB_WRITABLE);
    job_done(false, true);
    assert_false(a.facts_known);
    assert_int_not_equal(reported(WRITER)->hold, HOLD_HELD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_epoch_counts_once_on_disk),
        cmocka_unit_test(test_older_epoch_is_refused),
        cmocka_unit_test(test_same_epoch_of_another_is_refused),
        cmocka_unit_test(test_order_for_earlier_life_is_void),
        cmocka_unit_test(test_old_serial_is_void),
        cmocka_unit_test(test_order_alone_opens_nothing),
        cmocka_unit_test(test_lease_counts_from_the_request),
        cmocka_unit_test(test_grant_of_other_serial_or_from_the_future),
        cmocka_unit_test(test_late_grant_does_not_revive),
        cmocka_unit_test(test_deadlines_come_before_messages),
        cmocka_unit_test(test_ended_serials_end_for_good),
        cmocka_unit_test(test_nothing_under_a_live_order_is_no_release),
        cmocka_unit_test(test_planned_release_blocks_writes_first),
        cmocka_unit_test(test_fence_closes_the_gate_first),
        cmocka_unit_test(test_server_that_does_not_obey_is_killed),
        cmocka_unit_test(test_no_release_while_it_may_be_writable),
        cmocka_unit_test(test_quarantine_without_a_record),
        cmocka_unit_test(test_running_lease_is_adopted),
        cmocka_unit_test(test_only_under_a_sure_lease_clients_come_before_the_gate),
        cmocka_unit_test(test_what_ran_out_is_fenced_before_it_listens),
        cmocka_unit_test(test_record_keeps_promises),
        cmocka_unit_test(test_no_promise_while_the_monitor_is_heard),
        cmocka_unit_test(test_no_promise_of_what_it_is_ordered_to_hold),
        cmocka_unit_test(test_order_under_promise_is_not_taken),
        cmocka_unit_test(test_silly_asks_are_ignored),
        cmocka_unit_test(test_all_promises_of_one_round_extend),
        cmocka_unit_test(test_electorate_of_one_goes_on_alone),
        cmocka_unit_test(test_electorate_goes_forward_only),
        cmocka_unit_test(test_promise_after_the_lease_is_nothing),
        cmocka_unit_test_teardown(test_keep_goes_on_without_asking, use_promise),
        cmocka_unit_test_teardown(test_keep_goes_on_at_once_without_a_link, use_promise),
        cmocka_unit_test_teardown(test_keep_revives_nothing, use_promise),
        cmocka_unit_test_teardown(test_keep_begins_nothing, use_promise),
        cmocka_unit_test_teardown(test_keep_lets_go_when_told, use_promise),
        cmocka_unit_test_teardown(test_keep_takes_nothing_in_quarantine, use_promise),
        cmocka_unit_test_teardown(test_fence_asks_nobody_and_ends, use_promise),
        cmocka_unit_test(test_writable_without_an_order),
        cmocka_unit_test(test_jump_and_foreign_answer_fence),
        cmocka_unit_test(test_removed_is_put_back_under_a_lease_only),
        cmocka_unit_test(test_gate_that_fails_ends_it),
        cmocka_unit_test(test_probe_before_an_address_after_silence),
        cmocka_unit_test(test_half_done_job_is_looked_at_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
