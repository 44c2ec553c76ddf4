/* SPDX-License-Identifier: GPL-2.0-or-later
 * What goes wrong -> what it means. The texts are libmariadb's and the servers' own. */
#include "mysql/db_error.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void errors_are_classified(void **state)
{
    static const struct {
        unsigned number;
        const char *said;
        bool connecting, via_socket;
        enum db_error error;
        const char *part; /* of the sentence */
    } cases[] = {
        {2002, "Can't connect to server on '10.0.0.1' (111)", true, false, DB_REFUSED, "nobody"},
        {2002, "Can't connect to server on '10.0.0.1' (113)", true, false, DB_UNREACHABLE, "route"},
        {2002, "Can't connect to server on '10.0.0.1' (2)", true, false, DB_UNREACHABLE, "db1:1"},
        {2002, "Can't connect to server on '10.0.0.1' (110)", true, false, DB_TIMEOUT, "2002"},
        {2002, "Can't connect to local server through socket '/run/s' (2)", true, true, DB_REFUSED,
         "No such file"},
        {2002, "Can't connect to local server through socket '/run/s' (111)", true, true,
         DB_REFUSED, "refused"},
        {2013, "Lost connection at 'handshake', system error: 104", true, false, DB_LOST, "ended"},
        {2013, "Lost connection to server during query", false, false, DB_LOST, "ended"},
        {1040, "Too many connections", true, false, DB_TOO_MANY, "alive"},
        {1045, "Access denied for user 'a'@'b'", true, false, DB_DENIED, "requires TLS"},
        {1045, "Plugin caching_sha2_password could not be loaded: no such file", true, false,
         DB_DENIED, "libmariadb3"},
        {2059, "Authentication plugin 'x' cannot be loaded", true, false, DB_DENIED, "libmariadb3"},
        {2059, "Authentication plugin 'caching_sha2_password' cannot be loaded: no such file", true,
         false, DB_DENIED, "MARIADB_PLUGIN_DIR"},
        {2058, "Authentication plugin 'x' initialisation failed", true, false, DB_DENIED,
         "libmariadb3"},
        {1524, "Plugin 'mysql_native_password' is not loaded", true, false, DB_DENIED,
         "IDENTIFIED WITH caching_sha2_password"},
        {2061, "Couldn't read RSA public key from server", true, false, DB_DENIED,
         "set tls mode to required"},
        {2061,
         "Authentication plugin 'caching_sha2_password' reported error: Authentication "
         "requires secure connection.",
         true, false, DB_DENIED, "RSA keys"},
        {3159, "Connections using insecure transport are prohibited", true, false, DB_DENIED,
         "set tls mode to required"},
        {2026, "TLS/SSL error: self-signed certificate in certificate chain", true, false, DB_TLS,
         "set tls ca"},
        {2026, "TLS/SSL error: Validation of SSL server certificate failed", true, false, DB_TLS,
         "does not name this address"},
        {2026, "SSL is required, but the server does not support it", true, false, DB_TLS,
         "ssl_cert"},
        {1227, "Access denied; you need the SUPER privilege", false, false, DB_DENIED, "GRANT"},
        {1130, "Host 'x' is not allowed to connect", true, false, DB_DENIED, "create the account"},
        {2026, "TLS/SSL error: self-signed certificate", true, false, DB_TLS, "self-signed"},
        {2026, "TLS/SSL error: unexpected eof", false, false, DB_LOST, "ended"},
        {1064, "You have an error in your SQL syntax", false, false, DB_SQL, "1064"},
        {1927, "Connection was killed", false, false, DB_LOST, "killed"},
        {0, "", false, false, DB_LOST, "ended"},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        struct db_problem p;

        db_problem_from(&p, cases[i].number, cases[i].said, cases[i].connecting,
                        cases[i].via_socket, false, "db1:1");
        if (p.error != cases[i].error || !strstr(p.text, cases[i].part))
            fail_msg("%u %s: %s, '%s'", cases[i].number, cases[i].said, db_error_name(p.error),
                     p.text);
        assert_int_equal(p.number, cases[i].number);
        assert_non_null(strstr(p.text, "db1:1"));
    }
}

#define BEFORE_TLS                                                                                 \
    "Received error packet before completion of TLS handshake. The authenticity of the following " \
    "error cannot be verified: "

static void what_comes_before_tls_counts(void **state)
{
    static const struct {
        const char *said;
        enum db_error error;
        unsigned number;
        const char *part;
    } cases[] = {
        {BEFORE_TLS "1040 - Too many connections", DB_TOO_MANY, 1040, "raise max_connections"},
        {BEFORE_TLS "1130 - Host 'x' is not allowed to connect", DB_DENIED, 1130, "create the"},
        {BEFORE_TLS "1129 - Host 'x' is blocked", DB_DENIED, 1129, "FLUSH HOSTS"},
        {BEFORE_TLS "99 - ?", DB_UNREACHABLE, 2002, "99 - ?"},
        {BEFORE_TLS "1040", DB_UNREACHABLE, 2002, "1040"},
        {BEFORE_TLS "99999999999 - ?", DB_UNREACHABLE, 2002, "99999999999"},
    };

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        struct db_problem p;

        db_problem_from(&p, 2002, cases[i].said, true, false, true, "db1:1");
        if (p.error != cases[i].error || !strstr(p.text, cases[i].part))
            fail_msg("%s: %s, '%s'", cases[i].said, db_error_name(p.error), p.text);
        assert_int_equal(p.number, cases[i].number);
    }
}

static void a_hint_about_tls_only_without(void **state)
{
    struct db_problem p;

    (void)state;
    db_problem_from(&p, 1045, "Access denied for user 'a'@'b'", true, false, true, "db1:1");
    assert_null(strstr(p.text, "TLS"));
    assert_non_null(strstr(p.text, "check the password"));
}

static void only_some_errors_end_the_connection(void **state)
{
    (void)state;
    assert_true(db_problem_ends_connection(2013));
    assert_true(db_problem_ends_connection(1927));
    assert_true(db_problem_ends_connection(2099));
    assert_true(db_problem_ends_connection(0));
    assert_false(db_problem_ends_connection(1064));
    assert_false(db_problem_ends_connection(1205));
    assert_false(db_problem_ends_connection(1227));
    assert_false(db_problem_ends_connection(1290));
}

static void every_error_has_a_name(void **state)
{
    (void)state;
    for (unsigned i = 0; i < DB_ERROR_N; i++)
        assert_non_null(db_error_name(i));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_are_classified),
        cmocka_unit_test(what_comes_before_tls_counts),
        cmocka_unit_test(a_hint_about_tls_only_without),
        cmocka_unit_test(only_some_errors_end_the_connection),
        cmocka_unit_test(every_error_has_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
