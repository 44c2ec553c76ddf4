/* SPDX-License-Identifier: GPL-2.0-or-later
 * A transaction begins with its GTID event. Where it ends:
 *   MariaDB  flagged standalone, or the end of an XA transaction: with the first statement;
 *            else with Xid, XA_prepare or the statement COMMIT or ROLLBACK
 *   MySQL    a first statement that neither begins a transaction nor an XA transaction, and a
 *            compressed transaction: with that event; else as in MariaDB */
#include "binlog/event.h"

#include "binlog/bytes.h"
#include "binlog/tagged.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#define QUERY_HEADER                                                                               \
    13 /* thread 4, seconds 4, length of the schema 1, error 2, length of status 2 */

/* flags of MariaDB's GTID event */
#define MARIADB_STANDALONE   0x01
#define MARIADB_COMPLETED_XA 0x80

static int event_bad(const struct reader *r, const struct event *ev, const char *what,
                     struct err *e)
{
    return err_set(e, -EBADMSG, "binary log %s is damaged at %" PRIu64 ": %s", r->path, ev->at,
                   what);
}

static struct bytes event_bytes(const struct event *ev)
{
    return (struct bytes){.at = ev->body, .left = ev->body_len};
}

/* ---- what a file begins with ---- */

bool event_is_start_set(const struct reader *r, const struct event *ev)
{
    return ev->type == (r->mariadb ? EVENT_MARIADB_GTID_LIST : EVENT_PREVIOUS_GTIDS);
}

/* Count (28 bits, above them flags), and for each domain, server, number. */
static bool event_gtid_list(struct bytes b, struct gtid_set *set)
{
    uint32_t n = (uint32_t)bytes_take_number(&b, 4) & 0x0fffffff;

    while (n-- && !b.bad) {
        struct gtid_range r = {.lo = 1};

        r.source.domain = (uint32_t)bytes_take_number(&b, 4);
        r.source.server = (uint32_t)bytes_take_number(&b, 4);
        r.hi = bytes_take_number(&b, 8);
        if (!b.bad && r.hi > 0)
            gtid_add(set, r);
    }
    return !b.bad;
}

/* Count; per source: UUID, with tags (the count's highest byte is 1) the tag, number of intervals,
 * each from a number to before another. */
static bool event_previous_gtids(struct bytes b, struct gtid_set *set)
{
    uint64_t n = bytes_take_number(&b, 8);
    bool tagged = n >> 56 == 1;

    if (tagged)
        n = n >> 8 & 0xffffffffffff;
    while (n-- && !b.bad) {
        struct gtid_range r = {0};
        const uint8_t *uuid = bytes_take(&b, sizeof r.source.uuid);
        uint64_t ranges;

        if (uuid)
            memcpy(r.source.uuid, uuid, sizeof r.source.uuid);
        if (tagged && !tagged_take_tag(&b, r.source.tag))
            return false;
        ranges = bytes_take_number(&b, 8);
        while (ranges-- && !b.bad) {
            r.lo = bytes_take_number(&b, 8);
            r.hi = bytes_take_number(&b, 8) - 1;
            if (b.bad || r.lo == 0 || r.hi < r.lo || r.hi > INT64_MAX)
                return false;
            gtid_add(set, r);
        }
    }
    return !b.bad;
}

int event_start_set(const struct reader *r, const struct event *ev, enum gtid_flavour flavour,
                    struct gtid_set *set, struct err *e)
{
    bool ok;

    *set = (struct gtid_set){.flavour = flavour};
    if (!ev->whole)
        return err_set(e, -E2BIG, "binary log %s begins with too large a GTID set", r->path);
    ok = r->mariadb ? event_gtid_list(event_bytes(ev), set)
                    : event_previous_gtids(event_bytes(ev), set);
    if (!ok)
        return event_bad(r, ev, "the GTID set it begins with", e);
    if (set->full)
        return err_set(e, -E2BIG, "binary log %s begins with a GTID set of more than %d ranges",
                       r->path, GTID_RANGES_MAX);
    return 0;
}

/* ---- statements ---- */

/* Is it this word, or does it begin with these words? */
static bool event_says(const struct event *ev, const char *words, bool whole)
{
    struct bytes b = event_bytes(ev);
    const uint8_t *h = bytes_take(&b, QUERY_HEADER), *text;
    size_t n = strlen(words);

    if (!h || !bytes_take(&b, bytes_number(h + 11, 2) + h[8] + 1u))
        return false;
    if (whole && (b.left != n || !ev->whole))
        return false;
    text = bytes_take(&b, n);
    return text && memcmp(text, words, n) == 0;
}

