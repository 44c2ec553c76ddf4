/* SPDX-License-Identifier: GPL-2.0-or-later
 * Semi-synchronous replication: settings that make an acknowledgement worthless. Judged only where
 * some server waits for one. */
#include "preflight/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The variables have old names (MariaDB's, MySQL's until 8.0.25) and new ones. */
enum name {
    SS_SOURCE,
    SS_REPLICA,
    SS_WAIT_POINT,
    SS_TIMEOUT,
    SS_NO_REPLICA,
    SS_COUNT,
    SS_STATUS,
    SS_N,
};
static const char *const names[2][SS_N] = {
    {
        [SS_SOURCE] = "rpl_semi_sync_master_enabled",
        [SS_REPLICA] = "rpl_semi_sync_slave_enabled",
        [SS_WAIT_POINT] = "rpl_semi_sync_master_wait_point",
        [SS_TIMEOUT] = "rpl_semi_sync_master_timeout",
        [SS_NO_REPLICA] = "rpl_semi_sync_master_wait_no_slave",
        [SS_COUNT] = "rpl_semi_sync_master_wait_for_slave_count",
        [SS_STATUS] = "Rpl_semi_sync_master_status",
    },
    {
        [SS_SOURCE] = "rpl_semi_sync_source_enabled",
        [SS_REPLICA] = "rpl_semi_sync_replica_enabled",
        [SS_WAIT_POINT] = "rpl_semi_sync_source_wait_point",
        [SS_TIMEOUT] = "rpl_semi_sync_source_timeout",
        [SS_NO_REPLICA] = "rpl_semi_sync_source_wait_no_replica",
        [SS_COUNT] = "rpl_semi_sync_source_wait_for_replica_count",
        [SS_STATUS] = "Rpl_semi_sync_source_status",
    },
};

struct variable {
    const char *name, *is; /* is: NULL: there is none */
};

static struct variable ss_variable(const struct looked *h, enum name which)
{
    const struct answer *status = survey_answer(h, Q_SEMI_SYNC);
    struct variable v = {names[!h->mariadb][which], NULL};

    for (int i = 1; i >= 0; i--) {
        const char *is = which == SS_STATUS ? answer_variable(status, names[i][which])
                                            : survey_variable(h, names[i][which]);

        if (is)
            return (struct variable){names[i][which], is};
    }
    return v;
}

static bool ss_used(const struct survey *s)
{
    for (size_t i = 0; i < s->conf->n_hosts; i++)
        if (survey_is_on(ss_variable(&s->host[i], SS_SOURCE).is))
            return true;
    return false;
}

struct ss {
    const struct check *check;
    const struct survey *survey;
    const struct looked *host;
    struct sheet *out;
    unsigned found;
};

#define SS_SAY(x, verdict, ...)                                                                    \
    (sheet_add((x)->out, (x)->host->conf->name, (x)->check->name, verdict, __VA_ARGS__),           \
     (x)->found++)

/* Both halves must be on: it is the writer today and acknowledges tomorrow. False: no plugin. */
static bool ss_halves(struct ss *x)
{
    static const struct {
        enum name which;
        const char *plugin, *file, *why;
    } halves[] = {
        {SS_SOURCE, "rpl_semi_sync_source", "semisync_source.so",
         "as the writer it would acknowledge without a replica"},
        {SS_REPLICA, "rpl_semi_sync_replica", "semisync_replica.so",
         "it acknowledges nothing, though it may become the writer"},
    };
    const char *word = x->host->mariadb ? "SLAVE" : "REPLICA";
    bool there = true;

    for (unsigned i = 0; i < ARRAY_LEN(halves); i++) {
        struct variable v = ss_variable(x->host, halves[i].which);

        if (!v.is) {
            SS_SAY(x, VERDICT_FAIL, "no plugin %s: %s", halves[i].plugin, halves[i].why);
            sheet_fix(x->out, "INSTALL PLUGIN %s SONAME '%s'; SET PERSIST %s = ON;",
                      halves[i].plugin, halves[i].file, v.name);
            there = false;
        } else if (!survey_is_on(v.is)) {
            SS_SAY(x, VERDICT_FAIL, "%s is %s: %s", v.name, v.is, halves[i].why);
            if (halves[i].which == SS_SOURCE)
                fix_variable(x->out, x->host, v.name, "ON", "1", HOW_RUNNING);
            else if (x->host->mariadb)
                sheet_fix(x->out,
                          "SET GLOBAL %s = ON; STOP %s IO_THREAD; START %s IO_THREAD; "
                          "in my.cnf: %s = 1",
                          v.name, word, word, v.name);
            else
                sheet_fix(x->out, "SET PERSIST %s = ON; STOP %s IO_THREAD; START %s IO_THREAD;",
                          v.name, word, word);
        }
    }
    return there;
}

