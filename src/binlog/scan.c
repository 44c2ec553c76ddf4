/* SPDX-License-Identifier: GPL-2.0-or-later
 * The newest file says what came before it. A server may die while it makes a new file: then that
 * one has no beginning yet, and the one before it ends with everything. */
#include "binlog/binlog.h"

#include "binlog/event.h"
#include "binlog/logindex.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct scan {
    struct reader reader;
    struct gtid_set set;
    enum gtid_flavour flavour;
    bool started;  /* the set at the beginning was there */
    uint64_t good; /* up to here all is complete */
};

static int scan_event(struct scan *s, struct group *g, const struct event *ev, struct err *e)
{
    int step;

    if (event_is_start_set(&s->reader, ev)) {
        if (s->started)
            return err_set(e, -EBADMSG,
                           "binary log %s is damaged at %" PRIu64
                           ": a second set of what came before",
                           s->reader.path, ev->at);
        s->started = true;
        if (event_start_set(&s->reader, ev, s->flavour, &s->set, e) < 0)
            return e->code;
    }
    step = group_feed(g, &s->reader, ev, e);
    if (step < 0)
        return step;
    if (step == GROUP_ENDS && g->known) {
        if (s->flavour != GTID_MYSQL)
            g->gtid.lo = 1;
        gtid_add(&s->set, g->gtid);
        if (s->set.full)
            return err_set(e, -E2BIG, "binary log %s: GTID set of more than %d ranges",
                           s->reader.path, GTID_RANGES_MAX);
    }
    if (step == GROUP_ENDS || step == GROUP_NONE)
        s->good = ev->at + ev->len;
    return 0;
}

/* 1 read, 0 it has no beginning. */
static int scan_file(struct scan *s, const char *path, struct err *e)
{
    struct group g = {0};
    struct event ev;
    int rc = reader_open(&s->reader, path, e);

    if (rc != READER_EVENT)
        return rc < 0 ? rc : 0;
    if (s->reader.mariadb != (s->flavour != GTID_MYSQL))
        return err_set(e, -EBADMSG, "binary log %s is not one of %s", path,
                       s->flavour == GTID_MYSQL ? "MySQL" : "MariaDB");
    s->started = false;
    s->good = s->reader.next;
    while ((rc = reader_next(&s->reader, &ev, e)) == READER_EVENT)
        if (scan_event(s, &g, &ev, e) < 0)
            return e->code;
    return rc < 0 ? rc : s->started;
}

static int scan_files(struct scan *s, const struct logindex *x, struct binlog_scan *out,
                      struct err *e)
{
    for (size_t i = x->n; i-- > 0;) {
        int rc = scan_file(s, x->path[i], e);

        if (rc == 1) {
            gtid_format(&s->set, out->gtid, sizeof out->gtid);
            snprintf(out->file, sizeof out->file, "%s", logindex_name(x->path[i]));
            out->pos = s->good;
            out->left_out = s->reader.size - s->good;
        }
        reader_close(&s->reader);
        if (rc != 0)
            return rc < 0 ? rc : 0;
    }
    return err_set(e, -EBADMSG, "no binary log file has a beginning; the newest is %s",
                   x->path[x->n - 1]);
}

int binlog_scan(const char *index_path, enum gtid_flavour flavour, struct binlog_scan *out,
                struct err *e)
{
    struct scan s = {.flavour = flavour, .reader = {.fd = -1}};
    struct logindex x;
    int rc = logindex_read(&x, index_path, e);

    CHECK(flavour != GTID_MARIADB_LIST && flavour < GTID_N);
    if (rc == 0)
        rc = scan_files(&s, &x, out, e);
    logindex_free(&x);
    return rc;
}
