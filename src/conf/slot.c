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
