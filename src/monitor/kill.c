/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "monitor/kill.h"

#include "loop/timer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/close_range.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    KILL_REST_MS = 100, /* for the pipe, which a process left behind may keep open */
    KILL_END_MS = 1000, /* for the end of a process that got SIGKILL */
    KILL_ROOM = 4096
};

static const char kill_path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

static void kill_begin(struct kill_run *r);

/* ---- what it says ---- */

static void kill_on_room(uv_handle_t *h, size_t wanted, uv_buf_t *to)
{
    static char room[KILL_ROOM]; /* used up before the loop goes on */

    (void)h;
    (void)wanted;
    *to = uv_buf_init(room, sizeof room);
}

static void kill_keep(struct kill_run *r, const char *at, size_t n)
{
    size_t old;

    if (n > sizeof r->text) {
        at += n - sizeof r->text;
        n = sizeof r->text;
    }
    old = r->len + n > sizeof r->text ? sizeof r->text - n : r->len;
    memmove(r->text, r->text + r->len - old, old);
    memcpy(r->text + old, at, n);
    r->len = old + n;
}

/* The last line that has something in it, fit for a log; "" if there is none. */
static void kill_last_line(const struct kill_run *r, char *to, size_t size)
{
    size_t end = r->len, from, n;

    while (end && (unsigned char)r->text[end - 1] <= ' ')
        end--;
    for (from = end; from && r->text[from - 1] != '\n' && r->text[from - 1] != '\r';)
        from--;
    n = end - from < size - 1 ? end - from : size - 1;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)r->text[from + i];

        to[i] = (char)(c < ' ' || c == 0x7f ? '?' : c);
    }
    to[n] = 0;
}

/* ---- the end ---- */

static void kill_on_closed(struct closer *closer)
{
    struct kill_run *r = closer->owner;
    struct kills *k = r->kill;

    r->state = KILL_RUN_IDLE;
    if (r->again && !k->stopping)
        kill_begin(r);
    closer_sub(&k->closer);
}

static void kill_close(struct kill_run *r)
{
    r->state = KILL_RUN_CLOSING;
    uv_timer_stop(&r->timer);
    if (r->process.type == UV_PROCESS)
        closer_handle(&r->closer, (uv_handle_t *)&r->process);
    closer_handle(&r->closer, (uv_handle_t *)&r->said);
    closer_handle(&r->closer, (uv_handle_t *)&r->timer);
    closer_end(&r->closer, kill_on_closed);
}

