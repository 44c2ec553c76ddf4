/* SPDX-License-Identifier: GPL-2.0-or-later
 * Host states as a table of rules: MMM's, without its defects (a host whose replication is broken
 * does not come into service because its peer died; who comes back from HARD_OFFLINE by way of
 * broken replication still waits to be let in; nothing here is asked over the network). */
#include "engine/engine_internal.h"
#include "engine/rules.h"

#include <inttypes.h>

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
        x->returning = true;
        x->clean = x->sampled = false;
        x->extra[0] = 0;
    } else if (to == ONLINE) {
        x->returning = false;
    }
}

/* ---- conditions ---- */

static int writer_role_holder(const struct engine *e)
{
    int s = engine_active_slot(e);

    return s < 0 ? -1 : e->slot[s].holder;
}

static bool proven_dead(const struct engine *e, int h)
{
    return e->host[h].dead_since && e->now - e->host[h].dead_since >= e->conf.on_crash_ms;
}

static bool network_down(const struct engine *e, int h)
{
    return e->network_down && !proven_dead(e, h);
}

static bool dead(const struct engine *e, int h)
{
    return !check_good(e, h, CK_PING) || !check_good(e, h, CK_MYSQL);
}

static bool unjudged(const struct engine *e, int h)
{
    return !e->host[h].check[CK_PING].known || !e->host[h].check[CK_MYSQL].known;
}

static bool not_answering(const struct engine *e, int h)
{
    return unjudged(e, h) || e->host[h].check[CK_MYSQL].last != RESULT_OK ||
           e->host[h].check[CK_PING].last != RESULT_OK;
}

static bool holds_something(const struct engine *e, int h)
{
    for (unsigned s = 0; s < e->conf.names.slots; s++)
        if (e->slot[s].holder == h)
            return true;
    return false;
}

static bool unheard(const struct engine *e, int h)
{
    return !host_live(e, h);
}

/* It went on under promises while this monitor could not see it. */
static bool kept_roles(const struct engine *e, int h)
{
    const struct msg_report *r = &e->host[h].report;

    if (!host_live(e, h) || r->mysqld != MYSQLD_UP)
        return false;
    for (unsigned i = 0; i < r->n; i++)
        if (r->slot[i].slot >= 0 && e->slot[r->slot[i].slot].holder == h &&
            r->slot[i].hold == HOLD_HELD && r->slot[i].lease_ms > 0)
            return true;
    return false;
}

static bool has_extra(const struct engine *e, int h)
{
    return e->host[h].extra[0];
}

static bool has_writer_role(const struct engine *e, int h)
{
    return writer_role_holder(e) == h;
}

static bool is_writer(const struct engine *e, int h)
{
    return engine_writer(e) == h;
}

/* Nobody whom it could follow is in service and answers. */
static bool no_source(const struct engine *e, int h)
{
    int from = writer_role_holder(e);
    const struct host *x = from < 0 ? NULL : &e->host[from];

    return from < 0 || from == h || x->state != ONLINE || dead(e, from) || x->dead_since ||
           x->check[CK_PING].last != RESULT_OK || x->check[CK_MYSQL].last != RESULT_OK;
}

static bool has_source(const struct engine *e, int h)
{
    return !no_source(e, h);
}

static bool source_just_back(const struct engine *e, int h)
{
    return !no_source(e, h) && e->now - e->host[writer_role_holder(e)].state_since < PEER_GRACE_MS;
}

/* It was told whom to follow and its receiver stopped by itself, or it tried and says why it can't:
 * that doesn't heal by waiting, as a source that is just starting does. */
static bool cannot_follow(const struct engine *e, int h)
{
    const struct host *x = &e->host[h];
    const struct msg_report *r = &x->report;

    if (!x->order.serial || x->order.follow != FOLLOW_SOURCE || r->serial < x->order.serial)
        return false;
    return r->settled < x->order.serial ? r->problem[0] && r->receiver != RECEIVER_YES
                                        : r->receiver == RECEIVER_NO;
}

