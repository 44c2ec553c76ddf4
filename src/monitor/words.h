/* SPDX-License-Identifier: GPL-2.0-or-later
 * The words of a ctl command become plain data, or a sentence that says what is wrong with them.
 * Pure. */
#pragma once

#include "base/err.h"
#include "engine/engine.h"
#include "foresee/fault.h"

struct status_conf;

enum words_kind {
    WORDS_PING,
    WORDS_STATUS,
    WORDS_SHOW,
    WORDS_CHECKS,
    WORDS_MODE, /* which one is it? */
    WORDS_EVENTS,
    WORDS_EXPLAIN,
    WORDS_RECEIPTS,
    WORDS_WHAT_IF,
    WORDS_ORDER,
};

struct words {
    enum words_kind kind;
    int host, check;             /* WORDS_CHECKS; -1: all */
    int role;                    /* WORDS_EXPLAIN: this role or `host`; both -1: the cluster */
    const struct faults *faults; /* WORDS_WHAT_IF */
    bool follow;                 /* WORDS_EVENTS */
    unsigned last;               /* WORDS_EVENTS, WORDS_RECEIPTS: how many of the past */
    struct engine_command order; /* WORDS_ORDER; id is for the caller to set */
};

/* 0, or -EINVAL with the sentence for the operator (ctl's exit code is 2 then). `faults` is room
 * for those of a what-if. */
int words_parse(struct words *out, struct faults *faults, const struct msg_command *c,
                const struct engine_conf *conf, const struct status_conf *status,
                struct err *e) MUST_CHECK;
