/* SPDX-License-Identifier: GPL-2.0-or-later
 * What a report says that must be judged at once. While every slot rests and every order is done,
 * what goes on by itself (times, what is written and replicated) can wait for the next beat. */
#include "engine/engine_internal.h"

static bool slots_same(const struct msg_report *a, const struct msg_report *b)
{
    if (a->n != b->n)
        return false;
    for (unsigned i = 0; i < a->n; i++) {
        const struct report_slot *x = &a->slot[i], *y = &b->slot[i];

        if (x->slot != y->slot || x->hold != y->hold || x->serial != y->serial ||
            x->ended != y->ended || x->electorate != y->electorate || x->members != y->members)
            return false;
    }
    return true;
}

static bool server_same(const struct msg_report *a, const struct msg_report *b)
{
    return a->mysqld == b->mysqld && a->pid == b->pid && a->facts == b->facts &&
           a->mysql_flavour == b->mysql_flavour && a->read_only == b->read_only &&
           a->server_id == b->server_id && a->source == b->source &&
           a->source_port == b->source_port && a->receiver == b->receiver &&
           a->applier == b->applier && memcmp(&a->traits, &b->traits, sizeof a->traits) == 0 &&
           text_same(a->source_host, b->source_host) && text_same(a->turn_from, b->turn_from) &&
           text_same(a->turn_own, b->turn_own) && text_same(a->seen_behind, b->seen_behind) &&
           text_same(a->own_more, b->own_more);
}

static bool agent_same(const struct msg_report *a, const struct msg_report *b)
{
    return a->epoch == b->epoch && a->start_id == b->start_id && a->serial == b->serial &&
           a->settled == b->settled && a->gate == b->gate && a->died == b->died &&
           a->tail == b->tail && a->unsalvaged == b->unsalvaged && a->disk_full == b->disk_full &&
           a->aside == b->aside && a->looked == b->looked && text_same(a->obeys, b->obeys) &&
           text_same(a->tail_why, b->tail_why) && text_same(a->aside_text, b->aside_text) &&
           text_same(a->obstacle, b->obstacle) && text_same(a->problem, b->problem);
}

static bool slots_rest(const struct engine *e)
{
    for (unsigned s = 0; s < e->conf.names.slots; s++) {
        const struct slot *x = &e->slot[s];

        if (x->holder < 0 || x->releasing || x->target >= 0 ||
            (!x->arrived && slot_writable(e, (int)s)))
            return false;
    }
    return e->move.phase == MOVE_NONE;
}

/* Does somebody wait for what this report may say, whatever it is? */
static bool waited_for(const struct engine *e, const struct host *x, const struct msg_report *r)
{
    if (e->reign == REIGN_CLAIMING)
        return true;
    return engine_reigns(e) && (!x->heard || !slots_rest(e) || x->order.serial > r->settled);
}

bool news_in_report(const struct engine *e, int h, const struct msg_report *r)
{
    const struct host *x = &e->host[h];

    return waited_for(e, x, r) || !agent_same(&x->report, r) || !server_same(&x->report, r) ||
           !slots_same(&x->report, r);
}
