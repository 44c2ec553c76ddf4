/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "monitor/words.h"

#include "base/buf.h"
#include "monitor/status.h"
#include "proto/command.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

struct parse {
    const struct command_args *args;
    struct words *out;
    const struct engine_conf *conf;
    const struct status_conf *status;
    struct faults *faults;
    struct err *e;
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

static int mode_of(struct parse *p, const char *word)
{
    for (int i = 0; i < MODE_N; i++)
        if (!strcmp(word, mode_names[i])) {
            p->out->kind = WORDS_ORDER;
            p->out->order.verb = VERB_MODE;
            p->out->order.mode = (enum mode)i;
            return 0;
        }
    return err_set(p->e, -EINVAL, "unknown mode \"%.64s\": the modes are %s, %s, %s, %s", word,
                   mode_names[MODE_ACTIVE], mode_names[MODE_MANUAL], mode_names[MODE_PASSIVE],
                   mode_names[MODE_WAIT]);
}

static int parse_checks(struct parse *p)
{
    const struct command_args *a = p->args;
    int rc = 0;

    p->out->kind = WORDS_CHECKS;
    if (a->n > 0 && strcmp(a->arg[0], "all"))
        rc = host_of(p, a->arg[0], &p->out->host);
    if (!rc && a->n > 1 && strcmp(a->arg[1], "all"))
        rc = check_of(p, a->arg[1], &p->out->check);
    return rc;
}

static int parse_set(struct parse *p, enum verb verb)
{
    p->out->kind = WORDS_ORDER;
    p->out->order.verb = verb;
    return host_of(p, p->args->arg[0], &p->out->order.host);
}

static int parse_move_role(struct parse *p)
{
    const struct command_args *a = p->args;
    struct engine_command *c = &p->out->order;
    int rc, accept;

    p->out->kind = WORDS_ORDER;
    c->verb = VERB_MOVE_ROLE;
    c->force = a->force;
    rc = role_of(p, a->arg[0], &c->role);
    if (!rc)
        rc = host_of(p, a->arg[1], &c->host);
    if (!rc && a->lost)
        rc = host_of(p, a->lost, &c->lost);
    if (!rc && a->accept_loss) {
        rc = host_of(p, a->accept_loss, &accept);
        c->accept_loss = rc ? 0 : 1ull << accept;
    }
    if (!rc && c->lost == c->host)
        rc = err_set(p->e, -EINVAL, "%s cannot be lost and get the role", a->lost);
    return rc;
}

static int parse_set_ip(struct parse *p)
{
    int rc = slot_of(p, p->args->arg[0], &p->out->order.slot);

    p->out->kind = WORDS_ORDER;
    p->out->order.verb = VERB_SET_IP;
    return rc ? rc : host_of(p, p->args->arg[1], &p->out->order.host);
}

static int parse_explain(struct parse *p)
{
    const char *name = p->args->n ? p->args->arg[0] : NULL;

    p->out->kind = WORDS_EXPLAIN;
    if (!name || !role_of(p, name, &p->out->role) || !host_of(p, name, &p->out->host))
        return 0;
    return err_set(p->e, -EINVAL,
                   "\"%.64s\" is neither a host nor a role; hamm ctl status shows "
                   "both",
                   name);
}

static int parse_what_if(struct parse *p)
{
    p->out->kind = WORDS_WHAT_IF;
    p->faults->n = 0;
    p->out->faults = p->faults;
    return faults_parse(p->faults, p->conf, p->args->n, p->args->arg, p->e);
}

static int parse(struct parse *p)
{
    struct words *out = p->out;

    switch (p->args->kind) {
    case COMMAND_PING:
        out->kind = WORDS_PING;
        return 0;
    case COMMAND_STATUS:
        out->kind = WORDS_STATUS;
        return 0;
    case COMMAND_SHOW:
        out->kind = WORDS_SHOW;
        return 0;
    case COMMAND_EVENTS:
        out->kind = WORDS_EVENTS;
        out->follow = p->args->follow;
        out->last = p->args->last;
        return 0;
    case COMMAND_RECEIPTS:
        out->kind = WORDS_RECEIPTS;
        out->last = p->args->last;
        return 0;
    case COMMAND_EXPLAIN:
        return parse_explain(p);
    case COMMAND_WHAT_IF:
        return parse_what_if(p);
    case COMMAND_CHECKS:
        return parse_checks(p);
    case COMMAND_MODE:
        out->kind = WORDS_MODE;
        return p->args->n ? mode_of(p, p->args->arg[0]) : 0;
    case COMMAND_SET_ACTIVE:
        return mode_of(p, mode_names[MODE_ACTIVE]);
    case COMMAND_SET_MANUAL:
        return mode_of(p, mode_names[MODE_MANUAL]);
    case COMMAND_SET_PASSIVE:
        return mode_of(p, mode_names[MODE_PASSIVE]);
    case COMMAND_SET_ONLINE:
        return parse_set(p, VERB_SET_ONLINE);
    case COMMAND_SET_OFFLINE:
        return parse_set(p, VERB_SET_OFFLINE);
    case COMMAND_MOVE_ROLE:
        return parse_move_role(p);
    case COMMAND_SET_IP:
        return parse_set_ip(p);
    case COMMAND_N:
        break;
    }
    CHECK(false);
}

int words_parse(struct words *out, struct faults *faults, const struct msg_command *m,
                const struct engine_conf *conf, const struct status_conf *status, struct err *e)
{
    struct words in = {.host = -1, .check = -1, .role = -1};
    struct command_args args;
    struct parse p = {
        .args = &args, .out = &in, .conf = conf, .status = status, .faults = faults, .e = e};

    in.order = (struct engine_command){.host = -1, .role = -1, .slot = -1, .lost = -1};
    if (command_parse(&args, m, e) || parse(&p))
        return e->code;
    *out = in;
    return 0;
}
