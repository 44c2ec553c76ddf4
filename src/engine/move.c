/* SPDX-License-Identifier: GPL-2.0-or-later
 * Planned moves of the writable slot:
 *
 *   LAG      the new one catches up, writes go on
 *   RELEASE  the old one blocks writes, then lets go (switchover_budget runs from here)
 *   PROMOTE  the new one applies everything the old one had, then opens
 *   BACK     something failed: the old one gets it back
 */
#include "base/clock.h"
#include "engine/engine_internal.h"

#include <inttypes.h>
#include <stdarg.h>

enum { LAG_NEAR_ZERO_MS = 1000, PREFER_RETRY_MS = 60000 };

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

static void move_fail(struct engine *e, struct plan *p, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void move_fail(struct engine *e, struct plan *p, const char *fmt, ...)
{
    struct move *m = &e->move;
    struct slot *x = &e->slot[m->slot];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(m->error, sizeof m->error, fmt, ap);
    va_end(ap);
    if (host_dead(e, m->from)) { /* it could not take it back: from now on it is a failover */
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

void move_go(struct engine *e)
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
        } else if (x->holder < 0 && host_dead(e, m->from) &&
                   gather_state(e, m->slot, m->to) == GATHER_ASK) {
            move_fail(e, p,
                      "%s died before it told what it has, and data_loss is never; what can be "
                      "done: hamm ctl explain %s",
                      host_name(e, m->from), e->conf.role[e->conf.slot_role[m->slot]].name);
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