static bool may_follow_yet(const struct engine *e, int h)
{
    return !cannot_follow(e, h);
}

static bool threads_bad(const struct engine *e, int h)
{
    return !check_good(e, h, CK_REP_THREADS);
}

static bool backlog_bad(const struct engine *e, int h)
{
    return !check_good(e, h, CK_REP_BACKLOG);
}

static bool replication_bad(const struct engine *e, int h)
{
    return threads_bad(e, h) || backlog_bad(e, h);
}

static bool follows_as_told(const struct engine *e, int h)
{
    const struct host *x = &e->host[h];

    return x->clean && x->order.serial && x->order.follow == FOLLOW_SOURCE &&
           x->report.settled >= x->order.serial;
}

/* While somebody may hold the writer role unheard, nothing is known about anybody. */
static bool writer_unheard(const struct engine *e, int h)
{
    int from = writer_role_holder(e);

    return engine_writer(e) < 0 && from >= 0 && from != h;
}

/* It was away while another one wrote, who is gone: what it lacks may not be lost yet. */
static bool lacks_last(const struct engine *e, int h)
{
    int s = engine_active_slot(e);
    const struct slot *x = s < 0 ? NULL : &e->slot[s];

    if (!x || x->holder >= 0 || x->last < 0 || x->last == h)
        return false;
    return !x->wrote[0] || !gtid_text_subset(e, h, x->wrote, h);
}

static bool not_compared(const struct engine *e, int h)
{
    return engine_writer(e) >= 0 && engine_writer(e) != h && !e->host[h].clean;
}

static bool not_replicating(const struct engine *e, int h)
{
    const struct host *x = &e->host[h];

    if (engine_writer(e) < 0 || engine_writer(e) == h)
        return false;
    return !follows_as_told(e, h) || !x->check[CK_REP_THREADS].known || threads_bad(e, h) ||
           !x->check[CK_REP_BACKLOG].known || backlog_bad(e, h);
}

static bool nobody_writes(const struct engine *e, int h)
{
    (void)h;
    return engine_writer(e) < 0;
}

static bool over_half(const struct engine *e, int h)
{
    return e->host[h].lag_ms > e->conf.max_backlog_ms / 2;
}

static int64_t steady_left(const struct engine *e, int h)
{
    int64_t left = 0;

    for (enum check c = CK_REP_THREADS; c <= CK_REP_BACKLOG; c++) {
        const struct check_state *cs = &e->host[h].check[c];
        int64_t one = cs->last == RESULT_OK ? cs->good_since + e->conf.trap_ms[c] - e->now
                                            : e->conf.trap_ms[c] + 1; /* begins anew */

        left = one > left ? one : left;
    }
    return left;
}

static bool not_steady(const struct engine *e, int h)
{
    return steady_left(e, h) > 0;
}

static bool flapping(const struct engine *e, int h)
{
    return e->host[h].flapping;
}

static bool returning(const struct engine *e, int h)
{
    return e->host[h].returning;
}

static int64_t calm_left(const struct engine *e, int h)
{
    return e->host[h].state_since + e->conf.flap_duration_ms - e->now;
}

static bool calm(const struct engine *e, int h)
{
    return e->conf.auto_set_online_ms && calm_left(e, h) <= 0;
}

static bool short_downtime(const struct engine *e, int h)
{
    const struct host *x = &e->host[h];
    int64_t down_s = x->report.uptime_s - x->last_uptime_s;

    return x->last_uptime_s > 0 && down_s >= 0 && down_s < SHORT_DOWNTIME_S;
}

static bool auto_on(const struct engine *e, int h)
{
    (void)h;
    return e->conf.auto_set_online_ms > 0;
}

static int64_t auto_left(const struct engine *e, int h)
{
    return e->host[h].state_since + e->conf.auto_set_online_ms - e->now;
}

