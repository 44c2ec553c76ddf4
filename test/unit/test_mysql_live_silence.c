/* SPDX-License-Identifier: GPL-2.0-or-later
 * A server that falls silent after each number of bytes: before and in its greeting, in the TLS
 * handshake, in authentication, in an answer, in the middle of a row. Whatever it is, the call ends
 * by our own deadline and the loop is never held up. Real MariaDB, and real MySQL where
 * HAMM_MYSQL_ROOT names its unpacked packages; a proxy makes the silence. */
#include "test_mysql_proxy.h"
#include "test_mysql_seen.h"

enum { HELD_UP_MAX_MS = 20, DEADLINE_MS = 60, STEPS = 40, ROUNDS_MAX = 5, SOON_MS = 20000 };

static struct server server;
static struct proxy proxy;

/* Answers several packets, the second row longer than one of the socket's reads. */
#define LONG_ANSWER "SELECT 'row' AS a, 1 AS b UNION ALL SELECT REPEAT('x', 6000), 2"

/* With tls the server's own certificate is the authority: libmariadb then need not read the
 * system's file of them at each connect, which takes it long. */
static struct db_params through_proxy(enum db_tls tls, const char *user)
{
    static char ca[128];

    snprintf(ca, sizeof ca, "%s/cert.pem", server.dir);
    return (struct db_params){.host = "127.0.0.1",
                              .port = proxy.port,
                              .user = user,
                              .password = "secret",
                              .tls = tls,
                              .tls_ca = tls ? ca : NULL};
}

/* The i-th of the places where it stops: each of the first bytes, then evenly. */
static int64_t place(unsigned i, int64_t total)
{
    return i < 6 ? i : (int64_t)(i - 5) * total / (STEPS - 4);
}

/* A call that blocks does so each time; a hypervisor that takes the processor away, which no
 * schedstat tells, does not: what counts is the best of some rounds, all but always the first. */
struct round {
    struct meter *m;
    struct seen *s;
    int64_t bytes; /* after which it is silent */
    unsigned gap_ms;
};

static void round_ended(struct round *r)
{
    if (r->s->error != DB_TIMEOUT || !strstr(r->s->text, "no answer within 60 ms"))
        fail_msg("silent after %lld bytes: '%s'", (long long)r->bytes, r->s->text);
    assert_true(db_is_closed(r->s->db));
    if (meter_gap_ms(r->m) < r->gap_ms)
        r->gap_ms = meter_gap_ms(r->m);
}

static void round_connect(struct round *r)
{
    proxy.allow = r->bytes;
    meter_reset(r->m);
    seen_connect(r->s, DEADLINE_MS);
    round_ended(r);
}

static void round_connect_cold(struct round *r)
{
    server_do(&server, "FLUSH PRIVILEGES"); /* empties the cache of passwords */
    round_connect(r);
}

static void round_query(struct round *r)
{
    proxy.allow = PROXY_ALL;
    if (seen_connect(r->s, SOON_MS) != DB_OK)
        fail_msg("%s", r->s->text);
    loop_for(r->m, 10); /* TLS tickets come after the handshake */
    proxy.allow = proxy.said + r->bytes;
    meter_reset(r->m);
    seen_query(r->s, LONG_ANSWER, DEADLINE_MS);
    round_ended(r);
}

static void silent_at_each_place(struct meter *m, struct seen *s, int64_t total, const char *what,
                                 void (*once)(struct round *r))
{
    unsigned worst_ms = 0, more = 0;

    for (unsigned i = 0; i < STEPS; i++) {
        struct round r = {m, s, place(i, total), UINT_MAX};

        once(&r);
        for (unsigned k = 1; k < ROUNDS_MAX && r.gap_ms >= HELD_UP_MAX_MS; k++, more++)
            once(&r);
        if (r.gap_ms >= HELD_UP_MAX_MS)
            fail_msg("%s, silent after %lld bytes: the loop is held up for %u ms each time", what,
                     (long long)r.bytes, r.gap_ms);
        worst_ms = r.gap_ms > worst_ms ? r.gap_ms : worst_ms;
    }
    printf("%s: silent at %d places in %lld bytes, the loop's largest gap was %u ms (%u rounds "
           "more)\n",
           what, STEPS, (long long)total, worst_ms, more);
    proxy.allow = PROXY_ALL;
}

