/* SPDX-License-Identifier: GPL-2.0-or-later
 * failover: and roles:. A role starts with the cluster's failover settings and lays its own on top.
 */
#include "conf/parts.h"

#include <string.h>

static void roles_on_crash(struct reader *r, const struct tree *t, void *to);
static void roles_ping_ips(struct reader *r, const struct tree *t, void *to);
static void roles_hosts(struct reader *r, const struct tree *t, void *to);
static void roles_ips(struct reader *r, const struct tree *t, void *to);
static void roles_command(struct reader *r, const struct tree *t, void *to);

static const struct setting_word roles_mode_words[] = {
    {"active", CONF_MODE_ACTIVE},
    {"manual", CONF_MODE_MANUAL},
    {"passive", CONF_MODE_PASSIVE},
    {"wait", CONF_MODE_WAIT},
    {0},
};
static const struct setting_word roles_gate_words[] = {
    {"auto", CONF_GATE_AUTO},
    {"nft", CONF_GATE_NFT},
    {"lifetime", CONF_GATE_LIFETIME},
    {0},
};
static const struct setting_word roles_loss_words[] = {
    {"promise", CONF_LOSS_PROMISE},
    {"keep", CONF_LOSS_KEEP},
    {"fence", CONF_LOSS_FENCE},
    {0},
};
static const struct setting_word roles_data_loss_words[] = {
    {"never", CONF_DATA_NEVER},
    {"salvage", CONF_DATA_SALVAGE},
    {"allow", CONF_DATA_ALLOW},
    {0},
};
static const struct setting_word roles_kind_words[] = {
    {"exclusive", CONF_ROLE_EXCLUSIVE},
    {"balanced", CONF_ROLE_BALANCED},
    {0},
};
static const struct setting_word roles_last_resort_words[] = {
    {"writer", CONF_LAST_WRITER},
    {"keep", CONF_LAST_KEEP},
    {"none", CONF_LAST_NONE},
    {0},
};

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE, WEEK = 7 * 24 * HOUR };

#define AT(field) offsetof(struct conf_failover, field)
const struct setting roles_failover[] = {
    {"mode", SETTING_WORD, AT(mode), .preset = "active", .words = roles_mode_words},
    {"lease", SETTING_MS, AT(lease_ms), .preset = "2s", .min = 500, .max = 10 * MINUTE},
    {"gate", SETTING_WORD, AT(gate), .preset = "auto", .words = roles_gate_words},
    {"on_crash", SETTING_CALL, AT(on_crash_ms), "failover", .call = roles_on_crash},
    {"on_monitor_loss", SETTING_WORD, AT(on_monitor_loss), .preset = "promise",
     .words = roles_loss_words},
    {"auto_set_online", SETTING_MS, AT(auto_set_online_ms), .preset = "0s", .min = 0, .max = WEEK},
    {"flap_count", SETTING_COUNT, AT(flap_count), .preset = "3", .min = 0, .max = 1000},
    {"flap_duration", SETTING_MS, AT(flap_duration_ms), .preset = "1h", .min = SECOND, .max = WEEK},
    {"wait_for_other_master", SETTING_MS, AT(wait_for_other_master_ms), .preset = "120s", .min = 0,
     .max = WEEK},
    {"careful_startup", SETTING_BOOL, AT(careful_startup), .preset = "true"},
    {"catch_up_timeout", SETTING_MS, AT(catch_up_timeout_ms), .preset = "30s", .min = 100,
     .max = 24 * HOUR},
    {"switchover_budget", SETTING_MS, AT(switchover_budget_ms), .preset = "5s", .min = 100,
     .max = HOUR},
    {"salvage_timeout", SETTING_MS, AT(salvage_timeout_ms), .preset = "30s", .min = 100,
     .max = 24 * HOUR},
    {"data_loss", SETTING_WORD, AT(data_loss), .preset = "salvage", .words = roles_data_loss_words},
    {"kill_hung_mysqld", SETTING_BOOL, AT(kill_hung_mysqld), .preset = "true"},
    {"ping_ips", SETTING_CALL, 0, .call = roles_ping_ips},
    {"kill_host", SETTING_PATH, AT(kill_host), .preset = "", .min = 0, .max = 4000},
    {0},
};
#undef AT

#define AT(field) offsetof(struct conf_role, field)
static const struct setting roles_vip[] = {
    {"command", SETTING_CALL, 0, .call = roles_command,
     .must = "command: [/usr/local/bin/move-address]"},
    {0},
};
static const struct setting roles_role[] = {
    {"mode", SETTING_WORD, AT(mode), .words = roles_kind_words,
     .must = "mode: exclusive or mode: balanced"},
    {"hosts", SETTING_CALL, 0, .call = roles_hosts, .must = "hosts: [db1, db2]"},
    {"ips", SETTING_CALL, 0, .call = roles_ips, .must = "ips: [10.77.0.100/24]"},
    {"prefer", .kind = SETTING_LATER},
    {"last_resort", SETTING_WORD, AT(last_resort), .preset = "writer",
     .words = roles_last_resort_words},
    {"vip", SETTING_MAP, 0, .sub = roles_vip},
    {"failover", SETTING_MAP, AT(failover), .sub = roles_failover},
    {0},
};
#undef AT

