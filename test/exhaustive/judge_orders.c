/* SPDX-License-Identifier: GPL-2.0-or-later
 * What agents are told: complete, of this reign, to the holder and nobody else, after the journal.
 */
#include "exhaustive/exhaustive.h"

#include <string.h>

static const struct engine *const e = &engine;

/* Every kind, so that a new one is not forgotten: the compiler complains. */
void judge_kind(enum action_kind kind)
{
    switch (kind) {
    case ACT_PERSIST:
    case ACT_BEAT:
    case ACT_ORDER:
    case ACT_GRANT:
    case ACT_ANSWER:
    case ACT_EVENT:
    case ACT_KILL_HOST:
    case ACT_RECEIPT:
        return;
    }
    broken("a kind of action", "%d is none", (int)kind);
}

static void judge_follow(const struct before *b, const struct action *a)
{
    const struct msg_order *o = &e->host[a->host].order;
    bool again = b->order[a->host].follow == FOLLOW_SOURCE &&
                 b->order[a->host].source == o->source && b->order[a->host].serial;

    if (o->follow != FOLLOW_SOURCE) {
        MUST(o->source == -1, "follows nobody, db%d", o->source + 1);
        return;
    }
    MUST(o->source >= 0 && o->source < HOSTS && o->source != a->host, "db%d follows db%d",
         a->host + 1, o->source + 1);
    MUST(o->source == engine_writer(e) || again ||
             (e->slot[0].holder < 0 && o->source == e->slot[0].fetch_from),
         "db%d is told to follow db%d, who is not the writer", a->host + 1, o->source + 1);
    if (o->source == engine_writer(e) && !again)
        MUST(e->host[a->host].clean && !e->host[a->host].extra[0],
             "db%d is told to follow before it is known clean", a->host + 1);
    MUST(e->slot[0].holder != a->host || e->slot[0].adopted, "a promoted writer is told to follow");
}

static void judge_order(const struct before *b, const struct plan *p, const struct action *a)
{
    const struct host *x = &e->host[a->host];
    const struct msg_order *o = &x->order;
    bool resent = o->serial == b->serial[a->host];

    MUST(MODE_PASSIVE != e->mode, "an order in passive mode");
    MUST(o->serial && o->epoch == e->epoch && strcmp(o->monitor, e->identity) == 0, "whose order?");
    MUST(resent || o->serial > b->serial[a->host], "serials go back");
    MUST(resent || o->start_id == x->report.start_id, "to another life");
    MUST(x->linked && x->heard && e->now - x->report_at < LEASE / 2, "to somebody unheard");
    for (int s = 0; s < SLOTS; s++) {
        const struct slot *y = &e->slot[s];
        bool holds = y->holder == a->host && !y->releasing;

        MUST((o->hold >> s & 1) == holds, "db%d, slot %d: %s", a->host + 1, s,
             holds ? "holds it and is not told so" : "is told to hold what is not its own");
        MUST(!holds || resent || y->host[a->host].last_hold == o->serial, "serial not noted");
    }
    MUST((o->hold & ~7ull) == 0, "unknown slots");
    judge_follow(b, a);
    for (const struct action *c = p->at; c < p->at + p->n; c++) {
        MUST(c->kind != ACT_PERSIST || (c < a && (resent || a->after >= c->after)),
             "an order before the journal");
        MUST(c == a || c->kind != ACT_ORDER || c->host != a->host, "two orders at once");
    }
    shape_seen(o);
}

static bool owed; /* a state changed and may be written down one step later */

void judge_orders_start(void)
{
    owed = false;
}

static int journal_holder(const struct slot *x)
{
    return x->holder >= 0 ? x->holder : x->journal_holder;
}

/* Nothing that the journal must know is left out of it. */
static void judge_journal(const struct before *b)
{
    for (int s = 0; s < SLOTS; s++)
        if (journal_holder(&e->slot[s]) != journal_holder(&b->slot[s]) ||
            e->slot[s].electorate != b->slot[s].electorate ||
            e->slot[s].pinned != b->slot[s].pinned)
            MUST(e->persisted > b->persisted || e->reign != REIGN_YES,
                 "slot %d changed, the journal doesn't know", s);
    MUST(!owed || e->persisted > b->persisted || e->reign != REIGN_YES,
         "a state changed a step ago, the journal doesn't know");
    owed = false;
    for (int h = 0; h < HOSTS; h++)
        owed = owed || (e->host[h].state != b->state[h] && e->persisted == b->persisted);
}

void judge_orders(const struct before *b, const struct plan *p)
{
    for (unsigned i = 0; i < p->n; i++)
        if (p->at[i].kind == ACT_ORDER)
            judge_order(b, p, &p->at[i]);
    judge_journal(b);
}

/* ---- shapes of orders: what an agent has to be able to carry out ---- */

static bool shape[SHAPES], any;

void shape_seen(const struct msg_order *o)
{
    unsigned i = (unsigned)o->hold & 7;

    i = i * 3 + (unsigned)o->follow;
    i = i * 4 + (unsigned)(o->source + 1);
    i = i * 2 + o->fence;
    i = i * 2 + o->probe;
    i = i * 2 + (o->reach[0] != 0);
    shape[i] = any = true;
}

/* All that make sense, when the other families were not run. */
bool shape_is(unsigned i)
{
    struct msg_order o;

    if (any)
        return shape[i];
    shape_of(i, &o);
    return (o.follow == FOLLOW_SOURCE) == (o.source >= 0);
}

void shape_of(unsigned i, struct msg_order *o)
{
    memset(o, 0, sizeof *o);
    memcpy(o->reach, i & 1 ? "0-1-5" : "", i & 1 ? 6 : 1);
    o->probe = i / 2 & 1;
    o->fence = i / 4 & 1;
    i /= 8;
    o->source = (int)(i % 4) - 1;
    o->follow = (enum following)(i / 4 % 3);
    o->hold = i / 12;
}
