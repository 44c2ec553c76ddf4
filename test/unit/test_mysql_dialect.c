/* SPDX-License-Identifier: GPL-2.0-or-later
 * The two dialects: choosing one, reading answers, writing statements. */
#include "mysql/db_cells.h"
#include "mysql/dialect.h"
#include "mysql/filters.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* An answer from "name=value|name=value" rows; every row has the names of the first. */
static struct db_result answer(const char *const *rows, unsigned n)
{
    struct db_cells *c = NULL;
    struct db_result r = {0};

    for (unsigned pass = 0; pass <= n; pass++) { /* names, then the rows */
        char *copy = strdup(rows[pass ? pass - 1 : 0]), *at = copy, *item;
        unsigned columns = 1;

        for (const char *p = copy; *p; p++)
            columns += *p == '|';
        if (!c)
            c = db_cells_new(columns);
        while ((item = strsep(&at, "|"))) {
            char *value = strchr(item, '=');

            *value++ = 0;
            if (pass == 0)
                assert_true(db_cells_add(c, item, strlen(item)));
            else
                assert_true(db_cells_add(c, strcmp(value, "NULL") ? value : NULL, strlen(value)));
        }
        free(copy);
    }
    r.cells = c;
    r.columns = c->columns;
    r.rows = db_cells_rows(c);
    return r;
}

static struct db_result answer_of(const char *row)
{
    return answer(&row, 1);
}

static void answer_free(struct db_result *r)
{
    db_cells_free((struct db_cells *)r->cells);
}

static const struct dialect *mariadb(void)
{
    return dialect_of(true, 101119);
}

static const struct dialect *mysql(void)
{
    return dialect_of(false, 90704);
}

static void versions_are_read_and_choose_the_statements(void **state)
{
    (void)state;
    assert_int_equal(dialect_version("10.11.19-MariaDB-0+deb12u1-log"), 101119);
    assert_int_equal(dialect_version("5.5.5-11.8.9-MariaDB"), 110809);
    assert_int_equal(dialect_version("9.7.4-2"), 90704);
    assert_int_equal(dialect_version("unknown"), 0);
    assert_string_equal(dialect_of(false, 80023)->text[STMT_COORDINATES], "SHOW MASTER STATUS");
    assert_string_equal(dialect_of(false, 80200)->text[STMT_COORDINATES], "SHOW BINARY LOG STATUS");
    for (unsigned i = 0; i < STMT_N; i++) {
        assert_non_null(mariadb()->text[i]);
        assert_non_null(mysql()->text[i]);
        assert_non_null(dialect_of(false, 80023)->text[i]);
    }
    for (int i = 0; i < 3; i++) { /* what is not asked for reads as off */
        const struct dialect *d = i == 0 ? mariadb() : dialect_of(false, i == 1 ? 80023 : 90704);

        assert_non_null(strstr(d->text[STMT_FACTS], " AS log_updates,"));
    }
}

static void facts_are_read(void **state)
{
    struct db_result r = answer_of(
        "version=9.7.4-2|server_id=7|server_uuid=528f1111-71ca-11e1-9e33-c80aa9429562|read_only=1|"
        "super_read_only=0|log_bin=1|gtid_on=1|pid_file=db.pid|datadir=/data/|"
        "gtid_state=528f1111-71ca-11e1-9e33-c80aa9429562:1-5,\n...|gtid_slave_pos=|gtid_binlog_"
        "pos=");
    struct server_facts f = {0};
    struct err e;

    (void)state;
    assert_int_equal(dialect_read_facts(mysql(), &r, &f, &e), 0);
    assert_int_equal(dialect_read_facts(mysql(), &r, &f, &e), 0); /* again: nothing leaks */
    assert_true(!f.mariadb && f.read_only && !f.super_read_only && f.log_bin && f.gtid_on);
    assert_int_equal(f.server_id, 7);
    assert_int_equal(f.version_number, 90704);
    assert_string_equal(f.pid_file, "/data/db.pid");
    assert_string_equal(f.gtid_slave_pos, "");
    answer_free(&r);
    server_facts_free(&f);
    server_facts_free(&f);

    r = answer_of("version=x|read_only=0");
    assert_true(dialect_read_facts(mysql(), &r, &f, &e) < 0);
    answer_free(&r);
}

#define MARIADB_STATUS                                                                             \
    "Slave_IO_State=|Master_Host=10.0.0.1|Master_User=repl|Master_Port=3307|"                      \
    "Master_Log_File=bin.000002|Read_Master_Log_Pos=900|Relay_Log_File=relay.000001|"              \
    "Relay_Log_Pos=55|Relay_Master_Log_File=bin.000001|Slave_IO_Running=Connecting|"               \
    "Slave_SQL_Running=Yes|Exec_Master_Log_Pos=900|Seconds_Behind_Master=NULL|"                    \
    "Last_IO_Errno=2003|Last_IO_Error=error connecting|Last_SQL_Errno=0|Last_SQL_Error=|"          \
    "Using_Gtid=Slave_Pos|Gtid_IO_Pos=0-1-7"
