/* SPDX-License-Identifier: GPL-2.0-or-later
 * The same jobs against two real MySQL servers. Debian 12 has none, so it runs only where
 * HAMM_MYSQL_ROOT names a directory in which the packages mysql-server-core and its dependencies
 * were extracted (mmdebstrap --variant=extract). */
#include "test_mysql_doer.h"

static struct server one, two;

static void observing_tells_what_is(void **state)
{
    struct meter m;
    struct doer d;
    char *gtid = server_sql(&one, "SELECT @@gtid_executed");

    (void)state;
    meter_start(&m);
    doer_open(&d, &m, &one);
    assert_done(&d, JOB_OBSERVE, NO_ARGS);
    assert_true(d.facts && !d.read_only && !d.configured && d.logs && !d.filters);
    assert_int_equal(d.pid, one.pid);
    assert_string_equal(d.gtid, gtid);
    free(gtid);
    doer_close(&d);
    meter_stop(&m);
}

static void closing_and_opening(void **state)
{
    struct meter m;
    struct doer d;

    (void)state;
    meter_start(&m);
    doer_open(&d, &m, &one);
    for (int planned = 0; planned < 2; planned++) {
        struct client update, open;

        client_open(&update, &one);
        client_open(&open, &one);
        assert_int_equal(client_do(&open, "BEGIN"), 0);
        assert_int_equal(client_do(&open, "INSERT INTO t VALUES (NULL, 'lost')"), 0);
        client_start(&update, "UPDATE t SET text=SLEEP(8) WHERE id=1");
        assert_done(&d, JOB_READ_ONLY, (struct job_args){.planned = planned});
        assert_true(d.facts && d.read_only && d.killed >= 2);
        assert_int_equal(server_number(&one, "SELECT @@super_read_only"), 1);
        assert_true(client_end(&update) != 0);
        assert_true(client_do(&open, "COMMIT") != 0);
        client_close(&update);
        client_close(&open);
        assert_done(&d, JOB_WRITABLE, NO_ARGS);
        assert_int_equal(server_number(&one, "SELECT @@super_read_only + @@read_only"), 0);
    }
    doer_close(&d);
    meter_stop(&m);
}

/* Who has SYSTEM_USER can only be ended by somebody who has it, too. */
static void roots_connections_are_ended(void **state)
{
    MYSQL *root = server_root(&one);
    struct meter m;
    struct doer d;

    (void)state;
    meter_start(&m);
    doer_open(&d, &m, &one);
    assert_int_equal(mysql_query(root, "BEGIN"), 0);
    assert_int_equal(mysql_query(root, "INSERT INTO shop.t VALUES (NULL, 'lost')"), 0);
    assert_done(&d, JOB_READ_ONLY, NO_ARGS);
    assert_true(mysql_query(root, "COMMIT") != 0);
    assert_done(&d, JOB_WRITABLE, NO_ARGS);
    doer_close(&d);
    mysql_close(root);
    server_do(&one, "REVOKE SYSTEM_USER ON *.* FROM agent"); /* holds for new connections */
    doer_open(&d, &m, &one);
    root = server_root(&one);
    assert_false(doer_do(&d, JOB_READ_ONLY, (struct job_args){.limit_ms = 500}));
    assert_non_null(strstr(d.text, "SYSTEM_USER"));
    mysql_close(root);
    assert_done(&d, JOB_WRITABLE, NO_ARGS);
    server_do(&one, "GRANT SYSTEM_USER ON *.* TO agent");
    doer_close(&d);
    meter_stop(&m);
}

static void an_opening_given_up_never_comes_into_force(void **state)
{
    struct meter m;
    struct doer d;

    (void)state;
    meter_start(&m);
    doer_open(&d, &m, &one);
    assert_done(&d, JOB_READ_ONLY, NO_ARGS);
    server_freeze(&one);
    assert_false(doer_do(&d, JOB_WRITABLE, (struct job_args){.limit_ms = 300}));
    assert_int_equal(d.error, DB_TIMEOUT);
    server_thaw(&one);
    loop_for(&m, 300);
    assert_int_equal(server_number(&one, "SELECT @@read_only"), 1);
    assert_done(&d, JOB_WRITABLE, NO_ARGS);
    doer_close(&d);
    meter_stop(&m);
}

static void a_replica_follows_drains_and_takes_over(void **state)
{
    struct meter m;
    struct doer old, new;
    struct job_args wrong = follow(&one);
    char *gtid;

    (void)state;
    meter_start(&m);
    doer_open(&old, &m, &one);
    doer_open(&new, &m, &two);
    wrong.follow.password = "guessed-secret";
    wrong.limit_ms = 2000;
    assert_false(doer_do(&new, JOB_FOLLOW, wrong));
    assert_null(strstr(new.text, "guessed-secret"));
    assert_non_null(strstr(new.text, "denied"));
    assert_done(&new, JOB_FOLLOW, follow(&one));
    assert_true(new.configured &&new.using_gtid &&new.sql_running);
    assert_done(&new, JOB_FOLLOW, follow(&one));

    server_do(&two, "STOP REPLICA SQL_THREAD");
    server_do(&one, "INSERT INTO shop.t VALUES (NULL, 'last')");
    assert_done(&old, JOB_READ_ONLY, (struct job_args){.planned = true});
    gtid = server_sql(&one, "SELECT @@gtid_executed");
    assert_done(&new, JOB_STOP_DRAIN, (struct job_args){.reach = gtid});
    assert_true(new.io == REPL_IO_NO && !new.sql_running);
    assert_int_equal(server_number(&two, "SELECT COUNT(*) FROM shop.t WHERE text='last'"), 1);
    assert_done(&new, JOB_WRITABLE, NO_ARGS);
    server_do(&two, "INSERT INTO shop.t VALUES (NULL, 'first')");
    assert_done(&old, JOB_FOLLOW, follow(&two));
    free(gtid);
    gtid = server_sql(&two, "SELECT @@gtid_executed");
    assert_done(&old, JOB_STOP_DRAIN, (struct job_args){.reach = gtid});
    assert_int_equal(server_number(&one, "SELECT COUNT(*) FROM shop.t WHERE text='first'"), 1);
    assert_done(&old, JOB_STOP_REPLICA, NO_ARGS);
    assert_done(&old, JOB_START_REPLICA, NO_ARGS);
    assert_true(old.configured && old.sql_running);
    free(gtid);
    doer_close(&old);
    doer_close(&new);
    meter_stop(&m);
}

