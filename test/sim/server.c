/* SPDX-License-Identifier: GPL-2.0-or-later
 * Fake servers: what each has of every server's writes, and asynchronous
 * replication. A replica looks at its source when there is news, and now and
 * then. */
#include "sim.h"

#include <stdlib.h>
#include <string.h>

/* An agent watches a process from when it found it: it hears of its end after that. */
static void server_tell(struct sim *s, int h, enum mysqld state, int64_t us)
{
    struct server *v = &s->host[h].server;
    struct input *in = input_new(IN_MYSQLD);

    if (s->now + us > v->heard_at)
        v->heard_at = s->now + us;
    in->state = state;
    in->n = (uint64_t)v->pid;
    proc_input_in(s, v->heard_at - s->now, h, in);
}

bool server_answers(const struct sim *s, int h)
{
    return s->host[h].server.up && s->host[h].server.hung_until <= s->now && !s->proc[h].paused;
}

bool server_works(const struct sim *s, int h)
{
    return server_answers(s, h) && !s->host[h].server.waits;
}

void server_start(struct sim *s, int h, bool read_only)
{
    struct server *v = &s->host[h].server;

    if (v->up || !s->proc[h].on || disk_full(s, h))
        return;
    v->up = true;
    v->pid++;
    v->hung_until = 0;
    v->late_writable = 0;
    v->read_only = read_only;
    memcpy(v->relay, v->have, sizeof v->relay); /* asked for again */
    v->applied_at = s->now;
    sim_say(s, "%s: mysqld %lld is up, read_only=%d", proc_name(h), (long long)v->pid, read_only);
    server_tell(s, h, MYSQLD_UP, sim_between(s, 5 * MS, 100 * MS));
    server_look(s, h);
    server_news(s, h);
}

void server_kill(struct sim *s, int h)
{
    struct server *v = &s->host[h].server;

    if (!v->up)
        return;
    client_write(s);
    v->up = v->waits = v->commit_waits = false;
    v->late_writable = 0;
    sim_say(s, "%s: mysqld %lld is gone", proc_name(h), (long long)v->pid);
    server_tell(s, h, MYSQLD_DEAD, sim_between(s, 500, 5 * MS));
}

/* Once the agent's start gate is open. */
static void gate_on_look(struct sim *s, int h, int b, uint64_t n, void *data)
{
    struct agent_start may = {.state = START_HELD};

    (void)b;
    (void)n;
    (void)data;
    if (s->proc[h].alive && !s->proc[h].frozen)
        agent_start_of(&s->host[h].a, sim_local_ms(s, h), &may);
    if (may.state == START_FREE)
        server_start(s, h, sim_chance(s, 600));
    else
        sim_in(s, 100 * MS, gate_on_look, h, 0, 0, NULL);
}

void server_restart(struct sim *s, int h, bool by_hand)
{
    if ((s->c.kind == KIND_CRASH || s->c.kind == KIND_FULL) && !by_hand)
        sim_in(s, 0, gate_on_look, h, 0, 0, NULL);
    else
        server_start(s, h, sim_chance(s, 600));
}

/* An operator copies the writer's data. */
void server_rebuild(struct sim *s, int h, int from)
{
    struct server *v = &s->host[h].server;

    server_kill(s, h);
    memcpy(v->have, s->host[from].server.have, sizeof v->have);
    v->told = false;
    v->source = -1;
    v->io_on = v->sql_on = false;
    server_start(s, h, true);
}

bool server_connected(const struct sim *s, int h)
{
    const struct server *v = &s->host[h].server;

    return v->source >= 0 && v->io_on && server_answers(s, v->source) &&
           net_path(s, h, v->source) && net_path(s, v->source, h);
}

int64_t server_lag_ms(const struct sim *s, int h)
{
    const struct server *v = &s->host[h].server;

    if (!server_connected(s, h) || !v->sql_on)
        return -1;
    if (memcmp(v->have, v->relay, sizeof v->have) == 0)
        return 0;
    return (s->now - v->applied_at) / MS;
}

/* ---- facts ---- */

static char *digits(char *to, uint64_t n)
{
    char text[24];
    unsigned len = 0;

    do
        text[len++] = (char)('0' + n % 10);
    while (n /= 10);
    while (len)
        *to++ = text[--len];
    return to;
}

static void server_gtid(struct sim *s, const struct server *v, char *to)
{
    static const char uuid[] = "5a5a5a5a-0000-4000-8000-00000000000";

    bool first = true;

    memset(to, 0, GTID_LEN);
    for (int i = 0; i < HOSTS; i++) {
        if (!v->have[i])
            continue;
        if (!first)
            *to++ = ',';
        first = false;
        if (s->c.mysql) {
            memcpy(to, uuid, sizeof uuid - 1);
            to += sizeof uuid - 1;
            *to++ = (char)('1' + i);
            memcpy(to, ":1-", 3);
            to += 3;
        } else {
            memcpy(to, "0-", 2);
            to[2] = (char)('1' + i);
            to[3] = '-';
            to += 4;
        }
        to = digits(to, v->have[i]);
    }
}

