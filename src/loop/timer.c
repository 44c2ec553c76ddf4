/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "loop/timer.h"

#include "base/check.h"
#include "base/clock.h"

static uint64_t timer_least(int64_t ms)
{
    return ms < 1 ? 1 : (uint64_t)ms;
}

void timer_in(uv_timer_t *t, int64_t ms, uv_timer_cb cb)
{
    uv_update_time(t->loop);
    CHECK(uv_timer_start(t, cb, timer_least(ms), 0) == 0);
}

void timer_at(uv_timer_t *t, int64_t boot_ms, uv_timer_cb cb)
{
    if (boot_ms == CLOCK_NEVER) {
        uv_timer_stop(t);
        return;
    }
    timer_in(t, boot_ms - clock_boot_ms(), cb);
}

void timer_every(uv_timer_t *t, int64_t ms, uv_timer_cb cb)
{
    uv_update_time(t->loop);
    CHECK(uv_timer_start(t, cb, timer_least(ms), timer_least(ms)) == 0);
}
