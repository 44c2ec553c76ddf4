/* SPDX-License-Identifier: GPL-2.0-or-later
 * The monitor's events and its journal. Each step: what
 * came in is noted, then states, slots, moves and orders are worked out anew. Orders come after the
 * journal record that covers them. */
#include "engine/engine_internal.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>

struct action *plan_add(struct plan *p, enum action_kind kind)
{
    struct action *act;

    CHECK(p->n < ENGINE_PLAN_MAX);
    act = &p->at[p->n++];
    memset(act, 0, offsetof(struct action, text));
    act->text[0] = 0;
    act->kind = kind;
    act->host = -1;
    return act;
}

void plan_event(struct engine *e, struct plan *p, enum event_level level, int host, const char *fmt,
                ...)
{
    struct action *act = plan_add(p, ACT_EVENT);
    va_list ap;

    (void)e;
    act->level = level;
    act->host = host;
    va_start(ap, fmt);
    vsnprintf(act->text, sizeof act->text, fmt, ap);
    va_end(ap);
}

static void init_hosts(struct engine *e)
{
    hostset writers = 0;

    for (unsigned r = 0; r < e->conf.roles; r++) {
        for (unsigned i = 0; i < e->conf.role[r].hosts; i++)
            e->regular[r] |= 1ull << e->conf.role[r].host[i];
        if (e->conf.role[r].writable)
            writers = e->regular[r];
    }
    for (unsigned r = 0; r < e->conf.roles; r++) {
        bool stand_in = !e->conf.role[r].exclusive && e->conf.role[r].last_resort == RESORT_WRITER;

        e->candidates[r] = e->regular[r] | (stand_in ? writers : 0);
    }
}

hostset role_hosts(const struct engine *e, int role)
{
    return e->regular[role];
}

hostset role_candidates(const struct engine *e, int role)
{
    return e->candidates[role];
}

int role_slot(const struct engine *e, int role)
{
    for (unsigned s = 0; s < e->conf.names.slots; s++)
        if (e->conf.slot_role[s] == role)
            return (int)s;
    return -1;
}

int engine_active_slot(const struct engine *e)
{
    return e->active_slot;
}

bool host_live(const struct engine *e, int h)
{
    const struct host *x = &e->host[h];

    return x->linked && x->heard && e->now - x->report_at < host_lease(e, h) / 2;
}

const struct report_slot *host_report_slot(const struct engine *e, int h, int slot)
{
    const struct msg_report *r = &e->host[h].report;

    for (unsigned i = 0; i < r->n; i++)
        if (r->slot[i].slot == slot)
            return &r->slot[i];
    return NULL;
}

bool engine_reigns(const struct engine *e)
{
    return e->reign == REIGN_YES;
}

int engine_writer(const struct engine *e)
{
    int s = engine_active_slot(e);
    int h = s < 0 ? -1 : e->slot[s].holder;
    const struct report_slot *r = h < 0 ? NULL : host_report_slot(e, h, s);
    const struct msg_report *report = h < 0 ? NULL : &e->host[h].report;

    if (!r || e->slot[s].releasing || !host_live(e, h) || r->hold != HOLD_HELD)
        return -1;
    return report->mysqld == MYSQLD_UP && report->facts && !report->read_only ? h : -1;
}

const struct msg_order *engine_order_of(const struct engine *e, int host)
{
    return &e->host[host].order;
}

void engine_init(struct engine *e, const struct engine_conf *conf)
{
    memset(e, 0, sizeof *e);
    e->conf = *conf;
    e->mode = conf->mode;
    e->writer_seen = -1;
    CHECK(engine_rule_count() <= 64 * ARRAY_LEN(e->rules_hit));
    init_hosts(e);
    e->active_slot = -1;
    for (unsigned slot = conf->names.slots; slot-- > 0;)
        if (slot_writable(e, (int)slot))
            e->active_slot = (int)slot;
    for (unsigned h = 0; h < HOSTS_MAX; h++)
        e->host[h].lag_ms = -1;
    for (unsigned s = 0; s < SLOTS_MAX; s++)
        e->slot[s].holder = e->slot[s].target = e->slot[s].last = e->slot[s].journal_holder =
            e->slot[s].choice = e->slot[s].claimant = e->slot[s].accepted = -1;
}

