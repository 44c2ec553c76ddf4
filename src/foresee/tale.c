/* SPDX-License-Identifier: GPL-2.0-or-later
 * The answer of what-if: the story of a copy, how it ends, and what was assumed. */
#include "foresee/foresee_internal.h"

#include "base/text.h"
#include "gtid/gtid.h"

enum { STORY_MS = 600000 };

/* ---- how it ends ---- */

static int after_writer(const struct foresee *f, int w)
{
    for (unsigned h = 0; w >= 0 && h < foresee_hosts(f); h++)
        if (host_shows(f, (int)h, w) && server_answers(f, (int)h) && !f->node[h].server.read_only)
            return (int)h;
    return -1;
}

static void after_roles(const struct foresee *f, struct text *t, int *writer)
{
    const struct engine_conf *c = &f->conf.engine;

    for (unsigned r = 0; r < c->roles; r++) {
        unsigned n = 0;

        text_add(t, "%s%s", r ? "; " : "", c->role[r].name);
        for (unsigned s = 0; s < c->names.slots; s++)
            for (unsigned h = 0; c->slot_role[s] == (int)r && h < foresee_hosts(f); h++)
                if (host_shows(f, (int)h, (int)s)) {
                    text_add(t, " %s", foresee_host(f, (int)h));
                    n++;
                    if (c->role[r].writable)
                        *writer = after_writer(f, (int)s);
                }
        if (!n)
            text_add(t, " nobody");
        else if (c->role[r].writable && *writer < 0)
            text_add(t, " (not open for writes)");
    }
}

/* Transactions on other servers that the writer doesn't have. */
static void after_lost(const struct foresee *f, int w, struct text *t)
{
    struct agent_facts mine, other;
    struct gtid_set a, b, diff;
    struct err ignored = {0};
    bool any = false;
    char text[200];

    if (w < 0)
        return;
    server_facts(f, w, &mine);
    for (unsigned h = 0; h < foresee_hosts(f); h++) {
        enum gtid_flavour how = mine.mysql_flavour ? GTID_MYSQL : GTID_MARIADB_STATE;

        server_facts(f, (int)h, &other);
        if ((int)h == w || gtid_parse(other.gtid, how, &a, &ignored) < 0 ||
            gtid_parse(mine.gtid, how, &b, &ignored) < 0 || gtid_subtract(&a, &b, &diff) < 0 ||
            gtid_empty(&diff))
            continue;
        gtid_format(&diff, text, sizeof text);
        text_add(t, "\n  only on %s: %s", foresee_host(f, (int)h), text);
        any = true;
    }
    if (!any)
        text_add(t, "\n  no transaction is known to be lost");
}

size_t foresee_after(const struct foresee *f, char *to, size_t size)
{
    const struct engine_conf *c = &f->conf.engine;
    struct text t = {to, 0, size};
    int writer = -1;

    after_roles(f, &t, &writer);
    for (unsigned h = 0; h < foresee_hosts(f); h++) {
        if (f->e.host[h].state == ONLINE)
            continue;
        text_add(&t, "\n  %s is %s", foresee_host(f, (int)h), host_state_names[f->e.host[h].state]);
        if (f->e.host[h].extra[0])
            text_add(&t, ": it alone has %s", f->e.host[h].extra);
    }
    for (unsigned s = 0; s < c->names.slots; s++) {
        char waits[PROBLEM_LEN];

        engine_waits(&f->e, (int)s, waits, sizeof waits);
        if (waits[0])
            text_add(&t, "\n  %s waits: %s", c->names.slot[s], waits);
    }
    after_lost(f, writer, &t);
    if (!f->monitor_up)
        text_add(&t, "\n  no monitor runs: what it knew last is told");
    if (f->broken)
        text_add(&t, "\n  TWO HOSTS HELD ONE ADDRESS: please report this story");
    return t.n;
}

/* ---- the tale ---- */

static void tale_on_line(void *owner, const struct foresee_line *line)
{
    struct tale *t = owner;

    if (line->kind == TELL_RECEIPT)
        return; /* the event says what can be foreseen */
    if (t->n == TALE_LINES) {
        snprintf(t->cut, sizeof t->cut, "more happens than can be told");
        return;
    }
    t->line[t->n].at_ms = line->at_ms;
    t->line[t->n].kind = line->kind;
    snprintf(t->line[t->n].text, sizeof t->line[t->n].text, "%s", line->text);
    t->line[t->n].host[0] = (char)line->host; /* a name after the run */
    t->n++;
}

static void add_pause(struct text *t, const struct fault *f)
{
    int64_t ms = f->after_ms - (f->kind == FAULT_WAIT ? f->ms : 0);

    if (ms % 1000)
        text_add(t, "%lldms ", (long long)ms);
    else if (ms)
        text_add(t, "%llds ", (long long)ms / 1000);
}

/* Why the story ended before it was over; the last of these weighs most. */
static void tale_cut(const struct foresee *f, bool whole, struct tale *t)
{
    if (!whole)
        snprintf(t->cut, sizeof t->cut, "more happens than can be told");
    if (whole && f->faults_left)
        snprintf(t->cut, sizeof t->cut, "the story ends after %d minutes; %u fault%s still to come",
                 STORY_MS / 60000, f->faults_left, f->faults_left == 1 ? " was" : "s were");
    if (f->stopped)
        snprintf(t->cut, sizeof t->cut,
                 "working it out took too long; it was stopped %lld s into the story",
                 (long long)foresee_now(f) / 1000);
}

void foresee_what_if(struct foresee *f, const struct foresee_conf *c, const struct engine *now,
                     const struct faults *faults, foresee_stop_fn stop, void *owner, struct tale *t)
{
    struct text said = {t->said, 0, sizeof t->said};

    memset(t, 0, sizeof *t);
    for (unsigned i = 0; i < faults->n; i++) {
        if (i)
            text_add(&said, " then ");
        add_pause(&said, &faults->at[i]);
        text_add(&said, "%s", faults->at[i].said);
    }
    foresee_copy(f, c, now, tale_on_line, t);
    foresee_faults(f, faults);
    f->stop = stop;
    f->stop_owner = owner;
    tale_cut(f, foresee_run_out(f, STORY_MS), t);
    for (unsigned i = 0; i < t->n; i++) {
        int h = (signed char)t->line[i].host[0];

        snprintf(t->line[i].host, NAME_LEN, "%s", h < 0 ? "" : foresee_host(f, h));
    }
    (void)foresee_after(f, t->after, sizeof t->after);
    snprintf(t->assumed, sizeof t->assumed,
             "assumed: a message takes %lld ms, the journal %lld ms, a job on a server %lld ms, "
             "asking the network %lld ms; no more writes than there are; servers start with "
             "read_only and skip_slave_start",
             (long long)c->message_ms, (long long)c->disk_ms, (long long)c->job_ms,
             (long long)c->probe_ms);
}

size_t tale_format(const struct tale *t, char *to, size_t size)
{
    struct text out = {to, 0, size};

    text_add(&out, "what if: %s   (nothing is changed; virtual time from now)\n", t->said);
    for (unsigned i = 0; i < t->n; i++)
        text_add(&out, "%8lld.%03d s  %s\n", (long long)(t->line[i].at_ms / 1000),
                 (int)(t->line[i].at_ms % 1000), t->line[i].text);
    if (!t->n)
        text_add(&out, "   nothing happens\n");
    if (t->cut[0])
        text_add(&out, "   ... %s\n", t->cut);
    text_add(&out, "After that: %s\n%s\n", t->after, t->assumed);
    return out.n;
}
