/* SPDX-License-Identifier: GPL-2.0-or-later
 * The jobs against two real mariadbds: observe, close with writers at work, open, an opening that
 * comes too late, drain and follow with an old master that never was a replica. */
#include "test_mysql_doer.h"

static struct server one, two;

/* ---- tests ---- */

static void observing_tells_what_is(void **state)
{
    struct meter m;
    struct doer d;

    (void)state;
    meter_start(&m);
    doer_open(&d, &m, &one);
    assert_done(&d, JOB_OBSERVE, NO_ARGS);
    assert_true(d.facts && !d.read_only && !d.configured && d.logs && !d.filters);
    assert_int_equal(d.pid, one.pid);
    assert_int_equal(strncmp(d.gtid, "0-1-", 4), 0);
    doer_close(&d);
    meter_stop(&m);
}

static void closing_ends_writers_and_their_commit_fails(void **state)
{
    struct meter m;
    struct doer d;
    char *gtid;

    (void)state;
    meter_start(&m);
    doer_open(&d, &m, &one);
    for (int planned = 0; planned < 2; planned++) {
        struct client update, open, reader;
        uint64_t start = uv_hrtime();

        client_open(&update, &one);
        client_open(&open, &one);
        client_open(&reader, &one);
        assert_int_equal(client_do(&open, "BEGIN"), 0);
        assert_int_equal(client_do(&open, "INSERT INTO t VALUES (NULL, 'lost')"), 0);
        client_start(&update, "UPDATE t SET text=SLEEP(8) WHERE id=1");
        meter_reset(&m);
        assert_done(&d, JOB_READ_ONLY, (struct job_args){.planned = planned});
        assert_true(d.facts && d.read_only);
        assert_true(d.killed >= 3);
        assert_true(ms_since(start) < 4000);
        assert_true(meter_gap_ms(&m) < GAP_MAX_MS);
        assert_true(client_end(&update) != 0);
        assert_true(client_do(&open, "COMMIT") != 0);
        gtid = server_sql(&one, "SELECT @@gtid_binlog_state");
        assert_string_equal(d.gtid, gtid);
        free(gtid);
        assert_int_equal(server_number(&one, "SELECT COUNT(*) FROM shop.t WHERE text='lost'"), 0);
        client_close(&update);
        client_close(&open);
        client_close(&reader);

        client_open(&open, &one);
        assert_int_equal(client_do(&open, "INSERT INTO t VALUES (NULL, 'x')"), 1290);
        client_close(&open);
        assert_done(&d, JOB_WRITABLE, NO_ARGS);
        assert_true(d.facts && !d.read_only);
        client_open(&open, &one);
        assert_int_equal(client_do(&open, "INSERT INTO t VALUES (NULL, 'x')"), 0);
        client_close(&open);
    }
    doer_close(&d);
    meter_stop(&m);
}

static void a_planned_closing_lets_a_short_write_end(void **state)
{
    struct meter m;
    struct doer d;
    struct client c;

    (void)state;
    meter_start(&m);
    doer_open(&d, &m, &one);
    client_open(&c, &one);
    client_start(&c, "INSERT INTO t SELECT NULL, CONCAT('slow', SLEEP(0.5))");
    assert_done(&d, JOB_READ_ONLY, (struct job_args){.planned = true});
    (void)client_end(&c); /* on a busy machine it may be killed before it gets the answer */
    client_close(&c);
    assert_int_equal(server_number(&one, "SELECT COUNT(*) FROM shop.t WHERE text='slow0'"), 1);
    assert_done(&d, JOB_WRITABLE, NO_ARGS);
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
    meter_reset(&m);
    assert_false(doer_do(&d, JOB_WRITABLE, (struct job_args){.limit_ms = 300}));
    assert_int_equal(d.error, DB_TIMEOUT);
    assert_false(doer_do(&d, JOB_OBSERVE, (struct job_args){.limit_ms = 300}));
    assert_int_equal(d.error, DB_TIMEOUT);
    assert_true(meter_gap_ms(&m) < GAP_MAX_MS);
    server_thaw(&one);
    loop_for(&m, 300);
    assert_done(&d, JOB_OBSERVE, NO_ARGS);
    assert_true(d.read_only);
    assert_int_equal(server_number(&one, "SELECT @@read_only"), 1);
    assert_done(&d, JOB_WRITABLE, NO_ARGS);
    doer_close(&d);
    meter_stop(&m);
}

