/* SPDX-License-Identifier: GPL-2.0-or-later
 * What the two flavours call things: one table of statements each, and how to read the answers.
 * MariaDB 10.6 to 11.8, MySQL 8.0.23 to 9.x. The table is chosen by what the server says it is.
 * Pure but for malloc. */
#pragma once

#include "mysql/db.h"

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* Statements; see dialect.c for the texts. %s and %llu places are named where they are filled. */
enum stmt {
    STMT_FACTS,       /* one row, columns by name, see dialect_read_facts */
    STMT_REPL_STATUS, /* SHOW REPLICA STATUS: no row, one, or one per channel */
    STMT_COORDINATES, /* own binary log: file and position */
    STMT_FOLLOWED,    /* what dialect_read_followed needs beyond the replica's status */
    STMT_SEMI_SYNC,   /* name, value of everything about semi-synchronous replication */
    STMT_HALF_READ,   /* "" or: id of the applier's thread when it has read part of a transaction */
    STMT_STOP_BOTH,
    STMT_STOP_RECEIVER,
    STMT_START_BOTH,
    STMT_START_APPLIER,
    STMT_PROCESSES,    /* SHOW PROCESSLIST */
    STMT_TRANSACTIONS, /* open transactions: thread id, state */
    STMT_READ_ONLY_ON,
    STMT_READ_ONLY_OFF, /* %s: a wall time, seconds with fraction: later than that it changes
                           nothing */
    STMT_READ_ONLY_ASK, /* columns read_only, super_read_only */
    STMT_LOOK_RIGHT,    /* an impossible value: error 1231 if the account may set read_only */
    STMT_LOOK_LOCKS,    /* who holds what keeps others from writing: id, user, host, kind (table,
                           global, backup), name; an error where the server can't tell */
    STMT_LOOK_TRX,      /* open transactions that changed or locked something, or run, the oldest
                           first: id, user, host, age (s), changed (rows) */
    STMT_N
};

enum repl_io { REPL_IO_NO, REPL_IO_CONNECTING, REPL_IO_YES };

struct repl_status {
    bool configured; /* all else is zero if not */
    char source_host[256];
    unsigned source_port;
    char source_user[129];
    enum repl_io io;
    bool sql_running;
    int64_t lag_s; /* Seconds_Behind_...; -1: NULL, unknown */
    unsigned io_errno, sql_errno;
    char io_error[256], sql_error[256]; /* "" if none */
    bool using_gtid;      /* MariaDB: slave_pos or current_pos; MySQL: auto position */
    bool gtid_slave_pos;  /* MariaDB: exactly slave_pos */
    char *received;       /* owned, never NULL if configured: MariaDB Gtid_IO_Pos
                             (a position), MySQL Retrieved_Gtid_Set */
    char source_uuid[64]; /* MySQL; "" never connected to it */
    bool idle;            /* MySQL: the applier waits, it has read all that was received */
    char read_file[256], exec_file[256]; /* coordinates in the source's binary log */
    uint64_t read_pos, exec_pos;
    char relay_file[256]; /* where the applier stands in its own relay log */
    uint64_t relay_pos;
    unsigned delay_s;                          /* how far behind the DBA wants it */
    uint64_t filters;                          /* what it leaves out, see filters.h; 0 nothing */
    unsigned connect_retry_s, retry_count;     /* retry_count: MySQL */
    bool tls, public_key;                      /* public_key: MySQL, a file with it is named */
    char do_domains[128], ignore_domains[128]; /* MariaDB: "1, 2" */
    int64_t heartbeat_ms;                      /* MariaDB; -1: not said here */
};

/* Semi-synchronous replication, by whatever names the server has for it. */
struct semi_sync {
    bool source, replica;      /* that side is switched on */
    bool active;               /* source: commits do wait; off: it fell back, or is switched off */
    bool replica_active;       /* replica: its receiver acknowledges */
    bool after_sync;           /* source: waits before anybody sees the commit, else after that */
    bool no_replica_no_wait;   /* source: doesn't wait while too few replicas are connected */
    unsigned clients, waiters; /* source: replicas that acknowledge; commits that wait now */
    unsigned wait_for;         /* source: acknowledgements that a commit needs */
    int64_t timeout_ms;        /* source: how long it waits before it falls back */
    char switch_name[64];      /* the variable that turns the source's side on; "" there is none */
};

