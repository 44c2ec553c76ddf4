/* SPDX-License-Identifier: GPL-2.0-or-later
 * What each check says of an answer: answers in, findings out. */
#include "base/room.h"
#include "preflight/check.h"
#include "preflight/disks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#define PAIRS_MAX 64

/* ---- a cluster of three servers that is well set up ---- */

struct rig {
    struct conf conf;
    struct conf_host host[3];
    struct conf_role role;
    unsigned candidates[2];
    struct survey survey;
    struct sheet sheet;
    const char *pair[3][PAIRS_MAX][2]; /* variables */
    unsigned n[3];
    char id[3][8];
};

static void rig_set(struct rig *r, unsigned host, const char *name, const char *value)
{
    unsigned i = 0;

    while (i < r->n[host] && strcmp(r->pair[host][i][0], name))
        i++;
    assert_true(i < PAIRS_MAX);
    r->pair[host][i][0] = name;
    r->pair[host][i][1] = value;
    if (i == r->n[host])
        r->n[host]++;
}

static void rig_answer(struct rig *r, unsigned host, enum account account, enum question q,
                       unsigned columns, unsigned rows, const char *const *cells)
{
    struct answer *a = &r->survey.host[host].login[account].answer[q];

    answer_free(a);
    answer_make(a, columns, rows, cells);
}

static void rig_refuse(struct rig *r, unsigned host, enum account account, enum question q,
                       enum db_error error, unsigned number)
{
    struct answer *a = &r->survey.host[host].login[account].answer[q];

    answer_free(a);
    a->asked = true;
    a->error = error;
    a->number = number;
    snprintf(a->text, sizeof a->text, "no");
}

static void rig_variables(struct rig *r, unsigned host, bool mariadb)
{
    static const char *const both[][2] = {
        {"log_bin", "ON"},
        {"sync_binlog", "1"},
        {"innodb_flush_log_at_trx_commit", "1"},
        {"read_only", "ON"},
        {"auto_increment_increment", "2"},
        {"event_scheduler", "OFF"},
        {"relay_log_recovery", "ON"},
        {"sync_relay_log", "1"},
        {"binlog_expire_logs_seconds", "604800"},
    };
    static const char *const maria[][2] = {{"log_slave_updates", "ON"},
                                           {"gtid_strict_mode", "ON"},
                                           {"gtid_domain_id", "0"},
                                           {"encrypt_binlog", "OFF"},
                                           {"rpl_semi_sync_master_enabled", "OFF"},
                                           {"rpl_semi_sync_slave_enabled", "OFF"},
                                           {"rpl_semi_sync_master_wait_point", "AFTER_SYNC"},
                                           {"rpl_semi_sync_master_wait_no_slave", "ON"},
                                           {"rpl_semi_sync_master_timeout", "10000"}};
    static const char *const my[][2] = {{"log_replica_updates", "ON"},
                                        {"gtid_mode", "ON"},
                                        {"super_read_only", "ON"},
                                        {"binlog_encryption", "OFF"}};
    static const char *const uuid[] = {"a", "b", "c"};

    for (unsigned i = 0; i < ARRAY_LEN(both); i++)
        rig_set(r, host, both[i][0], both[i][1]);
    for (unsigned i = 0; mariadb && i < ARRAY_LEN(maria); i++)
        rig_set(r, host, maria[i][0], maria[i][1]);
    for (unsigned i = 0; !mariadb && i < ARRAY_LEN(my); i++)
        rig_set(r, host, my[i][0], my[i][1]);
    snprintf(r->id[host], sizeof r->id[host], "%u", host + 1);
    rig_set(r, host, "server_id", r->id[host]);
    rig_set(r, host, "auto_increment_offset", r->id[host]);
    if (!mariadb)
        rig_set(r, host, "server_uuid", uuid[host]);
}

