/* SPDX-License-Identifier: GPL-2.0-or-later
 * Faults begin and end; and the operator, who sets hosts online and, when all is calm, repairs what
 * is the operator's to repair. */
#include "sim.h"

#include <stdio.h>
#include <string.h>

enum { MS = 1000, S = 1000 * MS };

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
