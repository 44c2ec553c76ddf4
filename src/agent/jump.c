/* SPDX-License-Identifier: GPL-2.0-or-later
 * Linux slews wall, monotonic and boot clock together, so between them only a set wall clock (and a
 * leap second) shows; the allowance for drift is for hypervisors that correct in small steps. */
#include "agent/jump.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define JUMP_READ_MS     20 /* readings of both clocks further apart than this say nothing */
#define JUMP_READ_TRIES  3
#define JUMP_LOOK_MS_MAX (24 * 3600 * 1000LL) /* drift is forgiven for at most this long */

int64_t jump_seen(struct jump *j, int64_t wall_ms, int64_t boot_ms)
{
    int64_t offset_us = (wall_ms - boot_ms) * 1000;
    int64_t passed_ms = boot_ms - j->boot_ms;
    int64_t diff_us = offset_us - j->offset_us;
    int64_t slew_us;

    if (!j->started) {
        *j = (struct jump){.started = true, .boot_ms = boot_ms, .offset_us = offset_us};
        return 0;
    }
    passed_ms = passed_ms > JUMP_LOOK_MS_MAX ? JUMP_LOOK_MS_MAX : passed_ms;
    slew_us = passed_ms > 0 ? passed_ms * JUMP_SLEW_PPM / 1000 : 0;
    j->boot_ms = boot_ms;
    if (llabs(diff_us) > JUMP_MS * 1000 + slew_us) {
        j->offset_us = offset_us;
        return diff_us / 1000;
    }
    if (llabs(diff_us) <= slew_us)
        j->offset_us = offset_us;
    else
        j->offset_us += diff_us > 0 ? slew_us : -slew_us;
    return 0;
}

int64_t jump_between(int64_t wall_then_ms, int64_t boot_then_ms, int64_t wall_ms, int64_t boot_ms)
{
    struct jump j = {0};

    (void)jump_seen(&j, wall_then_ms, boot_then_ms);
    return jump_seen(&j, wall_ms, boot_ms);
}

int64_t jump_tick(struct jump *j)
{
    for (unsigned i = 0; i < JUMP_READ_TRIES; i++) {
        int64_t before = clock_boot_ms();
        int64_t wall = clock_wall_ms();
        int64_t after = clock_boot_ms();

        if (after - before <= JUMP_READ_MS)
            return jump_seen(j, wall, before + (after - before) / 2);
    }
    return 0; /* this machine is too busy to tell; a jump is still there at the next tick */
}

static void notice_on_ready(uv_poll_t *poll, int status, int events)
{
    struct jump_notice *n = poll->data;
    uint64_t expired;

    (void)status; /* a timerfd has no errors of its own */
    (void)events;
    if (read(n->fd, &expired, sizeof expired) < 0 && errno == ECANCELED)
        n->on_set(n);
}

int jump_notice_start(struct jump_notice *n, uv_loop_t *loop, void *owner, jump_notice_fn on_set,
                      struct err *e)
{
    /* Never due; the kernel cancels it whenever the wall clock is set, again and again. */
    struct itimerspec never = {.it_value.tv_sec = INT32_MAX};
    int err;

    *n = (struct jump_notice){.owner = owner, .on_set = on_set, .fd = -1};
    n->fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    if (n->fd < 0)
        return err_set(e, -errno, "watch for a set clock: timerfd: %s", strerror(errno));
    if (timerfd_settime(n->fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &never, NULL) < 0)
        err = -errno;
    else
        err = uv_poll_init(loop, &n->poll, n->fd);
    if (err < 0) {
        close(n->fd);
        return err_set(e, err, "watch for a set clock: %s", strerror(-err));
    }
    n->poll.data = n;
    CHECK(uv_poll_start(&n->poll, UV_READABLE, notice_on_ready) == 0);
    return 0;
}

static void notice_on_closed(struct closer *c)
{
    struct jump_notice *n = c->owner;

    n->stopped(n);
}

void jump_notice_stop(struct jump_notice *n, void (*done)(struct jump_notice *n))
{
    n->stopped = done;
    n->closer = (struct closer){.owner = n};
    closer_add(&n->closer);
    closer_handle(&n->closer, (uv_handle_t *)&n->poll);
    close(n->fd); /* polling has stopped */
    closer_end(&n->closer, notice_on_closed);
}
