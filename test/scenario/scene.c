/* SPDX-License-Identifier: GPL-2.0-or-later
 * Reads scenario files, line by line. */
#include "scene.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    struct scene *s;
    struct err *e;
    unsigned line;
    int64_t at_ms;
};

static int bad(struct reader *r, const char *what, const char *word)
{
    return err_set(r->e, -EINVAL, "%s:%u: %s%s%.80s", r->s->path, r->line, what, *word ? ": " : "",
                   word);
}

static int host_of(struct reader *r, const char *word)
{
    const struct names *n = &r->s->conf.engine.names;

    for (unsigned h = 0; h < n->hosts; h++)
        if (strcmp(n->host[h], word) == 0)
            return (int)h;
    return bad(r, "no such host", word);
}

/* cluster NAME master PEER | NAME replica | ... */
static int read_cluster(struct reader *r, unsigned n, const char *const *word)
{
    struct engine_conf *c = &r->s->conf.engine;
    const char *peer[HOSTS_MAX] = {0};
    int first = -1;

    for (unsigned i = 0; i < n; i++) {
        unsigned h = c->names.hosts++;

        if (h == HOSTS_MAX || i + 1 >= n)
            return bad(r, "cluster: a host is NAME master [PEER] or NAME replica", "");
        snprintf(c->names.host[h], NAME_LEN, "%s", word[i++]);
        c->host[h].master = strcmp(word[i], "master") == 0;
        if (!c->host[h].master && strcmp(word[i], "replica") != 0)
            return bad(r, "master or replica", word[i]);
        if (++i < n && c->host[h].master && strcmp(word[i], "|") != 0)
            peer[h] = word[i++];
        if (i < n && strcmp(word[i], "|") != 0)
            return bad(r, "between hosts stands |", word[i]);
    }
    for (unsigned h = 0; h < c->names.hosts; h++) {
        int from = peer[h] ? host_of(r, peer[h]) : -1;

        if (peer[h] && from < 0)
            return r->e->code;
        if (c->host[h].master && first < 0)
            first = (int)h;
        r->s->source[h] = c->host[h].master ? from : first;
    }
    return 0;
}

/* role NAME exclusive HOST... [prefer HOST]
 * role NAME balanced ADDRESSES HOST... [last_resort writer|keep|none] */
static int read_role(struct reader *r, unsigned n, const char *const *word)
{
    static const char *const resorts[] = {"writer", "keep", "none"};
    struct engine_conf *c = &r->s->conf.engine;
    unsigned role = c->roles, i = 2;
    int addresses = 1, h;

    if (n < 3 || role == ROLES_MAX)
        return bad(r, "role NAME exclusive HOST... or role NAME balanced ADDRESSES HOST...", "");
    c->roles++;
    snprintf(c->role[role].name, NAME_LEN, "%s", word[0]);
    c->role[role].exclusive = strcmp(word[1], "exclusive") == 0;
    c->role[role].writable = role == 0;
    c->role[role].prefer = -1;
    if (!c->role[role].exclusive)
        addresses = atoi(word[i++]);
    for (; i < n; i++) {
        if (strcmp(word[i], "prefer") == 0 && i + 1 < n) {
            c->role[role].prefer = host_of(r, word[++i]);
            if (c->role[role].prefer < 0)
                return r->e->code;
            continue;
        }
        if (strcmp(word[i], "last_resort") == 0 && i + 1 < n) {
            i++;
            for (unsigned k = 0; k < ARRAY_LEN(resorts); k++)
                if (strcmp(word[i], resorts[k]) == 0)
                    c->role[role].last_resort = (enum last_resort)k;
            continue;
        }
        h = host_of(r, word[i]);
        if (h < 0)
            return r->e->code;
        c->role[role].host[c->role[role].hosts++] = h;
    }
    for (int a = 0; a < addresses && c->names.slots < SLOTS_MAX; a++) {
        unsigned s = c->names.slots++;

        c->slot_role[s] = (int)role;
        if (c->role[role].exclusive)
            snprintf(c->names.slot[s], SLOT_LEN, "%s", word[0]);
        else
            snprintf(c->names.slot[s], SLOT_LEN, "%s/%d", word[0], a + 1);
    }
    return 0;
}

static bool set_choice(const char *word, const char *const *of, unsigned n, int *to)
{
    for (unsigned i = 0; i < n; i++)
        if (strcmp(word, of[i]) == 0) {
            *to = (int)i;
            return true;
        }
    return false;
}

