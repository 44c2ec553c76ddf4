/* SPDX-License-Identifier: GPL-2.0-or-later
 * What keeps a server from ever becoming the writer by itself, whatever its state, and from lending
 * others what they lack; and whether a writer's acknowledgements are worth something. Whoever wrote
 * last has what there is: how it replicates doesn't matter. */
#include "engine/engine_internal.h"

#include <inttypes.h>

enum { SEMI_TIMEOUT_LEAST_MS = 2000 /* it cannot give up between two looks */ };

static int fit_last_writer(const struct engine *e, int s)
{
    const struct slot *x = &e->slot[s];

    return x->holder >= 0 && x->arrived ? x->holder : x->last;
}

/* Its applier stands still, and it was not hamm that stopped it. Both threads may stand still since
 * a restart: then draining starts them, unless they were just seen to run. */
static bool fit_stopped_by_hand(const struct host *x)
{
    const struct check_state *threads = &x->check[CK_REP_THREADS];

    return !x->report.applier && x->report.source_host[0] &&
           (x->report.receiver != RECEIVER_NO ||
            (threads->known && threads->good && threads->last == RESULT_ERROR));
}

void fit_note(struct engine *e, int h)
{
    struct host *x = &e->host[h];
    bool ordered = x->order.serial && x->order.start_id == x->report.start_id;
    bool settled = !ordered || x->report.settled >= x->order.serial;

    if (!x->report.facts)
        return;
    if (settled && x->report.applier)
        x->by_hand = false;
    else if (settled && !(ordered && x->order.follow == FOLLOW_NONE) && fit_stopped_by_hand(x))
        x->by_hand = true;
}

static bool fit_applier_stopped(const struct engine *e, int h)
{
    const struct msg_report *r = &e->host[h].report;

    return r->source_host[0] &&
           (e->host[h].by_hand || (!r->applier && r->traits.bits & TRAIT_BROKEN));
}

static bool fit_seen(const struct engine *e, int h)
{
    return e->host[h].report.start_id && e->host[h].report.gtid[0];
}

/* With whom its filters differ: who wrote last, or another candidate where that isn't known; -1
 * nobody. Without filters a server has everything. */
static int fit_filters_differ(const struct engine *e, int s, int h)
{
    uint64_t own = e->host[h].report.traits.filters;
    int was = fit_last_writer(e, s);

    if (!own || was == h)
        return -1;
    if (was >= 0 && fit_seen(e, was))
        return e->host[was].report.traits.filters == own ? -1 : was;
    for (int c = 0; c < (int)e->conf.names.hosts; c++)
        if (c != h && role_candidates(e, e->conf.slot_role[s]) >> c & 1 && fit_seen(e, c) &&
            e->host[c].report.traits.filters != own)
            return c;
    return -1;
}

static const char *fit_filter_name(uint64_t filters)
{
    static const char *const kinds[] = {
        "replicate_do_db",        "replicate_ignore_db",     "replicate_do_table",
        "replicate_ignore_table", "replicate_wild_do_table", "replicate_wild_ignore_table",
        "replicate_rewrite_db",   "DO_DOMAIN_IDS",           "IGNORE_DOMAIN_IDS",
        "binlog_do_db",           "binlog_ignore_db",
    };

    for (unsigned i = 0; i < ARRAY_LEN(kinds); i++)
        if (filters >> FILTERS_SHIFT >> i & 1)
            return kinds[i];
    return "a filter";
}

bool fit_barred(const struct engine *e, int s, int h, char *why, size_t size)
{
    const struct msg_report *r = &e->host[h].report;
    const char *name = host_name(e, h);
    bool replicates = fit_last_writer(e, s) != h;
    int other;

    if (!r->facts)
        return false;
    other = fit_filters_differ(e, s, h);
    if (r->traits.bits & TRAIT_NO_BINLOG)
        SAY(why, size, "%s has log_bin off: nobody could follow it", name);
    else if (r->traits.bits & TRAIT_NO_UPDATES)
        SAY(why, size,
            "%s has log_slave_updates (log_replica_updates) off: what it applied is not in its "
            "binary log, nobody could follow it",
            name);
    else if (other >= 0)
        SAY(why, size, "%s has another filter (%s) than %s: it may not have all the data", name,
            fit_filter_name(r->traits.filters), host_name(e, other));
    else if (replicates && fit_applier_stopped(e, h))
        SAY(why, size, "the applier of %s %s", name,
            r->traits.bits & TRAIT_BROKEN
                ? "stopped on an error: see SHOW REPLICA STATUS there"
                : "was stopped by hand; there: START REPLICA SQL_THREAD (MariaDB: START SLAVE)");
    else if (replicates && r->source_host[0] && r->traits.delay_s)
        SAY(why, size,
            "%s is kept %u s behind (SOURCE_DELAY, MASTER_DELAY): it would have to apply all of "
            "that first",
            name, r->traits.delay_s);
    else
        return false;
    return true;
}

