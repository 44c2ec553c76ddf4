/* SPDX-License-Identifier: GPL-2.0-or-later
 * The binary log of the server of this host, once that is dead: where it is (asked while the server
 * lives, kept with the record) and what it holds. It is read in a thread, and only when no thread
 * of the server can write to it any more: a signal ends a server at once, but a write that was
 * under way still gets done. */
#include "agent/agentd.h"

#include "binlog/binlog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { TAIL_LOOK_MS = 2, TAIL_END_MS = 60 * 1000 /* a big server takes 80 ms per GB */ };

struct tail_read {
    uv_work_t work;
    struct agentd *d;
    int64_t died;
    struct tail_place place;
    atomic_bool given_up; /* nobody waits for it any more */
    int rc;
    struct err e;
    struct binlog_scan scan;
};

/* ---- where it is ---- */

void agentd_tail_seen(struct agentd *d, const struct mydb_facts *f)
{
    struct tail_place *p = &d->tail.asked;

    p->mysql_flavour = !f->mariadb;
    p->server_id = f->server_id;
    (void)snprintf(p->version, sizeof p->version, "%s", f->version);
    (void)snprintf(p->server_uuid, sizeof p->server_uuid, "%s", f->server_uuid);
    (void)snprintf(p->index, sizeof p->index, "%s", f->log_bin_index ? f->log_bin_index : "");
}

void agentd_tail_alive(struct agentd *d, pid_t pid)
{
    d->tail.asked.pid = pid;
    if (memcmp(&d->tail.asked, &d->tail.place, sizeof d->tail.place) == 0)
        return;
    d->tail.place = d->tail.asked;
    agentd_record(d);
}

/* ---- is it still written to? ---- */

/* Threads that may still run: 0 when the process is gone, a zombie, or exiting with its last one.
 */
static long tail_threads(pid_t pid)
{
    char path[64], text[1024], *at, state;
    unsigned long flags = 0;
    long threads = 0;
    ssize_t n;
    int fd;

    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT || errno == ESRCH ? 0 : -1;
    n = read(fd, text, sizeof text - 1);
    close(fd);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    at = strrchr(text, ')'); /* proc(5): state is field 3, flags 9, threads 20 */
    if (!at ||
        sscanf(at + 1, " %c %*d %*d %*d %*d %*d %lu %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %ld",
               &state, &flags, &threads) != 3)
        return -1;
    return threads <= 1 && (state == 'Z' || state == 'X' || flags & 4 /* PF_EXITING */) ? 0
                                                                                        : threads;
}

static int tail_wait(struct tail_read *t, struct err *e)
{
    int64_t until = clock_boot_ms() + TAIL_END_MS;
    struct timespec pause = {.tv_nsec = TAIL_LOOK_MS * 1000000};
    long threads;

    while ((threads = tail_threads((pid_t)t->place.pid)) != 0) {
        if (atomic_load(&t->given_up))
            return err_set(e, -ECANCELED, "not waited for");
        if (threads < 0)
            return err_set(e, -EIO,
                           "/proc/%lld/stat cannot be read: is it certain that it is dead?",
                           (long long)t->place.pid);
        if (clock_boot_ms() >= until)
            return err_set(e, -ETIMEDOUT, "mysqld (pid %lld) still has %ld threads after %d s",
                           (long long)t->place.pid, threads, TAIL_END_MS / 1000);
        (void)nanosleep(&pause, NULL);
    }
    return 0;
}

/* ---- reading ---- */

static int tail_look(struct tail_read *t, struct err *e)
{
    if (!t->place.index[0])
        return err_set(e, -ENOENT, "the server had no binary log (log_bin), or was never asked");
    if (!t->place.pid)
        return err_set(e, -ESRCH,
                       "whether its process has ended cannot be known; set mysql.socket to its "
                       "unix socket");
    if (tail_wait(t, e) < 0)
        return e->code;
    return binlog_scan(t->place.index, t->place.mysql_flavour ? GTID_MYSQL : GTID_MARIADB_STATE,
                       &t->scan, e);
}

static void tail_work(uv_work_t *w)
{
    struct tail_read *t = w->data;

    t->rc = tail_look(t, &t->e);
}

static void tail_done(uv_work_t *w, int status)
{
    struct tail_read *t = w->data;
    struct agentd *d = t->d;
    struct agent_event ev = {.kind = AE_TAIL,
                             .tail = {.died = t->died,
                                      .ok = status == 0 && t->rc == 0,
                                      .mysql_flavour = t->place.mysql_flavour,
                                      .gtid = t->scan.gtid,
                                      .why = status == 0 ? t->e.msg : "no thread for it"}};

    if (d->tail.read == t) {
        d->tail.read = NULL;
        if (ev.tail.ok)
            log_note(&d->log, "the dead server's binary log ends at %s %llu, %llu bytes left out",
                     t->scan.file, (unsigned long long)t->scan.pos,
                     (unsigned long long)t->scan.left_out);
        if (!d->stopping)
            agentd_feed(d, &ev);
    }
    free(t);
    closer_sub(&d->closer);
}

static void tail_give_up(struct agentd *d)
{
    if (d->tail.read)
        atomic_store(&d->tail.read->given_up, true);
    d->tail.read = NULL;
}

void agentd_tail(struct agentd *d, const struct agent_action *a)
{
    struct tail_read *t = calloc(1, sizeof *t);

    CHECK(t);
    tail_give_up(d);
    t->d = d;
    t->died = a->died;
    t->place = d->tail.place;
    t->work.data = t;
    d->tail.read = t;
    closer_add(&d->closer);
    CHECK(uv_queue_work(&d->loop, &t->work, tail_work, tail_done) == 0);
}

void agentd_tail_stop(struct agentd *d)
{
    tail_give_up(d);
}
