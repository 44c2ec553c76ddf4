/* SPDX-License-Identifier: GPL-2.0-or-later
 * The checks: ping from one raw socket for all hosts; mysql, rep_threads and rep_backlog over one
 * persistent connection to each server. A result is OK, ERROR or UNKNOWN and a sentence; what it
 * means is the engine's business. And whether anything of ping_ips answers. */
#include "base/clock.h"
#include "loop/timer.h"
#include "monitor/cluster.h"
#include "mysql/dialect.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { ERROR_NO_PRIVILEGE = 1227, CONNECT_LEAST_MS = 10 };

static const struct conf_check_times *check_times(const struct watcher *w, enum conf_check check)
{
    return &w->c->conf->checks[check];
}

static void check_tell(struct watcher *w, enum check check, enum result result, int64_t lag_ms,
                       const char *message)
{
    struct engine_event ev = {
        .kind = EV_CHECK,
        .check = {.host = w->host,
                  .check = check,
                  .result = result,
                  .lag_ms = lag_ms,
                  .message = message},
    };

    cluster_feed(w->c, &ev);
}

/* ---- ping ---- */

static void network_tell(struct cluster *c, bool up, const char *message)
{
    struct engine_event ev = {.kind = EV_NETWORK, .network = {up, message}};

    cluster_feed(c, &ev);
}

static void network_on_reply(struct cluster *c, unsigned i)
{
    const char *ip = c->conf->failover.ping_ips[i].text;
    bool before = c->network.known;
    char text[WHY_LEN];
    int64_t silent_ms;

    if (!network_heard(&c->network, clock_boot_ms(), &silent_ms))
        return;
    snprintf(text, sizeof text, "%s answers", ip);
    if (before)
        snprintf(text, sizeof text, "%s answers again after %" PRId64 " ms", ip, silent_ms);
    network_tell(c, true, text);
}

static void network_on_period(uv_timer_t *t)
{
    struct cluster *c = t->data;
    const char *trouble = c->network_trouble;
    char text[2 * WHY_LEN];
    int64_t silent_ms;

    if (network_look(&c->network, clock_boot_ms(), &silent_ms)) {
        snprintf(text, sizeof text, "none of %u ping_ips has answered for %" PRId64 " ms%s%s",
                 c->network_ips, silent_ms, trouble[0] ? ": " : "", trouble);
        network_tell(c, false, text);
    }
    c->network_trouble[0] = 0;
    for (unsigned i = 0; i < c->network_ips; i++) {
        struct err e = {0};

        if (icmp_send(&c->icmp, (struct sockaddr *)&c->network_ip[i],
                      c->engine_conf.names.hosts + i, &e) < 0)
            snprintf(c->network_trouble, sizeof c->network_trouble, "%.*s", WHY_LEN - 1, e.msg);
    }
}

static void network_start(struct cluster *c)
{
    const struct conf_failover *f = &c->conf->failover;
    const struct conf_check_times *ping = &c->conf->checks[CONF_CHECK_PING];

    if (!f->n_ping_ips)
        return;
    c->network_ips =
        f->n_ping_ips < NETWORK_IPS_MAX ? (unsigned)f->n_ping_ips : (unsigned)NETWORK_IPS_MAX;
    if (c->network_ips < f->n_ping_ips)
        log_warn(&c->log, "ping_ips: only the first %u of %zu are asked", c->network_ips,
                 f->n_ping_ips);
    for (unsigned i = 0; i < c->network_ips; i++)
        cluster_address(&f->ping_ips[i], 0, &c->network_ip[i]);
    network_init(&c->network, clock_boot_ms(), ping->period_ms, ping->timeout_ms);
    CHECK(uv_timer_init(c->loop, &c->network_timer) == 0);
    c->network_timer.data = c;
    closer_add(&c->closer);
    timer_every(&c->network_timer, ping->period_ms, network_on_period);
}

