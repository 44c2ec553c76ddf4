/* SPDX-License-Identifier: GPL-2.0-or-later
 * What a seed draws: the cluster, its durations over the whole range that can
 * be configured, its clocks. */
#include "sim.h"

#include <string.h>

/* About evenly over the orders of magnitude between lo and hi. */
static int64_t luck_log(uint64_t *luck, int64_t lo, int64_t hi)
{
    int64_t n = 0, v = lo * 1024;

    while (v < hi * 1024) {
        v += v / 16;
        n++;
    }
    n = luck_between(luck, 0, n);
    for (v = lo * 1024; n; n--)
        v += v / 16;
    v /= 1024;
    return v < hi ? v : hi;
}

static int64_t lease_in_force(const struct scenario *c)
{
    return lease_on(c->gate, c->lease_ms);
}

int64_t draw_pace(const struct scenario *c)
{
    return (lease_in_force(c) + 8 * c->check_ms) * MS;
}

int64_t draw_first(const struct scenario *c)
{
    return 2 * draw_pace(c) + 6 * (int64_t)SECOND;
}

static enum kind draw_kind(uint64_t seed)
{
    static const enum kind kinds[16] = {
        KIND_MIXED, KIND_STORM,   KIND_MONITOR, KIND_STORM, KIND_AGENT, KIND_MIXED,
        KIND_STORM, KIND_PLANNED, KIND_STORM,   KIND_MIXED, KIND_STORM, KIND_PARTNER,
        KIND_STORM, KIND_PLANNED, KIND_DEAD,    KIND_CRASH,
    };

    return seed % 32 == 20 ? KIND_FULL /* for one in twelve storms */ : kinds[seed % 16];
}

void scenario_draw(struct scenario *c, uint64_t seed, int kind)
{
    uint64_t luck = seed * 0x2545f4914f6cdd1dull + 1;
    bool any;

    memset(c, 0, sizeof *c);
    c->seed = seed;
    c->net = luck_next(&luck) >> 16;
    c->kind = kind >= 0 ? (enum kind)kind : draw_kind(seed);
    any = c->kind == KIND_MIXED || c->kind == KIND_STORM || c->kind == KIND_DEAD;
    c->hosts = (unsigned)luck_between(&luck, 2, luck_chance(&luck, 120) ? HOSTS : 3);
    c->candidates = c->hosts > 2 && luck_chance(&luck, 400) ? 3 : 2;
    c->mons = luck_chance(&luck, 800) ? 1 : (unsigned)luck_between(&luck, 2, MONS);
    c->slots = (unsigned)luck_between(&luck, 2, SLOTS);
    c->gate = luck_chance(&luck, 150) ? GATE_LIFETIME : GATE_NFT;
    c->lease_ms = luck_chance(&luck, 100)    ? 2000
                  : c->gate == GATE_LIFETIME ? luck_log(&luck, 3000, 30000)
                                             : luck_log(&luck, 500, 30000);
    if (c->gate == GATE_LIFETIME && c->lease_ms < 3000)
        c->lease_ms = 3000;
    c->check_ms = luck_chance(&luck, 100)
                      ? 250
                      : luck_log(&luck, 250, c->lease_ms < 5000 ? c->lease_ms : 5000);
    c->facts_ms = c->lease_ms / 8 < 250 ? 250 : c->lease_ms / 8 > 1000 ? 1000 : c->lease_ms / 8;
    c->write_ms = luck_log(&luck, c->lease_ms / 48 > 25 ? c->lease_ms / 48 : 25, c->lease_ms + 300);
    c->loss = luck_chance(&luck, 750)   ? SIM_PROMISE
              : luck_chance(&luck, 500) ? SIM_KEEP
                                        : SIM_FENCE;
    c->prefer = luck_chance(&luck, 150);
    c->mysql = luck_chance(&luck, 400);
    c->kill_host = any && luck_chance(&luck, 200);
    c->never = (c->kind == KIND_CRASH || c->kind == KIND_FULL) && luck_chance(&luck, 300);
    for (int i = 0; i < PROCS; i++)
        c->ppm[i] = (int32_t)luck_between(&luck, -10000, 10000);
    plan_draw(c, &luck);
}
