/* SPDX-License-Identifier: GPL-2.0-or-later
 * Settings of one server. */
#include "preflight/check.h"

#include <stdlib.h>
#include <string.h>

enum { EXPIRY_LEAST_S = 24 * 3600 };

static bool setting_fits(const char *is, const char *want)
{
    if (!strcmp(want, "ON"))
        return survey_is_on(is);
    if (!strcmp(want, "OFF"))
        return !survey_is_on(is);
    return !strcasecmp(is, want);
}

void judge_setting(const struct check *c, const struct survey *s, const struct looked *h,
                   struct sheet *out)
{
    const char *name = c->name, *is = survey_variable(h, name);

    (void)s;
    if (!is && c->formerly) {
        name = c->formerly;
        is = survey_variable(h, name);
    }
    if (!is)
        return;
    if (setting_fits(is, c->want)) {
        sheet_add(out, h->conf->name, c->name, VERDICT_OK, "%s", is);
        return;
    }
    sheet_add(out, h->conf->name, c->name,
              c->verdict == VERDICT_FAIL && !h->candidate ? VERDICT_WARN : c->verdict, "is %s: %s",
              is, c->why);
    fix_variable(out, h, name, c->want, c->file, c->how);
}

/* ---- a server starts closed ---- */

enum boot { BOOT_CLOSED, BOOT_OPEN, BOOT_UNKNOWN };

/* Where the value of now has no word about the next start (it was set since), nothing is known. */
static enum boot boot_of(const struct looked *h, const char *name)
{
    const struct answer *a = survey_answer(h, Q_BOOT);

    for (unsigned row = 0; answer_is(a) && row < a->rows; row++) {
        const char *is = answer_named(a, row, "name"), *origin = answer_named(a, row, "origin");
        const char *persisted = answer_named(a, row, "persisted");

        if (!is || strcasecmp(is, name) || !origin)
            continue;
        if (persisted)
            return survey_is_on(persisted) ? BOOT_CLOSED : BOOT_OPEN;
        if (!strcmp(origin, "SQL") || !strcmp(origin, "DYNAMIC"))
            return BOOT_UNKNOWN;
        return survey_is_on(survey_variable(h, name)) ? BOOT_CLOSED : BOOT_OPEN;
    }
    return BOOT_UNKNOWN;
}

void judge_read_only(const struct check *c, const struct survey *s, const struct looked *h,
                     struct sheet *out)
{
    enum boot boot = boot_of(h, c->want);

    (void)s;
    if (boot == BOOT_CLOSED) {
        sheet_add(out, h->conf->name, c->name, VERDICT_OK, "%s", c->want);
        return;
    }
    if (boot == BOOT_OPEN)
        sheet_add(out, h->conf->name, c->name, VERDICT_FAIL,
                  "%s is not set: after a restart anybody can write before hamm closes it",
                  c->want);
    else
        sheet_add(out, h->conf->name, c->name, VERDICT_WARN,
                  "%s was set while it runs; what it starts with can't be seen from here", c->want);
    if (h->mariadb)
        sheet_fix(out, "in my.cnf: read_only = 1");
    else
        sheet_fix(out, "SET PERSIST_ONLY read_only = ON; SET PERSIST_ONLY super_read_only = ON;");
}

/* ---- GTID ---- */

void judge_gtid_mode(const struct check *c, const struct survey *s, const struct looked *h,
                     struct sheet *out)
{
    const char *is = survey_variable(h, "gtid_mode");
    bool off = is && !strcmp(is, "OFF");

    (void)s;
    if (!is)
        return;
    if (!strcmp(is, "ON")) {
        sheet_add(out, h->conf->name, c->name, VERDICT_OK, "ON");
        return;
    }
    sheet_add(out, h->conf->name, c->name, off ? VERDICT_WARN : VERDICT_FAIL,
              off ? "is %s: after a crash only replicas at the same coordinates can go on"
                  : "is %s: half way, transactions with and without GTID",
              is);
    sheet_fix(out, "on all hosts, each before the next: "
                   "SET PERSIST enforce_gtid_consistency = ON; "
                   "SET PERSIST gtid_mode = OFF_PERMISSIVE; SET PERSIST gtid_mode = ON_PERMISSIVE; "
                   "SET PERSIST gtid_mode = ON;");
    if (!off)
        sheet_fix(out, "SET PERSIST enforce_gtid_consistency = ON; "
                       "SET PERSIST gtid_mode = ON_PERMISSIVE; SET PERSIST gtid_mode = ON;");
}

void judge_replication(const struct check *c, const struct survey *s, const struct looked *h,
                       struct sheet *out)
{
    const struct answer *a = survey_answer(h, Q_REPLICA);
    const char *io = answer_named(a, 0, h->mariadb ? "Slave_IO_Running" : "Replica_IO_Running");
    const char *sql = answer_named(a, 0, h->mariadb ? "Slave_SQL_Running" : "Replica_SQL_Running");
    const char *io_error = answer_named(a, 0, "Last_IO_Error");
    const char *sql_error = answer_named(a, 0, "Last_SQL_Error");
    bool runs = io && sql && !strcmp(io, "Yes") && !strcmp(sql, "Yes");

