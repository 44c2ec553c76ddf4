/* SPDX-License-Identifier: GPL-2.0-or-later
 * What goes wrong and when, decided before the run so that a fault can be left out; and the
 * operator, who sets hosts online and, when all is calm, repairs what is the operator's to repair.
 */
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
            b = sim_chance(s, 300) ? 0 : -1; /* 0: its record is lost too */
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

/* ---- the operator ---- */

static void command_role(struct sim *s, enum verb verb, int host, enum mode mode, int lost,
                         int role)
{
    int m = monitor_reigning(s);
    struct input *in;
    static uint64_t id;

    if (m < 0)
        return;
    in = input_new(IN_COMMAND);
    in->command = (struct engine_command){.id = ++id,
                                          .verb = verb,
                                          .mode = mode,
                                          .host = host,
                                          .lost = lost,
                                          .force = lost >= 0,
                                          .role = role};
    proc_input(s, HOSTS + m, in);
}

static void command(struct sim *s, enum verb verb, int host, enum mode mode, int lost)
{
    command_role(s, verb, host, mode, lost, 0);
}

/* Some slot waits because of a machine that is off, which only the operator knows to be dead. */
static void operator_declares_dead(struct sim *s, const struct engine *e)
{
    for (int i = 0; i < SLOTS; i++)
        for (int h = 0; h < (int)s->hosts; h++) {
            if (e->slot[i].holder >= 0 || s->proc[h].on || !e->slot[i].host[h].maybe)
                continue;
            for (int to = 0; to < (int)(i ? s->hosts : s->candidates); to++)
                if (s->proc[to].alive) {
                    command_role(s, VERB_MOVE_ROLE, to, 0, h, i ? 1 : 0);
                    return;
                }
        }
}

static void operator_repairs(struct sim *s, const struct engine *e)
{
    int w = engine_writer(e);

    if (e->mode != MODE_ACTIVE)
        command(s, VERB_MODE, -1, MODE_ACTIVE, -1);
    for (int h = 0; h < (int)s->hosts; h++) {
        if (e->host[h].state == ADMIN_OFFLINE && s->proc[h].alive)
            command(s, VERB_SET_ONLINE, h, 0, -1);
        if (w >= 0 && h != w && e->host[h].extra[0] && e->host[h].state == REPLICATION_FAIL &&
            s->host[h].server.up) {
            sim_say(s, "operator: rebuilds %s from %s", proc_name(s, h), proc_name(s, w));
            server_rebuild(s, h, w);
        }
        if (!s->host[h].server.up && s->proc[h].on)
            server_start(s, h, true);
    }
    if (s->now > s->calm_at + 20 * (int64_t)S)
        operator_declares_dead(s, e);
}

static void operator_on_loop(struct sim *s, int a, int b, uint64_t n, void *data)
{
    int m = monitor_reigning(s);

    (void)a;
    (void)b;
    (void)n;
    (void)data;
    sim_in(s, 1 * S, operator_on_loop, 0, 0, 0, NULL);
    if (m < 0) {
        if (s->now > s->calm_at + 20 * (int64_t)S && s->proc[HOSTS].alive &&
            !s->mon[0].take_over) { /* somebody will never answer */
            sim_say(s, "operator: hamm monitor --take-over");
            s->mon[0].take_over = true;
            monitor_kill(s, 0);
            monitor_boot(s, 0);
        }
        return;
    }
    for (int h = 0; h < (int)s->hosts; h++)
        if (s->mon[m].e.host[h].state == AWAITING_RECOVERY &&
            s->mon[m].e.now - s->mon[m].e.host[h].state_since > 3000 && monitor_reigning(s) == m)
            command(s, VERB_SET_ONLINE, h, 0, -1);
    if (s->now > s->calm_at + 3 * (int64_t)S && monitor_reigning(s) == m)
        operator_repairs(s, &s->mon[m].e);
}

/* ---- beginnings and ends ---- */

static void cut_both(struct sim *s, int a, int b, int64_t len)
{
    net_cut(s, a, b, len);
    net_cut(s, b, a, len);
}

static int partner_of_writer(const struct sim *s)
{
    for (int h = 0; h < (int)s->candidates; h++)
        if (h != s->writer0)
            return h;
    return 0;
}

