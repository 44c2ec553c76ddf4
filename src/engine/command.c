/* SPDX-License-Identifier: GPL-2.0-or-later
 * What the operator orders: modes, hosts set online or offline, roles moved. */
#include "engine/engine_internal.h"
#include "engine/rules.h"

#include <inttypes.h>
#include <stdarg.h>

const char *const mode_names[MODE_N] = {
    [MODE_ACTIVE] = "active",
    [MODE_MANUAL] = "manual",
    [MODE_PASSIVE] = "passive",
    [MODE_WAIT] = "wait",
};

void command_answer(struct plan *p, uint64_t id, int code, const char *fmt, ...)
{
    struct action *act = plan_add(p, ACT_ANSWER);
    va_list ap;

    act->id = id;
    act->code = code;
    va_start(ap, fmt);
    vsnprintf(act->text, sizeof act->text, fmt, ap);
    va_end(ap);
}

static bool move_is_about(const struct engine *e, int h)
{
    return e->move.phase != MOVE_NONE && (e->move.from == h || e->move.to == h);
}

/* Dead is dead for every role. */
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
        command_answer(p, c->id, 1, "ERROR: %s", why);
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
        command_answer(p, c->id, 0, "OK: '%s' has all addresses of role '%s' already",
                       host_name(e, c->host), role);
        return;
    }
    e->slot[best].target = c->host;
    for (unsigned s = 0; s < e->conf.names.slots; s++) /* else one of its own went in exchange */
        if ((int)s == best || (e->conf.slot_role[s] == c->role && e->slot[s].holder == c->host))
            e->slot[s].pinned = true;
    if (e->slot[best].holder >= 0)
        slot_release(e, best, false);
    command_answer(p, c->id, 0, "OK: Address '%s' moves to '%s' and stays there",
                   slot_name(e, best), host_name(e, c->host));
}

