/* SPDX-License-Identifier: GPL-2.0-or-later
 * The shell of the monitors: what the journal holds back, messages, what they
 * do to hosts. */
#include "sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct plan plan;
static struct engine_conf conf_of[MONS];
static struct msg out;
static struct held held[MONS][HELD_MAX];

/* Whoever is started some time stands in everybody's configuration. */
static bool several(const struct scenario *c)
{
    bool more = c->mons > 1;

    for (unsigned i = 0; i < c->faults; i++)
        more = more || c->fault[i].a > HOSTS;
    return more;
}

void monitors_conf(struct sim *s)
{
    bool others = several(&s->c);

    for (int m = 0; m < MONS; m++) {
        struct engine_conf *c = &conf_of[m];

        memset(c, 0, sizeof *c);
        c->names.hosts = s->c.hosts;
        c->names.slots = s->c.slots;
        snprintf(c->names.slot[0], SLOT_LEN, "writer");
        for (int i = 1; i < (int)s->c.slots; i++) {
            snprintf(c->names.slot[i], SLOT_LEN, "reader/%d", i);
            c->slot_role[i] = 1;
        }
        snprintf(c->monitor, NAME_LEN, "mon%d", m + 1);
        c->roles = 2;
        snprintf(c->role[0].name, NAME_LEN, "writer");
        snprintf(c->role[1].name, NAME_LEN, "reader");
        c->role[0].exclusive = c->role[0].writable = true;
        c->role[0].prefer = s->c.prefer ? 0 : -1;
        c->role[1].prefer = -1;
        c->role[0].hosts = s->c.candidates;
        c->role[1].hosts = s->c.hosts;
        for (int h = 0; h < (int)s->c.hosts; h++) {
            snprintf(c->names.host[h], NAME_LEN, "%s", proc_name(h));
            c->host[h].master = h < (int)s->c.candidates;
            c->role[0].host[h] = c->role[1].host[h] = h;
        }
        for (int k = 0; k < CK_N; k++)
            c->trap_ms[k] = check_trap_ms(&s->c, (enum check)k);
        c->max_backlog_ms = 60000;
        c->keep = s->c.loss == SIM_KEEP;
        c->others = others;
        c->kill_host = s->c.kill_host;
        c->lease_ms = s->c.lease_ms;
        c->flap_count = 3;
        c->flap_duration_ms = 3600 * 1000;
        c->wait_for_other_master_ms = 120000;
        c->catch_up_ms = 10000;
        c->salvage_ms = SALVAGE_MS;
        c->data_loss = s->c.never ? LOSS_NEVER : LOSS_SALVAGE;
        c->switchover_budget_ms = 5000;
        c->careful_startup = true;
        c->gate_unheard = s->c.gate;
        c->mode = MODE_ACTIVE;
    }
}

/* Who reigns, as far as anybody can tell: the highest epoch of those who
 * believe they do. */
int monitor_reigning(const struct sim *s)
{
    int best = -1;

    for (int m = 0; m < MONS; m++)
        if (s->proc[HOSTS + m].alive && !s->proc[HOSTS + m].frozen &&
            s->mon[m].e.reign == REIGN_YES &&
            (best < 0 || s->mon[m].e.epoch > s->mon[best].e.epoch))
            best = m;
    return best;
}

struct journal_entry {
    struct engine_durable d;
    uint64_t life;
};

static void journal_copy(struct sim *s, struct mon *x)
{
    if (s->now - x->copied_at < s->pace && x->copies)
        return;
    x->copied_at = s->now;
    x->copy[x->copies++ % COPIES] = x->disk;
}

