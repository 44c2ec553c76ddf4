/* SPDX-License-Identifier: GPL-2.0-or-later
 * What somebody did by hand to a server that was as ordered: replication stopped or led elsewhere,
 * read_only changed. It is told at once. In active mode replication is put right; who wants to work
 * on it sets the host offline, then it is his. Writes are closed and opened by the agents as their
 * leases say, in every mode. */
#include "engine/engine_internal.h"

enum {
    HANDS_APPLIER = 1,
    HANDS_RECEIVER = 2,
    HANDS_SOURCE = 4,
    HANDS_CLOSED = 8,
    HANDS_OPENED = 16,
    HANDS_WAS_OPEN = 32, /* not by hand: as it should be, since this server runs */
};

/* It followed as ordered, and doesn't any more; no error stopped it, no restart of the server. */
static unsigned hands_on_replication(const struct host *x)
{
    const struct msg_report *r = &x->report;
    unsigned found = 0;

    if (x->order.follow != FOLLOW_SOURCE || x->order.tail || !x->clean ||
        x->order.start_id != r->start_id || r->serial != x->order.serial ||
        r->settled < x->order.serial || !x->order.serial)
        return 0;
    if (r->source != x->order.source)
        return HANDS_SOURCE;
    if (!r->applier && !(r->traits.bits & TRAIT_BROKEN))
        found |= HANDS_APPLIER;
    if (r->receiver == RECEIVER_NO && !(r->traits.bits & TRAIT_CUT_OFF))
        found |= HANDS_RECEIVER;
    return found;
}

static unsigned hands_on_writes(const struct engine *e, int h)
{
    const struct msg_report *r = &e->host[h].report;
    int s = engine_active_slot(e);
    const struct report_slot *held = s < 0 ? NULL : host_report_slot(e, h, s);

    if (held && held->hold == HOLD_HELD && !r->read_only)
        return HANDS_WAS_OPEN;
    if (held && held->hold == HOLD_HELD && e->host[h].hands & (HANDS_WAS_OPEN | HANDS_CLOSED))
        return HANDS_CLOSED;
    if (held && held->hold != HOLD_NONE)
        return 0;
    return s >= 0 && e->slot[s].holder != h && !r->read_only ? HANDS_OPENED : 0;
}

static void hands_tell(struct engine *e, int h, unsigned found, struct plan *p)
{
    const struct host *x = &e->host[h];
    const char *what = found & HANDS_APPLIER && found & HANDS_RECEIVER ? "replication"
                       : found & HANDS_APPLIER                         ? "the applier"
                                                                       : "the receiver";
    char then[WHY_LEN];

    if (e->mode == MODE_ACTIVE)
        snprintf(then, sizeof then, "put right; to work on it: hamm ctl set-offline %s",
                 host_name(e, h));
    else
        snprintf(then, sizeof then, "left as it is in %s mode", mode_names[e->mode]);
    if (found & HANDS_SOURCE)
        plan_event(e, p, EVENT_WARN, h, "somebody led it from %s to %.64s port %u by hand: %s",
                   host_name(e, x->order.source),
                   x->report.source_host[0] ? x->report.source_host : "no source",
                   x->report.source_port, then);
    if (found & (HANDS_APPLIER | HANDS_RECEIVER))
        plan_event(e, p, EVENT_WARN, h, "somebody stopped %s by hand: %s", what, then);
    if (found & HANDS_CLOSED)
        plan_event(e, p, EVENT_WARN, h,
                   "somebody closed the writer (read_only=1) by hand: its agent opens it again");
    if (found & HANDS_OPENED)
        plan_event(e, p, EVENT_WARN, h,
                   "open for writes without an order (read_only=0): its agent closes it");
}

void hands_note(struct engine *e, int h, struct plan *p)
{
    struct host *x = &e->host[h];
    unsigned found, news;

    if (!x->report.facts || x->report.mysqld != MYSQLD_UP || x->state == ADMIN_OFFLINE)
        return;
    found = hands_on_replication(x) | hands_on_writes(e, h);
    news = found & ~x->hands;
    x->hands = found;
    if (news)
        hands_tell(e, h, news, p);
    if (e->mode != MODE_ACTIVE)
        return;
    if (found & (HANDS_APPLIER | HANDS_RECEIVER))
        x->reorder = true;
    if (found & HANDS_SOURCE) /* who knows what it got there */
        x->clean = x->sampled = false;
}
