/* SPDX-License-Identifier: GPL-2.0-or-later
 * Who gets in, and may do what. */
#include "preflight/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    CLOCK_OFF_MS = 1000,
    MARIADB_LEAST = 100500,
    MYSQL_LEAST = 80023,
};

/* ---- getting in ---- */

/* "ed25519" from SHOW CREATE USER. */
static void login_plugin(const struct login *l, char *to, size_t size)
{
    const char *said = answer_at(&l->answer[Q_LOGIN], 0, 0);
    const char *with = said ? strstr(said, "IDENTIFIED WITH ") : NULL;
    const char *via = said ? strstr(said, "IDENTIFIED VIA ") : NULL;
    const char *at = with ? with + strlen("IDENTIFIED WITH ") : via ? via + 15 : NULL;
    size_t n;

    if (!at) {
        snprintf(to, size, "%s",
                 said && strstr(said, "BY PASSWORD") ? "mysql_native_password" : "its password");
        return;
    }
    at += *at == '\'' || *at == '`';
    n = strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789_");
    snprintf(to, size, "%.*s", (int)n, at);
}

static void login_fix(const struct login *l, const struct looked *h, struct sheet *out)
{
    switch (l->error) {
    case DB_REFUSED:
        sheet_fix(out, "on %s: start mysqld; in my.cnf: bind_address = *", h->conf->name);
        break;
    case DB_UNREACHABLE:
    case DB_TIMEOUT:
        sheet_fix(out, "on %s: is it up, and does a firewall let port %u through?", h->conf->name,
                  h->conf->mysql.port);
        break;
    case DB_TLS:
        sheet_fix(out, "in cluster.yaml: mysql.tls: { mode: required }, or ca: FILE");
        break;
    case DB_DENIED:
        if (strstr(l->text, "libmariadb3"))
            sheet_fix(out, "on this machine: apt-get install libmariadb3");
        else if (strstr(l->text, "RSA") || strstr(l->text, "secure"))
            sheet_fix(out, "in cluster.yaml: mysql.tls: { mode: required }");
        else if (strstr(l->text, "ACCOUNT UNLOCK"))
            sheet_fix(out, "ALTER USER '%s'@'%%' ACCOUNT UNLOCK;", l->user);
        else
            sheet_fix(out,
                      "CREATE USER IF NOT EXISTS '%s'@'%%' IDENTIFIED BY 'PASSWORD'; "
                      "ALTER USER '%s'@'%%' IDENTIFIED BY 'PASSWORD';",
                      l->user, l->user);
        break;
    case DB_TOO_MANY:
        sheet_fix(out, "SET GLOBAL max_connections = 500;");
        break;
    default:
        break;
    }
}

static void login_failed(const struct check *c, const struct login *l, const struct looked *h,
                         struct sheet *out)
{
    if (l->error != DB_DENIED || l->needed) {
        sheet_add(out, h->conf->name, c->name, VERDICT_FAIL, "%s", l->text);
        login_fix(l, h, out);
        return;
    }
    sheet_add(out, h->conf->name, c->name, VERDICT_WARN,
              "not from this machine, where hamm does not need it (%s)", l->text);
    sheet_fix(out, "on %s: hamm preflight -c FILE",
              c->account == ACCOUNT_MONITOR       ? "the monitor"
              : c->account == ACCOUNT_REPLICATION ? "a database host"
                                                  : h->conf->name);
}

void judge_login(const struct check *c, const struct survey *s, const struct looked *h,
                 struct sheet *out)
{
    const struct login *l = &h->login[c->account];
    char plugin[64];

    (void)s;
    if (!l->tried)
        return;
    if (!l->in) {
        login_failed(c, l, h, out);
        return;
    }
    if (l->error != DB_OK) {
        sheet_add(out, h->conf->name, c->name, VERDICT_FAIL, "logs in, but then: %s", l->text);
        return;
    }
    login_plugin(l, plugin, sizeof plugin);
    sheet_add(out, h->conf->name, c->name, VERDICT_OK, "%s by %s, %s", l->user, plugin,
              l->tls               ? "TLS"
              : l->where[0] == '/' ? "unix socket"
                                   : "no TLS");
}

/* ---- privileges ---- */

static void privilege_fix(const struct login *l, const char *privilege, struct sheet *out)
{
    const char *who = answer_named(&l->answer[Q_WHO], 0, "who");
    const char *at = who ? strrchr(who, '@') : NULL;

    sheet_fix(out, "GRANT %s ON *.* TO '%.*s'@'%s';", privilege, at ? (int)(at - who) : 64,
              at ? who : l->user, at ? at + 1 : "%");
}

