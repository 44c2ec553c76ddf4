/* SPDX-License-Identifier: GPL-2.0-or-later
 * Hands over what the binary log of the dead server of this host holds and another host lacks: a
 * file with just that is made in a thread and sent piece by piece as it is asked for. It is in
 * state_dir, or in memory (run_dir) where that has no room: a server's disk may have been full when
 * it died. One host at a time; the file goes when nobody asks for it any more.
 *
 *   NOT -> MAKING -> READY -> NOT */
#include "agent/agentd.h"

#include "agent/aside.h"
#include "agent/base64.h"
#include "binlog/binlog.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SERVE_IDLE_MS = 60 * 1000 };
#define SERVE_BYTES_MAX (1ull << 30)

/* In a thread: a file is made, or a piece of it read. */
struct serve_work {
    uv_work_t work;
    struct agentd *d;
    uint64_t id;
    int link, fd, rc;
    int64_t offset;
    struct tail_place place;
    bool in_memory;
    char have[GTID_LEN];
    struct binlog_slice slice;
    struct err e;
    ssize_t n;
    unsigned char piece[CHUNK_BYTES];
};

static void serve_refuse(struct agentd *d, int link, uint64_t id, bool hopeless, const char *why)
{
    struct msg_chunk *c = &d->out.chunk;

    d->out.kind = MSG_CHUNK;
    memset(c, 0, sizeof *c);
    c->id = id;
    c->hopeless = hopeless;
    (void)snprintf(c->why, sizeof c->why, "%.255s", why);
    agentd_links_send(d, link);
}

static void serve_answer(struct agentd *d, int link, uint64_t id, const char *why)
{
    serve_refuse(d, link, id, false, why);
}

/* It is so for good. */
static bool serve_hopeless(int rc)
{
    return rc == -ENODATA || rc == -ENOTSUP || rc == -EBADMSG || rc == -E2BIG;
}

static void serve_path(const struct agentd *d, bool in_memory, char *to, size_t size)
{
    (void)snprintf(to, size, "%.300s/%s.%s.tail", in_memory ? d->run_dir : d->state_dir,
                   d->conf->cluster, d->conf->hosts[d->self].name);
}

void agentd_serve_start(struct agentd *d)
{
    char path[512];

    for (int in_memory = 0; in_memory < 2; in_memory++) {
        serve_path(d, in_memory, path, sizeof path);
        (void)unlink(path);
    }
}

static void serve_clear(struct agentd *d)
{
    struct agentd_serve *s = &d->serve;

    if (s->fd > 0)
        close(s->fd);
    agentd_serve_start(d);
    memset(s, 0, sizeof *s);
}

/* ---- making ---- */

static int serve_slice(struct serve_work *m, const char *have)
{
    enum gtid_flavour how = m->place.mysql_flavour ? GTID_MYSQL : GTID_MARIADB_POS;
    const struct agentd *d = m->d;
    char path[512];

    serve_path(d, m->in_memory, path, sizeof path);
    if (binlog_slice(m->place.index, how, have, path,
                     m->in_memory ? aside_memory(d->run_dir, SERVE_BYTES_MAX)
                                  : aside_room(d->state_dir, SERVE_BYTES_MAX),
                     &m->slice, &m->e) < 0)
        return m->e.code;
    m->fd = open(path, O_RDONLY | O_CLOEXEC);
    return m->fd < 0 ? err_set(&m->e, -errno, "open %s: %s", path, strerror(errno)) : 0;
}

static void serve_make_work(uv_work_t *w)
{
    struct serve_work *m = w->data;
    char have[GTID_LEN];

    m->rc = agentd_gtid_reach(!m->place.mysql_flavour, m->have, "", have, sizeof have, &m->e);
    if (m->rc < 0)
        return;
    m->rc = serve_slice(m, have);
    if (!aside_no_room(m->rc))
        return;
    m->in_memory = true;
    m->rc = serve_slice(m, have);
    if (aside_no_room(m->rc))
        (void)err_wrap(&m->e, "neither %.150s nor %.100s has room for it", m->d->state_dir,
                       m->d->run_dir);
}

static void serve_read(struct agentd *d, int link, int64_t offset);

