/* SPDX-License-Identifier: GPL-2.0-or-later
 * Against real servers of both flavours: what a DBA set for replication is there after following
 * another source, and after draining; and draining hears the source to the end. MySQL where
 * HAMM_MYSQL_ROOT says that it is. */
#include "test_mysql_doer.h"

static struct server one, two;

/* The value of that column of the first row; the caller frees. */
static char *column(const struct server *s, const char *sql, const char *name)
{
    MYSQL *my = server_root(s);
    MYSQL_RES *res;
    MYSQL_ROW row;
    char *value = NULL;
    bool found = false;

    assert_non_null(my);
    if (mysql_query(my, sql))
        fail_msg("%s: %s", sql, mysql_error(my));
    res = mysql_store_result(my);
    assert_non_null(res);
    row = mysql_fetch_row(res);
    assert_non_null(row);
    for (unsigned i = 0; i < mysql_num_fields(res); i++)
        if (strcmp(mysql_fetch_field_direct(res, i)->name, name) == 0) {
            value = strdup(row[i] ? row[i] : "NULL");
            found = true;
        }
    if (!found)
        fail_msg("%s has no %s", sql, name);
    mysql_free_result(res);
    mysql_close(my);
    return value;
}

/* A setting, as it was and as it is. */
struct setting {
    const char *sql, *name;
    char *was;
};

static void settings_remember(struct setting *s, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        s[i].was = column(&two, s[i].sql, s[i].name);
}

static void settings_stay(struct setting *s, unsigned n, const char *after)
{
    for (unsigned i = 0; i < n; i++) {
        char *is = column(&two, s[i].sql, s[i].name);

        if (strcmp(is, s[i].was) != 0)
            fail_msg("after %s: %s was %s, is %s", after, s[i].name, s[i].was, is);
        free(is);
    }
}

static void settings_forget(struct setting *s, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        free(s[i].was);
}

static void prepare_mariadb(struct server *s, unsigned id)
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
    server_do(s, "CREATE TABLE shop.t (id INT AUTO_INCREMENT PRIMARY KEY, text VARCHAR(64))");
    server_do(s, "RESET MASTER");
}

/* Until the applier of `two` has something to do that it is not allowed to do yet. */
static void wait_received(struct doer *d, const char *gtid)
{
    uint64_t start = uv_hrtime();

    do {
        assert_done(d, JOB_OBSERVE, NO_ARGS);
        assert_true(ms_since(start) < 10000);
    } while (strcmp(d->received, gtid) != 0);
}

/* A commit is acknowledged that takes a while to be sent; nobody says how far to wait. */
static void what_is_on_its_way_is_heard(struct doer *d)
{
    uint64_t start = uv_hrtime(), before;

    server_do(&one, "CREATE TABLE shop.big (id INT AUTO_INCREMENT PRIMARY KEY, b LONGBLOB)");
    assert_done(d, JOB_OBSERVE, NO_ARGS);
    before = d->read_pos;
    server_do(&one, "INSERT INTO shop.big (b) SELECT REPEAT(UUID(), 30000)"
                    " FROM information_schema.collations LIMIT 24");
    do { /* until the first of it came */
        assert_done(d, JOB_OBSERVE, NO_ARGS);
        assert_true(ms_since(start) < 10000);
    } while (d->read_pos < before + 1000);
    assert_done(d, JOB_STOP_DRAIN, (struct job_args){.hear = true});
    assert_int_equal(server_number(&two, "SELECT COUNT(*) FROM shop.big"), 24);
}

