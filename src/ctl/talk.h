/* SPDX-License-Identifier: GPL-2.0-or-later
 * One command, asked of the first monitor that can be reached, on a loop of its own. */
#pragma once

#include "base/err.h"
#include "proto/msg.h"

#include <stddef.h>
#include <sys/socket.h>

struct net_tls;

enum { TALK_PLACES_MAX = 8, TALK_FIRST_MS = 5000 };

struct talk_place {
    struct sockaddr_storage at;
    struct net_tls *tls; /* NULL: a unix socket */
    char name[256];      /* "/run/hamm/shop.sock", "mon1 (10.77.0.1:9988)" */
};

struct talk_with {
    const struct talk_place *place; /* tried in this order */
    unsigned places;
    const char *cluster; /* "" unknown */
    const struct msg_command *command;
    int64_t patience_ms; /* from the command to its last answer; 0: TALK_FIRST_MS for each part */
    bool endless;        /* after the first answer: until Ctrl-C, or until `on_answer` says so */
    /* Each part of the answer; false: enough. */
    bool (*on_answer)(void *owner, const struct msg_answer *a);
    void *owner;
};

/* 0: the last part of the answer was given to on_answer, or it said enough, or Ctrl-C. Else a
 * sentence and -EHOSTUNREACH: nobody was reached; -EIO: the command was sent and its answer did not
 * come, so nobody knows whether it was carried out. */
int talk(const struct talk_with *with, struct err *e) MUST_CHECK;
