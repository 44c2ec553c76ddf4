/* SPDX-License-Identifier: GPL-2.0-or-later
 * Servers: up, hung or dead, read-only or not, what they have, and the jobs agents run on them.
 * What a server has is a GTID text; receiving and applying take no time, but for an applier that
 * lags. */
#include "foresee/foresee_internal.h"

#include "gtid/gtid.h"

enum {
    RECONNECT_MS = 1000, /* MASTER_CONNECT_RETRY */
    RECEIVER_MS = 60000, /* slave_net_timeout: until a receiver notices silence */
    LOOK_AGAIN_MS = 20,
};

bool server_answers(const struct foresee *f, int h)
{
    return f->node[h].on && f->node[h].server.up && !f->node[h].server.hung;
}

bool server_works(const struct foresee *f, int h)
{
    return server_answers(f, h) && !f->node[h].server.full;
}

static enum gtid_flavour flavour(const struct foresee_server *v)
{
    return v->mysql_flavour ? GTID_MYSQL : GTID_MARIADB_STATE;
}

/* to += from; false: one of them is no GTID set, or there is no room. */
bool server_merge(const struct foresee_server *v, char *to, const char *from)
{
    struct gtid_set a, b;
    struct err ignored = {0};

    if (strcmp(to, from) == 0 || !*from)
        return true;
    if (gtid_parse(to, flavour(v), &a, &ignored) < 0 ||
        gtid_parse(from, flavour(v), &b, &ignored) < 0 || gtid_merge(&a, &b, &a) < 0)
        return false;
    return gtid_format(&a, to, GTID_LEN) < GTID_LEN;
}

static bool server_has(const struct foresee_server *v, const char *all, const char *want)
{
    struct gtid_set a, b;
    struct err ignored = {0};

    if (!*want)
        return true;
    return gtid_parse(want, flavour(v), &a, &ignored) == 0 &&
           gtid_parse(all, flavour(v), &b, &ignored) == 0 && gtid_subset(&a, &b);
}

int64_t server_lag(const struct foresee *f, int h)
{
    const struct foresee_server *v = &f->node[h].server;

    return v->source >= 0 && v->receive && v->apply && v->connected ? v->lag_ms : -1;
}

void server_facts(const struct foresee *f, int h, struct agent_facts *out)
{
    const struct foresee_server *v = &f->node[h].server;

    memset(out, 0, sizeof *out);
    out->mysql_flavour = v->mysql_flavour;
    out->server_id = v->server_id;
    out->read_only = v->read_only;
    msg_text(out->gtid, v->have);
    (void)server_merge(v, out->gtid, v->extra);
    out->source = v->source;
    msg_text(out->source_host, v->source_host);
    out->source_port = v->source_port;
    out->receiver = !v->receive ? RECEIVER_NO : v->connected ? RECEIVER_YES : RECEIVER_CONNECTING;
    out->applier = v->apply;
    out->traits = v->traits;
    if (v->broken)
        out->traits.bits |= TRAIT_BROKEN;
    out->lag_ms = server_lag(f, h);
    msg_text(out->own, v->own);
    msg_text(out->applied, v->applied);
}

/* Whether its receiver hears its source. It is refused at once by a dead one, and notices a silent
 * one late. */
static void server_connection(struct foresee *f, int h)
{
    struct foresee_server *v = &f->node[h].server;
    bool path = v->source >= 0 && wire_path(f, h, v->source);
    bool reached = path && server_answers(f, v->source);

    if (v->source < 0)
        return; /* a stranger: stays as it is */
    if (!v->receive) {
        v->connected = false;
        return;
    }
    if (reached && !v->connected) {
        if (!v->back_at) {
            v->back_at = f->now + RECONNECT_MS;
            foresee_push(f, RECONNECT_MS, DUE_REACHED, h, 0, 0);
        }
        v->connected = f->now >= v->back_at;
    }
    if (reached) {
        v->lost_at = 0;
        return;
    }
    v->back_at = 0;
    if (path && !f->node[v->source].server.up)
        v->connected = false;
    else if (!v->lost_at)
        v->lost_at = f->now;
    else if (f->now - v->lost_at >= RECEIVER_MS)
        v->connected = false;
}

void servers_replicate(struct foresee *f)
{
    for (unsigned h = 0; h < foresee_hosts(f); h++) {
        struct foresee_server *v = &f->node[h].server;

        if (!server_works(f, (int)h))
            continue;
        server_connection(f, (int)h);
        if (v->source >= 0 && v->connected && server_answers(f, v->source) &&
            wire_path(f, (int)h, v->source))
            (void)server_merge(v, v->relay, f->node[v->source].server.have);
        if (v->apply && !v->lag_ms && !v->broken)
            (void)server_merge(v, v->have, v->relay);
    }
}

