/* SPDX-License-Identifier: GPL-2.0-or-later
 * First the files are read from the newest back to one before which nothing is missing. Then on to
 * the end twice: once to find what is missing and what comes before it, which a binary log must
 * begin with; and from the first missing transaction on once more, to copy. */
#include "binlog/binlog.h"

#include "binlog/event.h"
#include "binlog/logindex.h"
#include "binlog/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct slice {
    enum gtid_flavour flavour;
    const char *from_file; /* by coordinates; NULL: by GTID */
    uint64_t from_pos;
    struct gtid_set have, before, last, got, reach;
    struct gtid_set one; /* the transaction that is looked at */
    struct logindex files;
    size_t first, n;      /* files to read: from, and before this one */
    struct reader newest; /* closed; its format is what the slice begins with */
    struct reader reader;
    struct writer writer;
    uint64_t missing;  /* transactions found, then: still to be copied */
    size_t begin_file; /* where the first missing transaction begins */
    uint64_t begin_at;
    bool copying;  /* the transaction that is read */
    uint64_t kept; /* bytes written up to the last complete transaction */
    bool lost;     /* an incident, and nothing that we have after it */
};

/* ---- what is missing ---- */

static bool slice_is_had(struct slice *s, const struct gtid_range *gtid)
{
    s->one.flavour = s->flavour == GTID_MARIADB_STATE ? GTID_MARIADB_LIST : s->flavour;
    s->one.n = 1;
    s->one.range[0] = *gtid;
    return gtid_subset(&s->one, &s->have);
}

/* 1 missing, 0 not. */
static int slice_is_missing(struct slice *s, const struct group *g, struct err *e)
{
    if (s->from_file)
        return strcmp(logindex_name(s->reader.path), s->from_file) != 0 || g->at >= s->from_pos;
    if (!g->known)
        return err_set(e, -EBADMSG,
                       "binary log %s has a transaction without GTID at %" PRIu64
                       ": what is missing can't be told",
                       s->reader.path, g->at);
    return !slice_is_had(s, &g->gtid);
}

static int slice_lost(const struct slice *s, struct err *e)
{
    return err_set(e, -EBADMSG, "the binary log says that the server lost events (incident), %s",
                   s->reader.path);
}

/* ---- where to begin ---- */

/* 1: `set` is what this file begins with; 0: it has no beginning. */
static int slice_start_of(struct slice *s, size_t i, enum gtid_flavour flavour,
                          struct gtid_set *set, struct err *e)
{
    const char *path = s->files.path[i];
    struct event ev;
    int rc = reader_open(&s->reader, path, e);

    if (rc == READER_EVENT && s->reader.mariadb != (s->flavour != GTID_MYSQL))
        return err_set(e, -EBADMSG, "binary log %s is not one of %s", path,
                       s->flavour == GTID_MYSQL ? "MySQL" : "MariaDB");
    while (rc == READER_EVENT && (rc = reader_next(&s->reader, &ev, e)) == READER_EVENT)
        if (event_is_start_set(&s->reader, &ev))
            return event_start_set(&s->reader, &ev, flavour, set, e) < 0 ? e->code : 1;
    return rc < 0 ? rc : 0;
}

static int slice_purged(const struct slice *s, const struct gtid_set *start, struct err *e)
{
    struct gtid_set lacks;
    char text[256] = "more than can be told";

    if (gtid_subtract(start, &s->have, &lacks) == 0)
        gtid_format(&lacks, text, sizeof text);
    return err_set(e, -ENODATA,
                   "part of what is missing is purged: %s was before the oldest binary "
                   "log %s",
                   text, s->files.path[0]);
}

static int slice_find(struct slice *s, struct err *e)
{
    enum gtid_flavour flavour = s->flavour;
    struct gtid_set start;
    bool newest = true;

    for (size_t i = s->files.n; i-- > 0;) {
        int rc = slice_start_of(s, i, flavour, &start, e);

        reader_close(&s->reader);
        if (rc < 0)
            return rc;
        if (rc == 0 && i == s->files.n - 1)
            continue; /* the server died while it made this one */
        if (rc == 0)
            return err_set(e, -EBADMSG, "binary log %s has no beginning", s->files.path[i]);
        if (newest) {
            s->newest = s->reader;
            s->n = i + 1;
            newest = false;
        }
        s->first = i;
        if (s->from_file ? strcmp(logindex_name(s->files.path[i]), s->from_file) == 0
                         : gtid_subset(&start, &s->have))
            return 0;
    }
    if (newest)
        return err_set(e, -EBADMSG, "no binary log file has a beginning");
    if (s->from_file)
        return err_set(e, -ENODATA, "there is no binary log %s any more", s->from_file);
    return slice_purged(s, &start, e);
}

