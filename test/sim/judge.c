/* SPDX-License-Identifier: GPL-2.0-or-later
 * The promises, looked at after every step in true time: one holder, one lease, no address without
 * a lease, nothing acknowledged lost by a planned move, nothing moved by a restart, and everything
 * whole again when nothing goes wrong any more. */
#include "sim.h"

#include <stdio.h>
#include <string.h>

enum { MS = 1000, S = 1000 * MS, CLIENT_MS = 25, LOOK_MS = 250, UP_S = 8, WHOLE_S = 120 };

static const char *const slot_text[SLOTS] = {"writer", "reader/1", "reader/2"};

/* The lease of that slot as the agent, or what it left in its record, knows it; 0 none. */
static int64_t judge_lease(const struct sim *s, int h, int slot)
{
    const struct node *x = &s->host[h];

    if (s->proc[h].alive)
        return x->a.slot[slot].hold == HOLD_NONE ? 0 : x->a.slot[slot].lease_until;
    return s->proc[h].on && x->record.slot[slot].unclean ? x->record.slot[slot].lease_until_ms : 0;
}

static void judge_slot(struct sim *s, int slot)
{
    int open = -1, leased = -1;
    int late_ms = s->gate == GATE_NFT ? 12 : 1005;

    for (int h = 0; h < (int)s->hosts; h++) {
        int64_t lease = judge_lease(s, h, slot), now = sim_local_ms(s, h);

        if (lease > now) {
            if (leased >= 0)
                sim_fail(s, "two leases for %s: %s and %s", slot_text[slot], proc_name(s, leased),
                         proc_name(s, h));
            leased = h;
        }
        if (!kernel_open(s, h, slot))
            continue;
        if (open >= 0)
            sim_fail(s, "two hosts are reached at %s: %s and %s%s", slot_text[slot],
                     proc_name(s, open), proc_name(s, h),
                     !s->host[h].server.read_only && !s->host[open].server.read_only
                         ? ", both writable"
                         : "");
        open = h;
        if (lease + late_ms < now && !(s->proc[h].alive && s->proc[h].frozen && lease == 0))
            sim_fail(s, "%s is reached at %s without a lease (over for %lld ms)", proc_name(s, h),
                     slot_text[slot], (long long)(now - lease));
    }
}

void judge_step(struct sim *s)
{
    for (int i = 0; i < SLOTS; i++)
        judge_slot(s, i);
}

/* ---- a client ---- */

static void client_switched(struct sim *s, int h)
{
    const struct server *v = &s->host[h].server;

    s->lost = 0;
    for (int i = 0; i < HOSTS; i++)
        if (s->acked[i] > v->have[i]) {
            s->lost += s->acked[i] - v->have[i];
            s->acked[i] = v->have[i];
        }
    sim_say(s, "client: writes go to %s after %lld ms%s", proc_name(s, h),
            (long long)((s->now - s->last_acked_at) / MS), s->lost ? ", rows are lost" : "");
    if (s->lost && s->kind == KIND_PLANNED)
        sim_fail(s, "acknowledged rows were lost without a reason, %s has not all",
                 proc_name(s, h));
}

static void client_watch_stays(struct sim *s, int h)
{
    if (s->kind != KIND_MONITOR && s->kind != KIND_AGENT && s->kind != KIND_PARTNER)
        return;
    if (s->writer0 >= 0 && h != s->writer0 && s->now < s->calm_at + 10 * (int64_t)S && !s->prefer)
        sim_fail(s, "the writer's address left %s (now %s) though nothing but %s failed",
                 proc_name(s, s->writer0), proc_name(s, h),
                 s->kind == KIND_AGENT ? "an agent" : "monitors");
}

static void client_on_loop(struct sim *s, int a, int b, uint64_t n, void *data)
{
    int to = -1;

    (void)a;
    (void)b;
    (void)n;
    (void)data;
    sim_in(s, CLIENT_MS * MS, client_on_loop, 0, 0, 0, NULL);
    for (int h = 0; h < (int)s->hosts; h++)
        if (kernel_open(s, h, 0))
            to = h;
    client_watch_stays(s, to);
    if (to >= 0 && server_answers(s, to) && !s->host[to].server.read_only) {
        struct server *v = &s->host[to].server;
        uint64_t high = 0;

        if (to != s->last_writer)
            client_switched(s, to);
        for (int i = 0; i < HOSTS; i++)
            if (v->have[i] > high)
                high = v->have[i];
        v->have[to] = s->acked[to] = high + 1;
        if (v->relay[to] < v->have[to])
            v->relay[to] = v->have[to];
        s->last_writer = to;
        s->last_acked_at = s->now;
        s->written++;
    }
}

