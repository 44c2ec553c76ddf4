/* SPDX-License-Identifier: GPL-2.0-or-later
 * The shell of the agents. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATIENCE_MS = 3000 };
#define LOOK_THEN UINT64_MAX /* what is so when it is looked, not when it was decided to look */

static struct agent_plan plan;
static struct agent_conf conf_of[HOSTS];
static struct msg out;

static struct note {
    enum agent_event_kind kind;
    int slot;
} note[4 * SLOTS];
static unsigned notes;

void agents_conf(struct sim *s)
{
    for (int h = 0; h < (int)s->c.hosts; h++) {
        struct agent_conf *c = &conf_of[h];

        memset(c, 0, sizeof *c);
        c->self = h;
        c->hosts = s->c.hosts;
        c->slots = s->c.slots;
        for (int i = 0; i < (int)s->c.slots; i++) {
            if (i)
                snprintf(c->slot[i].name, SLOT_LEN, "reader/%d", i);
            else
                snprintf(c->slot[i].name, SLOT_LEN, "writer");
            c->slot[i].writable = i == 0;
            c->slot[i].candidates = (1ull << (i ? s->c.hosts : s->c.candidates)) - 1;
        }
        c->lease_ms = s->c.lease_ms;
        c->gate = s->c.gate;
        c->on_monitor_loss = s->c.loss == SIM_FENCE ? LOSS_FENCE : LOSS_PROMISE;
        c->kill_hung_mysqld = true;
        c->catch_up_ms = 10000;
        c->salvage_ms = SALVAGE_MS;
    }
}

void agent_note(enum agent_event_kind kind, int slot)
{
    CHECK(notes < ARRAY_LEN(note));
    note[notes++] = (struct note){kind, slot};
}

static void disk_on_done(struct sim *s, int h, int b, uint64_t life, void *data)
{
    struct node *x = &s->host[h];
    bool same = s->proc[h].life == life;
    struct agent_durable *d = data;

    (void)b;
    if (s->proc[h].on && (same || sim_chance(s, 500)) && d->epoch >= x->durable.epoch) {
        x->durable = *d;
        x->has_durable = true;
    }
    free(d);
    if (same) {
        struct input *in = input_new(IN_DURABLE);

        proc_input(s, h, in);
    }
}

static void agent_persist(struct sim *s, int h)
{
    struct agent_durable *d = malloc(sizeof *d);
    int64_t at = s->now + sim_between(s, MS, 20 * MS);

    CHECK(d);
    *d = s->host[h].a.durable_next;
    if (s->proc[h].disk_stall_until > at)
        at = s->proc[h].disk_stall_until;
    sim_at(s, at, disk_on_done, h, 0, s->proc[h].life, d);
}

static void agent_reports(struct sim *s, int h)
{
    for (int m = 0; m < MONS; m++) {
        const struct link *l = &s->link[HOSTS + m][h];
        struct msg *way = l->up[1] ? net_post(s, h, HOSTS + m, l->number, MSG_REPORT) : NULL;

        if (!way)
            continue;
        agent_report_of(&s->host[h].a, sim_local_ms(s, h), &way->report);
        way->report.disk_full = s->host[h].disk_full;
    }
}

static void agent_to_monitors(struct sim *s, int h, unsigned number)
{
    for (int m = 0; m < MONS; m++) {
        const struct link *l = &s->link[HOSTS + m][h];

        if (l->up[1] && (!number || l->number == number))
            net_send(s, h, HOSTS + m, l->number, &out);
    }
}

static void agent_probe(struct sim *s, int h, int slot)
{
    struct input *in = input_new(IN_PROBED);

    in->slot = slot;
    for (int o = 0; o < (int)s->c.hosts; o++)
        if (o != h && kernel_open(s, o, slot) && net_path(s, h, o) && net_path(s, o, h))
            in->ok = true;
    proc_input_in(s, sim_between(s, 80 * MS, 200 * MS), h, in);
}

static void mysqld_back(struct sim *s, int h, int b, uint64_t n, void *data)
{
    (void)b;
    (void)n;
    (void)data;
    if (s->c.kind == KIND_FULL)
        server_restart(s, h, false);
    else
        server_start(s, h, true);
}

