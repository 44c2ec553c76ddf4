/* SPDX-License-Identifier: GPL-2.0-or-later
 * What would hold up a planned move? Asked of both servers while clients still write, and nothing
 * is changed. Of the one to be opened: does the account have the right to, and does somebody keep
 * writes, or the applier, waiting? Of the one to be closed also: which old transactions and
 * statements would have to be killed and rolled back?
 *
 * MariaDB doesn't tell who holds a lock, if its plugin metadata_lock_info isn't loaded. Then those
 * who wait for one are found, and BACKUP STAGE START, which is refused at once where tables are
 * locked for writing or another backup runs, is tried and taken back. */
#include "mysql/job_steps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    LOOK_OLD_S = 5,       /* killing what is older is a loss to somebody */
    LOOK_WAITS = 5,       /* somebody waits for a lock in so many looks one after the other: */
    LOOK_WAIT_MS = 50,    /* no short queue; clients that give up are followed by others */
    LOOK_ROWS = 100000,   /* so many rows take a second to be rolled back */
    LOOK_STAGE_TRIES = 5, /* an ALTER TABLE holds that lock for a moment, too */
    LOOK_STAGE_MS = 50,
};

static uint64_t lk_number(const struct db_result *r, unsigned row, const char *column)
{
    const char *text = db_named(r, row, column);

    return text ? strtoull(text, NULL, 10) : 0;
}

/* "connection 12 (app@10.77.0.50)" */
static const char *lk_who(const struct db_result *r, unsigned row, char *to, size_t size)
{
    const char *id = db_named(r, row, "id"), *user = db_named(r, row, "user"),
               *host = db_named(r, row, "host");
    const char *port = host ? strchr(host, ':') : NULL;
    bool cut = port && !strchr(port + 1, ':'); /* else an IPv6 address */

    snprintf(to, size, "connection %s (%s@%.*s)", id ? id : "?", user ? user : "?",
             cut ? (int)(port - host) : 60, host ? host : "?");
    return to;
}

/* ---- MariaDB: may a backup begin? ---- */

static void lk_stage(struct job *j, const struct db_result *r);

static void lk_stage_ended(struct job *j, const struct db_result *r)
{
    (void)r;
    job_end(j, "%s", "");
}

static void lk_on_stage(struct job *j, const struct db_result *r)
{
    if (r->error == DB_OK)
        job_ask(j, "BACKUP STAGE END", "BACKUP STAGE END", lk_stage_ended);
    else if (r->number != 1205)
        job_end(j, "%s", ""); /* not allowed to, or it has no such statement */
    else if (j->patience-- > 0)
        job_pause(j, LOOK_STAGE_MS, lk_stage);
    else
        job_end(j,
                "somebody holds LOCK TABLES ... WRITE, changes a table, or makes a backup; which "
                "connection that is MariaDB tells only after INSTALL SONAME "
                "'metadata_lock_info'");
}

static void lk_stage(struct job *j, const struct db_result *r)
{
    (void)r;
    job_try(j, "BACKUP STAGE START", "SET STATEMENT lock_wait_timeout=0 FOR BACKUP STAGE START",
            lk_on_stage);
}

/* ---- transactions ---- */

static bool lk_trx_in_the_way(const struct db_result *r, unsigned row)
{
    return lk_number(r, row, "age") >= LOOK_OLD_S || lk_number(r, row, "changed") >= LOOK_ROWS;
}

static void lk_on_trx(struct job *j, const struct db_result *r)
{
    char who[160];

    for (unsigned row = 0; r->error == DB_OK && row < r->rows; row++) {
        if (!lk_trx_in_the_way(r, row))
            continue;
        job_end(j, "a transaction of %s has been open for %llu s and has changed %llu rows",
                lk_who(r, row, who, sizeof who), (unsigned long long)lk_number(r, row, "age"),
                (unsigned long long)lk_number(r, row, "changed"));
        return;
    }
    j->patience = LOOK_STAGE_TRIES;
    if (j->dialect->mariadb)
        lk_stage(j, NULL);
    else
        job_end(j, "%s", "");
}

/* ---- connections ---- */

static bool lk_client(const struct job *j, const struct db_result *r, unsigned row)
{
    const char *const ours[] = {j->opts.agent_user, j->opts.monitor_user, j->opts.db.user,
                                j->opts.replication_user};

    return dialect_is_client(r, row, ours, ARRAY_LEN(ours));
}

/* The row with the longest time (s, `least` at least) among those; -1: none. */
static int lk_longest(struct job *j, const struct db_result *r, uint64_t least,
                      bool (*is)(const struct job *j, const struct db_result *r, unsigned row))
{
    int longest = -1;

    for (unsigned row = 0; row < r->rows; row++) {
        uint64_t time = lk_number(r, row, "Time");

        if (!is(j, r, row) || time < least)
            continue;
        if (longest < 0 || time > lk_number(r, (unsigned)longest, "Time"))
            longest = (int)row;
    }
    return longest;
}

