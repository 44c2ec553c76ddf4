/* SPDX-License-Identifier: GPL-2.0-or-later
 * Every shape of order that the monitor's engine gave in the other families, to an agent in every
 * situation: it accepts it or says why not, shows nothing without a lease and a safe server, and in
 * a world where all works it gets there. */
#include "exhaustive/exhaustive.h"

#include "engine/lease.h"

#include <stdio.h>
#include <string.h>

enum { SELF_SLOTS = 2, ROUNDS = 60, JOBS_MAX = 8, LINK = 4, START_ID = 71 };

static struct agent agent, fresh;
static struct agent_plan plan;
static struct agent_facts facts;
static struct msg msg;
static int64_t now;
static unsigned shape_at;
static struct drawn {
    enum hold hold[SELF_SLOTS];
    bool lease[SELF_SLOTS], planned, promised, quarantine, fence, drained, linked;
    enum mysqld mysqld;
    bool facts, read_only, receives, other_life, older;
    int epoch; /* of the order: -1 older than the accepted one, 0 that, 1 newer */
    enum agent_job job;
} d;

/* What an agent must not do, whatever it is told; and every kind has to be known here. */
static void judge_one(const struct agent_action *a)
{
    const struct agent_slot *s = a->slot < 0 ? NULL : &agent.slot[a->slot];

    switch (a->kind) {
    case AA_SHOW:
        MUST(s && s->hold == HOLD_HELD && a->until_ms > now, "shown without a lease");
        MUST(a->slot > 0 || (agent.facts_known && !agent.facts.read_only &&
                             agent.mysqld == MYSQLD_UP && !agent.must_fence),
             "the writer's address is shown, its server is not open");
        return;
    case AA_GATE:
        MUST(s && a->until_ms > now && a->until_ms <= now + LEASE, "a gate without a lease");
        return;
    case AA_JOB:
        MUST(a->job != JOB_NONE && a->limit_ms > 0, "a job without a limit");
        MUST(a->job != JOB_FOLLOW || (a->source >= 0 && a->source != agent.conf.self),
             "follows db%d", a->source + 1);
        MUST(a->job != JOB_WRITABLE ||
                 (agent.slot[0].hold >= HOLD_WANTED && agent.slot[0].hold != HOLD_LEAVING &&
                  agent.slot[0].lease_until > now && !agent.must_fence),
             "opens writes without a lease");
        return;
    case AA_SAY:
        MUST(a->why[0] && !strstr(a->why, "(null)"), "says '%s'", a->why);
        return;
    case AA_REFUSE:
    case AA_LEASE:
        MUST(a->link >= 0, "to nobody");
        return;
    case AA_ASK:
    case AA_PROMISE:
        MUST(a->host >= 0 && a->host < HOSTS && a->host != agent.conf.self, "to nobody");
        return;
    case AA_PROBE:
    case AA_HIDE:
        MUST(s, "no slot");
        return;
    case AA_PERSIST:
    case AA_RECORD:
    case AA_REPORT:
    case AA_TAIL:
    case AA_ASIDE:
    case AA_JOB_CANCEL:
    case AA_KILL_MYSQLD:
        return;
    }
    broken("a kind of action", "%d is none", (int)a->kind);
}

/* What it asked the world for and was not answered yet. */
static struct {
    struct agent_action job;
    bool has_job, cancel, lease, probe[SELF_SLOTS];
} asked;

static void ask(const struct agent_action *a)
{
    if (a->kind == AA_JOB) {
        MUST(!asked.has_job, "two jobs at once");
        asked.job = *a;
        asked.has_job = true;
    }
    asked.cancel = asked.cancel || a->kind == AA_JOB_CANCEL;
    asked.lease = asked.lease || a->kind == AA_LEASE;
    if (a->kind == AA_PROBE)
        asked.probe[a->slot] = true;
}

static bool planned(enum agent_action_kind kind)
{
    for (unsigned i = 0; i < plan.n; i++)
        if (plan.at[i].kind == kind)
            return true;
    return false;
}

static void step(struct agent_event ev)
{
    ev.now_ms = now;
    world_steps++;
    agent_step(&agent, &ev, &plan);
    for (unsigned i = 0; i < plan.n; i++) {
        judge_one(&plan.at[i]);
        ask(&plan.at[i]);
    }
    MUST(agent_deadline(&agent) > 0, "no deadline");
}

/* ---- drawing ---- */

static void draw_slots(void)
{
    for (int s = 0; s < SELF_SLOTS; s++) {
        d.hold[s] = (enum hold)choice_of(s ? 3 : HOLD_N);
        d.lease[s] = d.hold[s] == HOLD_HELD || (d.hold[s] == HOLD_WANTED && choice_of(2));
    }
    if (d.hold[0] == HOLD_LEAVING) {
        d.planned = d.lease[0] = choice_of(2);
        d.fence = true;
    } else if (d.hold[0] != HOLD_HELD) {
        d.fence = choice_of(2);
    }
    if (d.hold[0] == HOLD_NONE) {
        d.promised = choice_of(2);
        d.quarantine = !d.promised && choice_of(2);
    }
}