/* The owner may ask for the next one in here. */
static void kill_tell(struct kill_run *r, bool ok, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void kill_tell(struct kill_run *r, bool ok, const char *fmt, ...)
{
    char message[WHY_LEN];
    va_list ap;

    if (r->kill->stopping)
        return;
    va_start(ap, fmt);
    vsnprintf(message, sizeof message, fmt, ap);
    va_end(ap);
    r->kill->ended(r->kill->owner, r->host, ok, message);
}

static void kill_tell_end(struct kill_run *r)
{
    char line[WHY_LEN - 40];
    const char *colon;

    kill_last_line(r, line, sizeof line);
    colon = line[0] ? ": " : "";
    kill_close(r);
    if (r->exit_signal)
        kill_tell(r, false, "ended by signal %d%s%s", r->exit_signal, colon, line);
    else if (r->exit_code)
        kill_tell(r, false, "exit %" PRId64 "%s%s", r->exit_code, colon, line);
    else
        kill_tell(r, true, "%s", line[0] ? line : "exit 0");
}

static void kill_group(const struct kill_run *r)
{
    (void)kill(-r->process.pid, SIGKILL); /* what has gone already needs none */
}

static void kill_on_timer(uv_timer_t *t)
{
    struct kill_run *r = t->data;

    switch (r->state) {
    case KILL_RUN_ON:
        kill_group(r);
        if (r->kill->stopping)
            return kill_close(r);
        r->state = KILL_RUN_OVERDUE;
        kill_tell(r, false, "still running after %" PRId64 " s: killed", r->kill->limit_ms / 1000);
        return;
    case KILL_RUN_OVERDUE:
        r->again = false;
        kill_tell(r, false, "cannot be run: the one before was killed and has not ended yet");
        return;
    case KILL_RUN_FAILED:
        kill_close(r);
        kill_tell(r, false, "cannot be run: %s", strerror(-r->start_error));
        return;
    default:
        kill_tell_end(r);
    }
}

static void kill_on_said(uv_stream_t *s, ssize_t n, const uv_buf_t *from)
{
    struct kill_run *r = s->data;

    if (n > 0) {
        kill_keep(r, from->base, (size_t)n);
        r->read += (size_t)n;
        if (r->read <= KILL_READ_MAX)
            return;
    } else if (n == 0) {
        return;
    }
    uv_read_stop(s);
    if (r->state == KILL_RUN_REST)
        kill_tell_end(r);
}

static void kill_on_exit(uv_process_t *p, int64_t code, int number)
{
    struct kill_run *r = p->data;

    r->exit_code = code;
    r->exit_signal = number;
    if (r->state != KILL_RUN_ON || r->kill->stopping)
        return kill_close(r);
    r->state = KILL_RUN_REST;
    if (uv_is_active((uv_handle_t *)&r->said))
        timer_in(&r->timer, KILL_REST_MS, kill_on_timer);
    else
        kill_tell_end(r);
}

/* ---- the beginning ---- */

static int kill_spawn(struct kill_run *r)
{
    char *argv[] = {r->kill->program, r->name, r->ping ? "1" : "0", NULL};
    char *env[] = {(char *)kill_path, NULL};
    uv_stdio_container_t io[3] = {{.flags = UV_IGNORE}};
    uv_process_options_t options = {
        .exit_cb = kill_on_exit,
        .file = argv[0],
        .args = argv,
        .env = env,
        .cwd = "/",
        .flags = UV_PROCESS_DETACHED,
        .stdio = io,
        .stdio_count = 3,
    };
    int fd[2], rc;

    if (pipe2(fd, O_CLOEXEC) < 0)
        return -errno;
    rc = uv_pipe_open(&r->said, fd[0]);
    if (rc < 0) {
        close(fd[0]);
        close(fd[1]);
        return rc;
    }
    for (int i = 1; i < 3; i++) {
        io[i].flags = UV_INHERIT_FD;
        io[i].data.fd = fd[1];
    }
    /* No connection or listening socket may live on in a program, whoever opened it. */
    (void)close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
    rc = uv_spawn(r->kill->loop, &r->process, &options);
    close(fd[1]);
    CHECK(rc < 0 || uv_read_start((uv_stream_t *)&r->said, kill_on_room, kill_on_said) == 0);
    return rc;
}

static void kill_begin(struct kill_run *r)
{
    struct kills *k = r->kill;

    closer_add(&k->closer);
    r->closer = (struct closer){.owner = r};
    closer_add(&r->closer);
    CHECK(uv_timer_init(k->loop, &r->timer) == 0);
    closer_add(&r->closer);
    CHECK(uv_pipe_init(k->loop, &r->said, 0) == 0);
    memset(&r->process, 0, sizeof r->process);
    r->again = false;
    r->exit_code = r->exit_signal = 0;
    r->len = r->read = 0;
    r->start_error = kill_spawn(r);
    if (r->process.type == UV_PROCESS) /* also one that could not be started */
        closer_add(&r->closer);
    r->timer.data = r->said.data = r->process.data = r;
    r->state = r->start_error < 0 ? KILL_RUN_FAILED : KILL_RUN_ON;
    timer_in(&r->timer, r->start_error < 0 ? 1 : k->limit_ms, kill_on_timer);
}

void kill_host(struct kills *k, int host, const char *name, bool ping)
{
    struct kill_run *r = &k->run[host];

    CHECK(host >= 0 && host < HOSTS_MAX);
    if (k->stopping ||
        (r->state != KILL_RUN_IDLE && r->state != KILL_RUN_OVERDUE && r->state != KILL_RUN_CLOSING))
        return;
    r->kill = k;
    r->host = host;
    r->ping = ping;
    snprintf(r->name, sizeof r->name, "%s", name);
    if (r->state == KILL_RUN_IDLE)
        return kill_begin(r);
    r->again = true;
    if (r->state == KILL_RUN_OVERDUE)
        timer_in(&r->timer, KILL_END_MS, kill_on_timer);
}

int kill_start(struct kills *k, uv_loop_t *loop, const char *program,
               void (*ended)(void *owner, int host, bool ok, const char *message), void *owner,
               struct err *e)
{
    char here[PATH_MAX] = "";

    memset(k, 0, sizeof *k);
    k->loop = loop;
    k->limit_ms = KILL_LIMIT_MS;
    k->ended = ended;
    k->owner = owner;
    k->closer.owner = k;
    /* it is run in / */
    if (program[0] != '/' && !getcwd(here, sizeof here))
        here[0] = 0;
    CHECK(asprintf(&k->program, "%s%s%s", here, program[0] == '/' ? "" : "/", program) >= 0);
    if (access(k->program, X_OK) < 0)
        return err_set(e, -errno, "%s: %s", k->program, strerror(errno));
    return 0;
}

static void kill_on_all_closed(struct closer *closer)
{
    struct kills *k = closer->owner;

    free(k->program);
    k->program = NULL;
    k->done(k->owner);
}

static void kill_end(struct kill_run *r)
{
    switch (r->state) {
    case KILL_RUN_IDLE:
    case KILL_RUN_CLOSING:
        return;
    case KILL_RUN_ON:
        kill_group(r);
        timer_in(&r->timer, KILL_END_MS, kill_on_timer);
        return;
    default:
        kill_close(r);
    }
}

void kill_stop(struct kills *k, void (*done)(void *owner))
{
    k->stopping = true;
    k->done = done;
    for (int h = 0; h < HOSTS_MAX; h++)
        kill_end(&k->run[h]);
    closer_end(&k->closer, kill_on_all_closed);
}
