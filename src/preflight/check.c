/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "preflight/check.h"

const struct check checks[] = {
    {"monitor account", ON_BOTH, Q_WHO, .judge = judge_login, .account = ACCOUNT_MONITOR},
    {"monitor sees replication", ON_MARIADB, Q_REPLICA, .judge = judge_try,
     .account = ACCOUNT_MONITOR, .privilege = "SLAVE MONITOR"},
    {"monitor sees replication", ON_MYSQL, Q_REPLICA, .judge = judge_try,
     .account = ACCOUNT_MONITOR, .privilege = "REPLICATION CLIENT"},
    {"monitor sees the binlog", ON_MARIADB, Q_BINLOG, .judge = judge_try,
     .account = ACCOUNT_MONITOR, .privilege = "BINLOG MONITOR"},
    {"agent account", ON_BOTH, Q_WHO, .judge = judge_login, .account = ACCOUNT_AGENT},
    {"agent sees replication", ON_MARIADB, Q_REPLICA, .judge = judge_try, .account = ACCOUNT_AGENT,
     .privilege = "SLAVE MONITOR"},
    {"agent sees replication", ON_MYSQL, Q_REPLICA, .judge = judge_try, .account = ACCOUNT_AGENT,
     .privilege = "REPLICATION CLIENT"},
    {"agent sees the binlog", ON_MARIADB, Q_BINLOG, .judge = judge_try, .account = ACCOUNT_AGENT,
     .privilege = "BINLOG MONITOR"},
    {"agent sets read_only", ON_MARIADB, Q_TRY_READ_ONLY, .judge = judge_try,
     .account = ACCOUNT_AGENT, .privilege = "READ_ONLY ADMIN"},
    {"agent sets read_only", ON_MYSQL, Q_TRY_READ_ONLY, .judge = judge_try,
     .account = ACCOUNT_AGENT, .privilege = "SYSTEM_VARIABLES_ADMIN"},
    {"agent sets replication", ON_MARIADB, Q_TRY_REPLICATION, .judge = judge_try,
     .account = ACCOUNT_AGENT, .privilege = "REPLICATION SLAVE ADMIN"},
    {"agent sets replication", ON_MYSQL, Q_GRANTS, .judge = judge_grant, .account = ACCOUNT_AGENT,
     .privilege = "REPLICATION_SLAVE_ADMIN"},
    {"agent ends clients", ON_MARIADB, Q_TRY_CONNECTION, .judge = judge_try,
     .account = ACCOUNT_AGENT, .privilege = "CONNECTION ADMIN"},
    {"agent ends clients", ON_MYSQL, Q_GRANTS, .judge = judge_grant, .account = ACCOUNT_AGENT,
     .privilege = "CONNECTION_ADMIN"},
    {"agent ends root's clients", ON_MYSQL, Q_GRANTS, .judge = judge_grant,
     .account = ACCOUNT_AGENT, .privilege = "SYSTEM_USER"},
    {"agent sees clients", ON_BOTH, Q_TRY_PROCESSES, .judge = judge_try, .account = ACCOUNT_AGENT,
     .privilege = "PROCESS"},
    {"replication account", ON_BOTH, Q_WHO, .judge = judge_login, .account = ACCOUNT_REPLICATION},
    {"replication may read", ON_BOTH, Q_GRANTS, .judge = judge_grant,
     .account = ACCOUNT_REPLICATION, .privilege = "REPLICATION SLAVE"},
    {"version", ON_BOTH, Q_WHO, .judge = judge_version},
    {"clock", ON_BOTH, Q_WHO, .judge = judge_clock},

    {"server_id", ON_BOTH, Q_VARIABLES, .judge = judge_server_id},
    {"server_uuid", ON_MYSQL, Q_VARIABLES, .judge = judge_server_uuid},
    {"log_bin", ON_BOTH, Q_VARIABLES, .judge = judge_setting, .want = "ON", .file = "bin",
     .how = HOW_FILE, .verdict = VERDICT_FAIL,
     .why = "as the writer it could not serve the others"},
    {"log_slave_updates", ON_MARIADB, Q_VARIABLES, .judge = judge_setting, .want = "ON",
     .file = "1", .how = HOW_FILE, .verdict = VERDICT_FAIL,
     .why = "as the writer it could not serve what it received from others"},
    {"log_replica_updates", ON_MYSQL, Q_VARIABLES, .judge = judge_setting,
     .formerly = "log_slave_updates", .want = "ON", .how = HOW_RESTART, .verdict = VERDICT_FAIL,
     .why = "as the writer it could not serve what it received from others"},
    {"binlog filters", ON_BOTH, Q_BINLOG, .judge = judge_binlog_filters},
    {"read_only at start", ON_MARIADB, Q_BOOT, .judge = judge_read_only, .want = "read_only"},
    {"read_only at start", ON_MYSQL, Q_BOOT, .judge = judge_read_only, .want = "super_read_only"},
    {"sync_binlog", ON_BOTH, Q_VARIABLES, .judge = judge_setting, .want = "1",
     .verdict = VERDICT_FAIL,
     .why = "a power cut loses what replicas have already, and its GTIDs are used again"},
    {"innodb_flush_log_at_trx_commit", ON_BOTH, Q_VARIABLES, .judge = judge_setting, .want = "1",
     .verdict = VERDICT_FAIL, .why = "a power cut loses transactions that its binary log has"},
    {"gtid_strict_mode", ON_MARIADB, Q_VARIABLES, .judge = judge_setting, .want = "ON",
     .verdict = VERDICT_WARN,
     .why = "a transaction that nobody else has does not stop replication at once"},
    {"gtid_domain_id", ON_MARIADB, Q_VARIABLES, .judge = judge_domain},
    {"gtid_mode", ON_MYSQL, Q_VARIABLES, .judge = judge_gtid_mode},
    {"replication runs", ON_BOTH, Q_REPLICA, .judge = judge_replication},
    {"follows by GTID", ON_BOTH, Q_REPLICA, .judge = judge_follows_by_gtid},
    {"relay_log_recovery", ON_BOTH, Q_VARIABLES, .judge = judge_relay_log},
    {"replication filters", ON_BOTH, Q_REPLICA, .judge = judge_filters},
    {"semi-sync", ON_BOTH, Q_VARIABLES, .judge = judge_semi_sync},
    {"auto_increment", ON_BOTH, Q_VARIABLES, .judge = judge_auto_increment},
    {"event_scheduler", ON_BOTH, Q_VARIABLES, .judge = judge_events},
    {"encrypt_binlog", ON_MARIADB, Q_VARIABLES, .judge = judge_setting, .want = "OFF", .file = "0",
     .how = HOW_FILE, .verdict = VERDICT_WARN,
     .why = "when its mysqld dies, nothing can be salvaged from an encrypted binary log"},
    {"binlog_encryption", ON_MYSQL, Q_VARIABLES, .judge = judge_setting, .want = "OFF",
     .verdict = VERDICT_WARN,
     .why = "when its mysqld dies, nothing can be salvaged from an encrypted binary log"},
    {"binlog expiry", ON_BOTH, Q_VARIABLES, .judge = judge_expiry},
};
const size_t n_checks = ARRAY_LEN(checks);