static bool draw(void)
{
    memset(&d, 0, sizeof d);
    shape_at = choice_of(SHAPES);
    if (!shape_is(shape_at))
        return false;
    draw_slots();
    d.mysqld = (enum mysqld)choice_of(MYSQLD_N);
    d.facts = d.mysqld == MYSQLD_UP && choice_of(2);
    d.read_only = d.hold[0] != HOLD_HELD && (d.hold[0] == HOLD_NONE || choice_of(2));
    d.receives = choice_of(2);
    d.drained = !d.receives && choice_of(2);
    d.job = d.mysqld == MYSQLD_UP ? (enum agent_job)choice_of(JOB_N) : JOB_NONE;
    switch (choice_of(5)) {
    case 0:
        d.linked = true;
        break;
    case 1:
        d.epoch = 1;
        break;
    case 2:
        d.epoch = -1;
        break;
    case 3:
        d.older = true;
        break;
    default:
        d.other_life = true;
    }
    return true;
}

/* ---- making it ---- */

static void start(void)
{
    static struct agent_conf c;
    struct agent_event ev = {.now_ms = NOW - 100000, .kind = AE_START};
    static const struct agent_durable obeyed = {.epoch = EPOCH, .monitor = "mon1.old"};
    static struct agent_record r;

    c.self = 1;
    c.hosts = HOSTS;
    c.slots = SELF_SLOTS;
    for (int s = 0; s < SELF_SLOTS; s++) {
        snprintf(c.slot[s].name, SLOT_LEN, s ? "reader" : "writer");
        c.slot[s].writable = s == 0;
        c.slot[s].candidates = 7;
    }
    c.lease_ms = LEASE;
    c.kill_hung_mysqld = true;
    c.catch_up_ms = 30000;
    c.salvage_ms = 30000;
    agent_init(&fresh, &c);
    ev.start.start_id = START_ID;
    ev.start.record = &r;
    ev.start.durable = &obeyed;
    agent_step(&fresh, &ev, &plan);
}

static void make(void)
{
    struct agent *a = &agent;

    if (!fresh.start_id)
        start();
    memcpy(a, &fresh, sizeof *a);
    a->link = d.linked ? LINK : -1;
    a->heard_ms = now - 10;
    a->ordered = true;
    a->order.serial = 100;
    a->order.epoch = EPOCH;
    a->order.start_id = START_ID;
    a->mysqld = d.mysqld;
    a->pid = 500;
    a->facts_known = d.facts;
    a->facts = facts;
    a->drained = d.drained;
    a->must_fence = d.fence && d.mysqld != MYSQLD_DEAD;
    a->fence_since = now - 100;
    a->job = d.job;
    a->quarantine_until = d.quarantine ? now + 900 : 0;
    for (int s = 0; s < SELF_SLOTS; s++) {
        struct agent_slot *x = &a->slot[s];

        x->hold = d.hold[s];
        x->showing = d.hold[s] == HOLD_HELD || (s == 0 && d.planned);
        x->planned = s == 0 && d.planned;
        x->probe = PROBE_CLEAR;
        x->serial = d.hold[s] == HOLD_NONE ? 0 : 100;
        x->ended = d.hold[s] == HOLD_NONE ? 100 : 0;
        x->lease_until = d.lease[s] ? now + 1500 : 0;
        x->promised_until = d.promised ? now + 900 : 0;
        a->order.hold |= d.hold[s] == HOLD_WANTED || d.hold[s] == HOLD_HELD ? 1ull << s : 0;
    }
}

/* ---- a world in which all works ---- */

static void world_job(const struct agent_action *a)
{
    switch (a->job) {
    case JOB_READ_ONLY:
        facts.read_only = true;
        break;
    case JOB_DRAIN:
    case JOB_SALVAGE:
        facts.receiver = RECEIVER_NO;
        facts.applier = false;
        break;
    case JOB_WRITABLE:
        facts.read_only = false;
        break;
    case JOB_FOLLOW:
        facts.source = a->source;
        facts.receiver = RECEIVER_YES;
        facts.applier = true;
        break;
    default:
        break;
    }
}

static void world_grants(uint64_t serial)
{
    struct msg_lease l;

    agent_lease_of(&agent, now, &l);
    memset(&msg, 0, sizeof msg);
    msg.kind = MSG_GRANT;
    msg.grant = (struct msg_grant){.epoch = agent.durable.epoch, .sent_ms = now, .lease_ms = LEASE};
    snprintf(msg.grant.monitor, IDENTITY_LEN, "%s", agent.durable.monitor);
    for (unsigned i = 0; i < l.n; i++)
        if (l.slot[i].serial == serial)
            msg.grant.slot[msg.grant.n++] = (struct grant_slot){l.slot[i].slot, serial, 3, 7};
    step((struct agent_event){.kind = AE_MONITOR, .monitor = {LINK, &msg}});
}