bool fit_full(const struct engine *e, int h, char *why, size_t size)
{
    const char *name = host_name(e, h);

    if (!e->host[h].report.disk_full)
        return false;
    SAY(why, size, "the disk with the binary log of %s is full; free space there", name);
    return true;
}

bool fit_lends(const struct engine *e, int from, int to)
{
    const struct traits *f = &e->host[from].report.traits;

    return !(f->bits & (TRAIT_NO_BINLOG | TRAIT_NO_UPDATES)) && place_lends(e, from, to) &&
           (!f->filters || f->filters == e->host[to].report.traits.filters);
}

bool fit_acknowledged(const struct engine *e, int h)
{
    const struct traits *t = &e->host[h].report.traits;
    const unsigned good = TRAIT_SEMI_SOURCE | TRAIT_SEMI_ACTIVE;

    return (t->bits & (good | TRAIT_SEMI_AFTER | TRAIT_SEMI_HASTY)) == good &&
           t->semi_clients >= (t->semi_wait_for ? t->semi_wait_for : 1) &&
           t->semi_timeout_ms >= SEMI_TIMEOUT_LEAST_MS;
}

bool engine_barred(const struct engine *e, int h, char *why, size_t size)
{
    int s = engine_active_slot(e);

    why[0] = 0;
    return s >= 0 && role_candidates(e, e->conf.slot_role[s]) >> h & 1 &&
           (fit_full(e, h, why, size) || fit_barred(e, s, h, why, size));
}

/* Of a source, whoever is the writer. */
static bool semi_sync_settings(const struct traits *t, char *out, size_t size)
{
    if (t->bits & TRAIT_SEMI_AFTER)
        snprintf(out, size,
                 "the wait point is AFTER_COMMIT: others read what no replica has yet; "
                 "rpl_semi_sync_source_wait_point (MariaDB: _master_) = AFTER_SYNC");
    else if (t->bits & TRAIT_SEMI_HASTY)
        snprintf(out, size,
                 "wait_no_replica (wait_no_slave) is off: with too few replicas connected commits "
                 "are acknowledged at once");
    else if (t->semi_timeout_ms < SEMI_TIMEOUT_LEAST_MS)
        snprintf(out, size, "its timeout of %" PRId64 " ms makes any hiccup asynchronous",
                 t->semi_timeout_ms);
    else
        return false;
    return true;
}

/* Not the writer, and its own commits, replication's too, wait for replicas of its own. */
static bool semi_sync_applier(const struct traits *t, char *out, size_t size)
{
    if (!(t->bits & TRAIT_SEMI_ACTIVE) ||
        t->semi_clients >= (t->semi_wait_for ? t->semi_wait_for : 1))
        return false;
    snprintf(
        out, size,
        "its source's side is on and no replica of its own acknowledges: what it applies waits "
        "too, up to %" PRId64 " ms; switch that side off until it is the writer",
        t->semi_timeout_ms);
    return true;
}

static bool semi_sync_writer(const struct traits *t, char *out, size_t size)
{
    unsigned needs = t->semi_wait_for ? t->semi_wait_for : 1;

    if (!(t->bits & TRAIT_SEMI_ACTIVE))
        snprintf(out, size,
                 "fell back to asynchronous: commits are acknowledged and no replica need have "
                 "them");
    else if (t->semi_clients < needs)
        snprintf(out, size,
                 "%u replica%s connected that would acknowledge, %u needed: commits wait, and are "
                 "asynchronous after %" PRId64 " ms",
                 t->semi_clients, t->semi_clients == 1 ? " is" : "s are", needs,
                 t->semi_timeout_ms);
    else
        return false;
    return true;
}

void engine_semi_sync(const struct engine *e, int h, char *out, size_t size)
{
    int s = engine_active_slot(e), w = engine_writer(e);
    const struct traits *t = &e->host[h].report.traits;
    bool written = w >= 0 && e->host[w].report.traits.bits & TRAIT_SEMI_SOURCE;
    bool candidate = s >= 0 && role_candidates(e, e->conf.slot_role[s]) >> h & 1;

    out[0] = 0;
    if (!e->host[h].report.facts)
        return;
    if (t->bits & TRAIT_SEMI_SOURCE) {
        if (w == h ? semi_sync_writer(t, out, size) : semi_sync_applier(t, out, size))
            return;
        if (semi_sync_settings(t, out, size))
            return;
    } else if (written && w != h && candidate) {
        snprintf(out, size, "its source's side is off: as the writer it would wait for nobody");
        return;
    }
    if (written && w != h && t->bits & TRAIT_SEMI_REPLICA && !(t->bits & TRAIT_SEMI_RECEIVER) &&
        e->host[h].report.receiver == RECEIVER_YES)
        snprintf(out, size,
                 "its receiver doesn't acknowledge: it began before that was switched on; there: "
                 "STOP and START its receiver (IO_THREAD)");
}
