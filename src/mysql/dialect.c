/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "mysql/dialect.h"

#include "base/buf.h"
#include "gtid/gtid.h"
#include "mysql/filters.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the tables ---- */

#define PROCESSES "SHOW PROCESSLIST"
#define TRANSACTIONS                                                                               \
    "SELECT trx_mysql_thread_id AS id, trx_state AS state FROM information_schema.innodb_trx"
/* NOW() is the moment the server begins with the statement: one that lay in a socket while the
 * server was stopped comes too late, and changes nothing. */
#define READ_ONLY_OFF "SET GLOBAL read_only=IF(UNIX_TIMESTAMP(NOW(6))<%s,0,@@global.read_only)"

#define SEMI_SYNC(schema)                                                                          \
    "SELECT variable_name AS name, variable_value AS value FROM " schema ".global_variables"       \
    " WHERE variable_name LIKE 'rpl_semi_sync%' UNION ALL SELECT variable_name, variable_value"    \
    " FROM " schema ".global_status WHERE variable_name LIKE 'rpl_semi_sync%'"
/* MariaDB shows its filters also while it follows nobody. */
#define MARIADB_FILTERS                                                                            \
    " @@global.replicate_do_db AS Replicate_Do_DB, @@global.replicate_ignore_db AS"                \
    " Replicate_Ignore_DB, @@global.replicate_do_table AS Replicate_Do_Table,"                     \
    " @@global.replicate_ignore_table AS Replicate_Ignore_Table,"                                  \
    " @@global.replicate_wild_do_table AS Replicate_Wild_Do_Table,"                                \
    " @@global.replicate_wild_ignore_table AS Replicate_Wild_Ignore_Table,"
#define LOOK_TRX                                                                                   \
    "SELECT t.trx_mysql_thread_id AS id, p.user AS user, p.host AS host,"                          \
    " TIMESTAMPDIFF(SECOND, t.trx_started, NOW()) AS age, t.trx_rows_modified AS changed"          \
    " FROM information_schema.innodb_trx t"                                                        \
    " JOIN information_schema.processlist p ON p.id=t.trx_mysql_thread_id"                         \
    " WHERE p.user<>'system user' AND (t.trx_rows_modified>0 OR t.trx_rows_locked>0"               \
    " OR t.trx_tables_locked>0 OR t.trx_query IS NOT NULL) ORDER BY t.trx_started"

static const struct dialect mariadb = {
    .name = "MariaDB",
    .mariadb = true,
    .text =
        {
            [STMT_FACTS] = "SELECT @@version AS version, @@server_id AS server_id,"
                           " '' AS server_uuid, @@global.read_only AS read_only,"
                           " 0 AS super_read_only, @@log_bin AS log_bin, 1 AS gtid_on,"
                           " @@log_slave_updates AS log_updates,"
                           " @@pid_file AS pid_file, @@datadir AS datadir,"
                           " @@log_bin_index AS log_bin_index," MARIADB_FILTERS
                           " @@global.gtid_binlog_state AS gtid_state,"
                           " @@global.gtid_slave_pos AS gtid_slave_pos,"
                           " @@global.gtid_binlog_pos AS gtid_binlog_pos",
            [STMT_REPL_STATUS] = "SHOW ALL SLAVES STATUS", /* with the heartbeat's period */
            [STMT_COORDINATES] = "SHOW MASTER STATUS",
            [STMT_FOLLOWED] = "SELECT @@global.slave_net_timeout AS net_timeout",
            [STMT_SEMI_SYNC] = SEMI_SYNC("information_schema"),
            [STMT_HALF_READ] = "",
            [STMT_STOP_BOTH] = "STOP SLAVE",
            [STMT_STOP_RECEIVER] = "STOP SLAVE IO_THREAD",
            [STMT_START_BOTH] = "START SLAVE",
            [STMT_START_APPLIER] = "START SLAVE SQL_THREAD",
            [STMT_PROCESSES] = PROCESSES,
            [STMT_TRANSACTIONS] = TRANSACTIONS,
            [STMT_READ_ONLY_ON] = "SET GLOBAL read_only=1",
            [STMT_READ_ONLY_OFF] = READ_ONLY_OFF,
            [STMT_READ_ONLY_ASK] = "SELECT @@global.read_only AS read_only, 0 AS super_read_only",
            [STMT_LOOK_RIGHT] = "SET GLOBAL read_only='?'",
            /* from a plugin that few have: INSTALL SONAME 'metadata_lock_info' */
            [STMT_LOOK_LOCKS] =
                "SELECT m.thread_id AS id, p.user AS user, p.host AS host,"
                " IF(m.lock_mode LIKE 'MDL_BACKUP_FTWRL%', 'global',"
                " IF(m.lock_mode LIKE 'MDL_BACKUP%', 'backup', 'table')) AS kind,"
                " CONCAT(m.table_schema, '.', m.table_name) AS name"
                " FROM information_schema.metadata_lock_info m"
                " JOIN information_schema.processlist p ON p.id=m.thread_id"
                " WHERE p.id<>CONNECTION_ID() AND (m.lock_mode IN ('MDL_BACKUP_FTWRL2',"
                " 'MDL_BACKUP_START', 'MDL_BACKUP_FLUSH', 'MDL_BACKUP_WAIT_DDL',"
                " 'MDL_BACKUP_WAIT_COMMIT') OR m.lock_mode IN ('MDL_SHARED_NO_READ_WRITE',"
                " 'MDL_SHARED_READ_ONLY'))",
            [STMT_LOOK_TRX] = LOOK_TRX,
        },
};

