/* SPDX-License-Identifier: GPL-2.0-or-later
 * One connection that carries frames (net/frame.h): TLS over TCP between hosts, plain over a unix
 * socket on one host. Knows bytes, keys and deadlines; not what the frames say. It does not log:
 * every end has a sentence, given to the owner.
 *
 * The process must ignore SIGPIPE; net_init() does it. */
#pragma once

#include "base/err.h"
#include "net/frame.h"
#include "net/tls.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <uv.h>

enum {
    PEER_QUEUE_MAX = 1024 * 1024, /* bytes not yet taken by the kernel, per connection */
    PEER_HALF_MS = 5000,          /* from a frame's first byte to its last */
    PEER_USER_TIMEOUT_MS = 1500,  /* sent and not acknowledged: the connection is dead */
};

struct peer; /* lives on the loop until on_down has returned */

struct peer_ops {
    /* peer_connect only: the handshake is done, frames may flow. */
    void (*on_up)(struct peer *p, void *owner);
    /* `data` is valid during the call only. peer_send and peer_close may be called from here. */
    void (*on_frame)(struct peer *p, void *owner, const void *data, size_t len);
    /* Once, last, from the loop; also after a peer_connect that got nowhere and after peer_close.
     * `why` is a sentence that names what to do where that is known. The memory goes right after.
     */
    void (*on_down)(struct peer *p, void *owner, const char *why);
};

/* Once, before anything of net is used: ignores SIGPIPE. */
void net_init(void);

/* `to`: IPv4 or IPv6 with `tls`; AF_UNIX with tls NULL. `deadline_ms` (CLOCK_BOOTTIME) is for
 * connecting and the handshake together. Keys are offered one after the other, keys[0] first, so
 * that both sides may learn a new key in any order. `ops` must outlive the peer. NULL only for
 * wrong arguments or lack of memory; everything else ends in on_down. */
struct peer *peer_connect(uv_loop_t *loop, struct net_tls *tls, const struct sockaddr *to,
                          int64_t deadline_ms, const struct peer_ops *ops, void *owner,
                          struct err *e) MUST_CHECK;

/* Gives an accepted peer (net/listen.h) its owner; once, inside the accept callback. */
void peer_bind(struct peer *p, const struct peer_ops *ops, void *owner);

/* Copies, and writes at once what the kernel takes. 0, or -ENOBUFS when more than PEER_QUEUE_MAX
 * would be queued (close it then), or -ENOTCONN before on_up and once it is going down. `len` is
 * 1..FRAME_MAX. */
int peer_send(struct peer *p, const void *data, size_t len) MUST_CHECK;

/* on_down(why) follows from the loop, never from inside this call. What the kernel has not taken
 * yet is dropped: whoever asked last hangs up. Once it is going down this does nothing. */
void peer_close(struct peer *p, const char *why);

/* "10.77.0.1:4242", "[fd00::1]:4242", the path of a unix socket, or who came by it: "uid 0 pid 812"
 */
const char *peer_name(const struct peer *p);
/* When the last complete frame came, or else when it went up; CLOCK_BOOTTIME. */
int64_t peer_heard_ms(const struct peer *p);
/* Bytes waiting for the kernel. */
size_t peer_queued(const struct peer *p);
/* Who is at the other end of an accepted unix socket; false on every other connection. */
bool peer_creds(const struct peer *p, struct ucred *who) MUST_CHECK;

/* -ENAMETOOLONG and a sentence when the path doesn't fit. */
int peer_unix_addr(struct sockaddr_un *to, const char *path, struct err *e) MUST_CHECK;
