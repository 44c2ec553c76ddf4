/* SPDX-License-Identifier: GPL-2.0-or-later
 * Makes a scenario that fails as short as it goes: faults are left out, then
 * hosts, monitors, addresses and whatever is special, then moments and
 * durations are rounded. It counts as the same failure while its first words
 * are the same. */
#include "sim.h"

#include <string.h>

enum { TRIES = 600, SAME = 9 };

struct shrink {
    struct sim *s;
    struct scenario *best;
    struct sim_options quiet;
    char verdict[STORY_LEN];
    unsigned tries;
};

static bool shrink_try(struct shrink *k, const struct scenario *c)
{
    if (k->tries >= TRIES || memcmp(c, k->best, sizeof *c) == 0)
        return false;
    k->tries++;
    if (sim_run(k->s, c, &k->quiet) || strncmp(k->s->verdict, k->verdict, SAME) != 0)
        return false;
    *k->best = *c;
    return true;
}

static bool shrink_faults(struct shrink *k)
{
    bool any = false;

    for (unsigned i = k->best->faults; i-- > 0;) {
        struct scenario c = *k->best;

        memmove(&c.fault[i], &c.fault[i + 1], (c.faults - i - 1) * sizeof c.fault[0]);
        c.faults--;
        memset(&c.fault[c.faults], 0, sizeof c.fault[0]);
        any = shrink_try(k, &c) || any;
    }
    return any;
}

static int fault_highest(const struct scenario *c, int below)
{
    int high = 0;

    for (unsigned i = 0; i < c->faults; i++) {
        if (c->fault[i].a < below && c->fault[i].a > high)
            high = c->fault[i].a;
        if (c->fault[i].b < below && c->fault[i].b > high)
            high = c->fault[i].b;
    }
    return high;
}

static void shrink_cluster(struct shrink *k)
{
    struct scenario c = *k->best;

    while (c.hosts > 2 && fault_highest(&c, HOSTS) < (int)c.hosts - 1) {
        c.hosts--;
        if (c.candidates > c.hosts)
            c.candidates = c.hosts;
        if (!shrink_try(k, &c))
            break;
    }
    c = *k->best;
    if (c.candidates > 2) {
        c.candidates = 2;
        (void)shrink_try(k, &c);
    }
    c = *k->best;
    c.mons = 1;
    (void)shrink_try(k, &c);
    c = *k->best;
    c.slots = 1;
    (void)shrink_try(k, &c);
}

static void shrink_settings(struct shrink *k)
{
    struct scenario c;

    for (int what = 0; what < 7; what++) {
        c = *k->best;
        switch (what) {
        case 0:
            c.prefer = false;
            break;
        case 1:
            c.mysql = false;
            break;
        case 2:
            c.kill_host = false;
            break;
        case 3:
            c.loss = SIM_PROMISE;
            break;
        case 4:
            c.check_ms = 250;
            break;
        case 5:
            c.never = false;
            break;
        default:
            memset(c.ppm, 0, sizeof c.ppm);
        }
        (void)shrink_try(k, &c);
    }
    for (int i = 0; i < PROCS; i++) {
        c = *k->best;
        c.ppm[i] = 0;
        (void)shrink_try(k, &c);
    }
}

static void shrink_times(struct shrink *k)
{
    static const int64_t units[] = {SECOND, 100 * MS, 10 * MS};

    for (unsigned i = 0; i < k->best->faults; i++)
        for (int field = 0; field < 2; field++)
            for (unsigned u = 0; u < ARRAY_LEN(units); u++) {
                struct scenario c = *k->best;
                int64_t *at = field ? &c.fault[i].len : &c.fault[i].at;

                *at = (*at + units[u] / 2) / units[u] * units[u];
                if (shrink_try(k, &c))
                    break;
            }
}

void scenario_shrink(struct sim *s, struct scenario *c, const struct sim_options *opt,
                     const char *verdict)
{
    struct shrink k = {.s = s, .best = c, .quiet = {.broken = opt->broken}};

    snprintf(k.verdict, sizeof k.verdict, "%s", verdict);
    for (bool again = true; again && k.tries < TRIES;)
        again = shrink_faults(&k);
    shrink_cluster(&k);
    shrink_settings(&k);
    shrink_times(&k);
    while (shrink_faults(&k))
        ;
}
