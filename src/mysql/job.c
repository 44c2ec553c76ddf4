/* SPDX-License-Identifier: GPL-2.0-or-later
 *
 *   job_start -> connect, if closed -> kill what was abandoned -> first step -> ... -> job_over
 *   every failure, the deadline and job_cancel -> job_over */
#include "mysql/job_steps.h"

#include "base/clock.h"
#include "loop/timer.h"
#include "mysql/connector.h"
#include "mysql/db_error.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void job_observed(struct job *j, const struct db_result *r);

static const struct {
    const char *name;
    job_step_fn first;
} procedures[JOB_N] = {
    [JOB_OBSERVE] = {"observe", NULL},
    [JOB_READ_ONLY] = {"read only", job_read_only},
    [JOB_WRITABLE] = {"writable", job_writable},
    [JOB_STOP_DRAIN] = {"stop and drain", job_stop_drain},
    [JOB_FOLLOW] = {"follow", job_follow},
    [JOB_STOP_REPLICA] = {"stop replica", job_stop_replica},
    [JOB_START_REPLICA] = {"start replica", job_start_replica},
    [JOB_SALVAGE] = {"salvage", job_salvage},
    [JOB_LOOK] = {"look what is in the way", job_look},
};

const char *job_name(enum job_kind kind)
{
    CHECK(kind < JOB_N);
    return procedures[kind].name;
}

/* ---- texts that are copied ---- */

static const char *job_text(const char *text)
{
    char *copy = text ? strdup(text) : NULL;

    CHECK(!text || copy);
    return copy;
}

static struct job_args job_args_copy(const struct job_args *a)
{
    struct job_args c = *a;

    c.reach = job_text(a->reach && a->reach[0] ? a->reach : NULL);
    c.look = job_text(a->look && a->look[0] ? a->look : NULL);
    c.follow.at = job_text(a->follow.at && a->follow.at[0] ? a->follow.at : NULL);
    c.follow.from = job_text(a->follow.from && a->follow.from[0] ? a->follow.from : NULL);
    c.follow.host = job_text(a->follow.host);
    c.follow.user = job_text(a->follow.user);
    c.follow.password = job_text(a->follow.password);
    c.follow.tls_ca = job_text(a->follow.tls_ca);
    c.follow.tls_cert = job_text(a->follow.tls_cert);
    c.follow.tls_key = job_text(a->follow.tls_key);
    c.follow.log_file = job_text(a->follow.log_file);
    c.tail_user = job_text(a->tail_user);
    c.tail_password = job_text(a->tail_password);
    return c;
}

static void job_args_free(struct job_args *a)
{
    const char *const texts[] = {
        a->reach,         a->follow.host,     a->follow.user,    a->follow.password,
        a->follow.tls_ca, a->follow.tls_cert, a->follow.tls_key, a->follow.log_file,
        a->tail_user,     a->tail_password,   a->look,           a->follow.at,
        a->follow.from};

    if (a->follow.password)
        explicit_bzero((char *)a->follow.password, strlen(a->follow.password));
    if (a->tail_password)
        explicit_bzero((char *)a->tail_password, strlen(a->tail_password));
    for (unsigned i = 0; i < ARRAY_LEN(texts); i++)
        free((char *)texts[i]);
    memset(a, 0, sizeof *a);
}

/* ---- the end ---- */

/* Should a password stand in what a server said, it does no longer. */
static void job_hide(char *text, const char *secret)
{
    size_t len = secret ? strlen(secret) : 0;

    for (char *at = text; len && (at = strstr(at, secret)); at += len)
        memset(at, '*', len);
}

static void job_on_connected(struct db *db, const struct db_result *r);

/* A salvage that failed puts the replication settings back first. True: the job goes on. */
static bool job_goes_back(struct job *j, enum db_error error, unsigned number, const char *text)
{
    if (!j->tail.pointed || j->tail.restoring || j->cancelled)
        return false;
    job_salvage_failed(j, error, number, text);
    if (db_is_idle(j->db))
        job_salvage_back(j);
    else
        db_connect(j->db, j->until_ms - clock_boot_ms(), job_on_connected);
    return true;
}

static const char *job_story(const struct job *j, char *text, char *to, size_t size)
{
    if (!j->tail.pointed)
        return text;
    snprintf(to, size,
             "%s%s%s; replication is still set to fetch from 127.0.0.1:%u, stop it and "
             "set it to follow its source again",
             j->tail.failure, j->tail.restoring ? "; " : "", text, j->args.tail_port);
    return to;
}

