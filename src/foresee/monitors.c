/* SPDX-License-Identifier: GPL-2.0-or-later
 * The monitor's shell: its journal, its checks, what it says to agents. */
#include "foresee/foresee_internal.h"

#include "base/clock.h"

/* ---- what the engine wants ---- */

static void order_told(struct foresee *f, const struct msg_order *o, int h)
{
    static const char *const follow[] = {[FOLLOW_KEEP] = "replication as it is",
                                         [FOLLOW_NONE] = "follow nobody",
                                         [FOLLOW_SOURCE] = "follow "};
    const struct names *names = &f->conf.engine.names;
    bool looks = o->look != f->node[h].look_told;
    char holds[256] = "";
    size_t n = 0;

    if (f->node[h].order_told == o->serial)
        return;
    f->node[h].order_told = o->serial;
    for (unsigned s = 0; s < names->slots; s++)
        if (o->hold >> s & 1 && n < sizeof holds)
            n +=
                (size_t)snprintf(holds + n, sizeof holds - n, "%s%s", n ? " " : "", names->slot[s]);
    foresee_say(f, TELL_ORDER, h, "order to %s: hold %s, %s%s%s%s%s%s%s%s%s%.200s%s%.200s",
                foresee_host(f, h), n ? holds : "nothing", follow[o->follow],
                o->follow == FOLLOW_SOURCE ? foresee_host(f, o->source) : "",
                o->tail ? "'s binary log" : "", o->may_start ? ", its server may be started" : "",
                o->fence ? ", at once" : "", o->as_is ? ", as it is" : "",
                o->probe ? ", ask the network first" : "", looks ? ", look what is in the way" : "",
                o->reach[0] ? ", having " : "", o->reach, o->aside[0] ? ", keep " : "", o->aside);
    f->node[h].look_told = o->look;
}

void monitor_send(struct foresee *f, struct foresee_mail *m)
{
    const struct host *h = &f->e.host[m->to];

    m->held = false;
    if (m->kind == MSG_BEAT) {
        m->beat.epoch = f->e.epoch;
        m->beat.passive = f->e.mode == MODE_PASSIVE;
        memcpy(m->beat.monitor, f->e.identity, sizeof m->beat.monitor);
    } else if (m->kind == MSG_ORDER) {
        if (!h->order.serial || h->order_after > f->journalled) {
            m->used = false; /* a newer one waits for its record */
            return;
        }
        m->order = *engine_order_of(&f->e, m->to);
        order_told(f, &m->order, m->to);
    }
    mail_send(f, m);
}

static void monitor_mail(struct foresee *f, const struct action *act, enum msg_kind kind)
{
    struct foresee_mail *m;

    if (!f->node[act->host].linked)
        return;
    m = mail_new(f, kind, -1, act->host);
    if (!m)
        return;
    if (kind == MSG_GRANT)
        m->grant = *act->grant;
    m->after = act->after;
    m->held = act->after > f->journalled;
    if (!m->held)
        monitor_send(f, m);
}

static void monitor_perform(struct foresee *f, const struct action *act)
{
    switch (act->kind) {
    case ACT_PERSIST:
        engine_durable_of(&f->e, &f->disk);
        f->has_disk = true;
        foresee_push(f, f->conf.disk_ms, DUE_JOURNAL, 0, 0, (int32_t)act->after);
        return;
    case ACT_BEAT:
        monitor_mail(f, act, MSG_BEAT);
        return;
    case ACT_ORDER:
        monitor_mail(f, act, MSG_ORDER);
        return;
    case ACT_GRANT:
        monitor_mail(f, act, MSG_GRANT);
        return;
    case ACT_ANSWER:
        foresee_say(f, TELL_ANSWER, act->host, "ctl: %s", act->text);
        return;
    case ACT_EVENT:
        foresee_say(f, TELL_EVENT, act->host, "%s%s%s",
                    act->host < 0 ? "" : foresee_host(f, act->host), act->host < 0 ? "" : ": ",
                    act->text);
        return;
    case ACT_RECEIPT:
        engine_tell_receipt(act->receipt, f->receipt, sizeof f->receipt);
        foresee_say(f, TELL_RECEIPT, -1, "%s", f->receipt);
        return;
    default:
        return; /* nothing of this world is meant */
    }
}