static void mariadb_keeps_what_the_dba_set(void **state)
{
#define STATUS "SHOW ALL SLAVES STATUS"
    struct setting settings[] = {
        {STATUS, "Connect_Retry", NULL},
        {STATUS, "Slave_heartbeat_period", NULL},
        {STATUS, "SQL_Delay", NULL},
        {STATUS, "Master_SSL_Allowed", NULL},
        {STATUS, "Master_SSL_CA_File", NULL},
        {STATUS, "Master_SSL_Cert", NULL},
        {STATUS, "Master_SSL_Key", NULL},
        {STATUS, "Master_SSL_Cipher", NULL},
        {STATUS, "Master_SSL_Verify_Server_Cert", NULL},
        {STATUS, "Replicate_Do_Domain_Ids", NULL},
        {STATUS, "Replicate_Ignore_Server_Ids", NULL},
        {STATUS, "Replicate_Ignore_DB", NULL},
    };
    struct meter m;
    struct doer d;
    char *gtid;

    (void)state;
    prepare_mariadb(&one, 1);
    prepare_mariadb(&two, 2);
    meter_start(&m);
    doer_open(&d, &m, &two);
    server_do(&two, "SET GLOBAL replicate_ignore_db='scratch'");
    server_do(&two, "CHANGE MASTER TO MASTER_HOST='127.0.0.9',MASTER_PORT=3999,MASTER_USER='u',"
                    "MASTER_PASSWORD='p',MASTER_CONNECT_RETRY=7,MASTER_HEARTBEAT_PERIOD=2.5,"
                    "MASTER_DELAY=2,MASTER_SSL=0,MASTER_SSL_CA='/tmp/ca',MASTER_SSL_CERT='/tmp/c',"
                    "MASTER_SSL_KEY='/tmp/k',MASTER_SSL_CIPHER='AES',"
                    "MASTER_SSL_VERIFY_SERVER_CERT=1,IGNORE_SERVER_IDS=(77),DO_DOMAIN_IDS=(0,3)");
    settings_remember(settings, ARRAY_LEN(settings));
    assert_done(&d, JOB_FOLLOW, follow(&one));
    settings_stay(settings, ARRAY_LEN(settings), "following");
    assert_int_equal(d.filters >> 52, 1 << 1 | 1 << 7); /* a database, domains */

    server_do(&one, "INSERT INTO shop.t VALUES (NULL, 'late')");
    gtid = server_sql(&one, "SELECT @@gtid_binlog_pos");
    wait_received(&d, gtid);
    server_do(&two, "STOP SLAVE"); /* what was received is saved by way of another CHANGE MASTER */
    assert_done(&d, JOB_STOP_DRAIN, NO_ARGS);
    assert_string_equal(d.slave_pos, gtid);
    settings_stay(settings, ARRAY_LEN(settings), "draining");
    free(gtid);

    server_do(&two, "RESET SLAVE ALL");
    assert_done(&d, JOB_FOLLOW, follow(&one)); /* nothing was set: hamm's */
    settings_forget(settings, ARRAY_LEN(settings));
    settings_remember(settings, 2);
    assert_string_equal(settings[0].was, "1");
    assert_string_equal(settings[1].was, "1.000");
    settings_forget(settings, 2);
    what_is_on_its_way_is_heard(&d);
    doer_close(&d);
    meter_stop(&m);
    server_stop(&one);
    server_stop(&two);
#undef STATUS
}

static void prepare_mysql(struct server *s, unsigned id)
{
    server_start_mysql(s, id, getenv("HAMM_MYSQL_ROOT"));
    server_do(s, "CREATE USER agent IDENTIFIED BY 'agent-secret'");
    server_do(s, "GRANT REPLICATION CLIENT, PROCESS, RELOAD ON *.* TO agent");
    server_do(s, "GRANT CONNECTION_ADMIN, SYSTEM_VARIABLES_ADMIN, REPLICATION_SLAVE_ADMIN ON *.*"
                 " TO agent");
    server_do(s, "CREATE USER repl IDENTIFIED BY 'repl-secret'");
    server_do(s, "GRANT REPLICATION SLAVE ON *.* TO repl");
    server_do(s, "RESET BINARY LOGS AND GTIDS");
}

