/* SPDX-License-Identifier: GPL-2.0-or-later
 * The monitor's status (JSON, schema 1) as a page for people. Pure. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

/* What `status --exit-code` returns. */
enum render_health { RENDER_WELL = 0, RENDER_DEGRADED = 10, RENDER_NO_WRITER = 20 };

/* 0 and the page added to `out`, or -EPROTO: that is no status. */
int render_status(struct buf *out, const char *json, size_t len, bool colour,
                  enum render_health *health, struct err *e) MUST_CHECK;
