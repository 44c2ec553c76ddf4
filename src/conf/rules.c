/* SPDX-License-Identifier: GPL-2.0-or-later
 * What must hold between settings. Every complaint stands at the value that breaks the rule and
 * keeps quiet about values that could not be read in the first place. */
#include "conf/parts.h"

#include <stdlib.h>
#include <string.h>

/* ---- peers ---- */

static const char *rules_other_master(const struct conf *c, unsigned than)
{
    for (unsigned i = 0; i < c->n_hosts; i++)
        if (i != than && c->hosts[i].mode == CONF_HOST_MASTER)
            return c->hosts[i].name;
    return "NAME";
}

static void rules_peer(struct reader *r, const struct tree *t, unsigned i, unsigned n_masters)
{
    const struct conf_host *h = &r->conf->hosts[i], *peer;
    const struct tree *given = tree_get(t, "peer");

    if (h->mode == CONF_HOST_REPLICA && given)
        settings_bad_key(r, given, "only masters have a peer; take it out or make %s a master",
                         h->name);
    if (h->mode != CONF_HOST_MASTER)
        return;
    if (!given && n_masters > 1)
        settings_bad_key(r, t, "peer is missing; a master names the other one, such as peer: %s",
                         rules_other_master(r->conf, i));
    if (h->peer == CONF_NONE)
        return;
    peer = &r->conf->hosts[h->peer];
    if (h->peer == i)
        settings_bad(r, given, "%s cannot be its own peer; name the other master", h->name);
    else if (peer->mode == CONF_HOST_REPLICA)
        settings_bad(r, given, "%s is a replica; the peer is the other master", peer->name);
    else if (peer->peer != i && peer->peer != CONF_NONE && peer->peer != h->peer &&
             r->conf->hosts[peer->peer].mode != CONF_HOST_REPLICA) /* else it's told itself */
        settings_bad(r, given, "%s names %s as its peer; two masters must name each other",
                     peer->name, r->conf->hosts[peer->peer].name);
}

static void rules_peers(struct reader *r, const struct tree *hosts)
{
    const struct conf *c = r->conf;
    unsigned n_masters = 0, i = 0;

    for (size_t h = 0; h < c->n_hosts; h++)
        n_masters += c->hosts[h].mode == CONF_HOST_MASTER;
    for (const struct tree *t = hosts->first; t && i < c->n_hosts; t = t->next)
        rules_peer(r, t, i++, n_masters);
}

/* ---- the active master role ---- */

static void rules_active(struct reader *r, const struct tree *root)
{
    const struct conf *c = r->conf;
    const struct conf_role *role;
    const struct tree *hosts;

    if (c->active_master_role == CONF_NONE)
        return;
    role = &c->roles[c->active_master_role];
    if (role->mode == CONF_ROLE_BALANCED)
        settings_bad(r, tree_get(root, "active_master_role"),
                     "%s is a balanced role; only one host may be written to, so give %s mode: "
                     "exclusive or name another role",
                     role->name, role->name);
    hosts = tree_get(tree_get(tree_get(root, "roles"), role->name), "hosts");
    for (const struct tree *t = hosts ? hosts->first : NULL; t; t = t->next) {
        unsigned i = t->kind == TREE_TEXT ? conf_host_find(c, t->text) : CONF_NONE;

        if (i != CONF_NONE && c->hosts[i].mode == CONF_HOST_REPLICA)
            settings_bad(r, t,
                         "%s is a replica and cannot have the active master role; take it out or "
                         "make it a master",
                         t->text);
    }
}

/* ---- leases ---- */

static void rules_lease(struct reader *r, const struct tree *t, const struct conf_failover *f)
{
    const struct tree *lease = tree_get(t, "lease"), *gate = tree_get(t, "gate");

    if (f->gate != CONF_GATE_LIFETIME || f->lease_ms >= 3000 || (!lease && !gate))
        return;
    settings_bad(r, lease ? lease : gate,
                 "with gate lifetime the kernel counts in seconds and the lease must be at least "
                 "3s, not %s; set lease: 3s or use gate nft",
                 settings_span(f->lease_ms).text);
}

/* ---- one address, one owner ---- */

enum claim_kind { CLAIM_MYSQL, CLAIM_AGENT, CLAIM_MONITOR, CLAIM_ROLE };

struct claim {
    const struct conf_addr *addr;
    unsigned port; /* of a role: 0, it takes the whole address */
    enum claim_kind kind;
    const char *name;
    const struct tree *t;
};

struct claims {
    struct claim *at;
    size_t n;
};

static void claims_add(struct claims *c, enum claim_kind kind, const struct conf_addr *addr,
                       unsigned port, const char *name, const struct tree *t)
{
    if (addr->family && t)
        c->at[c->n++] =
            (struct claim){.addr = addr, .port = port, .kind = kind, .name = name, .t = t};
}

static int claims_addr_order(const struct conf_addr *a, const struct conf_addr *b)
{
    return a->family != b->family ? a->family - b->family : memcmp(a->at, b->at, sizeof a->at);
}