static void cancelling_and_losing_the_server(void **state)
{
    struct meter m;
    struct doer d;
    struct job_args args = {.limit_ms = 20000};
    uint64_t start;

    (void)state;
    meter_start(&m);
    doer_open(&d, &m, &one);
    assert_done(&d, JOB_OBSERVE, NO_ARGS);
    server_freeze(&one);
    start = uv_hrtime();
    job_start(d.job, JOB_OBSERVE, &args, doer_on_done);
    loop_for(&m, 20);
    job_cancel(d.job);
    doer_wait(&d);
    assert_int_equal(d.error, DB_CANCELLED);
    job_start(d.job, JOB_READ_ONLY, &args, doer_on_done);
    job_cancel(d.job);
    doer_wait(&d);
    assert_int_equal(d.error, DB_CANCELLED);
    assert_true(ms_since(start) < 500);
    job_start(d.job, JOB_OBSERVE, &args, doer_on_done); /* closed while it runs */
    loop_for(&m, 20);
    doer_close(&d);
    server_thaw(&one);
    meter_stop(&m);
}

/* Both write ahead: `two` replicates from `one` by GTID from here on. */
static void a_new_replica_follows(void **state)
{
    struct meter m;
    struct doer d;
    struct job_args wrong = follow(&one);

    (void)state;
    meter_start(&m);
    doer_open(&d, &m, &two);
    wrong.follow.password = "guessed-secret";
    wrong.limit_ms = 1500;
    assert_false(doer_do(&d, JOB_FOLLOW, wrong));
    assert_null(strstr(d.text, "guessed-secret"));
    assert_non_null(strstr(d.text, "Access denied"));
    assert_done(&d, JOB_FOLLOW, follow(&one));
    assert_true(d.configured && d.using_gtid && d.io == REPL_IO_YES && d.sql_running);
    assert_int_equal(d.source_port, one.port);
    assert_done(&d, JOB_FOLLOW, follow(&one));
    assert_non_null(strstr(d.text, "already"));
    assert_done(&d, JOB_STOP_REPLICA, NO_ARGS);
    assert_true(d.io == REPL_IO_NO && !d.sql_running);
    assert_done(&d, JOB_STOP_REPLICA, NO_ARGS);
    assert_done(&d, JOB_START_REPLICA, NO_ARGS);
    doer_close(&d);
    meter_stop(&m);
}

static unsigned long rows_of_two(void)
{
    return server_number(&two, "SELECT COUNT(*) FROM shop.t");
}

static void wait_received(struct doer *d, const char *gtid)
{
    uint64_t start = uv_hrtime();

    do {
        assert_done(d, JOB_OBSERVE, NO_ARGS);
        assert_true(ms_since(start) < 10000);
    } while (strcmp(d->received, gtid) != 0);
}