/* All that it asked for comes back. */
static void world_answers(uint64_t serial)
{
    for (int s = 0; s < SELF_SLOTS; s++)
        if (asked.probe[s]) {
            asked.probe[s] = false;
            step((struct agent_event){.kind = AE_PROBED, .slot = {s, false, NULL}});
        }
    if (asked.lease) {
        asked.lease = false;
        world_grants(serial);
    }
    for (unsigned jobs = 0; asked.has_job; jobs++) {
        struct agent_action a = asked.job;

        MUST(jobs < JOBS_MAX, "job %d again and again", (int)a.job);
        asked.has_job = false;
        if (!asked.cancel)
            world_job(&a);
        step((struct agent_event){.kind = AE_JOB,
                                  .job = {a.job, !asked.cancel, "cancelled", &facts}});
        asked.cancel = false;
    }
}

static void send(const struct msg_order *o)
{
    memset(&msg, 0, sizeof msg);
    msg.kind = MSG_ORDER;
    msg.order = *o;
    step((struct agent_event){.kind = AE_MONITOR, .monitor = {LINK, &msg}});
}

/* Nothing it was told and can't do is left unsaid. */
static void judge_refused(const struct msg_order *o)
{
    if (d.epoch < 0)
        MUST(planned(AA_REFUSE), "an old epoch is not refused");
    else if (d.epoch > 0)
        MUST(planned(AA_PERSIST), "a new epoch is not written down");
    else if (d.older || d.other_life)
        MUST(planned(AA_REPORT), "a void order is not answered");
    MUST(agent.order.serial != o->serial || !(d.epoch || d.other_life), "a void order is obeyed");
    for (int s = 0; s < SELF_SLOTS; s++)
        MUST(d.hold[s] != HOLD_NONE || agent.slot[s].hold == HOLD_NONE, "takes what it may not");
}

static void judge_done(const struct msg_order *o)
{
    for (int s = 0; s < SELF_SLOTS; s++) {
        bool refused = agent.slot[s].ended >= o->serial;
        enum hold hold = agent.slot[s].hold;

        MUST(o->hold >> s & 1 ? hold == HOLD_HELD || refused : hold == HOLD_NONE,
             "slot %d ordered %d, is %d", s, (int)(o->hold >> s & 1), (int)hold);
        MUST(!refused || !(o->hold >> s & 1) || d.promised || d.quarantine || d.hold[s],
             "slot %d: not taken, nobody was promised", s);
    }
    MUST(facts.read_only == !(agent.slot[0].hold == HOLD_HELD), "writes and the address differ");
    MUST(agent.settled == o->serial, "does not settle: %s", agent.problem);
}

static void run(void)
{
    struct msg_order o;

    now = NOW;
    facts = (struct agent_facts){.read_only = d.read_only, .applier = d.receives, .source = 0};
    facts.receiver = d.receives ? RECEIVER_YES : RECEIVER_NO;
    snprintf(facts.gtid, GTID_LEN, "0-1-5");
    memset(&asked, 0, sizeof asked);
    make();
    asked.has_job = d.job != JOB_NONE;
    asked.job.job = d.job;
    asked.cancel = true; /* the one that ran was in the way */
    shape_of(shape_at, &o);
    o.hold &= (1u << SELF_SLOTS) - 1;
    if (o.source == 1)
        o.source = 2;
    o.epoch = EPOCH + (uint64_t)d.epoch;
    snprintf(o.monitor, IDENTITY_LEN, "mon1.old");
    o.serial = d.older ? 99 : 101;
    o.start_id = d.other_life ? START_ID + 1 : START_ID;
    send(&o);
    if (d.epoch || d.older || d.other_life) {
        judge_refused(&o);
        return;
    }
    MUST(agent.order.serial == 101, "neither obeyed nor refused");
    if (d.mysqld != MYSQLD_UP)
        step((struct agent_event){.kind = AE_MYSQLD, .mysqld = {MYSQLD_UP, 501, NULL}});
    for (int i = 0; i < ROUNDS && agent.settled != 101; i++) {
        now += 100;
        step((struct agent_event){.kind = AE_FACTS, .facts = &facts});
        world_answers(101);
        if (i % 4 == 3) {
            msg.kind = MSG_BEAT;
            msg.beat = (struct msg_beat){EPOCH, "mon1.old", false};
            step((struct agent_event){.kind = AE_MONITOR, .monitor = {LINK, &msg}});
            world_answers(101);
        }
    }
    judge_done(&o);
}

const struct family family_orders = {"orders", "agents in every situation, each shape of order",
                                     draw, run};
