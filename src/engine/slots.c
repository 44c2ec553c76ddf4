/* SPDX-License-Identifier: GPL-2.0-or-later
 * Who holds what: what reports and lease requests prove about
 * each slot, when a holder has to let go, when a slot is free, and the electorate.
 *
 * For each slot and host: `maybe` says the host may hold it as far as is known, `out_at` when a
 * lease granted last is surely over. A slot changes hosts only when nobody else is `maybe` before
 * `out_at`. */
#include "engine/engine_internal.h"

#include "base/clock.h"

/* Twice the rate error of a clock, for durations another host named. */
static int64_t other_clock(int64_t ms)
{
    return ms + ms / 50 + 1;
}

static void story_begins(struct engine *e, int s, int64_t when)
{
    const struct slot *x = &e->slot[s];
    const struct host *h = &e->host[x->holder];

    if (!slot_writable(e, s) || e->story.on)
        return;
    e->story = (struct failover_story){.on = true, .slot = s, .from = x->holder, .began = when};
    if (h->dead_since)
        snprintf(e->story.why, sizeof e->story.why, "%s", h->report.mysqld_why);
    else if (when < e->now)
        snprintf(e->story.why, sizeof e->story.why, "%s fell silent", host_name(e, x->holder));
    else
        snprintf(e->story.why, sizeof e->story.why, "%s is %s", host_name(e, x->holder),
                 host_state_names[h->state]);
}

static void slot_free(struct engine *e, int s, const char *how, bool silent, struct plan *p)
{
    struct slot *x = &e->slot[s];
    int was = x->holder;

    plan_event(e, p, EVENT_NOTE, was, "%s: let go by %s: %s", slot_name(e, s), host_name(e, was),
               how);
    if (silent)
        story_begins(e, s, e->host[was].report_at);
    if (slot_writable(e, s) && e->story.on && !e->story.released)
        e->story.released = e->now;
    x->holder = -1;
    x->releasing = x->adopted = false;
    x->probe = silent;
    if (x->arrived) { /* else who had it before still counts, and what there is to reach */
        bool has_all = slot_writable(e, s) && !x->fence && !silent &&
                       e->host[was].report.mysqld == MYSQLD_UP && e->host[was].report.facts;

        x->last = was;
        snprintf(x->reach, sizeof x->reach, "%s", has_all ? e->host[was].report.gtid : "");
    }
    x->fence = x->arrived = false;
    move_released(e, s, was, silent);
}

/* What one report proves about one slot. */
static void slot_reported(struct engine *e, int h, const struct report_slot *r)
{
    struct slot *x = &e->slot[r->slot];
    struct slot_host *m = &x->host[h];
    bool new_life =
        e->host[h].order.serial && e->host[h].order.start_id != e->host[h].report.start_id;

    m->not_before = r->promised_ms ? e->now + other_clock(r->promised_ms) : 0;
    if (r->hold != HOLD_NONE && !m->maybe)
        m->allowed = r->members;
    if (r->hold != HOLD_NONE && r->lease_ms) {
        int64_t out_at =
            e->now + lease_out(e->host[h].report.gate, r->lease_ms); /* promises made it longer */

        if (out_at > m->out_at)
            m->out_at = out_at;
        m->allowed = r->electorate == x->electorate && r->members == x->members
                         ? x->members
                         : m->allowed & r->members;
    }
    if (r->electorate > x->electorate ||
        (r->electorate == x->electorate && r->electorate && r->members != x->members)) {
        /* of a reign this one knows nothing of: numbers go on */
        x->electorate = r->electorate + 1;
        x->electorate_after = e->persisted + 1;
        e->persist_due = true;
    }
    if (r->hold != HOLD_NONE) {
        m->maybe = true;
        return;
    }
    if (r->ended >= m->last_hold || new_life)
        m->maybe = false;
}

void slots_report(struct engine *e, int h, struct plan *p)
{
    const struct msg_report *r = &e->host[h].report;

    (void)p;
    if (!e->host[h].heard)
        return;
    for (unsigned i = 0; i < r->n; i++)
        if (r->slot[i].slot >= 0)
            slot_reported(e, h, &r->slot[i]);
}

static void slot_acknowledged(struct slot *x, int h, uint64_t electorate)
{
    if (electorate == x->electorate)
        x->host[h].allowed = x->members;
}

static bool slot_grants(const struct engine *e, int s, int h, uint64_t serial)
{
    const struct slot *x = &e->slot[s];

    if (x->holder != h || (x->releasing && !move_on(e, s)))
        return false;
    return x->adopted || serial == x->host[h].last_hold;
}

