/* SPDX-License-Identifier: GPL-2.0-or-later
 * Time goes from event to event; what is due at the same moment happens in the order in which it
 * was asked for, messages before deadlines. */
#include "foresee/foresee_internal.h"

#include "base/clock.h"

#include <stdarg.h>

enum {
    LINES_MAX = 5000,
    EVENTS_MAX = 4000000,
    STOP_EACH = 64, /* events */
    WALL_MS = 1000000000,
    SETTLE_MS = 90000 /* longer than every grace */
};
#define STARTS_AT_WALL_MS INT64_C(1767225600000)

void foresee_conf_of(struct foresee_conf *c, const struct engine_conf *engine)
{
    static const int64_t period[CK_N] = {250, 500, 1000, 1000},
                         timeout[CK_N] = {500, 1000, 1000, 1000};

    memset(c, 0, sizeof *c);
    c->engine = *engine;
    for (int i = 0; i < CK_N; i++) {
        c->check[i].period_ms = period[i];
        c->check[i].timeout_ms = timeout[i];
    }
    c->on_monitor_loss = LOSS_PROMISE;
    c->kill_hung_mysqld = true;
    c->gate = GATE_NFT;
    c->message_ms = 1;
    c->disk_ms = 1;
    c->job_ms = 5;
    c->probe_ms = 100;
}

/* ---- what is due ---- */