static void silent_in_connect(enum db_tls tls, const char *what)
{
    struct db_params p = through_proxy(tls, "plain");
    struct meter m;
    struct seen s;

    meter_start(&m);
    proxy.allow = PROXY_ALL;
    seen_open(&s, &m, &p);
    for (int i = 0; i < 2; i++) { /* the first may be longer: the password is not cached yet */
        assert_int_equal(seen_connect(&s, SOON_MS), DB_OK);
        assert_int_equal(db_uses_tls(s.db), tls != DB_TLS_DISABLED);
        db_disconnect(s.db);
    }
    silent_at_each_place(&m, &s, proxy.said, what, round_connect);
    seen_close(&s);
    meter_stop(&m);
}

static void silent_in_query(enum db_tls tls, const char *what)
{
    struct db_params p = through_proxy(tls, "plain");
    int64_t before, total;
    struct meter m;
    struct seen s;

    meter_start(&m);
    proxy.allow = PROXY_ALL;
    seen_open(&s, &m, &p);
    if (seen_connect(&s, SOON_MS) != DB_OK)
        fail_msg("%s", s.text);
    loop_for(&m, 10);
    before = proxy.said;
    assert_int_equal(seen_query(&s, LONG_ANSWER, SOON_MS), DB_OK);
    total = proxy.said - before;
    assert_true(total > 6000);
    db_disconnect(s.db);
    silent_at_each_place(&m, &s, total, what, round_query);
    seen_close(&s);
    meter_stop(&m);
}

static void silent_while_connecting(void **state)
{
    (void)state;
    silent_in_connect(DB_TLS_DISABLED, "connecting");
}

static void silent_while_connecting_with_tls(void **state)
{
    (void)state;
    silent_in_connect(DB_TLS_REQUIRED, "connecting with TLS");
}

static void silent_in_an_answer(void **state)
{
    (void)state;
    silent_in_query(DB_TLS_DISABLED, "an answer");
}

static void silent_in_an_answer_with_tls(void **state)
{
    (void)state;
    silent_in_query(DB_TLS_REQUIRED, "an answer with TLS");
}

/* ---- the whole server stops ---- */

static unsigned stopped_once(enum db_tls tls)
{
    struct db_params p = through_proxy(tls, "plain");
    enum db_error idle_error, new_error;
    struct seen idle, new;
    struct meter m;
    unsigned gap_ms;

    p.port = server.port;
    meter_start(&m);
    seen_open(&idle, &m, &p);
    assert_int_equal(seen_connect(&idle, SOON_MS), DB_OK);
    server_freeze(&server);
    seen_open(&new, &m, &p);
    new_error = seen_connect(&new, DEADLINE_MS);
    idle_error = seen_query(&idle, "SELECT 1", DEADLINE_MS);
    gap_ms = meter_gap_ms(&m);
    server_thaw(&server); /* before any assertion: the next tests need it */
    assert_int_equal(new_error, DB_TIMEOUT);
    assert_int_equal(idle_error, DB_TIMEOUT);
    seen_close(&idle);
    seen_close(&new);
    meter_stop(&m);
    return gap_ms;
}

static void stopped_with_tls(enum db_tls tls)
{
    unsigned gap_ms = stopped_once(tls);

    for (int i = 1; i < ROUNDS_MAX && gap_ms >= HELD_UP_MAX_MS; i++)
        gap_ms = stopped_once(tls);
    assert_true(gap_ms < HELD_UP_MAX_MS);
}

static void a_stopped_server(void **state)
{
    (void)state;
    stopped_with_tls(DB_TLS_DISABLED);
    stopped_with_tls(DB_TLS_REQUIRED);
}

/* ---- nothing is wrong ---- */

static unsigned whole_once(enum db_tls tls)
{
    struct db_params p = through_proxy(tls, "plain");
    struct meter m;
    struct seen s;
    unsigned gap_ms;

    meter_start(&m);
    seen_open(&s, &m, &p);
    assert_int_equal(seen_connect(&s, SOON_MS), DB_OK);
    assert_int_equal(seen_query(&s, LONG_ANSWER, SOON_MS), DB_OK);
    assert_int_equal(seen_query(&s, "SELECT SLEEP(0.1)", SOON_MS), DB_OK);
    seen_close(&s);
    loop_for(&m, 20);
    gap_ms = meter_gap_ms(&m);
    meter_stop(&m);
    return gap_ms;
}

static void a_whole_connection(void **state)
{
    (void)state;
    proxy.allow = PROXY_ALL;
    for (enum db_tls tls = DB_TLS_DISABLED; tls <= DB_TLS_VERIFY; tls++) {
        unsigned gap_ms = UINT_MAX;

        for (int i = 0; i < ROUNDS_MAX && gap_ms >= HELD_UP_MAX_MS; i++)
            gap_ms = whole_once(tls);
        printf("all well, tls %d: the loop's largest gap was %u ms\n", tls, gap_ms);
        assert_true(gap_ms < HELD_UP_MAX_MS);
    }
}

