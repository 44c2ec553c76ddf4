/* SPDX-License-Identifier: GPL-2.0-or-later
 * The local mysqld, seen from outside (its process) and from inside (what it answers). Says up,
 * dead or unknown, and the facts; what follows from that is not decided here.
 *
 *   PAUSE -> ASKED -> PAUSE        by TCP, on a new connection: ASKED -> LOOKING (for its pid) ->
 * PAUSE
 *
 * The process is watched: it is dead from the moment it begins to exit, although connecting to it
 * works until it is torn down. A refused connect counts as dead only while no process is known. */
#include "agent/agentd.h"

#include "loop/timer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    OBSERVE_MS = 250,
    OBSERVE_LIMIT_MS = 1000,
    RETRY_LEAST_MS = 20,
    RETRY_MOST_MS = 50,
    PID_FILE_MS = 1000
};

struct agentd_process {
    struct agentd *d;
    struct watch watch;
};

static void server_move(struct agentd_server *s, enum server_state to)
{
    static const unsigned allowed[SERVER_N] = {
        [SERVER_PAUSE] = 1u << SERVER_ASKED | 1u << SERVER_PAUSE,
        [SERVER_ASKED] = 1u << SERVER_PAUSE | 1u << SERVER_LOOKING,
        [SERVER_LOOKING] = 1u << SERVER_PAUSE,
    };

    CHECK(allowed[s->state] & 1u << to);
    s->state = to;
}

static void server_on_pause(uv_timer_t *t);

static void server_pause(struct agentd *d, int64_t ms)
{
    if (d->stopping)
        return;
    server_move(&d->server, SERVER_PAUSE);
    timer_in(&d->server.timer, ms, server_on_pause);
}

/* Soon, and less often the longer it is down. */
static void server_retry(struct agentd *d)
{
    struct agentd_server *s = &d->server;

    server_pause(d, s->pause_ms);
    s->pause_ms *= 2;
    if (s->pause_ms > RETRY_MOST_MS)
        s->pause_ms = RETRY_MOST_MS;
}

static void server_say(struct agentd *d, enum mysqld state, pid_t pid, const char *why)
{
    struct agentd_server *s = &d->server;
    struct agent_event ev = {.kind = AE_MYSQLD, .mysqld = {.state = state, .pid = pid, .why = why}};
    bool news = s->known != state || (state == MYSQLD_UP && pid != s->pid);
    unsigned held;

    s->known = state;
    s->pid = pid;
    if (state == MYSQLD_UP && news)
        log_note(&d->log, "the server answers, pid %ld%s", (long)pid,
                 pid ? "" : " (not known: it is neither at mysql.socket nor in a pid file)");
    else if (state == MYSQLD_DEAD && news)
        log_warn(&d->log, "the server is dead: %s", why);
    else if (state == MYSQLD_UNKNOWN && log_allowed(&s->limit, clock_boot_ms(), &held))
        log_warn(&d->log, "the server's state is unknown: %s", why);
    agentd_feed(d, &ev);
}

/* ---- its process ---- */

static void process_on_stopped(struct watch *w)
{
    struct agentd_process *p = w->owner;
    struct agentd *d = p->d;

    free(p);
    closer_sub(&d->closer);
}

static void server_unwatch(struct agentd *d)
{
    struct agentd_process *p = d->server.process;

    d->server.process = NULL;
    if (p)
        watch_stop(&p->watch, process_on_stopped);
}

static void process_on_event(struct watch *w, enum watch_event what, const char *why)
{
    struct agentd_process *p = w->owner;
    struct agentd *d = p->d;
    struct agentd_server *s = &d->server;

    s->void_answer = s->state != SERVER_PAUSE;
    s->fresh = true;
    s->pause_ms = RETRY_LEAST_MS;
    s->gone = what == WATCH_EXITED ? 0 : w->pid;
    if (what == WATCH_EXITED) {
        log_info(&d->log, "%s", why);
        server_unwatch(d);
        if (s->state == SERVER_PAUSE)
            server_retry(d);
    }
    if (s->known != MYSQLD_DEAD)
        server_say(d, MYSQLD_DEAD, w->pid, why);
}