void judge_all(const struct survey *s, struct sheet *out)
{
    for (size_t host = 0; host < s->conf->n_hosts; host++) {
        const struct looked *h = &s->host[host];
        unsigned flavour = !h->answers ? ON_BOTH : h->mariadb ? ON_MARIADB : ON_MYSQL;

        for (size_t i = 0; i < n_checks; i++) {
            const struct check *c = &checks[i];

            if (c->judge == judge_login ||
                (h->answers && c->flavours & flavour && survey_answer(h, c->asks)))
                c->judge(c, s, h, out);
        }
    }
}

void fix_variable(struct sheet *out, const struct looked *h, const char *name, const char *value,
                  const char *file, enum how how)
{
    if (how == HOW_FILE)
        sheet_fix(out, "in my.cnf: %s = %s; restart mysqld", name, file ? file : value);
    else if (!h->mariadb)
        sheet_fix(out, "SET %s %s = %s;%s", how == HOW_RESTART ? "PERSIST_ONLY" : "PERSIST", name,
                  value, how == HOW_RESTART ? " restart mysqld" : "");
    else if (how == HOW_RESTART)
        sheet_fix(out, "in my.cnf: %s = %s; restart mysqld", name, file ? file : value);
    else
        sheet_fix(out, "SET GLOBAL %s = %s; in my.cnf: %s = %s", name, value, name,
                  file ? file : value);
}