/* applier: both threads or only the applier stopped before, with transactions received */
static void drain_with_stopped_applier(const char *stop)
{
    struct meter m;
    struct doer d;
    unsigned long rows;
    char *gtid;

    meter_start(&m);
    doer_open(&d, &m, &two);
    assert_done(&d, JOB_START_REPLICA, NO_ARGS);
    server_do(&two, "STOP SLAVE SQL_THREAD");
    server_do(&one, "INSERT INTO shop.t VALUES (NULL, 'a')");
    server_do(&one, "INSERT INTO shop.t VALUES (NULL, 'b')");
    rows = server_number(&one, "SELECT COUNT(*) FROM shop.t");
    gtid = server_sql(&one, "SELECT @@gtid_binlog_pos");
    wait_received(&d, gtid);
    server_do(&two, stop);
    assert_true(rows_of_two() < rows);
    assert_done(&d, JOB_STOP_DRAIN, (struct job_args){.reach = gtid});
    assert_int_equal(rows_of_two(), rows);
    assert_string_equal(d.slave_pos, gtid);
    assert_true(d.io == REPL_IO_NO && !d.sql_running && d.using_gtid);
    free(gtid);
    doer_close(&d);
    meter_stop(&m);
}

static void draining_applies_what_was_received(void **state)
{
    (void)state;
    drain_with_stopped_applier("DO 1");
}

static void draining_saves_the_relay_log_when_both_threads_are_stopped(void **state)
{
    (void)state;
    drain_with_stopped_applier("STOP SLAVE");
}

static void draining_waits_for_a_slow_applier(void **state)
{
    struct meter m;
    struct doer d;
    char *gtid;

    (void)state;
    meter_start(&m);
    doer_open(&d, &m, &two);
    assert_done(&d, JOB_START_REPLICA, NO_ARGS);
    server_do(&two, "SET GLOBAL binlog_commit_wait_count=0");
    server_do(&two, "STOP SLAVE SQL_THREAD");
    server_do(&two, "SET GLOBAL slave_net_timeout=60");
    server_do(&one, "CREATE OR REPLACE TABLE shop.slow(i INT)");
    server_do(&one, "INSERT INTO shop.slow SELECT seq FROM mysql.seq_1_to_200000");
    gtid = server_sql(&one, "SELECT @@gtid_binlog_pos");
    wait_received(&d, gtid);
    assert_done(&d, JOB_STOP_DRAIN, NO_ARGS);
    assert_string_equal(d.slave_pos, gtid);
    free(gtid);
    doer_close(&d);
    meter_stop(&m);
}

static void draining_ends_with_the_appliers_error(void **state)
{
    struct meter m;
    struct doer d;

    (void)state;
    meter_start(&m);
    doer_open(&d, &m, &two);
    assert_done(&d, JOB_START_REPLICA, NO_ARGS);
    server_do(&one, "INSERT INTO shop.t VALUES (NULL, 'c')");
    assert_done(&d, JOB_STOP_DRAIN, NO_ARGS);
    server_do(&two, "SET SESSION sql_log_bin=0"); /* of no effect on others */
    server_do(&two, "SET STATEMENT sql_log_bin=0 FOR RENAME TABLE shop.t TO shop.hidden");
    assert_done(&d, JOB_START_REPLICA, NO_ARGS);
    server_do(&one, "INSERT INTO shop.t VALUES (NULL, 'd')");
    loop_for(&m, 300);
    assert_false(doer_do(&d, JOB_STOP_DRAIN, NO_ARGS));
    assert_int_equal(d.number, 1146);
    assert_false(doer_do(&d, JOB_FOLLOW, follow(&one)));
    assert_done(&d, JOB_STOP_DRAIN, (struct job_args){.as_is = true}); /* the operator's force */
    server_do(&two, "SET STATEMENT sql_log_bin=0 FOR RENAME TABLE shop.hidden TO shop.t");
    assert_done(&d, JOB_START_REPLICA, NO_ARGS);
    doer_close(&d);
    meter_stop(&m);
}

