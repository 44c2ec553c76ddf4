/* SPDX-License-Identifier: GPL-2.0-or-later
 * From the configuration to slots and to the settings of the agent's rules. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "agent/facts.h"
#include "agent/setup.h"

#include <stdlib.h>
#include <string.h>

static const char yaml[] =
    "cluster: shop\n"
    "key_file: k\n"
    "monitors: { mon1: { address: 10.77.0.1 } }\n"
    "mysql:\n"
    "  monitor: { user: m, password: x }\n"
    "  agent: { user: a, password: x }\n"
    "  replication: { user: r, password: x }\n"
    "hosts:\n"
    "  db1: { address: 10.77.0.11, mode: master, peer: db2 }\n"
    "  db2: { address: 10.77.0.12, mode: master, peer: db1, replication_address: 10.78.0.12 }\n"
    "  db3: { address: 10.77.0.13, mode: replica, mysql: { port: 3307 } }\n"
    "roles:\n"
    "  writer: { mode: exclusive, hosts: [db1, db2], ips: [10.77.0.100/24, 'fd00::100/64'] }\n"
    "  reader: { mode: balanced, hosts: [db1, db3], ips: [10.77.0.103/24, 10.77.0.104/24] }\n"
    "active_master_role: writer\n"
    "failover: { lease: 1500ms, on_monitor_loss: fence, kill_hung_mysqld: false }\n";

static struct conf *parsed(void)
{
    struct conf_errors errs = {0};
    struct conf *c = NULL;

    if (conf_parse(&c, yaml, strlen(yaml), "cluster.yaml", &errs) < 0)
        conf_errors_write(&errs, stderr);
    assert_non_null(c);
    return c;
}

static void slots_of_both_kinds(void **state)
{
    struct conf *c = parsed();
    struct conf_slot s[4];

    (void)state;
    assert_int_equal(conf_slots(c, s, 4), 3);
    assert_string_equal(s[0].name, "writer");
    assert_int_equal(s[0].role, 0);
    assert_int_equal(s[0].first_ip, 0);
    assert_int_equal(s[0].n_ips, 2);
    assert_string_equal(s[1].name, "reader/10.77.0.103");
    assert_string_equal(s[2].name, "reader/10.77.0.104");
    assert_int_equal(s[2].role, 1);
    assert_int_equal(s[2].first_ip, 1);
    assert_int_equal(s[2].n_ips, 1);
    conf_free(c);
}

static void more_slots_than_room_are_counted(void **state)
{
    struct conf *c = parsed();
    struct conf_slot s[2] = {{.name = ""}, {.name = "untouched"}};

    (void)state;
    assert_int_equal(conf_slots(c, s, 1), 3);
    assert_string_equal(s[0].name, "writer");
    assert_string_equal(s[1].name, "untouched");
    conf_free(c);
}

static void settings_of_the_rules(void **state)
{
    struct conf *c = parsed();
    static struct agentd_setup s;
    struct err e = {0};

    (void)state;
    assert_int_equal(agentd_setup_of(c, 2, &s, &e), 0);
    assert_int_equal(s.names.hosts, 3);
    assert_int_equal(s.names.slots, 3);
    assert_string_equal(s.names.host[1], "db2");
    assert_string_equal(s.names.slot[1], "reader/10.77.0.103");
    assert_int_equal(s.agent.self, 2);
    assert_int_equal(s.agent.slot[0].candidates, 3);
    assert_true(s.agent.slot[0].writable);
    assert_int_equal(s.agent.slot[2].candidates, 7); /* db2 may be the writer: the last resort */
    assert_false(s.agent.slot[2].writable);
    assert_int_equal(s.agent.lease_ms, 1500);
    assert_int_equal(s.agent.on_monitor_loss, LOSS_FENCE);
    assert_false(s.agent.kill_hung_mysqld);
    assert_int_equal(s.agent.catch_up_ms, 30000);
    conf_free(c);
}

