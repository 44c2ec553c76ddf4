/* SPDX-License-Identifier: GPL-2.0-or-later
 * The commands of `hamm ctl`, once: ctl checks what it was given and prints its help from them, the
 * monitor reads what it was sent. Pure. What a word names (a host?) only the monitor knows. */
#pragma once

#include "base/err.h"
#include "proto/msg.h"

enum command_kind {
    COMMAND_STATUS,
    COMMAND_SHOW,
    COMMAND_CHECKS,
    COMMAND_MODE,
    COMMAND_SET_ONLINE,
    COMMAND_SET_OFFLINE,
    COMMAND_MOVE_ROLE,
    COMMAND_SET_IP,
    COMMAND_PING,
    COMMAND_EVENTS,
    COMMAND_RECEIPTS,
    COMMAND_EXPLAIN,
    COMMAND_WHAT_IF,
    COMMAND_SET_ACTIVE, /* MMM's words for `mode` */
    COMMAND_SET_MANUAL,
    COMMAND_SET_PASSIVE,
    COMMAND_N
};

struct command {
    const char *name, *takes; /* "move-role" "[--force [--lost OLD] ...] ROLE HOST" */
    const char *does;
    unsigned least, most; /* words besides options */
    const char *options;  /* each followed by a space; NULL: every word is the command's own */
};
extern const struct command commands[COMMAND_N];

/* A command in parts; texts are those of the message. */
struct command_args {
    enum command_kind kind;
    unsigned n;
    const char *arg[WORDS_MAX];
    bool force, follow, exit_code; /* --force, -f, --exit-code */
    const char *lost;              /* --lost; NULL: not given */
    const char *accept_loss;       /* --accept-loss; NULL: not given */
    unsigned last;                 /* -n, receipts N */
};

enum { COMMAND_EVENTS_LAST = 20, COMMAND_EVENTS_MOST = 1000, COMMAND_RECEIPTS_LAST = 10 };

/* By its name, in which a dash and an underscore are the same; COMMAND_N: there is none. */
enum command_kind command_find(const char *word);
/* 0, or -EINVAL with a sentence that names the usage. */
int command_parse(struct command_args *out, const struct msg_command *m, struct err *e) MUST_CHECK;
