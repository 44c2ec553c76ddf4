/* SPDX-License-Identifier: GPL-2.0-or-later
 * Milliseconds of CLOCK_BOOTTIME: runs on while the machine sleeps, never set by anybody.
 * The shells read it once per event; the engine gets it as a field of the event. */
#pragma once

#include <stdint.h>
#include <time.h>

#define CLOCK_NEVER INT64_MAX

static inline int64_t clock_ms_of(clockid_t which)
{
    struct timespec now;

    clock_gettime(which, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static inline int64_t clock_boot_ms(void)
{
    return clock_ms_of(CLOCK_BOOTTIME);
}

static inline int64_t clock_wall_ms(void)
{
    return clock_ms_of(CLOCK_REALTIME);
}