#define MYSQL_STATUS(channel)                                                                      \
    "Source_Host=10.0.0.2|Source_User=repl|Source_Port=3306|Replica_IO_Running=Yes|"               \
    "Replica_SQL_Running=No|Seconds_Behind_Source=12|Last_SQL_Errno=1146|"                         \
    "Last_SQL_Error=no table|Auto_Position=1|Channel_Name=" channel "|Source_Log_File=b.1|"        \
    "Read_Source_Log_Pos=4|Relay_Source_Log_File=b.1|Exec_Source_Log_Pos=4|"                       \
    "Retrieved_Gtid_Set=528f1111-71ca-11e1-9e33-c80aa9429562:1-5"

static void replica_status_is_read_in_both_dialects(void **state)
{
    struct db_result r = answer_of(MARIADB_STATUS);
    static const char *const channels[] = {MYSQL_STATUS("other"), MYSQL_STATUS("")};
    struct repl_status *s, whole = {0};
    struct server_facts f = {0};
    struct err e;

    (void)state;
    s = &f.repl;
    assert_int_equal(dialect_read_repl(mariadb(), &r, s, &e), 0);
    assert_true(s->configured && s->using_gtid && s->sql_running);
    assert_int_equal(s->io, REPL_IO_CONNECTING);
    assert_int_equal(s->lag_s, -1);
    assert_int_equal(s->source_port, 3307);
    assert_int_equal(s->io_errno, 2003);
    assert_string_equal(s->source_host, "10.0.0.1");
    assert_string_equal(s->received, "0-1-7");
    assert_int_equal(s->relay_pos, 55);
    assert_int_equal(dialect_read_repl(mysql(), &r, &whole, &e), -EINVAL);
    answer_free(&r);

    r = answer(channels, 2);
    assert_int_equal(dialect_read_repl(mysql(), &r, s, &e), 0);
    assert_true(s->configured && s->using_gtid && !s->sql_running);
    assert_int_equal(s->io, REPL_IO_YES);
    assert_int_equal(s->lag_s, 12);
    assert_int_equal(s->sql_errno, 1146);
    answer_free(&r);

    r = answer_of(MYSQL_STATUS("other"));
    assert_int_equal(dialect_read_repl(mysql(), &r, s, &e), 0);
    assert_false(s->configured);
    answer_free(&r);
    server_facts_free(&f);
}

static void drained_is_by_gtid_where_gtid_is_used(void **state)
{
    char received[] = "0-2-107";
    struct repl_status s = {.configured = true, .using_gtid = true, .received = received};
    struct err e;

    (void)state;
    assert_int_equal(dialect_drained(mariadb(), &s, "0-1-106", &e), 0);
    assert_int_equal(dialect_drained(mariadb(), &s, "0-2-107,1-1-1", &e), 1);
    assert_true(dialect_drained(mariadb(), &s, "nonsense", &e) < 0);
    s.using_gtid = false;
    snprintf(s.read_file, sizeof s.read_file, "bin.000002");
    snprintf(s.exec_file, sizeof s.exec_file, "bin.000001");
    s.read_pos = s.exec_pos = 900;
    assert_int_equal(dialect_drained(mariadb(), &s, "", &e), 0);
    snprintf(s.exec_file, sizeof s.exec_file, "bin.000002");
    assert_int_equal(dialect_drained(mariadb(), &s, "", &e), 1);
    s.configured = false;
    assert_int_equal(dialect_drained(mysql(), &s, "", &e), 1);
}

static void clients_are_told_from_replication(void **state)
{
    static const struct {
        const char *row;
        bool client, opens;
    } cases[] = {
        {"Id=1|User=app|Command=Sleep|Info=NULL", true, false},
        {"Id=1|User=app|Command=Query|Info=UPDATE t SET read_only=0", true, true},
        {"Id=1|User=unauthenticated user|Command=Connect|Info=NULL", false, false},
        {"Id=1|User=repl|Command=Binlog Dump|Info=NULL", false, false},
        {"Id=1|User=repl|Command=Binlog Dump GTID|Info=NULL", false, false},
        {"Id=1|User=system user|Command=Slave_IO|Info=NULL", false, false},
        {"Id=1|User=system user|Command=Query|Info=INSERT", false, false},
        {"Id=1|User=event_scheduler|Command=Daemon|Info=NULL", false, false},
        {"Id=1|User=agent|Command=Sleep|Info=NULL", false, false},
        {"Id=1|User=agent|Command=Query|Info=set global read_only = off", false, true},
        {"Id=1|User=agent|Command=Query|Info=SET GLOBAL `super_read_only`:=0", false, true},
        {"Id=1|User=agent|Command=Query|Info=SET GLOBAL read_only=IF(UNIX", false, true},
        {"Id=1|User=agent|Command=Query|Info=SET GLOBAL read_only=1", false, false},
        {"Id=1|User=agent|Command=Query|Info=SET GLOBAL super_read_only=ON", false, false},
        {"Id=1|User=agent|Command=Query|Info=SELECT @@read_only", false, false},
    };
    const char *const ours[] = {"agent", NULL, "monitor"};

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        struct db_result r = answer_of(cases[i].row);

        if (dialect_is_client(&r, 0, ours, 3) != cases[i].client ||
            dialect_opens_writes(&r, 0) != cases[i].opens)
            fail_msg("%s", cases[i].row);
        answer_free(&r);
    }
}