static int set_word(struct reader *r, const char *key, const char *value)
{
    static const char *const gates[] = {"nft", "lifetime"};
    static const char *const losses[] = {"promise", "keep", "fence"}, *const bools[] = {"no",
                                                                                        "yes"};
    static const char *const data_losses[] = {
        [LOSS_SALVAGE] = "salvage", [LOSS_NEVER] = "never", [LOSS_ALLOW] = "allow"};
    struct foresee_conf *c = &r->s->conf;
    int at = 0;

    if (strcmp(key, "mode") == 0 && set_choice(value, mode_names, MODE_N, &at)) {
        c->engine.mode = (enum mode)at;
    } else if (strcmp(key, "gate") == 0 && set_choice(value, gates, 2, &at)) {
        c->gate = c->engine.gate_unheard = (enum gate_kind)at;
    } else if (strcmp(key, "on_monitor_loss") == 0 && set_choice(value, losses, 3, &at)) {
        c->on_monitor_loss = at == 2 ? LOSS_FENCE : LOSS_PROMISE;
        c->engine.keep = at == 1;
    } else if (strcmp(key, "data_loss") == 0 && set_choice(value, data_losses, 3, &at)) {
        c->engine.data_loss = (enum data_loss)at;
    } else if (strcmp(key, "flap_count") == 0) {
        c->engine.flap_count = (unsigned)atoi(value);
    } else if (strcmp(key, "careful_startup") == 0 && set_choice(value, bools, 2, &at)) {
        c->engine.careful_startup = at;
    } else if (strcmp(key, "kill_host") == 0 && set_choice(value, bools, 2, &at)) {
        c->engine.kill_host = at;
    } else if (strcmp(key, "kill_hung_mysqld") == 0 && set_choice(value, bools, 2, &at)) {
        c->kill_hung_mysqld = at;
    } else {
        return bad(r, "unknown setting or value", key);
    }
    return 0;
}

#define ENGINE(name) offsetof(struct foresee_conf, engine.name)
static int set_one(struct reader *r, const char *key, const char *value)
{
    static const struct {
        const char *key;
        size_t at;
    } durations[] = {
        {"lease", ENGINE(lease_ms)},
        {"max_backlog", ENGINE(max_backlog_ms)},
        {"on_crash", ENGINE(on_crash_ms)},
        {"auto_set_online", ENGINE(auto_set_online_ms)},
        {"flap_duration", ENGINE(flap_duration_ms)},
        {"wait_for_other_master", ENGINE(wait_for_other_master_ms)},
        {"catch_up_timeout", ENGINE(catch_up_ms)},
        {"salvage_timeout", ENGINE(salvage_ms)},
        {"switchover_budget", ENGINE(switchover_budget_ms)},
        {"job", offsetof(struct foresee_conf, job_ms)},
    };
    static const char *const parts[] = {"trap.", "period.", "timeout."};
    int64_t ms = fault_duration(value);
    int check = 0;

    for (unsigned i = 0; i < ARRAY_LEN(durations); i++)
        if (strcmp(key, durations[i].key) == 0 && ms >= 0) {
            memcpy((char *)&r->s->conf + durations[i].at, &ms, sizeof ms);
            return 0;
        }
    for (unsigned i = 0; i < ARRAY_LEN(parts); i++) {
        size_t n = strlen(parts[i]);

        if (strncmp(key, parts[i], n) != 0 || ms < 0 ||
            !set_choice(key + n, check_names, CK_N, &check))
            continue;
        if (i == 0)
            r->s->conf.engine.trap_ms[check] = ms;
        else if (i == 1)
            r->s->conf.check[check].period_ms = ms;
        else
            r->s->conf.check[check].timeout_ms = ms;
        return 0;
    }
    return set_word(r, key, value);
}

/* set KEY VALUE, KEY VALUE ... */
static int read_set(struct reader *r, unsigned n, char **word)
{
    for (unsigned i = 0; i + 1 < n; i += 2) {
        size_t len = strlen(word[i + 1]);

        if (len && word[i + 1][len - 1] == ',')
            word[i + 1][len - 1] = 0;
        if (set_one(r, word[i], word[i + 1]) < 0)
            return r->e->code;
    }
    return n % 2 ? bad(r, "set KEY VALUE, KEY VALUE ...", "") : 0;
}

/* hide KIND... and show KIND... */
static int read_hide(struct reader *r, unsigned n, const char *const *word, bool hide)
{
    static const char *const kinds[] = {
        [TELL_FAULT] = "faults",   [TELL_EVENT] = "events", [TELL_ANSWER] = "answers",
        [TELL_ORDER] = "orders",   [TELL_AGENT] = "agents", [TELL_ADDRESS] = "addresses",
        [TELL_SERVER] = "servers", [TELL_OPEN] = "writes",  [TELL_RECEIPT] = "receipts",
    };
    int at = 0;

    for (unsigned i = 0; i < n; i++) {
        if (!set_choice(word[i], kinds, ARRAY_LEN(kinds), &at))
            return bad(r, "nothing of that kind is told", word[i]);
        r->s->hidden[at] = hide;
    }
    return 0;
}

