/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/listen.h"

#include "base/clock.h"
#include "loop/closer.h"
#include "loop/timer.h"
#include "net/complain.h"
#include "net/listen_socket.h"
#include "net/peer_internal.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

enum {
    LISTEN_AT_ONCE = 16,   /* accepted per wake-up; the loop has other work */
    LISTEN_PAUSE_MS = 100, /* when the kernel has no descriptor or memory for another one */
};

/* What a complaint is about: each kind is limited by itself. */
enum listen_kind {
    KIND_KEY,
    KIND_GARBAGE,
    KIND_SLOW,
    KIND_LOST,
    KIND_CROWD,
    KIND_FULL,
    KIND_SYSTEM
};

/* One accepted connection, as the listener sees it. A stranger until the handshake is done; one
 * that was told to go is on no list and waits for on_out. */
struct listen_visit {
    struct listener *l;
    struct peer *peer;
    TAILQ_ENTRY(listen_visit) link;
    enum { VISIT_STRANGER, VISIT_PEER, VISIT_GOING } is;
    char ip[COMPLAIN_WHO_MAX];
};
TAILQ_HEAD(listen_visits, listen_visit);

struct listener {
    uv_loop_t *loop;
    struct listen_socket socket;
    uv_poll_t poll;
    uv_timer_t pause;
    struct closer closer; /* the two handles and each visit */
    bool stopping;

    struct net_tls *tls;
    struct listen_limits limits;
    const struct listen_ops *ops;
    void *owner;
    void (*done)(void *owner);

    struct listen_visits strangers, peers; /* oldest first */
    unsigned strangers_n, peers_n;
    struct complain complaints;
    char name[PEER_NAME_MAX];
};

static void listen_on_ready(uv_poll_t *poll, int status, int events);

/* --- complaints ----------------------------------------------------------------------------- */

PRINTF_LIKE(4, 5)
static void listen_complain(struct listener *l, const char *who, enum listen_kind kind,
                            const char *fmt, ...)
{
    char line[768];
    unsigned held;
    enum complain_turn turn;
    va_list ap;
    int len;

    if (l->stopping)
        return;
    turn = complain_turn(&l->complaints, who, kind, clock_boot_ms(), &held);
    if (turn == COMPLAIN_HOLD)
        return;
    va_start(ap, fmt);
    len = vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    if (len < 0 || len > 600)
        len = 600;
    if (turn == COMPLAIN_SAY_OTHERS)
        snprintf(line + len, sizeof line - (size_t)len,
                 " (too many addresses to tell apart, %u more complaints not shown)", held);
    else if (held)
        snprintf(line + len, sizeof line - (size_t)len, " (%u more of these since the last)", held);
    l->ops->on_complaint(l->owner, who, line);
}

/* --- visits --------------------------------------------------------------------------------- */

static void listen_unlist(struct listen_visit *v)
{
    struct listener *l = v->l;

    if (v->is == VISIT_STRANGER) {
        TAILQ_REMOVE(&l->strangers, v, link);
        l->strangers_n--;
    } else if (v->is == VISIT_PEER) {
        TAILQ_REMOVE(&l->peers, v, link);
        l->peers_n--;
    }
    v->is = VISIT_GOING;
}

static void listen_turn_out(struct listen_visit *v, const char *why)
{
    listen_unlist(v);
    peer_close(v->peer, why);
}

static void listen_on_in(struct peer *p, void *visit)
{
    struct listen_visit *v = visit;
    struct listener *l = v->l;

    v->peer = p;
    listen_unlist(v);
    if (l->peers_n >= l->limits.peers_max) {
        listen_complain(l, v->ip, KIND_FULL,
                        "refused: there are %u connections already, the most allowed", l->peers_n);
        peer_close(p, "too many connections");
        return;
    }
    v->is = VISIT_PEER;
    TAILQ_INSERT_TAIL(&l->peers, v, link);
    l->peers_n++;
    l->ops->on_peer(p, l->owner);
}

