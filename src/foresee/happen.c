/* SPDX-License-Identifier: GPL-2.0-or-later
 * Faults happen to the world. One function for each kind. */
#include "foresee/foresee_internal.h"

#include "base/clock.h"

#include <inttypes.h>
#include <stdlib.h>

static void happen_kill(struct foresee *f, const struct fault *a)
{
    server_kill(f, a->host, "is exiting");
}

/* A machine that is off boots: mysqld and agent come up, nothing of /run is left. */
static void happen_start(struct foresee *f, const struct fault *a)
{
    struct foresee_node *x = &f->node[a->host];

    if (x->on) {
        if (x->server.up)
            return;
        if (x->server.full) {
            foresee_say(f, TELL_SERVER, a->host, "%s: mysqld cannot start, the disk is full",
                        foresee_host(f, a->host));
            return;
        }
        server_start(f, a->host);
        foresee_say(f, TELL_SERVER, a->host, "%s: mysqld (pid %lld) is up, read_only",
                    foresee_host(f, a->host), (long long)x->server.pid);
        return;
    }
    x->on = true;
    x->boot_at = f->now;
    x->has_record = false;
    foresee_say(f, TELL_SERVER, a->host, "%s: boots, mysqld and agent start",
                foresee_host(f, a->host));
    server_start(f, a->host);
    host_start_agent(f, a->host);
}

static void happen_hang(struct foresee *f, const struct fault *a)
{
    struct foresee_server *v = &f->node[a->host].server;

    if (!v->up || v->hung)
        return;
    v->hung = true;
    v->hung_at = f->now;
}

static void happen_resume_agent(struct foresee *f, int h)
{
    struct foresee_node *x = &f->node[h];
    struct agent_event ev = {.kind = AE_TIME};

    if (!x->frozen)
        return;
    x->frozen = false;
    host_feed(f, h, &ev);
    host_saw_mysqld(f, h);
}

static void happen_resume(struct foresee *f, const struct fault *a)
{
    f->node[a->host].server.hung = false;
    happen_resume_agent(f, a->host);
    foresee_push(f, 1, DUE_MYSQLD, a->host, 0, 0);
}

static void happen_wire(struct foresee *f, const struct fault *a, bool cut)
{
    struct foresee_node *x = &f->node[a->host];

    if (a->other == FAULT_MONITOR) {
        x->cut_monitor = cut;
    } else if (a->other < 0) {
        x->isolated = cut;
    } else if (cut) {
        x->cut |= 1ull << a->other;
        f->node[a->other].cut |= 1ull << a->host;
    } else {
        x->cut &= ~(1ull << a->other);
        f->node[a->other].cut &= ~(1ull << a->host);
    }
}

static void happen_cut(struct foresee *f, const struct fault *a)
{
    happen_wire(f, a, true);
}

static void happen_heal(struct foresee *f, const struct fault *a)
{
    struct foresee_node *x = &f->node[a->host];

    happen_wire(f, a, false);
    if (a->other != -1)
        return;
    for (unsigned h = 0; h < foresee_hosts(f); h++)
        f->node[h].cut &= ~(1ull << a->host);
    x->cut = 0;
    x->cut_monitor = false;
    x->server.lag_ms = 0;
    x->server.obstructed = false;
    if (x->server.broken)
        x->server.apply = x->server.receive;
    x->server.broken = false;
}

static void happen_lag(struct foresee *f, const struct fault *a)
{
    f->node[a->host].server.lag_ms = a->ms;
}

static void happen_unreadable(struct foresee *f, const struct fault *x)
{
    f->node[x->host].server.unreadable = true;
}

static void happen_purged(struct foresee *f, const struct fault *x)
{
    struct foresee_server *v = &f->node[x->host].server;

    memcpy(v->purged, v->have, sizeof v->purged);
}

static void happen_disk(struct foresee *f, const struct fault *a)
{
    f->node[a->host].server.full = a->on;
}

static void happen_break(struct foresee *f, const struct fault *a)
{
    f->node[a->host].server.broken = true;
    f->node[a->host].server.apply = false;
}

