/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "monitor/replay_sound.h"

#include "proto/codec.h"

#include <string.h>

static bool within(int i, int least, unsigned n)
{
    return i >= least && i < (int)n;
}

#define ENDS(text) (memchr(text, 0, sizeof(text)) != NULL)

static bool names_sound(const struct names *n)
{
    if (n->hosts > HOSTS_MAX || n->slots > SLOTS_MAX)
        return false;
    for (unsigned i = 0; i < n->hosts; i++)
        if (!ENDS(n->host[i]))
            return false;
    for (unsigned i = 0; i < n->slots; i++)
        if (!ENDS(n->slot[i]))
            return false;
    return true;
}

static bool conf_sound(const struct engine_conf *c)
{
    unsigned hosts = c->names.hosts;

    if (!names_sound(&c->names) || c->roles > ROLES_MAX || !ENDS(c->monitor) || c->lease_ms < 1 ||
        c->lease_ms > RECORD_MS_MAX || (unsigned)c->mode >= MODE_N)
        return false;
    for (unsigned r = 0; r < c->roles; r++) {
        if (c->role[r].hosts > HOSTS_MAX || (unsigned)c->role[r].last_resort > RESORT_NONE ||
            !within(c->role[r].prefer, -1, hosts) || !ENDS(c->role[r].name))
            return false;
        for (unsigned h = 0; h < c->role[r].hosts; h++)
            if (!within(c->role[r].host[h], 0, hosts))
                return false;
    }
    for (unsigned s = 0; s < c->names.slots; s++)
        if (!within(c->slot_role[s], 0, c->roles))
            return false;
    return true;
}

static bool host_sound(const struct host *x, const struct names *n)
{
    const struct msg_report *r = &x->report;

    if ((unsigned)x->state >= HOST_STATE_N || r->n > SLOTS_MAX ||
        !within(r->source, -1, n->hosts) || !within(x->order.source, -1, n->hosts) ||
        !ENDS(r->tail_why) || (unsigned)r->tail >= TAIL_N || !ENDS(r->gtid) || !ENDS(r->problem) ||
        !ENDS(r->aside_text) || (unsigned)r->aside >= TAIL_N || !ENDS(x->order.aside) ||
        !ENDS(r->mysqld_why) || !ENDS(r->source_host) || !ENDS(x->order.reach) ||
        !ENDS(x->order.at) || !ENDS(x->order.from) || !ENDS(x->order.behind) || !ENDS(r->own) ||
        !ENDS(r->applied) || !ENDS(r->turn_from) || !ENDS(r->turn_own) || !ENDS(r->seen_behind) ||
        !ENDS(r->own_more) || !ENDS(x->order.monitor) || !ENDS(x->sample) || !ENDS(x->extra) ||
        !ENDS(x->agent_obeys) || !ENDS(x->debt.since) || (unsigned)x->kill > KILL_FAILED ||
        !ENDS(x->kill_said))
        return false;
    for (unsigned i = 0; i < r->n; i++)
        if (!within(r->slot[i].slot, 0, n->slots))
            return false;
    for (int k = 0; k < CK_N; k++)
        if (!ENDS(x->check[k].message))
            return false;
    return true;
}

static bool slot_sound(const struct slot *x, unsigned hosts)
{
    return within(x->holder, -1, hosts) && within(x->target, -1, hosts) &&
           within(x->last, -1, hosts) && within(x->journal_holder, -1, hosts) &&
           within(x->fetch_by, -1, HOSTS_MAX) && within(x->fetch_from, -1, HOSTS_MAX) &&
           within(x->choice, -1, hosts) && within(x->accepted, -1, hosts) && ENDS(x->reach) &&
           ENDS(x->wrote);
}