static void listen_on_out(struct peer *p, void *visit, int code, const char *why)
{
    struct listen_visit *v = visit;
    struct listener *l = v->l;

    (void)p;
    /* What ends a peer with an owner is the owner's to tell. */
    if (v->is == VISIT_STRANGER && code)
        listen_complain(l, v->ip,
                        code == -EACCES      ? KIND_KEY
                        : code == -EPROTO    ? KIND_GARBAGE
                        : code == -ETIMEDOUT ? KIND_SLOW
                                             : KIND_LOST,
                        "%s", why);
    listen_unlist(v);
    free(v);
    closer_sub(&l->closer);
}

static const struct peer_door listen_door = {.on_in = listen_on_in, .on_out = listen_on_out};

/* The newcomer is let in: at a limit the oldest stranger goes, of its own address first. */
static void listen_make_room(struct listener *l, const char *ip)
{
    struct listen_visit *v, *oldest = NULL;
    unsigned n = 0;

    TAILQ_FOREACH(v, &l->strangers, link)
    {
        if (strcmp(v->ip, ip) != 0)
            continue;
        if (!oldest)
            oldest = v;
        n++;
    }
    if (n < l->limits.strangers_per_addr_max)
        oldest = l->strangers_n < l->limits.strangers_max ? NULL : TAILQ_FIRST(&l->strangers);
    if (!oldest)
        return;
    listen_complain(l, oldest->ip, KIND_CROWD,
                    "too many connections without a finished handshake (%u from one address or %u "
                    "in all); the oldest is closed for each new one",
                    l->limits.strangers_per_addr_max, l->limits.strangers_max);
    listen_turn_out(oldest, "too many connections without a finished handshake");
}

static void listen_admit(struct listener *l, int fd, const struct sockaddr *from)
{
    struct listen_visit *v = calloc(1, sizeof *v);
    struct err e = {0};
    struct peer *p;

    if (!v) {
        close(fd);
        return;
    }
    v->l = l;
    v->is = VISIT_STRANGER;
    if (from->sa_family == AF_UNIX)
        snprintf(v->ip, sizeof v->ip, "control socket");
    else
        peer_text_ip(v->ip, sizeof v->ip, from);
    listen_make_room(l, v->ip);
    TAILQ_INSERT_TAIL(&l->strangers, v, link);
    l->strangers_n++;
    closer_add(&l->closer);
    p = peer_admit(l->loop, l->tls, fd, from, l->limits.shake_ms, l->limits.half_ms, &listen_door,
                   v, &e);
    if (!p) {
        listen_complain(l, v->ip, KIND_SYSTEM, "%s", e.msg);
        listen_unlist(v);
        free(v);
        closer_sub(&l->closer);
        return;
    }
    /* A unix peer may have been in and, by listen_stop, be out of our hands. */
    if (!l->stopping)
        v->peer = p;
}

/* --- accepting ------------------------------------------------------------------------------ */

static void listen_on_pause_over(uv_timer_t *t)
{
    struct listener *l = t->data;

    CHECK(uv_poll_start(&l->poll, UV_READABLE, listen_on_ready) == 0);
}

static void listen_pause(struct listener *l)
{
    uv_poll_stop(&l->poll);
    timer_in(&l->pause, LISTEN_PAUSE_MS, listen_on_pause_over);
}

/* No descriptor or memory. If a stranger can go, that helps at once; else wait, never spin. */
static void listen_no_room(struct listener *l, int code)
{
    struct listen_visit *oldest = TAILQ_FIRST(&l->strangers);

    listen_complain(l, l->name, KIND_SYSTEM, "cannot accept a connection: %s",
                    peer_text_errno(code));
    if (oldest)
        listen_turn_out(oldest, "no descriptors left");
    else
        listen_pause(l);
}

