/* SPDX-License-Identifier: GPL-2.0-or-later
 * A drained replica fetches the rest from a source on this machine (source.h), and gets its
 * settings back: host, port, user, TLS, heartbeat, retries, how it positions itself. All else
 * (filters, certificates) stays untouched meanwhile.
 *
 *   drain -> settings noted -> (position) -> CHANGE -> START -> `reach` -> drain -> settings back
 *
 * Whatever fails once the settings are changed, comes back to job_salvage_failed, which puts them
 * back before the job ends. Only cancelling and a server that does not answer leave them; then the
 * user's name still says whether TLS was on, and the next job to follow heeds that. */
#include "mysql/job_steps.h"

#include "base/buf.h"
#include "base/clock.h"
#include "mysql/source.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOCALHOST  "127.0.0.1"
#define RESTORE_MS 5000 /* for putting the settings back after a failure */

bool job_tail_had_tls(const struct repl_status *s)
{
    size_t len = strlen(s->source_user), mark = strlen(SOURCE_TLS_MARK);

    return strcmp(s->source_host, LOCALHOST) == 0 && len > mark &&
           strcmp(s->source_user + len - mark, SOURCE_TLS_MARK) == 0;
}

/* ---- the two statements ---- */

static void sv_text(struct buf *b, const char *key, const char *value)
{
    char quoted[2 * 1024 + 3];

    if (db_quote(quoted, sizeof quoted, value) >= sizeof quoted)
        b->full = true;
    buf_addf(b, "%s=%s,", key, quoted);
    explicit_bzero(quoted, sizeof quoted);
}

struct sv_place {
    const char *host, *user, *password;
    unsigned port, retry_s;
    bool tls;
    int64_t heartbeat_ms;
    const char *position; /* how it positions itself */
};

static void sv_change(struct job *j, const struct sv_place *p, job_step_fn then)
{
    const char *old = j->dialect->mariadb ? "MASTER" : "SOURCE";
    struct buf b = BUF(16 * 1024);
    char key[64];

#define KEY(name) (snprintf(key, sizeof key, "%s_%s", old, name), key)
    buf_addf(&b, "CHANGE %s TO ", j->dialect->mariadb ? "MASTER" : "REPLICATION SOURCE");
    sv_text(&b, KEY("HOST"), p->host);
    buf_addf(&b, "%s=%u,", KEY("PORT"), p->port);
    sv_text(&b, KEY("USER"), p->user);
    sv_text(&b, KEY("PASSWORD"), p->password);
    buf_addf(&b, "%s=%d,", KEY("SSL"), p->tls);
    buf_addf(&b, "%s=%u,", KEY("CONNECT_RETRY"), p->retry_s);
    buf_addf(&b, "%s=%" PRId64 ".%03" PRId64 ",%s", KEY("HEARTBEAT_PERIOD"), p->heartbeat_ms / 1000,
             p->heartbeat_ms % 1000, p->position);
#undef KEY
    if (b.full)
        job_fail(j, 0, "the replication settings are too long");
    else
        job_try(j, j->dialect->mariadb ? "CHANGE MASTER" : "CHANGE REPLICATION SOURCE", b.at, then);
    if (b.at)
        explicit_bzero(b.at, b.len);
    buf_free(&b);
}

/* An error of syntax quotes the statement, and with it the password. */
static bool sv_refused(struct job *j, const struct db_result *r)
{
    if (r->number == 1064)
        job_fail(j, r->number, "%s: the server does not understand the statement (1064)", j->doing);
    else if (r->error)
        job_fail_sql(j, r);
    return r->error != DB_OK;
}

/* ---- the settings back ---- */

static void sv_end(struct job *j)
{
    const char *host = j->tail.host;

    j->tail.pointed = false;
    if (j->tail.restoring)
        job_fail(j, j->tail.number, "%s", j->tail.failure);
    else
        job_end(j,
                "what the dead server had more is applied; set to follow %s:%u as before, "
                "stopped",
                host, j->tail.port);
}

static void sv_restored(struct job *j, const struct db_result *r)
{
    if (!sv_refused(j, r))
        sv_end(j);
}

static void sv_restore(struct job *j, const struct db_result *r)
{
    char position[640], file[2 * sizeof j->tail.file + 3];

    (void)r;
    db_quote(file, sizeof file, j->tail.file);
    if (j->dialect->mariadb && j->tail.by_gtid)
        snprintf(position, sizeof position, "MASTER_USE_GTID=%s",
                 j->tail.by_current ? "current_pos" : "slave_pos");
    else if (j->dialect->mariadb)
        snprintf(position, sizeof position,
                 "MASTER_LOG_FILE=%s,MASTER_LOG_POS=%" PRIu64 ",MASTER_USE_GTID=no", file,
                 j->tail.pos);
    else if (j->tail.by_gtid)
        snprintf(position, sizeof position, "SOURCE_AUTO_POSITION=1");
    else
        snprintf(position, sizeof position,
                 "SOURCE_LOG_FILE=%s,SOURCE_LOG_POS=%" PRIu64 ",SOURCE_AUTO_POSITION=0", file,
                 j->tail.pos);
    sv_change(j,
              &(struct sv_place){
                  .host = j->tail.host,
                  .port = j->tail.port,
                  .user = j->args.follow.user,
                  .password = j->args.follow.password,
                  .tls = j->tail.tls,
                  .retry_s = j->tail.retry_s,
                  .heartbeat_ms = j->tail.heartbeat_ms,
                  .position = position,
              },
              sv_restored);
}

