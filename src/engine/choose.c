/* SPDX-License-Identifier: GPL-2.0-or-later
 * Who may get a slot, and who gets it. A slot goes to another host only after its holder released
 * it, or is surely out and the new one was in the electorate the holder knew. */
#include "engine/engine_internal.h"

#include "base/clock.h"
#include "gtid/gtid.h"

#include <inttypes.h>

enum { FACTS_PATIENCE_MS = 2000 /* an agent asks its server anew after each job */ };

static bool gtid_text(const struct engine *e, int h, const char *text, struct gtid_set *set)
{
    struct err ignored;

    return (e->host[h].report.facts || tail_ready(e, h)) &&
           gtid_parse(text, e->host[h].report.mysql_flavour ? GTID_MYSQL : GTID_MARIADB_STATE, set,
                      &ignored) == 0;
}

/* Everything h has executed. */
static bool gtid_has(const struct engine *e, int h, struct gtid_set *set)
{
    return gtid_text(e, h, e->host[h].report.gtid, set) &&
           (!place_used(e, h) || place_add(e, h, set));
}

static const struct gtid_range *gtid_entry(const struct gtid_set *set, const struct gtid_range *of,
                                           bool of_server)
{
    for (unsigned i = 0; i < set->n; i++)
        if (set->range[i].source.domain == of->source.domain &&
            (!of_server || set->range[i].source.server == of->source.server))
            return &set->range[i];
    return NULL;
}

/* Did it come to host a from another? It bears another server's number, or a third host has it. */
static bool gtid_was_replicated(const struct engine *e, int a, int b, const struct gtid_range *r)
{
    uint64_t own = e->host[a].report.server_id;

    if (own && r->source.server != own)
        return true;
    for (int h = 0; h < (int)e->conf.names.hosts; h++) {
        struct gtid_set has;
        const struct gtid_range *there;

        if (h == a || h == b || !gtid_has(e, h, &has))
            continue;
        there = gtid_entry(&has, r, true);
        if (there && there->hi >= r->hi)
            return true;
    }
    return false;
}

/* MariaDB: a server made from a copy has its past, up to a number in each domain, and knows only
 * who wrote last there; of the others it never heard. What is missing of those up to that number is
 * not missing, unless it may be host a's alone. Of who follows, that number is the highest it has;
 * of the writer what that was when it became it, for then its own begin. */
static void gtid_less_copied(const struct engine *e, int a, int b, const struct gtid_set *has,
                             struct gtid_set *diff)
{
    struct gtid_set past = {.flavour = GTID_MARIADB_POS};
    struct err ignored;
    unsigned n = 0;

    if (diff->flavour != GTID_MARIADB_LIST)
        return;
    if (b != engine_writer(e))
        for (unsigned i = 0; i < has->n; i++)
            gtid_add(&past, has->range[i]);
    else if (gtid_parse(e->past, GTID_MARIADB_POS, &past, &ignored) < 0)
        return;
    for (unsigned i = 0; i < diff->n; i++) {
        struct gtid_range r = diff->range[i];
        const struct gtid_range *to = gtid_entry(&past, &r, false);

        if (to && to->hi >= r.lo && !gtid_entry(has, &r, true) && gtid_was_replicated(e, a, b, &r))
            r.lo = to->hi + 1;
        if (r.lo <= r.hi)
            diff->range[n++] = r;
    }
    diff->n = n;
}

/* What of `text`, reported by host a, host b has not executed. False: it can't be said. */
bool gtid_text_less(const struct engine *e, int a, const char *text, int b, struct gtid_set *diff)
{
    struct gtid_set x, y;

    if (!gtid_text(e, a, text, &x) || !gtid_has(e, b, &y) || gtid_subtract(&x, &y, diff) < 0)
        return false;
    gtid_less_copied(e, a, b, &y, diff);
    return true;
}

static bool gtid_says_same(const struct engine *e, int a, const char *text, int b)
{
    const struct msg_report *x = &e->host[a].report, *y = &e->host[b].report;

    return (y->facts || tail_ready(e, b)) && x->mysql_flavour == y->mysql_flavour &&
           strcmp(text, y->gtid) == 0;
}

/* Is what `text`, reported by host a, names in everything host b has executed? Unsure is no. */
bool gtid_text_subset(const struct engine *e, int a, const char *text, int b)
{
    struct gtid_set x, y, diff;

    if (!gtid_text(e, a, text, &x))
        return false;
    if (gtid_says_same(e, a, text, b))
        return true;
    if (!gtid_has(e, b, &y))
        return false;
    if (gtid_subset(&x, &y))
        return true;
    if (x.flavour == GTID_MYSQL || gtid_subtract(&x, &y, &diff) < 0)
        return false;
    gtid_less_copied(e, a, b, &y, &diff);
    return gtid_empty(&diff);
}

