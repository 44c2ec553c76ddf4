/* SPDX-License-Identifier: GPL-2.0-or-later
 * Host states: what must lead where, and what may. */
#include "exhaustive/exhaustive.h"

static const struct engine *const e = &engine;

static bool bad(int h, enum check c)
{
    return e->host[h].check[c].known && !e->host[h].check[c].good;
}

/* Or it was bad when the step began: what is ordered then begins its checks anew. */
static bool was_bad(const struct before *b, int h, enum check c)
{
    return bad(h, c) || b->bad[h][c];
}

static bool dead(int h)
{
    return bad(h, CK_PING) || bad(h, CK_MYSQL) || e->host[h].dead_since;
}

static bool live(int h)
{
    const struct host *x = &e->host[h];

    return x->linked && x->heard && e->now - x->report_at < LEASE / 2;
}

static bool held_any(const struct before *b, int h)
{
    for (int s = 0; s < SLOTS; s++)
        if (b->slot[s].holder == h || e->slot[s].holder == h)
            return true;
    return false;
}

/* Into service by itself. */
static void judge_online(const struct before *b, int h)
{
    const struct host *x = &e->host[h];
    enum host_state was = b->state[h];
    bool adopted = false, calm = e->conf.auto_set_online_ms > 0;

    for (int s = 0; s < SLOTS; s++)
        adopted = adopted || (e->slot[s].holder == h && e->slot[s].adopted &&
                              !(b->slot[s].holder == h && b->slot[s].adopted));
    if (adopted)
        return;
    MUST(was != UNKNOWN, "db%d is ONLINE at first sight", h + 1);
    if (was == HARD_OFFLINE) {
        MUST(live(h) && held_any(b, h), "dead db%d comes back ONLINE", h + 1);
        return;
    }
    if (b->slot[0].holder == h || e->slot[0].holder == h)
        return; /* open for writes */
    if (was == AWAITING_RECOVERY) {
        MUST(live(h) && !x->extra[0] && (!x->flapping || calm), "db%d is let in", h + 1);
        MUST(engine_writer(e) < 0 || engine_writer(e) == h || b->slot[0].holder < 0 ||
                 (!bad(h, CK_REP_THREADS) && !bad(h, CK_REP_BACKLOG) && x->clean),
             "db%d is let in, its replication is bad", h + 1);
        return;
    }
    MUST(!bad(h, CK_REP_THREADS) && !bad(h, CK_REP_BACKLOG) && !x->extra[0] && !x->flapping &&
             !b->returning[h],
         "db%d comes from %s into service", h + 1, host_state_names[was]);
}

static void judge_state(const struct before *b, int h)
{
    enum host_state was = b->state[h], is = e->host[h].state;

    MUST(!e->network_down || dead(h) || e->slot[0].holder == h || is != HARD_OFFLINE ||
             was == HARD_OFFLINE,
         "db%d is dead while the network is down", h + 1);
    if (e->network_down)
        return;
    if (was != ADMIN_OFFLINE && dead(h))
        MUST(is == HARD_OFFLINE, "db%d is dead and %s", h + 1, host_state_names[is]);
    if (was == is)
        return;
    MUST(is != ADMIN_OFFLINE && is != UNKNOWN && was != ADMIN_OFFLINE, "db%d: %s -> %s", h + 1,
         host_state_names[was], host_state_names[is]);
    if (is == HARD_OFFLINE)
        MUST(dead(h), "db%d is not dead", h + 1);
    if (is == ONLINE)
        judge_online(b, h);
    if (is == REPLICATION_FAIL)
        MUST(was != UNKNOWN && was != HARD_OFFLINE &&
                 (was_bad(b, h, CK_REP_THREADS) || b->extra[h] || e->host[h].extra[0]),
             "db%d: %s -> REPLICATION_FAIL", h + 1, host_state_names[was]);
    if (is == REPLICATION_DELAY)
        MUST(was_bad(b, h, CK_REP_BACKLOG) || (e->slot[0].holder == h && !e->slot[0].arrived),
             "db%d is not behind", h + 1);
    if (was == ONLINE && is != HARD_OFFLINE && b->slot[0].holder == h && e->slot[0].arrived)
        MUST(e->slot[0].holder != h, "the writer db%d is judged by its replication", h + 1);
}

void judge_states(const struct before *b, const struct engine_event *ev)
{
    for (int h = 0; h < HOSTS; h++)
        if (ev->kind != EV_COMMAND || ev->command.host != h)
            judge_state(b, h);
}