static void fault_on_machine(struct sim *s, struct fault *f)
{
    int a = f->a;

    switch (f->kind) {
    case F_KILL_AGENT:
        agent_kill(s, a);
        if (s->kind == KIND_STORM && f->b == 0)
            s->host[a].has_record = false;
        return;
    case F_FREEZE_AGENT:
    case F_FREEZE_MONITOR:
        proc_freeze(s, a);
        return;
    case F_KILL_MONITOR:
        monitor_kill(s, a - HOSTS);
        return;
    case F_WIPE_MONITOR:
        monitor_kill(s, a - HOSTS);
        s->mon[a - HOSTS].has_disk = false;
        return;
    case F_SECOND_MONITOR:
        s->proc[HOSTS + 1].on = true;
        monitor_boot(s, 1);
        return;
    case F_REBOOT:
        if (a < 0)
            a = f->a = partner_of_writer(s);
        if (s->proc[a].on)
            host_off(s, a);
        return;
    case F_KILL_MYSQLD:
        server_kill(s, a);
        return;
    case F_HANG_MYSQLD:
        s->host[a].server.hung_until = s->now + f->len;
        return;
    case F_LAG:
        s->host[a].server.stall_until = s->now + f->len;
        return;
    case F_JOBS:
        s->host[a].jobs_bad_until = s->now + f->len;
        return;
    case F_GATE:
        s->host[a].gate_bad_until = s->now + f->len;
        return;
    case F_DISK:
        s->proc[a].disk_stall_until = s->now + f->len / 4;
        return;
    default:
        return;
    }
}

static void fault_of_address(struct sim *s, const struct fault *f)
{
    struct input *in = input_new(f->kind == F_JUMP ? IN_JUMP : IN_SLOT);

    in->state = sim_chance(s, 500) ? AE_REMOVED : AE_FOREIGN;
    in->n = 5000;
    if (f->kind == F_SLOT_EVENT && in->state == AE_REMOVED)
        s->host[f->a].kernel[0].shown = false;
    proc_input(s, f->a, in);
}

static void fault_on_begin(struct sim *s, int i, int b, uint64_t n, void *data)
{
    struct fault *f = &s->fault[i];
    char text[160];

    (void)b;
    (void)n;
    (void)data;
    fault_text(s, f, text, sizeof text);
    sim_say(s, "FAULT %d: %s", i, text);
    switch (f->kind) {
    case F_CUT_BOTH:
        cut_both(s, f->a, f->b, f->len);
        return;
    case F_CUT_ONE:
        net_cut(s, f->a, f->b, f->len);
        return;
    case F_ISOLATE:
        for (int o = 0; o < PROCS; o++)
            if (o != f->a)
                cut_both(s, f->a, o, f->len);
        return;
    case F_BREAK:
        net_break(s, f->b, f->a);
        return;
    case F_SLOW:
        s->slow_until[f->a][f->b] = s->now + f->len;
        s->slow_us[f->a][f->b] = (int32_t)sim_between(s, 50 * MS, 2500 * MS);
        return;
    case F_MOVE:
        command(s, VERB_MOVE_ROLE, f->a, 0, -1);
        return;
    case F_MODE:
        command(s, VERB_MODE, -1, (enum mode)f->b, -1);
        return;
    case F_OFFLINE:
        command(s, VERB_SET_OFFLINE, f->a, 0, -1);
        return;
    case F_SLOT_EVENT:
    case F_JUMP:
        fault_of_address(s, f);
        return;
    default:
        fault_on_machine(s, f);
    }
}

static void fault_on_end(struct sim *s, int i, int b, uint64_t n, void *data)
{
    struct fault *f = &s->fault[i];

    (void)b;
    (void)n;
    (void)data;
    sim_say(s, "ends: fault %d", i);
    switch (f->kind) {
    case F_KILL_AGENT:
        agent_boot(s, f->a);
        return;
    case F_FREEZE_AGENT:
    case F_FREEZE_MONITOR:
        proc_thaw(s, f->a);
        return;
    case F_KILL_MONITOR:
    case F_WIPE_MONITOR:
        monitor_boot(s, f->a - HOSTS);
        return;
    case F_SECOND_MONITOR:
        monitor_kill(s, 1);
        return;
    case F_REBOOT:
        if (!s->proc[f->a].on)
            host_on(s, f->a);
        server_start(s, f->a, sim_chance(s, 700));
        agent_boot(s, f->a);
        return;
    case F_KILL_MYSQLD:
        server_start(s, f->a, sim_chance(s, 600));
        return;
    case F_MOVE:
        if (f->len > 6 * S) /* there and back */
            command(s, VERB_MOVE_ROLE, f->a == 0 ? 1 : 0, 0, -1);
        return;
    case F_MODE:
        command(s, VERB_MODE, -1, MODE_ACTIVE, -1);
        return;
    case F_OFFLINE:
        command(s, VERB_SET_ONLINE, f->a, 0, -1);
        return;
    default:
        return;
    }
}

void faults_start(struct sim *s)
{
    for (unsigned i = 0; i < s->faults; i++) {
        const struct fault *f = &s->fault[i];

        if (!f->on)
            continue;
        sim_at(s, f->at, fault_on_begin, (int)i, 0, 0, NULL);
        if (f->len < 1000 * (int64_t)S)
            sim_at(s, f->at + f->len, fault_on_end, (int)i, 0, 0, NULL);
    }
    sim_in(s, 1 * S, operator_on_loop, 0, 0, 0, NULL);
}
