/* SPDX-License-Identifier: GPL-2.0-or-later
 * Faults begin and end. */
#include "sim.h"

#include <string.h>

static void cut_both(struct sim *s, int a, int b, int64_t len)
{
    net_cut(s, a, b, len);
    net_cut(s, b, a, len);
}

static int partner_of_writer(const struct sim *s)
{
    for (int h = 0; h < (int)s->c.candidates; h++)
        if (h != s->writer0)
            return h;
    return 0;
}

static void say_mode(struct sim *s, enum mode mode)
{
    operator_says(s, &(struct engine_command){.verb = VERB_MODE, .mode = mode});
}

static void say_move(struct sim *s, int to, bool force, int lost)
{
    operator_says(s, &(struct engine_command){
                         .verb = VERB_MOVE_ROLE, .host = to, .force = force, .lost = lost});
}

static void network_is(struct sim *s, int proc, bool up)
{
    struct input *in = input_new(IN_NETWORK);

    s->mon[proc - HOSTS].network_down = !up;
    in->ok = up;
    proc_input(s, proc, in);
}

/* Is every agent reached while this goes on? An operator who takes over while
 * the old monitor may live must reach them all: one that only the old monitor
 * reaches would be granted leases on. And an old copy of the journal doesn't
 * know of a holder that went on alone since. */
static bool all_quiet(const struct sim *s, const struct fault *f)
{
    for (unsigned i = 0; i < s->c.faults; i++) {
        const struct fault *g = &s->c.fault[i];

        if (g != f && g->kind != F_SECOND_MONITOR && g->at < f->at + 3 * (int64_t)SECOND &&
            g->at + g->len + s->pace > f->at)
            return false;
    }
    return true;
}

static void journal_lost(struct sim *s, const struct fault *f)
{
    struct mon *x = &s->mon[f->a - HOSTS];

    monitor_kill(s, f->a - HOSTS);
    if (f->kind == F_WIPE_MONITOR)
        x->has_disk = false;
    else if (x->copies && all_quiet(s, f))
        x->disk = x->copy[(uint64_t)f->arg % (x->copies < COPIES ? x->copies : COPIES)];
}

static void agent_dies(struct sim *s, const struct fault *f)
{
    agent_kill(s, f->a);
    if (s->c.kind == KIND_STORM && f->b == 0)
        s->host[f->a].has_record = false;
}

/* The machine is dead, surely; the operator says so when the monitor has
 * noticed. */
static void lost_on_time(struct sim *s, int to, int lost, uint64_t n, void *data)
{
    (void)n;
    (void)data;
    if (!s->proc[lost].on)
        say_move(s, to, true, lost);
}

static void slot_event(struct sim *s, const struct fault *f)
{
    struct input *in = input_new(f->kind == F_JUMP ? IN_JUMP : IN_SLOT);

    in->n = 5000;
    in->state = f->kind == F_REMOVED ? AE_REMOVED : AE_FOREIGN;
    in->slot = (int)f->arg;
    if (f->kind == F_REMOVED)
        s->host[f->a].kernel[f->arg].shown = false;
    proc_input(s, f->a, in);
}

static void fault_of_network(struct sim *s, const struct fault *f)
{
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
        s->slow_us[f->a][f->b] = f->arg;
        return;
    default:
        network_is(s, f->a, false);
        return;
    }
}

static void fault_of_operator(struct sim *s, struct fault *f)
{
    switch (f->kind) {
    case F_MOVE:
    case F_FORCE:
        say_move(s, f->a, f->kind == F_FORCE, -1);
        return;
    case F_LOST:
        if (s->proc[f->b].on)
            host_off(s, f->b);
        sim_in(s, f->len / 2, lost_on_time, f->a, f->b, 0, NULL);
        return;
    case F_SET_IP:
        say_mode(s, MODE_PASSIVE);
        operator_says(
            s, &(struct engine_command){.verb = VERB_SET_IP, .host = f->a, .slot = (int)f->arg});
        return;
    case F_MODE:
        say_mode(s, (enum mode)f->arg);
        return;
    case F_OFFLINE:
        operator_says(s, &(struct engine_command){.verb = VERB_SET_OFFLINE, .host = f->a});
        return;
    default:
        if (f->kind == F_TAKE_OVER && !all_quiet(s, f))
            for (int m = 0; m < MONS; m++)
                monitor_kill(s, m);
        s->mon[f->a - HOSTS].take_over = f->kind == F_TAKE_OVER;
        s->proc[f->a].on = true;
        monitor_boot(s, f->a - HOSTS);
        return;
    }
}

static void server_dies(struct sim *s, struct fault *f)
{
    if (f->a < 0)
        f->a = judge_reached(s, 0);
    if (f->a < 0 || !s->host[f->a].server.up)
        return;
    server_kill(s, f->a);
    s->host[f->a].server.unreadable = s->c.kind == KIND_CRASH && f->arg & CRASH_UNREADABLE;
}