static bool event_is_statement(const struct event *ev)
{
    return ev->type == EVENT_QUERY || ev->type == EVENT_QUERY_COMPRESSED;
}

/* The end of a transaction of several events. */
static bool event_commits(const struct event *ev)
{
    return ev->type == EVENT_XID || ev->type == EVENT_XA_PREPARE ||
           (ev->type == EVENT_QUERY &&
            (event_says(ev, "COMMIT", true) || event_says(ev, "ROLLBACK", true)));
}

/* ---- GTID events ---- */

static bool group_begin_mariadb(struct group *g, const struct event *ev)
{
    struct bytes b = event_bytes(ev);
    uint8_t flags;

    g->known = true;
    g->gtid.lo = g->gtid.hi = bytes_take_number(&b, 8);
    g->gtid.source.domain = (uint32_t)bytes_take_number(&b, 4);
    g->gtid.source.server = ev->server_id;
    flags = (uint8_t)bytes_take_number(&b, 1);
    g->one_statement = flags & (MARIADB_STANDALONE | MARIADB_COMPLETED_XA);
    return !b.bad && g->gtid.hi > 0;
}

static bool group_begin_mysql(struct group *g, const struct event *ev)
{
    struct bytes b = event_bytes(ev);
    const uint8_t *uuid;

    if (ev->type == EVENT_ANONYMOUS)
        return true;
    g->known = true;
    if (ev->type == EVENT_GTID_TAGGED)
        return tagged_gtid(b, &g->gtid);
    bytes_take(&b, 1);
    uuid = bytes_take(&b, sizeof g->gtid.source.uuid);
    if (uuid)
        memcpy(g->gtid.source.uuid, uuid, sizeof g->gtid.source.uuid);
    g->gtid.lo = g->gtid.hi = bytes_take_number(&b, 8);
    return !b.bad && g->gtid.hi > 0 && g->gtid.hi <= INT64_MAX;
}

bool event_is_mysql_gtid(const struct event *ev)
{
    return ev->type == EVENT_GTID || ev->type == EVENT_ANONYMOUS || ev->type == EVENT_GTID_TAGGED;
}

static bool group_is_begin(const struct reader *r, const struct event *ev)
{
    if (r->mariadb)
        return ev->type == EVENT_MARIADB_GTID;
    return event_is_mysql_gtid(ev);
}

/* ---- a transaction, event by event ---- */

static bool group_is_over(struct group *g, const struct reader *r, const struct event *ev)
{
    if (ev->type == EVENT_INCIDENT || event_commits(ev))
        return true;
    if (r->mariadb)
        return g->one_statement && event_is_statement(ev);
    if (g->begun)
        return false;
    if (ev->type == EVENT_QUERY)
        g->begun = event_says(ev, "BEGIN", true) || event_says(ev, "XA START", false);
    return ev->type == EVENT_PAYLOAD || (ev->type == EVENT_QUERY && !g->begun);
}

static bool group_is_between(const struct event *ev)
{
    return ev->type == EVENT_FORMAT || ev->type == EVENT_ROTATE || ev->type == EVENT_STOP ||
           ev->type == EVENT_PREVIOUS_GTIDS || ev->type == EVENT_MARIADB_GTID_LIST;
}

int group_feed(struct group *g, const struct reader *r, const struct event *ev, struct err *e)
{
    if (group_is_begin(r, ev)) {
        if (g->open)
            return event_bad(r, ev, "a transaction begins within another", e);
        *g = (struct group){.open = true, .at = ev->at};
        if (!(r->mariadb ? group_begin_mariadb(g, ev) : group_begin_mysql(g, ev)))
            return event_bad(r, ev, "a GTID that is none", e);
        return GROUP_BEGINS;
    }
    if (!g->open) {
        g->incident = ev->type == EVENT_INCIDENT;
        return GROUP_NONE;
    }
    if (group_is_between(ev))
        return event_bad(r, ev, "a transaction that does not end", e);
    g->incident |= ev->type == EVENT_INCIDENT;
    g->open = !group_is_over(g, r, ev);
    return g->open ? GROUP_GOES_ON : GROUP_ENDS;
}