/* MariaDB tells the highest number of each server only: of one the writer never heard of nobody
 * knows where its numbers began. */
void gtid_tell_extra(struct gtid_set *diff, char *out, size_t size)
{
    bool more = false;
    size_t n;

    for (unsigned i = 0; i < diff->n && diff->flavour == GTID_MARIADB_LIST; i++)
        if (diff->range[i].lo == 1 && diff->range[i].hi > 1) {
            diff->range[i].lo = diff->range[i].hi;
            more = true;
        }
    n = gtid_format(diff, out, size);
    if (more && n < size)
        snprintf(out + n, size - n, " and perhaps earlier ones of that server");
}

void gtid_text_extra(const struct engine *e, int a, const char *text, int b, char *out, size_t size)
{
    struct gtid_set diff;
    char places[PROBLEM_LEN];

    if (!gtid_text_less(e, a, text, b, &diff)) {
        snprintf(out, size, "its GTIDs cannot be compared with the writer's");
        return;
    }
    if (place_used(e, a)) {
        gtid_tell_extra(&diff, places, sizeof places);
        place_tell(e, places, out, size);
    } else {
        gtid_tell_extra(&diff, out, size);
    }
}

/* All of it, for its agent; "": it cannot be said within `size`. */
void gtid_text_aside(const struct engine *e, int a, const char *text, int b, char *out, size_t size)
{
    struct gtid_set diff;

    out[0] = 0;
    if (gtid_text_less(e, a, text, b, &diff) && gtid_format(&diff, out, size) >= size)
        out[0] = 0;
}

/* May `to` never follow somebody's silence? It is outside of what a former holder needs promises
 * of. */
static bool slot_stale(const struct engine *e, int s, int to, char *why, size_t size)
{
    const struct slot *x = &e->slot[s];

    for (int c = 0; c < (int)e->conf.names.hosts; c++) {
        if (c == to || c == x->holder || !x->host[c].maybe || x->host[c].allowed >> to & 1)
            continue;
        if (!x->host[c].allowed)
            SAY(why, size,
                "%s is not heard, and since it is not known whose promises it needs it may "
                "hold it for as long. When it is surely dead: move-role --force %s %s --lost "
                "%s",
                host_name(e, c), e->conf.role[e->conf.slot_role[s]].name, host_name(e, to),
                host_name(e, c));
        else
            SAY(why, size,
                "%s was away while %s went on without it: it is stale. When %s is surely dead: "
                "move-role --force %s %s --lost %s",
                host_name(e, to), host_name(e, c), host_name(e, c),
                e->conf.role[e->conf.slot_role[s]].name, host_name(e, to), host_name(e, c));
        return true;
    }
    return false;
}

int64_t slot_out_at(const struct engine *e, int s, int h)
{
    return e->conf.keep ? CLOCK_NEVER : e->slot[s].host[h].out_at;
}

/* May the slot be given to `to` now, as far as everybody else is concerned? (While somebody holds
 * it: as soon as he has let go.) If not, `why` says why. */
bool slot_clear_for(const struct engine *e, int s, int to, char *why, size_t size)
{
    const struct slot *x = &e->slot[s];

    if (!e->host[to].report.facts) {
        SAY(why, size, "%s is asking its server", host_name(e, to));
        return false;
    }
    if (e->now < x->host[to].not_before) {
        SAY(why, size, "%s has just started or promised not to take it, for another %" PRId64 " ms",
            host_name(e, to), x->host[to].not_before - e->now);
        return false;
    }
    for (int c = 0; c < (int)e->conf.names.hosts; c++) {
        if (c == to || c == x->holder || !x->host[c].maybe)
            continue;
        if (e->now < e->grace_until) {
            SAY(why, size, "just woke up: reading what waits first");
            return false;
        }
        if (e->conf.keep) {
            SAY(why, size,
                "%s is not heard and may hold it for as long (on_monitor_loss: keep). When it "
                "is surely dead: move-role --force %s %s --lost %s",
                host_name(e, c), e->conf.role[e->conf.slot_role[s]].name, host_name(e, to),
                host_name(e, c));
            return false;
        }
        if (e->now - e->host[to].resumed_at < host_lease(e, to) / 2) {
            SAY(why, size, "%s was not heard for a moment: what it promised may be on its way",
                host_name(e, to));
            return false;
        }
        if (e->now < x->host[c].out_at) {
            SAY(why, size, "%s may hold it until its lease is surely over, in %" PRId64 " ms",
                host_name(e, c), x->host[c].out_at - e->now);
            return false;
        }
    }
    return !slot_stale(e, s, to, why, size);
}

