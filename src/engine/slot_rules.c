/* SPDX-License-Identifier: GPL-2.0-or-later
 * When a slot changes hands, as two tables: of slots that somebody holds and of slots that nobody
 * holds. What a rule leans on is proven in slots.c. */
#include "base/clock.h"
#include "engine/engine_internal.h"
#include "engine/rules.h"

#include <inttypes.h>

static int holder(const struct engine *e, int s)
{
    return e->slot[s].holder;
}

static enum host_state holder_state(const struct engine *e, int s)
{
    return e->host[holder(e, s)].state;
}

static const struct slot_host *held(const struct engine *e, int s)
{
    return &e->slot[s].host[holder(e, s)];
}

/* ---- conditions of held slots ---- */

static bool released(const struct engine *e, int s)
{
    return !held(e, s)->maybe;
}

static bool silent(const struct engine *e, int s)
{
    return !host_live(e, holder(e, s));
}

static bool releasing(const struct engine *e, int s)
{
    return e->slot[s].releasing;
}

static bool lease_over(const struct engine *e, int s)
{
    const struct slot *x = &e->slot[s];

    if (e->network_down || e->now < e->grace_until || e->now < slot_out_at(e, s, holder(e, s)) ||
        e->now - x->assigned_at < host_lease(e, holder(e, s)) / 2)
        return false;
    return silent(e, s) || x->releasing; /* outside of a move it gets no more leases */
}

static bool passive(const struct engine *e, int s)
{
    (void)s;
    return e->mode == MODE_PASSIVE;
}

static bool named_other(const struct engine *e, int s)
{
    return e->slot[s].target >= 0 && e->slot[s].target != holder(e, s) && !move_on(e, s);
}

static bool named_fit(const struct engine *e, int s)
{
    return slot_fit(e, s, e->slot[s].target, false, NULL, 0) && e->move.phase == MOVE_NONE;
}

static bool taken_out(const struct engine *e, int s)
{
    return holder_state(e, s) == ADMIN_OFFLINE;
}

static bool unfit(const struct engine *e, int s)
{
    return holder_state(e, s) != ONLINE && holder_state(e, s) != UNKNOWN;
}

static bool hands_off(const struct engine *e, int s)
{
    (void)s;
    return e->mode == MODE_MANUAL || e->mode == MODE_WAIT;
}

static bool dead(const struct engine *e, int s)
{
    return holder_state(e, s) == HARD_OFFLINE;
}

static bool checks_good(const struct engine *e, int s)
{
    return check_good(e, holder(e, s), CK_PING) && check_good(e, holder(e, s), CK_MYSQL);
}

/* Its agent has not been heard since its checks began to fail: perhaps it is this monitor that is
 * cut off, and the order to let go would reach it when everything is well again. */
static bool not_heard_since(const struct engine *e, int s)
{
    const struct host *h = &e->host[holder(e, s)];
    int64_t since = 0;

    for (enum check c = CK_PING; c <= CK_MYSQL; c++)
        if (!check_good(e, holder(e, s), c) && h->check[c].error_since > since)
            since = h->check[c].error_since;
    return !h->dead_since && h->report_at <= since + e->conf.lease_ms / 12;
}

static bool back(const struct engine *e, int s)
{
    return !slot_writable(e, s) && holder_state(e, s) == AWAITING_RECOVERY;
}

static bool replication_bad(const struct engine *e, int s)
{
    return !slot_writable(e, s) &&
           (holder_state(e, s) == REPLICATION_DELAY || holder_state(e, s) == REPLICATION_FAIL);
}

static bool late(const struct engine *e, int s)
{
    return replication_bad(e, s) || back(e, s);
}

static bool balanced(const struct engine *e, int s)
{
    return !e->conf.role[e->conf.slot_role[s]].exclusive;
}

static bool nobody_better(const struct engine *e, int s)
{
    unsigned n;
    int role = e->conf.slot_role[s];

    return e->conf.role[role].last_resort == RESORT_KEEP && balance_least(e, role, s, &n) < 0;
}

static bool stands_in(const struct engine *e, int s)
{
    return !(role_hosts(e, e->conf.slot_role[s]) >> holder(e, s) & 1);
}

static bool regular_fit(const struct engine *e, int s)
{
    unsigned n;

    return balance_least(e, e->conf.slot_role[s], s, &n) >= 0;
}

