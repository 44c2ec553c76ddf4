/* SPDX-License-Identifier: GPL-2.0-or-later
 * Every way an account may log in, with and without TLS, against real servers; and what is said
 * when the plugin for it is missing on this machine. MySQL where HAMM_MYSQL_ROOT names its unpacked
 * packages. */
#include "test_mysql_seen.h"

enum { LIMIT_MS = 20000 };

static struct server server;

static struct db_params account(const char *user, enum db_tls tls)
{
    static char ca[128];

    snprintf(ca, sizeof ca, "%s/cert.pem", server.dir); /* it signed itself */
    return (struct db_params){.host = "127.0.0.1",
                              .port = server.port,
                              .user = user,
                              .password = "secret",
                              .tls = tls,
                              .tls_ca = tls ? ca : NULL};
}

/* Connects and closes; the outcome stays in s. */
static void try(struct seen *s, struct meter *m, const struct db_params *p)
{
    seen_open(s, m, p);
    if (seen_connect(s, LIMIT_MS) == DB_OK) {
        assert_int_equal(db_uses_tls(s->db), p->tls != DB_TLS_DISABLED);
        assert_int_equal(seen_query(s, "SELECT 1", LIMIT_MS), DB_OK);
    }
    seen_close(s);
}

static void every_tls_mode(struct meter *m, const char *user)
{
    for (enum db_tls tls = DB_TLS_DISABLED; tls <= DB_TLS_VERIFY; tls++) {
        struct db_params p = account(user, tls);
        struct seen s;

        for (int warm = 0; warm < 2; warm++) {
            if (!warm)
                server_do(&server,
                          "FLUSH PRIVILEGES"); /* MySQL forgets the passwords it has seen */
            try(&s, m, &p);
            if (s.error != DB_OK)
                fail_msg("%s, tls %d, %s: %s", user, tls, warm ? "warm" : "cold", s.text);
        }
    }
}

static void a_wrong_password_is_denied(struct meter *m, const char *user)
{
    struct db_params p = account(user, DB_TLS_DISABLED);
    struct seen s;

    p.password = "guessed-secret";
    try(&s, m, &p);
    assert_int_equal(s.error, DB_DENIED);
    assert_non_null(strstr(s.text, "check the password"));
    assert_null(strstr(s.text, "guessed-secret"));
}

/* In a process of its own: once loaded, libmariadb keeps a plugin. */
static void missing_plugin_child(const char *user)
{
    struct db_params p = account(user, DB_TLS_DISABLED);
    struct meter m;
    struct seen s;

    meter_start(&m);
    p.plugin_dir = server.dir; /* it has none */
    try(&s, &m, &p);
    assert_int_equal(s.error, DB_DENIED);
    if (!strstr(s.text, "could not be loaded") || !strstr(s.text, "package libmariadb3") ||
        !strstr(s.text, "MARIADB_PLUGIN_DIR"))
        fail_msg("%s", s.text);
    setenv("MARIADB_PLUGIN_DIR", server.dir, 1); /* what the sentence says is so */
    p.plugin_dir = NULL;
    try(&s, &m, &p);
    assert_int_equal(s.error, DB_DENIED);
    unsetenv("MARIADB_PLUGIN_DIR");
    try(&s, &m, &p);
    assert_int_equal(s.error, DB_OK);
    meter_stop(&m);
}

static const char *child_user;

static void the_child(void **state)
{
    (void)state;
    missing_plugin_child(child_user);
}

static int child_main(char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_child)};

    child_user = argv[1];
    server.port = (unsigned)atoi(argv[2]);
    snprintf(server.dir, sizeof server.dir, "%s", argv[3]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}

static void a_missing_plugin_says_what_to_install(const char *user)
{
    char port[16];
    char *argv[] = {"/proc/self/exe", (char *)user, port, server.dir, NULL};

    snprintf(port, sizeof port, "%u", server.port);
    if (process_wait(process_start(server.log, argv)) != 0)
        fail_msg("%s: see the end of %s", user, server.log);
}

