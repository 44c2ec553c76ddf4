/* SPDX-License-Identifier: GPL-2.0-or-later
 * Those who connect to us: monitors, which are obeyed or not (the rules say), and other hosts'
 * agents, which ask for promises. Each says hello within two seconds and then only what is its
 * part; anything else ends that connection and harms no other. */
#include "agent/agentd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum link_state { LINK_HELLO, LINK_MONITOR, LINK_PEER, LINK_GONE, LINK_N };

struct agentd_link {
    struct agentd *d;
    struct agentd_link *next;
    struct peer *peer;
    int number;
    enum link_state state;
    int64_t since_ms;
    int host;            /* LINK_PEER */
    char name[NAME_LEN]; /* as it called itself */
    struct log_limit limit;
};

static void links_complain(struct agentd *d, const char *who, const char *what)
{
    unsigned held;

    if (!log_allowed(&d->links.limit, clock_boot_ms(), &held))
        return;
    if (held)
        log_warn(&d->log, "%s: %s (and %u like it)", who, what, held);
    else
        log_warn(&d->log, "%s: %s", who, what);
}

void agentd_send(struct agentd *d, struct peer *p, const struct msg *m)
{
    struct err e = {0};
    size_t len;
    int rc = msg_encode(m, &d->setup.names, d->frame, sizeof d->frame, &len, &e);

    if (rc < 0) {
        log_error(&d->log, "%s not sent to %s: %s", msg_kind_names[m->kind], peer_name(p), e.msg);
        return;
    }
    rc = peer_send(p, d->frame, len);
    if (rc == -ENOBUFS)
        peer_close(p, "it takes nothing that is sent to it");
}

void agentd_hello_of(struct agentd *d, struct msg *m)
{
    const struct agent *a = &d->agent;
    struct msg_hello *h = &m->hello;

    m->kind = MSG_HELLO;
    memset(h, 0, sizeof *h);
    h->version = PROTOCOL_VERSION;
    h->speaker = SPEAKER_AGENT;
    (void)snprintf(h->cluster, sizeof h->cluster, "%s", d->conf->cluster);
    (void)snprintf(h->name, sizeof h->name, "%s", d->conf->hosts[d->self].name);
    memcpy(h->monitor, a->durable.monitor, sizeof h->monitor);
    h->epoch = a->durable.epoch;
    h->start_id = d->start_id;
    h->heard_ms = a->heard_ms < 0 ? -1 : clock_boot_ms() - a->heard_ms;
}

const char *agentd_hello_wrong(const struct agentd *d, const struct msg_hello *h)
{
    unsigned host;

    if (h->version != PROTOCOL_VERSION)
        return "speaks another version of the protocol: install the same hamm on both";
    if (strcmp(h->cluster, d->conf->cluster) != 0)
        return "belongs to another cluster";
    switch (h->speaker) {
    case SPEAKER_MONITOR:
        return conf_monitor_find(d->conf, h->name) == CONF_NONE
                   ? "is a monitor that this configuration doesn't name"
                   : NULL;
    case SPEAKER_AGENT:
        host = conf_host_find(d->conf, h->name);
        if (host == CONF_NONE)
            return "is the agent of a host that this configuration doesn't name";
        return host == d->self ? "is an agent that takes itself for this host" : NULL;
    default:
        return "is neither a monitor nor an agent; hamm ctl talks to the monitor";
    }
}

static void link_refuse(struct agentd_link *l, const char *why)
{
    links_complain(l->d, peer_name(l->peer), why);
    peer_close(l->peer, why);
}

static void link_report(struct agentd *d, struct agentd_link *l)
{
    struct msg_report *r = &d->out.report;
    const char *const less[] = {d->keep.problem, d->server.problem, d->state_disk.problem};

    d->out.kind = MSG_REPORT;
    agent_report_of(&d->agent, clock_boot_ms(), r);
    r->disk_full = d->disk.full;
    if (d->disk.full) /* what else is wrong comes from it */
        (void)snprintf(r->problem, sizeof r->problem, "%s", d->disk.problem);
    for (unsigned i = 0; i < ARRAY_LEN(less) && !r->problem[0]; i++)
        (void)snprintf(r->problem, sizeof r->problem, "%s", less[i]);
    agentd_send(d, l->peer, &d->out);
}

static void link_hello(struct agentd_link *l, const struct msg *m)
{
    struct agentd *d = l->d;
    const char *wrong =
        m->kind == MSG_HELLO ? agentd_hello_wrong(d, &m->hello) : "says something before its hello";

    if (wrong) {
        link_refuse(l, wrong);
        return;
    }
    (void)snprintf(l->name, sizeof l->name, "%s", m->hello.name);
    if (m->hello.speaker == SPEAKER_AGENT) {
        l->state = LINK_PEER;
        l->host = (int)conf_host_find(d->conf, l->name);
        log_debug(&d->log, "host %s connected from %s", l->name, peer_name(l->peer));
        return;
    }
    l->state = LINK_MONITOR;
    log_info(&d->log, "monitor %s connected from %s (link %d)", l->name, peer_name(l->peer),
             l->number);
    link_report(d, l);
}

