/* SPDX-License-Identifier: GPL-2.0-or-later
 * The network: connections that keep their order, break and are made anew; cuts
 * in one direction or both hold packets back until they heal or the connection
 * is given up. */
#include "sim.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

enum { GIVE_UP_MS = 1500 };

/* As much of a struct msg as agents and monitors say to each other. */
union body {
    struct msg_hello hello;
    struct msg_order order;
    struct msg_grant grant;
    struct msg_report report;
    struct msg_lease lease;
    struct msg_promise promise;
};
struct packet {
    int i, j, side; /* link and the receiver's side of it: 0 initiator, 1 acceptor */
    unsigned number;
    struct packet *next;
    _Alignas(struct msg) char m[offsetof(struct msg, hello) + sizeof(union body)];
};

static struct packet *spare;

static struct packet *packet_new(void)
{
    struct packet *p = spare;

    if (p)
        spare = p->next;
    else
        p = malloc(sizeof *p);
    CHECK(p);
    return p;
}

/* NULL: gives back all that is spare. */
void packet_free(struct packet *p)
{
    if (p) {
        p->next = spare;
        spare = p;
        return;
    }
    while ((p = spare)) {
        spare = p->next;
        free(p);
    }
}

/* Monitors connect to agents, agents to each other. */
static bool net_linked(const struct sim *s, int i, int j)
{
    return j < (int)s->c.hosts && i != j && (i < (int)s->c.hosts || i >= HOSTS);
}

bool net_path(const struct sim *s, int from, int to)
{
    return s->cut_until[from][to] <= s->now && s->proc[from].on && s->proc[to].on;
}

/* A lost packet is sent once more, and everything waits for it. Where nothing may move, that must
 * not by itself outlast a lease, twice in a row. */
static int64_t net_resend_max(const struct sim *s)
{
    if (s->c.kind == KIND_AGENT || s->c.kind == KIND_MONITOR)
        return 0;
    if (s->c.kind == KIND_PARTNER)
        return lease_on(s->c.gate, s->c.lease_ms) / 8 * MS;
    return 250 * MS;
}

static int64_t net_delay(struct sim *s, int from, int to)
{
    int64_t us = sim_between(s, 100, 3 * MS), resend = net_resend_max(s);

    if (resend && sim_chance(s, 5))
        us += sim_between(s, 0, resend < 250 * MS ? resend : 250 * MS);
    if (s->slow_until[from][to] > s->now)
        us += sim_between(s, 0, s->slow_us[from][to]);
    if (s->cut_until[from][to] > s->now)
        us += s->cut_until[from][to] - s->now + sim_between(s, 0, 400 * MS);
    return us;
}

static void net_on_packet(struct sim *s, int a, int b, uint64_t n, void *data)
{
    struct packet *p = data;
    struct link *l = &s->link[p->i][p->j];
    bool old = p->side == 1 && p->number == l->old_number && p->number;
    struct input *in;

    (void)a;
    (void)b;
    (void)n;
    if (!old && (p->number != l->number || !l->up[p->side])) {
        packet_free(p);
        return;
    }
    in = input_new(IN_MSG);
    in->packet = p;
    in->m = (const struct msg *)p->m;
    in->number = p->number;
    in->peer = p->side ? p->i : p->j;
    proc_input(s, p->side ? p->j : p->i, in);
}

static size_t msg_size(const struct msg *m)
{
    static const size_t size[MSG_N] = {
        [MSG_HELLO] = sizeof m->hello,     [MSG_BEAT] = sizeof m->beat,
        [MSG_ORDER] = sizeof m->order,     [MSG_GRANT] = sizeof m->grant,
        [MSG_REFUSAL] = sizeof m->refusal, [MSG_REPORT] = sizeof m->report,
        [MSG_LEASE] = sizeof m->lease,     [MSG_ASK] = sizeof m->ask,
        [MSG_PROMISE] = sizeof m->promise,
    };

    return offsetof(struct msg, hello) + size[m->kind];
}