static void job_over(struct job *j, bool ok, enum db_error error, unsigned number, char *text)
{
    char story[sizeof j->tail.failure + 1400];
    struct server_facts facts = j->facts;
    job_done_fn done = j->done;
    struct job_result r = {
        .kind = j->kind,
        .ok = ok,
        .error = error,
        .number = number,
        .text = job_story(j, text, story, sizeof story),
        .facts = j->facts_seen ? &facts : NULL,
        .own_more = j->looked ? j->own_more : NULL,
        .killed = j->killed,
    };

    if (!ok && job_goes_back(j, error, number, text))
        return;
    if (j->tail.restoring && !j->tail.pointed)
        r.error = j->tail.error;
    db_cancel(j->side);
    job_hide((char *)r.text, j->args.follow.password);
    job_hide((char *)r.text, j->args.tail_password);
    uv_timer_stop(&j->timer);
    memset(&j->facts, 0, sizeof j->facts);
    job_args_free(&j->args);
    j->done = NULL;
    j->then = j->observed = NULL;
    done(j, &r); /* may start the next job, or close */
    server_facts_free(&facts);
}

void job_end(struct job *j, const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    job_over(j, true, DB_OK, 0, text);
}

void job_fail(struct job *j, unsigned number, const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    job_over(j, false, number ? DB_SQL : DB_OK, number, text);
}

void job_fail_sql(struct job *j, const struct db_result *r)
{
    char text[1024];

    snprintf(text, sizeof text, "%s: %s", j->doing, r->text);
    job_over(j, false, r->error, r->number, text);
}

void job_why(struct job *j, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(j->why, sizeof j->why, fmt, ap);
    va_end(ap);
}

static void job_cancelled(struct job *j)
{
    char text[] = "cancelled";

    job_over(j, false, DB_CANCELLED, 0, text);
}

static void job_too_late(struct job *j)
{
    char text[1024];

    snprintf(text, sizeof text, "%s: not done within %" PRId64 " ms%s%s", job_name(j->kind),
             j->args.limit_ms, j->why[0] ? ": " : "", j->why);
    job_over(j, false, DB_TIMEOUT, 0, text);
}

/* ---- statements ---- */

int64_t job_left_ms(const struct job *j)
{
    return j->until_ms - clock_boot_ms();
}

void job_abandon(struct job *j, const struct db *db)
{
    if (j->abandoned_n == JOB_ABANDONED_MAX)
        memmove(j->abandoned, j->abandoned + 1, --j->abandoned_n * sizeof j->abandoned[0]);
    j->abandoned[j->abandoned_n++] = db_connection_id(db);
}

static void job_on_answer(struct db *db, const struct db_result *r)
{
    struct job *j = db_owner(db);
    char text[1024];

    if (j->switching && db_is_closed(db))
        job_abandon(j, db);
    j->switching = false;
    if (j->cancelled) {
        job_cancelled(j);
    } else if (r->error == DB_OK ||
               (j->tolerant && db_is_idle(db) && (r->error == DB_SQL || r->error == DB_DENIED))) {
        j->then(j, r);
    } else {
        snprintf(text, sizeof text, "%s: %s%s%s", j->doing, r->text, j->why[0] ? "; " : "", j->why);
        job_over(j, false, r->error, r->number, text);
    }
}

static void job_send(struct job *j, const char *doing, const char *sql, bool tolerant,
                     job_step_fn then)
{
    if (job_left_ms(j) <= 0) { /* said from the loop, not from within the caller's step */
        job_pause(j, 0, then);
        return;
    }
    j->doing = doing;
    j->then = then;
    j->tolerant = tolerant;
    db_query(j->db, sql, job_left_ms(j), job_on_answer);
}

void job_ask(struct job *j, const char *doing, const char *sql, job_step_fn then)
{
    job_send(j, doing, sql, false, then);
}

void job_try(struct job *j, const char *doing, const char *sql, job_step_fn then)
{
    job_send(j, doing, sql, true, then);
}

static void job_on_timer(uv_timer_t *t)
{
    struct job *j = t->data;

    if (j->cancelled)
        job_cancelled(j);
    else if (job_left_ms(j) <= 0)
        job_too_late(j);
    else
        j->then(j, NULL);
}

