/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "monitor/status.h"

#include "base/buf.h"
#include "conf/slot.h"
#include "monitor/status_internal.h"
#include "proto/codec.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

const char *const health_names[3] = {
    [HEALTH_OK] = "ok",
    [HEALTH_DEGRADED] = "degraded",
    [HEALTH_NO_WRITER] = "no_writer",
};

/* --- addresses ------------------------------------------------------------------------------ */

static int slot_ips(struct status_conf *s, unsigned i, const struct conf_role *role,
                    const struct conf_slot *slot)
{
    s->slot[i].ip = calloc(slot->n_ips, sizeof *s->slot[i].ip);
    if (!s->slot[i].ip)
        return -ENOMEM;
    s->slot[i].n = slot->n_ips;
    for (unsigned k = 0; k < slot->n_ips; k++) {
        const struct conf_ip *ip = &role->ips[slot->first_ip + k];
        snprintf(s->slot[i].ip[k], ADDR_LEN, "%s/%u", ip->addr.text, ip->prefix);
    }
    return 0;
}

int status_conf_init(struct status_conf *s, const struct conf *c)
{
    struct conf_slot slots[SLOTS_MAX];
    size_t n = conf_slots(c, slots, SLOTS_MAX);
    int rc = 0;

    *s = (struct status_conf){0};
    snprintf(s->cluster, sizeof s->cluster, "%s", c->cluster);
    for (size_t i = 0; i < c->n_hosts && i < HOSTS_MAX; i++) {
        snprintf(s->address[i], ADDR_LEN, "%s", c->hosts[i].address.text);
        s->port[i] = c->hosts[i].mysql.port;
    }
    for (unsigned i = 0; i < n && i < SLOTS_MAX && !rc; i++)
        rc = slot_ips(s, i, &c->roles[slots[i].role], &slots[i]);
    if (rc)
        status_conf_free(s);
    return rc;
}

void status_conf_free(struct status_conf *s)
{
    for (unsigned i = 0; i < SLOTS_MAX; i++) {
        free(s->slot[i].ip);
        s->slot[i].ip = NULL;
        s->slot[i].n = 0;
    }
}

const char *status_ip(char to[ADDR_LEN], const char *with_prefix)
{
    snprintf(to, ADDR_LEN, "%.*s", (int)strcspn(with_prefix, "/"), with_prefix);
    return to;
}

/* --- facts ---------------------------------------------------------------------------------- */

const struct msg_report *status_report(const struct engine *e, int host)
{
    const struct host *h = &e->host[host];

    return h->linked && h->report.start_id ? &h->report : NULL;
}

static bool reports_held(const struct engine *e, int host, int slot)
{
    const struct msg_report *r = host < 0 ? NULL : status_report(e, host);

    for (unsigned i = 0; r && i < r->n; i++)
        if (r->slot[i].slot == slot)
            return r->slot[i].hold == HOLD_HELD;
    return false;
}

int status_holder(const struct engine *e, int slot)
{
    if (e->reign == REIGN_YES || e->slot[slot].holder >= 0)
        return e->slot[slot].holder;
    for (unsigned i = 0; i < e->conf.names.hosts; i++)
        if (reports_held(e, (int)i, slot))
            return (int)i;
    return -1;
}

int status_writer(const struct engine *e)
{
    const struct msg_report *r;
    int writer = engine_writer(e);

    for (unsigned s = 0; writer < 0 && e->reign != REIGN_YES && s < e->conf.names.slots; s++) {
        int holder = status_holder(e, (int)s);
        if (!e->conf.role[e->conf.slot_role[s]].writable || !reports_held(e, holder, (int)s))
            continue;
        r = status_report(e, holder);
        if (r->facts && !r->read_only && r->mysqld == MYSQLD_UP)
            writer = holder;
    }
    return writer;
}

bool status_held(const struct engine *e, int slot)
{
    return reports_held(e, status_holder(e, slot), slot);
}

/* --- health --------------------------------------------------------------------------------- */

struct saying {
    void (*say)(void *to, const char *sentence);
    void *to;
    unsigned n;
};

