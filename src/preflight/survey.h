/* SPDX-License-Identifier: GPL-2.0-or-later
 * All that was asked and answered, before anything is judged: per host and account one login and
 * its answers. Plain data; ask.c fills it, the judges read it. */
#pragma once

#include "conf/conf.h"
#include "preflight/answer.h"

enum account { ACCOUNT_MONITOR, ACCOUNT_AGENT, ACCOUNT_REPLICATION, ACCOUNT_N };
const char *account_name(enum account account); /* "monitor", "agent", "replication" */

/* Statements, see questions.c. The TRY ones change nothing: a server looks whether the account may
 * set a variable before it sees that the value is nonsense. */
enum question {
    Q_WHO, /* columns who, now (seconds with fraction) */
    Q_LOGIN,
    Q_GRANTS,
    Q_VARIABLES,
    Q_BOOT, /* columns name, origin, persisted: where read_only has its value from */
    Q_EVENTS,
    Q_SEMI_SYNC,
    Q_REPLICA,
    Q_BINLOG,
    Q_TRY_READ_ONLY,
    Q_TRY_REPLICATION,
    Q_TRY_CONNECTION,
    Q_TRY_PROCESSES,
    Q_N
};
/* NULL: not asked of such a server by this account. version: 101119 is 10.11.19. */
const char *question_text(enum question q, enum account account, bool mariadb, unsigned version);

struct login {
    bool tried;  /* its password can be read on this machine */
    bool needed; /* hamm logs in from this machine with it */
    const char *user;
    char where[320]; /* "10.0.0.1:3306" or a socket */
    bool in, tls;
    enum db_error error; /* why not in, or why the questions came to an end */
    char text[512];
    int64_t clock_off_ms; /* the server's clock minus this machine's */
    int64_t clock_doubt_ms;
    struct answer answer[Q_N];
};

struct looked {
    const struct conf_host *conf;
    bool here;      /* this machine */
    bool candidate; /* may hold the active master role */
    bool answers;   /* some account got in */
    bool mariadb;
    unsigned version;
    char server[128];
    struct login login[ACCOUNT_N];
};

struct survey {
    const struct conf *conf;
    struct looked *host; /* of conf->n_hosts, in their order */
};

/* zeroed but for what the configuration says. self: this machine's host or CONF_NONE. */
void survey_init(struct survey *s, const struct conf *c, unsigned self);
void survey_free(struct survey *s);
/* The first good answer any account got, else the last bad one, else NULL. */
const struct answer *survey_answer(const struct looked *h, enum question q);
/* Of SHOW GLOBAL VARIABLES; NULL: no such variable, or nobody could ask. */
const char *survey_variable(const struct looked *h, const char *name);
bool survey_is_on(const char *value); /* ON, 1, YES */
