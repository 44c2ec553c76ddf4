/* SPDX-License-Identifier: GPL-2.0-or-later
 * What goes wrong and when. Decided before the run, so that a fault can be left
 * out, moved or read from a file. */
#include "sim.h"

static struct fault *fault_add(struct scenario *c, enum fault_kind kind, int a, int b, int64_t at,
                               int64_t len)
{
    struct fault *f = &c->fault[c->faults++];

    CHECK(c->faults <= FAULTS_MAX);
    *f = (struct fault){.kind = kind, .a = a, .b = b, .at = at / MS * MS, .len = len / MS * MS};
    return f;
}

/* A duration for a lease of 2 s and checks of each 250 ms, on the scale of this
 * cluster. */
static int64_t scaled(const struct scenario *c, int64_t ms)
{
    return ms * (draw_pace(c) / MS) / 4;
}

static int any_host(const struct scenario *c, uint64_t *luck)
{
    return (int)luck_between(luck, 0, (int64_t)c->hosts - 1);
}

static int any_candidate(const struct scenario *c, uint64_t *luck)
{
    return (int)luck_between(luck, 0, (int64_t)c->candidates - 1);
}

static int any_monitor(const struct scenario *c, uint64_t *luck)
{
    return HOSTS + (luck_chance(luck, 850) ? 0 : (int)luck_between(luck, 0, (int64_t)c->mons - 1));
}

/* For so long a disk may be full before the role leaves. */
static int64_t trap_us(const struct scenario *c)
{
    return check_trap_ms(c, CK_MYSQL) * MS;
}

/* A lease in per cent, give or take. */
static int64_t about(const struct scenario *c, uint64_t *luck, int percent_lo, int percent_hi)
{
    return c->lease_ms * luck_between(luck, percent_lo, percent_hi) / 100 * MS;
}

/* Between whom something is wrong with the network; in either direction. */
static void fault_pair(const struct scenario *c, uint64_t *luck, struct fault *f)
{
    f->b = luck_chance(luck, 500) ? any_monitor(c, luck) : any_host(c, luck);
    if (f->b == f->a)
        f->b = HOSTS;
    if (luck_chance(luck, 500) && f->kind != F_BREAK) {
        int a = f->a;

        f->a = f->b;
        f->b = a;
    }
    if (f->kind == F_SLOW)
        f->arg = luck_between(luck, c->lease_ms / 40, c->lease_ms * 5 / 4) * MS;
}

static void fault_details(const struct scenario *c, uint64_t *luck, struct fault *f)
{
    switch (f->kind) {
    case F_KILL_MONITOR:
    case F_FREEZE_MONITOR:
    case F_WIPE_MONITOR:
    case F_OLD_JOURNAL:
    case F_NETWORK:
        f->a = any_monitor(c, luck);
        f->arg = luck_between(luck, 0, COPIES - 1);
        return;
    case F_SECOND_MONITOR:
    case F_TAKE_OVER:
        f->a = HOSTS + (int)luck_between(luck, 1, MONS - 1);
        f->arg = luck_chance(luck, 500);
        return;
    case F_CUT_BOTH:
    case F_CUT_ONE:
    case F_SLOW:
    case F_BREAK:
        fault_pair(c, luck, f);
        return;
    case F_ISOLATE:
    case F_DISK:
    case F_PAUSE:
        if (luck_chance(luck, 300))
            f->a = any_monitor(c, luck);
        return;
    case F_LOST:
        f->b = f->a;
        f->a = f->b == 0 ? 1 : 0;
        f->len += scaled(c, 3000);
        return;
    case F_MOVE:
    case F_FORCE:
        f->a = any_candidate(c, luck);
        f->arg = luck_chance(luck, 400);
        return;
    case F_SET_IP:
    case F_REMOVED:
    case F_FOREIGN:
        f->arg = luck_between(luck, 0, (int64_t)c->slots - 1);
        if (!f->arg)
            f->a = any_candidate(c, luck);
        return;
    case F_REBOOT:
        f->len += scaled(c, 3000);
        return;
    case F_MODE:
        f->a = HOSTS;
        f->arg = luck_between(luck, 0, MODE_N - 1);
        return;
    default:
        return;
    }
}

