/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "preflight/ask.h"

#include "mysql/dialect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

enum {
    CONNECT_MS = 3000,
    QUESTION_MS = 3000,
    SESSION_MS = 15000, /* all of one account's questions */
};

struct session {
    struct looked *host;
    struct login *login;
    enum account account;
    uv_loop_t *loop;
    uint64_t began_ms;
    struct db *db;
    enum question at;
    int64_t asked_ms; /* wall time */
};

static int64_t wall_ms(void)
{
    struct timeval t;

    gettimeofday(&t, NULL);
    return (int64_t)t.tv_sec * 1000 + t.tv_usec / 1000;
}

static void ask_next(struct session *s);

/* NOW() was read somewhere between the question and its answer. */
static void ask_clock(struct session *s)
{
    const char *now = answer_named(&s->login->answer[Q_WHO], 0, "now");
    int64_t here = wall_ms();

    if (!now)
        return;
    s->login->clock_doubt_ms = (here - s->asked_ms + 1) / 2 + 1;
    s->login->clock_off_ms = (int64_t)(strtod(now, NULL) * 1000) - (here + s->asked_ms) / 2;
}

static void ask_on_answer(struct db *db, const struct db_result *r)
{
    struct session *s = db_owner(db);

    answer_take(&s->login->answer[s->at], r);
    if (s->at == Q_WHO)
        ask_clock(s);
    if (db_is_closed(db)) {
        s->login->error = r->error;
        snprintf(s->login->text, sizeof s->login->text, "%s", r->text);
        db_close(db, NULL);
        return;
    }
    s->at++;
    ask_next(s);
}

static void ask_next(struct session *s)
{
    struct looked *h = s->host;
    const char *sql = NULL;
    int64_t left_ms = SESSION_MS - (int64_t)(uv_now(s->loop) - s->began_ms);

    for (; s->at < Q_N; s->at++) {
        sql = question_text(s->at, s->account, h->mariadb, h->version);
        if (sql)
            break;
    }
    if (s->at < Q_N && left_ms > 0) {
        s->asked_ms = wall_ms();
        db_query(s->db, sql, left_ms < QUESTION_MS ? left_ms : QUESTION_MS, ask_on_answer);
        return;
    }
    if (s->at < Q_N) {
        s->login->error = DB_TIMEOUT;
        snprintf(s->login->text, sizeof s->login->text, "%s: not all answered within %d s",
                 s->login->where, SESSION_MS / 1000);
    }
    db_close(s->db, NULL);
}

static void ask_on_connected(struct db *db, const struct db_result *r)
{
    struct session *s = db_owner(db);
    struct looked *h = s->host;

    s->login->error = r->error;
    snprintf(s->login->text, sizeof s->login->text, "%s", r->text);
    if (r->error != DB_OK) {
        db_close(db, NULL);
        return;
    }
    s->login->in = h->answers = true;
    s->login->tls = db_uses_tls(db);
    h->mariadb = db_is_mariadb(db);
    h->version = dialect_version(db_server_info(db));
    snprintf(h->server, sizeof h->server, "%s", db_server_info(db));
    ask_next(s);
}

static const struct conf_user *ask_user(const struct conf_mysql *m, enum account account)
{
    return account == ACCOUNT_MONITOR ? &m->monitor
           : account == ACCOUNT_AGENT ? &m->agent
                                      : &m->replication.login;
}

/* As the program logs in that uses the account: the agent by the socket of its own host. */
static struct db_params ask_params(const struct looked *h, enum account account)
{
    static const enum db_tls tls[] = {
        [CONF_TLS_DISABLED] = DB_TLS_DISABLED,
        [CONF_TLS_PREFERRED] = DB_TLS_PREFERRED,
        [CONF_TLS_REQUIRED] = DB_TLS_REQUIRED,
        [CONF_TLS_VERIFY] = DB_TLS_VERIFY,
    };
    const struct conf_mysql *m = &h->conf->mysql;
    const struct conf_user *user = ask_user(m, account);
    bool repl = account == ACCOUNT_REPLICATION;

    return (struct db_params){
        .host = repl ? h->conf->replication_address.text : h->conf->address.text,
        .port = m->port,
        .socket = account == ACCOUNT_AGENT && h->here && *m->socket ? m->socket : NULL,
        .user = user->user,
        .password = user->password,
        .tls = tls[repl ? m->replication.tls : m->tls.mode],
        .tls_ca = *m->tls.ca ? m->tls.ca : NULL,
        .tls_cert = *m->tls.cert ? m->tls.cert : NULL,
        .tls_key = *m->tls.key ? m->tls.key : NULL,
    };
}

static void ask_start(struct session *s)
{
    struct db_params p = ask_params(s->host, s->account);

    if (p.socket)
        snprintf(s->login->where, sizeof s->login->where, "%s", p.socket);
    else
        snprintf(s->login->where, sizeof s->login->where, strchr(p.host, ':') ? "[%s]:%u" : "%s:%u",
                 p.host, p.port);
    s->began_ms = uv_now(s->loop);
    s->db = db_new(s->loop, &p, NULL, s);
    db_connect(s->db, CONNECT_MS, ask_on_connected);
}

void ask_all(struct survey *survey, uv_loop_t *loop)
{
    struct session *s = calloc(survey->conf->n_hosts * ACCOUNT_N, sizeof *s);
    size_t n = 0;

    CHECK(s);
    for (size_t i = 0; i < survey->conf->n_hosts; i++)
        for (int account = 0; account < ACCOUNT_N; account++) {
            struct looked *h = &survey->host[i];

            if (!h->login[account].tried)
                continue;
            s[n] = (struct session){.host = h,
                                    .login = &h->login[account],
                                    .account = (enum account)account,
                                    .loop = loop};
            ask_start(&s[n++]);
        }
    uv_run(loop, UV_RUN_DEFAULT);
    free(s);
}
