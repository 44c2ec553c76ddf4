/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 * A call: mysql_real_query, then row by row into cells of our own. libmariadb's _start/_cont pairs
 * say what they wait for; polling stops before each of them, because libmariadb may close the
 * socket inside. A call given up ends by shutdown(fd) and going on once: that works with and
 * without TLS, and mysql_close in the middle of a call would not. */
#include "mysql/db.h"

#include "loop/closer.h"
#include "loop/timer.h"
#include "mysql/connector.h"
#include "mysql/db_cells.h"
#include "mysql/db_error.h"

#include <errno.h>
#include <openssl/err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum db_state { DB_ST_CLOSED, DB_ST_CONNECTING, DB_ST_IDLE, DB_ST_QUERY, DB_ST_ROW, DB_ST_N };

/* The poll handle of one socket; lives until its close callback. */
struct db_watch {
    uv_poll_t poll;
    struct db *db;
};

struct db {
    enum db_state state;
    struct db_params params;
    char where[320]; /* "10.0.0.1:3306", or the path of the socket */
    uv_loop_t *loop;
    uv_async_t wake; /* the connector is done, or a call ended without waiting */
    uv_timer_t limit;
    struct closer closer;
    struct db_watch *watch;
    struct connect_try *connecting;

    MYSQL *my;
    bool tls, cancelled;
    uint64_t connection_id;
    char server_info[128];

    /* the running call */
    db_done_fn done;
    int64_t limit_ms;
    char *sql;
    MYSQL_RES *res;
    struct db_cells *cells;
    int want; /* MYSQL_WAIT_*: what libmariadb waits for; 0: it does not */
    int rc;
    MYSQL_ROW row;

    db_lost_fn on_lost;
    void *owner;
    void (*closed)(void *owner);
};

static void db_run(struct db *d);

static void db_move(struct db *d, enum db_state to)
{
    static const unsigned allowed[DB_ST_N] = {
        [DB_ST_CLOSED] = 1u << DB_ST_CONNECTING,
        [DB_ST_CONNECTING] = 1u << DB_ST_IDLE | 1u << DB_ST_CLOSED,
        [DB_ST_IDLE] = 1u << DB_ST_QUERY | 1u << DB_ST_CLOSED,
        [DB_ST_QUERY] = 1u << DB_ST_ROW | 1u << DB_ST_IDLE | 1u << DB_ST_CLOSED,
        [DB_ST_ROW] = 1u << DB_ST_IDLE | 1u << DB_ST_CLOSED,
    };

    CHECK(allowed[d->state] & 1u << to);
    d->state = to;
}

/* ---- watching the socket ---- */

static void db_on_watch_closed(uv_handle_t *h)
{
    struct db_watch *w = h->data;
    struct db *d = w->db;

    free(w);
    closer_sub(&d->closer);
}

static void db_watch_close(struct db *d)
{
    struct db_watch *w = d->watch;

    if (!w)
        return;
    d->watch = NULL;
    uv_poll_stop(&w->poll);
    uv_close((uv_handle_t *)&w->poll, db_on_watch_closed);
}

static void db_watch_open(struct db *d)
{
    struct db_watch *w = calloc(1, sizeof *w);

    CHECK(w);
    /* makes the socket non-blocking, which 3.3 needs for TLS */
    CHECK(uv_poll_init_socket(d->loop, &w->poll, mysql_get_socket(d->my)) == 0);
    w->poll.data = w;
    w->db = d;
    d->watch = w;
    closer_add(&d->closer);
}

static void db_on_ready(uv_poll_t *p, int status, int events);
static void db_on_idle(uv_poll_t *p, int status, int events);

static void db_wait(struct db *d)
{
    int events = (d->want & MYSQL_WAIT_READ ? UV_READABLE : 0) |
                 (d->want & MYSQL_WAIT_WRITE ? UV_WRITABLE : 0) |
                 (d->want & MYSQL_WAIT_EXCEPT ? UV_PRIORITIZED : 0);

    CHECK(uv_poll_start(&d->watch->poll, events, db_on_ready) == 0);
}

static void db_watch_idle(struct db *d)
{
    CHECK(uv_poll_start(&d->watch->poll, UV_DISCONNECT, db_on_idle) == 0);
}

/* OpenSSL keeps a queue of errors per thread, and libmariadb 3.3 takes whatever is in it for an
 * error of its own call: one connection that broke would break the next that has to wait. So the
 * queue is emptied before libmariadb may look at it, and after, for whoever else uses OpenSSL. */
