/* SPDX-License-Identifier: GPL-2.0-or-later
 * Fake servers: what each has of every server's writes, asynchronous replication, and the jobs the
 * agent runs on them, which take their time, fail and hang. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MS = 1000, TICK_MS = 50, FACTS_MS = 250 };

static void server_tell(struct sim *s, int h, enum mysqld state, int64_t us)
{
    struct input *in = input_new(IN_MYSQLD);

    in->state = state;
    in->n = (uint64_t)s->host[h].server.pid;
    proc_input_in(s, us, h, in);
}

bool server_answers(const struct sim *s, int h)
{
    return s->host[h].server.up && s->host[h].server.hung_until <= s->now;
}

void server_start(struct sim *s, int h, bool read_only)
{
    struct server *v = &s->host[h].server;

    if (v->up || !s->proc[h].on)
        return;
    v->up = true;
    v->pid++;
    v->hung_until = 0;
    v->late_writable = 0;
    v->read_only = read_only;
    v->connected = false;
    memcpy(v->relay, v->have, sizeof v->relay); /* asked for again */
    v->applied_at = s->now;
    sim_say(s, "%s: mysqld %lld is up, read_only=%d", proc_name(s, h), (long long)v->pid,
            read_only);
    server_tell(s, h, MYSQLD_UP, sim_between(s, 5 * MS, 100 * MS));
}

void server_kill(struct sim *s, int h)
{
    struct server *v = &s->host[h].server;

    if (!v->up)
        return;
    v->up = v->connected = false;
    v->late_writable = 0;
    sim_say(s, "%s: mysqld %lld is gone", proc_name(s, h), (long long)v->pid);
    server_tell(s, h, MYSQLD_DEAD, sim_between(s, 500, 5 * MS));
}

/* An operator copies the writer's data. */
void server_rebuild(struct sim *s, int h, int from)
{
    struct server *v = &s->host[h].server;

    server_kill(s, h);
    memcpy(v->have, s->host[from].server.have, sizeof v->have);
    v->source = -1;
    v->io_on = v->sql_on = false;
    server_start(s, h, true);
}

int64_t server_lag_ms(const struct sim *s, int h)
{
    const struct server *v = &s->host[h].server;

    if (v->source < 0 || !v->io_on || !v->sql_on || !v->connected)
        return -1;
    if (memcmp(v->have, v->relay, sizeof v->have) == 0)
        return 0;
    return (s->now - v->applied_at) / MS;
}

void server_facts(struct sim *s, int h, struct agent_facts *f)
{
    const struct server *v = &s->host[h].server;
    int n = 0;

    memset(f, 0, sizeof *f);
    f->read_only = v->read_only;
    for (int i = 0; i < HOSTS; i++)
        if (v->have[i])
            n += snprintf(f->gtid + n, 64, "%s0-%d-%llu", n ? "," : "", i + 1,
                          (unsigned long long)v->have[i]);
    f->source = v->source;
    if (v->source >= 0)
        snprintf(f->source_host, sizeof f->source_host, "10.0.0.%d", v->source + 1);
    f->source_port = v->source >= 0 ? 3306 : 0;
    f->receiver = v->source < 0 || !v->io_on ? RECEIVER_NO
                  : v->connected             ? RECEIVER_YES
                                             : RECEIVER_CONNECTING;
    f->applier = v->source >= 0 && v->sql_on;
    f->lag_ms = server_lag_ms(s, h);
}

void server_ask(struct sim *s, int h)
{
    struct input *in;

    if (!s->proc[h].alive || s->proc[h].frozen || !server_answers(s, h))
        return;
    in = input_new(IN_FACTS);
    in->facts = malloc(sizeof *in->facts);
    CHECK(in->facts);
    server_facts(s, h, in->facts);
    in->n = s->host[h].job.ended;
    proc_input_in(s, sim_between(s, 300, 15 * MS), h, in);
}