/* False: it is gone already. A process that cannot be watched is as good as unknown. */
static bool server_watch(struct agentd *d, pid_t pid)
{
    struct agentd_process *p;
    struct err e = {0};
    unsigned held;
    int rc;

    if (d->server.process && d->server.process->watch.pid == pid)
        return true;
    server_unwatch(d);
    p = calloc(1, sizeof *p);
    CHECK(p);
    p->d = d;
    rc = watch_start(&p->watch, &d->loop, pid, p, process_on_event, &e);
    if (rc == 0) {
        closer_add(&d->closer);
        d->server.process = p;
        return true;
    }
    free(p);
    if (rc != -ESRCH && log_allowed(&d->server.problem_limit, clock_boot_ms(), &held))
        log_warn(&d->log, "%s; that it dies will be seen later", e.msg);
    return rc != -ESRCH;
}

void agentd_server_kill(struct agentd *d)
{
    struct agentd_process *p = d->server.process;
    int rc;

    if (!p) {
        log_error(&d->log,
                  "the server cannot be killed: its process is not known; set mysql.socket "
                  "to its unix socket");
        return;
    }
    rc = watch_kill(&p->watch);
    if (rc < 0 && rc != -ESRCH)
        log_error(&d->log, "kill %s (pid %ld): %s", p->watch.name, (long)p->watch.pid,
                  strerror(-rc));
    else
        log_warn(&d->log, "sent SIGKILL to %s (pid %ld)", p->watch.name, (long)p->watch.pid);
}

/* ---- its pid where the connection doesn't tell: from its pid file, off the loop ---- */

struct look {
    uv_work_t work;
    struct agentd *d;
    char path[512];
    pid_t pid;
};

static bool look_line(const char *path, char *to, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    ssize_t n;

    if (fd < 0)
        return false;
    n = read(fd, to, size - 1);
    close(fd);
    if (n <= 0)
        return false;
    to[n] = '\0';
    return true;
}

static bool look_is_server(long pid)
{
    char text[64], path[64];

    (void)snprintf(path, sizeof path, "/proc/%ld/comm", pid);
    return look_line(path, text, sizeof text) &&
           (strncmp(text, "mysqld", 6) == 0 || strncmp(text, "mariadbd", 8) == 0);
}

static void look_work(uv_work_t *w)
{
    struct look *l = w->data;
    char text[64];
    long pid;

    if (!look_line(l->path, text, sizeof text))
        return;
    pid = strtol(text, NULL, 10);
    if (pid > 1 && look_is_server(pid))
        l->pid = (pid_t)pid;
}

/* Who listens at the socket is the server, but where systemd opened it for the server. */
static pid_t server_pid(const struct mydb_facts *f)
{
    return f->pid == 1 && !look_is_server(1) ? 0 : f->pid;
}

static void server_is_up(struct agentd *d, pid_t pid);

static void look_done(uv_work_t *w, int status)
{
    struct look *l = w->data;
    struct agentd *d = l->d;
    pid_t pid = status == 0 ? l->pid : 0;
    bool waited_for = d->server.look == l;

    free(l);
    closer_sub(&d->closer);
    if (!waited_for)
        return;
    d->server.look = NULL;
    if (!d->stopping)
        server_is_up(d, pid);
}

/* A hung disk keeps the pid, not what the server said. */
static void look_on_limit(uv_timer_t *t)
{
    struct agentd *d = t->data;

    d->server.look = NULL;
    server_is_up(d, 0);
}

static void server_look(struct agentd *d, const char *pid_file)
{
    struct look *l = calloc(1, sizeof *l);

    CHECK(l);
    l->d = d;
    l->work.data = l;
    (void)snprintf(l->path, sizeof l->path, "%s", pid_file);
    server_move(&d->server, SERVER_LOOKING);
    d->server.look = l;
    closer_add(&d->closer);
    CHECK(uv_queue_work(&d->loop, &l->work, look_work, look_done) == 0);
    timer_in(&d->server.timer, PID_FILE_MS, look_on_limit);
}

/* ---- its answers ---- */

/* It answered; what it said stands in s->facts. */
static void server_is_up(struct agentd *d, pid_t pid)
{
    struct agentd_server *s = &d->server;
    struct agent_event ev = {.kind = AE_FACTS, .facts = &s->facts};
    bool late = s->void_answer || (pid && pid == s->gone);

    s->void_answer = false;
    if (late || (pid && !server_watch(d, pid))) {
        server_retry(d);
        return;
    }
    s->fresh = false;
    s->gone = 0;
    agentd_tail_alive(d, pid);
    s->pause_ms = RETRY_LEAST_MS;
    s->limit = (struct log_limit){0};
    server_pause(d, OBSERVE_MS);
    if (s->known != MYSQLD_UP || (pid && pid != s->pid))
        server_say(d, MYSQLD_UP, pid, "");
    if (!d->stopping)
        agentd_feed(d, &ev);
    if (!d->stopping)
        agentd_jobs_keep(d);
}