void judge_try(const struct check *c, const struct survey *s, const struct looked *h,
               struct sheet *out)
{
    const struct login *l = &h->login[c->account];
    const struct answer *a = &l->answer[c->asks];

    (void)s;
    if (!a->asked)
        return;
    if (a->error == DB_DENIED) {
        sheet_add(out, h->conf->name, c->name, VERDICT_FAIL, "%s lacks %s", l->user, c->privilege);
        privilege_fix(l, c->privilege, out);
    } else if (a->error == DB_OK || a->error == DB_SQL) { /* it looked at the privilege first */
        sheet_add(out, h->conf->name, c->name, VERDICT_OK, "%s", c->privilege);
    } else {
        sheet_add(out, h->conf->name, c->name, VERDICT_WARN, "%s: could not be tried: %s",
                  c->privilege, a->text);
    }
}

/* Is `privilege` an item of the list "GRANT a, b,c ON *.* TO ..."? */
static bool grant_names(const char *row, const char *privilege)
{
    const char *end = strstr(row, " ON *.* TO ");
    size_t len = strlen(privilege);

    if (!end || strncmp(row, "GRANT ", 6) != 0)
        return false;
    for (const char *at = row + 6; at < end;) {
        size_t item = strcspn(at, ",");

        if (at + item > end)
            item = (size_t)(end - at);
        if (item == len && strncmp(at, privilege, len) == 0)
            return true;
        at += item;
        at += strspn(at, ", ");
    }
    return false;
}

void judge_grant(const struct check *c, const struct survey *s, const struct looked *h,
                 struct sheet *out)
{
    const struct login *l = &h->login[c->account];
    const struct answer *a = &l->answer[c->asks];

    (void)s;
    if (!answer_is(a))
        return;
    for (unsigned row = 0; row < a->rows; row++) {
        const char *text = answer_at(a, row, 0);

        if (text && (grant_names(text, c->privilege) || grant_names(text, "ALL PRIVILEGES"))) {
            sheet_add(out, h->conf->name, c->name, VERDICT_OK, "%s", c->privilege);
            return;
        }
    }
    sheet_add(out, h->conf->name, c->name, VERDICT_FAIL, "%s lacks %s", l->user, c->privilege);
    privilege_fix(l, c->privilege, out);
}

/* ---- what it is ---- */

void judge_version(const struct check *c, const struct survey *s, const struct looked *h,
                   struct sheet *out)
{
    unsigned least = h->mariadb ? MARIADB_LEAST : MYSQL_LEAST;

    for (size_t i = 0; i < s->conf->n_hosts; i++)
        if (s->host[i].answers && s->host[i].mariadb != h->mariadb) {
            sheet_add(out, h->conf->name, c->name, VERDICT_FAIL,
                      "%s, and %s is %s: they can't follow each other", h->server,
                      s->host[i].conf->name, s->host[i].server);
            sheet_fix(out, "one kind of server for a cluster; hamm looks after both, in two");
            return;
        }
    if (h->version < least) {
        sheet_add(out, h->conf->name, c->name, VERDICT_FAIL, "%s is too old", h->server);
        sheet_fix(out, "upgrade to %s or later", h->mariadb ? "MariaDB 10.5" : "MySQL 8.0.23");
        return;
    }
    sheet_add(out, h->conf->name, c->name, VERDICT_OK, "%s", h->server);
}

void judge_clock(const struct check *c, const struct survey *s, const struct looked *h,
                 struct sheet *out)
{
    (void)s;
    for (int i = 0; i < ACCOUNT_N; i++) {
        const struct login *l = &h->login[i];

        if (!answer_is(&l->answer[Q_WHO]))
            continue;
        if (llabs(l->clock_off_ms) > CLOCK_OFF_MS + l->clock_doubt_ms) {
            sheet_add(out, h->conf->name, c->name, VERDICT_WARN,
                      "%.1f s %s this machine's: logs can't be compared",
                      (double)llabs(l->clock_off_ms) / 1000,
                      l->clock_off_ms > 0 ? "ahead of" : "behind");
            sheet_fix(out, "on %s: timedatectl set-ntp true", h->conf->name);
        } else {
            sheet_add(out, h->conf->name, c->name, VERDICT_OK, "within 1 s of this machine's");
        }
        return;
    }
}
