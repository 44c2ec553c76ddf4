/* SPDX-License-Identifier: GPL-2.0-or-later
 * The engine in a drawn situation: made once by events, then only what a situation says is set. */
#include "exhaustive/exhaustive.h"

#include "engine/lease.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

enum {
    TRAP = 1000,
    CATCH_UP = 30000,
    SALVAGE = 30000,
    SINCE = 200000,
    RECENT = 10000,
    LONG_SINCE = 4000000,
    SAMPLE = 61
};

struct engine engine;
struct sit sit;
uint64_t world_steps;
static uint64_t said_serial[HOSTS]; /* the last order each agent accepted */
static int source[HOSTS];           /* whom each server follows */
static struct engine fresh, twin;
static struct plan plan, plan_twin;
static struct msg_report reported;

static void role_conf(struct engine_conf *c, unsigned r, const char *name, hostset hosts)
{
    snprintf(c->role[r].name, NAME_LEN, "%s", name);
    c->role[r].exclusive = c->role[r].writable = r == 0;
    c->role[r].prefer = -1;
    for (int h = 0; h < HOSTS; h++)
        if (hosts >> h & 1)
            c->role[r].host[c->role[r].hosts++] = h;
}

void world_start(void)
{
    static struct engine_conf c;
    struct engine_durable d;

    c.names.hosts = HOSTS;
    c.names.slots = SLOTS;
    c.roles = 2;
    snprintf(c.monitor, NAME_LEN, "mon1");
    role_conf(&c, 0, "writer", 3);
    role_conf(&c, 1, "reader", 7);
    for (int s = 0; s < SLOTS; s++) {
        snprintf(c.names.slot[s], SLOT_LEN, s ? "reader/10.0.0.%d" : "writer", s);
        c.slot_role[s] = s > 0;
    }
    for (int h = 0; h < HOSTS; h++) {
        snprintf(c.names.host[h], NAME_LEN, "db%d", h + 1);
        c.host[h].master = h < 2;
    }
    for (int k = 0; k < CK_N; k++)
        c.trap_ms[k] = TRAP;
    c.max_backlog_ms = 60000;
    c.lease_ms = LEASE;
    c.catch_up_ms = CATCH_UP;
    c.salvage_ms = SALVAGE;
    c.switchover_budget_ms = 5000;
    c.flap_count = 3;
    c.flap_duration_ms = 3600000;
    c.wait_for_other_master_ms = 120000;
    c.gate_unheard = GATE_NFT;
    engine_init(&fresh, &c);
    memset(&d, 0, sizeof d);
    snprintf(d.identity, IDENTITY_LEN, "mon1.old");
    d.epoch = EPOCH - 1;
    for (int s = 0; s < SLOTS; s++)
        d.slot[s].holder = d.slot[s].target = -1;
    plan.n = 0;
    engine_step(&fresh,
                &(struct engine_event){.now_ms = NOW - 1000000,
                                       .wall_ms = WALL - 1000000,
                                       .kind = EV_START,
                                       .start = {.durable = &d}},
                &plan);
    CHECK(fresh.reign == REIGN_YES && fresh.epoch == EPOCH);
}

/* Only what is used: the tables are bigger than the cluster. */
static void engine_copy(struct engine *to, const struct engine *from)
{
    memcpy(to, from, offsetof(struct engine, host));
    memcpy(to->host, from->host, HOSTS * sizeof to->host[0]);
    memcpy(to->slot, from->slot, SLOTS * sizeof to->slot[0]);
    memcpy(&to->move, &from->move, sizeof *to - offsetof(struct engine, move));
}

static bool engine_same(const struct engine *a, const struct engine *b)
{
    return memcmp(a, b, offsetof(struct engine, host)) == 0 &&
           memcmp(a->host, b->host, HOSTS * sizeof a->host[0]) == 0 &&
           memcmp(a->slot, b->slot, SLOTS * sizeof a->slot[0]) == 0 &&
           memcmp(&a->move, &b->move, sizeof *a - offsetof(struct engine, move)) == 0;
}

