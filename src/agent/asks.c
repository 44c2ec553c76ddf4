/* SPDX-License-Identifier: GPL-2.0-or-later
 * Our connections to the agents of other hosts, over which promises are asked for. They stand while
 * something is held here, so that they are there when the monitor is lost.
 *
 *   IDLE -> CONNECTING -> HELLO -> UP        lost or refused -> PAUSE -> CONNECTING
 */
#include "agent/agentd.h"

#include "loop/timer.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

enum { ASK_CONNECT_MS = 1000, ASK_PAUSE_LEAST_MS = 100, ASK_PAUSE_MOST_MS = 1000 };

static void ask_move(struct agentd_ask *k, enum ask_state to)
{
    static const unsigned allowed[ASK_N] = {
        [ASK_IDLE] = 1u << ASK_CONNECTING | 1u << ASK_PAUSE,
        [ASK_CONNECTING] = 1u << ASK_HELLO | 1u << ASK_PAUSE | 1u << ASK_IDLE,
        [ASK_HELLO] = 1u << ASK_UP | 1u << ASK_PAUSE | 1u << ASK_IDLE,
        [ASK_UP] = 1u << ASK_PAUSE | 1u << ASK_IDLE,
        [ASK_PAUSE] = 1u << ASK_CONNECTING | 1u << ASK_PAUSE | 1u << ASK_IDLE,
    };

    CHECK(allowed[k->state] & 1u << to);
    k->state = to;
    k->since_ms = clock_boot_ms();
}

static void ask_connect(struct agentd_ask *k);

static void ask_on_pause(uv_timer_t *t)
{
    struct agentd_ask *k = t->data;

    if (k->wanted)
        ask_connect(k);
    else
        ask_move(k, ASK_IDLE);
}

static void ask_pause(struct agentd_ask *k)
{
    ask_move(k, ASK_PAUSE);
    timer_in(&k->timer, k->pause_ms, ask_on_pause);
    k->pause_ms *= 2;
    if (k->pause_ms > ASK_PAUSE_MOST_MS)
        k->pause_ms = ASK_PAUSE_MOST_MS;
}

static void ask_on_up(struct peer *p, void *owner)
{
    struct agentd_ask *k = owner;

    ask_move(k, ASK_HELLO);
    agentd_hello_of(k->d, &k->d->out);
    agentd_send(k->d, p, &k->d->out);
}

static void ask_hello(struct agentd_ask *k, const struct msg *m)
{
    const char *name = k->d->conf->hosts[k->host].name;
    const char *wrong = m->kind == MSG_HELLO ? agentd_hello_wrong(k->d, &m->hello)
                                             : "says something before its hello";

    if (!wrong && (m->hello.speaker != SPEAKER_AGENT || strcmp(m->hello.name, name) != 0))
        wrong = "is not the agent that the configuration has there";
    if (wrong) {
        peer_close(k->peer, wrong);
        return;
    }
    k->pause_ms = ASK_PAUSE_LEAST_MS;
    ask_move(k, ASK_UP);
    log_debug(&k->d->log, "connected to the agent of %s", name);
}

static void ask_on_frame(struct peer *p, void *owner, const void *data, size_t len)
{
    struct agentd_ask *k = owner;
    struct agentd *d = k->d;
    struct agent_event ev = {.kind = AE_PROMISE, .peer = {.host = k->host}};
    struct err e = {0};

    if (d->stopping)
        return;
    if (msg_decode(&d->in, &d->setup.names, data, len, &e) < 0) {
        peer_close(p, e.msg);
    } else if (k->state == ASK_HELLO) {
        ask_hello(k, &d->in);
    } else if (d->in.kind == MSG_PROMISE) {
        ev.peer.promise = &d->in.promise;
        agentd_feed(d, &ev);
    } else if (d->in.kind == MSG_CHUNK) {
        agentd_fetch_chunk(d, k->host, &d->in.chunk);
    } else {
        peer_close(p, "an agent that was asked answers with promises or a dead server's tail");
    }
}

