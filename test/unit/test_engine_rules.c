/* SPDX-License-Identifier: GPL-2.0-or-later
 * The monitor's safety rules, one by one. */
#include "test_engine_rules.h"

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
    assert_non_null(strstr(waits(), "may hold it"));
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
    assert_true(decided("two-holders-careful"));
    assert_int_equal(e.mode, MODE_PASSIVE);
    assert_int_equal(e.slot[0].holder, -1);
    assert_null(lease(0));
    assert_null(lease(2));
    now += 100;
    report(0);
    assert_true(decided("two-holders"));
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
    assert_true(decided("other-may-hold"));
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

/* What comes in a burst after silence may have been said before the promise to the holder. */
static void test_who_is_just_heard_again_may_have_promised(void **state)
{
    (void)state;
    reigning();
    agent[1].up = agent[2].up = false;
    link_down(0);
    go_on(lease_out(GATE_NFT, LEASE) + 900);
    agent[1].up = agent[2].up = true;
    go_on(900);
    assert_int_equal(e.slot[0].holder, -1);
    assert_non_null(strstr(waits(), "was not heard for a moment"));
    go_on(900);
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
    assert_non_null(strstr(waits(), "--lost db1"));
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

/* Its agent woke up: it still reports what it saw last, and the server is still open. */
static void test_what_it_said_as_the_writer_does_not_clear_it(void **state)
{
    (void)state;
    reigning();
    e.slot[0].adopted = false;
    go_on(100);
    obey(0);
    go_on(100);
    link_down(0);
    for (int i = 0; i < 60 && engine_writer(&e) != 1; i++) {
        go_on(100);
        for (int h = 1; h < HOSTS; h++)
            obey(h);
    }
    assert_int_equal(engine_writer(&e), 1);
    agent[0].hold = HOLD_LEAVING;
    agent[0].lease_ms = 0;
    link_up(0);
    report(0);
    assert_false(e.host[0].clean);
    agent[0].gtid = "0-1-9";
    obey(0);
    go_on(4000);
    assert_string_equal(e.host[0].extra, "0-1-6..9");
}

static void test_who_gathers_hears_a_silent_writer_to_the_end(void **state)
{
    (void)state;
    reigning();
    for (int i = 0; i < 60 && engine_order_of(&e, 1)->follow != FOLLOW_SOURCE; i++) {
        go_on(100);
        obey(1);
        obey(2);
    }
    assert_int_equal(engine_order_of(&e, 1)->follow, FOLLOW_SOURCE);
    assert_false(engine_order_of(&e, 1)->hear);
    link_down(0);
    for (int i = 0; i < 60 && engine_order_of(&e, 1)->follow != FOLLOW_NONE; i++)
        go_on(100);
    assert_true(engine_order_of(&e, 1)->hear);
    for (int i = 0; i < 60 && engine_writer(&e) != 1; i++) {
        go_on(100);
        obey(1);
    }
    assert_int_equal(engine_writer(&e), 1);
    assert_true(engine_order_of(&e, 1)->hear); /* it may not have come to the end of it */
}

/* The writer was made from a copy: of server 3 it never heard, though it has what that wrote. */
static void test_a_copy_has_its_past(void **state)
{
    (void)state;
    reigning();
    snprintf(e.past, sizeof e.past, "0-2-700");
    agent[0].gtid = "0-1-705,0-2-700";
    agent[1].gtid = "0-1-705,0-2-700,0-3-300";
    agent[2].gtid = "0-1-705,0-2-700,0-3-703";
    go_on(4000);
    assert_string_equal(e.host[1].extra, "");
    assert_string_equal(e.host[2].extra, "0-3-703 and perhaps earlier ones of that server");
    snprintf(e.past, sizeof e.past, "1-2-700");
    go_on(8000);
    assert_int_equal(e.host[1].state, REPLICATION_FAIL);
}

static void test_who_knew_a_server_knows_how_far(void **state)
{
    (void)state;
    reigning();
    snprintf(e.past, sizeof e.past, "0-2-700");
    agent[0].gtid = "0-1-705,0-2-700,0-3-290";
    agent[1].gtid = "0-1-705,0-2-700,0-3-300";
    go_on(4000);
    assert_string_equal(e.host[1].extra, "0-3-291..300");
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

static void test_what_is_to_be_kept_is_the_same_while_its_server_is_asked(void **state)
{
    const char *text;
    char kept[GTID_LEN];

    (void)state;
    reigning();
    agent[2].unsettled = true;
    agent[2].gtid = "0-1-5,0-3-9";
    go_on(4000);
    memcpy(kept, engine_order_of(&e, 2)->aside, sizeof kept);
    assert_string_equal(kept, "0-3-1..9");
    agent[2].asking = true;
    go_on(100);
    assert_string_equal(engine_order_of(&e, 2)->aside, kept);
    assert_int_equal(engine_aside(&e, 2, &text), TAIL_READING);
    assert_false(told("not kept"));
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
        cmocka_unit_test(test_what_it_said_as_the_writer_does_not_clear_it),
        cmocka_unit_test(test_who_gathers_hears_a_silent_writer_to_the_end),
        cmocka_unit_test(test_a_copy_has_its_past),
        cmocka_unit_test(test_who_knew_a_server_knows_how_far),
        cmocka_unit_test(test_a_broken_applier_hides_no_extra_transactions),
        cmocka_unit_test(test_what_is_to_be_kept_is_the_same_while_its_server_is_asked),
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
        cmocka_unit_test(test_who_is_just_heard_again_may_have_promised),
        cmocka_unit_test(test_lost_ends_the_waiting),
        cmocka_unit_test(test_orders_wait_for_their_record),
        cmocka_unit_test(test_promised_is_waited_for),
        cmocka_unit_test(test_taken_out_on_disk_before_it_is_named),
        cmocka_unit_test(test_put_back_only_after_the_holder_knows),
        cmocka_unit_test(test_who_was_away_is_stale),
        cmocka_unit_test(test_numbers_go_on_over_reigns),
        cmocka_unit_test(test_waking_late_reads_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