    (void)s;
    if (!io || !sql) /* no replica; hamm points it to the writer */
        return;
    if (runs) {
        sheet_add(out, h->conf->name, c->name, VERDICT_OK, "yes");
        return;
    }
    sheet_add(out, h->conf->name, c->name, VERDICT_WARN, "IO %s, SQL %s: %s", io, sql,
              io_error && *io_error     ? io_error
              : sql_error && *sql_error ? sql_error
                                        : "it was stopped");
    if (io_error && strstr(io_error, "1236")) /* what it lacks, its source has not */
        sheet_fix(out, "on %s: its data must be made anew from a copy of the writer's",
                  h->conf->name);
    else
        sheet_fix(out, "START %s;", h->mariadb ? "SLAVE" : "REPLICA");
}

void judge_follows_by_gtid(const struct check *c, const struct survey *s, const struct looked *h,
                           struct sheet *out)
{
    const struct answer *a = survey_answer(h, Q_REPLICA);
    const char *is = answer_named(a, 0, h->mariadb ? "Using_Gtid" : "Auto_Position");
    const char *mode = h->mariadb ? "ON" : survey_variable(h, "gtid_mode");

    (void)s;
    if (!is || !mode || strcmp(mode, "ON")) /* no replica, or none that could */
        return;
    if (!strcmp(is, "Slave_Pos") || !strcmp(is, "1")) {
        sheet_add(out, h->conf->name, c->name, VERDICT_OK, "yes");
        return;
    }
    sheet_add(out, h->conf->name, c->name, VERDICT_WARN,
              h->mariadb
                  ? "MASTER_USE_GTID is %s; hamm changes it when it points it to another"
                  : "SOURCE_AUTO_POSITION is %s; hamm changes it when it points it to another",
              is);
    sheet_fix(out, h->mariadb ? "STOP SLAVE; CHANGE MASTER TO MASTER_USE_GTID = slave_pos; "
                                "START SLAVE;"
                              : "STOP REPLICA; CHANGE REPLICATION SOURCE TO "
                                "SOURCE_AUTO_POSITION = 1; START REPLICA;");
}

/* MariaDB with GTID throws the relay log away at each start anyhow. */
void judge_relay_log(const struct check *c, const struct survey *s, const struct looked *h,
                     struct sheet *out)
{
    const char *is = survey_variable(h, "relay_log_recovery");
    const char *gtid = answer_named(survey_answer(h, Q_REPLICA), 0, "Using_Gtid");

    (void)s;
    if (!is || (h->mariadb && (!gtid || strcmp(gtid, "No"))))
        return;
    if (survey_is_on(is)) {
        sheet_add(out, h->conf->name, c->name, VERDICT_OK, "%s", is);
        return;
    }
    sheet_add(out, h->conf->name, c->name, VERDICT_WARN,
              "is %s: a replica that lost power may go on with a damaged relay log", is);
    fix_variable(out, h, c->name, "ON", "1", HOW_RESTART);
}

/* ---- the rest ---- */

void judge_expiry(const struct check *c, const struct survey *s, const struct looked *h,
                  struct sheet *out)
{
    const char *seconds = survey_variable(h, "binlog_expire_logs_seconds");
    const char *days = survey_variable(h, "expire_logs_days");
    double keeps_s = seconds ? strtod(seconds, NULL) : 0;

    (void)s;
    if (!seconds && !days)
        return;
    if (keeps_s <= 0 && days)
        keeps_s = strtod(days, NULL) * 24 * 3600;
    if (keeps_s <= 0) {
        sheet_add(out, h->conf->name, c->name, VERDICT_OK, "never");
        return;
    }
    if (keeps_s >= EXPIRY_LEAST_S) {
        sheet_add(out, h->conf->name, c->name, VERDICT_OK, "after %.0f days",
                  keeps_s / EXPIRY_LEAST_S);
        return;
    }
    sheet_add(out, h->conf->name, c->name, VERDICT_WARN,
              "after %.0f s: a host that is away for longer must be rebuilt", keeps_s);
    fix_variable(out, h, seconds ? "binlog_expire_logs_seconds" : "expire_logs_days",
                 seconds ? "604800" : "7", NULL, HOW_RUNNING);
}

/* An account sees the events of databases on which it has EVENT. */
static bool events_are_seen(const struct looked *h)
{
    for (int account = 0; account < ACCOUNT_N; account++) {
        const struct answer *a = &h->login[account].answer[Q_GRANTS];

        for (unsigned row = 0; answer_is(a) && row < a->rows; row++) {
            const char *text = answer_at(a, row, 0);

            if (text && strstr(text, " ON *.* TO ") &&
                (strstr(text, "EVENT,") || strstr(text, "EVENT ON") ||
                 strstr(text, "ALL PRIVILEGES")))
                return true;
        }
    }
    return false;
}

void judge_events(const struct check *c, const struct survey *s, const struct looked *h,
                  struct sheet *out)
{
    const char *is = survey_variable(h, "event_scheduler");
    const char *n = answer_named(survey_answer(h, Q_EVENTS), 0, "n");
    bool some = n && strcmp(n, "0");

    (void)s;
    if (!is)
        return;
    if (!survey_is_on(is) || (!some && events_are_seen(h))) {
        sheet_add(out, h->conf->name, c->name, VERDICT_OK, "%s",
                  survey_is_on(is) ? "no events" : is);
        return;
    }
    sheet_add(out, h->conf->name, c->name, VERDICT_WARN,
              some ? "is ON with enabled events: they don't move with the writer, and fail here "
                     "when it is read-only"
                   : "is ON: events don't move with the writer, and whether there are any this "
                     "account can't see");
    fix_variable(out, h, c->name, "OFF", NULL, HOW_RUNNING);
}