static void ask_on_down(struct peer *p, void *owner, const char *why)
{
    struct agentd_ask *k = owner;
    unsigned held;

    (void)p;
    k->peer = NULL;
    if (k->d->stopping) {
        closer_sub(&k->d->closer);
        return;
    }
    if (k->wanted && log_allowed(&k->limit, clock_boot_ms(), &held))
        log_info(&k->d->log, "no connection to the agent of %s: %s",
                 k->d->conf->hosts[k->host].name, why);
    if (k->wanted)
        ask_pause(k);
    else
        ask_move(k, ASK_IDLE);
}

static const struct peer_ops ask_ops = {
    .on_up = ask_on_up, .on_frame = ask_on_frame, .on_down = ask_on_down};

static void ask_connect(struct agentd_ask *k)
{
    struct agentd *d = k->d;
    const struct conf_host *h = &d->conf->hosts[k->host];
    struct ip ip = ip_make(h->address.family, h->address.at);
    struct sockaddr_storage to;
    struct err e = {0};

    (void)ip_to_sockaddr(&ip, &to);
    if (to.ss_family == AF_INET)
        ((struct sockaddr_in *)&to)->sin_port = htons(h->agent_port);
    else
        ((struct sockaddr_in6 *)&to)->sin6_port = htons(h->agent_port);
    k->peer = peer_connect(&d->loop, d->tls, (struct sockaddr *)&to,
                           clock_boot_ms() + ASK_CONNECT_MS, &ask_ops, k, &e);
    if (k->peer) {
        ask_move(k, ASK_CONNECTING);
        return;
    }
    log_warn(&d->log, "connect to the agent of %s: %s", h->name, e.msg);
    ask_pause(k);
}

void agentd_asks_start(struct agentd *d)
{
    for (unsigned i = 0; i < d->setup.names.hosts; i++) {
        struct agentd_ask *k = &d->ask[i];

        k->d = d;
        k->host = (int)i;
        k->pause_ms = ASK_PAUSE_LEAST_MS;
        CHECK(uv_timer_init(&d->loop, &k->timer) == 0);
        k->timer.data = k;
        closer_add(&d->closer);
    }
}

void agentd_asks_stop(struct agentd *d)
{
    for (unsigned i = 0; i < d->setup.names.hosts; i++) {
        struct agentd_ask *k = &d->ask[i];

        if (!k->d)
            continue; /* never started */
        closer_handle(&d->closer, (uv_handle_t *)&k->timer);
        if (!k->peer)
            continue;
        closer_add(&d->closer);
        peer_close(k->peer, "this agent is ending");
    }
}

void agentd_asks_tick(struct agentd *d)
{
    int64_t now = clock_boot_ms();

    for (unsigned i = 0; i < d->setup.names.hosts; i++)
        if (d->ask[i].state == ASK_HELLO && now - d->ask[i].since_ms >= AGENTD_HELLO_MS)
            peer_close(d->ask[i].peer, "it proved the key and then said no hello");
}

void agentd_asks_want(struct agentd *d, hostset hosts)
{
    if (d->stopping)
        return;
    for (unsigned i = 0; i < d->setup.names.hosts; i++) {
        struct agentd_ask *k = &d->ask[i];
        bool wanted = hosts >> i & 1;

        if (wanted == k->wanted)
            continue;
        k->wanted = wanted;
        if (wanted && k->state == ASK_IDLE)
            ask_connect(k);
        else if (!wanted && k->peer)
            peer_close(k->peer, "nothing is held here any more");
    }
}

void agentd_asks_send(struct agentd *d, int host)
{
    CHECK(host >= 0 && host < (int)d->setup.names.hosts);
    if (d->ask[host].state == ASK_UP)
        agentd_send(d, d->ask[host].peer, &d->out);
}
