/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "mysql/connector.h"

#include <openssl/crypto.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define CONNECTOR_THREADS_MAX 32
#define CONNECTOR_IDLE_S      10
#define CONNECTOR_STACK       (1024 * 1024)
#define ASYNC_STACK           (256 * 1024) /* libmariadb's own stack per connection */
/* Whatever the server's defaults are: quotes mean what db_quote writes, every statement commits,
 * an idle connection stays, and no SET GLOBAL read_only holds up all writers for long. */
#define SESSION "SET SESSION sql_mode='', autocommit=1, wait_timeout=86400, lock_wait_timeout=1"

enum connect_state { TRY_QUEUED, TRY_RUNNING, TRY_OVER, TRY_GIVEN_UP };

struct connect_try {
    struct connect_try *next;
    enum connect_state state; /* under the lock, like `tell` */
    uv_async_t *tell;
    struct db_params params;
    char *where;
    int64_t limit_ms;
    struct connect_outcome out;
};

/* The process's threads and what waits for them. */
static struct {
    pthread_mutex_t lock;
    pthread_cond_t work, gone;
    pthread_once_t once;
    struct connect_try *first, **last;
    unsigned threads, idle;
    bool ending;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER,
          .work = PTHREAD_COND_INITIALIZER,
          .gone = PTHREAD_COND_INITIALIZER,
          .once = PTHREAD_ONCE_INIT};

static void pool_once(void)
{
    pool.last = &pool.first;
    CHECK(mysql_server_init(0, NULL, NULL) == 0);
}

/* ---- parameters ---- */

static char *params_text(const char *text)
{
    char *copy = text ? strdup(text) : NULL;

    CHECK(!text || copy);
    return copy;
}

struct db_params db_params_copy(const struct db_params *p)
{
    struct db_params c = *p;

    c.host = params_text(p->host);
    c.socket = params_text(p->socket);
    c.user = params_text(p->user);
    c.password = params_text(p->password);
    c.tls_ca = params_text(p->tls_ca);
    c.tls_cert = params_text(p->tls_cert);
    c.tls_key = params_text(p->tls_key);
    c.plugin_dir = params_text(p->plugin_dir);
    return c;
}

void db_params_free(struct db_params *p)
{
    if (p->password)
        explicit_bzero((char *)p->password, strlen(p->password));
    free((char *)p->host);
    free((char *)p->socket);
    free((char *)p->user);
    free((char *)p->password);
    free((char *)p->tls_ca);
    free((char *)p->tls_cert);
    free((char *)p->tls_key);
    free((char *)p->plugin_dir);
    memset(p, 0, sizeof *p);
}

/* ---- one attempt, in a thread ---- */

static bool connector_params_fit(const struct db_params *p, struct db_problem *problem)
{
    unsigned char address[16];
    const char *const files[] = {p->tls_ca, p->tls_cert, p->tls_key};

    if (!p->socket && (!p->host || (inet_pton(AF_INET, p->host, address) != 1 &&
                                    inet_pton(AF_INET6, p->host, address) != 1))) {
        db_problem_set(problem, DB_CONFIG, "'%s' is not a numeric address", p->host ? p->host : "");
        return false;
    }
    for (unsigned i = 0; i < ARRAY_LEN(files); i++) {
        if (p->tls != DB_TLS_DISABLED && files[i] && access(files[i], R_OK) < 0) {
            db_problem_set(problem, DB_CONFIG, "TLS: %s: %s", files[i], strerror(errno));
            return false;
        }
    }
    return true;
}

static void connector_tls_options(MYSQL *my, const struct db_params *p, bool tls)
{
    my_bool enforce = tls, verify = tls && p->tls == DB_TLS_VERIFY;

    if (tls) {
        mysql_optionsv(my, MYSQL_OPT_SSL_KEY, p->tls_key);
        mysql_optionsv(my, MYSQL_OPT_SSL_CERT, p->tls_cert);
        if (p->tls_ca) /* else libmariadb parses the system's, 16 ms each time: not on the loop */
            mysql_optionsv(my, MYSQL_OPT_SSL_CA, p->tls_ca);
    }
    mysql_optionsv(my, MYSQL_OPT_SSL_ENFORCE, &enforce);
    mysql_optionsv(my, MYSQL_OPT_SSL_VERIFY_SERVER_CERT, &verify);
}

