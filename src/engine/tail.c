/* SPDX-License-Identifier: GPL-2.0-or-later
 * What the last writer may have that nobody else has: its binary log while its server is dead, and
 * what is done when that can't be had (data_loss). */
#include "engine/engine_internal.h"

#include <inttypes.h>

enum { TAIL_GTIDS = 60 /* characters of what is surely lost, in a sentence with much else */ };

bool tail_ready(const struct engine *e, int h)
{
    const struct msg_report *r = &e->host[h].report;

    return host_live(e, h) && r->mysqld == MYSQLD_DEAD && r->tail == TAIL_READY;
}

/* Somebody's agent is at work on it. */
bool tail_coming(const struct engine *e, int h)
{
    const struct msg_report *r = &e->host[h].report;

    return host_live(e, h) && r->mysqld == MYSQLD_DEAD && r->tail == TAIL_READING;
}

/* The last writer was let go of already, and by what its agent said last its server is still being
 * closed: within OBEY_MS that is read-only, and asked what it has, or is killed and its binary log
 * is read. */
bool tail_closing(const struct engine *e, int s)
{
    const struct slot *x = &e->slot[s];
    int last = x->last;

    return last >= 0 && e->now < x->closing_until && x->host[last].leaving_since &&
           e->host[last].report.mysqld != MYSQLD_DEAD;
}

/* Its agent was about to tell and went silent: it may be back in a moment. */
bool tail_away(const struct engine *e, int h)
{
    const struct msg_report *r = &e->host[h].report;

    return !host_live(e, h) && r->died && (r->tail == TAIL_READING || r->tail == TAIL_READY);
}

/* The last writer let go, its server is up, and in a moment it is known what that has, or its agent
 * is back from which `to` would fetch it. */
bool tail_returned(const struct engine *e, int s, int to)
{
    int last = e->slot[s].last;
    const struct msg_report *r = last < 0 ? NULL : &e->host[last].report;

    if (!r || e->slot[s].host[last].maybe)
        return false;
    if (host_live(e, last))
        return r->mysqld != MYSQLD_DEAD && !r->facts;
    return r->mysqld == MYSQLD_UP && !gtid_text_subset(e, last, r->gtid, to);
}

/* What it was ordered to fetch from the last writer's binary log it gave up; until others gather
 * anew that stays true, whatever it is ordered in between. */
static void tail_given_up(struct engine *e, int h, const struct msg_report *r, struct plan *p)
{
    int s = engine_active_slot(e);
    struct slot *x = s < 0 ? NULL : &e->slot[s];
    const struct msg_order *o = &e->host[h].order;

    if (!r->unsalvaged || !x || !x->gather_since || x->unsalvaged >> h & 1 || !o->tail ||
        o->start_id != r->start_id || r->serial < o->serial)
        return;
    x->unsalvaged |= 1ull << h;
    if (e->story.on && e->story.slot == s)
        snprintf(e->story.unsalvaged, sizeof e->story.unsalvaged, "%.255s", r->problem);
    plan_event(e, p, EVENT_WARN, h, "cannot have what the binary log of %s holds: %s",
               host_name(e, o->source), r->problem);
}

void tail_note(struct engine *e, int h, const struct msg_report *r, struct plan *p)
{
    const struct msg_report *was = &e->host[h].report;

    if (r->tail == TAIL_FAILED && (was->tail != TAIL_FAILED || was->died != r->died))
        plan_event(e, p, EVENT_WARN, h,
                   "what the binary log of its dead server holds cannot be had: %s", r->tail_why);
    tail_given_up(e, h, r, p);
}

bool tail_unsalvaged(const struct engine *e, int s, int to)
{
    const struct slot *x = &e->slot[s];

    return e->host[to].report.unsalvaged || (x->gather_since && x->unsalvaged >> to & 1);
}

bool tail_never(const struct engine *e)
{
    return e->conf.data_loss == LOSS_NEVER;
}

/* It applied all that it had received, or fetched what it lacked after that. */
static bool tail_drained(const struct engine *e, int h)
{
    const struct host *x = &e->host[h];

    return host_live(e, h) && x->report.facts && x->order.serial &&
           x->order.follow != FOLLOW_KEEP && x->order.start_id == x->report.start_id &&
           x->report.settled >= x->order.serial;
}

/* A replica held whatever the last writer acknowledged, and everybody who could be that replica was
 * heard: what they had was gathered. */
