/* SPDX-License-Identifier: GPL-2.0-or-later
 * The agent's rules about the binary log of a server that died as the writer, and about fetching
 * from somebody else's. */
#include "test_engine_agent.h"

static struct msg_report r;

static const struct msg_report *report(void)
{
    agent_report_of(&a, now, &r);
    return &r;
}

static void read_is(int64_t died, bool ok, const char *gtid)
{
    feed((struct agent_event){
        .kind = AE_TAIL,
        .tail = {.died = died, .ok = ok, .mysql_flavour = true, .gtid = gtid, .why = "encrypted"}});
}

static void test_dead_writer_is_read(void **state)
{
    (void)state;
    hold_writer();
    now += 100;
    mysqld(MYSQLD_DEAD, 500);
    assert_non_null(planned(AA_RECORD));
    assert_int_equal(report()->tail, TAIL_READING);
    assert_int_equal(report()->died, now);
    assert_true(agent_start_held(&a));
    assert_null(planned(AA_TAIL)); /* somebody may start a server and clients may write to it */
    order(2, 0);
    assert_int_equal(planned(AA_TAIL)->died, now);
    assert_int_equal(report()->slot[0].hold, HOLD_NONE);
    assert_int_equal(report()->tail, TAIL_READING);
    read_is(now - 1, true, "x"); /* of an earlier death */
    assert_int_equal(report()->tail, TAIL_READING);
    read_is(now, true, "5a5a5a5a-0000-4000-8000-000000000001:1-7");
    assert_int_equal(report()->tail, TAIL_READY);
    assert_false(report()->facts);
    assert_true(report()->mysql_flavour);
    assert_string_equal(report()->gtid, "5a5a5a5a-0000-4000-8000-000000000001:1-7");
    mysqld(MYSQLD_DEAD, 500); /* said again */
    assert_null(planned(AA_TAIL));
}

static void test_what_cannot_be_read_is_told(void **state)
{
    (void)state;
    hold_writer();
    mysqld(MYSQLD_DEAD, 500);
    read_is(now, false, "");
    assert_true(planned(AA_SAY)->loud);
    assert_int_equal(report()->tail, TAIL_FAILED);
    assert_string_equal(report()->tail_why, "encrypted");
}

static void test_replica_that_dies_is_not_read(void **state)
{
    (void)state;
    settle();
    mysqld(MYSQLD_DEAD, 500);
    assert_null(planned(AA_TAIL));
    assert_int_equal(report()->tail, TAIL_NONE);
    assert_false(agent_start_held(&a));
}

static void test_new_server_ends_it(void **state)
{
    (void)state;
    hold_writer();
    mysqld(MYSQLD_DEAD, 500);
    read_is(now, true, "x");
    now += 100;
    mysqld(MYSQLD_UP, 501);
    assert_non_null(planned(AA_RECORD));
    assert_int_equal(report()->tail, TAIL_NONE);
    assert_int_equal(report()->died, 0);
}

static void test_survives_the_agent(void **state)
{
    struct agent_record record;
    struct agent_durable d = {.epoch = EPOCH, .monitor = "mon1.a"};
    int64_t died;

    (void)state;
    hold_writer();
    mysqld(MYSQLD_DEAD, 500);
    died = now;
    agent_record_of(&a, &record);
    now += 5000;
    start(&record, &d);
    assert_null(planned(AA_TAIL)); /* first it must be known what the server does */
    assert_int_equal(report()->tail, TAIL_READING);
    mysqld(MYSQLD_DEAD, 0);
    assert_int_equal(planned(AA_TAIL)->died, died);
    start(&record, &d);
    mysqld(MYSQLD_UP, 501);
    assert_int_equal(report()->died, 0);
}

static void order_start(uint64_t serial, int64_t died)
{
    m.order.may_start = died;
    m.order.serial = SERIAL + serial;
    feed((struct agent_event){.kind = AE_MONITOR, .monitor = {LINK, &m}});
}

static void test_start_is_free_by_the_name_of_the_death(void **state)
{
    (void)state;
    hold_writer();
    order_as(2, 0, START, true);
    mysqld(MYSQLD_DEAD, 500);
    order_start(3, now - 1);
    assert_true(agent_start_held(&a));
    order_start(4, now);
    assert_false(agent_start_held(&a));
}

static struct agent_start said(void)
{
    struct agent_start s;

    agent_start_of(&a, now, &s);
    return s;
}

static void test_start_is_held_until_it_is_said(void **state)
{
    (void)state;
    hold_writer();
    assert_int_equal(said().state, START_WRITER);
    order_as(2, 0, START, true);
    mysqld(MYSQLD_DEAD, 500);
    assert_int_equal(said().state, START_HELD);
    assert_int_equal(said().until_ms, a.heard_ms + 30000);
    now += 20000;
    order_start(4, now); /* of another death; but the monitor is heard */
    assert_int_equal(said().until_ms, a.tail.died_ms + 30000); /* reading has an end */
    read_is(a.tail.died_ms, true, "x");
    assert_int_equal(said().state, START_HELD);
    assert_int_equal(said().until_ms, now + 30000);
    order_start(5, a.tail.died_ms);
    assert_int_equal(said().state, START_FREE);
}

