/* SPDX-License-Identifier: GPL-2.0-or-later
 * What each agent is told: hold these, follow that. Worked out anew at every step; a new order goes
 * out when it differs from the last one said. Nobody is told to follow the writer before everything
 * it has was found in what the writer has. */
#include "engine/engine_internal.h"

enum {
    SAMPLE_PATIENCE_MS = 2000,
    SLOW_ANSWER_MS = 1000,
    COMPARE_MS = 5000, /* whoever was clean and runs is compared again */
    RESEND_MS = 500,
};

/* It replicates from the writer as it should and was not away: it is compared while it runs. */
static bool order_runs(const struct engine *e, int h, int w)
{
    const struct host *x = &e->host[h];

    return x->report.source == w && x->report.receiver == RECEIVER_YES && x->report.applier &&
           (x->state == ONLINE || x->state == REPLICATION_DELAY || x->state == REPLICATION_FAIL) &&
           !(x->order.serial && x->order.follow == FOLLOW_NONE);
}

/* The sample is not in what the writer has, and the writer was asked after it was taken: later by
 * what an answer may be slow and a report held up without being noticed. */
static bool sample_convicts(const struct engine *e, int h, int w)
{
    const struct host *x = &e->host[h], *writer = &e->host[w];

    return e->now - x->sample_at >= SAMPLE_PATIENCE_MS &&
           writer->facts_at - x->sample_at >= SLOW_ANSWER_MS + report_gap(e) &&
           e->now - writer->steady_since >= SAMPLE_PATIENCE_MS;
}

static void sample_take(struct engine *e, struct host *x)
{
    memcpy(x->sample, x->report.gtid, strlen(x->report.gtid) + 1);
    x->sampled = true;
    x->sample_at = e->now;
}

/* From here on until it is cleared, what the sample has and the writer lacks is its own for sure.
 */
static void host_convicted(struct engine *e, int h, int w, struct plan *p)
{
    struct host *x = &e->host[h];
    char extra[PROBLEM_LEN];

    gtid_text_extra(e, h, x->sample, w, extra, sizeof extra);
    x->clean = x->sampled = false;
    if (strcmp(extra, x->extra) == 0)
        return;
    memcpy(x->extra, extra, sizeof x->extra);
    x->aside_told = TAIL_NONE;
    plan_event(e, p, EVENT_WARN, h, "has transactions the writer %s doesn't have: %s",
               host_name(e, w), x->extra);
}

/* It is convicted: have some come since? */
static void order_look_for_more(struct engine *e, int h, int w, struct plan *p)
{
    struct host *x = &e->host[h];

    if (!x->sampled && strcmp(x->sample, x->report.gtid) != 0)
        sample_take(e, x);
    else if (x->sampled && sample_convicts(e, h, w))
        host_convicted(e, h, w, p);
}

/* What its agent made of it is told once. */
static void order_tell_aside(struct engine *e, int h, struct plan *p)
{
    struct host *x = &e->host[h];
    const char *text;
    enum tail now = engine_aside(e, h, &text);

    if (now == x->aside_told || now == TAIL_READING)
        return;
    x->aside_told = now;
    if (now == TAIL_READY)
        plan_event(e, p, EVENT_NOTE, h,
                   "what it alone has is kept in %s; hamm ctl explain %s says "
                   "what can be done",
                   text, host_name(e, h));
    else if (now == TAIL_FAILED)
        plan_event(e, p, EVENT_WARN, h, "what it alone has is not kept: %s", text);
}

/* Somebody with enough rights can write to a replica while it runs. */
static void order_recompare(struct engine *e, int h, int w, struct plan *p)
{
    struct host *x = &e->host[h];

    if (!x->sampled) {
        if (e->now - x->sample_at >= COMPARE_MS && order_runs(e, h, w))
            sample_take(e, x);
    } else if (e->host[w].report_at < x->sample_at) {
        return; /* nothing new to compare with */
    } else if (gtid_text_subset(e, h, x->sample, w)) {
        x->sampled = false;
    } else if (sample_convicts(e, h, w)) {
        host_convicted(e, h, w, p);
    }
}

static void host_cleared(struct engine *e, int h, struct plan *p)
{
    struct host *x = &e->host[h];

    x->sampled = false;
    x->clean = true;
    if (!x->extra[0])
        return;
    x->extra[0] = 0;
    plan_event(e, p, EVENT_NOTE, h, "it may follow the writer now");
    if (x->state == REPLICATION_FAIL)
        state_set(e, h, AWAITING_RECOVERY, "it may follow the writer now", p);
}

/* By file and position: what has stopped is compared, for what runs from the writer its place in
 * the writer's log is as good as a set. */
static void order_compare_places(struct engine *e, int h, int w, struct plan *p)
{
    struct host *x = &e->host[h];
    char why[PROBLEM_LEN];

    switch (place_compare(e, h, w, why, sizeof why)) {
    case PLACE_UNSURE:
        x->sampled = false;
        return;
    case PLACE_CLEAN:
        host_cleared(e, h, p);
        return;
    case PLACE_NEVER:
        if (!x->sampled)
            sample_take(e, x);
        if (!sample_convicts(e, h, w) || strcmp(x->extra, why) == 0)
            return;
        memcpy(x->extra, why, sizeof x->extra);
        plan_event(e, p, EVENT_WARN, h, "cannot follow the writer %s: %s", host_name(e, w), why);
    }
}

