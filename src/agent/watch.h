/* SPDX-License-Identifier: GPL-2.0-or-later
 * Watches one server process by its pid. A big mysqld takes 80 ms per GB to be torn down, and until
 * then its port accepts connections and its pidfd is silent; but the flags in its /proc stat say at
 * once that it is on its way out. So: the flags are read every WATCH_POLL_MS, and the pidfd tells
 * the end. Both pin the process itself; another one that gets the same pid is never mistaken. */
#pragma once

#include "base/check.h"
#include "base/err.h"
#include "loop/closer.h"

#include <stdbool.h>
#include <sys/types.h>
#include <uv.h>

#define WATCH_POLL_MS 4

enum watch_event {
    WATCH_BEGAN_EXIT, /* it will never run again, whatever its port says; skipped if it was quick */
    WATCH_EXITED,     /* gone (or a zombie); the last event */
    WATCH_N
};

struct watch;
/* why: "mysqld (pid 123) is exiting: killed by signal 9 (Killed)"; valid during the call.
 * watch_stop may be called from here. */
typedef void (*watch_event_fn)(struct watch *w, enum watch_event ev, const char *why);

struct watch { /* the owner's memory, until watch_stop's done */
    pid_t pid;
    char name[16]; /* the kernel's name for it: "mysqld", "mariadbd" */
    void *owner;
    watch_event_fn on_event;
    /* private from here */
    int pidfd, stat;
    bool began;
    char how[64];
    uv_timer_t tick;
    uv_poll_t end;
    struct closer closer;
    void (*stopped)(struct watch *w);
};

/* -ESRCH: no such process. On failure there is nothing to stop. */
int watch_start(struct watch *w, uv_loop_t *loop, pid_t pid, void *owner, watch_event_fn on_event,
                struct err *e) MUST_CHECK;

/* SIGKILL to exactly this process. 0 or a negative errno (-ESRCH: it is gone already). */
int watch_kill(struct watch *w);

/* No event after this call; done says that the memory may go. done may be called only by the loop,
 * never from inside. */
void watch_stop(struct watch *w, void (*done)(struct watch *w));
