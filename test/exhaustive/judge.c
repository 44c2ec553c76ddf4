/* SPDX-License-Identifier: GPL-2.0-or-later
 * What must hold after each step, said without the engine's tables: never two holders, nobody gets
 * what he may not have, and what each mode leaves alone:
 *
 *             gives an unheld slot to                takes a held slot from
 *   active    who is fit                             who is unfit, who stands in, to balance,
 * prefer manual    who had it last, who was named         who was taken out; named, moved by the
 * operator wait      who was named                          who was taken out; named, moved by the
 * operator passive   nobody                                 nobody
 *
 * In every mode a slot that is found held is adopted, one that was released or whose lease is
 * surely over is noted as free, and the holder gets its leases. */
#include "exhaustive/exhaustive.h"

#include "engine/lease.h"

#include <stdio.h>
#include <string.h>

static const struct engine *const e = &engine;

/* Who was given each slot last, and as what. */
static struct {
    int host;
    enum host_state state;
} given[SLOTS];

void judge_start(void)
{
    for (int s = 0; s < SLOTS; s++)
        given[s].host = -1;
    judge_orders_start();
}

static bool live(int h)
{
    const struct host *x = &e->host[h];

    return x->linked && x->heard && e->now - x->report_at < LEASE / 2;
}

static const struct report_slot *says(int h, int s)
{
    const struct msg_report *r = &e->host[h].report;

    for (unsigned i = 0; i < r->n; i++)
        if (r->slot[i].slot == s)
            return &r->slot[i];
    return NULL;
}

void judge_before(struct before *b)
{
    b->mode = e->mode;
    b->persisted = e->persisted;
    b->phase = e->move.phase;
    for (int h = 0; h < HOSTS; h++) {
        b->state[h] = e->host[h].state;
        b->returning[h] = e->host[h].returning;
        b->extra[h] = e->host[h].extra[0];
        for (int k = 0; k < CK_N; k++)
            b->bad[h][k] = e->host[h].check[k].known && !e->host[h].check[k].good;
        b->serial[h] = e->host[h].order.serial;
        memcpy(&b->order[h], &e->host[h].order, offsetof(struct msg_order, reach));
    }
    memcpy(b->slot, e->slot, sizeof b->slot);
}

/* Nothing but a word of the host itself or the operator says that it holds nothing; what it may
 * hold grows shorter by nothing. */
static void judge_knowledge(const struct before *b, const struct engine_event *ev, int s, int h)
{
    const struct slot_host *was = &b->slot[s].host[h], *is = &e->slot[s].host[h];
    bool spoke = ev->kind == EV_REPORT && ev->agent.host == h;
    bool lost = ev->kind == EV_COMMAND && ev->command.lost == h;
    const struct report_slot *r = says(h, s);

    if (was->maybe && !is->maybe)
        MUST(lost || (spoke && r && r->hold == HOLD_NONE &&
                      (r->ended >= was->last_hold ||
                       e->host[h].report.start_id != e->host[h].order.start_id)),
             "slot %d: db%d is said to hold nothing", s, h + 1);
    MUST(is->out_at >= was->out_at, "slot %d: db%d is out sooner", s, h + 1);
    if (was->maybe && is->maybe && (is->allowed & ~was->allowed & 7))
        MUST(ev->kind == EV_LEASE || spoke, "slot %d: db%d needs fewer promises", s, h + 1);
}

/* What the last writer has and `to` lacks is not left behind while it can be had, nor without the
 * operator's word if that is asked for. */