/* It follows nobody, as ordered, and is closed: who was the writer says what it had when it was
 * open until it has settled for less than that. */
static bool order_stands_still(const struct engine *e, int h)
{
    const struct host *x = &e->host[h];
    int s = engine_active_slot(e);

    return x->order.serial && x->order.follow == FOLLOW_NONE &&
           !(s >= 0 && x->order.hold >> s & 1) && x->report.settled >= x->order.serial &&
           x->report.start_id == x->order.start_id;
}

/* Compares what a host has with what the writer has, until the answer is sure. */
static void order_compare(struct engine *e, int h, int w, struct plan *p)
{
    struct host *x = &e->host[h];
    bool stopped = order_stands_still(e, h);
    /* an applier that broke never settles; what it has applied can convict it, not clear it */
    bool sure = stopped || (w >= 0 && order_runs(e, h, w));

    if (w < 0 || !x->report.facts || !host_live(e, h) || h == w)
        return;
    if (x->clean) {
        order_recompare(e, h, w, p);
        return;
    }
    if (stopped && (place_used(e, h) || place_used(e, w))) {
        order_compare_places(e, h, w, p);
        return;
    }
    if (place_used(e, h) && !order_runs(e, h, w))
        return;
    if (x->extra[0]) {
        if (gtid_text_subset(e, h, x->report.gtid, w)) {
            x->extra[0] = 0;
            x->clean = true;
            plan_event(e, p, EVENT_NOTE, h, "the writer has everything it has now");
            if (x->state == REPLICATION_FAIL)
                state_set(e, h, AWAITING_RECOVERY, "its extra transactions are gone", p);
        } else {
            order_look_for_more(e, h, w, p);
        }
        return;
    }
    if (sure && !x->sample_sure)
        x->sampled = false;
    if (!x->sampled) {
        if (!sure && x->report.applier)
            return;
        x->sample_sure = sure;
        sample_take(e, x);
    }
    if (gtid_text_subset(e, h, x->sample, w)) {
        x->clean = x->sample_sure;
        x->sampled = false;
        return;
    }
    if (sample_convicts(e, h, w))
        host_convicted(e, h, w, p);
}

static void order_follow(struct engine *e, int h, int w, struct msg_order *o)
{
    struct host *x = &e->host[h];
    int s = engine_active_slot(e);

    o->follow = !x->order.serial ? FOLLOW_KEEP : x->order.tail ? FOLLOW_NONE : x->order.follow;
    o->source = x->order.serial && !x->order.tail ? x->order.source : -1;
    if (s >= 0 && e->slot[s].holder == h) {
        bool promoted = !e->slot[s].adopted;

        if (promoted) {
            o->follow = FOLLOW_NONE;
            o->source = -1;
            o->hear = x->order.serial && x->order.hear;
        }
        if (promoted)
            msg_text(o->reach, e->slot[s].reach);
        return;
    }
    if (x->state == ADMIN_OFFLINE) {
        o->follow = FOLLOW_NONE;
        o->source = -1;
        return;
    }
    if (w < 0) {
        if (s >= 0)
            gather_follow(e, s, h, o);
        return;
    }
    if (x->state != HARD_OFFLINE && x->clean) {
        o->follow = FOLLOW_SOURCE;
        o->source = w;
        place_follow(e, h, w, o);
        return;
    }
    if (order_runs(e, h, w) && !x->extra[0])
        return;
    o->follow = FOLLOW_NONE;
    o->source = -1;
    if (place_used(e, h) && place_waits(e, h, w))
        snprintf(o->reach, sizeof o->reach, "%s", e->host[w].report.turn_from);
    else if (place_used(e, h))
        snprintf(o->behind, sizeof o->behind, "%s", place_look(e, h, w));
}

/* More may be on the way, or its server is being asked. */
static bool order_aside_unsure(const struct host *x)
{
    return x->sampled || !x->report.facts;
}

static void order_aside(const struct engine *e, int h, int w, struct msg_order *o)
{
    const struct host *x = &e->host[h];

    if (!x->extra[0] || place_used(e, h))
        return;
    if (order_aside_unsure(x) || w < 0) /* the next writer may have it */
        memcpy(o->aside, x->order.aside, strlen(x->order.aside) + 1);
    else
        gtid_text_aside(e, h, x->sample, w, o->aside, sizeof o->aside);
}

enum tail engine_aside(const struct engine *e, int h, const char **text)
{
    const struct host *x = &e->host[h];
    bool done = x->report.start_id == x->order.start_id && x->report.serial >= x->order.serial;

