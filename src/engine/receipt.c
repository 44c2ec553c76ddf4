/* SPDX-License-Identifier: GPL-2.0-or-later
 * What a change of writer cost. Some of it is known only when the old writer comes back: until then
 * it owes that to its receipt. */
#include "engine/engine_internal.h"

#include "gtid/gtid.h"

/* ---- sets ---- */

/* MariaDB: in a domain the numbers go on from everybody's, and what is applied of it is applied in
 * their order: who has the highest has all before it. Its own list of servers may lack some of
 * that, if it was made from a copy. `out`: what of diff comes after `since`. */
static void receipt_after(const struct gtid_set *diff, const char *since_text, struct gtid_set *out)
{
    struct gtid_set since;
    struct err ignored;

    *out = *diff;
    if (diff->flavour != GTID_MARIADB_LIST ||
        gtid_parse(since_text, GTID_MARIADB_POS, &since, &ignored) < 0)
        return;
    out->n = 0;
    for (unsigned i = 0; i < diff->n; i++) {
        struct gtid_range r = diff->range[i];

        for (unsigned k = 0; k < since.n; k++)
            if (since.range[k].source.domain == r.source.domain && since.range[k].hi >= r.lo)
                r.lo = since.range[k].hi + 1;
        if (r.lo <= r.hi)
            gtid_add(out, r);
    }
}

static void receipt_text(const struct engine *e, int h, struct gtid_set *set,
                         struct receipt_set *out)
{
    char text[RECEIPT_GTIDS];

    gtid_tell_extra(set, text, sizeof text);
    out->count = place_used(e, h) ? 0 : gtid_count(set);
    if (place_used(e, h))
        place_tell(e, text, out->text, sizeof out->text);
    else
        memcpy(out->text, text, sizeof out->text);
}

/* Of a host that is known to have something the writer lacks: something is named in any case. */
static void receipt_set_of(const struct engine *e, int h, struct gtid_set *diff, const char *since,
                           struct receipt_set *out)
{
    struct gtid_set after;

    receipt_after(diff, since, &after);
    receipt_text(e, h, gtid_empty(&after) ? diff : &after, out);
}

/* The highest number in each domain; "" MySQL, or too many domains. */
static void receipt_domains(const struct gtid_set *all, char out[SINCE_LEN])
{
    struct gtid_set since = {.flavour = GTID_MARIADB_POS};

    memset(out, 0, SINCE_LEN);
    for (unsigned i = 0; i < all->n && all->flavour != GTID_MYSQL; i++)
        gtid_add(&since, all->range[i]);
    if (gtid_format(&since, out, SINCE_LEN) >= SINCE_LEN)
        memset(out, 0, SINCE_LEN);
}

static bool receipt_parse(const struct engine *e, int h, const char *text, struct gtid_set *set)
{
    struct err ignored;

    return gtid_parse(text, e->host[h].report.mysql_flavour ? GTID_MYSQL : GTID_MARIADB_STATE, set,
                      &ignored) == 0;
}

void receipt_since(const struct engine *e, int to, char out[SINCE_LEN])
{
    struct gtid_set all;

    memset(out, 0, SINCE_LEN);
    if (receipt_parse(e, to, e->host[to].report.gtid, &all))
        receipt_domains(&all, out);
}

void receipt_salvaged(const struct engine *e, int to, const char *before, struct receipt_set *out)
{
    struct gtid_set a, b, diff;
    char since[SINCE_LEN];

    if (!receipt_parse(e, to, e->host[to].report.gtid, &a) || !receipt_parse(e, to, before, &b) ||
        gtid_subtract(&a, &b, &diff) < 0 || gtid_empty(&diff))
        return;
    receipt_domains(&b, since);
    receipt_set_of(e, to, &diff, since, out);
}

/* ---- what is lost ---- */

/* What the old writer was seen to have, and w lacks. */
void receipt_known_lost(const struct engine *e, int w, struct receipt_set *out)
{
    const struct failover_story *t = &e->story;
    struct gtid_set diff, after;

    if (!t->wrote[0] || gtid_text_subset(e, w, t->wrote, w) ||
        !gtid_text_less(e, w, t->wrote, w, &diff))
        return;
    receipt_after(&diff, t->since, &after);
    receipt_text(e, w, &after, out);
}