static void who_may_hold_a_slot(void **state)
{
    static const enum conf_last_resort resort[] = {CONF_LAST_WRITER, CONF_LAST_KEEP,
                                                   CONF_LAST_NONE};
    struct conf *c = parsed();
    struct conf_slot s[3];

    (void)state;
    assert_int_equal(conf_slots(c, s, 3), 3);
    for (size_t i = 0; i < ARRAY_LEN(resort); i++) {
        c->roles[1].last_resort = resort[i];
        assert_true(conf_slot_may_hold(c, &s[0], 0));
        assert_true(conf_slot_may_hold(c, &s[0], 1));
        assert_false(conf_slot_may_hold(c, &s[0], 2));
        assert_true(conf_slot_may_hold(c, &s[1], 0));
        assert_int_equal(conf_slot_may_hold(c, &s[1], 1), resort[i] == CONF_LAST_WRITER);
        assert_true(conf_slot_may_hold(c, &s[2], 2));
    }
    conf_free(c);
}

static void what_to_do_without_a_monitor(void **state)
{
    static const enum monitor_loss loss[] = {[CONF_LOSS_PROMISE] = LOSS_PROMISE,
                                             [CONF_LOSS_KEEP] = LOSS_PROMISE,
                                             [CONF_LOSS_FENCE] = LOSS_FENCE};
    struct conf *c = parsed();
    static struct agentd_setup s;
    struct err e = {0};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(loss); i++) {
        c->failover.on_monitor_loss = (enum conf_loss)i;
        assert_int_equal(agentd_setup_of(c, 0, &s, &e), 0);
        assert_int_equal(s.agent.on_monitor_loss, loss[i]);
    }
    conf_free(c);
}

static void too_many_hosts_are_refused(void **state)
{
    struct conf *c = parsed();
    static struct agentd_setup s;
    struct err e = {0};

    (void)state;
    c->n_hosts = HOSTS_MAX + 1;
    assert_true(agentd_setup_of(c, 0, &s, &e) < 0);
    assert_non_null(strstr(e.msg, "65 hosts"));
    c->n_hosts = 3;
    conf_free(c);
}

static void a_source_is_known_by_address_and_port(void **state)
{
    struct conf *c = parsed();

    (void)state;
    assert_int_equal(agentd_source_of(c, "10.77.0.11", 3306), 0);
    assert_int_equal(agentd_source_of(c, "10.78.0.12", 3306), 1); /* replication_address */
    assert_int_equal(agentd_source_of(c, "10.77.0.12", 3306), 1); /* and address */
    assert_int_equal(agentd_source_of(c, "10.77.0.13", 3307), 2);
    assert_int_equal(agentd_source_of(c, "10.77.0.13", 3306), -1);
    assert_int_equal(agentd_source_of(c, "10.77.0.99", 3306), -1);
    assert_int_equal(agentd_source_of(c, "db1", 3306), -1); /* names are not looked up */
    assert_int_equal(agentd_source_of(c, "", 0), -1);
    conf_free(c);
}

static void facts_are_translated(void **state)
{
    struct conf *c = parsed();
    struct mydb_facts from = {.mariadb = true,
                              .read_only = true,
                              .gtid_state = "0-1-5",
                              .gtid_slave_pos = "",
                              .source_host = "10.77.0.11",
                              .source_port = 3306,
                              .receiver = MYDB_RECEIVER_CONNECTING,
                              .applier = true,
                              .lag_ms = -1};
    struct agent_facts a, b;
    char problem[PROBLEM_LEN];

    (void)state;
    memset(&a, 0xff, sizeof a);
    memset(&b, 0x55, sizeof b);
    agentd_facts_of(c, &from, &a, problem);
    agentd_facts_of(c, &from, &b, problem);
    assert_memory_equal(&a, &b, sizeof a); /* the rules compare them byte by byte */
    assert_string_equal(problem, "");
    assert_false(a.mysql_flavour);
    assert_true(a.read_only);
    assert_true(a.applier);
    assert_string_equal(a.gtid, "0-1-5");
    assert_string_equal(a.source_host, "10.77.0.11");
    assert_int_equal(a.source, 0);
    assert_int_equal(a.receiver, RECEIVER_CONNECTING);
    assert_int_equal(a.lag_ms, -1);
    from.source_host = "";
    agentd_facts_of(c, &from, &a, problem);
    assert_int_equal(a.source, -1);
    conf_free(c);
}