static void ping_on_reply(void *owner, unsigned id, int64_t rtt_us)
{
    struct cluster *c = owner;
    unsigned hosts = c->engine_conf.names.hosts;
    char text[2 * WHY_LEN];

    if (!c->stopping && id >= hosts && id - hosts < c->network_ips)
        network_on_reply(c, id - hosts);
    if (c->stopping || id >= hosts)
        return;
    c->watcher[id].ping_heard_ms = clock_boot_ms();
    snprintf(text, sizeof text, "OK: answered in %" PRId64 ".%03" PRId64 " ms", rtt_us / 1000,
             rtt_us % 1000);
    check_tell(&c->watcher[id], CK_PING, RESULT_OK, -1, text);
}

static void ping_on_period(uv_timer_t *t)
{
    struct watcher *w = t->data;
    int64_t now = clock_boot_ms(), timeout = check_times(w, CONF_CHECK_PING)->timeout_ms;
    struct err e = {0};
    int64_t since = w->ping_heard_ms > w->ping_first_ms ? w->ping_heard_ms : w->ping_first_ms;

    if (now - since >= timeout) {
        char text[2 * WHY_LEN];

        snprintf(text, sizeof text, "ERROR: no answer for %" PRId64 " ms%s%s", now - since,
                 w->ping_trouble[0] ? ": " : "", w->ping_trouble);
        check_tell(w, CK_PING, RESULT_ERROR, -1, text);
    }
    w->ping_trouble[0] = 0;
    if (icmp_send(&w->c->icmp, (struct sockaddr *)&w->address, (unsigned)w->host, &e) < 0)
        snprintf(w->ping_trouble, sizeof w->ping_trouble, "%.*s", WHY_LEN - 1, e.msg);
}

/* ---- mysql and replication ---- */

static void server_next(struct watcher *w);

static enum result server_result(enum db_error error)
{
    switch (error) {
    case DB_OK:
        return RESULT_OK;
    case DB_TOO_MANY: /* it answers: not dead */
    case DB_DENIED:
    case DB_CONFIG:
    case DB_TLS:
    case DB_CANCELLED:
        return RESULT_UNKNOWN;
    default:
        return RESULT_ERROR;
    }
}

static void server_tell(struct watcher *w, const struct db_result *r)
{
    static const char *const word[] = {"OK", "ERROR", "UNKNOWN"};
    enum result result = server_result(r->error);
    char text[2 * WHY_LEN];

    snprintf(text, sizeof text, "%s%s%.*s", word[result], r->text[0] ? ": " : "", WHY_LEN - 16,
             r->text);
    check_tell(w, CK_MYSQL, result, -1, text);
}

static void server_rep_unknown(struct watcher *w, const char *why)
{
    char text[2 * WHY_LEN];

    snprintf(text, sizeof text, "UNKNOWN: could not be asked: %.*s", WHY_LEN - 40, why);
    check_tell(w, CK_REP_THREADS, RESULT_UNKNOWN, -1, text);
    check_tell(w, CK_REP_BACKLOG, RESULT_UNKNOWN, -1, text);
}

static void server_threads(struct watcher *w, const struct repl_status *s)
{
    static const char *const io[] = {"No", "Connecting", "Yes"};
    const char *why = s->sql_error[0] ? s->sql_error : s->io_error;
    char text[2 * WHY_LEN];

    if (!s->configured) {
        check_tell(w, CK_REP_THREADS, RESULT_ERROR, -1, "ERROR: no replication is configured");
        return;
    }
    if (s->io == REPL_IO_YES && s->sql_running) {
        check_tell(w, CK_REP_THREADS, RESULT_OK, -1, "OK");
        return;
    }
    snprintf(text, sizeof text, "ERROR: receiver %s, applier %s%s%.*s", io[s->io],
             s->sql_running ? "Yes" : "No", why[0] ? ": " : "", WHY_LEN - 50, why);
    check_tell(w, CK_REP_THREADS, RESULT_ERROR, -1, text);
}