static bool auto_due(const struct engine *e, int h)
{
    return auto_on(e, h) && auto_left(e, h) <= 0;
}

/* ---- the ends of sentences ---- */

static void check_says(const struct engine *e, int h, enum check c, char *out, size_t size)
{
    snprintf(out, size, "%s: %s", check_names[c], e->host[h].check[c].message);
}

static void say_dead(const struct engine *e, int h, char *out, size_t size)
{
    if (proven_dead(e, h))
        snprintf(out, size, "its agent saw: %s", e->host[h].report.mysqld_why);
    else
        check_says(e, h, !check_good(e, h, CK_MYSQL) ? CK_MYSQL : CK_PING, out, size);
}

static void say_unanswered(const struct engine *e, int h, char *out, size_t size)
{
    check_says(e, h, e->host[h].check[CK_PING].last != RESULT_OK ? CK_PING : CK_MYSQL, out, size);
}

static void say_network(const struct engine *e, int h, char *out, size_t size)
{
    (void)h;
    snprintf(out, size, ": %s", e->network_message);
}

static void say_extra(const struct engine *e, int h, char *out, size_t size)
{
    if (place_used(e, h))
        snprintf(out, size, "cannot follow the writer: %.220s", e->host[h].extra);
    else
        snprintf(out, size, "has transactions nobody else has: %.120s", e->host[h].extra);
}

static void say_threads(const struct engine *e, int h, char *out, size_t size)
{
    check_says(e, h, CK_REP_THREADS, out, size);
}

static void say_backlog(const struct engine *e, int h, char *out, size_t size)
{
    check_says(e, h, CK_REP_BACKLOG, out, size);
}

static void say_replication(const struct engine *e, int h, char *out, size_t size)
{
    snprintf(out, size, " (%s: %s)",
             check_names[threads_bad(e, h) ? CK_REP_THREADS : CK_REP_BACKLOG],
             e->host[h].check[threads_bad(e, h) ? CK_REP_THREADS : CK_REP_BACKLOG].message);
}

static void say_unheard_writer(const struct engine *e, int h, char *out, size_t size)
{
    (void)h;
    snprintf(out, size, "%s may be the writer and is not heard",
             host_name(e, writer_role_holder(e)));
}

static void say_lacks(const struct engine *e, int h, char *out, size_t size)
{
    const struct slot *x = &e->slot[engine_active_slot(e)];

    snprintf(out, size,
             "%s wrote last and %s: waits for %s, or for the operator: hamm ctl set-online %s",
             host_name(e, x->last),
             x->wrote[0] ? "has transactions it lacks" : "may have transactions it lacks",
             host_name(e, x->last), host_name(e, h));
}

static void say_name(const struct engine *e, int h, char *out, size_t size)
{
    snprintf(out, size, " %s", host_name(e, h));
}

static void say_seconds(int64_t ms, char *out, size_t size)
{
    snprintf(out, size, ", in %" PRId64 " s", ms > 0 ? (ms + 999) / 1000 : 0);
}

static void say_grace(const struct engine *e, int h, char *out, size_t size)
{
    (void)h;
    say_seconds(e->host[writer_role_holder(e)].state_since + PEER_GRACE_MS - e->now, out, size);
}

static void say_auto(const struct engine *e, int h, char *out, size_t size)
{
    say_seconds(auto_left(e, h), out, size);
}

static void say_steady(const struct engine *e, int h, char *out, size_t size)
{
    say_seconds(steady_left(e, h), out, size);
}

static void say_half(const struct engine *e, int h, char *out, size_t size)
{
    snprintf(out, size, ": %" PRId64 " s now, back in service at %" PRId64 " s",
             e->host[h].lag_ms / 1000, e->conf.max_backlog_ms / 2000);
}

