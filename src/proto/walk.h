/* SPDX-License-Identifier: GPL-2.0-or-later
 * Where the codec is in a message, for its error sentences. Private to proto. */
#pragma once

#include "base/err.h"
#include "proto/msg.h"

#include <stddef.h>

/* The names of the hosts that the sets of one message speak of, in the message's own order. */
struct dictionary {
    unsigned n;
    int host[HOSTS_MAX];
};

struct walk {
    const struct names *names;
    struct dictionary hosts;
    char path[128]; /* "report.slot[2].serial" */
    struct err *e;
};

/* Makes the path longer; walk_back(w, what this returned) makes it what it was. */
size_t walk_add(struct walk *w, const char *fmt, ...) PRINTF_LIKE(2, 3);
void walk_back(struct walk *w, size_t was);
int walk_no_memory(struct walk *w); /* -ENOMEM, said */

/* Rules between fields, the same in both directions; fails with `code`. */
int walk_rules(const struct msg *m, int code, struct err *e);
