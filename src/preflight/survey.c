/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "preflight/survey.h"

#include <stdlib.h>
#include <string.h>

const char *account_name(enum account account)
{
    static const char *const names[ACCOUNT_N] = {
        [ACCOUNT_MONITOR] = "monitor",
        [ACCOUNT_AGENT] = "agent",
        [ACCOUNT_REPLICATION] = "replication",
    };

    CHECK(account < ACCOUNT_N);
    return names[account];
}

static bool survey_is_candidate(const struct conf *c, unsigned host)
{
    const struct conf_role *role;

    if (c->active_master_role >= c->n_roles)
        return false;
    role = &c->roles[c->active_master_role];
    for (size_t i = 0; i < role->n_hosts; i++)
        if (role->hosts[i] == host)
            return true;
    return false;
}

void survey_init(struct survey *s, const struct conf *c, unsigned self)
{
    s->conf = c;
    s->host = calloc(c->n_hosts, sizeof *s->host);
    CHECK(s->host);
    for (unsigned i = 0; i < c->n_hosts; i++) {
        struct looked *h = &s->host[i];

        h->conf = &c->hosts[i];
        h->here = i == self;
        h->candidate = survey_is_candidate(c, i);
        h->login[ACCOUNT_MONITOR].user = h->conf->mysql.monitor.user;
        h->login[ACCOUNT_AGENT].user = h->conf->mysql.agent.user;
        h->login[ACCOUNT_REPLICATION].user = h->conf->mysql.replication.login.user;
        h->login[ACCOUNT_MONITOR].needed = self == CONF_NONE;
        h->login[ACCOUNT_AGENT].needed = h->here;
        h->login[ACCOUNT_REPLICATION].needed = self != CONF_NONE && !h->here;
    }
}

void survey_free(struct survey *s)
{
    for (size_t i = 0; s->host && i < s->conf->n_hosts; i++)
        for (int account = 0; account < ACCOUNT_N; account++)
            for (int q = 0; q < Q_N; q++)
                answer_free(&s->host[i].login[account].answer[q]);
    free(s->host);
    s->host = NULL;
}

const struct answer *survey_answer(const struct looked *h, enum question q)
{
    static const enum account order[] = {ACCOUNT_AGENT, ACCOUNT_MONITOR, ACCOUNT_REPLICATION};
    const struct answer *bad = NULL;

    for (unsigned i = 0; i < ARRAY_LEN(order); i++) {
        const struct answer *a = &h->login[order[i]].answer[q];

        if (answer_is(a))
            return a;
        if (a->asked)
            bad = a;
    }
    return bad;
}

const char *survey_variable(const struct looked *h, const char *name)
{
    return answer_variable(survey_answer(h, Q_VARIABLES), name);
}

bool survey_is_on(const char *value)
{
    return value && (!strcasecmp(value, "ON") || !strcmp(value, "1") || !strcasecmp(value, "YES"));
}
