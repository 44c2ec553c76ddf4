/* SPDX-License-Identifier: GPL-2.0-or-later
 * What goes wrong and when, decided before the run so that a fault can be left out. */
#include "sim.h"

#include <stdio.h>
#include <string.h>

enum { MS = 1000, S = 1000 * MS, FIRST_S = 9, SPAN_S = 35 };

static const char *const fault_name[F_KIND_N] = {
    [F_KILL_AGENT] = "agent killed",
    [F_FREEZE_AGENT] = "agent frozen",
    [F_KILL_MONITOR] = "monitor killed",
    [F_FREEZE_MONITOR] = "monitor frozen",
    [F_WIPE_MONITOR] = "monitor's state lost",
    [F_REBOOT] = "machine off",
    [F_KILL_MYSQLD] = "mysqld killed",
    [F_HANG_MYSQLD] = "mysqld hangs",
    [F_CUT_BOTH] = "cut both ways",
    [F_CUT_ONE] = "cut one way",
    [F_ISOLATE] = "isolated",
    [F_BREAK] = "connection broken",
    [F_SLOW] = "slow network",
    [F_LAG] = "applier stalls",
    [F_JOBS] = "jobs hang or fail",
    [F_GATE] = "gate fails",
    [F_DISK] = "disk stalls",
    [F_MOVE] = "move-role writer",
    [F_MODE] = "mode",
    [F_OFFLINE] = "set-offline",
    [F_SLOT_EVENT] = "address removed or foreign",
    [F_JUMP] = "clock jump",
    [F_SECOND_MONITOR] = "second monitor",
};

void fault_text(const struct sim *s, const struct fault *f, char *to, size_t size)
{
    snprintf(to, size, "%s %s/%s for %.1f s", fault_name[f->kind], proc_name(s, f->a),
             f->b < 0 ? "-" : proc_name(s, f->b), (double)f->len / S);
}

static void fault_add(struct sim *s, enum fault_kind kind, int a, int b, int64_t at, int64_t len)
{
    unsigned i = s->faults++;

    CHECK(i < FAULTS_MAX);
    s->fault[i] = (struct fault){!(s->opt.drop >> i & 1), kind, a, b, at, len};
}

static int any_host(struct sim *s)
{
    return (int)sim_between(s, 0, (int64_t)s->hosts - 1);
}

static void fault_mixed(struct sim *s, int64_t at)
{
    static const enum fault_kind often[] = {
        F_KILL_AGENT,  F_FREEZE_AGENT, F_KILL_MONITOR, F_FREEZE_MONITOR, F_REBOOT,
        F_KILL_MYSQLD, F_CUT_BOTH,     F_CUT_ONE,      F_ISOLATE,        F_MOVE};
    enum fault_kind kind = sim_chance(s, 600) ? often[sim_luck(s) % ARRAY_LEN(often)]
                                              : (enum fault_kind)(sim_luck(s) % F_KIND_N);
    int a = any_host(s), b = any_host(s);
    int64_t len = sim_between(s, 50, sim_chance(s, 500) ? 2500 : 12000) * MS;

    switch (kind) {
    case F_KILL_MONITOR:
    case F_FREEZE_MONITOR:
    case F_WIPE_MONITOR:
    case F_SECOND_MONITOR:
        a = HOSTS;
        break;
    case F_CUT_BOTH:
    case F_CUT_ONE:
    case F_SLOW:
    case F_BREAK:
        if (sim_chance(s, 500))
            b = HOSTS;
        if (b == a)
            b = HOSTS;
        if (sim_chance(s, 500) && kind != F_BREAK) {
            int c = a;

            a = b;
            b = c;
        }
        break;
    case F_ISOLATE:
    case F_DISK:
        a = sim_chance(s, 300) ? HOSTS : a;
        break;
    case F_MOVE:
    case F_SLOT_EVENT:
        a = (int)sim_between(s, 0, (int64_t)s->candidates - 1);
        break;
    case F_REBOOT:
        len += 3 * S;
        break;
    case F_MODE:
        b = (int)sim_between(s, 0, MODE_N - 1);
        break;
    default:
        break;
    }
    fault_add(s, kind, a, b, at, len);
}

