/* SPDX-License-Identifier: GPL-2.0-or-later
 * One cluster with a bit of everything, in all the forms that status has. */
#include "base/buf.h"
#include "monitor/ring.h"
#include "monitor/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

enum { DB1, DB2, DB3 };
static const int64_t noon = 1772366400000; /* 2026-03-01T12:00:00Z */

static struct engine *e;
static struct status_conf s;
static char ips[3][1][ADDR_LEN] = {{"10.77.0.100/24"}, {"10.77.0.103/24"}, {"10.77.0.104/24"}};

static void a_host(int i, const char *name, bool master, const char *address)
{
    struct host *h = &e->host[i];

    strcpy(e->conf.names.host[i], name);
    e->conf.host[i].master = master;
    strcpy(s.address[i], address);
    h->state = ONLINE;
    h->state_since_wall = noon - 192000;
    h->linked = h->heard = true;
    h->report_at = e->now;
    h->report = (struct msg_report){.start_id = 1,
                                    .facts = true,
                                    .read_only = true,
                                    .mysqld = MYSQLD_UP,
                                    .source = DB1,
                                    .source_host = "10.77.0.11",
                                    .receiver = RECEIVER_YES,
                                    .applier = true,
                                    .source_port = 3306,
                                    .gtid = "0-1-1234"};
    h->lag_ms = 0;
    for (int c = 0; c < CK_N; c++)
        h->check[c] = (struct check_state){.known = true,
                                           .good = true,
                                           .last = RESULT_OK,
                                           .changed_wall_ms = noon - 192000,
                                           .message = "OK"};
}

static void a_slot(int i, int role, const char *name, int holder)
{
    strcpy(e->conf.names.slot[i], name);
    e->conf.slot_role[i] = role;
    e->slot[i].holder = holder;
    s.slot[i].n = 1;
    s.slot[i].ip = ips[i];
    if (holder < 0)
        return;
    e->host[holder].report.slot[e->host[holder].report.n++] =
        (struct report_slot){.slot = i, .hold = HOLD_HELD};
}

static int setup(void **state)
{
    (void)state;
    e = calloc(1, sizeof *e);
    assert_non_null(e);
    e->now = 1000000;
    e->conf.lease_ms = 2000;
    s = (struct status_conf){.cluster = "shop"};
    e->conf.names.hosts = e->conf.names.slots = 3;
    strcpy(e->conf.monitor, "mon1");
    e->conf.roles = 2;
    strcpy(e->conf.role[0].name, "writer");
    e->conf.role[0].exclusive = e->conf.role[0].writable = true;
    e->conf.role[0].prefer = DB1;
    strcpy(e->conf.role[1].name, "reader");
    e->conf.role[1].prefer = -1;
    e->conf.role[0].hosts = e->conf.role[1].hosts = 1;
    e->conf.role[0].host[0] = DB1;
    e->conf.role[1].host[0] = DB3;
    a_host(DB1, "db1", true, "10.77.0.11");
    a_host(DB2, "db2", true, "10.77.0.12");
    a_host(DB3, "a3", false, "10.77.0.13");
    e->host[DB1].report.read_only = false;
    e->host[DB1].report.source_host[0] = 0;
    e->host[DB1].report.source = -1;
    a_slot(0, 0, "writer", DB1);
    a_slot(1, 1, "reader/10.77.0.103", DB2);
    a_slot(2, 1, "reader/10.77.0.104", DB3);
    e->reign = REIGN_YES;
    e->epoch = 7;
    e->mode = MODE_ACTIVE;
    e->wall = noon;
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(e);
    return 0;
}

static void a_bad_day(void)
{
    struct host *h = &e->host[DB3];

    h->state = REPLICATION_FAIL;
    h->state_since_wall = noon - 12000;
    h->lag_ms = -1;
    strcpy(h->extra, "0-3-17");
    strcpy(h->order.aside, "0-3-17");
    h->order.start_id = h->report.start_id;
    h->report.aside = TAIL_READY;
    strcpy(h->report.aside_text, "/q/shop-a3.binlog");
    strcpy(h->report.problem, "cannot follow db1: see the error log of mysqld");
    h->check[CK_REP_THREADS] =
        (struct check_state){.known = true,
                             .last = RESULT_ERROR,
                             .changed_wall_ms = noon - 22000,
                             .message = "SQL thread: Duplicate \"key\" \xe9"};
    h->check[CK_REP_BACKLOG].last = RESULT_UNKNOWN;
    strcpy(h->check[CK_REP_BACKLOG].message, "lag is unknown");
    e->slot[2].holder = -1;
    e->slot[2].choice = -1;
    e->host[DB2].linked = false;
}

