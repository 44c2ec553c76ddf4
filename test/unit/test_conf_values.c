/* SPDX-License-Identifier: GPL-2.0-or-later
 * What a right configuration becomes: defaults, overrides, names as indices, warnings; and the
 * example files are right. */
#include "conf/conf.h"
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define HEAD                                                                                       \
    "cluster: shop\nkey_file: k\nmonitors: { mon1: { address: 10.0.0.1 } }\n"                      \
    "mysql:\n"                                                                                     \
    "  monitor: { user: m, password: x }\n"                                                        \
    "  agent: { user: a, password_file: y }\n"                                                     \
    "  replication: { user: r, password_env: Z }\n"

#define REST                                                                                       \
    "hosts:\n"                                                                                     \
    "  db1: { address: 10.0.0.11, mode: master, peer: db2 }\n"                                     \
    "  db2: { address: 10.0.0.12, mode: master, peer: db1 }\n"                                     \
    "roles:\n"                                                                                     \
    "  writer: { mode: exclusive, hosts: [db1, db2], ips: [10.0.0.100/24] }\n"                     \
    "active_master_role: writer\n"

static struct conf *parse(const char *text)
{
    struct conf_errors errs = {0};
    struct conf *c = NULL;
    int rc = conf_parse(&c, text, strlen(text), "/etc/hamm/shop.yaml", &errs);

    for (size_t i = 0; i < errs.n; i++)
        print_error("%s\n", errs.at[i].text);
    assert_int_equal(rc, 0);
    conf_errors_free(&errs);
    return c;
}

static void defaults_of_hosts_and_roles(void **state)
{
    struct conf *c = parse(HEAD REST);

    (void)state;
    assert_string_equal(c->cluster, "shop");
    assert_string_equal(c->path, "/etc/hamm/shop.yaml");
    assert_string_equal(c->state_dir, "/var/lib/hamm");
    assert_string_equal(c->control_socket, "/run/hamm/shop.sock");
    assert_int_equal(c->http_listen.family, 0);
    assert_int_equal(c->monitors[0].port, 9988);
    assert_string_equal(c->monitors[0].address.text, "10.0.0.1");
    assert_int_equal(c->hosts[0].agent_port, 9989);
    assert_int_equal(c->hosts[0].peer, 1);
    assert_int_equal(c->hosts[1].peer, 0);
    assert_string_equal(c->hosts[0].interface, "");
    assert_string_equal(c->hosts[0].replication_address.text, "10.0.0.11");
    assert_int_equal(c->hosts[0].mysql.port, 3306);
    assert_string_equal(c->hosts[0].mysql.socket, "");
    assert_int_equal(c->hosts[0].mysql.tls.mode, CONF_TLS_PREFERRED);
    assert_string_equal(c->hosts[0].mysql.tls.ca, "");
    assert_int_equal(c->hosts[0].mysql.replication.tls, CONF_TLS_PREFERRED);
    assert_int_equal(c->hosts[0].mysql.replication.gtid, CONF_GTID_AUTO);
    assert_string_equal(c->hosts[0].mysql.replication.channel, "");
    assert_int_equal(c->active_master_role, 0);
    assert_int_equal(c->roles[0].prefer, CONF_NONE);
    assert_int_equal(c->roles[0].ips[0].prefix, 24);
    assert_string_equal(c->roles[0].ips[0].interface, "");
    assert_null(c->roles[0].vip_command);
    assert_int_equal(c->warnings.n, 0);
    conf_free(c);
}

