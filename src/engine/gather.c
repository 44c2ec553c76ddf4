/* SPDX-License-Identifier: GPL-2.0-or-later
 * Before a new writer is named without its predecessor's help: everybody stops receiving and
 * applies what he has, so that it is known who has most; and if somebody else has more than the
 * chosen one, that is fetched from him first. Nobody is waited for for
 * long. */
#include "engine/engine_internal.h"

enum { GATHER_MS = 500, FETCH_MS = 5000 };

static bool gather_counts(const struct engine *e, int h)
{
    const struct host *x = &e->host[h];

    return host_live(e, h) && x->report.mysqld == MYSQLD_UP && x->report.facts && !x->extra[0] &&
           (x->state == ONLINE || x->state == REPLICATION_DELAY);
}

static bool gather_stopped(const struct engine *e, int h)
{
    const struct host *x = &e->host[h];

    return x->order.serial && x->order.follow == FOLLOW_NONE &&
           x->order.start_id == x->report.start_id && x->report.settled >= x->order.serial;
}

static bool gather_all(const struct engine *e, int s)
{
    if (e->now - e->slot[s].gather_since >= GATHER_MS)
        return true;
    for (unsigned h = 0; h < e->conf.names.hosts; h++)
        if (gather_counts(e, (int)h) && !gather_stopped(e, (int)h))
            return false;
    return true;
}

/* Somebody who has everything `to` has, and more; -1 nobody. */
static int gather_ahead(const struct engine *e, int to)
{
    int best = to;

    for (int h = 0; h < (int)e->conf.names.hosts; h++)
        if (h != best && gather_counts(e, h) &&
            gtid_text_subset(e, best, e->host[best].report.gtid, h) &&
            !gtid_text_subset(e, h, e->host[h].report.gtid, best))
            best = h;
    return best == to ? -1 : best;
}

/* The last holder let go in good order and has all there is. It is fetched while `to` holds
 * nothing yet, if it doesn't receive from there anyway. */
static bool gather_reach(struct engine *e, int s, int to)
{
    struct slot *x = &e->slot[s];
    const struct host *h = &e->host[to];

    if (gtid_text_subset(e, x->last, x->reach, to) || !host_live(e, x->last) ||
        (h->report.source == x->last && h->report.receiver == RECEIVER_YES && !x->gather_since))
        return true;
    if (!x->gather_since)
        x->gather_since = e->now;
    if (e->now - x->gather_since >= FETCH_MS)
        return true;
    x->fetch_by = to;
    x->fetch_from = x->last;
    snprintf(x->waiting, sizeof x->waiting, "%s fetches the last transactions from %s",
             host_name(e, to), host_name(e, x->last));
    return false;
}

/* True: `to` has all that can be had, the slot may be given to it. */
bool gather_done(struct engine *e, int s, int to, struct plan *p)
{
    struct slot *x = &e->slot[s];
    char why[WHY_LEN];
    int ahead;

    if (!slot_writable(e, s) || move_on(e, s) || x->forced || to == x->last)
        return true;
    if (x->reach[0])
        return gather_reach(e, s, to);
    if (!x->gather_since) {
        x->gather_since = e->now;
        x->fetch_by = x->fetch_from = -1;
    }
    if (!gather_all(e, s)) {
        snprintf(x->waiting, sizeof x->waiting, "everybody applies what was received");
        return false;
    }
    ahead = gather_ahead(e, to);
    if (ahead < 0 || e->now - x->gather_since >= FETCH_MS)
        return true;
    snprintf(why, sizeof why, "%s fetches from %s what it doesn't have yet", host_name(e, to),
             host_name(e, ahead));
    if (x->fetch_by != to || x->fetch_from != ahead)
        plan_event(e, p, EVENT_NOTE, to, "%s", why);
    x->fetch_by = to;
    x->fetch_from = ahead;
    memcpy(x->waiting, why, sizeof x->waiting);
    return false;
}

/* What `h` follows meanwhile; nothing is said before gathering has begun. */
void gather_follow(const struct engine *e, int s, int h, struct msg_order *o)
{
    const struct slot *x = &e->slot[s];

    if (x->holder >= 0 || !x->gather_since)
        return;
    o->follow = h == x->fetch_by ? FOLLOW_SOURCE : FOLLOW_NONE;
    o->source = h == x->fetch_by ? x->fetch_from : -1;
}
