/* SPDX-License-Identifier: GPL-2.0-or-later
 * The promises, looked at in true time whenever an agent or a kernel did
 * something: one holder, one lease, no address without a lease, nothing
 * acknowledged lost by a planned move, nothing moved by a restart, and
 * everything whole again when nothing goes wrong any more. What time alone
 * changes only ends leases and closes gates. */
#include "sim.h"

#include <string.h>

static const char *const slot_text[SLOTS] = {"writer", "reader/1", "reader/2", "reader/3"};

/* The lease of that slot as the agent, or what it left in its record, knows it;
 * 0 none. */
static int64_t judge_lease(const struct sim *s, int h, int slot)
{
    const struct node *x = &s->host[h];

    if (s->proc[h].alive)
        return x->a.slot[slot].hold == HOLD_NONE ? 0 : x->a.slot[slot].lease_until;
    return s->proc[h].on && x->record.slot[slot].unclean ? x->record.slot[slot].lease_until_ms : 0;
}

/* A machine that stood still, or whose agent was dead when it went on, does not
 * know better. */
static bool judge_excused(const struct sim *s, int h)
{
    return s->proc[h].paused || (s->host[h].jumped && !s->proc[h].alive);
}

static void judge_slot(struct sim *s, int h, int slot, int64_t lease)
{
    const struct kernel_slot *k = &s->host[h].kernel[slot];
    int64_t late_us = s->c.gate == GATE_NFT ? 12 * MS : 1005 * MS;
    bool leased = lease > sim_local_ms(s, h), open = kernel_open(s, h, slot);

    for (int o = 0; o < (int)s->c.hosts; o++) {
        if (o == h || judge_excused(s, o))
            continue;
        if (leased && judge_lease(s, o, slot) > sim_local_ms(s, o))
            sim_fail(s, "two leases for %s: %s and %s", slot_text[slot], proc_name(o),
                     proc_name(h));
        if (open && kernel_open(s, o, slot))
            sim_fail(s, "two hosts are reached at %s: %s and %s%s", slot_text[slot], proc_name(o),
                     proc_name(h),
                     !s->host[h].server.read_only && !s->host[o].server.read_only
                         ? ", both writable"
                         : "");
    }
    if (open && k->until > (lease ? sim_true_us(s, h, lease) : 0) + late_us)
        sim_fail(s, "%s is reached at %s without a lease", proc_name(h), slot_text[slot]);
}

void judge_host(struct sim *s, int h)
{
    struct node *x = &s->host[h];

    if (judge_excused(s, h))
        return;
    for (int i = 0; i < (int)s->c.slots; i++) {
        struct judged now = {judge_lease(s, h, i), x->kernel[i].until, x->kernel[i].shown};
        struct judged *was = &x->judged[i];

        if (was->lease == now.lease && was->until == now.until && was->shown == now.shown)
            continue;
        *was = now;
        judge_slot(s, h, i, now.lease);
    }
}