static bool lk_waits(const struct job *j, const struct db_result *r, unsigned row)
{
    const char *state = db_named(r, row, "State");

    (void)j;
    return state && strncmp(state, "Waiting for ", 12) == 0 && strstr(state, " lock");
}

static bool lk_runs(const struct job *j, const struct db_result *r, unsigned row)
{
    const char *command = db_named(r, row, "Command");

    return command && (strcmp(command, "Query") == 0 || strcmp(command, "Execute") == 0) &&
           lk_client(j, r, row);
}

static bool lk_idles(const struct job *j, const struct db_result *r, unsigned row)
{
    const char *command = db_named(r, row, "Command");

    return command && strcmp(command, "Sleep") == 0 && lk_client(j, r, row);
}

static void lk_end_waits(struct job *j, const struct db_result *r, unsigned row)
{
    const char *user = db_named(r, row, "user"), *state = db_named(r, row, "State");
    int idle = lk_longest(j, r, 0, lk_idles);
    uint64_t waited = lk_number(r, row, "Time");
    char who[160], idler[160], suspect[240] = "", since[64] = "is held up";

    if (idle >= 0)
        snprintf(suspect, sizeof suspect, "; idle for longest: %s, %llu s",
                 lk_who(r, (unsigned)idle, idler, sizeof idler),
                 (unsigned long long)lk_number(r, (unsigned)idle, "Time"));
    if (waited)
        snprintf(since, sizeof since, "has been held up for %llu s", (unsigned long long)waited);
    if (user && strcmp(user, "system user") == 0)
        job_end(j, "the applier is held up: %.60s%s", state, suspect);
    else
        job_end(j, "%s %s: %.60s%s", lk_who(r, row, who, sizeof who), since, state, suspect);
}

static void lk_processes(struct job *j, const struct db_result *r);

static void lk_on_processes(struct job *j, const struct db_result *r)
{
    int row = lk_longest(j, r, 0, lk_waits);
    char who[160];

    if (row >= 0 && --j->patience > 0) {
        job_pause(j, LOOK_WAIT_MS, lk_processes);
        return;
    }
    if (row >= 0) {
        lk_end_waits(j, r, (unsigned)row);
        return;
    }
    if (j->facts.read_only) {
        job_end(j, "%s", "");
        return;
    }
    row = lk_longest(j, r, LOOK_OLD_S, lk_runs);
    if (row >= 0)
        job_end(j, "a statement of %s has been running for %llu s",
                lk_who(r, (unsigned)row, who, sizeof who),
                (unsigned long long)lk_number(r, (unsigned)row, "Time"));
    else
        job_try(j, "open transactions", j->dialect->text[STMT_LOOK_TRX], lk_on_trx);
}

static void lk_processes(struct job *j, const struct db_result *r)
{
    (void)r;
    job_ask(j, "SHOW PROCESSLIST", j->dialect->text[STMT_PROCESSES], lk_on_processes);
}

/* ---- locks, where the server tells ---- */

static void lk_on_locks(struct job *j, const struct db_result *r)
{
    char who[160];

    for (unsigned row = 0; r->error == DB_OK && row < r->rows; row++) {
        const char *kind = db_named(r, row, "kind"), *name = db_named(r, row, "name");

        lk_who(r, row, who, sizeof who);
        if (kind && strcmp(kind, "table") == 0)
            job_end(j, "%s has locked the table %.100s", who, name ? name : "?");
        else if (kind && strcmp(kind, "global") == 0)
            job_end(j, "%s holds FLUSH TABLES WITH READ LOCK, as backups do", who);
        else if (j->facts.read_only)
            continue; /* a backup of the one to be opened goes on */
        else
            job_end(j, "%s makes a backup", who);
        return;
    }
    j->patience = LOOK_WAITS;
    lk_processes(j, NULL);
}

static void lk_on_right(struct job *j, const struct db_result *r)
{
    if (r->number == 1227)
        job_end(j, "the agent's account '%s' may not set read_only: GRANT %s ON *.* TO it",
                j->opts.db.user,
                j->dialect->mariadb ? "READ_ONLY ADMIN"
                                    : "SYSTEM_VARIABLES_ADMIN, CONNECTION_ADMIN");
    else
        job_try(j, "metadata locks", j->dialect->text[STMT_LOOK_LOCKS], lk_on_locks);
}

static void lk_observed(struct job *j, const struct db_result *r)
{
    (void)r;
    job_try(j, "the right to set read_only", j->dialect->text[STMT_LOOK_RIGHT], lk_on_right);
}

void job_look(struct job *j, const struct db_result *r)
{
    (void)r;
    job_observe(j, lk_observed);
}