/* Zero but for what there is: compares byte by byte. */
static void durable_clear(const struct engine *e, struct engine_durable *d)
{
    memset(d, 0, offsetof(struct engine_durable, host));
    memset(d->host, 0, e->conf.names.hosts * sizeof d->host[0]);
    memset(d->slot, 0, e->conf.names.slots * sizeof d->slot[0]);
}

static bool durable_same(const struct engine *e, const struct engine_durable *a,
                         const struct engine_durable *b)
{
    return memcmp(a, b, offsetof(struct engine_durable, host)) == 0 &&
           memcmp(a->host, b->host, e->conf.names.hosts * sizeof a->host[0]) == 0 &&
           memcmp(a->slot, b->slot, e->conf.names.slots * sizeof a->slot[0]) == 0;
}

void engine_durable_of(const struct engine *e, struct engine_durable *d)
{
    durable_clear(e, d);
    memcpy(d->identity, e->identity, sizeof d->identity);
    d->epoch = e->epoch;
    d->mode = e->mode;
    if (e->mode == MODE_PASSIVE)
        memcpy(d->cause, e->passive_why, sizeof d->cause);
    if (e->reign == REIGN_DEPOSED)
        memcpy(d->deposed, e->reign_why, sizeof d->deposed);
    d->claiming = e->reign == REIGN_CLAIMING;
    d->receipts = e->receipts;
    memcpy(d->past, e->past, sizeof d->past);
    for (unsigned h = 0; h < e->conf.names.hosts; h++) {
        const struct host *x = &e->host[h];

        d->host[h].state = x->state;
        d->host[h].since_wall_ms = x->state_since_wall;
        d->host[h].flapping = x->flapping;
        d->host[h].returning = x->returning;
        d->host[h].flaps = x->flaps;
        d->host[h].flap_start_wall_ms = x->flap_start_wall;
        d->host[h].last_uptime_s = x->last_uptime_s;
        if (x->debt.number)
            d->host[h].debt = x->debt;
    }
    for (unsigned s = 0; s < e->conf.names.slots; s++) {
        const struct slot *x = &e->slot[s];

        d->slot[s].holder = x->holder >= 0 ? x->holder : x->journal_holder;
        d->slot[s].last = x->holder >= 0 && x->arrived ? x->holder : x->last;
        d->slot[s].target = e->mode == MODE_PASSIVE ? x->target : -1;
        d->slot[s].pinned = x->pinned;
        d->slot[s].electorate = x->electorate;
        d->slot[s].members = x->members;
        d->slot[s].allowed = ~0ull;
        for (unsigned h = 0; h < e->conf.names.hosts; h++)
            if (x->host[h].maybe) {
                d->slot[s].allowed &= x->host[h].allowed;
                d->slot[s].maybe |= 1ull << h;
            }
    }
}