static void rig_logins(struct rig *r, unsigned host, bool mariadb)
{
    static const char *const who[] = {"who", "now", "hamm_agent@10.%", "1.5"};
    static const char *const maria[] = {"Grants", "GRANT REPLICATION SLAVE ON *.* TO `u`@`%`"};
    static const char *const my[] = {
        "Grants", "GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO `u`@`%`",
        "GRANT CONNECTION_ADMIN,SYSTEM_USER,REPLICATION_SLAVE_ADMIN ON *.* TO `u`@`%`"};
    static const char *const boot[] = {"name",   "origin", "persisted",       "read_only",
                                       "CONFIG", NULL,     "super_read_only", "DYNAMIC",
                                       "ON"};
    static const char *const none[] = {"File", "Binlog_Do_DB", "Binlog_Ignore_DB", "b.1", "", ""};
    static const char *const replica[] = {"Slave_IO_Running",
                                          "Slave_SQL_Running",
                                          "Using_Gtid",
                                          "Replica_IO_Running",
                                          "Replica_SQL_Running",
                                          "Auto_Position",
                                          "Replicate_Do_DB",
                                          "Last_IO_Error",
                                          "Yes",
                                          "Yes",
                                          "Slave_Pos",
                                          "Yes",
                                          "Yes",
                                          "1",
                                          "",
                                          ""};

    for (int account = 0; account < ACCOUNT_N; account++) {
        struct login *l = &r->survey.host[host].login[account];

        l->tried = l->in = true;
        l->user = "hamm_agent";
        rig_answer(r, host, (enum account)account, Q_WHO, 2, 1, who);
        rig_answer(r, host, (enum account)account, Q_GRANTS, 1, mariadb ? 1 : 2,
                   mariadb ? maria : my);
        for (int q = Q_TRY_READ_ONLY; account == ACCOUNT_AGENT && q < Q_N; q++)
            rig_refuse(r, host, ACCOUNT_AGENT, (enum question)q, DB_SQL, 1231);
    }
    rig_answer(r, host, ACCOUNT_AGENT, Q_BOOT, 3, 2, boot);
    rig_answer(r, host, ACCOUNT_MONITOR, Q_BINLOG, 3, 1, none);
    rig_answer(r, host, ACCOUNT_AGENT, Q_BINLOG, 3, 1, none);
    rig_answer(r, host, ACCOUNT_MONITOR, Q_REPLICA, 8, 1, replica);
    rig_answer(r, host, ACCOUNT_AGENT, Q_REPLICA, 8, 1, replica);
}

static void rig_start(struct rig *r, bool mariadb)
{
    static const char *const names[] = {"db1", "db2", "db3"};

    memset(r, 0, sizeof *r);
    r->conf.hosts = r->host;
    r->conf.n_hosts = 3;
    r->conf.roles = &r->role;
    r->conf.n_roles = 1;
    r->conf.failover.lease_ms = 2000;
    r->role.hosts = r->candidates;
    r->role.n_hosts = 2;
    r->candidates[1] = 1;
    for (unsigned i = 0; i < 3; i++) {
        r->host[i].name = names[i];
        r->host[i].mode = i < 2 ? CONF_HOST_MASTER : CONF_HOST_REPLICA;
    }
    survey_init(&r->survey, &r->conf, CONF_NONE);
    for (unsigned i = 0; i < 3; i++) {
        struct looked *h = &r->survey.host[i];

        h->answers = true;
        h->mariadb = mariadb;
        h->version = mariadb ? 101119 : 90704;
        snprintf(h->server, sizeof h->server, "%s", mariadb ? "10.11.19-MariaDB" : "9.7.4");
        rig_logins(r, i, mariadb);
        rig_variables(r, i, mariadb);
    }
}

static void rig_judge(struct rig *r)
{
    for (unsigned host = 0; host < 3; host++) {
        const char *cells[2 * (PAIRS_MAX + 1)] = {"Variable_name", "Value"};

        for (unsigned i = 0; i < r->n[host]; i++) {
            cells[2 + 2 * i] = r->pair[host][i][0];
            cells[3 + 2 * i] = r->pair[host][i][1];
        }
        rig_answer(r, host, ACCOUNT_AGENT, Q_VARIABLES, 2, r->n[host], cells);
    }
    sheet_free(&r->sheet);
    judge_all(&r->survey, &r->sheet);
}

static void rig_stop(struct rig *r)
{
    survey_free(&r->survey);
    sheet_free(&r->sheet);
}