static void receipt_unknown(const struct engine *e, const struct failover_story *t, int w,
                            struct receipt *r)
{
    char why[160];

    r->lost = LOST_UNKNOWN;
    receipt_known_lost(e, w, &r->gone);
    tail_why(e, t->from, w, why, sizeof why);
    snprintf(r->why, sizeof r->why, "%s%s%s%s%s", host_name(e, t->from),
             host_live(e, t->from) ? ": " : " was not reached", host_live(e, t->from) ? why : "",
             t->accepted ? "; the operator accepted that" : "",
             e->conf.data_loss == LOSS_ALLOW ? "; data_loss is allow" : "");
}

/* Closed, and it says what it has. */
static bool receipt_asked(const struct engine *e, int h)
{
    const struct msg_report *r = &e->host[h].report;

    return host_live(e, h) && r->mysqld == MYSQLD_UP && r->facts && r->read_only && r->gtid[0];
}

/* Who had the role in between may have been open for a moment: does w have all it has? */
static bool receipt_between(const struct engine *e, int w)
{
    int h = e->story.between;

    return h >= 0 && h != w &&
           !((tail_ready(e, h) || receipt_asked(e, h)) &&
             gtid_text_subset(e, h, e->host[h].report.gtid, w));
}

static void receipt_lost(const struct engine *e, int w, struct receipt *r)
{
    const struct failover_story *t = &e->story;
    const char *from = host_name(e, t->from), *to = host_name(e, w);
    const struct msg_report *last = &e->host[t->from].report;
    bool has_all = gtid_text_subset(e, t->from, last->gtid, w);
    struct gtid_set diff;

    if (receipt_between(e, w)) {
        receipt_known_lost(e, w, &r->gone);
        snprintf(r->why, sizeof r->why,
                 "%s had it before %s, may have been open for a moment and was not reached",
                 host_name(e, t->between), to);
        return;
    }
    r->lost = LOST_NONE;
    if (t->reach[0] && gtid_text_subset(e, w, t->reach, w)) {
        snprintf(r->why, sizeof r->why, "%s let go in good order, %s has all it had", from, to);
    } else if (tail_ready(e, t->from) && has_all) {
        snprintf(r->why, sizeof r->why, "%s has everything that %s's binary log holds", to, from);
    } else if (receipt_asked(e, t->from) && has_all) {
        snprintf(r->why, sizeof r->why, "%s's server was asked, %s has all it has", from, to);
    } else if (tail_ready(e, t->from) && gtid_text_less(e, t->from, last->gtid, w, &diff)) {
        r->lost = LOST_KNOWN;
        receipt_set_of(e, t->from, &diff, t->since, &r->gone);
        snprintf(r->why, sizeof r->why, "%s has them, %s opened without%s%.130s%s", from, to,
                 t->unsalvaged[0] ? ": " : "", t->unsalvaged,
                 t->accepted ? "; the operator accepted that" : "");
    } else {
        receipt_unknown(e, t, w, r);
    }
}

/* ---- writing it ---- */

static struct receipt *receipt_new(struct engine *e, struct plan *p)
{
    struct receipt *r;
    struct action *act;

    if (p->receipts == PLAN_RECEIPTS)
        return NULL;
    r = &p->receipt[p->receipts++];
    memset(r, 0, sizeof *r);
    r->said_wall_ms = e->wall;
    act = plan_add(p, ACT_RECEIPT);
    act->receipt = r;
    return r;
}

static void receipt_phases(const struct engine *e, int w, struct receipt *r)
{
    const struct failover_story *t = &e->story;
    const int64_t at[PHASE_N] = {
        [PHASE_DECIDED] = t->decided,   [PHASE_OUT] = t->released,
        [PHASE_GATHERED] = t->gathered, [PHASE_FETCHES] = t->fetch_by == w ? t->fetched : 0,
        [PHASE_ORDERED] = t->assigned,  [PHASE_OPEN] = e->now,
    };

    for (unsigned i = 0; i < PHASE_N; i++)
        r->phase_ms[i] = at[i] ? at[i] - t->began : -1;
    r->began_wall_ms = e->wall - (e->now - t->began);
}