static void defaults_of_checks_and_failover(void **state)
{
    static const int64_t times[][3] = {
        {250, 1000, 500}, {500, 2000, 1000}, {1000, 5000, 1000}, {1000, 5000, 1000}};
    struct conf *c = parse(HEAD REST);
    const struct conf_failover *f = &c->failover;

    (void)state;
    for (size_t i = 0; i < CONF_CHECK_N; i++) {
        assert_int_equal(c->checks[i].period_ms, times[i][0]);
        assert_int_equal(c->checks[i].trap_period_ms, times[i][1]);
        assert_int_equal(c->checks[i].timeout_ms, times[i][2]);
    }
    assert_int_equal(c->max_backlog_ms, 60000);
    assert_int_equal(f->mode, CONF_MODE_ACTIVE);
    assert_int_equal(f->lease_ms, 2000);
    assert_int_equal(f->gate, CONF_GATE_AUTO);
    assert_int_equal(f->on_crash_ms, 0);
    assert_int_equal(f->on_monitor_loss, CONF_LOSS_PROMISE);
    assert_int_equal(f->auto_set_online_ms, 0);
    assert_int_equal(f->flap_count, 3);
    assert_int_equal(f->flap_duration_ms, 3600000);
    assert_int_equal(f->wait_for_other_master_ms, 120000);
    assert_true(f->careful_startup);
    assert_int_equal(f->catch_up_timeout_ms, 30000);
    assert_int_equal(f->salvage_timeout_ms, 30000);
    assert_int_equal(f->switchover_budget_ms, 5000);
    assert_int_equal(f->data_loss, CONF_DATA_SALVAGE);
    assert_true(f->kill_hung_mysqld);
    assert_int_equal(f->n_ping_ips, 0);
    assert_string_equal(f->kill_host, "");
    assert_memory_equal(f, &c->roles[0].failover, sizeof *f);
    conf_free(c);
}

static void a_host_overrides_single_keys_of_mysql(void **state)
{
    struct conf *c = parse(
        HEAD "  tls: { mode: required, ca: ca.pem }\n"
             "  socket: sock\n"
             "hosts:\n"
             "  db1:\n"
             "    address: 10.0.0.11\n"
             "    mode: master\n"
             "    agent_port: 1000\n"
             "    interface: eth1.5\n"
             "    replication_address: 10.9.0.11\n"
             "    mysql:\n"
             "      port: 3307\n"
             "      socket: \"\"\n"
             "      agent: { user: other }\n"
             "      replication: { password: own, channel: circle, gtid: on }\n"
             "      tls: { mode: verify }\n"
             "  db2: { address: 10.0.0.12, mode: slave, mysql: { replication: { tls: off } } }\n"
             "roles:\n"
             "  writer: { mode: exclusive, hosts: [db1], ips: [10.0.0.100/24] }\n"
             "active_master_role: writer\n");
    const struct conf_host *one = &c->hosts[0], *two = &c->hosts[1];

    (void)state;
    assert_int_equal(one->peer, CONF_NONE); /* the only master needs none */
    assert_int_equal(one->agent_port, 1000);
    assert_string_equal(one->interface, "eth1.5");
    assert_string_equal(one->replication_address.text, "10.9.0.11");
    assert_int_equal(one->mysql.port, 3307);
    assert_string_equal(one->mysql.socket, "");
    assert_string_equal(one->mysql.agent.user, "other");
    assert_string_equal(one->mysql.monitor.user, "m");
    assert_string_equal(one->mysql.replication.login.user, "r");
    assert_string_equal(one->mysql.replication.channel, "circle");
    assert_int_equal(one->mysql.replication.gtid, CONF_GTID_ON);
    assert_int_equal(one->mysql.tls.mode, CONF_TLS_VERIFY);
    assert_int_equal(one->mysql.replication.tls, CONF_TLS_VERIFY);
    assert_string_equal(one->mysql.tls.ca, "/etc/hamm/ca.pem");
    assert_int_equal(two->mode, CONF_HOST_REPLICA);
    assert_int_equal(two->mysql.port, 3306);
    assert_string_equal(two->mysql.socket, "/etc/hamm/sock");
    assert_string_equal(two->mysql.agent.user, "a");
    assert_int_equal(two->mysql.tls.mode, CONF_TLS_REQUIRED);
    assert_int_equal(two->mysql.replication.tls, CONF_TLS_DISABLED);
    assert_null(two->mysql.monitor.password); /* conf_parse reads no secrets */
    assert_null(two->mysql.agent.password);
    assert_null(two->mysql.replication.login.password);
    assert_int_equal(c->n_keys, 0);
    conf_free(c);
}

static void logins_may_stand_in_the_hosts_only(void **state)
{
    struct conf *c = parse(
        "cluster: c\nkey_file: k\nmonitors: { mon1: { address: 10.0.0.1 } }\n"
        "active_master_role: writer\n" /* in any order */
        "roles:\n"
        "  writer: { mode: exclusive, hosts: [db1], ips: [10.0.0.100/24] }\n"
        "hosts:\n"
        "  db1: { address: 10.0.0.11, mode: master, mysql: { monitor: { user: m, password: x },\n"
        "    agent: { user: a, password: x }, replication: { user: r, password: x } } }\n");

    (void)state;
    assert_string_equal(c->hosts[0].mysql.agent.user, "a");
    conf_free(c);
}

