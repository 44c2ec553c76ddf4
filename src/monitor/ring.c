/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "monitor/ring.h"

#include "base/check.h"
#include "proto/codec.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

int ring_init(struct ring *r)
{
    *r = (struct ring){.at = calloc(RING_MAX, sizeof *r->at)};
    return r->at ? 0 : -ENOMEM;
}

void ring_free(struct ring *r)
{
    CHECK(!r->followers);
    free(r->at);
    *r = (struct ring){0};
}

void ring_add(struct ring *r, int64_t wall_ms, enum event_level level, int host, const char *text)
{
    struct ring_event *ev = &r->at[r->added % RING_MAX];
    struct ring_follower *next;

    *ev = (struct ring_event){.n = ++r->added, .wall_ms = wall_ms, .level = level, .host = host};
    snprintf(ev->text, sizeof ev->text, "%s", text);
    msg_clean_text(ev->text);
    for (struct ring_follower *f = r->followers; f; f = next) {
        next = f->next;
        f->on_event(f, ev);
    }
}

uint64_t ring_first(const struct ring *r, unsigned last)
{
    uint64_t n = r->added < RING_MAX ? r->added : RING_MAX;

    return r->added - (last < n ? last : n) + 1;
}

const struct ring_event *ring_get(const struct ring *r, uint64_t n)
{
    if (!n || n > r->added || n + RING_MAX <= r->added)
        return NULL;
    return &r->at[(n - 1) % RING_MAX];
}

void ring_follow(struct ring *r, struct ring_follower *f)
{
    f->next = r->followers;
    r->followers = f;
}

void ring_unfollow(struct ring *r, struct ring_follower *f)
{
    for (struct ring_follower **at = &r->followers; *at; at = &(*at)->next)
        if (*at == f) {
            *at = f->next;
            return;
        }
}
