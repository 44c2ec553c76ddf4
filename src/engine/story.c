/* SPDX-License-Identifier: GPL-2.0-or-later
 * The story of the last change of writer: what began it, and how long each part took. Its end is an
 * event, and a receipt. */
#include "engine/engine_internal.h"

const char *const evidence_names[EVIDENCE_N] = {
    [EVIDENCE_PROVEN] = "proven",
    [EVIDENCE_TRAPPED] = "trapped",
    [EVIDENCE_SILENT] = "silent",
    [EVIDENCE_OPERATOR] = "operator",
};

/* The disk that is full, or the check that is bad, and what it said. */
static void story_check(const struct engine *e, int from, char *why, size_t size)
{
    if (e->host[from].full_since && trap_disk_left(e, from) <= 0) {
        snprintf(why, size, "the disk with the binary log of %s is full", host_name(e, from));
        return;
    }
    for (enum check c = CK_PING; c <= CK_MYSQL; c++)
        if (!check_good(e, from, c)) {
            snprintf(why, size, "%s is %s: check %s: %.150s", host_name(e, from),
                     host_state_names[e->host[from].state], check_names[c],
                     e->host[from].check[c].message);
            return;
        }
    snprintf(why, size, "%s is %s", host_name(e, from), host_state_names[e->host[from].state]);
}

static enum evidence story_evidence(const struct engine *e, int from, bool silent, char *why,
                                    size_t size)
{
    const struct host *h = &e->host[from];

    if (h->dead_since) {
        snprintf(why, size, "%s", h->report.mysqld_why);
        return EVIDENCE_PROVEN;
    }
    if (h->state == ADMIN_OFFLINE) {
        snprintf(why, size, "%s is ADMIN_OFFLINE", host_name(e, from));
        return EVIDENCE_OPERATOR;
    }
    if (silent && host_live(e, from))
        snprintf(why, size, "%s did not let go in time", host_name(e, from));
    else if (silent)
        snprintf(why, size, "%s fell silent", host_name(e, from));
    else
        story_check(e, from, why, size);
    return silent ? EVIDENCE_SILENT : EVIDENCE_TRAPPED;
}

/* When it was first seen, as far as it is known. */
static int64_t story_began(const struct engine *e, int from, enum evidence evidence)
{
    const struct host *h = &e->host[from];
    int64_t at = h->full_since && evidence == EVIDENCE_TRAPPED ? h->full_since : e->now;

    if (evidence == EVIDENCE_PROVEN)
        return h->dead_since;
    if (evidence == EVIDENCE_SILENT && h->report_at)
        return h->report_at;
    for (enum check c = CK_PING; c <= CK_MYSQL && evidence == EVIDENCE_TRAPPED; c++)
        if (!check_good(e, from, c) && h->check[c].error_since && h->check[c].error_since < at)
            at = h->check[c].error_since;
    return at;
}

void story_begins(struct engine *e, int s, int from, bool silent)
{
    struct failover_story *t = &e->story;
    /* whom a planned move was to, and who may have written meanwhile: another story begins */
    bool other = t->planned && t->from != from && e->slot[s].last == from;

    if (!slot_writable(e, s) || (t->on && !other))
        return;
    *t =
        (struct failover_story){.on = true, .slot = s, .from = from, .between = -1, .fetch_by = -1};
    t->evidence = story_evidence(e, from, silent, t->why, sizeof t->why);
    t->began = story_began(e, from, t->evidence);
    t->decided = e->now;
}

void story_moves(struct engine *e)
{
    const struct move *m = &e->move;
    struct failover_story *t = &e->story;

    if (!slot_writable(e, m->slot) || t->on)
        return;
    *t = (struct failover_story){.on = true,
                                 .planned = true,
                                 .slot = m->slot,
                                 .from = m->from,
                                 .between = -1,
                                 .fetch_by = -1,
                                 .evidence = EVIDENCE_OPERATOR,
                                 .began = m->started,
                                 .decided = e->now};
    snprintf(t->why, sizeof t->why, "%s",
             m->id ? "move-role by the operator"
                   : "goes where the configuration or set-ip wants it");
}

