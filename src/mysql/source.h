/* SPDX-License-Identifier: GPL-2.0-or-later
 * A small replication source on the loop: it serves one binary log file (such as binlog_slice
 * makes) to one replica, over the replication protocol, on 127.0.0.1 and a port the kernel chooses.
 * The replica's own receiver and applier do the rest; to them it is a server that has nothing
 * newer. It knows no statement but those with which a receiver introduces itself.
 *
 * One account, one password, really checked; no TLS. Every wait has a deadline, every input a
 * limit. A MariaDB replica gets what it says it lacks; a MySQL replica everything, and its applier
 * skips what it has. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

/* The account's name with this at its end is let in too: a replica whose settings had TLS on is
 * pointed here under that name, so that after any accident they can be put right. */
#define SOURCE_TLS_MARK "-tls"

struct source;

enum source_news {
    SOURCE_ASKED,  /* a replica was let in and has asked for the binary log */
    SOURCE_SENT,   /* everything was sent to it; heartbeats follow */
    SOURCE_FAILED, /* a connection was refused or broke, text says why; another may come */
};
/* text: a sentence for the operator, until it returns. May call source_stop. */
typedef void (*source_news_fn)(struct source *s, enum source_news news, const char *text);

/* Copied by source_start. */
struct source_params {
    bool mariadb;            /* which flavour the replica is of */
    const char *version;     /* of the server whose binary log it is, as @@version tells */
    uint32_t server_id;      /* of that server, never the replica's own */
    const char *server_uuid; /* MySQL: the same; NULL on MariaDB */
    const char *user, *password;
    const char *path; /* the file to serve */
    source_news_fn on_news;
    void *owner;
};

/* Listens. -errno: no such file, not a binary log, or no port; *out is untouched then. */
int source_start(uv_loop_t *loop, const struct source_params *params, struct source **out,
                 struct err *e) MUST_CHECK;
unsigned source_port(const struct source *s);
void *source_owner(const struct source *s);
/* Closes everything, frees s, then closed(owner). No news after this. */
void source_stop(struct source *s, void (*closed)(void *owner));