/* A lease in per cent, give or take. */
static int64_t about(struct sim *s, int percent_lo, int percent_hi)
{
    return s->lease_ms * sim_between(s, percent_lo, percent_hi) / 100 * MS;
}

/* The holder goes on alone while what its partner promised is forgotten. */
static void plan_forgotten(struct sim *s)
{
    int64_t t = FIRST_S * S;

    fault_add(s, F_CUT_BOTH, 0, HOSTS, t, about(s, 200, 350));
    fault_add(s, F_CUT_BOTH, 1, HOSTS, t + about(s, -20, 20), about(s, 50, 150));
    fault_add(s, F_KILL_AGENT, 1, 0, t + about(s, 20, 140), sim_between(s, 10, 200) * MS);
}

/* The monitor dies about when it takes the partner out of the electorate, and hears the partner
 * but not the holder when it is back. */
static void plan_unwritten(struct sim *s)
{
    int64_t t = FIRST_S * S, kill = t + about(s, 130, 300);

    fault_add(s, F_CUT_BOTH, 1, HOSTS, t, kill - t + about(s, 0, 40));
    fault_add(s, F_DISK, HOSTS, -1, kill - about(s, 0, 30), about(s, 50, 400));
    fault_add(s, F_KILL_MONITOR, HOSTS, -1, kill, about(s, 1, 30));
    fault_add(s, F_CUT_BOTH, 0, HOSTS, kill - about(s, 0, 10), about(s, 200, 400));
}

/* Faults that last about a lease, one upon the other: where leases and promises are at their edge.
 */
static void plan_storm(struct sim *s)
{
    static const enum fault_kind kinds[] = {
        F_SLOW, F_CUT_ONE,        F_CUT_BOTH,     F_ISOLATE, F_KILL_AGENT, F_FREEZE_AGENT,
        F_MOVE, F_FREEZE_MONITOR, F_KILL_MONITOR, F_REBOOT,  F_BREAK,      F_OFFLINE,
        F_DISK, F_WIPE_MONITOR,   F_SLOW,         F_CUT_ONE, F_CUT_BOTH,   F_FREEZE_AGENT,
    };
    enum fault_kind some[4]; /* few kinds, each several times */
    int64_t n = sim_between(s, 2, 9), m = sim_between(s, 2, 4);

    if (sim_chance(s, 250)) {
        if (sim_chance(s, 500))
            plan_forgotten(s);
        else
            plan_unwritten(s);
        n = sim_between(s, 0, 2);
    }
    for (int64_t i = 0; i < m; i++)
        some[i] = kinds[sim_luck(s) % ARRAY_LEN(kinds)];
    for (int64_t i = 0; i < n; i++) {
        enum fault_kind kind = some[sim_luck(s) % (uint64_t)m];
        int a = (int)sim_between(s, 0, (int64_t)s->candidates - 1);
        int b = sim_chance(s, 600) ? HOSTS : !a;
        bool flip = sim_chance(s, 500) && (kind == F_SLOW || kind == F_CUT_ONE);

        if (kind == F_FREEZE_MONITOR || kind == F_KILL_MONITOR || kind == F_WIPE_MONITOR ||
            (kind == F_DISK && sim_chance(s, 700)))
            a = HOSTS;
        else if (kind == F_KILL_AGENT)
            b = sim_chance(s, 600) ? 0 : -1; /* 0: its record is lost too */
        fault_add(s, kind, flip ? b : a, flip ? a : b,
                  FIRST_S * S + sim_between(s, 0, 3 * s->lease_ms) * MS,
                  sim_between(s, s->lease_ms / 10, 5 * s->lease_ms / 2) * MS);
    }
}