static void db_clear_tls_errors(const struct db *d)
{
    if (d->tls)
        ERR_clear_error();
}

/* Goes on with the suspended call; want says what it waits for now. */
static void db_go_on(struct db *d, int ready)
{
    db_clear_tls_errors(d);
    if (d->state == DB_ST_QUERY)
        d->want = mysql_real_query_cont(&d->rc, d->my, ready);
    else
        d->want = mysql_fetch_row_cont(&d->row, d->res, ready);
}

/* ---- the end of a connection and of a call ---- */

/* Lets libmariadb's suspended call end: the socket is dead, so it can't go on waiting. */
static void db_abort_call(struct db *d)
{
    for (unsigned i = 0; d->want && i < 100; i++)
        db_go_on(d, d->want & ~MYSQL_WAIT_TIMEOUT);
    CHECK(!d->want);
}

/* The connection goes, at once and without waiting. An idle one says goodbye first: five bytes,
 * into a socket buffer that is empty. */
static void db_drop(struct db *d)
{
    db_watch_close(d);
    if (d->connecting) {
        connector_give_up(d->connecting);
        d->connecting = NULL;
    }
    if (d->my) {
        if (d->state != DB_ST_IDLE)
            shutdown(mysql_get_socket(d->my), SHUT_RDWR);
        db_abort_call(d);
        if (d->res)
            mysql_free_result(d->res);
        d->res = NULL;
        mysql_close(d->my);
        d->my = NULL;
        db_clear_tls_errors(d);
    }
    db_move(d, DB_ST_CLOSED);
}

/* The call is over, the state says what became of the connection. */
static void db_report(struct db *d, const struct db_problem *p, uint64_t affected)
{
    struct db_cells *cells = d->cells;
    db_done_fn done = d->done;
    struct db_result r = {
        .error = p->error,
        .number = p->number,
        .text = p->error ? p->text : "",
        .affected = affected,
    };

    if (cells && p->error == DB_OK) {
        r.cells = cells;
        r.columns = cells->columns;
        r.rows = db_cells_rows(cells);
    }
    uv_timer_stop(&d->limit);
    if (d->sql)
        explicit_bzero(d->sql, strlen(d->sql)); /* may hold a password */
    free(d->sql);
    d->sql = NULL;
    d->cells = NULL;
    d->done = NULL;
    d->cancelled = false;
    done(d, &r); /* last: it may start the next call or close */
    db_cells_free(cells);
}

static void db_give_up(struct db *d, const struct db_problem *p)
{
    db_drop(d);
    db_report(d, p, 0);
}

static void db_on_limit(uv_timer_t *t)
{
    struct db *d = t->data;
    struct db_problem p;

    if (d->cancelled)
        db_problem_set(&p, DB_CANCELLED, "%s: cancelled", d->where);
    else
        db_problem_set(&p, DB_TIMEOUT, "%s%s: no answer within %lld ms",
                       d->state == DB_ST_CONNECTING ? "connect " : "", d->where,
                       (long long)d->limit_ms);
    db_give_up(d, &p);
}

/* libmariadb says the call failed. */
static void db_fail(struct db *d)
{
    struct db_problem p;
    unsigned number = mysql_errno(d->my);

    db_problem_from(&p, number, mysql_error(d->my), false, d->params.socket != NULL, d->tls,
                    d->where);
    if (db_problem_ends_connection(number)) {
        db_give_up(d, &p);
        return;
    }
    if (d->res)
        mysql_free_result(d->res);
    d->res = NULL;
    db_move(d, DB_ST_IDLE);
    db_watch_idle(d);
    db_report(d, &p, 0);
}

static void db_succeed(struct db *d)
{
    struct db_problem none = {0};
    uint64_t affected = d->res ? 0 : mysql_affected_rows(d->my);

    if (d->res)
        mysql_free_result(d->res); /* read to its end: nothing on the wire */
    d->res = NULL;
    db_move(d, DB_ST_IDLE);
    db_watch_idle(d);
    db_report(d, &none, affected);
}

/* ---- connecting ---- */

static void db_connected(struct db *d)
{
    struct db_problem none = {0};

    d->connection_id = mysql_thread_id(d->my);
    snprintf(d->server_info, sizeof d->server_info, "%s", mysql_get_server_info(d->my));
    db_watch_open(d);
    db_move(d, DB_ST_IDLE);
    db_watch_idle(d);
    db_report(d, &none, 0);
}

