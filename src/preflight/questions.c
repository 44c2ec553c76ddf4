/* SPDX-License-Identifier: GPL-2.0-or-later
 * What the servers are asked. Nothing here changes anything. */
#include "preflight/survey.h"

#define ALL      (1u << ACCOUNT_MONITOR | 1u << ACCOUNT_AGENT | 1u << ACCOUNT_REPLICATION)
#define WATCHES  (1u << ACCOUNT_MONITOR | 1u << ACCOUNT_AGENT)
#define AGENT    (1u << ACCOUNT_AGENT)
#define NONSENSE "'hamm preflight'"

static const struct {
    unsigned accounts;
    const char *mariadb, *mysql; /* NULL: not asked */
} questions[Q_N] = {
    [Q_WHO] = {ALL, "SELECT CURRENT_USER() AS who, UNIX_TIMESTAMP(NOW(6)) AS now",
               "SELECT CURRENT_USER() AS who, UNIX_TIMESTAMP(NOW(6)) AS now"},
    [Q_LOGIN] = {ALL, "SHOW CREATE USER", "SHOW CREATE USER CURRENT_USER()"},
    [Q_GRANTS] = {ALL, "SHOW GRANTS", "SHOW GRANTS"},
    [Q_VARIABLES] = {ALL, "SHOW GLOBAL VARIABLES", "SHOW GLOBAL VARIABLES"},
    [Q_BOOT] = {ALL,
                "SELECT LOWER(VARIABLE_NAME) AS name, GLOBAL_VALUE_ORIGIN AS origin,"
                " NULL AS persisted FROM information_schema.SYSTEM_VARIABLES"
                " WHERE VARIABLE_NAME='READ_ONLY'",
                "SELECT i.VARIABLE_NAME AS name, i.VARIABLE_SOURCE AS origin,"
                " p.VARIABLE_VALUE AS persisted FROM performance_schema.variables_info i"
                " LEFT JOIN performance_schema.persisted_variables p"
                " ON p.VARIABLE_NAME=i.VARIABLE_NAME"
                " WHERE i.VARIABLE_NAME IN ('read_only','super_read_only')"},
    [Q_EVENTS] = {ALL, "SELECT COUNT(*) AS n FROM information_schema.EVENTS WHERE STATUS='ENABLED'",
                  "SELECT COUNT(*) AS n FROM information_schema.EVENTS WHERE STATUS='ENABLED'"},
    [Q_SEMI_SYNC] = {ALL, "SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync%'",
                     "SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync%'"},
    [Q_REPLICA] = {WATCHES, "SHOW SLAVE STATUS", "SHOW REPLICA STATUS"},
    [Q_BINLOG] = {WATCHES, "SHOW MASTER STATUS", "SHOW BINARY LOG STATUS"},
    [Q_TRY_READ_ONLY] = {AGENT, "SET GLOBAL read_only=" NONSENSE, "SET GLOBAL read_only=" NONSENSE},
    [Q_TRY_REPLICATION] = {AGENT, "SET GLOBAL gtid_slave_pos=" NONSENSE, NULL},
    [Q_TRY_CONNECTION] = {AGENT, "SET GLOBAL connect_timeout=" NONSENSE, NULL},
    [Q_TRY_PROCESSES] = {AGENT, "SELECT COUNT(*) AS n FROM information_schema.INNODB_TRX",
                         "SELECT COUNT(*) AS n FROM information_schema.INNODB_TRX"},
};

const char *question_text(enum question q, enum account account, bool mariadb, unsigned version)
{
    if (!(questions[q].accounts & 1u << account))
        return NULL;
    if (!mariadb && q == Q_BINLOG && version < 80200)
        return questions[q].mariadb;
    return mariadb ? questions[q].mariadb : questions[q].mysql;
}