void job_salvage_failed(struct job *j, enum db_error error, unsigned number, const char *text)
{
    j->tail.restoring = true;
    j->tail.error = error;
    j->tail.number = number;
    snprintf(j->tail.failure, sizeof j->tail.failure, "%s", text);
    j->until_ms = clock_boot_ms() + RESTORE_MS;
    j->observed = NULL;
}

void job_salvage_back(struct job *j)
{
    job_ask(j, j->dialect->text[STMT_STOP_BOTH], j->dialect->text[STMT_STOP_BOTH], sv_restore);
}

/* ---- fetching ---- */

static void sv_caught(struct job *j, const struct db_result *r)
{
    int reached = job_reached(j, false);

    if (reached < 0)
        return;
    if (!reached)
        job_fail(j, 0, "%s has not been reached: applied %s", j->args.reach,
                 j->dialect->mariadb ? j->facts.gtid_slave_pos : j->facts.gtid_state);
    else
        sv_restore(j, r);
}

static void sv_started(struct job *j, const struct db_result *r)
{
    j->tail.draining = false;
    job_drain(j, sv_caught);
    (void)r;
}

static void sv_pointed(struct job *j, const struct db_result *r)
{
    if (sv_refused(j, r))
        return;
    j->tail.pointed = true;
    job_ask(j, j->dialect->text[STMT_START_BOTH], j->dialect->text[STMT_START_BOTH], sv_started);
}

static void sv_point(struct job *j)
{
    char user[256];

    snprintf(user, sizeof user, "%s%s", j->args.tail_user, j->tail.tls ? SOURCE_TLS_MARK : "");
    sv_change(j,
              &(struct sv_place){
                  .host = LOCALHOST,
                  .port = j->args.tail_port,
                  .user = user,
                  .password = j->args.tail_password,
                  .retry_s = 1,
                  .heartbeat_ms = 1000,
                  .position =
                      j->dialect->mariadb ? "MASTER_USE_GTID=slave_pos" : "SOURCE_AUTO_POSITION=1",
              },
              sv_pointed);
}

/* ---- before that ---- */

static void sv_noted(struct job *j, const struct db_result *r)
{
    const struct repl_status *s = &j->facts.repl;
    const char *heartbeat = r->error ? NULL : db_named(r, 0, "heartbeat");
    int64_t chosen = j->args.follow.heartbeat_ms > 0 ? j->args.follow.heartbeat_ms : 1000;

    snprintf(j->tail.host, sizeof j->tail.host, "%s", s->source_host);
    snprintf(j->tail.file, sizeof j->tail.file, "%s", s->exec_file);
    j->tail.port = s->source_port;
    j->tail.pos = s->exec_pos;
    j->tail.tls = s->tls || job_tail_had_tls(s);
    j->tail.retry_s = s->connect_retry_s ? s->connect_retry_s : 1;
    j->tail.by_gtid = s->using_gtid;
    j->tail.by_current = s->using_gtid && !s->gtid_slave_pos;
    j->tail.heartbeat_ms = heartbeat              ? (int64_t)(strtod(heartbeat, NULL) * 1000 + 0.5)
                           : s->heartbeat_ms >= 0 ? s->heartbeat_ms
                                                  : chosen;
    if (j->dialect->mariadb)
        job_position(j, sv_point);
    else
        sv_point(j);
}

static void sv_drained(struct job *j, const struct db_result *r)
{
    const struct repl_status *s = &j->facts.repl;

    (void)r;
    if (!s->configured)
        job_fail(j, 0, "there is no replication whose receiver could fetch it");
    else if (s->delay_s)
        job_fail(j, 0, "replication is delayed by %u s: that is for the DBA to end", s->delay_s);
    else
        job_try(j, "what was followed so far", j->dialect->text[STMT_FOLLOWED], sv_noted);
}

void job_salvage(struct job *j, const struct db_result *r)
{
    (void)r;
    CHECK(j->args.tail_port && j->args.tail_user && j->args.tail_password && j->args.reach);
    CHECK(j->args.follow.user && j->args.follow.password);
    j->tail.draining = true;
    job_drain(j, sv_drained);
}
