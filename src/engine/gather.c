/* SPDX-License-Identifier: GPL-2.0-or-later
 * Before a new writer is named without its predecessor's help: everybody stops receiving and
 * applies what he has, so that it is known who has most; and if somebody else has more than the
 * chosen one, that is fetched from him first. Nobody is waited for for
 * long. */
#include "engine/engine_internal.h"

#include <inttypes.h>

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

/* With data_loss never what can still be had is waited for, for as long as it takes. */
static bool gather_patient(const struct engine *e, int s, int to, int64_t ms)
{
    int64_t since = e->slot[s].gather_since;

    return !since || e->now - since < ms || tail_unaccepted(e, s, to);
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

/* Its receiver runs and is connected to `from`: what is missing comes by itself. */
static bool gather_receives(const struct engine *e, int s, int to, int from)
{
    const struct host *h = &e->host[to];
    bool as_ordered = h->order.follow == FOLLOW_SOURCE && h->order.source == from &&
                      h->report.settled >= h->order.serial;

    return h->report.source == from && h->report.receiver == RECEIVER_YES &&
           (!e->slot[s].gather_since || as_ordered);
}

/* It gave up the dead writer's binary log, where part of what it lacked is purged; since then it
 * fetched that from somebody else, as far as it was to be had. */
static bool gather_nearer(const struct engine *e, int s, int to, int who)
{
    const struct slot *x = &e->slot[s];

    return who == to && x->gather_since && x->fetch_by == to && x->fetch_from >= 0 &&
           x->fetch_from != x->last;
}

/* Once it has what `from` lends, the rest may be had from the dead writer after all. */
static bool gather_then_tail(const struct engine *e, int s, int to, int from)
{
    int last = e->slot[s].last;

    return last >= 0 && last != from && tail_unsalvaged(e, s, to) && tail_ready(e, last) &&
           !gather_has_all_of(e, from, last);
}

/* The dead writer's binary log, if neither `to` nor `who`, from whom it would fetch, has all of it.
 */
static enum gather gather_tail(const struct engine *e, int s, int to, int who, int *from)
{
    int last = e->slot[s].last;
    bool given_up = e->conf.data_loss == LOSS_ALLOW ||
                    (tail_unsalvaged(e, s, to) && !gather_nearer(e, s, to, who)) ||
                    place_used(e, to); /* without GTID a slice can't be compared */
    bool in_time =
        !e->slot[s].gather_since || e->now - e->slot[s].gather_since < e->conf.salvage_ms;

    if (last < 0 || last == to || given_up)
        return GATHER_DONE;
    if (tail_closing(e, s))
        return GATHER_TAIL;
    if (tail_away(e, last))
        return gather_time(e, s) < FETCH_MS ? GATHER_TAIL : GATHER_DONE;
    if (tail_coming(e, last))
        return in_time ? GATHER_TAIL : GATHER_DONE;
    if (!tail_ready(e, last) || gtid_text_subset(e, last, e->host[last].report.gtid, to) ||
        gtid_text_subset(e, last, e->host[last].report.gtid, who))
        return GATHER_DONE;
    *from = last;
    return gather_patient(e, s, to, e->conf.salvage_ms) ? GATHER_FETCH : GATHER_DONE;
}

/* The last holder let go in good order and has all there is. It is fetched while `to` holds
 * nothing yet, if it doesn't receive from there anyway. */
static enum gather gather_reach(const struct engine *e, int s, int to, int *from)
{
    const struct slot *x = &e->slot[s];
    const struct host *last = x->last < 0 ? NULL : &e->host[x->last];
    enum gather tail;

    if (!last || gtid_text_subset(e, to, x->reach, to) || gather_receives(e, s, to, x->last))
        return GATHER_DONE;
    tail = gather_tail(e, s, to, to, from);
    if (tail != GATHER_DONE)
        return tail;
    *from = x->last;
    if (host_live(e, x->last) && last->report.mysqld == MYSQLD_UP && last->report.facts)
        return gather_patient(e, s, to, FETCH_MS) ? GATHER_FETCH : GATHER_DONE;
    return gather_time(e, s) < FETCH_MS ? GATHER_WAIT : GATHER_DONE;
}

/* Its server was started again before its binary log was handed over, and has all of it. */
static bool gather_returned(const struct engine *e, int s, int to)
{
    int last = e->slot[s].last;

    return last != to && tail_returned(e, s, to) && e->conf.data_loss != LOSS_ALLOW &&
           gather_time(e, s) < (host_live(e, last) ? e->conf.salvage_ms : FETCH_MS);
}

static enum gather gather_missing(const struct engine *e, int s, int to, int *from)
{
    const struct slot *x = &e->slot[s];
    enum gather tail;
    int ahead;

    if (!gather_all(e, s))
        return GATHER_STOP;
    if (gather_returned(e, s, to))
        return GATHER_TAIL;
    ahead = gather_ahead(e, s, to);
    tail =
        gather_tail(e, s, to, ahead >= 0 && gather_patient(e, s, to, FETCH_MS) ? ahead : to, from);
    if (tail != GATHER_DONE)
        return tail;
    if (ahead < 0)
        return GATHER_DONE;
    *from = ahead;
    if (!gather_patient(e, s, to, FETCH_MS))
        return GATHER_DONE;
    return !tail_never(e) && !gather_then_tail(e, s, to, ahead) && x->fetch_by == to &&
                   x->fetch_from == ahead && x->gather_since && gather_receives(e, s, to, ahead)
               ? GATHER_DONE
               : GATHER_FETCH;
}

/* In a planned move: the old holder told what there is to reach, or runs and has no transaction. */
static bool gather_told(const struct engine *e, int s)
{
    const struct slot *x = &e->slot[s];
    const struct msg_report *r = &e->host[e->move.from].report;

    if (!move_on(e, s))
        return false;
    return x->reach[0] ||
           (host_live(e, e->move.from) && r->mysqld == MYSQLD_UP && r->facts && !r->gtid[0]);
}

static enum gather gather_next(const struct engine *e, int s, int to, int *from)
{
    const struct slot *x = &e->slot[s];
    enum gather next = GATHER_DONE;

    *from = -1;
    if (!slot_writable(e, s) ||
        (to == x->last && x->wrote[0])) /* else it is not known that it got as far as writing */
        return GATHER_DONE;
    if (x->reach[0] && !x->forced && place_used(e, to) && !gather_all(e, s))
        return GATHER_STOP; /* once there is a new writer it is too late: engine/place.c */
    if (!x->forced)
        next = x->reach[0] ? gather_reach(e, s, to, from) : gather_missing(e, s, to, from);
    if (next == GATHER_FETCH && gather_time(e, s) >= e->conf.salvage_ms)
        next = GATHER_DONE; /* it goes on, but what if that never ends? */
    if (next == GATHER_DONE && !gather_told(e, s) && tail_unaccepted(e, s, to))
        next = GATHER_ASK;
    return next;
}

enum gather gather_state(const struct engine *e, int s, int to)
{
    int from;

    return gather_next(e, s, to, &from);
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
    return gather_state(e, s, to) != GATHER_DONE;
}

static int64_t gather_left(const struct engine *e, int s)
{
    bool away = tail_away(e, e->slot[s].last);
    int64_t left = (away ? FETCH_MS : e->conf.salvage_ms) - gather_time(e, s);

    return left > 0 ? left : 0;
}

void gather_waits(const struct engine *e, int s, int to, char *out, size_t size)
{
    int from = -1;

    switch (gather_next(e, s, to, &from)) {
    case GATHER_STOP:
        snprintf(out, size, "everybody applies what was received");
        return;
    case GATHER_TAIL:
        if (tail_closing(e, s)) {
            snprintf(out, size,
                     "the server of %s, which does not answer, is closed for writes or killed, in "
                     "%" PRId64 " ms at most",
                     host_name(e, e->slot[s].last), e->slot[s].closing_until - e->now);
            return;
        }
        if (tail_returned(e, s, to)) {
            snprintf(out, size, "what the server of %s has, which is up again, is not known yet",
                     host_name(e, e->slot[s].last));
            return;
        }
        snprintf(out, size,
                 "the agent of %s reads its dead server's binary log, for %" PRId64 " ms at most",
                 host_name(e, e->slot[s].last), gather_left(e, s));
        return;
    case GATHER_WAIT:
        snprintf(out, size, "%s has what %s lacks and does not answer: waits %d s at most",
                 host_name(e, from), host_name(e, to), FETCH_MS / 1000);
        return;
    case GATHER_ASK:
        tail_asks(e, s, to, out, size);
        return;
    default: {
        const char *problem = e->host[to].report.problem;
        bool trying = e->slot[s].fetch_by == to && e->slot[s].fetch_from == from && *problem;

        snprintf(out, size, "%s fetches from %s%s what it doesn't have yet%s%.140s",
                 host_name(e, to), host_name(e, from),
                 from >= 0 && tail_ready(e, from) ? "'s binary log" : "", trying ? ": " : "",
                 trying ? problem : "");
    }
    }
}

void gather_go(struct engine *e, int s, int to, struct plan *p)
{
    struct slot *x = &e->slot[s];
    char why[WHY_LEN];
    int from = -1;
    enum gather next = gather_next(e, s, to, &from);
    bool fetch = next == GATHER_FETCH || (next == GATHER_ASK && from >= 0);

    if (!x->gather_since) {
        x->gather_since = e->now;
        x->unsalvaged = 0;
        x->fetch_by = x->fetch_from = -1;
    }
    if (!fetch)
        return;
    story_fetches(e, s, to, from);
    if ((x->fetch_by != to || x->fetch_from != from) && (!x->reach[0] || tail_ready(e, from))) {
        gather_waits(e, s, to, why, sizeof why);
        if (next == GATHER_FETCH)
            plan_event(e, p, EVENT_NOTE, to, "%s", why);
    }
    if (from == x->last)
        x->unsalvaged &= ~(1ull << to); /* it is tried once more */
    x->fetch_by = to;
    x->fetch_from = from;
}

/* What `h` follows meanwhile; nothing is said before gathering has begun. */
void gather_follow(const struct engine *e, int s, int h, struct msg_order *o)
{
    const struct slot *x = &e->slot[s];
    const struct msg_order *was = &e->host[h].order;

    if (x->holder >= 0 || !x->gather_since)
        return;
    o->follow = h == x->fetch_by ? FOLLOW_SOURCE : FOLLOW_NONE;
    o->source = h == x->fetch_by ? x->fetch_from : -1;
    o->tail = o->source >= 0 && tail_ready(e, o->source);
    o->hear = o->follow == FOLLOW_NONE && !x->reach[0] &&
              (was->hear || was->follow != FOLLOW_NONE); /* else it follows nobody already */
    if (o->tail)
        memcpy(o->reach, e->host[o->source].report.gtid,
               strlen(e->host[o->source].report.gtid) + 1);
    else if (place_used(e, h) && o->follow == FOLLOW_NONE && e->host[h].report.source == x->last &&
             h != x->last)
        snprintf(o->reach, sizeof o->reach, "%s", x->reach);
}