#define MYSQL_TEXTS(coordinates, replica)                                                          \
    {                                                                                              \
        [STMT_FACTS] = "SELECT @@version AS version, @@server_id AS server_id,"                    \
                       " @@server_uuid AS server_uuid, @@global.read_only AS read_only,"           \
                       " @@global.super_read_only AS super_read_only, @@log_bin AS log_bin,"       \
                       " @@global.log_" replica "_updates AS log_updates,"                         \
                       " @@global.gtid_mode = 'ON' AS gtid_on,"                                    \
                       " @@pid_file AS pid_file, @@datadir AS datadir,"                            \
                       " @@log_bin_index AS log_bin_index,"                                        \
                       " @@global.gtid_executed AS gtid_state,"                                    \
                       " '' AS gtid_slave_pos, '' AS gtid_binlog_pos",                             \
        [STMT_REPL_STATUS] = "SHOW REPLICA STATUS", [STMT_COORDINATES] = coordinates,              \
        [STMT_FOLLOWED] = "SELECT @@global." replica "_net_timeout AS net_timeout,"                \
                          " (SELECT heartbeat_interval FROM"                                       \
                          " performance_schema.replication_connection_configuration"               \
                          " WHERE channel_name = '') AS heartbeat",                                \
        [STMT_SEMI_SYNC] = SEMI_SYNC("performance_schema"),                                        \
        [STMT_HALF_READ] = "SELECT t.processlist_id AS id FROM performance_schema.threads t JOIN"  \
                           " performance_schema.replication_applier_status_by_coordinator c"       \
                           " USING (thread_id) WHERE c.channel_name = ''"                          \
                           " AND c.processing_transaction <> ''",                                  \
        [STMT_STOP_BOTH] = "STOP REPLICA FOR CHANNEL ''",                                          \
        [STMT_STOP_RECEIVER] = "STOP REPLICA IO_THREAD FOR CHANNEL ''",                            \
        [STMT_START_BOTH] = "START REPLICA FOR CHANNEL ''",                                        \
        [STMT_START_APPLIER] = "START REPLICA SQL_THREAD FOR CHANNEL ''",                          \
        [STMT_PROCESSES] = PROCESSES, [STMT_TRANSACTIONS] = TRANSACTIONS,                          \
        [STMT_READ_ONLY_ON] = "SET GLOBAL super_read_only=1", /* and with it read_only */          \
            [STMT_READ_ONLY_OFF] = READ_ONLY_OFF,             /* and with it super_read_only */    \
            [STMT_READ_ONLY_ASK] = "SELECT @@global.read_only AS read_only,"                       \
                                   " @@global.super_read_only AS super_read_only",                 \
        [STMT_LOOK_RIGHT] = "SET GLOBAL super_read_only='?'",                                      \
        [STMT_LOOK_LOCKS] = "SELECT t.processlist_id AS id, t.processlist_user AS user,"           \
                            " t.processlist_host AS host, IF(m.object_type='TABLE', 'table',"      \
                            " IF(m.object_type='BACKUP LOCK', 'backup', 'global')) AS kind,"       \
                            " CONCAT(m.object_schema, '.', m.object_name) AS name"                 \
                            " FROM performance_schema.metadata_locks m"                            \
                            " JOIN performance_schema.threads t ON t.thread_id=m.owner_thread_id"  \
                            " WHERE m.lock_status='GRANTED' AND t.processlist_id IS NOT NULL"      \
                            " AND t.processlist_id<>CONNECTION_ID()"                               \
                            " AND (m.lock_type='SHARED' AND m.object_type IN ('GLOBAL', 'COMMIT'," \
                            " 'BACKUP LOCK') OR m.object_type='TABLE' AND m.lock_type IN"          \
                            " ('SHARED_NO_READ_WRITE', 'SHARED_READ_ONLY'))",                      \
        [STMT_LOOK_TRX] = LOOK_TRX,                                                                \
    }

