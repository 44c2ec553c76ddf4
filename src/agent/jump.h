/* SPDX-License-Identifier: GPL-2.0-or-later
 * Notices that the wall clock moved against the boot clock: somebody set it, or this machine was
 * paused or migrated and the hypervisor put its wall clock right afterwards. NTP's slow correction
 * doesn't count. The decision is pure (jump_seen); jump_tick reads the clocks for it, and
 * jump_notice has the kernel tell of a set clock at once instead of at the next tick. */
#pragma once

#include "base/check.h"
#include "base/err.h"
#include "loop/closer.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#define JUMP_MS       200 /* smaller differences are not jumps */
#define JUMP_SLEW_PPM 500 /* nor is drifting apart this slowly */

struct jump { /* zeroed is ready */
    bool started;
    int64_t boot_ms;   /* of the last look */
    int64_t offset_us; /* wall - boot taken as normal; follows slowly */
};

/* One look at both clocks, at most some 100 ms after the one before. Returns by how many ms the
 * wall clock is ahead of (negative: behind) where it should be; 0: no jump. Each jump is told once;
 * several small steps count together. */
int64_t jump_seen(struct jump *j, int64_t wall_ms, int64_t boot_ms);

/* The same with the clocks of this machine, read so close together that being preempted in between
 * doesn't look like a jump. */
int64_t jump_tick(struct jump *j);

/* By how many ms the clocks jumped between two moments, however far apart; 0: not. */
int64_t jump_between(int64_t wall_then_ms, int64_t boot_then_ms, int64_t wall_ms, int64_t boot_ms);

struct jump_notice;
typedef void (*jump_notice_fn)(struct jump_notice *n);

struct jump_notice { /* the owner's memory, until jump_notice_stop's done */
    void *owner;
    jump_notice_fn on_set;
    /* private from here */
    int fd;
    uv_poll_t poll;
    struct closer closer;
    void (*stopped)(struct jump_notice *n);
};

/* on_set: the wall clock was just set (by however little), or the machine woke from suspend:
 * call jump_tick now. */
int jump_notice_start(struct jump_notice *n, uv_loop_t *loop, void *owner, jump_notice_fn on_set,
                      struct err *e) MUST_CHECK;
void jump_notice_stop(struct jump_notice *n, void (*done)(struct jump_notice *n));
