/* SPDX-License-Identifier: GPL-2.0-or-later
 * The monitor's judgement: what is believed, what is waited for, what an operator may force. */
#include "test_engine_rules.h"

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
    assert_non_null(strstr(waits(), "--lost"));
    for (int h = 0; h < HOSTS; h += 2) { /* heard, they hold nothing */
        link_up(h);
        accept_reign(h);
    }
    go_on(4 * LEASE);
    assert_int_equal(e.slot[0].holder, 1);
}

/* Not after a second restart either. */
static void test_deposed_stays_deposed(void **state)
{
    static struct engine_durable d;

    (void)state;
    restarted(0);
    feed((struct engine_event){
        .kind = EV_REFUSED,
        .agent = {.host = 1, .refusal = &(struct msg_refusal){.epoch = 9, .monitor = "mon2.x"}}});
    assert_int_equal(e.reign, REIGN_DEPOSED);
    assert_non_null(planned(ACT_PERSIST, -1));
    for (int i = 0; i < 2; i++) {
        engine_durable_of(&e, &d);
        configure(&d, false);
        assert_int_equal(e.reign, REIGN_DEPOSED);
        assert_null(planned(ACT_BEAT, -1));
        link_up(0);
        assert_null(planned(ACT_BEAT, 0));
    }
    configure(&d, true);
    assert_int_equal(e.reign, REIGN_YES);
}

