/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/clock.h"
#include "loop/timer.h"
#include "net/peer_internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void peer_dial(struct peer *p);

void net_init(void)
{
    signal(SIGPIPE, SIG_IGN);
}

static void peer_move(struct peer *p, enum peer_state to)
{
    static const unsigned allowed[PEER_N] = {
        [PEER_CONNECT] = 1u << PEER_SHAKE | 1u << PEER_UP | 1u << PEER_CLOSE,
        [PEER_SHAKE] = 1u << PEER_UP | 1u << PEER_AGAIN | 1u << PEER_CLOSE,
        [PEER_AGAIN] = 1u << PEER_CONNECT | 1u << PEER_CLOSE,
        [PEER_UP] = 1u << PEER_CLOSE,
    };
    CHECK(allowed[p->state] & 1u << to);
    p->state = to;
}

/* --- the end ------------------------------------------------------------------------------- */

static void peer_free(struct peer *p)
{
    tls_conn_free(p->conn);
    tls_free(p->tls);
    frame_free(&p->frames);
    buf_free(&p->queue);
    buf_free(&p->wire);
    free(p);
}

static void peer_on_closed(struct closer *c)
{
    struct peer *p = c->owner;

    if (p->door)
        p->door->on_out(p, p->visit, p->end.code, p->end.msg);
    if (p->ops)
        p->ops->on_down(p, p->owner, p->end.msg);
    peer_free(p);
}

void peer_shut(struct peer *p)
{
    peer_move(p, PEER_CLOSE);
    closer_handle(&p->closer, (uv_handle_t *)&p->limit);
    if (p->open && !uv_is_closing(&p->io.handle)) /* closing already: peer_on_again counts it */
        closer_handle(&p->closer, &p->io.handle);
    closer_end(&p->closer, peer_on_closed);
}

void peer_fail(struct peer *p, int code)
{
    err_set(&p->end, code, "%s", peer_text_errno(code));
    peer_shut(p);
}

void peer_close(struct peer *p, const char *why)
{
    if (p->state == PEER_CLOSE)
        return;
    if (p->open && p->state == PEER_UP)
        peer_part(p);
    err_set(&p->end, -ECANCELED, "%s", why);
    p->end.code = 0; /* our own wish */
    peer_shut(p);
}

void peer_on_limit(uv_timer_t *t)
{
    struct peer *p = t->data;
    int64_t ms = clock_boot_ms() - p->begun_ms;
    const char *what = p->state == PEER_CONNECT
                           ? "no answer to connecting; is the host up and the port open?"
                       : p->state == PEER_UP ? "half a frame, the rest did not come"
                       : p->door             ? "no TLS handshake came"
                                             : "no answer in the TLS handshake";

    err_set(&p->end, -ETIMEDOUT, "%s (waited %lld ms)", what, (long long)ms);
    peer_part(p);
    peer_shut(p);
}

/* --- the handshake ------------------------------------------------------------------------- */

static void peer_up(struct peer *p)
{
    uv_timer_stop(&p->limit);
    peer_move(p, PEER_UP);
    p->heard_ms = clock_boot_ms();
    if (!p->door) {
        p->ops->on_up(p, p->owner);
        return;
    }
    p->door->on_in(p, p->visit);
    if (!p->ops)
        peer_close(p, "nobody took the connection");
}

/* The other side doesn't know the key we offered: while keys are changed it may know the next. */
static void peer_on_again(uv_handle_t *h)
{
    struct peer *p = h->data;

    p->open = false;
    if (p->state == PEER_CLOSE) {
        closer_sub(&p->closer);
        return;
    }
    closer_sub(&p->closer);
    buf_drop(&p->wire, p->wire.len);
    tls_conn_free(p->conn);
    p->conn = NULL;
    p->key++;
    peer_move(p, PEER_CONNECT);
    peer_dial(p);
}

void peer_shake(struct peer *p)
{
    struct err e = {0};
    int rc = tls_conn_shake(p->conn, &e);
    int sent = peer_flush(p);

    if (rc == 1 && sent == 0) {
        peer_up(p);
        return;
    }
    if (rc == -EACCES && !p->door && p->key + 1 < tls_keys(p->tls)) {
        peer_move(p, PEER_AGAIN);
        uv_close(&p->io.handle, peer_on_again);
        return;
    }
    if (rc < 0) {
        p->end = e;
        peer_shut(p);
    } else if (sent < 0)
        peer_fail(p, sent);
}

/* --- the beginning ------------------------------------------------------------------------- */

static struct peer *peer_new(uv_loop_t *loop, struct net_tls *tls, const struct sockaddr *other,
                             int64_t half_ms, struct err *e)
{
    struct peer *p = calloc(1, sizeof *p);

    if (!p) {
        err_set(e, -ENOMEM, "no memory for a connection");
        return NULL;
    }
    p->loop = loop;
    p->tls = tls ? tls_hold(tls) : NULL;
    p->half_ms = half_ms;
    p->begun_ms = p->heard_ms = clock_boot_ms();
    p->frames = FRAME_IN;
    p->queue = BUF(PEER_QUEUE_MAX);
    p->wire = BUF(2 * PEER_QUEUE_MAX); /* TLS adds a little */
    p->closer.owner = p;
    peer_text_addr(p->name, sizeof p->name, other);
    CHECK(uv_timer_init(loop, &p->limit) == 0);
    p->limit.data = p;
    closer_add(&p->closer);
    return p;
}

/* io was initialised: from now on it must be closed over the loop. */
static void peer_opened(struct peer *p)
{
    p->open = true;
    p->io.handle.data = p;
    closer_add(&p->closer);
}