void slots_lease(struct engine *e, int h, const struct msg_lease *l, struct plan *p)
{
    struct msg_grant *g;
    struct action *act;
    uint64_t after = 0;

    if (!engine_rules(e) || !e->host[h].heard || l->epoch != e->epoch ||
        l->start_id != e->host[h].report.start_id || p->grants == ARRAY_LEN(p->grant))
        return;
    g = &p->grant[p->grants];
    memset(g, 0, sizeof *g);
    for (unsigned i = 0; i < l->n; i++) {
        int s = l->slot[i].slot;

        if (s < 0 || s >= (int)e->conf.names.slots || !slot_grants(e, s, h, l->slot[i].serial))
            continue;
        slot_acknowledged(&e->slot[s], h, l->slot[i].electorate);
        g->slot[g->n++] =
            (struct grant_slot){s, l->slot[i].serial, e->slot[s].electorate, e->slot[s].members};
        if (e->slot[s].electorate_after > after)
            after = e->slot[s].electorate_after;
        e->slot[s].host[h].maybe = true;
        e->slot[s].host[h].out_at = e->now + host_out(e, h);
    }
    if (!g->n)
        return;
    p->grants++;
    g->epoch = e->epoch;
    snprintf(g->monitor, sizeof g->monitor, "%s", e->identity);
    g->sent_ms = l->sent_ms;
    g->lease_ms = host_lease(e, h);
    act = plan_add(p, ACT_GRANT);
    act->host = h;
    act->grant = g;
    act->after = after > e->epoch_after ? after : e->epoch_after;
}

static void electorate_set(struct engine *e, int s, hostset members)
{
    struct slot *x = &e->slot[s];

    x->electorate++;
    x->members = members;
    x->host[x->holder].allowed &= members;
    x->electorate_after = e->persisted + 1;
    e->persist_due = true;
}

static void electorate_work(struct engine *e, int s)
{
    struct slot *x = &e->slot[s];
    hostset members = 1ull << x->holder;

    for (unsigned h = 0; h < e->conf.names.hosts; h++)
        if (role_candidates(e, e->conf.slot_role[s]) >> h & 1 &&
            (e->host[h].linked || e->now - e->host[h].unlinked_at < host_lease(e, (int)h)))
            members |= 1ull << h;
    if (members != x->members)
        electorate_set(e, s, members);
}

void slot_assign(struct engine *e, int s, int to, struct plan *p)
{
    struct slot *x = &e->slot[s];

    x->holder = to;
    x->adopted = x->releasing = x->fence = x->arrived = false;
    x->target = -1;
    x->gather_since = 0;
    x->journal_holder = -1;
    x->assigned_at = e->now;
    x->waiting[0] = 0;
    for (int c = 0; c < (int)e->conf.names.hosts; c++)
        x->probe = x->probe || (c != to && x->host[c].maybe); /* only silence speaks for it */
    plan_event(e, p, EVENT_NOTE, to, "%s: given to %s%s", slot_name(e, s), host_name(e, to),
               x->probe ? " after silence" : "");
    if (!x->host[to].maybe)
        x->host[to].allowed = ~0ull;
    x->host[to].maybe = true;
    electorate_set(e, s, role_candidates(e, e->conf.slot_role[s]));
    e->host[to].reorder = true;
    if (slot_writable(e, s) && e->story.on && !e->story.assigned)
        e->story.assigned = e->now;
}

void slot_release(struct engine *e, int s, bool fence)
{
    e->slot[s].releasing = true;
    e->slot[s].fence = fence;
}

/* Nobody holds it as far as this monitor knows, but a host says it does, under a running lease. */
static void slot_adopt(struct engine *e, int s, struct plan *p)
{
    struct slot *x = &e->slot[s];
    int found = -1;
    unsigned n = 0;

    for (unsigned h = 0; h < e->conf.names.hosts; h++) {
        const struct report_slot *r = host_live(e, (int)h) ? host_report_slot(e, (int)h, s) : NULL;

        if (!r || r->hold != HOLD_HELD || !r->lease_ms)
            continue;
        n++;
        if (found < 0 || (int)h == x->journal_holder)
            found = (int)h;
    }
    if (found < 0)
        return;
    if (found != x->journal_holder) {
        if (n > 1) {
            if (e->conf.careful_startup && e->mode != MODE_PASSIVE) {
                e->mode = MODE_PASSIVE;
                snprintf(e->passive_why, sizeof e->passive_why, "%u hosts say they hold %s", n,
                         slot_name(e, s));
                plan_event(e, p, EVENT_WARN, -1, "switched to passive mode: %s", e->passive_why);
            }
            return;
        }
        if (x->journal_holder >= 0 && x->host[x->journal_holder].maybe &&
            e->now < x->host[x->journal_holder].out_at)
            return;
    }
    x->holder = found;
    x->adopted = true;
    x->releasing = false;
    x->journal_holder = -1;
    x->waiting[0] = 0;
    plan_event(e, p, EVENT_NOTE, found, "%s: found held by %s, stays there", slot_name(e, s),
               host_name(e, found));
    if (e->host[found].state == UNKNOWN || e->host[found].state == AWAITING_RECOVERY)
        state_set(e, found, ONLINE, "found holding a role", p);
}