static void roles_in_full(void **state)
{
    struct conf *c = parse(
        HEAD
        "hosts:\n"
        "  db1: { address: 10.0.0.11, mode: master, peer: db2 }\n"
        "  db2: { address: 10.0.0.12, mode: master, peer: db1 }\n"
        "  db3: { address: \"FD00::0013\", mode: replica }\n"
        "roles:\n"
        "  reader: { mode: balanced, hosts: [db3, db1], ips: [10.0.0.103/24], last_resort: keep }\n"
        "  writer:\n"
        "    mode: exclusive\n"
        "    hosts: [db2, db1]\n"
        "    ips: [10.0.0.100/24, { ip: \"fd00::100/64\", interface: eth9 }, 10.0.0.99/32]\n"
        "    prefer: db1\n"
        "    failover: { lease: 750ms, on_crash: 20s, mode: manual }\n"
        "    vip: { command: [move, -v] }\n"
        "active_master_role: writer\n");
    const struct conf_role *r = &c->roles[0], *w = &c->roles[1];

    (void)state;
    assert_string_equal(c->hosts[2].address.text, "fd00::13");
    assert_int_equal(c->active_master_role, 1);
    assert_int_equal(r->mode, CONF_ROLE_BALANCED);
    assert_int_equal(r->hosts[0], 2);
    assert_int_equal(r->hosts[1], 0);
    assert_int_equal(r->last_resort, CONF_LAST_KEEP);
    assert_int_equal(r->failover.lease_ms, 2000);
    assert_int_equal(w->n_ips, 3);
    assert_int_equal(w->ips[1].addr.family, AF_INET6);
    assert_int_equal(w->ips[1].prefix, 64);
    assert_string_equal(w->ips[1].interface, "eth9");
    assert_string_equal(w->ips[1].addr.text, "fd00::100");
    assert_int_equal(w->prefer, 0);
    assert_int_equal(w->failover.lease_ms, 750);
    assert_int_equal(w->failover.on_crash_ms, 20000);
    assert_int_equal(w->failover.mode, CONF_MODE_ACTIVE); /* the cluster's */
    assert_string_equal(w->vip_command[0], "/etc/hamm/move");
    assert_string_equal(w->vip_command[1], "-v");
    assert_null(w->vip_command[2]);
    assert_int_equal(conf_role_find(c, "writer"), 1);
    assert_int_equal(conf_host_find(c, "db3"), 2);
    assert_int_equal(conf_monitor_find(c, "mon1"), 0);
    assert_int_equal(conf_host_find(c, "db4"), CONF_NONE);
    conf_free(c);
}

static void what_is_not_acted_on_is_said(void **state)
{
    static const char *const said[] = {":6: roles.writer.failover.mode: holds for the",
                                       ":21: roles.writer.vip.command: is read, but",
                                       ":9: http.listen: is read, but"};
    struct conf *c =
        parse("cluster: shop\nkey_file: k\nmonitors: { mon1: { address: 10.0.0.1 } }\n"
              "mysql:\n  monitor: { user: m, password: x }\n  agent: { user: a, password: x }\n"
              "  replication:\n     user: r\n     password: x\n"
              "hosts:\n  db1: { address: 10.0.0.11, mode: master }\n"
              "roles:\n  writer:\n    mode: exclusive\n    hosts: [db1]\n    ips: [10.0.0.100/24]\n"
              "    failover:\n     mode: manual\n"
              "    vip:          { command: [x] }\n"
              "active_master_role: writer\n"
              "failover:\n  kill_host: bin\n  ping_ips: [10.0.0.254]\n  on_monitor_loss: keep\n"
              "http: { listen: \"0.0.0.0:80\" }\n");

    (void)state;
    assert_int_equal(c->http_port, 80);
    assert_string_equal(c->failover.kill_host, "/etc/hamm/bin");
    assert_string_equal(c->failover.ping_ips[0].text, "10.0.0.254");
    assert_int_equal(c->warnings.n, ARRAY_LEN(said));
    for (size_t i = 0; i < ARRAY_LEN(said); i++)
        assert_non_null(strstr(c->warnings.at[i].text, said[i]));
    conf_free(c);
}