/* Its commits wait, whatever its checks say of that. */
static bool full(const struct engine *e, int s)
{
    const struct msg_report *r = &e->host[holder(e, s)].report;

    return slot_writable(e, s) && r->disk_full && r->mysqld != MYSQLD_DEAD && !silent(e, s) &&
           !move_on(e, s);
}

static bool no_heir(const struct engine *e, int s)
{
    return slot_heir(e, s, NULL, 0) < 0;
}

static bool full_lately(const struct engine *e, int s)
{
    return trap_disk_left(e, holder(e, s)) > 0;
}

static bool opening(const struct engine *e, int s)
{
    return slot_writable(e, s) && !e->slot[s].arrived;
}

static bool too_slow(const struct engine *e, int s)
{
    int64_t patience = e->slot[s].fetched ? FETCH_MS : e->conf.catch_up_ms;

    return e->mode == MODE_ACTIVE && e->now - e->slot[s].assigned_at >= patience && !silent(e, s) &&
           !move_on(e, s);
}

/* ---- what is done about them ---- */

static void then_freed(struct engine *e, int s, struct plan *p)
{
    slot_free(e, s, "released", false, p);
}

static void then_freed_silently(struct engine *e, int s, struct plan *p)
{
    slot_free(e, s, "its lease is surely over, unless others promised to wait", true, p);
}

static void then_leave(struct engine *e, int s, struct plan *p)
{
    story_begins(e, s, holder(e, s), false);
    plan_event(e, p, EVENT_NOTE, holder(e, s), "%s: %s must let go, it is %s", slot_name(e, s),
               host_name(e, holder(e, s)), host_state_names[holder_state(e, s)]);
    slot_release(e, s, dead(e, s));
}

/* As one that hangs: read_only does not get through while commits wait. */
static void then_full(struct engine *e, int s, struct plan *p)
{
    story_begins(e, s, holder(e, s), false);
    plan_event(e, p, EVENT_WARN, holder(e, s), "%s: %s must let go, its disk is full",
               slot_name(e, s), host_name(e, holder(e, s)));
    slot_release(e, s, true);
}

static void then_named(struct engine *e, int s, struct plan *p)
{
    plan_event(e, p, EVENT_NOTE, holder(e, s), "%s: goes to %s as the operator said",
               slot_name(e, s), host_name(e, e->slot[s].target));
    if (balanced(e, s)) {
        slot_release(e, s, false);
        return;
    }
    move_begin(e, 0, s, e->slot[s].target);
    e->slot[s].target = -1;
}

static void then_regular(struct engine *e, int s, struct plan *p)
{
    unsigned n;

    e->slot[s].target = balance_least(e, e->conf.slot_role[s], s, &n);
    plan_event(e, p, EVENT_NOTE, holder(e, s), "%s: %s stood in, %s is fit again", slot_name(e, s),
               host_name(e, holder(e, s)), host_name(e, e->slot[s].target));
    slot_release(e, s, false);
}

/* It was ordered to take the writable slot and is still not open: somebody else shall. */
static void then_next(struct engine *e, int s, struct plan *p)
{
    struct slot *x = &e->slot[s];
    int h = x->holder;

    x->assigned_at = e->now;
    if (x->reach[0] && tail_never(e)) {
        plan_event(e, p, EVENT_WARN, h, "could not reach what %s had, and data_loss is never",
                   host_name(e, x->fetched ? x->fetch_from : x->last));
        slot_release(e, s, false);
        return;
    }
    if (x->reach[0]) {
        plan_event(e, p, EVENT_WARN, h, "could not reach what %s had: goes on without it, %.600s",
                   host_name(e, x->fetched ? x->fetch_from : x->last), x->reach);
        x->reach[0] = 0;
        x->fetched = false;
        return;
    }
    if (e->host[h].state == ONLINE)
        state_set(e, h, REPLICATION_DELAY, "did not catch up in catch_up_timeout", p);
    for (unsigned c = 0; c < e->conf.names.hosts; c++) {
        if ((int)c != h && slot_fit(e, s, (int)c, false, NULL, 0))
            slot_release(e, s, false);
    }
}

/* ---- the ends of their sentences ---- */