static void following_keeps_what_it_is_not_told(void **state)
{
    struct follow f = {
        .host = "10.0.0.1", .port = 3307, .user = "re'pl", .password = "p\\w", .heartbeat_ms = 250};
    struct follow_kept kept = {0};
    char *sql = dialect_follow_sql(mariadb(), &f, &kept);

    (void)state;
    assert_string_equal(sql,
                        "CHANGE MASTER TO MASTER_HOST='10.0.0.1',MASTER_PORT=3307,"
                        "MASTER_USER='re\\'pl',MASTER_PASSWORD='p\\\\w',MASTER_CONNECT_RETRY=1,"
                        "MASTER_HEARTBEAT_PERIOD=0.250,MASTER_USE_GTID=slave_pos");
    free(sql);
    f.log_file = "bin.000001";
    f.log_pos = 4;
    f.tls = true;
    sql = dialect_follow_sql(mysql(), &f, &kept);
    assert_non_null(strstr(sql, "CHANGE REPLICATION SOURCE TO SOURCE_HOST="));
    assert_non_null(strstr(sql, "SOURCE_SSL=1,SOURCE_SSL_VERIFY_SERVER_CERT=0,"));
    assert_non_null(strstr(sql, "SOURCE_LOG_FILE='bin.000001',SOURCE_LOG_POS=4,"));
    assert_non_null(strstr(sql, "SOURCE_AUTO_POSITION=0"));
    free(sql);
}

static void what_was_chosen_for_following_stays(void **state)
{
    struct follow f = {.host = "10.0.0.1", .port = 3306, .user = "r", .password = "p", .tls = true};
    struct repl_status was = {.configured = true, .connect_retry_s = 60, .retry_count = 10};
    struct db_result r = answer_of("net_timeout=60|heartbeat=30.000");
    struct follow_kept kept;
    char *sql;

    (void)state;
    dialect_read_followed(&r, &was, &kept); /* nothing but defaults */
    assert_true(kept.configured && !kept.connect_retry && !kept.retry_count);
    assert_int_equal(kept.heartbeat_ms, -1);
    sql = dialect_follow_sql(mysql(), &f, &kept);
    assert_non_null(strstr(sql, "SOURCE_CONNECT_RETRY=1,SOURCE_HEARTBEAT_PERIOD=1.000,"));
    assert_non_null(strstr(sql, "GET_SOURCE_PUBLIC_KEY=1,SOURCE_RETRY_COUNT=0,"));
    free(sql);
    answer_free(&r);

    r = answer_of("net_timeout=60|heartbeat=2.500");
    was = (struct repl_status){.configured = true,
                               .connect_retry_s = 7,
                               .retry_count = 33,
                               .tls = true,
                               .public_key = true};
    dialect_read_followed(&r, &was, &kept);
    sql = dialect_follow_sql(mysql(), &f, &kept);
    assert_string_equal(sql, "CHANGE REPLICATION SOURCE TO SOURCE_HOST='10.0.0.1',SOURCE_PORT=3306,"
                             "SOURCE_USER='r',SOURCE_PASSWORD='p',SOURCE_HEARTBEAT_PERIOD=2.500,"
                             "SOURCE_SSL=1,SOURCE_AUTO_POSITION=1");
    free(sql);
    answer_free(&r);

    r = answer_of("net_timeout=60");
    was.heartbeat_ms = 0; /* switched off: MariaDB says so in the status */
    dialect_read_followed(&r, &was, &kept);
    sql = dialect_follow_sql(mariadb(), &f, &kept);
    assert_non_null(strstr(sql, "MASTER_HEARTBEAT_PERIOD=0.000,MASTER_SSL=1,MASTER_USE_GTID"));
    free(sql);
    answer_free(&r);
}

