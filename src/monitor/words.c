/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "monitor/words.h"

#include "base/buf.h"
#include "monitor/ring.h"
#include "monitor/status.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct parse {
    struct words *out;
    const struct engine_conf *conf;
    const struct status_conf *status;
    struct err *e;
    unsigned n; /* arguments: words without the command and without options */
    const char *arg[WORDS_MAX];
    bool force, follow;
    const char *lost, *last; /* NULL: not given */
};

struct command {
    const char *name, *usage;
    unsigned least, most;
    const char *options; /* allowed ones, each followed by a space */
    int (*parse)(struct parse *p);
};

static const char *listed(struct buf *b, const char *name)
{
    buf_addf(b, "%s%s", b->len ? ", " : "", name);
    return b->at;
}

static int host_of(struct parse *p, const char *name, int *out)
{
    const struct names *names = &p->conf->names;
    auto_buf list = BUF(sizeof p->e->msg);

    for (unsigned i = 0; i < names->hosts; i++)
        if (!strcmp(name, names->host[i])) {
            *out = (int)i;
            return 0;
        }
    for (unsigned i = 0; i < names->hosts; i++)
        listed(&list, names->host[i]);
    return err_set(p->e, -EINVAL, "unknown host \"%.64s\": the hosts are %s", name,
                   list.at ? list.at : "none");
}

static int role_of(struct parse *p, const char *name, int *out)
{
    auto_buf list = BUF(sizeof p->e->msg);

    for (unsigned i = 0; i < p->conf->roles; i++)
        if (!strcmp(name, p->conf->role[i].name)) {
            *out = (int)i;
            return 0;
        }
    for (unsigned i = 0; i < p->conf->roles; i++)
        listed(&list, p->conf->role[i].name);
    return err_set(p->e, -EINVAL, "unknown role \"%.64s\": the roles are %s", name,
                   list.at ? list.at : "none");
}

/* One text for each address, with or without its prefix length; false: no address. */
static bool canonical(const char *text, char to[INET6_ADDRSTRLEN])
{
    char ip[ADDR_LEN];
    uint8_t raw[16];
    size_t len = strcspn(text, "/");

    if (len >= sizeof ip)
        return false;
    memcpy(ip, text, len);
    ip[len] = 0;
    for (unsigned i = 0; i < 2; i++) {
        int family = i ? AF_INET6 : AF_INET;
        if (inet_pton(family, ip, raw) == 1)
            return inet_ntop(family, raw, to, INET6_ADDRSTRLEN);
    }
    return false;
}

static int slot_of(struct parse *p, const char *text, int *out)
{
    char wanted[INET6_ADDRSTRLEN], one[INET6_ADDRSTRLEN];
    auto_buf list = BUF(sizeof p->e->msg);

    if (!canonical(text, wanted))
        return err_set(p->e, -EINVAL, "\"%.64s\" is no IP address", text);
    for (unsigned s = 0; s < p->conf->names.slots; s++)
        for (unsigned i = 0; i < p->status->slot[s].n; i++) {
            if (!canonical(p->status->slot[s].ip[i], one))
                continue;
            if (!strcmp(wanted, one)) {
                *out = (int)s;
                return 0;
            }
            listed(&list, one);
        }
    return err_set(p->e, -EINVAL, "unknown address %s: the roles have %s", wanted,
                   list.at ? list.at : "none");
}

static int check_of(struct parse *p, const char *name, int *out)
{
    for (int i = 0; i < CK_N; i++)
        if (!strcmp(name, check_names[i])) {
            *out = i;
            return 0;
        }
    return err_set(p->e, -EINVAL, "unknown check \"%.64s\": the checks are %s, %s, %s, %s", name,
                   check_names[CK_PING], check_names[CK_MYSQL], check_names[CK_REP_THREADS],
                   check_names[CK_REP_BACKLOG]);
}

static int parse_reading(struct parse *p)
{
    (void)p;
    return 0;
}

static int parse_checks(struct parse *p)
{
    int rc = 0;

    if (p->n > 0 && strcmp(p->arg[0], "all"))
        rc = host_of(p, p->arg[0], &p->out->host);
    if (!rc && p->n > 1 && strcmp(p->arg[1], "all"))
        rc = check_of(p, p->arg[1], &p->out->check);
    return rc;
}

static int order(struct parse *p, enum verb verb)
{
    p->out->kind = WORDS_ORDER;
    p->out->order.verb = verb;
    return 0;
}

static int mode_of(struct parse *p, const char *word)
{
    for (int i = 0; i < MODE_N; i++)
        if (!strcmp(word, mode_names[i])) {
            p->out->order.mode = (enum mode)i;
            return order(p, VERB_MODE);
        }
    return err_set(p->e, -EINVAL, "unknown mode \"%.64s\": the modes are %s, %s, %s, %s", word,
                   mode_names[MODE_ACTIVE], mode_names[MODE_MANUAL], mode_names[MODE_PASSIVE],
                   mode_names[MODE_WAIT]);
}

static int parse_mode(struct parse *p)
{
    return p->n ? mode_of(p, p->arg[0]) : 0;
}

static int parse_set_active(struct parse *p)
{
    return mode_of(p, mode_names[MODE_ACTIVE]);
}

static int parse_set_manual(struct parse *p)
{
    return mode_of(p, mode_names[MODE_MANUAL]);
}

static int parse_set_passive(struct parse *p)
{
    return mode_of(p, mode_names[MODE_PASSIVE]);
}

static int parse_set_online(struct parse *p)
{
    order(p, VERB_SET_ONLINE);
    return host_of(p, p->arg[0], &p->out->order.host);
}