void job_pause(struct job *j, int64_t ms, job_step_fn then)
{
    int64_t left = job_left_ms(j);

    j->then = then;
    timer_in(&j->timer, ms < left ? ms : left, job_on_timer);
}

/* ---- observing ---- */

static void job_on_coordinates(struct job *j, const struct db_result *r)
{
    job_step_fn observed = j->observed;

    if (r->error == DB_OK) /* else: not allowed to ask, or no binary log */
        dialect_read_coordinates(r, &j->facts);
    j->facts.pid = db_peer_pid(j->db);
    j->facts_seen = true;
    j->observed = NULL;
    observed(j, NULL);
}

static void job_on_repl(struct job *j, const struct db_result *r)
{
    struct err e;

    if (dialect_read_repl(j->dialect, r, &j->facts.repl, &e) < 0)
        job_fail(j, 0, "%s", e.msg);
    else
        job_try(j, "binary log position", j->dialect->text[STMT_COORDINATES], job_on_coordinates);
}

static void job_on_facts(struct job *j, const struct db_result *r)
{
    struct err e;

    if (dialect_read_facts(j->dialect, r, &j->facts, &e) < 0)
        job_fail(j, 0, "%s", e.msg);
    else
        job_ask(j, "replica status", j->dialect->text[STMT_REPL_STATUS], job_on_repl);
}

void job_observe(struct job *j, job_step_fn then)
{
    CHECK(!j->observed);
    j->observed = then;
    job_ask(j, "server variables", j->dialect->text[STMT_FACTS], job_on_facts);
}

static void job_on_semi_sync(struct job *j, const struct db_result *r)
{
    if (r->error == DB_OK)
        dialect_read_semi_sync(r, &j->semi_sync);
    j->semi_sync_at = clock_boot_ms();
    j->facts.semi_sync = j->semi_sync;
    job_end(j, "observed");
}

/* The rest is asked for each time; this costs the server more than all of it. */
static void job_observed(struct job *j, const struct db_result *r)
{
    (void)r;
    j->facts.semi_sync = j->semi_sync;
    if (j->semi_sync_at && clock_boot_ms() - j->semi_sync_at < JOB_SEMI_SYNC_MS)
        job_end(j, "observed");
    else
        job_try(j, "semi-sync", j->dialect->text[STMT_SEMI_SYNC], job_on_semi_sync);
}

/* ---- the beginning ---- */

static void job_procedure(struct job *j)
{
    if (j->tail.restoring)
        job_salvage_back(j);
    else if (procedures[j->kind].first)
        procedures[j->kind].first(j, NULL);
    else
        job_observe(j, job_observed);
}

/* ---- connections on which opening or closing writes was given up: they must not get to it now.
 * A killed one that waited no more still does it, so who opens waits until they are gone; who
 * closes looks for openers itself. ---- */

static void job_list_abandoned(struct job *j, const struct db_result *r);

static void job_kill_abandoned(struct job *j, const struct db_result *r)
{
    char sql[64];

    (void)r;
    if (j->kill_at < j->abandoned_n) {
        snprintf(sql, sizeof sql, "KILL %" PRIu64, j->abandoned[j->kill_at++]);
        job_try(j, "KILL of an abandoned connection", sql, job_kill_abandoned);
    } else if (j->abandoned_n && j->kind == JOB_WRITABLE) {
        job_why(j,
                "connection %" PRIu64 ", on which a change of read_only was given up, was "
                "killed and is still there",
                j->abandoned[0]);
        job_pause(j, JOB_LINGER_MS, job_list_abandoned);
    } else {
        job_procedure(j);
    }
}

/* After a restart of the server, numbers mean other connections: kill our own account's only. */
static void job_find_abandoned(struct job *j, const struct db_result *r)
{
    unsigned n = 0;

    for (unsigned i = 0; i < j->abandoned_n; i++) {
        for (unsigned row = 0; row < r->rows; row++) {
            const char *id = db_named(r, row, "Id"), *user = db_named(r, row, "User");

            if (id && user && strtoull(id, NULL, 10) == j->abandoned[i] &&
                strcmp(user, j->opts.db.user) == 0) {
                j->abandoned[n++] = j->abandoned[i];
                break;
            }
        }
    }
    j->abandoned_n = n;
    j->kill_at = 0;
    j->why[0] = 0;
    job_kill_abandoned(j, NULL);
}