static void ss_wait_point(struct ss *x)
{
    struct variable v = ss_variable(x->host, SS_WAIT_POINT);

    if (!v.is || strcmp(v.is, "AFTER_COMMIT"))
        return;
    SS_SAY(x, VERDICT_FAIL, "%s is AFTER_COMMIT: others read rows that no replica has yet", v.name);
    fix_variable(x->out, x->host, v.name, "AFTER_SYNC", NULL, HOW_RUNNING);
}

/* A writer that is cut off must lose its address before it acknowledges alone. */
static void ss_timeout(struct ss *x)
{
    struct variable v = ss_variable(x->host, SS_TIMEOUT);
    int64_t lease_ms = x->survey->conf->failover.lease_ms;
    int64_t out_ms = lease_ms + lease_ms / 49 + 1300;
    char want[32];

    if (!v.is || strtoll(v.is, NULL, 10) > out_ms)
        return;
    SS_SAY(x, VERDICT_FAIL,
           "%s is %s ms, not longer than the lease (%lld ms with its slack): a writer that is cut "
           "off acknowledges alone",
           v.name, v.is, (long long)out_ms);
    snprintf(want, sizeof want, "%lld", (long long)(2 * out_ms > 10000 ? 2 * out_ms : 10000));
    fix_variable(x->out, x->host, v.name, want, NULL, HOW_RUNNING);
}

static void ss_replicas(struct ss *x)
{
    struct variable alone = ss_variable(x->host, SS_NO_REPLICA);
    struct variable count = ss_variable(x->host, SS_COUNT);
    unsigned long others = x->survey->conf->n_hosts - 1;

    if (alone.is && !survey_is_on(alone.is)) {
        SS_SAY(x, VERDICT_FAIL, "%s is %s: without a replica it acknowledges at once, alone",
               alone.name, alone.is);
        fix_variable(x->out, x->host, alone.name, "ON", "1", HOW_RUNNING);
    }
    if (count.is && strtoul(count.is, NULL, 10) > others) {
        SS_SAY(x, VERDICT_FAIL, "%s is %s, and there are %lu others: it never has enough",
               count.name, count.is, others);
        fix_variable(x->out, x->host, count.name, "1", NULL, HOW_RUNNING);
    }
}

/* It acknowledges what lies in a relay log that no power cut has tested. */
static void ss_relay_log(struct ss *x)
{
    const char *is = survey_variable(x->host, "sync_relay_log");

    if (!is || !strcmp(is, "1"))
        return;
    SS_SAY(x, VERDICT_WARN,
           "sync_relay_log is %s: if this host and the writer's lose power together, what it "
           "acknowledged is gone",
           is);
    fix_variable(x->out, x->host, "sync_relay_log", "1", NULL, HOW_RUNNING);
}

static void ss_status(struct ss *x)
{
    struct variable v = ss_variable(x->host, SS_STATUS);

    if (!v.is || survey_is_on(v.is) || survey_is_on(survey_variable(x->host, "read_only")) ||
        !survey_is_on(ss_variable(x->host, SS_SOURCE).is))
        return;
    SS_SAY(x, VERDICT_WARN, "%s is OFF now: it acknowledges without a replica", v.name);
    sheet_fix(x->out, "look why no replica acknowledges: SHOW STATUS LIKE 'Rpl_semi_sync%%';");
}

void judge_semi_sync(const struct check *c, const struct survey *s, const struct looked *h,
                     struct sheet *out)
{
    struct ss x = {c, s, h, out, 0};

    if (!h->candidate)
        return;
    if (!ss_used(s)) {
        sheet_add(out, h->conf->name, c->name, VERDICT_OK, "not used");
        return;
    }
    if (ss_halves(&x)) {
        ss_wait_point(&x);
        ss_timeout(&x);
        ss_replicas(&x);
        ss_relay_log(&x);
        ss_status(&x);
    }
    if (!x.found)
        sheet_add(out, h->conf->name, c->name, VERDICT_OK, "waits for a replica, both ways");
}
