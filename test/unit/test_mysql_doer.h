/* SPDX-License-Identifier: GPL-2.0-or-later
 * For the live tests of jobs: a job runner that remembers its last answer, and clients that write.
 */
#pragma once

#include "test_mysql_server.h"

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
    if (!f)
        return;
    d->read_only = f->read_only;
    d->pid = f->pid;
    d->semi_sync = f->semi_sync;
    d->logs = f->log_bin && f->log_updates;
    d->filters = f->filters | f->repl.filters;
    d->configured = f->repl.configured;
    d->io = f->repl.io;
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

static inline struct job_args follow(const struct server *s)
{
    return (struct job_args){
        .follow = {
            .host = "127.0.0.1", .port = s->port, .user = "repl", .password = "repl-secret"}};
}