static void is_text(char *got, const char *wanted)
{
    assert_non_null(got);
    assert_string_equal(got, wanted);
    free(got);
}

static void json(void **state)
{
#define GOOD(name)                                                                                 \
    "\"" name "\":{\"ok\":true,\"since\":\"2026-03-01T11:56:48.000Z\",\"message\":\"OK\","         \
    "\"result\":\"OK\"}"
#define ALL_GOOD                                                                                   \
    "\"checks\":{" GOOD("ping") "," GOOD("mysql") "," GOOD("rep_threads") "," GOOD(                \
        "rep_backlog") "}"
#define PLAIN                                                                                      \
    "\"barred\":\"\",\"semi_sync\":{\"source\":false,\"active\":false,\"wait_point\":null,\"wait_" \
    "no_replica\":false,\"clients\":0,\"wait_for\":0,\"timeout_ms\":0,\"replica\":false,"          \
    "\"replica_active\":false,\"warning\":\"\"}"
    (void)state;
    a_bad_day();
    is_text(
        status_json(e, &s),
        "{\"schema\":1,\"cluster\":\"shop\",\"time\":\"2026-03-01T12:00:00.000Z\","
        "\"mode\":\"active\",\"monitor\":\"mon1\",\"reigning\":true,\"passive_why\":\"\","
        "\"epoch\":7,\"health\":\"degraded\",\"why\":[\"nobody holds reader/10.77.0.104\","
        "\"db2: agent not reachable\",\"a3 is REPLICATION_FAIL: rep_threads bad, "
        "transactions nobody else has, a "
        "problem\"],\"writer\":\"db1\",\"active_master_role\":\"writer\",\"move\":null,"
        "\"hosts\":[{\"name\":\"db1\",\"address\":\"10.77.0.11\",\"mode\":\"master\","
        "\"state\":\"ONLINE\",\"since\":\"2026-03-01T11:56:48.000Z\",\"agent\":\"up\","
        "\"roles\":[{\"role\":\"writer\",\"ip\":\"10.77.0.100\"}],\"read_only\":false,"
        "\"source\":null,\"receiver\":null,\"applier\":null,\"lag_s\":null,\"gtid\":\"0-1-"
        "1234\"," ALL_GOOD ",\"gate\":\"nft\","
        "\"mysqld\":\"up\",\"mysqld_why\":\"\",\"problem\":\"\",\"extra_gtid\":\"\",\"flapping\":"
        "false," PLAIN "},"
        "{\"name\":\"db2\",\"address\":\"10.77.0.12\",\"mode\":\"master\",\"state\":\"ONLINE\","
        "\"since\":\"2026-03-01T11:56:48.000Z\",\"agent\":\"down\","
        "\"roles\":[{\"role\":\"reader\",\"ip\":\"10.77.0.103\"}],\"read_only\":null,"
        "\"source\":null,\"receiver\":null,\"applier\":null,\"lag_s\":null,\"gtid\":\"0-1-"
        "1234\"," ALL_GOOD ",\"gate\":null,"
        "\"mysqld\":null,\"mysqld_why\":\"\",\"problem\":\"\",\"extra_gtid\":\"\",\"flapping\":"
        "false,\"barred\":\"\",\"semi_sync\":null},"
        "{\"name\":\"a3\",\"address\":\"10.77.0.13\",\"mode\":\"replica\","
        "\"state\":\"REPLICATION_FAIL\",\"since\":\"2026-03-01T11:59:48.000Z\",\"agent\":\"up\","
        "\"roles\":[],\"read_only\":true,\"source\":\"db1\","
        "\"receiver\":\"yes\",\"applier\":true,\"lag_s\":null,"
        "\"gtid\":\"0-1-1234\",\"checks\":{" GOOD("ping") "," GOOD(
            "mysql") ",\"rep_threads\":{\"ok\":false,\"since\":\"2026-03-01T11:59:38.000Z\","
                     "\"message\":\"SQL thread: Duplicate \\\"key\\\" ?\",\"result\":\"ERROR\"},"
                     "\"rep_backlog\":{\"ok\":true,\"since\":\"2026-03-01T11:56:48.000Z\","
                     "\"message\":\"lag is unknown\",\"result\":\"UNKNOWN\"}},\"gate\":\"nft\","
                     "\"mysqld\":\"up\",\"mysqld_why\":\"\",\"problem\":\"cannot follow db1: see "
                     "the error log of "
                     "mysqld\",\"extra_gtid\":\"0-3-17\",\"quarantine\":{\"file\":\"/q/"
                     "shop-a3.binlog\","
                     "\"why\":\"\"},\"flapping\":false," PLAIN "}],"
                     "\"roles\":[{\"name\":\"writer\",\"mode\":\"exclusive\",\"ip\":\"10.77.0."
                     "100\","
                     "\"host\":\"db1\",\"held\":true,\"waiting\":\"\"},"
                     "{\"name\":\"reader\",\"mode\":\"balanced\",\"ip\":\"10.77.0.103\","
                     "\"host\":\"db2\",\"held\":false,\"waiting\":\"\"},"
                     "{\"name\":\"reader\",\"mode\":\"balanced\",\"ip\":\"10.77.0.104\","
                     "\"host\":null,\"held\":false,\"waiting\":\"a3 is not a candidate\"}]}");
}

