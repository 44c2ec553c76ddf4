/* SPDX-License-Identifier: GPL-2.0-or-later
 * Before a new writer is named without its predecessor's help: everybody stops receiving and
 * applies what he has, so that it is known who has most; and if somebody else has more than the
 * chosen one, that is fetched from him first. Nobody is waited for for
 * long. */
#include "engine/engine_internal.h"

/* Who wrote last counts whatever his state: what he has is what there is. Who is kept behind has
 * nothing that others lack, and would take long to say so. */
static bool gather_counts(const struct engine *e, int s, int h)
{
    const struct host *x = &e->host[h];

    if (x->report.traits.delay_s && e->slot[s].last != h)
        return false;

    return host_live(e, h) && x->report.mysqld == MYSQLD_UP && x->report.facts && !x->extra[0] &&
           (x->state == ONLINE || x->state == REPLICATION_DELAY || e->slot[s].last == h);
}

static bool gather_stopped(const struct engine *e, int h)
{
    const struct host *x = &e->host[h];

    return x->order.serial && x->order.follow == FOLLOW_NONE &&
           x->order.start_id == x->report.start_id && x->report.settled >= x->order.serial;
}

static int64_t gather_time(const struct engine *e, int s)
{
    return e->slot[s].gather_since ? e->now - e->slot[s].gather_since : 0;
}

static bool gather_all(const struct engine *e, int s)
{
    if (gather_time(e, s) >= GATHER_MS)
        return true;
    for (unsigned h = 0; h < e->conf.names.hosts; h++)
        if (gather_counts(e, s, (int)h) && !gather_stopped(e, (int)h) &&
            !(e->slot[s].gather_since && (int)h == e->slot[s].fetch_by))
            return false;
    return true;
}

static bool gather_has_all_of(const struct engine *e, int a, int b)
{
    return gtid_text_subset(e, b, e->host[b].report.gtid, a);
}

/* It has something that `than` lacks, and both can be read. */
static bool gather_has_more(const struct engine *e, int s, int h, int than)
{
    return h != than && gather_counts(e, s, h) && !gather_has_all_of(e, than, h) &&
           gather_has_all_of(e, h, h) && gather_has_all_of(e, than, than);
}

/* Somebody who can lend what `to` lacks: who has everything `to` has, and most; else, where each
 * has something the other lacks, the first in the file's order; -1 nobody. */
static int gather_ahead(const struct engine *e, int s, int to)
{
    int best = to, other = -1;

    for (int h = 0; h < (int)e->conf.names.hosts; h++) {
        if (!gather_has_more(e, s, h, best) || !fit_lends(e, h, to))
            continue;
        if (gather_has_all_of(e, h, best))
            best = h;
        else if (best == to && other < 0)
            other = h;
    }
    return best == to ? other : best;
}

/* What others have and `to` will not get before it opens is told. */
static void gather_tell_missing(struct engine *e, int s, int to, struct plan *p)
{
    const struct slot *x = &e->slot[s];
    char missing[PROBLEM_LEN];

    for (int h = 0; h < (int)e->conf.names.hosts; h++) {
        if (!gather_has_more(e, s, h, to) || (x->fetched && gather_has_all_of(e, x->fetch_from, h)))
            continue;
        gtid_text_extra(e, h, e->host[h].report.gtid, to, missing, sizeof missing);
        plan_event(e, p, EVENT_WARN, to, "goes on without what %s has%s: %s", host_name(e, h),
                   fit_lends(e, h, to)     ? " and it could not fetch in time"
                   : place_lends(e, h, to) ? " and can't lend (binary log off, or other filters)"
                                           : " (without GTID nothing is fetched from there)",
                   missing);
    }
}

/* What is still to be done before `to` may open: nothing, all stop and apply, fetch from somebody.
 */
enum gather { GATHER_DONE, GATHER_STOP, GATHER_FETCH, GATHER_WAIT };

/* Its receiver runs and is connected to `from`: what is missing comes by itself. */
static bool gather_receives(const struct engine *e, int s, int to, int from)
{
    const struct host *h = &e->host[to];
    bool as_ordered = h->order.follow == FOLLOW_SOURCE && h->order.source == from &&
                      h->report.settled >= h->order.serial;

    return h->report.source == from && h->report.receiver == RECEIVER_YES &&
           (!e->slot[s].gather_since || as_ordered);
}

/* The last holder let go in good order and has all there is. It is fetched while `to` holds
 * nothing yet, if it doesn't receive from there anyway. */
static enum gather gather_reach(const struct engine *e, int s, int to, int *from)
{
    const struct slot *x = &e->slot[s];
    const struct host *last = x->last < 0 ? NULL : &e->host[x->last];