static void db_on_wake(uv_async_t *a)
{
    struct db *d = a->data;
    struct connect_outcome out;

    if (d->cancelled)
        return;
    if ((d->state == DB_ST_QUERY || d->state == DB_ST_ROW) && !d->want) {
        db_run(d);
        return;
    }
    if (!d->connecting || !connector_take(d->connecting, &out))
        return;
    d->connecting = NULL;
    d->my = out.my;
    d->tls = out.tls;
    if (d->my)
        db_connected(d);
    else
        db_give_up(d, &out.problem);
}

static void db_begin(struct db *d, int64_t limit_ms, db_done_fn done)
{
    d->done = done;
    d->limit_ms = limit_ms;
    timer_in(&d->limit, limit_ms, db_on_limit);
}

void db_connect(struct db *d, int64_t limit_ms, db_done_fn done)
{
    CHECK(d->state == DB_ST_CLOSED && !d->closer.closing);
    db_begin(d, limit_ms, done);
    db_move(d, DB_ST_CONNECTING);
    d->connecting = connector_start(&d->params, d->where, limit_ms, &d->wake);
}

/* ---- a query ---- */

static bool db_row_fits(struct db *d)
{
    unsigned long *len = mysql_fetch_lengths(d->res);

    for (unsigned i = 0; i < d->cells->columns; i++)
        if (!db_cells_add(d->cells, d->row[i], len[i]))
            return false;
    return true;
}

static bool db_open_result(struct db *d)
{
    unsigned n = mysql_num_fields(d->res);
    MYSQL_FIELD *f = mysql_fetch_fields(d->res);

    d->cells = db_cells_new(n);
    for (unsigned i = 0; i < n; i++)
        if (!db_cells_add(d->cells, f[i].name, f[i].name_length))
            return false;
    return true;
}

static void db_too_big(struct db *d)
{
    struct db_problem p;

    db_problem_set(&p, DB_TOO_BIG, "%s: the result is over %u rows or %u bytes", d->where,
                   DB_RESULT_ROWS_MAX, DB_RESULT_BYTES_MAX);
    db_give_up(d, &p);
}

/* QUERY -> ROW, ROW ...; a return without an end means: waiting. */
static void db_run(struct db *d)
{
    for (;;) {
        switch (d->state) {
        case DB_ST_QUERY:
            if (d->rc) {
                db_fail(d);
                return;
            }
            d->res = mysql_use_result(d->my);
            if (!d->res) {
                if (mysql_field_count(d->my) == 0)
                    db_succeed(d);
                else
                    db_fail(d);
                return;
            }
            if (!db_open_result(d)) {
                db_too_big(d);
                return;
            }
            db_move(d, DB_ST_ROW);
            break;
        case DB_ST_ROW:
            if (!d->row) {
                if (mysql_errno(d->my))
                    db_fail(d);
                else
                    db_succeed(d);
                return;
            }
            if (!db_row_fits(d)) {
                db_too_big(d);
                return;
            }
            break;
        default:
            CHECK(!"a query runs");
        }
        db_clear_tls_errors(d);
        d->want = mysql_fetch_row_start(&d->row, d->res);
        if (d->want) {
            db_wait(d);
            return;
        }
    }
}

static void db_on_ready(uv_poll_t *p, int status, int events)
{
    struct db *d = ((struct db_watch *)p->data)->db;
    int ready = (events & UV_READABLE ? MYSQL_WAIT_READ : 0) |
                (events & UV_WRITABLE ? MYSQL_WAIT_WRITE : 0) |
                (events & UV_PRIORITIZED ? MYSQL_WAIT_EXCEPT : 0);

    if (status < 0) /* the socket failed: let libmariadb find out how */
        ready = d->want & ~MYSQL_WAIT_TIMEOUT;
    uv_poll_stop(p);
    db_go_on(d, ready);
    if (d->want)
        db_wait(d);
    else
        db_run(d);
}