    *text = "";
    if (!x->extra[0] || place_used(e, h))
        return TAIL_NONE;
    if (!x->order.aside[0]) {
        *text = e->mode == MODE_PASSIVE ? "this monitor is passive" : "its GTIDs are too many";
        return order_aside_unsure(x) ? TAIL_READING : TAIL_FAILED;
    }
    if (!done || x->report.aside == TAIL_NONE)
        return TAIL_READING;
    *text = x->report.aside == TAIL_READING ? "" : x->report.aside_text;
    return x->report.aside;
}

static void order_work_out(struct engine *e, int h, int w, struct msg_order *o)
{
    memset(o, 0, offsetof(struct msg_order, at));
    o->at[0] = o->from[0] = o->behind[0] = o->aside[0] = o->reach[0] = 0;
    o->epoch = e->epoch;
    memcpy(o->monitor, e->identity, sizeof o->monitor);
    o->start_id = e->host[h].report.start_id;
    o->may_start = tail_may_start(e, h);
    for (unsigned s = 0; s < e->conf.names.slots; s++) {
        struct slot *x = &e->slot[s];

        if (x->holder != h)
            continue;
        if (!x->releasing)
            o->hold |= 1ull << s;
        o->as_is = o->as_is || (x->forced && !x->adopted && slot_writable(e, (int)s));
        o->probe = o->probe || (x->probe && !x->adopted);
        o->fence = o->fence || (x->releasing && x->fence);
    }
    o->look = look_ordered(e, h);
    order_follow(e, h, w, o);
    order_aside(e, h, w, o);
}

static bool order_same(const struct msg_order *a, const struct msg_order *b)
{
    return a->hold == b->hold && a->as_is == b->as_is && a->follow == b->follow &&
           a->source == b->source && a->start_id == b->start_id && a->look == b->look &&
           text_same(a->at, b->at) && text_same(a->behind, b->behind) &&
           text_same(a->aside, b->aside) && a->tail == b->tail &&
           (!b->may_start || a->may_start == b->may_start) && text_same(a->reach, b->reach) &&
           a->fence >= b->fence && (!b->hear || a->hear);
}

/* Only what is used of `from`; the rest of `to` is zero. */
static void order_copy(struct msg_order *to, const struct msg_order *from)
{
    memset(to, 0, sizeof *to);
    memcpy(to, from, offsetof(struct msg_order, at));
    memcpy(to->at, from->at, strlen(from->at));
    memcpy(to->from, from->from, strlen(from->from));
    memcpy(to->behind, from->behind, strlen(from->behind));
    memcpy(to->aside, from->aside, strlen(from->aside));
    memcpy(to->reach, from->reach, strlen(from->reach));
}

static void order_send(struct engine *e, int h, struct plan *p)
{
    struct action *act = plan_add(p, ACT_ORDER);

    act->host = h;
    act->after = e->host[h].order_after;
    e->host[h].order_at = e->now;
}

/* The first order of a reign: to who holds something, or is to do something. */
static bool order_needed(const struct engine *e, int h, const struct msg_order *o)
{
    const struct host *x = &e->host[h];

    if (x->reorder)
        return true;
    if (x->order.serial)
        return !order_same(&x->order, o);
    if (o->follow != FOLLOW_KEEP || o->hold || o->look || o->may_start)
        return true;
    if (x->report.facts && !x->report.read_only)
        return true;
    for (unsigned i = 0; i < x->report.n; i++)
        if (x->report.slot[i].hold != HOLD_NONE)
            return true;
    return false;
}

static void order_one(struct engine *e, int h, int w, struct plan *p)
{
    struct host *x = &e->host[h];
    struct msg_order o;

    order_compare(e, h, w, p);
    if (w >= 0 && h != w)
        receipt_compared(e, h, w, p);
    order_work_out(e, h, w, &o);
    if (!order_needed(e, h, &o)) {
        if (x->order.serial && x->report.serial < x->order.serial &&
            e->now - x->order_at > RESEND_MS)
            order_send(e, h, p);
        return;
    }
    if (o.follow != x->order.follow || o.source != x->order.source || !x->order.serial) {
        trap_restart(e, h, CK_REP_THREADS);
        trap_restart(e, h, CK_REP_BACKLOG);
    }
    o.serial = e->epoch << 32 | ++e->serial;
    order_copy(&x->order, &o);
    x->reorder = false;
    x->order_after = e->persisted;
    for (unsigned s = 0; s < e->conf.names.slots; s++)
        if (o.hold >> s & 1)
            e->slot[s].host[h].last_hold = o.serial;
    order_send(e, h, p);
}

void orders_work(struct engine *e, struct plan *p)
{
    int w = engine_writer(e);

    if (w >= 0 && w != e->writer_seen) {
        for (unsigned h = 0; h < e->conf.names.hosts; h++) {
            e->host[h].clean = e->host[h].sampled = false;
            e->host[h].extra[0] = 0;
        }
        e->writer_seen = w;
    }
    if (w >= 0)
        receipt_reopened(e, w, p);
    if (e->mode == MODE_PASSIVE)
        return;
    for (unsigned h = 0; h < e->conf.names.hosts; h++)
        if (host_live(e, (int)h)) {
            order_one(e, (int)h, w, p);
            order_tell_aside(e, (int)h, p);
        }
}
