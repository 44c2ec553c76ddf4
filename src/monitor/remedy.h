/* SPDX-License-Identifier: GPL-2.0-or-later
 * What an operator can do with transactions that only one host has: look at them, bring them in,
 * or make that host anew without them. Commands to be copied; pure. */
#pragma once

#include "monitor/status.h"

struct buf;

/* Lines, each with its newline; none if the host has no such transactions. */
void remedy_tell(const struct engine *e, const struct status_conf *s, int host, struct buf *to);