static void fault_of_server(struct sim *s, const struct fault *f)
{
    struct node *x = &s->host[f->a];
    int64_t end = s->now + f->len;

    switch (f->kind) {
    case F_HANG_MYSQLD:
        x->server.hung_until = end;
        return;
    case F_LAG:
        x->server.stall_until = end;
        return;
    case F_JOBS:
        x->jobs_bad_until = end;
        return;
    case F_GATE:
        x->gate_bad_until = end;
        return;
    case F_STALL:
        x->stall_until = end;
        return;
    default:
        return;
    }
}

static void fault_of_machine(struct sim *s, struct fault *f)
{
    switch (f->kind) {
    case F_KILL_AGENT:
        agent_dies(s, f);
        return;
    case F_FREEZE_AGENT:
    case F_FREEZE_MONITOR:
        proc_freeze(s, f->a);
        return;
    case F_KILL_MONITOR:
        monitor_kill(s, f->a - HOSTS);
        return;
    case F_WIPE_MONITOR:
    case F_OLD_JOURNAL:
        journal_lost(s, f);
        return;
    case F_DISK:
        s->proc[f->a].disk_stall_until = s->now + f->len / 4;
        return;
    case F_PAUSE:
        machine_pause(s, f->a);
        return;
    default: /* F_REBOOT */
        if (f->a < 0)
            f->a = partner_of_writer(s);
        if (s->proc[f->a].on)
            host_off(s, f->a);
    }
}

static void fault_on_begin(struct sim *s, int i, int b, uint64_t n, void *data)
{
    struct fault *f = &s->c.fault[i];

    (void)b;
    (void)n;
    (void)data;
    if (s->opt.story) {
        char text[160];

        fault_write(f, text, sizeof text);
        sim_say(s, "FAULT %d: %s", i, text);
    }
    switch (f->kind) {
    case F_REMOVED:
    case F_FOREIGN:
    case F_JUMP:
        slot_event(s, f);
        return;
    case F_CUT_BOTH:
    case F_CUT_ONE:
    case F_ISOLATE:
    case F_BREAK:
    case F_SLOW:
    case F_NETWORK:
        fault_of_network(s, f);
        return;
    case F_MOVE:
    case F_FORCE:
    case F_LOST:
    case F_SET_IP:
    case F_MODE:
    case F_OFFLINE:
    case F_SECOND_MONITOR:
    case F_TAKE_OVER:
        fault_of_operator(s, f);
        return;
    case F_KILL_MYSQLD:
        server_dies(s, f);
        return;
    case F_FULL:
        disk_fills(s, f);
        return;
    case F_HANG_MYSQLD:
    case F_LAG:
    case F_JOBS:
    case F_GATE:
    case F_STALL:
        fault_of_server(s, f);
        return;
    default:
        fault_of_machine(s, f);
    }
}

static void host_returns(struct sim *s, int h)
{
    if (!s->proc[h].on)
        host_on(s, h);
    server_start(s, h, sim_chance(s, 700));
    agent_boot(s, h);
}

static void fault_on_end(struct sim *s, int i, int b, uint64_t n, void *data)
{
    struct fault *f = &s->c.fault[i];

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
        proc_thaw(s, f->a, NULL);
        return;
    case F_PAUSE:
        machine_resume(s, f->a);
        return;
    case F_KILL_MONITOR:
    case F_WIPE_MONITOR:
    case F_OLD_JOURNAL:
        monitor_boot(s, f->a - HOSTS);
        return;
    case F_TAKE_OVER:
        if (f->arg)
            return;
        monitor_kill(s, f->a - HOSTS);
        return;
    case F_SECOND_MONITOR:
        monitor_kill(s, f->a - HOSTS);
        return;
    case F_NETWORK:
        network_is(s, f->a, true);
        return;
    case F_REBOOT:
        host_returns(s, f->a);
        return;
    case F_LOST:
        host_returns(s, f->b);
        return;
    case F_KILL_MYSQLD:
        if (f->a < 0)
            return;
        server_restart(s, f->a, f->arg & CRASH_BY_HAND);
        return;
    case F_FULL:
        disk_empties(s, f->a);
        return;
    case F_HANG_MYSQLD:
    case F_LAG:
        server_look(s, f->a);
        server_news(s, f->a);
        return;
    case F_MOVE:
        if (f->arg) /* there and back */
            say_move(s, f->a == 0 ? 1 : 0, false, -1);
        return;
    case F_SET_IP:
    case F_MODE:
        say_mode(s, MODE_ACTIVE);
        return;
    case F_OFFLINE:
        operator_says(s, &(struct engine_command){.verb = VERB_SET_ONLINE, .host = f->a});
        return;
    default:
        return;
    }
}

void faults_start(struct sim *s)
{
    s->calm_at = s->first_at;
    for (unsigned i = 0; i < s->c.faults; i++) {
        const struct fault *f = &s->c.fault[i];
        int64_t end = f->at + (f->len >= NEVER_ENDS ? 0 : f->len);

        sim_at(s, f->at, fault_on_begin, (int)i, 0, 0, NULL);
        if (f->len < NEVER_ENDS)
            sim_at(s, f->at + f->len, fault_on_end, (int)i, 0, 0, NULL);
        if (end > s->calm_at)
            s->calm_at = end;
    }
}
