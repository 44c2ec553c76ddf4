/* SPDX-License-Identifier: GPL-2.0-or-later
 * The kernel under the agents: gates that close by themselves, machines that go
 * off or are paused. */
#include "sim.h"

#include <string.h>

enum { NFT_LATE_US = 8 * MS, STALL_OK_MS = 10 };

bool kernel_open(const struct sim *s, int h, int slot)
{
    const struct kernel_slot *k = &s->host[h].kernel[slot];

    return k->shown && k->until > s->now && s->proc[h].on && !s->proc[h].paused;
}

static void stall_on_end(struct sim *s, int h, int slot_life, uint64_t until_ms, void *data)
{
    struct proc *p = &s->proc[h];
    int slot = slot_life % SLOTS;
    struct input in = {.kind = IN_SLOT, .slot = slot, .state = AE_GATE_FAILED};

    (void)data;
    if (!p->stalled || (uint64_t)(slot_life / SLOTS) != p->life)
        return;
    p->stalled = false;
    if (sim_local_ms(s, h) < (int64_t)until_ms) { /* read again: late, but in time; once more */
        s->host[h].kernel[slot].until = sim_true_us(s, h, (int64_t)until_ms);
        proc_thaw(s, h, NULL);
        return;
    }
    s->host[h].kernel[slot].until = 0;
    proc_thaw(s, h, &in);
}

/* The clock was read; the kernel is told a duration, perhaps much later. Then
 * the whole agent hangs until it is told, and it looks at the clock again. */
static void kernel_stall(struct sim *s, int h, int slot, int64_t until_ms)
{
    struct proc *p = &s->proc[h];
    int64_t us = sim_between(s, STALL_OK_MS * MS, s->c.lease_ms * MS * 3 / 2);

    if (!p->alive || p->frozen)
        return;
    sim_say(s, "%s: stalls for %.3f s while it sets the gate", proc_name(h), (double)us / SECOND);
    p->stalled = true;
    proc_freeze(s, h);
    sim_in(s, us, stall_on_end, h, (int)p->life * SLOTS + slot, (uint64_t)until_ms, NULL);
}

void kernel_gate(struct sim *s, int h, const struct agent_action *act)
{
    struct kernel_slot *k = &s->host[h].kernel[act->slot];
    int64_t left = act->until_ms - sim_local_ms(s, h);

    if (left <= 0 || (s->host[h].gate_bad_until > s->now && sim_chance(s, 300))) {
        k->until = 0;
        agent_note(AE_GATE_FAILED, act->slot);
        return;
    }
    if (s->host[h].stall_until > s->now && sim_chance(s, 300)) {
        kernel_stall(s, h, act->slot, act->until_ms);
        return;
    }
    if (s->c.gate == GATE_LIFETIME) {
        if (left >= 1000) /* whole seconds, and the kernel may be late */
            k->until = sim_true_us(s, h, sim_local_ms(s, h) + left / 1000 * 1000) +
                       sim_between(s, 0, 1000 * MS);
        return;
    }
    k->until = sim_true_us(s, h, act->until_ms) + sim_between(s, 0, NFT_LATE_US);
    if (s->opt.broken)
        k->until += s->c.lease_ms / 4 * MS;
}

/* ---- machines ---- */

void host_off(struct sim *s, int h)
{
    struct node *x = &s->host[h];

    sim_say(s, "%s: the machine is off", proc_name(h));
    s->proc[h].on = false; /* nobody is told */
    s->proc[h].paused = s->proc[h].stalled = false;
    s->proc[h].boot++;
    agent_kill(s, h);
    net_died(s, h, true);
    server_kill(s, h);
    memset(x->kernel, 0, sizeof x->kernel);
    memset(x->judged, 0, sizeof x->judged);
    memset(&x->record, 0, sizeof x->record);
    x->has_record = x->jumped = x->killed = false;
}

void host_on(struct sim *s, int h)
{
    s->proc[h].on = true;
    s->clock_off[h] = sim_between(s, 1000, 20000) * 1000 - s->now - s->now * s->c.ppm[h] / 1000000;
    sim_say(s, "%s: the machine boots", proc_name(h));
}

void machine_pause(struct sim *s, int proc)
{
    struct proc *p = &s->proc[proc];

    if (!p->on || p->paused || p->stalled)
        return;
    proc_freeze(s, proc);
    p->paused_at = s->now;
    p->paused = true;
}

static void machine_boots(struct sim *s, int proc, int b, uint64_t n, void *data)
{
    (void)b;
    (void)n;
    (void)data;
    if (proc < HOSTS)
        agent_boot(s, proc);
    else
        monitor_boot(s, proc - HOSTS);
}

/* Everything on it goes on as if nothing had been; only the wall clock is soon
 * right again. */
void machine_resume(struct sim *s, int proc)
{
    struct proc *p = &s->proc[proc];
    int64_t gone = s->now - p->paused_at;
    struct input jump = {.kind = IN_JUMP, .n = (uint64_t)(gone / MS)};

    if (!p->paused)
        return;
    p->paused = false;
    s->clock_off[proc] -= gone + gone * s->c.ppm[proc] / 1000000;
    if (proc < HOSTS) {
        struct node *x = &s->host[proc];

        for (int i = 0; i < SLOTS; i++)
            if (x->kernel[i].until)
                x->kernel[i].until += gone;
        x->job.done_at += gone;
        x->job.limit_at += gone;
        x->jumped = !p->alive;
    }
    p->frozen = p->alive;
    proc_thaw(s, proc, proc < HOSTS ? &jump : NULL);
    if (proc < HOSTS) {
        server_look(s, proc);
        server_news(s, proc);
        judge_host(s, proc);
    }
    sim_in(s, 50 * MS, machine_boots, proc, 0, 0, NULL); /* what should have begun meanwhile */
}