/* What a server says about itself. Zeroed is empty; owns its texts. */
struct server_facts {
    bool mariadb;
    char version[64];
    unsigned version_number; /* 101119 = 10.11.19 */
    uint64_t server_id;
    char server_uuid[64]; /* MySQL; "" on MariaDB */
    bool read_only;
    bool super_read_only; /* MySQL; false on MariaDB */
    bool log_bin;
    bool log_updates;           /* what it applies goes into its binary log too */
    uint64_t filters;           /* what replication or the binary log leaves out, see filters.h */
    struct semi_sync semi_sync; /* only JOB_OBSERVE asks for it */
    bool gtid_on;               /* MySQL gtid_mode=ON; MariaDB: always */
    char pid_file[512];         /* absolute if the server says so, else below the datadir */
    char log_bin_index[512];    /* names the files of the binary log; "" it logs nothing */
    pid_t pid;                  /* of the server; 0: not known (TCP connection) */
    char *gtid_state; /* never NULL once read: MariaDB @@gtid_binlog_state, MySQL @@gtid_executed */
    char *gtid_slave_pos;  /* MariaDB @@gtid_slave_pos; "" on MySQL */
    char *gtid_binlog_pos; /* MariaDB @@gtid_binlog_pos; "" on MySQL */
    char binlog_file[256]; /* own coordinates; "" if not logged or not allowed to ask */
    uint64_t binlog_pos;
    struct repl_status repl;
};
void server_facts_free(struct server_facts *f); /* repeatable */

struct dialect {
    const char *name; /* "MariaDB", "MySQL" */
    bool mariadb;
    const char *text[STMT_N];
};
/* By the server's own words and version number (dialect_version). */
const struct dialect *dialect_of(bool mariadb, unsigned version_number);
unsigned
dialect_version(const char *server_info); /* 101119 from "5.5.5-10.11.19-MariaDB"; 0: none */

/* Fill from the answer to the statement of that name; other members stay. -EINVAL: it is not
 * what such a server answers. */
int dialect_read_facts(const struct dialect *d, const struct db_result *r, struct server_facts *f,
                       struct err *e) MUST_CHECK;
int dialect_read_repl(const struct dialect *d, const struct db_result *r, struct repl_status *s,
                      struct err *e) MUST_CHECK;
void dialect_read_coordinates(const struct db_result *r, struct server_facts *f);

/* A row of SHOW PROCESSLIST: a replica fetches through it. */
bool dialect_is_replica(const struct db_result *r, unsigned row);
/* May it be killed when clients have to go? Not replication's own
 * connections, not the server's own threads, nobody who is not authenticated yet, not the users
 * named. */
bool dialect_is_client(const struct db_result *r, unsigned row, const char *const *spare_users,
                       unsigned n);
/* Does this row's commit wait until a replica acknowledges it, or behind one that does? */
bool dialect_awaits_acknowledgement(const struct db_result *r, unsigned row);
/* Does this row run (or wait to run) a statement that opens writes? */
bool dialect_opens_writes(const struct db_result *r, unsigned row);

/* Rows of name and value. */
void dialect_read_semi_sync(const struct db_result *r, struct semi_sync *s);

/* What was set about following before, and stays: naming a host or a port takes the heartbeat's
 * period back to its default (seen on 10.11 and 9.7), everything else that isn't said stays as it
 * is. A default is nobody's choice, and hamm has better ones. */
struct follow_kept {
    bool connect_retry, retry_count; /* somebody chose them */
    bool tls, public_key;            /* on, a file with it is named */
    bool configured;                 /* there was something; else all is false */
    int64_t heartbeat_ms;            /* to be said again; 0 is never; -1: nobody chose it */
    const char *more;                /* to be said again too: ", KEY=VALUE"; NULL nothing */
};
/* was: before the change. r: the answer to STMT_FOLLOWED, an error is no reason to stop. */
void dialect_read_followed(const struct db_result *r, const struct repl_status *was,
                           struct follow_kept *kept);

/* Where to follow: the statement that points a stopped replica at a source. */
struct follow {
    const char *host; /* numeric or a name: the server resolves it */
    unsigned port;
    const char *user, *password;
    bool tls;                                /* false: the DBA's TLS settings stay as they are */
    const char *tls_ca, *tls_cert, *tls_key; /* on the server's machine; NULL: leave */
    bool tls_verify;
    const char *log_file; /* not NULL: by coordinates, without GTID */
    uint64_t log_pos;
    const char *at, *from; /* without GTID: the place in its log to begin at, if this server has not
                              come further in it; and the place at which it has to stand for that.
                              NULL: go on where it stands. JOB_FOLLOW makes log_file of it */
    int64_t heartbeat_ms;  /* the source says something at least this often; 0: 1000 */
};
/* Owned text (caller frees), secrets in it: never shown. NULL: longer than a statement may be. */
char *dialect_follow_sql(const struct dialect *d, const struct follow *f,
                         const struct follow_kept *kept) MUST_CHECK;

/* Is all of `want` in `have`? Positions on MariaDB, sets on MySQL. 1 yes, 0 no, else as gtid_parse.
 */
int dialect_reached(const struct dialect *d, const char *have, const char *want,
                    struct err *e) MUST_CHECK;
/* Has all that was received been applied? executed: gtid_state on MySQL, gtid_slave_pos on MariaDB.
 * By GTID where replication uses it, else by coordinates. 1 yes, 0 no, -EINVAL unreadable. */
int dialect_drained(const struct dialect *d, const struct repl_status *s, const char *executed,
                    struct err *e) MUST_CHECK;