void receipt_write(struct engine *e, int w, struct plan *p)
{
    const struct failover_story *t = &e->story;
    struct receipt *r = receipt_new(e, p);

    CHECK(r); /* the first of its step */
    r->number = ++e->receipts;
    r->planned = t->planned;
    r->evidence = t->evidence;
    snprintf(r->role, sizeof r->role, "%s", e->conf.role[e->conf.slot_role[t->slot]].name);
    snprintf(r->from, sizeof r->from, "%s", host_name(e, t->from));
    snprintf(r->to, sizeof r->to, "%s", host_name(e, w));
    snprintf(r->trigger, sizeof r->trigger, "%s", t->why);
    receipt_phases(e, w, r);
    r->salvaged = t->salvaged;
    receipt_lost(e, w, r);
    if (r->lost != LOST_UNKNOWN || receipt_between(e, w)) /* one host alone can't complete that */
        return;
    e->host[t->from].debt = (struct debt){.number = r->number, .some = r->gone.text[0] != 0};
    memcpy(e->host[t->from].debt.since, t->since, sizeof t->since);
}

/* ---- the old writer is back ---- */

static void receipt_returned(struct engine *e, int h, int w, struct receipt *r)
{
    const struct host *x = &e->host[h];
    struct gtid_set diff;

    if (x->clean && x->debt.some) {
        snprintf(r->why, sizeof r->why, "%s came back without what it had: it was made anew",
                 host_name(e, h));
    } else if (x->clean) {
        r->lost = LOST_NONE;
        snprintf(r->why, sizeof r->why, "%s came back and has nothing that %s lacks",
                 host_name(e, h), host_name(e, w));
    } else if (place_used(e, h) && !x->report.own_more[0]) {
        snprintf(r->why, sizeof r->why, "%s came back and %.180s", host_name(e, h), x->extra);
    } else if (place_used(e, h)) {
        r->lost = LOST_KNOWN;
        place_tell(e, x->report.own_more, r->gone.text, sizeof r->gone.text);
        snprintf(r->why, sizeof r->why, "%s came back with them", host_name(e, h));
    } else if (gtid_text_less(e, h, x->sample, w, &diff)) {
        r->lost = LOST_KNOWN;
        receipt_set_of(e, h, &diff, x->debt.since, &r->gone);
        snprintf(r->why, sizeof r->why, "%s came back with them, and %s has not", host_name(e, h),
                 host_name(e, w));
    } else {
        snprintf(r->why, sizeof r->why,
                 "%s came back: its GTIDs cannot be compared with those of %s", host_name(e, h),
                 host_name(e, w));
    }
}

static struct receipt *receipt_later(struct engine *e, int h, struct plan *p)
{
    struct receipt *r = receipt_new(e, p);

    if (!r)
        return NULL;
    r->number = e->host[h].debt.number;
    r->later = true;
    snprintf(r->from, sizeof r->from, "%s", host_name(e, h));
    return r;
}

/* It was compared with the writer: what it owes is known, if it is found clean or not. */
void receipt_compared(struct engine *e, int h, int w, struct plan *p)
{
    struct host *x = &e->host[h];
    struct receipt *r;

    if (!x->debt.number || !(x->clean || x->extra[0]))
        return;
    r = receipt_later(e, h, p);
    if (!r)
        return;
    receipt_returned(e, h, w, r);
    x->debt = (struct debt){0};
}

void receipt_reopened(struct engine *e, int w, struct plan *p)
{
    struct receipt *r = e->host[w].debt.number ? receipt_later(e, w, p) : NULL;

    if (!r)
        return;
    r->lost = LOST_NONE;
    snprintf(r->why, sizeof r->why, "%s is the writer again, with all it has", host_name(e, w));
    e->host[w].debt = (struct debt){0};
}
