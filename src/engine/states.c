/* SPDX-License-Identifier: GPL-2.0-or-later
 * Host states: MMM's table without its defects (a host whose replication is broken does not become
 * ONLINE because its peer died; nothing here is asked over the network). */
#include "engine/engine_internal.h"

enum { PEER_GRACE_MS = 60000, SHORT_DOWNTIME_S = 60 };

const char *const host_state_names[HOST_STATE_N] = {
    [UNKNOWN] = "UNKNOWN",
    [ONLINE] = "ONLINE",
    [ADMIN_OFFLINE] = "ADMIN_OFFLINE",
    [HARD_OFFLINE] = "HARD_OFFLINE",
    [AWAITING_RECOVERY] = "AWAITING_RECOVERY",
    [REPLICATION_DELAY] = "REPLICATION_DELAY",
    [REPLICATION_FAIL] = "REPLICATION_FAIL",
};

static void state_flap(struct engine *e, int h, struct plan *p)
{
    struct host *x = &e->host[h];

    if (!e->conf.flap_count)
        return;
    if (!x->flaps || e->wall - x->flap_start_wall > e->conf.flap_duration_ms) {
        x->flaps = 0;
        x->flap_start_wall = e->wall;
    }
    if (++x->flaps <= e->conf.flap_count)
        return;
    x->flaps = 0;
    x->flapping = true;
    plan_event(e, p, EVENT_WARN, h, "flapping: left ONLINE more than %u times within %lld s",
               e->conf.flap_count, (long long)(e->conf.flap_duration_ms / 1000));
}

void state_set(struct engine *e, int h, enum host_state to, const char *why, struct plan *p)
{
    struct host *x = &e->host[h];

    if (x->state == to)
        return;
    plan_event(e, p, to == HARD_OFFLINE || to == REPLICATION_FAIL ? EVENT_WARN : EVENT_NOTE, h,
               "%s -> %s: %s", host_state_names[x->state], host_state_names[to], why);
    if (x->state == ONLINE) {
        x->last_uptime_s = x->report.uptime_s;
        if (to != ADMIN_OFFLINE)
            state_flap(e, h, p);
    }
    x->state = to;
    x->state_since = e->now;
    x->state_since_wall = e->wall;
    if (to == HARD_OFFLINE) {
        x->clean = x->sampled = false;
        x->extra[0] = 0;
    }
}

/* Somebody it could follow is in service. */
static bool state_peer_online(const struct engine *e, int h, int64_t *since)
{
    int s = engine_active_slot(e);
    int peer = e->conf.host[h].peer >= 0 ? e->conf.host[h].peer : s < 0 ? -1 : e->slot[s].holder;

    if (peer < 0 || peer == h || e->host[peer].state != ONLINE)
        return false;
    *since = e->host[peer].state_since;
    return check_good(e, peer, CK_PING) && check_good(e, peer, CK_MYSQL);
}

static const char *state_why_bad(const struct engine *e, int h, char *why, size_t size)
{
    const struct host *x = &e->host[h];
    enum check c = !check_good(e, h, CK_MYSQL) ? CK_MYSQL : CK_PING;

    if (x->dead_since && e->now - x->dead_since >= e->conf.on_crash_ms)
        snprintf(why, size, "its agent saw: %s", x->report.mysqld_why);
    else
        snprintf(why, size, "%s: %s", check_names[c], x->check[c].message);
    return why;
}

static void state_online(struct engine *e, int h, struct plan *p)
{
    struct host *x = &e->host[h];
    int s = engine_active_slot(e);
    char why[WHY_LEN + 32];
    int64_t since = 0;

    if (s >= 0 && e->slot[s].holder == h)
        return;
    if (x->extra[0]) {
        state_set(e, h, REPLICATION_FAIL, "has transactions nobody else has", p);
        return;
    }
    if (!state_peer_online(e, h, &since) || e->now - since < PEER_GRACE_MS)
        return;
    if (!check_good(e, h, CK_REP_THREADS)) {
        snprintf(why, sizeof why, "rep_threads: %s", x->check[CK_REP_THREADS].message);
        state_set(e, h, REPLICATION_FAIL, why, p);
    } else if (!check_good(e, h, CK_REP_BACKLOG)) {
        snprintf(why, sizeof why, "rep_backlog: %s", x->check[CK_REP_BACKLOG].message);
        state_set(e, h, REPLICATION_DELAY, why, p);
    }
}

static bool state_replicates(const struct engine *e, int h)
{
    const struct host *x = &e->host[h];
    int w = engine_writer(e), s = engine_active_slot(e);

    if (w == h)
        return true;
    if (w < 0) /* nobody to follow; but while somebody holds the role unheard, nothing is known */
        return s < 0 || e->slot[s].holder < 0 || e->slot[s].holder == h;
    return x->clean && x->order.serial && x->order.follow == FOLLOW_SOURCE &&
           x->report.settled >= x->order.serial && x->check[CK_REP_THREADS].known &&
           check_good(e, h, CK_REP_THREADS) && x->check[CK_REP_BACKLOG].known &&
           check_good(e, h, CK_REP_BACKLOG);
}