/* With skip_slave_start and read_only in its configuration, as the README wants it. */
void server_start(struct foresee *f, int h)
{
    struct foresee_server *v = &f->node[h].server;

    if (v->up || !f->node[h].on)
        return;
    v->up = v->read_only = true;
    v->hung = v->receive = v->apply = v->connected = false;
    v->pid += 1000;
    memcpy(v->relay, v->have, sizeof v->relay); /* received anew */
    foresee_push(f, 30, DUE_MYSQLD, h, 0, 0);
}

void server_kill(struct foresee *f, int h, const char *how)
{
    struct foresee_server *v = &f->node[h].server;

    if (!v->up)
        return;
    v->up = v->hung = v->connected = false;
    foresee_say(f, TELL_SERVER, h, "%s: mysqld (pid %lld) %s", foresee_host(f, h),
                (long long)v->pid, how);
    foresee_push(f, 1, DUE_MYSQLD, h, 0, 0);
    if (f->node[h].on && wire_path(f, -1, h)) /* its connection to the monitor ends, and the next is
                                                 refused */
        foresee_push(f, 2 * f->conf.message_ms, DUE_CHECK, h, CK_MYSQL, -1);
}

/* ---- jobs ---- */

static bool salvage_is_purged(const struct foresee *f, int h, const struct foresee_job *j)
{
    const struct foresee_server *v = &f->node[h].server;

    return j->job == JOB_SALVAGE && !server_has(v, v->have, f->node[j->source].server.purged);
}

static void job_over(struct foresee *f, int h, bool ok, const char *why)
{
    struct foresee_job *j = &f->node[h].job;
    struct agent_facts facts;
    struct agent_event ev = {.kind = AE_JOB,
                             .job = {.job = j->job, .ok = ok && !j->cancelled, .why = why}};

    ev.job.hopeless = !ev.job.ok && salvage_is_purged(f, h, j);
    if (!ev.job.ok && !j->cancelled)
        foresee_say(f, TELL_SERVER, h, "%s: %s", foresee_host(f, h), why);
    j->job = JOB_NONE;
    if (!node_runs(&f->node[h]))
        return;
    if (ev.job.ok) {
        server_facts(f, h, &facts);
        ev.job.facts = &facts;
        ev.job.own_more = j->look ? "" : NULL;
    }
    host_feed(f, h, &ev);
    foresee_push(f, 1, DUE_FACTS_ANEW, h, 0, 0);
}

static bool drain_is_done(struct foresee *f, int h, struct foresee_job *j)
{
    struct foresee_server *v = &f->node[h].server;
    char all[GTID_LEN];

    (void)f;
    memcpy(all, v->have, sizeof all);
    (void)server_merge(v, all, v->relay);
    (void)server_merge(v, all, v->extra);
    if (!server_has(v, all, j->reach) && !(v->broken && j->as_is))
        return false;
    v->receive = v->connected = false;
    if (v->broken && j->as_is)
        memcpy(v->relay, v->have, sizeof v->relay);
    if (v->lag_ms || (v->broken && strcmp(v->have, v->relay) != 0))
        return false;
    (void)server_merge(v, v->have, v->relay);
    if (v->own[0] && j->reach[0])
        snprintf(v->applied, sizeof v->applied, "%.143s", j->reach);
    if (v->apply)
        foresee_say(f, TELL_SERVER, h, "%s: has applied everything it received",
                    foresee_host(f, h));
    v->apply = false;
    return true;
}

static bool follow_is_done(struct foresee *f, int h, struct foresee_job *j)
{
    struct foresee_server *v = &f->node[h].server;

    if (v->source != j->source || !v->receive) {
        memcpy(v->relay, v->have, sizeof v->relay);
        v->source = j->source;
        foresee_text(v->source_host, sizeof v->source_host, foresee_host(f, j->source));
        v->source_port = 3306;
        v->receive = true;
        v->connected = false;
        if (j->at[0])
            memcpy(v->applied, j->at, sizeof v->applied);
    }
    v->apply = !v->broken;
    if (!server_answers(f, j->source) || !wire_path(f, h, j->source))
        return false;
    v->connected = true;
    v->lost_at = v->back_at = 0;
    foresee_say(f, TELL_SERVER, h, "%s: replicates from %s", foresee_host(f, h),
                foresee_host(f, j->source));
    return true;
}