static MYSQL *connector_handle(const struct db_params *p, int64_t limit_ms, bool tls)
{
    /* Only so that a thread does not hang for ever: the deadline that counts is the loop's, and
     * comes first. */
    unsigned limit_s = (unsigned)(limit_ms / 1000 + 1);
    unsigned protocol = p->socket ? MYSQL_PROTOCOL_SOCKET : MYSQL_PROTOCOL_TCP;
    size_t packet = DB_RESULT_BYTES_MAX, stack = ASYNC_STACK;
    unsigned no_infile = 0;
    MYSQL *my = mysql_init(NULL);

    CHECK(my);
    mysql_optionsv(my, MYSQL_OPT_NONBLOCK, &stack);
    mysql_optionsv(my, MYSQL_OPT_CONNECT_TIMEOUT, &limit_s);
    mysql_optionsv(my, MYSQL_OPT_READ_TIMEOUT, &limit_s);
    mysql_optionsv(my, MYSQL_OPT_WRITE_TIMEOUT, &limit_s);
    mysql_optionsv(my, MYSQL_OPT_PROTOCOL, &protocol);
    mysql_optionsv(my, MYSQL_OPT_LOCAL_INFILE, &no_infile);
    mysql_optionsv(my, MYSQL_OPT_MAX_ALLOWED_PACKET, &packet);
    mysql_optionsv(my, MYSQL_SET_CHARSET_NAME, "utf8mb4");
    mysql_optionsv(my, MYSQL_INIT_COMMAND, SESSION);
    mysql_optionsv(my, MYSQL_OPT_CONNECT_ATTR_ADD, "program_name", "hamm");
    if (p->plugin_dir)
        mysql_optionsv(my, MYSQL_PLUGIN_DIR, p->plugin_dir);
    connector_tls_options(my, p, tls);
    return my;
}

static void connector_tune_socket(int fd, const struct db_params *p)
{
    int one = 1, probes = 3;
    unsigned silence_ms = p->silence_ms ? p->silence_ms : 3000;

    if (p->socket)
        return;
    /* Only what makes a dead peer show sooner; nothing depends on it. */
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &one, sizeof one);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &one, sizeof one);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof probes);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &silence_ms, sizeof silence_ms);
}

/* Why can't a TCP connection be made? libmariadb 3.3 says 115 (in progress) of any refusal, so the
 * kernel is asked again. 0: it can, by now. */
static int connector_errno(const struct db_params *p)
{
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons((uint16_t)p->port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)p->port)};
    bool is_v4 = inet_pton(AF_INET, p->host, &v4.sin_addr) == 1;
    int code = 0, fd = socket(is_v4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct timeval limit = {.tv_sec = 1}; /* for connect(), too */

    if (fd < 0)
        return errno;
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    if ((is_v4 || inet_pton(AF_INET6, p->host, &v6.sin6_addr) == 1) &&
        connect(fd, is_v4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6,
                is_v4 ? sizeof v4 : sizeof v6) < 0)
        code = errno == EINPROGRESS ? ETIMEDOUT : errno;
    close(fd);
    return code;
}

static void connector_explain(struct connect_try *t, MYSQL *my, bool tls)
{
    const struct db_params *p = &t->params;
    unsigned number = mysql_errno(my);
    const char *said = mysql_error(my);
    char text[64];
    int code;

    if (!p->socket && db_problem_errno(said) == EINPROGRESS && (number == 2002 || number == 2003)) {
        code = connector_errno(p);
        snprintf(text, sizeof text, "it failed, and would not now (%d)", code);
        if (code)
            snprintf(text, sizeof text, "%s (%d)", strerror(code), code);
        said = text;
    }
    db_problem_from(&t->out.problem, number, said, true, p->socket != NULL, tls, t->where);
}

static void connector_once(struct connect_try *t, bool tls)
{
    const struct db_params *p = &t->params;
    MYSQL *my = connector_handle(p, t->limit_ms, tls);

    ERR_clear_error(); /* see db_clear_tls_errors */
    t->out.tls = tls;
    if (mysql_real_connect(my, p->socket ? NULL : p->host, p->user, p->password ? p->password : "",
                           NULL, p->socket ? 0 : p->port, p->socket, 0)) {
        connector_tune_socket(mysql_get_socket(my), p);
        t->out.my = my;
        t->out.problem.error = DB_OK;
        return;
    }
    connector_explain(t, my, tls);
    mysql_close(my);
}

/* A thread of MariaDB 10.11 that had a TLS connection broken off under it can answer the next one's
 * wish for TLS with a plain "Bad handshake", which here is a wrong version number; once. */
static void connector_run(struct connect_try *t)
{
    const struct db_params *p = &t->params;
    bool tls = p->tls >= DB_TLS_REQUIRED || (p->tls == DB_TLS_PREFERRED && !p->socket);

    if (!connector_params_fit(p, &t->out.problem))
        return;
    connector_once(t, tls);
    if (t->out.problem.error == DB_TLS && strstr(t->out.problem.text, "wrong version number"))
        connector_once(t, tls); /* MariaDB slipped, see above */
    if (p->tls == DB_TLS_PREFERRED && tls && t->out.problem.error == DB_TLS)
        connector_once(t, false); /* the server has none */
}

