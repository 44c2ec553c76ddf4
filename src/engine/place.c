/* SPDX-License-Identifier: GPL-2.0-or-later
 * Servers without GTID: who may follow whom, and from which file and position. Nothing is guessed.
 *
 * A place, uuid/mysql-bin.000005:900, is a byte in the log of one server. "Has executed everything
 * up to it" is a set like a set of GTIDs (gtid/place.h), so comparing, reaching and losing are the
 * same arithmetic. What a server must be found to have elsewhere (report.gtid) is one place: the
 * end of its own log if it was the writer last, else where it stands in its source's log. What it
 * has itself is more: its own log and its source's, each up to a place.
 *
 * Places of different logs correspond at one point only: when a server becomes the writer, drained
 * and still read-only, "as far as turn_from in my source's log" and "turn_own in mine" are the same
 * data. Its agent notes that on disk before writes open (agent_place.c), and forgets it once its
 * server follows somebody again. From then on a server may follow the writer only
 *  - from turn_own, if it stands exactly at turn_from; or
 *  - from where it stands, if its source is the writer already: its place is one in that very log.
 * Anybody else is told why not. Who stands before turn_from in the same log is not lost while the
 * server that wrote it answers and writes the same file: he applies exactly up to turn_from first
 * (START ... UNTIL), however far that file has gone on since. After a crash it is another file.
 *
 *  - In a planned move the old writer's last place is what everybody is told to reach, before the
 *    new one opens and for half a second it is waited for: afterwards the old one follows the new,
 *    and its log no longer ends there. Who takes longer goes on, exactly to there.
 *  - In a circle the writer's events come back and are skipped by their server id: a place in the
 *    other's log is as good as any. What an old writer has of its own behind what the new one has
 *    executed is looked for in its log, event by event, by server id: a restart begins a new file,
 *    rotation adds events of no meaning, and what it has applied since is not its own. A log that
 *    ends before that place has lost something (sync_binlog): then it doesn't follow either.
 *  - log_slave_updates off: the log of such a server lacks what it applied, and the same place in
 *    it may mean different data before and after another's turn. Such a server is never the writer
 *    by itself (fit.c); as a replica it makes no difference.
 *  - Executed coordinates are exact only of a stopped applier: places of others than the writer are
 *    believed once the agent has drained and stopped it. An applier that broke never settles.
 *  - Another uuid, or another name of the log: another log; its places compare with nothing.
 *    RESET BINARY LOGS: everybody else is ahead of the writer, and is told so. */
#include "engine/engine_internal.h"

#include "gtid/place.h"

bool place_used(const struct engine *e, int h)
{
    return h >= 0 && e->host[h].report.own[0];
}

bool place_add(const struct engine *e, int h, struct gtid_set *set)
{
    const struct msg_report *r = &e->host[h].report;
    const char *const has[] = {r->own, r->applied, r->turn_from};
    struct gtid_set one;
    struct err ignored;

    for (unsigned i = 0; i < ARRAY_LEN(has); i++)
        if (gtid_parse(has[i], GTID_MYSQL, &one, &ignored) < 0 || gtid_merge(set, &one, set) < 0)
            return false;
    return true;
}

void place_tell(const struct engine *e, const char *text, char *out, size_t size)
{
    enum { UUID = PLACE_UUID_MAX - 1 };
    size_t n = 0;

    while (*text && n + 1 < size) {
        int h = 0, hosts = (int)e->conf.names.hosts;

        while (h < hosts && !(place_used(e, h) && place_same_server(e->host[h].report.own, text)))
            h++;
        if (h < hosts) {
            n += (size_t)snprintf(out + n, size - n, "%s ", host_name(e, h));
            text += UUID + 1;
        } else {
            out[n++] = *text++;
        }
    }
    out[n < size ? n : size - 1] = 0;
}

bool engine_by_place(const struct engine *e, int host)
{
    return place_used(e, host);
}

void engine_tell_gtid(const struct engine *e, int host, char out[GTID_LEN])
{
    const struct msg_report *r = &e->host[host].report;

    if (place_used(e, host))
        place_tell(e, r->gtid, out, GTID_LEN);
    else
        memcpy(out, r->gtid, strlen(r->gtid) + 1);
}

/* Up to where w has h's own log; "" it never had it. */
static const char *place_of_in(const struct engine *e, int h, int w)
{
    const struct msg_report *r = &e->host[w].report;
    const char *own = e->host[h].report.own;

    if (place_same_server(r->applied, own))
        return r->applied;
    return place_same_server(r->turn_from, own) ? r->turn_from : "";
}