/* Through the other's agent, which has read the binary log of its dead server. */
static bool salvage_is_done(struct foresee *f, int h, struct foresee_job *j)
{
    struct foresee_server *v = &f->node[h].server;
    struct foresee_node *from = &f->node[j->source];

    if (!node_runs(from) || !wire_path(f, h, j->source) || from->a.tail.state != TAIL_READY)
        return false;
    (void)server_merge(v, v->have, from->server.have);
    (void)server_merge(v, v->have, from->server.extra);
    memcpy(v->relay, v->have, sizeof v->relay);
    v->receive = v->apply = v->connected = false;
    foresee_say(f, TELL_SERVER, h, "%s: has applied what %s's binary log holds", foresee_host(f, h),
                foresee_host(f, j->source));
    return true;
}

static bool job_is_done(struct foresee *f, int h, struct foresee_job *j)
{
    struct foresee_server *v = &f->node[h].server;

    switch (j->job) {
    case JOB_DRAIN:
        return drain_is_done(f, h, j);
    case JOB_FOLLOW:
        return follow_is_done(f, h, j);
    case JOB_SALVAGE:
        return salvage_is_done(f, h, j);
    case JOB_LOOK:
        return true;
    default:
        if (v->read_only != (j->job == JOB_READ_ONLY))
            foresee_say(f, TELL_SERVER, h, "%s: read_only is %s", foresee_host(f, h),
                        j->job == JOB_READ_ONLY ? "on" : "off");
        v->read_only = j->job == JOB_READ_ONLY;
        return true;
    }
}

static const char *job_found(const struct foresee *f, int h)
{
    if (f->node[h].job.job != JOB_LOOK || !f->node[h].server.obstructed)
        return "";
    return "a transaction of connection 12 (app@client) has been open for 40 s and has changed 3 "
           "rows";
}

void server_job_on_due(struct foresee *f, int h, int32_t id)
{
    static const char *const name[JOB_N] = {[JOB_READ_ONLY] = "making the server read-only",
                                            [JOB_DRAIN] = "applying what was received",
                                            [JOB_WRITABLE] = "opening the server for writes",
                                            [JOB_FOLLOW] = "following another server",
                                            [JOB_SALVAGE] = "fetching from a dead server's "
                                                            "binary log",
                                            [JOB_LOOK] = "looking what is in the way"};
    struct foresee_job *j = &f->node[h].job;
    char why[WHY_LEN];

    if (j->job == JOB_NONE || j->id != id)
        return;
    if (f->node[h].frozen) { /* it hears of it later */
        foresee_push(f, LOOK_AGAIN_MS, DUE_JOB, h, 0, id);
        return;
    }
    if (j->cancelled) {
        job_over(f, h, false, "cancelled");
        return;
    }
    if (!f->node[h].server.up) {
        snprintf(why, sizeof why, "%s: the server is gone", name[j->job]);
        job_over(f, h, false, why);
    } else if (salvage_is_purged(f, h, j)) {
        job_over(f, h, false, "part of what is missing is purged");
    } else if (server_works(f, h) && job_is_done(f, h, j)) {
        job_over(f, h, true, job_found(f, h));
    } else if (f->now >= j->limit_at) {
        snprintf(why, sizeof why, "%s: not done in time", name[j->job]);
        job_over(f, h, false, why);
    } else {
        int64_t left = j->limit_at - f->now;

        foresee_push(f, left < LOOK_AGAIN_MS ? left : LOOK_AGAIN_MS, DUE_JOB, h, 0, id);
    }
}

void server_job_start(struct foresee *f, int h, const struct agent_action *act)
{
    struct foresee_job *j = &f->node[h].job;

    j->job = act->job;
    j->id++;
    j->source = act->source;
    j->cancelled = false;
    j->limit_at = f->now + (act->limit_ms > 0 ? act->limit_ms : 1);
    j->as_is = act->as_is;
    j->look = act->job == JOB_DRAIN && act->behind && *act->behind;
    snprintf(j->at, sizeof j->at, "%s", act->job == JOB_FOLLOW && act->at ? act->at : "");
    snprintf(j->reach, sizeof j->reach, "%s",
             act->job == JOB_DRAIN && act->reach ? act->reach : "");
    foresee_push(f, f->conf.job_ms, DUE_JOB, h, 0, j->id);
}

void server_job_cancel(struct foresee *f, int h)
{
    struct foresee_job *j = &f->node[h].job;

    if (j->job == JOB_NONE)
        return;
    j->cancelled = true;
    foresee_push(f, 1, DUE_JOB, h, 0, j->id);
}
