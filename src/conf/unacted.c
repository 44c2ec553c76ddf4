/* SPDX-License-Identifier: GPL-2.0-or-later
 * Settings that are understood and checked but not acted on by this version: one row each, to be
 * deleted on the day the thing works. Whoever writes such a setting is told at every start. */
#include "conf/parts.h"

#include <string.h>

#define IN_A_ROLE   "holds for the whole cluster and not in a role; write it under failover"
#define OF_WRITER   "holds for the active master role only and has no effect in this one"
#define ONE_CHANNEL "is read, but this version handles the channel without a name only"

static const struct unacted {
    const char *where; /* a path of keys; * is any one, ! any but the active master role */
    const char *value; /* only if it says this; NULL: whenever it says something */
    const char *why;
} unacted_all[] = {
    {"http.listen", NULL, "is read, but this version serves no HTTP yet"},
    {"roles.*.vip.command", NULL,
     "is read, but this version runs no program yet; it sets the addresses itself"},
    {"mysql.replication.channel", NULL, ONE_CHANNEL},
    {"hosts.*.mysql.replication.channel", NULL, ONE_CHANNEL},
    /* not a matter of the version: roles.c leaves these as the cluster has them */
    {"roles.*.failover.mode", NULL, IN_A_ROLE},
    {"roles.*.failover.lease", NULL, IN_A_ROLE},
    {"roles.*.failover.gate", NULL, IN_A_ROLE},
    {"roles.*.failover.on_monitor_loss", NULL, IN_A_ROLE},
    {"roles.*.failover.auto_set_online", NULL, IN_A_ROLE},
    {"roles.*.failover.flap_count", NULL, IN_A_ROLE},
    {"roles.*.failover.flap_duration", NULL, IN_A_ROLE},
    {"roles.*.failover.wait_for_other_master", NULL, IN_A_ROLE},
    {"roles.*.failover.careful_startup", NULL, IN_A_ROLE},
    {"roles.*.failover.ping_ips", NULL, IN_A_ROLE},
    {"roles.*.failover.kill_host", NULL, IN_A_ROLE},
    {"roles.!.failover.on_crash", NULL, OF_WRITER},
    {"roles.!.failover.catch_up_timeout", NULL, OF_WRITER},
    {"roles.!.failover.salvage_timeout", NULL, OF_WRITER},
    {"roles.!.failover.data_loss", NULL, OF_WRITER},
    {"roles.!.failover.switchover_budget", NULL, OF_WRITER},
    {"roles.!.failover.kill_hung_mysqld", NULL, OF_WRITER},
};

static bool unacted_says(const struct tree *t, const char *value)
{
    if (value)
        return t->kind == TREE_TEXT && !strcmp(t->text, value);
    return t->kind == TREE_TEXT ? *t->text != 0 : t->n != 0;
}

static bool unacted_matches(const struct reader *r, const char *where, size_t len, const char *key)
{
    unsigned writer = r->conf->active_master_role;

    if (*where == '!')
        return writer < r->conf->n_roles && strcmp(key, r->conf->roles[writer].name) != 0;
    return *where == '*' || (strlen(key) == len && !memcmp(where, key, len));
}

static void unacted_walk(struct reader *r, const struct unacted *u, const char *where,
                         const struct tree *t)
{
    size_t len = strcspn(where, ".");

    if (!*where) {
        if (unacted_says(t, u->value))
            errors_add(&r->conf->warnings, r->file, t->key_line, t->key_column, "%s: %s",
                       tree_path(t).text, u->why);
        return;
    }
    if (t->kind != TREE_MAP)
        return;
    for (const struct tree *one = t->first; one; one = one->next)
        if (unacted_matches(r, where, len, one->key))
            unacted_walk(r, u, where + len + (where[len] == '.'), one);
}

void unacted_find(struct reader *r, const struct tree *root)
{
    for (size_t i = 0; i < ARRAY_LEN(unacted_all); i++)
        unacted_walk(r, &unacted_all[i], unacted_all[i].where, root);
}