static int parse_set_offline(struct parse *p)
{
    order(p, VERB_SET_OFFLINE);
    return host_of(p, p->arg[0], &p->out->order.host);
}

static int parse_move_role(struct parse *p)
{
    struct engine_command *c = &p->out->order;
    int rc;

    order(p, VERB_MOVE_ROLE);
    c->force = p->force;
    rc = role_of(p, p->arg[0], &c->role);
    if (!rc)
        rc = host_of(p, p->arg[1], &c->host);
    if (!rc && p->lost)
        rc = host_of(p, p->lost, &c->lost);
    if (rc)
        return rc;
    if (p->lost && !p->force)
        return err_set(p->e, -EINVAL, "--lost goes with --force only: it declares %s dead for good",
                       p->lost);
    if (c->lost == c->host)
        return err_set(p->e, -EINVAL, "%s cannot be declared dead and take the role", p->lost);
    return 0;
}

static int parse_set_ip(struct parse *p)
{
    int rc = slot_of(p, p->arg[0], &p->out->order.slot);

    order(p, VERB_SET_IP);
    return rc ? rc : host_of(p, p->arg[1], &p->out->order.host);
}

static int parse_events(struct parse *p)
{
    char *end;
    long n;

    p->out->follow = p->follow;
    if (!p->last)
        return 0;
    errno = 0;
    n = strtol(p->last, &end, 10);
    if (errno || end == p->last || *end || n < 0)
        return err_set(p->e, -EINVAL, "-n: \"%.64s\" is no number of events", p->last);
    p->out->last = n > RING_MAX ? RING_MAX : (unsigned)n;
    return 0;
}

static const struct command commands[] = {
    [WORDS_PING] = {"ping", "ping", 0, 0, "", parse_reading},
    [WORDS_STATUS] = {"status", "status", 0, 0, "", parse_reading},
    [WORDS_SHOW] = {"show", "show", 0, 0, "", parse_reading},
    [WORDS_CHECKS] = {"checks", "checks [HOST|all [CHECK|all]]", 0, 2, "", parse_checks},
    [WORDS_MODE] = {"mode", "mode [active|manual|passive|wait]", 0, 1, "", parse_mode},
    [WORDS_EVENTS] = {"events", "events [-f] [-n N]", 0, 0, "-f -n ", parse_events},
    /* from here on always orders */
    {"set-active", "set-active", 0, 0, "", parse_set_active},
    {"set-manual", "set-manual", 0, 0, "", parse_set_manual},
    {"set-passive", "set-passive", 0, 0, "", parse_set_passive},
    {"set-online", "set-online HOST", 1, 1, "", parse_set_online},
    {"set-offline", "set-offline HOST", 1, 1, "", parse_set_offline},
    {"move-role", "move-role [--force [--lost OLD]] ROLE HOST", 2, 2, "--force --lost ",
     parse_move_role},
    {"set-ip", "set-ip IP HOST", 2, 2, "", parse_set_ip},
};

static const struct command *command_of(const char *word)
{
    char name[WORD_LEN];

    memccpy(name, word, 0, sizeof name);
    for (char *at = name; *at; at++)
        if (*at == '_')
            *at = '-';
    for (unsigned i = 0; i < ARRAY_LEN(commands); i++)
        if (!strcmp(name, commands[i].name))
            return &commands[i];
    return NULL;
}

static bool allowed(const struct command *c, const char *option)
{
    const char *at = strstr(c->options, option);

    return at && at[strlen(option)] == ' ';
}

/* Takes the options out of the words. */
static int sort_out(struct parse *p, const struct command *c, const struct msg_command *m)
{
    for (unsigned i = 1; i < m->n; i++) {
        const char *word = m->word[i];
        const char **value = !strcmp(word, "--lost") ? &p->lost
                             : !strcmp(word, "-n")   ? &p->last
                                                     : NULL;
        if (word[0] != '-' || !word[1]) {
            p->arg[p->n++] = word;
        } else if (!allowed(c, word)) {
            return err_set(p->e, -EINVAL, "%s has no option %.64s; usage: hamm ctl %s", c->name,
                           word, c->usage);
        } else if (value) {
            if (++i == m->n)
                return err_set(p->e, -EINVAL, "%s needs a value; usage: hamm ctl %s", word,
                               c->usage);
            *value = m->word[i];
        } else {
            p->force |= !strcmp(word, "--force");
            p->follow |= !strcmp(word, "-f");
        }
    }
    if (p->n < c->least || p->n > c->most)
        return err_set(p->e, -EINVAL, "usage: hamm ctl %s", c->usage);
    return 0;
}

int words_parse(struct words *out, const struct msg_command *m, const struct engine_conf *conf,
                const struct status_conf *status, struct err *e)
{
    struct words in = {.host = -1, .check = -1, .last = WORDS_EVENTS_DEFAULT};
    struct parse p = {.out = &in, .conf = conf, .status = status, .e = e};
    const struct command *c = m->n ? command_of(m->word[0]) : NULL;
    int rc;

    if (!c)
        return err_set(e, -EINVAL, "unknown command \"%.64s\"; see hamm ctl --help",
                       m->n ? m->word[0] : "");
    in.kind = c - commands < WORDS_ORDER ? (enum words_kind)(c - commands) : WORDS_ORDER;
    in.order = (struct engine_command){.host = -1, .role = -1, .slot = -1, .lost = -1};
    rc = sort_out(&p, c, m);
    if (!rc)
        rc = c->parse(&p);
    if (!rc)
        *out = in;
    return rc;
}
