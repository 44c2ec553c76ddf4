/* SPDX-License-Identifier: GPL-2.0-or-later
 * /proc/PID/task/PID/stat is read, not /proc/PID/stat: the same flags, but the kernel doesn't add
 * up the times of all the server's threads for each read. */
#include "agent/watch.h"

#include "base/clock.h"
#include "loop/timer.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

/* linux/sched.h, visible in the stat file since 2.6 */
#define PF_EXITING  0x00000004ul
#define PF_SIGNALED 0x00000400ul

/* linux/pidfd.h since 6.9 */
#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL
#endif

#define WATCH_PIN_AGAIN_MS 500

/* Field numbers of proc(5). */
enum watch_field { FIELD_STATE = 3, FIELD_FLAGS = 9, FIELD_THREADS = 20, FIELD_EXIT_CODE = 52 };

struct watch_stat {
    char name[16];
    unsigned long flags;
    long threads;
    int status; /* as of wait(2); 0 also where we may not see it */
};

/* 0, or -ESRCH: nothing to read any more. */
static int watch_read(int fd, struct watch_stat *s)
{
    char text[1024];
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    char *open, *at;

    if (n <= 0)
        return -ESRCH;
    text[n] = 0;
    open = strchr(text, '(');
    at = strrchr(text, ')'); /* the name may hold anything, parentheses too */
    if (!open || !at || at < open)
        return -ESRCH;
    *s = (struct watch_stat){0};
    snprintf(s->name, sizeof s->name, "%.*s", (int)(at - open - 1), open + 1);
    at++;
    for (int field = FIELD_STATE; (at = strchr(at, ' ')); field++) {
        at++;
        if (field == FIELD_FLAGS)
            s->flags = strtoul(at, NULL, 10);
        else if (field == FIELD_THREADS)
            s->threads = strtol(at, NULL, 10);
        else if (field == FIELD_EXIT_CODE)
            s->status = (int)strtol(at, NULL, 10);
    }
    return 0;
}

/* A signal has ended the whole process (set before a core is written, which takes long), or its
 * first thread is exiting and no other is left: a first thread alone may leave the others alive. */
static bool watch_dying(const struct watch_stat *s)
{
    return s->flags & PF_SIGNALED || (s->flags & PF_EXITING && s->threads <= 1);
}

static void watch_how(struct watch *w, const struct watch_stat *s)
{
    if (WIFSIGNALED(s->status))
        snprintf(w->how, sizeof w->how, ": killed by signal %d (%s)", WTERMSIG(s->status),
                 strsignal(WTERMSIG(s->status)));
    else if (s->flags & PF_SIGNALED)
        snprintf(w->how, sizeof w->how, ": killed by a signal");
    else
        snprintf(w->how, sizeof w->how, ": ended by itself (exit code %d)", WEXITSTATUS(s->status));
}

static void watch_tell(struct watch *w, enum watch_event ev)
{
    char why[160];

    snprintf(why, sizeof why, "%s (pid %d) %s%s", w->name, (int)w->pid,
             ev == WATCH_BEGAN_EXIT ? "is exiting" : "is gone", w->how);
    w->on_event(w, ev, why);
}

static void watch_calm(struct watch *w)
{
    uv_timer_stop(&w->tick);
    if (w->nest >= 0)
        uv_poll_stop(&w->threads);
}

/* False: it lives. Else there is no need to look again, and w may be on its way out. */
static bool watch_look(struct watch *w)
{
    struct watch_stat s;

    if (watch_read(w->stat, &s) < 0) {
        watch_calm(w); /* the pidfd says the rest */
        return true;
    }
    if (!watch_dying(&s))
        return false;
    watch_calm(w);
    watch_how(w, &s);
    watch_tell(w, WATCH_BEGAN_EXIT);
    return true;
}

static void watch_unpin(struct watch *w)
{
    for (unsigned i = 0; i < WATCH_PINS; i++) {
        if (w->pin[i] >= 0)
            close(w->pin[i]); /* leaves the epoll with it */
        w->pin[i] = -1;
    }
    w->pin_ms = clock_boot_ms() + WATCH_PIN_AGAIN_MS;
}

/* The threads are found by number, which could in theory belong to somebody else by the time it is
 * used: that costs a needless look at the flags, no more. The first thread is no pin, since the
 * kernel (6.15) tells its end only when the others are gone. */
static void watch_pin(struct watch *w)
{
    char path[64];
    unsigned n = 0;
    struct dirent *d;
    DIR *dir;

    watch_unpin(w);
    snprintf(path, sizeof path, "/proc/%d/task", (int)w->pid);
    dir = opendir(path);
    if (!dir)
        return;
    while (n < WATCH_PINS && (d = readdir(dir))) {
        struct epoll_event ev = {.events = EPOLLIN};
        pid_t tid = atoi(d->d_name);

        if (tid <= 0 || tid == w->pid)
            continue;
        w->pin[n] = pidfd_open(tid, PIDFD_THREAD);
        if (w->pin[n] < 0)
            continue;
        if (epoll_ctl(w->nest, EPOLL_CTL_ADD, w->pin[n], &ev) < 0)
            break;
        n++;
    }
    closedir(dir);
    if (n == WATCH_PINS)
        w->pin_ms = CLOCK_NEVER;
    else
        watch_unpin(w);
}

static void watch_on_tick(uv_timer_t *tick);

