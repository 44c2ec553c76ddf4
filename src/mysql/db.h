/* SPDX-License-Identifier: GPL-2.0-or-later
 * One connection to a database server, on the loop. Connecting (TCP, TLS, authentication) happens
 * in a thread of the adapter's own, because libmariadb blocks there; after it the socket is
 * non-blocking and everything else runs on the loop. No call waits, every call has a deadline of
 * ours in ms, one call at a time per connection.
 *
 *   CLOSED --db_connect--> CONNECTING --> IDLE <--> BUSY       any failure of the connection ->
 * CLOSED
 *
 * It does not know what is asked: dialect.h knows the statements, job.h the procedures. */
#pragma once

#include "base/check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

#define DB_RESULT_BYTES_MAX (16u << 20)
#define DB_RESULT_ROWS_MAX  20000u

/* What a failure means for whoever judges the server. */
enum db_error {
    DB_OK,
    DB_REFUSED,     /* nobody listens: ECONNREFUSED, or no such socket */
    DB_UNREACHABLE, /* the network says so (EHOSTUNREACH and the like) */
    DB_TOO_MANY,    /* too many connections: the server is alive */
    DB_DENIED,      /* account, password, host, plugin, privilege: alive, the operator must help */
    DB_TLS,         /* TLS asked for and not to be had, or the certificate is not trusted */
    DB_TIMEOUT,     /* no answer within our deadline; the connection was given up */
    DB_LOST,        /* the connection ended under a call; the server may have done it or not */
    DB_SQL,         /* the server said no to this statement; the connection is fine */
    DB_TOO_BIG,     /* the result was over the limit; the connection was given up */
    DB_CANCELLED,   /* by db_cancel; the connection was given up */
    DB_CONFIG,      /* our own parameters: not a numeric address, a certificate file missing */
    DB_ERROR_N
};
const char *db_error_name(enum db_error error); /* "refused", "too many connections", ... */

enum db_tls { DB_TLS_DISABLED, DB_TLS_PREFERRED, DB_TLS_REQUIRED, DB_TLS_VERIFY };

/* Copied by db_new; strings may be NULL where they are optional. */
struct db_params {
    const char *host;   /* numeric IPv4 or IPv6 address; ignored if socket is given */
    unsigned port;      /* 1..65535 with host */
    const char *socket; /* path of a unix socket; TLS is then used only if required or verify */
    const char *user, *password;
    enum db_tls tls;
    const char
        *tls_ca; /* PEM file: the certificate must come from it; verify, without: the system's */
    const char *tls_cert, *tls_key; /* PEM files: our own certificate */
    const char *plugin_dir;         /* NULL: libmariadb's own */
    unsigned silence_ms; /* TCP_USER_TIMEOUT: unacknowledged for so long = lost; 0: 3000 */
};

/* What a call came to; valid until the done callback returns, copy what you keep. */
struct db_result {
    enum db_error error;
    unsigned number;  /* the server's or libmariadb's error number; 0 if there is none */
    const char *text; /* "" if DB_OK; else a sentence for the operator, never with a password */
    unsigned rows, columns;
    uint64_t affected;            /* rows changed by a statement without a result */
    const struct db_cells *cells; /* db.c's */
};

struct db;
/* The call is over. May start the next call, db_cancel or db_close. */
typedef void (*db_done_fn)(struct db *db, const struct db_result *r);
/* The idle connection ended (FIN or RST seen, at once): evidence. Not called for failing calls:
 * their done says it. The state is CLOSED; may call db_connect. */
typedef void (*db_lost_fn)(struct db *db, const char *text);

/* Never NULL (out of memory is a CHECK). owner is for the callbacks: db_owner(). */
struct db *db_new(uv_loop_t *loop, const struct db_params *params, db_lost_fn on_lost, void *owner);
void *db_owner(const struct db *db);
/* Ends whatever runs without its done being called, frees the db, then calls closed(owner)
 * (NULL: nobody). Never waits for the server. */
void db_close(struct db *db, void (*closed)(void *owner));

/* limit_ms: how long it may take. From CLOSED. The session gets sql_mode='', autocommit=1, a long
 * wait_timeout and lock_wait_timeout=1. Ends in DB_OK and IDLE, or in CLOSED. done is never called
 * before it returns. */
void db_connect(struct db *db, int64_t limit_ms, db_done_fn done);
/* From IDLE. sql is copied. done is never called before it returns. */
void db_query(struct db *db, const char *sql, int64_t limit_ms, db_done_fn done);
/* Ends the running call (if any) with DB_CANCELLED within a few ms, from the loop. The server may
 * still carry the statement out: whoever cares kills db_connection_id() from elsewhere. */
void db_cancel(struct db *db);
/* Gives the connection up if it is IDLE (else CHECK fails unless CLOSED): now CLOSED. */
void db_disconnect(struct db *db);

bool db_is_idle(const struct db *db);
bool db_is_closed(const struct db *db);
/* About the last connection that was made; kept after it ended. */
uint64_t db_connection_id(const struct db *db);  /* the server's thread id; 0: never connected */
const char *db_server_info(const struct db *db); /* "10.11.19-MariaDB-...", "9.7.4-2"; "" before */
bool db_is_mariadb(const struct db *db);
bool db_uses_tls(const struct db *db);
/* Unix sockets: the process that listens there (SO_PEERCRED). 0: TCP, or not connected. */
pid_t db_peer_pid(const struct db *db);

/* At the end of the process, after the loop and every db: waits for the threads that connect, for
 * limit_ms (whole seconds) at most. False: one still hangs; then the process must end by _exit,
 * since exit handlers would take its libraries away from under it. No db may be made any more. */
bool db_end(int64_t limit_ms) MUST_CHECK;

/* Rows and columns count from 0. NULL for SQL NULL and for a column that does not exist. */
const char *db_value(const struct db_result *r, unsigned row, unsigned column);
const char *db_named(const struct db_result *r, unsigned row, const char *column);
const char *db_column_name(const struct db_result *r, unsigned column);
/* -1 if there is none; case does not matter. */
int db_column(const struct db_result *r, const char *column);

/* Puts text in quotes for a statement, ' and \ escaped (right in the sql_mode that
 * db_connect sets). Returns the length needed as snprintf does; text is NUL-terminated. */
size_t db_quote(char *to, size_t size, const char *text);