static void say(struct saying *s, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void say(struct saying *s, const char *fmt, ...)
{
    char sentence[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(sentence, sizeof sentence, fmt, ap);
    va_end(ap);
    msg_clean_text(sentence);
    s->n++;
    if (s->say)
        s->say(s->to, sentence);
}

static const char *agent_problem(const struct host *h)
{
    return !h->linked ? "its agent is not reachable" : h->report.problem;
}

/* "db1 shall hold writer but ..." is worth more than "no writer". */
static void why_no_writer(const struct engine *e, struct saying *s)
{
    if (status_writer(e) >= 0)
        return;
    for (unsigned i = 0; i < e->conf.names.slots; i++) {
        int holder = status_holder(e, (int)i);
        char waits[PROBLEM_LEN];
        const char *why = holder < 0 ? waits : agent_problem(&e->host[holder]);

        engine_waits(e, (int)i, waits, sizeof waits);
        if (!e->conf.role[e->conf.slot_role[i]].writable)
            continue;
        if (holder >= 0)
            say(s, "%s shall hold %s and is not known to be open for writes%s%s",
                e->conf.names.host[holder], e->conf.names.slot[i], *why ? ": " : "", why);
        else
            say(s, "nobody holds %s%s%s", e->conf.names.slot[i], *why ? ": " : "", why);
    }
}

static void why_full(const struct engine *e, int i, struct saying *s)
{
    char why[WHY_LEN];

    engine_full(e, i, why, sizeof why);
    if (why[0])
        say(s, "%s: %s", e->conf.names.host[i], why);
}

static void why_mode(const struct engine *e, struct saying *s)
{
    const char *why = *engine_why_passive(e) ? engine_why_passive(e) : "an operator's wish";

    if (e->reign != REIGN_YES)
        say(s, "this monitor does not reign: %s", why);
    else if (e->mode == MODE_PASSIVE)
        say(s, "mode passive: %s; nothing is moved until hamm ctl mode active", why);
    else if (e->mode == MODE_WAIT)
        say(s, "mode wait: roles stay where they are until both masters are online");
}

/* One sentence for each host: its state, and what is wrong with it. */
static void why_host(const struct engine *e, int i, struct saying *s)
{
    const struct host *h = &e->host[i];
    auto_buf what = BUF(1024);

    if (!h->linked)
        buf_addf(&what, ", agent not reachable");
    else if (h->report.start_id && h->report.mysqld == MYSQLD_DEAD)
        buf_addf(&what, ", mysqld not running");
    for (int c = 0; c < CK_N; c++)
        if (h->check[c].known && !h->check[c].good)
            buf_addf(&what, ", %s bad", check_names[c]);
    if (*h->extra)
        buf_addf(&what, engine_by_place(e, (int)i) ? ", cannot follow the writer"
                                                   : ", transactions nobody else has");
    if (h->flapping)
        buf_addf(&what, ", flapping");
    if (h->linked && *h->report.problem)
        buf_addf(&what, ", a problem");
    if (h->state != ONLINE)
        say(s, "%s is %s%s%s", e->conf.names.host[i], host_state_names[h->state],
            what.len ? ": " : "", what.len ? what.at + 2 : "");
    else if (what.len)
        say(s, "%s: %s", e->conf.names.host[i], what.at + 2);
}

unsigned status_why(const struct engine *e, const struct status_conf *conf,
                    void (*to_whom)(void *, const char *), void *to)
{
    struct saying s = {.say = to_whom, .to = to};

    why_no_writer(e, &s);
    if (conf->trouble[0])
        say(&s, "monitor %s: %s", e->conf.monitor, conf->trouble);
    for (unsigned i = 0; i < e->conf.names.hosts; i++)
        why_full(e, (int)i, &s);
    why_mode(e, &s);
    for (unsigned i = 0; i < e->conf.names.slots; i++)
        if (status_holder(e, (int)i) < 0 && !e->conf.role[e->conf.slot_role[i]].writable)
            say(&s, "nobody holds %s", e->conf.names.slot[i]);
    for (unsigned i = 0; i < e->conf.names.hosts; i++)
        why_host(e, (int)i, &s);
    return s.n;
}

enum health status_health(const struct engine *e, const struct status_conf *s)
{
    if (status_writer(e) < 0)
        return HEALTH_NO_WRITER;
    return status_why(e, s, NULL, NULL) ? HEALTH_DEGRADED : HEALTH_OK;
}

const char *status_time(char to[RFC3339_LEN], int64_t wall_ms)
{
    time_t s = (time_t)(wall_ms / 1000);
    struct tm tm;

    if (wall_ms < 0 || !gmtime_r(&s, &tm) || tm.tm_year > 8099)
        return strcpy(to, "1970-01-01T00:00:00.000Z");
    snprintf(to, RFC3339_LEN, "%04u-%02u-%02uT%02u:%02u:%02u.%03uZ", tm.tm_year + 1900u,
             tm.tm_mon + 1u, (unsigned)tm.tm_mday, (unsigned)tm.tm_hour, (unsigned)tm.tm_min,
             (unsigned)tm.tm_sec, (unsigned)(wall_ms % 1000));
    return to;
}