static void happen_trait(struct foresee *f, const struct fault *a)
{
    static const struct traits traits[SERVER_TRAIT_N] = {
        [SERVER_NO_BINLOG] = {.bits = TRAIT_NO_BINLOG},
        [SERVER_NO_UPDATES] = {.bits = TRAIT_NO_UPDATES},
        [SERVER_FILTERS] = {.filters = 2ull << FILTERS_SHIFT | 7}, /* a Replicate_Ignore_DB */
        [SERVER_DELAYED] = {.delay_s = 3600},
        [SERVER_SEMI_SYNC] = {.bits = TRAIT_SEMI_SOURCE | TRAIT_SEMI_ACTIVE,
                              .semi_clients = 1,
                              .semi_wait_for = 1,
                              .semi_timeout_ms = 10000},
    };
    struct foresee_server *v = &f->node[a->host].server;

    v->traits = traits[a->trait];
    if (a->trait == SERVER_APPLIER_STOPPED)
        v->apply = false;
    foresee_push(f, 1, DUE_FACTS_ANEW, a->host, 0, 0);
}

static void happen_obstruct(struct foresee *f, const struct fault *a)
{
    f->node[a->host].server.obstructed = true;
}

static void happen_transaction(struct foresee *f, int h, char *to)
{
    const struct foresee_server *v = &f->node[h].server;
    char gtid[64], all[GTID_LEN];
    uint64_t top = 0;

    memcpy(all, v->have, sizeof all);
    (void)server_merge(v, all, v->extra);
    if (v->mysql_flavour) {
        snprintf(gtid, sizeof gtid, "f0f0f0f0-0000-0000-0000-%012x:1-%u", h + 1, ++f->lives);
    } else {
        for (const char *at = all; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
            const char *last = strchr(at, '-') ? strchr(strchr(at, '-') + 1, '-') : NULL;

            if (at[0] == '0' && last && strtoull(last + 1, NULL, 10) > top)
                top = strtoull(last + 1, NULL, 10);
        }
        snprintf(gtid, sizeof gtid, "0-%d-%" PRIu64, h + 1, top + 1);
    }
    if (!*to)
        snprintf(to, GTID_LEN, "%s", gtid);
    else
        (void)server_merge(v, to, gtid);
    foresee_say(f, TELL_SERVER, h, "%s: commits %s", foresee_host(f, h), gtid);
}

static void happen_extra(struct foresee *f, const struct fault *a)
{
    happen_transaction(f, a->host, f->node[a->host].server.extra);
    foresee_push(f, 1, DUE_FACTS_ANEW, a->host, 0, 0);
}

static void happen_write(struct foresee *f, const struct fault *a)
{
    if (f->node[a->host].server.full) {
        foresee_say(f, TELL_SERVER, a->host, "%s: a commit waits, the disk is full",
                    foresee_host(f, a->host));
        return;
    }
    happen_transaction(f, a->host, f->node[a->host].server.have);
}

static void happen_rebuild(struct foresee *f, const struct fault *a)
{
    struct foresee_server *v = &f->node[a->host].server;
    int w = engine_writer(&f->e);

    if (w < 0 || w == a->host)
        return;
    server_kill(f, a->host, "is stopped to copy the writer's data");
    memcpy(v->have, f->node[w].server.have, sizeof v->have);
    v->extra[0] = v->purged[0] = 0;
    v->broken = false;
    v->lag_ms = 0;
    server_start(f, a->host);
}

static void agent_dies(struct foresee *f, int h, bool told)
{
    struct foresee_node *x = &f->node[h];

    if (!x->alive)
        return;
    x->alive = x->frozen = false;
    agent_record_of(&x->a, &x->record);
    x->job.job = JOB_NONE;
    x->deadline = CLOCK_NEVER;
    wire_ended(f, h, told);
}

static void happen_stop_agent(struct foresee *f, const struct fault *a)
{
    agent_dies(f, a->host, true);
}

static void happen_freeze_agent(struct foresee *f, const struct fault *a)
{
    f->node[a->host].frozen = f->node[a->host].alive;
}

static void happen_start_agent(struct foresee *f, const struct fault *a)
{
    if (f->node[a->host].frozen)
        happen_resume_agent(f, a->host);
    else if (f->node[a->host].on && !f->node[a->host].alive)
        host_start_agent(f, a->host);
}

static void happen_crash(struct foresee *f, const struct fault *a)
{
    struct foresee_node *x = &f->node[a->host];

    if (!x->on)
        return;
    agent_dies(f, a->host, false);
    x->on = false;
    x->has_record = false;
    x->server.up = x->server.hung = x->server.connected = false;
    f->shown[a->host] = 0;
}

