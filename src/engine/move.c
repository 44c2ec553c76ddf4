/* SPDX-License-Identifier: GPL-2.0-or-later
 * Planned moves and the operator's other commands. A move of the writable slot:
 *
 *   LAG      the new one catches up, writes go on
 *   RELEASE  the old one blocks writes, then lets go (switchover_budget runs from here)
 *   PROMOTE  the new one applies everything the old one had, then opens
 *   BACK     something failed: the old one gets it back
 */
#include "base/clock.h"
#include "engine/engine_internal.h"
#include "engine/rules.h"

#include <inttypes.h>
#include <stdarg.h>

enum { LAG_NEAR_ZERO_MS = 1000, PREFER_RETRY_MS = 60000 };

const char *const mode_names[MODE_N] = {
    [MODE_ACTIVE] = "active",
    [MODE_MANUAL] = "manual",
    [MODE_PASSIVE] = "passive",
    [MODE_WAIT] = "wait",
};

static void answer(struct plan *p, uint64_t id, int code, const char *fmt, ...) PRINTF_LIKE(4, 5);
static void answer(struct plan *p, uint64_t id, int code, const char *fmt, ...)
{
    struct action *act = plan_add(p, ACT_ANSWER);
    va_list ap;

    act->id = id;
    act->code = code;
    va_start(ap, fmt);
    vsnprintf(act->text, sizeof act->text, fmt, ap);
    va_end(ap);
}

bool move_on(const struct engine *e, int s)
{
    return e->move.phase != MOVE_NONE && e->move.slot == s;
}

void move_step(struct engine *e, const char *fmt, ...)
{
    struct move *m = &e->move;
    va_list ap;

    if (m->steps == STEPS_MAX)
        return;
    m->step[m->steps].at = e->now;
    va_start(ap, fmt);
    vsnprintf(m->step[m->steps].what, sizeof m->step[m->steps].what, fmt, ap);
    va_end(ap);
    m->steps++;
}

static void move_outcome(const struct engine *e, bool ok, char *out, size_t size)
{
    const struct move *m = &e->move;
    const char *role = e->conf.role[e->conf.slot_role[m->slot]].name;

    if (ok && m->blocked)
        snprintf(out, size,
                 "OK: Role '%s' has been moved from '%s' to '%s'; writes were blocked for %" PRId64
                 " ms",
                 role, host_name(e, m->from), host_name(e, m->to), e->now - m->blocked);
    else if (ok)
        snprintf(out, size, "OK: Role '%s' has been moved from '%s' to '%s'", role,
                 host_name(e, m->from), host_name(e, m->to));
    else if (e->slot[m->slot].holder == m->from)
        snprintf(out, size, "ERROR: Role '%s' stays with '%s': %s", role, host_name(e, m->from),
                 m->error);
    else
        snprintf(out, size, "ERROR: Role '%s' is not moved to '%s': %s", role, host_name(e, m->to),
                 m->error);
}

static void move_end(struct engine *e, bool ok, struct plan *p)
{
    struct move *m = &e->move;
    struct action *act;
    char text[EVENT_LEN];
    size_t n;

    move_outcome(e, ok, text, sizeof text);
    plan_event(e, p, ok ? EVENT_NOTE : EVENT_WARN, ok ? m->to : m->from, "%s", text);
    if (!ok) {
        e->prefer_retry = e->now + PREFER_RETRY_MS;
        story_unplanned(e);
    }
    m->phase = MOVE_NONE;
    if (!m->id) /* nobody asked */
        return;
    e->slot[m->slot].pinned = e->slot[m->slot].pinned || ok;
    act = plan_add(p, ACT_ANSWER);
    act->id = m->id;
    act->code = ok ? 0 : 1;
    memcpy(act->text, text, sizeof act->text);
    for (unsigned i = 0; i < m->steps; i++) {
        n = strlen(act->text);
        snprintf(act->text + n, sizeof act->text - n, "\n%6" PRId64 " ms  %s",
                 m->step[i].at - m->started, m->step[i].what);
    }
}

void move_given_up(struct engine *e, const char *why, struct plan *p)
{
    if (e->move.phase == MOVE_NONE)
        return;
    snprintf(e->move.error, sizeof e->move.error, "given up: %s", why);
    move_end(e, false, p);
}

