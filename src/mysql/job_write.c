/* SPDX-License-Identifier: GPL-2.0-or-later
 * Closing a server for writes, and opening it.
 *
 * SET GLOBAL read_only waits for running writes, and meanwhile holds up all new ones. So: clients
 * are killed first (a planned release lets them end on their own for the one second that
 * lock_wait_timeout gives), then SET, read back, and again until it holds; then whatever came in
 * between is killed, until no client is left that could still commit; only then are the GTIDs read,
 * for now they stand still. Replication's own connections are left alone, for the last transactions
 * leave through them; only job_semi.c ends them.
 *
 * MySQL doesn't end a connection whose commit waits for a replica's acknowledgement
 * (semi-synchronous replication), not even a killed one, and it holds read_only up. MariaDB ends
 * it, and the commit is there. Nobody is told that it succeeded, but by KILL QUERY (MariaDB: OK
 * without any replica), so only whole connections are killed. What is still waiting when all
 * clients are killed and a fence can't wait is let through (job_semi.c): the commits are in the
 * binary log anyway, and a restart would bring them back too.
 *
 * A killed connection stays in the list while it rolls back. Most are gone in a few ms; of those
 * that stay, information_schema.innodb_trx tells whether they do roll back. InnoDB renews that
 * table only when nobody has read it for 100 ms, so asking more often gives old answers for ever.
 */
#include "mysql/job_steps.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RO_PATIENCE 25  /* looks at killed connections, each JOB_LINGER_MS, */
#define RO_TRX_MS   120 /* then as often as innodb_trx is renewed */
#define RO_GRACE_MS                                                                                \
    5 /* planned: the answer to a last commit gets out before its client is killed */

static void ro_list(struct job *j, const struct db_result *r);
static void ro_kill(struct job *j, const struct db_result *r);

static bool ro_is_on(const struct job *j, bool read_only, bool super_read_only)
{
    return read_only && (j->dialect->mariadb || super_read_only);
}

/* ---- commits that wait for a replica ---- */

static void ro_end(struct job *j, const struct db_result *r)
{
    (void)r;
    job_end(j, "closed for writes, %u client connection%s ended", j->killed,
            j->killed == 1 ? "" : "s");
}

static void ro_on_semi_sync(struct job *j, const struct db_result *r)
{
    if (r->error == DB_OK)
        dialect_read_semi_sync(r, &j->semi_sync);
    if (r->error || !j->semi_sync.source) {
        ro_kill(j, NULL);
        return;
    }
    job_semi_off(j, ro_list);
}

/* ---- the end: is it still on, now that nobody is left? ---- */

static void ro_observed(struct job *j, const struct db_result *r)
{
    (void)r;
    if (!ro_is_on(j, j->facts.read_only, j->facts.super_read_only)) {
        job_why(j, "somebody opened it for writes again");
        j->holds = false;
        ro_list(j, NULL);
        return;
    }
    job_semi_on(j, ro_end);
}

static bool ro_lingers(const struct job *j, uint64_t id)
{
    for (unsigned i = 0; i < j->lingering_n; i++)
        if (j->lingering[i] == id)
            return true;
    return false;
}

static void ro_on_transactions(struct job *j, const struct db_result *r)
{
    for (unsigned row = 0; row < r->rows; row++) {
        const char *id = db_named(r, row, "id"), *state = db_named(r, row, "state");

        if (id && ro_lingers(j, strtoull(id, NULL, 10)) &&
            !(state && strcmp(state, "ROLLING BACK") == 0)) {
            job_why(j, "connection %s was killed and still has a transaction", id);
            job_pause(j, RO_TRX_MS, ro_list);
            return;
        }
    }
    job_observe(j, ro_observed);
}

/* On, and no client is left but those that were killed. */
static void ro_nearly(struct job *j)
{
    if (j->lingering_n == 0)
        job_observe(j, ro_observed);
    else if (j->patience > 0) {
        j->patience--;
        job_pause(j, JOB_LINGER_MS, ro_list);
    } else {
        job_ask(j, "open transactions", j->dialect->text[STMT_TRANSACTIONS], ro_on_transactions);
    }
}

/* ---- setting it ---- */

static void ro_on_asked(struct job *j, const struct db_result *r)
{
    const char *read_only = db_named(r, 0, "read_only");
    const char *super_read_only = db_named(r, 0, "super_read_only");

    j->holds = ro_is_on(j, read_only && strcmp(read_only, "0") != 0,
                        super_read_only && strcmp(super_read_only, "0") != 0);
    if (j->holds && j->args.planned) {
        job_pause(j, RO_GRACE_MS, ro_list);
        return;
    }
    if (j->holds) {
        ro_list(j, NULL);
        return;
    }
    job_why(j, "it was set and read back as off");
    job_pause(j, JOB_POLL_MS, ro_list);
}

static void ro_on_set(struct job *j, const struct db_result *r)
{
    if (r->error == DB_OK) {
        job_ask(j, "read back", j->dialect->text[STMT_READ_ONLY_ASK], ro_on_asked);
    } else if (r->number == 1205) { /* lock wait timeout: a write runs */
        job_why(j, j->awaits ? "commits that wait for a replica's acknowledgement (semi-sync) hold "
                               "it up: is a replica connected that acknowledges?"
                             : "a running write holds it up");
        ro_list(j, NULL);
    } else {
        job_fail_sql(j, r);
    }
}

static void ro_set(struct job *j)
{
    j->switching = true;
    job_try(j, j->dialect->text[STMT_READ_ONLY_ON], j->dialect->text[STMT_READ_ONLY_ON], ro_on_set);
}