void db_query(struct db *d, const char *sql, int64_t limit_ms, db_done_fn done)
{
    CHECK(d->state == DB_ST_IDLE && !d->closer.closing);
    db_begin(d, limit_ms, done);
    d->sql = strdup(sql);
    CHECK(d->sql);
    uv_poll_stop(&d->watch->poll);
    db_move(d, DB_ST_QUERY);
    db_clear_tls_errors(d);
    d->want = mysql_real_query_start(&d->rc, d->my, d->sql, strlen(d->sql));
    if (d->want)
        db_wait(d);
    else
        uv_async_send(&d->wake); /* done is never called from within this call */
}

/* ---- an idle connection ends ---- */

static void db_on_idle(uv_poll_t *p, int status, int events)
{
    struct db *d = ((struct db_watch *)p->data)->db;
    int code = 0;
    socklen_t len = sizeof code;
    char text[400];

    (void)events;
    (void)status; /* libuv says UV_EBADF for any error of the socket: ask the socket */
    getsockopt(mysql_get_socket(d->my), SOL_SOCKET, SO_ERROR, &code, &len);
    if (code)
        snprintf(text, sizeof text, "%s: the connection ended: %s", d->where, strerror(code));
    else
        snprintf(text, sizeof text, "%s: the server closed the connection", d->where);
    shutdown(mysql_get_socket(d->my), SHUT_RDWR);
    db_drop(d);
    if (d->on_lost)
        d->on_lost(d, text);
}

/* ---- life ---- */

struct db *db_new(uv_loop_t *loop, const struct db_params *params, db_lost_fn on_lost, void *owner)
{
    struct db *d = calloc(1, sizeof *d);

    CHECK(d);
    d->loop = loop;
    d->params = db_params_copy(params);
    d->on_lost = on_lost;
    d->owner = owner;
    if (params->socket)
        snprintf(d->where, sizeof d->where, "%s", params->socket);
    else
        snprintf(d->where, sizeof d->where,
                 strchr(params->host ? params->host : "", ':') ? "[%s]:%u" : "%s:%u",
                 params->host ? params->host : "", params->port);
    CHECK(uv_async_init(loop, &d->wake, db_on_wake) == 0);
    CHECK(uv_timer_init(loop, &d->limit) == 0);
    d->wake.data = d->limit.data = d;
    closer_add(&d->closer);
    closer_add(&d->closer);
    return d;
}

static void db_on_closed(struct closer *c)
{
    struct db *d = c->owner;
    void (*closed)(void *owner) = d->closed;
    void *owner = d->owner;

    db_params_free(&d->params);
    free(d);
    if (closed)
        closed(owner);
}

void db_close(struct db *d, void (*closed)(void *owner))
{
    CHECK(!d->closer.closing);
    if (d->state != DB_ST_CLOSED)
        db_drop(d);
    free(d->sql);
    d->sql = NULL;
    db_cells_free(d->cells);
    d->cells = NULL;
    d->closed = closed;
    d->closer.owner = d;
    closer_handle(&d->closer, (uv_handle_t *)&d->wake);
    closer_handle(&d->closer, (uv_handle_t *)&d->limit);
    closer_end(&d->closer, db_on_closed);
}

void db_cancel(struct db *d)
{
    if (d->state == DB_ST_CLOSED || d->state == DB_ST_IDLE)
        return;
    d->cancelled = true;
    if (d->watch)
        uv_poll_stop(&d->watch->poll); /* an answer that comes now is too late */
    timer_in(&d->limit, 1, db_on_limit);
}

void db_disconnect(struct db *d)
{
    CHECK(d->state == DB_ST_IDLE || d->state == DB_ST_CLOSED);
    if (d->state == DB_ST_IDLE)
        db_drop(d);
}

/* ---- questions ---- */

void *db_owner(const struct db *d)
{
    return d->owner;
}

bool db_is_idle(const struct db *d)
{
    return d->state == DB_ST_IDLE;
}

bool db_is_closed(const struct db *d)
{
    return d->state == DB_ST_CLOSED;
}

uint64_t db_connection_id(const struct db *d)
{
    return d->connection_id;
}

const char *db_server_info(const struct db *d)
{
    return d->server_info;
}

bool db_is_mariadb(const struct db *d)
{
    return strcasestr(d->server_info, "mariadb") != NULL;
}

bool db_uses_tls(const struct db *d)
{
    return d->my && d->tls;
}

pid_t db_peer_pid(const struct db *d)
{
    struct ucred peer = {0};
    socklen_t len = sizeof peer;

    if (!d->my || !d->params.socket ||
        getsockopt(mysql_get_socket(d->my), SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
        return 0;
    return peer.pid;
}
