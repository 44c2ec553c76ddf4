/* SPDX-License-Identifier: GPL-2.0-or-later
 * Commits that wait for a replica's acknowledgement which nobody gives are let through: the
 * source's side is switched off, and afterwards on again, as the DBA had it.
 *
 * MySQL lets them go at once, but answers only when the thread that reads acknowledgements has
 * noticed, up to 1 s later, and until then no other variable can be set. That thread wakes up when
 * a replica's connection ends, if only after it was told to stop. So a second connection switches
 * off, and shortly after this one kills the replicas' connections; they connect again by
 * themselves. */
#include "mysql/job_steps.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SEMI_CONNECT_MS = 200,
    SEMI_TOLD_MS = 20, /* until the thread was told, for sure if nothing hangs */
};

static void semi_text(const struct job *j, bool on, char *sql, size_t size)
{
    snprintf(sql, size, "SET GLOBAL %s=%d", j->semi_sync_off, on);
}

/* From here on it may be off. */
static void semi_noted(struct job *j)
{
    memcpy(j->semi_sync_off, j->semi_sync.switch_name, sizeof j->semi_sync_off);
}

static int64_t semi_left_ms(const struct job *j)
{
    int64_t left = job_left_ms(j);

    return left > 0 ? left + 1 : 1; /* the job's own deadline comes first */
}

static void semi_try(struct job *j, bool on, job_step_fn then)
{
    char sql[sizeof j->semi_sync_off + 32];

    semi_text(j, on, sql, sizeof sql);
    job_try(j, "semi-sync", sql, then);
}

/* ---- off ---- */

static void semi_kill(struct job *j, const struct db_result *r)
{
    char sql[64];

    (void)r; /* who is gone already need not be killed */
    if (j->kill_at == j->kill_n) {
        job_pause(j, JOB_LINGER_MS, j->let_through);
        return;
    }
    snprintf(sql, sizeof sql, "KILL %" PRIu64, j->kill[j->kill_at++]);
    job_try(j, "KILL of a replica's connection", sql, semi_kill);
}

static void semi_on_list(struct job *j, const struct db_result *r)
{
    j->kill_n = j->kill_at = 0;
    for (unsigned row = 0; row < r->rows && j->kill_n < JOB_KILLS_MAX; row++)
        if (dialect_is_replica(r, row) && db_named(r, row, "Id"))
            j->kill[j->kill_n++] = strtoull(db_named(r, row, "Id"), NULL, 10);
    semi_kill(j, NULL);
}

static void semi_list(struct job *j, const struct db_result *r)
{
    (void)r;
    job_ask(j, "SHOW PROCESSLIST", j->dialect->text[STMT_PROCESSES], semi_on_list);
}

static void semi_on_alone(struct job *j, const struct db_result *r)
{
    if (r->error)
        j->semi_sync_off[0] = 0;
    job_pause(j, JOB_LINGER_MS, j->let_through);
}

/* There is no second connection to be had. */
static void semi_alone(struct job *j, const struct db_result *r)
{
    (void)r;
    semi_noted(j);
    semi_try(j, false, semi_on_alone);
}

static void semi_on_switched(struct db *side, const struct db_result *r)
{
    struct job *j = db_owner(side);

    if (db_is_closed(side))
        job_abandon(j, side);
    else
        db_disconnect(side);
    if (r->error == DB_SQL || r->error == DB_DENIED)
        j->semi_sync_off[0] = 0;
}

static void semi_on_side(struct db *side, const struct db_result *r)
{
    struct job *j = db_owner(side);
    char sql[sizeof j->semi_sync_off + 32];

    if (r->error == DB_CANCELLED)
        return;
    if (r->error) {
        job_pause(j, 0, semi_alone);
        return;
    }
    semi_noted(j);
    semi_text(j, false, sql, sizeof sql);
    db_query(side, sql, semi_left_ms(j), semi_on_switched);
    job_pause(j, SEMI_TOLD_MS, semi_list);
}

static void semi_off(struct job *j, const struct db_result *r)
{
    (void)r;
    if (!db_is_closed(j->side)) { /* of a job that was given up */
        job_pause(j, JOB_LINGER_MS, semi_off);
        return;
    }
    db_connect(j->side, SEMI_CONNECT_MS, semi_on_side);
    job_pause(j, job_left_ms(j), semi_off); /* for its deadline only */
}

void job_semi_off(struct job *j, job_step_fn then)
{
    j->let_through = then;
    semi_off(j, NULL);
}

/* ---- on ---- */

static void semi_on_again(struct job *j, const struct db_result *r)
{
    if (r->error == DB_OK)
        j->semi_sync_off[0] = 0;
    j->let_through(j, NULL);
}

static void semi_on(struct job *j, const struct db_result *r)
{
    (void)r;
    if (!db_is_closed(j->side)) /* off comes before on */
        job_pause(j, JOB_LINGER_MS, semi_on);
    else if (j->semi_sync_off[0])
        semi_try(j, true, semi_on_again);
    else
        j->let_through(j, NULL);
}

void job_semi_on(struct job *j, job_step_fn then)
{
    j->let_through = then;
    semi_on(j, NULL);
}
