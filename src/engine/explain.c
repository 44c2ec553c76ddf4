/* SPDX-License-Identifier: GPL-2.0-or-later
 * The answer to "why is it so": the rules that hold now, with their sentences; what each other
 * candidate lacks; what is waited for. Nothing is worked out here that the rules do not lean on. */
#include "engine/engine_internal.h"
#include "engine/rules.h"

#include <inttypes.h>
#include <stdarg.h>

struct page {
    char *at;
    size_t size, n;
};

static void line(struct page *to, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void line(struct page *to, const char *fmt, ...)
{
    size_t left = to->size - to->n;
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(to->at + to->n, left, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n + 1 >= left) {
        to->at[to->n] = 0; /* half a line says nothing */
        to->size = to->n + 1;
        return;
    }
    to->n += (size_t)n;
    to->at[to->n++] = '\n';
    to->at[to->n] = 0;
}

static void duration(int64_t ms, char *out, size_t size)
{
    if (ms < 10000)
        snprintf(out, size, "%" PRId64 " ms", ms);
    else if (ms < 600000)
        snprintf(out, size, "%" PRId64 " s", ms / 1000);
    else if (ms < 3600000 * 10ll)
        snprintf(out, size, "%" PRId64 " min", ms / 60000);
    else
        snprintf(out, size, "%" PRId64 " h", ms / 3600000);
}

static void explain_rule(const struct engine *e, struct page *to, const struct rules *all, int i,
                         unsigned from)
{
    const struct rule *r = all->find(e, i, from);
    char why[PROBLEM_LEN];

    rule_sentence(e, r, i, why, sizeof why);
    line(to, "  %s  [rule %s]", why, r->name);
}

/* ---- one slot ---- */

static void explain_candidate(const struct engine *e, struct page *to, int s, int h,
                              const char *prefix)
{
    const struct host *x = &e->host[h];
    char why[WHY_LEN];

    if (!slot_fit(e, s, h, false, why, sizeof why))
        line(to, "  %s%s cannot get it: %s%s", prefix, host_name(e, h), why,
             slot_writable(e, s) && slot_fit(e, s, h, true, NULL, 0)
                 ? "; only the operator could force it (move-role --force)"
                 : "");
    else if (!slot_clear_for(e, s, h, why, sizeof why))
        line(to, "  %s%s is fit, but cannot get it yet: %s", prefix, host_name(e, h), why);
    else if (slot_writable(e, s) && x->lag_ms >= 0)
        line(to, "  %s%s could take it: %s, %" PRId64 " s behind", prefix, host_name(e, h),
             host_state_names[x->state], x->lag_ms / 1000);
    else
        line(to, "  %s%s could take it: %s", prefix, host_name(e, h), host_state_names[x->state]);
}

static void explain_move(const struct engine *e, struct page *to, int s)
{
    const struct move *m = &e->move;
    static const char *const phase[] = {
        [MOVE_NONE] = "",
        [MOVE_LAG] = "the new one catches up, writes go on",
        [MOVE_RELEASE] = "the old one blocks writes and lets go",
        [MOVE_PROMOTE] = "the new one applies what the old one had",
        [MOVE_BACK] = "it failed, the old one gets it back",
    };

    if (!move_on(e, s))
        return;
    line(to, "  is being moved from %s to %s for %" PRId64 " ms: %s%s%s", host_name(e, m->from),
         host_name(e, m->to), e->now - m->started, phase[m->phase], m->error[0] ? ": " : "",
         m->error);
}

static void explain_slot(const struct engine *e, struct page *to, int s)
{
    const struct slot *x = &e->slot[s];
    hostset all = role_candidates(e, e->conf.slot_role[s]);

    line(to, "%s: %s%s%s", slot_name(e, s),
         x->holder < 0 ? "nobody holds it" : host_name(e, x->holder),
         x->holder >= 0 && x->adopted ? ", found holding it" : "",
         x->pinned ? ", put there by an operator" : "");
    explain_move(e, to, s);
    explain_rule(e, to, x->holder < 0 ? &unheld_rules : &held_rules, s, 0);
    for (int h = 0; h < (int)e->conf.names.hosts; h++)
        if (h != x->holder && all >> h & 1)
            explain_candidate(e, to, s, h, "");
}

/* ---- one host ---- */

static void explain_checks(const struct engine *e, struct page *to, int h)
{
    for (enum check c = 0; c < CK_N; c++) {
        const struct check_state *cs = &e->host[h].check[c];
        char left[32] = "";

        if (!cs->known && !cs->message[0])
            continue;
        duration(cs->error_since + e->conf.trap_ms[c] - e->now, left, sizeof left);
        line(to, "  %s is %s%s%s%s%s", check_names[c],
             !cs->known ? "not judged yet"
             : cs->good ? "good"
                        : "bad",
             cs->message[0] ? ": " : "", cs->message,
             cs->good && cs->error_since ? "; bad if that lasts another " : "",
             cs->good && cs->error_since ? left : "");
    }
}

static void explain_agent(const struct engine *e, struct page *to, int h)
{
    const struct host *x = &e->host[h];
    char ago[32];

    duration(x->report_at ? e->now - x->report_at : 0, ago, sizeof ago);
    if (!x->linked)
        line(to, "  its agent is not connected");
    else if (!host_live(e, h))
        line(to, "  its agent is connected, but has not been heard under epoch %" PRIu64 "%s%s",
             e->epoch, x->report.problem[0] ? ": " : "", x->report.problem);
    else
        line(to, "  its agent was heard %s ago%s%s", ago, x->report.problem[0] ? ": " : "",
             x->report.problem);
    if (x->kill != KILL_NONE)
        line(to, "  kill_host %s%s%s",
             x->kill == KILL_RUNNING ? "is running"
             : x->kill == KILL_DONE  ? "says it is dead; to give its roles away at once: hamm ctl "
                                       "move-role --force ROLE HOST --lost"
                                     : "failed",
             x->kill_said[0] ? ": " : "", x->kill_said);
}

static void explain_extra(const struct engine *e, struct page *to, int h)
{
    const char *text;

    if (place_used(e, h)) {
        line(to, "  cannot follow the writer: %s", e->host[h].extra);
        return;
    }
    line(to, "  transactions the writer doesn't have: %s", e->host[h].extra);
    switch (engine_aside(e, h, &text)) {
    case TAIL_READY:
        line(to, "  they are kept on %s in %s", host_name(e, h), text);
        return;
    case TAIL_FAILED:
        line(to, "  they are kept in no file: %s", text);
        return;
    case TAIL_READING:
        line(to, "  its agent is to keep them in a file");
        return;
    default:
        return;
    }
}

static void explain_replication(const struct engine *e, struct page *to, int h)
{
    const struct host *x = &e->host[h];
    int w = engine_writer(e);
    char semi[WHY_LEN];

    if (x->extra[0])
        explain_extra(e, to, h);
    engine_semi_sync(e, h, semi, sizeof semi);
    if (semi[0])
        line(to, "  semi-sync: %s", semi);
    if (w == h)
        line(to, "  is open for writes%s",
             fit_acknowledged(e, h) ? "; what it acknowledges, replicas have received" : "");
    else if (x->report.facts && w >= 0 && x->clean)
        line(to, "  everything it has, %s has too", host_name(e, w));
    if (x->report.facts && x->report.source_host[0])
        line(to, "  replicates from %s: receiver %s, applier %s",
             x->report.source >= 0 ? host_name(e, x->report.source) : x->report.source_host,
             x->report.receiver == RECEIVER_YES          ? "runs"
             : x->report.receiver == RECEIVER_CONNECTING ? "is connecting"
                                                         : "is stopped",
             x->report.applier ? "runs" : "is stopped");
}

static void explain_host(const struct engine *e, struct page *to, int h)
{
    const struct host *x = &e->host[h];
    char since[32];

    duration(e->now - x->state_since, since, sizeof since);
    line(to, "%s: %s for %s%s", host_name(e, h), host_state_names[x->state], since,
         x->flapping ? ", flapping" : "");
    explain_rule(e, to, &state_rules, h, 1u << x->state);
}

/* ---- answers ---- */

static struct page page_on(char *out, size_t size)
{
    out[0] = 0;
    return (struct page){out, size, 0};
}

void engine_explain_host(const struct engine *e, int h, char *out, size_t size)
{
    struct page to = page_on(out, size);

    explain_host(e, &to, h);
    explain_agent(e, &to, h);
    explain_checks(e, &to, h);
    explain_replication(e, &to, h);
    for (int s = 0; s < (int)e->conf.names.slots; s++) {
        if (e->slot[s].holder == h)
            line(&to, "  holds %s", slot_name(e, s));
        else if (role_candidates(e, e->conf.slot_role[s]) >> h & 1 && slot_writable(e, s))
            explain_candidate(e, &to, s, h, "writer: ");
    }
}

void engine_explain_role(const struct engine *e, int role, char *out, size_t size)
{
    struct page to = page_on(out, size);

    for (int s = 0; s < (int)e->conf.names.slots; s++)
        if (e->conf.slot_role[s] == role)
            explain_slot(e, &to, s);
    line(&to, "%s as a whole:", e->conf.role[role].name);
    explain_rule(e, &to, &role_rules, role, 0);
}

void engine_explain_cluster(const struct engine *e, char *out, size_t size)
{
    struct page to = page_on(out, size);
    const char *why = engine_why_passive(e);

    if (!engine_reigns(e))
        line(&to, "this monitor does not reign: %s", why);
    else
        line(&to, "mode %s%s%s, epoch %" PRIu64, mode_names[e->mode], *why ? ": " : "", why,
             e->epoch);
    if (e->network_down)
        line(&to, "the monitor's own network is down: %s", e->network_message);
    for (int s = 0; s < (int)e->conf.names.slots; s++) {
        const struct slot *x = &e->slot[s];

        line(&to, "%s: %s", slot_name(e, s),
             x->holder < 0 ? "nobody holds it" : host_name(e, x->holder));
        explain_move(e, &to, s);
        explain_rule(e, &to, x->holder < 0 ? &unheld_rules : &held_rules, s, 0);
    }
    for (int h = 0; h < (int)e->conf.names.hosts; h++)
        explain_host(e, &to, h);
}
