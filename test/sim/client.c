/* SPDX-License-Identifier: GPL-2.0-or-later
 * A client that writes through the writer's address: regularly, and at the
 * worst moments (just before a server is closed or killed, just before an
 * address goes). */
#include "sim.h"

/* The only reason to go on without what a dead server holds, and none with data_loss never. */
static bool client_unreadable(const struct sim *s)
{
    return s->host[s->last_writer].server.unreadable;
}

static void client_switched(struct sim *s, int h)
{
    const struct server *v = &s->host[h].server;

    s->lost = 0;
    for (int i = 0; i < HOSTS; i++)
        if (s->acked[i] > v->have[i]) {
            s->lost += s->acked[i] - v->have[i];
            s->acked[i] = v->have[i];
        }
    sim_say(s, "client: writes go to %s after %lld ms%s", proc_name(h),
            (long long)((s->now - s->last_acked_at) / MS), s->lost ? ", rows are lost" : "");
    if (s->lost && s->c.kind == KIND_PLANNED)
        sim_fail(s, "acknowledged rows were lost without a reason, %s has not all", proc_name(h));
    if (s->lost && (s->c.kind == KIND_CRASH || s->c.kind == KIND_FULL) &&
        (s->c.never || !client_unreadable(s)))
        sim_fail(s, "%s opened without what the binary log of %s holds", proc_name(h),
                 proc_name(s->last_writer));
}

static void client_watch_stays(struct sim *s, int h)
{
    if (s->c.kind != KIND_MONITOR && s->c.kind != KIND_AGENT && s->c.kind != KIND_PARTNER)
        return;
    if (s->c.loss == SIM_FENCE && s->c.kind != KIND_AGENT)
        return;
    if (s->writer0 >= 0 && h != s->writer0 && s->now < s->calm_at + 2 * s->pace && !s->c.prefer)
        sim_fail(s, "the writer's address left %s (now %s) though nothing but %s failed",
                 proc_name(s->writer0), proc_name(h),
                 s->c.kind == KIND_AGENT ? "an agent" : "monitors");
    for (int i = 1; i < (int)s->c.slots && s->c.kind != KIND_PARTNER; i++)
        if (s->writer0 >= 0 && s->now < s->calm_at && !s->c.prefer &&
            judge_reached(s, i) != s->reader0[i])
            sim_fail(s, "reader/%d left %s though nothing but %s failed", i,
                     proc_name(s->reader0[i]), s->c.kind == KIND_AGENT ? "an agent" : "monitors");
}

/* acked: its client hears of it. */
void client_commit(struct sim *s, int h, bool acked)
{
    struct server *v = &s->host[h].server;
    uint64_t high = 0;

    if (acked && h != s->last_writer)
        client_switched(s, h);
    for (int i = 0; i < HOSTS; i++)
        if (v->have[i] > high)
            high = v->have[i];
    v->have[h] = high + 1;
    if (v->relay[h] < v->have[h])
        v->relay[h] = v->have[h];
    v->told = false;
    if (acked) {
        s->acked[h] = v->have[h];
        s->last_writer = h;
        s->last_acked_at = s->now;
        s->written++;
    }
    server_news(s, h);
}

void client_write(struct sim *s)
{
    int to = judge_reached(s, 0);

    if (to < 0 || !server_answers(s, to) || s->host[to].server.read_only)
        return;
    if (disk_full(s, to))
        s->host[to].server.waits = s->host[to].server.commit_waits = true;
    else if (!s->host[to].server.waits)
        client_commit(s, to, true);
}

static void client_on_loop(struct sim *s, int a, int b, uint64_t n, void *data)
{
    (void)a;
    (void)b;
    (void)n;
    (void)data;
    sim_in(s, sim_between(s, MS, 2 * s->c.write_ms * MS), client_on_loop, 0, 0, 0, NULL);
    client_watch_stays(s, judge_reached(s, 0));
    client_write(s);
}

void client_start(struct sim *s)
{
    sim_in(s, s->c.write_ms * MS, client_on_loop, 0, 0, 0, NULL);
}