static void test_start_waits_for_no_silent_monitor(void **state)
{
    struct agent_record record;

    (void)state;
    hold_writer();
    mysqld(MYSQLD_DEAD, 500);
    agent_record_of(&a, &record);
    now = a.heard_ms + 29999;
    assert_int_equal(said().state, START_HELD);
    now++;
    assert_int_equal(said().state, START_FREE);
    start(&record, NULL); /* its next life has heard nobody: the death counts */
    assert_int_equal(said().state, START_FREE);
    now = record.died_ms + 29999;
    assert_int_equal(said().state, START_HELD);
}

static void test_start_of_whom_nobody_waits_for(void **state)
{
    (void)state;
    hold_writer();
    mysqld(MYSQLD_DEAD, 500);
    read_is(now, false, "");
    assert_int_equal(said().state, START_FREE);
    settle();
    assert_int_equal(said().state, START_FREE);
    mysqld(MYSQLD_DEAD, 500);
    assert_int_equal(said().state, START_FREE);
}

static void test_start_waits_for_no_passive_monitor(void **state)
{
    (void)state;
    hold_writer();
    mysqld(MYSQLD_DEAD, 500);
    assert_int_equal(said().state, START_HELD);
    beat_as(EPOCH, "mon1.a", true);
    assert_int_equal(said().state, START_FREE);
    feed((struct agent_event){.kind = AE_MONITOR_DOWN, .monitor = {.link = LINK}});
    assert_int_equal(said().state, START_HELD); /* it may be another's by now */
    beat();
    assert_int_equal(said().state, START_HELD);
}

static void order_fetch(uint64_t serial, const char *reach)
{
    memset(&m.order, 0, sizeof m.order);
    m.kind = MSG_ORDER;
    m.order.epoch = EPOCH;
    snprintf(m.order.monitor, IDENTITY_LEN, "mon1.a");
    m.order.serial = SERIAL + serial;
    m.order.start_id = START;
    m.order.follow = FOLLOW_SOURCE;
    m.order.source = 0;
    m.order.tail = true;
    snprintf(m.order.reach, sizeof m.order.reach, "%s", reach);
    feed((struct agent_event){.kind = AE_MONITOR, .monitor = {LINK, &m}});
}

/* Drained first, but not up to what only the dead server has. */
static void test_fetches_from_a_tail(void **state)
{
    const struct agent_action *act;

    (void)state;
    settle();
    order_fetch(1, "0-1-9");
    assert_int_equal(a.job, JOB_DRAIN);
    assert_string_equal(planned(AA_JOB)->reach, "");
    job_done(true, true);
    act = planned(AA_JOB);
    assert_int_equal(act->job, JOB_SALVAGE);
    assert_int_equal(act->source, 0);
    assert_string_equal(act->reach, "0-1-9");
    assert_int_not_equal(report()->settled, SERIAL + 1);
    job_done(true, true);
    assert_int_equal(a.job, JOB_NONE);
    assert_int_equal(report()->settled, SERIAL + 1);
    order(2, 0); /* follow nobody: it is drained */
    assert_int_equal(a.job, JOB_NONE);
}

static void test_fetching_fails_for_good(void **state)
{
    (void)state;
    settle();
    order_fetch(1, "0-1-9");
    job_done(true, true);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(a.job, JOB_SALVAGE);
        assert_false(report()->unsalvaged);
        job_done(false, true);
        facts(true);
        now += 600;
        feed((struct agent_event){.kind = AE_TIME});
        if (a.job == JOB_DRAIN)
            job_done(true, true);
    }
    assert_true(report()->unsalvaged);
    assert_int_equal(a.job, JOB_NONE);
    order_fetch(2, "0-1-10"); /* something else */
    assert_false(report()->unsalvaged);
}

static void test_another_try_may_be_of_no_use(void **state)
{
    (void)state;
    settle();
    order_fetch(1, "0-1-9");
    job_done(true, true);
    assert_int_equal(a.job, JOB_SALVAGE);
    feed((struct agent_event){.kind = AE_JOB,
                              .job = {.job = JOB_SALVAGE, .why = "purged", .hopeless = true}});
    assert_true(report()->unsalvaged);
    assert_string_equal(report()->problem, "purged");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dead_writer_is_read),
        cmocka_unit_test(test_what_cannot_be_read_is_told),
        cmocka_unit_test(test_replica_that_dies_is_not_read),
        cmocka_unit_test(test_new_server_ends_it),
        cmocka_unit_test(test_survives_the_agent),
        cmocka_unit_test(test_start_is_free_by_the_name_of_the_death),
        cmocka_unit_test(test_start_is_held_until_it_is_said),
        cmocka_unit_test(test_start_waits_for_no_silent_monitor),
        cmocka_unit_test(test_start_of_whom_nobody_waits_for),
        cmocka_unit_test(test_start_waits_for_no_passive_monitor),
        cmocka_unit_test(test_fetches_from_a_tail),
        cmocka_unit_test(test_fetching_fails_for_good),
        cmocka_unit_test(test_another_try_may_be_of_no_use),
    };

    return cmocka_run_group_tests_name("engine_agent_tail", tests, NULL, NULL);
}
