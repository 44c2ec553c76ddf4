/* SPDX-License-Identifier: GPL-2.0-or-later
 * The disk under a server's binary log is full: its commits wait, then every question about GTIDs;
 * nothing is received or applied, and a server that is down can't start. Its checks don't notice,
 * its agent looks now and then. With room again what waited goes on. */
#include "sim.h"

enum { LOOK_MS = 2000, AGAIN_MS = 500 };

bool disk_full(const struct sim *s, int h)
{
    return s->host[h].server.full_until > s->now;
}

static void look_on_time(struct sim *s, int h, int b, uint64_t life, void *data)
{
    struct node *x = &s->host[h];
    bool full = disk_full(s, h);

    (void)b;
    (void)data;
    if (!s->proc[h].alive || s->proc[h].life != life)
        return; /* the next one looks for itself */
    if (s->proc[h].frozen) {
        sim_in(s, AGAIN_MS * MS, look_on_time, h, 0, life, NULL);
        return;
    }
    if (!full && x->disk_filled)
        x->disk_room_at = s->now;
    else if (full && !x->disk_filled && s->now - x->disk_room_at > (s->c.lease_ms / 6 + 500) * MS)
        x->disk_since = s->now; /* else perhaps nobody was told of the room between */
    x->disk_full = x->disk_filled = full;
}

void disk_look(struct sim *s, int h)
{
    sim_in(s, sim_between(s, MS, LOOK_MS * MS), look_on_time, h, 0, s->proc[h].life, NULL);
}

void disk_fills(struct sim *s, struct fault *f)
{
    struct server *v;

    if (f->a < 0)
        f->a = judge_reached(s, 0);
    if (f->a < 0)
        return;
    v = &s->host[f->a].server;
    if (v->full_until < s->now + f->len)
        v->full_until = s->now + f->len;
    disk_look(s, f->a);
}

/* The server tries once more. */
static void again_on_time(struct sim *s, int h, int b, uint64_t pid, void *data)
{
    struct server *v = &s->host[h].server;

    (void)b;
    (void)data;
    if (disk_full(s, h) || !v->up || v->pid != (int64_t)pid)
        return;
    v->waits = false;
    if (v->commit_waits)
        client_commit(s, h, judge_reached(s, 0) == h);
    v->commit_waits = false;
    server_look(s, h);
    server_news(s, h);
}

void disk_empties(struct sim *s, int h)
{
    const struct server *v;

    if (h < 0 || disk_full(s, h))
        return;
    v = &s->host[h].server;
    disk_look(s, h);
    if (v->up)
        sim_in(s, sim_between(s, 0, s->pace / 4), again_on_time, h, 0, (uint64_t)v->pid, NULL);
    else
        server_restart(s, h, sim_chance(s, 250));
}
