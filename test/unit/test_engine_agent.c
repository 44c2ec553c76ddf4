/* SPDX-License-Identifier: GPL-2.0-or-later
 * The agent's safety rules, one by one; those about going on without a monitor are in
 * test_engine_agent_alone.c. */
#include "test_engine_agent.h"

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

/* Also what is on its way out in good order is still shown. */
static void test_jump_ends_a_planned_release_at_once(void **state)
{
    (void)state;
    hold_writer();
    order(2, 0);
    assert_null(planned(AA_HIDE));
    feed((struct agent_event){.kind = AE_JUMP, .jump = {.ms = 5000}});
    assert_non_null(planned(AA_HIDE));
    assert_int_equal(a.slot[WRITER].lease_until, 0);
}

static void test_force_reaches_the_job(void **state)
{
    (void)state;
    settle();
    order_begin(1, START);
    m.order.follow = FOLLOW_NONE;
    m.order.as_is = m.order.hear = true;
    feed((struct agent_event){.kind = AE_MONITOR, .monitor = {LINK, &m}});
    assert_int_equal(planned(AA_JOB)->job, JOB_DRAIN);
    assert_true(planned(AA_JOB)->as_is && planned(AA_JOB)->hear);
}

static void look_order(uint64_t serial, uint64_t look)
{
    order(serial, 0);
    m.order.serial++;
    m.order.look = look;
    feed((struct agent_event){.kind = AE_MONITOR, .monitor = {LINK, &m}});
}

/* Once for each number; a number that comes with later orders too is not carried out again. */
static void test_a_look_is_carried_out_once(void **state)
{
    static struct msg_report r;

    (void)state;
    settle();
    facts(true);
    look_order(1, 77);
    assert_int_equal(planned(AA_JOB)->job, JOB_LOOK);
    assert_true(planned(AA_JOB)->limit_ms > 0);
    agent_report_of(&a, now, &r);
    assert_int_equal(r.looked, 0);
    job_done(true, true);
    agent_report_of(&a, now, &r);
    assert_int_equal(r.looked, 77);
    assert_string_equal(r.obstacle, "no");
    assert_int_equal(r.settled, r.serial);
    look_order(3, 77);
    assert_null(planned(AA_JOB));
    look_order(5, 78);
    assert_int_equal(planned(AA_JOB)->job, JOB_LOOK);
    look_order(7, 0);
    job_done(true, true);
    assert_int_equal(a.job, JOB_NONE);
}

/* Whoever looks does not hold up the fence. */
static void test_a_look_gives_way_to_the_fence(void **state)
{
    (void)state;
    settle();
    facts(true);
    look_order(1, 77);
    assert_int_equal(a.job, JOB_LOOK);
    facts(false);
    assert_non_null(planned(AA_JOB_CANCEL));
    job_done(false, false);
    assert_int_equal(a.job, JOB_READ_ONLY);
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

static void test_a_monitor_on_a_new_connection_is_told_at_once(void **state)
{
    (void)state;
    settle();
    beat();
    assert_null(planned(AA_REPORT));
    feed((struct agent_event){.kind = AE_MONITOR, .monitor = {LINK + 1, &m}});
    assert_non_null(planned(AA_REPORT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_monitor_on_a_new_connection_is_told_at_once),
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
        cmocka_unit_test(test_writable_without_an_order),
        cmocka_unit_test(test_jump_and_foreign_answer_fence),
        cmocka_unit_test(test_removed_is_put_back_under_a_lease_only),
        cmocka_unit_test(test_gate_that_fails_ends_it),
        cmocka_unit_test(test_probe_before_an_address_after_silence),
        cmocka_unit_test(test_jump_ends_a_planned_release_at_once),
        cmocka_unit_test(test_force_reaches_the_job),
        cmocka_unit_test(test_a_look_is_carried_out_once),
        cmocka_unit_test(test_a_look_gives_way_to_the_fence),
        cmocka_unit_test(test_half_done_job_is_looked_at_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
