/* SPDX-License-Identifier: GPL-2.0-or-later
 * The side of the monitor that `hamm ctl` talks to: the control socket and TLS on the monitor's
 * port. Reading commands are answered here from the engine and the ring; commands that change
 * something become a struct engine_command for the owner, who answers later with control_answer().
 *
 * The socket is for root, the monitor's own user and the members of group `hamm`; TLS for whoever
 * has the cluster's key. At most CONTROL_PEERS_MAX connections and CONTROL_ORDERS_MAX orders at a
 * time; a follower of events who doesn't keep up is hung up on. */
#pragma once

#include "base/err.h"
#include "engine/engine.h"

#include <sys/socket.h>
#include <uv.h>

struct control;
struct faults;
struct ring;
struct status_conf;
struct net_tls;

enum { CONTROL_PEERS_MAX = 64, CONTROL_ORDERS_MAX = 16, CONTROL_IDLE_MS = 60000 };

/* All of it is the owner's and must outlive the control; `at` is read by control_start only. */
struct receipts;
struct control_with {
    const struct engine *engine;
    const struct status_conf *status;
    struct ring *ring;
    const struct receipts *receipts;
    const char *socket_path;   /* its folder is made if missing; NULL: none */
    const struct sockaddr *at; /* for TLS; NULL: none */
    struct net_tls *tls;
};

struct control_ops {
    /* An order, checked as far as words go (the names exist); c->id is for control_answer, which
     * may be called from here. Not 0: it cannot be taken now, control answers with `why`. */
    int (*order)(void *owner, const struct engine_command *c, struct err *why);
    /* What would happen then? Answered by control_answer, perhaps much later; else as above. */
    int (*what_if)(void *owner, uint64_t id, const struct faults *faults, bool json,
                   struct err *why);
};

/* NULL and a sentence. */
struct control *control_start(uv_loop_t *loop, const struct control_with *with,
                              const struct control_ops *ops, void *owner, struct err *e) MUST_CHECK;
/* `done` comes from the loop, last. Answers are dropped from now on. */
void control_stop(struct control *c, void (*done)(void *owner));

/* The engine's answer to command `id`: code is ctl's exit code; with `more` another one follows.
 * An id nobody waits for any more is fine. */
void control_answer(struct control *c, uint64_t id, int code, bool more, const char *text);

/* Connections accepted from now on use these keys. */
void control_use(struct control *c, struct net_tls *tls);
