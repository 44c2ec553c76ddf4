/* SPDX-License-Identifier: GPL-2.0-or-later
 * The jobs an agent runs on its server: they take their time, fail, hang, and
 * what one asked for may happen after everybody stopped waiting. */
#include "sim.h"

#include <stdlib.h>
#include <string.h>

static bool vector_in(const uint64_t *want, const uint64_t *a, const uint64_t *b)
{
    for (int i = 0; i < HOSTS; i++)
        if (want[i] > a[i] && want[i] > b[i])
            return false;
    return true;
}

static void vector_parse(const struct sim *s, const char *text, uint64_t *to)
{
    memset(to, 0, HOSTS * sizeof *to);
    while (text && *text) {
        int server = 0;
        unsigned long long n = 0;
        const char *fmt = s->c.mysql ? "5a5a5a5a-0000-4000-8000-00000000000%d:1-%llu" : "0-%d-%llu";

        CHECK(sscanf(text, fmt, &server, &n) == 2 && server >= 1 && server <= HOSTS);
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
    if (server_works(s, h) && ok) {
        in->facts = malloc(sizeof *in->facts);
        CHECK(in->facts);
        *in->facts = *server_facts(s, h);
    }
    proc_input_in(s, sim_between(s, 200, 4 * MS), h, in);
}

static void job_effect(struct sim *s, int h, const struct job *j)
{
    struct server *v = &s->host[h].server;

    switch (j->job) {
    case JOB_READ_ONLY:
        client_write(s); /* the last one that comes through */
        v->read_only = true;
        v->late_writable = 0;
        break;
    case JOB_WRITABLE:
        v->read_only = false;
        break;
    case JOB_DRAIN:
    case JOB_SALVAGE:
        v->io_on = v->sql_on = false;
        break;
    case JOB_FOLLOW:
        memcpy(v->relay, v->have, sizeof v->relay); /* CHANGE MASTER throws it away */
        v->source = j->source;
        v->io_on = v->sql_on = true;
        server_look(s, h);
        break;
    default:
        break;
    }
}

/* From the binary log of a dead server, through its agent. */
static bool job_salvages(struct sim *s, int h, const struct job *j)
{
    struct server *v = &s->host[h].server, *from = &s->host[j->source].server;

    if (from->up || !s->proc[j->source].alive || s->proc[j->source].frozen ||
        s->proc[j->source].paused || !net_path(s, h, j->source) || !net_path(s, j->source, h))
        return false;
    for (int i = 0; i < HOSTS; i++)
        if (from->have[i] > v->relay[i])
            v->relay[i] = from->have[i];
    if (v->stall_until > s->now)
        return false;
    server_apply(s, h);
    return true;
}

static bool job_is_done(struct sim *s, int h, const struct job *j)
{
    struct server *v = &s->host[h].server;

    if (s->now < j->done_at)
        return false;
    if (disk_full(s, h) && (j->job == JOB_FOLLOW || j->job == JOB_SALVAGE))
        return false;
    if (j->job == JOB_FOLLOW)
        return net_path(s, h, j->source) && net_path(s, j->source, h) &&
               server_answers(s, j->source);
    if (j->job == JOB_SALVAGE)
        return job_salvages(s, h, j);
    if (j->job != JOB_DRAIN)
        return true;
    if (!vector_in(j->reach, v->have, v->relay)) {
        server_receive(s, h);
        return false;
    }
    v->io_on = false;
    if (v->stall_until > s->now)
        return false;
    server_apply(s, h);
    return !v->waits;
}

static void job_on_tick(struct sim *s, int h, int b, uint64_t id, void *data)
{
    struct job *j = &s->host[h].job;
    struct server *v = &s->host[h].server;

    (void)b;
    (void)data;
    if (!j->active || j->told || j->id != id)
        return;
    if (!v->up || v->pid != j->pid || (s->now >= j->limit_at && !s->proc[h].paused)) {
        job_tell(s, h, false);
        return;
    }
    if (server_works(s, h) && !j->hang && job_is_done(s, h, j)) {
        if (!j->fail)
            job_effect(s, h, j);
        job_tell(s, h, !j->fail);
        return;
    }
    if (j->job == JOB_FOLLOW && s->now >= j->done_at && !j->hang && !j->fail &&
        v->source != j->source && server_works(s, h) && !disk_full(s, h))
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
        vector_parse(s, act->reach, j->reach);
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
    if (server_works(s, h) && s->now + 5 * MS >= j->done_at && j->job != JOB_DRAIN &&
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
    sim_say(s, "%s: a read_only=0 left behind comes into force", proc_name(h));
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