void monitor_feed(struct foresee *f, struct engine_event *ev)
{
    if (!f->monitor_up)
        return;
    ev->now_ms = f->now;
    ev->wall_ms = f->now + f->wall_offset;
    engine_step(&f->e, ev, &f->plan);
    for (unsigned i = 0; !f->quiet && i < ARRAY_LEN(f->rules_hit); i++)
        f->rules_hit[i] |= f->e.rules_hit[i];
    for (unsigned i = 0; i < f->plan.n; i++)
        monitor_perform(f, &f->plan.at[i]);
    f->monitor_deadline = engine_deadline(&f->e);
    if (f->monitor_deadline <= f->now)
        f->monitor_deadline = f->now + 1;
}

void monitor_start(struct foresee *f)
{
    struct engine_event ev = {.kind = EV_START};

    engine_init(&f->e, &f->conf.engine);
    f->monitor_up = true;
    f->journalled = 0;
    ev.start.durable = f->has_disk ? &f->disk : NULL;
    snprintf(ev.start.identity, sizeof ev.start.identity, "%s.%u", f->conf.engine.monitor,
             ++f->lives);
    monitor_feed(f, &ev);
    for (unsigned h = 0; h < foresee_hosts(f); h++) {
        f->node[h].ping_heard = f->now; /* from when on it is waited for */
        wire_connect_soon(f, (int)h);
    }
}

/* ---- what it hears ---- */

void monitor_on_mail(struct foresee *f, struct foresee_mail *m)
{
    struct engine_event ev = {.agent = {.host = m->from}};

    if (m->kind == MSG_REPORT) {
        ev.kind = EV_REPORT;
        ev.agent.report = &m->report;
    } else if (m->kind == MSG_LEASE) {
        ev.kind = EV_LEASE;
        ev.agent.lease = &m->lease;
    } else {
        ev.kind = EV_REFUSED;
        ev.agent.refusal = &m->refusal;
    }
    monitor_feed(f, &ev);
}

static void monitor_journalled(struct foresee *f, uint64_t number)
{
    if (number <= f->journalled || number > f->e.persisted)
        return; /* of an earlier life */
    f->journalled = number;
    for (unsigned i = 0; i < FORESEE_MAIL_MAX; i++)
        if (f->mail[i].used && f->mail[i].held && f->mail[i].after <= number)
            monitor_send(f, &f->mail[i]);
}

/* ---- checks ---- */

static void check_tell(struct foresee *f, int h, enum check c, enum result result, int64_t lag_ms,
                       const char *text)
{
    struct engine_event ev = {
        .kind = EV_CHECK,
        .check = {.host = h, .check = c, .result = result, .lag_ms = lag_ms, .message = text}};

    monitor_feed(f, &ev);
}

static void check_ping(struct foresee *f, int h)
{
    struct foresee_node *x = &f->node[h];
    char text[64];

    if (wire_path(f, -1, h)) {
        x->ping_heard = f->now;
        check_tell(f, h, CK_PING, RESULT_OK, -1, "OK: answered in 0.200 ms");
    } else if (f->now - x->ping_heard >= f->conf.check[CK_PING].timeout_ms) {
        snprintf(text, sizeof text, "ERROR: no answer for %lld ms",
                 (long long)(f->now - x->ping_heard));
        check_tell(f, h, CK_PING, RESULT_ERROR, -1, text);
    }
}

static void check_unknown(struct foresee *f, int h, const char *why)
{
    char text[WHY_LEN];

    snprintf(text, sizeof text, "UNKNOWN: could not be asked: %s", why);
    if (!f->node[h].forced[CK_REP_THREADS])
        check_tell(f, h, CK_REP_THREADS, RESULT_UNKNOWN, -1, text);
    if (!f->node[h].forced[CK_REP_BACKLOG])
        check_tell(f, h, CK_REP_BACKLOG, RESULT_UNKNOWN, -1, text);
}

/* False: no answer yet, it may come too late. */
static bool check_mysql(struct foresee *f, int h)
{
    if (!wire_path(f, -1, h) || (f->node[h].server.up && f->node[h].server.hung))
        return false;
    if (server_answers(f, h)) {
        check_tell(f, h, CK_MYSQL, RESULT_OK, -1, "OK");
    } else {
        check_tell(f, h, CK_MYSQL, RESULT_ERROR, -1, "ERROR: the connection was refused");
        check_unknown(f, h, "the connection was refused");
    }
    return true;
}