static void plan_mixed(struct sim *s)
{
    int64_t n = sim_between(s, 1, 7);
    int64_t span = sim_chance(s, 500) ? 8 : SPAN_S;

    for (int64_t i = 0; i < n; i++)
        fault_mixed(s, FIRST_S * S + sim_between(s, 0, span * S));
}

static void plan_monitor(struct sim *s)
{
    int64_t n = sim_between(s, 1, 3);

    for (int64_t i = 0; i < n; i++)
        if (sim_chance(s, 200))
            fault_add(s, F_MODE, HOSTS, sim_chance(s, 500) ? MODE_PASSIVE : MODE_MANUAL,
                      (FIRST_S + i * 15) * S, sim_between(s, 100, 13000) * MS);
        else
            fault_add(s,
                      sim_chance(s, 300) && s->lease_ms > 1000 ? F_ISOLATE
                      : sim_chance(s, 500)                     ? F_KILL_MONITOR
                                                               : F_FREEZE_MONITOR,
                      HOSTS, -1, (FIRST_S + i * 15) * S, sim_between(s, 100, 13000) * MS);
}

static void plan_agent(struct sim *s)
{
    int64_t n = sim_between(s, 1, 5);

    for (int64_t i = 0; i < n; i++)
        fault_add(s, F_KILL_AGENT, any_host(s), -1, FIRST_S * S + i * 10 * S,
                  sim_between(s, 5, s->lease_ms / 4) * MS);
}

static void plan_planned(struct sim *s)
{
    static const enum fault_kind kinds[] = {F_MOVE, F_MOVE,       F_OFFLINE,       F_KILL_MONITOR,
                                            F_LAG,  F_KILL_AGENT, F_FREEZE_MONITOR};
    int64_t n = sim_between(s, 1, 5), at = FIRST_S * S;

    for (int64_t i = 0; i < n; i++) {
        enum fault_kind kind = kinds[sim_luck(s) % ARRAY_LEN(kinds)];
        int a = (int)sim_between(s, 0, (int64_t)s->candidates - 1);
        bool mon = kind == F_KILL_MONITOR || kind == F_FREEZE_MONITOR;

        at += sim_between(s, 300, 9000) * MS;
        fault_add(s, kind, mon ? HOSTS : a, -1, at,
                  kind == F_KILL_AGENT ? sim_between(s, 5, s->lease_ms / 4) * MS
                                       : sim_between(s, 100, 4000) * MS);
    }
}

static void plan_partner(struct sim *s)
{
    fault_add(s, F_REBOOT, -1, -1, FIRST_S * S, 40 * S); /* whoever is not the writer */
    fault_add(s, sim_chance(s, 700) ? F_KILL_MONITOR : F_FREEZE_MONITOR, HOSTS, -1,
              FIRST_S * S + 8 * S, sim_between(s, 100, 14000) * MS);
    if (sim_chance(s, 500))
        fault_add(s, F_KILL_MONITOR, HOSTS, -1, FIRST_S * S + 26 * S,
                  sim_between(s, 100, 10000) * MS);
}

void faults_plan(struct sim *s)
{
    switch (s->kind) {
    case KIND_MONITOR:
        plan_monitor(s);
        break;
    case KIND_STORM:
        plan_storm(s);
        break;
    case KIND_AGENT:
        plan_agent(s);
        break;
    case KIND_PLANNED:
        plan_planned(s);
        break;
    case KIND_PARTNER:
        plan_partner(s);
        break;
    case KIND_DEAD:
        plan_mixed(s);
        fault_add(s, F_REBOOT, any_host(s), -1, FIRST_S * S + sim_between(s, 0, 30 * S),
                  100000 * (int64_t)S);
        break;
    default:
        plan_mixed(s);
        break;
    }
    for (unsigned i = 0; i < s->faults; i++) {
        const struct fault *f = &s->fault[i];
        int64_t end = f->at + (f->len > 1000 * (int64_t)S ? 0 : f->len);

        if (f->on && end > s->calm_at)
            s->calm_at = end;
    }
    if (s->calm_at < FIRST_S * S)
        s->calm_at = FIRST_S * S;
}