static void server_backlog(struct watcher *w, const struct repl_status *s)
{
    char text[2 * WHY_LEN];
    bool ok = s->configured && s->lag_s >= 0 && s->lag_s * 1000 <= w->c->conf->max_backlog_ms;

    if (!s->configured)
        snprintf(text, sizeof text, "ERROR: no replication is configured");
    else if (s->lag_s < 0)
        snprintf(text, sizeof text, "ERROR: the lag is unknown (NULL)");
    else
        snprintf(text, sizeof text, "%s: backlog %" PRId64 " s", ok ? "OK" : "ERROR", s->lag_s);
    check_tell(w, CK_REP_BACKLOG, ok ? RESULT_OK : RESULT_ERROR,
               s->lag_s < 0 ? -1 : s->lag_s * 1000, text);
}

static void server_on_status(struct db *db, const struct db_result *r)
{
    struct watcher *w = db_owner(db);
    const struct dialect *d = dialect_of(db_is_mariadb(db), dialect_version(db_server_info(db)));
    struct server_facts f;
    struct err e = {0};
    char text[2 * WHY_LEN];

    memset(&f, 0, sizeof f);
    if (w->c->stopping)
        return;
    if (r->error == DB_OK && dialect_read_repl(d, r, &f.repl, &e) == 0) {
        server_threads(w, &f.repl);
        server_backlog(w, &f.repl);
    } else if (r->error == DB_OK) {
        server_rep_unknown(w, e.msg);
    } else if (r->number == ERROR_NO_PRIVILEGE) {
        snprintf(text, sizeof text, "ERROR: %.*s", WHY_LEN - 10, r->text);
        check_tell(w, CK_REP_THREADS, RESULT_ERROR, -1, text);
        check_tell(w, CK_REP_BACKLOG, RESULT_ERROR, -1, text);
    } else {
        server_rep_unknown(w, r->text);
        if (r->error != DB_SQL)
            server_tell(w, r);
    }
    server_facts_free(&f);
    server_next(w);
}

static void server_on_select(struct db *db, const struct db_result *r)
{
    struct watcher *w = db_owner(db);

    if (w->c->stopping)
        return;
    server_tell(w, r);
    server_next(w);
}

static void server_on_connect(struct db *db, const struct db_result *r)
{
    struct watcher *w = db_owner(db);

    if (w->c->stopping)
        return;
    if (r->error != DB_OK) {
        server_tell(w, r);
        server_rep_unknown(w, r->text);
    }
    server_next(w);
}

static void server_on_lost(struct db *db, const char *text)
{
    struct watcher *w = db_owner(db);

    (void)text; /* connecting anew says how it is */
    if (w->c->stopping)
        return;
    w->mysql_due_ms = 0;
    server_next(w);
}

static void server_ask(struct watcher *w, int64_t now)
{
    if (now >= w->mysql_due_ms) {
        w->mysql_due_ms = now + check_times(w, CONF_CHECK_MYSQL)->period_ms;
        db_query(w->db, "SELECT 1", check_times(w, CONF_CHECK_MYSQL)->timeout_ms, server_on_select);
    } else if (now >= w->rep_due_ms) {
        const struct dialect *d =
            dialect_of(db_is_mariadb(w->db), dialect_version(db_server_info(w->db)));
        int64_t threads = check_times(w, CONF_CHECK_REP_THREADS)->period_ms;
        int64_t backlog = check_times(w, CONF_CHECK_REP_BACKLOG)->period_ms;

        w->rep_due_ms = now + (threads < backlog ? threads : backlog);
        db_query(w->db, d->text[STMT_REPL_STATUS],
                 check_times(w, CONF_CHECK_REP_THREADS)->timeout_ms, server_on_status);
    }
}

static void server_on_due(uv_timer_t *t)
{
    server_next(t->data);
}