/* A reader follows the writer, and that was looked at since it was told to. */
static bool choose_unseen(const struct engine *e, int s, int h)
{
    const struct host *x = &e->host[h];
    int w = engine_writer(e);

    return !slot_writable(e, s) && w >= 0 && w != h &&
           (!x->check[CK_REP_THREADS].known || !x->check[CK_REP_BACKLOG].known);
}

static bool choose_forcible(enum host_state state)
{
    return state == REPLICATION_DELAY || state == REPLICATION_FAIL || state == AWAITING_RECOVERY;
}

/* For so long an answer of the server counts. Under a long lease its agent reports seldom. */
static int64_t choose_patience(const struct engine *e, int h)
{
    int64_t two_reports = host_lease(e, h) / 6;

    return two_reports > FACTS_PATIENCE_MS ? two_reports : FACTS_PATIENCE_MS;
}

/* Is the host itself fit to hold the slot? `why` gets what it lacks. */
bool slot_fit(const struct engine *e, int s, int h, bool forced, char *why, size_t size)
{
    const struct host *x = &e->host[h];
    bool writable = slot_writable(e, s);

    if (!(role_candidates(e, e->conf.slot_role[s]) >> h & 1))
        SAY(why, size, "%s is not a candidate", host_name(e, h));
    else if (!host_live(e, h))
        SAY(why, size, "the agent of %s does not answer", host_name(e, h));
    else if (writable && !forced && fit_full(e, h, why, size))
        return false; /* it may not answer at all, by that */
    else if (x->state != ONLINE && !(forced && choose_forcible(x->state)) &&
             !(writable && x->state == REPLICATION_DELAY))
        SAY(why, size, "%s is %s%s%s", host_name(e, h), host_state_names[x->state],
            x->state == ADMIN_OFFLINE ? "; first: hamm ctl set-online " : "",
            x->state == ADMIN_OFFLINE ? host_name(e, h) : "");
    else if (x->report.mysqld != MYSQLD_UP || !x->facts_at ||
             e->now - x->facts_at >= choose_patience(e, h))
        SAY(why, size, "the server of %s is not up", host_name(e, h));
    else if (choose_unseen(e, s, h) && !forced)
        SAY(why, size, "the replication of %s has not been seen to work yet", host_name(e, h));
    else if (x->extra[0] && !forced)
        SAY(why, size, "%s has transactions nobody else has", host_name(e, h));
    else
        return forced || !writable || !fit_barred(e, s, h, why, size);
    return false;
}

static int choose_advanced(const struct engine *e, int a, int b)
{
    bool ab = gtid_text_subset(e, a, e->host[a].report.gtid, b);
    bool ba = gtid_text_subset(e, b, e->host[b].report.gtid, a);

    return ab == ba ? 0 : ba ? 1 : -1;
}

/* Better than the best so far: ONLINE before DELAY, who had it last, preferred, most advanced,
 * least lag, file order. Without GTID most advanced goes before preferred. */
static bool choose_better(const struct engine *e, int role, int last, int a, int b)
{
    const struct host *x = &e->host[a], *y = &e->host[b];
    int advanced;

    if ((x->state == ONLINE) != (y->state == ONLINE))
        return x->state == ONLINE;
    if (last == a || last == b)
        return last == a;
    advanced = choose_advanced(e, a, b);
    if ((advanced > 0 && !place_lends(e, a, b)) || (advanced < 0 && !place_lends(e, b, a)))
        return advanced > 0; /* the other could never fetch that */
    if (e->conf.role[role].prefer == a || e->conf.role[role].prefer == b)
        return e->conf.role[role].prefer == a;
    if (advanced)
        return advanced > 0;
    return x->lag_ms >= 0 && y->lag_ms >= 0 && x->lag_ms < y->lag_ms;
}

static unsigned choose_load(const struct engine *e, int role, int h)
{
    unsigned n = 0;

    for (unsigned s = 0; s < e->conf.names.slots; s++) {
        const struct slot *x = &e->slot[s];
        int holder = x->releasing && x->target >= 0 ? x->target : x->holder;

        n += e->conf.slot_role[s] == role && holder == h;
    }
    return n;
}

/* Who writes, or shall. */
static int choose_writer(const struct engine *e)
{
    int s = engine_active_slot(e);
    const struct slot *x = s < 0 ? NULL : &e->slot[s];

    if (!x || (x->holder >= 0 && !x->releasing))
        return x ? x->holder : -1;
    return x->target >= 0 ? x->target : slot_choose(e, s, NULL, 0);
}

/* Of two with as many addresses the one without the writer role has less to do. */
static unsigned choose_weight(const struct engine *e, int role, int h, int writer)
{
    return 2 * choose_load(e, role, h) + (writer == h);
}

