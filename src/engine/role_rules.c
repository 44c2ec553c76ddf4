/* SPDX-License-Identifier: GPL-2.0-or-later
 * What moves although nothing is wrong, as a table of rules for each role: balancing addresses, a
 * preferred host that takes its role back. Nothing moves that an operator put where it is. */
#include "engine/engine_internal.h"
#include "engine/rules.h"

#include <inttypes.h>

static int preferred(const struct engine *e, int role)
{
    return e->conf.role[role].exclusive ? e->conf.role[role].prefer : -1;
}

/* Of the role's hosts the one with most addresses that may move, and one of those. */
static int fullest(const struct engine *e, int role, unsigned *most_n, int *slot)
{
    int most = -1;

    *most_n = 0;
    *slot = -1;
    for (unsigned i = 0; i < e->conf.role[role].hosts; i++) {
        int h = e->conf.role[role].host[i], movable = -1;
        unsigned n = 0;

        for (unsigned s = 0; s < e->conf.names.slots; s++)
            if (e->conf.slot_role[s] == role && e->slot[s].holder == h) {
                n++;
                movable = e->slot[s].pinned ? movable : (int)s;
            }
        if (movable >= 0 && (most < 0 || n > *most_n)) {
            most = h;
            *most_n = n;
            *slot = movable;
        }
    }
    return most;
}

/* ---- conditions ---- */

static bool not_active(const struct engine *e, int role)
{
    (void)role;
    return e->mode != MODE_ACTIVE;
}

static bool in_motion(const struct engine *e, int role)
{
    for (unsigned s = 0; s < e->conf.names.slots; s++)
        if (e->conf.slot_role[s] == role && (e->slot[s].holder < 0 || e->slot[s].releasing))
            return true;
    return e->conf.role[role].exclusive && e->move.phase != MOVE_NONE;
}

static bool uneven(const struct engine *e, int role)
{
    unsigned most, least;
    int slot;

    return !e->conf.role[role].exclusive && fullest(e, role, &most, &slot) >= 0 && most >= 2 &&
           balance_least(e, role, slot, &least) >= 0 && most >= least + 2;
}

static bool away(const struct engine *e, int role)
{
    int to = preferred(e, role);

    return to >= 0 && e->slot[role_slot(e, role)].holder != to;
}

static bool pinned(const struct engine *e, int role)
{
    return e->slot[role_slot(e, role)].pinned;
}

static bool just_failed(const struct engine *e, int role)
{
    (void)role;
    return e->now < e->prefer_retry;
}

static bool unfit(const struct engine *e, int role)
{
    int to = preferred(e, role);

    return !slot_fit(e, role_slot(e, role), to, false, NULL, 0) || e->host[to].state != ONLINE;
}

static bool behind(const struct engine *e, int role)
{
    int s = role_slot(e, role), to = preferred(e, role);

    return slot_writable(e, s) &&
           (engine_writer(e) != e->slot[s].holder || !e->host[to].clean || e->host[to].lag_ms != 0);
}

/* ---- what is done ---- */

static void then_balance(struct engine *e, int role, struct plan *p)
{
    unsigned n;
    int slot, most = fullest(e, role, &n, &slot), least = balance_least(e, role, slot, &n);

    plan_event(e, p, EVENT_INFO, most, "%s: moves to %s to balance the role", slot_name(e, slot),
               host_name(e, least));
    e->slot[slot].target = least;
    slot_release(e, slot, false);
}

static void then_prefer(struct engine *e, int role, struct plan *p)
{
    int s = role_slot(e, role), to = preferred(e, role);

    move_begin(e, 0, s, to);
    plan_event(e, p, EVENT_NOTE, to, "%s: goes back to its preferred host %s", slot_name(e, s),
               host_name(e, to));
}

static void say_retry(const struct engine *e, int role, char *out, size_t size)
{
    (void)role;
    snprintf(out, size, ", again in %" PRId64 " s", (e->prefer_retry - e->now + 999) / 1000);
}

static void say_unfit(const struct engine *e, int role, char *out, size_t size)
{
    int to = preferred(e, role);

    if (slot_fit(e, role_slot(e, role), to, false, out, size))
        snprintf(out, size, "%s is %s", host_name(e, to), host_state_names[e->host[to].state]);
}

/* clang-format off */
#define ROLE_RULES(RULE) \
    RULE("only-when-active", NULL, \
         "nothing is balanced or given back to a preferred host in this mode", NULL, not_active) \
    RULE("in-motion", NULL, "an address is on its way: one at a time", NULL, in_motion) \
    RULE("balance", then_balance, "addresses are spread evenly", NULL, uneven) \
    RULE("prefer-pinned", NULL, \
         "an operator put it where it is: it does not go back to its preferred host by " \
         "itself", NULL, away, pinned) \
    RULE("prefer-failed", NULL, \
         "going back to its preferred host did not work", say_retry, away, just_failed) \
    RULE("prefer-unfit", NULL, "does not go back to its preferred host: ", say_unfit, away, unfit) \
    RULE("prefer-behind", NULL, "its preferred host has not caught up yet", NULL, away, behind) \
    RULE("prefer", then_prefer, "goes back to its preferred host", NULL, away) \
    RULE("settled", NULL, "nothing is to be moved", NULL)
/* clang-format on */
RULES(role_rules, ROLE_RULES, RULE_ROW, RULE_IF)

void roles_work(struct engine *e, struct plan *p)
{
    for (int role = 0; role < (int)e->conf.roles; role++) {
        const struct rule *r;

        if (role_slot(e, role) < 0)
            continue;
        r = role_rules.find(e, role, 0);
        rule_note(e, r);
        if (r->then)
            r->then(e, role, p);
    }
}
