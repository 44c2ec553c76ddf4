/* SPDX-License-Identifier: GPL-2.0-or-later
 * The agents' shell, their disks and kernels: a gate closes by itself when its time is over,
 * whatever became of the agent. */
#include "foresee/foresee_internal.h"

#include "base/clock.h"

enum { FACTS_MS = 250, SILENT_MS = 1000, FIRST_LOOK_MS = 10 };

/* Who may hold addresses of this role: its hosts, and the writer's where it may stand in. */
static hostset role_hosts_of(const struct engine_conf *c, int role)
{
    bool stands_in = !c->role[role].exclusive && c->role[role].last_resort == RESORT_WRITER;
    hostset all = 0;

    for (unsigned r = 0; r < c->roles; r++)
        for (unsigned i = 0; i < c->role[r].hosts; i++)
            if ((int)r == role || (stands_in && c->role[r].writable))
                all |= 1ull << c->role[r].host[i];
    return all;
}

void host_conf(const struct foresee *f, int h, struct agent_conf *out)
{
    const struct engine_conf *c = &f->conf.engine;
    const struct msg_report *r = &f->e.host[h].report;
    const struct agent *before = &f->node[h].a;
    enum gate_kind gate = before->start_id ? before->conf.gate
                          : r->start_id    ? r->gate
                                           : f->conf.gate;

    memset(out, 0, sizeof *out);
    out->self = h;
    out->hosts = c->names.hosts;
    out->slots = c->names.slots;
    for (unsigned s = 0; s < out->slots; s++) {
        memcpy(out->slot[s].name, c->names.slot[s], sizeof out->slot[s].name);
        out->slot[s].writable = c->role[c->slot_role[s]].writable;
        out->slot[s].candidates = role_hosts_of(c, c->slot_role[s]);
    }
    out->lease_ms = c->lease_ms;
    out->gate = gate;
    out->on_monitor_loss = f->conf.on_monitor_loss;
    out->kill_hung_mysqld = f->conf.kill_hung_mysqld;
    out->catch_up_ms = c->catch_up_ms;
    out->salvage_ms = c->salvage_ms;
}

/* ---- addresses ---- */

bool host_shows(const struct foresee *f, int h, int slot)
{
    return f->shown[h] >> slot & 1 && f->node[h].gate_until[slot] > f->now && f->node[h].on;
}

static bool host_open(const struct foresee *f, int h, int slot)
{
    return host_shows(f, h, slot) && server_answers(f, h) && !f->node[h].server.read_only;
}

/* The next slot of a set, taken out of it; -1: it is empty. */
static int slot_next(slotset *set)
{
    int s = *set ? __builtin_ctzll(*set) : -1;

    *set &= *set - 1;
    return s;
}

/* When the next gate closes by itself. */
int64_t hosts_gate_ends(const struct foresee *f)
{
    int64_t at = CLOCK_NEVER;

    for (unsigned h = 0; h < foresee_hosts(f); h++) {
        slotset on = f->shown[h];

        for (int s = slot_next(&on); s >= 0; s = slot_next(&on))
            if (host_shows(f, (int)h, s) && f->node[h].gate_until[s] < at)
                at = f->node[h].gate_until[s];
    }
    return at;
}

static void host_shows_now(struct foresee *f, int h, int s)
{
    const char *slot = f->conf.engine.names.slot[s], *host = foresee_host(f, h);

    f->shown_told[h] |= 1ull << s;
    foresee_say(f, TELL_ADDRESS, h, "%s: address on at %s", slot, host);
    for (unsigned o = 0; o < foresee_hosts(f); o++)
        if ((int)o != h && host_shows(f, (int)o, s)) {
            f->broken = true;
            foresee_say(f, TELL_BROKEN, h, "%s: HELD BY %s AND %s AT ONCE", slot, host,
                        foresee_host(f, (int)o));
        }
}

static void host_hides_now(struct foresee *f, int h, int s)
{
    bool by_itself = f->shown[h] >> s & 1 && f->node[h].on;

    f->shown[h] &= ~(1ull << s);
    f->shown_told[h] &= ~(1ull << s);
    foresee_say(f, TELL_ADDRESS, h, "%s: address off at %s%s", f->conf.engine.names.slot[s],
                foresee_host(f, h), by_itself ? ": its lease in the kernel is over" : "");
}

static void hosts_look_writes(struct foresee *f, int w)
{
    for (unsigned h = 0; h < foresee_hosts(f); h++) {
        bool open = host_open(f, (int)h, w);

        if (open != (f->open_told >> h & 1))
            foresee_say(f, TELL_OPEN, (int)h, "%s: %s on %s", f->conf.engine.names.slot[w],
                        open ? "open" : "closed", foresee_host(f, (int)h));
        f->open_told = open ? f->open_told | 1ull << h : f->open_told & ~(1ull << h);
    }
}

