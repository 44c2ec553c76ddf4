/* SPDX-License-Identifier: GPL-2.0-or-later
 * Deadlines on the loop. libuv before 1.48 never returns from uv__run_timers when a timer is armed
 * with 0 ms from its own callback, so nothing is ever armed with less than 1 ms. */
#pragma once

#include <stdint.h>
#include <uv.h>

/* Fires once, ms from now (at least 1). Re-arming replaces. */
void timer_in(uv_timer_t *t, int64_t ms, uv_timer_cb cb);
/* Fires once at a moment of CLOCK_BOOTTIME (base/clock.h); CLOCK_NEVER stops it. */
void timer_at(uv_timer_t *t, int64_t boot_ms, uv_timer_cb cb);
/* Fires every ms, first after ms. */
void timer_every(uv_timer_t *t, int64_t ms, uv_timer_cb cb);