static void judge_loss(const struct before *b, int to)
{
    int last = b->slot[0].last;
    const struct sit_host *was = last < 0 ? NULL : &sit.host[last];
    bool late = sit.gathered == GATHERED_ALL || b->slot[0].forced || sit.host[to].unsalvaged;

    if (!was || last == to || b->phase != MOVE_NONE || strcmp(was->gtid, sit.host[to].gtid) <= 0)
        return;
    MUST(e->conf.data_loss != LOSS_NEVER || b->slot[0].accepted == last,
         "db%d opens without what db%d has", to + 1, last + 1);
    MUST(e->conf.data_loss != LOSS_SALVAGE || was->tail != TAIL_READY || was->agent != A_LIVE ||
             late,
         "db%d opens without what db%d's binary log holds", to + 1, last + 1);
}

/* `to` was given the slot: is everybody else surely out? */
static void judge_given(const struct before *b, const struct engine_event *ev, int s, int to)
{
    const struct host *x = &e->host[to];
    const struct slot *y = &e->slot[s];
    bool by_force = b->slot[s].forced || y->forced;
    bool kept = s > 0 && e->conf.role[1].last_resort == RESORT_KEEP && to == b->slot[s].last &&
                (x->state == REPLICATION_DELAY || x->state == REPLICATION_FAIL);
    bool named = to == b->slot[s].target || (ev->kind == EV_COMMAND && to == ev->command.host) ||
                 e->move.phase != MOVE_NONE || b->phase != MOVE_NONE;
    enum mode mode = e->mode;

    if (s == 0)
        judge_loss(b, to);
    for (int c = 0; c < HOSTS; c++) {
        const struct slot_host *m = &b->slot[s].host[c];

        if (c == to || !y->host[c].maybe)
            continue;
        MUST(e->now >= y->host[c].out_at && !e->conf.keep,
             "slot %d given to db%d, db%d may hold it", s, to + 1, c + 1);
        MUST(e->now >= e->grace_until, "slot %d given to db%d before what waits is read", s,
             to + 1);
        MUST((m->allowed & y->host[c].allowed) >> to & 1,
             "slot %d given to db%d, whose promise db%d doesn't need", s, to + 1, c + 1);
    }
    MUST(e->candidates[s > 0] >> to & 1, "slot %d given to db%d, no candidate", s, to + 1);
    MUST(live(to) && e->now >= y->host[to].not_before, "db%d cannot take it", to + 1);
    MUST(x->report.mysqld == MYSQLD_UP && x->report.facts, "db%d has no server", to + 1);
    MUST(by_force || x->state == ONLINE || (s == 0 && x->state == REPLICATION_DELAY) || kept,
         "slot %d given to db%d, which is %s", s, to + 1, host_state_names[x->state]);
    MUST(by_force || s > 0 || !x->report.disk_full, "given to db%d, whose disk is full", to + 1);
    MUST(by_force || !x->extra[0], "slot %d given to db%d with extra transactions", s, to + 1);
    MUST(mode != MODE_PASSIVE || b->mode != MODE_PASSIVE, "slot %d given in passive mode", s);
    MUST(mode != MODE_WAIT || named, "slot %d given to db%d in wait mode", s, to + 1);
    MUST(mode != MODE_MANUAL || named || to == b->slot[s].last || to == b->slot[s].holder,
         "slot %d given to db%d in manual mode", s, to + 1);
}

static void judge_adopted(int s, int h, int journal)
{
    const struct report_slot *r = says(h, s);

    MUST(live(h) && r && r->hold == HOLD_HELD && r->lease_ms, "db%d holds nothing", h + 1);
    for (int c = 0; c < HOSTS; c++) {
        const struct report_slot *o = live(c) ? says(c, s) : NULL;

        MUST(c == h || !o || o->hold != HOLD_HELD || !o->lease_ms || h == journal,
             "slot %d: db%d and db%d hold it", s, h + 1, c + 1);
    }
}

/* The holder is gone from the books. */
static void judge_freed(const struct before *b, const struct engine_event *ev, int s)
{
    int was = b->slot[s].holder;
    const struct slot_host *m = &e->slot[s].host[was];
    bool silent = e->now >= m->out_at && !e->conf.keep && !e->network_down &&
                  e->now >= e->grace_until && (!live(was) || b->slot[s].releasing);

    MUST(!m->maybe || silent || (ev->kind == EV_COMMAND && ev->command.lost == was),
         "slot %d taken from db%d, which may hold it", s, was + 1);
}