static void what_cannot_be_reached_is_said(void **state)
{
    struct meter m;
    struct doer d;

    (void)state;
    meter_start(&m);
    doer_open(&d, &m, &two);
    assert_done(&d, JOB_START_REPLICA, NO_ARGS);
    assert_false(
        doer_do(&d, JOB_STOP_DRAIN, (struct job_args){.reach = "0-1-99999", .limit_ms = 400}));
    assert_int_equal(d.error, DB_TIMEOUT);
    assert_non_null(strstr(d.text, "0-1-99999 has not been received"));
    assert_done(&d, JOB_STOP_REPLICA, NO_ARGS);
    assert_false(doer_do(&d, JOB_STOP_DRAIN, (struct job_args){.reach = "0-1-99999"}));
    assert_false(doer_do(&d, JOB_STOP_DRAIN, (struct job_args){.reach = "nonsense"}));
    assert_done(&d, JOB_START_REPLICA, NO_ARGS);
    doer_close(&d);
    meter_stop(&m);
}

/* A receiver that is killed while it sets up its connection stops for good. */
static void closing_leaves_a_connecting_replica_alone(void **state)
{
    struct meter m;
    struct doer master, replica;
    uint64_t start;

    (void)state;
    meter_start(&m);
    doer_open(&master, &m, &one);
    doer_open(&replica, &m, &two);
    for (int i = 0; i < 30; i++) {
        assert_done(&replica, JOB_STOP_REPLICA, NO_ARGS);
        assert_done(&replica, JOB_START_REPLICA, NO_ARGS);
        loop_for(&m, (unsigned)i % 3);
        assert_done(&master, JOB_READ_ONLY, (struct job_args){.planned = i % 2});
        start = uv_hrtime();
        do {
            assert_done(&replica, JOB_OBSERVE, NO_ARGS);
        } while (replica.io == REPL_IO_CONNECTING && ms_since(start) < 800);
        assert_int_equal(replica.io, REPL_IO_YES); /* not even a retry, which takes a second */
        assert_done(&master, JOB_WRITABLE, NO_ARGS);
    }
    doer_close(&master);
    doer_close(&replica);
    meter_stop(&m);
}

/* The whole swap: `one` closes, `two` drains and opens, and `one`, which has never been a replica
 * and whose gtid_slave_pos is empty, follows it. */
static void an_old_master_follows_the_new_one(void **state)
{
    struct meter m;
    struct doer old, new;
    char *empty = server_sql(&one, "SELECT @@gtid_slave_pos"), *gtid;

    (void)state;
    assert_string_equal(empty, "");
    free(empty);
    meter_start(&m);
    doer_open(&old, &m, &one);
    doer_open(&new, &m, &two);
    server_do(&one, "INSERT INTO shop.t VALUES (NULL, 'last')");
    assert_done(&old, JOB_READ_ONLY, (struct job_args){.planned = true});
    gtid = server_sql(&one, "SELECT @@gtid_binlog_pos");
    assert_done(&new, JOB_STOP_DRAIN, (struct job_args){.reach = gtid});
    assert_done(&new, JOB_WRITABLE, NO_ARGS);
    server_do(&two, "INSERT INTO shop.t VALUES (NULL, 'first')");
    assert_done(&old, JOB_FOLLOW, follow(&two));
    assert_true(old.read_only && old.using_gtid && old.io == REPL_IO_YES);
    free(gtid);
    gtid = server_sql(&two, "SELECT @@gtid_binlog_pos");
    wait_received(&old, gtid);
    assert_done(&old, JOB_STOP_DRAIN, (struct job_args){.reach = gtid});
    assert_int_equal(server_number(&one, "SELECT COUNT(*) FROM shop.t WHERE text='first'"), 1);
    free(gtid);
    doer_close(&old);
    doer_close(&new);
    meter_stop(&m);
}