static bool slot_must_leave(const struct engine *e, int s)
{
    const struct slot *x = &e->slot[s];
    enum host_state state = e->host[x->holder].state;

    switch (e->mode) {
    case MODE_PASSIVE:
        return false;
    case MODE_MANUAL:
    case MODE_WAIT:
        return state == ADMIN_OFFLINE;
    default:
        break;
    }
    if (state == ONLINE || state == UNKNOWN)
        return false;
    if (state == HARD_OFFLINE &&
        (!host_live(e, x->holder) || /* it can't be told; if it stays so its lease runs out */
         e->now - e->host[x->holder].report_at >= host_lease(e, x->holder) / 4 ||
         (check_good(e, x->holder, CK_PING) && check_good(e, x->holder, CK_MYSQL))))
        return false; /* seen again, it stays, or its checks turn bad again */
    if (slot_writable(e, s) && (state == REPLICATION_DELAY || state == REPLICATION_FAIL))
        return false;
    return !(state == AWAITING_RECOVERY && e->now - x->assigned_at < host_lease(e, x->holder));
}

static void slot_leaving(struct engine *e, int s, struct plan *p)
{
    struct slot *x = &e->slot[s];
    const struct host *h = &e->host[x->holder];

    story_begins(e, s, e->now);
    plan_event(e, p, EVENT_NOTE, x->holder, "%s: %s must let go, it is %s", slot_name(e, s),
               host_name(e, x->holder), host_state_names[h->state]);
    slot_release(e, s, h->state == HARD_OFFLINE);
}

/* It was ordered to take the writable slot and is still not open: somebody else shall. */
static void slot_too_slow(struct engine *e, int s, struct plan *p)
{
    struct slot *x = &e->slot[s];
    int h = x->holder;

    x->assigned_at = e->now;
    if (x->reach[0]) {
        plan_event(e, p, EVENT_WARN, h, "could not reach what %s had: goes on without it, %.600s",
                   host_name(e, x->last), x->reach);
        x->reach[0] = 0;
        return;
    }
    state_set(e, h, REPLICATION_DELAY, "did not catch up in catch_up_timeout", p);
    for (unsigned c = 0; c < e->conf.names.hosts; c++) {
        char why[WHY_LEN];

        if ((int)c != h && slot_fit(e, s, (int)c, false, why, sizeof why))
            slot_release(e, s, false);
    }
}

static bool slot_arrived(const struct engine *e, int s)
{
    int h = e->slot[s].holder;
    const struct report_slot *r = host_live(e, h) ? host_report_slot(e, h, s) : NULL;

    return slot_writable(e, s) ? engine_writer(e) == h : r && r->hold == HOLD_HELD;
}

static void slot_held(struct engine *e, int s, struct plan *p)
{
    struct slot *x = &e->slot[s];
    int h = x->holder;

    x->arrived = x->arrived || x->adopted || slot_arrived(e, s);

    if (!x->host[h].maybe) {
        slot_free(e, s, "released", false, p);
        return;
    }
    if ((!host_live(e, h) || x->releasing) && e->now >= x->host[h].out_at &&
        e->now >= e->grace_until && e->now - x->assigned_at >= host_lease(e, h) / 2) {
        if (!x->releasing || !host_live(e, h) || x->fence) {
            slot_free(e, s, "its lease is surely over", true, p);
            return;
        }
    }
    if (!x->releasing && slot_must_leave(e, s))
        slot_leaving(e, s, p);
    else if (!x->releasing && slot_writable(e, s) && !x->arrived && host_live(e, h) &&
             e->mode == MODE_ACTIVE && e->now - x->assigned_at >= e->conf.catch_up_ms &&
             !move_on(e, s))
        slot_too_slow(e, s, p);
    electorate_work(e, s);
}

