/* SPDX-License-Identifier: GPL-2.0-or-later
 * The jobs against real MySQL servers without GTID: file and position. Runs only where
 * HAMM_MYSQL_ROOT names a directory with MySQL's packages. */
#include "test_mysql_doer.h"

static struct server one, two;

static struct job_args follow_at(const struct server *s, const char *at, const char *from)
{
    struct job_args a = follow(s);

    a.follow.at = at;
    a.follow.from = from;
    return a;
}

/* Where it stands now. */
static void note(struct doer *d, char own[PLACE_TEXT_MAX])
{
    assert_done(d, JOB_OBSERVE, NO_ARGS);
    memcpy(own, d->own, PLACE_TEXT_MAX);
    assert_true(own[0]);
}

static void wait_rows(const struct server *s, unsigned long n)
{
    for (int i = 0; i < 500; i++) {
        if (server_number(s, "SELECT COUNT(*) FROM shop.t") == n)
            return;
        usleep(20 * 1000);
    }
    fail_msg("%lu rows never came", n);
}

static void a_circle_changes_its_writer(void **state)
{
    struct meter m;
    struct doer a, b;
    char start_a[PLACE_TEXT_MAX], start_b[PLACE_TEXT_MAX], end[PLACE_TEXT_MAX];

    (void)state;
    meter_start(&m);
    doer_open(&a, &m, &one);
    doer_open(&b, &m, &two);
    note(&a, start_a);
    note(&b, start_b);
    assert_false(doer_do(&b, JOB_FOLLOW, follow(&one)));
    assert_non_null(strstr(b.text, "not known from which place"));
    assert_done(&b, JOB_FOLLOW, follow_at(&one, start_a, NULL));
    assert_done(&a, JOB_FOLLOW, follow_at(&two, start_b, NULL));
    assert_done(&b, JOB_FOLLOW, follow_at(&one, start_a, NULL)); /* follows already */
    server_do(&one, "INSERT INTO shop.t VALUES (NULL, 'of one')");
    wait_rows(&two, 2);

    /* two takes over exactly at the end of one; what one applied of two's log is its own */
    server_do(&two, "STOP REPLICA SQL_THREAD");
    server_do(&one, "INSERT INTO shop.t VALUES (NULL, 'last')");
    assert_done(&a, JOB_READ_ONLY, (struct job_args){.planned = true});
    note(&a, end);
    assert_done(&b, JOB_STOP_DRAIN, (struct job_args){.reach = end});
    assert_string_equal(b.applied, end);
    assert_done(&a, JOB_STOP_DRAIN, (struct job_args){.look = end});
    assert_string_equal(a.own_more, "");
    assert_int_equal(server_number(&two, "SELECT COUNT(*) FROM shop.t WHERE text='last'"), 1);
    note(&b, start_b);
    assert_done(&b, JOB_WRITABLE, NO_ARGS);
    server_do(&two, "INSERT INTO shop.t VALUES (NULL, 'of two')");
    assert_done(&a, JOB_FOLLOW, follow_at(&two, start_b, end));
    wait_rows(&one, 4);
    /* what it applied is not of its own */
    assert_done(&a, JOB_STOP_DRAIN, (struct job_args){.look = end});
    assert_string_equal(a.own_more, "");
    /* told again, it goes on where it stands instead of applying all once more */
    server_do(&two, "INSERT INTO shop.t VALUES (NULL, 'more of two')");
    assert_done(&a, JOB_FOLLOW, follow_at(&two, start_b, end));
    wait_rows(&one, 5);
    doer_close(&a);
    doer_close(&b);
    meter_stop(&m);
}

/* one follows two. */
static void it_stops_exactly_where_it_was_told(void **state)
{
    struct meter m;
    struct doer a, b;
    char middle[PLACE_TEXT_MAX], wrong[PLACE_TEXT_MAX];

    (void)state;
    meter_start(&m);
    doer_open(&a, &m, &one);
    doer_open(&b, &m, &two);
    server_do(&one, "STOP REPLICA SQL_THREAD");
    server_do(&two, "INSERT INTO shop.t VALUES (NULL, 'up to here')");
    server_do(&two, "FLUSH BINARY LOGS");
    note(&b, middle);
    server_do(&two, "INSERT INTO shop.t VALUES (NULL, 'and not this')");
    assert_done(&a, JOB_STOP_DRAIN, (struct job_args){.reach = middle});
    assert_string_equal(a.applied, middle);
    assert_int_equal(server_number(&one, "SELECT COUNT(*) FROM shop.t"), 6);
    assert_done(&a, JOB_STOP_DRAIN, (struct job_args){.reach = middle});
    note(&b, wrong);
    assert_false(doer_do(
        &a, JOB_FOLLOW, follow_at(&one, "3e11fa47-71ca-11e1-9e33-c80aa9429562/b.000001:4", wrong)));
    assert_non_null(strstr(a.text, "has to stand at"));
    assert_done(&a, JOB_FOLLOW, follow(&two));
    wait_rows(&one, 7);
    doer_close(&a);
    doer_close(&b);
    meter_stop(&m);
}