static void listen_on_ready(uv_poll_t *poll, int status, int events)
{
    struct listener *l = poll->data;

    (void)events;
    if (status < 0) { /* polling has stopped by itself */
        listen_pause(l);
        return;
    }
    for (int i = 0; i < LISTEN_AT_ONCE && !l->stopping; i++) {
        struct sockaddr_storage from = {.ss_family = AF_UNIX};
        socklen_t len = sizeof from;
        int fd =
            accept4(l->socket.fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            listen_admit(l, fd, (const struct sockaddr *)&from);
            continue;
        }
        switch (errno) {
        case EAGAIN:
            return;
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case ENOMEM:
            /* Linux says EMFILE before it looks whether anybody waits; only poll knows that. */
            if (i == 0)
                listen_no_room(l, -errno);
            return;
        case EBADF:
        case EINVAL:
        case ENOTSOCK:
        case EFAULT:
            CHECK(!"accept");
        default: /* that one connection failed before we got it (accept(2)) */
            break;
        }
    }
}

/* --- start and stop ------------------------------------------------------------------------- */

static void listen_defaults(struct listen_limits *at)
{
    at->strangers_max = at->strangers_max ? at->strangers_max : 64;
    at->strangers_per_addr_max = at->strangers_per_addr_max ? at->strangers_per_addr_max : 16;
    at->peers_max = at->peers_max ? at->peers_max : 256;
    at->shake_ms = at->shake_ms ? at->shake_ms : 2000;
    at->half_ms = at->half_ms ? at->half_ms : PEER_HALF_MS;
    at->mode = at->mode ? at->mode : 0600;
}

struct listener *listen_start(uv_loop_t *loop, struct net_tls *tls, const struct sockaddr *at,
                              const struct listen_limits *limits, const struct listen_ops *ops,
                              void *owner, struct err *e)
{
    struct listener *l;

    if ((at->sa_family == AF_UNIX) != !tls) {
        err_set(e, -EINVAL, "TCP goes with the cluster key, a unix socket without");
        return NULL;
    }
    l = calloc(1, sizeof *l);
    if (!l) {
        err_set(e, -ENOMEM, "no memory for a listener");
        return NULL;
    }
    if (limits)
        l->limits = *limits;
    listen_defaults(&l->limits);
    if (listen_socket_open(&l->socket, at, l->limits.mode, e) < 0) {
        free(l);
        return NULL;
    }
    l->loop = loop;
    l->tls = tls ? tls_hold(tls) : NULL;
    l->ops = ops;
    l->owner = owner;
    l->closer.owner = l;
    TAILQ_INIT(&l->strangers);
    TAILQ_INIT(&l->peers);
    peer_text_addr(l->name, sizeof l->name, at);
    CHECK(uv_poll_init(loop, &l->poll, l->socket.fd) == 0);
    CHECK(uv_timer_init(loop, &l->pause) == 0);
    l->poll.data = l->pause.data = l;
    closer_add(&l->closer);
    closer_add(&l->closer);
    CHECK(uv_poll_start(&l->poll, UV_READABLE, listen_on_ready) == 0);
    return l;
}

void listen_use(struct listener *l, struct net_tls *tls)
{
    CHECK(l->tls && tls);
    tls_hold(tls);
    tls_free(l->tls);
    l->tls = tls;
}

static void listen_on_closed(struct closer *c)
{
    struct listener *l = c->owner;

    if (l->done)
        l->done(l->owner);
    tls_free(l->tls);
    free(l);
}

void listen_stop(struct listener *l, void (*done)(void *owner))
{
    struct listen_visit *v;

    CHECK(!l->stopping);
    l->stopping = true;
    l->done = done;
    while ((v = TAILQ_FIRST(&l->peers))) { /* they live on with their owners */
        listen_unlist(v);
        peer_forget_door(v->peer);
        free(v);
        closer_sub(&l->closer);
    }
    while ((v = TAILQ_FIRST(&l->strangers)))
        listen_turn_out(v, "the listener stops");
    uv_poll_stop(&l->poll);
    listen_socket_close(&l->socket);
    closer_handle(&l->closer, (uv_handle_t *)&l->poll);
    closer_handle(&l->closer, (uv_handle_t *)&l->pause);
    closer_end(&l->closer, listen_on_closed);
}

unsigned listen_port(const struct listener *l)
{
    return listen_socket_port(&l->socket);
}
