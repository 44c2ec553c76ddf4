/* SPDX-License-Identifier: GPL-2.0-or-later
 * An agent that has nothing to do and hears what it knows does nothing: what must wake it all the
 * same, and what it must remember of what it heard. */
#include "test_engine_agent.h"

/* Holds the writer's role, and all is done; a report was just sent. */
static void rest(void)
{
    hold_writer();
    beat();
    facts(false);
    feed((struct agent_event){.kind = AE_TIME});
    beat();
    assert_true(a.rests);
    assert_true(agent_deadline(&a) > now + 1);
}

static void test_what_it_knows_is_noted_only(void **state)
{
    int64_t due;

    (void)state;
    rest();
    due = agent_deadline(&a);
    now++;
    beat();
    assert_int_equal(plan.n, 0);
    assert_int_equal(a.heard_ms, now);
    now++;
    facts(false);
    assert_int_equal(plan.n, 0);
    assert_int_equal(a.facts_at, now);
    assert_int_equal(agent_deadline(&a), due);
}

static void test_a_beat_does_not_hide_what_is_due(void **state)
{
    (void)state;
    rest();
    now = agent_deadline(&a);
    beat();
    assert_true(planned(AA_REPORT) || planned(AA_LEASE));
    rest();
    now += LEASE;
    beat();
    assert_int_equal(a.slot[WRITER].hold, HOLD_LEAVING);
    assert_true(place(AA_HIDE) < place(AA_RECORD));
}

static void test_facts_do_not_hide_what_is_due(void **state)
{
    (void)state;
    rest();
    now += LEASE;
    facts(false);
    assert_int_equal(a.slot[WRITER].hold, HOLD_LEAVING);
}

static void test_other_facts_are_looked_at(void **state)
{
    (void)state;
    rest();
    facts(true);
    assert_int_equal(a.job, JOB_WRITABLE);
    rest();
    mysqld(MYSQLD_DEAD, 500);
    facts(false);
    assert_false(a.facts_known);
}

static void test_another_monitor_is_answered(void **state)
{
    (void)state;
    rest();
    beat_of(EPOCH, "mon2.x");
    assert_non_null(planned(AA_REFUSE));
    rest();
    beat_of(EPOCH - 1, "mon1.a");
    assert_non_null(planned(AA_REFUSE));
    rest();
    beat_of(EPOCH + 1, "mon1.b");
    assert_non_null(planned(AA_PERSIST));
    rest();
    beat_as(EPOCH, "mon1.a", true);
    assert_true(a.passive);
}

/* A job's own look at the server may say what the next one, though it says the same, undoes. */
static void test_facts_after_a_job_are_looked_at(void **state)
{
    struct agent_facts f = {
        .read_only = true, .source = 0, .receiver = RECEIVER_NO, .applier = true, .lag_ms = -1};

    (void)state;
    settle();
    order_begin(1, START);
    m.order.follow = FOLLOW_NONE;
    feed((struct agent_event){.kind = AE_MONITOR, .monitor = {LINK, &m}});
    assert_int_equal(a.job, JOB_DRAIN);
    feed((struct agent_event){.kind = AE_JOB,
                              .job = {.job = JOB_DRAIN, .ok = true, .why = "", .facts = &f}});
    assert_true(a.drained);
    feed((struct agent_event){.kind = AE_FACTS, .facts = &f});
    assert_false(a.drained);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_it_knows_is_noted_only),
        cmocka_unit_test(test_a_beat_does_not_hide_what_is_due),
        cmocka_unit_test(test_facts_do_not_hide_what_is_due),
        cmocka_unit_test(test_other_facts_are_looked_at),
        cmocka_unit_test(test_another_monitor_is_answered),
        cmocka_unit_test(test_facts_after_a_job_are_looked_at),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
