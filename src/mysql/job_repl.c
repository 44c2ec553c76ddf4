/* SPDX-License-Identifier: GPL-2.0-or-later
 * Replication: drain it, stop it, start it.
 *
 * The trap here is MariaDB's: with GTID, starting a thread while both are stopped throws the relay
 * log away, and with it what was received and not yet applied (seen on 10.11). So a stopped applier
 * is started while the receiver still runs; and where both are stopped already, the applier is
 * taken through its own relay log by position, then GTID is switched on again. CHANGE MASTER, which
 * throws it away too, comes only when all is applied. */
#include "mysql/job_steps.h"

#include "base/clock.h"
#include "gtid/gtid.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WAIT_SLICE "0.2" /* seconds the server waits for the applier before we look again */

enum {
    DR_QUIET_MS =
        250, /* longer than a lost packet takes to be sent again (RFC 6298: 200 on Linux) */
    DR_HEAR_MS = 3000, /* the source may go on writing for others */
    DR_HEAR_POLL_MS = 5,
};

static void dr_start(struct job *j, const struct db_result *r);
static void dr_wait(struct job *j, const struct db_result *r);

/* ---- questions ---- */

static const char *dr_applied(const struct job *j)
{
    return j->dialect->mariadb ? j->facts.gtid_slave_pos : j->facts.gtid_state;
}

/* Has all that was received been applied? -1: the job has ended. */
static int dr_drained(struct job *j)
{
    struct repl_status s = j->facts.repl;
    struct err e;
    int drained;

    s.using_gtid = s.using_gtid || j->salvaging;
    drained = dialect_drained(j->dialect, &s, dr_applied(j), &e);
    if (drained < 0)
        job_fail(j, 0, "%s", e.msg);
    return drained;
}

/* Is `reach` among what was applied (or, with received, what was received or applied)? */
int job_reached(struct job *j, bool received)
{
    enum gtid_flavour flavour = j->dialect->mariadb ? GTID_MARIADB_POS : GTID_MYSQL;
    const char *const have[] = {
        dr_applied(j),
        j->facts.gtid_binlog_pos, /* MariaDB: what this server wrote itself; else "" */
        received && j->facts.repl.configured ? j->facts.repl.received : "",
    };
    struct gtid_set want, sum = {.flavour = flavour}, more;
    struct err e;

    if (!j->args.reach || j->tail.draining)
        return 1;
    if (job_by_place(j))
        return job_place_reached(j);
    if (gtid_parse(j->args.reach, flavour, &want, &e) < 0) {
        job_fail(j, 0, "%s", e.msg);
        return -1;
    }
    for (unsigned i = 0; i < ARRAY_LEN(have); i++) {
        if (gtid_parse(have[i], flavour, &more, &e) < 0 || gtid_merge(&sum, &more, &sum) < 0) {
            job_fail(j, 0, "GTID set of the server: too many ranges, or unreadable");
            return -1;
        }
    }
    return gtid_subset(&want, &sum);
}

/* True: the job goes another way. */
static bool dr_broken(struct job *j)
{
    const struct repl_status *s = &j->facts.repl;

    if (!s->sql_errno)
        return false;
    if (j->args.as_is) {
        job_drain_over(j);
        return true;
    }
    job_fail(j, s->sql_errno,
             "the applier stopped on an error, with transactions left to apply: %u: %s",
             s->sql_errno, s->sql_error);
    return true;
}

/* ---- both threads stop ----
 *
 * The receiver may have been stopped, or its source may have died, in the middle of a transaction.
 * MySQL's applier of several threads then waits for the rest, and STOP with it, for a minute. It is
 * killed instead: that rolls back what there is of the transaction, which was not received. STOP
 * comes after it is gone: an applier that hears of both at once waits all the same. */

static void halt_look(struct job *j, const struct db_result *r);

static void halt_stop(struct job *j)
{
    job_ask(j, j->dialect->text[STMT_STOP_BOTH], j->dialect->text[STMT_STOP_BOTH], j->halted);
}

static void halt_killed(struct job *j, const struct db_result *r)
{
    if (r->error && r->number != 1094) /* 1094: it is gone already */
        halt_stop(j);
    else
        halt_look(j, NULL);
}