/* The worst thing said about it; NULL: nothing. */
static const struct finding *rig_find(const struct rig *r, const char *host, const char *check)
{
    const struct finding *worst = NULL;

    for (size_t i = 0; i < r->sheet.n; i++) {
        const struct finding *f = &r->sheet.at[i];

        if (!strcmp(f->host, host) && !strcmp(f->check, check) &&
            (!worst || f->verdict > worst->verdict))
            worst = f;
    }
    return worst;
}

static void assert_found(const struct rig *r, const char *host, const char *check,
                         enum verdict verdict, const char *fix)
{
    const struct finding *f = rig_find(r, host, check);

    if (!f)
        fail_msg("%s %s: nothing is said", host, check);
    if (f->verdict != verdict || !strstr(f->fix, fix))
        fail_msg("%s %s: verdict %d, '%s', fix '%s'", host, check, f->verdict, f->why, f->fix);
    if (verdict != VERDICT_OK && !*f->fix)
        fail_msg("%s %s: '%s' without a fix", host, check, f->why);
}

/* ---- the tests ---- */

static void a_good_set_up_is_ok_and_every_check_speaks(void **state)
{
    struct rig r;

    (void)state;
    for (int mariadb = 0; mariadb < 2; mariadb++) {
        rig_start(&r, mariadb);
        rig_judge(&r);
        for (size_t i = 0; i < r.sheet.n; i++)
            if (r.sheet.at[i].verdict != VERDICT_OK || *r.sheet.at[i].fix)
                fail_msg("%s %s: %s", r.sheet.at[i].host, r.sheet.at[i].check, r.sheet.at[i].why);
        for (size_t i = 0; i < n_checks; i++)
            if (checks[i].flavours & (mariadb ? ON_MARIADB : ON_MYSQL) &&
                !rig_find(&r, "db1", checks[i].name) &&
                !(mariadb && !strcmp(checks[i].name, "relay_log_recovery")))
                fail_msg("%s says nothing", checks[i].name);
        rig_stop(&r);
    }
}

static void settings_are_judged(void **state)
{
    static const struct {
        bool mariadb;
        unsigned host;
        const char *variable, *value, *check;
        enum verdict verdict;
        const char *fix;
    } cases[] = {
        {true, 0, "log_bin", "OFF", "log_bin", VERDICT_FAIL, "in my.cnf: log_bin = bin; restart"},
        {true, 2, "log_bin", "OFF", "log_bin", VERDICT_WARN, "in my.cnf: log_bin = bin"},
        {true, 1, "log_slave_updates", "OFF", "log_slave_updates", VERDICT_FAIL, "restart mysqld"},
        {false, 1, "log_replica_updates", "OFF", "log_replica_updates", VERDICT_FAIL,
         "SET PERSIST_ONLY log_replica_updates = ON; restart mysqld"},
        {true, 0, "sync_binlog", "0", "sync_binlog", VERDICT_FAIL,
         "SET GLOBAL sync_binlog = 1; in my.cnf: sync_binlog = 1"},
        {false, 0, "sync_binlog", "100", "sync_binlog", VERDICT_FAIL,
         "SET PERSIST sync_binlog = 1;"},
        {false, 0, "innodb_flush_log_at_trx_commit", "2", "innodb_flush_log_at_trx_commit",
         VERDICT_FAIL, "SET PERSIST"},
        {true, 0, "gtid_strict_mode", "OFF", "gtid_strict_mode", VERDICT_WARN, "SET GLOBAL"},
        {true, 1, "gtid_domain_id", "7", "gtid_domain_id", VERDICT_WARN, "gtid_domain_id = 0"},
        {false, 1, "gtid_mode", "OFF", "gtid_mode", VERDICT_WARN, "OFF_PERMISSIVE"},
        {false, 1, "gtid_mode", "ON_PERMISSIVE", "gtid_mode", VERDICT_FAIL, "gtid_mode = ON;"},
        {false, 1, "relay_log_recovery", "OFF", "relay_log_recovery", VERDICT_WARN,
         "SET PERSIST_ONLY relay_log_recovery"},
        {true, 1, "server_id", "1", "server_id", VERDICT_FAIL, "SET GLOBAL server_id = 2;"},
        {true, 2, "server_id", "0", "server_id", VERDICT_FAIL, "SET GLOBAL server_id = 3;"},
        {false, 2, "server_uuid", "a", "server_uuid", VERDICT_FAIL, "auto.cnf; restart"},
        {true, 0, "auto_increment_increment", "1", "auto_increment", VERDICT_WARN,
         "SET GLOBAL auto_increment_offset = 1;"},
        {false, 1, "auto_increment_offset", "1", "auto_increment", VERDICT_WARN,
         "SET PERSIST auto_increment_offset = 2;"},
        {true, 0, "event_scheduler", "ON", "event_scheduler", VERDICT_WARN, "event_scheduler"},
        {true, 0, "encrypt_binlog", "ON", "encrypt_binlog", VERDICT_WARN, "encrypt_binlog = 0"},
        {false, 0, "binlog_encryption", "ON", "binlog_encryption", VERDICT_WARN, "SET PERSIST"},
        {true, 0, "binlog_expire_logs_seconds", "600", "binlog expiry", VERDICT_WARN, "604800"},
        {true, 2, "replicate_ignore_db", "x", "replication filters", VERDICT_WARN,
         "STOP SLAVE; SET GLOBAL replicate_ignore_db = '';"},
    };
    struct rig r;

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        rig_start(&r, cases[i].mariadb);
        rig_set(&r, cases[i].host, cases[i].variable, cases[i].value);
        rig_judge(&r);
        assert_found(&r, r.host[cases[i].host].name, cases[i].check, cases[i].verdict,
                     cases[i].fix);
        rig_stop(&r);
    }
}

