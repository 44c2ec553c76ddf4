/* SPDX-License-Identifier: GPL-2.0-or-later
 * What the forms of status share. Private to status*.c. */
#pragma once

#include "monitor/status.h"

/* The newest report of a host whose agent is linked; else NULL. */
const struct msg_report *status_report(const struct engine *e, int host);
/* Who has the slot: by the monitor's own decision or, while it does not reign, by what the agents
 * report; -1 nobody. */
int status_holder(const struct engine *e, int slot);
/* The host open for writes, likewise; -1: not known. */
int status_writer(const struct engine *e);
/* Does its holder's agent say that it holds the slot? */
bool status_held(const struct engine *e, int slot);

/* Every reason why not all is well, most important first; returns how many. */
unsigned status_why(const struct engine *e, const struct status_conf *s,
                    void (*say)(void *to, const char *sentence), void *to);

/* "10.77.0.100" of "10.77.0.100/24". */
const char *status_ip(char to[ADDR_LEN], const char *with_prefix);