static void roles_on_crash(struct reader *r, const struct tree *t, void *to)
{
    if (t->kind == TREE_TEXT && !strcmp(t->text, "failover"))
        *(int64_t *)to = 0;
    else if (t->kind == TREE_TEXT && (*t->text < '0' || *t->text > '9'))
        settings_bad(r, t,
                     "%s is not possible here; write failover, or the time that mysqld is given to "
                     "come back, such as 20s",
                     QUOTED(t->text));
    else
        (void)settings_ms(r, t, 0, HOUR, to);
}

static void roles_ping_ips(struct reader *r, const struct tree *t, void *to)
{
    struct conf_failover *f = to;
    struct conf_addr *at;
    size_t n = 0;

    if (!settings_is_list(r, t, "[10.77.0.254]"))
        return;
    at = pool_get(r->pool, t->n * sizeof *at);
    for (const struct tree *one = t->first; one; one = one->next)
        n += settings_is_text(r, one) && settings_addr(r, one, one->text, &at[n]);
    f->ping_ips = at;
    f->n_ping_ips = n;
}

static void roles_command(struct reader *r, const struct tree *t, void *to)
{
    struct conf_role *role = to;
    const char **argv;
    size_t n = 0;

    if (!settings_is_list(r, t, "[/usr/local/bin/move-address, --zone, a]"))
        return;
    argv = pool_get(r->pool, (t->n + 1) * sizeof *argv);
    for (const struct tree *one = t->first; one; one = one->next)
        if (settings_is_text(r, one)) {
            argv[n] = n ? one->text : settings_path(r, one->text);
            n++;
        }
    if (!n || !*argv[0])
        settings_bad(r, t, "names no program; put its path first");
    role->vip_command = argv;
}

/* ---- members and addresses ---- */

static unsigned roles_host(struct reader *r, const struct tree *t)
{
    unsigned found;

    if (!settings_is_text(r, t))
        return CONF_NONE;
    found = conf_host_find(r->conf, t->text);
    if (found == CONF_NONE)
        settings_bad(r, t, "there is no host %s under hosts; add it or correct the name",
                     QUOTED(t->text));
    return found;
}

static void roles_hosts(struct reader *r, const struct tree *t, void *to)
{
    struct conf_role *role = to;
    unsigned *at;
    size_t n = 0;

    if (!settings_is_list(r, t, "[db1, db2]"))
        return;
    if (!t->n)
        settings_bad(r, t, "is empty; name the hosts that may have this role");
    at = pool_get(r->pool, t->n * sizeof *at);
    for (const struct tree *one = t->first; one; one = one->next) {
        unsigned host = roles_host(r, one);
        size_t i = 0;

        while (i < n && at[i] != host)
            i++;
        if (i < n && host != CONF_NONE)
            settings_bad(r, one, "%s is in the list already; take it out", one->text);
        else if (host != CONF_NONE)
            at[n++] = host;
    }
    role->hosts = at;
    role->n_hosts = n;
}

/* Whether the bits behind the prefix are all `bit`. */
static bool roles_host_part_is(const struct conf_ip *ip, bool bit)
{
    unsigned len = ip->addr.family == AF_INET ? 32 : 128;

    for (unsigned i = ip->prefix; i < len; i++)
        if ((ip->addr.at[i / 8] >> (7 - i % 8) & 1) != bit)
            return false;
    return true;
}

static bool roles_ip_text(struct reader *r, const struct tree *t, struct conf_ip *to)
{
    const char *slash;
    char addr[INET6_ADDRSTRLEN];
    int64_t prefix;
    bool six;

    if (!settings_is_text(r, t))
        return false;
    slash = strchr(t->text, '/');
    six = strchr(t->text, ':');
    if (!slash) {
        if (settings_addr(r, t, t->text, &to->addr))
            settings_bad(r, t,
                         "%s has no prefix length; write it with the one of its network, such as "
                         "%s/%d",
                         t->text, t->text, six ? 64 : 24);
        return false;
    }
    snprintf(addr, sizeof addr, "%.*s", (int)(slash - t->text), t->text);
    if (!settings_addr(r, t, (size_t)(slash - t->text) < sizeof addr ? addr : t->text, &to->addr))
        return false;
    if (!settings_number(slash + 1, six ? 128 : 32, &prefix) || !prefix) {
        settings_bad(r, t, "%s is not a prefix length; it must be from /1 to /%d", QUOTED(slash),
                     six ? 128 : 32);
        return false;
    }
    to->prefix = (unsigned)prefix;
    if (prefix < (six ? 127 : 31) &&
        (roles_host_part_is(to, false) || (!six && roles_host_part_is(to, true)))) {
        settings_bad(r, t, "%s is the %s address of that network and not one of its hosts",
                     QUOTED(t->text), roles_host_part_is(to, false) ? "first" : "broadcast");
        return false;
    }
    return true;
}