/* Where others could have reigned meanwhile the journal says nothing about whom silence lets in. */
static void test_with_other_monitors_no_silence_is_trusted(void **state)
{
    (void)state;
    others = true;
    restarted(0);
    others = false;
    checks_fine();
    link_up(1);
    accept_reign(1);
    go_on(4 * LEASE);
    assert_int_equal(e.slot[0].holder, -1);
    assert_non_null(strstr(waits(), "--lost"));
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

/* What waited while this monitor was frozen arrives at once, and is old. */
static void test_a_burst_convicts_nobody(void **state)
{
    (void)state;
    reigning();
    obey(2);
    agent[2].replicates = true;
    go_on(1000);
    agent[2].gtid = "0-1-9";
    report(2);
    strcpy(e.host[2].sample, "0-1-9");
    e.host[2].sampled = true;
    e.host[2].sample_at = now;
    now += 15000;
    for (int i = 0; i < 5; i++) {
        report(0);
        report(2);
    }
    assert_string_equal(e.host[2].extra, "");
    agent[0].gtid = "0-1-9";
    go_on(5000);
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

/* Either side may know of something; by force nobody is asked. */
static void test_what_is_in_the_way_ends_a_move(void **state)
{
    (void)state;
    reigning();
    obey(1);
    agent[1].replicates = true;
    go_on(1000);
    for (int h = 0; h < 2; h++) {
        agent[h].obstacle = "a transaction has been open for 40 s";
        command(VERB_MOVE_ROLE, 1, false, -1);
        go_on(200);
        assert_int_equal(e.move.phase, MOVE_NONE);
        assert_int_equal(e.slot[0].holder, 0);
        assert_false(e.slot[0].releasing);
        agent[h].obstacle = NULL;
    }
    agent[0].obstacle = "a transaction has been open for 40 s";
    command(VERB_MOVE_ROLE, 1, true, -1);
    go_on(100);
    assert_int_equal(e.move.phase, MOVE_RELEASE);
}

/* An answer from before the question is none. */
static void test_a_move_waits_for_both_to_look(void **state)
{
    (void)state;
    reigning();
    obey(1);
    agent[1].replicates = true;
    go_on(1000);
    agent[1].blind = true;
    command(VERB_MOVE_ROLE, 1, false, -1);
    go_on(4000);
    assert_int_equal(e.move.phase, MOVE_LAG);
    go_on(2000);
    assert_int_equal(e.move.phase, MOVE_NONE);
    assert_int_equal(e.slot[0].holder, 0);
    agent[1].blind = false;
    command(VERB_MOVE_ROLE, 1, false, -1);
    go_on(200);
    assert_int_equal(e.move.phase, MOVE_RELEASE);
}

/* What was found counts for a second: whoever catches up later is looked at again. */
static void test_a_look_grows_old(void **state)
{
    uint64_t first;

    (void)state;
    reigning();
    agent[0].gtid = "0-1-7";
    obey(1);
    agent[1].replicates = true;
    agent[1].gtid = "0-1-6";
    go_on(1000);
    command(VERB_MOVE_ROLE, 1, false, -1);
    first = e.move.look;
    go_on(3000);
    assert_int_equal(e.move.look, first);
    agent[1].gtid = "0-1-7";
    go_on(100);
    assert_int_equal(e.move.phase, MOVE_LAG);
    assert_true(e.move.look > first);
    go_on(200);
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

static void test_keep_is_an_electorate_of_one(void **state)
{
    (void)state;
    restarted(0);
    e.conf.keep = true;
    holds(0);
    for (int h = 0; h < HOSTS; h++) {
        link_up(h);
        accept_reign(h);
    }
    checks_fine();
    assert_int_equal(lease(0)->slot[0].members, 1);
    engine_durable_of(&e, &durable);
    assert_int_equal(durable.slot[0].allowed & 6, 0); /* whatever the next monitor's file says */
}

/* db1 is back, but db2 wrote meanwhile and then died: its transactions are not lost yet. */
static void test_who_was_away_waits_for_the_last_writer(void **state)
{
    (void)state;
    reigning();
    obey(1);
    go_on(500);
    agent[0].hold = HOLD_NONE;
    agent[0].ended = UINT64_MAX;
    agent[0].read_only = true;
    report(0);
    e.slot[0].holder = -1;
    e.slot[0].last = 1;
    strcpy(e.slot[0].wrote, "0-1-5,0-2-9");
    e.host[0].state = AWAITING_RECOVERY;
    e.host[0].last_uptime_s = 990;
    e.host[1].state = e.host[2].state = HARD_OFFLINE;
    agent[1].up = agent[2].up = false;
    go_on(5000);
    assert_int_equal(e.host[0].state, AWAITING_RECOVERY);
    assert_int_equal(e.slot[0].holder, -1);
    command(VERB_SET_ONLINE, 0, false, -1); /* the operator knows better */
    go_on(5000);
    assert_int_equal(e.slot[0].holder, 0);
}

static void test_passive_waits_for_a_move(void **state)
{
    (void)state;
    reigning();
    obey(1);
    go_on(1000);
    command(VERB_MOVE_ROLE, 1, false, -1);
    assert_int_equal(e.move.phase, MOVE_LAG);
    command(VERB_MODE, -1, false, -1);
    assert_int_equal(e.move.phase, MOVE_NONE);
    assert_int_equal(e.mode, MODE_PASSIVE);
    e.mode = MODE_ACTIVE;
    agent[1].replicates = true;
    go_on(200);
    command(VERB_MOVE_ROLE, 1, false, -1);
    go_on(100);
    assert_int_equal(e.move.phase, MOVE_RELEASE);
    command(VERB_MODE, -1, false, -1);
    assert_int_equal(e.mode, MODE_ACTIVE);
    assert_true(told("try again"));
}

static void test_lost_ends_a_move_that_cannot_end(void **state)
{
    (void)state;
    reigning();
    obey(1);
    go_on(1000);
    e.conf.keep = true;
    command(VERB_MOVE_ROLE, 1, false, -1);
    link_down(0);
    go_on(LEASE);
    assert_int_equal(e.move.phase, MOVE_LAG);
    command(VERB_MOVE_ROLE, 1, true, 0);
    assert_true(told("declared dead"));
    go_on(1000);
    assert_int_equal(e.slot[0].holder, 1);
}

static void ping(enum result result)
{
    feed((struct engine_event){.kind = EV_CHECK,
                               .check = {.check = CK_PING, .result = result, .message = "said"}});
}

static void test_on_crash_waits_for_mysqld(void **state)
{
    (void)state;
    reigning();
    e.conf.on_crash_ms = 10000;
    e.host[0].dead_since = now;
    for (int i = 0; i < 30; i++, now += 100) {
        agent[0].mysqld = MYSQLD_DEAD;
        report(0);
        feed((struct engine_event){
            .kind = EV_CHECK,
            .check = {.check = CK_MYSQL, .result = RESULT_ERROR, .message = "refused"}});
        assert_int_equal(e.host[0].state, ONLINE);
    }
    now += 7500;
    report(0);
    assert_int_equal(e.host[0].state, HARD_OFFLINE);
}

static void test_wait_mode_counts_who_is_seen(void **state)
{
    (void)state;
    restarted(-1); /* the journal says: all ONLINE */
    e.mode = MODE_WAIT;
    go_on(1000);
    assert_int_equal(e.mode, MODE_WAIT);
    for (int h = 0; h < HOSTS; h++) {
        link_up(h);
        accept_reign(h);
    }
    checks_fine();
    assert_int_equal(e.mode, MODE_ACTIVE);
}

static void network(bool up)
{
    feed((struct engine_event){.kind = EV_NETWORK, .network = {up, "3 of 3"}});
}

static void test_own_network_down_judges_nobody(void **state)
{
    (void)state;
    reigning();
    ping(RESULT_ERROR);
    network(false);
    now += 5000;
    ping(RESULT_ERROR);
    now += 1500;
    ping(RESULT_ERROR);
    assert_int_equal(e.host[0].state, ONLINE);
    network(true);
    for (int i = 0; i < 49; i++, now += 100) {
        ping(RESULT_ERROR); /* neighbours are not found again at once */
        assert_int_equal(e.host[0].state, ONLINE);
    }
    now += 200;
    ping(RESULT_ERROR); /* begins anew: what was before is forgotten */
    assert_int_equal(e.host[0].state, ONLINE);
    now += 1000;
    ping(RESULT_ERROR);
    assert_int_equal(e.host[0].state, HARD_OFFLINE);
}

static void test_kill_host_is_called_once(void **state)
{
    (void)state;
    reigning();
    e.conf.kill_host = true;
    link_down(0);
    ping(RESULT_ERROR);
    now += 1000;
    ping(RESULT_ERROR);
    assert_int_equal(planned(ACT_KILL_HOST, 0)->code, 0);
    go_on(500);
    assert_null(planned(ACT_KILL_HOST, 0));
    feed((struct engine_event){.kind = EV_KILLED, .killed = {0, true, "off"}});
    assert_true(told("says it is dead: off"));
    assert_int_equal(e.slot[0].holder, 0); /* which decides nothing */
}

static void test_set_ip_survives_a_restart(void **state)
{
    static struct engine_durable d;

    (void)state;
    reigning();
    command(VERB_MODE, -1, false, -1);
    feed((struct engine_event){
        .kind = EV_COMMAND,
        .command = {.id = 4, .verb = VERB_SET_IP, .host = 2, .slot = 0, .lost = -1}});
    engine_durable_of(&e, &d);
    configure(&d, false);
    assert_int_equal(e.mode, MODE_PASSIVE);
    assert_int_equal(e.slot[0].target, 2);
}

static void test_every_rule_has_a_name_of_its_own(void **state)
{
    (void)state;
    assert_true(engine_rule_count() > 50);
    assert_null(engine_rule_name(engine_rule_count()));
    for (unsigned i = 0; i < engine_rule_count(); i++)
        for (unsigned j = 0; j < i; j++)
            assert_string_not_equal(engine_rule_name(i), engine_rule_name(j));
}

/* What it wrote while it was claiming is no memory of a reign. */
static void test_claiming_starts_anew(void **state)
{
    static struct engine_durable d;

    (void)state;
    now = 50000;
    configure(NULL, false);
    for (int h = 0; h < HOSTS; h++) {
        agent[h].obeys[0] = 0;
        link_up(h);
    }
    assert_int_equal(e.reign, REIGN_CLAIMING);
    accept_reign(1);
    accept_reign(2);
    engine_durable_of(&e, &d);
    configure(&d, false);
    assert_int_equal(e.reign, REIGN_WAITING);
    link_up(1);
    link_up(2);
    go_on(4 * LEASE);
    assert_int_equal(e.slot[0].holder, -1);
}

static void test_take_over_trusts_no_journal(void **state)
{
    static struct engine_durable d;

    (void)state;
    restarted(2);
    d = durable;
    configure(&d, true);
    checks_fine();
    link_up(1);
    accept_reign(1);
    go_on(4 * LEASE);
    assert_int_equal(e.slot[0].holder, -1);
    holds(0); /* whatever the journal says of db3 */
    link_up(0);
    accept_reign(0);
    assert_int_equal(e.slot[0].holder, 0);
}

static void test_who_never_held_bars_nobody(void **state)
{
    (void)state;
    restarted(0);
    durable.slot[0].maybe = 1;
    durable.slot[0].allowed = 1; /* it was alone */
    configure(&durable, false);
    holds(0);
    for (int h = 0; h < 2; h++) {
        link_up(h);
        accept_reign(h);
    }
    checks_fine();
    assert_non_null(lease(0));
    go_on(2 * LEASE);
    command(VERB_SET_OFFLINE, 0, false, -1);
    obey(0);
    go_on(1000);
    assert_int_equal(e.slot[0].holder, 1);
}

static void test_a_refused_command_changes_nothing(void **state)
{
    (void)state;
    reigning();
    command(VERB_SET_OFFLINE, 2, false, -1);
    link_down(0);
    now += LEASE;
    for (int h = 1; h < HOSTS; h++)
        report(h);
    command(VERB_MOVE_ROLE, 2, true, 0);
    assert_true(told("ERROR"));
    assert_true(e.slot[0].host[0].maybe);
}

static void test_a_move_that_failed_pins_nothing(void **state)
{
    (void)state;
    reigning();
    obey(1);
    go_on(500);
    command(VERB_MOVE_ROLE, 1, false, -1);
    for (int i = 0; i < 31; i++) {
        go_on(1000);
        (void)lease(0);
    }
    assert_int_equal(e.move.phase, MOVE_NONE);
    assert_int_equal(e.slot[0].holder, 0);
    assert_false(e.slot[0].pinned);
}

/* A host comes back into the electorate when it is heard, not because the monitor was restarted. */
static void test_a_restart_names_nobody_again(void **state)
{
    (void)state;
    restarted(0);
    durable.slot[0].members = 3;
    configure(&durable, false);
    holds(0);
    agent[0].electorate = 6;
    agent[0].members = 3;
    link_up(0);
    accept_reign(0);
    assert_int_equal(e.slot[0].members, 1 | 2);
}

static void test_grace_only_grows(void **state)
{
    (void)state;
    reigning();
    feed((struct engine_event){.kind = EV_NETWORK, .network = {false, ""}});
    feed((struct engine_event){.kind = EV_NETWORK, .network = {true, ""}});
    assert_int_equal(e.grace_until, now + LEASE);
    now += LEASE / 3;
    feed((struct engine_event){.kind = EV_TIME}); /* late: a shorter one */
    assert_int_equal(e.grace_until, now - LEASE / 3 + LEASE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_take_over_without_memory_trusts_no_silence),
        cmocka_unit_test(test_deposed_stays_deposed),
        cmocka_unit_test(test_with_other_monitors_no_silence_is_trusted),
        cmocka_unit_test(test_keep_takes_no_silence_for_a_release),
        cmocka_unit_test(test_an_order_to_let_go_needs_a_report_since),
        cmocka_unit_test(test_what_is_written_to_a_running_replica_is_told),
        cmocka_unit_test(test_old_facts_convict_nobody),
        cmocka_unit_test(test_a_burst_convicts_nobody),
        cmocka_unit_test(test_a_move_waits_for_what_there_was),
        cmocka_unit_test(test_what_is_in_the_way_ends_a_move),
        cmocka_unit_test(test_a_move_waits_for_both_to_look),
        cmocka_unit_test(test_a_look_grows_old),
        cmocka_unit_test(test_force_opens_as_it_is),
        cmocka_unit_test(test_keep_is_an_electorate_of_one),
        cmocka_unit_test(test_who_was_away_waits_for_the_last_writer),
        cmocka_unit_test(test_passive_waits_for_a_move),
        cmocka_unit_test(test_lost_ends_a_move_that_cannot_end),
        cmocka_unit_test(test_on_crash_waits_for_mysqld),
        cmocka_unit_test(test_wait_mode_counts_who_is_seen),
        cmocka_unit_test(test_own_network_down_judges_nobody),
        cmocka_unit_test(test_kill_host_is_called_once),
        cmocka_unit_test(test_set_ip_survives_a_restart),
        cmocka_unit_test(test_claiming_starts_anew),
        cmocka_unit_test(test_take_over_trusts_no_journal),
        cmocka_unit_test(test_who_never_held_bars_nobody),
        cmocka_unit_test(test_a_refused_command_changes_nothing),
        cmocka_unit_test(test_a_move_that_failed_pins_nothing),
        cmocka_unit_test(test_a_restart_names_nobody_again),
        cmocka_unit_test(test_grace_only_grows),
        cmocka_unit_test(test_every_rule_has_a_name_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
