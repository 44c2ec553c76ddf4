/* SPDX-License-Identifier: GPL-2.0-or-later
 * Work on the local mysqld, one job at a time, on connections that are always open: one for the
 * work and one for nothing but making the server read-only, so that neither a job that hangs nor a
 * full server is in the way of the fence. After a job that went well the server is asked once more,
 * on the same connection: what it says then is from after the job.
 *
 *   IDLE -> FETCH -> RUN (only to salvage: fetch.c)
 *   IDLE -> RUN -> LOOK -> IDLE        the connection is just being looked after: IDLE -> WAIT ->
 * RUN
 */
#include "agent/agentd.h"

#include "mysql/source.h"

#include <stdio.h>
#include <string.h>

enum { KEEP_EVERY_MS = 600 * 1000, KEEP_LIMIT_MS = 300, LOOK_LIMIT_MS = 500 };

static const struct {
    const char *name;
    enum mydb_task task;
    int lane;
} jobs_of[JOB_N] = {
    [JOB_READ_ONLY] = {"making the server read-only", MYDB_READ_ONLY, LANE_FENCE},
    [JOB_DRAIN] = {"applying what was received", MYDB_DRAIN, LANE_WORK},
    [JOB_WRITABLE] = {"opening the server for writes", MYDB_WRITABLE, LANE_WORK},
    [JOB_FOLLOW] = {"following another server", MYDB_FOLLOW, LANE_WORK},
    [JOB_LOOK] = {"looking what is in the way of a move", MYDB_LOOK, LANE_WORK},
    [JOB_SALVAGE] = {"fetching from a dead server's binary log", MYDB_SALVAGE, LANE_WORK},
};

static void jobs_move(struct agentd_jobs *j, enum job_state to)
{
    static const unsigned allowed[JOBS_STATE_N] = {
        [JOBS_IDLE] = 1u << JOBS_FETCH | 1u << JOBS_WAIT | 1u << JOBS_RUN,
        [JOBS_FETCH] = 1u << JOBS_WAIT | 1u << JOBS_RUN | 1u << JOBS_IDLE,
        [JOBS_WAIT] = 1u << JOBS_RUN | 1u << JOBS_IDLE,
        [JOBS_RUN] = 1u << JOBS_LOOK | 1u << JOBS_IDLE,
        [JOBS_LOOK] = 1u << JOBS_IDLE,
    };

    CHECK(allowed[j->state] & 1u << to);
    j->state = to;
}

static void jobs_over(struct agentd *d, bool ok, const char *text, const struct mydb_facts *f)
{
    struct agentd_jobs *j = &d->jobs;
    struct agent_facts facts;
    char why[PROBLEM_LEN], problem[PROBLEM_LEN];
    struct agent_event ev = {.kind = AE_JOB, .job = {.job = j->job, .ok = ok, .why = why}};
    unsigned held;

    jobs_move(j, JOBS_IDLE);
    if (j->job == JOB_SALVAGE)
        agentd_fetch_end(d);
    (void)snprintf(why, sizeof why, "%s: %.400s", jobs_of[j->job].name, *text ? text : "nothing");
    if (ok)
        log_info(&d->log, "%s", why);
    else if (!j->cancelled && log_allowed(&j->limit[j->job], clock_boot_ms(), &held))
        log_warn(&d->log, "%s", why);
    if (ok && j->looked)
        ev.job.own_more = j->own_more;
    if (f) {
        agentd_facts_of(d->conf, f, &facts, problem);
        ev.job.facts = &facts;
    }
    if (ok)
        j->limit[j->job] = (struct log_limit){0};
    if (ok && j->job == JOB_LOOK)
        ev.job.why = text;
    agentd_server_anew(d);
    agentd_feed(d, &ev);
}

static void jobs_on_look(struct mydb *m, const struct mydb_answer *a)
{
    struct agentd_lane *l = mydb_owner(m);
    struct agentd *d = l->d;

    l->open = a->came == MYDB_FINE;
    l->kept_ms = clock_boot_ms();
    if (d->jobs.cancelled)
        jobs_over(d, false, "cancelled", NULL);
    else
        jobs_over(d, true, d->jobs.done_text, a->facts);
}

static void jobs_on_done(struct mydb *m, const struct mydb_answer *a)
{
    static const struct mydb_ask look = {.task = MYDB_OBSERVE, .limit_ms = LOOK_LIMIT_MS};
    struct agentd_lane *l = mydb_owner(m);
    struct agentd_jobs *j = &l->d->jobs;

    l->open = a->came == MYDB_FINE;
    l->kept_ms = clock_boot_ms();
    if (!a->ok || j->cancelled) {
        jobs_over(l->d, false, j->cancelled ? "cancelled" : a->text, NULL);
        return;
    }
    (void)snprintf(j->done_text, sizeof j->done_text, "%s", a->text);
    j->looked = a->own_more != NULL;
    (void)snprintf(j->own_more, sizeof j->own_more, "%.255s", j->looked ? a->own_more : "");
    jobs_move(j, JOBS_LOOK);
    mydb_run(m, &look, jobs_on_look);
}

static void jobs_run(struct agentd *d)
{
    struct agentd_jobs *j = &d->jobs;

    jobs_move(j, JOBS_RUN);
    mydb_run(j->by->db, &j->ask, jobs_on_done);
}

