/* SPDX-License-Identifier: GPL-2.0-or-later
 * Replication: point it elsewhere. What was received is applied first, for that throws it away. */
#include "mysql/job_steps.h"

#include "gtid/gtid.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fo_ask_again(struct job *j, const struct db_result *r);

static void fo_wait(struct job *j, const struct db_result *r)
{
    const struct repl_status *s = &j->facts.repl;

    (void)r;
    if (s->sql_errno || !s->sql_running)
        job_fail(j, s->sql_errno, "follows %s:%u, but the applier is stopped%s%s", s->source_host,
                 s->source_port, s->sql_error[0] ? ": " : "", s->sql_error);
    else if (s->io == REPL_IO_YES)
        job_end(j, "follows %s:%u%s", s->source_host, s->source_port,
                j->heartbeat_unknown
                    ? "; its heartbeat period is hamm's now, what it was could not "
                      "be read: GRANT SELECT ON "
                      "performance_schema.replication_connection_configuration"
                    : "");
    else if (s->io == REPL_IO_NO)
        job_fail(j, s->io_errno, "the receiver from %s:%u stopped%s%s", s->source_host,
                 s->source_port, s->io_error[0] ? ": " : "", s->io_error);
    else {
        job_why(j, "the receiver is not connected to %s:%u%s%s", s->source_host, s->source_port,
                s->io_error[0] ? ": " : "", s->io_error);
        job_pause(j, JOB_POLL_MS, fo_ask_again);
    }
}

static void fo_ask_again(struct job *j, const struct db_result *r)
{
    (void)r;
    job_observe(j, fo_wait);
}

static void fo_changed(struct job *j, const struct db_result *r)
{
    if (!r->error)
        j->domains[0] = 0;
    if (r->number == 1064) /* such an error quotes the statement, and with it the password */
        job_fail(j, r->number, "%s: the server does not understand the statement (1064)", j->doing);
    else if (r->error)
        job_fail_sql(j, r);
    else
        job_ask(j, j->dialect->text[STMT_START_BOTH], j->dialect->text[STMT_START_BOTH],
                fo_ask_again);
}

static void fo_followed(struct job *j, const struct db_result *r)
{
    struct follow f = j->args.follow;
    struct follow_kept kept;
    char *sql;

    j->heartbeat_unknown = r->error == DB_DENIED && j->facts.repl.configured;
    dialect_read_followed(r, &j->facts.repl, &kept);
    kept.more = j->domains;
    if (job_tail_had_tls(&j->facts.repl))
        f.tls = kept.tls = true;
    sql = dialect_follow_sql(j->dialect, &f, &kept);
    if (!sql) {
        job_fail(j, 0, "the source's settings are too long");
        return;
    }
    job_try(j, j->dialect->mariadb ? "CHANGE MASTER" : "CHANGE REPLICATION SOURCE", sql,
            fo_changed);
    explicit_bzero(sql, strlen(sql));
    free(sql);
}

static void fo_change(struct job *j)
{
    job_try(j, "what was followed so far", j->dialect->text[STMT_FOLLOWED], fo_followed);
}

static void fo_positioned(struct job *j, const struct db_result *r)
{
    if (r->number == 1947)
        job_fail(
            j, r->number,
            "gtid_slave_pos can't be set: it would lie before this server's own binary log (%s); "
            "this server wrote transactions of its own: %s",
            j->facts.gtid_binlog_pos, r->text);
    else if (r->error)
        job_fail_sql(j, r);
    else
        j->positioned(j);
}

/* An old master has written its binary log and applied nothing: it must not start from nothing. */
void job_position(struct job *j, void (*positioned)(struct job *j))
{
    struct gtid_set applied, written, sum;
    size_t size = GTID_TEXT_MAX + 64;
    struct err e;
    char *sql;
    int at;

    if (gtid_parse(j->facts.gtid_slave_pos, GTID_MARIADB_POS, &applied, &e) < 0 ||
        gtid_parse(j->facts.gtid_binlog_pos, GTID_MARIADB_POS, &written, &e) < 0) {
        job_fail(j, 0, "%s", e.msg);
        return;
    }
    if (gtid_merge(&applied, &written, &sum) < 0) {
        job_fail(j, 0, "GTID positions: too many domains");
        return;
    }
    j->positioned = positioned;
    if (gtid_equal(&sum, &applied)) {
        positioned(j);
        return;
    }
    sql = malloc(size);
    CHECK(sql);
    at = snprintf(sql, size, "SET GLOBAL gtid_slave_pos='");
    gtid_format(&sum, sql + at, GTID_TEXT_MAX);
    strcat(sql + at, "'");
    job_try(j, "SET GLOBAL gtid_slave_pos", sql, fo_positioned);
    free(sql);
}

static void fo_drained(struct job *j, const struct db_result *r)
{
    (void)r;
    if (job_by_place(j) && !j->args.follow.log_file && !job_place_follow(j))
        return;
    if (j->dialect->mariadb && !j->args.follow.log_file)
        job_position(j, fo_change);
    else
        fo_change(j);
}

static void fo_look(struct job *j, const struct db_result *r)
{
    const struct repl_status *s = &j->facts.repl;
    const struct follow *f = &j->args.follow;

    if (s->configured && s->io == REPL_IO_YES && s->sql_running &&
        (s->using_gtid || job_by_place(j)) && !f->log_file && s->source_port == f->port &&
        strcmp(s->source_host, f->host) == 0 && (!f->user || strcmp(s->source_user, f->user) == 0))
        job_end(j, "follows %s:%u already", f->host, f->port);
    else if (job_by_place(j) && s->configured) /* what was received comes again */
        job_drain_over(j);
    else
        job_drain_seen(j, r);
}

void job_follow(struct job *j, const struct db_result *r)
{
    (void)r;
    CHECK(j->args.follow.host && j->args.follow.port);
    j->drained = fo_drained;
    job_observe(j, fo_look);
}
