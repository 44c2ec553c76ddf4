/* SPDX-License-Identifier: GPL-2.0-or-later
 * The inside of a connection, shared by its two files and net/listen: peer.c has the states, from
 * connecting to the end; peer_wire.c moves frames and bytes; a listener lets connections in through
 * the door. */
#pragma once

#include "loop/closer.h"
#include "net/peer.h"
#include "net/peer_text.h"

enum { PEER_READ = 16384 }; /* bytes read at once; a TLS record's payload */

/*   peer_connect -> CONNECT -> SHAKE -> UP -> CLOSE -> on_down      any failure -> CLOSE
 *                      ^         |
 *                      +- AGAIN <+   the key was refused and there is another one: a new socket
 *
 *   peer_admit begins with SHAKE; plain connections skip it. */
enum peer_state { PEER_CONNECT, PEER_SHAKE, PEER_AGAIN, PEER_UP, PEER_CLOSE, PEER_N };

struct peer {
    uv_loop_t *loop;
    enum peer_state state;
    union {
        uv_handle_t handle;
        uv_stream_t stream;
        uv_tcp_t tcp;
        uv_pipe_t pipe;
    } io;
    bool open; /* io is a live handle */
    uv_timer_t limit;
    uv_connect_t connect;
    uv_write_t write; /* in flight while wire has bytes */
    struct closer closer;

    struct net_tls *tls; /* NULL: plain */
    struct tls_conn *conn;
    unsigned key;     /* which one is offered */
    size_t shake_len; /* bytes of the other side's handshake so far */
    int64_t begun_ms; /* when the present wait began, for its sentence */
    int64_t half_ms;
    int64_t heard_ms;

    const struct peer_ops *ops;
    void *owner;
    const struct peer_door *door;
    void *visit;

    struct frame_in frames;
    struct buf queue; /* frames to send */
    struct buf wire;  /* what the kernel has not taken yet */
    struct err end;   /* why it goes down */
    struct ucred cred;
    struct sockaddr_storage to;
    char name[PEER_NAME_MAX];
    uint8_t in[PEER_READ];
};

/* peer.c */
void peer_shut(struct peer *p);           /* the one way out; p->end says why */
void peer_fail(struct peer *p, int code); /* the same, with the errno's own sentence */
void peer_shake(struct peer *p);
void peer_on_limit(uv_timer_t *t);
/* peer_wire.c */
int peer_read(struct peer *p);  /* start reading; 0 or a negative errno */
int peer_flush(struct peer *p); /* 0 or a negative errno */
void peer_part(struct peer *p); /* a goodbye or an alert, if the kernel takes it at once */

struct peer_door {
    /* The handshake is done (on a unix socket: at once, from inside peer_admit). peer_bind gives it
     * an owner in here, else it is closed. */
    void (*on_in)(struct peer *p, void *visit);
    /* Once, last, just before on_down. `code` 0: nothing worth a complaint, else a negative errno.
     */
    void (*on_out)(struct peer *p, void *visit, int code, const char *why);
};

/* Takes `fd` over, also on failure. */
struct peer *peer_admit(uv_loop_t *loop, struct net_tls *tls, int fd, const struct sockaddr *from,
                        int64_t shake_ms, int64_t half_ms, const struct peer_door *door,
                        void *visit, struct err *e) MUST_CHECK;
/* The door is gone: no more calls to it. */
void peer_forget_door(struct peer *p);