static const struct dialect mysql = {
    .name = "MySQL",
    .text = MYSQL_TEXTS("SHOW BINARY LOG STATUS", "replica"),
};
static const struct dialect mysql_before_8_2 = {
    .name = "MySQL",
    .text = MYSQL_TEXTS("SHOW MASTER STATUS", "slave"),
};

const struct dialect *dialect_of(bool is_mariadb, unsigned version_number)
{
    if (is_mariadb)
        return &mariadb;
    return version_number < 80200 ? &mysql_before_8_2 : &mysql;
}

unsigned dialect_version(const char *info)
{
    unsigned major, minor, patch;

    if (strncmp(info, "5.5.5-", 6) == 0) /* MariaDB's prefix for old clients */
        info += 6;
    if (sscanf(info, "%3u.%2u.%2u", &major, &minor, &patch) != 3)
        return 0;
    return major * 10000 + minor * 100 + patch;
}

/* ---- reading answers ---- */

static uint64_t dialect_number(const char *text)
{
    return text ? strtoull(text, NULL, 10) : 0;
}

static int64_t dialect_ms(const char *seconds)
{
    return (int64_t)(strtod(seconds, NULL) * 1000 + 0.5);
}

static bool dialect_is_on(const char *text)
{
    return text && strcmp(text, "0") != 0 && strcasecmp(text, "OFF") != 0 &&
           strcasecmp(text, "No") != 0;
}

static void dialect_copy(char *to, size_t size, const char *text)
{
    snprintf(to, size, "%s", text ? text : "");
}

static void dialect_own(char **to, const char *text)
{
    free(*to);
    *to = strdup(text ? text : "");
    CHECK(*to);
}

int dialect_read_facts(const struct dialect *d, const struct db_result *r, struct server_facts *f,
                       struct err *e)
{
    const char *pid_file = db_named(r, 0, "pid_file"), *datadir = db_named(r, 0, "datadir");
    const char *read_only = db_named(r, 0, "read_only"), *state = db_named(r, 0, "gtid_state");
    const char *log_index = db_named(r, 0, "log_bin_index");

    if (r->rows != 1 || !read_only || !state)
        return err_set(e, -EINVAL, "%s does not answer what such a server answers", d->name);
    f->mariadb = d->mariadb;
    dialect_copy(f->version, sizeof f->version, db_named(r, 0, "version"));
    f->version_number = dialect_version(f->version);
    f->server_id = dialect_number(db_named(r, 0, "server_id"));
    dialect_copy(f->server_uuid, sizeof f->server_uuid, db_named(r, 0, "server_uuid"));
    f->read_only = dialect_is_on(read_only);
    f->super_read_only = dialect_is_on(db_named(r, 0, "super_read_only"));
    f->log_bin = dialect_is_on(db_named(r, 0, "log_bin"));
    f->log_updates = dialect_is_on(db_named(r, 0, "log_updates"));
    f->filters = filters_of(r, 0, FILTERS_TABLES);
    f->gtid_on = dialect_is_on(db_named(r, 0, "gtid_on"));
    snprintf(f->pid_file, sizeof f->pid_file, "%s%s",
             pid_file && pid_file[0] && pid_file[0] != '/' && datadir ? datadir : "",
             pid_file ? pid_file : "");
    snprintf(f->log_bin_index, sizeof f->log_bin_index, "%s%s",
             log_index && log_index[0] && log_index[0] != '/' && datadir ? datadir : "",
             log_index ? log_index : "");
    dialect_own(&f->gtid_state, state);
    dialect_own(&f->gtid_slave_pos, db_named(r, 0, "gtid_slave_pos"));
    dialect_own(&f->gtid_binlog_pos, db_named(r, 0, "gtid_binlog_pos"));
    return 0;
}

