/* SPDX-License-Identifier: GPL-2.0-or-later
 * Replication by file and position: MySQL with gtid_mode=OFF. What a place means, and which moves
 * are safe, is in engine/place.c; here is what it takes on one server.
 *
 * The executed coordinates of a replica are exact once its applier is stopped or idle: with several
 * workers they are the lowest of all until then. What was received of a transaction whose source
 * died in the middle of sending it stays in the relay log and is never applied: read and executed
 * coordinates then differ for ever, and it is the relay log itself that says whether anything whole
 * is left. `reach` is applied with START ... UNTIL, so that nothing behind it is. */
#include "mysql/job_steps.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROWS_AT_ONCE = 100,
    ROWS_MOST = 200 * 1000, /* of a log that is looked at; more is not known */
};

bool job_by_place(const struct job *j)
{
    return !j->dialect->mariadb && (j->opts.gtid_off || !j->facts.gtid_on);
}

static void place_of_source(const struct job *j, char to[PLACE_TEXT_MAX])
{
    const struct repl_status *s = &j->facts.repl;

    place_write(to, s->source_uuid, s->exec_file, s->exec_pos);
}

/* ---- reach ---- */

int job_place_reached(struct job *j)
{
    char applied[PLACE_TEXT_MAX], own[PLACE_TEXT_MAX];
    const char *reach = j->args.reach;

    if (!reach)
        return 1;
    place_of_source(j, applied);
    place_write(own, j->facts.server_uuid, j->facts.binlog_file, j->facts.binlog_pos);
    if (place_same_log(reach, own))
        return !place_before(own, reach);
    if (place_same_log(reach, applied))
        return !place_before(applied, reach);
    if (j->args.as_is)
        return 1;
    job_fail(j, 0, "cannot get to %s: stands at %s", reach, applied[0] ? applied : "no place");
    return -1;
}

static void reach_look(struct job *j, const struct db_result *r);

static void reach_wait(struct job *j, const struct db_result *r)
{
    const struct repl_status *s = &j->facts.repl;
    int reached = job_place_reached(j);

    (void)r;
    if (reached < 0)
        return;
    if (reached || (j->args.as_is && (s->sql_errno || s->io == REPL_IO_NO))) {
        j->rest[0](j, NULL);
        return;
    }
    if (s->sql_errno || !s->sql_running) {
        job_fail(j, s->sql_errno, "the applier stopped before %s%s%s", j->args.reach,
                 s->sql_error[0] ? ": " : "", s->sql_error);
        return;
    }
    job_why(j, "applied up to %s:%" PRIu64 "%s%s", s->exec_file, s->exec_pos,
            s->io_error[0] ? ": " : "", s->io_error);
    job_pause(j, JOB_POLL_MS, reach_look);
}

static void reach_look(struct job *j, const struct db_result *r)
{
    (void)r;
    job_observe(j, reach_wait);
}

static void reach_received(struct job *j, const struct db_result *r)
{
    struct place to;
    char file[2 * PLACE_FILE_MAX + 3], sql[sizeof file + 128];

    (void)r;
    CHECK(place_read(j->args.reach, &to));
    db_quote(file, sizeof file, to.file);
    snprintf(sql, sizeof sql,
             "START REPLICA SQL_THREAD UNTIL SOURCE_LOG_FILE=%s, SOURCE_LOG_POS=%" PRIu64
             " FOR CHANNEL ''",
             file, to.pos);
    job_ask(j, "START REPLICA UNTIL", sql, reach_look);
}

static void reach_stopped(struct job *j, const struct db_result *r)
{
    if (j->facts.repl.io == REPL_IO_NO)
        job_ask(j, "START REPLICA IO_THREAD", "START REPLICA IO_THREAD FOR CHANNEL ''",
                reach_received);
    else
        reach_received(j, r);
}

void job_place_reach(struct job *j, job_step_fn then)
{
    j->rest[0] = then;
    job_ask(j, "STOP REPLICA SQL_THREAD", "STOP REPLICA SQL_THREAD FOR CHANNEL ''", reach_stopped);
}

/* ---- the rest of the relay log ---- */

