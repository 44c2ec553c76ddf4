/* SPDX-License-Identifier: GPL-2.0-or-later
 * The monitors' checks: what each finds, and when. */
#include "sim.h"

int64_t check_period_ms(const struct scenario *of, enum check c)
{
    static const int times[CK_N] = {1, 2, 4, 4};
    int64_t ms = of->check_ms * times[c];

    return ms < 5000 ? ms : 5000;
}

int64_t check_trap_ms(const struct scenario *of, enum check c)
{
    return check_period_ms(of, c) * (c == CK_PING || c == CK_MYSQL ? 4 : 5);
}

static enum result check_sample(struct sim *s, int m, int h, enum check c, int64_t *us,
                                int64_t *lag)
{
    bool path = net_path(s, HOSTS + m, h) && net_path(s, h, HOSTS + m) && !s->proc[h].paused;
    const struct server *v = &s->host[h].server;
    int64_t timeout = check_period_ms(&s->c, CK_MYSQL) * 2 * MS;

    *us = 0;
    *lag = -1;
    if (c == CK_PING) {
        if (path)
            s->ping_ok[m][h] = s->now;
        return path                                                  ? RESULT_OK
               : s->now - s->ping_ok[m][h] >= 2 * s->c.check_ms * MS ? RESULT_ERROR
                                                                     : RESULT_UNKNOWN;
    }
    if (!path || !server_answers(s, h)) {
        *us = path && !v->up ? 2 * MS : timeout;
        return c == CK_MYSQL ? RESULT_ERROR : RESULT_UNKNOWN;
    }
    if (c == CK_MYSQL)
        return RESULT_OK;
    if (c == CK_REP_THREADS)
        return server_connected(s, h) && v->sql_on ? RESULT_OK : RESULT_ERROR;
    *lag = server_lag_ms(s, h);
    return *lag >= 0 && *lag < 60000 ? RESULT_OK : RESULT_ERROR;
}

static void check_on_time(struct sim *s, int mh, int c, uint64_t life, void *data)
{
    int m = mh / HOSTS, h = mh % HOSTS;
    struct proc *p = &s->proc[HOSTS + m];
    int64_t us, lag;
    struct input *in;

    (void)data;
    if (p->life != life)
        return;
    sim_in(s, check_period_ms(&s->c, (enum check)c) * MS + sim_between(s, 0, 3 * MS), check_on_time,
           mh, c, life, NULL);
    if (!p->alive || p->frozen)
        return;
    in = input_new(IN_CHECK);
    in->state = (int)check_sample(s, m, h, (enum check)c, &us, &lag);
    in->peer = h;
    in->slot = c;
    in->n = (uint64_t)lag;
    if (us)
        proc_input_in(s, us, HOSTS + m, in);
    else
        proc_input(s, HOSTS + m, in);
}

void checks_start(struct sim *s, int m)
{
    for (int h = 0; h < (int)s->c.hosts; h++)
        for (int c = 0; c < CK_N; c++)
            sim_in(s, sim_between(s, 0, check_period_ms(&s->c, (enum check)c) * MS), check_on_time,
                   m * HOSTS + h, c, s->proc[HOSTS + m].life, NULL);
}