static void a_gtid_set_too_long_is_a_problem(void **state)
{
    struct conf *c = parsed();
    static char text[32 * 1024];
    struct mydb_facts from = {.mariadb = true, .gtid_slave_pos = "", .source_host = ""};
    struct agent_facts a;
    char problem[PROBLEM_LEN];
    size_t len = 0;

    (void)state;
    for (unsigned i = 1; i <= 250; i++)
        len += (size_t)sprintf(text + len, "%s%u-%u-%u", len ? "," : "", i, 1000000 + i,
                               1000000000 + i);
    from.gtid_state = text;
    agentd_facts_of(c, &from, &a, problem);
    assert_string_equal(a.gtid, "");
    assert_non_null(strstr(problem, "GTIDs not reported"));
    from.gtid_state = "what";
    agentd_facts_of(c, &from, &a, problem);
    assert_string_equal(a.gtid, "");
    assert_non_null(strstr(problem, "GTIDs not reported"));
    conf_free(c);
}

static const char *executed(bool mariadb, const char *state, const char *pos)
{
    static char to[GTID_LEN];
    struct err e = {0};

    if (agentd_gtid_executed(mariadb, state, pos, to, sizeof to, &e) < 0)
        return e.msg[0] ? "error" : "error without a sentence";
    return to;
}

static void executed_sets(void **state)
{
    (void)state;
    assert_string_equal(executed(true, "0-1-100,0-2-90", "0-1-100"), "0-1-100,0-2-90");
    /* log_slave_updates off: what was applied is in the position alone */
    assert_string_equal(executed(true, "", "0-1-100,1-1-7"), "0-1-100,1-1-7");
    assert_string_equal(executed(true, "0-2-5", "0-1-100"), "0-1-100,0-2-5");
    /* an old master's position is behind its own log */
    assert_string_equal(executed(true, "0-1-900", "0-1-50"), "0-1-900");
    assert_string_equal(executed(true, "", ""), "");
    assert_string_equal(executed(true, "0-1", ""), "error");
    assert_string_equal(executed(false,
                                 "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5,\n"
                                 "4e11fa47-71ca-11e1-9e33-c80aa9429562:1-2",
                                 ""),
                        "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5,"
                        "4e11fa47-71ca-11e1-9e33-c80aa9429562:1-2");
}

static const char *reach(bool mariadb, const char *want, const char *own)
{
    static char to[GTID_LEN];
    struct err e = {0};

    if (agentd_gtid_reach(mariadb, want, own, to, sizeof to, &e) < 0)
        return e.msg[0] ? "error" : "error without a sentence";
    return to;
}

static void what_to_wait_for(void **state)
{
    (void)state;
    assert_string_equal(reach(true, "0-1-105,0-2-99", "0-1-100,0-2-99"), "0-1-105");
    assert_string_equal(reach(true, "0-1-50,0-2-99", "0-1-40,0-2-60"), "0-2-99");
    /* nothing is missing: nothing to wait for, also where this server wrote the newest itself */
    assert_string_equal(reach(true, "0-1-50,0-2-99", "0-1-50,0-2-120"), "");
    /* by domain */
    assert_string_equal(reach(true, "0-1-10,1-1-20,2-1-30", "0-1-10,1-1-19"), "1-1-20,2-1-30");
    assert_string_equal(reach(true, "", "0-1-1"), "");
    assert_string_equal(reach(true, "nonsense", ""), "error");
    assert_string_equal(reach(false, "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5", ""),
                        "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_of_both_kinds),
        cmocka_unit_test(more_slots_than_room_are_counted),
        cmocka_unit_test(settings_of_the_rules),
        cmocka_unit_test(who_may_hold_a_slot),
        cmocka_unit_test(what_to_do_without_a_monitor),
        cmocka_unit_test(too_many_hosts_are_refused),
        cmocka_unit_test(a_source_is_known_by_address_and_port),
        cmocka_unit_test(facts_are_translated),
        cmocka_unit_test(a_gtid_set_too_long_is_a_problem),
        cmocka_unit_test(executed_sets),
        cmocka_unit_test(what_to_wait_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
