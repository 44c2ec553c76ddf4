/* SPDX-License-Identifier: GPL-2.0-or-later
 * The agent without a monitor: promises, and what on_monitor_loss says instead. */
#include "test_engine_agent.h"

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

/* on_monitor_loss: keep: the monitor names an electorate of the holder alone. */
static void hold_alone(void)
{
    hold_writer();
    grant_to(WRITER, 1, now, 4, 1ull << a.conf.self);
}

static void test_keep_goes_on_without_asking(void **state)
{
    int64_t until;

    (void)state;
    hold_alone();
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
    hold_alone();
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
    hold_alone();
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
    hold_alone();
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
    hold_alone();
    lose_monitor();
    order_as(2, 0, START, true); /* a monitor is back */
    assert_int_equal(a.slot[WRITER].hold, HOLD_LEAVING);
    assert_non_null(planned(AA_HIDE));
    lose_monitor();
    now += LEASE / 4;
    feed((struct agent_event){.kind = AE_TIME});
    assert_int_equal(a.slot[WRITER].lease_until, 0);

    hold_alone();
    lose_monitor();
    feed((struct agent_event){.kind = AE_JUMP, .jump = {.ms = 5000}});
    assert_int_equal(a.slot[WRITER].hold, HOLD_LEAVING);

    hold_alone();
    lose_monitor();
    feed((struct agent_event){.kind = AE_FOREIGN,
                              .slot = {.slot = WRITER, .why = "02:00 answers for it"}});
    assert_int_equal(a.slot[WRITER].hold, HOLD_LEAVING);
}

static void test_keep_takes_nothing_in_quarantine(void **state)
{
    struct agent_durable d = {.epoch = EPOCH, .monitor = "mon1.a"};

    (void)state;
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

int main(void)
{
    const struct CMUnitTest tests[] = {
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
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