static void what_is_not_acted_on_deeper_in(void **state)
{
    static const char *const said[] = {
        ": hosts.db1.mysql.replication.channel: is read, but",
        ": roles.writer.failover.lease: holds for the whole",
        ": roles.writer.failover.on_monitor_loss: holds for the whole",
        ": roles.reader.failover.on_crash: holds for the active master role only",
        ": roles.reader.failover.kill_hung_mysqld: holds for the active master role only",
    };
    struct conf *c = parse(
        "cluster: shop\nkey_file: k\nmonitors: { mon1: { address: 10.0.0.1 } }\n"
        "mysql:\n  monitor: { user: m, password: x }\n  agent: { user: a, password: x }\n"
        "  replication: { user: r, password: x }\n"
        "hosts:\n"
        "  db1: { address: 10.0.0.11, mode: master, mysql: { replication: { channel: c } } }\n"
        "roles:\n"
        "  writer: { mode: exclusive, hosts: [db1], ips: [10.0.0.100/24], failover: {\n"
        "    lease: 1s, on_monitor_loss: fence, data_loss: allow, on_crash: 5s } }\n"
        "  reader: { mode: balanced, hosts: [db1], ips: [10.0.0.101/24], last_resort: keep,\n"
        "    failover: { on_crash: 5s, kill_hung_mysqld: false } }\n"
        "active_master_role: writer\n"
        "failover: { data_loss: never, on_monitor_loss: fence }\n");

    (void)state;
    assert_int_equal(c->warnings.n, ARRAY_LEN(said));
    for (size_t i = 0; i < ARRAY_LEN(said); i++) {
        bool found = false;
        for (size_t k = 0; k < c->warnings.n; k++)
            found |= strstr(c->warnings.at[k].text, said[i]) != NULL;
        assert_true(found);
    }
    conf_free(c);
}

static void what_is_off_is_not_complained_about(void **state)
{
    struct conf *c = parse(HEAD REST "failover: { kill_host: \"\", ping_ips: [], gate: lifetime, "
                                     "lease: 3s, wait_for_other_master: 0s, flap_count: 0 }\n");

    (void)state;
    assert_int_equal(c->warnings.n, 0);
    assert_int_equal(c->failover.flap_count, 0);
    conf_free(c);
}

static void names_of_values(void **state)
{
    (void)state;
    assert_string_equal(conf_check_name(CONF_CHECK_PING), "ping");
    assert_string_equal(conf_check_name(CONF_CHECK_REP_BACKLOG), "rep_backlog");
    assert_string_equal(conf_mode_name(CONF_MODE_WAIT), "wait");
    assert_string_equal(conf_host_mode_name(CONF_HOST_REPLICA), "replica");
    assert_string_equal(conf_role_mode_name(CONF_ROLE_BALANCED), "balanced");
}

/* The tests are run from anywhere; the source tree is where this file was compiled. */
static void the_examples_are_right(void **state)
{
    static const char here[] = __FILE__;
    auto_buf path = BUF(4096), text = BUF(CONF_TEXT_MAX);
    char part[4096];
    size_t n;
    struct conf *c;
    FILE *f;

    (void)state;
    buf_add(&path, here, strlen(here) - strlen("test/unit/test_conf_values.c"));
    buf_addf(&path, "config/two-masters.yaml");
    f = fopen(path.at, "r");
    assert_non_null(f);
    while ((n = fread(part, 1, sizeof part, f)) > 0)
        buf_add(&text, part, n);
    fclose(f);
    c = parse(text.at);
    assert_int_equal(c->n_hosts, 3);
    assert_int_equal(c->n_roles, 2);
    assert_int_equal(c->warnings.n, 0);
    assert_int_equal(c->hosts[2].mysql.port, 3307);
    conf_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_of_hosts_and_roles),
        cmocka_unit_test(defaults_of_checks_and_failover),
        cmocka_unit_test(a_host_overrides_single_keys_of_mysql),
        cmocka_unit_test(logins_may_stand_in_the_hosts_only),
        cmocka_unit_test(roles_in_full),
        cmocka_unit_test(what_is_not_acted_on_is_said),
        cmocka_unit_test(what_is_not_acted_on_deeper_in),
        cmocka_unit_test(what_is_off_is_not_complained_about),
        cmocka_unit_test(names_of_values),
        cmocka_unit_test(the_examples_are_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
