/* SPDX-License-Identifier: GPL-2.0-or-later
 * Feeding the engine, performing its plans, starting and ending one cluster's parts. */
#include "monitor/cluster.h"

#include "base/clock.h"
#include "loop/timer.h"
#include "net/tls.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

enum { TICK_MS = 25 };

static void perform_persist(struct cluster *c, const struct action *a)
{
    state_persist(c, a->after);
}

static void perform_beat(struct cluster *c, const struct action *a)
{
    agents_beat(c, a->host);
}

static void perform_order(struct cluster *c, const struct action *a)
{
    if (c->engine.host[a->host].order.serial &&
        c->engine.host[a->host].order_after <= c->journalled)
        agents_order(c, a->host);
}

static void perform_grant(struct cluster *c, const struct action *a)
{
    agents_grant(c, a->host, a->grant);
}

static void perform_answer(struct cluster *c, const struct action *a)
{
    control_answer(c->control, a->id, a->code, a->more, a->text);
}

static void perform_event(struct cluster *c, const struct action *a)
{
    static const enum log_level level[] = {
        [EVENT_INFO] = LOG_INFO,
        [EVENT_NOTE] = LOG_NOTE,
        [EVENT_WARN] = LOG_WARN,
    };

    log_at(level[a->level], &c->log, "[%" PRIu64 "] %s%s%s", c->engine.epoch,
           a->host < 0 ? "" : c->engine_conf.names.host[a->host], a->host < 0 ? "" : ": ", a->text);
    ring_add(&c->ring, c->engine.wall, a->level, a->host, a->text);
}

static void perform_kill_host(struct cluster *c, const struct action *a)
{
    if (c->kills_on)
        kill_host(&c->kills, a->host, c->engine_conf.names.host[a->host], a->code != 0);
}

static void perform_receipt(struct cluster *c, const struct action *a)
{
    receipts_add(&c->receipts, a->receipt);
}

static void (*const perform[])(struct cluster *, const struct action *) = {
    [ACT_PERSIST] = perform_persist,     [ACT_BEAT] = perform_beat,
    [ACT_ORDER] = perform_order,         [ACT_GRANT] = perform_grant,
    [ACT_ANSWER] = perform_answer,       [ACT_EVENT] = perform_event,
    [ACT_KILL_HOST] = perform_kill_host, [ACT_RECEIPT] = perform_receipt,
};

/* Where it waits: a beat, order or grant takes the place of the one before, which waits for the
 * same. */
static struct held *cluster_place(struct cluster *c, const struct action *a)
{
    bool again = a->kind == ACT_BEAT || a->kind == ACT_ORDER || a->kind == ACT_GRANT;

    for (unsigned i = 0; again && i < c->helds; i++)
        if (c->held[i].action.kind == a->kind && c->held[i].action.host == a->host &&
            c->held[i].action.after == a->after)
            return &c->held[i];
    return c->helds == HELD_MAX ? NULL : &c->held[c->helds++];
}

static void cluster_hold(struct cluster *c, const struct action *a)
{
    struct held *h = cluster_place(c, a);

    if (!h)
        return;
    h->action = *a;
    if (a->kind == ACT_GRANT) {
        h->grant = *a->grant;
        h->action.grant = &h->grant;
    }
}

static void cluster_perform(struct cluster *c, const struct action *a)
{
    if (a->kind != ACT_PERSIST && a->after > c->journalled)
        cluster_hold(c, a);
    else
        perform[a->kind](c, a);
}

void cluster_release(struct cluster *c)
{
    unsigned n = c->helds, kept = 0;

    for (unsigned i = 0; i < n; i++) {
        struct held *h = &c->held[i];

        if (h->action.after > c->journalled) {
            c->held[kept] = *h;
            c->held[kept].action.grant = &c->held[kept].grant;
            kept++;
        } else {
            perform[h->action.kind](c, &h->action);
        }
    }
    c->helds = kept;
}

static void cluster_on_wake(uv_timer_t *t)
{
    struct engine_event ev = {.kind = EV_TIME};

    cluster_feed(t->data, &ev);
}

