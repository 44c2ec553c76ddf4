/* SPDX-License-Identifier: GPL-2.0-or-later
 * For the live tests of jobs: a job runner that remembers its last answer, and clients that write.
 */
#pragma once

#include "test_mysql_server.h"

#include "gtid/place.h"
#include "mysql/job.h"

/* The owner of a job runner: remembers the last answer. */
struct doer {
    struct meter *m;
    struct job *job;
    bool over, lost, closed, ok;
    enum db_error error;
    unsigned number, killed;
    char text[1024];
    bool facts;
    bool read_only, configured, sql_running, using_gtid;
    enum repl_io io;
    unsigned source_port;
    pid_t pid;
    struct semi_sync semi_sync;
    bool logs; /* log_bin, log_slave_updates */
    uint64_t filters;
    char gtid[256], slave_pos[256], received[256];
    char own[PLACE_TEXT_MAX], applied[PLACE_TEXT_MAX];
    bool idle;
    unsigned sql_errno;
    uint64_t read_pos, exec_pos;
    char own_more[512]; /* "?": not looked for */
};

static inline void doer_on_done(struct job *j, const struct job_result *r)
{
    struct doer *d = job_owner(j);
    const struct server_facts *f = r->facts;

    d->over = true;
    d->ok = r->ok;
    d->error = r->error;
    d->number = r->number;
    d->killed = r->killed;
    snprintf(d->text, sizeof d->text, "%s", r->text);
    d->facts = f != NULL;
    snprintf(d->own_more, sizeof d->own_more, "%s", r->own_more ? r->own_more : "?");
    if (!f)
        return;
    place_write(d->own, f->server_uuid, f->binlog_file, f->binlog_pos);
    place_write(d->applied, f->repl.source_uuid, f->repl.exec_file, f->repl.exec_pos);
    d->read_only = f->read_only;
    d->pid = f->pid;
    d->semi_sync = f->semi_sync;
    d->logs = f->log_bin && f->log_updates;
    d->filters = f->filters | f->repl.filters;
    d->configured = f->repl.configured;
    d->io = f->repl.io;
    d->idle = f->repl.idle;
    d->sql_errno = f->repl.sql_errno;
    d->read_pos = f->repl.read_pos;
    d->exec_pos = f->repl.exec_pos;
    d->sql_running = f->repl.sql_running;
    d->using_gtid = f->repl.using_gtid;
    d->source_port = f->repl.source_port;
    snprintf(d->gtid, sizeof d->gtid, "%s", f->gtid_state);
    snprintf(d->slave_pos, sizeof d->slave_pos, "%s", f->gtid_slave_pos);
    snprintf(d->received, sizeof d->received, "%s", f->repl.received ? f->repl.received : "");
}

static inline void doer_on_lost(struct job *j, const char *text)
{
    (void)text;
    ((struct doer *)job_owner(j))->lost = true;
}

static inline void doer_open(struct doer *d, struct meter *m, const struct server *s)
{
    const struct job_opts opts = {
        .db = {.socket = s->socket, .user = "agent", .password = "agent-secret"},
        .agent_user = "agent",
        .monitor_user = "monitor",
        .replication_user = "repl",
        .on_lost = doer_on_lost,
        .owner = d,
    };

    memset(d, 0, sizeof *d);
    d->m = m;
    d->job = job_new(&m->loop, &opts);
}

static inline void doer_wait(struct doer *d)
{
    while (!d->over)
        uv_run(&d->m->loop, UV_RUN_ONCE);
    d->over = false;
}

static inline bool doer_do(struct doer *d, enum job_kind kind, struct job_args args)
{
    if (!args.limit_ms)
        args.limit_ms = 10000;
    job_start(d->job, kind, &args, doer_on_done);
    assert_false(d->over);
    assert_true(job_is_running(d->job));
    doer_wait(d);
    return d->ok;
}

#define NO_ARGS ((struct job_args){0})

static inline void assert_done(struct doer *d, enum job_kind kind, struct job_args args)
{
    if (!doer_do(d, kind, args))
        fail_msg("%s: %s", job_name(kind), d->text);
}

static inline void on_doer_closed(void *owner)
{
    ((struct doer *)owner)->closed = true;
}

static inline void doer_close(struct doer *d)
{
    job_close(d->job, on_doer_closed);
    while (!d->closed)
        uv_run(&d->m->loop, UV_RUN_ONCE);
}

/* ---- a client that writes, in a thread of its own ---- */

struct client {
    MYSQL *my;
    uv_thread_t thread;
    const char *sql;
    unsigned error;
};

static inline void client_open(struct client *c, const struct server *s)
{
    memset(c, 0, sizeof *c);
    c->my = mysql_init(NULL);
    assert_non_null(mysql_real_connect(c->my, NULL, "app", "app", "shop", 0, s->socket, 0));
}

static inline void client_run(void *arg)
{
    struct client *c = arg;

    c->error = mysql_query(c->my, c->sql) ? mysql_errno(c->my) : 0;
}

static inline void client_start(struct client *c, const char *sql)
{
    c->sql = sql;
    assert_int_equal(uv_thread_create(&c->thread, client_run, c), 0);
    usleep(200 * 1000);
}

static inline unsigned client_end(struct client *c)
{
    uv_thread_join(&c->thread);
    return c->error;
}

static inline unsigned client_do(struct client *c, const char *sql)
{
    c->sql = sql;
    client_run(c);
    return c->error;
}

static inline void client_close(struct client *c)
{
    mysql_close(c->my);
}

/* The source dies while it sends a transaction: part of it is in the replica's relay log, and was
 * begun. Both have shop.big (id, text LONGTEXT), and the replica follows. */
static inline void source_dies_halfway(struct server *source, struct doer *replica)
{
    server_do(source, "INSERT INTO shop.big SELECT NULL, REPEAT('x', 1000000)"
                      " FROM information_schema.columns LIMIT 150");
    usleep(5 * 1000);
    server_kill(source);
    do
        assert_done(replica, JOB_OBSERVE, NO_ARGS);
    while (!replica->idle || replica->read_pos == replica->exec_pos);
}

static inline void assert_drains_at_once(struct doer *replica)
{
    uint64_t began = uv_hrtime();

    for (int again = 0; again < 2; again++) {
        assert_done(replica, JOB_STOP_DRAIN, NO_ARGS);
        assert_true(replica->io == REPL_IO_NO && !replica->sql_running);
        assert_int_equal(replica->sql_errno, 0);
    }
    assert_true((uv_hrtime() - began) / 1000000 < 5000);
}

static inline struct job_args follow(const struct server *s)
{
    return (struct job_args){
        .follow = {
            .host = "127.0.0.1", .port = s->port, .user = "repl", .password = "repl-secret"}};
}
