/* SPDX-License-Identifier: GPL-2.0-or-later
 * The queue of what happens when, clocks, luck, processes and the story. */
#include "sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct timed {
    int64_t at;
    uint64_t seq;
    timed_fn fn;
    int a, b;
    uint64_t n;
    void *data;
};

static bool timed_before(const struct timed *x, const struct timed *y)
{
    return x->at != y->at ? x->at < y->at : x->seq < y->seq;
}

void sim_at(struct sim *s, int64_t at, timed_fn fn, int a, int b, uint64_t n, void *data)
{
    struct timed t = {at < s->now ? s->now : at, s->seq++, fn, a, b, n, data};
    unsigned i = s->heap_n++;

    if (s->heap_n > s->heap_cap) {
        s->heap_cap = s->heap_cap ? s->heap_cap * 2 : 1024;
        s->heap = realloc(s->heap, s->heap_cap * sizeof *s->heap);
        CHECK(s->heap);
    }
    while (i && timed_before(&t, &s->heap[(i - 1) / 2])) {
        s->heap[i] = s->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    s->heap[i] = t;
}

void sim_in(struct sim *s, int64_t us, timed_fn fn, int a, int b, uint64_t n, void *data)
{
    sim_at(s, s->now + us, fn, a, b, n, data);
}

static struct timed sim_pop(struct sim *s)
{
    struct timed top = s->heap[0], t = s->heap[--s->heap_n];
    unsigned i = 0;

    for (;;) {
        unsigned c = 2 * i + 1;

        if (c >= s->heap_n)
            break;
        if (c + 1 < s->heap_n && timed_before(&s->heap[c + 1], &s->heap[c]))
            c++;
        if (!timed_before(&s->heap[c], &t))
            break;
        s->heap[i] = s->heap[c];
        i = c;
    }
    s->heap[i] = t;
    return top;
}

uint64_t sim_luck(struct sim *s)
{
    uint64_t z = s->luck += 0x9e3779b97f4a7c15ull;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

int64_t sim_between(struct sim *s, int64_t lo, int64_t hi)
{
    return lo + (int64_t)(sim_luck(s) % (uint64_t)(hi - lo + 1));
}

bool sim_chance(struct sim *s, unsigned per_thousand)
{
    return sim_luck(s) % 1000 < per_thousand;
}

int64_t sim_local_ms(const struct sim *s, int proc)
{
    return (s->clock_off[proc] + s->now + s->now * s->clock_ppm[proc] / 1000000) / 1000;
}

/* The first true moment at which that machine's clock shows at least local_ms. */
int64_t sim_true_us(const struct sim *s, int proc, int64_t local_ms)
{
    int64_t l = local_ms * 1000 - s->clock_off[proc];

    return l * 1000000 / (1000000 + s->clock_ppm[proc]) + 2;
}

static void story_add(struct sim *s, const char *fmt, va_list ap)
{
    char *line = s->story[s->told++ % STORY_LINES];
    int n = snprintf(line, STORY_LEN, "%10.3f  ", (double)s->now / 1000.0);

    vsnprintf(line + n, STORY_LEN - (size_t)n, fmt, ap);
    if (s->opt.verbose)
        puts(line);
}

void sim_say(struct sim *s, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    story_add(s, fmt, ap);
    va_end(ap);
}

void sim_fail(struct sim *s, const char *fmt, ...)
{
    va_list ap;

    if (s->failed)
        return;
    s->failed = true;
    va_start(ap, fmt);
    vsnprintf(s->verdict, sizeof s->verdict, fmt, ap);
    va_end(ap);
    sim_say(s, "VIOLATION: %s", s->verdict);
}

const char *proc_name(const struct sim *s, int proc)
{
    static const char *const name[PROCS] = {"db1", "db2", "db3", "db4", "mon1", "mon2"};

    (void)s;
    return proc < 0 ? "nobody" : name[proc];
}

/* ---- processes ---- */

struct input *input_new(int kind)
{
    struct input *in = calloc(1, sizeof *in);

    CHECK(in);
    in->kind = kind;
    return in;
}

static void input_free(struct input *in)
{
    free(in->m);
    free(in->facts);
    free(in);
}

static void proc_handle(struct sim *s, int proc, const struct input *in)
{
    if (proc < HOSTS)
        agent_handle(s, proc, in);
    else
        monitor_handle(s, proc - HOSTS, in);
}

void proc_input(struct sim *s, int proc, struct input *in)
{
    struct proc *p = &s->proc[proc];

    if (p->alive && p->frozen) {
        in->next = NULL;
        if (p->last)
            p->last->next = in;
        else
            p->first = in;
        p->last = in;
        return;
    }
    if (p->alive)
        proc_handle(s, proc, in);
    input_free(in);
}

static void proc_on_input(struct sim *s, int proc, int b, uint64_t life, void *data)
{
    (void)b;
    if (s->proc[proc].life == life)
        proc_input(s, proc, data);
    else
        input_free(data);
}

/* For this life of the process only. */
void proc_input_in(struct sim *s, int64_t us, int proc, struct input *in)
{
    sim_in(s, us, proc_on_input, proc, 0, s->proc[proc].life, in);
}

static void proc_on_timer(struct sim *s, int proc, int b, uint64_t life, void *data)
{
    struct proc *p = &s->proc[proc];
    struct input in = {.kind = IN_TIME};

    (void)b;
    (void)data;
    if (p->life != life || p->timer_at > s->now || !p->timer_at)
        return;
    p->timer_at = 0;
    if (p->alive && !p->frozen)
        proc_handle(s, proc, &in);
}

void proc_timer(struct sim *s, int proc, int64_t local_deadline_ms)
{
    struct proc *p = &s->proc[proc];
    int64_t at;

    if (local_deadline_ms == INT64_MAX)
        return;
    at = sim_true_us(s, proc, local_deadline_ms);
    if (at < s->now + 1000)
        at = s->now + 1000;
    at += sim_between(s, 0, 1500);
    if (p->timer_at && p->timer_at <= at)
        return;
    p->timer_at = at;
    sim_at(s, at, proc_on_timer, proc, 0, p->life, NULL);
}

void proc_freeze(struct sim *s, int proc)
{
    if (!s->proc[proc].alive || s->proc[proc].frozen)
        return;
    s->proc[proc].frozen = true;
    net_frozen(s, proc);
}

/* It first finds out how late it is, then reads what waited. */
void proc_thaw(struct sim *s, int proc)
{
    struct proc *p = &s->proc[proc];
    struct input time = {.kind = IN_TIME}, *in;

    if (!p->alive || !p->frozen)
        return;
    p->frozen = false;
    p->timer_at = 0;
    proc_handle(s, proc, &time);
    while ((in = p->first)) {
        p->first = in->next;
        if (!p->first)
            p->last = NULL;
        if (p->alive)
            proc_handle(s, proc, in);
        input_free(in);
    }
}

void proc_forget(struct sim *s, int proc)
{
    struct input *in;

    while ((in = s->proc[proc].first)) {
        s->proc[proc].first = in->next;
        input_free(in);
    }
    s->proc[proc].last = NULL;
}

/* ---- a run ---- */

static void sim_choose(struct sim *s)
{
    static const enum kind kinds[16] = {
        KIND_MIXED, KIND_STORM,   KIND_MONITOR, KIND_STORM, KIND_AGENT, KIND_MIXED,
        KIND_STORM, KIND_PLANNED, KIND_STORM,   KIND_MIXED, KIND_STORM, KIND_PARTNER,
        KIND_STORM, KIND_PLANNED, KIND_DEAD,    KIND_STORM,
    };

    s->luck = s->opt.seed * 0x2545f4914f6cdd1dull + 1;
    s->kind = s->opt.kind >= 0 ? (enum kind)s->opt.kind : kinds[s->opt.seed % 16];
    s->hosts = (unsigned)sim_between(s, 2, HOSTS);
    s->candidates = s->hosts > 2 && sim_chance(s, 400) ? 3 : 2;
    s->mons = 1;
    s->gate = sim_chance(s, 150) ? GATE_LIFETIME : GATE_NFT;
    s->lease_ms = s->gate == GATE_LIFETIME ? 3000 : sim_chance(s, 300) ? 600 : 2000;
    s->prefer = sim_chance(s, 150);
    for (int i = 0; i < PROCS; i++) {
        s->clock_off[i] = sim_between(s, 1000, 400000) * 1000000;
        s->clock_ppm[i] = (int32_t)sim_between(s, -10000, 10000);
        s->proc[i].on = i < (int)s->hosts || i == HOSTS;
    }
    s->last_writer = s->writer0 = -1;
}

static void sim_begin(struct sim *s)
{
    sim_choose(s);
    faults_plan(s);
    sim_say(s, "seed %llu kind %d: %u hosts, %u candidates, lease %lld ms, gate %s%s",
            (unsigned long long)s->opt.seed, (int)s->kind, s->hosts, s->candidates,
            (long long)s->lease_ms, s->gate == GATE_NFT ? "nft" : "lifetime",
            s->prefer ? ", db1 preferred" : "");
    monitors_conf(s);
    agents_conf(s);
    server_loops(s);
    for (int h = 0; h < (int)s->hosts; h++) {
        for (int i = 0; i < HOSTS; i++)
            s->host[h].server.have[i] = s->host[h].server.relay[i] = i ? 0 : 100;
        s->host[h].server.source = h && sim_chance(s, 700) ? 0 : -1;
        s->host[h].server.io_on = s->host[h].server.sql_on = s->host[h].server.source >= 0;
        s->host[h].server.pid = 1000;
        server_start(s, h, sim_chance(s, 800));
    }
    for (int h = 0; h < (int)s->hosts; h++)
        agent_boot(s, h);
    monitor_boot(s, 0);
    net_start(s);
    monitor_checks(s);
    faults_start(s);
    judge_loops(s);
}

/* What is still on its way frees itself when nobody is there. */
static void sim_clear(struct sim *s)
{
    for (int i = 0; i < PROCS; i++) {
        proc_forget(s, i);
        s->proc[i].alive = false;
        s->proc[i].life++;
    }
    memset(s->link, 0, sizeof s->link);
    while (s->heap_n) {
        struct timed t = sim_pop(s);

        if (t.data)
            t.fn(s, t.a, t.b, t.n, t.data);
    }
}

bool sim_run(struct sim *s, const struct sim_options *opt)
{
    struct held *held[MONS];

    for (int m = 0; m < MONS; m++)
        held[m] = s->mon[m].held;
    free(s->heap);
    memset(s, 0, sizeof *s);
    for (int m = 0; m < MONS; m++)
        s->mon[m].held = held[m];
    s->opt = *opt;
    sim_begin(s);
    while (s->heap_n && !s->failed && !s->done) {
        struct timed t = sim_pop(s);

        s->now = t.at;
        t.fn(s, t.a, t.b, t.n, t.data);
        s->steps++;
        judge_step(s);
    }
    sim_clear(s);
    return !s->failed;
}