const struct agent_facts *server_facts(struct sim *s, int h)
{
    struct server *v = &s->host[h].server;
    struct agent_facts *f = &v->facts;

    if (!v->told)
        server_gtid(s, v, f->gtid);
    v->told = true;
    f->mysql_flavour = s->c.mysql;
    f->server_id = (uint64_t)h + 1;
    f->read_only = v->read_only;
    if (f->source != v->source || !f->source_port == (v->source >= 0)) {
        memset(f->source_host, 0, sizeof f->source_host);
        if (v->source >= 0)
            snprintf(f->source_host, sizeof f->source_host, "10.0.0.%d", v->source + 1);
    }
    f->source = v->source;
    f->source_port = v->source >= 0 ? 3306 : 0;
    f->receiver = v->source < 0 || !v->io_on ? RECEIVER_NO
                  : server_connected(s, h)   ? RECEIVER_YES
                                             : RECEIVER_CONNECTING;
    f->applier = v->source >= 0 && v->sql_on;
    f->lag_ms = server_lag_ms(s, h);
    return f;
}

void server_read_tail(struct sim *s, int h, int64_t died)
{
    struct input *in = input_new(IN_TAIL);
    int64_t us = sim_chance(s, 800) ? sim_between(s, MS, 30 * MS) : sim_between(s, MS, 3000 * MS);

    in->n = (uint64_t)died;
    in->ok = !s->host[h].server.unreadable; /* of a new server's log the same is read */
    in->facts = malloc(sizeof *in->facts);
    CHECK(in->facts);
    *in->facts = *server_facts(s, h);
    proc_input_in(s, us, h, in);
}

void server_set_aside(struct sim *s, int h, uint64_t round)
{
    struct input *in = input_new(IN_ASIDE);

    in->n = round;
    in->ok = s->host[h].server.up && !s->host[h].server.unreadable && sim_chance(s, 900);
    proc_input_in(s, sim_between(s, MS, 3000 * MS), h, in);
}

void server_ask(struct sim *s, int h)
{
    struct input *in;

    if (!s->proc[h].alive || s->proc[h].frozen || !server_works(s, h))
        return;
    in = input_new(IN_FACTS);
    in->facts = malloc(sizeof *in->facts);
    CHECK(in->facts);
    *in->facts = *server_facts(s, h);
    in->n = s->host[h].job.ended;
    proc_input_in(s, sim_between(s, 300, 15 * MS), h, in);
}

static void facts_on_loop(struct sim *s, int h, int b, uint64_t n, void *data)
{
    (void)b;
    (void)n;
    (void)data;
    sim_in(s, s->c.facts_ms * MS + sim_between(s, 0, 5 * MS), facts_on_loop, h, 0, 0, NULL);
    if (!s->proc[h].alive || s->proc[h].frozen || !server_works(s, h))
        return;
    if (sim_chance(s, 850)) { /* answered at once */
        struct input in = {.kind = IN_FACTS, .n = s->host[h].job.ended};

        in.facts = (struct agent_facts *)server_facts(s, h);
        agent_handle(s, h, &in);
        return;
    }
    server_ask(s, h);
}

/* ---- replication ---- */

void server_receive(struct sim *s, int h)
{
    struct server *v = &s->host[h].server;

    if (!server_connected(s, h) || disk_full(s, h))
        return;
    for (int i = 0; i < HOSTS; i++)
        if (s->host[v->source].server.have[i] > v->relay[i])
            v->relay[i] = s->host[v->source].server.have[i];
}

void server_apply(struct sim *s, int h)
{
    struct server *v = &s->host[h].server;
    bool news = false;

    if (disk_full(s, h)) {
        v->waits = v->waits || memcmp(v->have, v->relay, sizeof v->have) != 0;
        return;
    }
    for (int i = 0; i < HOSTS; i++)
        if (v->relay[i] > v->have[i]) {
            v->have[i] = v->relay[i];
            v->told = false;
            news = true;
        }
    v->applied_at = s->now;
    if (news)
        server_news(s, h);
}

static void replicate_on_time(struct sim *s, int h, int b, uint64_t n, void *data)
{
    struct server *v = &s->host[h].server;

    (void)b;
    (void)n;
    (void)data;
    v->due = false;
    if (!server_answers(s, h))
        return;
    server_receive(s, h);
    if (v->source >= 0 && v->sql_on && v->stall_until <= s->now && sim_chance(s, 800))
        server_apply(s, h);
    else if (v->source >= 0 && v->sql_on && memcmp(v->have, v->relay, sizeof v->have) != 0)
        server_look(s, h);
}

void server_look(struct sim *s, int h)
{
    struct server *v = &s->host[h].server;

    if (v->due || v->source < 0 || !v->up)
        return;
    v->due = true;
    sim_in(s, sim_between(s, MS, 50 * MS), replicate_on_time, h, 0, 0, NULL);
}

void server_news(struct sim *s, int h)
{
    for (int o = 0; o < (int)s->c.hosts; o++)
        if (s->host[o].server.source == h)
            server_look(s, o);
}

static void replicate_on_loop(struct sim *s, int h, int b, uint64_t n, void *data)
{
    (void)b;
    (void)n;
    (void)data;
    sim_in(s, sim_between(s, s->pace / 16, s->pace / 4), replicate_on_loop, h, 0, 0, NULL);
    server_look(s, h);
}

void server_loops(struct sim *s)
{
    for (int h = 0; h < (int)s->c.hosts; h++) {
        s->host[h].server.facts.source = -1;
        sim_in(s, sim_between(s, 0, s->c.facts_ms * MS), facts_on_loop, h, 0, 0, NULL);
        sim_in(s, sim_between(s, 0, s->pace / 4), replicate_on_loop, h, 0, 0, NULL);
    }
}