void dialect_read_coordinates(const struct db_result *r, struct server_facts *f)
{
    dialect_copy(f->binlog_file, sizeof f->binlog_file, db_named(r, 0, "File"));
    f->binlog_pos = dialect_number(db_named(r, 0, "Position"));
    f->filters = filters_add(f->filters, filters_of(r, 0, FILTERS_BINLOG));
}

static void repl_status_free(struct repl_status *s)
{
    free(s->received);
    memset(s, 0, sizeof *s);
}

void server_facts_free(struct server_facts *f)
{
    repl_status_free(&f->repl);
    free(f->gtid_state);
    free(f->gtid_slave_pos);
    free(f->gtid_binlog_pos);
    memset(f, 0, sizeof *f);
}

/* The columns of a replica's status; the rest is called the same in both. */
enum repl_column {
    REPL_HOST,
    REPL_PORT,
    REPL_USER,
    REPL_IO,
    REPL_SQL,
    REPL_LAG,
    REPL_RECEIVED,
    REPL_GTID,
    REPL_READ_FILE,
    REPL_READ_POS,
    REPL_EXEC_FILE,
    REPL_EXEC_POS,
    REPL_TLS,
    REPL_N
};
static const char *const repl_columns[2][REPL_N] = {
    {
        [REPL_HOST] = "Source_Host",
        [REPL_PORT] = "Source_Port",
        [REPL_USER] = "Source_User",
        [REPL_IO] = "Replica_IO_Running",
        [REPL_SQL] = "Replica_SQL_Running",
        [REPL_LAG] = "Seconds_Behind_Source",
        [REPL_RECEIVED] = "Retrieved_Gtid_Set",
        [REPL_GTID] = "Auto_Position",
        [REPL_READ_FILE] = "Source_Log_File",
        [REPL_READ_POS] = "Read_Source_Log_Pos",
        [REPL_EXEC_FILE] = "Relay_Source_Log_File",
        [REPL_EXEC_POS] = "Exec_Source_Log_Pos",
        [REPL_TLS] = "Source_SSL_Allowed",
    },
    {
        [REPL_HOST] = "Master_Host",
        [REPL_PORT] = "Master_Port",
        [REPL_USER] = "Master_User",
        [REPL_IO] = "Slave_IO_Running",
        [REPL_SQL] = "Slave_SQL_Running",
        [REPL_LAG] = "Seconds_Behind_Master",
        [REPL_RECEIVED] = "Gtid_IO_Pos",
        [REPL_GTID] = "Using_Gtid",
        [REPL_READ_FILE] = "Master_Log_File",
        [REPL_READ_POS] = "Read_Master_Log_Pos",
        [REPL_EXEC_FILE] = "Relay_Master_Log_File",
        [REPL_EXEC_POS] = "Exec_Master_Log_Pos",
        [REPL_TLS] = "Master_SSL_Allowed",
    },
};

/* The row of the default channel; -1: none. */
static int repl_row(const struct db_result *r)
{
    for (unsigned row = 0; row < r->rows; row++) {
        const char *channel = db_named(r, row, "Channel_Name");
        const char *connection = db_named(r, row, "Connection_name"); /* MariaDB's word */

        if ((!channel || !channel[0]) && (!connection || !connection[0]))
            return (int)row;
    }
    return -1;
}

/* What somebody set for it. */
static void repl_settings(const struct dialect *d, const struct db_result *r, unsigned row,
                          struct repl_status *s)
{
    const char *tls = repl_columns[d->mariadb][REPL_TLS];
    const char *heartbeat = db_named(r, row, "Slave_heartbeat_period");
    const char *key = db_named(r, row, "Source_public_key_path");

    s->delay_s = (unsigned)dialect_number(db_named(r, row, "SQL_Delay"));
    s->filters =
        filters_of(r, row, d->mariadb ? FILTERS_CHANNEL : FILTERS_TABLES | FILTERS_CHANNEL);
    s->connect_retry_s = (unsigned)dialect_number(db_named(r, row, "Connect_Retry"));
    s->retry_count = (unsigned)dialect_number(db_named(r, row, "Source_Retry_Count"));
    s->tls = dialect_is_on(db_named(r, row, tls));
    s->public_key = key && key[0];
    dialect_copy(s->do_domains, sizeof s->do_domains, db_named(r, row, "Replicate_Do_Domain_Ids"));
    dialect_copy(s->ignore_domains, sizeof s->ignore_domains,
                 db_named(r, row, "Replicate_Ignore_Domain_Ids"));
    s->heartbeat_ms = heartbeat ? dialect_ms(heartbeat) : -1;
}