static hostset candidates(int s)
{
    hostset readers = sit.roles == R_TWO || sit.roles == R_PREFER ? 6 : 7;

    return s == 0 ? 3 : readers;
}

static void set_conf(struct engine *e)
{
    struct engine_conf *c = &e->conf;

    memset(c->role[1].host, 0, sizeof c->role[1].host);
    c->role[1].hosts = 0;
    for (int h = 0; h < HOSTS; h++)
        if (candidates(1) >> h & 1)
            c->role[1].host[c->role[1].hosts++] = h;
    c->role[1].last_resort = sit.roles == R_RESORT_KEEP   ? RESORT_KEEP
                             : sit.roles == R_RESORT_NONE ? RESORT_NONE
                                                          : RESORT_WRITER;
    c->role[0].prefer = sit.roles == R_PREFER ? 0 : -1;
    c->data_loss = sit.data_loss;
    c->keep = sit.roles == R_KEEP;
    c->kill_host = sit.kill;
    c->careful_startup = sit.careful;
    c->auto_set_online_ms = sit.auto_set_online_ms;
    e->regular[1] = candidates(1);
    e->candidates[1] = candidates(1) | (c->role[1].last_resort == RESORT_WRITER ? 3 : 0);
}

static uint64_t serial_of(int h)
{
    return (uint64_t)EPOCH << 32 | (10u + (unsigned)h);
}

/* Was it ordered anything in this reign? Not if all it has was found held. */
static bool ordered(int h)
{
    for (int s = 0; s < SLOTS; s++)
        if (sit.slot[s].holder == h && sit.slot[s].adopted)
            return false;
    return true;
}

static void set_checks(struct host *x, const struct sit_host *t)
{
    for (int k = 0; k < CK_N; k++) {
        enum verdict v = t->check[k];

        x->check[k] = (struct check_state){
            .known = v != V_UNKNOWN,
            .good = v != V_BAD && v != V_FRESH,
            .last = v == V_GOOD      ? RESULT_OK
                    : v == V_UNKNOWN ? RESULT_UNKNOWN
                                     : RESULT_ERROR,
            .error_since = v == V_BAD     ? NOW - 50000
                           : v == V_FRESH ? NOW - 150
                           : v == V_SHAKY ? NOW - 100
                                          : 0,
            .good_since =
                v == V_GOOD && t->unsteady && k >= CK_REP_THREADS ? NOW - 100 : NOW - 100000,
        };
        snprintf(x->check[k].message, WHY_LEN, v == V_GOOD ? "OK" : "says no");
    }
    x->lag_ms = t->behind ? 45000 : t->check[CK_REP_BACKLOG] == V_BAD ? 90000 : 0;
}

static void say_slot(struct msg_report *r, int h, int s)
{
    enum said said = sit.host[h].said[s];
    uint64_t serial = said_serial[h];
    static const enum hold hold[SAID_N] = {[SAID_WANTED] = HOLD_WANTED,
                                           [SAID_HELD] = HOLD_HELD,
                                           [SAID_HELD_BARE] = HOLD_HELD,
                                           [SAID_LEAVING] = HOLD_LEAVING};
    struct report_slot *x = &r->slot[r->n++];

    *x = (struct report_slot){.slot = s, .hold = hold[said], .electorate = 3};
    x->members = candidates(s);
    x->serial = said == SAID_ENDED || said == SAID_NONE ? 0 : serial;
    x->ended = said == SAID_ENDED ? serial : 0;
    x->lease_ms = said == SAID_HELD ? 1500 : 0;
    x->promised_ms = sit.host[h].promised && hold[said] == HOLD_NONE ? 700 : 0;
}

static bool writable(int h)
{
    return sit.host[h].said[0] == SAID_HELD && sit.slot[0].arrived;
}