static void engine_on_start(struct engine *e, const struct engine_event *ev, struct plan *p)
{
    const struct engine_durable *d = ev->start.durable;
    /* whom a holder needs to go on alone may be another monitor's doing: then no silence counts */
    bool known = d && !d->claiming;
    bool trusted = known && !e->conf.others && !ev->start.take_over && !d->deposed[0];

    e->started_at = e->now;
    e->take_over = ev->start.take_over;
    memcpy(e->identity, d ? d->identity : ev->start.identity, sizeof e->identity);
    memcpy(e->fresh_identity, ev->start.identity, sizeof e->fresh_identity);
    for (unsigned h = 0; h < e->conf.names.hosts; h++) {
        struct host *x = &e->host[h];

        x->unlinked_at = x->state_since = e->now;
        x->state_since_wall = e->wall;
        if (!d)
            continue;
        x->state = d->host[h].state;
        if (d->host[h].since_wall_ms && d->host[h].since_wall_ms <= e->wall) {
            x->state_since -= e->wall - d->host[h].since_wall_ms;
            x->state_since_wall = d->host[h].since_wall_ms;
        }
        x->flapping = d->host[h].flapping;
        x->returning = d->host[h].returning;
        x->flaps = d->host[h].flaps;
        x->flap_start_wall = d->host[h].flap_start_wall_ms;
        x->last_uptime_s = d->host[h].last_uptime_s;
        x->debt = d->host[h].debt;
    }
    for (unsigned s = 0; s < e->conf.names.slots; s++) {
        struct slot *x = &e->slot[s];

        x->members = known ? d->slot[s].members : role_candidates(e, e->conf.slot_role[s]);
        x->electorate = d ? d->slot[s].electorate : 0;
        x->journal_holder = trusted ? d->slot[s].holder : -1;
        x->last = !d ? -1 : d->slot[s].holder >= 0 ? d->slot[s].holder : d->slot[s].last;
        x->pinned = d && d->slot[s].pinned;
        x->target = d && d->mode == MODE_PASSIVE ? d->slot[s].target : -1;
        for (unsigned h = 0; h < e->conf.names.hosts; h++)
            x->host[h].allowed = trusted && !(d->slot[s].maybe >> h & 1) ? ~0ull
                                 : trusted                               ? d->slot[s].allowed
                                 : known || e->take_over                 ? 0
                                                                         : ~0ull;
    }
    if (d) {
        e->receipts = d->receipts;
        memcpy(e->past, d->past, sizeof e->past);
        e->mode = d->mode;
        memcpy(e->passive_why, d->cause, sizeof e->passive_why);
    }
    e->reign = known || e->take_over ? REIGN_YES : REIGN_WAITING;
    e->epoch_seen = d ? d->epoch : 0;
    if (d && d->deposed[0] && !e->take_over) {
        e->reign = REIGN_DEPOSED;
        e->epoch = d->epoch;
        memcpy(e->reign_why, d->deposed, sizeof e->reign_why);
        plan_event(e, p, EVENT_WARN, -1, "%s", e->reign_why);
        return;
    }
    if (e->reign == REIGN_YES)
        reign_begins(e, d ? d->epoch + 1 : 1, p);
    else
        snprintf(e->reign_why, sizeof e->reign_why, "new here: asking whom the agents obey");
}

static void engine_on_link(struct engine *e, const struct engine_event *ev, struct plan *p)
{
    const struct msg_hello *hello = ev->agent.hello;
    int h = ev->agent.host;
    struct host *x = &e->host[h];

    x->linked = true;
    x->heard = false;
    memcpy(x->agent_obeys, hello->monitor, sizeof x->agent_obeys);
    x->agent_heard_ms = hello->heard_ms;
    trap_restart(e, h, CK_PING); /* perhaps it was this monitor that was cut off */
    trap_restart(e, h, CK_MYSQL);
    plan_event(e, p, EVENT_INFO, h, "agent connected");
    reign_refused(e, h, hello->epoch, hello->monitor, p);
    if (engine_reigns(e) || e->reign == REIGN_CLAIMING) {
        struct action *act = plan_add(p, ACT_BEAT);

        act->host = h;
        act->after = e->epoch_after;
        x->told = true;
    }
}

/* Reports are big and mostly empty. */
static void report_copy(struct msg_report *to, const struct msg_report *from)
{
    memcpy(to, from, offsetof(struct msg_report, slot) + from->n * sizeof from->slot[0]);
    memcpy(&to->mysqld, &from->mysqld,
           offsetof(struct msg_report, gtid) - offsetof(struct msg_report, mysqld));
    msg_text(to->gtid, from->gtid);
    memcpy(to->source_host, from->source_host,
           offsetof(struct msg_report, obstacle) - offsetof(struct msg_report, source_host));
    msg_text(to->obstacle, from->obstacle);
    msg_text(to->own, from->own);
    msg_text(to->applied, from->applied);
    msg_text(to->turn_from, from->turn_from);
    msg_text(to->turn_own, from->turn_own);
    msg_text(to->seen_behind, from->seen_behind);
    msg_text(to->own_more, from->own_more);
    msg_text(to->problem, from->problem);
}
_Static_assert(sizeof(struct msg_report) - offsetof(struct msg_report, obstacle) ==
                   WHY_LEN + 5 * PLACE_LEN + WHY_LEN + PROBLEM_LEN,
               "report_copy() copies every text at the end of a report");