int dialect_read_repl(const struct dialect *d, const struct db_result *r, struct repl_status *s,
                      struct err *e)
{
    const char *const *name = repl_columns[d->mariadb];
    int at = repl_row(r);
    unsigned row = (unsigned)at;
    const char *io, *lag, *by_gtid, *state;

    repl_status_free(s);
    if (at < 0)
        return 0;
    io = db_named(r, row, name[REPL_IO]);
    if (!io || !db_named(r, row, name[REPL_HOST]))
        return err_set(e, -EINVAL, "%s: replica status without %s", d->name, name[REPL_IO]);
    dialect_copy(s->source_host, sizeof s->source_host, db_named(r, row, name[REPL_HOST]));
    if (!s->source_host[0])
        return 0;
    s->configured = true;
    s->source_port = (unsigned)dialect_number(db_named(r, row, name[REPL_PORT]));
    dialect_copy(s->source_user, sizeof s->source_user, db_named(r, row, name[REPL_USER]));
    s->io = strcmp(io, "Yes") == 0  ? REPL_IO_YES
            : strcmp(io, "No") == 0 ? REPL_IO_NO
                                    : REPL_IO_CONNECTING;
    s->sql_running = dialect_is_on(db_named(r, row, name[REPL_SQL]));
    lag = db_named(r, row, name[REPL_LAG]);
    s->lag_s = lag ? (int64_t)dialect_number(lag) : -1;
    s->io_errno = (unsigned)dialect_number(db_named(r, row, "Last_IO_Errno"));
    s->sql_errno = (unsigned)dialect_number(db_named(r, row, "Last_SQL_Errno"));
    dialect_copy(s->io_error, sizeof s->io_error, db_named(r, row, "Last_IO_Error"));
    dialect_copy(s->sql_error, sizeof s->sql_error, db_named(r, row, "Last_SQL_Error"));
    by_gtid = db_named(r, row, name[REPL_GTID]);
    s->using_gtid = dialect_is_on(by_gtid);
    s->gtid_slave_pos = by_gtid && strcasecmp(by_gtid, "Slave_Pos") == 0;
    state = db_named(r, row, "Replica_SQL_Running_State");
    s->idle = s->sql_running && state && strstr(state, "has read all relay log");
    dialect_copy(s->source_uuid, sizeof s->source_uuid, db_named(r, row, "Source_UUID"));
    dialect_own(&s->received, db_named(r, row, name[REPL_RECEIVED]));
    dialect_copy(s->read_file, sizeof s->read_file, db_named(r, row, name[REPL_READ_FILE]));
    dialect_copy(s->exec_file, sizeof s->exec_file, db_named(r, row, name[REPL_EXEC_FILE]));
    dialect_copy(s->relay_file, sizeof s->relay_file, db_named(r, row, "Relay_Log_File"));
    s->relay_pos = dialect_number(db_named(r, row, "Relay_Log_Pos"));
    s->read_pos = dialect_number(db_named(r, row, name[REPL_READ_POS]));
    s->exec_pos = dialect_number(db_named(r, row, name[REPL_EXEC_POS]));
    repl_settings(d, r, row, s);
    return 0;
}

/* ---- semi-synchronous replication ---- */

/* "source" and "replica", or "master" and "slave", as the plugin is called. */
static bool semi_sync_is(const char *name, const char *side, const char *of, const char *what)
{
    static const char prefix[] = "rpl_semi_sync_";
    size_t len = strlen(side), old = strlen(of);

    if (strncasecmp(name, prefix, sizeof prefix - 1) != 0)
        return false;
    name += sizeof prefix - 1;
    if (strncasecmp(name, side, len) == 0)
        name += len;
    else if (strncasecmp(name, of, old) == 0)
        name += old;
    else
        return false;
    return *name == '_' && strcasecmp(name + 1, what) == 0;
}