/* What the agent of h says. */
static void say(int h, struct msg_report *r)
{
    const struct sit_host *t = &sit.host[h];
    bool follows = t->check[CK_REP_THREADS] != V_BAD && source[h] >= 0;

    memset(r, 0, offsetof(struct msg_report, slot));
    r->epoch = EPOCH;
    snprintf(r->obeys, IDENTITY_LEN, "mon1.old");
    r->start_id = 70 + (uint64_t)h;
    r->serial = r->settled = said_serial[h];
    r->uptime_s = t->reboot ? 5 : 5000;
    for (int s = 0; s < SLOTS; s++)
        if (engine.candidates[s > 0] >> h & 1)
            say_slot(r, h, s);
    r->mysqld = t->server == S_DEAD ? MYSQLD_DEAD : MYSQLD_UP;
    r->pid = 500;
    snprintf(r->mysqld_why, WHY_LEN, "%s", t->server == S_DEAD ? "mysqld (pid 500) is gone" : "");
    r->disk_full = t->disk != D_ROOM;
    r->died = t->tail == TAIL_NONE ? 0 : 77;
    r->tail = t->tail;
    snprintf(r->tail_why, WHY_LEN, "%s", t->tail == TAIL_FAILED ? "it is encrypted" : "");
    r->unsalvaged = t->unsalvaged;
    r->facts = t->server == S_UP;
    r->mysql_flavour = false;
    r->read_only = !writable(h);
    snprintf(r->gtid, GTID_LEN, "%s", t->gtid);
    snprintf(r->source_host, ADDR_LEN, "%s", source[h] >= 0 ? "10.0.0.9" : "");
    r->source_port = 3306;
    r->source = source[h];
    r->receiver = follows ? RECEIVER_YES : RECEIVER_NO;
    r->applier = follows;
    r->lag_ms = t->check[CK_REP_THREADS] == V_BAD ? -1 : 0;
    r->problem[0] = 0;
}

static void set_order(struct host *x, int h)
{
    memset(&x->order, 0, offsetof(struct msg_order, reach) + 1);
    x->order.source = -1;
    if (!ordered(h))
        return;
    x->order.epoch = EPOCH;
    snprintf(x->order.monitor, IDENTITY_LEN, "mon1.old");
    x->order.serial = serial_of(h);
    x->order.start_id = 70 + (uint64_t)h;
    for (int s = 0; s < SLOTS; s++)
        if (sit.slot[s].holder == h && !sit.slot[s].releasing)
            x->order.hold |= 1ull << s;
    x->order.follow = source[h] < 0 ? FOLLOW_NONE : FOLLOW_SOURCE;
    x->order.source = source[h];
}

static void set_host(struct engine *e, int h)
{
    const struct sit_host *t = &sit.host[h];
    struct host *x = &e->host[h];

    source[h] = sit.slot[0].holder >= 0 ? sit.slot[0].holder : sit.slot[0].last;
    source[h] = source[h] == h ? -1 : source[h];
    said_serial[h] = ordered(h) ? serial_of(h) : 0;
    x->state = t->state;
    x->state_since = NOW - (t->recent ? RECENT : t->calm ? LONG_SINCE : SINCE);
    x->state_since_wall = x->state_since - NOW + WALL;
    set_checks(x, t);
    x->flapping = t->flapping;
    x->returning = t->returning;
    x->last_uptime_s = t->reboot ? 4000 : t->recent ? 4990 : 1000;
    x->linked = x->told = t->agent != A_GONE;
    x->unlinked_at = t->agent == A_GONE ? NOW - 5000 : 0;
    x->heard = t->agent == A_LIVE;
    x->report_at = t->agent == A_LIVE ? NOW - 100 : NOW - 5000;
    x->facts_at = t->server == S_UNASKED ? 0 : x->report_at;
    x->dead_since = t->server == S_DEAD ? NOW - 100 : 0;
    x->full_since = t->disk == D_ROOM || sit.network_down ? 0
                    : t->disk == D_FULL                   ? NOW - 50000
                                                          : NOW - 100;
    say(h, &x->report);
    set_order(x, h);
    x->clean = t->compared == C_CLEAN;
    x->sampled = x->sample_sure = false;
    snprintf(x->extra, PROBLEM_LEN, "%s", t->compared == C_EXTRA ? "0-2-9" : "");
}