static void engine_on_report(struct engine *e, const struct engine_event *ev, struct plan *p)
{
    const struct msg_report *r = ev->agent.report;
    int h = ev->agent.host;
    struct host *x = &e->host[h];
    bool first = !x->heard;

    if (!x->linked)
        return;
    if (x->report.start_id && (x->report.start_id != r->start_id || x->report.pid != r->pid)) {
        x->clean = x->sampled = false;
        x->extra[0] = 0;
        x->hands = 0;
    }
    if (e->now - x->report_at > host_lease(e, h) / 4) { /* perhaps nobody was heard meanwhile */
        trap_restart(e, h, CK_PING);
        trap_restart(e, h, CK_MYSQL);
        x->full_since = 0;
        x->resumed_at = e->now;
    }
    if (engine_reigns(e))
        tail_note(e, h, r, p);
    report_copy(&x->report, r);
    if (e->now - x->report_at > report_gap(e))
        x->steady_since = e->now;
    x->report_at = e->now;
    if (r->facts)
        x->facts_at = e->now - r->facts_ms;
    memcpy(x->agent_obeys, r->obeys, sizeof x->agent_obeys);
    x->agent_heard_ms = r->heard_ms;
    if (r->epoch > e->epoch_seen)
        e->epoch_seen = r->epoch;
    if (!(engine_reigns(e) || e->reign == REIGN_CLAIMING) || r->epoch != e->epoch)
        return;
    x->heard = true;
    if (first && x->order.serial)
        x->order_at = 0; /* said again at once on a new connection */
    if (r->mysqld == MYSQLD_DEAD && !x->dead_since)
        x->dead_since = e->now;
    if (r->mysqld == MYSQLD_UP && x->dead_since) {
        x->dead_since = 0;
        trap_restart(e, h, CK_MYSQL); /* it was refused because it was dead */
    }
    trap_disk(e, h);
    fit_note(e, h);
    hands_note(e, h, p);
    slots_report(e, h, p);
    if (engine_writer(e) == h)
        memcpy(e->slot[engine_active_slot(e)].wrote, r->gtid, strlen(r->gtid) + 1);
}

/* False: nothing that rules look at is new; what time does is looked at with the next beat. */
static bool engine_event_in(struct engine *e, const struct engine_event *ev, struct plan *p)
{
    bool news;

    switch (ev->kind) {
    case EV_START:
        engine_on_start(e, ev, p);
        break;
    case EV_TIME:
        break;
    case EV_CHECK:
        return trap_result(e, ev, p);
    case EV_LINK:
        engine_on_link(e, ev, p);
        break;
    case EV_UNLINK:
        if (e->host[ev->agent.host].linked)
            plan_event(e, p, EVENT_INFO, ev->agent.host, "agent disconnected");
        e->host[ev->agent.host].linked = e->host[ev->agent.host].heard = false;
        e->host[ev->agent.host].unlinked_at = e->now;
        break;
    case EV_REPORT:
        news = news_in_report(e, ev->agent.host, ev->agent.report);
        engine_on_report(e, ev, p);
        return news;
    case EV_LEASE:
        slots_lease(e, ev->agent.host, ev->agent.lease, p);
        return false;
    case EV_REFUSED:
        reign_refused(e, ev->agent.host, ev->agent.refusal->epoch, ev->agent.refusal->monitor, p);
        break;
    case EV_COMMAND:
        command_work(e, &ev->command, p);
        break;
    case EV_NETWORK:
        trap_network(e, ev, p);
        break;
    case EV_KILLED:
        kill_ended(e, ev, p);
        break;
    }
    return true;
}

static void engine_persist(struct engine *e, struct plan *p)
{
    struct engine_durable now;

    if (e->reign == REIGN_WAITING)
        return;
    engine_durable_of(e, &now);
    if (!e->persist_due && durable_same(e, &now, &e->last))
        return;
    e->persist_due = false;
    engine_durable_of(e, &e->last);
    plan_add(p, ACT_PERSIST)->after = ++e->persisted;
}

