/* SPDX-License-Identifier: GPL-2.0-or-later
 * Watches one server process by its pid. A big mysqld takes 80 ms per GB to be torn down, and until
 * then its port accepts connections and its pidfd is silent; but the flags in its /proc stat say at
 * once that it is on its way out. So the flags are read: every WATCH_POLL_MS, or, where the kernel
 * (6.9) tells the end of single threads, when one of two pinned threads ends (at most one of the
 * two can be the one that does the tearing down) and otherwise every WATCH_CALM_MS only. The pidfd
 * tells the end. All of it is tied to the process itself; another one that gets the same pid is
 * never mistaken for it. */
#pragma once

#include "base/check.h"
#include "base/err.h"
#include "loop/closer.h"

#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

#define WATCH_POLL_MS 5
#define WATCH_CALM_MS                                                                              \
    50 /* for a process that dies slowly with all threads alive: writing a core                    \
        */
#define WATCH_PINS 2

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
    char how[64];
    uv_timer_t tick;
    uv_poll_t end;
    int nest; /* an epoll of the threads' pidfds; -1: this kernel has none */
    int pin[WATCH_PINS];
    int64_t pin_ms; /* CLOCK_NEVER: pinned; else try from this moment on */
    uv_poll_t threads;
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
