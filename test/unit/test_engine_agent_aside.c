/* SPDX-License-Identifier: GPL-2.0-or-later
 * Transactions of the agent's own server are kept as ordered: once for each set, again after a
 * while where it failed, and only what is of the present order is reported. */
#include "test_engine_agent.h"

static void order_aside(uint64_t serial, const char *set)
{
    m.kind = MSG_ORDER;
    m.order = (struct msg_order){.epoch = EPOCH,
                                 .monitor = "mon1.a",
                                 .start_id = START,
                                 .serial = SERIAL + serial,
                                 .follow = FOLLOW_NONE,
                                 .source = -1};
    snprintf(m.order.aside, sizeof m.order.aside, "%s", set);
    feed((struct agent_event){.kind = AE_MONITOR, .monitor = {LINK, &m}});
}

static void aside_is(uint64_t round, bool ok, const char *text)
{
    feed((struct agent_event){.kind = AE_ASIDE, .aside = {round, ok, text}});
}

static const struct msg_report *report(void)
{
    static struct msg_report r;

    agent_report_of(&a, now, &r);
    return &r;
}

static uint64_t begun(void)
{
    assert_non_null(planned(AA_ASIDE));
    return planned(AA_ASIDE)->round;
}

static int setup(void **state)
{
    struct agent_durable d = {.epoch = EPOCH, .monitor = "mon1.a"};

    (void)state;
    now = 100000;
    start(NULL, &d);
    mysqld(MYSQLD_UP, 500);
    return 0;
}

static void test_kept_once(void **state)
{
    uint64_t round;

    (void)state;
    order_aside(1, "0-1-7");
    assert_null(planned(AA_ASIDE)); /* what the server has is not known yet */
    assert_int_equal(report()->aside, TAIL_READING);
    facts(true);
    round = begun();
    facts(true);
    assert_null(planned(AA_ASIDE));
    aside_is(round, true, "/q/file");
    assert_int_equal(report()->aside, TAIL_READY);
    assert_string_equal(report()->aside_text, "/q/file");
    order_aside(2, "0-1-7"); /* something else in it is new */
    facts(true);
    assert_null(planned(AA_ASIDE));
    assert_int_equal(report()->aside, TAIL_READY);
    order_aside(3, "");
    assert_int_equal(report()->aside, TAIL_NONE);
    assert_string_equal(report()->aside_text, "");
}

static void test_another_set_is_another_file(void **state)
{
    uint64_t first, second;

    (void)state;
    facts(true);
    order_aside(1, "0-1-7");
    first = begun();
    order_aside(2, "0-1-7..8");
    second = begun();
    assert_int_not_equal(first, second);
    aside_is(first, true, "/q/first");
    assert_int_equal(report()->aside, TAIL_READING);
    aside_is(second, true, "/q/second");
    assert_string_equal(report()->aside_text, "/q/second");
}

static void test_tried_again(void **state)
{
    uint64_t round;

    (void)state;
    facts(true);
    order_aside(1, "0-1-7");
    round = begun();
    aside_is(round, false, "no room");
    assert_int_equal(report()->aside, TAIL_FAILED);
    assert_string_equal(report()->aside_text, "no room");
    now += 59999;
    facts(true);
    assert_null(planned(AA_ASIDE));
    now += 1;
    facts(true);
    assert_int_equal(report()->aside, TAIL_FAILED); /* until it is known better */
    aside_is(begun(), true, "/q/file");
    assert_int_equal(report()->aside, TAIL_READY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_kept_once, setup),
        cmocka_unit_test_setup(test_another_set_is_another_file, setup),
        cmocka_unit_test_setup(test_tried_again, setup),
    };

    return cmocka_run_group_tests_name("engine/agent_aside", tests, NULL, NULL);
}