/* Could it take the writer's slot from a holder that lives? */
static bool well(int c)
{
    const struct host *x = &e->host[c];

    return e->candidates[0] >> c & 1 && live(c) && x->state == ONLINE &&
           x->report.mysqld == MYSQLD_UP && x->report.facts && !x->report.disk_full && !x->extra[0];
}

/* Its disk is full, for long enough, and somebody has room. */
static bool full(int s, int h)
{
    const struct host *x = &e->host[h];
    bool other = false;

    for (int c = 0; c < HOSTS; c++)
        other = other || (c != h && well(c));
    return s == 0 && live(h) && x->report.disk_full && x->full_since && !e->network_down &&
           e->now - x->full_since >= e->conf.trap_ms[CK_MYSQL] && other;
}

static bool unfit(int s, int h)
{
    enum host_state state = e->host[h].state;

    return state == HARD_OFFLINE || state == AWAITING_RECOVERY ||
           (s > 0 && (state == REPLICATION_DELAY || state == REPLICATION_FAIL));
}

static void judge_release(const struct before *b, const struct engine_event *ev, int s)
{
    const struct slot *x = &b->slot[s];
    int h = x->holder;
    bool out = e->host[h].state == ADMIN_OFFLINE;
    bool named = ev->kind == EV_COMMAND || (x->target >= 0 && x->target != h);
    bool prefer = b->phase == MOVE_NONE && e->mode == MODE_ACTIVE && !x->pinned &&
                  e->conf.role[s > 0].prefer == e->move.to;
    bool moved =
        (b->phase != MOVE_NONE || prefer) && e->move.phase != MOVE_NONE && e->move.slot == s;
    bool late = s == 0 && !x->arrived && e->now - x->assigned_at >= e->conf.catch_up_ms;
    bool waits = live(h) && e->host[h].report.disk_full && e->host[h].report.mysqld != MYSQLD_DEAD;

    MUST(e->mode != MODE_PASSIVE, "slot %d taken from db%d in passive mode", s, h + 1);
    if (e->mode != MODE_ACTIVE)
        MUST(out || named || moved, "slot %d taken from db%d in %s mode", s, h + 1,
             mode_names[e->mode]);
    else if (s == 0)
        MUST(out || named || moved || (waits ? full(s, h) : unfit(s, h)) || late,
             "writer taken from db%d", h + 1);
    MUST(named || moved || given[s].host != h || given[s].state != e->host[h].state ||
             e->now - x->assigned_at >= LEASE,
         "slot %d: given to db%d and taken from it as %s", s, h + 1,
         host_state_names[given[s].state]);
    if (e->slot[s].fence)
        MUST(e->host[h].state == HARD_OFFLINE || full(s, h), "slot %d: db%d is fenced, not dead", s,
             h + 1);
}

static void judge_slot(const struct before *b, const struct engine_event *ev, int s)
{
    const struct slot *was = &b->slot[s], *is = &e->slot[s];
    char waits[WHY_LEN];

    for (int h = 0; h < HOSTS; h++)
        judge_knowledge(b, ev, s, h);
    if (was->holder >= 0 && is->holder != was->holder)
        judge_freed(b, ev, s);
    if (is->holder >= 0 && (is->holder != was->holder || is->assigned_at != was->assigned_at)) {
        if (is->adopted)
            judge_adopted(s, is->holder, was->journal_holder);
        else if (is->holder != was->holder)
            judge_given(b, ev, s, is->holder);
        given[s].host = is->adopted ? -1 : is->holder;
        given[s].state = e->host[is->holder].state;
    }
    if (is->holder >= 0 && is->holder == was->holder && is->releasing && !was->releasing)
        judge_release(b, ev, s);
    engine_waits(e, s, waits, sizeof waits);
    MUST(is->holder >= 0 || waits[0] || e->reign != REIGN_YES,
         "slot %d: nobody has it and it doesn't say why", s);
}