static void a_filter_that_differs_fails(void **state)
{
    struct rig r;

    (void)state;
    rig_start(&r, true);
    rig_set(&r, 0, "replicate_ignore_db", "");
    rig_set(&r, 2, "replicate_ignore_db", "x");
    rig_judge(&r);
    assert_found(&r, "db3", "replication filters", VERDICT_FAIL, "replicate_ignore_db");
    assert_found(&r, "db1", "replication filters", VERDICT_OK, "");
    rig_stop(&r);
}

static void where_read_only_comes_from(void **state)
{
    static const struct {
        bool mariadb;
        const char *is, *origin, *persisted;
        enum verdict verdict;
    } cases[] = {
        {true, "ON", "CONFIG", NULL, VERDICT_OK},
        {true, "OFF", "COMPILE-TIME", NULL, VERDICT_FAIL},
        {true, "ON", "SQL", NULL, VERDICT_WARN},
        {false, "ON", "GLOBAL", NULL, VERDICT_OK},
        {false, "OFF", "COMPILED", NULL, VERDICT_FAIL},
        {false, "ON", "DYNAMIC", NULL, VERDICT_WARN},
        {false, "OFF", "DYNAMIC", "ON", VERDICT_OK},
        {false, "ON", "PERSISTED", "OFF", VERDICT_FAIL},
    };
    struct rig r;

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        const char *name = cases[i].mariadb ? "read_only" : "super_read_only";
        const char *cells[] = {"name", "origin",        "persisted",
                               name,   cases[i].origin, cases[i].persisted};

        rig_start(&r, cases[i].mariadb);
        rig_set(&r, 0, name, cases[i].is);
        rig_answer(&r, 0, ACCOUNT_AGENT, Q_BOOT, 3, 1, cells);
        rig_judge(&r);
        assert_found(&r, "db1", "read_only at start", cases[i].verdict,
                     cases[i].verdict == VERDICT_OK ? "" : "read_only");
        rig_stop(&r);
    }
}