static void say_out(const struct engine *e, int s, char *out, size_t size)
{
    int64_t at = slot_out_at(e, s, holder(e, s));

    if (at == CLOCK_NEVER)
        snprintf(out, size,
                 "; on_monitor_loss is keep, so only the operator may say it is dead: "
                 "move-role --force %s HOST --lost %s",
                 e->conf.role[e->conf.slot_role[s]].name, host_name(e, holder(e, s)));
    else
        snprintf(out, size, "; its lease is surely over in %" PRId64 " ms",
                 at > e->now ? at - e->now : 0);
}

static void say_releasing(const struct engine *e, int s, char *out, size_t size)
{
    if (silent(e, s))
        say_out(e, s, out, size);
    else if (e->slot[s].target >= 0)
        snprintf(out, size, "; %s shall have it", host_name(e, e->slot[s].target));
}

static void say_state(const struct engine *e, int s, char *out, size_t size)
{
    snprintf(out, size, "%s", host_state_names[holder_state(e, s)]);
}

static void say_heir(const struct engine *e, int s, char *out, size_t size)
{
    (void)slot_heir(e, s, out, size);
}

static void say_full(const struct engine *e, int s, char *out, size_t size)
{
    snprintf(out, size, " within %" PRId64 " s", (trap_disk_left(e, holder(e, s)) + 999) / 1000);
}

static void say_cause(const struct engine *e, int s, char *out, size_t size)
{
    (void)s;
    if (e->passive_why[0])
        snprintf(out, size, " (%.200s)", e->passive_why);
}

static void say_problem(const struct engine *e, int s, char *out, size_t size)
{
    const char *problem = e->host[holder(e, s)].report.problem;

    if (*problem)
        snprintf(out, size, ": %.160s", problem);
}

/* clang-format off */
#define HELD_RULES(RULE) \
    RULE("released", then_freed, "has let go", NULL, released) \
    RULE("lease-over", then_freed_silently, "its lease is surely over", NULL, lease_over) \
    RULE("releasing", NULL, "is letting go", say_releasing, releasing) \
    RULE("passive-held", NULL, "passive mode: nothing is moved", say_cause, passive) \
    RULE("named-other", then_named, \
         "the operator named somebody else", NULL, named_other, named_fit) \
    RULE("taken-out-leaves", then_leave, "was taken out of service", NULL, taken_out) \
    RULE("hands-off", NULL, \
         "stays where it is in this mode although its holder is ", say_state, unfit, hands_off) \
    RULE("full-hands-off", NULL, \
         "has it and its disk is full: stays where it is in this mode", NULL, full, hands_off) \
    RULE("full-no-heir", NULL, \
         "has it and its disk is full, and nobody else can take it: ", say_heir, full, no_heir) \
    RULE("full-lately", NULL, \
         "has it and its disk is full: somebody else gets it unless there is room", \
         say_full, full, full_lately) \
    RULE("full-leaves", then_full, "its disk is full", NULL, full) \
    RULE("dead-unheard", NULL, \
         "is HARD_OFFLINE and cannot be told to let go", say_out, dead, silent) \
    RULE("checks-good-again", NULL, \
         "was thought dead, but its checks are not bad any more", NULL, dead, checks_good) \
    RULE("not-heard-since", NULL, \
         "is HARD_OFFLINE, but its agent has not been heard since its checks began to " \
         "fail", say_out, dead, not_heard_since) \
    RULE("dead-leaves", then_leave, "is HARD_OFFLINE", NULL, dead) \
    RULE("last-resort-keep", NULL, \
         "no host of the role is fit, last_resort is keep: stays although it is " \
         "", say_state, balanced, late, nobody_better) \
    RULE("back-leaves", then_leave, "is AWAITING_RECOVERY", NULL, back) \
    RULE("unfit-leaves", then_leave, "replicates badly", NULL, replication_bad) \
    RULE("stand-in-stays", NULL, "stood in, stays in this mode", NULL, stands_in, hands_off) \
    RULE("stand-in-leaves", then_regular, "stood in", NULL, stands_in, regular_fit) \
    RULE("stands-in", NULL, \
         "stands in as the writer, no host of the role is fit (last_resort: " \
         "writer)", NULL, stands_in) \
    RULE("too-slow", then_next, "did not open in catch_up_timeout", NULL, opening, too_slow) \
    RULE("silent-holder", NULL, \
         "has it and its agent is not heard: it goes on by the promises of the " \
         "others", say_out, silent) \
    RULE("opening", NULL, \
         "applies what it received, not open for writes yet", say_problem, opening) \
    RULE("holds", NULL, "has it and is ", say_state)