/* ---- the threads ---- */

static void connector_free(struct connect_try *t)
{
    if (t->out.my)
        mysql_close(t->out.my);
    db_params_free(&t->params);
    free(t->where);
    free(t);
}

static struct connect_try *pool_next(void) /* under the lock */
{
    struct connect_try *t = pool.first;

    if (t) {
        pool.first = t->next;
        if (!pool.first)
            pool.last = &pool.first;
    }
    return t;
}

static struct connect_try *pool_wait(void) /* under the lock; NULL: nothing to do for long */
{
    struct connect_try *t = pool_next();
    struct timespec until;
    int rc = 0;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += CONNECTOR_IDLE_S;
    while (!t && rc == 0 && !pool.ending) {
        pool.idle++;
        rc = pthread_cond_timedwait(&pool.work, &pool.lock, &until);
        pool.idle--;
        t = pool_next();
    }
    return t;
}

static void *pool_thread(void *arg)
{
    struct connect_try *t;

    (void)arg;
    pthread_mutex_lock(&pool.lock);
    while ((t = pool_wait())) {
        if (t->state == TRY_QUEUED) {
            t->state = TRY_RUNNING;
            pthread_mutex_unlock(&pool.lock);
            connector_run(t);
            pthread_mutex_lock(&pool.lock);
        }
        if (t->state == TRY_GIVEN_UP) {
            pthread_mutex_unlock(&pool.lock);
            connector_free(t);
            pthread_mutex_lock(&pool.lock);
        } else {
            t->state = TRY_OVER;
            uv_async_send(t->tell);
        }
    }
    pthread_mutex_unlock(&pool.lock);
    mysql_thread_end();
    OPENSSL_thread_stop(); /* not left to the thread's very end, which nobody waits for */
    pthread_mutex_lock(&pool.lock);
    if (--pool.threads == 0)
        pthread_cond_signal(&pool.gone);
    pthread_mutex_unlock(&pool.lock);
    return NULL;
}

static int pool_grow(void) /* under the lock */
{
    pthread_attr_t attr;
    sigset_t all, was;
    pthread_t thread;
    int rc;

    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, CONNECTOR_STACK);
    sigfillset(&all); /* signals belong to the loop's thread */
    pthread_sigmask(SIG_SETMASK, &all, &was);
    rc = pthread_create(&thread, &attr, pool_thread, NULL);
    pthread_sigmask(SIG_SETMASK, &was, NULL);
    pthread_attr_destroy(&attr);
    if (rc == 0)
        pool.threads++;
    return rc;
}

bool db_end(int64_t limit_ms)
{
    struct timespec until;
    bool gone;
    int rc = 0;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += limit_ms / 1000;
    pthread_mutex_lock(&pool.lock);
    pool.ending = true;
    pthread_cond_broadcast(&pool.work);
    while (pool.threads && rc == 0)
        rc = pthread_cond_timedwait(&pool.gone, &pool.lock, &until);
    gone = pool.threads == 0;
    pthread_mutex_unlock(&pool.lock);
    return gone;
}

/* ---- for the loop ---- */

struct connect_try *connector_start(const struct db_params *params, const char *where,
                                    int64_t limit_ms, uv_async_t *tell)
{
    struct connect_try *t = calloc(1, sizeof *t);
    unsigned waiting = 1;

    CHECK(t);
    pthread_once(&pool.once, pool_once);
    t->params = db_params_copy(params);
    t->where = params_text(where);
    t->limit_ms = limit_ms;
    t->tell = tell;
    pthread_mutex_lock(&pool.lock);
    for (struct connect_try *q = pool.first; q; q = q->next)
        waiting++;
    *pool.last = t;
    pool.last = &t->next;
    if (waiting > pool.idle && pool.threads < CONNECTOR_THREADS_MAX)
        (void)pool_grow(); /* without one it waits for another thread, or its deadline says so */
    pthread_cond_signal(&pool.work);
    pthread_mutex_unlock(&pool.lock);
    return t;
}

bool connector_take(struct connect_try *t, struct connect_outcome *out)
{
    bool over;

    pthread_mutex_lock(&pool.lock);
    over = t->state == TRY_OVER;
    pthread_mutex_unlock(&pool.lock);
    if (!over)
        return false;
    *out = t->out;
    t->out.my = NULL;
    connector_free(t);
    return true;
}

void connector_give_up(struct connect_try *t)
{
    bool over;

    pthread_mutex_lock(&pool.lock);
    over = t->state == TRY_OVER;
    t->state = TRY_GIVEN_UP;
    pthread_mutex_unlock(&pool.lock);
    if (!over)
        return;
    if (t->out.my) /* its socket still blocks: without this, closing might wait for the server */
        shutdown(mysql_get_socket(t->out.my), SHUT_RDWR);
    connector_free(t);
}