static void log_ask(struct job *j, const char *what, bool skip, job_step_fn then)
{
    char file[2 * PLACE_FILE_MAX + 3], sql[sizeof file + 128];

    db_quote(file, sizeof file, j->at.file);
    snprintf(sql, sizeof sql, "SHOW %s EVENTS IN %s FROM %" PRIu64 " LIMIT %d,%d", what, file,
             j->at.pos, skip, ROWS_AT_ONCE);
    job_try(j, what, sql, then);
}

static bool rest_begins(const char *info)
{
    return strcmp(info, "BEGIN") == 0 || strncmp(info, "XA START", 8) == 0;
}

/* Does this event end a transaction? *in: one has begun. */
static bool rest_ends(const char *type, const char *info, bool *in)
{
    bool was = *in;

    if (strcmp(type, "Xid") == 0 || strcmp(type, "XA_prepare") == 0 ||
        strcmp(type, "Transaction_payload") == 0)
        return true;
    if (strcmp(type, "Query") != 0)
        return false;
    *in = was || rest_begins(info);
    if (was)
        return strcmp(info, "COMMIT") == 0 || strcmp(info, "ROLLBACK") == 0;
    return !*in;
}

static void rest_seen(struct job *j, const struct db_result *r)
{
    bool in = j->rows > 0;
    const char *pos = NULL;

    for (unsigned row = 0; row < r->rows; row++) {
        const char *type = db_named(r, row, "Event_type"), *info = db_named(r, row, "Info");

        if (type && rest_ends(type, info ? info : "", &in)) {
            j->rest[1](j, NULL);
            return;
        }
        pos = db_named(r, row, "Pos");
    }
    j->rows = in;
    if (r->rows == ROWS_AT_ONCE && pos) {
        j->at.pos = strtoull(pos, NULL, 10);
        log_ask(j, "RELAYLOG", true, rest_seen);
    } else if (r->error || !place_next_file(j->at.file)) { /* there is no such file */
        j->rest[r->error && r->number != 1220](j, NULL);
    } else {
        j->at.pos = 4;
        log_ask(j, "RELAYLOG", false, rest_seen);
    }
}

static void job_kill_one(struct job *j, job_step_fn then)
{
    char sql[64];

    snprintf(sql, sizeof sql, "KILL %" PRIu64, j->kill[j->kill_at++]);
    job_try(j, "KILL", sql, then);
}

/* The coordinator would give the rest of a transaction a minute to come before it stops; it stops
 * at once when its workers end. */
static void part_killed(struct job *j, const struct db_result *r)
{
    (void)r;
    if (j->kill_at == j->kill_n)
        j->rest[0](j, NULL);
    else
        job_kill_one(j, part_killed);
}

static void part_workers(struct job *j, const struct db_result *r)
{
    j->kill_n = j->kill_at = 0;
    for (unsigned row = 0; row < r->rows && j->kill_n < JOB_KILLS_MAX; row++) {
        const char *id = db_named(r, row, "Id"), *state = db_named(r, row, "State");
        const char *user = db_named(r, row, "User");

        /* the receiver is stopped by now, and the coordinator has read all */
        if (id && user && state && strcmp(user, "system user") == 0 &&
            !strstr(state, "has read all relay log"))
            j->kill[j->kill_n++] = strtoull(id, NULL, 10);
    }
    part_killed(j, NULL);
}

void job_place_part(struct job *j, job_step_fn then)
{
    j->rest[0] = then;
    if (j->rows && j->facts.repl.sql_running)
        job_try(j, "SHOW PROCESSLIST", j->dialect->text[STMT_PROCESSES], part_workers);
    else
        then(j, NULL);
}

/* Away with it, so that it is not begun again; and with the error that ended it. */
void job_place_forget(struct job *j, job_step_fn then)
{
    const struct repl_status *s = &j->facts.repl;
    char file[2 * sizeof s->exec_file + 3], sql[sizeof file + 128];

    db_quote(file, sizeof file, s->exec_file);
    snprintf(sql, sizeof sql,
             "CHANGE REPLICATION SOURCE TO SOURCE_LOG_FILE=%s, SOURCE_LOG_POS=%" PRIu64
             " FOR CHANNEL ''",
             file, s->exec_pos);
    job_ask(j, "CHANGE REPLICATION SOURCE TO SOURCE_LOG_POS", sql, then);
}

