/* SPDX-License-Identifier: GPL-2.0-or-later
 * kill_host: the operator's program is called once for a host that holds something, is dead as far
 * as checks tell and can't be told to let go. What it says is shown and decides nothing: the lease
 * does, or the operator (move-role --force --lost). */
#include "engine/engine_internal.h"

static bool kill_wanted(const struct engine *e, int h)
{
    const struct host *x = &e->host[h];

    if (!e->conf.kill_host || e->mode != MODE_ACTIVE || e->network_down || x->kill != KILL_NONE ||
        x->state != HARD_OFFLINE || host_live(e, h))
        return false;
    for (unsigned s = 0; s < e->conf.names.slots; s++)
        if (e->slot[s].holder == h)
            return true;
    return false;
}

void kill_work(struct engine *e, struct plan *p)
{
    for (unsigned h = 0; h < e->conf.names.hosts; h++) {
        struct host *x = &e->host[h];
        struct action *act;

        if (x->kill != KILL_NONE && x->kill != KILL_RUNNING && host_live(e, (int)h))
            x->kill = KILL_NONE;
        if (!kill_wanted(e, (int)h))
            continue;
        x->kill = KILL_RUNNING;
        act = plan_add(p, ACT_KILL_HOST);
        act->host = (int)h;
        act->code = check_good(e, (int)h, CK_PING);
        plan_event(e, p, EVENT_WARN, (int)h,
                   "holds roles and cannot be told to let go: kill_host is called, ping %d",
                   act->code);
    }
}

void kill_ended(struct engine *e, const struct engine_event *ev, struct plan *p)
{
    struct host *x = &e->host[ev->killed.host];

    if (x->kill != KILL_RUNNING)
        return;
    x->kill = ev->killed.ok ? KILL_DONE : KILL_FAILED;
    snprintf(x->kill_said, sizeof x->kill_said, "%s", ev->killed.message ? ev->killed.message : "");
    plan_event(e, p, ev->killed.ok ? EVENT_NOTE : EVENT_WARN, ev->killed.host, "kill_host %s%s%s",
               ev->killed.ok ? "says it is dead" : "failed", x->kill_said[0] ? ": " : "",
               x->kill_said);
}
