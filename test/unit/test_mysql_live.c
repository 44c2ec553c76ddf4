/* SPDX-License-Identifier: GPL-2.0-or-later
 * One connection against a real mariadbd, a stopped one, and servers that say nothing: what is
 * reported, how soon, and that the loop is never held up. */
#include "test_mysql_seen.h"

static struct server server;
static bool ed25519;

static struct db_params by_tcp(void)
{
    return (struct db_params){
        .host = "127.0.0.1", .port = server.port, .user = "tester", .password = "pass'word\\"};
}

static struct db_params by_socket(void)
{
    return (struct db_params){.socket = server.socket, .user = "root"};
}

/* ---- a server that accepts and then says `greeting`, or nothing ---- */

struct silent {
    uv_tcp_t listener, peer[64];
    unsigned n, port;
    const char *greeting;
    size_t len;
};

static void silent_on_read_alloc(uv_handle_t *h, size_t size, uv_buf_t *b)
{
    static char bin[4096];

    (void)h;
    (void)size;
    *b = uv_buf_init(bin, sizeof bin);
}

static void silent_on_read(uv_stream_t *s, ssize_t n, const uv_buf_t *b)
{
    (void)b;
    if (n < 0)
        uv_read_stop(s);
}

static void silent_on_connection(uv_stream_t *l, int status)
{
    struct silent *s = l->data;
    uv_tcp_t *peer = &s->peer[s->n];
    uv_buf_t b = uv_buf_init((char *)s->greeting, (unsigned)s->len);

    assert_int_equal(status, 0);
    assert_true(s->n < ARRAY_LEN(s->peer));
    uv_tcp_init(l->loop, peer);
    s->n++;
    assert_int_equal(uv_accept(l, (uv_stream_t *)peer), 0);
    if (s->len)
        assert_int_equal(uv_try_write((uv_stream_t *)peer, &b, 1), s->len);
    uv_read_start((uv_stream_t *)peer, silent_on_read_alloc, silent_on_read);
}

static void silent_start(struct silent *s, struct meter *m, const char *greeting, size_t len)
{
    struct sockaddr_in a;
    int n = sizeof a;

    memset(s, 0, sizeof *s);
    s->greeting = greeting;
    s->len = len;
    uv_tcp_init(&m->loop, &s->listener);
    s->listener.data = s;
    uv_ip4_addr("127.0.0.1", 0, &a);
    uv_tcp_bind(&s->listener, (struct sockaddr *)&a, 0);
    assert_int_equal(uv_listen((uv_stream_t *)&s->listener, 64, silent_on_connection), 0);
    uv_tcp_getsockname(&s->listener, (struct sockaddr *)&a, &n);
    s->port = ntohs(a.sin_port);
}

static void silent_stop(struct silent *s)
{
    uv_close((uv_handle_t *)&s->listener, NULL);
    for (unsigned i = 0; i < s->n; i++)
        uv_close((uv_handle_t *)&s->peer[i], NULL);
}

/* A greeting that offers TLS: protocol 10, capabilities with CLIENT_SSL, native password. */
static const char tls_greeting[] = "\x4a\0\0\0" /* length, sequence */
                                   "\x0a"
                                   "8.0.99-x\0"
                                   "\x01\0\0\0"
                                   "12345678\0"
                                   "\xff\xff\x21\x02\0\xff\xdf\x15"
                                   "\0\0\0\0\0\0\0\0\0\0"
                                   "123456789012\0"
                                   "mysql_native_password";

/* ---- tests ---- */

static void a_query_over_the_socket_and_over_tcp(void **state)
{
    const struct db_params ways[] = {by_socket(), by_tcp()};
    struct meter m;

    (void)state;
    meter_start(&m);
    for (unsigned i = 0; i < ARRAY_LEN(ways); i++) {
        struct seen s;
        char id[32];

        seen_open(&s, &m, &ways[i]);
        assert_int_equal(seen_connect(&s, 5000), DB_OK);
        assert_true(db_is_idle(s.db) && db_is_mariadb(s.db) && !db_uses_tls(s.db));
        assert_non_null(strstr(db_server_info(s.db), "MariaDB"));
        assert_int_equal(db_peer_pid(s.db), ways[i].socket ? server.pid : 0);
        assert_int_equal(seen_query(&s, "SELECT CONNECTION_ID() UNION ALL SELECT NULL", 5000),
                         DB_OK);
        snprintf(id, sizeof id, "%llu", (unsigned long long)db_connection_id(s.db));
        assert_string_equal(s.value, id);
        assert_int_equal(s.rows, 2);
        assert_int_equal(seen_query(&s, "SELECT '' FROM dual WHERE 1=0", 5000), DB_OK);
        assert_int_equal(s.rows, 0);
        assert_int_equal(seen_query(&s, "SELECT @@lock_wait_timeout", 5000), DB_OK);
        assert_string_equal(s.value, "1");
        assert_int_equal(seen_query(&s, "DO 1", 5000), DB_OK);
        assert_int_equal(seen_query(&s, "SELEKT 1", 5000), DB_SQL);
        assert_int_equal(s.number, 1064);
        assert_int_equal(seen_query(&s, "SELECT 7", 5000), DB_OK);
        assert_string_equal(s.value, "7");
        db_disconnect(s.db);
        assert_true(db_is_closed(s.db));
        assert_int_equal(seen_connect(&s, 5000), DB_OK);
        seen_close(&s);
    }
    meter_stop(&m);
}