static void check_threads(struct foresee *f, int h)
{
    static const char *const io[] = {"No", "Connecting", "Yes"};
    struct agent_facts facts;
    char text[160];

    server_facts(f, h, &facts);
    if (f->node[h].server.source < 0 && !facts.source_host[0]) {
        check_tell(f, h, CK_REP_THREADS, RESULT_ERROR, -1, "ERROR: no replication is configured");
        return;
    }
    if (facts.receiver == RECEIVER_YES && facts.applier) {
        check_tell(f, h, CK_REP_THREADS, RESULT_OK, -1, "OK");
        return;
    }
    snprintf(text, sizeof text, "ERROR: receiver %s, applier %s%s", io[facts.receiver],
             facts.applier ? "Yes" : "No",
             f->node[h].server.broken ? ": Duplicate entry '1' for key 'PRIMARY'" : "");
    check_tell(f, h, CK_REP_THREADS, RESULT_ERROR, -1, text);
}

static void check_backlog(struct foresee *f, int h)
{
    const struct foresee_server *v = &f->node[h].server;
    int64_t lag = server_lag(f, h), most = f->conf.engine.max_backlog_ms;
    bool ok = lag >= 0 && lag <= (most ? most : 60000);
    char text[64];

    if (v->source < 0 && !v->source_host[0])
        snprintf(text, sizeof text, "ERROR: no replication is configured");
    else if (lag < 0)
        snprintf(text, sizeof text, "ERROR: the lag is unknown (NULL)");
    else
        snprintf(text, sizeof text, "%s: backlog %lld s", ok ? "OK" : "ERROR",
                 (long long)lag / 1000);
    check_tell(f, h, CK_REP_BACKLOG, ok ? RESULT_OK : RESULT_ERROR, lag, text);
}

void monitor_check(struct foresee *f, int h, enum check c)
{
    const struct foresee_node *x = &f->node[h];

    if (!f->monitor_up)
        return;
    if (x->forced[c])
        check_tell(f, h, c, x->forced_result[c], -1, x->forced_text[c]);
    else if (c == CK_PING)
        check_ping(f, h);
    else if (c == CK_MYSQL && !check_mysql(f, h))
        foresee_push(f, f->conf.check[c].timeout_ms, DUE_NOANSWER, h, 0, 0);
    else if (c == CK_REP_THREADS && wire_path(f, -1, h) && server_answers(f, h))
        check_threads(f, h);
    else if (c == CK_REP_BACKLOG && wire_path(f, -1, h) && server_answers(f, h))
        check_backlog(f, h);
}

static void check_no_answer(struct foresee *f, int h)
{
    char text[64];

    if (f->node[h].forced[CK_MYSQL] || check_mysql(f, h))
        return;
    snprintf(text, sizeof text, "ERROR: no answer within %lld ms",
             (long long)f->conf.check[CK_MYSQL].timeout_ms);
    check_tell(f, h, CK_MYSQL, RESULT_ERROR, -1, text);
    check_unknown(f, h, text + strlen("ERROR: "));
}

void monitor_checks(struct foresee *f)
{
    for (unsigned h = 0; h < foresee_hosts(f); h++)
        for (int c = 0; c < CK_N; c++)
            foresee_push(f, f->conf.check[c].period_ms, DUE_CHECK, (int)h, c, 0);
}

void monitor_on_due(struct foresee *f, const struct foresee_due *d)
{
    if (d->what == DUE_JOURNAL) {
        monitor_journalled(f, (uint64_t)d->n);
        return;
    }
    if (d->what == DUE_CHECK && d->n >= 0) { /* -1: out of turn */
        bool slow = d->b == CK_MYSQL && !(wire_path(f, -1, d->a) &&
                                          !(f->node[d->a].server.up && f->node[d->a].server.hung));
        int64_t wait = f->conf.check[d->b].period_ms;

        if (slow && wait < f->conf.check[d->b].timeout_ms)
            wait = f->conf.check[d->b].timeout_ms;
        foresee_push(f, wait, DUE_CHECK, d->a, d->b, 0);
    }
    if (d->what == DUE_CHECK)
        monitor_check(f, d->a, (enum check)d->b);
    else if (f->monitor_up)
        check_no_answer(f, d->a);
}
