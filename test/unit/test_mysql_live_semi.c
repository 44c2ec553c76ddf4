/* SPDX-License-Identifier: GPL-2.0-or-later
 * Against real servers of both flavours, with semi-synchronous replication: what is reported of it,
 * and closing a writer whose commits wait for a replica that is stopped. No client is told that a
 * commit succeeded; the settings are as before. MySQL where HAMM_MYSQL_ROOT says that it is. */
#include "test_mysql_doer.h"

static struct server source, replica;
static bool mysql;

static void both_do(const char *sql)
{
    server_do(&source, sql);
    server_do(&replica, sql);
}

static void prepare(void)
{
    for (int i = 0; i < 2; i++) {
        struct server *s = i ? &replica : &source;

        if (mysql)
            server_start_mysql(s, (unsigned)i + 1, getenv("HAMM_MYSQL_ROOT"));
        else
            server_start(s, (unsigned)i + 1, false);
    }
    both_do("CREATE USER agent IDENTIFIED BY 'agent-secret'");
    both_do("GRANT ALL ON *.* TO agent");
    both_do("CREATE USER repl IDENTIFIED BY 'repl-secret'");
    both_do("GRANT REPLICATION SLAVE ON *.* TO repl");
    both_do("CREATE DATABASE shop");
    both_do("CREATE USER app IDENTIFIED BY 'app'");
    both_do("GRANT ALL ON shop.* TO app");
    both_do("CREATE TABLE shop.t (id INT AUTO_INCREMENT PRIMARY KEY, text VARCHAR(64))");
    both_do(mysql ? "RESET BINARY LOGS AND GTIDS" : "RESET MASTER");
    if (mysql) {
        both_do("INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so'");
        both_do("INSTALL PLUGIN rpl_semi_sync_replica SONAME 'semisync_replica.so'");
        both_do("SET GLOBAL rpl_semi_sync_source_enabled=1");
        both_do("SET GLOBAL rpl_semi_sync_replica_enabled=1");
        both_do("SET GLOBAL rpl_semi_sync_source_timeout=600000");
    } else {
        both_do("SET GLOBAL rpl_semi_sync_master_wait_point='AFTER_SYNC'");
        both_do("SET GLOBAL rpl_semi_sync_master_enabled=1");
        both_do("SET GLOBAL rpl_semi_sync_slave_enabled=1");
        both_do("SET GLOBAL rpl_semi_sync_master_timeout=600000");
    }
}

static unsigned long switched_on(void)
{
    return server_number(&source, mysql ? "SELECT @@global.rpl_semi_sync_source_enabled"
                                        : "SELECT @@global.rpl_semi_sync_master_enabled");
}

static bool replica_acknowledges(struct doer *d)
{
    uint64_t start = uv_hrtime();

    do {
        assert_done(d, JOB_OBSERVE, NO_ARGS);
        loop_for(d->m, 100);
    } while (d->semi_sync.clients == 0 && ms_since(start) < 10000);
    return d->semi_sync.clients == 1;
}

/* Three clients whose commits wait. */
static void commits_wait(struct client *c)
{
    for (int i = 0; i < 3; i++) {
        client_open(&c[i], &source);
        client_start(&c[i], "INSERT INTO t VALUES (NULL, 'unacknowledged')");
    }
}