static void facts_on_loop(struct sim *s, int h, int b, uint64_t n, void *data)
{
    (void)b;
    (void)n;
    (void)data;
    sim_in(s, FACTS_MS * MS + sim_between(s, 0, 5 * MS), facts_on_loop, h, 0, 0, NULL);
    server_ask(s, h);
}

static void server_apply(struct sim *s, struct server *v)
{
    for (int i = 0; i < HOSTS; i++)
        if (v->relay[i] > v->have[i])
            v->have[i] = v->relay[i];
    v->applied_at = s->now;
}

static void replicate_on_loop(struct sim *s, int h, int b, uint64_t n, void *data)
{
    struct server *v = &s->host[h].server;
    const struct server *from = v->source < 0 ? NULL : &s->host[v->source].server;

    (void)b;
    (void)n;
    (void)data;
    sim_in(s, sim_between(s, 5 * MS, TICK_MS * MS), replicate_on_loop, h, 0, 0, NULL);
    if (!server_answers(s, h))
        return;
    v->connected = from && v->io_on && server_answers(s, v->source) && net_path(s, h, v->source) &&
                   net_path(s, v->source, h);
    if (v->connected)
        for (int i = 0; i < HOSTS; i++)
            if (from->have[i] > v->relay[i])
                v->relay[i] = from->have[i];
    if (v->source >= 0 && v->sql_on && v->stall_until <= s->now && sim_chance(s, 800))
        server_apply(s, v);
}

void server_loops(struct sim *s)
{
    for (int h = 0; h < (int)s->hosts; h++) {
        sim_in(s, sim_between(s, 0, FACTS_MS * MS), facts_on_loop, h, 0, 0, NULL);
        sim_in(s, sim_between(s, 0, TICK_MS * MS), replicate_on_loop, h, 0, 0, NULL);
    }
}

/* ---- jobs ---- */

static bool vector_in(const uint64_t *want, const uint64_t *a, const uint64_t *b)
{
    for (int i = 0; i < HOSTS; i++)
        if (want[i] > a[i] && want[i] > b[i])
            return false;
    return true;
}

static void vector_parse(const char *text, uint64_t *to)
{
    memset(to, 0, HOSTS * sizeof *to);
    while (text && *text) {
        int server = 0;
        unsigned long long n = 0;

        CHECK(sscanf(text, "0-%d-%llu", &server, &n) == 2 && server >= 1 && server <= HOSTS);
        to[server - 1] = n;
        text = strchr(text, ',');
        text = text ? text + 1 : NULL;
    }
}

static void job_tell(struct sim *s, int h, bool ok)
{
    struct job *j = &s->host[h].job;
    struct input *in = input_new(IN_JOB);

    j->told = true;
    in->n = j->id;
    in->ok = ok;
    if (server_answers(s, h) && ok) {
        in->facts = malloc(sizeof *in->facts);
        CHECK(in->facts);
        server_facts(s, h, in->facts);
    }
    proc_input_in(s, sim_between(s, 200, 4 * MS), h, in);
}

static void job_effect(struct sim *s, int h, const struct job *j)
{
    struct server *v = &s->host[h].server;

    switch (j->job) {
    case JOB_READ_ONLY:
        v->read_only = true;
        v->late_writable = 0;
        break;
    case JOB_WRITABLE:
        v->read_only = false;
        break;
    case JOB_DRAIN:
        v->io_on = v->sql_on = v->connected = false;
        break;
    case JOB_FOLLOW:
        memcpy(v->relay, v->have, sizeof v->relay); /* CHANGE MASTER throws it away */
        v->source = j->source;
        v->io_on = v->sql_on = true;
        break;
    default:
        break;
    }
}