static bool says(const char *text, const char *part)
{
    bool found = strstr(text, part);

    if (!found)
        print_error("%s\nis not in\n%s\n", part, text);
    return found;
}

static void json_holds(const char *part)
{
    char *got = status_json(e, &s);

    assert_non_null(got);
    assert_true(says(got, part));
    free(got);
}

static void details(void **state)
{
    (void)state;
    assert_int_equal(status_health(e, &s), HEALTH_OK);
    json_holds("\"health\":\"ok\",\"why\":[]");
    e->host[DB2].lag_ms = 1500;
    json_holds("\"lag_s\":1.5,");
    e->host[DB2].lag_ms = 60000;
    json_holds("\"lag_s\":60,");
    e->host[DB2].report.source = -1;
    e->host[DB2].report.source_port = 3307;
    json_holds("\"source\":\"10.77.0.11:3307\"");
    strcpy(e->host[DB2].report.source_host, "fd00::9");
    json_holds("\"source\":\"[fd00::9]:3307\"");
    e->host[DB2].check[CK_PING] = (struct check_state){.good = true, .last = RESULT_UNKNOWN};
    json_holds("\"ping\":{\"ok\":null,\"since\":null,\"message\":\"\",\"result\":\"UNKNOWN\"}");
    e->move = (struct move){
        .phase = MOVE_LAG, .slot = 0, .from = DB1, .to = DB2, .started = e->now - 250};
    json_holds("\"move\":{\"role\":\"writer\",\"from\":\"db1\",\"to\":\"db2\","
               "\"phase\":\"waiting for the lag to go\",\"for_ms\":250}");
}

/* Each change to db1's, the writer's, and what is said about it. */
static void semi_sync_says_what_it_is_worth(void **state)
{
    struct traits *w = &e->host[DB1].report.traits, *r = &e->host[DB2].report.traits;

    (void)state;
    for (int i = 0; i < 2; i++)
        e->candidates[0] |= 1ull << i;
    *w = (struct traits){.bits = TRAIT_SEMI_SOURCE | TRAIT_SEMI_ACTIVE,
                         .semi_clients = 1,
                         .semi_wait_for = 1,
                         .semi_timeout_ms = 10000};
    r->bits = TRAIT_SEMI_SOURCE | TRAIT_SEMI_REPLICA | TRAIT_SEMI_RECEIVER;
    r->semi_timeout_ms = 10000;
    json_holds("\"semi_sync\":{\"source\":true,\"active\":true,\"wait_point\":\"AFTER_SYNC\","
               "\"wait_no_replica\":true,\"clients\":1,\"wait_for\":1,\"timeout_ms\":10000,"
               "\"replica\":false,\"replica_active\":false,\"warning\":\"\"}");
    assert_int_equal(status_health(e, &s), HEALTH_OK);
    w->semi_clients = 0;
    json_holds("\"warning\":\"0 replicas are connected that would acknowledge, 1 needed");
    w->bits &= ~(unsigned)TRAIT_SEMI_ACTIVE;
    json_holds("\"warning\":\"fell back to asynchronous");
    w->bits |= TRAIT_SEMI_ACTIVE | TRAIT_SEMI_AFTER;
    w->semi_clients = 1;
    json_holds("\"warning\":\"the wait point is AFTER_COMMIT");
    w->bits = TRAIT_SEMI_SOURCE | TRAIT_SEMI_ACTIVE | TRAIT_SEMI_HASTY;
    json_holds("\"warning\":\"wait_no_replica (wait_no_slave) is off");
    w->bits = TRAIT_SEMI_SOURCE | TRAIT_SEMI_ACTIVE;
    w->semi_timeout_ms = 100;
    json_holds("\"warning\":\"its timeout of 100 ms");
    w->semi_timeout_ms = 10000;
    r->bits &= ~(unsigned)TRAIT_SEMI_RECEIVER;
    json_holds("\"warning\":\"its receiver doesn't acknowledge");
    r->bits = 0;
    json_holds("\"warning\":\"its source's side is off");
    r->bits = TRAIT_NO_BINLOG;
    json_holds("\"barred\":\"db2 has log_bin off: nobody could follow it\"");
}