static void semi_sync_source(const char *name, const char *value, struct semi_sync *s)
{
#define IS(what) semi_sync_is(name, "source", "master", what)
    if (IS("enabled")) {
        s->source = dialect_is_on(value);
        dialect_copy(s->switch_name, sizeof s->switch_name, name);
    } else if (IS("status"))
        s->active = dialect_is_on(value);
    else if (IS("wait_point"))
        s->after_sync = strcasecmp(value, "AFTER_SYNC") == 0;
    else if (IS("wait_no_replica") || IS("wait_no_slave"))
        s->no_replica_no_wait = !dialect_is_on(value);
    else if (IS("clients"))
        s->clients = (unsigned)dialect_number(value);
    else if (IS("wait_sessions"))
        s->waiters = (unsigned)dialect_number(value);
    else if (IS("wait_for_replica_count") || IS("wait_for_slave_count"))
        s->wait_for = (unsigned)dialect_number(value);
    else if (IS("timeout"))
        s->timeout_ms = (int64_t)dialect_number(value);
#undef IS
}

void dialect_read_semi_sync(const struct db_result *r, struct semi_sync *s)
{
    *s = (struct semi_sync){.wait_for = 1};
    for (unsigned row = 0; row < r->rows; row++) {
        const char *name = db_value(r, row, 0), *value = db_value(r, row, 1);

        if (!name || !value)
            continue;
        semi_sync_source(name, value, s);
        if (semi_sync_is(name, "replica", "slave", "enabled"))
            s->replica = dialect_is_on(value);
        if (semi_sync_is(name, "replica", "slave", "status"))
            s->replica_active = dialect_is_on(value);
    }
}

/* ---- other people's connections ---- */

static bool dialect_user_is(const char *user, const char *const *users, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (users[i] && strcmp(user, users[i]) == 0)
            return true;
    return false;
}

bool dialect_is_replica(const struct db_result *r, unsigned row)
{
    const char *command = db_named(r, row, "Command");

    return command && strncmp(command, "Binlog Dump", strlen("Binlog Dump")) == 0;
}

bool dialect_is_client(const struct db_result *r, unsigned row, const char *const *spare_users,
                       unsigned n)
{
    /* who is not authenticated has done nothing yet, and may be a replica that connects */
    static const char *const servers_own[] = {"system user", "event_scheduler",
                                              "unauthenticated user"};
    const char *user = db_named(r, row, "User"), *command = db_named(r, row, "Command");

    if (!user || !command)
        return false;
    if (dialect_user_is(user, servers_own, ARRAY_LEN(servers_own)) ||
        dialect_user_is(user, spare_users, n))
        return false;
    return !dialect_is_replica(r, row) && strncmp(command, "Slave_", strlen("Slave_")) != 0 &&
           strcmp(command, "Daemon") != 0;
}

bool dialect_awaits_acknowledgement(const struct db_result *r, unsigned row)
{
    const char *state = db_named(r, row, "State");

    return state && strncasecmp(state, "Waiting for semi-sync ACK", 25) == 0;
}

bool dialect_opens_writes(const struct db_result *r, unsigned row)
{
    const char *info = db_named(r, row, "Info");
    const char *at = info ? strcasestr(info, "read_only") : NULL;

    if (!at || !strcasestr(info, "set"))
        return false;
    at += strlen("read_only");
    while (isspace((unsigned char)*at) || *at == ':' || *at == '`')
        at++;
    if (*at++ != '=')
        return false;
    while (isspace((unsigned char)*at))
        at++;
    return *at != '1' && strncasecmp(at, "ON", 2) != 0 && strncasecmp(at, "TRUE", 4) != 0;
}

/* ---- following ---- */

static void follow_text(struct buf *b, const char *key, const char *value)
{
    char quoted[2 * 1024 + 3];

    if (!value)
        return;
    if (db_quote(quoted, sizeof quoted, value) >= sizeof quoted)
        b->full = true;
    else
        buf_addf(b, "%s=%s,", key, quoted);
    explicit_bzero(quoted, sizeof quoted);
}

/* Both servers' defaults: nobody chose them. */
enum { DEFAULT_CONNECT_RETRY_S = 60, DEFAULT_RETRY_COUNT = 10, DEFAULT_RETRY_COUNT_8 = 86400 };

void dialect_read_followed(const struct db_result *r, const struct repl_status *was,
                           struct follow_kept *kept)
{
    const char *timeout = db_named(r, 0, "net_timeout"), *heartbeat = db_named(r, 0, "heartbeat");
    int64_t heartbeat_ms = heartbeat ? dialect_ms(heartbeat) : was->heartbeat_ms;