    *from = x->last;
    if (!last || gtid_text_subset(e, to, x->reach, to) || gather_receives(e, s, to, x->last) ||
        gather_time(e, s) >= FETCH_MS)
        return GATHER_DONE;
    return host_live(e, x->last) && last->report.mysqld == MYSQLD_UP && last->report.facts
               ? GATHER_FETCH
               : GATHER_WAIT;
}

static enum gather gather_next(const struct engine *e, int s, int to, int *from)
{
    const struct slot *x = &e->slot[s];

    if (!slot_writable(e, s) || x->forced ||
        (to == x->last && x->wrote[0])) /* else it is not known that it got as far as writing */
        return GATHER_DONE;
    if (x->reach[0] && place_used(e, to) && !gather_all(e, s))
        return GATHER_STOP; /* once there is a new writer it is too late: engine/place.c */
    if (x->reach[0])
        return gather_reach(e, s, to, from);
    if (!gather_all(e, s))
        return GATHER_STOP;
    *from = gather_ahead(e, s, to);
    if (*from < 0 || gather_time(e, s) >= FETCH_MS)
        return GATHER_DONE;
    return x->fetch_by == to && x->fetch_from == *from && x->gather_since &&
                   gather_receives(e, s, to, *from)
               ? GATHER_DONE
               : GATHER_FETCH;
}

/* `to` gets the slot now. What is still on its way to it from somebody who has more is what it has
 * to reach. */
void gather_end(struct engine *e, int s, int to, struct plan *p)
{
    struct slot *x = &e->slot[s];

    x->fetched = false;
    if (x->reach[0] && !move_on(e, s) && !gtid_text_subset(e, to, x->reach, to) &&
        !(x->last >= 0 && gather_receives(e, s, to, x->last))) {
        plan_event(e, p, EVENT_WARN, to, "could not reach what %s had: goes on without it, %.600s",
                   host_name(e, x->last), x->reach);
        x->reach[0] = 0;
    }
    if (!x->gather_since || x->reach[0])
        return;
    if (x->fetch_by == to && gather_receives(e, s, to, x->fetch_from) &&
        e->host[x->fetch_from].report.facts) {
        memcpy(x->reach, e->host[x->fetch_from].report.gtid,
               strlen(e->host[x->fetch_from].report.gtid) + 1);
        x->fetched = true;
    }
    gather_tell_missing(e, s, to, p);
}

bool gather_open(const struct engine *e, int s, int to)
{
    int from;

    return gather_next(e, s, to, &from) != GATHER_DONE;
}

void gather_waits(const struct engine *e, int s, int to, char *out, size_t size)
{
    int from = -1;

    switch (gather_next(e, s, to, &from)) {
    case GATHER_STOP:
        snprintf(out, size, "everybody applies what was received");
        return;
    case GATHER_WAIT:
        snprintf(out, size, "%s has what %s lacks and does not answer: waits %d s at most",
                 host_name(e, from), host_name(e, to), FETCH_MS / 1000);
        return;
    default: {
        const char *problem = e->host[to].report.problem;
        bool trying = e->slot[s].fetch_by == to && e->slot[s].fetch_from == from && *problem;

        snprintf(out, size, "%s fetches from %s what it doesn't have yet%s%.140s", host_name(e, to),
                 host_name(e, from), trying ? ": " : "", trying ? problem : "");
    }
    }
}

void gather_go(struct engine *e, int s, int to, struct plan *p)
{
    struct slot *x = &e->slot[s];
    char why[WHY_LEN];
    int from = -1;
    bool fetch = gather_next(e, s, to, &from) == GATHER_FETCH;

    if (!x->gather_since) {
        x->gather_since = e->now;
        x->fetch_by = x->fetch_from = -1;
    }
    if (!fetch)
        return;
    if ((x->fetch_by != to || x->fetch_from != from) && !x->reach[0]) {
        gather_waits(e, s, to, why, sizeof why);
        plan_event(e, p, EVENT_NOTE, to, "%s", why);
    }
    x->fetch_by = to;
    x->fetch_from = from;
}

/* What `h` follows meanwhile; nothing is said before gathering has begun. */
void gather_follow(const struct engine *e, int s, int h, struct msg_order *o)
{
    const struct slot *x = &e->slot[s];

    if (x->holder >= 0 || !x->gather_since)
        return;
    o->follow = h == x->fetch_by ? FOLLOW_SOURCE : FOLLOW_NONE;
    o->source = h == x->fetch_by ? x->fetch_from : -1;
    if (place_used(e, h) && o->follow == FOLLOW_NONE && e->host[h].report.source == x->last &&
        h != x->last)
        snprintf(o->reach, sizeof o->reach, "%s", x->reach);
}
