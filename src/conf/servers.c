/* SPDX-License-Identifier: GPL-2.0-or-later
 * mysql: and hosts:. A host starts with the general mysql settings and lays its own on top, down to
 * single keys of a user. */
#include "conf/parts.h"

#include <string.h>

/* Stands for a password that was given and not read, or could not be; NULL means not given. */
static const char servers_unread[] = "";

static void servers_monitor_login(struct reader *r, const struct tree *t, void *to);
static void servers_agent_login(struct reader *r, const struct tree *t, void *to);
static void servers_replication(struct reader *r, const struct tree *t, void *to);

static const struct setting_word servers_tls_words[] = {
    {"disabled", CONF_TLS_DISABLED},
    {"preferred", CONF_TLS_PREFERRED},
    {"required", CONF_TLS_REQUIRED},
    {"verify", CONF_TLS_VERIFY},
    {0},
};
static const struct setting_word servers_replication_tls_words[] = {
    {"auto", CONF_TLS_AUTO},           {"disabled", CONF_TLS_DISABLED},
    {"off", CONF_TLS_DISABLED},        {"false", CONF_TLS_DISABLED},
    {"preferred", CONF_TLS_PREFERRED}, {"required", CONF_TLS_REQUIRED},
    {"on", CONF_TLS_REQUIRED},         {"true", CONF_TLS_REQUIRED},
    {"verify", CONF_TLS_VERIFY},       {0},
};
static const struct setting_word servers_gtid_words[] = {
    {"auto", CONF_GTID_AUTO}, {"on", CONF_GTID_ON},     {"true", CONF_GTID_ON},
    {"off", CONF_GTID_OFF},   {"false", CONF_GTID_OFF}, {0},
};
static const struct setting_word servers_mode_words[] = {
    {"master", CONF_HOST_MASTER},
    {"replica", CONF_HOST_REPLICA},
    {"slave", CONF_HOST_REPLICA},
    {0},
};

#define AT(field) offsetof(struct conf_user, field)
static const struct setting servers_login[] = {
    {"user", SETTING_TEXT, AT(user), .min = 1, .max = 80},
    {"password", .kind = SETTING_LATER},
    {"password_file", .kind = SETTING_LATER},
    {"password_env", .kind = SETTING_LATER},
    {0},
};
#undef AT

#define AT(field) offsetof(struct conf_replication, field)
static const struct setting servers_replication_login[] = {
    {"user", SETTING_TEXT, AT(login.user), .min = 1, .max = 80},
    {"password", .kind = SETTING_LATER},
    {"password_file", .kind = SETTING_LATER},
    {"password_env", .kind = SETTING_LATER},
    {"channel", SETTING_TEXT, AT(channel), .max = 64},
    {"tls", SETTING_WORD, AT(tls), .preset = "auto", .words = servers_replication_tls_words},
    {"gtid", SETTING_WORD, AT(gtid), .preset = "auto", .words = servers_gtid_words},
    {0},
};
#undef AT

#define AT(field) offsetof(struct conf_tls, field)
static const struct setting servers_tls[] = {
    {"mode", SETTING_WORD, AT(mode), .preset = "preferred", .words = servers_tls_words},
    {"ca", SETTING_PATH, AT(ca), .max = 4000},
    {"cert", SETTING_PATH, AT(cert), .max = 4000},
    {"key", SETTING_PATH, AT(key), .max = 4000},
    {0},
};
#undef AT

#define AT(field) offsetof(struct conf_mysql, field)
const struct setting servers_mysql[] = {
    {"port", SETTING_PORT, AT(port), .preset = "3306"},
    {"socket", SETTING_PATH, AT(socket), .max = 107},
    {"monitor", SETTING_CALL, AT(monitor), .call = servers_monitor_login},
    {"agent", SETTING_CALL, AT(agent), .call = servers_agent_login},
    {"replication", SETTING_CALL, AT(replication), .call = servers_replication},
    {"tls", SETTING_MAP, AT(tls), .sub = servers_tls},
    {0},
};
#undef AT