/* ---- both passes ---- */

typedef int (*slice_event_fn)(struct slice *s, size_t file, struct group *g, enum group_step step,
                              const struct event *ev, struct err *e);

static int slice_read(struct slice *s, size_t i, uint64_t at, slice_event_fn fn, struct err *e)
{
    struct group g = {0};
    struct event ev;
    int rc = reader_open(&s->reader, s->files.path[i], e), step;

    if (rc == READER_EVENT && at)
        s->reader.next = at;
    while (rc == READER_EVENT && (rc = reader_next(&s->reader, &ev, e)) == READER_EVENT) {
        step = group_feed(&g, &s->reader, &ev, e);
        rc = step < 0 ? step : fn(s, i, &g, (enum group_step)step, &ev, e);
        if (rc < 0)
            break;
        rc = READER_EVENT;
    }
    return rc < 0 ? rc : 0;
}

/* ---- first pass: which are missing, what was before ---- */

static void slice_note(struct gtid_set *set, struct gtid_range gtid, bool from_one)
{
    if (from_one)
        gtid.lo = 1;
    gtid_add(set, gtid);
}

static int slice_count_group(struct slice *s, size_t file, const struct group *g, struct err *e)
{
    bool mariadb = s->flavour != GTID_MYSQL;
    int missing = slice_is_missing(s, g, e);

    if (missing < 0)
        return missing;
    if (!missing) {
        s->lost = false; /* whoever has this came past it */
        if (g->known) {
            slice_note(&s->before, g->gtid, mariadb);
            slice_note(&s->last, g->gtid, mariadb);
        }
        return 0;
    }
    if (s->lost || g->incident)
        return slice_lost(s, e);
    if (s->missing++ == 0) {
        s->begin_file = file;
        s->begin_at = g->at;
    }
    s->writer.serial = s->flavour == GTID_MYSQL && file != s->begin_file;
    if (g->known) {
        slice_note(&s->got, g->gtid, false);
        slice_note(&s->reach, g->gtid, mariadb);
    }
    return 0;
}

static int slice_count(struct slice *s, size_t file, struct group *g, enum group_step step,
                       const struct event *ev, struct err *e)
{
    if (event_is_start_set(&s->reader, ev) && file == s->first) {
        struct gtid_set start;
        enum gtid_flavour last = s->flavour == GTID_MYSQL ? GTID_MYSQL : GTID_MARIADB_POS;

        if (event_start_set(&s->reader, ev, s->before.flavour, &s->before, e) < 0 ||
            event_start_set(&s->reader, ev, last, &start, e) < 0)
            return e->code;
        s->last = start;
    }
    if (step == GROUP_NONE && g->incident)
        s->lost = true;
    return step == GROUP_ENDS ? slice_count_group(s, file, g, e) : 0;
}

static int slice_count_all(struct slice *s, struct err *e)
{
    for (size_t i = s->first; i < s->n; i++) {
        int rc = slice_read(s, i, 0, slice_count, e);

        reader_close(&s->reader);
        if (rc < 0)
            return rc;
    }
    if (s->lost)
        return slice_lost(s, e);
    if (s->before.full || s->last.full || s->got.full || s->reach.full)
        return err_set(e, -E2BIG, "binary logs: GTID set of more than %d ranges", GTID_RANGES_MAX);
    return 0;
}

/* ---- second pass: copy ---- */

static int slice_copy(struct slice *s, size_t file, struct group *g, enum group_step step,
                      const struct event *ev, struct err *e)
{
    (void)file;
    if (step == GROUP_NONE || s->missing == 0)
        return 0;
    if (step == GROUP_BEGINS) {
        int missing = slice_is_missing(s, g, e);

        if (missing < 0)
            return missing;
        s->copying = missing;
    }
    if (!s->copying)
        return 0;
    if (writer_copy(&s->writer, &s->reader, ev, e) < 0)
        return e->code;
    if (step == GROUP_ENDS) {
        s->missing--;
        s->kept = s->writer.len;
    }
    return 0;
}

