/* SPDX-License-Identifier: GPL-2.0-or-later
 * The shell of the monitors: what the journal holds back, checks, messages. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MS = 1000 };

static struct plan plan;
static struct engine_conf conf_of[MONS];
static struct msg out;

static const int64_t check_period_ms[CK_N] = {250, 500, 1000, 1000};

void monitors_conf(struct sim *s)
{
    for (int m = 0; m < MONS; m++) {
        struct engine_conf *c = &conf_of[m];

        memset(c, 0, sizeof *c);
        c->names.hosts = s->hosts;
        c->names.slots = SLOTS;
        snprintf(c->names.slot[0], SLOT_LEN, "writer");
        snprintf(c->names.slot[1], SLOT_LEN, "reader/1");
        snprintf(c->names.slot[2], SLOT_LEN, "reader/2");
        snprintf(c->monitor, NAME_LEN, "mon%d", m + 1);
        c->roles = 2;
        snprintf(c->role[0].name, NAME_LEN, "writer");
        snprintf(c->role[1].name, NAME_LEN, "reader");
        c->role[0].exclusive = c->role[0].writable = true;
        c->role[0].prefer = s->prefer ? 0 : -1;
        c->role[1].prefer = -1;
        c->role[0].hosts = s->candidates;
        c->role[1].hosts = s->hosts;
        c->slot_role[1] = c->slot_role[2] = 1;
        for (int h = 0; h < (int)s->hosts; h++) {
            snprintf(c->names.host[h], NAME_LEN, "%s", proc_name(s, h));
            c->host[h].master = h < (int)s->candidates;
            c->host[h].peer = h < 2 ? !h : -1;
            c->role[0].host[h] = c->role[1].host[h] = h;
        }
        c->trap_ms[CK_PING] = 1000;
        c->trap_ms[CK_MYSQL] = 2000;
        c->trap_ms[CK_REP_THREADS] = c->trap_ms[CK_REP_BACKLOG] = 5000;
        c->lease_ms = s->lease_ms;
        c->flap_count = 3;
        c->flap_duration_ms = 3600 * 1000;
        c->wait_for_other_master_ms = 120000;
        c->catch_up_ms = 10000;
        c->switchover_budget_ms = 5000;
        c->careful_startup = true;
        c->gate_unheard = s->gate;
        c->mode = MODE_ACTIVE;
    }
}

int monitor_reigning(const struct sim *s)
{
    for (int m = 0; m < MONS; m++)
        if (s->proc[HOSTS + m].alive && !s->proc[HOSTS + m].frozen &&
            s->mon[m].e.reign == REIGN_YES)
            return m;
    return -1;
}

static void journal_on_done(struct sim *s, int m, int b, uint64_t number, void *data)
{
    struct engine_durable *d = data;
    struct input *in;

    (void)b;
    s->mon[m].disk = *d;
    s->mon[m].has_disk = true;
    free(d);
    in = input_new(IN_DURABLE);
    in->n = number;
    proc_input(s, HOSTS + m, in);
}

struct journal_entry {
    struct engine_durable d;
    uint64_t life;
};

static void journal_on_time(struct sim *s, int m, int b, uint64_t number, void *data)
{
    struct journal_entry *entry = data;

    /* of a killed process: what was under way may have come to the disk, or not */
    if (entry->life == s->proc[HOSTS + m].life ||
        (entry->life + 1 == s->proc[HOSTS + m].life && !s->proc[HOSTS + m].alive &&
         sim_chance(s, 300))) {
        struct engine_durable *d = malloc(sizeof *d);

        CHECK(d);
        *d = entry->d;
        journal_on_done(s, m, b, number, d);
    }
    free(entry);
}

static void monitor_persist(struct sim *s, int m, uint64_t number)
{
    struct mon *x = &s->mon[m];
    struct journal_entry *entry = malloc(sizeof *entry);
    int64_t at = s->now + sim_between(s, MS, 15 * MS);

    CHECK(entry);
    engine_durable_of(&x->e, &entry->d);
    entry->life = s->proc[HOSTS + m].life;
    if (s->proc[HOSTS + m].disk_stall_until > at)
        at = s->proc[HOSTS + m].disk_stall_until;
    if (at <= x->disk_last)
        at = x->disk_last + 1;
    x->disk_last = at;
    sim_at(s, at, journal_on_time, m, 0, number, entry);
}