#define AT(field) offsetof(struct conf_host, field)
static const struct setting servers_host[] = {
    {"address", SETTING_ADDR, AT(address), .must = "address: 10.77.0.11"},
    {"mode", SETTING_WORD, AT(mode), .words = servers_mode_words,
     .must = "mode: master or mode: replica"},
    {"peer", .kind = SETTING_LATER},
    {"agent_port", SETTING_PORT, AT(agent_port), .preset = "9989"},
    {"interface", SETTING_INTERFACE, AT(interface), .preset = "auto"},
    {"replication_address", SETTING_ADDR, .at = AT(replication_address)},
    {"mysql", SETTING_MAP, AT(mysql), .sub = servers_mysql},
    {0},
};
#undef AT

/* ---- logins ---- */

static const char *servers_secret(struct reader *r, const struct tree *t, unsigned secret)
{
    const char *found = servers_unread;

    if (!settings_is_text(r, t))
        return found;
    if (!*t->text) {
        settings_bad(r, t, "is empty; fill it in");
    } else if (!strcmp(t->key, "password")) {
        if (!r->in_file || t->line < r->in_file->line)
            r->in_file = t;
        found = t->text;
    } else if (r->secrets & secret) {
        found = t->key[strlen("password_")] == 'f' ? secret_from_file(r, t) : secret_from_env(r, t);
    }
    return found && r->secrets & secret ? found : servers_unread;
}

static void servers_account(struct reader *r, const struct setting *table, const struct tree *map,
                            struct conf_user *to, unsigned secret)
{
    const struct tree *given = NULL;

    settings_fill(r, table, map, to);
    if (map->kind != TREE_MAP)
        return;
    for (const struct tree *t = map->first; t; t = t->next) {
        if (strncmp(t->key, "password", 8) ||
            (t->key[8] && strcmp(t->key + 8, "_file") && strcmp(t->key + 8, "_env")))
            continue;
        if (given) {
            settings_bad_key(r, t,
                             "%s is given already; keep one of password, password_file and "
                             "password_env",
                             given->key);
        } else {
            to->password = servers_secret(r, t, secret);
            given = t;
        }
    }
}

static void servers_monitor_login(struct reader *r, const struct tree *t, void *to)
{
    servers_account(r, servers_login, t, to, CONF_SECRET_MONITOR);
}

static void servers_agent_login(struct reader *r, const struct tree *t, void *to)
{
    servers_account(r, servers_login, t, to, CONF_SECRET_AGENT);
}

static void servers_replication(struct reader *r, const struct tree *t, void *to)
{
    struct conf_replication *into = to;
    const struct tree *channel = tree_get(t, "channel");

    CHECK(&into->login == to);
    servers_account(r, servers_replication_login, t, &into->login, CONF_SECRET_REPLICATION);
    if (channel && strspn(into->channel, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                         "0123456789_-.") != strlen(into->channel))
        settings_bad(r, channel, "%s is not possible; use letters, digits, -, _ and .",
                     QUOTED(into->channel));
}

/* ---- after everything is laid on top of each other ---- */

static const struct conf_user *servers_user_of(const struct conf_mysql *m, size_t which)
{
    return which == 0 ? &m->monitor : which == 1 ? &m->agent : &m->replication.login;
}

/* One complaint per login, for the first host without it, where it is to be mended. */
static void servers_logins_complete(struct reader *r, const struct tree *root,
                                    const struct tree *hosts)
{
    static const char *const names[] = {"monitor", "agent", "replication"};
    const struct tree *general = tree_get(root, "mysql");

    for (size_t which = 0; which < ARRAY_LEN(names); which++) {
        const struct tree *t = hosts->first, *general_own = tree_get(general, names[which]);

        for (size_t i = 0; i < r->conf->n_hosts; i++, t = t->next) {
            const struct conf_user *u = servers_user_of(&r->conf->hosts[i].mysql, which);
            const struct tree *own = tree_get(tree_get(t, "mysql"), names[which]);
            const struct tree *at = own ? own : general_own;

            if ((u->user && *u->user && u->password) || (at && at->kind != TREE_MAP))
                continue;
            if (u->password && (tree_get(own, "user") || tree_get(general_own, "user")))
                continue; /* given, and found wrong already */
            if (at)
                settings_bad_key(r, at, "%s is missing; add %s",
                                 u->user && *u->user ? "the password" : "user",
                                 u->user && *u->user ? "password_file" : "user: NAME");
            else
                settings_bad_key(r, general ? general : root,
                                 "%s%s is missing; add %s: { user: NAME, password_file: FILE }",
                                 general ? "" : "mysql.", names[which], names[which]);
            break;
        }
    }
}