static void set_slot(struct engine *e, int s)
{
    const struct sit_slot *t = &sit.slot[s];
    struct slot *x = &e->slot[s];

    x->holder = t->holder;
    x->adopted = t->adopted;
    x->releasing = t->releasing;
    x->target = t->target;
    x->forced = t->forced;
    x->fence = t->fence;
    x->arrived = t->arrived;
    x->last = t->last;
    x->accepted = (int)t->accepted - 1;
    x->gather_since = s > 0                           ? 0
                      : sit.gathered == GATHERED_LIVE ? NOW - SALVAGE / 2
                      : sit.gathered == GATHERED_ALL  ? NOW - 2 * SALVAGE
                                                      : 0;
    x->fetch_by = x->fetch_from = -1;
    x->pinned = t->pinned;
    x->assigned_at = t->late ? NOW - CATCH_UP - 1000 : NOW - 1500;
    x->journal_holder = s == 0 ? sit.journal : -1;
    x->electorate = 3;
    x->members = e->candidates[s > 0];
    for (int h = 0; h < HOSTS; h++) {
        enum fate fate = sit.host[h].fate[s];
        hostset allowed = ~0ull;

        for (int c = 0; c < HOSTS; c++)
            if (c != h && sit.host[c].stale)
                allowed &= ~(1ull << c);
        x->host[h] = (struct slot_host){
            .maybe = fate != F_OUT,
            .out_at = fate == F_RUNNING ? NOW + 800 : NOW - 100,
            .last_hold = ordered(h) ? serial_of(h) : 0,
            .not_before = sit.host[h].promised ? NOW + 700 : 0,
            .allowed = allowed,
        };
    }
}

static void set_move(struct engine *e)
{
    int64_t began = sit.move_late ? NOW - 200000 : NOW - 500;

    e->move = (struct move){.phase = sit.phase, .id = 7, .slot = sit.move_slot};
    if (sit.phase == MOVE_NONE)
        return;
    e->move.from = sit.move_from;
    e->move.to = sit.move_to;
    e->move.started = began;
    e->move.blocked = sit.phase != MOVE_LAG && sit.move_slot == 0 ? began : 0;
    if (sit.phase == MOVE_BACK)
        snprintf(e->move.error, WHY_LEN, "did not work");
}

void world_set(void)
{
    struct engine *e = &engine;

    engine_copy(e, &fresh);
    e->mode = sit.mode;
    e->reign = sit.reign;
    snprintf(e->reign_why, WHY_LEN, "%s", sit.reign == REIGN_YES ? "" : "deposed: by a test");
    e->now = NOW - 50;
    e->wall = WALL - 50;
    e->grace_until = sit.grace ? NOW + 100 : 0;
    e->serial = 100;
    e->persisted = 40;
    e->epoch_after = 1;
    e->next_beat = NOW + 100;
    e->persist_due = false;
    e->writer_seen = sit.slot[0].holder;
    e->network_down = sit.network_down;
    snprintf(e->network_message, WHY_LEN, "%s", sit.network_down ? "no answer" : "");
    set_conf(e);
    for (int s = 0; s < SLOTS; s++)
        set_slot(e, s);
    for (int h = 0; h < HOSTS; h++)
        set_host(e, h);
    set_move(e);
    memset(&e->story, 0, sizeof e->story);
    engine_durable_of(e, &e->last);
    judge_start();
}

/* Same bytes and event: same plan, same bytes. */
static void step_twin(const struct engine_event *ev)
{
    engine_step(&twin, ev, &plan_twin);
    MUST(engine_same(&engine, &twin), "another engine out of the same");
    MUST(plan.n == plan_twin.n, "%u actions and %u", plan.n, plan_twin.n);
    for (unsigned i = 0; i < plan.n; i++) {
        const struct action *a = &plan.at[i], *b = &plan_twin.at[i];

        MUST(a->kind == b->kind && a->host == b->host && a->after == b->after &&
                 a->code == b->code && a->id == b->id && strcmp(a->text, b->text) == 0,
             "action %u differs", i);
        if (a->kind == ACT_GRANT)
            MUST(memcmp(a->grant, b->grant, sizeof *a->grant) == 0, "grant differs");
    }
}