    *kept = (struct follow_kept){.configured = was->configured, .heartbeat_ms = -1};
    if (!was->configured)
        return;
    kept->connect_retry = was->connect_retry_s != DEFAULT_CONNECT_RETRY_S;
    kept->retry_count =
        was->retry_count != DEFAULT_RETRY_COUNT && was->retry_count != DEFAULT_RETRY_COUNT_8;
    kept->tls = was->tls;
    kept->public_key = was->public_key;
    if (!timeout || heartbeat_ms != dialect_ms(timeout) / 2)
        kept->heartbeat_ms = heartbeat_ms;
}

static void follow_tls(struct buf *b, const char *old, const struct follow *f,
                       const struct follow_kept *kept)
{
    char key[64];

#define KEY(name) (snprintf(key, sizeof key, "%s_SSL%s", old, name), key)
    buf_addf(b, "%s=1,", KEY(""));
    if (f->tls_verify || !kept->tls) /* more than what is asked for may stay */
        buf_addf(b, "%s=%d,", KEY("_VERIFY_SERVER_CERT"), f->tls_verify);
    follow_text(b, KEY("_CA"), f->tls_ca);
    follow_text(b, KEY("_CERT"), f->tls_cert);
    follow_text(b, KEY("_KEY"), f->tls_key);
#undef KEY
}

char *dialect_follow_sql(const struct dialect *d, const struct follow *f,
                         const struct follow_kept *kept)
{
    const char *old = d->mariadb ? "MASTER" : "SOURCE";
    int64_t heartbeat_ms = kept->configured && kept->heartbeat_ms >= 0 ? kept->heartbeat_ms
                           : f->heartbeat_ms > 0                       ? f->heartbeat_ms
                                                                       : 1000;
    struct buf b = BUF(64 * 1024);
    char key[64];

#define KEY(name) (snprintf(key, sizeof key, "%s_%s", old, name), key)
    buf_addf(&b, "CHANGE %s TO ", d->mariadb ? "MASTER" : "REPLICATION SOURCE");
    follow_text(&b, KEY("HOST"), f->host);
    buf_addf(&b, "%s=%u,", KEY("PORT"), f->port);
    follow_text(&b, KEY("USER"), f->user);
    follow_text(&b, KEY("PASSWORD"), f->password);
    if (!kept->connect_retry)
        buf_addf(&b, "%s=1,", KEY("CONNECT_RETRY"));
    buf_addf(&b, "%s=%lld.%03lld,", KEY("HEARTBEAT_PERIOD"), (long long)heartbeat_ms / 1000,
             (long long)heartbeat_ms % 1000);
    if (f->tls)
        follow_tls(&b, old, f, kept);
    if (f->log_file) {
        follow_text(&b, KEY("LOG_FILE"), f->log_file);
        buf_addf(&b, "%s=%llu,", KEY("LOG_POS"), (unsigned long long)f->log_pos);
    }
#undef KEY
    if (d->mariadb) {
        buf_addf(&b, "MASTER_USE_GTID=%s%s", f->log_file ? "no" : "slave_pos",
                 kept->more ? kept->more : "");
        return buf_take(&b);
    }
    if (!kept->public_key)
        buf_addf(&b, "GET_SOURCE_PUBLIC_KEY=1,");
    if (!kept->retry_count) /* it must not give up by itself: the default is ten tries */
        buf_addf(&b, "SOURCE_RETRY_COUNT=0,");
    buf_addf(&b, "SOURCE_AUTO_POSITION=%d", !f->log_file);
    return buf_take(&b);
}

/* ---- drained? ---- */

int dialect_reached(const struct dialect *d, const char *have, const char *want, struct err *e)
{
    enum gtid_flavour flavour = d->mariadb ? GTID_MARIADB_POS : GTID_MYSQL;
    struct gtid_set a, b;

    if (gtid_parse(want, flavour, &a, e) < 0 || gtid_parse(have, flavour, &b, e) < 0)
        return e->code;
    return gtid_subset(&a, &b);
}

int dialect_drained(const struct dialect *d, const struct repl_status *s, const char *executed,
                    struct err *e)
{
    if (!s->configured)
        return 1;
    if (s->using_gtid)
        return dialect_reached(d, executed, s->received, e);
    return strcmp(s->read_file, s->exec_file) == 0 && s->read_pos == s->exec_pos;
}