static void link_monitor(struct agentd_link *l, const struct msg *m)
{
    struct agent_event ev = {.kind = AE_MONITOR, .monitor = {.link = l->number, .msg = m}};

    if (m->kind == MSG_BEAT || m->kind == MSG_ORDER || m->kind == MSG_GRANT)
        agentd_feed(l->d, &ev);
    else
        link_refuse(l, "a monitor doesn't say such a thing");
}

static void link_peer(struct agentd_link *l, const struct msg *m)
{
    struct agent_event ev = {.kind = AE_ASK, .peer = {.host = l->host, .ask = &m->ask}};

    if (m->kind == MSG_SLICE) {
        agentd_serve(l->d, l->host, l->number, &m->slice);
        return;
    }
    if (m->kind != MSG_ASK) {
        link_refuse(l, "an agent that connects asks for promises or a dead server's tail");
        return;
    }
    l->d->links.asked_by[l->host] = l->number;
    agentd_feed(l->d, &ev);
}

static void link_on_frame(struct peer *p, void *owner, const void *data, size_t len)
{
    struct agentd_link *l = owner;
    struct agentd *d = l->d;
    struct err e = {0};

    (void)p;
    if (d->stopping || l->state == LINK_GONE)
        return;
    if (msg_decode(&d->in, &d->setup.names, data, len, &e) < 0) {
        link_refuse(l, e.msg);
        return;
    }
    if (l->state == LINK_HELLO)
        link_hello(l, &d->in);
    else if (l->state == LINK_MONITOR)
        link_monitor(l, &d->in);
    else
        link_peer(l, &d->in);
}

static void links_one_less(struct agentd *d)
{
    CHECK(d->links.open > 0);
    if (--d->links.open == 0 && d->links.stopping)
        closer_sub(&d->closer);
}

static void link_on_down(struct peer *p, void *owner, const char *why)
{
    struct agentd_link *l = owner, **at = &l->d->links.first;
    struct agentd *d = l->d;
    struct agent_event ev = {.kind = AE_MONITOR_DOWN, .monitor = {.link = l->number}};
    bool monitor = l->state == LINK_MONITOR;

    (void)p;
    if (monitor && !d->stopping)
        log_note(&d->log, "monitor %s (link %d) is gone: %s", l->name, l->number, why);
    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    free(l);
    if (monitor)
        agentd_feed(d, &ev);
    links_one_less(d);
}

static const struct peer_ops link_ops = {.on_frame = link_on_frame, .on_down = link_on_down};

static void links_on_peer(struct peer *p, void *owner)
{
    struct agentd *d = owner;
    struct agentd_link *l;

    if (d->stopping)
        return;
    l = calloc(1, sizeof *l);
    if (!l)
        return; /* not bound: the listener closes it */
    l->d = d;
    l->peer = p;
    l->number = ++d->links.last_number;
    l->since_ms = clock_boot_ms();
    l->next = d->links.first;
    d->links.first = l;
    d->links.open++;
    peer_bind(p, &link_ops, l);
    agentd_hello_of(d, &d->out);
    agentd_send(d, p, &d->out);
}

static void links_on_complaint(void *owner, const char *who, const char *sentence)
{
    struct agentd *d = owner;

    log_warn(&d->log, "%s: %s", who, sentence);
}

static const struct listen_ops links_ops = {.on_peer = links_on_peer,
                                            .on_complaint = links_on_complaint};

int agentd_links_start(struct agentd *d, struct err *e)
{
    const struct conf_host *h = &d->conf->hosts[d->self];
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } at;

    memset(&at, 0, sizeof at);
    at.any.sa_family = (sa_family_t)h->address.family;
    if (h->address.family == AF_INET) {
        at.v4.sin_port = htons(h->agent_port);
        memcpy(&at.v4.sin_addr, h->address.at, 4);
    } else {
        at.v6.sin6_port = htons(h->agent_port);
        memcpy(&at.v6.sin6_addr, h->address.at, 16);
    }
    d->links.listener = listen_start(&d->loop, d->tls, &at.any, NULL, &links_ops, d, e);
    if (!d->links.listener)
        return e->code;
    d->links.open++;
    return 0;
}

static void links_on_stopped(void *owner)
{
    links_one_less(owner);
}

void agentd_links_stop(struct agentd *d)
{
    closer_add(&d->closer);
    d->links.stopping = true;
    d->links.open++; /* ourselves */
    for (struct agentd_link *l = d->links.first; l; l = l->next)
        peer_close(l->peer, "this agent is ending");
    if (d->links.listener)
        listen_stop(d->links.listener, links_on_stopped);
    d->links.listener = NULL;
    links_one_less(d);
}

void agentd_links_tick(struct agentd *d)
{
    int64_t now = clock_boot_ms();

    for (struct agentd_link *l = d->links.first; l; l = l->next)
        if (l->state == LINK_HELLO && now - l->since_ms >= AGENTD_HELLO_MS) {
            l->state = LINK_GONE;
            link_refuse(l, "it proved the key and then said no hello");
        }
}

void agentd_links_report(struct agentd *d)
{
    for (struct agentd_link *l = d->links.first; l; l = l->next)
        if (l->state == LINK_MONITOR)
            link_report(d, l);
}

void agentd_links_send(struct agentd *d, int number)
{
    for (struct agentd_link *l = d->links.first; l; l = l->next)
        if (l->number == number && (l->state == LINK_MONITOR || l->state == LINK_PEER)) {
            agentd_send(d, l->peer, &d->out);
            return;
        }
}