static void what_semi_sync_is_worth(void **state)
{
    static const struct {
        const char *variable, *value, *fix;
        enum verdict verdict;
    } cases[] = {
        {"sync_relay_log", "1", "", VERDICT_OK},
        {"rpl_semi_sync_master_enabled", "OFF", "rpl_semi_sync_master_enabled = ON", VERDICT_FAIL},
        {"rpl_semi_sync_slave_enabled", "OFF", "START SLAVE IO_THREAD", VERDICT_FAIL},
        {"rpl_semi_sync_master_wait_point", "AFTER_COMMIT", "AFTER_SYNC", VERDICT_FAIL},
        {"rpl_semi_sync_master_wait_no_slave", "OFF", "wait_no_slave = ON", VERDICT_FAIL},
        {"rpl_semi_sync_master_timeout", "3340", "timeout = 10000", VERDICT_FAIL},
        {"rpl_semi_sync_master_timeout", "3341", "", VERDICT_OK},
        {"sync_relay_log", "10000", "sync_relay_log = 1", VERDICT_WARN},
    };
    struct rig r;

    (void)state;
    for (unsigned i = 0; i < ARRAY_LEN(cases); i++) {
        rig_start(&r, true);
        for (unsigned host = 0; host < 2; host++) {
            rig_set(&r, host, "rpl_semi_sync_master_enabled", "ON");
            rig_set(&r, host, "rpl_semi_sync_slave_enabled", "ON");
        }
        rig_set(&r, 1, cases[i].variable, cases[i].value);
        rig_judge(&r);
        assert_found(&r, "db2", "semi-sync", cases[i].verdict, cases[i].fix);
        assert_found(&r, "db1", "semi-sync", VERDICT_OK, "");
        assert_null(rig_find(&r, "db3", "semi-sync"));
        rig_stop(&r);
    }
    rig_start(&r, false); /* MySQL: the plugin is on one host only */
    rig_set(&r, 0, "rpl_semi_sync_source_enabled", "ON");
    rig_set(&r, 0, "rpl_semi_sync_replica_enabled", "ON");
    rig_judge(&r);
    assert_found(&r, "db2", "semi-sync", VERDICT_FAIL, "INSTALL PLUGIN rpl_semi_sync_source");
    rig_stop(&r);
}

static void privileges_that_are_missing(void **state)
{
    struct rig r;
    struct login *l;

    (void)state;
    rig_start(&r, true);
    rig_refuse(&r, 0, ACCOUNT_AGENT, Q_TRY_READ_ONLY, DB_DENIED, 1227);
    rig_refuse(&r, 0, ACCOUNT_MONITOR, Q_REPLICA, DB_DENIED, 1227);
    rig_refuse(&r, 1, ACCOUNT_AGENT, Q_TRY_PROCESSES, DB_TIMEOUT, 0);
    rig_judge(&r);
    assert_found(&r, "db1", "agent sets read_only", VERDICT_FAIL,
                 "GRANT READ_ONLY ADMIN ON *.* TO 'hamm_agent'@'10.%';");
    assert_found(&r, "db1", "monitor sees replication", VERDICT_FAIL, "GRANT SLAVE MONITOR");
    assert_int_equal(rig_find(&r, "db2", "agent sees clients")->verdict, VERDICT_WARN);
    rig_stop(&r);

    rig_start(&r, false);
    rig_answer(&r, 0, ACCOUNT_AGENT, Q_GRANTS, 1, 2,
               (const char *const[]){"Grants", "GRANT SELECT ON *.* TO `u`@`%`",
                                     "GRANT XCONNECTION_ADMIN ON *.* TO `u`@`%`"});
    rig_answer(&r, 1, ACCOUNT_AGENT, Q_GRANTS, 1, 1,
               (const char *const[]){"Grants", "GRANT ALL PRIVILEGES ON *.* TO `u`@`%`"});
    rig_answer(&r, 2, ACCOUNT_AGENT, Q_GRANTS, 1, 1,
               (const char *const[]){"Grants", "GRANT CONNECTION_ADMIN ON `shop`.* TO `u`@`%`"});
    rig_judge(&r);
    assert_found(&r, "db1", "agent ends clients", VERDICT_FAIL, "GRANT CONNECTION_ADMIN");
    assert_found(&r, "db2", "agent ends clients", VERDICT_OK, "");
    assert_found(&r, "db3", "agent ends clients", VERDICT_FAIL, "GRANT CONNECTION_ADMIN");
    rig_stop(&r);

    rig_start(&r, true);
    l = &r.survey.host[0].login[ACCOUNT_AGENT];
    l->in = false;
    l->error = DB_DENIED;
    rig_judge(&r);
    assert_found(&r, "db1", "agent account", VERDICT_WARN, "on db1: hamm preflight");
    l->needed = true;
    rig_judge(&r);
    assert_found(&r, "db1", "agent account", VERDICT_FAIL, "ALTER USER");
    l->error = DB_REFUSED;
    l->needed = false;
    rig_judge(&r);
    assert_found(&r, "db1", "agent account", VERDICT_FAIL, "start mysqld");
    rig_stop(&r);
}