void cluster_feed(struct cluster *c, struct engine_event *ev)
{
    if (c->stopping)
        return;
    CHECK(!c->busy);
    c->busy = true;
    ev->now_ms = clock_boot_ms();
    ev->wall_ms = clock_wall_ms();
    engine_step(&c->engine, ev, &c->plan);
    record_step(c->record, ev, &c->engine, &c->plan);
    for (unsigned i = 0; i < c->plan.n; i++)
        cluster_perform(c, &c->plan.at[i]);
    c->busy = false;
    timer_at(&c->wake, engine_deadline(&c->engine), cluster_on_wake);
}

static void cluster_on_tick(uv_timer_t *t)
{
    agents_tick(t->data);
    state_tick(t->data);
}

static int cluster_order(void *owner, const struct engine_command *command, struct err *why)
{
    struct cluster *c = owner;
    struct engine_event ev = {.kind = EV_COMMAND, .command = *command};

    (void)why;
    cluster_feed(c, &ev);
    return 0;
}

static void cluster_on_whatif(void *owner, uint64_t id, const char *text)
{
    struct cluster *c = owner;

    if (c->control && !c->stopping)
        control_answer(c->control, id, text ? 0 : 1, false,
                       text ? text : "ERROR: the story is too long");
    closer_sub(&c->closer);
}

static int cluster_what_if(void *owner, uint64_t id, const struct faults *faults, bool json,
                           struct err *why)
{
    static struct foresee_conf world; /* too big for the stack */
    struct cluster *c = owner;

    cluster_world(c, &world);
    c->whatif.owner = c;
    c->whatif.done = cluster_on_whatif;
    if (whatif_begin(&c->whatif, c->loop, id, &c->engine, &world, faults, json, why))
        return why->code;
    closer_add(&c->closer);
    return 0;
}

static const struct control_ops control_ops = {.order = cluster_order, .what_if = cluster_what_if};

static int cluster_control(struct cluster *c, struct err *e)
{
    const struct conf_monitor *m = &c->conf->monitors[c->self];
    struct sockaddr_storage at;
    const struct control_with with = {
        .engine = &c->engine,
        .status = &c->status,
        .ring = &c->ring,
        .receipts = &c->receipts,
        .socket_path = c->conf->control_socket,
        .at = (struct sockaddr *)&at,
        .tls = c->tls,
    };

    cluster_address(&m->address, m->port, &at);
    c->control = control_start(c->loop, &with, &control_ops, c, e);
    if (!c->control)
        return e->code;
    closer_add(&c->closer);
    return 0;
}

static void cluster_on_killed(void *owner, int host, bool ok, const char *message)
{
    struct engine_event ev = {.kind = EV_KILLED, .killed = {host, ok, message}};

    cluster_feed(owner, &ev);
}

static void cluster_kills(struct cluster *c)
{
    const char *program = c->conf->failover.kill_host;
    struct err e = {0};

    if (!program[0])
        return;
    if (kill_start(&c->kills, c->loop, program, cluster_on_killed, c, &e) < 0)
        log_warn(&c->log, "kill_host cannot be run as things are: %s", e.msg);
    c->kills_on = true;
    closer_add(&c->closer);
}

static int cluster_keys(struct cluster *c, struct err *e)
{
    struct peer_keys keys = {.n = (unsigned)c->conf->n_keys};

    for (unsigned i = 0; i < keys.n; i++)
        memcpy(keys.key[i], c->conf->keys[i], TLS_KEY_LEN);
    snprintf(keys.cluster, sizeof keys.cluster, "%s", c->conf->cluster);
    c->tls = tls_new(&keys, e);
    return c->tls ? 0 : e->code;
}

static void cluster_on_record(void *owner, bool bad, const char *text)
{
    struct cluster *c = owner;

    log_at(bad ? LOG_WARN : LOG_NOTE, &c->log, "%s", text);
}

/* What was written before a crash and is not in the state yet keeps its number. */
static int cluster_receipts(struct cluster *c, const char *state_dir, struct err *e)
{
    struct receipts *r = &c->receipts;
    char path[4096];

    snprintf(path, sizeof path, "%s/%s.%s.monitor.receipts",
             state_dir ? state_dir : c->conf->state_dir, c->conf->cluster,
             c->conf->monitors[c->self].name);
    if (receipts_start(r, c->loop, path, cluster_on_record, c) < 0)
        return err_set(e, -ENOMEM, "out of memory");
    if (r->n && r->at[r->n - 1].number > c->durable.receipts)
        c->durable.receipts = r->at[r->n - 1].number;
    return 0;
}