#define HALF_READ                                                                                  \
    "SELECT COUNT(*) FROM performance_schema.replication_applier_status_by_coordinator"            \
    " WHERE processing_transaction <> ''"
#define BIG                                                                                        \
    "INSERT INTO shop.big (text) SELECT REPEAT('x', 1000000) FROM (SELECT 1 UNION SELECT 2 UNION"  \
    " SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6 UNION SELECT 7 UNION SELECT 8) n"

/* Its receiver ends in the middle of a transaction: the applier would wait a minute for the rest.
 */
static void half_a_transaction_does_not_hold_up_the_end(void **state)
{
    unsigned long rows;
    struct meter m;
    struct doer d;
    int tries = 0;

    (void)state;
    meter_start(&m);
    doer_open(&d, &m, &two);
    server_do(&one, "CREATE TABLE shop.big (id INT AUTO_INCREMENT PRIMARY KEY, text LONGTEXT)");
    assert_done(&d, JOB_FOLLOW, follow(&one));
    do { /* asked afterwards only: it may still read the table's making */
        assert_true(tries++ < 50);
        server_do(&two, "START REPLICA IO_THREAD");
        loop_for(&m, 300);
        server_do(&one, BIG);
        server_do(&two, "STOP REPLICA IO_THREAD");
        loop_for(&m, 300);
    } while (server_number(&two, HALF_READ) == 0);
    assert_done(&d, JOB_STOP_DRAIN, NO_ARGS); /* within its ten seconds */
    assert_true(d.io == REPL_IO_NO && !d.sql_running);
    rows = server_number(&one, "SELECT COUNT(*) FROM shop.big");
    assert_int_equal(server_number(&two, "SELECT COUNT(*) FROM shop.big"), rows - 8);
    assert_done(&d, JOB_FOLLOW, follow(&one));
    for (int i = 0; i < 100 && server_number(&two, "SELECT COUNT(*) FROM shop.big") < rows; i++)
        loop_for(&m, 100);
    assert_int_equal(server_number(&two, "SELECT COUNT(*) FROM shop.big"), rows);
    assert_done(&d, JOB_STOP_REPLICA, NO_ARGS);
    doer_close(&d);
    meter_stop(&m);
}

static void prepare(struct server *s, unsigned id)
{
    server_start_mysql(s, id, getenv("HAMM_MYSQL_ROOT"));
    server_do(s, "SET GLOBAL super_read_only=0");
    server_do(s, "CREATE USER agent IDENTIFIED BY 'agent-secret'");
    server_do(s, "GRANT REPLICATION CLIENT, REPLICATION SLAVE, PROCESS, RELOAD ON *.* TO agent");
    server_do(s, "GRANT CONNECTION_ADMIN, SYSTEM_USER, SYSTEM_VARIABLES_ADMIN,"
                 " REPLICATION_SLAVE_ADMIN ON *.* TO agent");
    server_do(s, "GRANT SELECT ON performance_schema.* TO agent");
    server_do(s, "CREATE USER repl IDENTIFIED BY 'repl-secret'");
    server_do(s, "GRANT REPLICATION SLAVE ON *.* TO repl");
    server_do(s, "CREATE DATABASE shop");
    server_do(s, "CREATE USER app IDENTIFIED BY 'app'");
    server_do(s, "GRANT ALL ON shop.* TO app");
    server_do(s, "CREATE TABLE shop.t (id INT AUTO_INCREMENT PRIMARY KEY, text VARCHAR(64))");
    server_do(s, "INSERT INTO shop.t VALUES (1, 'x')");
    server_do(s, "RESET BINARY LOGS AND GTIDS"); /* both begin with the same contents */
}

static int set_up(void **state)
{
    (void)state;
    prepare(&one, 1);
    prepare(&two, 2);
    server_do(&one, "INSERT INTO shop.t VALUES (NULL, 'y')");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    server_stop(&one);
    server_stop(&two);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(observing_tells_what_is),
        cmocka_unit_test(closing_and_opening),
        cmocka_unit_test(roots_connections_are_ended),
        cmocka_unit_test(an_opening_given_up_never_comes_into_force),
        cmocka_unit_test(half_a_transaction_does_not_hold_up_the_end),
        cmocka_unit_test(a_replica_follows_drains_and_takes_over),
    };

    if (geteuid() != 0 || !getenv("HAMM_MYSQL_ROOT")) {
        puts("skipped: needs root and HAMM_MYSQL_ROOT");
        return 0;
    }
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
