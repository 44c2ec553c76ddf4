/* SPDX-License-Identifier: GPL-2.0-or-later
 * A small world for the tests of connections: one loop, one listener, ends that note what happens
 * to them. Leaving it proves that nothing is left on the loop. */
#pragma once

#include "base/clock.h"
#include "loop/timer.h"
#include "net/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

enum { WORLD_ENDS = 512, WORLD_PATIENCE_MS = 20000 };

struct end {
    struct peer *p; /* NULL once it is down */
    int ups, frames, downs;
    size_t bytes;
    bool echo;          /* sends each frame back */
    int close_at_frame; /* closes itself in the nth */
    char last[64];      /* the last frame's beginning */
    char why[512];
};

struct world {
    uv_loop_t loop;
    uv_timer_t tick;
    int64_t give_up_ms;
    struct net_tls *tls;
    struct listener *l;
    struct listen_limits limits;
    struct sockaddr_storage at; /* where the listener is */
    struct end in[WORLD_ENDS];  /* accepted, in order */
    int accepted, refuse;       /* refuse: don't bind */
    bool echo, stop_in_accept;
    int complaints, stopped;
    char complaint[1024], complainer[64]; /* the last */
};

static inline void end_on_up(struct peer *p, void *owner)
{
    struct end *e = owner;

    assert_ptr_equal(p, e->p);
    e->ups++;
}

static inline void end_on_frame(struct peer *p, void *owner, const void *data, size_t len)
{
    struct end *e = owner;

    assert_ptr_equal(p, e->p);
    assert_int_equal(e->downs, 0);
    e->frames++;
    e->bytes += len;
    snprintf(e->last, sizeof e->last, "%.*s", (int)(len < 60 ? len : 60), (const char *)data);
    if (e->echo)
        assert_int_equal(peer_send(p, data, len), 0);
    if (e->close_at_frame == e->frames)
        peer_close(p, "enough");
}

static inline void end_on_down(struct peer *p, void *owner, const char *why)
{
    struct end *e = owner;

    assert_ptr_equal(p, e->p);
    e->downs++;
    e->p = NULL;
    snprintf(e->why, sizeof e->why, "%s", why);
}

static const struct peer_ops end_ops = {end_on_up, end_on_frame, end_on_down};

static inline void world_on_stopped(void *owner)
{
    struct world *w = owner;

    w->stopped++;
    w->l = NULL;
}

static inline void world_on_peer(struct peer *p, void *owner)
{
    struct world *w = owner;
    struct end *e = &w->in[w->accepted];

    if (w->refuse)
        return;
    assert_true(w->accepted < WORLD_ENDS);
    w->accepted++;
    e->p = p;
    e->echo = w->echo;
    peer_bind(p, &end_ops, e);
    if (w->stop_in_accept)
        listen_stop(w->l, world_on_stopped);
}

static inline void world_on_complaint(void *owner, const char *who, const char *sentence)
{
    struct world *w = owner;

    w->complaints++;
    snprintf(w->complaint, sizeof w->complaint, "%s", sentence);
    snprintf(w->complainer, sizeof w->complainer, "%s", who);
}

static const struct listen_ops world_ops = {world_on_peer, world_on_complaint};

static inline void world_on_tick(uv_timer_t *t)
{
    struct world *w = t->data;

    if (clock_boot_ms() > w->give_up_ms)
        fail_msg("nothing happens any more");
}

/* Runs the loop until `cond` holds. */
#define world_until(w, cond)                                                                       \
    do {                                                                                           \
        (w)->give_up_ms = clock_boot_ms() + WORLD_PATIENCE_MS;                                     \
        while (!(cond))                                                                            \
            uv_run(&(w)->loop, UV_RUN_ONCE);                                                       \
    } while (0)

/* Lets everything that is possible now happen. */
static inline void world_settle(struct world *w)
{
    for (int i = 0; i < 20; i++)
        uv_run(&w->loop, UV_RUN_NOWAIT);
}