static void judge_mode(const struct before *b, const struct engine_event *ev)
{
    unsigned holding = 0;

    if (e->mode == b->mode || ev->kind == EV_COMMAND)
        return;
    if (e->mode == MODE_ACTIVE) {
        MUST(b->mode == MODE_WAIT, "active by itself from %s", mode_names[b->mode]);
        return;
    }
    for (int s = 0; s < SLOTS; s++) {
        unsigned n = 0;

        for (int h = 0; h < HOSTS; h++)
            n += live(h) && says(h, s) && says(h, s)->hold == HOLD_HELD && says(h, s)->lease_ms;
        holding = n > holding ? n : holding;
    }
    MUST(e->mode == MODE_PASSIVE && e->conf.careful_startup && holding > 1 && e->passive_why[0],
         "%s by itself", mode_names[e->mode]);
}

/* A grant is decided before what the step itself changes. */
static void judge_grant(const struct before *b, const struct action *a)
{
    const struct msg_grant *g = a->grant;

    MUST(g->n > 0 && g->epoch == e->epoch && g->lease_ms == LEASE && a->after >= e->epoch_after,
         "a grant of nothing or nobody");
    for (unsigned i = 0; i < g->n; i++) {
        const struct slot *x = &b->slot[g->slot[i].slot];
        const struct slot_host *m = &e->slot[g->slot[i].slot].host[a->host];

        MUST(x->holder == a->host, "slot %d granted to db%d, which is not its holder",
             g->slot[i].slot, a->host + 1);
        MUST(x->adopted || g->slot[i].serial == x->host[a->host].last_hold, "of another order");
        MUST(!x->releasing || b->phase != MOVE_NONE, "granted though it is taken away");
        MUST(m->maybe && m->out_at >= e->now + lease_out(GATE_NFT, LEASE),
             "granted, and not noted");
        MUST(a->after >= x->electorate_after || g->slot[i].electorate == x->electorate,
             "electorate");
    }
}

static void judge_kill(const struct action *a)
{
    bool holds = false;

    for (int s = 0; s < SLOTS; s++)
        holds = holds || e->slot[s].holder == a->host;
    MUST(e->conf.kill_host && e->mode == MODE_ACTIVE && holds && !live(a->host) &&
             e->host[a->host].state == HARD_OFFLINE && !e->network_down,
         "kill_host for db%d", a->host + 1);
}

static void judge_action(const struct before *b, const struct action *a)
{
    judge_kind(a->kind);
    switch (a->kind) {
    case ACT_GRANT:
        judge_grant(b, a);
        return;
    case ACT_KILL_HOST:
        judge_kill(a);
        return;
    case ACT_BEAT:
        MUST(e->host[a->host].linked && a->after >= e->epoch_after, "beat to db%d", a->host + 1);
        return;
    case ACT_EVENT:
    case ACT_ANSWER:
        MUST(a->text[0] && !strstr(a->text, "(null)"), "says '%s'", a->text);
        return;
    default:
        return;
    }
}

void judge_step(const struct before *b, const struct engine_event *ev, const struct plan *p)
{
    for (unsigned i = 0; i < p->n; i++) {
        judge_action(b, &p->at[i]);
        MUST(e->reign == REIGN_YES || p->at[i].kind == ACT_EVENT || p->at[i].kind == ACT_ANSWER,
             "acts without reigning");
    }
    for (int s = 0; s < SLOTS; s++)
        judge_slot(b, ev, s);
    judge_mode(b, ev);
    judge_states(b, ev);
    judge_orders(b, p);
    MUST(engine_deadline(e) > e->now, "the deadline is over");
}