static void mysql_keeps_what_the_dba_set(void **state)
{
#define STATUS     "SHOW REPLICA STATUS"
#define CONNECTION "SELECT * FROM performance_schema.replication_connection_configuration"
#define APPLIER    "SELECT * FROM performance_schema.replication_applier_configuration"
    struct setting settings[] = {
        {CONNECTION, "HEARTBEAT_INTERVAL", NULL},
        {CONNECTION, "CONNECTION_RETRY_INTERVAL", NULL},
        {CONNECTION, "CONNECTION_RETRY_COUNT", NULL},
        {CONNECTION, "NETWORK_INTERFACE", NULL},
        {CONNECTION, "SSL_ALLOWED", NULL},
        {CONNECTION, "SSL_CIPHER", NULL},
        {CONNECTION, "SSL_VERIFY_SERVER_CERTIFICATE", NULL},
        {CONNECTION, "TLS_VERSION", NULL},
        {CONNECTION, "TLS_CIPHERSUITES", NULL},
        {CONNECTION, "COMPRESSION_ALGORITHM", NULL},
        {CONNECTION, "ZSTD_COMPRESSION_LEVEL", NULL},
        {CONNECTION, "SOURCE_CONNECTION_AUTO_FAILOVER", NULL},
        {APPLIER, "DESIRED_DELAY", NULL},
        {APPLIER, "REQUIRE_ROW_FORMAT", NULL},
        {APPLIER, "REQUIRE_TABLE_PRIMARY_KEY_CHECK", NULL},
        {STATUS, "Replicate_Ignore_DB", NULL},
    };
    struct meter m;
    struct doer d;

    (void)state;
    if (!getenv("HAMM_MYSQL_ROOT"))
        skip();
    prepare_mysql(&one, 1);
    prepare_mysql(&two, 2);
    meter_start(&m);
    doer_open(&d, &m, &two);
    server_do(&two, "CHANGE REPLICATION FILTER REPLICATE_IGNORE_DB=(scratch)");
    server_do(&two,
              "CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.9',SOURCE_PORT=3999,"
              "SOURCE_USER='u',SOURCE_PASSWORD='p',SOURCE_CONNECT_RETRY=7,SOURCE_RETRY_COUNT=33,"
              "SOURCE_HEARTBEAT_PERIOD=2.5,SOURCE_DELAY=2,SOURCE_SSL=1,SOURCE_SSL_CIPHER="
              "'ECDHE-RSA-AES128-GCM-SHA256',SOURCE_TLS_VERSION='TLSv1.3',SOURCE_TLS_CIPHERSUITES="
              "'TLS_AES_128_GCM_SHA256',SOURCE_COMPRESSION_ALGORITHMS='zlib',"
              "SOURCE_ZSTD_COMPRESSION_LEVEL=5,SOURCE_BIND='127.0.0.1',REQUIRE_ROW_FORMAT=1,"
              "REQUIRE_TABLE_PRIMARY_KEY_CHECK=ON,SOURCE_AUTO_POSITION=1");
    settings_remember(settings, ARRAY_LEN(settings));
    assert_done(&d, JOB_FOLLOW, follow(&one)); /* not allowed to read the heartbeat */
    assert_non_null(strstr(d.text, "GRANT SELECT ON performance_schema"));
    settings_stay(settings + 1, ARRAY_LEN(settings) - 1, "following");

    server_do(&two, "GRANT SELECT ON performance_schema.replication_connection_configuration"
                    " TO agent");
    assert_done(&d, JOB_STOP_REPLICA, NO_ARGS);
    server_do(&two, "CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.9',"
                    "SOURCE_HEARTBEAT_PERIOD=2.5");
    assert_done(&d, JOB_FOLLOW, follow(&one));
    settings_stay(settings, ARRAY_LEN(settings), "following");
    assert_done(&d, JOB_STOP_DRAIN, NO_ARGS);
    settings_stay(settings, ARRAY_LEN(settings), "draining");

    server_do(&two, "RESET REPLICA ALL");
    assert_done(&d, JOB_FOLLOW, follow(&one));
    settings_forget(settings, ARRAY_LEN(settings));
    settings_remember(settings, 3);
    assert_string_equal(settings[0].was, "1.000");
    assert_string_equal(settings[1].was, "1");
    assert_string_equal(settings[2].was, "0");
    settings_forget(settings, 3);
    server_do(&one, "CREATE DATABASE shop");
    what_is_on_its_way_is_heard(&d);
    doer_close(&d);
    meter_stop(&m);
    server_stop(&one);
    server_stop(&two);
#undef STATUS
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
        cmocka_unit_test_teardown(mariadb_keeps_what_the_dba_set, tear_down),
        cmocka_unit_test_teardown(mysql_keeps_what_the_dba_set, tear_down),
    };

    if (!server_available())
        return 0;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
