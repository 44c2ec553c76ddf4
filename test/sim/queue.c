/* SPDX-License-Identifier: GPL-2.0-or-later
 * What happens when, and the processes: what waits for one that is frozen, its
 * timer. */
#include "sim.h"

#include <stdlib.h>
#include <string.h>

struct timed {
    timed_fn fn;
    int a, b;
    uint64_t n;
    void *data;
    uint32_t next_free;
};
/* The heap holds only what it compares, as one number: when, the how many-th put in, which. */
typedef unsigned __int128 when;

static struct timed *timed;
static when *heap;
static uint32_t heap_n, heap_cap, timed_free, timed_n, seq;
static struct input *spare;

static when when_of(int64_t at, uint32_t nth, uint32_t which)
{
    return (when)(uint64_t)at << 64 | (uint64_t)nth << 32 | which;
}

static uint32_t timed_new(void)
{
    uint32_t i = timed_free;

    if (i) {
        timed_free = timed[i].next_free;
        return i;
    }
    if (heap_cap <= timed_n + 1) {
        heap_cap = heap_cap ? heap_cap * 2 : 1024;
        heap = realloc(heap, heap_cap * sizeof *heap);
        timed = realloc(timed, heap_cap * sizeof *timed);
        CHECK(heap && timed);
    }
    return ++timed_n;
}

void sim_at(struct sim *s, int64_t at, timed_fn fn, int a, int b, uint64_t n, void *data)
{
    uint32_t which = timed_new(), i = heap_n++;
    when w = when_of(at < s->now ? s->now : at, seq++, which);

    timed[which] = (struct timed){fn, a, b, n, data, 0};
    while (i && w < heap[(i - 1) / 4]) {
        heap[i] = heap[(i - 1) / 4];
        i = (i - 1) / 4;
    }
    heap[i] = w;
}

void sim_in(struct sim *s, int64_t us, timed_fn fn, int a, int b, uint64_t n, void *data)
{
    sim_at(s, s->now + us, fn, a, b, n, data);
}

static when heap_pop(void)
{
    when top = heap[0], w = heap[--heap_n];
    uint32_t i = 0;

    for (;;) {
        uint32_t c = 4 * i + 1, end = c + 4 < heap_n ? c + 4 : heap_n, best = c;

        if (c >= heap_n)
            break;
        for (uint32_t k = c + 1; k < end; k++)
            best = heap[k] < heap[best] ? k : best;
        if (heap[best] >= w)
            break;
        heap[i] = heap[best];
        i = best;
    }
    heap[i] = w;
    return top;
}

bool queue_step(struct sim *s)
{
    uint32_t which;
    struct timed t;
    when w;

    if (!heap_n)
        return false;
    w = heap_pop();
    which = (uint32_t)w;
    t = timed[which];
    timed[which].next_free = timed_free;
    timed_free = which;
    s->now = (int64_t)(w >> 64);
    t.fn(s, t.a, t.b, t.n, t.data);
    return true;
}

/* What is still on its way frees itself when nobody is there. */
void queue_clear(struct sim *s)
{
    while (heap_n) {
        struct timed t = timed[(uint32_t)heap[--heap_n]];

        if (t.data)
            t.fn(s, t.a, t.b, t.n, t.data);
    }
    timed_n = timed_free = seq = 0;
}

void queue_free(void)
{
    struct input *in;

    free(heap);
    free(timed);
    heap = NULL;
    timed = NULL;
    heap_cap = 0;
    while ((in = spare)) {
        spare = in->next;
        free(in);
    }
    packet_free(NULL);
}

/* ---- processes ---- */

struct input *input_new(int kind)
{
    struct input *in = spare;

    if (in)
        spare = in->next;
    else
        in = malloc(sizeof *in);
    CHECK(in);
    memset(in, 0, sizeof *in);
    in->kind = kind;
    return in;
}

static void input_free(struct input *in)
{
    if (in->packet)
        packet_free(in->packet);
    free(in->facts);
    in->next = spare;
    spare = in;
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
    if (!p->alive || p->frozen)
        return;
    if (p->deadline > sim_local_ms(s, proc)) /* it was put off meanwhile */
        proc_timer(s, proc);
    else
        proc_handle(s, proc, &in);
}

void proc_timer(struct sim *s, int proc)
{
    struct proc *p = &s->proc[proc];
    int64_t at;

    if (p->deadline == INT64_MAX)
        return;
    at = sim_true_us(s, proc, p->deadline);
    if (at < s->now + MS)
        at = s->now + MS;
    if (p->timer_at && p->timer_at <= at + 1500)
        return;
    at += sim_between(s, 0, 1500);
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

void proc_thaw(struct sim *s, int proc, const struct input *first)
{
    struct proc *p = &s->proc[proc];
    struct input time = {.kind = IN_TIME}, *in;

    if (!p->alive || !p->frozen || p->paused || p->stalled)
        return;
    p->frozen = false;
    p->timer_at = 0;
    proc_handle(s, proc, first ? first : &time);
    while (!p->frozen && (in = p->first)) {
        p->first = in->next;
        if (!p->first)
            p->last = NULL;
        if (p->alive)
            proc_handle(s, proc, in);
        input_free(in);
    }
    net_wake(s, proc);
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