void job_place_rest(struct job *j, job_step_fn none, job_step_fn some)
{
    const struct repl_status *s = &j->facts.repl;

    j->rest[0] = none;
    j->rest[1] = some;
    j->rows = 0;
    snprintf(j->at.file, sizeof j->at.file, "%.79s", s->relay_file);
    j->at.pos = s->relay_pos;
    log_ask(j, "RELAYLOG", false, rest_seen);
}

/* ---- transactions of its own ---- */

static bool look_is_own(const struct job *j, const char *type, const char *server_id)
{
    static const char *const keeping[] = {"Format_desc", "Previous_gtids", "Rotate",
                                          "Stop",        "Heartbeat",      "Ignorable"};

    for (unsigned i = 0; i < ARRAY_LEN(keeping); i++)
        if (strcmp(type, keeping[i]) == 0)
            return false;
    return strtoull(server_id, NULL, 10) == j->facts.server_id;
}

static void look_over(struct job *j)
{
    j->looked = true;
    j->rest[0](j, NULL);
}

static void look_failed(struct job *j, const char *why)
{
    snprintf(j->own_more, sizeof j->own_more,
             "unknown, for its binary log was looked at from %s on: %.200s", j->args.look, why);
    look_over(j);
}

static void look_seen(struct job *j, const struct db_result *r)
{
    const char *end = NULL, *pos = NULL;

    if (r->error) {
        look_failed(j, r->text);
        return;
    }
    for (unsigned row = 0; row < r->rows; row++) {
        const char *type = db_named(r, row, "Event_type"), *id = db_named(r, row, "Server_id");

        pos = db_named(r, row, "Pos");
        if (type && id && look_is_own(j, type, id))
            end = db_named(r, row, "End_log_pos");
    }
    if (end)
        snprintf(j->own_more, sizeof j->own_more, "%s..%s:%s", j->args.look, j->at.file, end);
    j->rows += r->rows;
    if (j->rows > ROWS_MOST) {
        look_failed(j, "too many events to look at");
    } else if (r->rows == ROWS_AT_ONCE && pos) {
        j->at.pos = strtoull(pos, NULL, 10);
        log_ask(j, "BINLOG", true, look_seen);
    } else if (strcmp(j->at.file, j->facts.binlog_file) == 0) {
        look_over(j);
    } else if (!place_next_file(j->at.file)) {
        look_failed(j, "the names of its files are too long");
    } else {
        j->at.pos = 4;
        log_ask(j, "BINLOG", false, look_seen);
    }
}

void job_place_look(struct job *j, job_step_fn then)
{
    char own[PLACE_TEXT_MAX];

    j->rest[0] = then;
    j->rows = 0;
    j->own_more[0] = 0;
    place_write(own, j->facts.server_uuid, j->facts.binlog_file, j->facts.binlog_pos);
    if (!place_same_log(j->args.look, own) || !place_read(j->args.look, &j->at))
        look_failed(j, "it writes another log now");
    else if (place_before(own, j->args.look))
        look_failed(j, "it ends before that");
    else
        log_ask(j, "BINLOG", false, look_seen);
}

/* ---- follow ---- */

bool job_place_follow(struct job *j)
{
    const struct repl_status *s = &j->facts.repl;
    struct follow *f = &j->args.follow;
    char applied[PLACE_TEXT_MAX];
    struct place to;

    place_of_source(j, applied);
    if (!f->at || (place_same_log(applied, f->at) && !place_before(applied, f->at))) {
        bool there = s->configured && s->source_port == f->port &&
                     strcmp(s->source_host, f->host) == 0 && place_read(applied, &to);

        if (!there && !(f->at && place_read(applied, &to))) {
            job_fail(j, 0, "it is not known from which place on to follow %s:%u", f->host, f->port);
            return false;
        }
    } else if (!place_read(f->at, &to) ||
               (f->from && place_same_server(f->from, applied) && strcmp(f->from, applied) != 0)) {
        job_fail(j, 0, "has to stand at %s to follow from %s, and stands at %s",
                 f->from ? f->from : "no place", f->at, applied);
        return false;
    }
    free((char *)f->log_file);
    f->log_file = strdup(to.file);
    CHECK(f->log_file);
    f->log_pos = to.pos;
    return true;
}