static void fault_mixed(struct scenario *c, uint64_t *luck, int64_t at)
{
    static const enum fault_kind often[] = {
        F_KILL_AGENT,  F_FREEZE_AGENT, F_KILL_MONITOR, F_FREEZE_MONITOR, F_REBOOT,
        F_KILL_MYSQLD, F_CUT_BOTH,     F_CUT_ONE,      F_ISOLATE,        F_MOVE};
    enum fault_kind kind = luck_chance(luck, 500) ? often[luck_next(luck) % ARRAY_LEN(often)]
                                                  : (enum fault_kind)(luck_next(luck) % F_FULL);
    int64_t len =
        luck_between(luck, scaled(c, 50), scaled(c, luck_chance(luck, 500) ? 2500 : 12000));

    fault_details(c, luck, fault_add(c, kind, any_host(c, luck), -1, at, len));
}

/* The holder goes on alone while what its partner promised is forgotten. */
static void plan_forgotten(struct scenario *c, uint64_t *luck)
{
    int64_t t = draw_first(c);

    fault_add(c, F_CUT_BOTH, 0, HOSTS, t, about(c, luck, 200, 350));
    fault_add(c, F_CUT_BOTH, 1, HOSTS, t + about(c, luck, -20, 20), about(c, luck, 50, 150));
    fault_add(c, F_KILL_AGENT, 1, 0, t + about(c, luck, 20, 140), about(c, luck, 1, 10));
}

/* The monitor dies about when it takes the partner out of the electorate, and
 * hears the partner but not the holder when it is back. */
static void plan_unwritten(struct scenario *c, uint64_t *luck)
{
    int64_t t = draw_first(c), kill = t + about(c, luck, 130, 300);

    fault_add(c, F_CUT_BOTH, 1, HOSTS, t, kill - t + about(c, luck, 0, 40));
    fault_add(c, F_DISK, HOSTS, -1, kill - about(c, luck, 0, 30), about(c, luck, 50, 400));
    fault_add(c, F_KILL_MONITOR, HOSTS, -1, kill, about(c, luck, 1, 30));
    fault_add(c, F_CUT_BOTH, 0, HOSTS, kill - about(c, luck, 0, 10), about(c, luck, 200, 400));
}

/* The holder cannot reach its monitor; another monitor takes over and reaches
 * everybody else. */
static void plan_taken_over(struct scenario *c, uint64_t *luck)
{
    int64_t t = draw_first(c);

    fault_add(c, F_CUT_BOTH, HOSTS, luck_chance(luck, 500) ? 1 : 0, t, about(c, luck, 50, 400));
    fault_add(c, F_CUT_BOTH, HOSTS + 1, luck_chance(luck, 500) ? 1 : 0, t + about(c, luck, -50, 50),
              about(c, luck, 50, 400));
    fault_add(c, F_TAKE_OVER, HOSTS + 1, -1, t + about(c, luck, 0, 200), about(c, luck, 50, 500))
        ->arg = luck_chance(luck, 700);
}

/* The holder goes on alone, its partner's promises come late, and the partner hears the monitor
 * again. */
static void plan_late(struct scenario *c, uint64_t *luck)
{
    int64_t t = draw_first(c);

    fault_add(c, F_CUT_BOTH, 0, HOSTS, t, about(c, luck, 250, 400));
    fault_add(c, F_CUT_BOTH, 1, HOSTS, t + about(c, luck, -20, 20), about(c, luck, 40, 150));
    fault_add(c, F_SLOW, 1, 0, t + about(c, luck, 0, 60), about(c, luck, 50, 250))->arg =
        about(c, luck, 20, 150);
}

