/* SPDX-License-Identifier: GPL-2.0-or-later
 * Trapping of check results: errors for a whole trap period make a check bad, one OK makes it good,
 * UNKNOWN keeps the verdict and shows. A full disk is trapped like an error of the mysql check. */
#include "engine/engine_internal.h"

enum { SETTLE_MS = 5000 };

const char *const check_names[CK_N] = {
    [CK_PING] = "ping",
    [CK_MYSQL] = "mysql",
    [CK_REP_THREADS] = "rep_threads",
    [CK_REP_BACKLOG] = "rep_backlog",
};

bool check_good(const struct engine *e, int h, enum check c)
{
    const struct host *x = &e->host[h];

    if (c == CK_MYSQL && x->dead_since) { /* on_crash is how long it may take to come back */
        if (e->now - x->dead_since >= e->conf.on_crash_ms)
            return false;
        if (host_live(e, h))
            return true;
    }
    return !x->check[c].known || x->check[c].good;
}

static void trap_verdict(struct engine *e, int h, enum check c, bool good, struct plan *p)
{
    struct check_state *cs = &e->host[h].check[c];

    if (cs->known && cs->good == good)
        return;
    cs->changed_wall_ms = e->wall;
    if (cs->known || !good)
        plan_event(e, p, EVENT_INFO, h, "%s is %s%s%s", check_names[c], good ? "good" : "bad",
                   cs->message[0] ? ": " : "", cs->message);
    cs->known = true;
    cs->good = good;
}

static void trap_message(struct check_state *cs, const char *text)
{
    if (strcmp(cs->message, text) != 0)
        snprintf(cs->message, sizeof cs->message, "%s", text);
}

/* Back, but neighbours have to be found anew, which was seen to take two seconds. */
static bool trap_network_unsure(const struct engine *e)
{
    return e->network_down || (e->network_up_at && e->now - e->network_up_at < SETTLE_MS);
}

static void trap_take(struct engine *e, const struct engine_event *ev, struct plan *p)
{
    int h = ev->check.host;
    enum check c = ev->check.check;
    struct check_state *cs = &e->host[h].check[c];
    int w = engine_active_slot(e);
    bool writer = w >= 0 && e->slot[w].holder == h;
    bool stopped = e->host[h].order.serial && e->host[h].order.follow == FOLLOW_NONE;

    cs->last = ev->check.result;
    if ((writer || stopped) && (c == CK_REP_THREADS || c == CK_REP_BACKLOG) &&
        ev->check.result == RESULT_ERROR) {
        cs->last = RESULT_UNKNOWN;
        trap_message(cs, writer ? "UNKNOWN: it holds the writer role, follows nobody"
                                : "UNKNOWN: it was told to follow nobody");
        return;
    }
    trap_message(cs, ev->check.message ? ev->check.message : "");
    if (c == CK_REP_BACKLOG)
        e->host[h].lag_ms = ev->check.lag_ms;
    if (ev->check.result == RESULT_OK) {
        if (!cs->known || !cs->good || cs->error_since)
            cs->good_since = e->now;
        cs->error_since = 0;
        trap_verdict(e, h, c, true, p);
        return;
    }
    if (ev->check.result != RESULT_ERROR || trap_network_unsure(e))
        return;
    if (!cs->error_since)
        cs->error_since = e->now;
    if (e->now - cs->error_since >= e->conf.trap_ms[c])
        trap_verdict(e, h, c, false, p);
}

bool trap_result(struct engine *e, const struct engine_event *ev, struct plan *p)
{
    const struct check_state *cs = &e->host[ev->check.host].check[ev->check.check];
    bool known = cs->known, good = cs->good;
    enum result last = cs->last;
    int64_t error_since = cs->error_since, lag_ms = e->host[ev->check.host].lag_ms;

    trap_take(e, ev, p);
    return known != cs->known || good != cs->good || last != cs->last ||
           error_since != cs->error_since || lag_ms != e->host[ev->check.host].lag_ms;
}

/* While the monitor's own network is down errors prove nothing; what they began is forgotten. */
void trap_network(struct engine *e, const struct engine_event *ev, struct plan *p)
{
    if (e->network_down == !ev->network.up)
        return;
    e->network_down = !ev->network.up;
    snprintf(e->network_message, sizeof e->network_message, "%s", ev->network.message);
    plan_event(e, p, ev->network.up ? EVENT_NOTE : EVENT_WARN, -1,
               "the monitor's own network is %s%s%s",
               ev->network.up ? "up again" : "down, nothing is judged",
               e->network_message[0] ? ": " : "", e->network_message);
    if (ev->network.up) { /* everybody is to be heard, or silent anew, before silence decides */
        e->network_up_at = e->now;
        engine_grace(e, e->now + e->conf.lease_ms);
    }
    for (unsigned h = 0; h < e->conf.names.hosts; h++) {
        e->host[h].full_since = 0;
        for (enum check c = 0; c < CK_N; c++)
            e->host[h].check[c].error_since = 0;
    }
}

void trap_disk(struct engine *e, int h)
{
    struct host *x = &e->host[h];

    if (!x->report.disk_full || trap_network_unsure(e))
        x->full_since = 0;
    else if (!x->full_since)
        x->full_since = e->now;
}

int64_t trap_disk_left(const struct engine *e, int h)
{
    const struct host *x = &e->host[h];

    return e->conf.trap_ms[CK_MYSQL] - (x->full_since ? x->report_at - x->full_since : 0);
}

/* What was seen so far says nothing about what begins now. */
void trap_restart(struct engine *e, int h, enum check c)
{
    struct check_state *cs = &e->host[h].check[c];

    cs->error_since = 0;
    cs->known = false;
}