/* clang-format on */
RULES(held_rules, HELD_RULES, RULE_ROW, RULE_IF)

/* ---- slots that nobody holds as far as this monitor knows ---- */

/* Who says that he holds it, under a running lease; of several the one the journal names. */
static void claims_count(const struct engine *e, int s, struct slot *x)
{
    x->claimant = -1;
    x->claims = 0;
    for (unsigned h = 0; h < e->conf.names.hosts; h++) {
        const struct report_slot *r = host_live(e, (int)h) ? host_report_slot(e, (int)h, s) : NULL;

        if (!r || r->hold != HOLD_HELD || !r->lease_ms)
            continue;
        x->claims++;
        if (x->claimant < 0 || (int)h == x->journal_holder)
            x->claimant = (int)h;
    }
}

static bool claimed(const struct engine *e, int s)
{
    return e->slot[s].claims > 0;
}

static bool by_several(const struct engine *e, int s)
{
    return e->slot[s].claims > 1 && e->slot[s].claimant != e->slot[s].journal_holder;
}

static bool careful(const struct engine *e, int s)
{
    (void)s;
    return e->conf.careful_startup && e->mode != MODE_PASSIVE && e->move.phase == MOVE_NONE;
}

static bool journal_differs(const struct engine *e, int s)
{
    const struct slot *x = &e->slot[s];

    return x->journal_holder >= 0 && x->claimant != x->journal_holder &&
           x->host[x->journal_holder].maybe && e->now < slot_out_at(e, s, x->journal_holder);
}

static bool waiting(const struct engine *e, int s)
{
    const struct slot *x = &e->slot[s];

    return e->mode == MODE_WAIT && (x->target < 0 || x->choice != x->target);
}

static bool nobody_fit(const struct engine *e, int s)
{
    (void)e;
    return e->slot[s].choice < 0;
}

static bool not_clear(const struct engine *e, int s)
{
    return !slot_clear_for(e, s, e->slot[s].choice, NULL, 0);
}

static bool loss_asked(const struct engine *e, int s)
{
    return gather_state(e, s, e->slot[s].choice) == GATHER_ASK;
}

static bool gathering(const struct engine *e, int s)
{
    return gather_open(e, s, e->slot[s].choice);
}

static void then_adopt(struct engine *e, int s, struct plan *p)
{
    struct slot *x = &e->slot[s];
    int h = x->claimant;

    x->holder = h;
    x->adopted = true;
    x->releasing = false;
    x->journal_holder = -1;
    x->gather_since = 0;
    e->story.on = e->story.on && e->story.slot != s;
    plan_event(e, p, EVENT_NOTE, h, "%s: found held by %s, stays there", slot_name(e, s),
               host_name(e, h));
    if (e->host[h].state == UNKNOWN || e->host[h].state == AWAITING_RECOVERY)
        state_set(e, h, ONLINE, "found holding a role", p);
}

static void then_passive(struct engine *e, int s, struct plan *p)
{
    e->mode = MODE_PASSIVE;
    snprintf(e->passive_why, sizeof e->passive_why, "%u hosts say they hold %s", e->slot[s].claims,
             slot_name(e, s));
    plan_event(e, p, EVENT_WARN, -1, "switched to passive mode: %s", e->passive_why);
}

/* It promised to wait: gathering, whose time that would use up, begins anew after it. */
static void then_unclear(struct engine *e, int s, struct plan *p)
{
    struct slot *x = &e->slot[s];

    (void)p;
    if (x->host[x->choice].not_before > e->now)
        x->gather_since = 0;
}

static void then_gather(struct engine *e, int s, struct plan *p)
{
    gather_go(e, s, e->slot[s].choice, p);
}

static void then_ask(struct engine *e, int s, struct plan *p)
{
    struct slot *x = &e->slot[s];
    char why[PROBLEM_LEN];

    gather_go(e, s, x->choice, p);
    if (!x->asked) {
        gather_waits(e, s, x->choice, why, sizeof why);
        plan_event(e, p, EVENT_WARN, x->choice, "%s: %s", slot_name(e, s), why);
    }
    x->asked = true;
}

static void then_give(struct engine *e, int s, struct plan *p)
{
    gather_end(e, s, e->slot[s].choice, p);
    slot_assign(e, s, e->slot[s].choice, p);
}