static bool story_sound(const struct failover_story *t, unsigned hosts)
{
    return ENDS(t->wrote) && ENDS(t->before) && ENDS(t->reach) && ENDS(t->since) && ENDS(t->why) &&
           ENDS(t->unsalvaged) && ENDS(t->salvaged.text) &&
           (!t->on || ((unsigned)t->evidence < EVIDENCE_N && within(t->slot, 0, SLOTS_MAX) &&
                       within(t->from, 0, hosts) && within(t->fetch_by, -1, hosts) &&
                       within(t->between, -1, hosts)));
}

bool replay_engine_sound(const struct engine *e)
{
    const struct names *n = &e->conf.names;

    if (!conf_sound(&e->conf) || !ENDS(e->identity) || !ENDS(e->fresh_identity) ||
        !ENDS(e->passive_why) || !ENDS(e->reign_why) || !ENDS(e->network_message) ||
        !ENDS(e->move.gtid) || !story_sound(&e->story, n->hosts) ||
        (unsigned)e->reign > REIGN_DEPOSED || (unsigned)e->mode >= MODE_N ||
        !within(e->writer_seen, -1, n->hosts) || e->move.steps > STEPS_MAX ||
        !ENDS(e->move.error) || !within(e->move.slot, -1, SLOTS_MAX) ||
        !within(e->move.from, -1, HOSTS_MAX) || !within(e->move.to, -1, HOSTS_MAX))
        return false;
    for (unsigned i = 0; i < e->move.steps; i++)
        if (!ENDS(e->move.step[i].what))
            return false;
    for (unsigned h = 0; h < n->hosts; h++)
        if (!host_sound(&e->host[h], n))
            return false;
    for (unsigned s = 0; s < n->slots; s++)
        if (!slot_sound(&e->slot[s], n->hosts))
            return false;
    return true;
}

/* A byte that is neither is nothing to be read as a bool. */
static bool truth(const bool *b)
{
    unsigned char byte;

    memcpy(&byte, b, 1);
    return byte <= 1;
}

static bool durable_sound(const struct engine_durable *d, const struct names *n)
{
    if (!ENDS(d->identity) || !ENDS(d->cause) || !ENDS(d->deposed) || (unsigned)d->mode >= MODE_N)
        return false;
    for (unsigned h = 0; h < n->hosts; h++)
        if ((unsigned)d->host[h].state >= HOST_STATE_N || !truth(&d->host[h].flapping) ||
            !truth(&d->host[h].debt.some) || !ENDS(d->host[h].debt.since))
            return false;
    for (unsigned s = 0; s < n->slots; s++)
        if (!within(d->slot[s].holder, -1, n->hosts) || !within(d->slot[s].target, -1, n->hosts) ||
            !within(d->slot[s].last, -1, n->hosts) || !truth(&d->slot[s].pinned))
            return false;
    return true;
}

bool replay_input_sound(const struct record_input *in, const struct names *names,
                        struct replay_room *room)
{
    struct err e = {0};
    size_t len;

    switch (in->ev.kind) {
    case EV_START:
        return ENDS(in->ev.start.identity) &&
               (!in->ev.start.durable || durable_sound(in->ev.start.durable, names));
    case EV_CHECK:
        return in->ev.check.message;
    case EV_LINK:
        room->msg.kind = MSG_HELLO;
        room->msg.hello = in->hello;
        break;
    case EV_REPORT:
        if (!truth(&in->report.facts) || !truth(&in->report.mysql_flavour) ||
            !truth(&in->report.read_only) || !truth(&in->report.applier))
            return false;
        room->msg.kind = MSG_REPORT;
        room->msg.report = in->report;
        break;
    case EV_LEASE:
        room->msg.kind = MSG_LEASE;
        room->msg.lease = in->lease;
        break;
    case EV_REFUSED:
        room->msg.kind = MSG_REFUSAL;
        room->msg.refusal = in->refusal;
        break;
    default:
        return true;
    }
    return msg_encode(&room->msg, names, room->frame, sizeof room->frame, &len, &e) == 0;
}