static void one_that_requires_tls_says_so(struct meter *m)
{
    struct db_params p = account("strict", DB_TLS_DISABLED);
    struct seen s;

    try(&s, m, &p);
    assert_int_equal(s.error, DB_DENIED);
    assert_non_null(strstr(s.text, "set tls mode to required"));
    every_tls_mode(m, "open");
    p = account("strict", DB_TLS_REQUIRED);
    try(&s, m, &p);
    assert_int_equal(s.error, DB_OK);
    p = account("strict", DB_TLS_VERIFY);
    p.tls_ca = NULL; /* nobody vouches for that certificate */
    try(&s, m, &p);
    assert_int_equal(s.error, DB_TLS);
    assert_non_null(strstr(s.text, "set tls ca"));
}

static void mariadb_native_password(void **state)
{
    struct meter m;

    (void)state;
    meter_start(&m);
    every_tls_mode(&m, "open");
    a_wrong_password_is_denied(&m, "open");
    one_that_requires_tls_says_so(&m);
    meter_stop(&m);
}

static void mariadb_ed25519(void **state)
{
    struct meter m;

    (void)state;
    if (!server_has_ed25519()) {
        puts("not tried: the server has no auth_ed25519.so, see HAMM_MARIADB_PLUGINS");
        return;
    }
    meter_start(&m);
    server_do(&server, "INSTALL SONAME 'auth_ed25519'");
    server_do(&server, "CREATE USER edwards IDENTIFIED VIA ed25519 USING PASSWORD('secret')");
    a_missing_plugin_says_what_to_install("edwards");
    every_tls_mode(&m, "edwards");
    a_wrong_password_is_denied(&m, "edwards");
    meter_stop(&m);
}

static void mysql_caching_sha2_password(void **state)
{
    struct meter m;

    (void)state;
    meter_start(&m);
    a_missing_plugin_says_what_to_install("open");
    every_tls_mode(&m, "open");
    a_wrong_password_is_denied(&m, "open");
    one_that_requires_tls_says_so(&m);
    meter_stop(&m);
}

static void mysql_sha256_password(void **state)
{
    struct meter m;

    (void)state;
    meter_start(&m);
    a_missing_plugin_says_what_to_install("older");
    every_tls_mode(&m, "older");
    a_wrong_password_is_denied(&m, "older");
    meter_stop(&m);
}

static void mysql_that_wants_tls_of_everybody(void **state)
{
    struct db_params p = account("open", DB_TLS_DISABLED);
    struct meter m;
    struct seen s;

    (void)state;
    meter_start(&m);
    server_do(&server, "SET GLOBAL require_secure_transport=1");
    try(&s, &m, &p);
    server_do(&server, "SET GLOBAL require_secure_transport=0");
    assert_int_equal(s.error, DB_DENIED);
    assert_non_null(strstr(s.text, "set tls mode to required"));
    meter_stop(&m);
}

static void accounts(void)
{
    server_do(&server, "CREATE USER open IDENTIFIED BY 'secret'");
    server_do(&server, "CREATE USER strict IDENTIFIED BY 'secret' REQUIRE SSL");
}

static int set_up_mariadb(void **state)
{
    (void)state;
    server_start(&server, 1, true);
    accounts();
    return 0;
}

static int set_up_mysql(void **state)
{
    (void)state;
    server_start_mysql(&server, 1, getenv("HAMM_MYSQL_ROOT"));
    accounts();
    server_do(&server, "CREATE USER older IDENTIFIED WITH sha256_password BY 'secret'");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    server_stop(&server);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest mariadb[] = {
        cmocka_unit_test(mariadb_native_password),
        cmocka_unit_test(mariadb_ed25519),
    };
    const struct CMUnitTest mysql[] = {
        cmocka_unit_test(mysql_caching_sha2_password),
        cmocka_unit_test(mysql_sha256_password),
        cmocka_unit_test(mysql_that_wants_tls_of_everybody),
    };
    int failed;

    if (argc == 4)
        return child_main(argv);
    if (!server_available())
        return 0;
    failed = cmocka_run_group_tests(mariadb, set_up_mariadb, tear_down);
    if (!getenv("HAMM_MYSQL_ROOT"))
        puts("MySQL: skipped, needs HAMM_MYSQL_ROOT");
    else
        failed += cmocka_run_group_tests(mysql, set_up_mysql, tear_down);
    return failed;
}