/* two is the writer, one follows it; two dies and returns. */
static void the_log_of_one_that_died_is_looked_at(void **state)
{
    struct meter m;
    struct doer b;
    char end[PLACE_TEXT_MAX], now[PLACE_TEXT_MAX], expected[512];

    (void)state;
    meter_start(&m);
    doer_open(&b, &m, &two);
    note(&b, end);
    doer_close(&b);
    server_kill(&two);
    server_run_mysql_as(&two, getenv("HAMM_MYSQL_ROOT"), false);
    doer_open(&b, &m, &two);
    note(&b, now);
    assert_true(place_before(end, now));
    assert_done(&b, JOB_STOP_DRAIN, (struct job_args){.look = end});
    assert_string_equal(b.own_more, "");
    assert_done(&b, JOB_STOP_DRAIN, (struct job_args){.look = now});
    assert_string_equal(b.own_more, "");
    server_do(&two, "INSERT INTO shop.t VALUES (NULL, 'alone')");
    note(&b, now);
    server_do(&two, "FLUSH BINARY LOGS");
    assert_done(&b, JOB_STOP_DRAIN, (struct job_args){.look = end});
    snprintf(expected, sizeof expected, "%s..%s", end, strchr(now, '/') + 1);
    assert_string_equal(b.own_more, expected);
    now[strlen(now) - 1] ^= 1; /* no event begins there */
    assert_done(&b, JOB_STOP_DRAIN, (struct job_args){.look = now});
    assert_non_null(strstr(b.own_more, "unknown"));
    server_do(&two, "RESET BINARY LOGS AND GTIDS");
    assert_done(&b, JOB_STOP_DRAIN, (struct job_args){.look = end});
    assert_non_null(strstr(b.own_more, "ends before that"));
    doer_close(&b);
    meter_stop(&m);
}

/* A source that dies while it sends a transaction leaves a part of it behind. */
static void part_of_a_transaction_holds_nobody_up(void **state)
{
    struct meter m;
    struct doer a, b;
    char at[PLACE_TEXT_MAX];

    (void)state;
    meter_start(&m);
    doer_open(&a, &m, &one);
    doer_open(&b, &m, &two);
    server_do(&two, "CREATE TABLE shop.big (id INT AUTO_INCREMENT PRIMARY KEY, text LONGTEXT)");
    note(&b, at);
    server_do(&one, "STOP REPLICA");
    assert_done(&a, JOB_WRITABLE, NO_ARGS);
    server_do(
        &one,
        "CREATE TABLE IF NOT EXISTS shop.big (id INT AUTO_INCREMENT PRIMARY KEY, text LONGTEXT)");
    assert_false(doer_do(&a, JOB_FOLLOW, follow(&one)));
    server_do(&one, "RESET REPLICA ALL");
    assert_done(&a, JOB_FOLLOW, follow_at(&two, at, NULL));
    source_dies_halfway(&two, &a);
    memcpy(at, a.applied, sizeof at);
    assert_drains_at_once(&a);
    assert_string_equal(a.applied, at);
    assert_int_equal(server_number(&one, "SELECT COUNT(*) FROM shop.big"), 0);
    doer_close(&a);
    doer_close(&b);
    meter_stop(&m);
}

static void prepare(struct server *s, unsigned id)
{
    server_start_mysql_as(s, id, getenv("HAMM_MYSQL_ROOT"), false);
    server_do(s, "SET GLOBAL super_read_only=0");
    server_do(s, "CREATE USER agent IDENTIFIED BY 'agent-secret'");
    server_do(s, "GRANT REPLICATION CLIENT, REPLICATION SLAVE, PROCESS, RELOAD ON *.* TO agent");
    server_do(s, "GRANT CONNECTION_ADMIN, SYSTEM_USER, SYSTEM_VARIABLES_ADMIN,"
                 " REPLICATION_SLAVE_ADMIN ON *.*"
                 " TO agent");
    server_do(s, "GRANT SELECT ON performance_schema.* TO agent");
    server_do(s, "CREATE USER repl IDENTIFIED BY 'repl-secret'");
    server_do(s, "GRANT REPLICATION SLAVE ON *.* TO repl");
    server_do(s, "CREATE DATABASE shop");
    server_do(s, "CREATE TABLE shop.t (id INT AUTO_INCREMENT PRIMARY KEY, text VARCHAR(64))");
    server_do(s, "INSERT INTO shop.t VALUES (1, 'x')");
}

static int set_up(void **state)
{
    (void)state;
    prepare(&one, 1);
    prepare(&two, 2);
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
        cmocka_unit_test(a_circle_changes_its_writer),
        cmocka_unit_test(it_stops_exactly_where_it_was_told),
        cmocka_unit_test(the_log_of_one_that_died_is_looked_at),
        cmocka_unit_test(part_of_a_transaction_holds_nobody_up),
    };

    if (geteuid() != 0 || !getenv("HAMM_MYSQL_ROOT")) {
        puts("skipped: needs root and HAMM_MYSQL_ROOT");
        return 0;
    }
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
