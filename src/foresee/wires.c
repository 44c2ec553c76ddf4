/* SPDX-License-Identifier: GPL-2.0-or-later
 * The network: who reaches whom, the connections between monitor and agents, and what is on its
 * way. Messages between agents need no connection here. */
#include "foresee/foresee_internal.h"

enum { PAUSE_LEAST_MS = 50, PAUSE_MOST_MS = 500, TICK_MS = 25 };

bool wire_path(const struct foresee *f, int a, int b)
{
    const struct foresee_node *x = a < 0 ? NULL : &f->node[a], *y = b < 0 ? NULL : &f->node[b];

    if ((x && (!x->on || x->isolated)) || (y && (!y->on || y->isolated)))
        return false;
    if (x && y)
        return a == b || !(x->cut >> b & 1);
    return !((x && x->cut_monitor) || (y && y->cut_monitor));
}

/* The agent's end of a message from or to the monitor; -1: it goes from agent to agent. */
static int mail_host(int from, int to)
{
    return from < 0 ? to : to < 0 ? from : -1;
}

struct foresee_mail *mail_new(struct foresee *f, enum msg_kind kind, int from, int to)
{
    int host = mail_host(from, to);

    for (unsigned i = 0; i < FORESEE_MAIL_MAX; i++) {
        struct foresee_mail *m = &f->mail[i];

        if (m->used)
            continue;
        m->used = true;
        m->held = false;
        m->kind = kind;
        m->from = from;
        m->to = to;
        m->link = host < 0 ? 0 : f->node[host].link;
        return m;
    }
    f->failed = true;
    return NULL;
}

void mail_send(struct foresee *f, struct foresee_mail *m)
{
    int host = mail_host(m->from, m->to);

    if (!wire_path(f, m->from, m->to) || (host >= 0 && !f->node[host].linked)) {
        m->used = false;
        return;
    }
    foresee_push(f, f->conf.message_ms, DUE_MAIL, 0, 0, (int32_t)(m - f->mail));
}

static void mail_arrives(struct foresee *f, struct foresee_mail *m)
{
    int host = mail_host(m->from, m->to);
    bool there = m->to < 0 ? f->monitor_up : node_runs(&f->node[m->to]);

    if (there && wire_path(f, m->from, m->to) &&
        (host < 0 || (f->node[host].linked && f->node[host].link == m->link))) {
        if (m->to < 0) {
            f->node[m->from].link_heard = f->now;
            monitor_on_mail(f, m);
        } else {
            host_on_mail(f, m);
        }
    }
    m->used = false;
}

/* ---- connections of the monitor ---- */

void wire_connect_soon(struct foresee *f, int h)
{
    struct foresee_node *x = &f->node[h];

    if (x->linking || x->linked)
        return;
    x->linking = true;
    x->link_pause = PAUSE_LEAST_MS;
    foresee_push(f, f->now == f->began_at ? 0 : PAUSE_LEAST_MS, DUE_CONNECT, h, 0, 0);
}

static void wire_connect(struct foresee *f, int h)
{
    struct foresee_node *x = &f->node[h];

    if (!f->monitor_up || x->linked) {
        x->linking = false;
        return;
    }
    if (wire_path(f, -1, h) && node_runs(x) && agent_may_listen(&x->a)) {
        foresee_push(f, 3 * f->conf.message_ms, DUE_LINKED, h, 0, ++x->link);
        return;
    }
    x->link_pause = x->link_pause * 2 > PAUSE_MOST_MS ? PAUSE_MOST_MS : x->link_pause * 2;
    foresee_push(f, x->link_pause, DUE_CONNECT, h, 0, 0);
}

static void wire_linked(struct foresee *f, int h)
{
    struct foresee_node *x = &f->node[h];
    struct msg_hello hello = {.version = PROTOCOL_VERSION, .speaker = SPEAKER_AGENT};
    struct engine_event ev = {.kind = EV_LINK, .agent = {.host = h, .hello = &hello}};
    struct foresee_mail *m;

    x->linking = false;
    if (!f->monitor_up || !wire_path(f, -1, h) || !node_runs(x)) {
        if (f->monitor_up)
            wire_connect_soon(f, h);
        return;
    }
    foresee_text(hello.name, sizeof hello.name, foresee_host(f, h));
    memcpy(hello.monitor, x->a.durable.monitor, sizeof hello.monitor);
    hello.epoch = x->a.durable.epoch;
    hello.start_id = x->a.start_id;
    hello.heard_ms = x->a.heard_ms < 0 ? -1 : f->now - x->a.heard_ms;
    x->linked = true;
    x->link_heard = f->now;
    foresee_push(f, f->conf.engine.lease_ms / 2 + TICK_MS, DUE_SILENT, h, 0, x->link);
    monitor_feed(f, &ev);
    m = mail_new(f, MSG_REPORT, h, -1);
    if (!m)
        return;
    agent_report_of(&x->a, f->now, &m->report);
    m->report.disk_full = x->server.full;
    mail_send(f, m);
}

static void wire_unlink(struct foresee *f, int h)
{
    struct engine_event ev = {.kind = EV_UNLINK, .agent = {.host = h}};

    f->node[h].linked = false;
    if (!f->monitor_up)
        return;
    wire_connect_soon(f, h);
    monitor_feed(f, &ev);
}

static void wire_silent(struct foresee *f, int h, int32_t link)
{
    struct foresee_node *x = &f->node[h];
    int64_t limit = f->conf.engine.lease_ms / 2;

    if (!x->linked || x->link != link || !f->monitor_up)
        return;
    if (f->now - x->link_heard <= limit) {
        foresee_push(f, x->link_heard + limit + TICK_MS - f->now, DUE_SILENT, h, 0, link);
        return;
    }
    wire_unlink(f, h);
    if (wire_path(f, -1, h))
        foresee_push(f, f->conf.message_ms, DUE_UNLINKED_AGENT, h, 0, link);
}

void wire_ended(struct foresee *f, int h, bool told)
{
    if (told && f->node[h].linked && wire_path(f, -1, h))
        foresee_push(f, f->conf.message_ms, DUE_UNLINKED_MONITOR, h, 0, f->node[h].link);
}

void wire_on_due(struct foresee *f, const struct foresee_due *d)
{
    struct agent_event ev = {.kind = AE_MONITOR_DOWN, .monitor = {.link = d->n}};

    switch ((enum due)d->what) {
    case DUE_MAIL:
        mail_arrives(f, &f->mail[d->n]);
        return;
    case DUE_CONNECT:
        wire_connect(f, d->a);
        return;
    case DUE_LINKED:
        wire_linked(f, d->a);
        return;
    case DUE_SILENT:
        wire_silent(f, d->a, d->n);
        return;
    case DUE_UNLINKED_MONITOR:
        if (f->node[d->a].linked && f->node[d->a].link == d->n)
            wire_unlink(f, d->a);
        return;
    default:
        CHECK(d->what == DUE_UNLINKED_AGENT);
        if (node_runs(&f->node[d->a]))
            host_feed(f, d->a, &ev);
    }
}