static void a_server_that_slips_once_is_asked_again(void **state)
{
    struct db_params p = through_proxy(DB_TLS_REQUIRED, "plain");
    struct meter m;
    struct seen s;

    (void)state;
    meter_start(&m);
    proxy.allow = PROXY_ALL;
    seen_open(&s, &m, &p);
    proxy.slips = 1;
    assert_int_equal(seen_connect(&s, SOON_MS), DB_OK);
    assert_true(db_uses_tls(s.db));
    db_disconnect(s.db);
    loop_for(&m, 20); /* its goodbye passes */
    proxy.slips = 2;
    assert_int_equal(seen_connect(&s, SOON_MS), DB_TLS);
    assert_int_equal(proxy.slips, 0);
    seen_close(&s);
    meter_stop(&m);
}

/* ---- the meter itself ---- */

static void hold_up(uv_timer_t *t)
{
    (void)t;
    usleep(HELD_UP_MAX_MS * 1500);
}

static void the_meter_sees_a_loop_that_is_held_up(void **state)
{
    uv_timer_t t;
    struct meter m;

    (void)state;
    meter_start(&m);
    loop_for(&m, 100);
    assert_true(meter_gap_ms(&m) < HELD_UP_MAX_MS);
    uv_timer_init(&m.loop, &t);
    timer_in(&t, 20, hold_up);
    loop_for(&m, 100);
    assert_true(meter_gap_ms(&m) >= HELD_UP_MAX_MS);
    uv_close((uv_handle_t *)&t, NULL);
    meter_stop(&m);
}

static int set_up_mariadb(void **state)
{
    (void)state;
    server_start(&server, 1, true);
    server_do(&server, "CREATE USER plain IDENTIFIED BY 'secret'");
    proxy_start(&proxy, server.port);
    return 0;
}

static int set_up_mysql(void **state)
{
    (void)state;
    server_start_mysql(&server, 1, getenv("HAMM_MYSQL_ROOT"));
    server_do(&server, "CREATE USER plain IDENTIFIED WITH caching_sha2_password BY 'secret'");
    proxy_start(&proxy, server.port);
    return 0;
}

static void silent_while_connecting_cold(void **state)
{
    struct db_params p = through_proxy(DB_TLS_DISABLED, "plain");
    int64_t warm, cold;
    struct meter m;
    struct seen s;

    (void)state;
    meter_start(&m);
    seen_open(&s, &m, &p);
    proxy.allow = PROXY_ALL;
    server_do(&server, "FLUSH PRIVILEGES");
    assert_int_equal(seen_connect(&s, SOON_MS), DB_OK);
    cold = proxy.said;
    db_disconnect(s.db);
    assert_int_equal(seen_connect(&s, SOON_MS), DB_OK);
    warm = proxy.said;
    db_disconnect(s.db);
    assert_true(cold > warm + 200); /* the public key */
    silent_at_each_place(&m, &s, cold, "connecting, password not cached", round_connect_cold);
    seen_close(&s);
    meter_stop(&m);
}

static int tear_down(void **state)
{
    (void)state;
    proxy_stop(&proxy);
    server_stop(&server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest mariadb[] = {
        cmocka_unit_test(the_meter_sees_a_loop_that_is_held_up),
        cmocka_unit_test(silent_while_connecting),
        cmocka_unit_test(silent_while_connecting_with_tls),
        cmocka_unit_test(silent_in_an_answer),
        cmocka_unit_test(silent_in_an_answer_with_tls),
        cmocka_unit_test(a_whole_connection),
        cmocka_unit_test(a_server_that_slips_once_is_asked_again),
        cmocka_unit_test(a_stopped_server),
    };
    const struct CMUnitTest mysql[] = {
        cmocka_unit_test(silent_while_connecting),
        cmocka_unit_test(silent_while_connecting_cold),
        cmocka_unit_test(silent_while_connecting_with_tls),
        cmocka_unit_test(silent_in_an_answer),
        cmocka_unit_test(silent_in_an_answer_with_tls),
        cmocka_unit_test(a_whole_connection),
        cmocka_unit_test(a_stopped_server),
    };
    int failed;

    if (!server_available())
        return 0;
    failed = cmocka_run_group_tests(mariadb, set_up_mariadb, tear_down);
    if (!getenv("HAMM_MYSQL_ROOT"))
        puts("MySQL: skipped, needs HAMM_MYSQL_ROOT");
    else
        failed += cmocka_run_group_tests(mysql, set_up_mysql, tear_down);
    return failed;
}