static void slot_unheld(struct engine *e, int s, struct plan *p)
{
    struct slot *x = &e->slot[s];
    int to;

    slot_adopt(e, s, p);
    if (x->holder >= 0 || e->mode == MODE_PASSIVE)
        return;
    if (e->mode == MODE_WAIT && !x->forced) {
        snprintf(x->waiting, sizeof x->waiting, "wait mode: the other master may come");
        return;
    }
    to = slot_choose(e, s);
    if (to >= 0 && gather_done(e, s, to, p))
        slot_assign(e, s, to, p);
}

static unsigned balance_count(const struct engine *e, int role, int h, int *movable)
{
    unsigned n = 0;

    *movable = -1;
    for (unsigned s = 0; s < e->conf.names.slots; s++)
        if (e->conf.slot_role[s] == role && e->slot[s].holder == h) {
            n++;
            if (!e->slot[s].pinned)
                *movable = (int)s;
        }
    return n;
}

/* Who has fewest addresses of the role and can take this one; -1 nobody. */
static int balance_least(const struct engine *e, int role, int slot, unsigned *least_n)
{
    int least = -1, movable;
    char why[WHY_LEN];

    for (unsigned i = 0; i < e->conf.role[role].hosts; i++) {
        int h = e->conf.role[role].host[i];
        unsigned n = balance_count(e, role, h, &movable);

        if ((least < 0 || n < *least_n) && slot_fit(e, slot, h, false, why, sizeof why) &&
            slot_clear_for(e, slot, h, why, sizeof why)) {
            least = h;
            *least_n = n;
        }
    }
    return least;
}

/* One address at a time from the host with most to the host with fewest. */
static void role_balance(struct engine *e, int role, struct plan *p)
{
    int most = -1, least, slot = -1;
    unsigned most_n = 0, least_n = 0;

    if (e->conf.role[role].exclusive || e->mode != MODE_ACTIVE)
        return;
    for (unsigned s = 0; s < e->conf.names.slots; s++) {
        if (e->conf.slot_role[s] != role)
            continue;
        if (e->slot[s].holder < 0 || e->slot[s].releasing)
            return;
    }
    for (unsigned i = 0; i < e->conf.role[role].hosts; i++) {
        int h = e->conf.role[role].host[i], movable;
        unsigned n = balance_count(e, role, h, &movable);

        if (movable >= 0 && (most < 0 || n > most_n)) {
            most = h;
            most_n = n;
            slot = movable;
        }
    }
    least = slot < 0 ? -1 : balance_least(e, role, slot, &least_n);
    if (least < 0 || most_n < least_n + 2)
        return;
    plan_event(e, p, EVENT_INFO, most, "%s: moves to %s to balance the role", slot_name(e, slot),
               host_name(e, least));
    e->slot[slot].target = least;
    slot_release(e, slot, false);
}

static void slots_told(struct engine *e, struct plan *p)
{
    int w = engine_writer(e);

    if (!e->story.on || w < 0 || e->slot[e->story.slot].holder != w || !e->story.assigned)
        return;
    plan_event(e, p, EVENT_NOTE, w,
               "failover of %s: %s -> %s in %lld ms (released after %lld, ordered after %lld): %s",
               slot_name(e, e->story.slot), host_name(e, e->story.from), host_name(e, w),
               (long long)(e->now - e->story.began),
               (long long)(e->story.released - e->story.began),
               (long long)(e->story.assigned - e->story.began), e->story.why);
    e->story.on = false;
}

void slots_work(struct engine *e, struct plan *p)
{
    for (unsigned s = 0; s < e->conf.names.slots; s++) {
        if (e->slot[s].holder >= 0)
            slot_held(e, (int)s, p);
        if (e->slot[s].holder < 0)
            slot_unheld(e, (int)s, p);
        if (e->slot[s].holder >= 0 && e->slot[s].pinned && e->slot[s].releasing &&
            e->slot[s].target < 0)
            e->slot[s].pinned = false;
    }
    for (unsigned r = 0; r < e->conf.roles; r++)
        role_balance(e, (int)r, p);
    slots_told(e, p);
}

int64_t slots_deadline(const struct engine *e)
{
    int64_t at = CLOCK_NEVER;

    for (unsigned s = 0; s < e->conf.names.slots; s++) {
        const struct slot *x = &e->slot[s];

        for (unsigned h = 0; h < e->conf.names.hosts; h++) {
            const struct slot_host *m = &x->host[h];

            if (m->maybe && m->out_at > e->now && m->out_at < at &&
                (x->holder < 0 || x->releasing || !host_live(e, x->holder)))
                at = m->out_at;
            if (x->holder < 0 && m->not_before > e->now && m->not_before < at)
                at = m->not_before;
        }
    }
    return at;
}