/* An answer of the monitor: a move that went well loses nothing. */
void judge_moved(struct sim *s, int m, const struct action *act)
{
    int old = s->mon[m].e.move.from, to = s->mon[m].e.move.to;

    if (act->code || !strstr(act->text, "Role 'writer' has been moved") ||
        strstr(act->text, "surely over"))
        return;
    for (int i = 0; i < HOSTS; i++)
        if (s->acked[i] > s->host[to].server.have[i] && server_answers(s, old))
            sim_fail(s, "a planned move lost rows");
}

/* ---- whole again ---- */

static bool whole_host(struct sim *s, const struct engine *e, int h, int w, char *why, size_t size)
{
    const struct server *v = &s->host[h].server;

    if (!s->proc[h].on)
        return true;
    if (!s->proc[h].alive)
        snprintf(why, size, "no agent on %s", proc_name(s, h));
    else if (e->host[h].state != ONLINE)
        snprintf(why, size, "%s is %s", proc_name(s, h), host_state_names[e->host[h].state]);
    else if (!v->up)
        snprintf(why, size, "mysqld of %s is down", proc_name(s, h));
    else if (h != w && !v->read_only)
        snprintf(why, size, "%s is writable", proc_name(s, h));
    else if (h != w && (v->source != w || !v->io_on || !v->sql_on))
        snprintf(why, size, "%s does not follow the writer", proc_name(s, h));
    else if (e->host[h].report.problem[0])
        snprintf(why, size, "%s has a problem: %.100s", proc_name(s, h), e->host[h].report.problem);
    else
        return true;
    return false;
}

bool judge_whole(struct sim *s, char *why, size_t size)
{
    int m = monitor_reigning(s), w;
    const struct engine *e = m < 0 ? NULL : &s->mon[m].e;

    if (!e) {
        snprintf(why, size, "no monitor reigns: %s", s->mon[0].e.reign_why);
        return false;
    }
    w = engine_writer(e);
    if (w < 0 || !kernel_open(s, w, 0) || s->host[w].server.read_only) {
        snprintf(why, size, "no writer (%s, holder %s): %.180s",
                 e->mode == MODE_ACTIVE ? "active" : "not active", proc_name(s, e->slot[0].holder),
                 e->slot[0].waiting);
        return false;
    }
    for (int i = 1; i < SLOTS; i++)
        if (e->slot[i].holder < 0 || !kernel_open(s, e->slot[i].holder, i)) {
            snprintf(why, size, "%s is not reached (holder %s): %.150s", slot_text[i],
                     proc_name(s, e->slot[i].holder), e->slot[i].waiting);
            return false;
        }
    for (int h = 0; h < (int)s->hosts; h++)
        if (!whole_host(s, e, h, w, why, size))
            return false;
    if (e->mode != MODE_ACTIVE || e->move.phase != MOVE_NONE) {
        snprintf(why, size, "mode %s, move %d", mode_names[e->mode], e->move.phase);
        return false;
    }
    return true;
}

static void judge_on_look(struct sim *s, int a, int b, uint64_t n, void *data)
{
    char why[256];
    bool whole = judge_whole(s, why, sizeof why);

    (void)a;
    (void)b;
    (void)n;
    (void)data;
    sim_in(s, LOOK_MS * MS, judge_on_look, 0, 0, 0, NULL);
    if (whole && !s->settled_at) {
        s->settled_at = s->now;
        sim_say(s, "all is well");
    }
    if (s->now >= UP_S * S && s->writer0 < 0) {
        s->writer0 = s->last_writer;
        if (!s->settled_at || s->writer0 < 0)
            sim_fail(s, "did not come up in %d s: %s", UP_S, why);
    }
    if (s->now < s->calm_at)
        return;
    if (!whole)
        s->whole_since = 0;
    else if (!s->whole_since)
        s->whole_since = s->now;
    else if (s->now - s->whole_since > 3 * S)
        s->done = true;
    if (s->now > s->calm_at + WHOLE_S * (int64_t)S && !s->done)
        sim_fail(s, "not whole %d s after the last fault: %s", WHOLE_S, why);
}

void judge_loops(struct sim *s)
{
    sim_in(s, CLIENT_MS * MS, client_on_loop, 0, 0, 0, NULL);
    sim_in(s, LOOK_MS * MS, judge_on_look, 0, 0, 0, NULL);
}
