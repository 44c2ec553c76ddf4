/* SPDX-License-Identifier: GPL-2.0-or-later
 * Between client and server, in a thread of its own: passes on what the server says up to a chosen
 * number of bytes, and then the server seems to be silent. One connection at a time. */
#pragma once

#include "test_mysql_server.h"

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>

#define PROXY_ALL INT64_MAX

struct proxy {
    unsigned port, server_port;
    int listener, client, server; /* -1: none */
    _Atomic int64_t allow, said;  /* of the server's bytes on this connection */
    atomic_int slips; /* so many connections get "Bad handshake" where they ask for TLS */
    atomic_bool end;
    pthread_t thread;
};

static inline void proxy_hang_up(struct proxy *p)
{
    if (p->client >= 0)
        close(p->client);
    if (p->server >= 0)
        close(p->server);
    p->client = p->server = -1;
}

static inline void proxy_accept(struct proxy *p)
{
    struct sockaddr_in a = {.sin_family = AF_INET,
                            .sin_port = htons((uint16_t)p->server_port),
                            .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    proxy_hang_up(p);
    p->client = accept4(p->listener, NULL, NULL, SOCK_CLOEXEC);
    p->server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    p->said = 0;
    if (connect(p->server, (struct sockaddr *)&a, sizeof a) < 0)
        proxy_hang_up(p);
}

/* False: that side ended. */
static inline bool proxy_pass(int from, int to, size_t most, _Atomic int64_t *count)
{
    char bytes[4096];
    ssize_t n = recv(from, bytes, most < sizeof bytes ? most : sizeof bytes, MSG_DONTWAIT);

    if (n <= 0)
        return n < 0 && errno == EAGAIN;
    if (count)
        *count += n;
    return send(to, bytes, (size_t)n, MSG_NOSIGNAL) == n;
}

static inline void proxy_slip(struct proxy *p)
{
    static const char refusal[] = "\x16\0\0\x02\xff\x13\x04#08S01"
                                  "Bad handshake";
    char bytes[64];

    if (recv(p->client, bytes, sizeof bytes, MSG_DONTWAIT) > 0) {
        p->slips--;
        (void)!send(p->client, refusal, sizeof refusal - 1, MSG_NOSIGNAL);
    }
    proxy_hang_up(p);
}

static inline void *proxy_run(void *arg)
{
    struct proxy *p = arg;

    while (!p->end) {
        int64_t left = p->allow - p->said;
        struct pollfd at[] = {{p->listener, POLLIN, 0},
                              {p->client, POLLIN, 0},
                              {left > 0 ? p->server : -1, POLLIN, 0}};

        poll(at, ARRAY_LEN(at), 2);
        if (at[0].revents)
            proxy_accept(p);
        else if (at[1].revents && p->slips > 0)
            proxy_slip(p);
        else if (at[1].revents && !proxy_pass(p->client, p->server, SIZE_MAX, NULL))
            proxy_hang_up(p);
        else if (at[2].revents && !proxy_pass(p->server, p->client, (size_t)left, &p->said))
            proxy_hang_up(p);
    }
    proxy_hang_up(p);
    return NULL;
}

static inline void proxy_start(struct proxy *p, unsigned server_port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof a;

    memset(p, 0, sizeof *p);
    p->client = p->server = -1;
    p->server_port = server_port;
    p->allow = PROXY_ALL;
    p->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(p->listener, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(p->listener, 64), 0);
    assert_int_equal(getsockname(p->listener, (struct sockaddr *)&a, &len), 0);
    p->port = ntohs(a.sin_port);
    assert_int_equal(pthread_create(&p->thread, NULL, proxy_run, p), 0);
}

static inline void proxy_stop(struct proxy *p)
{
    p->end = true;
    pthread_join(p->thread, NULL);
    close(p->listener);
}