/* The move did not end as planned: if somebody else gets the slot now, it is for what is wrong with
 * the old holder. */
void story_unplanned(struct engine *e)
{
    struct failover_story *t = &e->story;
    char why[WHY_LEN];

    if (!t->on || !t->planned)
        return;
    t->planned = false;
    t->evidence = story_evidence(e, t->from, !host_live(e, t->from), why, sizeof why);
    snprintf(t->why, sizeof t->why, "during a planned move: %.200s", why);
}

void story_released(struct engine *e, int s, int from, bool in_order)
{
    struct failover_story *t = &e->story;
    const struct slot *x = &e->slot[s];

    if (!t->on || t->slot != s)
        return;
    if (from != t->from && x->last == from)
        t->between = from;
    if (t->released)
        return;
    t->released = e->now;
    memcpy(t->wrote, x->wrote, sizeof t->wrote);
    if (in_order && from == t->from)
        memcpy(t->reach, e->host[t->from].report.gtid, strlen(e->host[t->from].report.gtid) + 1);
}

void story_fetches(struct engine *e, int s, int to, int from)
{
    struct failover_story *t = &e->story;

    if (!t->on || t->slot != s)
        return;
    if (!t->gathered)
        t->gathered = e->now;
    if (from != t->from || !tail_ready(e, from) || t->fetch_by == to)
        return;
    t->fetched = e->now;
    t->fetch_by = to;
    memcpy(t->before, e->host[to].report.gtid, strlen(e->host[to].report.gtid) + 1);
}

void story_assigned(struct engine *e, int s)
{
    struct failover_story *t = &e->story;
    int to = e->slot[s].holder;

    if (!slot_writable(e, s))
        return;
    if (e->slot[s].last != to && e->slot[s].last >= 0)
        receipt_since(e, to, e->past);
    if (!t->on && e->slot[s].last >= 0 && e->slot[s].last != to) { /* began before this monitor */
        char why[WHY_LEN];

        story_begins(e, s, e->slot[s].last, !host_live(e, e->slot[s].last));
        t->released = e->now;
        memcpy(why, t->why, sizeof why);
        snprintf(t->why, sizeof t->why, "nobody holds it: %.230s", why);
    }
    if (!t->on || t->slot != s)
        return;
    if (!t->gathered)
        t->gathered = e->now;
    t->assigned = e->now;
    t->accepted = e->slot[s].accepted == t->from;
    receipt_since(e, to, t->since);
    t->salvaged = (struct receipt_set){0};
    if (t->fetch_by == to)
        receipt_salvaged(e, to, t->before, &t->salvaged);
    if (!(e->slot[s].unsalvaged >> to & 1))
        t->unsalvaged[0] = 0;
}

static void story_event(struct engine *e, int w, struct plan *p)
{
    const struct failover_story *t = &e->story;
    struct receipt_set lost = {0};

    receipt_known_lost(e, w, &lost);
    if (t->from == w)
        plan_event(e, p, EVENT_NOTE, w, "%s: open again after %lld ms: %s", slot_name(e, t->slot),
                   (long long)(e->now - t->began), t->why);
    else
        plan_event(e, p, EVENT_NOTE, w,
                   "failover of %s: %s -> %s in %lld ms (released after %lld, ordered after %lld): "
                   "%s; transactions known lost: %.200s%s",
                   slot_name(e, t->slot), host_name(e, t->from), host_name(e, w),
                   (long long)(e->now - t->began), (long long)(t->released - t->began),
                   (long long)(t->assigned - t->began), t->why, lost.text[0] ? lost.text : "none",
                   strlen(lost.text) > 200 ? "..." : "");
}

void story_told(struct engine *e, struct plan *p)
{
    const struct failover_story *t = &e->story;
    int w = engine_writer(e);

    if (!t->on || w < 0 || e->slot[t->slot].holder != w || !t->assigned)
        return;
    if (!t->planned)
        story_event(e, w, p);
    if (t->from != w)
        receipt_write(e, w, p);
    e->story.on = false;
}
