/* SPDX-License-Identifier: GPL-2.0-or-later
 * The connections to the agents: one each, made anew when it ends or falls silent. Whatever an
 * agent says becomes an event.
 *
 *   PAUSE -> CONNECTING -> HELLO -> UP -> CLOSING -> PAUSE     any failure -> PAUSE
 */
#include "base/clock.h"
#include "monitor/cluster.h"

#include <stdio.h>
#include <string.h>

enum { HELLO_MS = 2000, PAUSE_LEAST_MS = 50, PAUSE_MOST_MS = 500, CONNECT_MS = 1000 };

static void wire_move(struct wire *w, enum wire_state to)
{
    w->state = to;
    w->since_ms = clock_boot_ms();
}

static void wire_complain(struct wire *w, const char *why)
{
    unsigned held;

    if (!log_allowed(&w->limit, clock_boot_ms(), &held))
        return;
    if (held)
        log_warn(&w->c->log, "agent of %s: %s (and %u times before)",
                 w->c->conf->hosts[w->host].name, why, held);
    else
        log_warn(&w->c->log, "agent of %s: %s", w->c->conf->hosts[w->host].name, why);
}

static void wire_send(struct wire *w, const struct msg *m)
{
    struct cluster *c = w->c;
    struct err e = {0};
    size_t len;

    if (!w->peer || (w->state != WIRE_UP && w->state != WIRE_HELLO))
        return;
    if (msg_encode(m, &c->engine_conf.names, c->frame, sizeof c->frame, &len, &e) < 0) {
        log_error(&c->log, "%s for %s: %s", msg_kind_names[m->kind], c->conf->hosts[w->host].name,
                  e.msg);
        return;
    }
    if (peer_send(w->peer, c->frame, len) < 0) {
        wire_move(w, WIRE_CLOSING);
        peer_close(w->peer, "it takes nothing that is sent to it");
    }
}

static void wire_refuse(struct wire *w, const char *why)
{
    wire_complain(w, why);
    wire_move(w, WIRE_CLOSING);
    peer_close(w->peer, why);
}

static void wire_on_up(struct peer *p, void *owner)
{
    struct wire *w = owner;
    struct msg_hello *h = &w->c->out.hello;

    (void)p;
    wire_move(w, WIRE_HELLO);
    w->c->out.kind = MSG_HELLO;
    memset(h, 0, sizeof *h);
    h->version = PROTOCOL_VERSION;
    h->speaker = SPEAKER_MONITOR;
    snprintf(h->cluster, sizeof h->cluster, "%s", w->c->conf->cluster);
    snprintf(h->name, sizeof h->name, "%s", w->c->conf->monitors[w->c->self].name);
    memcpy(h->monitor, w->c->engine.identity, sizeof h->monitor);
    h->epoch = w->c->engine.epoch;
    h->heard_ms = -1;
    wire_send(w, &w->c->out);
}

static void wire_hello(struct wire *w, const struct msg *m)
{
    struct engine_event ev = {.kind = EV_LINK, .agent = {.host = w->host, .hello = &m->hello}};
    const struct conf_host *h = &w->c->conf->hosts[w->host];

    if (m->kind != MSG_HELLO || m->hello.speaker != SPEAKER_AGENT)
        wire_refuse(w, "what listens on its port is not an agent");
    else if (m->hello.version != PROTOCOL_VERSION)
        wire_refuse(w, "speaks another version of the protocol: install the same hamm on both");
    else if (strcmp(m->hello.cluster, w->c->conf->cluster) != 0)
        wire_refuse(w, "belongs to another cluster");
    else if (strcmp(m->hello.name, h->name) != 0)
        wire_refuse(w, "takes itself for another host: compare the addresses in both files");
    else {
        wire_move(w, WIRE_UP);
        w->pause_ms = PAUSE_LEAST_MS;
        memset(&w->limit, 0, sizeof w->limit);
        w->linked = true;
        cluster_feed(w->c, &ev);
    }
}

static void wire_on_frame(struct peer *p, void *owner, const void *data, size_t len)
{
    struct wire *w = owner;
    struct cluster *c = w->c;
    struct engine_event ev = {.agent = {.host = w->host}};
    struct msg *m = &c->in;
    struct err e = {0};

    (void)p;
    if (c->stopping || w->state == WIRE_CLOSING)
        return;
    if (msg_decode(m, &c->engine_conf.names, data, len, &e) < 0) {
        wire_refuse(w, e.msg);
        return;
    }
    if (w->state == WIRE_HELLO) {
        wire_hello(w, m);
        return;
    }
    switch (m->kind) {
    case MSG_REPORT:
        ev.kind = EV_REPORT;
        ev.agent.report = &m->report;
        break;
    case MSG_LEASE:
        ev.kind = EV_LEASE;
        ev.agent.lease = &m->lease;
        break;
    case MSG_REFUSAL:
        ev.kind = EV_REFUSED;
        ev.agent.refusal = &m->refusal;
        break;
    default:
        wire_refuse(w, "says what an agent doesn't say to a monitor");
        return;
    }
    cluster_feed(c, &ev);
}

