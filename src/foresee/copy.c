/* SPDX-License-Identifier: GPL-2.0-or-later
 * A world from a running monitor's engine. An agent is put together from its last report and the
 * order it answers to; its clock becomes the monitor's. Of what cannot be seen the likeliest is
 * taken: a host that answers no ping is cut off, an agent that is not connected on a host that
 * answers is not running, a server that answers neither is dead if its agent or nobody says
 * otherwise. */
#include "foresee/foresee_internal.h"

#include "base/clock.h"

static void copy_order(const struct host *h, struct agent *a)
{
    const struct msg_report *r = &h->report;
    slotset held = 0;

    a->ordered = r->serial != 0;
    a->settled = r->settled;
    if (h->order.serial && h->order.serial == r->serial) {
        a->order = h->order;
    } else if (r->serial) { /* of an earlier reign, or its successor is on its way */
        for (unsigned i = 0; i < r->n; i++)
            if (r->slot[i].hold == HOLD_WANTED || r->slot[i].hold == HOLD_HELD)
                held |= 1ull << r->slot[i].slot;
        a->order = (struct msg_order){.epoch = r->epoch,
                                      .serial = r->serial,
                                      .start_id = r->start_id,
                                      .hold = held,
                                      .follow = FOLLOW_KEEP,
                                      .source = -1};
    }
    a->drained = a->ordered && a->order.follow == FOLLOW_NONE && r->settled >= r->serial;
    if (a->order.follow == FOLLOW_SOURCE && r->settled >= r->serial)
        a->followed = a->order.serial;
    memcpy(a->reach, a->order.reach, sizeof a->reach);
}

static void copy_slots(struct foresee *f, int host, struct agent *a)
{
    const struct host *h = &f->e.host[host];
    const struct msg_report *r = &h->report;

    for (unsigned i = 0; i < r->n; i++) {
        const struct report_slot *from = &r->slot[i];
        struct agent_slot *to = &a->slot[from->slot];
        bool runs = h->report_at + from->lease_ms > f->now;

        to->hold = from->hold;
        to->serial = from->serial;
        to->ended = from->ended;
        to->lease_until = from->lease_ms && runs ? h->report_at + from->lease_ms : 0;
        to->promised_until = from->promised_ms ? h->report_at + from->promised_ms : 0;
        to->electorate = from->electorate;
        to->members = from->members;
        to->probe = PROBE_CLEAR;
        if (from->hold == HOLD_HELD && !runs)
            to->hold = HOLD_NONE; /* it ran out, unheard */
        if (to->hold == HOLD_NONE && from->hold == HOLD_HELD)
            to->ended = to->serial;
        to->planned = to->hold == HOLD_LEAVING && to->lease_until && !a->order.fence;
        to->showing = to->hold == HOLD_HELD || to->planned;
        if (to->hold == HOLD_LEAVING && a->conf.slot[from->slot].writable) {
            a->must_fence = true;
            a->must_kill = !to->planned;
            a->fence_since = h->report_at;
        }
        if (to->showing)
            f->shown[host] |= 1ull << from->slot;
        f->node[host].gate_until[from->slot] = to->lease_until;
    }
}

static void copy_facts(const struct msg_report *r, struct agent_facts *to)
{
    to->mysql_flavour = r->mysql_flavour;
    to->server_id = r->server_id;
    to->read_only = r->read_only;
    to->applier = r->applier;
    to->traits = r->traits;
    msg_text(to->gtid, r->gtid);
    msg_text(to->source_host, r->source_host);
    to->source_port = r->source_port;
    to->source = r->source;
    to->receiver = r->receiver;
    to->lag_ms = r->lag_ms;
    msg_text(to->own, r->own);
    msg_text(to->applied, r->applied);
}

/* Without GTID: its gtid is a place in its own log if it was the writer last. */
static void copy_turn(const struct msg_report *r, struct agent *a)
{
    if (!r->own[0] || strcmp(r->gtid, r->own) != 0)
        memcpy(a->durable.turn_from, r->turn_from, sizeof r->turn_from);
    memcpy(a->durable.turn_own, r->turn_own, sizeof r->turn_own);
    memcpy(a->seen_behind, r->seen_behind, sizeof a->seen_behind);
    memcpy(a->own_more, r->own_more, sizeof a->own_more);
}

static void copy_agent(struct foresee *f, int host)
{
    const struct host *h = &f->e.host[host];
    const struct msg_report *r = &h->report;
    struct foresee_node *x = &f->node[host];
    struct agent *a = &x->a;
    struct agent_conf c;

    host_conf(f, host, &c);
    agent_init(a, &c);
    if (!r->start_id)
        return;
    a->start_id = r->start_id;
    a->started_ms = h->report_at;
    a->boot_uptime_s = r->uptime_s;
    a->durable.epoch = r->epoch;
    memcpy(a->durable.monitor, r->obeys, sizeof a->durable.monitor);
    a->link = h->linked ? x->link : -1;
    a->heard_ms = h->linked ? f->now : r->heard_ms < 0 ? -1 : h->report_at - r->heard_ms;
    copy_order(h, a);
    copy_slots(f, host, a);
    a->lease_asked_ms = h->report_at;
    a->lease_asked_serial = a->order.serial;
    a->mysqld = r->mysqld;
    a->pid = r->pid;
    memcpy(a->mysqld_why, r->mysqld_why, sizeof a->mysqld_why);
    a->tail = (struct agent_tail){.died_ms = r->died, .state = r->tail, .asked = r->died != 0};
    memcpy(a->tail.why, r->tail_why, sizeof a->tail.why);
    a->aside.state = r->aside;
    memcpy(a->aside.set, a->order.aside, sizeof a->aside.set);
    memcpy(a->aside.text, r->aside_text, sizeof a->aside.text);
    a->facts_known = r->facts;
    a->facts_at = h->report_at - r->facts_ms;
    copy_facts(r, &a->facts);
    memcpy(a->problem, r->problem, sizeof a->problem);
    a->looked = r->looked;
    memcpy(a->obstacle, r->obstacle, sizeof a->obstacle);
    copy_turn(r, a);
    a->reported_ms = h->report_at;
    x->has_record = true;
    x->seen = r->mysqld;
}

