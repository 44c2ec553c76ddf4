/* SPDX-License-Identifier: GPL-2.0-or-later
 * What happens when, and the processes: what waits for one that is frozen, its
 * timer. */
#include "sim.h"

#include <stdlib.h>
#include <string.h>

enum { NEAR = 1024, NEAR_SHIFT = 12 /* us: 4 ms */ };

struct timed {
    timed_fn fn;
    int a, b;
    uint64_t n;
    void *data;
    int64_t at;
    uint32_t nth, next; /* in its list, or of the unused ones */
};
/* Nearly everything happens within seconds: it waits in a ring of short lists, each of 4 ms and in
 * order. What is further ahead waits in a heap, which holds only what it compares, as one number:
 * when, the how many-th put in, which. */
typedef unsigned __int128 when;

static struct timed *timed;
static uint32_t near[NEAR];
static uint64_t near_used[NEAR / 64];
static when *heap;
static uint32_t heap_n, heap_cap, timed_free, timed_n, seq;
static struct input *spare;

static when when_of(uint32_t which)
{
    return (when)(uint64_t)timed[which].at << 64 | (uint64_t)timed[which].nth << 32 | which;
}

static uint32_t timed_new(void)
{
    uint32_t i = timed_free;

    if (i) {
        timed_free = timed[i].next;
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

static void near_put(uint32_t which)
{
    unsigned k = (unsigned)(timed[which].at >> NEAR_SHIFT) % NEAR;
    uint32_t *at = &near[k];

    while (*at && timed[*at].at <= timed[which].at)
        at = &timed[*at].next;
    timed[which].next = *at;
    *at = which;
    near_used[k / 64] |= 1ull << k % 64;
}

/* The first list that is not empty, from the one of `now` on; -1 all are. */
static int near_first(int64_t now)
{
    unsigned from = (unsigned)(now >> NEAR_SHIFT) % NEAR, w = from / 64;
    uint64_t bits = near_used[w] & ~0ull << from % 64;

    for (unsigned i = 0; i < NEAR / 64 && !bits; i++) {
        w = (w + 1) % (NEAR / 64);
        bits = near_used[w];
    }
    return bits ? (int)(w * 64 + (unsigned)__builtin_ctzll(bits)) : -1;
}

static uint32_t near_pop(unsigned k)
{
    uint32_t which = near[k];

    near[k] = timed[which].next;
    if (!near[k])
        near_used[k / 64] &= ~(1ull << k % 64);
    return which;
}

static void heap_put(uint32_t which)
{
    uint32_t i = heap_n++;
    when w = when_of(which);

    while (i && w < heap[(i - 1) / 4]) {
        heap[i] = heap[(i - 1) / 4];
        i = (i - 1) / 4;
    }
    heap[i] = w;
}

static uint32_t heap_pop(void)
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
    return (uint32_t)top;
}

void sim_at(struct sim *s, int64_t at, timed_fn fn, int a, int b, uint64_t n, void *data)
{
    uint32_t which = timed_new();

    at = at < s->now ? s->now : at;
    timed[which] = (struct timed){fn, a, b, n, data, at, seq++, 0};
    if ((at >> NEAR_SHIFT) - (s->now >> NEAR_SHIFT) < NEAR)
        near_put(which);
    else
        heap_put(which);
}

void sim_in(struct sim *s, int64_t us, timed_fn fn, int a, int b, uint64_t n, void *data)
{
    sim_at(s, s->now + us, fn, a, b, n, data);
}

bool queue_step(struct sim *s)
{
    int k = near_first(s->now);
    bool far = heap_n && (k < 0 || heap[0] < when_of(near[k]));
    uint32_t which;
    struct timed t;

    if (k < 0 && !far)
        return false;
    which = far ? heap_pop() : near_pop((unsigned)k);
    t = timed[which];
    timed[which].next = timed_free;
    timed_free = which;
    s->now = t.at;
    t.fn(s, t.a, t.b, t.n, t.data);
    return true;
}

/* What is still on its way frees itself when nobody is there. */
void queue_clear(struct sim *s)
{
    int k;

    while (heap_n || (k = near_first(0)) >= 0) {
        struct timed t = timed[heap_n ? (uint32_t)heap[--heap_n] : near_pop((unsigned)k)];

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

static void proc_on_timer(struct sim *s, int proc, int b, uint64_t life, void *data);

static void proc_timer(struct sim *s, int proc)
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

void proc_wants(struct sim *s, int proc, int64_t deadline)
{
    struct proc *p = &s->proc[proc];

    if (p->deadline == deadline && p->timer_at)
        return;
    p->deadline = deadline;
    proc_timer(s, proc);
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