static bool job_is_done(struct sim *s, int h, const struct job *j)
{
    struct server *v = &s->host[h].server;

    if (s->now < j->done_at)
        return false;
    if (j->job == JOB_FOLLOW)
        return net_path(s, h, j->source) && net_path(s, j->source, h) &&
               server_answers(s, j->source);
    if (j->job != JOB_DRAIN)
        return true;
    if (!vector_in(j->reach, v->have, v->relay))
        return false;
    v->io_on = v->connected = false;
    if (v->stall_until > s->now)
        return false;
    server_apply(s, v);
    return true;
}

static void job_on_tick(struct sim *s, int h, int b, uint64_t id, void *data)
{
    struct job *j = &s->host[h].job;
    struct server *v = &s->host[h].server;

    (void)b;
    (void)data;
    if (!j->active || j->told || j->id != id)
        return;
    if (!v->up || v->pid != j->pid) {
        job_tell(s, h, false);
        return;
    }
    if (s->now >= j->limit_at) {
        job_tell(s, h, false);
        return;
    }
    if (server_answers(s, h) && !j->hang && job_is_done(s, h, j)) {
        if (!j->fail)
            job_effect(s, h, j);
        if (j->job == JOB_FOLLOW && !j->fail)
            v->connected = true;
        job_tell(s, h, !j->fail);
        return;
    }
    if (j->job == JOB_FOLLOW && s->now >= j->done_at && !j->hang && !j->fail &&
        v->source != j->source)
        job_effect(s, h, j); /* set up, but not connected yet */
    sim_at(s, j->done_at > s->now ? j->done_at : s->now + 20 * MS, job_on_tick, h, 0, id, NULL);
}

void job_begin(struct sim *s, int h, const struct agent_action *act)
{
    struct job *j = &s->host[h].job;
    struct server *v = &s->host[h].server;
    bool bad = s->host[h].jobs_bad_until > s->now;
    int64_t longest = act->job == JOB_FOLLOW ? 150 : act->planned ? 60 : 25;

    CHECK(!j->active);
    *j = (struct job){.active = true,
                      .id = j->id + 1,
                      .ended = j->ended,
                      .job = act->job,
                      .source = act->source,
                      .hang = bad && sim_chance(s, 250),
                      .fail = bad && sim_chance(s, 250),
                      .done_at = s->now + sim_between(s, MS, longest * MS),
                      .limit_at = s->now + act->limit_ms * MS,
                      .pid = v->pid};
    if (act->job == JOB_DRAIN)
        vector_parse(act->reach, j->reach);
    if (act->job == JOB_READ_ONLY)
        v->late_writable = 0;
    sim_in(s, v->up ? 500 : MS, job_on_tick, h, 0, j->id, NULL);
}

void job_cancel(struct sim *s, int h)
{
    struct job *j = &s->host[h].job;

    j->cancelled = true;
    if (!j->active || j->told)
        return;
    if (server_answers(s, h) && s->now + 5 * MS >= j->done_at && j->job != JOB_DRAIN &&
        sim_chance(s, 500))
        job_effect(s, h, j); /* too late for that statement */
    job_tell(s, h, false);
}

static void late_on_time(struct sim *s, int h, int b, uint64_t n, void *data)
{
    struct server *v = &s->host[h].server;

    (void)b;
    (void)data;
    if (v->late_writable != (int64_t)n || !v->up)
        return;
    v->late_writable = 0;
    v->read_only = false;
    sim_say(s, "%s: a read_only=0 left behind comes into force", proc_name(s, h));
}

/* The agent is gone: what its job asked for may still happen. */
void job_orphan(struct sim *s, int h)
{
    struct job *j = &s->host[h].job;
    struct server *v = &s->host[h].server;

    if (j->active && !j->told && v->up && j->job == JOB_WRITABLE && sim_chance(s, 700)) {
        v->late_writable = sim_between(s, s->now, j->limit_at);
        sim_at(s, v->late_writable, late_on_time, h, 0, (uint64_t)v->late_writable, NULL);
    }
    j->active = false;
}
