/* SPDX-License-Identifier: GPL-2.0-or-later
 * What only the servers together show. */
#include "preflight/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The first other host with the same value of that variable; NULL: none. */
static const struct looked *cluster_twin(const struct survey *s, const struct looked *h,
                                         const char *name)
{
    const char *is = survey_variable(h, name);

    for (size_t i = 0; is && i < s->conf->n_hosts; i++) {
        const char *other = survey_variable(&s->host[i], name);

        if (&s->host[i] != h && other && !strcmp(other, is))
            return &s->host[i];
    }
    return NULL;
}

/* ---- identity ---- */

static bool server_id_used(const struct survey *s, unsigned long id)
{
    for (size_t i = 0; i < s->conf->n_hosts; i++) {
        const char *is = survey_variable(&s->host[i], "server_id");

        if (is && strtoul(is, NULL, 10) == id)
            return true;
    }
    return false;
}

void judge_server_id(const struct check *c, const struct survey *s, const struct looked *h,
                     struct sheet *out)
{
    const char *is = survey_variable(h, c->name);
    const struct looked *twin = cluster_twin(s, h, c->name);
    unsigned long free_id = (unsigned long)(h - s->host) + 1;
    char text[24];

    if (!is)
        return;
    if (!twin && strcmp(is, "0")) {
        sheet_add(out, h->conf->name, c->name, VERDICT_OK, "different on each");
        return;
    }
    if (twin)
        sheet_add(out, h->conf->name, c->name, VERDICT_FAIL,
                  "is %s, as on %s: they ignore each other's transactions", is, twin->conf->name);
    else
        sheet_add(out, h->conf->name, c->name, VERDICT_FAIL, "is 0: it can't replicate");
    if (twin && twin > h) /* the later one is to change */
        twin = NULL;
    while (server_id_used(s, free_id))
        free_id += s->conf->n_hosts;
    snprintf(text, sizeof text, "%lu", free_id);
    if (twin || !strcmp(is, "0"))
        fix_variable(out, h, c->name, text, NULL, HOW_RUNNING);
    else
        sheet_fix(out, "change the other one, as its line says");
}

void judge_server_uuid(const struct check *c, const struct survey *s, const struct looked *h,
                       struct sheet *out)
{
    const struct looked *twin = cluster_twin(s, h, c->name);
    const char *datadir = survey_variable(h, "datadir");

    if (!twin) {
        sheet_add(out, h->conf->name, c->name, VERDICT_OK, "different on each");
        return;
    }
    sheet_add(out, h->conf->name, c->name, VERDICT_FAIL,
              "the same as on %s (a copied data directory): they can't follow each other",
              twin->conf->name);
    if (twin < h)
        sheet_fix(out, "on %s: rm %sauto.cnf; restart mysqld", h->conf->name,
                  datadir ? datadir : "DATADIR/");
    else
        sheet_fix(out, "change the other one, as its line says");
}

void judge_domain(const struct check *c, const struct survey *s, const struct looked *h,
                  struct sheet *out)
{
    const char *is = survey_variable(h, c->name);
    const char *first = survey_variable(&s->host[0], c->name);

    if (!is || !first)
        return;
    if (!strcmp(is, first)) {
        sheet_add(out, h->conf->name, c->name, VERDICT_OK, "%s", is);
        return;
    }
    sheet_add(out, h->conf->name, c->name, VERDICT_WARN,
              "is %s, %s on %s: replicas may apply what one wrote before what the other wrote", is,
              first, s->host[0].conf->name);
    fix_variable(out, h, c->name, first, NULL, HOW_RUNNING);
}

/* ---- numbers that two masters give ---- */

static unsigned long auto_increment_masters(const struct survey *s)
{
    unsigned long n = 0;

    for (size_t i = 0; i < s->conf->n_hosts; i++)
        n += s->conf->hosts[i].mode == CONF_HOST_MASTER;
    return n;
}

/* Its place among the masters, from 1. */
static unsigned long auto_increment_place(const struct survey *s, const struct looked *h)
{
    unsigned long n = 1;

    for (const struct looked *at = s->host; at < h; at++)
        n += at->conf->mode == CONF_HOST_MASTER;
    return n;
}

static bool auto_increment_clash(const struct survey *s, const struct looked *h)
{
    const char *is = survey_variable(h, "auto_increment_offset");

    for (size_t i = 0; i < s->conf->n_hosts; i++) {
        const struct looked *o = &s->host[i];
        const char *other = survey_variable(o, "auto_increment_offset");

        if (o != h && o->conf->mode == CONF_HOST_MASTER && other && is && !strcmp(other, is))
            return true;
    }
    return false;
}