static bool due_before(const struct foresee_due *a, const struct foresee_due *b)
{
    return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

void foresee_push(struct foresee *f, int64_t in_ms, enum due what, int a, int b, int32_t n)
{
    struct foresee_due d = {f->now + in_ms, f->seq++, (int32_t)what, a, b, n};
    unsigned i = f->due_n;

    if (i == FORESEE_DUE_MAX) {
        f->failed = true;
        return;
    }
    for (f->due_n++; i > 0 && due_before(&d, &f->due[(i - 1) / 2]); i = (i - 1) / 2)
        f->due[i] = f->due[(i - 1) / 2];
    f->due[i] = d;
}

static struct foresee_due due_pop(struct foresee *f)
{
    struct foresee_due first = f->due[0], d = f->due[--f->due_n];
    unsigned i = 0, c;

    for (c = 1; c < f->due_n; c = 2 * i + 1) {
        if (c + 1 < f->due_n && due_before(&f->due[c + 1], &f->due[c]))
            c++;
        if (!due_before(&f->due[c], &d))
            break;
        f->due[i] = f->due[c];
        i = c;
    }
    f->due[i] = d;
    return first;
}

/* ---- the story ---- */

void foresee_text(char *to, size_t size, const char *from)
{
    size_t n = strlen(from);

    n = n < size ? n : size - 1;
    memcpy(to, from, n);
    to[n] = 0;
}

int64_t foresee_now(const struct foresee *f)
{
    return f->now - f->began_at;
}

void foresee_say(struct foresee *f, enum foresee_kind kind, int host, const char *fmt, ...)
{
    char text[FORESEE_TEXT];
    struct foresee_line line = {foresee_now(f), host, kind, text};
    va_list ap;

    if (f->quiet)
        return;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    f->told_at = f->now;
    if (++f->lines > LINES_MAX)
        f->failed = true;
    else if (f->tell)
        f->tell(f->owner, &line);
}

/* ---- time ---- */

static void foresee_do(struct foresee *f, const struct foresee_due *d)
{
    switch ((enum due)d->what) {
    case DUE_CHECK:
    case DUE_NOANSWER:
    case DUE_JOURNAL:
        monitor_on_due(f, d);
        break;
    case DUE_FACTS:
    case DUE_FACTS_ANEW:
    case DUE_DURABLE:
    case DUE_MYSQLD:
    case DUE_PROBED:
    case DUE_TAIL:
    case DUE_ASIDE:
        host_on_due(f, d);
        break;
    case DUE_JOB:
        server_job_on_due(f, d->a, d->n);
        break;
    case DUE_REACHED:
        break; /* what servers_replicate waits for */
    case DUE_FAULT:
        f->faults_left--;
        foresee_fault(f, &f->faults.at[d->n]);
        break;
    case DUE_MAIL:
    case DUE_CONNECT:
    case DUE_LINKED:
    case DUE_SILENT:
    case DUE_UNLINKED_MONITOR:
    case DUE_UNLINKED_AGENT:
        wire_on_due(f, d);
        break;
    }
}

/* One thing that is due at f->now; false: nothing is. */
static bool foresee_one(struct foresee *f)
{
    if (f->due_n && f->due[0].at <= f->now) {
        struct foresee_due d = due_pop(f);

        foresee_do(f, &d);
        return true;
    }
    if (f->monitor_up && f->monitor_deadline <= f->now) {
        struct engine_event ev = {.kind = EV_TIME};

        monitor_feed(f, &ev);
        return true;
    }
    for (unsigned h = 0; h < foresee_hosts(f); h++)
        if (node_runs(&f->node[h]) && f->node[h].deadline <= f->now) {
            struct agent_event ev = {.kind = AE_TIME};

            host_feed(f, (int)h, &ev);
            return true;
        }
    return false;
}

static int64_t foresee_next(const struct foresee *f)
{
    int64_t at = hosts_gate_ends(f);

    if (f->due_n && f->due[0].at < at)
        at = f->due[0].at;
    if (f->monitor_up && f->monitor_deadline < at)
        at = f->monitor_deadline;
    for (unsigned h = 0; h < foresee_hosts(f); h++)
        if (node_runs(&f->node[h]) && f->node[h].deadline < at)
            at = f->node[h].deadline;
    return at;
}

static bool foresee_stopped(struct foresee *f)
{
    f->stopped = f->stopped || (f->stop && f->stop(f->stop_owner));
    return f->stopped;
}

/* Until `until`, or until nothing was told for `calm` ms. */
static bool foresee_go(struct foresee *f, int64_t until, int64_t calm)
{
    for (unsigned i = 0; i < EVENTS_MAX && !f->failed; i++) {
        int64_t at;

        if (i % STOP_EACH == 0 && foresee_stopped(f))
            return false;
        if (foresee_one(f)) {
            servers_replicate(f);
            hosts_look(f);
            continue;
        }
        at = foresee_next(f);
        if (calm && !f->faults_left && at > f->told_at + calm)
            return true;
        if (at > until) {
            f->now = until > f->now ? until : f->now;
            return true;
        }
        f->now = at > f->now ? at : f->now + 1;
        hosts_look(f);
    }
    f->failed = true;
    return false;
}

bool foresee_run(struct foresee *f, int64_t until_ms)
{
    return foresee_go(f, f->began_at + until_ms, 0);
}

static int64_t longer(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

bool foresee_run_out(struct foresee *f, int64_t until_ms)
{
    const struct engine_conf *c = &f->conf.engine;
    int64_t calm = c->catch_up_ms;

    for (int i = 0; i < CK_N; i++)
        calm = longer(calm, c->trap_ms[i] + f->conf.check[i].timeout_ms);
    calm = longer(calm, c->on_crash_ms);
    calm = longer(calm, c->auto_set_online_ms);
    calm = longer(calm, 3 * c->lease_ms);
    if (f->e.mode == MODE_WAIT)
        calm = longer(calm, c->wait_for_other_master_ms);
    f->told_at = f->now;
    return foresee_go(f, f->began_at + until_ms, calm + 5000);
}

void foresee_faults(struct foresee *f, const struct faults *faults)
{
    int64_t in = 0;

    f->faults = *faults;
    f->faults_left = faults->n;
    for (unsigned i = 0; i < faults->n; i++) {
        in += faults->at[i].after_ms;
        foresee_push(f, in, DUE_FAULT, 0, 0, (int32_t)i);
    }
}

/* ---- beginnings ---- */

void foresee_clear(struct foresee *f, const struct foresee_conf *c, foresee_tell_fn tell,
                   void *owner)
{
    memset(f, 0, sizeof *f);
    f->conf = *c;
    f->tell = tell;
    f->owner = owner;
    f->monitor_deadline = CLOCK_NEVER;
    f->writable = -1;
    for (unsigned s = 0; s < c->engine.names.slots; s++)
        if (c->engine.role[c->engine.slot_role[s]].writable)
            f->writable = (int)s;
    for (unsigned h = 0; h < foresee_hosts(f); h++) {
        f->node[h].deadline = CLOCK_NEVER;
        f->node[h].server.source = -1;
        f->node[h].job.job = JOB_NONE;
    }
}

static void foresee_hosts_begin(struct foresee *f, const int *source)
{
    for (unsigned h = 0; h < foresee_hosts(f); h++) {
        struct foresee_node *x = &f->node[h];
        struct foresee_server *v = &x->server;

        x->on = true;
        x->boot_at = f->now - 100000000;
        x->ping_heard = f->now;
        v->up = v->read_only = true;
        v->pid = 1000 + (int64_t)h + 1;
        v->source = source[h];
        v->receive = v->apply = v->connected = source[h] >= 0;
        snprintf(v->have, sizeof v->have, "0-1-100");
        v->server_id = h + 1;
        memcpy(v->relay, v->have, sizeof v->relay);
        if (v->source >= 0) {
            foresee_text(v->source_host, sizeof v->source_host, foresee_host(f, v->source));
            v->source_port = 3306;
        }
        host_start_agent(f, (int)h);
    }
}

/* As if the monitor had reigned before. */
static void foresee_disk(struct foresee *f, enum mode mode)
{
    snprintf(f->disk.identity, sizeof f->disk.identity, "%s.1", f->conf.engine.monitor);
    f->disk.mode = mode;
    f->has_disk = true;
    for (unsigned h = 0; h < foresee_hosts(f); h++)
        f->disk.host[h].state = f->conf.stored[h] == UNKNOWN ? ONLINE : f->conf.stored[h];
    for (unsigned s = 0; s < f->conf.engine.names.slots; s++) {
        f->disk.slot[s].holder = -1;
        f->disk.slot[s].members = f->disk.slot[s].allowed = ~0ull;
    }
}

static void foresee_start(struct foresee *f, const int *source, int64_t settle_ms)
{
    f->now = WALL_MS - settle_ms;
    f->began_at = f->told_at = WALL_MS;
    f->wall_offset = STARTS_AT_WALL_MS - WALL_MS;
    foresee_hosts_begin(f, source);
    monitor_start(f);
    monitor_checks(f);
}

void foresee_begin(struct foresee *f, const struct foresee_conf *c, const int *source,
                   foresee_tell_fn tell, void *owner)
{
    foresee_clear(f, c, tell, owner);
    foresee_start(f, source, 0);
}

void foresee_stored(struct foresee *f, const struct foresee_conf *c, const int *source,
                    foresee_tell_fn tell, void *owner)
{
    foresee_clear(f, c, tell, owner);
    foresee_disk(f, c->engine.mode);
    foresee_start(f, source, 0);
}

void foresee_settled(struct foresee *f, const struct foresee_conf *c, const int *source,
                     foresee_tell_fn tell, void *owner)
{
    foresee_clear(f, c, tell, owner);
    f->quiet = true;
    foresee_disk(f, MODE_ACTIVE);
    foresee_start(f, source, SETTLE_MS);
    foresee_go(f, f->began_at, 0);
    f->quiet = false;
    f->e.mode = c->engine.mode;
    f->told_at = f->now;
}
