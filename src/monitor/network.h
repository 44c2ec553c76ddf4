/* SPDX-License-Identifier: GPL-2.0-or-later
 * Whether the monitor's own network is up: one of ping_ips answers. Plain arithmetic; checks.c
 * sends and receives the pings. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { NETWORK_IPS_MAX = 16 }; /* of ping_ips, so many are asked */

struct network {
    int64_t period_ms, limit_ms; /* how often it is asked; down after so long without an answer */
    bool known, up;              /* the verdict; nothing is said before the first */
    int64_t since_ms;            /* the last answer, or when asking began */
    int64_t looked_ms;
};

void network_init(struct network *n, int64_t now, int64_t period_ms, int64_t timeout_ms);
/* An answer came: whether that makes it up. `silent_ms`: how long there was none before. */
bool network_heard(struct network *n, int64_t now, int64_t *silent_ms);
/* Each period, before the next pings go out: whether it is down now. Somebody who was stopped for a
 * while asked nobody in that time, and begins anew. */
bool network_look(struct network *n, int64_t now, int64_t *silent_ms);