void judge_auto_increment(const struct check *c, const struct survey *s, const struct looked *h,
                          struct sheet *out)
{
    const char *step = survey_variable(h, "auto_increment_increment");
    const char *offset = survey_variable(h, "auto_increment_offset");
    unsigned long masters = auto_increment_masters(s), place = auto_increment_place(s, h);

    if (h->conf->mode != CONF_HOST_MASTER || masters < 2 || !step || !offset)
        return;
    if (strtoul(step, NULL, 10) >= masters && !auto_increment_clash(s, h)) {
        sheet_add(out, h->conf->name, c->name, VERDICT_OK, "increment %s, offset %s", step, offset);
        return;
    }
    sheet_add(out, h->conf->name, c->name, VERDICT_WARN,
              "increment %s, offset %s: rows that a dead writer had not sent and new ones get the "
              "same ids",
              step, offset);
    if (h->mariadb)
        sheet_fix(out,
                  "SET GLOBAL auto_increment_increment = %lu; SET GLOBAL auto_increment_offset = "
                  "%lu; in my.cnf: auto_increment_increment = %lu, auto_increment_offset = %lu",
                  masters, place, masters, place);
    else
        sheet_fix(out,
                  "SET PERSIST auto_increment_increment = %lu; "
                  "SET PERSIST auto_increment_offset = %lu;",
                  masters, place);
}

/* ---- filters ---- */

static const char *const filters[] = {
    "Replicate_Do_DB",        "Replicate_Ignore_DB",     "Replicate_Do_Table",
    "Replicate_Ignore_Table", "Replicate_Wild_Do_Table", "Replicate_Wild_Ignore_Table",
    "Replicate_Rewrite_DB",
};

/* MariaDB has them as variables also where nothing is replicated. */
static const char *filter_of(const struct looked *h, const char *name)
{
    const char *is = h->mariadb ? survey_variable(h, name) : NULL;

    return is ? is : answer_named(survey_answer(h, Q_REPLICA), 0, name);
}

static bool filter_differs(const struct survey *s, const struct looked *h, const char *name)
{
    const char *is = filter_of(h, name);

    for (size_t i = 0; i < s->conf->n_hosts; i++) {
        const char *other = filter_of(&s->host[i], name);

        if (other && strcmp(other, is))
            return true;
    }
    return false;
}

static void filter_fix(const struct looked *h, const char *name, struct sheet *out)
{
    char lower[64] = "";

    for (size_t i = 0; name[i] && i + 1 < sizeof lower; i++)
        lower[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] + 32 : name[i]);
    if (h->mariadb)
        sheet_fix(out, "STOP SLAVE; SET GLOBAL %s = ''; START SLAVE; in my.cnf: without %s", lower,
                  lower);
    else
        sheet_fix(out,
                  "STOP REPLICA SQL_THREAD; CHANGE REPLICATION FILTER %s = (); "
                  "START REPLICA SQL_THREAD; in my.cnf: without %s",
                  lower, lower);
}

void judge_filters(const struct check *c, const struct survey *s, const struct looked *h,
                   struct sheet *out)
{
    bool some = false;

    for (unsigned i = 0; i < ARRAY_LEN(filters); i++) {
        const char *is = filter_of(h, filters[i]);
        bool differs;

        if (!is || !*is)
            continue;
        some = true;
        differs = filter_differs(s, h, filters[i]);
        sheet_add(out, h->conf->name, c->name, differs ? VERDICT_FAIL : VERDICT_WARN,
                  "%s = %s%s: as the writer it lacks that data", filters[i], is,
                  differs ? ", not on all hosts" : "");
        filter_fix(h, filters[i], out);
    }
    if (!some)
        sheet_add(out, h->conf->name, c->name, VERDICT_OK, "none");
}

void judge_binlog_filters(const struct check *c, const struct survey *s, const struct looked *h,
                          struct sheet *out)
{
    static const struct {
        const char *column, *key;
    } kinds[] = {{"Binlog_Do_DB", "binlog_do_db"}, {"Binlog_Ignore_DB", "binlog_ignore_db"}};
    const struct answer *a = survey_answer(h, Q_BINLOG);
    bool some = false;

    (void)s;
    for (unsigned i = 0; i < ARRAY_LEN(kinds); i++) {
        const char *is = answer_named(a, 0, kinds[i].column);

        if (!is || !*is)
            continue;
        some = true;
        sheet_add(out, h->conf->name, c->name, VERDICT_FAIL,
                  "%s = %s: as the writer it keeps transactions from the others", kinds[i].key, is);
        sheet_fix(out, "in my.cnf: without %s; restart mysqld", kinds[i].key);
    }
    if (!some && answer_is(a) && a->rows)
        sheet_add(out, h->conf->name, c->name, VERDICT_OK, "none");
}