static int claims_order(const void *one, const void *other)
{
    const struct claim *a = one, *b = other;
    int by_addr = claims_addr_order(a->addr, b->addr);

    return by_addr                        ? by_addr
           : a->t->line != b->t->line     ? (a->t->line < b->t->line ? -1 : 1)
           : a->t->column != b->t->column ? (a->t->column < b->t->column ? -1 : 1)
                                          : (int)a->kind - (int)b->kind;
}

static void claims_collide(struct reader *r, const struct claim *a, const struct claim *b)
{
    static const char *const owners[] = {
        [CLAIM_MYSQL] = "MySQL on host",
        [CLAIM_AGENT] = "the agent of host",
        [CLAIM_MONITOR] = "monitor",
        [CLAIM_ROLE] = "role",
    };
    const struct claim *late = a->kind == CLAIM_ROLE && b->kind != CLAIM_ROLE ? a : b;
    const struct claim *early = late == a ? b : a;

    if (late->kind == CLAIM_ROLE)
        settings_bad(
            r, late->t,
            "%s belongs to %s %s already (line %u); an address of a role belongs to nobody "
            "else",
            late->addr->text, owners[early->kind], early->name, early->t->line);
    else
        settings_bad(
            r, late->t,
            "%s port %u, for %s %s, belongs to %s %s already (line %u); change the address "
            "or the port of one of them",
            late->addr->text, late->port, owners[late->kind], late->name, owners[early->kind],
            early->name, early->t->line);
}

/* Claims of one address stand together, in the order of the file. One complaint per value. */
static void claims_check(struct reader *r, struct claims *c)
{
    const struct tree *said = NULL;
    size_t first = 0;

    qsort(c->at, c->n, sizeof *c->at, claims_order);
    for (size_t j = 1; j < c->n; j++) {
        if (claims_addr_order(c->at[first].addr, c->at[j].addr)) {
            first = j;
            continue;
        }
        for (size_t i = first; i < j && c->at[j].t != said; i++) {
            const struct claim *a = &c->at[i], *b = &c->at[j];

            if (a->kind != CLAIM_ROLE && b->kind != CLAIM_ROLE && a->port != b->port)
                continue;
            said = b->t;
            claims_collide(r, a, b);
        }
    }
}

static const struct tree *claims_address(const struct tree *host, const char *key)
{
    const struct tree *t = tree_get(host, key);

    return t ? t : host;
}

static void claims_of_servers(struct claims *all, const struct conf *c, const struct tree *root)
{
    const struct tree *t = tree_get(root, "monitors");

    t = t ? t->first : NULL;
    for (size_t i = 0; i < c->n_monitors; i++, t = t->next)
        claims_add(all, CLAIM_MONITOR, &c->monitors[i].address, c->monitors[i].port,
                   c->monitors[i].name, claims_address(t, "address"));
    t = tree_get(root, "hosts");
    t = t ? t->first : NULL;
    for (size_t i = 0; i < c->n_hosts; i++, t = t->next) {
        const struct conf_host *h = &c->hosts[i];

        claims_add(all, CLAIM_MYSQL, &h->address, h->mysql.port, h->name,
                   claims_address(t, "address"));
        claims_add(all, CLAIM_AGENT, &h->address, h->agent_port, h->name,
                   claims_address(t, "address"));
        if (claims_addr_order(&h->address, &h->replication_address))
            claims_add(all, CLAIM_MYSQL, &h->replication_address, h->mysql.port, h->name,
                       claims_address(t, "replication_address"));
    }
}

static void claims_of_roles(struct claims *all, const struct conf *c, const struct tree *root)
{
    const struct tree *role = tree_get(root, "roles");

    role = role ? role->first : NULL;
    for (size_t i = 0; i < c->n_roles; i++, role = role->next) {
        const struct tree *t = tree_get(role, "ips");

        t = t ? t->first : NULL;
        for (size_t k = 0; k < c->roles[i].n_ips; k++, t = t->next)
            claims_add(all, CLAIM_ROLE, &c->roles[i].ips[k].addr, 0, c->roles[i].name,
                       t->kind == TREE_MAP ? tree_get(t, "ip") : t);
    }
}

void rules_check(struct reader *r, const struct tree *root)
{
    const struct conf *c = r->conf;
    const struct tree *hosts = tree_get(root, "hosts"), *t = tree_get(root, "roles");
    struct claims all = {0};
    size_t n = c->n_monitors + 3 * c->n_hosts;

    if (c->n_hosts)
        rules_peers(r, hosts);
    rules_active(r, root);
    rules_lease(r, tree_get(root, "failover"), &c->failover);
    t = t ? t->first : NULL;
    for (size_t i = 0; i < c->n_roles; i++, t = t->next) {
        n += c->roles[i].n_ips;
        rules_lease(r, tree_get(t, "failover"), &c->roles[i].failover);
    }
    all.at = pool_get(r->pool, n * sizeof *all.at);
    claims_of_servers(&all, c, root);
    claims_of_roles(&all, c, root);
    claims_check(r, &all);
}