static bool tail_held_by_others(const struct engine *e, int s, int to)
{
    int last = e->slot[s].last;

    if (!fit_acknowledged(e, last))
        return false;
    for (int h = 0; h < (int)e->conf.names.hosts; h++) {
        if (h != last &&
            (!tail_drained(e, h) || !gtid_text_subset(e, h, e->host[h].report.gtid, to)))
            return false;
    }
    return true;
}

/* Is it known that `to` has everything that the last writer has acknowledged? */
static bool tail_nothing_missing(const struct engine *e, int s, int to)
{
    const struct slot *x = &e->slot[s];
    const struct msg_report *r = &e->host[x->last].report;
    bool asked =
        host_live(e, x->last) && r->mysqld == MYSQLD_UP && r->facts && r->read_only && r->gtid[0];

    if (x->reach[0] && gtid_text_subset(e, to, x->reach, to))
        return true;
    if (tail_held_by_others(e, s, to))
        return true;
    return (asked || (tail_ready(e, x->last) && r->gtid[0])) &&
           gtid_text_subset(e, x->last, r->gtid, to);
}

bool tail_unaccepted(const struct engine *e, int s, int to)
{
    const struct slot *x = &e->slot[s];

    return tail_never(e) && x->last >= 0 && x->last != to && x->accepted != x->last &&
           !tail_nothing_missing(e, s, to);
}

void tail_why(const struct engine *e, int h, int to, char *out, size_t size)
{
    const struct msg_report *r = &e->host[h].report;
    int s = engine_active_slot(e);
    bool given_up = s >= 0 && e->slot[s].unsalvaged >> to & 1 && e->story.unsalvaged[0];

    if (!host_live(e, h))
        SAY(out, size, "it is not heard");
    else if (r->mysqld == MYSQLD_UP)
        SAY(out, size, "its server is asked, and what it has is not here yet");
    else if (r->tail == TAIL_FAILED)
        SAY(out, size, "its binary log cannot be read: %.120s", r->tail_why);
    else if (r->tail == TAIL_READY && given_up)
        SAY(out, size, "its binary log was not handed over: %.120s", e->story.unsalvaged);
    else if (r->tail == TAIL_READY)
        SAY(out, size, "what its binary log holds did not get here");
    else
        SAY(out, size, "its binary log was not read");
}

void tail_asks(const struct engine *e, int s, int to, char *out, size_t size)
{
    int last = e->slot[s].last;
    struct receipt_set least = {0};
    char why[160];
    bool more;

    tail_why(e, last, to, why, sizeof why);
    if (e->story.on && e->story.slot == s && e->story.from == last)
        receipt_known_lost(e, to, &least);
    more = strlen(least.text) > TAIL_GTIDS;
    snprintf(out, size,
             "%s may have what %s lacks (%s)%s%.*s%s, and data_loss is never. To go on without: "
             "hamm ctl move-role --force --accept-loss %s %s %s",
             host_name(e, last), host_name(e, to), why, least.text[0] ? ", at least " : "",
             TAIL_GTIDS, least.text, more ? "..." : "", host_name(e, last),
             e->conf.role[e->conf.slot_role[s]].name, host_name(e, to));
}

static bool tail_anybody_else(const struct engine *e, int s, int h)
{
    for (int c = 0; c < (int)e->conf.names.hosts; c++)
        if (c != h && slot_fit(e, s, c, false, NULL, 0))
            return true;
    return false;
}

/* The death after which h's server may be started again: nobody waits for what it left, or it can
 * be had only from a server that runs. */
int64_t tail_may_start(const struct engine *e, int h)
{
    const struct msg_report *r = &e->host[h].report;
    int s = engine_active_slot(e);
    const struct slot *x = s < 0 ? NULL : &e->slot[s];
    bool other = x && x->holder >= 0 && x->holder != h;
    bool free;

    if (!r->died)
        return 0;
    if (!x || r->tail == TAIL_FAILED || e->conf.data_loss == LOSS_ALLOW)
        free = true;
    else if (other)
        free = x->arrived || x->releasing;
    else if (x->holder == h)
        free = e->conf.on_crash_ms || e->mode != MODE_ACTIVE || !tail_anybody_else(e, s, h);
    else
        free = x->last != h || x->choice < 0 || x->choice == h ||
               gather_state(e, s, x->choice) == GATHER_ASK;
    return free ? r->died : 0;
}