static void servers_tls_complete(struct reader *r, const struct tree *t, const struct conf_tls *tls)
{
    const struct tree *key = tree_get(t, "key");

    if (!t)
        return;
    if (*tls->cert && !*tls->key)
        settings_bad_key(r, t, "cert has no key; add key: FILE");
    if (*tls->key && !*tls->cert)
        settings_bad_key(r, t, "key has no cert; add cert: FILE");
    if (key && r->secrets && *tls->key)
        secret_is_private(r, key, tls->key);
}

static void servers_peer(struct reader *r, const struct tree *t, struct conf_host *h)
{
    if (!settings_is_text(r, t))
        return;
    h->peer = conf_host_find(r->conf, t->text);
    if (h->peer == CONF_NONE)
        settings_bad(r, t, "there is no host %s under hosts; add it or correct the name",
                     QUOTED(t->text));
}

static void servers_host_read(struct reader *r, const struct tree *t, const struct conf_mysql *m,
                              struct conf_host *h)
{
    if (settings_is_name(r, t, t->key) && !strcmp(t->key, "all"))
        settings_bad_key(r, t, "\"all\" means every host in commands; choose another name");
    h->mysql = *m;
    h->name = t->key;
    settings_fill(r, servers_host, t, h);
    if (!h->replication_address.family)
        h->replication_address = h->address;
    servers_tls_complete(r, tree_get(tree_get(t, "mysql"), "tls"), &h->mysql.tls);
    if (h->mysql.replication.tls == CONF_TLS_AUTO)
        h->mysql.replication.tls = h->mysql.tls.mode;
}

static const char *servers_seen(const char *password)
{
    return password == servers_unread ? NULL : password;
}

void servers_read(struct reader *r, const struct tree *root)
{
    struct conf *c = r->conf;
    const struct tree *mysql = tree_get(root, "mysql"), *hosts = tree_get(root, "hosts"), *t;
    struct conf_host defaults = {.mode = SERVERS_MODE_UNREAD, .peer = CONF_NONE};
    size_t i = 0;

    settings_preset(r, servers_host, &defaults);
    settings_preset(r, servers_replication_login, &defaults.mysql.replication);
    if (mysql)
        settings_fill(r, servers_mysql, mysql, &defaults.mysql);
    servers_tls_complete(r, tree_get(mysql, "tls"), &defaults.mysql.tls);
    if (!hosts || !settings_is_map(r, hosts))
        return;
    if (!hosts->n || hosts->n > CONF_HOSTS_MAX) {
        settings_bad_key(r, hosts, "%zu hosts; there must be 1 to %d", hosts->n, CONF_HOSTS_MAX);
        return;
    }
    c->hosts = pool_get(r->pool, hosts->n * sizeof *c->hosts);
    c->n_hosts = hosts->n;
    for (t = hosts->first; t; t = t->next) {
        c->hosts[i] = defaults;
        servers_host_read(r, t, &defaults.mysql, &c->hosts[i++]);
    }
    for (i = 0, t = hosts->first; t; t = t->next, i++)
        if (tree_get(t, "peer"))
            servers_peer(r, tree_get(t, "peer"), &c->hosts[i]);
    servers_logins_complete(r, root, hosts);
    for (i = 0; i < c->n_hosts; i++) {
        struct conf_mysql *m = &c->hosts[i].mysql;

        m->monitor.password = servers_seen(m->monitor.password);
        m->agent.password = servers_seen(m->agent.password);
        m->replication.login.password = servers_seen(m->replication.login.password);
    }
}