static void nobody_listens(void **state)
{
    struct db_params tcp = by_tcp(), unix_socket = by_socket(), named = by_tcp();
    struct meter m;
    struct seen s;
    uint64_t start = uv_hrtime();

    (void)state;
    tcp.port = port_free();
    unix_socket.socket = "/tmp/hamm-no-such-socket";
    named.host = "localhost";
    meter_start(&m);
    seen_open(&s, &m, &tcp);
    assert_int_equal(seen_connect(&s, 5000), DB_REFUSED);
    assert_true(db_is_closed(s.db));
    assert_non_null(strstr(s.text, "nobody listens"));
    seen_close(&s);
    seen_open(&s, &m, &unix_socket);
    assert_int_equal(seen_connect(&s, 5000), DB_REFUSED);
    seen_close(&s);
    seen_open(&s, &m, &named);
    assert_int_equal(seen_connect(&s, 5000), DB_CONFIG);
    seen_close(&s);
    assert_true(ms_since(start) < 1000);
    meter_stop(&m);
}

static void too_many_connections_is_its_own_answer(void **state)
{
    struct db_params p = by_tcp();
    struct meter m;
    struct seen s[40];
    unsigned n = 0;

    (void)state;
    meter_start(&m);
    do {
        assert_true(n < ARRAY_LEN(s));
        seen_open(&s[n], &m, &p);
        seen_connect(&s[n], 5000);
    } while (s[n++].error == DB_OK);
    assert_int_equal(s[n - 1].error, DB_TOO_MANY);
    assert_non_null(strstr(s[n - 1].text, "alive"));
    while (n)
        seen_close(&s[--n]);
    meter_stop(&m);
}

static void denied_says_what_to_do(void **state)
{
    struct db_params wrong = by_tcp(), plugin = by_tcp();
    struct meter m;
    struct seen s;

    (void)state;
    wrong.password = "guessed-secret";
    plugin.user = "edwards";
    plugin.plugin_dir = "/nonexistent";
    if (!ed25519)
        puts("not tried: an account whose plugin is missing here (the server has no auth_ed25519)");
    meter_start(&m);
    seen_open(&s, &m, &wrong);
    assert_int_equal(seen_connect(&s, 5000), DB_DENIED);
    assert_int_equal(s.number, 1045);
    assert_null(strstr(s.text, "guessed-secret"));
    assert_non_null(strstr(s.text, "check the password"));
    seen_close(&s);
    if (ed25519) {
        seen_open(&s, &m, &plugin);
        assert_int_equal(seen_connect(&s, 5000), DB_DENIED);
        assert_non_null(strstr(s.text, "libmariadb3"));
        seen_close(&s);
    }
    plugin = by_tcp();
    seen_open(&s, &m, &plugin);
    assert_int_equal(seen_connect(&s, 5000), DB_OK);
    assert_int_equal(seen_query(&s, "SET GLOBAL read_only=0", 5000), DB_DENIED);
    assert_non_null(strstr(s.text, "GRANT"));
    assert_true(db_is_idle(s.db));
    seen_close(&s);
    meter_stop(&m);
}

static void a_stopped_server_times_out_and_the_loop_goes_on(void **state)
{
    struct db_params p = by_tcp();
    struct meter m;
    struct seen up, late;
    uint64_t start;
    unsigned took_ms, gap_ms;

    (void)state;
    meter_start(&m);
    seen_open(&up, &m, &p);
    assert_int_equal(seen_connect(&up, 5000), DB_OK);
    server_freeze(&server);
    seen_open(&late, &m, &p);
    start = uv_hrtime();
    seen_connect(&late, 300);
    seen_query(&up, "SELECT 1", 300);
    took_ms = ms_since(start);
    gap_ms = meter_gap_ms(&m);
    server_thaw(&server); /* before any assertion: the next tests need it */
    assert_int_equal(late.error, DB_TIMEOUT);
    assert_non_null(strstr(late.text, "no answer within 300 ms"));
    assert_int_equal(up.error, DB_TIMEOUT);
    assert_in_range(took_ms, 590, 1500); /* timers count whole ms */
    assert_in_range(gap_ms, 0, GAP_MAX_MS);
    assert_true(db_is_closed(up.db));
    assert_int_equal(seen_connect(&up, 5000), DB_OK);
    seen_close(&up);
    seen_close(&late);
    meter_stop(&m);
}