void hosts_look(struct foresee *f)
{
    for (unsigned h = 0; h < foresee_hosts(f); h++) {
        slotset all = f->shown[h] | f->shown_told[h];

        for (int s = slot_next(&all); s >= 0; s = slot_next(&all)) {
            bool shows = host_shows(f, (int)h, s);

            if (shows && !(f->shown_told[h] >> s & 1))
                host_shows_now(f, (int)h, s);
            else if (!shows && f->shown_told[h] >> s & 1)
                host_hides_now(f, (int)h, s);
        }
    }
    if (f->writable >= 0)
        hosts_look_writes(f, f->writable);
}

/* ---- what an agent wants ---- */

static void host_tell_monitor(struct foresee *f, int h, enum msg_kind kind)
{
    const struct agent *a = &f->node[h].a;
    struct foresee_mail *m = f->node[h].linked ? mail_new(f, kind, h, -1) : NULL;

    if (!m)
        return;
    if (kind == MSG_REPORT) {
        agent_report_of(a, f->now, &m->report);
        m->report.disk_full = f->node[h].server.full;
    } else if (kind == MSG_LEASE) {
        agent_lease_of(a, f->now, &m->lease);
    } else {
        memset(&m->refusal, 0, sizeof m->refusal);
        m->refusal.epoch = a->durable.epoch;
        memcpy(m->refusal.monitor, a->durable.monitor, sizeof m->refusal.monitor);
    }
    mail_send(f, m);
}

static void host_tell_peer(struct foresee *f, int h, const struct agent_action *act)
{
    bool ask = act->kind == AA_ASK;
    struct foresee_mail *m = mail_new(f, ask ? MSG_ASK : MSG_PROMISE, h, act->host);

    if (!m)
        return;
    if (ask)
        m->ask = act->ask;
    else
        m->promise = act->promise;
    mail_send(f, m);
}

static void host_perform(struct foresee *f, int h, const struct agent_action *act)
{
    struct foresee_node *x = &f->node[h];

    switch (act->kind) {
    case AA_PERSIST:
        foresee_push(f, f->conf.disk_ms, DUE_DURABLE, h, 0, (int32_t)x->a.start_id);
        return;
    case AA_RECORD:
        x->has_record = true; /* what it says is asked of the agent when it dies */
        return;
    case AA_REPORT:
        host_tell_monitor(f, h, MSG_REPORT);
        return;
    case AA_REFUSE:
        host_tell_monitor(f, h, MSG_REFUSAL);
        return;
    case AA_LEASE:
        host_tell_monitor(f, h, MSG_LEASE);
        return;
    case AA_ASK:
    case AA_PROMISE:
        host_tell_peer(f, h, act);
        return;
    case AA_GATE:
        x->gate_until[act->slot] = act->until_ms;
        return;
    case AA_PROBE:
        foresee_push(f, f->conf.probe_ms, DUE_PROBED, h, act->slot, (int32_t)x->a.start_id);
        return;
    case AA_SHOW:
        f->shown[h] |= 1ull << act->slot;
        return;
    case AA_HIDE:
        f->shown[h] &= ~(1ull << act->slot);
        return;
    case AA_JOB:
        server_job_start(f, h, act);
        return;
    case AA_TAIL:
        foresee_push(f, f->conf.job_ms, DUE_TAIL, h, 0, (int32_t)x->a.start_id);
        return;
    case AA_ASIDE:
        foresee_push(f, f->conf.job_ms, DUE_ASIDE, h, (int)act->round, (int32_t)x->a.start_id);
        return;
    case AA_JOB_CANCEL:
        server_job_cancel(f, h);
        return;
    case AA_KILL_MYSQLD:
        server_kill(f, h, "is killed by its agent");
        return;
    case AA_SAY:
        foresee_say(f, TELL_AGENT, h, "%s agent: %s", foresee_host(f, h), act->why);
        return;
    }
}

void host_feed(struct foresee *f, int h, struct agent_event *ev)
{
    struct foresee_node *x = &f->node[h];

    ev->now_ms = f->now;
    agent_step(&x->a, ev, &f->agent_plan);
    for (unsigned i = 0; i < f->agent_plan.n; i++)
        host_perform(f, h, &f->agent_plan.at[i]);
    x->deadline = agent_deadline(&x->a);
    if (x->deadline <= f->now)
        x->deadline = f->now + 1;
}

void host_start_agent(struct foresee *f, int h)
{
    struct foresee_node *x = &f->node[h];
    struct agent_durable durable = x->a.durable;
    struct agent_conf c;
    struct agent_event ev = {.kind = AE_START};

    host_conf(f, h, &c);
    agent_init(&x->a, &c);
    x->alive = true;
    x->frozen = false;
    x->job.job = JOB_NONE;
    x->job.id++;
    x->seen = MYSQLD_UNKNOWN;
    ev.start.start_id = ++f->lives;
    ev.start.uptime_s = (f->now - x->boot_at) / 1000;
    ev.start.record = x->has_record ? &x->record : NULL;
    ev.start.durable = durable.epoch ? &durable : NULL;
    host_feed(f, h, &ev);
    foresee_push(f, FIRST_LOOK_MS, DUE_MYSQLD, h, 0, 0);
    foresee_push(f, FACTS_MS, DUE_FACTS, h, 0, (int32_t)x->a.start_id);
}