static void happen_stop_monitor(struct foresee *f, const struct fault *a)
{
    (void)a;
    if (!f->monitor_up)
        return;
    f->monitor_up = false;
    f->monitor_deadline = CLOCK_NEVER;
    for (unsigned i = 0; i < FORESEE_MAIL_MAX; i++)
        if (f->mail[i].held)
            f->mail[i].used = f->mail[i].held = false;
    for (unsigned h = 0; h < foresee_hosts(f); h++) {
        if (f->node[h].linked && wire_path(f, -1, (int)h))
            foresee_push(f, f->conf.message_ms, DUE_UNLINKED_AGENT, (int)h, 0, f->node[h].link);
        f->node[h].linked = false;
    }
}

static void happen_start_monitor(struct foresee *f, const struct fault *a)
{
    (void)a;
    if (!f->monitor_up)
        monitor_start(f);
}

static void happen_uptime(struct foresee *f, const struct fault *a)
{
    struct foresee_node *x = &f->node[a->host];

    x->boot_at = f->now - a->ms;
    x->a.boot_uptime_s = a->ms / 1000;
    x->a.started_ms = f->now;
}

static void happen_check(struct foresee *f, const struct fault *a)
{
    static const char *const word[] = {"OK", "ERROR", "UNKNOWN"};
    struct foresee_node *x = &f->node[a->host];

    x->forced[a->check] = a->on;
    x->forced_result[a->check] = a->result;
    snprintf(x->forced_text[a->check], FAULT_TEXT, "%s%s%.*s", word[a->result],
             a->text[0] ? ": " : "", FAULT_TEXT - 16, a->text);
    monitor_check(f, a->host, a->check);
}

static void happen_network(struct foresee *f, const struct fault *a)
{
    struct engine_event ev = {
        .kind = EV_NETWORK,
        .network = {.up = a->on, .message = a->on ? "" : "none of ping_ips answers"}};

    monitor_feed(f, &ev);
}

static void happen_killed(struct foresee *f, const struct fault *a)
{
    struct engine_event ev = {.kind = EV_KILLED,
                              .killed = {.host = a->host, .ok = a->on, .message = a->text}};

    monitor_feed(f, &ev);
}

static void happen_command(struct foresee *f, const struct fault *a)
{
    struct engine_event ev = {.kind = EV_COMMAND, .command = a->command};

    ev.command.id = ++f->commands;
    if (!f->monitor_up)
        foresee_say(f, TELL_ANSWER, -1, "ctl: no monitor answers");
    monitor_feed(f, &ev);
}

static void happen_wait(struct foresee *f, const struct fault *a)
{
    (void)f;
    (void)a;
}

void foresee_fault(struct foresee *f, const struct fault *fault)
{
    static void (*const happen[FAULT_N])(struct foresee *, const struct fault *) = {
        [FAULT_KILL] = happen_kill,
        [FAULT_START] = happen_start,
        [FAULT_HANG] = happen_hang,
        [FAULT_RESUME] = happen_resume,
        [FAULT_CUT] = happen_cut,
        [FAULT_HEAL] = happen_heal,
        [FAULT_LAG] = happen_lag,
        [FAULT_BREAK] = happen_break,
        [FAULT_TRAIT] = happen_trait,
        [FAULT_OBSTRUCT] = happen_obstruct,
        [FAULT_DISK] = happen_disk,
        [FAULT_UNREADABLE] = happen_unreadable,
        [FAULT_PURGED] = happen_purged,
        [FAULT_EXTRA] = happen_extra,
        [FAULT_WRITE] = happen_write,
        [FAULT_REBUILD] = happen_rebuild,
        [FAULT_CRASH] = happen_crash,
        [FAULT_STOP_AGENT] = happen_stop_agent,
        [FAULT_FREEZE_AGENT] = happen_freeze_agent,
        [FAULT_START_AGENT] = happen_start_agent,
        [FAULT_STOP_MONITOR] = happen_stop_monitor,
        [FAULT_START_MONITOR] = happen_start_monitor,
        [FAULT_UPTIME] = happen_uptime,
        [FAULT_CHECK] = happen_check,
        [FAULT_NETWORK] = happen_network,
        [FAULT_KILLED] = happen_killed,
        [FAULT_COMMAND] = happen_command,
        [FAULT_WAIT] = happen_wait,
    };

    foresee_say(f, TELL_FAULT, fault->host, "! %s", fault->said);
    happen[fault->kind](f, fault);
    servers_replicate(f);
    hosts_look(f);
}