static void halt_on_half_read(struct job *j, const struct db_result *r)
{
    const char *text = r->error == DB_OK && r->rows ? db_named(r, 0, "id") : NULL;
    uint64_t id = text ? strtoull(text, NULL, 10) : 0;
    char sql[64];

    if (!id) { /* or it isn't ours to see: then STOP takes as long as it takes */
        halt_stop(j);
        return;
    }
    if (id == j->half_read) {
        job_why(j, "an applier that waits for the rest of a transaction was killed and is still "
                   "there");
        job_pause(j, JOB_LINGER_MS, halt_look);
        return;
    }
    j->half_read = id;
    snprintf(sql, sizeof sql, "KILL %" PRIu64, id);
    job_try(j, "ending an applier that waits for the rest of a transaction", sql, halt_killed);
}

static void halt_look(struct job *j, const struct db_result *r)
{
    const char *half_read = j->dialect->text[STMT_HALF_READ];

    (void)r;
    if (*half_read)
        job_try(j, "the applier's state", half_read, halt_on_half_read);
    else
        halt_stop(j);
}

/* All that was received is applied, or nobody cares. */
static void halt(struct job *j, job_step_fn then)
{
    j->halted = then;
    j->half_read = 0;
    halt_look(j, NULL);
}

/* ---- drained: stop, and GTID on again if it was switched off to save the relay log ---- */

static void dr_restored(struct job *j, const struct db_result *r)
{
    (void)r;
    j->salvaging = false;
    j->domains[0] = 0;
    j->rows = 0;
    job_observe(j, j->drained);
}

static void dr_seen_stopped(struct job *j, const struct db_result *r)
{
    (void)r;
    job_place_forget(j, dr_restored);
}

static const char *dr_heartbeat(const struct job *j, char out[64])
{
    int64_t ms = j->facts.repl.heartbeat_ms;

    out[0] = 0;
    if (ms >= 0)
        snprintf(out, 64, ", MASTER_HEARTBEAT_PERIOD=%" PRId64 ".%03d", ms / 1000,
                 (int)(ms % 1000));
    return out;
}

static void dr_stopped(struct job *j, const struct db_result *r)
{
    char heartbeat[64], sql[512];

    (void)r;
    if (!j->salvaging && j->rows) {
        job_observe(j, dr_seen_stopped);
        return;
    }
    if (!j->salvaging) {
        job_observe(j, j->drained);
        return;
    }
    snprintf(sql, sizeof sql, "CHANGE MASTER TO MASTER_USE_GTID=slave_pos%s%s",
             dr_heartbeat(j, heartbeat), j->domains);
    job_ask(j, "CHANGE MASTER TO MASTER_USE_GTID", sql, dr_restored);
}

void job_drain_over(struct job *j)
{
    halt(j, dr_stopped);
}

/* ---- the receiver is stopped: wait for the applier ---- */

static void dr_waited(struct job *j, const struct db_result *r)
{
    if (r->error)
        job_fail_sql(j, r);
    else
        job_observe(j, dr_wait);
}

static void dr_look_again(struct job *j, const struct db_result *r)
{
    (void)r;
    job_observe(j, dr_wait);
}

static void dr_pause(struct job *j, const struct db_result *r)
{
    (void)r;
    job_pause(j, JOB_POLL_MS, dr_look_again);
}

static void dr_stop_now(struct job *j, const struct db_result *r)
{
    (void)r;
    job_drain_over(j);
}

static void dr_nothing_whole(struct job *j, const struct db_result *r)
{
    (void)r;
    job_place_part(j, dr_stop_now);
}

/* By GTID the server says when it is there; by coordinates it must be asked. */
static void dr_sleep(struct job *j)
{
    const struct repl_status *s = &j->facts.repl;
    size_t size = 2 * strlen(s->received) + 128;
    char *sql, *quoted;

    if (!s->using_gtid && s->idle) {
        job_place_rest(j, dr_nothing_whole, dr_pause);
        return;
    }
    if (!s->using_gtid) {
        dr_pause(j, NULL);
        return;
    }
    sql = malloc(size);
    quoted = malloc(size);
    CHECK(sql && quoted);
    db_quote(quoted, size, s->received);
    snprintf(sql, size, "SELECT %s(%s, " WAIT_SLICE ")",
             j->dialect->mariadb ? "MASTER_GTID_WAIT" : "WAIT_FOR_EXECUTED_GTID_SET", quoted);
    free(quoted);
    job_try(j, "waiting for the applier", sql, dr_waited);
    free(sql);
}