static void silence(const char *greeting, size_t len, enum db_tls tls)
{
    struct meter m;
    struct silent quiet;
    struct seen s[12];
    struct db_params p = by_tcp();
    uint64_t start = uv_hrtime();

    meter_start(&m);
    silent_start(&quiet, &m, greeting, len);
    p.port = quiet.port;
    p.tls = tls;
    for (unsigned i = 0; i < ARRAY_LEN(s); i++) {
        seen_open(&s[i], &m, &p);
        db_connect(s[i].db, 300, seen_on_done);
    }
    for (unsigned i = 0; i < ARRAY_LEN(s); i++) {
        seen_wait(&s[i]);
        assert_int_equal(s[i].error, DB_TIMEOUT);
    }
    assert_true(ms_since(start) < 1000);
    /* with all those threads stuck another server is still reached */
    p = by_tcp();
    seen_close(&s[0]);
    seen_open(&s[0], &m, &p);
    assert_int_equal(seen_connect(&s[0], 1000), DB_OK);
    assert_true(meter_gap_ms(&m) < GAP_MAX_MS);
    for (unsigned i = 0; i < ARRAY_LEN(s); i++)
        seen_close(&s[i]);
    silent_stop(&quiet);
    meter_stop(&m);
}

static void a_server_that_accepts_and_says_nothing(void **state)
{
    (void)state;
    silence(NULL, 0, DB_TLS_DISABLED);
}

static void a_server_that_is_silent_in_the_tls_handshake(void **state)
{
    (void)state;
    silence(tls_greeting, sizeof tls_greeting, DB_TLS_REQUIRED);
}

static void tls_does_not_hold_up_the_loop(void **state)
{
    struct db_params p = by_tcp();
    char ca[128];
    struct meter m;
    struct seen s;

    (void)state;
    snprintf(ca, sizeof ca, "%s/cert.pem", server.dir);
    meter_start(&m);
    for (enum db_tls tls = DB_TLS_PREFERRED; tls <= DB_TLS_VERIFY; tls++) {
        p.tls = tls;
        p.tls_ca = tls == DB_TLS_VERIFY ? ca : NULL;
        seen_open(&s, &m, &p);
        assert_int_equal(seen_connect(&s, 5000), DB_OK);
        assert_true(db_uses_tls(s.db));
        seen_query(&s, "SHOW STATUS LIKE 'Ssl_cipher'", 5000);
        assert_string_equal(s.text, "");
        assert_int_equal(seen_query(&s, "SELECT SLEEP(0.6)", 5000), DB_OK);
        assert_int_equal(seen_query(&s, "SELECT SLEEP(10)", 300), DB_TIMEOUT);
        assert_true(meter_gap_ms(&m) < GAP_MAX_MS);
        seen_close(&s);
    }
    p.tls_ca = NULL; /* nobody vouches for the server's certificate */
    seen_open(&s, &m, &p);
    assert_int_equal(seen_connect(&s, 5000), DB_TLS);
    seen_close(&s);
    p.tls_ca = "/nonexistent/ca.pem";
    seen_open(&s, &m, &p);
    assert_int_equal(seen_connect(&s, 5000), DB_CONFIG);
    seen_close(&s);
    meter_stop(&m);
}

static void a_running_call_is_cancelled_or_closed_at_once(void **state)
{
    struct db_params p = by_tcp();
    struct meter m;
    struct seen s;
    uint64_t start;

    (void)state;
    meter_start(&m);
    for (p.tls = DB_TLS_DISABLED; p.tls <= DB_TLS_REQUIRED; p.tls++) {
        seen_open(&s, &m, &p);
        assert_int_equal(seen_connect(&s, 5000), DB_OK);
        start = uv_hrtime();
        db_query(s.db, "SELECT SLEEP(10)", 20000, seen_on_done);
        loop_for(&m, 50);
        db_cancel(s.db);
        seen_wait(&s);
        assert_int_equal(s.error, DB_CANCELLED);
        assert_true(ms_since(start) < 500);
        assert_int_equal(seen_connect(&s, 5000), DB_OK);
        db_query(s.db, "SELECT SLEEP(10)", 20000, seen_on_done);
        seen_close(&s);
        assert_false(s.over);
        seen_open(&s, &m, &p);
        db_connect(s.db, 5000, seen_on_done);
        seen_close(&s);
        assert_false(s.over);
        assert_true(meter_gap_ms(&m) < GAP_MAX_MS);
    }
    meter_stop(&m);
}