static void step(struct engine_event ev)
{
    struct before b;
    bool sample = world_steps++ % SAMPLE == 0;

    ev.wall_ms = ev.now_ms - NOW + WALL;
    judge_before(&b);
    if (sample)
        engine_copy(&twin, &engine);
    engine_step(&engine, &ev, &plan);
    if (sample)
        step_twin(&ev);
    judge_step(&b, &ev, &plan);
    rules_seen();
}

void world_time(int64_t ms_later)
{
    int64_t now = engine.now < NOW ? NOW : engine.now;

    step((struct engine_event){.now_ms = now + ms_later, .kind = EV_TIME});
}

void world_report(int h)
{
    say(h, &reported);
    step((struct engine_event){
        .now_ms = engine.now, .kind = EV_REPORT, .agent = {.host = h, .report = &reported}});
}

void world_lease(int h)
{
    struct msg_lease l = {.epoch = EPOCH, .start_id = 70 + (uint64_t)h, .sent_ms = 9};

    for (int s = 0; s < SLOTS; s++)
        l.slot[l.n++] =
            (struct lease_slot){s, engine.host[h].order.serial, engine.slot[s].electorate};
    step((struct engine_event){
        .now_ms = engine.now, .kind = EV_LEASE, .agent = {.host = h, .lease = &l}});
}

void world_command(const struct engine_command *c)
{
    step((struct engine_event){.now_ms = NOW, .kind = EV_COMMAND, .command = *c});
}

void world_obey(int h)
{
    const struct msg_order *o = engine_order_of(&engine, h);

    if (o->serial) {
        said_serial[h] = o->serial;
        for (int s = 0; s < SLOTS; s++)
            sit.host[h].said[s] = o->hold >> s & 1 ? SAID_HELD : SAID_ENDED;
        if (o->follow == FOLLOW_SOURCE)
            source[h] = o->source;
        else if (o->follow == FOLLOW_NONE)
            source[h] = -1;
        sit.slot[0].arrived = sit.slot[0].arrived || o->hold & 1;
    }
    world_report(h);
    world_lease(h);
}

void world_round(void)
{
    world_time(0);
    for (int h = 0; h < HOSTS; h++)
        if (sit.host[h].agent == A_LIVE)
            world_report(h);
    for (int h = 0; h < HOSTS; h++)
        if (sit.host[h].agent == A_LIVE)
            world_lease(h);
    world_time(0);
}

static bool served(int s, int h)
{
    const struct host *x = &engine.host[h];
    const struct slot *y = &engine.slot[s];

    for (int c = 0; c < HOSTS; c++)
        if (c != h && y->host[c].maybe &&
            (engine.conf.keep || !(y->host[c].allowed >> h & 1) || engine.now < y->host[c].out_at))
            return false;
    return engine.candidates[s > 0] >> h & 1 && x->linked && x->heard && x->state == ONLINE &&
           x->report.facts && x->report.mysqld == MYSQLD_UP && !x->extra[0] &&
           engine.now - x->facts_at < LEASE && engine.now >= y->host[h].not_before &&
           (s > 0 || !x->report.disk_full);
}

void world_goes_on(void)
{
    for (int i = 0; i < 20; i++) {
        world_time(200);
        for (int h = 0; h < HOSTS; h++) {
            sit.host[h].promised = sit.host[h].promised && i < 4;
            if (sit.host[h].agent == A_LIVE)
                world_obey(h);
        }
    }
    world_time(0);
    if (engine.mode != MODE_ACTIVE || engine.reign != REIGN_YES || engine.network_down)
        return;
    for (int s = 0; s < SLOTS; s++)
        for (int h = 0; h < HOSTS && engine.slot[s].holder < 0; h++)
            MUST(!served(s, h), "slot %d is free, db%d could have it", s, h + 1);
    for (unsigned i = 0; i < plan.n; i++)
        MUST(plan.at[i].kind != ACT_ORDER, "db%d is ordered for ever", plan.at[i].host + 1);
}
