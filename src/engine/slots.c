/* SPDX-License-Identifier: GPL-2.0-or-later
 * Who holds what, as far as it is proven: what reports and lease requests say about each slot,
 * giving and releasing it, the electorate. When that is done is in slot_rules.c.
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

/* The host let go of the slot: did it get as far as writing? Seen or not, it may have under a
 * lease, unless it never reached what it had to reach before. */
static bool slot_written(const struct engine *e, int s, int h, bool has_all)
{
    const struct slot *x = &e->slot[s];
    bool leased = x->host[h].out_at >= x->assigned_at + host_out(e, h);

    if (x->arrived || !leased)
        return x->arrived;
    return !has_all || !x->reach[0] || gtid_text_subset(e, h, x->reach, h);
}

/* Who had it before counts on, and what there is to reach, until somebody has written. */
static void slot_was(struct engine *e, int s, int h, bool has_all)
{
    struct slot *x = &e->slot[s];
    const struct msg_report *r = &e->host[h].report;

    if (!slot_written(e, s, h, has_all)) {
        if (x->fetched) /* it was about another candidate's way there */
            x->reach[0] = 0;
        x->fetched = false;
        return;
    }
    x->last = h;
    snprintf(x->reach, sizeof x->reach, "%s", has_all ? r->gtid : "");
    if (!x->arrived)
        x->wrote[0] = 0;
}

void slot_free(struct engine *e, int s, const char *how, bool silent, struct plan *p)
{
    struct slot *x = &e->slot[s];
    int was = x->holder;
    const struct msg_report *r = &e->host[was].report;
    bool has_all =
        slot_writable(e, s) && !x->fence && !silent && r->mysqld == MYSQLD_UP && r->facts;

    plan_event(e, p, EVENT_NOTE, was, "%s: let go by %s: %s", slot_name(e, s), host_name(e, was),
               how);
    slot_was(e, s, was, has_all);
    story_begins(e, s, was, silent);
    story_released(e, s, was, has_all);
    if (silent && x->target < 0)
        x->pinned = false;
    if (silent) /* in good order it begins to be closed in earnest only now */
        x->closing_until = (x->fence ? x->host[was].leaving_since : e->now) + CLOSING_MS;
    x->holder = -1;
    x->releasing = x->adopted = false;
    x->probe = silent;
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

    if (r->hold != HOLD_LEAVING)
        m->leaving_since = 0;
    else if (!m->leaving_since)
        m->leaving_since = e->now;
    m->not_before = r->promised_ms ? e->now + other_clock(r->promised_ms) : 0;
    if (r->hold != HOLD_NONE && (!m->maybe || !m->allowed))
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

    if (!engine_reigns(e) || !e->host[h].heard || l->epoch != e->epoch ||
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
    memcpy(g->monitor, e->identity, sizeof g->monitor);
    g->sent_ms = l->sent_ms;
    g->lease_ms = host_lease(e, h);
    act = plan_add(p, ACT_GRANT);
    act->host = h;
    act->grant = g;
    act->after = after > e->epoch_after ? after : e->epoch_after;
}

/* With on_monitor_loss: keep the holder is its own electorate: it goes on alone, and nobody may
 * follow its silence, whatever a later monitor's configuration says. */
static void electorate_set(struct engine *e, int s, hostset members)
{
    struct slot *x = &e->slot[s];

    x->electorate++;
    x->members = members;
    x->host[x->holder].allowed &= members;
    x->electorate_after = e->persisted + 1;
    e->persist_due = true;
}

/* Who is out comes back only when it is heard; who is in stays for a lease, silent. */
static bool electorate_has(const struct engine *e, int s, int h)
{
    const struct host *x = &e->host[h];

    return x->linked || (e->slot[s].members >> h & 1 && e->now - x->unlinked_at < host_lease(e, h));
}

void electorate_work(struct engine *e, int s)
{
    struct slot *x = &e->slot[s];
    hostset members = 1ull << x->holder;

    for (int h = 0; h < (int)e->conf.names.hosts && !e->conf.keep; h++)
        if (role_candidates(e, e->conf.slot_role[s]) >> h & 1 && electorate_has(e, s, h))
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
    story_assigned(e, s);
    x->accepted = -1;
    x->asked = false;
    x->journal_holder = -1;
    x->assigned_at = e->now;
    for (int c = 0; c < (int)e->conf.names.hosts; c++)
        x->probe = x->probe || (c != to && x->host[c].maybe); /* only silence speaks for it */
    plan_event(e, p, EVENT_NOTE, to, "%s: given to %s%s", slot_name(e, s), host_name(e, to),
               x->probe ? " after silence" : "");
    if (!x->host[to].maybe)
        x->host[to].allowed = ~0ull;
    x->host[to].maybe = true;
    electorate_set(e, s, role_candidates(e, e->conf.slot_role[s]));
    e->host[to].reorder = true;
}

void slot_release(struct engine *e, int s, bool fence)
{
    e->slot[s].releasing = true;
    e->slot[s].fence = fence;
}

/* `at`, if it lies ahead and before `than`. */
static int64_t sooner(const struct engine *e, int64_t at, int64_t than)
{
    return at > e->now && at < than ? at : than;
}

int64_t slots_deadline(const struct engine *e)
{
    int64_t at = CLOCK_NEVER;

    for (unsigned s = 0; s < e->conf.names.slots; s++) {
        const struct slot *x = &e->slot[s];
        bool settled = x->holder >= 0 && !x->releasing && host_live(e, x->holder);

        if (x->holder < 0 && x->gather_since)
            at = sooner(e, x->gather_since + GATHER_MS,
                        sooner(e, x->gather_since + FETCH_MS,
                               sooner(e, x->gather_since + e->conf.salvage_ms, at)));
        if (settled && slot_writable(e, (int)s) && !x->arrived)
            at = sooner(e, x->assigned_at + (x->fetched ? FETCH_MS : e->conf.catch_up_ms), at);
        for (unsigned h = 0; h < e->conf.names.hosts && !settled; h++) {
            const struct slot_host *m = &x->host[h];

            if (m->maybe && !e->conf.keep)
                at = sooner(e, m->out_at, at);
            if (x->holder < 0)
                at = sooner(e, m->not_before, at);
        }
    }
    return at;
}
