/* SPDX-License-Identifier: GPL-2.0-or-later
 * Clocks, luck, the story, and a run from its scenario to its verdict. */
#include "sim.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static char story[STORY_LINES][STORY_LEN];
static unsigned told;

uint64_t luck_next(uint64_t *luck)
{
    uint64_t z = *luck += 0x9e3779b97f4a7c15ull;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ z >> 27) * 0x94d049bb133111ebull;
    return z ^ z >> 31;
}

int64_t luck_between(uint64_t *luck, int64_t lo, int64_t hi)
{
    return lo >= hi ? lo : lo + (int64_t)(luck_next(luck) % (uint64_t)(hi - lo + 1));
}

bool luck_chance(uint64_t *luck, unsigned per_thousand)
{
    return luck_next(luck) % 1000 < per_thousand;
}

uint64_t sim_luck(struct sim *s)
{
    return luck_next(&s->luck);
}

int64_t sim_between(struct sim *s, int64_t lo, int64_t hi)
{
    return luck_between(&s->luck, lo, hi);
}

bool sim_chance(struct sim *s, unsigned per_thousand)
{
    return luck_chance(&s->luck, per_thousand);
}

int64_t sim_local_ms(const struct sim *s, int proc)
{
    int64_t now = s->proc[proc].paused ? s->proc[proc].paused_at : s->now;

    return (s->clock_off[proc] + now + now * s->c.ppm[proc] / 1000000) / 1000;
}

/* The first true moment at which that machine's clock shows at least local_ms.
 */
int64_t sim_true_us(const struct sim *s, int proc, int64_t local_ms)
{
    int64_t l = local_ms * 1000 - s->clock_off[proc];

    return l * 1000000 / (1000000 + s->c.ppm[proc]) + 2;
}

void sim_story(struct sim *s, const char *fmt, ...)
{
    char *line = story[told++ % STORY_LINES];
    int n = snprintf(line, STORY_LEN, "%10.3f  ", (double)s->now / 1000.0);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line + n, STORY_LEN - (size_t)n, fmt, ap);
    va_end(ap);
    if (s->opt.verbose)
        puts(line);
}

void sim_tell(unsigned lines)
{
    unsigned n = told < STORY_LINES ? told : STORY_LINES;

    n = n < lines ? n : lines;
    for (unsigned i = told - n; i < told; i++)
        puts(story[i % STORY_LINES]);
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

const char *proc_name(int proc)
{
    static const char *const name[PROCS] = {"db1", "db2", "db3", "db4",  "db5",  "db6",
                                            "db7", "db8", "db9", "mon1", "mon2", "mon3"};

    return proc < 0 || proc >= PROCS ? "-" : name[proc];
}

static void sim_begin(struct sim *s)
{
    s->luck = s->c.net;
    s->pace = draw_pace(&s->c);
    s->first_at = draw_first(&s->c);
    s->up_at = s->first_at - 300 * MS;
    s->last_writer = s->writer0 = -1;
    for (int i = 0; i < PROCS; i++) {
        s->clock_off[i] = sim_between(s, 1000, 400000) * 1000000;
        s->proc[i].on = i < (int)s->c.hosts || i == HOSTS;
    }
    monitors_conf(s);
    agents_conf(s);
    server_loops(s);
    for (int h = 0; h < (int)s->c.hosts; h++) {
        struct server *v = &s->host[h].server;

        v->have[0] = v->relay[0] = 100;
        v->source = h && sim_chance(s, 700) ? 0 : -1;
        v->io_on = v->sql_on = v->source >= 0;
        v->pid = 1000;
        server_start(s, h, sim_chance(s, 800));
    }
    for (int h = 0; h < (int)s->c.hosts; h++)
        agent_boot(s, h);
    monitor_boot(s, 0);
    faults_start(s);
    operator_start(s);
    judge_start(s);
    client_start(s);
}

bool sim_run(struct sim *s, const struct scenario *c, const struct sim_options *opt)
{
    struct scenario own = *c; /* it may be s->c */
    struct sim_options how = *opt;

    memset(s, 0, offsetof(struct sim, mon));
    for (int m = 0; m < MONS; m++)
        memset(&s->mon[m], 0, offsetof(struct mon, e));
    s->c = own;
    s->opt = how;
    told = 0;
    sim_begin(s);
    while (!s->failed && !s->done && queue_step(s))
        ;
    for (int i = 0; i < PROCS; i++) {
        proc_forget(s, i);
        s->proc[i].alive = false;
        s->proc[i].life++;
    }
    memset(s->link, 0, sizeof s->link);
    queue_clear(s);
    return !s->failed;
}