static void say_journal(const struct engine *e, int s, char *out, size_t size)
{
    const struct slot *x = &e->slot[s];

    if (e->conf.keep)
        snprintf(out, size, "%s, for as long as it is not heard (on_monitor_loss: keep)",
                 host_name(e, x->journal_holder));
    else
        snprintf(out, size, "%s, for at most %" PRId64 " ms", host_name(e, x->journal_holder),
                 x->host[x->journal_holder].out_at - e->now);
}

static void say_wait(const struct engine *e, int s, char *out, size_t size)
{
    int64_t longest = e->conf.wait_for_other_master_ms;

    (void)s;
    if (longest)
        snprintf(out, size, "until one master has been ONLINE for %" PRId64 " s", longest / 1000);
    else
        snprintf(out, size, "for as long as it takes");
}

static void say_unfit(const struct engine *e, int s, char *out, size_t size)
{
    (void)slot_choose(e, s, out, size);
}

static void say_unclear(const struct engine *e, int s, char *out, size_t size)
{
    (void)slot_clear_for(e, s, e->slot[s].choice, out, size);
}

static void say_gather(const struct engine *e, int s, char *out, size_t size)
{
    gather_waits(e, s, e->slot[s].choice, out, size);
}

/* clang-format off */
#define UNHELD_RULES(RULE) \
    RULE("two-holders-careful", then_passive, \
         "several hosts say they hold it", NULL, claimed, by_several, careful) \
    RULE("two-holders", NULL, \
         "several hosts say they hold it: none of them gets a lease, until theirs are " \
         "over", NULL, claimed, by_several) \
    RULE("other-may-hold", NULL, \
         "a host says it holds it, but so may ", say_journal, claimed, journal_differs) \
    RULE("found-held", then_adopt, "is found held", NULL, claimed) \
    RULE("passive-unheld", NULL, "passive mode: nothing is given", say_cause, passive) \
    RULE("wait-mode", NULL, "wait mode: waits for the other master, ", say_wait, waiting) \
    RULE("nobody-fit", NULL, "", say_unfit, nobody_fit) \
    RULE("not-clear", then_unclear, "", say_unclear, not_clear) \
    RULE("loss-asked", then_ask, "", say_gather, loss_asked) \
    RULE("gathering", then_gather, "", say_gather, gathering) \
    RULE("given", then_give, "is given", NULL)
/* clang-format on */
RULES(unheld_rules, UNHELD_RULES, RULE_ROW, RULE_IF)

static bool slot_arrived(const struct engine *e, int s)
{
    int h = holder(e, s);
    const struct report_slot *r = host_live(e, h) ? host_report_slot(e, h, s) : NULL;

    return slot_writable(e, s) ? engine_writer(e) == h : r && r->hold == HOLD_HELD;
}

static void slot_rule(struct engine *e, int s, const struct rules *all, struct plan *p)
{
    const struct rule *r = all->find(e, s, 0);

    rule_note(e, r);
    if (r->then)
        r->then(e, s, p);
}

void engine_full(const struct engine *e, int host, char *out, size_t size)
{
    int s = engine_active_slot(e);

    out[0] = 0;
    if (s >= 0 && e->slot[s].holder == host && engine_reigns(e) && full(e, s))
        rule_sentence(e, held_rules.find(e, s, 0), s, out, size);
}

void engine_waits(const struct engine *e, int slot, char *out, size_t size)
{
    out[0] = 0;
    if (e->slot[slot].holder < 0 && engine_reigns(e))
        rule_sentence(e, unheld_rules.find(e, slot, 0), slot, out, size);
}

void slots_work(struct engine *e, struct plan *p)
{
    for (int s = 0; s < (int)e->conf.names.slots; s++) {
        struct slot *x = &e->slot[s];

        if (x->holder >= 0) {
            x->arrived = x->arrived || x->adopted || slot_arrived(e, s);
            if (x->arrived && !x->releasing && !move_on(e, s))
                x->forced = false; /* it was for getting there */
            slot_rule(e, s, &held_rules, p);
        }
        if (x->holder < 0) {
            claims_count(e, s, x);
            x->choice = slot_choose(e, s, NULL, 0);
            if (x->choice < 0)
                x->gather_since = 0; /* begins anew with the next who is fit */
            slot_rule(e, s, &unheld_rules, p);
        }
        if (x->holder < 0)
            continue;
        electorate_work(e, s);
        if (x->pinned && x->releasing && x->target < 0)
            x->pinned = false;
    }
    roles_work(e, p);
    story_told(e, p);
}
