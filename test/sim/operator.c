/* SPDX-License-Identifier: GPL-2.0-or-later
 * The operator, who sets hosts online and, when all is calm, repairs what is
 * the operator's to repair, from the least to the last resort. */
#include "sim.h"

#include <string.h>

/* To whoever reigns. */
void operator_says(struct sim *s, const struct engine_command *c)
{
    int m = monitor_reigning(s);
    struct input *in;

    if (m < 0)
        return;
    in = input_new(IN_COMMAND);
    in->command = *c;
    in->command.id = ++s->commands;
    proc_input(s, HOSTS + m, in);
}

static void operator_moves(struct sim *s, int role, int to, int lost)
{
    operator_says(
        s, &(struct engine_command){
               .verb = VERB_MOVE_ROLE, .host = to, .role = role, .force = true, .lost = lost});
}

/* Some slot waits because of a machine that is off, which only the operator
 * knows to be dead. */
static bool operator_declares_dead(struct sim *s, const struct engine *e)
{
    for (int i = 0; i < (int)s->c.slots; i++)
        for (int h = 0; h < (int)s->c.hosts; h++) {
            if (s->proc[h].on || !e->slot[i].host[h].maybe ||
                (e->slot[i].holder >= 0 && e->slot[i].holder != h))
                continue;
            for (int to = 0; to < (int)(i ? s->c.hosts : s->c.candidates); to++)
                if (s->proc[to].alive && (i == 0 || e->host[to].state == ONLINE)) {
                    operator_moves(s, i ? 1 : 0, to, h);
                    return true;
                }
        }
    return false;
}

static uint64_t operator_rows(const struct sim *s, int h)
{
    uint64_t n = 0;

    for (int i = 0; i < HOSTS; i++)
        n += s->host[h].server.have[i];
    return n;
}

/* Nobody is fit, each has something wrong: whoever has most shall be the
 * writer. */
static void operator_forces(struct sim *s, const struct engine *e)
{
    int best = -1;

    if (e->slot[0].holder >= 0 || e->mode != MODE_ACTIVE)
        return;
    for (int h = 0; h < (int)s->c.candidates; h++)
        if (s->proc[h].alive && s->host[h].server.up && !disk_full(s, h) &&
            (best < 0 || operator_rows(s, h) > operator_rows(s, best)))
            best = h;
    if (best >= 0)
        operator_moves(s, 0, best, -1);
}

static void operator_repairs(struct sim *s, const struct engine *e)
{
    int w = engine_writer(e);

    if (e->mode != MODE_ACTIVE)
        operator_says(s, &(struct engine_command){.verb = VERB_MODE, .mode = MODE_ACTIVE});
    for (int h = 0; h < (int)s->c.hosts; h++) {
        if (e->host[h].state == ADMIN_OFFLINE && s->proc[h].alive)
            operator_says(s, &(struct engine_command){.verb = VERB_SET_ONLINE, .host = h});
        if (w >= 0 && h != w && e->host[h].extra[0] && e->host[h].state == REPLICATION_FAIL &&
            s->host[h].server.up) {
            sim_say(s, "operator: rebuilds %s from %s", proc_name(h), proc_name(w));
            server_rebuild(s, h, w);
        }
        if (!s->host[h].server.up && s->proc[h].on && s->c.kind != KIND_CRASH &&
            s->c.kind != KIND_FULL)
            server_start(s, h, true);
    }
    if (s->now > s->calm_at + 3 * s->pace + 8 * (int64_t)SECOND && !operator_declares_dead(s, e) &&
        s->now > s->calm_at + 5 * s->pace + 12 * (int64_t)SECOND)
        operator_forces(s, e);
}

/* Nobody reigns, and somebody will never answer. */
static void operator_takes_over(struct sim *s)
{
    struct mon *x = &s->mon[0];

    if (s->now < s->calm_at + 3 * s->pace + 8 * (int64_t)SECOND ||
        (x->took_over_at && s->now < x->took_over_at + 3 * s->pace + 5 * (int64_t)SECOND))
        return;
    sim_say(s, "operator: hamm monitor --take-over");
    x->took_over_at = s->now;
    x->take_over = true;
    monitor_kill(s, 0);
    monitor_boot(s, 0);
}

static void operator_on_loop(struct sim *s, int a, int b, uint64_t n, void *data)
{
    int m = monitor_reigning(s);

    (void)a;
    (void)b;
    (void)n;
    (void)data;
    sim_in(s, SECOND, operator_on_loop, 0, 0, 0, NULL);
    if (m < 0) {
        operator_takes_over(s);
        return;
    }
    for (int h = 0; h < (int)s->c.hosts; h++)
        if (s->mon[m].e.host[h].state == AWAITING_RECOVERY &&
            s->mon[m].e.now - s->mon[m].e.host[h].state_since > 3000 && monitor_reigning(s) == m)
            operator_says(s, &(struct engine_command){.verb = VERB_SET_ONLINE, .host = h});
    for (int h = 0; h < (int)s->c.hosts; h++) /* what was fenced off is switched on again */
        if (s->now > s->calm_at && s->c.kill_host && !s->proc[h].on && s->host[h].killed) {
            host_on(s, h);
            server_start(s, h, true);
            agent_boot(s, h);
        }
    if (s->now > s->calm_at + s->pace / 2 + SECOND && monitor_reigning(s) == m)
        operator_repairs(s, &s->mon[m].e);
}

void operator_start(struct sim *s)
{
    sim_in(s, SECOND, operator_on_loop, 0, 0, 0, NULL);
}