static void filters_are_compared_as_numbers(void **state)
{
    static const char *const rows[] = {
        "Replicate_Do_DB=|Replicate_Ignore_DB=|Binlog_Ignore_DB=",
        "Replicate_Do_DB=a,b|Replicate_Ignore_DB=|Binlog_Ignore_DB=",
        "Replicate_Do_DB=b, a|Replicate_Ignore_DB=|Binlog_Ignore_DB=",
        "Replicate_Do_DB=|Replicate_Ignore_DB=a,b|Binlog_Ignore_DB=",
        "Replicate_Do_DB=a,b|Replicate_Ignore_DB=|Binlog_Ignore_DB=c",
    };
    struct db_result r = answer(rows, ARRAY_LEN(rows));
    unsigned all = FILTERS_TABLES | FILTERS_CHANNEL | FILTERS_BINLOG;
    uint64_t of[ARRAY_LEN(rows)];

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++)
        of[i] = filters_of(&r, i, all);
    assert_true(of[0] == 0 && of[1] != 0);
    assert_true(of[1] == of[2] && of[1] != of[3] && of[1] != of[4]);
    assert_int_equal(of[1] >> FILTER_KIND_SHIFT, 1);
    assert_int_equal(of[4] >> FILTER_KIND_SHIFT, 1 | 1 << 10);
    assert_true(filters_add(filters_of(&r, 4, FILTERS_TABLES), filters_of(&r, 4, FILTERS_BINLOG)) ==
                of[4]);
    answer_free(&r);
}

static void semi_sync_is_read_under_either_name(void **state)
{
    static const char *const old[] = {
        "name=RPL_SEMI_SYNC_MASTER_ENABLED|value=ON",
        "name=RPL_SEMI_SYNC_MASTER_WAIT_POINT|value=AFTER_COMMIT",
        "name=RPL_SEMI_SYNC_MASTER_TIMEOUT|value=10000",
        "name=RPL_SEMI_SYNC_MASTER_WAIT_NO_SLAVE|value=OFF",
        "name=RPL_SEMI_SYNC_SLAVE_ENABLED|value=OFF",
        "name=RPL_SEMI_SYNC_MASTER_STATUS|value=ON",
        "name=RPL_SEMI_SYNC_MASTER_CLIENTS|value=2",
    };
    static const char *const new[] = {
        "name=rpl_semi_sync_source_enabled|value=ON",
        "name=rpl_semi_sync_source_wait_point|value=AFTER_SYNC",
        "name=rpl_semi_sync_source_wait_for_replica_count|value=2",
        "name=rpl_semi_sync_source_wait_no_replica|value=ON",
        "name=rpl_semi_sync_replica_enabled|value=ON",
        "name=Rpl_semi_sync_source_status|value=OFF",
        "name=Rpl_semi_sync_source_wait_sessions|value=3",
        "name=Rpl_semi_sync_replica_status|value=ON",
    };
    struct db_result r = answer(old, ARRAY_LEN(old));
    struct semi_sync s;

    (void)state;
    dialect_read_semi_sync(&r, &s);
    assert_true(s.source && s.active && !s.after_sync && s.no_replica_no_wait && !s.replica);
    assert_int_equal(s.clients, 2);
    assert_int_equal(s.wait_for, 1);
    assert_int_equal(s.timeout_ms, 10000);
    assert_string_equal(s.switch_name, "RPL_SEMI_SYNC_MASTER_ENABLED");
    answer_free(&r);
    r = answer(new, ARRAY_LEN(new));
    dialect_read_semi_sync(&r, &s);
    assert_true(s.source && !s.active && s.after_sync && !s.no_replica_no_wait && s.replica);
    assert_true(s.replica_active);
    assert_int_equal(s.wait_for, 2);
    assert_int_equal(s.waiters, 3);
    answer_free(&r);
}

static void quoting_escapes_and_never_overruns(void **state)
{
    char to[8];

    (void)state;
    assert_int_equal(db_quote(to, sizeof to, "a'\\"), 7);
    assert_string_equal(to, "'a\\'\\\\'");
    assert_int_equal(db_quote(to, sizeof to, "''''"), 10);
    assert_int_equal(strlen(to), 7);
    assert_int_equal(db_quote(NULL, 0, ""), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(versions_are_read_and_choose_the_statements),
        cmocka_unit_test(facts_are_read),
        cmocka_unit_test(replica_status_is_read_in_both_dialects),
        cmocka_unit_test(drained_is_by_gtid_where_gtid_is_used),
        cmocka_unit_test(clients_are_told_from_replication),
        cmocka_unit_test(following_keeps_what_it_is_not_told),
        cmocka_unit_test(what_was_chosen_for_following_stays),
        cmocka_unit_test(filters_are_compared_as_numbers),
        cmocka_unit_test(semi_sync_is_read_under_either_name),
        cmocka_unit_test(quoting_escapes_and_never_overruns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