static inline struct net_tls *world_keys(const char *cluster, int a, int b)
{
    struct peer_keys k = {.n = b < 0 ? 1 : 2};
    struct err e = {0};
    struct net_tls *t;

    memset(k.key[0], a, TLS_KEY_LEN);
    memset(k.key[1], b, TLS_KEY_LEN);
    snprintf(k.cluster, sizeof k.cluster, "%s", cluster);
    t = tls_new(&k, &e);
    if (!t)
        fail_msg("%s", e.msg);
    return t;
}

static inline struct world *world_new(void)
{
    struct world *w = calloc(1, sizeof *w);

    net_init();
    assert_int_equal(uv_loop_init(&w->loop), 0);
    uv_timer_init(&w->loop, &w->tick);
    w->tick.data = w;
    w->give_up_ms = clock_boot_ms() + WORLD_PATIENCE_MS;
    timer_every(&w->tick, 5, world_on_tick);
    w->tls = world_keys("shop", 1, -1);
    w->limits.shake_ms = 10000; /* tests of deadlines set their own */
    return w;
}

static inline void world_ip(struct sockaddr_storage *at, const char *ip, unsigned port)
{
    memset(at, 0, sizeof *at);
    if (strchr(ip, ':'))
        assert_int_equal(uv_ip6_addr(ip, (int)port, (struct sockaddr_in6 *)at), 0);
    else
        assert_int_equal(uv_ip4_addr(ip, (int)port, (struct sockaddr_in *)at), 0);
}

static inline void world_listen(struct world *w, const char *ip)
{
    struct err e = {0};

    world_ip(&w->at, ip, 0);
    w->l = listen_start(&w->loop, w->tls, (struct sockaddr *)&w->at, &w->limits, &world_ops, w, &e);
    if (!w->l)
        fail_msg("%s", e.msg);
    world_ip(&w->at, ip, listen_port(w->l));
}

static inline void world_listen_unix(struct world *w, const char *path)
{
    struct err e = {0};

    memset(&w->at, 0, sizeof w->at);
    assert_int_equal(peer_unix_addr((struct sockaddr_un *)&w->at, path, &e), 0);
    w->l = listen_start(&w->loop, NULL, (struct sockaddr *)&w->at, &w->limits, &world_ops, w, &e);
    if (!w->l)
        fail_msg("%s", e.msg);
}

static inline void world_connect(struct world *w, struct end *to, struct net_tls *tls,
                                 int64_t wait_ms)
{
    struct err e = {0};

    memset(to, 0, sizeof *to);
    to->p = peer_connect(&w->loop, tls, (struct sockaddr *)&w->at, clock_boot_ms() + wait_ms,
                         &end_ops, to, &e);
    if (!to->p)
        fail_msg("%s", e.msg);
}

/* A plain socket of the test's own, connected to the listener. */
static inline int world_raw(struct world *w)
{
    socklen_t len = w->at.ss_family == AF_INET    ? sizeof(struct sockaddr_in)
                    : w->at.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                  : sizeof(struct sockaddr_un);
    int fd = socket(w->at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&w->at, len), 0);
    return fd;
}

static inline void world_stop(struct world *w)
{
    if (!w->l)
        return;
    listen_stop(w->l, world_on_stopped);
    world_until(w, w->stopped);
}

/* Closes what is open; then nothing may be left. */
static inline void world_free(struct world *w)
{
    int leave = 0;

    world_stop(w);
    for (int i = 0; i < w->accepted; i++)
        if (w->in[i].p)
            peer_close(w->in[i].p, "the test is over");
    do {
        world_settle(w);
        leave = 1;
        for (int i = 0; i < w->accepted; i++)
            leave &= w->in[i].downs == 1;
    } while (!leave);
    tls_free(w->tls);
    uv_close((uv_handle_t *)&w->tick, NULL);
    uv_run(&w->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&w->loop), 0);
    free(w);
}

static inline void world_hang_up(struct world *w, struct end *e)
{
    if (e->p)
        peer_close(e->p, "the test hangs up");
    world_until(w, e->downs == 1);
}