static void replication_that_stands_still(void **state)
{
    static const char *const names[] = {"Slave_IO_Running", "Slave_SQL_Running", "Last_IO_Error"};
    struct rig r;

    (void)state;
    rig_start(&r, true);
    rig_answer(&r, 1, ACCOUNT_AGENT, Q_REPLICA, 3, 1,
               (const char *const[]){names[0], names[1], names[2], "No", "No", ""});
    rig_answer(&r, 2, ACCOUNT_AGENT, Q_REPLICA, 3, 1,
               (const char *const[]){names[0], names[1], names[2], "No", "Yes",
                                     "Got fatal error 1236 from source"});
    rig_judge(&r);
    assert_found(&r, "db2", "replication runs", VERDICT_WARN, "START SLAVE;");
    assert_found(&r, "db3", "replication runs", VERDICT_WARN, "made anew");
    rig_stop(&r);
}

static void clocks_and_versions(void **state)
{
    struct rig r;

    (void)state;
    rig_start(&r, true);
    for (int i = 0; i < ACCOUNT_N; i++)
        r.survey.host[1].login[i].clock_off_ms = -1300;
    r.survey.host[2].login[ACCOUNT_MONITOR].clock_off_ms = 1300;
    r.survey.host[2].login[ACCOUNT_MONITOR].clock_doubt_ms = 400;
    r.survey.host[0].version = 100400;
    rig_judge(&r);
    assert_found(&r, "db2", "clock", VERDICT_WARN, "timedatectl");
    assert_found(&r, "db3", "clock", VERDICT_OK, "");
    assert_found(&r, "db1", "version", VERDICT_FAIL, "10.5");
    r.survey.host[2].mariadb = false;
    rig_judge(&r);
    assert_found(&r, "db2", "version", VERDICT_FAIL, "one kind");
    rig_stop(&r);
}

static void questions_fit_the_server(void **state)
{
    (void)state;
    assert_string_equal(question_text(Q_BINLOG, ACCOUNT_MONITOR, false, 80036),
                        "SHOW MASTER STATUS");
    assert_string_equal(question_text(Q_BINLOG, ACCOUNT_MONITOR, false, 80400),
                        "SHOW BINARY LOG STATUS");
    assert_null(question_text(Q_REPLICA, ACCOUNT_REPLICATION, true, 101119));
    assert_null(question_text(Q_TRY_READ_ONLY, ACCOUNT_MONITOR, true, 101119));
}

static void room_is_judged(const struct sheet *s, enum verdict verdict, const char *why)
{
    const struct finding *f = &s->at[s->n - 1];

    assert_int_equal(f->verdict, verdict);
    assert_string_equal(f->why, why);
    assert_int_equal(!*f->fix, verdict == VERDICT_OK);
    assert_true(verdict == VERDICT_OK || strstr(f->fix, "on db1: free space on the disk with /d "));
}

static void disks_are_judged_as_the_agent_does(void **state)
{
    struct sheet s = {0};

    (void)state;
    disk_judge(&s, "db1", DISK_BINLOG, "/d", ROOM_LOW);
    room_is_judged(&s, VERDICT_OK, "/d, 1.0 GiB free");
    disk_judge(&s, "db1", DISK_BINLOG, "/d", ROOM_LOW - 1);
    room_is_judged(&s, VERDICT_WARN,
                   "/d, 1024.0 MiB free: less than one more binary log file of the usual size");
    disk_judge(&s, "db1", DISK_BINLOG, "/d", ROOM_FULL);
    room_is_judged(&s, VERDICT_WARN,
                   "/d, 1.0 MiB free: less than one more binary log file of the usual size");
    disk_judge(&s, "db1", DISK_BINLOG, "/d", ROOM_FULL - 1);
    room_is_judged(&s, VERDICT_FAIL,
                   "/d, 1.0 MiB free, it is full: commits wait, and this host never becomes the "
                   "writer by itself");
    disk_judge(&s, "db1", DISK_STATE, "/d", ROOM_SPARE);
    room_is_judged(&s, VERDICT_OK, "/d, 64.0 MiB free");
    disk_judge(&s, "db1", DISK_STATE, "/d", ROOM_SPARE - 1);
    room_is_judged(&s, VERDICT_WARN, "/d, 64.0 MiB free: nothing of a binary log is kept in it");
    sheet_free(&s);
}

