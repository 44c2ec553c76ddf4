/* SPDX-License-Identifier: GPL-2.0-or-later
 * What is remembered: whom this agent obeys (journal, survives a reboot) and what it holds and
 * promised (record in /run, survives this process). */
#include "agent/agentd.h"

#include "agent/coding.h"
#include "agent/jump.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void keep_on_last(void *owner, const struct journal_last *last)
{
    struct agentd *d = owner;

    if (last->note)
        log_warn(&d->log, "%s", last->note);
    if (!last->data)
        return;
    d->keep.durable_found = agentd_durable_decode(&d->keep.durable, last->data, last->len) == 0;
    if (!d->keep.durable_found)
        log_error(&d->log, "the journal holds what this version cannot read");
    d->keep.durable_bad = !d->keep.durable_found;
}

static int keep_open_journal(struct agentd *d, struct err *e)
{
    char path[4096];

    if (snprintf(path, sizeof path, "%s/%s.%s.agent.journal", d->state_dir, d->conf->cluster,
                 d->conf->hosts[d->self].name) >= (int)sizeof path)
        return err_set(e, -ENAMETOOLONG, "state directory %s: the path is too long", d->state_dir);
    if (journal_open(&d->loop, path, &journal_daemon, d, keep_on_last, &d->keep.journal, e) < 0)
        return e->code;
    if (d->keep.durable_bad)
        return err_set(e, -EPROTO,
                       "journal %s: not written by this version; it says whom this host obeys, so "
                       "it is not thrown away by itself",
                       path);
    log_debug(&d->log, "journal %s, %s", path, journal_backend(d->keep.journal));
    return 0;
}

/* Stands before the record. The clocks: if they jumped since, this machine was paused while nobody
 * looked, and the leases in it are not what they seem. */
struct keep_head {
    int64_t wall_ms, boot_ms;
    struct tail_place place;
};

_Static_assert(RECORD_MAX >= AGENTD_RECORD_MAX + sizeof(struct keep_head), "room for both");

static bool keep_jumped(struct agentd *d, const struct keep_head *then)
{
    int64_t ms = jump_between(then->wall_ms, then->boot_ms, clock_wall_ms(), clock_boot_ms());

    if (ms)
        log_warn(&d->log,
                 "the clocks jumped by %lld ms while no agent ran (was this machine paused?): "
                 "nothing is taken over",
                 (long long)ms);
    return ms != 0;
}

static void keep_read_record(struct agentd *d)
{
    unsigned char data[RECORD_MAX];
    struct keep_head then;
    size_t len = 0;
    int rc;

    switch (record_read(&d->keep.record, data, &len)) {
    case RECORD_VALID:
        rc = len < sizeof then ? -EINVAL
                               : agentd_record_decode(&d->keep.last, &d->setup.names,
                                                      data + sizeof then, len - sizeof then);
        if (rc < 0)
            log_warn(&d->log, "record %s: not of this version: counts for nothing",
                     d->keep.record.path);
        memcpy(&then, data, sizeof then);
        if (rc == 0 && memchr(then.place.index, '\0', sizeof then.place.index))
            d->tail.place = then.place;
        d->keep.record_found = rc == 0 && !keep_jumped(d, &then);
        break;
    case RECORD_DAMAGED:
        log_warn(&d->log, "record %s: damaged: counts for nothing", d->keep.record.path);
        break;
    default: /* never written, or before the last reboot */
        break;
    }
}

int agentd_keep_start(struct agentd *d, struct err *e)
{
    struct agentd_keep *k = &d->keep;

    k->record.fd = -1;
    if (record_open(&k->record, d->run_dir, d->conf->cluster, d->conf->hosts[d->self].name, e) < 0)
        return e->code;
    if (start_path(k->start_path, sizeof k->start_path, d->run_dir, d->conf->cluster,
                   d->conf->hosts[d->self].name, e) < 0)
        return e->code;
    if (k->record.warning[0])
        log_warn(&d->log, "%s", k->record.warning);
    keep_read_record(d);
    return keep_open_journal(d, e);
}

static void keep_on_closed(void *owner)
{
    struct agentd *d = owner;

    closer_sub(&d->closer);
}

void agentd_keep_stop(struct agentd *d)
{
    if (d->keep.record.path[0])
        record_close(&d->keep.record);
    if (!d->keep.journal)
        return;
    closer_add(&d->closer);
    journal_close(d->keep.journal, d, keep_on_closed);
    d->keep.journal = NULL;
}

static void keep_on_appended(void *owner, uint64_t seq, int err)
{
    struct agentd *d = owner;
    struct agent_event ev = {.kind = AE_DURABLE};
    unsigned held;

    if (seq != d->keep.seq || d->stopping)
        return; /* a newer one is under way */
    if (err == 0) {
        d->keep.problem[0] = '\0';
        agentd_feed(d, &ev);
        return;
    }
    d->keep.append_again = true; /* with the next tick */
    (void)snprintf(d->keep.problem, sizeof d->keep.problem,
                   "the journal in %.200s cannot be written, so no new monitor is obeyed: %s; make "
                   "room there or mend the disk",
                   d->state_dir, strerror(-err));
    if (log_allowed(&d->keep.limit, clock_boot_ms(), &held))
        log_error(&d->log, "%s", d->keep.problem);
}

void agentd_persist(struct agentd *d)
{
    char text[AGENTD_DURABLE_MAX];
    size_t len = agentd_durable_encode(&d->agent.durable_next, text);

    d->keep.append_again = false;
    d->keep.seq = journal_append(d->keep.journal, text, len, d, keep_on_appended);
}

void agentd_record(struct agentd *d)
{
    unsigned char data[RECORD_MAX];
    struct keep_head now;
    struct agent_record r;
    struct err e = {0};
    unsigned held;
    size_t len;

    agent_record_of(&d->agent, &r);
    memset(&now, 0, sizeof now);
    now.wall_ms = clock_wall_ms();
    now.boot_ms = clock_boot_ms();
    now.place = d->tail.place;
    memcpy(data, &now, sizeof now);
    len = sizeof now + agentd_record_encode(&r, &d->setup.names, data + sizeof now);
    d->keep.record_again = record_write(&d->keep.record, data, len, &e) < 0;
    if (d->keep.record_again && log_allowed(&d->keep.limit, clock_boot_ms(), &held))
        log_error(&d->log, "the record cannot be written, it is tried again: %s", e.msg);
}

void agentd_say_start(struct agentd *d, bool changed)
{
    struct agent_start s;
    struct err e = {0};
    unsigned held;

    agent_start_of(&d->agent, clock_boot_ms(), &s);
    if (changed && s.state == d->keep.start_said)
        return;
    d->keep.start_said = s.state;
    if (start_say(d->keep.start_path, d->keep.record.boot_id, d->start_id, clock_boot_ms(), &s,
                  &e) < 0 &&
        log_allowed(&d->keep.limit, clock_boot_ms(), &held))
        log_error(&d->log, "who starts the server is not told whether it may: %s", e.msg);
}

void agentd_keep_tick(struct agentd *d)
{
    agentd_say_start(d, false);
    if (d->keep.append_again)
        agentd_persist(d);
    if (d->keep.record_again)
        agentd_record(d);
}
