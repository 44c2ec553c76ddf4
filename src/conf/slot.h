/* SPDX-License-Identifier: GPL-2.0-or-later
 * Slots: what is held as one. All addresses of an exclusive role make one slot, named like the
 * role; each address of a balanced role is a slot of its own, named role/address. Monitor and
 * agents number them alike because they have the same file. Pure. */
#pragma once

#include "conf/conf.h"

#include <stddef.h>

enum { CONF_SLOT_LEN = 80 }; /* 32 of the role, '/', the longest IPv6 text, the zero */

struct conf_slot {
    char name[CONF_SLOT_LEN]; /* "writer" or "reader/10.77.0.103" */
    unsigned role;            /* index in conf.roles */
    unsigned first_ip, n_ips; /* conf.roles[role].ips[first_ip .. first_ip + n_ips - 1] */
};

/* Fills out[] in the order of the file and returns how many slots there are; if that is over `max`,
 * only the first `max` were written. */
size_t conf_slots(const struct conf *c, struct conf_slot *out, size_t max);

/* Whether this host may ever hold it: the hosts of its role, and where a balanced role's last
 * resort is the writer, whoever may be that. */
bool conf_slot_may_hold(const struct conf *c, const struct conf_slot *s, unsigned host);
