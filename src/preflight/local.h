/* SPDX-License-Identifier: GPL-2.0-or-later
 * What only the database host itself can tell: where its role addresses would go, whether somebody
 * else answers for them, and whether its kernel can keep a lease. */
#pragma once

#include "preflight/sheet.h"
#include "preflight/survey.h"

#include <uv.h>

/* The host whose address this machine has, or CONF_NONE; *monitor: a monitor's too. */
unsigned local_self(const struct conf *c, bool *monitor);
/* Runs the loop until the segment was asked, a second at most. */
void local_look(const struct conf *c, unsigned self, uv_loop_t *loop, struct sheet *out);