static void wire_on_down(struct peer *p, void *owner, const char *why)
{
    struct wire *w = owner;
    struct cluster *c = w->c;
    struct engine_event ev = {.kind = EV_UNLINK, .agent = {.host = w->host}};

    (void)p;
    w->peer = NULL;
    if (!c->stopping) {
        wire_complain(w, why);
        wire_move(w, WIRE_PAUSE);
        if (w->linked) /* another try that got nowhere is no news: the host is gone since then */
            cluster_feed(c, &ev);
        w->linked = false;
    }
    closer_sub(&c->closer);
}

static const struct peer_ops wire_ops = {
    .on_up = wire_on_up,
    .on_frame = wire_on_frame,
    .on_down = wire_on_down,
};

static void wire_connect(struct wire *w)
{
    const struct conf_host *h = &w->c->conf->hosts[w->host];
    struct sockaddr_storage to;
    struct err e = {0};

    w->pause_ms = w->pause_ms * 2 > PAUSE_MOST_MS ? PAUSE_MOST_MS : w->pause_ms * 2;
    wire_move(w, WIRE_CONNECTING);
    cluster_address(&h->address, h->agent_port, &to);
    w->peer = peer_connect(w->c->loop, w->c->tls, (struct sockaddr *)&to,
                           clock_boot_ms() + CONNECT_MS, &wire_ops, w, &e);
    if (!w->peer) {
        wire_complain(w, e.msg);
        wire_move(w, WIRE_PAUSE);
        return;
    }
    closer_add(&w->c->closer);
}

/* After a pause of this process every agent seems silent: what they said meanwhile is read first.
 */
void agents_tick(struct cluster *c)
{
    int64_t now = clock_boot_ms();
    bool paused = now - c->ticked_ms > c->engine_conf.lease_ms / 4;

    c->ticked_ms = now;
    if (paused)
        return;
    for (unsigned h = 0; h < c->engine_conf.names.hosts; h++) {
        struct wire *w = &c->wire[h];
        bool silent = w->peer && now - peer_heard_ms(w->peer) > c->engine_conf.lease_ms / 2;

        if (w->state == WIRE_PAUSE && !w->peer && now - w->since_ms >= w->pause_ms)
            wire_connect(w);
        else if ((w->state == WIRE_HELLO && now - w->since_ms > HELLO_MS) ||
                 (w->state == WIRE_UP && now - w->since_ms > c->engine_conf.lease_ms / 2 &&
                  silent)) {
            wire_move(w, WIRE_CLOSING);
            peer_close(w->peer, "says nothing: is its host reachable?");
        }
    }
}

void agents_start(struct cluster *c)
{
    for (unsigned h = 0; h < c->engine_conf.names.hosts; h++) {
        c->wire[h] = (struct wire){.c = c, .host = (int)h, .pause_ms = PAUSE_LEAST_MS};
        wire_connect(&c->wire[h]);
    }
}

void agents_stop(struct cluster *c)
{
    for (unsigned h = 0; h < c->engine_conf.names.hosts; h++)
        if (c->wire[h].peer)
            peer_close(c->wire[h].peer, "the monitor ends");
}

void agents_beat(struct cluster *c, int host)
{
    c->out.kind = MSG_BEAT;
    memset(&c->out.beat, 0, sizeof c->out.beat);
    c->out.beat.epoch = c->engine.epoch;
    c->out.beat.passive = c->engine.mode == MODE_PASSIVE;
    memcpy(c->out.beat.monitor, c->engine.identity, sizeof c->out.beat.monitor);
    wire_send(&c->wire[host], &c->out);
}

void agents_order(struct cluster *c, int host)
{
    c->out.kind = MSG_ORDER;
    c->out.order = *engine_order_of(&c->engine, host);
    wire_send(&c->wire[host], &c->out);
}

void agents_grant(struct cluster *c, int host, const struct msg_grant *g)
{
    c->out.kind = MSG_GRANT;
    c->out.grant = *g;
    wire_send(&c->wire[host], &c->out);
}