static void a_replica_that_stands_on_file_and_position(void **state)
{
    struct meter m;
    struct doer d;
    struct job_args by_file = follow(&two);
    char *file;
    unsigned long rows;

    (void)state;
    meter_start(&m);
    doer_open(&d, &m, &one);
    server_do(&two, "FLUSH BINARY LOGS");
    file = server_sql(&two, "SHOW MASTER STATUS");
    by_file.follow.log_file = file;
    by_file.follow.log_pos = 4;
    assert_done(&d, JOB_FOLLOW, by_file);
    assert_true(d.configured && !d.using_gtid);
    server_do(&two, "INSERT INTO shop.t VALUES (NULL, 'by file')");
    rows = rows_of_two();
    loop_for(&m, 300);
    assert_done(&d, JOB_STOP_DRAIN, NO_ARGS);
    assert_int_equal(server_number(&one, "SELECT COUNT(*) FROM shop.t"), rows);
    assert_done(&d, JOB_FOLLOW, follow(&two));
    assert_true(d.using_gtid);
    assert_done(&d, JOB_STOP_REPLICA, NO_ARGS);
    free(file);
    doer_close(&d);
    meter_stop(&m);
}

static void a_server_that_dies_is_evidence(void **state)
{
    struct meter m;
    struct doer d;
    uint64_t start;

    (void)state;
    meter_start(&m);
    doer_open(&d, &m, &two);
    assert_done(&d, JOB_OBSERVE, NO_ARGS);
    start = uv_hrtime();
    server_kill(&two);
    while (!d.lost && ms_since(start) < 2000)
        uv_run(&m.loop, UV_RUN_ONCE);
    assert_true(d.lost && ms_since(start) < 1000);
    assert_false(doer_do(&d, JOB_OBSERVE, NO_ARGS));
    assert_int_equal(d.error, DB_REFUSED);
    doer_close(&d);
    meter_stop(&m);
}

static void prepare(struct server *s, unsigned id)
{
    server_start(s, id, false);
    server_do(s, "SET GLOBAL gtid_slave_pos=''");
    server_do(s, "CREATE USER agent IDENTIFIED BY 'agent-secret'");
    server_do(
        s, "GRANT SLAVE MONITOR, BINLOG MONITOR, BINLOG ADMIN, READ_ONLY ADMIN, CONNECTION ADMIN,"
           " REPLICATION SLAVE ADMIN, REPLICATION MASTER ADMIN, PROCESS, RELOAD ON *.* TO agent");
    server_do(s, "CREATE USER repl IDENTIFIED BY 'repl-secret'");
    server_do(s, "GRANT REPLICATION SLAVE ON *.* TO repl");
    server_do(s, "CREATE DATABASE shop");
    server_do(s, "CREATE USER app IDENTIFIED BY 'app'");
    server_do(s, "GRANT ALL ON shop.* TO app");
    server_do(s, "CREATE TABLE shop.t (id INT AUTO_INCREMENT PRIMARY KEY, text VARCHAR(64))"
                 " ENGINE=InnoDB");
    server_do(s, "INSERT INTO shop.t VALUES (1, 'x')");
}

static int set_up(void **state)
{
    (void)state;
    prepare(&one, 1);
    prepare(&two, 2);
    /* the same beginning in both: one's history starts where two's does */
    server_do(&one, "RESET MASTER");
    server_do(&two, "RESET MASTER");
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
        cmocka_unit_test(closing_ends_writers_and_their_commit_fails),
        cmocka_unit_test(a_planned_closing_lets_a_short_write_end),
        cmocka_unit_test(an_opening_given_up_never_comes_into_force),
        cmocka_unit_test(cancelling_and_losing_the_server),
        cmocka_unit_test(a_new_replica_follows),
        cmocka_unit_test(draining_applies_what_was_received),
        cmocka_unit_test(draining_saves_the_relay_log_when_both_threads_are_stopped),
        cmocka_unit_test(draining_waits_for_a_slow_applier),
        cmocka_unit_test(draining_ends_with_the_appliers_error),
        cmocka_unit_test(what_cannot_be_reached_is_said),
        cmocka_unit_test(closing_leaves_a_connecting_replica_alone),
        cmocka_unit_test(an_old_master_follows_the_new_one),
        cmocka_unit_test(a_replica_that_stands_on_file_and_position),
        cmocka_unit_test(a_server_that_dies_is_evidence),
    };

    if (!server_available())
        return 0;
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