/* Faults that last about a lease, one upon the other: where leases and promises
 * are at their edge.
 */
static void plan_storm(struct scenario *c, uint64_t *luck)
{
    static const enum fault_kind kinds[] = {
        F_SLOW,  F_CUT_ONE,        F_CUT_BOTH,     F_ISOLATE, F_KILL_AGENT,  F_FREEZE_AGENT,
        F_MOVE,  F_FREEZE_MONITOR, F_KILL_MONITOR, F_REBOOT,  F_BREAK,       F_OFFLINE,
        F_DISK,  F_WIPE_MONITOR,   F_SLOW,         F_CUT_ONE, F_CUT_BOTH,    F_FREEZE_AGENT,
        F_PAUSE, F_OLD_JOURNAL,    F_STALL,        F_FORCE,   F_KILL_MYSQLD,
    };
    enum fault_kind some[4]; /* few kinds, each several times */
    int64_t n = luck_between(luck, 2, 9), m = luck_between(luck, 2, 4);
    int64_t lease = lease_on(c->gate, c->lease_ms);

    if (luck_chance(luck, 300)) {
        int64_t which = luck_between(luck, 0, 3);

        if (which == 0)
            plan_forgotten(c, luck);
        else if (which == 1)
            plan_unwritten(c, luck);
        else if (which == 2)
            plan_late(c, luck);
        else
            plan_taken_over(c, luck);
        n = luck_between(luck, 0, 2);
    }
    for (int64_t i = 0; i < m; i++)
        some[i] = kinds[luck_next(luck) % ARRAY_LEN(kinds)];
    for (int64_t i = 0; i < n; i++) {
        enum fault_kind kind = some[luck_next(luck) % (uint64_t)m];
        int a = any_candidate(c, luck), b = luck_chance(luck, 600) ? HOSTS : !a;
        bool flip = luck_chance(luck, 500) && (kind == F_SLOW || kind == F_CUT_ONE);
        struct fault *f;

        if (kind == F_FREEZE_MONITOR || kind == F_KILL_MONITOR || kind == F_WIPE_MONITOR ||
            kind == F_OLD_JOURNAL || (kind == F_DISK && luck_chance(luck, 700)))
            a = HOSTS;
        else if (kind == F_KILL_AGENT)
            b = luck_chance(luck, 600) ? 0 : -1;
        else if (kind != F_SLOW && kind != F_CUT_ONE && kind != F_CUT_BOTH && kind != F_BREAK)
            b = -1;
        f = fault_add(c, kind, flip ? b : a, flip ? a : b,
                      draw_first(c) + luck_between(luck, 0, 3 * lease) * MS,
                      luck_between(luck, lease / 10, 5 * lease / 2) * MS);
        f->arg = kind == F_SLOW ? luck_between(luck, lease / 40, lease * 5 / 4) * MS
                                : luck_between(luck, 0, 1);
    }
}

static void plan_mixed(struct scenario *c, uint64_t *luck)
{
    int64_t n = luck_between(luck, 1, 8);
    int64_t span = scaled(c, luck_chance(luck, 500) ? 8000 : 35000);

    for (int64_t i = 0; i < n; i++)
        fault_mixed(c, luck, draw_first(c) + luck_between(luck, 0, span));
}

static void plan_monitor(struct scenario *c, uint64_t *luck)
{
    int64_t n = luck_between(luck, 1, 3);

    for (int64_t i = 0; i < n; i++) {
        int64_t at = draw_first(c) + i * scaled(c, 15000);
        int64_t len = luck_between(luck, scaled(c, 100), scaled(c, 13000));

        if (luck_chance(luck, 200))
            fault_add(c, F_MODE, HOSTS, -1, at, len)->arg =
                luck_chance(luck, 500) ? MODE_PASSIVE : MODE_MANUAL;
        else if (luck_chance(luck, 120))
            fault_add(c, F_SECOND_MONITOR, HOSTS + 1, -1, at, len);
        else if (luck_chance(luck, 150))
            fault_add(c, F_PAUSE, HOSTS, -1, at, len);
        else
            fault_add(c,
                      luck_chance(luck, 300) && c->lease_ms > 1000 &&
                              c->lease_ms <= 16 * c->check_ms
                          ? F_ISOLATE
                      : luck_chance(luck, 500) ? F_KILL_MONITOR
                                               : F_FREEZE_MONITOR,
                      HOSTS, -1, at, len);
    }
}

