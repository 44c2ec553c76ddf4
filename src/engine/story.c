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
    else if (host_live(e, x->holder) && x->releasing)
        snprintf(e->story.why, sizeof e->story.why, "%s did not let go in time",
                 host_name(e, x->holder));
    else if (when < e->now)
        snprintf(e->story.why, sizeof e->story.why, "%s fell silent", host_name(e, x->holder));
    else
        snprintf(e->story.why, sizeof e->story.why, "%s is %s", host_name(e, x->holder),
                 host_state_names[h->state]);
}

void story_told(struct engine *e, struct plan *p)
{
    const struct failover_story *t = &e->story;
    int w = engine_writer(e);
    char lost[256] = "none";

    if (!t->on || w < 0 || e->slot[t->slot].holder != w || !t->assigned)
        return;
    if (t->wrote[0] && !gtid_text_subset(e, w, t->wrote, w))
        gtid_text_extra(e, w, t->wrote, w, lost, sizeof lost);
    if (t->from == w)
        plan_event(e, p, EVENT_NOTE, w, "%s: open again after %lld ms: %s", slot_name(e, t->slot),
                   (long long)(e->now - t->began), t->why);
    else
        plan_event(e, p, EVENT_NOTE, w,
                   "failover of %s: %s -> %s in %lld ms (released after %lld, ordered after %lld): "
                   "%s; transactions known lost: %s",
                   slot_name(e, t->slot), host_name(e, t->from), host_name(e, w),
                   (long long)(e->now - t->began), (long long)(t->released - t->began),
                   (long long)(t->assigned - t->began), t->why, lost);
    e->story.on = false;
}