/* ---- killing ---- */

/* A fence, and somebody waits for a replica's acknowledgement that perhaps nobody gives. */
static bool ro_lets_through(const struct job *j)
{
    return !j->holds && j->awaits && !j->args.planned && !j->semi_sync_off[0] && j->patience > 0;
}

static void ro_kill(struct job *j, const struct db_result *r)
{
    char sql[64];

    if (r && r->error && r->number != 1094 && r->number != 1095) { /* 1094: it is gone already */
        job_fail_sql(j, r);
        return;
    }
    if (r && r->number == 1095)
        j->kill_denied = true;
    if (r && r->error == DB_OK)
        j->killed++;
    if (j->kill_at < j->kill_n) {
        snprintf(sql, sizeof sql, "KILL %" PRIu64, j->kill[j->kill_at++]);
        job_try(j, "KILL", sql, ro_kill);
    } else if (ro_lets_through(j)) {
        if (j->clients) { /* killed just now */
            j->patience--;
            job_pause(j, JOB_LINGER_MS, ro_list);
        } else {
            j->awaits = false;
            j->patience--;
            job_try(j, "semi-sync", j->dialect->text[STMT_SEMI_SYNC], ro_on_semi_sync);
        }
    } else if (!j->holds) {
        ro_set(j);
    } else if (j->clients) { /* look again whether they are gone */
        job_why(j, "%u client connections do not end%s", j->clients,
                j->kill_denied
                    ? ": GRANT CONNECTION ADMIN is missing (MySQL: CONNECTION_ADMIN, and "
                      "SYSTEM_USER for those of root)"
                    : "");
        job_pause(j, j->patience > 0 ? JOB_LINGER_MS : JOB_POLL_MS, ro_list);
        j->patience -= j->patience > 0;
    } else {
        ro_nearly(j);
    }
}

static void ro_sort(struct job *j, const struct db_result *r, unsigned row)
{
    const char *const ours[] = {j->opts.agent_user, j->opts.monitor_user, j->opts.db.user,
                                j->opts.replication_user};
    const char *text = db_named(r, row, "Id"), *command = db_named(r, row, "Command");
    uint64_t id = text ? strtoull(text, NULL, 10) : 0;
    bool client = dialect_is_client(r, row, ours, ARRAY_LEN(ours));

    if (id == 0 || id == db_connection_id(j->db))
        return;
    if (!client && !dialect_opens_writes(r, row))
        return;
    j->awaits = j->awaits || dialect_awaits_acknowledgement(r, row);
    if (!command || strcmp(command, "Killed") != 0) {
        j->clients++;
        if (j->kill_n < JOB_KILLS_MAX)
            j->kill[j->kill_n++] = id;
    } else if (j->lingering_n < JOB_KILLS_MAX) {
        j->lingering[j->lingering_n++] = id;
    }
}

static void ro_on_list(struct job *j, const struct db_result *r)
{
    j->kill_n = j->kill_at = j->clients = j->lingering_n = 0;
    j->awaits = false;
    for (unsigned row = 0; row < r->rows; row++)
        ro_sort(j, r, row);
    ro_kill(j, NULL);
}

static void ro_list(struct job *j, const struct db_result *r)
{
    (void)r;
    job_ask(j, "SHOW PROCESSLIST", j->dialect->text[STMT_PROCESSES], ro_on_list);
}

/* A statement that opens writes and still waits would come last: it goes before anything else. */
static void ro_on_first_list(struct job *j, const struct db_result *r)
{
    j->kill_n = j->kill_at = 0;
    for (unsigned row = 0; row < r->rows && j->kill_n < JOB_KILLS_MAX; row++) {
        const char *id = db_named(r, row, "Id");

        if (id && dialect_opens_writes(r, row) && strtoull(id, NULL, 10) != db_connection_id(j->db))
            j->kill[j->kill_n++] = strtoull(id, NULL, 10);
    }
    ro_kill(j, NULL);
}

void job_read_only(struct job *j, const struct db_result *r)
{
    (void)r;
    j->patience = RO_PATIENCE;
    j->kill_denied = false;
    job_ask(j, "SHOW PROCESSLIST", j->dialect->text[STMT_PROCESSES],
            j->args.planned ? ro_on_first_list : ro_on_list);
}

/* ---- opening ---- */

static void wr_observed(struct job *j, const struct db_result *r)
{
    (void)r;
    if (j->facts.read_only || j->facts.super_read_only)
        job_fail(j, 0,
                 "the server came to the statement too late, or somebody closed it again: "
                 "it is still closed for writes");
    else
        job_end(j, "open for writes");
}

static void wr_on_set(struct job *j, const struct db_result *r)
{
    if (r->error)
        job_fail_sql(j, r);
    else
        job_observe(j, wr_observed);
}

void job_writable(struct job *j, const struct db_result *r)
{
    /* three clocks in whole ms: it must not count a moment longer than the job */
    int64_t until_wall_ms = clock_wall_ms() + j->until_ms - clock_boot_ms() - 2;
    char sql[256], until[32];

    (void)r;
    snprintf(until, sizeof until, "%" PRId64 ".%03d", until_wall_ms / 1000,
             (int)(until_wall_ms % 1000));
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    snprintf(sql, sizeof sql, j->dialect->text[STMT_READ_ONLY_OFF], until);
#pragma GCC diagnostic pop
    j->switching = true;
    job_try(j, "SET GLOBAL read_only=0", sql, wr_on_set);
}