static void plan_agent(struct scenario *c, uint64_t *luck)
{
    int64_t n = luck_between(luck, 1, 5);

    for (int64_t i = 0; i < n; i++)
        fault_add(c, F_KILL_AGENT, any_host(c, luck), -1, draw_first(c) + i * scaled(c, 10000),
                  luck_between(luck, 5, c->lease_ms / 4 < 1000 ? c->lease_ms / 4 : 1000) * MS);
}

static void plan_planned(struct scenario *c, uint64_t *luck)
{
    static const enum fault_kind kinds[] = {F_MOVE, F_MOVE,       F_OFFLINE,       F_KILL_MONITOR,
                                            F_LAG,  F_KILL_AGENT, F_FREEZE_MONITOR};
    int64_t n = luck_between(luck, 1, 5), at = draw_first(c);

    for (int64_t i = 0; i < n; i++) {
        enum fault_kind kind = kinds[luck_next(luck) % ARRAY_LEN(kinds)];
        int a = any_candidate(c, luck);
        bool mon = kind == F_KILL_MONITOR || kind == F_FREEZE_MONITOR;

        at += luck_between(luck, scaled(c, 300), scaled(c, 9000));
        fault_add(c, kind, mon ? HOSTS : a, -1, at,
                  kind == F_KILL_AGENT
                      ? luck_between(luck, 5, c->lease_ms / 4 < 1000 ? c->lease_ms / 4 : 1000) * MS
                      : luck_between(luck, scaled(c, 100), scaled(c, 4000)))
            ->arg = luck_chance(luck, 300);
    }
}

static void plan_partner(struct scenario *c, uint64_t *luck)
{
    int64_t t = draw_first(c);

    fault_add(c, F_REBOOT, -1, -1, t, scaled(c, 40000)); /* whoever is not the writer */
    fault_add(c, luck_chance(luck, 700) ? F_KILL_MONITOR : F_FREEZE_MONITOR, HOSTS, -1,
              t + scaled(c, 8000), luck_between(luck, scaled(c, 100), scaled(c, 14000)));
    if (luck_chance(luck, 500))
        fault_add(c, F_KILL_MONITOR, HOSTS, -1, t + scaled(c, 26000),
                  luck_between(luck, scaled(c, 100), scaled(c, 10000)));
}

/* Around the moment in which a writer's server dies: somebody is late, agents and the monitor are
 * restarted, those who hand over don't reach each other for a moment. */
static void crash_trouble(struct scenario *c, uint64_t *luck, int64_t at)
{
    int64_t agent_ms = c->lease_ms / 4 < 1000 ? c->lease_ms / 4 : 1000;

    if (luck_chance(luck, 500))
        fault_add(c, F_LAG, any_candidate(c, luck), -1, at - luck_between(luck, 0, SECOND),
                  luck_between(luck, 10, 3000) * MS);
    if (luck_chance(luck, 300))
        fault_add(c, F_KILL_AGENT, any_candidate(c, luck), -1,
                  at + luck_between(luck, -50, 500) * MS, luck_between(luck, 5, agent_ms) * MS);
    if (luck_chance(luck, 200))
        fault_add(c, F_KILL_MONITOR, HOSTS, -1, at + luck_between(luck, -500, 1000) * MS,
                  luck_between(luck, 50, scaled(c, 3000) / MS) * MS);
    if (luck_chance(luck, 200))
        fault_add(c, F_CUT_BOTH, 0, 1, at + luck_between(luck, -100, 500) * MS,
                  luck_between(luck, 50, 1000) * MS);
}