static struct msg *net_put(struct sim *s, int i, int j, int side, unsigned number,
                           enum msg_kind kind)
{
    struct link *l = &s->link[i][j];
    struct packet *p = packet_new();
    int64_t at = s->now + net_delay(s, side ? i : j, side ? j : i);

    p->i = i;
    p->j = j;
    p->side = side;
    p->number = number;
    if (at < l->last[side])
        at = l->last[side];
    l->last[side] = at;
    sim_at(s, at, net_on_packet, 0, 0, 0, p);
    ((struct msg *)p->m)->kind = kind;
    return (struct msg *)p->m;
}

struct msg *net_post(struct sim *s, int from, int to, unsigned number, enum msg_kind kind)
{
    for (int side = 0; side < 2; side++) {
        int i = side ? from : to, j = side ? to : from; /* side: the receiver's */
        struct link *l = &s->link[i][j];

        if (!net_linked(s, i, j) || !l->up[!side] || (number && l->number != number))
            continue;
        if (!number && side == 0 && i < HOSTS)
            continue; /* peers: on the asker's own connection */
        return net_put(s, i, j, side, l->number, kind);
    }
    return NULL;
}

void net_send(struct sim *s, int from, int to, unsigned number, const struct msg *m)
{
    struct msg *way = net_post(s, from, to, number, m->kind);

    CHECK(msg_size(m) <= offsetof(struct msg, hello) + sizeof(union body));
    if (way)
        memcpy(way, m, msg_size(m));
}

/* ---- connections ---- */

static void net_hello(struct sim *s, int i, int j)
{
    const struct agent *a = &s->host[j].a;
    struct msg *m = net_put(s, i, j, 0, s->link[i][j].number, MSG_HELLO);

    memset(&m->hello, 0, sizeof m->hello);
    m->hello.version = PROTOCOL_VERSION;
    m->hello.speaker = SPEAKER_AGENT;
    memcpy(m->hello.monitor, a->durable.monitor, sizeof m->hello.monitor);
    m->hello.epoch = a->durable.epoch;
    m->hello.start_id = a->start_id;
    m->hello.heard_ms = a->heard_ms < 0 ? -1 : sim_local_ms(s, j) - a->heard_ms;
}

static void net_on_side_down(struct sim *s, int i, int j, uint64_t n, void *data);
static void net_try(struct sim *s, int i, int j);

static void net_on_try(struct sim *s, int i, int j, uint64_t n, void *data)
{
    struct link *l = &s->link[i][j];
    const struct proc *p = &s->proc[i], *q = &s->proc[j];
    int64_t cut = s->cut_until[i][j] > s->cut_until[j][i] ? s->cut_until[i][j] : s->cut_until[j][i];

    (void)n;
    (void)data;
    l->trying = false;
    if (!p->alive || p->frozen || l->up[0] || !q->alive || q->frozen || !s->host[j].listening)
        return; /* somebody wakes it */
    if (cut > s->now) {
        l->trying = true;
        sim_at(s, cut + sim_between(s, 40 * MS, 140 * MS), net_on_try, i, j, 0, NULL);
        return;
    }
    if (l->up[1]) { /* the acceptor still believes in the last one */
        l->old_number = l->number;
        sim_in(s, sim_between(s, 0, GIVE_UP_MS * MS), net_on_side_down, i, j,
               (uint64_t)l->number << 1 | 1, NULL);
    }
    l->number = ++s->numbers;
    l->up[0] = l->up[1] = true;
    l->last[0] = l->last[1] = s->now + sim_between(s, MS, 8 * MS);
    if (i >= HOSTS)
        net_hello(s, i, j);
}

static void net_try(struct sim *s, int i, int j)
{
    struct link *l = &s->link[i][j];

    if (l->trying || l->up[0])
        return;
    l->trying = true;
    sim_in(s, sim_between(s, 40 * MS, 140 * MS), net_on_try, i, j, 0, NULL);
}