/* There is nothing to catch up with, and nobody who could take it back. */
static bool holder_dead(const struct engine *e, int h)
{
    return e->host[h].dead_since || e->host[h].state == HARD_OFFLINE;
}

static void move_fail(struct engine *e, struct plan *p, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void move_fail(struct engine *e, struct plan *p, const char *fmt, ...)
{
    struct move *m = &e->move;
    struct slot *x = &e->slot[m->slot];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(m->error, sizeof m->error, fmt, ap);
    va_end(ap);
    if (holder_dead(e, m->from)) { /* it could not take it back: from now on it is a failover */
        move_end(e, false, p);
        return;
    }
    move_step(e, "rolled back: %s", m->error);
    m->phase = MOVE_BACK;
    if (x->holder == m->from) {
        x->releasing = false;
        x->target = -1;
        e->host[m->from].reorder = true;
    } else if (x->holder == m->to) {
        x->target = m->from;
        slot_release(e, m->slot, false);
    } else {
        x->target = m->from;
    }
}

/* The old holder let go: what it had is what the new one has to reach. */
void move_released(struct engine *e, int s, int from, bool silent)
{
    struct move *m = &e->move;

    if (!move_on(e, s))
        return;
    move_step(e, "%s let go of %s%s", host_name(e, from), slot_name(e, s),
              silent                ? ": its lease is surely over"
              : slot_writable(e, s) ? ", writes blocked"
                                    : "");
    e->slot[s].target = m->phase == MOVE_BACK ? m->from : m->to;
    if (m->phase == MOVE_RELEASE)
        m->phase = MOVE_PROMOTE;
}

/* Seconds of lag are whole ones: what the old holder had when the move began must be there too. */
static bool move_caught_up(const struct engine *e, const struct move *m, char *why, size_t size)
{
    const struct msg_report *r = &e->host[m->to].report;

    if (!slot_writable(e, m->slot))
        return true;
    if (r->receiver != RECEIVER_YES || !r->applier)
        snprintf(why, size, "its %s does not run",
                 r->receiver != RECEIVER_YES ? "receiver" : "applier");
    else if (r->lag_ms < 0 || r->lag_ms >= LAG_NEAR_ZERO_MS)
        snprintf(why, size, "it is %" PRId64 " s behind", r->lag_ms < 0 ? -1 : r->lag_ms / 1000);
    else if (m->gtid[0] && !gtid_text_subset(e, m->from, m->gtid, m->to))
        snprintf(why, size, "it has not applied what %s had when the move began",
                 host_name(e, m->from));
    else
        return true;
    return false;
}

static bool move_arrived(const struct engine *e, const struct move *m, int h)
{
    const struct report_slot *r = host_report_slot(e, h, m->slot);

    if (e->slot[m->slot].holder != h || e->slot[m->slot].releasing || !r || r->hold != HOLD_HELD)
        return false;
    return !slot_writable(e, m->slot) || engine_writer(e) == h;
}

static void move_go(struct engine *e)
{
    struct move *m = &e->move;

    m->phase = MOVE_RELEASE;
    m->blocked = slot_writable(e, m->slot) ? e->now : 0;
    move_step(e, "%s %s, %s told to let go", host_name(e, m->to),
              e->slot[m->slot].forced     ? "was forced"
              : slot_writable(e, m->slot) ? "caught up"
                                          : "is fit",
              host_name(e, m->from));
    e->slot[m->slot].target = m->to;
    story_moves(e);
    slot_release(e, m->slot, false);
}

void move_begin(struct engine *e, uint64_t id, int slot, int to)
{
    e->move = (struct move){.phase = MOVE_LAG,
                            .id = id,
                            .slot = slot,
                            .from = e->slot[slot].holder,
                            .to = to,
                            .started = e->now};
    if (e->host[e->slot[slot].holder].report.facts)
        snprintf(e->move.gtid, sizeof e->move.gtid, "%s",
                 e->host[e->slot[slot].holder].report.gtid);
    move_step(e, "%s may get it", host_name(e, to));
    look_anew(e);
}

/* Writes go on until the new one is fit, close behind, and nobody and nothing is in the way. */
static void move_lag(struct engine *e, struct plan *p)
{
    struct move *m = &e->move;
    struct slot *x = &e->slot[m->slot];
    bool late = e->now - m->started > e->conf.catch_up_ms;
    bool caught_up, clear;
    char why[WHY_LEN] = "", error[WHY_LEN] = "";

    clear = slot_clear_for(e, m->slot, m->to, why, sizeof why);
    caught_up = clear && move_caught_up(e, m, why, sizeof why);
    if (e->mode == MODE_PASSIVE)
        snprintf(error, sizeof error, "passive mode");
    else if (x->holder != m->from)
        snprintf(error, sizeof error, "%s lost it meanwhile", host_name(e, m->from));
    else if (!slot_fit(e, m->slot, m->to, x->forced, why, sizeof why))
        memcpy(error, why, sizeof error);
    else if (look_over(e, caught_up, error, sizeof error) && caught_up) {
        move_go(e);
        return;
    } else if (!error[0] && late && !clear)
        memcpy(error, why, sizeof error);
    else if (!error[0] && late && !caught_up)
        snprintf(error, sizeof error, "%s did not catch up in %" PRId64 " s: %.120s",
                 host_name(e, m->to), e->conf.catch_up_ms / 1000, why);
    if (!error[0])
        return;
    snprintf(m->error, sizeof m->error, "%.200s%s", error,
             x->holder == m->from ? "; nothing was changed" : "");
    move_end(e, false, p);
}

/* The old holder could not take it back, somebody else has it now. */
static bool move_elsewhere(const struct engine *e)
{
    const struct slot *x = &e->slot[e->move.slot];

    return x->holder >= 0 && x->holder != e->move.from && x->arrived && !x->releasing;
}

void move_work(struct engine *e, struct plan *p)
{
    struct move *m = &e->move;
    struct slot *x = &e->slot[m->slot];
    bool late = m->blocked && e->now - m->blocked > e->conf.switchover_budget_ms;
    char why[WHY_LEN];

    if (e->mode == MODE_PASSIVE && m->phase > MOVE_LAG)
        return; /* nothing is moved, back neither */
    switch (m->phase) {
    case MOVE_NONE:
        return;
    case MOVE_LAG:
        move_lag(e, p);
        return;
    case MOVE_RELEASE:
        if (late)
            move_fail(e, p, "%s did not block writes within switchover_budget%s",
                      host_name(e, m->from), host_trouble(e, m->from, why, sizeof why));
        return;
    case MOVE_PROMOTE:
        if (move_arrived(e, m, m->to)) {
            move_step(e, "%s holds %s%s", host_name(e, m->to), slot_name(e, m->slot),
                      slot_writable(e, m->slot) ? ", open for writes" : "");
            move_end(e, true, p);
        } else if (late || (x->holder < 0 && x->target != m->to)) {
            move_fail(e, p, "%s did not open for writes%s%s", host_name(e, m->to),
                      late ? " within switchover_budget" : "",
                      host_trouble(e, m->to, why, sizeof why));
        }
        return;
    case MOVE_BACK:
        if (move_arrived(e, m, m->from)) {
            move_step(e, "%s holds %s again", host_name(e, m->from), slot_name(e, m->slot));
            move_end(e, false, p);
        } else if (move_elsewhere(e) ||
                   e->now - m->started > 10 * e->conf.switchover_budget_ms + e->conf.catch_up_ms) {
            move_end(e, false, p);
        }
        return;
    }
}

int64_t move_deadline(const struct engine *e)
{
    const struct move *m = &e->move;

    switch (m->phase) {
    case MOVE_LAG:
        return look_deadline(e, m->started + e->conf.catch_up_ms + 1);
    case MOVE_RELEASE:
    case MOVE_PROMOTE:
        return m->blocked ? m->blocked + e->conf.switchover_budget_ms + 1 : CLOCK_NEVER;
    default:
        return CLOCK_NEVER;
    }
}

/* Dead is dead for every role. */
static bool move_is_about(const struct engine *e, int h)
{
    return e->move.phase != MOVE_NONE && (e->move.from == h || e->move.to == h);
}

static void command_lost(struct engine *e, const struct engine_command *c, struct plan *p)
{
    plan_event(e, p, EVENT_WARN, c->lost, "declared dead by the operator");
    if (move_is_about(e, c->lost))
        move_given_up(e, "a host of it was declared dead", p);
    for (int s = 0; s < (int)e->conf.names.slots; s++) {
        if (e->slot[s].holder == c->lost)
            slot_free(e, s, "declared dead", true, p);
        e->slot[s].host[c->lost].maybe = false;
    }
}

static void command_move_balanced(struct engine *e, const struct engine_command *c, struct plan *p)
{
    const char *role = e->conf.role[c->role].name;
    char why[WHY_LEN];
    int best = -1;
    unsigned most = 0;

    if (!slot_fit(e, role_slot(e, c->role), c->host, false, why, sizeof why)) {
        answer(p, c->id, 1, "ERROR: %s", why);
        return;
    }
    if (c->lost >= 0)
        command_lost(e, c, p);
    for (unsigned s = 0; s < e->conf.names.slots; s++) {
        unsigned n = 0;

        if (e->conf.slot_role[s] != c->role || e->slot[s].holder == c->host || e->slot[s].releasing)
            continue;
        for (unsigned t = 0; t < e->conf.names.slots; t++)
            n += e->conf.slot_role[t] == c->role && e->slot[t].holder == e->slot[s].holder;
        if (best < 0 || n > most || e->slot[s].holder < 0) {
            best = (int)s;
            most = n;
        }
    }
    if (best < 0) {
        answer(p, c->id, 0, "OK: '%s' has all addresses of role '%s' already",
               host_name(e, c->host), role);
        return;
    }
    e->slot[best].target = c->host;
    for (unsigned s = 0; s < e->conf.names.slots; s++) /* else one of its own went in exchange */
        if ((int)s == best || (e->conf.slot_role[s] == c->role && e->slot[s].holder == c->host))
            e->slot[s].pinned = true;
    if (e->slot[best].holder >= 0)
        slot_release(e, best, false);
    answer(p, c->id, 0, "OK: Address '%s' moves to '%s' and stays there", slot_name(e, best),
           host_name(e, c->host));
}

static bool command_move_refused(struct engine *e, const struct engine_command *c, struct plan *p)
{
    if (e->mode == MODE_PASSIVE)
        answer(p, c->id, 1, "ERROR: passive mode: nothing is moved; first: hamm ctl mode active");
    else if (c->lost >= 0 && c->lost == c->host)
        answer(p, c->id, 2, "ERROR: '%s' cannot be lost and get the role", host_name(e, c->host));
    else if (c->lost >= 0 && host_live(e, c->lost) &&
             e->now - e->host[c->lost].report_at < host_lease(e, c->lost) / 4)
        answer(p, c->id, 1,
               "ERROR: the agent of '%s' was heard %" PRId64
               " ms ago: it is not lost; without --lost it is told to let go",
               host_name(e, c->lost), e->now - e->host[c->lost].report_at);
    else
        return false;
    return true;
}

/* It names the host whose transactions are given up: a command that was left lying about approves
 * nothing that happens later. True: it was refused. */
static bool command_accepts(struct engine *e, const struct engine_command *c, struct plan *p)
{
    int s = role_slot(e, c->role), old = 0;
    struct slot *x = &e->slot[s];
    bool frees = x->holder >= 0 && x->holder == c->lost; /* then it is the last one */

    while (!(c->accept_loss >> old & 1))
        old++;
    if (!slot_writable(e, s))
        answer(p, c->id, 1, "ERROR: only the role that may be written to has anything to lose");
    else if (x->holder >= 0 && !frees)
        answer(p, c->id, 1, "ERROR: '%s' has the role: nothing is waited for",
               host_name(e, x->holder));
    else if ((frees ? x->holder : x->last) != old || old == c->host)
        answer(p, c->id, 1, "ERROR: what '%s' may have is not waited for; the last writer was '%s'",
               host_name(e, old), host_name(e, frees ? x->holder : x->last));
    else {
        plan_event(e, p, EVENT_WARN, old, "the operator gives up what it alone may have");
        x->accepted = old;
        return false;
    }
    return true;
}

/* A role that nobody has waits for the operator's word, and this is not it. True: it was refused.
 */
static bool command_must_accept(struct engine *e, const struct engine_command *c, struct plan *p)
{
    int s = role_slot(e, c->role);
    char asks[PROBLEM_LEN];

    if (e->slot[s].holder >= 0 || c->lost >= 0 || gather_state(e, s, c->host) != GATHER_ASK)
        return false;
    tail_asks(e, s, c->host, asks, sizeof asks);
    answer(p, c->id, 1, "ERROR: %s", asks);
    return true;
}

static void command_move(struct engine *e, const struct engine_command *c, struct plan *p)
{
    int s = role_slot(e, c->role);
    struct slot *x = &e->slot[s];
    const char *role = e->conf.role[c->role].name;
    char why[PROBLEM_LEN];

    if (command_move_refused(e, c, p))
        return;
    if (!e->conf.role[c->role].exclusive) {
        command_move_balanced(e, c, p);
        return;
    }
    if (e->move.phase != MOVE_NONE && !(c->lost >= 0 && move_is_about(e, c->lost))) {
        answer(p, c->id, 1,
               "ERROR: %s is being moved to %s at this moment; try again when it is done",
               slot_name(e, e->move.slot), host_name(e, e->move.to));
        return;
    }
    if (c->accept_loss && command_accepts(e, c, p))
        return;
    if (x->holder == c->host) {
        x->forced = c->force && !x->arrived;
        answer(p, c->id, 0, "OK: Role '%s' is already assigned to '%s'%s", role,
               host_name(e, c->host), x->forced ? "; what it can't apply is given up" : "");
        return;
    }
    if (c->lost < 0 && x->holder >= 0 && !host_live(e, x->holder)) {
        answer(
            p, c->id, 1,
            "ERROR: '%s' has the role and its agent is not heard: it can't be told to let go. %s "
            "gets it when that lease is over%s; when it is surely dead: hamm ctl move-role "
            "--force --lost %s %s %s",
            host_name(e, x->holder), e->conf.keep ? "Nobody" : "Somebody fit",
            e->conf.keep ? " (on_monitor_loss: keep)" : "", host_name(e, x->holder), role,
            host_name(e, c->host));
        return;
    }
    if (!slot_fit(e, s, c->host, c->force, why, sizeof why)) {
        answer(p, c->id, 1, "ERROR: %s; see hamm ctl status%s", why,
               slot_writable(e, s) && e->host[c->host].state == ONLINE &&
                       slot_fit(e, s, c->host, true, NULL, 0)
                   ? "; --force overrides that"
                   : "");
        return;
    }
    if (command_must_accept(e, c, p))
        return;
    x->forced = c->force;
    if (c->lost >= 0)
        command_lost(e, c, p);
    if (x->holder >= 0 && !holder_dead(e, x->holder)) {
        move_begin(e, c->id, s, c->host);
        if (c->force &&
            (e->host[c->host].state == REPLICATION_FAIL || fit_barred(e, s, c->host, NULL, 0)))
            move_go(e); /* it will never catch up by itself */
        return;
    }
    x->target = c->host;
    x->pinned = true;
    if (x->holder >= 0)
        slot_release(e, s, true);
    why[0] = 0;
    if (x->holder >= 0)
        rule_sentence(e, held_rules.find(e, s, 0), s, why, sizeof why);
    else if (slot_clear_for(e, s, c->host, why, sizeof why) && gather_open(e, s, c->host))
        gather_waits(e, s, c->host, why, sizeof why);
    answer(p, c->id, 0, "OK: Role '%s' goes to '%s' as soon as it is safe%s%s", role,
           host_name(e, c->host), why[0] ? ": " : "", why);
}

static void command_online(struct engine *e, const struct engine_command *c, struct plan *p)
{
    struct host *x = &e->host[c->host];
    const char *name = host_name(e, c->host);

    if (x->state == ONLINE)
        answer(p, c->id, 0, "OK: This host is already ONLINE. Skipping command.");
    else if (x->state != ADMIN_OFFLINE && x->state != AWAITING_RECOVERY)
        answer(p, c->id, 1,
               "ERROR: Host '%s' is '%s' at the moment. It can't be switched to ONLINE.", name,
               host_state_names[x->state]);
    else if (!check_good(e, c->host, CK_PING) || !check_good(e, c->host, CK_MYSQL))
        answer(p, c->id, 1,
               "ERROR: Checks 'ping' and 'mysql' must be ok on '%s': see hamm ctl checks %s", name,
               name);
    else if (!host_live(e, c->host))
        answer(p, c->id, 1, "ERROR: Can't reach the agent on '%s': is hamm agent running there?",
               name);
    else {
        x->flapping = false;
        x->flaps = 0;
        trap_restart(e, c->host, CK_REP_THREADS); /* which hamm had stopped */
        trap_restart(e, c->host, CK_REP_BACKLOG);
        state_set(e, c->host, ONLINE, "set online by the operator", p);
        answer(p, c->id, 0,
               "OK: State of '%s' changed to ONLINE. Now you can wait some time and check its new "
               "roles!",
               name);
    }
}

static void command_offline(struct engine *e, const struct engine_command *c, struct plan *p)
{
    struct host *x = &e->host[c->host];
    const char *name = host_name(e, c->host);

    if (x->state == ADMIN_OFFLINE) {
        answer(p, c->id, 0, "OK: This host is already ADMIN_OFFLINE. Skipping command.");
        return;
    }
    if (x->state != ONLINE && x->state != REPLICATION_FAIL && x->state != REPLICATION_DELAY) {
        answer(p, c->id, 1,
               "ERROR: Host '%s' is '%s' at the moment. It can't be switched to ADMIN_OFFLINE.",
               name, host_state_names[x->state]);
        return;
    }
    state_set(e, c->host, ADMIN_OFFLINE, "set offline by the operator", p);
    answer(p, c->id, 0,
           "OK: State of '%s' changed to ADMIN_OFFLINE. Now you can wait some time and check all "
           "roles!",
           name);
}

/* Passive mode ends: whom set-ip named and who can't take it is forgotten, not kept for later. */
static void command_unfit_dropped(struct engine *e, struct plan *p)
{
    char why[WHY_LEN];

    for (unsigned s = 0; s < e->conf.names.slots; s++) {
        int to = e->slot[s].target;

        if (to < 0 || slot_fit(e, (int)s, to, false, why, sizeof why))
            continue;
        plan_event(e, p, EVENT_WARN, to, "%s: set-ip is forgotten: %s", slot_name(e, (int)s), why);
        e->slot[s].target = -1;
        e->slot[s].pinned = false;
    }
}

static void command_mode(struct engine *e, const struct engine_command *c, struct plan *p)
{
    if (e->mode == c->mode) {
        answer(p, c->id, 0, "OK: Already in %s mode.", mode_names[c->mode]);
        return;
    }
    if (c->mode == MODE_PASSIVE && e->move.phase > MOVE_LAG) {
        answer(p, c->id, 1,
               "ERROR: %s is being moved to %s at this moment; try again when it is done",
               slot_name(e, e->move.slot), host_name(e, e->move.to));
        return;
    }
    if (c->mode == MODE_PASSIVE && e->move.phase == MOVE_LAG) {
        snprintf(e->move.error, sizeof e->move.error, "passive mode was set");
        move_end(e, false, p);
    }
    if (e->mode == MODE_PASSIVE)
        command_unfit_dropped(e, p);
    e->mode = c->mode;
    e->passive_why[0] = 0;
    plan_event(e, p, EVENT_NOTE, -1, "switched to %s mode by the operator", mode_names[c->mode]);
    answer(p, c->id, 0, "OK: Switched into %s mode.", mode_names[c->mode]);
}

static void command_set_ip(struct engine *e, const struct engine_command *c, struct plan *p)
{
    struct slot *x = &e->slot[c->slot];
    char why[WHY_LEN];

    if (e->mode != MODE_PASSIVE) {
        answer(p, c->id, 1,
               "ERROR: set-ip works in passive mode only; in others: hamm ctl move-role");
        return;
    }
    if (!slot_fit(e, c->slot, c->host, true, why, sizeof why)) {
        answer(p, c->id, 1, "ERROR: %s", why);
        return;
    }
    x->target = c->host;
    x->pinned = true;
    answer(p, c->id, 0,
           "OK: Set role '%s' to host '%s'; carried out in the next active or manual mode",
           slot_name(e, c->slot), host_name(e, c->host));
}

void move_command(struct engine *e, const struct engine_command *c, struct plan *p)
{
    if (!engine_reigns(e)) {
        answer(p, c->id, 1, "ERROR: this monitor does not reign: %s", e->reign_why);
        return;
    }
    switch (c->verb) {
    case VERB_MODE:
        command_mode(e, c, p);
        return;
    case VERB_SET_ONLINE:
        command_online(e, c, p);
        return;
    case VERB_SET_OFFLINE:
        command_offline(e, c, p);
        return;
    case VERB_MOVE_ROLE:
        command_move(e, c, p);
        return;
    case VERB_SET_IP:
        command_set_ip(e, c, p);
        return;
    }
}
