/* SPDX-License-Identifier: GPL-2.0-or-later
 * The last RING_MAX events of a monitor, for `hamm ctl events`, and those who listen for new ones.
 * Memory only: after a restart it begins anew. */
#pragma once

#include "base/check.h"
#include "engine/engine.h"

enum { RING_MAX = 1000 /* COMMAND_EVENTS_MOST */ };

struct ring_event {
    uint64_t n; /* 1, 2, 3, ... since the start of this monitor */
    int64_t wall_ms;
    enum event_level level;
    int host; /* -1: the cluster */
    char text[EVENT_LEN];
};

/* Embedded in its owner. on_event may call ring_unfollow on itself, and add no events. */
struct ring_follower {
    void (*on_event)(struct ring_follower *f, const struct ring_event *ev);
    struct ring_follower *next; /* private */
};

struct ring {
    struct ring_event *at; /* RING_MAX of them */
    uint64_t added;
    struct ring_follower *followers;
};

int ring_init(struct ring *r) MUST_CHECK; /* 0 or -ENOMEM */
void ring_free(struct ring *r);           /* nobody may follow any more; repeatable */

/* Keeps a copy (too long a text is cut) and tells the followers at once. */
void ring_add(struct ring *r, int64_t wall_ms, enum event_level level, int host, const char *text);

/* The youngest `last` events, oldest first: ring_get(r, ring_first(r, last)), ... up to r->added.
 * NULL for one that is not there (any more). */
uint64_t ring_first(const struct ring *r, unsigned last);
const struct ring_event *ring_get(const struct ring *r, uint64_t n);

void ring_follow(struct ring *r, struct ring_follower *f);
void ring_unfollow(struct ring *r, struct ring_follower *f); /* one that doesn't follow is fine */
