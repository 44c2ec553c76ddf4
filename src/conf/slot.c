/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "conf/slot.h"

#include <stdio.h>

size_t conf_slots(const struct conf *c, struct conf_slot *out, size_t max)
{
    size_t n = 0;

    for (unsigned r = 0; r < c->n_roles; r++) {
        const struct conf_role *role = &c->roles[r];
        bool whole = role->mode == CONF_ROLE_EXCLUSIVE;
        unsigned slots = whole ? 1 : (unsigned)role->n_ips;

        for (unsigned i = 0; i < slots; i++, n++) {
            struct conf_slot *s = &out[n];

            if (n >= max)
                continue;
            *s = (struct conf_slot){.role = r, .first_ip = i, .n_ips = 1};
            if (whole)
                s->n_ips = (unsigned)role->n_ips;
            (void)snprintf(s->name, sizeof s->name, "%s%s%s", role->name, whole ? "" : "/",
                           whole ? "" : role->ips[i].addr.text);
        }
    }
    return n;
}

static bool slot_role_has(const struct conf *c, unsigned role, unsigned host)
{
    if (role >= c->n_roles)
        return false;
    for (size_t i = 0; i < c->roles[role].n_hosts; i++)
        if (c->roles[role].hosts[i] == host)
            return true;
    return false;
}

bool conf_slot_may_hold(const struct conf *c, const struct conf_slot *s, unsigned host)
{
    const struct conf_role *role = &c->roles[s->role];
    bool writer_too = role->mode == CONF_ROLE_BALANCED && role->last_resort == CONF_LAST_WRITER;

    return slot_role_has(c, s->role, host) ||
           (writer_too && slot_role_has(c, c->active_master_role, host));
}
