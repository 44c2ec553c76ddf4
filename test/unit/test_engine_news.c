/* SPDX-License-Identifier: GPL-2.0-or-later
 * Which reports are judged at once, and which with the monitor's next beat. */
#include "test_engine_rules.h"

static struct msg_report said; /* what db2 says next: at first what it said before */

/* Every slot rests, every order is done, the last beat is less than a millisecond ago. */
static void rested(void)
{
    reigning();
    agent[1].replicates = agent[2].replicates = true;
    go_on(1000);
    for (int h = 0; h < HOSTS; h++)
        for (int i = 0; i < 5 && engine_order_of(&e, h)->serial; i++)
            obey(h);
    now = e.next_beat;
    feed((struct engine_event){.kind = EV_TIME});
    assert_false(anybody_ordered());
    said = e.host[1].report;
}

static bool judged(void)
{
    feed((struct engine_event){.kind = EV_REPORT, .agent = {.host = 1, .report = &said}});
    return e.rules_hit[0] || e.rules_hit[1];
}

#define AT_ONCE(change)                                                                            \
    do {                                                                                           \
        rested();                                                                                  \
        said.change;                                                                               \
        if (!judged())                                                                             \
            fail_msg("not judged at once: %s", #change);                                           \
    } while (0)
#define WAITS(change)                                                                              \
    do {                                                                                           \
        rested();                                                                                  \
        said.change;                                                                               \
        if (judged())                                                                              \
            fail_msg("judged at once: %s", #change);                                               \
    } while (0)

static void test_what_goes_on_by_itself_waits_for_the_beat(void **state)
{
    (void)state;
    WAITS(heard_ms = 7);
    WAITS(uptime_s += 5);
    WAITS(facts_ms = 40);
    WAITS(lag_ms = 900);
    WAITS(gtid[4] = '9');
    WAITS(own[0] = 'x');
    WAITS(applied[0] = 'x');
    WAITS(slot[0].lease_ms = 4);
    WAITS(slot[0].promised_ms = 4);
    rested();
    assert_false(judged());
    now = e.next_beat;
    assert_true(judged());
}

static void test_news_of_the_server_is_judged_at_once(void **state)
{
    (void)state;
    AT_ONCE(mysqld = MYSQLD_DEAD);
    AT_ONCE(pid = 501);
    AT_ONCE(facts = false);
    AT_ONCE(mysql_flavour = true);
    AT_ONCE(read_only = false);
    AT_ONCE(server_id = 9);
    AT_ONCE(source = 2);
    AT_ONCE(source_port = 3307);
    AT_ONCE(source_host[0] = 'x');
    AT_ONCE(receiver = RECEIVER_CONNECTING);
    AT_ONCE(applier = false);
    AT_ONCE(traits.bits ^= 1);
    AT_ONCE(turn_from[0] = 'x');
    AT_ONCE(turn_own[0] = 'x');
    AT_ONCE(seen_behind[0] = 'x');
    AT_ONCE(own_more[0] = 'x');
}

static void test_news_of_the_agent_is_judged_at_once(void **state)
{
    (void)state;
    AT_ONCE(epoch--);
    AT_ONCE(obeys[0] = 'x');
    AT_ONCE(start_id++);
    AT_ONCE(serial++);
    AT_ONCE(settled++);
    AT_ONCE(gate = GATE_LIFETIME);
    AT_ONCE(died = 5);
    AT_ONCE(tail = TAIL_READY);
    AT_ONCE(tail_why[0] = 'x');
    AT_ONCE(unsalvaged = true);
    AT_ONCE(disk_full = true);
    AT_ONCE(aside = TAIL_FAILED);
    AT_ONCE(aside_text[0] = 'x');
    AT_ONCE(looked++);
    AT_ONCE(obstacle[0] = 'x');
    AT_ONCE(problem[0] = 'x');
}

static void test_news_of_a_slot_is_judged_at_once(void **state)
{
    (void)state;
    AT_ONCE(n = 0);
    AT_ONCE(slot[0].slot = -1);
    AT_ONCE(slot[0].hold = HOLD_HELD);
    AT_ONCE(slot[0].serial++);
    AT_ONCE(slot[0].ended++);
    AT_ONCE(slot[0].electorate++);
    AT_ONCE(slot[0].members ^= 1);
}

/* While something is under way it is waited for, whatever it says. */
static void test_nothing_waits_while_a_slot_does_not_rest(void **state)
{
    (void)state;
    rested();
    e.slot[0].releasing = true;
    assert_true(judged());
    rested();
    e.slot[0].arrived = false;
    assert_true(judged());
    rested();
    e.slot[0].target = 1;
    assert_true(judged());
    rested();
    e.slot[0].holder = -1;
    assert_true(judged());
    rested();
    e.move.phase = MOVE_LAG;
    assert_true(judged());
    rested();
    e.host[1].order.serial = said.settled + 1;
    assert_true(judged());
    rested();
    e.host[1].heard = false;
    assert_true(judged());
}

static void test_an_electorate_to_be_kept_is_not_put_off(void **state)
{
    (void)state;
    rested();
    said.slot[0].electorate = e.slot[0].electorate + 3;
    e.host[1].report.slot[0].electorate = said.slot[0].electorate;
    judged();
    assert_non_null(planned(ACT_PERSIST, -1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_goes_on_by_itself_waits_for_the_beat),
        cmocka_unit_test(test_news_of_the_server_is_judged_at_once),
        cmocka_unit_test(test_news_of_the_agent_is_judged_at_once),
        cmocka_unit_test(test_news_of_a_slot_is_judged_at_once),
        cmocka_unit_test(test_nothing_waits_while_a_slot_does_not_rest),
        cmocka_unit_test(test_an_electorate_to_be_kept_is_not_put_off),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