/* ---- what an agent hears ---- */

void host_on_mail(struct foresee *f, struct foresee_mail *m)
{
    struct agent_event ev = {0};

    switch (m->kind) {
    case MSG_ASK:
        ev.kind = AE_ASK;
        ev.peer.host = m->from;
        ev.peer.ask = &m->ask;
        break;
    case MSG_PROMISE:
        ev.kind = AE_PROMISE;
        ev.peer.host = m->from;
        ev.peer.promise = &m->promise;
        break;
    default:
        f->in.kind = m->kind;
        if (m->kind == MSG_BEAT)
            f->in.beat = m->beat;
        else if (m->kind == MSG_ORDER)
            f->in.order = m->order;
        else
            f->in.grant = m->grant;
        ev.kind = AE_MONITOR;
        ev.monitor.link = m->link;
        ev.monitor.msg = &f->in;
    }
    host_feed(f, m->to, &ev);
}

static void host_facts(struct foresee *f, int h)
{
    struct agent_facts facts;
    struct agent_event ev = {.kind = AE_FACTS, .facts = &facts};

    if (!node_runs(&f->node[h]) || f->node[h].seen != MYSQLD_UP || !server_works(f, h))
        return;
    server_facts(f, h, &facts);
    host_feed(f, h, &ev);
}

void host_saw_mysqld(struct foresee *f, int h)
{
    struct foresee_node *x = &f->node[h];
    const struct foresee_server *v = &x->server;
    bool silent = v->up && v->hung && f->now - v->hung_at >= SILENT_MS;
    enum mysqld is = !v->up ? MYSQLD_DEAD : silent ? MYSQLD_UNKNOWN : MYSQLD_UP;
    char why[64] = "";
    struct agent_event ev = {.kind = AE_MYSQLD, .mysqld = {.state = is, .pid = v->pid, .why = why}};

    if (!node_runs(x) || (v->up && v->hung && !silent) ||
        (is == x->seen && (is != MYSQLD_UP || x->a.pid == v->pid)))
        return;
    x->seen = is;
    if (is == MYSQLD_DEAD)
        snprintf(why, sizeof why, "mysqld (pid %lld) is exiting", (long long)v->pid);
    else if (is == MYSQLD_UNKNOWN)
        snprintf(why, sizeof why, "no answer within %d ms", SILENT_MS);
    host_feed(f, h, &ev);
    if (is == MYSQLD_UP)
        host_facts(f, h);
}

static void host_probed(struct foresee *f, int h, int slot)
{
    struct agent_event ev = {.kind = AE_PROBED, .slot = {.slot = slot, .why = ""}};

    for (unsigned o = 0; o < foresee_hosts(f); o++)
        if ((int)o != h && host_shows(f, (int)o, slot) && wire_path(f, h, (int)o))
            ev.slot.answered = true;
    host_feed(f, h, &ev);
}

static void host_read_tail(struct foresee *f, int h)
{
    struct agent_facts facts;
    struct agent_event ev = {.kind = AE_TAIL};

    if (f->node[h].server.up)
        return;
    server_facts(f, h, &facts);
    ev.tail.died = f->node[h].a.tail.died_ms;
    ev.tail.ok = !f->node[h].server.unreadable;
    ev.tail.mysql_flavour = facts.mysql_flavour;
    ev.tail.gtid = facts.gtid;
    ev.tail.why = "it is encrypted";
    host_feed(f, h, &ev);
}

static void host_set_aside(struct foresee *f, int h, int round)
{
    struct agent_event ev = {.kind = AE_ASIDE};

    ev.aside.round = (uint64_t)round;
    ev.aside.ok = !f->node[h].server.unreadable;
    ev.aside.text = ev.aside.ok ? "a file" : "it is encrypted";
    host_feed(f, h, &ev);
}

void host_on_due(struct foresee *f, const struct foresee_due *d)
{
    struct foresee_node *x = &f->node[d->a];
    struct agent_event ev = {.kind = AE_DURABLE};
    bool same = d->n == (int32_t)x->a.start_id && x->on && x->alive;

    switch ((enum due)d->what) {
    case DUE_FACTS:
        if (!same)
            return;
        foresee_push(f, FACTS_MS, DUE_FACTS, d->a, 0, d->n);
        host_saw_mysqld(f, d->a);
        host_facts(f, d->a);
        return;
    case DUE_FACTS_ANEW:
        host_facts(f, d->a);
        return;
    case DUE_DURABLE:
        if (same && !x->frozen)
            host_feed(f, d->a, &ev);
        return;
    case DUE_MYSQLD:
        host_saw_mysqld(f, d->a);
        return;
    case DUE_TAIL:
        if (same && !x->frozen)
            host_read_tail(f, d->a);
        return;
    case DUE_ASIDE:
        if (same && !x->frozen)
            host_set_aside(f, d->a, d->b);
        return;
    default:
        if (same && !x->frozen)
            host_probed(f, d->a, d->b);
    }
}