/* That process can connect and be connected to again. */
void net_wake(struct sim *s, int proc)
{
    for (int o = 0; o < PROCS; o++) {
        if (net_linked(s, proc, o))
            net_try(s, proc, o);
        if (net_linked(s, o, proc))
            net_try(s, o, proc);
    }
}

static void net_on_side_down(struct sim *s, int i, int j, uint64_t n, void *data)
{
    unsigned number = (unsigned)(n >> 1);
    int side = (int)(n & 1);
    struct link *l = &s->link[i][j];
    struct input *in;

    (void)data;
    if (side == 1 && number == l->old_number)
        l->old_number = 0;
    else if (number != l->number || !l->up[side])
        return;
    else
        l->up[side] = false;
    if (!side)
        net_try(s, i, j);
    in = input_new(IN_DOWN);
    in->number = number;
    in->peer = side ? i : j;
    proc_input(s, side ? j : i, in);
}

static void net_down_in(struct sim *s, int i, int j, int side, int64_t us)
{
    struct link *l = &s->link[i][j];

    if (l->up[side])
        sim_in(s, us, net_on_side_down, i, j, (uint64_t)l->number << 1 | (unsigned)side, NULL);
}

/* A killed process's kernel says so; a machine without power says nothing. */
void net_died(struct sim *s, int proc, bool power)
{
    for (int o = 0; o < PROCS; o++)
        for (int side = 0; side < 2; side++) {
            int i = side ? o : proc, j = side ? proc : o;
            struct link *l = &s->link[i][j];

            if (o == proc || !l->number)
                continue;
            l->up[side] = false;
            if (side)
                l->old_number = 0;
            net_down_in(s, i, j, !side,
                        power || !net_path(s, proc, o) ? sim_between(s, 700 * MS, 2500 * MS)
                                                       : sim_between(s, 100, 20 * MS));
        }
}

void net_break(struct sim *s, int i, int j)
{
    net_down_in(s, i, j, 0, sim_between(s, 100, 50 * MS));
    net_down_in(s, i, j, 1, sim_between(s, 100, 50 * MS));
}

static void net_on_frozen(struct sim *s, int proc, int i, uint64_t life, void *data)
{
    (void)data;
    if (s->proc[proc].life != life || !s->proc[proc].frozen)
        return;
    net_down_in(s, i, proc, 0, 0);
    net_down_in(s, i, proc, 1, sim_between(s, 100, 20 * MS)); /* it reads that when it wakes */
}

/* The monitor gives up an agent that says nothing for half a lease. */
void net_frozen(struct sim *s, int proc)
{
    for (int i = HOSTS; i < PROCS; i++)
        if (proc < HOSTS)
            sim_in(s, s->c.lease_ms / 2 * MS + sim_between(s, 0, 250 * MS), net_on_frozen, proc, i,
                   s->proc[proc].life, NULL);
}

static void net_on_cut(struct sim *s, int from, int to, uint64_t n, void *data)
{
    (void)data;
    (void)n;
    if (s->cut_until[from][to] <= s->now)
        return;
    for (int k = 0; k < 2; k++) {
        int i = k ? from : to, j = k ? to : from;

        net_down_in(s, i, j, 0, sim_between(s, 0, 800 * MS));
        net_down_in(s, i, j, 1, sim_between(s, 0, 800 * MS));
    }
}

void net_cut(struct sim *s, int from, int to, int64_t us)
{
    if (s->now + us > s->cut_until[from][to])
        s->cut_until[from][to] = s->now + us;
    sim_in(s,
           (s->c.lease_ms / 2 < GIVE_UP_MS ? s->c.lease_ms / 2 : GIVE_UP_MS) * MS +
               sim_between(s, 0, 300 * MS),
           net_on_cut, from, to, 0, NULL);
}