/* Its agent was never heard by this monitor: it follows whom it should, as far as checks say. */
static void copy_unheard(struct foresee *f, int host)
{
    const struct host *h = &f->e.host[host];
    struct foresee_server *v = &f->node[host].server;
    int w = engine_writer(&f->e);

    v->read_only = true;
    v->source = w == host ? -1 : w;
    v->receive = v->apply = v->connected =
        v->source >= 0 && h->check[CK_REP_THREADS].last == RESULT_OK;
    v->lag_ms = h->lag_ms >= 1000 ? h->lag_ms : 0;
    if (w >= 0) {
        v->mysql_flavour = f->e.host[w].report.mysql_flavour;
        foresee_text(v->source_host, sizeof v->source_host, foresee_host(f, w));
        memcpy(v->have, f->e.host[w].report.gtid, sizeof v->have);
        memcpy(v->relay, v->have, sizeof v->relay);
    }
}

/* What it said of itself, and what the checks say since. */
static void copy_server(struct foresee *f, int host)
{
    const struct host *h = &f->e.host[host];
    const struct msg_report *r = &h->report;
    struct foresee_node *x = &f->node[host];
    struct foresee_server *v = &x->server;
    bool bad = h->check[CK_MYSQL].last == RESULT_ERROR && !x->isolated;

    v->pid = r->pid ? r->pid : 1000 + host;
    v->up = !(r->start_id && r->mysqld == MYSQLD_DEAD) && !(bad && !r->start_id);
    v->hung = v->up && bad;
    v->hung_at = f->now - 2000;
    if (!r->start_id) {
        copy_unheard(f, host);
        return;
    }
    v->unreadable = r->tail == TAIL_FAILED;
    v->full = r->disk_full;
    v->read_only = r->read_only;
    v->mysql_flavour = r->mysql_flavour;
    v->server_id = r->server_id;
    v->source = r->source;
    v->source_port = r->source_port;
    memcpy(v->source_host, r->source_host, sizeof v->source_host);
    v->receive = r->receiver != RECEIVER_NO;
    v->connected = r->receiver == RECEIVER_YES;
    v->apply = r->applier;
    v->traits = r->traits;
    v->traits.bits &= ~(unsigned)TRAIT_BROKEN;
    v->broken = v->receive && !v->apply && h->check[CK_REP_THREADS].last == RESULT_ERROR;
    v->obstructed = r->obstacle[0] && r->looked;
    v->lag_ms = r->lag_ms >= 1000 ? r->lag_ms : 0;
    memcpy(v->have, r->gtid, sizeof v->have);
    memcpy(v->relay, r->gtid, sizeof v->relay);
    memcpy(v->own, r->own, sizeof v->own);
    memcpy(v->applied, r->applied, sizeof v->applied);
}

static void copy_host(struct foresee *f, int host)
{
    const struct host *h = &f->e.host[host];
    struct foresee_node *x = &f->node[host];

    x->on = true;
    x->boot_at = f->now - h->report.uptime_s * 1000;
    x->isolated = h->check[CK_PING].last == RESULT_ERROR && !h->linked;
    x->ping_heard = x->isolated ? f->now - f->conf.check[CK_PING].timeout_ms : f->now;
    x->link = 1;
    x->linked = h->linked && h->heard;
    x->link_heard = f->now;
    /* cut off it may well be running: its promises count */
    x->alive = h->report.start_id && (x->linked || x->isolated);
    x->order_told = h->order.serial;
    x->look_told = h->order.look;
    copy_agent(f, host);
    copy_server(f, host);
    x->deadline = x->alive ? f->now : CLOCK_NEVER;
    if (x->linked)
        foresee_push(f, f->conf.engine.lease_ms / 2, DUE_SILENT, host, 0, x->link);
    else
        wire_connect_soon(f, host);
    if (x->alive)
        foresee_push(f, 250, DUE_FACTS, host, 0, (int32_t)x->a.start_id);
}

/* An order that its agent has not confirmed yet is on its way. */
static void copy_mail(struct foresee *f, int host)
{
    const struct host *h = &f->e.host[host];
    struct foresee_mail *m;

    if (!f->node[host].linked || !h->order.serial || h->report.serial >= h->order.serial)
        return;
    m = mail_new(f, MSG_ORDER, -1, host);
    if (m)
        monitor_send(f, m);
}

void foresee_copy(struct foresee *f, const struct foresee_conf *c, const struct engine *now,
                  foresee_tell_fn tell, void *owner)
{
    foresee_clear(f, c, tell, owner);
    f->e = *now;
    f->now = f->began_at = f->told_at = now->now;
    f->wall_offset = now->wall - now->now;
    f->monitor_up = true;
    f->monitor_deadline = f->now;
    f->journalled = now->persisted;
    f->lives = 1u << 30; /* of nobody so far */
    f->commands = 1ull << 62;
    engine_durable_of(now, &f->disk);
    f->has_disk = true;
    for (unsigned h = 0; h < foresee_hosts(f); h++)
        copy_host(f, (int)h);
    for (unsigned h = 0; h < foresee_hosts(f); h++)
        copy_mail(f, (int)h);
    monitor_checks(f);
    f->quiet = true; /* as it is now is no news */
    hosts_look(f);
    f->quiet = false;
}