static void agent_perform(struct sim *s, int h, const struct agent_action *act)
{
    struct node *x = &s->host[h];

    switch (act->kind) {
    case AA_PERSIST:
        agent_persist(s, h);
        return;
    case AA_RECORD:
        agent_record_of(&x->a, &x->record);
        x->has_record = true;
        return;
    case AA_REPORT:
        agent_reports(s, h);
        return;
    case AA_REFUSE:
        out.kind = MSG_REFUSAL;
        memset(&out.refusal, 0, sizeof out.refusal);
        out.refusal.epoch = x->a.durable.epoch;
        memcpy(out.refusal.monitor, x->a.durable.monitor, IDENTITY_LEN);
        agent_to_monitors(s, h, (unsigned)act->link);
        return;
    case AA_LEASE:
        out.kind = MSG_LEASE;
        agent_lease_of(&x->a, sim_local_ms(s, h), &out.lease);
        agent_to_monitors(s, h, (unsigned)act->link);
        return;
    case AA_ASK:
        out.kind = MSG_ASK;
        out.ask = act->ask;
        net_send(s, h, act->host, 0, &out);
        return;
    case AA_PROMISE:
        out.kind = MSG_PROMISE;
        out.promise = act->promise;
        net_send(s, h, act->host, s->link[act->host][h].number, &out);
        return;
    case AA_GATE:
        kernel_gate(s, h, act);
        return;
    case AA_PROBE:
        agent_probe(s, h, act->slot);
        return;
    case AA_SHOW:
        x->kernel[act->slot].shown = true;
        if (!act->slot)
            client_write(s);
        return;
    case AA_HIDE:
        if (!act->slot)
            client_write(s); /* the last one that comes through */
        x->kernel[act->slot] = (struct kernel_slot){0};
        return;
    case AA_JOB:
        job_begin(s, h, act);
        return;
    case AA_TAIL:
        server_read_tail(s, h, act->died);
        return;
    case AA_ASIDE:
        server_set_aside(s, h, act->round);
        return;
    case AA_JOB_CANCEL:
        job_cancel(s, h);
        return;
    case AA_KILL_MYSQLD:
        server_kill(s, h);
        sim_in(s, sim_between(s, 500 * MS, 3000 * MS), mysqld_back, h, 0, 0, NULL);
        return;
    case AA_SAY:
        sim_say(s, "  %s: %s", proc_name(h), act->why);
        return;
    }
}

/* False: it did nothing. */
static bool agent_feed(struct sim *s, int h, struct agent_event *ev)
{
    struct node *x = &s->host[h];

    ev->now_ms = sim_local_ms(s, h);
    s->steps++;
    agent_step(&x->a, ev, &plan);
    for (unsigned i = 0; i < plan.n; i++)
        agent_perform(s, h, &plan.at[i]);
    if (s->opt.trace)
        for (unsigned i = 0; i < plan.n; i++)
            sim_say(s, "    %s action %d slot %d job %d until %lld", proc_name(h), plan.at[i].kind,
                    plan.at[i].slot, plan.at[i].job, (long long)plan.at[i].until_ms);
    return plan.n;
}

/* Time first, then the event, then what happened while its plan was performed.
 */
static void agent_feed_all(struct sim *s, int h, struct agent_event *ev)
{
    struct node *x = &s->host[h];
    bool acted = false;

    if (ev->kind != AE_START && ev->kind != AE_TIME && ev->kind != AE_JUMP &&
        sim_local_ms(s, h) >= s->proc[h].deadline) {
        struct agent_event late = {.kind = AE_TIME};

        acted = agent_feed(s, h, &late);
    }
    acted = agent_feed(s, h, ev) || acted;
    for (unsigned i = 0; i < notes; i++) {
        struct agent_event ev2 = {
            .kind = note[i].kind,
            .slot = {.slot = note[i].slot, .why = "the gate could not be set"}};

        acted = agent_feed(s, h, &ev2) || acted;
    }
    notes = 0;
    if (!x->listening && (agent_may_listen(&x->a) || sim_local_ms(s, h) >= x->listen_at)) {
        x->listening = true;
        net_wake(s, h);
    }
    if (acted)
        judge_host(s, h);
    proc_wants(s, h, agent_deadline(&x->a));
}

static void agent_on_msg(struct sim *s, int h, const struct input *in)
{
    struct agent_event ev = {0};

    switch (in->m->kind) {
    case MSG_BEAT:
    case MSG_ORDER:
    case MSG_GRANT:
        ev.kind = AE_MONITOR;
        ev.monitor.link = (int)in->number;
        ev.monitor.msg = in->m;
        break;
    case MSG_ASK:
        ev.kind = AE_ASK;
        ev.peer.host = in->peer;
        ev.peer.ask = &in->m->ask;
        break;
    case MSG_PROMISE:
        ev.kind = AE_PROMISE;
        ev.peer.host = in->peer;
        ev.peer.promise = &in->m->promise;
        break;
    default:
        return;
    }
    agent_feed_all(s, h, &ev);
}

static void agent_on_job(struct sim *s, int h, const struct input *in)
{
    struct job *j = &s->host[h].job;
    struct agent_event ev = {.kind = AE_JOB};

    if (!j->active || in->n != j->id)
        return;
    ev.job.job = j->job;
    ev.job.ok = in->ok && !j->cancelled;
    ev.job.why = j->cancelled ? "cancelled" : "it hung or failed";
    if (ev.job.ok)
        ev.job.why = j->job == JOB_LOOK && sim_chance(s, 100) ? "somebody is in the way" : "";
    ev.job.facts = ev.job.ok ? in->facts : NULL;
    j->active = false;
    j->ended++;
    agent_feed_all(s, h, &ev);
    server_ask(s, h);
}