static void monitor_send(struct sim *s, int m, const struct action *act,
                         const struct msg_grant *grant)
{
    struct mon *x = &s->mon[m];

    switch (act->kind) {
    case ACT_BEAT:
        out.kind = MSG_BEAT;
        out.beat.epoch = x->e.epoch;
        memcpy(out.beat.monitor, x->e.identity, IDENTITY_LEN);
        break;
    case ACT_ORDER:
        if (x->e.host[act->host].order_after > x->durable)
            return; /* a newer one is on its way and waits for its record */
        out.kind = MSG_ORDER;
        out.order = *engine_order_of(&x->e, act->host);
        if (s->opt.trace)
            sim_say(s, "    %s orders %s serial %llx hold %llx follow %d %d",
                    proc_name(s, HOSTS + m), proc_name(s, act->host),
                    (unsigned long long)out.order.serial, (unsigned long long)out.order.hold,
                    out.order.follow, out.order.source);
        break;
    default:
        out.kind = MSG_GRANT;
        out.grant = *grant;
        break;
    }
    net_send(s, HOSTS + m, act->host, 0, &out);
}

static void monitor_perform(struct sim *s, int m, const struct action *act)
{
    struct mon *x = &s->mon[m];
    struct held *h;

    switch (act->kind) {
    case ACT_PERSIST:
        monitor_persist(s, m, act->after);
        return;
    case ACT_BEAT:
    case ACT_ORDER:
    case ACT_GRANT:
        if (act->after <= x->durable) {
            monitor_send(s, m, act, act->grant);
            return;
        }
        CHECK(x->helds < HELD_MAX);
        h = &x->held[x->helds++];
        h->act.kind = act->kind;
        h->act.after = act->after;
        h->act.host = act->host;
        if (act->kind == ACT_GRANT)
            h->grant = *act->grant;
        return;
    case ACT_ANSWER:
        sim_say(s, "  ctl: %s", act->text);
        judge_moved(s, m, act);
        return;
    case ACT_EVENT:
        sim_say(s, " %s: %s%s%s", proc_name(s, HOSTS + m),
                act->host < 0 ? "" : proc_name(s, act->host), act->host < 0 ? "" : ": ", act->text);
        return;
    }
}

static void monitor_feed(struct sim *s, int m, struct engine_event *ev)
{
    struct mon *x = &s->mon[m];

    ev->now_ms = sim_local_ms(s, HOSTS + m);
    ev->wall_ms = ev->now_ms;
    engine_step(&x->e, ev, &plan);
    for (unsigned i = 0; i < plan.n; i++)
        monitor_perform(s, m, &plan.at[i]);
    proc_timer(s, HOSTS + m, engine_deadline(&x->e));
}

static void monitor_release(struct sim *s, int m, uint64_t number)
{
    struct mon *x = &s->mon[m];
    unsigned kept = 0;

    if (number > x->durable)
        x->durable = number;
    for (unsigned i = 0; i < x->helds; i++) {
        if (x->held[i].act.after <= x->durable)
            monitor_send(s, m, &x->held[i].act, &x->held[i].grant);
        else
            x->held[kept++] = x->held[i];
    }
    x->helds = kept;
}

static void monitor_on_msg(struct sim *s, int m, const struct input *in)
{
    struct engine_event ev = {.agent = {.host = in->peer}};

    switch (in->m->kind) {
    case MSG_HELLO:
        ev.kind = EV_LINK;
        ev.agent.hello = &in->m->hello;
        break;
    case MSG_REPORT:
        ev.kind = EV_REPORT;
        ev.agent.report = &in->m->report;
        break;
    case MSG_LEASE:
        ev.kind = EV_LEASE;
        ev.agent.lease = &in->m->lease;
        break;
    case MSG_REFUSAL:
        ev.kind = EV_REFUSED;
        ev.agent.refusal = &in->m->refusal;
        break;
    default:
        return;
    }
    monitor_feed(s, m, &ev);
}

