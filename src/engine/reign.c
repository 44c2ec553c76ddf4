/* SPDX-License-Identifier: GPL-2.0-or-later
 * Who reigns: epochs, a new identity that first asks everybody, a
 * monitor that learns that it is deposed or that its journal is an old one. */
#include "engine/engine_internal.h"

#include <inttypes.h>

enum { OUTBID_MS = 30000, HEARD_LATELY_MS = 5000 };

/* A new epoch: nobody has accepted it yet, everything said before is void. */
void reign_begins(struct engine *e, uint64_t epoch, struct plan *p)
{
    e->epoch = epoch;
    e->serial = 0;
    e->epoch_after = e->persisted + 1;
    e->next_beat = e->now;
    for (unsigned h = 0; h < e->conf.names.hosts; h++) {
        e->host[h].heard = e->host[h].told = false;
        memset(&e->host[h].order, 0, sizeof e->host[h].order);
        e->host[h].order.source = -1;
    }
    for (unsigned s = 0; s < e->conf.names.slots; s++)
        for (unsigned h = 0; h < e->conf.names.hosts; h++) {
            struct slot_host *m = &e->slot[s].host[h];

            m->last_hold = 0;
            m->maybe = role_candidates(e, e->conf.slot_role[s]) >> h & 1;
            m->out_at = e->now + host_out(e, (int)h);
        }
    plan_event(e, p, EVENT_NOTE, -1, "epoch %" PRIu64 " begins", epoch);
}

/* An agent obeys an epoch of this monitor that it never began: the journal is an old one, brought
 * back. Whom it lets take what may long be wrong, so it starts as one that knows nothing. */
static void reign_forgetful(struct engine *e, int h, uint64_t epoch, struct plan *p)
{
    plan_event(e, p, EVENT_WARN, h,
               "obeys epoch %" PRIu64 " of this monitor, of which its journal knows nothing: the "
               "journal is an old one; starting like a new monitor",
               epoch);
    move_given_up(e, "this monitor's journal is an old one", p);
    memcpy(e->identity, e->fresh_identity, sizeof e->identity);
    e->reign = REIGN_WAITING;
    if (e->epoch > e->epoch_seen)
        e->epoch_seen = e->epoch;
    for (unsigned s = 0; s < e->conf.names.slots; s++) {
        struct slot *x = &e->slot[s];

        x->members = role_candidates(e, e->conf.slot_role[s]);
        x->electorate = 0;
        x->holder = x->journal_holder = x->target = x->last = -1;
        x->reach[0] = x->wrote[0] = 0;
        x->gather_since = 0;
        x->forced = false;
        x->adopted = x->releasing = x->fence = x->arrived = x->pinned = false;
        for (unsigned i = 0; i < e->conf.names.hosts; i++) {
            x->host[i].allowed = ~0ull;
            x->host[i].maybe = false;
        }
    }
}

void reign_refused(struct engine *e, int h, uint64_t epoch, const char *by, struct plan *p)
{
    bool own = strcmp(by, e->identity) == 0;

    if (epoch > e->epoch_seen)
        e->epoch_seen = epoch;
    if (epoch < e->epoch || e->reign == REIGN_DEPOSED || e->reign == REIGN_WAITING)
        return;
    if (own && epoch == e->epoch && e->host[h].told)
        return;
    if (e->take_over && e->now - e->started_at < OUTBID_MS) {
        reign_begins(e, epoch + 1, p);
        return;
    }
    if (own) {
        reign_forgetful(e, h, epoch, p);
        return;
    }
    move_given_up(e, "this monitor was deposed", p);
    e->reign = REIGN_DEPOSED;
    snprintf(e->reign_why, sizeof e->reign_why,
             "deposed: %s obeys monitor %s, epoch %" PRIu64
             "; this one stays passive until it is started with --take-over",
             host_name(e, h), by, epoch);
    plan_event(e, p, EVENT_WARN, -1, "%s", e->reign_why);
}

/* Whom this agent obeys; false: this monitor may not claim the reign because of it. */
static bool reign_allowed(struct engine *e, int h)
{
    const struct host *x = &e->host[h];
    size_t len = strlen(e->conf.monitor);

    if (!x->linked) {
        snprintf(e->reign_why, sizeof e->reign_why,
                 "new here: every candidate's agent has to be asked first, %s does not answer",
                 host_name(e, h));
        return false;
    }
    if (!x->agent_obeys[0])
        return true;
    if (strncmp(x->agent_obeys, e->conf.monitor, len) != 0 || x->agent_obeys[len] != '.') {
        snprintf(e->reign_why, sizeof e->reign_why,
                 "%s obeys monitor %s: this one stays passive; to take over from it: hamm monitor "
                 "--take-over",
                 host_name(e, h), x->agent_obeys);
        return false;
    }
    if (x->agent_heard_ms >= 0 && x->agent_heard_ms < HEARD_LATELY_MS) {
        snprintf(e->reign_why, sizeof e->reign_why,
                 "%s has just heard another monitor named %s: is one running elsewhere?",
                 host_name(e, h), e->conf.monitor);
        return false;
    }
    return true;
}

static hostset reign_candidates(const struct engine *e)
{
    hostset all = 0;

    for (unsigned r = 0; r < e->conf.roles; r++)
        all |= role_candidates(e, (int)r);
    return all;
}

void reign_claim(struct engine *e, struct plan *p)
{
    char before[WHY_LEN];

    memcpy(before, e->reign_why, sizeof before);
    for (unsigned h = 0; h < e->conf.names.hosts; h++) {
        if (!(reign_candidates(e) >> h & 1))
            continue;
        if (e->reign == REIGN_WAITING && !reign_allowed(e, (int)h)) {
            if (strcmp(before, e->reign_why) != 0)
                plan_event(e, p, EVENT_WARN, -1, "%s", e->reign_why);
            return;
        }
        if (e->reign == REIGN_CLAIMING && !e->host[h].heard)
            return;
    }
    if (e->reign == REIGN_WAITING) {
        e->reign = REIGN_CLAIMING;
        reign_begins(e, e->epoch_seen + 1, p);
        snprintf(e->reign_why, sizeof e->reign_why,
                 "waiting until every agent accepted epoch "
                 "%" PRIu64,
                 e->epoch);
        return;
    }
    e->reign = REIGN_YES;
    e->reign_why[0] = 0;
    plan_event(e, p, EVENT_NOTE, -1, "every agent accepted epoch %" PRIu64 ": this monitor reigns",
               e->epoch);
}
