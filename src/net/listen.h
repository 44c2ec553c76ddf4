/* SPDX-License-Identifier: GPL-2.0-or-later
 * Accepts connections in a hostile world: whoever has not proved the key yet is few, short-lived
 * and never in the way of somebody who has it. Strangers are complained about, not answered.
 *
 * Unauthenticated connections are limited in all and per address; at a limit the oldest of them is
 * closed for the new one, so filling the table keeps nobody out. */
#pragma once

#include "net/peer.h"

struct listener;

struct listen_limits {               /* 0: the default */
    unsigned strangers_max;          /* not authenticated yet, in all: 64 */
    unsigned strangers_per_addr_max; /* and from one address: 16 */
    unsigned peers_max;              /* authenticated (on a unix socket: all), at one time: 256 */
    int64_t shake_ms;                /* from accept to the end of the handshake: 2000 */
    int64_t half_ms;                 /* from a frame's first byte to its last: PEER_HALF_MS */
    unsigned mode;                   /* of a unix socket: 0600 */
};

struct listen_ops {
    /* After a successful handshake only. Call peer_bind in here, else it is closed. */
    void (*on_peer)(struct peer *p, void *owner);
    /* Something to log, already limited: for each address and kind at once, then once a minute with
     * a count. `who` is an address ("10.77.0.9"), or the listener's own name for its own trouble.
     */
    void (*on_complaint)(void *owner, const char *who, const char *sentence);
};

/* `at`: IPv4 or IPv6 (then IPv6 only) with `tls`; AF_UNIX with tls NULL: a socket file nobody
 * listens on is replaced. `limits` may be NULL; `ops` must outlive the listener. */
struct listener *listen_start(uv_loop_t *loop, struct net_tls *tls, const struct sockaddr *at,
                              const struct listen_limits *limits, const struct listen_ops *ops,
                              void *owner, struct err *e) MUST_CHECK;
/* Connections accepted from now on use these keys (a reload of the key file). */
void listen_use(struct listener *l, struct net_tls *tls);
/* Strangers go, accepted peers stay with their owners; a unix socket's file is removed. `done`
 * comes from the loop, last; the memory goes with it. May be called from the callbacks. */
void listen_stop(struct listener *l, void (*done)(void *owner));
unsigned listen_port(const struct listener *l); /* the one in use (`at` may say 0); 0 for unix */