static bool command_move_refused(struct engine *e, const struct engine_command *c, struct plan *p)
{
    if (e->mode == MODE_PASSIVE)
        command_answer(p, c->id, 1,
                       "ERROR: passive mode: nothing is moved; first: hamm ctl mode active");
    else if (c->lost >= 0 && c->lost == c->host)
        command_answer(p, c->id, 2, "ERROR: '%s' cannot be lost and get the role",
                       host_name(e, c->host));
    else if (c->lost >= 0 && host_live(e, c->lost) &&
             e->now - e->host[c->lost].report_at < host_lease(e, c->lost) / 4)
        command_answer(p, c->id, 1,
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
        command_answer(p, c->id, 1,
                       "ERROR: only the role that may be written to has anything to lose");
    else if (x->holder >= 0 && !frees)
        command_answer(p, c->id, 1, "ERROR: '%s' has the role: nothing is waited for",
                       host_name(e, x->holder));
    else if ((frees ? x->holder : x->last) != old || old == c->host)
        command_answer(p, c->id, 1,
                       "ERROR: what '%s' may have is not waited for; the last writer was '%s'",
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
    command_answer(p, c->id, 1, "ERROR: %s", asks);
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
        command_answer(p, c->id, 1,
                       "ERROR: %s is being moved to %s at this moment; try again when it is done",
                       slot_name(e, e->move.slot), host_name(e, e->move.to));
        return;
    }
    if (c->accept_loss && command_accepts(e, c, p))
        return;
    if (x->holder == c->host) {
        x->forced = c->force && !x->arrived;
        command_answer(p, c->id, 0, "OK: Role '%s' is already assigned to '%s'%s", role,
                       host_name(e, c->host), x->forced ? "; what it can't apply is given up" : "");
        return;
    }
    if (c->lost < 0 && x->holder >= 0 && !host_live(e, x->holder)) {
        command_answer(
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
        command_answer(p, c->id, 1, "ERROR: %s; see hamm ctl status%s", why,
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
    if (x->holder >= 0 && !host_dead(e, x->holder)) {
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
    command_answer(p, c->id, 0, "OK: Role '%s' goes to '%s' as soon as it is safe%s%s", role,
                   host_name(e, c->host), why[0] ? ": " : "", why);
}

static void command_online(struct engine *e, const struct engine_command *c, struct plan *p)
{
    struct host *x = &e->host[c->host];
    const char *name = host_name(e, c->host);

    if (x->state == ONLINE)
        command_answer(p, c->id, 0, "OK: This host is already ONLINE. Skipping command.");
    else if (x->state != ADMIN_OFFLINE && x->state != AWAITING_RECOVERY)
        command_answer(p, c->id, 1,
                       "ERROR: Host '%s' is '%s' at the moment. It can't be switched to ONLINE.",
                       name, host_state_names[x->state]);
    else if (!check_good(e, c->host, CK_PING) || !check_good(e, c->host, CK_MYSQL))
        command_answer(
            p, c->id, 1,
            "ERROR: Checks 'ping' and 'mysql' must be ok on '%s': see hamm ctl checks %s", name,
            name);
    else if (!host_live(e, c->host))
        command_answer(p, c->id, 1,
                       "ERROR: Can't reach the agent on '%s': is hamm agent running there?", name);
    else {
        x->flapping = false;
        x->flaps = 0;
        trap_restart(e, c->host, CK_REP_THREADS); /* which hamm had stopped */
        trap_restart(e, c->host, CK_REP_BACKLOG);
        state_set(e, c->host, ONLINE, "set online by the operator", p);
        command_answer(
            p, c->id, 0,
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
        command_answer(p, c->id, 0, "OK: This host is already ADMIN_OFFLINE. Skipping command.");
        return;
    }
    if (x->state != ONLINE && x->state != REPLICATION_FAIL && x->state != REPLICATION_DELAY) {
        command_answer(
            p, c->id, 1,
            "ERROR: Host '%s' is '%s' at the moment. It can't be switched to ADMIN_OFFLINE.", name,
            host_state_names[x->state]);
        return;
    }
    state_set(e, c->host, ADMIN_OFFLINE, "set offline by the operator", p);
    command_answer(
        p, c->id, 0,
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
        command_answer(p, c->id, 0, "OK: Already in %s mode.", mode_names[c->mode]);
        return;
    }
    if (c->mode == MODE_PASSIVE && e->move.phase > MOVE_LAG) {
        command_answer(p, c->id, 1,
                       "ERROR: %s is being moved to %s at this moment; try again when it is done",
                       slot_name(e, e->move.slot), host_name(e, e->move.to));
        return;
    }
    if (c->mode == MODE_PASSIVE && e->move.phase == MOVE_LAG)
        move_given_up(e, "passive mode was set", p);
    if (e->mode == MODE_PASSIVE)
        command_unfit_dropped(e, p);
    e->mode = c->mode;
    e->passive_why[0] = 0;
    plan_event(e, p, EVENT_NOTE, -1, "switched to %s mode by the operator", mode_names[c->mode]);
    command_answer(p, c->id, 0, "OK: Switched into %s mode.", mode_names[c->mode]);
}

static void command_set_ip(struct engine *e, const struct engine_command *c, struct plan *p)
{
    struct slot *x = &e->slot[c->slot];
    char why[WHY_LEN];

    if (e->mode != MODE_PASSIVE) {
        command_answer(p, c->id, 1,
                       "ERROR: set-ip works in passive mode only; in others: hamm ctl move-role");
        return;
    }
    if (!slot_fit(e, c->slot, c->host, true, why, sizeof why)) {
        command_answer(p, c->id, 1, "ERROR: %s", why);
        return;
    }
    x->target = c->host;
    x->pinned = true;
    command_answer(p, c->id, 0,
                   "OK: Set role '%s' to host '%s'; carried out in the next active or manual mode",
                   slot_name(e, c->slot), host_name(e, c->host));
}

void command_work(struct engine *e, const struct engine_command *c, struct plan *p)
{
    if (!engine_reigns(e)) {
        command_answer(p, c->id, 1, "ERROR: this monitor does not reign: %s", e->reign_why);
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