int judge_reached(const struct sim *s, int slot)
{
    for (int h = 0; h < (int)s->c.hosts; h++)
        if (kernel_open(s, h, slot))
            return h;
    return -1;
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

/* ---- full disks ---- */

static bool judge_room(const struct engine *e, int h)
{
    return e->host[h].linked && !e->host[h].report.disk_full;
}

/* By itself it never goes to one that is full, as far as the monitor was told. */
void judge_given(struct sim *s, int m)
{
    const struct engine *e = &s->mon[m].e;
    const struct slot *x = &e->slot[0];

    s->mon[m].holder = x->holder;
    if (x->holder >= 0 && !x->adopted && !x->forced && e->host[x->holder].report.disk_full)
        sim_fail(s, "the writer's role goes to %s, whose disk is full", proc_name(x->holder));
}

/* It leaves one that is full only for one with room, not before its trap period is over. */
void judge_event(struct sim *s, int m, const struct action *act)
{
    const struct engine *e = &s->mon[m].e;
    const struct node *x = &s->host[act->host < 0 ? 0 : act->host];
    int64_t trap = check_trap_ms(&s->c, CK_MYSQL) * MS;
    bool room = false;

    if (!strstr(act->text, "must let go, its disk is full"))
        return;
    for (int h = 0; h < (int)s->c.candidates; h++)
        room = room || (h != act->host && judge_room(e, h));
    if (!room)
        sim_fail(s, "the role leaves %s, whose disk is full, though nobody has room",
                 proc_name(act->host));
    if (s->c.kind == KIND_FULL && s->now - x->disk_since < trap * 97 / 100)
        sim_fail(s, "the role leaves %s, whose disk is full, before its trap period is over",
                 proc_name(act->host));
}

/* ---- whole again ---- */

static bool whole_host(struct sim *s, const struct engine *e, int h, int w, char *why, size_t size)
{
    const struct server *v = &s->host[h].server;

    if (!s->proc[h].on || (h != w && disk_full(s, h)))
        return true; /* it stays so */
    if (!s->proc[h].alive)
        snprintf(why, size, "no agent on %s", proc_name(h));
    else if (e->host[h].state != ONLINE)
        snprintf(why, size, "%s is %s", proc_name(h), host_state_names[e->host[h].state]);
    else if (!v->up)
        snprintf(why, size, "mysqld of %s is down", proc_name(h));
    else if (h != w && !v->read_only)
        snprintf(why, size, "%s is writable", proc_name(h));
    else if (h != w && (v->source != w || !v->io_on || !v->sql_on))
        snprintf(why, size, "%s does not follow the writer", proc_name(h));
    else if (e->host[h].report.problem[0])
        snprintf(why, size, "%s has a problem: %.100s", proc_name(h), e->host[h].report.problem);
    else
        return true;
    return false;
}

static const char *waits(const struct engine *e, int slot)
{
    static char text[WHY_LEN];

    engine_waits(e, slot, text, sizeof text);
    return text;
}

bool judge_whole(struct sim *s, char *why, size_t size)
{
    int m = monitor_reigning(s), w;
    const struct engine *e = m < 0 ? NULL : &s->mon[m].e;

    if (!e) {
        snprintf(why, size, "no monitor reigns: %s", s->mon[0].e.passive_why);
        return false;
    }
    w = engine_writer(e);
    if (w < 0 || !kernel_open(s, w, 0) || s->host[w].server.read_only) {
        snprintf(why, size, "no writer (%s, holder %s): %.180s",
                 e->mode == MODE_ACTIVE ? "active" : "not active", proc_name(e->slot[0].holder),
                 waits(e, 0));
        return false;
    }
    if (disk_full(s, w)) {
        snprintf(why, size, "the disk of the writer is full: %.180s", waits(e, 0));
        return false;
    }
    for (int i = 1; i < (int)s->c.slots; i++)
        if (e->slot[i].holder < 0 || !kernel_open(s, e->slot[i].holder, i)) {
            snprintf(why, size, "%s is not reached (holder %s): %.150s", slot_text[i],
                     proc_name(e->slot[i].holder), waits(e, i));
            return false;
        }
    for (int h = 0; h < (int)s->c.hosts; h++)
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
    int64_t bound = 90 * (int64_t)SECOND + 16 * s->pace;
    char why[256] = "";
    bool whole;

    (void)a;
    (void)b;
    (void)n;
    (void)data;
    sim_in(s, s->pace / 16, judge_on_look, 0, 0, 0, NULL);
    if (s->settled_at && s->now < s->calm_at)
        return;
    whole = judge_whole(s, why, sizeof why);
    if (whole && !s->settled_at) {
        s->settled_at = s->now;
        sim_say(s, "all is well");
    }
    if (s->now < s->calm_at)
        return;
    if (!whole)
        s->whole_since = 0;
    else if (!s->whole_since)
        s->whole_since = s->now;
    else if (s->now - s->whole_since > s->pace)
        s->done = true;
    if (s->now > s->calm_at + bound && !s->done)
        sim_fail(s, "not whole %lld s after the last fault: %s", (long long)(bound / SECOND), why);
}

/* Before the first fault. */
static void judge_on_up(struct sim *s, int a, int b, uint64_t n, void *data)
{
    char why[256] = "";

    (void)a;
    (void)b;
    (void)n;
    (void)data;
    (void)judge_whole(s, why, sizeof why);
    s->writer0 = s->last_writer;
    for (int i = 0; i < (int)s->c.slots; i++)
        s->reader0[i] = judge_reached(s, i);
    if (!s->settled_at || s->writer0 < 0)
        sim_fail(s, "did not come up in %lld s: %s", (long long)(s->now / SECOND), why);
}

void judge_start(struct sim *s)
{
    sim_at(s, s->up_at, judge_on_up, 0, 0, 0, NULL);
    sim_in(s, s->pace / 16, judge_on_look, 0, 0, 0, NULL);
}
