/* SPDX-License-Identifier: GPL-2.0-or-later
 * Feeding events, the clock, and the order in which the parts start and end. */
#include "agent/agentd.h"

#include "loop/notify.h"
#include "loop/timer.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum { PATIENCE_MS = 3000 }; /* longest wait for the fence before we listen */

static void agentd_step(struct agentd *d, struct agent_event *ev)
{
    ev->now_ms = d->now_ms = clock_boot_ms();
    agent_step(&d->agent, ev, &d->plan);
    for (unsigned i = 0; i < d->plan.n; i++)
        agentd_perform(d, &d->plan.at[i]);
}

/* Peers that may be needed for promises: the candidates of what this host has. */
static hostset agentd_partners(const struct agentd *d)
{
    const struct agent_conf *c = &d->setup.agent;
    hostset hosts = 0;

    for (unsigned i = 0; i < c->slots; i++)
        if (d->agent.slot[i].hold != HOLD_NONE)
            hosts |= c->slot[i].candidates;
    if (d->fetch.on)
        hosts |= (hostset)1 << d->fetch.host;
    return hosts & ~((hostset)1 << d->self);
}

static void agentd_on_wake(uv_timer_t *t);

static void agentd_listen(struct agentd *d, const char *why)
{
    struct err e = {0};

    d->listening = true;
    uv_timer_stop(&d->patience);
    if (agentd_links_start(d, &e) < 0) {
        log_error(&d->log, "%s", e.msg);
        agentd_stop(d, 1);
        return;
    }
    log_note(&d->log, "ready: %s; listening on %s port %u", why,
             d->conf->hosts[d->self].address.text, d->conf->hosts[d->self].agent_port);
    (void)notify_send("READY=1"); /* nobody may be listening */
}

static void agentd_on_patience(uv_timer_t *t)
{
    struct agentd *d = t->data;

    agentd_listen(d, "the server could not be made sure to be read-only in time, which goes on");
}

/* A machine that was paused is told so before anything from before the pause is believed. */
static void agentd_jump_first(struct agentd *d)
{
    int64_t ms = jump_tick(&d->jump);
    struct agent_event ev = {.kind = AE_JUMP, .jump = {.ms = ms}};

    if (!ms)
        return;
    log_warn(&d->log, "the wall clock jumped by %lld ms", (long long)ms);
    agentd_step(d, &ev);
}

static void agentd_rest(struct agentd *d)
{
    while (d->notes) {
        struct agentd_note note = d->note[0];

        /* what its own plan notes comes behind it, and never in its place */
        memmove(d->note, d->note + 1, --d->notes * sizeof *d->note);
        if (note.ev.kind == AE_JOB)
            note.ev.job.why = note.why;
        else
            note.ev.slot.why = note.why;
        agentd_step(d, &note.ev);
    }
}

void agentd_feed(struct agentd *d, struct agent_event *ev)
{
    if (d->stopping)
        return;
    CHECK(!d->busy);
    d->busy = true;
    if (ev->kind != AE_START && ev->kind != AE_TIME &&
        clock_boot_ms() >= agent_deadline(&d->agent)) {
        struct agent_event late = {.kind = AE_TIME};

        agentd_step(d, &late);
        agentd_rest(d);
    }
    if (ev->kind != AE_START && ev->kind != AE_JUMP)
        agentd_jump_first(d);
    agentd_step(d, ev);
    agentd_rest(d);
    d->busy = false;
    agentd_say_start(d, true);
    agentd_asks_want(d, agentd_partners(d));
    timer_at(&d->wake, agent_deadline(&d->agent), agentd_on_wake);
    if (!d->listening && ev->kind != AE_START && agent_may_listen(&d->agent))
        agentd_listen(d, "nothing here is writable or shown without a lease");
}

/* One note per slot and kind is enough: the newest. */
static struct agentd_note *agentd_note_for(struct agentd *d, enum agent_event_kind kind, int slot)
{
    for (unsigned i = 0; i < d->notes; i++)
        if (d->note[i].ev.kind == kind && kind != AE_JOB && d->note[i].ev.slot.slot == slot)
            return &d->note[i];
    CHECK(d->notes < ARRAY_LEN(d->note));
    return &d->note[d->notes++];
}

static void agentd_note(struct agentd *d, const struct agent_event *ev, int slot, const char *why)
{
    struct agentd_note *n = agentd_note_for(d, ev->kind, slot);

    n->ev = *ev;
    (void)snprintf(n->why, sizeof n->why, "%s", why ? why : "");
}

void agentd_feed_slot(struct agentd *d, enum agent_event_kind kind, int slot, bool answered,
                      const char *why)
{
    struct agent_event ev = {
        .kind = kind,
        .slot = {.slot = slot, .answered = answered, .why = why},
    };

    if (d->busy)
        agentd_note(d, &ev, slot, why);
    else
        agentd_feed(d, &ev);
}

void agentd_feed_no_job(struct agentd *d, enum agent_job job, const char *why, bool hopeless)
{
    struct agent_event ev = {.kind = AE_JOB, .job = {.job = job, .why = why, .hopeless = hopeless}};

    if (d->busy)
        agentd_note(d, &ev, -1, why);
    else
        agentd_feed(d, &ev);
}

static void agentd_on_wake(uv_timer_t *t)
{
    struct agent_event ev = {.kind = AE_TIME};

    agentd_feed(t->data, &ev);
}