static void full_disks_are_named(void **state)
{
    (void)state;
    e->candidates[0] = 1ull << DB1 | 1ull << DB2;
    e->conf.trap_ms[CK_MYSQL] = 2000;
    e->slot[0].host[DB1].maybe = true;
    e->host[DB1].report.disk_full = true;
    e->host[DB1].full_since = e->host[DB1].report_at = e->now;
    e->host[DB2].report.disk_full = true;
    e->host[DB2].report.facts = false;
    json_holds("\"db1: has it and its disk is full, and nobody else can take it: the disk with the "
               "binary log of db2 is full; free space there\"");
    json_holds("\"barred\":\"the disk with the binary log of db2 is full; free space there\"");
    e->host[DB2].report.disk_full = false;
    json_holds("nobody else can take it: the server of db2 is not up");
    e->host[DB1].report.disk_full = false;
    assert_int_equal(status_health(e, &s), HEALTH_OK);
}

static void a_monitor_in_trouble_says_so(void **state)
{
    (void)state;
    strcpy(s.trouble, "the journal in /x cannot be written (No space left on device)");
    json_holds(
        "\"health\":\"degraded\",\"why\":[\"monitor mon1: the journal in /x cannot be written "
        "(No space left on device)\"]");
}

static void health(void **state)
{
    (void)state;
    e->mode = MODE_MANUAL;
    assert_int_equal(status_health(e, &s), HEALTH_OK);
    e->mode = MODE_PASSIVE;
    strcpy(e->passive_why, "two writers found");
    assert_int_equal(status_health(e, &s), HEALTH_DEGRADED);
    json_holds("\"why\":[\"mode passive: two writers found; nothing is moved until hamm ctl mode "
               "active\"]");
    e->mode = MODE_ACTIVE;
    e->reign = REIGN_DEPOSED;
    strcpy(e->passive_why, "mon2 reigns");
    json_holds("\"why\":[\"this monitor does not reign: mon2 reigns\"],\"writer\":\"db1\"");
    e->slot[0].holder = -1; /* not its own decision, but the agents tell it */
    json_holds("\"why\":[\"this monitor does not reign: mon2 reigns\"],\"writer\":\"db1\"");
    json_holds("\"host\":\"db1\",\"held\":true");
    assert_int_equal(status_health(e, &s), HEALTH_DEGRADED);
    e->reign = REIGN_YES;
    e->slot[0].holder = -1;
    e->slot[0].choice = -1;
    assert_int_equal(status_health(e, &s), HEALTH_NO_WRITER);
    json_holds("\"why\":[\"nobody holds writer: db1 is not a candidate\"]");
    e->slot[0].holder = DB2;
    json_holds("\"why\":[\"db2 shall hold writer and is not known to be open for writes\"]");
}