static void job_list_abandoned(struct job *j, const struct db_result *r)
{
    (void)r;
    job_ask(j, "SHOW PROCESSLIST", j->dialect->text[STMT_PROCESSES], job_find_abandoned);
}

static void job_begin(struct job *j)
{
    if (j->abandoned_n)
        job_list_abandoned(j, NULL);
    else
        job_procedure(j);
}

static void job_on_connected(struct db *db, const struct db_result *r)
{
    struct job *j = db_owner(db);
    char text[1024];

    if (j->cancelled) {
        job_cancelled(j);
        return;
    }
    if (r->error) {
        snprintf(text, sizeof text, "%s", r->text);
        job_over(j, false, r->error, r->number, text);
        return;
    }
    j->dialect = dialect_of(db_is_mariadb(db), dialect_version(db_server_info(db)));
    j->semi_sync_at = 0;
    job_begin(j);
}

void job_start(struct job *j, enum job_kind kind, const struct job_args *args, job_done_fn done)
{
    CHECK(!j->done && !j->closer.closing && kind < JOB_N && args->limit_ms > 0);
    j->done = done;
    j->kind = kind;
    j->args = job_args_copy(args);
    j->until_ms = clock_boot_ms() + args->limit_ms;
    j->cancelled = j->facts_seen = j->holds = j->salvaging = false;
    j->heartbeat_unknown = j->looked = false;
    j->rows = 0;
    j->hears_since = j->heard_ms = 0;
    memset(&j->tail, 0, sizeof j->tail);
    j->killed = 0;
    j->why[0] = 0;
    if (db_is_idle(j->db))
        job_begin(j);
    else
        db_connect(j->db, args->limit_ms, job_on_connected);
}

void job_cancel(struct job *j)
{
    if (!j->done)
        return;
    j->cancelled = true;
    if (db_is_idle(j->db) || db_is_closed(j->db)) /* it pauses */
        timer_in(&j->timer, 1, job_on_timer);
    else
        db_cancel(j->db);
}

/* ---- life ---- */

static void job_on_lost(struct db *db, const char *text)
{
    struct job *j = db_owner(db);
    char copy[1024];

    if (j->done) { /* it pauses */
        snprintf(copy, sizeof copy, "%s%s%s", text, j->why[0] ? "; " : "", j->why);
        job_over(j, false, DB_LOST, 0, copy);
    } else if (j->opts.on_lost) {
        j->opts.on_lost(j, text);
    }
}

struct job *job_new(uv_loop_t *loop, const struct job_opts *opts)
{
    struct job *j = calloc(1, sizeof *j);

    CHECK(j);
    j->loop = loop;
    j->opts = *opts;
    j->opts.db = db_params_copy(&opts->db);
    j->opts.agent_user = job_text(opts->agent_user);
    j->opts.monitor_user = job_text(opts->monitor_user);
    j->opts.replication_user = job_text(opts->replication_user);
    j->db = db_new(loop, &j->opts.db, job_on_lost, j);
    j->side = db_new(loop, &j->opts.db, NULL, j);
    CHECK(uv_timer_init(loop, &j->timer) == 0);
    j->timer.data = j;
    j->closer.owner = j;
    closer_add(&j->closer); /* the connection */
    closer_add(&j->closer); /* the second one */
    closer_add(&j->closer); /* the timer */
    return j;
}

void *job_owner(const struct job *j)
{
    return j->opts.owner;
}

bool job_is_running(const struct job *j)
{
    return j->done != NULL;
}

static void job_on_db_closed(void *owner)
{
    struct job *j = owner;

    closer_sub(&j->closer);
}

static void job_on_closed(struct closer *c)
{
    struct job *j = c->owner;
    void (*closed)(void *owner) = j->closed;
    void *owner = j->opts.owner;

    db_params_free(&j->opts.db);
    free((char *)j->opts.agent_user);
    free((char *)j->opts.monitor_user);
    free((char *)j->opts.replication_user);
    free(j);
    if (closed)
        closed(owner);
}

void job_close(struct job *j, void (*closed)(void *owner))
{
    CHECK(!j->closer.closing);
    if (j->done) {
        j->done = NULL;
        job_args_free(&j->args);
        server_facts_free(&j->facts);
    }
    j->closed = closed;
    db_close(j->db, job_on_db_closed);
    db_close(j->side, job_on_db_closed);
    closer_handle(&j->closer, (uv_handle_t *)&j->timer);
    closer_end(&j->closer, job_on_closed);
}