void agent_handle(struct sim *s, int h, const struct input *in)
{
    struct agent_event ev = {0};

    switch (in->kind) {
    case IN_MSG:
        agent_on_msg(s, h, in);
        return;
    case IN_JOB:
        agent_on_job(s, h, in);
        return;
    case IN_DOWN:
        if (in->peer < HOSTS)
            return;
        ev.kind = AE_MONITOR_DOWN;
        ev.monitor.link = (int)in->number;
        break;
    case IN_DURABLE:
        ev.kind = AE_DURABLE;
        break;
    case IN_MYSQLD:
        if (in->n == LOOK_THEN) {
            ev.mysqld.state = s->host[h].server.up ? MYSQLD_UP : MYSQLD_DEAD;
            ev.mysqld.pid = s->host[h].server.up ? s->host[h].server.pid : 0;
        } else if (in->n == (uint64_t)s->host[h].server.pid) {
            ev.mysqld.state = (enum mysqld)in->state;
            ev.mysqld.pid = (int64_t)in->n;
        } else {
            return; /* that was another one */
        }
        ev.kind = AE_MYSQLD;
        ev.mysqld.why = ev.mysqld.state == MYSQLD_DEAD ? "mysqld exited" : "";
        break;
    case IN_FACTS:
        if (in->n != s->host[h].job.ended)
            return; /* asked before the last job ended */
        ev.kind = AE_FACTS;
        ev.facts = in->facts;
        break;
    case IN_TAIL:
        ev.kind = AE_TAIL;
        ev.tail.died = (int64_t)in->n;
        ev.tail.ok = in->ok;
        ev.tail.mysql_flavour = s->c.mysql;
        ev.tail.gtid = in->ok ? in->facts->gtid : "";
        ev.tail.why = "it is encrypted";
        break;
    case IN_ASIDE:
        ev.kind = AE_ASIDE;
        ev.aside.round = in->n;
        ev.aside.ok = in->ok;
        ev.aside.text = in->ok ? "a file" : "it is encrypted";
        break;
    case IN_PROBED:
        ev.kind = AE_PROBED;
        ev.slot.slot = in->slot;
        ev.slot.answered = in->ok;
        ev.slot.why = "";
        break;
    case IN_SLOT:
        ev.kind = (enum agent_event_kind)in->state;
        ev.slot.slot = in->slot;
        ev.slot.why = in->state == AE_FOREIGN   ? "another machine answers"
                      : in->state == AE_REMOVED ? "taken off by hand"
                                                : "the gate could not be set";
        break;
    case IN_JUMP:
        ev.kind = AE_JUMP;
        ev.jump.ms = (int64_t)in->n;
        break;
    default:
        ev.kind = AE_TIME;
        break;
    }
    agent_feed_all(s, h, &ev);
}

void agent_boot(struct sim *s, int h)
{
    struct node *x = &s->host[h];
    struct proc *p = &s->proc[h];
    struct agent_record *record = x->has_record && !x->jumped ? &x->record : NULL;
    static struct agent_record copy;
    struct agent_event ev = {.kind = AE_START};
    struct input *in;

    if (p->alive || !p->on || p->paused)
        return;
    p->alive = true;
    p->frozen = p->stalled = false;
    p->life++;
    p->timer_at = 0;
    x->job = (struct job){.id = x->job.id + 1, .ended = x->job.ended + 1};
    x->listening = x->jumped = x->disk_full = false;
    x->listen_at = sim_local_ms(s, h) + PATIENCE_MS;
    sim_say(s, "%s: agent starts%s", proc_name(h), record ? "" : ", no record");
    if (record)
        copy = *record;
    agent_init(&x->a, &conf_of[h]);
    ev.start.start_id = p->life * 16 + (uint64_t)h + 1;
    ev.start.uptime_s = sim_local_ms(s, h) / 1000;
    ev.start.record = record ? &copy : NULL;
    ev.start.durable = x->has_durable ? &x->durable : NULL;
    agent_feed_all(s, h, &ev);
    in = input_new(IN_MYSQLD);
    in->n = LOOK_THEN;
    proc_input_in(s, sim_between(s, MS, 30 * MS), h, in);
    if (disk_full(s, h))
        disk_look(s, h);
    net_wake(s, h);
}

void agent_kill(struct sim *s, int h)
{
    if (!s->proc[h].alive)
        return;
    sim_say(s, "%s: agent is killed", proc_name(h));
    s->proc[h].alive = s->proc[h].frozen = s->proc[h].stalled = false;
    s->proc[h].life++;
    proc_forget(s, h);
    job_orphan(s, h);
    net_died(s, h, false);
}