static void engine_beats(struct engine *e, struct plan *p)
{
    if (e->now < e->next_beat)
        return;
    e->next_beat = e->now + e->conf.lease_ms / 12;
    for (unsigned h = 0; h < e->conf.names.hosts; h++) {
        struct action *act;

        if (!e->host[h].linked || e->reign == REIGN_WAITING || e->reign == REIGN_DEPOSED)
            continue;
        act = plan_add(p, ACT_BEAT);
        act->host = (int)h;
        act->after = e->epoch_after;
        e->host[h].told = true;
    }
}

/* Not only as the journal remembers. */
static bool seen_online(const struct engine *e, int h)
{
    return e->host[h].state == ONLINE && host_live(e, h) && e->host[h].check[CK_PING].known &&
           e->host[h].check[CK_MYSQL].known;
}

/* Wait mode ends when both masters are ONLINE, or one has been for long enough. */
static void engine_wait_mode(struct engine *e, struct plan *p)
{
    int s = engine_active_slot(e);
    hostset masters = s < 0 ? 0 : role_candidates(e, e->conf.slot_role[s]);
    unsigned online = 0, all = 0;
    bool long_enough = false;
    int64_t since;

    if (e->mode != MODE_WAIT)
        return;
    for (unsigned h = 0; h < e->conf.names.hosts; h++) {
        if (!(masters >> h & 1))
            continue;
        all++;
        if (!seen_online(e, (int)h))
            continue;
        online++;
        since = e->host[h].state_since > e->started_at ? e->host[h].state_since : e->started_at;
        long_enough = long_enough || (e->conf.wait_for_other_master_ms &&
                                      e->now - since >= e->conf.wait_for_other_master_ms);
    }
    if ((all && online == all) || long_enough) {
        e->mode = MODE_ACTIVE;
        plan_event(e, p, EVENT_NOTE, -1, "switched to active mode: %s",
                   online == all ? "every master is ONLINE" : "waited long enough");
    }
}

void engine_grace(struct engine *e, int64_t until)
{
    if (until > e->grace_until)
        e->grace_until = until;
}

static void engine_judge(struct engine *e, struct plan *p)
{
    states_work(e, p);
    if (e->reign == REIGN_WAITING || e->reign == REIGN_CLAIMING)
        reign_claim(e, p);
    if (!engine_reigns(e))
        return;
    engine_wait_mode(e, p);
    slots_work(e, p);
    move_work(e, p);
    kill_work(e, p);
}

static int64_t engine_next(const struct engine *e)
{
    int64_t at = e->next_beat, slots, move;

    if (!engine_reigns(e))
        return at > e->now ? at : e->now + e->conf.lease_ms / 12;
    slots = slots_deadline(e);
    at = slots < at ? slots : at;
    move = move_deadline(e);
    at = move < at ? move : at;
    for (unsigned h = 0; h < e->conf.names.hosts; h++) {
        int64_t back = e->host[h].dead_since + e->conf.on_crash_ms;

        if (e->host[h].dead_since && back > e->now && back < at)
            at = back;
    }
    if (e->grace_until > e->now && e->grace_until < at)
        at = e->grace_until;
    return at > e->now ? at : e->now + 1;
}

void engine_step(struct engine *e, const struct engine_event *ev, struct plan *p)
{
    bool news;

    p->n = p->grants = p->receipts = 0;
    memset(e->rules_hit, 0, sizeof e->rules_hit);
    if (ev->kind != EV_START && ev->now_ms - e->now > e->conf.lease_ms / 4)
        engine_grace(e, ev->now_ms + e->conf.lease_ms / 12);
    e->now = ev->now_ms;
    e->wall = ev->wall_ms;
    news =
        engine_event_in(e, ev, p) || e->persist_due || e->now >= e->next_beat || e->now >= e->due;
    if (news) {
        engine_judge(e, p);
        engine_persist(e, p);
    }
    if (news && engine_reigns(e))
        orders_work(e, p);
    engine_beats(e, p);
    if (news)
        e->due = engine_next(e);
}

int64_t engine_deadline(const struct engine *e)
{
    return e->due;
}
