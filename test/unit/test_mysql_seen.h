/* SPDX-License-Identifier: GPL-2.0-or-later
 * For tests of one connection: calls that are waited for while the loop runs. */
#pragma once

#include "test_mysql_server.h"

/* The owner of a db in these tests: remembers the last answer. */
struct seen {
    struct meter *m;
    struct db *db;
    bool over, lost, closed;
    enum db_error error;
    unsigned number, rows;
    char text[600], value[64];
};

static inline void seen_on_done(struct db *db, const struct db_result *r)
{
    struct seen *s = db_owner(db);
    const char *value = db_value(r, 0, 0);

    s->over = true;
    s->error = r->error;
    s->number = r->number;
    s->rows = r->rows;
    snprintf(s->text, sizeof s->text, "%s", r->text);
    snprintf(s->value, sizeof s->value, "%s", value ? value : "NULL");
}

static inline void seen_on_lost(struct db *db, const char *text)
{
    struct seen *s = db_owner(db);

    s->lost = true;
    snprintf(s->text, sizeof s->text, "%s", text);
}

static inline void seen_wait(struct seen *s)
{
    while (!s->over)
        uv_run(&s->m->loop, UV_RUN_ONCE);
    s->over = false;
}

static inline enum db_error seen_connect(struct seen *s, int64_t ms)
{
    db_connect(s->db, ms, seen_on_done);
    assert_false(s->over);
    seen_wait(s);
    return s->error;
}

static inline enum db_error seen_query(struct seen *s, const char *sql, int64_t ms)
{
    db_query(s->db, sql, ms, seen_on_done);
    assert_false(s->over);
    seen_wait(s);
    return s->error;
}

static inline void seen_open(struct seen *s, struct meter *m, const struct db_params *p)
{
    memset(s, 0, sizeof *s);
    s->m = m;
    s->db = db_new(&m->loop, p, seen_on_lost, s);
    meter_reset(m);
}

static inline void on_seen_closed(void *owner)
{
    ((struct seen *)owner)->closed = true;
}

static inline void seen_close(struct seen *s)
{
    db_close(s->db, on_seen_closed);
    while (!s->closed)
        uv_run(&s->m->loop, UV_RUN_ONCE);
}
