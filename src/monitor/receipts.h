/* SPDX-License-Identifier: GPL-2.0-or-later
 * The last RECEIPTS_MAX receipts of a cluster, for `hamm ctl receipts`: in memory, and durable in a
 * journal of their own, so that no order waits for them. A journal that cannot be used costs
 * receipts and nothing else. */
#pragma once

#include "base/check.h"
#include "base/err.h"
#include "engine/receipt.h"
#include "journal/journal.h"
#include "loop/closer.h"

#include <uv.h>

enum { RECEIPTS_MAX = 50 };

struct receipts {
    struct receipt *at; /* RECEIPTS_MAX of them, oldest first; owned */
    unsigned n;
    struct journal *journal; /* NULL: memory only */
    uint64_t seq;            /* of the last append */
    uv_timer_t retry;
    struct closer *closer; /* while it stops */
    void (*say)(void *owner, bool bad, const char *text);
    void *owner;
    bool unreadable, failing;
};

/* Reads what is there. `say` is for the log. 0, or -ENOMEM: nothing of it was begun. */
int receipts_start(struct receipts *r, uv_loop_t *loop, const char *path,
                   void (*say)(void *owner, bool bad, const char *text), void *owner) MUST_CHECK;
/* A new one, or what became known later about one that is there. */
void receipts_add(struct receipts *r, const struct receipt *one);
/* The last `last` of them, oldest first, as text or as one JSON object without a newline; the
 * caller's to free(), NULL: no memory. */
char *receipts_text(const struct receipts *r, unsigned last) MUST_CHECK;
char *receipts_json(const struct receipts *r, const char *cluster, unsigned last) MUST_CHECK;
/* The journal's part has been told when `closer` is at zero; then receipts_free. */
void receipts_stop(struct receipts *r, struct closer *closer);
void receipts_free(struct receipts *r); /* repeatable */

/* receipts_json.c: all of them for the journal, and back. -EINVAL: it is something else. */
char *receipts_encode(const struct receipts *r) MUST_CHECK;
int receipts_decode(struct receipts *r, const char *text, size_t len) MUST_CHECK;