static void say_flapping(const struct engine *e, int h, char *out, size_t size)
{
    if (e->conf.auto_set_online_ms)
        snprintf(out, size, " %s, or flap_duration without a fault, in %" PRId64 " s",
                 host_name(e, h), (calm_left(e, h) + 999) / 1000);
    else
        say_name(e, h, out, size);
}

/* ---- the table ---- */

#define IN(state) (1u << (state))
#define ANY       (~0u)
#define LATE      (IN(REPLICATION_DELAY) | IN(REPLICATION_FAIL))

#define STATE_ROW(name_, from_, to_, why_, detail_, ...)                                           \
    {.name = name_, .to = to_, .why = why_, .detail = detail_},
#define STATE_IF(name_, from_, to_, why_, detail_, ...)                                            \
    if ((from_)&from && RULE_HOLDS(e, subject, ##__VA_ARGS__))                                     \
        return rule;                                                                               \
    rule++;

/* clang-format off */
#define STATE_RULES(RULE) \
    RULE("taken-out", IN(ADMIN_OFFLINE), STAY, \
         "taken out of service by the operator, until hamm ctl set-online", say_name) \
    RULE("network-down", ANY, STAY, \
         "nothing is judged while the monitor's own network is down", say_network, network_down) \
    RULE("dead", ANY & ~IN(HARD_OFFLINE), HARD_OFFLINE, "", say_dead, dead) \
    RULE("still-dead", IN(HARD_OFFLINE), STAY, "", say_dead, dead) \
    RULE("unjudged", IN(UNKNOWN), STAY, "its checks have not answered yet", NULL, unjudged) \
    RULE("first-seen", IN(UNKNOWN), AWAITING_RECOVERY, "seen for the first time", NULL) \
    RULE("not-answering", IN(HARD_OFFLINE), STAY, "", say_unanswered, not_answering) \
    RULE("holder-unheard", IN(HARD_OFFLINE), STAY, \
         "answers its checks, but it may hold roles and its agent is not " \
         "heard", NULL, holds_something, unheard) \
    RULE("kept-roles", IN(HARD_OFFLINE), ONLINE, \
         "seen again, kept its roles meanwhile", NULL, kept_roles) \
    RULE("back", IN(HARD_OFFLINE), AWAITING_RECOVERY, "is back", NULL) \
    RULE("is-writer", IN(ONLINE), STAY, \
         "has the writer role, follows nobody", NULL, has_writer_role) \
    RULE("extra-transactions", IN(ONLINE) | IN(AWAITING_RECOVERY) | IN(REPLICATION_DELAY), \
         REPLICATION_FAIL, "", say_extra, has_extra) \
    RULE("extra-transactions-stay", IN(REPLICATION_FAIL), STAY, \
         "", say_extra, has_extra) \
    RULE("nobody-to-follow", IN(ONLINE), STAY, \
         "nobody whom it could follow is in service: its replication is not held against " \
         "it", say_replication, replication_bad, no_source) \
    RULE("source-just-back", IN(ONLINE), STAY, \
         "whom it follows has just come into service: its replication is judged after a " \
         "minute", say_grace, replication_bad, source_just_back, may_follow_yet) \
    RULE("threads-stopped", IN(ONLINE), REPLICATION_FAIL, "", say_threads, threads_bad) \
    RULE("behind", IN(ONLINE), REPLICATION_DELAY, "", say_backlog, backlog_bad) \
    RULE("fine", IN(ONLINE), STAY, "no check is bad", NULL) \
    RULE("writer-open", IN(AWAITING_RECOVERY) | LATE, ONLINE, "open for writes", NULL, is_writer) \
    RULE("writer-opening", IN(AWAITING_RECOVERY) | LATE, STAY, \
         "has the writer role, not open for writes yet", NULL, has_writer_role) \
    RULE("agent-unheard", IN(AWAITING_RECOVERY), STAY, "its agent is not heard", NULL, unheard) \
    RULE("writer-unheard", IN(AWAITING_RECOVERY), STAY, "", say_unheard_writer, writer_unheard) \
    RULE("lacks-last-writes", IN(AWAITING_RECOVERY), STAY, "", say_lacks, lacks_last) \
    RULE("not-compared", IN(AWAITING_RECOVERY), STAY, \
         "its transactions are being compared with the writer's", NULL, not_compared) \
    RULE("returned-broken", IN(AWAITING_RECOVERY), REPLICATION_FAIL, \
         "", say_threads, follows_as_told, has_source, threads_bad) \
    RULE("returned-behind", IN(AWAITING_RECOVERY), REPLICATION_DELAY, \
         "", say_backlog, follows_as_told, has_source, backlog_bad) \
    RULE("not-replicating", IN(AWAITING_RECOVERY), STAY, \
         "replication from the writer has not been seen to work yet", NULL, not_replicating) \
    RULE("calmed-down", IN(AWAITING_RECOVERY), ONLINE, \
         "was flapping, then without a fault for flap_duration", NULL, flapping, calm) \
    RULE("flapping", IN(AWAITING_RECOVERY), STAY, \
         "was flapping: stays out until hamm ctl set-online", say_flapping, flapping) \
    RULE("short-downtime", IN(AWAITING_RECOVERY), ONLINE, \
         "was away for less than a minute without a reboot", NULL, short_downtime) \
    RULE("auto-set-online", IN(AWAITING_RECOVERY), ONLINE, "auto_set_online", NULL, auto_due) \
    RULE("auto-pending", IN(AWAITING_RECOVERY), STAY, \
         "auto_set_online lets it in", say_auto, auto_on) \
    RULE("waits-for-operator", IN(AWAITING_RECOVERY), STAY, \
         "waits for the operator: hamm ctl set-online", say_name) \
    RULE("delayed-alone", IN(REPLICATION_DELAY), STAY, \
         "is behind; nobody whom it could follow is in service", NULL, replication_bad, no_source) \
    RULE("delayed-stopped", IN(REPLICATION_DELAY), REPLICATION_FAIL, "", say_threads, threads_bad) \
    RULE("still-stopped", IN(REPLICATION_FAIL), STAY, "", say_threads, threads_bad) \
    RULE("again-but-behind", IN(REPLICATION_FAIL), REPLICATION_DELAY, \
         "replicates again, but is behind: ", say_backlog, backlog_bad) \
    RULE("still-behind", IN(REPLICATION_DELAY), STAY, "", say_backlog, backlog_bad) \
    RULE("nothing-to-follow", LATE, STAY, "there is no writer to follow", NULL, nobody_writes) \
    RULE("half-way", LATE, STAY, \
         "its lag must fall below half of max_backlog", say_half, over_half) \
    RULE("not-following-yet", LATE, STAY, \
         "replication from the writer has not been seen to work yet", NULL, not_replicating) \
    RULE("not-steady", LATE, STAY, \
         "replicates again; back when that has held for the trap period", say_steady, not_steady) \
    RULE("recovered-flapping", LATE, AWAITING_RECOVERY, \
         "replicates again, but was flapping", NULL, flapping) \
    RULE("recovered-returning", LATE, AWAITING_RECOVERY, \
         "replicates again; was dead before", NULL, returning) \
    RULE("recovered", LATE, ONLINE, "replicates again", NULL)
/* clang-format on */
RULES(state_rules, STATE_RULES, STATE_ROW, STATE_IF)

void states_work(struct engine *e, struct plan *p)
{
    for (unsigned h = 0; h < e->conf.names.hosts; h++) {
        const struct rule *r = state_rules.find(e, (int)h, IN(e->host[h].state));

        rule_note(e, r);
        if (r->to != STAY) {
            char why[WHY_LEN];

            rule_sentence(e, r, (int)h, why, sizeof why);
            state_set(e, (int)h, (enum host_state)r->to, why, p);
        }
    }
}