static void plan_crash(struct scenario *c, uint64_t *luck)
{
    int64_t n = luck_between(luck, 1, 3), at = draw_first(c) + SECOND;

    for (int64_t i = 0; i < n; i++) {
        int64_t len = luck_chance(luck, 300) ? luck_between(luck, 5, 300) * MS
                                             : luck_between(luck, scaled(c, 500), scaled(c, 12000));

        fault_add(c, F_KILL_MYSQLD, -1, -1, at, len)->arg =
            (luck_chance(luck, 150) ? CRASH_UNREADABLE : 0) |
            (luck_chance(luck, 250) ? CRASH_BY_HAND : 0);
        crash_trouble(c, luck, at);
        at += luck_chance(luck, 300) ? luck_between(luck, 100, 3000) * MS
                                     : luck_between(luck, scaled(c, 3000), scaled(c, 20000));
    }
}

/* The writer's disk, then perhaps that of the next one or of anybody; some stay full. */
static void plan_full(struct scenario *c, uint64_t *luck)
{
    int64_t n = luck_between(luck, 1, 3), at = draw_first(c) + SECOND, trap = trap_us(c);
    bool forever = luck_chance(luck, 300);

    for (int64_t i = 0; i < n; i++) {
        int64_t len = luck_chance(luck, 400) ? luck_between(luck, 50 * MS, trap)
                                             : luck_between(luck, trap, 3 * trap + 8 * SECOND);

        fault_add(c, F_FULL, !i || luck_chance(luck, 500) ? -1 : any_host(c, luck), -1, at,
                  forever && !i ? NEVER_ENDS : len);
        crash_trouble(c, luck, luck_chance(luck, 500) ? at : at + trap + 3 * SECOND);
        at += luck_chance(luck, 400) ? luck_between(luck, 0, trap)
                                     : luck_between(luck, trap, 2 * trap + 10 * SECOND);
    }
}

/* Disks besides what else goes wrong. */
static void plan_disks(struct scenario *c, uint64_t *luck)
{
    int64_t n = luck_between(luck, 1, 3), trap = trap_us(c);

    for (int64_t i = 0; i < n; i++)
        fault_add(c, F_FULL, luck_chance(luck, 400) ? -1 : any_candidate(c, luck), -1,
                  draw_first(c) + luck_between(luck, 0, trap),
                  luck_between(luck, 50 * MS, 2 * trap + 3 * SECOND));
}

void plan_draw(struct scenario *c, uint64_t *luck)
{
    if (c->mons > 1) /* the others are started when the first reigns */
        for (unsigned m = 1; m < c->mons; m++)
            fault_add(c, F_SECOND_MONITOR, HOSTS + (int)m, -1, draw_first(c) / 2 + m * 10 * MS,
                      NEVER_ENDS);
    switch (c->kind) {
    case KIND_MONITOR:
        plan_monitor(c, luck);
        break;
    case KIND_STORM:
        plan_storm(c, luck);
        break;
    case KIND_AGENT:
        plan_agent(c, luck);
        break;
    case KIND_CRASH:
        plan_crash(c, luck);
        break;
    case KIND_FULL:
        plan_full(c, luck);
        break;
    case KIND_PLANNED:
        plan_planned(c, luck);
        break;
    case KIND_PARTNER:
        plan_partner(c, luck);
        break;
    case KIND_DEAD:
        plan_mixed(c, luck);
        fault_add(c, F_REBOOT, any_host(c, luck), -1,
                  draw_first(c) + luck_between(luck, 0, scaled(c, 30000)), NEVER_ENDS);
        break;
    default:
        plan_mixed(c, luck);
        break;
    }
    if ((c->kind == KIND_MIXED || c->kind == KIND_STORM) && luck_chance(luck, 120))
        plan_disks(c, luck);
}