static void cluster_record(struct cluster *c, const char *state_dir)
{
    const char *monitor = c->conf->monitors[c->self].name;
    char path[4096];

    snprintf(path, sizeof path, "%s/%s.%s.monitor.inputs",
             state_dir ? state_dir : c->conf->state_dir, c->conf->cluster, monitor);
    c->record = record_start(c->loop, path, c->conf->cluster, monitor, &record_daemon, &c->engine,
                             cluster_on_record, c);
}

static void cluster_begin(struct cluster *c, bool take_over)
{
    struct engine_event ev = {.kind = EV_START};
    uint64_t id = 0;

    CHECK(getrandom(&id, sizeof id, 0) == (ssize_t)sizeof id);
    ev.start.durable = c->durable_found ? &c->durable : NULL;
    ev.start.take_over = take_over;
    snprintf(ev.start.identity, sizeof ev.start.identity, "%s.%016" PRIx64,
             c->conf->monitors[c->self].name, id);
    cluster_feed(c, &ev);
}

static void cluster_timer(struct cluster *c, uv_timer_t *t)
{
    CHECK(uv_timer_init(c->loop, t) == 0);
    t->data = c;
    closer_add(&c->closer);
}

int cluster_start(struct cluster *c, uv_loop_t *loop, struct conf *conf, unsigned self,
                  const char *state_dir, bool take_over, struct err *e)
{
    memset(c, 0, sizeof *c);
    c->loop = loop;
    c->conf = conf;
    c->self = self;
    c->log = (struct log_who){"monitor", conf->cluster};
    c->held = calloc(HELD_MAX, sizeof *c->held);
    CHECK(c->held);
    cluster_timer(c, &c->wake);
    cluster_timer(c, &c->tick);
    cluster_timer(c, &c->journal_retry);
    if (cluster_setup(c, e) < 0 || cluster_keys(c, e) < 0)
        return e->code;
    if (ring_init(&c->ring) < 0 || status_conf_init(&c->status, conf) < 0)
        return err_set(e, -ENOMEM, "out of memory");
    engine_init(&c->engine, &c->engine_conf);
    if (state_open(c, state_dir, e) < 0 || cluster_receipts(c, state_dir, e) < 0 ||
        cluster_control(c, e) < 0)
        return e->code;
    cluster_record(c, state_dir);
    cluster_kills(c);
    cluster_begin(c, take_over);
    agents_start(c);
    if (checks_start(c, e) < 0)
        return e->code;
    timer_every(&c->tick, TICK_MS, cluster_on_tick);
    return 0;
}

static void cluster_on_closed(struct closer *closer)
{
    struct cluster *c = closer->owner;

    tls_free(c->tls);
    ring_free(&c->ring);
    receipts_free(&c->receipts);
    status_conf_free(&c->status);
    conf_free(c->conf);
    free(c->held);
    c->stopped(c);
}

static void cluster_on_control(void *owner)
{
    closer_sub(&((struct cluster *)owner)->closer);
}

static void cluster_on_kills(void *owner)
{
    closer_sub(&((struct cluster *)owner)->closer);
}

static void cluster_end_timer(struct cluster *c, uv_timer_t *t)
{
    uv_timer_stop(t);
    closer_handle(&c->closer, (uv_handle_t *)t);
}

void cluster_stop(struct cluster *c, void (*stopped)(struct cluster *c))
{
    c->stopping = true;
    c->stopped = stopped;
    c->closer.owner = c;
    checks_stop(c);
    if (c->kills_on)
        kill_stop(&c->kills, cluster_on_kills);
    agents_stop(c);
    whatif_stop(&c->whatif);
    if (c->control)
        control_stop(c->control, cluster_on_control);
    state_close(c);
    receipts_stop(&c->receipts, &c->closer);
    record_stop(c->record, &c->closer);
    cluster_end_timer(c, &c->wake);
    cluster_end_timer(c, &c->tick);
    cluster_end_timer(c, &c->journal_retry);
    closer_end(&c->closer, cluster_on_closed);
}