static int slice_copy_all(struct slice *s, struct err *e)
{
    if (writer_begin(&s->writer, &s->newest, &s->before, &s->last, e) < 0)
        return e->code;
    s->kept = s->writer.len;
    for (size_t i = s->begin_file; i < s->n && s->missing; i++) {
        int rc = slice_read(s, i, i == s->begin_file ? s->begin_at : 0, slice_copy, e);

        reader_close(&s->reader);
        if (rc < 0)
            return rc;
        if (writer_cut(&s->writer, s->kept, e) < 0) /* a file may end in an incomplete one */
            return e->code;
    }
    if (s->missing)
        return err_set(e, -EIO, "the binary log became shorter while it was read");
    return 0;
}

static int slice_write(struct slice *s, const char *to_path, struct err *e)
{
    int fd = open(to_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600), rc;

    s->writer.path = to_path;
    s->writer.file = fd < 0 ? NULL : fdopen(fd, "w");
    if (!s->writer.file) {
        rc = err_set(e, -errno, "make %s: %s", to_path, strerror(errno));
        if (fd >= 0)
            close(fd);
        return rc;
    }
    rc = slice_copy_all(s, e);
    if (rc == 0 && (fflush(s->writer.file) != 0 || fsync(fd) < 0))
        rc = err_set(e, -errno, "write %s: %s", to_path, strerror(errno));
    fclose(s->writer.file);
    return rc;
}

/* ---- the whole ---- */

static int slice_make(struct slice *s, const char *index_path, const char *to_path,
                      struct binlog_slice *out, struct err *e)
{
    uint64_t transactions;
    int rc;

    s->reader.fd = -1;
    s->before.flavour = s->flavour == GTID_MYSQL ? GTID_MYSQL : GTID_MARIADB_STATE;
    s->got.flavour = s->flavour == GTID_MYSQL ? GTID_MYSQL : GTID_MARIADB_LIST;
    s->reach.flavour = s->flavour == GTID_MYSQL ? GTID_MYSQL : GTID_MARIADB_POS;
    rc = logindex_read(&s->files, index_path, e);
    if (rc == 0)
        rc = slice_find(s, e);
    if (rc == 0)
        rc = slice_count_all(s, e);
    transactions = s->missing;
    if (rc == 0)
        rc = slice_write(s, to_path, e);
    if (rc == 0) {
        gtid_format(&s->got, out->gtid, sizeof out->gtid);
        gtid_format(&s->reach, out->reach, sizeof out->reach);
        out->transactions = transactions;
        out->bytes = s->writer.len;
    } else {
        unlink(to_path);
    }
    reader_close(&s->reader);
    logindex_free(&s->files);
    free(s);
    return rc;
}

static struct slice *slice_new(enum gtid_flavour flavour, uint64_t bytes_max)
{
    struct slice *s = calloc(1, sizeof *s);

    CHECK(s);
    s->flavour = flavour;
    s->writer.max = bytes_max < UINT32_MAX ? bytes_max : UINT32_MAX;
    return s;
}

int binlog_slice(const char *index_path, enum gtid_flavour flavour, const char *have,
                 const char *to_path, uint64_t bytes_max, struct binlog_slice *out, struct err *e)
{
    struct slice *s;
    struct gtid_set had;

    CHECK(flavour != GTID_MARIADB_LIST && flavour < GTID_N);
    if (gtid_parse(have, flavour, &had, e) < 0)
        return e->code;
    s = slice_new(flavour, bytes_max);
    s->have = had;
    return slice_make(s, index_path, to_path, out, e);
}

int binlog_slice_from(const char *index_path, const char *file, uint64_t pos, const char *to_path,
                      uint64_t bytes_max, struct binlog_slice *out, struct err *e)
{
    struct slice *s = slice_new(GTID_MYSQL, bytes_max);

    s->from_file = file;
    s->from_pos = pos;
    return slice_make(s, index_path, to_path, out, e);
}