static int peer_set_tcp(struct peer *p)
{
    unsigned ms = PEER_USER_TIMEOUT_MS;
    int fd;
    int rc = uv_fileno(&p->io.handle, &fd);

    if (rc == 0)
        rc = uv_tcp_nodelay(&p->io.tcp, 1);
    if (rc == 0 && setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms) < 0)
        rc = -errno;
    return rc;
}

/* Connected: TLS begins, or frames. */
static void peer_begin(struct peer *p, bool server)
{
    int rc;

    if (p->tls) {
        p->conn = tls_conn_new(p->tls, server, p->key);
        if (!p->conn) {
            peer_fail(p, -ENOMEM);
            return;
        }
    }
    rc = peer_read(p);
    if (rc < 0)
        peer_fail(p, rc);
    else if (p->tls)
        peer_shake(p);
    else
        peer_up(p);
}

static void peer_on_connect(uv_connect_t *req, int status)
{
    struct peer *p = req->data;

    if (p->state != PEER_CONNECT)
        return;
    if (status < 0) {
        peer_fail(p, status);
        return;
    }
    if (p->tls)
        peer_move(p, PEER_SHAKE);
    peer_begin(p, false);
}

/* Failures end in on_down: all handles close over the loop. */
static void peer_dial(struct peer *p)
{
    int family = p->to.ss_family;
    int rc = family == AF_UNIX ? uv_pipe_init(p->loop, &p->io.pipe, 0)
                               : uv_tcp_init_ex(p->loop, &p->io.tcp, (unsigned)family);

    p->connect.data = p;
    if (rc == 0)
        peer_opened(p);
    if (rc == 0 && family != AF_UNIX)
        rc = peer_set_tcp(p);
    if (rc == 0 && family == AF_UNIX)
        uv_pipe_connect(&p->connect, &p->io.pipe, ((struct sockaddr_un *)&p->to)->sun_path,
                        peer_on_connect);
    else if (rc == 0)
        rc = uv_tcp_connect(&p->connect, &p->io.tcp, (struct sockaddr *)&p->to, peer_on_connect);
    if (rc < 0)
        peer_fail(p, rc);
}

static socklen_t peer_addr_len(const struct sockaddr *a)
{
    return a->sa_family == AF_INET    ? sizeof(struct sockaddr_in)
           : a->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
           : a->sa_family == AF_UNIX  ? sizeof(struct sockaddr_un)
                                      : 0;
}

struct peer *peer_connect(uv_loop_t *loop, struct net_tls *tls, const struct sockaddr *to,
                          int64_t deadline_ms, const struct peer_ops *ops, void *owner,
                          struct err *e)
{
    struct peer *p;

    if (!peer_addr_len(to) || (to->sa_family == AF_UNIX) != !tls) {
        err_set(e, -EINVAL, "TCP goes with the cluster key, a unix socket without");
        return NULL;
    }
    p = peer_new(loop, tls, to, PEER_HALF_MS, e);
    if (!p)
        return NULL;
    p->ops = ops;
    p->owner = owner;
    memcpy(&p->to, to, peer_addr_len(to));
    timer_at(&p->limit, deadline_ms, peer_on_limit);
    peer_dial(p);
    return p;
}

struct peer *peer_admit(uv_loop_t *loop, struct net_tls *tls, int fd, const struct sockaddr *from,
                        int64_t shake_ms, int64_t half_ms, const struct peer_door *door,
                        void *visit, struct err *e)
{
    struct peer *p = peer_new(loop, tls, from, half_ms, e);
    socklen_t len = sizeof p->cred;
    int rc;

    if (!p) {
        close(fd);
        return NULL;
    }
    p->door = door;
    p->visit = visit;
    p->state = PEER_SHAKE;
    timer_in(&p->limit, shake_ms, peer_on_limit);
    if (tls) {
        CHECK(uv_tcp_init(loop, &p->io.tcp) == 0);
        rc = uv_tcp_open(&p->io.tcp, fd);
    } else {
        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &p->cred, &len) < 0)
            p->cred.pid = 0;
        snprintf(p->name, sizeof p->name, "uid %u pid %d", p->cred.uid, (int)p->cred.pid);
        CHECK(uv_pipe_init(loop, &p->io.pipe, 0) == 0);
        rc = uv_pipe_open(&p->io.pipe, fd);
    }
    peer_opened(p);
    if (rc < 0)
        close(fd);
    else if (tls)
        rc = peer_set_tcp(p);
    if (rc < 0)
        peer_fail(p, rc);
    else
        peer_begin(p, true);
    return p;
}

void peer_bind(struct peer *p, const struct peer_ops *ops, void *owner)
{
    CHECK(p->door && !p->ops);
    p->ops = ops;
    p->owner = owner;
}

void peer_forget_door(struct peer *p)
{
    p->door = NULL;
}

/* --- questions ----------------------------------------------------------------------------- */

const char *peer_name(const struct peer *p)
{
    return p->name;
}

int64_t peer_heard_ms(const struct peer *p)
{
    return p->heard_ms;
}

size_t peer_queued(const struct peer *p)
{
    return p->queue.len + p->wire.len;
}

bool peer_creds(const struct peer *p, struct ucred *who)
{
    if (!p->cred.pid)
        return false;
    *who = p->cred;
    return true;
}

int peer_unix_addr(struct sockaddr_un *to, const char *path, struct err *e)
{
    if (strlen(path) >= sizeof to->sun_path)
        return err_set(e, -ENAMETOOLONG, "%s: a socket's path has at most %zu characters", path,
                       sizeof to->sun_path - 1);
    memset(to, 0, sizeof *to);
    to->sun_family = AF_UNIX;
    memcpy(to->sun_path, path, strlen(path));
    return 0;
}