static void results_have_a_limit(void **state)
{
    struct db_params p = by_socket();
    struct meter m;
    struct seen s;

    (void)state;
    meter_start(&m);
    seen_open(&s, &m, &p);
    assert_int_equal(seen_connect(&s, 5000), DB_OK);
    assert_int_equal(seen_query(&s, "SELECT * FROM mysql.seq_1_to_20000", 20000), DB_OK);
    assert_int_equal(s.rows, DB_RESULT_ROWS_MAX);
    assert_int_equal(seen_query(&s, "SELECT * FROM mysql.seq_1_to_20001", 20000), DB_TOO_BIG);
    assert_true(db_is_closed(s.db));
    assert_int_equal(seen_connect(&s, 5000), DB_OK);
    assert_int_equal(seen_query(&s, "SELECT REPEAT('x', 1000000) FROM mysql.seq_1_to_100", 20000),
                     DB_TOO_BIG);
    assert_int_equal(seen_connect(&s, 5000), DB_OK);
    seen_close(&s);
    meter_stop(&m);
}

static void a_killed_connection_and_a_killed_server_are_noticed_at_once(void **state)
{
    struct db_params p = by_tcp();
    struct meter m;
    struct seen idle, busy, local;
    char sql[64];
    uint64_t start;

    (void)state;
    meter_start(&m);
    seen_open(&idle, &m, &p);
    seen_open(&busy, &m, &p);
    p = by_socket();
    seen_open(&local, &m, &p);
    assert_int_equal(seen_connect(&idle, 5000), DB_OK);
    assert_int_equal(seen_connect(&busy, 5000), DB_OK);
    assert_int_equal(seen_connect(&local, 5000), DB_OK);

    snprintf(sql, sizeof sql, "KILL %llu", (unsigned long long)db_connection_id(idle.db));
    server_do(&server, sql);
    start = uv_hrtime();
    while (!idle.lost && ms_since(start) < 2000)
        uv_run(&m.loop, UV_RUN_ONCE);
    assert_true(idle.lost && db_is_closed(idle.db));
    idle.lost = false;
    assert_int_equal(seen_connect(&idle, 5000), DB_OK);

    db_query(busy.db, "SELECT SLEEP(10)", 20000, seen_on_done);
    loop_for(&m, 50);
    start = uv_hrtime();
    server_kill(&server);
    while ((!idle.lost || !local.lost || !busy.over) && ms_since(start) < 2000)
        uv_run(&m.loop, UV_RUN_ONCE);
    assert_true(idle.lost && local.lost && busy.over && !busy.lost);
    assert_int_equal(busy.error, DB_LOST);
    assert_true(ms_since(start) < 1000);
    seen_close(&idle);
    seen_close(&busy);
    seen_close(&local);
    meter_stop(&m);
    server_run(&server, "tls");
}

static int set_up(void **state)
{
    (void)state;
    server_start(&server, 1, true);
    server_do(&server, "CREATE USER tester IDENTIFIED BY 'pass''word\\\\'");
    ed25519 = server_has_ed25519();
    if (ed25519) {
        server_do(&server, "INSTALL SONAME 'auth_ed25519'");
        server_do(&server, "CREATE USER edwards IDENTIFIED VIA ed25519 USING PASSWORD('pass')");
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    server_stop(&server);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_query_over_the_socket_and_over_tcp),
        cmocka_unit_test(nobody_listens),
        cmocka_unit_test(too_many_connections_is_its_own_answer),
        cmocka_unit_test(denied_says_what_to_do),
        cmocka_unit_test(a_stopped_server_times_out_and_the_loop_goes_on),
        cmocka_unit_test(a_server_that_accepts_and_says_nothing),
        cmocka_unit_test(a_server_that_is_silent_in_the_tls_handshake),
        cmocka_unit_test(tls_does_not_hold_up_the_loop),
        cmocka_unit_test(a_running_call_is_cancelled_or_closed_at_once),
        cmocka_unit_test(results_have_a_limit),
        cmocka_unit_test(a_killed_connection_and_a_killed_server_are_noticed_at_once),
    };

    if (!server_available())
        return 0;
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
