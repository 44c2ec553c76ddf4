/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/setup.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

_Static_assert((int)CONF_SLOT_LEN == (int)SLOT_LEN, "a slot has one name");

static int setup_names(const struct conf *c, struct agentd_setup *s, struct err *e)
{
    size_t slots = conf_slots(c, s->slot, SLOTS_MAX);

    if (c->n_hosts > HOSTS_MAX)
        return err_set(e, -E2BIG, "%zu hosts; a cluster can have %d: split it", c->n_hosts,
                       HOSTS_MAX);
    if (slots > SLOTS_MAX)
        return err_set(
            e, -E2BIG,
            "%zu exclusive roles and balanced addresses; a cluster can have %d: split it", slots,
            SLOTS_MAX);
    s->names.hosts = (unsigned)c->n_hosts;
    s->names.slots = (unsigned)slots;
    for (size_t i = 0; i < c->n_hosts; i++)
        (void)snprintf(s->names.host[i], NAME_LEN, "%s", c->hosts[i].name);
    for (size_t i = 0; i < slots; i++)
        memcpy(s->names.slot[i], s->slot[i].name, SLOT_LEN);
    return 0;
}

static void setup_slot(const struct conf *c, const struct conf_slot *from,
                       struct agent_slot_conf *to)
{
    memcpy(to->name, from->name, sizeof to->name);
    to->writable = from->role == c->active_master_role;
    for (unsigned h = 0; h < c->n_hosts; h++)
        if (conf_slot_may_hold(c, from, h))
            to->candidates |= (hostset)1 << h;
}

int agentd_setup_of(const struct conf *c, unsigned self, struct agentd_setup *out, struct err *e)
{
    static const enum monitor_loss loss[] = {
        [CONF_LOSS_PROMISE] = LOSS_PROMISE,
        [CONF_LOSS_KEEP] = LOSS_PROMISE,
        [CONF_LOSS_FENCE] = LOSS_FENCE,
    };
    /* what is about the writer may be set at its role */
    const struct conf_failover *writer = c->active_master_role < c->n_roles
                                             ? &c->roles[c->active_master_role].failover
                                             : &c->failover;
    struct agent_conf *a = &out->agent;

    memset(out, 0, sizeof *out);
    if (setup_names(c, out, e) < 0)
        return e->code;
    a->self = (int)self;
    a->hosts = out->names.hosts;
    a->slots = out->names.slots;
    for (unsigned i = 0; i < a->slots; i++)
        setup_slot(c, &out->slot[i], &a->slot[i]);
    a->lease_ms = c->failover.lease_ms;
    a->on_monitor_loss = loss[c->failover.on_monitor_loss];
    a->kill_hung_mysqld = writer->kill_hung_mysqld;
    a->catch_up_ms = writer->catch_up_timeout_ms;
    a->salvage_ms = writer->salvage_timeout_ms;
    return 0;
}