static void disks_that_are_not_known_are_said(void **state)
{
    static struct conf_host host = {.name = "db1"};
    struct conf c = {.hosts = &host, .n_hosts = 1, .state_dir = "/dev/shm/hamm-not-there/deeper"};
    struct looked h = {.conf = &host};
    struct sheet s = {0};

    (void)state;
    disks_look(&c, &h, &s);
    assert_int_equal(s.n, 2);
    assert_int_equal(s.at[0].verdict, VERDICT_WARN);
    assert_non_null(strstr(s.at[0].why, "not looked at: the server could not be asked"));
    assert_int_equal(s.at[1].verdict, VERDICT_OK); /* what is not made yet: where it will be */
    assert_string_equal(s.at[1].check, "disk of state_dir");
    sheet_free(&s);
    c.state_dir = "/dev/null/x";
    disks_look(&c, NULL, &s);
    assert_int_equal(s.n, 1);
    assert_string_equal(s.at[0].host, "");
    assert_non_null(strstr(s.at[0].why, "/dev/null/x is not looked at: Not a directory"));
    sheet_free(&s);
}

static void the_sheet_groups_hosts_and_keeps_to_ascii(void **state)
{
    struct sheet s = {0};
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    (void)state;
    sheet_add(&s, "db1", "log_bin", VERDICT_OK, "ON");
    sheet_add(&s, "db2", "log_bin", VERDICT_FAIL, "is OFF:\n\xc3\xa4");
    sheet_fix(&s, "in my.cnf: log_bin = bin");
    sheet_add(&s, "db1", "clock", VERDICT_OK, "x");
    sheet_add(&s, "db2", "clock", VERDICT_OK, "x");
    sheet_add(&s, "", "agent account", VERDICT_WARN, "left out");
    sheet_print(&s, "shop", 2, false, (const char *[]){"db1", "db2"}, 2, f);
    sheet_print_json(&s, "shop", (const char *[]){"db2"}, 1, f);
    fclose(f);
    assert_non_null(strstr(text,
                           "1 failure\nnot looked at: disks, role addresses and kernel of db1 "
                           "db2; run it there, too\n"));
    assert_non_null(strstr(text, "\"not_looked_at\": [\n  \"db2\"\n ]"));
    assert_non_null(strstr(text, "ok    db1           log_bin        ON\n"));
    assert_non_null(strstr(text, "ok    all hosts     clock          x\n"));
    assert_non_null(strstr(text, "warn  this machine  agent account  left out\n"));
    assert_non_null(
        strstr(text, "fail  db2           log_bin        is OFF: ??  ->  in my.cnf: log_bin"));
    assert_non_null(strstr(text, "shop: 2 hosts, 3 ok, 1 warning, 1 failure\n"));
    assert_non_null(strstr(text, "\"host\": null"));
    free(text);
    sheet_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_set_up_is_ok_and_every_check_speaks),
        cmocka_unit_test(settings_are_judged),
        cmocka_unit_test(a_filter_that_differs_fails),
        cmocka_unit_test(where_read_only_comes_from),
        cmocka_unit_test(what_semi_sync_is_worth),
        cmocka_unit_test(privileges_that_are_missing),
        cmocka_unit_test(replication_that_stands_still),
        cmocka_unit_test(clocks_and_versions),
        cmocka_unit_test(questions_fit_the_server),
        cmocka_unit_test(disks_are_judged_as_the_agent_does),
        cmocka_unit_test(disks_that_are_not_known_are_said),
        cmocka_unit_test(the_sheet_groups_hosts_and_keeps_to_ascii),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
