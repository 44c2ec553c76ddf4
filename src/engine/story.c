/* SPDX-License-Identifier: GPL-2.0-or-later
 * The story of the last change of writer: what began it, and how long each part took. */
#include "engine/engine_internal.h"

void story_begins(struct engine *e, int s, int64_t when)
{
    const struct slot *x = &e->slot[s];
    const struct host *h = &e->host[x->holder];

    if (!slot_writable(e, s) || e->story.on)
        return;
    e->story = (struct failover_story){.on = true, .slot = s, .from = x->holder, .began = when};
    if (h->dead_since)
        snprintf(e->story.why, sizeof e->story.why, "%s", h->report.mysqld_why);
    else if (when < e->now)
        snprintf(e->story.why, sizeof e->story.why, "%s fell silent", host_name(e, x->holder));
    else
        snprintf(e->story.why, sizeof e->story.why, "%s is %s", host_name(e, x->holder),
                 host_state_names[h->state]);
}

void story_told(struct engine *e, struct plan *p)
{
    int w = engine_writer(e);

    if (!e->story.on || w < 0 || e->slot[e->story.slot].holder != w || !e->story.assigned)
        return;
    if (e->story.from == w)
        plan_event(e, p, EVENT_NOTE, w, "%s: open again after %lld ms: %s",
                   slot_name(e, e->story.slot), (long long)(e->now - e->story.began), e->story.why);
    else
        plan_event(
            e, p, EVENT_NOTE, w,
            "failover of %s: %s -> %s in %lld ms (released after %lld, ordered after %lld): %s",
            slot_name(e, e->story.slot), host_name(e, e->story.from), host_name(e, w),
            (long long)(e->now - e->story.began), (long long)(e->story.released - e->story.began),
            (long long)(e->story.assigned - e->story.began), e->story.why);
    e->story.on = false;
}