static void show(void **state)
{
    (void)state;
    is_text(status_show(e, &s), "  a3(10.77.0.13) slave/ONLINE. Roles: reader(10.77.0.104)\n"
                                "  db1(10.77.0.11) master/ONLINE. Roles: writer(10.77.0.100)\n"
                                "  db2(10.77.0.12) master/ONLINE. Roles: reader(10.77.0.103)\n"
                                "# Role writer is assigned to it's preferred host db1.\n");
    e->slot[0].holder = DB2;
    is_text(status_show(e, &s),
            "  a3(10.77.0.13) slave/ONLINE. Roles: reader(10.77.0.104)\n"
            "  db1(10.77.0.11) master/ONLINE. Roles: \n"
            "  db2(10.77.0.12) master/ONLINE. Roles: reader(10.77.0.103), writer(10.77.0.100)\n"
            "# Role writer has db1 configured as it's preferred host but is assigned to db2 at the "
            "moment.\n");
    a_bad_day();
    e->slot[0].holder = -1;
    e->mode = MODE_PASSIVE;
    strcpy(e->passive_why, "two writers found:\ndb1 and db2");
    is_text(status_show(e, &s), "# --- Monitor is in PASSIVE MODE ---\n"
                                "# Cause: two writers found:\n"
                                "# db1 and db2\n"
                                "# Warning: agent on host db2 is not reachable\n"
                                "  a3(10.77.0.13) slave/REPLICATION_FAIL. Roles: \n"
                                "  db1(10.77.0.11) master/ONLINE. Roles: \n"
                                "  db2(10.77.0.12) master/ONLINE. Roles: reader(10.77.0.103)\n"
                                "# Role writer has db1 configured as it's preferred host.\n");
}

static void checks(void **state)
{
    (void)state;
    setenv("TZ", "UTC", 1);
    tzset();
    a_bad_day();
    is_text(status_checks(e, DB3, CK_REP_THREADS),
            "a3  rep_threads  [last change: 2026/03/01 11:59:38]  SQL thread: Duplicate \"key\" ?");
    is_text(status_checks(e, DB2, -1),
            "db2  ping         [last change: 2026/03/01 11:56:48]  OK\n"
            "db2  mysql        [last change: 2026/03/01 11:56:48]  OK\n"
            "db2  rep_threads  [last change: 2026/03/01 11:56:48]  OK\n"
            "db2  rep_backlog  [last change: 2026/03/01 11:56:48]  OK\n");
    e->host[DB2].check[CK_PING] = (struct check_state){.message = "not yet"};
    is_text(status_checks(e, -1, CK_PING), "db1  ping  [last change: 2026/03/01 11:56:48]  OK\n"
                                           "db2  ping  [last change: never]  not yet\n"
                                           "a3   ping  [last change: 2026/03/01 11:56:48]  OK\n");
    is_text(status_checks_json(e, DB2, CK_PING),
            "{\"schema\":1,\"hosts\":[{\"name\":\"db2\",\"checks\":{\"ping\":{\"ok\":null,"
            "\"since\":null,\"message\":\"not yet\",\"result\":\"OK\"}}}]}");
}

static void events(void **state)
{
    struct ring_event ev = {
        .wall_ms = noon, .level = EVENT_WARN, .host = DB2, .text = "it is \"down\""};
    auto_buf b = BUF(4096);

    (void)state;
    status_event(&b, e, &ev, false);
    ev.host = -1;
    status_event(&b, e, &ev, false);
    status_event(&b, e, &ev, true);
    assert_string_equal(b.at, "2026-03-01T12:00:00.000Z  warn  db2: it is \"down\"\n"
                              "2026-03-01T12:00:00.000Z  warn  it is \"down\"\n"
                              "{\"time\":\"2026-03-01T12:00:00.000Z\",\"level\":\"warn\","
                              "\"host\":null,\"text\":\"it is \\\"down\\\"\"}\n");
}

static void times(void **state)
{
    char to[RFC3339_LEN];

    (void)state;
    assert_string_equal(status_time(to, 0), "1970-01-01T00:00:00.000Z");
    assert_string_equal(status_time(to, 1772366400007), "2026-03-01T12:00:00.007Z");
    assert_string_equal(status_time(to, -5), "1970-01-01T00:00:00.000Z");
    assert_string_equal(status_time(to, INT64_MAX), "1970-01-01T00:00:00.000Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(json, setup, teardown),
        cmocka_unit_test_setup_teardown(details, setup, teardown),
        cmocka_unit_test_setup_teardown(semi_sync_says_what_it_is_worth, setup, teardown),
        cmocka_unit_test_setup_teardown(full_disks_are_named, setup, teardown),
        cmocka_unit_test_setup_teardown(a_monitor_in_trouble_says_so, setup, teardown),
        cmocka_unit_test_setup_teardown(health, setup, teardown),
        cmocka_unit_test_setup_teardown(show, setup, teardown),
        cmocka_unit_test_setup_teardown(checks, setup, teardown),
        cmocka_unit_test_setup_teardown(events, setup, teardown),
        cmocka_unit_test(times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