void monitor_handle(struct sim *s, int m, const struct input *in)
{
    struct engine_event ev = {0};

    switch (in->kind) {
    case IN_MSG:
        monitor_on_msg(s, m, in);
        return;
    case IN_DURABLE:
        monitor_release(s, m, in->n);
        return;
    case IN_DOWN:
        ev.kind = EV_UNLINK;
        ev.agent.host = in->peer;
        break;
    case IN_CHECK:
        ev.kind = EV_CHECK;
        ev.check.host = in->peer;
        ev.check.check = (enum check)in->slot;
        ev.check.result = (enum result)in->state;
        ev.check.lag_ms = in->slot == CK_REP_BACKLOG ? (int64_t)in->n : -1;
        ev.check.message = in->state == RESULT_OK ? "OK" : "ERROR: no answer or bad";
        break;
    case IN_COMMAND:
        ev.kind = EV_COMMAND;
        ev.command = in->command;
        break;
    default:
        ev.kind = EV_TIME;
        break;
    }
    monitor_feed(s, m, &ev);
}

void monitor_boot(struct sim *s, int m)
{
    struct mon *x = &s->mon[m];
    struct proc *p = &s->proc[HOSTS + m];
    struct engine_event ev = {.kind = EV_START};
    static struct engine_durable copy;

    if (p->alive || !p->on)
        return;
    p->alive = true;
    p->frozen = false;
    p->life++;
    p->timer_at = 0;
    x->durable = 0;
    x->helds = 0;
    x->disk_last = 0;
    if (!x->held)
        x->held = malloc(HELD_MAX * sizeof *x->held);
    CHECK(x->held);
    sim_say(s, "%s: monitor starts%s", proc_name(s, HOSTS + m), x->has_disk ? "" : ", no state");
    copy = x->disk;
    engine_init(&x->e, &conf_of[m]);
    snprintf(ev.start.identity, IDENTITY_LEN, "mon%d.%llx", m + 1, (unsigned long long)p->life);
    ev.start.durable = x->has_disk ? &copy : NULL;
    ev.start.take_over = x->take_over;
    monitor_feed(s, m, &ev);
}

void monitor_kill(struct sim *s, int m)
{
    if (!s->proc[HOSTS + m].alive)
        return;
    sim_say(s, "%s: monitor is killed", proc_name(s, HOSTS + m));
    s->proc[HOSTS + m].alive = s->proc[HOSTS + m].frozen = false;
    s->proc[HOSTS + m].life++;
    proc_forget(s, HOSTS + m);
    net_died(s, HOSTS + m, false);
}

/* ---- checks ---- */

static enum result check_sample(struct sim *s, int m, int h, enum check c, int64_t *us,
                                int64_t *lag)
{
    bool path = net_path(s, HOSTS + m, h) && net_path(s, h, HOSTS + m);
    const struct server *v = &s->host[h].server;

    *us = 2 * MS;
    *lag = -1;
    if (c == CK_PING) {
        if (path)
            s->ping_ok[m][h] = s->now;
        return path                                    ? RESULT_OK
               : s->now - s->ping_ok[m][h] >= 500 * MS ? RESULT_ERROR
                                                       : RESULT_UNKNOWN;
    }
    if (!path || !server_answers(s, h)) {
        *us = path && !v->up ? 2 * MS : 1000 * MS;
        return c == CK_MYSQL ? RESULT_ERROR : RESULT_UNKNOWN;
    }
    if (c == CK_MYSQL)
        return RESULT_OK;
    if (c == CK_REP_THREADS)
        return v->source >= 0 && v->io_on && v->connected && v->sql_on ? RESULT_OK : RESULT_ERROR;
    *lag = server_lag_ms(s, h);
    return *lag >= 0 && *lag < 60000 ? RESULT_OK : RESULT_ERROR;
}

static void check_on_time(struct sim *s, int mh, int c, uint64_t n, void *data)
{
    int m = mh / HOSTS, h = mh % HOSTS;
    int64_t us, lag;
    struct input *in;

    (void)n;
    (void)data;
    sim_in(s, check_period_ms[c] * MS, check_on_time, mh, c, 0, NULL);
    if (!s->proc[HOSTS + m].alive || s->proc[HOSTS + m].frozen)
        return;
    in = input_new(IN_CHECK);
    in->state = (int)check_sample(s, m, h, (enum check)c, &us, &lag);
    in->peer = h;
    in->slot = c;
    in->n = (uint64_t)lag;
    proc_input_in(s, us + sim_between(s, 0, 3 * MS), HOSTS + m, in);
}

void monitor_checks(struct sim *s)
{
    for (int m = 0; m < MONS; m++)
        for (int h = 0; h < (int)s->hosts; h++)
            for (int c = 0; c < CK_N; c++)
                sim_in(s, sim_between(s, 0, check_period_ms[c] * MS), check_on_time, m * HOSTS + h,
                       c, 0, NULL);
}