static void roles_ip_call(struct reader *r, const struct tree *t, void *to)
{
    struct conf_ip *ip = to;

    if (!roles_ip_text(r, t, ip))
        ip->addr.family = 0;
}

static const struct setting roles_ip[] = {
    {"ip", SETTING_CALL, 0, .call = roles_ip_call, .must = "ip: 10.77.0.100/24"},
    {"interface", SETTING_INTERFACE, offsetof(struct conf_ip, interface), .preset = "auto"},
    {0},
};

static void roles_ips(struct reader *r, const struct tree *t, void *to)
{
    struct conf_role *role = to;
    struct conf_ip *at;
    size_t n = 0;

    if (!settings_is_list(r, t, "[10.77.0.100/24]"))
        return;
    if (!t->n || t->n > CONF_IPS_MAX) {
        settings_bad(r, t, "%zu addresses; a role has 1 to %d", t->n, CONF_IPS_MAX);
        return;
    }
    at = pool_get(r->pool, t->n * sizeof *at);
    for (const struct tree *one = t->first; one; one = one->next) {
        if (one->kind == TREE_MAP)
            settings_fill(r, roles_ip, one, &at[n]);
        else
            roles_ip_call(r, one, &at[n]);
        n++; /* also if it was wrong: family 0 then, and the file is refused anyway */
    }
    role->ips = at;
    role->n_ips = n;
}

static void roles_prefer(struct reader *r, const struct tree *t, struct conf_role *role)
{
    unsigned host = roles_host(r, t);

    if (host == CONF_NONE)
        return;
    for (size_t i = 0; i < role->n_hosts; i++)
        if (role->hosts[i] == host)
            role->prefer = host;
    if (role->prefer == CONF_NONE)
        settings_bad(r, t, "%s is not among the hosts of this role; add it there or prefer another",
                     t->text);
}

/* These mean the cluster or its hosts, not a role: unacted.c says so where a role has them. */
static void roles_of_the_cluster(struct conf_failover *role, const struct conf_failover *cluster)
{
    role->mode = cluster->mode;
    role->gate = cluster->gate;
    role->auto_set_online_ms = cluster->auto_set_online_ms;
    role->flap_count = cluster->flap_count;
    role->flap_duration_ms = cluster->flap_duration_ms;
    role->wait_for_other_master_ms = cluster->wait_for_other_master_ms;
    role->careful_startup = cluster->careful_startup;
    role->ping_ips = cluster->ping_ips;
    role->n_ping_ips = cluster->n_ping_ips;
    role->kill_host = cluster->kill_host;
}

static void roles_one(struct reader *r, const struct tree *t, struct conf_role *role)
{
    const struct tree *prefer = tree_get(t, "prefer"), *last = tree_get(t, "last_resort");

    role->name = t->key;
    role->prefer = CONF_NONE;
    (void)settings_is_name(r, t, t->key);
    settings_preset(r, roles_role, role);
    role->mode = ROLES_MODE_UNREAD;
    role->failover = r->conf->failover;
    settings_fill(r, roles_role, t, role);
    roles_of_the_cluster(&role->failover, &r->conf->failover);
    if (prefer && role->mode == CONF_ROLE_BALANCED)
        settings_bad_key(r, prefer,
                         "a balanced role is spread over all of its hosts; take prefer out or make "
                         "the role exclusive");
    else if (prefer)
        roles_prefer(r, prefer, role);
    if (last && role->mode == CONF_ROLE_EXCLUSIVE)
        settings_bad_key(r, last, "only balanced roles have one; take it out");
}

static void roles_active(struct reader *r, const struct tree *root)
{
    const struct tree *t = tree_get(root, "active_master_role");
    struct conf *c = r->conf;

    if (!t || !settings_is_text(r, t))
        return; /* that it is missing is said by the table of the whole file */
    c->active_master_role = conf_role_find(c, t->text);
    if (c->active_master_role == CONF_NONE)
        settings_bad(r, t, "there is no role %s under roles; add it or correct the name",
                     QUOTED(t->text));
}

void roles_read(struct reader *r, const struct tree *root)
{
    const struct tree *roles = tree_get(root, "roles");
    struct conf *c = r->conf;
    size_t i = 0;

    c->active_master_role = CONF_NONE;
    if (!roles || !settings_is_map(r, roles))
        return;
    if (!roles->n || roles->n > CONF_ROLES_MAX) {
        settings_bad_key(r, roles, "%zu roles; there must be 1 to %d", roles->n, CONF_ROLES_MAX);
        return;
    }
    c->roles = pool_get(r->pool, roles->n * sizeof *c->roles);
    c->n_roles = roles->n;
    for (const struct tree *t = roles->first; t; t = t->next)
        roles_one(r, t, &c->roles[i++]);
    roles_active(r, root);
}