static void server_answered(struct agentd *d, const struct mydb_facts *f)
{
    struct agentd_server *s = &d->server;
    pid_t pid = server_pid(f);
    unsigned held;

    if (s->void_answer) {
        s->void_answer = false;
        server_retry(d);
        return;
    }
    agentd_facts_of(d->conf, f, &s->facts, s->problem);
    agentd_tail_seen(d, f);
    if (s->problem[0] && log_allowed(&s->problem_limit, clock_boot_ms(), &held))
        log_warn(&d->log, "%s", s->problem);
    if (pid)
        server_is_up(d, pid);
    else if (s->fresh && f->pid_file && *f->pid_file)
        server_look(d, f->pid_file);
    else
        server_is_up(d, s->fresh ? 0 : s->pid);
}

static void server_refused(struct agentd *d, const char *text)
{
    const struct agentd_process *p = d->server.process;
    char why[WHY_LEN];

    if (p)
        (void)snprintf(why, sizeof why, "%s (pid %ld) runs and refuses local connections: %.128s",
                       p->watch.name, (long)p->watch.pid, text);
    else
        (void)snprintf(why, sizeof why, "local connect refused: %.200s", text);
    if (p || d->server.known != MYSQLD_DEAD)
        server_say(d, p ? MYSQLD_UNKNOWN : MYSQLD_DEAD, p ? p->watch.pid : 0, why);
}

static void server_failed(struct agentd *d, const struct mydb_answer *a)
{
    struct agentd_server *s = &d->server;
    bool again = s->fresh;

    s->void_answer = false;
    s->fresh = s->fresh || a->came != MYDB_FINE;
    if (a->came == MYDB_SILENT || a->came == MYDB_BARRED || a->came == MYDB_FINE)
        server_pause(d, OBSERVE_MS);
    else
        server_retry(d);
    if (s->gone)
        return; /* it is being torn down: whatever it does now proves nothing new */
    if (a->came == MYDB_REFUSED)
        server_refused(d, a->text);
    else if (a->came != MYDB_CANCELLED &&
             (a->came != MYDB_LOST || (again && s->known == MYSQLD_UP)))
        server_say(d, MYSQLD_UNKNOWN, s->pid, a->text);
}

static void server_on_answer(struct mydb *m, const struct mydb_answer *a)
{
    struct agentd *d = mydb_owner(m);

    if (a->ok && a->facts)
        server_answered(d, a->facts);
    else
        server_failed(d, a);
}

static void server_on_pause(uv_timer_t *t)
{
    struct agentd *d = t->data;
    struct mydb_ask ask = {.task = MYDB_OBSERVE, .limit_ms = OBSERVE_LIMIT_MS};

    server_move(&d->server, SERVER_ASKED);
    mydb_run(d->server.db, &ask, server_on_answer);
}

static void server_on_lost(struct mydb *m, const char *text)
{
    struct agentd *d = mydb_owner(m);
    struct agentd_server *s = &d->server;

    log_debug(&d->log, "connection to the server ended: %s", text);
    s->fresh = true;
    s->pause_ms = RETRY_LEAST_MS;
    if (s->state == SERVER_PAUSE)
        server_pause(d, 1);
}

/* ---- life ---- */

void agentd_server_anew(struct agentd *d)
{
    struct agentd_server *s = &d->server;

    if (s->state == SERVER_PAUSE)
        server_pause(d, 1);
    else
        s->void_answer = true;
}

void agentd_server_start(struct agentd *d)
{
    struct agentd_server *s = &d->server;

    s->fresh = true;
    s->pause_ms = RETRY_LEAST_MS;
    s->db = mydb_new(&d->loop, d->conf, d->self, server_on_lost, d);
    closer_add(&d->closer); /* the connection */
    closer_add(&d->closer); /* the timer */
    CHECK(uv_timer_init(&d->loop, &s->timer) == 0);
    s->timer.data = d;
    server_pause(d, 1);
}

static void server_on_closed(void *owner)
{
    struct agentd *d = owner;

    closer_sub(&d->closer);
}

void agentd_server_stop(struct agentd *d)
{
    if (!d->server.db)
        return;
    server_unwatch(d);
    closer_handle(&d->closer, (uv_handle_t *)&d->server.timer);
    mydb_close(d->server.db, server_on_closed);
    d->server.db = NULL;
}