static void journal_on_time(struct sim *s, int m, int b, uint64_t number, void *data)
{
    struct journal_entry *entry = data;
    struct mon *x = &s->mon[m];

    (void)b;
    /* of a killed process: what was under way may have come to the disk, or not
     */
    if (entry->life == s->proc[HOSTS + m].life ||
        (entry->life + 1 == s->proc[HOSTS + m].life && !s->proc[HOSTS + m].alive &&
         sim_chance(s, 300))) {
        struct input *in = input_new(IN_DURABLE);

        x->disk = entry->d;
        x->has_disk = true;
        journal_copy(s, x);
        in->n = number;
        proc_input(s, HOSTS + m, in);
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

static void monitor_send(struct sim *s, int m, enum action_kind kind, int host,
                         const struct msg_grant *grant)
{
    struct mon *x = &s->mon[m];

    switch (kind) {
    case ACT_BEAT:
        out.kind = MSG_BEAT;
        out.beat.epoch = x->e.epoch;
        out.beat.passive = x->e.mode == MODE_PASSIVE;
        memcpy(out.beat.monitor, x->e.identity, IDENTITY_LEN);
        break;
    case ACT_ORDER:
        if (x->e.host[host].order_after > x->durable)
            return; /* a newer one is on its way and waits for its record */
        out.kind = MSG_ORDER;
        out.order = *engine_order_of(&x->e, host);
        if (s->opt.trace)
            sim_say(s, "    %s orders %s serial %llx hold %llx follow %d %d", proc_name(HOSTS + m),
                    proc_name(host), (unsigned long long)out.order.serial,
                    (unsigned long long)out.order.hold, out.order.follow, out.order.source);
        break;
    default:
        out.kind = MSG_GRANT;
        out.grant = *grant;
        break;
    }
    net_send(s, HOSTS + m, host, 0, &out);
}

/* ---- kill_host ---- */

static void killed_on_reboot(struct sim *s, int h, int b, uint64_t boot, void *data)
{
    (void)b;
    (void)data;
    if (s->proc[h].on || s->proc[h].boot != boot)
        return;
    host_on(s, h);
    server_start(s, h, true);
    agent_boot(s, h);
}

static void kill_on_time(struct sim *s, int h, int b, uint64_t n, void *data)
{
    (void)b;
    (void)n;
    (void)data;
    if (!s->proc[h].on)
        return;
    host_off(s, h);
    s->host[h].killed = true;
    if (sim_chance(s, 500)) /* switched off and on again */
        sim_in(s, sim_between(s, SECOND, s->pace), killed_on_reboot, h, 0, s->proc[h].boot, NULL);
}

/* The program does it or fails; or it is given up, and does it all the same later. */
static void monitor_kills(struct sim *s, int m, int h)
{
    struct input *in = input_new(IN_KILLED);
    int64_t luck = sim_between(s, 0, 99), us = sim_between(s, 20 * MS, 3 * SECOND);

    in->peer = h;
    in->ok = luck < 65;
    sim_say(s, "kill_host %s: %s", proc_name(h),
            in->ok      ? "does it"
            : luck < 80 ? "fails"
                        : "is late");
    if (in->ok)
        sim_in(s, us - 10 * MS, kill_on_time, h, 0, 0, NULL);
    else if (luck >= 80)
        sim_in(s, us + sim_between(s, 0, s->pace), kill_on_time, h, 0, 0, NULL);
    proc_input_in(s, us, HOSTS + m, in);
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
            monitor_send(s, m, act->kind, act->host, act->grant);
            return;
        }
        CHECK(x->helds < HELD_MAX);
        h = &held[m][x->helds++];
        h->kind = act->kind;
        h->after = act->after;
        h->host = act->host;
        if (act->kind == ACT_GRANT)
            h->grant = *act->grant;
        return;
    case ACT_RECEIPT:
        return;
    case ACT_KILL_HOST:
        monitor_kills(s, m, act->host);
        return;
    case ACT_ANSWER:
        sim_say(s, "  ctl: %s", act->text);
        judge_moved(s, m, act);
        return;
    case ACT_EVENT:
        sim_say(s, " %s: %s%s%s", proc_name(HOSTS + m), act->host < 0 ? "" : proc_name(act->host),
                act->host < 0 ? "" : ": ", act->text);
        judge_event(s, m, act);
        return;
    }
}

static void monitor_feed(struct sim *s, int m, struct engine_event *ev)
{
    struct mon *x = &s->mon[m];

    ev->now_ms = sim_local_ms(s, HOSTS + m);
    ev->wall_ms = ev->now_ms;
    s->steps++;
    engine_step(&x->e, ev, &plan);
    for (unsigned i = 0; i < plan.n; i++)
        monitor_perform(s, m, &plan.at[i]);
    if (x->e.slot[0].holder != x->holder)
        judge_given(s, m);
    proc_wants(s, HOSTS + m, engine_deadline(&x->e));
}

static void monitor_release(struct sim *s, int m, uint64_t number)
{
    struct mon *x = &s->mon[m];
    unsigned kept = 0;

    if (number > x->durable)
        x->durable = number;
    for (unsigned i = 0; i < x->helds; i++) {
        const struct held *h = &held[m][i];

        if (h->after <= x->durable)
            monitor_send(s, m, h->kind, h->host, &h->grant);
        else
            held[m][kept++] = *h;
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
    case IN_NETWORK:
        ev.kind = EV_NETWORK;
        ev.network.up = in->ok;
        ev.network.message = in->ok ? "10.0.0.254 answers" : "nothing answers";
        break;
    case IN_KILLED:
        ev.kind = EV_KILLED;
        ev.killed.host = in->peer;
        ev.killed.ok = in->ok;
        ev.killed.message = in->ok ? "it is off" : "exit 1";
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

    if (p->alive || !p->on || p->paused)
        return;
    p->alive = true;
    p->frozen = false;
    p->life++;
    p->timer_at = 0;
    x->durable = 0;
    x->helds = 0;
    x->disk_last = 0;
    sim_say(s, "%s: monitor starts%s%s", proc_name(HOSTS + m), x->has_disk ? "" : ", no state",
            x->take_over ? ", --take-over" : "");
    copy = x->disk;
    engine_init(&x->e, &conf_of[m]);
    snprintf(ev.start.identity, IDENTITY_LEN, "mon%d.%llx", m + 1, (unsigned long long)p->life);
    ev.start.durable = x->has_disk ? &copy : NULL;
    ev.start.take_over = x->take_over;
    x->take_over = false;
    monitor_feed(s, m, &ev);
    if (x->network_down) {
        struct input in = {.kind = IN_NETWORK};

        monitor_handle(s, m, &in);
    }
    net_wake(s, HOSTS + m);
    checks_start(s, m);
}

void monitor_kill(struct sim *s, int m)
{
    if (!s->proc[HOSTS + m].alive)
        return;
    sim_say(s, "%s: monitor is killed", proc_name(HOSTS + m));
    s->proc[HOSTS + m].alive = s->proc[HOSTS + m].frozen = false;
    s->proc[HOSTS + m].life++;
    proc_forget(s, HOSTS + m);
    net_died(s, HOSTS + m, false);
}