static void dr_wait(struct job *j, const struct db_result *r)
{
    const struct repl_status *s = &j->facts.repl;
    int drained = dr_drained(j);

    (void)r;
    if (drained < 0)
        return;
    if (drained) {
        job_drain_over(j);
        return;
    }
    if (dr_broken(j))
        return;
    if (!s->sql_running) {
        job_fail(j, 0, "somebody stopped the applier, with transactions left to apply");
        return;
    }
    if (s->using_gtid)
        job_why(j, "received %s, applied %s", s->received, dr_applied(j));
    else
        job_why(j, "received up to %s:%" PRIu64 ", applied up to %s:%" PRIu64, s->read_file,
                s->read_pos, s->exec_file, s->exec_pos);
    dr_sleep(j);
}

static void dr_receiver_stopped(struct job *j, const struct db_result *r)
{
    (void)r;
    job_observe(j, dr_wait);
}

/* ---- before that: the applier must run, and `reach` must have come ---- */

static void dr_applier_started(struct job *j, const struct db_result *r)
{
    (void)r;
    job_observe(j, j->salvaging ? dr_wait : job_drain_seen);
}

static void dr_start_applier(struct job *j, const struct db_result *r)
{
    (void)r;
    job_ask(j, j->dialect->text[STMT_START_APPLIER], j->dialect->text[STMT_START_APPLIER],
            dr_applier_started);
}

/* Both threads stopped, relay log not empty, MariaDB with GTID. Whatever CHANGE MASTER says, it
 * takes the heartbeat's period back to the default if it doesn't say that too; and without GTID it
 * refuses filters of domains, which have had their effect on what was received. */
static void dr_salvage(struct job *j)
{
    const struct repl_status *s = &j->facts.repl;
    char file[2 * sizeof s->relay_file + 3], heartbeat[64], sql[sizeof file + 256];
    bool domains = s->do_domains[0] || s->ignore_domains[0];

    j->salvaging = true;
    db_quote(file, sizeof file, s->relay_file);
    snprintf(sql, sizeof sql,
             "CHANGE MASTER TO MASTER_USE_GTID=no, RELAY_LOG_FILE=%s, RELAY_LOG_POS=%" PRIu64
             "%s%s",
             file, s->relay_pos, dr_heartbeat(j, heartbeat),
             domains ? ", DO_DOMAIN_IDS=(), IGNORE_DOMAIN_IDS=()" : "");
    if (domains)
        snprintf(j->domains, sizeof j->domains, ", DO_DOMAIN_IDS=(%s), IGNORE_DOMAIN_IDS=(%s)",
                 s->do_domains, s->ignore_domains);
    job_ask(j, "CHANGE MASTER TO RELAY_LOG_FILE", sql, dr_start_applier);
}

/* The applier does not run. */
static void dr_applier_stopped(struct job *j)
{
    const struct repl_status *s = &j->facts.repl;
    int drained = dr_drained(j);

    if (drained < 0)
        return;
    if (s->io == REPL_IO_NO && drained)
        job_drain_over(j);
    else if (dr_broken(j))
        return;
    else if (s->io == REPL_IO_NO && j->dialect->mariadb && s->using_gtid)
        dr_salvage(j);
    else
        dr_start_applier(j, NULL);
}

/* Nobody said how far the source got, and it may still be sending what it acknowledged: that is
 * heard to the end, as long as something comes. */
static bool dr_hears(struct job *j)
{
    const struct repl_status *s = &j->facts.repl;
    int64_t now = clock_boot_ms();

    if (!j->args.hear || j->args.reach || s->io != REPL_IO_YES)
        return false;
    if (!j->hears_since)
        j->hears_since = now;
    if (!j->heard_ms || s->read_pos != j->heard_pos) {
        j->heard_pos = s->read_pos;
        j->heard_ms = now;
    }
    return now - j->heard_ms < DR_QUIET_MS && now - j->hears_since < DR_HEAR_MS;
}