static void watch_pace(struct watch *w)
{
    int64_t ms = w->pin_ms == CLOCK_NEVER ? WATCH_CALM_MS : WATCH_POLL_MS;

    timer_every(&w->tick, ms, watch_on_tick);
}

static void watch_on_tick(uv_timer_t *tick)
{
    struct watch *w = tick->data;

    if (watch_look(w))
        return;
    if (w->nest >= 0 && w->pin_ms <= clock_boot_ms()) {
        watch_pin(w);
        watch_pace(w);
    }
}

/* A pinned thread has ended: alone, or with all the others, and then the first thread may be a
 * moment behind with its flags. So they are watched closely until it is time to pin other threads.
 */
static void watch_on_threads(uv_poll_t *threads, int status, int events)
{
    struct watch *w = threads->data;

    (void)status; /* an epoll has no errors of its own */
    (void)events;
    if (watch_look(w))
        return;
    watch_unpin(w);
    timer_every(&w->tick, 1, watch_on_tick);
}

static void watch_on_end(uv_poll_t *end, int status, int events)
{
    struct watch *w = end->data;
    struct watch_stat s;

    (void)status; /* a pidfd reports one thing only */
    (void)events;
    uv_poll_stop(&w->end);
    watch_calm(w);
    if (watch_read(w->stat, &s) == 0) /* how it began may have been too early for the number */
        watch_how(w, &s);
    watch_tell(w, WATCH_EXITED);
}

/* The pidfd first: as long as its process exists the number can't be given to another one, so what
 * is opened by number belongs to it if it still exists afterwards. */
static int watch_open(struct watch *w, struct err *e)
{
    struct watch_stat s;
    char path[64];

    w->pidfd = pidfd_open(w->pid, 0);
    if (w->pidfd < 0)
        return err_set(e, -errno, "%s", errno == ESRCH ? "no such process" : strerror(errno));
    snprintf(path, sizeof path, "/proc/%d/task/%d/stat", (int)w->pid, (int)w->pid);
    w->stat = open(path, O_RDONLY | O_CLOEXEC);
    if (w->stat < 0)
        return err_set(e, errno == ENOENT ? -ESRCH : -errno, "open %s: %s", path, strerror(errno));
    if (watch_read(w->stat, &s) < 0 ||
        (pidfd_send_signal(w->pidfd, 0, NULL, 0) < 0 && errno == ESRCH))
        return err_set(e, -ESRCH, "it ended just now");
    memcpy(w->name, s.name, sizeof w->name);
    return 0;
}

/* Without the nest everything works as well, by looking more often. */
static void watch_nest(struct watch *w, uv_loop_t *loop)
{
    int probe = pidfd_open(w->pid, PIDFD_THREAD);

    w->pin_ms = CLOCK_NEVER - 1;
    if (probe < 0)
        return;
    close(probe);
    w->nest = epoll_create1(EPOLL_CLOEXEC);
    if (w->nest >= 0 && uv_poll_init(loop, &w->threads, w->nest) < 0) {
        close(w->nest);
        w->nest = -1;
    }
    if (w->nest < 0)
        return;
    w->threads.data = w;
    CHECK(uv_poll_start(&w->threads, UV_READABLE, watch_on_threads) == 0);
    watch_pin(w);
}

static void watch_close_fds(struct watch *w)
{
    watch_unpin(w);
    if (w->nest >= 0)
        close(w->nest);
    w->nest = -1;
    if (w->stat >= 0)
        close(w->stat);
    if (w->pidfd >= 0)
        close(w->pidfd);
    w->stat = w->pidfd = -1;
}

int watch_start(struct watch *w, uv_loop_t *loop, pid_t pid, void *owner, watch_event_fn on_event,
                struct err *e)
{
    int err;

    *w = (struct watch){.pid = pid, .owner = owner, .on_event = on_event};
    w->pidfd = w->stat = w->nest = -1;
    memset(w->pin, -1, sizeof w->pin);
    if (watch_open(w, e) < 0) {
        watch_close_fds(w);
        return err_wrap(e, "watch process %d", (int)pid);
    }
    err = uv_poll_init(loop, &w->end, w->pidfd);
    if (err < 0) {
        watch_close_fds(w);
        return err_set(e, err, "watch process %d: poll its pidfd: %s", (int)pid, uv_strerror(err));
    }
    w->end.data = w;
    CHECK(uv_poll_start(&w->end, UV_READABLE, watch_on_end) == 0);
    uv_timer_init(loop, &w->tick);
    w->tick.data = w;
    watch_nest(w, loop);
    watch_pace(w);
    return 0;
}

int watch_kill(struct watch *w)
{
    return pidfd_send_signal(w->pidfd, SIGKILL, NULL, 0) < 0 ? -errno : 0;
}

static void watch_on_closed(struct closer *c)
{
    struct watch *w = c->owner;

    w->stopped(w);
}

void watch_stop(struct watch *w, void (*done)(struct watch *w))
{
    w->stopped = done;
    w->closer = (struct closer){.owner = w};
    closer_add(&w->closer);
    closer_handle(&w->closer, (uv_handle_t *)&w->tick);
    closer_add(&w->closer);
    closer_handle(&w->closer, (uv_handle_t *)&w->end);
    if (w->nest >= 0) {
        closer_add(&w->closer);
        closer_handle(&w->closer, (uv_handle_t *)&w->threads);
    }
    watch_close_fds(w); /* nothing is polled any more */
    closer_end(&w->closer, watch_on_closed);
}