static void serve_made(uv_work_t *w, int status)
{
    struct serve_work *m = w->data;
    struct agentd *d = m->d;
    struct agentd_serve *s = &d->serve;

    closer_sub(&d->closer);
    s->busy = false;
    if (m->rc == 0 && strlen(m->slice.reach) >= sizeof s->reach)
        m->rc = err_set(&m->e, -E2BIG, "its GTID set is longer than %zu characters",
                        sizeof s->reach - 1);
    if (d->stopping || status < 0 || m->rc < 0) {
        if (m->rc < 0)
            log_warn(&d->log, "what the dead server's binary log holds is not handed over: %s",
                     m->e.msg);
        serve_refuse(d, m->link, m->id, serve_hopeless(m->rc),
                     m->rc < 0 ? m->e.msg : "it is ending");
        s->fd = m->fd;
        serve_clear(d);
    } else {
        s->fd = m->fd;
        s->size = (int64_t)m->slice.bytes;
        memcpy(s->reach, m->slice.reach, strlen(m->slice.reach) + 1);
        log_note(&d->log,
                 "hands over %llu transactions of the dead server's binary log, %lld bytes%s",
                 (unsigned long long)m->slice.transactions, (long long)s->size,
                 m->in_memory ? ", from memory: state_dir has no room" : "");
        serve_read(d, m->link, 0);
    }
    free(m);
}

static void serve_make(struct agentd *d, int host, int link, const struct msg_slice *q)
{
    struct agentd_serve *s = &d->serve;
    struct serve_work *m = calloc(1, sizeof *m);

    CHECK(m);
    serve_clear(d);
    s->host = host;
    s->id = q->id;
    s->busy = true;
    m->d = d;
    m->id = q->id;
    m->link = link;
    m->place = d->tail.place;
    m->work.data = m;
    memcpy(m->have, q->have, sizeof m->have);
    closer_add(&d->closer);
    CHECK(uv_queue_work(&d->loop, &m->work, serve_make_work, serve_made) == 0);
}

/* ---- reading ---- */

static void serve_read_work(uv_work_t *w)
{
    struct serve_work *r = w->data;

    r->n = pread(r->fd, r->piece, sizeof r->piece, r->offset);
    r->rc = r->n < 0 ? -errno : 0;
}

static void serve_was_read(uv_work_t *w, int status)
{
    struct serve_work *r = w->data;
    struct agentd *d = r->d;
    struct agentd_serve *s = &d->serve;
    const struct tail_place *p = &d->tail.place;
    struct msg_chunk *c = &d->out.chunk;

    closer_sub(&d->closer);
    s->busy = false;
    if (d->stopping || status < 0 || r->rc < 0) {
        serve_answer(d, r->link, r->id, r->rc < 0 ? strerror(-r->rc) : "it is ending");
        serve_clear(d);
        free(r);
        return;
    }
    d->out.kind = MSG_CHUNK;
    memset(c, 0, offsetof(struct msg_chunk, data));
    c->id = s->id;
    c->offset = r->offset;
    c->size = s->size;
    c->server_id = p->server_id;
    memcpy(c->version, p->version, sizeof c->version);
    memcpy(c->server_uuid, p->server_uuid, sizeof c->server_uuid);
    memcpy(c->reach, s->reach, sizeof c->reach);
    base64_encode(c->data, r->piece, (size_t)r->n);
    agentd_links_send(d, r->link);
    free(r);
}

static void serve_read(struct agentd *d, int link, int64_t offset)
{
    struct serve_work *r = calloc(1, sizeof *r);

    CHECK(r);
    d->serve.busy = true;
    d->serve.used_ms = clock_boot_ms();
    r->d = d;
    r->id = d->serve.id;
    r->link = link;
    r->fd = d->serve.fd;
    r->offset = offset;
    r->work.data = r;
    closer_add(&d->closer);
    CHECK(uv_queue_work(&d->loop, &r->work, serve_read_work, serve_was_read) == 0);
}

/* ---- who asks ---- */

void agentd_serve(struct agentd *d, int host, int link, const struct msg_slice *q)
{
    struct agentd_serve *s = &d->serve;
    bool known = s->id == q->id && s->host == host;

    if (s->busy)
        serve_answer(d, link, q->id, "it is at work for somebody; ask again");
    else if (d->agent.tail.state != TAIL_READY)
        serve_answer(d, link, q->id, "there is no binary log of a dead server to hand over");
    else if (known && q->offset >= 0 && q->offset <= s->size)
        serve_read(d, link, q->offset);
    else if (!q->offset)
        serve_make(d, host, link, q);
    else
        serve_answer(d, link, q->id, "that file is gone; ask from its beginning");
}

void agentd_serve_tick(struct agentd *d)
{
    struct agentd_serve *s = &d->serve;

    if (s->id && !s->busy && clock_boot_ms() - s->used_ms >= SERVE_IDLE_MS)
        serve_clear(d);
}

void agentd_serve_stop(struct agentd *d)
{
    if (!d->serve.busy)
        serve_clear(d);
}