/* Asks what is due, or waits until something is. */
static void server_next(struct watcher *w)
{
    int64_t now = clock_boot_ms(), due;

    if (db_is_idle(w->db))
        server_ask(w, now);
    else if (db_is_closed(w->db) && now >= w->mysql_due_ms) {
        w->mysql_due_ms = now + check_times(w, CONF_CHECK_MYSQL)->period_ms;
        db_connect(w->db, check_times(w, CONF_CHECK_MYSQL)->timeout_ms, server_on_connect);
    }
    due = w->mysql_due_ms < w->rep_due_ms || db_is_closed(w->db) ? w->mysql_due_ms : w->rep_due_ms;
    timer_at(&w->mysql, due > now ? due : now + CONNECT_LEAST_MS, server_on_due);
}

static void server_open(struct watcher *w)
{
    static const enum db_tls tls[] = {
        [CONF_TLS_DISABLED] = DB_TLS_DISABLED, [CONF_TLS_PREFERRED] = DB_TLS_PREFERRED,
        [CONF_TLS_REQUIRED] = DB_TLS_REQUIRED, [CONF_TLS_VERIFY] = DB_TLS_VERIFY,
        [CONF_TLS_AUTO] = DB_TLS_PREFERRED,
    };
    const struct conf_host *h = &w->c->conf->hosts[w->host];
    const struct db_params params = {
        .host = h->address.text,
        .port = h->mysql.port,
        .user = h->mysql.monitor.user,
        .password = h->mysql.monitor.password,
        .tls = tls[h->mysql.tls.mode],
        .tls_ca = h->mysql.tls.ca[0] ? h->mysql.tls.ca : NULL,
        .tls_cert = h->mysql.tls.cert[0] ? h->mysql.tls.cert : NULL,
        .tls_key = h->mysql.tls.key[0] ? h->mysql.tls.key : NULL,
    };

    w->db = db_new(w->c->loop, &params, server_on_lost, w);
    closer_add(&w->c->closer);
}

static void watcher_timer(struct watcher *w, uv_timer_t *t)
{
    CHECK(uv_timer_init(w->c->loop, t) == 0);
    t->data = w;
    closer_add(&w->c->closer);
}

int checks_start(struct cluster *c, struct err *e)
{
    if (icmp_start(&c->icmp, c->loop, ping_on_reply, c, e) < 0)
        return err_wrap(e, "the ping check (it needs CAP_NET_RAW)");
    c->icmp_on = true;
    closer_add(&c->closer);
    network_start(c);
    for (unsigned h = 0; h < c->engine_conf.names.hosts; h++) {
        struct watcher *w = &c->watcher[h];

        w->c = c;
        w->host = (int)h;
        w->ping_first_ms = clock_boot_ms();
        cluster_address(&c->conf->hosts[h].address, 0, &w->address);
        watcher_timer(w, &w->ping);
        watcher_timer(w, &w->mysql);
        timer_every(&w->ping, check_times(w, CONF_CHECK_PING)->period_ms, ping_on_period);
        server_open(w);
        server_next(w);
    }
    return 0;
}

static void server_on_closed(void *owner)
{
    closer_sub(&((struct watcher *)owner)->c->closer);
}

static void checks_on_icmp(struct icmp *i)
{
    closer_sub(&((struct cluster *)i->owner)->closer);
}

void checks_stop(struct cluster *c)
{
    if (!c->icmp_on)
        return;
    icmp_stop(&c->icmp, checks_on_icmp);
    if (c->network_ips) {
        uv_timer_stop(&c->network_timer);
        closer_handle(&c->closer, (uv_handle_t *)&c->network_timer);
    }
    for (unsigned h = 0; h < c->engine_conf.names.hosts; h++) {
        struct watcher *w = &c->watcher[h];

        uv_timer_stop(&w->ping);
        uv_timer_stop(&w->mysql);
        closer_handle(&c->closer, (uv_handle_t *)&w->ping);
        closer_handle(&c->closer, (uv_handle_t *)&w->mysql);
        db_close(w->db, server_on_closed);
    }
}