static void closing_lets_nobody_believe(struct doer *d, bool planned)
{
    struct client c[3];
    uint64_t start;

    server_freeze(&replica);
    commits_wait(c);
    assert_int_equal(server_number(&source, "SELECT COUNT(*) FROM shop.t"), 1);
    start = uv_hrtime();
    if (planned && mysql) { /* it can't be had: as before, and why */
        assert_false(
            doer_do(d, JOB_READ_ONLY, (struct job_args){.planned = true, .limit_ms = 2500}));
        assert_non_null(strstr(d->text, "semi-sync"));
        assert_int_equal(server_number(&source, "SELECT @@read_only"), 0);
        assert_int_equal(server_number(&source, "SELECT COUNT(*) FROM shop.t"), 1);
    } else {
        assert_done(d, JOB_READ_ONLY, (struct job_args){.planned = planned});
        assert_true(d->read_only);
        print_message("%s: closed after %u ms\n", mysql ? "MySQL" : "MariaDB", ms_since(start));
        assert_true(ms_since(start) < (planned ? 3000 : 1000));
    }
    server_thaw(&replica);
    for (int i = 0; i < 3; i++) {
        assert_true(client_end(&c[i]) != 0); /* none got an OK */
        client_close(&c[i]);
    }
    assert_int_equal(switched_on(), 1);
    assert_done(d, JOB_WRITABLE, NO_ARGS);
    loop_for(d->m, 1000);
    server_do(&source, "DELETE FROM shop.t WHERE text='unacknowledged'");
}

/* MySQL looks once a second whether it may stop reading acknowledgements. */
static void closing_does_not_wait_for_that(struct doer *d)
{
    for (int wait_ms = 0; wait_ms < 1000; wait_ms += 250) {
        struct client c[3];

        server_do(&source, "INSERT INTO shop.t VALUES (NULL, 'acknowledged')");
        server_freeze(&replica);
        commits_wait(c);
        loop_for(d->m, wait_ms);
        assert_done(d, JOB_READ_ONLY, (struct job_args){.limit_ms = 500});
        server_thaw(&replica);
        for (int i = 0; i < 3; i++) {
            assert_true(client_end(&c[i]) != 0);
            client_close(&c[i]);
        }
        assert_int_equal(switched_on(), 1);
        assert_done(d, JOB_WRITABLE, NO_ARGS);
        assert_true(replica_acknowledges(d));
    }
}

static void everything(void)
{
    struct meter m;
    struct doer d, r;

    prepare();
    meter_start(&m);
    doer_open(&d, &m, &source);
    doer_open(&r, &m, &replica);
    assert_done(&d, JOB_OBSERVE, NO_ARGS);
    assert_true(d.semi_sync.source && d.semi_sync.after_sync && d.semi_sync.clients == 0);
    assert_int_equal(d.semi_sync.timeout_ms, 600000);
    assert_done(&r, JOB_FOLLOW, follow(&source));
    assert_true(replica_acknowledges(&d));
    assert_true(d.semi_sync.active && d.semi_sync.wait_for == 1 && !d.semi_sync.no_replica_no_wait);
    server_do(&source, "INSERT INTO shop.t VALUES (NULL, 'acknowledged')");
    loop_for(&m, 1100); /* asked anew once a second */
    assert_done(&r, JOB_OBSERVE, NO_ARGS);
    assert_true(r.semi_sync.replica && r.semi_sync.replica_active);
    closing_lets_nobody_believe(&d, false);
    assert_true(replica_acknowledges(&d));
    closing_lets_nobody_believe(&d, true);
    if (mysql) {
        assert_true(replica_acknowledges(&d));
        closing_does_not_wait_for_that(&d);
    }
    doer_close(&d);
    doer_close(&r);
    meter_stop(&m);
    server_stop(&source);
    server_stop(&replica);
}

static void mariadb_lets_nobody_believe(void **state)
{
    (void)state;
    mysql = false;
    everything();
}

static void mysql_lets_nobody_believe(void **state)
{
    (void)state;
    if (!getenv("HAMM_MYSQL_ROOT"))
        skip();
    mysql = true;
    everything();
}

static int tear_down(void **state)
{
    (void)state;
    if (replica.pid)
        server_thaw(&replica);
    server_stop(&source);
    server_stop(&replica);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(mariadb_lets_nobody_believe, tear_down),
        cmocka_unit_test_teardown(mysql_lets_nobody_believe, tear_down),
    };

    if (!server_available())
        return 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