/* What the job needs to know beyond its kind; -EINVAL and a sentence if that can't be had. */
static int jobs_ask(struct agentd *d, const struct agent_action *a, struct err *e)
{
    struct agentd_jobs *j = &d->jobs;
    const struct agent_facts *own = &d->server.facts;

    j->ask = (struct mydb_ask){.task = jobs_of[a->job].task,
                               .limit_ms = a->limit_ms > 0 ? a->limit_ms : 1,
                               .planned = a->planned,
                               .look = a->job == JOB_DRAIN ? a->behind : NULL,
                               .as_is = a->as_is,
                               .hear = a->hear};
    if (a->job == JOB_DRAIN && a->reach && *a->reach) {
        if (agentd_gtid_reach(!own->mysql_flavour, a->reach, own->gtid, j->reach, sizeof j->reach,
                              e) < 0)
            return e->code;
        j->ask.reach = j->reach;
    }
    if (a->job == JOB_FOLLOW || a->job == JOB_SALVAGE) {
        CHECK(a->source >= 0 && a->source < (int)d->conf->n_hosts);
        j->ask.source = &d->conf->hosts[a->source];
        j->ask.at = a->at;
        j->ask.from = a->from;
    }
    return 0;
}

void agentd_job(struct agentd *d, const struct agent_action *a)
{
    struct agentd_jobs *j = &d->jobs;
    struct err e = {0};

    CHECK(j->state == JOBS_IDLE && a->job > JOB_NONE && a->job < JOB_N);
    j->job = a->job;
    j->cancelled = j->looked = false;
    j->by = &j->lane[jobs_of[a->job].lane];
    if (jobs_ask(d, a, &e) < 0) {
        log_warn(&d->log, "%s: %s", jobs_of[a->job].name, e.msg);
        agentd_feed_no_job(d, a->job, e.msg, false);
    } else if (a->job == JOB_SALVAGE) {
        jobs_move(j, JOBS_FETCH);
        agentd_fetch(d, a->source, a->limit_ms);
    } else if (mydb_busy(j->by->db)) {
        jobs_move(j, JOBS_WAIT);
    } else {
        jobs_run(d);
    }
}

void agentd_job_fetched(struct agentd *d, const char *why, bool hopeless)
{
    struct agentd_jobs *j = &d->jobs;
    const struct agentd_fetch *f = &d->fetch;
    unsigned held;

    CHECK(j->state == JOBS_FETCH);
    if (why) {
        jobs_move(j, JOBS_IDLE);
        if (log_allowed(&j->limit[j->job], clock_boot_ms(), &held))
            log_warn(&d->log, "%s: %s", jobs_of[j->job].name, why);
        agentd_feed_no_job(d, j->job, why, hopeless);
        return;
    }
    (void)snprintf(j->reach, sizeof j->reach, "%s", f->reach);
    j->ask.reach = j->reach;
    j->ask.port = source_port(f->source);
    j->ask.user = "hamm-tail";
    j->ask.password = f->password;
    if (mydb_busy(j->by->db))
        jobs_move(j, JOBS_WAIT);
    else
        jobs_run(d);
}

void agentd_job_cancel(struct agentd *d)
{
    struct agentd_jobs *j = &d->jobs;

    if (j->state == JOBS_IDLE)
        return; /* its end is already on its way to the rules */
    j->cancelled = true;
    if (j->state == JOBS_WAIT || j->state == JOBS_FETCH) {
        agentd_fetch_end(d);
        jobs_move(j, JOBS_IDLE);
        agentd_feed_no_job(d, j->job, "cancelled", false);
    } else {
        mydb_cancel(j->by->db);
    }
}

/* ---- the connections ---- */

static void lane_on_kept(struct mydb *m, const struct mydb_answer *a)
{
    struct agentd_lane *l = mydb_owner(m);
    struct agentd_jobs *j = &l->d->jobs;

    l->open = a->came == MYDB_FINE;
    l->kept_ms = clock_boot_ms();
    if (!l->open)
        log_debug(&l->d->log, "connection for %s: %s", l->name, a->text);
    if (j->state == JOBS_WAIT && j->by == l)
        jobs_run(l->d);
}

static void lane_on_lost(struct mydb *m, const char *text)
{
    struct agentd_lane *l = mydb_owner(m);

    (void)text;
    l->open = false;
}

void agentd_jobs_keep(struct agentd *d)
{
    static const struct mydb_ask look = {.task = MYDB_OBSERVE, .limit_ms = KEEP_LIMIT_MS};
    int64_t now = clock_boot_ms();

    for (unsigned i = 0; i < LANE_N; i++) {
        struct agentd_lane *l = &d->jobs.lane[i];

        if (!mydb_busy(l->db) && (!l->open || now - l->kept_ms >= KEEP_EVERY_MS))
            mydb_run(l->db, &look, lane_on_kept);
    }
}

void agentd_jobs_start(struct agentd *d)
{
    static const char *const name[LANE_N] = {[LANE_WORK] = "work", [LANE_FENCE] = "the fence"};

    for (unsigned i = 0; i < LANE_N; i++) {
        struct agentd_lane *l = &d->jobs.lane[i];

        l->d = d;
        l->name = name[i];
        l->db = mydb_new(&d->loop, d->conf, d->self, lane_on_lost, l);
        closer_add(&d->closer);
    }
}

static void lane_on_closed(void *owner)
{
    struct agentd_lane *l = owner;

    closer_sub(&l->d->closer);
}

void agentd_jobs_stop(struct agentd *d)
{
    for (unsigned i = 0; i < LANE_N; i++) {
        struct mydb *db = d->jobs.lane[i].db;

        d->jobs.lane[i].db = NULL;
        if (db)
            mydb_close(db, lane_on_closed);
    }
}