static void state_awaiting(struct engine *e, int h, struct plan *p)
{
    struct host *x = &e->host[h];
    int64_t down_s = x->report.uptime_s - x->last_uptime_s;

    if (x->extra[0]) {
        state_set(e, h, REPLICATION_FAIL, "has transactions nobody else has", p);
        return;
    }
    if (!state_replicates(e, h) || !host_live(e, h))
        return;
    if (x->flapping) {
        if (e->conf.auto_set_online_ms && e->now - x->state_since >= e->conf.flap_duration_ms) {
            x->flapping = false;
            state_set(e, h, ONLINE, "no longer flapping", p);
        }
        return;
    }
    if (x->last_uptime_s > 0 && down_s >= 0 && down_s < SHORT_DOWNTIME_S)
        state_set(e, h, ONLINE, "was away for less than a minute without a reboot", p);
    else if (e->conf.auto_set_online_ms && e->now - x->state_since >= e->conf.auto_set_online_ms)
        state_set(e, h, ONLINE, "auto_set_online", p);
}

static void state_replication(struct engine *e, int h, struct plan *p)
{
    struct host *x = &e->host[h];
    int s = engine_active_slot(e);
    char why[WHY_LEN + 32];

    if (x->extra[0]) {
        state_set(e, h, REPLICATION_FAIL, "has transactions nobody else has", p);
        return;
    }
    if (s >= 0 && e->slot[s].holder == h) { /* it follows nobody */
        if (engine_writer(e) == h)
            state_set(e, h, ONLINE, "open for writes", p);
        return;
    }
    if (!check_good(e, h, CK_REP_THREADS)) {
        snprintf(why, sizeof why, "rep_threads: %s", x->check[CK_REP_THREADS].message);
        state_set(e, h, REPLICATION_FAIL, why, p);
        return;
    }
    if (!state_replicates(e, h)) {
        if (x->state == REPLICATION_FAIL && x->check[CK_REP_THREADS].known &&
            !check_good(e, h, CK_REP_BACKLOG))
            state_set(e, h, REPLICATION_DELAY, "replicates again, but is behind", p);
        return;
    }
    state_set(e, h, x->flapping ? AWAITING_RECOVERY : ONLINE, "replicates again", p);
}

/* As far as this monitor knows. */
static bool state_holds(const struct engine *e, int h)
{
    for (unsigned s = 0; s < e->conf.names.slots; s++)
        if (e->slot[s].holder == h)
            return true;
    return false;
}

/* It went on under promises while this monitor could not see it. */
static bool state_kept_roles(const struct engine *e, int h)
{
    const struct msg_report *r = &e->host[h].report;
    bool kept = false;

    if (!host_live(e, h) || r->mysqld != MYSQLD_UP)
        return false;
    for (unsigned i = 0; i < r->n; i++)
        kept = kept || (r->slot[i].slot >= 0 && e->slot[r->slot[i].slot].holder == h &&
                        r->slot[i].hold == HOLD_HELD && r->slot[i].lease_ms > 0);
    return kept;
}

static void state_one(struct engine *e, int h, struct plan *p)
{
    struct host *x = &e->host[h];
    bool alive = check_good(e, h, CK_PING) && check_good(e, h, CK_MYSQL);
    bool known = x->check[CK_PING].known && x->check[CK_MYSQL].known;
    char why[WHY_LEN + 32];

    if (x->state == ADMIN_OFFLINE)
        return;
    if (!alive) {
        state_set(e, h, HARD_OFFLINE, state_why_bad(e, h, why, sizeof why), p);
        return;
    }
    switch (x->state) {
    case UNKNOWN:
        if (known)
            state_set(e, h, AWAITING_RECOVERY, "seen for the first time", p);
        return;
    case HARD_OFFLINE:
        if (!known || x->check[CK_MYSQL].last != RESULT_OK || x->check[CK_PING].last != RESULT_OK ||
            (state_holds(e, h) && !host_live(e, h)))
            return;
        if (state_kept_roles(e, h))
            state_set(e, h, ONLINE, "seen again, kept its roles meanwhile", p);
        else
            state_set(e, h, AWAITING_RECOVERY, "is back", p);
        return;
    case ONLINE:
        state_online(e, h, p);
        return;
    case AWAITING_RECOVERY:
        state_awaiting(e, h, p);
        return;
    default:
        state_replication(e, h, p);
    }
}

void states_work(struct engine *e, struct plan *p)
{
    for (unsigned h = 0; h < e->conf.names.hosts; h++)
        state_one(e, (int)h, p);
}