void job_drain_seen(struct job *j, const struct db_result *r)
{
    const struct repl_status *s = &j->facts.repl;
    int reached;

    (void)r;
    if (!s->configured) {
        j->drained(j, NULL);
        return;
    }
    reached = job_reached(j, true);
    if (reached < 0)
        return;
    if (j->args.reach && job_by_place(j)) {
        if (reached)
            job_drain_over(j);
        else
            job_place_reach(j, dr_stop_now);
        return;
    }
    if (!reached && s->io == REPL_IO_NO && j->args.as_is) {
        reached = 1;
    } else if (!reached && s->io == REPL_IO_NO) {
        job_fail(j, s->io_errno, "%s has not been received, and the receiver is stopped%s%s",
                 j->args.reach, s->io_error[0] ? ": " : "", s->io_error);
        return;
    }
    if (!s->sql_running) {
        dr_applier_stopped(j);
        return;
    }
    if (!reached) {
        job_why(j, "%s has not been received%s%s", j->args.reach, s->io_error[0] ? ": " : "",
                s->io_error);
        job_pause(j, JOB_POLL_MS, dr_start);
        return;
    }
    if (s->io == REPL_IO_NO)
        dr_wait(j, NULL);
    else if (dr_hears(j))
        job_pause(j, DR_HEAR_POLL_MS, dr_start);
    else
        job_ask(j, j->dialect->text[STMT_STOP_RECEIVER], j->dialect->text[STMT_STOP_RECEIVER],
                dr_receiver_stopped);
}

/* ---- STOP_DRAIN ---- */

static void sd_end(struct job *j, const struct db_result *r)
{
    (void)r;
    if (j->facts.repl.configured)
        job_end(j, "replication stopped, everything received is applied");
    else
        job_end(j, "there is no replication to stop");
}

static void sd_drained(struct job *j, const struct db_result *r)
{
    int reached = job_reached(j, false);

    (void)r;
    if (reached < 0)
        return;
    if (!reached)
        job_fail(j, 0, "%s has not been reached: applied %s", j->args.reach, dr_applied(j));
    else if (j->args.look)
        job_place_look(j, sd_end);
    else
        sd_end(j, r);
}

static void dr_start(struct job *j, const struct db_result *r)
{
    (void)r;
    job_observe(j, job_drain_seen);
}

void job_drain(struct job *j, job_step_fn drained)
{
    j->drained = drained;
    dr_start(j, NULL);
}

void job_stop_drain(struct job *j, const struct db_result *r)
{
    (void)r;
    job_drain(j, sd_drained);
}

/* ---- STOP_REPLICA, START_REPLICA ---- */

static void sr_stop_seen(struct job *j, const struct db_result *r)
{
    (void)r;
    job_end(j,
            j->facts.repl.configured ? "replication stopped" : "there is no replication to stop");
}

static void sr_stopped(struct job *j, const struct db_result *r)
{
    (void)r;
    job_observe(j, sr_stop_seen);
}

static void sr_stop_look(struct job *j, const struct db_result *r)
{
    const struct repl_status *s = &j->facts.repl;

    if (!s->configured || (s->io == REPL_IO_NO && !s->sql_running))
        sr_stop_seen(j, r);
    else
        halt(j, sr_stopped);
}

void job_stop_replica(struct job *j, const struct db_result *r)
{
    (void)r;
    job_observe(j, sr_stop_look);
}

static void sr_start_seen(struct job *j, const struct db_result *r)
{
    (void)r;
    job_end(j, "replication started");
}

static void sr_started(struct job *j, const struct db_result *r)
{
    (void)r;
    job_observe(j, sr_start_seen);
}

void job_start_replica(struct job *j, const struct db_result *r)
{
    (void)r;
    job_ask(j, j->dialect->text[STMT_START_BOTH], j->dialect->text[STMT_START_BOTH], sr_started);
}