/* Alive, only its replication is not as it should be. */
static bool choose_late(const struct engine *e, int s, int h)
{
    return h >= 0 &&
           (e->host[h].state == REPLICATION_DELAY || e->host[h].state == REPLICATION_FAIL) &&
           slot_fit(e, s, h, true, NULL, 0);
}

/* Who has it when none of the role's hosts is fit. */
static int choose_resort(const struct engine *e, int s)
{
    int role = e->conf.slot_role[s], w = engine_writer(e), last = e->slot[s].last;
    if (e->conf.role[role].exclusive || e->mode == MODE_MANUAL)
        return -1;
    if (e->conf.role[role].last_resort == RESORT_KEEP)
        return choose_late(e, s, last) ? last : -1;
    if (e->conf.role[role].last_resort == RESORT_WRITER && w >= 0 &&
        slot_fit(e, s, w, false, NULL, 0))
        return w;
    return -1;
}

/* Who was named, else by the role's rule. Of a balanced role one that can take it at once goes
 * before one that can't. */
int slot_choose(const struct engine *e, int s, char *why, size_t size)
{
    int role = e->conf.slot_role[s], best = -1;
    int writer = e->conf.role[role].exclusive ? -1 : choose_writer(e);
    bool best_clear = false, stale = false;
    char words[WHY_LEN], *lacks = why ? words : NULL;

    SAY(why, size, "manual mode: an operator assigns it (move-role)");
    for (unsigned i = 0; i < e->conf.role[role].hosts; i++) {
        int h = e->conf.role[role].host[i];
        bool named = h == e->slot[s].target, clear;

        if (e->mode == MODE_MANUAL && h != e->slot[s].last && !named)
            continue;
        if (!slot_fit(e, s, h, e->slot[s].forced && named, lacks, sizeof words)) {
            if (!stale)
                SAY(why, size, "%s", lacks);
            continue;
        }
        if (slot_stale(e, s, h, why, size)) { /* what only the operator ends is said first */
            stale = true;
            continue;
        }
        if (named)
            return h;
        clear = slot_clear_for(e, s, h, lacks, sizeof words);
        if (best < 0 ||
            (e->conf.role[role].exclusive ? choose_better(e, role, e->slot[s].last, h, best)
             : clear != best_clear
                 ? clear
                 : choose_weight(e, role, h, writer) < choose_weight(e, role, best, writer))) {
            best = h;
            best_clear = clear;
        }
    }
    return best >= 0 ? best : choose_resort(e, s);
}

/* Who was late is not ONLINE again before there is a writer to follow, and a writer that does not
 * answer is none. */
static bool heir_in_time(const struct engine *e, int h)
{
    return e->host[h].state == ONLINE ||
           (engine_writer(e) < 0 && e->host[h].check[CK_REP_BACKLOG].known &&
            check_good(e, h, CK_REP_BACKLOG) && check_good(e, h, CK_REP_THREADS));
}

static bool heir_ready(const struct engine *e, int s, int h, char *why, size_t size)
{
    const struct slot *x = &e->slot[s];

    if (!slot_fit(e, s, h, false, why, size) || !slot_clear_for(e, s, h, why, size))
        return false;
    if (!heir_in_time(e, h))
        SAY(why, size, "%s is %s", host_name(e, h), host_state_names[e->host[h].state]);
    else if (x->wrote[0] && !gtid_text_subset(e, h, x->wrote, h))
        SAY(why, size, "%s has not received all that %s had", host_name(e, h),
            host_name(e, x->holder));
    else
        return true;
    return false;
}

int slot_heir(const struct engine *e, int s, char *why, size_t size)
{
    size_t n = 0;

    SAY(why, size, "there is no other candidate");
    for (int h = 0; h < (int)e->conf.names.hosts; h++) {
        char lacks[WHY_LEN];

        if (h == e->slot[s].holder || !(role_candidates(e, e->conf.slot_role[s]) >> h & 1))
            continue;
        if (heir_ready(e, s, h, lacks, sizeof lacks))
            return h;
        if (n < size)
            n += (size_t)snprintf(why + n, size - n, "%s%s", n ? "; " : "", lacks);
    }
    return -1;
}

int balance_least(const struct engine *e, int role, int s, unsigned *n)
{
    int least = -1, writer = choose_writer(e);
    unsigned lightest = 0;

    for (unsigned i = 0; i < e->conf.role[role].hosts; i++) {
        int h = e->conf.role[role].host[i];
        unsigned weight = choose_weight(e, role, h, writer);

        if ((least < 0 || weight < lightest) && slot_fit(e, s, h, false, NULL, 0) &&
            slot_clear_for(e, s, h, NULL, 0)) {
            least = h;
            lightest = weight;
            *n = choose_load(e, role, h);
        }
    }
    return least;
}
