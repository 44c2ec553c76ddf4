/* SPDX-License-Identifier: GPL-2.0-or-later
 * What a change of writer leaves behind, and what the old writer adds when it is back. */
#include "test_engine_rules.h"

static struct receipt got; /* the last one */
static unsigned n_got;

static void look(void)
{
    for (unsigned i = 0; i < plan.n; i++)
        if (plan.at[i].kind == ACT_RECEIPT) {
            got = *plan.at[i].receipt;
            n_got++;
        }
}

static void time_goes(int64_t ms)
{
    for (int64_t until = now + ms; now < until;) {
        now += 100;
        feed((struct engine_event){.kind = EV_TIME});
        look();
        for (int h = 0; h < HOSTS; h++)
            if (agent[h].up) {
                report(h);
                look();
                if (agent[h].serial != engine_order_of(&e, h)->serial) {
                    obey(h);
                    look();
                }
            }
    }
}

/* db1 writes, then its cable is pulled; db2 gets the role with 0-1-5. */
static void cable(const char *wrote)
{
    n_got = 0;
    reigning();
    agent[0].gtid = wrote;
    report(0);
    link_down(0);
    time_goes(5000);
    assert_int_equal(engine_writer(&e), 1);
    assert_int_equal(n_got, 1);
}

static void comes_back(const char *gtid)
{
    agent[0].hold = HOLD_NONE;
    agent[0].lease_ms = 0;
    agent[0].read_only = true;
    agent[0].ended = agent[0].serial;
    agent[0].gtid = gtid;
    link_up(0);
    accept_reign(0);
    time_goes(6000);
}

static void test_silence(void **state)
{
    (void)state;
    cable("0-1-7");
    assert_int_equal(got.number, 1);
    assert_false(got.later);
    assert_int_equal(got.evidence, EVIDENCE_SILENT);
    assert_string_equal(got.trigger, "db1 fell silent");
    assert_string_equal(got.role, "writer");
    assert_string_equal(got.from, "db1");
    assert_string_equal(got.to, "db2");
    assert_string_equal(got.salvaged.text, "");
    assert_int_equal(got.lost, LOST_UNKNOWN);
    assert_string_equal(got.gone.text, "0-1-6..7"); /* at least */
    assert_int_equal(got.gone.count, 2);
    assert_string_equal(got.why, "db1 was not reached");
    assert_true(got.phase_ms[PHASE_OUT] > LEASE);
    assert_int_equal(got.phase_ms[PHASE_FETCHES], -1);
    assert_true(got.phase_ms[PHASE_OPEN] >= got.phase_ms[PHASE_ORDERED]);
    assert_int_equal(e.host[0].debt.number, 1);

    comes_back("0-1-9");
    assert_int_equal(n_got, 2);
    assert_true(got.later);
    assert_int_equal(got.number, 1);
    assert_int_equal(got.lost, LOST_KNOWN);
    assert_string_equal(got.gone.text, "0-1-6..9");
    assert_int_equal(got.gone.count, 4);
    time_goes(6000);
    assert_int_equal(n_got, 2); /* once */
}

static void test_nothing_extra(void **state)
{
    (void)state;
    cable("0-1-5");
    assert_int_equal(got.lost, LOST_UNKNOWN);
    assert_string_equal(got.gone.text, "");
    comes_back("0-1-5");
    assert_int_equal(n_got, 2);
    assert_int_equal(got.lost, LOST_NONE);
    assert_string_equal(got.why, "db1 came back and has nothing that db2 lacks");
}

/* It had transactions that db2 lacks, and now it hasn't: that is not "nothing is lost". */
static void test_made_anew(void **state)
{
    (void)state;
    cable("0-1-7");
    comes_back("0-1-5");
    assert_int_equal(n_got, 2);
    assert_int_equal(got.lost, LOST_UNKNOWN);
}

/* Numbers of a domain go on from everybody's: a server that never wrote before begins after those
 * of the others. */
static void test_first_of_a_server(void **state)
{
    (void)state;
    cable("0-1-5,0-9-7");
    assert_string_equal(got.gone.text, "0-9-6..7");
    comes_back("0-1-5,0-9-8");
    assert_string_equal(got.gone.text, "0-9-6..8");
    assert_int_equal(got.gone.count, 3);
}

/* A server made from a copy knows the highest number of a domain, and not who wrote before. */
static void test_new_writer_made_anew(void **state)
{
    (void)state;
    n_got = 0;
    reigning();
    agent[1].gtid = agent[2].gtid = "0-1-9"; /* db1: 0-2-4,0-1-9 */
    agent[0].gtid = "0-2-4,0-1-9";
    report(1);
    report(2);
    report(0);
    link_down(0);
    time_goes(5000);
    assert_int_equal(engine_writer(&e), 1);
    assert_int_equal(got.lost, LOST_UNKNOWN);
    assert_string_equal(got.gone.text, "");
    agent[1].gtid = "0-1-9,0-2-10";
    comes_back("0-2-4,0-1-9");
    assert_int_equal(got.lost, LOST_NONE);
}

static void test_another_monitor_completes_it(void **state)
{
    static struct engine_durable d;

    (void)state;
    cable("0-1-7");
    engine_durable_of(&e, &d);
    assert_int_equal(d.receipts, 1);
    assert_int_equal(d.host[0].debt.number, 1);
    configure(&d, false);
    agent[0].up = false;
    for (int h = 1; h < HOSTS; h++) {
        agent[h].hold = h == 1 ? HOLD_HELD : HOLD_NONE;
        agent[h].lease_ms = h == 1 ? LEASE : 0;
        agent[h].read_only = h != 1;
        link_up(h);
        accept_reign(h);
    }
    time_goes(1000);
    assert_int_equal(engine_writer(&e), 1);
    n_got = 0;
    comes_back("0-1-7");
    assert_int_equal(n_got, 1);
    assert_true(got.later);
    assert_int_equal(got.number, 1);
    assert_string_equal(got.gone.text, "0-1-6..7");
    engine_durable_of(&e, &d);
    assert_int_equal(d.host[0].debt.number, 0);
}

static void test_more_than_fits_is_said(void **state)
{
    static char many[GTID_LEN];
    size_t n = 0;
    char text[3 * RECEIPT_GTIDS];

    (void)state;
    for (int i = 0; i < 200; i++)
        n += (size_t)snprintf(many + n, sizeof many - n, "%s%d-1-100000", i ? "," : "", 1000 + i);
    cable(many);
    assert_int_equal(got.gone.count, 200);
    assert_true(strlen(got.gone.text) < RECEIPT_GTIDS);
    engine_tell_receipt(&got, text, sizeof text);
    assert_non_null(strstr(text, "..."));
    assert_non_null(strstr(text, "(200 transactions in all, more than can be listed)"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_nothing_extra),
        cmocka_unit_test(test_made_anew),
        cmocka_unit_test(test_first_of_a_server),
        cmocka_unit_test(test_new_writer_made_anew),
        cmocka_unit_test(test_another_monitor_completes_it),
        cmocka_unit_test(test_more_than_fits_is_said),
    };
    return cmocka_run_group_tests_name("engine_receipt", tests, NULL, NULL);
}