static void agentd_look_at_clocks(struct agentd *d)
{
    struct agent_event ev = {.kind = AE_JUMP, .jump = {.ms = jump_tick(&d->jump)}};

    if (!ev.jump.ms)
        return;
    log_warn(&d->log, "the wall clock jumped by %lld ms", (long long)ev.jump.ms);
    agentd_feed(d, &ev);
}

static void agentd_on_tick(uv_timer_t *t)
{
    struct agentd *d = t->data;

    agentd_look_at_clocks(d);
    if (d->stopping)
        return;
    agentd_links_tick(d);
    agentd_asks_tick(d);
    agentd_addresses_tick(d);
    agentd_keep_tick(d);
    agentd_serve_tick(d);
    agentd_disk_tick(d);
    agentd_fetch_tick(d);
}

static void agentd_on_clock_set(struct jump_notice *n)
{
    agentd_look_at_clocks(n->owner);
}

static uint64_t agentd_start_id(void)
{
    uint64_t id = 0;

    while (id == 0) {
        CHECK(getrandom(&id, sizeof id, 0) == (ssize_t)sizeof id);
        id &= INT64_MAX;
    }
    return id;
}

static void agentd_timer(struct agentd *d, uv_timer_t *t)
{
    CHECK(uv_timer_init(&d->loop, t) == 0);
    t->data = d;
    closer_add(&d->closer);
}

static void agentd_on_signal(uv_signal_t *s, int number)
{
    struct agentd *d = s->data;

    log_note(&d->log, "ending (signal %d): addresses, gate and server stay as they are", number);
    agentd_stop(d, 0);
}

static void agentd_signal(struct agentd *d, uv_signal_t *s, int number)
{
    CHECK(uv_signal_init(&d->loop, s) == 0);
    s->data = d;
    CHECK(uv_signal_start(s, agentd_on_signal, number) == 0);
    closer_add(&d->closer);
}

/* Parts that can fail come first, one by one; what was started is ended by agentd_stop. */
static int agentd_parts(struct agentd *d, struct err *e)
{
    if (agentd_addresses_start(d, e) < 0 || agentd_keep_start(d, e) < 0)
        return e->code;
    d->noticing = jump_notice_start(&d->notice, &d->loop, d, agentd_on_clock_set, e) == 0;
    if (d->noticing)
        closer_add(&d->closer);
    else
        log_warn(&d->log, "%s; clock jumps are seen within %d ms all the same", e->msg,
                 AGENTD_TICK_MS);
    memset(e, 0, sizeof *e);
    agentd_serve_start(d);
    agentd_fetch_end(d);
    agentd_asks_start(d);
    agentd_jobs_start(d);
    agentd_server_start(d);
    return 0;
}

int agentd_start(struct agentd *d, struct err *e)
{
    struct agent_event ev = {.kind = AE_START};

    closer_add(&d->closer); /* ourselves, until agentd_stop */
    agentd_timer(d, &d->wake);
    agentd_timer(d, &d->tick);
    agentd_timer(d, &d->patience);
    agentd_signal(d, &d->term, SIGTERM);
    agentd_signal(d, &d->interrupt, SIGINT);
    if (agentd_parts(d, e) < 0)
        return e->code;
    agent_init(&d->agent, &d->setup.agent);
    d->start_id = agentd_start_id();
    ev.start.start_id = d->start_id;
    ev.start.uptime_s = clock_boot_ms() / 1000;
    ev.start.record = d->keep.record_found ? &d->keep.last : NULL;
    ev.start.durable = d->keep.durable_found ? &d->keep.durable : NULL;
    (void)jump_tick(&d->jump); /* the first look only notes where the clocks are */
    agentd_feed(d, &ev);
    timer_every(&d->tick, AGENTD_TICK_MS, agentd_on_tick);
    timer_in(&d->patience, PATIENCE_MS, agentd_on_patience);
    return 0;
}

static void agentd_on_closed(struct closer *c)
{
    (void)c; /* the loop has no handles left and ends */
}

static void agentd_on_notice_stopped(struct jump_notice *n)
{
    struct agentd *d = n->owner;

    closer_sub(&d->closer);
}

void agentd_stop(struct agentd *d, int exit_code)
{
    if (d->stopping)
        return;
    d->stopping = true;
    d->exit_code = exit_code;
    (void)notify_send("STOPPING=1"); /* nobody may be listening */
    agentd_server_stop(d);
    agentd_jobs_stop(d);
    agentd_tail_stop(d);
    agentd_serve_stop(d);
    agentd_fetch_end(d);
    agentd_links_stop(d);
    agentd_asks_stop(d);
    agentd_addresses_stop(d);
    agentd_keep_stop(d);
    if (d->noticing)
        jump_notice_stop(&d->notice, agentd_on_notice_stopped);
    closer_handle(&d->closer, (uv_handle_t *)&d->wake);
    closer_handle(&d->closer, (uv_handle_t *)&d->tick);
    closer_handle(&d->closer, (uv_handle_t *)&d->patience);
    closer_handle(&d->closer, (uv_handle_t *)&d->term);
    closer_handle(&d->closer, (uv_handle_t *)&d->interrupt);
    closer_end(&d->closer, agentd_on_closed);
    closer_sub(&d->closer);
}