/* MOMENT WORDS...   MOMENT end */
static int read_event(struct reader *r, unsigned n, const char *const *word)
{
    bool relative = word[0][0] == '+';
    int64_t ms = fault_duration(word[0] + relative);
    struct faults all = {0};
    struct err why = {0};

    if (ms < 0)
        return bad(r, "unknown line", word[0]);
    r->at_ms = relative ? r->at_ms + ms : ms;
    if (n == 2 && strcmp(word[1], "end") == 0) {
        r->s->end_ms = r->at_ms;
        return 0;
    }
    if (faults_parse(&all, &r->s->conf.engine, n - 1, word + 1, &why) < 0)
        return bad(r, why.msg, "");
    for (unsigned i = 0; i < all.n; i++) {
        r->at_ms += all.at[i].after_ms;
        if (r->s->n == SCENE_EVENTS)
            return bad(r, "too many lines", "");
        r->s->event[r->s->n].at_ms = r->at_ms;
        r->s->event[r->s->n++].fault = all.at[i];
    }
    return 0;
}

/* stored HOST STATE */
static int read_stored(struct reader *r, unsigned n, const char *const *word)
{
    int h = n == 2 ? host_of(r, word[0]) : bad(r, "stored HOST STATE", ""), at = 0;

    if (h < 0)
        return h;
    if (!set_choice(word[1], host_state_names, HOST_STATE_N, &at))
        return bad(r, "no such state", word[1]);
    r->s->conf.stored[h] = (enum host_state)at;
    return 0;
}

static int read_line(struct reader *r, char *text)
{
    const char *word[FAULT_WORDS];
    int n = *text == '#' ? 0 : fault_split(text, word, ARRAY_LEN(word));
    unsigned rest = n > 0 ? (unsigned)n - 1 : 0;

    if (n < 0)
        return bad(r, "too many words, or a quote is not closed", "");
    if (n == 0)
        return 0;
    if (strcmp(word[0], "cluster") == 0)
        return read_cluster(r, rest, word + 1);
    if (strcmp(word[0], "role") == 0)
        return read_role(r, rest, word + 1);
    if (strcmp(word[0], "set") == 0)
        return read_set(r, rest, (char **)(word + 1));
    if (strcmp(word[0], "hide") == 0)
        return read_hide(r, rest, word + 1, true);
    if (strcmp(word[0], "show") == 0)
        return read_hide(r, rest, word + 1, false);
    if (strcmp(word[0], "stored") == 0)
        return read_stored(r, rest, word + 1);
    if (strcmp(word[0], "state") == 0 && n == 2) {
        static const char *const states[] = {"settled", "stored", "fresh"};
        int at = 0;

        if (!set_choice(word[1], states, ARRAY_LEN(states), &at))
            return bad(r, "state is settled, stored or fresh", word[1]);
        r->s->state = at;
        return 0;
    }
    return read_event(r, (unsigned)n, word);
}

static void scene_defaults(struct scene *s)
{
    static struct engine_conf c; /* large */

    memset(&c, 0, sizeof c);
    snprintf(c.monitor, sizeof c.monitor, "mon1");
    c.trap_ms[CK_PING] = 1000;
    c.trap_ms[CK_MYSQL] = 2000;
    c.trap_ms[CK_REP_THREADS] = c.trap_ms[CK_REP_BACKLOG] = 5000;
    c.max_backlog_ms = 60000;
    c.lease_ms = 2000;
    c.flap_count = 3;
    c.flap_duration_ms = 3600000;
    c.wait_for_other_master_ms = 120000;
    c.catch_up_ms = 30000;
    c.salvage_ms = 30000;
    c.switchover_budget_ms = 5000;
    c.careful_startup = true;
    foresee_conf_of(&s->conf, &c);
    s->end_ms = -1;
    s->hidden[TELL_RECEIPT] = true;
}

static char *file_text(const char *path, struct err *e)
{
    FILE *in = fopen(path, "r");
    char *text = calloc(1, SCENE_TEXT);
    size_t n;

    CHECK(text);
    if (!in) {
        err_set(e, -errno, "%s: %s", path, strerror(errno));
        return text;
    }
    n = fread(text, 1, SCENE_TEXT - 1, in);
    fclose(in);
    if (n == SCENE_TEXT - 1)
        err_set(e, -E2BIG, "%s: too long", path);
    return text;
}

int scene_read(struct scene *s, const char *path, struct err *e)
{
    struct reader r = {.s = s, .e = e};
    char line[2048];

    memset(s, 0, sizeof *s);
    s->path = path;
    scene_defaults(s);
    s->text = file_text(path, e);
    if (e->code)
        return e->code;
    for (const char *at = s->text; *at; at += strcspn(at, "\n"), at += *at == '\n') {
        size_t len = strcspn(at, "\n");

        r.line++;
        if (len >= sizeof line)
            return bad(&r, "the line is too long", "");
        memcpy(line, at, len);
        line[len] = 0;
        s->head = (size_t)(at - s->text) + len + (at[len] == '\n');
        if (strcmp(line, "expect") == 0) {
            s->has_expect = true;
            snprintf(s->expect, sizeof s->expect, "%s", s->text + s->head);
            break;
        }
        if (read_line(&r, line) < 0)
            return e->code;
    }
    if (!s->conf.engine.names.hosts || !s->conf.engine.roles)
        return bad(&r, "a scenario needs the lines cluster and role", "");
    return 0;
}

void scene_free(struct scene *s)
{
    free(s->text);
    s->text = NULL;
}