const char *place_look(const struct engine *e, int h, int w)
{
    const struct host *x = &e->host[h];
    const char *known = place_of_in(e, h, w);
    bool asked =
        x->order.serial && x->order.follow == FOLLOW_NONE && place_same_log(x->order.behind, known);

    /* it was asked already, and it is still the answer: w's place moves on in a circle */
    if (asked && !(x->report.own_more[0] && strcmp(x->report.seen_behind, x->order.behind) == 0 &&
                   place_before(x->order.behind, known)))
        return x->order.behind;
    return known;
}

/* Where it stands: in its own log if it was the writer, and that log is known. */
static const char *place_stands(const struct engine *e, int h, int w)
{
    const struct msg_report *r = &e->host[h].report;

    return place_of_in(e, h, w)[0] ? r->seen_behind : r->gtid;
}

/* UNTIL is sure only if something follows in the same file: by the name of the next one a parallel
 * applier is not stopped in time (9.7), and a crash ends a file without an event. */
static bool place_same_file(const char *a, const char *b)
{
    const char *colon = strrchr(a, ':');

    return colon && strncmp(a, b, (size_t)(colon - a) + 1) == 0;
}

bool place_waits(const struct engine *e, int h, int w)
{
    const struct msg_report *r = &e->host[h].report, *writer = &e->host[w].report;
    int s = r->source;

    return s >= 0 && s != w && host_live(e, s) && e->host[s].report.mysqld == MYSQLD_UP &&
           e->host[s].report.facts && place_same_file(e->host[s].report.own, writer->turn_from) &&
           !place_same_server(r->gtid, r->own) && place_before(r->applied, writer->turn_from);
}

static enum place_verdict place_no(const struct engine *e, int h, int w, char *why, size_t size)
{
    const struct msg_report *r = &e->host[h].report, *writer = &e->host[w].report;
    char text[3 * PLACE_LEN + 160];
    const char *stands = place_stands(e, h, w);

    if (!writer->turn_from[0])
        snprintf(text, sizeof text,
                 "stands at %s, and it is not known where that is in the binary log of %s",
                 stands[0] ? stands : "no place", host_name(e, w));
    else if (place_same_server(r->gtid, r->own) && !place_of_in(e, h, w)[0])
        snprintf(text, sizeof text,
                 "was the writer before, up to %.300s, and it is not known up to where %s has that",
                 r->gtid, host_name(e, w));
    else
        snprintf(text, sizeof text, "stands at %s, and %s became the writer at %s",
                 stands[0] ? stands : "no place", host_name(e, w), writer->turn_from);
    place_tell(e, text, why, size);
    return PLACE_NEVER;
}

enum place_verdict place_compare(const struct engine *e, int h, int w, char *why, size_t size)
{
    const struct msg_report *r = &e->host[h].report, *writer = &e->host[w].report;
    const char *known = place_of_in(e, h, w), *look = place_look(e, h, w);
    char text[PROBLEM_LEN];

    if (!place_used(e, h) || !place_used(e, w)) {
        snprintf(why, size, "only one of it and %s replicates with GTID", host_name(e, w));
        return PLACE_NEVER;
    }
    if (known[0] && strcmp(r->seen_behind, look) != 0)
        return PLACE_UNSURE;
    if (known[0] && r->own_more[0]) {
        snprintf(text, sizeof text, "has transactions nobody else has: %s", r->own_more);
        place_tell(e, text, why, size);
        return PLACE_NEVER;
    }
    if (place_same_log(r->applied, writer->own) && !place_before(writer->own, r->applied) &&
        (known[0] || !place_same_server(r->gtid, r->own)))
        return PLACE_CLEAN;
    if (writer->turn_from[0] && strcmp(place_stands(e, h, w), writer->turn_from) == 0)
        return PLACE_CLEAN;
    return place_waits(e, h, w) ? PLACE_UNSURE : place_no(e, h, w, why, size);
}

void place_follow(const struct engine *e, int h, int w, struct msg_order *o)
{
    const struct host *x = &e->host[h];
    const struct msg_report *r = &x->report, *writer = &e->host[w].report;

    if (!place_used(e, h) || !place_used(e, w))
        return;
    if (x->order.serial && x->order.follow == FOLLOW_SOURCE && x->order.source == w) {
        memcpy(o->at, x->order.at, sizeof o->at);
        memcpy(o->from, x->order.from, sizeof o->from);
        return;
    }
    if (!writer->turn_from[0] || strcmp(place_stands(e, h, w), writer->turn_from) != 0 ||
        (place_same_log(r->applied, writer->turn_own) &&
         !place_before(r->applied, writer->turn_own)))
        return;
    memcpy(o->at, writer->turn_own, sizeof o->at);
    memcpy(o->from, writer->turn_from, sizeof o->from);
}

bool place_lends(const struct engine *e, int from, int to)
{
    return !place_used(e, from) || e->host[to].report.source == from;
}
